"""The printed tables and the JSON file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from ._case import ONEPASS
from ._measure import Row, Seconds, fastest, ratio
from ._runners import BARE, EVAL, FORWARD, SOLVE

RESULTS = Path(__file__).parent / "results"
_COLUMNS = 5
"""Problems side by side in the table of ratios."""

Ratio = dict[str, float]
"""By both clocks: wall, processor."""


def summary(rows: Mapping[str, Row], evaluation: Mapping[str, Seconds], evaluated: int) -> dict[str, Any]:
    """The ratios that targets are set for, and the absolute figures of every competitor."""
    others = _baselines(rows)
    ratios: dict[str, Any] = {f"solve / {label}": _steps(rows, SOLVE, name) for label, name in others.items()}
    ratios["solve / bare step"] = _steps(rows, SOLVE, BARE)
    if ONEPASS in others:
        ratios["bare step / onepass"] = _steps(rows, BARE, others[ONEPASS])
    ratios |= {
        f"compile / {label}": _quotient(rows[SOLVE].compile, rows[name].compile) for label, name in others.items()
    }
    ratios["eval / kernel"] = _quotient(evaluation[EVAL], evaluation[FORWARD])
    memory = {f"memory / {label}": _memory(rows[SOLVE], rows[name]) for label, name in others.items()}
    return {
        "ratios": ratios,
        "plain": {
            **{key: value for key, value in memory.items() if value is not None},
            "best onepass": others.get(ONEPASS, "").removeprefix(f"{ONEPASS} "),
            "build seconds": rows[SOLVE].build.wall,
            "evaluation points per second": evaluated / evaluation[EVAL].wall,
        },
        "competitors": {name: _figures(row) for name, row in rows.items()},
    }


def _baselines(rows: Mapping[str, Row]) -> dict[str, str]:
    """What jNO is compared with, label -> row: every other row, of the variants of the one pass only the fastest."""
    found: dict[str, str] = {}
    for name in rows:
        if name.startswith(ONEPASS):
            found[ONEPASS] = fastest(rows, ONEPASS)
        elif name not in (SOLVE, BARE):
            found[name] = name
    return found


def _memory(row: Row, other: Row) -> float | None:
    if row.temporary_bytes is None or not other.temporary_bytes:
        return None
    return row.temporary_bytes / other.temporary_bytes


def _steps(rows: Mapping[str, Row], first: str, other: str) -> Ratio:
    return dataclasses.asdict(ratio(rows[first].blocks, rows[other].blocks))


def _quotient(first: Seconds, other: Seconds) -> Ratio:
    return {"wall": first.wall / other.wall, "processor": first.processor / other.processor}


def _figures(row: Row) -> dict[str, Any]:
    return {
        "compile seconds": dataclasses.asdict(row.compile),
        "step seconds": dataclasses.asdict(row.step),
        "temporary bytes": row.temporary_bytes,
        "blocks": [dataclasses.asdict(block) for block in row.blocks],
    }


def show(results: Mapping[str, dict[str, Any]]) -> None:
    """Print what was measured."""
    console = Console(width=110)
    problems = {name: result for name, result in results.items() if "competitors" in result}
    if problems:
        console.print(_competitor_table(problems))
        for begin in range(0, len(problems), _COLUMNS):
            console.print(_ratio_table(dict([*problems.items()][begin : begin + _COLUMNS])))
    for name, result in results.items():
        if name not in problems:
            console.print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in result.items()))


def _competitor_table(problems: Mapping[str, dict[str, Any]]) -> Table:
    table = Table("problem", "competitor", title="absolute figures, for orientation only")
    for column in ("compile s", "step ms", "processor ms", "temporary MiB"):
        table.add_column(column, justify="right")
    for name, result in problems.items():
        for competitor, figures in result["competitors"].items():
            memory, step = figures["temporary bytes"], figures["step seconds"]
            table.add_row(
                name,
                competitor,
                f"{figures['compile seconds']['wall']:.2f}",
                f"{1e3 * step['wall']:.2f}",
                f"{1e3 * step['processor']:.2f}",
                "" if memory is None else f"{memory / 2**20:.1f}",
            )
        table.add_section()
    return table


def _ratio_table(problems: Mapping[str, dict[str, Any]]) -> Table:
    table = Table("ratio", *problems, title="ratios of interleaved medians: wall time (processor time)")
    for group, text in (("ratios", _both_clocks), ("plain", _plain)):
        cells = [result[group] for result in problems.values()]
        for key in _keys(cells):
            table.add_row(key, *(text(cell[key]) if key in cell else "" for cell in cells))
    return table


def _keys(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """All keys; those that begin with the same word stand together."""
    keys = list(dict.fromkeys(key for cell in cells for key in cell))
    words = [key.split()[0] for key in keys]
    return sorted(keys, key=lambda key: words.index(key.split()[0]))


def _both_clocks(cell: Ratio) -> str:
    return f"{cell['wall']:.2f} ({cell['processor']:.2f})"


def _plain(cell: float | str) -> str:
    return cell if isinstance(cell, str) else f"{cell:.3g}"


def write(results: Mapping[str, dict[str, Any]], path: Path | None = None) -> Path:
    """One file per run: that of the path, or a new one among the results."""
    now = datetime.datetime.now(datetime.UTC)
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}.json" if path is None else path
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "time": now.isoformat(timespec="seconds"),
        "jax": jax.__version__,
        "device": str(jax.devices()[0]),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    path.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")
    return path
