"""Programs that watch PgBouncer, unchanged, before PgBouncer 1.26.1 and before pgweir: they see the same things."""

import json
import os
import re
import subprocess
import urllib.request

import pytest

from pooler import ROOT, pgbouncer
from processes import Port, end, environment, start
from waiting import until
from wire import query

pytestmark = pytest.mark.pgweir


@pytest.fixture(scope="module")
def both(start_shared):
	"""PgBouncer and pgweir, both with an idle client, one in a transaction and one that waits, and with a paused database."""
	made, clients = [], []
	for how in ({"program": pgbouncer()}, {"threads": 2}):
		pooler = start_shared(databases={"app": "HERE pool_size=1", "second": "HERE dbname=app"}, auth_type="scram-sha-256", ignore_startup_parameters="extra_float_digits",
			query_wait_notify=0, query_wait_timeout=0, stats_period=1, **how)
		idle, busy, waiting = (pooler.login() for _ in range(3))
		idle.value("SELECT 1")
		busy.ask(query("BEGIN"))
		waiting.send(query("SELECT 1"))
		pooler.wait_waiting(1)
		pooler.console("PAUSE second")
		made.append(pooler)
		clients += [idle, busy, waiting]
	yield made
	for w in clients:
		w.close()


def url(pooler):
	return f"{pooler.dsn('pgbouncer', 'admin')}?sslmode=disable"


# prometheus-pgbouncer-exporter

@pytest.fixture(scope="module")
def exporter():
	return subprocess.run([os.path.join(ROOT, "build-aux", "get-pgbouncer-exporter")], capture_output=True, text=True, timeout=300, check=True).stdout.strip()


def scraped(exporter, pooler):
	"""The metrics: name and labels -> value."""
	port, out = Port(), open(os.path.join(pooler.folder, "exporter.log"), "w", encoding="utf-8")
	process = start([exporter, f"--pgBouncer.connectionString={url(pooler)}", f"--web.listen-address=127.0.0.1:{port.number}"], pooler.who, pooler.folder, out)
	try:
		def get():
			try:
				with urllib.request.urlopen(f"http://127.0.0.1:{port.number}/metrics", timeout=30) as answer:
					return answer.read().decode()
			except OSError:
				return None
		text = until(get, 30, "the exporter answers")
	finally:
		end(process)
		out.close()
		port.close()
	return dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("pgbouncer_"))


def test_the_prometheus_exporter_sees_the_same(both, exporter):
	theirs, ours = (scraped(exporter, pooler) for pooler in both)
	assert ours["pgbouncer_up"] == "1" and len(ours) > 50
	names = [{key.replace(str(pooler.port), "PORT") for key in found} for pooler, found in zip(both, (theirs, ours))]
	assert names[0] == names[1]
	for key in ('pgbouncer_pools_client_waiting_connections{database="app",user="app"}', 'pgbouncer_pools_server_active_connections{database="app",user="app"}',
			'pgbouncer_databases_paused{database="app",force_user="",host="127.0.0.1",name="second",pool_mode="",port="%d"}' % both[1].cluster.port):
		assert theirs[key] == ours[key] == "1", (key, theirs[key], ours[key])
	for key in ("pgbouncer_config_max_client_connections", "pgbouncer_config_max_user_connections", "pgbouncer_databases", "pgbouncer_users"):
		assert theirs[key] == ours[key], key


# check_postgres

def checked(pooler, action, *more):
	env = dict(environment(pooler.folder), PGPASSWORD=pooler.secrets["admin"])
	done = subprocess.run(["check_postgres", f"--action={action}", "--host=127.0.0.1", f"--port={pooler.port}", "--dbuser=admin", *more], capture_output=True,
		text=True, timeout=60, cwd=pooler.folder, env=env, check=False)
	text = done.stdout.replace(str(pooler.port), "PORT") + done.stderr
	return done.returncode, re.sub(r"time=[0-9.]+s", "time=", re.sub(r"\(db: pgbouncer\)|maxwait=\d+|\d+ seconds?", "", text))


@pytest.mark.parametrize("action, more", [("pgb_pool_cl_active", ("-w", "1", "-c", "2")), ("pgb_pool_cl_waiting", ("-w", "1", "-c", "2")),
	("pgb_pool_sv_active", ("-w", "1", "-c", "2")), ("pgb_pool_sv_idle", ("-w", "5", "-c", "9")), ("pgb_pool_sv_used", ("-w", "5", "-c", "9")),
	("pgb_pool_sv_tested", ("-w", "5", "-c", "9")), ("pgb_pool_sv_login", ("-w", "5", "-c", "9")), ("pgbouncer_backends", ("-w", "90%", "-c", "95%"))])
def test_check_postgres_says_the_same(both, action, more):
	theirs, ours = (checked(pooler, action, *more) for pooler in both)
	assert theirs == ours
	assert re.match("POSTGRES_\\w+ (OK|WARNING|CRITICAL)", ours[1]), ours


def test_check_postgres_notices_a_changed_setting(both):
	pooler = both[1]
	first = checked(pooler, "pgbouncer_checksum", "--mrtg=0", "-c", "0" * 32)[1]
	checksum = re.search("[0-9a-f]{32}", first)[0]
	assert checked(pooler, "pgbouncer_checksum", "-c", checksum)[0] == 0
	pooler.console("SET query_wait_notify = 77")
	assert checked(pooler, "pgbouncer_checksum", "-c", checksum)[0] == 2
	pooler.console("RELOAD")
	assert checked(pooler, "pgbouncer_checksum", "-c", checksum)[0] == 0


# pgbadger

def badgered(pooler):
	out = os.path.join(pooler.folder, "report.json")
	subprocess.run(["pgbadger", "-q", "--pgbouncer-only", "--outfile", out, pooler.log_path], capture_output=True, timeout=120, check=True)
	with open(out, encoding="utf-8") as f:
		return json.load(f)


def test_pgbadger_reads_the_same_in_the_log(start_pooler):
	reports = []
	for how in ({"program": pgbouncer()}, {"threads": 2}):
		pooler = start_pooler(log_stats=0, **how)
		for user, database in (("app", "app"), ("app", "app"), ("other", "second")):
			with pooler.login(user, database) as w:
				w.value("SELECT 1")
		with pooler.login() as w:
			number, = (row["id"] for row in pooler.console("SHOW CLIENTS") if row["database"] == "app" and row["port"] == w.sock.getsockname()[1])
			pooler.console(f"KILL_CLIENT {number}")
			assert w.ended()
		until(lambda pooler=pooler: len(re.findall(r" C-.*: \w+/\w+@.* closing because", pooler.log())) == 6, what="all have left")
		reports.append(badgered(pooler))
	seen = [({key: value for key, value in report["pgb_connection_info"].items() if key != "chronos"}, sorted(report["pgb_error_info"])) for report in reports]
	assert seen[0] == seen[1]
	assert seen[1][0]["database_user"]["app"] == {"app": 3} and seen[1][1] == ["WARNING:  pooler error: admin forced disconnect"]
