"""The image: what is in it, under which accounts and limits it runs, and whether it behaves as process 1."""

import json
import subprocess
import threading
import urllib.request

import psycopg
import pytest

from lab import DOCKER, IMAGE, LINE, LOCKED, configuration, docker, until


def image(name):
	return json.loads(docker("image", "inspect", name))[0]


# What is in it

def test_both_builders_make_the_same_image(run):
	def described(name):
		config = image(name)["Config"]
		files = run("sh", "-c", "find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -printf '%p %m %U %G %l\\n' | "
			"grep -v ' /etc/\\(hosts\\|hostname\\|resolv.conf\\|mtab\\) ' | sort", image=name, options=("--user", "0"))
		assert files.wait() == 0
		return {key: config[key] for key in ("User", "ExposedPorts", "Env", "Cmd", "Entrypoint", "Healthcheck", "Labels", "StopSignal")}, files.outputs()[0]

	assert described(IMAGE) == described("pgweir:classic")


def test_image_is_described():
	config = image(IMAGE)["Config"]
	labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
	assert labels["title"] == "pgweir" and labels["licenses"] == "PostgreSQL" and "PgBouncer" in labels["description"]
	assert config["User"] == "70:70" and config["StopSignal"] == "SIGTERM"
	assert set(config["ExposedPorts"]) == {"5432/tcp", "6432/tcp", "9127/tcp"}


def test_image_is_smaller_than_one_with_pgbouncer():
	base, ours, theirs = (image(name)["Size"] / 1e6 for name in ("debian:bookworm-slim", IMAGE, "pgbouncer:debian"))
	print(f"base {base:.1f} MB, pgweir {ours:.1f} MB, PgBouncer made in the same way {theirs:.1f} MB")
	assert ours < theirs
	assert ours - base < 20


def test_there_is_nothing_in_it_to_build_with(run):
	made = run("sh", "-c", "command -v gcc make autoconf pkg-config; ls /build /var/lib/apt/lists/*; find / -xdev -name '*.[cho]' -o -xdev -name '*.a'", options=("--user", "0"))
	made.wait()
	assert not made.outputs()[0]


@pytest.mark.parametrize("name", ["/usr/bin/pgbouncer", "/usr/sbin/pgbouncer", "/opt/pgbouncer/pgbouncer", "/bin/pgbouncer", "pgbouncer", "pgweir"])
def test_program_is_there_under_each_of_its_names(run, name):
	made = run(name, "--version")
	assert made.wait() == 0
	assert made.outputs()[0].startswith("PgBouncer 1.26.1\n")


def test_samples_are_there(run):
	made = run("cat", "/etc/pgbouncer/pgbouncer.ini.example", "/etc/pgbouncer/userlist.txt.example")
	assert made.wait() == 0
	assert "[databases]" in made.log() and '"app" "app"' in made.log()


# Accounts and limits

@pytest.mark.parametrize("user", [None, "70", "pgbouncer", "postgres", "54321", "12345:23456"])
def test_it_serves_with_everything_taken_away_under_any_account(start, user):
	pooler = start(options=(*LOCKED, *(("--user", user) if user else ())))
	assert pooler.value() == "app in app"
	status = pooler.run("cat", "/proc/1/status")
	uid = user.split(":")[0] if user and user[0].isdigit() else "70"
	assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status
	assert "CapEff:\t0000000000000000\n" in status and "NoNewPrivs:\t1\n" in status
	assert pooler.stop() == 0, pooler.log()


def test_variables_suffice_with_everything_taken_away(run, db):
	pooler = run(options=(*LOCKED, "--user", "54321"), env={"DATABASE_URL": "postgres://app:app@db/app"}).until_up()
	assert pooler.value(port=5432) == "app in app"


def test_started_as_root_it_becomes_its_own_account(start):
	pooler = start(options=("--user", "0"))
	status = pooler.run("cat", "/proc/1/status")
	assert "Uid:\t70\t70\t70\t70\n" in status and "Gid:\t70\t70\t70\t70\n" in status
	assert pooler.value() == "app in app"


