"""Versions of the protocol towards servers, and what may be said at any time."""

import struct
import threading

import pytest

from waiting import until
from wire import (GSSENC_REQUEST, PROTOCOL_3_0, PROTOCOL_3_2, SSL_REQUEST, ServerError, cancel, copy_done, message, query,
	startup, startup_raw, types)

READY = message("Z", b"I")
OK = message("R", bytes(4))


def packet(connection):
	"""The code of a first packet, and what follows it."""
	data = b""
	while len(data) < 4 or len(data) < struct.unpack_from("!I", data)[0]:
		more = connection.recv(65536)
		if not more:
			raise OSError("closed")
		data += more
	return struct.unpack_from("!I", data, 4)[0], data[8:]


def behind(start_pooler, gate, **settings):
	return start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, server_tls_sslmode="disable", **settings)


@pytest.mark.pgweir
@pytest.mark.parametrize("size", [4, 32, 256])
def test_long_cancel_keys_of_servers_are_sent_back_whole(start_pooler, gate, size):
	key = struct.pack("!I", 4711) + bytes(i % 251 for i in range(size))
	versions, cancelled, asked = [], [], threading.Event()

	def part(connection):
		code, rest = packet(connection)
		if code == 80877102:
			cancelled.append(rest)
			asked.set()
			return
		versions.append(code)
		connection.sendall(OK + message("K", key) + READY)
		connection.recv(1000)
		assert asked.wait(20)
		connection.sendall(message("C", b"SELECT 1\0") + READY)
		connection.recv(1000)

	gate.playing(part)
	pooler = behind(start_pooler, gate, server_max_protocol_version="3.2")
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: pooler.pool()["sv_active"] == 1, what="it runs")
		cancel(pooler.port, w.key)
		assert types(w.until("Z")) == "CZ"
	assert versions == [PROTOCOL_3_2]
	assert cancelled == [key]


@pytest.mark.pgweir
@pytest.mark.parametrize("size", [0, 3, 257])
def test_keys_of_other_lengths_end_the_login(start_pooler, gate, size):
	def part(connection):
		packet(connection)
		connection.sendall(OK + message("K", bytes(4 + size)) + READY)
		connection.recv(1000)

	gate.playing(part)
	pooler = behind(start_pooler, gate, server_max_protocol_version="3.2", server_down_wait=0.1)
	with pytest.raises(ServerError, match="BackendKeyData"):
		pooler.login()


def test_servers_are_asked_for_3_0_by_default(start_pooler, gate):
	versions = []

	def part(connection):
		versions.append(packet(connection)[0])
		connection.sendall(OK + READY)
		connection.recv(1000)

	gate.playing(part)
	with behind(start_pooler, gate).login():
		assert versions == [PROTOCOL_3_0]


@pytest.mark.pgweir
def test_a_server_may_answer_with_an_older_version(start_pooler, gate):
	def part(connection):
		packet(connection)
		connection.sendall(message("v", struct.pack("!II", PROTOCOL_3_0, 0)) + OK + READY)
		connection.recv(1000)

	gate.playing(part)
	with behind(start_pooler, gate, server_max_protocol_version="3.2").login() as w:
		assert w.parameters["pgbouncer.version"]


@pytest.mark.pgweir
def test_the_real_server_is_asked_for_3_2(start_pooler, cluster):
	pooler = start_pooler(server_max_protocol_version="3.2")
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: cluster.backends("query LIKE '%%sleep(60)%%' AND state = 'active'") == 1, what="it runs")
		cancel(pooler.port, w.key)
		assert w.until("Z")[-2].code == "57014"


# First packets.

@pytest.mark.parametrize("codes", [[SSL_REQUEST], [GSSENC_REQUEST], [SSL_REQUEST, GSSENC_REQUEST], [GSSENC_REQUEST, SSL_REQUEST],
	[GSSENC_REQUEST, GSSENC_REQUEST], [SSL_REQUEST, SSL_REQUEST], 20 * [SSL_REQUEST, GSSENC_REQUEST]])
def test_encryption_may_be_declined_in_any_order_and_often(start_pooler, codes):
	with start_pooler().wire() as w:
		for code in codes:
			w.send(struct.pack("!iI", 8, code))
			assert w.take(1) == b"N"
		assert w.login("app").value("SELECT 1") == "1"


