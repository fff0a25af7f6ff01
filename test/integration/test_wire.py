"""The protocol after login: what flows through unchanged, what is answered in which order, and what ends a connection."""

import struct

import pytest

from conftest import THREADS
from pooler import is_sanitized
from processes import status_kb
from waiting import until
from wire import (Message, bind, close, copy_data, copy_done, copy_fail, describe, execute, flush, function_call, message, parse, query,
	startup, statement, sync, terminate, types)

MANY = 100 * 1024 * 1024
CONSTANT_KB = 8 * 1024 * (4 if is_sanitized() else 1)


@pytest.fixture(scope="module", params=THREADS, ids=lambda n: f"threads{n}")
def pooler(start_shared, cluster, request):
	return start_shared(threads=request.param, default_pool_size=4, max_packet_size=1000000000)


@pytest.fixture
def client(pooler):
	with pooler.login() as w:
		yield w


@pytest.fixture
def table(cluster):
	"""An empty table that every server connection sees."""
	cluster.sql("DROP TABLE IF EXISTS loaded; CREATE TABLE loaded (n int); GRANT ALL ON loaded TO app", database="app")
	yield "loaded"
	cluster.sql("DROP TABLE loaded", database="app")


def count(cluster):
	return cluster.value("SELECT count(*)::int FROM loaded", database="app")


def is_free(client):
	"""Its server went back to the pool and the client can go on."""
	assert client.value("SELECT 'fine'") == "fine"
	return True


# Queries

def test_simple_queries_sent_at_once_are_answered_in_order(client):
	client.send(*(query(f"SELECT {n}") for n in range(500)))
	answers = [client.until("Z") for _ in range(500)]
	assert [types(a) for a in answers] == ["TDCZ"] * 500
	assert [a[1].row for a in answers] == [(str(n),) for n in range(500)]


def test_one_query_string_with_several_statements_gives_several_results(client):
	assert types(client.ask(query("SELECT 1; SELECT 2 WHERE false; SELECT 1/0; SELECT 3"))) == "TDCTCEZ"


def test_empty_query_is_answered_as_empty(client):
	assert types(client.ask(query(""))) == "IZ"
	assert types(client.ask(parse(""), bind(), execute(), sync())) == "12IZ"


def test_extended_queries_sent_at_once_are_answered_in_order(client):
	client.send(*(statement("SELECT $1::text", n) + sync() for n in range(500)))
	answers = [client.until("Z") for _ in range(500)]
	assert [types(a) for a in answers] == ["12TDCZ"] * 500
	assert [a[3].row for a in answers] == [(str(n),) for n in range(500)]


def test_many_statements_before_one_sync_stay_on_one_server(client):
	client.send(*(statement("SELECT pg_backend_pid()") for _ in range(100)), sync())
	answers = client.until("Z")
	assert types(answers) == "12TDC" * 100 + "Z"
	assert len({m.row for m in answers if m.type == "D"}) == 1


def test_simple_and_extended_queries_may_be_mixed(client):
	client.send(query("SELECT 1"), statement("SELECT 2") + sync(), query("SELECT 3"), statement("SELECT 4"), statement("SELECT 5"), sync())
	answers = [client.until("Z") for _ in range(4)]
	assert [types(a) for a in answers] == ["TDCZ", "12TDCZ", "TDCZ", "12TDC12TDCZ"]


def test_flush_brings_the_answers_that_are_there(client):
	client.send(parse("SELECT $1::int", "", 23), describe("S"), flush())
	assert types(client.until("T")) == "1tT"
	client.send(bind(7), execute(), flush())
	assert types(client.until("C")) == "2DC"
	client.send(sync())
	assert client.read() == Message("Z", b"I")


def test_rows_may_be_fetched_in_portions(client):
	client.send(parse("SELECT generate_series(1, 5)"), bind(), execute(limit=2), flush())
	assert types(client.until("s")) == "12DDs"
	client.send(execute(limit=2), execute(), sync())
	assert types(client.until("Z")) == "DDsDCZ"


