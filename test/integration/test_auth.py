"""Who gets in, how, and what the others are told."""

import errno
import socket
import struct

import pytest

from told import refusal
from waiting import until
from wire import (CANCEL_REQUEST, GSSENC_REQUEST, PROTOCOL_3_0, PROTOCOL_3_2, SSL_REQUEST, Message, Scram, ServerError, Wire, cancel, md5_secret,
	message, query, startup, startup_raw, types)

METHODS = {"plain": 3, "md5": 5, "scram-sha-256": 10}


@pytest.fixture(scope="module")
def poolers(start_shared):
	"""One pooler per method, started when first asked for."""
	made = {}

	def by_method(method):
		if method not in made:
			made[method] = start_shared(auth_type=method)
		return made[method]

	return by_method


@pytest.fixture(scope="module")
def trusting(poolers):
	return poolers("trust")


def is_let_in(pooler):
	try:
		pooler.login().close()
		return True
	except ServerError:
		return False


# Methods

@pytest.mark.parametrize("method", METHODS)
def test_right_password_gets_in(poolers, method):
	with poolers(method).login("app") as w:
		assert w.value("SELECT current_user") == "app"
		assert struct.unpack("!I", w.greeting[0].body[:4])[0] == METHODS[method]


@pytest.mark.parametrize("method", METHODS)
def test_wrong_password_and_missing_user_look_the_same(poolers, method):
	def story(user, password):
		with poolers(method).wire() as w:
			with pytest.raises(ServerError):
				w.login(user, "app", password)
			shapes = [(m.type, len(m.body) if m.type == "R" else m.body) for m in w.greeting]
			return shapes + w.ended()

	wrong, missing = story("app", "wrong"), story("nobody_like_that", "wrong")
	assert wrong == missing
	last = Message(*wrong[-1])
	assert (last.severity, last.code) == ("FATAL", "08P01")
	assert last.text == ("SASL authentication failed" if method.startswith("scram") else "password authentication failed")


@pytest.mark.parametrize("method", METHODS)
def test_empty_password_is_refused(poolers, method):
	assert refusal(poolers(method), password="").severity == "FATAL"


@pytest.mark.parametrize("method", ["plain", "md5", pytest.param("scram-sha-256", marks=pytest.mark.pgweir)])
def test_user_without_a_secret_does_not_get_in_by_an_empty_password(poolers, method):
	assert refusal(poolers(method), user="free_user", password="").severity == "FATAL"


