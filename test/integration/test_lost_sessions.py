"""
Servers that are killed, crash, are stopped, are cut off or vanish. Whoever used one is told at once, whole, and in the
server's own last words if there were any; all others notice nothing but a pause. A server that died idle is never used.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

import psycopg2
import pytest

from conftest import THREADS
from gate import Gate
from waiting import Stopwatch, silence, until
from wire import message, query, statement, sync, types

pytestmark = pytest.mark.pgweir

MODES = ["session", "transaction", "statement"]
POOLERS_OWN = ("08006", "08P01")
PATIENCE = 60  # server_down_wait where PostgreSQL restarts: how long this machine takes for that is not what is tested


@pytest.fixture(autouse=True)
def nobody_left(cluster):
	"""A backend whose connection was cut goes on with its query."""
	end_servers(cluster)


def end_servers(cluster):
	cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
	until(lambda: cluster.backends() == 0, what="the server has closed the connections")


def last_error(w):
	"""The one error that a client reads before its end."""
	found = [m for m in w.ended() if m.type == "E"]
	assert len(found) == 1, [m.text for m in found]
	assert found[0].severity == "FATAL"
	return found[0]


SLEEPING = "usename = 'app' AND state = 'active' AND query LIKE 'SELECT pg_sleep%'"


def runs(cluster):
	until(lambda: cluster.backends(SLEEPING) == 1, what="the query runs")


def begin_query(w, pooler):
	w.send(query("SELECT pg_sleep(100)"))
	runs(pooler.cluster)


def begin_pipeline(w, pooler):
	w.send(statement("SELECT 1"), statement("SELECT pg_sleep(100)"), statement("SELECT 3"), sync())
	runs(pooler.cluster)


def begin_transaction(w, pooler):
	w.ask(query("BEGIN"))


def begin_query_in_transaction(w, pooler):
	w.ask(query("BEGIN"))
	begin_query(w, pooler)


SITUATIONS = {"query": begin_query, "pipeline": begin_pipeline, "transaction": begin_transaction,
	"query in a transaction": begin_query_in_transaction}
COMBINATIONS = [(mode, situation) for mode in MODES for situation in SITUATIONS
	if mode != "statement" or "transaction" not in situation]


def kill_query(cluster):
	"""As an administrator does; the session that somebody uses, and no other."""
	# an answer reaches the client before its backend is shown as it is then
	until(lambda: cluster.backends("state = 'idle in transaction' OR " + SLEEPING) == 1, what="it is in use")
	assert cluster.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle in transaction' "
		f"OR {SLEEPING}") == 1


# One server

@pytest.mark.parametrize("mode,situation", COMBINATIONS)
def test_killed_backend_is_told_in_its_own_words_to_its_client_only(start_pooler, cluster, mode, situation):
	pooler = start_pooler(pool_mode=mode)
	with pooler.login() as w, pooler.login() as other:
		assert other.value("SELECT 1") == "1"
		SITUATIONS[situation](w, pooler)
		kill_query(cluster)
		error = last_error(w)
		assert error.code == "57P01" and "terminating connection due to administrator command" in error.text
		assert other.value("SELECT 'mine'") == "mine"


@pytest.mark.parametrize("mode,situation", COMBINATIONS)
def test_cut_connection_is_told_with_facts_and_a_remedy(start_pooler, cluster, mode, situation):
	gate = Gate(cluster.port)
	try:
		pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, pool_mode=mode)
		with pooler.login() as w:
			SITUATIONS[situation](w, pooler)
			gate.cut()
			error = last_error(w)
			assert error.code in POOLERS_OWN and "server conn crashed?" in error.text
			detail = error.fields["D"]
			assert '"app"' in detail and "127.0.0.1" in detail and str(gate.port) in detail
			assert ("The query had been running for" in detail) == ("query" in situation or situation == "pipeline")
			assert ("in a transaction that was open for" in detail) == ("transaction" in situation)
			assert "Connect again" in error.fields["H"]
		assert pooler.serves()
	finally:
		gate.close()


# All servers at once

def three_clients(pooler):
	"""One with a query that runs, one in a transaction, one idle."""
	busy, inside, idle = pooler.login(), pooler.login(), pooler.login()
	assert idle.value("SELECT 1") == "1"
	inside.ask(query("BEGIN"))
	busy.send(query("SELECT pg_sleep(100)"))
	runs(pooler.cluster)
	return busy, inside, idle


def test_crash_of_one_backend_is_told_to_all_who_used_one(start_pooler, cluster):
	pooler = start_pooler(pool_mode="transaction", server_down_wait=PATIENCE)
	busy, inside, idle = three_clients(pooler)
	os.kill(cluster.value("SELECT pid FROM pg_stat_activity WHERE " + SLEEPING), signal.SIGKILL)
	error = last_error(busy)
	assert error.code in POOLERS_OWN and "server conn crashed?" in error.text
	error = last_error(inside)
	assert error.code == "57P02" and "terminating connection because of crash of another server process" in error.text
	assert "in a transaction that was open for" in error.fields["D"]
	idle.sock.settimeout(PATIENCE)
	assert idle.value("SELECT 'a pause'") == "a pause"
	until(cluster.is_ready, 30, "PostgreSQL has recovered")
	idle.close()


@pytest.mark.parametrize("number,words", [(signal.SIGINT, "terminating connection due to administrator command"),
	(signal.SIGQUIT, "terminating connection due to immediate shutdown command")], ids=["fast", "immediate"])
def test_stop_is_told_to_all_who_used_a_server_and_to_nobody_else(start_pooler, cluster, number, words):
	pooler = start_pooler(pool_mode="transaction", server_down_wait=PATIENCE)
	busy, inside, idle = three_clients(pooler)
	cluster.stop(number)
	try:
		for w in (busy, inside):
			error = last_error(w)
			assert error.code == "57P01" and words in error.text
		idle.send(query("SELECT 'a pause'"))
		assert silence(idle.sock, 1)
	finally:
		cluster.start()
	idle.sock.settimeout(PATIENCE)
	assert idle.until("Z")[1].row == ("a pause",)
	idle.close()


def test_smart_shutdown_ends_when_the_work_is_done(start_pooler, cluster):
	pooler = start_pooler(pool_mode="transaction", server_down_wait=PATIENCE, threads=1)
	process, w = cluster.process, pooler.login()
	inside, busy, held = pooler.login(), pooler.login(), pooler.login()
	for one in (inside, busy):
		one.ask(query("BEGIN"))
	process.send_signal(signal.SIGTERM)
	cluster.process = None
	try:
		held.send(query("SELECT 'later'"))
		until(lambda: "shutting down" in pooler.log(), what="a login is refused")
		# whoever is inside goes on to the end; then nobody gets that server any more
		for one in (inside, busy):
			assert one.value("SELECT 'in peace'") == "in peace"
			assert types(one.ask(query("COMMIT"))) == "CZ"
		assert process.wait(60) == 0
		assert silence(held.sock, 0.5)
	finally:
		if process.poll() is None:
			process.send_signal(signal.SIGINT)
			process.wait(60)
		cluster.start()
	held.sock.settimeout(PATIENCE)
	assert held.until("Z")[1].row == ("later",)
	for one in (w, inside, busy, held):
		one.close()


# Idle servers

@contextlib.contextmanager
def stopped(pooler):
	"""The pooler sees nothing meanwhile; afterwards it sees everything at once."""
	pooler.signal(signal.SIGSTOP)
	try:
		until(lambda: all_stopped(pooler.pid), what="all threads have stopped")
		yield
	finally:
		pooler.signal(signal.SIGCONT)


def all_stopped(pid):
	for task in os.listdir(f"/proc/{pid}/task"):
		with open(f"/proc/{pid}/task/{task}/stat") as f:
			if f.read().rpartition(")")[2].split()[0] != "T":
				return False
	return True


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("query_first", [True, False], ids=["query first", "death first"])
@pytest.mark.parametrize("mode", MODES)
def test_server_that_dies_as_the_query_comes_is_not_used(start_pooler, cluster, mode, query_first, threads):
	pooler = start_pooler(pool_mode=mode, threads=threads, default_pool_size=10)
	first = [pooler.login() for _ in range(4)]
	for w in first:
		w.send(query("SELECT pg_sleep(0.3)"))
	for w in first:
		w.until("Z")
		w.close()
	until(lambda: pooler.pool().get("sv_idle", 0) >= 1 and pooler.pool()["sv_active"] == 0, what="servers are idle")
	# for every other one the server's session parameters have to be set first
	clients = [pooler.login(**({"application_name": "other"} if n % 2 else {})) for n in range(8)]
	asked = query("SELECT 'once'") if mode != "session" else query("BEGIN; SELECT 'once'; COMMIT")
	with stopped(pooler):
		if not query_first:
			end_servers(cluster)
		for n, w in enumerate(clients):
			w.send(asked if n % 3 else statement("SELECT 'once'") + sync())
		if query_first:
			end_servers(cluster)
	for w in clients:
		found = w.until("Z")
		assert [m.row for m in found if m.type == "D"] == [("once",)], types(found)
		assert not any(m.type in "EN" for m in found)
		w.close()


@pytest.mark.parametrize("mode", MODES)
def test_idle_servers_that_the_server_closes_are_missed_by_nobody(start_pooler, cluster, mode):
	cluster.sql("ALTER ROLE app SET idle_session_timeout = '200ms'")
	try:
		pooler = start_pooler(pool_mode=mode)
		for _ in range(3):
			with pooler.login() as w:
				assert w.value("SELECT 1") == "1"
				if mode == "session":
					assert last_error(w).code == "57P05", "its own session is not idle for the pooler only"
				until(lambda: cluster.backends() == 0, what="the server has closed it")
				if mode != "session":
					assert w.value("SELECT 'again'") == "again"
			with pooler.login() as w:
				assert w.value("SELECT 'again'") == "again"
	finally:
		cluster.sql("ALTER ROLE app RESET idle_session_timeout")


# server_fast_close

def test_session_on_an_obsolete_server_ends_fast_if_it_shall(start_pooler, cluster):
	pooler = start_pooler(pool_mode="session", server_fast_close=1)
	with pooler.login() as idle, pooler.login() as inside:
		assert idle.value("SELECT 1") == "1"
		inside.ask(query("BEGIN"))
		pooler.console("RECONNECT app")
		assert "database configuration changed" in last_error(idle).text
		assert inside.value("SELECT 'in peace'") == "in peace"
		inside.send(query("COMMIT"))
		assert "database configuration changed" in last_error(inside).text


def test_session_on_an_obsolete_server_goes_on_by_default(start_pooler):
	pooler = start_pooler(pool_mode="session")
	with pooler.login() as w:
		pid = w.value("SELECT pg_backend_pid()")
		pooler.console("RECONNECT app")
		assert w.value("SELECT pg_backend_pid()") == pid


# A host that vanishes

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

RELAY = """
import socket, sys, threading
def pump(a, b):
	try:
		while data := a.recv(65536):
			b.sendall(data)
	except OSError:
		pass
