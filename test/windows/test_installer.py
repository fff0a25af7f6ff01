"""The installer, as msiexec runs it without a window."""

import os
import shutil
import struct
import subprocess
import tempfile

import pytest

from processes import Port
from waiting import until
from windows import EXE, LAB, RUNNING, STOPPED, windows_path
from wire import Wire

pytestmark = pytest.mark.xdist_group("services") # see test_service.py

MSI = os.environ["WINDOWS_INSTALLER"]
OLDER = os.environ["OLDER_INSTALLER"]
DRIVE = os.path.join(LAB, "prefix", "drive_c")
PROGRAM = os.path.join(DRIVE, "Program Files", "pgweir", "pgweir.exe")
DATA = os.path.join(DRIVE, "ProgramData", "pgweir")
INI = os.path.join(DATA, "pgweir.ini")
FAILED = 1603 # ERROR_INSTALL_FAILURE
COMMAND = r'"C:\Program Files\pgweir\pgweir.exe" -service "C:\ProgramData\pgweir\pgweir.ini"'


def wine(*command, status=0):
	"""What it prints. That goes to a file: a program that it leaves behind would keep a pipe open."""
	with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
		done = subprocess.run([os.path.join(LAB, "wine"), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
			timeout=120, cwd=LAB)
		output.seek(0)
		said = output.read()
	# of the number that a program of Windows ends with, Linux has eight bits
	assert done.returncode == status & 0xff, (done.returncode, said)
	return said


def msiexec(verb, msi=MSI, status=0):
	wine("msiexec", verb, windows_path(msi), "/qn", status=status)


def programs():
	"""The list of installed programs, as far as it is about us: versions."""
	said = wine("reg", "query", r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall", "/s")
	entries = [dict(line.split(None, 2)[::2] for line in entry.splitlines() if "REG_SZ" in line and len(line.split()) > 2)
		for entry in said.split("HKEY_")]
	return [entry["DisplayVersion"] for entry in entries if entry.get("DisplayName") == "pgweir"]


def table(msi, name):
	"""A table of an installer: a list of rows."""
	said = subprocess.run(["msiinfo", "export", msi, name], stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
	names, _, _, *rows = [line.split("\t") for line in said.splitlines()]
	return [dict(zip(names, row)) for row in rows]


def product_version(msi):
	return next(row["Value"] for row in table(msi, "Property") if row["Property"] == "ProductVersion")


def version_in(path):
	"""Of a program for Windows, as its resources have it (VS_FIXEDFILEINFO)."""
	with open(path, "rb") as f:
		data = f.read()
	at = data.index(struct.pack("<II", 0xFEEF04BD, 0x10000)) + 8
	high, low = struct.unpack_from("<II", data, at)
	return f"{high >> 16}.{high & 0xffff}.{low >> 16}.{low & 0xffff}"


@pytest.fixture
def nothing_stays(windows):
	assert not windows.exists("pgweir") and not programs()
	yield
	for msi in MSI, OLDER:
		if product_version(msi) in programs():
			msiexec("/x", msi)
	windows.wait_gone("pgweir")
	shutil.rmtree(DATA)


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


def start(windows, port):
	windows.ask("start", "pgweir")
	until(lambda: windows.state("pgweir") == RUNNING, 15, "the service runs")
	serves(port)


def serves(port):
	with Wire(port.number).login("app", "app", "app") as w:
		assert w.value("SELECT 42") == "42"


def test_what_is_installed_serves_and_what_people_have_written_stays(windows, cluster, nothing_stays):
	msiexec("/i")
	assert windows.config("pgweir")["command"] == COMMAND
	assert windows.state("pgweir") == STOPPED
	assert os.path.exists(os.path.join(DATA, "userlist.txt"))
	port = Port()
	configure(cluster, port.number)
	ours = read(INI)
	start(windows, port)
	assert "process up" in read(os.path.join(DATA, "log", "pgweir.log"))

	msiexec("/x") # while it runs
	windows.wait_gone("pgweir")
	assert not os.path.exists(PROGRAM)
	assert read(INI) == ours

	msiexec("/i")
	assert read(INI) == ours
	assert windows.config("pgweir")["command"] == COMMAND
	port.close()


def test_an_upgrade_takes_the_place_of_what_runs_and_there_is_no_way_back(windows, cluster, nothing_stays):
	msiexec("/i", OLDER)
	older = version_in(PROGRAM)
	port = Port()
	configure(cluster, port.number)
	ours = read(INI), read(os.path.join(DATA, "userlist.txt"))
	start(windows, port)
	pid = windows.status("pgweir")["pid"]

	msiexec("/i")
	newer = version_in(PROGRAM)
	assert older != newer == version_in(EXE)
	assert (read(INI), read(os.path.join(DATA, "userlist.txt"))) == ours
	assert windows.config("pgweir")["command"] == COMMAND
	until(lambda: windows.state("pgweir") == RUNNING, 15, "the service runs again")
	assert windows.status("pgweir")["pid"] != pid
	serves(port)
	assert programs() == [product_version(MSI)]

	pid = windows.status("pgweir")["pid"]
	msiexec("/i", OLDER, status=FAILED)
	# what Wine shows in a window only; there is nothing else for which this ends so early
	assert [row["Description"] for row in table(OLDER, "LaunchCondition")] == ["A newer version of pgweir is installed already."]
	assert (windows.status("pgweir")["pid"], version_in(PROGRAM)) == (pid, newer)
	assert programs() == [product_version(MSI)]
	port.close()


def test_windows_is_told_the_version_that_the_program_has():
	"""Otherwise it would keep an older program, and lose that with the older version; Wine would not."""
	for msi, version in (MSI, version_in(EXE)), (OLDER, "0.0.9.0"):
		program = next(row for row in table(msi, "File") if row["File"] == "pgweir.exe")
		assert program["Version"] == version
		assert "pgweir.exe" not in [row["File_"] for row in table(msi, "MsiFileHash")]
