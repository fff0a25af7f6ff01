"""Files of the configuration as they are in life: broken in any line, gone, unreadable, too large, replaced while they are read; what
is included; what has changed."""

import os
import re
import threading

import pytest

from pooler import PROGRAM, ROOT
from processes import make_directory, start
from processpair import Lone
from test_settings_walk import settings
from wire import Wire, query, types

pytestmark = pytest.mark.pgweir


@pytest.fixture
def pooler(start_pooler):
	return start_pooler()


@pytest.fixture
def console(pooler):
	with pooler.login("admin", "pgbouncer") as w:
		yield w


def state(console):
	"""All that a reload may change, as far as it is shown."""
	databases = [row[:12] + row[13:14] for row in console.rows("SHOW DATABASES")]
	users = [row[:5] + row[6:7] for row in console.rows("SHOW USERS")]
	return console.rows("SHOW CONFIG"), databases, users, console.rows("SHOW PEERS")


def reload(console):
	"""The error of a RELOAD, or None."""
	answers = console.ask(query("RELOAD"))
	assert re.fullmatch("EZ|N*CZ", types(answers)), answers
	return answers[0] if answers[0].type == "E" else None


def refused(console):
	"""RELOAD fails and changes nothing; its DETAIL."""
	before = state(console)
	error = reload(console)
	assert error is not None and (error.code, error.text) == ("F0000", "RELOAD failed, see logs for additional details")
	assert state(console) == before
	return error.fields["D"]


def write(path, text, mode="w"):
	with open(path, mode, encoding="utf-8") as f:
		f.write(text)


# Lines

def full(pooler):
	"""A configuration with every setting that has a default, and entries of all kinds."""
	chosen = {s.name: s.default for s in settings() if s.default is not None and s.is_whole}
	chosen.update(pooler.settings)
	pooler.settings = chosen
	pooler.databases.update({"third": "HERE dbname=app pool_size=3 pool_mode=session", "*": "HERE dbname=app"})
	pooler.users = {"app": "pool_size=4", "other": "max_user_connections=7"}
	pooler.peers = {"1": "host=127.0.0.1", "2": "host=127.0.0.1 port=6433"}
	return pooler.text().splitlines()


def broken(line):
	"""The line with a mistake in it."""
	if line.startswith("["):
		return line[:-1]
	key, value = line.split(" = ", 1)
	return f"{key}! = {value}"


def test_each_line_of_a_full_configuration_counts(pooler, console):
	lines = full(pooler)
	assert len(lines) > 100
	pooler.write()
	assert reload(console) is None
	assert pooler.serves(database="third") and pooler.serves(database="made_up")
	with open(pooler.ini, encoding="utf-8") as f:
		assert f.read().splitlines() == lines
	for number, line in enumerate(lines, 1):
		for text in (broken(line), "!"):
			write(pooler.ini, "\n".join([*lines[:number - 1], text, *lines[number:]]))
			assert f"({pooler.ini}:{number})" in refused(console), text
	assert pooler.serves(database="third")
	pooler.write()
	assert reload(console) is None


RULES = """\
local all all trust
host pgbouncer all all trust
host app,second app 127.0.0.0/8 md5
host "app" "other" 10.0.0.0 255.0.0.0 scram-sha-256 # there
hostssl all third ::1/128 cert map=m
hostnossl all /^a samehost reject
"""

MAPS = """\
m app app
m "O=x, CN=other" other
m /^(.*)@example$ \\1
"""


@pytest.fixture
def ruled(pooler):
	"""With a file of each kind; attributes hba and ident are the paths."""
	pooler.hba, pooler.ident = (os.path.join(pooler.folder, name) for name in ("hba", "ident"))
	write(pooler.hba, RULES)
	write(pooler.ident, MAPS)
	pooler.settings.update(auth_type="hba", auth_hba_file=pooler.hba, auth_ident_file=pooler.ident)
	pooler.write()
	return pooler


