"""
The status page, in a real browser, and the same data as JSON. Pictures of it are left in build/log/page: look at them after
changing it.
"""

import base64
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest

from browser import Browser
from cluster import HBA
from pooler import ROOT
from processes import Port
from waiting import silence, until
from wire import query

pytestmark = pytest.mark.pgweir

PICTURES = os.path.join(ROOT, "build", "log", "page")
EVIL = "<script>alert(1)</script>"
EVIL_APPLICATION = "<img src=x onerror=alert(2)>"
REMEDY = "host\tapp\tapp\t127.0.0.1/32\tscram-sha-256"


def start_watched(start_pooler, **settings):
	"""A pooler that answers HTTP at pooler.web."""
	port = Port()
	pooler = start_pooler(**dict({"http_listen": f"127.0.0.1:{port.number}"}, **settings))
	pooler.web, pooler.web_port = f"http://127.0.0.1:{port.number}/", port
	return pooler


def get(pooler, path, **headers):
	"""Status, headers, bytes."""
	try:
		with urllib.request.urlopen(urllib.request.Request(pooler.web + path, headers=headers), timeout=30) as answer:
			return answer.status, answer.headers, answer.read()
	except urllib.error.HTTPError as e:
		return e.code, e.headers, e.read()


def api(pooler, name):
	status, headers, body = get(pooler, "api/" + name)
	assert (status, headers["Content-Type"]) == (200, "application/json"), body
	return json.loads(body)


# ---- JSON ----

def test_api_tells_what_show_shows(start_pooler):
	pooler = start_watched(start_pooler)
	assert pooler.serves()
	listed = {entry["topic"]: entry for entry in api(pooler, "")["topics"]}
	assert {"pools", "clients", "servers", "stats", "config", "overview", "history", "outages", "usage"} <= set(listed)
	assert "help" not in listed
	# what does not change from one look to the next
	for topic in ("config", "databases", "users", "version", "state", "dns_hosts", "workers", "pools", "stats_totals", "totals", "servers"):
		told = api(pooler, topic)
		assert told["topic"] == topic and told["at"] > 1.7e12
		shown = pooler.console("SHOW " + topic)
		assert [list(row) for row in told["rows"]] == [list(row) for row in shown], topic
		if topic in ("config", "version", "state", "dns_hosts", "workers"):
			assert [{name: str(value) for name, value in row.items()} for row in told["rows"]] == [
				{name: str(value) for name, value in row.items()} for row in shown], topic
	for entry in listed.values():
		assert get(pooler, entry["path"].lstrip("/"))[0] == 200
	port = [row for row in api(pooler, "databases")["rows"] if row["name"] == "app"][0]["port"]
	assert port == pooler.cluster.port # a number


def test_what_there_is_not_has_the_nearest_name(start_pooler):
	pooler = start_watched(start_pooler)
	status, headers, body = get(pooler, "api/bakends")
	assert (status, headers["Content-Type"]) == (404, "application/json")
	assert json.loads(body) == {"error": 'there is no "bakends"', "hint": "Perhaps /api/backends is meant. /api/ lists what there is."}
	for odd in ("api/help", "api/../etc/passwd", "api/%2e%2e/", "api/pools/", "api/" + "x" * 3000, "api/%22%3Cscript%3E", "api/<b>"):
		status, headers, body = get(pooler, odd)
		assert status == 404 and json.loads(body)["hint"].endswith("/api/ lists what there is.") and b"<" not in body


def test_secrets_are_in_no_answer(start_pooler):
	pooler = start_watched(start_pooler, databases={"app": "HERE user=app password=secret-of-the-line", "second": "HERE"},
		secrets={"app": "secret-of-the-list"}, http_auth_user="watcher", http_auth_password="secret-of-the-page", auth_user="other",
		auth_type="scram-sha-256")
	login = {"Authorization": "Basic " + base64.b64encode(b"watcher:secret-of-the-page").decode()}
	paths = [""] + [entry["path"].lstrip("/") for entry in json.loads(get(pooler, "api/", **login)[2])["topics"]]
	assert len(paths) > 20
	for path in paths:
		status, _, body = get(pooler, path, **login)
		assert status == 200 and b"secret-of" not in body, path
		assert get(pooler, path)[0] == 401


