"""Named prepared statements in transaction pooling: names follow the client from server to server."""

import asyncio

import asyncpg
import psycopg
import pytest

from waiting import until
from wire import bind, close, describe, execute, flush, message, parse, query, sync, text, types


@pytest.fixture
def start(start_pooler):
	def start_one(**more):
		settings = {"default_pool_size": 1, "max_prepared_statements": 200}
		settings.update(more)
		return start_pooler(**settings)
	return start_one


def rows(answers):
	return [m.row for m in answers if m.type == "D"]


def held(pooler, kind="SERVERS"):
	return [int(row["prepared_statements"]) for row in pooler.console(f"SHOW {kind}") if row["database"] == "app"]


def run(client, name, *values):
	return client.ask(bind(*values, name=name), execute(), sync())


def test_names_are_the_clients_own_and_equal_statements_are_shared(start):
	pooler = start()
	with pooler.login() as one, pooler.login() as two:
		assert types(one.ask(parse("SELECT 'one', $1::int", "s"), sync())) == "1Z"
		assert types(two.ask(parse("SELECT 'two', $1::int", "s"), sync())) == "1Z"
		assert types(two.ask(parse("SELECT 'one', $1::int", "t"), describe("S", "t"), sync())) == "1tTZ"
		assert rows(run(one, "s", 1)) == [("one", "1")]
		assert rows(run(two, "s", 2)) == [("two", "2")]
		assert rows(run(two, "t", 3)) == [("one", "3")]
		assert held(pooler) == [2]
		assert held(pooler, "CLIENTS") == [1, 2]
		assert two.rows("SELECT count(*) FROM pg_prepared_statements WHERE name ~ '^PGBOUNCER_[0-9a-f]{32}$'") == [("2",)]


def test_what_constants_mean_is_the_clients_own(start):
	pooler = start()
	sql = "SELECT to_char(date '01/02/2003', 'DD Mon'), length('a\\b')"
	meant = {("SQL, DMY", "on"): ("01 Feb", "3"), ("SQL, MDY", "on"): ("02 Jan", "3"), ("SQL, MDY", "off"): ("02 Jan", "2")}
	clients = [(pooler.login(), mine, row) for mine, row in meant.items()]
	for client, (style, strings), row in clients:
		client.ask(query(f"SET DateStyle TO '{style}'; SET standard_conforming_strings TO {strings}; SET escape_string_warning TO off"))
		assert types(client.ask(parse(sql, "s"), sync())) == "1Z"
	for client, _, row in clients:
		assert rows(run(client, "s")) == [row]
		client.close()


@pytest.mark.parametrize("server_has_it", (True, False))
@pytest.mark.parametrize("block", ("outside", "inside", "failed"))
def test_deallocate_of_a_name_as_drivers_send_it(start, block, server_has_it):
	pooler = start()
	with pooler.login() as one, pooler.login() as other:
		one.ask(parse("SELECT 1", "Mine"), sync())
		if not server_has_it:
			other.ask(query("DEALLOCATE ALL"))
		if block != "outside":
			one.ask(query("BEGIN"))
		if block == "failed":
			one.ask(query("SELECT 1/0"))
		answers = one.ask(query('DEALLOCATE "Mine"'))
		if block == "failed":
			assert types(answers) == "EZ" and answers[0].fields["C"] == "25P02"
			one.ask(query("ROLLBACK"))
			assert rows(run(one, "Mine")) == [("1",)]
			return
		assert types(answers) == "CZ" and answers[0].tag == "DEALLOCATE"
		if block == "inside":
			assert types(one.ask(query("COMMIT"))) == "CZ"
		assert held(pooler) == [0] and held(pooler, "CLIENTS") == [0, 0]
		assert one.rows("SELECT count(*) FROM pg_prepared_statements") == [("0",)]
		assert types(one.ask(bind(name="Mine"), sync())) == "EZ"
		assert types(one.ask(parse("SELECT 2", "Mine"), sync())) == "1Z"


def memory(pooler):
	row, = (row for row in pooler.console("SHOW MEM") if row["name"] == "server_prepared_statement_cache")
	return int(row["used"]), int(row["memtotal"])


def test_memory_of_statements_is_counted(start):
	pooler = start()
	assert memory(pooler) == (0, 0)
	with pooler.login() as one:
		for name in "ab":
			one.ask(parse(f"SELECT '{'x' * 50000}', $1::int", name), sync())
		assert memory(pooler)[0] == 1
		assert 50000 < memory(pooler)[1] < 51000
		one.ask(close("S", "a"), close("S", "b"), sync())
		assert memory(pooler) == (0, 0)
		one.ask(parse("SELECT 1", "a"), sync())
	until(lambda: memory(pooler) == (0, 0), what="the client is gone")


