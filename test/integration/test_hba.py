"""Who comes in by HBA rules, certificates and accounts: real certificates, real accounts, and PgBouncer's judgement beside ours."""

import os
import re
import signal
import ssl
import struct
import subprocess

import psycopg2
import pytest

from certificates import Authority
from directory import SUFFIX, Directory
from pooler import is_pgweir, pgbouncer
from processes import account, environment, identity
from wire import SSL_REQUEST, ServerError, Wire

ASKED = {0: "comes in", 3: "plain", 5: "md5", 10: "scram"}
REFUSALS = ["login rejected", "no authentication method is found", "certificate authentication failed", "unix socket login rejected",
	"not allowed", "SSL required", "bouncer config error"]


@pytest.fixture(scope="module")
def authority(folder):
	return Authority(folder, account("nobody", "daemon"))


@pytest.fixture(scope="module")
def certificates(authority, folder):
	"""By name: certificate and key."""
	stranger = Authority(folder, account("nobody", "daemon"), "stranger")
	return {"pooler": authority.sign("pooler", "localhost", "DNS:localhost"), "app": authority.sign("app", "app"),
		"ann": authority.sign("ann", "ann@example.net"), "false": stranger.sign("false", "app"),
		"old": authority.sign("old", "app", days=("-2", "-1"))}


@pytest.fixture(scope="module")
def tls(authority, certificates):
	def settings(mode):
		return {"client_tls_sslmode": mode, "client_tls_cert_file": certificates["pooler"][0],
			"client_tls_key_file": certificates["pooler"][1], "client_tls_ca_file": authority.cert}

	return settings


def write(path, text):
	with open(path, "w") as f:
		f.write(text)
	return path


@pytest.fixture
def start_rules(start_pooler, folder, request):
	"""start_rules(rules, maps, setting=value, …): a pooler with these files, hba and ident, beside its configuration."""
	made = 0

	def start(rules, maps=None, **settings):
		nonlocal made
		made += 1
		place = os.path.join(folder, f"{request.node.name.replace('/', '_')[:60]}-{made}")
		settings.update(auth_type="hba", auth_hba_file=write(place + ".hba", rules))
		if maps is not None:
			settings["auth_ident_file"] = write(place + ".ident", maps)
		settings.setdefault("listen_addr", "127.0.0.1, ::1")
		pooler = start_pooler(**settings)
		pooler.wait_log("process up") # the Unix socket is there then, too
		pooler.hba = settings["auth_hba_file"]
		pooler.ident = settings.get("auth_ident_file")
		return pooler

	return start


def encrypted(wire, certificate):
	"""In TLS, showing this certificate or none."""
	wire.send(struct.pack("!ii", 8, SSL_REQUEST))
	assert wire.sock.recv(1) == b"S"
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
	context.check_hostname = False
	context.verify_mode = ssl.CERT_NONE
	context.maximum_version = ssl.TLSVersion.TLSv1_2 # so that a certificate is judged within the handshake
	if certificate:
		context.load_cert_chain(*certificate)
	wire.sock = context.wrap_socket(wire.sock)


def outcome(pooler, user="app", database="app", source="127.0.0.1", unix=False, certificate=None, secure=False, **parameters):
	"""What a client meets first: how it is asked, that it comes in (whatever its server says then), or its refusal."""
	host = pooler.folder if unix else "::1" if ":" in source else "127.0.0.1"
	try:
		with Wire(pooler.port, host, source="" if unix else source) as w:
			if certificate or secure:
				encrypted(w, certificate)
			w.begin(user, database, **parameters)
			m = w.read()
			if m.type == "E":
				return m.text if m.text in REFUSALS else "comes in"
			return ASKED[struct.unpack_from("!I", m.body)[0]]
	except ssl.SSLError:
		return "no handshake"


def as_account(uid, gid, function):
	"""What function() returns when another account calls it."""
	read, write_end = os.pipe()
	pid = os.fork()
	if pid == 0:
		try:
			os.close(read)
			os.setgroups([])
			os.setgid(gid)
			os.setuid(uid)
			try:
				told = function()
			except Exception as e:
				told = repr(e)
			os.write(write_end, told.encode())
		finally:
			os._exit(0)
	os.close(write_end)
	with os.fdopen(read, "rb") as f:
		told = f.read().decode()
	os.waitpid(pid, 0)
	return told


# Rules

