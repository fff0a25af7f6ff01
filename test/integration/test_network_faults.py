"""
Real network faults between pooler and PostgreSQL (netlab.py), each in the four situations: the very first client, still in
its login; a logged-in client with a query; many clients at once; a pool that has a server but cannot get another one.
"""

import functools
import re
from typing import Callable, NamedTuple

import pytest

from netlab import ELSEWHERE, NOBODY, SECOND, SERVER, Lab
from waiting import Stopwatch, silence, until
from wire import Closed, ServerError, Wire, query, types

pytestmark = [pytest.mark.pgweir, pytest.mark.root]

# Classes of time, far apart: a refusal is told at once although clients would be held for LONG_WAIT; what is held is
# told after WAIT, and never before.
LONG_WAIT = 60
AT_ONCE = 20
WAIT = 0.5
HELD = 30

# Service is back long before what is configured for others: a pause of NEVER between logins, names that do not exist
# remembered for NEVER. A silent attempt may take its server_connect_timeout, which is short here for that.
REPAIRED = 40
NEVER = 600
CONNECT_TIMEOUT = 3

HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\nConnection: close\r\n\r\n"  # its answer to a start-up packet
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"


class Fault(NamedTuple):
	name: str
	shut: Callable  # what is done to the lab
	code: str  # SQLSTATE with error_sqlstate = precise
	text: str  # regular expressions for the primary text,
	facts: tuple  # primary text and DETAIL together,
	hint: tuple  # and HINT
	at_once: bool = False
	host: str = SERVER
	known: bool = True  # whether a pool that has worked before notices

	@property
	def databases(self):
		return {"app": f"host={self.host} dbname=app"}


AT_SERVER = (rf"{SERVER}", r"port PORT\b", r'atabase "app"', r'user "app"')
NAMED = (r"db\.lab", r'atabase "app"', r'user "app"')
BY_SOCKET = (r"SOCKETS/\.s\.PGSQL\.PORT", r'atabase "app"', r'user "app"')

FAULTS = [
	Fault("connection refused", Lab.refuse, "08001", r"refused", AT_SERVER, (SERVER, "PORT", "listen_addresses", "running|stopped")),
	Fault("no route to host", Lab.host_unreachable, "08001", r"No route to host", AT_SERVER, ("route", "firewall")),
	Fault("network unreachable", Lab.net_unreachable, "08001", r"Network is unreachable", AT_SERVER, ("route", "network")),
	Fault("SYN dropped", Lab.drop, "08001", r"timed out", AT_SERVER, ("firewall", "address")),
	Fault("accepts, then silence", lambda lab: lab.impostor(lambda gate: gate.silent()), "08001", r"timed out", AT_SERVER,
		("port", "hang|hung|hangs")),
	Fault("closes right after accept", lambda lab: lab.impostor(lambda gate: gate.closed()), "08006", r"closed", AT_SERVER,
		("proxy", "load balancer", "TLS")),
	Fault("web server that waits for a whole line", Lab.web_server, "08001", r"timed out", AT_SERVER, ("port", "another program")),
	Fault("web server", lambda lab: lab.impostor(lambda gate: gate.saying(HTTP)), "08001", r"not a PostgreSQL server: .*HTTP server",
		(*AT_SERVER, r"HTTP/1\.1 400 Bad Request"), ("port",), at_once=True),
	Fault("SSH server", lambda lab: lab.impostor(lambda gate: gate.saying(SSH)), "08001", r"not a PostgreSQL server: .*SSH server",
		(*AT_SERVER, r"SSH-2\.0-OpenSSH_9\.2p1 Debian"), ("port",), at_once=True),
	Fault("Unix socket missing", Lab.remove_socket, "08001", r"No such file", BY_SOCKET, ("unix_socket_directories",), host="SOCKETS"),
	Fault("Unix socket, permission", Lab.close_sockets, "42501", r"Permission denied", (*BY_SOCKET, "nobody"), ("rights|permission",),
		at_once=True, host="SOCKETS"),
	Fault("name does not resolve", Lab.forget_names, "08001", r"db\.lab", NAMED, (r"db\.lab",), host="db.lab"),
	Fault("name server silent", Lab.silence_names, "08001", r"db\.lab", NAMED, (r"name servers?",), host="db.lab", known=False),
]

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
each_fault_that_is_noticed = pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.known], ids=lambda fault: fault.name)


@pytest.fixture(scope="module")
def lab(folder):
	with Lab(folder) as made:
		yield made


@pytest.fixture(scope="module")
def cluster(lab):
	"""In this file poolers stand in front of the lab's PostgreSQL."""
	return lab.cluster


