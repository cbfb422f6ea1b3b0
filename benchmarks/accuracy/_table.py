"""The tables that the recorded cells make: ``benchmarks/ACCURACY.md`` and the one on the page *Accuracy*."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jno.utils import write_atomically

from ._case import ORDER, UNSTATED, Case, load, settings_digest
from ._results import RESULTS, current

PAGES = (Path(__file__).parents[1] / "ACCURACY.md", Path(__file__).parents[2] / "docs" / "accuracy.md")
BEGIN, END = "<!-- table: written by python -m benchmarks.accuracy -->", "<!-- end of the table -->"
SEEDS = 5
HEAD = (
    "| problem | published best | target | median | least – greatest | seeds | published / median "
    "| processor s (limit) | wall s | steps | points | weights | lines |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def row(case: Case, cells: Mapping[int, Mapping[str, Any]]) -> str:
    """One line: medians over the seeds; a run whose error was not finite counts as infinitely wrong."""
    fields = [case.title, _number(case.published), _number(case.target)]
    if not cells:
        return _line([*fields, "missing", "", f"0 of {SEEDS}", "", f"({case.seconds:.0f})", "", "", "", "", ""])
    runs = list(cells.values())
    errors = [float("inf") if run["error"] is None else run["error"] for run in runs]
    median = statistics.median(errors)
    ratio = "" if case.published is None else f"{case.published / median:.1f}"
    won = case.target is not None and median <= case.target
    return _line(
        [
            *fields,
            f"**{median:.1e}**" if won else f"{median:.1e}",
            f"{min(errors):.1e} – {max(errors):.1e}",
            f"{len(runs)} of {SEEDS}",
            ratio,
            f"{_median(runs, 'processor_s'):.0f} ({case.seconds:.0f})",
            f"{_median(runs, 'wall_s'):.0f}",
            *(f"{_median(runs, name):.0f}" for name in ("steps", "points", "parameters", "lines")),
        ]
    )


def table(folder: Path = RESULTS) -> str:
    """The whole table with the circumstances of its cells."""
    cells = {name: current(name, settings_digest(name), folder) for name in ORDER}
    rows = [row(load(name), cells[name]) for name in ORDER]
    rows += [_line([title, "–", "–", "missing (no case yet)", *[""] * 9]) for title in UNSTATED]
    runs = [run for of_case in cells.values() for run in of_case.values()]
    return "\n".join([HEAD, *rows, "", *_circumstances(runs)])


def write_tables() -> None:
    """Replace the table on every page that has one."""
    text = table()
    for page in PAGES:
        before, rest = page.read_text().split(BEGIN)
        after = rest.split(END)[1]
        write_atomically(page, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}".encode())


def _circumstances(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    if not runs:
        return ["No run is recorded."]
    dates = sorted(run["date"][:10] for run in runs)
    machines = sorted({run["machine"] for run in runs})
    versions = sorted({", ".join(f"{name} {number}" for name, number in run["versions"].items()) for run in runs})
    commits = sorted({run["commit"] for run in runs})
    period = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return [
        f"{len(runs)} runs, {period}; {'; '.join(machines)}; {'; '.join(versions)}; "
        f"commits {', '.join(f'`{commit}`' for commit in commits)}."
    ]


def _median(runs: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2e}"


def _line(fields: Sequence[str]) -> str:
    return f"| {' | '.join(fields)} |"
