"use strict";

// The status page: asks for api/overview every few seconds while it is looked at, and shows what has come. What comes from
// elsewhere is only ever put into text nodes. Rows stay the same elements as long as they are about the same thing, so that
// focus, selections and open parts survive.

const EVERY_MS = 3000;
const PATIENCE_MS = 10000;
const CONFIG_EVERY_MS = 30000;
const WINDOW_S = 900;
const ROWS_AT_FIRST = 50;

const byId = id => document.getElementById(id);

// ---- elements ----

function element(tag, className, ...children) {
	const made = document.createElement(tag);
	if (className)
		made.className = className;
	made.append(...children.filter(child => child !== null && child !== undefined && child !== ""));
	return made;
}

function shape(tag, attributes, ...children) {
	const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes))
		made.setAttribute(name, value);
	made.append(...children);
	return made;
}

function setText(node, text) {
	if (node.textContent !== text)
		node.textContent = text;
}

function setClass(node, name) {
	if (node.className !== name)
		node.className = name;
}

function show(node, visible) {
	if (node.hidden === visible)
		node.hidden = !visible;
}

// Makes `parent` have one child per row, in this order. make(row) gives an element; its fill(row) is called each time.
function sync(parent, rows, keyOf, make) {
	const known = parent.known || (parent.known = new Map());
	const seen = new Map();
	for (const row of rows) {
		let key = keyOf(row);
		while (seen.has(key))
			key += " ";
		const child = known.get(key) || make(row);
		child.fill(row);
		seen.set(key, child);
	}
	for (const [key, child] of known) {
		if (seen.get(key) !== child)
			child.remove();
	}
	let at = parent.firstChild;
	for (const child of seen.values()) {
		if (child === at)
			at = at.nextSibling;
		else
			parent.insertBefore(child, at);
	}
	parent.known = seen;
}

// A table's row: columns are [heading, class]; fillers get the cell and the row, and may say that there is nothing (false).
function rowMaker(columns) {
	return () => {
		const tr = element("tr");
		const cells = columns.map(([label, className, , isHeading]) => {
			const cell = element(isHeading ? "th" : "td", className);
			if (isHeading)
				cell.scope = "row";
			else
				cell.dataset.label = label;
			tr.append(cell);
			return cell;
		});
		tr.fill = row => columns.forEach(([, , fill], i) => {
			const kept = fill(cells[i], row);
			if (kept === false)
				cells[i].dataset.empty = "";
			else
				delete cells[i].dataset.empty;
		});
		return tr;
	};
}

// Replaces what a cell has only if it is about something else than before.
function replace(cell, state, build) {
	const key = JSON.stringify(state);
	if (cell.shown === key)
		return;
	cell.shown = key;
	cell.replaceChildren(...build().filter(child => child !== null && child !== ""));
}

function plain(value) {
	return (cell, row) => {
		const text = value(row);
		setText(cell, text === null || text === undefined ? "" : String(text));
		return cell.textContent !== "";
	};
}

// ---- numbers and times ----

const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const precise = new Intl.NumberFormat("en", {maximumSignificantDigits: 3});
const number = n => n >= 100 || Number.isInteger(n) ? whole.format(n) : precise.format(n);

function rate(n) {
	if (n >= 999500)
		return precise.format(n / 1e6) + " M";
	return n >= 9995 ? precise.format(n / 1e3) + " k" : number(n);
}

const perSecond = n => rate(n) + "/s";

function bytes(n) {
	const units = ["B", "kB", "MB", "GB", "TB"];
	let i = 0;
	while (n >= 999.5 && i + 1 < units.length) {
		n /= 1000;
		i++;
	}
	return number(i === 0 ? Math.round(n) : n) + " " + units[i];
}

function micros(us) {
	if (us < 1000)
		return Math.round(us) + " µs";
	if (us < 999500)
		return precise.format(us / 1e3) + " ms";
	return duration(us / 1e6);
}

function duration(s) {
	if (s < 0.9995)
		return Math.round(s * 1000) + " ms";
	if (s < 10)
		return precise.format(s) + " s";
	if (s < 120)
		return Math.round(s) + " s";
	if (s < 7200)
		return Math.floor(s / 60) + " min";
	if (s < 172800)
		return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
	return Math.floor(s / 86400) + " days";
}

const plural = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

