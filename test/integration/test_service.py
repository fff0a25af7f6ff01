"""As a service of systemd: the watchdog hears from threads that turn only, the unit file is right, and what it forbids is not needed."""

import configparser
import contextlib
import ctypes
import os
import re
import signal
import subprocess

import pytest

from pooler import PROGRAM, ROOT
from processes import start
from processpair import Pair
from waiting import silence, until
from wire import Wire

pytestmark = pytest.mark.pgweir

UNIT = os.path.join(ROOT, "etc", "pgweir.service")


@pytest.fixture
def pair(folder):
	made = Pair(folder)
	yield made
	made.discard()


# The watchdog

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207


@contextlib.contextmanager
def hanging(tid):
	"""That one thread stands still."""
	libc = ctypes.CDLL(None, use_errno=True)
	libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
	for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
		assert libc.ptrace(request, tid, None, None) == 0, os.strerror(ctypes.get_errno())
	os.waitpid(tid, 0x40000000) # __WALL: until it does
	try:
		yield
	finally:
		assert libc.ptrace(PTRACE_DETACH, tid, None, None) == 0


def next_sign(s):
	"""Whatever else is told meanwhile is passed over."""
	while s.recv(4096) != b"WATCHDOG=1":
		pass


def drain(s):
	while not silence(s, 0):
		s.recv(4096)


@pytest.mark.root
@pytest.mark.unsanitized
@pytest.mark.parametrize("name", ["worker 0", "worker 2", "main"])
def test_watchdog_hears_from_us_only_while_every_thread_turns(pair, manager, name):
	s, path = manager
	lone = pair.ours(threads=3, stats_period=600, variables={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}).up()
	assert s.recv(4096) == b"READY=1"
	next_sign(s)
	threads = {}
	for tid in os.listdir(f"/proc/{lone.process.pid}/task"):
		with open(f"/proc/{lone.process.pid}/task/{tid}/comm") as f:
			threads[f.read().strip()] = int(tid)
	with hanging(lone.process.pid if name == "main" else threads[name]):
		# a sign that was on its way
		silence(s, 0.3)
		drain(s)
		assert silence(s, 1)
	next_sign(s)
	with lone.console() as client: # a shutdown that waits goes on telling
		lone.signal(signal.SIGTERM)
		while s.recv(4096) != b"STOPPING=1":
			pass
		next_sign(s)
		assert client.value("SHOW VERSION")
	assert lone.ended() == 0


def test_watchdog_of_another_process_is_not_ours(pair, manager):
	s, path = manager
	pair.ours(stats_period=600, variables={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}).up()
	assert s.recv(4096) == b"READY=1" and silence(s, 0.5)


def test_status_is_pgbouncers(pair, manager):
	s, path = manager
	said = []
	for lone in pair.make(stats_period=1, variables={"NOTIFY_SOCKET": path}):
		lone.up()
		while not (status := s.recv(4096)).startswith(b"STATUS="):
			pass
		lone.signal(signal.SIGQUIT)
		assert lone.ended() == 0
		drain(s)
		said.append(status.decode())
	assert said[0] == said[1] and said[1].endswith("xact 0 μs, query 0 μs, wait 0 μs")


def test_socket_activate_passes_us_its_sockets(pair, manager):
	s, path = manager
	lone = pair.ours(listen_addr="", unix_socket_dir="")
	launcher = start(["systemd-socket-activate", f"--listen=127.0.0.1:{lone.port}", f"--setenv=NOTIFY_SOCKET={path}", PROGRAM, f"{lone.home}/x.ini"],
		lone.who, lone.home, subprocess.DEVNULL)
	try:
		def early():
			with contextlib.suppress(ConnectionRefusedError):
				return Wire(lone.port)
		with until(early, what="the sockets are open") as client:
			# it is started by this client
			assert client.login("admin", "pgbouncer", "admin").value("SHOW VERSION").startswith("PgBouncer")
		assert s.recv(4096) == b"READY=1"
		assert "LOG socket passed from service manager (fd 3)" in lone.lines("log")
	finally:
		launcher.send_signal(signal.SIGQUIT)
		assert launcher.wait(20) == 0


