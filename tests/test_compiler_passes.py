"""Derivative passes in expressions: what is carried, how many products that takes, and that the values are right.

Values are compared with the same expressions under schemes that force nested `jax.jvp`.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import AD, close, coordinates, count_primitive, evaluate, jaxpr_of, jaxprs_in_params, mlp, unit_square

import jno
from jno.compiler import Program
from jno.utils.ad_mode import set_ad_mode, set_hessian_mode

PLANNED = (AD, AD)
NESTED = (f"{AD}:forward", f"{AD}:fwd-over-fwd")
"""Schemes of first and second derivatives."""


@pytest.fixture(scope="module")
def square():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    return domain, x, y


def reports(expressions, domain):
    """What the derivative passes of one evaluation carried."""
    program = Program(expressions, domain)
    modules = {model.layer_id: model.module for model in program.models}
    found: list[Any] = []
    jax.make_jaxpr(lambda data: program(modules, data, passes=found))(program.data)
    return found


def agree(build, tolerance=2e-5, **options):
    """``build(first, second)`` writes an expression with schemes of first and second derivatives."""
    planned, nested = evaluate([build(*PLANNED), build(*NESTED)], **options)
    close(planned, nested, tolerance)
    return planned


# --- how much is computed -----------------------------------------------------------------------------------------
def steady_flow(x, y, net, viscosity=0.1):
    """Steady Navier–Stokes: ten derivatives of three outputs."""
    fields = net(x, y)
    u, v, p = (fields[..., i : i + 1] for i in range(3))
    return [
        u * u.d(x) + v * u.d(y) + p.d(x) - viscosity * (u.d2(x) + u.d2(y)),
        u * v.d(x) + v * v.d(y) + p.d(y) - viscosity * (v.d2(x) + v.d2(y)),
        u.d(x) + v.d(y),
    ]


def shapes_of(jaxpr, name):
    """``(inputs, output)`` shapes of every equation of a primitive, inner jaxprs included."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == name:
            found.append(([var.aval.shape for var in equation.invars], equation.outvars[0].aval.shape))
        for inner in jaxprs_in_params(equation.params):
            found += shapes_of(inner, name)
    return found


def test_matrix_products_of_steady_navier_stokes():
    """One pass carries value, ∂x, ∂y and Δ: four products a layer.

    In the first layer the derivatives of the coordinates are constant rows and their second ones zero: one product
    over the points and two of a single row.  Nested differentiation of the ten terms takes several times as many.
    """
    domain = jno.domain.from_array({"interior": np.random.default_rng(0).uniform(size=(11, 2))})
    x, y, _ = domain.variable("interior")
    layers = 4
    net = mlp(2, 3, width=8, layers=layers - 1)
    residuals = [expression.mse for expression in steady_flow(x, y, net)]
    products = shapes_of(jaxpr_of(residuals, domain), "dot_general")
    over_points = [output for _, output in products if output[0] == 11]
    assert len(over_points) == 1 + 4 * (layers - 1)
    assert len(products) <= 3 + 4 * (layers - 1)
    (report,) = reports(residuals, domain)
    assert report.carried == ("1", "∂x", "∂y", "∂xx + ∂yy")
    assert report.fallen_back == ()


def test_matrix_products_that_are_compiled():
    """The compiler finds no further products either: none is hidden in what it cannot merge."""
    domain = jno.domain.from_array({"interior": np.random.default_rng(0).uniform(size=(11, 2))})
    x, y, _ = domain.variable("interior")
    program = Program([expression.mse for expression in steady_flow(x, y, mlp(2, 3, layers=3))], domain)
    modules = {model.layer_id: model.module for model in program.models}
    compiled = str(jax.jit(lambda data: program(modules, data)).lower(program.data).compile().as_text())
    assert compiled.count(" dot(") + compiled.count("__onednn$matmul") <= 3 + 4 * 3


def cloud(dimension, count=7):
    domain = jno.domain.from_array({"interior": np.random.default_rng(0).normal(size=(count, dimension))})
    return domain, domain.variable("interior")[:dimension]


def all_shapes(jaxpr):
    """Shapes of everything that is computed."""
    found = set()
    for equation in jaxpr.eqns:
        found |= {var.aval.shape for var in equation.outvars}
        for inner in jaxprs_in_params(equation.params):
            found |= all_shapes(inner)
    return found


