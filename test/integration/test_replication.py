"""Replication connections: passed through one to one, on a server connection of their own."""

import os
import signal
import subprocess
import threading

import psycopg2
import pytest

from cluster import HBA, Cluster
from gate import Gate
from processes import environment, identity
from waiting import silence, until
from wire import ServerError, Wire, copy_data, copy_done, message, query, types

LOGICAL = "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\nwal_sender_timeout = 0\n"
ADMITS = "local replication all trust\nhost replication app 127.0.0.1/32 scram-sha-256\n"
# pg_basebackup and pg_receivewal name their database like that.
DATABASES = {"app": "HERE", "second": "HERE", "replication": "HERE"}


@pytest.fixture(scope="module")
def cluster(folder):
	made = Cluster(folder, "source", settings=LOGICAL, hba=ADMITS + HBA)
	try:
		made.create()
		made.sql("ALTER ROLE app REPLICATION")
		yield made
	finally:
		made.stop()


@pytest.fixture
def hba(cluster):
	yield cluster.set_hba
	cluster.reset_hba()


@pytest.fixture
def pooler(start_pooler):
	return start_pooler(auth_type="scram-sha-256", databases=DATABASES)


@pytest.fixture
def table(cluster):
	cluster.sql("CREATE TABLE words (n int PRIMARY KEY, word text)", database="app")
	cluster.sql("ALTER TABLE words OWNER TO app", database="app")
	yield "words"
	cluster.sql("DROP TABLE words", database="app")


@pytest.fixture
def slot(cluster):
	cluster.sql("SELECT pg_create_logical_replication_slot('words', 'test_decoding')", database="app")
	yield "words"
	until(lambda: not cluster.value("SELECT active FROM pg_replication_slots WHERE slot_name = 'words'"), what="the slot is free")
	cluster.sql("SELECT pg_drop_replication_slot('words')", database="app")


class Tool:
	"""A program of PostgreSQL's that talks to the pooler."""

	def __init__(self, cluster, pooler, name, *arguments):
		self.output = os.path.join(cluster.folder, name + ".out")
		path = os.path.join(cluster.programs, name)
		env = dict(environment(cluster.folder), PGPASSWORD="app")
		with open(self.output, "w") as out:
			self.process = subprocess.Popen([path, "-h", "127.0.0.1", "-p", str(pooler.port), "-U", "app", "-w", *arguments],
				stdout=out, stderr=subprocess.STDOUT, cwd=cluster.folder, env=env, **identity(cluster.who))

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.process.kill()
		self.process.wait()

	def finish(self):
		return self.process.wait(60)

	def says(self):
		with open(self.output) as f:
			return f.read()


def servers(pooler):
	return [row for row in pooler.console("SHOW SERVERS") if row["replication"] != "none"]


def clients(pooler):
	return [row for row in pooler.console("SHOW CLIENTS") if row["replication"] != "none"]


def begin_stream(w, cluster):
	"""Physical streaming from the present end of the log."""
	w.send(query(f"START_REPLICATION {cluster.value('SELECT pg_current_wal_lsn()')}"))
	return w.until("WE")[-1]


# PostgreSQL's own programs.

def test_pg_basebackup_with_its_log(pooler, cluster, folder):
	target = os.path.join(cluster.folder, "backup")
	with Tool(cluster, pooler, "pg_basebackup", "-D", target, "-X", "stream", "-c", "fast") as tool:
		assert tool.finish() == 0, tool.says()
	verified = subprocess.run([os.path.join(cluster.programs, "pg_verifybackup"), target], capture_output=True, text=True,
		env=environment(cluster.folder), **identity(cluster.who))
	assert verified.returncode == 0, verified.stderr
	until(lambda: not servers(pooler), what="its servers are closed")


def test_pg_receivewal_writes_what_the_server_wrote(pooler, cluster):
	target = os.path.join(cluster.folder, "received")
	subprocess.run(["mkdir", target], check=True, **identity(cluster.who))
	with Tool(cluster, pooler, "pg_receivewal", "-D", target, "--synchronous") as tool:
		until(lambda: cluster.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 1, what="it streams")
		cluster.sql("CREATE TABLE filled (n int)", database="app")
		name = cluster.value("SELECT pg_walfile_name(pg_current_wal_insert_lsn())") # not the end of the segment before
		cluster.sql("INSERT INTO filled SELECT generate_series(1, 100000)", database="app")
		cluster.sql("SELECT pg_switch_wal()")
		until(lambda: name in os.listdir(target), 30, f"the segment {name} is complete")
	with open(os.path.join(target, name), "rb") as got, open(os.path.join(cluster.data, "pg_wal", name), "rb") as wrote:
		assert got.read() == wrote.read()
	until(lambda: not servers(pooler), what="its server is closed")
	cluster.sql("DROP TABLE filled", database="app")


