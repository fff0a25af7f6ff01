"""Fixtures: one private PostgreSQL per session, poolers as tests need them; everything is ended and removed."""

import os
import resource
import shutil
import socket
import tempfile

import pytest

from cluster import Cluster
from gate import Gate
from pooler import Pooler, end_all, is_sanitized

THREADS = [1, pytest.param(2, marks=pytest.mark.pgweir)]
LONG = bool(os.environ.get("PGWEIR_LONG"))


def marks(item):
	return {mark.name for mark in item.iter_markers()}


def pytest_configure(config):
	soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
	if soft != hard:
		resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_collection_modifyitems(config, items):
	without = {name for name, leave in (("long", not LONG), ("unsanitized", is_sanitized()), ("root", os.getuid() != 0)) if leave}
	left_out = [item for item in items if marks(item) & without]
	config.hook.pytest_deselected(items=left_out)
	items[:] = sorted((item for item in items if not marks(item) & without), key=lambda item: not marks(item) & {"early", "long"})


@pytest.fixture(scope="session")
def folder():
	path = tempfile.mkdtemp(prefix="pgweir-test-")
	os.chmod(path, 0o755)
	yield path
	shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(folder):
	made = Cluster(folder)
	try:
		made.create()
		yield made
	finally:
		made.stop()


@pytest.fixture
def gate(cluster):
	"""In front of the server."""
	made = Gate(cluster.port)
	yield made
	made.close()


@pytest.fixture
def manager(folder):
	"""Who listens where systemd would: its socket, and the path for NOTIFY_SOCKET."""
	path = os.path.join(folder, "notify")
	with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
		s.bind(path)
		os.chmod(path, 0o777)
		s.settimeout(30)
		yield s, path
	os.unlink(path)


def _poolers(cluster, folder, request):
	made = []

	def start(**options):
		pooler = Pooler(cluster, folder, **options)
		made.append(pooler)
		return pooler.start()

	request.node.poolers = made
	cluster.end_sessions() # what a shared pooler keeps would be counted
	yield start
	problems = end_all(made)
	cluster.end_queries()
	assert not problems, "\n".join(problems)


@pytest.fixture
def start_pooler(cluster, folder, request):
	"""start_pooler(setting=value, …) runs a pooler until the end of the test."""
	yield from _poolers(cluster, folder, request)


@pytest.fixture(scope="module")
def start_shared(cluster, folder, request):
	"""The same for poolers that a whole file shares."""
	yield from _poolers(cluster, folder, request)


@pytest.fixture
def hba(cluster):
	"""hba(text) gives the server another pg_hba.conf until the end of the test."""
	yield cluster.set_hba
	cluster.reset_hba()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
	"""A failed test shows what its poolers said."""
	report = (yield).get_result()
	if not report.failed:
		return
	for node in item.listchain():
		for pooler in getattr(node, "poolers", []):
			if os.path.exists(pooler.log_path):
				report.sections.append(("pooler's log", pooler.log()[-3000:]))
