import functools
import os

import psycopg
from common import is_cancelled

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

with psycopg.connect("", autocommit=True) as watch:
	assert is_cancelled(f"SELECT pg_advisory_lock(7) AS {TABLE}", ask, functools.partial(ask, of=watch), db.cancel,
		psycopg.errors.QueryCanceled)
assert ask("SELECT 7") == 7

db.execute(f"DROP TABLE {TABLE}")
db.close()
print("prepared transaction error big copy cancel")