def test_a_laplacian_in_fifty_dimensions_is_one_second_order_stream():
    """A hidden layer takes a product for the value, one for the gradient together and one for the Laplacian."""
    dimension, count, width, layers = 50, 7, 8, 3
    domain, x = cloud(dimension, count)
    u = mlp(dimension, 1, width=width, layers=layers - 1)(*x)
    nodes = [u.laplacian(*x), sum(u.d(xi) ** 2 for xi in x)]
    (report,) = reports(nodes, domain)
    assert len(report.carried) == dimension + 2
    assert sum(name.count("∂") == dimension for name in report.carried) == 1
    assert report.carried[-1].startswith("∂xx + ∂yy + ∂zz")
    jaxpr = jaxpr_of(nodes, domain)
    assert max(np.prod(shape) for shape in all_shapes(jaxpr)) == count * dimension * width  # never (7, 50, 50)
    products = shapes_of(jaxpr, "dot_general")
    hidden = [output for (_, weights), output in products if weights == (width, width)]
    values = [output for output in hidden if output == (count, width)]
    blocks = [output for output in hidden if np.prod(output) == count * dimension * width]
    assert (len(values), len(blocks)) == (2 * (layers - 2), layers - 2)
    assert len(products) <= 2 + 3 * (layers - 1)


def test_values_in_ten_dimensions():
    _, x = cloud(10)
    u = mlp(10, 2)(*x)

    def build(first, second):
        flux = sum((k + 1) * u.d2(xi, second) for k, xi in enumerate(x))
        return u.laplacian(*x, scheme=second) * 0.5 + flux - sum(u.d(xi, first) ** 2 for xi in x)

    agree(build)
    agree(lambda first, second: u.grad(*x, scheme=first))


def test_equal_derivatives_and_values_share_the_pass(square):
    """The value of a target comes out of the pass; asking again costs nothing."""
    domain, x, y = square
    u = mlp(2)(x, y)
    alone = count_primitive(jaxpr_of([u.laplacian(x, y)], domain), "dot_general")
    nodes = [u, u.laplacian(x, y), u.d(x), u * u.d(y), (u.d2(x) + u.d2(y)).mse, u.grad(x, y)]
    assert count_primitive(jaxpr_of(nodes, domain), "dot_general") == alone


# --- sums of derivatives ------------------------------------------------------------------------------------------
def test_a_laplacian_written_apart_is_collapsed(square):
    domain, x, y = square
    u = mlp(2)(x, y)
    apart, together = (reports([node], domain)[0].carried for node in (u.d2(x) + u.d2(y), u.laplacian(x, y)))
    assert apart == together == ("1", "∂x", "∂y", "∂xx + ∂yy")
    agree(lambda first, second: u.d2(x, second) + u.d2(y, second))


def test_a_heat_operator_is_collapsed():
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    u = mlp(2)(x, t)
    (report,) = reports([u.d(t) - 0.1 * u.d2(x)], domain)
    assert len(report.carried) == 3
    (target,) = report.targets
    (name,) = target.operators
    assert "∂t" in name
    assert "∂xx" in name
    agree(lambda first, second: u.d(t, first) - 0.1 * u.d2(x, second))
    agree(lambda first, second: u.d(t, first) - 3 * u.d2(x, second))


def test_sums_with_factors_and_other_terms(square):
    domain, x, y = square
    u = mlp(2)(x, y)

    def build(first, second):
        return (u.d2(x, second) + u * u.d(x, first)) * 2 - 3 * u.d2(y, second) + (-u.d(y, first)) / 4

    agree(build)
    (report,) = reports([build(*PLANNED)], domain)
    assert len(report.carried) == 4
    (target,) = report.targets
    assert len([name for name in target.operators if "2 ∂xx" in name and "3 ∂yy" in name]) == 1
    agree(lambda first, second: -2 * u + u.d2(x, second) - 3 * x + u.d2(y, second) - y * u.d(x, first))


def test_terms_that_cancel(square):
    _, x, y = square
    u = mlp(2)(x, y)
    zero, rest, half = evaluate([u.d(x) - u.d(x), u.d2(x) + u.d2(y) - u.d2(y), u.d2(x) * 0.5 + u.d2(x) / 2])
    np.testing.assert_array_equal(zero, np.zeros_like(zero))
    second = evaluate(u.d2(x))
    close(rest, second, 1e-6)
    close(half, second, 1e-6)


