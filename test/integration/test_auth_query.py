"""
auth_query: users who are not in the user list are looked up on a server, by a connection that is nobody else's, for each login.
What goes wrong there is told to strangers as a number only; the log and SHOW ERRORS have the rest.
"""

import re
import signal
import struct

import pytest

from checking import Checker
from conftest import THREADS
from gate import Gate
from pooler import Pooler, pgbouncer
from told import first_client, is_served
from waiting import Stopwatch, until
from wire import Closed, ServerError, Wire, md5_secret, message, types

pytestmark = pytest.mark.pgweir

UNLISTED = dict.fromkeys(["app", "other", "third", "free_user", "plain_user", "md5_user"]) # not in the user list
QUERY = "SELECT name, secret FROM asked.secrets WHERE name = $1"
OK, READY = message("R", bytes(4)), message("Z", b"I")
COLUMNS = message("T", struct.pack("!h", 2) + 2 * (b"c\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)))
BEGINS = message("1") + message("2") + COLUMNS
ENDS = message("C", b"SELECT 1\0") + READY


def data_row(*values):
	return message("D", struct.pack("!h", len(values)) + b"".join(struct.pack("!i", len(v)) + v for v in values))


@pytest.fixture(scope="module", autouse=True)
def prepared(cluster):
	"""The user who asks, what it may read, and a lookup that a test can hold up."""
	cluster.sql("CREATE ROLE asker LOGIN PASSWORD 'asker'")
	for statement in (
			"CREATE SCHEMA asked",
			"CREATE TABLE asked.secrets(name text, secret text)",
			"GRANT USAGE ON SCHEMA asked TO asker",
			"GRANT SELECT ON asked.secrets TO asker",
			"CREATE FUNCTION asked.secret_of(text) RETURNS TABLE(name text, secret text) LANGUAGE sql SECURITY DEFINER AS "
			"'SELECT rolname::text, rolpassword FROM pg_authid WHERE rolname = $1'",
			"CREATE FUNCTION asked.held(text) RETURNS TABLE(name text, secret text) LANGUAGE plpgsql AS "
			"'BEGIN PERFORM pg_advisory_lock_shared(4711); PERFORM pg_advisory_unlock_shared(4711); "
			"RETURN QUERY SELECT $1, $1; END'"):
		cluster.sql(statement, database="app")
	yield
	cluster.end_sessions()
	cluster.sql("DROP SCHEMA asked CASCADE", database="app")
	cluster.sql("DROP ROLE asker")


@pytest.fixture
def secrets(cluster):
	"""secrets(name=secret) puts them into the table."""
	def put(**values):
		for name, secret in values.items():
			cluster.sql("DELETE FROM asked.secrets WHERE name = %s", name, database="app")
			cluster.sql("INSERT INTO asked.secrets VALUES (%s, %s)", name, secret, database="app")

	yield put
	cluster.sql("TRUNCATE asked.secrets", database="app")


@pytest.fixture
def asking(start_pooler):
	"""A pooler that asks as user asker in the client's own database."""
	def start(**options):
		given = dict({"auth_type": "scram-sha-256", "auth_user": "asker", "auth_query": QUERY}, **options)
		given["secrets"] = {"asker": "asker", **UNLISTED, **given.get("secrets", {})}
		return start_pooler(**given)

	return start


class Lock:
	"""Holds up what asked.held() is asked, until the end of the block or release()."""

	def __init__(self, cluster):
		self.conn = cluster.connect("app")

	def __enter__(self):
		with self.conn.cursor() as cursor:
			cursor.execute("SELECT pg_advisory_lock(4711)")
		return self

	def release(self):
		self.conn.close()

	def __exit__(self, *_):
		self.release()


def verifier(cluster, user):
	return cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = %s", user)


def held(cluster, n):
	until(lambda: cluster.value("SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'asker' AND state = 'active' "
		"AND wait_event = 'advisory'") == n, 20, f"{n} lookups are held up")


def incident(m):
	"""The one number that a stranger is told; the rest is general."""
	assert m.fields["H"] == "The pooler's log, and SHOW ERRORS on its console, have the reason under this number."
	return re.fullmatch(r"Incident ([0-9a-f]{8})\.", m.fields["D"]).group(1)


def errors_of(pooler, number):
	return [row for row in pooler.console("SHOW ERRORS") if row["incident"] == number]


# Who gets in

@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("auth_type", ["plain", "md5", "scram-sha-256", "trust"])
def test_secret_that_was_found_serves_here_and_at_the_server(asking, cluster, secrets, threads, auth_type):
	secrets(other="other", md5_user=md5_secret("md5_user", "md5"))
	pooler = asking(auth_type=auth_type, threads=threads)
	with pooler.login("other") as w:
		assert w.value("SELECT current_user") == "other"
	if auth_type != "scram-sha-256":
		with pooler.login("md5_user") as w:
			assert w.value("SELECT current_user") == "md5_user"
	if auth_type != "trust":
		assert not is_served(pooler, "other", password="wrong")
	assert not is_served(pooler, "free_user")
	assert pooler.serves("other")


@pytest.mark.parametrize("threads", THREADS)
def test_verifier_from_pg_authid_is_passed_through_to_the_server(asking, cluster, threads):
	pooler = asking(auth_query="SELECT name, secret FROM asked.secret_of($1)", threads=threads)
	for _ in range(2):
		with pooler.login("app") as w:
			assert w.value("SELECT current_user") == "app"
		pooler.console("RECONNECT")
	assert not is_served(pooler, "app", password="wrong")


def test_verifier_cannot_serve_for_a_forced_user(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.secret_of($1)", databases={"app": "HERE user=third"},
		secrets={"third": verifier(cluster, "third")})
	m, _ = first_client(pooler)
	assert m.text == "server login failed: wrong password type"
	assert "user=" in m.fields["H"]


def test_missing_user_cannot_be_told_from_a_wrong_password(asking, secrets, cluster):
	secrets(app=verifier(cluster, "app"))
	pooler = asking()

	def story(user):
		with pooler.wire() as w:
			with pytest.raises(ServerError):
				w.login(user, "app", "wrong")
			return [(m.type, len(m.body) if m.type == "R" else m.body) for m in w.greeting]

	assert story("app") == story("nobody")
	pooler.wait_log("no such user: nobody")


def test_user_without_a_password_does_not_get_in(asking, secrets):
	secrets(other=None, third="")
	pooler = asking(auth_type="plain")
	for user in ("other", "third"):
		for password in ("", "x"):
			assert not is_served(pooler, user, password=password)


@pytest.mark.parametrize("until_when,gets_in", [("infinity", True), ("2100-01-01", True), ("2000-01-01", False)])
def test_default_query_keeps_those_out_whose_password_has_expired(asking, cluster, until_when, gets_in):
	pooler = asking(auth_user="postgres", auth_query=None)
	cluster.sql(f"ALTER ROLE third VALID UNTIL '{until_when}'")
	try:
		assert is_served(pooler, "third") == gets_in
	finally:
		cluster.sql("ALTER ROLE third VALID UNTIL 'infinity'")


def test_default_query_keeps_those_out_who_may_not_log_in(asking, cluster):
	pooler = asking(auth_user="postgres", auth_query=None)
	cluster.sql("ALTER ROLE third NOLOGIN")
	try:
		m, _ = first_client(pooler, "third")
		assert m.text == "SASL authentication failed"
	finally:
		cluster.sql("ALTER ROLE third LOGIN")


def test_whom_the_query_names_is_who_it_is(asking):
	pooler = asking(auth_type="plain", auth_query="SELECT 'other', 'other' WHERE $1 = 'somebody'")
	with pooler.login("somebody", "app", "other") as w:
		assert w.value("SELECT current_user") == "other"
		assert "other" in {row["user"] for row in pooler.console("SHOW CLIENTS")}


def test_user_of_the_list_is_not_looked_up(asking, cluster):
	pooler = asking(auth_query="SELECT no such query", secrets={"app": "app", "free_user": ""})
	assert pooler.serves("app")
	m, _ = first_client(pooler, "free_user")
	assert m.text == "SASL authentication failed"
	assert cluster.backends("usename = 'asker'") == 0


@pytest.mark.parametrize("name", ["O'Brien", 'quote " and \\', "; DROP TABLE asked.secrets; --", "$1", "%s", "é" * 31, "x" * 63, "名前",
	"tab\tand\nline"])
def test_name_is_a_parameter_and_nothing_else(asking, cluster, name):
	pooler = asking(auth_type="plain", auth_query="SELECT $1::text, 'of ' || $1::text", databases={"app": "HERE user=app"},
		secrets={"app": "app"})
	with pooler.login(name, "app", "of " + name) as w:
		assert w.value("SELECT 1") == "1"
		assert name in {row["user"] for row in pooler.console("SHOW CLIENTS")}
	assert not is_served(pooler, name, password="of another")
	assert cluster.value("SELECT count(*)::int FROM asked.secrets", database="app") == 0


def test_nothing_else_that_a_client_says_reaches_that_session(asking):
	pooler = asking(auth_type="plain", databases={"app": "HERE user=app"}, secrets={"app": "app"}, ignore_startup_parameters="search_path",
		auth_query="SELECT $1::text, concat_ws(' ', current_setting('application_name'), current_setting('search_path'), current_setting('TimeZone'))")
	plain = pooler.cluster.value("SELECT concat_ws(' ', '', current_setting('search_path'), current_setting('TimeZone'))")
	with pooler.wire() as w:
		w.login("x", "app", plain, application_name="evil", TimeZone="Asia/Tokyo", search_path="evil", options="-c DateStyle=German")


def test_password_of_the_databases_line_is_auth_users_if_it_is_the_same_user(asking, secrets):
	secrets(other="other")
	pooler = asking(databases={"app": "HERE user=asker password=asker"}, secrets={"asker": None})
	with pooler.login("other") as w:
		assert w.value("SELECT current_user") == "asker"


def test_auth_user_who_is_not_listed_asks_for_nobody_else(asking, cluster):
	pooler = asking(secrets={"asker": None})
	m, seconds = first_client(pooler, "asker")
	assert m.text == "bouncer config error" and seconds < 10
	text = errors_of(pooler, incident(m))[0]["text"]
	assert 'none is known for user "asker"' in text
	assert "This user is auth_user: it runs auth_query" in pooler.log()


# Where it runs

def test_each_database_may_have_its_own(asking, secrets):
	secrets(other="other")
	query = QUERY.replace("WHERE", "where") # HERE would be replaced
	pooler = asking(auth_user=None, auth_query=None, databases={
		"app": f"HERE auth_user=asker auth_query='{query}'", "second": "HERE",
		"elsewhere": f"HERE dbname=second auth_user=asker auth_dbname=app auth_query='{query}'"})
	assert pooler.serves("other")
	assert pooler.serves("other", "elsewhere")
	assert not is_served(pooler, "other", "second")
	pools = {(row["database"], row["user"]) for row in pooler.console("SHOW POOLS")}
	assert ("app", "asker") in pools and ("elsewhere", "asker") not in pools


def test_databases_of_the_template_are_asked_themselves(asking, secrets):
	secrets(other="other")
	pooler = asking(databases={"*": "HERE"})
	assert pooler.serves("other")
	m, _ = first_client(pooler, "other", "no_such_database")
	assert (m.text, m.code) == ("bouncer config error", "3D000")
	until(lambda: "no_such_database" not in {row["database"] for row in pooler.console("SHOW POOLS")}, 20, "the pool is forgotten")


@pytest.mark.parametrize("name,text,logged", [
	("missing", "bouncer config error", 'authentication database "missing" is not configured'),
	("pgbouncer", "bouncer config error", 'cannot use the reserved "pgbouncer" database as an auth_dbname'),
	("second", 'authentication database "second" is disabled', None)])
def test_database_that_cannot_be_used_is_said(asking, name, text, logged):
	pooler = asking(databases={"app": f"HERE auth_dbname={name}", "second": "HERE"})
	pooler.console("DISABLE second")
	m, _ = first_client(pooler, "other")
	assert m.text == text and m.code == "08P01"
	if logged:
		assert logged in pooler.log()
		assert errors_of(pooler, incident(m))


def test_console_lets_in_whom_the_query_knows(asking, secrets):
	secrets(other="other", third="third")
	pooler = asking(auth_dbname="app", admin_users="admin, other")
	with pooler.login("other", "pgbouncer") as w:
		assert w.value("SHOW VERSION").startswith("PgBouncer")
	m, _ = first_client(pooler, "third", "pgbouncer")
	assert m.text == "not allowed"


def test_console_needs_auth_dbname(asking):
	pooler = asking(admin_users="admin, other")
	m, _ = first_client(pooler, "other", "pgbouncer")
	assert m.text == "bouncer config error"


# What goes wrong

@pytest.mark.parametrize("query,text,hint", [
	("SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1", "permission denied for table pg_authid",
		'GRANT SELECT ON pg_authid TO "asker"'),
	("SELECT a, b FROM asked.missing WHERE a = $1", 'relation "asked.missing" does not exist', "auth_dbname"),
	("SELECT * FROM asked.nothing_like($1)", "function asked.nothing_like(unknown) does not exist", "auth_dbname"),
	("SELECT a FROM", "syntax error at end of input", "Correct auth_query"),
	("SELECT 'a', 'b'", "bind message supplies 1 parameters", "exactly one parameter"),
	("SELECT $1::text", "it returns 1 column instead of 2", "two columns"),
	("SELECT $1::text, 2, 3", "it returns 3 columns instead of 2", "two columns"),
	("SELECT $1::text, 2, 3 WHERE false", "it returns 3 columns instead of 2", "two columns"),
	("SELECT $1::text, n::text FROM generate_series(1, 1000000) n", "it returns more than 10 rows", "one row"),
	("SET work_mem = 4", "bind message supplies 1 parameters", "exactly one parameter"),
	("SELECT repeat($1, 128), 'x'", "the name that it returned is longer than 127 bytes", "two columns"),
	("SELECT $1::text, repeat('x', 70000)", "sent too much", None),
	("SELECT $1::text, (1/length(substr($1, 2)))::text", "division by zero", None),
])
def test_fault_is_a_number_for_strangers_and_all_of_it_in_the_log(asking, query, text, hint):
	pooler = asking(auth_query=query)
	m, _ = first_client(pooler, "x", "app")
	assert (m.severity, m.code, m.text) == ("FATAL", "08P01", "bouncer config error")
	number = incident(m)
	row, = errors_of(pooler, number)
	assert text in row["text"] and (hint is None or hint in row["hint"])
	assert (row["database"], row["user"], row["class"][:10]) == ("app", "asker", "auth_query")
	log = pooler.log()
	assert text in log and number in log and f"auth_query: {query}" in log
	# many meet it: it is one incident, and the log speaks of it once
	for _ in range(20):
		again, _ = first_client(pooler, "x", "app")
		assert again.text == "bouncer config error"
	numbers = {row["incident"] for row in pooler.console("SHOW ERRORS") if row["class"].startswith("auth_query")}
	assert len(numbers) <= 2 # one on each thread
	assert sum(text in line for line in pooler.log().splitlines()) <= 4


def test_lookup_works_at_once_when_the_fault_is_repaired(asking, cluster, secrets):
	secrets(other="other")
	pooler = asking()
	cluster.sql("REVOKE SELECT ON asked.secrets FROM asker", database="app")
	try:
		m, _ = first_client(pooler, "other")
		assert m.text == "bouncer config error"
	finally:
		cluster.sql("GRANT SELECT ON asked.secrets TO asker", database="app")
	assert pooler.serves("other")


def test_auth_user_with_a_wrong_password_is_told_as_a_number(asking, cluster, secrets):
	secrets(other="other")
	pooler = asking(secrets={"asker": "wrong"})
	m, seconds = first_client(pooler, "other")
	assert (m.text, m.code) == ("bouncer config error", "28P01") and seconds < 10
	row, = errors_of(pooler, incident(m))
	assert row["class"] == "wrong_password" and "asker" in row["text"]
	pooler.secrets["asker"] = "asker"
	pooler.write()
	pooler.console("RELOAD")
	assert pooler.serves("other")


def test_unreachable_server_is_told_as_a_number_after_a_while_and_comes_back(asking, cluster, secrets):
	secrets(other="other")
	gate = Gate(cluster.port)
	try:
		gate.refused()
		pooler = asking(databases={"app": f"host=127.0.0.1 port={gate.port}"}, server_down_wait=1)
		m, seconds = first_client(pooler, "other")
		assert m.text == "server login has been failing, try again later (server_login_retry)"
		assert 0.5 < seconds < 15
		row, = errors_of(pooler, incident(m))
		assert row["class"] == "connection_refused"
		gate.open()
		until(lambda: is_served(pooler, "other"), 20, "service is back")
	finally:
		gate.close()


@pytest.mark.parametrize("threads", THREADS)
def test_idle_connection_that_died_is_replaced_without_a_word(asking, cluster, secrets, threads):
	secrets(other="other")
	pooler = asking(threads=threads)
	for _ in range(5):
		assert pooler.serves("other")
		cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'asker'")
	assert pooler.serves("other")


def test_server_that_ends_in_mid_lookup_is_told_as_a_number(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)")
	with Lock(cluster), pooler.wire() as w:
		w.begin("x", "app")
		held(cluster, 1)
		cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'asker'")
		m = w.ended()[-1]
		assert m.text == "bouncer config error"
		assert "terminating connection" in errors_of(pooler, incident(m))[0]["text"]


# Time

def test_changed_password_counts_at_the_next_login(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.secret_of($1)")
	assert pooler.serves("third")
	try:
		cluster.sql("ALTER ROLE third PASSWORD 'new'")
		assert not is_served(pooler, "third", password="third")
		assert is_served(pooler, "third", password="new")
		# and no server is left that knew the old one
		pooler.console("RECONNECT")
		assert is_served(pooler, "third", password="new")
	finally:
		cluster.sql("ALTER ROLE third PASSWORD 'third'")
	assert is_served(pooler, "third", password="third")


def test_new_secret_ends_the_wait_that_the_old_one_caused(asking, cluster, secrets):
	secrets(third="old one")
	pooler = asking(server_login_retry=600)
	m, _ = first_client(pooler, "third", password="old one")
	assert m.code == "28P01"
	for _ in range(6): # ever more rarely
		assert not is_served(pooler, "third", password="old one")
	secrets(third="third")
	with Stopwatch() as watch:
		assert is_served(pooler, "third", password="third")
	assert watch.seconds < 10


def test_reload_counts_for_those_who_come_later(asking, cluster, secrets):
	secrets(x="other")
	pooler = asking(auth_type="plain", auth_query="SELECT name, secret FROM asked.held($1)", databases={"app": "HERE user=app"}, secrets={"app": "app"})
	with Lock(cluster) as lock, pooler.wire() as w:
		w.begin("x", "app")
		held(cluster, 1)
		pooler.settings["auth_query"] = QUERY
		pooler.write()
		pooler.console("RELOAD")
		assert is_served(pooler, "x", password="other")
		lock.release()
		w.finish_login("x", "x")
		assert w.value("SELECT 1") == "1"


def test_reload_may_take_the_database_away_in_mid_lookup(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)", databases={"app": "HERE", "second": "HERE"})
	with Lock(cluster), pooler.wire() as w:
		w.begin("x", "app")
		held(cluster, 1)
		del pooler.databases["app"]
		pooler.write()
		pooler.console("RELOAD")
		assert w.ended()[-1].text == "database removed"
	assert pooler.console("SHOW VERSION")


@pytest.mark.parametrize("setting,text", [("client_login_timeout", "client_login_timeout"), ("query_wait_timeout", "query_wait_timeout")])
def test_waiting_for_a_lookup_has_an_end(asking, cluster, setting, text):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)", default_pool_size=1, **{setting: 1})
	with Lock(cluster), pooler.wire() as first, pooler.wire() as second:
		if setting == "query_wait_timeout":
			first.begin("x", "app")
			held(cluster, 1)
		second.begin("y", "app")
		m = second.ended()[-1]
		assert m.text == text
		assert "D" not in m.fields # who holds what is not for strangers
		row, = [row for row in pooler.console("SHOW ERRORS") if row["class"] == setting]
		assert ("for its turn" if setting == "query_wait_timeout" else "for the answer to auth_query") in row["hint"]


@pytest.mark.parametrize("threads", THREADS)
def test_client_that_leaves_leaves_nothing_behind(asking, cluster, threads):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)", default_pool_size=2, threads=threads)
	with Lock(cluster):
		clients = [pooler.wire().begin(f"u{i}", "app") for i in range(6)]
		held(cluster, 2)
		pooler.wait_waiting(4, user="asker")
		for w in clients:
			w.reset()
		until(lambda: not pooler.pool(user="asker").get("cl_waiting"), what="nobody waits")
		until(lambda: not [row for row in pooler.console("SHOW SERVERS") if row["user"] == "asker" and row["state"] == "active"],
			what="no connection asks for anybody")
		assert {row["user"] for row in pooler.console("SHOW WAITS")} == set()
	until(lambda: pooler.pool(user="asker")["sv_idle"] == 2, what="those that were asked serve the next ones")
	assert "bouncer config error" not in pooler.log()


def test_answer_that_does_not_come_in_time_is_told(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)", server_connect_timeout=5)
	with Lock(cluster), pooler.wire() as w:
		w.begin("x", "app")
		m = w.ended()[-1]
		assert m.text == "bouncer config error"
	row, = [row for row in pooler.console("SHOW ERRORS") if row["class"] == "auth_query_slow"]
	assert row["incident"] in m.fields["D"] and "pg_stat_activity" in row["hint"]


@pytest.mark.parametrize("threads", THREADS)
def test_commands_of_the_console_hold_for_lookups(asking, cluster, secrets, threads):
	secrets(x="x")
	pooler = asking(auth_type="plain", databases={"app": "HERE user=app"}, secrets={"app": "app"}, threads=threads)
	pooler.console("PAUSE app")
	with pooler.wire() as w:
		w.begin("x", "app")
		pooler.wait_waiting(1, user="asker")
		assert 'database "app" is paused' in pooler.console("SHOW WAITS")[0]["why"]
		pooler.console("RESUME app")
		w.finish_login("x", "x")
	pooler.settings["auth_query"] = "SELECT name, secret FROM asked.held($1)"
	pooler.write()
	pooler.console("RELOAD")
	with Lock(cluster), pooler.wire() as w, pooler.wire() as queued:
		w.begin("x", "app")
		held(cluster, 1)
		pooler.console("KILL app")
		assert w.ended()[-1].text == "database removed"
		queued.begin("y", "app")
		pooler.wait_waiting(1, user="asker")
		pooler.console("KILL app")
		assert queued.ended()[-1].text == "database removed"
	pooler.console("RESUME app")
	assert is_served(pooler, "x", password="x")


def test_shutdown_does_not_wait_for_lookups(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)", default_pool_size=1)
	with Lock(cluster), pooler.wire() as w, pooler.wire() as queued:
		w.begin("x", "app")
		held(cluster, 1)
		queued.begin("y", "app")
		pooler.wait_waiting(1, user="asker")
		pooler.signal(signal.SIGINT)
		assert {s.ended()[-1].text for s in (w, queued)} == {"server shutting down"}
		until(lambda: not pooler.is_alive(), 20, "the process has ended")


def test_show_waits_tells_who_holds_the_lookups(asking, cluster):
	pooler = asking(auth_query="SELECT name, secret FROM asked.held($1)", default_pool_size=1, auth_type="plain",
		databases={"app": "HERE user=app"}, secrets={"app": "app"})
	with Lock(cluster) as lock, pooler.wire() as first, pooler.wire() as second:
		first.begin("first", "app")
		held(cluster, 1)
		second.begin("second", "app")
		pooler.wait_waiting(1, user="asker")
		waits = {row["user"]: row for row in pooler.console("SHOW WAITS")}
		assert waits["first"]["why"] == 'the login waits for the answer to auth_query, asked as user "asker" in database "app"'
		assert waits["second"]["why"].startswith('the login waits until auth_query can be asked as user "asker" in database "app": '
			"all 1 of 1 servers are busy (default_pool_size = 1), the longest for ")
		assert waits["second"]["holder_id"] == waits["first"]["id"]
		assert [row["state"] for row in pooler.console("SHOW SERVERS")] == ["active"]
		assert pooler.pool(user="asker")["sv_active"] == 1
		lock.release()
		first.finish_login("first", "first")
		second.finish_login("second", "second")


def test_clients_that_log_in_as_auth_user_do_not_share_its_connections(asking, cluster, secrets):
	"""Its own clients may hold all servers of their pool: others can log in all the same."""
	secrets(other="other")
	pooler = asking(default_pool_size=1, pool_mode="session")
	with pooler.login("asker") as w:
		pid = w.value("SELECT pg_backend_pid()")
		assert pooler.serves("other")
		assert w.value("SELECT pg_backend_pid()") == pid
		rows = [row for row in pooler.console("SHOW POOLS") if row["user"] == "asker"]
		assert [(row["cl_active"], row["sv_active"], row["sv_idle"]) for row in rows] == [(1, 1, 1)]
	assert [row["user"] for row in pooler.console("SHOW SERVERS") if row["user"] == "asker"] == ["asker"] * 2


def test_limit_of_the_database_counts_lookups(asking, cluster, secrets):
	secrets(other="other", third="third")
	pooler = asking(max_db_connections=1)
	for user in ("other", "third", "other"):
		assert pooler.serves(user)
	assert cluster.backends("datname = 'app' AND usename IN ('asker', 'other', 'third')") == 1


@pytest.mark.parametrize("threads", [1, 4])
def test_storm_of_logins(asking, cluster, threads):
	pooler = asking(auth_type="plain", auth_query="SELECT $1::text, 'of ' || $1::text", default_pool_size=5, threads=threads,
		databases={"app": "HERE user=app"}, secrets={"app": "app"})
	clients = [pooler.wire(seconds=60).begin(f"user{i % 50}", "app") for i in range(500)]
	for i, w in enumerate(clients):
		w.finish_login(f"user{i % 50}", f"of user{i % 50}")
	assert 1 <= cluster.backends("usename = 'asker'") <= 5
	assert clients[499].value("SELECT 42") == "42"
	for w in clients:
		w.close()


# A server that lies

def play(answer):
	"""Lets everybody log in, then says this to what it is asked."""
	def part(connection):
		connection.recv(65536)
		connection.sendall(OK + READY)
		connection.recv(65536)
		connection.sendall(answer)
		while connection.recv(65536):
			pass

	return part


def endless_rows(connection):
	connection.recv(65536)
	connection.sendall(OK + READY)
	connection.recv(65536)
	connection.sendall(BEGINS)
	while True:
		connection.sendall(data_row(b"x", b"y") * 1000)


@pytest.mark.parametrize("part,text", [
	(play(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not allowed in the protocol"),
	(play(BEGINS + b"D\x3f\xff\xff\xff\0\2"), "sent too much"),
	(play(BEGINS + message("D", b"\0\2\0\0") + ENDS), "DataRow with a malformed body"),
	(play(BEGINS + data_row(b"x", b"y") * 2 + message("E", b"SERROR\0C22012\0Mdivision by zero\0\0") + READY), "division by zero"),
	(play(READY), "ReadyForQuery at a wrong time"),
	(play(message("G", b"\0\0\0")), "CopyInResponse"),
	(play(message("N", b"SNOTICE\0Mx\0\0") * 2000), "more than 1000 messages"),
	(endless_rows, "more than 1000 messages"),
], ids=["not PostgreSQL", "1 GB", "half a row", "error behind rows", "nothing", "COPY", "notices", "endless rows"])
def test_lying_server_is_told_as_a_number(asking, cluster, part, text):
	gate = Gate(cluster.port)
	try:
		gate.playing(part)
		pooler = asking(auth_type="plain", databases={"app": f"host=127.0.0.1 port={gate.port}", "second": "HERE"},
			server_tls_sslmode="disable", secrets={"app": "app"})
		m, seconds = first_client(pooler, "x", "app")
		assert m.text == "bouncer config error" and seconds < 10
		assert text in errors_of(pooler, incident(m))[0]["text"]
		assert pooler.serves(database="second")
	finally:
		gate.close()


def test_answer_in_single_bytes_is_understood(asking, cluster):
	def spell(connection):
		connection.recv(65536)
		connection.sendall(OK + READY)
		connection.recv(65536)
		for byte in message("S", b"TimeZone\0UTC\0") + BEGINS + data_row(b"x", b"secret") + ENDS:
			connection.sendall(bytes([byte]))
		while connection.recv(65536):
			pass

	gate = Gate(cluster.port)
	try:
		gate.playing(spell)
		pooler = asking(auth_type="plain", databases={"app": f"host=127.0.0.1 port={gate.port}", "second": "HERE user=app"}, auth_dbname="app",
			server_tls_sslmode="disable", secrets={"app": "app"})
		with pooler.login("x", "second", "secret") as w:
			assert w.value("SELECT 1") == "1"
	finally:
		gate.close()


# Side by side

SAME = [("app", "app"), ("app", "wrong"), ("app", ""), ("other", "other"), ("other", "wrong"), ("md5_user", "md5"), ("md5_user", "wrong"),
	("plain_user", "plain"), ("nobody_like_that", "x"), ("null_secret", "x"), ("empty_secret", "x"), ("forced", "forced")]


@pytest.mark.parametrize("auth_type", ["plain", "md5", "scram-sha-256"])
def test_same_people_get_in_as_with_pgbouncer(asking, cluster, folder, secrets, auth_type):
	program = pgbouncer()
	assert program is not None, "build-aux/get-pgbouncer says why"
	secrets(app=verifier(cluster, "app"), other="other", md5_user=md5_secret("md5_user", "md5"), plain_user="plain", null_secret=None,
		empty_secret="", forced="forced")
	options = {"auth_type": auth_type, "databases": {"app": "HERE", "second": "HERE user=app password=app auth_dbname=app"}}
	theirs = Pooler(cluster, folder, program=program, auth_user="asker", auth_query=QUERY, secrets=dict(UNLISTED, asker="asker"), **options)
	ours = asking(**options)

	def outcomes(pooler):
		return {(user, password, database): is_served(pooler, user, database, password)
			for user, password in SAME for database in ("app", "second")}

	# the password that app sends serves at the server, too; PgBouncer has the verifier only, which answers none
	more = dict.fromkeys([("app", "app", "app")] if auth_type == "plain" else [])
	try:
		theirs.start()
		expected = outcomes(theirs)
		assert not any(expected[who] for who in more)
		assert outcomes(ours) == {**expected, **dict.fromkeys(more, True)}
	finally:
		theirs.stop()
		theirs.discard()


# Before the first client

@pytest.fixture
def checker(cluster, folder):
	made = []

	def make(**options):
		made.append(Checker(cluster, folder, **dict({"auth_user": "asker", "auth_query": QUERY, "secrets": {"asker": "asker"}}, **options)))
		return made[-1].run("--json")

	yield make
	for one in made:
		one.discard()


def test_check_asks_auth_query(checker):
	found = checker()
	assert found.status == 0, found.out
	assert [f["what"] for f in found.of(step="auth_query")] == ["auth_query works"]
	assert [f["user"] for f in found.of("ok", step="authenticate")] == ["asker"]


def test_check_asks_where_clients_would_be_looked_up_once_for_each_query(checker):
	found = checker(auth_dbname="app", databases={"app": "HERE user=third password=third", "one": "HERE dbname=app", "two": "HERE dbname=second"})
	assert found.status == 0, found.out
	assert [(f["database"], f["user"]) for f in found.of("ok", step="auth_query")] == [("app", "asker")]
	assert ("app", "asker") in {(f["database"], f["user"]) for f in found.of("ok", step="authenticate")}


@pytest.mark.parametrize("query,what,remedy", [
	("SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1", "auth_query failed: permission denied for table pg_authid",
		'GRANT SELECT ON pg_authid TO "asker"'),
	("SELECT $1::text, 2, 3", "auth_query failed: it returns 3 columns instead of 2", "two columns"),
	("SELECT 'a', 'b'", "bind message supplies 1 parameters", "exactly one parameter")])
def test_check_tells_what_auth_query_lacks(checker, query, what, remedy):
	found = checker(auth_query=query)
	assert found.status == 1
	fault, = found.of("error")
	assert fault["step"] == "auth_query" and what in fault["what"] and remedy in fault["hint"]


def test_check_tells_that_auth_user_cannot_log_in(checker):
	found = checker(secrets={"app": "app", "asker": "wrong"}, databases={"app": "HERE"})
	assert found.status == 1
	fault, = found.of("error")
	assert (fault["user"], fault["step"]) == ("asker", "authenticate") and "auth_user" in fault["detail"]


@pytest.mark.parametrize("name", ["missing", "pgbouncer"])
def test_check_tells_that_auth_dbname_cannot_be_used(checker, name):
	found = checker(auth_query=None, databases={"app": f"HERE auth_dbname={name}"})
	assert found.status == 1
	assert name in found.of("error", step="settings")[0]["what"]
