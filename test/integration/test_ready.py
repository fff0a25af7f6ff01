"""pgweir ready, and pg_isready: whether connections are accepted, in PostgreSQL's words, and without a word in the log."""

import os
import shutil
import socket
import subprocess
from contextlib import closing

import pytest

from pooler import PROGRAM
from processes import Port
from waiting import until
from wire import Wire, startup

pytestmark = pytest.mark.pgweir
ACCEPTING, REJECTING, SILENT, NOTHING_TRIED = range(4)


@pytest.fixture(scope="module")
def pg_isready(folder):
	"""The program under PostgreSQL's name."""
	path = os.path.join(folder, "pg_isready")
	shutil.copy(PROGRAM, path)
	yield path
	os.remove(path)


def run(*command, **variables):
	clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
	return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, env={**clean, **variables})


def ready(*arguments, **variables):
	return run(PROGRAM, "ready", *arguments, **variables)


def said(done):
	return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("auth", ["scram-sha-256", "md5", "plain", "trust", "any"])
def test_whatever_the_way_to_log_in_it_accepts(start_pooler, pg_isready, auth):
	pooler = start_pooler(auth_type=auth)
	answer = ACCEPTING, f"127.0.0.1:{pooler.port} - accepting connections"
	assert said(ready("-h", "127.0.0.1", "-p", pooler.port)) == answer
	assert said(run(pg_isready, "-h", "127.0.0.1", "-p", pooler.port)) == answer
	assert said(run(pg_isready, "-h", "127.0.0.1", "-p", pooler.port, "-U", "app", "-d", "app")) == answer
	assert said(run(pg_isready, PGHOST="127.0.0.1", PGPORT=str(pooler.port))) == answer
	assert said(run(pg_isready, "-d", f"host=127.0.0.1 port={pooler.port} user=app", "-h", "elsewhere")) == answer
	assert said(run(pg_isready, "-h", pooler.folder, "-p", pooler.port)) == (ACCEPTING, f"{pooler.folder}:{pooler.port} - accepting connections")
	assert said(ready("-q", "-h", "127.0.0.1", "-p", pooler.port)) == (ACCEPTING, "")


def test_it_is_what_postgresqls_own_says(start_pooler, cluster, pg_isready):
	own = shutil.which("pg_isready") or os.path.join(cluster.programs, "pg_isready")
	with closing(Port()) as nobody:
		for arguments in (["-h", "127.0.0.1", "-p", cluster.port], ["-h", "127.0.0.1", "-p", nobody.number], ["-h", "/nowhere", "-p", 1],
				["-p", "x"], ["-p", cluster.port, "-h", "127.0.0.1", "-t", "x"], ["-q", "-h", "127.0.0.1", "-p", cluster.port],
				["-d", f"postgresql://someone@127.0.0.1:{cluster.port}/nothing"], ["--no-such-option"], ["one", "two"]):
			theirs, ours = run(own, *arguments), run(pg_isready, *arguments)
			assert theirs.returncode == ours.returncode, arguments
			if theirs.returncode != NOTHING_TRIED:
				assert theirs.stdout == ours.stdout, arguments
	assert [said(run(program))[1] for program in (own, pg_isready)] == [said(run(own))[1]] * 2 # their default place


def test_the_file_says_where(start_pooler):
	pooler = start_pooler(listen_addr="*", auth_type="scram-sha-256")
	answer = ACCEPTING, f"127.0.0.1:{pooler.port} - accepting connections"
	assert said(ready(pooler.ini)) == answer
	assert said(ready(pooler.ini, PGPORT="1", PGHOST="elsewhere")) == answer
	assert said(ready(pooler.ini, "-h", pooler.folder))[1].startswith(pooler.folder)
	pooler.settings["listen_addr"] = None
	pooler.write()
	assert said(ready(pooler.ini)) == (ACCEPTING, f"{pooler.folder}:{pooler.port} - accepting connections")


def test_variables_say_where(start_pooler):
	pooler = start_pooler()
	variables = {"DATABASE_URL": "postgres://app:app@127.0.0.1:1/app", "LISTEN_PORT": str(pooler.port), "LISTEN_ADDR": "0.0.0.0", "MAX_CLIENT_CON": "7"}
	done = ready("--env", **variables)
	assert said(done) == (ACCEPTING, f"127.0.0.1:{pooler.port} - accepting connections")
	assert done.stderr == "" # nothing of the variable that means nothing: the process that serves has said it
	done = ready("--env", **dict(variables, LISTEN_PORT="many"))
	assert said(done) == (NOTHING_TRIED, "") and "LISTEN_PORT" in done.stderr


def test_a_file_that_cannot_be_used_is_named(start_pooler):
	pooler = start_pooler()
	pooler.write("[pgbouncer]\nlisten_port = many\n")
	done = ready(pooler.ini)
	assert (done.returncode, done.stdout) == (NOTHING_TRIED, "")
	assert f"{pooler.ini}:2" in done.stderr or "listen_port" in done.stderr


def test_without_anything_it_asks_our_own_port():
	assert said(ready("-t", 1))[1].startswith("localhost:6432 - ")


def test_nobody_there_is_no_response():
	with closing(Port()) as nobody:
		assert said(ready("-h", "127.0.0.1", "-p", nobody.number)) == (SILENT, f"127.0.0.1:{nobody.number} - no response")


def test_a_silent_one_is_waited_for_as_long_as_told():
	with socket.create_server(("127.0.0.1", 0)) as silent:
		port = silent.getsockname()[1]
		assert said(ready("-h", "127.0.0.1", "-p", port, "-t", 2)) == (SILENT, f"127.0.0.1:{port} - no response")


def test_checks_leave_nothing_in_the_log(start_pooler, pg_isready):
	pooler = start_pooler(auth_type="scram-sha-256")
	until(lambda: "closing because" in pooler.log(), what="the fixture's own visit is over")
	before = pooler.log()
	for _ in range(10):
		assert ready("-h", "127.0.0.1", "-p", pooler.port).returncode == ACCEPTING
		assert run(pg_isready, "-h", "127.0.0.1", "-p", pooler.port, "-U", "nobody", "-d", "nothing").returncode == ACCEPTING
		assert run(pg_isready, "-h", pooler.folder, "-p", pooler.port, "-U", "app").returncode == ACCEPTING
	assert pooler.serves()
	assert "app/app" in pooler.wait_log("login attempt.*").string
	assert "no such user" not in pooler.log()[len(before):]
	assert pooler.log()[len(before):].count("closing because") <= 1 # that of serves()
	assert pooler.console("SHOW ERRORS") == []


def test_who_only_calls_himself_so_and_goes_on_is_in_the_log(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256")
	with pytest.raises(Exception, match="authentication failed"):
		pooler.login("app", password="wrong", application_name="pg_isready")
	pooler.wait_log("login failed: db=app user=app")
	with pooler.login("app", application_name="pg_isready") as w:
		assert w.value("SELECT 1") == "1"
		pooler.wait_log("login attempt: db=app user=app")
	pooler.wait_log("app/app@127.0.0.1:.* closing because: client unexpected eof")


def test_with_verbose_they_are_in_the_log(start_pooler):
	pooler = start_pooler(auth_type="scram-sha-256", verbose=1)
	with Wire(pooler.port) as w:
		w.send(startup(user="nobody", application_name="pg_isready"))
		w.until("R")
	pooler.wait_log("nobody/nobody@127.0.0.1:.* no such user: nobody")
