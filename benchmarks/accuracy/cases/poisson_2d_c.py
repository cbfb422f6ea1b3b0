"""Poisson 2d-C of PINNacle: a square with four holes.

    Δu = 0  in (-1/2, 1/2)² without four disks of radius 0.1 at (±0.3, ±0.3)
    u = 1 on the sides of the square,   u = 0 on the circles

Reference: a harmonic series, logarithms and powers at the centres of the disks and powers at the origin, fitted to the
boundary values by least squares. It solves the equation exactly, so that by the maximum principle its error is at most
its largest error on the boundary, which is computed (below 1e-9) and checked.

Settings, fixed on 2026-11-30 before the first recorded run: boundary values as a loss that counts a thousand times;
coordinates of the unit square scaled to (-2, 2); energy natural gradients from random weights.
"""

import foundax
import jax
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

CENTRES, RADIUS = np.array([[0.3, 0.3], [-0.3, 0.3], [0.3, -0.3], [-0.3, -0.3]]), 0.1
INSIDE, SIDES, CIRCLE = 1200, 320, 80
WIDTH, LAYERS, BOUNDARY, SCALE = 30, 2, 1000.0, 4.0


def inside(points):
    return np.all(np.linalg.norm(points[:, None] - CENTRES, axis=-1) > RADIUS, axis=1)


def square(count):
    """Points on the sides, evenly spaced."""
    s = (np.arange(count // 4) + 0.5) / (count // 4) - 0.5
    e = np.full_like(s, 0.5)
    return np.concatenate([np.stack(side, axis=1) for side in ((s, e), (s, -e), (e, s), (-e, s))])


def circles(count):
    """Points on the circles, ``count`` on each, evenly spaced."""
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    ring = RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (CENTRES[:, None] + ring).reshape(-1, 2)


def train(seed: int, limit: Limit) -> Trained:
    candidates = qmc.Halton(2, rng=seed).random(2 * INSIDE) - 0.5
    points = candidates[inside(candidates)][:INSIDE]
    domain = jno.domain.from_array({"interior": points, "sides": square(SIDES), "holes": circles(CIRCLE)})
    x, y, _ = domain.variable("interior")
    xs, ys, _ = domain.variable("sides")
    xh, yh, _ = domain.variable("holes")
    net = jno.nn(foundax.mlp(2, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    u = net(SCALE * x, SCALE * y)
    sides = (net(SCALE * xs, SCALE * ys) - 1.0).mse
    holes = net(SCALE * xh, SCALE * yh).mse
    core = jno.core([u.laplacian(x, y).mse, BOUNDARY * sides, BOUNDARY * holes])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        side = (np.arange(100) + 0.5) / 100 - 0.5
        grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
        grid = grid[inside(grid)]
        fine = jno.domain.from_array({"interior": grid})
        return relative_l2(core.eval(u, domain=fine), harmonic_series()(grid))

    return Trained([net], INSIDE + SIDES + 4 * CIRCLE, history.total_loss, error)


def harmonic_series(degree=120, order=30):
    """The solution as a function of points (N, 2)."""

    def basis(points):
        z = points @ np.array([1, 1j])
        powers = [np.ones(len(z)), *((z / 0.71) ** n for n in range(4, degree + 1, 4))]
        # symmetric under reflections and quarter turns, as the problem is: real parts, the same at all holes
        columns = [power.real for power in powers]
        local = [(z - centre @ np.array([1, 1j])) for centre in CENTRES]
        columns.append(sum(np.log(np.abs(w)) for w in local))
        for n in range(1, order + 1):
            turned = [w * np.exp(-1j * np.arctan2(*centre[::-1])) for w, centre in zip(local, CENTRES, strict=True)]
            columns.append(sum(((RADIUS / w) ** n).real for w in turned))
        return np.stack(columns, axis=1)

    boundary = np.concatenate([square(1600), circles(400)])
    values = np.concatenate([np.ones(1600), np.zeros(1600)])
    coefficients = np.linalg.lstsq(basis(boundary), values, rcond=None)[0]
    check = np.concatenate([square(2804), circles(611)])
    residual = basis(check) @ coefficients - np.concatenate([np.ones(2804), np.zeros(2444)])
    assert np.abs(residual).max() < 1e-9, f"the reference is off by {np.abs(residual).max():.1e}"
    return lambda points: basis(points) @ coefficients


CASE = Case("Poisson 2d-C", train, published=1.23e-2)
