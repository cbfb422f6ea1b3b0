"""Panels: each draws one thing on its axes."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from jno.utils import Axes

from ._places import Places
from ._scales import ColorScale
from ._values import PlottedValues
from ._vectors import draw_arrows, draw_streamlines

_STYLES = ("-", "--", ":", "-.")
_FEW = 12


@dataclasses.dataclass(frozen=True, eq=False)
class PlotPanel(ABC):
    """One panel of a picture.

    Attributes:
        title: text above it.
        scale: its colours, if it has some.
        group: panels of one group that stand side by side have one colour bar.
    """

    title: str
    scale: ColorScale | None = None
    group: str = ""

    @property
    def aspect(self) -> float:
        """Width over height of what is shown."""
        return 1.3

    @property
    def projection(self) -> str | None:
        """That of the axes, ``"3d"`` in space."""
        return None

    @abstractmethod
    def draw(self, axes: Axes) -> Any:
        """Draw, and return what a colour bar belongs to, if anything."""


@dataclasses.dataclass(frozen=True, eq=False)
class PlottedCurve:
    """A line of a panel, with a band around it if there is one."""

    label: str
    x: Float[np.ndarray, " N"]
    y: Num[np.ndarray, " N"]
    color: Any
    style: str = "-"
    band: Num[np.ndarray, "2 N"] | None = None
    is_line: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class CurvePanel(PlotPanel):
    """Curves over a coordinate or over time."""

    curves: tuple[PlottedCurve, ...] = ()
    axis: str = "x"
    limits: tuple[float, float] | None = None

    def draw(self, axes: Axes) -> None:
        for curve in self.curves:
            if curve.band is not None:
                axes.fill_between(curve.x, *curve.band, color=curve.color, alpha=0.25, linewidth=0)
            marker = {} if curve.is_line else {"marker": "o", "markersize": 4}
            style = curve.style if curve.is_line else "none"
            axes.plot(curve.x, curve.y, color=curve.color, linestyle=style, linewidth=1.4, label=curve.label, **marker)
        axes.set_xlabel(self.axis)
        axes.margins(x=0.02)
        if self.limits is not None:
            axes.set_ylim(self.limits)
        if len(self.curves) > 1 or any(curve.band is not None for curve in self.curves):
            axes.legend(frameon=False, fontsize="small")
        elif self.curves and not self.title:
            axes.set_ylabel(self.curves[0].label)


@dataclasses.dataclass(frozen=True, eq=False)
class MapPanel(PlotPanel):
    """Values on triangles in the plane, or at points; over them arrows or streamlines of a vector field, if any."""

    places: Places = dataclasses.field(default_factory=lambda: Places(np.zeros((0, 2))))
    values: Num[np.ndarray, " N"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    vectors: Num[np.ndarray, "N 2"] | None = None
    names: tuple[str, ...] = ("x", "y")
    has_streamlines: bool = False

    @property
    def aspect(self) -> float:
        width, height = np.ptp(self.places.points, axis=0)
        return float(np.clip(width / (height or 1.0), 0.4, 5.0))

    def draw(self, axes: Axes) -> Any:
        assert self.scale is not None, "a map has colours"
        colors: Mapping[str, Any] = {"vmin": self.scale.low, "vmax": self.scale.high, "cmap": self.scale.name}
        axes.set_aspect("equal")
        axes.set(xlabel=self.names[0], ylabel=self.names[1])
        triangles = self._finite_triangles()
        if triangles is None:
            return axes.scatter(*self.places.points.T, c=self.values, s=14, **colors)
        from matplotlib.tri import Triangulation

        triangulation = Triangulation(self.places.points[:, 0], self.places.points[:, 1], triangles)
        values = np.where(np.isfinite(self.values), self.values, 0.0)
        axes.margins(0.0)
        image = axes.tripcolor(triangulation, values, shading="gouraud", rasterized=True, **colors)
        if self.vectors is not None:
            draw = draw_streamlines if self.has_streamlines else draw_arrows
            draw(axes, triangulation, self.vectors)
        return image

    def _finite_triangles(self) -> np.ndarray | None:
        if self.places.triangles is None:
            return None
        triangles = self.places.triangles[np.isfinite(self.values)[self.places.triangles].all(axis=1)]
        return triangles if len(triangles) else None


@dataclasses.dataclass(frozen=True, eq=False)
class SpaceTimePanel(PlotPanel):
    """Values over one coordinate and time."""

    x: Float[np.ndarray, " N"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    times: Float[np.ndarray, " T"] = dataclasses.field(default_factory=lambda: np.zeros(0))
    values: Num[np.ndarray, "T N"] = dataclasses.field(default_factory=lambda: np.zeros((0, 0)))
    axis: str = "x"

    def draw(self, axes: Axes) -> Any:
        assert self.scale is not None, "a map has colours"
        colors = {"vmin": self.scale.low, "vmax": self.scale.high, "cmap": self.scale.name}
        axes.set(xlabel="t", ylabel=self.axis)
        return axes.pcolormesh(self.times, self.x, self.values.T, shading="gouraud", rasterized=True, **colors)


@dataclasses.dataclass(frozen=True, eq=False)
class LossPanel(PlotPanel):
    """The total loss over the epochs."""

    losses: Num[np.ndarray, " E"] = dataclasses.field(default_factory=lambda: np.zeros(0))

    def draw(self, axes: Axes) -> None:
        axes.plot(self.losses, linewidth=1.0)
        if (self.losses[np.isfinite(self.losses)] > 0.0).all():
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)


# --- curves of values on a line or over time --------------------------------------------------------------------------
def curves_of(values: PlottedValues, number: int, count: int) -> list[PlottedCurve]:
    """The curves of one expression, the ``number``-th of ``count`` in a panel."""
    import matplotlib

    is_line = values.places is None or len(values.places.points) > _FEW or values.times is None
    x = values.times if values.places is None else values.places.points[:, 0]
    assert x is not None, "values depend on a coordinate or on time"
    rows, times = values.values, values.times
    if values.places is None:
        rows, times = values.values[:, 0][None], None  # one curve over time
    colors = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(rows)))
    curves = []
    for level, row in enumerate(rows):
        for component in range(row.shape[-1]):
            curves.append(
                PlottedCurve(
                    _curve_label(values.label, times, level, component if row.shape[-1] > 1 else None, count),
                    x,
                    row[:, component],
                    colors[level] if len(rows) > 1 else f"C{number + component}",
                    _STYLES[(number if len(rows) > 1 or count > 1 else 0) % len(_STYLES)],
                    _band_of(values, level, component),
                    is_line,
                )
            )
    return curves


def _band_of(values: PlottedValues, level: int, component: int) -> Num[np.ndarray, "2 N"] | None:
    if values.band is None:
        return None
    return values.band[:, :, 0, component] if values.places is None else values.band[:, level, :, component]


def _curve_label(
    label: str, times: Float[np.ndarray, " T"] | None, level: int, component: int | None, count: int
) -> str:
    parts = [] if component is None else [f"component {component + 1}"]
    if times is not None:
        parts.append(f"t = {times[level]:.3g}")
    if not parts:
        return label
    return f"{label}, {', '.join(parts)}" if count > 1 or times is None else ", ".join(parts)
