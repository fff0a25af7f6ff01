"""
The same random conversations with PostgreSQL directly and through the pooler: what the client reads is the same, byte for
byte, but for what MAY_DIFFER tells. PGWEIR_SEED=n repeats the conversation of one seed, PGWEIR_SEED=m-n holds those of others than the usual.
"""

import contextlib
import os
import select
import struct
import threading
import time
import warnings
from typing import NamedTuple

import pytest

import conversations
from conversations import Step, Unit, Wait
from pooler import PROGRAM, Pooler, is_sanitized, pgbouncer
from wire import Closed, Message, Wire, cancel, message

COUNT = 1000 if is_sanitized() else 10000
FIRST, _, LAST = (os.environ.get("PGWEIR_SEED") or f"1-{COUNT}").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
TALKERS = 8 # at once, on fewer servers

MAY_DIFFER = {
	"BackendKeyData": "the pooler's clients are not server processes: it makes keys of its own",
	"authentication": "the pooler authenticates its clients itself",
	"ParameterStatus of pgbouncer.*": "the pooler tells of itself",
	"order of ParameterStatus at login": "the pooler keeps parameters by name; afterwards the order counts",
	"OIDs of temporary tables": "each CREATE takes the next one of the server",
	"text of 42P05": "PostgreSQL's would give the name that the statement has on servers: it is PgBouncer's text",
	"context of 57014": "a cancel request meets a statement at the one line or the next",
}

CLIENT_NAMES = {"Q": "Query", "P": "Parse", "B": "Bind", "D": "Describe", "E": "Execute", "C": "Close", "S": "Sync", "H": "Flush",
	"d": "CopyData", "c": "CopyDone", "f": "CopyFail", "F": "FunctionCall"}
SERVER_NAMES = {"1": "ParseComplete", "2": "BindComplete", "3": "CloseComplete", "C": "CommandComplete", "D": "DataRow", "E": "ErrorResponse",
	"G": "CopyInResponse", "H": "CopyOutResponse", "I": "EmptyQueryResponse", "N": "NoticeResponse", "S": "ParameterStatus", "T": "RowDescription",
	"V": "FunctionCallResponse", "Z": "ReadyForQuery", "c": "CopyDone", "d": "CopyData", "n": "NoData", "s": "PortalSuspended",
	"t": "ParameterDescription", "!": "nothing more:"}


def messages(data):
	"""What a run of bytes consists of."""
	at, found = 0, []
	while at + 5 <= len(data):
		size = struct.unpack_from("!I", data, at + 1)[0]
		found.append(Message(chr(data[at]), bytes(data[at + 5:at + 1 + size])))
		at += 1 + size
	return found


def readable(m, names):
	body = repr(m.body)[2:-1]
	return f"{names.get(m.type, m.type)} {body if len(body) < 300 else body[:200] + f'… ({len(m.body)} bytes)'}"


def told(step):
	return f"{step.wait.count} of {step.wait.kinds!r}{f' after {step.wait.after}' * bool(step.wait.after)}"


class Line:
	"""A client's connection on which conversations are held."""

	def __init__(self, port, name, seconds):
		self.port = port
		self.seconds = seconds
		self.wire = Wire(port, seconds=seconds)
		self.wire.login("app", name, "app", **conversations.PARAMETERS)
		self.sock = self.wire.sock
		self.got = bytearray()

	def close(self):
		self.sock.close()

	def hold(self, conversation):
		"""Everything that is read, one run of bytes per step; the last tells if the line ended or nothing came."""
		found = []
		for unit in conversation:
			had_error = False
			for step in unit:
				if step.unless_error and had_error:
					continue
				try:
					if step.cancel:
						cancel(self.port, self.wire.key)
					data, kinds = self.exchange(step.sent, step.wait)
				except (Closed, OSError) as e:
					return [*found, bytes(self.got), message("!", f"{type(e).__name__} while waiting for {told(step)}".encode())], False
				had_error = had_error or "E" in kinds
				found.append(data)
		if self.got:
			found.append(bytes(self.got))
		return found, not self.got

	def exchange(self, sent, wait):
		self.send(sent)
		at, left, last, kinds = 0, wait.count, "", set()
		while left > 0:
			while len(self.got) < at + 5 or len(self.got) < at + 1 + struct.unpack_from("!I", self.got, at + 1)[0]:
				self.fill()
			kind = chr(self.got[at])
			at += 1 + struct.unpack_from("!I", self.got, at + 1)[0]
			left -= kind in wait.kinds and (not wait.after or last == wait.after)
			kinds.add(kind)
			last = kind
		data = bytes(self.got[:at])
		del self.got[:at]
		return data, kinds

	def fill(self):
		data = self.sock.recv(1 << 18)
		if not data:
			raise Closed()
		self.got += data

	def send(self, data):
		"""
		Many steps in two pieces, cut anywhere. Reads meanwhile if there is much to be sent, so that nobody waits for the
		other for ever.
		"""
		part = len(data) * 7 // 11 + 1 if 1 < len(data) < 1 << 14 and len(data) % 3 == 0 else 1 << 14
		for at in range(0, len(data), part):
			while at > 0 and self.sock not in select.select([], [self.sock], [], 0)[1]:
				readable_now, writable_now, _ = select.select([self.sock], [self.sock], [], self.seconds)
				if readable_now:
					self.fill()
				elif not writable_now:
					raise TimeoutError()
			self.sock.sendall(data[at:at + part])


