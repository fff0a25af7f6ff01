"""
Why a client waits: told in the NOTICE while it waits, in the error that ends its waiting, and in SHOW WAITS on the
console. Each time the whole story: which pool, which setting limits it, who has the servers, since when they are gone.
"""

import re

import pytest

from waiting import until
from wire import ServerError, query

pytestmark = pytest.mark.pgweir

THREADS = [1, 3]
QUEUED = "No server connection available in postgres backend, client being queued"


def notice(w):
	"""The next message of a client that waits."""
	m = w.read()
	assert (m.type, m.severity, m.text) == ("N", "NOTICE", QUEUED)
	return m.fields


def fatal(w):
	said = [m for m in w.ended() if m.type == "E"]
	assert len(said) == 1, said
	return said[0]


def waits(pooler):
	return pooler.console("SHOW WAITS")


def row_where(pooler, true, what):
	"""The only row of SHOW WAITS, once it is so."""
	def found():
		rows = waits(pooler)
		return rows[0] if len(rows) == 1 and true(rows[0]) else None

	return until(found, what=what)


def holders(pooler, n, **parameters):
	"""n clients with a transaction open, spread over the threads."""
	made = [pooler.login(application_name="billing", **parameters) for _ in range(n)]
	for w in made:
		w.ask(query("BEGIN"))
	return made


# The pool is full

@pytest.mark.parametrize("threads", THREADS)
def test_a_full_pool_is_told_with_its_longest_transaction(start_pooler, threads):
	# 12 servers are on 3 threads when there are so many: whoever waits and the longest holder are on any two of them
	pooler = start_pooler(threads=threads, default_pool_size=12, query_wait_notify=2, error_sqlstate="precise")
	open_ones = holders(pooler, 12)
	clients = [pooler.login(application_name="shop") for _ in range(3)]
	for w in clients:
		w.send(query("SELECT 1"))
	pooler.wait_waiting(3)
	longest = {row["id"] for row in pooler.console("SHOW CLIENTS") if row["application_name"] == "billing"}
	rows = waits(pooler)
	assert len(rows) == 3
	for row in rows:
		assert (row["database"], row["user"], row["application_name"], row["addr"]) == ("app", "app", "shop", "127.0.0.1")
		assert "all 12 of 12 servers are busy (default_pool_size = 12), the longest for " in row["why"]
		assert row["limited_by"] == "default_pool_size"
		assert row["holder_id"] in longest
		assert (row["holder_application"], row["holder_state"]) == ("billing", "idle in transaction")
		assert row["holder_ms"] >= row["wait_ms"] >= 0
		assert row["backend_down_since"] is None and row["next_attempt_ms"] is None
	assert len({row["holder_id"] for row in rows}) == 1, "there is one longest"
	holder = rows[0]["holder_id"]
	story = (r'Database "app", user "app", \d clients? waiting: all 12 of 12 servers are busy \(default_pool_size = 12\), '
		rf'the longest for \d+ s by client {holder} \(application "billing", idle in transaction\)\.')
	for w in clients:
		said = notice(w)
		assert re.fullmatch(story, said["D"]), said["D"]
		assert f"Client {holder} keeps a transaction open" in said["H"] and f"KILL_CLIENT {holder}" in said["H"]
	pooler.console("SET query_wait_timeout = 1")
	for w in clients:
		m = fatal(w)
		assert (m.severity, m.code, m.text) == ("FATAL", "53300", "query_wait_timeout")
		assert re.fullmatch(story, m.fields["D"]), m.fields["D"]
		assert f"KILL_CLIENT {holder}" in m.fields["H"]
	assert waits(pooler) == []
	for w in [*open_ones, *clients]:
		w.close()


def test_the_longest_holder_is_known_whatever_its_thread(start_pooler):
	pooler = start_pooler(threads=3, default_pool_size=12, query_wait_notify=1)
	open_ones = holders(pooler, 12)
	clients = [pooler.login() for _ in range(3)]  # one on each thread, in the same order: taken in another one
	for holder, w in zip(open_ones, clients[1:] + clients[:1]):
		w.send(query("SELECT 1"))
		assert '(application "billing", idle in transaction).' in notice(w)["D"]
		w.close()
		until(lambda: not waits(pooler), what="nobody waits any more")
		# then another one's transaction is the longest, and nobody has been asked about it yet
		holder.ask(query("COMMIT"))
		holder.ask(query("BEGIN"))
	for w in open_ones:
		w.close()


