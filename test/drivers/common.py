"""What the programs in Python have in common."""

import threading


def is_cancelled(statement, run, number_of, cancel, error):
	"""
	Whether run(statement), which waits for ever, is ended with that error by cancel() from another thread. number_of(sql, value)
	asks by another connection, which belongs to that thread.
	"""
	def end():
		while number_of("SELECT count(*) FROM pg_stat_activity WHERE query = %s AND wait_event_type = 'Lock'", statement) == 0:
			pass
		cancel()

	other = threading.Thread(target=end)
	other.start()
	try:
		run(statement)
		return False
	except error:
		return True
	finally:
		other.join()
