"""Pytest plugin: compiled programs are kept on disk between runs, and every test's compilations are counted.

Most of the time of these tests is XLA compiling thousands of small programs.  They are kept in
``$JNO_TEST_CACHE`` (default ``$XDG_CACHE_HOME/jno/tests``, ``~/.cache/jno/tests`` without that variable), which all
clones on a machine share; ``JNO_TEST_CACHE=off`` keeps nothing.  JAX names an entry after the program, the compile
options and its own version, so an entry is never stale; a damaged one causes a warning and is compiled again.

XLA's optimiser is off by default, which saves more than half of the compile time of a first run; ``--optimized``
turns it on, and a test marked ``optimized`` always has it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import json
import os
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

LIMIT = 2 * 2**30  # bytes that are kept between runs
TESTS_BETWEEN_RELEASES = 500
_COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"  # also recorded for programs read from the cache
_HIT_EVENT = "/jax/compilation_cache/cache_hits"
_QUICK_FLAGS = ("--xla_cpu_use_fusion_emitters=false", "--xla_cpu_parallel_codegen_split_count=1")
"""Halve the compile time of small programs.  A process ends at a flag its XLA does not know."""
_PROPERTY = "compilations"
_DAMAGED = re.compile(r"Error reading persistent compilation cache entry for '([\w.<>-]+)'")


def cache_directory() -> Path | None:
    """Where compiled programs are kept, a folder per kind of processor, or None for `JNO_TEST_CACHE=off`."""
    chosen = os.environ.get("JNO_TEST_CACHE")
    if chosen == "off":
        return None
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen or Path(caches, "jno", "tests")) / _processor()


def _processor() -> str:
    """A name for the instructions the processor has: programs compiled for others may not run here."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        instructions = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        instructions = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(instructions.encode()).hexdigest()[:8]}"


def configure(directory: Path | None, optimized: bool) -> None:
    """Set JAX up, here and in the processes that tests start."""
    import jax

    options: dict[str, Any] = {"jax_disable_most_optimizations": not optimized}
    # nobody reads from which line of Python an operation of these programs comes
    options["jax_traceback_in_locations_limit"] = 0
    if directory is None:
        options["jax_enable_compilation_cache"] = False
    else:
        options["jax_compilation_cache_dir"] = str(directory)
        options["jax_persistent_cache_min_compile_time_secs"] = 0
        options["jax_persistent_cache_min_entry_size_bytes"] = -1
        options["jax_persistent_cache_enable_xla_caches"] = "none"
    if not optimized and jax.__version_info__ < (0, 11):
        flags = os.environ.get("XLA_FLAGS", "").split()
        os.environ["XLA_FLAGS"] = " ".join([*flags, *(flag for flag in _QUICK_FLAGS if flag not in flags)])
    for name, value in options.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)


def prune(directory: Path, limit: int = LIMIT) -> int:
    """Delete the entries read longest ago until the rest take at most ``limit`` bytes; the number deleted."""
    entries = []
    for path in directory.glob("*-cache"):
        status = path.stat()
        entries.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    excess = sum(size for _, size, _ in entries) - limit
    deleted = 0
    for _, size, path in sorted(entries):
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= size
        deleted += 1
    return deleted


def forget(directory: Path, warning: str) -> None:
    """Delete the damaged entry a warning of JAX is about: JAX itself never replaces it."""
    found = _DAMAGED.match(warning)
    if found is not None:  # it names the program, not the entry: those of its name go
        for path in directory.glob(f"{found[1]}-*-cache"):
            path.unlink(missing_ok=True)


