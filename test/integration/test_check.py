"""`pgweir check`: what it finds without and with servers, what it says, and how it ends."""

import os
import pwd
import re
import signal

import psycopg2
import pytest

from checking import Checker
from cluster import HBA
from gate import Gate
from waiting import Stopwatch, until

pytestmark = pytest.mark.pgweir


@pytest.fixture
def checker(cluster, folder):
	made = []

	def make(**options):
		made.append(Checker(cluster, folder, **options))
		return made[-1]

	yield make
	for one in made:
		one.discard()


def only(findings, **members):
	found = findings.of(**members)
	assert len(found) == 1, findings.out
	return found[0]


# A configuration in which nothing is wrong.


def test_a_good_configuration_is_fine_step_by_step(checker, cluster):
	found = checker(databases={"app": "HERE connect_query='SELECT 1'"}).run("--json")
	assert found.status == 0, found.out
	assert found.json()["status"] == "ok"
	steps = [f["step"] for f in found.of("ok", database="app", user="app")]
	assert steps == ["connect", "authenticate", "session", "server", "max_connections", "connect_query",
		"server_reset_query", "server_check_query"]
	for step in ("connect", "authenticate"):
		assert only(found, step=step)["time_ms"] > 0
	assert only(found, step="connect")["what"] == f"127.0.0.1, port {cluster.port}"


def test_text_has_marks_for_the_terminal_it_meets(checker):
	c = checker()
	utf8 = c.run(LC_ALL="C.UTF-8").out
	ascii_only = c.run(LC_ALL="C").out
	assert "  ✓ authenticate: as \"app\" (" in utf8
	assert "  ok   authenticate: as \"app\" (" in ascii_only
	assert ascii_only.isascii()
	assert re.search(r"^fine \(\d+\.\d s\)$", utf8.splitlines()[-1])


def test_quick_says_one_line_and_asks_the_server_nothing(checker, cluster):
	c = checker(secrets={"app": "app", "nobody_at_all": "x"}, query_wait_timeout=0)
	found = c.run("--quick")
	assert (found.status, found.err) == (0, "")
	assert re.fullmatch(r"would serve, with 1 warning \(\d+\.\d s\)\n", found.out)
	c = checker()
	found = c.run("--quick")
	assert re.fullmatch(r"fine \(\d+\.\d s\)\n", found.out)
	assert not [f for f in c.run("--quick", "--json").json()["findings"] if f["step"] == "server"]


def test_a_url_is_checked_and_its_password_never_shown(checker, cluster):
	c = checker()
	found = c.run("--json", source=f"postgres://app:app@127.0.0.1:{cluster.port}/app")
	assert found.status == 0, found.out
	wrong = c.run(source=f"postgres://app:very-secret@127.0.0.1:{cluster.port}/app")
	assert wrong.status == 1
	assert "very-secret" not in wrong.out + wrong.err
	assert found.json()["source"] == "URL"


def test_nothing_is_left_behind(checker, cluster):
	before = cluster.backends()
	c = checker(logfile="made.log", pidfile="made.pid", databases={"app": "HERE min_pool_size=5"})
	assert c.run().status == 0
	assert sorted(os.listdir(c.folder)) == ["pooler.ini", "userlist.txt"]
	until(lambda: cluster.backends() == before, what="its connections are gone")


# Wrong use.


@pytest.mark.parametrize("arguments", [[], ["a.ini", "b.ini"], ["--nope", "a.ini"], ["--database"]])
def test_wrong_use_is_status_3(checker, arguments):
	found = checker().run_with(*arguments)
	assert (found.status, found.out) == (3, "")
	assert "check --help" in found.err


def test_help_is_printed_and_fine(checker):
	found = checker().run_with("--help")
	assert (found.status, found.err) == (0, "")
	assert "Exit status" in found.out


# Without servers.


def test_every_wrong_line_is_named_with_file_and_line(checker):
	c = checker()
	c.write("[databases]\na = hots=x\n[pgbouncer]\nmax_clent_conn = 5\npool_mode = foo\n[nonsense]\nx = y\n")
	found = c.run("--json")
	assert found.status == 1
	lines = [int(re.search(r"pooler\.ini:(\d+)", f["what"]).group(1)) for f in found.of("error", step="syntax")]
	assert lines == [2, 4, 5, 6]
	assert "max_client_conn" in found.of(step="syntax")[1]["hint"]


