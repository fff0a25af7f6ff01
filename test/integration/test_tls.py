"""TLS on both sides, with real certificates: clients of libpq and raw ones, PostgreSQL with ssl = on."""

import contextlib
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess

import psycopg2
import pytest

from certificates import Authority, certify, turn_tls_on
from cluster import Cluster
from processes import account
from told import is_served
from waiting import until
from wire import SSL_REQUEST, Closed, ServerError, Wire, query, startup

MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


@pytest.fixture(scope="module")
def authority(folder):
	return Authority(folder, account("nobody", "daemon"))


@pytest.fixture(scope="module")
def stranger(folder):
	return Authority(folder, account("nobody", "daemon"), "stranger")


@pytest.fixture(scope="module")
def ours(authority):
	"""The pooler's certificate and key."""
	return authority.sign("pooler", "localhost", "DNS:localhost,IP:127.0.0.1")


def client_tls(ours, mode="allow", **more):
	return dict({"client_tls_sslmode": mode, "client_tls_cert_file": ours[0], "client_tls_key_file": ours[1],
		"server_tls_sslmode": "disable"}, **more)


@pytest.fixture(scope="module")
def pooler(start_shared, ours):
	return start_shared(**client_tls(ours))


def secured(wire, protocols=None, context=None):
	"""A Wire whose socket goes on in TLS, asked for or at once."""
	if protocols is None:
		wire.send(struct.pack("!ii", 8, SSL_REQUEST))
		assert wire.sock.recv(1) == b"S"
	context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
	if context.verify_mode == ssl.CERT_REQUIRED and not context.get_ca_certs():
		context.check_hostname = False
		context.verify_mode = ssl.CERT_NONE
	if protocols:
		context.set_alpn_protocols(protocols)
	wire.sock = context.wrap_socket(wire.sock, server_hostname="localhost")
	return wire


def tls_of_client(pooler, user="app"):
	return [row["tls"] for row in pooler.console("SHOW CLIENTS") if row["user"] == user]


# Clients

@pytest.mark.parametrize("mode", MODES)
def test_libpq_connects_in_every_mode(pooler, authority, mode):
	conn = pooler.connect(sslmode=mode, sslrootcert=authority.cert)
	try:
		assert conn.info.ssl_in_use == (mode not in ("disable", "allow"))
		with conn.cursor() as cursor:
			cursor.execute("SELECT repeat('x', 200000)")
			assert cursor.fetchone() == ("x" * 200000,)
		shown = tls_of_client(pooler)
		assert len(shown) == 1
		assert bool(re.fullmatch(r"TLSv1\.3/TLS_\w+/ECDH=\w+", shown[0])) == conn.info.ssl_in_use, shown
	finally:
		conn.close()
	until(lambda: not tls_of_client(pooler), what="the client has left")


def test_the_log_says_how_a_client_is_encrypted(start_pooler, ours):
	pooler = start_pooler(**client_tls(ours))
	pooler.connect(sslmode="require").close()
	pooler.wait_log(r"login attempt: db=app user=app tls=TLSv1\.3/TLS_\w+/ECDH=\w+ replication=no")
	pooler.connect(sslmode="disable").close()
	pooler.wait_log(r"login attempt: db=app user=app tls=no replication=no")


def test_openssl_s_client_speaks_to_it(pooler, authority):
	done = subprocess.run(["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{pooler.port}", "-CAfile", authority.cert,
		"-verify_hostname", "localhost", "-verify_return_error"], input="", capture_output=True, text=True, timeout=60)
	assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
	assert "No client certificate CA names sent" in done.stdout


def test_no_session_tickets_are_given(pooler):
	with secured(pooler.wire()) as w:
		w.login("app", "app", "app")
		assert w.value("SELECT 1") == "1"
		assert w.sock.session is None or not w.sock.session.has_ticket


