"""Fixtures: those of test/integration, and the Windows of build-aux/wine-lab."""

import importlib.util
import itertools
import os
import sys
import tempfile

import pytest

INTEGRATION = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration")
sys.path.insert(0, INTEGRATION)

_found = importlib.util.spec_from_file_location("integration_conftest", os.path.join(INTEGRATION, "conftest.py"))
_shared = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_shared)
folder, cluster, gate, hba, start_pooler = _shared.folder, _shared.cluster, _shared.gate, _shared.hba, _shared.start_pooler
pytest_configure, pytest_runtest_makereport = _shared.pytest_configure, _shared.pytest_runtest_makereport

from pooler import Pooler # noqa: E402
from processes import account, make_directory # noqa: E402
from windows import Events, Service, Windows # noqa: E402

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def windows():
	made = Windows()
	yield made
	made.close()


@pytest.fixture
def events():
	return Events()


@pytest.fixture
def name():
	"""Of a service: nobody else's."""
	return f"pooler {os.getpid()} {next(_numbers)}"


@pytest.fixture
def register(windows, cluster, folder, name, request):
	"""register(*options, setting=value, …): a service until the end of the test; `place` is the directory for its own one."""
	made = []
	request.node.poolers = []

	def register(*options, name=name, place=folder, **more):
		service = Service(windows, cluster, place, name, *options, **more)
		made.append(service)
		request.node.poolers.append(service.pooler)
		return service

	yield register
	for service in made:
		service.close()


@pytest.fixture
def write_files(cluster, folder, name):
	"""write_files(setting=value, …): a pooler's files, for a service of this name that nobody has registered."""
	made = []

	def write(**settings):
		made.append(Pooler(cluster, folder, service_name=name, **{"logfile": "log", **settings}))
		made[-1].write()
		return made[-1]

	yield write
	for pooler in made:
		pooler.discard()


LONG = "/".join(["a directory with a long name, as backups and installers of all kinds make them"] * 4)
PLACES = {"spaces": "with some spaces", "umlauts": "Größe und Maß", "other letters": "порт 端口", "signs": "it's (x86) & 100%", "long": LONG}


@pytest.fixture(params=PLACES.values(), ids=PLACES)
def place(request, folder):
	"""A directory of such a name."""
	path = make_directory(tempfile.mkdtemp(prefix="place-", dir=folder), account("nobody", "daemon"))
	for part in request.param.split("/"):
		path = make_directory(os.path.join(path, part), account("nobody", "daemon"))
	assert request.param != LONG or len(path) > 300
	yield path