def test_a_wrong_line_of_the_user_list_is_named(checker):
	c = checker()
	c._write(c.userlist, '"app" "app"\n"broken\n')
	found = c.run("--json")
	assert found.status == 1
	assert "userlist.txt:2" in only(found, step="syntax")["what"]


@pytest.mark.parametrize("settings, status, text", [
	({"listen_addr": ""}, 1, "nowhere to listen on"),
	({"max_client_conn": 0}, 1, "max_client_conn is 0"),
	({"query_wait_timeout": 0}, 2, "query_wait_timeout is 0"),
	({"server_connect_timeout": 0}, 2, "server_connect_timeout is 0"),
	({"server_down_wait": 200}, 2, "is not below query_wait_timeout"),
	({"min_pool_size": 30}, 2, "min_pool_size (30)"),
	({"reserve_pool_size": 2, "reserve_pool_timeout": 0}, 2, "is never used: reserve_pool_timeout is 0"),
	({"max_db_connections": 5}, 2, "is never reached: max_db_connections is 5"),
	({"admin_users": "app, boss"}, 2, "admin_users names \"boss\""),
	({"stats_users": "looker"}, 2, "stats_users names \"looker\""),
	({"listen_addr": "203.0.113.77"}, 1, "cannot listen on \"203.0.113.77\""),
	({"listen_addr": "127.0.0.1, 203.0.113.77"}, 2, "cannot listen on \"203.0.113.77\""),
	({"listen_addr": "nowhere.invalid"}, 1, "listen_addr \"nowhere.invalid\" cannot be found"),
	({"unix_socket_dir": "/nowhere"}, 1, "no Unix socket can be made in unix_socket_dir \"/nowhere\""),
	({"unix_socket_dir": "/nowhere", "listen_addr": ""}, 1, "no Unix socket can be made"),
	({"logfile": "/nowhere/log"}, 1, "logfile \"/nowhere/log\" cannot be created by account"),
	({"pidfile": "/nowhere/pid"}, 1, "pidfile \"/nowhere/pid\" cannot be created by account"),
	({"auth_file": "/nowhere/users"}, 1, "no user can log in: auth_file names none"),
	({"auth_file": "/nowhere/users"}, 1, "auth_file \"/nowhere/users\" cannot be found"),
	({"auth_file": None}, 1, "no user can log in: auth_file is not set"),
	({"max_client_conn": 2000000000}, 2, "files may be open"),
])
def test_each_fault_of_the_settings_is_found(checker, settings, status, text):
	found = checker(**settings).run()
	assert text in found.out
	assert found.status == status, found.out


def test_files_with_secrets_must_be_closed_to_others(checker):
	c = checker(databases={"app": "HERE user=app password=app"})
	os.chmod(c.ini, 0o644)
	os.chmod(c.userlist, 0o666)
	found = c.run("--json")
	assert found.status == 2
	ini, users = found.of("warning", step="files")
	assert "can be read by others" in ini["what"] and ini["hint"] == f"chmod 640 {c.ini}"
	assert "can be read and changed by others" in users["what"]


def test_secrets_that_cannot_prove_anything_are_warnings(checker):
	md5 = "md5" + 32 * "a"
	c = checker(secrets={"app": "app", "old": md5, "empty": ""})
	texts = [f["what"] for f in c.run("--json").of("warning", step="secrets")]
	assert texts == ['user "old" cannot log in by scram-sha-256: an MD5 hash is stored',
		'user "empty" cannot log in by scram-sha-256: the stored secret is empty']
	c.settings["auth_type"] = "md5"
	c.write()
	assert len(c.run("--json").of("warning", step="secrets")) == 1


def test_a_running_pooler_is_no_fault(start_pooler, checker):
	pooler = start_pooler()
	found = checker(listen_port=pooler.port).run("--json")
	assert found.status == 0, found.out
	assert "is in use" in only(found, step="addresses", severity="note")["what"]


