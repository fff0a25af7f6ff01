const { DataSource, EntitySchema } = require("typeorm");
const { check, table, fails, url } = require("./common");

async function main() {
	const Row = new EntitySchema({ name: "Row", tableName: table, columns: { n: { type: Number, primary: true }, t: { type: "text" } } });
	const db = await new DataSource({ type: "postgres", url, entities: [Row], synchronize: true, poolSize: 3 }).initialize();
	const rows = db.getRepository(Row);
	for (let i = 0; i < 20; i++) check((await db.query("SELECT $1::int + 1 AS sum", [i]))[0].sum === i + 1, "a wrong sum");
	await db.transaction((tx) => tx.getRepository(Row).insert(Array.from({ length: 100 }, (_, n) => ({ n, t: "row" }))));
	await fails(undefined, db.transaction(async (tx) => {
		await tx.getRepository(Row).clear();
		throw new Error("back");
	}));
	check((await rows.count()) === 100, "rows were lost or stayed");
	await fails("22012", db.query("SELECT 1/0"));
	const big = await db.query("SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n");
	check(big.length === 20000 && big.every((r, i) => r.n === i + 1), "a row is broken");
	await fails("57014", db.transaction(async (tx) => {
		await tx.query("SET LOCAL statement_timeout = '1s'");
		await tx.query("SELECT pg_advisory_lock(7)");
	}));
	check((await rows.count()) === 100, "it does not go on");
	await db.query(`DROP TABLE ${table}`);
	await db.destroy();
	console.log("prepared transaction error big cancel");
}

main().catch((e) => { console.error(e); process.exit(1); });
