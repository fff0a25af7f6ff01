"""A cancel request ends the query that was meant, or none."""

import random
import select
import socket
import struct
import threading
import time

import pytest

from cluster import HELD
from conftest import THREADS
from gate import Gate
from waiting import until
from wire import CANCEL_REQUEST, ServerError, cancel, query, statement, sync, types

CANCELED = "57014"
SLOW = "SELECT pg_sleep(60)"


@pytest.fixture(params=THREADS, ids=lambda n: f"threads{n}")
def pooler(start_pooler, request):
	return start_pooler(threads=request.param, default_pool_size=6)


def running(cluster, text):
	return cluster.backends("state = 'active' AND query = %s", text)


def test_cancel_ends_the_running_query_and_nothing_else(pooler, cluster):
	with pooler.login() as w, pooler.login() as other:
		w.send(query("SELECT pg_sleep(60)"))
		other.send(query("SELECT pg_sleep(0.5), 'untouched'"))
		until(lambda: running(cluster, "SELECT pg_sleep(60)"), what="the query runs")
		cancel(pooler.port, w.key)
		answers = w.until("Z")
		assert (types(answers), answers[1].code) == ("TEZ", CANCELED)
		assert other.until("Z")[1].row == ("", "untouched")
		assert w.value("SELECT 'goes on'") == "goes on"


def test_cancel_in_a_transaction_leaves_it_failed(pooler, cluster):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: running(cluster, "SELECT pg_sleep(60)"), what="the query runs")
		cancel(pooler.port, w.key)
		assert w.until("Z")[-1].body == b"E"
		assert w.ask(query("ROLLBACK"))[-1].body == b"I"


def test_cancel_of_an_idle_client_does_nothing(pooler):
	with pooler.login() as w:
		w.value("SELECT 1")
		for _ in range(5):
			cancel(pooler.port, w.key)
		assert w.value("SELECT 'fine'") == "fine"


def test_cancel_of_a_client_idle_in_transaction_does_nothing(pooler):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		for _ in range(5):
			cancel(pooler.port, w.key)
		assert w.value("SELECT 'fine'") == "fine"


@pytest.mark.parametrize("change", [lambda key: bytes(8), lambda key: key[:7] + bytes([key[7] ^ 1]), lambda key: bytes([key[0] ^ 1]) + key[1:]],
	ids=["zeros", "last bit", "first byte"])
def test_cancel_with_a_wrong_key_does_nothing(pooler, cluster, change):
	with pooler.login() as w:
		with cluster.holding():
			w.send(query(HELD))
			until(lambda: running(cluster, HELD), what="the query runs")
			cancel(pooler.port, change(w.key))
		assert w.until("Z")[1].row == ("", "untouched")


def test_cancel_of_a_client_that_left_does_nothing(start_pooler):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as gone:
		gone.value("SELECT 1")
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(0.3), 'untouched'"))
		cancel(pooler.port, gone.key)
		assert w.until("Z")[1].row == ("", "untouched")


def test_cancel_of_a_waiting_client_never_hits_the_one_it_waits_for(start_pooler, cluster):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as holder, pooler.login() as waiting:
		with cluster.holding():
			holder.send(query(HELD))
			until(lambda: running(cluster, HELD), what="the query runs")
			waiting.send(query("SELECT 'mine'"))
			pooler.wait_waiting(1)
			cancel(pooler.port, waiting.key)
		assert holder.until("Z")[1].row == ("", "untouched")


@pytest.mark.pgweir
@pytest.mark.parametrize("request_", [query("SELECT 'mine'"), statement("SELECT 'mine'") + sync()], ids=["simple", "extended"])
def test_cancel_of_a_waiting_client_ends_its_waiting(start_pooler, cluster, request_):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as holder, pooler.login() as waiting:
		holder.send(query(SLOW))
		until(lambda: running(cluster, SLOW), what="the query runs")
		waiting.send(request_)
		pooler.wait_waiting(1)
		cancel(pooler.port, waiting.key)
		answers = waiting.until("Z")
		assert (types(answers), answers[0].severity, answers[0].code, answers[1].body) == ("EZ", "ERROR", CANCELED, b"I")
		assert pooler.pool()["cl_waiting"] == 0
		cancel(pooler.port, holder.key)
		assert holder.until("Z")[1].code == CANCELED
		assert waiting.value("SELECT 'goes on'") == "goes on"


@pytest.mark.pgweir
def test_cancel_of_a_waiting_client_concerns_one_request(start_pooler, cluster):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as holder, pooler.login() as waiting:
		holder.send(query(SLOW))
		until(lambda: running(cluster, SLOW), what="the query runs")
		waiting.send(query("SELECT 1"), query("SELECT 2"), query("SELECT 3")[:7])
		pooler.wait_waiting(1)
		cancel(pooler.port, waiting.key)
		assert types(waiting.until("Z")) == "EZ"
		cancel(pooler.port, waiting.key)
		assert types(waiting.until("Z")) == "EZ"
		cancel(pooler.port, waiting.key)
		waiting.send(query("SELECT 3")[7:])
		cancel(pooler.port, holder.key)
		assert waiting.until("Z")[1].row == ("3",)


def test_cancel_arrives_over_the_unix_socket_too(pooler, cluster):
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: running(cluster, "SELECT pg_sleep(60)"), what="the query runs")
		cancel(pooler.port, w.key, pooler.folder)
		assert w.until("Z")[1].code == CANCELED


