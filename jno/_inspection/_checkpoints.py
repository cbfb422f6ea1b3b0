"""Directories of checkpoints."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jno.utils import CheckpointFiles, checkpoint_files, shown_path

from ._description import Description, StoredArray, array_summary, byte_count, limited


def checkpoint(path: Path) -> Description:
    """The steps of a directory, and what the newest one, or the directory of one step, holds; all are checked.

    The directory may be in use by a training: nothing is written, and what is half-written does not count.
    """
    name = shown_path(path)
    folders = {path.name: path} if (path / "state").is_dir() else _steps(path)
    if not folders:
        raise ValueError(
            f"{name!r} is a directory without finished checkpoints; jno inspect describes files, and directories that "
            "jno.callbacks.checkpoint wrote"
        )
    contents: dict[str, CheckpointFiles] = {}
    damaged: list[str] = []
    for step, folder in folders.items():
        try:
            contents[step] = checkpoint_files(folder)
        except ValueError as error:
            damaged.append(str(error))
    if not contents:
        raise ValueError("; ".join(damaged[:3]))
    newest = list(contents)[-1]
    rows = {"checkpoints": f"after {', '.join(list(folders)[-12:])} epochs", "described": f"that after {newest} epochs"}
    return Description("checkpoints of a training", rows | _rows(contents[newest]), "; ".join(damaged[:3]) or None)


def _steps(path: Path) -> dict[str, Path]:
    numbered = [entry for entry in path.iterdir() if entry.name.isdecimal() and (entry / "state").is_dir()]
    return {entry.name: entry for entry in sorted(numbered, key=lambda entry: int(entry.name))}


def _rows(content: CheckpointFiles) -> dict[str, str]:
    arrays = {name: StoredArray(shape, dtype) for name, (shape, dtype) in content.arrays.items()}
    rows = {
        "size": f"{byte_count(content.size)} stored, {byte_count(content.claim)} in memory",
        "reading it": "runs no code",
    }
    rows |= _metadata_rows(content.metadata)
    models = content.metadata.get("all_models")
    for model in models if isinstance(models, list) else []:
        prefixes = tuple(f"{group}.{model}." for group in ("weights", "fixed"))
        rows[f"weights of {model!r}"] = array_summary([a for key, a in arrays.items() if key.startswith(prefixes)])
    states = [array for key, array in arrays.items() if key.startswith("optimizers.")]
    return limited(rows | {"optimizers": array_summary(states)}, "entries")


def _metadata_rows(metadata: Mapping[str, Any]) -> dict[str, str]:
    rows = {name.replace("_", " "): str(metadata[name]) for name in ("total_loss", "monitored") if name in metadata}
    written = metadata.get("timestamp")
    if isinstance(written, int | float) and 0 <= written < 1e11:
        rows["written"] = f"{datetime.datetime.fromtimestamp(written, datetime.UTC):%Y-%m-%d %H:%M} UTC"
    return rows
