"""
When PostgreSQL itself says no, or wants what the pooler does not have: real pg_hba.conf files, roles, limits, recoveries,
certificates.
Each fault in each situation: the very first client, still in its login; a logged-in client with a query; many clients at
once; a pool that has a busy server but cannot get another one. Then the repair, after which service comes back by itself.

A refusal is told at once, whatever server_down_wait is: here it is so long that whoever is held fails. What may pass is
told when server_down_wait is over, and not before.
"""

import re
import signal
from contextlib import closing, contextmanager
from typing import Callable, NamedTuple

import psycopg2
import pytest

from certificates import Authority, certify, turn_tls_on
from cluster import Cluster
from gate import Gate, error
from pooler import quoted
from processes import account
from told import errors, first_client, is_served, query_error
from waiting import until
from wire import bind, describe, execute, flush, md5_secret, parse, query, startup, statement, sync

pytestmark = pytest.mark.pgweir

WAIT = 1  # server_down_wait where clients shall be held for it
LONG = 60  # and where nobody may be held: more than any test waits for an answer

ENTRY, DATABASE, USER = "store", "vault", "clerk"  # [databases] line, and what is behind it
PASSWORD = "battery-staple"

# pg_hba.conf; the tests' own way in is always open
OWN = "local all postgres trust\nlocal all filler trust\n"
SCRAM, TRUST, MD5 = (OWN + f"host all clerk 127.0.0.1/32 {method}\n" for method in ("scram-sha-256", "trust", "md5"))
LINE = r"host +vault +clerk +127\.0\.0\.1/32 +scram-sha-256"  # what the hints offer

HOW_TO_LINE = (LINE, "pg_hba.conf", "SHOW hba_file", r"SELECT pg_reload_conf\(\)")


class Fault(NamedTuple):
	kind: str  # REFUSED: told at once. UNREACHED, LATER: held first
	codes: tuple  # SQLSTATEs that are right
	words: str  # in the primary text
	breaks: Callable
	repairs: Callable  # also makes the healthy state that the test starts from
	hint: tuple = ()  # patterns
	detail: tuple = ()  # patterns, beside the facts that all have
	secret: str = "plain"  # what the pooler has: plain, md5, verifier or nothing
	line: str = "HERE dbname=vault"
	through_gate: bool = False  # the pooler reaches the server through scene.gate
	settings: dict = {}  # AUTHORITY in them stands for the directory of the authority that has signed the server's certificate
	of_address: bool = False  # known before anybody has said who he is: the address is down for all pools behind it


def hba(text):
	return lambda scene: scene.cluster.set_hba(text)


def sql(*statements):
	return lambda scene: [scene.cluster.sql(s) for s in statements]


def both(*steps):
	return lambda scene: [step(scene) for step in steps]


def moves_to(fixture):
	"""From now on the address leads to another server, which is in this state; what is connected stays."""
	def move(scene):
		scene.server = scene.request.getfixturevalue(fixture)
		scene.gate.server_port = scene.server.port

	return move


def moves_back(scene):
	scene.server = scene.cluster
	scene.gate.server_port = scene.cluster.port


def server_shows(name="127.0.0.1", alternatives="IP:127.0.0.1", days=("-1", "30"), signer="authority"):
	"""The server gets this certificate."""
	def change(scene):
		certify(scene.cluster, getattr(scene.cluster, signer).sign("server", name, alternatives, days))
		scene.cluster.reload()

	return change


def server_knows(signer):
	"""The server asks for certificates of this authority's."""
	def change(scene):
		with open(getattr(scene.cluster, signer).cert) as f:
			scene.cluster.create_file("known.crt", f.read())
		server_has(ssl_ca_file="known.crt")(scene)

	return change


def server_has(**settings):
	"""These settings; None: what it had."""
	def change(scene):
		for name, value in settings.items():
			scene.cluster.sql(f"ALTER SYSTEM RESET {name}" if value is None else f"ALTER SYSTEM SET {name} = '{value}'")
		scene.cluster.reload()

	return change


HEALTHY = hba(SCRAM)
ENCRYPTED = {"server_tls_sslmode": "require", "error_sqlstate": "precise"}
VERIFIED = {**ENCRYPTED, "server_tls_sslmode": "verify-full", "server_tls_ca_file": "AUTHORITY/ca.crt"}

