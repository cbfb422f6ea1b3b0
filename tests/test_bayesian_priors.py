"""Priors against the densities of SciPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jno.bayesian import priors

WEIGHT = np.array([[0.5, -1.0, 2.0], [0.1, 0.0, -3.0]])
BIAS = np.array([0.3, -0.7])
LAYER = {"weight": WEIGHT, "bias": BIAS, "activation": None}


def normal(values, sigma):
    return scipy.stats.norm.logpdf(values, scale=sigma).sum()


CASES = {
    "gaussian": (priors.gaussian(), normal(WEIGHT, 10) + normal(BIAS, 10)),
    "gaussian by width": (
        priors.gaussian(sigma=2.0, fan_in_aware=True),
        normal(WEIGHT, 2 / np.sqrt(3)) + normal(BIAS, 2),
    ),
    "laplace": (priors.laplace(scale=0.7), sum(scipy.stats.laplace.logpdf(v, scale=0.7).sum() for v in (WEIGHT, BIAS))),
    "student_t": (
        priors.student_t(df=3.0, scale=0.5),
        sum(scipy.stats.t.logpdf(v, 3, scale=0.5).sum() for v in (WEIGHT, BIAS)),
    ),
    "layerwise": (
        priors.layerwise_gaussian(base_sigma=3.0, default_sigma=0.5),
        normal(WEIGHT, 3 / np.sqrt(3)) + normal(BIAS, 0.5),
    ),
    "layerwise, not by width": (
        priors.layerwise_gaussian(base_sigma=3.0, default_sigma=0.5, fan_in_aware=False),
        normal(WEIGHT, 3) + normal(BIAS, 0.5),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_density_is_scipys(name):
    prior, expected = CASES[name]
    single = jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf, jnp.float32), LAYER)
    assert prior(single).dtype == jnp.float32
    assert float(prior(single)) == pytest.approx(expected, rel=2e-6)
    with jax.enable_x64(True):
        double = jax.tree_util.tree_map(jnp.asarray, LAYER)
        assert prior(double).dtype == jnp.float64
        assert float(prior(double)) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("name", ["layerwise", "laplace", "student_t"])
def test_gradient_is_finite_also_at_zero(name):
    prior, _ = CASES[name]
    zeros = {"weight": jnp.zeros((2, 3)), "bias": jnp.ones(2)}
    slope = jax.jit(jax.grad(prior))(zeros)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree_util.tree_leaves(slope))
    assert bool((slope["bias"] < 0).all())


def test_fan_in_counts_all_axes_but_the_first():
    kernel, bias = np.random.default_rng(0).standard_normal((4, 3, 5, 5)), np.full((4, 1, 1), 0.5)
    got = priors.gaussian(sigma=1.0, fan_in_aware=True)({"kernel": kernel, "bias": bias})
    assert float(got) == pytest.approx(normal(kernel, 1 / np.sqrt(75)) + normal(bias, 1), rel=1e-5)


def test_modules_and_single_arrays_are_parameters():
    layer = eqx.nn.Linear(2, 3, key=jax.random.PRNGKey(0))
    values = np.concatenate([np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(layer)])
    assert float(priors.laplace()(layer)) == pytest.approx(scipy.stats.laplace.logpdf(values).sum(), rel=1e-5)
    assert float(priors.laplace()(jnp.asarray(2.0))) == pytest.approx(-2 - np.log(2), rel=1e-6)
    assert float(priors.laplace()({"nothing": None})) == 0


def test_half_precision_does_not_lose_the_sum():
    ones = jnp.ones(5000, jnp.bfloat16)
    assert float(priors.gaussian(sigma=1.0)(ones)) == pytest.approx(normal(np.ones(5000), 1), rel=1e-5)


def test_priors_with_equal_settings_are_equal():
    assert priors.gaussian(2.0) == priors.gaussian(2.0) != priors.gaussian(3.0)
    assert hash(priors.student_t()) == hash(priors.student_t(4.0, 1.0))
    with pytest.raises(AttributeError, match="cannot assign"):
        priors.laplace().scale = 2.0


def test_refuses_numbers_out_of_range():
    with pytest.raises(ValueError, match=r"gaussian\(sigma=0.0\): sigma must be a positive number"):
        priors.gaussian(0.0)
    with pytest.raises(ValueError, match=r"gaussian\(sigma=nan\): sigma must be a positive number"):
        priors.gaussian(float("nan"))
    with pytest.raises(ValueError, match=r"laplace\(scale=-1\): scale must be a positive number"):
        priors.laplace(-1)
    with pytest.raises(ValueError, match=r"student_t\(df=2.0\): the variance is infinite for df <= 2; choose df > 2"):
        priors.student_t(df=2.0)
    with pytest.raises(ValueError, match=r"student_t\(scale=inf\): scale must be a positive number"):
        priors.student_t(scale=float("inf"))
    with pytest.raises(ValueError, match=r"layerwise_gaussian\(default_sigma=0\): default_sigma must be a positive"):
        priors.layerwise_gaussian(default_sigma=0)


def test_refuses_leaves_without_a_density():
    with pytest.raises(TypeError, match=r"the leaf \['z'\] is complex64; put None where a leaf is not sampled"):
        priors.gaussian()({"z": jnp.zeros(2, jnp.complex64)})
    with pytest.raises(TypeError, match=r"the leaf given is int32"):
        priors.gaussian()(jnp.zeros(2, jnp.int32))
    with pytest.raises(TypeError, match=r"the leaf \['activation'\] is"):
        priors.gaussian()({"weight": jnp.ones(2), "activation": jnp.tanh})
