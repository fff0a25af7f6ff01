"""Containers, networks and poolers in them. All this runs inside of "build-aux/docker-lab with DIR"."""

import json
import os
import re
import subprocess
import sys
import uuid

import psycopg

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(f"{TOP}/test/integration")

from waiting import until  # noqa: E402

DOCKER = "/usr/bin/docker"
IMAGE = "pgweir"
LOCKED = ("--read-only", "--cap-drop=ALL", "--security-opt", "no-new-privileges")
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[1\] (FATAL|ERROR|WARNING|LOG|DEBUG|NOISE) \S.*")


def docker(*arguments, status=0, **more):
	"""Runs the client; returns what it printed. `status`: which one is right, None for any."""
	done = subprocess.run([DOCKER, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False, **more)
	assert status is None or done.returncode == status, f"docker {' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}"
	return done.stdout.strip()


class Container:
	def __init__(self, image, *command, options=()):
		self.name = f"pgweir-{uuid.uuid4().hex[:12]}"
		docker("run", "--detach", "--name", self.name, *options, image, *command)

	def inspect(self):
		return json.loads(docker("inspect", self.name))[0]

	@property
	def state(self):
		return self.inspect()["State"]

	@property
	def health(self):
		return self.state["Health"]

	def address(self):
		return next(iter(self.inspect()["NetworkSettings"]["Networks"].values()))["IPAddress"]

	def outputs(self):
		done = subprocess.run([DOCKER, "logs", self.name], capture_output=True, text=True, timeout=60, check=True)
		return done.stdout, done.stderr

	def log(self):
		return "".join(self.outputs())

	def run(self, *command, status=0, options=()):
		return docker("exec", *options, self.name, *command, status=status)

	def kill(self, signal):
		docker("kill", "--signal", signal, self.name)

	def stop(self):
		"""Returns the exit status; 137 is that of one that had to be killed."""
		docker("stop", self.name)
		return self.state["ExitCode"]

	def wait(self):
		return int(docker("wait", self.name))

	def remove(self):
		docker("rm", "--force", "--volumes", self.name)

	# ---- poolers

	def connect(self, port=6432, user="app", password="app", dbname="app", **more):
		return psycopg.connect(host=self.address(), port=port, user=user, password=password, dbname=dbname, connect_timeout=30, **more)

	def value(self, query="SELECT current_user || ' in ' || current_database()", **where):
		with self.connect(autocommit=True, **where) as conn:
			return conn.execute(query).fetchone()[0]

	def console(self, command, **where):
		with self.connect(dbname="pgbouncer", autocommit=True, cursor_factory=psycopg.ClientCursor, **where) as conn:
			cursor = conn.execute(command)
			return cursor.fetchall() if cursor.description else []

	def until_up(self):
		until(lambda: "process up" in self.log() or not self.state["Running"], 60, "the pooler is up")
		assert self.state["Running"], self.log()
		return self


def configuration(directory, userlist='"app" "app"\n', databases="* = host=db", **settings):
	"""A directory with pgbouncer.ini and userlist.txt, for mounting; anybody may read it."""
	settings = {"listen_addr": "*", "auth_type": "scram-sha-256", "auth_file": "/etc/pgbouncer/userlist.txt", "admin_users": "app", **settings}
	os.chmod(directory, 0o755)
	with open(directory / "pgbouncer.ini", "w", encoding="utf-8") as f:
		f.write(f"[databases]\n{databases}\n[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
	with open(directory / "userlist.txt", "w", encoding="utf-8") as f:
		f.write(userlist)
	return str(directory)
