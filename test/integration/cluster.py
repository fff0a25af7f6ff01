"""A private PostgreSQL: made once per session, thrown away at the end."""

import contextlib
import glob
import os
import signal
import subprocess
import tempfile

import psycopg2

from processes import Port, account, end, environment, identity, make_directory, start
from waiting import until

# a query that runs for as long as `holding` lasts
HELD = "SELECT pg_advisory_xact_lock(7), 'untouched'"

HBA = """\
local all all trust
host all postgres 127.0.0.1/32 trust
host all md5_user 127.0.0.1/32 md5
host all plain_user 127.0.0.1/32 password
host all free_user 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""

SETTINGS = """\
max_connections = 150
superuser_reserved_connections = 5
shared_buffers = 64MB
fsync = off
full_page_writes = off
synchronous_commit = off
autovacuum = off
log_min_messages = warning
log_connections = on
"""

ROLES = """\
SET password_encryption = 'scram-sha-256';
CREATE ROLE app LOGIN PASSWORD 'app';
CREATE ROLE other LOGIN PASSWORD 'other';
CREATE ROLE third LOGIN PASSWORD 'third';
CREATE ROLE free_user LOGIN;
CREATE ROLE plain_user LOGIN PASSWORD 'plain';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD 'md5';
"""


def find_programs():
	"""The folder with the server's programs: one on the PATH, else the newest of Debian's."""
	folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: -int(path.split("/")[4].split(".")[0]))
	for folder in os.environ.get("PATH", "").split(":") + folders:
		if all(os.access(os.path.join(folder, name), os.X_OK) for name in ("initdb", "postgres", "pg_isready")):
			return folder
	raise RuntimeError("no PostgreSQL server programs found (install the package postgresql)")


class Cluster:
	"""Its files are in a folder whose name begins like this; `settings` are lines of postgresql.conf beside those above;
	`programs` is the directory of the server's programs, by default Debian's newest."""

	def __init__(self, folder, name="postgres", settings="", addresses="127.0.0.1", hba=HBA, programs=None):
		self.tools = find_programs()
		self.programs = programs or self.tools
		self.who = account("postgres", "nobody")
		self.addresses = addresses
		self.hba = hba
		self.folder = make_directory(tempfile.mkdtemp(prefix=name + "-", dir=folder), self.who)
		self.data = os.path.join(self.folder, "data")
		self.log_path = os.path.join(self.folder, "log")
		self.held_port = Port() # also while it is stopped
		self.port = self.held_port.number
		self.settings = settings
		self.process = None

	def create(self):
		subprocess.run([f"{self.programs}/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"],
			check=True, stdout=subprocess.DEVNULL, cwd=self.folder, env=environment(self.folder), **identity(self.who))
		self.configure(SETTINGS + f"listen_addresses = '{self.addresses}'\nport = {self.port}\n"
			f"unix_socket_directories = '{self.folder}'\n" + self.settings)
		self._write_hba(self.hba)
		self.start()
		for statement in (ROLES, "CREATE DATABASE app OWNER app", "CREATE DATABASE second OWNER app"):
			self.sql(statement)

	def configure(self, lines):
		"""Adds to postgresql.conf; counts from the next start or reload."""
		with open(f"{self.data}/postgresql.conf", "a") as f:
			f.write(lines)

	def start(self):
		self.begin()
		until(self.is_ready, 30, "PostgreSQL accepts connections")

	def begin(self):
		"""Starts without waiting until connections are accepted."""
		with open(self.log_path, "a") as log:
			self.process = start([f"{self.programs}/postgres", "-D", self.data], self.who, self.folder, log, end_signal="QUIT")

	def is_ready(self):
		return self._readiness() == 0

	def is_rejecting(self):
		"""It answers, and it is no: starting up, shutting down, out of slots."""
		return self._readiness() == 1

	def _readiness(self):
		return subprocess.run([f"{self.tools}/pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]).returncode

	def create_file(self, name, text=""):
		"""A file of the server's in its data directory, readable by nobody else."""
		path = os.path.join(self.data, name)
		with open(path, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
			f.write(text)
		if os.getuid() == 0:
			os.chown(path, self.who.pw_uid, self.who.pw_gid)

	def log(self):
		with open(self.log_path, errors="replace") as f:
			return f.read()

	def stop(self, number=signal.SIGINT):
		"""SIGTERM: smart, SIGINT: fast, SIGQUIT: immediate."""
		if self.process is not None:
			end(self.process, number, 30)
			self.process = None

	def restart(self, number=signal.SIGINT):
		self.stop(number)
		self.start()

	def connect(self, database="postgres", user="postgres", **more):
		"""Straight to the server through its Unix socket, past any pooler."""
		conn = psycopg2.connect(host=self.folder, port=self.port, dbname=database, user=user, **more)
		conn.autocommit = True
		return conn

	def sql(self, statement, *values, database="postgres"):
		conn = self.connect(database)
		try:
			with conn.cursor() as cursor:
				cursor.execute(statement, values or None)
				return cursor.fetchall() if cursor.description else None
		finally:
			conn.close()

	def value(self, statement, *values, database="postgres"):
		return self.sql(statement, *values, database=database)[0][0]

	def backends(self, where="true", *values):
		"""Number of connections that did not come from these tests' own superuser."""
		return self.value("SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' "
			"AND usename <> 'postgres' AND " + where, *values)

	@contextlib.contextmanager
	def holding(self, database="app"):
		with contextlib.closing(self.connect(database)) as conn:
			conn.cursor().execute("SELECT pg_advisory_lock(7)")
			yield

	def end_sessions(self):
		"""Ends the connections that there are, such as those that a file's shared pooler keeps."""
		pids = [pid for pid, _ in self.sql("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
			"WHERE backend_type = 'client backend' AND usename <> 'postgres'")]
		until(lambda: self.value("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%s)", pids) == 0, what="the connections have ended")

	def end_queries(self):
		"""Ends what still runs for clients that have gone."""
		if self.process is not None:
			self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
				"WHERE backend_type = 'client backend' AND state = 'active' AND pid <> pg_backend_pid()")

	def set_hba(self, text):
		self._write_hba(text)
		self.reload()

	def reset_hba(self):
		self.set_hba(self.hba)

	def reload(self):
		before = self.value("SELECT pg_conf_load_time()")
		self.process.send_signal(signal.SIGHUP)
		until(lambda: self.value("SELECT pg_conf_load_time()") > before, what="PostgreSQL has reloaded")

	def _write_hba(self, text):
		with open(f"{self.data}/pg_hba.conf", "w") as f:
			f.write(text)
