"""etc/compose/verify: what it says when all is well, and in each situation that its five steps are there for."""

import re
from contextlib import closing

import psycopg2
import pytest

from scene import OPEN, SHUT, URL
from waiting import until

ALL_WELL = """\
1. Is the port open?  (127.0.0.1, port 6432)
  ok: something listens there
2. Can a client log in?
  ok: You are connected to database "app" as user "app" on host "127.0.0.1" at port "6432".
3. Does a query get its answer through port 6432?
  ok: 6 * 7 = 42
4. Do several clients share few servers?  (20 clients, all connected at the same time)
  ok: 20 clients were served by N
5. Can the pooler reach PostgreSQL from its own network?  (in the container of pgweir)
  ok: connect: HOST; authenticate: as "app"

All five steps passed.
"""
# what the check of the whole configuration says besides
BY_THE_WAY = r"  By the way, .*\n(  \| .*\n)+"
NOT_TRIED = "not tried, because of what failed above"


@pytest.fixture
def open_scene(scene):
	"""All is well, whatever the last test did."""
	if scene.cluster.process is None:
		scene.cluster.start()
	scene.cluster.set_hba(OPEN)
	scene.up("pgweir")
	serves(scene)
	return scene


def serves(scene):
	try:
		until(lambda: can_log_in() or not scene.is_running(), 30, "the pooler serves")
		assert scene.is_running(), "the pooler has ended"
	except AssertionError:
		print(scene.log()) # pytest shows it
		raise


def can_log_in():
	try:
		with closing(psycopg2.connect(URL, connect_timeout=5)):
			return True
	except psycopg2.OperationalError:
		return False


def steps(output):
	"""What it says to each step, by its number."""
	return {int(number): text for number, text in re.findall(r"^(\d)\. (.*?)(?=^\d\. |^$)", output, re.MULTILINE | re.DOTALL)}


def words(output):
	"""Without line ends, so that words can be looked for across them."""
	return re.sub(r"\s+", " ", output)


def test_all_is_well(open_scene):
	status, output = open_scene.verify()
	for pattern, word in ((r" \([0-9.]+ ms\)", ""), (r"connect: .*?;", "connect: HOST;"), (r"served by \d+", "served by N"), (BY_THE_WAY, "")):
		output = re.sub(pattern, word, output)
	assert (status, output) == (0, ALL_WELL)


def test_port_is_closed(open_scene):
	status, output = open_scene.verify(URL.replace("6432", "6433"))
	said = steps(output)
	assert status == 1 and "Step 1 failed." in output
	assert "nothing listens on 127.0.0.1, port 6433" in said[1]
	assert "docker compose ps pgweir" in said[1] and 'ports: ["127.0.0.1:6433:6432"]' in words(said[1])
	assert all(NOT_TRIED in said[step] for step in (2, 3, 4)) and " ok: " in said[5]


def test_container_is_stopped(open_scene):
	open_scene.compose("stop", "--timeout", "1", "pgweir")
	status, output = open_scene.verify()
	said = steps(output)
	assert status == 1 and "docker compose logs pgweir" in said[1]
	assert "cannot be entered" in said[5] and "docker compose ps -a pgweir" in words(said[5])


def test_password_is_wrong(open_scene):
	status, output = open_scene.verify(URL.replace(":app@", ":wrong@"))
	said = steps(output)
	assert status == 2 and "user or password are not those that the pooler knows" in said[2]
	assert "docker compose logs pgweir" in said[2] and NOT_TRIED in said[3] and " ok: " in said[5]


def test_user_is_in_no_list(open_scene):
	status, output = open_scene.verify(URL.replace("app:", "nobody:"))
	said = steps(output)
	assert status == 2 and re.search("Incident [0-9a-f]{8}", said[2])
	assert "in none of the pooler's lists" in said[2] and "docker compose logs pgweir" in said[2]
	assert NOT_TRIED in said[3] and " ok: " in said[5]


def test_postgresql_does_not_let_the_pooler_in(open_scene):
	open_scene.cluster.set_hba(SHUT)
	open_scene.compose("restart", "--timeout", "1", "pgweir")
	until(lambda: open_scene.verify()[0] != 1, 30, "the pooler listens")
	status, output = open_scene.verify()
	said = steps(output)
	assert status == 2 and "PostgreSQL does not let it in" in said[2]
	line = open_scene.remedy(said[2].replace("|", ""))
	assert line.split() == ["host", "app", "app", open_scene.address() + "/32", "scram-sha-256"]
	assert open_scene.remedy(said[5].replace("|", "")) == line and NOT_TRIED in said[4]


def test_postgresql_is_gone_while_the_pooler_runs(open_scene):
	open_scene.cluster.stop()
	status, output = open_scene.verify()
	said = steps(output)
	assert status in (2, 3) and "refused" in said[5]
	assert "host.docker.internal" in said[5] and "listen_addresses" in said[5]


def test_nothing_is_shared_in_session_mode(open_scene):
	open_scene.up("pgweir", POOL_MODE="session")
	serves(open_scene)
	status, output = open_scene.verify()
	said = steps(output)
	assert status == 4 and "20 clients had 20 servers: nothing is shared" in said[4] and "POOL_MODE: transaction" in words(said[4])
	assert all(" ok: " in said[step] for step in (1, 2, 3, 5))


def test_fewer_servers_than_clients_in_session_mode(open_scene):
	open_scene.up("pgweir", POOL_MODE="session", POOL_SIZE="5")
	serves(open_scene)
	status, output = open_scene.verify()
	assert status == 4 and "only 5 of 20 clients were served while all of them were connected" in words(output)


def test_past_the_pooler(open_scene):
	status, output = open_scene.verify(URL.replace("6432", str(open_scene.cluster.port)))
	assert status == 4 and "this URL leads past the pooler" in words(output)


def test_psql_in_a_container(open_scene):
	"""For who has none: here the same program, under another name."""
	status, output = open_scene.verify(PSQL="env psql")
	assert (status, output.count(" ok: ")) == (0, 5)
	assert open_scene.verify(URL.replace("6432", "6433"), PSQL="env psql")[0] == 1


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:6432/app", "127.0.0.1:6432"])
def test_wrong_url_shows_how_it_is_used(scene, url):
	status, output = scene.verify(url)
	assert status == 64 and "verify postgres://USER:PASSWORD@127.0.0.1:6432/DATABASE" in output
