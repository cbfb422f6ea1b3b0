"""What a finite-difference derivative of a network costs besides the network itself, at 10⁵ nodes."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import Delaunay

from jno.differential_operators import gradient_stencil, hessian_stencil, laplacian_stencil

from .kernels import _mlp

_SIDE = 317
_ROUNDS = 7
_PER_ROUND = 4


def differences_row() -> dict[str, Any]:
    """(network + stencil) / network, processor time: medians of interleaved rounds."""
    random = np.random.default_rng(0)
    axis = np.linspace(0.0, 1.0, _SIDE)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    inside = np.all((points > 0) & (points < 1), axis=1, keepdims=True)
    points = points + inside * random.uniform(-0.3, 0.3, points.shape) / _SIDE
    triangles = Delaunay(points).simplices
    axes = [(i, i_axis, j, j_axis) for i, i_axis in enumerate((0, 1)) for j, j_axis in enumerate((0, 1))]
    stencils = {
        "gradient": gradient_stencil(points, triangles, dim=0),
        "laplacian": laplacian_stencil(points, triangles, dims=(0, 1)),
        "cotangent": laplacian_stencil(points, triangles, dims=(0, 1), method="cotangent"),
        "hessian": hessian_stencil(points, triangles, axes),
    }
    sizes = [2, 64, 64, 64, 64, 1]
    pairs = itertools.pairwise(sizes)
    layers = [
        (jnp.asarray(random.normal(size=pair) / pair[0] ** 0.5, jnp.float32), jnp.zeros(pair[1])) for pair in pairs
    ]
    nodes = jnp.asarray(points, jnp.float32)
    runs = {name: jax.jit(_applied(stencil)) for name, stencil in stencils.items()}
    seconds = _interleaved({"network": jax.jit(_mlp.mlp), **runs}, layers, nodes)
    return {f"network + {name} / network": seconds[name] / seconds["network"] for name in stencils}


def _applied(stencil: Any) -> Callable[..., Any]:
    return lambda layers, nodes: stencil.apply(_mlp.mlp(layers, nodes)[:, 0])


def _interleaved(runs: dict[str, Callable[..., Any]], *arguments: Any) -> dict[str, float]:
    """Median processor seconds per call."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(_ROUNDS + 1):
        for name, function in runs.items():
            begin = time.process_time()
            for _ in range(_PER_ROUND):
                jax.block_until_ready(function(*arguments))
            if round_number > 0:  # the first one compiles
                times[name].append((time.process_time() - begin) / _PER_ROUND)
    return {name: statistics.median(found) for name, found in times.items()}
