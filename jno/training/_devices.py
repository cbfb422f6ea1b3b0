"""The device mesh: where arrays lie, and how a step's work is shared out."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import TypeVar

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, ArrayLike

from jno.compiler import PRECOMPUTED
from jno.utils import get_logger

from ._types import Data, Modules

_BATCH, _MODEL = "batch", "model"

_Tree = TypeVar("_Tree")


@dataclasses.dataclass(frozen=True)
class Devices:
    """All devices as a mesh ``(batch, model)``.

    Over ``batch`` the samples of a step are shared out, or the points where there is one sample; parameters with two
    axes or more are cut along their last over ``model``.  XLA inserts the communication: the numbers are those of one
    device up to rounding.
    """

    mesh: Mesh
    by_user: bool
    """Whether the user gave the shape of the mesh."""

    @classmethod
    def of_shape(cls, shape: object) -> Devices:
        """The mesh of a shape ``(batch, model)``; ``None`` and ``(1, 1)`` take all devices for data.

        Under ``jax.default_device(device)`` that device is the only one.

        Raises:
            ValueError: a shape whose product is not the number of devices.
        """
        devices = np.array(_available())
        requested = tuple(shape) if isinstance(shape, list | tuple) else (1, 1) if shape is None else (shape,)
        sizes = [n for n in requested if isinstance(n, int) and not isinstance(n, bool) and n >= 1]
        if len(requested) != 2 or len(sizes) != 2:
            raise ValueError(f"mesh={shape!r}: expected (batch, model), two integers of at least 1")
        by_user = sizes != [1, 1]
        batch, model = sizes if by_user else (len(devices), 1)
        if batch * model != len(devices):
            raise ValueError(
                f"mesh={shape!r} asks for {batch * model} devices, JAX has {len(devices)}: batch * model must "
                "equal the number of devices (inside jax.default_device there is one)"
            )
        return cls(Mesh(devices.reshape(batch, model), (_BATCH, _MODEL)), by_user)

    @property
    def several(self) -> bool:
        """Whether there is more than one device."""
        return self.mesh.size > 1

    @property
    def launches_ahead(self) -> bool:
        """True on accelerators, where a loop condition evaluated every iteration forces a host synchronisation."""
        return self.mesh.devices.flat[0].platform != "cpu"

    @property
    def parameter_sharding(self) -> PartitionSpec:
        """How parameters with two axes are cut; those with more axes along the last one, vectors not at all."""
        return PartitionSpec(None, _MODEL)

    @property
    def data_sharding(self) -> PartitionSpec:
        """How the samples of a step are cut."""
        return PartitionSpec(_BATCH, None)

    def check_batch(self, size: int, batchsize: int | None) -> None:
        """Refuse a number of samples per step that the mesh does not divide.

        Raises:
            ValueError: naming both numbers.
        """
        parts = self.mesh.shape[_BATCH]
        if size > 1 and size % parts and (self.by_user or batchsize is not None) and parts > 1:
            raise ValueError(
                f"a step sees {size} samples, which the {parts} devices of the batch axis of mesh="
                f"{tuple(self.mesh.shape.values())} do not divide; choose batchsize= as a multiple of {parts}"
            )

    # --- arrays -----------------------------------------------------------------------------------------------
    def place_data(
        self,
        data: Mapping[tuple[str, str], Array | np.ndarray],
        batched: Collection[tuple[str, str]],
        *,
        micro_batches: bool = False,
    ) -> Data:
        """Arrays on the devices; those with one row per sample are cut where the mesh divides them."""
        if not self.several:
            return jax.tree_util.tree_map(jax.numpy.asarray, data)
        axis = int(micro_batches)
        return {
            name: self._put(array, self._samples(array, axis) if name in batched else PartitionSpec())
            for name, array in data.items()
        }

    def place(self, tree: _Tree) -> _Tree:
        """Parameters or optimizer states on the devices."""
        if not self.several:
            return tree
        return jax.tree_util.tree_map(lambda leaf: self._put(leaf, self._cut(leaf)), tree)

    def on_all(self, modules: Modules) -> Modules:
        """Complete modules where a computation outside training can use them."""
        if not self.several:
            return modules
        arrays, static = eqx.partition(modules, eqx.is_array)
        return eqx.combine(self.place(arrays), static)

    def spread(self, batch: Data, batched: Collection[tuple[str, str]], *, micro_batches: bool = False) -> Data:
        """Inside a step: share out its samples, or the points of its only sample."""
        if not self.several:
            return batch
        axis = int(micro_batches)
        rows = {array.shape[axis] for name, array in batch.items() if name in batched}
        by_samples = bool(rows) and max(rows) % self.mesh.shape[_BATCH] == 0

        def spec(name: tuple[str, str], array: Array | np.ndarray) -> PartitionSpec | None:
            if by_samples:
                return self._samples(array, axis) if name in batched else None
            points = name[0] in ("points", "nearest", PRECOMPUTED) and array.ndim > 2 and array.shape[2] > 1
            return PartitionSpec(*[None] * 2, _BATCH) if points and not micro_batches else None

        def shared(array: Array, spec: PartitionSpec | None) -> Array:
            return array if spec is None else jax.lax.with_sharding_constraint(array, NamedSharding(self.mesh, spec))

        return {name: shared(array, spec(name, array)) for name, array in batch.items()}

    def hold(self, parameters: _Tree) -> _Tree:
        """Inside a step: keep parameters where `place` put them."""
        if not self.several:
            return parameters
        hold = lambda leaf: jax.lax.with_sharding_constraint(leaf, NamedSharding(self.mesh, self._cut(leaf)))  # noqa: E731
        return jax.tree_util.tree_map(hold, parameters)

    def _put(self, array: ArrayLike, spec: PartitionSpec) -> Array:
        return jax.device_put(array, NamedSharding(self.mesh, spec))

    def _cut(self, leaf: Array | np.ndarray) -> PartitionSpec:
        parts = self.mesh.shape[_MODEL]
        if parts == 1 or leaf.ndim < 2:
            return PartitionSpec()
        if leaf.shape[-1] % parts:
            get_logger().once(
                f"an array of shape {tuple(leaf.shape)} is not cut over the {parts} devices of the model axis, which "
                "do not divide its last axis: every device holds all of it"
            )
            return PartitionSpec()
        return PartitionSpec(*[None] * (leaf.ndim - 1), _MODEL)

    def _samples(self, array: Array | np.ndarray, axis: int) -> PartitionSpec:
        if array.shape[axis] % self.mesh.shape[_BATCH]:
            return PartitionSpec()
        return PartitionSpec(*[None] * axis, _BATCH)


def _available() -> list[jax.Device]:
    default: jax.Device | str | None = jax.config.jax_default_device  # type: ignore[attr-defined]
    if default is None:
        return jax.devices()
    # the name of a platform stands for its first device
    return [jax.devices(default)[0] if isinstance(default, str) else default]
