"""Start-up packets and session parameters: what is followed, ignored, refused, and what of it the server runs with."""

import asyncio
import os
import socket
import struct

import asyncpg
import psycopg2
import pytest

from wire import PROTOCOL_3_0, Wire, query, startup, startup_raw, statement, sync, types

LARGEST = 65535
ONE = {"default_pool_size": 1, "threads": 1}


@pytest.fixture(scope="module")
def pooler(start_shared):
	"""One server per pool, so that every client gets the one that another client has just left."""
	return start_shared(**ONE, auth_type="trust")


def told(pooler, data):
	"""The one error that such a first packet gets."""
	with pooler.wire() as w:
		w.send(data)
		said = w.ended()
	assert types(said).lstrip("v") == "E", said
	assert (said[-1].severity, said[-1].code) == ("FATAL", "08P01")
	return said[-1].fields


def packet(*pairs, size=None):
	"""A start-up packet of exactly that size, filled with a name for the application."""
	body = struct.pack("!I", PROTOCOL_3_0) + b"user\0app\0" + b"".join(name + b"\0" + value + b"\0" for name, value in pairs)
	if size:
		body += b"application_name\0" + b"x" * (size - 4 - len(body) - 19) + b"\0"
	return startup_raw(body + b"\0")


def pid(w):
	return w.value("SELECT pg_backend_pid()")


# Large packets.


def test_largest_packet_is_accepted_and_one_byte_more_is_not(pooler):
	data = packet((b"TimeZone", b"Asia/Tokyo"), size=LARGEST)
	assert len(data) == LARGEST
	with pooler.wire() as w:
		w.send(data)
		w.finish_login("app", "app")
		assert w.value("SHOW application_name") == "x" * 63
		assert w.value("SHOW TimeZone") == "Asia/Tokyo"
	assert told(pooler, packet(size=LARGEST + 1))["M"].startswith("bad packet header: '0001000000030000'")


def test_large_packet_comes_in_many_pieces_while_others_are_served(pooler):
	data = packet((b"TimeZone", b"Asia/Tokyo"), size=LARGEST)
	with pooler.login() as other, pooler.wire() as w:
		for at in range(0, len(data), 1500):
			w.send(data[at:at + 1500])
			assert other.value("SELECT 1") == "1"
		w.finish_login("app", "app")
		assert w.value("SHOW TimeZone") == "Asia/Tokyo"


MANY = {
	"10,000 parameters that nobody knows": (packet(*((b"p%d" % (n % 1000), b"") for n in range(10000))), "unsupported startup parameter: p0"),
	"a name of 65,000 bytes": (packet((b"n" * 65000, b"x")), "unsupported startup parameter: nnnn"),
	"a value of 65,000 bytes": (packet((b"TimeZone", b"x" * 65000)), "startup parameter is too long: TimeZone"),
	"options of 65,000 bytes": (packet((b"options", b"-c TimeZone=" + b"x" * 65000)), "startup parameter is too long: TimeZone"),
	"options of 30,000 words": (packet((b"options", b"x " * 30000)), "unsupported options startup parameter: only '-c config=val'"),
	"a user of 65,000 bytes": (startup(user="u" * 65000), "username too long"),
	"a database of 65,000 bytes": (startup(user="app", database="d" * 65000), "no such database: ddd"),
}


@pytest.mark.parametrize("kind", MANY)
def test_large_names_and_values_get_their_error(pooler, kind):
	data, text = MANY[kind]
	assert told(pooler, data)["M"].startswith(text)
	assert pooler.serves()


@pytest.mark.parametrize("pair", [(b"x", b""), (b"TimeZone", b"UTC"), (b"_pq_.x", b"")], ids=["ignored", "followed", "of the protocol"])
def test_thousands_of_harmless_parameters_are_accepted(start_pooler, pair):
	pooler = start_pooler(ignore_startup_parameters="x")
	count = 60000 // (len(pair[0]) + len(pair[1]) + 2)
	with pooler.wire() as w:
		w.send(packet(*[pair] * count))
		if pair[0].startswith(b"_pq_."):
			m = w.read()
			assert m.type == "v" and m.body == struct.pack("!II", PROTOCOL_3_0, count) + (pair[0] + b"\0") * count
		w.finish_login("app", "app")
		assert w.value("SELECT 1") == "1"


# What is refused, and what helps.


def test_refusal_names_the_lines_that_help_and_they_do(start_pooler):
	pooler = start_pooler(ignore_startup_parameters="foo", track_extra_parameters="bar.baz", **ONE)
	fields = told(pooler, startup(user="app", work_mem="9MB"))
	assert fields["M"] == "unsupported startup parameter: work_mem"
	assert '"ignore_startup_parameters = foo, work_mem"' in fields["H"]
	assert '"track_extra_parameters = bar.baz, work_mem"' in fields["H"]
	assert told(pooler, startup(user="app", options="-c work_mem=9MB"))["M"] == "unsupported startup parameter in options: work_mem"
	ignoring = start_pooler(ignore_startup_parameters="foo, work_mem", **ONE)
	with ignoring.login(work_mem="9MB") as w:
		assert w.value("SHOW work_mem") == "4MB"
	tracking = start_pooler(track_extra_parameters="bar.baz, work_mem", **ONE)
	with tracking.login(work_mem="9MB") as w:
		assert w.value("SHOW work_mem") == "9MB"


