"""HTTP: probes through real outages, who may see what, and everything that a stranger can send or leave out."""

import base64
import os
import signal
import socket
import threading

import pytest

from cluster import Cluster
from waiting import Stopwatch, until
from wire import Closed, ServerError
from web import Web, everything, statuses

pytestmark = pytest.mark.pgweir

OK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def web():
	made = Web()
	yield made
	made.close()


@pytest.fixture
def pooler(web, start_pooler):
	return start_pooler(http_listen=web.listen)


def through(gate):
	return {"app": f"host=127.0.0.1 port={gate.port}"}


def fails(pooler, user="app", database="app"):
	"""A client is told that there is no server."""
	with pytest.raises((ServerError, Closed)):
		pooler.login(user, database).value("SELECT 1")


def descriptors(pooler):
	return len(os.listdir(f"/proc/{pooler.pid}/fd"))


def basic(user, password):
	return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# ---- what is answered ----


def test_probes_are_answered(web, pooler):
	for path in ("/livez", "/readyz", "/startupz"):
		answer = web.get(path)
		assert (answer.status, answer.text) == (200, "ok\n")
		assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
		assert answer.headers["Cache-Control"] == "no-store"
		assert answer.headers["X-Content-Type-Options"] == "nosniff"
		assert answer.headers["X-Frame-Options"] == "DENY"
		assert answer.headers["Referrer-Policy"] == "no-referrer"
		assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
		assert answer.headers["Server"] is None
	assert web.get("/readyz", Accept="application/json").json() == {"ready": True, "reasons": []}
	assert "answering HTTP at http://" + web.listen in pooler.log()


def test_head_has_no_body(web, pooler):
	got = web.say(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + LAST)
	assert statuses(got) == [200, 200]
	assert got.count(b"Content-Length: 3\r\n") == 2
	assert got.endswith(b"\r\n\r\nok\n") and got.count(b"ok\n") == 1


def test_liveness_sees_all_threads(web, start_pooler):
	pooler = start_pooler(http_listen=web.listen, threads=3)
	for _ in range(5):
		assert web.status("/livez") == 200
	assert pooler.serves()


# ---- readiness ----


def test_readiness_through_an_outage_and_back(web, folder, start_pooler):
	own = Cluster(folder, "http-outage")
	try:
		own.create()
		pooler = start_pooler(http_listen=web.listen, databases={"app": f"host=127.0.0.1 port={own.port} dbname=postgres"},
			server_down_wait="0.2")
		assert pooler.serves("postgres")
		assert web.status("/readyz") == 200
		own.stop()
		fails(pooler, "postgres")
		answer = web.get("/readyz")
		assert answer.status == 503
		assert answer.text.startswith("database \"app\", user \"postgres\": could not connect to server at \"127.0.0.1\"")
		assert "\tHINT: " in answer.text
		reasons = web.get("/readyz", Accept="application/json").json()
		assert reasons["ready"] is False
		assert reasons["reasons"][0]["code"] == "unreachable"
		assert reasons["reasons"][0]["class"] == "connection_refused"
		assert reasons["reasons"][0]["incident"] in pooler.log()
		assert web.status("/livez") == 200
		own.start()
		# no client comes to a process that is not ready: the probe itself has the server tried again
		until(lambda: web.status("/readyz") == 200, 20, "ready again without any client")
	finally:
		own.stop()


def test_readiness_has_the_line_for_pg_hba(web, hba, start_pooler):
	pooler = start_pooler(http_listen=web.listen)
	hba("local all all trust\nhost all postgres 127.0.0.1/32 trust\n")
	fails(pooler)
	answer = web.get("/readyz")
	assert answer.status == 503
	assert answer.text.startswith('database "app", user "app": no pg_hba.conf entry for host "127.0.0.1", user "app", database "app"')
	assert "\n\t" in answer.text and "127.0.0.1/32" in answer.text
	hba("local all all trust\nhost all all 127.0.0.1/32 trust\n")
	until(lambda: web.status("/readyz") == 200, 20, "ready again without any client")
	assert pooler.serves()