@pytest.mark.parametrize("threads", THREADS)
def test_the_remedy_in_the_hint_works(start_pooler, threads):
	pooler = start_pooler(threads=threads, default_pool_size=1, query_wait_notify=1)
	with pooler.login(application_name="billing") as holder, pooler.login() as w:
		holder.ask(query("BEGIN"))
		w.send(query("SELECT 'served'"))
		command = re.search(r'"(KILL_CLIENT \d+)"', notice(w)["H"]).group(1)
		pooler.console(command)
		assert w.until("Z")[1].row == ("served",)


def test_a_running_query_and_a_session_have_hints_of_their_own(start_pooler):
	pooler = start_pooler(databases={"app": "HERE", "second": "HERE pool_mode=session pool_size=1"}, default_pool_size=1, query_wait_notify=1)
	with pooler.login() as holder, pooler.login() as w:
		holder.send(query("SELECT pg_sleep(60)"))
		until(lambda: pooler.pool()["sv_active"] == 1, what="the query runs")
		w.send(query("SELECT 1"))
		said = notice(w)
		assert "running)" in said["D"] and "pg_stat_activity" in said["H"] and "default_pool_size" in said["H"]
	with pooler.login(database="second") as holder, pooler.login(database="second") as w:
		holder.ask(query("SELECT 1"))
		w.send(query("SELECT 1"))
		said = notice(w)
		assert "idle in session)" in said["D"] and "(pool_size = 1)" in said["D"]
		assert "pool_mode = transaction" in said["H"]


def test_what_clients_call_themselves_is_printable(start_pooler):
	pooler = start_pooler(default_pool_size=1, query_wait_notify=1)
	with pooler.login(application_name="a\nb\x1b[2J" + "c" * 100) as holder, pooler.login() as w:
		holder.ask(query("BEGIN"))
		w.send(query("SELECT 1"))
		assert 'application "a?b?[2J' + "c" * 50 in notice(w)["D"]


# Limits above the pool

@pytest.mark.parametrize("threads", THREADS)
def test_the_limit_of_the_database_is_told_with_who_has_the_connections(start_pooler, threads):
	pooler = start_pooler(threads=threads, databases={"app": "HERE max_db_connections=3"}, query_wait_notify=1)
	made = holders(pooler, 1) + [pooler.login("other") for _ in range(2)]
	for w in made[1:]:
		w.ask(query("BEGIN"))
	with pooler.login() as w:
		w.send(query("SELECT 1"))
		row = row_where(pooler, lambda row: row["limited_by"] != "", "main has looked")
		assert row["limited_by"] == "max_db_connections"
		said = notice(w)
		pooler.console("SET query_wait_timeout = 1")
		for text in (row["why"], said["D"], fatal(w).fields["D"]):
			assert 'max_db_connections = 3 is reached: user "other" has 2, user "app" has 1; all 1 of 1 servers are busy' in text
		assert "Raise max_db_connections" in said["H"]
	for w in made:
		w.close()


@pytest.mark.parametrize("threads", THREADS)
def test_the_limit_of_the_user_is_told_with_who_has_the_connections(start_pooler, threads):
	pooler = start_pooler(threads=threads, databases={"app": "HERE", "second": "HERE dbname=app"}, users={"app": "max_user_connections=2"})
	made = [pooler.login(database="second") for _ in range(2)]
	for w in made:
		w.ask(query("BEGIN"))
	with pooler.wire() as w:
		w.begin("app", "app")
		row = row_where(pooler, lambda row: row["limited_by"] != "", "main has looked")
		assert row["limited_by"] == "max_user_connections"
		assert row["why"] == ("the login waits for the pool's first server: max_user_connections = 2 is reached: "
			'database "second" has 2')
		assert row["holder_id"] is None
	for w in made:
		w.close()


def refused(pooler, *names):
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login(*names)
	return caught.value.message


