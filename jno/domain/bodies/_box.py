"""Boxes with edges along the axes, of any dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..drawable import BoxMap, DeviceMap, PointsAndNormals
from ..geometry import SIDES, Distance, choose
from ..mesh import Facets
from ._body import Body, BodyRegion
from ._device_maps import FacesMap, face_coordinates

_MOST_CORNERS = 3
"""Dimensions up to which faces are listed by their corners."""


@dataclass(frozen=True, eq=False)
class BoxInside(BodyRegion):
    """All points of a box.

    Attributes:
        bounds: the lower and the upper corner `(2, D)`.
    """

    bounds: Float[np.ndarray, "2 D"]
    is_boundary = False

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        return int(self.bounds.shape[1])

    @property
    def measure(self) -> float:
        return float(np.prod(np.ptp(self.bounds, axis=0)))

    @property
    def device_map(self) -> DeviceMap:
        return BoxMap(*self.bounds)

    def place(self, unit: Float[np.ndarray, "n D"]) -> PointsAndNormals:
        return self.bounds[0] + unit * (self.bounds[1] - self.bounds[0]), None


@dataclass(frozen=True, eq=False)
class BoxFaces(BodyRegion):
    """Some of the faces of a box: pieces of the unit interval as long as they are large.

    Attributes:
        bounds: the lower and the upper corner `(2, D)`.
        axes: number of the axis that every face is normal to, `(F,)`.
        ends: 0 for the face at the lower corner, 1 for that at the upper one, `(F,)`.
    """

    bounds: Float[np.ndarray, "2 D"]
    axes: Int[np.ndarray, " F"]
    ends: Int[np.ndarray, " F"]
    is_boundary = True

    @property
    def coordinates(self) -> int:  # type: ignore[override]
        return max(int(self.bounds.shape[1]) - 1, 1)

    @cached_property
    def sizes(self) -> Float[np.ndarray, " F"]:
        """Areas of the faces."""
        widths = np.ptp(self.bounds, axis=0)
        return np.array([np.prod(np.delete(widths, axis)) for axis in self.axes])

    @property
    def measure(self) -> float:
        return float(self.sizes.sum())

    @cached_property
    def normals(self) -> Float[np.ndarray, "F D"]:
        """Outward normals of the faces."""
        return np.eye(self.bounds.shape[1])[self.axes] * np.where(self.ends == 1, 1.0, -1.0)[:, None] + 0.0

    @property
    def device_map(self) -> DeviceMap:
        return FacesMap.of(self.bounds, self.sizes, self.axes, self.ends, self.normals)

    def place(self, unit: Float[np.ndarray, "n K"]) -> PointsAndNormals:
        cumulative = np.cumsum(self.sizes)
        target = unit[:, 0] * cumulative[-1]
        face = choose(cumulative, target)
        share = np.clip((target - (cumulative - self.sizes)[face]) / self.sizes[face], 0.0, 1.0)
        inside = np.concatenate([share[:, None], unit[:, 1:]], axis=1)
        columns, across = face_coordinates(self.bounds.shape[1], self.axes)
        lower, upper = self.bounds
        points = lower + np.take_along_axis(inside, columns[face], axis=1) * (upper - lower)
        values = self.bounds[self.ends, self.axes]
        return np.where(across[face], values[face, None], points), self.normals[face]


@dataclass(frozen=True, eq=False)
class BoxBody(Body):
    """A line, rectangle, box, … between two corners.

    Attributes:
        lower: the corner with the smallest coordinates, `(D,)`.
        upper: the corner with the largest coordinates, `(D,)`.
    """

    lower: Float[np.ndarray, " D"]
    upper: Float[np.ndarray, " D"]
    kind = "box"

    @property
    def bounds(self) -> Float[np.ndarray, "2 D"]:
        return np.stack([self.lower, self.upper])

    def regions(self) -> Mapping[str, BodyRegion]:
        return {"interior": BoxInside(self.bounds)} | {name: self._faces(name) for name in self._sides}

    @cached_property
    def _sides(self) -> dict[str, list[tuple[int, int]]]:
        """Boundary tag -> `(axis, end)` of its faces."""
        faces = [(axis, end) for axis in range(self.dimension) for end in (0, 1)]
        sides = {"boundary": faces}
        for axis, names in enumerate(SIDES.get(self.dimension, ())):
            sides |= {name: [(axis, end)] for end, name in enumerate(names)}
        return sides | {f"{('lower', 'upper')[end]}_{axis}": [(axis, end)] for axis, end in faces}

    def _faces(self, name: str) -> BoxFaces:
        axes, ends = np.array(self._sides[name]).T
        return BoxFaces(self.bounds, axes, ends)

    def facets(self, name: str) -> Facets:
        if self.dimension > _MOST_CORNERS:
            raise ValueError(
                f"The faces {name!r} of a box in {self.dimension} dimensions are not listed by their corners. For "
                "matching points evaluate an expression at translated coordinates, such as u(x + 1, y)."
            )
        faces = [self._simplices(axis, end) for axis, end in self._sides[name]]
        normals = np.repeat(self._faces(name).normals, [len(face) for face in faces], axis=0)
        return Facets(np.concatenate(faces), normals)

    def _simplices(self, axis: int, end: int) -> Float[np.ndarray, "S V D"]:
        """A face as a point, a segment or two triangles."""
        unit = {
            1: np.zeros((1, 1, 0)),
            2: np.array([[[0], [1]]]),
            3: np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]]),
        }
        corners = np.insert(np.asarray(unit[self.dimension], dtype=np.float64), axis, float(end), axis=2)
        return self.lower + corners * (self.upper - self.lower)

    def distance(self, names: Sequence[str], *, smooth: bool) -> Distance:
        faces = dict.fromkeys(face for name in names for face in self._sides[name])
        scale = self.diagonal

        def distance(*coordinates: Float[jnp.ndarray, "N 1"]) -> Float[jnp.ndarray, "N 1"]:
            columns = [
                coordinates[axis] - self.lower[axis] if end == 0 else self.upper[axis] - coordinates[axis]
                for axis, end in faces
            ]
            heights = jnp.concatenate(columns, axis=-1)
            if not smooth:
                return jnp.abs(heights).min(axis=-1, keepdims=True)
            return _joined(heights, scale)[:, None]

        return distance

    def outline(self) -> Float[np.ndarray, "E 2 2"]:
        corners = self.lower + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (self.upper - self.lower)
        return np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)


def _joined(heights: Float[Array, "N F"], scale: float) -> Float[Array, " N"]:
    """R-equivalence of the distances to planes, `1 / sum(1 / phi_i)` (Biswas and Shapiro, Graphical Models 66, 2004).

    It is differentiable on a single face; an edge belongs to one face alone.
    """
    # points that lie on a face up to rounding have the slope of the inside
    heights = jnp.where(heights >= -1e-6 * scale, heights, -heights)
    nearest = jnp.argmin(jax.lax.stop_gradient(heights), axis=1)[:, None]
    smallest = jnp.take_along_axis(heights, nearest, axis=1)
    farther = (jnp.arange(heights.shape[1]) != nearest) & (heights > 1e-6 * scale)
    inverse = jnp.where(farther, 1.0 / jnp.where(farther, heights, 1.0), 0.0)
    return smallest[:, 0] / (1.0 + smallest[:, 0] * jnp.sum(inverse, axis=1))
