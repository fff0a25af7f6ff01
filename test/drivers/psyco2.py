import contextlib
import functools
import io
import os

import psycopg2
from common import is_cancelled
from psycopg2.extras import execute_values

TABLE = os.environ["TABLE"]
db = psycopg2.connect("") # as the environment says


def ask(sql, *values, of=db):
	with of, of.cursor() as c:
		c.execute(sql, values)
		return c.fetchone()[0]


with db, db.cursor() as c:
	c.execute(f"CREATE TABLE {TABLE} (n int, t text)")

# it has no prepared statements of its own: SQL's live as long as the server stays, that is in a transaction
for n in range(20):
	with db, db.cursor() as c:
		c.execute("PREPARE plus AS SELECT $1::int + 1")
		for m in (n, -n):
			c.execute("EXECUTE plus (%s)", (m,))
			assert c.fetchone() == (m + 1,)
		c.execute("DEALLOCATE plus")

for end in (db.commit, db.rollback):
	with db.cursor() as c:
		execute_values(c, f"INSERT INTO {TABLE} VALUES %s", [(n, f"row {n}") for n in range(100)])
	end()
assert ask(f"SELECT count(*) FROM {TABLE}") == 100

try:
	ask("SELECT 1/0")
	raise AssertionError("no error")
except psycopg2.errors.DivisionByZero as e:
	assert e.pgcode == "22012"
assert ask("SELECT 1") == 1

for name in (None, "piecewise"):
	with db, db.cursor(name) as c:
		c.execute("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n")
		n = 0
		for n, row in enumerate(c, 1):
			assert row[0] == n and len(row[1]) == 200
		assert n == 20000

lines = "".join(f"{1000 + n}\tcopied\n" for n in range(5000))
out = io.StringIO()
with db, db.cursor() as c:
	c.copy_expert(f"COPY {TABLE} FROM STDIN", io.StringIO(lines))
	c.copy_expert(f"COPY (SELECT * FROM {TABLE} WHERE n >= 1000 ORDER BY n) TO STDOUT", out)
assert out.getvalue() == lines

with contextlib.closing(psycopg2.connect("")) as watch:
	assert is_cancelled(f"SELECT pg_advisory_lock(7) AS {TABLE}", ask, functools.partial(ask, of=watch), db.cancel,
		psycopg2.errors.QueryCanceled)
assert ask("SELECT 7") == 7

with db, db.cursor() as c:
	c.execute(f"DROP TABLE {TABLE}")
db.close()
print("prepared transaction error big copy cancel")
