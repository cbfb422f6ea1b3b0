"""Parts of the figures of analysis callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Num

Figure: TypeAlias = Any
"""A figure of matplotlib, which is imported for plots only."""

Axes: TypeAlias = Any
"""Axes of a figure of matplotlib."""

PANEL = (7.0, 3.4)  # inches
_FEW = 60  # measurements that are marked one by one


def panels(figure: Figure, rows: int, columns: int = 1) -> np.ndarray:
    """Axes ``(rows, columns)`` of a figure of that size."""
    figure.set_size_inches(PANEL[0] * (1.0 if columns == 1 else 0.75 * columns), PANEL[1] * rows)
    return figure.subplots(rows, columns, squeeze=False)


def series(axis: Axes, epochs: Num[np.ndarray, " S"], values: Num[np.ndarray, "S n"], names: Sequence[str]) -> None:
    """One curve per column over the epochs, logarithmic where all values allow it."""
    for name, column in zip(names, values.T, strict=True):
        axis.plot(epochs, column, label=name, linewidth=1.2, marker="." if len(epochs) <= _FEW else None)
    finite = values[np.isfinite(values)]
    if finite.size and (finite > 0).all():
        axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.grid(visible=True, alpha=0.3)
    if len(names) > 1:
        axis.legend(fontsize="small")
