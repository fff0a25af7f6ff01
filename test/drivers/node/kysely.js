const { Pool } = require("pg");
const { check, table, fails, url } = require("./common");

async function main() {
	const { Kysely, PostgresDialect, sql } = await import("kysely");
	const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, max: 3 }) }) });
	const size = async () => Number((await db.selectFrom(table).select(db.fn.countAll().as("n")).executeTakeFirst()).n);
	await db.schema.createTable(table).addColumn("n", "integer").addColumn("t", "text").execute();
	for (let i = 0; i < 20; i++) {
		const { rows } = await sql`SELECT ${i}::int + 1 AS sum`.execute(db);
		check(rows[0].sum === i + 1, "a wrong sum");
	}
	await db.transaction().execute((tx) => tx.insertInto(table).values(Array.from({ length: 100 }, (_, n) => ({ n, t: "row" }))).execute());
	await fails(undefined, db.transaction().execute(async (tx) => {
		await tx.deleteFrom(table).execute();
		throw new Error("back");
	}));
	check((await size()) === 100, "rows were lost or stayed");
	await fails("22012", sql`SELECT 1/0`.execute(db));
	const { rows } = await sql`SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n`.execute(db);
	check(rows.length === 20000 && rows.every((r, i) => r.n === i + 1), "a row is broken");
	await fails("57014", db.transaction().execute(async (tx) => {
		await sql`SET LOCAL statement_timeout = '1s'`.execute(tx);
		await sql`SELECT pg_advisory_lock(7)`.execute(tx);
	}));
	check((await size()) === 100, "it does not go on");
	await db.schema.dropTable(table).execute();
	await db.destroy();
	console.log("prepared transaction error big cancel");
}

main().catch((e) => { console.error(e); process.exit(1); });
