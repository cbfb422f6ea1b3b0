"""The arrays a program reads, in the layout ``(B, T, …)``, and how their outer axes are peeled."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Int, Shaped

from jno.domain import domain as Domain

from ._readings import read
from ._types import GEOMETRY, Name

KINDS = ("points", "times", "tensors", "nearest", "weights")


@dataclasses.dataclass(frozen=True)
class Entry:
    """Layout of one array: whether its leading axis runs over samples, and whether a time axis follows."""

    kind: str
    rows: int
    """Leading length before equal rows were stored once: the sample axis users see."""
    batched: bool
    has_batch_axis: bool
    levels: int | None
    """Length of the time axis (1 or T) that follows the batch axis; ``None`` when there is none."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """``(kind, tag)`` → `Entry`, and the lengths of the outer axes."""

    entries: Mapping[Name, Entry]
    samples: int
    levels: int

    @property
    def batched(self) -> tuple[Name, ...]:
        """Keys of the arrays with one row per sample: what a mini-batch selects from."""
        return tuple(key for key, entry in self.entries.items() if entry.batched)


def prepare(
    context: Mapping[str, Any],
    domain: Domain,
    kinds: Mapping[str, str],
    fd_tags: frozenset[str],
    weights: Mapping[str, int],
    on_meshes: bool = False,
    point_sets: Collection[str] = (),
) -> tuple[Layout, dict[Name, Any]]:
    """The arrays of the tags an evaluation needs, as the host has them.

    Args:
        context: arrays by tag, as ``domain.context``.
        domain: knows the number of samples and the mesh.
        kinds: what the expressions depend on: tag → "points" (coordinates, normals), "times" or "tensors".
        weights: number of losses by group of balanced losses.
        fd_tags: point tags that need their nearest mesh nodes.
        on_meshes: whether anything is computed on the meshes, so that every sample must know its own.
        point_sets: tags whose points say how data is meant, beside those of ``kinds``.

    Returns:
        the layout and the arrays; rows or levels that are equal are stored once.  Data that is not an array in
        memory (a data set of a file) stays what it is.

    Raises:
        ValueError: unknown tag, or data that can be meant in no way, or in two.
    """
    entries: dict[Name, Entry] = {}
    arrays: dict[Name, Any] = {}
    samples = int(domain.total_samples)
    levels = 1
    for tag in sorted(kinds):
        if tag not in context:
            raise ValueError(f"tag {tag!r} is not in the domain's context; it has {sorted(context)}")
        if kinds[tag] == "points":
            array = _compact(np.asarray(context[tag]))
            rows = np.shape(context[tag])[0]
            key, entry = ("points", tag), Entry("points", rows, array.shape[0] > 1, True, array.shape[1])
        elif kinds[tag] == "times":
            array = np.asarray(context[tag])
            key, entry = ("times", tag), Entry("times", 1, False, False, array.shape[0])
            levels = max(levels, array.shape[0])
        else:
            array, entry = _tensor(tag, context[tag], domain, context, {**dict.fromkeys(point_sets, "points"), **kinds})
            key = ("tensors", tag)
        entries[key], arrays[key] = entry, array
        levels = max(levels, entry.levels or 1)
        if tag in fd_tags:
            nearest = _nearest_nodes(array, domain)
            entries["nearest", tag] = Entry("nearest", 1, nearest.shape[0] > 1, True, 1)
            arrays["nearest", tag] = nearest
    for name, losses in weights.items():
        entries["weights", name] = Entry("weights", 1, False, False, None)
        arrays["weights", name] = np.ones(losses)
    if on_meshes and not domain.same_domain:
        entries["tensors", GEOMETRY] = Entry("tensors", samples, True, True, None)
        arrays["tensors", GEOMETRY] = np.asarray(domain.mesh_numbers)
    stored = [arrays[key].shape[0] for key, entry in entries.items() if entry.batched]
    return Layout(entries, max(stored, default=1), levels), arrays


def _compact(array: Shaped[np.ndarray, "B T ..."]) -> Shaped[np.ndarray, ...]:
    """Store rows and levels that are broadcast views (zero stride) once."""
    for axis in (0, 1):
        if array.shape[axis] > 1 and array.strides[axis] == 0:
            array = array[(slice(None),) * axis + (slice(0, 1),)]
    return array


def selected(array: Any, rows: Int[np.ndarray, " B"]) -> np.ndarray:
    """Rows of an array or of a data set, which wants increasing indices."""
    order = np.argsort(rows, kind="stable")
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return np.asarray(array[np.asarray(rows)[order]])[inverse]


def _tensor(
    tag: str, array: Any, domain: Domain, context: Mapping[str, Any], kinds: Mapping[str, str]
) -> tuple[Any, Entry]:
    sets = [name for name, kind in kinds.items() if kind == "points" and name not in domain.normal_tags]
    counts = {name: int(np.shape(context[name])[2]) for name in sets if name in context}
    resampled = frozenset(record.tag for record in domain.samples.resampled)
    reading = read(tag, array, int(domain.total_samples), counts, resampled)
    shape = reading.array.shape
    levels = len(context["__time__"]) if "__time__" in context else 1
    has_levels = len(shape) >= 4 and reading.has_sample_axis and shape[1] in (1, levels)
    rows = shape[0] if reading.has_sample_axis else 1
    return reading.array, Entry(
        "tensors", rows, reading.batched, reading.has_sample_axis, shape[1] if has_levels else None
    )


def _nearest_nodes(points: Shaped[np.ndarray, "B T N D"], domain: Domain) -> Int[np.ndarray, "B 1 N"]:
    """Node of the row's mesh closest to each point of the first time level, ``(B, 1, N)``."""
    from scipy.spatial import cKDTree

    meshes = [mesh for mesh in domain.meshes if mesh is not None]
    if len(meshes) < len(domain.meshes):
        return np.zeros((points.shape[0], 1, points.shape[2]), dtype=np.int32)
    trees = [cKDTree(np.asarray(mesh["points"])) for mesh in meshes]
    if len(trees) == 1:
        nearest = trees[0].query(points[:, 0])[1]
    else:
        rows = np.broadcast_to(points[:, 0], (len(domain.mesh_numbers), *points.shape[2:]))
        nearest = np.stack([trees[mesh].query(row)[1] for mesh, row in zip(domain.mesh_numbers, rows, strict=True)])
    return nearest.astype(np.int32)[:, None]


def on_device(array: ArrayLike) -> jax.Array:
    """A copy of a host array on the device, whose memory it does not share.

    ``jnp.asarray`` compiles a program for every shape.
    """
    return jax.device_put(np.array(array))


class DomainData(NamedTuple):
    """The arrays of a domain on the device, by tag, and the number of its coordinates."""

    context: dict[str, jax.Array]
    dimension: int


def domain_data(domain: Domain) -> DomainData:
    """See `DomainData`; data sets of files are read."""
    return DomainData({tag: on_device(array[:]) for tag, array in domain.context.items()}, domain.dimension)
