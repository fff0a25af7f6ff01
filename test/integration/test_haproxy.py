"""Three processes behind HAProxy, with the file that etc/haproxy has: cancel requests find their way, and a rolling restart fails no transaction."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import psycopg2
import pytest

from pooler import ROOT
from processes import Port, account, end, make_directory, start
from waiting import until
from wire import Wire, cancel, query, types

SAMPLE = os.path.join(ROOT, "etc", "haproxy", "haproxy.cfg")
SLOW = "SELECT pg_sleep(60)"
CANCELED = "57014"
pytestmark = pytest.mark.pgweir


def program():
	path = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
	assert path, "HAProxy is missing: apt-get install haproxy"
	return path


class Balancer:
	"""HAProxy with the sample file; only addresses, ports and the times of its checks are the test's."""

	def __init__(self, folder, servers):
		self.who = account("nobody", "daemon")
		self.folder = make_directory(os.path.join(folder, "haproxy"), self.who)
		self.held_port = Port()
		self.port = self.held_port.number
		self.socket = os.path.join(self.folder, "admin")
		self.config = os.path.join(self.folder, "haproxy.cfg")
		with open(SAMPLE) as f:
			text = f.read()
		for old, new in [("/run/haproxy/admin.sock", self.socket), ("bind :5432", f"bind 127.0.0.1:{self.port}"), ("inter 1s", "inter 100ms"),
				("maxconn 20000", "maxconn 1000"),
				*((rf"server pgweir-{n} \S+ port 9127", f"server pgweir-{n} 127.0.0.1:{pooler} port {http}")
				for n, (pooler, http) in enumerate(servers, 1))]:
			text, count = re.subn(old, new, text)
			assert count == 1, old
		with open(self.config, "w") as f:
			f.write(text)
		self.log_path = os.path.join(self.folder, "log")
		with open(self.log_path, "w") as log:
			self.process = start([program(), "-db", "-f", self.config], self.who, self.folder, log)

	def ask(self, command):
		with socket.socket(socket.AF_UNIX) as s:
			s.settimeout(10)
			s.connect(self.socket)
			s.sendall(command.encode() + b"\n")
			return b"".join(iter(lambda: s.recv(65536), b"")).decode()

	def states(self):
		"""UP, DOWN, DRAIN …, by server."""
		try:
			lines = self.ask("show stat").splitlines()
		except OSError:
			return {}
		rows = [dict(zip(lines[0].lstrip("# ").split(","), line.split(","))) for line in lines[1:] if line]
		return {row["svname"]: row["status"] for row in rows if row["pxname"] == "pgweir" and row["svname"] != "BACKEND"}

	def wait_up(self, count=3):
		until(lambda: self.process.poll() is not None or list(self.states().values()).count("UP") == count, 30, f"{count} processes are up")
		assert self.process.poll() is None, open(self.log_path).read()

	def stop(self):
		end(self.process, signal.SIGTERM, 20)
		self.held_port.close()


class Group:
	"""Three processes with ids 1 to 3."""

	def __init__(self, start_pooler, **settings):
		# a PostgreSQL that is slow for a while is not what this is about
		self.start_pooler, self.settings = start_pooler, dict({"server_down_wait": 60}, **settings)
		self.held = [Port() for _ in range(6)]
		self.ports = [port.number for port in self.held[:3]]
		self.http = [port.number for port in self.held[3:]]
		self.all = [self.start(n) for n in range(3)]

	def start(self, n):
		peers = {number: f"host=127.0.0.1 port={port}" for number, port in enumerate(self.ports, 1)}
		return self.start_pooler(listen_port=self.ports[n], http_listen=f"127.0.0.1:{self.http[n]}", peer_id=n + 1, peers=peers,
			**self.settings)

	def restart(self, n):
		"""As an orchestrator does it: SIGTERM, its end, the next one."""
		self.all[n].signal(signal.SIGTERM)
		until(lambda: not self.all[n].is_alive(), 60, "it ends")
		self.all[n].stop()
		self.all[n] = self.start(n)


