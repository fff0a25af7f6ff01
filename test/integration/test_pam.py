"""Passwords that PAM knows: real libpam, with service files of these tests' own instead of /etc/pam.d (libpam-wrapper)."""

import os
import shutil
import tempfile
import time

import pytest

from processes import account, make_directory, open_files, start
from told import refusal
from waiting import until
from wire import message, text

WRAPPER = "libpam_wrapper.so"
REFUSED = "PAM authentication failed"
# pam_matrix knows users and passwords from a file; these are its service lines.
MATRIX = "auth required {modules}/pam_matrix.so passdb={folder}/passdb\naccount required {modules}/pam_matrix.so passdb={folder}/passdb\n"
# pam_exec gives the password to a program, on its standard input.
PROGRAM = "auth required pam_exec.so expose_authtok quiet {folder}/program\naccount required pam_permit.so\n"
PASSDB = "app:pam-app:pgbouncer\nother:pam-other:pgbouncer\nelsewhere:pam-elsewhere:login\n"

# Not with sanitizers: their runtime and the wrapper both want to be the first library.
pytestmark = pytest.mark.unsanitized


def modules():
	for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
		if os.path.exists(f"{folder}/pam_wrapper/pam_matrix.so"):
			return f"{folder}/pam_wrapper"
	raise RuntimeError("no pam_matrix.so found (install the package libpam-wrapper)")


class Service:
	"""What PAM is told about us."""

	def __init__(self, folder):
		self.who = account("nobody", "daemon")
		self.folder = make_directory(tempfile.mkdtemp(prefix="pam-", dir=folder), self.who)
		self.write("passdb", PASSDB)

	def path(self, name):
		return os.path.join(self.folder, name)

	def write(self, name, content, mode=0o644):
		with open(self.path(name), "w") as f:
			f.write(content)
		os.chmod(self.path(name), mode)

	def say(self, lines):
		make_directory(self.path("service"), self.who)
		self.write("service/pgbouncer", lines.format(modules=modules(), folder=self.folder))

	def fifo(self, name):
		os.mkfifo(self.path(name))
		os.chmod(self.path(name), 0o666)

	def modules_run(self):
		for pid in filter(str.isdigit, os.listdir("/proc")):
			try:
				with open(f"/proc/{pid}/cmdline") as f:
					if self.path("program") in f.read().split("\0"):
						return True
			except (FileNotFoundError, ProcessLookupError):
				continue # it has ended meanwhile
		return False

	def end(self):
		"""Whoever still waits at the gate would wait there for ever."""
		if os.path.exists(self.path("gate")):
			gate = os.open(self.path("gate"), os.O_RDWR | os.O_NONBLOCK)
			os.write(gate, b"go\n" * 1000)
			until(lambda: not self.modules_run(), 30, "all modules have ended")
			os.close(gate)
		shutil.rmtree(self.folder, ignore_errors=True)

	def start(self, command, *arguments, **more):
		"""Starts a program that sees this service."""
		settings = ["PAM_WRAPPER=1", f"PAM_WRAPPER_SERVICE_DIR={self.path('service')}", f"LD_PRELOAD={WRAPPER}", f"TMPDIR={self.folder}"]
		return start(["env", *settings, *command], *arguments, **more)


@pytest.fixture
def service(folder):
	made = Service(folder)
	made.say(MATRIX)
	yield made
	made.end()


@pytest.fixture(params=[1, pytest.param(4, marks=pytest.mark.pgweir)])
def threads(request):
	return request.param


def by_pam(start_it, service, **more):
	more.setdefault("databases", {"app": "HERE user=app password=app"})
	return start_it(auth_type="pam", start_program=service.start, **more)


def lets_in(pooler, user="app", password="pam-app"):
	with pooler.login(user, "app", password) as w:
		return w.value("SELECT 'in'") == "in"


def sends_password(pooler, user="app", password="pam-app"):
	"""A client that has sent its password and waits."""
	w = pooler.wire(seconds=60)
	w.begin(user, "app")
	assert w.read().body == b"\0\0\0\3"
	w.send(message("p", text(password)))
	return w


def test_right_password_gets_in_and_others_do_not(start_pooler, service, threads):
	pooler = by_pam(start_pooler, service, threads=threads)
	assert lets_in(pooler)
	for user, password in (("app", "wrong"), ("nobody_like_that", "pam-app"), ("elsewhere", "pam-elsewhere")):
		said = refusal(pooler, user, password=password)
		assert (said.severity, said.code, said.text) == ("FATAL", "08P01", REFUSED)
	assert lets_in(pooler, "other", "pam-other")


def test_empty_password_is_refused_before_pam(start_pooler, service):
	pooler = by_pam(start_pooler, service)
	assert refusal(pooler, "app", password="").text == "empty password returned by client"


@pytest.mark.pgweir
def test_log_says_what_pam_said(start_pooler, service):
	pooler = by_pam(start_pooler, service)
	refusal(pooler, "app", password="my-wrong-password")
	pooler.wait_log(r'login failed: db=app user=app: PAM service "pgbouncer" \(authentication\): ')
	assert "my-wrong-password" not in pooler.log()


