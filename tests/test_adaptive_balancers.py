"""Loss balancers: each rule against its formula, as traced weights in training, and their errors."""

import itertools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.fn import adaptive

HISTORY = np.array([[1.0, 4.0, 0.5], [0.8, 4.4, 0.1], [0.6, 2.0, 0.1], [0.5, 1.0, 0.2]])


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()


def run(balancer):
    return np.array([balancer(list(row)) for row in HISTORY])


# --- the rules --------------------------------------------------------------------------------------------------
def test_relobralo_without_lookback():
    expected, weights = [np.ones(3)], np.ones(3)
    for before, losses in itertools.pairwise(HISTORY):
        weights = 0.9 * weights + 0.1 * 3 * softmax(losses / (0.5 * before))
        expected.append(weights)
    np.testing.assert_allclose(run(adaptive.relobralo(alpha=0.9, tau=0.5, expected_rho=1.0)), expected, rtol=1e-5)


def test_relobralo_that_always_looks_back():
    expected = [np.ones(3)]
    for before, losses in itertools.pairwise(HISTORY):
        first = 3 * softmax(losses / (0.5 * HISTORY[0]))
        expected.append(0.9 * first + 0.1 * 3 * softmax(losses / (0.5 * before)))
    np.testing.assert_allclose(run(adaptive.ReLoBRaLo(alpha=0.9, tau=0.5, expected_rho=0.0)), expected, rtol=1e-5)


def test_relobralo_looks_back_as_often_as_asked():
    balancer = adaptive.relobralo(alpha=1.0, expected_rho=0.7, seed=3)
    state = balancer.init(2)
    kept = []
    for number in range(400):
        losses = np.array([1.0, 1.0 + 0.01 * number])
        weights, new = balancer.step(state, losses.astype(np.float32))
        kept.append(bool(np.array_equal(weights, state[2])))
        state = new
    assert abs(np.mean(kept[2:]) - 0.7) < 0.08


def test_softadapt():
    rates = (HISTORY[1:] - HISTORY[:-1]) / HISTORY[:-1]
    expected = [np.ones(3), *[3 * softmax(rate / 0.2) for rate in rates]]
    np.testing.assert_allclose(run(adaptive.softadapt(beta=0.2)), expected, rtol=1e-4)


def test_dwa():
    expected = [np.ones(3), np.ones(3)]
    expected += [3 * softmax(HISTORY[k - 1] / HISTORY[k - 2] / 1.5) for k in (2, 3)]
    np.testing.assert_allclose(run(adaptive.dwa(temperature=1.5)), expected, rtol=1e-5)


