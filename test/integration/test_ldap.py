"""Passwords that an LDAP server knows: OpenLDAP's, private, with and without TLS; and servers that do not answer."""

import socket
import time

import pytest

from certificates import Authority
from checking import Checker
from directory import ADMIN, ADMIN_PASSWORD, SUFFIX, Directory
from processes import account, start
from told import refusal
from waiting import until
from wire import ServerError

SIMPLE = f'ldapprefix="uid=" ldapsuffix=",ou=people,{SUFFIX}"'
SEARCH = f'ldapbasedn="{SUFFIX}"'
REFUSED = "LDAP authentication failed"


def quoted(value):
	return '"' + value.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def authority(folder):
	return Authority(folder, account("nobody", "daemon"), "ldap-authority")


@pytest.fixture(scope="module")
def directory(folder, authority):
	made = Directory(folder, authority.sign("ldap", "ldap", "IP:127.0.0.1"))
	try:
		yield made.create()
	finally:
		made.stop()


@pytest.fixture(scope="module")
def here(directory):
	return f"ldapserver=127.0.0.1 ldapport={directory.port}"


def by_ldap(start_it, options, database="HERE user=app password=app", **more):
	"""A pooler whose servers are asked as app, whoever the client is."""
	return start_it(auth_type="ldap", auth_ldap_options=options, databases={"app": database}, **more)


@pytest.fixture(scope="module")
def simple(start_shared, here):
	return by_ldap(start_shared, f"{here} {SIMPLE}")


@pytest.fixture(scope="module")
def searching(start_shared, here):
	return by_ldap(start_shared, f"{here} {SEARCH}")


def lets_in(pooler, user="app", password="ldap-app"):
	with pooler.login(user, "app", password) as w:
		return w.value("SELECT 'in'") == "in"


@pytest.mark.parametrize("way", ["simple", "searching"])
def test_right_password_gets_in_and_a_wrong_one_does_not(request, way):
	pooler = request.getfixturevalue(way)
	with pooler.login("app", "app", "ldap-app") as w:
		assert w.greeting[0].body == b"\0\0\0\3"
		assert w.value("SELECT current_user") == "app"
	said = refusal(pooler, "app", password="app")
	assert (said.severity, said.code, said.text) == ("FATAL", "08P01", REFUSED)
	assert refusal(pooler, "nobody_like_that", password="ldap-app").text == REFUSED


@pytest.mark.parametrize("way", ["simple", "searching"])
def test_empty_password_never_reaches_the_ldap_server(request, directory, way):
	pooler = request.getfixturevalue(way)
	before = directory.log().count("conn=")
	assert refusal(pooler, "app", password="").text == "empty password returned by client"
	assert directory.log().count("conn=") == before


@pytest.mark.pgweir
@pytest.mark.parametrize("user", ["*", "app*", "app)(uid=*", "*)(objectClass=*", "app\\2a", ")", "a" * 127])
def test_name_with_a_meaning_in_filters_is_only_a_name(searching, user):
	assert refusal(searching, user, password="ldap-app").text == REFUSED
	searching.wait_log("there is no entry below")


@pytest.mark.pgweir
@pytest.mark.parametrize("user", [f"app,ou=people,{SUFFIX}", "app+cn=app", "app,ou=people", "#61"])
def test_name_with_a_meaning_in_distinguished_names_is_only_a_name(simple, user):
	assert refusal(simple, user, password="ldap-app").text == REFUSED


def test_two_entries_of_one_name_let_nobody_in(searching):
	assert refusal(searching, "twice", password="ldap-twice").text == REFUSED


@pytest.mark.pgweir
def test_log_says_why_and_never_shows_passwords(searching):
	refusal(searching, "twice", password="my-secret-pass")
	refusal(searching, "app", password="my-secret-pass")
	searching.wait_log('login failed: db=app user=twice: LDAP server "127.0.0.1": there is more than one entry')
	searching.wait_log('login failed: db=app user=app: LDAP server "127.0.0.1": refuses "uid=app,.*": Invalid credentials')
	assert "my-secret-pass" not in searching.log()


def test_search_as_somebody_finds_what_others_do_not_see(start_pooler, searching, here):
	assert refusal(searching, "shut", password="ldap-shut").text == REFUSED
	pooler = by_ldap(start_pooler, f"{here} {SEARCH} ldapbinddn={quoted(ADMIN)} ldapbindpasswd={quoted(ADMIN_PASSWORD)}")
	assert lets_in(pooler, "shut", "ldap-shut")


def test_search_with_a_wrong_password_of_its_own_says_so(start_pooler, here):
	pooler = by_ldap(start_pooler, f"{here} {SEARCH} ldapbinddn={quoted(ADMIN)} ldapbindpasswd=oh-no")
	assert refusal(pooler, "app", password="ldap-app").text == REFUSED
	assert "oh-no" not in pooler.log()


