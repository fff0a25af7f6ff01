"""
When the server cannot be reached or says no: everybody who waits because of it is told, in time, with the reason; and
service comes back by itself.

Two kinds: a refusal (somebody answered, and it was no) is told at once; for a server that cannot be reached clients are
held until the outage is server_down_wait old. The four situations: the very first client, still in its login; a
logged-in client with a query; many clients at once; a pool that has a server but cannot get another one.
"""

import threading

import pytest

from gate import error
from pooler import is_for_windows
from told import first_client, is_served, query_error
from waiting import Stopwatch, silence, until
from wire import message, query, types

pytestmark = pytest.mark.pgweir

WAIT = 4 if is_for_windows() else 1 # server_down_wait here, longer than a login takes; the default of 5 s has its own test
# Upper limits for slow machines. That nobody is held who need not be is seen in test_refusals.py, where server_down_wait is long.
AT_ONCE = 10
HELD = WAIT + 15

STARTING = ("57P03", "the database system is starting up")
NO_ENTRY = ("28000", 'no pg_hba.conf entry for host "127.0.0.1", user "app", database "app", no encryption')

# name: how the gate is shut, SQLSTATEs that are right, words in the primary text, seconds until everybody knows
SHUT = {
	"connection refused": (lambda gate: gate.refused(), ("08001", "08P01"), "refused", HELD),
	"attempts without an answer": (lambda gate: gate.dropped(), ("08001", "08P01"), "timed out", HELD + 1),
	"accepts and says nothing": (lambda gate: gate.silent(), ("08001", "08P01"), "timed out", HELD + 1),
	"closes at once": (lambda gate: gate.closed(), ("08006", "08P01"), "closed", HELD),
	"starting up": (lambda gate: gate.saying(error(*STARTING)), ("57P03",), STARTING[1], HELD),
	"not PostgreSQL": (lambda gate: gate.saying(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), ("08001", "08P01"),
		"not a PostgreSQL server", AT_ONCE),
	"no pg_hba.conf entry": (lambda gate: gate.saying(error(*NO_ENTRY)), ("28000",), NO_ENTRY[1], AT_ONCE),
	"too many connections": (lambda gate: gate.saying(error("53300", "sorry, too many clients already")), ("53300",),
		"sorry, too many clients already", HELD),
}


@pytest.fixture
def pooler(start_pooler, gate):
	"""Two servers at most, behind the gate."""
	return start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, auth_type="scram-sha-256", default_pool_size=2,
		server_down_wait=WAIT, server_tls_sslmode="disable")


def comes_back(pooler):
	"""Service is there again soon after the repair."""
	until(lambda: is_served(pooler), 20, "service is back")


def check(message, seconds, codes, words, limit):
	assert message.severity == "FATAL"
	assert words in message.text
	assert message.code in codes
	assert seconds < limit
	assert message.fields.get("D"), "the facts are missing"


# Each kind in each situation

@pytest.mark.parametrize("kind", SHUT)
def test_first_client_is_told_in_its_login(pooler, gate, kind):
	shut, codes, words, limit = SHUT[kind]
	shut(gate)
	check(*first_client(pooler), codes, words, limit)


@pytest.mark.parametrize("kind", SHUT)
def test_logged_in_client_is_told_for_its_query(pooler, gate, kind):
	shut, codes, words, limit = SHUT[kind]
	with pooler.login() as w:
		w.value("SELECT 1")
		shut(gate)
		gate.cut()
		until(lambda: pooler.pool()["sv_idle"] == 0, what="the loss of the idle server is noticed")
		check(*query_error(w), codes, words, limit)


@pytest.mark.parametrize("kind", SHUT)
def test_many_clients_are_told_the_same_by_few_attempts(pooler, gate, kind):
	shut, codes, words, limit = SHUT[kind]
	clients = [pooler.login() for _ in range(40)]
	shut(gate)
	gate.cut()
	until(lambda: pooler.pool()["sv_idle"] == 0, what="the loss of the idle servers is noticed")
	with Stopwatch() as watch:
		for w in clients:
			w.send(query("SELECT 1"))
		told = [[m for m in w.ended() if m.type == "E"][0] for w in clients]
	assert watch.seconds < limit + 0.5
	assert all(words in m.text and m.code in codes for m in told)
	assert gate.attempts <= 12
	for w in clients:
		w.close()


@pytest.mark.parametrize("kind", SHUT)
def test_waiters_of_a_pool_that_cannot_grow_are_told_both_facts(pooler, gate, kind):
	shut, codes, words, _ = SHUT[kind]
	with pooler.login() as holder, pooler.login() as w:
		holder.ask(query("BEGIN"))
		shut(gate)
		message, seconds = query_error(w)
		said = message.text + message.fields.get("D", "")
		assert words in said and "1 of 1" in said
		assert seconds < WAIT + 15
		assert types(holder.ask(query("COMMIT"))) == "CZ"


