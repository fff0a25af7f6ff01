"""Starting programs as an unprivileged account, ending them by their own process id, and what the kernel knows of them."""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess


def account(*names):
	"""Who a child runs as: the first of these accounts if we are root, otherwise ourselves."""
	if os.getuid() != 0:
		return pwd.getpwuid(os.getuid())
	for name in names:
		try:
			return pwd.getpwnam(name)
		except KeyError:
			continue
	raise RuntimeError(f"none of these accounts exists: {names}")


def identity(who):
	"""Arguments of subprocess functions that make the child run as this account."""
	if os.getuid() != 0:
		return {}
	return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def environment(home):
	"""Our environment without anything that steers libpq, so that only what a test says counts."""
	env = {name: value for name, value in os.environ.items() if not name.startswith("PG") or name.startswith("PGWEIR")}
	env.update(HOME=str(home), LC_ALL="C.UTF-8", TZ="UTC")
	# Freed memory that a sanitizer keeps would hide whether a program holds on to memory.
	env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
	return env


def start(command, who, home, output, end_signal="KILL", **more):
	"""Starts a program that dies with us whatever happens to us. Its pid is the program's own."""
	setpriv = shutil.which("setpriv", path=os.environ.get("PATH", "") + ":/usr/bin:/bin")
	return subprocess.Popen([setpriv, "--pdeathsig", end_signal, "--", *map(str, command)], cwd=str(home),
		env=environment(home), stdin=subprocess.DEVNULL, stdout=output, stderr=output, **identity(who), **more)


def start_filtering(command, who, home, output, **more):
	"""If we can: an unprivileged process all the same, but one that any kernel lets filter its sockets."""
	if os.getuid() != 0:
		return start(command, who, home, output, **more)
	may = ["setpriv", "--reuid", who.pw_uid, "--regid", who.pw_gid, "--clear-groups", "--inh-caps", "+net_admin", "--ambient-caps", "+net_admin",
		"--pdeathsig", "KILL", "--"]
	return start([*may, *command], account("root"), home, output, **more)


def end(process, number=signal.SIGKILL, seconds=10):
	"""Ends a child that we started and returns its exit status."""
	if process.poll() is None:
		process.send_signal(number)
	try:
		return process.wait(seconds)
	except subprocess.TimeoutExpired:
		process.kill()
		process.wait()
		raise AssertionError(f"process {process.pid} did not end within {seconds} s of signal {number}") from None


def make_directory(path, who):
	os.makedirs(path, exist_ok=True)
	os.chmod(path, 0o755)
	if os.getuid() == 0:
		os.chown(path, who.pw_uid, who.pw_gid)
	return path


class Port:
	"""
	A port that is ours until close(): the kernel gives it to nobody else, neither to who asks for any port nor to an outgoing
	connection, while programs that we tell its number may listen on it (SO_REUSEADDR). Nobody listening, it refuses.
	"""

	def __init__(self, host="127.0.0.1"):
		self.sock = socket.socket()
		self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
		self.sock.bind((host, 0))
		self.number = self.sock.getsockname()[1]
		self.close = self.sock.close


def status_kb(pid, field):
	"""A figure of /proc/PID/status in kB, such as VmRSS."""
	with open(f"/proc/{pid}/status") as f:
		for line in f:
			if line.startswith(field + ":"):
				return int(line.split()[1])
	raise AssertionError(f"no {field} for process {pid}")


def context_switches(pid):
	"""Voluntary context switches of all threads of a process so far."""
	total = 0
	for task in os.listdir(f"/proc/{pid}/task"):
		with open(f"/proc/{pid}/task/{task}/status") as f:
			total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches:"))
	return total


def cpu_seconds(pid):
	"""CPU time of a process so far."""
	with open(f"/proc/{pid}/stat") as f:
		fields = f.read().rpartition(")")[2].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid):
	return len(os.listdir(f"/proc/{pid}/fd"))


PIDFD_GETFD = 438


@contextlib.contextmanager
def socket_of(pid, local=None, peer=None):
	"""A process's TCP socket with these ports, as a socket of ours: to ask for its options."""
	process, found = os.pidfd_open(pid), None
	try:
		for name in os.listdir(f"/proc/{pid}/fd"):
			with contextlib.suppress(FileNotFoundError):
				if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
					continue
			fd = ctypes.CDLL(None).syscall(PIDFD_GETFD, process, int(name), 0)
			if fd < 0:
				continue
			found = socket.socket(fileno=fd)
			with contextlib.suppress(OSError):
				if found.family in (socket.AF_INET, socket.AF_INET6) and local in (None, found.getsockname()[1]) and (
						peer is None or peer == found.getpeername()[1]):
					yield found
					return
			found.close()
		raise AssertionError(f"process {pid} has no socket from {local} to {peer}")
	finally:
		if found is not None:
			found.close()
		os.close(process)
