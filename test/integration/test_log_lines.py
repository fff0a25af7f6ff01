"""
What programs read in the log, held against PgBouncer's own lines for the same events; where it goes (syslog, the journal, a
file that is rotated); and that clients whom nobody knows cannot fill a disk with it.
"""

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
from collections import Counter

import pytest

from pooler import PROGRAM, pgbouncer
from processes import environment
from processpair import Pair
from waiting import silence, until
from wire import Closed, ServerError, Wire, query

pytestmark = pytest.mark.pgweir

TERMINATE = b"X\0\0\0\4"


@pytest.fixture
def pair(folder):
	made = Pair(folder)
	yield made
	made.discard()


@pytest.fixture(params=["pgbouncer", "pgweir"])
def either(request):
	return {"pgbouncer": pgbouncer, "pgweir": lambda: PROGRAM}[request.param]()


# The same events, the same lines

def lines_of(pooler, since=0):
	"""Lines about clients and servers and what the console was told, without what differs from run to run."""
	found = []
	for line in pooler.log()[since:].splitlines():
		line = re.sub(r"^\S+ \S+ \S+ \[\d+\] ", "", line)
		line = line.replace(f":{pooler.cluster.port} ", ":SERVER ").replace(f":{pooler.port} ", ":POOLER ")
		line = re.sub(r"([CS]-)0x[0-9a-f]+", r"\1ID", line)
		line = re.sub(r"(127\.0\.0\.1|\[::1\]):\d+\b", r"\1:PORT", line)
		line = re.sub(r"unix\(\d+\)", "unix(PID)", line)
		line = re.sub(r"\(age=\d+s\)", "(age)", line)
		if re.match(r"(LOG|WARNING) [CS]-|LOG \w+( '\w+')? command issued", line):
			found.append(line)
	return Counter(found)


def says(w, *parts):
	w.send(*parts)
	with contextlib.suppress(Closed, OSError):
		w.ended()
	w.close()


def leaves(pooler):
	with pooler.login() as w:
		assert w.value("SELECT 1") == "1"
		w.send(TERMINATE)
	return ["closing because: client close request"]


def vanishes(pooler):
	with pooler.login() as w:
		assert w.value("SELECT 1") == "1"
	return ["closing because: client unexpected eof"]


def comes_by_unix_socket(pooler):
	with Wire(pooler.port, pooler.folder).login("app", "app", "app") as w:
		assert w.value("SELECT 1") == "1"
	return ["closing because: client unexpected eof", "unix"]


def comes_by_ipv6(pooler):
	with Wire(pooler.port, "::1").login("app", "app", "app") as w:
		assert w.value("SELECT 1") == "1"
	return ["closing because: client unexpected eof", "[::1]"]


def speaks_the_old_protocol(pooler):
	says(pooler.wire(), struct.pack("!ii", 8, 131072))
	return ["closing because: old V2 protocol not supported", "pooler error: old V2 protocol not supported"]


def sends_no_message(pooler):
	says(pooler.login(), b"\1\0\0\0\4")
	return ["closing because: unknown pkt", "pooler error: unknown pkt"]


def leaves_a_transaction(pooler):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		w.send(TERMINATE)
	return ["closing because: client close request", "S-.*closing because: client disconnect while server was not ready"]


def takes_too_long(pooler):
	says(pooler.login(), query("SELECT pg_sleep(100)"))
	return ["S-.*closing because: query timeout", "C-.*closing because: query timeout", "pooler error: query timeout"]


def idles_in_a_transaction(pooler):
	w = pooler.login()
	w.ask(query("BEGIN"))
	says(w)
	return ["S-.*closing because: idle transaction timeout", "C-.*closing because: idle transaction timeout",
		"pooler error: idle transaction timeout"]


def is_missing_in_postgres(pooler):
	with pytest.raises(ServerError):
		pooler.login("app", "missing")
	return ['closing because: database "nosuch" does not exist', 'pooler error: database "nosuch" does not exist']