# what is chosen: what is then in use
CHOICES = {
	"tls_protocols = tlsv1.2": r"TLSv1\.2/.*",
	"tls_protocols = tlsv1.2, tls_ciphers = ECDHE-RSA-AES128-GCM-SHA256": r"TLSv1\.2/ECDHE-RSA-AES128-GCM-SHA256/.*",
	"tls_protocols = tlsv1.2, tls_ciphers = ECDHE-RSA-CHACHA20-POLY1305": r"TLSv1\.2/ECDHE-RSA-CHACHA20-POLY1305/.*",
	"tls_protocols = tlsv1.2, tls_ciphers = DHE-RSA-AES128-GCM-SHA256": r"TLSv1\.2/DHE-RSA-AES128-GCM-SHA256/DH=2048",
	"tls13_ciphers = TLS_AES_128_GCM_SHA256": r"TLSv1\.3/TLS_AES_128_GCM_SHA256/.*",
	"tls13_ciphers = TLS_CHACHA20_POLY1305_SHA256": r"TLSv1\.3/TLS_CHACHA20_POLY1305_SHA256/.*",
}
CHOICES_OF_CLIENTS = {
	**CHOICES,
	"tls_ecdhcurve = secp384r1": r"TLSv1\.3/.*/ECDH=secp384r1",
	"tls_ecdhcurve = prime256v1, tls_protocols = tlsv1.2": r"TLSv1\.2/.*/ECDH=prime256v1",
	"tls_dheparams = none, tls_protocols = tlsv1.2, tls_ciphers = DHE-RSA-AES128-GCM-SHA256": None,
}


@pytest.fixture(scope="module")
def rsa(authority):
	"""A certificate for which the older ciphers are, too."""
	return authority.sign("rsa", "localhost", "DNS:localhost,IP:127.0.0.1", kind=("rsa:2048",))


def choose(pooler, side, choice):
	"""By a reload, as far as it goes in a file."""
	pooler.settings.update({f"{side}_{name}": value for name, value in (one.split(" = ") for one in choice.split(", "))})
	pooler.write()
	pooler.console("RELOAD")


