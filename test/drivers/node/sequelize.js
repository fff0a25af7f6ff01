const { DataTypes, Sequelize } = require("sequelize");
const { check, table, fails, url } = require("./common");

async function main() {
	const db = new Sequelize(url, { logging: false, pool: { max: 3 } });
	const Row = db.define("row", { n: { type: DataTypes.INTEGER, primaryKey: true }, t: DataTypes.TEXT }, { tableName: table, timestamps: false });
	await Row.sync();
	for (let i = 0; i < 20; i++) {
		const [[row]] = await db.query("SELECT $1::int + 1 AS sum", { bind: [i] });
		check(row.sum === i + 1, "a wrong sum");
	}
	await db.transaction((transaction) => Row.bulkCreate(Array.from({ length: 100 }, (_, n) => ({ n, t: "row" })), { transaction }));
	await fails(undefined, db.transaction(async (transaction) => {
		await Row.destroy({ where: {}, transaction });
		throw new Error("back");
	}));
	check((await Row.count()) === 100, "rows were lost or stayed");
	await fails("22012", db.query("SELECT 1/0"));
	const [rows] = await db.query("SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n");
	check(rows.length === 20000 && rows.every((r, i) => r.n === i + 1), "a row is broken");
	await db.transaction(async (transaction) => {
		await db.query("SET LOCAL statement_timeout = '1s'", { transaction });
		await fails("57014", db.query("SELECT pg_advisory_lock(7)", { transaction }));
		throw new Error("over");
	}).catch((e) => check(e.message === "over", e));
	check((await Row.count()) === 100, "it does not go on");
	await Row.drop();
	await db.close();
	console.log("prepared transaction error big cancel");
}

main().catch((e) => { console.error(e); process.exit(1); });