def test_another_server_is_given_the_statement_when_it_is_needed(start):
	pooler = start(default_pool_size=2)
	with pooler.login() as one, pooler.login() as two, pooler.login() as other:
		pid = "SELECT pg_backend_pid(), $1::int"
		for client in (one, two):
			client.ask(parse(pid, "pid"), sync())
		for holder, mover in ((one, two), (two, one), (other, one)):
			# whichever server the holder takes, the mover gets the other one
			taken = rows(holder.ask(query("BEGIN; SELECT pg_backend_pid()")))[0][0]
			answers = mover.ask(describe("S", "pid"), bind(2, name="pid"), describe("P"), execute(), sync())
			assert types(answers) == "tT2TDCZ"
			assert rows(answers)[0][1] == "2" and rows(answers)[0][0] != taken
			holder.ask(query("COMMIT"))
		one.ask(query("BEGIN"))
		two.ask(query("BEGIN"))
		a, b = rows(run(one, "pid", 4))[0], rows(run(two, "pid", 5))[0]
		assert (a[1], b[1]) == ("4", "5") and a[0] != b[0]
		one.ask(query("COMMIT"))
		two.ask(query("COMMIT"))
		assert held(pooler) == [1, 1]


def test_pipelines_are_answered_in_order(start):
	with start().login() as one:
		one.send(parse("SELECT 1", "a"), sync(), parse("SELECT 2", "b"), bind(name="a"), execute(), parse("SELECT 1", "c"), describe("S", "c"),
			bind(name="c"), execute(), close("S", "a"), close("S", "c"), bind(name="b"), execute(), sync())
		assert [types(one.until("Z")) for _ in range(2)] == ["1Z", "12DC1tT2DC332DCZ"]


def test_a_statement_that_fails_was_never_there(start):
	with start().login() as one:
		answers = one.ask(parse("SELECT nowhere", "a"), bind(name="a"), execute(), sync())
		assert (types(answers), answers[0].code) == ("EZ", "42703")
		answers = run(one, "a")
		assert (types(answers), answers[0].code) == ("EZ", "26000")
		assert types(one.ask(parse("SELECT 1", "a"), bind(name="a"), execute(), sync())) == "12DCZ"


def test_what_an_error_dropped_is_prepared_again(start):
	"""Also by messages that were sent before the error was known."""
	with start().login() as one:
		one.ask(parse("SELECT 7", "a"), sync())
		one.ask(query("DEALLOCATE ALL"))
		one.ask(parse("SELECT 7", "a"), parse("SELECT $1::int", "int"), sync())
		one.send(bind("x", name="int"), execute(), parse("SELECT 8", "b"), close("S", "a"), sync(),
			parse("SELECT 8", "b"), bind(name="b"), execute(), sync(), bind(name="a"), execute(), sync())
		assert [types(one.until("Z")) for _ in range(2)] == ["EZ", "12DCZ"]
		assert rows(one.until("Z")) == [("7",)]
		assert rows(run(one, "a")) == [("7",)]
		assert rows(run(one, "b")) == [("8",)]


def test_the_same_name_twice_fails_as_in_postgresql(start):
	with start().login() as one:
		one.ask(query("CREATE TEMP TABLE kept (n int)"))
		one.ask(parse("SELECT 1", "a"), sync())
		answers = one.ask(parse("INSERT INTO kept VALUES (1)"), bind(), execute(), parse("SELECT 2", "a"), bind(name="a"), execute(), sync())
		assert types(answers) == "12CEZ"
		assert (answers[3].code, answers[3].text) == ("42P05", "prepared statement name is already in use")
		assert one.value("SELECT count(*) FROM kept") == "0"
		assert rows(run(one, "a")) == [("1",)]


def test_an_unknown_name_fails_as_in_postgresql(start):
	with start().login() as one:
		one.ask(query("CREATE TEMP TABLE kept (n int)"))
		answers = one.ask(parse("INSERT INTO kept VALUES (1)"), bind(), execute(), bind(name="none"), execute(), sync())
		assert (types(answers), answers[3].code) == ("12CEZ", "26000")
		assert one.value("SELECT count(*) FROM kept") == "0"


def test_a_server_keeps_no_more_than_it_may(start):
	pooler = start(max_prepared_statements=3)
	with pooler.login() as one:
		for n in range(10):
			one.ask(parse(f"SELECT {n}", f"s{n}"), sync())
		assert held(pooler) == [3]
		assert one.value("SELECT count(*) FROM pg_prepared_statements") == "3"
		one.send(*(part for n in range(10) for part in (bind(name=f"s{n}"), execute())), sync())
		answers = one.until("Z")
		assert rows(answers) == [(str(n),) for n in range(10)]
		assert one.value("SELECT count(*) FROM pg_prepared_statements") == "3"