@pytest.mark.parametrize("choice", CHOICES_OF_CLIENTS)
def test_new_clients_get_what_is_chosen_and_old_ones_stay(start_pooler, rsa, choice):
	pooler = start_pooler(**client_tls(rsa, auth_type="plain"))
	old = pooler.connect(sslmode="require")
	[before] = tls_of_client(pooler)
	choose(pooler, "client", choice)
	try:
		with old.cursor() as cursor:
			cursor.execute("SELECT 1")
		if CHOICES_OF_CLIENTS[choice] is None:
			with pytest.raises(psycopg2.OperationalError, match="handshake failure"):
				pooler.connect(sslmode="require")
			assert tls_of_client(pooler) == [before]
		else:
			with contextlib.closing(pooler.connect(sslmode="require")):
				[found] = set(tls_of_client(pooler)) - {before} or {before}
			assert re.fullmatch(CHOICES_OF_CLIENTS[choice], found)
	finally:
		old.close()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_plain_clients_are_refused_where_tls_is_required(start_pooler, ours, authority, mode):
	pooler = start_pooler(**client_tls(ours, mode, client_tls_ca_file=authority.cert))
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login("app", "app", "app")
	assert caught.value.message.text == "SSL required"
	# a Unix socket needs none
	with Wire(pooler.port, host=pooler.folder) as w:
		w.login("app", "app", "app")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_clients_show_certificates(start_pooler, ours, authority, stranger, mode):
	pooler = start_pooler(**client_tls(ours, mode, client_tls_ca_file=authority.cert))
	cert, key = authority.sign("client", "app")
	os.chmod(key, 0o600)
	mine = {"sslmode": "verify-full", "sslrootcert": authority.cert, "host": "localhost"}

	def connect(**more):
		return psycopg2.connect(port=pooler.port, dbname="app", user="app", password="app", **mine, **more)

	copy = key + ".copy"
	with open(key) as f, open(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
		out.write(f.read())
	conn = connect(sslcert=cert, sslkey=copy)
	assert conn.info.ssl_in_use
	conn.close()
	with pytest.raises(psycopg2.OperationalError):
		connect(sslcert="/nonexistent")
	pooler.wait_log(r"TLS handshake error: peer did not return a certificate")
	other_cert, other_key = stranger.sign("other", "app")
	copy = other_key + ".copy"
	with open(other_key) as f, open(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as out:
		out.write(f.read())
	with pytest.raises(psycopg2.OperationalError):
		connect(sslcert=other_cert, sslkey=copy)
	pooler.wait_log(r"TLS handshake error: unable to get local issuer certificate, issuer \"/CN=stranger\"")


def test_names_of_authorities_are_told_only_where_certificates_are_asked_for(start_pooler, ours, authority):
	pooler = start_pooler(**client_tls(ours, "verify-full", client_tls_ca_file=authority.cert))
	done = subprocess.run(["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{pooler.port}"], input="",
		capture_output=True, text=True, timeout=60)
	assert "Acceptable client certificate CA names\nCN = authority" in done.stdout


def test_tls_begins_at_once_with_the_name_of_the_protocol(pooler):
	with secured(pooler.wire(), ["postgresql"]) as w:
		assert w.sock.selected_alpn_protocol() == "postgresql"
		w.login("app", "app", "app")
		assert w.value("SELECT 41 + 1") == "42"


@pytest.mark.parametrize("protocols", [["http/1.1"], []])
def test_tls_at_once_needs_the_name_of_the_protocol(pooler, protocols):
	with pooler.wire() as w, pytest.raises((ssl.SSLError, OSError, Closed)):
		secured(w, protocols)
		w.login("app", "app", "app")
	assert pooler.serves()


def test_a_second_request_for_tls_ends_the_connection(pooler):
	with secured(pooler.wire()) as w:
		w.send(struct.pack("!ii", 8, SSL_REQUEST))
		with pytest.raises((Closed, OSError)):
			w.read()
	assert pooler.serves()


def test_bytes_behind_the_request_are_not_taken_for_encrypted_ones(pooler):
	with pooler.wire() as w:
		w.send(struct.pack("!ii", 8, SSL_REQUEST) + startup(user="app", database="app"))
		assert w.read().text == "received unencrypted data after SSL request"


@pytest.mark.parametrize("said", [b"\0" * 300, b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x16\x03\x01\xff\xff" + b"a" * 70000,
	b"\x17\x03\x03\x00\x10" + b"b" * 16, b"\x15\x03\x03\x00\x02\x02\x28"], ids=["zeros", "http", "half a hello", "too long", "data", "alert"])
def test_hostile_handshakes_hurt_nobody(pooler, said):
	with secured(pooler.wire()) as good:
		good.login("app", "app", "app")
		with pooler.wire() as w:
			w.send(struct.pack("!ii", 8, SSL_REQUEST))
			assert w.sock.recv(1) == b"S"
			try:
				w.send(said)
				w.sock.shutdown(socket.SHUT_WR)
				while w.sock.recv(1000):
					pass
			except OSError:
				pass
		assert good.value("SELECT 1") == "1"


def test_a_handshake_that_never_ends_is_ended(start_pooler, ours):
	pooler = start_pooler(**client_tls(ours, client_login_timeout=1))
	with pooler.wire() as w:
		w.send(struct.pack("!ii", 8, SSL_REQUEST))
		assert w.sock.recv(1) == b"S"
		w.send(b"\x16\x03\x01\x02\x00\x01")
		try:
			assert w.sock.recv(100) == b""
		except ConnectionResetError:
			pass
	pooler.wait_log("client_login_timeout")


def test_a_query_is_cancelled_by_an_encrypted_request(pooler, cluster):
	conn = pooler.connect(sslmode="require")
	try:
		with secured(pooler.wire()) as w:
			w.login("app", "app", "app")
			w.send(query("SELECT pg_sleep(60)"))
			until(lambda: cluster.backends("query LIKE '%%pg_sleep(60)%%' AND state = 'active'"), what="the query runs")
			with secured(pooler.wire()) as canceller:
				canceller.send(struct.pack("!ii", 16, 80877102) + w.key)
				said = w.until()
		assert [m.code for m in said if m.type == "E"] == ["57014"]
	finally:
		conn.close()


def test_many_idle_clients_own_little_memory(start_pooler, ours):
	pooler = start_pooler(**client_tls(ours, max_client_conn=2000))

	def memory():
		with open(f"/proc/{pooler.pid}/smaps_rollup") as f:
			return int(re.search(r"^Private_Dirty: +(\d+) kB", f.read(), re.M)[1])

	clients = [secured(pooler.wire()).login("app", "app", "app") for _ in range(20)]
	before = memory()
	clients += [secured(pooler.wire()).login("app", "app", "app") for _ in range(300)]
	each = (memory() - before) * 1024 // 300
	print(f"{each} bytes for an idle TLS client")
	for w in clients[::50]:
		assert w.value("SELECT 1") == "1"
	for w in clients:
		w.close()
	assert each < 60000


# Reload

def serial_of(pooler):
	with secured(pooler.wire()) as w:
		return w.sock.getpeercert(True)


def test_a_reload_takes_another_certificate_and_keeps_the_clients(start_pooler, authority):
	first = authority.sign("first", "first", "DNS:localhost")
	pooler = start_pooler(**client_tls(first))
	with secured(pooler.wire()) as w:
		w.login("app", "app", "app")
		before = serial_of(pooler)
		second = authority.sign("second", "second", "DNS:localhost")
		for old, new in zip(first, second):
			os.replace(new, old)
		assert serial_of(pooler) == before
		pooler.console("RELOAD")
		assert serial_of(pooler) != before
		assert w.value("SELECT 41 + 1") == "42"
		pooler.console("SET client_tls_sslmode = 'disable'")
		assert w.value("SELECT 41 + 1") == "42"
		with pooler.wire() as plain:
			plain.send(struct.pack("!ii", 8, SSL_REQUEST))
			assert plain.sock.recv(1) == b"N"


@pytest.mark.parametrize("broken", ["cert_file", "key_file", "ca_file", "missing", "another key", "protocols", "ciphers", "curve"])
def test_a_reload_with_something_broken_is_refused_as_a_whole(start_pooler, ours, authority, stranger, broken, tmp_path):
	pooler = start_pooler(**client_tls(ours, client_tls_ca_file=authority.cert))
	nonsense = os.path.join(pooler.folder, "nonsense")
	with open(nonsense, "w") as f:
		f.write("nonsense")
	os.chmod(nonsense, 0o644)
	other_key = stranger.sign("another", "another")[1]
	name, value, reason = {
		"cert_file": ("client_tls_cert_file", nonsense, "there is nothing of the expected kind in it"),
		"key_file": ("client_tls_key_file", nonsense, ""),
		"ca_file": ("client_tls_ca_file", nonsense, "there is nothing of the expected kind in it"),
		"missing": ("client_tls_cert_file", nonsense + "2", "No such file or directory"),
		"another key": ("client_tls_key_file", other_key, "key values mismatch"),
		"protocols": ("client_tls_protocols", "tlsv9", ""),
		"ciphers": ("client_tls_ciphers", "nonsense", "no cipher match"),
		"curve": ("client_tls_ecdhcurve", "nonsense", ""),
	}[broken]
	before = serial_of(pooler)
	pooler.settings.update({name: value, "default_pool_size": 7})
	pooler.write()
	with pytest.raises(psycopg2.Error) as caught:
		pooler.console("RELOAD")
	name = name.replace("ecdhcurve", "ecdhecurve")
	assert f"invalid {name}: {value}" in caught.value.diag.message_detail
	assert reason in caught.value.diag.message_detail
	assert serial_of(pooler) == before
	assert [row["value"] for row in pooler.console("SHOW CONFIG") if row["key"] == "default_pool_size"] == ["20"]


def test_a_start_with_something_broken_is_refused(start_pooler, ours):
	with pytest.raises(AssertionError) as caught:
		start_pooler(client_tls_sslmode="require")
	assert "To allow TLS connections from clients, client_tls_key_file and client_tls_cert_file must be set." in str(caught.value)
	assert "TLS setup failed" in str(caught.value)
	with pytest.raises(AssertionError) as caught:
		start_pooler(**client_tls((ours[0], "/nonexistent/key")))
	assert "invalid client_tls_key_file: /nonexistent/key: No such file or directory" in str(caught.value)


# Servers

@pytest.fixture(scope="module")
def tls_cluster(folder, authority):
	"""A second PostgreSQL, with ssl = on and a certificate of ours."""
	parent = os.path.join(folder, "encrypted")
	os.makedirs(parent, exist_ok=True)
	os.chmod(parent, 0o755)
	made = Cluster(parent)
	try:
		made.create()
		turn_tls_on(made, authority.sign("server", "localhost", "DNS:localhost,IP:127.0.0.1"))
		yield made
	finally:
		made.stop()


@pytest.fixture
def certified(tls_cluster, authority):
	"""certified(pair) gives the server another certificate until the end of the test."""
	def change(pair):
		certify(tls_cluster, pair)
		tls_cluster.reload()

	yield change
	change(authority.sign("server", "localhost", "DNS:localhost,IP:127.0.0.1"))


def behind(start_pooler, cluster, host="127.0.0.1", **settings):
	return start_pooler(databases={"app": f"host={host} port={cluster.port}"}, **dict({"server_down_wait": 1}, **settings))


def tls_of_servers(pooler):
	return [row["tls"] for row in pooler.console("SHOW SERVERS")]


def is_encrypted(wire):
	return wire.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_servers_are_reached_in_every_mode(start_pooler, tls_cluster, authority, mode, host):
	pooler = behind(start_pooler, tls_cluster, host, server_tls_sslmode=mode, server_tls_ca_file=authority.cert)
	with pooler.login() as w:
		assert is_encrypted(w) == (mode != "disable")
		assert w.value("SELECT length(repeat('x', 1000000))") == "1000000"
		assert all(bool(re.fullmatch(r"TLSv1\.3/TLS_\w+/ECDH=\w+", tls)) == (mode != "disable") for tls in tls_of_servers(pooler))


def test_the_default_is_to_prefer(start_pooler, tls_cluster, cluster):
	with behind(start_pooler, tls_cluster).login() as w:
		assert is_encrypted(w)
	with behind(start_pooler, cluster).login() as w:
		assert not is_encrypted(w)


def test_unix_sockets_have_no_tls(start_pooler, tls_cluster):
	pooler = start_pooler(databases={"app": f"host={tls_cluster.folder} port={tls_cluster.port}"}, server_tls_sslmode="require")
	with pooler.login() as w:
		assert not is_encrypted(w)


def first_error(pooler, user="app"):
	"""What a client that is logged in is told, in whole."""
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login(user, "app", user)
	return caught.value.message


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_without_tls_is_told_at_once(start_pooler, cluster, authority, mode):
	pooler = behind(start_pooler, cluster, server_tls_sslmode=mode, server_tls_ca_file=authority.cert, server_down_wait=60, error_sqlstate="precise")
	said = first_error(pooler)
	assert said.code == "08001"
	assert "server refused SSL" in said.text and "does not support TLS" in said.text
	assert "ssl = on" in said.fields["H"]


def test_a_certificate_of_a_stranger_is_not_trusted(start_pooler, tls_cluster, stranger):
	pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="verify-ca", server_tls_ca_file=stranger.cert, error_sqlstate="precise")
	said = first_error(pooler)
	assert said.code == "08001"
	assert 'certificate verify failed: unable to get local issuer certificate, issuer "/CN=authority"' in said.text
	assert stranger.cert in said.fields["H"] and stranger.cert in said.fields["D"]


def test_whom_the_system_trusts_is_trusted(start_pooler, tls_cluster, authority, stranger, monkeypatch):
	settings = {"server_tls_sslmode": "verify-full", "server_tls_ca_file": "system", "error_sqlstate": "precise"}
	monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
	monkeypatch.setenv("SSL_CERT_FILE", authority.cert)
	with behind(start_pooler, tls_cluster, **settings).login() as w:
		assert is_encrypted(w)
	bundle = os.path.join(stranger.folder, "bundle.crt")
	shutil.copy(stranger.cert, bundle)
	monkeypatch.setenv("SSL_CERT_FILE", bundle)
	pooler = behind(start_pooler, tls_cluster, **settings)
	said = first_error(pooler)
	assert 'certificate verify failed: unable to get local issuer certificate, issuer "/CN=authority"' in said.text
	assert "those that this system trusts (server_tls_ca_file = system" in said.fields["D"]
	assert "name that in server_tls_ca_file" in said.fields["H"] and "update-ca-certificates" in said.fields["H"]
	# the system learns
	shutil.copy(authority.cert, bundle)
	pooler.console("RELOAD")
	until(lambda: is_served(pooler), 20, "the server is trusted")


def test_the_system_is_trusted_with_names_only_and_if_it_knows_anybody(start_pooler, tls_cluster, monkeypatch):
	with pytest.raises(AssertionError) as caught:
		behind(start_pooler, tls_cluster, server_tls_sslmode="verify-ca", server_tls_ca_file="system")
	assert "invalid server_tls_ca_file: system: it needs server_tls_sslmode = verify-full" in str(caught.value)
	monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
	monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
	with pytest.raises(AssertionError) as caught:
		behind(start_pooler, tls_cluster, server_tls_sslmode="verify-full", server_tls_ca_file="system")
	assert "this system has no certificates of authorities" in str(caught.value)


@pytest.mark.parametrize("days, words, fact", [
	(("-10", "-1"), "certificate has expired", "it has expired on 20"), (("5", "10"), "certificate is not yet valid", "it is not valid before 20")])
def test_certificates_out_of_time_are_told_with_the_clock(start_pooler, tls_cluster, authority, certified, days, words, fact):
	certified(authority.sign("late", "localhost", "DNS:localhost,IP:127.0.0.1", days))
	said = first_error(behind(start_pooler, tls_cluster, server_tls_sslmode="verify-full", server_tls_ca_file=authority.cert))
	assert words in said.text
	assert fact in said.fields["D"] and "the clock here says 20" in said.fields["D"]


@pytest.mark.parametrize("name, alternatives, host, good", [
	("a.test", "DNS:other.test,DNS:second.test", "localhost", False),
	("localhost", "DNS:other.test", "localhost", False),
	("localhost", None, "localhost", True),
	("LocalHost", "DNS:LOCALHOST", "localhost", True),
	("127.0.0.1", None, "127.0.0.1", True),
	("127.0.0.1", "IP:127.0.0.2", "127.0.0.1", False),
	("x", "IP:127.0.0.1", "127.0.0.1", True),
	("x", "DNS:*.localhost.test", "localhost", False)])
def test_names_are_compared_as_libpq_does(start_pooler, tls_cluster, authority, certified, name, alternatives, host, good):
	certified(authority.sign("named", name, alternatives))
	pooler = behind(start_pooler, tls_cluster, host, server_tls_sslmode="verify-full", server_tls_ca_file=authority.cert)

	def libpq():
		try:
			psycopg2.connect(host=host, port=tls_cluster.port, dbname="app", user="app", password="app", sslmode="verify-full",
				sslrootcert=authority.cert).close()
			return True
		except psycopg2.OperationalError:
			return False

	assert libpq() == good
	if good:
		assert pooler.serves()
	else:
		said = first_error(pooler)
		assert f'certificate does not match host name "{host}"' in said.text
		assert f'The names in it: "{(alternatives or name).split(",")[0].split(":")[-1]}"' in said.fields["D"]
	# the name does not matter in the weaker mode
	assert behind(start_pooler, tls_cluster, host, server_tls_sslmode="verify-ca", server_tls_ca_file=authority.cert).serves()


def test_no_common_protocol_is_told(start_pooler, tls_cluster):
	tls_cluster.sql("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'")
	tls_cluster.reload()
	try:
		pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require", server_tls_protocols="tlsv1.3")
		said = first_error(pooler)
		assert "no common protocol or cipher" in said.text and "here TLSv1.3 to TLSv1.3 are allowed" in said.text
		pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require", server_tls_protocols="all")
		with pooler.login() as w:
			assert w.value("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "TLSv1.2"
	finally:
		tls_cluster.sql("ALTER SYSTEM RESET ssl_max_protocol_version")
		tls_cluster.reload()


def test_our_certificate_is_shown_and_may_be_refused(start_pooler, tls_cluster, authority, stranger):
	ca = os.path.join(tls_cluster.data, "ca.crt")
	with open(authority.cert) as f, open(ca, "w") as out:
		out.write(f.read())
	os.chmod(ca, 0o644)
	tls_cluster.sql("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'")
	tls_cluster.set_hba("local all all trust\nhostssl all all 127.0.0.1/32 cert\n")
	try:
		cert, key = authority.sign("us", "app")
		pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require", server_tls_cert_file=cert, server_tls_key_file=key)
		assert pooler.serves()
		cert, key = stranger.sign("us", "app")
		pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require", server_tls_cert_file=cert, server_tls_key_file=key, server_down_wait=60)
		said = first_error(pooler)
		assert "the server does not accept the pooler's certificate" in said.text, said
		assert "unknown ca" in said.text
	finally:
		tls_cluster.sql("ALTER SYSTEM RESET ssl_ca_file")
		tls_cluster.reset_hba()


def test_a_database_may_have_tls_of_its_own(start_pooler, tls_cluster, authority, stranger):
	here = f"host=127.0.0.1 port={tls_cluster.port} dbname=app"
	pooler = start_pooler(databases={"plain": here + " server_tls_sslmode=disable", "any": here,
		"app": here + f" server_tls_sslmode=verify-full server_tls_ca_file={stranger.cert}",
		"full": here + f" server_tls_sslmode=verify-full server_tls_ca_file={authority.cert}"}, server_down_wait=1)
	for database, encrypted in (("plain", False), ("any", True), ("full", True)):
		with pooler.login("app", database) as w:
			assert is_encrypted(w) == encrypted
	assert "certificate verify failed" in first_error(pooler).text


def test_servers_are_renewed_when_their_tls_changes_and_only_then(start_pooler, tls_cluster, authority):
	pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="prefer")
	with pooler.login() as w:
		pid = w.value("SELECT pg_backend_pid()")
		pooler.console("RELOAD")
		assert w.value("SELECT pg_backend_pid()") == pid
		pooler.settings.update(server_tls_sslmode="verify-full", server_tls_ca_file=authority.cert)
		pooler.write()
		pooler.console("RELOAD")
		assert w.value("SELECT pg_backend_pid()") != pid
		assert is_encrypted(w)


@pytest.mark.parametrize("choice", CHOICES)
def test_new_servers_get_what_is_chosen(start_pooler, tls_cluster, certified, rsa, choice):
	certified(rsa)
	pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require")
	with pooler.login() as w:
		assert is_encrypted(w)
		choose(pooler, "server", choice)
		assert is_encrypted(w)
		assert all(re.fullmatch(CHOICES[choice], tls) for tls in tls_of_servers(pooler))


def test_each_database_may_choose_for_its_servers(start_pooler, tls_cluster, certified, rsa):
	certified(rsa)
	lines = {f"db{n}": " ".join(f"server_{one.replace(' = ', '=')}" for one in choice.split(", ")) for n, choice in enumerate(CHOICES)}
	pooler = start_pooler(databases={name: f"host=127.0.0.1 port={tls_cluster.port} dbname=app server_tls_sslmode=require {line}"
		for name, line in lines.items()})
	for name in lines:
		with pooler.login("app", name) as w:
			assert is_encrypted(w)
	found = {row["database"]: row["tls"] for row in pooler.console("SHOW SERVERS")}
	for name, pattern in zip(lines, CHOICES.values()):
		assert re.fullmatch(pattern, found[name])


def test_a_cancel_request_to_an_encrypted_server_is_encrypted(start_pooler, tls_cluster):
	pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require")
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: tls_cluster.backends("query LIKE '%%pg_sleep(60)%%' AND state = 'active'"), what="the query runs")
		with pooler.wire() as canceller:
			canceller.send(struct.pack("!ii", 16, 80877102) + w.key)
			assert [m.code for m in w.until() if m.type == "E"] == ["57014"]


