"""
The line for pg_hba.conf in the HINT: pasted as it stands into the server's file it lets in who was refused, by the
method it names, and nobody else.
"""

import pytest

from waiting import until
from wire import ServerError, md5_secret

pytestmark = pytest.mark.pgweir

ONLY_TESTS = "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\n"

# Names that mean something else in pg_hba.conf unless they are quoted, and some that have to be quoted to be one word.
NAMES = ["all", "replication", "sameuser", "+app", "@file", "Mixed Case", "a,b", 'quo"te', "x#y", "größe"]


def identifier(name):
	return '"' + name.replace('"', '""') + '"'


def refused(pooler, user, database):
	"""The HINT of the error that a client gets in its login."""
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login(user, database)
	return caught.value.message.fields["H"]


def line_in(hint):
	"""The first line to paste; those that open more come behind."""
	return next(line for line in hint.split("\n") if line.startswith(("host ", "hostssl ", "local ")))


def let_in(cluster, pooler, user, database):
	def served():
		try:
			with pooler.wire() as w:
				return w.login(user, database).value("SELECT current_user") == user
		except ServerError:
			return False

	bad = cluster.sql("SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL")
	assert bad == []
	until(served, 10, f"{user} is let in")


@pytest.fixture
def odd_names(cluster):
	"""A role and a database of each name, with the role's name as its password."""
	for name in NAMES:
		cluster.sql(f"SET password_encryption = 'scram-sha-256'; CREATE ROLE {identifier(name)} LOGIN PASSWORD %s", name)
		cluster.sql(f"CREATE DATABASE {identifier(name)}")
	yield
	for name in NAMES:
		cluster.sql(f"DROP DATABASE {identifier(name)} WITH (FORCE)")
		cluster.sql(f"DROP ROLE {identifier(name)}")


def test_odd_names_get_a_line_that_lets_in_them_and_nobody_else(start_pooler, cluster, hba, odd_names):
	pooler = start_pooler(databases={"*": "HERE"}, secrets={name: name for name in NAMES})
	for name in NAMES:
		hba(ONLY_TESTS)
		line = line_in(refused(pooler, name, name))
		assert line.split()[-2:] == ["127.0.0.1/32", "scram-sha-256"]
		hba(ONLY_TESTS + line + "\n")
		let_in(cluster, pooler, name, name)
		assert "pg_hba.conf" in refused(pooler, "app", name), "another user at the same database"
		assert "pg_hba.conf" in refused(pooler, name, "app"), "the same user at another database"


def test_the_line_for_a_unix_socket_is_local(start_pooler, cluster, hba):
	hba(ONLY_TESTS)
	pooler = start_pooler(databases={"app": f"host={cluster.folder} port={cluster.port}"})
	line = line_in(refused(pooler, "app", "app"))
	assert line.split() == ["local", "app", "app", "scram-sha-256"]
	hba(ONLY_TESTS + line + "\n")
	let_in(cluster, pooler, "app", "app")


def test_the_line_goes_before_the_one_that_rejects(start_pooler, cluster, hba):
	hba(ONLY_TESTS + "host all all 127.0.0.1/32 reject\n")
	pooler = start_pooler()
	hint = refused(pooler, "app", "app")
	assert "before it" in hint
	hba(line_in(hint) + "\n" + ONLY_TESTS + "host all all 127.0.0.1/32 reject\n")
	let_in(cluster, pooler, "app", "app")


def test_a_name_that_no_line_can_mean_is_said_to_be_one(start_pooler, cluster, hba):
	hba(ONLY_TESTS)
	pooler = start_pooler(databases={"*": "HERE"}, secrets={"/app": "x"})
	hint = refused(pooler, "/app", "app")
	assert "no line of pg_hba.conf can mean exactly" in hint
	assert not any(line.startswith(("host", "local")) for line in hint.split("\n"))


def test_a_server_that_asks_for_peer_gets_a_line_with_another_method(start_pooler, cluster, hba):
	hba("local all postgres trust\nlocal all all peer\n")
	pooler = start_pooler(databases={"app": f"host={cluster.folder} port={cluster.port}"})
	hint = refused(pooler, "app", "app")
	hba("local all postgres trust\n" + line_in(hint) + "\nlocal all all peer\n")
	let_in(cluster, pooler, "app", "app")


def test_the_line_names_md5_where_only_an_md5_hash_is_stored(start_pooler, cluster, hba):
	hba(ONLY_TESTS)
	pooler = start_pooler(secrets={"md5_user": md5_secret("md5_user", "md5")})
	hint = refused(pooler, "md5_user", "app")
	hba(ONLY_TESTS + line_in(hint) + "\n")
	let_in(cluster, pooler, "md5_user", "app")