listener = socket.create_server(("10.97.0.2", 5432))
print("ready", flush=True)
while True:
	near, _ = listener.accept()
	far = socket.socket(socket.AF_UNIX)
	far.connect(sys.argv[1])
	for pair in ((near, far), (far, near)):
		threading.Thread(target=pump, args=pair, daemon=True).start()
"""


def check(result):
	if result != 0:
		raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Machine:
	"""A network namespace without a name: it is gone when nobody is in it any more."""

	def __init__(self):
		with self._back_home():
			check(libc.unshare(CLONE_NEWNET))
			self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
			subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

	@contextlib.contextmanager
	def _back_home(self):
		home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
		try:
			yield
		finally:
			check(libc.setns(home, CLONE_NEWNET))
			os.close(home)

	@contextlib.contextmanager
	def inside(self):
		with self._back_home():
			check(libc.setns(self.fd, CLONE_NEWNET))
			yield

	def run(self, *command):
		with self.inside():
			subprocess.run(command, check=True)


@pytest.fixture
def far_server(cluster):
	"""(near machine, far machine): on the far one PostgreSQL answers at 10.97.0.2, port 5432. Needs root."""
	near, far, relay = Machine(), Machine(), None
	try:
		near.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", f"/proc/{os.getpid()}/fd/{far.fd}")
		for number, machine in ((1, near), (2, far)):
			machine.run("ip", "address", "add", f"10.97.0.{number}/24", "dev", "wire")
			machine.run("ip", "link", "set", "wire", "up")
		with far.inside():
			relay = subprocess.Popen([sys.executable, "-c", RELAY, f"{cluster.folder}/.s.PGSQL.{cluster.port}"], stdout=subprocess.PIPE)
			assert relay.stdout.readline() == b"ready\n"
		yield near, far
	finally:
		if relay is not None:
			relay.kill()
			relay.wait()
			relay.stdout.close()
		os.close(near.fd)
		os.close(far.fd)


def vanish(machine):
	for rule in ("table inet gone", "chain inet gone in { type filter hook input priority 0; policy drop; }",
			"chain inet gone out { type filter hook output priority 0; policy drop; }"):
		machine.run("nft", "add", *rule.split(" "))


@pytest.mark.long
def test_clients_of_a_host_that_vanishes_are_told(start_pooler, cluster, far_server):
	near, far = far_server
	with near.inside():
		pooler = start_pooler(databases={"app": "host=10.97.0.2 port=5432 dbname=app"})
		asking, waiting, idle = (pooler.login() for _ in range(3))
		for w in (asking, waiting, idle):
			assert w.value("SELECT 1") == "1"
		asking.ask(query("BEGIN"))
		waiting.send(query("SELECT pg_sleep(1000)"))
		runs(cluster)
		vanish(far)
		# one query is out there and acknowledged, one never arrives
		asking.send(query("SELECT 'never arrives'"))
		with Stopwatch() as watch:
			for w in (asking, waiting):
				w.sock.settimeout(120)
				error = last_error(w)
				assert error.code in POOLERS_OWN and "timed out" in error.text
				assert "Nothing has come from the server for" in error.fields["D"]
				assert "tcp_keepidle = 10, tcp_keepintvl = 5, tcp_keepcnt = 3" in error.fields["D"]
				assert "vanished" in error.fields["H"]
		# without the two watchmen it would be hours, and a quarter of an hour
		assert watch.seconds < 90
		until(lambda: pooler.pool()["sv_idle"] == 0, 90, "the idle server is given up")
		assert {row["tcp_keepidle"] for row in [{row["key"]: row["value"] for row in pooler.console("SHOW CONFIG")}]} == {"0"}
		for w in (asking, waiting, idle):
			w.close()
		pooler.stop()
