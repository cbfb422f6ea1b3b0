"""Heat 2d-MS of PINNacle: ten fast waves in x that hardly decay, one slow wave in y.

    u_t = u_xx / (500π)² + u_yy / π²  in (0, 1)² × (0, 5),   u = 0 on the sides,   u(x, y, 0) = sin(20πx) sin(πy)

Exact: u = sin(20πx) sin(πy) exp(-(1 + 0.04²) t), compared at 10,000 independent points.

Settings, fixed on 2026-11-30 before the first recorded run: the initial value and those at y = 0 and y = 1 by
construction, those at x = 0 and x = 1 as a loss that counts a hundred times; sine and cosine of the initial wave are
inputs besides the coordinates; energy natural gradients from random weights.
"""

import foundax
import jax
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
POINTS, SIDES, WIDTH, LAYERS, BOUNDARY = 2048, 256, 24, 2, 100.0


def train(seed: int, limit: Limit) -> Trained:
    ends = qmc.Sobol(3, rng=seed + 1).random(SIDES) * (1, 1, 5)
    ends[:, 0] = np.round(ends[:, 0])
    points = {"interior": qmc.Sobol(3, rng=seed).random(POINTS) * (1, 1, 5), "ends": ends}
    domain = jno.domain.from_array(points)
    x, y, t, _ = domain.variable("interior")
    xe, ye, te, _ = domain.variable("ends")
    net = jno.nn(foundax.mlp(5, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())

    def solution(x, y, t):
        sine, cosine = jno.np.sin(20 * π * x), jno.np.cos(20 * π * x)
        change = net(sine, cosine, 2 * x - 1, 2 * y - 1, 0.4 * t - 1)
        return sine * jno.np.sin(π * y) + t * y * (1 - y) * change

    u = solution(x, y, t)
    equation = u.d(t) - u.d2(x) / (500 * π) ** 2 - u.d2(y) / π**2
    core = jno.core([equation.mse, BOUNDARY * solution(xe, ye, te).mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        fine = np.random.default_rng(12345).random((10_000, 3)) * (1, 1, 5)
        px, py, pt = fine.T
        exact = np.sin(20 * π * px) * np.sin(π * py) * np.exp(-(1 + 0.04**2) * pt)
        return relative_l2(core.eval(u, domain=jno.domain.from_array({"interior": fine})), exact)

    return Trained([net], POINTS + SIDES, history.total_loss, error)


CASE = Case("Heat 2d-MS", train, published=4.40e-2)
