"""
Host names, with a name server of our own on loopback that resolv_conf names: what is asked, for how long an answer is
believed, what is noticed, and that the answers are those of the C library.
"""

import json
import os
import subprocess
import sys

import pytest

import processes
from nameserver import A, NameServer, own_address
from processes import make_directory
from told import first_client, is_served
from waiting import Stopwatch, until
from wire import query

pytestmark = [pytest.mark.pgweir, pytest.mark.root]

HERE, ELSEWHERE, NOWHERE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
DAY = 86400
AT_ONCE = 20  # seconds: far less than LONG
LONG = 60


@pytest.fixture(scope="module")
def server():
	made = NameServer(own_address())
	yield made
	made.close()


@pytest.fixture
def names(server):
	"""The name server, which knows nothing yet."""
	for known in (server.names, server.aliases, server.ttls, server.codes, server.serials):
		known.clear()
	server.ttl, server.silent, server.cut = 60, (), False
	server.asked.clear()
	return server


@pytest.fixture
def resolver(folder):
	path = os.path.join(folder, "resolv.conf")
	with open(path, "w") as f:
		f.write(f"nameserver {own_address()}\nsearch test\n")
	return path


@pytest.fixture
def start_behind(start_pooler, cluster, resolver, names):
	"""start_behind(host, setting=value, …): the database "app" is on that host."""
	def start(host, **settings):
		return start_pooler(databases={"app": f"host={host} port={cluster.port}"}, **{"resolv_conf": resolver, "dns_max_ttl": DAY,
			"dns_nxdomain_ttl": DAY, "server_connect_timeout": LONG, "server_down_wait": 1, "error_sqlstate": "precise", **settings})

	return start


def host(pooler, name):
	"""Its row of SHOW DNS_HOSTS."""
	return next(row for row in pooler.console("SHOW DNS_HOSTS") if row["hostname"] == name)


def asked_again(names, name, count):
	until(lambda: names.count(name, A) > count, what=f"{name} is looked up again")


@pytest.mark.parametrize("ttl, most, shown", [(300, DAY, 300), (DAY, 100, 100)], ids=["the server's", "dns_max_ttl"])
def test_an_answer_is_believed_for_the_shorter_time(start_behind, names, ttl, most, shown):
	names.names["db.test"], names.ttl = [HERE], ttl
	pooler = start_behind("db.test", dns_max_ttl=most)
	assert pooler.serves()
	row = host(pooler, "db.test")
	assert shown - AT_ONCE <= row["ttl"] <= shown
	assert row["addrs"] == f"{HERE}:0"
	pooler.console("RECONNECT")
	assert pooler.serves()
	assert names.count("db.test", A) == 1


def test_an_alias_may_make_it_shorter(start_behind, names):
	names.aliases["db.test"], names.ttls["db.test"] = "real.test", 200
	names.names["real.test"] = [HERE]
	names.ttl = DAY
	pooler = start_behind("db.test")
	assert pooler.serves()
	assert 200 - AT_ONCE <= host(pooler, "db.test")["ttl"] <= 200


def test_a_changed_address_is_noticed_without_a_new_client(start_behind, names):
	names.names["db.test"], names.ttl = [HERE], 1
	pooler = start_behind("db.test")
	assert pooler.serves()
	until(lambda: pooler.pool()["sv_idle"] == 1, what="the server is free again")
	names.names["db.test"] = [ELSEWHERE]
	until(lambda: pooler.pool()["sv_idle"] == 0, what="the server at the old address is let go")
	assert "has another address now" in pooler.log()
	assert host(pooler, "db.test")["addrs"] == f"{ELSEWHERE}:0"


def test_one_address_of_several_that_stays_keeps_the_servers(start_behind, names):
	names.names["db.test"], names.ttl = [HERE], 0
	pooler = start_behind("db.test")
	assert pooler.serves()
	names.names["db.test"] = [ELSEWHERE, HERE]
	asked_again(names, "db.test", names.count("db.test", A))
	until(lambda: ELSEWHERE in host(pooler, "db.test")["addrs"])
	assert pooler.pool()["sv_idle"] == 1


@pytest.mark.parametrize("code, text", [(None, "Name or service not known"), ("empty", "No address associated with hostname"),
	(2, "Temporary failure in name resolution"), (5, "Temporary failure in name resolution")], ids=["NXDOMAIN", "no address", "SERVFAIL", "REFUSED"])
def test_a_no_is_told_with_its_reason_and_remembered(start_behind, names, code, text):
	if code == "empty":
		names.names["db.test"] = []
	elif code:
		names.codes["db.test"] = code
	pooler = start_behind("db.test")
	with Stopwatch() as watch:
		message, _ = first_client(pooler)
	assert watch.seconds < AT_ONCE
	assert message.code == "08001"
	assert f'could not translate host name "db.test" to address: {text}' in message.text
	row = host(pooler, "db.test")
	assert row["addrs"] == "" and row["ttl"] > DAY - 2 * AT_ONCE
	# it is repaired, and nobody has to wait until that is forgotten
	names.codes.clear()
	names.names["db.test"] = [HERE]
	until(lambda: is_served(pooler), AT_ONCE, "service is back")


