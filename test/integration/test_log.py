"""
The log: lines as PgBouncer writes them or one JSON object a line, whatever clients call themselves; a storm of clients
that all fail for one reason is a few lines with numbers; and SHOW ERRORS, which has what the log had.
"""

import json
import os
import re
import signal
import struct
from datetime import datetime

import pytest

from conftest import LONG
from gate import error
from processes import make_directory
from told import errors, first_client, is_served
from waiting import until
from wire import Closed, ServerError, query, startup_raw

pytestmark = pytest.mark.pgweir

NO_ENTRY = ("28000", 'no pg_hba.conf entry for host "127.0.0.1", user "app", database "app", no encryption')
HOSTILE = [b'\n2026-01-01 00:00:00.000 UTC [1] FATAL forged', b'"}\n{"level":"FATAL","text":"forged"}', b"\x1b[31m\x07\x7f",
	b"\xff\xfe latin1 \xe9", "right to left \u202e, separator \u2028".encode(), b"\\u0022\\", b"%s%n%x", b"x" * 60]
HEAD = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] (FATAL|ERROR|WARNING|LOG) "


def records(pooler):
	"""Every line as an object; a last one that is not complete yet is left out."""
	return [json.loads(line) for line in pooler.log().split("\n")[:-1]]


def wait_event(pooler, event, **fields):
	def found():
		for r in records(pooler):
			if r.get("event") == event and all(r.get(key) == value for key, value in fields.items()):
				return r
		return None

	return until(found, what=f"the log has {event} with {fields}")


def says_hello(pooler, user, database):
	"""A start-up packet with any bytes; what comes back until the end."""
	with pooler.wire() as w:
		w.send(startup_raw(struct.pack("!i", 196608) + b"user\0" + user + b"\0database\0" + database + b"\0\0"))
		try:
			return w.ended()
		except Closed:
			return []


def hostile_clients(pooler):
	for name in HOSTILE:
		assert errors(says_hello(pooler, b"app", name)) and errors(says_hello(pooler, name, b"app"))


# The two formats

def test_every_line_is_an_object_whatever_happens(start_pooler):
	pooler = start_pooler(log_format="json", server_down_wait=1,
		databases={"app": "HERE", "gone": "host=127.0.0.1 port=1"})
	with pooler.login(application_name='"\n') as w:
		assert w.value("SELECT 1") == "1"
		w.send(b"\x01\0\0\0\4")
		w.ended()
	hostile_clients(pooler)
	assert "connection refused" in first_client(pooler, database="gone")[0].text
	pooler.console("RELOAD")
	wait_event(pooler, "outage_begins", database="gone")
	for r in records(pooler):
		assert set(r) >= {"time", "level", "pid", "text"}, r
		assert datetime.fromisoformat(r["time"]).tzinfo is not None
		assert r["level"] in ("LOG", "WARNING", "ERROR", "FATAL") and "forged" not in r["level"] and r["pid"] == pooler.pid
		assert set(r) <= {"time", "level", "pid", "event", "class", "database", "user", "host", "address", "port", "client", "server",
			"incident", "count", "text", "detail", "hint"}, r


def test_fields_say_who_it_was(start_pooler):
	pooler = start_pooler(log_format="json", databases={"app": "HERE", "gone": "host=127.0.0.1 port=1"})
	with pooler.login() as w:
		port = w.sock.getsockname()[1]
		client = next(row["id"] for row in pooler.console("SHOW CLIENTS") if row["port"] == port)
		assert w.value("SELECT 1") == "1"
	who = {"database": "app", "user": "app", "address": "127.0.0.1", "port": port, "client": client}
	assert wait_event(pooler, "login_attempt", **who)["text"] == "login attempt: db=app user=app tls=no replication=no"
	assert wait_event(pooler, "client_closed", **who)["text"].startswith("closing because: ")
	opened = wait_event(pooler, "server_opened", database="app", user="app", address="127.0.0.1", port=pooler.cluster.port)
	assert opened["server"] > 0
	wait_event(pooler, "client_closed", database="pgbouncer", user="admin", address="127.0.0.1")
	message, _ = first_client(pooler, database="gone")
	began = wait_event(pooler, "outage_begins", database="gone", user="app", host="127.0.0.1", address="127.0.0.1", port=1)
	assert began["class"] == "connection_refused" and re.fullmatch("[0-9a-f]{8}", began["incident"])
	assert message.text in began["text"] and began["detail"] and began["hint"]