def test_missing_user_sees_the_same_salt_each_time(poolers):
	def salt(user):
		with poolers("scram-sha-256").wire() as w:
			w.begin(user, "app").read()
			first = Scram("x").first()
			w.send(message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
			attributes = dict(part.split(b"=", 1) for part in w.read().body[4:].split(b","))
			return attributes[b"s"], attributes[b"i"]

	assert salt("nobody_like_that") == salt("nobody_like_that")
	assert salt("nobody_like_that") != salt("nobody_like_this")
	assert salt("nobody_like_that")[1] == salt("app")[1]


def test_trust_needs_no_password_but_a_listed_user(trusting):
	with trusting.login("app", password="whatever") as w:
		assert types(w.greeting[:1]) == "R" and w.greeting[0].body == b"\0\0\0\0"
	assert refusal(trusting, user="nobody_like_that").text == '"trust" authentication failed'


def test_any_lets_everybody_in_as_the_forced_user(start_pooler):
	pooler = start_pooler(auth_type="any", databases={"app": "HERE user=app password=app"})
	with pooler.login("anybody at all", "app", "") as w:
		assert w.value("SELECT current_user") == "app"


@pytest.mark.parametrize("user", ["app", "plain_user", "md5_user", "free_user"])
def test_server_login_by_each_method_of_the_server(trusting, user):
	with trusting.login(user) as w:
		assert w.value("SELECT current_user") == user


def test_scram_verifier_is_passed_through_to_the_server(start_pooler, cluster):
	verifier = cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
	assert verifier.startswith("SCRAM-SHA-256$")
	pooler = start_pooler(auth_type="scram-sha-256", secrets={"app": verifier})
	with pooler.login("app") as w:
		assert w.value("SELECT current_user") == "app"
	assert refusal(pooler, password="wrong").text == "SASL authentication failed"
	pooler.console("RECONNECT")
	with pooler.login("app") as w:
		assert w.value("SELECT current_user") == "app"


def test_scram_verifier_turns_md5_into_scram(start_pooler, cluster):
	verifier = cluster.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
	pooler = start_pooler(auth_type="md5", secrets={"app": verifier})
	with pooler.login("app") as w:
		assert w.greeting[0].body[:4] == struct.pack("!I", 10)
		assert w.value("SELECT current_user") == "app"


@pytest.mark.parametrize("method", ["plain", "md5"])
def test_md5_hash_serves_clients_and_an_md5_server(start_pooler, method):
	pooler = start_pooler(auth_type=method, secrets={"md5_user": md5_secret("md5_user", "md5")})
	with pooler.login("md5_user") as w:
		assert w.value("SELECT current_user") == "md5_user"
	assert refusal(pooler, user="md5_user", password="wrong").text == "password authentication failed"


def test_md5_hash_cannot_answer_scram(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256", secrets={"app": md5_secret("app", "app")})
	assert refusal(pooler).text == "SASL authentication failed"


def test_passwords_may_be_long_and_contain_anything(start_pooler):
	odd = 'quote" and \'more\' ' + "é" * 1000
	pooler = start_pooler(auth_type="plain", secrets={"odd": odd}, databases={"app": "HERE user=app password=app"})
	with pooler.login("odd", password=odd) as w:
		assert w.value("SELECT current_user") == "app"
	assert refusal(pooler, user="odd", password=odd[:-1]).text == "password authentication failed"


# SCRAM, wrong at each field

FIRST = {
	"empty": b"", "only a header": b"n,,", "no channel flag": b",,n=,r=abcd", "channel binding asked for": b"p=tls-unique,,n=,r=abcd",
	"authorization identity": b"n,a=x,n=,r=abcd", "extension": b"n,,m=1,n=,r=abcd", "unprintable nonce": b"n,,n=,r=ab\x01cd",
	"no nonce": b"n,,n=", "text": b"hello"}


@pytest.mark.parametrize("wrong", FIRST)
def test_malformed_first_scram_message_fails(poolers, wrong):
	pooler = poolers("scram-sha-256")
	with pooler.wire() as w:
		w.begin("app").read()
		w.send(message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(FIRST[wrong])) + FIRST[wrong]))
		said = w.ended()
	assert types(said) == "E" and said[0].text == "SASL authentication failed"
	assert pooler.serves()


FINAL = {
	"empty": lambda good: b"", "no proof": lambda good: good.rpartition(b",p=")[0], "proof of another length": lambda good: good[:-8] + b"AAA=",
	"proof not base64": lambda good: good.rpartition(b",p=")[0] + b",p=!!!!", "other channel": lambda good: good.replace(b"c=biws", b"c=eSws"),
	"no nonce": lambda good: b"c=biws,p=" + good.rpartition(b",p=")[2], "other nonce": lambda good: good.replace(b"r=", b"r=A"),
	"something after the proof": lambda good: good + b",x=1", "one wrong bit": lambda good: good[:-3] + bytes([good[-3] ^ 1]) + good[-2:]}


@pytest.mark.parametrize("wrong", FINAL)
def test_malformed_final_scram_message_fails(poolers, wrong):
	pooler = poolers("scram-sha-256")
	with pooler.wire() as w:
		w.begin("app").read()
		scram = Scram("app")
		w.send(message("p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(scram.first())) + scram.first()))
		w.send(message("p", FINAL[wrong](scram.final(w.read().body[4:]))))
		said = w.ended()
	assert types(said) == "E" and said[0].text == "SASL authentication failed"
	assert pooler.serves()


def test_unknown_scram_mechanism_is_refused(poolers):
	with poolers("scram-sha-256").wire() as w:
		w.begin("app").read()
		w.send(message("p", b"SCRAM-SHA-256-PLUS\0" + struct.pack("!i", 3) + b"n,,"))
		said = w.ended()
	assert said[0].text == "client selected an invalid SASL authentication mechanism"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wrong, expected", [
	(struct.pack("!ci", b"p", 0), "bad packet header: '7000000000'"),
	(struct.pack("!ci", b"p", -1), "bad packet header: '70ffffffff'"),
	(struct.pack("!ci", b"p", 2**31 - 1), "bad packet header: '707fffffff'"),
	(startup(user="admin", database="pgbouncer"), "client re-sent startup pkt"),
	(query("SELECT 1"), None),
	(message("X"), None),
	(message("p", b"no end"), None),
	(message("p", b""), None),
], ids=["length 0", "negative length", "largest length", "second start-up", "query", "terminate", "password without end", "nothing"])
def test_anything_but_a_password_ends_the_login(poolers, method, wrong, expected):
	pooler = poolers(method)
	with pooler.wire() as w:
		w.begin("app").read()
		w.send(wrong)
		w.sock.shutdown(1)
		said = w.ended()
	assert types(said) in (["E"] if expected else ["", "E"])
	if expected:
		assert (said[0].severity, said[0].text) == ("FATAL", expected)
	assert pooler.is_alive() and pooler.serves()


