"""Helmholtz' equation with the solution of Wang, Teng and Perdikaris (2021).

    Δu + u = q  in (-1, 1)²,   u = 0 on the sides,   exact: u = sin(πx) sin(4πy)

"Understanding and mitigating gradient flow pathologies in physics-informed neural networks", SIAM J. Sci. Comput. 43.
The error is over 101 × 101 points.

Settings, fixed on 2026-11-30 before the first recorded run: boundary values by construction, sines as the activation,
coordinates scaled by π; energy natural gradients from random weights.
"""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
POINTS, WIDTH, LAYERS = 2048, 24, 2


def train(seed: int, limit: Limit) -> Trained:
    domain = jno.domain.from_array({"interior": 2 * qmc.Sobol(2, rng=seed).random(POINTS) - 1})
    x, y, _ = domain.variable("interior")
    key = jax.random.PRNGKey(seed)
    net = jno.nn(foundax.mlp(2, hidden_dims=WIDTH, num_layers=LAYERS, activation=jnp.sin, key=key))
    net.optimizer(jno.optimizers.engd())
    u = (1 - x**2) * (1 - y**2) * net(π * x, π * y)
    source = (1 - 17 * π**2) * jno.np.sin(π * x) * jno.np.sin(4 * π * y)
    core = jno.core([(u.laplacian(x, y) + u - source).mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        side = np.linspace(-1, 1, 101)
        grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        exact = np.sin(π * grid[:, 0]) * np.sin(4 * π * grid[:, 1])
        return relative_l2(core.eval(u, domain=jno.domain.from_array({"interior": grid})), exact)

    return Trained([net], POINTS, history.total_loss, error)


CASE = Case("Helmholtz (1, 4)", train, goal=1e-4)
