"""A real browser without a window: Debian's Chromium, told what to do through two pipes by its own debugging protocol."""

import base64
import fcntl
import json
import os
import select
import time

from processes import account, end, make_directory, start
from waiting import until

PROGRAM = "/usr/bin/chromium"
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
	"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-default-apps",
	"--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider", "--metrics-recording-only", "--no-pings",
	"--password-store=basic", "--force-color-profile=srgb", "--remote-debugging-pipe"]

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39}


def high_pipe():
	"""A pipe whose ends are none of those that a child shall get."""
	low = os.pipe()
	high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low]
	for fd in low:
		os.close(fd)
	return high


class Browser:
	"""One page. `answers` has the protocol's events; addresses that it asks for are in requests(), complaints in complaints()."""

	def __init__(self, folder):
		self.who = account("nobody", "daemon")
		self.folder = make_directory(os.path.join(folder, "browser"), self.who)
		to_read, self.to = high_pipe()
		self.came, to_write = high_pipe()
		self.log = open(os.path.join(self.folder, "log"), "w")
		options = [*OPTIONS, f"--user-data-dir={self.folder}/profile"]
		# it reads from 3 and writes to 4
		self.process = start(["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", PROGRAM, *options, "about:blank"],
			self.who, self.folder, self.log, pass_fds=(to_read, to_write))
		os.close(to_read)
		os.close(to_write)
		self.rest = b""
		self.last = 0
		self.events = []
		self.session = None
		target = [t for t in self.tell("Target.getTargets")["targetInfos"] if t["type"] == "page"][0]["targetId"]
		self.session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
		for part in ("Page", "Runtime", "Network", "Log"):
			self.tell(part + ".enable")

	def close(self):
		end(self.process)
		os.close(self.to)
		os.close(self.came)
		self.log.close()

	# The protocol: JSON, each message with a NUL behind it.

	def _message(self, deadline):
		while b"\0" not in self.rest:
			left = deadline - time.monotonic()
			if left <= 0 or not select.select([self.came], [], [], left)[0]:
				raise AssertionError("the browser does not answer")
			more = os.read(self.came, 1 << 20)
			if not more:
				raise AssertionError("the browser has ended: " + open(self.log.name, errors="replace").read()[-2000:])
			self.rest += more
		message, _, self.rest = self.rest.partition(b"\0")
		return json.loads(message)

	def tell(self, method, seconds=60, **params):
		self.last += 1
		message = {"id": self.last, "method": method, "params": params}
		if self.session:
			message["sessionId"] = self.session
		os.write(self.to, json.dumps(message).encode() + b"\0")
		deadline = time.monotonic() + seconds
		while True:
			answer = self._message(deadline)
			if answer.get("id") == self.last:
				assert "error" not in answer, (method, answer["error"])
				return answer["result"]
			self.events.append(answer)
			if answer.get("method") == "Page.javascriptDialogOpening":
				raise AssertionError("a dialog opened: " + answer["params"]["message"])

	def happened(self, method):
		return [event["params"] for event in self.events if event.get("method") == method]

	# What a person does.

	def go(self, url):
		self.tell("Page.navigate", url=url)
		self.until("document.readyState === 'complete'")

	def value(self, expression):
		"""What an expression is; promises are waited for."""
		result = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True)
		assert "exceptionDetails" not in result, (expression, result["exceptionDetails"])
		return result["result"].get("value")

	def until(self, expression, seconds=30):
		return until(lambda: self.value(expression), seconds, expression)

	def text(self, selector="body"):
		return self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

	def size(self, width, height, is_phone=False):
		self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)

	def scheme(self, name):
		self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

	def press(self, key, shift=False):
		more = {"text": "\r" if key == "Enter" else key} if key in ("Enter", " ") else {}
		for kind in ("keyDown", "keyUp"):
			self.tell("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=KEYS[key], modifiers=8 if shift else 0,
				**(more if kind == "keyDown" else {}))

	def type(self, text):
		self.tell("Input.insertText", text=text)

	def picture(self, path, whole=True):
		"""The page as a PNG: all of it, or what fits the window."""
		os.makedirs(os.path.dirname(path), exist_ok=True)
		data = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
		with open(path, "wb") as f:
			f.write(base64.b64decode(data))

	# What came of it.

	def requests(self):
		return [event["request"]["url"] for event in self.happened("Network.requestWillBeSent")]

	def complaints(self):
		"""Exceptions, what the console says, and what the browser itself objects to, such as violations of a policy."""
		said = [str(event["exceptionDetails"]) for event in self.happened("Runtime.exceptionThrown")]
		said += [str(event["args"]) for event in self.happened("Runtime.consoleAPICalled")]
		return said + [event["entry"]["text"] for event in self.happened("Log.entryAdded")]