def test_root_that_may_not_become_another_account_is_told_what_to_do(run):
	pooler = run(options=(*LOCKED, "--user", "0"))
	assert pooler.wait() == 1
	assert "leave out --user" in pooler.log()


# Process 1

def test_it_is_process_1_and_is_called_pgbouncer(start):
	pooler = start()
	assert pooler.run("cat", "/proc/1/comm") == "pgbouncer"
	assert pooler.run("pgrep", "--exact", "pgbouncer") == "1"


def test_preStop_hooks_find_it_by_its_name(start):
	pooler = start()
	pooler.run("pkill", "-HUP", "--exact", "pgbouncer")
	until(lambda: "SIGHUP" in pooler.log(), 30, "it has read its files anew")
	assert pooler.value() == "app in app"
	pooler.run("killall", "-INT", "pgbouncer")
	assert pooler.wait() == 0


@pytest.mark.parametrize("signal", ["INT", "TERM", "QUIT"])
def test_signals_end_it(start, signal):
	pooler = start()
	pooler.kill(signal)
	assert pooler.wait() == 0, pooler.log()
	assert f"SIG{signal}" in pooler.log()


def test_signals_pause_and_resume_it(start):
	pooler = start(pool_mode="transaction")
	with pooler.connect(autocommit=True) as conn:
		conn.execute("SELECT 1")
		pooler.kill("USR1")
		until(lambda: "SIGUSR1" in pooler.log(), 30, "it pauses")
		found = []
		asking = threading.Thread(target=lambda: found.append(conn.execute("SELECT 7").fetchone()[0]))
		asking.start()
		until(lambda: any(row[3] for row in pooler.console("SHOW POOLS") if row[0] == "app"), 30, "a client waits")
		assert not found
		pooler.kill("USR2")
		asking.join(60)
		assert found == [7]


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_docker_stop_lets_transactions_end_and_tells_idle_clients(run, db, mode):
	pooler = run(env={"DATABASE_URL": "postgres://app:app@db/app", "POOL_MODE": mode, "LISTEN_PORT": "6432"}).until_up()
	with pooler.connect(autocommit=True) as idle, pooler.connect() as busy:
		idle.execute("SELECT 1")
		busy.execute("CREATE TEMP TABLE t (n int)")
		stopping = subprocess.Popen([DOCKER, "stop", "--time", "120", pooler.name], stdout=subprocess.DEVNULL)
		until(lambda: "drain_timeout is over" in pooler.log(), 60, "clients are told to leave")
		busy.execute("INSERT INTO t VALUES (1)")
		busy.commit()
		assert stopping.wait(100) == 0
		with pytest.raises(psycopg.OperationalError) as told:
			idle.execute("SELECT 1")
		assert "terminating connection due to administrator command" in str(told.value) and "shutting down" in str(told.value)
	assert pooler.state["ExitCode"] == 0, pooler.log()


def test_there_are_no_zombies(start):
	pooler = start(options=("--health-interval", "1s"))
	before = len(pooler.health["Log"])
	# whoever asks ends before what it has started: process 1 inherits that
	for _ in range(20):
		pooler.run("sh", "-c", "sleep 0.1 & exit 0")
	until(lambda: len(pooler.health["Log"]) >= min(before + 3, 5), 60, "its health was checked")

	def others():
		return [line.split() for line in pooler.run("ps", "-e", "-o", "pid=,stat=,comm=").splitlines() if line.split()[2] not in ("pgbouncer", "ps")]

	until(lambda: not others(), 30, "nobody but the pooler is left")


# Health

def test_it_turns_healthy(start):
	pooler = start()
	until(lambda: pooler.health["Status"] == "healthy", 90, "it is healthy")
	assert "accepting connections" in pooler.health["Log"][-1]["Output"]


@pytest.mark.parametrize("where", ["listen_port = 5555", "unix_socket_dir = /run/pgbouncer\nlisten_addr ="])
def test_it_is_healthy_wherever_it_listens(run, tmp_path, where):
	configuration(tmp_path)
	(tmp_path / "pgbouncer.ini").write_text(f"[databases]\n* = host=db\n[pgbouncer]\nlisten_addr = *\n{where}\nauth_type = trust\nauth_file = /conf/userlist.txt\n")
	pooler = run("/usr/bin/pgbouncer", "/conf/pgbouncer.ini", options=("--health-interval", "1s", "--volume", f"{tmp_path}:/conf"))
	until(lambda: pooler.health["Status"] == "healthy", 90, "it is healthy")