// Times come as "2026-05-08 12:00:00 UTC", in the pooler's own time zone: what is of today needs no date.
function moment(text, now) {
	if (!text || !now)
		return text || "";
	return text.slice(0, 10) === now.slice(0, 10) ? text.slice(11, 19) : text.slice(0, 19);
}

function ago(text, now) {
	const at = Date.parse((text || "").slice(0, 19).replace(" ", "T") + "Z");
	const then = Date.parse((now || "").slice(0, 19).replace(" ", "T") + "Z");
	if (Number.isNaN(at) || Number.isNaN(then))
		return "";
	return then - at < 1000 ? "just now" : duration((then - at) / 1000) + " ago";
}

// ---- remedies ----

function say(text) {
	setText(byId("said"), "");
	setText(byId("said"), text);
}

// Browsers let a page write to the clipboard only if it came by TLS or from this machine: otherwise the text is selected.
async function copy(text, node, button) {
	let done = false;
	try {
		await navigator.clipboard.writeText(text);
		done = true;
	} catch {
		const range = document.createRange();
		range.selectNodeContents(node);
		getSelection().removeAllRanges();
		getSelection().addRange(range);
		try {
			done = document.execCommand("copy");
		} catch {
			done = false;
		}
	}
	setText(button, done ? "Copied" : "Selected");
	say(done ? "Copied." : "Selected: copy it with the keyboard.");
	setTimeout(() => setText(button, "Copy"), 2500);
}

function pasteBlock(text) {
	const pre = element("pre", "", text);
	const button = element("button", "", "Copy");
	button.type = "button";
	button.setAttribute("aria-label", "Copy: " + text);
	button.addEventListener("click", () => copy(text, pre, button));
	return element("div", "paste", pre, button);
}

// Lines to paste stand alone behind one that ends with a colon; commands stand behind "run:" or in quotes behind "run".
function remedyParts(hint) {
	const parts = [];
	let awaited = false;
	for (const line of hint.split("\n")) {
		const command = /^(.*\brun:) (.+)$/.exec(line);
		if (awaited) {
			parts.push({paste: line});
			awaited = false;
		} else if (command) {
			parts.push({text: command[1]}, {paste: command[2]});
		} else if (line !== "") {
			parts.push({text: line});
			for (const quoted of line.matchAll(/\brun "([^"]+)"/g))
				parts.push({paste: quoted[1]});
			awaited = line.endsWith(":");
		}
	}
	return parts;
}

function remedy(hint) {
	return element("div", "remedy", ...remedyParts(hint).map(part => part.paste ? pasteBlock(part.paste) : element("p", "", part.text)));
}

// ---- what is wrong now ----

function fact(label, value) {
	return element("span", "", label + " ", element("b", "", value));
}

function makeOutage() {
	const title = element("h3", "text");
	const facts = element("p", "facts");
	const detail = element("p", "quiet text");
	const what = element("div");
	const card = element("article", "card outage", title, facts, detail, what);
	card.fill = row => {
		setText(title, row.text);
		replace(facts, [row.since_ms > 1e4 ? Math.round(row.since_ms / 1e4) : row.since_ms, row.pools, row.clients_waiting,
			row.attempts, row.next_attempt_ms], () => [
			fact("for", duration(row.since_ms / 1000)),
			row.pools === 1 ? fact("pool", `${row.database} / ${row.user}`) : fact("pools", number(row.pools)),
			fact("clients waiting", number(row.clients_waiting)),
			fact("attempts", number(row.attempts)),
			fact("next attempt", row.next_attempt_ms === null ? "none planned" : row.next_attempt_ms === 0 ? "now" :
				"in " + duration(row.next_attempt_ms / 1000)),
			fact("class", row.class),
			row.incident ? fact("incident", row.incident) : null]);
		setText(detail, row.detail || "");
		show(detail, Boolean(row.detail));
		replace(what, row.hint, () => row.hint ? [remedy(row.hint)] : []);
	};
	return card;
}

function fillOutages(part) {
	show(byId("outages"), part.total > 0);
	sync(byId("outage-list"), part.rows, row => row.incident + row.class + row.text, makeOutage);
}

// ---- figures ----

