"""Whatever anybody sends: a documented error or a closed connection, bounded memory, and others unaffected."""

import os
import socket
import struct
import threading

import pytest

from cluster import HBA, Cluster
from gate import Gate
from pooler import is_sanitized
from waiting import until
from wire import (PROTOCOL_3_0, Closed, ServerError, Wire, bind, copy_data, describe, execute, flush, function_call, message, parse, query,
	startup, sync, text, types)

MB = 1 << 20

# All that either side has ever said, first bytes of other protocols, and what is nothing at all.
TYPES = sorted(set(b"QFSHPECBDdcfXpRKZvNATVIGWsnt123" + b"\0\x01\x16\x7f\x80\xffGETz "))
LENGTHS = [0, 3, 4, 5, 9, 100, 40000, 2**30, 2**31 - 1, 2**31, 2**32 - 1]
BODY = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def cluster(folder):
	made = Cluster(folder, "target", settings="wal_level = replica\n", hba="host replication app 127.0.0.1/32 trust\n" + HBA)
	try:
		made.create()
		made.sql("ALTER ROLE app REPLICATION")
		yield made
	finally:
		made.stop()


@pytest.fixture(scope="module")
def pooler(start_shared):
	return start_shared(auth_type="plain", client_login_timeout=5, max_client_conn=3000, max_prepared_statements=10)


@pytest.fixture
def bystander(pooler):
	with pooler.login("other") as w:
		yield w
		assert w.value("SELECT 'unaffected'") == "unaffected"


def peak(pooler):
	"""Bytes of memory that it has had at most."""
	with open(f"/proc/{pooler.pid}/status") as f:
		return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def resident(pooler):
	with open(f"/proc/{pooler.pid}/status") as f:
		return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def raw(kind, length):
	"""A message that announces this length, and as much of its body as a page holds."""
	return bytes([kind]) + struct.pack("!I", length) + BODY[:max(0, min(length - 4, len(BODY)))]


def send_all(w, data):
	"""The other side may close before it has read everything."""
	try:
		w.send(data)
		w.sock.shutdown(socket.SHUT_WR)
	except OSError:
		pass


def known(messages):
	"""Nothing but messages of servers."""
	for m in messages:
		assert m.type in "RSKZNAE123nstTDCIVGHWdcv", m


def understood(messages):
	"""The same of an honest server or the pooler: errors have their fields."""
	known(messages)
	for m in messages:
		if m.type == "E":
			assert {"S", "C", "M"} <= m.fields.keys(), m


# Clients: each state x each type x each length.

def hello(w):
	pass


def proving(w):
	w.begin("app")
	assert w.read().type == "R"


def logged_in(w, **parameters):
	w.login("app", **parameters)


def in_transaction(w):
	logged_in(w)
	w.ask(query("BEGIN"))


def in_failed_batch(w):
	logged_in(w)
	w.send(parse("SELECT nonsense"), flush())
	w.until("E")


def in_batch(w):
	logged_in(w)
	w.send(parse("SELECT 1", "one"), describe("S", "one"), flush())
	w.until("T")


def in_copy(w):
	logged_in(w)
	w.ask(query("BEGIN; CREATE TEMP TABLE temporary (n int) ON COMMIT DROP"))
	w.send(query("COPY temporary FROM STDIN"))
	w.until("G")


def in_message(w):
	logged_in(w)
	w.send(message("Q", b"SELECT 1" + b" " * 50000)[:30000])


def running(w):
	logged_in(w)
	w.send(query("SELECT pg_sleep(0.001)"))


def replicating(w):
	logged_in(w, replication="true")
	w.send(query("START_REPLICATION 0/1000000"))
	w.until("W")


STATES = [hello, proving, logged_in, in_transaction, in_failed_batch, in_batch, in_copy, in_message, running, replicating]


@pytest.mark.parametrize("state", STATES, ids=[state.__name__ for state in STATES])
def test_every_message_of_every_length_in_every_state_of_a_client(pooler, bystander, state):
	before = None
	for kind in TYPES:
		for length in LENGTHS:
			with pooler.wire() as w:
				state(w)
				send_all(w, raw(kind, length))
				understood(w.ended())
		before = before or peak(pooler)
	assert bystander.value("SELECT 1") == "1"
	assert pooler.serves()
	if not is_sanitized():
		assert peak(pooler) < before + 4 * MB


@pytest.mark.pgweir # PgBouncer's answer may depend on the split
@pytest.mark.parametrize("state", [hello, proving, logged_in, in_copy], ids=lambda state: state.__name__)
def test_bad_messages_mean_the_same_at_every_split(pooler, bystander, state):
	for kind, length in ((0, 100), (ord("Q"), 3), (ord("B"), 9), (ord("p"), 2**31), (ord("z"), 10), (ord("d"), 2**32 - 1)):
		told = set()
		data = raw(kind, length)[:12]
		for cut in range(len(data) + 1):
			with pooler.wire() as w:
				state(w)
				w.send(data[:cut])
				if 0 < cut < len(data):
					# the pieces shall not meet again on their way
					os.sched_yield()
				send_all(w, data[cut:])
				told.add(tuple((m.type, m.fields["C"], m.fields["M"]) for m in w.ended() if m.type == "E"))
		# it has closed its side: what comes after that it may not read any more
		most = max(told, key=len)
		assert all(most[:len(less)] == less for less in told), (kind, length, told)


