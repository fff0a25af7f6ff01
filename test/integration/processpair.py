"""
A pooler as a process alone, without PostgreSQL: the program under test or PgBouncer, run with the same arguments and files,
and what of it scripts and operators see: status, lines, files.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile

from pooler import PROGRAM, pgbouncer
from processes import Port, account, environment, identity, make_directory
from waiting import until
from wire import Wire

HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] ")
SETTINGS = {"listen_addr": "127.0.0.1", "unix_socket_dir": "HOME", "auth_type": "trust", "auth_file": "HOME/users", "admin_users": "admin",
	"logfile": "HOME/log"}


class Lone:
	"""
	One program with a directory of its own, which HOME in settings, arguments and files stands for.

	files    {name: content}, beside x.ini and users
	as_root  whether it keeps root's rights, if we have them
	"""

	def __init__(self, program, folder, files=None, as_root=False, text=None, variables=None, **settings):
		self.program = program
		self.who = account("nobody", "daemon")
		self.as_root = as_root
		self.home = make_directory(tempfile.mkdtemp(prefix="process-", dir=folder), self.who)
		self.held_port = Port()
		self.port = self.held_port.number
		self.variables = variables or {}
		self.process = None
		settings = {**SETTINGS, "listen_port": self.port, **settings}
		self.put("x.ini", text or "".join(["[databases]\napp = host=127.0.0.1\n[pgbouncer]\n",
			*(f"{key} = {value}\n" for key, value in settings.items() if value is not None)]))
		self.put("users", '"admin" "admin"\n')
		for name, content in (files or {}).items():
			self.put(name, content)

	def here(self, text):
		return text.replace("HOME", self.home).replace("PORT", str(self.port))

	def put(self, name, content):
		path = os.path.join(self.home, name)
		with open(path, "w") as f:
			f.write(self.here(content))
		if name == "users":
			os.chmod(path, 0o600) # else the log says who may read it
		if os.getuid() == 0:
			os.chown(path, self.who.pw_uid, self.who.pw_gid)

	def start(self, *arguments):
		"""With these arguments, x.ini if there are none. Its stderr goes to a file, so that a daemon holds up nobody."""
		with open(os.path.join(self.home, "stderr"), "w") as err, open(os.path.join(self.home, "stdout"), "w") as out:
			self.process = subprocess.Popen([self.program, *map(self.here, arguments or ["HOME/x.ini"])], stdin=subprocess.DEVNULL, stdout=out,
				stderr=err, cwd=self.home, env={**environment(self.home), **self.variables}, **({} if self.as_root else identity(self.who)))
		return self

	def run(self, *arguments):
		"""To its end."""
		self.start(*arguments)
		self.process.wait(20)
		return self

	def up(self, *arguments):
		"""Until it serves."""
		self.start(*arguments)
		until(lambda: "process up: " in self.read("log") or self.process.poll() is not None, 20, "it is up or has ended")
		assert self.process.poll() is None, self.read("stderr")
		return self

	@property
	def status(self):
		return self.process.returncode

	def ended(self):
		return self.process.wait(20)

	def signal(self, number):
		self.process.send_signal(number)

	def read(self, name):
		try:
			with open(os.path.join(self.home, name), errors="replace") as f:
				return f.read()
		except FileNotFoundError:
			return ""

	def lines(self, name="stderr"):
		"""Without times and what differs by the place: "LEVEL text"; DETAIL and HINT, which only pgweir has, left out."""
		found = [HEAD.sub("", line) for line in self.read(name).splitlines() if not line.startswith("\t")]
		return [line.replace(self.home, "HOME").replace(self.program, "PROGRAM").replace(str(self.port), "PORT") for line in found]

	def wait_line(self, text, name="log"):
		until(lambda: any(text in line for line in self.lines(name)), 20, f"{name} says {text!r}")

	def console(self):
		return Wire(self.port).login("admin", "pgbouncer", "admin")

	def files(self):
		return {name for name in os.listdir(self.home) if name not in ("x.ini", "users", "stdout", "stderr", "log")}

	def discard(self):
		if self.process is not None and self.process.poll() is None:
			self.process.kill()
			self.process.wait()
		self.held_port.close()
		shutil.rmtree(self.home, ignore_errors=True)


class Pair:
	"""make(...) for both programs: the reference first."""

	def __init__(self, folder):
		self.folder = folder
		self.made = []
		self.programs = [pgbouncer(), PROGRAM]
		assert all(self.programs)

	def make(self, **options):
		both = [Lone(program, self.folder, **options) for program in self.programs]
		self.made += both
		return both

	def ours(self, **options):
		self.made.append(Lone(PROGRAM, self.folder, **options))
		return self.made[-1]

	def discard(self):
		for lone in self.made:
			lone.discard()


def kill_by_pidfile(path):
	"""The process that we have started and that went into the background, if it still lives."""
	try:
		with open(path) as f:
			os.kill(int(f.read()), signal.SIGKILL)
	except (FileNotFoundError, ProcessLookupError, ValueError):
		pass
