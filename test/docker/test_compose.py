"""etc/compose/compose.yaml, by both versions of Compose."""

import json
import subprocess

import psycopg
import pytest

from lab import DOCKER, TOP, docker, until

FILE = f"{TOP}/etc/compose/compose.yaml"
URL = "postgres://app:app@127.0.0.1:6432/app"
VERSIONS = {"version 1": ["/usr/bin/docker-compose"], "version 2": [DOCKER, "compose"]}


@pytest.fixture(params=VERSIONS)
def compose(request):
	def compose(*arguments):
		done = subprocess.run([*VERSIONS[request.param], "--project-name", "pgweir-compose", "--file", FILE, *arguments], stdin=subprocess.DEVNULL,
			capture_output=True, text=True, timeout=300, check=False)
		assert done.returncode == 0, done.stdout + done.stderr
		return done.stdout, done.stderr

	yield compose
	compose("down", "--volumes", "--timeout", "20")


def containers():
	ids = docker("ps", "--quiet", "--filter", "label=com.docker.compose.project=pgweir-compose").split()
	return {c["Config"]["Labels"]["com.docker.compose.service"]: c for c in (json.loads(docker("inspect", one))[0] for one in ids)}


@pytest.mark.xdist_group("compose")
def test_it_comes_up_in_order_serves_and_goes_in_time(compose):
	_, complaints = compose("config", "--quiet")
	assert "warn" not in complaints.lower() and "obsolete" not in complaints
	compose("up", "--detach", "--no-build")
	now = containers()
	assert now["db"]["State"]["Health"]["Status"] == "healthy"
	assert now["db"]["State"]["StartedAt"] < now["pgbouncer"]["State"]["StartedAt"]
	until(lambda: containers()["pgbouncer"]["State"]["Health"]["Status"] == "healthy", 90, "the pooler is healthy")
	with psycopg.connect(URL, autocommit=True) as client:
		assert client.execute("SELECT current_user || ' in ' || current_database()").fetchone() == ("app in app",)
		compose("stop", "pgbouncer")
	stopped = json.loads(docker("inspect", now["pgbouncer"]["Id"]))[0]
	assert stopped["State"]["ExitCode"] == 0


def test_only_the_image_differs_from_a_setup_with_pgbouncer():
	with open(FILE, encoding="utf-8") as f:
		lines = f.read().splitlines()
	assert [line.strip() for line in lines if "pgweir" in line and not line.startswith("#")] == ["image: pgweir # edoburu/pgbouncer"]
