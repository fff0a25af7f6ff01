"""
A plug-in for pytest: which of test/integration also run with pgweir.exe, which talks to the same PostgreSQL and to the same
clients. One place: files that are not here are not for Windows or would show nothing else than they do on Linux.
"""

from pathlib import Path

INTEGRATION = Path(__file__).resolve().parent.parent / "integration"

UNIX = "no Unix sockets in Wine"
SIGNAL = "there are no signals; test_process.py and test_service.py have what is there instead"
DESCRIPTORS = "nobody can limit them"
MOUNTED = "where containers mount files is a place of Unix"
ISREADY = "a copy of the program that runs pgweir.exe, under another name, does not find it"
STORE = "what the system trusts is in Windows' store, which these tests cannot fill"

# file: {how a test's name begins: why it is left out}
FILES = {
	"test_auth.py": {"test_unix_socket": UNIX, "test_without_descriptors": DESCRIPTORS},
	"test_cancel.py": {"test_cancel_arrives_over_the_unix_socket": UNIX},
	"test_console.py": {
		"test_own_account_is_admin_over_the_unix_socket": UNIX, "test_unix_socket": UNIX,
		"test_second_signal": SIGNAL, "test_sig": SIGNAL, "test_wait_for_clients_serves_them_to_their_end[signal]": SIGNAL,
		"test_wait_for_servers_lets_transactions_end[signal]": SIGNAL},
	"test_environment.py": {"TestMounted": MOUNTED, "test_a_reload_reads_secrets": SIGNAL,
		"test_a_port_for_http_that_nobody_asked_for": "a port that another program has is always refused"},
	"test_failures.py": {"test_missing_unix_socket": UNIX},
	"test_pooling.py": {"test_server_is_reached_by_name_and_by_unix_socket": UNIX},
	"test_prepared.py": {},
	"test_protocol.py": {},
	"test_ready.py": {"test_whatever_the_way": ISREADY, "test_it_is_what_postgresqls": ISREADY, "test_checks_leave_nothing": ISREADY,
		"test_the_file_says_where": UNIX},
	"test_tls.py": {"test_plain_clients_are_refused_where_tls_is_required": UNIX, "test_unix_sockets": UNIX,
		"test_whom_the_system_trusts": STORE, "test_the_system_is_trusted": STORE},
}


def pytest_ignore_collect(collection_path):
	if collection_path.parent == INTEGRATION and collection_path.name.startswith("test_") and collection_path.name not in FILES:
		return True
	return None


def is_left_out(item):
	"""Those for root, too: they need networks of their own, and Wine's sockets are all in one."""
	if item.path.parent != INTEGRATION:
		return False
	name = item.nodeid.split("::", 1)[1]
	return item.get_closest_marker("root") is not None or any(name.startswith(begin) for begin in FILES[item.path.name])


def pytest_collection_modifyitems(config, items):
	left_out = [item for item in items if is_left_out(item)]
	config.hook.pytest_deselected(items=left_out)
	items[:] = [item for item in items if item not in left_out]