def test_server_is_logged_in_to_with_the_clients_password(start_pooler, service, cluster):
	pooler = by_pam(start_pooler, service, databases={"app": "HERE"}, secrets={"app": "not this one"})
	cluster.sql("ALTER ROLE app PASSWORD 'pam-app'")
	try:
		with pooler.login("app", "app", "pam-app") as w:
			assert w.value("SELECT current_user") == "app"
	finally:
		cluster.sql("ALTER ROLE app PASSWORD 'app'")


def test_account_that_may_not_be_used_is_refused(start_pooler, service):
	service.say("auth required {modules}/pam_matrix.so passdb={folder}/passdb\naccount required pam_deny.so\n")
	pooler = by_pam(start_pooler, service)
	assert refusal(pooler, "app", password="pam-app").text == REFUSED


@pytest.mark.pgweir
def test_programs_of_pam_get_password_user_and_address_and_none_of_our_sockets(start_pooler, service):
	service.write("program", f"#!/bin/sh\nset -- /proc/self/fd/*\necho \"$PAM_USER $PAM_RHOST $PAM_SERVICE $#\" > {service.path('seen')}\n"
		'test "$(tr -d \'\\0\')" = "pam-app"\n', 0o755)
	service.say(PROGRAM)
	pooler = by_pam(start_pooler, service)
	with pooler.login("app", "app", "pam-app"):
		assert lets_in(pooler, "anybody at all")
		with open(service.path("seen")) as f:
			user, host, name, n = f.read().rsplit(" ", 3)
		assert (user, host, name) == ("anybody at all", "127.0.0.1", "pgbouncer")
		assert int(n) < 10 < open_files(pooler.pid)
	assert refusal(pooler, "app", password="wrong").text == REFUSED


def hanging(service):
	"""A module that waits until somebody writes into a fifo; `begun` gets a line for each that waits."""
	service.fifo("gate")
	service.write("begun", "", 0o666)
	service.write("program", f"#!/bin/sh\ncase $PAM_USER in free*) exit 0;; esac\necho \"$PAM_USER\" >> {service.path('begun')}\n"
		f"read line < {service.path('gate')}\nexit 0\n", 0o755)
	service.say(PROGRAM)


def begun(service):
	with open(service.path("begun")) as f:
		return len(f.read().splitlines())


def children(pid):
	found = []
	for task in os.listdir(f"/proc/{pid}/task"):
		with open(f"/proc/{pid}/task/{task}/children") as f:
			found += f.read().split()
	return found


def reload_as(pooler, method):
	pooler.write(pooler.text().replace("auth_type = pam", f"auth_type = {method}"))
	pooler.process.send_signal(1)
	pooler.wait_log("auth_type.*changed")


@pytest.mark.pgweir
def test_hanging_module_holds_up_neither_others_of_pam_nor_other_methods_nor_the_end(start_pooler, service, threads):
	hanging(service)
	pooler = by_pam(start_pooler, service, threads=threads, client_login_timeout=0)
	waiting = [sends_password(pooler) for _ in range(3)]
	until(lambda: begun(service) == 3, 30, "three modules hang")
	for _ in range(5):
		assert lets_in(pooler, "free_rider")
	waiting += [sends_password(pooler) for _ in range(20)]  # more than there are threads for it
	reload_as(pooler, "scram-sha-256")
	for _ in range(5):
		assert lets_in(pooler, "app", "app")
	began = time.monotonic()
	pooler.stop()
	assert time.monotonic() - began < 5
	for w in waiting:
		w.close()


@pytest.mark.pgweir
def test_clients_that_leave_or_time_out_are_let_go_and_the_modules_go_on(start_pooler, service):
	hanging(service)
	pooler = by_pam(start_pooler, service, client_login_timeout=2)
	leaver, stayer = sends_password(pooler, "leaver"), sends_password(pooler, "stayer")
	until(lambda: begun(service) == 2, 30, "two modules hang")
	leaver.close()
	pooler.wait_log("user=leaver|leaver@.*closing because: client unexpected eof")
	said = stayer.ended()
	assert [m.text for m in said if m.type == "E"] == ["client_login_timeout"]
	assert len(children(pooler.pid)) == 2
	with open(service.path("gate"), "w") as gate:  # both end: nobody waits for what they say
		gate.write("go\ngo\n")
	until(lambda: not children(pooler.pid), 30, "both modules have ended")
	assert lets_in(pooler, "free_rider")


@pytest.mark.pgweir
def test_logins_that_wait_for_pam_are_bounded(start_pooler, service):
	hanging(service)
	pooler = by_pam(start_pooler, service, client_login_timeout=0)
	waiting = [sends_password(pooler) for _ in range(200)]
	try:
		until(lambda: begun(service) == 8, 30, "all threads for PAM are busy")
		said = refusal(pooler, "app", password="pam-app")
		assert (said.severity, said.text) == ("FATAL", "too many logins wait for PAM")
	finally:
		for w in waiting:
			w.close()
