import asyncio
import io
import os

import asyncpg

TABLE = os.environ["TABLE"]


async def run():
	db = await asyncpg.connect() # as the environment says
	await db.execute(f"CREATE TABLE {TABLE} (n int, t text)")

	# of its own cache, and by hand
	plus = await db.prepare("SELECT $1::int + 1 AS sum")
	for n in range(20):
		if n % 3 == 0:
			async with db.transaction():
				assert await plus.fetchval(n) == n + 1
		assert await db.fetchval("SELECT $1::int - 1", n) == n - 1
		assert await plus.fetchval(-n) == 1 - n

	async with db.transaction():
		await db.executemany(f"INSERT INTO {TABLE} VALUES ($1, $2)", [(n, f"row {n}") for n in range(100)])
	try:
		async with db.transaction():
			await db.execute(f"DELETE FROM {TABLE}")
			raise KeyError("back")
	except KeyError:
		pass
	assert await db.fetchval(f"SELECT count(*) FROM {TABLE}") == 100

	try:
		await db.fetchval("SELECT 1/0")
		raise AssertionError("no error")
	except asyncpg.DivisionByZeroError as e:
		assert e.sqlstate == "22012"
	assert await db.fetchval("SELECT 1") == 1

	series = "SELECT n, repeat('x', 200) AS t FROM generate_series(1, 20000) n"
	assert [(row["n"], len(row["t"])) for row in await db.fetch(series)] == [(n, 200) for n in range(1, 20001)]
	async with db.transaction():
		assert [row["n"] async for row in db.cursor(series, prefetch=500)] == list(range(1, 20001))

	await db.copy_records_to_table(TABLE, records=[(1000 + n, "copied") for n in range(5000)])
	out = io.BytesIO()
	await db.copy_from_query(f"SELECT * FROM {TABLE} WHERE n >= 1000 ORDER BY n", output=out)
	assert out.getvalue() == "".join(f"{1000 + n}\tcopied\n" for n in range(5000)).encode()

	# each of these ends in a CancelRequest: the driver's own time limit, and a task that is cancelled when its statement waits
	lasting = f"SELECT pg_advisory_lock(7) AS {TABLE}"
	try:
		await db.fetchval(lasting, timeout=0.5)
		raise AssertionError("no timeout")
	except asyncio.TimeoutError:
		assert await db.fetchval("SELECT 7") == 7
	watch = await asyncpg.connect()
	task = asyncio.create_task(db.fetchval(lasting))
	while await watch.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND wait_event_type = 'Lock'", lasting) == 0:
		pass
	task.cancel()
	try:
		await task
		raise AssertionError("not cancelled")
	except asyncio.CancelledError:
		assert await db.fetchval("SELECT 7") == 7
	await watch.close()

	await db.execute(f"DROP TABLE {TABLE}")
	await db.close()


asyncio.run(run())
print("prepared transaction error big copy cancel")