def asks_for_no_database(pooler):
	with pytest.raises(ServerError):
		pooler.login("app", "nowhere")
	return ["closing because: no such database: nowhere", "pooler error: no such database: nowhere"]


def commands(pooler):
	with pooler.login("admin", "pgbouncer") as w:
		for command in ("RELOAD", "RECONNECT", "PAUSE second", "RESUME second", "PAUSE", "RESUME", "DISABLE second", "ENABLE second"):
			w.ask(query(command))
		w.send(TERMINATE)
	return ["closing because: client close request", "LOG ENABLE 'second' command issued"]


def has_a_server_on_a_unix_socket(pooler):
	with pooler.login("app", "local") as w:
		assert w.value("SELECT 1") == "1"
	pooler.console("KILL local")
	return ["client unexpected eof", "S-.*local/app.*new connection to server", "S-.*local/app.*closing because: ", "client close request"]


EVENTS = [leaves, vanishes, has_a_server_on_a_unix_socket, comes_by_unix_socket, comes_by_ipv6, speaks_the_old_protocol, sends_no_message, leaves_a_transaction, takes_too_long,
	idles_in_a_transaction, is_missing_in_postgres, asks_for_no_database, commands]


def test_lines_are_pgbouncers_for_the_same_events(start_pooler, cluster):
	said = []
	for program in (pgbouncer(), PROGRAM):
		pooler = start_pooler(program=program, listen_addr="127.0.0.1, ::1", query_timeout=2, idle_transaction_timeout=1, server_login_retry=600,
			databases={"app": "HERE", "second": "HERE dbname=app", "missing": "HERE dbname=nosuch",
				"local": f"host={cluster.folder} port={cluster.port} dbname=app"})
		said.append({})
		for event in EVENTS:
			since = len(pooler.log())
			for text in event(pooler):
				until(lambda: re.search(re.escape(text) if "*" not in text else text, pooler.log()[since:]), what=f"{text} after {event.__name__}")
			lines = lines_of(pooler, since)
			# an attempt to log in to PostgreSQL is a connection for PgBouncer, an outage for us
			# of a server on a Unix socket PgBouncer says its process, which we do not ask for
			lines = {line.replace("@unix(PID):", "@unix:") if "S-ID" in line else line for line in lines}
			said[-1][event.__name__] = {line for line in lines if "S-ID: missing" not in line
				and "(nodb)/(nouser)@127.0.0.1:PORT closing because: client unexpected eof" not in line}
			if event is leaves or event is leaves_a_transaction:
				assert sum("new connection to server (from 127.0.0.1:PORT)" in line for line in lines) == (event is leaves), lines
	# who asks for a database that is not there logs no attempt with PgBouncer, and its line has no name of it
	for one in said:
		one["asks_for_no_database"] = {re.sub(r"\S+/\S+@", "", line) for line in one["asks_for_no_database"] if "closing" in line or "error" in line}
	assert said[1] == said[0]


def test_pgbadger_reads_both_logs_alike(start_pooler, folder):
	found = []
	for program in (pgbouncer(), PROGRAM):
		pooler = start_pooler(program=program, query_timeout=1)
		for event in (leaves, vanishes, comes_by_unix_socket, takes_too_long, commands):
			for text in event(pooler):
				pooler.wait_log(text if "*" in text else re.escape(text))
		pooler.stop()
		out = os.path.join(folder, "badger.json")
		subprocess.run(["pgbadger", "-q", "-x", "json", "-o", out, pooler.log_path], check=True, timeout=120, env=environment(folder))
		with open(out) as f:
			badger = json.load(f)
		connections = badger["pgb_connection_info"]
		# beside those of the test's own waiting for the start
		found.append(({kind: connections[kind] for kind in ("user", "database", "host")}, sorted(badger["pgb_error_info"])))
	assert found[0] == found[1]
	assert found[1][0]["user"] == {"app": 4, "admin": 1} and found[1][1]


@pytest.mark.parametrize("setting, line", [("log_connections", "login attempt"), ("log_disconnections", "closing because"),
	("log_pooler_errors", "pooler error")])