@pytest.fixture(autouse=True)
def on_the_poolers_machine(lab):
	with lab.pooler.inside():
		yield
	lab.repair()


def filled_in(lab, text):
	return text.replace("PORT", str(lab.port)).replace("SOCKETS", lab.sockets)


@pytest.fixture
def start_behind(start_pooler, lab):
	"""start_behind(databases, container=False, setting=value, …): every connection looks its host's name up."""
	def start(databases, container=False, **settings):
		databases = {name: filled_in(lab, f"{line} port=PORT") for name, line in databases.items()}
		return start_pooler(databases=databases, start_program=functools.partial(lab.start, container=container),
			**{"auth_type": "scram-sha-256", "default_pool_size": 2, "dns_max_ttl": 0, "dns_nxdomain_ttl": NEVER,
				"server_login_retry": NEVER, "server_connect_timeout": CONNECT_TIMEOUT, "error_sqlstate": "precise", "server_down_wait": WAIT, "log_pooler_errors": 0, **settings})

	return start


def wait_for(fault):
	return LONG_WAIT if fault.at_once else WAIT


# What clients see

def login_error(pooler):
	"""The error that a client gets in its login, and after how long."""
	with Stopwatch() as watch, Wire(pooler.port, seconds=LONG_WAIT) as w, pytest.raises(ServerError) as caught:
		w.login("app", "app")
	return caught.value.message, watch.seconds


def the_error(w):
	"""The only error among what a client is told before it is closed."""
	w.sock.settimeout(LONG_WAIT)
	said = [m for m in w.ended() if m.type == "E"]
	assert len(said) == 1, said
	return said[0]


def lose_servers(pooler, lab):
	lab.end_servers()
	until(lambda: pooler.pool()["sv_idle"] == 0, what="the loss of the idle servers is noticed")


def comes_back(pooler):
	def served():
		try:
			return pooler.serves()
		except (ServerError, Closed):
			return False

	until(served, REPAIRED, "service is back")


# What must be true of it

def check_time(fault, seconds):
	if fault.at_once:
		assert seconds < AT_ONCE
	else:
		assert WAIT * 0.8 < seconds < HELD


def check_words(fault, lab, message):
	detail, hint = message.fields.get("D", ""), message.fields.get("H", "")
	assert message.severity == "FATAL"
	assert re.search(fault.text, message.text)
	for words in fault.facts:
		assert re.search(filled_in(lab, words), message.text + "\n" + detail), f"{words!r} is missing in {message.fields}"
	for words in fault.hint:
		assert re.search(filled_in(lab, words), hint), f"{words!r} is missing in HINT: {hint}"


def check_log(fault, pooler):
	"""The condition is one record with facts and hint, however many clients."""
	starts = re.findall(r"WARNING server login failed: .*", pooler.log())
	assert len([line for line in starts if re.search(fault.text, line)]) == 1, starts
	assert "HINT: " in pooler.log()


def check_console(fault, pooler):
	"""SHOW BACKENDS has what was last wrong with each address, if there is an address."""
	rows = pooler.console("SHOW BACKENDS")
	assert rows or fault.host == "db.lab"
	for row in rows:
		assert re.search(fault.text, row["failure"]) and re.fullmatch(r"[a-z_]+", row["failure_class"])
		assert row["failures"] > 0 and row["last_failure"] and row["attempts"] >= row["failures"]
		if row["state"] == "down":
			assert row["next_attempt_ms"] is not None and row["since"]


# Each fault in each situation

@each_fault
def test_first_client_is_told_and_service_comes_back(start_behind, lab, fault):
	pooler = start_behind(fault.databases, server_down_wait=wait_for(fault))
	fault.shut(lab)
	message, seconds = login_error(pooler)
	check_time(fault, seconds)
	assert message.code == fault.code
	check_words(fault, lab, message)
	again, _ = login_error(pooler)
	assert re.search(fault.text, again.text)
	check_log(fault, pooler)
	check_console(fault, pooler)
	lab.repair()
	comes_back(pooler)
	pooler.wait_log("LOG server login works again")


@each_fault_that_is_noticed
def test_logged_in_client_is_told_for_its_query(start_behind, lab, fault):
	pooler = start_behind(fault.databases, server_down_wait=wait_for(fault), error_sqlstate="compatible")
	with pooler.login() as w:
		w.value("SELECT 1")
		fault.shut(lab)
		w.sock.settimeout(LONG_WAIT)
		message = None
		while message is None or message.type == "Z": # an address that was asked for just before may serve once more
			lose_servers(pooler, lab)
			with Stopwatch() as watch:
				w.send(query("SELECT 1"))
				message = w.until("ZE")[-1]
		assert not [m for m in w.ended() if m.type == "E"]
	check_time(fault, watch.seconds)
	assert message.code == "08P01"
	check_words(fault, lab, message)