function makeTile(row) {
	const value = element("dd", "big");
	const note = element("dd", "note");
	const tile = element("div", "", element("dt", "", row.name), value, note);
	tile.fill = row => {
		setText(value, row.value);
		setText(note, row.note);
		setClass(tile, row.alarm ? "warned" : "");
	};
	return tile;
}

function fillTiles(o, last) {
	const p = o.process;
	const servers = p.servers_active + p.servers_idle + p.servers_opening;
	const longest = Math.max(0, ...o.waits.rows.map(row => row.wait_ms));
	const of = (name, format, nothing = "–") => last ? format(last[name]) : nothing;
	sync(byId("tiles"), [
		{name: "Clients", value: number(p.clients), note: `of ${number(p.max_client_conn)}` + (p.logging_in ? `, ${number(p.logging_in)} logging in` : "")},
		{name: "Waiting", value: number(p.waiting), note: p.waiting ? "longest " + duration(longest / 1000) : "nobody", alarm: p.waiting > 0},
		{name: "Servers", value: number(servers), note: `${number(p.servers_active)} at work, ${number(p.servers_idle)} idle`},
		{name: "Queries", value: of("queries", perSecond), note: of("query_us", us => micros(us) + " each", "")},
		{name: "Transactions", value: of("transactions", perSecond), note: of("transaction_us", us => micros(us) + " each", "")},
		{name: "Wait for a server", value: of("wait_us", micros), note: "on average"},
		{name: "Errors", value: of("errors", perSecond), note: "told to clients", alarm: Boolean(last && last.errors > 0)},
	], row => row.name, makeTile);
}

// ---- plots ----

const PLOTS = [
	{title: "Work", unit: perSecond, least: 1, lines: [["queries", "queries"], ["transactions", "transactions"]]},
	{title: "Mean times", unit: micros, least: 100, lines: [["transaction_us", "transaction"], ["query_us", "query"], ["wait_us", "wait"]]},
	{title: "Clients", unit: number, least: 4, whole: true, lines: [["clients", "connected"], ["servers_active", "at work"], ["waiting", "waiting"]]},
	{title: "Servers", unit: number, least: 4, whole: true, lines: [["servers_active", "at work"], ["servers_idle", "idle"], ["servers_opening", "being opened"]]},
	{title: "Traffic", unit: n => bytes(n) + "/s", least: 1000, lines: [["sent_bytes", "to clients"], ["received_bytes", "from clients"]]},
	{title: "Logins and errors", unit: perSecond, least: 1, lines: [["logins", "logins"], [null, ""], ["errors", "errors"]]},
];

let samples = [];
let crossAge = null; // seconds ago that the pointer is at; null: it is nowhere

function niceTop(n) {
	const unit = 10 ** Math.floor(Math.log10(n));
	return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map(step => step * unit).find(top => top >= n * 0.999);
}

function nearestSample(age) {
	let best = null;
	for (const sample of samples) {
		if (best === null || Math.abs(sample.age_s - age) < Math.abs(best.age_s - age))
			best = sample;
	}
	return best;
}

// One path for each stretch without a gap; a process that was stopped has one.
function stretches(name, x, y, every) {
	const all = [];
	let before = null;
	for (const sample of samples) {
		if (before === null || before.age_s - sample.age_s > every * 3)
			all.push([]);
		all[all.length - 1].push([x(sample.age_s), y(sample[name])]);
		before = sample;
	}
	return all;
}

const pathOf = points => points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function drawLine(svg, name, series, x, y, every, filled) {
	for (const points of stretches(name, x, y, every)) {
		const [first, last] = [points[0], points[points.length - 1]];
		if (points.length === 1)
			svg.append(shape("circle", {cx: first[0], cy: first[1], r: 1.5, class: "s" + series}));
		if (filled)
			svg.append(shape("path", {d: `${pathOf(points)}L${last[0]} ${y(0)}L${first[0]} ${y(0)}Z`, class: `area s${series}`}));
		svg.append(shape("path", {d: pathOf(points), class: `line s${series}`}));
	}
}