FAULTS = {
	"no pg_hba.conf entry": Fault("REFUSED", ("28000",),
		'no pg_hba.conf entry for host "127.0.0.1", user "clerk", database "vault", no encryption',
		hba(OWN), HEALTHY, HOW_TO_LINE),
	"pg_hba.conf rejects": Fault("REFUSED", ("28000",),
		'pg_hba.conf rejects connection for host "127.0.0.1", user "clerk", database "vault", no encryption',
		hba(OWN + "host all clerk 127.0.0.1/32 reject\n" + SCRAM), HEALTHY, (*HOW_TO_LINE, "reject", "before")),
	"only encrypted connections": Fault("REFUSED", ("28000",),
		'no pg_hba.conf entry for host "127.0.0.1", user "clerk", database "vault", no encryption',
		hba(OWN + "hostssl all clerk 127.0.0.1/32 scram-sha-256\n"), HEALTHY,
		(*HOW_TO_LINE, "server_tls_sslmode = require", "hostssl"), settings={"server_tls_sslmode": "disable"}),
	"wrong password of auth_file": Fault("REFUSED", ("28P01",), 'password authentication failed for user "clerk"',
		sql("ALTER ROLE clerk PASSWORD 'another'"), both(HEALTHY, sql(f"ALTER ROLE clerk PASSWORD '{PASSWORD}'")),
		(r"userlist\.txt:\d+",), (r"userlist\.txt:\d+",)),
	"wrong password of the [databases] line": Fault("REFUSED", ("28P01",), 'password authentication failed for user "clerk"',
		sql("ALTER ROLE clerk PASSWORD 'another'"), both(HEALTHY, sql(f"ALTER ROLE clerk PASSWORD '{PASSWORD}'")),
		(r"pooler\.ini:2",), (r"pooler\.ini:2",), line=f"HERE dbname=vault user=clerk password={PASSWORD}"),
	"password wanted, none known": Fault("REFUSED", ("28P01", "08P01"), "password", HEALTHY, hba(TRUST),
		('"clerk"', "auth_file", "password=", '"store"'), ("SCRAM-SHA-256",), secret="nothing", line="HERE dbname=vault user=clerk"),
	"MD5 hash for a server that wants SCRAM": Fault("REFUSED", ("28P01", "08P01"), "wrong password type",
		sql(f"SET password_encryption = 'scram-sha-256'; ALTER ROLE clerk PASSWORD '{PASSWORD}'"),
		both(hba(MD5), sql(f"SET password_encryption = 'md5'; ALTER ROLE clerk PASSWORD '{PASSWORD}'")),
		(r"(?i)plain.*password|password.*plain", r"\bor\b"), ("MD5.* stored", "SCRAM-SHA-256"), secret="md5",
		settings={"auth_type": "md5"}),
	"SCRAM verifier with another salt": Fault("REFUSED", ("28P01", "08P01"), "wrong password type",
		sql(f"ALTER ROLE clerk PASSWORD '{PASSWORD}'"),
		both(HEALTHY, lambda scene: scene.cluster.sql(f"ALTER ROLE clerk PASSWORD '{scene.verifier}'")),
		(r"(?i)plain.*password|password.*plain", "rolpassword"), ("SCRAM verifier.* salt",), secret="verifier"),
	"GSSAPI wanted": Fault("REFUSED", ("28000", "08P01"), "GSSAPI", hba(OWN + "host all clerk 127.0.0.1/32 gss\n"), HEALTHY,
		(LINE, "pg_hba.conf", r"SELECT pg_reload_conf\(\)")),
	"ident wanted": Fault("REFUSED", ("28000",), 'Ident authentication failed for user "clerk"',
		hba(OWN + "host all clerk 127.0.0.1/32 ident\n"), HEALTHY, (LINE, "pg_hba.conf", r"SELECT pg_reload_conf\(\)")),
	"peer wanted": Fault("REFUSED", ("28000",), 'Peer authentication failed for user "clerk"', hba(OWN + "local all clerk peer\n"),
		hba(OWN + "local all clerk scram-sha-256\n"), (r"local +vault +clerk +scram-sha-256", "pg_hba.conf", r"SELECT pg_reload_conf\(\)"),
		line="SOCKET dbname=vault"),
	"role missing": Fault("REFUSED", ("28000",), 'role "clerk" does not exist',
		sql("UPDATE pg_authid SET rolname = 'gone' WHERE rolname = 'clerk'"),
		both(hba(TRUST), sql("UPDATE pg_authid SET rolname = 'clerk' WHERE rolname = 'gone'")), (r'CREATE ROLE "?clerk"? LOGIN',)),
	"role may not log in": Fault("REFUSED", ("28000",), 'role "clerk" is not permitted to log in',
		sql("ALTER ROLE clerk NOLOGIN"), both(HEALTHY, sql("ALTER ROLE clerk LOGIN")), (r'ALTER ROLE "?clerk"? LOGIN',)),
	"no CONNECT privilege": Fault("REFUSED", ("42501",), 'permission denied for database "vault"',
		sql("REVOKE CONNECT ON DATABASE vault FROM public"), both(HEALTHY, sql("GRANT CONNECT ON DATABASE vault TO public")),
		(r'GRANT CONNECT ON DATABASE "?vault"? TO "?clerk"?',), ("User does not have CONNECT privilege",)),
	"database missing": Fault("REFUSED", ("3D000",), 'database "vault" does not exist',
		sql("UPDATE pg_database SET datname = 'gone' WHERE datname = 'vault'"),
		both(HEALTHY, sql("UPDATE pg_database SET datname = 'vault' WHERE datname = 'gone'")),
		("dbname=", '"store"'), (r"pooler\.ini:2",)),
	"database that takes no connections": Fault("REFUSED", ("55000",), 'database "vault" is not currently accepting connections',
		sql("ALTER DATABASE vault ALLOW_CONNECTIONS false"), both(HEALTHY, sql("ALTER DATABASE vault ALLOW_CONNECTIONS true")),
		(r'ALTER DATABASE "?vault"? ALLOW_CONNECTIONS true',)),
	"slots left for superusers only": Fault("UNREACHED", ("53300",),
		"remaining connection slots are reserved for non-replication superuser connections", lambda scene: scene.fill("filler"),
		both(lambda scene: scene.empty(), HEALTHY), ("max_connections", "reserved", "pool size", "pg_stat_activity")),
	"no slots at all": Fault("UNREACHED", ("53300",), "sorry, too many clients already",
		lambda scene: scene.fill("filler", "postgres"), both(lambda scene: scene.empty(), HEALTHY),
		("max_connections", "reserved", "pool size", "pg_stat_activity")),
	"connection limit of the role": Fault("UNREACHED", ("53300",), 'too many connections for role "clerk"',
		sql("ALTER ROLE clerk CONNECTION LIMIT 0"), both(HEALTHY, sql("ALTER ROLE clerk CONNECTION LIMIT -1")),
		(r'ALTER ROLE "?clerk"? CONNECTION LIMIT', "pool_size")),
	"connection limit of the database": Fault("UNREACHED", ("53300",), 'too many connections for database "vault"',
		sql("ALTER DATABASE vault CONNECTION LIMIT 0"), both(HEALTHY, sql("ALTER DATABASE vault CONNECTION LIMIT -1")),
		(r'ALTER DATABASE "?vault"? CONNECTION LIMIT', "pool_size")),
	"starting up": Fault("LATER", ("57P03",), "the database system is starting up",
		moves_to("restoring"), both(moves_back, HEALTHY), through_gate=True),
	"standby that takes no queries": Fault("LATER", ("57P03",), "the database system is not accepting connections",
		moves_to("standby"), both(moves_back, HEALTHY), detail=(r"Hot standby mode is disabled\.",), through_gate=True),
	"shutting down": Fault("LATER", ("57P03",), "the database system is shutting down",
		moves_to("leaving"), both(moves_back, HEALTHY), through_gate=True),
	"TLS required, server has none": Fault("REFUSED", ("08001",), "does not support TLS",
		server_has(ssl="off"), both(server_has(ssl="on"), HEALTHY), ("ssl = on", "server_tls_sslmode = prefer"),
		settings=ENCRYPTED, of_address=True),
	"certificate of a stranger": Fault("UNREACHED", ("08001",),
		'certificate verify failed: unable to get local issuer certificate, issuer "/CN=stranger"',
		server_shows(signer="stranger"), both(server_shows(), HEALTHY), (r"authority/ca\.crt", "server_tls_sslmode = require"),
		(r"authority/ca\.crt",), settings=VERIFIED, of_address=True),
	"certificate for another name": Fault("UNREACHED", ("08001",), 'certificate does not match host name "127.0.0.1"',
		server_shows("db.test", "DNS:db.test"), both(server_shows(), HEALTHY), (r"pooler\.ini:2", "verify-ca"),
		(r'The names in it: "db\.test"',), settings=VERIFIED, of_address=True),
	"certificate expired": Fault("UNREACHED", ("08001",), "certificate verify failed: certificate has expired",
		server_shows(days=("-9", "-1")), both(server_shows(), HEALTHY), ("Renew the certificate", "ssl_cert_file", "clock"),
		(r"expired on \d{4}-.*, the clock here says \d{4}-",), settings=VERIFIED, of_address=True),
	"certificate not yet valid": Fault("UNREACHED", ("08001",), "certificate verify failed: certificate is not yet valid",
		server_shows(days=("1", "9")), both(server_shows(), HEALTHY), ("clock",),
		(r"not valid before \d{4}-.*, the clock here says \d{4}-",), settings=VERIFIED, of_address=True),
	"no protocol in common": Fault("UNREACHED", ("08001",), "no common protocol or cipher", server_has(ssl_max_protocol_version="TLSv1.2"),
		both(server_has(ssl_max_protocol_version=None), HEALTHY), ("server_tls_protocols", "ssl_max_protocol_version"),
		settings={**ENCRYPTED, "server_tls_protocols": "tlsv1.3"}, of_address=True),
	"our certificate is not accepted": Fault("REFUSED", ("F0000",), "does not accept the pooler's certificate", server_knows("stranger"),
		both(server_knows("authority"), HEALTHY), ("server_tls_cert_file", "server_tls_key_file", "ssl_ca_file"),
		settings={**ENCRYPTED, "server_tls_cert_file": "AUTHORITY/us.crt", "server_tls_key_file": "AUTHORITY/us.key"}),
}


