"""What console commands do to clients and servers, played before PgBouncer 1.26.1 and before pgweir with one thread and with four:
each scene tells the same story, but for what is said in DIFFERENT."""

import pytest

from pooler import pgbouncer
from waiting import silence, until
from wire import Closed, ServerError, cancel, query, terminate

pytestmark = pytest.mark.pgweir

PAUSED = {"app": "HERE", "second": "HERE dbname=app", "sessions": "HERE dbname=app pool_mode=session"}


def told(w):
	"""What a connection is told until it is ready, or ends."""
	found = []
	try:
		while not found or found[-1] != "Z":
			m = w.read()
			if m.type in "EN":
				found.append(f"{m.type} {m.severity} {m.code} {m.text}")
			elif m.type == "C":
				found.append(m.tag)
			elif m.type == "D":
				found.append(m.row)
			elif m.type != "T":
				found.append(m.type)
	except Closed:
		found.append("end")
	return found


def asked(w, command):
	w.send(query(command))
	return told(w)


def nothing(w):
	assert silence(w.sock, 0.3), told(w)
	return "nothing"


def told_at_once(w):
	return ["nothing"] if silence(w.sock, 0.3) else told(w)


def flags(admin):
	"""Which databases are paused and disabled, and the state of all."""
	return [(row[0], row[15], row[16]) for row in admin.rows("SHOW DATABASES")], admin.rows("SHOW STATE")


def login(pooler, database="app"):
	try:
		w = pooler.login("app", database)
		return w, "welcome"
	except ServerError as e:
		return None, str(e)


def paused_in_a_transaction(pooler, admin):
	with pooler.login() as busy, pooler.login() as later:
		yield asked(busy, "BEGIN")
		admin.send(query("PAUSE"))
		yield nothing(admin)
		later.send(query("SELECT 1"))
		yield nothing(later)
		yield asked(busy, "SELECT 2")
		yield asked(busy, "COMMIT")
		yield told(admin)
		yield nothing(later)
		yield flags(admin)
		yield asked(admin, "PAUSE"), asked(admin, "PAUSE app")
		yield asked(admin, "RESUME")
		yield told(later)
		yield asked(admin, "RESUME"), flags(admin)


def paused_by_name(pooler, admin):
	with pooler.login() as busy, pooler.login("app", "second") as other:
		yield asked(busy, "BEGIN"), asked(other, "BEGIN")
		admin.send(query("PAUSE app"))
		yield nothing(admin)
		yield asked(busy, "ROLLBACK")
		yield told(admin), flags(admin)
		yield asked(admin, "PAUSE app"), asked(admin, "RESUME second"), asked(admin, "RESUME")
		yield asked(other, "COMMIT"), asked(other, "SELECT 1")
		yield asked(admin, "PAUSE"), flags(admin)
		yield asked(admin, "RESUME app"), flags(admin)
		yield asked(admin, "RESUME"), flags(admin)


def paused_with_a_session(pooler, admin):
	w = pooler.login("app", "sessions")
	yield asked(w, "SELECT 1")
	admin.send(query("PAUSE sessions"))
	yield nothing(admin)
	yield asked(w, "SELECT 2")
	w.send(terminate())
	yield told(admin)
	w.close()
	yield asked(admin, "RESUME sessions"), flags(admin)


def a_pause_that_is_cancelled(pooler, admin):
	with pooler.login() as busy:
		yield asked(busy, "BEGIN")
		admin.send(query("PAUSE"))
		yield nothing(admin)
		cancel(pooler.port, admin.key)
		yield told_at_once(admin)
		with pooler.login("admin", "pgbouncer") as other:
			until(lambda: dict(other.rows("SHOW STATE"))["paused"] == "no", what="the pause has ended")
			yield flags(other)
		yield asked(busy, "COMMIT"), asked(busy, "SELECT 1")


