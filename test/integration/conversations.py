"""
Random conversations of a client with PostgreSQL, each a pure function of its seed: what is sent, and what is waited for.

They fit transaction pooling: whatever outlives a transaction is left out (RESET, LISTEN, PREPARE, temporary tables and
cursors that stay, an unnamed statement used without its Parse in the same transaction). No answer depends on time, on
process ids or on what other seeds do: rows belong to a seed. A conversation leaves the session as it found it.
"""

import random
import struct
from typing import NamedTuple

from wire import close, copy_data, copy_done, copy_fail, describe, execute, flush, function_call, message, parse, query, sync, text

SETUP = (
	"CREATE TABLE t (seed int, k int, v text, PRIMARY KEY (seed, k))",
	"CREATE TABLE late (seed int, k int, UNIQUE (seed, k) DEFERRABLE INITIALLY DEFERRED)",
	"CREATE TABLE loose (seed int, k int, v text)",
	"CREATE INDEX ON loose (seed)",
)

# What a client says at login, and what conversations may change; the pooler follows these.
PARAMETERS = {"application_name": "talker", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
	"IntervalStyle": "postgres", "standard_conforming_strings": "on"}
OTHERS = {"application_name": ("a", "it''s", ""), "client_encoding": ("LATIN1", "SQL_ASCII", "UTF8"),
	"DateStyle": ("German", "SQL, DMY", "ISO, YMD"), "TimeZone": ("Europe/Berlin", "Asia/Tokyo"),
	"IntervalStyle": ("iso_8601", "sql_standard"), "standard_conforming_strings": ("off", "on")}


class Wait(NamedTuple):
	"""For so many messages of these types; with `after`, only those that directly follow a message of that type count."""
	kinds: str
	count: int
	after: str = ""


class Step(NamedTuple):
	sent: bytes
	wait: Wait
	unless_error: bool = False # left out when an earlier step of its unit has read an ErrorResponse
	cancel: bool = False # a CancelRequest goes first, over a connection of its own


class Unit(NamedTuple):
	"""Can be left out of a conversation without harm to the rest. A joined one is sent together with what follows."""
	steps: tuple
	joined: bool = False


def exchange(*messages, ready=1):
	return Unit((Step(b"".join(messages), Wait("Z", ready)),))


def bind(values, portal="", name="", formats=()):
	packed = b"".join(struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v for v in values)
	return message("B", text(portal) + text(name) + struct.pack("!HH", 0, len(values)) + packed
		+ struct.pack(f"!H{len(formats)}H", len(formats), *formats))


