"""The one way to wait in these tests: for a condition, with a deadline."""

import select
import time


def until(condition, seconds=10.0, what=None):
	"""Returns the first true value of condition(); fails when there is none in time."""
	deadline = time.monotonic() + seconds
	while True:
		value = condition()
		if value:
			return value
		if time.monotonic() > deadline:
			raise AssertionError(f"not within {seconds} s: {what or condition.__doc__ or 'the condition'}")
		select.select([], [], [], 0.01)


def silence(sock, seconds):
	"""True if nothing at all arrives on the socket in that time: for what must not happen, and for windows of measurement."""
	return not select.select([sock], [], [], seconds)[0]


class Stopwatch:
	"""with Stopwatch() as watch: ...; then watch.seconds is the time that the block took."""

	def __enter__(self):
		self.began = time.monotonic()
		self.seconds = None
		return self

	def __exit__(self, *_):
		self.seconds = time.monotonic() - self.began
