"""The Windows that build-aux/wine-lab has made: programs run in it, its services and what it logs."""

import os
import re
import shutil
import subprocess
import tempfile

from pooler import PROGRAM, Pooler
from processes import account, end, environment, make_directory, start
from waiting import until

LAB = os.environ["WINDOWS_LAB"]
EXE = os.path.join(LAB, "pgweir.exe")

# SERVICE_… of winsvc.h
STOPPED, START_PENDING, STOP_PENDING, RUNNING, CONTINUE_PENDING, PAUSE_PENDING, PAUSED = range(1, 8)
STOP, PAUSE, CONTINUE, INTERROGATE, SHUTDOWN, RELOAD, PRESHUTDOWN = 1, 2, 3, 4, 5, 6, 15
ACCEPT_STOP, ACCEPT_PAUSE, ACCEPT_SHUTDOWN, ACCEPT_RELOAD, ACCEPT_PRESHUTDOWN = 1, 2, 4, 8, 0x100
AUTO_START = 2
OWN_CODE = 1066 # "the service has returned a service-specific error code"
NO_SUCH_SERVICE = 1060


def windows_path(path):
	"""A path of this system as a program for Windows names it."""
	return "Z:" + path.replace("/", "\\")


class WindowsError(Exception):
	"""Windows says no; the number is its error code."""

	def __init__(self, request, number):
		super().__init__(f"{request}: error {number}")
		self.number = number


class Windows:
	"""Asks control.exe, which lives as long as this."""

	def __init__(self):
		self.process = subprocess.Popen([f"{LAB}/wine", f"{LAB}/control.exe", "serve"], stdin=subprocess.PIPE,
			stdout=subprocess.PIPE, encoding="utf-8", cwd=LAB)

	def close(self):
		self.process.stdin.close()
		self.process.wait(10)
		self.process.stdout.close()

	def ask(self, *request):
		"""What it answers: a list of (name, value)."""
		self.process.stdin.write("\t".join(map(str, request)) + "\n")
		self.process.stdin.flush()
		found = []
		while True:
			line = self.process.stdout.readline().rstrip("\r\n")
			if line == "ok":
				return found
			if line.startswith("error "):
				raise WindowsError(request, int(line.split()[1]))
			assert "=" in line, (request, line)
			found.append(tuple(line.split("=", 1)))

	def status(self, service):
		return {name: int(value) for name, value in self.ask("state", service)}

	def state(self, service):
		return self.status(service)["state"]

	def exists(self, service):
		try:
			return bool(self.status(service))
		except WindowsError as e:
			assert e.number == NO_SUCH_SERVICE, e
			return False

	def wait_gone(self, service):
		"""What was removed goes when nobody has it open any more, its own process included."""
		until(lambda: not self.exists(service), what=f"{service} is gone")

	def config(self, service):
		return dict(self.ask("config", service))

	def control(self, service, code):
		self.ask("control", service, code)

	def registry(self, key, name):
		"""A value of HKEY_LOCAL_MACHINE, None if there is none."""
		try:
			return dict(self.ask("registry", key, name))["value"]
		except WindowsError as e:
			assert e.number == 2, e
			return None

	def rename(self, old, new):
		"""As a program of Windows renames: refused while somebody has the file open and does not share it."""
		self.ask("rename", windows_path(old), windows_path(new))


def run(*arguments, cwd=None, program=PROGRAM, status=0, **more):
	"""Runs pgweir.exe to its end; its output, errors included, if its exit status is that one."""
	done = subprocess.run([program, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
		encoding="utf-8", errors="replace", cwd=cwd, timeout=60, **more)
	assert done.returncode == status, (done.returncode, done.stdout)
	return done.stdout


class Events:
	"""What services write to the Event Log from now on. Wine shows it, but for the numbers, and keeps none of it."""

	def __init__(self):
		self.path = os.path.join(LAB, "events")
		self.begin = os.path.getsize(self.path)

	def all(self):
		"""A list of (level, text); the ends of lines are \\r\\n in letters."""
		with open(self.path, errors="replace") as f:
			f.seek(self.begin)
			return re.findall(r'^\w+:(err|warn|trace):eventlog:ReportEventW L"(.*)"(?:\.\.\.)?$', f.read(), re.MULTILINE)

	def errors(self):
		return [text for level, text in self.all() if level == "err"]

	def wait(self, pattern):
		"""The first error whose text has this."""
		return until(lambda: next((text for text in self.errors() if re.search(pattern, text)), None), what=f"an error says {pattern!r}")


class Service:
	"""A pooler that is registered as a service until close(). Its configuration is that of Pooler, in `pooler`."""

	def __init__(self, windows, cluster, folder, name, *options, ini=None, text=None, **settings):
		self.windows = windows
		self.name = name
		self.pooler = Pooler(cluster, folder, service_name=name, logfile="log", **settings)
		self.pooler.write(text)
		open(self.pooler.log_path, "w").close()
		os.chmod(self.pooler.log_path, 0o666)
		self.ini = ini or self.pooler.ini
		self.said = run("-regservice", self.ini, *options)

	def close(self):
		if self.windows.exists(self.name):
			run("-unregservice", self.ini)
		self.windows.wait_gone(self.name)
		self.pooler.discard()

	@property
	def state(self):
		return self.windows.state(self.name)

	@property
	def status(self):
		return self.windows.status(self.name)

	def start(self):
		self.windows.ask("start", self.name)
		self.wait(RUNNING)
		return self

	def control(self, code):
		self.windows.control(self.name, code)

	def stop(self):
		self.control(STOP)
		self.wait(STOPPED)

	def wait(self, state):
		"""Its status then."""
		return until(lambda: next((s for s in [self.status] if s["state"] == state), None), 15, f"{self.name} is in state {state}")

	def ends(self):
		"""Its status once it has stopped."""
		return self.wait(STOPPED)


__all__ = [name for name in dir() if not name.startswith("_")]
