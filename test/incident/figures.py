"""
Plays the incident and writes what it measured, PART by PART, to incident-PART.md in the directory that is the first argument, and
incident.svg, which has every request of the outage. "./dev incident" runs it; doc/incident.md explains what is measured.
"""

import argparse
import os
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))

from scene import HERE, TOP, Scene, run  # noqa: E402
from story import Comparison, Hour, Outage  # noqa: E402
import plot  # noqa: E402


def outage(stage, out, directory):
	with stage() as scene:
		told = Outage(scene, before=1000, after=30)
	with open(f"{directory}/incident.svg", "w") as picture:
		picture.write(plot.outage(told))
	print(f"""\
| | wanted | measured |
| --- | ---: | ---: |
| requests before the line is added | | {len(told.before())} |
| … that have their error | all | {sum(bool(r["error"]) for r in told.before())} |
| … the slowest of them, ms | 1000 | {told.longest_failure_ms():.0f} |
| from PostgreSQL's reload to the last request that fails, s | 3 | {told.back_after():.1f} |
| requests served afterwards | | {len(told.served)} |""", file=out)


def comparison(stage, out, directory):
	print("""\
| users | connections of the application | way | requests | failed | median, ms | 95 %, ms | difference of the medians |
| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |""", file=out)
	with stage() as scene:
		for age, words in (("0", "one for each request"), ("600", "kept by each thread")):
			for users in (50, 100):
				c = Comparison(scene, users, CONN_MAX_AGE=age)
				more = c.median("pgweir") - c.median("direct")
				for way, difference in (("direct", ""), ("pgweir", f"{more:+.1f} ms, {100 * more / c.median('direct'):+.0f} %")):
					failed = sum(r["target"] == way for r in c.failed)
					print(f"| {users} | {words} | {way} | {len(c.ms[way])} | {failed} | {c.median(way):.1f} | {c.p95(way):.1f} | {difference} |",
						file=out, flush=True)


def hours(stage, out, directory):
	"""Both poolers in the situation in which it happened."""
	print("""\
| pooler | requests | served | failed | shortest, s | median, s | longest, s | what users read |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |""", file=out)
	for pooler, files in (("PgBouncer 1.26.1", [f"{HERE}/pgbouncer/compose.yaml"]), ("pgweir", [])):
		with stage(*files) as scene:
			h = Hour(scene, 250)
		print(f"| {pooler} | {len(h.requests)} | {len(h.served)} | {len(h.failed)} | {h.waits[0]:.1f} | {h.waits[len(h.waits) // 2]:.1f} | "
			f"{h.waits[-1]:.1f} | `{h.words()}` |", file=out, flush=True)


PARTS = {"outage": outage, "comparison": comparison, "pgbouncer": hours}


def main():
	arguments = argparse.ArgumentParser(description=__doc__)
	arguments.add_argument("directory")
	arguments.add_argument("part", nargs="+", choices=PARTS)
	given = arguments.parse_args()
	programs = run([f"{TOP}/build-aux/get-postgres", "18"]).split("\n")[-2]
	for part in given.part:
		with tempfile.TemporaryDirectory(prefix="pgweir-incident-") as folder, open(f"{given.directory}/incident-{part}.md", "w") as out:
			os.chmod(folder, 0o755)
			PARTS[part](lambda *files: Scene(folder, programs, files), out, given.directory)


main()
