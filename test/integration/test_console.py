"""The admin console and the signals. Column lists are those of PgBouncer 1.26.1: exporters depend on every one of them."""

import re
import signal
import subprocess

import pytest

from pooler import PROGRAM, Pooler
from processes import account, environment, identity
from waiting import silence, until
from wire import ServerError, Wire, query, types

CONNECTION = ("type:s user:s database:s replication:s state:s addr:s port:i local_addr:s local_port:i connect_time:s request_time:s wait:i "
	"wait_us:i close_needed:i ptr:s link:s remote_pid:i tls:s application_name:s prepared_statements:i id:i")
SOCKET = CONNECTION + " recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i"

COLUMNS = {
	"VERSION": "version:s",
	"CONFIG": "key:s value:s default:s changeable:s",
	"DATABASES": "name:s host:s port:i database:s force_user:s pool_size:i min_pool_size:i reserve_pool_size:i server_lifetime:i pool_mode:s "
		"load_balance_hosts:s max_connections:i current_connections:i max_client_connections:i current_client_connections:i paused:i disabled:i",
	"POOLS": "database:s user:s cl_active:i cl_waiting:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active:i sv_active_cancel:i "
		"sv_being_canceled:i sv_idle:i sv_used:i sv_tested:i sv_login:i maxwait:i maxwait_us:i pool_mode:s load_balance_hosts:s",
	"PEER_POOLS": "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i",
	"PEERS": "peer_id:i host:s port:i pool_size:i",
	"CLIENTS": CONNECTION,
	"SERVERS": CONNECTION,
	"SOCKETS": SOCKET,
	"ACTIVE_SOCKETS": SOCKET,
	"LISTS": "list:s items:i",
	"USERS": "name:s pool_size:s reserve_pool_size:s pool_mode:s max_user_connections:i current_connections:i max_user_client_connections:i "
		"current_client_connections:i",
	"STATS": "database:s total_server_assignment_count:n total_xact_count:n total_query_count:n total_received:n total_sent:n total_xact_time:n "
		"total_query_time:n total_wait_time:n total_client_parse_count:n total_server_parse_count:n total_bind_count:n total_client_login_count:n "
		"avg_server_assignment_count:n avg_xact_count:n avg_query_count:n avg_recv:n avg_sent:n avg_xact_time:n avg_query_time:n avg_wait_time:n "
		"avg_client_parse_count:n avg_server_parse_count:n avg_bind_count:n avg_client_login_count:n",
	"STATS_TOTALS": "database:s server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n xact_time:n query_time:n "
		"wait_time:n client_parse_count:n server_parse_count:n bind_count:n client_login_count:n",
	"STATS_AVERAGES": "database:s server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n xact_time:n query_time:n "
		"wait_time:n avg_client_parse_count:n avg_server_parse_count:n avg_bind_count:n avg_client_login_count:n",
	"TOTALS": "name:s value:n",
	"STATE": "key:s value:s",
	"MEM": "name:s size:i used:i free:i memtotal:i",
	"DNS_HOSTS": "hostname:s ttl:q addrs:s",
	"DNS_ZONES": "zonename:s serial:q count:i",
	"client_encoding": "client_encoding:s",
	"default_transaction_isolation": "default_transaction_isolation:s",
	"standard_conforming_strings": "standard_conforming_strings:s",
	"datestyle": "datestyle:s",
	"timezone": "timezone:s",
}
OIDS = {"s": (25, -1), "i": (23, 4), "q": (20, 8), "n": (1700, -1)}


@pytest.fixture
def pooler(start_pooler):
	return start_pooler()


@pytest.fixture
def admin(pooler):
	with pooler.login("admin", "pgbouncer") as w:
		yield w


@pytest.fixture(scope="module")
def shared(start_shared):
	return start_shared()


@pytest.fixture
def console(shared):
	with shared.login("admin", "pgbouncer") as w:
		yield w


def done(w, command):
	"""The tag of a command that succeeds."""
	answers = w.ask(query(command))
	assert types(answers).endswith("CZ") and answers[-1].body == b"I", answers
	return answers[-2].tag


def refused(w, command):
	"""The text of a command that fails; the connection survives."""
	answers = w.ask(query(command))
	assert types(answers) == "EZ" and answers[-1].body == b"I", answers
	assert answers[0].severity == "ERROR"
	return answers[0].text