def test_value_that_the_server_refuses_is_told_in_its_words_and_the_server_stays(pooler):
	with pooler.login() as good:
		server = pid(good)
		with pooler.login(TimeZone="klingon", application_name="x") as w:
			w.send(query("SELECT 1"))
			said = w.ended()
			assert types(said) == "E"
			assert (said[0].severity, said[0].code, said[0].text) == ("FATAL", "08P01", "invalid server parameter")
			assert said[0].fields["D"] == 'invalid value for parameter "TimeZone": "klingon"'
		assert pid(good) == server
		assert good.value("SHOW application_name") == ""


# Parameters that the server does not report.


@pytest.mark.parametrize("ask", [{"search_path": "pg_catalog"}, {"options": "-c search_path=pg_catalog"},
	{"options": "--search-path=pg_catalog"}, {"options": "-csearch_path=pg_\\catalog"}], ids=str)
def test_search_path_is_the_clients_own_on_servers_that_do_not_report_it(pooler, ask):
	with pooler.login(**ask) as one, pooler.login() as two:
		for _ in range(3):
			assert one.value("SHOW search_path") == "pg_catalog"
			assert two.value("SHOW search_path") == '"$user", public'
		assert pid(one) == pid(two)


def test_extra_parameters_are_the_clients_own(start_pooler):
	pooler = start_pooler(track_extra_parameters="Work_Mem, app.tenant, statement_timeout", **ONE)
	with pooler.login(work_mem="9MB") as one, pooler.login(WORK_MEM="10MB", options="-c app.tenant=it\\'s\\ 7") as two, \
			pooler.login() as three:
		for _ in range(3):
			assert one.value("SHOW work_mem") == "9MB"
			assert (two.value("SHOW work_mem"), two.value("SHOW app.tenant")) == ("10MB", "it's 7")
			assert three.rows("SELECT current_setting('work_mem'), nullif(current_setting('app.tenant', true), '')") == [("4MB", None)]
		assert pid(one) == pid(two) == pid(three)


def test_extra_parameters_are_set_anew_after_the_reset_query(start_pooler):
	pooler = start_pooler(track_extra_parameters="work_mem", pool_mode="session", **ONE)
	servers = set()
	for ask, has in [("9MB", "9MB"), ("9MB", "9MB"), (None, "4MB"), ("9MB", "9MB"), (None, "4MB"), (None, "4MB")]:
		with pooler.login(**({"work_mem": ask} if ask else {})) as w:
			assert w.value("SHOW work_mem") == has
			servers.add(pid(w))
	assert len(servers) == 1


def test_extra_parameters_are_set_anew_where_the_reset_query_resets_nothing(start_pooler):
	pooler = start_pooler(track_extra_parameters="work_mem", pool_mode="session", server_reset_query="SELECT 1", **ONE)
	for ask, has in [("9MB", "9MB"), (None, "4MB"), ("9MB", "9MB"), (None, "4MB")]:
		with pooler.login(**({"work_mem": ask} if ask else {})) as w:
			assert w.value("SHOW work_mem") == has


def test_name_that_no_server_knows_concerns_only_the_client_that_asks_for_it(start_pooler):
	pooler = start_pooler(track_extra_parameters="no_such_parameter", **ONE)
	with pooler.login() as good:
		with pooler.login(no_such_parameter="1") as w:
			w.send(query("SELECT 1"))
			said = w.ended()
			assert said[-1].text == "invalid server parameter"
			assert 'unrecognized configuration parameter "no_such_parameter"' in said[-1].fields["D"]
		assert good.value("SELECT 1") == "1"


# Parameters that the server reports.


def test_every_reported_parameter_follows_its_client_in_one_batch(pooler, cluster):
	ask = {"IntervalStyle": "iso_8601", "default_transaction_read_only": "on", "DateStyle": "German, DMY", "TimeZone": "Asia/Tokyo",
		"client_encoding": "LATIN1", "standard_conforming_strings": "off", "application_name": "it's \\ \"one\" $$"}
	other = {"IntervalStyle": "postgres", "default_transaction_read_only": "off", "application_name": "two"}
	with pooler.login(**ask) as one, pooler.login(**other) as two:
		assert {name: one.parameters[name] for name in ask} == ask
		for _ in range(2):
			assert {name: one.value(f"SHOW {name}") for name in ask} == ask
			assert {name: two.value(f"SHOW {name}") for name in other} == other
			found = one.ask(statement("SHOW TimeZone"), sync())
			assert types(found) == "12TDCZ" and found[3].row == ("Asia/Tokyo",)