class Target:
	"""Runs queries of different length and is cancelled at any moment. Knows when each query ran, and when each request with its
	key began and had closed."""

	def __init__(self, party, pooler, number):
		self.party = party
		self.pooler = pooler
		self.name = f"target {number}"
		self.key = None
		self.running_since = None
		self.requests = []  # [began, closed or None]
		self.hits = []  # (the query began, its error was there)

	def run(self):
		with self.pooler.login() as w:
			self.key = w.key
			while not self.party.stop.is_set():
				began = time.monotonic()
				try:
					row = w.rows(f"SELECT pg_sleep({random.choice((0, 0.001, 0.01, 0.1))}), '{self.name}'")[0]
					assert row[1] == self.name, "a row of another query"
				except ServerError as e:
					assert e.message.code == CANCELED, e
					self.hits.append((began, time.monotonic()))

	def cancel(self, pooler):
		request = [time.monotonic(), None]
		self.requests.append(request)
		cancel(pooler.port, self.key)
		request[1] = time.monotonic()

	def check(self):
		assert len(self.hits) <= len(self.requests), f"{self.name}: more queries were cancelled than requests were sent"
		for began, ended in self.hits:
			assert any(sent < ended and closed > began for sent, closed in self.requests), \
				f"{self.name}: a query was cancelled, but no request with its key was under way while it ran"


class Party:
	"""
	Targets are cancelled; bystanders share their servers and must never notice. By construction: a query that was hit in the
	place of another one is either a bystander's, or a target's while no request with its own key was under way.
	"""

	def __init__(self, *poolers, each=8):
		self.poolers = poolers
		self.stop = threading.Event()
		self.targets = [Target(self, poolers[n % len(poolers)], n) for n in range(each)]
		self.each = each
		self.problems = []
		self.answers = 0

	def bystander(self, number):
		name = f"bystander {number}"
		with self.poolers[number % len(self.poolers)].login() as w:
			while not self.stop.is_set():
				assert w.rows(f"SELECT pg_sleep({random.choice((0, 0, 0.002, 0.02))}), '{name}'")[0][1] == name, "a row of another query"
				self.answers += 1

	def request(self, number, requests, due, every):
		for _ in range(requests):
			due += every
			select.select([], [], [], max(0, due - time.monotonic()))
			if self.stop.is_set():
				return
			random.choice(self.targets).cancel(random.choice(self.poolers))

	def guarded(self, role, *arguments):
		try:
			role(*arguments)
		except BaseException as e:
			self.problems.append(f"{role.__qualname__} {arguments}: {e!r}")
			self.stop.set()

	def run(self, requests, per_second, askers=4):
		clients = [threading.Thread(target=self.guarded, args=(target.run,)) for target in self.targets]
		clients += [threading.Thread(target=self.guarded, args=(self.bystander, n)) for n in range(self.each)]
		for thread in clients:
			thread.start()
		try:
			until(lambda: self.problems or all(target.key for target in self.targets), what="everybody is there")
			began = time.monotonic()
			cancelling = [threading.Thread(target=self.guarded, args=(self.request, n, requests // askers, began + n / per_second,
				askers / per_second)) for n in range(askers)]
			for thread in cancelling:
				thread.start()
			for thread in cancelling:
				thread.join(90)
		finally:
			self.stop.set()
			for thread in clients:
				thread.join(20)
		assert self.problems == []
		for target in self.targets:
			target.check()
		assert sum(len(target.hits) for target in self.targets) > requests / 20 and self.answers > requests / 20


class LongRoad:
	"""A way to the server on which cancel requests take their time, as on a real network: what may go wrong does."""

	def __init__(self, cluster):
		self.server = ("127.0.0.1", cluster.port)
		self.gate = Gate(cluster.port)
		self.gate.playing(self.carry)
		self.line = f"host=127.0.0.1 port={self.gate.port}"

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.gate.close()

	def carry(self, near):
		with socket.create_connection(self.server) as far:
			first = near.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
			if first[4:] == struct.pack("!I", CANCEL_REQUEST):
				select.select([], [], [], random.uniform(0, 0.03))
			for s in (near, far):
				s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
			while True:
				for s in select.select([near, far], [], [])[0]:
					data = s.recv(1 << 16)
					if not data:
						return
					(far if s is near else near).sendall(data)


@pytest.fixture
def long_road(cluster):
	with LongRoad(cluster) as road:
		yield road


def is_calm(pooler):
	until(lambda: pooler.pool()["sv_active"] == 0 and pooler.pool()["sv_being_canceled"] == 0, what="all servers are free")


@pytest.mark.parametrize("threads", THREADS, ids=lambda n: f"threads{n}")
def test_300_cancels_hit_only_the_queries_that_were_meant(start_pooler, long_road, threads):
	pooler = start_pooler(threads=threads, default_pool_size=4, databases={"app": long_road.line})
	Party(pooler).run(300, 100)
	is_calm(pooler)


@pytest.mark.long
def test_100_cancels_per_second_for_a_minute_hit_only_the_queries_that_were_meant(start_pooler, long_road):
	pooler = start_pooler(threads=4, default_pool_size=4, databases={"app": long_road.line})
	Party(pooler).run(6000, 100)
	is_calm(pooler)