def test_lines_are_left_out_as_the_settings_say(start_pooler, either, setting, line):
	for value in (1, 0):
		pooler = start_pooler(program=either, **{setting: value})
		with pytest.raises(ServerError):
			pooler.login("app", "nowhere")
		vanishes(pooler)
		says(pooler.login(), b"\1\0\0\0\4")
		pooler.stop()
		assert (line in pooler.log()) == bool(value)
		assert ("new connection to server" in pooler.log()) == (value == 1 or setting != "log_connections")


def test_statistics_are_a_line_of_numbers(start_pooler, either):
	pooler = start_pooler(program=either, stats_period=1, log_stats=1)
	# in each of two periods, whenever they began
	with pooler.login() as w:
		until(lambda: w.value("SELECT 1") and re.search(r"LOG stats: [1-9]\d* xacts/s, [1-9]\d* queries/s", pooler.log()), what="a line that counts")
	pooler.wait_log(r"(?m)LOG stats: \d+ xacts/s, \d+ queries/s, \d+ client parses/s, \d+ server parses/s, \d+ binds/s, \d+ client logins/s, "
		r"in \d+ B/s, out \d+ B/s, xact \d+ us, query \d+ us, wait \d+ us$")
	pooler.settings["log_stats"] = 0
	pooler.write()
	pooler.console("RELOAD")
	before = pooler.log().count("LOG stats: ")
	with pooler.login() as w:
		assert silence(w.sock, 2.5)
	assert pooler.log().count("LOG stats: ") <= before + 1


# Strangers

def test_strangers_do_not_fill_the_log(start_pooler):
	pooler = start_pooler(threads=2, auth_type="md5", max_client_conn=2000)

	def rude(n):
		for i in range(n):
			w = pooler.wire()
			if i % 4 == 0:
				w.send(b"\0\0\0\1hello, whoever you are")
			elif i % 4 == 1:
				w.send(b"GET / HTTP/1.1\r\n\r\n")
			elif i % 4 == 2:
				with contextlib.suppress(ServerError, Closed, OSError):
					w.login("app", "app", "wrong")
			w.close()
	rude(1500)
	# somebody who is known is heard all the same
	vanishes(pooler)
	pooler.wait_log(r"app/app@\S+ closing because: client unexpected eof")

	def counted():
		left_out = [int(n) for n in re.findall(r"LOG left out (\d+) more lines? about clients without a pool in \d+ s; the last: 127\.0\.0\.1: ", pooler.log())]
		return len(left_out) >= 2 and sum(left_out)
	left_out = until(counted, 30, "both threads say what they left out")
	about = re.findall(r"(?m)^.*(?:\(nodb\)/\(nouser\)|login failed|password authentication).*$", pooler.log())
	assert left_out > 1000 > len(about)
	# 1500 clients have more than 3000 lines; each period of five seconds lets through a hundred
	assert pooler.log().count("\n") < 1500


# Where it goes

INSIDE = """
mount --bind "$1" /dev && mount --bind "$2" /run && shift 2 && uid=$1 gid=$2 && shift 2 &&
exec setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@"
"""


class House:
	"""A machine of our own as far as logs are concerned: private /dev/log and /run/systemd/journal/socket that we hear."""

	def __init__(self, folder):
		self.dev = os.path.join(folder, "dev")
		self.run = os.path.join(folder, "run")
		os.makedirs(self.dev)
		os.makedirs(os.path.join(self.run, "systemd", "journal"))
		for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
			os.mknod(f"{self.dev}/{name}", 0o20666, os.makedev(1, minor))
			os.chmod(f"{self.dev}/{name}", 0o666)
		self.syslog = self.hear(f"{self.dev}/log")
		self.journal = self.hear(f"{self.run}/systemd/journal/socket")

	@staticmethod
	def hear(path):
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(path)
		os.chmod(path, 0o777)
		s.settimeout(20)
		return s

	def command(self, who):
		return ["unshare", "--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh", self.dev, self.run, str(who.pw_uid), str(who.pw_gid)]