def a_pause_whose_console_leaves(pooler, admin):
	with pooler.login() as busy:
		yield asked(busy, "BEGIN")
		leaving = pooler.login("admin", "pgbouncer")
		leaving.send(query("PAUSE"))
		yield nothing(leaving)
		leaving.close()
		until(lambda: [row[0] for row in admin.rows("SHOW LISTS") if row[0] == "used_clients" and row[1] == "2"], what="it has left")
		yield flags(admin)
		yield asked(busy, "COMMIT"), asked(admin, "PAUSE")
		busy.send(query("SELECT 1"))
		yield nothing(busy)
		yield asked(admin, "RESUME"), told(busy)


def a_pause_that_another_console_ends(pooler, admin):
	with pooler.login() as busy, pooler.login("admin", "pgbouncer") as other:
		yield asked(busy, "BEGIN")
		admin.send(query("PAUSE app"))
		yield nothing(admin)
		yield asked(other, "RESUME app"), flags(other)
		yield told_at_once(admin)
		yield asked(busy, "COMMIT"), asked(busy, "SELECT 1")


def killed(pooler, admin):
	with pooler.login() as idle, pooler.login() as busy, pooler.login("app", "second") as other:
		yield asked(idle, "SELECT 1"), asked(busy, "BEGIN"), asked(other, "BEGIN")
		yield asked(admin, "KILL app"), flags(admin)
		yield told(idle), told(busy)
		yield asked(other, "COMMIT")
		yield asked(admin, "KILL app"), flags(admin)
		yield asked(admin, "RESUME app"), flags(admin)
		with pooler.login() as later:
			yield asked(later, "SELECT 1")


def all_killed(pooler, admin):
	with pooler.login() as busy, pooler.login("app", "second") as other:
		yield asked(busy, "BEGIN"), asked(other, "SELECT 1")
		yield asked(admin, "KILL"), flags(admin)
		yield told(busy), told(other)
		yield asked(admin, "RESUME"), flags(admin)
		yield asked(admin, "RESUME app"), asked(admin, "RESUME second"), asked(admin, "RESUME sessions"), flags(admin)
		with pooler.login() as later:
			yield asked(later, "SELECT 1")


def killed_while_somebody_waits(pooler, admin):
	with pooler.login() as busy, pooler.login() as waiting:
		yield asked(admin, "SET default_pool_size = 1")
		yield asked(busy, "BEGIN")
		waiting.send(query("SELECT 1"))
		until(lambda: pooler.pool()["cl_waiting"] == 1, what="somebody waits")
		yield asked(admin, "KILL app"), told(waiting), told(busy), asked(admin, "RESUME app")


def number_of(admin, w):
	found, = (row[20] for row in admin.rows("SHOW CLIENTS") if row[6] == str(w.sock.getsockname()[1]))
	return found


def single_clients_killed(pooler, admin):
	with pooler.login() as idle, pooler.login() as busy, pooler.login() as waiting, pooler.login("admin", "pgbouncer") as other:
		yield asked(admin, "SET default_pool_size = 1")
		yield asked(idle, "SELECT 1"), asked(busy, "BEGIN")
		waiting.send(query("SELECT 1"))
		until(lambda: pooler.pool()["cl_waiting"] == 1, what="somebody waits")
		for victim in (idle, waiting, busy, other):
			yield asked(admin, f"KILL_CLIENT {number_of(admin, victim)}"), told(victim)


def disabled(pooler, admin):
	with pooler.login() as before:
		yield asked(admin, "DISABLE app"), asked(admin, "DISABLE app"), flags(admin)
		yield login(pooler)[1], asked(before, "SELECT 1")
		yield asked(admin, "PAUSE app"), flags(admin), asked(admin, "RESUME app")
		yield asked(admin, "ENABLE app"), asked(admin, "ENABLE app"), flags(admin)
		w, text = login(pooler)
		w.close()
		yield text


def reconnected(pooler, admin):
	with pooler.login() as idle, pooler.login() as busy:
		yield asked(busy, "BEGIN")
		old = busy.value("SELECT pg_backend_pid()")
		yield asked(admin, "RECONNECT app"), asked(admin, "RECONNECT")
		yield idle.value("SELECT pg_backend_pid()") != old, busy.value("SELECT pg_backend_pid()") == old
		admin.send(query("WAIT_CLOSE app"))
		yield nothing(admin)
		yield asked(busy, "COMMIT")
		yield told(admin), asked(admin, "WAIT_CLOSE")
		yield busy.value("SELECT pg_backend_pid()") != old


