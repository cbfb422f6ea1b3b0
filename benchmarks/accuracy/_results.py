"""The cells that are recorded: one file of JSON lines for each case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from jno.utils import append_whole

JNO = "jno"
"""The name of our cells beside those of other libraries."""

RESULTS = Path(__file__).parent / "results"


def record(cell: Mapping[str, Any], folder: Path = RESULTS) -> None:
    """Append a cell to the file of its case, all or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{cell['case']}.jsonl"
    with FileLock(folder / ".lock"):
        path.touch()
        append_whole(path, (json.dumps(cell) + "\n").encode(), to_disk=True)


def current(name: str, digest: str, folder: Path = RESULTS, library: str = JNO) -> dict[int, dict[str, Any]]:
    """The newest cell of a library of every seed whose settings are those of the files as they are now."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        return {}
    cells = [json.loads(line) for line in path.read_text().splitlines() if line]
    return {cell["seed"]: cell for cell in cells if (cell["library"], cell["digest"]) == (library, digest)}


def missing(name: str, seeds: Sequence[int], digest: str, folder: Path = RESULTS, library: str = JNO) -> list[int]:
    """The seeds that no cell of a library with these settings has."""
    present = current(name, digest, folder, library)
    return [seed for seed in seeds if seed not in present]
