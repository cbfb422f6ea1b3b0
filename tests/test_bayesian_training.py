"""Sampling in the training loop: epochs, history, callbacks, checkpoints, substeps, mini-batches, warnings."""

import re

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.bayesian import ess
from jno.training import SamplingWarning
from jno.utils.callbacks import Callback

flat = lambda position: jnp.zeros(())  # noqa: E731


def line():
    return jno.domain.line(mesh_size=0.5)


def number(name="k", factory=blackjax.mala, **options):
    """A parameter that is sampled without prior."""
    k = jno.np.parameter((1,), name=name).initialize(0.5)
    return k.bayesian(factory, **{"prior": flat, "warmup": 0, "step_size": 0.5, "num_chains": 2, **options})


# --- epochs and history ---------------------------------------------------------------------------------------
class Watch(Callback):
    """Remembers epochs and losses, and stops after one of them."""

    def __init__(self, last=None):
        self.last, self.epochs, self.losses, self.ended = last, [], [], 0

    def on_epoch_end(self, *, epoch, total_loss, **rest):
        self.epochs.append(int(epoch))
        self.losses.append(float(total_loss))
        return epoch == self.last

    def on_training_end(self):
        self.ended += 1


HISTORIES = {
    "mala": (blackjax.mala, {}),
    "sgld": (blackjax.sgld, {}),
    "hmc": (blackjax.hmc, {"num_integration_steps": 3, "inverse_mass_matrix": np.ones(1)}),
    "nuts": (blackjax.nuts, {"inverse_mass_matrix": np.ones(1)}),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_every_epoch_is_a_transition_and_a_row(name):
    factory, options = HISTORIES[name]
    k = number(factory=factory, adapt=False, keep=100, step_size=0.15, **options)
    m = jno.np.parameter((), name="m").freeze()
    core = jno.core([(k - 2.0).mse, (k * k + m).mse, k.tracker(interval=3)], domain=line())
    watch = Watch()
    history = core.solve(40, callbacks=[watch])
    log = history.training_logs[0]
    np.testing.assert_array_equal(log["epoch"], np.arange(40))
    assert watch.epochs == list(range(40))
    assert watch.ended == 1
    np.testing.assert_allclose(watch.losses, log["total_loss"], rtol=1e-6)
    draws = np.asarray(k.posterior_samples)
    assert draws.shape == (2, 40, 1)
    # losses are those before the transition, the mean over chains
    before = np.concatenate([np.full((2, 1), 0.5), draws[:, :-1, 0]], axis=1)
    expected = np.stack([(before - 2.0) ** 2, before**4], axis=-1).mean(axis=0)
    np.testing.assert_allclose(log["losses"], expected, rtol=1e-4)
    np.testing.assert_allclose(log["total_loss"], expected.mean(axis=-1), rtol=1e-4)
    tracked = log["track_stats"][0]
    np.testing.assert_allclose(np.ravel(tracked["values"]), before[0, tracked["epoch"]], rtol=1e-6)
    # a stop ends it with the draws so far
    history = core.solve(40, callbacks=[Watch(last=44)])
    np.testing.assert_array_equal(history.training_logs[1]["epoch"], np.arange(40, 45))
    assert k.posterior_samples.shape == (2, 45, 1)


def test_early_stopping_sees_the_losses():
    k = number(keep=50, step_size=0.3)
    stop = jno.callbacks.early_stopping(patience=5, verbose=False)
    history = jno.core([(k - 2.0).mse], domain=line()).solve(200, callbacks=[stop])
    losses = history.training_logs[0]["total_loss"]
    assert stop.has_stopped
    assert len(losses) == stop.stopped_epoch + 1 < 200
    assert len(losses) - 1 - np.argmin(losses) == 5
    assert k.posterior_samples.shape == (2, min(50, len(losses)), 1)


# --- going on -------------------------------------------------------------------------------------------------
def mixed(**options):
    """One parameter sampled, one optimised beside it."""
    a = number("a", warmup=4, keep=9, step_size=0.2)
    b = jno.np.parameter((1,), name="b").optimizer(optax.adam(1e-2))
    return jno.core([(a + b - 2.0).mse, (a - b).mse], domain=line(), **options), a, b


def test_a_checkpoint_goes_on_bit_for_bit(tmp_path):
    straight, a, b = mixed()
    whole = straight.solve(20).total_loss_history
    interrupted, *_ = mixed()
    keep = jno.callbacks.checkpoint(tmp_path, save_interval_epochs=10)
    interrupted.solve(12, callbacks=[keep])
    keep.close()
    resumed, c, d = mixed(resume_from=str(tmp_path))
    log = resumed.solve(10).training_logs[0]
    np.testing.assert_array_equal(log["epoch"], np.arange(10, 20))
    np.testing.assert_array_equal(log["total_loss"], whole[10:])
    np.testing.assert_array_equal(c.posterior_samples, a.posterior_samples)
    np.testing.assert_array_equal(
        c.posterior_diagnostics["acceptance_rate"], a.posterior_diagnostics["acceptance_rate"]
    )
    np.testing.assert_array_equal(d.module.value, b.module.value)
    assert a.posterior_samples.shape == (2, 9, 1)


# --- parts of a loss ------------------------------------------------------------------------------------------
def test_substeps_sample_each_from_its_own_constraints():
    """Phase by phase: a ~ N(1, 1/2s), and of b, given a, three transitions an epoch."""
    a = number("a", keep=3000, likelihood_scale=2.0, num_chains=4, init_jitter=0.3)
    b = number("b", keep=3000, likelihood_scale=8.0, num_chains=4, step_size=0.12)
    core = jno.core([(a - 1.0).mse, (b - a.stop_gradient).mse], domain=line())
    core.solve(3000, substeps=[[0], ([1], 3)])
    first, second = (np.asarray(p.posterior_samples)[..., 0] for p in (a, b))
    assert first.shape == second.shape == (4, 3000)
    np.testing.assert_allclose([first.mean(), second.mean()], 1.0, atol=0.04)
    np.testing.assert_allclose(first.var(), 1 / 4, rtol=0.1)


def test_stochastic_gradients_of_mini_batches():
    """k given y_i for i = 1 ... 8, two of them at a time: a linear recursion, whose mean and variance are known."""
    scale, step, size, samples = 4.0, 0.01, 2, 8
    domain = samples * line()
    values = np.random.default_rng(0).normal(1.0, 0.5, samples)
    y = domain.variable("y", values[:, None].astype(np.float32))
    k = number(
        factory=blackjax.sgld,
        prior=jno.bayesian.priors.gaussian(1.0),
        warmup=200,
        keep=4000,
        thin=4,
        num_chains=4,
        likelihood_scale=scale,
        step_size=step,
    )
    jno.core([(k - y).mse]).solve(200 + 16000, batchsize=size)
    draws = np.asarray(k.posterior_samples)
    precision = 2 * scale + 1
    mean = 2 * scale * values.mean() / precision
    error = draws.std() / np.sqrt(float(ess(draws)[0]))
    assert abs(draws.mean() - mean) < 3 * error < 0.02
    # of the mean of a batch, drawn without replacement
    batch = values.var(ddof=1) / size * (1 - size / samples)
    noise = 2 * step + step**2 * (2 * scale) ** 2 * batch
    np.testing.assert_allclose(draws.var(), noise / (1 - (1 - step * precision) ** 2), rtol=0.1)


# --- warnings -------------------------------------------------------------------------------------------------
DIVERGING = {
    "factory": blackjax.hmc,
    "adapt": False,
    "keep": 6,
    "step_size": 3.0,
    "inverse_mass_matrix": np.ones(1),
    "num_integration_steps": 8,
    "likelihood_scale": 500.0,
}


def test_divergent_transitions_are_counted():
    k = number(**DIVERGING, num_chains=1)
    core = jno.core([(k - 2.0).mse], domain=line())
    with pytest.warns(SamplingWarning, match="k: 6 of 6 transitions diverged: raise target_acceptance_rate") as caught:
        core.solve(6)
    assert "k: chain(s) 0 of 1 hardly moved: lower step_size" in str(caught[0].message)
    assert np.asarray(k.posterior_diagnostics["is_divergent"]).all()
    np.testing.assert_array_equal(k.posterior_samples, np.full((1, 6, 1), 0.5, np.float32))


def test_transitions_of_the_warm_up_are_not_counted():
    """All of them diverge, of two chains, five before and four after the end of the warm-up."""
    k = number(**DIVERGING, warmup=5)
    core = jno.core([(k - 2.0).mse], domain=line())
    with pytest.warns(SamplingWarning, match="k: 8 of 8 transitions diverged"):
        core.solve(9)
    assert np.asarray(k.posterior_diagnostics["is_divergent"]).shape == (2, 4)


@pytest.mark.parametrize("warmup", [0, 400])
def test_densities_that_are_not_a_number_are_counted(warmup):
    """log p = -log²k has none for k < 0; there a proposal is rejected. The warm-up does not count."""
    k = number(keep=200, step_size=0.5, warmup=warmup, adapt=False).initialize(1.0)
    core = jno.core([jno.np.log(k).mse], domain=line())
    with pytest.warns(SamplingWarning, match="transitions met a log density that is not a number: lower") as caught:
        core.solve(warmup + 200)
    count = int(re.search("k: ([0-9]+) of 400 transitions met", str(caught[0].message)).group(1))
    rates = np.asarray(k.posterior_diagnostics["acceptance_rate"])
    assert 10 < count <= (rates == 0).sum()
    assert "hardly moved" not in str(caught[0].message)
    assert (np.asarray(k.posterior_samples) > 0).all()


def test_networks_without_bayesian_parts_have_no_draws():
    k = jno.np.parameter((1,), name="k").optimizer(optax.adam(1e-2))
    jno.core([(k - 2.0).mse], domain=line()).solve(2)
    assert k.posterior_samples is None
    assert k.posterior_diagnostics is None
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree_util.tree_leaves(k.module))
