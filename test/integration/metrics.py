"""What a scraper of /metrics does: asking, and reading what comes strictly."""

import re
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def fetch(port, accept=None):
	"""Content type and text."""
	request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={} if accept is None else {"Accept": accept})
	with urllib.request.urlopen(request, timeout=60) as answer:
		assert answer.status == 200
		return answer.headers["Content-Type"], answer.read().decode()


def types(text):
	"""The type of each family, by the name in its head. Each has one head, which says everything, and its samples behind it."""
	found, name = {}, None
	for line in text.rstrip("\n").split("\n"):
		if line.startswith("# HELP "):
			name = line.split(" ")[2]
			assert name not in found and line.endswith("."), line
		elif line.startswith("# TYPE "):
			assert line.split(" ")[2] == name and name not in found, line
			found[name] = line.split(" ")[3]
		elif line.startswith("# UNIT "):
			assert line.split(" ")[2] == name and name.endswith("_" + line.split(" ")[3]), line
		elif line != "# EOF":
			assert re.fullmatch(re.escape(name) + r'(|_total|_bucket|_sum|_count)(\{.*\})? [0-9.]+', line, re.DOTALL), line
	return found


def samples(text):
	"""(name, labels) -> value of every sample, after the formats' own rules have been checked."""
	is_open = text.endswith("# EOF\n")
	assert text.endswith("\n") and "\n\n" not in text
	kinds, found = types(text), {}
	for family in (open_families if is_open else text_families)(text):
		for sample in family.samples:
			key = sample.name, frozenset(sample.labels.items())
			assert key not in found, key
			found[key] = sample.value
			assert re.fullmatch("[a-z_]+", sample.name) and all(re.fullmatch("[a-z_]+", label) for label in sample.labels), sample
			if family.type == "counter":
				assert sample.name.endswith("_total") and (family.name if is_open else sample.name) in kinds, sample
	for name, kind in kinds.items():
		if kind == "histogram":
			check_histogram(name, found)
	return found


def check_histogram(name, found):
	buckets = sorted((float(dict(labels)["le"]), value) for (sample, labels), value in found.items() if sample == name + "_bucket")
	assert len(buckets) == 21 and buckets[0][0] == 0 and buckets[-1] == (float("inf"), found[name + "_count", frozenset()])
	assert all(a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), buckets
	assert (name + "_sum", frozenset()) in found


def scrape(port, accept=None):
	return samples(fetch(port, accept)[1])


def value(found, name, **labels):
	"""Of the one sample; None if there is none."""
	return found.get((name, frozenset(labels.items())))