# Servers that are none, or worse

def through(start_pooler, gate, **settings):
	return start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, **dict({"server_down_wait": 1, "server_connect_timeout": 3}, **settings))


def say(gate, answer):
	gate.saying(answer)


@pytest.mark.parametrize("answer, words", [
	(b"S" + b"\0" * 50, "unencrypted data after SSL response"),
	(b"N" + b"R\0\0\0\x08\0\0\0\0", "unencrypted data after SSL response"),
	(b"HTTP/1.0 400\r\n\r\n", "HTTP server"),
	(b"X", "not a PostgreSQL server")])
def test_wrong_answers_to_the_request_are_told(start_pooler, gate, answer, words):
	say(gate, answer)
	said = first_error(through(start_pooler, gate))
	assert words in said.text


def test_an_error_instead_of_an_answer_is_passed_on(start_pooler, gate):
	from gate import error
	say(gate, error("53300", "sorry, too many clients already"))
	said = first_error(through(start_pooler, gate))
	assert "sorry, too many clients already" in said.text
	assert said.code == "53300"


def test_a_server_that_agrees_and_then_does_not_shake_hands_is_told(start_pooler, gate):
	def play(connection):
		connection.recv(8)
		connection.sendall(b"S")
		connection.recv(5)
		connection.sendall(b"HTTP/1.0 400 what?\r\n\r\n")
		while connection.recv(1000):
			pass

	gate.playing(play)
	assert "could not establish TLS" in first_error(through(start_pooler, gate)).text


