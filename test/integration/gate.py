"""A door between pooler and PostgreSQL that tests can shut in different ways while connections exist."""

import socket
import struct
import threading

from processes import Port
from wire import message


def error(code, text, **more):
	"""An ErrorResponse as a server sends it at login; D and H are its detail and hint."""
	return message("E", b"".join(kind.encode() + value.encode() + b"\0" for kind, value in
		(("S", "FATAL"), ("V", "FATAL"), ("C", code), ("M", text), *more.items())) + b"\0")


class Gate:
	"""
	open      relays to the server
	refused   nobody listens on the port
	dropped   the port's queue is full: connection attempts get no answer at all
	silent    accepts and says nothing
	closed    accepts and closes at once
	saying    waits for the first bytes, answers with fixed bytes and closes
	playing   plays a server: calls a function with each connection; closes when it returns
	"""

	def __init__(self, port, host="127.0.0.1"):
		self.server_port = port
		self.host = host
		self.answer = b""
		self.part = None
		self.attempts = 0
		self.relays = []
		self.held = []
		self.lock = threading.Lock()
		self.listener = None
		self.mode = "refused"
		self.held_port = Port(host)
		self.port = self.held_port.number
		self.open()

	# Ways to be.

	def open(self):
		self._become("open")

	def refused(self):
		self._become("refused")

	def dropped(self):
		self._become("dropped")

	def silent(self):
		self._become("silent")

	def closed(self):
		self._become("closed")

	def saying(self, answer):
		self.answer = answer
		self._become("saying")

	def playing(self, part):
		"""part(connection) runs in a thread of its own; that the other side has gone is no error in it."""
		self.part = part
		self._become("playing")

	def cut(self):
		"""Ends the connections that exist."""
		with self.lock:
			relays, self.relays = self.relays, []
		for pair in relays:
			for s in pair:
				shut(s)

	def inject(self, data):
		"""Says something to the pooler in the name of the server, on every connection that exists."""
		with self.lock:
			for client, _ in self.relays:
				client.sendall(data)

	def close(self):
		self._become("refused")
		self.cut()
		self.held_port.close()

	def _become(self, mode):
		for s in self.held:
			shut(s)
		self.held = []
		if self.listener is not None:
			shut(self.listener)
			self.listener.close()
			self.thread.join()
			self.listener = None
		self.mode = mode
		self.attempts = 0
		if mode == "refused":
			return
		self.listener = socket.socket()
		self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		self.listener.bind((self.host, self.port))
		self.listener.listen(0 if mode == "dropped" else 512)
		if mode == "dropped":
			self.thread = threading.Thread(target=self._fill_queue)
		else:
			self.thread = threading.Thread(target=self._accept, args=(self.listener, mode), daemon=True)
		self.thread.start()
		if mode == "dropped":
			self.thread.join()

	def _fill_queue(self):
		for _ in range(4):
			s = socket.socket()
			s.settimeout(0.1)
			self.held.append(s)
			try:
				s.connect((self.host, self.port))
			except OSError:
				pass

	def _accept(self, listener, mode):
		while True:
			try:
				client, _ = listener.accept()
			except OSError:
				return
			self.attempts += 1
			if mode == "closed":
				client.close()
			elif mode == "silent":
				self.held.append(client)
			elif mode == "playing":
				self.held.append(client)
				threading.Thread(target=self._play, args=(client,), daemon=True).start()
			elif mode == "saying":
				threading.Thread(target=self._say, args=(client,), daemon=True).start()
			else:
				self._relay(client)

	def _say(self, client):
		try:
			client.settimeout(5)
			client.recv(65536)
			client.sendall(self.answer)
			client.shutdown(socket.SHUT_WR)
			client.recv(65536)
		except OSError:
			pass
		client.close()

	def _play(self, client):
		try:
			client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
			self.part(client)
		except OSError:
			pass
		client.close()

	def _relay(self, client):
		try:
			server = socket.create_connection(("127.0.0.1", self.server_port))
		except OSError:
			client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
			client.close()
			return
		with self.lock:
			self.relays.append((client, server))
		for source, target in ((client, server), (server, client)):
			threading.Thread(target=pump, args=(source, target), daemon=True).start()


def pump(source, target):
	try:
		while data := source.recv(65536):
			target.sendall(data)
	except OSError:
		pass
	shut(source)
	shut(target)


def shut(s):
	try:
		s.shutdown(socket.SHUT_RDWR)
	except OSError:
		pass
