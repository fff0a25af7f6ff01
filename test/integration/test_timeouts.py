"""
Every timeout once with real parts: what ends, after which time, what the client reads, what the log and the console say.
All combinations, in virtual time: test/unit/test_worker_timeouts.c.
"""

import socket
import struct
import threading

import pytest

from gate import pump
from pooler import is_pgweir
from told import errors
from waiting import Stopwatch, until
from wire import CANCEL_REQUEST, Wire, query

SECOND = 1  # the timeout under test; others are NEVER
NEVER = 600
SOON = 20   # "it happened, and not because of another timeout"
ONE = {"default_pool_size": 1}


# Scenes: each returns the client whom the timeout will meet, and whatever must stay open.

def says_nothing(pooler):
	return pooler.wire(), []


def waits_for_its_login(pooler):
	w = pooler.wire()
	w.begin("app", "gate")
	return w, []


def idle(pooler):
	return pooler.login(), []


def runs_a_query(pooler):
	w = pooler.login()
	w.send(query("SELECT pg_sleep(60)"))
	return w, []


def is_in_a_transaction(pooler):
	w = pooler.login()
	w.ask(query("BEGIN"))
	return w, []


def waits_for_a_server(pooler):
	first, _ = is_in_a_transaction(pooler)
	w = pooler.login()
	w.send(query("SELECT 1"))
	return w, [first]


CLIENTS = [
	("client_login_timeout", says_nothing, "client_login_timeout", {}),
	("client_login_timeout", waits_for_its_login, "client_login_timeout (server down)", {"query_wait_timeout": NEVER, "server_connect_timeout": NEVER}),
	("client_idle_timeout", idle, "client_idle_timeout", {}),
	("query_timeout", runs_a_query, "query timeout", {}),
	("query_timeout", waits_for_a_server, "query_timeout", ONE),
	("query_wait_timeout", waits_for_a_server, "query_wait_timeout", ONE),
	("idle_transaction_timeout", is_in_a_transaction, "idle transaction timeout", {}),
	("transaction_timeout", is_in_a_transaction, "transaction timeout", {}),
	("transaction_timeout", runs_a_query, "transaction timeout", {}),
]


@pytest.mark.parametrize("setting, scene, text, more", CLIENTS, ids=[f"{row[0]}-{row[1].__name__}" for row in CLIENTS])
def test_client_reads_which_timeout_it_met(start_pooler, gate, setting, scene, text, more):
	gate.silent()
	pooler = start_pooler(databases={"app": "HERE", "gate": f"host=127.0.0.1 port={gate.port}"}, **{setting: SECOND}, **more)
	with Stopwatch() as watch:
		w, others = scene(pooler)
		said = errors(w.ended())
	assert [(m.severity, m.code, m.text) for m in said] == [("FATAL", "08P01", text)]
	assert watch.seconds > 0.9 * SECOND
	pooler.wait_log(rf"closing because: {text.replace('(', '.').replace(')', '.')} \(age=")
	assert f"pooler error: {text}" in pooler.log()
	for other in [w, *others]:
		other.close()
	assert pooler.serves()


@pytest.mark.pgweir
def test_console_counts_who_met_which(start_pooler):
	pooler = start_pooler(client_idle_timeout=SECOND, admin_users="admin")
	for _ in range(2):
		with pooler.login() as w:
			w.ended()
	rows = [row for row in pooler.console("SHOW ERRORS") if row["class"] == "client_idle_timeout"]
	assert sum(int(row["count"]) for row in rows) == 2, rows


@pytest.mark.parametrize("setting, scene, text", [("query_wait_timeout", waits_for_a_server, "query_wait_timeout"),
	("client_idle_timeout", idle, "client_idle_timeout"), ("query_timeout", runs_a_query, "query timeout"),
	("idle_transaction_timeout", is_in_a_transaction, "idle transaction timeout")])
def test_timeout_that_is_set_meets_who_waits_already(start_pooler, setting, scene, text):
	pooler = start_pooler(**{setting: NEVER}, **ONE)
	w, others = scene(pooler)
	pooler.console(f"SET {setting} = {SECOND}")
	with Stopwatch() as watch:
		assert [m.text for m in errors(w.ended())] == [text]
	assert watch.seconds < SOON
	for other in [w, *others]:
		other.close()


def test_user_and_database_have_their_own(start_pooler):
	pooler = start_pooler(users={"other": f"client_idle_timeout={SECOND}"}, client_idle_timeout=NEVER, query_wait_timeout=NEVER,
		databases={"app": "HERE", "second": f"HERE query_wait_timeout={SECOND}"}, **ONE)
	with pooler.login() as long, pooler.login("other") as short:
		assert [m.text for m in errors(short.ended())] == ["client_idle_timeout"]
		assert long.value("SELECT 1") == "1"
	with pooler.login("app", "second") as one, pooler.login("app", "second") as two:
		one.ask(query("BEGIN"))
		two.send(query("SELECT 1"))
		assert [m.text for m in errors(two.ended())] == ["query_wait_timeout"]


# Servers

