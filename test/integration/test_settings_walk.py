"""Every setting at every level, with its default, its least and its greatest value, what is below and above, and garbage: taken or
refused as the table says. The tables are read from the sources, so a new row is tested as soon as it is there."""

import os
import re
import subprocess

import pytest

from pooler import ROOT
from processes import environment, identity
from wire import ServerError, Wire, query, types

pytestmark = pytest.mark.pgweir

ROW = re.compile(r'^SETTING\((\w+),\s*(\w+),\s*(NULL|"[^"]*"|\w+),\s*(\w+),\s*(\w+),\s*(RELOAD|RESTART),\s*(NULL|"[^"]*"|\w+)', re.M)
KEY = re.compile(r"^(DATABASE|USER|PEER)_KEY\((\w+),\s*(\w+),", re.M)
CONSTANTS = {"MOST": 2**31 - 1, "MOST_SECONDS": 10**12, "MOST_MINUTES": 35791394}

# Settings that this test cannot walk through one console session: where the next RELOAD reads, and what would end the session
LEFT_OUT = {"conffile", "max_packet_size"}


def source(*path):
	with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
		return f.read()


def number(text):
	return CONSTANTS[text] if text in CONSTANTS else int(text)


class Setting:
	def __init__(self, name, kind, default, least, most, when, needs):
		self.name, self.kind, self.changeable, self.is_whole = name, kind, when == "RELOAD", needs == "NULL"
		self.default = default.strip('"') if default.startswith('"') else None
		self.least, self.most = number(least), number(most)

	def good(self):
		"""Values that are taken."""
		values = [] if self.default is None else [self.default]
		if self.kind in ("INT", "UINT", "BOOL", "SECONDS"):
			values += [str(self.least), str(self.most)]
		if self.kind in ("INT", "UINT"):
			values += [hex(self.least), "0" + oct(self.most)[2:]]
		if self.kind == "SECONDS":
			values += ["0.5", "1e3", ".25"]
		return values if self.is_whole else values[:1]

	def bad(self):
		"""Values that are refused."""
		if self.kind in ("STRING", "SECRET"):
			return []
		values = ["", "garbage", "5s", "--1", "1 2", "'1'", "0x", "é"]
		if self.kind in ("INT", "UINT", "BOOL"):
			values += [str(self.least - 1), str(self.most + 1), "1.5", "1e3", "99999999999999999999", "true"]
		if self.kind == "SECONDS":
			values += ["-0.1", str(self.most * 2), "0x10", "nan", "inf", "1,5", "1e400"]
		return values


def settings():
	found = [Setting(*m.groups()) for m in ROW.finditer(source("include", "conf", "settings.def"))]
	assert len(found) == len(re.findall(r"^SETTING\(", source("include", "conf", "settings.def"), re.M)) > 99
	assert sum(s.is_whole for s in found) > 90
	return [s for s in found if s.name not in LEFT_OUT]


def same(setting, shown, value):
	if setting.kind == "SECONDS":
		return abs(float(shown) - float(value)) <= 1e-5 * float(value)
	if setting.kind in ("INT", "UINT", "BOOL", "OCTAL"):
		return int(shown) == int(value, 8 if re.fullmatch("0[0-7]+", value) else 0)
	return shown == value


@pytest.fixture(scope="module")
def pooler(start_shared):
	return start_shared(threads=2)


@pytest.fixture
def console(pooler):
	with pooler.login("admin", "pgbouncer") as w:
		yield w
		pooler.write()
		w.ask(query("RELOAD"))


def told(console, command):
	"""Of a command: None if it was refused, else the texts of its notices."""
	answers = console.ask(query(command))
	if answers[0].type == "E":
		return None
	assert re.fullmatch("N*CZ", types(answers)), answers
	return [m.text for m in answers if m.type == "N"]


def config(console):
	return {row[0]: row[1] for row in console.rows("SHOW CONFIG")}


def wrong_when_taken(setting, value, notices, before, after):
	"""What is not as it should be after a value that had to be taken; "" if nothing is."""
	if notices is None:
		return "was refused"
	if setting.changeable:
		return "" if same(setting, after[setting.name], value) else f"is shown as {after[setting.name]!r}"
	if after[setting.name] != before[setting.name]:
		return "changed without a restart"
	return "" if same(setting, before[setting.name], value) or any(setting.name in text for text in notices) else "no notice says that it needs a restart"


