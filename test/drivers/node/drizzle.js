const { Pool } = require("pg");
const { count, eq, sql } = require("drizzle-orm");
const { drizzle } = require("drizzle-orm/node-postgres");
const { integer, pgTable, text } = require("drizzle-orm/pg-core");
const { check, table, fails, url } = require("./common");

async function main() {
	const pool = new Pool({ connectionString: url, max: 3 });
	const db = drizzle(pool);
	const rows = pgTable(table, { n: integer(), t: text() });
	await db.execute(sql`CREATE TABLE ${rows} (n int, t text)`);
	await db.transaction((tx) => tx.insert(rows).values(Array.from({ length: 100 }, (_, n) => ({ n, t: "row" }))));
	const one = db.select().from(rows).where(eq(rows.n, sql.placeholder("n"))).prepare("one");
	for (let i = 0; i < 20; i++) check((await one.execute({ n: i }))[0].n === i, "a wrong row");
	await fails(undefined, db.transaction(async (tx) => {
		await tx.delete(rows);
		tx.rollback();
	}));
	check((await db.select({ n: count() }).from(rows))[0].n === 100, "rows were lost or stayed");
	await fails("22012", db.execute(sql`SELECT 1/0`));
	const big = await db.execute(sql`SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n`);
	check(big.rows.length === 20000 && big.rows.every((r, i) => r.n === i + 1), "a row is broken");
	await fails("57014", db.transaction(async (tx) => {
		await tx.execute(sql`SET LOCAL statement_timeout = '1s'`);
		await tx.execute(sql`SELECT pg_advisory_lock(7)`);
	}));
	check((await db.select({ n: count() }).from(rows))[0].n === 100, "it does not go on");
	await db.execute(sql`DROP TABLE ${rows}`);
	await pool.end();
	console.log("prepared transaction error big cancel");
}

main().catch((e) => { console.error(e); process.exit(1); });
