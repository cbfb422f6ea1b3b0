"""``python -m benchmarks [--quick] [id …]``."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

import jno

from ._agreement import disagreements
from ._batches import ROWS as BATCH_ROWS
from ._batches import batches_row
from ._case import Size
from ._differences import differences_row
from ._domain import domain_row
from ._engd import engd_row
from ._envelope import envelope_row
from ._fresh_points import fresh_points_row
from ._imports import import_seconds
from ._measure import BRIEF, TINY, Effort, measure, measure_evaluation, measure_overhead, median, ratio
from ._report import show, summary, write
from ._runners import BARE, SOLVE
from ._sampling import sampling_row
from ._scaling import scaling_row
from ._space_time import space_time_row
from ._start import calls_row, start_row
from ._weak import ROWS as WEAK_ROWS
from ._weak import weak_row
from .libraries import missing
from .problems import PROBLEMS


def _import_row() -> dict[str, Any]:
    return {"seconds added to jax, equinox and optax": import_seconds(repetitions=9)}


def _overhead_row(effort: Effort | None = None) -> dict[str, Any]:
    blocks = measure_overhead(PROBLEMS["poisson2d"], Size(points=250, width=32), effort or Effort())
    overhead = ratio(blocks[SOLVE], blocks[BARE])
    return {
        "solve / bare step, wall": overhead.wall,
        "processor": overhead.processor,
        "bare step ms": 1e3 * median(blocks[BARE]).wall,
    }


_OTHER_ROWS: dict[str, Callable[..., dict[str, Any]]] = {
    "import": _import_row,
    "overhead": _overhead_row,
    "domain": domain_row,
    "differences": differences_row,
    "envelope": envelope_row,
    "sampling": sampling_row,
    **{name: functools.partial(batches_row, name) for name in BATCH_ROWS},
    "start": start_row,
    "calls": calls_row,
    "scaling": scaling_row,
    "fresh_points": fresh_points_row,
    "space_time": space_time_row,
    "engd_step": engd_row,
    **{name: functools.partial(weak_row, name) for name in WEAK_ROWS},
}


_ROWS_OF_AN_EFFORT = ("overhead", "sampling", "calls", "fresh_points")
"""Those that can be measured in tiny."""


def main(arguments: list[str] | None = None) -> int:
    """Check that all competitors agree; measure and report unless ``--quick``.  Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: check the numbers, measure nothing")
    parser.add_argument("--brief", action="store_true", help="fewer and shorter blocks, one compilation")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, measured for a moment: shows that all runs")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the results go (default: benchmarks/results)")
    parser.add_argument("ids", nargs="*", metavar="id", help=f"default: all of {[*PROBLEMS, *_OTHER_ROWS]}")
    options = parser.parse_args(arguments)
    ids = options.ids or [*PROBLEMS, *_OTHER_ROWS]
    unknown = [name for name in ids if name not in PROBLEMS and name not in _OTHER_ROWS]
    if unknown:
        parser.error(f"unknown id {', '.join(unknown)}; allowed: {', '.join([*PROBLEMS, *_OTHER_ROWS])}")
    lasting = [name for name in ids if name in _OTHER_ROWS and name not in _ROWS_OF_AN_EFFORT]
    if options.tiny and lasting:
        parser.error(f"--tiny has no sizes for {', '.join(lasting)}; name other ids")
    jno.logger(log_print=(False, False))
    if options.quick:
        jax.config.update("jax_disable_most_optimizations", True)  # most of the time is compiling
    problems = [PROBLEMS[name] for name in ids if name in PROBLEMS]
    if missing():
        print(f"left out, not installed: {', '.join(missing())}")
    wrong = [m for p in problems for m in disagreements(p, p.quick if options.quick or options.tiny else p.full)]
    for message in wrong:
        print(message, file=sys.stderr)
    if wrong:
        return 1
    if options.quick:
        print(f"{', '.join(p.id for p in problems)}: jNO and all kernels compute the same losses")
        return 0
    effort = TINY if options.tiny else BRIEF if options.brief else None
    results = {name: _measured(name, effort) for name in ids}
    show(results)
    print(f"written to {write(results, options.json)}")
    return 0


def _measured(name: str, chosen: Effort | None) -> dict[str, Any]:
    if name in _OTHER_ROWS:
        return _OTHER_ROWS[name](chosen) if name in _ROWS_OF_AN_EFFORT else _OTHER_ROWS[name]()
    problem, effort = PROBLEMS[name], chosen or Effort()
    size = effort.size(problem)
    return summary(measure(problem, effort), measure_evaluation(problem, effort), size.points * size.samples)


if __name__ == "__main__":
    sys.exit(main())