@pytest.mark.parametrize("kind", SHUT)
def test_whoever_is_served_soon_by_the_old_server_notices_nothing(pooler, gate, kind):
	shut, *_ = SHUT[kind]
	with pooler.login() as holder, pooler.login() as w:
		holder.ask(query("BEGIN"))
		shut(gate)
		w.send(query("SELECT 'served'"))
		assert silence(w.sock, WAIT / 3)
		holder.ask(query("COMMIT"))
		assert w.until("Z")[1].row == ("served",)


@pytest.mark.parametrize("kind", SHUT)
def test_service_comes_back_within_seconds_after_the_repair(pooler, gate, kind):
	shut, *_ = SHUT[kind]
	shut(gate)
	first_client(pooler)
	gate.open()
	comes_back(pooler)


# What the default gives

def test_refused_connection_is_held_for_five_seconds_by_default(start_pooler, gate):
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, auth_type="scram-sha-256")
	gate.refused()
	message, seconds = first_client(pooler)
	assert "refused" in message.text and 4 < seconds < 20
	message, seconds = first_client(pooler)
	assert "refused" in message.text and seconds < 4, "who comes later is told at once"


def test_a_restart_gives_no_errors_between_transactions(start_pooler, cluster):
	# how long this machine takes to start PostgreSQL is not what is tested
	pooler = start_pooler(auth_type="scram-sha-256", default_pool_size=5, server_down_wait=60)
	clients = [pooler.login() for _ in range(20)]
	for w in clients:
		assert w.value("SELECT 1") == "1"
	cluster.stop()
	try:
		for w in clients:
			w.send(query("SELECT 'all the same'"))
		assert silence(clients[0].sock, 3)
	finally:
		cluster.start()
	for w in clients:
		assert w.until("Z")[1].row == ("all the same",)
		w.close()


def test_precise_codes_may_be_chosen(start_pooler, gate):
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, auth_type="scram-sha-256", server_down_wait=WAIT,
		error_sqlstate="precise")
	gate.refused()
	assert first_client(pooler)[0].code == "08001"


# What a real system says; test_refusals.py has what PostgreSQL says

def test_connection_limit_below_the_pool_size_only_slows_clients_down(start_pooler, cluster):
	cluster.sql("ALTER ROLE other CONNECTION LIMIT 1")
	try:
		pooler = start_pooler(auth_type="scram-sha-256", default_pool_size=5)
		clients = [pooler.login("other") for _ in range(10)]
		for w in clients:
			w.send(query("SELECT pg_sleep(0.05)"))
		for w in clients:
			assert types(w.until("Z")) == "TDCZ"
			w.close()
	finally:
		cluster.sql("ALTER ROLE other CONNECTION LIMIT -1")


def test_name_that_does_not_resolve_is_named(start_pooler):
	pooler = start_pooler(databases={"app": "host=nowhere.invalid dbname=app"}, auth_type="scram-sha-256", server_down_wait=WAIT)
	message, seconds = first_client(pooler)
	check(message, seconds, ("08001", "08P01"), "nowhere.invalid", HELD + 1)


def test_missing_unix_socket_is_named(start_pooler):
	pooler = start_pooler(databases={"app": "host=/nowhere port=5432"}, auth_type="scram-sha-256", server_down_wait=WAIT)
	check(*first_client(pooler), ("08001", "08P01"), "No such file", HELD)


# Others and afterwards

def test_refusal_of_one_user_leaves_the_others_alone(start_pooler, cluster, hba):
	hba("local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all other 127.0.0.1/32 scram-sha-256\n")
	pooler = start_pooler(auth_type="scram-sha-256")
	first_client(pooler)
	assert pooler.serves("other")


def test_repaired_pg_hba_lets_clients_in_within_seconds(start_pooler, cluster, hba):
	hba("local all all trust\nhost all postgres 127.0.0.1/32 trust\n")
	pooler = start_pooler(auth_type="scram-sha-256")
	first_client(pooler)
	cluster.reset_hba()
	comes_back(pooler)


def test_fail_fast_is_no_storm(pooler, gate):
	gate.saying(error(*NO_ENTRY))
	told = []

	def hammer():
		while not stop.is_set():
			told.append(first_client(pooler)[0].code)

	stop = threading.Event()
	threads = [threading.Thread(target=hammer) for _ in range(10)]
	for thread in threads:
		thread.start()
	try:
		until(lambda: len(told) >= 60, 15, "clients are told")
	finally:
		stop.set()
		for thread in threads:
			thread.join()
	assert set(told) == {"28000"}
	assert gate.attempts <= 6 * 2


