"""The console by drivers as people use them, and programs that watch poolers: those that can only prepare, too (PgBouncer refuses
these)."""

import asyncio
import decimal
import os
import subprocess

import asyncpg
import psycopg
import pytest

from pooler import ROOT
from processes import environment
from wire import bind, close, describe, execute, flush, parse, query, sync, types

pytestmark = pytest.mark.pgweir


@pytest.fixture(scope="module")
def pooler(start_shared):
	return start_shared(threads=2, auth_type="scram-sha-256")


@pytest.fixture
def console(pooler):
	with pooler.login("admin", "pgbouncer") as w:
		yield w


def variables(pooler):
	return dict(environment(pooler.folder), PGHOST="127.0.0.1", PGPORT=str(pooler.port), PGUSER="admin", PGPASSWORD=pooler.secrets["admin"],
		PGDATABASE="pgbouncer", PGSSLMODE="disable")


def ran(command, **options):
	done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
	assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
	return done.stdout


# The protocol

def test_a_statement_is_prepared_described_and_run(console):
	answers = console.ask(parse("SHOW LISTS", "name"), describe("S", "name"), bind(name="name"), describe(), execute(), close("S", "name"), sync())
	assert types(answers) == "1tT2T" + "D" * 14 + "C3Z"
	assert answers[2].columns == answers[4].columns == [("list", 25, -1, 0, -1, 0), ("items", 23, 4, 0, -1, 0)]
	assert answers[5].row[0] == "databases" and answers[-3].tag == "SHOW"


def test_answers_come_without_waiting_for_sync(console):
	console.send(parse("SHOW VERSION"), flush())
	assert console.read().type == "1"
	console.send(bind(), execute())
	assert types(console.until("C")) == "2DC"
	assert types(console.ask(sync())) == "Z"


@pytest.mark.parametrize("command, text", [("nonsense", "invalid command 'nonsense', use SHOW HELP;"), ("x" * 20, "bad arguments"),
	("PAUSE nowhere", "no such database: nowhere"), ("SET nothing = 1", "SET failed"), ("KILL pgbouncer", "cannot kill admin db: pgbouncer")])
def test_an_error_skips_to_sync(console, command, text):
	answers = console.ask(parse(command), bind(), execute(), execute(), query("SHOW VERSION"), sync())
	assert types(answers) in ("EZ", "12EZ") and answers[-2].text.startswith(text)
	assert console.value("SHOW VERSION")


def test_every_topic_gives_the_same_in_both_protocols(pooler, console):
	help_text = console.ask(query("SHOW HELP"))[0].fields["D"]
	topics = [word for line in help_text.splitlines() if line.startswith("\tSHOW ") for word in line[6:].split("|") if word != "HELP"]
	assert len(topics) > 20
	for topic in topics:
		simple = console.ask(query(f"SHOW {topic}"))
		extended = console.ask(parse(f"SHOW {topic}"), bind(), describe(), execute(), sync())
		assert extended[2].body == simple[0].body, topic
		assert types(extended)[:3] == "12T" and types(extended)[-2:] == "CZ", topic


# Drivers

def test_psycopg_prepares_and_closes(pooler):
	with psycopg.connect(host="127.0.0.1", port=pooler.port, user="admin", password=pooler.secrets["admin"], dbname="pgbouncer", autocommit=True) as c:
		c.prepare_threshold, c.prepared_max = 0, 2
		for _ in range(3):
			for topic in ("VERSION", "LISTS", "POOLS", "STATS"):
				assert c.execute(f"SHOW {topic}").fetchall(), topic
		with c.cursor(binary=True) as cursor:
			for row in cursor.execute("SHOW STATS").fetchall():
				assert isinstance(row[0], str) and all(isinstance(value, decimal.Decimal) for value in row[1:])
			assert dict(cursor.execute("SHOW LISTS").fetchall())["databases"] == 3
		with pytest.raises(psycopg.Error, match="no such database: nowhere"):
			c.execute("PAUSE nowhere")
		assert c.execute("PAUSE second").statusmessage == "PAUSE"
		assert c.execute("RESUME second").statusmessage == "RESUME"


def test_asyncpg_reads_every_topic_in_binary(pooler, console):
	async def main():
		c = await asyncpg.connect(host="127.0.0.1", port=pooler.port, user="admin", password=pooler.secrets["admin"], database="pgbouncer")
		try:
			assert (await c.fetchrow("SHOW VERSION"))["version"] == "PgBouncer 1.26.1"
			assert {row["list"]: row["items"] for row in await c.fetch("SHOW LISTS")}["databases"] == 3
			stats = await c.fetch("SHOW STATS")
			assert all(isinstance(value, decimal.Decimal) for row in stats for value in list(row.values())[1:])
			shown = {row["key"]: row["value"] for row in await c.fetch("SHOW CONFIG")}
			assert shown == {row[0]: row[1] for row in console.rows("SHOW CONFIG")}
			for topic in ("CLIENTS", "POOLS", "DATABASES", "SOCKETS", "USERS", "MEM", "WAITS", "BACKENDS", "ERRORS"):
				await c.fetch(f"SHOW {topic}")
			with pytest.raises(asyncpg.PostgresError, match="no such database: nowhere"):
				await c.execute("RECONNECT nowhere")
			assert await c.fetch("RECONNECT") == []
		finally:
			await c.close()

	asyncio.run(main())


def test_jdbc_prepares(pooler, tmp_path):
	source, jar = os.path.join(ROOT, "test", "drivers", "console", "jdbc.java"), "/usr/share/java/postgresql.jar"
	ran(("javac", "-cp", jar, "-d", str(tmp_path), source))
	assert ran(("java", "-cp", f"{jar}:{tmp_path}", "jdbc"), env=variables(pooler)) == "done\n"


def test_pgx_prepares(pooler, tmp_path):
	go = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "-buildvcs=false", "GOCACHE": str(tmp_path / "cache")}
	program = str(tmp_path / "program")
	ran(("go", "build", "-o", program, os.path.join(ROOT, "test", "drivers", "console", "pgx.go")), env=dict(os.environ, **go))
	assert ran((program,), env=variables(pooler)) == "done\n"
