"""
Users of the shop, who think for a second between two requests. $TARGETS are the places where it can be reached, as
"name=url name=url": all users go from one to the next together, every $BLOCK seconds, so that what is compared happens
on the same machine at nearly the same moment. Each request becomes a line of $RECORD, in JSON; "at" is the system's monotonic clock.
"""

import json
import os
import random
import time

from locust import FastHttpUser, between, task

TARGETS = [target.split("=", 1) for target in os.environ["TARGETS"].split()]
BLOCK = float(os.environ.get("BLOCK", "10"))
CUSTOMERS = 200

record = open(os.environ["RECORD"], "w", encoding="utf-8")
began = time.monotonic()


def write_down(**what):
	print(json.dumps(what), file=record, flush=True)


class Visitor(FastHttpUser):
	host = "http://shop"  # locust wants one; each request says its own
	wait_time = between(0.5, 1.5)
	network_timeout = connection_timeout = 300  # longer than anybody waits: how long it takes is what is looked at

	def on_start(self):
		time.sleep(random.random())  # not all at once

	def ask(self, method, what, path):
		start = time.monotonic()
		target, url = TARGETS[int((start - began) / BLOCK) % len(TARGETS)]
		error = None
		with self.client.request(method, url + path, name=what, catch_response=True) as answer:
			if answer.status_code != 200:
				error = answer.text or f"no answer: {answer.error}"
				answer.failure(error)
		ms = round(1000 * (time.monotonic() - start), 3)
		write_down(target=target, what=what, at=round(start, 3), ms=ms, error=error)

	def customer(self):
		return f"/customers/{random.randint(1, CUSTOMERS)}"

	@task(5)
	def look(self):
		self.ask("GET", "read a row", self.customer())

	@task(3)
	def browse(self):
		self.ask("GET", "list", self.customer() + "/orders")

	@task(2)
	def buy(self):
		self.ask("POST", "transaction", f"{self.customer()}/order?cents={random.randint(1, 999)}")