def test_a_silent_name_server_is_told_and_holds_up_no_other_name(start_behind, names, start_pooler, cluster, resolver):
	stuck = [f"stuck{number}" for number in range(30)]
	names.names["db.test"] = [HERE]
	names.silent = {f"{name}.test" for name in stuck} | {"silent.test"}
	pooler = start_pooler(databases={"app": f"host=db.test port={cluster.port}", "silent": f"host=silent.test port={cluster.port}",
		**{name: f"host={name}.test port={cluster.port}" for name in stuck}}, resolv_conf=resolver, server_down_wait=1, server_connect_timeout=3,
		error_sqlstate="precise")
	waiting = [pooler.wire().begin("app", name) for name in stuck]
	until(lambda: all(names.count(f"{name}.test") for name in stuck), what="all are asked for at once")
	with Stopwatch() as watch:
		assert pooler.serves()
	assert watch.seconds < AT_ONCE
	message, seconds = first_client(pooler, database="silent")
	assert message.code == "08001" and seconds < AT_ONCE
	assert "timed out" in message.text and own_address() in message.fields["H"]
	for w in waiting:
		w.close()


def test_a_silent_first_host_does_not_hold_up_a_good_second_one(start_behind, names, resolver):
	with open(resolver, "w") as f:
		f.write(f"nameserver {own_address()}\n" * 3)  # so that silence is given up late, after half a minute
	names.names["db.test"] = [HERE]
	names.silent = {"silent.test"}
	pooler = start_behind("silent.test,db.test", server_down_wait=LONG)
	with Stopwatch() as watch:
		assert pooler.serves()
	assert watch.seconds < AT_ONCE


def test_an_answer_that_is_too_long_comes_by_tcp(start_behind, names):
	names.names["db.test"] = [HERE]
	names.cut = True
	pooler = start_behind("db.test")
	assert pooler.serves()
	assert ("db.test", A, "tcp") in names.asked


def test_search_domains_complete_a_name(start_behind, names):
	names.names["db.test"] = [HERE]
	pooler = start_behind("db")
	assert pooler.serves()
	assert host(pooler, "db")["addrs"] == f"{HERE}:0"


def test_another_serial_of_a_zone_has_its_names_looked_up_anew(start_behind, names):
	names.names["db.zone.test"], names.ttl = [HERE], DAY
	names.serials["zone.test"] = 41
	pooler = start_behind("db.zone.test", dns_zone_check_period=0.1)
	assert pooler.serves()
	until(lambda: pooler.console("SHOW DNS_ZONES") == [{"zonename": "zone.test", "serial": 41, "count": 1}], what="the serial is known")
	assert {"list": "dns_zones", "items": 1} in pooler.console("SHOW LISTS")
	assert names.count("db.zone.test", A) == 1
	names.names["db.zone.test"] = [ELSEWHERE]
	names.serials["zone.test"] = 42
	until(lambda: host(pooler, "db.zone.test")["addrs"] == f"{ELSEWHERE}:0", what="the new address is known")
	assert pooler.console("SHOW DNS_ZONES")[0]["serial"] == 42
	assert "serial 42, before 41" in pooler.log()


def test_reload_dns_looks_all_names_up_anew(start_behind, names):
	names.names["db.test"], names.ttl = [HERE], DAY
	pooler = start_behind("db.test")
	assert pooler.serves()
	names.names["db.test"] = [ELSEWHERE]
	assert host(pooler, "db.test")["addrs"] == f"{HERE}:0"
	with pooler.login("admin", "pgbouncer") as w:
		assert [m.type for m in w.ask(query("RELOAD DNS"))] == ["C", "Z"]
	until(lambda: host(pooler, "db.test")["addrs"] == f"{ELSEWHERE}:0", what="the new address is known")
	until(lambda: pooler.pool()["sv_idle"] == 0, what="the server at the old address is let go")


def test_the_name_servers_file_may_change(start_behind, names, resolver):
	names.names["db.test"], names.ttl = [HERE], 0
	with open(resolver, "w") as f:
		f.write("nameserver 127.0.0.1\n")
	pooler = start_behind("db.test", dns_nxdomain_ttl=0)
	first_client(pooler)
	with open(resolver, "w") as f:
		f.write(f"nameserver {own_address()}\n")
	until(lambda: is_served(pooler), AT_ONCE, "service is back")


# As the C library

OWN_FILES = r"""
set -e
files=$1
shift
for name in resolv.conf nsswitch.conf hosts; do mount --bind "$files/$name" "/etc/$name"; done
exec "$@"
"""