# With servers.


def test_pg_hba_rejects_and_the_line_to_paste_is_printed_and_right(checker, cluster, hba):
	hba("local all all trust\n")
	c = checker()
	found = c.run("--json")
	assert found.status == 1
	fault = only(found, severity="error")
	assert fault["step"] == "authenticate" and "no pg_hba.conf entry" in fault["what"]
	line = re.search(r"host +app +app +127\.0\.0\.1/32 +scram-sha-256", fault["hint"]).group()
	hba("local all all trust\n" + line + "\n")
	assert c.run().status == 0


def test_the_rule_that_decides_is_named(checker, cluster, hba):
	cluster.sql("CREATE ROLE seer LOGIN SUPERUSER PASSWORD 'seer'")
	try:
		hba("local all all trust\nhost all app 127.0.0.1/32 reject\n" + HBA)
		found = checker(secrets={"app": "app", "seer": "seer"}).run("--json")
		rule = only(found, step="pg_hba", severity="note")
		assert rule["what"] == ("line 2 decides for database \"app\", user \"app\": host all app 127.0.0.1 255.255.255.255 reject")
		assert "before line 2" in rule["hint"]
		assert "user \"seer\": host all all 127.0.0.1" in only(found, step="pg_hba", severity="ok")["what"]
		# one user of the database gets in, another does not
		assert found.status == 2
		assert only(found, severity="warning")["step"] == "authenticate"
	finally:
		cluster.sql("DROP ROLE seer")


def test_without_the_right_to_look_it_is_a_note(checker):
	found = checker().run("--json")
	assert only(found, step="pg_hba")["severity"] == "note"
	assert "not allowed to look" in only(found, step="pg_hba")["what"]


def test_a_wrong_password_is_found_and_not_shown(checker):
	c = checker(secrets={"app": "not-the-password"})
	found = c.run("--json")
	assert found.status == 1
	fault = only(found, severity="error")
	assert fault["step"] == "authenticate"
	assert "password authentication failed" in fault["what"] and c.userlist in fault["hint"]
	assert "not-the-password" not in found.out


def test_a_missing_database_is_found_behind_the_login(checker):
	found = checker(databases={"app": "HERE dbname=nowhere"}).run("--json")
	assert found.status == 1
	assert only(found, severity="error")["what"] == 'database "nowhere" does not exist'
	assert only(found, severity="error")["step"] == "session"
	assert only(found, step="authenticate")["severity"] == "ok"


def test_a_refused_connection_is_found_and_the_other_users_are_spared(checker, gate):
	gate.refused()
	found = checker(databases={"app": f"host=127.0.0.1 port={gate.port}"}, secrets={"app": "app", "other": "other"}).run("--json")
	assert found.status == 1
	fault = only(found, severity="error")
	assert fault["step"] == "connect" and "refused" in fault["what"]
	assert "nobody else was tried: 1 users" in found.out


def test_an_unknown_name_is_found_while_resolving(checker):
	found = checker(databases={"app": "host=nowhere.invalid"}).run("--json")
	assert found.status == 1
	assert only(found, severity="error")["step"] == "resolve"
	assert "nowhere.invalid" in only(found, severity="error")["what"]


@pytest.mark.parametrize("mode, step", [("silent", "connect"), ("dropped", "connect")])
def test_a_silent_port_is_found_when_its_time_is_up(checker, gate, mode, step):
	getattr(gate, mode)()
	found = checker(databases={"app": f"host=127.0.0.1 port={gate.port}"}, secrets={"app": "app", "other": "other"},
		server_connect_timeout=2).run("--json")
	assert found.status == 1
	fault = only(found, severity="error")
	assert "timed out" in fault["what"] and fault["step"] == step
	assert fault["time_ms"] > 1900
	assert "nobody else was tried: 1 users" in found.out


