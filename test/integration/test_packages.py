"""The packages, Debian's and RPM's: built in a copy and looked at in a root of their own, nothing is installed here."""

import glob
import grp
import os
import re
import shutil
import signal
import subprocess

import pytest

from pooler import ROOT
from processes import environment
from processpair import Lone
from waiting import until

pytestmark = [pytest.mark.pgweir, pytest.mark.early, pytest.mark.unsanitized, pytest.mark.xdist_group("packages")]

FILES_OF_PGBOUNCER = ["/etc/default/pgbouncer", "/etc/init.d/pgbouncer", "/etc/pgbouncer/pgbouncer.ini", "/etc/pgbouncer/userlist.txt",
	"/lib/systemd/system/pgbouncer.service", "/lib/systemd/system/pgbouncer.socket", "/usr/sbin/pgbouncer", "/usr/share/man/man1/pgbouncer.1.gz",
	"/usr/share/man/man5/pgbouncer.5.gz"]


def run(*command, **more):
	done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=900, **more)
	assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
	return done.stdout


def files_below(folder):
	return {os.path.relpath(os.path.join(path, name), folder) for path, _, names in os.walk(folder) for name in names}


class Built:
	"""
	copied   files of the tree
	deb      name -> file
	root     what both would install
	control  name -> directory of its control files
	"""

	def __init__(self, folder):
		env = environment(folder)
		if os.environ.get("HOME"):
			env["HOME"] = os.environ["HOME"] # where ccache has what it knows
		run(f"{ROOT}/build-aux/debian-packages", folder, env=env)
		with open(f"{folder}/files") as f:
			self.copied = set(f.read().splitlines())
		self.source = os.path.join(folder, "source")
		self.root = os.path.join(folder, "root")
		self.deb, self.control = {}, {}
		for name in ("pgweir", "pgweir-pgbouncer"):
			self.deb[name], = glob.glob(f"{folder}/{name}_*.deb")
			self.control[name] = os.path.join(folder, f"control-{name}")
			run("dpkg-deb", "-e", self.deb[name], self.control[name])
			run("dpkg-deb", "-x", self.deb[name], self.root)

	def files(self, name):
		"""path -> (mode, owner)"""
		lines = [line.split(None, 5) for line in run("dpkg-deb", "-c", self.deb[name]).splitlines()]
		return {line[5].lstrip("."): (line[0], line[1]) for line in lines if not line[0].startswith("d")}

	def field(self, package, name):
		return run("dpkg-deb", "-f", self.deb[package], name).strip()

	def read(self, path):
		with open(self.root + path) as f:
			return f.read()


@pytest.fixture(scope="module")
def built(folder):
	place = os.path.join(folder, "packages")
	yield Built(place)
	shutil.rmtree(place)


def test_package_has_its_files_and_none_of_pgbouncers(built):
	files = built.files("pgweir")
	assert {"/usr/bin/pgweir", "/etc/pgweir/pgweir.ini", "/etc/pgweir/userlist.txt", "/etc/logrotate.d/pgweir", "/lib/systemd/system/pgweir.service",
		"/lib/systemd/system/pgweir.socket", "/usr/lib/sysusers.d/pgweir.conf", "/usr/share/man/man1/pgweir.1.gz",
		"/usr/share/man/man5/pgweir.5.gz"} <= set(files)
	assert not set(files) & set(FILES_OF_PGBOUNCER)
	assert {owner for _, owner in files.values()} == {"root/root"}
	assert files["/etc/pgweir/userlist.txt"][0] == "-rw-r-----" and files["/usr/bin/pgweir"][0] == "-rwxr-xr-x"
	with open(f"{built.control['pgweir']}/conffiles") as f:
		assert {"/etc/pgweir/pgweir.ini", "/etc/pgweir/userlist.txt", "/etc/logrotate.d/pgweir"} == set(f.read().split())
	assert all(built.field("pgweir", name) == "" for name in ("Provides", "Conflicts", "Replaces"))
	assert "libevent-core" in built.field("pgweir", "Depends")
	# it does not begin to serve before somebody has looked at its configuration
	with open(f"{built.control['pgweir']}/postinst") as f:
		assert "deb-systemd-invoke" not in f.read()