function drawPlot(plot, every) {
	const {spec, svg, figure} = plot;
	const width = Math.max(120, svg.clientWidth), height = 92, bottom = height - 14;
	const lines = spec.lines.map(([name, label], series) => ({name, label, series})).filter(line => line.name);
	const most = Math.max(spec.least, ...lines.flatMap(line => samples.map(sample => sample[line.name])));
	const top = niceTop(most);
	const x = age => width - Math.min(WINDOW_S, age) / WINDOW_S * width;
	const y = value => bottom - value / top * (bottom - 12);
	const shown = crossAge === null ? samples[samples.length - 1] : nearestSample(crossAge);

	svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
	svg.replaceChildren();
	for (const part of [0.5, 1])
		svg.append(shape("line", {x1: 0, x2: width, y1: y(top * part), y2: y(top * part), class: "grid"}));
	svg.append(shape("line", {x1: 0, x2: width, y1: bottom, y2: bottom, class: "base"}));
	for (const line of lines)
		drawLine(svg, line.name, line.series, x, y, every, line.series === 0);
	svg.append(shape("text", {x: 0, y: 9}, spec.unit(top)));
	svg.append(shape("text", {x: 0, y: height - 2}, "15 min ago"));
	svg.append(shape("text", {x: width, y: height - 2, "text-anchor": "end"}, crossAge === null || !shown ? "now" : duration(shown.age_s) + " ago"));
	if (crossAge !== null && shown)
		svg.append(shape("line", {x1: x(shown.age_s), x2: x(shown.age_s), y1: 12, y2: bottom, class: "cross"}));
	plot.values.forEach(([node, name]) => setText(node, shown ? spec.unit(shown[name]) : "–"));
	figure.setAttribute("aria-label", `${spec.title}, ${crossAge === null ? "now" : shown ? duration(shown.age_s) + " ago" : ""}: ` +
		lines.map(line => `${line.label} ${shown ? spec.unit(shown[line.name]) : "not known yet"}`).join(", ") +
		`. At most ${spec.unit(most)} in the last 15 minutes. Arrow keys go back and forth in time.`);
}

let plots = [];
let sampleEvery = 5;

function moveCross(age) {
	crossAge = age === null || samples.length === 0 ? null : Math.min(WINDOW_S, Math.max(0, age));
	plots.forEach(plot => drawPlot(plot, sampleEvery));
}

function plotKey(event) {
	const step = {ArrowLeft: sampleEvery, ArrowRight: -sampleEvery, PageUp: 60, PageDown: -60}[event.key];
	if (event.key === "Escape" || event.key === "End")
		moveCross(null);
	else if (step)
		moveCross((crossAge ?? 0) + step);
	else
		return;
	event.preventDefault();
}

function makePlot(spec) {
	const svg = shape("svg", {"aria-hidden": "true"});
	const list = element("ul");
	const values = [];
	list.setAttribute("aria-hidden", "true");
	spec.lines.forEach(([name, label], series) => {
		if (!name)
			return;
		const value = element("b");
		const key = shape("svg", {class: "key", viewBox: "0 0 18 8"}, shape("path", {d: "M0 4H18", class: `line s${series}`}));
		list.append(element("li", "", key, label + " ", value));
		values.push([value, name]);
	});
	const figure = element("div", "plot", element("h3", "", spec.title), list, svg);
	figure.tabIndex = 0;
	figure.setAttribute("role", "img");
	svg.addEventListener("pointermove", event => {
		const box = svg.getBoundingClientRect();
		moveCross((1 - (event.clientX - box.left) / box.width) * WINDOW_S);
	});
	svg.addEventListener("pointerleave", () => moveCross(null));
	figure.addEventListener("keydown", plotKey);
	figure.addEventListener("blur", () => moveCross(null));
	byId("plots").append(figure);
	return {spec, svg, figure, values};
}

function readHistory(history) {
	sampleEvery = history.every_s;
	samples = history.samples.map(values => Object.fromEntries(history.columns.map((name, i) => [name, values[i]])));
}

// ---- pools ----

// Servers in proportion to the pool's size, and below them those who wait, in the same measure.
function drawBars(svg, row) {
	const size = row.pool_size ?? 0;
	const servers = row.sv_active + row.sv_idle + row.sv_login;
	const room = Math.max(size, servers, 1);
	const part = n => n / room * 100;
	const bar = (from, n, className, top, height) => n > 0 ?
		[shape("rect", {x: part(from) + "%", width: Math.max(0.4, part(n)) + "%", y: top, height, class: className})] : [];
	svg.replaceChildren(
		...bar(0, room, "room", 1, 11),
		...bar(0, row.sv_active, "used", 1, 11),
		...bar(row.sv_active, row.sv_idle, "idle", 1.5, 10),
		...bar(row.sv_active + row.sv_idle, row.sv_login, "opening", 1.5, 10),
		...bar(0, Math.min(room, row.cl_waiting), "waiting", 14.5, 5));
}

