"""A figure of matplotlib with rows of panels, which notebooks show; imported when something is drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from jno.utils import Axes

from ._arrangement import PanelRow
from ._panels import PlotPanel

_DPI = 100
_HEIGHT, _MARGIN, _TITLE = 3.1, 1.1, 0.5
"""Inches: of a panel, of what stands beside it, of what stands above."""
_WIDEST, _HIGHEST = 18.0, 40.0


class PlotFigure(Figure):
    """A figure that is shown where it is the value of a cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=_DPI)
        return stream.getvalue()


def arranged(rows: Sequence[PanelRow], figsize: tuple[float, float] | None) -> PlotFigure:
    """A figure of the panels, as large as they need."""
    aspects = _aspects(rows)
    height = min(_HEIGHT, max(1.6, 9.0 / max(aspects)))
    width = min(sum(height * aspect + _MARGIN for aspect in aspects), _WIDEST)
    size = figsize or (width, min((height + _TITLE) * len(rows), _HIGHEST))
    figure = PlotFigure(figsize=size, layout="constrained")
    draw_rows(figure, rows)
    return figure


def draw_rows(figure: Figure, rows: Sequence[PanelRow]) -> None:
    """Draw the panels on an empty figure."""
    aspects = _aspects(rows)
    grid = figure.add_gridspec(len(rows), len(aspects), width_ratios=aspects)
    for number, row in enumerate(rows):
        axes = [
            figure.add_subplot(grid[number, column], projection=panel.projection) for column, panel in enumerate(row)
        ]
        _draw_row(figure, axes, row)


def _aspects(rows: Sequence[PanelRow]) -> list[float]:
    """The widest panel of every column."""
    columns = max(len(row) for row in rows)
    return [max(row[column].aspect for row in rows if column < len(row)) for column in range(columns)]


def _numbers() -> ScalarFormatter:
    """Numbers of one form at a colour bar, with the power of ten that they share above it."""
    formatter = ScalarFormatter(useOffset=False, useMathText=True)
    formatter.set_powerlimits((-2, 4))
    return formatter


def _draw_row(figure: Figure, axes_row: Sequence[Axes], panels: Sequence[PlotPanel]) -> None:
    """Draw panels side by side; neighbours of one group have one colour bar, behind the last."""
    images = []
    for axes, panel in zip(axes_row, panels, strict=True):
        images.append(panel.draw(axes))
        axes.set_title(panel.title, fontsize="medium")
    start = 0
    for stop in range(1, len(panels) + 1):
        if stop < len(panels) and panels[start].group and panels[stop].group == panels[start].group:
            continue
        if images[start] is not None:
            beside = list(axes_row[start:stop])
            figure.colorbar(images[start], ax=beside, ticks=MaxNLocator(5), format=_numbers(), pad=0.02, aspect=25)
        start = stop
