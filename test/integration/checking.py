"""Runs `pgweir check` beside the tests' own PostgreSQL."""

import json
import os
import shutil
import subprocess
import tempfile

from pooler import PROGRAM, quoted
from processes import Port, account, environment, identity, make_directory


class Findings:
	"""What one check printed and returned."""

	def __init__(self, status, out, err):
		self.status = status
		self.out = out
		self.err = err

	def json(self):
		return json.loads(self.out)

	def of(self, severity=None, **members):
		"""The findings of a JSON output with these members."""
		if severity is not None:
			members["severity"] = severity
		return [f for f in self.json()["findings"] if all(f[name] == value for name, value in members.items())]


class Checker:
	"""
	settings       [pgbouncer] settings beside the defaults below; None removes one
	databases      {name: "host=… port=…"}; "HERE" stands for the private server's host and port
	secrets        {name: secret} for userlist.txt
	"""

	def __init__(self, cluster, folder, databases=None, secrets=None, users=None, **settings):
		self.cluster = cluster
		self.who = account("nobody", "daemon")
		self.folder = make_directory(tempfile.mkdtemp(prefix="check-", dir=folder), self.who)
		self.held_port = Port()
		self.port = self.held_port.number
		self.ini = os.path.join(self.folder, "pooler.ini")
		self.userlist = os.path.join(self.folder, "userlist.txt")
		self.databases = {"app": "HERE"} if databases is None else databases
		self.users = users or {}
		self.secrets = {"app": "app"} if secrets is None else secrets
		self.settings = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "scram-sha-256",
			"auth_file": self.userlist, "threads": 2, "max_client_conn": 50}
		self.settings.update(settings)
		self.write()

	def write(self, text=None):
		here = f"host=127.0.0.1 port={self.cluster.port}"
		lines = ["[databases]"] + [f"{name} = {line.replace('HERE', here)}" for name, line in self.databases.items()]
		lines += ["[users]"] + [f"{name} = {line}" for name, line in self.users.items()]
		lines += ["[pgbouncer]"] + [f"{key} = {value}" for key, value in self.settings.items() if value is not None]
		self._write(self.ini, text or "\n".join(lines) + "\n")
		self._write(self.userlist, "".join(f"{quoted(name)} {quoted(secret)}\n" for name, secret in self.secrets.items()))

	def _write(self, path, text):
		with open(path, "w") as f:
			f.write(text)
		os.chmod(path, 0o600)
		if os.getuid() == 0:
			os.chown(path, self.who.pw_uid, self.who.pw_gid)

	def start_with(self, *arguments, stderr=subprocess.PIPE, **more):
		"""A check that goes on meanwhile; further names are environment variables."""
		env = environment(self.folder)
		env.update(more)
		return subprocess.Popen([PROGRAM, "check", *arguments], cwd=self.folder, env=env, text=True, stdin=subprocess.DEVNULL,
			stdout=subprocess.PIPE, stderr=stderr, **identity(self.who))

	def start(self, *options, source=None, **more):
		return self.start_with(*options, source or self.ini, **more)

	def run_with(self, *arguments, **more):
		process = self.start_with(*arguments, **more)
		out, err = process.communicate(timeout=120)
		for sign in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
			assert sign not in err, err[-4000:]
		return Findings(process.returncode, out, err)

	def run(self, *options, source=None, **more):
		return self.run_with(*options, source or self.ini, **more)

	def discard(self):
		self.held_port.close()
		shutil.rmtree(self.folder, ignore_errors=True)
