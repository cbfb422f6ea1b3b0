"""Simplices cut in halves until they are small where that is asked for, and the cell that a point lies in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from math import factorial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..geometry import squared_distances

_MOST = 400_000
_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Cuts:
    """The tree of halves; it begins with the simplices that were cut.

    Attributes:
        normals: of the plane that cuts a node `(T, D)`.
        offsets: of the plane `(T,)`: the half with number one lies beyond.
        halves: the nodes of the two halves `(T, 2)`, the node itself where it is not cut.
        depth: of the tree.
    """

    normals: Float[np.ndarray, "T D"]
    offsets: Float[np.ndarray, " T"]
    halves: Int[np.ndarray, "T 2"]
    depth: int

    @classmethod
    def none(cls, count: int, dimension: int) -> Cuts:
        """A tree of roots only."""
        return cls(np.zeros((count, dimension)), np.zeros(count), np.repeat(np.arange(count)[:, None], 2, axis=1), 0)

    def with_halves(
        self, nodes: Int[np.ndarray, " C"], normals: Float[np.ndarray, "C D"], offsets: Float[np.ndarray, " C"]
    ) -> Cuts:
        """The tree in which these nodes are cut too; their halves are the next nodes, in order."""
        halves = len(self.offsets) + np.arange(2 * len(nodes)).reshape(-1, 2)
        new = Cuts.none(2 * len(nodes), normals.shape[1])
        tree = Cuts(
            np.concatenate([self.normals, new.normals]),
            np.concatenate([self.offsets, new.offsets]),
            np.concatenate([self.halves, len(self.offsets) + new.halves]),
            self.depth + 1,
        )
        tree.normals[nodes], tree.offsets[nodes], tree.halves[nodes] = normals, offsets, halves
        return tree

    def leaf(self, points: Float[Array, "N D"], root: Int[Array, " N"]) -> Int[Array, " N"]:
        """The node without halves that points of a root lie in."""
        normals, offsets = jnp.asarray(self.normals, points.dtype), jnp.asarray(self.offsets, points.dtype)
        halves = jnp.asarray(self.halves)

        def descend(_: Int[Array, ""], node: Int[Array, " N"]) -> Int[Array, " N"]:
            beyond = jnp.sum(points * normals[node], axis=1) > offsets[node]
            return halves[node, beyond.astype(int)]

        return jax.lax.fori_loop(0, self.depth, descend, root)


@dataclass(frozen=True, eq=False)
class BisectedCells:
    """The cells, in an order in which halves are neighbours.

    Attributes:
        corners: `(M, V, D)`.
        normals: of cells on a boundary, else `None`.
        roots: the simplices that were cut `(R, V, D)`.
        cuts: how.
        leaves: node of every cell in the tree of cuts `(M,)`.
        densities: of every cell `(M,)`.
    """

    corners: Float[np.ndarray, "M V D"]
    normals: Float[np.ndarray, "M D"] | None
    roots: Float[np.ndarray, "R V D"]
    cuts: Cuts
    leaves: Int[np.ndarray, " M"]
    densities: Float[np.ndarray, " M"]

    def with_densities(self, densities: Float[np.ndarray, " M"]) -> BisectedCells:
        """The same cells with these densities."""
        return replace(self, densities=densities)

    def density(self, *coordinates: Float[Array, "N 1"]) -> Float[Array, "N 1"]:
        """The density at points of the cells."""
        points = jax.lax.stop_gradient(jnp.concatenate(jnp.broadcast_arrays(*coordinates), axis=-1))
        of_node = np.zeros(len(self.cuts.offsets))
        of_node[self.leaves] = self.densities
        return jnp.asarray(of_node, points.dtype)[self.cuts.leaf(points, self._root(points))][:, None]

    def _root(self, points: Float[Array, "N D"]) -> Int[Array, " N"]:
        """The uncut simplex that a point lies in, or next to."""
        roots = jnp.asarray(self.roots, points.dtype)
        outside = _outside if self.roots.shape[1] == self.roots.shape[2] + 1 else squared_distances

        def nearest(point: Float[Array, " D"]) -> Int[Array, ""]:
            return jnp.argmin(outside(point[None], roots))

        return jax.lax.map(nearest, points, batch_size=max(1, _AT_ONCE // len(roots)))


def _outside(points: Float[Array, "1 D"], corners: Float[Array, "R V D"]) -> Float[Array, " R"]:
    """Minus the smallest barycentric coordinate."""
    edges = jnp.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
    later = jnp.linalg.solve(edges, (points - corners[:, 0])[..., None])[..., 0]
    return jnp.maximum(jnp.max(-later, axis=1), jnp.sum(later, axis=1) - 1.0)


def sizes_of(corners: Float[np.ndarray, "M V D"]) -> Float[np.ndarray, " M"]:
    """Lengths, areas or volumes."""
    sides = corners[:, 1:] - corners[:, :1]
    gram = np.einsum("mid,mjd->mij", sides, sides)
    return np.sqrt(np.maximum(np.linalg.det(gram), 0.0)) / factorial(sides.shape[1])


def bisected(
    roots: Float[np.ndarray, "R V D"],
    normals: Float[np.ndarray, "R D"] | None,
    resolution: Callable[[Float[np.ndarray, "N D"]], Float[np.ndarray, " N"]],
    what: str,
) -> BisectedCells:
    """Simplices whose longest edges are halved until they are shorter than `resolution` at the centroid.

    Raises:
        ValueError: that takes too many cells; `what` names what asks for them.
    """
    cuts = Cuts.none(len(roots), roots.shape[2])
    corners, leaves, root = roots, np.arange(len(roots)), np.arange(len(roots))
    coarse = _longest_edges(corners)[2] > resolution(corners.mean(axis=1))
    while np.any(coarse):
        if len(corners) + np.count_nonzero(coarse) > _MOST:
            raise ValueError(
                f"graded(...): {what} takes more than {_MOST} cells. Give a larger finest=, or fewer places in near=."
            )
        halves, plane_normals, offsets = _halved(corners[coarse])
        cuts = cuts.with_halves(leaves[coarse], plane_normals, offsets)
        new_leaves = cuts.halves[leaves[coarse]]
        times = 1 + coarse.astype(int)
        cut = np.repeat(coarse, times)
        corners, leaves, root = (np.repeat(array, times, axis=0) for array in (corners, leaves, root))
        corners[cut], leaves[cut] = halves.reshape(-1, *roots.shape[1:]), new_leaves.ravel()
        coarse = np.zeros(len(corners), dtype=bool)
        coarse[cut] = _longest_edges(corners[cut])[2] > resolution(corners[cut].mean(axis=1))
    return BisectedCells(
        corners, None if normals is None else normals[root], roots, cuts, leaves, np.ones(len(corners))
    )


def _longest_edges(
    corners: Float[np.ndarray, "M V D"],
) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """The two corners of the longest edge of every simplex, and its length."""
    ends = np.array(list(combinations(range(corners.shape[1]), 2)))
    lengths = np.linalg.norm(corners[:, ends[:, 1]] - corners[:, ends[:, 0]], axis=2)
    longest = np.argmax(lengths, axis=1)
    return ends[longest, 0], ends[longest, 1], lengths.max(axis=1)


def _halved(
    corners: Float[np.ndarray, "M V D"],
) -> tuple[Float[np.ndarray, "M 2 V D"], Float[np.ndarray, "M D"], Float[np.ndarray, " M"]]:
    """The halves by the middle of the longest edge, and the planes between them, whose normals lie in the simplices."""
    rows = np.arange(len(corners))
    tail, head, _ = _longest_edges(corners)
    middle = (corners[rows, tail] + corners[rows, head]) / 2.0
    halves = np.stack([corners, corners], axis=1)
    halves[rows, 0, head], halves[rows, 1, tail] = middle, middle
    normal = corners[rows, head] - corners[rows, tail]
    # the plane holds the other corners: of the edge remains what is orthogonal to them
    spanning: list[np.ndarray] = []
    for number in range(corners.shape[1]):
        side = corners[:, number] - middle
        side[(tail == number) | (head == number)] = 0.0
        for unit in spanning:
            side = side - np.sum(side * unit, axis=1, keepdims=True) * unit
        length = np.linalg.norm(side, axis=1, keepdims=True)
        spanning.append(np.divide(side, length, out=np.zeros_like(side), where=length > 0.0))
        normal = normal - np.sum(normal * spanning[-1], axis=1, keepdims=True) * spanning[-1]
    return halves, normal, np.sum(normal * middle, axis=1)