@pytest.mark.parametrize("how, user", [
	("ldapsearchattribute=mail", "app@example.net"), ('ldapsearchfilter="(|(uid=$username)(mail=$username))"', "app"),
	('ldapsearchfilter="(|(uid=$username)(mail=$username))"', "app@example.net")])
def test_users_are_found_by_attribute_or_filter(start_pooler, here, how, user):
	assert lets_in(by_ldap(start_pooler, f"{here} {SEARCH} {how}"), user)


def test_url_says_it_all(start_pooler, directory):
	url = f"ldap://127.0.0.1:{directory.port}/{SUFFIX}?mail?sub"
	assert lets_in(by_ldap(start_pooler, f'ldapurl="{url}"'), "app@example.net")


# Where the password goes from there

def test_server_is_logged_in_to_with_the_clients_password(start_pooler, here, cluster):
	pooler = start_pooler(auth_type="ldap", auth_ldap_options=f"{here} {SIMPLE}", secrets={"app": "not this one"})
	cluster.sql("ALTER ROLE app PASSWORD 'ldap-app'")
	try:
		with pooler.login("app", "app", "ldap-app") as w:
			assert w.value("SELECT current_user") == "app"
	finally:
		cluster.sql("ALTER ROLE app PASSWORD 'app'")


@pytest.mark.pgweir
def test_new_password_ends_the_pause_that_the_old_one_began(start_pooler, cluster, directory, here):
	pooler = start_pooler(auth_type="ldap", auth_ldap_options=f"{here} {SIMPLE}", server_login_retry=600)
	said = refusal(pooler, "other", password="ldap-other")
	assert said.code == "28P01"
	directory.set_password("other", "other")
	try:
		assert lets_in(pooler, "other", "other")
	finally:
		directory.set_password("other", "ldap-other")


def test_console_takes_the_ldap_password(start_pooler, here):
	pooler = start_pooler(auth_type="ldap", auth_ldap_options=f"{here} {SIMPLE}", admin_users="app")
	with pooler.login("app", "pgbouncer", "ldap-app") as w:
		assert w.rows("SHOW VERSION")
	with pooler.wire() as w:
		with pytest.raises(ServerError):
			w.login("app", "pgbouncer", "app")


# TLS

def trusting_only(authority, command, *arguments, **more):
	"""Whom libldap trusts is in the environment, or in ldap.conf."""
	return start(["env", f"LDAPTLS_CACERT={authority.cert}", *command], *arguments, **more)


@pytest.mark.parametrize("how", ["ldaptls", "ldapscheme", "ldapurl"])
@pytest.mark.pgweir
def test_tls_is_used_and_checked(start_pooler, authority, folder, directory, how):
	options = {"ldaptls": f"ldapserver=127.0.0.1 ldapport={directory.port} ldaptls=1 {SEARCH}",
		"ldapscheme": f"ldapserver=127.0.0.1 ldapport={directory.tls_port} ldapscheme=ldaps {SEARCH}",
		"ldapurl": f'ldapurl="ldaps://127.0.0.1:{directory.tls_port}/{SUFFIX}?uid?sub"'}[how]
	stranger = Authority(folder, account("nobody", "daemon"), f"stranger-{how}")
	pooler = by_ldap(start_pooler, options, start_program=lambda *a, **m: trusting_only(authority, *a, **m))
	before = directory.log().count("TLS established")
	assert lets_in(pooler)
	assert directory.log().count("TLS established") > before
	pooler = by_ldap(start_pooler, options, start_program=lambda *a, **m: trusting_only(stranger, *a, **m))
	assert refusal(pooler, "app", password="ldap-app").text == REFUSED
	pooler.wait_log("could not be reached: .*certificate is for another name or of an authority that is not trusted")


@pytest.mark.pgweir
def test_certificate_of_another_host_is_refused(start_pooler, authority, directory):
	pooler = by_ldap(start_pooler, f"ldapserver=localhost ldapport={directory.port} ldaptls=1 {SEARCH}",
		start_program=lambda *a, **m: trusting_only(authority, *a, **m))
	assert refusal(pooler, "app", password="ldap-app").text == REFUSED


# Servers in trouble

class Silence:
	"""A port on which connections are made and nothing is ever said."""

	def __init__(self):
		self.sock = socket.socket()
		self.sock.bind(("127.0.0.1", 0))
		self.sock.listen(100)
		self.port = self.sock.getsockname()[1]

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.sock.close()


