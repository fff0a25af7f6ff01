"""Where clients connect: addresses, Unix sockets, options of the kernel, sockets and messages of systemd, want of descriptors."""

import contextlib
import fcntl
import grp
import os
import signal
import socket
import stat
import subprocess
import sys

import psycopg2
import pytest

from pooler import PROGRAM, USERS
from processes import Port, account, environment, identity, socket_of, start, start_filtering
from told import is_served
from waiting import until
from wire import Wire, query

pytestmark = pytest.mark.pgweir


def wait_up(pooler, times=1):
	"""All its sockets listen, not only the one that is asked whether it has started."""
	until(lambda: pooler.log().count("process up: ") == times or not pooler.is_alive(), 20, "the process is up or has ended")
	if not pooler.is_alive():
		status, pooler.process = pooler.process.returncode, None
		raise AssertionError(f"the pooler ended with status {status}:\n{pooler.log()}")
	return pooler


@pytest.fixture
def start_pooler(start_pooler):
	return lambda **options: wait_up(start_pooler(**options))


def refused_start(start_pooler, **options):
	"""What a pooler that does not start says."""
	with pytest.raises(AssertionError, match="ended with status 1") as caught:
		start_pooler(**options)
	return str(caught.value)


def serves_at(host, port):
	with Wire(port, host) as w:
		w.login("app", "app", USERS["app"])
		return w.value("SELECT 1") == "1"


def kernel_of(port):
	"""Backlogs of the TCP sockets that listen on a port."""
	out = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
	return [int(line.split()[2]) for line in out.splitlines()]


# Addresses

def test_several_addresses_serve(start_pooler):
	pooler = start_pooler(listen_addr="127.0.0.1, ::1,127.0.0.3")
	for host in ("127.0.0.1", "::1", "127.0.0.3"):
		assert serves_at(host, pooler.port)
		assert f"listening on {'[::1]' if ':' in host else host}:{pooler.port}\n" in pooler.log()


def test_star_is_every_address_of_both_families(start_pooler):
	pooler = start_pooler(listen_addr="*")
	for host in ("127.0.0.1", "127.0.0.2", "::1"):
		assert serves_at(host, pooler.port)
	assert f"listening on 0.0.0.0:{pooler.port}\n" in pooler.log() and f"listening on [::]:{pooler.port}\n" in pooler.log()


def test_address_that_fails_is_a_warning_as_long_as_another_serves(start_pooler):
	pooler = start_pooler(listen_addr="203.0.113.77, 127.0.0.1")
	assert f"WARNING cannot listen on 203.0.113.77:{pooler.port}: bind(): Cannot assign requested address" in pooler.log()
	assert pooler.serves()


def test_without_any_address_nothing_starts(start_pooler):
	log = refused_start(start_pooler, listen_addr="203.0.113.77, 203.0.113.78")
	assert "FATAL failed to listen on any address in listen_addr list: 203.0.113.77, 203.0.113.78" in log
	log = refused_start(start_pooler, listen_addr="127.0.0.1, no-such-name.invalid")
	assert "FATAL getaddrinfo('no-such-name.invalid', " in log
	log = refused_start(start_pooler, listen_addr="", unix_socket_dir="")
	assert "FATAL nowhere to listen on" in log


# Unix sockets

@pytest.mark.parametrize("setting, mode", [(None, 0o777), ("0700", 0o700), ("0770", 0o770)])
def test_unix_socket_has_its_mode(start_pooler, setting, mode):
	pooler = start_pooler(unix_socket_mode=setting)
	found = os.stat(f"{pooler.folder}/.s.PGSQL.{pooler.port}")
	assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == mode
	assert found.st_uid == pooler.who.pw_uid


def test_unix_socket_has_its_group(start_pooler):
	who = account("nobody", "daemon")
	pooler = start_pooler(unix_socket_group=grp.getgrgid(who.pw_gid).gr_name, unix_socket_mode="0770")
	assert os.stat(f"{pooler.folder}/.s.PGSQL.{pooler.port}").st_gid == who.pw_gid
	log = refused_start(start_pooler, unix_socket_group="no_such_group")
	assert "FATAL could not find group 'no_such_group'" in log