# Limits and names

def test_clients_beyond_max_client_conn_are_told_and_the_console_still_opens(start_pooler):
	pooler = start_pooler(max_client_conn=2)
	with pooler.login(), pooler.login():
		said = refusal(pooler)
		assert (said.severity, said.code, said.text) == ("FATAL", "08P01", "no more connections allowed (max_client_conn)")
		assert pooler.console("SHOW VERSION")
	until(lambda: is_let_in(pooler), what="there is room again")


def test_client_limits_of_database_and_user_are_kept(start_pooler):
	pooler = start_pooler(databases={"app": "HERE max_db_client_connections=1", "second": "HERE"}, users={"other": "max_user_client_connections=1"})
	with pooler.login():
		assert refusal(pooler).text == "client connections exceeded (max_db_client_connections)"
	with pooler.login("other", "second"):
		assert refusal(pooler, "other", "second", "other").text == "client connections exceeded (max_user_client_connections)"


@pytest.mark.parametrize("method", ["trust", *METHODS])
def test_unknown_database_is_told_after_authentication_only(poolers, method):
	said = refusal(poolers(method), database="nowhere")
	assert (said.severity, said.code, said.text) == ("FATAL", "08P01", "no such database: nowhere")
	if method != "trust":
		assert "nowhere" not in refusal(poolers(method), database="nowhere", password="wrong").text


def test_database_defaults_to_the_users_name(trusting):
	with trusting.wire() as w:
		w.send(startup(user="app"))
		w.finish_login("app", "app")
		assert w.value("SELECT current_database()") == "app"


@pytest.mark.pgweir
def test_without_descriptors_accepting_pauses_and_clients_go_on(start_pooler):
	pooler = start_pooler(descriptors=80, max_client_conn=1000, default_pool_size=3, tcp_defer_accept=0)
	clients = [pooler.login()]
	crowd = [socket.create_connection(("127.0.0.1", pooler.port)) for _ in range(100)]
	try:
		pooler.wait_log("(?i)too many open files|descriptors")
		for _ in range(20):
			assert clients[0].value("SELECT 'goes on'") == "goes on"
		lines = [line for line in pooler.log().splitlines() if "too many open files" in line.lower()]
		assert len(lines) <= 2
	finally:
		for s in crowd:
			s.close()
	assert pooler.serves()
	clients[0].close()


# Start-up messages

def reply(pooler, *parts):
	with pooler.wire() as w:
		w.send(*parts)
		try:
			w.sock.shutdown(1)
		except OSError:
			pass  # refused and closed already
		return w.ended()


def bare(body):
	return startup_raw(struct.pack("!I", PROTOCOL_3_0) + body)


LAYOUT = "invalid startup packet layout: expected terminator as last byte"
HEADER = "bad packet header: '"

