"""`pgweir --env`: the variables of the images that people use, by real processes in front of a real server with SCRAM."""

import os
import re
import signal
import subprocess
import tempfile

import psycopg2
import pytest

from pooler import PROGRAM, Pooler, end_all
from processes import Port, account, environment, identity, make_directory
from waiting import until

pytestmark = pytest.mark.pgweir

SECRET = "s3cr'e\"t %41;#"


@pytest.fixture(scope="module")
def server(cluster):
	"""Users whom the server lets in by SCRAM only."""
	quoted = SECRET.replace("'", "''")
	cluster.sql(f"SET password_encryption = 'scram-sha-256'; DROP ROLE IF EXISTS env_app; CREATE ROLE env_app LOGIN PASSWORD '{quoted}'")
	yield cluster
	cluster.sql("DROP ROLE env_app")


class Environment(Pooler):
	"""A pooler that has variables in place of files. Names in `variables` are taken as they are; PORT is the server's."""

	def __init__(self, cluster, folder, port="LISTEN_PORT", arguments=(), **variables):
		super().__init__(cluster, folder)
		self.arguments = [PROGRAM, "--env", *arguments]
		self.variables = {name: str(value).replace("SERVER_PORT", str(cluster.port)) for name, value in variables.items()}
		self.variables.setdefault("HTTP_LISTEN", "")
		if port is not None:
			self.variables[port] = str(self.port)

	def all_variables(self):
		return dict(environment(self.folder), PGWEIR_NOTHING="1", **self.variables)

	def launch(self):
		with open(self.log_path, "a") as log:
			self.process = subprocess.Popen(self.arguments, cwd="/", env=self.all_variables(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
				**identity(self.who))

	def start(self):
		self.launch()
		until(self._accepts_or_died, 20, "the pooler accepts connections")
		assert self.process.poll() is None, self.log()
		return self

	def run(self, *arguments):
		"""Runs it to its end."""
		return subprocess.run([PROGRAM, *arguments], cwd="/", env=self.all_variables(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
			timeout=120, check=False, **identity(self.who))

	def value(self, database, user, password, query="SELECT current_user || ' in ' || current_database()"):
		conn = psycopg2.connect(host="127.0.0.1", port=self.port, dbname=database, user=user, password=password, connect_timeout=20)
		conn.autocommit = True
		try:
			with conn.cursor() as cursor:
				cursor.execute(query)
				return cursor.fetchone()[0]
		finally:
			conn.close()

	def file(self, name, content):
		path = os.path.join(self.folder, name)
		with open(path, "w") as f:
			f.write(content)
		os.chmod(path, 0o644)
		return path


@pytest.fixture
def environ(server, folder, request):
	made = []

	def make(**variables):
		made.append(Environment(server, folder, **variables))
		return made[-1]

	request.node.poolers = made
	yield make
	problems = end_all(made)
	assert not problems, "\n".join(problems)


URL_SECRET = "s3cr'e%22t%20%2541;%23"
EDOBURU_URL = {"DATABASE_URL": f"postgres://env_app:{URL_SECRET}@127.0.0.1:SERVER_PORT/app?sslmode=disable&schema=public"}
EDOBURU = {"DB_HOST": "127.0.0.1", "DB_PORT": "SERVER_PORT", "DB_NAME": "app", "DB_USER": "env_app", "DB_PASSWORD": SECRET}
PROJECT = {"DATABASES_HOST": "127.0.0.1", "DATABASES_PORT": "SERVER_PORT", "DATABASES_USER": "env_app", "DATABASES_PASSWORD": SECRET,
	"DATABASES_DBNAME": "app"}
BITNAMI = {"POSTGRESQL_HOST": "127.0.0.1", "POSTGRESQL_PORT": "SERVER_PORT", "POSTGRESQL_USERNAME": "env_app", "POSTGRESQL_PASSWORD": SECRET,
	"POSTGRESQL_DATABASE": "app", "PGBOUNCER_DATABASE": "app"}

FAMILIES = {
	"edoburu-url": ("LISTEN_PORT", EDOBURU_URL, "edoburu/pgbouncer"),
	"edoburu": ("LISTEN_PORT", EDOBURU, "edoburu/pgbouncer"),
	"edoburu-scram": ("LISTEN_PORT", dict(EDOBURU, AUTH_TYPE="scram-sha-256"), "edoburu/pgbouncer"),
	"edoburu-any-database": ("LISTEN_PORT", {name: value for name, value in EDOBURU.items() if name != "DB_NAME"}, "edoburu/pgbouncer"),
	"project": ("PGBOUNCER_LISTEN_PORT", PROJECT, "pgbouncer/pgbouncer"),
	"project-scram": ("PGBOUNCER_LISTEN_PORT", dict(PROJECT, PGBOUNCER_AUTH_TYPE="scram-sha-256"), "pgbouncer/pgbouncer"),
	"bitnami": ("PGBOUNCER_PORT", BITNAMI, "bitnami/pgbouncer"),
	"bitnami-md5": ("PGBOUNCER_PORT", dict(BITNAMI, PGBOUNCER_AUTH_TYPE="md5"), "bitnami/pgbouncer"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_user_that_variables_name_can_log_in(environ, family):
	port, variables, image = FAMILIES[family]
	p = environ(port=port, POOL_MODE="transaction", **variables).start()
	assert p.value("app", "env_app", SECRET) == "env_app in app"
	assert f"configuration from environment variables, by the conventions of {image}, port {p.port}" in p.log()
	assert SECRET not in p.log() and URL_SECRET not in p.log()


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "project"])
def test_another_password_is_refused(environ, family):
	port, variables, _ = FAMILIES[family]
	p = environ(port=port, **variables).start()
	with pytest.raises(psycopg2.OperationalError):
		p.value("app", "env_app", "another")
	assert p.value("app", "env_app", SECRET) == "env_app in app"


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_secret_is_printed(environ, family):
	port, variables, _ = FAMILIES[family]
	done = environ(port=port, **variables).run("--env", "--print")
	assert done.returncode == 0, done.stderr
	for secret in (SECRET, SECRET.replace('"', '""'), SECRET.replace("'", "''"), URL_SECRET, "s3cr"):
		assert secret not in done.stdout and secret not in done.stderr
	assert '"env_app" "********"' in done.stdout
	assert "[databases]" in done.stdout and "host='127.0.0.1'" in done.stdout


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_wrong_is_said_by_check(environ, family):
	port, variables, _ = FAMILIES[family]
	p = environ(port=port, **dict(variables, POOL_MODE="fast", DEFAULT_POOL_SIZE="many"))
	done = p.run("check", "--env")
	assert done.returncode == 1
	assert "environment variable POOL_MODE: invalid value \"fast\"" in done.stdout
	assert "environment variable DEFAULT_POOL_SIZE: invalid value \"many\"" in done.stdout
	done = p.run("--env")
	assert done.returncode == 1
	assert "environment variable DEFAULT_POOL_SIZE" in done.stderr and "environment variable POOL_MODE" in done.stderr
	assert "FATAL cannot use the environment variables" in done.stderr
	assert SECRET not in done.stdout + done.stderr


def test_check_is_content_with_the_usual_variables(environ):
	"""Lookups that nobody asked for need not work."""
	p = environ(**EDOBURU)
	done = p.run("check", "--env")
	assert done.returncode == 0, done.stdout
	assert 'authenticate: as "env_app"' in done.stdout
	assert "only users of the user list can log in: auth_query failed: permission denied" in done.stdout
	p.variables["AUTH_QUERY"] = "SELECT usename, passwd FROM pg_shadow WHERE usename=$1"
	done = p.run("check", "--env")
	assert done.returncode == 1 and "auth_query failed: permission denied" in done.stdout


def test_check_logs_in_and_is_content(environ):
	p = environ(ADMIN_USERS="env_app", UNIX_SOCKET_DIR="", LISTEN_ADDR="127.0.0.1", **dict(BITNAMI, PGBOUNCER_AUTH_TYPE="scram-sha-256"))
	done = p.run("check", "--env", "--quick")
	assert done.returncode == 0, done.stdout
	done = p.run("check", "--env")
	assert 'authenticate: as "env_app"' in done.stdout
	assert "userlist.txt" not in done.stdout, "files that are none were looked for"
	assert SECRET not in done.stdout + done.stderr
	wrong = p.variables["POSTGRESQL_PASSWORD"] = "wrong"
	done = p.run("check", "--env")
	assert done.returncode == 1, done.stdout
	assert wrong not in done.stdout.replace("wrong password", "")
	assert "environment variable POSTGRESQL_PASSWORD" in done.stdout


def test_whether_it_is_ready_is_asked_where_variables_say(environ):
	p = environ(**EDOBURU)
	assert p.run("ready", "--env").returncode == 2
	p.start()
	done = p.run("ready", "--env")
	assert (done.returncode, done.stdout, done.stderr) == (0, f"127.0.0.1:{p.port} - accepting connections\n", "")
	p.variables["DB_PORT"] = "none"
	done = p.run("ready", "--env")
	assert done.returncode == 3 and "environment variable DB_PORT" in done.stderr


def test_without_any_variable_it_says_what_to_set(environ):
	done = environ(port=None).run("--env")
	assert done.returncode == 1
	assert "HINT: Set one, for example: DATABASE_URL=postgres://user:password@host:5432/database" in done.stderr


def test_a_reload_reads_secrets_from_their_files_again(environ, server):
	p = environ(DB_HOST="127.0.0.1", DB_PORT="SERVER_PORT", DB_USER="env_app")
	path = p.file("password", "wrong\n")
	p.variables["DB_PASSWORD_FILE"] = path
	p.start()
	with pytest.raises(psycopg2.OperationalError):
		p.value("app", "env_app", SECRET)
	p.file("password", SECRET + "\n")
	p.signal(signal.SIGHUP)
	p.wait_log('password of user "env_app" changed')
	assert p.value("app", "env_app", SECRET) == "env_app in app"
	# what cannot be read changes nothing
	os.unlink(path)
	p.signal(signal.SIGHUP)
	p.wait_log("ERROR environment variable DB_PASSWORD_FILE: could not read file")
	assert p.value("app", "env_app", SECRET) == "env_app in app"
	assert SECRET not in p.log()


def test_the_user_of_bitnamis_variables_may_use_the_console(environ):
	p = environ(port="PGBOUNCER_PORT", **BITNAMI).start()
	assert p.value("pgbouncer", "env_app", SECRET, "SHOW VERSION").startswith("PgBouncer")


def test_an_error_of_the_server_names_the_variable(environ):
	"""The remedy of a wrong password leads to where it was written."""
	p = environ(port="PGBOUNCER_PORT", **dict(BITNAMI, POSTGRESQL_PASSWORD="wrong")).start()
	with pytest.raises(psycopg2.OperationalError) as told:
		p.value("app", "env_app", "wrong")
	p.wait_log("environment variable POSTGRESQL_PASSWORD")
	assert "password" in str(told.value)


def test_a_port_for_http_that_somebody_asked_for_must_be_free(environ):
	taken = Port()
	taken.sock.listen()
	try:
		done = environ(**dict(EDOBURU, HTTP_LISTEN=f"127.0.0.1:{taken.number}")).run("--env")
		assert done.returncode == 1 and "FATAL failed to answer HTTP" in done.stderr
	finally:
		taken.close()


def unprivileged(p):
	return ["setpriv", "--reuid", str(p.who.pw_uid), "--regid", str(p.who.pw_gid), "--clear-groups", "--"]


@pytest.mark.root
def test_a_port_for_http_that_nobody_asked_for_may_be_taken(environ):
	"""By an exporter beside it, in a network of their own."""
	p = environ(**EDOBURU)
	del p.variables["HTTP_LISTEN"]
	take = "import os, socket, sys; s = socket.create_server(('0.0.0.0', 9127)); s.set_inheritable(True); os.execvp(sys.argv[1], sys.argv[1:])"
	p.arguments = ["unshare", "--net", "/usr/bin/python3", "-c", take, *unprivileged(p), PROGRAM, "--env"]
	p.who = account("root")
	p.launch()
	p.wait_log("process up")
	assert 'WARNING failed to answer HTTP at "0.0.0.0", port 9127' in p.log()


@pytest.mark.root
def test_it_writes_nothing(environ):
	"""Where nothing can be written there is no Unix socket, although the image has one."""
	p = environ(port="PGBOUNCER_LISTEN_PORT", **PROJECT)
	script = 'mount -o remount,bind,ro / && { ! touch /tmp/written; } 2> /dev/null && exec "$@"'
	p.arguments = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *unprivileged(p), PROGRAM, "--env"]
	p.who = account("root")
	p.start()
	assert p.value("app", "env_app", SECRET) == "env_app in app"
	assert "unix:" not in p.log()


@pytest.mark.root
@pytest.mark.xdist_group("etc-pgbouncer")
class TestMounted:
	"""Files in /etc/pgbouncer, which is another directory for these processes: a mount namespace of their own."""

	def start(self, p, *arguments):
		"""Its command, run where p.mounted is /etc/pgbouncer, and that and everything above is read-only."""
		script = 'mount --bind "$1" /etc/pgbouncer && mount -o remount,bind,ro /etc/pgbouncer && shift && exec "$@"'
		return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", p.mounted, *unprivileged(p), PROGRAM, *arguments]

	@pytest.fixture
	def mounted(self, environ, folder):
		made = not os.path.isdir("/etc/pgbouncer")
		if made:
			os.mkdir("/etc/pgbouncer")

		def make(files, **variables):
			p = environ(**variables)
			p.mounted = make_directory(tempfile.mkdtemp(prefix="etc-", dir=folder), account("root"))
			for name, content in files.items():
				path = os.path.join(p.mounted, name)
				with open(path, "w") as f:
					f.write(content)
				os.chmod(path, 0o644)
			p.arguments = self.start(p, "--env")
			p.who = account("root")
			return p

		yield make
		if made:
			os.rmdir("/etc/pgbouncer")

	def run(self, p, *arguments):
		return subprocess.run(self.start(p, *arguments), env=p.all_variables(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
			timeout=120, check=False)

	def test_a_mounted_file_wins_and_the_log_says_what_has_no_effect(self, mounted, server):
		quoted = SECRET.replace("'", "''")
		listed = SECRET.replace('"', '""')
		p = mounted({"userlist.txt": f'"env_app" "{listed}"\n'}, port=None, DB_HOST="elsewhere", DB_PORT="1", MAX_CLIENT_CONN="7")
		with open(os.path.join(p.mounted, "pgbouncer.ini"), "w") as f:
			f.write(f"[databases]\napp = host=127.0.0.1 port={server.port} password='{quoted}' user=env_app\n[pgbouncer]\n"
				f"listen_addr = 127.0.0.1\nlisten_port = {p.port}\nunix_socket_dir =\nauth_file = userlist.txt\nauth_type = scram-sha-256\n")
		p.who = account("nobody", "daemon")
		p.arguments = self.start(p, "--env")
		p.who = account("root")
		p.start()
		assert p.value("app", "env_app", SECRET) == "env_app in app"
		assert f"configuration from the file /etc/pgbouncer/pgbouncer.ini, port {p.port}; users from the file" in p.log()
		# in the order in which the shell gives them on
		names = re.search("WARNING environment variables without effect, because there is a file /etc/pgbouncer/pgbouncer.ini: (.*)", p.log())[1]
		assert sorted(names.split(", ")) == ["DB_HOST", "DB_PORT", "HTTP_LISTEN", "MAX_CLIENT_CONN"]

	def test_a_mounted_list_is_completed_and_read_again(self, mounted, server):
		p = mounted({"userlist.txt": '"someone" "else"\n'}, **EDOBURU).start()
		assert p.value("app", "env_app", SECRET) == "env_app in app"
		with open(os.path.join(p.mounted, "userlist.txt"), "w") as f:
			f.write('"env_app" "another"\n')
		p.signal(signal.SIGHUP)
		p.wait_log('password of user "env_app" changed')
		with pytest.raises(psycopg2.OperationalError):
			p.value("app", "env_app", SECRET)

	def test_a_mounted_file_is_printed_without_secrets(self, mounted):
		p = mounted({"pgbouncer.ini": "; password = hidden1\n[databases]\na = host=h password=hidden2\n[pgbouncer]\nauth_type = any\n",
			"userlist.txt": '"ann" "hidden3"\n'}, port=None)
		p.who = account("nobody", "daemon")
		done = self.run(p, "--env", "--print")
		assert done.returncode == 0, done.stderr
		assert "hidden" not in done.stdout + done.stderr
		assert "a = host=h password='********'" in done.stdout and '"ann" "********"' in done.stdout

	def test_a_mounted_file_with_errors_is_told_line_by_line(self, mounted):
		p = mounted({"pgbouncer.ini": "[databases]\na = hots=h\n[pgbouncer]\nlisten_port = x\n"}, port=None)
		p.who = account("nobody", "daemon")
		done = self.run(p, "check", "--env")
		assert done.returncode == 1
		assert "/etc/pgbouncer/pgbouncer.ini:2" in done.stdout and "/etc/pgbouncer/pgbouncer.ini:4" in done.stdout