function fillBars(cell, row) {
	const state = [row.pool_size, row.sv_active, row.sv_idle, row.sv_login, row.cl_waiting];
	replace(cell, state, () => {
		const svg = shape("svg", {"aria-hidden": "true"});
		drawBars(svg, row);
		const rest = [row.sv_idle ? `${number(row.sv_idle)} idle` : "", row.sv_login ? `${number(row.sv_login)} opening` : ""].filter(Boolean);
		return [element("div", "bars", svg, element("span", "", element("b", "", number(row.sv_active)),
			row.pool_size === null ? " at work" : ` of ${number(row.pool_size)} at work`, rest.length ? ", " + rest.join(", ") : ""))];
	});
}

const makePool = rowMaker([
	["Database", "", plain(row => row.database), true],
	["User", "", plain(row => row.user)],
	["", "full", fillBars],
	["Waiting", "n", (cell, row) => {
		setText(cell, number(row.cl_waiting));
		setClass(cell, row.cl_waiting ? "n alarm" : "n");
		return row.cl_waiting > 0;
	}],
	["Longest", "n", plain(row => row.cl_waiting ? micros(row.maxwait_us) : "")],
	["Clients", "n", plain(row => number(row.cl_active + row.cl_waiting))],
	["Mode", "", (cell, row) => {
		replace(cell, [row.pool_mode, row.paused], () => [row.pool_mode, row.paused ? " " : null, row.paused ? element("span", "badge warn", "paused") : null]);
	}],
]);

function countOf(id, text) {
	setText(document.querySelector(`#${id} .count`), text);
}

function shownOf(part) {
	return part.total > part.rows.length ? `${number(part.rows.length)} of ${number(part.total)}` : part.total > 0 ? number(part.total) : "";
}

function fillTable(id, rowsId, part, keyOf, make) {
	countOf(id, shownOf(part));
	sync(byId(rowsId), part.rows, keyOf, make);
	show(document.querySelector(`#${id} .none`), part.rows.length === 0);
	show(document.querySelector(`#${id} table`), part.rows.length > 0);
}

function fillPools(part, all) {
	const rows = all ? {total: all.length, rows: all} : part;
	const button = byId("pools-all");
	fillTable("pools", "pool-rows", rows, row => row.database + "\n" + row.user, makePool);
	show(document.querySelector("#pools .more"), part.total > ROWS_AT_FIRST);
	setText(button, wantsAllPools ? "Show the busiest only" : `Show all ${number(part.total)}`);
	button.setAttribute("aria-pressed", String(wantsAllPools));
}

// ---- who waits ----

// Clients that wait for the same reason, for the same pool, behind the same holder, make one row; the longest decides its place.
// Reasons say how long something has lasted, so their figures do not count.
function groupWaits(rows) {
	const groups = new Map();
	for (const row of rows) {
		const key = JSON.stringify([row.database, row.user, row.why.replace(/[\d.]+ (ms|s|min|h)\b/g, "#"), row.limited_by, row.holder_id]);
		if (!groups.has(key))
			groups.set(key, {key, row, clients: []});
		groups.get(key).clients.push(row);
	}
	return [...groups.values()];
}

function applicationsOf(clients) {
	const counts = new Map();
	for (const client of clients)
		counts.set(client.application_name, (counts.get(client.application_name) || 0) + 1);
	return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([name, n]) => `${name || "without a name"}${n > 1 ? " × " + n : ""}`).join(", ");
}

function makeClient() {
	const item = element("li");
	item.fill = row => setText(item, [duration(row.wait_ms / 1000), row.application_name,
		row.addr === "unix" ? "unix socket" : row.addr ? `${row.addr}:${row.port}` : "", `client ${row.id}`].filter(Boolean).join(", "));
	return item;
}

