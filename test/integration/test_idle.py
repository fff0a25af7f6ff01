"""Being idle costs nothing: no CPU, no wake-ups, little memory."""

import os

import pytest

from conftest import LONG
from pooler import is_sanitized
from processes import context_switches, cpu_seconds, status_kb
from waiting import silence, until

CLIENTS = 10000 if LONG else 1500
POOLS = 5000 if LONG else 150
WINDOW = 60 if LONG else 3
MEMORY = 8 if is_sanitized() else 1


def cost_of_idling(pooler, sock):
	"""Context switches per second and share of one CPU while nothing happens."""
	switches, cpu = context_switches(pooler.pid), cpu_seconds(pooler.pid)
	assert silence(sock, WINDOW)
	return (context_switches(pooler.pid) - switches) / WINDOW, (cpu_seconds(pooler.pid) - cpu) / WINDOW


def settled(pooler):
	"""Nothing is going on any more."""
	until(lambda: pooler.console("SHOW LISTS") and sum(row["sv_active"] + row["sv_login"] for row in pooler.console("SHOW POOLS")) == 0)


@pytest.mark.early
def test_idle_clients_cost_no_cpu_and_little_memory(start_pooler):
	pooler = start_pooler(max_client_conn=CLIENTS + 100, log_connections=0, log_disconnections=0)
	with pooler.login() as first:
		settled(pooler)
		before = status_kb(pooler.pid, "VmRSS")
		clients = [pooler.login() for _ in range(CLIENTS)]
		try:
			settled(pooler)
			switches, cpu = cost_of_idling(pooler, first.sock)
			grown = status_kb(pooler.pid, "VmRSS") - before
			assert switches < 20 and cpu < 0.02
			assert grown * 1024 / CLIENTS < 4096 * MEMORY
			assert clients[CLIENTS // 2].value("SELECT 'awake'") == "awake"
		finally:
			for w in clients:
				w.close()
	assert pooler.serves()


@pytest.mark.early
def test_idle_pools_cost_no_cpu(start_pooler, cluster):
	databases = {f"db{n}": "HERE dbname=app" for n in range(POOLS)}
	pooler = start_pooler(databases=databases, max_client_conn=POOLS + 100, users={"app": "max_user_connections=20"}, log_connections=0,
		log_disconnections=0)
	clients = []
	try:
		for n in range(POOLS):
			clients.append(pooler.login("app", f"db{n}"))
		assert cluster.backends() <= 20
		settled(pooler)
		switches, cpu = cost_of_idling(pooler, clients[0].sock)
		assert switches < 20 and cpu < 0.02
		assert clients[POOLS // 2].value("SELECT 'awake'") == "awake"
	finally:
		for w in clients:
			w.close()


def test_descriptors_are_given_back(start_pooler):
	pooler = start_pooler()
	assert pooler.serves()
	before = len(os.listdir(f"/proc/{pooler.pid}/fd"))
	for _ in range(5):
		clients = [pooler.login() for _ in range(100)]
		for w in clients:
			w.close()
	until(lambda: len(os.listdir(f"/proc/{pooler.pid}/fd")) <= before + 1, what="all descriptors are back")


def test_memory_is_given_back_or_used_again(start_pooler):
	pooler = start_pooler(max_client_conn=2000)

	def round_of_clients():
		clients = [pooler.login() for _ in range(300)]
		for w in clients:
			w.value("SELECT repeat('x', 10000)")
		for w in clients:
			w.close()
		until(lambda: pooler.pool()["cl_active"] == 0)
		return status_kb(pooler.pid, "VmRSS")

	first = round_of_clients()
	later = [round_of_clients() for _ in range(4)][-1]
	assert later - first < 1500 * MEMORY
