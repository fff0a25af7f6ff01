"""A process in a window: how it begins and ends, and that it has its port alone."""

import signal
import urllib.request
from contextlib import ExitStack

import pytest

from processes import Port
from waiting import until
from windows import run
from wire import Closed, query

CLIENTS, SERVERS = 2000, 20


def test_ctrl_c_lets_transactions_end(start_pooler):
	pooler = start_pooler()
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		pooler.signal(signal.SIGINT)
		pooler.wait_log("waiting for all servers")
		assert w.value("SELECT 1") == "1"
		w.ask(query("COMMIT"))
		assert pooler.process.wait(10) == 0


def test_ctrl_c_again_ends_at_once(start_pooler):
	pooler = start_pooler()
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		pooler.signal(signal.SIGINT)
		pooler.wait_log("waiting for all servers")
		pooler.signal(signal.SIGINT)
		assert pooler.process.wait(10) == 0
		with pytest.raises((Closed, OSError)):
			w.until("Z")


@pytest.mark.parametrize("address", ["127.0.0.1", "*"])
def test_a_port_is_never_shared(start_pooler, address):
	pooler = start_pooler(listen_addr=address)
	said = run(pooler.ini, status=1)
	assert str(pooler.port) in said and "in use" in said
	assert pooler.serves()


@pytest.mark.crowd
def test_it_serves_2000_clients_at_once(start_pooler):
	"""As many have a query as there are servers: Wine, not pgweir, has no time left if hundreds wait with one."""
	pooler = start_pooler(max_client_conn=CLIENTS + 10, default_pool_size=SERVERS, client_login_timeout=60)
	with ExitStack() as stack:
		clients = [stack.enter_context(pooler.login()) for _ in range(CLIENTS)]
		for at in range(0, CLIENTS, SERVERS):
			group = clients[at:at + SERVERS]
			for w in group:
				w.send(query("SELECT 42"))
			assert [w.until("Z")[1].row for w in group] == [("42",)] * len(group)
		assert pooler.pool()["cl_active"] == CLIENTS
	until(lambda: pooler.pool()["cl_active"] == 0, 60, "all have left")


def test_check_looks_at_the_servers(write_files, gate):
	"""A warning, status 2: Wine's user is an administrator."""
	assert 'database "app" is ready' in run("check", write_files().ini, status=2)
	gate.refused()
	said = run("check", write_files(databases={"app": f"host=127.0.0.1 port={gate.port}"}).ini, status=1)
	assert "refused" in said and str(gate.port) in said


def test_metrics_and_probes_are_there(start_pooler):
	port = Port()
	pooler = start_pooler(http_listen=f"127.0.0.1:{port.number}")
	assert pooler.serves()
	with urllib.request.urlopen(f"http://127.0.0.1:{port.number}/readyz", timeout=10) as answer:
		assert answer.status == 200
	with urllib.request.urlopen(f"http://127.0.0.1:{port.number}/metrics", timeout=10) as answer:
		assert b"pgbouncer_up 1" in answer.read()
	port.close()


def test_there_is_no_background(write_files):
	said = run("-d", write_files().ini, status=1)
	assert "-regservice" in said or "service" in said
