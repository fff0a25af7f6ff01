import os

import sqlalchemy as sa

TABLE = os.environ["TABLE"]


def run(url):
	engine = sa.create_engine(url, pool_size=2)
	immediate = engine.execution_options(isolation_level="AUTOCOMMIT")
	rows = sa.Table(TABLE, sa.MetaData(), sa.Column("n", sa.Integer), sa.Column("t", sa.Text))
	rows.create(engine)
	plus = sa.text("SELECT CAST(:n AS int) + 1")
	for n in range(20):
		with immediate.connect() as one, immediate.connect() as two:
			assert one.execute(plus, {"n": n}).scalar() == n + 1
			assert two.execute(plus, {"n": -n}).scalar() == 1 - n
	with engine.begin() as c:
		c.execute(rows.insert(), [{"n": n, "t": f"row {n}"} for n in range(100)])
	try:
		with engine.begin() as c:
			c.execute(rows.delete())
			raise KeyError("back")
	except KeyError:
		pass
	with engine.connect() as c:
		assert c.execute(sa.select([sa.func.count()]).select_from(rows)).scalar() == 100
		try:
			c.execute(sa.text("SELECT 1/0"))
			raise AssertionError("no error")
		except sa.exc.DBAPIError as e:
			assert getattr(e.orig, "pgcode", None) == "22012", e
	with engine.connect().execution_options(stream_results=True) as c:
		n = 0
		for n, row in enumerate(c.execute(sa.text("SELECT n, repeat('x', 200) FROM generate_series(1, 20000) n")), 1):
			assert row[0] == n and len(row[1]) == 200
		assert n == 20000
	with engine.begin() as c:
		c.execute(sa.text("SET LOCAL statement_timeout = '1s'"))
		try:
			c.execute(sa.text("SELECT pg_advisory_lock(7)"))
			raise AssertionError("no error")
		except sa.exc.OperationalError as e:
			assert e.orig.pgcode == "57014", e
	rows.drop(engine)


env = os.environ
run(f"postgresql://{env['PGUSER']}:{env['PGPASSWORD']}@{env['PGHOST']}:{env['PGPORT']}/{env['PGDATABASE']}")
print("prepared transaction error big cancel")
