"""Every sample and time level against the independent interpreter."""

import jax
import numpy as np
import pytest
from helpers import AD, close, evaluate, mlp, unit_square
from reference_interpreter import evaluate as reference

import jno

N = 7
TABLE = np.asarray([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
LEVELS = np.linspace(0.0, 1.5, 4)


@pytest.fixture(scope="module")
def problem():
    """Three samples with points and data of their own, four levels."""
    domain = unit_square(0.25, samples=3, time=(0.0, 1.5, 4))
    x, y, t = domain.variable("interior", sample=(N, None))
    return domain, x, y, t, domain.variable("k", TABLE)


def compare(problem, expressions, window=None):
    domain, x = problem[:2]
    points = np.asarray(domain.context[x.tag], dtype=np.float32)
    values = evaluate(expressions, min_consecutive=window)

    @jax.jit
    def expected(rows, time, k):
        return [reference(node, {x.tag: rows}, time, {"k": k}) for node in expressions]

    for sample in range(3):
        for level, time in enumerate(LEVELS[:window]):
            wanted = expected(points[sample, level], time, TABLE[sample].astype(np.float32))
            for value, want in zip(values, wanted, strict=True):
                at = value[sample, level] if window != 1 else value[sample]
                close(at.reshape(-1), np.broadcast_to(np.reshape(want, -1), at.size), 5e-5)


@pytest.mark.parametrize("window", [1, 2, None])
def test_values_and_derivatives(problem, window):
    _, x, y, t, k = problem
    u = jno.np.sin(k[0] * x) * jno.np.exp(-t) + k[1] * t * y**2
    v = jno.np.concat([u, x * t])
    nodes = [
        u,
        u.d(t) - k[0] * u.laplacian(x, y),
        u.d(x).d(t),
        u.hessian(x, t),
        v.grad(x, y),
        v[..., 1] * u,
        (k * u).d(x),
    ]
    compare(problem, nodes, window)


def test_reductions_and_mixtures(problem):
    _, x, y, t, k = problem
    u = jno.np.sin(k[0] * x) * (1 + t)
    nodes = [
        u.mse,
        u - u.mean,
        (u.d(x) * k[1]).mae,
        u.std * t,
        jno.np.sum(u * y),
        (u / u.max.stop_gradient).d(y),
        t * k[0],
    ]
    compare(problem, nodes)


@pytest.mark.parametrize("scheme", [AD, f"{AD}:forward"])
def test_networks(problem, scheme):
    _, x, y, t, k = problem
    u = mlp(3, 2)(x, y, t) * k
    nodes = [u, u.d(x, scheme), u.laplacian(x, y, scheme=scheme), (u.d(t, scheme) + u[..., 0] * u.d(y, scheme)).mse]
    compare(problem, nodes)


def test_functions_of_many_kinds(problem):
    _, x, y, t, _ = problem
    u = jno.np.concat([x * t, y, x + y])
    nodes = [
        jno.np.norm(u + 2, axis=-1),
        jno.np.where(u > 0.5, u, -u),
        jno.np.maximum(u, t),
        jno.np.stack([x, y * t], axis=-1),
        u.T @ u,
        u[2:5],
        (u.T * 2).T,
        jno.np.sum(u**2, axis=-1).d(x),
        jno.np.divergence([x * y, y**2 * t], [x, y]),
        jno.np.function(lambda a, b: a**2 / (1 + b**2), [x, t]),
    ]
    compare(problem, nodes)
