"""What is sampled is the posterior: closed forms, exact moments, and which draws are kept."""

import dataclasses
from collections.abc import Callable
from typing import Any

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.linalg import solve_discrete_lyapunov

import jno
from jno.bayesian import ess, priors, rhat

READINGS, SCALE, PRIOR = 12, 30.0, 0.5
flat = lambda position: jnp.zeros(())  # noqa: E731


# --- a linear model with Gaussian noise and a Gaussian prior --------------------------------------------------
def readings():
    """Places and values ``(N,)``."""
    x = np.linspace(0, 1, READINGS)
    noise = np.random.default_rng(0).normal(0, 0.3, READINGS)
    return x, 0.7 * np.sin(np.pi * x) - 1.2 * np.cos(np.pi * x) + noise


def basis(m, x):
    """Two functions that are not orthogonal, with the functions of a namespace."""
    sine = m.sin(np.pi * x)
    return sine, m.cos(np.pi * x) + sine / 2


def measured():
    """Places and values in the trace."""
    domain = jno.domain.line(mesh_size=0.5)
    table = np.stack(readings(), axis=-1).astype(np.float32)
    return domain.variable("readings", table, point_data=True, split=True)


def closed_form(prior=(PRIOR, PRIOR)):
    """Mean and precision of both coefficients; the log density is ``-SCALE mean((Φθ - y)²) - Σ θ²/2σ²``."""
    x, y = readings()
    design = np.stack(basis(np, x), axis=-1)
    precision = 2 * SCALE / READINGS * design.T @ design + np.diag([1 / sigma**2 for sigma in prior])
    return np.linalg.solve(precision, 2 * SCALE / READINGS * design.T @ y), precision


def linear(draws_of):
    """The misfit of a linear model whose coefficients come from ``draws_of() -> (a, b)``."""
    x, y = measured()
    a, b = draws_of()
    first, second = basis(jno.np, x)
    return (a * first + b * second - y).mse


def moments(draws):
    """Mean and covariance of draws ``(chains, draws, n)`` over both leading axes."""
    every = np.asarray(draws, np.float64).reshape(-1, np.shape(draws)[-1])
    return every.mean(axis=0), np.cov(every.T, ddof=1)


def check_mean(draws, mean, errors=3.0):
    """The mean of draws ``(chains, draws, n)`` is within so many Monte Carlo standard errors."""
    deviation = np.asarray(draws, np.float64).std(axis=(0, 1))
    found = np.asarray(draws, np.float64).mean(axis=(0, 1))
    np.testing.assert_array_less(np.abs(found - mean) / (deviation / np.sqrt(np.asarray(ess(draws)))), errors)


def check_covariance(draws, covariance, tolerance=0.1):
    """The covariance is within 10 % of the geometric mean of the variances."""
    unit = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(
        moments(draws)[1] / np.outer(unit, unit), covariance / np.outer(unit, unit), 0, tolerance
    )


def exact(precision):
    return np.linalg.inv(precision)


def langevin(step):
    """Covariance that unadjusted Langevin steps lead to: Λ⁻¹ (1 - hΛ/2)⁻¹."""
    return lambda precision: np.linalg.inv(precision @ (np.eye(2) - step * precision / 2))


def euler(step, leaps, friction=0.01):
    """Covariance that leads to itself by ``leaps`` Euler steps of Hamilton's equations from fresh momenta."""

    def covariance(precision):
        one, none = np.eye(2), np.zeros((2, 2))
        leap = np.block([[one, step * one], [-step * precision, (1 - friction * step) * one]])
        kicks = np.block([[none, none], [none, 2 * friction * step * one]])
        whole, noise = np.eye(4), np.block([[none, none], [none, one]])
        for _ in range(leaps):
            whole, noise = leap @ whole, leap @ noise @ leap.T + kicks
        return solve_discrete_lyapunov(whole[:2, :2], noise[:2, :2])

    return covariance


CHAINS = {"keep": 4000, "num_chains": 4, "likelihood_scale": SCALE}


@dataclasses.dataclass(frozen=True)
class Method:
    """A kernel, its options, and the covariance of its draws from the precision of the posterior."""

    factory: Any
    options: dict[str, Any]
    covariance: Callable[[np.ndarray], np.ndarray] = exact


