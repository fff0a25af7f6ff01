"""Who shares which server connection, when, and how many there are."""

import threading

import pytest

from waiting import Stopwatch, silence, until
from wire import ServerError, message, parse, query, statement, sync, types

ONE = {"default_pool_size": 1}


def pid(client):
	return client.value("SELECT pg_backend_pid()")


def last_error(messages):
	errors = [m for m in messages if m.type == "E"]
	assert errors, messages
	return errors[-1].severity, errors[-1].code, errors[-1].text


def busy(pooler, cluster, clients, most_expected, where="usename = 'app'", seconds=0.3):
	"""Lets all clients run a query at once; returns the largest number of servers seen meanwhile."""
	most = 0
	watcher = cluster.connect()
	for w in clients:
		w.send(query(f"SELECT pg_sleep({seconds})"))
	waiting = list(clients)
	try:
		with watcher.cursor() as cursor:
			while waiting:
				cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE " + where)
				most = max(most, cursor.fetchone()[0])
				waiting = [w for w in waiting if silence(w.sock, 0)]
	finally:
		watcher.close()
	for w in clients:
		assert types(w.until("Z")) == "TDCZ"
	return most


# Modes

def test_session_mode_keeps_one_server_until_the_client_leaves(start_pooler):
	pooler = start_pooler(pool_mode="session", default_pool_size=2)
	with pooler.login() as one, pooler.login() as two:
		first, second = pid(one), pid(two)
		assert first != second
		assert [pid(one) for _ in range(3)] == [first] * 3
		one.ask(query("SET work_mem = '1234kB'; CREATE TEMP TABLE mine (n int)"))
		assert one.value("SHOW work_mem") == "1234kB"
	until(lambda: pooler.pool()["sv_active"] == 0, what="both servers are free")


def test_session_mode_resets_the_server_for_the_next_client(start_pooler):
	pooler = start_pooler(pool_mode="session", **ONE)
	with pooler.login() as one:
		first = pid(one)
		one.ask(query("SET work_mem = '1234kB'; CREATE TEMP TABLE mine (n int); PREPARE p AS SELECT 1"))
		one.ask(parse("SELECT 1", "named"), sync())
	with pooler.login() as two:
		assert pid(two) == first
		assert two.value("SHOW work_mem") != "1234kB"
		assert two.value("SELECT to_regclass('mine') IS NULL") == "t"
		assert two.value("SELECT count(*) FROM pg_prepared_statements") == "0"


def test_session_mode_passes_the_server_on_when_the_client_says_goodbye(start_pooler):
	pooler = start_pooler(pool_mode="session", **ONE)
	one, two = pooler.login(), pooler.login()
	first = pid(one)
	two.send(query("SELECT pg_backend_pid()"))
	pooler.wait_waiting(1)
	one.send(message("X"))
	assert two.until("Z")[1].row == (first,)
	one.close()
	two.close()


