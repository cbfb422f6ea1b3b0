"""The tables that the recorded cells make: ``benchmarks/ACCURACY.md`` and the one on the page *Accuracy*."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jno.utils import write_atomically

from . import libraries
from ._case import ORDER, Case, load, settings_digest
from ._results import RESULTS, current

PAGES = (Path(__file__).parents[1] / "ACCURACY.md", Path(__file__).parents[2] / "docs" / "accuracy.md")
BEGIN, END = "<!-- table: written by python -m benchmarks.accuracy -->", "<!-- end of the table -->"
SEEDS = 5
TITLES = {"deepxde": "DeepXDE", "jinns": "jinns"}
_COLUMNS = (
    *("problem", "published best", "target", "median", "least – greatest", "seeds", "published / median"),
    *(f"{TITLES[library]} (/ median)" for library in libraries.NAMES),
    *("processor s (limit)", "wall s", "steps", "points", "weights", "lines"),
)
HEAD = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"

Cells = Mapping[int, Mapping[str, Any]]
"""By seed."""


def row(case: Case, cells: Cells, others: Mapping[str, Cells | None]) -> str:
    """One line: medians over the seeds; a run whose error was not finite counts as infinitely wrong.

    Args:
        case: the problem.
        cells: ours.
        others: those of every other library, None where it has no statement of the problem.
    """
    fields = [case.title, _number(case.published), _number(case.target)]
    if not cells:
        columns = [_other(of_library, None) for of_library in others.values()]
        limit = f"({case.seconds:.0f})"
        return _line([*fields, "missing", "", f"0 of {SEEDS}", "", *columns, limit, *[""] * 5])
    runs = list(cells.values())
    errors = _errors(cells)
    median = statistics.median(errors)
    ratio = "" if case.published is None else f"{case.published / median:.1f}"
    won = case.target is not None and median <= case.target
    return _line(
        [
            *fields,
            (f"**{median:.1e}**" if won else f"{median:.1e}") + _covered(runs),
            f"{min(errors):.1e} – {max(errors):.1e}",
            f"{len(runs)} of {SEEDS}",
            ratio,
            *(_other(of_library, median) for of_library in others.values()),
            f"{_median(runs, 'processor_s'):.0f} ({case.seconds:.0f})",
            f"{_median(runs, 'wall_s'):.0f}",
            *(f"{_median(runs, name):.0f}" for name in ("steps", "points", "parameters", "lines")),
        ]
    )


def table(folder: Path = RESULTS) -> str:
    """The whole table with the circumstances of its cells."""
    cells = {name: current(name, settings_digest(name), folder) for name in ORDER}
    others = {name: _of_libraries(name, folder) for name in ORDER}
    rows = [row(load(name), cells[name], others[name]) for name in ORDER]
    runs = [run for of_case in cells.values() for run in of_case.values()]
    lines = [HEAD, *rows, "", *_circumstances(runs, "jNO")]
    for library in libraries.NAMES:
        columns = [of_case[library] or {} for of_case in others.values()]
        lines += ["", *_circumstances([run for of_case in columns for run in of_case.values()], TITLES[library])]
    return "\n".join(lines)


def _of_libraries(name: str, folder: Path) -> dict[str, Cells | None]:
    if name not in libraries.STATEMENTS:
        return dict.fromkeys(libraries.NAMES)
    digests = {library: libraries.library_digest(library, name) for library in libraries.NAMES}
    return {library: current(name, digest, folder, library) for library, digest in digests.items()}


def write_tables() -> None:
    """Replace the table on every page that has one."""
    text = table()
    for page in PAGES:
        before, rest = page.read_text().split(BEGIN)
        after = rest.split(END)[1]
        write_atomically(page, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}".encode())


def _errors(cells: Cells) -> list[float]:
    return [float("inf") if run["error"] is None else run["error"] for run in cells.values()]


def _other(cells: Cells | None, ours: float | None) -> str:
    """The median of another library, and how many times ours it is."""
    if cells is None:
        return "–"
    if not cells:
        return "missing"
    median = statistics.median(_errors(cells))
    return f"{median:.1e}" if ours is None else f"{median:.1e} ({median / ours:.2g})"


def _covered(runs: Sequence[Mapping[str, Any]]) -> str:
    """What the bands of a posterior cover."""
    shares = [run["coverage"] for run in runs if "coverage" in run]
    return f", bands of 95 % cover {statistics.median(shares):.0%}" if shares else ""


def _circumstances(runs: Sequence[Mapping[str, Any]], title: str) -> list[str]:
    if not runs:
        return [f"{title}: no run is recorded."]
    dates = sorted(run["date"][:10] for run in runs)
    machines = sorted({run["machine"] for run in runs})
    versions = sorted({", ".join(f"{name} {number}" for name, number in run["versions"].items()) for run in runs})
    commits = sorted({run["commit"] for run in runs})
    period = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    recipes = "".join(f"{recipe}; " for recipe in sorted({run["recipe"] for run in runs if "recipe" in run}))
    loads = [run["load"] for run in runs if "load" in run]
    load = f", processes that wanted to run: {min(loads):.0f} to {max(loads):.0f}" if loads else ""
    return [
        f"{title}: {_counted(runs)}, {period}; {recipes}{'; '.join(machines)}{load}; "
        f"{'; '.join(versions)}; "
        f"commits {', '.join(f'`{commit}`' for commit in commits)}."
    ]


def _counted(runs: Sequence[Any]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"


def _median(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2e}"


def _line(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"
