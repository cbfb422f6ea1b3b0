"""Panels in space: surfaces and points, in perspective."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Num

from jno.utils import Axes

from ._panels import PlotPanel
from ._places import Places


@dataclasses.dataclass(frozen=True, eq=False)
class SpacePanel(PlotPanel):
    """Values on the triangles of a surface, or at points in space."""

    places: Places = dataclasses.field(default_factory=lambda: Places(np.zeros((0, 3))))
    values: Num[np.ndarray, " N"] = dataclasses.field(default_factory=lambda: np.zeros(0))

    @property
    def projection(self) -> str | None:
        return "3d"

    def draw(self, axes: Axes) -> Any:
        assert self.scale is not None, "a surface has colours"
        points, triangles = self.places.points, self.places.triangles
        if triangles is None:
            colors = {"vmin": self.scale.low, "vmax": self.scale.high, "cmap": self.scale.name}
            image = axes.scatter(*points.T, c=self.values, s=10, depthshade=False, **colors)
        else:
            from mpl_toolkits.mplot3d.art3d import Poly3DCollection

            image = Poly3DCollection(list(points[triangles]), cmap=self.scale.name, linewidths=0.0)
            image.set_array(self.values[triangles].mean(axis=1))
            image.set_clim(self.scale.low, self.scale.high)
            axes.add_collection3d(image)
            axes.auto_scale_xyz(*points.T)
        axes.set(xlabel="x", ylabel="y", zlabel="z")
        axes.set_box_aspect(np.maximum(np.ptp(points, axis=0), 1e-9))
        return image
