"""Maps of the unit cube onto regions that preserve measure, for compiled code."""

from __future__ import annotations

import abc
import dataclasses
import itertools
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from jno.utils import Key

from ..geometry import Trapezoids
from ._device_samplers import Table, random_bits, unit_floats

DevicePoints: TypeAlias = tuple[Float[Array, "n _"], Float[Array, "n _"] | None]

_SPAN = 2**32
_SMALLEST = 2.0**-24
_FEW_PIECES = 64
"""So few pieces are compared with one by one."""


class DeviceMap(abc.ABC):
    """A map of the unit cube onto a region; preserves measure."""

    @abc.abstractmethod
    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        """The points of points of the unit cube in units of 2⁻³², and their outward normals on a boundary.

        Args:
            bits: points of the unit cube.
            key: gives what lies below the resolution of the points.
            dtype: of the result.
        """


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class BoxMap(DeviceMap):
    """A line, rectangle or box with edges along the axes, between the corners `low` and `high` `(D,)`."""

    low: Table
    high: Table

    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        low, high = jnp.asarray(self.low, dtype), jnp.asarray(self.high, dtype)
        return low + unit_floats(bits, dtype) * (high - low), None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Pieces:
    """The unit interval cut into pieces as long as the pieces of a region are large.

    Attributes:
        starts: where every piece begins `(M,)`, in units of 2⁻³².
        lengths: in the same unit, `(M,)`.
    """

    starts: Table
    lengths: Table

    @classmethod
    def of_sizes(cls, sizes: Float[np.ndarray, " M"]) -> tuple[Pieces, Int[np.ndarray, " m"]]:
        """The pieces, and which of the sizes are large enough to have one."""
        cumulative = np.cumsum(sizes)
        ends = np.rint(cumulative / cumulative[-1] * _SPAN).astype(np.int64)
        starts = np.concatenate([[0], ends[:-1]])
        proper = np.flatnonzero(ends > starts)
        return cls(starts[proper].astype(np.uint32), (ends - starts)[proper].astype(np.float64)), proper

    def choose(
        self, bits: UInt32[Array, " n"], key: Key, dtype: np.dtype
    ) -> tuple[Int[Array, " n"], Float[Array, " n"]]:
        """The piece in which a number falls, and where in it, between zero and one.

        A short piece has few numbers of 32 bits; what lies between two of them is drawn by the key.
        """
        method = "compare_all" if self.starts.shape[0] <= _FEW_PIECES else "scan_unrolled"
        piece = jnp.searchsorted(jnp.asarray(self.starts), bits, side="right", method=method) - 1
        beyond = (bits - jnp.asarray(self.starts)[piece]).astype(dtype)
        between = unit_floats(random_bits(key, bits.shape), dtype)
        share = (beyond + between) / jnp.asarray(self.lengths, dtype)[piece]
        return piece, jnp.clip(share, _SMALLEST, 1.0 - _SMALLEST)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class SimplexMap(DeviceMap):
    """Points, segments, triangles or tetrahedra by their sizes, with a normal each on a boundary.

    Attributes:
        pieces: of the unit interval, one for every simplex.
        corners: of the simplices, `(M, V, D)`.
        normals: `(M, D)`, `None` away from a boundary.
    """

    pieces: Pieces
    corners: Table
    normals: Table

    @classmethod
    def of(
        cls,
        corners: Float[np.ndarray, "M V D"],
        sizes: Float[np.ndarray, " M"],
        normals: Float[np.ndarray, "M D"] | None,
    ) -> SimplexMap:
        """The map onto simplices of these sizes."""
        pieces, proper = Pieces.of_sizes(sizes)
        return cls(pieces, corners[proper], None if normals is None else normals[proper])

    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        piece, share = self.pieces.choose(bits[:, 0], key, dtype)
        free = self.corners.shape[1] - 1
        cuts = _ascending([share, *(unit_floats(bits[:, axis], dtype) for axis in range(1, free))][:free])
        bounds = [jnp.zeros_like(share), *cuts, jnp.ones_like(share)]
        # the spacings of sorted uniform numbers are uniform barycentric coordinates (Devroye 1986, V.2)
        weights = [upper - lower for lower, upper in itertools.pairwise(bounds)][::-1]
        corners = jnp.asarray(self.corners, dtype)[piece]
        points = sum(weight[:, None] * corners[:, number] for number, weight in enumerate(weights))
        normals = None if self.normals is None else jnp.asarray(self.normals, dtype)[piece]
        return jnp.asarray(points), normals


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class TrapezoidMap(DeviceMap):
    """A polygonal area, cut into trapezoids: the sides of `Trapezoids`, whose `place` this is."""

    pieces: Pieces
    left: Table
    right: Table
    lower: Table
    upper: Table

    @classmethod
    def of(cls, trapezoids: Trapezoids) -> TrapezoidMap:
        """The map onto these trapezoids."""
        pieces, proper = Pieces.of_sizes(trapezoids.areas)
        sides = (trapezoids.left, trapezoids.right, trapezoids.lower, trapezoids.upper)
        return cls(pieces, *(side[proper] for side in sides))

    def place(self, bits: UInt32[Array, "n K"], key: Key, dtype: np.dtype) -> DevicePoints:
        piece, share = self.pieces.choose(bits[:, 0], key, dtype)
        lower, upper = (jnp.asarray(side, dtype)[piece] for side in (self.lower, self.upper))
        left, right = (jnp.asarray(side, dtype)[piece] for side in (self.left, self.right))
        width = upper - lower
        # the height varies linearly, so its share of the area is quadratic in the abscissa
        root = jnp.sqrt(width[:, 0] ** 2 + share * (width[:, 1] ** 2 - width[:, 0] ** 2))
        along = share * (width[:, 0] + width[:, 1]) / (width[:, 0] + root)
        low = lower[:, 0] + along * (lower[:, 1] - lower[:, 0])
        high = upper[:, 0] + along * (upper[:, 1] - upper[:, 0])
        vertical = unit_floats(bits[:, 1], dtype)
        return jnp.stack([left + along * (right - left), low + vertical * (high - low)], axis=1), None


def _ascending(columns: list[Float[Array, " n"]]) -> list[Float[Array, " n"]]:
    """Every row of a few columns in ascending order: exchanges, which compile to less than a sort."""
    columns = list(columns)
    for last in range(len(columns) - 1, 0, -1):
        for place in range(last):
            first, second = columns[place], columns[place + 1]
            columns[place], columns[place + 1] = jnp.minimum(first, second), jnp.maximum(first, second)
    return columns


def simplex_map(
    corners: Float[np.ndarray, "M V D"], sizes: Float[np.ndarray, " M"], normals: Float[np.ndarray, "M D"] | None
) -> DeviceMap:
    """The map onto simplices; onto the box that they fill, where they fill one."""
    if normals is None and corners.shape[1] == corners.shape[2] + 1:
        low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
        if abs(sizes.sum() - np.prod(high - low)) <= 1e-9 * np.prod(high - low):
            return BoxMap(low, high)
    return SimplexMap.of(corners, sizes, normals)