def test_text_lines_are_pgbouncers(start_pooler, gate):
	pooler = start_pooler(databases={"app": "HERE", "shut": f"host=127.0.0.1 port={gate.port}"})
	with pooler.login() as w:
		port = w.sock.getsockname()[1]
		assert w.value("SELECT 1") == "1"
	gate.saying(error(*NO_ENTRY))
	first_client(pooler, database="shut")
	client = rf"C-0x[0-9a-f]+: app/app@127\.0\.0\.1:{port} "
	pooler.wait_log(rf"(?m)^{HEAD}{client}login attempt: db=app user=app tls=no replication=no$")
	pooler.wait_log(rf"(?m)^{HEAD}{client}closing because: client unexpected eof \(age=\d+s\)$")
	pooler.wait_log(rf"(?m)^{HEAD}S-0x[0-9a-f]+: app/app@127\.0\.0\.1:{pooler.cluster.port} "
		r"new connection to server \(from 127\.0\.0\.1:\d+\)$")
	pooler.wait_log(rf"(?m)^{HEAD}server login failed: db=shut user=app: .*\n\tDETAIL: .*\n\tHINT: ")
	hostile_clients(pooler)
	for line in pooler.log().split("\n")[:-1]:
		assert line.startswith("\t") or re.match(HEAD, line) and f" [{pooler.pid}] " in line[:60], line
		assert line.removeprefix("\t").isprintable(), repr(line)


def test_reload_switches_the_format(start_pooler):
	pooler = start_pooler()
	for log_format, looks in (("json", r'\n\{"time":.*login attempt.*\}\n'), ("text", rf"\}}\n(.*\n)*?{HEAD}C-.*login attempt")):
		pooler.settings["log_format"] = log_format
		pooler.write()
		pooler.console("RELOAD")
		assert pooler.serves()
		pooler.wait_log(looks)
	pooler.settings["log_format"] = "xml"
	pooler.write()
	pooler.signal(signal.SIGHUP)
	pooler.wait_log('invalid value "xml" for parameter log_format')
	assert pooler.serves()


# Files that get old

def own_files(pooler):
	"""The log files in order: old ones, then the one that is written."""
	return sorted((os.path.join(pooler.folder, name) for name in os.listdir(pooler.folder) if re.fullmatch(r"own(-[-_0-9]+)?\.log", name)),
		key=lambda path: (path.endswith("own.log"), path))


def lines_of(paths):
	lines = []
	for path in paths:
		with open(path) as f:
			lines += f.read().splitlines(keepends=True)
	return lines


def test_log_files_are_rotated_and_nothing_is_lost(start_pooler):
	pooler = start_pooler(logfile="own.log", log_rotation_size="4kB", log_rotation_keep=0)
	until(lambda: pooler.serves() and len(own_files(pooler)) > 3, 30, "files are rotated")
	pooler.stop()
	old = own_files(pooler)[:-1]
	assert all(os.path.getsize(path) >= 4096 for path in old)
	said = pooler.log().splitlines(keepends=True) # standard error gets the same
	assert sorted(lines_of(own_files(pooler))) == sorted(said) and all(re.match(HEAD, line) and line.endswith("\n") for line in said)


def test_rotation_begins_and_ends_by_command(start_pooler):
	pooler = start_pooler(logfile="own.log", log_rotation_keep=1)
	assert pooler.serves()
	pooler.console("SET log_rotation_size = '1kB'")
	until(lambda: pooler.serves() and len(own_files(pooler)) > 1, 30, "a file is rotated")
	first = own_files(pooler)[0]
	until(lambda: pooler.serves() and own_files(pooler)[0] != first, 30, "the next one takes its place")
	assert len(own_files(pooler)) == 2
	# who has given the file another name gets a new one without a signal
	os.rename(os.path.join(pooler.folder, "own.log"), os.path.join(pooler.folder, "moved.log"))
	until(lambda: os.path.exists(os.path.join(pooler.folder, "own.log")), 10, "a new file")
	pooler.console("RELOAD") # SET is over
	assert {"log_rotation_size": "0", "log_rotation_age": "0", "log_rotation_keep": "1"}.items() <= \
		{row["key"]: row["value"] for row in pooler.console("SHOW CONFIG")}.items()


def test_where_nothing_can_be_made_the_log_goes_on(start_pooler):
	pooler = start_pooler()
	shut = make_directory(os.path.join(pooler.folder, "shut"), pooler.who)
	pooler.console("SET logfile = 'shut/own.log'")
	os.chmod(shut, 0o555)
	pooler.console("SET log_rotation_size = '1kB'")
	with open(os.path.join(shut, "own.log")) as f:
		until(lambda: pooler.serves() and "could not rename log file" in pooler.log(), 30, "it is said")
		assert pooler.serves()
		said = f.read()
	assert said.count('could not rename log file "shut/own.log" to "shut/own-') == 1 and "Permission denied\n\tHINT: The log goes on" in said
	assert os.listdir(shut) == ["own.log"]


# Storms

STORM = 2000
GREAT_STORM = 10000 if LONG else STORM


def storm(pooler, gate, size=STORM):
	"""Clients that are all told of the same outage, then service comes back; how many were told."""
	gate.saying(error(*NO_ENTRY))
	clients = [pooler.wire(seconds=60).begin("app", "app") for _ in range(size)]
	for w in clients:
		said = errors(w.ended())
		assert len(said) == 1 and NO_ENTRY[1] in said[0].text
		w.close()
	gate.open()
	told = size

	def is_back():
		nonlocal told
		try:
			return pooler.serves()
		except ServerError:
			told += 1
			return False

	until(is_back, 20, "service is back")
	return told


