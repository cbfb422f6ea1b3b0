"""``python -m benchmarks.accuracy [case …] [--seeds …] [--libraries …] [--jobs 2] [--look] [--again] [--table]``."""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .._one_thread import SINGLE_THREADED
from . import libraries
from ._case import ORDER, settings_digest
from ._cell import LOOK_SEED
from ._results import JNO, missing, record
from ._table import write_tables

ROOT = Path(__file__).parents[2]
SEEDS = (0, 1, 2, 3, 4)

Cell = tuple[str, str, int]
"""A case, a library and a seed."""


class CellError(RuntimeError):
    """A run that has no result."""


def run_cell(name: str, library: str, seed: int, core: int | None, look: bool) -> dict[str, Any]:
    """The result of one run, in a process of one thread on one core; nothing compiled before is used."""
    command = [sys.executable, "-m", "benchmarks.accuracy._cell", name, str(seed), library]
    command += ["--look"] if look else []
    command += [] if core is None else ["--core", str(core)]
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("JNO_", "JAX_"))}
    environment = {**plain, **SINGLE_THREADED, "JAX_ENABLE_X64": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CellError(f"{name}, {library}, seed {seed}: the run ended with {done.returncode}\n{done.stderr[-3000:]}")
    cell: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return cell


def run_cells(cells: Sequence[Cell], jobs: int, look: bool) -> list[str]:
    """Run them, each on a core of its own, record what comes back, and return what went wrong."""
    cores: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    for number in range(jobs):
        # a single run may move to the core that is idle
        cores.put(available[number % len(available)] if available and jobs > 1 else None)

    def one(cell: Cell) -> str | None:
        core = cores.get()
        try:
            result = run_cell(*cell, core, look)
        except CellError as error:
            return str(error)
        finally:
            cores.put(core)
        if not look:
            record(result)
        print(json.dumps(result), flush=True)
        return None

    with ThreadPoolExecutor(jobs) as pool:
        return [message for message in pool.map(one, cells) if message is not None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cells that are missing and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("cases", nargs="*", help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--libraries", nargs="+", default=[JNO], choices=(JNO, *libraries.NAMES))
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, each on a core of its own")
    parser.add_argument("--look", action="store_true", help="run shortly, for crashes; no error, nothing recorded")
    parser.add_argument("--again", action="store_true", help="run recorded cells, too; the newest one counts")
    parser.add_argument("--table", action="store_true", help="only write the tables")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.cases) - set(ORDER))
    if unknown:
        parser.error(f"unknown case {', '.join(unknown)}; allowed: {', '.join(ORDER)}")
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: it must be at least 1")
    absent = [name for library in options.libraries if library != JNO for name in libraries.missing_packages(library)]
    if absent and not options.table:
        parser.error(f"{', '.join(absent)} not installed: pip install .[bench,accuracy]")
    # one seed of every case, then the next: the table has all rows early
    seeds = [LOOK_SEED] if options.look else options.seeds
    pairs = [(name, library) for name in options.cases or ORDER for library in options.libraries]
    stated = [(name, library) for name, library in pairs if library == JNO or name in libraries.STATEMENTS]
    cells = [(*pair, seed) for seed in seeds for pair in stated]
    if not options.look and not options.again:
        cells = [cell for cell in cells if _is_missing(*cell)]
    failures = [] if options.table else run_cells(cells, options.jobs, options.look)
    for failure in failures:
        print(failure, file=sys.stderr)
    if not options.look:
        write_tables()
    return 1 if failures else 0


def _is_missing(name: str, library: str, seed: int) -> bool:
    digest = settings_digest(name) if library == JNO else libraries.library_digest(library, name)
    return bool(missing(name, [seed], digest, library=library))


if __name__ == "__main__":
    sys.exit(main())
