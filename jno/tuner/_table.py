"""The printed table of a sweep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ._trial import Outcome

_ORDER = ("finished", "pruned", "failed")


def history_table(outcomes: Sequence[Outcome]) -> Any:
    """Return a rich Table: finished trials from the best to the worst, then pruned ones, then failed ones.

    Options that never change are told in the caption, with the reasons of failures.
    """
    from rich.table import Table

    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.labels))
    varied = [name for name in names if len({json.dumps(o.labels.get(name)) for o in outcomes}) > 1]
    table = Table(
        title=f"sweep: {_counted(outcomes)}", caption=_caption(outcomes, names, varied), caption_justify="left"
    )
    for name in ("trial", "objective", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in varied:
        table.add_column(name, overflow="fold")
    table.add_column("", no_wrap=True)
    for outcome in sorted(outcomes, key=_rank):
        objective = "–" if outcome.objective is None else f"{outcome.objective:.4e}"
        cells = [_cell(outcome.labels.get(name, "")) for name in varied]
        table.add_row(str(outcome.number), objective, f"{outcome.seconds:.1f} s", *cells, _remark(outcome))
    return table


def _caption(outcomes: Sequence[Outcome], names: Sequence[str], varied: Sequence[str]) -> Any:
    from rich.text import Text

    constant = [f"{name} {_cell(outcomes[0].labels.get(name))}" for name in names if name not in varied]
    reasons = [
        f"trial {outcome.number}: {outcome.error.partition(chr(10))[0]}"
        for outcome in outcomes
        if outcome.error is not None
    ]
    # Text: an error message may contain what rich takes for markup
    return Text("\n".join([", ".join(constant)] * bool(constant) + reasons))


def _counted(outcomes: Sequence[Outcome]) -> str:
    states = [outcome.status for outcome in outcomes]
    parts = [f"{states.count(kind)} {kind}" for kind in _ORDER if kind in states]
    return ", ".join(parts) or "no trials"


def _rank(outcome: Outcome) -> tuple[int, float, int]:
    objective = float("inf") if outcome.objective is None else outcome.objective
    return _ORDER.index(outcome.status), objective, outcome.number


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _remark(outcome: Outcome) -> str:
    if outcome.error is not None:
        return "failed"
    return "" if outcome.pruned_at is None else f"pruned at {outcome.pruned_at}"