# Servers: each state x each type x each length.

WELCOME = message("R", bytes(4)) + message("K", bytes(8)) + message("Z", b"I")
ROWS = message("T", struct.pack("!H", 1) + b"n\0" + bytes(18)) + message("D", struct.pack("!Hi", 1, 1) + b"1")
SERVER_STATES = {"asked to log in": None, "proven": message("R", bytes(4)), "asked": b"", "in rows": ROWS,
	"copying in": message("G", b"\0\0\0"), "copying out": message("H", b"\0\0\0") + message("d", b"1\n"),
	"between results": ROWS + message("C", b"SELECT 1\0"), "in a message": b"D" + struct.pack("!I", 10000) + bytes(100)}


@pytest.mark.pgweir # server_down_wait, so that each failure is told at once
@pytest.mark.parametrize("state", SERVER_STATES)
def test_every_message_of_every_length_in_every_state_of_a_server(start_pooler, cluster, state):
	said = []

	def part(connection):
		connection.recv(65536)
		if state in ("asked to log in", "proven"):
			connection.sendall((SERVER_STATES[state] or b"") + said[0])
		else:
			connection.sendall(WELCOME)
			connection.recv(65536)
			connection.sendall(SERVER_STATES[state] + said[0])
		connection.shutdown(socket.SHUT_WR)
		while connection.recv(65536):
			pass

	gate = Gate(cluster.port)
	gate.playing(part)
	try:
		pooler = start_pooler(databases={"*": f"host=127.0.0.1 port={gate.port}", "second": "HERE"}, server_tls_sslmode="disable",
			server_down_wait=0, query_wait_timeout=1, client_login_timeout=1, server_connect_timeout=1)
		with pooler.login(database="second") as bystander:
			before = None
			for kind in TYPES:
				for length in LENGTHS:
					said[:] = [raw(kind, length)]
					with pooler.wire() as w:
						w.begin("app", f"d{kind}_{length}")
						try:
							w.finish_login("app", "app")
							w.send(query("SELECT 1"))
							w.sock.shutdown(socket.SHUT_WR) if state == "copying in" else None
							known(ended_or_ready(w))
						except (ServerError, Closed):
							pass
				before = before or peak(pooler)
			assert bystander.value("SELECT 1") == "1"
			if not is_sanitized():
				assert peak(pooler) < before + 8 * MB
	finally:
		gate.close()


def ended_or_ready(w):
	found = []
	try:
		while not found or found[-1].type != "Z":
			found.append(w.read())
	except Closed:
		pass
	return found


# Floods.

FLOODS = {"Sync": sync(), "Flush": flush(), "CopyData": copy_data(b""), "CopyDone": message("c"), "Parse": parse("", ""),
	"named Parse": parse("", "x") + message("C", b"Sx\0"), "empty Query": query(""), "Describe": describe("P", ""), "Execute": execute(),
	"FunctionCall": function_call(0)}