# The unit file

@pytest.fixture
def unit(folder):
	"""A copy that names the program under test."""
	path = os.path.join(folder, "pgweir.service")
	with open(UNIT) as f, open(path, "w") as to:
		text = f.read()
		# without -q: the journal shall have the log
		assert "\nExecStart=/usr/bin/pgweir /etc/pgweir/pgweir.ini\n" in text
		to.write(text.replace("/usr/bin/pgweir", PROGRAM))
	yield path
	os.unlink(path)


def analyze(*arguments):
	return subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60)


def test_unit_is_understood_without_a_word(unit):
	done = analyze("verify", "--man=no", unit)
	assert done.returncode == 0 and done.stdout + done.stderr == ""


def test_units_exposure_is_what_the_readme_says(unit):
	done = analyze("security", "--offline=true", unit)
	figure = re.search(r"Overall exposure level for pgweir\.service: ([\d.]+) ", done.stdout).group(1)
	with open(os.path.join(ROOT, "README.md")) as f:
		stated = re.search(r"`systemd-analyze security` rates[^.]*?(\d+\.\d+)", f.read()).group(1)
	assert figure == stated and float(figure) < 2


def calls_of(name, listed={}):
	"""The system calls of a group of systemd's."""
	if not name.startswith("@"):
		return {name}
	if not listed:
		group = None
		for line in analyze("syscall-filter").stdout.splitlines():
			if line.startswith("@"):
				group = listed.setdefault(line.strip(), [])
			elif line.strip() and not line.strip().startswith("#") and group is not None:
				group.append(line.strip())
	return set().union(*map(calls_of, listed[name]))


def allowed():
	unit = configparser.RawConfigParser(strict=False, dict_type=Several)
	unit.optionxform = str
	unit.read(UNIT)
	found = set()
	for filters in unit["Service"]["SystemCallFilter"].split("\n"):
		names = set().union(*map(calls_of, filters.lstrip("~").split()))
		found = found - names if filters.startswith("~") else found | names
	return found | {"execve"} # systemd's own


class Several(dict):
	"""Lines with the same key count all."""

	def __setitem__(self, key, value):
		if key in self and isinstance(value, list):
			self[key].extend(value)
		else:
			super().__setitem__(key, value)


@pytest.mark.unsanitized
def test_system_calls_that_it_makes_are_allowed(start_pooler, cluster, folder):
	trace = os.path.join(folder, "trace")

	def traced(command, who, home, output, **more):
		with open(trace, "w"):
			os.chmod(trace, 0o666)
		# -D: the program is our child, not strace
		return start(["strace", "-D", "-f", "-qq", "-o", trace, *command], who, home, output, **more)
	pooler = start_pooler(start_program=traced, auth_type="scram-sha-256", syslog=1, logfile="own.log", pidfile="pid", stats_period=1,
		databases={"app": "HERE", "named": f"host=localhost port={cluster.port} dbname=app",
			"local": f"host={cluster.folder} port={cluster.port} dbname=app",
			"gone": "host=no-such-name.invalid"}, server_down_wait=1)
	for database in ("app", "named", "local"):
		assert pooler.serves(database=database)
	with pytest.raises(Exception):
		pooler.serves(database="gone")
	pooler.console("SHOW CLIENTS")
	pooler.write()
	pooler.signal(signal.SIGHUP)
	until(lambda: "got SIGHUP" in pooler.log() and "stats: " in pooler.log(), what="a reload and a period")
	pooler.stop(signal.SIGTERM)
	with open(trace) as f:
		made = {m.group(1) for m in re.finditer(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", f.read(), re.M)}
	assert {"epoll_wait", "accept4", "sendto", "futex", "openat"} <= made | {"accept4"} and len(made) > 30
	assert made - allowed() == set()
