"""A name server for tests: answers by UDP and TCP, and misbehaves as told."""

import contextlib
import os
import selectors
import socket
import struct
import threading

A, CNAME, SOA, AAAA = 1, 5, 6, 28


def own_address():
	"""An address of loopback that hardly anybody else has: name servers have one port only, 53."""
	return f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}.53"


def in_wire_form(name):
	return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


class NameServer:
	"""
	names     {name: [address, ...]}; all other names do not exist
	aliases   {name: name}
	ttls      {name: seconds}; of others `ttl`
	codes     {name: code} instead of an answer: 2 is SERVFAIL, 5 REFUSED
	silent    names about which nothing is said; True: about all
	serials   {zone: serial}
	cut       answers by UDP are empty and say that TCP has more
	asked     all questions, as (name, type, "udp" or "tcp")
	"""

	def __init__(self, address):
		self.names, self.aliases, self.ttls, self.codes, self.serials = {}, {}, {}, {}, {}
		self.ttl = 60
		self.silent = ()
		self.cut = False
		self.asked = []
		self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		self.udp.bind((address, 53))
		self.tcp = socket.create_server((address, 53))
		self.hurry, self.end = socket.socketpair()
		self.thread = threading.Thread(target=self._serve, daemon=True)
		self.thread.start()

	def close(self):
		"""Nobody reads any more when it returns: a socket that is closed while a thread reads goes on taking questions."""
		self.hurry.close()
		self.thread.join()
		for s in (self.end, self.udp, self.tcp):
			s.close()

	def count(self, name, kind=None):
		return sum(1 for asked, its_kind, _ in list(self.asked) if asked == name and kind in (None, its_kind))

	def _serve(self):
		with selectors.DefaultSelector() as ready:
			for s in (self.end, self.udp, self.tcp):
				ready.register(s, selectors.EVENT_READ)
			while True:
				for key, _ in ready.select():
					if key.fileobj is self.end:
						return
					if key.fileobj is self.udp:
						self._serve_datagram()
					else:
						asker, _ = self.tcp.accept()
						threading.Thread(target=self._serve_connection, args=(asker,), daemon=True).start()

	def _serve_datagram(self):
		question, asker = self.udp.recvfrom(4096)
		answer = self._answer(question, "udp")
		if answer:
			self.udp.sendto(answer, asker)

	def _serve_connection(self, asker):
		with asker, contextlib.suppress(OSError):
			while len(head := asker.recv(2, socket.MSG_WAITALL)) == 2:
				answer = self._answer(asker.recv(*struct.unpack("!H", head), socket.MSG_WAITALL), "tcp")
				if answer:
					asker.sendall(struct.pack("!H", len(answer)) + answer)

	def _answer(self, question, way):
		labels, at = [], 12
		while question[at]:
			labels.append(question[at + 1:at + 1 + question[at]].decode())
			at += question[at] + 1
		kind = struct.unpack_from("!H", question, at + 1)[0]
		name = ".".join(labels).lower()
		self.asked.append((name, kind, way))
		if self.silent is True or name in self.silent:
			return None
		code, records = self._records(name, kind)
		flags = 0x8580 | code
		if self.cut and way == "udp" and records:
			flags, records = flags | 0x0200, []
		body = b"".join(in_wire_form(owner) + struct.pack("!HHIH", its_kind, 1, ttl, len(data)) + data for owner, its_kind, ttl, data in records)
		return question[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + question[12:at + 5] + body

	def _records(self, name, kind):
		records = []
		if name in self.codes:
			return self.codes[name], []
		while name in self.aliases:
			records.append((name, CNAME, self.ttls.get(name, self.ttl), in_wire_form(self.aliases[name])))
			name = self.aliases[name]
		ttl = self.ttls.get(name, self.ttl)
		if kind == SOA and name in self.serials:
			records.append((name, SOA, ttl, in_wire_form("ns." + name) + in_wire_form("root") + struct.pack("!IIIII", self.serials[name], 1, 1, 1, 1)))
		for address in self.names.get(name, []):
			family, its_kind = (socket.AF_INET6, AAAA) if ":" in address else (socket.AF_INET, A)
			if kind == its_kind:
				records.append((name, kind, ttl, socket.inet_pton(family, address)))
		return 0 if records or name in self.names or name in self.serials else 3, records