# Servers

@pytest.fixture(scope="module")
def cluster(folder):
	"""A server for this file alone: few slots, a certificate, and the role and database that things happen to."""
	made = Cluster(folder, "refusing", "max_connections = 20\nsuperuser_reserved_connections = 3\n")
	try:
		made.create()
		made.authority, made.stranger = (Authority(folder, account("nobody", "daemon"), name) for name in ("authority", "stranger"))
		made.authority.sign("us", USER)
		turn_tls_on(made, made.authority.sign("server", "127.0.0.1", "IP:127.0.0.1"))
		for command in ("CREATE ROLE filler LOGIN", "CREATE ROLE clerk LOGIN", "CREATE DATABASE vault"):
			made.sql(command)
		yield made
	finally:
		made.stop()


@pytest.fixture(scope="module")
def restoring(folder):
	"""A server that is starting up for as long as its first file has not come from the archive."""
	made = Cluster(folder, "restoring")
	yield from rejecting(made, lambda: hold_in_recovery(made), lambda: end_recovery(made))


@pytest.fixture(scope="module")
def standby(folder):
	made = Cluster(folder, "standby", "hot_standby = off\n")
	yield from rejecting(made, lambda: become_standby(made), lambda: None)


@pytest.fixture(scope="module")
def leaving(folder):
	"""A smart shutdown that lasts as long as a session."""
	made = Cluster(folder, "leaving")
	sessions = []

	def shut_down():
		sessions.append(made.connect())
		made.process.terminate()

	yield from rejecting(made, shut_down, lambda: sessions[0].close())


