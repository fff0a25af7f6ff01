"""Several processes that serve the same clients: a cancel request that reaches the wrong one is passed on to the right one."""

import itertools
import socket
import ssl
import struct
import tempfile
import warnings

import pytest

from certificates import Authority
from cluster import HELD
from pooler import pgbouncer
from processes import Port, account, make_directory
from test_cancel import LongRoad, Party, is_calm
from waiting import silence, until
from wire import CANCEL_REQUEST, SSL_REQUEST, Wire, cancel, query, types

CANCELED = "57014"
SLOW = "SELECT pg_sleep(60)"
pytestmark = pytest.mark.pgweir


class FakePeer:
	"""Stands where a peer listens: sees what is passed on, and leaves connections open until it is told otherwise."""

	def __init__(self):
		self.listening = socket.create_server(("127.0.0.1", 0))
		self.port = self.listening.getsockname()[1]
		self.line = f"host=127.0.0.1 port={self.port}"

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.listening.close()

	def next(self):
		"""The next connection and all that was sent on it."""
		self.listening.settimeout(10)
		connection, _ = self.listening.accept()
		connection.settimeout(10)
		size = struct.unpack("!i", connection.recv(4, socket.MSG_WAITALL))[0]
		return connection, connection.recv(size - 4, socket.MSG_WAITALL)

	def take(self):
		"""The key of the next request, whose connection is closed."""
		connection, rest = self.next()
		connection.close()
		assert rest[:4] == struct.pack("!I", CANCEL_REQUEST)
		return rest[4:]

	def has_nothing(self):
		return silence(self.listening, 0.2)


@pytest.fixture
def fake_peer():
	with FakePeer() as peer:
		yield peer


@pytest.fixture
def hold_port():
	"""hold_port() is a number that is ours until the end of the test; nobody listens on it unless we tell them."""
	held = []

	def hold():
		held.append(Port())
		return held[-1].number

	yield hold
	for port in held:
		port.close()


@pytest.fixture
def start_group(start_pooler, folder, hold_port):
	"""start_group(program, …) runs one process per program (None: the one under test), peers of each other by Unix sockets."""

	def start(*programs, port=None, ids=None, **settings):
		ids = ids or range(1, len(programs) + 1)
		folders = [make_directory(tempfile.mkdtemp(prefix="peer-", dir=folder), account("nobody", "daemon")) for _ in programs]
		ports = [port or hold_port() for _ in programs]
		peers = {number: f"host={place} port={own}" for number, place, own in zip(ids, folders, ports)}
		return [start_pooler(listen_port=own, peer_id=number, peers=peers, unix_socket_dir=place, so_reuseport=int(port is not None), **settings,
				**({"program": program} if program else {}))
			for number, place, own, program in zip(ids, folders, ports, programs)]

	return start


def ask(pooler, key, host="127.0.0.1"):
	"""Sends a CancelRequest and does not wait."""
	wire = Wire(pooler.port, host)
	wire.send(struct.pack("!iI", 8 + len(key), CANCEL_REQUEST) + key)
	return wire


def key_of(peer, passes=3, size=8):
	"""A key as the peer of that id might have made it."""
	return bytes([0x11, peer & 255, peer >> 8, 3, 4, 5, 6, 0x40 | passes]) + bytes(range(size - 8))


def passes_left(key):
	return key[7] & 3


def check_canceled(cluster, client, through):
	"""A query of the client is cancelled by way of another process."""
	client.send(query(SLOW))
	until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs")
	cancel(through.port, client.key)
	answers = client.until("Z")
	assert (types(answers), answers[1].code) == ("TEZ", CANCELED)


# Keys.


@pytest.mark.parametrize("number", [1, 258, 16383])
def test_a_key_says_which_process_has_made_it(start_pooler, number):
	pooler = start_pooler(peer_id=number)
	keys = []
	for _ in range(4):
		with pooler.login() as w:
			keys.append(w.key)
	assert [key[1] | key[2] << 8 for key in keys] == [number] * 4
	assert [passes_left(key) for key in keys] == [3] * 4
	assert len({key[3:7] for key in keys}) == 4 and len({key[0] for key in keys}) > 1


# Between two, three, and PgBouncer.


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cancel_request_to_either_of_two_processes_arrives(start_group, cluster, threads):
	one, two = start_group(None, None, threads=threads)
	for home, other in ((one, two), (two, one)):
		with home.login() as client:
			check_canceled(cluster, client, other)
			check_canceled(cluster, client, home)
			assert client.value("SELECT 'goes on'") == "goes on"