METHODS = {
    "nuts": Method(blackjax.nuts, {"warmup": 300}),
    "hmc": Method(blackjax.hmc, {"warmup": 300, "num_integration_steps": 6}),
    "mala": Method(blackjax.mala, {"warmup": 300, "step_size": 0.012}),
    "sgld": Method(blackjax.sgld, {"warmup": 1000, "step_size": 4e-3, "thin": 10}, langevin(4e-3)),
    "sghmc": Method(blackjax.sghmc, {"warmup": 300, "step_size": 0.02, "num_integration_steps": 8}, euler(0.02, 8)),
}


@pytest.mark.parametrize("name", ["mala", *(pytest.param(n, marks=pytest.mark.slow) for n in METHODS if n != "mala")])
def test_linear_model_with_gaussian_noise(name):
    method = METHODS[name]
    p = jno.np.parameter((2,), name="p")
    p.bayesian(method.factory, prior=priors.gaussian(PRIOR), init_jitter=0.1, **CHAINS, **method.options)
    # with window adaptation the warm-up comes before the first epoch
    warmup = 0 if name in ("nuts", "hmc") else method.options["warmup"]
    jno.core([linear(lambda: (p[0], p[1]))]).solve(warmup + 4000 * method.options.get("thin", 1))
    draws = p.posterior_samples
    assert draws.shape == (4, 4000, 2)
    assert np.asarray(rhat(draws)).max() < 1.01
    mean, precision = closed_form()
    check_mean(draws, mean)
    check_covariance(draws, method.covariance(precision))


@pytest.mark.parametrize("name", ["meanfield_vi", pytest.param("fullrank_vi", marks=pytest.mark.slow)])
def test_gaussian_approximation_of_a_gaussian(name):
    factory = {"meanfield_vi": blackjax.meanfield_vi, "fullrank_vi": blackjax.fullrank_vi}[name]
    p = jno.np.parameter((2,), name="p")
    p.vi(
        factory,
        optimizer=optax.adam(optax.cosine_decay_schedule(2e-2, 3000)),
        prior=priors.gaussian(PRIOR),
        likelihood_scale=SCALE,
        posterior_draws=4000,
    )
    core = jno.core([linear(lambda: (p[0], p[1]))])
    core.solve(3000)
    mean, precision = closed_form()
    deviation = np.sqrt(np.diag(exact(precision)))
    np.testing.assert_allclose(np.asarray(p.module.value) / deviation, mean / deviation, atol=0.02)
    # the Kullback-Leibler divergence of independent normal parameters is least at the conditional variances
    wanted = {"meanfield_vi": np.diag(1 / np.diag(precision)), "fullrank_vi": exact(precision)}[name]
    assert p.posterior_samples.shape == (1, 4000, 2)
    check_covariance(p.posterior_samples, wanted)
    assert p.posterior_diagnostics is None


# --- several models -------------------------------------------------------------------------------------------
def test_models_of_equal_settings_are_sampled_together():
    a, b = (jno.np.parameter((1,), name=name) for name in "ab")
    for parameter, sigma in ((a, PRIOR), (b, 0.2)):
        parameter.bayesian(blackjax.mala, prior=priors.gaussian(sigma), warmup=300, step_size=0.01, **CHAINS)
    jno.core([linear(lambda: (a, b))]).solve(4300)
    draws = np.concatenate([a.posterior_samples, b.posterior_samples], axis=-1)
    mean, precision = closed_form((PRIOR, 0.2))
    check_mean(draws, mean)
    check_covariance(draws, exact(precision))
    # one transition of both
    rates = [p.posterior_diagnostics["acceptance_rate"] for p in (a, b)]
    np.testing.assert_array_equal(*rates)
    assert rates[0].shape == (4, 4000)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((blackjax.mala, {"step_size": 0.015}), (blackjax.mala, {"step_size": 0.012})),
        pytest.param(
            (blackjax.nuts, {}), (blackjax.hmc, {"num_integration_steps": 3}), marks=pytest.mark.slow, id="nuts-hmc"
        ),
    ],
)
def test_models_of_different_kernels_are_sampled_in_turns(first, second):
    a, b = (jno.np.parameter((), name=name) for name in "ab")
    for parameter, (factory, options) in ((a, first), (b, second)):
        parameter.bayesian(factory, prior=priors.gaussian(PRIOR), warmup=300, **CHAINS, **options)
    jno.core([linear(lambda: (a, b))]).solve(4300)
    draws = np.stack([a.posterior_samples, b.posterior_samples], axis=-1)
    mean, precision = closed_form()
    check_mean(draws, mean)
    check_covariance(draws, exact(precision))
    rates = [np.asarray(p.posterior_diagnostics["acceptance_rate"]) for p in (a, b)]
    assert not np.array_equal(*rates)


