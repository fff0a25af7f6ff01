"""
The incident: fifty clients, and PostgreSQL's pg_hba.conf does not let the pooler in. Every client reads the line that is
missing; it is pasted as it stands, the server reads its file again, and all fifty work, with nothing restarted.
Then the same with one old server connection that still works and is busy, which is how it happened.
"""

import re
from contextlib import closing

import psycopg2
import pytest

from told import errors, is_served, query_error
from waiting import until
from wire import ServerError, query

pytestmark = pytest.mark.pgweir

CLIENTS = 50
WAIT = 2  # server_down_wait where it counts
LONG = 60  # and where it must not: more than any test waits for an answer

OWN = "local all all trust\nhost all postgres 127.0.0.1/32 trust\n"
REJECT = "host all app 127.0.0.1/32 reject\n"
LET_IN = "host all app 127.0.0.1/32 scram-sha-256\n"

# name: pg_hba.conf, and the server's words
SHUT = {
	"no entry": (OWN, "no pg_hba.conf entry"),
	"reject": (OWN + REJECT + LET_IN, "pg_hba.conf rejects connection"),
}
WORDS = 'for host "127.0.0.1", user "app", database "app"'

each_way = pytest.mark.parametrize("way", SHUT)


@pytest.fixture(autouse=True)
def open_again(hba):
	"""pg_hba.conf as it was, at the end."""
	return hba


def check(way, message):
	assert (message.severity, message.code) == ("FATAL", "28000")
	assert SHUT[way][1] in message.text and WORDS in message.text
	assert "SHOW hba_file" in message.fields["H"] and "SELECT pg_reload_conf()" in message.fields["H"]
	assert 'Database "app", user "app"' in message.fields["D"]


def paste(cluster, hint):
	"""Does what the hint says: finds the file, adds the line as it is printed, and has the file read again."""
	line = re.search(r"^host .*$", hint, re.MULTILINE)[0] + "\n"
	path = cluster.value("SHOW hba_file")
	with open(path) as f:
		text = f.read()
	text = text.replace(REJECT, line + REJECT) if "before" in hint and "reject" in hint else text + line
	with open(path, "w") as f:
		f.write(text)
	assert cluster.value("SELECT pg_reload_conf()")


def all_work(pooler):
	"""Fifty new clients, together."""
	until(lambda: is_served(pooler), 15, "service is back")
	clients = [pooler.login() for _ in range(CLIENTS)]
	for w in clients:
		w.send(query("SELECT 41 + 1"))
	for w in clients:
		assert w.until("Z")[1].row == ("42",)
		w.close()


def log_says_it_once(pooler, way):
	"""The line is in the log too, once and not for each client; and that it is over."""
	log = pooler.log()
	assert log.count("HINT:") == 1
	assert re.search(r"WARNING .*" + SHUT[way][1], log)
	assert re.search(r"HINT:.*\n\thost +app +app +127\.0\.0\.1/32 +scram-sha-256\n", log)
	pooler.wait_log("server login works again: db=app user=app")


@each_way
def test_everybody_in_its_login_reads_the_line_to_paste(start_pooler, cluster, hba, way):
	hba(SHUT[way][0])
	pooler = start_pooler(auth_type="scram-sha-256", server_down_wait=LONG)
	clients = [pooler.wire().begin("app", "app") for _ in range(CLIENTS)]
	told = []
	for w in clients:
		with pytest.raises(ServerError) as caught:
			w.finish_login("app", "app")
		told.append(caught.value.message)
		w.close()
	for message in told:
		check(way, message)
	paste(cluster, told[-1].fields["H"])
	all_work(pooler)
	log_says_it_once(pooler, way)


@each_way
def test_everybody_with_a_query_reads_the_line_to_paste(start_pooler, cluster, hba, way):
	pooler = start_pooler(auth_type="scram-sha-256", server_down_wait=LONG)
	clients = [pooler.login() for _ in range(CLIENTS)]
	hba(SHUT[way][0])
	pooler.console("RECONNECT")
	until(lambda: cluster.backends("usename = 'app'") == 0, what="the pool has no servers left")
	for w in clients:
		w.send(query("SELECT 1"))
	told = [query_error(w, b"")[0] for w in clients]
	for message in told:
		check(way, message)
	paste(cluster, told[-1].fields["H"])
	all_work(pooler)
	log_says_it_once(pooler, way)


@each_way
def test_everybody_behind_one_old_busy_server_reads_both_facts(start_pooler, cluster, hba, way):
	pooler = start_pooler(auth_type="scram-sha-256", server_down_wait=WAIT)
	with pooler.login() as holder:
		holder.ask(query("BEGIN"))
		until(lambda: pooler.pool()["sv_active"] == 1, what="the transaction has the only server")
		hba(SHUT[way][0])
		clients = [pooler.login() for _ in range(CLIENTS)]
		for w in clients:
			w.send(query("SELECT 1"))
		told = [query_error(w, b"")[0] for w in clients]
		for message in told:
			check(way, message)
			assert re.search("1 of 1 servers.* busy.* cannot get more", message.fields["D"])
		assert not errors(holder.ask(query("SELECT 'still here'")))
		paste(cluster, told[-1].fields["H"])
		all_work(pooler)
		assert not errors(holder.ask(query("COMMIT")))
	log_says_it_once(pooler, way)


@each_way
def test_old_server_that_comes_free_in_time_serves_everybody(start_pooler, cluster, hba, way):
	"""Fifty clients and one server that works: slow, and nothing to tell anybody."""
	pooler = start_pooler(auth_type="scram-sha-256", server_down_wait=LONG)
	clients = [pooler.login() for _ in range(CLIENTS)]
	with closing(cluster.connect("app")) as owner, owner.cursor() as cursor, pooler.login() as holder:
		cursor.execute("SELECT pg_advisory_lock(7)")
		holder.send(query("SELECT pg_advisory_xact_lock(7)"))
		until(lambda: pooler.pool()["sv_active"] == 1, what="the query runs")
		hba(SHUT[way][0])
		for w in clients:
			w.send(query("SELECT 41 + 1"))
		pooler.wait_log(SHUT[way][1])
		cursor.execute("SELECT pg_advisory_unlock(7)")
		for w in (*clients, holder):
			assert not errors(w.until("Z"))
	for w in clients:
		w.close()


def test_driver_that_asks_has_the_line_in_its_exception(start_pooler, cluster, hba):
	"""Not only that the connection was closed, which is all that libpq since 15 tells of a FATAL in the midst of PQexec()."""
	pooler = start_pooler(auth_type="scram-sha-256", server_down_wait=LONG)
	with closing(pooler.connect()) as conn, conn.cursor() as cursor:
		cursor.execute("SELECT 1")
		conn.commit()
		hba(OWN)
		pooler.console("RECONNECT")
		until(lambda: cluster.backends("usename = 'app'") == 0, what="the pool has no servers left")
		with pytest.raises(psycopg2.Error) as caught:
			cursor.execute("SELECT 1")
		assert caught.value.pgcode == "28000" and WORDS in str(caught.value)
		assert re.search(r"^host +app +app +127\.0\.0\.1/32 +scram-sha-256$", str(caught.value), re.MULTILINE)
