"""The printed tables and the JSON file."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from ._measure import Row, Seconds, fastest, ratio
from ._runners import BARE, EVAL, FORWARD, NESTED, ONEPASS, SOLVE

RESULTS = Path(__file__).parent / "results"

Ratio = dict[str, float]
"""By both clocks: wall, processor."""


def summary(rows: Mapping[str, Row], evaluation: Mapping[str, Seconds], evaluated: int) -> dict[str, Any]:
    """The ratios that targets are set for, and the absolute figures of every competitor."""
    best = fastest(rows, ONEPASS)
    solve, nested, onepass = rows[SOLVE], rows[NESTED], rows[best]
    ratios: dict[str, Any] = {
        "solve / nested": _steps(rows, SOLVE, NESTED),
        "solve / onepass": _steps(rows, SOLVE, best),
        "solve / bare step": _steps(rows, SOLVE, BARE),
        "bare step / onepass": _steps(rows, BARE, best),
        "compile / nested": _quotient(solve.compile, nested.compile),
        "compile / onepass": _quotient(solve.compile, onepass.compile),
        "eval / kernel": _quotient(evaluation[EVAL], evaluation[FORWARD]),
    }
    return {
        "ratios": ratios,
        "best onepass": best.removeprefix(ONEPASS),
        "build seconds": solve.build.wall,
        "evaluation points per second": evaluated / evaluation[EVAL].wall,
        "competitors": {name: _figures(row) for name, row in rows.items()},
    }


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
        console.print(_ratio_table(problems))
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
    for key in next(iter(problems.values()))["ratios"]:
        cells = [result["ratios"][key] for result in problems.values()]
        table.add_row(key, *(f"{cell['wall']:.2f} ({cell['processor']:.2f})" for cell in cells))
    for key in ("best onepass", "build seconds", "evaluation points per second"):
        cells = [result[key] for result in problems.values()]
        table.add_row(key, *(cell if isinstance(cell, str) else f"{cell:.3g}" for cell in cells))
    return table


def write(results: Mapping[str, dict[str, Any]]) -> Path:
    """One file per run."""
    now = datetime.datetime.now(datetime.UTC)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}.json"
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
