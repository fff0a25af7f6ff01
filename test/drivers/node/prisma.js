const { createHash } = require("node:crypto");
const { PrismaPg } = require("@prisma/adapter-pg");
const { PrismaClient } = require("./generated");
const { check, table, fails, url } = require("./common");

async function main() {
	// names of tables are fixed in its schema: a schema of PostgreSQL's stands for our table
	const statementNameGenerator = ({ sql }) => createHash("sha1").update(sql).digest("hex");
	const adapter = new PrismaPg({ connectionString: url, max: 3 }, { schema: table, statementNameGenerator });
	const db = new PrismaClient({ adapter });
	await db.$executeRawUnsafe(`CREATE SCHEMA ${table}`);
	await db.$executeRawUnsafe(`CREATE TABLE ${table}.rows (n int PRIMARY KEY, t text NOT NULL)`);
	const hundred = Array.from({ length: 100 }, (_, n) => ({ n, t: "row" }));

	await db.$transaction([db.row.createMany({ data: hundred }), db.row.update({ where: { n: 7 }, data: { t: "seven" } })]);
	for (let i = 0; i < 20; i++) {
		const find = (tx) => tx.row.findUnique({ where: { n: i } });
		const found = i % 3 === 0 ? await db.$transaction(find, { isolationLevel: "Serializable" }) : await find(db);
		check(found.n === i && found.t === (i === 7 ? "seven" : "row"), "a wrong row");
	}
	await fails(undefined, db.$transaction(async (tx) => {
		await tx.row.deleteMany();
		throw new Error("back");
	}));
	check((await db.row.count()) === 100, "rows were lost or stayed");
	await fails("23505", db.row.create({ data: { n: 1, t: "twice" } }));
	await fails("22012", db.$queryRaw`SELECT 1/0`);
	const big = await db.$queryRaw`SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n`;
	check(big.length === 20000 && big.every((r, i) => r.n === i + 1 && r.t.length === 200), "a row is broken");
	await fails("57014", db.$transaction(async (tx) => {
		await tx.$executeRaw`SET LOCAL statement_timeout = '1s'`;
		await tx.$queryRaw`SELECT 1 FROM pg_advisory_lock(7)`;
	}, { timeout: 60000 }));
	// its own timeout: it rolls back behind the query that is still running
	await fails("P2028", db.$transaction(async (tx) => {
		await tx.row.deleteMany();
		await tx.$queryRaw`SELECT 1 FROM pg_sleep(2)`;
		await tx.row.count();
	}, { timeout: 1000 }));
	check((await db.row.count()) === 100, "it does not go on");
	await db.$executeRawUnsafe(`DROP SCHEMA ${table} CASCADE`);
	await db.$disconnect();
	console.log("prepared transaction error big cancel");
}

main().catch((e) => { console.error(e); process.exit(1); });
