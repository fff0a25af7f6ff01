"""The core of the product, once with each version of PostgreSQL that it is for: what servers say differs a little among them."""

import os
import subprocess

import pytest

from certificates import Authority, turn_tls_on
from cluster import Cluster
from pooler import ROOT
from told import is_served, query_error
from waiting import until
from wire import (PROTOCOL_3_2, ServerError, Wire, bind, cancel, close, copy_data, copy_done, copy_fail, describe, execute, md5_secret, parse,
	query, sync, types)

ONLY_TESTS = "local all postgres trust\n"


def group(major):
	"""All tests of a version with the same worker, so that its server is made once; sanitized the newest one has to do."""
	return pytest.param(major, marks=[pytest.mark.xdist_group(f"postgres{major}"), *[pytest.mark.unsanitized] * (major < 18)])


@pytest.fixture(scope="module", params=[group(major) for major in range(12, 19)], ids=lambda major: f"PostgreSQL {major}")
def cluster(folder, request):
	"""The server for this file: one of each version."""
	found = subprocess.run([os.path.join(ROOT, "build-aux", "get-postgres"), str(request.param)], capture_output=True, text=True, timeout=600)
	assert found.returncode == 0, found.stderr
	made = Cluster(folder, f"postgres{request.param}", programs=found.stdout.strip())
	made.major = request.param
	try:
		made.create()
		assert made.value("SHOW server_version").startswith(f"{made.major}.")
		yield made
	finally:
		made.stop()


@pytest.fixture(scope="module")
def pooler(start_shared, cluster):
	"""One server for each user, so that clients take turns on it."""
	return start_shared(auth_type="scram-sha-256", default_pool_size=1, max_prepared_statements=200)


def rows(answers):
	return [m.row for m in answers if m.type == "D"]


def pid(w):
	return w.value("SELECT pg_backend_pid()")


def test_users_log_in_with_scram_and_md5(pooler, cluster):
	kinds = dict(cluster.sql("SELECT rolname, substr(rolpassword, 1, 3) FROM pg_authid WHERE rolname IN ('app', 'md5_user')"))
	assert kinds == {"app": "SCR", "md5_user": "md5"}
	for user, password in (("app", "app"), ("md5_user", "md5")):
		with pooler.login(user, "app", password) as w:
			assert w.rows("SELECT current_user, 41 + 1") == [(user, "42")]


def test_what_pg_authid_holds_does_for_a_login(start_pooler, cluster):
	"""The hash goes to the server as it is; so does what a SCRAM client has proven."""
	verifier = cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
	pooler = start_pooler(auth_type="md5", secrets={"app": verifier, "md5_user": md5_secret("md5_user", "md5")})
	for user, password in (("app", "app"), ("md5_user", "md5")):
		with pooler.login(user, "app", password) as w:
			assert w.value("SELECT current_user") == user


def test_a_login_reads_the_same_as_without_a_pooler(pooler, cluster):
	with Wire(cluster.port) as direct, pooler.login() as w:
		direct.login("app", "app", "app")
		reported = {name: value for name, value in w.parameters.items() if not name.startswith("pgbouncer.")}
		assert reported == direct.parameters


def test_clients_share_a_server_by_transactions(pooler):
	with pooler.login() as one, pooler.login() as two:
		assert pid(one) == pid(two)
		one.ask(query("BEGIN"))
		two.send(query("SELECT pg_backend_pid()"))
		pooler.wait_waiting(1)
		taken = pid(one)
		one.ask(query("COMMIT"))
		assert rows(two.until("Z")) == [(taken,)]


def test_parameters_follow_their_client(pooler, cluster):
	names = {"TimeZone": ("Asia/Tokyo", "Europe/Rome"), "application_name": ("one", "two"), "DateStyle": ("SQL, DMY", "German, DMY"),
		"client_encoding": ("LATIN1", "UTF8"), "standard_conforming_strings": ("off", "on")}
	if cluster.major >= 14:
		names["default_transaction_read_only"] = ("on", "off")
	if cluster.major >= 18:
		names["search_path"] = ("pg_catalog", "public")
	with pooler.login() as one, pooler.login() as two:
		for name, values in names.items():
			for w, value in zip((one, two), values):
				assert types(w.ask(query(f"SET {name} TO {value}" if "," in value else f"SET {name} TO '{value}'"))).replace("S", "") == "CZ"
		for _ in range(2):
			assert pid(one) == pid(two)
			for at, w in enumerate((one, two)):
				assert {name: w.value(f"SHOW {name}") for name in names} == {name: values[at] for name, values in names.items()}


def test_prepared_statements_follow_their_client(pooler):
	with pooler.login() as one, pooler.login() as two:
		assert types(one.ask(parse("SELECT 'one', $1::int", "s"), describe("S", "s"), sync())) == "1tTZ"
		assert types(two.ask(parse("SELECT 'two', $1::int", "s"), sync())) == "1Z"
		for w, name in ((one, "one"), (two, "two"), (one, "one")):
			assert rows(w.ask(bind(7, name="s"), execute(), sync())) == [(name, "7")]
		for name in ("one", "two"):
			assert types(one.ask(close("S", "s"), parse(f"SELECT '{name}'", "s"), bind(name="s"), execute(), sync())) == "312DCZ"


@pytest.mark.pgweir
def test_a_statement_that_does_not_exist_is_told_as_a_server_does(pooler):
	with pooler.login() as w:
		said = w.ask(bind(name="unknown"), execute(), sync())
		assert (types(said), said[0].code) == ("EZ", "26000")