def test_value_is_reported_when_set_reset_local_or_rolled_back(pooler):
	with pooler.login(TimeZone="UTC") as one, pooler.login(TimeZone="Asia/Tokyo") as two:
		def reported(sql):
			found = [m.body for m in one.ask(query(sql)) if m.type == "S"]
			assert two.value("SHOW TimeZone") == "Asia/Tokyo"
			return found

		assert reported("SET TimeZone = 'CET'") == [b"TimeZone\0CET\0"]
		assert one.value("SHOW TimeZone") == "CET"
		assert reported("BEGIN; SET LOCAL TimeZone = 'EST'; COMMIT")[-1:] in ([], [b"TimeZone\0CET\0"])
		assert one.value("SHOW TimeZone") == "CET"
		one.ask(query("BEGIN"))
		assert [m.body for m in one.ask(query("SET TimeZone = 'EST'")) if m.type == "S"] == [b"TimeZone\0EST\0"]
		assert reported("ROLLBACK") == [b"TimeZone\0CET\0"]
		assert one.value("SHOW TimeZone") == "CET"
		one.ask(query("RESET TimeZone"))
		default = one.value("SHOW TimeZone")
		assert default != "CET" and two.value("SHOW TimeZone") == "Asia/Tokyo"
		assert one.value("SHOW TimeZone") == default


def test_values_with_quotes_and_backslashes_come_through_either_kind_of_strings(pooler):
	with pooler.login() as other:
		for value in ("it's", "back\\slash", "\\'; SELECT pg_terminate_backend(pg_backend_pid()); --", "\\\\", "'", "$$", ""):
			for strings in ("on", "off"):
				with pooler.login(application_name=value, standard_conforming_strings="on") as w:
					other.ask(query(f"SET standard_conforming_strings = {strings}; SET application_name = 'other'"))
					assert w.value("SHOW application_name") == value
					assert w.value("SHOW standard_conforming_strings") == "on"


def test_keys_of_the_database_are_defaults_and_the_client_has_the_last_word(start_pooler):
	pooler = start_pooler(databases={"app": "HERE client_encoding=LATIN1 datestyle='German, DMY' timezone=CET application_name=line"}, **ONE)
	line = {"client_encoding": "LATIN1", "DateStyle": "German, DMY", "TimeZone": "CET", "application_name": "line"}
	mine = {"client_encoding": "UTF8", "DateStyle": "ISO, YMD", "TimeZone": "UTC", "application_name": "mine"}
	with pooler.login() as one, pooler.login(**mine) as two:
		for _ in range(2):
			for w, has in ((one, line), (two, mine)):
				assert {name: w.value(f"SHOW {name}") for name in has} == has
				assert {name: w.parameters[name] for name in has} == has


def test_name_with_host_is_the_logins_only(start_pooler):
	pooler = start_pooler(application_name_add_host=1, **ONE)
	with pooler.login() as w, pooler.login(application_name="psql") as other:
		assert w.value("SHOW application_name") == f"app - 127.0.0.1:{w.sock.getsockname()[1]}"
		assert [m.body for m in w.ask(query("SET application_name = 'later'")) if m.type == "S"] == [b"application_name\0later\0"]
		assert other.value("SHOW application_name") == f"psql - 127.0.0.1:{other.sock.getsockname()[1]}"
		assert w.value("SHOW application_name") == "later"


def test_name_with_host_over_a_unix_socket(start_pooler):
	pooler = start_pooler(application_name_add_host=1, **ONE)
	with Wire(pooler.port, host=pooler.folder).login("app", application_name="ä" * 100) as w:
		assert w.parameters["application_name"] == f"{'ä' * 64} - unix({os.getpid()}@{socket.gethostname()}):{pooler.port}"
		assert w.value("SELECT 1") == "1"
	with Wire(pooler.port, host=pooler.folder).login("app") as w:
		assert w.value("SHOW application_name") == f"app - unix({os.getpid()}@{socket.gethostname()}):{pooler.port}"[:63]


# Drivers.


def test_psycopg2_with_options(pooler):
	conn = pooler.connect(options="-c search_path=pg_catalog,public -c timezone=Asia/Tokyo -c extra_float_digits=3")
	with conn.cursor() as cursor:
		cursor.execute("SELECT current_setting('search_path'), current_setting('TimeZone'), 0.1::float8 + 0.2::float8")
		assert cursor.fetchone() == ("pg_catalog,public", "Asia/Tokyo", 0.1 + 0.2)
	conn.close()
	with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter in options: statement_timeout"):
		pooler.connect(options="-c statement_timeout=1000")


def test_asyncpg_with_server_settings(pooler):
	async def main():
		conn = await asyncpg.connect(host="127.0.0.1", port=pooler.port, user="app", password="app", database="app", statement_cache_size=0,
			server_settings={"extra_float_digits": "3", "search_path": "pg_catalog", "application_name": "asyncpg's", "TimeZone": "Asia/Tokyo"})
		try:
			return await conn.fetchrow("SELECT current_setting('search_path'), current_setting('application_name'), current_setting('TimeZone')")
		finally:
			await conn.close()

	assert tuple(asyncio.run(main())) == ("pg_catalog", "asyncpg's", "Asia/Tokyo")