def test_unix_socket_that_cannot_be_made_is_fatal(start_pooler):
	log = refused_start(start_pooler, unix_socket_dir="/no/such/place")
	assert "WARNING cannot listen on unix:/no/such/place/.s.PGSQL." in log and "FATAL failed to create unix socket" in log


def test_abstract_socket_serves_without_a_file(start_pooler):
	name = f"@pgweir-test-{os.getpid()}"
	pooler = start_pooler(unix_socket_dir=name)
	with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
		s.connect(f"\0{name[1:]}/.s.PGSQL.{pooler.port}")
	with contextlib.closing(psycopg2.connect(host=name, port=pooler.port, dbname="app", user="app", password="app")) as conn:
		assert conn.info.host == name
	assert not [file for file in os.listdir(pooler.folder) if file.startswith(".s.PGSQL")]


def test_socket_file_of_a_killed_pooler_is_replaced_that_of_a_living_one_is_not(start_pooler):
	pooler = start_pooler()
	path = f"{pooler.folder}/.s.PGSQL.{pooler.port}"
	again = subprocess.run([PROGRAM, pooler.ini], capture_output=True, text=True, timeout=20, cwd=pooler.folder, env=environment(pooler.folder),
		**identity(pooler.who))
	assert again.returncode == 1 and "unix socket is in use, cannot continue" in again.stderr
	pooler.expect_status = -signal.SIGKILL
	pooler.stop(signal.SIGKILL)
	assert os.path.exists(path)
	pooler.expect_status = 0
	wait_up(pooler.start(), 2)
	assert serves_at(pooler.folder, pooler.port)
	pooler.stop()
	assert not os.path.exists(path)


# Options

def test_two_poolers_share_a_port_with_so_reuseport(start_pooler):
	first = start_pooler(so_reuseport=1, unix_socket_dir="")
	second = start_pooler(so_reuseport=1, unix_socket_dir="", listen_port=first.port)
	until(lambda: len(kernel_of(first.port)) == 2, what="both listen")
	for _ in range(20):
		assert is_served(first)
	second.stop()
	for _ in range(5):
		assert is_served(first)


def test_listen_backlog_reaches_the_kernel(start_pooler):
	assert kernel_of(start_pooler(listen_backlog=77).port) == [77]
	assert kernel_of(start_pooler().port) == [128]


TCP = {"tcp_keepidle": socket.TCP_KEEPIDLE, "tcp_keepintvl": socket.TCP_KEEPINTVL, "tcp_keepcnt": socket.TCP_KEEPCNT,
	"tcp_user_timeout": socket.TCP_USER_TIMEOUT}


@pytest.mark.root # to look at another account's sockets
def test_options_of_tcp_reach_the_kernel(start_pooler, cluster):
	def options(pooler):
		"""Those of a client's connection, and of a server's."""
		with pooler.login() as w:
			assert w.value("SELECT 1") == "1"
			for side in ({"peer": w.sock.getsockname()[1]}, {"peer": cluster.port}):
				with socket_of(pooler.pid, **side) as s:
					buffers = s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
					yield s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), buffers, {
						name: s.getsockopt(socket.IPPROTO_TCP, option) for name, option in TCP.items()}

	chosen = {"tcp_keepidle": 11, "tcp_keepintvl": 7, "tcp_keepcnt": 4, "tcp_user_timeout": 9000}
	pooler = start_pooler(tcp_socket_buffer=70000, **chosen)
	assert list(options(pooler)) == [(1, (140000, 140000), chosen)] * 2 # the kernel doubles buffers
	pooler.console("SET tcp_keepalive = 0")
	pooler.console("RECONNECT")
	assert [keepalive for keepalive, _, _ in options(pooler)] == [0, 0]
	client, server = options(start_pooler())
	assert client[0] == server[0] == 1 and client[2]["tcp_user_timeout"] == server[2]["tcp_user_timeout"] == 0
	assert client[2]["tcp_keepidle"] > server[2]["tcp_keepidle"] == 10


