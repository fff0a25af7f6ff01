"""
The incident, end to end: Django under gunicorn and pgweir in containers, PostgreSQL on the machine that they run on, whose
pg_hba.conf does not allow the pooler's container. Fifty users.

Each bound of time here is a class, for machines that are busy; the figures themselves are shown at the end of the run.
"""

import json

import pytest

from story import Comparison, Hour, Outage


@pytest.fixture(scope="module")
def outage(scene):
	return Outage(scene)


def test_every_request_has_its_error_and_none_waits(outage, figure):
	assert len(outage.before()) >= 150 and all(r["error"] for r in outage.before())
	figure(f"{len(outage.failed)} requests failed, the slowest after {outage.longest_failure_ms():.0f} ms (wanted: 1000)")
	assert outage.longest_failure_ms() < 30000 # what was here before took 120 s


def test_error_has_the_servers_words_and_the_line_to_paste(outage):
	assert outage.line.split() == ["host", "app", "app", outage.address + "/32", "scram-sha-256"]
	for request in outage.failed:
		assert f'no pg_hba.conf entry for host "{outage.address}", user "app", database "app"' in request["error"]
		assert outage.line in request["error"]
		assert "SHOW hba_file" in request["error"] and "pg_reload_conf" in request["error"]


def test_containers_log_has_the_remedy_once(outage):
	assert outage.log.count("WARNING server login failed: db=app user=app: no pg_hba.conf entry") == 1
	assert outage.log.count(outage.line) == 1
	# hundreds were told, and the log stays readable
	assert len([line for line in outage.log.split("\n") if "no pg_hba.conf entry" in line]) <= 30
	assert outage.log_after.count("server login works again: db=app user=app") == 1


def test_readiness_is_red_and_says_the_remedy(outage):
	assert outage.readyz.status == 503
	assert "no pg_hba.conf entry" in outage.readyz.body and outage.line in outage.readyz.body


def test_page_has_the_remedy(outage):
	assert outage.overview.status == 200
	[row] = json.loads(outage.overview.body)["outages"]["rows"]
	assert "no pg_hba.conf entry" in row["text"] and outage.line in row["hint"]


def test_printed_line_is_all_that_it_takes(outage, figure):
	figure(f"from the reload of pg_hba.conf to the last request that fails: {outage.back_after():.1f} s (wanted: 3)")
	assert outage.back_after() < 30
	assert outage.served


def test_behind_one_old_busy_connection_everybody_reads_both_facts(scene, outage, figure):
	"""As it happened; what was here before said nothing for 120 s, and then nothing of the cause."""
	hour = Hour(scene, 15)
	figure(f"behind one busy connection {len(hour.failed)} requests failed, after {hour.waits[0]:.1f} to {hour.waits[-1]:.1f} s")
	assert hour.failed and hour.waits[-1] < 60
	address = scene.address()
	for request in hour.failed:
		assert "1 of 1 servers are busy" in request["error"] and "idle in transaction" in request["error"]
		assert f'no pg_hba.conf entry for host "{address}", user "app", database "app"' in request["error"]
		assert scene.remedy(request["error"]).split() == ["host", "app", "app", address + "/32", "scram-sha-256"]


@pytest.mark.parametrize("users", [50, 100])
def test_crowd_is_served_as_well_as_without_pooler(scene, outage, figure, users):
	compared = Comparison(scene, users)
	assert not compared.failed
	for way in ("pgweir", "direct"):
		figure(f"{users} users, {way}: {len(compared.ms[way])} requests, median {compared.median(way):.1f} ms, 95 % {compared.p95(way):.1f} ms")
		assert compared.median("pgweir") < 3 * compared.median("direct") + 50
	assert 0 < compared.connections <= 20