def comparable_error(m):
	"""An ErrorResponse; of 42P05 only that it is one."""
	if b"\0C42P05\0" in m.body:
		return Message("E", b"C42P05")
	if b"\0C57014\0" in m.body:
		return Message("E", b"\0".join(field for field in m.body.split(b"\0") if field[:1] != b"W"))
	return m


class Place:
	"""Where conversations are held: a port, a database, a name to tell."""

	def __init__(self, name, port, database, last_oid):
		self.name, self.port, self.database, self.last_oid = name, port, database, last_oid

	def line(self, seconds=60):
		return Line(self.port, self.database, seconds)

	def comparable(self, data):
		return [self._without_oids(m) if m.type == "T" else comparable_error(m) if m.type == "E" else m for m in messages(data)]

	def _without_oids(self, m):
		"""A RowDescription in which all temporary tables are one."""
		body, at = bytearray(m.body), 2
		for _ in range(struct.unpack_from("!H", body)[0]):
			at = body.index(b"\0", at) + 1
			if struct.unpack_from("!I", body, at)[0] > self.last_oid:
				struct.pack_into("!I", body, at, 0xFFFFFFFF)
			at += 18
		return Message(m.type, bytes(body))


def joined(units):
	"""The steps that are really taken: a joined unit travels with the next one, if that waits for ReadyForQuery too."""
	found, before, ready = [], b"", 0
	for unit in units:
		first = unit.steps[0]
		if before and (first.wait.kinds != "Z" or first.wait.after or len(unit.steps) > 1):
			found.append((Step(before, Wait("Z", ready)),))
			before, ready = b"", 0
		if unit.joined:
			before, ready = before + first.sent, ready + first.wait.count
		else:
			found.append((first._replace(sent=before + first.sent, wait=first.wait._replace(count=first.wait.count + ready)), *unit.steps[1:]))
			before, ready = b"", 0
	return found


def parts_of(unit):
	"""The unit, or each of its steps as one, when every one of them comes to its own end."""
	alone = all(step.wait.kinds == "Z" and not step.unless_error for step in unit.steps)
	return [Unit((step,), unit.joined) for step in unit.steps] if alone else [unit]


class Difference(NamedTuple):
	"""What was read in both places from the first differing message on."""
	at: int
	one: list
	two: list


