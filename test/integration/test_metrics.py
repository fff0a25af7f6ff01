"""/metrics: the same that the exporter tells, and more; well-formed in both formats, whatever people call themselves; bounded."""

import os
import re
import subprocess
import threading
import urllib.request

import pytest

from certificates import Authority
from metrics import OPEN, TEXT, fetch, samples, scrape, types, value
from pooler import ROOT
from processes import Port, account, end, start
from told import errors
from waiting import until
from wire import ServerError, Wire, parse, query, startup_raw, sync

pytestmark = pytest.mark.pgweir


@pytest.fixture
def watch(start_pooler):
	"""watch(setting=value, …) starts a pooler with /metrics at its `web`."""
	ports = []

	def begin(**settings):
		ports.append(Port())
		pooler = start_pooler(http_listen=f"127.0.0.1:{ports[-1].number}", ignore_startup_parameters="extra_float_digits", **settings)
		pooler.web = ports[-1].number
		return pooler

	yield begin
	for port in ports:
		port.close()


def outage_ends(pooler, database):
	def logs_in():
		try:
			return pooler.login(database=database)
		except ServerError:
			return None

	return until(logs_in, 20, "the outage ends")


def built(name):
	return subprocess.run([os.path.join(ROOT, "build-aux", name)], capture_output=True, text=True, timeout=300, check=True).stdout.strip()


# As the exporter

def exported(pooler):
	"""What the exporter says of a pooler, once."""
	port = Port()
	with open(os.path.join(pooler.folder, "exporter.log"), "w", encoding="utf-8") as out:
		process = start([built("get-pgbouncer-exporter"), f"--pgBouncer.connectionString={pooler.dsn('pgbouncer', 'admin')}?sslmode=disable",
			f"--pgBouncer.pid-file=pid", f"--web.listen-address=127.0.0.1:{port.number}"], pooler.who, pooler.folder, out)
		try:
			def get():
				try:
					with urllib.request.urlopen(f"http://127.0.0.1:{port.number}/metrics", timeout=60) as answer:
						return answer.read().decode()
				except OSError:
					return None
			return until(get, 30, "the exporter answers")
		finally:
			end(process)
			port.close()


def of_poolers(text):
	"""Without what the exporter says of itself."""
	lines = [line for line in text.split("\n") if "pgbouncer_" in line and "pgbouncer_exporter_" not in line]
	return "\n".join(lines) + "\n"


def exporters_samples(text):
	found = {}
	for line in of_poolers(text).split("\n"):
		if line and not line.startswith("#"):
			name, labels, number = re.fullmatch(r"(\w+)(\{.*\})? (\S+)", line).groups()
			pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
			found[name, frozenset((key, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)) for key, text in pairs)] = float(number)
	return found


def some_traffic(pooler):
	"""Clients that idle, wait and have transactions open, under awkward names; all of them stay."""
	clients = [pooler.login(application_name="it's \"odd\"\\"), pooler.login("other", application_name="\xe4\U0001f418"), pooler.login(), pooler.login()]
	clients[0].value("SELECT 1")
	for _ in range(3):
		clients[1].ask(query("BEGIN"))
		clients[1].value("SELECT repeat('x', 1000)")
		clients[1].ask(query("COMMIT"))
	clients[2].ask(parse("SELECT 2", "name"), sync())
	clients[2].ask(query("BEGIN"))
	clients[3].send(query("SELECT 1"))
	pooler.wait_waiting(1)
	pooler.console("PAUSE second")
	pooler.console("DISABLE third")
	return clients