def test_limits_of_clients_are_told_with_setting_and_value(start_pooler):
	pooler = start_pooler(databases={"app": "HERE max_db_client_connections=2", "second": "HERE dbname=app"},
		users={"other": "max_user_client_connections=1"}, error_sqlstate="precise")
	with pooler.login(), pooler.login("other"):
		m = refused(pooler, "app", "app")
		assert (m.code, m.text) == ("53300", "client connections exceeded (max_db_client_connections)")
		assert m.fields["D"] == 'Database "app" has as many clients as max_db_client_connections = 2 allows.'
		assert "raise max_db_client_connections" in m.fields["H"]
		m = refused(pooler, "other", "second")
		assert (m.code, m.text) == ("53300", "client connections exceeded (max_user_client_connections)")
		assert m.fields["D"] == 'User "other" has as many clients as max_user_client_connections = 1 allows.'
	pooler.console("DISABLE app")
	m = refused(pooler, "app", "app")
	assert (m.code, m.text) == ("57P03", 'database "app" is disabled')
	assert '"ENABLE app"' in m.fields["H"]


# Nothing to be had

@pytest.mark.parametrize("threads", THREADS)
def test_a_pause_is_told(start_pooler, threads):
	pooler = start_pooler(threads=threads, query_wait_notify=1, error_sqlstate="precise")
	with pooler.login() as w:
		w.value("SELECT 1")
		pooler.console("PAUSE app")
		w.send(query("SELECT 1"))
		row = row_where(pooler, lambda row: True, "the client waits")
		assert re.fullmatch(r'database "app" is paused for \d+ m?s', row["why"])
		said = notice(w)
		assert re.search(r'database "app" is paused for \d+ s\.$', said["D"])
		assert '"RESUME app"' in said["H"]
		pooler.console("SET query_wait_timeout = 1")
		m = fatal(w)
		assert (m.code, m.text) == ("57P03", "query_wait_timeout")
		assert '"RESUME app"' in m.fields["H"]
	pooler.console("RESUME app")
	assert pooler.serves()


@pytest.mark.parametrize("threads", THREADS)
def test_a_server_that_is_down_is_told_while_clients_are_held(start_pooler, gate, threads):
	pooler = start_pooler(threads=threads, databases={"app": f"host=127.0.0.1 port={gate.port}"}, query_wait_notify=1,
		server_down_wait=60, server_tls_sslmode="disable")
	with pooler.login() as w:
		w.value("SELECT 1")
		gate.refused()
		gate.cut()
		until(lambda: pooler.pool()["sv_idle"] == 0, what="the loss of the server is noticed")
		w.send(query("SELECT 1"))
		row = row_where(pooler, lambda row: row["backend_down_since"] is not None, "an attempt has failed")
		assert re.match(r"no server connection can be made for .* \(attempts: \d+.*\): could not connect to server at .* refused", row["why"])
		assert row["limited_by"] == "" and 0 <= row["next_attempt_ms"] < 10000
		said = notice(w)
		pooler.console("SET query_wait_timeout = 1")
		assert "refused" in said["D"] and "no server connection can be made for" in said["D"]
		m = fatal(w)
		assert m.text == "query_wait_timeout" and "refused" in m.fields["D"]


def test_a_login_is_told_at_its_end(start_pooler, gate):
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, client_login_timeout=2, server_down_wait=60,
		server_tls_sslmode="disable")
	gate.refused()
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login("app", "app")
	m = caught.value.message
	assert (m.severity, m.text) == ("FATAL", "client_login_timeout (server down)")
	assert "the login waits for the pool's first server: no server connection can be made" in m.fields["D"]
	assert "refused" in m.fields["D"]


@pytest.mark.parametrize("threads", THREADS)
def test_a_pool_that_cannot_grow_tells_both_facts_everywhere(start_pooler, gate, threads):
	pooler = start_pooler(threads=threads, databases={"app": f"host=127.0.0.1 port={gate.port}"}, query_wait_notify=1, server_down_wait=60,
		server_tls_sslmode="disable")
	with pooler.login(application_name="billing") as holder, pooler.login() as w:
		holder.ask(query("BEGIN"))
		gate.refused()
		w.send(query("SELECT 1"))
		row = row_where(pooler, lambda row: row["backend_down_since"] is not None, "an attempt has failed")
		both = r'all 1 of 1 servers are busy, the longest for \d+ m?s by client \d+ \(application "billing", idle in transaction\); it cannot get more because no server connection can be made for .*refused'
		assert re.match(both, row["why"]), row["why"]
		assert (row["holder_application"], row["holder_state"]) == ("billing", "idle in transaction")
		said = notice(w)
		assert re.search(both, said["D"]), said["D"]
		pooler.console("SET server_down_wait = 1")
		m = fatal(w)
		assert "refused" in m.text and re.search(both, m.fields["D"]), m.fields["D"]
