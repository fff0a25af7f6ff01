"""What happens on the stage, and the figures of it."""

import collections
import re
import statistics
import time
from contextlib import closing

import psycopg2

from scene import DIRECT, OPEN, PAGE, SHOP, SHUT, URL, WEB, get
from waiting import until

USERS = 50
BLOCK = 10 # seconds on each of two ways, turn by turn


class Outage:
	"""
	pg_hba.conf does not let the pooler in; its users go on asking. After a while somebody adds the line that they were told, and
	does nothing else.

	requests   all, see Crowd       failed, served   those of them
	address    the pooler's container's, as PostgreSQL sees it
	line       that was printed and added      reloaded   when PostgreSQL had read it (time.monotonic())
	log, readyz, overview   what the pooler said in its log, and over HTTP, shortly before; log_after  at the end
	"""

	def __init__(self, scene, before=150, after=15):
		"""`before` requests with errors; `after` seconds from the remedy"""
		scene.cluster.set_hba(SHUT)
		scene.up("pgweir", "shop")
		self.address = scene.address()
		scene.shop_answers()
		crowd = scene.crowd(USERS, 3600)
		try:
			until(lambda: len(crowd.so_far()) >= before, 300, "users have had their answers")
			self.log = scene.log()
			self.readyz = get(f"{WEB}/readyz")
			self.overview = get(f"{WEB}/api/overview", PAGE) # the page is made of it
			self.line = scene.remedy(crowd.so_far()[-1]["error"])
			scene.allow(self.line)
			self.reloaded = time.monotonic()
			until(lambda: time.monotonic() > self.reloaded + after, after + 10)
		finally:
			self.requests = crowd.end()
		self.log_after = scene.log()
		self.failed = [r for r in self.requests if r["error"]]
		self.served = [r for r in self.requests if not r["error"]]

	def before(self):
		"""Requests that had their answer when the line was added."""
		return [r for r in self.requests if r["at"] + r["ms"] / 1000 < self.reloaded]

	def longest_failure_ms(self):
		return max(r["ms"] for r in self.failed)

	def back_after(self):
		"""Seconds from the remedy to the beginning of the last request that failed: whoever came later was served."""
		return max(0, max(r["at"] for r in self.failed) - self.reloaded)


class Comparison:
	"""Users who go through the pooler and straight to PostgreSQL, turn by turn: as long each way."""

	def __init__(self, scene, users, seconds=60, **variables):
		scene.cluster.set_hba(OPEN)
		scene.up("pgweir", "shop", "direct", **variables)
		for url in (SHOP, DIRECT):
			scene.shop_answers(url)
			until(lambda: get(f"{url}/customers/1").status == 200, 30, "the application has its database")
		self.users = users
		requests = scene.crowd(users, 2 * seconds, block=BLOCK, targets=(("pgweir", SHOP), ("direct", DIRECT))).wait()
		self.failed = [r for r in requests if r["error"]]
		self.ms = {way: sorted(r["ms"] for r in requests if r["target"] == way) for way in ("pgweir", "direct")}
		# the pooler's connections stay; those without one are opened and closed for each request
		self.connections = scene.cluster.backends("client_addr = %s", scene.address())

	def median(self, way):
		return statistics.median(self.ms[way])

	def p95(self, way):
		return self.ms[way][len(self.ms[way]) * 95 // 100]


class Hour:
	"""
	How it happened: the pooler has one connection left from better days, somebody's transaction holds it, and pg_hba.conf does
	not let it open another one. Users come for so many seconds, and each waits for an answer.
	"""

	def __init__(self, scene, seconds):
		scene.cluster.set_hba(OPEN)
		scene.up("pgweir", "shop")
		scene.up_anew()
		scene.shop_answers()
		until(lambda: get(f"{SHOP}/customers/1").status == 200, 30, "the application has its database")
		with closing(psycopg2.connect(URL)) as holder, holder.cursor() as cursor:
			cursor.execute("SELECT 1") # begins a transaction
			scene.cluster.set_hba(SHUT)
			self.requests = scene.crowd(USERS, seconds).wait()
		self.failed = [r for r in self.requests if r["error"]]
		self.served = [r for r in self.requests if not r["error"]]
		self.waits = sorted(r["ms"] / 1000 for r in self.failed)

	def words(self):
		"""What most of those read who failed: its first line."""
		first = collections.Counter(re.sub(r"^.*?FATAL: *", "", r["error"].split("\n")[0]) for r in self.failed)
		return first.most_common(1)[0][0]
