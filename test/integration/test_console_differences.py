"""The console and the configuration of pgweir and of PgBouncer 1.26.1, asked the same and held against each other. Every difference
is one of EXPLAINED, with its reason; every reason is met. doc/from-pgbouncer.md tells users the same."""

import re

import pytest

from pooler import is_pgweir, pgbouncer
from wire import Closed, Wire, message, query, types

pytestmark = pytest.mark.pgweir

ROLES = ("admin", "stats")


class Side:
	"""One of the two programs, with a console session of each role that is begun anew when it has ended."""

	def __init__(self, pooler):
		self.pooler = pooler
		self.sessions = {}

	def close(self):
		for session in self.sessions.values():
			session.close()
		self.sessions = {}

	def ask(self, *parts, role="admin"):
		"""What is answered, as far as it can be compared: types, severities, codes, texts, tags; and whether the session ends."""
		if role not in self.sessions:
			self.sessions[role] = self.pooler.login(role, "pgbouncer")
		w, got = self.sessions[role], []
		try:
			w.send(*parts)
			while not got or got[-1].type != "Z":
				got.append(w.read())
		except (Closed, ConnectionError):
			self.sessions.pop(role).close()
		if role not in self.sessions and sum(map(len, parts)) > 65536:
			return ["end"] # what was said before it may be lost with what was not read
		return [comparable(m) for m in got if m.type not in "DT"] + ([] if role in self.sessions else ["end"])

	def run(self, command, role="admin"):
		return self.ask(query(command), role=role)

	def undo(self):
		"""What commands may have left."""
		for command in ("RESUME", "RESUME app", 'RESUME "UPPER"', "ENABLE app", 'ENABLE "UPPER"'):
			self.run(command)

	def rows(self, command):
		if "admin" not in self.sessions:
			self.run("SHOW VERSION")
		return self.sessions["admin"].rows(command)

	def settings(self):
		return {row[0]: row[1] for row in self.rows("SHOW CONFIG")}


def comparable(m):
	if m.type in "EN":
		return f"{m.type} {m.severity} {m.code} {m.text}"
	return f"C {m.tag}" if m.type == "C" else m.type


@pytest.fixture(scope="module")
def sides(start_shared, folder):
	"""PgBouncer, pgweir."""
	options = {"auth_type": "trust", "databases": {"app": "HERE", "second": "HERE dbname=app", "UPPER": "HERE dbname=app"},
		"peers": {"1": "host=127.0.0.1"}, "users": {"app": "pool_size=3"}}
	program = pgbouncer()
	assert program, "PgBouncer cannot be had: build-aux/get-pgbouncer says why"
	both = [Side(start_shared(program=program, **options)), Side(start_shared(threads=2, **options))]
	assert [is_pgweir(side.pooler.command[-1]) for side in both] == [False, True]
	yield both
	for side in both:
		side.close()


def differences(probes, theirs, ours):
	"""One line for each probe that is answered differently; each answer is what a function of the side gives."""
	found = []
	for what, probe in probes:
		answers = [probe(side) for side in (theirs, ours)]
		if answers[0] != answers[1]:
			found.append(f"{what} | {cut(answers[0])} | {cut(answers[1])}")
	return found


def cut(answer):
	text = answer if isinstance(answer, str) else ", ".join(answer)
	return text if len(text) <= 160 else text[:100] + "…" + text[-40:]


def hold_against(explained, found):
	"""Every difference is explained, and every explanation is needed."""
	unexplained = [line for line in found if not any(re.fullmatch(pattern, line) for pattern in explained)]
	needless = [pattern for pattern in explained if not any(re.fullmatch(pattern, line) for line in found)]
	assert not unexplained, "\n".join(["not explained:", *unexplained])
	assert not needless, "\n".join(["explained, but not so:", *needless])


# Commands

VERBS = ("SHOW", "SELECT", "SET", "RELOAD", "PAUSE", "RESUME", "DISABLE", "ENABLE", "RECONNECT", "KILL", "KILL_CLIENT", "WAIT_CLOSE", "SUSPEND",
	"nonsense")
