"""Workers: each has one call at a time, and is killed when that takes too long."""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import Empty, Queue

from ._outcomes import HANG, RAW, Case, Result

_TESTS = Path(__file__).parents[1]
_START = 600.0
_PATIENCE = 10


class _Worker:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fuzz._worker"],
            cwd=_TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        if self._line(_START) is None:
            self.stop()
            raise RuntimeError("a worker did not start: run python -m fuzz._worker by hand to see why")

    def _line(self, seconds: float) -> bytes | None:
        """The next line; ``None`` if none comes in time, empty if the process ended."""
        return self.process.stdout.readline() if self.selector.select(seconds) else None

    def _answer(self, seconds: float) -> bytes | None:
        """The answer to a call, unless it takes longer: of its own time, for other processes may be busy."""
        begin = self._processor_time()
        for _ in range(_PATIENCE):
            line = self._line(seconds)
            if line is not None or self._processor_time() - begin >= seconds:
                return line
        return None

    def _processor_time(self) -> float:
        """Seconds of processor time; of the clock where a system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return time.monotonic()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def result(self, case: Case, seconds: float) -> Result:
        self.process.stdin.write(json.dumps(dataclasses.asdict(case)).encode() + b"\n")
        self.process.stdin.flush()
        line = self._answer(seconds)
        if line is None:
            return Result(case, HANG, "", f"more than {seconds:g} s")
        if not line:
            return Result(case, RAW, "the interpreter", f"the process ended with {self.process.wait()}")
        return Result(case, **json.loads(line))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def results(cases: Iterable[Case], workers: int, seconds: float) -> Iterator[Result]:
    """The result of every case, in any order."""
    waiting: Queue[Case] = Queue()
    for case in cases:
        waiting.put(case)
    finished: list[Result] = []

    def work() -> None:
        worker = _Worker()
        try:
            while True:
                result = worker.result(waiting.get_nowait(), seconds)
                finished.append(result)
                if worker.process.poll() is not None or result.outcome == HANG:
                    worker.stop()
                    worker = _Worker()
        except Empty:
            worker.stop()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield from finished
