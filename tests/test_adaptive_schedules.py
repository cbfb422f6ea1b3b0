"""Schedules of rates and weights against their formulas, on the device and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.adaptive import DLRS, LearningRateSchedule, WeightSchedule


def values(schedule, epochs):
    return [float(schedule(epoch)) for epoch in epochs]


@pytest.mark.parametrize("traced", [False, True])
def test_formulas(traced):
    epochs = np.arange(0, 130, 5)  # where a schedule changes, too
    table = {
        LearningRateSchedule.constant(0.3): np.full(len(epochs), 0.3),
        LearningRateSchedule.cosine(100, 1.0, 0.1): 0.1
        + 0.9 * 0.5 * (1 + np.cos(np.pi * np.minimum(epochs, 100) / 100)),
        LearningRateSchedule.exponential(2.0, 0.5, 10, 0.01): np.maximum(2.0 * 0.5 ** (epochs / 10), 0.01),
        LearningRateSchedule.exponential(2.0, 0.5, 10, staircase=True): 2.0 * 0.5 ** (epochs // 10),
        LearningRateSchedule.piecewise_constant([20, 50], [1.0, 0.5, 0.1]): np.select(
            [epochs < 20, epochs < 50], [1.0, 0.5], 0.1
        ),
        LearningRateSchedule.warmup_cosine(100, 20, 1.0, 0.0): np.where(
            epochs < 20, (epochs + 1) / 20, 0.5 * (1 + np.cos(np.pi * np.minimum(epochs - 20, 80) / 80))
        ),
    }
    for schedule, expected in table.items():
        function = jax.jit(schedule) if traced else schedule
        found = [float(function(int(epoch))) for epoch in epochs]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_values_above_one_are_not_clipped_unless_asked():
    assert values(LearningRateSchedule(lambda t: 5.0 + t), [0, 1]) == [5.0, 6.0]
    assert values(LearningRateSchedule(lambda t: 5.0 + t, max_lr=5.5), [0, 1]) == [5.0, 5.5]
    assert values(LearningRateSchedule(3), [0]) == [3.0]


def test_losses_reach_the_function():
    schedule = LearningRateSchedule(lambda t, losses: t + losses[1])
    assert float(schedule(1, jnp.array([1.0, 2.0]))) == 3.0


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: LearningRateSchedule("fast"), TypeError, "expected a number"),
        (lambda: LearningRateSchedule(2.0, max_lr=1.0), ValueError, r"the constant lies outside of \[None, 1.0\]"),
        (lambda: LearningRateSchedule(lambda t: t, 1.0, 0.5), ValueError, "min_lr=1.0 is above max_lr=0.5"),
        (lambda: LearningRateSchedule.cosine(0, 1.0), ValueError, "total_steps=0: it must be an integer"),
        (lambda: LearningRateSchedule.warmup_cosine(10, 10), ValueError, "must be below total_steps=10"),
        (lambda: LearningRateSchedule.piecewise_constant([1], [1.0]), ValueError, "one value more than boundaries"),
        (
            lambda: LearningRateSchedule.piecewise_constant([2, 1], [1, 2, 3]),
            ValueError,
            "the boundaries must increase",
        ),
        (lambda: WeightSchedule([]), ValueError, "has no weights"),
        (lambda: WeightSchedule(["a"]), TypeError, "a number or a function, got 'a'"),
        (lambda: WeightSchedule([-1.0]), ValueError, "the weight -1.0 lies outside of"),
        (lambda: WeightSchedule([1.0], 2.0, 1.0), ValueError, "min_weight=2.0 is above max_weight=1.0"),
        (lambda: DLRS(2.0), ValueError, r"lr0=2.0 must lie in \[min_lr, max_lr\]"),
        (lambda: DLRS(window=1), ValueError, "window=1 must be an integer of at least 2"),
    ],
)
def test_what_is_refused(build, error, message):
    with pytest.raises(error, match=message):
        build()


def test_weights():
    schedule = WeightSchedule([1.0, lambda t: 0.5 * t, lambda t, losses: losses[0]], max_weight=4.0)
    assert jax.jit(schedule)(3, jnp.array([9.0, 1.0])).tolist() == [1.0, 1.5, 4.0]
    assert WeightSchedule(lambda t, losses: losses / jnp.sum(losses))(0, jnp.array([1.0, 3.0])).tolist() == [0.25, 0.75]


def rates_by_hand(losses, lr0, window, down, stay, up, low=1e-10, high=1.0):
    rates, seen, rate = [], [], lr0
    for loss in losses:
        seen = [*seen, loss][-window:]
        if len(rates) > 0:
            slope = (seen[-1] - seen[0]) / np.mean(seen)
            factor = down if slope > 1 else stay if slope > 0 else -up
            rate = float(np.clip(rate - 10 ** np.floor(np.log10(rate)) * factor, low, high))
        rates.append(rate)
    return rates


def test_dlrs_follows_the_rule():
    random = np.random.default_rng(0)
    losses = np.concatenate([[1.0, 2.5], np.exp(np.cumsum(random.normal(size=58) * 0.7))])  # a slope of 1.5 / 1.75
    expected = rates_by_hand(losses, 0.35, 5, 0.4, 0.15, 0.2)
    with jax.enable_x64(True):
        scheduler = DLRS(0.35, 5, 0.4, 0.15, 0.2)
        by_hand = [float(scheduler(t, [loss / 2, loss / 2])) for t, loss in enumerate(losses)]
        state, traced = scheduler.init(), []
        step = jax.jit(scheduler.step)
        for loss in losses:
            rate, state = step(state, jnp.array([loss]))
            traced.append(float(rate))
        scheduler.reset()
        assert float(scheduler(0, [1.0])) == 0.35
    np.testing.assert_allclose(by_hand, expected, rtol=1e-9)
    np.testing.assert_allclose(traced, expected, rtol=1e-9)
    assert len(set(np.round(expected, 12))) > 10


def parabola(scale):
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(1.0))
    p.model.scale(scale)
    return jno.core([p**2], domain=domain), p


def test_training_with_dlrs():
    crux, p = parabola(DLRS(0.05, 3, 0.5, 0.1, 0.3))
    losses = crux.solve(12).total_loss_history
    crux.solve(4)  # the state goes on
    value, seen = 1.0, []
    for _ in range(16):
        seen.append(value**2)
        value -= rates_by_hand(seen, 0.05, 3, 0.5, 0.1, 0.3)[-1] * 2 * value
    np.testing.assert_allclose(losses, seen[:12], rtol=1e-4)
    np.testing.assert_allclose(float(p.module.value), value, rtol=1e-4)


def test_training_with_a_schedule_object():
    crux, p = parabola(LearningRateSchedule.piecewise_constant([2], [0.25, 0.0]))
    crux.solve(5)
    assert float(p.module.value) == pytest.approx(0.25)


def test_names():
    assert jno.schedule.learning_rate is jno.LearningRateSchedule is LearningRateSchedule
    assert jno.schedule.constraint is jno.WeightSchedule is WeightSchedule
    assert jno.schedule.dlrs is DLRS