def test_the_exporter_tells_nothing_else(watch):
	pooler = watch(databases={"app": "HERE pool_size=1", "second": "HERE dbname=app user=other", "third": "HERE dbname=app pool_mode=session max_db_connections=7"},
		max_prepared_statements=10, max_user_connections=55, reserve_pool_size=2, query_wait_notify=0, query_wait_timeout=0, pidfile="pid")
	clients = some_traffic(pooler)
	with pooler.login("admin", "pgbouncer"): # in the place of the exporter's own connection
		first = fetch(pooler.web)[1]
	theirs = exported(pooler)
	last = fetch(pooler.web)[1]
	before, exporters, after = samples(first), exporters_samples(theirs), samples(last)
	kinds, their_kinds = types(first), dict(re.findall(r"# TYPE (pgbouncer_\w+) (\w+)", of_poolers(theirs)))
	assert len(exporters) > 60 and exporters["pgbouncer_up", frozenset()] == 1
	process = {name for name in their_kinds if name.startswith("pgbouncer_process_")}
	# what we do not know of our process
	assert {name: kind for name, kind in their_kinds.items() if kinds.get(name) != kind}.keys() <= {"pgbouncer_process_virtual_memory_max_bytes",
		"pgbouncer_process_network_receive_bytes_total", "pgbouncer_process_network_transmit_bytes_total"}
	for key, number in exporters.items():
		name, labels = key
		if name in process:
			continue
		assert key in before, key
		if name == "pgbouncer_pools_client_maxwait_seconds" or (name.startswith("pgbouncer_stats_totals_") and ("database", "pgbouncer") in labels):
			assert before[key] <= number <= after[key], (key, before[key], number, after[key])
		else:
			assert before[key] == pytest.approx(number, rel=1e-9), (key, before[key], number)
	for key in before:
		assert key in exporters or not key[0].startswith("pgbouncer_") or key[0] in process or key[0].startswith("pgbouncer_process_") or \
			key[0] == "pgbouncer_databases_reserve_pool", key # which older exporters do not find
	assert after["pgbouncer_process_max_fds", frozenset()] == exporters["pgbouncer_process_max_fds", frozenset()]
	assert abs(after["pgbouncer_process_start_time_seconds", frozenset()] - exporters["pgbouncer_process_start_time_seconds", frozenset()]) < 30
	assert value(before, "pgbouncer_client_connections", database="app", user="app", application_name="it's \"odd\"\\", state="idle") == 1
	assert value(before, "pgbouncer_pools_client_waiting_connections", database="app", user="app") == 1
	for w in clients:
		w.close()


# The formats

def table():
	"""The names of all families, as in the text format."""
	with open(os.path.join(ROOT, "src", "admin", "metrics.def"), encoding="utf-8") as f:
		names = re.findall(r'^(?:METRIC|HISTOGRAM)\("(\w+)"', f.read(), re.MULTILINE)
	with open(os.path.join(ROOT, "include", "diag", "session_state.def"), encoding="utf-8") as f:
		names += [f"pgweir_state_guard_{column}_total" for column in re.findall(r'^STATE\(\w+, +"(\w+)"', f.read(), re.MULTILINE)]
	return names


def stable(found):
	"""Without what no two scrapes agree on."""
	return {key: number for key, number in found.items() if not re.search("cpu|memory|open_fds|maxwait", key[0])}


def test_both_formats_tell_the_whole_table(watch, gate):
	pooler = watch(databases={"app": "HERE pool_size=1", "second": "HERE dbname=app", "third": "HERE dbname=app", "gone": f"host=127.0.0.1 port={gate.port} dbname=app"},
		query_wait_notify=0, server_down_wait=1)
	gate.refused()
	clients = some_traffic(pooler)
	with Wire(pooler.port) as w:
		w.begin("app", "gone")
		assert "refused" in w.ended()[-1].text
	gate.open()
	clients.append(outage_ends(pooler, "gone")) # until then it is tried again and again
	kind, text = fetch(pooler.web)
	open_kind, open_text = fetch(pooler.web, "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.1")
	assert (kind, open_kind) == (TEXT, OPEN)
	found, open_found = samples(text), samples(open_text)
	missing = [name for name in table() if name not in types(text)]
	assert missing == [] or (missing == ["pgbouncer_process_open_fds"] and not os.stat("/proc/self/fd").st_size)
	assert stable(found) == stable(open_found)
	assert {re.sub("_total$", "", name): kind for name, kind in types(text).items()} == types(open_text)
	for w in clients:
		w.close()


