"""The program under test: $POOLER, by default build/pgweir. Writes its files, runs it in the foreground, reads its log."""

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import psycopg2

from processes import Port, account, end, make_directory, start
from waiting import until
from wire import Wire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("POOLER") or os.path.join(ROOT, "build", "pgweir"))

USERS = {"app": "app", "other": "other", "third": "third", "free_user": "", "plain_user": "plain", "md5_user": "md5",
	"admin": "admin", "stats": "stats", "postgres": "postgres"}


@functools.cache
def is_pgweir(program=PROGRAM):
	"""Whether a program is ours: then it may be told how many threads to use."""
	version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
	return "pgweir" in version


def is_for_windows():
	"""Whether it is pgweir.exe in build-aux/wine-lab: without Unix sockets, and with its own signals only."""
	return "WINDOWS_LAB" in os.environ


def is_sanitized():
	"""Whether the program was built with a sanitizer, which needs several times the memory."""
	with open(PROGRAM, "rb") as f:
		content = f.read()
	return b"__asan_init" in content or b"__tsan_init" in content


def pgbouncer():
	"""Where PgBouncer 1.26 is, or None."""
	try:
		done = subprocess.run([os.path.join(ROOT, "build-aux", "get-pgbouncer")], capture_output=True, text=True, timeout=300)
	except (OSError, subprocess.TimeoutExpired):
		return None
	return done.stdout.strip() if done.returncode == 0 else None


def quoted(value):
	return '"' + value.replace('"', '""') + '"'


