"""The printed summary of a training history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Num

from jno.utils._history_figure import constraint_names

Row = tuple[str, str]
_PARAMETER_COUNTS = {
    "trainable parameters": "trainable_params",
    "frozen parameters": "frozen_params",
    "LoRA parameters": "lora_params",
    "total parameters": "total_params",
}


def history_table(logs: Sequence[Mapping[str, Any]], total_loss: Num[np.ndarray, " epochs"]) -> Any:
    """Return a rich Table of the history."""
    from rich.table import Table

    table = Table(title="training summary", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for name, value in history_rows(logs, total_loss):
        table.add_row(name, value)
    return table


def history_rows(logs: Sequence[Mapping[str, Any]], total_loss: Num[np.ndarray, " epochs"]) -> Iterator[Row]:
    """Name and text of every fact of a history."""
    yield "solve calls", str(len(logs))
    yield "epochs", str(total_loss.size)
    if not total_loss.size:
        return
    yield "first total loss", f"{total_loss[0]:.4e}"
    yield "final total loss", f"{total_loss[-1]:.4e}"
    yield from _best(total_loss)
    yield from _final_losses(logs[-1])
    yield from _times(logs, total_loss.size)
    for label, key in _PARAMETER_COUNTS.items():
        if logs[-1].get(key) is not None:
            yield label, f"{logs[-1][key]:,}"
    if logs[-1].get("stop_reason"):
        yield "stopped because", str(logs[-1]["stop_reason"])


def _best(total_loss: Num[np.ndarray, " epochs"]) -> Iterator[Row]:
    if np.isfinite(total_loss).any():
        best = int(np.nanargmin(total_loss))
        yield "best total loss", f"{total_loss[best]:.4e} (epoch {best})"


def _final_losses(log: Mapping[str, Any]) -> Iterator[Row]:
    losses = np.asarray(log.get("losses", []))
    if losses.size:
        for name, value in zip(constraint_names(log), np.atleast_1d(losses[-1]), strict=True):
            yield f"final loss {name}", f"{value:.4e}"


def _times(logs: Sequence[Mapping[str, Any]], epochs: int) -> Iterator[Row]:
    seconds = [float(log["training_time"]) for log in logs if log.get("training_time") is not None]
    if len(seconds) == len(logs):
        yield "training time", f"{sum(seconds):.2f} s"
        yield "per epoch", f"{1e3 * sum(seconds) / epochs:.3f} ms"