def test_pg_recvlogical_reads_changes_until_it_is_stopped(pooler, cluster, table, slot):
	with Tool(cluster, pooler, "pg_recvlogical", "-d", "app", "--slot", slot, "--start", "-f", "-") as tool:
		cluster.sql("INSERT INTO words VALUES (1, 'one')", database="app")
		until(lambda: "table public.words: INSERT: n[integer]:1 word[text]:'one'" in tool.says(), 30, "the change is there")
		tool.process.send_signal(signal.SIGINT)
		assert tool.finish() == 0, tool.says()


def test_subscription_copies_and_follows(pooler, cluster, table):
	cluster.sql("INSERT INTO words SELECT n, 'word ' || n FROM generate_series(1, 1000) n", database="app")
	cluster.sql("CREATE PUBLICATION words FOR TABLE words", database="app")
	cluster.sql("SELECT pg_create_logical_replication_slot('follower', 'pgoutput')", database="app")
	cluster.sql("CREATE TABLE words (n int PRIMARY KEY, word text)", database="second")
	cluster.sql(f"CREATE SUBSCRIPTION follower CONNECTION 'host=127.0.0.1 port={pooler.port} dbname=app user=app password=app' "
		"PUBLICATION words WITH (create_slot = false)", database="second")
	count = "SELECT count(*) FROM words"
	try:
		until(lambda: cluster.value(count, database="second") == 1000, 30, "the rows are copied")
		cluster.sql("INSERT INTO words VALUES (1001, 'more')", database="app")
		until(lambda: cluster.value(count, database="second") == 1001, 30, "a change has followed")
		assert {row["replication"] for row in servers(pooler)} == {"logical"}
	finally:
		cluster.sql("DROP SUBSCRIPTION follower", database="second")
		cluster.sql("DROP TABLE words", database="second")
		cluster.sql("DROP PUBLICATION words", database="app")


# Who gets which server.

@pytest.mark.parametrize("value, kind, word", [("true", "physical", "yes"), ("on", "physical", "yes"), ("yes", "physical", "yes"),
	("1", "physical", "yes"), ("database", "logical", "database")])
def test_each_value_opens_a_connection_of_its_kind(pooler, cluster, value, kind, word):
	with pooler.login(replication=value) as w:
		assert types(w.ask(query("IDENTIFY_SYSTEM"))) == "TDCZ"
		assert [row["replication"] for row in clients(pooler)] == [kind]
		assert [row["replication"] for row in servers(pooler)] == [kind]
		pooler.wait_log(f"login attempt: db=app user=app tls=no replication={word}")


@pytest.mark.parametrize("value", ["false", "off", "0", ""])
def test_other_values_are_ordinary_connections(pooler, value):
	with pooler.login(replication=value) as w:
		assert w.value("SELECT 1") == "1"
		assert clients(pooler) == []


def test_server_is_never_shared_and_closed_with_its_client(pooler, cluster):
	with pooler.login() as ordinary, pooler.login(replication="database") as one, pooler.login(replication="database") as other:
		pids = [w.value("SELECT pg_backend_pid()") for w in (ordinary, one, other)]
		assert len(set(pids)) == 3
		assert one.value("SELECT pg_backend_pid()") == pids[1]
		assert ordinary.value("SELECT pg_backend_pid()") == pids[0]
		row = pooler.pool()
		assert (row["cl_active"], row["sv_active"], row["sv_idle"], row["pool_mode"]) == (3, 2, 1, "transaction")
	until(lambda: not servers(pooler), what="the servers of both are closed")
	pooler.wait_log("closing because: replication client was closed")
	with pooler.login(replication="database") as again:
		assert again.value("SELECT pg_backend_pid()") not in pids
	with pooler.login() as ordinary:
		assert ordinary.value("SELECT pg_backend_pid()") == pids[0]


