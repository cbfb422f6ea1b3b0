"""Break the library on purpose and see which breaks no test notices: ``make mutate``, or

    python tests/mutate.py [WORD ...]    # only mutants whose room, name or file contains one of the words

Every entry of ``tests/mutants/<room>.toml`` is one small change of one file of ``jno``: ``old`` is the only place in
the file with that text, ``new`` is what stands there instead, ``tests`` are the files (or test ids) that must notice.
First all these tests must pass without a change.  Then each mutant runs in a copy of the source tree; it is killed when
a test fails.  The script prints one line per mutant, then the survivors, and ends with 1 if there are any.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "tests" / "mutants"
COPIED = ("jno", "tests", "examples", "docs", "benchmarks", "pyproject.toml", "README.md", "mkdocs.yml")
TIME_LIMIT = 900  # seconds; a mutant that does not come to an end is noticed too
_SECONDS = itertools.count(1)
_FAILED, _NO_TESTS = 1, 5  # exit codes of pytest


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of one file, and the tests that must fail on it."""

    room: str
    name: str
    file: str
    old: str
    new: str
    tests: list[str]

    def __str__(self) -> str:
        return f"{self.room}: {self.name} ({self.file})"

    def changed(self) -> str:
        """The text of the file with the change."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name!r}: {self.file} has {text.count(self.old)} places with {self.old!r}, not one")
        return text.replace(self.old, self.new)


def read_tables() -> list[Mutant]:
    """All mutants of all rooms."""
    tables = [(path.stem, tomllib.loads(path.read_text(encoding="utf-8"))) for path in sorted(TABLES.glob("*.toml"))]
    return [Mutant(room, **entry) for room, table in tables for entry in table["mutant"]]


def pytest_in(copy: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run pytest on a copy of the tree."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-r", "f", *arguments]
    return subprocess.run(command, cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, text=True, **options)


def outcome(mutant: Mutant, copy: Path) -> tuple[str, str]:
    """``killed``, ``SURVIVED`` or ``BROKEN`` (the tests could not be run), and the last line of the run."""
    path = copy / mutant.file
    original, status = path.read_text(encoding="utf-8"), path.stat()
    try:
        path.write_text(mutant.changed(), encoding="utf-8")
        # byte code is reused for a file of equal length and equal second
        os.utime(path, (status.st_atime, status.st_mtime + next(_SECONDS)))
        run = pytest_in(copy, "-x", *mutant.tests, timeout=TIME_LIMIT, capture_output=True)
    except subprocess.TimeoutExpired:
        return "killed", f"not finished after {TIME_LIMIT} s"
    finally:
        path.write_text(original, encoding="utf-8")
        os.utime(path, (status.st_atime, status.st_mtime))
    lines = [line for line in run.stdout.splitlines() if line.strip()]
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    last = (failures or lines or run.stderr.splitlines() or [""])[-1]
    if run.returncode in (0, _NO_TESTS):
        return "SURVIVED" if run.returncode == 0 else "BROKEN", last
    # an import that fails ends the run with another code; that is noticed as well, but tells nothing of the tests
    return "killed" if run.returncode == _FAILED else "BROKEN", last


def copy_of_the_tree(folder: Path) -> Path:
    """What the tests need, in a folder that may be changed."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def main(words: list[str], jobs: int = 2) -> int:
    mutants = [mutant for mutant in read_tables() if not words or any(word in str(mutant) for word in words)]
    with tempfile.TemporaryDirectory(prefix="jno-mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(jobs):
            copies.put(copy := copy_of_the_tree(Path(folder, str(number))))
        tests = sorted({test for mutant in mutants for test in mutant.tests})
        if mutants and pytest_in(copy, "-n", str(jobs), *tests).returncode:
            print("\nthe tests fail without a change")
            return 2

        def run(mutant: Mutant) -> str:
            copy, start = copies.get(), time.monotonic()
            try:
                what, line = outcome(mutant, copy)
            finally:
                copies.put(copy)
            print(f"{what:8} {time.monotonic() - start:4.0f} s  {mutant}  [{line[:100]}]", flush=True)
            return what

        outcomes = list(pool.map(run, mutants))
    left = [mutant for mutant, what in zip(mutants, outcomes, strict=True) if what != "killed"]
    print(f"\n{len(mutants) - len(left)} of {len(mutants)} mutants killed")
    for mutant in left:
        print(f"  not killed: {mutant}")
    return 1 if left or not mutants else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], int(os.environ.get("JOBS", "2"))))