function fillClients(cell, group) {
	if (!cell.parts) {
		const parts = {pool: element("span"), names: element("span", "sub"), list: element("ol"), summary: element("summary")};
		parts.details = element("details", "each", parts.summary, parts.list);
		cell.replaceChildren(parts.pool, parts.names, parts.details);
		cell.parts = parts;
	}
	const {pool, names, summary, list} = cell.parts;
	setText(pool, `${group.row.user} @ ${group.row.database}`);
	setText(names, applicationsOf(group.clients));
	setText(summary, group.clients.length === 1 ? "the client" : `each of ${number(group.clients.length)}`);
	sync(list, group.clients, row => String(row.id), makeClient);
}

const makeWait = rowMaker([
	["", "n alarm", (cell, group) => {
		setText(cell, duration(group.row.wait_ms / 1000));
	}],
	["Clients", "n", plain(group => number(group.clients.length))],
	["", "full", fillClients],
	["", "full", plain(({row}) => row.why)],
	["Who has a server longest:", "", (cell, {row}) => {
		replace(cell, [row.holder_id, row.holder_application, row.holder_state, row.holder_ms], () => row.holder_id === null ? [] : [
			row.holder_application || `client ${row.holder_id}`,
			element("span", "sub", `${row.holder_state || "not looked at yet"}, for ${duration(row.holder_ms / 1000)}`)]);
		return row.holder_id !== null;
	}],
]);

function fillWaits(part, waiting) {
	const groups = groupWaits(part.rows);
	fillTable("waits", "wait-rows", {total: groups.length, rows: groups}, group => group.key, makeWait);
	countOf("waits", waiting > part.rows.length ? `${number(waiting)}, of whom ${number(part.rows.length)} are shown` : waiting ? number(waiting) : "");
}

// ---- backends ----

const STATES = {
	up: ["good", "● up"], unknown: ["", "○ not tried"], down: ["bad", "✕ down"], silent: ["warn", "▲ silent"], slow: ["warn", "▲ slow"],
};

function loginTime(row) {
	const phases = [["name", row.resolve_us], ["connect", row.connect_us], ["TLS", row.tls_us], ["password", row.authenticate_us]];
	if (row.connect_us === null)
		return [];
	return [micros(phases.reduce((sum, [, us]) => sum + us, 0)),
		element("span", "sub", phases.filter(([, us]) => us > 0).map(([name, us]) => `${name} ${micros(us)}`).join(", "))];
}

const makeBackend = rowMaker([
	["", "", (cell, row) => {
		const [className, text] = STATES[row.state] || ["", row.state];
		const next = row.next_attempt_ms === null ? "" : row.next_attempt_ms === 0 ? "trying now" : `next attempt in ${duration(row.next_attempt_ms / 1000)}`;
		const since = row.since && row.state !== "up" && row.state !== "unknown" ? "since " + moment(row.since, now) : "";
		replace(cell, [row.state, since, next, row.pools_waiting, row.role], () => [
			element("span", "badge " + className, text),
			element("span", "sub", [since, next, row.pools_waiting ? plural(row.pools_waiting, "pool waits", "pools wait") : "",
				row.role === "unknown" ? "" : row.role].filter(Boolean).join(", "))]);
	}],
	["", "", (cell, row) => {
		const place = row.addr.startsWith("/") || !row.port ? row.addr : `${row.addr}:${row.port}`;
		replace(cell, [row.host, place], () => row.host === row.addr ? [place] : [row.host, element("span", "sub", place)]);
	}],
	["Login takes", "", (cell, row) => {
		replace(cell, [row.resolve_us, row.connect_us, row.tls_us, row.authenticate_us], () => loginTime(row));
		return row.connect_us !== null;
	}],
	["Last login", "", (cell, row) => {
		setText(cell, row.last_success ? ago(row.last_success, now) : "never");
	}],
	["", "full", (cell, row) => {
		const since = row.failure ? `${ago(row.last_failure, now)}, ${row.failure_class}` : "";
		replace(cell, [row.failure, row.hint, row.failure_class], () => row.failure ? [
			element("span", "text", row.failure), element("span", "sub"), row.hint ? remedy(row.hint) : null] : [element("span", "quiet", "none")]);
		const sub = cell.querySelector(":scope > .sub");
		if (sub)
			setText(sub, since);
	}],
]);

// ---- databases ----