@pytest.fixture
def start_group(start_pooler, folder, tmp_path):
	made = []

	def begin(**settings):
		group = Group(start_pooler, **settings)
		balancer = Balancer(folder, list(zip(group.ports, group.http)))
		made.extend([balancer.stop, *(port.close for port in group.held)])
		balancer.wait_up()
		return group, balancer

	yield begin
	for close in made:
		close()


def test_the_sample_file_is_what_haproxy_reads():
	done = subprocess.run([program(), "-c", "-f", SAMPLE], capture_output=True, text=True)
	assert done.returncode == 0 and "warning" not in done.stderr.lower(), done.stderr


def test_a_cancel_request_that_reaches_the_wrong_process_is_passed_on(start_group, cluster):
	_, balancer = start_group()
	with Wire(balancer.port).login("app") as client:
		client.send(query(SLOW))
		until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs")
		own = client.key[1] # the id of its process: layout of PgBouncer's keys
		balancer.ask(f"set server pgweir/pgweir-{own} state drain")
		for _ in range(3): # one of the two others, in turn
			cancel(balancer.port, client.key)
			answers = client.until("Z")
			assert (types(answers), answers[1].code) == ("TEZ", CANCELED)
			client.send(query(SLOW))
			until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs again")
		cancel(balancer.port, client.key)
		client.until("Z")


def test_a_process_that_leaves_is_noticed_before_it_refuses(start_group):
	group, balancer = start_group(drain_delay=100000)
	group.all[1].signal(signal.SIGTERM)
	until(lambda: balancer.states()["pgweir-2"].startswith("DOWN"), 30, "it is noticed")
	assert group.all[1].serves()
	for _ in range(10):
		with Wire(balancer.port).login("app") as client:
			assert client.key[1] != 2
	group.all[1].console("SET drain_delay = 0")
	until(lambda: not group.all[1].is_alive(), 30, "it ends")


class Worker:
	"""A client with a connection that lasts: transaction after transaction. Told to leave between two, it connects again; anything else is a failure."""

	def __init__(self, port, number, stop):
		self.port, self.number, self.stop = port, number, stop
		self.problems, self.done, self.connected = [], 0, 0
		self.step = "connect"
		self.thread = threading.Thread(target=self.run)
		self.thread.start()

	def run(self):
		while not self.stop.is_set() and not self.problems:
			self.step = "connect"
			try:
				self.session()
			except psycopg2.Error as e:
				if self.step != "begin": # nothing was begun: it is only told at the next word
					self.problems.append(f"client {self.number} at {self.step}: {e!r}")

	def session(self):
		conn = psycopg2.connect(host="127.0.0.1", port=self.port, dbname="app", user="app", connect_timeout=30)
		conn.autocommit = True
		self.connected += 1
		with conn.cursor() as cursor:
			while not self.stop.is_set():
				for self.step, statement in [("begin", "BEGIN"), ("insert", f"INSERT INTO rolled VALUES ({self.number})"), ("commit", "COMMIT")]:
					cursor.execute(statement)
				self.done += 1
		conn.close()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_rolling_restart_under_load_fails_no_transaction(start_group, cluster, mode):
	cluster.sql("CREATE TABLE rolled (n int)", database="app")
	cluster.sql("ALTER TABLE rolled OWNER TO app", database="app")
	group, balancer = start_group(pool_mode=mode, drain_delay=2, drain_timeout=0.5, default_pool_size=20, log_connections=0, log_disconnections=0)
	stop = threading.Event()
	workers = [Worker(balancer.port, n, stop) for n in range(8)]
	try:
		for n in range(3):
			begun = [worker.done for worker in workers]
			until(lambda: all(w.problems or w.done > before + 5 for w, before in zip(workers, begun)), 60, "everybody works")
			group.restart(n)
			balancer.wait_up()
	finally:
		stop.set()
		for worker in workers:
			worker.thread.join(60)
	assert [problem for worker in workers for problem in worker.problems] == []
	assert sum(worker.connected for worker in workers) > len(workers) # some were told to leave
	assert cluster.value("SELECT count(*) FROM rolled", database="app") == sum(worker.done for worker in workers)
	cluster.end_sessions()
	cluster.sql("DROP TABLE rolled", database="app")
