"""What is fixed, what of it is computed beforehand, and what is left in the step."""

from __future__ import annotations

import contextlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import count_primitive, mlp, unit_square
from precomputing import assert_same, modules_of, pair, titles, value_and_gradient

import jno
from jno.compiler import PRECOMPUTED, Program
from jno.compiler._fixed import largest_fixed
from jno.compiler._work import work_of_outputs
from jno.compiler._worth import Worth

SIN, EXP = jno.np.sin, jno.np.exp


def wave(x, y):
    return SIN(2 * x + y) * EXP(x * y)


# --- the step -----------------------------------------------------------------------------------------------------
def jaxpr_of(program):
    return jax.make_jaxpr(lambda data: program(modules_of(program), data))(program.data).jaxpr


def test_distances_to_edges_are_gone_from_the_step():
    domain = jno.domain.disk(mesh_size=0.4)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x, y) * domain.distance_function(smooth=True)
    plain, adopted = pair([u.laplacian(x, y).mse], domain, worth=Worth(share=0.0))
    before, after = jaxpr_of(plain), jaxpr_of(adopted)
    for name in ("sqrt", "top_k", "atan", "gather", "div"):
        assert count_primitive(before, name) > 0 or name == "gather"
        assert count_primitive(after, name) <= (1 if name == "div" else 0), name
    assert len(after.eqns) < len(before.eqns) / 2
    assert titles(adopted) == {"distance": "value, ∂x, ∂y, ∂xx + ∂yy"}


def test_what_is_cheap_is_left_in_the_step():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x, y) * x * (1 - x) * y * (1 - y)
    plain, adopted = pair([u.laplacian(x, y)], domain, worth=Worth(share=0.0))
    assert not adopted.precomputed.expressions
    assert str(jaxpr_of(adopted)) == str(jaxpr_of(plain))


def test_what_is_a_small_part_of_the_step_is_left_in_it():
    domain = unit_square(0.1)
    x, y, _ = domain.variable("interior")
    small, large = mlp(2, width=4), mlp(2, width=128)
    points = 100 * SIN(wave(x, y)) * SIN(2 * wave(x, y))
    assert pair([small(x, y).laplacian(x, y) + points], domain, worth=Worth())[1].precomputed.expressions
    assert not pair([large(x, y).laplacian(x, y) + points], domain, worth=Worth())[1].precomputed.expressions


def test_derivatives_that_are_zero_are_not_stored():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x, y)
    _, adopted = pair([(u * SIN(x)).laplacian(x, y), (u * jno.np.floor(3 * SIN(y))).d(y)], domain)
    assert titles(adopted) == {"sin": "value, ∂x, ∂xx + ∂yy", "floor": "value"}


def test_expressions_of_a_program_share_what_it_holds():
    """Parts of a problem read what was computed for all of it, also where they need other derivatives."""
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x, y) * wave(x, y)
    plain, adopted = pair([u.d2(x), u.d2(y), 2 * u.d2(x) + u.d2(y)], domain)
    for number in range(3):
        part = adopted.part([number])
        assert part.precomputed is adopted.precomputed
        jaxpr = jax.make_jaxpr(lambda data, part=part: part(modules_of(part), data))(adopted.data).jaxpr
        assert count_primitive(jaxpr, "exp") == 0
        expected = value_and_gradient(plain.part([number]))
        for a, b in zip(expected, value_and_gradient(part, adopted.data), strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-5 * max(1.0, float(jnp.abs(a).max())))


def test_a_pass_that_needs_more_than_is_held_computes_it():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x, y) * wave(x, y)
    _, adopted = pair([u.d(x)], domain)
    more, reference = adopted.over([u.laplacian(x, y)]), Program([u.laplacian(x, y)], domain)
    values = jax.jit(lambda data: more(modules_of(more), data))(adopted.data)
    expected = jax.jit(lambda data: reference(modules_of(reference), data))(reference.data)
    np.testing.assert_allclose(values[0], expected[0], rtol=0, atol=1e-4)


def test_data_without_it_is_enough():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    plain, adopted = pair([(mlp(2)(x, y) * wave(x, y)).laplacian(x, y)], domain)
    data = {name: array for name, array in adopted.data.items() if name[0] != PRECOMPUTED}
    a, b = (jax.jit(lambda d, p=p: p(modules_of(p), d))(data)[0] for p in (plain, adopted))
    np.testing.assert_array_equal(a, b)


# --- what is fixed ------------------------------------------------------------------------------------------------
def fixed(expression, domain):
    program = Program([expression], domain)
    tags = {tag for _, tag in program.layout.entries}
    return [node.describe() for node in largest_fixed(program.roots, program.graph, tags)]