@pytest.mark.root
@pytest.mark.parametrize("seconds", [0, 1, 45])
def test_clients_are_accepted_when_they_have_said_something(start_pooler, seconds):
	pooler = start_pooler(tcp_defer_accept=seconds)
	with socket_of(pooler.pid, local=pooler.port) as s:
		assert (s.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) >= seconds) and (
			s.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0) == (seconds > 0)


# systemd

LAUNCHER = """
import os, socket, sys
n, program = int(sys.argv[1]), sys.argv[2:]
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(n), LISTEN_FDNAMES=":".join("pgweir" for _ in range(n)))
os.execvp(program[0], program)
"""


def activated(sockets, notify=None, start=start):
	"""Starts a program as systemd does: with these sockets from descriptor 3 on."""
	def start_program(command, who, home, output, **more):
		def arrange():
			# first out of the way: one of them may be number 3 already
			spare = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100) for s in sockets]
			for i, fd in enumerate(spare):
				os.dup2(fd, 3 + i)
		more["pass_fds"] = tuple(range(3, 3 + len(sockets)))
		environ = ["env", f"NOTIFY_SOCKET={notify}"] if notify else []
		return start([*environ, sys.executable, "-c", LAUNCHER, len(sockets), *command] if sockets else [*environ, *command], who, home, output,
			preexec_fn=arrange if sockets else None, **more)
	return start_program


@pytest.fixture
def listeners(folder):
	"""IPv4, IPv6 and Unix, as a socket unit has them."""
	held = Port()
	port = held.number
	made = [socket.create_server(("127.0.0.1", port)), socket.create_server(("::1", port), family=socket.AF_INET6)]
	local = socket.socket(socket.AF_UNIX)
	path = os.path.join(folder, f".s.PGSQL.{port}")
	local.bind(path)
	os.chmod(path, 0o777)
	local.listen(50)
	yield [*made, local], port, path
	for s in [*made, local]:
		s.close()
	os.unlink(path)


def test_sockets_of_systemd_are_served_and_stay_when_we_go(start_pooler, listeners, folder):
	sockets, port, path = listeners
	pooler = start_pooler(start_program=activated(sockets), listen_port=port)
	for host in ("127.0.0.1", "::1", folder):
		assert serves_at(host, port)
	log = pooler.log()
	assert log.count("socket passed from service manager (fd ") == 3
	assert f"listening on unix:{path}\n" in log and f"listening on [::1]:{port}\n" in log
	assert "WARNING sockets passed from service manager, listen_addr ignored" in log
	assert "WARNING sockets passed from service manager, unix_socket_dir ignored" in log
	assert os.listdir(pooler.folder).count(f".s.PGSQL.{port}") == 0
	pooler.stop()
	assert os.path.exists(path)
	# whoever comes now waits for the next start, and is served then
	with contextlib.closing(socket.create_connection(("127.0.0.1", port))):
		wait_up(pooler.start(), 2)
		assert serves_at(folder, port)


def test_sockets_of_systemd_go_on_when_one_leaves_that_would_leave_its_own_to_others(start_pooler, listeners):
	sockets, port, _ = listeners
	pooler = start_pooler(start_program=activated(sockets, start=start_filtering), listen_port=port, so_reuseport=1)
	pooler.signal(signal.SIGTERM)
	until(lambda: not pooler.is_alive(), 20, "it ends")
	pooler.stop()
	with Wire(port) as early: # no attempt to connect is dropped
		early.begin("app", "app")
		wait_up(pooler.start(), 2)
		early.finish_login("app", "app")
		assert early.value("SELECT 1") == "1"


def test_clients_that_came_before_the_start_are_served(start_pooler, listeners):
	sockets, port, _ = listeners
	with Wire(port) as early:
		early.begin("app", "app")
		start_pooler(start_program=activated(sockets), listen_port=port, listen_addr="", unix_socket_dir="")
		early.finish_login("app", "app")
		assert early.value("SELECT 1") == "1"


def test_descriptor_that_is_no_listening_socket_is_fatal(start_pooler):
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
		s.bind(("127.0.0.1", 0))
		log = refused_start(start_pooler, start_program=activated([s]))
	assert "FATAL failed to set up socket passed from service manager (fd 3): Socket operation on non-socket" in log


