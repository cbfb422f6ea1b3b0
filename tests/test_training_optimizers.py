"""Optimizers and scales: accepted forms, and steps compared with gradient steps written by hand."""

import functools

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.training import as_scale, as_transform


def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    return domain, x


def quadratic(optimizer=None, start=2.0, scale=None):
    """Loss ``p²``, gradient ``2 p``."""
    domain, _ = line()
    p = jno.np.parameter(()).initialize(start)
    if optimizer is not None:
        p.optimizer(optimizer)
    if scale is not None:
        p.model.scale(scale)
    return jno.core([p**2], domain=domain), p


def linear(scale, start=0.0):
    """Loss ``p``, gradient 1, trained by plain descent with rate 1: every step subtracts the scale."""
    domain, _ = line()
    p = jno.np.parameter(()).initialize(start).optimizer(optax.sgd(1.0))
    p.model.scale(scale)
    return jno.core([p], domain=domain), p


def by_hand(transform, start, steps):
    """Values of ``p`` before each step for loss ``p²``."""
    value, state, values = jnp.float32(start), None, []
    state = transform.init(value)
    for _ in range(steps):
        values.append(float(value))
        updates, state = transform.update(2.0 * value, state, value)
        value = optax.apply_updates(value, updates)
    return np.array(values), float(value)


# --- forms ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (optax.adam(1e-2), optax.adam(1e-2)),
        (optax.adam, optax.adam(1e-3)),
        (functools.partial(optax.adam, 1e-2), optax.adam(1e-2)),
        (functools.partial(optax.adam, learning_rate=1e-2), optax.adam(1e-2)),
        (functools.partial(optax.sgd, momentum=0.9), optax.sgd(1e-3, momentum=0.9)),
        (optax.chain(optax.clip(1.0), optax.sgd(0.1)), optax.chain(optax.clip(1.0), optax.sgd(0.1))),
        (lambda: optax.sgd(0.2), optax.sgd(0.2)),
        (lambda learning_rate: optax.sgd(learning_rate), optax.sgd(1e-3)),
        (optax.sgd(optax.exponential_decay(0.1, 2, 0.5)), optax.sgd(optax.exponential_decay(0.1, 2, 0.5))),
        (optax.adamw(1e-2, weight_decay=0.1), optax.adamw(1e-2, weight_decay=0.1)),
    ],
    ids=["transform", "factory", "partial", "partial by name", "partial without rate", "chain", "no argument",
         "lambda", "schedule", "decay"],
)  # fmt: skip
def test_forms(given, meant):
    crux, p = quadratic(given)
    history = crux.solve(4)
    values, last = by_hand(meant, 2.0, 4)
    np.testing.assert_allclose(history.total_loss_history, values**2, rtol=1e-6)
    np.testing.assert_allclose(float(p.module.value), last, rtol=1e-6)


@pytest.mark.parametrize("given", [optax.lbfgs, optax.lbfgs()], ids=["factory", "transform"])
def test_lbfgs_minimises_a_quadratic_in_one_line_search(given):
    crux, p = quadratic(given)
    history = crux.solve(4)
    assert history.total_loss_history[0] == 4.0
    assert abs(float(p.module.value)) < 1e-5


def test_lbfgs_fits_a_line_to_rounding():
    _, x = line()
    p = jno.np.parameter((3,)).optimizer(optax.lbfgs())
    target = 1.0 - 2.0 * x + 3.0 * x**2
    crux = jno.core([(p[0] + p[1] * x + p[2] * x**2 - target).mse])
    crux.solve(25)
    np.testing.assert_allclose(p.module.value, [1.0, -2.0, 3.0], atol=2e-3)


def test_a_bare_factory_says_its_rate_once(capsys):
    crux, p = quadratic()
    p.name("k").optimizer(optax.adam)
    crux.solve(1)
    crux.solve(1)
    printed = capsys.readouterr().out
    assert printed.count("k: the optimizer factory was given no learning rate and trains at 0.001") == 1


def test_a_factory_with_a_scale_trains_at_the_scale(capsys):
    crux, p = quadratic(optax.sgd, scale=0.25)
    crux.solve(1)
    assert float(p.module.value) == 1.0
    assert "no learning rate" not in capsys.readouterr().out