class Pair:
	"""Holds conversations in two places and compares."""

	def __init__(self, direct, other, seconds=60):
		self.places = (direct, other)
		self.seconds = seconds
		self.lines = None

	def close(self):
		for line in self.lines or ():
			line.close()
		self.lines = None

	def difference(self, units):
		"""A Difference or None. After one the next conversation is held on new lines."""
		if self.lines is None:
			self.lines = [place.line(self.seconds) for place in self.places]
		conversation = joined(units)
		(one, one_is_well), (two, two_is_well) = (line.hold(conversation) for line in self.lines)
		found = self._compare(one, two) if one != two else None
		if found:
			self.close()
		else:
			assert one_is_well and two_is_well, f"a conversation that comes to its end nowhere: {one[-1]}"
		return found

	def _compare(self, one, two):
		one, two = ([m for data in run for m in place.comparable(data)] for run, place in zip((one, two), self.places))
		if one == two:
			return None
		at = next((n for n, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
		return Difference(at, one[at:], two[at:])

	def shrink(self, units, difference, ending):
		"""Leaves out units, and steps that need no other, one by one while there is a difference; for half a minute."""
		units, n, deadline = [part for unit in units for part in parts_of(unit)], 0, time.monotonic() + 30
		while n < len(units) and time.monotonic() < deadline:
			fewer = units[:n] + units[n + 1:]
			found = self.difference([*fewer, ending])
			if found:
				units, difference = fewer, found
			else:
				n += 1
		return units, difference


def story(direct, other, seed, difference):
	"""Of a seed whose conversation differs: in as few steps as show it, if it does so when it is held alone."""
	pair = Pair(direct, other, seconds=10)
	units, ending = conversations.make(seed)
	lines = [f"seed {seed} (PGWEIR_SEED={seed} repeats it)"]
	again = pair.difference([*units, ending])
	if again:
		units, difference = pair.shrink(units, again, ending)
	else:
		lines.append("alone it does not differ; this is the whole conversation as it was held beside others")
	pair.close()
	lines.append("sent:")
	for unit in joined([*units, ending]):
		for step in unit:
			lines += ["  CancelRequest"] * step.cancel + ["  " + readable(m, CLIENT_NAMES) for m in messages(step.sent)]
			lines.append(f"  … and waits for {told(step)}{', unless there was an error' * step.unless_error}")
	for place, rest in zip(pair.places, (difference.one, difference.two)):
		lines.append(f"read from {place.name}, from message {difference.at} on:")
		lines += ["  " + readable(m, SERVER_NAMES) for m in rest[:6]] or ["  nothing"]
	return "\n".join(lines)


def compare(direct, other, seeds, enough=1):
	"""{seed: Difference}; many conversations at once, so that clients share servers. Stops when there are enough."""
	numbers, lock, different, wrong = iter(seeds), threading.Lock(), {}, []

	def talk():
		pair, seed = Pair(direct, other), None
		try:
			while len(different) < enough and not wrong:
				with lock:
					seed = next(numbers, None)
				if seed is None:
					break
				units, ending = conversations.make(seed)
				found = pair.difference([*units, ending])
				if found:
					different[seed] = found
		except BaseException as e: # belongs into the verdict of the test
			wrong.append(f"seed {seed}: {e!r}")
		finally:
			pair.close()

	threads = [threading.Thread(target=talk, daemon=True) for _ in range(TALKERS)]
	for t in threads:
		t.start()
	for t in threads:
		t.join()
	assert not wrong, wrong
	return different


def first(different):
	return min(different), different[min(different)]


@pytest.fixture(scope="module")
def make_place(cluster):
	"""make_place(name, port): a database of its own behind that port, the same OIDs in all of them."""
	made = ["conversations"]
	cluster.sql("CREATE DATABASE conversations OWNER app")
	for statement in conversations.SETUP:
		cluster.sql("SET ROLE app; " + statement, database="conversations")
	last_oid = int(cluster.value("SELECT max(oid) FROM pg_class", database="conversations"))

	def make(name, port=None):
		database = f"conversations_{len(made)}"
		cluster.sql(f"CREATE DATABASE {database} TEMPLATE conversations OWNER app")
		made.append(database)
		held.enter_context(cluster.holding(database))
		return Place(name, port, database, last_oid)

	with contextlib.ExitStack() as held:
		yield make
	for database in made:
		cluster.sql(f"DROP DATABASE {database} WITH (FORCE)")


def pooled(start, make_place, name, **options):
	place = make_place(name)
	place.port = start(databases={place.database: "HERE"}, default_pool_size=3, server_round_robin=1, max_prepared_statements=5,
		track_extra_parameters="IntervalStyle", **options).port
	return place


@pytest.mark.early
def test_conversations_read_the_same_as_without_a_pooler(cluster, start_pooler, make_place):
	direct = make_place("PostgreSQL", cluster.port)
	other = pooled(start_pooler, make_place, "the pooler")
	different = compare(direct, other, SEEDS)
	if different:
		pytest.fail(story(direct, other, *first(different)), pytrace=False)


def test_login_reads_the_same_as_without_a_pooler(cluster, start_pooler, make_place):
	direct = make_place("PostgreSQL", cluster.port)
	other = pooled(start_pooler, make_place, "the pooler")
	greetings = [place.line().wire.greeting for place in (direct, other)]
	one, two = (sorted(m for m in greeting if m.type not in "RK" and not m.body.startswith(b"pgbouncer.")) for greeting in greetings)
	assert one == two


def test_conversations_through_pgbouncer_for_information(cluster, start_pooler, make_place):
	"""Fails for nothing that PgBouncer does: it tells what users of it are accustomed to."""
	program = pgbouncer()
	if program is None:
		warnings.warn("PgBouncer cannot be had here: the comparison with it is left out")
		return
	direct = make_place("PostgreSQL", cluster.port)
	other = pooled(start_pooler, make_place, "PgBouncer", program=program)
	seeds = SEEDS[:1000]
	different = compare(direct, other, seeds, enough=len(seeds))
	if different:
		warnings.warn(f"PgBouncer differs from PostgreSQL in {len(different)} of {len(seeds)} conversations, "
			f"such as {story(direct, other, *first(different))}")
