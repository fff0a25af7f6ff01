"""What people are told to do where pgweir runs on Windows, and PostgreSQL, as far as can be told, does, too."""

import json
import subprocess

import pytest

from pooler import PROGRAM
from processes import Port
from windows import LAB
from wire import ServerError

pytestmark = pytest.mark.xdist_group("registry") # there is one of it

SERVICES = r"HKLM\SOFTWARE\PostgreSQL\Services\postgresql-x64-16"
INSTALLATIONS = r"HKLM\SOFTWARE\PostgreSQL\Installations\postgresql-x64-16"


@pytest.fixture
def dead():
	"""A port at which nobody listens."""
	port = Port()
	yield port.number
	port.close()


def put(key, name, kind, value):
	subprocess.run([f"{LAB}/wine", "reg", "add", key, "/v", name, "/t", kind, "/d", str(value), "/f"], check=True,
		stdout=subprocess.DEVNULL, timeout=60)


@pytest.fixture
def installed():
	"""installed(port): PostgreSQL's installer has been here."""
	def install(port):
		put(SERVICES, "Port", "REG_DWORD", port)
		put(SERVICES, "Data Directory", "REG_SZ", r"E:\shop data")
		put(INSTALLATIONS, "Base Directory", "REG_SZ", r"D:\PostgreSQL\16")

	yield install
	subprocess.run([f"{LAB}/wine", "reg", "delete", r"HKLM\SOFTWARE\PostgreSQL", "/f"], check=False,
		stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def check(pooler):
	"""The findings of `pgweir check`."""
	done = subprocess.run([PROGRAM, "check", "--json", pooler.ini], capture_output=True, encoding="utf-8", timeout=60)
	return json.loads(done.stdout)["findings"]


def hint_of(findings, what):
	return next(f["hint"] for f in findings if what in f["what"])


def test_a_server_that_does_not_run_is_looked_for_with_the_tools_of_windows(write_files, dead):
	pooler = write_files(databases={"app": f"host=127.0.0.1 port={dead} user=app password=app"})
	hint = hint_of(check(pooler), "connection refused")
	assert "Get-Service postgresql*" in hint and "Restart-Service postgresql-x64-<version>" in hint


def test_a_server_that_was_installed_here_is_called_by_its_name(write_files, installed, dead):
	installed(dead)
	pooler = write_files(databases={"app": f"host=127.0.0.1 port={dead} user=app password=app"})
	assert hint_of(check(pooler), "connection refused").endswith("\nRestart-Service postgresql-x64-16")


def test_clients_read_where_the_line_for_pg_hba_conf_goes(start_pooler, hba, cluster, installed):
	installed(cluster.port)
	hba("local all all trust\nhost all postgres 127.0.0.1/32 trust\n")
	pooler = start_pooler()
	with pytest.raises(ServerError) as told, pooler.login() as w:
		w.value("SELECT 1")
	hint = told.value.message.fields["H"]
	assert r"on Windows usually E:\shop data\pg_hba.conf" in hint
	assert r'& "D:\PostgreSQL\16\bin\pg_ctl.exe" reload -D "E:\shop data"' in hint


def test_a_name_that_is_not_known_is_looked_up_with_the_tools_of_windows(write_files):
	pooler = write_files(databases={"app": "host=no-such-host.invalid user=app password=app"})
	assert "Resolve-DnsName no-such-host.invalid" in hint_of(check(pooler), "could not translate")


def test_an_address_of_another_machine_is_not_listened_on(write_files):
	pooler = write_files(listen_addr="203.0.113.77")
	assert "Get-NetIPAddress" in hint_of(check(pooler), "cannot listen")