def test_after_an_error_everything_is_skipped_up_to_sync(client):
	client.send(statement("SELECT 1"), statement("SELECT 1/0"), statement("SELECT 2"), parse("SELECT 3"), sync(), statement("SELECT 4"), sync())
	assert types(client.until("Z")) == "12TDC1EZ"
	assert types(client.until("Z")) == "12TDCZ"


def test_a_query_between_an_error_and_sync_is_skipped_too(client):
	client.send(parse("SELEC"), query("SELECT 'never'"), sync())
	assert types(client.until("Z")) == "EZ"
	assert is_free(client)


def test_error_in_a_transaction_keeps_the_server_until_rollback(client):
	client.ask(query("BEGIN"))
	pid = client.value("SELECT pg_backend_pid()")
	assert client.ask(query("SELECT 1/0"))[-1].body == b"E"
	assert types(client.ask(query("SELECT 1"))) == "EZ"
	assert client.ask(query("ROLLBACK"))[-1].body == b"I"
	assert pid and is_free(client)


def test_errors_of_the_server_arrive_with_all_their_fields(client):
	client.ask(query("CREATE TEMP TABLE short (v varchar(3) CONSTRAINT three CHECK (v <> ''))"))
	said = client.ask(query("DO $$ BEGIN RAISE EXCEPTION 'main' USING ERRCODE = 'AB123', DETAIL = 'd', HINT = 'h', COLUMN = 'c'; END $$"))[0]
	fields = said.fields
	assert {k: fields[k] for k in "SVCMDHc"} == {"S": "ERROR", "V": "ERROR", "C": "AB123", "M": "main", "D": "d", "H": "h", "c": "c"}


def test_notices_arrive_at_their_place(client):
	answers = client.ask(query("SELECT 1; DO $$ BEGIN RAISE NOTICE 'between'; END $$; SELECT 2"))
	assert types(answers) == "TDCNCTDCZ"
	assert answers[3].text == "between"


def test_parameter_changes_are_reported(client):
	answers = client.ask(query("SET application_name = 'changed'"))
	assert Message("S", b"application_name\0changed\0") in answers
	assert client.value("SHOW application_name") == "changed"


def test_function_call_is_passed_on(client):
	answers = client.ask(function_call(1397, b"-5"))
	assert types(answers) == "VZ"
	assert answers[0].body == struct.pack("!i", 1) + b"5"
	assert types(client.ask(function_call(99999999, b"-5"))) == "EZ"
	assert is_free(client)


def test_notification_arrives_before_the_transaction_is_over(client):
	answers = client.ask(query("BEGIN; LISTEN here; NOTIFY here, 'hello'; COMMIT"))
	client.ask(query("UNLISTEN *"))
	told = [m for m in answers if m.type == "A"]
	assert len(told) == 1 and told[0].body[4:] == b"here\0hello\0"


# Named statements: with max_prepared_statements = 0 they belong to the server, as with PgBouncer

def test_named_statement_works_inside_one_transaction(client):
	client.send(query("BEGIN"), parse("SELECT $1::int + 1", "plus", 23), bind(1, name="plus"), execute(), bind(2, name="plus"), execute(), sync(),
		close("S", "plus"), sync(), query("COMMIT"))
	assert [types(client.until("Z")) for _ in range(4)] == ["CZ", "12DC2DCZ", "3Z", "CZ"]


def test_named_statement_stays_with_its_server_and_is_not_tracked(start_pooler):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as one, pooler.login() as two:
		assert types(one.ask(parse("SELECT 'shared'", "s1"), sync())) == "1Z"
		assert types(two.ask(bind(name="s1"), execute(), sync())) == "2DCZ"
		answers = two.ask(parse("SELECT 'again'", "s1"), sync())
		assert (types(answers), answers[0].code) == ("EZ", "42P05")
		assert types(two.ask(close("S", "s1"), sync())) == "3Z"
		answers = one.ask(bind(name="s1"), execute(), sync())
		assert (types(answers), answers[0].code) == ("EZ", "26000")


# COPY

def lines(first, last):
	return b"".join(b"%d\n" % n for n in range(first, last))


