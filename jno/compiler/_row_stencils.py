"""Finite-difference stencils of a domain's meshes; on a merged domain a sample uses those of its mesh."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped

from jno.differential_operators import Stencil

Build = Callable[..., Any]
"""``build(points, elements, *arguments)``: a stencil, or a tree of them."""

_Index = Int[Array, ""]

_ELEMENTS = {1: "lines", 2: "triangles", 3: "tetrahedra"}


class SampleStencils(abc.ABC):
    """The stencils on the mesh of one sample."""

    @property
    @abc.abstractmethod
    def points(self) -> Float[Array | np.ndarray, "M D"]:
        """Nodes of the mesh."""

    @property
    @abc.abstractmethod
    def padded(self) -> bool:
        """Whether the last nodes may be copies that do not count."""

    @abc.abstractmethod
    def stencil(self, build: Build, *arguments: object) -> Any:
        """``build(points, elements, *arguments)`` on this mesh, built once."""


class Stencils(abc.ABC):
    """The stencils of all samples."""

    @abc.abstractmethod
    def of(self, geometry: _Index | None) -> SampleStencils:
        """The stencils of a sample; ``geometry`` is the (traced) number of its mesh, None where all share one."""


class MeshStencils(Stencils, SampleStencils):
    """Stencils of one mesh, each built once; all samples share them."""

    padded = False

    def __init__(self, connectivity: Mapping[str, Any]) -> None:
        self._points = np.asarray(connectivity["points"])
        self._elements = np.asarray(connectivity[_ELEMENTS[connectivity["dimension"]]])
        self._built: dict[Any, Any] = {}

    @property
    def points(self) -> Float[np.ndarray, "M D"]:
        return self._points

    def of(self, geometry: _Index | None) -> MeshStencils:
        return self

    def stencil(self, build: Build, *arguments: object) -> Any:
        key = (build.__name__, arguments)
        if key not in self._built:
            self._built[key] = build(self._points, self._elements, *arguments)
        return self._built[key]


def row_stencils(meshes: Sequence[Mapping[str, Any] | None]) -> Stencils | None:
    """Stencils of the distinct meshes of a domain, ``None`` where a row has no mesh."""
    stencils = [MeshStencils(mesh) for mesh in meshes if mesh is not None]
    if len(stencils) < len(meshes):
        return None
    return stencils[0] if len(stencils) == 1 else MergedStencils(stencils)


class MergedStencils(Stencils):
    """Stencils of several meshes, padded to a common number of nodes and entries."""

    def __init__(self, meshes: Sequence[MeshStencils]) -> None:
        self._meshes = list(meshes)
        self._built: dict[Any, Any] = {}
        self.padded = len({len(mesh.points) for mesh in meshes}) > 1
        self.points = stack_padded([mesh.points for mesh in meshes])

    def of(self, geometry: _Index | None) -> RowStencils:
        assert geometry is not None, "every sample of a merged domain has a mesh"
        return RowStencils(self, geometry)

    def table(self, build: Build, arguments: tuple[object, ...]) -> tuple[list[_Entries], jax.tree_util.PyTreeDef]:
        """Entries of the stencils an operator consists of, on all meshes, and how to put it together again."""
        key = (build.__name__, arguments)
        if key not in self._built:
            operators = [mesh.stencil(build, *arguments) for mesh in self._meshes]
            flat = [jax.tree_util.tree_flatten(operator, is_leaf=_is_stencil) for operator in operators]
            entries = [_stack(stencils) for stencils in zip(*(leaves for leaves, _ in flat), strict=True)]
            self._built[key] = (entries, flat[0][1])
        return self._built[key]


@dataclasses.dataclass(frozen=True)
class RowStencils(SampleStencils):
    """The row of a sample in the stencils of all meshes."""

    merged: MergedStencils
    geometry: _Index

    @property
    def padded(self) -> bool:
        return self.merged.padded

    @property
    def points(self) -> Float[Array, "M D"]:
        """Nodes of the sample's mesh, ``(n, D)``; copies of its first node fill it up."""
        return jnp.asarray(self.merged.points)[self.geometry]

    def stencil(self, build: Build, *arguments: object) -> Any:
        entries, structure = self.merged.table(build, arguments)
        return jax.tree_util.tree_unflatten(structure, [part.of(self.geometry) for part in entries])


def stack_padded(arrays: Sequence[Shaped[np.ndarray, ...]]) -> Shaped[np.ndarray, "G M ..."]:
    """Arrays ``(n_i, ...)`` as one ``(G, max n_i, ...)``, filled up with copies of their first entries."""
    longest = max(len(array) for array in arrays)
    return np.stack([np.concatenate([array, np.repeat(array[:1], longest - len(array), axis=0)]) for array in arrays])


def _is_stencil(node: PyTree) -> bool:
    return isinstance(node, Stencil)


@dataclasses.dataclass(frozen=True)
class _Entries:
    """A stencil on every mesh, ``(G, K)``, padded with entries of value zero."""

    row: Int[np.ndarray, "G K"]
    col: Int[np.ndarray, "G K"]
    value: Float[np.ndarray, "G K"]
    n: int

    def of(self, geometry: _Index) -> Stencil:
        row, col, value = (jnp.asarray(table)[geometry] for table in (self.row, self.col, self.value))
        return Stencil(row, col, value, self.n)


def _stack(stencils: Sequence[Stencil]) -> _Entries:
    n, entries = max(stencil.n for stencil in stencils), max(len(stencil.row) for stencil in stencils)

    def table(arrays: Sequence[np.ndarray], filler: int | float) -> Shaped[np.ndarray, "G K"]:
        return np.stack([np.pad(array, (0, entries - len(array)), constant_values=filler) for array in arrays])

    # The padding belongs to the last node: rows must ascend.
    return _Entries(
        table([np.asarray(stencil.row) for stencil in stencils], n - 1),
        table([np.asarray(stencil.col) for stencil in stencils], n - 1),
        table([np.asarray(stencil.value) for stencil in stencils], 0.0),
        n,
    )
