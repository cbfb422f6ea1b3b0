"""rhat and ess against ArviZ, and against what is known of the chains."""

import os
import tempfile
import unittest.mock
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jno

# ArviZ announces its next version once a day, in a file that two processes cannot write at once
with (
    warnings.catch_warnings(),
    tempfile.TemporaryDirectory() as folder,
    unittest.mock.patch.dict(os.environ, XDG_CACHE_HOME=folder),
):
    warnings.simplefilter("ignore")
    import arviz


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def autoregressive(seed, chains, draws, coefficient):
    """Stationary chains x' = coefficient x + noise."""
    noise = normal(seed, chains, draws)
    noise[:, 0] /= np.sqrt(1 - coefficient**2)
    for step in range(1, draws):
        noise[:, step] += coefficient * noise[:, step - 1]
    return noise


def stored_chains():
    generator = np.random.default_rng(7)
    chains = {f"AR({c})": autoregressive(i, 4, 400, c) for i, c in enumerate((0.0, 0.5, 0.95, -0.7))}
    chains["odd number of draws"] = autoregressive(4, 3, 301, 0.6)
    chains["few draws"] = autoregressive(5, 4, 11, 0.3)
    chains["a stuck chain"] = autoregressive(6, 4, 200, 0.5)
    chains["a stuck chain"][2] = 3.0
    chains["heavy tails"] = generator.standard_cauchy((4, 300))
    chains["one chain wider"] = autoregressive(8, 4, 300, 0.2) * np.array([[1.0], [1.0], [1.0], [4.0]])
    chains["one chain elsewhere"] = autoregressive(9, 4, 300, 0.2) + np.array([[0.0], [0.0], [0.0], [1.0]])
    chains["ties"] = generator.integers(0, 3, (4, 100))
    return chains


CHAINS = stored_chains()


@pytest.mark.parametrize("name", CHAINS)
def test_agrees_with_arviz(name):
    chain = CHAINS[name]
    np.testing.assert_allclose(jno.bayesian.rhat(chain), arviz.rhat(chain, method="rank"), rtol=1e-10)
    np.testing.assert_allclose(jno.bayesian.ess(chain), arviz.ess(chain, method="bulk"), rtol=1e-10)
    # single precision, as samplers return
    np.testing.assert_allclose(jno.bayesian.ess(jnp.asarray(chain)), arviz.ess(chain, method="bulk"), rtol=1e-3)


def test_one_chain_agrees_with_arviz():
    chain = autoregressive(3, 1, 501, 0.8)
    np.testing.assert_allclose(jno.bayesian.ess(chain), arviz.ess(chain, method="bulk"), rtol=1e-10)
    # ArviZ refuses rhat of one chain; its halves are two
    halves = np.concatenate([chain[:, :250], chain[:, -250:]])
    np.testing.assert_allclose(jno.bayesian.rhat(chain), jno.bayesian.rhat(halves, strategy="multichain"), rtol=1e-12)


def test_multichain_is_rank_normalised_without_halving():
    chain = CHAINS["one chain elsewhere"]
    got = jno.bayesian.rhat(chain, strategy="multichain")
    assert got == pytest.approx(reference_multichain(chain), rel=1e-10)
    # ArviZ halves the chains
    assert got != pytest.approx(max(arviz.rhat(chain, method="z_scale"), arviz.rhat(chain, method="folded")), rel=1e-3)


def reference_multichain(chain):
    """From the definition, one scalar at a time."""
    from scipy.stats import norm, rankdata

    def reduction(draws):
        scores = norm.ppf((rankdata(draws).reshape(draws.shape) - 0.375) / (draws.size + 0.25))
        within = np.mean([np.var(row, ddof=1) for row in scores])
        pooled = (len(scores[0]) - 1) / len(scores[0]) * within + np.var([np.mean(row) for row in scores], ddof=1)
        return np.sqrt(pooled / within)

    return max(reduction(chain), reduction(np.abs(chain - np.median(chain))))


def test_independent_draws_count_fully():
    draws = normal(0, 4, 1000, 40)
    assert np.mean(jno.bayesian.ess(draws)) == pytest.approx(4000, rel=0.03)
    np.testing.assert_allclose(jno.bayesian.rhat(draws), 1, atol=0.005)


def test_effective_size_of_correlated_draws():
    # the autocorrelation time of an AR(1) chain is (1 + c) / (1 - c)
    slow = autoregressive(1, 4, 5000, 0.8)
    fast = autoregressive(2, 4, 5000, -0.5)
    assert jno.bayesian.ess(slow) == pytest.approx(20000 / 9, rel=0.05)
    assert jno.bayesian.ess(fast) == pytest.approx(20000 * 3, rel=0.05)