def test_sums_that_occur_twice(square):
    """One sum of derivatives, which other terms share: its coefficient is the sum over all places."""
    _, x, y = square
    u = mlp(2)(x, y)

    def total(first, second):
        shared = u.d2(x, second) - 0.25 * u.d2(y, second) + u
        return 2 * (shared + shared) - shared / 4 + u.d2(y, second)

    agree(total)


def test_sums_of_very_different_size():
    """SI units: a diffusivity of 1e-15 m²/s balances rates where lengths are micrometres."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    w = y + 1e15 * x**2
    small, large = evaluate([w.d(y) - 1e-15 * w.d2(x), 1e15 * w.d(y) - w.d2(x)])
    np.testing.assert_allclose(small, -1.0, rtol=1e-5)
    np.testing.assert_allclose(large, -1e15, rtol=1e-5)


def test_sums_of_vector_targets_and_complex_factors(square):
    _, x, y = square
    u = mlp(2, 3)(x, y)
    agree(lambda first, second: u.d2(x, second) - 2 * u.d2(y, second) + u.d(x, first))
    agree(lambda first, second: 1j * u.d(x, first) + u.d2(y, second) * 2)


def test_complex_targets_with_a_network(square):
    _, x, y = square
    z = (x + 1j * y) * mlp(2)(x, y)
    agree(lambda first, second: z.d(x, first) * z.d2(y, second))


# --- derivatives of derivatives -----------------------------------------------------------------------------------
LEVELS = {
    "flux": lambda u, x, y, a, b: ((1 + x * y) * u.d(x, a)).d(x, a),
    "divergence": lambda u, x, y, a, b: ((1 + u**2) * u.d(x, a)).d(x, a) + ((1 + u**2) * u.d(y, a)).d(y, a),
    "transport": lambda u, x, y, a, b: (u * u.d(x, a)).d(x, a).d(y, a),
    "third": lambda u, x, y, a, b: u.d(x, a).d(x, a).d(x, a),
    "mixed third": lambda u, x, y, a, b: u.d2(x, b).d(y, a) - u.d(y, a).d(x, a).d(x, a) * 3,
    "biharmonic": lambda u, x, y, a, b: u.laplacian(x, y, scheme=b).laplacian(x, y, scheme=b),
    "Kuramoto-Sivashinsky": lambda u, x, y, a, b: u.d(y, a) + u * u.d(x, a) + u.d2(x, b) + u.d2(x, b).d2(x, b),
    "gradient norm": lambda u, x, y, a, b: jno.np.sqrt(u.d(x, a) ** 2 + u.d(y, a) ** 2 + 0.1).d(x, a),
    "p-Laplacian": lambda u, x, y, a, b: sum(((u.d(x, a) ** 2 + u.d(y, a) ** 2) * u.d(z, a)).d(z, a) for z in (x, y)),
    "value between": lambda u, x, y, a, b: u * jno.np.sin(u.d(x, a)).d(y, a) + u.d2(y, b) * u.d(x, a),
    "different needs": lambda u, x, y, a, b: (
        jno.np.sin(u.d(x, a)).laplacian(x, y, scheme=b) * (u.d(y, a) ** 2).d2(x, b) + (u.d(x, a) * u.d(y, a)).d(y, a)
    ),
    "Hessian entry": lambda u, x, y, a, b: u.hessian(x, y, scheme=b)[..., 0, 1].d(y, a),
    "gradient of gradient": lambda u, x, y, a, b: u.grad(x, y, scheme=a).grad(x, y, scheme=a),
    "stopped inside": lambda u, x, y, a, b: (
        (u.stop_gradient * u.d(x, a)).d(x, a) + (u.d(x, a).stop_gradient * u).d(y, a)
    ),
    "mean beside": lambda u, x, y, a, b: (u / (u.d(x, a) ** 2).mean.stop_gradient).d(y, a) * u.d2(x, b),
}
TOLERANCES = {"biharmonic": 1e-4, "Kuramoto-Sivashinsky": 1e-4, "different needs": 1e-4}


@pytest.mark.parametrize("name", LEVELS)
def test_derivatives_of_derivatives(square, name):
    domain, x, y = square
    u = mlp(2)(x, y)
    agree(lambda a, b: LEVELS[name](u, x, y, a, b), TOLERANCES.get(name, 2e-5))
    found = reports([LEVELS[name](u, x, y, *PLANNED)], domain)
    assert [report.level for report in found] == list(range(1, len(found) + 1))
    assert {report.tags for report in found} == {("interior",)}


def test_derivatives_of_derivatives_by_hand(square):
    domain, x, y = square
    xn, yn = coordinates(domain, "interior")
    u = x**4 * y**2
    cases = [
        ((x * y * u.d(x)).d(x), 16 * xn**3 * yn**3),
        ((u * u.d(x)).d(x).d(y), 112 * xn**6 * yn**3),
        (u.laplacian(x, y).laplacian(x, y), 24 * yn**2 + 48 * xn**2),
        (u.d(x).d(x).d(x) + u.d2(x).d2(x), 24 * xn * yn**2 + 24 * yn**2),
        ((u.d(x) ** 2 + u.d(y) ** 2).d(x), 96 * xn**5 * yn**4 + 32 * xn**7 * yn**2),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value[0, :, 0], expected, 1e-5)


def test_a_pass_of_the_network_serves_all_levels(square):
    """The network is evaluated once, however often derivatives of its derivatives are taken."""
    domain, x, y = square
    net = mlp(2, layers=2)
    u = net(x, y)
    nodes = [(u * u.d(x)).d(x).d(y), ((1 + u**2) * u.d(y)).d(y), u.laplacian(x, y)]
    values = [output for inputs, output in shapes_of(jaxpr_of(nodes, domain), "dot_general") if inputs[0] == (9, 2)]
    assert len(values) == 1


def test_fourth_order_equation_in_double_precision(square):
    """The same in double precision, to rounding."""
    with jax.enable_x64(True):
        domain = unit_square(0.5)
        x, y, _ = domain.variable("interior")
        u = mlp(2)(x, y)
        planned, nested = evaluate(
            [
                node
                for a, b in (PLANNED, NESTED)
                for node in [u.laplacian(x, y, scheme=b).laplacian(x, y, scheme=b) - (u * u.d(x, a)).d(y, a)]
            ]
        )
        assert planned.dtype == np.float64
        close(planned, nested, 1e-11)


# --- what expressions are made of ---------------------------------------------------------------------------------
def test_several_networks_envelopes_and_parameters(square):
    _, x, y = square
    p = jno.np.parameter((1,)).initialize(0.7)
    first, second, outside = mlp(2, seed=1), mlp(2, 2, seed=2), mlp(2, seed=3)
    u = x * (1 - x) * y * (1 - y) * first(x, y) + jno.np.sin(np.pi * x)
    v = second(x, y)

    def build(a, b):
        mixed = (p * u.d(x, a)).d(x, a) - p * u.d2(y, b) + v[..., :1] * v[..., 1:].d(y, a)
        return mixed + outside(u, u.d(x, a)).d2(y, b) + (u * v).laplacian(x, y, scheme=b)[..., :1]

    agree(build, 1e-4)


def test_networks_that_run_over_two_sets_of_points():
    domain = unit_square(0.25)
    x, y, _ = domain.variable("left")
    z, w, _ = domain.variable("right")
    net = mlp(2)
    u, v = net(x, y), net(z, w)
    agree(lambda a, b: (z * u.d(x, a)).d(x, a) + (u * v).d(z, a).d(x, a))
    agree(lambda a, b: (u * v).laplacian(x, z, scheme=b) + net(x, w).d2(x, b) + net(x, w).d2(w, b))
    agree(lambda a, b: (u * v).hessian(x, z, scheme=b))


def test_normal_derivatives(square):
    domain, _, _ = square
    x, y, _ = domain.variable("boundary")
    n = domain.variable("boundary", normals=True)
    u = mlp(2)(x, y)
    agree(lambda a, b: u.d(n, a))
    agree(lambda a, b: u.d(n, a).d(n, a) + u.d2(n, b) * 2 + u.d2(x, b))
    agree(lambda a, b: u.d(n, a) * u.laplacian(x, y, scheme=b) + (u.d(n, a) * x).d(y, a))
    agree(lambda a, b: jno.np.sum(u.grad(x, y, scheme=a) * n, axis=-1, keepdims=True).d(x, a))
    assert reports([u.d(n) + u.d(x)], domain)[0].carried[0] == "1"


def test_reductions_and_integrals_of_derivatives(square):
    _, x, y = square
    u = mlp(2)(x, y)
    agree(lambda a, b: (u.d(x, a) ** 2).mean * u.d2(x, b) + u.d(x, a).max + u.laplacian(x, y, scheme=b).mse)
    agree(lambda a, b: (u.d(x, a) ** 2 + u.laplacian(x, y, scheme=b)).integrate())


def test_gradients_with_respect_to_networks(square):
    _, x, y = square
    net, other = mlp(2), mlp(2, seed=5)
    u = net(x, y)

    def build(a, b):
        return u.laplacian(x, y, scheme=b) + u * u.d(x, a) + other(x, y).d(y, a) * u

    agree(lambda a, b: build(a, b).grad(net) + u.grad(net).d(x, a), 1e-4)
    agree(lambda a, b: build(a, b).mse.grad(net), 1e-4)


def test_noise_is_the_same_in_all_derivatives(square):
    _, x, y = square
    noise, net = jno.noise.gaussian(0.3), mlp(2)
    u, v = net(x, y), net(x + noise, y)
    agree(lambda a, b: ((u + noise) * u).laplacian(x, y, scheme=b) + noise * u.d(x, a), key=jax.random.key(0))
    noisy = agree(lambda a, b: v.d2(x, b) + v.d2(y, b), key=jax.random.key(0))
    assert np.abs(noisy - evaluate(u.laplacian(x, y))).max() > 1e-3


# --- samples and times --------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def moving():
    """Three samples of points and data, four time levels."""
    domain = unit_square(0.25, samples=3, time=(0.0, 1.0, 4))
    x, y, t = domain.variable("interior", sample=(7, None))
    return domain, x, y, t, domain.variable("k", np.asarray([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]))


@pytest.mark.parametrize("window", [1, 2])
def test_every_sample_and_level(moving, window):
    _, x, y, t, k = moving
    u = mlp(3)(x, y, t)

    def build(a, b):
        heat = u.d(t, a) - 0.1 * u.d2(x, b) + u.d2(y, b)
        return k[0] * heat + (k[1] * u.d(x, a) * u).d(x, a) + (u.d(t, a) * u).d(y, a) + u.d2(t, b) * heat

    value = agree(build, min_consecutive=window)
    assert value.shape == ((3, 7, 1) if window == 1 else (3, window, 7, 1))


def test_changes_in_time_of_means_over_the_points(moving):
    """Points may be coupled where the derivative is in time alone."""
    _, x, y, t, _ = moving
    u = mlp(3)(x, y, t)
    agree(lambda a, b: u.mean.d(t, a) + (u.d(x, a) ** 2).mean.d(t, a), min_consecutive=None)
    agree(lambda a, b: (u.mean * u).d(t, a) * u.d(x, a) + u.mean.d2(t, b))


def test_space_and_time_are_one_pass(moving):
    domain, x, y, t, _ = moving
    u = mlp(3)(x, y, t)
    burgers = u.d(t) + u * u.d(x) - 0.1 * u.laplacian(x, y)
    (report,) = reports([burgers], domain)
    assert len(report.carried) == 4
    assert {"1", "∂x", "∂y"} < set(report.carried)
    first, second = reports([burgers, u.d(x).d(t)], domain)
    assert set(first.carried) == {"1", "∂t", "∂x", "∂y", "∂tx", "∂xx + ∂yy"}
    assert second.carried == ("1", "∂t")
    again = jaxpr_of([burgers, u.d(x).d(t)], domain)
    assert sum(inputs[0][-1] == 3 and inputs[0][:-1] != (1,) for inputs, _ in shapes_of(again, "dot_general")) == 1


# --- precision, modules, training ---------------------------------------------------------------------------------
def test_networks_of_low_precision(moving):
    _, x, y, t, _ = moving
    u = mlp(3).dtype(jnp.bfloat16)(x, y, t)
    planned, nested = evaluate([build for a, b in (PLANNED, NESTED) for build in [u.d(t, a) - u.d2(x, b) - u.d2(y, b)]])
    assert planned.dtype == nested.dtype
    close(planned.astype(np.float32), nested.astype(np.float32), 2e-2)


class Kept(eqx.Module):
    """A network that is evaluated again in the backward pass."""

    network: eqx.Module

    def __call__(self, *arguments):
        return jax.checkpoint(lambda network, *a: network(*a))(self.network, *arguments)


def test_checkpointed_networks(square):
    domain, x, y = square
    plain = foundax.mlp(2, hidden_dims=8, num_layers=2, key=jax.random.key(0))
    net = jno.nn(Kept(plain))
    u = net(x, y)
    agree(lambda a, b: u.d(x, a) - u.d2(x, b) + u.d2(y, b))
    kept = jaxpr_of([u.laplacian(x, y)], domain)
    assert count_primitive(kept, "remat2") + count_primitive(kept, "checkpoint") == 1


@jax.custom_vjp
def _cube(x):
    return x**3


_cube.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x**2 * g,))


class ReverseOnly(eqx.Module):
    weight: jax.Array

    def __call__(self, x, y):
        return _cube(jnp.concatenate([x, y], -1) @ self.weight)


def test_networks_with_a_reverse_rule_only(square):
    _, x, y = square
    u = jno.nn(ReverseOnly(jnp.ones((2, 1))))(x, y)
    for node in (u.d(x), u.laplacian(x, y), u.d2(x) + u.d2(y), (u * u.d(x)).d(y)):
        with pytest.raises(TypeError, match=r"custom_vjp.*scheme='automatic_differentiation:reverse'"):
            evaluate(node)
    reverse, x_value, y_value = evaluate([u.d(x, f"{AD}:reverse"), x, y])
    close(reverse, 3 * (x_value + y_value) ** 2)


def test_configured_modes_force_nested_derivatives(square):
    domain, x, y = square
    u = mlp(2)(x, y)
    nodes = [u.d(x) + u.d(y), u.laplacian(x, y) - u.d2(x)]
    planned = evaluate(nodes)
    assert len(reports(nodes, domain)) == 1
    set_ad_mode("forward")
    (second,) = reports(nodes, domain)
    assert second.carried == ("1", "∂y", "∂yy")
    set_hessian_mode("fwd-over-rev")
    assert reports(nodes, domain) == []
    for value, expected in zip(evaluate(nodes), planned, strict=True):
        close(value, expected, 1e-5)


def poisson(samples=1):
    domain = unit_square(0.25, samples=samples)
    x, y, _ = domain.variable("interior")
    u = x * (1 - x) * y * (1 - y)
    return domain, x, y, u


def test_second_order_optimizer_solves_a_poisson_problem():
    domain, x, y, envelope = poisson()
    net = mlp(2, width=6, layers=1).optimizer(optax.lbfgs())
    u = envelope * net(x, y)
    exact = jno.np.sin(np.pi * x) * jno.np.sin(np.pi * y)
    crux = jno.core([(u.d2(x) + u.d2(y) + 2 * np.pi**2 * exact).mse], domain=domain)
    losses = np.asarray(crux.solve(15).training_logs[0]["losses"]).reshape(-1)
    assert np.all(np.isfinite(losses))
    assert losses[-1] < 0.05 * losses[0]


def test_training_on_mini_batches_and_windows():
    """Planned and forced derivatives take the same steps."""
    logs = []
    for a, b in (PLANNED, NESTED):
        domain = unit_square(0.5, samples=4, time=(0.0, 1.0, 4))
        x, y, t = domain.variable("interior", sample=(5, None))
        k = domain.variable("k", np.asarray([[1.0], [2.0], [0.5], [3.0]]))
        net = mlp(3, width=6).optimizer(optax.adam(1e-2))
        u = net(x, y, t)
        crux = jno.core(
            [(k[0] * u.d(t, a) - 0.1 * u.d2(x, b) - 0.1 * u.d2(y, b) + u * u.d(x, a) - 1).mse], domain=domain
        )
        logs.append(np.asarray(crux.solve(4, batchsize=2, min_consecutive=2).training_logs[0]["losses"]))
    np.testing.assert_allclose(logs[0], logs[1], rtol=1e-4)
    assert np.all(np.isfinite(logs[0]))


def test_training_with_derivatives_of_derivatives():
    logs = []
    for a, _ in (PLANNED, NESTED):
        domain, x, y, envelope = poisson()
        net = mlp(2, width=6).optimizer(optax.adam(1e-2))
        u = envelope * net(x, y)
        crux = jno.core([(((1 + u**2) * u.d(x, a)).d(x, a) + u.d(y, a).d(y, a) + 1).mse], domain=domain)
        logs.append(np.asarray(crux.solve(5).training_logs[0]["losses"]))
    np.testing.assert_allclose(logs[0], logs[1], rtol=1e-4)