def test_one_database_that_can_be_reached_is_enough(web, gate, cluster, start_pooler):
	pooler = start_pooler(http_listen=web.listen, server_down_wait="0.2",
		databases={"app": "HERE", "gone": f"host=127.0.0.1 port={gate.port} dbname=app"})
	gate.refused()
	fails(pooler, database="gone")
	assert web.status("/readyz") == 503 # the only one that was tried
	assert pooler.serves()
	assert web.status("/readyz") == 200
	assert web.status("/readyz?database=app") == 200
	assert web.status("/readyz?database=gone") == 503
	assert web.status("/readyz?database=none") == 404
	gate.open()
	until(lambda: web.status("/readyz?database=gone") == 200, 20, "it is found by asking for it")


def test_pause_is_told(web, pooler):
	pooler.console("PAUSE app")
	assert web.status("/readyz") == 200
	assert web.status("/readyz?database=app") == 503
	pooler.console("PAUSE second")
	assert web.status("/readyz") == 503
	pooler.console("RESUME second")
	pooler.console("RESUME app")
	assert web.status("/readyz") == 200
	pooler.console("PAUSE")
	answer = web.get("/readyz")
	assert (answer.status, answer.text) == (503, "paused\n\tHINT: RESUME on the console goes on.\n")
	pooler.console("RESUME")
	assert web.status("/readyz") == 200
	pooler.console("KILL")
	assert web.get("/readyz", Accept="application/json").json()["reasons"][0]["code"] == "paused"
	pooler.console("DISABLE app")
	pooler.console("RESUME app")
	assert web.status("/readyz") == 200
	assert web.get("/readyz?database=app").text.startswith("disabled\n")


def test_draining_is_told_until_the_end(web, pooler):
	w = pooler.login()
	pooler.console("SHUTDOWN WAIT_FOR_CLIENTS")
	answer = web.get("/readyz")
	assert (answer.status, answer.text) == (503, "shutting down\n")
	assert web.status("/livez") == 200
	assert w.value("SELECT 1") == "1"
	w.close()
	assert pooler.process.wait(20) == 0
	pooler.process = None
	with pytest.raises(ConnectionRefusedError):
		web.connect()


def test_signal_with_a_delay_reddens_first(web, start_pooler):
	pooler = start_pooler(http_listen=web.listen, drain_delay=60)
	pooler.signal(signal.SIGTERM)
	until(lambda: web.status("/readyz") == 503, what="red as soon as the signal is there")
	assert pooler.serves()


def test_ports_that_are_shared_go_with_the_clients_port(web, start_pooler):
	first = start_pooler(http_listen=web.listen, so_reuseport=1)
	w = first.login()
	second = start_pooler(http_listen=web.listen, so_reuseport=1)
	first.signal(signal.SIGTERM)
	first.wait_log("SIGTERM")
	# each of several connections comes to the second now
	until(lambda: all(web.status("/readyz") == 200 for _ in range(20)), what="only the second answers")
	w.close()
	assert first.process.wait(20) == 0
	first.process = None
	assert second.serves()


# ---- who may ----


# protected, for only what is listed is open; nothing is there
PATH = "/nothing/there"


