"""Drivers of all languages (test/drivers), several at a time over a pool of four connections, in transaction pooling."""

import concurrent.futures
import fcntl
import hashlib
import os
import shutil
import subprocess

import pytest

from pooler import ROOT
from processes import environment

DRIVERS = os.path.join(ROOT, "test", "drivers")
AT_ONCE = 3
DONE = "prepared transaction error big copy cancel"
# Prisma's client needs none of the programs that it would fetch, and nobody looks for a newer version of it.
PRISMA = {"PRISMA_SCHEMA_ENGINE_BINARY": "/bin/true", "CHECKPOINT_DISABLE": "1", "PRISMA_HIDE_UPDATE_MESSAGE": "1"}

# How each is built, and run; what is done of DONE
KINDS = {
	"jdbc.java": (("javac", "-cp", "/usr/share/java/postgresql.jar", "-d", "{out}", "{source}"),
		("java", "-cp", "/usr/share/java/postgresql.jar:{out}", "jdbc"), DONE),
	"pdo.php": (None, ("php", "{source}"), DONE),
	"pg.rb": (None, ("ruby", "{source}"), DONE),
	"dbd.pl": (None, ("perl", "{source}"), DONE),
	"pqxx.cc": (("g++", "-O1", "-std=c++17", "-o", "{out}/program", "{source}", "-lpqxx", "-lpq", "-pthread"), ("{out}/program",), DONE),
	"odbc.c": (("gcc", "-o", "{out}/program", "{source}", "-lodbc", "-pthread"), ("{out}/program",), DONE.replace(" copy", "")),
	"pgx.go": (("go", "build", "-o", "{out}/program", "{source}"), ("{out}/program",), DONE),
	"pq.go": (("go", "build", "-o", "{out}/program", "{source}"), ("{out}/program",), DONE),
	"psyco2.py": (None, ("/usr/bin/python3", "{source}"), DONE),
	"psyco3.py": (None, ("/usr/bin/python3", "{source}"), DONE),
	"apg.py": (None, ("/usr/bin/python3", "{source}"), DONE),
	"alchemy.py": (None, ("/usr/bin/python3", "{source}"), DONE.replace(" copy", "")),
	"node/pg.js": (None, ("node", "{source}"), DONE),
	"node/postgres.js": (None, ("node", "{source}"), DONE),
	"node/knex.js": (None, ("node", "{source}"), DONE.replace(" copy", "")),
	"node/sequelize.js": (None, ("node", "{source}"), DONE.replace(" copy", "")),
	"node/typeorm.js": (None, ("node", "{source}"), DONE.replace(" copy", "")),
	"node/drizzle.js": (None, ("node", "{source}"), DONE.replace(" copy", "")),
	"node/kysely.js": (None, ("node", "{source}"), DONE.replace(" copy", "")),
	"node/prisma.js": (("node", "{out}/node_modules/prisma/build/index.js", "generate", "--schema", "{out}/schema.prisma"),
		("node", "{source}"), DONE.replace(" copy", "")),
}


def ran(command, **options):
	done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
	assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
	return done.stdout


@pytest.fixture(scope="module")
def node_modules():
	"""The libraries of package.json, in a cache that outlives the tree. Another list is another directory."""
	wanted = os.path.join(DRIVERS, "node", "package.json")
	with open(wanted, "rb") as f:
		name = "drivers-node-" + hashlib.sha256(f.read()).hexdigest()[:16]
	place = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pgweir", name)
	present = os.path.join(place, "installed")
	os.makedirs(place, exist_ok=True)
	with open(os.path.join(place, "lock"), "w", encoding="utf-8") as lock: # of several that look at the same time one installs
		fcntl.flock(lock, fcntl.LOCK_EX)
		if not os.path.exists(present):
			shutil.copy(wanted, place)
			# no scripts: they would fetch programs from elsewhere
			ran(("npm", "install", "--loglevel=error", "--no-audit", "--no-fund", "--ignore-scripts"), cwd=place)
			with open(present, "w", encoding="utf-8"):
				pass
	return os.path.join(place, "node_modules")


def built(name, folder, request):
	"""The command that runs a driver's program."""
	build, run, _ = KINDS[name]
	source = os.path.join(DRIVERS, name)
	if name.startswith("node/"):
		for file in (name, "node/common.js", "node/schema.prisma"):
			shutil.copy(os.path.join(DRIVERS, file), folder)
		os.symlink(request.getfixturevalue("node_modules"), os.path.join(folder, "node_modules"))
		source = os.path.join(folder, os.path.basename(name))
	words = {"out": folder, "source": source}
	if build:
		go = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "-buildvcs=false", "GOCACHE": os.path.join(folder, "cache")}
		ran([word.format(**words) for word in build], env=dict(os.environ, **go, **PRISMA), cwd=folder)
	return [word.format(**words) for word in run]


@pytest.fixture(scope="module")
def pooler(start_shared):
	return start_shared(threads=2, auth_type="scram-sha-256", default_pool_size=4, max_prepared_statements=20)


@pytest.mark.parametrize("name", KINDS)
def test_a_driver_does_all_it_can(pooler, cluster, tmp_path, request, name):
	command = built(name, str(tmp_path), request)
	base = dict(environment(pooler.folder), PGHOST="127.0.0.1", PGPORT=str(pooler.port), PGUSER="app", PGPASSWORD=pooler.secrets["app"],
		PGDATABASE="app", PGSSLMODE="disable")
	# what they cancel waits for that lock
	with cluster.holding(), concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
		tables = [f"drivers_{name.translate(str.maketrans('/.', '__'))}_{n}" for n in range(AT_ONCE)]
		said = list(threads.map(lambda table: ran(command, env=dict(base, TABLE=table), cwd=tmp_path), tables))
	assert [text.strip() for text in said] == [KINDS[name][2]] * AT_ONCE