ARGUMENTS = ("", " app", " nowhere", " pgbouncer", ' "app"', ' "UPPER"', " UPPER", " upper", " app;", " app extra", " 'app'", ' ""', " 1", " -1",
	" 99999", " *", " $1", "; app", " " + "x" * 63, " " + "x" * 64, " " + "x" * 70, " x = 1", " = 1", " TO 1", " x TO", " pool_mode = ''")
TOPICS = ("HELP CONFIG DATABASES POOLS CLIENTS SERVERS USERS VERSION PEERS PEER_POOLS SOCKETS ACTIVE_SOCKETS LISTS MEM STATE DNS_HOSTS "
	"DNS_ZONES STATS STATS_TOTALS STATS_AVERAGES TOTALS FDS client_encoding default_transaction_isolation standard_conforming_strings datestyle "
	"timezone extra_float_digits transaction_isolation server_version search_path").split()
OTHERS = ("", " ", ";", "-- ping", ";;", "BEGIN", "SELECT 1", "select version()", "SHUTDOWN nonsense", "SHUTDOWN WAIT_FOR_NOBODY",
	"show version;show version", "\x01\x02", "é", "'", '"', "(", "show 'version'", "RELOAD DNS", "RELOAD now", "DEALLOCATE ALL", "DEALLOCATE app",
	"DISCARD ALL", "RESET ALL", "SET client_encoding = 'x'", "SET timezone to UTC", "SET datestyle = ISO, MDY", "SET DateStyle='ISO'",
	"SET standard_conforming_strings=on", "SET default_transaction_isolation=x", "SET extra_float_digits = 3", "SET application_name = 'x'",
	"SET statement_timeout = 0", "KILL_CLIENT abc", "KILL_CLIENT 0x1", "KILL_CLIENT 99999999999999999999999", "KILL_CLIENT 99999x",
	"SHOW VERSION" + " " * 1000, "SHOW VERSION" + " " * 10000, "SHOW VERSION" + " " * 100000, "SHOW " + "x" * 5000, "x" * 16384, "x" * 1000000,
	" " * 1000000)

# "what | what PgBouncer answers | what pgweir answers", and why
COMMANDS = {
	r'\w+ (RELOAD|PAUSE|RESUME|DISABLE|ENABLE|RECONNECT|KILL|WAIT_CLOSE) "" \| .* \| E ERROR 08P01 (no such database: |invalid command .*|admin access needed), Z':
		"an empty name is not \"all\": KILL \"$DB\" with nothing in it kills nobody",
	r"\w+ SET x{64,70} \| E ERROR 08P01 bad arguments, Z \| E ERROR 08P01 invalid command .*":
		"of a SET without a value the form is judged before the lengths",
	r"admin KILL_CLIENT (0x1|9+x|9{23}) \| E ERROR 08P01 client not found, Z \| E ERROR 08P01 invalid client pointer supplied, Z":
		"identifiers are decimal numbers: PgBouncer takes 5x for 5",
	r"\w+ ( |;|-- ping|) \| E ERROR 08P01 invalid command .*, Z \| I, Z": "pings of drivers",
	r"\w+ DEALLOCATE (ALL|app) \| E ERROR 08P01 invalid command .* \| (C DEALLOCATE ALL|E ERROR 26000 .*), Z": "new commands",
	r"\w+ RELOAD DNS \| E ERROR 08P01 invalid command .* \| (C RELOAD|E ERROR 08P01 admin access needed), Z": "new commands",
	r"\w+ SHOW VERSION {10000} \| E FATAL 08P01 incomplete pkt, end \| C SHOW, Z": "commands of up to 16 KB are read, not of up to 4 KB",
	r"\w+ SHOW x{5000} \| E FATAL 08P01 incomplete pkt, end \| E ERROR 08P01 bad arguments, Z": "commands of up to 16 KB are read, not of up to 4 KB",
	r"\w+ (x+| +|SHOW VERSION +) \| E FATAL 08P01 incomplete pkt, end \| E FATAL 08P01 message is too long, end":
		"commands of up to 16 KB are read, not of up to 4 KB",
}