@pytest.mark.parametrize("setting, text", [("server_idle_timeout", "server idle timeout"), ("server_lifetime", "server lifetime over")])
def test_idle_server_ends_in_time(start_pooler, setting, text):
	pooler = start_pooler(**{setting: SECOND})
	assert pooler.serves()
	pooler.wait_log(rf"S-.*closing because: {text} \(age=", SOON)
	assert pooler.serves()


def test_servers_born_together_do_not_end_together(start_pooler):
	pooler = start_pooler(server_lifetime=2, default_pool_size=4, min_pool_size=0, databases={"app": "HERE"})
	clients = [pooler.login() for _ in range(4)]
	for w in clients:
		w.ask(query("BEGIN"))
	for w in clients:
		w.ask(query("COMMIT"))

	def closed():
		return [line.split(" closing because: server lifetime over")[0].split()[1] for line in pooler.log().splitlines()
			if "closing because: server lifetime over" in line]
	until(lambda: len(closed()) == 4, SOON, "all have ended")

	def seconds(stamp):
		hours, minutes, rest = stamp.split(":")
		return 3600 * int(hours) + 60 * int(minutes) + float(rest)
	times = [seconds(stamp) for stamp in closed()]
	# half a second apart by configuration; clocks at midnight are not worth a line
	assert all(later - sooner > 0.3 for sooner, later in zip(times, times[1:])) or times[-1] < times[0]
	for w in clients:
		w.close()


def test_silent_server_is_given_up_after_server_connect_timeout(start_pooler, gate):
	given_up = threading.Event()

	def silent(connection):
		while connection.recv(65536):
			pass
		given_up.set()
	gate.playing(silent)
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, server_connect_timeout=SECOND, server_login_retry=NEVER)
	with pooler.wire() as w:
		with Stopwatch() as watch:
			w.begin("app", "app")
			assert given_up.wait(SOON)
		assert watch.seconds > 0.9 * SECOND


def test_attempts_are_server_login_retry_apart(start_pooler, gate):
	gate.closed()
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, server_login_retry=SECOND, **({"server_down_wait": 0} if is_pgweir() else {}))
	with pooler.wire() as w:
		w.begin("app", "app")
		until(lambda: gate.attempts >= 1, SOON, "a first attempt")
		with Stopwatch() as watch:
			until(lambda: gate.attempts >= 4, SOON, "three more")
		assert watch.seconds > 2.5 * SECOND


class Withheld:
	"""Passes sessions on, and keeps cancel requests to itself without an answer."""

	def __init__(self, port):
		self.port = port
		self.given_up = threading.Event()

	def __call__(self, connection):
		first = connection.recv(65536)
		if len(first) >= 8 and struct.unpack_from("!i", first, 4)[0] == CANCEL_REQUEST:
			while connection.recv(65536):
				pass
			self.given_up.set()
			return
		server = socket.create_connection(("127.0.0.1", self.port))
		server.sendall(first)
		threading.Thread(target=pump, args=(server, connection), daemon=True).start()
		pump(connection, server)


@pytest.mark.pgweir
def test_cancel_request_that_nobody_answers_is_given_up(start_pooler, cluster, gate):
	part = Withheld(cluster.port)
	gate.playing(part)
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, cancel_wait_timeout=SECOND, server_connect_timeout=NEVER,
		server_tls_sslmode="disable")
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(3)"))
		until(lambda: pooler.pool().get("sv_active") == 1, what="it runs")
		with Stopwatch() as watch, Wire(pooler.port) as canceller:
			canceller.send(struct.pack("!ii", 8 + len(w.key), CANCEL_REQUEST) + w.key)
			assert part.given_up.wait(SOON)
		assert watch.seconds > 0.9 * SECOND
		w.until("Z")
		assert w.value("SELECT 1") == "1"


# What is forgotten

def test_unused_pools_and_automatic_databases_are_forgotten(start_pooler):
	pooler = start_pooler(databases={"app": "HERE", "*": "HERE"}, server_idle_timeout=SECOND, autodb_idle_timeout=2, pool_idle_timeout=SECOND)
	assert pooler.serves("app", "app") and pooler.serves("app", "postgres")
	pooler.wait_log(r"cleaning up idle pool for user app on db app because: pool idle timeout \(age= \d+s\)", SOON)
	pooler.wait_log("dropping database 'postgres' as it does not exist anymore or inactive auto-database", SOON)
	assert pooler.serves("app", "postgres")


@pytest.mark.pgweir # PgBouncer tells one of them
def test_query_wait_notify_is_told_once_to_each(start_pooler):
	pooler = start_pooler(query_wait_notify=SECOND, **ONE)
	with pooler.login() as one, pooler.login() as two, pooler.login() as three:
		one.ask(query("BEGIN"))
		for w in (two, three):
			w.send(query("SELECT 1"))
		for w in (two, three):
			assert w.read().text.startswith("No server connection available in postgres backend, client being queued")
		one.ask(query("COMMIT"))
		for w in (two, three):
			assert "N" not in [m.type for m in w.until("Z")]