def test_each_line_of_rules_maps_and_users_counts(ruled, console):
	assert reload(console) is None
	for path, wrong in ((ruled.hba, "trust {}"), (ruled.ident, '{} "'), (ruled.userlist, "{}\0")):
		with open(path, encoding="utf-8") as f:
			text = f.read()
		lines = text.splitlines()
		assert len(lines) >= 3
		for number, line in enumerate(lines, 1):
			for broken_line in (wrong.format(line), "!"):
				write(path, "\n".join([*lines[:number - 1], broken_line, *lines[number:]]))
				assert f"({path}:{number})" in refused(console), broken_line
		write(path, text)
		assert reload(console) is None


# Files

def test_rules_and_maps_that_cannot_be_read_are_named(ruled, console):
	assert reload(console) is None
	directory = make_directory(os.path.join(ruled.folder, "directory"), ruled.who)
	large = os.path.join(ruled.folder, "large")
	with open(large, "wb") as f:
		f.truncate(65 * 1024 * 1024)
	for setting in ("auth_hba_file", "auth_ident_file"):
		for path, reason in ((os.path.join(ruled.folder, "none"), "No such file or directory"), (directory, "Is a directory"), (large, "File too large")):
			ruled.write(ruled.text() + f"{setting} = {path}\n")
			detail = refused(console)
			assert path in detail and reason in detail
	os.unlink(ruled.ident)
	ruled.write()
	assert ruled.ident in refused(console)
	write(ruled.ident, MAPS)
	assert reload(console) is None and ruled.login("app").value("SELECT 1") == "1"


def test_files_that_cannot_be_read_are_named(pooler, console):
	directory = make_directory(os.path.join(pooler.folder, "directory"), pooler.who)
	secret = os.path.join(pooler.folder, "unreadable")
	write(secret, "")
	os.chmod(secret, 0)
	for path, reason in ((os.path.join(pooler.folder, "none"), "No such file or directory"), (directory, "Is a directory"),
			*([(secret, "Permission denied")] if os.getuid() == 0 else [])):
		pooler.write(pooler.text() + f"%include {path}\n")
		detail = refused(console)
		assert path in detail and reason in detail and f"{pooler.ini}:" in detail
		pooler.write(pooler.text() + f"auth_file = {path}\n")
		detail = refused(console)
		assert path in detail and reason in detail
		pooler.write()
		os.rename(pooler.ini, pooler.ini + ".away")
		if os.path.exists(path):
			os.symlink(path, pooler.ini)
		assert reason in refused(console)
		if os.path.exists(path):
			os.unlink(pooler.ini)
		os.rename(pooler.ini + ".away", pooler.ini)
		assert reload(console) is None
	assert pooler.serves()


def test_files_that_grow_beyond_all_measure_are_refused(pooler, console):
	large = os.path.join(pooler.folder, "large")
	with open(large, "wb") as f:
		f.truncate(65 * 1024 * 1024)
	for line in (f"%include {large}", f"auth_file = {large}"):
		pooler.write(pooler.text() + line + "\n")
		assert f"{large}" in refused(console)
	os.truncate(large, 1000)
	pooler.write(pooler.text() + f"%include {large}\n")
	assert f"{large}:1" in refused(console) and "zero byte" in refused(console)
	pooler.write()
	assert reload(console) is None and pooler.serves()


def test_a_file_that_is_replaced_meanwhile_is_one_of_the_two(pooler, console):
	def text(number):
		pooler.settings.update(query_wait_timeout=number, max_db_connections=number)
		pooler.databases = {"app": f"HERE pool_size={number}", f"only_{number}": "HERE"}
		return pooler.text()

	texts, ended = [text(n) for n in (30, 40)], threading.Event()

	def replace():
		turn = 0
		while not ended.is_set():
			write(pooler.ini + ".new", texts[turn % 2])
			os.rename(pooler.ini + ".new", pooler.ini)
			turn += 1

	writer = threading.Thread(target=replace)
	writer.start()
	try:
		seen = set()
		while len(seen) < 2:
			for _ in range(20):
				assert reload(console) is None
				shown = {row[0]: row[1] for row in console.rows("SHOW CONFIG")}
				databases = {row[0]: row for row in console.rows("SHOW DATABASES")}
				number = shown["query_wait_timeout"]
				if number == "120": # none of the two is there yet
					continue
				assert shown["max_db_connections"] == databases["app"][5] == number
				assert set(databases) == {"app", f"only_{number}", "pgbouncer"}
				seen.add(number)
	finally:
		ended.set()
		writer.join()


