"""What clients are told when there is no server for them, and after how long."""

import pytest

from waiting import Stopwatch
from wire import Closed, ServerError, query


def errors(messages):
	return [m for m in messages if m.type == "E"]


def refusal(pooler, user="app", database="app", password="app", **parameters):
	"""The error that a client gets in its login."""
	with pooler.wire() as w, pytest.raises(ServerError) as caught:
		w.login(user, database, password, **parameters)
	return caught.value.message


def first_client(pooler, user="app", database="app", password=None):
	"""The same, and after how long."""
	with Stopwatch() as watch:
		message = refusal(pooler, user, database, password)
	return message, watch.seconds


def query_error(w, *sent):
	"""The one error that a logged-in client gets for its query before its connection ends, and after how long."""
	with Stopwatch() as watch:
		w.send(*(sent or [query("SELECT 1")]))
		said = errors(w.ended())
	assert len(said) == 1, said
	return said[0], watch.seconds


def is_served(pooler, user="app", database="app", password=None):
	"""Whether a new client gets an answer to its query, or is told no."""
	try:
		with pooler.login(user, database, password) as w:
			return w.value("SELECT 41 + 1") == "42"
	except (ServerError, Closed):
		return False
