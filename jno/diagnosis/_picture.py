"""Where the residuals are large."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jno.utils import Axes, Figure, save_figure

from ._concentration import worst_points
from ._examination import Examination
from ._terms import ResidualField

_DPI = 150
_PANEL = (4.4, 3.6)  # inches
_COLUMNS = 3
_MOST_PANELS = 9


def residual_picture(examination: Examination, path: Path) -> None:
    """Write a picture of the residuals of all terms at their points; the worst are ringed."""
    import matplotlib.figure

    fields = examination.residuals[:_MOST_PANELS]
    if not fields:
        examination.skipped.append("picture: no term is a mean over the points of one tag")
        return
    columns = min(len(fields), _COLUMNS)
    rows = -(-len(fields) // columns)
    figure = matplotlib.figure.Figure(figsize=(_PANEL[0] * columns, _PANEL[1] * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, field in zip(panels, fields, strict=False):
        _draw(figure, axis, field)
    for axis in panels[len(fields) :]:
        axis.set_axis_off()
    save_figure(figure, path, _DPI)


def _draw(figure: Figure, axis: Axes, field: ResidualField) -> None:
    sizes = np.sqrt(field.squares)
    worst = worst_points(field)
    axis.set_title(f"|residual| of {field.term.name}", fontsize="medium")
    axis.set_xlabel(field.axes[0])
    if len(field.axes) == 1:
        axis.scatter(field.places[:, 0], sizes, s=8)
        axis.scatter(field.places[worst, 0], sizes[worst], s=40, facecolors="none", edgecolors="tab:red")
        axis.set_ylim(bottom=0.0)
        return
    # of more than two coordinates the first and the last, which is the time where there is one
    pair = field.places[:, [0, -1]] if field.axes[-1] == "t" else field.places[:, :2]
    axis.set_ylabel("t" if field.axes[-1] == "t" else field.axes[1])
    points = axis.scatter(pair[:, 0], pair[:, 1], c=sizes, s=8, cmap="viridis")
    axis.scatter(pair[worst, 0], pair[worst, 1], s=40, facecolors="none", edgecolors="tab:red", linewidths=0.8)
    figure.colorbar(points, ax=axis)
