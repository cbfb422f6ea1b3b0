"""Poisson's equation for many sources: a DeepONet trained on the residual, without solutions."""

from typing import Any

import foundax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import jno

from .._case import NESTED, ONEPASS, Built, Problem, Size, onepass
from ..kernels import _mlp
from ..kernels import deeponet as kernel
from ._parts import points_of, shared_grid, trained

MODES = 4
SENSORS = 49


def source(amplitudes: Float[np.ndarray, "B K K"], points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "B N"]:
    """f = Σ a_jk sin jπx sin kπy."""
    waves = np.sin(np.pi * np.arange(1, MODES + 1)[:, None, None] * points.T)
    return np.einsum("bjk,jn,kn->bn", amplitudes, waves[:, 0], waves[:, 1]).astype(np.float32)


def build(size: Size) -> Built:
    dom, x, y = shared_grid(size)
    amplitudes = np.random.default_rng(0).normal(size=(size.samples, MODES, MODES))
    axis = (np.arange(7) + 0.5) / 7
    sensors = source(amplitudes, np.stack(np.meshgrid(axis, axis), axis=-1).reshape(SENSORS, 2))
    values = source(amplitudes, np.asarray(points_of(dom)))
    module: Any = foundax.deeponet(
        n_sensors=SENSORS,
        coord_dim=2,
        basis_functions=size.width,
        hidden_dim=size.width,
        n_layers=size.depth,
        activation=jnp.tanh,
        key=jax.random.PRNGKey(0),
    )
    weights = kernel.weights_of(module)
    net = trained(module)
    f = dom.variable("source", values[:, None, :, None])
    u = net(dom.variable("sensors", sensors), jno.np.concat([x, y])) * x * (1 - x) * y * (1 - y)
    data = {"points": points_of(dom), "sensors": jnp.asarray(sensors), "source": jnp.asarray(values)}
    crux = jno.core([(u.laplacian(x, y) + f).mse])
    return Built(crux, u, weights, data, per_sample=("sensors", "source"))


PROBLEM = Problem(
    id="deeponet",
    build=build,
    kernels={
        NESTED: kernel.nested,
        **onepass(kernel.onepass, _mlp.VARIANTS),
        f"{ONEPASS} combined": kernel.combined,
    },
    forward=kernel.forward,
    full=Size(points=861, width=128, depth=3, samples=500, batch=32),
    quick=Size(points=40, width=16, depth=2, samples=12, batch=4),
)