class Combination(eqx.Module):
    """``a x + b y``."""

    a: jax.Array
    b: jax.Array

    def __call__(self, x, y):
        return self.a * x + self.b * y


def test_one_leaf_is_optimised_and_the_other_sampled():
    """The optimised one goes to the maximum of the density with the other integrated out, here the joint mode."""
    epochs, keep = 6000, 2000
    net = jno.nn(Combination(jnp.zeros(1), jnp.zeros(1)), name="net")
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
    mask = eqx.tree_at(lambda m: m.b, jax.tree_util.tree_map(lambda _: False, net.module), True)
    net.mask(mask).bayesian(
        blackjax.mala,
        prior=priors.gaussian(PRIOR),
        warmup=epochs - keep,
        keep=keep,
        num_chains=8,
        likelihood_scale=SCALE,
        step_size=0.012,
    )
    x, y = measured()
    jno.core([(net(*basis(jno.np, x)) - y).mse]).solve(epochs)
    mean, precision = closed_form((np.inf, PRIOR))
    a = float(net.module.a[0])
    np.testing.assert_allclose(a, mean[0], atol=0.01)
    assert net.posterior_samples.a is None
    draws = net.posterior_samples.b
    assert draws.shape == (8, keep, 1)
    np.testing.assert_allclose(np.var(np.asarray(draws)), 1 / precision[1, 1], rtol=0.04)
    check_mean(draws, mean[1] - precision[0, 1] / precision[1, 1] * (a - mean[0]))
    # the module holds the last position of the first chain
    np.testing.assert_array_equal(net.module.b, draws[0, -1])


@pytest.mark.slow
def test_optimised_beside_approximated():
    epochs, keep = 4000, 2000
    a, b = (jno.np.parameter((), name=name) for name in "ab")
    a.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
    b.vi(
        blackjax.meanfield_vi,
        optimizer=optax.adam(optax.cosine_decay_schedule(1e-2, epochs)),
        prior=priors.gaussian(PRIOR),
        likelihood_scale=SCALE,
        posterior_draws=keep,
    )
    jno.core([linear(lambda: (a, b))]).solve(epochs)
    mean, precision = closed_form((np.inf, PRIOR))
    np.testing.assert_allclose(float(a.module.value), mean[0], atol=0.02)
    np.testing.assert_allclose(float(b.module.value), mean[1], atol=0.02)
    np.testing.assert_allclose(np.var(np.asarray(b.posterior_samples)), 1 / precision[1, 1], rtol=0.1)


# --- a density that is not normal -----------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*diverged:jno.training.SamplingWarning")  # far out on the arms of the banana
def test_nuts_in_a_banana():
    """log p = -x²/2 - (y - x²)² / 2σ² with σ = 1/2: x is normal, y = x² + σ z."""
    x, y = (jno.np.parameter((1,), name=name) for name in "xy")
    for parameter, prior in ((x, priors.gaussian(1.0)), (y, flat)):
        parameter.bayesian(
            blackjax.nuts,
            prior=prior,
            warmup=1000,
            keep=4000,
            num_chains=4,
            likelihood_scale=0.5,
            target_acceptance_rate=0.95,
        )
    jno.core([((y - x * x) / 0.5).mse], domain=jno.domain.line(mesh_size=0.5)).solve(4000)
    assert x.posterior_diagnostics["is_divergent"].mean() < 1e-3
    u, v = (np.asarray(p.posterior_samples) for p in (x, y))
    functions = np.concatenate([u, u**2, v, (v - 1) ** 2, u * v, u**2 * v, (v - u**2) ** 2], axis=-1)
    check_mean(functions, np.array([0, 1, 1, 2 + 0.25, 0, 3, 0.25]), errors=4.0)


def test_likelihood_scale_multiplies_the_mean_over_constraints():
    """Of one number without prior, with ``s`` times the mean of two ``(k - c)²``: variance ``1/2s``."""
    k = jno.np.parameter((), name="k")
    k.bayesian(blackjax.mala, prior=flat, warmup=200, keep=4000, num_chains=4, likelihood_scale=2.0, step_size=0.3)
    jno.core([(k - c).mse for c in (1.0, 3.0)], domain=jno.domain.line(mesh_size=0.5)).solve(4200)
    draws = np.asarray(k.posterior_samples)[..., None]
    check_mean(draws, 2.0)
    np.testing.assert_allclose(draws.var(), 0.25, rtol=0.05)


