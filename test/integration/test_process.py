"""Command line, start, background, pidfile, accounts and signals, side by side with PgBouncer: what scripts depend on."""

import os
import re
import signal
import socket
import stat

import pytest

from processes import account
from processpair import Pair, kill_by_pidfile
from waiting import until
from wire import Closed

pytestmark = pytest.mark.pgweir

HUP, INT, QUIT, TERM, USR1, USR2 = (getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"))


@pytest.fixture
def pair(folder):
	made = Pair(folder)
	yield made
	made.discard()


# The command line

@pytest.mark.parametrize("arguments", [
	["-x"], ["-R", "HOME/x.ini"], ["--nope", "HOME/x.ini"], ["--nope=1"], ["a", "b"], ["-d"], ["-u"], ["--user"], ["--daemon=1", "a"], ["--ver"],
	["-x", "-V"], ["-u", "nobody"], ["--", "-x"], ["HOME/none.ini"], ["-v", "HOME/none.ini"], ["-q", "HOME/none.ini"], ["-qv", "--", "HOME/none.ini"]],
	ids=" ".join)
def test_wrong_command_line_is_told_as_by_pgbouncer(pair, arguments):
	theirs, ours = (lone.run(*arguments) for lone in pair.make())
	assert (ours.status, ours.lines(), ours.read("stdout")) == (theirs.status, theirs.lines(), theirs.read("stdout"))
	assert ours.status == 1


def test_without_a_file_nothing_happens(pair):
	theirs, ours = (lone.run("-v") for lone in pair.make())
	assert ours.lines() == theirs.lines() == ["PROGRAM: no configuration file specified", 'Try "PROGRAM --help" for more information.']


@pytest.mark.parametrize("arguments", [["-V"], ["--version"], ["--vers"], ["-Vh"], ["HOME/none.ini", "-V"]], ids=" ".join)
def test_version_has_pgbouncers_lines_and_then_ours(pair, arguments):
	theirs, ours = (lone.run(*arguments) for lone in pair.make())
	assert ours.status == theirs.status == 0
	expected, found = theirs.read("stdout").splitlines(), ours.read("stdout").splitlines()
	assert found[0] == expected[0] == "PgBouncer 1.26.1"
	assert [re.match(r"[a-z]+:?", line) for line in found[1:-1]] and len(found) == len(expected) + 1
	assert [line.split()[0] for line in found[:-1]] == [line.split()[0] for line in expected]
	assert re.fullmatch(r"\(pgweir \S+\)", found[-1])


def test_help_has_all_options_of_pgbouncer(pair):
	theirs, ours = (lone.run("-h") for lone in pair.make())
	assert ours.status == theirs.status == 0 and ours.read("stderr") == ""
	options = [line for line in theirs.read("stdout").splitlines() if line.startswith("  -")]
	assert len(options) == 6 and set(options) <= set(ours.read("stdout").splitlines())


# Starts that fail: the same status, the same lines on stderr and in the log file

NO_PROCESS = 4194304 # above the greatest process id

REFUSED = {
	"daemon without pidfile": ({}, ["-d", "HOME/x.ini"]),
	"no such account": ({}, ["-u", "no_such_account", "HOME/x.ini"]),
	"no such account in the file": ({"user": "no_such_account"}, []),
	"account that we may not become": ({}, ["-u", "root", "HOME/x.ini"]),
	"empty pidfile": ({"pidfile": "HOME/pid", "files": {"pid": ""}}, []),
	"garbled pidfile": ({"pidfile": "HOME/pid", "files": {"pid": "hello\n"}}, []),
	"pidfile of a living process": ({"pidfile": "HOME/pid", "files": {"pid": f"{os.getpid()}\n"}}, []),
	"pidfile in no directory": ({"pidfile": "HOME/none/pid"}, []),
	"pidfile is a directory": ({"pidfile": "HOME"}, []),
	"nowhere to listen": ({"listen_addr": "", "unix_socket_dir": ""}, []),
	"tls without a key": ({"client_tls_sslmode": "require"}, []),
	"no such address": ({"listen_addr": "203.0.113.77"}, []),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_start_says_the_same_everywhere(pair, name):
	settings, arguments = REFUSED[name]
	theirs, ours = (lone.run(*arguments) for lone in pair.make(**settings))
	assert ours.status == theirs.status == 1

	def told(lone, where):
		# which descriptors are expected is each program's own matter; what PgBouncer says of its own cleaning is no model
		return [re.sub("max expected fd use: .*", "", line) for line in lone.lines(where) if "cleanup_sockets" not in line and "event_del" not in line]
	for where in ("stderr", "log"):
		assert told(ours, where) == told(theirs, where), where
	assert ours.files() == theirs.files()


def test_lock_of_a_server_on_the_port_is_respected(pair):
	for lone in pair.make(files={".s.PGSQL.0.lock": ""}):
		os.rename(f"{lone.home}/.s.PGSQL.0.lock", f"{lone.home}/.s.PGSQL.{lone.port}.lock")
		assert lone.run().status == 1
		assert "FATAL unix port PORT is in use" in lone.lines()


@pytest.mark.root
@pytest.mark.parametrize("arguments", [["HOME/x.ini"], ["-u", "root", "HOME/x.ini"]], ids=" ".join)
def test_root_is_refused(pair, arguments):
	for lone in pair.make(as_root=True):
		assert lone.run(*arguments).status == 1
		assert lone.lines() == ["FATAL PgBouncer should not run as root"]


@pytest.mark.root
@pytest.mark.parametrize("how", ["option", "setting", "option counts more"])
def test_root_becomes_that_account_for_good(pair, how):
	who = account("nobody", "daemon")
	options = {"user": who.pw_name if how == "setting" else None if how == "option" else "no_such_account"}
	arguments = ["HOME/x.ini"] if how == "setting" else ["-u", who.pw_name, "HOME/x.ini"]
	for lone in pair.make(as_root=True, **options):
		lone.up(*arguments)
		with open(f"/proc/{lone.process.pid}/status") as f:
			facts = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
		assert set(facts["Uid"].split()) == {str(who.pw_uid)} and set(facts["Gid"].split()) == {str(who.pw_gid)}
		assert "0" not in facts["Groups"].split() and int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0
		lone.signal(QUIT)
		assert lone.ended() == 0


@pytest.mark.root
def test_log_file_is_the_new_accounts_own(pair):
	lone = pair.ours(as_root=True, user=account("nobody", "daemon").pw_name).up()
	assert os.stat(f"{lone.home}/log").st_uid == lone.who.pw_uid
	lone.signal(QUIT)
	assert lone.ended() == 0


# The pidfile

def test_pidfile_holds_the_process_id_while_it_lives(pair):
	for lone in pair.make(pidfile="HOME/pid"):
		lone.up()
		assert lone.read("pid") == f"{lone.process.pid}\n"
		assert stat.S_IMODE(os.stat(f"{lone.home}/pid").st_mode) == 0o644 & ~os.umask(os.umask(0))
		lone.signal(TERM)
		assert lone.ended() == 0 and lone.files() == set()


def test_stale_pidfile_is_removed(pair):
	for lone in pair.make(pidfile="HOME/pid", files={"pid": f"{NO_PROCESS}\n"}):
		lone.up()
		assert lone.lines("log")[0] == "LOG stale pidfile, removing" and lone.read("pid") == f"{lone.process.pid}\n"
		lone.signal(QUIT)
		assert lone.ended() == 0


def test_second_process_does_not_take_the_pidfile_of_the_first(pair):
	first = pair.ours(pidfile="HOME/pid").up()
	second = pair.ours(pidfile=f"{first.home}/pid").run()
	assert second.status == 1 and f"FATAL pidfile '{first.home}/pid' exists, another instance running?" in second.lines()
	assert first.read("pid") == f"{first.process.pid}\n"
	# nor when it names no living process, as behind the wall of a container
	first.put("pid", f"{NO_PROCESS}\n")
	assert pair.ours(pidfile=f"{first.home}/pid").run().status == 1
	first.signal(QUIT)
	assert first.ended() == 0


# The background

@pytest.fixture
def daemons(pair):
	made = []

	def make(**settings):
		both = pair.make(pidfile="HOME/pid", **settings)
		made.extend(both)
		return both

	yield make
	for lone in made:
		kill_by_pidfile(f"{lone.home}/pid")


def test_daemon_leaves_terminal_and_session(daemons):
	for lone in daemons():
		assert lone.run("-d", "HOME/x.ini").status == 0
		until(lambda: lone.read("pid"), what="the pidfile")
		pid = int(lone.read("pid"))
		with open(f"/proc/{pid}/stat") as f:
			parent, group, session, terminal = map(int, f.read().rpartition(")")[2].split()[1:5])
		assert pid not in (group, session) and os.getsid(0) != session and group == session and terminal == 0
		assert parent != os.getpid() and os.readlink(f"/proc/{pid}/cwd") == lone.home
		assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3
		lone.wait_line("process up: ")
		assert lone.lines() == [] and lone.lines("log")[-1].startswith("LOG process up: ")
		os.kill(pid, TERM)
		until(lambda: not os.path.exists(f"/proc/{pid}"), what="it ends")
		assert lone.files() == set() and "LOG client connections dropped, exiting" in lone.lines("log")


def test_daemon_is_ready_when_its_parent_ends(daemons):
	_, ours = daemons()
	assert ours.run("-d", "HOME/x.ini").status == 0
	assert ours.read("pid") and "process up: " in ours.read("log")
	ours.console().close()


def test_daemon_that_cannot_serve_is_no_success(daemons):
	_, ours = daemons(unix_socket_dir="")
	with socket.socket() as s:
		s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		s.bind(("127.0.0.1", ours.port))
		s.listen()
		assert ours.run("-d", "HOME/x.ini").status == 1
	assert "FATAL failed to listen on any address in listen_addr list: 127.0.0.1" in ours.lines("log")
	assert ours.lines() == ["PROGRAM: the process in the background has ended; its log says why"]


def test_daemon_without_a_log_says_so_before(daemons):
	_, ours = daemons(logfile=None)
	assert ours.run("-d", "HOME/x.ini").status == 0
	assert ours.lines() == ["WARNING nothing will be logged in the background: neither logfile nor syslog is set"]


@pytest.mark.parametrize("arguments", [["-q", "HOME/x.ini"], ["--quiet", "-v", "HOME/x.ini"]], ids=" ".join)
def test_quiet_is_silent_and_logs(pair, arguments):
	for lone in pair.make():
		lone.up(*arguments)
		lone.signal(TERM)
		assert lone.ended() == 0 and lone.read("stderr") == "" and "client connections dropped, exiting" in lone.read("log")


# Signals

LINES = {HUP: "got SIGHUP", TERM: "got SIGTERM", INT: "got SIGINT", QUIT: "got SIGQUIT", USR1: "got SIGUSR1", USR2: "got SIGUSR2"}

# with a client on the console; None: it leaves
SEQUENCES = [[TERM, None], [TERM, TERM], [TERM, INT], [TERM, QUIT], [TERM, HUP, None], [TERM, USR1, USR2, None], [USR1, TERM, None], [USR1, INT],
	[INT], [QUIT], [USR1, USR1, USR2, USR2, QUIT], [USR2, HUP, USR1, HUP, USR2, TERM, None]]


def told_of_signals(lone, sequence):
	with lone.up().console() as client:
		for n, number in enumerate(sequence):
			if number is None:
				client.close()
				break
			lone.signal(number)
			count = sequence[:n + 1].count(number)
			until(lambda: lone.read("log").count(LINES[number]) == count, what=f"signal {n} is logged")
		status = lone.ended()
	return status, [line for line in lone.lines("log") if re.search("got SIG|exiting|FATAL|ERROR", line)], lone.files()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: " ".join("leaves" if n is None else n.name for n in s))
def test_signals_do_and_say_the_same(pair, sequence, threads):
	theirs, ours = pair.make()
	ours.put("x.ini", ours.read("x.ini") + f"threads = {threads}\n")
	assert told_of_signals(ours, sequence) == told_of_signals(theirs, sequence)
	assert ours.status == 0


def test_broken_pipes_are_ignored(pair):
	for lone in pair.make():
		lone.up().signal(signal.SIGPIPE)
		with lone.console() as client:
			assert client.value("SHOW VERSION").startswith("PgBouncer 1.26.1")
		lone.signal(QUIT)
		assert lone.ended() == 0


def test_waiting_for_clients_keeps_unix_socket_and_closes_tcp(pair):
	theirs, ours = pair.make()
	for lone in (theirs, ours):
		with lone.up().console() as client:
			lone.signal(TERM)
			lone.wait_line("got SIGTERM")
			with pytest.raises((OSError, Closed)):
				# a listener's queue may still take one
				until(lambda: lone.console().close(), what="nobody new is let in")
			assert client.value("SHOW VERSION") and os.path.exists(f"{lone.home}/.s.PGSQL.{lone.port}")
		assert lone.ended() == 0 and lone.files() == set()
