"""Animations: the same panels at one time after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jno.utils import replaced_file

from ._arrangement import PanelRow, curve_limits, rows_of
from ._figure import PlotFigure, arranged, draw_rows
from ._options import PlotOptions
from ._panels import CurvePanel
from ._values import PlottedValues

_FRAMES_PER_SECOND = 10


def animated(results: Sequence[PlottedValues], options: PlotOptions) -> PlotFigure:
    """Write an animation, and return the figure of its last time.

    Raises:
        ValueError: nothing depends on time.
        RuntimeError: an ``.mp4`` without ffmpeg.
    """
    assert options.path is not None, "an animation is a file"
    counts = [len(values.times) for values in results if values.times is not None and values.places is not None]
    if max(counts, default=1) < 2:
        raise ValueError(
            f"plot({options.path.name!r}): an animation shows several times, and nothing here depends on time; write a "
            "picture such as .png"
        )
    figure = arranged(_frame(results, 0), options.figsize)
    writer = _writer(options.path)
    with replaced_file(options.path) as temporary, writer.saving(figure, str(temporary), options.dpi):
        for level in range(max(counts)):
            figure.clear()
            draw_rows(figure, _frame(results, level))
            writer.grab_frame()
    return figure


def _frame(results: Sequence[PlottedValues], level: int) -> list[PanelRow]:
    rows = rows_of([values.at_level(level) for values in results], as_curves=True)
    if not any(isinstance(panel, CurvePanel) for row in rows for panel in row):
        return rows
    limits = curve_limits(results)
    return [
        tuple(
            dataclasses.replace(panel, limits=limits) if isinstance(panel, CurvePanel) and panel.axis != "t" else panel
            for panel in row
        )
        for row in rows
    ]


def _writer(path: Path) -> Any:
    from matplotlib.animation import FFMpegWriter, PillowWriter

    if path.suffix.lower() == ".gif":
        return PillowWriter(fps=_FRAMES_PER_SECOND)
    if not FFMpegWriter.isAvailable():
        raise RuntimeError(
            f"plot({path.name!r}): writing .mp4 needs the program ffmpeg, which is not installed; write a .gif instead"
        )
    return FFMpegWriter(fps=_FRAMES_PER_SECOND)
