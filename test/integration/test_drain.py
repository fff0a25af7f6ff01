"""A process that leaves: drain_delay, in which everything goes on, and drain_timeout, after which clients are told to leave without losing anything."""

import signal
import ssl
import threading

import psycopg2
import pytest

from certificates import Authority
from processes import account
from waiting import silence, until
from wire import SSL_REQUEST, Wire, copy_data, copy_done, query, startup_raw, statement, sync, types

TOLD = "terminating connection due to administrator command"
NEVER = 100000 # seconds
pytestmark = pytest.mark.pgweir


@pytest.fixture(params=[1, 4], ids=["one thread", "four threads"])
def threads(request):
	return request.param


def begins_to_leave(pooler, number=signal.SIGTERM):
	pooler.signal(number)
	pooler.wait_log("got SIG(TERM|INT)")


def has_ended(pooler):
	until(lambda: not pooler.is_alive(), 30, "the process ends")
	pooler.stop() # its exit status is 0


def told(w):
	"""Everything until the end, the last of which is the goodbye."""
	found = w.ended()
	assert found and found[-1].type == "E", found
	last = found.pop().fields
	assert (last["S"], last["C"], last["M"]) == ("FATAL", "57P01", TOLD)
	assert "pgweir is shutting down." in last["D"]
	assert last["H"].startswith("Connect again: another process behind the same address serves")
	return found


@pytest.fixture
def table(cluster):
	cluster.sql("CREATE TABLE drained (n int)", database="app")
	cluster.sql("ALTER TABLE drained OWNER TO app", database="app")
	yield "drained"
	cluster.end_sessions()
	cluster.sql("DROP TABLE drained", database="app")


# drain_delay


def test_during_the_delay_newcomers_are_served(start_pooler, threads):
	pooler = start_pooler(drain_delay=NEVER, threads=threads)
	with pooler.login() as old:
		begins_to_leave(pooler)
		pooler.wait_log(f"serving on for {NEVER} s \\(drain_delay\\)")
		assert pooler.serves()
		assert old.value("SELECT 'served'") == "served"
		pooler.console("RELOAD")
		pooler.console("PAUSE")
		pooler.console("RESUME")
		pooler.console("SET drain_delay = 0")
		until(lambda: not pooler._accepts_or_died(), what="nobody new is let in")
		assert old.value("SELECT 'served'") == "served"
		assert pooler.is_alive()
	has_ended(pooler)
	assert "client connections dropped, exiting" in pooler.log()


def test_the_delay_ends_by_itself(start_pooler):
	pooler = start_pooler(drain_delay=0.3)
	begins_to_leave(pooler)
	has_ended(pooler)


@pytest.mark.parametrize("first, second", [("TERM", "TERM"), ("TERM", "INT"), ("TERM", "QUIT"), ("INT", "TERM")])
def test_a_second_signal_ends_at_once(start_pooler, first, second):
	pooler = start_pooler(drain_delay=NEVER, drain_timeout=NEVER)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		begins_to_leave(pooler, signal.Signals[f"SIG{first}"])
		pooler.signal(signal.Signals[f"SIG{second}"])
		has_ended(pooler)
		assert "fast exit" in pooler.log()


def test_sigint_is_delayed_likewise(start_pooler):
	pooler = start_pooler(drain_delay=NEVER)
	with pooler.login() as busy:
		busy.ask(query("BEGIN"))
		begins_to_leave(pooler, signal.SIGINT)
		pooler.wait_log("serving on for")
		assert pooler.serves()
		pooler.console("SET drain_delay = 0")
		until(lambda: not pooler._accepts_or_died(), what="nobody new is let in")
		assert types(busy.ask(query("COMMIT"))) == "CZ"
		has_ended(pooler)
	assert "server connections dropped, exiting" in pooler.log()


def test_shutdown_wait_for_clients_is_delayed_likewise(start_pooler):
	pooler = start_pooler(drain_delay=NEVER)
	pooler.console("SHUTDOWN WAIT_FOR_CLIENTS")
	pooler.wait_log("serving on for")
	assert pooler.serves()
	pooler.console("SHUTDOWN WAIT_FOR_CLIENTS") # asked for again: at once
	has_ended(pooler)


# drain_timeout


