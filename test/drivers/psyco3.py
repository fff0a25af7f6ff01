import os
import threading

import psycopg

TABLE = os.environ["TABLE"]
db = psycopg.connect("", autocommit=True) # as the environment says


def ask(sql, *values, of=db, **more):
	return of.execute(sql, values, **more).fetchone()[0]


db.execute(f"CREATE TABLE {TABLE} (n int, t text)")

# prepared by itself after five times, or when it is told to
for prepare in (None, True):
	for n in range(20):
		if n % 3 == 0:
			with db.transaction():
				assert ask("SELECT %s::int + 1", n, prepare=prepare) == n + 1
		assert ask("SELECT %s::int + 1", -n, prepare=prepare) == 1 - n

with db.transaction(), db.cursor() as c:
	c.executemany(f"INSERT INTO {TABLE} VALUES (%s, %s)", [(n, f"row {n}") for n in range(100)])
with db.transaction(force_rollback=True):
	db.execute(f"DELETE FROM {TABLE}")
assert ask(f"SELECT count(*) FROM {TABLE}") == 100

try:
	ask("SELECT 1/0")
	raise AssertionError("no error")
except psycopg.errors.DivisionByZero as e:
	assert e.sqlstate == "22012"
assert ask("SELECT 1") == 1

for binary in (False, True):
	with db.cursor(binary=binary) as c:
		n = 0
		for n, row in enumerate(c.stream("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n"), 1):
			assert row[0] == n and len(row[1]) == 200
		assert n == 20000

lines = "".join(f"{1000 + n}\tcopied\n" for n in range(5000)).encode()
with db.cursor() as c:
	with c.copy(f"COPY {TABLE} FROM STDIN") as copy:
		copy.write(lines)
	with c.copy(f"COPY (SELECT * FROM {TABLE} WHERE n >= 1000 ORDER BY n) TO STDOUT") as copy:
		assert b"".join(copy) == lines

sleep = f"SELECT pg_sleep(60) AS {TABLE}"


def cancel():
	with psycopg.connect("", autocommit=True) as watch:
		while ask("SELECT count(*) FROM pg_stat_activity WHERE query = %s", sleep, of=watch) == 0:
			pass
		db.cancel()


other = threading.Thread(target=cancel)
other.start()
try:
	ask(sleep)
	raise AssertionError("not cancelled")
except psycopg.errors.QueryCanceled:
	other.join()
assert ask("SELECT 7") == 7

db.execute(f"DROP TABLE {TABLE}")
db.close()
print("prepared transaction error big copy cancel")
