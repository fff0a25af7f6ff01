"""Faults that were there once: each test shows that one of them has not come back."""

import os
import signal

import pytest

from processes import cpu_seconds
from waiting import silence, until
from wire import cancel, query, types


def here(gate):
	return {"app": f"host=127.0.0.1 port={gate.port} dbname=app"}


def backend(w):
	return int(w.value("SELECT pg_backend_pid()"))


@pytest.mark.pgweir
def test_without_server_idle_timeout_an_open_transaction_costs_no_cpu(start_pooler):
	"""The server's timer was set for "now" again and again once its lifetime was over."""
	pooler = start_pooler(server_idle_timeout=0, server_lifetime=1, threads=1)
	with pooler.login() as w:
		w.ask(query("BEGIN"))
		assert silence(w.sock, 1.5)
		before = cpu_seconds(pooler.pid)
		assert silence(w.sock, 1)
		assert cpu_seconds(pooler.pid) - before < 0.5


@pytest.mark.pgweir
@pytest.mark.parametrize("size", [1, 4])
def test_a_piece_of_a_header_occupies_no_server(start_pooler, size):
	pooler = start_pooler(default_pool_size=1)
	with pooler.login() as slow, pooler.login() as other:
		message = query("SELECT 5")
		slow.send(message[:size])
		assert other.value("SELECT 6") == "6"
		slow.send(message[size:])
		assert types(slow.until("Z")) == "TDCZ"
		# likewise behind a whole message
		slow.send(query("SELECT 7"), message[:size])
		assert types(slow.until("Z")) == "TDCZ"
		assert other.value("SELECT 8") == "8"
		slow.send(message[size:])
		assert types(slow.until("Z")) == "TDCZ"


@pytest.mark.pgweir
def test_a_server_that_is_silent_at_its_check_is_replaced(start_pooler, cluster):
	"""Its client waited for the answer without any limit."""
	pooler = start_pooler(threads=1, default_pool_size=2, server_check_delay=0, server_check_query="SELECT 1", server_connect_timeout=1)
	with pooler.login() as w:
		pid = backend(w)
		os.kill(pid, signal.SIGSTOP)
		try:
			assert backend(w) != pid
		finally:
			os.kill(pid, signal.SIGCONT)


@pytest.mark.pgweir
def test_a_server_that_dies_at_its_check_is_replaced(start_pooler):
	"""Its client was told of the crash although nothing of its own had been sent."""
	pooler = start_pooler(threads=1, default_pool_size=1, server_check_delay=0, server_check_query="SELECT pg_sleep(0.3)")
	with pooler.login() as w:
		pid = backend(w)
		w.send(query("SELECT pg_backend_pid()"))
		until(lambda: pooler.cluster.backends("query LIKE '%%pg_sleep%%' AND state = 'active'") == 1, what="the check runs")
		os.kill(pid, signal.SIGTERM)
		answer = w.until("Z")
		assert types(answer) == "TDCZ" and answer[1].row != (str(pid),)


@pytest.mark.pgweir
@pytest.mark.long
def test_after_a_cancel_request_without_answer_the_server_is_not_reused(start_pooler, gate):
	"""The request may reach it later, when it runs another client's query."""
	pooler = start_pooler(databases=here(gate), default_pool_size=1)
	with pooler.login() as w, pooler.login() as other:
		pid = backend(w)
		w.send(query("SELECT pg_sleep(1)"))
		until(lambda: pooler.pool()["sv_active"] == 1)
		gate.silent()
		cancel(pooler.port, w.key)
		until(lambda: gate.attempts == 1)
		assert types(w.until("Z")) == "TDCZ"
		other.sock.settimeout(30)
		other.send(query("SELECT pg_backend_pid()"))
		pooler.wait_log("closing because: cancel request was not answered", 20)
		gate.open()
		assert [m.row for m in other.until("Z") if m.type == "D"] != [(str(pid),)]