const makeDatabase = rowMaker([
	["", "", plain(row => row.name), true],
	["", "", (cell, row) => {
		const place = row.host === null ? "" : `${row.host}:${row.port}`;
		replace(cell, [row.host, row.port, row.database, row.force_user], () => [row.host === null && row.name === "pgbouncer" ? "the console" : place || `unix socket, port ${row.port}`,
			element("span", "sub", [row.database === row.name ? "" : `database ${row.database}`, row.force_user && row.name !== "pgbouncer" ? `as ${row.force_user}` : ""].filter(Boolean).join(", "))]);
	}],
	["", "", (cell, row) => {
		const state = row.disabled ? "disabled" : row.paused ? "paused" : "";
		replace(cell, state, () => state ? [element("span", "badge warn", state)] : ["open"]);
	}],
	["Clients", "n", plain(row => number(row.current_client_connections) + (row.max_client_connections ? ` of ${number(row.max_client_connections)}` : ""))],
	["Servers", "n", plain(row => number(row.current_connections) + (row.max_connections ? ` of ${number(row.max_connections)}` : ""))],
	["Pool size", "n", plain(row => number(row.pool_size) + (row.reserve_pool_size ? ` + ${number(row.reserve_pool_size)}` : ""))],
]);

// ---- errors ----

const makeError = rowMaker([
	["", "", (cell, row) => {
		replace(cell, [row.time, row.class, row.incident], () => [moment(row.time, now), element("span", "sub", row.class)]);
	}],
	["", "", (cell, row) => {
		const whom = row.user && row.database ? `${row.user} @ ${row.database}` : row.user || row.database || "";
		replace(cell, [whom, row.address], () => [whom, row.address ? element("span", "sub", row.address) : null]);
		return Boolean(whom || row.address);
	}],
	["Times", "n", plain(row => row.count ? number(row.count) : "")],
	["", "full", (cell, row) => {
		replace(cell, [row.text, row.hint], () => [element("span", "text", row.text || ""),
			row.hint ? element("details", "each", element("summary", "", "What to do"), remedy(row.hint)) : null]);
	}],
]);

// ---- configuration ----

const makeSetting = rowMaker([
	["", "full", plain(row => row.key), true],
	["", "full", (cell, row) => {
		replace(cell, [row.value, row.default], () => [element("code", "", row.value === null || row.value === "" ? "(empty)" : row.value), row.value === row.default ? null : " ",
			row.value === row.default ? null : element("span", "badge", "◆ changed")]);
	}],
	["Default", "", plain(row => row.value === row.default ? "the same" : row.default === null || row.default === "" ? "(empty)" : row.default)],
	["Changes with", "", plain(row => row.changeable === "yes" ? "RELOAD" : "a restart")],
]);

let settings = [];
let settingsAt = 0;

function fillConfig() {
	const wanted = byId("filter").value.trim().toLowerCase();
	const onlyChanged = byId("changed").checked;
	const rows = settings.filter(row => (!onlyChanged || row.value !== row.default) &&
		(row.key.toLowerCase().includes(wanted) || String(row.value ?? "").toLowerCase().includes(wanted)));
	const changed = settings.filter(row => row.value !== row.default).length;
	countOf("config", settings.length ? `${number(settings.length)} settings, ${number(changed)} changed` : "");
	sync(byId("config-rows"), rows, row => row.key, makeSetting);
	show(document.querySelector("#config .none"), rows.length === 0 && settings.length > 0);
	show(document.querySelector("#config table"), rows.length > 0);
}

// ---- asking ----

class Refused extends Error {}

// Characters that cannot be seen, or that make others read in another order, are shown as what they are: not readable.
function tame(_, value) {
	return typeof value === "string" ? value.replace(/[^\P{C}\n\t]/gu, "\ufffd") : value;
}

async function ask(path) {
	const patience = new AbortController();
	const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
	try {
		const response = await fetch(path, {cache: "no-store", credentials: "same-origin", redirect: "error", signal: patience.signal});
		if (response.status === 401 || response.status === 403)
			throw new Refused("pgweir wants you to log in again: load this page anew.");
		if (!response.ok)
			throw new Error(`pgweir answered with status ${response.status}.`);
		return JSON.parse(await response.text(), tame);
	} finally {
		clearTimeout(timer);
	}
}

let now = ""; // the pooler's time, as it writes times
let heardAt = null; // performance.now() of the last answer
let heardText = "";
let isLive = true;
let isAsking = false;
let wantsAllPools = false;
let timer = null;

