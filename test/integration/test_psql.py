"""What people type: psql and pgbench through the pooler, in transaction pooling."""

import os
import signal
import subprocess

import pytest

from conftest import THREADS
from processes import environment
from waiting import until


@pytest.fixture(scope="module", params=THREADS, ids=lambda n: f"threads{n}")
def pooler(start_shared, cluster, request):
	made = start_shared(threads=request.param, auth_type="scram-sha-256", default_pool_size=20)
	yield made
	made.stop()  # its servers must not be counted with those of the next one


def psql(pooler, *arguments, stdin=None):
	return subprocess.run(["psql", "-X", "-A", "-t", "-q", pooler.dsn(), *arguments], input=stdin, capture_output=True, text=True,
		timeout=60, cwd=pooler.folder, env=environment(pooler.folder))


def test_backslash_d_describes_a_table(pooler):
	psql(pooler, "-c", "DROP TABLE IF EXISTS fish", "-c", "CREATE TABLE fish (id int PRIMARY KEY, name text NOT NULL)")
	listed = psql(pooler, "-c", r"\d fish")
	assert listed.returncode == 0, listed.stderr
	assert "id|integer||not null|" in listed.stdout
	assert listed.stdout.count("\n") == 2
	assert "public|fish|table|app" in psql(pooler, "-c", r"\d").stdout


def test_copy_in_and_out_gives_the_same_rows(pooler, tmp_path):
	rows = "".join(f"{n}\trow number {n}\n" for n in range(20000))
	source, target = os.path.join(tmp_path, "in"), os.path.join(tmp_path, "out")
	with open(source, "w") as f:
		f.write(rows)
	script = f"""
		DROP TABLE IF EXISTS copied;
		CREATE TABLE copied (n int, label text);
		\\copy copied FROM '{source}'
		\\copy (SELECT * FROM copied ORDER BY n) TO '{target}'
	"""
	done = psql(pooler, "-v", "ON_ERROR_STOP=1", stdin=script)
	assert done.returncode == 0, done.stderr
	with open(target) as f:
		assert f.read() == rows


def test_error_is_the_servers_own_and_the_session_goes_on(pooler):
	said = psql(pooler, stdin="SELECT 1/0;\nSELECT 'still ' || 'here';\n")
	assert "ERROR:  division by zero" in said.stderr
	assert said.stdout == "still here\n"


def test_a_script_with_transactions_is_carried_out(pooler):
	script = """
		DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int);
		BEGIN; INSERT INTO kept VALUES (1); COMMIT;
		BEGIN; INSERT INTO kept VALUES (2); ROLLBACK;
		SELECT n FROM kept;
	"""
	said = psql(pooler, stdin=script)
	assert said.stdout == "1\n"


def test_ctrl_c_cancels_the_running_query(pooler, cluster):
	running = subprocess.Popen(["psql", "-X", pooler.dsn(), "-c", "SELECT pg_sleep(60)"], stdout=subprocess.PIPE,
		stderr=subprocess.PIPE, text=True, env=environment(pooler.folder), cwd=pooler.folder)
	try:
		until(lambda: cluster.backends("state = 'active' AND query LIKE 'SELECT pg_sleep(60)%%'"), what="the query runs")
		running.send_signal(signal.SIGINT)
		_, errors = running.communicate(timeout=10)
	finally:
		running.kill()
		running.wait()
	assert "canceling statement due to user request" in errors
	assert running.returncode == 1
	assert cluster.backends("state = 'active'") == 0


@pytest.fixture(scope="module")
def bench_tables(pooler):
	made = subprocess.run(["pgbench", "-i", "-q", "-s", "2", pooler.dsn()], capture_output=True, text=True, timeout=120,
		env=environment(pooler.folder), cwd=pooler.folder)
	assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("mode", ["simple", "extended"])
def test_pgbench_with_200_clients_uses_20_servers_and_no_more(pooler, cluster, bench_tables, mode):
	bench = subprocess.Popen(["pgbench", "-n", "-c", "200", "-j", "4", "-t", "10", "-M", mode, pooler.dsn()], stdout=subprocess.PIPE,
		stderr=subprocess.PIPE, text=True, env=environment(pooler.folder), cwd=pooler.folder)
	most = 0
	watcher = cluster.connect()
	try:
		with watcher.cursor() as cursor:
			while bench.poll() is None:
				cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")
				most = max(most, cursor.fetchone()[0])
		said, errors = bench.communicate(timeout=10)
	finally:
		watcher.close()
		bench.kill()
		bench.wait()
	assert bench.returncode == 0, errors
	assert "number of transactions actually processed: 2000/2000" in said
	assert "number of failed transactions: 0 (0.000%)" in said
	assert most == 20