def test_promtool_has_nothing_to_say(watch):
	pooler = watch(databases={"app": "HERE pool_size=1", "second": "HERE dbname=app", "third": "HERE dbname=app"}, query_wait_notify=0)
	clients = some_traffic(pooler)
	text = fetch(pooler.web)[1]
	done = subprocess.run([built("get-promtool"), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
	assert (done.returncode, done.stdout + done.stderr) == (0, "")
	rules = os.path.join(ROOT, "etc", "prometheus", "alerts.yml")
	done = subprocess.run([built("get-promtool"), "check", "rules", rules], capture_output=True, text=True, timeout=60, check=False)
	assert done.returncode == 0, done.stdout + done.stderr
	with open(rules, encoding="utf-8") as f:
		used = set(re.findall(r"\b(?:pgweir|pgbouncer)_\w+", " ".join(re.findall("expr: (.*)", f.read()))))
	assert used and used <= set(table())
	for w in clients:
		w.close()


# What is counted

def test_counters_only_grow(watch):
	pooler = watch()
	with pooler.login() as w:
		w.value("SELECT 1")
		before = scrape(pooler.web)
		for _ in range(5):
			w.value("SELECT 1")
		with pooler.login() as second:
			second.value("SELECT 1")
		after = scrape(pooler.web)
	grown = {key for key, number in before.items() if re.search("_(total|count|bucket|sum)$", key[0]) and after[key] > number}
	assert not [key for key, number in before.items() if re.search("_(total|count|bucket|sum)$", key[0]) and after[key] < number]
	label = frozenset({("database", "app")})
	for name, more in (("pgbouncer_stats_totals_sql_transactions_pooled_total", 6), ("pgbouncer_stats_totals_server_assignments_total", 6), ("pgweir_client_logins_total", 1)):
		assert after[name, label] - before[name, label] == more and (name, label) in grown
	assert value(after, "pgweir_client_wait_seconds_count") == value(after, "pgbouncer_stats_totals_server_assignments_total", database="app")
	assert value(after, "pgweir_client_login_seconds_count") == 2
	assert value(after, "pgweir_server_login_seconds_count") >= 1
	assert 0 < value(after, "pgweir_server_login_seconds_sum") < 60


def test_who_waited_is_told_from_who_did_not(watch):
	pooler = watch(databases={"app": "HERE pool_size=1"}, query_wait_timeout=1)
	with pooler.login() as holder, pooler.login() as other:
		holder.ask(query("BEGIN"))
		other.send(query("SELECT 1"))
		pooler.wait_waiting(1)
		found = scrape(pooler.web)
		assert value(found, "pgweir_waiting_clients", reason="pool_size") == 1
		assert value(found, "pgweir_client_wait_seconds_count") == 1
		holder.ask(query("COMMIT"))
		other.until("Z")
		found = scrape(pooler.web)
		assert value(found, "pgweir_waiting_clients", reason="pool_size") == 0
		served, at_once = value(found, "pgweir_client_wait_seconds_count"), value(found, "pgweir_client_wait_seconds_bucket", le="0.0")
		assert (served, at_once, value(found, "pgweir_client_wait_failed_seconds_count")) == (2, 1, 0)
		assert 0 < value(found, "pgweir_client_wait_seconds_sum") < 60
		holder.ask(query("BEGIN"))
		other.send(query("SELECT 1"))
		assert "query_wait_timeout" in errors(other.ended())[0].text
		found = scrape(pooler.web)
		assert value(found, "pgweir_client_wait_failed_seconds_count") == 1
		assert value(found, "pgweir_client_wait_failed_seconds_bucket", le="0.5") == 0
		for name in ("pgweir_failures_total", "pgweir_failed_clients_total"):
			assert value(found, name, **{"class": "query_wait_timeout"}) == 1


def test_an_outage_is_told_and_its_end(watch, gate):
	pooler = watch(databases={"app": f"host=127.0.0.1 port={gate.port}"}, server_down_wait=1)
	labels = {"host": "127.0.0.1", "addr": "127.0.0.1", "port": str(gate.port)}
	gate.refused()
	with Wire(pooler.port) as w:
		w.begin("app")
		assert "refused" in w.ended()[-1].text
	found = scrape(pooler.web)
	assert value(found, "pgweir_backend_up", **labels) == 0
	assert value(found, "pgweir_backend_info", state="down", role="", **labels) == 1
	assert value(found, "pgweir_backend_last_login_timestamp_seconds", **labels) is None
	assert value(found, "pgweir_backend_last_failure_timestamp_seconds", **labels) > 1.6e9
	assert value(found, "pgweir_failures_total", **{"class": "connection_refused"}) >= 1
	gate.open()
	outage_ends(pooler, "app").close()
	found = scrape(pooler.web)
	assert value(found, "pgweir_backend_up", **labels) == 1
	assert value(found, "pgweir_backend_last_login_timestamp_seconds", **labels) > 1.6e9
	assert value(found, "pgweir_failed_clients_total", **{"class": "connection_refused"}) >= 1


def test_threads_and_connections_are_told(watch):
	pooler = watch(threads=3)
	clients = [pooler.login() for _ in range(4)]
	for w in clients:
		w.ask(query("BEGIN"))
	found = scrape(pooler.web)
	assert {dict(labels)["worker"] for name, labels in found if name == "pgweir_worker_cpu_seconds_total"} == {"0", "1", "2", "main"}
	assert sum(number for (name, _), number in found.items() if name == "pgweir_worker_clients") == 4
	assert sum(number for (name, _), number in found.items() if name == "pgweir_worker_servers") == 4
	assert value(found, "pgweir_connections", side="client", tls="") == 4
	assert value(found, "pgweir_connections", side="server", tls="") + value(found, "pgweir_connections", side="server", tls="TLSv1.3") == 4
	for w in clients:
		w.close()


def test_what_clients_leave_behind_and_prepare_is_told(watch):
	pooler = watch(state_guard="warn", max_prepared_statements=10)
	with pooler.login() as w:
		w.ask(query("SET work_mem = '5MB'"))
		w.ask(parse("SELECT 1", "name"), sync())
		found = scrape(pooler.web)
	assert value(found, "pgweir_state_guard_set_total", database="app") == value(found, "pgweir_state_guard_warned_total", database="app") == 1
	assert value(found, "pgweir_state_guard_temp_total", database="app") == 0
	assert value(found, "pgweir_prepared_statements") == value(found, "pgbouncer_stats_totals_client_parses_total", database="app") == 1
	assert value(found, "pgweir_prepared_statements_bytes") > len("SELECT 1")


def test_connections_are_told_by_version_of_tls(watch, folder):
	cert, key = Authority(folder, account("nobody", "daemon"), "metrics").sign("metrics", "localhost", "DNS:localhost,IP:127.0.0.1")
	pooler = watch(client_tls_sslmode="allow", client_tls_cert_file=cert, client_tls_key_file=key)
	clients = [pooler.connect(sslmode="disable")]
	for version in ("TLSv1.2", "TLSv1.3", "TLSv1.3"):
		clients.append(pooler.connect(sslmode="require", ssl_min_protocol_version=version, ssl_max_protocol_version=version))
	found = scrape(pooler.web)
	assert {dict(labels)["tls"]: number for (name, labels), number in found.items() if name == "pgweir_connections" and ("side", "client") in labels} == \
		{"": 1, "TLSv1": 0, "TLSv1.1": 0, "TLSv1.2": 1, "TLSv1.3": 2, "(other)": 0}
	for client in clients:
		client.close()


# Names

def raw_startup(parameters):
	return startup_raw(b"\0\3\0\0" + b"".join(key + b"\0" + text + b"\0" for key, text in parameters) + b"\0")


def login_as(pooler, user, database, application):
	"""Of bytes, whatever they are."""
	w = Wire(pooler.port)
	w.send(raw_startup([(b"user", user), (b"database", database), (b"application_name", application)]))
	w.until("Z")
	return w


HOSTILE = [b"<script>alert(1)</script>", b"\xff\xfe", b"\xfe", b"<invalid>", b"\"} 1\n# EOF\n", b"\\", b"\\\\\"", b"a,b=\"c\"", b"\r\n", b"x" * 3000, b"\xe2\x82" + b"x", b"(other)"]


def test_no_name_breaks_the_formats(watch):
	pooler = watch(databases={"*": "HERE dbname=app user=app"}, auth_type="any", max_db_connections=2, min_pool_size=0, default_pool_size=1)
	clients = [login_as(pooler, b"app", name, name) for name in HOSTILE]
	until(lambda: len([1 for row in pooler.console("SHOW LISTS") if row["list"] == "databases" and row["items"] >= len(HOSTILE)]), what="all databases are there")
	for accept in (None, "application/openmetrics-text"):
		found = scrape(pooler.web, accept)
		databases = {dict(labels)["database"] for name, labels in found if name == "pgbouncer_pools_client_active_connections"}
		assert {"<script>alert(1)</script>", "<invalid>", "\"} 1\n# EOF\n", "\\", "\\\\\"", "a,b=\"c\"", "\r\n", "x" * 256} <= databases
		# those that are no UTF-8, and the one that is called so
		assert value(found, "pgbouncer_pools_client_active_connections", database="<invalid>", user="app") == 4
		assert value(found, "pgbouncer_client_connections", database="<invalid>", user="app", application_name="<invalid>", state="idle") == 4
		assert sum(number for (name, _), number in found.items() if name == "pgbouncer_client_connections") == len(HOSTILE)
	for w in clients:
		w.close()


def test_names_that_clients_choose_are_bounded(watch):
	n = 1500
	pooler = watch(max_client_conn=2000, listen_backlog=1024)
	clients = [pooler.login(application_name=f"job {number}") for number in range(n)]
	found = scrape(pooler.web)
	groups = {labels: number for (name, labels), number in found.items() if name == "pgbouncer_client_connections"}
	assert sum(groups.values()) == n and len(groups) == 1001
	assert value(found, "pgbouncer_client_connections", database="app", user="app", application_name="(other)", state="idle") == n - 1000
	for w in clients:
		w.close()


# While things happen

def test_it_answers_whatever_goes_on(watch, gate):
	pooler = watch(databases={"app": f"host=127.0.0.1 port={gate.port}", "second": "HERE"}, auth_type="trust", server_login_retry=1)
	stop, problems, n = threading.Event(), [], [0]

	def scraper(accept):
		try:
			while not stop.is_set():
				scrape(pooler.web, accept)
				n[0] += 1
		except Exception as e: # to be shown by the test
			problems.append(e)

	threads = [threading.Thread(target=scraper, args=(accept,)) for accept in (None, "application/openmetrics-text")]
	for thread in threads:
		thread.start()
	try:
		with pooler.login() as w, pooler.login(database="second") as second:
			for number in range(10):
				w.value("SELECT 1")
				pooler.console("PAUSE second")
				pooler.databases[f"new{number}"] = "HERE dbname=app"
				pooler.write()
				pooler.console("RELOAD")
				gate.refused()
				gate.cut()
				w.send(query("SELECT 1"))
				pooler.console("RESUME second")
				second.value("SELECT 1")
				gate.open()
				w.until("Z")
			seen = n[0]
			until(lambda: n[0] > seen + 4 or problems, 60, "further scrapes")
	finally:
		stop.set()
		for thread in threads:
			thread.join()
	assert not problems, problems
