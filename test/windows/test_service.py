"""A service of Windows: installed, started, controlled, ended and removed, and what it says when it cannot do that."""

import os
import re
from contextlib import closing

import pytest

from processes import Port
from waiting import silence, until
from windows import (ACCEPT_PAUSE, ACCEPT_PRESHUTDOWN, ACCEPT_RELOAD, ACCEPT_STOP, AUTO_START, CONTINUE, EXE, OWN_CODE, PAUSE, PAUSED,
	RELOAD, RUNNING, START_PENDING, STOP, STOP_PENDING, STOPPED, WindowsError, run, windows_path)
from wire import Closed, query

pytestmark = pytest.mark.xdist_group("services") # one after the other: what the Event Log is told has no name on it
SOURCES = r"SYSTEM\CurrentControlSet\Services\EventLog\Application" + "\\"


# From the installation to the removal

def test_it_is_installed_as_people_expect(windows, register, name):
	service = register()
	assert "Service registered." in service.said
	config = windows.config(name)
	assert config["command"] == f'"{windows_path(EXE)}" -service "{windows_path(service.ini)}"'
	assert int(config["start"]) == AUTO_START
	assert config["display"] == name
	assert "PostgreSQL" in config["description"]
	assert service.state == STOPPED
	assert windows_path(EXE).lower() == windows.registry(SOURCES + name, "EventMessageFile").lower()


def test_it_serves_between_start_and_stop(register, events):
	service = register().start()
	assert service.status["accepted"] & (ACCEPT_STOP | ACCEPT_PAUSE | ACCEPT_RELOAD) == ACCEPT_STOP | ACCEPT_PAUSE | ACCEPT_RELOAD
	assert service.status["accepted"] & ACCEPT_PRESHUTDOWN
	assert service.pooler.serves()
	service.stop()
	status = service.status
	assert (status["exit"], status["own_exit"]) == (0, 0)
	assert not events.errors()
	service.start()
	assert service.pooler.serves()


def test_it_runs_once_it_listens_and_not_before(windows, register, name):
	service = register()
	windows.ask("start", name)
	seen = [service.state]
	while seen[-1] != RUNNING and len(seen) < 100000:
		seen.append(service.state)
	assert set(seen) <= {START_PENDING, RUNNING}
	assert service.pooler.serves() # at the first try


def test_it_may_be_where_its_files_are(windows, write_files, name):
	"""A service without any right to a directory cannot work there: Windows refuses to make it the working directory."""
	pooler = write_files(logfile="own/log")
	run("-regservice", pooler.ini, "-U", "LocalService") # an account that Wine has, too
	given = windows.ask("registry", rf"SYSTEM\CurrentControlSet\Services\{name}\Parameters", "Rights")
	assert ("value", windows_path(pooler.folder) + "\\") in given
	run("-unregservice", pooler.ini)


def test_its_file_is_checked_where_it_works(register):
	assert run("check", "-q", register().ini, cwd="/").startswith("fine") # where no log can be made


def test_removal_leaves_nothing(windows, register, name):
	service = register().start()
	assert "Service removed." in run("-unregservice", service.ini) # while it runs
	windows.wait_gone(name)
	assert windows.registry(SOURCES + name, "EventMessageFile") is None


def test_there_are_other_names_for_it(windows, write_files, name):
	ini = write_files().ini
	assert "Service registered." in run("-install", ini)
	assert windows.state(name) == STOPPED
	assert "Service removed." in run("-uninstall", ini)
	windows.wait_gone(name)
	assert "Service registered." in run("--regservice", ini, "-U", "LocalService")
	assert "LocalService" in windows.config(name)["account"]
	assert "Service removed." in run("--unregservice", ini)
	windows.wait_gone(name)


def test_several_run_beside_each_other(register, name):
	one, two = register(name=name + " one").start(), register(name=name + " two").start()
	assert one.pooler.serves() and two.pooler.serves()
	one.stop()
	assert two.state == RUNNING and two.pooler.serves()


# Orders

def test_paramchange_is_a_reload(register):
	service = register().start()
	pooler = service.pooler
	pooler.databases["new"] = "HERE dbname=app"
	pooler.write()
	service.control(RELOAD)
	pooler.wait_log("PARAMCHANGE")
	until(lambda: "new" in [row["name"] for row in pooler.console("SHOW DATABASES")], what="the new database is there")
	assert pooler.serves(database="new")
	assert service.state == RUNNING