# SHOW

@pytest.mark.parametrize("name", COLUMNS)
def test_show_has_exactly_the_columns_of_pgbouncer(shared, console, name):
	with shared.login() as w:
		w.value("SELECT 1")
		answers = console.ask(query(f"SHOW {name}"))
	expected = [(column[:-2], *OIDS[column[-1]], 0, -1, 0) for column in COLUMNS[name].split()]
	assert answers[0].columns == expected
	assert re.fullmatch("TD*CZ", types(answers)) and answers[-2].tag == "SHOW"
	for m in answers[1:-2]:
		for (column, oid, *_), value in zip(expected, m.row):
			assert value is None or oid == 25 or re.fullmatch("-?[0-9]+", value), (column, value)


def test_show_help_is_a_notice(console):
	answers = console.ask(query("SHOW HELP"))
	assert types(answers) == "NCZ" and answers[1].tag == "SHOW"
	fields = answers[0].fields
	assert (fields["S"], fields["C"], fields["M"]) == ("NOTICE", "00000", "Console usage")
	for word in ("SHOW HELP|CONFIG|DATABASES", "RELOAD", "PAUSE [<db>]", "SHUTDOWN", "WAIT_CLOSE [<db>]"):
		assert word in fields["D"]


def test_show_version_is_one_row(console):
	assert len(console.rows("SHOW VERSION")) == 1
	assert console.value("SHOW VERSION").startswith("PgBouncer 1.26.1")


def test_fixed_settings_of_drivers(console):
	names = ("client_encoding", "default_transaction_isolation", "standard_conforming_strings", "datestyle", "timezone")
	assert [console.value(f"SHOW {name}") for name in names] == ["UTF-8", "read committed", "on", "ISO", "GMT"]


def test_show_lists_has_its_rows_in_order(console):
	assert [row[0] for row in console.rows("SHOW LISTS")] == ["databases", "users", "peers", "pools", "peer_pools", "free_clients",
		"used_clients", "login_clients", "free_servers", "used_servers", "dns_names", "dns_zones", "dns_queries", "dns_pending"]


def test_show_totals_has_its_rows_in_order(console):
	figures = ["server_assignment_count", "xact_count", "query_count", "client_bytes", "server_bytes", "xact_time", "query_time", "wait_time",
		"ps_client_parse_count", "ps_server_parse_count", "ps_bind_count", "client_login_count"]
	assert [row[0] for row in console.rows("SHOW TOTALS")] == [f"{kind}_{figure}" for kind in ("total", "avg") for figure in figures]


def test_show_state_says_active_and_paused(console):
	assert console.rows("SHOW STATE") == [("active", "yes"), ("paused", "no")]
	done(console, "PAUSE second")
	assert console.rows("SHOW STATE") == [("active", "yes"), ("paused", "no")]
	done(console, "RESUME second")
	done(console, "PAUSE")
	assert console.rows("SHOW STATE") == [("active", "no"), ("paused", "yes")]
	done(console, "RESUME")


def test_show_config_lists_every_setting_with_value_and_default(shared, console):
	rows = {row[0]: row[1:] for row in console.rows("SHOW CONFIG")}
	expected = {"listen_port": (str(shared.port), "6432", "no"), "pool_mode": ("transaction", "session", "yes"),
		"max_client_conn": ("1000", "100", "yes"), "max_user_connections": ("0", "0", "yes"), "query_wait_timeout": ("120", "120", "yes"),
		"server_check_query": ("<empty>", "<empty>", "yes"), "unix_socket_mode": ("511", "0777", "no"), "pool_idle_timeout": ("0", "0", "yes"),
		"login_notify_message": ("", "", "yes"), "auth_type": ("trust", "md5", "yes"), "max_prepared_statements": ("0", "200", "yes")}
	assert {name: rows[name] for name in expected} == expected
	# pgweir's own settings may come on top of PgBouncer's 99
	assert len(rows) >= 99


def test_show_pools_has_the_console_and_counts_clients_and_servers(pooler):
	with pooler.login() as one, pooler.login() as two:
		one.ask(query("BEGIN"))
		two.value("SELECT 1")
		row = pooler.pool()
		assert {k: row[k] for k in ("cl_active", "cl_waiting", "sv_active", "sv_idle", "sv_login", "pool_mode", "load_balance_hosts")} == {
			"cl_active": 2, "cl_waiting": 0, "sv_active": 1, "sv_idle": 1, "sv_login": 0, "pool_mode": "transaction", "load_balance_hosts": None}
	assert pooler.pool("pgbouncer", "pgbouncer")["pool_mode"] == "statement"


