"""The installer, as msiexec runs it without a window."""

import os
import subprocess
import tempfile

import pytest

from processes import Port
from waiting import until
from windows import LAB, RUNNING, STOPPED, windows_path
from wire import Wire

pytestmark = pytest.mark.xdist_group("services") # see test_service.py

MSI = os.environ["WINDOWS_INSTALLER"]
DRIVE = os.path.join(LAB, "prefix", "drive_c")
PROGRAM = os.path.join(DRIVE, "Program Files", "pgweir", "pgweir.exe")
DATA = os.path.join(DRIVE, "ProgramData", "pgweir")
INI = os.path.join(DATA, "pgweir.ini")


def msiexec(*arguments):
	"""Its output goes to a file: a program that it leaves behind would keep a pipe open."""
	with tempfile.TemporaryFile("w+") as output:
		done = subprocess.run([os.path.join(LAB, "wine"), "msiexec", *arguments, windows_path(MSI), "/qn"], stdin=subprocess.DEVNULL,
			stdout=output, stderr=output, timeout=120, cwd=LAB)
		output.seek(0)
		assert done.returncode == 0, (done.returncode, output.read())


@pytest.fixture
def installed(windows):
	assert not windows.exists("pgweir")
	msiexec("/i")
	yield
	if windows.exists("pgweir"):
		msiexec("/x")


def read(path):
	with open(path) as f:
		return f.read()


def configure(cluster, port):
	"""The sample, for this server."""
	text = read(INI)
	for before, after in (("port=5432", f"port={cluster.port}"), ("listen_addr =", f"listen_port = {port}\nlisten_addr =")):
		assert before in text
		text = text.replace(before, after)
	with open(INI, "w") as f:
		f.write(text)
	with open(os.path.join(DATA, "userlist.txt"), "a") as f:
		f.write('"app" "app"\n')


def test_what_is_installed_serves_and_what_people_have_written_stays(windows, cluster, installed):
	command = windows.config("pgweir")["command"]
	assert command == r'"C:\Program Files\pgweir\pgweir.exe" -service "C:\ProgramData\pgweir\pgweir.ini"'
	assert windows.state("pgweir") == STOPPED
	assert os.path.exists(os.path.join(DATA, "userlist.txt"))
	port = Port()
	configure(cluster, port.number)
	ours = read(INI)
	windows.ask("start", "pgweir")
	until(lambda: windows.state("pgweir") == RUNNING, 15, "the service runs")
	with Wire(port.number).login("app", "app", "app") as w:
		assert w.value("SELECT 42") == "42"
	assert "process up" in read(os.path.join(DATA, "log", "pgweir.log"))

	msiexec("/x") # while it runs
	assert not windows.exists("pgweir")
	assert not os.path.exists(PROGRAM)
	assert read(INI) == ours

	msiexec("/i")
	assert read(INI) == ours
	assert windows.config("pgweir")["command"] == command
	port.close()
