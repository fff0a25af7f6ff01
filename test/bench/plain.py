#!/usr/bin/python3
"""Plain pgbench against PostgreSQL directly, through PgBouncer, and through pgweir; prints a Markdown table.

"./dev bench" runs it. Both poolers read the same ini file: transaction pooling, 20 server connections. They take
turns within a round; a figure is the median over the rounds, a ratio the median of the rounds' ratios. Not a timed
test: nothing here can fail because something is slow.
"""
import argparse
import csv
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

INI = """[databases]
app = host=127.0.0.1 port={server_port} dbname=app

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {dir}/userlist.txt
stats_users = app
pool_mode = transaction
default_pool_size = 20
max_client_conn = 1000
server_tls_sslmode = disable
log_connections = 0
log_disconnections = 0
logfile = {dir}/log
pidfile = {dir}/pid
{extra}
"""

# name, pgbench's protocol, clients
WORKLOADS = [
    ("simple, 32 clients", "simple", 32),
    ("extended, 32 clients", "extended", 32),
    ("simple, 500 clients", "simple", 500),
    ("extended, 500 clients", "extended", 500),
]


def note(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of all threads of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Pooler:
    """A running PgBouncer or pgweir."""

    def __init__(self, program, server_port, extra):
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="bench-")
        with open(self.dir + "/userlist.txt", "w", encoding="ascii") as file:
            file.write('"app" "app"\n')
        with open(self.dir + "/pooler.ini", "w", encoding="ascii") as file:
            file.write(INI.format(server_port=server_port, port=self.port, dir=self.dir, extra=extra))
        self.process = subprocess.Popen([program, "-q", self.dir + "/pooler.ini"])
        self.wait_until_it_listens()

    def wait_until_it_listens(self):
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    with open(self.dir + "/log", encoding="utf-8", errors="replace") as log:
                        sys.exit("bench: the pooler does not start:\n" + log.read())
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        shutil.rmtree(self.dir)


def pgbench(pgbin, port, arguments):
    env = dict(os.environ, PGPASSWORD="app", PGSSLMODE="disable")
    done = subprocess.run([pgbin + "pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "app", *arguments, "app"],
                          env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit("bench: pgbench fails:\n" + done.stderr)
    return done.stdout


def hand_overs(pgbin, port):
    """How often a server went from one thread to another so far; None if the console does not know (PgBouncer's)."""
    shown = subprocess.run([pgbin + "psql", "-X", "--csv", "-h", "127.0.0.1", "-p", str(port), "-U", "app", "-c", "SHOW WORKERS", "pgbouncer"],
                           env=dict(os.environ, PGSSLMODE="disable"), capture_output=True, text=True, check=False).stdout
    rows = list(csv.DictReader(shown.splitlines()))
    return sum(int(row["hand_overs"]) for row in rows) if rows else None


def sample(pgbin, port, pid, protocol, clients, seconds):
    """
    One run: transactions per second; of a pooler (None without one) its CPU per transaction in microseconds, and how many
    servers went from one thread to another per transaction.
    """
    moved_before = hand_overs(pgbin, port) if pid else None
    before = cpu_seconds(pid) if pid else 0
    text = pgbench(pgbin, port, ["-n", "-S", "-M", protocol, "-c", str(clients), "-j", "2", "-T", str(seconds)])
    transactions = int(re.search(r"transactions actually processed: (\d+)", text).group(1))
    if transactions == 0:
        sys.exit(f"bench: {clients} clients could not be connected within {seconds} s; give more --seconds")
    tps = float(re.search(r"tps = ([\d.]+)", text).group(1))
    cpu = (cpu_seconds(pid) - before) * 1e6 / transactions if pid else None
    return tps, cpu, None if moved_before is None else (hand_overs(pgbin, port) - moved_before) / transactions


def trust_everybody(pgbin, home, server_port):
    """So that logging in 500 clients takes no part of the measured time."""
    with open(home + "/data/pg_hba.conf", "w", encoding="ascii") as file:
        file.write("host all all 127.0.0.1/32 trust\n")
    subprocess.run([pgbin + "psql", "-q", "-o", os.devnull, "-c", "SELECT pg_reload_conf()",
                    f"postgres://app:app@127.0.0.1:{server_port}/app"], check=True)


def measure(args, pgbin, server_port):
    """Returns {(workload, pooler): [what sample() gives, of each round]}."""
    kinds = [("direct", None, ""), ("PgBouncer", args.pgbouncer, "")]
    kinds += [(f"pgweir, threads = {n}", args.pgweir, f"threads = {n}") for n in args.threads.split(",") if n]
    results = {}
    for round_number in range(args.rounds):
        for workload, protocol, clients in WORKLOADS:
            note(f"round {round_number + 1} of {args.rounds}: {workload}")
            for name, program, extra in kinds[round_number % len(kinds):] + kinds[:round_number % len(kinds)]:
                pooler = Pooler(program, server_port, extra) if program else None
                port, pid = (pooler.port, pooler.process.pid) if pooler else (server_port, None)
                got = sample(pgbin, port, pid, protocol, clients, args.seconds)
                results.setdefault((workload, name), []).append(got)
                if pooler:
                    pooler.stop()
    return [kind[0] for kind in kinds], results


def ratio(ours, theirs):
    pairs = [a / b for a, b in zip(ours, theirs) if b]
    return f"{statistics.median(pairs):.2f}" if pairs else "–"


def table(names, results):
    yield "| workload | pooler | tps | ÷ PgBouncer | CPU µs per transaction | ÷ PgBouncer | hand-overs per transaction |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for workload, _, _ in WORKLOADS:
        base = results[workload, "PgBouncer"]
        for name in names:
            got = results[workload, name]
            tps = [one[0] for one in got]
            cells = [f"{statistics.median(tps):.0f}", ratio(tps, [one[0] for one in base]), "–", "–"]
            if got[0][1] is not None:
                cpu = [one[1] for one in got]
                cells[2:] = [f"{statistics.median(cpu):.1f}", ratio(cpu, [one[1] for one in base])]
            moved = "–" if got[0][2] is None else f"{statistics.median(one[2] for one in got):.4f}"
            yield "| " + " | ".join([workload, name, *cells, moved]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pgweir", required=True)
    parser.add_argument("--pgbouncer", required=True)
    parser.add_argument("--postgres", required=True, help="path of private-postgres")
    parser.add_argument("--threads", default="1,2", help="pgweir is run once with each (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="length of one sample (default %(default)s)")
    args = parser.parse_args()

    pgbin = os.environ["PGBIN"] + "/" if os.environ.get("PGBIN") else ""
    home = tempfile.mkdtemp(prefix="bench-")
    note("starting PostgreSQL")
    server_port = int(subprocess.run([args.postgres, "start", home, "max_connections=600"],
                                     check=True, stdout=subprocess.PIPE, text=True).stdout)
    try:
        trust_everybody(pgbin, home, server_port)
        pgbench(pgbin, server_port, ["-i", "-q", "-s", "10"])
        names, results = measure(args, pgbin, server_port)
    finally:
        subprocess.run([args.postgres, "stop", home], check=False)
        shutil.rmtree(home)
    print(f"pgbench -S, {args.seconds} s per sample, median of {args.rounds} rounds, {len(os.sched_getaffinity(0))} CPUs "
          "shared by clients, pooler and PostgreSQL; poolers with 20 server connections in transaction mode\n")
    print("\n".join(table(names, results)))


if __name__ == "__main__":
    main()