RULES = """
# who comes from where
host     all         app                 127.0.0.2/32    reject
host     app         app                 127.0.0.0 255.255.255.248   trust
host     app,"second" other              all             md5
hostssl  all         third               all             scram-sha-256
hostnossl all        third               all             password
host     replication postgres            127.0.0.0/8     trust
host     sameuser    postgres            ::1/128         trust
local    all         app                 scram-sha-256
local    all         plain_user          peer
host     pgbouncer   admin               all             md5
host     pgbouncer   stats               127.0.0.0/8     trust
"""

CLIENTS = [
	{}, {"source": "127.0.0.2"}, {"source": "127.0.0.7"}, {"source": "127.0.0.8"}, {"database": "second"}, {"source": "::1"},
	{"user": "other"}, {"user": "other", "database": "second", "source": "::1"}, {"user": "other", "database": "third_one"},
	{"user": "third"}, {"user": "third", "secure": True}, {"user": "third", "unix": True},
	{"user": "postgres", "replication": "true"}, {"user": "postgres", "replication": "database"}, {"user": "postgres"},
	{"user": "postgres", "database": "postgres", "source": "::1"}, {"user": "postgres", "database": "postgres", "source": "127.0.0.1"},
	{"unix": True}, {"user": "plain_user", "unix": True}, {"user": "nobody_like_that"},
	{"user": "nobody_like_that", "source": "127.0.0.2"}, {"user": "admin", "database": "pgbouncer"},
	{"user": "stats", "database": "pgbouncer"}, {"user": "stats", "database": "pgbouncer", "source": "::1"},
	{"user": "app", "database": "pgbouncer"}]

MET = [
	"comes in", "login rejected", "comes in", "no authentication method is found", "no authentication method is found",
	"no authentication method is found", "md5", "md5", "no authentication method is found", "plain", "scram",
	"no authentication method is found", "comes in", "no authentication method is found", "no authentication method is found",
	"comes in", "no authentication method is found", "scram", "unix socket login rejected", "no authentication method is found",
	"no authentication method is found", "md5", "comes in", "no authentication method is found", "not allowed"]

DATABASES = {"app": "HERE", "second": "HERE", "postgres": "HERE"}


def test_each_client_meets_its_rule(start_rules, tls):
	pooler = start_rules(RULES, databases=DATABASES, **tls("prefer"))
	found = [outcome(pooler, **client) for client in CLIENTS]
	assert list(zip(CLIENTS, found)) == list(zip(CLIENTS, MET))


@pytest.mark.pgweir
def test_pgbouncer_judges_the_same(start_rules, tls):
	program = pgbouncer()
	assert program, "build-aux/get-pgbouncer names no program"
	pooler = start_rules(RULES, databases=DATABASES, program=program, **tls("prefer"))
	found = [outcome(pooler, **client) for client in CLIENTS]
	assert list(zip(CLIENTS, found)) == list(zip(CLIENTS, MET))


def test_passwords_are_asked_for_and_checked(start_rules):
	pooler = start_rules("host app app all scram-sha-256\nhost app other all md5\nhost app third all password\n")
	for user in ("app", "other", "third"):
		with pooler.login(user) as w:
			assert w.value("SELECT current_user") == user
		with pooler.wire() as w, pytest.raises(ServerError, match="authentication failed"):
			w.login(user, "app", "wrong")


@pytest.mark.pgweir
def test_what_only_postgresql_knows_works_too(start_rules, folder):
	names = write(os.path.join(folder, "names.txt"), 'other "third"\n')
	more = os.path.join(folder, "rules.d")
	os.makedirs(more, exist_ok=True)
	write(os.path.join(more, "1.conf"), "host app stats samehost \\\n  md5\n")
	write(os.path.join(more, "none"), "wrong")
	pooler = start_rules(f'include_if_exists none\ninclude_dir "{more}"\nhost app "@{names}",@{names} samenet trust\n'
		"host /^(app|second)$ /^a.p$ 127.0.0.1/32 trust\n")
	assert outcome(pooler, "stats") == "md5"
	assert outcome(pooler, "stats", source="127.0.0.3") == "no authentication method is found"
	assert outcome(pooler, "other", source="127.0.0.3") == "comes in"
	assert outcome(pooler, "app") == outcome(pooler, "app", "second") == "comes in"
	assert outcome(pooler, "app", "postgres") == outcome(pooler, "postgres") == "no authentication method is found"


@pytest.mark.pgweir
def test_the_log_says_which_line_decided(start_rules):
	pooler = start_rules("host app app 127.0.0.2/32 reject\nhost app other all trust\n")
	assert outcome(pooler, source="127.0.0.2") == "login rejected"
	pooler.wait_log(rf"login failed: db=app user=app: {pooler.hba}:1 rejects it")
	assert outcome(pooler) == "no authentication method is found"
	pooler.wait_log("login failed: db=app user=app: no line of auth_hba_file matches a connection from 127.0.0.1, without TLS")