@pytest.fixture
def start_leaving(start_pooler, threads):
	def start(**settings):
		return start_pooler(**dict({"drain_timeout": 0.2, "threads": threads}, **settings))
	return start


def test_idle_clients_are_told_and_transactions_may_end(start_leaving):
	pooler = start_leaving()
	idle = [pooler.login() for _ in range(20)]
	never_asked, in_transaction = pooler.login("other"), [pooler.login() for _ in range(5)]
	for w in idle:
		assert w.value("SELECT 1") == "1"
	for w in in_transaction:
		w.ask(query("BEGIN"))
	begins_to_leave(pooler)
	for w in [*idle, never_asked]:
		assert told(w) == []
	for w in in_transaction:
		assert w.value("SELECT 'served'") == "served"
	assert pooler.is_alive()
	for w in in_transaction:
		w.send(query("COMMIT"))
		assert types(told(w)) == "CZ"
	has_ended(pooler)
	assert "drain_timeout is over, telling clients outside of transactions to leave" in pooler.log()
	assert "pooler error" not in pooler.log() # nothing went wrong


def test_without_a_timeout_nobody_is_told(start_pooler):
	pooler = start_pooler()
	with pooler.login() as w:
		begins_to_leave(pooler)
		until(lambda: not pooler._accepts_or_died(), what="nobody new is let in")
		assert silence(w.sock, 1)
		assert w.value("SELECT 1") == "1"
	has_ended(pooler)


def test_the_timeout_may_be_set_meanwhile(start_pooler):
	pooler = start_pooler()
	with pooler.login() as w:
		begins_to_leave(pooler)
		until(lambda: not pooler._accepts_or_died(), what="nobody new is let in")
		pooler.settings["drain_timeout"] = 0.1
		pooler.write()
		pooler.signal(signal.SIGHUP)
		assert told(w) == []
	has_ended(pooler)


def test_who_waits_for_a_server_is_told_that_nothing_was_run(start_leaving):
	pooler = start_leaving(default_pool_size=1)
	with pooler.login() as holder, pooler.login() as waits:
		holder.ask(query("BEGIN"))
		waits.send(query("SELECT 'never run'"))
		pooler.wait_waiting(1)
		begins_to_leave(pooler)
		found = waits.ended()
		assert types(found) == "E" and "Nothing was run that this connection has sent since" in found[0].fields["D"]
		assert holder.value("SELECT 'served'") == "served"
		holder.send(query("ROLLBACK"))
		assert types(told(holder)) == "CZ"
	has_ended(pooler)


def test_error_sqlstate_changes_nothing(start_leaving):
	pooler = start_leaving(error_sqlstate="precise")
	with pooler.login() as w:
		begins_to_leave(pooler)
		assert told(w) == []
	has_ended(pooler)


def test_sessions_are_told_outside_of_transactions(start_leaving):
	pooler = start_leaving(pool_mode="session")
	with pooler.login() as idle, pooler.login() as listens, pooler.login() as busy:
		idle.value("SELECT 1")
		listens.ask(query("LISTEN news"))
		busy.ask(query("BEGIN"))
		begins_to_leave(pooler)
		assert told(idle) == []
		assert told(listens) == []
		assert busy.value("SELECT 'served'") == "served"
		busy.send(query("COMMIT"))
		assert types(told(busy)) == "CZ"
	has_ended(pooler)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_query_under_way_and_a_copy_come_to_their_end(start_leaving, table, mode):
	pooler = start_leaving(pool_mode=mode)
	with pooler.login() as slow, pooler.login() as copies:
		copies.send(query("COPY drained FROM STDIN"))
		copies.until("G")
		slow.send(query("SELECT count(*) FROM (SELECT pg_sleep(2)) AS s"))
		begins_to_leave(pooler)
		pooler.wait_log("drain_timeout is over")
		copies.send(copy_data(b"1\n"))
		copies.send(copy_data(b"2\n"), copy_done())
		found = told(copies)
		assert types(found) == "CZ" and found[0].tag == "COPY 2"
		found = told(slow)
		assert types(found) == "TDCZ" and found[1].row == ("1",)
	has_ended(pooler)