def test_rlw_draws_from_the_dirichlet_distribution():
    balancer = adaptive.rlw(alpha=2.0, seed=1)
    step = jax.jit(balancer.step)
    state, draws = balancer.init(3), []
    for _ in range(2000):
        weights, state = step(state, np.ones(3, dtype=np.float32))
        draws.append(weights)
    draws = np.asarray(draws) / 3
    np.testing.assert_allclose(draws.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(draws.mean(axis=0), 1 / 3, atol=0.02)
    np.testing.assert_allclose(draws.var(axis=0).mean(), (1 / 3) * (2 / 3) / 7, rtol=0.05)  # α₀ = 6


def test_lbpinns_is_adam_on_the_likelihood():
    adam = optax.adam(0.1)
    s = np.zeros(3, dtype=np.float32)
    state, expected = adam.init(s), []
    for losses in HISTORY:
        gradient = jax.grad(lambda s, losses=losses: (0.5 * jax.numpy.exp(-s) * losses + s).sum())(s)
        update, state = adam.update(gradient, state)
        s = s + update
        expected.append(0.5 * np.exp(-s))
    np.testing.assert_allclose(run(adaptive.lbpinns_loss_balancing(lr_s=0.1)), expected, rtol=1e-5)
    bounded = adaptive.LbPINNsLossBalancing(init_s=[0.0, 1.0, 2.0], lr_s=10.0, s_min=-1.0, s_max=1.0)
    assert np.all(np.abs(np.log(2 * run(bounded))) < 1.0001)


def test_weights_of_measured_norms():
    norms = types.SimpleNamespace(value=None, latest_epoch=None)
    balancer = adaptive.gradient_norm_balanced(tracker=norms)
    assert balancer([1.0, 2.0]) == (1.0, 1.0)
    norms.value = {"norms": np.array([1.0, 3.0])}
    np.testing.assert_allclose(balancer([1.0, 2.0]), [1.5, 0.5], rtol=1e-6)


def test_weights_of_measured_traces():
    trackers = [types.SimpleNamespace(value=None, latest_epoch=None) for _ in range(2)]
    balancer = adaptive.ntk_balanced(trackers=trackers, ema=0.75)
    trackers[0].value, trackers[0].latest_epoch = {"trace": 1.0}, 0
    assert balancer([1.0, 1.0]) == (1.0, 1.0)
    trackers[1].value, trackers[1].latest_epoch = {"trace": 3.0}, 0
    np.testing.assert_allclose(balancer([1.0, 1.0]), [1.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(balancer([1.0, 1.0]), [1.5, 0.5], rtol=1e-6)  # measured only once
    for tracker, trace in zip(trackers, (3.0, 3.0), strict=True):
        tracker.value, tracker.latest_epoch = {"trace": trace}, 10
    for _ in range(2):  # averaged: 1.5 and 3, and what was measured counts once
        np.testing.assert_allclose(balancer([1.0, 1.0]), [4 / 3, 2 / 3], rtol=1e-6)


def test_under_jit_the_state_lives_on_the_host():
    balancer, plain = adaptive.softadapt(), adaptive.softadapt()
    both = jax.jit(jax.value_and_grad(lambda losses: jnp.sum(jnp.stack(balancer(losses)) * losses)))
    for losses in ([1.0, 2.0], [1.1, 2.0], [1.0, 1.9]):
        total, slope = both(jnp.array(losses))
        weights = plain(losses)
        np.testing.assert_allclose(slope, weights, rtol=1e-5)
        np.testing.assert_allclose(total, np.dot(weights, losses), rtol=1e-5)
    rate, compiled = (adaptive.dlrs(lr0=0.5, window=2) for _ in range(2))
    called = jax.jit(lambda loss: compiled(0, [loss]))
    for loss in (1.0, 0.9, 5.0):
        np.testing.assert_allclose(called(loss), rate(0, [loss]), rtol=1e-6)


def test_context_is_no_loss():
    domain, p, _, first, second = two_parameters()
    w = adaptive.softadapt([first, second], p, 3.0 * p, beta=0.2)
    assert len(w) == 2
    crux = jno.core([w[0] * first, w[1] * second], domain=domain)
    crux.solve(2)
    assert np.sum(crux.eval(list(w))) == pytest.approx(2.0)


def test_reset_forgets():
    balancer = adaptive.softadapt()
    first = run(balancer)
    balancer.reset()
    np.testing.assert_array_equal(run(balancer), first)


# --- in training ------------------------------------------------------------------------------------------------
def two_parameters():
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.05))
    q = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.1))
    return domain, p, q, p**2, (q - 1.0) ** 2


def by_hand(rule, epochs, scaling=lambda losses: losses):
    """The same training with the rule called from a loop: gradients of p² and (q - 1)² are 2p and 2(q - 1)."""
    p, q, weights, rows = 2.0, 3.0, [], []
    for _ in range(epochs):
        losses = np.array([p**2, (q - 1.0) ** 2])
        w = rule(list(scaling(losses)))
        weights.append(w)
        rows.append(np.array(w) * losses)
        p, q = p - 0.05 * w[0] * p, q - 0.1 * w[1] * (q - 1.0)  # half of the sum: the mean over constraints
    return np.array(rows), np.array(weights), (p, q)


