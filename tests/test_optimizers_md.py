"""Magnitude/direction decoupling: against a parametrised model, and where magnitudes differ by decades."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import final_loss

from jno.optimizers import MDOptimizer, md, md_decouple

AXES = ["row", "col", ("row", "col"), ("col", "row")]
MAPS = {"softplus": jax.nn.softplus, "exp": jnp.exp}


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def matrix(seed=0, shape=(4, 3)):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def gains(state, gain_map="softplus"):
    return {axis: np.asarray(MAPS[gain_map](latent)) for axis, latent in state.latents[0].items()}


# --- the parametrisation ----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("gain_map", list(MAPS))
def test_the_first_gains_are_the_norms_of_the_first_axis(gain_map):
    w = matrix().at[1].set(0.0).at[2].mul(1e-9).at[3].mul(1e6)
    rows, columns = np.linalg.norm(w, axis=1), np.linalg.norm(w, axis=0)
    rows[1] = 1.0
    cases = {
        "row": {"row": rows},
        ("col",): {"col": columns},
        ("row", "col"): {"row": rows, "col": np.ones(3)},
        ("col", "row"): {"row": np.ones(4), "col": columns},
    }
    optimizers = [md_decouple(optax.sgd(0.1), gain_axis=axes, gain_map=gain_map) for axes in cases]
    states = jax.jit(lambda w: [optimizer.init(w) for optimizer in optimizers])(w)
    for state, expected in zip(states, cases.values(), strict=True):
        found = gains(state, gain_map)
        assert found.keys() == expected.keys()
        for axis, values in expected.items():
            np.testing.assert_allclose(found[axis], values, rtol=1e-7)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("gain_map", list(MAPS))
@pytest.mark.parametrize("axes", AXES)
def test_steps_are_those_of_a_model_with_the_factors_as_parameters(axes, gain_map):
    """V, a and b trained side by side, their gradients by automatic differentiation of the product."""
    start, target, function = matrix(), matrix(1), MAPS[gain_map]
    loss = lambda w: jnp.sum((w - target) ** 4)  # noqa: E731
    base, gain = optax.adam(0.03), optax.adam(0.02)

    def product(factors):
        w = factors["V"]
        w = function(factors["row"])[:, None] * w if "row" in factors else w
        return w * function(factors["col"]) if "col" in factors else w

    optimizer = md_decouple(base, gain_lr=0.02, gain_axis=axes, gain_map=gain_map)

    @jax.jit
    def first(w):
        state = optimizer.init(w)
        latents = dict(state.latents[0])
        v = w / product({"V": jnp.ones_like(w), **latents})
        return (w, state), (v, latents, base.init(v), gain.init(latents))

    @jax.jit
    def step(ours, reference):
        v, latents, base_state, gain_state = reference
        grad = jax.grad(lambda factors: loss(product(factors)))({"V": v, **latents})
        updates, base_state = base.update(grad.pop("V"), base_state, v)
        v = v + updates
        updates, gain_state = gain.update(grad, gain_state, latents)
        latents = optax.apply_updates(latents, updates)
        w, state = ours
        updates, state = optimizer.update(jax.grad(loss)(w), state, w)
        reference = (v, latents, base_state, gain_state)
        return (optax.apply_updates(w, updates), state), reference, product({"V": v, **latents})

    ours, reference = first(start)
    for _ in range(15):
        ours, reference, expected = step(ours, reference)
        np.testing.assert_allclose(ours[0], expected, rtol=1e-10, atol=1e-12)
        for axis, latent in reference[1].items():
            np.testing.assert_allclose(ours[1].latents[0][axis], latent, rtol=1e-10)


@pytest.mark.usefixtures("float64")
def test_without_a_gain_rate_it_is_the_base_on_the_direction():
    w, g = matrix(), matrix(1)
    rows = np.linalg.norm(w, axis=1, keepdims=True)
    # plain descent: V - lr diag(r) G, so W - lr diag(r)² G
    optimizer = md_decouple(optax.sgd(0.1), gain_lr=0.0)
    updates, state = optimizer.update(g, optimizer.init(w), w)
    np.testing.assert_allclose(updates, -0.1 * rows**2 * g, rtol=1e-10)
    np.testing.assert_allclose(gains(state)["row"], rows[:, 0], rtol=1e-12)
    np.testing.assert_allclose(gains(state)["col"], 1.0, rtol=1e-12)

    # with a memory: several steps of Adam on V
    base = optax.adam(0.05)
    optimizer = md_decouple(base, gain_lr=0.0)
    v, base_state, state = w / rows, base.init(w), optimizer.init(w)

    @jax.jit
    def step(g, w, state, v, base_state):
        change, base_state = base.update(rows * g, base_state, v)
        updates, state = optimizer.update(g, state, w)
        return w + updates, state, v + change, base_state

    for seed in range(5):
        w, state, v, base_state = step(matrix(seed), w, state, v, base_state)
        np.testing.assert_allclose(w, rows * v, rtol=1e-10)


def test_leaves_that_are_no_matrices_are_the_base():
    params = {"b": jnp.ones(3), "s": jnp.float32(2.0), "k": jnp.ones((2, 2, 2)), "none": None}
    grads = jax.tree.map(lambda leaf: 0.5 * leaf, params)
    base = optax.adam(0.1)
    expected, _ = base.update(grads, base.init(params), params)
    optimizer = md_decouple(base)
    found, state = jax.jit(optimizer.update)(grads, optimizer.init(params), params)
    assert state.latents == ({}, {}, {})
    assert found["none"] is None
    for name in ("b", "s", "k"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


@pytest.mark.usefixtures("float64")
def test_a_base_gets_the_gradient_of_the_directions():
    """Also by keyword, as line searches do."""

    def update(updates, state, params, *, grad, value):
        return jax.tree.map(jnp.negative, grad), state

    by_keyword = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    w, gradient, found = matrix(), matrix(1), []
    for base in (by_keyword, optax.sgd(1.0)):
        optimizer = md_decouple(base, gain_lr=0.0)
        found.append(optimizer.update(gradient, optimizer.init(w), w, grad=gradient, value=1.0)[0])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


# --- training ---------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("float64")
def test_rows_of_all_magnitudes_are_found_better_than_by_adam():
    """Targets with rows from 1e-3 to 1e3, relative errors, both at their best rate."""
    scale = jnp.geomspace(1e-3, 1e3, 7)[:, None]
    target = scale * matrix(0, (7, 4))
    loss = lambda w: jnp.sum(((w - target) / scale) ** 2)  # noqa: E731
    start, steps, rates = matrix(1, (7, 4)), 800, (1e-2, 3e-2, 1e-1, 1.0, 10.0)
    adam = final_loss(optax.adam, loss, start, steps)
    ours = final_loss(lambda rate: md(optax.adam(rate), gain_lr=3e-2, gain_map="exp").transform(), loss, start, steps)
    found = min(map(ours, rates))
    assert found < 1e-20
    assert found < 1e-2 * min(map(adam, rates))


@pytest.mark.usefixtures("float64")
def test_a_base_with_a_line_search_searches_along_the_direction():
    """With the gains held, descent on V is fast on a quadratic whose rows differ by decades."""
    scale = jnp.array([1e-2, 1.0, 1e2])[:, None]
    target = scale * matrix(0, (3, 2))
    loss = lambda w: jnp.sum(((w - target) / scale) ** 2)  # noqa: E731
    base = optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(20))
    optimizer = md_decouple(base, gain_lr=0.0)
    w = scale * matrix(1, (3, 2))
    state = optimizer.init(w)

    @jax.jit
    def step(w, state):
        value, grad = jax.value_and_grad(loss)(w)
        updates, state = optimizer.update(grad, state, w, value=value, grad=grad, value_fn=loss)
        return w + updates, state, value

    values = []
    for _ in range(60):
        w, state, value = step(w, state)
        values.append(float(value))
    assert (np.diff(values) <= 0).all()
    assert values[-1] < 1e-6


def test_the_marker_builds_the_transform():
    marker = md(optax.adam(0.1), gain_lr=0.2, gain_axis="col", gain_map="exp")
    assert isinstance(marker, MDOptimizer)
    built = marker.transform()
    same = md_decouple(optax.adam(0.1), gain_lr=0.2, gain_axis=("col",), gain_map="exp")
    w, g = jnp.ones((2, 3)), jnp.arange(6.0).reshape(2, 3)
    ours, _ = built.update(g, built.init(w), w)
    theirs, _ = same.update(g, same.init(w), w)
    np.testing.assert_array_equal(ours, theirs)


def test_the_rate_of_the_gains_may_be_a_schedule():
    w, g = jnp.ones((2, 2)), jnp.ones((2, 2))
    optimizer = md_decouple(optax.sgd(0.0), gain_lr=lambda step: 0.1 * (step == 0), gain_axis="row", gain_map="exp")
    first, state = optimizer.update(g, optimizer.init(w), w)
    np.testing.assert_allclose(first, np.exp(-0.1) - 1.0, rtol=1e-5)  # Adam's first step is the rate
    second, _ = optimizer.update(g, state, w + first)
    np.testing.assert_allclose(second, 0.0, atol=1e-6)


# --- errors -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("build", [md, md_decouple])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"gain_axis": "scalar"}, NotImplementedError, "one gain per matrix"),
        ({"gain_axis": ("row", "scalar")}, NotImplementedError, "one gain per matrix"),
        ({"gain_axis": "depth"}, ValueError, "gain_axis must be 'row', 'col' or both, got 'depth'"),
        ({"gain_axis": ()}, ValueError, "gain_axis must be"),
        ({"gain_axis": ("row", "row")}, ValueError, "gain_axis must be"),
        ({"gain_map": "square"}, ValueError, "unknown gain_map 'square', allowed are softplus, exp"),
        ({"gain_lr": -1.0}, ValueError, "gain_lr must be at least 0, got -1.0"),
    ],
)
def test_arguments_are_checked(build, arguments, error, message):
    with pytest.raises(error, match=message):
        build(optax.adam(1e-3), **arguments)


@pytest.mark.parametrize("base", [optax.adam, "adam", None])
@pytest.mark.parametrize("build", [md, md_decouple])
def test_the_base_must_be_a_transform(build, base):
    with pytest.raises(TypeError, match=r"the base must be an optax transform, got .*; build it first"):
        build(base)


def test_parameters_are_needed():
    optimizer = md_decouple(optax.adam(1e-3))
    w = jnp.ones((2, 2))
    with pytest.raises(ValueError, match=r"md: the parameters are needed, call update\(gradients, state, params\)"):
        optimizer.update(w, optimizer.init(w))
