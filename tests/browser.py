"""A headless Chromium that opens pages and is asked about them: the DevTools protocol over two pipes."""

import fcntl
import itertools
import json
import os
import selectors
import shutil
import subprocess
import sys
import time

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_STARTER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads its commands at file descriptor 3 and answers at 4."""


def _above_standard(descriptor):
    """A copy of a file descriptor that is neither 3 nor 4."""
    copied = fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10)
    os.close(descriptor)
    os.set_inheritable(copied, True)
    return copied


class Browser:
    """One window; a context manager that starts and ends the process."""

    def __init__(self, profile):
        commands, self._to_browser = os.pipe()
        self._from_browser, answers = os.pipe()
        ends = [_above_standard(commands), _above_standard(answers)]
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _STARTER, *map(str, ends), PROGRAM),
                *(
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--remote-debugging-pipe",
                    f"--user-data-dir={profile}",
                ),
            ],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._session = {}
        self.errors = []
        window = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=window, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(timeout=30)
        os.close(self._to_browser)
        os.close(self._from_browser)

    def open(self, address):
        """Load a page with its scripts and images; `errors` are those since then."""
        self.errors.clear()
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def evaluate(self, script):
        """The value of a JavaScript expression on the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script, seconds=60):
        """Wait until an expression is true on the page."""
        end = time.monotonic() + seconds
        while not self.evaluate(script):
            assert time.monotonic() < end, f"not within {seconds} s: {script}"
            time.sleep(0.05)

    def ask(self, method, **parameters):
        """Send a command and return its answer; what happens meanwhile is looked through for errors."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **self._session}
        os.write(self._to_browser, json.dumps(command).encode() + b"\0")
        while (message := self._message()).get("id") != number:
            self._note(message)
        assert "error" not in message, message
        return message["result"]

    def _message(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._from_browser, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                assert selector.select(timeout=60), "the browser does not answer"
                received = os.read(self._from_browser, 1 << 16)
                assert received, "the browser ended"
                self._buffer += received
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        happened = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(happened["exceptionDetails"])
            case "Runtime.consoleAPICalled" if happened["type"] in ("error", "warning", "assert"):
                self.errors.append(happened["args"])
            case "Log.entryAdded" if happened["entry"]["level"] == "error":
                self.errors.append(happened["entry"])
            case "Network.responseReceived" if happened["response"]["status"] >= 400:
                self.errors.append(happened["response"]["url"])
            case "Network.loadingFailed" if not happened.get("canceled"):
                self.errors.append(happened)
