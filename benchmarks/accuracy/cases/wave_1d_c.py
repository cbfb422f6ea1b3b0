"""Wave 1d-C of PINNacle: two standing waves, the faster of which swings four times.

    u_tt = 4 u_xx  on (0, 1) × (0, 1)
    u(x, 0) = sin(πx) + sin(4πx)/2,   u_t(x, 0) = 0,   u(0, t) = u(1, t) = 0

Exact: u = sin(πx) cos(2πt) + sin(4πx) cos(8πt)/2, compared at 101 × 101 points.

Settings, fixed on 2026-11-30 before the first recorded run: initial and boundary values by construction, sines as the
activation, coordinates scaled so that the waves have some units of length; energy natural gradients from random
weights.
"""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
POINTS, WIDTH, LAYERS = 2048, 30, 2
SCALE_X, SCALE_T = 4.0, 8.0


def train(seed: int, limit: Limit) -> Trained:
    domain = jno.domain.from_array({"interior": qmc.Sobol(2, rng=seed).random(POINTS)})
    x, t, _ = domain.variable("interior")
    key = jax.random.PRNGKey(seed)
    net = jno.nn(foundax.mlp(2, hidden_dims=WIDTH, num_layers=LAYERS, activation=jnp.sin, key=key))
    net.optimizer(jno.optimizers.engd())
    initial = jno.np.sin(π * x) + 0.5 * jno.np.sin(4 * π * x)
    u = initial + t**2 * x * (1 - x) * net(SCALE_X * (2 * x - 1), SCALE_T * (2 * t - 1))
    core = jno.core([(u.d2(t) - 4 * u.d2(x)).mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        side = np.linspace(0, 1, 101)
        grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        px, pt = grid.T
        exact = np.sin(π * px) * np.cos(2 * π * pt) + 0.5 * np.sin(4 * π * px) * np.cos(8 * π * pt)
        return relative_l2(core.eval(u, domain=jno.domain.from_array({"interior": grid})), exact)

    return Trained([net], POINTS, history.total_loss, error)


CASE = Case("Wave 1d-C", train, published=9.79e-2)
