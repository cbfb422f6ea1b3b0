"""Finite-difference stencils of merged domains: every sample uses those of its own mesh."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jno.differential_operators import Stencil

from ._finite_difference import MeshStencils


def row_stencils(meshes: Sequence[Any]) -> Any:
    """Stencils of the distinct meshes of a domain, ``None`` where a row has no mesh."""
    if any(mesh is None for mesh in meshes):
        return None
    stencils = [MeshStencils(mesh) for mesh in meshes]
    return stencils[0] if len(stencils) == 1 else MergedStencils(stencils)


class MergedStencils:
    """Stencils of several meshes, padded to a common number of nodes and entries."""

    def __init__(self, meshes: Sequence[MeshStencils]) -> None:
        self._meshes = list(meshes)
        self._built: dict[Any, Any] = {}
        self.padded = len({len(mesh.points) for mesh in meshes}) > 1
        self.points = stack_padded([mesh.points for mesh in meshes])

    def of(self, geometry: Any) -> RowStencils:
        """The stencils of one sample; ``geometry`` is the (traced) number of its mesh."""
        return RowStencils(self, geometry)

    def table(self, build: Any, arguments: tuple[Any, ...]) -> tuple[list[_Entries], Any]:
        """Entries of the stencils an operator consists of, on all meshes, and how to put it together again."""
        key = (build.__name__, arguments)
        if key not in self._built:
            operators = [mesh.stencil(build, *arguments) for mesh in self._meshes]
            flat = [jax.tree_util.tree_flatten(operator, is_leaf=_is_stencil) for operator in operators]
            entries = [_stack(stencils) for stencils in zip(*(leaves for leaves, _ in flat), strict=True)]
            self._built[key] = (entries, flat[0][1])
        return self._built[key]


@dataclasses.dataclass(frozen=True)
class RowStencils:
    """The row of a sample in the stencils of all meshes."""

    merged: MergedStencils
    geometry: Any

    @property
    def padded(self) -> bool:
        """Whether the last nodes may be copies."""
        return self.merged.padded

    @property
    def points(self) -> Any:
        """Nodes of the sample's mesh, ``(n, D)``; copies of its first node fill it up."""
        return jnp.asarray(self.merged.points)[self.geometry]

    def stencil(self, build: Any, *arguments: Any) -> Any:
        """The stencil on the sample's mesh."""
        entries, structure = self.merged.table(build, arguments)
        return jax.tree_util.tree_unflatten(structure, [part.of(self.geometry) for part in entries])


def stack_padded(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays ``(n_i, ...)`` as one ``(G, max n_i, ...)``, filled up with copies of their first entries."""
    longest = max(len(array) for array in arrays)
    return np.stack([np.concatenate([array, np.repeat(array[:1], longest - len(array), axis=0)]) for array in arrays])


def _is_stencil(node: Any) -> bool:
    return isinstance(node, Stencil)


@dataclasses.dataclass(frozen=True)
class _Entries:
    """A stencil on every mesh, ``(G, K)``, padded with entries of value zero."""

    row: np.ndarray
    col: np.ndarray
    value: np.ndarray
    n: int

    def of(self, geometry: Any) -> Stencil:
        row, col, value = (jnp.asarray(table)[geometry] for table in (self.row, self.col, self.value))
        return Stencil(row, col, value, self.n)


def _stack(stencils: Sequence[Stencil]) -> _Entries:
    n, entries = max(stencil.n for stencil in stencils), max(len(stencil.row) for stencil in stencils)

    def table(arrays: Sequence[Any], filler: Any) -> np.ndarray:
        return np.stack([np.pad(array, (0, entries - len(array)), constant_values=filler) for array in arrays])

    # The padding belongs to the last node: rows must ascend.
    return _Entries(
        table([stencil.row for stencil in stencils], n - 1),
        table([stencil.col for stencil in stencils], n - 1),
        table([stencil.value for stencil in stencils], 0.0),
        n,
    )