def test_history_has_what_has_happened(start_pooler):
	pooler = start_watched(start_pooler)
	with pooler.login() as w:
		before = len(api(pooler, "history")["history"]["samples"])
		for _ in range(50):
			w.value("SELECT 1")

		def samples():
			history = api(pooler, "history")["history"]
			rows = [dict(zip(history["columns"], values)) for values in history["samples"]]
			return rows if len(rows) > before and sum(row["queries"] for row in rows) > 0 else None

		rows = until(samples, 40, "a sample has been taken")
	# each is of about five seconds: 50 queries are 10 a second
	assert 20 < sum(row["queries"] for row in rows) * 5 < 100
	busiest = max(rows, key=lambda row: row["queries"])
	assert busiest["clients"] == 1 and busiest["servers_idle"] == 1 and busiest["query_us"] > 0
	assert [row["age_s"] for row in rows] == sorted((row["age_s"] for row in rows), reverse=True)


# ---- the page ----

@pytest.fixture(scope="module")
def the_browser(folder):
	made = Browser(folder)
	yield made
	made.close()


@pytest.fixture
def browser(the_browser):
	"""In the middle of a desk, by day."""
	the_browser.size(1280, 900)
	the_browser.scheme("light")
	the_browser.tell("Network.setExtraHTTPHeaders", headers={})
	the_browser.tell("Page.navigate", url="about:blank")
	the_browser.until("location.href === 'about:blank'")
	the_browser.events.clear()
	yield the_browser


def open_page(browser, pooler):
	browser.go(pooler.web)
	browser.until("document.querySelectorAll('#tiles dt').length === 7")


def picture(browser, name):
	browser.picture(os.path.join(PICTURES, name + ".png"))


def check_quiet(browser, pooler):
	"""It complained of nothing, and asked nobody else."""
	assert browser.complaints() == []
	assert browser.requests() != []
	strangers = [url for url in browser.requests() if not url.startswith((pooler.web, "data:", "about:"))]
	assert strangers == []


def hold(pooler, n=1, **parameters):
	"""n clients, each with a transaction open."""
	made = [pooler.login(**parameters) for _ in range(n)]
	for w in made:
		w.ask(query("BEGIN"))
	return made


def queue(pooler, n=1, **parameters):
	"""n clients that wait."""
	made = [pooler.login(**parameters) for _ in range(n)]
	for w in made:
		w.send(query("SELECT 1"))
	return made


def test_the_page_shows_pools_and_figures(start_pooler, browser):
	pooler = start_watched(start_pooler, default_pool_size=7)
	with pooler.login() as w:
		w.value("SELECT 1")
		open_page(browser, pooler)
		assert browser.text("#state").endswith("serving")
		assert browser.text("#pool-rows").split("\n")[0].startswith("app\tapp")
		assert "0 of 7 at work, 1 idle" in browser.text("#pool-rows")
		assert "No information" not in browser.text() and "undefined" not in browser.text() and "NaN" not in browser.text()
		assert f"127.0.0.1:{pooler.cluster.port}" in browser.text("#backends")
		assert "up" in browser.text("#backend-rows")
		assert "Nobody waits" in browser.text("#waits") and "None since" in browser.text("#errors")
		assert not browser.value("document.querySelector('#outages').offsetParent !== null")
		# plots have lines once there are two samples; the page goes on by itself
		browser.until("document.querySelectorAll('.plot path.line').length >= 6 + 14", 40)
		assert browser.value("document.querySelectorAll('.plot').length") == 6
		# settings: what differs is marked
		browser.value("document.querySelector('#config-details summary').click()")
		browser.until("document.querySelectorAll('#config-rows tr').length > 100")
		row = browser.value("[...document.querySelectorAll('#config-rows tr')].find(row => row.cells[0].textContent === 'default_pool_size').innerText")
		assert row.split("\t") == ["default_pool_size", "7 ◆ changed", "20", "RELOAD"]
		row = browser.value("[...document.querySelectorAll('#config-rows tr')].find(row => row.cells[0].textContent === 'max_db_connections').innerText")
		assert row.split("\t") == ["max_db_connections", "0", "the same", "RELOAD"]
		picture(browser, "quiet")
	check_quiet(browser, pooler)


def test_the_page_comes_with_a_strict_policy(start_pooler, browser):
	pooler = start_watched(start_pooler)
	_, headers, body = get(pooler, "")
	policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
	assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'" and "unsafe" not in str(policy)
	assert policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'" and policy["form-action"] == "'none'"
	assert b"http:" not in body.replace(b"http://www.w3.org/2000/svg", b"") and b"https:" not in body and b"style=" not in body
	open_page(browser, pooler)
	# a script that got into the page would not run
	browser.value("{ const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s); }")
	assert browser.value("window.ran") is None
	assert len(browser.complaints()) == 1 and "Content Security Policy" in browser.complaints()[0]


