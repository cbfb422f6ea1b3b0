"""One run of a case in a process of its own: ``python -m benchmarks.accuracy._cell CASE SEED [LIBRARY] [--look]``."""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ._results import JNO

_PACKAGES = ("jax", "jaxlib", "numpy", "equinox", "optax", "foundax")
LOOK_SEED, LOOK_SHARE = 100, 0.1
"""A first look, for crashes: another seed than any recorded one, a tenth of the time, and no error is computed."""


def run(name: str, seed: int, look: bool = False) -> dict[str, Any]:
    """Train one case with one seed.

    Returns:
        the cell: its error, time, counts, and where and of what it was measured.
    """
    import jno

    from ._case import Limit, load, settings_digest

    digest, circumstances = settings_digest(name), _circumstances()  # of the start, should a file change meanwhile
    case = load(name)
    jno.logger(log_print=(False, False))
    limit = Limit(case.seconds * (LOOK_SHARE if look else 1.0))
    start = time.perf_counter()
    trained = case.train(seed, limit)
    cell = {
        "case": name,
        "library": JNO,
        "seed": seed,
        "error": None,
        "processor_s": round(limit.used, 1),
        "wall_s": round(time.perf_counter() - start, 1),
        "steps": limit.steps,
        "loss": trained.loss,
        "points": trained.points,
        "parameters": trained.parameters,
        "lines": case.lines,
        "digest": digest,
    }
    if look:
        return cell
    error = trained.error()
    coverage = {} if trained.coverage is None else {"coverage": trained.coverage()}
    return {**cell, "error": error if math.isfinite(error) else None, **coverage, **circumstances}


def run_library(name: str, library: str, seed: int, look: bool = False) -> dict[str, Any]:
    """Train the statement of one case in another library with one seed.

    Returns:
        the cell, as of ``run``; what it took to import jNO is not counted.
    """
    from . import libraries
    from ._case import load

    statement, case = libraries.STATEMENTS[name](), load(name)
    digest = libraries.library_digest(library, name)
    circumstances = _circumstances((*_PACKAGES[:3], *libraries.packages(library)))
    before, start = time.process_time(), time.perf_counter()
    limit = case.seconds * (LOOK_SHARE if look else 1.0)
    trained = libraries.trainer(library)(statement, seed, before + limit)
    cell = {
        "case": name,
        "library": library,
        "recipe": trained.recipe,
        "seed": seed,
        "error": None,
        "processor_s": round(time.process_time() - before, 1),
        "wall_s": round(time.perf_counter() - start, 1),
        "steps": trained.steps,
        "loss": trained.loss if math.isfinite(trained.loss) else None,
        "parameters": trained.parameters,
        "digest": digest,
    }
    if look:
        return cell
    error = statement.error(trained.predict)
    return {**cell, "error": error if math.isfinite(error) else None, **circumstances}


def _circumstances(packages: Sequence[str] = _PACKAGES) -> Mapping[str, Any]:
    """When, where and with which versions."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{_processor()}, one core of {os.cpu_count()}",
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in packages},
        "commit": _commit(),
        "load": round(os.getloadavg()[0], 1),  # processes that wanted to run, as the run began
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=10"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def main() -> None:
    """Print the cell as the last line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("seed", type=int)
    parser.add_argument("library", nargs="?", default=JNO)
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.core})
    os.environ["JNO_SEED"] = str(arguments.seed)
    if arguments.library == JNO:
        cell = run(arguments.case, arguments.seed, arguments.look)
    else:
        cell = run_library(arguments.case, arguments.library, arguments.seed, arguments.look)
    print(json.dumps(cell))


if __name__ == "__main__":
    main()