def test_session_state_stays(pooler):
	with pooler.login(replication="database") as w:
		w.ask(query("SET statement_timeout = 12345"))
		assert w.value("SHOW statement_timeout") == "12345ms"


def test_start_up_parameters_are_the_servers_and_options_are_not_parsed(pooler):
	with pooler.login(replication="database", options="-c statement_timeout=54321 -e", application_name="follower",
			DateStyle="German") as w:
		assert w.value("SHOW statement_timeout") == "54321ms"
		assert w.value("SHOW DateStyle") == "German, DMY"
		assert (w.parameters["application_name"], w.parameters["DateStyle"]) == ("follower", "German, DMY")
		assert w.parameters["pgbouncer.pool_mode"] == "session"
		assert servers(pooler)[0]["application_name"] == "follower"


@pytest.mark.pgweir # the hint
def test_programs_that_name_no_database_are_told_which_entry_they_need(start_pooler):
	pooler = start_pooler()
	with pytest.raises(ServerError, match="no such database: replication") as told:
		pooler.login(database="replication", replication="true")
	assert '"replication = host=' in told.value.message.fields["H"]


def test_parameters_that_are_not_followed_are_refused(pooler):
	with pytest.raises(ServerError, match="unsupported startup parameter: nonsense"):
		pooler.login(replication="true", nonsense="1")


def test_idle_server_makes_room_in_pool_size_and_waiters_are_served_when_it_is_left(start_pooler):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as ordinary:
		ordinary.value("SELECT 1")
		with pooler.login(replication="true") as w:
			assert types(w.ask(query("IDENTIFY_SYSTEM"))) == "TDCZ"
			ordinary.send(query("SELECT 2"))
			pooler.wait_waiting(1)
			assert silence(ordinary.sock, 0.3)
		assert [m.row for m in ordinary.until("Z") if m.type == "D"] == [("2",)]


@pytest.mark.pgweir # PgBouncer welcomes it before it has a server
def test_a_second_connection_waits_for_pool_size(start_pooler):
	pooler = start_pooler(default_pool_size=1)
	with Wire(pooler.port) as waits:
		with pooler.login(replication="true"):
			waits.begin("app", replication="true")
			pooler.wait_waiting(1)
		waits.finish_login("app", "app")
		assert types(waits.ask(query("IDENTIFY_SYSTEM"))) == "TDCZ"


@pytest.mark.pgweir # PgBouncer counts its connection as waiting until its server has logged in
def test_client_that_leaves_before_its_server_has_logged_in_leaves_nothing(start_pooler, cluster):
	asked, gone, closed = threading.Event(), threading.Event(), threading.Event()

	def part(connection):
		connection.recv(1000)
		asked.set()
		gone.wait(20)
		connection.sendall(message("R", bytes(4)) + message("Z", b"I"))
		while connection.recv(1000):
			pass
		closed.set()

	gate = Gate(cluster.port)
	gate.playing(part)
	try:
		pooler = start_pooler(databases={"app": f"host=127.0.0.1 port={gate.port}"}, server_tls_sslmode="disable")
		with Wire(pooler.port) as w:
			w.begin("app", replication="true")
			assert asked.wait(20)
			assert pooler.pool()["sv_login"] == 1
		until(lambda: pooler.pool()["cl_waiting"] == 0, what="the client has left")
		gone.set()
		assert closed.wait(20)
		until(lambda: pooler.pool()["sv_login"] == 0, what="nothing is left")
		assert servers(pooler) == []
	finally:
		gate.close()


def test_what_was_counted_stays_counted(pooler):
	def total():
		return next(row for row in pooler.console("SHOW STATS") if row["database"] == "app")["total_query_count"]

	for n in range(1, 4):
		with pooler.login(replication="true") as w:
			w.ask(query("IDENTIFY_SYSTEM"))
		until(lambda: not servers(pooler), what="its server is closed")
		assert total() == n


