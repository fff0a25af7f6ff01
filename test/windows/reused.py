"""
A plug-in for pytest: which of test/integration also run with pgweir.exe, which talks to the same PostgreSQL and to the same
clients. One place: files that are not here are not for Windows or would show nothing else than they do on Linux.
"""

from pathlib import Path

INTEGRATION = Path(__file__).resolve().parent.parent / "integration"

# file: {beginning of a test's name: why it is left out}
FILES = {
	"test_auth.py": {},
	"test_cancel.py": {},
	"test_check.py": {},
	"test_console.py": {},
	"test_dns.py": {},
	"test_environment.py": {},
	"test_failures.py": {},
	"test_hosts.py": {},
	"test_http.py": {},
	"test_limits.py": {},
	"test_pooling.py": {},
	"test_prepared.py": {},
	"test_protocol.py": {},
	"test_psql.py": {},
	"test_ready.py": {},
	"test_timeouts.py": {},
	"test_tls.py": {},
	"test_wire.py": {},
}


def pytest_ignore_collect(collection_path):
	if collection_path.parent == INTEGRATION and collection_path.name.startswith("test_") and collection_path.name not in FILES:
		return True
	return None


def is_left_out(item):
	return item.path.parent == INTEGRATION and any(item.name.startswith(name) for name in FILES[item.path.name])


def pytest_collection_modifyitems(config, items):
	left_out = [item for item in items if is_left_out(item)]
	config.hook.pytest_deselected(items=left_out)
	items[:] = [item for item in items if item not in left_out]
