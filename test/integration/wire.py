"""A small client of the PostgreSQL protocol that can say anything, right or wrong."""

import base64
import hashlib
import hmac
import os
import socket
import struct
from typing import NamedTuple

PROTOCOL_3_0 = 3 << 16
PROTOCOL_3_2 = (3 << 16) + 2
CANCEL_REQUEST = 80877102
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104


class Closed(Exception):
	"""The peer closed the connection."""


class ServerError(Exception):
	"""An ErrorResponse where an answer was expected."""

	def __init__(self, message):
		super().__init__(f"{message.severity} {message.code}: {message.text}")
		self.message = message


class Message(NamedTuple):
	type: str
	body: bytes

	@property
	def fields(self):
		"""Of an ErrorResponse or NoticeResponse."""
		parts = self.body.rstrip(b"\0").split(b"\0")
		return {chr(part[0]): part[1:].decode() for part in parts if part}

	@property
	def severity(self):
		return self.fields.get("S")

	@property
	def code(self):
		return self.fields.get("C")

	@property
	def text(self):
		return self.fields.get("M")

	@property
	def row(self):
		"""Of a DataRow: a tuple of texts and None."""
		count, at, values = struct.unpack_from("!H", self.body)[0], 2, []
		for _ in range(count):
			size = struct.unpack_from("!i", self.body, at)[0]
			at += 4
			values.append(None if size < 0 else self.body[at:at + size].decode())
			at += max(size, 0)
		return tuple(values)

	@property
	def columns(self):
		"""Of a RowDescription: a list of (name, type OID, type size, table OID, type modifier, format)."""
		count, at, found = struct.unpack_from("!H", self.body)[0], 2, []
		for _ in range(count):
			stop = self.body.index(b"\0", at)
			name = self.body[at:stop].decode()
			table, _number, oid, size, modifier, fmt = struct.unpack_from("!IhIhih", self.body, stop + 1)
			found.append((name, oid, size, table, modifier, fmt))
			at = stop + 19
		return found

	@property
	def tag(self):
		"""Of a CommandComplete."""
		return self.body.rstrip(b"\0").decode()


def types(messages):
	return "".join(m.type for m in messages)


# Messages of a client, as bytes.

def message(kind, body=b""):
	return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value):
	return value.encode() + b"\0"


def startup(version=PROTOCOL_3_0, end=b"\0", **parameters):
	return startup_raw(struct.pack("!I", version) + b"".join(text(k) + text(v) for k, v in parameters.items()) + end)


def startup_raw(body):
	return struct.pack("!i", len(body) + 4) + body


def query(sql):
	return message("Q", text(sql))