def relay(client, server):
	"""Passes on what either says until one of them has ended."""
	def passes(source, target):
		try:
			data = source.recv(1 << 16)
		except TimeoutError:
			return True
		target.sendall(data)
		return bool(data)

	client.settimeout(0.02)
	server.settimeout(0.02)
	while passes(client, server) and passes(server, client):
		pass


class DirectServer:
	"""PostgreSQL 17's way of beginning with TLS, in front of an older server: the handshake first, with ALPN."""

	def __init__(self, gate, cluster, pair, protocols=("postgresql",)):
		self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		self.context.load_cert_chain(*pair)
		self.context.set_alpn_protocols(list(protocols))
		self.cluster = cluster
		self.chosen = []
		gate.playing(self.play)

	def play(self, connection):
		with self.context.wrap_socket(connection, server_side=True) as client, \
				socket.create_connection(("127.0.0.1", self.cluster.port)) as server:
			self.chosen.append(client.selected_alpn_protocol())
			relay(client, server)


def test_tls_to_a_server_may_begin_at_once(start_pooler, cluster, gate, authority, ours):
	server = DirectServer(gate, cluster, ours)
	pooler = through(start_pooler, gate, server_tls_sslmode="verify-full", server_tls_ca_file=authority.cert, server_tls_negotiation="direct")
	with pooler.login() as w:
		assert w.value("SELECT length(repeat('x', 100000))") == "100000"
		assert tls_of_servers(pooler)[0].startswith("TLSv1.3/")
	assert server.chosen == ["postgresql"]


