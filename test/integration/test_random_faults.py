"""
Random faults and repairs under load. Whatever happened: nobody is told twice, nobody gets another's answer, nobody
waits for ever, the log adds up to who was told, and when the fault is over everybody is served by no more servers than the pools
may have.
"""

import json
import random
import threading

import pytest

from gate import error
from waiting import until
from wire import Closed, ServerError, query

pytestmark = pytest.mark.pgweir

CLIENTS = 24
SIZE = 3

FAULTS = {
	"refused": lambda gate: gate.refused(),
	"dropped": lambda gate: gate.dropped(),
	"silent": lambda gate: gate.silent(),
	"closed": lambda gate: gate.closed(),
	"starting up": lambda gate: gate.saying(error("57P03", "the database system is starting up")),
	"shutting down": lambda gate: gate.saying(error("57P03", "the database system is shutting down")),
	"no slots": lambda gate: gate.saying(error("53300", "sorry, too many clients already")),
	"no entry": lambda gate: gate.saying(error("28000", 'no pg_hba.conf entry for host "10.0.0.1", user "app", database "app", no encryption')),
	"not PostgreSQL": lambda gate: gate.saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
	"half a packet": lambda gate: gate.saying(b"R\0\0\0\x17\0\0"),
	"lost": lambda gate: gate.cut(),
	"repaired": lambda gate: gate.open(),
}


class Client(threading.Thread):
	"""Asks and asks; whenever it is told no, it comes again."""

	def __init__(self, pooler, number):
		super().__init__(daemon=True)
		self.pooler = pooler
		self.number = number
		self.user = ("app", "other")[number % 2]
		self.dice = random.Random(number)
		self.stopping = threading.Event()
		self.answered = self.told = self.in_a_row = 0
		self.wrong = None

	def run(self):
		try:
			while not self.stopping.is_set():
				self.session()
		except BaseException as e: # whatever it is belongs into the verdict of the test
			self.wrong = f"client {self.number}: {e!r}"

	def session(self):
		w = self.pooler.wire(seconds=60)
		try:
			w.login(self.user, "app")
			while not self.stopping.is_set():
				if not self.exchange(w):
					self.told += 1
					self.in_a_row = 0
					return
				self.answered += 1
				self.in_a_row += 1
		except ServerError:
			self.told += 1
			self.in_a_row = 0
		finally:
			w.close()

	def exchange(self, w):
		"""A few statements; False if it was told that they cannot be done."""
		nonce = f"{self.number}-{self.dice.getrandbits(40)}"
		statements = self.dice.choice((["SELECT '{}'"], ["BEGIN", "SELECT '{}'", "COMMIT"], ["SELECT '{}'", "SELECT '{}'"]))
		expected = len(statements)
		w.send(b"".join(query(sql.format(nonce)) for sql in statements))
		while expected > 0:
			m = w.read()
			if m.type == "D":
				assert m.row == (nonce,), f"the answer to {nonce} is {m.row}"
			elif m.type == "Z":
				expected -= 1
			elif m.type == "E":
				assert m.severity == "FATAL", m.fields
				rest = [x for x in w.ended() if x.type == "E"]
				assert not rest, f"told twice: {m.text}; {rest[0].text}"
				return False
		return True


@pytest.mark.parametrize("threads,seed", [(1, 1), (3, 2), pytest.param(4, 3, marks=pytest.mark.long), pytest.param(1, 4, marks=pytest.mark.long)])
def test_random_faults_and_repairs(start_pooler, gate, cluster, threads, seed):
	pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port} dbname=app"}, auth_type="scram-sha-256", default_pool_size=SIZE,
		server_down_wait=0.3, server_login_retry=1, server_connect_timeout=2, threads=threads, log_format="json")
	dice = random.Random(seed)
	clients = [Client(pooler, n) for n in range(CLIENTS)]
	outcomes = lambda: sum(c.answered + c.told for c in clients)
	for c in clients:
		c.start()
	try:
		for step in range(30):
			name = dice.choice(list(FAULTS))
			before = outcomes()
			FAULTS[name](gate)
			if dice.random() < 0.5:
				gate.cut()
			until(lambda: outcomes() >= before + 5, 60, f"clients hear something (seed {seed}, step {step}: {name})")
		gate.open()
		for c in clients:
			c.in_a_row = 0
		until(lambda: all(c.in_a_row > 2 or c.wrong for c in clients), 60, f"all are served (seed {seed})")
	finally:
		for c in clients:
			c.stopping.set()
		for c in clients:
			c.join(70)
	assert [c.wrong for c in clients if c.wrong] == []
	assert sum(c.told for c in clients) > 0 and sum(c.answered for c in clients) > 0

	for user in ("app", "other"):
		until(lambda: (pooler.pool(user=user)["cl_active"], pooler.pool(user=user)["cl_waiting"]) == (0, 0), what="all clients have gone")
		pool = pooler.pool(user=user)
		assert pool["sv_active"] == pool["sv_login"] == 0 and pool["sv_idle"] <= SIZE
	held = lambda: cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE usename IN ('app', 'other')")[0][0]
	until(lambda: held() == sum(pooler.pool(user=user)["sv_idle"] for user in ("app", "other")), what="PostgreSQL has the servers that the pools count")

	def said():
		"""How many clients the log has as told, one by one and in sums."""
		found = [json.loads(line) for line in pooler.log().splitlines() if '"client' in line]
		return sum(r.get("count", 1) for r in found if r.get("event") in ("client_told", "clients_told"))

	told = sum(c.told for c in clients)
	until(lambda: said() == told, what=f"the log adds up to {told}")