# --- options and markers --------------------------------------------------------------------------------------
def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("compilations")
    group.addoption("--optimized", action="store_true", help="compile every program with XLA's optimiser")
    group.addoption("--record", metavar="FILE", help="write seconds and compilations of every test to a JSON file")


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "optimized: looks at compiled programs, so XLA's optimiser is on")
    directory = cache_directory()
    configure(directory, config.getoption("--optimized"))
    config.pluginmanager.register(_Count(), "jno-compilations-count")
    config.pluginmanager.register(_Memory(), "jno-compilations-memory")
    if hasattr(config, "workerinput"):  # a worker of pytest-xdist
        return
    if directory is not None:
        prune(directory)
    config.pluginmanager.register(_Report(config, directory), "jno-compilations-report")


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not among what is imported: that saves a tenth of the time of tracing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(autouse=True)
def _optimizer_of_xla(request: Any) -> Iterator[None]:
    """Tests marked `optimized` look at compiled programs."""
    import jax

    marked = request.node.get_closest_marker("optimized") is not None
    if marked:
        jax.config.update("jax_disable_most_optimizations", False)
    yield
    if marked:
        jax.config.update("jax_disable_most_optimizations", not request.config.getoption("--optimized"))


# --- memory, in the process that runs a test --------------------------------------------------------------------
class _Memory:
    """Forgets compiled programs now and then: those of seven thousand tests are about 5 GB a process."""

    def __init__(self) -> None:
        self.tests = 0

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: Any, nextitem: Any) -> None:
        self.tests += 1
        # fixtures of a module and its tests share programs
        if self.tests >= TESTS_BETWEEN_RELEASES and nextitem is not None and nextitem.path != item.path:
            self.tests = 0
            release()


def release() -> None:
    """Drop what JAX keeps of compiled functions, and give the memory back to the system."""
    import jax

    jax.clear_caches()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # the C library is not glibc
        ctypes.CDLL(None).malloc_trim(0)


# --- counting, in the process that runs a test ----------------------------------------------------------------
class _Count:
    """Adds ``(programs, compiled, seconds)`` to the properties of every test."""

    def __init__(self) -> None:
        self.programs = self.hits = 0
        self.seconds = 0.0

    def pytest_sessionstart(self) -> None:
        import jax.monitoring

        jax.monitoring.register_event_duration_secs_listener(self._duration)
        jax.monitoring.register_event_listener(self._event)

    def _duration(self, event: str, seconds: float, **_: Any) -> None:
        if event == _COMPILE_EVENT:
            self.programs += 1
            self.seconds += seconds

    def _event(self, event: str, **_: Any) -> None:
        self.hits += event == _HIT_EVENT

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        if call.when == "teardown":
            item.user_properties.append((_PROPERTY, (self.programs, self.programs - self.hits, self.seconds)))
            self.programs = self.hits = 0
            self.seconds = 0.0


# --- the report, in the process that collects results ---------------------------------------------------------
class _Report:
    def __init__(self, config: Any, directory: Path | None) -> None:
        self.directory, self.file = directory, config.getoption("--record")
        self.tests: dict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: Any) -> None:
        test = self.tests[report.nodeid]
        test["seconds"] += report.duration
        if report.when == "teardown":
            programs, compiled, seconds = dict(report.user_properties).get(_PROPERTY, (0, 0, 0.0))
            test.update(programs=programs, compiled=compiled, compiling=seconds)

    def pytest_warning_recorded(self, warning_message: Any) -> None:
        if self.directory is not None:
            forget(self.directory, str(warning_message.message))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        total = _total(self.tests.values())
        terminalreporter.write_line(
            f"{total['programs']} programs: {total['compiled']} compiled, the rest read from "
            f"{self.directory or 'nowhere'} ({total['compiling']:.0f} of {total['seconds']:.0f} processor seconds)"
        )
        if self.file:
            files: dict[str, list[Counter[str]]] = defaultdict(list)
            for name, test in self.tests.items():
                files[name.partition("::")[0]].append(test)
            record = {
                "total": total,
                "files": {name: _total(tests) | {"tests": len(tests)} for name, tests in sorted(files.items())},
                "tests": self.tests,
            }
            Path(self.file).write_text(json.dumps(record, indent=1))


def _total(tests: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for test in tests:
        total.update(test)
    return total
