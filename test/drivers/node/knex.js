const { check, table, fails, url } = require("./common");

async function main() {
	const db = require("knex")({ client: "pg", connection: url, pool: { min: 0, max: 3 } });
	await db.schema.createTable(table, (t) => { t.integer("n"); t.text("t"); });
	for (let i = 0; i < 20; i++) {
		const { rows } = await db.raw("SELECT ?::int + 1 AS sum", [i]);
		check(rows[0].sum === i + 1, "a wrong sum");
	}
	await db.transaction((tx) => tx(table).insert(Array.from({ length: 100 }, (_, n) => ({ n, t: "row" }))));
	await fails(undefined, db.transaction(async (tx) => {
		await tx(table).delete();
		throw new Error("back");
	}));
	check(Number((await db(table).count())[0].count) === 100, "rows were lost or stayed");
	await fails("22012", db.raw("SELECT 1/0"));
	const { rows } = await db.raw("SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n");
	check(rows.length === 20000 && rows.every((r, i) => r.n === i + 1), "a row is broken");
	// its timeout's cancel asks for pg_cancel_backend of the process that it logged in to: behind a pooler there is none such
	await fails("57014", db.transaction(async (tx) => {
		await tx.raw("SET LOCAL statement_timeout = '1s'");
		await tx.raw("SELECT pg_advisory_lock(7)");
	}));
	check((await db.raw("SELECT 7 AS n")).rows[0].n === 7, "it does not go on");
	await db.schema.dropTable(table);
	await db.destroy();
	console.log("prepared transaction error big cancel");
}

main().catch((e) => { console.error(e); process.exit(1); });
