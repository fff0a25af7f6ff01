"""
Every limit: exact whatever the threads (PostgreSQL itself counts), changed while in use, told to those who wait, and
shared fairly by those who compete for it.
"""

import re
import threading

import pytest

from waiting import until
from wire import Closed, ServerError, Wire, query

pgweir_only = pytest.mark.pgweir
THREADS = [1, pytest.param(4, marks=pytest.mark.pgweir)]
USERS = ["app", "other", "third"]


@pytest.fixture
def counted(cluster):
	"""A database that PostgreSQL lets at most 5 sessions of these users into: one more is refused, and told."""
	cluster.sql("CREATE DATABASE counted CONNECTION LIMIT 5")
	yield "counted"
	cluster.sql("DROP DATABASE counted WITH (FORCE)")


def servers(cluster, where="true"):
	return cluster.backends(f"usename IN ('app', 'other', 'third') AND backend_type = 'client backend' AND {where}")


def holders(pooler, n, user="app", database="app"):
	"""n clients with a transaction open."""
	made = [pooler.login(user, database) for _ in range(n)]
	for w in made:
		w.ask(query("BEGIN"))
	return made


def waiting(pooler):
	return sum(int(row["cl_waiting"]) for row in pooler.console("SHOW POOLS"))


def let_go(clients):
	for w in clients:
		w.ask(query("COMMIT"))


class Hammer:
	"""Clients of all users and databases that never stop; those that sleep a little let others' servers become idle."""

	def __init__(self, pooler, databases, clients=2):
		self.stopping = threading.Event()
		self.errors, self.served = [], {}
		who = [(user, database, i) for user in USERS for database in databases for i in range(clients)]
		self.threads = [threading.Thread(target=self.run, args=(pooler, *each)) for each in who]
		for thread in self.threads:
			thread.start()

	def run(self, pooler, user, database, number):
		try:
			with Wire(pooler.port, seconds=60).login(user, database, user) as w:
				while not self.stopping.is_set():
					w.ask(query("SELECT pg_sleep(0.001)"))
					self.served[user, database, number] = self.served.get((user, database, number), 0) + 1
					if number % 2:
						self.stopping.wait(0.005)
		except (OSError, Closed, ServerError) as e:
			self.errors.append(e)

	def least_served(self):
		return min(self.served.get(who, 0) for who in self.served) if len(self.served) == len(self.threads) else 0

	def stop(self):
		self.stopping.set()
		for thread in self.threads:
			thread.join(60)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("setting", ["max_db_connections", "max_user_connections",
	pytest.param("max_host_connections", marks=pgweir_only), pytest.param("max_server_connections", marks=pgweir_only)])
def test_limit_is_exact_while_many_compete(cluster, counted, start_pooler, threads, setting):
	"""Five at most, says the pooler's setting; five at most, says PostgreSQL, which would refuse a sixth. All are served."""
	here = f"HERE dbname={counted}"
	names = ["one"] if setting == "max_db_connections" else ["one", "two", "three"]
	limit = 5
	if setting == "max_user_connections":
		limit = 1 # of each of three users
	pooler = start_pooler(threads=threads, databases={name: here for name in names}, **{setting: limit})
	most = USERS if setting == "max_user_connections" else [USERS[i % 3] for i in range(5)]
	held = [holders(pooler, 1, user, names[i % len(names)])[0] for i, user in enumerate(most)]
	hammer = Hammer(pooler, names)
	try:
		until(lambda: hammer.errors or waiting(pooler) == len(hammer.threads), 30, "all others wait")
		assert servers(cluster, f"datname = '{counted}'") == len(most)
		let_go(held)
		until(lambda: hammer.errors or hammer.least_served() > 20, 60, "everybody is served")
	finally:
		hammer.stop()
	assert hammer.errors == []
	assert "too many connections" not in pooler.log()
	assert f"evicted for {setting}" in pooler.log()


@pytest.mark.parametrize("threads", THREADS)
def test_smaller_pool_size_closes_idle_servers_at_once(cluster, start_pooler, threads):
	pooler = start_pooler(threads=threads, default_pool_size=6)
	clients = holders(pooler, 6)
	let_go(clients)
	assert servers(cluster) == 6
	pooler.console("SET default_pool_size = 2")
	until(lambda: servers(cluster) == 2, what="only two are left")
	pooler.wait_log("too many servers in the pool")


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("setting, raised", [("default_pool_size", "default_pool_size = 3"),
	("max_db_connections", "max_db_connections = 3"), ("max_user_connections", "max_user_connections = 0"),
	pytest.param("max_host_connections", "max_host_connections = 3", marks=pgweir_only),
	pytest.param("max_server_connections", "max_server_connections = 3", marks=pgweir_only)])
def test_raised_limit_serves_those_who_wait(cluster, start_pooler, threads, setting, raised):
	pooler = start_pooler(threads=threads, **{setting: 1})
	first = holders(pooler, 1)
	second = pooler.login()
	second.send(query("SELECT 42"))
	pooler.wait_waiting(1)
	pooler.console(f"SET {raised}")
	assert second.until()[-1].type == "Z"
	let_go(first)


