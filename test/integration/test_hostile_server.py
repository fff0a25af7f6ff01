"""
A hostile or broken server: whatever it says, and however slowly or endlessly, nothing crashes, little is kept, the client
that waits is told what is wrong in time, nobody else notices, and service is back after the repair.
"""

import re
import select
import socket
import struct
import threading

import pytest

from gate import error
from pooler import is_sanitized
from waiting import Stopwatch, until
from wire import ServerError, message, query, types

pytestmark = pytest.mark.pgweir

WAIT = 1  # server_down_wait here
AT_ONCE = 10 # upper limits, for slow machines
HELD = WAIT + 15
MB = 1 << 20

OK = message("R", bytes(4))
MD5 = message("R", b"\0\0\0\x05salt")
SASL = message("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")
KEY = message("K", b"\0\0\0\x01abcd")
READY = message("Z", b"I")
NOTICE = message("N", b"SNOTICE\0VNOTICE\0C00000\0Magain\0\0")
WELCOME = OK + message("S", b"server_version\x0015.5\0") + message("S", b"client_encoding\0UTF8\0") + KEY + READY


def fields(**values):
	"""An ErrorResponse of these fields and no others."""
	return message("E", b"".join(kind.encode() + value + b"\0" for kind, value in values.items()) + b"\0")


@pytest.fixture
def pooler(start_pooler, gate):
	"""Database app is behind the gate, second is not."""
	return start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}", "second": "HERE dbname=app"},
		auth_type="scram-sha-256", default_pool_size=2, server_down_wait=WAIT, server_connect_timeout=2, server_tls_sslmode="disable")


def first_client(pooler):
	"""The error that a client gets in its login, and after how long."""
	with Stopwatch() as watch, pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login("app", "app")
	return caught.value.message, watch.seconds


def comes_back(pooler, gate):
	"""Service is there again soon after the repair, for everybody."""
	def served():
		try:
			return pooler.serves()
		except ServerError:
			return False

	gate.open()
	until(served, 20, "service is back")
	assert pooler.serves(database="second")


def check_log(pooler):
	"""Each line is a record or goes on with one (DETAIL, HINT), is short, printable, and of valid UTF-8."""
	with open(pooler.log_path, "rb") as f:
		lines = f.read().split(b"\n")
	for line in lines[:-1]:
		assert re.match(rb"\t|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] (FATAL|ERROR|WARNING|LOG) ", line), line
		assert line.decode().replace("\t", " ").isprintable(), line
		assert len(line) <= 8192 + len("… (cut)")


def check_told(pooler, gate, words, limit, codes=("08P01",)):
	"""A client in its login is told; nobody else notices; service comes back."""
	with pooler.login(database="second") as other:
		m, seconds = first_client(pooler)
		assert other.value("SELECT 'fine'") == "fine"
	assert m.severity == "FATAL" and m.code in codes
	assert words in m.text
	assert seconds < limit
	comes_back(pooler, gate)
	check_log(pooler)
	return m


# In the login: errors in strange forms

@pytest.mark.parametrize("said,words,code", [
	(fields(S=b"FATAL", M=b"without a code"), "without a code", "08P01"),
	(fields(S=b"FATAL", C=b"28000"), "without a message", "28000"),
	(fields(C=b"28000", M=b"without a severity"), "without a severity", "28000"),
	(fields(S=b"FATAL", C=b"too long for a code", M=b"strange code"), "strange code", "08P01"),
	(fields(), "without a message", "08P01"),
	(message("E"), "without a message", "08P01"),
	(message("E", b"SFATAL\0C28000\0Mno end"), "no end", "28000"),
	(message("E", b"SFATAL\0C28000\0Mbehind the end\0\0more"), "behind the end", "28000"),
	(b"E\0\0\x10\0SFATAL\0C28000\0Mended in the midd", "ended in the midd", "28000"),
	(b"Ecould not fork new process for connection: Out of memory\n\0", "could not fork new process for connection: Out of memory", "08P01"),
], ids=["no code", "no message", "no severity", "strange code", "no fields", "no body", "no end", "something behind", "half", "protocol 2"])
def test_error_of_a_strange_form_is_told_as_far_as_it_can_be_read(pooler, gate, said, words, code):
	gate.saying(said)
	check_told(pooler, gate, words, AT_ONCE, (code,))