@pytest.mark.parametrize("version, text", [(0x20000, "old V2 protocol not supported"), (0x10000, "bad packet header: "), (0x40000, "bad packet header: "), (0, "bad packet header: ")])
def test_other_protocols_are_refused_in_words(start_pooler, version, text):
	with start_pooler().wire() as w:
		w.send(startup(version, user="app", database="app"))
		last = w.ended()[-1]
		assert (last.type, last.code) == ("E", "08P01") and last.text.startswith(text)


def test_startup_of_two_equal_names_takes_the_last(start_pooler):
	with start_pooler().wire() as w:
		w.send(startup_raw(struct.pack("!I", PROTOCOL_3_0) + b"user\0nobody\0user\0app\0database\0app\0\0"))
		assert w.finish_login("app", "app").value("SELECT current_user") == "app"


# At any time.

def test_notices_notifications_and_parameters_pass_between_any_two_messages(start_pooler, gate):
	row, description = struct.pack("!Hi", 1, 1) + b"1", struct.pack("!H", 1) + b"c\0" + bytes(18)
	results = {
		b"rows": [("T", description), ("D", row), ("D", row), ("C", b"SELECT 2\0"), ("I", b""), ("Z", b"I")],
		b"out": [("H", b"\0\0\0"), ("d", b"1\n"), ("d", b"2\n"), ("c", b""), ("C", b"COPY 2\0"), ("Z", b"I")],
		b"in": [("G", b"\0\0\0"), ("C", b"COPY 1\0"), ("Z", b"I")],
		b"fails": [("E", b"SERROR\0C22012\0Mno\0\0"), ("Z", b"I")],
		b"F": [("V", struct.pack("!i", -1)), ("Z", b"I")]}
	aside = [message("N", b"SNOTICE\0C00000\0Mhello\0\0"), message("A", struct.pack("!I", 1) + b"channel\0payload\0"),
		message("S", b"TimeZone\0CET\0")]

	def part(connection):
		packet(connection)
		connection.sendall(OK + message("S", b"TimeZone\0UTC\0") + READY)
		while asked := connection.recv(65536):
			for kind, body in next(results[name] for name in results if name in asked):
				for said in (*aside, message(kind, body)):
					connection.sendall(said)

	gate.playing(part)
	with behind(start_pooler, gate, pool_mode="session").login() as w:
		for sent, kinds in ((query("rows"), "TDDCIZ"), (query("out"), "HddcCZ"), (query("in") + copy_done(), "GCZ"),
				(query("fails"), "EZ"), (message("F", b"F" + bytes(9)), "VZ")):
			assert types(w.ask(sent)) == "".join("NAS" + kind for kind in kinds)


@pytest.mark.long
@pytest.mark.parametrize("by", ["row", "copy out", "copy in"])
def test_one_gigabyte_in_one_value_flows_in_constant_memory(start_pooler, cluster, by):
	pooler = start_pooler()
	length = 500_000_000
	value = f"repeat('x', {length})"
	with pooler.login() as w:
		w.sock.settimeout(300) # PostgreSQL makes the value before it says anything
		w.value("SELECT 1")
		before = peak(pooler)
		if by == "copy in":
			cluster.sql("CREATE TABLE big (t text)", database="app")
			cluster.sql("ALTER TABLE big OWNER TO app", database="app")
			try:
				w.send(query("COPY big FROM STDIN"))
				w.until("G")
				w.send(b"d" + struct.pack("!i", length + 5))
				for _ in range(length // 1_000_000):
					w.send(b"x" * 1_000_000)
				w.send(b"\n", copy_done())
				assert types(w.until("Z")) == "CZ"
				assert cluster.value("SELECT length(t) FROM big", database="app") == length
			finally:
				cluster.sql("DROP TABLE big", database="app")
		else:
			w.send(query(f"SELECT {value}, {value}" if by == "row" else f"COPY (SELECT {value}, {value}) TO STDOUT"))
			w.until("T" if by == "row" else "H")
			head = w.take(5)
			size = struct.unpack_from("!i", head, 1)[0] - 4
			assert size > 2 * length
			w.discard(size)
			assert types(w.until("Z")) in ("CZ", "cCZ")
		assert peak(pooler) < before + 4_000_000


def peak(pooler):
	"""Bytes of memory that it has had at most."""
	with open(f"/proc/{pooler.pid}/status") as f:
		return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))