def shut_down_for_clients(pooler, admin):
	with pooler.login() as w:
		yield asked(w, "SELECT 1")
		yield asked(admin, "SHUTDOWN WAIT_FOR_CLIENTS")
		yield asked(w, "SELECT 2")
		yield asked(admin, "PAUSE"), asked(admin, "RESUME"), asked(admin, "KILL_CLIENT 9999"), asked(admin, "SHUTDOWN WAIT_FOR_CLIENTS")
		admin.close()
		w.send(terminate())
	yield pooler.process.wait(20)


def shut_down_for_servers(pooler, admin):
	with pooler.login() as busy, pooler.login() as idle:
		yield asked(idle, "SELECT 1"), asked(busy, "BEGIN")
		yield asked(admin, "SHUTDOWN WAIT_FOR_SERVERS")
		yield asked(admin, "RESUME"), asked(admin, "SHUTDOWN WAIT_FOR_SERVERS")
		yield asked(busy, "SELECT 2")
		yield asked(busy, "COMMIT")
	yield pooler.process.wait(20)


def shut_down_at_once(pooler, admin):
	with pooler.login() as busy:
		yield asked(busy, "BEGIN")
		yield asked(admin, "SHUTDOWN")[-1:]
	yield pooler.process.wait(20)


@pytest.mark.parametrize("threads", [1, 4])
def test_orders_to_shut_down_that_overtake_each_other_end_all_the_same(start_pooler, threads):
	pooler = start_pooler(threads=threads)
	with pooler.login() as busy, pooler.login("admin", "pgbouncer") as admin:
		assert asked(busy, "BEGIN") == ["BEGIN", "Z"]
		orders = ["SHUTDOWN WAIT_FOR_CLIENTS", "SHUTDOWN WAIT_FOR_SERVERS"] * 20
		admin.send(*map(query, orders))
		assert [told(admin) for _ in orders] == [["SHUTDOWN", "Z"]] * len(orders)
		assert asked(busy, "COMMIT") == ["COMMIT", "Z"]
		assert pooler.process.wait(20) == 0


SCENES = [paused_in_a_transaction, paused_by_name, paused_with_a_session, a_pause_that_is_cancelled, a_pause_whose_console_leaves,
	a_pause_that_another_console_ends, killed, all_killed, killed_while_somebody_waits, single_clients_killed, disabled, reconnected,
	shut_down_for_clients, shut_down_for_servers, shut_down_at_once]

READY = "ReadyForQuery follows what ends a wait, or libpq would lose it"

# Which steps, and why
DIFFERENT = {
	"a_pause_that_is_cancelled": {2: "whoever cancels a pause is told that it is canceled, instead of waiting for ever"},
	"a_pause_that_another_console_ends": {3: "whoever waits for a pause that RESUME has ended is told so, instead of waiting for ever"},
	"killed_while_somebody_waits": {2: READY},
	"single_clients_killed": {3: READY},
	"all_killed": {1: "KILL pauses all databases, not only those that had clients", 3: "as above", 4: "as above"},
}


def story(scene, start_pooler, **options):
	pooler = start_pooler(databases=PAUSED, query_wait_notify=0, log_stats=0, **options)
	with pooler.login("admin", "pgbouncer") as admin:
		lines = [str(step) for step in scene(pooler, admin)]
	return lines


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_scene_tells_the_same_story(start_pooler, scene, threads):
	theirs = story(scene, start_pooler, program=pgbouncer())
	ours = story(scene, start_pooler, threads=threads)
	different = {number: pair for number, pair in enumerate(zip(theirs, ours)) if pair[0] != pair[1]}
	assert different.keys() == DIFFERENT.get(scene.__name__, {}).keys(), different
	assert len(ours) == len(theirs)