REFUSED = {
	"length 0": (struct.pack("!iI", 0, PROTOCOL_3_0), HEADER + "0000000000030000'"),
	"length 7": (struct.pack("!iI", 7, PROTOCOL_3_0), HEADER + "0000000700030000'"),
	"negative length": (struct.pack("!iI", -1, PROTOCOL_3_0), HEADER + "ffffffff00030000'"),
	"most negative length": (struct.pack("!iI", -2**31, PROTOCOL_3_0), HEADER + "8000000000030000'"),
	"largest length": (struct.pack("!iI", 2**31 - 1, PROTOCOL_3_0), HEADER + "7fffffff00030000'"),
	"two megabytes": (struct.pack("!iI", 2000000, PROTOCOL_3_0), HEADER + "001e848000030000'"),
	"protocol 2": (struct.pack("!iI", 296, 2 << 16) + bytes(288), "old V2 protocol not supported"),
	"protocol 1": (startup(1 << 16, user="app"), HEADER),
	"protocol 4": (startup(4 << 16, user="app"), HEADER),
	"no user": (startup(database="app"), "no username supplied"),
	"empty user": (startup(user="", database="app"), "no username supplied"),
	"no content": (bare(b""), LAYOUT),
	"no terminator": (bare(b"user\0app\0"), LAYOUT),
	"no terminator at all": (bare(b"user\0app"), LAYOUT),
	"name without value": (bare(b"user\0app\0database\0"), LAYOUT),
	"something after the terminator": (bare(b"user\0app\0\0more"), LAYOUT),
	"two terminators": (bare(b"user\0app\0\0\0"), LAYOUT),
	"10,000 parameters": (startup(user="app", **{f"p{n}": "x" for n in range(10000)}), HEADER),
	"10,000 protocol extensions": (startup(user="app", **{f"_pq_.p{n}": "x" for n in range(10000)}), HEADER),
	"10,000 times the same": (bare(b"user\0app\0" + b"application_name\0x\0" * 10000 + b"\0"), HEADER),
	"user name of 64 kB": (startup(user="u" * 65536), HEADER),
	"database name of 64 kB": (startup(user="app", database="d" * 65536), HEADER),
	"parameter name of 64 kB": (startup(user="app", **{"n" * 65536: "v"}), HEADER),
	"application name of 64 kB": (startup(user="app", application_name="n" * 65536), HEADER),
	"user name of 128 bytes": (startup(user="u" * 128), "username too long"),
	"parameter that nobody knows": (startup(user="app", work_mem="1"), "unsupported startup parameter: work_mem"),
	"option that nobody knows": (startup(user="app", options="-c work_mem=1"), "unsupported startup parameter in options: work_mem"),
	"option without a name": (startup(user="app", options="-c="), "unsupported startup parameter in options: "),
	"option of another form": (startup(user="app", options="-B 5"),
		"unsupported options startup parameter: only '-c config=val' and '--config=val' are allowed"),
	"start-up behind SSLRequest": (struct.pack("!iI", 8, SSL_REQUEST) + startup(user="app"), "received unencrypted data after SSL request"),
	"start-up behind GSSENCRequest": (struct.pack("!iI", 8, GSSENC_REQUEST) + startup(user="app"),
		"received unencrypted data after GSSAPI encryption request"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_wrong_startup_gets_the_documented_error(trusting, wrong):
	data, expected = REFUSED[wrong]
	try:
		said = reply(trusting, data)
	except OSError as e:
		assert e.errno in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
		said = []  # refused before everything was sent, which only the large ones may meet
		assert len(data) > 65536
	if said or len(data) <= 65536:
		assert types(said).lstrip("N") == "E", said
		assert (said[-1].severity, said[-1].code) == ("FATAL", "08P01")
		assert said[-1].text.startswith(expected)
	assert trusting.is_alive() and trusting.serves()


@pytest.mark.parametrize("cut", [1, 3, 4, 7, 8, 9, 20])
def test_truncated_startup_leaves_the_pooler_well(trusting, cut):
	assert types(reply(trusting, startup(user="app", database="app")[:cut])) in ("", "E")
	assert trusting.is_alive() and trusting.serves()


@pytest.mark.parametrize("data", [query("SELECT 1"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n",
	bytes.fromhex("1603010200010001fc0303") + bytes(500)], ids=["query", "HTTP", "SSH", "TLS"])
def test_anything_else_before_the_startup_message_ends_the_connection(trusting, data):
	assert types(reply(trusting, data)) in ("", "E")
	assert trusting.is_alive() and trusting.serves()


@pytest.mark.parametrize("size", [0, 7, 9, 300])
def test_cancel_request_with_a_key_of_a_wrong_size_is_closed_without_a_word(trusting, size):
	assert types(reply(trusting, struct.pack("!iI", 8 + size, CANCEL_REQUEST) + bytes(size))) in ("", "E")
	assert trusting.is_alive() and trusting.serves()


@pytest.mark.parametrize("request_code", [SSL_REQUEST, GSSENC_REQUEST], ids=["SSLRequest", "GSSENCRequest"])
def test_encryption_is_declined_and_login_goes_on(trusting, request_code):
	with trusting.wire() as w:
		w.send(struct.pack("!iI", 8, request_code))
		assert w.take(1) == b"N"
		assert w.login("app").value("SELECT 1") == "1"


def test_gssapi_and_then_tls_may_both_be_declined(trusting):
	with trusting.wire() as w:
		for code in (GSSENC_REQUEST, SSL_REQUEST):
			w.send(struct.pack("!iI", 8, code))
			assert w.take(1) == b"N"
		assert w.login("app").value("SELECT 1") == "1"


def negotiated(m):
	version, count = struct.unpack_from("!II", m.body)
	return version, count, m.body[8:]


@pytest.mark.pgweir # PgBouncer speaks 3.0 only
@pytest.mark.parametrize("asked, spoken", [(PROTOCOL_3_0, None), (PROTOCOL_3_0 + 1, None), (PROTOCOL_3_2, None),
	(PROTOCOL_3_0 + 3, PROTOCOL_3_2), (PROTOCOL_3_0 + 9999, PROTOCOL_3_2)])
def test_clients_get_the_version_that_they_ask_for_up_to_3_2(trusting, asked, spoken):
	with trusting.wire() as w:
		w.begin("app", version=asked)
		w.finish_login("app", "app")
		told = [m for m in w.greeting if m.type == "v"]
		assert [negotiated(m) for m in told] == ([(spoken, 0, b"")] if spoken else [])
		assert w.value("SELECT 1") == "1"
		w.send(query("SELECT pg_sleep(60)"))
		until(lambda: trusting.cluster.backends("query LIKE '%%sleep(60)%%' AND state = 'active'") == 1, what="it runs")
		cancel(trusting.port, w.key)
		assert w.until("Z")[-2].code == "57014"


def test_unknown_protocol_extensions_are_listed_once(trusting):
	with trusting.wire() as w:
		w.begin("app", **{"_pq_.one": "1", "_pq_.two": "x"})
		w.finish_login("app", "app")
		told = [m for m in w.greeting if m.type == "v"]
		assert [negotiated(m) for m in told] == [(PROTOCOL_3_0, 2, b"_pq_.one\0_pq_.two\0")]


def test_ignored_startup_parameters_are_ignored(start_pooler):
	pooler = start_pooler(ignore_startup_parameters="extra_float_digits, work_mem, options")
	with pooler.login(extra_float_digits="3", work_mem="1MB", options="-c search_path=x -c statement_timeout=5") as w:
		assert w.value("SHOW work_mem") != "1MB"
	assert refusal(pooler, foo="1").text == "unsupported startup parameter: foo"


def test_options_set_tracked_parameters(trusting):
	with trusting.login(options="-c TimeZone=Asia/Tokyo --application_name=two\\ words -c DateStyle=German") as w:
		assert w.value("SHOW TimeZone") == "Asia/Tokyo"
		assert w.value("SHOW application_name") == "two words"
		assert w.value("SHOW DateStyle").startswith("German")
		assert w.parameters["application_name"] == "two words"


def test_parameter_names_may_be_in_any_case(trusting):
	with trusting.login(timezone="Asia/Tokyo", DATESTYLE="German") as w:
		assert w.value("SHOW TimeZone") == "Asia/Tokyo"


def test_login_reply_has_the_servers_parameters_ours_and_a_key(trusting, cluster):
	with trusting.login(application_name="hello") as w:
		direct = {name: cluster.value(f"SHOW {name}") for name in ("server_version", "server_encoding", "integer_datetimes")}
		assert {name: w.parameters[name] for name in direct} == direct
		assert w.parameters["application_name"] == "hello"
		assert w.parameters["pgbouncer.version"].startswith("1.26.1")
		assert w.parameters["pgbouncer.pool_mode"] == "transaction"
		assert w.parameters["pgbouncer.max_prepared_statements"] == "0"
		assert len(w.key) == 8 and w.key[0] < 128
		order = types(w.greeting)
		assert order.startswith("RS") and order.endswith("KZ")


def test_keys_are_not_repeated(trusting):
	clients = [trusting.login() for _ in range(50)]
	assert len({w.key for w in clients}) == 50
	for w in clients:
		w.close()


def test_login_notify_message_is_a_notice(start_pooler):
	pooler = start_pooler(login_notify_message="Maintenance tonight")
	with pooler.login() as w:
		assert [(m.severity, m.text) for m in w.notices] == [("NOTICE", "Maintenance tonight")]


def test_unix_socket_serves_too(trusting):
	with Wire(trusting.port, trusting.folder).login("app") as w:
		assert w.value("SELECT current_user") == "app"


def test_startup_in_single_bytes_means_the_same(trusting):
	with trusting.wire() as w:
		for byte in startup(user="app", database="app"):
			w.send(bytes([byte]))
		w.finish_login("app", "app")
		assert w.value("SELECT 1") == "1"


def test_connections_that_say_nothing_do_not_keep_others_out(start_pooler):
	pooler = start_pooler()
	silent = [socket.create_connection(("127.0.0.1", pooler.port)) for _ in range(100)]
	try:
		assert pooler.serves()
	finally:
		for s in silent:
			s.close()
	assert pooler.serves()
