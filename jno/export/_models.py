"""Networks as functions of arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree, Shaped

from jno.architectures import build_module, constrained, is_uninitialized
from jno.compiler import call_module
from jno.trace import Model, compile_network, export_network
from jno.utils import get_network_seed

from ._files import ExportedFile, checked_format, write
from ._function import Argument, ArrayFunction, differs
from .iree import IREEModel, checked_options, compiled

_ROWS = 32
"""Rows that are enough to see whether they influence each other."""


@export_network.register
def export_model(
    model: Model,
    path: str | os.PathLike[str],
    sample_inputs: object,
    *,
    format: str | None = None,
    platforms: Sequence[str] | None = None,
    polymorphic: bool | Sequence[bool] = True,
) -> ExportedFile:
    """See `jno.trace.Model.export`."""
    file_format = checked_format(path, format, platforms)
    return write(model_function(model, sample_inputs, polymorphic), path, file_format, platforms)


@compile_network.register
def compile_model(
    model: Model, sample_inputs: object, *, target_backend: str = "llvm-cpu", optimization_level: int = 3
) -> IREEModel:
    """See `jno.trace.Model.to_iree`."""
    checked_options(target_backend, optimization_level)
    return compiled(model_function(model, sample_inputs, False), target_backend, optimization_level)


def model_function(model: Model, sample_inputs: object, polymorphic: bool | Sequence[bool]) -> ArrayFunction:
    """The network as a core calls it, with its current weights, over arrays like the samples."""
    samples = _arrays(sample_inputs, model)
    by_rows = _free_axes(samples, polymorphic)
    _build(model, samples)
    module = constrained(eqx.nn.inference_mode(model.module), model)

    def network(*arrays: Array) -> Array:
        return _forward(model, module, arrays)

    def row(*arrays: Array) -> Array:
        output = network(*(array[None] if free else array for array, free in zip(arrays, by_rows, strict=True)))
        if output.ndim == 0 or output.shape[0] != 1:
            raise ValueError(f"{model.model_key} returns shape {tuple(output.shape)} for one row; {_FIXED_SHAPES}")
        return output[0]

    names = ["input"] if len(samples) == 1 else [f"input_{number}" for number in range(len(samples))]
    arguments = tuple(map(Argument, names, samples, by_rows))
    if not any(by_rows):
        return ArrayFunction(model.model_key, network, arguments)
    mapped = jax.vmap(row, in_axes=[0 if free else None for free in by_rows])
    _refuse_coupling(model, network, mapped, samples, by_rows)
    return ArrayFunction(model.model_key, mapped, arguments)


def _arrays(sample_inputs: object, model: Model) -> list[Array]:
    inputs = list(sample_inputs) if isinstance(sample_inputs, list | tuple) else [sample_inputs]
    if not inputs:
        raise ValueError(f"{model.model_key}: sample_inputs is empty; give one array per argument of the network")
    for number, array in enumerate(inputs):
        if not isinstance(array, np.ndarray | np.generic | jax.Array) or array.dtype.kind not in "biufcV":
            raise TypeError(
                f"{model.model_key}: sample_inputs must be an array, or a list of arrays, one per argument; entry "
                f"{number} is {type(array).__name__}"
            )
    return [jnp.asarray(array) for array in inputs]


def _free_axes(samples: Sequence[Array], polymorphic: bool | Sequence[bool]) -> list[bool]:
    shapes = ", ".join(str(tuple(array.shape)) for array in samples)
    if isinstance(polymorphic, bool):
        free = [polymorphic and array.ndim >= 2 for array in samples]
        if polymorphic and not any(free):
            raise ValueError(
                f"sample_inputs of shape {shapes}: none has an axis of rows, (N, D); give such an array, or "
                "polymorphic=False for these shapes"
            )
    else:
        free = list(polymorphic) if isinstance(polymorphic, list | tuple) else []
        if not free or not all(isinstance(entry, bool) for entry in free):
            raise TypeError(f"polymorphic={polymorphic!r}: it must be True, False, or a list of one flag per array")
        scalars = [is_free and array.ndim == 0 for is_free, array in zip(free, samples, strict=False)]
        if len(free) != len(samples) or any(scalars):
            raise ValueError(
                f"polymorphic={free} for sample_inputs of shape {shapes}: one flag per array is needed, True only "
                "where there is a leading axis"
            )
    lengths = {array.shape[0] for array, is_free in zip(samples, free, strict=True) if is_free}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(
            f"sample_inputs of shape {shapes}: arrays with rows need the same number of them, at least one; name the "
            "arrays of fixed shape with polymorphic=[True, False, ...]"
        )
    return free


def _build(model: Model, samples: Sequence[Array]) -> None:
    """Load the weights, put in the adapters and cast to the dtype that wait for a core."""
    if is_uninitialized(model.module):
        if model.controls.waiting_initialization is None:
            raise ValueError(
                f"{model.model_key} has no weights yet: build a core with it (jno.core([...])) and train it, or load "
                "weights with initialize()"
            )
        jax.eval_shape(lambda *arrays: _forward(model, model.module, arrays), *samples)
    build_module(model, lambda: jax.random.PRNGKey(get_network_seed()))


def _forward(model: Model, module: PyTree, arrays: Sequence[Array]) -> Array:
    dtype = model.controls.dtype
    inputs = [array.reshape(1) if array.ndim == 0 else array for array in arrays]
    if dtype is not None:
        inputs = [a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.inexact) else a for a in inputs]
    output = call_module(module, inputs, None, model.model_key)
    return output[:, None] if output.ndim == 1 else output


def _refuse_coupling(
    model: Model,
    network: Callable[..., Array],
    mapped: Callable[..., Array],
    samples: Sequence[Array],
    by_rows: Sequence[bool],
) -> None:
    """A free number of rows makes sense only if the result for a row depends on that row alone."""
    few = [_several(array[:_ROWS]) if free else array for array, free in zip(samples, by_rows, strict=True)]
    if differs(jax.jit(network)(*few), jax.jit(mapped)(*few)):
        raise ValueError(
            f"{model.model_key} mixes the rows of its input (normalisation, attention or convolution over them), so "
            f"their number cannot be left open; {_FIXED_SHAPES}"
        )


def _several(rows: Shaped[Array, "n ..."]) -> Shaped[Array, "2*n ..."]:
    """At least two different rows."""
    changed = 1.7 * rows + 0.01 if jnp.issubdtype(rows.dtype, jnp.inexact) else rows
    return jnp.concatenate([rows, changed.astype(rows.dtype)])


_FIXED_SHAPES = "polymorphic=False exports it for the shapes of sample_inputs"