def rejecting(cluster, become, let_go):
	try:
		cluster.create()
		become()
		until(cluster.is_rejecting, 30, "PostgreSQL says no")
		yield cluster
		let_go()
	finally:
		cluster.stop(signal.SIGQUIT)


def hold_in_recovery(cluster):
	"""Starts it again; it is starting up until end_recovery()."""
	cluster.stop()
	cluster.configure("restore_command = 'while ! test -e archive_is_there; do sleep 0.1; done; false'\n")
	cluster.create_file("recovery.signal")
	cluster.begin()


def end_recovery(cluster):
	cluster.create_file("archive_is_there")


def become_standby(cluster):
	cluster.stop()
	cluster.create_file("standby.signal")
	cluster.begin()


# A fault, a server, a pooler

class Scene:
	"""The healthy state, in which a fault can be made and mended."""

	def __init__(self, fault, cluster, start_pooler, request):
		self.fault = fault
		self.cluster = self.server = cluster
		self.request = request
		self.start_pooler = start_pooler
		self.gate = Gate(cluster.port) if fault.through_gate else None
		self.holders = []
		cluster.sql(f"SET password_encryption = 'scram-sha-256'; ALTER ROLE clerk PASSWORD '{PASSWORD}'")
		self.verifier = cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'clerk'")
		self.repair()

	def end(self):
		self.repair()
		if self.gate is not None:
			self.gate.close()

	def start(self, wait, **settings):
		"""A pooler whose server_down_wait is `wait`, and that says each thing once in its log."""
		place = f"host=127.0.0.1 port={self.gate.port}" if self.gate else "HERE"
		line = self.fault.line.replace("HERE", place).replace("SOCKET", f"host={self.cluster.folder} port={self.cluster.port}")
		own = {name: value.replace("AUTHORITY", self.cluster.authority.folder) for name, value in self.fault.settings.items()}
		secrets = {"plain": PASSWORD, "md5": md5_secret(USER, PASSWORD), "verifier": self.verifier, "nothing": ""}
		pooler = self.start_pooler(databases={ENTRY: line}, secrets={USER: secrets[self.fault.secret]}, **{
			"auth_type": "scram-sha-256", "default_pool_size": 2, "server_down_wait": wait, "server_login_retry": 1,
			"log_pooler_errors": 0, "log_disconnections": 0, "server_tls_sslmode": "disable", **own, **settings})
		self.user, self.password = ("app", "app") if self.fault.secret == "nothing" else (USER, PASSWORD)
		self.pooler = pooler
		return pooler

	def breaks(self):
		self.seen_before = self.seen()
		self.fault.breaks(self)
		self.seen_before = self.seen_before if self.server is self.cluster else self.seen()

	def repair(self):
		self.fault.repairs(self)

	# Clients.

	def login(self):
		return self.pooler.login(self.user, ENTRY, self.password)

	def first_client(self):
		return first_client(self.pooler, self.user, ENTRY, self.password)

	def is_served(self):
		return is_served(self.pooler, self.user, ENTRY, self.password)

	def lose_servers(self):
		"""As a restart would, or a quiet night: the pool has none left."""
		until(lambda: self.pooler.pool(ENTRY, USER).get("sv_idle"), what="a server is idle")
		self.pooler.console("RECONNECT")
		until(lambda: self.cluster.backends() == 0, what="the server has no sessions left")

	@contextmanager
	def busy_server(self):
		"""A client in a long query, which ends well with the block."""
		with closing(self.cluster.connect(DATABASE)) as owner, owner.cursor() as cursor, self.login() as holder:
			cursor.execute("SELECT pg_advisory_lock(7)")
			holder.send(query("SELECT pg_advisory_lock(7)"))
			until(lambda: self.pooler.pool(ENTRY, USER).get("sv_active") == 1, what="the query runs")
			yield holder
			cursor.execute("SELECT pg_advisory_unlock(7)")
			assert not errors(holder.until("Z"))

	def all_secrets(self):
		return PASSWORD, md5_secret(USER, PASSWORD), self.verifier

	# The server.

	def seen(self):
		"""Connections that the server was asked for, in its own words."""
		log = self.server.log()
		return log.count("connection received: host=127.0.0.1") + log.count("FATAL:  Peer authentication failed")

	def attempts(self):
		return self.seen() - self.seen_before

	def fill(self, *users):
		for user in users:
			while True:
				try:
					self.holders.append(self.cluster.connect(user=user))
				except psycopg2.OperationalError:
					break

	def empty(self):
		for holder in self.holders:
			holder.close()
		self.holders = []
		until(self.cluster.is_ready, 20, "the server has slots again")


