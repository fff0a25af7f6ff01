"""
state_guard: statements that leave state behind in sessions that clients share are counted, and warned about, refused, or
keep the server with their client. What leaves nothing behind is never touched.
"""

import asyncio

import asyncpg
import psycopg
import psycopg2
import pytest

from waiting import until
from wire import ServerError, bind, close, describe, execute, flush, parse, query, statement, sync, types

pytestmark = pytest.mark.pgweir

ONE = {"default_pool_size": 1, "threads": 1}

# What is left, by column of SHOW STATE_GUARD: as one simple query and, where that is possible, as one statement.
LEAVES = [
	("set", "SET work_mem = '9MB'"),
	("set", "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
	("set", "SELECT set_config('work_mem', '9MB', false)"),
	("set", "SET search_path = pg_catalog"),
	("listen", "LISTEN something"),
	("prepare", "PREPARE p AS SELECT 1"),
	("temp", "CREATE TEMP TABLE guarded (a int)"),
	("temp", "CREATE TEMPORARY TABLE guarded AS SELECT 1 AS a"),
	("temp", "SELECT 1 AS a INTO TEMP guarded"),
	("temp", "CREATE TEMP VIEW guarded AS SELECT 1 AS a"),
	("temp", "CREATE TABLE pg_temp.guarded (a int)"),
	("cursor", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"),
	("lock", "SELECT pg_advisory_lock(7)"),
	("lock", "SELECT pg_catalog.pg_try_advisory_lock_shared(7)"),
	("load", "LOAD 'plpgsql'"),  # for superusers only
]

LEAVES_NOTHING = [
	"SET TimeZone = 'Asia/Tokyo'",
	"SET application_name = 'x'",
	"SET NAMES 'LATIN1'",
	"SELECT set_config('DateStyle', 'German', false)",
	"SET work_mem = DEFAULT",
	"RESET ALL",
	"DISCARD ALL",
	"UNLISTEN *",
	"SELECT pg_advisory_unlock_all()",
	"SELECT 'SET work_mem = 1; LISTEN x'",
	"/* SET work_mem = 1 */ SELECT 1 -- LISTEN x",
	"BEGIN; SET LOCAL work_mem = '9MB'; SET TRANSACTION READ ONLY; COMMIT",
	"BEGIN; SELECT set_config('work_mem', '9MB', true); COMMIT",
	"BEGIN; SELECT pg_advisory_xact_lock(7); COMMIT",
	"BEGIN; SELECT pg_advisory_lock(7); SELECT pg_advisory_unlock(7); COMMIT",
	"BEGIN; CREATE TEMP TABLE guarded (a int) ON COMMIT DROP; COMMIT",
	"BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT",
	"PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p",
	"NOTIFY something",
]

# Done in a transaction that fails or is rolled back.
UNDONE = [
	"BEGIN; SET work_mem = '9MB'; LISTEN x; CREATE TEMP TABLE guarded (a int); ROLLBACK",
	"SET work_mem = '9MB'; SELECT 1/0",
	"BEGIN; SET work_mem = '9MB'; SELECT 1/0",
	"SET work_mem = 'nonsense'",
	"LOAD 'no such library'",
]

SHOWN = ("set", "listen", "prepare", "temp", "cursor", "lock", "load", "warned", "refused", "pinned")


def counts(pooler, database="app", user="app"):
	"""What is not zero in its row of SHOW STATE_GUARD."""
	for row in pooler.console("SHOW STATE_GUARD"):
		if (row["database"], row["user"]) == (database, user):
			assert tuple(row)[3:] == SHOWN
			return {name: row[name] for name in SHOWN if row[name]}
	return {}


def pid(w):
	return w.value("SELECT pg_backend_pid()")


def is_clean(w):
	"""Nobody has left anything on the server that this client gets."""
	return w.rows("""SELECT current_setting('work_mem'), current_setting('search_path'), current_setting('default_transaction_isolation'),
		(SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
		(SELECT count(*) FROM pg_cursors WHERE is_holdable), (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
		(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())""") == [
		("4MB", '"$user", public', "read committed", "0", "0", "0", "0", "0")]


def of_type(kind, messages):
	return [m for m in messages if m.type == kind]


# Off.


def test_off_is_the_default_and_counts_nothing(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login() as one, pooler.login() as two:
		assert types(one.ask(query("SET work_mem = '9MB'; LISTEN x"))) == "CCZ"
		assert two.value("SHOW work_mem") == "9MB"
	assert counts(pooler) == {}
	assert [row["state_guard"] for row in pooler.console("SHOW STATE_GUARD")] == ["off"]
	assert {row["key"]: row["value"] for row in pooler.console("SHOW CONFIG")}["state_guard"] == "off"


def test_sessions_that_nobody_shares_are_not_guarded(start_pooler):
	pooler = start_pooler(pool_mode="session", state_guard="reject", **ONE)
	with pooler.login() as w:
		assert types(w.ask(query("SET work_mem = '9MB'; LISTEN x"))) == "CCZ"
	assert counts(pooler) == {}


# Warn.


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_warning_comes_once_before_ready_and_says_what_to_do(start_pooler, mode):
	pooler = start_pooler(pool_mode=mode, state_guard="warn", **ONE)
	with pooler.login(application_name="billing") as w:
		said = w.ask(query("SET work_mem = '9MB'"))
		assert types(said) == "CNZ"
		fields = said[1].fields
		assert (fields["S"], fields["C"]) == ("WARNING", "01000")
		assert fields["M"] == "SET leaves state behind in a server connection that is shared"
		assert f"With pool_mode = {mode} the server connection goes to other clients now" in fields["D"]
		assert "SET LOCAL" in fields["H"] and "track_extra_parameters" in fields["H"]
		assert types(w.ask(query("SET work_mem = '8MB'; LISTEN x"))) == "CCZ"
	assert counts(pooler) == {"set": 2, "listen": 1, "warned": 1}
	assert pooler.log().count("state_guard = warn: SET leaves state behind") == 1
	with pooler.login() as another:
		assert types(another.ask(query("LISTEN y"))) == "CNZ"
	assert counts(pooler) == {"set": 2, "listen": 2, "warned": 2}


@pytest.fixture(scope="module")
def warning(start_shared):
	return start_shared(state_guard="warn", track_extra_parameters="statement_timeout", max_prepared_statements=200, **ONE)


def counted(pooler, before):
	now = counts(pooler)
	return {name: now.get(name, 0) - before.get(name, 0) for name in SHOWN if now.get(name, 0) != before.get(name, 0)}


@pytest.mark.parametrize("column, sql", LEAVES[:-1])
@pytest.mark.parametrize("how", ["simple", "extended", "named"])
def test_every_kind_is_counted_and_warned_about(warning, how, column, sql):
	before = counts(warning)
	with warning.login() as w:
		if how == "simple":
			said = w.ask(query(sql))
		elif how == "extended":
			said = w.ask(statement(sql), sync())
		else:
			assert types(w.ask(parse(sql, "s"), describe("S", "s"), sync())) in ("1tnZ", "1tTZ")
			assert counted(warning, before) == {}
			said = w.ask(bind(name="s"), execute(), sync())
		assert [m.severity for m in of_type("N", said)] == ["WARNING"], said
		assert types(said)[-2:] == "NZ"
		w.ask(query("DISCARD ALL"))
	assert counted(warning, before) == {column: 1, "warned": 1}


def test_load_is_counted(start_pooler, cluster):
	cluster.sql("CREATE ROLE loader LOGIN SUPERUSER PASSWORD 'loader'")
	try:
		pooler = start_pooler(state_guard="warn", secrets={"loader": "loader"}, **ONE)
		with pooler.login("loader") as w:
			assert types(w.ask(query("BEGIN; LOAD 'plpgsql'"))) == "CCZ"
			assert types(w.ask(query("ROLLBACK"))) == "CNZ"
		assert counts(pooler, user="loader") == {"load": 1, "warned": 1}
		pooler.stop()
	finally:
		cluster.sql("DROP ROLE loader")


@pytest.mark.parametrize("sql", LEAVES_NOTHING)
def test_what_leaves_nothing_is_not_counted(warning, sql):
	before = counts(warning)
	with warning.login() as w:
		said = w.ask(query(sql))
		assert of_type("N", said) == [] and of_type("E", said) == []
	assert counted(warning, before) == {}


@pytest.mark.parametrize("sql", UNDONE)
def test_what_is_rolled_back_is_not_counted(warning, sql):
	before = counts(warning)
	with warning.login() as w:
		said = w.ask(query(sql))
		assert of_type("N", said) == []
		if said[-1].body == b"E":
			assert of_type("N", w.ask(query("ROLLBACK"))) == []
	assert counted(warning, before) == {}


def test_transactions_decide(warning):
	before = counts(warning)
	with warning.login() as w:
		for sql, status in [("BEGIN", "T"), ("SET work_mem = '9MB'", "T"), ("SAVEPOINT s", "T"), ("SELECT 1/0", "E"), ("ROLLBACK TO s", "T")]:
			said = w.ask(query(sql))
			assert said[-1].body == status.encode() and of_type("N", said) == []
		assert counted(warning, before) == {}
		assert types(w.ask(query("COMMIT"))) == "CNZ"
		assert counted(warning, before) == {"set": 1, "warned": 1}
		w.ask(query("BEGIN; SET work_mem = '8MB'"))
		w.ask(query("ROLLBACK"))
		# these outlive the transaction
		w.ask(query("BEGIN; SELECT pg_advisory_lock(7); PREPARE p AS SELECT 1"))
		w.ask(query("ROLLBACK"))
		assert counted(warning, before) == {"set": 1, "lock": 1, "prepare": 1, "warned": 1}
		w.ask(query("DISCARD ALL"))


@pytest.mark.parametrize("known", [True, False], ids=["known", "forgotten"])
def test_deallocating_a_name_of_the_protocol_ends_no_prepare_of_sql(warning, known):
	before = counts(warning)
	with warning.login() as w, warning.login() as other:
		assert types(w.ask(parse("SELECT 'ours'", "s"), sync())) == "1Z"
		if not known:
			other.ask(query("DISCARD ALL"))  # now the server lacks it: pgweir makes one of that name first
		for sql in ("BEGIN", "PREPARE p AS SELECT 1", "DEALLOCATE s"):
			assert types(w.ask(query(sql))) == "CZ"
		assert types(w.ask(query("COMMIT"))) == "CNZ"
		w.ask(query("DISCARD ALL"))
	assert counted(warning, before) == {"prepare": 1, "warned": 1}


def test_followed_parameters_leave_nothing_on_the_server(warning):
	before = counts(warning)
	with warning.login() as one, warning.login() as two:
		for sql in ("SET statement_timeout = '7s'", "SELECT set_config('statement_timeout', '8s', false)", "SET TimeZone = 'Asia/Tokyo'"):
			assert types(one.ask(query(sql)))[-2:] != "NZ"
			assert two.value("SHOW statement_timeout") == "0"
			assert two.value("SHOW TimeZone") != "Asia/Tokyo"
		assert one.value("SHOW TimeZone") == "Asia/Tokyo"
		assert pid(one) == pid(two)
	assert counted(warning, before) == {}


def test_pipeline_counts_each_of_its_statements(warning):
	before = counts(warning)
	with warning.login() as w:
		w.send(*(statement(f"SELECT pg_advisory_lock({n})") + sync() for n in range(5)), query("SELECT 1"))
		said = [m for _ in range(6) for m in w.until("Z")]
		assert len(of_type("N", said)) == 1
		assert of_type("D", said)[-1].row == ("1",)
		w.ask(query("DISCARD ALL"))
	assert counted(warning, before) == {"lock": 5, "warned": 1}


# Reject.


@pytest.fixture(scope="module")
def rejecting(start_shared):
	return start_shared(state_guard="reject", track_extra_parameters="statement_timeout", max_prepared_statements=200, **ONE)


def is_refusal(m):
	assert (m.severity, m.code) == ("ERROR", "0A000"), m.fields
	assert m.text.endswith(" is refused because it would leave state behind in a server connection that is shared")
	assert "Nothing of the query was run (state_guard = reject)." in m.fields["D"]
	assert m.fields["H"].endswith(".")
	return True


@pytest.mark.parametrize("column, sql", LEAVES)
def test_every_kind_is_refused_and_the_server_stays_clean(rejecting, column, sql):
	before = counts(rejecting)
	with rejecting.login() as w, rejecting.login() as other:
		server = pid(other)
		said = w.ask(query(sql))
		assert types(said) == "EZ" and is_refusal(said[0]) and said[1].body == b"I"
		said = w.ask(statement(sql), sync())
		assert types(said) == "EZ" and is_refusal(said[0]) and said[1].body == b"I"
		for _ in range(2):
			said = w.ask(parse(sql, "s"), bind(name="s"), execute(), sync())
			assert types(said) == "EZ" and is_refusal(said[0])
		said = w.ask(bind(name="s"), execute(), sync())
		assert types(said) == "EZ" and said[0].code == "26000"
		assert is_clean(other) and is_clean(w)
		assert pid(other) == server
	assert counted(rejecting, before) == {"refused": 4}


@pytest.mark.parametrize("sql", LEAVES_NOTHING)
def test_what_leaves_nothing_is_not_refused(rejecting, sql):
	if "pg_advisory_unlock(" in sql or "DEALLOCATE" in sql:
		sql = sql.replace("SELECT pg_advisory_lock(7)", "SELECT 1").replace("PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p", "DEALLOCATE ALL")
	with rejecting.login() as w:
		assert [m.text for m in of_type("E", w.ask(query(sql)))] == []


def test_nothing_of_a_query_is_half_applied(rejecting):
	with rejecting.login() as w:
		w.ask(query("CREATE TABLE IF NOT EXISTS guard_half (a int); TRUNCATE guard_half"))
		said = w.ask(query("INSERT INTO guard_half VALUES (1); COMMIT; INSERT INTO guard_half VALUES (2); SET work_mem = '9MB'"))
		assert types(said) == "EZ" and is_refusal(said[0])
		assert w.value("SELECT count(*) FROM guard_half") == "0"
		w.ask(query("DROP TABLE guard_half"))
		assert is_clean(w)


def test_transaction_fails_with_the_refused_statement(rejecting):
	with rejecting.login() as w:
		assert w.ask(query("BEGIN"))[-1].body == b"T"
		said = w.ask(query("LISTEN x"))
		assert is_refusal(said[0]) and said[-1].body == b"E"
		said = w.ask(query("SELECT 1"))
		assert said[0].code == "25P02" and said[-1].body == b"E"
		# refused there, too
		assert is_refusal(w.ask(query("LISTEN x"))[0])
		assert w.ask(query("ROLLBACK"))[-1].body == b"I"
		assert w.value("SELECT 1") == "1"


def test_pipeline_goes_on_behind_the_next_sync(rejecting):
	with rejecting.login() as w:
		w.send(statement("SELECT 1"), statement("LISTEN x"), statement("SELECT 2"), sync(), statement("SELECT 3"), sync())
		said = w.until("Z")
		assert types(said) == "12TDCEZ" and is_refusal(said[5])
		said = w.until("Z")
		assert of_type("D", said)[0].row == ("3",)
		# an error before it is the one that is told
		said = w.ask(statement("SELECT 1/0"), statement("LISTEN x"), sync())
		assert [m.code for m in of_type("E", said)] == ["22012"]
		# and so is one that comes by Flush
		w.send(parse("LISTEN x"), flush())
		assert is_refusal(w.until("E")[-1])
		w.send(parse("SELECT 1"), sync())
		assert types(w.until("Z")) == "Z"


@pytest.mark.parametrize("sql", ["SET work_mem = '9MB'", "SELECT 1; LISTEN x; SELECT 2"])
def test_refused_at_every_split(rejecting, sql):
	whole = query(sql)
	with rejecting.login() as w:
		for cut in range(1, len(whole)):
			w.send(whole[:cut])
			w.send(whole[cut:])
			said = w.until("Z")
			assert types(said) == "EZ" and is_refusal(said[0])
		assert is_clean(w)


@pytest.mark.parametrize("tail", ["; SET work_mem = '9MB'", "; SET work_mem = '9MB' -- at last", "; LISTEN x; SELECT 1", "; CREATE TEMP TABLE guarded (a int)"])
@pytest.mark.parametrize("size", [40_000, 300_000])
def test_large_query_is_refused_as_a_whole(rejecting, size, tail):
	"""Its front has gone to the server before the statement that counts is seen."""
	sql = f"SELECT length('{'it is; long' * (size // 11)}')"
	with rejecting.login() as w:
		assert types(w.ask(query(sql))) == "TDCZ"
		said = w.ask(query(sql + tail))
		assert types(said) == "EZ" and is_refusal(said[0])
		for name in ("", "large"):
			said = w.ask(parse(sql + tail, name), sync())
			assert types(said) == "EZ" and is_refusal(said[0])
		assert is_clean(w)


def test_refusals_are_told_to_the_log_once_and_in_show_errors(start_pooler):
	pooler = start_pooler(state_guard="reject", **ONE)
	with pooler.login() as w:
		for _ in range(3):
			assert is_refusal(w.ask(query("LISTEN x"))[0])
	assert pooler.log().count("state_guard = reject: LISTEN is refused") == 1
	rows = [row for row in pooler.console("SHOW ERRORS") if row["class"] == "state_guard"]
	assert rows and rows[0]["text"].startswith("LISTEN is refused") and "pool_mode = session" in rows[0]["hint"]


# Pin.


def test_pinned_server_stays_with_its_client_and_is_reset_behind_it(start_pooler):
	pooler = start_pooler(state_guard="pin", default_pool_size=2, threads=1)
	with pooler.login() as one, pooler.login() as other:
		server = pid(one)
		assert types(one.ask(query("SET work_mem = '9MB'"))) == "CZ"
		assert types(one.ask(query("CREATE TEMP TABLE guarded (a int)"))) == "CZ"
		assert counts(pooler) == {"set": 1, "temp": 1, "pinned": 1}
		for _ in range(3):
			assert pid(other) != server and is_clean(other)
			assert pid(one) == server and one.value("SHOW work_mem") == "9MB"
		assert one.value("SELECT count(*) FROM guarded") == "0"
		assert pooler.pool()["sv_active"] == 1
		assert pooler.log().count("state_guard = pin: SET keeps its server connection") == 1
	until(lambda: counts(pooler) == {"set": 1, "temp": 1}, what="the pin is gone")
	with pooler.login() as a, pooler.login() as b:
		a.ask(query("BEGIN"))
		assert server in (pid(a), pid(b)) and is_clean(a) and is_clean(b)


def test_notifications_reach_the_pinned_client(start_pooler):
	pooler = start_pooler(state_guard="pin", default_pool_size=2)
	with pooler.login() as one, pooler.login() as other:
		one.ask(query("LISTEN something"))
		other.ask(query("NOTIFY something, 'news'"))
		assert b"news" in one.until("A")[-1].body


def test_who_waits_for_a_pinned_server_reads_why(start_pooler):
	pooler = start_pooler(state_guard="pin", query_wait_notify=1, **ONE)
	with pooler.login(application_name="billing") as holder, pooler.login() as w:
		holder.ask(query("LISTEN x"))
		w.send(query("SELECT 'served'"))
		said = w.read().fields
		assert '(application "billing", idle, kept by state_guard = pin)' in said["D"]
		assert "keeps its server until it disconnects (state_guard = pin)" in said["H"]
		assert pooler.console("SHOW WAITS")[0]["holder_state"] == "idle, kept by state_guard = pin"
		holder.close()
		assert w.until("Z")[1].row == ("served",)


def test_pinned_in_statement_mode(start_pooler):
	pooler = start_pooler(state_guard="pin", pool_mode="statement", default_pool_size=2)
	with pooler.login() as one, pooler.login() as other:
		one.ask(query("SET work_mem = '9MB'"))
		assert pid(one) != pid(other)
		assert one.value("SHOW work_mem") == "9MB"


# Where it is set.


def test_user_before_database_before_setting_and_a_reload_changes_it(start_pooler):
	pooler = start_pooler(state_guard="reject", databases={"app": "HERE", "second": "HERE state_guard=off"}, users={"other": "state_guard=warn"}, **ONE)
	with pooler.login() as w, pooler.login(database="second") as second, pooler.login("other", "second") as user:
		assert types(w.ask(query("LISTEN x"))) == "EZ"
		assert types(second.ask(query("LISTEN x"))) == "CZ"
		assert types(user.ask(query("LISTEN x"))) == "CNZ"
		pooler.console("SET state_guard = 'off'")
		until(lambda: types(w.ask(query("LISTEN x"))) == "CZ", what="it is off")
	assert {(row["database"], row["user"]): row["state_guard"] for row in pooler.console("SHOW STATE_GUARD")} == {
		("app", "app"): "off", ("second", "app"): "off", ("second", "other"): "warn"}


def test_nonsense_is_refused(start_pooler):
	pooler = start_pooler(**ONE)
	with pytest.raises(psycopg2.Error, match="state_guard"):
		pooler.console("SET state_guard = 'maybe'")


# What is known of a server's parameters after a client's own SET, RESET and DISCARD ALL, guard or not.


@pytest.mark.parametrize("guard", ["off", "warn"])
@pytest.mark.parametrize("own", ["SET work_mem = '20MB'", "RESET work_mem", "RESET ALL", "DISCARD ALL", "BEGIN; SET work_mem = '20MB'; COMMIT"])
def test_wishes_hold_whatever_a_client_sets_itself(start_pooler, guard, own):
	pooler = start_pooler(track_extra_parameters="work_mem", state_guard=guard, **ONE)
	with pooler.login(work_mem="9MB") as one, pooler.login(work_mem="9MB") as same, pooler.login() as none:
		assert one.value("SHOW work_mem") == "9MB"
		one.ask(query(own))
		assert same.value("SHOW work_mem") == "9MB"
		one.ask(query(own))
		assert none.value("SHOW work_mem") == "4MB"
		assert one.value("SHOW work_mem") == "9MB"
		# the parameter that is reported comes with it
		one.ask(query(own + "; SET TimeZone = 'Asia/Tokyo'" if ";" in own else own))
		assert same.value("SHOW work_mem") == "9MB" and one.value("SHOW work_mem") == "9MB"
		assert pid(one) == pid(none)


# Drivers.


@pytest.mark.parametrize("prepare", [None, 0], ids=["unprepared", "prepared"])
def test_psycopg_sees_the_warning_and_the_refusal(start_pooler, prepare):
	pooler = start_pooler(state_guard="warn", databases={"app": "HERE", "second": "HERE state_guard=reject"}, max_prepared_statements=100)
	with psycopg.connect(pooler.dsn(), prepare_threshold=prepare) as conn:
		told = []
		conn.add_notice_handler(lambda d: told.append((d.severity, d.message_hint)))
		conn.execute("SET work_mem = '9MB'")
		conn.execute("SELECT pg_advisory_lock(%s)", (7,))
		assert told == []
		conn.commit()
		conn.execute("LISTEN x")
		conn.commit()
		assert [severity for severity, _ in told] == ["WARNING"] and "SET LOCAL" in told[0][1]
	with psycopg.connect(pooler.dsn("second"), prepare_threshold=prepare) as conn:
		for _ in range(2):
			conn.execute("SELECT 1")
			with pytest.raises(psycopg.errors.FeatureNotSupported, match="a session advisory lock is refused") as e:
				conn.execute("SELECT pg_advisory_lock(%s)", (7,))
			assert "pg_advisory_xact_lock" in e.value.diag.message_hint
			assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
			conn.rollback()
			with conn.transaction():
				assert conn.execute("SELECT pg_advisory_xact_lock(%s)", (7,)).fetchone() is not None
	assert counts(pooler, "second") == {"refused": 2}


def test_asyncpg_in_each_mode(start_pooler):
	pooler = start_pooler(databases={"app": "HERE state_guard=reject", "second": "HERE state_guard=pin"}, max_prepared_statements=100, default_pool_size=3)

	async def main():
		where = {"host": "127.0.0.1", "port": pooler.port, "user": "app", "password": "app"}
		conn = await asyncpg.connect(database="app", **where)
		for _ in range(3):
			with pytest.raises(asyncpg.FeatureNotSupportedError):
				await conn.fetchval("SELECT pg_advisory_lock($1)", 7)
			with pytest.raises(asyncpg.FeatureNotSupportedError):
				await conn.execute("SET work_mem = '9MB'")
			assert await conn.fetchval("SELECT $1::int", 7) == 7
			async with conn.transaction():
				await conn.execute("SET LOCAL work_mem = '9MB'")
				assert await conn.fetchval("SELECT current_setting('work_mem')") == "9MB"
		# what a pool of connections does when one comes back
		await conn.reset()
		await conn.close()
		conn, other = [await asyncpg.connect(database="second", **where) for _ in range(2)]
		heard = asyncio.get_running_loop().create_future()
		await conn.add_listener("news", lambda *found: heard.done() or heard.set_result(found[3]))
		await other.execute("NOTIFY news, 'it works'")
		assert await asyncio.wait_for(heard, 20) == "it works"
		await conn.close()
		await other.close()

	asyncio.run(main())
