"""Self-scaled quasi-Newton methods with their line search, on hard minima."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jno.optimizers import ssbfgs, ssbroyden
from jno.optimizers._zoom import zoom_line_search


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def rosenbrock(x):
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def minimiser(loss, optimizer, steps):
    """Compiled steps: parameters to `(parameters, state, losses)`."""

    def step(carry, _):
        params, state = carry
        value, grad = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grad, state, params, value=value, grad=grad, value_fn=loss)
        return (optax.apply_updates(params, updates), state), value

    @jax.jit
    def run(params):
        (params, state), values = jax.lax.scan(step, (params, optimizer.init(params)), length=steps)
        return params, state, values

    return run


# --- minima -----------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("optimizer", [ssbfgs, ssbroyden])
def test_rosenbrock(optimizer):
    x, _, values = minimiser(rosenbrock, optimizer(), 80)(jnp.array([-1.2, 1.0, -0.5, 0.8]))
    assert rosenbrock(x) < 1e-20
    np.testing.assert_allclose(x, 1.0, atol=1e-9)
    # superlinear: the last reductions are much larger than any fixed rate
    falling = values[values > 1e-20]
    assert falling[-1] < 1e-3 * falling[-3]


@pytest.mark.usefixtures("float64")
def test_a_small_network_for_an_equation_is_trained_far_below_adam():
    """u'' = -pi² sin(pi x), u(0) = u(1) = 0, by least squares with one hidden layer."""
    x = jnp.linspace(0.0, 1.0, 24)
    w, b, a = jax.random.normal(jax.random.key(0), (3, 10))
    start = {"w": 2.0 * w, "b": b, "a": 0.3 * a, "c": jnp.zeros(())}

    def solution(p):
        """Values of u and u''."""
        s = jnp.tanh(x[:, None] * p["w"] + p["b"])
        return s @ p["a"] + p["c"], (-2.0 * s * (1.0 - s**2)) @ (p["a"] * p["w"] ** 2)

    def loss(p):
        u, second = solution(p)
        return jnp.mean((second + jnp.pi**2 * jnp.sin(jnp.pi * x)) ** 2) + u[0] ** 2 + u[-1] ** 2

    first_order, _, _ = minimiser(loss, optax.with_extra_args_support(optax.adam(1e-2)), 400)(start)
    trained, _, _ = minimiser(loss, ssbroyden(), 400)(start)
    assert loss(trained) < 1e-6 * loss(first_order)
    np.testing.assert_allclose(solution(trained)[0], jnp.sin(jnp.pi * x), atol=1e-5)


def test_float32_trees_with_none_and_scalar_leaves_in_a_while_loop():
    optimizer = ssbroyden()
    params = {"w": jnp.ones((2, 2)), "none": None, "s": jnp.float32(3.0)}

    def loss(p):
        return jnp.sum((p["w"] - jnp.array([[1.0, 2.0], [3.0, 4.0]])) ** 2) + 10.0 * (p["s"] - p["w"][0, 0]) ** 2

    def body(carry):
        params, state, count = carry
        value, grad = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grad, state, params, value=value, grad=grad, value_fn=loss)
        return optax.apply_updates(params, updates), state, count + 1

    start = (params, optimizer.init(params), 0)
    found, state, count = jax.jit(lambda c: jax.lax.while_loop(lambda c: (loss(c[0]) > 1e-9) & (c[2] < 30), body, c))(
        start
    )
    assert count < 15
    assert found["none"] is None
    assert found["s"].shape == ()
    assert state[0].inverse_hessian.shape == (5, 5)
    assert state[0].inverse_hessian.dtype == jnp.float32
    np.testing.assert_allclose(found["s"], 1.0, atol=1e-3)


@pytest.mark.usefixtures("float64")
def test_float32_parameters_while_float64_is_on_and_a_start_at_the_minimum():
    run = minimiser(rosenbrock, ssbfgs(), 60)
    x, state, _ = run(jnp.array([-1.2, 1.0], jnp.float32))
    assert x.dtype == state[0].inverse_hessian.dtype == jnp.float32
    assert rosenbrock(x) < 1e-8
    x, _, values = run(jnp.ones(2, jnp.float32))
    np.testing.assert_array_equal(x, 1.0)
    np.testing.assert_array_equal(values, 0.0)


# --- the line search --------------------------------------------------------------------------------------------
def quartic(x):
    return jnp.sum(x**4) - jnp.sum(x) + jnp.sin(5.0 * x[0])


def waves(x):
    return jnp.sum(x**2) / 2.0 + jnp.sum(jnp.cos(5.0 * x))


def with_a_pole(x):
    return jnp.sum(x) - jnp.sum(jnp.log(x))


LINES = {
    "one step": (rosenbrock, [-1.2, 1.0], 1e-3),
    "too short": (rosenbrock, [-1.2, 1.0], 1e-7),
    "too long": (rosenbrock, [-1.2, 1.0, 0.3], 5.0),
    "wavy": (quartic, [2.0, -3.0], 1.0),
    "beyond the minimum": (waves, [1.9], 6.0),
    "outside of the domain": (with_a_pole, [0.1, 4.0], 1.0),
    "nowhere finite": (lambda x: jnp.where(jnp.all(x == 1.0), x[0], jnp.nan), [1.0, 1.0], 1.0),
    "uphill": (quartic, [2.0, -3.0], -1.0),
    "at a minimum": (lambda x: jnp.sum(x**2), [0.0, 0.0], 1.0),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("evaluations", [1, 3, 20])
@pytest.mark.parametrize("line", LINES)
def test_the_line_search_takes_the_steps_of_optax(line, evaluations):
    loss, x, scale = LINES[line]
    x = jnp.array(x)
    value, grad = jax.value_and_grad(loss)(x)
    results = []
    for search in (
        zoom_line_search(evaluations),
        optax.scale_by_zoom_linesearch(evaluations, initial_guess_strategy="one"),
    ):
        call = lambda search=search: search.update(  # noqa: E731
            -scale * grad, search.init(x), x, value=value, grad=grad, value_fn=loss
        )
        results.append(jax.jit(call)())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), *results)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), results[0]) == jax.tree.map(
        lambda a: (a.shape, a.dtype), results[1]
    )


def test_the_loss_is_in_the_program_once():
    """Of the line search; an update of a training has a second copy, that of the gradient it begins with."""
    calls = []

    def loss(x):
        calls.append(None)
        return jnp.sum(jnp.tanh(x) ** 2)

    x = jnp.ones(3)
    search = zoom_line_search(20)
    jaxpr = jax.make_jaxpr(lambda g: search.update(g, search.init(x), x, value=1.0, grad=-g, value_fn=loss))(-x)
    assert str(jaxpr).count("= tanh ") == len(calls) == 1


# --- learning rates ---------------------------------------------------------------------------------------------
def test_without_a_line_search_the_learning_rate_may_be_a_schedule():
    optimizer = ssbfgs(lambda step: 0.5 / (1.0 + step), linesearch=None)
    x, g = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0])
    state, update = optimizer.init(x), jax.jit(optimizer.update)
    updates, state = update(g, state, x)
    np.testing.assert_allclose(updates, -0.5 * g / 5.0, rtol=1e-6)
    x, g = x + updates, g / 2.0
    updates, state = update(g, state, x)
    np.testing.assert_allclose(updates, -0.25 * state[0].direction, rtol=1e-6)
    # y = -g/2, s = -g/10: on that line H is 1/5
    np.testing.assert_allclose(state[0].direction, g / 5.0, rtol=1e-5)


def test_keywords_that_the_loss_does_not_take_do_not_reach_the_line_search():
    loss = lambda x: jnp.sum((x - 1.0) ** 2)  # noqa: E731
    optimizer = ssbfgs(scale_init_precond=False, linesearch=optax.scale_by_backtracking_linesearch(10))
    x = jnp.zeros(2)
    grad = jax.grad(loss)(x)
    updates, _ = optimizer.update(grad, optimizer.init(x), x, value=loss(x), grad=grad, value_fn=loss, epoch=3)
    assert loss(x + updates) < loss(x)


# --- errors -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("build", [ssbfgs, ssbroyden])
def test_a_line_search_says_what_it_needs(build):
    x = jnp.ones(2)
    optimizer = build()
    state = optimizer.init(x)
    with pytest.raises(ValueError, match=f"{build.__name__}: the line search needs value, grad, value_fn; call"):
        optimizer.update(x, state, x)
    with pytest.raises(ValueError, match="the line search needs value_fn; call"):
        optimizer.update(x, state, x, value=jnp.float32(0.0), grad=x)


def test_a_negative_learning_rate_is_refused():
    with pytest.raises(ValueError, match=r"ssbroyden: learning_rate must be at least 0, got -1"):
        ssbroyden(-1)