@pytest.mark.parametrize("given", [optax.MultiSteps(optax.sgd(0.1), 2), lambda: optax.MultiSteps(optax.sgd(0.1), 2)])
def test_multi_steps_moves_every_second_epoch(given):
    """By the mean of the gradients, which is that of one, so that two epochs do what one does without it."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(2.0).optimizer(given)
    losses = jno.core([p**2], domain=domain).solve(5).training_logs[0]["total_loss"]
    np.testing.assert_allclose(losses, 4.0 * 0.64 ** np.array([0, 0, 1, 1, 2]), rtol=1e-6)


@pytest.mark.parametrize("thing", [1e-3, "adam", None, (1, 2), (len, len)])
def test_no_optimizer_at_all(thing):
    with pytest.raises(TypeError, match="expected an optax transform such as"):
        jno.np.parameter(()).optimizer(thing)


def test_a_factory_of_something_else():
    crux, _ = quadratic(lambda: 3)
    with pytest.raises(TypeError, match="the factory returned int, not an optax transform"):
        crux.solve(1)


def test_optimizer_takes_no_learning_rate():
    with pytest.raises(TypeError, match="lr"):
        jno.nn(eqx.nn.Linear(1, 1, key=jax.random.PRNGKey(0))).optimizer(optax.adam, lr=1e-3)


def test_set_optimizer_reaches_every_model():
    domain, _ = line()
    p, q = jno.np.parameter(()).initialize(1.0), jno.np.parameter(()).initialize(3.0)
    crux = jno.core([p**2 + q**2], domain=domain)
    assert crux.set_optimizer(optax.sgd(1.0), scale=0.25) is crux
    crux.solve(1)
    assert (float(p.module.value), float(q.module.value)) == (0.5, 1.5)


def test_as_transform_passes_values_to_line_searches():
    transform = as_transform(optax.adam(1e-3), "k", False)
    state = transform.init(jnp.ones(2))
    transform.update(jnp.ones(2), state, jnp.ones(2), value=1.0, grad=jnp.ones(2), value_fn=None)


# --- scale ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scale", "factors"),
    [
        (0.5, [0.5] * 4),
        (3, [3.0] * 4),
        (lambda epoch: epoch + 1.0, [1.0, 2.0, 3.0, 4.0]),
        (optax.linear_schedule(1.0, 0.0, 4), [1.0, 0.75, 0.5, 0.25]),
        (optax.piecewise_constant_schedule(1.0, {2: 0.1}), [1.0, 1.0, 0.1, 0.1]),
        (lambda epoch, losses: 1.0 + 0.0 * losses[0], [1.0] * 4),
    ],
    ids=["float", "int", "callable", "linear", "piecewise", "losses"],
)
def test_step_k_uses_the_scale_of_epoch_k(scale, factors):
    crux, p = linear(scale)
    losses = crux.solve(4).total_loss_history
    positions = -np.concatenate([[0.0], np.cumsum(factors)])
    np.testing.assert_allclose(losses, positions[:4], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(float(p.module.value), positions[4], rtol=1e-6)


def test_the_epoch_goes_on_in_the_next_solve():
    crux, p = linear(lambda epoch: epoch + 1.0)
    crux.solve(2)
    crux.solve(2)
    assert float(p.module.value) == -10.0


@pytest.mark.parametrize(
    "scale",
    [optax.constant_schedule(0.5), lambda epoch: 0.5, lambda epoch, losses: 0.5],
    ids=["optax", "epoch", "epoch and losses"],
)
def test_a_schedule_may_return_a_python_number(scale):
    crux, p = linear(scale)
    crux.solve(2)
    assert float(p.module.value) == -1.0


def test_scale_sees_the_losses_of_the_same_step():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(1.0))
    p.model.scale(lambda epoch, losses: 0.1 * losses[0] + 0.01 * losses[1])
    crux = jno.core([p**2, p], domain=domain)
    crux.solve(3)
    value = 1.0
    for _ in range(3):
        value -= (0.1 * value**2 + 0.01 * value) * (2.0 * value + 1.0) / 2.0
    np.testing.assert_allclose(float(p.module.value), value, rtol=1e-6)


def test_scale_may_use_the_number_of_constraints():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(1.0))
    p.model.scale(lambda epoch, losses: jnp.dot(losses, jnp.array([0.1, 0.01])))
    crux = jno.core([p**2, p], domain=domain)
    crux.solve(1)
    np.testing.assert_allclose(float(p.module.value), 1.0 - 0.11 * 1.5, rtol=1e-6)


@pytest.mark.parametrize(
    "scale",
    [
        lambda epoch: float(epoch) * 0.1,
        lambda epoch, losses: 0.1 * epoch if losses[0] < 1.0 else 0.2,
        lambda epoch: np.array(epoch) * 0.1,
    ],
    ids=["float()", "if", "numpy"],
)
def test_a_scale_that_cannot_be_traced_runs_on_the_host(scale, capsys):
    crux, p = linear(scale)
    crux.solve(4)
    np.testing.assert_allclose(float(p.module.value), -0.6, rtol=1e-6)
    crux.solve(1)
    assert capsys.readouterr().out.count("runs on the host in every step") == 1


def test_a_scale_of_three_arguments():
    with pytest.raises(ValueError, match=r"a function of \(count\) or of \(epoch, losses\)"):
        linear(lambda epoch, losses, extra: 0.1)


def test_a_scale_of_several_numbers():
    crux, _ = linear(lambda epoch, losses: jnp.ones(2))
    with pytest.raises(ValueError, match=r"must return one number, it returns shape \(2,\)"):
        crux.solve(1)


@pytest.mark.parametrize("scale", [True, "fast", None, [1.0]])
def test_no_scale_at_all(scale):
    with pytest.raises(TypeError, match="expected a number or a schedule"):
        jno.np.parameter(()).model.scale(scale)


def test_scale_multiplies_the_update_not_the_gradient():
    crux, p = quadratic(optax.adam(0.1), scale=0.5)
    crux.solve(3)
    _, last = by_hand(optax.chain(optax.adam(0.1), optax.scale(0.5)), 2.0, 3)
    np.testing.assert_allclose(float(p.module.value), last, rtol=1e-6)


def test_as_scale_of_a_number():
    rule = as_scale(0.3, "k")
    factor, state = rule.step(rule.init(), jnp.int32(7), jnp.zeros(2))
    assert float(factor) == pytest.approx(0.3)
    assert state == ()


# --- against hand-written training ------------------------------------------------------------------------------
def network(dtype=jnp.float32):
    module = foundax.mlp(1, hidden_dims=5, num_layers=1, key=jax.random.PRNGKey(4))
    return jax.tree_util.tree_map(lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, module)


def total_loss(trained, static, points):
    """Mean over ``mean((u' - u)²)`` and ``(u(0) - 1)²``."""
    module = eqx.combine(trained, static)

    def u(point):
        return module(point[None])[0, 0]

    slope = jax.vmap(jax.grad(u))(points)[:, 0]
    values = jax.vmap(u)(points)
    return 0.5 * (jnp.mean((slope - values) ** 2) + (u(jnp.zeros_like(points[0])) - 1.0) ** 2)


def decay_problem(optimizer, module):
    domain, x = line()
    left, _ = domain.variable("left")
    net = jno.nn(module).optimizer(optimizer)
    u = net(x)
    return jno.core([(u.d(x) - u).mse, (net(left) - 1.0).mse]), net


def test_a_descent_step_in_float64():
    with jax.enable_x64(True):
        module = network(jnp.float64)
        crux, net = decay_problem(optax.sgd(0.1), module)
        history = crux.solve(1)
        trained, static = eqx.partition(module, eqx.is_inexact_array)
        points = jnp.linspace(0.0, 1.0, 5)[:, None]
        value, gradient = jax.jit(jax.value_and_grad(lambda t: total_loss(t, static, points)))(trained)
        assert history.total_loss_history.dtype == np.float64
        np.testing.assert_allclose(history.total_loss, value, rtol=1e-14)
        wanted = jax.tree_util.tree_map(lambda p, g: p - 0.1 * g, trained, gradient)
        got = eqx.filter(net.module, eqx.is_inexact_array)
        for a, b in zip(jax.tree_util.tree_leaves(got), jax.tree_util.tree_leaves(wanted), strict=True):
            assert a.dtype == jnp.float64
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_adam_in_float64_over_many_steps():
    with jax.enable_x64(True):
        module, transform, steps = network(jnp.float64), optax.adam(1e-2), 40
        crux, net = decay_problem(transform, module)
        history = crux.solve(steps)
        trained, static = eqx.partition(module, eqx.is_inexact_array)
        points = jnp.linspace(0.0, 1.0, 5)[:, None]
        state, losses = transform.init(trained), []

        @jax.jit
        def step(trained, state):
            value, gradient = jax.value_and_grad(total_loss)(trained, static, points)
            updates, state = transform.update(gradient, state, trained)
            return optax.apply_updates(trained, updates), state, value

        for _ in range(steps):
            trained, state, value = step(trained, state)
            losses.append(float(value))
        np.testing.assert_allclose(history.total_loss_history, losses, rtol=1e-11)
        got = eqx.filter(net.module, eqx.is_inexact_array)
        for a, b in zip(jax.tree_util.tree_leaves(got), jax.tree_util.tree_leaves(trained), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_only_floating_arrays_are_trained():
    class Table(eqx.Module):
        values: jax.Array
        index: jax.Array

        def __call__(self, x):
            return x * self.values[self.index]

    _, x = line()
    net = jno.nn(Table(jnp.array([1.0, 2.0]), jnp.array(1))).optimizer(optax.sgd(0.1))
    history = jno.core([(net(x)).mse]).solve(1)
    mean_square = float(np.mean(np.linspace(0.0, 1.0, 5) ** 2))
    np.testing.assert_allclose(net.module.values, [1.0, 2.0 - 0.1 * 2.0 * 2.0 * mean_square], rtol=1e-6)
    assert int(net.module.index) == 1
    assert history.training_logs[0]["trainable_params"] == 2
    assert history.training_logs[0]["total_params"] == 3