@pytest.mark.pgweir # a bound that PgBouncer does not keep
@pytest.mark.parametrize("flood", FLOODS)
def test_floods_of_tiny_messages_are_bounded_and_hurt_nobody(pooler, bystander, flood):
	piece = FLOODS[flood] * (65536 // len(FLOODS[flood]))
	total, sent = 8 * MB, 0
	with pooler.login() as w:
		before = peak(pooler)
		w.sock.setblocking(False)
		stuck = 0
		while sent < total and stuck < 100:
			try:
				sent += w.sock.send(piece[sent % len(piece):])
				stuck = 0
			except BlockingIOError:
				# it is not read because it does not read: that is how it is bounded
				stuck += 1
				assert bystander.value("SELECT 1") == "1"
			except OSError:
				break # closed: as good
		if not is_sanitized():
			assert peak(pooler) < before + 4 * MB
		assert bystander.value("SELECT 1") == "1"


def test_flood_of_connections_that_say_nothing_ends_at_client_login_timeout(start_pooler):
	pooler = start_pooler(client_login_timeout=1)
	with pooler.login() as bystander:
		silent = [pooler.wire() for _ in range(300)]
		for w in silent[::2]:
			w.send(struct.pack("!I", 65535))
		for w in silent:
			understood(w.ended())
			w.close()
		assert bystander.value("SELECT 1") == "1"


# Sizes.

@pytest.mark.parametrize("size", [63, 64, 127, 128, 1000, 65000])
def test_names_and_passwords_of_any_length_get_an_answer(pooler, bystander, size):
	name = "x" * size
	for who in ({"user": name, "database": "app"}, {"user": "app", "database": name},
			{"user": "app", "database": "app", "application_name": name}):
		with pooler.wire() as w:
			w.send(startup(PROTOCOL_3_0, **who))
			try:
				w.finish_login("app", name if who["user"] != "app" else "app")
				assert who.get("application_name") == name and w.value("SELECT 1") == "1"
			except ServerError as e:
				assert e.message.severity == "FATAL"
	with pytest.raises(ServerError, match="password|packet"):
		pooler.login(password=name)


def test_password_of_65535_bytes_is_refused(pooler, bystander):
	with pytest.raises(ServerError):
		pooler.login(password="x" * 65535)


@pytest.mark.parametrize("count", [10000, 65535])
def test_thousands_of_parameters_are_bound(pooler, bystander, count):
	sql = f"SELECT ${count}::text || $1::text"
	with pooler.login() as w:
		for name in ("", "named"):
			values = bind(*range(count), name=name)
			found = w.ask(parse(sql, name, *([25] * count)), values, execute(), sync())
			assert [m.row for m in found if m.type == "D"] == [(f"{count - 1}0",)], found[-2:]


@pytest.mark.parametrize("size", [9000, 30000, 65535, 200000])
def test_statement_and_portal_names_of_any_length_get_an_answer(pooler, bystander, size):
	"""PostgreSQL itself closes the connection for Describe, Execute and Close of more than 10,000 bytes."""
	name = "x" * size
	asked = {"1": parse("SELECT 'long'", name), "2": bind(name=name), "3": parse("SELECT 1") + bind(portal=name), "4": describe("S", name),
		"5": execute(name), "6": message("C", b"S" + text(name))}
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		got = {}
		for step, sent in asked.items():
			try:
				got[step] = types(w.ask(sent, sync()))
			except (Closed, OSError):
				break
		assert got["1"] == "1Z" and got["2"] in ("2Z", "EZ") and got["3"] in ("12Z", "EZ")
		if size < 10000:
			assert (got["2"], got["4"], got["6"]) == ("2Z", "tTZ", "3Z")
		if size < 32000:
			assert got["2"] == "2Z"


# Those who do not read.

def test_client_that_never_reads_is_held_up_not_kept(pooler, bystander):
	with pooler.login() as w:
		before = peak(pooler)
		w.send(*[query("SELECT repeat('x', 100000) FROM generate_series(1, 100)")] * 100)
		until(lambda: pooler.pool()["sv_active"] >= 1, what="it runs")
		for _ in range(20):
			assert bystander.value("SELECT 1") == "1"
		if not is_sanitized():
			assert peak(pooler) < before + 4 * MB


def test_server_that_never_reads_holds_up_its_client_only(start_pooler, cluster):
	over = threading.Event()

	def part(connection):
		connection.recv(65536)
		connection.sendall(WELCOME)
		over.wait(60)

	gate = Gate(cluster.port)
	gate.playing(part)
	try:
		pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}", "second": "HERE"}, server_tls_sslmode="disable")
		with pooler.login(database="second") as bystander, pooler.login() as w:
			before = peak(pooler)
			w.sock.setblocking(False)
			sent = stuck = 0
			data = message("Q", b"x" * (200 * MB))
			while stuck < 200:
				try:
					sent += w.sock.send(data[sent:sent + MB])
					stuck = 0
				except BlockingIOError:
					stuck += 1
					assert bystander.value("SELECT 1") == "1"
			assert sent < 100 * MB, "somebody has kept what the server did not read"
			if not is_sanitized():
				assert peak(pooler) < before + 4 * MB
	finally:
		over.set()
		gate.close()


# What one connection may cost: doc/bounds.md.

BOUNDS = {
	"a start-up packet that never ends": (140000, None, startup(PROTOCOL_3_0, user="app", options="x" * 65400)[:-1]),
	"a password that never ends": (140000, proving, message("p", b"x" * 65400)[:-1]),
	"a message that never ends": (20000, logged_in, message("Q", b"x" * 65400)[:4]),
	"a query in the queue": (80000, logged_in, message("Q", b"x" * 65400))}


@pytest.mark.parametrize("what", BOUNDS)
def test_memory_of_one_connection_is_bounded(start_pooler, what):
	most, state, data = BOUNDS[what]
	pooler = start_pooler(auth_type="plain", default_pool_size=1, client_login_timeout=60)
	count = 300
	with pooler.login() as holds:
		holds.ask(query("BEGIN"))
		before = resident(pooler)
		held = []
		for _ in range(count):
			w = pooler.wire()
			held.append(w)
			if state:
				state(w)
			w.send(data)
		# the last one has been read when this one has been served
		with pooler.wire() as last:
			last.begin("app")
			assert last.read().type == "R"
		if not is_sanitized():
			assert (resident(pooler) - before) / count < most
		for w in held:
			w.close()
