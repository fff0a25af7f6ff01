"""
Plays the incident and writes what it measured: incident.md (tables) and incident.svg (every request of the outage) in the directory
that is its first argument. "./dev incident" runs it; doc/incident.md explains what is measured.
"""

import argparse
import os
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

from scene import HERE, TOP, Scene, run  # noqa: E402
from story import Comparison, Hour, Outage  # noqa: E402
import plot  # noqa: E402


def outage(scene, out):
	told = Outage(scene, before=1000, after=30)
	print(f"""\
## A line is missing in pg_hba.conf

| | wanted | measured |
| --- | ---: | ---: |
| requests before the line is added | | {len(told.before())} |
| … that have their error | all | {sum(bool(r["error"]) for r in told.before())} |
| … the slowest of them, ms | 1000 | {told.longest_failure_ms():.0f} |
| from PostgreSQL's reload to the last request that fails, s | 3 | {told.back_after():.1f} |
| requests afterwards, all served | | {len(told.served)} |
""", file=out)
	return told


def comparison(scene, out):
	print("""\
## Response times, through pgweir and straight to PostgreSQL

| users | connections of the application | way | requests | failed | median, ms | 95 %, ms | difference of the medians |
| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |""", file=out)
	for age, words in (("0", "one for each request (`CONN_MAX_AGE = 0`)"), ("600", "kept by each thread (`CONN_MAX_AGE = 600`)")):
		for users in (50, 100):
			c = Comparison(scene, users, CONN_MAX_AGE=age)
			for way in ("direct", "pgweir"):
				failed = sum(r["target"] == way for r in c.failed)
				row = f"| {users} | {words} | {way} | {len(c.ms[way])} | {failed} | {c.median(way):.1f} | {c.p95(way):.1f} | "
				if way == "pgweir":
					more = c.median("pgweir") - c.median("direct")
					row += f"{more:+.1f} ms, {100 * more / c.median('direct'):+.0f} % "
				print(row + "|", file=out)
	print(file=out)


def hours(programs, folder, out, seconds):
	"""Both poolers in the situation in which it happened."""
	print(f"""\
## The incident as it happened: one old connection is left, and busy

50 users for {seconds} s, then until the last has its answer.

| pooler | requests | served | failed | shortest, s | median, s | longest wait for an error, s | what users read |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |""", file=out)
	for pooler, files in (("PgBouncer 1.26.1", [f"{HERE}/pgbouncer/compose.yaml"]), ("pgweir", [])):
		with Scene(folder, programs, files) as scene:
			h = Hour(scene, seconds)
		print(f"| {pooler} | {len(h.requests)} | {len(h.served)} | {len(h.failed)} | {h.waits[0]:.1f} | {h.waits[len(h.waits) // 2]:.1f} | "
			f"{h.waits[-1]:.1f} | {h.words()} |", file=out)
	print(file=out)


def main():
	arguments = argparse.ArgumentParser(description=__doc__)
	arguments.add_argument("out")
	arguments.add_argument("--pgbouncer", type=int, metavar="SECONDS", help="also compare with PgBouncer, for that long")
	given = arguments.parse_args()
	programs = run([f"{TOP}/build-aux/get-postgres", "18"]).split("\n")[-2]
	with tempfile.TemporaryDirectory(prefix="pgweir-incident-") as folder, open(f"{given.out}/incident.md", "w") as out:
		os.chmod(folder, 0o755)
		with Scene(folder, programs) as scene:
			told = outage(scene, out)
			with open(f"{given.out}/incident.svg", "w") as picture:
				picture.write(plot.outage(told))
			out.flush()
			comparison(scene, out)
		if given.pgbouncer:
			hours(programs, folder, out, given.pgbouncer)


main()
