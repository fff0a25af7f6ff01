"""
Transfers between accounts by many clients that are killed at random, over few servers: money is neither made nor lost, nobody
reads another's rows, no limit is exceeded, and at the end nothing is left over.
"""

import os
import random
import threading
import time

import pytest

from conftest import LONG
from waiting import until
from wire import Closed, ServerError, query, statement, sync

ACCOUNTS = 1000
CLIENTS = 200
SERVERS = 15
SECONDS = 60 if LONG else 10


@pytest.fixture
def bank(cluster):
	cluster.sql("DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id int PRIMARY KEY, cents bigint NOT NULL); "
		f"INSERT INTO accounts SELECT n, 10000 FROM generate_series(1, {ACCOUNTS}) n; GRANT ALL ON accounts TO app", database="app")
	yield lambda: cluster.value("SELECT sum(cents)::bigint FROM accounts", database="app")
	cluster.sql("DROP TABLE accounts", database="app")


class WrongRow(Exception):
	"""A client read a row that was not meant for it."""


class Customer:
	"""One client: logs in, transfers, checks that every row it reads carries its own nonce, and starts anew when killed."""

	def __init__(self, pooler, stop):
		self.pooler = pooler
		self.stop = stop
		self.wire = None
		self.done = 0
		self.deaths = 0
		self.problem = None

	def run(self):
		while not self.stop.is_set():
			try:
				self.wire = self.pooler.login()
				while not self.stop.is_set():
					random.choice((self.by_simple_queries, self.by_one_string, self.by_pipeline))()
					self.done += 1
			except (Closed, OSError):
				self.deaths += 1
			except ServerError as e:
				if e.message.code not in ("40P01", "40001"):
					self.problem = e
					return
			except BaseException as e:
				self.problem = e
				return
			finally:
				if self.wire is not None:
					self.wire.close()

	def expect(self, answers, nonce):
		rows = [m.row for m in answers if m.type == "D"]
		errors = [m for m in answers if m.type == "E"]
		if errors:
			raise ServerError(errors[0])
		if any(row[0] != nonce for row in rows) or not rows:
			raise WrongRow(f"asked {nonce}, got {rows}")

	def by_simple_queries(self):
		nonce, (giver, taker), cents = os.urandom(8).hex(), pair(), random.randint(1, 100)
		self.wire.ask(query("BEGIN"))
		self.expect(self.wire.ask(query(f"UPDATE accounts SET cents = cents - {cents} WHERE id = {giver} RETURNING '{nonce}'")), nonce)
		self.expect(self.wire.ask(query(f"UPDATE accounts SET cents = cents + {cents} WHERE id = {taker} RETURNING '{nonce}'")), nonce)
		if random.random() < 0.1:
			self.wire.ask(query("ROLLBACK"))
		else:
			self.wire.ask(query("COMMIT"))

	def by_one_string(self):
		nonce, (giver, taker), cents = os.urandom(8).hex(), pair(), random.randint(1, 100)
		self.expect(self.wire.ask(query(
			f"BEGIN; UPDATE accounts SET cents = cents - {cents} WHERE id = {giver} RETURNING '{nonce}'; "
			f"UPDATE accounts SET cents = cents + {cents} WHERE id = {taker} RETURNING '{nonce}'; COMMIT")), nonce)

	def by_pipeline(self):
		nonce, (giver, taker), cents = os.urandom(8).hex(), pair(), random.randint(1, 100)
		change = "UPDATE accounts SET cents = cents + $1::bigint WHERE id = $2::int RETURNING $3::text"
		self.wire.send(statement(change, -cents, giver, nonce), statement(change, cents, taker, nonce), sync(),
			statement("SELECT $1::text", nonce), sync())
		self.expect(self.wire.until("Z"), nonce)
		self.expect(self.wire.until("Z"), nonce)

	def kill(self):
		wire = self.wire
		if wire is not None:
			try:
				wire.sock.shutdown(random.choice((1, 2)))
			except OSError:
				pass


def pair():
	"""Always in the same order, so that transfers do not lock each other out."""
	return sorted(random.sample(range(1, ACCOUNTS + 1), 2))


@pytest.mark.early
@pytest.mark.parametrize("threads", [pytest.param(2, marks=pytest.mark.pgweir), pytest.param(4, marks=pytest.mark.pgweir), 1])
def test_no_money_is_lost_while_clients_are_killed_at_random(start_pooler, cluster, bank, threads):
	pooler = start_pooler(threads=threads, default_pool_size=SERVERS, query_wait_timeout=60)
	before = bank()
	stop = threading.Event()
	customers = [Customer(pooler, stop) for _ in range(CLIENTS)]
	running = [threading.Thread(target=customer.run) for customer in customers]
	for thread in running:
		thread.start()
	most = 0
	try:
		ends = time.monotonic() + SECONDS
		while time.monotonic() < ends and not any(customer.problem for customer in customers):
			most = max(most, cluster.backends())
			for customer in random.sample(customers, 3):
				customer.kill()
			stop.wait(0.02)
	finally:
		stop.set()
		for thread in running:
			thread.join(30)
	assert [customer.problem for customer in customers if customer.problem] == []
	assert sum(customer.done for customer in customers) > 50 * SECONDS and sum(customer.deaths for customer in customers) > SECONDS
	until(lambda: cluster.backends("state <> 'idle'") == 0, what="no transaction is left open")
	assert bank() == before
	until(lambda: pooler.pool()["cl_active"] == 0 and pooler.pool()["sv_active"] == 0, what="no client and no server is left in use")
	servers = len(pooler.console("SHOW SERVERS"))
	assert servers <= SERVERS
	until(lambda: cluster.backends() == servers, what="every backend belongs to a server that the pooler knows")
	assert most == SERVERS
