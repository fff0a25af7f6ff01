"""Pictures of a run, as SVG."""

import math

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 690, 24, 280
SECONDS = 15 # before and after the remedy
DECADES = (1, 5) # 10^1 to 10^5 ms


def x_of(seconds):
	return LEFT + (RIGHT - LEFT) * (seconds + SECONDS) / (2 * SECONDS)


def y_of(ms):
	low, high = DECADES
	return BOTTOM - (BOTTOM - TOP) * (min(max(math.log10(max(ms, 1)), low), high) - low) / (high - low)


def label(x, y, words, **more):
	attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
	return f'<text x="{x:.0f}" y="{y:.0f}"{attributes}>{words}</text>'


def outage(told):
	"""Each request is a dot: when it began, and how long it took; red if it failed."""
	parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
		"<title>Each request of 50 users: before the missing line is added to pg_hba.conf, and after</title>",
		f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', '<g fill="#444">']
	for ms, words in ((10, "10 ms"), (100, "100 ms"), (1000, "1 s"), (10000, "10 s"), (100000, "100 s")):
		parts.append(f'<path d="M{LEFT} {y_of(ms):.1f}H{RIGHT}" stroke="#ddd"/>' + label(LEFT - 8, y_of(ms) + 4, words, text_anchor="end"))
	for seconds in range(-SECONDS, SECONDS + 1, 5):
		parts.append(label(x_of(seconds), BOTTOM + 18, f"{seconds:+d} s" if seconds else "0", text_anchor="middle"))
	parts.append('</g>')
	parts.append(f'<path d="M{x_of(0):.1f} {TOP}V{BOTTOM}" stroke="#000" stroke-dasharray="4 3"/>')
	parts.append(label(x_of(0) + 6, TOP + 10, "the printed line is added, PostgreSQL reloaded"))
	for color, requests in (("#2a7f3f", told.served), ("#c0281c", told.failed)):
		dots = ((r["at"] - told.reloaded, r["ms"]) for r in requests)
		path = "".join(f"M{x_of(at):.1f} {y_of(ms):.1f}h0" for at, ms in dots if -SECONDS <= at <= SECONDS)
		parts.append(f'<path d="{path}" stroke="{color}" stroke-width="3.5" stroke-linecap="round" stroke-opacity=".6"/>')
	parts.append(label(LEFT + 6, TOP + 26, "red: has its error, with the line to add", fill="#c0281c"))
	parts.append(label(x_of(0) + 6, TOP + 26, "green: served", fill="#2a7f3f"))
	return "\n".join([*parts, "</svg>", ""])
