"""Fixtures: a network with a PostgreSQL that is called db, and containers beside it; all are removed."""

import uuid

import pytest

from lab import IMAGE, Container, configuration, docker, until


@pytest.fixture(scope="session")
def network():
	name = f"pgweir-{uuid.uuid4().hex[:12]}"
	docker("network", "create", name)
	yield name
	docker("network", "rm", name)


@pytest.fixture(scope="session")
def db(network):
	made = Container("postgres:18", options=("--network", network, "--network-alias", "db", "--env", "POSTGRES_USER=app", "--env", "POSTGRES_PASSWORD=app"))
	try:
		until(lambda: "accepting connections" in made.run("pg_isready", "-h", "127.0.0.1", status=None), 120, "PostgreSQL is up")
		yield made
	finally:
		made.remove()


@pytest.fixture
def run(network):
	"""run(*command, image=, options=, env=): a container in the network."""
	made = []

	def run(*command, image=IMAGE, options=(), env=None):
		variables = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
		made.append(Container(image, *command, options=("--network", network, *variables, *options)))
		return made[-1]

	yield run
	for container in made:
		container.remove()


@pytest.fixture
def start(run, db, tmp_path):
	"""start(*command, options=, **settings): a pooler that has its configuration mounted and is up."""

	def start(*command, options=(), image=IMAGE, **settings):
		return run(*command, image=image, options=("--volume", f"{configuration(tmp_path, **settings)}:/etc/pgbouncer", *options)).until_up()

	return start
