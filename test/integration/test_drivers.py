"""Drivers and an ORM that people use, in transaction pooling with few servers and more threads than connections need."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
import pytest

from conftest import THREADS
from processes import environment

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="module", params=THREADS, ids=lambda n: f"threads{n}")
def pooler(start_shared, cluster, request):
	return start_shared(threads=request.param, auth_type="scram-sha-256", default_pool_size=3)


# Django

def django(pooler, *command):
	env = dict(environment(pooler.folder), SHOP_PORT=str(pooler.port), DJANGO_SETTINGS_MODULE="django_shop.settings", PYTHONPATH=HERE,
		PYTHONDONTWRITEBYTECODE="1")
	return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=60, env=env, cwd=pooler.folder)


def test_django_migrates_asks_and_rolls_back(pooler):
	for command in (["django", "migrate", "-v", "0"], ["django_shop.session"], ["django", "migrate", "-v", "0", "django_shop", "zero"]):
		done = django(pooler, *command)
		assert done.returncode == 0, done.stderr
		if command == ["django_shop.session"]:
			assert done.stdout.startswith("the shop is in order")


# psycopg2

def test_psycopg2_transactions_commit_and_roll_back(pooler):
	conn = psycopg2.connect(pooler.dsn())
	try:
		with conn, conn.cursor() as cursor:
			cursor.execute("CREATE TABLE IF NOT EXISTS two (n int); TRUNCATE two")
			psycopg2.extras.execute_values(cursor, "INSERT INTO two VALUES %s", [(n,) for n in range(1000)])
		with pytest.raises(psycopg2.errors.DivisionByZero):
			with conn, conn.cursor() as cursor:
				cursor.execute("DELETE FROM two")
				cursor.execute("SELECT 1/0")
		with conn, conn.cursor("inside_a_transaction") as cursor:
			cursor.itersize = 100
			cursor.execute("SELECT n FROM two ORDER BY n")
			assert [row[0] for row in cursor] == list(range(1000))
	finally:
		conn.close()


def test_psycopg2_keeps_the_encoding_and_time_zone_it_asked_for(pooler):
	with_zone = pooler.connect(options="-c TimeZone=Asia/Tokyo")
	with_latin = pooler.connect(client_encoding="latin1")
	try:
		for _ in range(5):
			with with_zone.cursor() as cursor:
				cursor.execute("SELECT current_setting('TimeZone')")
				assert cursor.fetchone() == ("Asia/Tokyo",)
			with with_latin.cursor() as cursor:
				cursor.execute("SELECT current_setting('client_encoding'), 'Ærø'")
				assert cursor.fetchone() == ("LATIN1", "Ærø")
	finally:
		with_zone.close()
		with_latin.close()


# psycopg 3

def psycopg3(pooler):
	conn = psycopg.connect(pooler.dsn(), autocommit=True)
	conn.prepare_threshold = None
	return conn


def test_psycopg3_pipeline_gives_every_answer_to_its_question(pooler):
	def one(mark, problems):
		try:
			with psycopg3(pooler) as conn, conn.pipeline():
				cursors = [conn.execute("SELECT %s::text || %s", (mark, n)) for n in range(200)]
				assert [c.fetchone()[0] for c in cursors] == [f"{mark}{n}" for n in range(200)]
		except BaseException as e:
			problems.append(e)

	problems = []
	threads = [threading.Thread(target=one, args=(mark, problems)) for mark in "abcdefgh"]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join(60)
	assert problems == []


def test_psycopg3_pipeline_with_an_error_aborts_up_to_the_next_sync(pooler):
	with psycopg3(pooler) as conn:
		with conn.pipeline() as pipeline:
			before = conn.execute("SELECT 'before'")
			with pytest.raises(psycopg.errors.DivisionByZero):  # by whichever of these reads the answer
				conn.execute("SELECT 1/0")
				conn.execute("SELECT 'never'")
				pipeline.sync()
			with contextlib.suppress(psycopg.errors.PipelineAborted):
				pipeline.sync()
			assert before.fetchone() == ("before",)
			again = conn.execute("SELECT 'in the same pipeline'")
			pipeline.sync()
			assert again.fetchone() == ("in the same pipeline",)
		assert conn.execute("SELECT 'well again'").fetchone() == ("well again",)


def test_psycopg3_copies_in_and_out(pooler):
	with psycopg3(pooler) as conn, conn.transaction():
		conn.execute("CREATE TEMP TABLE three (n int, s text) ON COMMIT DROP")
		with conn.cursor().copy("COPY three FROM STDIN") as copy:
			for n in range(5000):
				copy.write_row((n, "x" * 50))
		with conn.cursor().copy("COPY (SELECT n FROM three ORDER BY n) TO STDOUT") as copy:
			assert [int(row[0]) for row in copy.rows()] == list(range(5000))


# asyncpg

def test_asyncpg_fetches_in_transactions_from_many_connections(pooler):
	async def one(mark):
		conn = await asyncpg.connect(pooler.dsn(), statement_cache_size=0)
		try:
			for n in range(20):
				async with conn.transaction():
					assert await conn.fetchval("SELECT $1::text || $2::int", mark, n) == f"{mark}{n}"
		finally:
			await conn.close()

	async def all_of_them():
		await asyncio.gather(*(one(f"mark {i} ") for i in range(12)))

	asyncio.run(all_of_them())


def test_asyncpg_alone_needs_no_transaction(pooler):
	async def alone():
		conn = await asyncpg.connect(pooler.dsn(), statement_cache_size=0)
		try:
			await conn.execute("CREATE TABLE IF NOT EXISTS four (n int, s text); TRUNCATE four")
			await conn.copy_records_to_table("four", records=[(n, str(n)) for n in range(1000)])
			rows = await conn.fetch("SELECT n, s FROM four WHERE n < $1 ORDER BY n", 10)
			assert [tuple(row) for row in rows] == [(n, str(n)) for n in range(10)]
			async with conn.transaction():
				assert [row["n"] async for row in conn.cursor("SELECT n FROM four ORDER BY n", prefetch=100)] == list(range(1000))
			try:
				await conn.fetchval("SELECT 1/$1::int", 0)
			except asyncpg.DivisionByZeroError:
				pass
			else:
				raise AssertionError("no error")
			assert await conn.fetchval("SELECT 'still here'") == "still here"
		finally:
			await conn.close()

	asyncio.run(alone())


def test_asyncpg_timeout_cancels_the_query_on_the_server(pooler, cluster):
	async def impatient():
		conn = await asyncpg.connect(pooler.dsn(), statement_cache_size=0)
		try:
			try:
				await conn.fetchval("SELECT pg_sleep(30)", timeout=0.3)
			except asyncio.TimeoutError:
				pass
			else:
				raise AssertionError("no timeout")
			assert await conn.fetchval("SELECT 'free again'") == "free again"
		finally:
			await conn.close()

	asyncio.run(impatient())
	assert cluster.backends("state = 'active'") == 0
