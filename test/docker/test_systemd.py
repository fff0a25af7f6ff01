"""
Debian's packages under a real systemd: what that is told and what it does then, and the place of PgBouncer taken and given back by
apt alone.
"""

import subprocess

import pytest

from lab import DOCKER, until

MACHINE = ("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run",
	"--tmpfs", "/run/lock", "--tmpfs", "/tmp", "--env", "container=docker")

INI = """\
[databases]
* = host=db
[pgbouncer]
listen_addr = *
auth_type = scram-sha-256
auth_file = {directory}/userlist.txt
admin_users = app
pool_mode = transaction
"""


class Machine:
	"""With Debian's PgBouncer, which does not run, and pgweir installed."""

	def __init__(self, container):
		self.container = container
		self.connect, self.value, self.console = container.connect, container.value, container.console
		until(lambda: self.systemctl("is-system-running", status=None) == "running", 120, "systemd is up")
		self.systemctl("stop", "pgbouncer")

	def run(self, *command, status=0):
		return self.container.run(*command, status=status)

	def systemctl(self, *arguments, status=0):
		return self.run("systemctl", "--no-pager", *arguments, status=status)

	def write(self, path, text):
		self.run("sh", "-c", 'mkdir -p "$(dirname "$2")" && printf %s "$1" > "$2"', "sh", text, path)

	def configure(self, directory, more=""):
		"""What the package's files become: their owners and modes stay."""
		self.write(f"{directory}/userlist.txt", '"app" "app"\n')
		self.write(f"{directory}/{'pgweir' if 'pgweir' in directory else 'pgbouncer'}.ini", INI.format(directory=directory) + more)

	def override(self, unit, text):
		self.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
		self.systemctl("daemon-reload")

	def property(self, name, unit="pgweir"):
		return self.systemctl("show", "--property", name, "--value", unit)

	def journal(self, unit="pgweir"):
		return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)

	def apt(self, *arguments):
		self.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", *arguments)


@pytest.fixture
def machine(run, db):
	return Machine(run(image="pgweir:systemd", options=MACHINE))


@pytest.fixture
def serving(machine):
	machine.configure("/etc/pgweir")
	machine.systemctl("start", "pgweir")
	return machine


def test_start_is_over_when_clients_are_served(serving):
	assert serving.value() == "app in app"
	pid = serving.property("MainPID")
	assert serving.run("ps", "-o", "user=,comm=", "-p", pid).split() == ["pgweir", "pgweir"]
	assert "process up: PgBouncer 1.26.1" in serving.journal()
	serving.console("SET stats_period = 1")
	until(lambda: "xacts/s" in serving.property("StatusText"), 60, "systemd is told the statistics")


def test_what_is_wrong_ends_the_start_and_is_in_the_journal(machine):
	machine.configure("/etc/pgweir", "pool_mod = session\n")
	machine.systemctl("start", "pgweir", status=1)
	assert "unknown parameter: pgbouncer/pool_mod" in machine.journal() and "pgweir.ini:9" in machine.journal()


def test_reload_keeps_connections_and_what_is_wrong_in_it_changes_nothing(serving):
	with serving.connect(autocommit=True) as conn:
		def size():
			return dict(row[:2] for row in serving.console("SHOW CONFIG"))["default_pool_size"]
		serving.configure("/etc/pgweir", "default_pool_size = 7\n")
		serving.systemctl("reload", "pgweir")
		until(lambda: size() == "7", 60, "it has read its file")
		serving.configure("/etc/pgweir", "default_pool_size = many\n")
		serving.systemctl("reload", "pgweir")
		until(lambda: "pgweir.ini:9" in serving.journal(), 60, "it says what is wrong")
		assert size() == "7" and serving.systemctl("is-active", "pgweir") == "active"
		assert conn.execute("SELECT 7").fetchone() == (7,)


def test_a_process_that_hangs_is_started_anew(serving):
	serving.override("pgweir.service", "[Service]\nWatchdogSec=3\n")
	serving.systemctl("restart", "pgweir")
	hanging = serving.property("MainPID")
	serving.run("kill", "-STOP", hanging)
	until(lambda: serving.property("NRestarts") == "1" and serving.property("ActiveState") == "active", 120, "systemd has started it anew")
	assert serving.property("MainPID") != hanging and serving.value() == "app in app"


def test_stop_lets_transactions_end(serving):
	with serving.connect() as conn:
		conn.execute("SELECT 1")
		stopping = subprocess.Popen([DOCKER, "exec", serving.container.name, "systemctl", "stop", "pgweir"])
		until(lambda: "got SIGINT" in serving.journal(), 60, "it was told")
		assert conn.execute("SELECT 8").fetchone() == (8,)
		conn.commit()
		assert stopping.wait(80) == 0
	assert serving.property("Result") == "success" and "server connections dropped, exiting" in serving.journal()


def test_clients_wait_while_systemd_holds_the_sockets(machine):
	machine.configure("/etc/pgweir")
	machine.override("pgweir.socket", "[Socket]\nListenStream=\nListenStream=6432\nListenStream=/run/pgweir/.s.PGSQL.6432\n")
	machine.systemctl("start", "pgweir.socket")
	assert machine.systemctl("is-active", "pgweir", status=3) == "inactive"
	assert machine.value() == "app in app" # that client started it
	assert machine.journal().count("socket passed from service manager") == 2
	for how in ("stop", "restart"):
		before = machine.property("MainPID")
		machine.systemctl(how, "pgweir.service")
		# after a stop there would be nobody to connect to
		assert machine.run("pgweir", "ready", "-h", "/run/pgweir") == "/run/pgweir:6432 - accepting connections"
		assert machine.value() == "app in app" and machine.property("MainPID") not in (before, "0")
	machine.systemctl("stop", "pgweir.socket", "pgweir.service")
	assert machine.run("ls", "-A", "/run/pgweir") == ""


def test_sample_of_sockets_works_as_it_is(machine):
	machine.configure("/etc/pgweir")
	machine.systemctl("start", "pgweir.socket")
	assert machine.run("pgweir", "ready", "-h", "127.0.0.1") == "127.0.0.1:6432 - accepting connections"
	assert machine.property("ActiveState") == "active"


def test_apt_puts_it_in_the_place_of_pgbouncer_and_back(machine):
	machine.configure("/etc/pgbouncer")
	files = machine.run("stat", "-c", "%n %U %a", "/etc/pgbouncer/pgbouncer.ini", "/etc/pgbouncer/userlist.txt")
	for ours in (False, True, False):
		if ours:
			machine.apt("/packages/pgweir-pgbouncer_0.1_all.deb")
		else:
			machine.apt("--no-download", "pgbouncer")
		machine.systemctl("restart", "pgbouncer")
		assert machine.systemctl("is-enabled", "pgbouncer").endswith("enabled")
		assert ("pgweir" in machine.run("pgbouncer", "--version")) == ours
		pid = machine.property("MainPID", "pgbouncer")
		# scripts look for the process by this name
		assert machine.run("pgrep", "--exact", "pgbouncer") == pid
		assert machine.run("ps", "-o", "user=", "-p", pid) == "postgres"
		assert machine.value() == "app in app"
		machine.systemctl("reload", "pgbouncer")
		until(lambda: "re-reading config" in machine.journal("pgbouncer"), 60, "it has read its file")
		assert machine.value() == "app in app"
	assert machine.run("stat", "-c", "%n %U %a", "/etc/pgbouncer/pgbouncer.ini", "/etc/pgbouncer/userlist.txt") == files