def test_default_prior_is_wide():
    """N(0, 10²) alone: the data say nothing of k, which the loss multiplies by zero."""
    k = jno.np.parameter((), name="k")
    k.bayesian(blackjax.mala, warmup=100, keep=4000, num_chains=4, step_size=100.0)
    jno.core([(0.0 * k).mse], domain=jno.domain.line(mesh_size=0.5)).solve(4100)
    np.testing.assert_allclose(np.asarray(k.posterior_samples).std(), 10.0, rtol=0.02)


def test_constrained_parameter_is_sampled_as_it_is_stored():
    """k = exp(l): the prior is that of l, and expressions see k."""
    stored = jno.np.parameter((), name="k").constrain(jnp.exp)
    stored.bayesian(blackjax.mala, prior=priors.gaussian(0.5), warmup=200, keep=4000, num_chains=4, step_size=0.15)
    core = jno.core([(0.0 * stored).mse], domain=jno.domain.line(mesh_size=0.5))
    core.solve(4200)
    np.testing.assert_allclose(np.asarray(stored.posterior_samples).std(), 0.5, rtol=0.02)
    np.testing.assert_allclose(core.eval(stored), np.exp(stored.posterior_samples), rtol=1e-6)
    np.testing.assert_allclose(float(core.eval(stored).mean()), np.exp(0.125), rtol=0.02)


# --- which draws are kept -------------------------------------------------------------------------------------
def one_number(**options):
    """A parameter and a core with the density of N(2, 1/2)."""
    k = jno.np.parameter((1,), name="k").initialize(0.5)
    k.bayesian(blackjax.mala, prior=flat, **{"step_size": 0.2, **options})
    return k, jno.core([(k - 2.0).mse], domain=jno.domain.line(mesh_size=0.5))


def test_a_second_solve_goes_on_and_keeps_the_newest():
    k, core = one_number(warmup=10, keep=15, num_chains=2)
    core.solve(20)
    first = np.asarray(k.posterior_samples)
    assert first.shape == (2, 10, 1)
    assert {name: found.shape for name, found in k.posterior_diagnostics.items()} == {"acceptance_rate": (2, 10)}
    core.solve(5)  # no warm-up again
    both = np.asarray(k.posterior_samples)
    assert both.shape == (2, 15, 1)
    np.testing.assert_array_equal(both[:, :10], first)
    core.solve(6)
    assert k.posterior_samples.shape == (2, 15, 1)
    np.testing.assert_array_equal(k.posterior_samples[:, :9], both[:, 6:])
    np.testing.assert_array_equal(k.module.value, k.posterior_samples[0, -1])
    assert not np.array_equal(k.posterior_samples[0], k.posterior_samples[1])


def test_thinning_keeps_every_third():
    dense, core = one_number(warmup=7, keep=600, num_chains=2)
    core.solve(607)
    sparse, core = one_number(warmup=7, keep=200, thin=3, num_chains=2)
    core.solve(607)
    np.testing.assert_array_equal(sparse.posterior_samples, dense.posterior_samples[:, 2::3])
    assert _lag_one(sparse.posterior_samples) < _lag_one(dense.posterior_samples) - 0.2


def _lag_one(draws):
    centred = np.asarray(draws) - np.mean(draws)
    return (centred[:, 1:] * centred[:, :-1]).mean() / (centred**2).mean()


def test_init_jitter_scatters_the_starts():
    k, core = one_number(warmup=0, keep=1, num_chains=2000, init_jitter=0.3, step_size=1e-10)
    core.solve(1)
    starts = np.asarray(k.posterior_samples)[:, 0, 0]
    np.testing.assert_allclose([starts.mean(), starts.std()], [0.5, 0.3], atol=0.02)


def test_step_size_of_stochastic_gradients_may_be_a_schedule():
    """Without noise in the gradient the first steps tell the step size: of variance 2 h."""
    k = jno.np.parameter((), name="k")
    k.bayesian(
        blackjax.sgld,
        prior=flat,
        warmup=0,
        keep=2,
        num_chains=4000,
        step_size=lambda count: jnp.where(count == 0, 1e-4, 1e-2),
    )
    jno.core([(1e-3 * k).mse], domain=jno.domain.line(mesh_size=0.5)).solve(2)
    steps = np.diff(np.asarray(k.posterior_samples), prepend=0.0, axis=1)
    np.testing.assert_allclose(steps.var(axis=0), [2e-4, 2e-2], rtol=0.1)


def test_double_precision():
    with jax.enable_x64(True):
        k, core = one_number(warmup=5, keep=10)
        core.solve(15)
        assert k.posterior_samples.dtype == np.float64
        assert core.eval(k).shape == (10, 1)