def test_twenty_dead_databases_are_tried_side_by_side(checker, gate):
	gates = [Gate(1) for _ in range(20)]
	try:
		for one in gates:
			one.silent()
		c = checker(databases={f"dead{i}": f"host=127.0.0.1 port={one.port}" for i, one in enumerate(gates)},
			server_connect_timeout=5)
		with Stopwatch() as watch:
			found = c.run("--json")
		assert len(found.of("error")) == 20
		# one after the other: 100 s
		assert watch.seconds < 50
	finally:
		for one in gates:
			one.close()


def test_later_databases_behind_a_dead_address_hear_of_it_from_the_first(checker, gate):
	gate.dropped()
	names = [f"dead{i}" for i in range(40)]
	c = checker(databases={name: f"host=127.0.0.1 port={gate.port}" for name in names}, server_connect_timeout=2)
	found = c.run("--json")
	assert sorted(f["database"] for f in found.of("error")) == sorted(names)
	assert all("timed out" in f["what"] for f in found.of("error"))


def test_a_host_must_have_the_role_that_is_asked_for(checker, cluster):
	c = checker(databases={"app": "HERE target_session_attrs=read-write"})
	assert c.run().status == 0
	c = checker(databases={"app": "HERE target_session_attrs=standby"})
	found = c.run("--json")
	assert 'no host of "127.0.0.1" is a standby' in only(found, severity="error")["what"]


def test_a_second_host_makes_a_warning_of_the_first(checker, gate, cluster):
	gate.refused()
	c = checker(databases={"app": f"host=127.0.0.1,/nowhere port={cluster.port} load_balance_hosts=disable"})
	assert c.run().status == 0
	c = checker(databases={"app": f"host=/nowhere,127.0.0.1 port={cluster.port} load_balance_hosts=disable"})
	found = c.run("--json")
	assert found.status == 2, found.out
	assert "No such file" in only(found, severity="warning")["what"]


def test_users_of_the_console_may_be_strangers_to_the_server(checker):
	found = checker(secrets={"app": "app", "boss": "x"}, admin_users="boss").run("--json")
	assert found.status == 0, found.out
	assert only(found, user="boss", step="authenticate")["severity"] == "note"


def test_a_verifier_needs_a_client_and_is_no_fault(checker, cluster):
	verifier = cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
	found = checker(secrets={"app": verifier}).run("--json")
	assert found.status == 0, found.out
	assert "only a client's own login" in only(found, user="app", step="authenticate")["what"]
	assert verifier not in found.out


def test_the_template_needs_a_name(checker):
	c = checker(databases={"*": "HERE"})
	assert "--database=NAME" in only(c.run("--json"), step="connect")["hint"]
	assert not c.run("--json").of("ok", step="session")
	assert only(c.run("--json", "--database=second"), step="session")["what"] == 'database "second" is ready'
	assert c.run("--database=missing").status == 1


def test_pools_beyond_the_servers_connections_are_a_warning(checker):
	found = checker(databases={"app": "HERE pool_size=100", "second": "HERE pool_size=100"}).run("--json")
	assert found.status == 2
	fault = only(found, severity="warning")
	assert fault["what"] == "the pools may come to 200 connections, the server has 145"
	assert "max_connections is 150, of which 5 are reserved" in fault["detail"]


def test_a_roles_limit_and_expiry_are_warnings(checker, cluster):
	cluster.sql("CREATE ROLE short LOGIN PASSWORD 'short' CONNECTION LIMIT 3 VALID UNTIL 'tomorrow'")
	try:
		texts = [f["what"] for f in checker(secrets={"short": "short"}).run("--json").of("warning", step="role")]
		assert texts[0].startswith('the password of role "short" expires at ')
		assert texts[1] == 'role "short" may have 3 connections, a pool of it up to 20'
	finally:
		cluster.sql("DROP ROLE short")


def test_queries_that_fail_are_warnings_and_one_that_writes_is_not_run(checker, cluster):
	c = checker(databases={"app": "HERE connect_query='SELECT nonsense'"}, server_check_query="SELECT 1")
	found = c.run("--json")
	assert found.status == 2
	assert "connect_query fails: column \"nonsense\" does not exist" == only(found, severity="warning")["what"]
	c = checker(databases={"app": "HERE"}, server_check_query="CREATE TABLE left_behind ()")
	assert "it writes" in only(c.run("--json"), step="server_check_query")["what"]
	with pytest.raises(psycopg2.errors.UndefinedTable):
		cluster.sql("SELECT FROM left_behind", database="app")


