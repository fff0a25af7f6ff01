"""One process takes over from another on the same port: no client is refused or lost, and cancel requests find their way."""

import os
import random
import signal
import tempfile
import threading

import pytest

from pooler import PROGRAM, pgbouncer
from processes import Port, account, make_directory, start_filtering
from waiting import silence, until
from wire import Closed, Wire, cancel, query, types

CANCELED = "57014"
SLOW = "SELECT pg_sleep(60)"
pytestmark = pytest.mark.pgweir


class Storm:
	"""Clients that come, ask and go, as long as it lasts; some say nothing for a while after they have connected."""

	def __init__(self, port, count=6):
		self.port = port
		self.stop = threading.Event()
		self.problems = []
		self.served = 0
		self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]

	def __enter__(self):
		for thread in self.threads:
			thread.start()
		return self

	def __exit__(self, *_):
		self.stop.set()
		for thread in self.threads:
			thread.join(60)

	def run(self, number):
		while not self.stop.is_set():
			try:
				with Wire(self.port, seconds=20) as w:
					if number < 2:
						silence(w.sock, random.choice([0.1, 0.5, 0.9]))
					w.login("app")
					assert w.value("SELECT 'served'") == "served"
					self.served += 1
			except Exception as e:  # whatever it is, a client was not served
				self.problems.append(f"client {number}: {e!r}")
				return

	def goes_on(self, more=100):
		seen = self.served
		until(lambda: self.served > seen + more or self.problems, 60, f"{more} more clients are served")
		assert self.problems == []


class Row:
	"""Processes that follow each other on one port, with ids 1 and 2 in turn."""

	def __init__(self, start_pooler, folder):
		self.start_pooler = start_pooler
		self.held_port = Port()
		self.port = self.held_port.number
		self.folders = [make_directory(tempfile.mkdtemp(prefix="roll-", dir=folder), account("nobody", "daemon")) for _ in range(2)]
		self.turn = 0

	def next(self, program=PROGRAM):
		number = self.turn % 2
		self.turn += 1
		peers = {n + 1: f"host={place} port={self.port}" for n, place in enumerate(self.folders)}
		pooler = self.start_pooler(start_program=start_filtering, listen_port=self.port, so_reuseport=1, peer_id=number + 1, peers=peers,
			unix_socket_dir=self.folders[number], max_client_conn=1000, log_connections=0, log_disconnections=0, program=program)
		pooler.wait_log("process up")
		return pooler


@pytest.fixture
def row(start_pooler, folder):
	made = Row(start_pooler, folder)
	yield made
	made.held_port.close()


def served_by(port):
	"""The id of the process; 0: none, for PgBouncer resets who has just come when it closes its port."""
	try:
		with Wire(port).login("app") as client:
			assert client.value("SELECT 'served'") == "served"
			return client.key[1]
	except (ConnectionError, Closed):
		return 0


def has_ended(pooler):
	until(lambda: not pooler.is_alive(), 30, "the old process ends")
	pooler.stop()
	assert "client connections dropped, exiting" in pooler.log()


def test_no_client_is_lost_or_refused_while_processes_take_over(row):
	old = row.next()
	with Storm(row.port) as storm:
		for _ in range(2):
			storm.goes_on()
			new = row.next()
			storm.goes_on()
			old.signal(signal.SIGTERM)
			has_ended(old)
			if os.getuid() == 0:
				assert "could not turn clients away" not in old.log()
			storm.goes_on()
			old = new
	assert storm.problems == []


def test_old_clients_stay_served_and_cancellable_until_they_leave(row, cluster):
	old = row.next()
	with Wire(row.port).login("app") as client:
		client.ask(query("BEGIN"))
		row.next()
		old.signal(signal.SIGTERM)
		old.wait_log("got SIGTERM")
		until(lambda: Wire(row.port).login("app").key[1] == 2 and all(Wire(row.port).login("app").key[1] == 2 for _ in range(20)), 20,
			"newcomers meet the new process only")
		client.send(query(SLOW))
		until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs")
		cancel(row.port, client.key)
		answers = client.until("Z")
		assert (types(answers), answers[1].code, answers[-1].body) == ("TEZ", CANCELED, b"E")
		client.ask(query("ROLLBACK"))
		assert client.value("SELECT 'served'") == "served"
		assert old.is_alive()
	has_ended(old)


def test_the_new_process_is_reached_through_the_old_one_while_that_leaves(row, cluster):
	old = row.next()
	with Wire(row.port).login("app"):
		new = row.next()
		old.signal(signal.SIGTERM)
		old.wait_log("got SIGTERM")
		with Wire(row.port, new.settings["unix_socket_dir"]).login("app") as client:
			client.send(query(SLOW))
			until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs")
			cancel(row.port, client.key, old.settings["unix_socket_dir"])
			assert client.until("Z")[1].code == CANCELED
	has_ended(old)


@pytest.mark.parametrize("ours_first", [False, True], ids=["to us", "and back"])
def test_clients_stay_while_pgbouncer_hands_over(row, cluster, ours_first):
	old = row.next(PROGRAM if ours_first else pgbouncer())
	with Wire(row.port).login("app") as client:
		client.ask(query("BEGIN"))
		new = row.next(pgbouncer() if ours_first else PROGRAM)
		old.signal(signal.SIGTERM)
		old.wait_log("got SIGTERM")
		until(lambda: all(served_by(row.port) == 2 for _ in range(20)), 20, "newcomers meet the new process only")
		client.send(query(SLOW))
		until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs")
		cancel(row.port, client.key)
		answers = client.until("Z")
		assert (types(answers), answers[1].code) == ("TEZ", CANCELED)
		client.ask(query("ROLLBACK"))
		assert client.value("SELECT 'served'") == "served" and old.is_alive()
	has_ended(old)
	assert new.serves()


def test_without_others_on_the_port_it_closes_at_once(start_pooler):
	pooler = start_pooler()
	with pooler.login() as client:
		pooler.signal(signal.SIGTERM)
		pooler.wait_log("got SIGTERM")
		until(lambda: not pooler._accepts_or_died(), what="nobody new is let in")
		assert client.value("SELECT 'served'") == "served"
	has_ended(pooler)
