"""Training that follows time: causal weights, and windows of time one after the other."""

import foundax
import jax
import numpy as np
import optax
import pytest

import jno


def points_in_time(count=256, sampler="uniform"):
    domain = jno.domain.line(time=(0.0, 1.0))
    return domain, *domain.variable("interior", (count, sampler))


def test_weights_are_those_of_the_paper():
    domain, _, t = points_in_time()
    residual = jno.np.concat([t, 2 * t**2])
    weights = jno.fn.causal_weights(residual, t, epsilon=0.5, slices=8)
    values, weighted = jno.core([t.mse]).eval([weights, jno.fn.causal(residual, t, epsilon=0.5, slices=8)])
    times = domain.context["interior"][0, 0, :, 1]
    order = np.argsort(times)
    squares = (times**2 + 4 * times**4) / 2
    losses = squares[order].reshape(8, 32).mean(axis=1)
    expected = np.empty(256)
    expected[order] = np.repeat(np.exp(-0.5 * np.concatenate([[0.0], np.cumsum(losses)[:-1]])), 32)
    np.testing.assert_allclose(np.asarray(values)[0, :, 0], expected, rtol=1e-4)
    plain = np.stack([times, 2 * times**2], axis=1)
    np.testing.assert_allclose(np.asarray(weighted)[0], plain * np.sqrt(expected)[:, None], rtol=1e-4)


def test_no_gradient_goes_through_the_weights():
    _, _, t = points_in_time()
    factor = jno.np.parameter((), name="k").initialize(3.0).optimizer(optax.sgd(0.1))
    loss = jno.fn.causal(factor * t, t, epsilon=0.1).mse
    weights = jno.fn.causal_weights(3.0 * t, t, epsilon=0.1)
    crux = jno.core([loss])
    expected = 3.0 - 0.1 * 2 * 3.0 * float(np.asarray(crux.eval((weights * t**2).mean)).item())
    crux.solve(1)
    np.testing.assert_allclose(np.asarray(crux.eval(factor)).item(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jno.fn.causal(*jno.domain.line(time=(0.0, 1.0, 3)).variable("interior")), r"time=\(t0, t1\)"),
        (lambda: jno.fn.causal(1.0, 2.0), "the time variable of the points"),
        (lambda: jno.fn.causal((v := points_in_time())[2], v[2], epsilon=-1.0), "epsilon must be a positive number"),
        (lambda: jno.fn.causal((v := points_in_time())[2], v[2], slices=1), "slices"),
        (lambda: jno.fn.causal((v := points_in_time(8))[2], v[2]).eval(), "there are only 8 points"),
        (lambda: jno.fn.causal((v := points_in_time())[2].mean, v[2]).eval(), "one row for each of the 256 points"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def oscillation(causal):
    """Relative error in u'' = -(4π)² u, u(0) = 1, u'(0) = 0 on two periods."""
    frequency = 4 * np.pi
    _, _, t = points_in_time(192, sampler="sobol")
    net = jno.nn(foundax.mlp(1, hidden_dims=32, num_layers=2, key=jax.random.key(1)))
    net.optimizer(optax.adam(optax.exponential_decay(5e-3, 4000, 0.1)))
    u = 1.0 + (1.0 - jno.np.exp(-((frequency * t) ** 2) / 2)) * net(4 * t)
    residual = u.d2(t) / frequency**2 + u
    crux = jno.core([(jno.fn.causal(residual, t, epsilon=5.0) if causal else residual).mse])
    crux.solve(4000)
    times = np.stack([np.zeros(200), np.linspace(0.0, 1.0, 200)], axis=1)
    truth = np.cos(frequency * times[:, 1])
    return np.linalg.norm(np.asarray(crux.eval(u, domain=times)).ravel() - truth) / np.linalg.norm(truth)


@pytest.mark.slow
def test_causal_training_goes_where_plain_training_settles_for_zero():
    plain, causal = oscillation(causal=False), oscillation(causal=True)
    assert plain > 0.1
    assert causal < 0.01