def test_second_server_is_asked_when_the_first_is_down(start_pooler, directory):
	nobody = "127.0.0.2"  # the port is the directory's, the address is not
	assert lets_in(by_ldap(start_pooler, f'ldapserver="{nobody} 127.0.0.1" ldapport={directory.port} {SIMPLE}'))


@pytest.mark.pgweir
@pytest.mark.parametrize("how", ["", "ldapscheme=ldaps", "ldaptls=1"])
def test_silent_server_is_given_up(start_pooler, how):
	with Silence() as silent:
		pooler = by_ldap(start_pooler, f"ldapserver=127.0.0.1 ldapport={silent.port} {how} {SIMPLE}", client_login_timeout=0)
		with pooler.wire(seconds=100) as w:
			with pytest.raises(ServerError) as caught:
				w.login("app", "app", "ldap-app")
		assert caught.value.message.text == REFUSED
		pooler.wait_log('user=app: LDAP server "127.0.0.1": ')


@pytest.mark.pgweir
@pytest.mark.parametrize("threads", [1, 4])
def test_silent_server_holds_up_nobody_else_and_not_the_end(start_pooler, threads):
	with Silence() as silent:
		pooler = by_ldap(start_pooler, f"ldapserver=127.0.0.1 ldapport={silent.port} {SIMPLE}", threads=threads, client_login_timeout=0)
		waiting = []
		for _ in range(20):  # more than there are threads for it
			w = pooler.wire()
			w.begin("app", "app")
			w.read()
			w.send(b"p" + (4 + 9).to_bytes(4, "big") + b"ldap-app\0")
			waiting.append(w)
		with open(pooler.ini) as f:
			text = f.read()
		pooler.write(text.replace("auth_type = ldap", "auth_type = scram-sha-256"))
		pooler.process.send_signal(1)
		pooler.wait_log("auth_type.*changed")
		for _ in range(5):
			with pooler.login("app") as w:
				assert w.value("SELECT 1") == "1"
		for w in waiting[:10]:
			w.close()
		began = time.monotonic()
		pooler.stop()
		assert time.monotonic() - began < 5
		for w in waiting[10:]:
			w.close()


# Configuration

@pytest.mark.pgweir
@pytest.mark.parametrize("options, said", [
	(None, "auth_type = ldap needs auth_ldap_options"), ("ldapservr=a", 'there is no LDAP option "ldapservr".*Perhaps "ldapserver"'),
	("ldapserver=a", "need ldapbasedn, ldapprefix, or ldapsuffix"), ('ldapserver="a', "a double quote is not closed")])
def test_wrong_options_keep_it_from_starting(start_pooler, options, said):
	with pytest.raises(AssertionError, match=f"(?s){said}"):
		start_pooler(auth_type="ldap", auth_ldap_options=options)


@pytest.mark.pgweir
def test_reload_takes_other_options_or_none_at_all(start_pooler, here):
	pooler = by_ldap(start_pooler, f'{here} ldapprefix="uid=" ldapsuffix=",ou=others,{SUFFIX}"', admin_users="admin")
	assert refusal(pooler, "app", password="ldap-app").text == REFUSED
	good = pooler.text()
	pooler.write(good.replace("ou=others", "ou=people"))
	pooler.process.send_signal(1)
	until(lambda: _may(pooler), what="the new options count")
	pooler.write(good.replace("ldapprefix", "ldapprefx"))
	pooler.process.send_signal(1)
	pooler.wait_log('there is no LDAP option "ldapprefx".*pooler.ini')
	assert lets_in(pooler)


def _may(pooler):
	try:
		return lets_in(pooler)
	except ServerError:
		return False


@pytest.mark.pgweir
def test_password_of_the_search_is_not_in_show_config(start_pooler, here, cluster):
	pooler = start_pooler(auth_ldap_options=f"{here} {SEARCH} ldapbinddn={quoted(ADMIN)} ldapbindpasswd=oh-no-not-me")
	row = [r for r in pooler.console("SHOW CONFIG") if r["key"] == "auth_ldap_options"][0]
	assert "ldapbindpasswd=****" in row["value"] and "oh-no" not in row["value"]


# Before the first client

@pytest.mark.parametrize("password, severity", [(ADMIN_PASSWORD, "ok"), ("wrong", "warning")])
def test_check_asks_the_ldap_server(cluster, folder, here, password, severity):
	"""As who searches, if somebody is named."""
	options = f'{here} {SEARCH} ldapbinddn="{ADMIN}" ldapbindpasswd={quoted(password)}'
	checker = Checker(cluster, folder, auth_type="ldap", auth_ldap_options=options)
	try:
		found = checker.run("--json")
		steps = found.of(step="ldap")
		assert [step["severity"] for step in steps] == [severity], found.out
		assert password not in found.out
	finally:
		checker.discard()
