"""
The incident's stage: a machine with a PostgreSQL, and on it, in containers, an application and its pooler. Runs inside of
"build-aux/docker-lab with DIR", which has the daemon, and the images that build_images() made for it.
"""

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

from cluster import Cluster
from waiting import until

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SHOP = "http://127.0.0.1:8000"
DIRECT = "http://127.0.0.1:8001"
WEB = "http://127.0.0.1:9127"
URL = "postgres://app:app@127.0.0.1:6432/app"
PAGE = ("app", "app")

# as initdb writes it: the machine itself, and nobody else
SHUT = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
OPEN = SHUT + "host all all 172.16.0.0/12 scram-sha-256\nhost all all 192.168.0.0/16 scram-sha-256\n"


def run(command, **more):
	"""Runs it and returns what it printed."""
	done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
	if done.returncode:
		raise AssertionError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
	return done.stdout


class Answer:
	def __init__(self, status, body):
		self.status, self.body = status, body


def get(url, password=None, seconds=30):
	"""Status 0 if there is no answer."""
	request = urllib.request.Request(url)
	if password:
		request.add_header("Authorization", "Basic " + base64.b64encode(":".join(password).encode()).decode())
	try:
		with urllib.request.urlopen(request, timeout=seconds) as answer:
			return Answer(answer.status, answer.read().decode())
	except urllib.error.HTTPError as e:
		return Answer(e.code, e.read().decode())
	except OSError as e:
		return Answer(0, str(e))


class Crowd:
	"""Users of the shop, at once; wait() and end() return their requests, each with target, what, at, ms and error."""

	def __init__(self, folder, users, seconds, block=3600, targets=(("pgweir", SHOP),)):
		self.record = os.path.join(folder, "requests")
		self.seconds = seconds
		env = dict(os.environ, TARGETS=" ".join(f"{name}={url}" for name, url in targets), BLOCK=str(block), RECORD=self.record)
		with open(os.path.join(folder, "locust.log"), "w") as log:
			# the last requests are waited for, however long they take
			self.process = subprocess.Popen([sys.executable, "-m", "locust", "-f", f"{HERE}/locustfile.py", "--headless", "-u", str(users), "-r",
				str(users), "-t", f"{seconds}s", "-s", "300", "--only-summary", "--exit-code-on-error", "0"], env=env, stdout=log, stderr=log)

	def so_far(self):
		try:
			with open(self.record, encoding="utf-8") as f:
				return [json.loads(line) for line in f.read().split("\n")[:-1]]
		except FileNotFoundError:
			return []

	def wait(self):
		status = self.process.wait(self.seconds + 400)
		assert status == 0, f"locust ended with status {status}"
		return self.so_far()

	def end(self):
		"""Nobody asks any more, and who has asked waits for the answer."""
		self.process.terminate()
		return self.wait()


class Scene:
	def __init__(self, folder, programs=None, more_files=()):
		"""`programs` of PostgreSQL; `more_files` for Compose, beside the incident's own and the direct way"""
		self.folder = folder
		self.files = [f"{TOP}/etc/compose/incident/compose.yaml", f"{HERE}/direct.yaml", *more_files]
		self.cluster = Cluster(folder, addresses="*", hba=SHUT, programs=programs)
		self.variables = {"HOST_PORT": str(self.cluster.port), "COMPOSE_PROJECT_NAME": "incident"}

	def __enter__(self):
		self.cluster.create()
		url = f"postgres://app:app@127.0.0.1:{self.cluster.port}/app"
		self._run([sys.executable, "-B", "-m", "django", "migrate"], cwd=f"{HERE}/app", DATABASE_URL=url, DJANGO_SETTINGS_MODULE="shop.settings",
			PYTHONPATH=".")
		return self

	def __exit__(self, *_):
		try:
			self.compose("down", "--timeout", "1")
		finally:
			self.cluster.stop()

	def _run(self, command, cwd=None, **variables):
		return run(command, cwd=cwd, env={**os.environ, **self.variables, **variables})

	def compose(self, *arguments, **variables):
		files = [word for name in self.files for word in ("-f", name)]
		return self._run(["docker", "compose", *files, *arguments], **variables)

	def up(self, *services, **variables):
		"""With those variables; containers that this changes are made anew. The pooler answers afterwards, if it is among them."""
		self.compose("up", "--no-build", "--detach", *services, **variables)

	def up_anew(self, service="pgweir"):
		"""With nothing left of what it had."""
		self.up("--force-recreate", "--no-deps", service)

	def shop_answers(self, url=SHOP):
		until(lambda: get(f"{url}/health").status == 200, 60, "the application is up")

	def container(self, service):
		[one] = self.compose("ps", "--all", "--quiet", service).split()
		return one

	def is_running(self, service="pgweir"):
		return run(["docker", "inspect", "--format", "{{.State.Status}}", self.container(service)]).strip() == "running"

	def log(self, service="pgweir"):
		return run(["docker", "logs", self.container(service)])

	def address(self, service="pgweir"):
		"""The container's address in the bridge network, which is what PostgreSQL sees."""
		networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
		return run(["docker", "inspect", "--format", networks, self.container(service)]).strip()

	def crowd(self, users, seconds, **more):
		return Crowd(self.folder, users, seconds, **more)

	def remedy(self, text):
		"""The line to add to pg_hba.conf that is printed in this text."""
		return re.search(r"^\s*(host\b.*\S)\s*$", text, re.MULTILINE)[1]

	def allow(self, line):
		"""Adds the line at the end of pg_hba.conf, and has the file read again."""
		with open(f"{self.cluster.data}/pg_hba.conf") as f:
			self.cluster.set_hba(f.read() + line + "\n")

	def verify(self, url=URL, **variables):
		"""Exit status and output of the script for users, run where compose.yaml is."""
		env = {**os.environ, **self.variables, **variables}
		done = subprocess.run([f"{TOP}/etc/compose/verify", url], cwd=f"{TOP}/etc/compose/incident", env=env, stdout=subprocess.PIPE,
			stderr=subprocess.STDOUT, text=True)
		return done.returncode, done.stdout