def test_pause_waits_for_the_client_to_leave(pooler):
	pauses = psycopg2.connect(host="127.0.0.1", port=pooler.port, dbname="pgbouncer", user="admin", password="admin", async_=1)
	with pooler.login(replication="true") as w:
		w.ask(query("IDENTIFY_SYSTEM"))
		until(lambda: pauses.poll() == psycopg2.extensions.POLL_OK, what="logged in")
		cursor = pauses.cursor()
		cursor.execute("PAUSE app")
		until(lambda: next(row for row in pooler.console("SHOW DATABASES") if row["name"] == "app")["paused"], what="the pause has begun")
		assert types(w.ask(query("IDENTIFY_SYSTEM"))) == "TDCZ"
	until(lambda: pauses.poll() == psycopg2.extensions.POLL_OK, what="paused")
	pauses.close()
	pooler.console("RESUME app")
	with pooler.login(replication="true") as w:
		assert types(w.ask(query("IDENTIFY_SYSTEM"))) == "TDCZ"


# Streams.

def test_a_stream_does_not_hold_up_a_process_that_leaves(start_pooler, cluster):
	pooler = start_pooler(auth_type="scram-sha-256", databases=DATABASES, drain_timeout=0.2)
	with pooler.login(replication="true") as w:
		assert begin_stream(w, cluster).type == "W"
		pooler.signal(signal.SIGTERM)
		last = w.ended()[-1]
		assert (last.type, last.code) == ("E", "57P01")
	until(lambda: not pooler.is_alive(), 30, "the process ends")


def test_either_side_may_speak_at_any_time_in_a_stream_and_end_it(pooler, cluster):
	with pooler.login(replication="true") as w:
		assert begin_stream(w, cluster).type == "W"
		for _ in range(100):
			w.send(copy_data(b"r" + bytes(32) + b"\1")) # please answer
		got = w.read()
		while got.body[:1] != b"k":
			got = w.read()
		cluster.sql("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000))")
		while got.body[:1] != b"w":
			got = w.read()
		w.send(copy_done())
		assert types(w.until("Z")).endswith("cCCZ")
		assert types(w.ask(query("IDENTIFY_SYSTEM"))) == "TDCZ"


def test_error_in_a_replication_command_is_passed_on(pooler):
	with pooler.login(replication="true") as w:
		found = w.ask(query("START_REPLICATION SLOT nothing 0/0"))
		assert types(found) == "EZ" and found[0].code == "42704"
		assert w.ask(query("SELECT 1"))[0].text == "cannot execute SQL commands in WAL sender for physical replication"


def test_shutdown_of_the_server_is_told_in_a_stream(pooler, cluster):
	with pooler.login(replication="true") as w:
		begin_stream(w, cluster)
		cluster.process.send_signal(signal.SIGINT)
		last = w.read()
		while last.type == "d":
			# "I have written and applied all that you have": the server waits for that
			end = last.body[1:9] if last.body[:1] == b"k" else last.body[9:17]
			w.send(copy_data(b"r" + 3 * end + bytes(8) + b"\0"))
			last = w.read()
		assert last.type == "C"
		last = w.ended()[-1]
		assert (last.type, last.severity) == ("E", "FATAL")
	cluster.stop()
	cluster.start()
	until(lambda: pooler.serves(), what="the server is back")
	assert servers(pooler) == []


@pytest.mark.pgweir # PgBouncer has words of its own in a stream
def test_terminated_backend_is_told_in_the_servers_words(pooler, cluster):
	with pooler.login(replication="true") as w:
		begin_stream(w, cluster)
		cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
		last = w.ended()[-1]
		assert (last.type, last.severity, last.code) == ("E", "FATAL", "57P01")


@pytest.mark.pgweir # PgBouncer says "login failed"
def test_refusal_says_which_line_is_missing(pooler, cluster, hba):
	hba(HBA)
	with pytest.raises(ServerError) as told:
		pooler.login(replication="true")
	message = told.value.message
	assert message.code == "28000"
	assert message.text.startswith('no pg_hba.conf entry for replication connection from host "127.0.0.1", user "app"')
	assert "host    replication    app    127.0.0.1/32    scram-sha-256" in message.fields["H"]
	assert pooler.serves()


@pytest.mark.pgweir # PgBouncer welcomes it while it knows the pool's parameters, and refuses it afterwards
def test_other_clients_are_not_told_of_its_refusal(pooler, hba):
	hba(HBA)
	with pooler.login() as w:
		with pytest.raises(ServerError):
			pooler.login(replication="true")
		assert w.value("SELECT 1") == "1"
	assert pooler.serves()