# Reload

@pytest.mark.pgweir
@pytest.mark.parametrize("what", ["hba", "ident"])
def test_a_reload_with_a_broken_line_changes_nothing(start_rules, what):
	pooler = start_rules("host app app all trust\nhost pgbouncer all all trust\n", "m a b\n")
	with pooler.login() as held:
		path = getattr(pooler, what)
		with open(path) as f:
			good = f.read()
		write(path, good + "host app\n" if what == "hba" else good + "m a\n")
		with pytest.raises(psycopg2.Error) as caught:
			pooler.console("RELOAD")
		assert f"broken {what} file ({path}:" in str(caught.value) and "is missing, in" in str(caught.value)
		pooler.signal(signal.SIGHUP)
		pooler.wait_log("config file loading failed(.|\n)*config file loading failed")
		os.remove(path)
		with pytest.raises(psycopg2.Error, match=f"could not open {what} config file {re.escape(path)}: No such file or directory"):
			pooler.console("RELOAD")
		assert outcome(pooler) == "comes in"
		assert held.value("SELECT 1") == "1"
		write(path, good if what == "ident" else "host app app all reject\nhost pgbouncer all all trust\n")
		pooler.console("RELOAD")
		assert outcome(pooler) == ("comes in" if what == "ident" else "login rejected")
		assert held.value("SELECT 1") == "1"


@pytest.mark.pgweir
@pytest.mark.parametrize("rules", ["host app\n", None])
def test_broken_rules_are_no_start(start_rules, rules, folder):
	settings = {} if rules else {"auth_hba_file": os.path.join(folder, "none")}
	with pytest.raises(AssertionError, match=r"broken hba file \(.*hba:1\): the user is missing, in|could not open hba config file"):
		if rules:
			start_rules(rules)
		else:
			start_rules("", **settings).hba
			raise AssertionError("broken hba file (hba:1): the user is missing, in") # an empty file is a right one


# Certificates

@pytest.mark.parametrize("mode", ["allow", "require", "verify-full"])
def test_certificates_say_who_comes(start_rules, tls, certificates, mode):
	pooler = start_rules("hostssl all app,other all cert\nhostssl all third all cert map=m\nhost all all all md5\n",
		"m app other\nm ann@example.net third\n", **tls(mode))
	assert outcome(pooler, certificate=certificates["app"]) == "comes in"
	assert outcome(pooler, "other", certificate=certificates["app"]) == "certificate authentication failed"
	assert outcome(pooler, "third", certificate=certificates["app"]) == "certificate authentication failed"
	assert outcome(pooler, "third", certificate=certificates["ann"]) == "comes in"
	assert outcome(pooler, certificate=certificates["false"]) == outcome(pooler, certificate=certificates["old"]) == "no handshake"
	assert outcome(pooler, secure=True) == ("no handshake" if mode == "verify-full" else "certificate authentication failed")
	assert outcome(pooler) == ("md5" if mode == "allow" else "SSL required")


def test_all_clients_show_certificates(start_pooler, tls, certificates):
	pooler = start_pooler(auth_type="cert", **tls("verify-full"))
	assert outcome(pooler, certificate=certificates["app"]) == "comes in"
	assert outcome(pooler, "other", certificate=certificates["app"]) == "certificate authentication failed"
	assert outcome(pooler, certificate=certificates["false"]) == "no handshake"
	assert outcome(pooler, secure=True) == "no handshake"
	assert outcome(pooler, unix=True) == "certificate authentication failed"
	conn = psycopg2.connect(host="127.0.0.1", port=pooler.port, dbname="app", user="app", sslmode="require",
		sslcert=certificates["app"][0], sslkey=certificates["app"][1])
	conn.close()


@pytest.mark.pgweir
def test_a_map_takes_parts_of_names_over(start_rules, tls, certificates):
	pooler = start_rules("hostssl all all all cert map=m\n", r"m /^(.*)@example\.net$ \1" + "\n", secrets={"ann": "x"}, **tls("prefer"))
	assert outcome(pooler, "ann", certificate=certificates["ann"]) == "comes in"
	assert outcome(pooler, "app", certificate=certificates["ann"]) == "certificate authentication failed"
	pooler.wait_log('TLS certificate name mismatch: "ann@example.net": ident map "m" does not have that user for it')