@pytest.mark.parametrize(
    ("factory", "options"),
    [("softadapt", {"beta": 0.5}), ("dwa", {}), ("relobralo", {"alpha": 0.8, "expected_rho": 0.5}), ("rlw", {})],
)
def test_weights_are_those_of_the_rule(factory, options):
    domain, p, q, first, second = two_parameters()
    w = getattr(adaptive, factory)([first, second], **options)
    crux = jno.core([w[0] * first, w[1] * second, *(weight.tracker() for weight in w)], domain=domain)
    log = crux.solve(3).training_logs[0]
    log = crux.solve(5).training_logs
    rows, weights, values = by_hand(getattr(adaptive, factory)(**options), 8)
    np.testing.assert_allclose(np.concatenate([part["losses"] for part in log]), rows, rtol=1e-4)
    np.testing.assert_allclose([float(p.module.value), float(q.module.value)], values, rtol=1e-4)
    # a tracker sees the weights before the epoch
    seen = np.array([part["values"] for part in log[1]["track_stats"]]).T
    np.testing.assert_allclose(seen[:5], weights[2:7], rtol=1e-4)
    np.testing.assert_allclose(np.ravel(crux.eval(list(w))), weights[-1], rtol=1e-4)


@pytest.mark.parametrize("mode", ["minmax", "l2"])
def test_losses_are_scaled_before_the_rule(mode):
    scaling = {
        "minmax": lambda x: np.maximum((x - x.min()) / max(np.ptp(x), 1e-6), 1e-6),
        "l2": lambda x: x / np.linalg.norm(x),
    }[mode]
    domain, _, _, first, second = two_parameters()
    w = adaptive.lbpinns_loss_balancing([first, second], lr_s=0.3, mode=mode, eps=1e-6)
    crux = jno.core([w[0] * first, w[1] * second], domain=domain)
    rows, _, _ = by_hand(adaptive.lbpinns_loss_balancing(lr_s=0.3), 5, scaling)
    np.testing.assert_allclose(crux.solve(5).training_logs[0]["losses"], rows, rtol=1e-4)


def test_the_rule_is_asked_once_an_epoch_with_line_searches_and_substeps():
    domain, p, _, first, second = two_parameters()
    p.optimizer(optax.chain(optax.sgd(0.1), optax.scale_by_backtracking_linesearch(5)))
    w = adaptive.rlw([first, second])
    crux = jno.core([w[0] * first, w[1] * second, w[0].tracker()], domain=domain)
    seen = crux.solve(4, substeps=[[0], ([1], 2)]).training_logs[0]["track_stats"][0]["values"]
    rule = adaptive.rlw()
    expected = [1.0, *[rule([1.0, 1.0])[0] for _ in range(3)]]
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"batchsize": 1, "accumulation_steps": 3}])
def test_networks_in_their_losses_are_balanced_over_samples(options):
    domain = 3 * jno.domain.line(mesh_size=0.25)
    a = domain.variable("a", np.arange(12.0).reshape(3, 1, 4, 1) / 12.0)
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.0))
    losses = [(p * a).mse, (p - a).mse]
    w = adaptive.lbpinns_loss_balancing(losses, lr_s=0.3)
    crux = jno.core([w[0] * losses[0], w[1] * losses[1]])
    crux.solve(2, **options)
    values = np.arange(12.0) / 12.0
    mean = [np.mean((2 * values) ** 2), np.mean((2 - values) ** 2)]
    rule = adaptive.lbpinns_loss_balancing(lr_s=0.3)
    rule(mean)
    np.testing.assert_allclose(crux.eval(w[0])[0], rule(mean)[0], rtol=1e-5)