def test_show_pools_is_ordered_by_database_and_user(pooler):
	for user, database in (("other", "second"), ("app", "second"), ("other", "app"), ("app", "app")):
		pooler.login(user, database).close()
	rows = [(row["database"], row["user"]) for row in pooler.console("SHOW POOLS")]
	assert rows == [("app", "app"), ("app", "other"), ("pgbouncer", "pgbouncer"), ("second", "app"), ("second", "other")]


def test_show_pools_shows_who_waits_and_how_long(start_pooler):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as holder, pooler.login() as waiting:
		holder.ask(query("BEGIN"))
		waiting.send(query("SELECT 1"))
		until(lambda: pooler.pool()["maxwait"] >= 1, what="somebody has waited a second")
		assert pooler.pool()["cl_waiting"] == 1
		states = sorted(row["state"] for row in pooler.console("SHOW CLIENTS") if row["database"] == "app")
		assert states == ["active", "waiting"]


def test_show_clients_and_servers_say_who_is_linked_to_whom(pooler, cluster):
	with pooler.login(application_name="tested") as w:
		w.ask(query("BEGIN"))
		pid, port = int(w.value("SELECT pg_backend_pid()")), w.sock.getsockname()[1]
		client, = (row for row in pooler.console("SHOW CLIENTS") if row["database"] == "app")
		server, = pooler.console("SHOW SERVERS")
	assert (client["link"], server["link"]) == (server["ptr"], client["ptr"])
	assert (client["type"], client["user"], client["state"], client["addr"], client["port"], client["replication"]) == (
		"C", "app", "active", "127.0.0.1", port, "none")
	assert (server["type"], server["state"], server["addr"], server["port"], server["remote_pid"]) == (
		"S", "active", "127.0.0.1", cluster.port, pid)
	assert client["application_name"] == server["application_name"] == "tested"
	assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+", client["connect_time"])
	assert re.fullmatch("0x[0-9a-f]+", client["ptr"])


def test_show_databases_says_how_each_is_configured(start_pooler, cluster):
	pooler = start_pooler(databases={"app": "HERE pool_size=7 min_pool_size=1 reserve_pool_size=2 pool_mode=session max_db_connections=9",
		"alias": "HERE dbname=app user=app"})
	rows = {row["name"]: row for row in pooler.console("SHOW DATABASES")}
	assert set(rows) == {"app", "alias", "pgbouncer"}
	expected = {"host": "127.0.0.1", "port": cluster.port, "database": "app", "force_user": None, "pool_size": 7, "min_pool_size": 1,
		"reserve_pool_size": 2, "pool_mode": "session", "max_connections": 9, "paused": 0, "disabled": 0}
	assert {k: rows["app"][k] for k in expected} == expected
	assert (rows["alias"]["force_user"], rows["alias"]["pool_mode"]) == ("app", None)
	console = {k: rows["pgbouncer"][k] for k in ("host", "port", "database", "force_user", "pool_size", "pool_mode")}
	assert console == {"host": None, "port": pooler.port, "database": "pgbouncer", "force_user": "pgbouncer", "pool_size": 2, "pool_mode": "statement"}


def test_show_users_has_sizes_as_text(start_pooler):
	pooler = start_pooler(users={"app": "pool_size=5 max_user_connections=3 pool_mode=session"})
	rows = {row["name"]: row for row in pooler.console("SHOW USERS")}
	assert rows["app"]["pool_size"].strip() == "5" and rows["other"]["pool_size"] == ""
	assert (rows["app"]["max_user_connections"], rows["app"]["pool_mode"], rows["other"]["pool_mode"]) == (3, "session", None)


def test_show_stats_counts_transactions_queries_and_bytes(pooler):
	with pooler.login() as w:
		for _ in range(3):
			w.ask(query("BEGIN"))
			w.ask(query("SELECT repeat('x', 1000)"))
			w.ask(query("COMMIT"))
	row, = (row for row in pooler.console("SHOW STATS_TOTALS") if row["database"] == "app")
	assert (row["xact_count"], row["query_count"], row["server_assignment_count"], row["client_login_count"]) == (3, 9, 3, 1)
	assert row["bytes_sent"] > 3000 and row["bytes_received"] > 90
	assert row["query_time"] <= row["xact_time"] and row["xact_time"] > 0
	total, = (row for row in pooler.console("SHOW STATS") if row["database"] == "app")
	assert (total["total_xact_count"], total["total_query_count"]) == (3, 9)


