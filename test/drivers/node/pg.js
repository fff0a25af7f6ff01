const { Client, Pool } = require("pg");
const { from, to } = require("pg-copy-streams");
const { pipeline } = require("node:stream/promises");
const { Readable, Writable } = require("node:stream");
const { check, table, fails } = require("./common");

async function main() {
	const db = new Client();
	await db.connect();
	const number = async (sql) => Number(Object.values((await db.query(sql)).rows[0])[0]);
	await db.query(`CREATE TABLE ${table} (n int, t text)`);

	for (let i = 0; i < 20; i++) {
		if (i % 3 === 0) await db.query("BEGIN");
		const { rows } = await db.query({ name: "plus", text: "SELECT $1::int + 1 AS sum", values: [i] });
		check(rows[0].sum === i + 1, "a wrong sum");
		if (i % 3 === 1) await db.query("COMMIT");
	}
	for (const end of ["COMMIT", "ROLLBACK"]) {
		await db.query("BEGIN");
		for (let i = 0; i < 100; i++) await db.query(`INSERT INTO ${table} VALUES ($1, $2)`, [i, "row"]);
		await db.query(end);
	}
	check((await number(`SELECT count(*) FROM ${table}`)) === 100, "rows were lost or stayed");
	await fails("22012", db.query("SELECT 1/0"));
	const { rows } = await db.query("SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n");
	check(rows.length === 20000 && rows.every((r, i) => r.n === i + 1 && r.t.length === 200), "a row is broken");

	const lines = Array.from({ length: 5000 }, (_, i) => `${1000 + i}\tcopied\n`);
	await pipeline(Readable.from(lines), db.query(from(`COPY ${table} FROM STDIN`)));
	let out = "";
	await pipeline(db.query(to(`COPY (SELECT * FROM ${table} WHERE n >= 1000 ORDER BY n) TO STDOUT`)),
		new Writable({ write(chunk, _, done) { out += chunk; done(); } }));
	check(out === lines.join(""), "COPY OUT is not what went in");
	await db.query(`DROP TABLE ${table}`);

	// the driver has no cancel of its own: what its timeout does is what people use
	const hurried = new Pool({ query_timeout: 1000 });
	await fails(undefined, hurried.query("SELECT pg_advisory_lock(7)"));
	check((await number("SELECT 7")) === 7, "it does not go on");
	await db.end();
	console.log("prepared transaction error big copy cancel");
	process.exit(0);
}

main().catch((e) => { console.error(e); process.exit(1); });