def test_antithetic_draws_are_worth_a_bounded_number():
    alternating = np.where(np.arange(100) % 2, 1.0, -1.0) + 0.01 * normal(1, 4, 100)
    assert jno.bayesian.ess(alternating) == pytest.approx(400 * np.log10(400), rel=1e-12)


def test_drift_shows_in_halves_only():
    drift = np.linspace(0, 6, 200)[None, :, None]
    draws = normal(4, 4, 200, 1) + drift
    assert jno.bayesian.rhat(draws) > 1.5
    assert jno.bayesian.rhat(draws, strategy="split") == jno.bayesian.rhat(draws, strategy="auto")
    assert jno.bayesian.rhat(draws, strategy="multichain") < 1.02


def test_shapes_follow_the_parameters():
    draws = normal(5, 2, 50, 3, 1)
    assert jno.bayesian.rhat(draws).shape == jno.bayesian.ess(draws).shape == (3, 1)
    single = jno.bayesian.rhat(draws[:, :, 1, 0])
    assert single.shape == ()
    assert single == jno.bayesian.rhat(draws)[1, 0]
    # more parameters than are treated at a time
    many = np.tile(draws, (1, 1, 1, 700))
    np.testing.assert_array_equal(jno.bayesian.ess(many), np.tile(jno.bayesian.ess(draws), (1, 700)))


def test_networks_give_networks():
    layer = eqx.nn.Linear(2, 3, use_bias=False, key=jax.random.PRNGKey(0))
    draws = eqx.tree_at(lambda net: net.weight, layer, jnp.asarray(normal(6, 2, 40, 3, 2)))
    sizes = jno.bayesian.ess(draws)
    assert isinstance(sizes, eqx.nn.Linear)
    assert sizes.bias is None
    np.testing.assert_array_equal(sizes.weight, jno.bayesian.ess(draws.weight))


def test_what_says_nothing_is_nan():
    draws = normal(8, 2, 50, 4)
    draws[0, 3, 1], draws[1, 2, 2], draws[:, :, 3] = np.nan, np.inf, 0.1
    for result in (jno.bayesian.rhat(draws), jno.bayesian.ess(draws)):
        np.testing.assert_array_equal(np.isnan(result), [False, True, True, True])
    middle = np.zeros((1, 5))
    middle[0, 2] = 1.0  # left out by the halves
    assert np.isnan(jno.bayesian.rhat(middle))
    assert np.isnan(jno.bayesian.ess(middle))


def test_two_valued_draws_that_are_balanced():
    """All distances from the median are equal and say nothing; the draws themselves do."""
    coins = np.array([[0.0, 1.0] * 10, [1.0, 1.0, 0.0, 0.0] * 5])
    # by scores of the two ranks, which are -z and z: the halves have means 0, 0, 0.2 z and -0.2 z
    means = np.array([0.0, 0.2, 0.0, -0.2])
    within = np.mean(10 / 9 * (1 - means**2))
    expected = np.sqrt(9 / 10 + np.var(means, ddof=1) / within)
    assert jno.bayesian.rhat(coins) == pytest.approx(expected, rel=1e-12)
    apart = np.repeat([[0.0], [1.0]], 20, axis=1)
    assert jno.bayesian.rhat(apart) == np.inf


def test_chains_that_stand_still_apart_have_not_converged():
    still = np.repeat(np.array([0.1, 0.7, 0.3])[:, None], 50, axis=1)
    assert jno.bayesian.rhat(still) == np.inf
    assert jno.bayesian.ess(still) < 4


@pytest.mark.parametrize("tool", [jno.bayesian.rhat, jno.bayesian.ess])
def test_refuses_what_are_no_draws(tool):
    with pytest.raises(ValueError, match=r"expected draws of shape \(chains, draws, \*parameter\), got \(10,\)"):
        tool(np.zeros(10))
    with pytest.raises(ValueError, match=r"of \['w'\]: 3 draws per chain are too few; keep at least 4"):
        tool({"w": np.zeros((2, 3, 1))})
    with pytest.raises(ValueError, match=r"got \(2, 0\)"):
        tool(np.zeros((2, 0)))
    with pytest.raises(TypeError, match=r"array of real draws.*got complex64"):
        tool(jnp.zeros((2, 8), jnp.complex64))
    with pytest.raises(TypeError, match=r"of \[1\]: expected an array.*got float"):
        tool([np.zeros((2, 8)), 1.0])


def test_refuses_other_strategies():
    with pytest.raises(ValueError, match=r"rhat\(strategy='rank'\): choose one of 'auto', 'multichain', 'split'"):
        jno.bayesian.rhat(np.zeros((2, 8)), strategy="rank")
    with pytest.raises(ValueError, match=r"'multichain' compares at least two chains, got one; use strategy='split'"):
        jno.bayesian.rhat(np.zeros((1, 8)), strategy="multichain")
