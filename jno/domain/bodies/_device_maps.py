"""The maps onto bodies for compiled code."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from jno.utils import Key

from ..drawable import DeviceMap, DevicePoints, Pieces, Table, unit_floats
from ._directions import DEVICE, directions


def face_coordinates(
    dimension: int, axes: Int[np.ndarray, " F"]
) -> tuple[Int[np.ndarray, "F D"], Bool[np.ndarray, "F D"]]:
    """For every face and axis the number of the coordinate within the face, and whether the face is normal to it."""
    places = np.arange(dimension)
    across = places == axes[:, None]
    columns = np.clip(places - (places > axes[:, None]), 0, max(dimension - 2, 0))
    return columns, across


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FacesMap(DeviceMap):
    """Faces of a box by their areas, with their outward normals.

    Attributes:
        pieces: of the unit interval, one for every face.
        bounds: the lower and the upper corner `(2, D)`.
        columns: coordinate within the face, by face and axis `(F, D)`.
        across: whether a face is normal to an axis, `(F, D)`.
        values: coordinate of every face along its normal, `(F,)`.
        normals: `(F, D)`.
    """

    pieces: Pieces
    bounds: Table
    columns: Table
    across: Table
    values: Table
    normals: Table

    @classmethod
    def of(
        cls,
        bounds: Float[np.ndarray, "2 D"],
        sizes: Float[np.ndarray, " F"],
        axes: Int[np.ndarray, " F"],
        ends: Int[np.ndarray, " F"],
        normals: Float[np.ndarray, "F D"],
    ) -> FacesMap:
        """The map onto faces normal to these axes, at these ends of them."""
        pieces, proper = Pieces.of_sizes(sizes)
        columns, across = face_coordinates(bounds.shape[1], axes[proper])
        return cls(pieces, bounds, columns, across, bounds[ends, axes][proper], normals[proper])

    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        face, share = self.pieces.choose(bits[:, 0], key, dtype)
        inside = jnp.concatenate([share[:, None], unit_floats(bits[:, 1:], dtype)], axis=1)
        lower, upper = jnp.asarray(self.bounds, dtype)
        points = lower + jnp.take_along_axis(inside, jnp.asarray(self.columns)[face], axis=1) * (upper - lower)
        values = jnp.asarray(self.values, dtype)[face, None]
        return jnp.where(jnp.asarray(self.across)[face], values, points), jnp.asarray(self.normals, dtype)[face]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class BallMap(DeviceMap):
    """A ball, or the sphere around it, in two or more dimensions.

    Attributes:
        center: `(D,)`.
        radius: of the ball.
        on_sphere: whether the points lie on the sphere.
    """

    center: Table
    radius: Table
    on_sphere: bool = dataclasses.field(metadata={"static": True})

    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        center, radius = jnp.asarray(self.center, dtype), jnp.asarray(self.radius, dtype)
        dimension, unit = center.shape[0], unit_floats(bits, dtype)
        if self.on_sphere:
            normals = jnp.asarray(directions(unit, dimension, DEVICE))
            return center + radius * normals, normals
        size = radius * unit[:, :1] ** (1.0 / dimension)
        return center + size * directions(unit[:, 1:], dimension, DEVICE), None