def command_probes():
	for role in ROLES:
		for command in (*(verb + argument for verb in VERBS for argument in ARGUMENTS), *(f"{verb} {topic}" for verb in ("SHOW", "select") for topic in TOPICS),
				*OTHERS):
			yield f"{role} {command}", lambda side, command=command, role=role: (side.run(command, role), side.undo())[0]


def test_commands_are_answered_alike(sides):
	hold_against(COMMANDS, differences(command_probes(), *sides))


def columns(side, topic):
	side.run("SHOW VERSION")
	answers = side.sessions["admin"].ask(query(f"SHOW {topic}"))
	assert answers[0].type == "T", topic
	return [f"{name}:{oid}:{size}:{table}:{modifier}:{fmt}" for name, oid, size, table, modifier, fmt in answers[0].columns]


def test_every_topic_has_the_same_columns(sides):
	tables = [topic for topic in TOPICS if topic not in ("HELP", "FDS", "extra_float_digits", "transaction_isolation", "server_version", "search_path")]
	assert differences([(topic, lambda side, topic=topic: columns(side, topic)) for topic in tables], *sides) == []


# Bytes

MESSAGES = {"FunctionCall": message("F", b"xx"), "Password": message("p", b"x"), "CopyData": message("d"), "CopyDone": message("c"),
	"CopyFail": message("f", b"x\0"), "Flush": message("H"), "Sync": message("S"), "Describe": message("D", b"Sx\0"), "Close": message("C", b"Sx\0"),
	"Parse": message("P", b"\0show version\0\0\0"), "empty Query": message("Q"), "Query without end": message("Q", b"SHOW VERSION"),
	"Query with more behind": message("Q", b"SHOW VERSION\0x"), "length 1": b"Q\0\0\0\1aaa", "length -1": b"Q\xff\xff\xff\xffaaa", "Terminate": message("X"),
	"zeros": b"\0\0\0\0\0\0\0\0", "unknown type": message("Z"), "type of a server": message("T", b"\0\0"),
	"many Queries": message("Q", b"SHOW VERSION\0") * 100, "TLS hello": b"\x16\3\1\2\0\1\0\1\xfc", "HTTP": b"GET / HTTP/1.1\r\n\r\n"}

BYTES = {
	r"(Flush|Sync|Describe|Close|Parse) \| E ERROR 08P01 (unsupported packet type for admin console: \d+|extended query protocol not supported by admin console), "
		r"Z, E FATAL 08P01 bad packet, end \| .*": "the extended protocol is spoken",
	r"Query with more behind \| C SHOW, Z, C SHOW, Z, end \| E FATAL 08P01 incomplete query, end": "a malformed Query is not run",
	r"length -?1 \| E FATAL 08P01 bad packet header: '\w{16}', end \| E FATAL 08P01 bad packet header: '\w{10}', end":
		"of a header its five bytes are shown, not what stands behind; a type that does not exist is told before its length is looked at",
	r"(zeros|TLS hello|HTTP) \| E FATAL 08P01 .*, end \| E FATAL 08P01 unknown pkt, end":
		"of a header its five bytes are shown, not what stands behind; a type that does not exist is told before its length is looked at",
}


def told_for(side, data):
	with side.pooler.login("admin", "pgbouncer") as w:
		w.send(data, query("SHOW VERSION"), message("X"))
		return [comparable(m) for m in w.ended() if m.type not in "DT"] + ["end"]


def test_bytes_are_answered_alike(sides):
	hold_against(BYTES, differences([(what, lambda side, data=data: told_for(side, data)) for what, data in MESSAGES.items()], *sides))


# Settings