def test_copy_in_by_simple_query(client, cluster, table):
	client.send(query("COPY loaded FROM STDIN"))
	assert types(client.until("G")) == "G"
	client.send(*(copy_data(lines(n, n + 1000)) for n in range(0, 50000, 1000)), copy_done())
	answers = client.until("Z")
	assert (types(answers), answers[0].tag) == ("CZ", "COPY 50000")
	assert count(cluster) == 50000 and is_free(client)


def test_copy_in_with_everything_sent_at_once(client, cluster, table):
	client.send(query("COPY loaded FROM STDIN"), copy_data(lines(0, 10)), copy_done(), query("SELECT count(*) FROM loaded"))
	assert types(client.until("Z")) == "GCZ"
	assert client.until("Z")[1].row == ("10",)


def test_copy_in_that_the_client_gives_up(client, cluster, table):
	client.send(query("COPY loaded FROM STDIN"), copy_data(lines(0, 10)), copy_fail("had enough"))
	answers = client.until("Z")
	assert types(answers) == "GEZ"
	assert (answers[1].code, answers[1].text) == ("57014", "COPY from stdin failed: had enough")
	assert count(cluster) == 0 and is_free(client)


def test_copy_in_that_the_server_refuses_midway(client, cluster, table):
	client.send(query("COPY loaded FROM STDIN"), copy_data(lines(0, 10) + b"eleven\n"), *(copy_data(lines(0, 1000)) for _ in range(100)), copy_done())
	answers = client.until("Z")
	assert (types(answers), answers[1].code) == ("GEZ", "22P02")
	assert count(cluster) == 0 and is_free(client)


def test_copy_in_by_extended_query(client, cluster, table):
	client.send(parse("COPY loaded FROM STDIN"), bind(), execute(), flush())
	assert types(client.until("G")) == "12G"
	client.send(copy_data(lines(0, 100)), copy_done(), sync())
	assert types(client.until("Z")) == "CZ"
	assert count(cluster) == 100 and is_free(client)


def test_copy_in_by_extended_query_with_sync_before_the_data(client, cluster, table):
	client.send(parse("COPY loaded FROM STDIN"), bind(), execute(), sync())
	assert types(client.until("G")) == "12G"
	client.send(copy_data(lines(0, 100)), copy_done(), sync())
	assert types(client.until("Z")) == "CZ"
	assert count(cluster) == 100 and is_free(client)


def test_extended_copy_in_that_the_server_refuses_after_an_early_sync(client, cluster, table):
	client.send(parse("COPY loaded FROM STDIN"), bind(), execute(), sync())
	assert types(client.until("G")) == "12G"
	client.send(copy_data(b"eleven\n"), copy_data(lines(0, 100)), copy_done(), sync())
	assert types(client.until("Z")) == "EZ"
	assert count(cluster) == 0 and is_free(client)


def test_extended_copy_in_that_the_client_gives_up(client, cluster, table):
	client.send(parse("COPY loaded FROM STDIN"), bind(), execute(), copy_data(lines(0, 10)), copy_fail("no"), sync())
	assert types(client.until("Z")) == "12GEZ"
	assert count(cluster) == 0 and is_free(client)


def test_copy_data_after_a_copy_that_never_began_is_ignored(client, cluster, table):
	client.send(query("COPY nowhere FROM STDIN"), copy_data(lines(0, 10)), copy_done(), query("SELECT 'goes on'"))
	assert types(client.until("Z")) == "EZ"
	assert client.until("Z")[1].row == ("goes on",)
	assert is_free(client)


def test_late_copy_messages_do_not_keep_servers(pooler, cluster):
	clients = [pooler.login() for _ in range(8)]
	for w in clients:
		w.send(query("COPY nowhere FROM STDIN"), copy_data(b"1\n"), copy_done())
		assert types(w.until("Z")) == "EZ"
		w.send(copy_data(b"2\n"), copy_done(), copy_fail("late"))
	for w in clients:
		assert is_free(w)
		w.close()
	until(lambda: pooler.pool()["sv_active"] == 0, what="all servers are free")