@pytest.fixture
def scene_of(cluster, start_pooler, request):
	"""scene_of(name of a fault) makes the healthy state before it."""
	made = []

	def make(name):
		made.append(Scene(FAULTS[name], cluster, start_pooler, request))
		return made[-1]

	yield make
	for scene in made:
		scene.end()


@pytest.fixture
def scene(scene_of, request):
	return scene_of(request.param)


each_fault = pytest.mark.parametrize("scene", FAULTS, indirect=True)

# One of each way to be told. Sanitized, the others are there for the first client only.
SAMPLES = ("no pg_hba.conf entry", "wrong password of auth_file", "peer wanted", "database missing", "no slots at all",
	"connection limit of the role", "starting up", "certificate expired")
each_fault_again = pytest.mark.parametrize("scene", [name if name in SAMPLES else pytest.param(name, marks=pytest.mark.unsanitized)
	for name in FAULTS], indirect=True)


# What is right

def wait_of(fault):
	return LONG if fault.kind == "REFUSED" else WAIT


def check_time(fault, seconds):
	"""A refusal has been told although nobody should be held for less than LONG; whoever may be held was."""
	assert seconds < LONG / 3
	if fault.kind != "REFUSED":
		assert seconds > 0.9 * WAIT


def check_told(scene, message):
	fault = scene.fault
	detail, hint = message.fields.get("D", ""), message.fields.get("H", "")
	assert message.severity == "FATAL"
	assert message.code in fault.codes
	assert fault.words in message.text
	for pattern in (*fault.detail, *facts(scene)):
		assert re.search(pattern, detail), f"{pattern!r} is not in the DETAIL: {detail}"
	for pattern in fault.hint:
		assert re.search(pattern, hint, re.DOTALL), f"{pattern!r} is not in the HINT: {hint}"
	assert not any(secret in str(message.fields) for secret in scene.all_secrets())


