"""What several problems share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

import jno

from .._case import BLOCKED, LEARNING_RATE, NESTED, Built, Problem, Size, onepass
from ..kernels import _mlp
from ..kernels._blocks import blocked


def rectangle(size: Size, x_range: tuple[float, float] = (0.0, 1.0)) -> tuple[Any, Any, Any]:
    """A rectangle of height one and ``size.points`` nodes of the coarsest grid that has them."""
    cells = math.ceil(math.sqrt(size.points)) - 1
    dom = jno.domain.equi_distant_rect(x_range, nx=cells, ny=cells)
    x, y, _ = dom.variable("interior", (size.points, None))
    return dom, x, y


def shared_grid(size: Size) -> tuple[Any, Any, Any]:
    """The unit square for many samples, which share all ``size.points`` nodes of its grid."""
    columns = next(n for n in range(math.isqrt(size.points), 0, -1) if size.points % n == 0)
    dom = size.samples * jno.domain.equi_distant_rect(nx=columns - 1, ny=size.points // columns - 1)
    x, y, _ = dom.variable("interior")
    return dom, x, y


def cloud(
    size: Size, draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
) -> tuple[Any, tuple[Any, ...]]:
    """``size.points`` random points and their ``size.dimension`` coordinates."""
    points = draw(np.random.default_rng(0), (size.points, size.dimension))
    dom = jno.domain.from_array({"interior": points})
    return dom, dom.variable("interior")[: size.dimension]


def points_of(dom: Any) -> Float[Array, "N D"]:
    """The coordinates jNO trains on."""
    points = np.asarray(dom.context["interior"])
    return jnp.asarray(points[0, 0], jnp.float32)


def mlp(size: Size, outputs: int = 1) -> tuple[Any, list[tuple[Array, Array]]]:
    """A tanh network lifted into jNO, and a copy of its arrays."""
    key = jax.random.PRNGKey(0)
    module = foundax.mlp(size.dimension, outputs, hidden_dims=size.width, num_layers=size.depth, key=key)
    return trained(module), _mlp.layers_of([*module.hidden_layers, module.output_layer])


def trained(module: Any) -> Any:
    """The module with the optimizer every runner uses."""
    return jno.nn(module).optimizer(optax.adam(LEARNING_RATE))


def problem_of(
    kernel: ModuleType,
    build: Callable[[Size], Built],
    variants: Mapping[str, Any] = _mlp.VARIANTS,
    *,
    blocks: int | None = None,
    full: Size,
    quick: Size,
) -> Problem:
    """The problem of the name of a module with ``forward``, ``nested`` and ``onepass``; ``blocks`` adds a row."""
    kernels = {NESTED: kernel.nested, **onepass(kernel.onepass, variants)}
    if blocks is not None:
        kernels[BLOCKED] = blocked(kernel.onepass(variants["separate"]), count=blocks)
    name = kernel.__name__.rpartition(".")[2]
    return Problem(name, build, kernels, forward=kernel.forward, full=full, quick=quick)