def test_package_in_pgbouncers_place_is_pgbouncer_for_others(built):
	name = "pgweir-pgbouncer"
	assert built.field(name, "Provides") == "pgbouncer (= 1.26.1)"
	assert built.field(name, "Conflicts") == built.field(name, "Replaces") == "pgbouncer"
	files = set(built.files(name))
	assert {"/lib/systemd/system/pgbouncer.service", "/usr/lib/pgweir/pgbouncer -> ../../bin/pgweir"} <= set(files)
	# the configuration is the one that PgBouncer's package leaves
	assert not [path for path in files if path.startswith("/etc")]
	unit = built.read("/lib/systemd/system/pgbouncer.service")
	for line in ("User=postgres", "ExecStart=/usr/lib/pgweir/pgbouncer /etc/pgbouncer/pgbouncer.ini", "ConditionPathExists=/etc/pgbouncer/pgbouncer.ini",
			"ReadWritePaths=-/run/postgresql -/var/log/postgresql -/var/log/pgbouncer -/tmp", "ProtectSystem=strict", "Type=notify"):
		assert line in unit.splitlines(), line
	assert "pgweir.ini" not in unit and "LogsDirectory=pgweir" not in unit


def test_units_of_the_packages_are_understood(built, folder):
	for name in ("pgweir", "pgbouncer"):
		path = os.path.join(folder, f"{name}.service")
		with open(path, "w") as f:
			f.write(built.read(f"/lib/systemd/system/{name}.service")
				.replace("=/usr/bin/pgweir ", f"={built.root}/usr/bin/pgweir ")
				.replace("=/usr/lib/pgweir/pgbouncer ", f"={built.root}/usr/bin/pgweir "))
		done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
		os.unlink(path)
		assert done.returncode == 0 and done.stdout + done.stderr == ""


def maintainer_script(built, name, *arguments):
	"""What Debian's helpers have not added, in the scratch root."""
	with open(f"{built.control['pgweir-pgbouncer']}/{name}") as f:
		text = f.read().partition("# Automatically added")[0]
	text = text.replace(" /usr/", f" {built.root}/usr/").replace("update-alternatives ",
		f"update-alternatives --altdir {built.root}/etc/alternatives --admindir {built.root}/var/lib/dpkg/alternatives --log /dev/null ")
	return run("sh", "-c", text, "sh", *arguments)


def test_command_pgbouncer_is_an_alternative_that_comes_and_goes(built):
	command = f"{built.root}/usr/sbin/pgbouncer"
	for directory in ("usr/sbin", "etc/alternatives", "var/lib/dpkg/alternatives"):
		os.makedirs(os.path.join(built.root, directory), exist_ok=True)
	maintainer_script(built, "postinst", "configure")
	assert os.path.realpath(command) == os.path.realpath(f"{built.root}/usr/bin/pgweir")
	assert run(command, "--version").splitlines()[0] == "PgBouncer 1.26.1"
	assert os.path.exists(f"{built.root}/usr/share/man/man5/pgbouncer.5.gz")
	maintainer_script(built, "prerm", "upgrade", "0.2")
	assert os.path.exists(command)
	maintainer_script(built, "prerm", "remove")
	assert not os.path.lexists(command) and not os.path.lexists(f"{built.root}/usr/share/man/man1/pgbouncer.1.gz")


def test_a_pgbouncer_of_somebodys_own_stays(built):
	command = f"{built.root}/usr/sbin/pgbouncer"
	os.makedirs(os.path.dirname(command), exist_ok=True)
	for directory in ("etc/alternatives", "var/lib/dpkg/alternatives"):
		os.makedirs(os.path.join(built.root, directory), exist_ok=True)
	with open(command, "w") as f:
		f.write("#!/bin/sh\necho own\n")
	maintainer_script(built, "postinst", "configure")
	maintainer_script(built, "prerm", "remove")
	with open(command) as f:
		assert "echo own" in f.read()
	os.unlink(command)


def test_account_is_made_of_the_package(built):
	os.makedirs(f"{built.root}/etc", exist_ok=True)
	run("systemd-sysusers", f"--root={built.root}", "pgweir.conf")
	name, _, uid, gid, _, home, shell = next(line for line in built.read("/etc/passwd").splitlines() if line.startswith("pgweir:")).split(":")
	assert 0 < int(uid) < 1000 and home in ("/", "/nonexistent") and shell.endswith("nologin")
	assert "\nUser=pgweir\n" in built.read("/lib/systemd/system/pgweir.service")


