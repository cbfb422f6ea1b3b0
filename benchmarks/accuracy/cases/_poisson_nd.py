"""Poisson's equation in the unit cube of d dimensions, as PINNacle states it.

    Δu = -(π²/4) Σ sin(π x_i / 2)  in (0, 1)^d,   u = Σ sin(π x_i / 2) on all faces, which is the solution

Points inside are of a Sobol sequence, those of the faces independent ones, as many on every face.
"""

import foundax
import jax
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Limit, Trained, relative_l2

π = np.pi


def exact(points):
    return np.sin(π / 2 * points).sum(axis=-1)


def faces(dimension, per_face, generator):
    points = generator.random((2 * dimension, per_face, dimension))
    for face in range(2 * dimension):
        points[face, :, face // 2] = face % 2
    return points.reshape(-1, dimension)


def train_in(dimension, seed: int, limit: Limit, *, inside, per_face, width, boundary) -> Trained:
    generator = np.random.default_rng(seed)
    shape = {"interior": qmc.Sobol(dimension, rng=seed).random(inside), "faces": faces(dimension, per_face, generator)}
    domain = jno.domain.from_array(shape)
    *x, _ = domain.variable("interior")
    *xf, _ = domain.variable("faces")
    net = jno.nn(foundax.mlp(dimension, hidden_dims=width, num_layers=1, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    u = net(*(2 * xi - 1 for xi in x))
    source = π**2 / 4 * sum(jno.np.sin(π / 2 * xi) for xi in x)
    values = sum(jno.np.sin(π / 2 * xi) for xi in xf)
    residual, misfit = u.laplacian(*x) + source, net(*(2 * xi - 1 for xi in xf)) - values
    core = jno.core([residual.mse, boundary * misfit.mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        points = np.random.default_rng(12345).random((10_000, dimension))
        fine = jno.domain.from_array({"interior": points})
        return relative_l2(core.eval(u, domain=fine), exact(points))

    return Trained([net], inside + 2 * dimension * per_face, history.total_loss, error)