def test_error_of_a_megabyte_is_told_with_its_code_and_its_front(pooler, gate):
	gate.saying(fields(S=b"FATAL", C=b"28000", M=b"endless " + b"x" * MB))
	m = check_told(pooler, gate, "endless xxx", AT_ONCE, ("28000",))
	assert 8000 < len(m.text) <= 8192 + len("… (cut)")


def test_error_whose_end_never_comes_is_told_all_the_same(pooler, gate):
	def endless(connection):
		connection.recv(65536)
		connection.sendall(b"E\x10\0\0\0SFATAL\0C28000\0Mendless ")
		while True:
			connection.sendall(b"x" * 4096)

	gate.playing(endless)
	check_told(pooler, gate, "endless xxx", AT_ONCE, ("28000",))


def test_error_in_single_bytes_is_told_as_in_one_piece(pooler, gate):
	def spell(connection):
		connection.recv(65536)
		for byte in OK + error("28000", "byte by byte"):
			connection.sendall(bytes([byte]))

	gate.playing(spell)
	check_told(pooler, gate, "byte by byte", AT_ONCE, ("28000",))


def test_error_of_control_characters_is_one_printable_line_everywhere(pooler, gate):
	gate.saying(fields(S=b"FATAL", C=b"28000", M=b"one\r\ntwo\x1b[31m\x7f\xff\xc3(\xe2\x80\xae three", H=b"a\n\xffhint\x1b", D=b"\x07\xfe"))
	m = check_told(pooler, gate, "three", AT_ONCE, ("28000",))
	assert m.text.isprintable()
	assert not re.search(r"^\t?(two|.?hint)", pooler.log(), re.M)


# In the login: silence and slowness

@pytest.mark.parametrize("said", [b"R\0", OK[:7], OK + b"S\0\0\x10\0server_version\0", b"E\0\0\x10\0SFATAL\0C28000\0Mhalf"],
	ids=["half a header", "half a body", "parameter", "error"])
def test_half_a_message_and_silence_is_a_timeout(pooler, gate, said):
	def stop_talking(connection):
		connection.sendall(said)
		connection.recv(65536)
		while connection.recv(65536):
			pass

	gate.playing(stop_talking)
	check_told(pooler, gate, "timed out", HELD + 1)


def test_login_that_trickles_ends_at_server_connect_timeout(pooler, gate):
	ended = []

	def trickle(connection):
		connection.recv(65536)
		with Stopwatch() as watch:
			try:
				connection.sendall(OK)
				for byte in message("S", b"server_version\0" + b"1" * 30000 + b"\0"):
					connection.sendall(bytes([byte]))
					if select.select([connection], [], [], 0.3)[0]:
						break
			except OSError:
				pass
		ended.append(watch.seconds)

	gate.playing(trickle)
	m, seconds = first_client(pooler)
	assert "timed out" in m.text and seconds < HELD + 1
	until(lambda: ended, 8, "the pooler gives up")
	assert 1.5 < ended[0] < 8
	comes_back(pooler, gate)


# In the login: too much

@pytest.mark.parametrize("first,again", [
	(b"", NOTICE),
	(OK, NOTICE),
	(OK, message("S", b"name\0value\0")),
	(OK, KEY),
	(b"", message("v", b"\0\x03\0\0\0\0\0\0")),
	(OK, message("N", b"M" + b"x" * 300000 + b"\0\0")),
	(b"", message("N", b"M" + b"x" * 300000 + b"\0\0")),
], ids=["notices", "notices after Ok", "parameters", "keys", "negotiations", "long notices after Ok", "long notices"])
def test_endless_messages_end_the_login(pooler, gate, first, again):
	def flood(connection):
		connection.recv(65536)
		connection.sendall(first)
		while True:
			connection.sendall(again * 100)

	gate.playing(flood)
	check_told(pooler, gate, "in one login", AT_ONCE)


def test_more_parameters_than_fit_end_the_login(pooler, gate):
	gate.saying(OK + b"".join(message("S", b"name%d\0value\0" % i) for i in range(100)) + KEY + READY)
	check_told(pooler, gate, "ParameterStatus", AT_ONCE)