def test_page_on_loopback_needs_a_host_that_is_ours(web, pooler):
	for host in (f"127.0.0.1:{web.port}", f"localhost:{web.port}", "LOCALHOST", "127.9.9.9", "[::1]:80", "10.0.0.5:1"):
		assert web.status(PATH, Host=host) != 403, host
	for host in ("evil.example", f"evil.example:{web.port}", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:x", "[::1",
			"", "local host", "[::1]x", "@localhost", "0x7f000001.example"):
		assert web.status(PATH, Host=host) == 403, host
		assert web.status("/livez", Host=host) == 200
	assert statuses(web.say(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())) == [403]
	assert statuses(web.say(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n".encode())) == [403]
	# the target wins over the header
	assert statuses(web.say(f"GET http://evil.example{PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())) == [403]


def test_page_elsewhere_wants_a_login(web, start_pooler):
	pooler = start_pooler(http_listen=f"*:{web.port}")
	assert web.status("/livez") == 200
	answer = web.get(PATH)
	assert answer.status == 403
	assert "http_auth_user" in answer.text
	assert "no login is configured for the rest" in pooler.log()


def test_login(web, start_pooler):
	pooler = start_pooler(http_listen=web.listen, http_auth_user="me", http_auth_password="four words: so long")
	assert web.status("/readyz") == 200
	answer = web.get(PATH)
	assert answer.status == 401
	assert answer.headers["WWW-Authenticate"] == 'Basic realm="pgweir", charset="UTF-8"'
	right = basic("me", "four words: so long")
	assert web.status(PATH, Authorization=right, Host="pooler.example") not in (401, 403, 429)
	for wrong in (basic("me", "four words: so lon"), basic("me", "four words: so long "), basic("you", "four words: so long"), basic("", ""),
			"Basic", "Basic !!!!", "Bearer x", "Basic " + "A" * 4000, right[:-4]):
		assert web.status(PATH, Authorization=wrong) in (401, 400), wrong
	assert "so long" not in pooler.log()
	assert "HTTP login from 127.0.0.1 refused" in pooler.log()
	assert pooler.log().count("HTTP login from 127.0.0.1 refused") < 3
	row = [row for row in pooler.console("SHOW CONFIG") if row["key"] == "http_auth_password"][0]
	assert row["value"] == "****"


def test_guessing_is_slow_and_does_not_fill_the_memory(web, start_pooler):
	pooler = start_pooler(http_listen=web.listen, http_auth_user="me", http_auth_password="right")
	with Stopwatch() as watch:
		assert web.status(PATH, Authorization=basic("me", "wrong")) == 401
	assert watch.seconds >= 0.9
	ask = f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('me', 'wrong')}\r\nConnection: close\r\n\r\n".encode()
	guesses = [web.connect() for _ in range(30)]
	for s in guesses:
		s.sendall(ask)
	got = [statuses(everything(s))[0] for s in guesses]
	for s in guesses:
		s.close()
	assert set(got) == {401, 429}
	assert got.count(401) <= 8, got # four a second


def test_reload_changes_the_login_and_keeps_secrets(web, start_pooler):
	pooler = start_pooler(http_listen=web.listen, http_auth_user="me", http_auth_password="first secret")
	pooler.settings["http_auth_password"] = "second secret"
	pooler.write()
	pooler.console("RELOAD")
	assert web.status(PATH, Authorization=basic("me", "second secret")) != 401
	assert web.status(PATH, Authorization=basic("me", "first secret")) == 401
	pooler.wait_log("http_auth_password")
	assert "secret" not in pooler.log().replace("cannot", "")
	pooler.settings["http_auth_user"] = None
	pooler.write()
	with pytest.raises(Exception, match="RELOAD failed"):
		pooler.console("RELOAD")
	assert "http_auth_password is set, but http_auth_user is not" in pooler.log()
	assert web.status(PATH, Authorization=basic("me", "second secret")) != 401


def test_start_fails_where_it_cannot_listen(web, cluster, start_pooler):
	taken = socket.socket()
	taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	taken.bind(("127.0.0.1", web.port))
	taken.listen()
	try:
		with pytest.raises(AssertionError) as caught:
			start_pooler(http_listen=web.listen)
	finally:
		taken.close()
	assert f"cannot answer HTTP at {web.listen}: bind(): Address already in use" in str(caught.value)
	assert "FATAL failed to answer HTTP at" in str(caught.value)


# ---- what strangers send ----

BAD = {
	"nothing": (b"\r\n\r\n\r\n", [400]),
	"noise": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n", [400]),
	"no version": (b"GET /livez\r\n\r\n", [400]),
	"version 9": (b"GET /livez HTTP/9.1\r\n\r\n", [400]),
	"version 0": (b"GET /livez HTTP/0.9\r\nHost: x\r\n\r\n", [505]),
	"negative version": (b"GET /livez HTTP/-1.-1\r\nHost: x\r\n\r\n", [505]),
	"HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
	"PostgreSQL": (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", []),
	"method": (b"BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n", [405]),
	"POST": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b", [405]),
	"OPTIONS": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", [405]),
	"CONNECT": (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", [405]),
	"TRACE": (b"TRACE /livez HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n\r\n", [405]),
	"PATCH, DELETE": (b"DELETE /livez HTTP/1.1\r\nHost: x\r\n\r\n", [405]),
	"body of GET": (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 39\r\n\r\nGET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n", [400]),
	"chunks of GET": (b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
	"length and chunks": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
	"lengths": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", None),
	"negative length": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", None),
	"huge length": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", None),
	"length beyond": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", [413]),
	"expectation": (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: miracles\r\n\r\nabcde", None),
	"long path": (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
	"long header": (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n", [400]),
	"many headers": (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n", [400]),
	"header without colon": (b"GET /livez HTTP/1.1\r\nHost: x\r\nwhatever\r\n\r\n", [400]),
	"blanks before": (b"GET /livez HTTP/1.1\r\n folded: x\r\n\r\n", [400]),
	"NUL in path": (b"GET /live\0z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", None),
	"NUL in header": (b"GET /livez HTTP/1.1\r\nHo\0st: x\r\nConnection: close\r\n\r\n", None),
	"traversal": (b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [404]),
	"escaped traversal": (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [404]),
	"traversal to a route": (b"GET /x/../livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [404]),
	"two slashes": (b"GET //livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", None),
	"escaped route": (b"GET /%6civez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [404]),
	"broken escapes": (b"GET /readyz?database=%zz%1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400]),
	"NUL in a parameter": (b"GET /readyz?database=app%00x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400]),
	"long parameter": (b"GET /readyz?database=" + b"a" * 4000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [400]),
	"absolute": (b"GET http://anywhere.example/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [200]),
	"no path": (b"GET http://127.0.0.1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [404]),
	"other scheme": (b"GET file:///etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [403]),
	"lone newlines": (b"GET /livez HTTP/1.1\nHost: x\nConnection: close\n\n", [200]),
	"version 1.0": (b"GET /livez HTTP/1.0\r\n\r\n", [200]),
	"version 1.7": (b"GET /livez HTTP/1.7\r\nHost: x\r\nConnection: close\r\n\r\n", [200]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests(web, module_pooler_with_web, name):
	web, pooler = module_pooler_with_web
	data, expected = BAD[name]
	got = web.say(data, half_close=True)
	if expected is not None:
		assert statuses(got) == expected, got
	assert all(status in (200, 400, 403, 404, 405, 413, 417, 501, 505) for status in statuses(got)), got
	for secret in (b"root:", b"smuggled", b"Cookie", b"pgweir"):
		assert secret not in got
	assert web.status("/livez") == 200
	assert pooler.serves()


@pytest.fixture(scope="module")
def module_pooler_with_web(start_shared):
	made = Web()
	yield made, start_shared(http_listen=made.listen)
	made.close()


def test_requests_at_every_split(module_pooler_with_web):
	web, _ = module_pooler_with_web
	for cut in range(1, len(LAST)):
		with web.connect() as s:
			s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
			s.sendall(LAST[:cut])
			s.sendall(LAST[cut:])
			assert statuses(everything(s)) == [200]


def test_pipelined_requests_are_answered_in_order(module_pooler_with_web):
	web, _ = module_pooler_with_web
	got = web.say((OK + OK.replace(b"livez", b"nothing").replace(b"x", b"localhost")) * 100 + LAST)
	assert statuses(got) == [200, 404] * 100 + [200]


def test_who_reads_nothing_is_left_behind(module_pooler_with_web):
	"""Requests without end whose answers nobody takes: they are not read any more, and nothing piles up."""
	web, pooler = module_pooler_with_web
	with web.connect(timeout=2) as s:
		s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
		sent = 0
		try:
			while sent < 200_000_000:
				sent += s.send(OK * 1000)
		except (TimeoutError, ConnectionResetError, BrokenPipeError):
			pass
		assert sent < 100_000_000
		assert web.status("/livez") == 200
	assert pooler.serves()


# ---- many, and slow ----


@pytest.fixture
def busy_client(pooler):
	"""A client whose queries go on all the time; gives its longest query so far."""
	stop = threading.Event()
	times, failures = [0.0], []

	def work():
		try:
			conn = pooler.connect()
			cursor = conn.cursor()
			while not stop.is_set():
				with Stopwatch() as watch:
					cursor.execute("SELECT 1")
				times.append(watch.seconds)
			conn.close()
		except Exception as e: # whatever it is, the test shall say so
			failures.append(e)

	thread = threading.Thread(target=work)
	thread.start()
	yield times
	stop.set()
	thread.join()
	assert not failures
	assert len(times) > 10


def test_ten_thousand_silent_connections_are_bounded(web, pooler, busy_client):
	before = descriptors(pooler)
	many, most = [], 0
	for i in range(10000):
		many.append(web.connect())
		if i % 500 == 0:
			most = max(most, descriptors(pooler))
			assert web.status("/livez") == 200 # who asks for something is served at any time
	most = max(most, descriptors(pooler))
	assert 100 < most - before <= 260
	assert pooler.serves()
	assert web.status("/readyz") == 200
	for s in many:
		s.close()
	until(lambda: descriptors(pooler) <= before + 10, what="all are let go")
	assert max(busy_client) < 5


def test_thousands_that_begin_a_request_are_bounded(web, pooler, busy_client):
	before = descriptors(pooler)
	many = []
	for i in range(1000):
		s = web.connect()
		s.sendall(b"GET /livez HTTP/1.1\r\nX: ")
		many.append(s)
		if i % 100 == 99:
			assert web.status("/livez") == 200
	assert descriptors(pooler) - before <= 260
	for s in many:
		s.close()
	assert pooler.serves()


def test_watchers_leave_descriptors_to_clients(web, start_pooler):
	pooler = start_pooler(http_listen=web.listen, descriptors=150, max_client_conn=50)
	strangers = [web.connect() for _ in range(300)]
	try:
		assert web.status("/livez") == 200
		clients = [pooler.login() for _ in range(20)]
		assert [c.value("SELECT 1") for c in clients] == ["1"] * 20
		assert web.status("/livez") == 200
		assert descriptors(pooler) < 75
		assert "accept() failed" not in pooler.log()
	finally:
		for s in strangers:
			s.close()


def test_idle_connections_make_room(web, pooler):
	"""Those that were answered and wait for more go when others come."""
	idle = []
	for _ in range(600):
		s = web.connect()
		s.sendall(OK)
		assert s.recv(12) == b"HTTP/1.1 200"
		idle.append(s)
	assert web.status("/livez") == 200
	for s in idle:
		s.close()


def test_slow_requests_end(web, pooler):
	"""One byte a second does not keep a connection open; one that sends nothing ends as well."""
	silent, slow = web.connect(60), web.connect(60)
	slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
	ended = threading.Event()

	def drip():
		try:
			slow.sendall(b"GET /livez HTTP/1.1\r\n")
			while not ended.wait(0.5):
				slow.sendall(b"X: y\r\n")
		except OSError:
			pass

	thread = threading.Thread(target=drip)
	thread.start()
	with Stopwatch() as watch:
		assert everything(slow) == b""
		assert everything(silent) == b""
	ended.set()
	thread.join()
	slow.close()
	silent.close()
	assert 5 < watch.seconds < 40


def test_connections_go_when_descriptors_run_out(web, start_pooler):
	"""Without descriptors nobody spins, and those who come later are served when there are some again."""
	pooler = start_pooler(http_listen=web.listen, descriptors=64, max_client_conn=10, default_pool_size=2)
	many = []
	for _ in range(80):
		s = web.connect()
		many.append(s)
	before = cpu_seconds(pooler)
	with Stopwatch() as watch:
		until(lambda: watch_more(many), 3.0 + 20, "three seconds have passed")
	assert cpu_seconds(pooler) - before < watch.seconds / 2
	for s in many:
		s.close()
	until(lambda: web.status("/livez") == 200, 20, "served again")
	assert pooler.serves()


def cpu_seconds(pooler):
	with open(f"/proc/{pooler.pid}/stat") as f:
		fields = f.read().rsplit(")", 1)[1].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch_more(many):
	"""Some are let go, for they have said nothing for their time."""
	for s in many:
		s.settimeout(0.01)
		try:
			if s.recv(1) == b"":
				return True
		except TimeoutError:
			continue
		except OSError:
			return True
	return False