def walk(console, choose, run):
	"""`run(setting, value)` for all of them; what is wrong. Each begins with the file as it was."""
	wrong = []
	for setting in settings():
		for value in choose(setting):
			before = config(console)
			notices = run(setting, value)
			text = (wrong_when_taken(setting, value, notices, before, config(console)) if choose is Setting.good else
				"was taken" if notices is not None else "" if config(console) == before else "was refused and changed something")
			if text:
				wrong.append(f"{setting.name} = {value!r} {text}")
	return wrong


@pytest.mark.parametrize("choose", [Setting.good, Setting.bad], ids=["good", "bad"])
def test_set_takes_what_the_table_says(console, choose):
	def run(setting, value):
		assert told(console, "RELOAD") is not None
		return told(console, f"SET {setting.name} = '{value.replace(chr(39), chr(39) * 2)}'")

	assert walk(console, choose, run) == []


@pytest.mark.parametrize("choose", [Setting.good, Setting.bad], ids=["good", "bad"])
def test_the_file_takes_what_the_table_says(pooler, console, choose):
	def run(setting, value):
		text = pooler.text() + f"{setting.name} = {value}\n"
		pooler.write(text)
		notices = told(console, "RELOAD")
		if notices is None:
			pooler.wait_log(rf"parameter {setting.name} in configuration \({re.escape(pooler.ini)}:{text.count(chr(10))}\)")
		return notices

	assert walk(console, choose, run) == []


def test_words_that_a_refusal_offers_are_taken(pooler, console):
	"""Of settings that are words: what the error says that it must be."""
	count = 0
	for setting in settings():
		if setting.kind in ("STRING", "SECRET", "INT", "UINT", "BOOL", "SECONDS", "OCTAL", "TLS_MODE", "TLS_NEGOTIATION") or not setting.is_whole:
			continue
		error = console.ask(query(f"SET {setting.name} = garbage"))[0]
		offered = re.search(r"must be (?:one of )?([\w., -]*\w)", error.fields["D"])
		assert offered, error.fields
		for word in re.split(r", (?:or )?| or ", offered[1]):
			for form in (word, word.upper()):
				answer = console.ask(query(f"SET {setting.name} = '{form}'"))[0]
				# it may need other settings, such as certificates
				assert answer.type != "E" or "must be one of" not in answer.fields["D"], (setting.name, form)
			count += 1
	assert count > 10


@pytest.mark.parametrize("name, nearest", [("pool_mod", "pool_mode"), ("max_clients_conn", "max_client_conn"), ("server_idle_timeou", "server_idle_timeout")])
def test_an_unknown_setting_is_refused_with_the_nearest(pooler, console, name, nearest):
	answers = console.ask(query(f"SET {name} = 1"))
	assert answers[0].text == "SET failed" and nearest in answers[0].fields["H"]
	pooler.write(pooler.text() + f"{name} = 1\n")
	answers = console.ask(query("RELOAD"))
	assert answers[0].code == "F0000" and nearest in answers[0].fields["H"]
	assert f"unknown parameter: pgbouncer/{name}" in answers[0].fields["D"]


# Keys of entries

SECTIONS = {"DATABASE": ("databases", "walked", "host=127.0.0.1 "), "USER": ("users", "walked", ""), "PEER": ("peers", "9", "host=127.0.0.1 ")}
COUNTS = {"COUNT", "TIMEOUT"}
GARBAGE = ("garbage", "1.5", "5s", "0x10", "1e3", "99999999999999999999", "2147483648", "''", "--1")


def keys():
	text = source("include", "conf", "entry_keys.def")
	found = KEY.findall(text)
	assert len(found) == len(re.findall(r"^\w+_KEY\(", text, re.M)) > 40
	return found


def values_of(kind):
	"""What such a key takes and what it refuses."""
	if kind in COUNTS:
		return ("0", "1", "2147483647", "-1", "007", "'5'"), GARBAGE
	if kind == "PORT":
		return ("1", "65535"), (*GARBAGE, "0", "-1", "65536")
	if kind == "TEXT":
		return ("x", "'x'", "'it''s'"), ("", "'x", "''")
	return (), ("garbage", "1", "''", "")