# --- errors -----------------------------------------------------------------------------------------------------
def test_errors():
    _, _, _, first, second = two_parameters()
    with pytest.raises(ValueError, match="Unsupported adaptive loss mode 'max'; allowed: raw, none, minmax, l2"):
        adaptive.softadapt([first, second], mode="max")
    with pytest.raises(TypeError, match="got float among the losses"):
        adaptive.softadapt([first, 1.0])
    with pytest.raises(ValueError, match=r"SoftAdapt\(num_losses=3\) was given 2 losses"):
        adaptive.softadapt([first, second], num_losses=3)
    with pytest.raises(ValueError, match="eps=0"):
        adaptive.softadapt([first, second], eps=0.0)
    for wrong in ({"beta": 0.0}, {"num_losses": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            adaptive.softadapt(**wrong)
    with pytest.raises(ValueError, match="init_s has shape"):
        adaptive.lbpinns_loss_balancing(init_s=[0.0])([1.0, 2.0])
    with pytest.raises(ValueError, match="expected_rho=2"):
        adaptive.relobralo(expected_rho=2.0)
    with pytest.raises(ValueError, match="temperature"):
        adaptive.dwa(temperature=-1.0)
    with pytest.raises(ValueError, match="alpha"):
        adaptive.rlw(alpha=0.0)


def test_the_list_of_names():
    names = {"softadapt", "relobralo", "dwa", "rlw", "lbpinns_loss_balancing", "gradient_norm_balanced", "ntk_balanced"}
    assert names | {"dlrs", "first_magnitude"} <= set(dir(adaptive))
    with pytest.raises(AttributeError, match="nothing"):
        adaptive.nothing  # noqa: B018


def test_weights_follow_the_gradients_that_a_callback_measures():
    domain, p, q, first, second = two_parameters()
    norms = jno.callbacks.gradient_norms(interval=1)
    w = adaptive.gradient_norm_balanced([first, second], tracker=norms)
    crux = jno.core([w[0] * first, w[1] * second], domain=domain)
    log = crux.solve(6, callbacks=[norms]).training_logs[0]
    values, weights, rows = [2.0, 3.0], np.ones(2), []
    for _ in range(6):
        rows.append(weights * [values[0] ** 2, (values[1] - 1.0) ** 2])
        slopes = np.array([2 * values[0], 2 * (values[1] - 1.0)])
        values = [values[0] - 0.05 * weights[0] * slopes[0] / 2, values[1] - 0.1 * weights[1] * slopes[1] / 2]
        inverse = 1.0 / np.abs([2 * values[0], 2 * (values[1] - 1.0)])
        weights = 2 * inverse / inverse.sum()
    np.testing.assert_allclose(log["losses"], rows, rtol=1e-4)
    np.testing.assert_allclose([float(p.module.value), float(q.module.value)], values, rtol=1e-4)


def test_weights_follow_the_kernels_that_callbacks_measure():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    xb, _ = domain.variable("boundary")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.0))
    inner, outer = p * x, 3.0 * p * xb
    trackers = [jno.callbacks.ntk_spectrum(e.grad(p.model), interval=1) for e in (inner, outer)]
    losses = [(inner - 1.0).mse, outer.mse]
    w = adaptive.ntk_balanced(losses, trackers=trackers, ema=0.0)
    crux = jno.core([w[0] * losses[0], w[1] * losses[1]])
    crux.solve(2, callbacks=trackers)
    points = domain.context["interior"].ravel(), domain.context["boundary"].ravel()
    traces = np.array([np.sum(points[0] ** 2), np.sum((3.0 * points[1]) ** 2)])
    expected = traces.sum() / traces
    np.testing.assert_allclose(np.ravel(crux.eval(list(w))), 2 * expected / expected.sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: jno.fn.adaptive.RLW(seed=object()), "seed must be an integer from"),
        (lambda: jno.fn.adaptive.RLW(alpha=float("inf")), r"RLW\(alpha=inf\): alpha must be a positive number"),
        (lambda: jno.fn.adaptive.SoftAdapt(loss_floor=-1.0), "loss_floor must be a number of at least 0"),
        (
            lambda: jno.fn.adaptive.ReLoBRaLo(expected_rho="1"),
            "expected_rho must be a number of at least 0 and at most 1",
        ),
        (
            lambda: jno.fn.adaptive.LbPINNsLossBalancing(init_s=["a"]),
            "init_s must be a number, or a list of one number",
        ),
        (lambda: jno.fn.adaptive.GradientNormBalanced(5), "tracker must be an analysis callback"),
        (lambda: jno.fn.adaptive.NTKBalanced([]), "trackers must be a list of jno.callbacks.ntk_spectrum"),
        (lambda: jno.fn.adaptive.dwa("abc"), r"DWA\(losses='abc'\): losses must be a list of expressions"),
        (
            lambda: jno.schedule.dlrs(decremental_factor=-0.5),
            r"decremental_factor must be a number of at least 0 and at most 9",
        ),
        (lambda: jno.LearningRateSchedule(lambda: 1.0), r"or take \(epoch\) or \(epoch, losses\)"),
        (lambda: jno.LearningRateSchedule.exponential(1.0, 0.5, 3, staircase=2), "staircase must be True or False"),
        (lambda: jno.LearningRateSchedule.cosine(9, float("nan")), "lr0 must be a number of at least 0"),
        (lambda: jno.WeightSchedule("abc"), "weights must be a list of numbers and functions"),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()