@pytest.mark.parametrize("command", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_what_forgets_all_is_understood(start, command):
	pooler = start()
	with pooler.login() as one, pooler.login() as two:
		for client in (one, two):
			client.ask(parse("SELECT 1", "a"), sync())
		one.ask(query(command))
		assert held(pooler) == [0]
		assert rows(run(two, "a")) == [("1",)]
		assert run(one, "a")[0].code == "26000"
		assert types(one.ask(parse("SELECT 2", "a"), sync())) == "1Z"


def test_after_ddl_statements_are_prepared_anew(start, cluster):
	cluster.sql("DROP TABLE IF EXISTS shape; CREATE TABLE shape (a int); INSERT INTO shape VALUES (1); ALTER TABLE shape OWNER TO app",
		database="app")
	with start().login() as one:
		one.ask(parse("SELECT * FROM shape", "all"), sync())
		assert rows(run(one, "all")) == [("1",)]
		one.ask(query("ALTER TABLE shape ADD b int DEFAULT 2"))
		assert rows(run(one, "all")) == [("1", "2")]
		# and after DDL that did not pass through here: once, as on a direct connection
		cluster.sql("ALTER TABLE shape ADD c int DEFAULT 3", database="app")
		answers = run(one, "all")
		assert (types(answers), answers[0].code) == ("EZ", "0A000")
		assert rows(run(one, "all")) == [("1", "2", "3")]
	cluster.sql("DROP TABLE shape", database="app")


@pytest.mark.parametrize("size", [32 * 1024, 64 * 1024, 100 * 1024, 5 * 1024 * 1024])
def test_statements_larger_than_any_buffer(start, size):
	pooler = start()
	sql = "SELECT $1::int, length('" + "x" * size + "')"
	with pooler.login() as one, pooler.login() as two:
		for client in (one, two):
			client.send(parse("SELECT 1", "before"), parse(sql, "big"), parse(sql, "big2"), bind(5, name="big"), execute(), bind(6, name="big2"),
				execute(), sync())
			answers = client.until("Z")
			assert types(answers) == "1112DC2DCZ"
			assert rows(answers) == [("5", str(size)), ("6", str(size))]


def test_a_large_bind_flows(start):
	with start().login() as one:
		one.ask(parse("SELECT length($1::text)", "len"), sync())
		assert rows(run(one, "len", "x" * 3000000)) == [("3000000",)]
		assert rows(run(one, "len", "y")) == [("1",)]


def test_a_statement_beyond_the_bound_is_refused(start):
	with start().login() as one:
		one.send(message("P", text("big") + text("SELECT 1 --" + "x" * 70000000))[:100000])
		answers = one.until("E")
		assert (answers[-1].severity, answers[-1].text) == (
			"FATAL", "prepared statement too large: at most 64 MiB each and 256 MiB per client")


def test_flush_brings_what_we_answer_ourselves(start):
	with start().login() as one:
		one.ask(parse("SELECT 1", "a"), sync())
		one.send(parse("SELECT 1", "b"), describe("S", "b"), flush())
		assert types(one.until("T")) == "1tT"
		one.send(close("S", "b"), flush())
		assert types(one.until("3")) == "3"
		assert types(one.ask(sync())) == "Z"


def test_every_cut_of_a_conversation(start):
	with start().login() as one:
		for n in range(0, 3):
			said = b"".join([parse("SELECT $1::int", "i"), sync(), bind(4, name="i"), describe("S", "i"), execute(), close("S", "i"), sync()])
			for cut in range(1, len(said)):
				one.send(said[:cut])
				one.send(said[cut:])
				assert [types(one.until("Z")) for _ in range(2)] == ["1Z", "2tTDC3Z"]


def test_transaction_of_another_client_in_between(start):
	pooler = start()
	with psycopg.connect(pooler.dsn(), autocommit=True) as one, psycopg.connect(pooler.dsn(), autocommit=True) as two:
		one.prepare_threshold = two.prepare_threshold = 0
		for n in range(20):
			assert one.execute("SELECT %s::int", (n,)).fetchone() == (n,)
			with two.transaction():
				assert two.execute("SELECT %s::int + 1", (n,)).fetchone() == (n + 1,)
		with one.pipeline():
			cursors = [one.execute("SELECT %s::int * 2", (n,)) for n in range(50)]
			assert [c.fetchone() for c in cursors] == [(n * 2,) for n in range(50)]
		with pytest.raises(psycopg.errors.DivisionByZero), one.pipeline():
			one.execute("SELECT 1 / %s::int", (0,)).fetchone()
		assert one.execute("SELECT 1 / %s::int", (1,)).fetchone() == (1,)


def test_asyncpg_with_its_cache_of_statements(start):
	pooler = start(default_pool_size=2)

	async def one(mark):
		conn = await asyncpg.connect(pooler.dsn())
		try:
			for n in range(30):
				assert await conn.fetchval("SELECT $1::text || $2::int", mark, n) == f"{mark}{n}"
				async with conn.transaction():
					assert await conn.fetchval("SELECT $1::int + 1", n) == n + 1
		finally:
			await conn.close()

	async def all_of_them():
		await asyncio.gather(*(one(f"mark {i} ") for i in range(8)))

	asyncio.run(all_of_them())


def test_without_it_names_belong_to_the_server(start):
	with start(max_prepared_statements=0).login() as one:
		one.ask(parse("SELECT 1", "mine"), sync())
		assert one.rows("SELECT name FROM pg_prepared_statements") == [("mine",)]