def test_three_processes_on_one_port_cancel_each_others_queries(start_group, hold_port, cluster):
	group = start_group(None, None, None, port=hold_port())
	for pooler in group:
		pooler.wait_log("listening on 127.0.0.1")
	clients = []
	met = set()
	while len(met) < 3:  # the kernel chooses the process
		clients.append(group[0].login())
		met.add(clients[-1].key[1])
	for client in clients:
		check_canceled(cluster, client, group[0])
	for client in clients:
		client.close()


def test_pgbouncer_and_we_are_peers_of_each_other(start_group, cluster):
	program = pgbouncer()
	if program is None:
		warnings.warn("PgBouncer cannot be had here: nothing is tried with it")
		return
	one, two, three = start_group(None, program, None, ids=[259, 258, 5])
	for home, other in itertools.permutations((one, two, three), 2):
		with home.login() as client:
			check_canceled(cluster, client, other)
			assert client.value("SELECT 'goes on'") == "goes on"


def test_when_the_request_has_closed_the_next_query_is_safe(start_pooler):
	one = start_pooler(peer_id=1)
	hits = 0
	with LongRoad(one) as road, one.login() as client:
		two = start_pooler(peer_id=2, peers={1: road.line})
		for turn in range(60):
			client.send(query(f"SELECT pg_sleep({(turn % 4) * 0.01})"))
			cancel(two.port, client.key)
			hits += "E" in types(client.until("Z"))
			assert client.value("SELECT 'safe' FROM pg_sleep(0.003)") == "safe"
	assert hits > 0


def test_a_console_of_another_process_is_cancelled(start_group):
	one, two = start_group(None, None)
	with one.login() as client, one.login("admin", "pgbouncer") as console:
		client.ask(query("BEGIN"))
		console.send(query("PAUSE"))
		one.wait_log("PAUSE")
		cancel(two.port, console.key)
		assert console.until("Z")[0].text == "canceling command due to user request"


def test_a_request_in_tls_is_passed_on(start_group, cluster, folder):
	ours = Authority(folder, account("nobody", "daemon")).sign("pooler", "localhost", "DNS:localhost")
	one, two = start_group(None, None, client_tls_sslmode="allow", client_tls_cert_file=ours[0], client_tls_key_file=ours[1])
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
	context.check_hostname = False
	context.verify_mode = ssl.CERT_NONE
	with one.login() as client, two.wire() as asker:
		client.send(query(SLOW))
		until(lambda: cluster.backends("state = 'active' AND query = %s", SLOW), what="the query runs")
		asker.send(struct.pack("!ii", 8, SSL_REQUEST))
		assert asker.sock.recv(1) == b"S"
		asker.sock = context.wrap_socket(asker.sock)
		asker.send(struct.pack("!iI", 16, CANCEL_REQUEST) + client.key)
		assert client.until("Z")[1].code == CANCELED
		assert asker.ended() == []


# What is passed on, and what is not.


def test_each_time_of_being_passed_on_is_counted_and_the_last_is_the_last(start_pooler, fake_peer):
	pooler = start_pooler(peer_id=1, peers={5: fake_peer.line})
	for passes in (3, 2, 1):
		with ask(pooler, key_of(5, passes)) as asker:
			assert fake_peer.take() == key_of(5, passes - 1)
			assert asker.ended() == []
	cancel(pooler.port, key_of(5, 0))
	assert fake_peer.has_nothing()


def test_a_ring_of_processes_ends(start_pooler, hold_port):
	port = hold_port()
	pooler = start_pooler(listen_port=port, peer_id=1, peers={5: f"host=127.0.0.1 port={port}"}, log_disconnections=1)
	cancel(port, key_of(5))
	assert pooler.log().count("closing because: cancel request") == 4
	assert pooler.serves()


@pytest.mark.parametrize("size", [9, 36, 260])
def test_long_keys_are_passed_on_whole(start_pooler, fake_peer, size):
	pooler = start_pooler(peer_id=1, peers={5: fake_peer.line})
	with ask(pooler, key_of(5, 3, size)):
		assert fake_peer.take() == key_of(5, 2, size)


@pytest.mark.parametrize("own, peer", [(0, 5), (5, 5), (1, 6), (1, 0)], ids=["we have no id", "our own id", "no such peer", "id 0"])
def test_keys_of_nobody_are_passed_on_to_nobody(start_pooler, fake_peer, own, peer):
	pooler = start_pooler(peer_id=own, peers={5: fake_peer.line})
	cancel(pooler.port, key_of(peer))
	assert fake_peer.has_nothing()


def test_a_wrong_key_for_a_peer_changes_nothing(start_group, cluster):
	one, two = start_group(None, None)
	with one.login() as client:
		with cluster.holding():
			client.send(query(HELD))
			until(lambda: cluster.backends("state = 'active' AND query = %s", HELD), what="the query runs")
			for place in (0, 3, 6):
				cancel(two.port, client.key[:place] + bytes([client.key[place] ^ 1]) + client.key[place + 1:])
		assert client.until("Z")[1].row == ("", "untouched")