@pytest.mark.pgweir
def test_a_statement_whose_result_changed_works_when_it_is_tried_again(pooler):
	with pooler.login() as w:
		w.ask(query("DROP TABLE IF EXISTS changed; CREATE TABLE changed (a int); INSERT INTO changed VALUES (1)"))
		assert rows(w.ask(parse("SELECT * FROM changed", "s"), bind(name="s"), execute(), sync())) == [("1",)]
		w.ask(query("ALTER TABLE changed ADD b int DEFAULT 2"))
		answers = [w.ask(bind(name="s"), execute(), sync()) for _ in range(2)]
		assert rows(answers[1]) == [("1", "2")]
		w.ask(query("DROP TABLE changed"))


@pytest.mark.parametrize("version", [3 << 16, PROTOCOL_3_2], ids=["3.0", "3.2"])
def test_cancel_ends_the_query_that_is_meant(pooler, cluster, version):
	with pooler.wire() as w, pooler.login("other", "app") as other:
		w.begin("app", version=version).finish_login("app", "app")
		w.send(query("SELECT pg_sleep(60)"))
		other.send(query("SELECT pg_sleep(0.5), 'untouched'"))
		until(lambda: cluster.backends("state = 'active' AND query = 'SELECT pg_sleep(60)'"), what="the query runs")
		cancel(pooler.port, w.key)
		answers = w.until("Z")
		assert (types(answers), answers[1].code) == ("TEZ", "57014")
		assert rows(other.until("Z")) == [("", "untouched")]
		assert w.value("SELECT 'goes on'") == "goes on"


def test_copy_in_and_out_and_its_failures(pooler):
	with pooler.login() as w:
		w.ask(query("DROP TABLE IF EXISTS copied; CREATE TABLE copied (n int)"))
		assert types(w.ask(query("COPY copied FROM STDIN"), copy_data(b"1\n2\n"), copy_data(b"3\n"), copy_done())) == "GCZ"
		out = w.ask(query("COPY copied TO STDOUT"))
		assert (types(out), [m.body for m in out if m.type == "d"]) == ("HdddcCZ", [b"1\n", b"2\n", b"3\n"])
		given_up = w.ask(query("COPY copied FROM STDIN"), copy_data(b"4\n"), copy_fail("no more"))
		assert (types(given_up), given_up[1].code) == ("GEZ", "57014")
		broken = w.ask(query("COPY copied FROM STDIN"), copy_data(b"five\n"), copy_done())
		assert (types(broken), broken[1].code) == ("GEZ", "22P02")
		extended = w.ask(parse("COPY copied FROM STDIN"), bind(), execute(), copy_data(b"6\n"), copy_done(), sync())
		assert types(extended) == "12GCZ"
		assert w.value("SELECT sum(n) FROM copied") == "12"
		w.ask(query("DROP TABLE copied"))


def test_errors_read_the_same_as_without_a_pooler(pooler, cluster):
	with Wire(cluster.port) as direct, pooler.login() as w:
		direct.login("app", "app", "app")
		for sent in ([query("SELECT 1/0")], [query("SELECT nowhere")], [query("SELECT 1; SELECT 'x'::int; SELECT 2")],
				[parse("SELECT $1::int"), bind("x"), execute(), sync()], [query("BEGIN; SELECT 1/0"), query("SELECT 1"), query("ROLLBACK")],
				[query("DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'P4242', DETAIL = 'a', HINT = 'b', TABLE = 'c'; END $$")]):
			for at in (direct, w):
				at.send(*sent)
			count = sum(part[:1] in b"QS" for part in sent)
			assert [w.until("Z") for _ in range(count)] == [direct.until("Z") for _ in range(count)]


@pytest.fixture(scope="module")
def authority(folder, cluster):
	"""The server has a certificate of its own from it."""
	made = Authority(folder, cluster.who, f"authority{cluster.major}")
	turn_tls_on(cluster, made.sign("server", "localhost", "DNS:localhost,IP:127.0.0.1"))
	return made


def check_tls(pooler, cluster):
	with pooler.login() as w:
		assert w.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"
		assert w.value("SELECT length(repeat('x', 100000))") == "100000"


@pytest.mark.pgweir
def test_servers_speak_tls(start_pooler, cluster, authority):
	tls = {"server_tls_sslmode": "verify-full", "server_tls_ca_file": authority.cert}
	check_tls(start_pooler(**tls), cluster)
	if cluster.major >= 17:
		check_tls(start_pooler(**tls, server_tls_negotiation="direct"), cluster)


def refused(pooler):
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login("app", "app")
	return caught.value.message


@pytest.mark.pgweir
def test_a_refusal_is_told_with_the_line_that_ends_it(start_pooler, cluster, hba):
	hba(ONLY_TESTS)
	pooler = start_pooler(server_tls_sslmode="disable", server_down_wait=60)
	said = refused(pooler)
	assert said.code == "28000" and said.text.startswith('no pg_hba.conf entry for host "127.0.0.1", user "app", database "app"')
	line = next(line for line in said.fields["H"].split("\n") if line.startswith("host "))
	hba(ONLY_TESTS + line + "\n")
	until(lambda: is_served(pooler), 20, "service is back")


@pytest.mark.pgweir
def test_a_restart_is_survived(start_pooler, cluster):
	"""Whoever is in a transaction is told; who is not does not notice."""
	pooler = start_pooler(default_pool_size=2, server_down_wait=60)
	with pooler.login() as idle, pooler.login() as busy:
		before = pid(idle)
		busy.ask(query("BEGIN"))
		cluster.restart()
		said, _ = query_error(busy)
		assert (said.severity, said.code) == ("FATAL", "57P01")
		assert pid(idle) != before