def test_systemd_is_told_of_start_reload_and_end(start_pooler, manager):
	s, path = manager
	pooler = start_pooler(start_program=activated([], path), stats_period=600)
	assert s.recv(4096) == b"READY=1"
	pooler.signal(signal.SIGHUP)
	told = s.recv(4096).decode()
	assert told.startswith("RELOADING=1\nMONOTONIC_USEC=") and int(told.split("=")[-1]) > 0
	assert s.recv(4096) == b"READY=1"
	# a reload that fails is over, too
	pooler.write("nonsense\n")
	pooler.signal(signal.SIGHUP)
	assert s.recv(4096).startswith(b"RELOADING=1") and s.recv(4096) == b"READY=1"
	with pooler.login() as w:
		pooler.signal(signal.SIGTERM)
		assert s.recv(4096) == b"STOPPING=1"
		assert w.value("SELECT 1") == "1"
	until(lambda: not pooler.is_alive(), what="it ends")
	s.setblocking(False)
	with pytest.raises(BlockingIOError):
		s.recv(4096)


def test_systemd_is_told_the_statistics(start_pooler, manager):
	s, path = manager
	start_pooler(start_program=activated([], path), stats_period=1, log_stats=0)
	assert s.recv(4096) == b"READY=1"
	assert s.recv(4096).startswith(b"STATUS=stats: 0 xacts/s, 0 queries/s")


def test_manager_that_cannot_be_told_is_a_warning(start_pooler, folder):
	pooler = start_pooler(start_program=activated([], os.path.join(folder, "nobody-listens")))
	pooler.wait_log("WARNING could not notify service manager: No such file or directory")
	assert pooler.serves()


# Descriptors

def test_want_of_descriptors_is_said_once_with_its_remedy_and_passes(start_pooler):
	pooler = start_pooler(descriptors=80, max_client_conn=1000, default_pool_size=3, tcp_defer_accept=0, listen_addr="127.0.0.1,127.0.0.2")
	assert "WARNING there may be too few file descriptors: 80, but " in pooler.log()
	admin = pooler.login("admin", "pgbouncer")
	client = pooler.login()
	assert client.value("SELECT 1") == "1"
	crowd = [socket.create_connection((f"127.0.0.{1 + i % 2}", pooler.port)) for i in range(120)]
	try:
		pooler.wait_log(r"ERROR accept\(\) failed: Too many open files")
		assert client.value("SELECT 'goes on'") == "goes on"
		assert "No new clients until some leave. Raise the limit of open files, which is 80" in pooler.log()
		assert "or lower max_client_conn, which is 1000." in pooler.log()
		rows = [m for m in admin.ask(query("SHOW ERRORS")) if m.type == "D" and "no_descriptors" in m.row]
		assert len(rows) == 1 and "accept() failed: Too many open files" in rows[0].row
		# one place that comes free and is taken at once is no end of it
		for s in crowd[:10]:
			s.close()
		assert client.value("SELECT 'goes on'") == "goes on"
		assert pooler.log().count("accept() failed") == 1
	finally:
		for s in crowd:
			s.close()
	pooler.wait_log("LOG accepting clients again")
	assert pooler.serves() and serves_at("127.0.0.2", pooler.port)
	admin.close()
	client.close()


def test_limit_of_descriptors_is_raised_as_far_as_allowed(start_pooler):
	def with_soft_limit(command, who, home, output, **more):
		return start(["prlimit", "--nofile=60:4000", "--", *command], who, home, output, **more)
	pooler = start_pooler(start_program=with_soft_limit, max_client_conn=500)
	limits = open(f"/proc/{pooler.pid}/limits").read()
	assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")] == [["4000", "4000"]]
	assert "kernel file descriptor limit: 4000 (hard: 4000); max_client_conn: 500, max expected fd use: " in pooler.log()
	assert "too few file descriptors" not in pooler.log()
	pooler.settings["max_client_conn"] = 9000
	pooler.write()
	pooler.signal(signal.SIGHUP)
	pooler.wait_log("WARNING there may be too few file descriptors: 4000, but 9")