def test_first_magnitudes_take_the_units_out():
    rule = adaptive.first_magnitude()
    np.testing.assert_allclose(rule([0.0, 4e20, 1e-18]), [1.0, 2.5e-21, 1e18], rtol=1e-6)
    np.testing.assert_allclose(rule([0.5, 1.0, 1.0]), [2.0, 2.5e-21, 1e18], rtol=1e-6)
    np.testing.assert_allclose(rule([8.0, float("nan"), 1.0]), [2.0, 2.5e-21, 1e18], rtol=1e-6)


def test_first_magnitudes_in_training():
    domain, _, _, first, second = two_parameters()
    w = adaptive.first_magnitude([1e20 * first, 1e-20 * second])
    crux = jno.core([w[0] * 1e20 * first, w[1] * 1e-20 * second, w[0].tracker(), w[1].tracker()], domain=domain)
    history = crux.solve(3)
    np.testing.assert_allclose(history.total_loss_history[0], 1.0, rtol=1e-5)
    weights = [np.ravel(track["values"]) for track in history.training_logs[0]["track_stats"]]
    np.testing.assert_allclose([values[1:] for values in weights], [[2.5e-21] * 2, [2.5e19] * 2], rtol=1e-5)


# --- a rule of the user -----------------------------------------------------------------------------------------
class InProportion(adaptive.Balancer):
    """Weights in proportion to a running mean of the losses."""

    def init(self, count):
        return jnp.ones(count)

    def step(self, state, losses):
        mean = 0.9 * state + 0.1 * losses
        return len(losses) * mean / mean.sum(), mean


def test_a_rule_of_the_user_weighs_as_by_hand():
    domain, _, _, first, second = two_parameters()
    w = adaptive.weights([first, second], InProportion())
    crux = jno.core([w[0] * first, w[1] * second], domain=domain)
    rows, weights, _ = by_hand(InProportion(), 5)
    np.testing.assert_allclose(crux.solve(5).training_logs[0]["losses"], rows, rtol=1e-4)
    np.testing.assert_allclose(weights[0], [2 * 1.3 / 2.6, 2 * 1.3 / 2.6], rtol=1e-6)
    np.testing.assert_allclose(np.ravel(crux.eval(list(w))), weights[-1], rtol=1e-4)


def test_what_is_no_rule_and_what_are_no_losses_is_refused():
    _, _, _, first, second = two_parameters()
    with pytest.raises(TypeError, match=r"rule must be a Balancer, such as jno\.fn\.adaptive\.SoftAdapt\(\)"):
        adaptive.weights([first, second], adaptive.SoftAdapt)
    with pytest.raises(TypeError, match=r"losses must be a list of expressions, as in \[residual\.mse"):
        adaptive.weights(first, InProportion())
    with pytest.raises(TypeError, match="got float among the losses"):
        adaptive.weights([first, 1.0], InProportion())
    with pytest.raises(ValueError, match=r"InProportion\(num_losses=3\) was given 2 losses"):
        adaptive.weights([first, second], InProportion(3))