def test_a_reset_query_that_fails_is_a_warning_where_it_runs(checker):
	c = checker(databases={"app": "HERE pool_mode=session", "second": "HERE pool_mode=transaction"}, server_reset_query="DISCARD EVERYTHING")
	found = c.run("--json")
	assert found.status == 2
	assert only(found, severity="warning")["database"] == "app"
	assert "server_reset_query fails: syntax error" in only(found, severity="warning")["what"]


def test_limits_of_connections_hold_while_checking(checker, cluster):
	secrets = {"app": "app", "other": "other", "third": "third"}
	found = checker(secrets=secrets, max_db_connections=1, default_pool_size=1).run("--json")
	assert found.status == 0, found.out
	assert len(found.of("ok", step="session")) == 3
	databases = {f"app{i}": "HERE dbname=app" for i in range(10)}
	found = checker(databases=databases, max_user_connections=1, default_pool_size=1).run("--json")
	assert found.status == 0, found.out
	assert len(found.of("ok", step="session")) == 10


def test_limits_of_clients_do_not_keep_it_from_checking(checker):
	c = checker(secrets={"app": "app", "other": "other", "third": "third"}, max_db_client_connections=1)
	found = c.run("--json")
	assert found.status == 0, found.out
	assert len(found.of("ok", step="session")) == 3


# The end.


def test_an_interrupt_ends_it_with_what_it_has_found(checker, gate, cluster):
	gate.silent()
	c = checker(databases={"app": "HERE", "dead": f"host=127.0.0.1 port={gate.port}"}, server_connect_timeout=60)
	process = c.start(LC_ALL="C")
	until(lambda: gate.attempts > 0, what="it tries the silent one")
	process.send_signal(signal.SIGINT)
	with Stopwatch() as watch:
		out, _ = process.communicate(timeout=50)
	assert process.returncode == 130
	assert "the check was interrupted" in out and "not checked" in out
	assert watch.seconds < 30


def test_progress_is_shown_to_a_terminal_only(checker, gate):
	gate.silent()
	c = checker(databases={"dead": f"host=127.0.0.1 port={gate.port}"}, server_connect_timeout=3)
	assert "waiting for" not in c.run().err
	master, slave = os.openpty()
	process = c.start(stderr=slave)
	os.close(slave)
	shown = b""
	while b"waiting for \"dead\"" not in shown:
		shown += os.read(master, 1000)
	process.communicate(timeout=60)
	os.close(master)


def test_the_account_that_will_serve_is_taken(checker):
	c = checker()
	assert "no such account" in only(c.run("--json", "--user=nowhere_man"), step="account")["what"]
	assert c.run(f"--user={c.who.pw_name}").status == 0
	if os.getuid() == 0:
		who, c.who = c.who, pwd.getpwuid(0)
		found = c.run("--json")
		assert found.status == 1
		assert "does not run as root" in only(found, step="account")["what"]
		assert c.run(f"--user={who.pw_name}").status == 0


def test_what_a_file_of_pgbouncer_gets_otherwise_is_a_note_and_no_warning(checker):
	old = checker(query_wait_timeout=60, server_login_retry=30, dns_max_ttl=60, sbuf_loopcnt=2, suspend_timeout=5, server_tls_sslmode="disable")
	found = old.run("--json")
	notes = [f["what"].split()[0] for f in found.of(severity="note", step="PgBouncer")]
	assert notes == ["query_wait_timeout", "server_login_retry", "dns_max_ttl", "sbuf_loopcnt"]
	assert "parameter suspend_timeout has no effect" in found.out
	# and who wants PgBouncer's way has what to write
	hints = {f["hint"] for f in found.of(severity="note", step="PgBouncer")} - {None}
	assert all("server_down_wait = 0" in hint for hint in hints) and len(hints) == 2
	plain = checker(server_tls_sslmode="disable").run("--json")
	assert plain.of(step="PgBouncer") == [] and plain.status == found.status