class Pooler:
	"""
	settings       [pgbouncer] settings beside the defaults below; None removes one
	databases      {name: "host=… port=…"}; "HERE" stands for the private server's host and port
	users          {name: "pool_size=…"} for [users]
	peers          {id: "host=… port=…"} for [peers]
	secrets        {name: secret} for userlist.txt beside USERS; None removes one
	descriptors    its limit of open files, ours if None
	start_program  what starts it; by default processes.start
	program        another one than the one under test
	"""

	def __init__(self, cluster, folder, databases=None, users=None, secrets=None, peers=None, threads=None, descriptors=None,
			start_program=start, program=PROGRAM, **settings):
		self.cluster = cluster
		self.start_program = start_program
		self.who = account("nobody", "daemon")
		self.folder = make_directory(tempfile.mkdtemp(prefix="pooler-", dir=folder), self.who)
		self.held_port = Port()
		self.port = settings.get("listen_port") or self.held_port.number
		self.ini = os.path.join(self.folder, "pooler.ini")
		self.userlist = os.path.join(self.folder, "userlist.txt")
		self.log_path = os.path.join(self.folder, "log")
		self.databases = databases or {"app": "HERE", "second": "HERE"}
		self.users = users or {}
		self.peers = peers or {}
		self.command = ["prlimit", f"--nofile={descriptors}", "--", program] if descriptors else [program]
		self.secrets = {name: secret for name, secret in dict(USERS, **(secrets or {})).items() if secret is not None}
		self.settings = {
			"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": self.folder, "auth_type": "trust",
			"auth_file": self.userlist, "admin_users": "admin", "stats_users": "stats", "pool_mode": "transaction",
			"max_prepared_statements": 0, "max_client_conn": 1000, "default_pool_size": 20}
		if is_pgweir(program):
			self.settings["threads"] = threads or os.environ.get("PGWEIR_THREADS", "2")
		if is_for_windows():
			self.settings["unix_socket_dir"] = ""
		self.settings.update(settings)
		self.process = None
		self.expect_status = 0

	# Files.

	def text(self):
		here = f"host=127.0.0.1 port={self.cluster.port}"
		lines = ["[databases]"]
		lines += [f"{name} = {line.replace('HERE', here)}" for name, line in self.databases.items()]
		if self.users:
			lines += ["[users]"] + [f"{name} = {line}" for name, line in self.users.items()]
		if self.peers:
			lines += ["[peers]"] + [f"{number} = {line}" for number, line in self.peers.items()]
		lines += ["[pgbouncer]"] + [f"{key} = {value}" for key, value in self.settings.items() if value is not None]
		return "\n".join(lines) + "\n"

	def write(self, text=None):
		with open(self.userlist, "w") as f:
			f.writelines(f"{quoted(name)} {quoted(secret)}\n" for name, secret in self.secrets.items())
		os.chmod(self.userlist, 0o600) # else the log says who may read it
		if os.getuid() == 0:
			os.chown(self.userlist, self.who.pw_uid, self.who.pw_gid)
		with open(self.ini, "w") as f:
			f.write(text or self.text())

	# Life.

	def start(self):
		self.write()
		with open(self.log_path, "a") as log:
			self.process = self.start_program([*self.command, self.ini], self.who, self.folder, log)
		until(self._accepts_or_died, 20, "the pooler accepts connections")
		if self.process.poll() is not None:
			status, self.process = self.process.returncode, None
			raise AssertionError(f"the pooler ended with status {status}:\n{self.log()}")
		if self.settings["unix_socket_dir"] == self.folder:
			self._wait_unix_socket()
		return self

	def _wait_unix_socket(self):
		"""It listens there behind TCP, or not at all, if sockets were passed to it: that is not waited for long."""
		with contextlib.suppress(AssertionError):
			until(lambda: self.process.poll() is not None or self._listens_on_unix_socket(), 2)

	def _listens_on_unix_socket(self):
		with open("/proc/thread-self/net/unix") as f:
			return any(line.split()[3] == "00010000" and line.rstrip().endswith(f"{self.folder}/.s.PGSQL.{self.port}") for line in f)

	def _accepts_or_died(self):
		if self.process.poll() is not None:
			return True
		try:
			socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
			return True
		except OSError:
			return False

	def stop(self, number=signal.SIGQUIT):
		"""Ends it and checks how it ended, sanitizers' reports included."""
		if self.process is None:
			return
		status = end(self.process, number, 20)
		self.process = None
		log = self.log()
		assert status == self.expect_status, f"exit status {status}\n{log[-4000:]}"
		for sign in ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:", "Assertion"):
			assert sign not in log, log[log.index(sign) - 200:][:4000]

	def discard(self):
		self.held_port.close()
		shutil.rmtree(self.folder, ignore_errors=True)

	def signal(self, number):
		self.process.send_signal(number)

	@property
	def pid(self):
		return self.process.pid

	def is_alive(self):
		return self.process.poll() is None

	def log(self):
		with open(self.log_path, errors="replace") as f:
			return f.read()

	def wait_log(self, pattern, seconds=10):
		return until(lambda: re.search(pattern, self.log()), seconds, f"the log says {pattern!r}")

	# Clients.

	def dsn(self, database="app", user="app", password=None):
		return f"postgresql://{user}:{password or user}@127.0.0.1:{self.port}/{database}"

	def connect(self, database="app", user="app", password=None, **more):
		"""psycopg2, without transactions of its own."""
		conn = psycopg2.connect(host="127.0.0.1", port=self.port, dbname=database, user=user,
			password=password or USERS.get(user) or user, **more)
		conn.autocommit = True
		return conn

	def wire(self, **more):
		return Wire(self.port, **more)

	def login(self, user="app", database="app", password=None, **parameters):
		"""A raw client that is logged in."""
		return Wire(self.port).login(user, database, USERS.get(user, user) if password is None else password, **parameters)

	def console(self, command, user="admin"):
		"""One console command: rows as dictionaries."""
		conn = self.connect("pgbouncer", user)
		try:
			with conn.cursor() as cursor:
				cursor.execute(command)
				if cursor.description is None:
					return []
				names = [column.name for column in cursor.description]
				return [dict(zip(names, row)) for row in cursor.fetchall()]
		finally:
			conn.close()

	def pool(self, database="app", user="app"):
		"""Its row of SHOW POOLS, or an empty one."""
		for row in self.console("SHOW POOLS"):
			if (row["database"], row["user"]) == (database, user):
				return row
		return {}

	def wait_waiting(self, count, database="app", user="app"):
		until(lambda: self.pool(database, user).get("cl_waiting") == count, what=f"{count} clients wait")

	def serves(self, user="app", database="app"):
		"""A new client gets an answer to its query."""
		with self.login(user, database) as w:
			return w.value("SELECT 41 + 1") == "42"


def end_all(poolers):
	"""Ends and removes them; returns what went wrong with any."""
	problems = []
	for pooler in poolers:
		try:
			pooler.stop()
		except AssertionError as e:
			problems.append(f"{e}\n{pooler.log()[-4000:]}")
		pooler.discard()
	return problems
