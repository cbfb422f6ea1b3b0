"""Files of text that grow: journals of sweeps, tables of losses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from jno.tuner import best_of, read_journal
from jno.utils import bounded_bytes, get_limits, shown_path

from ._description import Description, byte_count, counted, limited


def journal(path: Path) -> Description:
    """A journal of a sweep: what is searched, and how its trials ended."""
    content = read_journal(path)
    outcomes = content.outcomes.values()
    statuses = [outcome.status for outcome in outcomes]
    rows = {
        "size": byte_count(path.stat().st_size),
        "trials": ", ".join(f"{statuses.count(status):,} {status}" for status in ("finished", "pruned", "failed")),
        "at once": str(content.head.in_flight),
    }
    best = best_of(outcomes)
    if best is not None:
        rows["best"] = f"{best.value:g} (trial {best.number}): {json.dumps(best.labels, ensure_ascii=False)}"
    if content.torn:
        rows["last line"] = "cut off; the next sweep with this journal runs that trial again"
    settings = {f"sweep {name}": repr(value) for name, value in content.head.description.items()}
    return Description("a journal of a sweep", rows | limited(settings, "settings"))


def table(path: Path) -> Description:
    """A table of comma-separated values: its columns and the number of rows."""
    name = shown_path(path)
    text = bounded_bytes(path, repr(name), get_limits()).decode("utf-8-sig", errors="strict")
    try:
        rows = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise ValueError(f"{name!r} is damaged or no table of comma-separated values ({error})") from error
    if not rows or any(len(row) != len(rows[0]) for row in rows[1:] if row):
        raise ValueError(f"{name!r} is damaged or no table of comma-separated values: its rows differ in length")
    facts = {
        "size": byte_count(path.stat().st_size),
        "columns": f"{len(rows[0]):,}: {', '.join(rows[0])}",
        "rows": counted(len(rows) - 1, "row"),
    }
    return Description("a table of comma-separated values", facts)