def test_a_pipeline_comes_to_its_end(start_leaving):
	pooler = start_leaving()
	with pooler.login() as w:
		w.send(*(statement(f"SELECT {n}, pg_sleep({0.5 if n == 0 else 0.02})") + sync() for n in range(50)))
		begins_to_leave(pooler)
		pooler.wait_log("drain_timeout is over")
		found = told(w)
		assert types(found) == "12TDCZ" * 50
		assert [m.row[0] for m in found if m.type == "D"] == [str(n) for n in range(50)]
	has_ended(pooler)


def test_who_is_connecting_and_silent_does_not_hold_it_up(start_leaving):
	pooler = start_leaving(tcp_defer_accept=0)
	with Wire(pooler.port), Wire(pooler.port) as half:
		half.send(b"\0\0")
		until(lambda: len(pooler.console("SHOW CLIENTS")) >= 1, what="it serves")
		begins_to_leave(pooler)
		has_ended(pooler)


def test_the_console_can_look_on_and_does_not_hold_it_up(start_leaving):
	pooler = start_leaving()
	watcher = Wire(pooler.port, pooler.folder).login("admin", "pgbouncer")
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		begins_to_leave(pooler)
		pooler.wait_log("drain_timeout is over")
		assert "D" in types(watcher.ask(query("SHOW CLIENTS")))
		w.send(query("COMMIT"))
		told(w)
	has_ended(pooler)
	watcher.close()


def test_the_log_says_who_is_still_there(start_leaving):
	pooler = start_leaving(default_pool_size=1, drain_timeout=0)
	with pooler.login() as busy, pooler.login() as waits, pooler.login():
		busy.ask(query("BEGIN"))
		waits.send(query("SELECT 1"))
		pooler.wait_waiting(1)
		begins_to_leave(pooler)
		pooler.wait_log("clients still here: 3; in transactions: 1, waiting for a server: 1", 30)
	has_ended(pooler)


def secured(pooler):
	w = pooler.wire()
	w.send(startup_raw(SSL_REQUEST.to_bytes(4, "big")))
	assert w.take(1) == b"S"
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
	context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
	w.sock = context.wrap_socket(w.sock)
	return w


def test_clients_with_tls_are_told(start_leaving, folder, threads):
	pair = Authority(folder, account("nobody", "daemon"), f"drain-{threads}").sign("pooler", "localhost")
	pooler = start_leaving(client_tls_sslmode="require", client_tls_cert_file=pair[0], client_tls_key_file=pair[1])
	with secured(pooler).login("app") as idle, secured(pooler).login("app") as busy:
		busy.ask(query("BEGIN"))
		begins_to_leave(pooler)
		assert told(idle) == []
		busy.send(query("COMMIT"))
		assert types(told(busy)) == "CZ"
	has_ended(pooler)


class Load:
	"""Clients that do one transaction after another, without a pause, until they are told to leave between two."""

	def __init__(self, pooler, count):
		self.problems, self.told, self.done = [], 0, 0
		self.threads = [threading.Thread(target=self.run, args=(pooler.connect(), number)) for number in range(count)]
		for thread in self.threads:
			thread.start()

	def run(self, conn, number):
		step = "connected"
		try:
			with conn.cursor() as cursor:
				while True:
					step = "begin"
					cursor.execute("BEGIN")
					step = "insert"
					cursor.execute("INSERT INTO drained VALUES (%s)", (number,))
					step = "commit"
					cursor.execute("COMMIT")
					self.done += 1
		except psycopg2.Error as e: # libpq keeps the goodbye to itself, as it does PostgreSQL's
			self.told += 1
			if step != "begin":
				self.problems.append(f"client {number} at {step}: {e!r}")

	def ends(self):
		for thread in self.threads:
			thread.join(60)
		return not any(thread.is_alive() for thread in self.threads)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_under_load_no_transaction_fails(start_leaving, cluster, table, mode):
	pooler = start_leaving(pool_mode=mode, default_pool_size=4 if mode == "transaction" else 20)
	load = Load(pooler, 12)
	until(lambda: load.done > 200 or load.problems, 30, "the load runs")
	begins_to_leave(pooler)
	assert load.ends()
	has_ended(pooler)
	assert load.problems == []
	assert load.told == 12
	assert cluster.value("SELECT count(*) FROM drained", database="app") == load.done