class Talker:
	"""Makes one conversation."""

	def __init__(self, seed):
		self.seed = seed
		self.dice = random.Random(seed)
		self.pick = self.dice.choice
		self.number = lambda low, high: low + int(self.dice.random() * (high - low + 1))
		self.has_set = False
		self.has_named = False

	def chance(self, share):
		return self.dice.random() < share

	# Statements.

	def statement(self):
		return self.pick(self.STATEMENTS)(self)

	def size(self):
		"""Of a value: mostly small, seldom about a buffer's, very seldom big."""
		x = self.dice.random()
		return self.number(0, 60) if x < 0.9 else self.number(3900, 17000) if x < 0.995 else self.number(60000, 400000) if x < 0.9996 else 3000000

	def constant(self):
		return self.pick((f"SELECT {self.seed}, {self.number(0, 999)} AS x", "SELECT", "SELECT NULL, '', ' ', NULL::int[], NULL::text",
			"SELECT true, 1.5::float8, '\\xdead'::bytea, ARRAY[1,NULL,3], '{\"a\":[1]}'::jsonb", "SELECT 'h\u00e9\u20ac' AS \"h\u00e9\"",
			"SELECT '2024-01-02 03:04:05+00'::timestamptz, date '2024-12-13', interval '1 day 02:03:04'",
			f"VALUES ({self.seed}, 'a'), (2, NULL)", "EXPLAIN (COSTS OFF) SELECT 1", "SELECT 'a\\\\b', E'a\\nb'"))

	def series(self):
		count = self.pick((0, 1, 3, 10)) if self.chance(0.95) else self.number(100, 1500)
		return f"SELECT g, {self.seed}, repeat('x', g % 50) FROM generate_series(1, {count}) g"

	def big(self):
		return f"SELECT repeat('{self.pick('abc')}', {self.size()}), {self.seed}"

	def change(self):
		k, v = self.number(1, 6), "v" * self.size()
		return self.pick((f"INSERT INTO t VALUES ({self.seed}, {k}, '{v}')", f"INSERT INTO t VALUES ({self.seed}, {k}, NULL) ON CONFLICT DO NOTHING",
			f"INSERT INTO t VALUES ({self.seed}, {k}, 'r') RETURNING *", f"UPDATE t SET v = v || 'u' WHERE seed = {self.seed} AND k = {k} RETURNING k, v",
			f"DELETE FROM t WHERE seed = {self.seed} AND k > {k}", f"INSERT INTO late VALUES ({self.seed}, {self.number(1, 2)})"))

	def look(self):
		return self.pick((f"SELECT k, v FROM t WHERE seed = {self.seed} ORDER BY k", f"SELECT count(*) FROM loose WHERE seed = {self.seed}",
			f"SELECT count(*) AS n, sum(k) FROM t WHERE seed = {self.seed}"))

	def mistake(self):
		return self.pick(("SELECT 1/0", "SELEC 1", "SELECT nothing", "SELECT * FROM missing", "SELECT 'a'::int", f"SELECT 'x{self.seed}'::int",
			"SELECT 10/(3-g) FROM generate_series(1, 5) g", "SELECT 'unfinished", "INSERT INTO t VALUES (NULL, 1, 'x')", "SELECT chr(0)",
			"SELECT 1; SELECT 1/0", "SELECT 10000/(700-g), repeat('z', 40) FROM generate_series(1, 1000) g", "SELECT $1"))

	def notice(self):
		return "DO $$ BEGIN " + self.pick((f"RAISE NOTICE 'note %', {self.seed};", "RAISE WARNING 'careful' USING HINT = 'a hint', DETAIL = 'more';",
			"RAISE INFO 'one'; RAISE NOTICE 'two';", "RAISE NOTICE 'before'; RAISE EXCEPTION 'own % error', 7 USING ERRCODE = 'XY001', DETAIL = 'd';",
			f"RAISE NOTICE '%', repeat('n', {self.size()});", "RAISE LOG 'unseen'; RAISE DEBUG 'unseen';", "PERFORM 1/0;")) + " END $$"

	def nothing(self):
		return self.pick(("", " ", ";", "-- nothing", "/* nothing */"))

	def transaction(self):
		return self.pick(("BEGIN", "BEGIN ISOLATION LEVEL SERIALIZABLE", "BEGIN READ ONLY", "START TRANSACTION", "COMMIT", "END", "ROLLBACK",
			"COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO b", "RELEASE a", "RELEASE b"))

	def setting(self):
		name = self.pick(tuple(OTHERS))
		if self.chance(0.4):
			return f"SHOW {name}"
		self.has_set = True
		return f"SET {self.pick(('', 'LOCAL ', 'SESSION '))}{name} TO '{self.pick(OTHERS[name])}'"

	def cursor(self):
		return self.pick(("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 9) g", "DECLARE c SCROLL CURSOR FOR VALUES (1), (2)",
			"FETCH 3 FROM c", "FETCH ALL FROM c", "MOVE 2 FROM c", "FETCH BACKWARD 1 FROM c", "CLOSE c"))

	def temporary(self):
		return "CREATE TEMPORARY TABLE own ON COMMIT DROP AS SELECT 1 AS a, 'x' AS b"

	STATEMENTS = ([constant] * 12 + [series] * 8 + [big] * 4 + [change] * 12 + [look] * 6 + [mistake] * 4 + [notice] * 5 + [nothing] * 3
		+ [transaction] * 8 + [setting] * 6 + [cursor] * 3)

	# Simple queries.

	def simple(self):
		return exchange(query(self.statement()))

	def several(self):
		return exchange(query("; ".join(self.statement() for _ in range(self.number(2, 5)))))

	def following(self):
		"""A parameter is set and is seen wherever the next statements run."""
		self.has_set = True
		name = self.pick(tuple(OTHERS))
		seen = query("SELECT current_setting('application_name'), current_setting('client_encoding'), current_setting('standard_conforming_strings'), "
			"interval '1 day 02:03:04', '2024-01-02 03:04:05+00'::timestamptz")
		return Unit((Step(query(f"SET {name} TO '{self.pick(OTHERS[name])}'"), Wait("Z", 1)), *[Step(seen, Wait("Z", 1))] * self.number(1, 4)))

	def whole_transaction(self):
		"""From BEGIN to its end, with savepoints, errors that are undone, settings that come back, constraints checked at the end."""
		parts = [self.pick(("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"))]
		for _ in range(self.number(1, 4)):
			parts += self.pick((lambda: [self.change()], lambda: [self.look()], lambda: [self.setting()], lambda: [self.constant()],
				lambda: ["SAVEPOINT a", self.mistake(), self.constant(), "ROLLBACK TO a"], lambda: ["SAVEPOINT a", self.change(), "RELEASE a"],
				lambda: ["SAVEPOINT b", self.setting(), self.change(), "ROLLBACK TO b"], lambda: [self.notice()],
				lambda: ["DECLARE c CURSOR FOR " + self.series(), "FETCH 2 FROM c", "MOVE 1 FROM c", "FETCH ALL FROM c", "CLOSE c"],
				lambda: [f"INSERT INTO late VALUES ({self.seed}, 3)"] * self.number(1, 2)))()
		parts.append(self.pick(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK", "COMMIT; BEGIN; SELECT 2; ROLLBACK")))
		sent = [parse(sql) + bind(()) + describe() + execute() + sync() if self.chance(0.4) else query(sql) for sql in parts]
		if self.chance(0.3):
			return exchange(*sent, ready=len(sent))
		return Unit(tuple(Step(one, Wait("Z", 1)) for one in sent))

	def temporary_table(self):
		"""Its OID is another one every time: the only answer that has to be made comparable."""
		return exchange(query("BEGIN"), query(self.temporary()), query("SELECT a, b FROM own"), query(self.pick(("COMMIT", "ROLLBACK"))), ready=4)

	def call(self):
		return exchange(self.function())

	def function(self):
		return self.pick((function_call(177, b"2", b"40"), function_call(154, b"1", b"0"), function_call(2311, b"ABC"),
			function_call(1257, b"A" * self.size()), function_call(177, b"x", b"1"), function_call(177, b"1"), function_call(4294967295, b"1")))

	def cancelled(self):
		"""
		A statement that waits for a lock that somebody holds (Cluster.holding) until it is cancelled. It says first that it runs; in a
		failed transaction it fails at once. Nothing may run behind it: PostgreSQL signals the process and then its group, and the
		second signal may meet what comes next.
		"""
		sql = f"DO $$ BEGIN RAISE NOTICE 'running %', {self.seed}; PERFORM pg_advisory_lock(7); END $$"
		before, behind, rest = self.constant(), self.pick((self.constant, self.change))(), parse(self.constant()) + bind(()) + execute()
		sent = self.pick((query(sql), query(f"{sql}; {behind}"), query(f"{before}; {sql}"), parse(sql) + bind(()) + execute() + sync(),
			rest + parse(sql) + bind(()) + execute() + rest + sync()))
		return Unit((Step(sent, Wait("NE", 1)), Step(b"", Wait("", 0), True, cancel=True), Step(b"", Wait("Z", 1))))

	# Extended protocol.

	def portal(self, suffix=()):
		"""Parse, Bind, Describe and Execute of one statement, right or wrong, without Sync."""
		name = self.pick(("", "", "", "p", "q"))
		if self.chance(0.5):
			sql, oids, values = self.pick((("SELECT $1::int + $2::int", (), (b"1", b"41")), ("SELECT $1, $2", (23, 25), (b"7", None)),
				("SELECT $1::text", (), (None,)), ("SELECT $1::text", (), (b"p" * self.size(),)), ("SELECT 1/$1::int", (), (b"0",)),
				("SELECT $1::int", (), (b"abc",)), ("SELECT $1::int", (), ()), ("SELECT 1", (), (b"1",)), ("SELECT $1::text", (), (b"\xff\xfe",)),
				("INSERT INTO t VALUES ($1, $2, $3)", (), (str(self.seed).encode(), b"%d" % self.number(1, 6), b"e")),
				("SELECT g FROM generate_series(1, $1) g", (23,), (b"%d" % self.number(0, 30),)), ("SELECT $1", (4000000000,), (b"1",))))
		else:
			sql, oids, values = self.statement(), (), ()
		formats = self.pick(((), (), (), (0,), (1,), (0, 1), (9,)))
		parts = [parse(sql, "", *oids)]
		if self.chance(0.2):
			parts.append(describe("S"))
		parts.append(bind(values, name, formats=formats))
		if self.chance(0.7):
			parts.append(describe("P", name))
		parts.append(execute(name, self.pick((0, 0, 0, 1, 2, 100))))
		for _ in range(self.number(0, 2) if self.chance(0.3) else 0):
			parts.append(execute(name, self.pick((0, 1, 5))))
		if self.chance(0.15):
			parts.append(self.pick((close("P", name), close("S", ""), close("P", "missing"), flush())))
		if self.chance(0.04):
			parts.append(self.pick((execute("missing"), describe("P", "missing"), describe("S", "missing"), bind((), name="missing"))))
		return b"".join(parts) + b"".join(suffix)

	def extended(self):
		return exchange(self.portal(), sync())

	def pipeline(self):
		"""Several statements, Syncs between some of them."""
		parts, ready = [], 1
		for _ in range(self.number(2, 7)):
			parts.append(self.portal())
			if self.chance(0.4):
				parts += [sync()]
				ready += 1
		return exchange(*parts, sync(), ready=ready)

	def syncs(self):
		count = self.number(1, 4)
		return exchange(*[sync()] * count, ready=count)

	def without_sync(self):
		"""Simple queries and function calls after statements without Sync: an error swallows them, a closing empty query tells the end."""
		parts = []
		for _ in range(self.number(1, 3)):
			sql = self.pick((self.constant, self.series, self.mistake, self.change, self.notice))()
			parts.append(parse(sql) + bind(()) + describe() + execute())
			if self.chance(0.7):
				parts.append(self.pick((query(self.constant()), query(self.mistake()), self.function())))
		return Unit((Step(b"".join(parts) + sync() + query(""), Wait("Z", 1, after="I")),))

	def flushed(self):
		"""Answers come before Sync; a portal is read piece by piece."""
		sql = self.pick((self.constant, self.series, self.mistake, self.change, self.look))()
		more = [Step(execute("", self.number(1, 4)) + flush(), Wait("CsIE", 1), True) for _ in range(self.number(0, 3))]
		return Unit((Step(parse(sql) + flush(), Wait("1E", 1)), Step(bind(()) + describe() + flush(), Wait("TnE", 1), True),
			Step(execute("", 1) + flush(), Wait("CsIE", 1), True), *more, Step(sync(), Wait("Z", 1))))

	def unnamed_again(self):
		"""An unnamed statement lives on in its transaction, until a simple query."""
		again = bind((b"%d" % self.number(1, 9),)) + execute("", self.pick((0, 2))) + sync()
		middle = self.pick((query("SELECT 1"), sync(), query("")))
		return exchange(query("BEGIN"), parse("SELECT g FROM generate_series(1, $1::int) g"), sync(), again, again, middle, again,
			query("ROLLBACK"), ready=7)

	def portal_again(self):
		"""A named portal lives on in its transaction."""
		part = execute("many", self.number(1, 4)) + sync()
		return exchange(query("BEGIN"), parse(self.series()), bind((), "many", formats=self.pick(((), (1,)))), sync(), part,
			query(self.pick(("SELECT 1", "FETCH 2 FROM many", "SELECT 1/0", ""))), part, close("P", "many"), part, query("COMMIT"), ready=7)

	def named(self):
		"""Named statements, over transactions: only for poolers that follow them."""
		self.has_named = True
		name = self.pick(("s1", "s2"))
		use = bind((), name=name) + describe() + execute()
		return exchange(self.pick((parse(self.statement(), name), close("S", name), describe("S", name), use)), sync())

	# COPY.

	def data(self, good=False):
		lines = [f"{self.seed}\t{self.number(1, 6) + 10 * n}\t{'c' * self.size()}\n" for n in range(self.number(0, 5))]
		if not good and self.chance(0.3):
			lines.insert(self.number(0, len(lines)), self.pick(("x\ty\tz\n", f"{self.seed}\n", f"{self.seed}\t1\ta\tb\n", "\\.\n", "\n")))
		return "".join(lines).encode()

	def packets(self, data):
		"""CopyData messages, cut anywhere."""
		cuts = sorted(self.number(0, len(data)) for _ in range(self.number(0, 3)))
		return [copy_data(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)])]

	def copy_in(self):
		parts = self.packets(self.data())
		if self.chance(0.2):
			parts.insert(self.number(0, len(parts)), flush())
		return parts + [self.pick((copy_done(), copy_done(), copy_done(), copy_fail("changed my mind"), copy_fail("")))]

	def copy_from(self):
		table = self.pick(("t", "loose", "missing"))
		return f"COPY {table} FROM STDIN" + self.pick(("", "", " (NULL '')", " (FORMAT csv, DELIMITER E'\\t')"))

	def copy_to(self):
		sql = self.pick((self.series, self.big, self.look, self.constant, self.mistake))()
		return f"COPY ({sql}) TO STDOUT" + self.pick(("", "", " (FORMAT csv, HEADER)", " (FORMAT binary)"))

	def copying_at_once(self):
		"""Data that do not wait for the server's consent."""
		return exchange(query(self.copy_from()), *self.copy_in())

	def copying_in(self):
		return Unit((Step(query(self.copy_from()), Wait("GZ", 1)), Step(b"".join(self.copy_in()), Wait("Z", 1), True)))

	def copying_extended(self):
		start = parse(self.copy_from()) + bind(()) + execute()
		if self.chance(0.5):
			return exchange(start, *self.copy_in(), sync())
		return Unit((Step(start + flush(), Wait("GE", 1)), Step(b"".join(self.copy_in()), Wait("", 0), True), Step(sync(), Wait("Z", 1))))

	def copying_with_sync(self):
		"""While data flow PostgreSQL passes over Sync and Flush."""
		data = b"".join(part + self.pick((sync(), flush(), b"")) for part in self.packets(self.data(good=True)))
		return Unit((Step(query("COPY loose FROM STDIN"), Wait("GZ", 1)), Step(data + copy_done(), Wait("Z", 1), True)))

	def copying_twice(self):
		rest = self.pick(("", "; SELECT 1", "; SELECT 1/0", "; COPY (SELECT 2) TO STDOUT"))
		data = [part for _ in range(2) for part in (*self.packets(self.data(good=True)), copy_done())]
		return exchange(query("COPY loose FROM STDIN; COPY loose FROM STDIN" + rest), *data)

	def copying_out(self):
		sql = self.copy_to()
		if self.chance(0.6):
			return exchange(query(sql + self.pick(("", "; SELECT 1"))))
		return exchange(parse(sql), bind(()), describe(), execute(), sync())

	def stray_copy(self):
		"""Messages of COPY where none is going on: passed over."""
		return exchange(self.pick((copy_done(), copy_data(b"x"), copy_fail("x"))), query("SELECT 1"))

	# Whole conversations.

	def unit(self):
		made = self.pick(UNITS)(self)
		return made._replace(joined=True) if len(made.steps) == 1 and not made.steps[0].wait.after and self.chance(0.25) else made

	def conversation(self):
		units = []
		if self.chance(0.2):
			units.append(exchange(query(self.pick(("BEGIN", "BEGIN; SELECT 1", "BEGIN ISOLATION LEVEL REPEATABLE READ")))))
		units += [self.unit() for _ in range(self.number(1, 7))]
		return tuple(units)

	def ending(self):
		"""Leaves nothing behind."""
		last = [query("ROLLBACK"), query("; ".join(f"DELETE FROM {table} WHERE seed = {self.seed}" for table in ("t", "late", "loose")))]
		if self.has_set:
			last.append(query("; ".join(f"SET {name} TO '{value}'" for name, value in PARAMETERS.items())))
		if self.has_named:
			last += [close("S", "s1") + close("S", "s2") + sync()]
		return exchange(*last, ready=len(last))


# How often each form is taken.
WEIGHTS = {"simple": 10, "several": 8, "whole_transaction": 10, "following": 5, "call": 3, "temporary_table": 0.2, "cancelled": 1,
	"extended": 12, "pipeline": 10, "syncs": 1, "without_sync": 5, "flushed": 5, "unnamed_again": 3, "portal_again": 3, "named": 8,
	"copying_at_once": 3, "copying_in": 3, "copying_extended": 3, "copying_with_sync": 2, "copying_twice": 2, "copying_out": 5, "stray_copy": 1}
UNITS = [getattr(Talker, name) for name, weight in WEIGHTS.items() for _ in range(round(weight * 5))]


def make(seed):
	"""The conversation of a seed: its units, and the closing one that is never left out."""
	talker = Talker(seed)
	units = talker.conversation()
	return units, talker.ending()