@pytest.fixture
def packaged(built, folder):
	"""The packaged program with the packaged configuration, with other places for what must not be touched here."""
	text = built.read("/etc/pgweir/pgweir.ini")
	lone = Lone(f"{built.root}/usr/bin/pgweir", folder, files={"userlist.txt": built.read("/etc/pgweir/userlist.txt")},
		text=text.replace("unix_socket_dir = /run/pgweir", "unix_socket_dir = HOME").replace(";listen_port = 6432", "listen_port = PORT")
			.replace("\n;logfile =\n", "\nlogfile = HOME/log\npidfile = HOME/pid\n"))
	yield lone, text
	lone.discard()


def test_packaged_configuration_serves_and_lets_nobody_in(built, packaged):
	lone, text = packaged
	assert "app:app" not in text and "\nadmin_users = app" not in text and "\n* = host=/var/run/postgresql\n" in text
	assert "\nunix_socket_dir = /run/pgweir\n" in text and "pgweir check -u pgweir /etc/pgweir/pgweir.ini" in text
	assert not [line for line in lone.read("userlist.txt").splitlines() if not line.startswith(";")]
	lone.up()
	assert not [line for line in lone.lines("log") if not line.startswith("LOG ")]
	with pytest.raises(Exception, match="not allowed|password authentication failed"):
		lone.console()
	lone.signal(signal.SIGTERM)
	assert lone.ended() == 0


@pytest.mark.root
def test_logrotate_makes_it_write_to_the_new_file(built, packaged):
	lone, _ = packaged
	text = built.read("/etc/logrotate.d/pgweir")
	names = f"{lone.who.pw_name} {grp.getgrgid(lone.who.pw_gid).gr_name}"
	for old, new in (("/var/log/pgweir/*.log", f"{lone.home}/logs/*.log"), ("pgweir pgweir", names), ("/run/systemd/system", "/no/such/place"),
			("/run/pgweir/pgweir.pid", f"{lone.home}/pid")):
		assert old in text
		text = text.replace(old, new)
	os.makedirs(f"{lone.home}/logs")
	os.chown(f"{lone.home}/logs", lone.who.pw_uid, lone.who.pw_gid)
	lone.put("x.ini", lone.read("x.ini").replace("logfile = HOME/log", "logfile = HOME/logs/own.log").replace(f"logfile = {lone.home}/log\n",
		f"logfile = {lone.home}/logs/own.log\n"))
	lone.start()
	until(lambda: "process up" in lone.read("logs/own.log"), 20, "it is up")
	config = os.path.join(lone.home, "rotation")
	with open(config, "w") as f:
		f.write(text)
	run("logrotate", "-s", f"{lone.home}/state", "-f", config)
	until(lambda: "got SIGHUP" in lone.read("logs/own.log.1"), what="it was told")
	lone.signal(signal.SIGTERM)
	assert lone.ended() == 0
	assert "client connections dropped, exiting" in lone.read("logs/own.log") and "exiting" not in lone.read("logs/own.log.1")


def test_source_archive_has_every_file(built):
	version = run("./configure", "--version", cwd=built.source).split()[2]
	run("make", "-s", "distdir", cwd=built.source)
	assert built.copied - files_below(f"{built.source}/pgweir-{version}") == set()


def test_version_is_the_same_everywhere(built):
	def found(path, pattern):
		with open(os.path.join(ROOT, path)) as f:
			return re.search(pattern, f.read(), re.M).group(1)
	version = found("configure.ac", r"AC_INIT\(\[pgweir\], \[(.*)\]\)")
	assert found("debian/changelog", r"^pgweir \((.*)\)") == found("rpm/pgweir.spec", r"^Version: *(.*)$") == version
	assert f"(pgweir {version})" in run(f"{built.root}/usr/bin/pgweir", "-V")


# RPM. Debian's rpmbuild does not have the macros of systemd, which other systems bring along.

MACROS = {"_unitdir": "/usr/lib/systemd/system", "_sysusersdir": "/usr/lib/sysusers.d", "debug_package": "%{nil}",
	**{f"systemd_{name}()": ":" for name in ("post", "preun", "postun_with_restart")}}

THEIRS = """\
Name: pgbouncer
Version: 1.26.1
Release: 1
Summary: stand-in
License: none
BuildArch: noarch
%description
%install
install -d %{buildroot}/etc/pgbouncer
touch %{buildroot}/etc/pgbouncer/pgbouncer.ini %{buildroot}/etc/pgbouncer/userlist.txt
%files
%config(noreplace) /etc/pgbouncer/pgbouncer.ini
%config(noreplace) /etc/pgbouncer/userlist.txt
"""


