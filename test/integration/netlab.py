"""
Two machines on one cable, so that faults between pooler and PostgreSQL are the kernel's own.

	machine "pooler"  10.99.0.1 ──── veth ──── 10.99.0.2, 10.99.0.3  machine "server"
	pgweir, the tests' clients,                PostgreSQL, and whatever a fault puts in its place
	name server on 127.0.0.53

A machine is a network namespace without a name: the kernel removes it with the last process and descriptor in it, so
nothing is left behind however the tests end. Needs root, iproute2 and nftables.
"""

import contextlib
import ctypes
import os
import pwd
import socket
import subprocess
import sys

import processes
from cluster import Cluster
from gate import Gate
from nameserver import NameServer
from processes import end, make_directory
from waiting import until

POOLER, SERVER, SECOND, NOBODY, ELSEWHERE = "10.99.0.1", "10.99.0.2", "10.99.0.3", "10.99.0.9", "10.98.0.1"
NAME_SERVER = "127.0.0.53"

HBA = f"""\
local all all trust
host all all 127.0.0.1/32 trust
host all all {POOLER}/32 scram-sha-256
"""

# Faults are rules for new connections: those that exist go on, because they have been tracked from their beginning. The
# counter sees every SYN, dropped or not.
RULES = """
table inet lab {
	counter attempts { }
	chain counting { type filter hook prerouting priority -300; tcp flags & (syn | ack) == syn tcp dport PORT counter name attempts; }
	chain tracking { type filter hook prerouting priority -150; ct state established accept; }
	chain instead { type nat hook prerouting priority -100; }
	chain incoming { type filter hook input priority 0; }
	chain outgoing { type filter hook output priority 0; }
}
"""

# A root directory of its own: our files in /etc, and /.dockerenv only if asked for.
OWN_ROOT = r"""
set -e
files=$1 container=$2
shift 2
mount --bind "$files/resolv.conf" /etc/resolv.conf
mount --bind "$files/nsswitch.conf" /etc/nsswitch.conf
mount -t tmpfs tmpfs /mnt
for entry in /*; do
	if [ -L "$entry" ]; then
		cp -P "$entry" "/mnt$entry"
	elif [ -d "$entry" ] && [ "$entry" != /mnt ]; then
		mkdir "/mnt$entry"
		mount --rbind "$entry" "/mnt$entry"
	fi
done
[ -z "$container" ] || touch /mnt/.dockerenv
exec chroot /mnt "$@"
"""

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def check(result):
	if result != 0:
		raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def run(*command, text=None):
	done = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	assert done.returncode == 0, f"{command}: {done.stdout}"
	return done.stdout


class Machine:
	"""A network namespace."""

	def __init__(self):
		here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
		try:
			check(libc.unshare(CLONE_NEWNET))
			self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
		finally:
			check(libc.setns(here, CLONE_NEWNET))
			os.close(here)
		self.run("ip", "link", "set", "lo", "up")

	@property
	def path(self):
		return f"/proc/{os.getpid()}/fd/{self.fd}"

	@contextlib.contextmanager
	def inside(self):
		"""This thread, and the threads and processes that it starts meanwhile, are on that machine."""
		here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
		try:
			check(libc.setns(self.fd, CLONE_NEWNET))
			yield self
		finally:
			check(libc.setns(here, CLONE_NEWNET))
			os.close(here)

	def run(self, *command, **more):
		with self.inside():
			return run(*command, **more)

	def close(self):
		os.close(self.fd)


