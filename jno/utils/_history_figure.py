"""The figure of a training history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Num, Shaped

from jno.utils._types import Axes, Figure

Logs = Sequence[Mapping[str, Any]]
_PANEL_SIZE = (8.0, 3.2)  # inches
_SYMLOG_SPAN = 1e-8  # smallest magnitude shown logarithmically, relative to the largest


def history_figure(logs: Logs) -> Figure:
    """Return a matplotlib Figure with one panel per kind of record the logs contain."""
    # Figure itself, not pyplot: no window, no global state, works in any thread
    from matplotlib.figure import Figure as NewFigure

    panels = [_draw_losses]
    if any(log.get("track_stats") for log in logs):
        panels.append(_draw_trackers)
    if any(_step_time(log)[0].size for log in logs):
        panels.append(_draw_step_time)
    width, height = _PANEL_SIZE
    figure = NewFigure(figsize=(width, height * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, draw in zip(axes, panels, strict=True):
        draw(axis, logs)
        axis.grid(visible=True, alpha=0.3)
    axes[-1].set_xlabel("epoch")
    return figure


def constraint_names(log: Mapping[str, Any]) -> list[str]:
    """Return the labels of a log's constraints, C0, C1, … where it has none."""
    count = _losses(log).shape[1]
    names = list(log.get("constraint_names") or [])
    return names if len(names) == count else [f"C{index}" for index in range(count)]


def _losses(log: Mapping[str, Any]) -> Num[np.ndarray, "n C"]:
    rows = np.asarray(log.get("losses", np.zeros((0, 0))))
    return rows.reshape(len(rows), -1) if rows.size else np.zeros((0, 0))


def _epochs(log: Mapping[str, Any]) -> Num[np.ndarray, " n"]:
    return np.asarray(log.get("epoch", np.arange(np.size(log["total_loss"]))))


def _with_offsets(logs: Logs) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield each log with what to add to its epochs, so that epochs of later solves follow earlier ones."""
    next_epoch = 0
    for log in logs:
        epochs = _epochs(log)
        offset = next_epoch if epochs.size and epochs[0] < next_epoch else 0
        next_epoch = int(epochs[-1]) + offset + 1 if epochs.size else next_epoch
        yield log, offset


def _draw_losses(axis: Axes, logs: Logs) -> None:
    curves: dict[str, list[tuple[Any, Any]]] = {}
    for log, offset in _with_offsets(logs):
        epochs, losses = _epochs(log) + offset, _losses(log)
        for name, column in zip(constraint_names(log), losses.T, strict=True):
            curves.setdefault(name, []).append((epochs, column))
        if losses.shape[1] != 1:
            curves.setdefault("total", []).append((epochs, np.asarray(log["total_loss"])))
    for name, segments in curves.items():
        epochs, values = (np.concatenate(part) for part in zip(*segments, strict=True))
        style = {"color": "black", "linewidth": 1.6} if name == "total" else {"linewidth": 1.0}
        axis.plot(epochs, values, label=name, **style)
    _set_loss_scale(axis, np.concatenate([values for parts in curves.values() for _, values in parts]))
    axis.set_ylabel("loss")
    axis.legend(fontsize="small")


def _set_loss_scale(axis: Axes, values: Num[np.ndarray, " n"]) -> None:
    """A mean of a raw residual may be negative or zero, which a logarithmic axis cannot show."""
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not magnitudes.size:
        return
    if (values[np.isfinite(values)] > 0).all():
        axis.set_yscale("log")
    else:
        axis.set_yscale("symlog", linthresh=max(magnitudes.min(), _SYMLOG_SPAN * magnitudes.max()))


def _draw_trackers(axis: Axes, logs: Logs) -> None:
    curves: dict[str, list[tuple[Any, Any]]] = {}
    for log, offset in _with_offsets(logs):
        for tracker in log.get("track_stats") or []:
            values = np.asarray([np.mean(np.asarray(value)) for value in tracker["values"]])
            is_scalar = all(np.size(value) == 1 for value in tracker["values"])
            name = tracker["name"] if is_scalar else f"{tracker['name']} (mean)"
            curves.setdefault(name, []).append((np.asarray(tracker["epoch"]) + offset, values))
    for name, segments in curves.items():
        epochs, values = (np.concatenate(part) for part in zip(*segments, strict=True))
        axis.plot(epochs, values, label=name, linewidth=1.0, marker="." if len(epochs) < 50 else None)
    axis.set_ylabel("tracker")
    axis.legend(fontsize="small")


def _step_time(log: Mapping[str, Any]) -> tuple[Num[np.ndarray, " m"], Num[np.ndarray, " m"]]:
    """Return epochs and milliseconds per epoch; epochs that ran fused on the device share a time stamp."""
    seconds, epochs = np.asarray(log.get("timestamps", [])), _epochs(log)
    if seconds.size != epochs.size or seconds.size < 2:
        return np.zeros(0), np.zeros(0)
    last_of_group = np.append(np.nonzero(np.diff(seconds))[0], seconds.size - 1)
    rate = np.diff(seconds[last_of_group]) / np.diff(epochs[last_of_group])
    return epochs[last_of_group][1:], 1e3 * rate


def _draw_step_time(axis: Axes, logs: Logs) -> None:
    parts: list[tuple[Shaped[np.ndarray, " m"], Shaped[np.ndarray, " m"]]] = []
    for log, offset in _with_offsets(logs):
        epochs, milliseconds = _step_time(log)
        parts.append((epochs + offset, milliseconds))
    epochs, milliseconds = (np.concatenate(part) for part in zip(*parts, strict=True))
    axis.plot(epochs, milliseconds, linewidth=1.0)
    axis.set_ylabel("step time [ms]")
    axis.set_ylim(bottom=0.0)