def test_a_server_that_does_not_begin_at_once_is_told(start_pooler, tls_cluster):
	said = first_error(behind(start_pooler, tls_cluster, server_tls_sslmode="require", server_tls_negotiation="direct"))
	assert "closed the connection" in said.text or "could not establish TLS" in said.text


def test_to_begin_at_once_needs_tls_to_be_required(start_pooler, cluster):
	with pytest.raises(AssertionError) as caught:
		behind(start_pooler, cluster, server_tls_negotiation="direct")
	assert "server_tls_negotiation = direct needs server_tls_sslmode require, verify-ca or verify-full" in str(caught.value)


# Channel binding

def test_clients_may_bind_their_login_to_the_connection(start_pooler, ours, authority):
	pooler = start_pooler(**client_tls(ours, auth_type="scram-sha-256"))
	for binding in ("require", "prefer", "disable"):
		conn = pooler.connect(sslmode="require", channel_binding=binding)
		with conn.cursor() as cursor:
			cursor.execute("SELECT 1")
		conn.close()
	with pytest.raises(psycopg2.OperationalError, match="channel binding required"):
		pooler.connect(sslmode="disable", channel_binding="require")
	with pytest.raises(psycopg2.OperationalError, match="SASL authentication failed"):
		pooler.connect(sslmode="require", channel_binding="require", password="wrong")
	with secured(pooler.wire()) as w:
		w.begin("app", "app")
		assert w.read().body[4:] == b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"


class Middle:
	"""Somebody between with a certificate of his own, who passes on everything that is said inside."""

	def __init__(self, gate, cluster, pair):
		self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		self.context.load_cert_chain(*pair)
		self.cluster = cluster
		gate.playing(self.play)

	def play(self, connection):
		connection.recv(8)
		connection.sendall(b"S")
		with self.context.wrap_socket(connection, server_side=True) as client, secured(Wire(self.cluster.port)) as server:
			relay(client, server.sock)


def test_a_login_at_a_server_is_bound_to_the_connection(start_pooler, tls_cluster, gate, authority):
	pooler = behind(start_pooler, tls_cluster, server_tls_sslmode="require")
	assert pooler.serves()
	Middle(gate, tls_cluster, authority.sign("middle", "localhost", "IP:127.0.0.1"))
	pooler = through(start_pooler, gate, server_tls_sslmode="require", server_connect_timeout=10)
	assert "SCRAM channel binding check failed" in first_error(pooler).text