def test_what_may_change_is_not_fixed():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    net, parameter = mlp(2), jno.np.parameter((1,), name="k")
    drawn = jno.fn(lambda a, key: a + jax.random.normal(key, a.shape), [x])
    noise = jno.noise.gaussian(std=0.1)
    for varying in (net(x, y), parameter * x, drawn * x, noise + x, net(x, y).mse * x):
        assert fixed(SIN(varying) * net(x, y), domain) == [] or fixed(SIN(varying) * net(x, y), domain) == ["x"]
    assert fixed(SIN(x) * net(x, y) + noise * EXP(y), domain) == ["sin", "exp"]
    weight = jno.fn.adaptive.relobralo([net(x, y).mse, net(y, x).mse])
    assert fixed(weight[0] * SIN(x) * net(x, y), domain) == ["sin"]


def test_what_has_an_effect_is_evaluated_in_every_step():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")

    def shown(a):
        jax.debug.callback(lambda _: None, a)
        return jnp.sin(a)

    _, adopted = pair([jno.fn(shown, [x]) * EXP(y) * mlp(2)(x, y)], domain)
    assert "shown" not in titles(adopted)
    assert count_primitive(jaxpr_of(adopted), "debug_callback") == 1


def test_work_of_a_jaxpr():
    def function(a):
        matrix = jnp.ones((3, 5)) @ a
        return matrix, jnp.sin(a) + 1.0, jnp.zeros((2, 2)), jax.lax.fori_loop(0, 7, lambda _, b: b * 2.0, a)

    products, waves, zero, loop = work_of_outputs(jax.make_jaxpr(function)(jnp.ones((5, 4))))
    assert products.amount == 2 * 3 * 5 * 4
    assert waves.amount == (80 + 8) * 20
    assert (zero.amount, zero.zero, products.zero) == (0.0, True, False)
    assert loop.amount == 7 * (8 * 20 + 8)  # the products, and the count of the rounds


# --- refreshing ---------------------------------------------------------------------------------------------------
def test_new_points_refresh_what_follows_from_them():
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    net = mlp(2)
    plain, adopted = pair([(net(x, y) * wave(x, y)).laplacian(x, y), net(xb, yb) * SIN(xb)], domain)
    held = {name: array for name, array in adopted.data.items() if name[0] == PRECOMPUTED}
    new = np.random.default_rng(0).random(adopted.data["points", "interior"].shape)
    for program in (plain, adopted):
        program.replace({("points", "interior"): new})
    assert_same(plain, adopted)
    assert any(not np.array_equal(held[name], adopted.data[name]) for name in held)
    before = adopted.data
    adopted.replace({("points", "elsewhere"): new})
    assert adopted.data is before


@pytest.mark.parametrize(
    ("every", "share", "expected"), [(1, 0.5, False), (3, 0.5, False), (4, 0.5, True), (9, 1.0, False)]
)
def test_points_that_are_replaced_often_are_left_in_the_step(every, share, expected):
    """So are those that the step draws itself: all are new."""
    domain = jno.domain.rect(mesh_size=0.2)
    strategy = jno.sampler.random(every, share)
    x, y, _ = domain.variable("interior", sample=(20, None), resampling_strategy=strategy)
    _, adopted = pair([(mlp(2)(x, y) * wave(x, y)).laplacian(x, y)], domain)
    assert bool(adopted.precomputed.expressions) is expected


# --- memory, plan -------------------------------------------------------------------------------------------------
def envelope(count=20):
    domain = jno.domain.from_array({"interior": np.random.default_rng(0).random((count, 2))})
    x, y = domain.variable("interior")[:2]
    return domain, [(mlp(2)(x, y) * wave(x, y)).laplacian(x, y)]


def test_size_and_limit_of_memory(monkeypatch, caplog):
    domain, expressions = envelope()
    _, adopted = pair(expressions, domain)
    arrays = [array for name, array in adopted.data.items() if name[0] == PRECOMPUTED]
    assert adopted.precomputed.nbytes == sum(array.nbytes for array in arrays) == 4 * 20 * 4
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", "0")
    assert not pair(expressions, domain)[1].precomputed.expressions
    domain, expressions = envelope(100_000)
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", "1")
    assert not pair(expressions, domain)[1].precomputed.expressions
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", "2")
    assert pair(expressions, domain)[1].precomputed.expressions


def test_the_plan_says_what_is_computed_once():
    domain = jno.domain.disk(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    u = mlp(2)(x, y) * domain.distance_function(smooth=True)
    crux = jno.core([u.laplacian(x, y).mse, (u - 1.0).mse])
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        crux.print_plan()
    first, second, third, *_ = shown.getvalue().splitlines()
    assert first.startswith("computed once, and again where points are replaced (")
    assert second == "  distance: value, ∂x, ∂y, ∂xx + ∂yy"
    assert third == "pass over the points of interior"