VALUES = ("", "0", "1", "-1", "007", "0x10", "1.5", ".5", "1e3", "nan", "abc", "yes", "on", "99999999999", "2147483647", "2147483648", "4294967295",
	"-2147483649", "5s", " 5 ", "disable", "session", "md5", "a" * 200)

# would end the session that asks, lead the next RELOAD elsewhere, or make files
NOT_SET = {"conffile", "logfile", "max_packet_size"}

BOOLEANS = ("application_name_add_host|log_connections|log_disconnections|log_pooler_errors|log_stats|server_fast_close|server_reset_query_always|"
	"server_round_robin|syslog|tcp_keepalive")
TIMES = r"\w+_(timeout|delay|ttl|period|lifetime|retry)"

SETTINGS = {
	r"\w+ '(-1|99999999999|2147483648|4294967295|-2147483649)' \| -?\d+ \| refused":
		"numbers below 0, or beyond 32 bits, which PgBouncer turns into others",
	r"auth_ldap_options '.+' \| .* \| refused":
		"what is no LDAP option is refused when it is set",
	rf"({BOOLEANS}) '(007|0x10|2147483647)' \| \d+ \| refused": "0 and 1 are the booleans",
	r"(scram_iterations|stats_period) '0' \| 0 \| refused": "a number of iterations, of peers, of seconds that there cannot be",
	r"peer_id '2147483647' \| 2147483647 \| refused": "a number of iterations, of peers, of seconds that there cannot be",
	rf"{TIMES} '(0x10|nan)' \| (16|9.22337e\+12) \| refused": "times are decimal numbers",
	r"\w+ '.*' \| accepted \| accepted, N NOTICE 00000 parameter \"\w+\" cannot be changed without a restart":
		"what needs a restart says so, and must still make sense",
	r"(disable_pqexec|listen_backlog|listen_port|pkt_buf|so_reuseport|tcp_defer_accept|unix_socket_mode) '.*' \| accepted \| refused":
		"what needs a restart says so, and must still make sense",
	r"(client|server)_tls\w+ '.*' \| .* \| refused": "what TLS cannot be set up with is refused, not kept for later",
}


def setting_probe(name, value, changeable):
	def probe(side):
		told = side.run(f"SET {name} = '{value}'")
		if not told[-2:-1] == [f"C SET {name}={value}"]:
			answer = ["refused"] if told[-2:-1] == ["E ERROR 08P01 SET failed"] else told
		else:
			answer = [side.settings()[name] if changeable else "accepted", *told[:-2]]
		assert side.run("RELOAD")[0] == "C RELOAD"
		return answer
	return probe


def setting_probes(side):
	for name, _, _, changeable in side.rows("SHOW CONFIG"):
		for value in VALUES if name not in NOT_SET else ():
			yield f"{name} '{value}'", setting_probe(name, value, changeable == "yes")


def test_settings_take_the_same_values(sides):
	hold_against(SETTINGS, differences(setting_probes(sides[0]), *sides))


# Entries of [databases], [users] and [peers]

WORDS = ("''", "0", "1", "-1", "007", "0x10", "1.5", "abc", "99999999999", "5s", "session", "disable", "'a b'", "'a''b'", "x" * 100)
DATABASE_KEYS = ("dbname host port user password auth_user auth_query auth_dbname pool_size min_pool_size reserve_pool_size reserve_pool max_db_connections "
	"max_db_client_connections server_lifetime query_wait_timeout pool_mode load_balance_hosts connect_query client_encoding datestyle timezone "
	"application_name nonsense").split()
USER_KEYS = ("pool_mode pool_size reserve_pool_size max_user_connections max_user_client_connections query_timeout transaction_timeout "
	"idle_transaction_timeout client_idle_timeout query_wait_timeout nonsense").split()
PEER_KEYS = "host port pool_size nonsense".split()

