"""Files as they are on Windows: their paths, how they begin and end, and logs that others rename while they are open."""

import glob
import os
import re

import pytest

from pooler import Pooler, end_all
from processes import start
from waiting import until
from windows import RELOAD, run, windows_path
from wire import ServerError

pytestmark = pytest.mark.xdist_group("services") # see test_service.py


# Paths. `place` is each kind of them.

def test_a_service_finds_its_files(register, place):
	service = register(place=place).start()
	assert service.pooler.serves()
	assert "process up" in service.pooler.log()


def start_elsewhere(command, who, home, output):
	"""A process is not in its files' directory: Windows lets none be in one whose path is long."""
	return start(command, who, "/", output)


def test_a_process_finds_its_files(cluster, place):
	pooler = Pooler(cluster, place, start_program=start_elsewhere, logfile=os.path.join(place, "another log"))
	try:
		assert pooler.start().serves()
		assert os.path.exists(os.path.join(place, "another log"))
	finally:
		assert not end_all([pooler])


def test_a_file_that_is_not_there_is_called_by_its_name(place):
	said = run(os.path.join(place, "none.ini"), status=1)
	assert os.path.basename(place) in said and "none.ini" in said


def test_paths_may_have_backslashes_and_a_drive(start_pooler):
	pooler = start_pooler()
	text = pooler.text().replace(pooler.userlist, windows_path(pooler.userlist))
	with open(pooler.ini, "w") as f:
		f.write("%include " + windows_path(pooler.folder) + "\\more.ini\n")
	with open(os.path.join(pooler.folder, "more.ini"), "w") as f:
		f.write(text + "default_pool_size = 7\n")
	pooler.console("RELOAD")
	until(lambda: ("default_pool_size", "7") in [(row["key"], row["value"]) for row in pooler.console("SHOW CONFIG")],
		what="the included file counts")


# What editors of Windows write

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("begin", [b"", BOM], ids=["", "with a byte order mark"])
def test_lines_may_end_as_on_windows(write_files, register, begin):
	service = register()
	for path in service.ini, service.pooler.userlist:
		with open(path, "rb") as f:
			text = f.read()
		with open(path, "wb") as f:
			f.write(begin + text.replace(b"\n", b"\r\n"))
	service.pooler.settings["auth_type"] = "scram-sha-256"
	service.start()
	assert service.pooler.serves()


def test_utf16_is_named_and_how_to_save_it_instead(write_files):
	pooler = write_files()
	with open(pooler.ini, "wb") as f:
		f.write(pooler.text().encode("utf-16"))
	assert "UTF-16" in run(pooler.ini, status=1)


# Logs

def lines(path):
	with open(path) as f:
		return f.read().splitlines()


def test_the_log_may_be_renamed_and_begins_anew_at_a_reload(windows, register):
	service = register().start()
	log = service.pooler.log_path
	windows.rename(log, log + ".1")
	assert service.pooler.serves() # what this says still goes to the old one
	service.control(RELOAD)
	until(lambda: os.path.exists(log), what="there is a new log")
	service.pooler.wait_log("configuration reloaded") # it is in use
	old = len(lines(log + ".1"))
	with pytest.raises(ServerError):
		service.pooler.login(database="nowhere")
	service.pooler.wait_log("nowhere")
	assert len(lines(log + ".1")) == old
	assert all(re.match(r"\d{4}-\d\d-\d\d |\t", line) for line in lines(log) + lines(log + ".1"))


def test_the_log_rotates_by_size(register):
	service = register(log_rotation_size="8kB", log_rotation_keep=2, verbose=2).start()
	pattern = os.path.join(service.pooler.folder, "log-*")
	for _ in range(3):
		before = set(glob.glob(pattern))
		until(lambda: service.pooler.serves() and set(glob.glob(pattern)) - before, 20, "a log has become an old one")
	# an old one is removed after the new one has its name
	until(lambda: 1 <= len(glob.glob(pattern)) <= 2, 20, "those beyond log_rotation_keep are removed")
	assert service.pooler.serves()