@pytest.mark.parametrize("command", [["-v", "-u", "pgbouncer", "/conf/pgbouncer.ini"], ["/conf/pgbouncer.ini", "-v", "--user", "pgbouncer"]], ids=" ".join)
def test_it_is_healthy_whatever_its_options(run, tmp_path, command):
	configuration(tmp_path, auth_file="/conf/userlist.txt", listen_port=5555)
	pooler = run("/usr/bin/pgbouncer", *command, options=("--health-interval", "1s", "--volume", f"{tmp_path}:/conf"))
	until(lambda: pooler.health["Status"] == "healthy", 90, "it is healthy")


def test_health_is_the_pooler_s_own(start):
	"""With PostgreSQL away it goes on: a restart would mend nothing, and clients are told why."""
	pooler = start(options=("--health-interval", "1s"), databases="* = host=127.0.0.1 port=1", server_down_wait=0)
	until(lambda: pooler.health["Status"] == "healthy", 90, "it is healthy")
	seen = pooler.health["Log"][-1]["Start"]
	until(lambda: pooler.health["Log"][-1]["Start"] > seen, 60, "it was checked again")
	assert pooler.health["Status"] == "healthy"


def test_it_turns_unhealthy_and_says_why(start):
	pooler = start(options=("--health-interval", "1s", "--health-start-period", "0s"))
	until(lambda: pooler.health["Status"] == "healthy", 90, "it is healthy")
	pooler.kill("STOP")
	until(lambda: pooler.health["Status"] == "unhealthy", 120, "it is unhealthy")
	assert "no response" in pooler.health["Log"][-1]["Output"]
	pooler.kill("CONT")
	until(lambda: pooler.health["Status"] == "healthy", 90, "it is healthy again")


def test_pg_isready_works_inside(start):
	pooler = start()
	assert pooler.run("pg_isready", "-h", "localhost", "-p", "6432").endswith("accepting connections")
	assert pooler.run("pg_isready", "-h", "localhost", "-p", "5432", status=2).endswith("no response")


def test_health_checks_are_not_logged(start):
	pooler = start(options=("--health-interval", "1s"))
	until(lambda: len(pooler.health["Log"]) >= 3, 60, "it was checked")
	assert "pg_isready" not in pooler.log() and "login" not in pooler.log().lower(), pooler.log()


def test_probes_answer(run, db):
	pooler = run(env={"DATABASE_URL": "postgres://app:app@db/app"}).until_up()
	for path in ("livez", "readyz", "startupz", "metrics"):
		with urllib.request.urlopen(f"http://{pooler.address()}:9127/{path}", timeout=60) as answer:
			assert answer.status == 200


# Log

def test_log_is_on_stderr_as_pgbouncer_writes_it(start):
	pooler = start()
	pooler.value()
	pooler.stop()
	out, err = pooler.outputs()
	assert out == ""
	lines = [line for line in err.splitlines() if not line.startswith("\t")]
	assert len(lines) > 3 and all(LINE.fullmatch(line) for line in lines), err


# Configuration

FAMILIES = {
	"edoburu/pgbouncer, a URL": (5432, {"DATABASE_URL": "postgres://app:app@db:5432/app"}),
	"edoburu/pgbouncer": (5432, {"DB_USER": "app", "DB_PASSWORD": "app", "DB_HOST": "db", "DB_NAME": "app", "AUTH_TYPE": "scram-sha-256", "POOL_MODE": "transaction"}),
	"bitnami/pgbouncer": (6432, {"POSTGRESQL_HOST": "db", "POSTGRESQL_USERNAME": "app", "POSTGRESQL_PASSWORD": "app", "POSTGRESQL_DATABASE": "app",
		"PGBOUNCER_DATABASE": "app", "PGBOUNCER_POOL_MODE": "transaction"}),
	"pgbouncer/pgbouncer": (6432, {"DATABASES_HOST": "db", "DATABASES_USER": "app", "DATABASES_PASSWORD": "app", "DATABASES_DBNAME": "app",
		"PGBOUNCER_POOL_MODE": "transaction"}),
}