@pgweir_only
@pytest.mark.parametrize("threads", [1, 4])
def test_lowered_limit_of_the_process_closes_what_is_not_used(cluster, start_pooler, threads):
	pooler = start_pooler(threads=threads)
	clients = holders(pooler, 4)
	others = holders(pooler, 3, "other")
	let_go(others)
	pooler.console("SET max_server_connections = 4")
	until(lambda: servers(cluster) == 4, what="the idle ones are closed")
	pooler.console("SET max_server_connections = 2")
	let_go(clients)
	until(lambda: servers(cluster) == 2, what="those that come free are closed")


def test_pool_of_a_forced_user_is_filled_without_clients(cluster, start_pooler):
	databases = {"app": "HERE user=app password=app min_pool_size=3", "second": "HERE min_pool_size=2"}
	pooler = start_pooler(databases=databases)
	until(lambda: servers(cluster) == 3, what="min_pool_size of the forced user")
	pooler.databases["third"] = "HERE dbname=app user=other password=other min_pool_size=1"
	pooler.write()
	pooler.console("RELOAD")
	until(lambda: servers(cluster) == 4, what="and of the one that came by RELOAD")


@pgweir_only
@pytest.mark.parametrize("setting, place", [("max_host_connections", r" at 127\.0\.0\.1, port \d+"),
	("max_server_connections", "")])
def test_who_waits_is_told_which_limit_and_who_has_the_servers(cluster, start_pooler, setting, place):
	pooler = start_pooler(query_wait_timeout=2, **{setting: 2})
	w = pooler.login()
	clients = holders(pooler, 2, "other", "second")
	w.send(query("SELECT 1"))
	until(lambda: [row["limited_by"] for row in pooler.console("SHOW WAITS")] == [setting], what="it waits for that limit")
	failed = [m for m in w.ended() if m.type == "E"][0]
	assert failed.text == "query_wait_timeout"
	assert re.search(f'{setting} = 2 is reached{place}: pool "second/other" has 2', failed.fields["D"]), failed.fields["D"]
	assert f"Raise {setting}" in failed.fields["H"]
	let_go(clients)


@pgweir_only
def test_new_limits_are_in_show_config_behind_pgbouncers_rows(start_pooler):
	pooler = start_pooler(max_server_connections=7)
	keys = {row["key"]: (i, row["value"]) for i, row in enumerate(pooler.console("SHOW CONFIG"))}
	assert keys["max_server_connections"][1] == "7" and keys["max_host_connections"][1] == "0"
	assert min(keys["max_server_connections"][0], keys["max_host_connections"][0]) >= 99


@pgweir_only
@pytest.mark.parametrize("threads", [1, 4])
def test_a_pool_that_never_stops_does_not_starve_others(start_pooler, threads):
	"""One connection for all, and eight clients of one user that always want it. PgBouncer would serve them alone."""
	pooler = start_pooler(threads=threads, max_db_connections=1, query_wait_timeout=60, query_wait_notify=0)
	stopping = threading.Event()
	served = [0] * 8

	def run(i):
		with Wire(pooler.port, seconds=60).login("app", "app", "app") as w:
			while not stopping.is_set():
				w.ask(query("SELECT pg_sleep(0.002)"))
				served[i] += 1

	threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
	for thread in threads:
		thread.start()
	try:
		until(lambda: min(served) > 5, 30, "they are at work")
		with Wire(pooler.port, seconds=30).login("other", "app", "other") as w:
			assert w.value("SELECT 41 + 1") == "42"
			before = list(served)
			until(lambda: all(now > then for now, then in zip(served, before)), 30, "and they go on")
	finally:
		stopping.set()
		for thread in threads:
			thread.join(60)
	pooler.wait_log("evicted for max_db_connections")


def refused(pooler, user="app", database="app"):
	with pytest.raises(ServerError) as e:
		pooler.login(user, database)
	return str(e.value)


@pytest.mark.parametrize("setting", ["max_client_conn", "max_db_client_connections", "max_user_client_connections"])
def test_limits_of_clients_change_at_once_and_spare_the_console(start_pooler, setting):
	pooler = start_pooler(**{setting: 1})
	with pooler.login():
		assert setting in refused(pooler)
		assert pooler.console("SHOW VERSION")
		pooler.console(f"SET {setting} = 2")
		with pooler.login():
			assert setting in refused(pooler)
			pooler.console(f"SET {setting} = 1")
			assert setting in refused(pooler)


def test_each_user_and_database_has_its_own_limit_of_clients(start_pooler):
	pooler = start_pooler(databases={"app": "HERE max_db_client_connections=1", "second": "HERE"},
		users={"other": "max_user_client_connections=1"}, max_db_client_connections=3)
	with pooler.login():
		assert "client connections exceeded (max_db_client_connections)" in refused(pooler)
		with pooler.login("other", "second"):
			assert "client connections exceeded (max_user_client_connections)" in refused(pooler, "other", "second")
			with pooler.login("app", "second"), pooler.login("third", "second"):
				assert "(max_db_client_connections)" in refused(pooler, "third", "second")