def test_a_file_caught_in_the_middle_of_writing_changes_nothing(pooler, console):
	"""Every beginning of the file that is not whole and lacks [pgbouncer] is refused; a later one is a configuration, as everywhere."""
	text = pooler.text()
	for size in range(0, text.index("[pgbouncer]") + len("[pgbouncer]")):
		write(pooler.ini, text[:size])
		refused(console)
	pooler.write()
	assert reload(console) is None and pooler.serves()


def test_all_files_of_a_directory_are_included_in_order(pooler, console):
	place = make_directory(os.path.join(pooler.folder, "conf.d"), pooler.who)
	pooler.write(pooler.text() + "%include conf.d/*.ini\n")
	assert reload(console) is None
	write(os.path.join(place, "20.ini"), "query_wait_timeout = 20\n[databases]\ntwenty = dbname=app\n")
	write(os.path.join(place, "10.ini"), "query_wait_timeout = 10\nmax_db_connections = 10\n")
	write(os.path.join(place, "30.ini.bak"), "nonsense\n")
	write(os.path.join(place, ".40.ini"), "nonsense\n")
	assert reload(console) is None
	shown = {row[0]: row[1] for row in console.rows("SHOW CONFIG")}
	assert (shown["query_wait_timeout"], shown["max_db_connections"]) == ("20", "10")
	assert "twenty" in [row[0] for row in console.rows("SHOW DATABASES")]
	write(os.path.join(place, "10.ini"), "\nquery_wait_timeout = many\n")
	assert "conf.d/10.ini:2" in refused(console)
	os.unlink(os.path.join(place, "10.ini"))
	write(os.path.join(place, "*.ini"), "query_wait_timeout = 77\n")
	assert reload(console) is None
	assert {row[0]: row[1] for row in console.rows("SHOW CONFIG")}["query_wait_timeout"] == "77"


def test_the_last_of_equal_settings_counts(pooler, console):
	pooler.write(pooler.text() + "query_wait_timeout = 5\nquery_wait_timeout = 6\n[databases]\napp = HERE pool_size=1\napp = host=127.0.0.1 pool_size=2\n"
		.replace("HERE", "host=127.0.0.1"))
	assert reload(console) is None
	assert {row[0]: row[1] for row in console.rows("SHOW CONFIG")}["query_wait_timeout"] == "6"
	assert [row[5] for row in console.rows("SHOW DATABASES") if row[0] == "app"] == ["2"]


def test_the_environment_counts_for_nothing(start_pooler):
	def start_with(command, who, home, output):
		return start(["env", "PGHOST=/nowhere", "PGPORT=1", "PGUSER=nobody_at_all", "PGDATABASE=none", "PGPASSWORD=x", "PGSERVICE=none", "PGOPTIONS=-c x=y",
			"PGSSLMODE=verify-full", "POOL_MODE=session", "PGBOUNCER_POOL_MODE=session", "HOME=/nowhere", *command], who, home, output)

	pooler = start_pooler(start_program=start_with, login_notify_message="$HOME ~ ${PGHOST} %PGHOST%")
	with pooler.login() as w:
		assert [m.text for m in w.notices] == ["$HOME ~ ${PGHOST} %PGHOST%"]
		assert w.value("SELECT current_user || current_database()") == "appapp"
	assert {row["key"]: row["value"] for row in pooler.console("SHOW CONFIG")}["pool_mode"] == "transaction"