@pytest.mark.parametrize("image", FAMILIES)
def test_variables_of_other_images_work(run, db, image):
	port, env = FAMILIES[image]
	pooler = run(env=env).until_up()
	assert pooler.value(port=port) == "app in app"


def test_secrets_come_from_files(run, db, tmp_path):
	(tmp_path / "password").write_text("app\n")
	(tmp_path / "password").chmod(0o644)
	pooler = run(env={"DB_HOST": "db", "DB_USER": "app", "DB_PASSWORD_FILE": "/run/secrets/password", "AUTH_TYPE": "scram-sha-256"},
		options=("--volume", f"{tmp_path}/password:/run/secrets/password:ro")).until_up()
	assert pooler.value(port=5432) == "app in app"


def test_what_cannot_be_used_is_named(run):
	pooler = run(env={"DATABASE_URL": "postgres://app:app@db:5432/app", "POOL_MODE": "transactions"})
	assert pooler.wait() == 1
	assert "POOL_MODE" in pooler.log() and "transactions" in pooler.log()
	nothing = run()
	assert nothing.wait() == 1
	assert "DATABASE_URL" in nothing.log()


def test_mounted_files_win(start):
	pooler = start("/usr/bin/pgbouncer", "--env", options=("--env", "DATABASE_URL=postgres://other:other@nowhere/other", "--env", "LISTEN_PORT=7777"))
	assert pooler.value() == "app in app"
	until(lambda: "variables without effect" in pooler.log() and "LISTEN_PORT" in pooler.log(), 30, "it says what has no effect")


@pytest.mark.parametrize("where", ["/etc/pgbouncer", "/bitnami/pgbouncer/conf", "/opt/bitnami/pgbouncer/conf"])
@pytest.mark.parametrize("what", ["directory", "files"])
def test_configuration_is_found_where_other_images_have_it(run, db, tmp_path, where, what):
	configuration(tmp_path, auth_file=f"{where}/userlist.txt")
	volumes = [("", "")] if what == "directory" else [("/pgbouncer.ini", "/pgbouncer.ini"), ("/userlist.txt", "/userlist.txt")]
	pooler = run(options=[word for here, there in volumes for word in ("--volume", f"{tmp_path}{here}:{where}{there}:ro")]).until_up()
	assert pooler.value() == "app in app"


COMMANDS = {
	"edoburu/pgbouncer": ["/usr/bin/pgbouncer", "/etc/pgbouncer/pgbouncer.ini"],
	"its script": ["/entrypoint.sh", "/usr/bin/pgbouncer", "/etc/pgbouncer/pgbouncer.ini"],
	"bitnami/pgbouncer": ["/opt/bitnami/scripts/pgbouncer/run.sh"],
	"bitnami/pgbouncer, both scripts": ["/opt/bitnami/scripts/pgbouncer/entrypoint.sh", "/opt/bitnami/scripts/pgbouncer/run.sh"],
	"pgbouncer/pgbouncer": ["/opt/pgbouncer/entrypoint.sh"],
	"options": ["-v"],
}


@pytest.mark.parametrize("mounted", [False, True], ids=["variables", "files"])
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_other_images_work(run, db, tmp_path, command, mounted):
	files = ("--volume", f"{configuration(tmp_path)}:/etc/pgbouncer") if mounted else ()
	pooler = run(*COMMANDS[command], options=files, env={} if mounted else {"DATABASE_URL": "postgres://app:app@db/app", "LISTEN_PORT": "6432"}).until_up()
	assert pooler.value() == "app in app"
	assert pooler.run("cat", "/proc/1/comm") == "pgbouncer"


def test_check_works_inside(run, db):
	pooler = run(env={"DATABASE_URL": "postgres://app:app@db/app"}).until_up()
	assert "database \"app\"" in pooler.run("pgweir", "check", "--env", status=None)