@pytest.mark.pgweir
def test_users_found_by_auth_query_come_in_by_certificate(start_rules, tls, certificates, folder):
	users = write(os.path.join(folder, "only-postgres.txt"), '"postgres" "postgres"\n')
	pooler = start_rules("hostssl app all all cert map=m\n", "m app all\n", auth_file=users, auth_user="postgres", **tls("prefer"))
	assert outcome(pooler, "other", certificate=certificates["app"]) == "comes in"
	assert outcome(pooler, "nobody_like_that", certificate=certificates["app"]) == "certificate authentication failed"


@pytest.mark.pgweir
def test_whom_a_rule_turns_away_costs_no_query(start_rules):
	pooler = start_rules("host app all 127.0.0.2/32 reject\nhost app all 127.0.0.0/8 trust\n", auth_user="no_such_role")
	assert outcome(pooler, "stranger", source="127.0.0.2") == "login rejected"
	assert outcome(pooler, "stranger", "second") == "no authentication method is found"
	assert outcome(pooler, "stranger") == "bouncer config error"


# Accounts

@pytest.mark.root
def test_accounts_come_in_as_themselves_or_by_map(start_rules):
	nobody, daemon = account("nobody"), account("daemon")
	pooler = start_rules("local second all peer map=m\nlocal all all peer\nhost all all all peer\n", "m daemon app\nm nobody other\nm daemon stats\n",
		secrets={"nobody": "x", "daemon": "x"}, databases={"app": "HERE user=app", "second": "HERE"})

	def met(who, user, database, unix=True):
		return as_account(who.pw_uid, who.pw_gid, lambda: outcome(pooler, user, database, unix=unix))

	assert met(nobody, "nobody", "app") == met(daemon, "daemon", "app") == "comes in"
	assert met(nobody, "daemon", "app") == met(daemon, "nobody", "app") == "unix socket login rejected"
	assert met(daemon, "app", "second") == met(nobody, "other", "second") == met(daemon, "stats", "second") == "comes in"
	assert met(nobody, "app", "second") == met(nobody, "nobody", "second") == "unix socket login rejected"
	assert met(nobody, "nobody", "app", unix=False) == "unix socket login rejected"
	assert met(nobody, "third", "app") == "unix socket login rejected"
	if is_pgweir(pooler.command[0]):
		pooler.wait_log('login failed: db=app user=third: account "nobody" is not the user')


def test_the_console_is_open_to_the_own_account_whatever_the_rules(start_rules):
	pooler = start_rules("local all all reject\n")
	who = pooler.who

	def met(user):
		if os.getuid() == 0:
			return as_account(who.pw_uid, who.pw_gid, lambda: outcome(pooler, user, "pgbouncer", unix=True))
		return outcome(pooler, user, "pgbouncer", unix=True)

	assert met("pgbouncer") == "comes in"
	assert met("admin") == "login rejected"


# LDAP

@pytest.fixture
def directory(folder, authority):
	made = Directory(folder, authority.sign("ldap", "ldap", "IP:127.0.0.1"))
	try:
		yield made.create()
	finally:
		made.stop()


@pytest.mark.pgweir
def test_a_line_may_leave_the_password_to_an_ldap_server(start_rules, directory):
	options = f'ldapserver=127.0.0.1 ldapport={directory.port} ldapprefix="uid=" ldapsuffix=",ou=people,{SUFFIX}"'
	pooler = start_rules(f"host app app 127.0.0.2/32 md5\nhost app app all ldap {options} # here\n",
		databases={"app": "HERE user=app password=app"})
	assert outcome(pooler, source="127.0.0.2") == "md5"
	with pooler.login("app", "app", "ldap-app") as w:
		assert w.value("SELECT current_user") == "app"
	with pooler.wire() as w, pytest.raises(ServerError, match="LDAP authentication failed"):
		w.login("app", "app", "app")


# Check

@pytest.mark.pgweir
def test_check_names_lines_that_never_match(start_rules):
	pooler = start_rules("host all all 127.0.0.0/8 trust\nhost app app 127.0.0.1/32 md5\nhostssl all all all cert\n")

	def told():
		done = subprocess.run([*pooler.command, "check", pooler.ini], capture_output=True, text=True, env=environment(pooler.folder),
			**identity(pooler.who))
		return " ".join(done.stdout.split())

	text = told()
	assert f"line {pooler.hba}:2 (host … md5) never matches" in text
	assert f"{pooler.hba}:1 (host … trust), before it, matches all that it does" in text
	assert f"line {pooler.hba}:3 (hostssl … cert) never matches: client_tls_sslmode is disable" in text
	write(pooler.hba, "host all all 127.0.0.1 trust\n")
	assert f'broken hba file ({pooler.hba}:1): "trust" is no mask for that address' in told()