@pytest.mark.parametrize("threads, size", [(1, STORM), (3, GREAT_STORM)])
def test_a_storm_is_a_few_lines_that_say_how_many(start_pooler, gate, threads, size):
	pooler = start_pooler(log_format="json", threads=threads, max_client_conn=size + 100, server_tls_sslmode="disable",
		databases={"app": f"host=127.0.0.1 port={gate.port}"})
	told = storm(pooler, gate, size)
	over = wait_event(pooler, "outage_ends", database="app")

	def counted():
		said = records(pooler)
		one_by_one = sum(r.get("event") == "client_told" for r in said)
		return one_by_one + sum(r["count"] for r in said if r.get("event") == "clients_told") == told and one_by_one

	one_by_one = until(counted, what=f"the lines add up to {told}")
	assert 1 <= one_by_one <= 5 * threads * over["count"] // size + 5 * threads
	assert over["count"] == told and over["text"].endswith(f"told: {told}")
	assert pooler.log().count("\n") < 100
	rows = [row for row in pooler.console("SHOW ERRORS") if row["incident"] == over["incident"]]
	assert sum(row["count"] for row in rows) == told
	assert rows[0]["text"] in next(r["text"] for r in records(pooler) if r.get("event") == "outage_begins")


def test_a_storm_in_text_says_how_many_too(start_pooler, gate):
	pooler = start_pooler(threads=1, max_client_conn=STORM + 100, server_tls_sslmode="disable",
		databases={"app": f"host=127.0.0.1 port={gate.port}"})
	told = storm(pooler, gate)
	pooler.wait_log("server login works again: db=app user=app, after .*, told: " + str(told))

	def counted():
		log = pooler.log()
		more = sum(map(int, re.findall(r"WARNING db=app user=app: and (\d+) more clients? (?:was|were) told the same: ", log)))
		return log.count("pooler error: ") + more == told

	until(counted, what=f"the lines add up to {told}")
	assert len(re.findall(r"(?m)^\d{4}-", pooler.log())) < 100


def test_a_storm_that_ends_in_time_outs_is_bounded_too(start_pooler, gate):
	pooler = start_pooler(log_format="json", threads=2, max_client_conn=300, server_down_wait=0, query_wait_timeout=2,
		databases={"app": f"host=127.0.0.1 port={gate.port}"}, pool_mode="transaction", server_tls_sslmode="disable")
	clients = [pooler.login() for _ in range(200)]
	gate.refused()
	gate.cut()
	for w in clients:
		w.send(query("SELECT 1"))
	for w in clients:
		assert [m.text for m in errors(w.ended())] == ["query_wait_timeout"]
	assert sum(r.get("event") == "client_told" for r in records(pooler)) <= 2 * 5
	gate.open()
	until(lambda: is_served(pooler), 20, "service is back")

	def told():
		said = records(pooler)
		return sum(1 if r["event"] == "client_told" else r["count"] for r in said if r.get("event") in ("client_told", "clients_told"))

	until(lambda: told() >= 200, what="they are counted")


# SHOW ERRORS

def test_show_errors_has_what_ended_and_for_whom(start_pooler, cluster):
	pooler = start_pooler(threads=3, query_timeout=1, databases={"app": "HERE", "gone": "host=127.0.0.1 port=1"}, server_down_wait=1)
	assert pooler.console("SHOW ERRORS") == []
	message, _ = first_client(pooler, database="gone")
	for _ in range(3):
		first_client(pooler, database="nowhere")
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(100)"))
		assert errors(w.ended())
	with pooler.login() as w:
		w.send(query("SELECT pg_terminate_backend(pg_backend_pid())"))
		w.ended()
	hostile_clients(pooler)

	def row(name, **fields):
		rows = [r for r in pooler.console("SHOW ERRORS") if r["class"] == name and all(r[key] == value for key, value in fields.items())]
		return rows

	down = until(lambda: row("connection_refused", database="gone", user="app", address="127.0.0.1"), what="the outage's row")[0]
	assert re.fullmatch("[0-9a-f]{8}", down["incident"]) and down["text"] == message.text and down["hint"]
	nowhere = row("no_such_database", database="nowhere", user="app", address="127.0.0.1")
	assert sum(r["count"] for r in nowhere) == 3 and nowhere[0]["text"] == "no such database: nowhere"
	assert row("query_timeout", database="app", user="app")
	rows = pooler.console("SHOW ERRORS")
	assert [r["time"] for r in rows] == sorted((r["time"] for r in rows), reverse=True)
	for r in rows:
		assert all(value == "" or value.isprintable() for key, value in r.items() if key != "count"), r


def test_show_errors_is_bounded(start_pooler):
	pooler = start_pooler(threads=1)
	for i in range(300):
		first_client(pooler, database=f"nowhere{i}")
	rows = pooler.console("SHOW ERRORS")
	assert len(rows) == 256 and rows[0]["database"] == "nowhere299"