def test_a_reload_that_cannot_be_says_why_and_changes_nothing(register, events):
	service = register().start()
	service.pooler.write(service.pooler.text() + "pool_mode = sometimes\n")
	service.control(RELOAD)
	assert re.search(r"pooler\.ini:\d+", events.wait("sometimes"))
	assert service.state == RUNNING and service.pooler.serves()


def test_pause_holds_clients_until_continue(register):
	service = register().start()
	with service.pooler.login() as w:
		assert w.value("SELECT 1") == "1"
		service.control(PAUSE)
		service.wait(PAUSED)
		w.send(query("SELECT 2"))
		assert silence(w.sock, 0.3)
		service.control(CONTINUE)
		service.wait(RUNNING)
		assert w.until("Z")[1].row == ("2",)


def test_it_can_be_stopped_while_it_is_paused(register):
	service = register().start()
	service.control(PAUSE)
	service.wait(PAUSED)
	service.stop()


def test_stop_lets_transactions_end(register):
	service = register().start()
	with service.pooler.login() as busy, service.pooler.login() as idle:
		busy.ask(query("BEGIN"))
		service.control(STOP)
		first = service.wait(STOP_PENDING)
		until(lambda: service.status["checkpoint"] > first["checkpoint"], what="it goes on telling that it stops")
		assert service.state == STOP_PENDING
		assert busy.value("SELECT 1") == "1"
		busy.ask(query("COMMIT"))
		assert service.ends()["own_exit"] == 0


def test_stop_has_a_deadline(register):
	service = register(drain_timeout=1).start()
	with service.pooler.login() as busy:
		busy.ask(query("BEGIN"))
		service.control(STOP)
		assert service.ends()["own_exit"] == 0
		with pytest.raises((Closed, OSError)):
			busy.until("Z")


def test_orders_for_a_stopped_one_are_refused(windows, register, name):
	service = register()
	for code in (STOP, RELOAD, PAUSE):
		with pytest.raises(WindowsError):
			windows.control(name, code)
	assert service.state == STOPPED


# Starts that fail

def fails(service, events, pattern):
	"""Its own exit code and the one error in the Event Log."""
	service.windows.ask("start", service.name)
	text = events.wait(pattern)
	status = service.ends()
	assert status["exit"] == OWN_CODE and status["own_exit"] != 0, status
	assert events.errors() == [text]
	return status["own_exit"], text


def test_a_wrong_configuration_is_said_with_file_and_line(register, events):
	service = register()
	service.pooler.write(service.pooler.text() + "max_client_conn = many\n")
	lines = service.pooler.text().count("\n")
	_, text = fails(service, events, "max_client_conn")
	assert f"pooler.ini:{lines + 1}" in text and "many" in text
	service.pooler.write()
	assert service.start().pooler.serves()


def test_a_configuration_that_is_gone_is_said(register, events):
	service = register()
	os.rename(service.ini, service.ini + ".away")
	_, text = fails(service, events, "pooler.ini")
	assert "No such file" in text or "cannot find" in text or "not exist" in text
	os.rename(service.ini + ".away", service.ini)


def test_a_port_in_use_is_said_and_has_another_code(register, events):
	with closing(Port()) as taken:
		taken.sock.listen()
		service = register(listen_port=taken.number)
		port_code, text = fails(service, events, str(taken.number))
		assert "in use" in text
		service.pooler.write("[pgbouncer]\nnothing\n")
	assert fails_again(service) not in (0, port_code)


def fails_again(service):
	service.windows.ask("start", service.name)
	return service.ends()["own_exit"]


def test_the_log_has_the_reason_too(register):
	with closing(Port()) as taken:
		taken.sock.listen()
		service = register(listen_port=taken.number)
		fails_again(service)
		assert "in use" in service.pooler.log()


# By hand

def test_service_by_hand_says_what_it_is_for(write_files):
	said = run("-service", write_files().ini, status=1)
	assert "-regservice" in said


def test_a_name_that_is_taken_is_said(windows, register, name):
	service = register()
	said = run("-regservice", service.ini, status=1)
	assert name in said and "-unregservice" in said
	assert windows.state(name) == STOPPED


def test_what_is_not_there_cannot_be_removed(write_files, name):
	said = run("-unregservice", write_files().ini, status=1)
	assert name in said


def test_nothing_is_installed_without_its_file(windows, name):
	assert "none.ini" in run("-regservice", "none.ini", status=1)
	run("-regservice", status=1)


def test_a_configuration_that_is_wrong_is_not_installed(windows, write_files, name):
	pooler = write_files()
	pooler.write(pooler.text() + "max_client_conn = many\n")
	assert "max_client_conn" in run("-regservice", pooler.ini, status=1)
	assert not windows.exists(name)
