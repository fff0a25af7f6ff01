"""Speaking HTTP to the pooler: as a program does (get), and byte by byte as nobody should (say)."""

import http.client
import json
import re
import socket

from processes import Port


class Web:
	"""A port of its own for http_listen: give start_pooler http_listen=web.listen."""

	def __init__(self, host="127.0.0.1", family=socket.AF_INET):
		self.host = host
		self.family = family
		self.held_port = Port()
		self.port = self.held_port.number
		self.listen = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

	def close(self):
		self.held_port.close()

	def get(self, path, method="GET", at=None, **headers):
		"""Status, headers and text of an answer. Names of headers are written with _ for -."""
		c = http.client.HTTPConnection(at or self.host, self.port, timeout=20)
		try:
			c.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
			r = c.getresponse()
			return Answer(r.status, r.headers, r.read().decode())
		finally:
			c.close()

	def status(self, path, **more):
		return self.get(path, **more).status

	def connect(self, timeout=20):
		s = socket.socket(self.family)
		s.settimeout(timeout)
		s.connect((self.host, self.port))
		return s

	def say(self, data, half_close=False):
		"""All that is answered to these bytes until the other side closes."""
		with self.connect() as s:
			try:
				s.sendall(data)
				if half_close:
					s.shutdown(socket.SHUT_WR)
				return everything(s)
			except OSError: # it has closed before all was said
				return everything(s)


class Answer:
	def __init__(self, status, headers, text):
		self.status = status
		self.headers = headers
		self.text = text

	def json(self):
		return json.loads(self.text)


def everything(s):
	"""What comes until the end; a reset is one."""
	got = b""
	try:
		while data := s.recv(65536):
			got += data
	except OSError:
		pass
	return got


def statuses(data):
	"""The status lines in what was answered."""
	return [int(status) for status in re.findall(rb"HTTP/1\.\d (\d{3}) ", data)]