function stateOf(o) {
	const wrong = o.outages.total;
	if (o.process.shutting_down)
		return ["warn", "▲ shutting down"];
	if (wrong > 0)
		return ["bad", `✕ ${o.ready ? "" : "not ready: "}${plural(wrong, "outage", "outages")}`];
	if (o.process.paused || !o.ready)
		return ["warn", "▲ " + (o.reasons.length ? o.reasons[0].text : "paused")];
	return o.process.waiting > 0 ? ["warn", `▲ ${plural(o.process.waiting, "client waits", "clients wait")}`] : ["good", "● serving"];
}

function fill(o, pools) {
	now = o.now;
	heardText = moment(now, now);
	readHistory(o.history);
	const [className, text] = stateOf(o);
	setClass(byId("state"), "pill " + className);
	setText(byId("state"), text);
	setText(byId("process"), `version ${o.process.pgweir}, like PgBouncer ${o.process.pgbouncer}; up ${duration(Math.max(1, o.process.up_s))}; ${plural(o.process.workers, "worker", "workers")}`);
	document.title = `${text.slice(0, 1)} ${location.host} – pgweir`;
	fillOutages(o.outages);
	fillTiles(o, samples[samples.length - 1]);
	moveCross(crossAge);
	fillPools(o.usage, pools);
	fillWaits(o.waits, Math.max(o.process.waiting, o.waits.total));
	fillTable("backends", "backend-rows", o.backends, row => [row.host, row.addr, row.port].join("\n"), makeBackend);
	fillTable("databases", "database-rows", o.databases, row => row.name, makeDatabase);
	fillTable("errors", "error-rows", o.errors, row => [row.class, row.incident, row.database, row.user, row.address, row.text].join("\n"), makeError);
}

function tellTrouble(why) {
	const trouble = byId("trouble");
	if (why)
		setText(trouble, `${why} ${heardText ? "What you see is of " + heardText + "." : ""}`);
	show(trouble, Boolean(why));
	document.querySelectorAll("main > section").forEach(section => section.classList.toggle("stale", Boolean(why)));
	if (why) {
		setClass(byId("state"), "pill bad");
		setText(byId("state"), "✕ no answer");
	}
}

function tellAge() {
	if (heardAt === null)
		return;
	const s = Math.round((performance.now() - heardAt) / 1000);
	setText(byId("age"), s < 5 ? heardText : `${heardText}, ${duration(s)} ago`);
}

async function refreshConfig() {
	if (!byId("config-details").open || performance.now() - settingsAt < CONFIG_EVERY_MS && settings.length)
		return;
	settings = (await ask("api/config")).rows;
	settingsAt = performance.now();
	fillConfig();
}

async function refresh() {
	if (isAsking)
		return;
	isAsking = true;
	clearTimeout(timer);
	try {
		const overview = await ask("api/overview");
		const pools = wantsAllPools ? (await ask("api/usage")).rows : null;
		await refreshConfig();
		heardAt = performance.now();
		fill(overview, pools);
		tellTrouble(null);
	} catch (error) {
		tellTrouble(error instanceof Refused ? error.message : "There is no answer from pgweir; trying again.");
	}
	isAsking = false;
	tellAge();
	plan();
}

function plan() {
	clearTimeout(timer);
	if (isLive && !document.hidden)
		timer = setTimeout(refresh, EVERY_MS);
}

// ---- controls ----

plots = PLOTS.map(makePlot);
setText(byId("place"), location.host);

byId("live").addEventListener("click", () => {
	isLive = !isLive;
	setText(byId("live"), isLive ? "Pause" : "Go on");
	setClass(byId("age"), isLive ? "quiet live" : "quiet");
	say(isLive ? "The page goes on." : "The page is paused.");
	if (isLive)
		refresh();
	else
		clearTimeout(timer);
});
byId("pools-all").addEventListener("click", () => {
	wantsAllPools = !wantsAllPools;
	refresh();
});
byId("config-details").addEventListener("toggle", refresh);
byId("filter").addEventListener("input", fillConfig);
byId("changed").addEventListener("change", fillConfig);
document.addEventListener("visibilitychange", () => {
	if (!document.hidden && isLive)
		refresh();
	else
		clearTimeout(timer);
});
addEventListener("resize", () => moveCross(crossAge));
setInterval(tellAge, 1000);
refresh();