@pytest.fixture
def house(folder, tmp_path_factory):
	made = House(os.path.join(folder, f"house-{os.getpid()}"))
	yield made
	made.syslog.close()
	made.journal.close()
	subprocess.run(["rm", "-rf", os.path.dirname(made.dev)], check=True)


def inside(house, lone, program, **more):
	"""Starts it in the house; its standard error is a file, as the journal's would be a socket."""
	err = open(os.path.join(lone.home, "stderr"), "w")
	st = os.fstat(err.fileno())
	env = {**environment(lone.home), **({"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"} if more.get("journal") else {})}
	lone.process = subprocess.Popen([*house.command(lone.who), program, f"{lone.home}/x.ini"], stdin=subprocess.DEVNULL, stdout=err, stderr=err,
		cwd=lone.home, env=env)
	err.close()
	return lone


def heard(s, text):
	"""Everything up to the first datagram that has this text."""
	found = []
	while not found or text not in found[-1]:
		found.append(s.recv(65536).decode())
	return found


@pytest.mark.root
def test_syslog_gets_pgbouncers_datagrams(pair, house):
	said = []
	for lone in pair.make(syslog=1, syslog_ident="our-pooler", syslog_facility="local3", verbose=2, logfile=None):
		inside(house, lone, lone.program)
		found = heard(house.syslog, "process up")
		with pytest.raises(ServerError):
			Wire(lone.port).login("admin", "nowhere", "admin")
		found += heard(house.syslog, "pooler error: no such database: nowhere")
		lone.signal(signal.SIGTERM)
		found += heard(house.syslog, "client connections dropped, exiting")
		assert lone.ended() == 0
		for line in found:
			# local3 is 19; 4 warning, 6 info: the two never get debugging
			assert re.match(rf"<{19 * 8 + 4}>|<{19 * 8 + 6}>", line) and f" our-pooler[{lone.process.pid}]: " in line, line
		texts = [re.sub(r"^<(\d+)>.{15} ", r"<\1> ", line) for line in found]
		texts = [re.sub(r"\[\d+\]", "[PID]", line).replace(str(lone.port), "PORT").replace(lone.home, "HOME") for line in texts]
		said.append({line for line in texts if re.search("listening on|got SIG|exiting|pooler error", line)})
		said[-1] = {re.sub(r"C-0x.*@127.0.0.1:\d+", "C-ID", line) for line in said[-1]}
	assert said[0] == said[1] and len(said[0]) == 5


@pytest.mark.root
def test_syslog_is_left_and_entered_by_reload(pair, house):
	lone = inside(house, pair.ours(syslog=0), PROGRAM)
	lone.wait_line("process up")
	lone.put("x.ini", lone.read("x.ini") + "syslog = 1\n")
	lone.signal(signal.SIGHUP)
	assert heard(house.syslog, 'parameter "syslog" changed')[0].startswith("<30>") # daemon, info
	lone.put("x.ini", lone.read("x.ini").replace("syslog = 1", "syslog = 0"))
	lone.signal(signal.SIGHUP)
	heard(house.syslog, "got SIGHUP")
	until(lambda: lone.read("log").count('parameter "syslog" changed') == 2, what="the second change")
	lone.signal(signal.SIGQUIT)
	assert lone.ended() == 0
	while not silence(house.syslog, 0):
		assert "fast exit" not in house.syslog.recv(65536).decode()


def fields(datagram):
	"""An entry of the journal's native protocol."""
	found, at = {}, 0
	while at < len(datagram):
		end = datagram.index(b"\n", at)
		name, equals, value = datagram[at:end].partition(b"=")
		at = end + 1
		if not equals:
			size = struct.unpack_from("<Q", datagram, at)[0]
			value = datagram[at + 8:at + 8 + size]
			at += 8 + size + 1
		found[name.decode()] = value.decode()
	return found


