"""The history of a sampled model: one row per epoch, of the positions before its transition."""

import blackjax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno

KERNELS = {
    "nuts": (blackjax.nuts, {"step_size": 0.1, "adapt": False}),
    "mala": (blackjax.mala, {"step_size": 0.05}),
    "barker": (blackjax.barker_proposal, {"step_size": 0.3}),
    "random walk": (blackjax.additive_step_random_walk, {"random_step": blackjax.mcmc.random_walk.normal(jnp.ones(2))}),
    "sgld": (blackjax.sgld, {"step_size": 0.02}),
}


def problem(kernel, chains, **options):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    k = jno.np.parameter((2,), name="k").initialize(jnp.array([0.5, -0.5]))
    k.bayesian(kernel, warmup=0, keep=30, num_chains=chains, likelihood_scale=10.0, **options)
    return (
        k,
        jno.core([(k[0] * x - 2.0 * x).mse, (k[1] * k[0] - x).mse]),
        np.asarray(domain.context["interior"]).ravel(),
    )


def losses_at(position, x):
    """Both constraints by hand, ``(..., 2)``."""
    a, b = position[..., 0, None], position[..., 1, None]
    return np.stack([np.mean((a * x - 2 * x) ** 2, axis=-1), np.mean((a * b - x) ** 2, axis=-1)], axis=-1)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("chains", [1, 2])
def test_losses_are_those_of_the_positions_before_each_transition(name, chains):
    kernel, options = KERNELS[name]
    k, crux, x = problem(kernel, chains, **options)
    first = losses_at(np.array([0.5, -0.5]), x)
    crux.solve(30)
    recorded = crux.training_logs[0]["losses"]
    assert recorded.shape == (30, 2)
    np.testing.assert_allclose(recorded[0], first, rtol=1e-5)
    expected = losses_at(np.asarray(k.posterior_samples), x).mean(axis=0)
    np.testing.assert_allclose(recorded[1:], expected[:-1], rtol=2e-5, atol=1e-9)
    moved = np.abs(np.diff(np.asarray(k.posterior_samples), axis=1)).max(axis=-1) > 0
    assert moved.any()
    if name in ("mala", "barker", "random walk"):
        assert not moved.all()  # some were rejected, so carried losses were tested


def test_a_second_solve_goes_on():
    k, crux, x = problem(blackjax.mala, 1, step_size=0.05)
    crux.solve(20)
    earlier = np.asarray(k.posterior_samples)
    crux.solve(5)
    assert k.posterior_samples.shape == (1, 25, 2)
    np.testing.assert_array_equal(k.posterior_samples[:, :20], earlier)
    np.testing.assert_allclose(crux.training_logs[1]["losses"][0], losses_at(earlier[0, -1], x), rtol=1e-5)
    crux.solve(25)
    assert k.posterior_samples.shape == (1, 30, 2)  # the newest keep=30 of 50
    np.testing.assert_array_equal(k.module.value, k.posterior_samples[0, -1])


def test_beside_an_optimizer_the_loss_is_the_mean_over_chains():
    domain = jno.domain.line(mesh_size=0.25)
    a = jno.np.parameter((), name="a").initialize(1.0).optimizer(optax.sgd(0.1))
    k = jno.np.parameter((), name="k").initialize(0.0)
    k.bayesian(blackjax.mala, warmup=0, keep=10, num_chains=3, step_size=0.05)
    crux = jno.core([(a - k).mse], domain=domain)
    crux.solve(10)
    before = np.concatenate([np.zeros((3, 1)), k.posterior_samples[:, :-1]], axis=1)
    expected, value = [], 1.0
    for position in before.T:
        expected.append(np.mean((value - position) ** 2))
        value -= 0.1 * 2 * np.mean(value - position)
    np.testing.assert_allclose(crux.training_logs[0]["losses"][:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(a.module.value, value, rtol=1e-5)
    assert np.ptp(before[:, -1]) > 0  # the chains differ