def test_keys_of_entries_take_what_their_kind_says(pooler, console):
	wrong = []
	for table, name, kind in keys():
		section, entry, base = SECTIONS[table]
		good, bad = values_of(kind)
		if "_tls" in name or name == "user":
			good = ()
		if name == "host":
			base = ""
		for value in (*good, *bad):
			text = pooler.text() + f"[{section}]\n{entry} = {base}{name}={value}\n"
			pooler.write(text)
			before = console.rows("SHOW DATABASES"), console.rows("SHOW USERS")
			taken = told(console, "RELOAD") is not None
			if taken != (value in good):
				wrong.append(f"{section} {name}={value} was {'taken' if taken else 'refused'}")
			if not taken:
				pooler.wait_log(rf"{re.escape(pooler.ini)}:{text.count(chr(10))}\b")
				if (console.rows("SHOW DATABASES"), console.rows("SHOW USERS")) != before:
					wrong.append(f"{section} {name}={value} was refused and changed something")
	assert wrong == []


# Rights

COMMAND = re.compile(r'^COMMAND\((\w+),\s*(\w+),\s*CONSOLE_(\w+),', re.M)
ARGUMENTS = {"TOPIC": "VERSION", "SETTING": "verbose = 0", "ANY_DATABASE": "second", "DATABASE": "second", "CLIENT": "999999", "RELOAD": "", "STATEMENT": "ALL",
	"SHUTDOWN": "WAIT_FOR_CLIENTS"}


def commands():
	text = source("src", "admin", "commands.def")
	found = COMMAND.findall(text)
	assert len(found) == len(re.findall(r"^COMMAND\(", text, re.M)) > 10
	return [(f"{name} {ARGUMENTS[form]}".strip(), rights) for name, form, rights in found]


@pytest.fixture(scope="module")
def open_pooler(start_shared):
	return start_shared(auth_type="any", databases={"app": "HERE user=app", "second": "HERE user=app"})


# who comes how, and what they may
ROLES = [("admin", "trust", "ADMIN"), ("stats", "trust", "STATS"), ("admin", "any", "ADMIN"), ("stats", "any", "STATS"), ("somebody", "any", "STATS")]


@pytest.mark.parametrize("user, method, role", ROLES)
def test_every_command_for_every_role(pooler, open_pooler, user, method, role):
	chosen = pooler if method == "trust" else open_pooler
	with chosen.login(user, "pgbouncer") as w:
		for command, rights in commands():
			if command.startswith("SHUTDOWN") and role == "ADMIN":
				continue # its own tests
			answers = w.ask(query(command))
			refused = [m.text for m in answers if m.type == "E"] == ["admin access needed"]
			assert refused == (rights == "ADMIN" and role == "STATS"), (command, answers)
			if role == "ADMIN":
				w.ask(query("RESUME second"))
				w.ask(query("ENABLE second"))


def test_every_command_for_the_account_of_the_process(pooler):
	asked = [part for command, _ in commands() if not command.startswith("SHUTDOWN") for part in ("-c", command)]
	done = subprocess.run(["psql", "-X", "-A", "-t", "-w", "-h", pooler.folder, "-p", str(pooler.port), "-U", "pgbouncer", "pgbouncer", *asked,
		"-c", "RESUME second", "-c", "SHOW VERSION"], capture_output=True, text=True, timeout=20, cwd=pooler.folder, env=environment(pooler.folder),
		**identity(pooler.who))
	assert done.stdout.splitlines()[-1] == "PgBouncer 1.26.1"
	assert done.stderr.splitlines() == ["ERROR:  client not found"]


@pytest.mark.root
def test_another_account_is_nobody_special(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256")
	pooler.wait_log("process up") # TCP comes before the Unix socket
	with Wire(pooler.port, pooler.folder) as w, pytest.raises(ServerError) as caught:
		w.login("pgbouncer", "pgbouncer", "x")
	assert caught.value.message.text == "not allowed"


def test_psql_keeps_what_is_shown_in_variables(pooler):
	script = "SHOW VERSION \\gset\nSHOW client_encoding \\gset its_\n\\echo :version/:its_client_encoding\nSHOW STATE \\gx\n"
	done = subprocess.run(["psql", "-X", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", pooler.dsn("pgbouncer", "admin")], input=script, capture_output=True,
		text=True, timeout=20, cwd=pooler.folder, env=environment(pooler.folder))
	assert (done.returncode, done.stderr) == (0, "")
	assert done.stdout.splitlines()[0] == "PgBouncer 1.26.1/UTF-8"