# What has changed

def test_what_a_reload_changes_is_logged_as_a_list(pooler, console):
	at = len(pooler.log())
	assert reload(console) is None
	assert "changed" not in pooler.log()[at:]
	pooler.settings.update(query_wait_timeout=33, default_pool_size=7)
	pooler.databases = {"app": "HERE pool_size=1", "fresh": "HERE dbname=app"}
	pooler.users = {"app": "pool_size=4"}
	pooler.secrets.update(app="changed", newcomer="x")
	del pooler.secrets["third"]
	pooler.write()
	assert reload(console) is None
	log = pooler.log()[at:]
	for text in ('parameter "query_wait_timeout" changed from "120" to "33"', 'parameter "default_pool_size" changed from "20" to "7"',
			'database "app" changed', 'database "fresh" added', "dropping database 'second'", 'user "app" added', 'login of user "newcomer" added',
			'login of user "third" removed', 'password of user "app" changed'):
		assert text in log, (text, log)
	assert console.ask(query("SET query_wait_timeout = 34"))
	assert 'parameter "query_wait_timeout" changed from "33" to "34"' in pooler.log()


def test_what_needs_a_restart_is_named_in_a_notice(pooler, console):
	pooler.settings.update(listen_backlog=77, pkt_buf=8192, unix_socket_mode="0700", query_wait_timeout=44)
	pooler.write()
	answers = console.ask(query("RELOAD"))
	assert types(answers) == "NNNCZ"
	assert {re.match(r'the new value of parameter "(\w+)" needs a restart', m.text)[1] for m in answers[:3]} == {
		"listen_backlog", "pkt_buf", "unix_socket_mode"}
	shown = {row[0]: row[1] for row in console.rows("SHOW CONFIG")}
	assert (shown["listen_backlog"], shown["pkt_buf"], shown["query_wait_timeout"]) == ("128", "4096", "44")


def test_a_set_that_fails_changes_nothing(pooler, console):
	before = state(console)
	for command, reason in (("SET pool_mode = 'x'", "must be one of session, transaction, statement"), ("SET default_pool_size = '-1'", "default_pool_size"),
			("SET client_tls_sslmode = 'require'", "client_tls"), ("SET nonsense = '1'", "unknown parameter: pgbouncer/nonsense"),
			("SET logfile = '/nowhere/log'", "/nowhere/log"), ("SET server_tls_ca_file = '/nowhere'", "/nowhere")):
		error = console.ask(query(command))[0]
		assert (error.type, error.text) == ("E", "SET failed") and reason in error.fields["D"], (command, error)
	assert state(console) == before


# The sample

def sample(name):
	with open(os.path.join(ROOT, "etc", name), encoding="utf-8") as f:
		return f.read()


def test_the_sample_runs_as_it_is_and_shows_the_defaults(cluster, folder):
	text = sample("pgweir.ini")
	other = text.replace("\n;listen_port = 6432\n", "\nlisten_port = PORT\n").replace(" port=5432 ", f" port={cluster.port} ").replace(
		"\n;logfile =\n", "\nlogfile = HOME/log\n")
	lone = Lone(PROGRAM, folder, files={"userlist.txt": sample("userlist.txt")}, text=other)
	try:
		lone.up()
		with Wire(lone.port).login("app", "app", "app") as w:
			assert w.value("SELECT current_user") == "app"
		with Wire(lone.port).login("app", "pgbouncer", "app") as w:
			defaults = {row[0]: row[2] or "" for row in w.rows("SHOW CONFIG")}
	finally:
		lone.discard()
	examples, shown = False, {}
	for line in text.partition("\n[pgbouncer]\n")[2].splitlines():
		if line.startswith("; ---- "):
			examples = "(examples)" in line
		elif not examples and (found := re.fullmatch(r";(\w+) = ?(.*)", line)):
			shown[found[1]] = found[2]
	assert len(shown) > 40 and shown == {name: defaults.get(name) for name in shown}