def test_an_outage_has_its_remedy_ready_to_copy(start_pooler, browser, hba):
	pooler = start_watched(start_pooler)
	hba(HBA.replace("host all all 127.0.0.1/32 scram-sha-256", ""))
	with pooler.wire() as w:
		w.begin("app", "app")
		assert [m.type for m in w.ended()][-1] == "E"
	open_page(browser, pooler)
	assert browser.text("#state").endswith("1 outage")
	browser.until("document.querySelector('#outages .paste') !== null")
	assert 'no pg_hba.conf entry for host "127.0.0.1", user "app", database "app"' in browser.text("#outages h3")
	lines = browser.value("[...document.querySelectorAll('#outages .paste pre')].map(pre => pre.textContent)")
	assert lines[0].split() == ["host", "app", "app", "127.0.0.1/32", "scram-sha-256"]
	assert lines[1] == "SELECT pg_reload_conf()"
	for place in ("#backends", "#errors"): # the same is there, and stays when it is over
		assert browser.value(f"[...document.querySelectorAll('{place} .paste pre')].map(pre => pre.textContent)") == lines
	browser.tell("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
	browser.value("document.querySelector('#outages .paste button').focus()")
	browser.press("Enter")
	browser.until("document.querySelector('#outages .paste button').textContent === 'Copied'")
	assert browser.value("navigator.clipboard.readText()") == lines[0]
	# where a page may not write to the clipboard, the line is selected
	browser.value("Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false; "
		"document.querySelectorAll('#outages .paste button')[1].click()")
	browser.until("document.querySelectorAll('#outages .paste button')[1].textContent === 'Selected'")
	assert browser.value("getSelection().toString()") == lines[1]
	picture(browser, "outage")
	browser.scheme("dark")
	picture(browser, "outage-dark")
	browser.size(360, 740, is_phone=True)
	picture(browser, "outage-phone")
	# mended with what the page says
	hba(lines[0] + "\n" + HBA.replace("host all all 127.0.0.1/32 scram-sha-256", ""))
	until(lambda: api(pooler, "outages")["rows"] == [] or pooler.console("RECONNECT app") or None, 30, "the outage is over")
	browser.until("document.querySelector('#outages').hidden && document.querySelector('#state').textContent.includes('serving')")
	assert lines == browser.value("[...document.querySelectorAll('#errors .paste pre')].map(pre => pre.textContent)")
	check_quiet(browser, pooler)


def test_who_waits_and_why(start_pooler, browser):
	pooler = start_watched(start_pooler, default_pool_size=2)
	holders = hold(pooler, 2, application_name="report")
	waiters = queue(pooler, 3, application_name="shop")
	pooler.wait_waiting(3)
	open_page(browser, pooler)
	assert browser.text("#state").endswith("3 clients wait")
	assert browser.value("document.querySelectorAll('#wait-rows tr').length") == 1 # one reason
	row = browser.text("#wait-rows")
	assert "3" in row and "app @ app" in row and "shop × 3" in row and "(default_pool_size = 2)" in row and "report" in row
	assert "idle in transaction" in row
	assert "2 of 2 at work" in browser.text("#pool-rows")
	assert browser.value("document.querySelector('#pool-rows rect.waiting') !== null")
	# what is opened stays open when the page goes on
	browser.value("document.querySelector('#wait-rows summary').click()")
	assert browser.value("document.querySelectorAll('#wait-rows li').length") == 3
	heard = browser.text("#wait-rows li")
	browser.until(f"document.querySelector('#wait-rows li').innerText !== {json.dumps(heard)}")
	assert browser.value("document.querySelector('#wait-rows details').open")
	picture(browser, "waits")
	for w in holders + waiters:
		w.close()
	browser.until("document.querySelector('#waits .none').offsetParent !== null")
	check_quiet(browser, pooler)


def test_hostile_names_are_shown_and_not_run(start_pooler, browser):
	pooler = start_watched(start_pooler, databases={"*": "HERE dbname=app"}, default_pool_size=1)
	holder = hold(pooler, database=EVIL, application_name=EVIL_APPLICATION + "\u202e")[0]
	waiter = queue(pooler, database=EVIL, application_name=EVIL_APPLICATION + "\u202e")[0]
	stranger = pooler.wire()
	stranger.begin("<b>nobody</b>\u202e", EVIL)
	assert "E" in [m.type for m in stranger.ended()]
	odd = hold(pooler, database="x" * 63)[0]
	pooler.wait_waiting(1, EVIL)
	open_page(browser, pooler)
	for place in ("#pool-rows", "#wait-rows", "#database-rows"):
		assert EVIL in browser.text(place)
	assert EVIL_APPLICATION + "\ufffd" in browser.text("#wait-rows") and "\u202e" not in browser.text()
	assert browser.value("document.querySelectorAll('script').length") == 1
	assert browser.value("document.querySelectorAll('img, b b, iframe, [onerror]').length") == 0
	picture(browser, "hostile")
	browser.size(360, 740, is_phone=True)
	assert browser.value("document.documentElement.scrollWidth") <= 360
	picture(browser, "hostile-phone")
	check_quiet(browser, pooler)
	for w in (holder, waiter, odd, stranger):
		w.close()


def reached(browser):
	"""What Tab comes to, from the beginning to where it begins anew."""
	seen = []
	browser.value("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
	while len(seen) < 200:
		browser.press("Tab")
		what = browser.value("(() => { const a = document.activeElement; if (a === document.body) return null; "
			"if (!a.number) a.number = String(++window.numbers || (window.numbers = 1)); "
			"const s = getComputedStyle(a); return [a.number, a.tagName, a.id || a.textContent.trim().slice(0, 30), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0]; })()")
		if what is None or (seen and what[0] == seen[0][0]):
			break
		seen.append(what)
	return seen


def test_everything_is_reached_by_keyboard(start_pooler, browser, hba):
	pooler = start_watched(start_pooler)
	assert pooler.serves()
	open_page(browser, pooler)
	browser.value("document.querySelector('#live').click()") # so that nothing changes meanwhile
	stops = reached(browser)
	controls = browser.value("[...document.querySelectorAll('a[href], button, summary, input, [tabindex=\"0\"]')]"
		".filter(one => one.checkVisibility()).length")
	assert len(stops) == controls, stops
	assert stops[0][2] == "Skip to the content"
	assert all(stop[3] for stop in stops), "what has the focus is seen"
	# the first stop leads past the head
	browser.value("document.activeElement.blur()")
	browser.press("Tab")
	browser.press("Enter")
	browser.until("document.activeElement.id === 'main'")
	# settings: opened, and found by a part of the name
	browser.value("document.querySelector('#config-details summary').focus()")
	browser.press("Enter")
	browser.until("document.querySelectorAll('#config-rows tr').length > 100")
	browser.press("Tab")
	browser.type("query_wait")
	browser.until("document.querySelectorAll('#config-rows tr').length < 5")
	assert "query_wait_timeout" in browser.text("#config-rows")
	browser.press("Tab")
	browser.press(" ")
	browser.until("document.querySelector('#changed').checked && document.querySelectorAll('#config-rows tr').length === 0")
	# plots go back in time
	browser.value("document.querySelector('#live').click()")
	browser.until("document.querySelectorAll('.plot path.line').length >= 6 + 14", 40)
	browser.value("document.querySelector('.plot').focus()")
	browser.press("ArrowLeft")
	assert browser.value("document.querySelectorAll('.plot line.cross').length") == 6
	assert "ago" in browser.value("document.querySelector('.plot').getAttribute('aria-label')")
	browser.press("Escape")
	assert browser.value("document.querySelectorAll('.plot line.cross').length") == 0
	check_quiet(browser, pooler)


@pytest.fixture(scope="session")
def axe():
	"""Checks of accessibility, as one script."""
	path = subprocess.run([os.path.join(ROOT, "build-aux", "get-axe")], stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout.strip()
	with open(path, encoding="utf-8") as f:
		return f.read()


@pytest.mark.parametrize("form", ["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_forms_are_accessible(start_pooler, browser, axe, scheme, form):
	pooler = start_watched(start_pooler, default_pool_size=1)
	# everything has something to show
	with pooler.wire() as w:
		w.begin("app", "nowhere")
		assert "E" in [m.type for m in w.ended()]
	others = hold(pooler) + queue(pooler, 2)
	pooler.wait_waiting(2)
	down = Port()
	pooler.databases["down"] = f"host=127.0.0.1 port={down.number}"
	pooler.write()
	pooler.console("RELOAD")
	with pooler.wire() as w:
		w.begin("app", "down")
		assert "E" in [m.type for m in w.ended()]
	if form == "phone":
		browser.size(360, 740, is_phone=True)
	browser.scheme(scheme)
	open_page(browser, pooler)
	browser.value("document.querySelector('#config-details summary').click()")
	browser.until("document.querySelectorAll('#config-rows tr').length > 100 && !document.querySelector('#outages').hidden")
	assert browser.value("document.documentElement.scrollWidth") <= (360 if form == "phone" else 1280)
	ground = browser.value("getComputedStyle(document.body).backgroundColor")
	lightness = sum(map(int, ground[ground.index("(") + 1:-1].split(",")))
	assert lightness > 600 if scheme == "light" else lightness < 150
	picture(browser, f"full-{scheme}-{form}")
	browser.value(axe + ";0")
	found = browser.value("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
		".then(r => r.violations.map(v => [v.id, v.help, v.nodes.map(n => n.html.slice(0, 200) + ' ' + n.failureSummary).slice(0, 3)]))")
	assert found == []
	check_quiet(browser, pooler)
	for w in others:
		w.close()


def test_many_pools_are_shown_busiest_first_and_all_on_demand(start_pooler, browser):
	pooler = start_watched(start_pooler, databases={"*": "HERE dbname=app"}, default_pool_size=1)
	clients = [pooler.login(database=f"tenant{n:02d}") for n in range(60)]
	clients += hold(pooler, database="tenant44") + queue(pooler, database="tenant44")
	pooler.wait_waiting(1, "tenant44")
	open_page(browser, pooler)
	assert browser.value("document.querySelectorAll('#pool-rows tr').length") == 50
	assert browser.text("#pool-rows tr").startswith("tenant44\t")
	assert "50 of 60" in browser.text("#pools h2")
	browser.value("document.querySelector('#pools-all').click()")
	browser.until("document.querySelectorAll('#pool-rows tr').length === 60")
	browser.value("document.querySelector('#pools-all').click()")
	browser.until("document.querySelectorAll('#pool-rows tr').length === 50")
	check_quiet(browser, pooler)
	for w in clients:
		w.close()


def test_the_page_says_when_there_is_no_answer_and_goes_on_by_itself(start_pooler, browser):
	pooler = start_watched(start_pooler)
	open_page(browser, pooler)
	pooler.stop()
	browser.until("!document.querySelector('#trouble').hidden")
	assert "There is no answer from pgweir" in browser.text("#trouble") and browser.text("#state").endswith("no answer")
	assert browser.value("document.querySelectorAll('main > section.stale').length") > 3
	picture(browser, "no-answer")
	pooler.start()
	browser.until("document.querySelector('#trouble').hidden && document.querySelector('#state').textContent.includes('serving')")
	assert browser.value("document.querySelectorAll('.stale').length") == 0


def test_a_page_that_is_paused_or_not_looked_at_asks_nothing(start_pooler, browser):
	pooler = start_watched(start_pooler)
	open_page(browser, pooler)
	button = "document.querySelector('#live')"
	browser.value(f"{button}.click()")
	assert browser.text("#live") == "Go on"
	before = len(browser.requests())
	silent, other = os.pipe()
	assert silence(silent, 4)
	browser.value("0")
	assert len(browser.requests()) == before
	# hidden, as far as the page can tell
	browser.value("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
	browser.value(f"{button}.click()")
	browser.until(f"{button}.textContent === 'Pause'")
	before = until(lambda: browser.value("0") == 0 and len(browser.requests()) > before and len(browser.requests()))
	assert silence(silent, 4)
	browser.value("0")
	assert len(browser.requests()) == before
	browser.value("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
	until(lambda: browser.value("0") == 0 and len(browser.requests()) > before + 1, 20, "it goes on")
	os.close(silent)
	os.close(other)


def test_the_page_is_protected_away_from_loopback(start_pooler, browser):
	port = Port()
	pooler = start_watched(start_pooler, http_listen=f"0.0.0.0:{port.number}")
	pooler.web = f"http://127.0.0.1:{port.number}/"
	assert get(pooler, "")[0] == 403 and get(pooler, "api/pools")[0] == 403
	pooler.stop()
	pooler.settings.update(http_auth_user="watcher", http_auth_password="let me see")
	pooler.start()
	assert get(pooler, "")[0] == 401 and get(pooler, "api/overview")[0] == 401
	browser.tell("Network.setExtraHTTPHeaders", headers={"Authorization": "Basic " + base64.b64encode(b"watcher:let me see").decode()})
	open_page(browser, pooler)
	check_quiet(browser, pooler)
	browser.tell("Network.setExtraHTTPHeaders", headers={"Authorization": "Basic " + base64.b64encode(b"watcher:nothing").decode()})
	browser.until("!document.querySelector('#trouble').hidden") # what it shows is not taken for what is