def test_transaction_mode_shares_a_server_between_transactions(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login() as one, pooler.login() as two:
		assert {pid(w) for w in (one, two) for _ in range(5)} == {pid(one)}


def test_transaction_mode_keeps_the_server_until_the_transaction_ends(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login() as one, pooler.login() as two:
		one.ask(query("BEGIN"))
		two.send(query("SELECT 'at last'"))
		pooler.wait_waiting(1)
		one.ask(query("SELECT 1"))
		assert silence(two.sock, 0.1)
		one.ask(query("COMMIT"))
		assert two.until("Z")[1].row == ("at last",)


def test_transaction_mode_does_not_reset_unless_told(start_pooler):
	for always, expected in (("0", "1234kB"), ("1", "4MB")):
		pooler = start_pooler(server_reset_query_always=always, **ONE)
		with pooler.login() as one, pooler.login() as two:
			one.ask(query("SET work_mem = '1234kB'"))
			assert two.value("SHOW work_mem") == expected


def test_statement_mode_refuses_transactions(start_pooler):
	pooler = start_pooler(pool_mode="statement")
	with pooler.login() as w:
		assert w.value("SELECT 1") == "1"
		w.send(query("BEGIN"))
		assert last_error(w.ended()) == ("FATAL", "08P01", "transaction blocks not allowed in statement pooling mode")
	assert pooler.serves()


def test_pool_mode_of_user_goes_before_database_before_global(start_pooler):
	pooler = start_pooler(pool_mode="session", databases={"app": "HERE pool_mode=statement", "second": "HERE"},
		users={"other": "pool_mode=transaction"})
	for user, database, mode in (("app", "second", "session"), ("app", "app", "statement"), ("other", "app", "transaction")):
		with pooler.login(user, database) as w:
			assert w.parameters["pgbouncer.pool_mode"] == mode
	assert {(row["database"], row["user"]): row["pool_mode"] for row in pooler.console("SHOW POOLS")}[("app", "other")] == "transaction"


# Sizes

@pytest.mark.parametrize("size", [1, 2, 7])
def test_pool_size_is_exact(start_pooler, cluster, size):
	pooler = start_pooler(default_pool_size=size)
	clients = [pooler.login() for _ in range(size * 3)]
	assert busy(pooler, cluster, clients, size, seconds=0.1) == size
	for w in clients:
		w.close()


def test_pool_size_of_database_and_user(start_pooler, cluster):
	pooler = start_pooler(databases={"app": "HERE pool_size=3", "second": "HERE"}, users={"other": "pool_size=2"}, **ONE)
	for user, database, size in (("app", "app", 3), ("app", "second", 1), ("other", "app", 2)):
		clients = [pooler.login(user, database) for _ in range(6)]
		assert busy(pooler, cluster, clients, size, f"usename = '{user}' AND datname = '{database}'", 0.1) == size
		for w in clients:
			w.close()


def test_reserve_pool_opens_after_its_time_only(start_pooler, cluster):
	pooler = start_pooler(reserve_pool_size=1, reserve_pool_timeout=0.7, **ONE)
	with pooler.login() as one, pooler.login() as two:
		one.ask(query("BEGIN"))
		with Stopwatch() as watch:
			two.ask(query("SELECT 1"))
		assert 0.6 < watch.seconds < 4
		assert cluster.backends() == 2
	assert "taking connection from reserve_pool" in pooler.log()


def test_reserve_pool_is_exact(start_pooler, cluster):
	pooler = start_pooler(reserve_pool_size=2, reserve_pool_timeout=0.1, **ONE)
	clients = [pooler.login() for _ in range(8)]
	assert busy(pooler, cluster, clients, 3, seconds=0.5) == 3
	for w in clients:
		w.close()


def test_max_db_connections_is_exact_over_users(start_pooler, cluster):
	pooler = start_pooler(databases={"app": "HERE max_db_connections=3", "second": "HERE"})
	clients = [pooler.login(user) for user in ("app", "other", "third") for _ in range(4)]
	assert busy(pooler, cluster, clients, 3, "usename <> 'postgres' AND datname = 'app'", 0.1) == 3
	for w in clients:
		w.close()


def test_max_db_connections_evicts_idle_servers_of_other_users(start_pooler, cluster):
	pooler = start_pooler(max_db_connections=1)
	with pooler.login("app") as one, pooler.login("other") as two:
		for _ in range(3):
			assert one.value("SELECT current_user") == "app"
			assert two.value("SELECT current_user") == "other"
			assert cluster.backends() <= 1


def test_max_user_connections_is_exact_over_databases(start_pooler, cluster):
	pooler = start_pooler(users={"app": "max_user_connections=2"})
	clients = [pooler.login("app", database) for database in ("app", "second") for _ in range(4)]
	assert busy(pooler, cluster, clients, 2, "usename = 'app'", 0.1) == 2
	for w in clients:
		w.close()


def test_min_pool_size_opens_servers_ahead(start_pooler, cluster):
	pooler = start_pooler(min_pool_size=3)
	assert cluster.backends() == 0
	with pooler.login():
		until(lambda: cluster.backends("usename = 'app'") == 3, what="three servers are open")


def test_servers_that_end_are_replaced(start_pooler, cluster):
	pooler = start_pooler(default_pool_size=2)
	with pooler.login() as one, pooler.login() as two:
		one.ask(query("BEGIN"))
		two.ask(query("BEGIN"))
		cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
		assert last_error(one.ended())[0] == "FATAL" and last_error(two.ended())[0] == "FATAL"
	clients = [pooler.login() for _ in range(4)]
	assert busy(pooler, cluster, clients, 2, seconds=0.1) == 2
	for w in clients:
		w.close()


# Times

def test_query_wait_timeout_ends_the_wait(start_pooler):
	pooler = start_pooler(query_wait_timeout=1, **ONE)
	with pooler.login() as one, pooler.login() as two:
		one.ask(query("BEGIN"))
		with Stopwatch() as watch:
			two.send(query("SELECT 1"))
			said = two.ended()
		assert last_error(said)[:2] == ("FATAL", "08P01")
		assert "query_wait_timeout" in last_error(said)[2]
		assert 0.9 < watch.seconds < 3
		assert types(one.ask(query("COMMIT"))) == "CZ"
	assert pooler.serves()


def test_query_wait_notify_tells_a_waiting_client_once(start_pooler):
	pooler = start_pooler(query_wait_notify=1, **ONE)
	with pooler.login() as one, pooler.login() as two:
		one.ask(query("BEGIN"))
		two.send(query("SELECT 1"))
		notice = two.read()
		assert notice.type == "N" and notice.text.startswith("No server connection available in postgres backend, client being queued")
		one.ask(query("COMMIT"))
		assert types(two.until("Z")) == "TDCZ"


def test_query_timeout_ends_client_and_server(start_pooler, cluster):
	pooler = start_pooler(query_timeout=1)
	with pooler.login() as w:
		w.send(query("SELECT pg_sleep(30)"))
		with Stopwatch() as watch:
			said = w.ended()
		assert last_error(said) == ("FATAL", "08P01", "query timeout")
		assert watch.seconds < 4
	assert pooler.pool()["sv_active"] == 0 and pooler.serves()
	cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%%'")


def test_query_timeout_does_not_touch_an_open_transaction(start_pooler):
	pooler = start_pooler(query_timeout=1)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		assert silence(w.sock, 2)
		assert types(w.ask(query("COMMIT"))) == "CZ"


def test_idle_transaction_timeout_ends_client_and_server(start_pooler, cluster):
	pooler = start_pooler(idle_transaction_timeout=1)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		assert last_error(w.ended()) == ("FATAL", "08P01", "idle transaction timeout")
	until(lambda: cluster.backends("state LIKE 'idle in%%'") == 0, what="the transaction is gone")
	assert pooler.serves()


def test_transaction_timeout_ends_a_long_transaction(start_pooler):
	pooler = start_pooler(transaction_timeout=1)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		assert last_error(w.ended()) == ("FATAL", "08P01", "transaction timeout")
	assert pooler.serves()


def test_client_idle_timeout_ends_idle_clients_only(start_pooler):
	pooler = start_pooler(client_idle_timeout=1)
	with pooler.login() as idle, pooler.login() as in_transaction:
		in_transaction.ask(query("BEGIN"))
		assert last_error(idle.ended()) == ("FATAL", "08P01", "client_idle_timeout")
		assert types(in_transaction.ask(query("COMMIT"))) == "CZ"


def test_client_login_timeout_ends_connections_that_do_not_log_in(start_pooler):
	pooler = start_pooler(client_login_timeout=5, auth_type="scram-sha-256", tcp_defer_accept=0)
	with pooler.wire() as silent, pooler.wire() as halfway, pooler.login() as inside:
		halfway.begin("app").read()
		for w in (silent, halfway):
			assert last_error(w.ended()) == ("FATAL", "08P01", "client_login_timeout")
		assert inside.value("SELECT 1") == "1"


def test_server_idle_timeout_closes_idle_servers(start_pooler, cluster):
	pooler = start_pooler(server_idle_timeout=1)
	with pooler.login() as w:
		pid(w)
		assert cluster.backends() == 1
		until(lambda: cluster.backends() == 0, what="the server is closed")
		assert w.value("SELECT 1") == "1"


def test_server_lifetime_closes_old_servers(start_pooler, cluster):
	pooler = start_pooler(server_lifetime=1)
	with pooler.login() as w:
		old = int(pid(w))
		until(lambda: cluster.backends("pid = %s", old) == 0, what="the old server is closed")
		assert int(pid(w)) != old


def test_server_lifetime_does_not_end_a_transaction(start_pooler):
	pooler = start_pooler(server_lifetime=1)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		old = pid(w)
		assert silence(w.sock, 2)
		assert pid(w) == old


def test_check_query_finds_a_dead_server_before_a_client_does(start_pooler, cluster):
	pooler = start_pooler(server_check_delay=0, server_check_query="select 1", **ONE)
	with pooler.login() as w:
		old = pid(w)
		cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
		until(lambda: cluster.backends() == 0, what="the server is gone")
		assert pid(w) != old


@pytest.mark.parametrize("delay, asked", [(0, True), (1000, False)])
def test_check_query_is_asked_of_servers_that_were_idle_for_its_delay(start_pooler, cluster, delay, asked):
	cluster.sql("DROP SEQUENCE IF EXISTS checks; CREATE SEQUENCE checks; GRANT ALL ON checks TO app", database="app")
	pooler = start_pooler(server_check_delay=delay, server_check_query="SELECT nextval('checks')", **ONE)
	with pooler.login() as w:
		for _ in range(3):
			pid(w)
	assert cluster.value("SELECT is_called FROM checks", database="app") == asked


def test_servers_take_turns_if_told(start_pooler):
	for in_turn, different in ((0, 1), (1, 3)):
		pooler = start_pooler(server_round_robin=in_turn, threads=1)
		clients = [pooler.login() for _ in range(3)]
		for w in clients:
			w.ask(query("BEGIN"))
		for w in clients:
			w.ask(query("COMMIT"))
		pids = [pid(clients[0]) for _ in range(6)]
		assert len(set(pids)) == different and pids[:3] == pids[3:]
		for w in clients:
			w.close()


# Order

def test_waiting_clients_are_served_in_order(start_pooler, cluster):
	cluster.sql("DROP TABLE IF EXISTS served; CREATE TABLE served (at serial, who int); GRANT ALL ON served, served_at_seq TO app", database="app")
	pooler = start_pooler(**ONE)
	with pooler.login() as holder:
		holder.ask(query("BEGIN"))
		clients = []
		for n in range(10):
			w = pooler.login()
			w.send(query(f"INSERT INTO served (who) VALUES ({n})"))
			clients.append(w)
			pooler.wait_waiting(n + 1)
		holder.ask(query("COMMIT"))
		for w in clients:
			assert types(w.until("Z")) == "CZ"
			w.close()
	assert cluster.sql("SELECT who FROM served ORDER BY at", database="app") == [(n,) for n in range(10)]


def test_a_greedy_client_does_not_starve_the_others(start_pooler):
	pooler = start_pooler(**ONE)
	stop = threading.Event()

	def greedy():
		with pooler.login() as w:
			while not stop.is_set():
				w.send(*(statement("SELECT pg_sleep(0.001)") + sync() for _ in range(20)))
				for _ in range(20):
					w.until("Z")

	threads = [threading.Thread(target=greedy) for _ in range(3)]
	for thread in threads:
		thread.start()
	try:
		with pooler.login() as modest:
			for _ in range(20):
				with Stopwatch() as watch:
					modest.value("SELECT 1")
				assert watch.seconds < 2
	finally:
		stop.set()
		for thread in threads:
			thread.join()


@pytest.mark.pgweir  # PgBouncer notices when it would be served
def test_client_that_leaves_while_waiting_costs_nothing(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login() as holder, pooler.login() as waiting:
		holder.ask(query("BEGIN"))
		gone = pooler.login()
		gone.send(query("SELECT 'for nobody'"))
		pooler.wait_waiting(1)
		gone.reset()
		pooler.wait_waiting(0)
		waiting.send(query("SELECT 'mine'"))
		pooler.wait_waiting(1)
		holder.ask(query("COMMIT"))
		assert waiting.until("Z")[1].row == ("mine",)


# Names

def test_wildcard_serves_every_database(start_pooler):
	pooler = start_pooler(databases={"*": "HERE"})
	for database in ("app", "second", "postgres"):
		with pooler.login("app", database) as w:
			assert w.value("SELECT current_database()") == database
	assert "registered new auto-database: second" in pooler.log()
	names = [row["name"] for row in pooler.console("SHOW DATABASES")]
	assert {"app", "second", "postgres"} <= set(names) and "*" not in names


def test_wildcard_passes_on_that_a_database_is_missing(start_pooler):
	pooler = start_pooler(databases={"*": "HERE"})
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login("app", "nowhere")
	assert (caught.value.message.severity, caught.value.message.code) == ("FATAL", "3D000")
	assert 'database "nowhere" does not exist' in caught.value.message.text


def test_forced_user_shares_one_pool(start_pooler, cluster):
	pooler = start_pooler(databases={"alias": "HERE dbname=app user=app password=app"}, auth_type="md5", **ONE)
	with pooler.login("other", "alias") as one, pooler.login("third", "alias") as two:
		assert one.value("SELECT current_user || '@' || current_database()") == "app@app"
		assert pid(one) == pid(two)
	assert cluster.backends() == 1


def test_connect_query_runs_once_per_server(start_pooler):
	pooler = start_pooler(databases={"app": "HERE connect_query='SET work_mem = ''4321kB'''"}, **ONE)
	with pooler.login() as w:
		assert w.value("SHOW work_mem") == "4321kB"


def test_several_hosts_are_tried_until_one_answers(start_pooler, cluster):
	pooler = start_pooler(databases={"app": f"host=127.0.0.9,127.0.0.1 port={cluster.port}"}, server_login_retry=0.1)
	assert pooler.serves()


def test_server_is_reached_by_name_and_by_unix_socket(start_pooler, cluster):
	pooler = start_pooler(databases={"named": f"host=localhost port={cluster.port} dbname=app",
		"local": f"host={cluster.folder} port={cluster.port} dbname=app"})
	for database in ("named", "local"):
		with pooler.login("app", database) as w:
			assert w.value("SELECT current_user") == "app"


# Session parameters follow the client

def test_parameters_follow_each_client_on_one_server(start_pooler):
	pooler = start_pooler(**ONE)
	kinds = [
		{"application_name": "first", "TimeZone": "Asia/Tokyo", "client_encoding": "UTF8", "DateStyle": "ISO, YMD"},
		{"application_name": "second's", "TimeZone": "America/New_York", "client_encoding": "LATIN1", "DateStyle": "German, DMY"},
		{"application_name": "", "TimeZone": "UTC", "client_encoding": "UTF8", "DateStyle": "SQL, MDY"},
	]
	clients = [pooler.login(**kind) for kind in kinds]
	for _ in range(3):
		for w, kind in zip(clients, kinds):
			assert {name: w.value(f"SHOW {name}") for name in kind} == kind
	assert len({pid(w) for w in clients}) == 1
	for w in clients:
		w.close()


def test_parameter_set_by_a_client_follows_it_and_nobody_else(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login(application_name="one") as one, pooler.login(application_name="two") as two:
		one.ask(query("SET application_name = 'renamed'; SET TimeZone = 'Asia/Tokyo'"))
		assert two.value("SHOW application_name") == "two"
		assert two.value("SHOW TimeZone") != "Asia/Tokyo"
		assert one.value("SHOW application_name") == "renamed"
		assert one.value("SHOW TimeZone") == "Asia/Tokyo"


def test_parameter_changed_in_a_rolled_back_transaction_is_the_old_one(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login(application_name="one") as one, pooler.login(application_name="two") as two:
		one.ask(query("BEGIN; SET application_name = 'never'"))
		one.ask(query("ROLLBACK"))
		assert two.value("SHOW application_name") == "two"
		assert one.value("SHOW application_name") == "one"


def test_parameters_of_extended_queries_are_set_before_them(start_pooler):
	pooler = start_pooler(**ONE)
	with pooler.login(application_name="one") as one, pooler.login(application_name="two") as two:
		for _ in range(5):
			for w, name in ((one, "one"), (two, "two")):
				answers = w.ask(statement("SHOW application_name"), sync())
				assert types(answers) == "12TDCZ" and answers[3].row == (name,)


def test_application_name_add_host_names_the_client(start_pooler):
	pooler = start_pooler(application_name_add_host=1)
	with pooler.login(application_name="mine") as w:
		assert w.value("SHOW application_name") == f"mine - 127.0.0.1:{w.sock.getsockname()[1]}"


def test_invalid_parameter_of_a_client_ends_that_client_only(start_pooler):
	pooler = start_pooler()
	with pooler.login() as good:
		with pooler.login(client_encoding="klingon") as w:
			w.send(query("SELECT 1"))
			assert last_error(w.ended())[0] == "FATAL"
		assert good.value("SELECT 1") == "1"