def facts(scene):
	"""Patterns for what every DETAIL says, in this order."""
	host, address, port = "127.0.0.1", "127.0.0.1", scene.gate.port if scene.gate else scene.cluster.port
	if "SOCKET" in scene.fault.line:
		host, address = scene.cluster.folder, f"{scene.cluster.folder}/.s.PGSQL.{port}"
	return (rf'(?i)database "vault", user "clerk", host "{host}", address {address}, port {port}\b.*'
		r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*attempts \d+.*next attempt",)


def check_log(scene):
	"""One record about the condition, with the hint; none for each client."""
	log = scene.pooler.log()
	assert log.count("server login failed: db=store ") == 1
	assert "still down" not in log, "a minute has not passed"
	assert log.count("HINT:") <= 1
	for pattern in scene.fault.hint:
		assert re.search(pattern, log, re.DOTALL)
	assert not any(secret in log for secret in scene.all_secrets())


def check_repair(scene):
	"""The cause is mended and nothing else is done: clients are served, and the log says that it is over."""
	scene.repair()
	until(scene.is_served, 20, "service is back")
	scene.pooler.wait_log("server login works again: db=store")


# Each fault in each situation

@each_fault
def test_first_client_is_told_in_its_login(scene):
	first_client_is_told(scene)


def first_client_is_told(scene, **settings):
	scene.start(wait_of(scene.fault), **settings)
	scene.breaks()
	message, seconds = scene.first_client()
	check_told(scene, message)
	check_time(scene.fault, seconds)
	check_log(scene)
	check_console(scene)
	check_repair(scene)


def check_console(scene):
	"""What is wrong, and whether the address is of no use to anybody, is in SHOW BACKENDS."""
	[row] = scene.pooler.console("SHOW BACKENDS")
	assert row["state"] == ("down" if scene.fault.of_address else "up") and row["failures"] > 0
	assert re.search(scene.fault.words, row["failure"]) and re.fullmatch(r"[a-z_]+", row["failure_class"])


@each_fault_again
def test_logged_in_client_is_told_for_its_query(scene):
	logged_in_client_is_told(scene)


def logged_in_client_is_told(scene, **settings):
	scene.start(wait_of(scene.fault), **settings)
	with scene.login() as w:
		scene.lose_servers()
		scene.breaks()
		message, seconds = query_error(w)
	check_told(scene, message)
	check_time(scene.fault, seconds)
	check_log(scene)


@each_fault_again
def test_many_clients_are_told_the_same_by_few_attempts(scene):
	many_clients_are_told(scene)


def many_clients_are_told(scene, **settings):
	scene.start(wait_of(scene.fault), **settings)
	clients = [scene.login() for _ in range(40)]
	scene.lose_servers()
	scene.breaks()
	for w in clients:
		w.send(query("SELECT 1"))
	told = [query_error(w, b"") for w in clients]
	assert scene.attempts() <= 3 + 4 * sum(seconds for _, seconds in told)
	for message, _ in told:
		check_told(scene, message)
	check_log(scene)
	check_repair(scene)
	for w in clients:
		w.close()


@each_fault_again
def test_waiters_of_a_pool_that_cannot_grow_are_told_both_facts(scene):
	waiters_are_told_both_facts(scene)


def waiters_are_told_both_facts(scene, **settings):
	scene.start(WAIT, **settings)
	with scene.busy_server():
		scene.breaks()
		with scene.login() as w:
			message, seconds = query_error(w)
		check_told(scene, message)
		assert re.search("1 of 1 servers.* busy.* cannot get more", message.fields["D"])
		assert 0.9 * WAIT < seconds
		check_log(scene)
		check_repair(scene)


# Ways to share servers, numbers of threads, ways to ask

@pytest.mark.parametrize("scene", ["no pg_hba.conf entry", "connection limit of the role"], indirect=True)
@pytest.mark.parametrize(("pool_mode", "threads"), [("session", 4), ("statement", 1), ("transaction", 4),
	pytest.param("session", 1, marks=pytest.mark.long), pytest.param("statement", 4, marks=pytest.mark.long),
	pytest.param("transaction", 1, marks=pytest.mark.long)])
@pytest.mark.parametrize("situation", [logged_in_client_is_told, many_clients_are_told, waiters_are_told_both_facts])
def test_every_way_to_share_servers_tells_the_same(scene, situation, pool_mode, threads):
	situation(scene, pool_mode=pool_mode, threads=threads)


PIPELINED = {
	"simple queries": [query("SELECT 1")] * 3,
	"statements with a Sync each": [statement("SELECT 1"), sync()] * 3,
	"statements with one Sync": [*[statement("SELECT 1")] * 3, sync()],
	"no Sync yet": [parse("SELECT 1"), bind(), describe(), execute(), flush()],
	"half a message": [query("SELECT 1"), query("SELECT 2")[:7]],
	"more than a buffer": [query("SELECT '" + "x" * 100000 + "'")] * 3,
}


@pytest.mark.parametrize("sent", PIPELINED)
@pytest.mark.parametrize("scene", ["no pg_hba.conf entry", "connection limit of the role"], indirect=True)
def test_client_that_sent_much_at_once_is_told_once(scene, sent):
	scene.start(wait_of(scene.fault))
	with scene.login() as w:
		scene.lose_servers()
		scene.breaks()
		message, seconds = query_error(w, *PIPELINED[sent])
	check_told(scene, message)
	check_time(scene.fault, seconds)


def test_client_that_sends_its_query_with_the_login_is_told_once(scene_of):
	scene = scene_of("no pg_hba.conf entry")
	scene.start(LONG, auth_type="trust")
	scene.breaks()
	with scene.pooler.wire() as w:
		message, _ = query_error(w, startup(user=USER, database=ENTRY), query("SELECT 1"), query("SELECT 2"))
	check_told(scene, message)


# Words

def test_long_names_come_whole(scene_of):
	scene = scene_of("no pg_hba.conf entry")
	role, database = "r" * 63, "d" * 63
	pooler = scene.start_pooler(databases={ENTRY: f"HERE dbname={database}"}, secrets={role: role}, auth_type="scram-sha-256",
		server_tls_sslmode="disable")
	message, _ = first_client(pooler, role, ENTRY)
	assert message.text == f'no pg_hba.conf entry for host "127.0.0.1", user "{role}", database "{database}", no encryption'
	assert re.search(rf"host +{database} +{role} +127\.0\.0\.1/32 +scram-sha-256\n", message.fields["H"])
	assert f'Database "{database}", user "{role}"' in message.fields["D"]
	assert message.text in pooler.log()


def test_servers_own_detail_and_hint_are_passed_on(scene_of):
	scene = scene_of("shutting down")
	scene.gate.saying(error("53300", "too many connections for role \"clerk\"", D="It has 7.", H="Ask the landlord."))
	scene.start(WAIT)
	message, _ = scene.first_client()
	assert "It has 7." in message.fields["D"] and 'user "clerk"' in message.fields["D"]
	assert "CONNECTION LIMIT" in message.fields["H"] and "Ask the landlord." in message.fields["H"]


STRANGE = 'Mr. "Strange"'

REMEDIES = {
	"role missing": sql("UPDATE pg_authid SET rolname = 'gone' WHERE rolname LIKE 'Mr.%'"),
	"role may not log in": sql(f"ALTER ROLE {quoted(STRANGE)} NOLOGIN"),
	"no CONNECT privilege": sql(f"REVOKE CONNECT ON DATABASE {quoted(STRANGE)} FROM public"),
	"connection limit of the role": sql(f"ALTER ROLE {quoted(STRANGE)} CONNECTION LIMIT 0"),
	"connection limit of the database": sql(f"ALTER DATABASE {quoted(STRANGE)} CONNECTION LIMIT 0"),
}


@pytest.mark.parametrize("fault", REMEDIES)
def test_statement_of_the_hint_can_be_pasted(cluster, start_pooler, hba, fault):
	"""Names that need quotes make it harder."""
	cluster.sql(f"CREATE ROLE {quoted(STRANGE)} LOGIN")
	cluster.sql(f"CREATE DATABASE {quoted(STRANGE)}")
	hba(OWN + "host all all 127.0.0.1/32 trust\n")
	pooler = start_pooler(databases={ENTRY: f"HERE dbname='{STRANGE}' user='{STRANGE}'"}, auth_type="scram-sha-256", server_down_wait=WAIT)
	try:
		REMEDIES[fault](type("Here", (), {"cluster": cluster}))
		message, _ = first_client(pooler, "app", ENTRY)
		remedy = re.search(r"(CREATE ROLE|ALTER ROLE|ALTER DATABASE|GRANT) .*", message.fields["H"])[0]
		cluster.sql(remedy)
		until(lambda: is_served(pooler, "app", ENTRY), 20, "service is back")
	finally:
		pooler.stop()
		cluster.sql(f"DROP DATABASE {quoted(STRANGE)}")
		for role in (STRANGE, "gone"):
			cluster.sql(f"DROP ROLE IF EXISTS {quoted(role)}")


# Repairs in other places than the server

def test_right_password_in_auth_file_helps_as_soon_as_it_is_read(scene_of):
	scene = scene_of("wrong password of auth_file")
	pooler = scene.start(LONG, server_login_retry=LONG)
	scene.breaks()
	scene.first_client()
	pooler.secrets[USER] = "another"
	pooler.write()
	pooler.console("RELOAD")
	until(lambda: is_served(pooler, USER, ENTRY, "another"), 20, "service is back")


def test_parameter_of_the_entry_that_the_server_refuses_is_named_with_the_entry(scene_of):
	scene = scene_of("no pg_hba.conf entry")
	pooler = scene.start(LONG)
	pooler.databases[ENTRY] += " timezone=Mars/Base"
	pooler.write()
	pooler.console("RELOAD")
	message, _ = scene.first_client()
	assert (message.code, message.text) == ("22023", 'invalid value for parameter "TimeZone": "Mars/Base"')
	assert re.search(rf'timezone.* \[databases\] entry "{ENTRY}" \(.*pooler\.ini:2\)', message.fields["H"])
	pooler.databases[ENTRY] = pooler.databases[ENTRY].replace("Mars/Base", "Asia/Tokyo")
	pooler.write()
	pooler.console("RELOAD")
	until(scene.is_served, 20, "service is back")


def test_wrong_password_is_tried_ever_more_slowly(scene_of):
	"""Accounts get locked: within server_login_retry there are as many attempts as doublings fit in."""
	scene = scene_of("wrong password of auth_file")
	scene.start(LONG, server_login_retry=LONG)
	scene.breaks()
	until(lambda: scene.first_client() and scene.attempts() >= 3, 20, "there are three attempts")
	message, _ = scene.first_client()
	assert float(re.search(r"next attempt in ([\d.]+) s", message.fields["D"])[1]) > 2


# Servers that come and go

def test_start_that_takes_long_is_waited_for(folder, start_pooler):
	"""The whole of it with one server: it goes, is starting up for longer than anyone waits, and comes back."""
	server = Cluster(folder, "slow")
	server.create()
	try:
		pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={server.port}"}, auth_type="scram-sha-256", server_down_wait=WAIT)
		with pooler.login() as w:
			hold_in_recovery(server)
			until(server.is_rejecting, 30, "PostgreSQL is starting up")
			message, _ = query_error(w)
		assert (message.code, message.text) == ("57P03", "the database system is starting up")
		end_recovery(server)
		until(lambda: is_served(pooler), 30, "service is back")
		pooler.wait_log("server login works again")
	finally:
		server.stop()


# What runs at the beginning of a session, and before its use

def test_connection_whose_connect_query_fails_is_used(scene_of):
	scene = scene_of("no pg_hba.conf entry")
	pooler = scene.start_pooler(databases={ENTRY: "HERE dbname=vault connect_query='SELECT no_such_thing'"}, secrets={USER: PASSWORD},
		auth_type="scram-sha-256", default_pool_size=1)
	assert is_served(pooler, USER, ENTRY, PASSWORD) and is_served(pooler, USER, ENTRY, PASSWORD)
	warnings = re.findall(r"WARNING .*connect_query.*", pooler.log())
	assert len(warnings) == 1
	assert "SELECT no_such_thing" in warnings[0] and 'column "no_such_thing" does not exist' in warnings[0]
	assert pooler.console("SHOW BACKENDS")[0]["connect_query_failures"] == 1


def test_server_whose_check_query_fails_is_replaced_and_nobody_notices(scene_of):
	scene = scene_of("no pg_hba.conf entry")
	pooler = scene.start_pooler(databases={ENTRY: "HERE dbname=vault"}, secrets={USER: PASSWORD}, auth_type="scram-sha-256", default_pool_size=1,
		server_check_delay=0, server_check_query="SELECT 1 / (current_setting('work_mem') <> '4321kB')::int")
	with pooler.login(USER, ENTRY, PASSWORD) as spoiler, pooler.login(USER, ENTRY, PASSWORD) as w:
		before = w.value("SELECT pg_backend_pid()")
		spoiler.ask(query("SET work_mem = '4321kB'"))
		after = w.value("SELECT pg_backend_pid()")
		assert after != before
		assert w.value("SELECT pg_backend_pid()") == after
	pooler.wait_log("test query failed")
