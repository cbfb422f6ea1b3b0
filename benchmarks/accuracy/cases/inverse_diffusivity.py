"""A diffusivity from noisy readings of the solution: the problem PInv of PINNacle.

    ∇ · (a ∇u) + f = 0  in (0, 1)²,   a on the sides is known,   f belongs to the exact
    u = sin(πx) sin(πy),   a = 1 / (1 + x² + y² + (1 - x)² + (1 - y)²)

(PINNacle's program has the source of another a, with 2x + 1 for 2x - 1; here it is that of this a.)

Readings of u on a grid of 50 × 50 points with independent normal errors of 0.1. The error is that of a alone, over 101
× 101 points.

Settings, fixed on 2026-11-30 before the first recorded run: a small network, as the readings cannot tell more, with
both fields as outputs, so that one step of least squares is for both; the equation counts ten times, the sides a
thousand times; energy natural gradients from random weights.
"""

import foundax
import jax
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
NOISE, READINGS, POINTS, SIDES, WIDTH = 0.1, 50, 1024, 160, 32
EQUATION, BOUNDARY = 10.0, 1000.0


def diffusivity(x, y):
    return 1 / (1 + x**2 + y**2 + (1 - x) ** 2 + (1 - y) ** 2)


def source(x, y, functions=jno.np):
    sine_x, sine_y = functions.sin(π * x), functions.sin(π * y)
    cosine_x, cosine_y = functions.cos(π * x), functions.cos(π * y)
    slopes = (2 * x - 1) * cosine_x * sine_y + (2 * y - 1) * sine_x * cosine_y
    return 2 * π**2 * sine_x * sine_y * diffusivity(x, y) + 2 * π * slopes * diffusivity(x, y) ** 2


def grid(count):
    side = np.linspace(0, 1, count)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def sides(count):
    s = (np.arange(count // 4) + 0.5) / (count // 4)
    zero, one = np.zeros_like(s), np.ones_like(s)
    return np.concatenate([np.stack(side, axis=1) for side in ((s, zero), (s, one), (zero, s), (one, s))])


def train(seed: int, limit: Limit) -> Trained:
    places = grid(READINGS)
    exact = np.sin(π * places[:, :1]) * np.sin(π * places[:, 1:])
    readings = exact + NOISE * np.random.default_rng(seed).normal(size=exact.shape)
    points = {"interior": qmc.Sobol(2, rng=seed).random(POINTS), "sides": sides(SIDES)}
    domain = jno.domain.from_array(points)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("sides")
    xr, yr, measured = domain.variable("readings", np.hstack([places, readings]), point_data=True, split=True)
    net = jno.nn(foundax.mlp(2, 2, hidden_dims=WIDTH, num_layers=1, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    u, a = net(x, y)[..., 0:1], net(x, y)[..., 1:2]
    equation = a * u.laplacian(x, y) + a.d(x) * u.d(x) + a.d(y) * u.d(y) + source(x, y)
    misfit, boundary = net(xr, yr)[..., 0:1] - measured, net(xb, yb)[..., 1:2] - diffusivity(xb, yb)
    core = jno.core([EQUATION * equation.mse, misfit.mse, BOUNDARY * boundary.mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        fine = grid(101)
        return relative_l2(core.eval(a, domain=fine), diffusivity(*fine.T))

    return Trained([net], POINTS + SIDES + READINGS**2, history.total_loss, error)


CASE = Case("inverse diffusivity (PInv)", train, goal=1e-2)
