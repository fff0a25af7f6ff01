"""Passwords: what is stored against what clients are asked for and servers ask for; letters of all kinds; any length."""

import random
import unicodedata

import psycopg2
import pytest

from pooler import USERS
from wire import ServerError, md5_secret

PASSWORD = "right one"
HBA = """\
local all all trust
host all by_password 127.0.0.1/32 password
host all by_md5 127.0.0.1/32 md5
host all all 127.0.0.1/32 scram-sha-256
"""
SERVERS = {"password": "by_password", "md5": "by_md5", "scram": "by_scram"}


@pytest.fixture(scope="module")
def roles(cluster):
	"""For each method of the server a role; for each a verifier, which is the server's own for the one that is asked for SCRAM."""
	cluster.set_hba(HBA)
	for method, name in SERVERS.items():
		kind = "md5" if method == "md5" else "scram-sha-256"
		cluster.sql(f"SET password_encryption = '{kind}'; DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
	verifier = cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'by_scram'")
	yield {"plain": lambda name: PASSWORD, "md5": lambda name: md5_secret(name, PASSWORD), "scram": lambda name: verifier}
	cluster.reset_hba()
	for name in SERVERS.values():
		cluster.sql(f"DROP ROLE {name}")


# What comes of it, for each method of the server.
IN = "in"
NOT_AT_US = "SASL authentication failed"
WRONG_TYPE = "server login failed: wrong password type"


def wrong(name):
	return f'password authentication failed for user "{name}"'


MATRIX = {
	("plain", "plain"): (IN, IN, IN), ("plain", "md5"): (IN, IN, IN), ("plain", "scram-sha-256"): (IN, IN, IN),
	("md5", "plain"): (IN, IN, IN), ("md5", "md5"): (wrong("by_password"), IN, WRONG_TYPE), ("md5", "scram-sha-256"): (NOT_AT_US,) * 3,
	("scram", "plain"): (IN, IN, IN), ("scram", "md5"): (wrong("by_password"), WRONG_TYPE, IN),
	("scram", "scram-sha-256"): (wrong("by_password"), WRONG_TYPE, IN)}


def cells():
	for stored, asked in MATRIX:
		# the client's password serves where a hash is stored
		better = asked == "plain" and stored != "plain"
		yield pytest.param(stored, asked, marks=[pytest.mark.pgweir] if better else [])


@pytest.mark.parametrize("stored, asked", cells())
def test_stored_secret_serves_client_and_server_as_it_can(start_pooler, roles, stored, asked):
	pooler = start_pooler(auth_type=asked, secrets={name: roles[stored](name) for name in SERVERS.values()})
	for name, expected in zip(SERVERS.values(), MATRIX[stored, asked]):
		for password, outcome in ((PASSWORD, expected), ("wrong", None)):
			with pooler.wire() as w:
				try:
					w.login(name, "app", password)
					said = IN if w.value("SELECT current_user") == name else "somebody else"
				except ServerError as e:
					said = e.message.text
			if outcome is None:
				assert said in ("SASL authentication failed", "password authentication failed")
			else:
				assert said == outcome, name


@pytest.mark.pgweir
def test_verifier_with_another_salt_cannot_be_passed_through(start_pooler, roles, cluster):
	cluster.sql(f"SET password_encryption = 'scram-sha-256'; CREATE ROLE copied LOGIN PASSWORD '{PASSWORD}'")
	try:
		pooler = start_pooler(auth_type="scram-sha-256", secrets={"copied": roles["scram"]("copied")})
		with pooler.wire() as w, pytest.raises(ServerError) as caught:
			w.login("copied", "app", PASSWORD)
		assert caught.value.message.text == WRONG_TYPE
	finally:
		cluster.sql("DROP ROLE copied")


@pytest.mark.pgweir
def test_reload_drops_a_password_that_a_client_sent_when_another_is_stored(start_pooler, cluster):
	cluster.sql("ALTER ROLE other PASSWORD 'first'")
	try:
		pooler = start_pooler(auth_type="plain", secrets={"other": md5_secret("other", "first")}, server_idle_timeout=0)
		with pooler.login("other", "app", "first") as w:
			assert w.value("SELECT 1") == "1"
		cluster.sql("ALTER ROLE other PASSWORD 'second'")
		pooler.secrets["other"] = "second"
		pooler.write()
		pooler.console("RELOAD")
		pooler.console("RECONNECT")
		with pooler.login("other", "app", "second") as w:
			assert w.value("SELECT 1") == "1"
	finally:
		cluster.sql("ALTER ROLE other PASSWORD 'other'")


@pytest.mark.pgweir
@pytest.mark.parametrize("asked", ["plain", "md5", "scram-sha-256"])
def test_reload_in_mid_login_leaves_what_was_begun_and_counts_for_all_others(start_pooler, asked):
	pooler = start_pooler(auth_type=asked, secrets={"app": "app"}, databases={"app": "HERE user=app password=app"})
	with pooler.wire() as asked_before:
		asked_before.begin("app", "app")
		first = asked_before.read()
		pooler.secrets["app"] = "changed"
		pooler.write()
		pooler.console("RELOAD")
		# who was asked before the reload proves the password that was stored then
		asked_before._answer(first, "app", "app")
		asked_before.finish_login("app", "app")
		assert asked_before.value("SELECT 'in'") == "in"
	with pooler.login("app", "app", "changed") as w:
		assert w.value("SELECT 'in'") == "in"
	with pooler.wire() as w, pytest.raises(ServerError):
		w.login("app", "app", "app")


# Who exists is nobody's business

def shape(pooler, user, password="wrong"):
	"""Kinds and lengths of what is asked, and SCRAM's iterations."""
	with pooler.wire() as w:
		with pytest.raises(ServerError):
			w.login(user, "app", password)
		return [(m.type, len(m.body), m.body.partition(b",i=")[2]) if m.type == "R" else (m.type, m.body) for m in w.greeting]


@pytest.mark.pgweir
@pytest.mark.parametrize("asked", ["plain", "md5", "scram-sha-256"])
@pytest.mark.parametrize("stored", ["plain", "md5", "scram", "other_scram"])
def test_users_who_do_not_exist_look_like_those_of_the_list(start_pooler, roles, stored, asked):
	names = [f"listed_{i}" for i in range(3)]
	foreign = "SCRAM-SHA-256$7777:" + "QUJDREVGR0g=" + "$" + "A" * 43 + "=:" + "A" * 43 + "="
	secret = {"other_scram": lambda name: foreign}.get(stored) or roles[stored]
	every_user = {name: secret(name) for name in [*names, *USERS]}
	pooler = start_pooler(auth_type=asked, secrets=every_user)
	assert shape(pooler, "nobody_like_that") == shape(pooler, "listed_0") == shape(pooler, "nobody_like_this")


# Letters of all kinds: libpq, PostgreSQL and we must prepare them alike

LETTERS = [
	"caf\u00e9", "cafe\u0301", "\ufb01ne", "\u2168", "\u00aa", "I\u00adX", "a\u00a0b", "a\u3000b", "\u1680", "\u0627\u0628",
	"\u06271", "\u0627a\u0628", "x\u0007y", "\u00e9\u0007", "\U0001f600", "\u0221", "\u2126", "\u212b", "\uff21\uff42", "\u00bd", "e\u0323\u0302",
	"\uac00", "\u1100\u1161", "\u200bx", "\u00ad", "\ue000", "\ufffd", "\u2028x", "\u0340a", "Stra\u00dfe", "\u01c4", "\u0390", "\u1e9b\u0323"]


def random_letters(seed):
	r = random.Random(seed)
	blocks = [(0xA1, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0xE01, 0xE5B), (0x1E00, 0x1FFF), (0x2000, 0x22FF), (0x3041, 0x30FF),
		(0x4E00, 0x4F00), (0xAC00, 0xACFF), (0xFB00, 0xFEFF), (0xFF01, 0xFFEE), (0x20, 0x7E)]
	found = []
	while not found or "".join(found).isascii():
		for _ in range(r.randint(1, 8)):
			c = chr(r.randint(*r.choice(blocks)))
			if unicodedata.category(c) != "Cs":
				found.append(c)
	return "".join(found)


def test_other_letters_are_prepared_as_libpq_and_postgresql_do(start_pooler, cluster):
	passwords = LETTERS + [random_letters(seed) for seed in range(60)]
	names = [f"letters_{i}" for i in range(len(passwords))]
	cluster.sql("SET password_encryption = 'scram-sha-256'")
	try:
		cluster.sql("SET password_encryption = 'scram-sha-256';" + ";".join(
			f"CREATE ROLE {name} LOGIN PASSWORD '{password}'" for name, password in zip(names, passwords)))
		verifiers = dict(cluster.sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'letters_%%'"))
		plain = start_pooler(auth_type="scram-sha-256", secrets=dict(zip(names, passwords)), default_pool_size=1, server_idle_timeout=1)
		passing = start_pooler(auth_type="scram-sha-256", secrets=verifiers, default_pool_size=1, server_idle_timeout=1)
		refused = []
		for name, password in zip(names, passwords):
			for which, pooler in (("plain", plain), ("verifier", passing)):
				try:
					conn = pooler.connect("app", name, password)
					conn.cursor().execute("SELECT 1")
					conn.close()
				except psycopg2.Error as e:
					refused.append((which, ascii(password), str(e)[-100:]))
		assert not refused, refused
	finally:
		cluster.end_sessions()
		for name in names:
			cluster.sql(f"DROP ROLE IF EXISTS {name}")


# Any length

@pytest.mark.parametrize("asked", ["plain", "md5", "scram-sha-256"])
@pytest.mark.parametrize("length", [1000, 65534])
def test_long_passwords_get_in(start_pooler, asked, length):
	long = "x" * (length - 1) + "y"
	pooler = start_pooler(auth_type=asked, secrets={"long": long}, databases={"app": "HERE user=app password=app"})
	with pooler.login("long", "app", long) as w:
		assert w.value("SELECT 'in'") == "in"
	with pooler.wire() as w, pytest.raises(ServerError):
		w.login("long", "app", long[:-1])