class Lab:
	"""Both machines, their cable, PostgreSQL, and every way to break what is between them; repair() undoes them all."""

	def __init__(self, folder):
		self.folder = make_directory(os.path.join(folder, "lab"), pwd.getpwuid(0))
		self.sockets = make_directory(os.path.join(self.folder, "sockets"), pwd.getpwuid(0))
		self.closing = contextlib.ExitStack()
		self.set_resolver("")
		self._write("nsswitch.conf", "hosts: files dns\n")

	def __enter__(self):
		try:
			self._connect_machines()
			self._start_postgres()
			with self.pooler.inside():
				self.names = self._closed_at_end(NameServer(NAME_SERVER))
			self.server.run("nft", "-f", "-", text=RULES.replace("PORT", str(self.port)))
			self.repair()
		except BaseException:
			self.closing.close()
			raise
		return self

	def __exit__(self, *_):
		self.closing.close()

	def _closed_at_end(self, thing):
		self.closing.callback(thing.close)
		return thing

	def _write(self, name, text):
		with open(os.path.join(self.folder, name), "w") as f:
			f.write(text)

	def _connect_machines(self):
		self.pooler = self._closed_at_end(Machine())
		self.server = self._closed_at_end(Machine())
		self.pooler.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.server.path)
		for machine, addresses in ((self.pooler, [POOLER]), (self.server, [SERVER, SECOND])):
			for address in addresses:
				machine.run("ip", "address", "add", f"{address}/24", "dev", "wire")
			machine.run("ip", "link", "set", "wire", "up")
		self.server.run("ip", "address", "add", f"{ELSEWHERE}/32", "dev", "lo")

	def _start_postgres(self):
		with self.server.inside():
			self.cluster = Cluster(self.folder, addresses="*", hba=HBA)
			self.closing.callback(self.cluster.stop)
			self.cluster.create()
		self.port = self.cluster.port

	def start(self, command, who, home, output, container=False, **more):
		"""As processes.start, on the pooler's machine; `container`: with a root directory that looks like one."""
		own_root = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_ROOT, "sh", self.folder, "yes" if container else ""]
		unprivileged = ["setpriv", "--reuid", who.pw_uid, "--regid", who.pw_gid, "--clear-groups", "--pdeathsig", "KILL", "--"]
		with self.pooler.inside():
			return processes.start([*own_root, *unprivileged, *command], pwd.getpwuid(0), home, output, **more)

	# Faults. Connections that exist go on, except where it says otherwise.

	def repair(self):
		for chain in ("instead", "incoming", "outgoing"):
			self.server.run("nft", "flush", "chain", "inet", "lab", chain)
		self.set_resolver("")
		self.names.silent = ()
		self.names.names = {"db.lab": [SERVER]}
		self.pooler.run("ip", "route", "replace", f"{ELSEWHERE}/32", "via", SERVER)
		os.chmod(self.sockets, 0o755)
		with contextlib.suppress(FileExistsError):
			os.symlink(os.path.join(self.cluster.folder, self._socket), os.path.join(self.sockets, self._socket))

	@property
	def _socket(self):
		return f".s.PGSQL.{self.port}"

	def _rule(self, chain, rule, address=None):
		only = ["ip", "daddr", address] if address else []
		self.server.run("nft", "add", "rule", "inet", "lab", chain, *only, *rule.split())

	def _new_connections(self, verdict, address=None):
		self._rule("incoming", f"tcp flags & (syn | ack) == syn tcp dport {self.port} {verdict}", address)

	def _redirect(self, port, address=None):
		self._rule("instead", f"tcp dport {self.port} redirect to :{port}", address)

	def refuse(self, address=None):
		"""Where nobody listens."""
		self._redirect(1, address)

	def drop(self, address=None):
		self._new_connections("drop", address)

	def host_unreachable(self):
		self._new_connections("reject with icmp type host-unreachable")

	def net_unreachable(self):
		self._new_connections("reject with icmp type net-unreachable")

	def no_way_elsewhere(self):
		"""The machine itself has no route to ELSEWHERE."""
		self.pooler.run("ip", "route", "del", f"{ELSEWHERE}/32")

	def vanish(self):
		"""The server's machine says and hears nothing any more, on connections that exist either."""
		self._rule("incoming", "drop")
		self._rule("outgoing", "drop")

	def impostor(self, become):
		"""become(gate) says what listens in PostgreSQL's place."""
		with self.server.inside():
			gate = self._closed_at_end(Gate(self.port, "0.0.0.0"))
			become(gate)
		self._redirect(gate.port)

	def web_server(self):
		if not hasattr(self, "web_port"):
			self._start_web_server()
		self._redirect(self.web_port)

	def _start_web_server(self):
		with self.server.inside():
			held_port = self._closed_at_end(processes.Port())
			self.web_port = held_port.number
			process = processes.start([sys.executable, "-m", "http.server", self.web_port], processes.account("nobody", "daemon"),
				self.sockets, subprocess.DEVNULL)
			self.closing.callback(end, process)
			until(lambda: self._listens(self.web_port), 30, "the web server listens")

	@staticmethod
	def _listens(port):
		with socket.socket() as s:
			return s.connect_ex(("127.0.0.1", port)) == 0

	def set_resolver(self, options):
		"""Lines of resolv.conf beside the name server."""
		self._write("resolv.conf", f"nameserver {NAME_SERVER}\n{options}\n")

	def forget_names(self):
		self.names.names = {}

	def silence_names(self):
		self.names.silent = True

	def remove_socket(self):
		os.unlink(os.path.join(self.sockets, self._socket))

	def close_sockets(self):
		"""Only root may look into the directory."""
		os.chmod(self.sockets, 0o700)

	# Looking.

	def attempts(self):
		"""How often the pooler has tried PostgreSQL's port, by TCP."""
		said = self.server.run("nft", "list", "counter", "inet", "lab", "attempts")
		return int(said.split("packets ")[1].split()[0])

	def end_servers(self):
		"""PostgreSQL ends the connections that exist."""
		self.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
