"""What a picture was asked for, checked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.utils import FLAG, PATH, TEXT, integer, one_of, refusal, user_path

ANIMATIONS = (".gif", ".mp4")
STREAMLINES = "streamlines"
VECTORS = ("arrows", STREAMLINES)
"""How a vector field in the plane is drawn over its norm."""
_LARGEST = 400.0
"""Inches; at 150 dots per inch matplotlib draws no more."""
_MOST_TIMES = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class PlotOptions:
    """The arguments of `core.plot` after their checks.

    Attributes:
        path: file of the picture, if there is one.
        times: times to draw, if they were named.
        sample: row of the batch.
        share: whether fields have one colour scale.
        losses: whether the loss history is the last panel.
        cmap: colour map of fields, of differences where None.
        figsize: width and height in inches.
        dpi: dots per inch of files.
        vectors: one of `VECTORS`.
    """

    path: Path | None = None
    times: Float[np.ndarray, " T"] | None = None
    sample: int = 0
    share: bool = True
    losses: bool = False
    cmap: str | None = None
    figsize: tuple[float, float] | None = None
    dpi: int = 150
    vectors: str = VECTORS[0]

    @classmethod
    def checked(cls, **arguments: Any) -> PlotOptions:
        """The options, of arguments that a user passed.

        Raises:
            ValueError: a number out of range, an unknown colour map, times or a size that are none.
            TypeError: an argument of another kind.
        """
        PATH.require(arguments["path"], "plot(path)", optional=True)
        integer(0).require(arguments["sample"], "plot(sample)")
        FLAG.require(arguments["share"], "plot(share)")
        FLAG.require(arguments["losses"], "plot(losses)")
        TEXT.require(arguments["cmap"], "plot(cmap)", optional=True)
        integer(10, 2000).require(arguments["dpi"], "plot(dpi)")
        one_of(*VECTORS).require(arguments["vectors"], "plot(vectors)")
        path = None if arguments["path"] is None else user_path(arguments["path"])
        return cls(
            path,
            _checked_times(arguments["times"]),
            int(arguments["sample"]),
            arguments["share"],
            arguments["losses"],
            _checked_map(arguments["cmap"]),
            _checked_size(arguments["figsize"]),
            int(arguments["dpi"]),
            arguments["vectors"],
        )

    @property
    def is_animation(self) -> bool:
        """Whether the file shows one time after another."""
        return self.path is not None and self.path.suffix.lower() in ANIMATIONS


def _checked_times(times: object) -> Float[np.ndarray, " T"] | None:
    if times is None:
        return None
    try:
        array = np.atleast_1d(np.asarray(times))
    except (TypeError, ValueError):
        array = np.zeros(0)
    is_vector = array.ndim == 1 and 0 < array.size <= _MOST_TIMES and array.dtype.kind in "fiu"
    if not is_vector or not np.isfinite(array).all():
        raise ValueError(refusal("plot(times)", times, f"a number, or a list of at most {_MOST_TIMES} finite numbers"))
    return array.astype(np.float64)


def _checked_map(name: str | None) -> str | None:
    if name is None:
        return None
    import matplotlib

    if name not in matplotlib.colormaps:
        raise ValueError(refusal("plot(cmap)", name, "a colour map of matplotlib, such as 'viridis' or 'RdBu_r'"))
    return name


def _checked_size(figsize: Any) -> tuple[float, float] | None:
    if figsize is None:
        return None
    try:
        width, height = (float(value) for value in figsize)
    except (TypeError, ValueError, OverflowError):
        width = height = np.nan
    if isinstance(figsize, dict | set | str) or not (0.0 < width <= _LARGEST and 0.0 < height <= _LARGEST):
        raise ValueError(refusal("plot(figsize)", figsize, "two positive numbers, width and height in inches"))
    return width, height