# Syntax and errors

@pytest.mark.parametrize("command", ["SHOW VERSION", "show version;", "SELECT version", "Show\tVersion ; ", 'SHOW "version"', "show\nversion"])
def test_forms_of_a_command(console, command):
	assert done(console, command) == "SHOW"


@pytest.mark.parametrize("command", ["foo", "show", "show nothing", "show version;;", "show version; show version", "show version extra",
	"select 1", "begin", "show fds", "suspend", "shutdown nonsense", "-- x\nshow version"])
def test_anything_else_is_an_invalid_command(console, command):
	assert refused(console, command).lower() == f"invalid command '{command}', use show help;"


@pytest.mark.parametrize("command", ["show " + "x" * 70, "x" * 20, "set verbose=" + "1" * 300])
def test_words_that_are_too_long_are_bad_arguments(console, command):
	assert refused(console, command) == "bad arguments"


ERRORS = {
	"resume": "pooler is not paused", "resume app": "database app is not paused",
	"disable": "a database is required", "enable": "a database is required",
	**{f"{verb} nowhere": "no such database: nowhere" for verb in ("pause", "resume", "kill", "disable", "enable", "reconnect", "wait_close")},
	**{f"{verb} pgbouncer": f"cannot {verb} admin db: pgbouncer" for verb in ("pause", "kill", "disable", "enable", "reconnect")},
	"wait_close pgbouncer": "cannot wait in admin db: pgbouncer",
	"kill_client": "invalid client pointer supplied", "kill_client abc": "invalid client pointer supplied", "kill_client 999999": "client not found",
	"set nothing_like_that = 1": "SET failed", "set pool_mode = bogus": "SET failed", "set default_pool_size = 'abc'": "SET failed",
}


@pytest.mark.parametrize("command", ERRORS)
def test_error_of_a_command(console, command):
	assert refused(console, command).startswith(ERRORS[command])


# Who gets in

@pytest.mark.parametrize("command", ["RELOAD", "PAUSE", "RESUME", "KILL app", "KILL_CLIENT 1", "RECONNECT", "DISABLE app", "ENABLE app", "WAIT_CLOSE",
	"SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS", "SET verbose = 1"])
def test_stats_users_may_look_and_nothing_else(shared, command):
	with shared.login("stats", "pgbouncer") as w:
		assert w.rows("SHOW POOLS")
		assert refused(w, command) == "admin access needed"
		answers = w.ask(query("SET client_encoding = 'UTF8'"))
		assert (types(answers), answers[0].text, answers[1].tag) == ("NCZ", "SET ignored", "SET")


def refused_login(pooler, user, password="x", host="127.0.0.1"):
	with Wire(pooler.port, host) as w, pytest.raises(ServerError) as caught:
		w.login(user, "pgbouncer", password)
	return types(w.greeting), caught.value.message.text


@pytest.mark.parametrize("method", ["trust", "scram-sha-256"])
def test_others_are_not_allowed_and_not_asked_for_a_password(start_pooler, method):
	pooler = start_pooler(auth_type=method)
	assert refused_login(pooler, "app", "app") == ("E", "not allowed")


