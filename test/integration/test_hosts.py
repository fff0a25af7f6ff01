"""
Several hosts: a primary and a streaming standby. Which of them serves is target_session_attrs' to say, and a failover needs
neither restart nor RELOAD nor RECONNECT. Attempts go side by side, so a host that is silent costs a quarter of a second.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import threading

import psycopg2
import pytest

from cluster import Cluster
from netlab import SECOND, SERVER, Lab
from processes import environment, identity
from told import errors, first_client
from waiting import Stopwatch, silence, until
from wire import query

pytestmark = pytest.mark.pgweir

FIRST, OTHER, DEAD = "127.0.0.1", "127.0.0.2", "127.0.0.3"
HBA = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.0/8 trust\n"

# Classes of time, far apart: nobody waits for NEVER.
NEVER = 120
SOON = 30
WAIT = 0.5


class Standby(Cluster):
	"""A copy of another cluster that follows it, at another address with the same port."""

	def __init__(self, folder, of, **more):
		super().__init__(folder, hba=HBA, **more)
		self.of = of
		self.port = of.port

	def create(self):
		subprocess.run([f"{self.programs}/pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-h", self.of.folder,
			"-p", str(self.port), "-U", "postgres"], check=True, cwd=self.folder, env=environment(self.folder), **identity(self.who))
		self.configure(f"listen_addresses = '{self.addresses}'\nunix_socket_directories = '{self.folder}'\n")
		self.start()

	def promote(self):
		assert self.value("SELECT pg_promote()")


class Pair:
	"""A primary and its standby; after fail_over() the other way round."""

	def __init__(self, folder):
		self.folder = folder
		self.made = []

	def __enter__(self):
		try:
			self._create()
		except BaseException:
			self.close()
			raise
		return self

	def __exit__(self, *_):
		self.close()

	def _create(self):
		self.primary = self._add(Cluster(self.folder, "first", addresses=FIRST, hba=HBA))
		self.primary.sql("CREATE TABLE t (who text, number int)", database="app")
		self.primary.sql("GRANT ALL ON t TO app", database="app")
		self.port = self.primary.port
		self.standby = self._add(Standby(self.folder, self.primary, name="second", addresses=OTHER))

	def _add(self, cluster):
		self.made.append(cluster)
		cluster.create()
		return cluster

	def fail_over(self, number=signal.SIGQUIT):
		"""The primary is gone, and the standby takes its place."""
		self.primary.stop(number)
		self.standby.promote()
		self.primary, self.standby = self.standby, None

	def rejoin(self):
		"""Where the old primary was, there is a standby now."""
		gone = FIRST if self.primary.addresses == OTHER else OTHER
		self.standby = self._add(Standby(self.folder, self.primary, name=f"again{len(self.made)}", addresses=gone))

	def database(self, attrs, hosts=(FIRST, OTHER), more=""):
		return {"app": f"host={','.join(hosts)} port={self.port} dbname=app target_session_attrs={attrs} {more}"}

	def close(self):
		for cluster in self.made:
			with contextlib.suppress(AssertionError):
				cluster.stop(signal.SIGQUIT)
			shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def pair(folder):
	"""Nobody changes its roles."""
	with Pair(folder) as made:
		yield made


@pytest.fixture
def failing_pair(folder):
	with Pair(folder) as made:
		yield made


def address(w):
	return w.value("SELECT host(inet_server_addr())")


def backends_of(pooler):
	return {row["addr"]: row for row in pooler.console("SHOW BACKENDS")}


# Which host serves

SERVES = {"any": None, "read-write": FIRST, "read-only": OTHER, "primary": FIRST, "standby": OTHER, "prefer-standby": OTHER}


@pytest.mark.parametrize("hosts", [(FIRST, OTHER), (OTHER, FIRST)], ids=["primary first", "standby first"])
@pytest.mark.parametrize("attrs", SERVES)
def test_the_host_with_the_right_role_serves(start_pooler, pair, attrs, hosts):
	pooler = start_pooler(databases=pair.database(attrs, hosts, "load_balance_hosts=disable"))
	with pooler.login() as w, pooler.login() as second:
		w.ask(query("BEGIN"))
		assert address(w) == (SERVES[attrs] or hosts[0])
		assert address(second) == (SERVES[attrs] or hosts[0])
	roles = {addr: row["role"] for addr, row in backends_of(pooler).items()}
	assert roles[SERVES[attrs] or hosts[0]] == ("primary" if (SERVES[attrs] or hosts[0]) == FIRST else "standby")
	assert all(row["failures"] == 0 and row["failure_class"] is None for row in backends_of(pooler).values()), "both are well"
	wrong = pair.standby if SERVES[attrs] == FIRST else pair.primary if SERVES[attrs] == OTHER else None
	if wrong:
		until(lambda: wrong.backends() == 0, what="nothing is left of sessions at the wrong host")


def test_the_right_host_is_remembered(start_pooler, pair):
	pooler = start_pooler(databases=pair.database("primary", (OTHER, FIRST)))
	assert pooler.serves()
	logins = pair.standby.log().count("connection authorized: user=app")
	with pooler.login() as w, pooler.login() as second:
		w.ask(query("BEGIN"))
		assert address(w) == FIRST
		assert address(second) == FIRST
	assert pair.standby.log().count("connection authorized: user=app") == logins


def test_the_setting_holds_for_databases_that_say_nothing(start_pooler, pair):
	line = f"host={FIRST},{OTHER} port={pair.port} dbname=app"
	pooler = start_pooler(databases={"app": line, "writes": f"{line} target_session_attrs=read-write"}, target_session_attrs="standby")
	with pooler.login() as w, pooler.login(database="writes") as writer:
		assert address(w) == OTHER
		assert address(writer) == FIRST
	pooler.console("SET target_session_attrs = 'primary'")
	with pooler.login() as w:
		assert address(w) == FIRST


def test_prefer_standby_takes_a_primary_when_there_is_no_standby(start_pooler, pair):
	pooler = start_pooler(databases=pair.database("prefer-standby", (FIRST, DEAD)), server_down_wait=NEVER)
	with Stopwatch() as watch, pooler.login() as w:
		assert address(w) == FIRST
	assert watch.seconds < SOON


def test_no_host_fits_is_told_with_each_hosts_role(start_pooler, pair):
	pooler = start_pooler(databases=pair.database("primary", (OTHER, DEAD)), server_down_wait=WAIT, error_sqlstate="precise")
	told, _ = first_client(pooler)
	assert told.code == "57P03"
	assert f'no host of "{OTHER},{DEAD}" is a primary' in told.text
	assert f'"{OTHER}", port {pair.port}: is a standby' in told.fields["D"]
	assert f'"{DEAD}", port {pair.port}: connection refused' in told.fields["D"]
	assert "target_session_attrs" in told.fields["H"]
	assert "no_fitting_host" in {row["class"] for row in pooler.console("SHOW ERRORS")}
	assert backends_of(pooler)[OTHER]["state"] == "up"


def test_a_server_that_takes_no_writes_any_more_is_let_go(start_pooler, pair):
	pooler = start_pooler(databases=pair.database("read-write", (FIRST,)), server_down_wait=NEVER)
	pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on")
	try:
		with pooler.login() as w:
			w.ask(query("SET default_transaction_read_only = off"))
			pair.primary.reload()
			w.ask(query("BEGIN READ ONLY"))
			assert "25006" in {m.code for m in errors(w.ask(query("INSERT INTO t VALUES ('x', 1)")))}
			assert pooler.pool()["sv_active"] == 1, "not in the middle of a transaction"
			w.ask(query("ROLLBACK"))
			until(lambda: pooler.pool()["sv_idle"] + pooler.pool()["sv_active"] == 0, what="the server is closed")
			w.send(query("INSERT INTO t VALUES ('x', 2)"))
			assert silence(w.sock, WAIT), "held: there is no host that takes writes"
			pair.primary.sql("ALTER SYSTEM RESET default_transaction_read_only")
			pair.primary.reload()
			assert not errors(w.until())
	finally:
		pair.primary.sql("ALTER SYSTEM RESET default_transaction_read_only")
		pair.primary.reload()


# Failover

class Writers:
	"""Clients that write without pause. Half of them come anew for each transaction; a client that was told goes on as well."""

	def __init__(self, pooler, count=8):
		self.pooler = pooler
		self.ending = threading.Event()
		self.since = [0] * count  # how often each has written since the last look
		self.threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]

	def __enter__(self):
		for thread in self.threads:
			thread.start()
		return self

	def __exit__(self, *_):
		self.ending.set()
		for thread in self.threads:
			thread.join(NEVER)

	def _write(self, number):
		conn = None
		while not self.ending.is_set():
			try:
				conn = conn or self.pooler.connect()
				with conn.cursor() as cursor:
					cursor.execute("INSERT INTO t VALUES (%s, 1)", (f"writer {number}",))
				self.since[number] += 1
				if number % 2:
					conn.close()
					conn = None
			except psycopg2.Error:
				conn = None

	def all_write(self):
		self.since[:] = [0] * len(self.since)
		until(lambda: all(self.since), SOON, "every client writes")


def test_a_failover_under_load_needs_no_help(start_pooler, failing_pair):
	pair = failing_pair
	pooler = start_pooler(databases=pair.database("read-write"), server_down_wait=NEVER)
	with pooler.login() as idle, Writers(pooler) as writers:
		assert address(idle) == FIRST
		writers.all_write()
		pair.fail_over()
		writers.all_write()
		assert address(idle) == OTHER, "between transactions nobody notices"
		pair.rejoin()
		assert pooler.serves()
		writers.all_write()
		pair.fail_over(signal.SIGINT)
		writers.all_write()
		assert address(idle) == FIRST, "and back again"
	assert backends_of(pooler)[FIRST]["role"] == "primary"


def test_clients_wait_until_a_standby_is_promoted(start_pooler, failing_pair):
	pair = failing_pair
	pooler = start_pooler(databases=pair.database("primary"), server_down_wait=NEVER)
	with pooler.login() as w:
		assert address(w) == FIRST
		pair.primary.stop(signal.SIGQUIT)
		w.send(query("SELECT host(inet_server_addr())"))
		assert silence(w.sock, WAIT)
		pair.standby.promote()
		assert w.until()[1].row == (OTHER,)


def test_a_promoted_standby_is_let_go_when_it_comes_free(start_pooler, failing_pair):
	pair = failing_pair
	pooler = start_pooler(databases=pair.database("standby"), server_down_wait=NEVER)
	with pooler.login() as w:
		assert address(w) == OTHER
		pair.standby.promote()
		w.ask(query("BEGIN"))
		assert address(w) == OTHER, "its transactions come to their end"
		w.ask(query("COMMIT"))
		pooler.wait_log("role of the server has changed")
		until(lambda: backends_of(pooler)[OTHER]["role"] == "primary", what="the pooler knows")
		pair.primary.stop(signal.SIGQUIT)
		pair.primary, pair.standby = pair.standby, None
		pair.rejoin()
		assert address(w) == FIRST


# Attempts side by side

@pytest.fixture(scope="module")
def lab(folder):
	path = os.path.join(folder, "hosts")
	os.mkdir(path)
	with Lab(path) as made:
		yield made


@pytest.fixture
def start_behind(start_pooler, lab):
	def start(host, more="", **settings):
		return start_pooler(databases={"app": f"host={host} port={lab.port} dbname=app {more}"}, listen_addr="*",
			start_program=lab.start, **settings)

	lab.repair()
	with lab.pooler.inside():
		yield start
	lab.repair()


@pytest.mark.root
@pytest.mark.parametrize("balance", ["disable", "round-robin"])
def test_a_silent_host_costs_a_moment_not_its_timeout(start_behind, lab, balance):
	lab.drop(SERVER)
	pooler = start_behind(f"{SERVER},{SECOND}", f"load_balance_hosts={balance}", server_connect_timeout=NEVER, server_down_wait=NEVER)
	before = lab.attempts()
	with Stopwatch() as watch, pooler.login() as w:
		w.ask(query("BEGIN"))
		assert address(w) == SECOND
		first = lab.attempts() - before
		assert first >= 2, "the first one was tried, too"
		assert backends_of(pooler)[SERVER]["state"] == "slow"
		with pooler.login() as second:
			assert address(second) == SECOND
			assert lab.attempts() - before == first + 1, "the next one begins at the one that answers"
			assert lab.cluster.backends() == 2
	assert watch.seconds < SOON


@pytest.mark.root
def test_a_silent_host_that_is_alone_is_waited_for(start_behind, lab):
	lab.drop(SERVER)
	pooler = start_behind(SERVER, server_connect_timeout=2, server_down_wait=NEVER)
	with pooler.wire() as w:
		w.begin("app", "app")
		assert silence(w.sock, WAIT)
		lab.repair()
		w.finish_login("app", "app")
		assert address(w) == SERVER


@pytest.mark.root
def test_with_disable_the_host_that_has_worked_is_kept(start_behind, lab):
	pooler = start_behind(f"{SERVER},{SECOND}", "load_balance_hosts=disable", server_down_wait=NEVER)
	lab.refuse(SERVER)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		assert address(w) == SECOND
		lab.repair()
		with pooler.login() as second:
			second.ask(query("BEGIN"))
			assert address(second) == SECOND, "as in PgBouncer: only a failure makes it go on to the next"
			lab.refuse(SECOND)
			with pooler.login() as third:
				assert address(third) == SERVER