HOSTS = """\
127.0.0.1 localhost
127.0.0.21 filed Filed.Long alias
127.0.0.22 both
"""

NAMES = {
	"plain.test": ["127.0.0.31"], "both": ["127.0.0.32"], "both.test": ["127.0.0.33"], "multi.test": ["127.0.0.34", "127.0.0.35"],
	"dual.test": ["127.0.0.36", "fd00::36"], "deep.sub.test": ["127.0.0.37"], "single": ["127.0.0.38"], "under_score.test": ["127.0.0.39"],
	"deep.sub": ["127.0.0.40"], "six.test": ["fd00::6"], "empty.test": [], "after.second": ["127.0.0.41"], "x.single.second": ["127.0.0.42"],
	"bad.second": ["127.0.0.43"]}
ALIASES = {"www.test": "multi.test", "far.test": "gone.elsewhere", "loop.test": "loop2.test"}
CODES = {"bad.first": 2, "bad.test": 2, "no.test": 5}

ASKED = ["plain.test", "plain.test.", "PLAIN.Test", "plain", "both", "both.test", "multi.test", "multi", "dual.test", "deep.sub.test", "deep.sub",
	"sub.deep", "single", "single.", "x.single", "under_score.test", "six.test", "empty.test", "empty", "after", "www.test", "www", "far.test", "loop.test",
	"bad", "bad.test", "no.test", "nowhere", "nowhere.test", "filed", "FILED", "filed.long", "alias", "localhost", "LOCALHOST", "127.1", "0x7f.1",
	"2130706433", "127.0.0.1.", "a..b", ".", "-", "x" * 64, "x" * 63, ".".join(["y" * 60] * 5), "*.test", "plain.test:5432"]

RESOLVERS = {
	"no search": "",
	"search": "search test\n",
	"several domains": "search first second test\n",
	"a domain": "domain test\n",
	"ndots 0": "search test\noptions ndots:0\n",
	"ndots 2": "search second test\noptions ndots:2\n",
	"ndots 5": "search first sub.test test second\noptions ndots:5 timeout:1 attempts:1\n"}

LIBRARY = """
import json, socket, sys
def look(name):
	try:
		return sorted({found[4][0] for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)})
	except (OSError, UnicodeError):
		return []
print(json.dumps({name: look(name.encode()) for name in json.loads(sys.argv[1])}))
"""


@pytest.mark.parametrize("nsswitch", ["files dns", "dns files"])
@pytest.mark.parametrize("options", RESOLVERS.values(), ids=RESOLVERS)
def test_names_are_what_the_c_library_says(start_pooler, folder, server, names, options, nsswitch):
	names.names.update(NAMES)
	names.aliases.update(ALIASES)
	names.aliases["loop2.test"] = "loop3.test"
	names.codes.update(CODES)
	files = make_directory(os.path.join(folder, f"etc{len(os.listdir(folder))}"), processes.account("root"))
	for name, text in (("resolv.conf", f"nameserver {own_address()}\n{options}"), ("nsswitch.conf", f"hosts: {nsswitch}\n"), ("hosts", HOSTS)):
		with open(os.path.join(files, name), "w") as f:
			f.write(text)
	own_files = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_FILES, "sh", files]

	def start(command, who, home, output, **more):
		unprivileged = ["setpriv", "--reuid", str(who.pw_uid), "--regid", str(who.pw_gid), "--clear-groups", "--pdeathsig", "KILL", "--"]
		return processes.start([*own_files, *unprivileged, *command], processes.account("root"), home, output, **more)

	said = subprocess.run([*own_files, sys.executable, "-c", LIBRARY, json.dumps(ASKED)], stdout=subprocess.PIPE, text=True, check=True, timeout=100)
	pooler = start_pooler(databases={f"d{number}": f"host={name} port=1" for number, name in enumerate(ASKED)}, start_program=start,
		dns_max_ttl=DAY, dns_nxdomain_ttl=DAY)
	waiting = [pooler.wire().begin("app", f"d{number}") for number in range(len(ASKED))]
	lowered = {name.lower(): sorted(addresses) for name, addresses in json.loads(said.stdout).items()}
	found = until(lambda: all_looked_up(pooler, set(lowered)), 60, "all names are looked up")
	assert found == lowered
	for w in waiting:
		w.close()


def all_looked_up(pooler, wanted):
	"""{name: addresses} when all of these names have been looked up."""
	if set(known_names(pooler)) != wanted or {"list": "dns_queries", "items": 0} not in pooler.console("SHOW LISTS"):
		return None
	return known_names(pooler)


def known_names(pooler):
	return {row["hostname"].lower(): sorted(address.rsplit(":", 1)[0].strip("[]") for address in row["addrs"].split(",") if address)
		for row in pooler.console("SHOW DNS_HOSTS")}