def test_admin_needs_the_right_password(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256")
	assert refused_login(pooler, "admin", "wrong")[1] == "SASL authentication failed"
	assert pooler.console("SHOW VERSION")


def test_everybody_may_look_with_auth_type_any(start_pooler):
	pooler = start_pooler(auth_type="any", databases={"app": "HERE user=app"})
	with pooler.login("somebody", "pgbouncer", "") as w:
		assert w.rows("SHOW POOLS")
		assert refused(w, "RELOAD") == "admin access needed"
	with pooler.login("admin", "pgbouncer", "") as w:
		assert done(w, "RELOAD") == "RELOAD"


def psql_console(pooler, who, user):
	return subprocess.run(["psql", "-X", "-A", "-t", "-w", "-h", pooler.folder, "-p", str(pooler.port), "-U", user, "pgbouncer", "-c", "SHOW VERSION"],
		capture_output=True, text=True, timeout=20, cwd=pooler.folder, env=environment(pooler.folder), **who)


def test_own_account_is_admin_over_the_unix_socket(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256")
	asked = psql_console(pooler, identity(pooler.who), "pgbouncer")
	assert (asked.returncode, asked.stdout[:16]) == (0, "PgBouncer 1.26.1")
	assert "pgbouncer access from unix socket" in pooler.log()


def test_user_pgbouncer_is_nobody_special_over_tcp(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256")
	assert refused_login(pooler, "pgbouncer")[1] in ("not allowed", "SASL authentication failed")


def test_console_greets_with_its_parameters(console):
	expected = {"client_encoding": "UTF8", "server_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "GMT", "standard_conforming_strings": "on",
		"is_superuser": "on"}
	assert {k: console.parameters[k] for k in expected} == expected
	assert console.parameters["server_version"].startswith("1.26.1/bouncer")


@pytest.mark.pgweir
def test_console_answers_to_pgweir_too_unless_that_is_a_database(start_pooler):
	with start_pooler().login("admin", "pgweir") as w:
		assert w.value("SHOW VERSION").startswith("PgBouncer 1.26.1")
	with start_pooler(databases={"pgweir": "HERE dbname=app"}).login("app", "pgweir") as w:
		assert w.value("SELECT current_database()") == "app"


# Commands

def test_set_changes_the_running_process_until_reload(pooler, admin):
	def shown():
		return {row[0]: row[1] for row in admin.rows("SHOW CONFIG")}["query_wait_timeout"]

	for form in ("SET query_wait_timeout = 7", "set query_wait_timeout=7;", "SET query_wait_timeout TO '7'"):
		assert done(admin, form) == "SET query_wait_timeout=7"
		assert shown() == "7"
	assert done(admin, "RELOAD") == "RELOAD"
	assert shown() == "120"


def test_pause_waits_for_transactions_and_resume_lets_go(pooler, admin, cluster):
	with pooler.login() as w, pooler.login() as later:
		w.ask(query("BEGIN"))
		admin.send(query("PAUSE"))
		assert silence(admin.sock, 0.2)
		later.send(query("SELECT 'later'"))
		assert types(w.ask(query("COMMIT"))) == "CZ"
		assert admin.until("Z")[0].tag == "PAUSE"
		until(lambda: cluster.backends() == 0, what="the servers are gone")
		assert silence(later.sock, 0.2)
		assert done(admin, "RESUME") == "RESUME"
		assert later.until("Z")[1].row == ("later",)


def test_pause_of_one_database_leaves_the_others(pooler, admin):
	with pooler.login("app", "app") as paused, pooler.login("app", "second") as other:
		assert done(admin, "PAUSE app") == "PAUSE"
		paused.send(query("SELECT 1"))
		assert other.value("SELECT 1") == "1"
		assert silence(paused.sock, 0.1)
		rows = {row["name"]: row["paused"] for row in pooler.console("SHOW DATABASES")}
		assert (rows["app"], rows["second"]) == (1, 0)
		assert done(admin, "RESUME app") == "RESUME"
		assert types(paused.until("Z")) == "TDCZ"


def test_pause_twice_is_an_error(admin):
	done(admin, "PAUSE")
	assert refused(admin, "PAUSE").startswith("already paused")
	done(admin, "RESUME")


def test_disable_refuses_new_logins_after_authentication(pooler, admin):
	with pooler.login() as before:
		assert done(admin, "DISABLE app") == "DISABLE"
		with pooler.wire() as w, pytest.raises(ServerError) as caught:
			w.login("app")
		assert caught.value.message.text == 'database "app" is disabled'
		assert before.value("SELECT 1") == "1"
	assert done(admin, "ENABLE app") == "ENABLE"
	assert pooler.serves()


def test_kill_drops_clients_and_servers_and_leaves_the_database_paused(pooler, admin, cluster):
	with pooler.login() as w, pooler.login("app", "second") as other:
		w.ask(query("BEGIN"))
		other.ask(query("BEGIN"))
		assert done(admin, "KILL app") == "KILL"
		assert [m.text for m in w.ended() if m.type == "E"] == ["database removed"]
		until(lambda: cluster.backends("datname = 'app'") == 0, what="its servers are gone")
		assert types(other.ask(query("COMMIT"))) == "CZ"
	assert done(admin, "RESUME app") == "RESUME"
	assert pooler.serves()


def test_kill_client_ends_that_client(pooler, admin):
	with pooler.login() as w, pooler.login() as other:
		port = w.sock.getsockname()[1]
		number, = (row["id"] for row in pooler.console("SHOW CLIENTS") if row["port"] == port)
		assert done(admin, f"KILL_CLIENT {number}") == "KILL_CLIENT"
		assert [(m.severity, m.text) for m in w.ended() if m.type == "E"] == [("FATAL", "admin forced disconnect")]
		assert other.value("SELECT 1") == "1"
		assert refused(admin, f"KILL_CLIENT {number}") == "client not found"


def test_reconnect_replaces_servers_and_wait_close_waits_for_the_old_ones(pooler, admin):
	with pooler.login() as idle, pooler.login() as busy:
		busy.ask(query("BEGIN"))
		old = int(busy.value("SELECT pg_backend_pid()"))
		assert done(admin, "RECONNECT") == "RECONNECT"
		assert idle.value(f"SELECT pg_backend_pid() <> {old}") == "t"
		assert [row["close_needed"] for row in pooler.console("SHOW SERVERS") if row["remote_pid"] == old] == [1]
		admin.send(query("WAIT_CLOSE"))
		assert silence(admin.sock, 0.2)
		busy.ask(query("COMMIT"))
		assert admin.until("Z")[0].tag == "WAIT_CLOSE"
		assert old not in [row["remote_pid"] for row in pooler.console("SHOW SERVERS")]


def test_reload_takes_up_new_databases_users_and_settings(pooler, admin):
	pooler.databases["fresh"] = "HERE dbname=app"
	pooler.secrets["newcomer"] = "secret"
	pooler.settings["query_wait_timeout"] = 33
	pooler.write()
	assert done(admin, "RELOAD") == "RELOAD"
	assert {row[0]: row[1] for row in admin.rows("SHOW CONFIG")}["query_wait_timeout"] == "33"
	with pooler.login("app", "fresh") as w:
		assert w.value("SELECT current_database()") == "app"
	assert "newcomer" in [row[0] for row in admin.rows("SHOW USERS")]


def test_who_waits_for_a_server_of_a_killed_database_is_told_so_that_libpq_keeps_it(pooler, admin):
	pooler.console("SET default_pool_size = 1")
	with pooler.login() as holder, pooler.login() as waiting:
		holder.ask(query("BEGIN"))
		waiting.send(query("SELECT 1"))
		pooler.wait_waiting(1)
		assert done(admin, "KILL app") == "KILL"
		told = waiting.ended()
		assert (types(told), told[0].severity, told[0].text, told[1].body) == ("EZ", "FATAL", "database removed", b"I")
		assert types(holder.ended()) == "E"


def test_reload_without_a_database_ends_its_clients(pooler, admin):
	with pooler.login("app", "second") as w, pooler.login() as other:
		w.value("SELECT 1")
		del pooler.databases["second"]
		pooler.write()
		done(admin, "RELOAD")
		assert [m.text for m in w.ended() if m.type == "E"] == ["database removed"]
		assert other.value("SELECT 1") == "1"


def test_broken_reload_is_an_error_and_the_pooler_goes_on(pooler, admin):
	pooler.write(pooler.text() + "nothing_like_that = 1\n")
	answers = admin.ask(query("RELOAD"))
	assert (types(answers), answers[0].code) == ("EZ", "F0000")
	assert answers[0].text.startswith("RELOAD failed, see logs for additional details")
	assert pooler.serves()


BROKEN = ["nothing_like_that = 1", "pool_mode = bogus", "default_pool_size = many", "query_wait_timeout = 5s", "log_stats = yes", "no equals sign",
	"[nonsense]", "= 5", "%include /nowhere/at/all", "[databases]\napp = host=127.0.0.1 nonsense=1", "[databases]\npgbouncer = host=127.0.0.1",
	"[databases]\napp = port=abc", "[users]\napp = nonsense=1", "[peers]\n1 = port=1", "auth_type = nonsense"]


@pytest.mark.pgweir
@pytest.mark.parametrize("line", BROKEN)
def test_broken_reload_changes_nothing_and_names_file_and_line(start_pooler, line):
	pooler = start_pooler()
	before = pooler.console("SHOW CONFIG"), pooler.console("SHOW DATABASES")
	pooler.settings["query_wait_timeout"] = 33
	pooler.databases["fresh"] = "HERE"
	text = pooler.text() + line + "\n"
	pooler.write(text)
	with pytest.raises(Exception, match="RELOAD failed"):
		pooler.console("RELOAD")
	after = pooler.console("SHOW CONFIG"), pooler.console("SHOW DATABASES")
	for row in (*before[1], *after[1]):
		row.pop("current_client_connections")
	assert after == before
	assert f"{pooler.ini}:{text.count(chr(10))}" in pooler.log()
	assert pooler.serves()


@pytest.mark.pgweir
def test_broken_userlist_keeps_the_old_users(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256")
	with open(pooler.userlist, "w") as f:
		f.write('"app" "changed"\nbroken\n')
	with pytest.raises(Exception, match="RELOAD failed"):
		pooler.console("RELOAD")
	assert f"{pooler.userlist}:2" in pooler.log()
	assert pooler.serves()


@pytest.mark.parametrize("line", BROKEN)
def test_broken_configuration_does_not_start(cluster, folder, line):
	pooler = Pooler(cluster, folder)
	try:
		pooler.write(pooler.text() + line + "\n")
		run = subprocess.run([PROGRAM, pooler.ini], capture_output=True, text=True, timeout=20, cwd=pooler.folder, env=environment(pooler.folder),
			**identity(pooler.who))
		assert run.returncode == 1
		assert "cannot load config file" in run.stderr
	finally:
		pooler.discard()


@pytest.mark.parametrize("how, extra", [
	(["--nonsense"], 'Try "'), ([], "no configuration file specified"), (["/nowhere.ini"], "cannot load config file")])
def test_wrong_command_lines_end_with_status_1(folder, how, extra):
	run = subprocess.run([PROGRAM, *how], capture_output=True, text=True, timeout=20, **identity(account("nobody")))
	assert run.returncode == 1 and extra in run.stderr


def test_version_begins_with_pgbouncers():
	run = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=20)
	assert run.returncode == 0 and run.stdout.splitlines()[0] == "PgBouncer 1.26.1"


def test_port_in_use_is_fatal(pooler, cluster, folder):
	pooler.settings["unix_socket_dir"] = ""
	pooler.write()
	run = subprocess.run([PROGRAM, pooler.ini], capture_output=True, text=True, timeout=20, cwd=pooler.folder, env=environment(pooler.folder),
		**identity(pooler.who))
	assert run.returncode == 1
	assert f"cannot listen on 127.0.0.1:{pooler.port}" in run.stderr


# Ends

def ended_well(pooler):
	assert pooler.process.wait(10) == 0
	pooler.stop()
	return True


def test_shutdown_is_immediate_and_says_nothing(pooler, admin):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		admin.send(query("SHUTDOWN"))
		assert [m for m in admin.ended() if m.type != "E"] == []
		w.ended()
	assert ended_well(pooler)


def cannot_connect(pooler):
	try:
		pooler.wire().close()
		return False
	except OSError:
		return True


@pytest.mark.parametrize("how", ["command", "signal"])
def test_wait_for_clients_serves_them_to_their_end(pooler, how):
	with pooler.login() as w:
		if how == "command":
			with pooler.login("admin", "pgbouncer") as admin:
				assert done(admin, "SHUTDOWN WAIT_FOR_CLIENTS") == "SHUTDOWN"
		else:
			pooler.signal(signal.SIGTERM)
			pooler.wait_log("got SIGTERM, shutting down, waiting for all clients disconnect")
		until(lambda: cannot_connect(pooler), what="nobody new is let in")
		assert w.value("SELECT 'served'") == "served"
	assert ended_well(pooler)
	assert "client connections dropped, exiting" in pooler.log()


@pytest.mark.parametrize("how", ["command", "signal"])
def test_wait_for_servers_lets_transactions_end(pooler, how):
	with pooler.login() as w, pooler.login() as other:
		w.ask(query("BEGIN"))
		if how == "command":
			with pooler.login("admin", "pgbouncer") as admin:
				assert done(admin, "SHUTDOWN WAIT_FOR_SERVERS") == "SHUTDOWN"
		else:
			pooler.signal(signal.SIGINT)
			pooler.wait_log("got SIGINT, shutting down, waiting for all servers connections to be released")
		until(lambda: cannot_connect(pooler), what="nobody new is let in")
		other.send(query("SELECT 1"))
		assert [m.text for m in other.ended() if m.type == "E"] in (["server shutting down"], ["pooler is shutting down"], [])
		assert types(w.ask(query("COMMIT"))) == "CZ"
		assert ended_well(pooler)
	assert "server connections dropped, exiting" in pooler.log()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_second_signal_ends_at_once(pooler, name):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		pooler.signal(getattr(signal, name))
		pooler.wait_log(f"got {name}, shutting down")
		pooler.signal(getattr(signal, name))
		assert ended_well(pooler)
	assert f"got {name} while shutting down, fast exit" in pooler.log()


def test_sigquit_ends_at_once(pooler):
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		pooler.signal(signal.SIGQUIT)
		assert ended_well(pooler)
	assert "got SIGQUIT, fast exit" in pooler.log()


def test_unix_socket_serves_the_console_during_a_waiting_shutdown(pooler):
	with pooler.login():
		pooler.signal(signal.SIGTERM)
		pooler.wait_log("got SIGTERM")
		with Wire(pooler.port, pooler.folder).login("admin", "pgbouncer") as w:
			assert w.rows("SHOW POOLS")
			assert refused(w, "RESUME") == "pooler is shutting down"
		with Wire(pooler.port, pooler.folder) as w, pytest.raises(ServerError) as caught:
			w.login("app")
		assert caught.value.message.text == "pooler is shutting down"


def test_sighup_reloads(pooler):
	pooler.settings["query_wait_timeout"] = 33
	pooler.write()
	pooler.signal(signal.SIGHUP)
	pooler.wait_log("got SIGHUP, re-reading config")
	until(lambda: {row["key"]: row["value"] for row in pooler.console("SHOW CONFIG")}["query_wait_timeout"] == "33", what="the setting is in force")


def test_sigusr1_pauses_and_sigusr2_resumes(pooler):
	with pooler.login() as w:
		pooler.signal(signal.SIGUSR1)
		pooler.wait_log("got SIGUSR1, pausing all activity")
		w.send(query("SELECT 'later'"))
		assert silence(w.sock, 0.2)
		pooler.signal(signal.SIGUSR1)
		pooler.wait_log("got SIGUSR1, but already paused")
		pooler.signal(signal.SIGUSR2)
		pooler.wait_log("got SIGUSR2, continuing from PAUSE")
		assert w.until("Z")[1].row == ("later",)
		pooler.signal(signal.SIGUSR2)
		pooler.wait_log("got SIGUSR2, but not paused")


def test_log_says_who_came_and_went(pooler):
	with pooler.login() as w:
		w.value("SELECT 1")
		port = w.sock.getsockname()[1]
	pooler.wait_log(rf"LOG C-0x[0-9a-f]+: app/app@127\.0\.0\.1:{port} login attempt: db=app user=app tls=no replication=no")
	pooler.wait_log(r"LOG S-0x[0-9a-f]+: app/app@127\.0\.0\.1:\d+ new connection to server \(from 127\.0\.0\.1:\d+\)")
	pooler.wait_log(rf"LOG C-0x[0-9a-f]+: app/app@127\.0\.0\.1:{port} closing because: client unexpected eof \(age=\d+s\)")
	pooler.wait_log(r"LOG process up: PgBouncer 1\.26\.1")
	for line in pooler.log().splitlines():
		assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[\d+\] (FATAL|ERROR|WARNING|LOG|DEBUG|NOISE) |\t", line), line


def test_commands_are_logged(pooler, admin):
	done(admin, "PAUSE app")
	done(admin, "RESUME app")
	done(admin, "RECONNECT")
	for text in ("PAUSE 'app' command issued", "RESUME 'app' command issued", "RECONNECT command issued"):
		assert text in pooler.log()


def test_secrets_are_nowhere_in_the_log(start_pooler):
	pooler = start_pooler(auth_type="plain", verbose=2, secrets={"app": "app", "hidden": "s3cr3t-value"})
	with pooler.wire() as w, pytest.raises(ServerError):
		w.login("hidden", "app", "s3cr3t-guess")
	with pooler.wire() as w, pytest.raises(ServerError):
		w.login("hidden", "app", "s3cr3t-value")  # the server does not know this role
	assert "s3cr3t" not in pooler.log()
