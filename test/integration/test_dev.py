"""./dev run, the first thing that people type. Its port is fixed, so it gets a network of its own."""

import contextlib
import os
import signal
import subprocess
import tempfile
import urllib.parse

import pytest

from netlab import Machine
from pooler import ROOT
from processes import account, environment, start
from waiting import until

pytestmark = [pytest.mark.pgweir, pytest.mark.root, pytest.mark.unsanitized, pytest.mark.xdist_group("dev")]


class Run:
	"""The command as a terminal runs it: a process group, all of which Ctrl-C reaches."""

	def __init__(self, folder, url):
		self.place = tempfile.mkdtemp(dir=folder)
		os.chmod(self.place, 0o755)
		self.scratch = os.path.join(self.place, "tmp")
		os.mkdir(self.scratch)
		os.chmod(self.scratch, 0o755)
		self.machine = Machine()
		with open(os.path.join(self.place, "said"), "wb") as output, self.machine.inside():
			self.process = start(["env", f"TMPDIR={self.scratch}", f"DATABASE_URL={url}", os.path.join(ROOT, "dev"), "run"], account("root"),
				self.place, output, "TERM", start_new_session=True)

	def said(self):
		with open(os.path.join(self.place, "said")) as f:
			return f.read()

	def line(self):
		"""What it says should be typed."""
		until(lambda: "Ctrl-C ends it" in self.said() or self.process.poll() is not None, 120, "it is up")
		_, found, rest = self.said().partition("In another terminal, type:\n")
		assert found, self.said()
		return rest.split("\n", 1)[0].strip()

	def type(self, line, sql):
		with self.machine.inside():
			return subprocess.run([*line.split(), "-XAtc", sql], capture_output=True, text=True, timeout=30, cwd=self.place,
				env=dict(environment(self.place), PGPASSWORD="app")).stdout.strip()

	def programs(self):
		"""name -> account of what runs in the scratch directory"""
		found = {}
		for pid in filter(str.isdigit, os.listdir("/proc")):
			with contextlib.suppress(OSError):
				with open(f"/proc/{pid}/cmdline") as f:
					words = f.read().split("\0")
				if any(word.startswith(self.scratch) for word in words):
					found[os.path.basename(words[0])] = os.stat(f"/proc/{pid}").st_uid
		return found

	def end(self, number):
		os.killpg(self.process.pid, number)
		return self.process.wait(30)


@pytest.fixture
def run(folder):
	made = []

	def run(url=""):
		made.append(Run(folder, url))
		return made[-1]

	yield run
	for one in made:
		if one.process.poll() is None:
			one.end(signal.SIGTERM)
		one.machine.close()


def test_run_serves_a_private_postgresql_until_ctrl_c(run):
	it = run()
	assert it.line() == "psql postgres://app:app@127.0.0.1:6432/app"
	assert it.type(it.line(), "SELECT current_user, current_database()") == "app|app"
	assert {"pgweir", "postgres"} <= set(it.programs()) and 0 not in it.programs().values()
	assert "login attempt: db=app user=app" in it.said()
	assert it.end(signal.SIGINT) == 130
	assert it.programs() == {} and os.listdir(it.scratch) == []


def test_run_in_front_of_ones_own_server_names_a_line_that_leads_through_it(run, cluster):
	it = run(f"postgresql:///app?host={urllib.parse.quote(cluster.folder, safe='')}&port={cluster.port}&user=app&password=app&sslmode=disable")
	assert it.line() == "psql postgresql://app@127.0.0.1:6432/app"
	assert it.type(it.line(), "SELECT current_user") == "app"
	assert set(it.programs()) == {"pgweir"}
	assert it.end(signal.SIGTERM) == 143
	assert it.programs() == {} and os.listdir(it.scratch) == []


def test_run_with_a_url_that_cannot_serve_says_why_and_fails(run):
	it = run("postgres://app@127.0.0.1/app")
	assert it.process.wait(120) == 1
	assert "the URL has no password" in it.said() and os.listdir(it.scratch) == []