@pytest.mark.root
def test_journal_gets_levels_and_whole_records(pair, house):
	lone = inside(house, pair.ours(logfile=None, client_tls_sslmode="disable"), PROGRAM, journal=True)
	entries = []

	def until_said(text):
		while not entries or text not in entries[-1]["MESSAGE"]:
			entries.append(fields(house.journal.recv(65536)))
	until_said("process up: ")
	# not a standard stream of the journal's: nothing is written twice
	assert lone.read("stderr") == ""
	with pytest.raises(ServerError):
		Wire(lone.port).login("admin", "nowhere", "admin")
	until_said("pooler error: no such database: nowhere")
	assert entries[-1]["PRIORITY"] == "4"
	until_said("closing because: no such database: nowhere")
	assert entries[-1]["PRIORITY"] == "6"
	lone.put("x.ini", "[pgbouncer]\nlisten_prt = 1\n")
	lone.signal(signal.SIGHUP)
	until_said("config file loading failed")
	# several lines are one entry, without a time of ours
	assert any(re.fullmatch(r"unknown parameter: pgbouncer/listen_prt .*\n\tHINT: Perhaps \"listen_port\" is meant\.", e["MESSAGE"]) and e["PRIORITY"] == "3"
		for e in entries)
	assert {e["SYSLOG_IDENTIFIER"] for e in entries} == {"pgweir"}
	# and when nobody hears, standard error has it
	os.unlink(f"{house.run}/systemd/journal/socket")
	lone.signal(signal.SIGQUIT)
	assert lone.ended() == 0
	assert lone.lines("stderr") == ["LOG got SIGQUIT, fast exit"]


def test_log_file_is_opened_anew_at_sighup(pair):
	for lone in pair.make():
		lone.up()
		os.rename(f"{lone.home}/log", f"{lone.home}/log.1")
		lone.signal(signal.SIGHUP)
		until(lambda: "got SIGHUP" in lone.read("log.1"), what="the signal has come")

		def is_new(): # PgBouncer opens it with the next line
			lone.console().close()
			return "login attempt" in lone.read("log")
		until(is_new, what="the new file")
		before = lone.read("log.1")
		lone.console().close()
		lone.wait_line("closing because: client unexpected eof")
		assert lone.read("log.1") == before
		lone.signal(signal.SIGQUIT)
		assert lone.ended() == 0


def test_log_file_that_cannot_be_opened_anew_stays(pair):
	lone = pair.ours(logfile="HOME/logs/log")
	os.mkdir(f"{lone.home}/logs", 0o777)
	os.chmod(f"{lone.home}/logs", 0o777)
	lone.start()
	until(lambda: "process up" in lone.read("logs/log"), 20, "it is up")
	os.rename(f"{lone.home}/logs", f"{lone.home}/moved")
	lone.signal(signal.SIGHUP)
	until(lambda: "config file loading failed" in lone.read("moved/log"), what="it says so where it can")
	assert f'could not open log file "{lone.home}/logs/log": No such file or directory' in lone.read("moved/log")
	lone.console().close()
	lone.signal(signal.SIGQUIT)
	assert lone.ended() == 0


def test_verbose_says_how_each_attempt_goes(start_pooler):
	pooler = start_pooler(verbose=1, server_down_wait=1, databases={"app": "HERE", "named": "host=localhost port=1"})
	vanishes(pooler)
	pooler.wait_log(rf'DEBUG opening a server: db=app user=app at "127\.0\.0\.1" \(127\.0\.0\.1\), port {pooler.cluster.port} \(1 of 1\)')
	with pytest.raises(ServerError):
		pooler.login("app", "named")
	pooler.wait_log(r'DEBUG host "localhost": [12] addresses')
	pooler.wait_log(r"DEBUG server login failed again: db=named user=app: .*refused")
	pooler.settings["verbose"] = 0
	pooler.write()
	pooler.console("RELOAD")
	before = pooler.log().count("DEBUG ")
	vanishes(pooler)
	pooler.console("RECONNECT")
	assert pooler.serves() and pooler.log().count("DEBUG ") == before
