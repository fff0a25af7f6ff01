"""A process in a window: how it begins and ends, and that it has its port alone."""

import signal
from contextlib import ExitStack

import pytest

from windows import run
from wire import Closed, query

CLIENTS = 2000


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


def test_it_serves_2000_clients_at_once(start_pooler):
	pooler = start_pooler(max_client_conn=CLIENTS + 10, default_pool_size=10, client_login_timeout=60)
	with ExitStack() as stack:
		clients = [stack.enter_context(pooler.login()) for _ in range(CLIENTS)]
		for w in clients:
			w.send(query("SELECT 42"))
		assert {w.until("Z")[1].row for w in clients} == {("42",)}
		assert sum(row["state"] == "idle" for row in pooler.console("SHOW CLIENTS") if row["user"] == "app") == CLIENTS


def test_there_is_no_background(write_files):
	said = run("-d", write_files().ini, status=1)
	assert "-regservice" in said or "service" in said
