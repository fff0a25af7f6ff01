const postgres = require("postgres");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const { check, table, fails, url } = require("./common");

async function main() {
	const sql = postgres(url, { max: 3, onnotice: () => {} });
	const t = sql(table);
	await sql`CREATE TABLE ${t} (n int, t text)`;

	// it prepares by name, keeps the statement, and sends many at once
	const sums = await Promise.all(Array.from({ length: 60 }, (_, i) => sql`SELECT ${i}::int + 1 AS sum`));
	check(sums.every(([row], i) => row.sum === i + 1), "a wrong sum");
	await sql.begin((tx) => Array.from({ length: 100 }, (_, i) => tx`INSERT INTO ${t} VALUES (${i}, 'row')`));
	await fails(undefined, sql.begin(async (tx) => {
		await tx`DELETE FROM ${t}`;
		throw new Error("back");
	}));
	check((await sql`SELECT count(*)::int AS n FROM ${t}`)[0].n === 100, "rows were lost or stayed");
	await fails("22012", sql`SELECT 1/0`);
	let n = 0;
	await sql`SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n`.cursor(700, (rows) => {
		for (const r of rows) check(r.n === ++n && r.t.length === 200, "a row is broken");
	});
	check(n === 20000, "rows are missing");

	const lines = Array.from({ length: 5000 }, (_, i) => `${1000 + i}\tcopied\n`);
	await pipeline(Readable.from(lines), await sql`COPY ${t} FROM STDIN`.writable());
	let out = "";
	for await (const chunk of await sql`COPY (SELECT * FROM ${t} WHERE n >= 1000 ORDER BY n) TO STDOUT`.readable()) out += chunk;
	check(out === lines.join(""), "COPY OUT is not what went in");

	// not query.cancel(): of this driver's own some never come to an end, without a pooler too
	await fails("57014", sql.begin(async (tx) => {
		await tx`SET LOCAL statement_timeout = '1s'`;
		await tx`SELECT pg_advisory_lock(7)`;
	}));
	// on a connection of its own: after COPY and errors this driver now and then sends nothing more, without a pooler too
	const last = postgres(url, { max: 1 });
	check((await last`SELECT 7 AS n`)[0].n === 7, "it does not go on");
	await last`DROP TABLE ${last(table)}`;
	console.log("prepared transaction error big copy cancel");
	process.exit(0);
}

main().catch((e) => { console.error(e); process.exit(1); });