# Queue, console, reload.


def counts(pooler, peer):
	for row in pooler.console("SHOW PEER_POOLS"):
		if row.pop("peer_id") == peer:
			return row
	return None


def test_a_peers_pool_has_a_size_and_a_queue_in_order(start_pooler, fake_peer):
	pooler = start_pooler(peer_id=1, peers={5: fake_peer.line + " pool_size=1", 7: "host=127.0.0.1"}, cancel_wait_timeout=60)
	assert pooler.console("SHOW PEERS") == [
		{"peer_id": 5, "host": "127.0.0.1", "port": fake_peer.port, "pool_size": 1},
		{"peer_id": 7, "host": "127.0.0.1", "port": 6432, "pool_size": 20}]
	assert pooler.console("SHOW PEER_POOLS") == []
	with ask(pooler, key_of(5)) as first:
		held, sent = fake_peer.next()
		assert sent[4:] == key_of(5, 2)
		with ask(pooler, key_of(5, 2)) as second:
			until(lambda: counts(pooler, 5) == {
				"cl_active_cancel_req": 1, "cl_waiting_cancel_req": 1, "sv_active_cancel": 1, "sv_login": 0}, what="one waits")
			assert fake_peer.has_nothing()
			held.close()
			assert first.ended() == []
			assert fake_peer.take() == key_of(5, 1)
			assert second.ended() == []
	assert set(counts(pooler, 5).values()) == {0}
	assert [row["items"] for row in pooler.console("SHOW LISTS") if row["list"] in ("peers", "peer_pools")] == [2, 1]
	assert counts(pooler, 7) is None


def test_a_request_waits_for_cancel_wait_timeout_and_no_longer(start_pooler, fake_peer):
	pooler = start_pooler(peer_id=1, peers={5: fake_peer.line + " pool_size=1"}, cancel_wait_timeout=0.5)
	with ask(pooler, key_of(5)) as first:
		held, _ = fake_peer.next()
		with ask(pooler, key_of(5)) as second:
			assert second.ended() == []
		assert silence(first.sock, 0.2), "the one that was sent is not concerned"
		held.close()
		assert first.ended() == []
	assert fake_peer.has_nothing()


def test_a_dead_peer_is_told_once_and_delays_nobody(start_pooler, hold_port):
	pooler = start_pooler(peer_id=1, peers={5: f"host=127.0.0.1 port={hold_port()}", 6: "host=nobody.invalid"})
	for _ in range(3):
		cancel(pooler.port, key_of(5))
		cancel(pooler.port, key_of(6))
	assert pooler.log().count("could not pass a cancel request on to peer 5: Connection refused") == 1
	assert pooler.log().count("could not pass a cancel request on to peer 6: ") == 1
	assert pooler.serves()


def test_a_peer_is_found_by_its_name(start_pooler, fake_peer):
	pooler = start_pooler(peer_id=1, peers={5: f"host=localhost port={fake_peer.port}"}, listen_addr="127.0.0.1")
	with ask(pooler, key_of(5)):
		assert fake_peer.take() == key_of(5, 2)


def test_peers_come_and_go_by_a_reload(start_pooler, fake_peer):
	pooler = start_pooler(peer_id=1, cancel_wait_timeout=60)
	cancel(pooler.port, key_of(5))
	assert fake_peer.has_nothing()
	pooler.peers = {5: fake_peer.line + " pool_size=1"}
	pooler.write()
	pooler.console("RELOAD")
	with ask(pooler, key_of(5)) as first:
		held, _ = fake_peer.next()
		with ask(pooler, key_of(5)) as second:
			until(lambda: counts(pooler, 5)["cl_waiting_cancel_req"] == 1, what="one waits")
			pooler.peers = {}
			pooler.write()
			pooler.console("RELOAD")
			assert second.ended() == []
		assert first.ended() == []
	held.close()
	assert pooler.console("SHOW PEERS") == pooler.console("SHOW PEER_POOLS") == []
	assert fake_peer.has_nothing()


def test_clients_of_before_are_cancelled_after_the_id_was_given(start_pooler, cluster):
	pooler = start_pooler()
	with pooler.login() as client:
		pooler.settings["peer_id"] = 9
		pooler.write()
		pooler.console("RELOAD")
		check_canceled(cluster, client, pooler)


def test_racing_cancels_through_the_wrong_process_hit_only_the_queries_that_were_meant(start_group, cluster):
	with LongRoad(cluster) as road:
		group = start_group(None, None, threads=2, default_pool_size=3, databases={"app": road.line})
		Party(*group).run(300, 100)
		for pooler in group:
			is_calm(pooler)