def test_lost_server_is_told_to_its_client_only(pooler, gate):
	with pooler.login() as w, pooler.login() as idle:
		idle.value("SELECT 1")
		w.send(query("SELECT pg_sleep(20)"))
		until(lambda: pooler.pool()["sv_active"] == 1, what="the query runs")
		gate.cut()
		with Stopwatch() as watch:
			said = [m for m in w.ended() if m.type == "E"]
		assert watch.seconds < 15 and said[0].severity == "FATAL" and said[0].code in ("08006", "08P01")
		assert idle.value("SELECT 'fine'") == "fine"


def test_killed_backend_tells_its_client_the_servers_last_words(pooler, cluster):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
		said = [m for m in w.ended() if m.type == "E"]
		assert said[0].code == "57P01"
		assert "terminating connection due to administrator command" in said[0].text


def test_log_says_the_reason_once_and_not_for_each_client(start_pooler, gate):
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, auth_type="scram-sha-256", server_down_wait=WAIT,
		log_pooler_errors=0, log_disconnections=0)
	gate.saying(error(*NO_ENTRY))
	for _ in range(5):
		first_client(pooler)
	assert 1 <= pooler.log().count(NO_ENTRY[1]) <= 2


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"R\0\0\0\x03", b"R\xff\xff\xff\xff", b"E\0\0\0\x04", b"R\0\0\0\x08\0\0\0\x63", b"Z" * 5000,
	b"R\0\0\0\x08\0\0\0\0S\0\0\0\x05x", b"R\0\0\0\x08\0\0\0\0K\0\0\0\x04", b"v\0\0\0\x0c\xff\xff\xff\xff\xff\xff\xff\xff", b"N\x7f\xff\xff\xff"],
	ids=["zeros", "length 3", "negative length", "empty error", "unknown method", "letters", "broken parameter",
	"broken key", "negotiation", "huge notice"])
def test_server_that_sends_garbage_in_the_login_hurts_nobody(pooler, gate, garbage):
	gate.saying(garbage)
	message, seconds = first_client(pooler)
	assert message.severity == "FATAL" and seconds < HELD + 1
	assert pooler.is_alive()
	gate.open()
	comes_back(pooler)


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"D\0\0\0\x03", b"D\xff\xff\xff\xff", b"S\0\0\0\x06ab", b"E\0\0\0\x04",
	b"C\0\0\0\x04", b"Z\0\0\0\x04", b"HTTP/1.1 400 Bad Request\r\n\r\n", message("R", b"\0\0\0\0"), message("K", bytes(8)), message("S", b"x" * 100000)],
	ids=["zeros", "length 3", "negative length", "broken parameter", "empty error", "empty tag", "empty ready", "HTTP", "authentication", "key",
	"endless parameter"])
def test_server_that_sends_garbage_in_a_query_loses_its_own_client_at_most(pooler, gate, garbage):
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: pooler.pool()["sv_active"] == 1, what="the query runs")
		gate.inject(garbage)
		w.sock.shutdown(1)
		w.ended()
	gate.cut()
	assert pooler.is_alive()
	comes_back(pooler)


@pytest.mark.parametrize("unasked", [b"\0" * 100, message("D", b"\0\0"), message("C", b"SELECT 1\0"), message("Z", b"I"),
	message("E", b"SFATAL\0C57P01\0Mbye\0\0")],
	ids=["zeros", "a row", "a tag", "ready", "an error"])
def test_what_an_idle_server_says_unasked_reaches_nobody(pooler, gate, unasked):
	with pooler.login() as w:
		assert w.value("SELECT 1") == "1"
		gate.inject(unasked)
		until(lambda: pooler.pool()["sv_idle"] == 0, what="the server is closed")
		assert w.rows("SELECT 'mine'") == [("mine",)]


def test_server_that_dies_of_its_connect_query_is_no_server(start_pooler, gate):
	ends = "SELECT pg_terminate_backend(pg_backend_pid())"
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port} connect_query='{ends}'"}, auth_type="scram-sha-256",
		server_down_wait=WAIT)
	message, _ = first_client(pooler)
	assert message.code == "57P01" and "terminating connection" in message.text
	assert gate.attempts <= 12, "it is tried again with pauses"
	pooler.databases = {"app": f"host=127.0.0.1 port={gate.port}"}
	pooler.write()
	pooler.console("RELOAD")
	comes_back(pooler)