def test_copy_out_by_simple_and_extended_query(client):
	answers = client.ask(query("COPY (SELECT generate_series(1, 1000)) TO STDOUT"))
	assert types(answers) == "H" + "d" * 1000 + "cCZ"
	answers = client.ask(parse("COPY (SELECT generate_series(1, 1000)) TO STDOUT"), bind(), execute(), sync())
	assert types(answers) == "12H" + "d" * 1000 + "cCZ"


def test_copy_out_that_fails_midway(client):
	answers = client.ask(query("COPY (SELECT 1000 / (500 - n) FROM generate_series(1, 1000) n) TO STDOUT"))
	assert types(answers) == "H" + "d" * 499 + "EZ"
	assert is_free(client)


def test_client_that_leaves_in_a_copy_takes_its_server_with_it(pooler, cluster, table):
	with pooler.login() as w:
		pid = w.value("SELECT pg_backend_pid()")
		w.send(query("COPY loaded FROM STDIN"), copy_data(lines(0, 10)))
		w.until("G")
	until(lambda: cluster.backends("pid = %s AND state <> 'idle'", pid) == 0, what="its server is gone")
	assert count(cluster) == 0


# Size

def test_a_hundred_megabytes_of_rows_flow_in_constant_memory(pooler, client):
	is_free(client)
	before = status_kb(pooler.pid, "VmHWM")
	client.send(query(f"SELECT repeat('x', 1000) FROM generate_series(1, {MANY // 1024})"))
	client.until("T")
	client.discard((MANY // 1024) * (1 + 4 + 2 + 4 + 1000))
	assert types(client.until("Z")) == "CZ"
	assert status_kb(pooler.pid, "VmHWM") - before < CONSTANT_KB


def test_one_row_of_a_hundred_megabytes_flows_in_constant_memory(pooler, client):
	is_free(client)
	before = status_kb(pooler.pid, "VmHWM")
	client.send(query(f"SELECT repeat('x', {MANY})"))
	assert types(client.until("T")) == "T"
	client.discard(1 + 4 + 2 + 4 + MANY)
	assert types(client.until("Z")) == "CZ"
	assert status_kb(pooler.pid, "VmHWM") - before < CONSTANT_KB


def test_a_query_of_twenty_megabytes_reaches_the_server_in_constant_memory(pooler, client):
	is_free(client)
	before = status_kb(pooler.pid, "VmHWM")
	client.send(query("SELECT length('" + "x" * 20000000 + "')"))
	assert client.until("Z")[1].row == ("20000000",)
	client.send(parse("SELECT length($1)"), bind("y" * 20000000), execute(), sync())
	assert client.until("Z")[2].row == ("20000000",)
	assert status_kb(pooler.pid, "VmHWM") - before < CONSTANT_KB


def test_a_client_that_does_not_read_holds_its_own_server_only(pooler, cluster):
	with pooler.login() as lazy:
		lazy.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"))
		lazy.until("T")
		for _ in range(5):
			assert pooler.serves()
		lazy.discard(100000 * (1 + 4 + 2 + 4 + 1000))
		assert types(lazy.until("Z")) == "CZ"


def test_bytes_that_arrive_one_at_a_time_mean_the_same(client):
	for byte in query("SELECT 1") + statement("SELECT $1::text", "two") + sync():
		client.send(bytes([byte]))
	assert types(client.until("Z")) == "TDCZ"
	assert types(client.until("Z")) == "12TDCZ"


# Wrong messages, in every state

def header(kind, size):
	return kind.encode() + struct.pack("!i", size)


def in_transaction(w):
	w.ask(query("BEGIN"))


def in_copy(w):
	w.ask(query("BEGIN; CREATE TEMP TABLE temporary (n int) ON COMMIT DROP"))
	w.send(query("COPY temporary FROM STDIN"))
	w.until("G")


def in_batch(w):
	w.send(parse("SELECT 1"), flush())
	w.until("1")


STATES = {"idle": lambda w: None, "in a transaction": in_transaction, "in a copy": in_copy, "in a batch": in_batch}

FATAL = {
	"length 0": (header("Q", 0), "bad packet header: '5100000000'"),
	"length 3": (header("Q", 3), "bad packet header: '5100000003'"),
	"negative length": (header("Q", -1), "bad packet header: '51ffffffff'"),
	"most negative length": (header("P", -2**31), "bad packet header: '5080000000'"),
	"largest length": (header("Q", 2**31 - 1), "bad packet header: '517fffffff'"),
	"beyond max_packet_size": (header("B", 1000000001), "bad packet header: '423b9aca01'"),
	"unknown type": (message("z", b"abc"), "unknown pkt"),
	"a message of servers": (message("T", b"abc"), "unknown pkt"),
	"password": (message("p", b"abc\0"), "unknown pkt"),
	"start-up": (startup(user="admin", database="pgbouncer"), "unknown pkt"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("wrong", FATAL)
def test_wrong_message_ends_the_connection_with_the_documented_error(pooler, state, wrong):
	data, expected = FATAL[wrong]
	with pooler.login() as w:
		STATES[state](w)
		w.send(data)
		said = w.ended()
	assert types(said) == "E"
	assert (said[0].severity, said[0].code) == ("FATAL", "08P01")
	assert said[0].text.startswith(expected)
	assert pooler.is_alive() and pooler.serves()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("cut", [1, 3, 5, 6, 12])
def test_truncated_message_and_a_closed_connection_leave_the_pooler_well(pooler, state, cut):
	with pooler.login() as w:
		STATES[state](w)
		w.send(query("SELECT 'unfinished'")[:cut])
		w.sock.shutdown(1)
		assert [m for m in w.ended() if m.type not in "E"] == []
	assert pooler.is_alive() and pooler.serves()


BROKEN = {
	"Query without its end": (message("Q", b"SELECT 1"), ""),
	"Query without text": (message("Q"), ""),
	"Parse": (message("P", b"x"), sync()),
	"Bind": (message("B", b"x"), sync()),
	"Bind with a wrong count": (message("B", b"\0\0" + struct.pack("!HH", 0, 5)), sync()),
	"Describe": (message("D"), sync()),
	"Close": (message("C"), sync()),
	"Execute": (message("E", b"x"), sync()),
	"FunctionCall": (message("F", b"x"), ""),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_body_gets_an_error_and_never_hurts_others(pooler, broken):
	"""PgBouncer passes these on and the server objects; closing the connection with FATAL is as good."""
	data, after = BROKEN[broken]
	with pooler.login() as w:
		w.send(data, after or b"")
		said = w.until("E")
		assert said[-1].code in ("08P01", "26000")
		if said[-1].severity == "ERROR":
			assert types(w.until("Z")) == "Z"
			assert is_free(w)
	assert pooler.is_alive() and pooler.serves()


@pytest.mark.parametrize("kind", ["d", "c", "f"])
def test_copy_message_outside_a_copy_is_ignored(client, kind):
	client.send(message(kind, b"x\0" if kind != "c" else b""), query("SELECT 'goes on'"))
	assert client.until("Z")[1].row == ("goes on",)


def test_sync_and_flush_alone_are_harmless(client):
	client.send(flush(), sync(), flush(), sync())
	assert types(client.until("Z") + client.until("Z")) == "ZZ"
	assert is_free(client)


def test_terminate_ends_the_connection_without_a_word(pooler):
	for state in STATES.values():
		with pooler.login() as w:
			state(w)
			w.send(terminate())
			assert w.ended() == []
	assert pooler.serves()


def test_server_of_a_client_that_left_in_a_transaction_is_not_reused(pooler, cluster):
	with pooler.login() as w:
		pid = w.value("SELECT pg_backend_pid()")
		w.ask(query("BEGIN; CREATE TABLE never_committed (n int)"))
	until(lambda: cluster.backends("pid = %s", pid) == 0 or cluster.backends("state <> 'idle'") == 0, what="its server ends")
	assert cluster.value("SELECT to_regclass('never_committed') IS NULL", database="app")
	for _ in range(5):
		assert pooler.serves()