def parse(sql, name="", *oids):
	return message("P", text(name) + text(sql) + struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def bind(*values, name="", portal=""):
	packed = b"".join(struct.pack("!i", -1) if v is None else struct.pack("!i", len(str(v).encode())) + str(v).encode() for v in values)
	return message("B", text(portal) + text(name) + struct.pack("!HH", 0, len(values)) + packed + struct.pack("!H", 0))


def describe(kind="P", name=""):
	return message("D", kind.encode() + text(name))


def execute(portal="", limit=0):
	return message("E", text(portal) + struct.pack("!i", limit))


def close(kind, name):
	return message("C", kind.encode() + text(name))


def sync():
	return message("S")


def flush():
	return message("H")


def terminate():
	return message("X")


def copy_data(data):
	return message("d", data)


def copy_done():
	return message("c")


def copy_fail(reason):
	return message("f", text(reason))


def function_call(oid, *values):
	"""Text arguments, text result."""
	packed = b"".join(struct.pack("!i", len(v)) + v for v in values)
	return message("F", struct.pack("!IHH", oid, 0, len(values)) + packed + struct.pack("!H", 0))


def statement(sql, *values):
	"""One statement by the extended protocol, without its Sync."""
	return parse(sql) + bind(*values) + describe() + execute()


class Wire:
	"""One connection. Every read has a deadline, so a test never hangs."""

	def __init__(self, port, host="127.0.0.1", seconds=15, source=""):
		if host.startswith("/"):
			self.sock = socket.socket(socket.AF_UNIX)
			self.sock.settimeout(seconds)
			self.sock.connect(f"{host}/.s.PGSQL.{port}")
		else:
			self.sock = socket.create_connection((host, port), timeout=seconds, source_address=(source, 0))
			self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		self.got = b""
		self.parameters = {}
		self.key = None
		self.notices = []
		self.greeting = []

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()

	def close(self):
		self.sock.close()

	def reset(self):
		"""Closes by RST: what a killed machine's router may do."""
		self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		self.sock.close()

	def send(self, *parts):
		self.sock.sendall(b"".join(parts))

	def _fill(self, size):
		while len(self.got) < size:
			try:
				data = self.sock.recv(1 << 16)
			except ConnectionResetError:
				data = b""
			if not data:
				raise Closed()
			self.got += data

	def take(self, size):
		self._fill(size)
		data, self.got = self.got[:size], self.got[size:]
		return data

	def read(self):
		self._fill(5)
		size = struct.unpack_from("!i", self.got, 1)[0]
		assert size >= 4, f"message of type {self.got[:1]} with length {size}"
		data = self.take(size + 1)
		return Message(chr(data[0]), data[5:])

	def until(self, kinds="Z"):
		"""Everything up to and including the first message of one of these types."""
		found = []
		while not found or found[-1].type not in kinds:
			found.append(self.read())
		return found

	def ended(self):
		"""Everything until the peer closes; fails by timeout if it does not."""
		found = []
		try:
			while True:
				found.append(self.read())
		except Closed:
			return found

	def discard(self, size):
		"""Reads and forgets that many bytes; returns nothing."""
		size -= len(self.got)
		self.got = b""
		while size > 0:
			data = self.sock.recv(min(1 << 18, size))
			if not data:
				raise Closed()
			size -= len(data)

	# Logging in.

	def begin(self, user, database=None, version=PROTOCOL_3_0, **parameters):
		"""Sends the start-up message only."""
		self.send(startup(version, user=user, database=database or user, **parameters))
		return self

	def login(self, user, database=None, password=None, **parameters):
		"""Logs in whatever the method; raises ServerError when told no."""
		self.begin(user, database, **parameters)
		return self.finish_login(user, user if password is None else password)

	def finish_login(self, user, password):
		while True:
			m = self.read()
			self.greeting.append(m)
			if m.type == "E":
				raise ServerError(m)
			if m.type == "S":
				name, value = m.body.split(b"\0")[:2]
				self.parameters[name.decode()] = value.decode()
			elif m.type == "K":
				self.key = m.body
			elif m.type == "N":
				self.notices.append(m)
			elif m.type == "R":
				self._answer(m, user, password)
			elif m.type == "Z":
				return self

	def _answer(self, m, user, password):
		method = struct.unpack_from("!I", m.body)[0]
		if method == 3:
			self.send(message("p", text(password)))
		elif method == 5:
			self.send(message("p", text(md5_answer(user, password, m.body[4:8]))))
		elif method == 10:
			assert m.body[4:] == b"SCRAM-SHA-256\0\0", m.body
			self.scram = Scram(password)
			first = self.scram.first()
			self.send(message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
		elif method == 11:
			self.send(message("p", self.scram.final(m.body[4:])))
		elif method == 12:
			assert m.body[4:] == self.scram.expected, "the server's proof is wrong"
		else:
			assert method == 0, f"authentication method {method}"

	# Asking.

	def ask(self, *parts):
		"""Sends, and returns everything up to the next ReadyForQuery."""
		self.send(*parts)
		return self.until("Z")

	def rows(self, sql):
		"""Rows of a simple query; raises ServerError."""
		found = self.ask(query(sql))
		for m in found:
			if m.type == "E":
				raise ServerError(m)
		return [m.row for m in found if m.type == "D"]

	def value(self, sql):
		return self.rows(sql)[0][0]


def md5_answer(user, password, salt):
	inner = password[3:] if password.startswith("md5") and len(password) == 35 else hashlib.md5((password + user).encode()).hexdigest()
	return "md5" + hashlib.md5(inner.encode() + salt).hexdigest()


def md5_secret(user, password):
	return "md5" + hashlib.md5((password + user).encode()).hexdigest()


class Scram:
	"""The client's side of SCRAM-SHA-256."""

	def __init__(self, password):
		self.password = password.encode()
		self.nonce = base64.b64encode(os.urandom(18))
		self.bare = b"n=,r=" + self.nonce
		self.expected = None

	def first(self):
		return b"n,," + self.bare

	def final(self, server_first):
		attributes = dict(part.split(b"=", 1) for part in server_first.split(b","))
		salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(attributes[b"s"]), int(attributes[b"i"]))
		client_key = hmac.digest(salted, b"Client Key", "sha256")
		bare_final = b"c=biws,r=" + attributes[b"r"]
		whole = self.bare + b"," + server_first + b"," + bare_final
		signature = hmac.digest(hashlib.sha256(client_key).digest(), whole, "sha256")
		proof = bytes(a ^ b for a, b in zip(client_key, signature))
		self.expected = b"v=" + base64.b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), whole, "sha256"))
		return bare_final + b",p=" + base64.b64encode(proof)


def cancel(port, key, host="127.0.0.1"):
	"""Sends a CancelRequest and waits until the peer has closed the connection."""
	with Wire(port, host) as w:
		w.send(struct.pack("!iI", 8 + len(key), CANCEL_REQUEST) + key)
		assert w.ended() == [], "a CancelRequest is never answered"
