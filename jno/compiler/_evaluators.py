"""Evaluating a program outside training: once, or for every draw of the models that have some."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jno.architectures import with_leaves
from jno.trace import Model, Node

from ._graph import models_of
from ._program import Program
from ._taylor import equations_within

_CHUNK_BYTES = 64 * 2**20
"""Memory that the intermediate results of one chunk of draws may need."""

_ALIVE = 8
"""How many intermediate results of the largest size are taken to exist at the same time."""


class OverModules:
    """A jitted ``function(modules, *arrays)``.

    What it compiled is forgotten with it, while `equinox.filter_jit` remembers functions, and with them whole domains,
    for the rest of the process.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._compiled = jax.jit(functools.partial(self._whole, function), static_argnums=1)

    @staticmethod
    def _whole(function: Callable[..., Any], arrays: Any, static: tuple[tuple[Any, ...], Any], *rest: Any) -> Any:
        leaves, structure = static
        return function(eqx.combine(arrays, jax.tree_util.tree_unflatten(structure, leaves)), *rest)

    def __call__(self, modules: Any, *rest: Any) -> Any:
        """The function's result."""
        arrays, others = eqx.partition(modules, eqx.is_array)
        leaves, structure = jax.tree_util.tree_flatten(others)
        return self._compiled(arrays, (tuple(leaves), structure), *rest)


class PointEvaluator:
    """A program with the weights in the modules."""

    def __init__(self, program: Program) -> None:
        self._function = OverModules(lambda *given: program.with_sample_axis(program(*given)))

    def __call__(self, modules: dict[int, Any], data: Any, key: Any) -> list[Any]:
        """The values as users see them."""
        return self._function(modules, data, key)


class DrawEvaluator:
    """A program for every draw of its models: vectorised over as many as fit into a fixed amount of memory.

    Results are gathered on the host, so that only those of one chunk are on the device at a time.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._chunk = OverModules(self._of_chunk)
        self._sizes: dict[int, tuple[int, Any]] = {}

    def __call__(self, modules: dict[int, Any], data: Any, key: Any) -> list[Any]:
        """The values as users see them, with leading axes ``(chains, draws)``, of one chain ``(draws,)``."""
        draws = {model.layer_id: model.posterior_samples for model in models_with_draws(self._program.roots)}
        chains, count = _common_shape(self._program.models)
        total = chains * count
        flat = jax.tree_util.tree_map(lambda leaf: jnp.reshape(leaf, (total, *leaf.shape[2:])), draws)
        size, shapes = self._planned(total, flat, modules, data, key)
        gathered = [np.empty((total, *shape.shape), shape.dtype) for shape in shapes]
        for start in range(0, total, size):
            first = min(start, total - size)  # the last chunk begins early, so that all have one shape
            own = jax.tree_util.tree_map(lambda leaf, first=first: leaf[first : first + size], flat)
            for result, values in zip(gathered, self._chunk(modules, own, data, key), strict=True):
                result[first : first + size] = values
        axes = (count,) if chains == 1 else (chains, count)
        return [jnp.asarray(result.reshape(*axes, *result.shape[1:])) for result in gathered]

    def _of_chunk(self, modules: dict[int, Any], draws: Any, data: Any, key: Any) -> list[Any]:
        return jax.vmap(lambda own: self._of_one(own, modules, data, key))(draws)

    def _of_one(self, draw: Any, modules: dict[int, Any], data: Any, key: Any) -> list[Any]:
        own = {layer_id: with_leaves(modules[layer_id], leaves) for layer_id, leaves in draw.items()}
        return self._program.with_sample_axis(self._program({**modules, **own}, data, key))

    def _planned(self, total: int, flat: Any, *rest: Any) -> tuple[int, Any]:
        """Draws in a chunk, and shapes of the results of one."""
        if total not in self._sizes:
            one = jax.tree_util.tree_map(lambda leaf: leaf[0], flat)
            closed, shapes = jax.make_jaxpr(lambda draw: self._of_one(draw, *rest), return_shape=True)(one)
            largest = max(_result_bytes(closed.jaxpr), default=1)
            self._sizes[total] = max(1, min(total, _CHUNK_BYTES // (_ALIVE * largest))), shapes
        return self._sizes[total]


def models_with_draws(nodes: Sequence[Node]) -> list[Model]:
    """The models below the nodes that have draws."""
    return [model for model in models_of(nodes) if model.posterior_samples is not None]


def _common_shape(models: Sequence[Model]) -> tuple[int, int]:
    """Chains and draws.

    Raises:
        ValueError: models with different numbers of them.
    """
    found = {
        model.model_key: jax.tree_util.tree_leaves(model.posterior_samples)[0].shape[:2]
        for model in models
        if model.posterior_samples is not None
    }
    if len(set(found.values())) > 1:
        described = ", ".join(f"{name} {chains} x {count}" for name, (chains, count) in found.items())
        raise ValueError(
            f"models of one expression have different numbers of chains x draws ({described}), so their draws cannot "
            "be taken together; sample them in one solve(), or use samples='point'"
        )
    return next(iter(found.values()))


def _result_bytes(jaxpr: Any) -> Iterator[int]:
    """Sizes of all results of a jaxpr and of those it holds."""
    for outer in jaxpr.eqns:
        for equation in (outer, *equations_within(outer)):
            for variable in equation.outvars:
                dtype = variable.aval.dtype
                yield math.prod(variable.aval.shape) * (dtype.itemsize if isinstance(dtype, np.dtype) else 8)