ENTRIES = {
	r"\w+ (port|\w+_size|reserve_pool|max_\w+|server_lifetime|\w+_timeout)=(0x10|1.5|abc|9{11}|5s|session|disable|'a b'|'a''b'|x+) \| .* \| refused":
		"a number is a number: PgBouncer takes its first digits, or 0, or what is left of it in 32 bits",
	r"(databases|peers) port=-1 \| .* \| refused": "a number is a number: PgBouncer takes its first digits, or 0, or what is left of it in 32 bits",
	r"databases server_lifetime=-1 \| .* -?\d+ None None( 0){6} \| .* 3600 None None( 0){6}":
		"below 0 is unset here as elsewhere, where PgBouncer takes what happens to be in memory",
}


def entry_probe(section, name, line, topic):
	"""Whether a reload takes this entry, and how it is shown then."""
	def probe(side):
		pooler = side.pooler
		pooler.write(f"{pooler.text()}[{section}]\n{name} = {line}\n")
		told = side.run("RELOAD")
		row = [str(value) for value in next((row for row in side.rows(f"SHOW {topic}") if row[0] == name), ())]
		pooler.write()
		assert side.run("RELOAD")[0] == "C RELOAD"
		return [" ".join(row)] if "C RELOAD" in told else ["refused"]
	return probe


def entry_probes():
	for section, topic, name, base, keys in (("databases", "DATABASES", "tried", "host=127.0.0.1 ", DATABASE_KEYS), ("users", "USERS", "tried", "", USER_KEYS),
			("peers", "PEERS", "7", "host=127.0.0.1 ", PEER_KEYS)):
		for key in keys:
			for word in WORDS:
				line = base.replace("host=127.0.0.1 ", "") if key == "host" else base
				yield f"{section} {key}={word}", entry_probe(section, name, f"{line}{key}={word}", topic)


def test_entries_take_the_same_values(sides):
	hold_against(ENTRIES, differences(entry_probes(), *sides))


# Lines of the file

LINES = ("", "; comment", "# comment", "  # comment", "key", "= value", "key value", "pool_mode", "pool_mode =", "pool_mode = session ; why", "pool_mode=SESSION",
	"POOL_MODE = session", "'pool_mode' = session", '"pool_mode" = session', "pool_mode : session", "pool_mode = 'session'", "[users]", "[nonsense]", "[users", "users]", "[ users ]",
	"[users] ; comment", "[users] x", "[pgbouncer]", "%include", "%include ", "%include /nowhere", "%include /", "%Include /dev/null", "%include /dev/null",
	"%include '/dev/null'", "nonsense = 1", "nonsense =", "suspend_timeout = 10", "service_name = x", "default_pool_size = 5\ndefault_pool_size = 6",
	"default_pool_size = 5 6", "max_client_conn = 10\\", "\u00e9 = 1", "default_pool_size\t=\t7", "default_pool_size=8\r", "\ufeffdefault_pool_size=8", "default_pool_size=\x0b8",
	"[databases]\n'a b' = host=127.0.0.1", '[databases]\n"a b" = host=127.0.0.1', "[databases]\na b = host=127.0.0.1", "[databases]\na/b = host=127.0.0.1",
	"[databases]\npgbouncer = host=127.0.0.1", "[databases]\n* = host=127.0.0.1", "[databases]\na =", "[databases]\na", "[databases]\n" + "n" * 63 + " =",
	"[databases]\n" + "n" * 64 + " =", "[databases]\na = host = 127.0.0.1", "[databases]\na = host=127.0.0.1, port=1", "[databases]\na = host=127.0.0.1;port=1",
	"[databases]\na = host='127.0.0.1", "[databases]\na = host", "[databases]\na = host=", "[databases]\na = host=h port=1 port=2", "[databases]\na = HOST=h",
	"[users]\nu =", "[users]\nu", "[users]\n* = pool_size=1", "[peers]\n1 = host=h", "[peers]\n0 = host=h", "[peers]\nx = host=h", "[peers]\n65535 = host=h",
	"[peers]\n65536 = host=h", "[peers]\n16384 = host=h", "[peers]\n2 = port=1")

