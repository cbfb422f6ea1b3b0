"""A step of energy natural gradients on 1,900 residuals and 1,051 weights, in a process of one thread.

``python -m benchmarks._engd [points inside]`` prints the row as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ._one_thread import processor_seconds, row_in_own_process

_POINTS = 1500


def engd_row(points: int | None = None) -> dict[str, Any]:
    """The row, measured in a process of its own."""
    return row_in_own_process("_engd", points or _POINTS, x64=True)


def _measured(points: int) -> dict[str, Any]:
    """A step of `core.solve` beside the two matrix products and the factorisation that it cannot do without."""
    import foundax
    import jax
    import jax.numpy as jnp
    import numpy as np

    import jno

    jno.logger(log_print=(False, False))
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior", (points, "halton"))
    xb, yb, _ = domain.variable("boundary", (400, "equispaced"))
    net = jno.nn(foundax.mlp(2, hidden_dims=30, num_layers=2, key=jax.random.PRNGKey(0)))
    net.optimizer(jno.optimizers.engd())
    exact = jno.np.sin(np.pi * x) * jno.np.sin(np.pi * y)
    residual = net(x, y).laplacian(x, y) + 2 * np.pi**2 * exact
    crux = jno.core([residual.mse, 1000 * net(xb, yb).mse])
    crux.solve(2)
    step = processor_seconds(lambda: crux.solve(10)) / 10
    weights = sum(leaf.size for leaf in jax.tree_util.tree_leaves(net.module) if isinstance(leaf, jax.Array))
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(points + 400, weights)))

    @jax.jit
    def least_work(matrix: jax.Array) -> jax.Array:
        return jnp.linalg.cholesky(matrix.T @ matrix + jnp.eye(weights))

    jax.block_until_ready(least_work(matrix))
    floor = processor_seconds(lambda: jax.block_until_ready(least_work(matrix)))
    return {
        "residuals": points + 400,
        "parameters": weights,
        "step, processor s": step,
        "step / Gram matrix and one factorisation": step / floor,
    }


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]))))