def test_one_notice_of_half_a_megabyte_is_no_harm(pooler, gate):
	def talkative(connection):
		connection.recv(65536)
		connection.sendall(message("N", b"M" + b"x" * (MB // 2) + b"\0\0") + WELCOME)
		while connection.recv(65536):
			connection.sendall(message("C", b"SELECT 0\0") + READY)

	gate.playing(talkative)
	with pooler.login() as w:
		assert types(w.ask(query("SELECT"))) == "CZ"


# In the login: out of order, and nonsense

@pytest.mark.parametrize("said,words", [
	(READY, "ReadyForQuery"),
	(KEY, "BackendKeyData"),
	(message("S", b"a\0b\0"), "ParameterStatus"),
	(OK + OK, "AuthenticationOk"),
	(OK + MD5, "Authentication message at a wrong time"),
	(MD5 * 2, "Authentication message at a wrong time"),
	(OK + KEY + READY + READY, "ReadyForQuery"),
	(OK + KEY + message("Z", b"T"), "ReadyForQuery"),
	(message("v", b"\0\x09\0\0\0\0\0\0"), "NegotiateProtocolVersion"),
	(message("v", b"\0\x03\0\0\x7f\xff\xff\xff"), "NegotiateProtocolVersion"),
	(OK + message("D", b"\0\0"), "DataRow"),
	(OK + b"\x01\x02\x03\x04\x05", "0x01"),
	(OK + b"S\x10\0\0\0", "ParameterStatus"),
	(OK + b"K\0\0\0\x01", "BackendKeyData"),
], ids=["ready first", "key first", "parameter first", "Ok twice", "MD5 after Ok", "MD5 twice", "ready twice", "in a transaction", "version 9",
	"names", "a row", "no message", "huge", "tiny"])
def test_messages_that_are_not_due_are_named(pooler, gate, said, words):
	gate.saying(said)
	check_told(pooler, gate, words, AT_ONCE)


def test_asking_for_the_password_again_and_again_ends_the_login(pooler, gate):
	def ask(connection):
		while connection.recv(65536):
			connection.sendall(MD5)

	gate.playing(ask)
	check_told(pooler, gate, "Authentication message at a wrong time", AT_ONCE)


SALT = b"s=c2FsdHNhbHRzYWx0c2FsdA=="


@pytest.mark.parametrize("challenge,words", [
	(lambda nonce: b"", "empty"),
	(lambda nonce: b"\0", "server-first-message"),
	(lambda nonce: b"x" * 30000, "server-first-message"),
	(lambda nonce: b"r=another," + SALT + b",i=4096", "nonce"),
	(lambda nonce: b"r=" + nonce + b"," + SALT + b",i=4096", "nonce"),
	(lambda nonce: b"r=" + nonce + b"more,s=,i=4096", "salt"),
	(lambda nonce: b"r=" + nonce + b"more,s=****,i=4096", "salt"),
	(lambda nonce: b"r=" + nonce + b"more," + SALT, "iteration"),
	(lambda nonce: b"r=" + nonce + b"more," + SALT + b",i=0", "iteration"),
	(lambda nonce: b"r=" + nonce + b"more," + SALT + b",i=-1", "iteration"),
	(lambda nonce: b"r=" + nonce + b"more," + SALT + b",i=4294967295", "iterations"),
	(lambda nonce: b"r=" + nonce + b"more," + SALT + b",i=99999999999999999999", "iteration"),
	(lambda nonce: b"m=must,r=" + nonce + b"more," + SALT + b",i=4096", "nonce"),
], ids=["empty", "NUL", "long", "nonce", "nonce not continued", "no salt", "salt", "no count", "zero", "negative", "huge", "overflow", "extension"])
def test_broken_scram_challenge_is_named(pooler, gate, challenge, words):
	def scram(connection):
		connection.recv(65536)
		connection.sendall(SASL)
		nonce = connection.recv(65536).split(b"r=")[1]
		connection.sendall(message("R", b"\0\0\0\x0b" + challenge(nonce)))
		connection.recv(65536)

	gate.playing(scram)
	check_told(pooler, gate, words, AT_ONCE)


@pytest.mark.parametrize("end,words", [
	(message("R", b"\0\0\0\x0c"), "server-final-message"),
	(message("R", b"\0\0\0\x0cv="), "server-final-message"),
	(message("R", b"\0\0\0\x0cv=****"), "server-final-message"),
	(message("R", b"\0\0\0\x0ce=other-error\x1b"), "could not prove"),
	(message("R", b"\0\0\0\x0cv=" + b"A" * 43 + b"="), "could not prove"),
	(OK, "could not prove"),
	(READY, "ReadyForQuery"),
], ids=["empty", "no signature", "not base64", "error", "wrong signature", "Ok", "ready"])
def test_broken_end_of_scram_is_named(pooler, gate, end, words):
	def scram(connection):
		connection.recv(65536)
		connection.sendall(SASL)
		nonce = connection.recv(65536).split(b"r=")[1]
		connection.sendall(message("R", b"\0\0\0\x0br=" + nonce + b"more," + SALT + b",i=2"))
		connection.recv(65536)
		connection.sendall(end)
		connection.recv(65536)

	gate.playing(scram)
	check_told(pooler, gate, words, AT_ONCE, ("08P01", "28000"))


# In use

def serving(answer):
	"""A server that lets anybody in and answers each query in its own way: answer(connection)."""
	def serve(connection):
		connection.recv(65536)
		connection.sendall(WELCOME)
		while connection.recv(65536):
			answer(connection)

	return serve


def says(data):
	def answer(connection):
		connection.sendall(data)
		connection.shutdown(socket.SHUT_WR)

	return answer


def reset(connection):
	connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	connection.close()


def asked(pooler, gate, answer):
	"""What the client of this server is told for its query, until it is cut off; others notice nothing, and it comes back."""
	gate.playing(serving(answer))
	with pooler.login(database="second") as other, pooler.login() as w:
		w.send(query("SELECT 1"))
		found = w.ended()
		assert other.value("SELECT 'fine'") == "fine"
	comes_back(pooler, gate)
	check_log(pooler)
	return found


ROW = message("T", b"\0\x01n\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0)) + message("D", b"\0\x01\0\0\0\x011")


@pytest.mark.parametrize("said", [b"\0" * 100, ROW + b"HTTP/1.1 400 Bad Request\r\n\r\n", ROW + b"D\0\0\0\x03", ROW + b"\xff\xff\xff\xff\xff",
	OK, KEY, SASL, message("v", b"\0\x03\0\0\0\0\0\0"), message("S", b"x" * 100000), message("S", b"no end"), message("2"),
	message("G", b"\0\0\0"), message("W", b"\0\0\0")],
	ids=["zeros", "HTTP", "length 3", "ones", "Ok", "key", "SASL", "negotiation", "huge parameter", "broken parameter", "bind", "copy in", "copy both"])
def test_garbage_in_mid_query_is_an_error_and_the_end(pooler, gate, said):
	found = asked(pooler, gate, says(said))
	errors = [m for m in found if m.type == "E"]
	if said.startswith(message("G", b"\0\0\0")):
		assert "E" in types(found)
	else:
		assert len(errors) == 1 and errors[0].severity == "FATAL" and errors[0] is found[-1]


@pytest.mark.parametrize("behind", [READY, b"\0" * 100, b"HTTP/1.1 400 Bad Request\r\n\r\n", OK, message("D", b"\0\0"), fields(S=b"FATAL", C=b"57P01")],
	ids=["ready", "zeros", "HTTP", "Ok", "a row", "last words"])
def test_garbage_behind_an_answer_is_not_the_clients_business(pooler, gate, behind):
	gate.playing(serving(lambda connection: connection.sendall(message("C", b"SELECT 0\0") + READY + behind)))
	with pooler.login() as w:
		for n in range(3):
			assert types(w.ask(query("SELECT"))) == "CZ"
			until(lambda: gate.attempts > n, what="the server is closed, and another one opened")
	comes_back(pooler, gate)
	check_log(pooler)


def test_error_of_a_megabyte_in_a_query_comes_whole(pooler, gate):
	long = fields(S=b"ERROR", V=b"ERROR", C=b"22012", M=b"x" * MB)
	gate.playing(serving(lambda connection: connection.sendall(long + READY)))
	with pooler.login() as w:
		for _ in range(3):
			found = w.ask(query("SELECT 1"))
			assert types(found) == "EZ" and len(found[0].body) == len(long) - 5
	comes_back(pooler, gate)


@pytest.mark.parametrize("size", [10, MB])
def test_last_words_are_the_clients_and_the_only_ones(pooler, gate, size):
	found = asked(pooler, gate, says(ROW + fields(S=b"FATAL", V=b"FATAL", C=b"57P01", M=b"x" * size)))
	assert types(found) == "TDE"
	assert found[-1].code == "57P01" and len(found[-1].text) == size


def test_reset_between_messages_is_told(pooler, gate):
	def answer(connection):
		connection.sendall(ROW)
		select.select([], [], [], 0.2)  # so that the row is read before the reset overtakes it
		reset(connection)

	found = asked(pooler, gate, answer)
	assert types(found)[-1] == "E" and "server conn crashed?" in found[-1].text


def test_reset_in_mid_message_ends_the_client(pooler, gate):
	def answer(connection):
		connection.sendall(ROW + b"D\0\x10\0\0" + b"x" * 100000)
		select.select([], [], [], 0.2)
		reset(connection)

	assert "E" not in types(asked(pooler, gate, answer))


def resident(pooler):
	with open(f"/proc/{pooler.pid}/status") as f:
		return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) << 10


@pytest.mark.parametrize("piece", [NOTICE, message("D", b"\0\x01\0\0\x27\x10" + b"x" * 10000), message("S", b"DateStyle\0ISO, MDY\0")],
	ids=["notices", "rows", "parameters"])
def test_endless_answer_to_a_client_that_does_not_read_is_not_kept(pooler, gate, piece):
	chunk = piece * (65536 // len(piece) + 1)
	total, sent, blocked = 1600 * len(chunk), [0], threading.Event()

	def answer(connection):
		connection.settimeout(1)
		while sent[0] < total:
			try:
				sent[0] += connection.send(chunk[sent[0] % len(chunk):])
			except TimeoutError:
				blocked.set()
		connection.settimeout(None)
		connection.sendall(message("C", b"SELECT 1\0") + READY)

	gate.playing(serving(answer))
	with pooler.login(database="second") as other, pooler.login() as w:
		before = resident(pooler)
		w.send(query("SELECT 1"))
		until(lambda: blocked.is_set() or sent[0] >= total, 60, "the server is held up")
		assert sent[0] < total / 2, "the pooler has taken everything"
		if not is_sanitized():
			assert resident(pooler) - before < 4 * MB
		assert other.value("SELECT 'fine'") == "fine"
		w.discard(total)
		assert w.until("Z")[-1].body == b"I"
	comes_back(pooler, gate)


def test_server_that_never_stops_talking_hurts_nobody_else(pooler, gate):
	def answer(connection):
		while True:
			connection.sendall(NOTICE * 1000)

	gate.playing(serving(answer))
	with pooler.login(database="second") as other, pooler.login() as w:
		w.send(query("SELECT 1"))
		w.discard(20 * MB)
		assert other.value("SELECT 'fine'") == "fine"
	comes_back(pooler, gate)


def test_idle_server_that_never_stops_talking_hurts_nobody_else(pooler, gate):
	idle, talked = threading.Event(), [0]

	def answer(connection):
		connection.sendall(message("C", b"SELECT 0\0") + READY)
		idle.wait(30)
		while True:
			connection.sendall(NOTICE * 1000)
			talked[0] += 1

	gate.playing(serving(answer))
	with pooler.login(database="second") as other, pooler.login() as w:
		before = resident(pooler)
		assert types(w.ask(query("SELECT"))) == "CZ"
		until(lambda: pooler.pool()["sv_idle"] == 1, what="the server is idle")
		idle.set()
		until(lambda: talked[0] > 1000, 60, "it talks")
		assert other.value("SELECT 'fine'") == "fine"
		if not is_sanitized():
			assert resident(pooler) - before < 4 * MB
		gate.open()
		until(lambda: pooler.pool()["sv_idle"] == 0, what="the loss of the idle server is noticed")
	comes_back(pooler, gate)