FILES = {
	r"""'"pool_mode" = session' \| refused \| 20, UPPER, app, pgbouncer, second""": "double quotes, as PgBouncer's manual has it",
	r"""'\[databases\]\\n"a b" = host=127.0.0.1' \| refused \| 20, UPPER, a b, app, pgbouncer, second""": "double quotes, as PgBouncer's manual has it",
	r"'%include /' \| 20, UPPER, app, pgbouncer, second \| refused": "a directory is no file",
	r"'service_name = x' \| refused \| 20, UPPER, app, pgbouncer, second": "of PgBouncer for Windows",
	r"'suspend_timeout = 10' \| refused \| 20, UPPER, app, pgbouncer, second": "of PgBouncer 1.25",
	r"'\[databases\]\\na = host=127.0.0.1, port=1' \| 20, UPPER, a, app, pgbouncer, second \| refused": "a list of hosts has no empty one",
}


def line_probe(line):
	def probe(side):
		pooler = side.pooler
		pooler.write(pooler.text() + line + "\n")
		told = side.run("RELOAD")
		shown = [str(side.settings()["default_pool_size"]), *(row[0] for row in side.rows("SHOW DATABASES"))]
		pooler.write()
		assert side.run("RELOAD")[0] == "C RELOAD"
		return shown if "C RELOAD" in told else ["refused"]
	return probe


def test_lines_are_read_alike(sides):
	hold_against(FILES, differences([(repr(line), line_probe(line)) for line in LINES], *sides))


# Lines of the user list: U is the user that a line is about. Behind it comes a line for another one.

USERS = ('"U" "p"', '"U" "p" ""', '"U" "p" # c', '"U""p"', '"U"\t"p"', '  "U" "p"', '"U" "p', '"U" p', "U p", '"U"', '"U" ""', '"" "U"', '"U" "p"x', "# U", "; U",
	"  ; U", '"U" "p""q"', '"U" "p"\r', "", " ", '"U"\n"p"', '"U" "a\nb"', '"a\nU" "p"', '"U","p"', '"U" "p"\n"U" "q"', '"U' + "u" * 120 + '" "p"', '"U' + "u" * 130 + '" "p"',
	'"U" "' + "p" * 2000 + '"', '"U" "' + "p" * 65530 + '"', '"U" "' + "p" * 65534 + '"', '"U" "' + "p" * 65535 + '"', '"pgbouncer" "p"')

LISTS = {
	r".* \| taken, \w+ user, later lines not read \| refused": "a line that is broken refuses the file: PgBouncer keeps those before it, without a word to whoever reloads",
	r"a line of 65540 characters \| taken, no user, later lines not read \| taken, is user, later lines are read": "passwords of up to 65,534 bytes, here as elsewhere",
	r"""'("U"\\n"p"|"U" "a\\nb"|"a\\nU" "p"|"U","p")' \| taken, .* \| refused""": "a line has a name and a secret with blanks between: PgBouncer looks for the next quote, wherever it is",
}


def list_probe(number, line):
	def probe(side):
		pooler, name, later = side.pooler, f"u{number}", f"later{number}"
		pooler.write()
		with open(pooler.userlist, "a", encoding="utf-8", newline="") as f:
			f.write(line.replace("U", name) + f'\n"{later}" "p"\n')
		told = side.run("RELOAD")
		users = {row[0] for row in side.rows("SHOW USERS")}
		pooler.write()
		assert side.run("RELOAD")[0] == "C RELOAD"
		if told[0] != "C RELOAD":
			assert later not in users
			return "refused"
		return f"taken, {'is' if any(name in user for user in users) else 'no'} user, later lines {'are' if later in users else 'not'} read"
	return probe


def test_lines_of_the_user_list_are_read_alike(sides):
	hold_against(LISTS, differences([(repr(line) if len(line) < 100 else f"a line of {len(line)} characters", list_probe(number, line)) for number, line in enumerate(USERS)], *sides))