def build_rpms(top, spec, **more):
	"""name -> file"""
	defines = [word for name, value in {"_topdir": top, **MACROS}.items() for word in ("--define", f"{name} {value}")]
	run("rpmbuild", "-bb", "--nodeps", *defines, spec, **more)
	return {run("rpm", "-qp", "--qf", "%{name}", path): path for path in glob.glob(f"{top}/RPMS/*/*.rpm")}


@pytest.fixture(scope="module")
def rpms(built):
	"""From the source archive. A stand-in for the package of PgBouncer is among them."""
	top = os.path.join(os.path.dirname(built.source), "rpm")
	os.makedirs(f"{top}/SOURCES")
	run("make", "-s", "dist-xz", cwd=built.source)
	shutil.move(*glob.glob(f"{built.source}/pgweir-*.tar.xz"), f"{top}/SOURCES")
	with open(f"{top}/pgbouncer.spec", "w") as f:
		f.write(THEIRS)
	build_rpms(top, f"{top}/pgbouncer.spec")
	return build_rpms(top, f"{ROOT}/rpm/pgweir.spec", env={**os.environ, "PATH": "/usr/lib/ccache:" + os.environ["PATH"]})


def rpm(root, *arguments):
	os.makedirs(root, exist_ok=True)
	run("rpm", "--root", root, "--noscripts", "--nodeps", *arguments)


def test_rpms_have_their_files(rpms):
	def files(name):
		lines = run("rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME}\n]", rpms[name]).splitlines()
		return {path: (mode, owner) for path, mode, owner in map(str.split, lines)}

	ours = files("pgweir")
	assert {"/usr/bin/pgweir", "/etc/pgweir/pgweir.ini", "/etc/logrotate.d/pgweir", "/usr/lib/systemd/system/pgweir.service",
		"/usr/lib/systemd/system/pgweir.socket", "/usr/lib/sysusers.d/pgweir.conf"} <= set(ours)
	assert ours["/etc/pgweir/userlist.txt"] == ("-rw-r-----", "root:pgweir") and not set(ours) & set(FILES_OF_PGBOUNCER)
	# who owns that file is there before it
	assert "useradd --system --gid pgweir" in run("rpm", "-qp", "--scripts", rpms["pgweir"])
	assert {"/usr/lib/systemd/system/pgbouncer.service", "/usr/lib/pgweir/pgbouncer"} <= set(files("pgweir-pgbouncer"))
	name = rpms["pgweir-pgbouncer"]
	assert "pgbouncer = 1.26.1\n" in run("rpm", "-qp", "--provides", name) and run("rpm", "-qp", "--conflicts", name) == "pgbouncer\n"


def test_rpms_unit_is_understood(rpms, built, folder):
	path = os.path.join(folder, "pgbouncer.service")
	root = os.path.join(os.path.dirname(built.source), "rpm-unit")
	rpm(root, "-i", rpms["pgweir-pgbouncer"])
	assert os.readlink(f"{root}/usr/lib/pgweir/pgbouncer") == "../../bin/pgweir"
	with open(f"{root}/usr/lib/systemd/system/pgbouncer.service") as f, open(path, "w") as to:
		text = f.read()
		assert "ExecStart=/usr/lib/pgweir/pgbouncer /etc/pgbouncer/pgbouncer.ini\n" in text and "User=pgbouncer\n" in text
		to.write(text.replace("=/usr/lib/pgweir/pgbouncer ", f"={built.root}/usr/bin/pgweir "))
	done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
	os.unlink(path)
	assert done.returncode == 0 and done.stdout + done.stderr == ""


def test_configuration_stays_when_one_rpm_takes_the_others_place(rpms, built):
	root = os.path.join(os.path.dirname(built.source), "rpm-root")
	rpm(root, "-i", rpms["pgbouncer"])
	with open(f"{root}/etc/pgbouncer/pgbouncer.ini", "w") as f: # the other is as it came
		f.write("mine\n")
	for leaving, coming in (("pgbouncer", "pgweir-pgbouncer"), ("pgweir-pgbouncer", "pgbouncer")):
		rpm(root, "-i", rpms[coming])
		rpm(root, "-e", leaving)
		assert {"pgbouncer.ini", "userlist.txt"} <= set(os.listdir(f"{root}/etc/pgbouncer")), coming
		with open(f"{root}/etc/pgbouncer/pgbouncer.ini") as f:
			assert f.read() == "mine\n"