@each_fault_that_is_noticed
def test_many_clients_are_told_the_same_by_few_attempts(start_behind, lab, fault):
	pooler = start_behind(fault.databases, server_down_wait=wait_for(fault))
	clients = [pooler.login() for _ in range(40)]
	clients[0].value("SELECT 1")
	fault.shut(lab)
	lose_servers(pooler, lab)
	before = lab.attempts()
	with Stopwatch() as watch:
		for w in clients:
			w.send(query("SELECT 1"))
		told = [the_error(w) for w in clients]
		for w in clients:
			w.close()
	check_time(fault, watch.seconds)
	assert {(m.code, m.text.split(" after ")[0]) for m in told} == {(fault.code, told[0].text.split(" after ")[0])}
	check_words(fault, lab, told[-1])
	assert lab.attempts() - before <= 6 + 4 * watch.seconds
	check_log(fault, pooler)
	lab.repair()
	comes_back(pooler)


@each_fault_that_is_noticed
def test_waiter_of_a_pool_that_cannot_grow_is_told_both_facts(start_behind, lab, fault):
	pooler = start_behind(fault.databases)
	with pooler.login() as holder, pooler.login() as w:
		holder.ask(query("BEGIN"))
		fault.shut(lab)
		with Stopwatch() as watch:
			w.send(query("SELECT 1"))
			message = the_error(w)
		assert WAIT * 0.8 < watch.seconds < HELD
		said = message.text + "\n" + message.fields.get("D", "")
		assert re.search(fault.text, said) and "1 of 1" in said, message.fields
		assert types(holder.ask(query("COMMIT"))) == "CZ"
		lab.repair()


# Faults that are not only rules on the way

def test_missing_route_of_the_machine_itself_is_told(start_behind, lab):
	pooler = start_behind({"app": f"host={ELSEWHERE} dbname=app"})
	assert pooler.serves()
	lab.no_way_elsewhere()
	pooler.console("RECONNECT")
	message, _ = login_error(pooler)
	assert message.code == "08001" and "Network is unreachable" in message.text and ELSEWHERE in message.text
	lab.repair()
	comes_back(pooler)


def test_address_that_nobody_has_is_told(start_behind):
	pooler = start_behind({"app": f"host={NOBODY} dbname=app"})
	message, seconds = login_error(pooler)
	assert message.code == "08001" and re.search("timed out|No route to host", message.text) and NOBODY in message.text
	assert WAIT * 0.8 < seconds < HELD


@pytest.mark.parametrize("container", [False, True], ids=["machine", "container"])
def test_localhost_in_a_container_is_the_container_itself(start_behind, container):
	pooler = start_behind({"app": "host=localhost dbname=app"}, container=container)
	hint = login_error(pooler)[0].fields["H"]
	assert ("container" in hint) == container
	assert ("host.docker.internal" in hint) == container


@pytest.mark.parametrize("container", [False, True], ids=["machine", "container"])
def test_unknown_name_in_a_container_may_be_on_another_network(start_behind, container):
	pooler = start_behind({"app": "host=postgres dbname=app"}, container=container)
	message, _ = login_error(pooler)
	assert '"postgres"' in message.text
	hint = message.fields["H"]
	assert bool(re.search(r"container.*network|network.*container", hint)) == container
	assert ("service" in hint) == container


# Names

PATIENT = "options timeout:30 attempts:5"  # of a silent name server the resolver itself says so after minutes


def test_known_address_is_used_on_while_the_name_server_is_silent(start_behind, lab):
	pooler = start_behind({"app": "host=db.lab dbname=app"}, server_down_wait=LONG_WAIT, server_connect_timeout=LONG_WAIT)
	assert pooler.serves()
	lab.set_resolver(PATIENT)
	lab.silence_names()
	asked = len(lab.names.asked)
	for _ in range(3):
		lose_servers(pooler, lab)
		with Stopwatch() as watch:
			assert pooler.serves()
		assert watch.seconds < AT_ONCE
	assert len(lab.names.asked) > asked
	assert "server login failed" not in pooler.log()


