"""Noise terms: shape, reproducibility, independence, distributions."""

from typing import Any

import jax
import numpy as np
import pytest
from helpers import evaluate, mlp, unit_square
from scipy import stats

import jno
from jno.trace import Noise

KEY = jax.random.key(3)
FACTORIES: dict[str, Any] = {"gaussian": jno.noise.gaussian, "uniform": jno.noise.uniform, "laplace": jno.noise.laplace}


@pytest.fixture(scope="module")
def square():
    domain = unit_square(0.02)
    return domain, domain.variable("interior")


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.parametrize("ndim", [1, 3])
def test_shape_is_points_by_columns(square, name, ndim):
    x, _, _ = square[1]
    node = FACTORIES[name](ndim=ndim)
    assert isinstance(node, Noise)
    value = evaluate(x + node, key=KEY)
    assert value.shape == (1, 2601, ndim)
    noise = value - evaluate(x)
    assert len(np.unique(noise)) > 0.9 * noise.size


@pytest.mark.parametrize("name", FACTORIES)
def test_zero_without_a_key(square, name):
    x, _, _ = square[1]
    np.testing.assert_array_equal(evaluate(x + FACTORIES[name]()), evaluate(x))


@pytest.mark.parametrize(
    ("node", "distribution"),
    [
        (jno.noise.gaussian(0.3), stats.norm(scale=0.3)),
        (jno.noise.uniform(-0.5, 2.0), stats.uniform(-0.5, 2.5)),
        (jno.noise.laplace(0.3), stats.laplace(scale=0.3 / np.sqrt(2))),
        (jno.noise.gaussian(), stats.norm()),
        (jno.noise.uniform(), stats.uniform(-1, 2)),
    ],
    ids=["gaussian", "uniform", "laplace", "gaussian default", "uniform default"],
)
def test_distributions(square, node, distribution):
    x, _, _ = square[1]
    draw = evaluate(0 * x + node, key=KEY).ravel()
    assert stats.kstest(draw, distribution.cdf).pvalue > 1e-3
    np.testing.assert_allclose(draw.std(), distribution.std(), rtol=0.08)
    np.testing.assert_allclose(draw.mean(), distribution.mean(), atol=0.06 * distribution.std())


def test_a_key_gives_one_realisation(square):
    x, _, _ = square[1]
    core = jno.core([x.mse])
    node = x + jno.noise.gaussian()
    first, again, other = (np.asarray(core.eval(node, key=jax.random.key(k))) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_one_node_is_one_draw_and_two_nodes_are_independent(square):
    x, _, _ = square[1]
    a, b = jno.noise.gaussian(), jno.noise.gaussian()
    same, first, second = evaluate([(x + a) - (a + x), 0 * x + a, 0 * x + b], key=KEY)
    np.testing.assert_allclose(same, 0, atol=1e-6)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.08


def test_columns_are_independent(square):
    x, _, _ = square[1]
    draw = evaluate(0 * x + jno.noise.gaussian(ndim=2), key=KEY)[0]
    assert abs(np.corrcoef(draw.T)[0, 1]) < 0.08


def test_samples_are_independent():
    domain = unit_square(0.02, samples=2)
    x, _, _ = domain.variable("interior", sample=(2000, None))
    draw = evaluate(0 * x + jno.noise.gaussian(), key=KEY)[..., 0]
    assert draw.shape == (2, 2000)
    assert abs(np.corrcoef(draw)[0, 1]) < 0.08


def test_time_levels_are_independent():
    domain = jno.domain.line(mesh_size=0.0005, time=(0.0, 1.0, 2))
    x, t = domain.variable("interior")
    draw = evaluate(0 * x * t + jno.noise.gaussian(), key=KEY, min_consecutive=None)[0, ..., 0]
    assert draw.shape == (2, 2001)
    assert abs(np.corrcoef(draw)[0, 1]) < 0.08


def test_each_noise_takes_the_points_of_its_own_expression(square):
    domain, (x, _, _) = square
    xb, _, _ = domain.variable("left")
    inside, left = evaluate([x + jno.noise.gaussian(), xb + jno.noise.gaussian()], key=KEY)
    assert inside.shape == (1, 2601, 1)
    assert left.shape == (1, 51, 1)


def test_noise_is_constant_in_derivatives():
    domain = unit_square(0.25)
    x, _, _ = domain.variable("interior")
    additive, factor, noise = evaluate(
        [
            (x**2 + (n := jno.noise.gaussian())).d(x),
            (n * x**2).d(x),
            0 * x + n,
        ],
        key=KEY,
    )
    xn = evaluate(x)
    np.testing.assert_allclose(additive, 2 * xn, rtol=1e-5)
    np.testing.assert_allclose(factor, 2 * xn * noise, rtol=1e-4, atol=1e-5)


def test_noise_survives_recalling():
    domain = unit_square(0.25)
    x, _, _ = domain.variable("interior")
    xb, _, _ = domain.variable("left")
    u = x + jno.noise.gaussian(0.5)
    value = evaluate(u(xb), key=KEY)
    assert value.shape == (1, 5, 1)
    assert np.std(value) > 0


def test_functions_with_a_key():
    domain = unit_square(0.25)
    x, _, _ = domain.variable("interior")

    def jitter(values, key):
        return values if key is None else values + jax.random.normal(key, values.shape)

    node = jno.np.function(jitter, [x])
    plain, drawn, again = evaluate(node), evaluate(node, key=KEY), evaluate(node, key=KEY)
    np.testing.assert_array_equal(plain, evaluate(x))
    assert np.std(drawn - plain) > 0.5
    np.testing.assert_array_equal(drawn, again)


def test_noise_in_the_input_of_a_network():
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x + jno.noise.gaussian(0.1), y)
    core = jno.core([u.mse])
    quiet, noisy = np.asarray(core.eval(u)), np.asarray(core.eval(u, key=KEY))
    assert 0 < np.abs(quiet - noisy).max() < 1


def test_invalid_noise():
    with pytest.raises(ValueError, match="Unknown noise distribution 'cauchy': allowed are gaussian"):
        Noise("cauchy")
    with pytest.raises(ValueError, match="std must not be negative"):
        jno.noise.gaussian(std=-1.0)
    with pytest.raises(ValueError, match=r"low=2\.0 is above high=1\.0"):
        jno.noise.uniform(2.0, 1.0)
    with pytest.raises(ValueError, match="ndim must be an integer of at least 1"):
        jno.noise.laplace(ndim=0)
    with pytest.raises(ValueError, match=r"gaussian noise has no parameter \['low'\]"):
        Noise("gaussian", low=0.0)