def test_silent_name_server_holds_up_nobody_whose_address_is_known(start_behind, lab):
	# far more names than threads to look them up, and each takes minutes
	stuck = [f"stuck{number}" for number in range(20)]
	databases = {name: f"host={name}.lab dbname=app" for name in stuck}
	lab.set_resolver(PATIENT)
	lab.silence_names()
	pooler = start_behind({"app": f"host={SERVER} dbname=app", **databases}, auth_type="trust", server_down_wait=LONG_WAIT,
		server_connect_timeout=LONG_WAIT)
	waiting = [pooler.wire().begin("app", name) for name in stuck]
	until(lambda: lab.names.asked, what="names are looked up")
	with Stopwatch() as watch:
		assert pooler.serves()  # its login at the server needs a key derivation, on a helper thread
	assert watch.seconds < AT_ONCE
	for w in waiting:
		w.close()


def test_name_that_moves_takes_new_connections_along_and_old_ones_are_drained(start_behind, lab):
	pooler = start_behind({"app": "host=db.lab dbname=app"})
	with pooler.login() as busy, pooler.login() as w:
		busy.ask(query("BEGIN"))
		assert busy.value("SELECT host(inet_server_addr())") == SERVER
		lab.names.names = {"db.lab": [SECOND]}
		assert w.value("SELECT host(inet_server_addr())") == SECOND
		assert busy.value("SELECT host(inet_server_addr())") == SERVER, "a transaction stays where it is"
		busy.ask(query("COMMIT"))
		until(lambda: not connections(lab, SERVER), what="the connection to the old address is let go")
		assert busy.value("SELECT host(inet_server_addr())") == SECOND
	assert "has another address now" in pooler.log()


def connections(lab, address):
	"""For each of the pooler's connections to PostgreSQL at that address: the number of bytes that are not acknowledged."""
	with open("/proc/thread-self/net/tcp") as f:
		found = [line.split() for line in f.readlines()[1:]]
	there = "".join(f"{int(part):02X}" for part in reversed(address.split("."))) + f":{lab.port:04X}"
	return [int(queues.split(":")[0], 16) for _, _, remote, state, queues, *_ in found if remote == there and state == "01"]


# Several hosts

@pytest.mark.parametrize("shut", [Lab.refuse, Lab.drop], ids=["refused", "dropped"])
@pytest.mark.parametrize("balance", ["disable", "round-robin"])
def test_a_dead_host_of_several_is_no_error(start_behind, lab, shut, balance):
	pooler = start_behind({"app": f"host={NOBODY},{SERVER},{SECOND} dbname=app load_balance_hosts={balance}"},
		server_down_wait=LONG_WAIT, server_connect_timeout=2)
	shut(lab, SERVER)
	with pooler.login() as w:
		assert w.value("SELECT host(inet_server_addr())") == SECOND


def test_when_all_hosts_are_dead_one_of_them_is_told(start_behind, lab):
	pooler = start_behind({"app": f"host={SERVER},{SECOND} dbname=app"})
	lab.refuse()
	message, seconds = login_error(pooler)
	assert message.code == "08001" and re.search(f"({SERVER}|{SECOND}).*refused", message.text)
	assert WAIT * 0.8 < seconds < HELD
	lab.repair()
	comes_back(pooler)


# A host that vanishes

def test_client_of_a_vanished_host_is_told(start_behind, lab):
	check_vanished(start_behind({"app": f"host={SERVER} dbname=app"}, tcp_keepidle=1, tcp_keepintvl=1, tcp_keepcnt=2), lab)


@pytest.mark.long
def test_client_of_a_vanished_host_is_told_by_default_too(start_behind, lab):
	check_vanished(start_behind({"app": f"host={SERVER} dbname=app"}), lab)


@pytest.mark.long
def test_client_is_told_when_the_vanished_host_has_not_even_got_its_query(start_behind, lab):
	"""Keepalive does not look while something is unacknowledged."""
	pooler = start_behind({"app": f"host={SERVER} dbname=app"})
	with pooler.login() as w:
		w.value("SELECT 1")
		lab.vanish()
		w.send(query("SELECT 1"))
		check_told_of_vanishing(the_error(w))


def check_vanished(pooler, lab):
	with pooler.login() as w:
		w.value("SELECT 1")
		w.send(query("SELECT pg_sleep(300)"))
		until(lambda: lab.cluster.backends("query LIKE 'SELECT pg_sleep%%'") == 1, what="the query runs")
		until(lambda: connections(lab, SERVER) == [0], what="the query is acknowledged")
		lab.vanish()
		assert silence(w.sock, 0.5)
		check_told_of_vanishing(the_error(w))
	lab.repair()
	lab.end_servers()
	comes_back(pooler)


def check_told_of_vanishing(message):
	assert message.severity == "FATAL" and message.code == "08006"
	assert re.search("timed out|lost", message.text)
	assert SERVER in message.text + message.fields.get("D", "")
	assert "eepalive" in message.fields.get("D", "") + message.fields.get("H", "")
