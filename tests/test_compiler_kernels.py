"""Integrals of kernels over an inner variable: values, derivatives, normals, cost and memory."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import coordinates, count_primitive, evaluate, jaxpr_of, jaxprs_in_params, mlp, unit_square
from meshes import disk

import jno
from jno.compiler import Program


def number(node):
    """The one number a node evaluates to."""
    return float(np.asarray(evaluate(node)).reshape(()))


@pytest.fixture(scope="module")
def line():
    domain = jno.domain.line(mesh_size=0.01)
    x, _ = domain.variable("interior")
    s, _ = domain.variable("interior")
    return domain, x, s, coordinates(domain, "interior")[0]


def test_fredholm_operators(line):
    _, x, s, xn = line
    cases = [
        ((x * s).integrate(var=x), xn / 2),
        (jno.np.exp(x * s).integrate(var=x), np.where(xn > 0, np.expm1(xn) / np.where(xn > 0, xn, 1), 1.0)),
        ((jno.np.cos(x - s) * s).integrate(x), np.cos(xn - 1) - np.cos(xn) + np.sin(xn - 1) * -1.0),
        (s.integrate(var=x), np.full_like(xn, 0.5)),
    ]
    # ∫ cos(x-s) s ds by parts: -sin(x-1) + cos(x-1) - cos(x)
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        assert value.shape == (1, xn.size, 1)
        np.testing.assert_allclose(value[0, :, 0], expected, atol=1e-4)


def test_double_integrals(line):
    _, x, s, _ = line
    assert number((x + s).integrate(var=x).integrate()) == pytest.approx(1.0, rel=1e-4)
    assert number((x * s).integrate(var=s).integrate()) == pytest.approx(0.25, rel=1e-4)


def test_integral_equation_residual(line):
    """``u(x) - ∫ x s u(s) ds = 2x/3`` has the solution ``u = x``."""
    _, x, s, xn = line
    u = lambda v: v  # noqa: E731
    residual = u(x) - (x * s * u(s)).integrate(var=x) - 2 * x / 3
    np.testing.assert_allclose(evaluate(residual)[0, :, 0], np.zeros_like(xn), atol=1e-4)


def test_kernels_in_two_dimensions():
    domain = unit_square(0.125)
    x, y, _ = domain.variable("interior", sample=(6, None))
    a, b, _ = domain.variable("interior")
    xn, yn = coordinates(domain, x.tag)
    value = evaluate(((x - a) * 2 + y * b).integrate(var=x))
    np.testing.assert_allclose(value[0, :, 0], 2 * xn - 1 + 0.5 * yn, rtol=1e-4, atol=1e-5)


def test_boundary_potential():
    """The outer points are in the interior, the integral runs over the boundary."""
    domain = unit_square(0.25)
    x, _, _ = domain.variable("interior", sample=(5, None))
    xb, yb, _ = domain.variable("boundary")
    value = evaluate((x * xb + 0 * yb).integrate(var=x))
    np.testing.assert_allclose(value[0, :, 0], 2 * coordinates(domain, x.tag)[0], rtol=1e-4, atol=1e-5)


def test_kernel_without_an_inner_variable(line):
    _, x, _, _ = line
    with pytest.raises(ValueError, match=r"no inner variable.*another domain\.variable"):
        evaluate((x**2).integrate(var=x))


# --- structure -------------------------------------------------------------------------------------------------------
def test_iterated_kernels(line):
    """``∫ x s (∫ s r dr) ds = x/6``, and normalised kernels whose weights integrate to one."""
    domain, x, s, xn = line
    r, _ = domain.variable("interior")
    inner = (s * r).integrate(var=s)
    weight = jno.np.exp(-((x - s) ** 2))
    share = weight / jno.np.exp(-((x - r) ** 2)).integrate(var=x)
    values = evaluate(
        [(x * s * inner).integrate(var=x), share.integrate(var=x), (x * s * (r**2).integrate()).integrate(x)]
    )
    np.testing.assert_allclose(values[0][0, :, 0], xn / 6, atol=1e-4)
    np.testing.assert_allclose(values[1][0, :, 0], np.ones_like(xn), rtol=1e-5)
    np.testing.assert_allclose(values[2][0, :, 0], xn / 6, atol=1e-4)


def test_volterra_kernels_by_masks():
    """A mask cuts the integral at the outer point: ``∫₀ˣ s ds`` to half a cell, exactly with half of the last node."""
    errors = []
    for size in (0.02, 0.01):
        domain = jno.domain.line(mesh_size=size)
        x, _ = domain.variable("interior")
        s, _ = domain.variable("interior")
        xn = coordinates(domain, "interior")[0]
        whole = jno.np.where(s <= x, s, 0.0).integrate(var=x)
        half = (s * 0.5 * ((s < x) * 1.0 + (s <= x) * 1.0)).integrate(var=x)
        first, second = evaluate([whole, half])
        errors.append(np.abs(first[0, :, 0] - xn**2 / 2).max())
        np.testing.assert_allclose(second[0, :-1, 0], xn[:-1] ** 2 / 2, atol=1e-5)
    assert errors[1] < 0.51 * 0.01
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.05)


def test_kernels_over_a_region_that_was_not_sampled_there():
    """Outer points on a side, inner points in the interior of a disk."""
    domain = disk(0.2)
    xb, yb, _ = domain.variable("boundary", sample=(5, None))
    x, y, _ = domain.variable("interior")
    area = domain.quadrature("interior").weights.sum()
    value = evaluate(((xb + x) * 2 - yb * y + 1).integrate(var=xb))
    outer = coordinates(domain, "boundary")[0]
    np.testing.assert_allclose(value[0, :, 0], area * (2 * outer + 1), rtol=1e-4, atol=1e-5)


def test_reductions_of_the_outer_points_run_over_all_of_them(line):
    _, x, s, xn = line
    values = evaluate([(x.mean * s).integrate(var=x), ((x - x.mean) * s).integrate(var=x)])
    np.testing.assert_allclose(values[0][0, :, 0], np.full_like(xn, 0.25), rtol=1e-5)
    np.testing.assert_allclose(values[1][0, :, 0], (xn - 0.5) / 2, atol=1e-6)


# --- normals ---------------------------------------------------------------------------------------------------------
def test_normals_of_both_points():
    """``∮ (a n_a) = area`` at every outer point, and products with the outer normal."""
    domain = unit_square(0.25)
    x, _, _, nx, ny = domain.variable("boundary", normals=True, split=True)
    a, b, _, ma, mb = domain.variable("boundary", normals=True, split=True)
    inside, _, _ = domain.variable("interior", sample=(4, None))
    flux = a * ma + b * mb
    values = evaluate([(inside * flux).integrate(var=inside), ((nx + 2 * ny) * flux).integrate(var=x)])
    np.testing.assert_allclose(values[0][0, :, 0], 2 * coordinates(domain, inside.tag)[0], rtol=1e-5, atol=1e-6)
    normals = np.asarray(domain.context["n_boundary"])[0, 0]
    np.testing.assert_allclose(values[1][0, :, 0], 2 * (normals[:, 0] + 2 * normals[:, 1]), rtol=1e-5, atol=1e-5)


def test_double_layer_potential():
    """``∮ ∂G/∂n dS = 1`` inside (Gauss), with ``G = log|x - a| / 2π`` and the normal derivative at the inner point."""
    domain = disk(0.05)
    x, y, _ = domain.variable("inside", where=lambda x, y: x**2 + y**2 < 0.3)
    a, b, _ = domain.variable("boundary")
    domain.variable("boundary", normals=True)
    n = jno.trace.Variable("n_boundary", (0, 2), domain, copy=a.copy)
    potential = jno.np.log((x - a) ** 2 + (y - b) ** 2) / (4 * jno.np.pi)
    value = evaluate(potential.d(n).integrate(var=x))
    np.testing.assert_allclose(value[0, :, 0], np.ones(value.shape[1]), atol=5e-3)


# --- derivatives -----------------------------------------------------------------------------------------------------
def test_derivatives_at_the_outer_points(line):
    """Differentiation under the integral sign, of first and second order, and with a held factor."""
    _, x, s, xn = line
    kernel = (jno.np.sin(x) * s + x**2 * s**2).integrate(var=x)
    held = (x.stop_gradient * s + x**2).integrate(var=x)
    under = (jno.np.sin(x) * s + x**2 * s**2).d(x).integrate(var=x)
    first, second, other, inside = evaluate([kernel.d(x), kernel.d2(x), held.d(x), under])
    np.testing.assert_allclose(first[0, :, 0], np.cos(xn) / 2 + 2 * xn / 3, atol=1e-4)
    np.testing.assert_allclose(second[0, :, 0], -np.sin(xn) / 2 + 2 / 3, atol=1e-4)
    np.testing.assert_allclose(other[0, :, 0], 2 * xn, atol=1e-5)
    np.testing.assert_allclose(inside, first, atol=1e-5)


def test_derivatives_at_the_inner_points(line):
    """``∫ d/ds (x s²) ds = x``."""
    _, x, s, xn = line
    np.testing.assert_allclose(evaluate((x * s**2).d(s).integrate(var=x))[0, :, 0], xn, atol=1e-5)


def test_networks_held_constant_in_kernels():
    """Stopped gradients of the inner and of the outer point, in a derivative at the outer point."""
    domain = jno.domain.line(mesh_size=0.25)
    x, s = domain.variable("interior")[0], domain.variable("interior")[0]
    net, inner, outer = mlp(2, seed=5), mlp(1, seed=6), mlp(1, seed=7)
    value = evaluate((net(x, s) * inner(s).stop_gradient * outer(x).stop_gradient).integrate(var=x).d(x))
    rule = domain.quadrature("interior")
    points = jnp.asarray(rule.points, jnp.float32)
    factor = jnp.asarray(rule.weights, jnp.float32) * inner.module(points)[:, 0]

    def at(xi, held):
        pairs = jnp.concatenate([jnp.broadcast_to(xi, points.shape), points], axis=1)
        return (net.module(pairs)[:, 0] @ factor) * outer.module(held[None, None])[0, 0]

    np.testing.assert_allclose(value[0, :, 0], jax.vmap(jax.grad(at))(points[:, 0], points[:, 0]), rtol=1e-3, atol=1e-5)


# --- cost ------------------------------------------------------------------------------------------------------------
def inside_loops(jaxpr, name, within=False):
    """Number of equations of one primitive inside the loops of a jaxpr."""
    total = 0
    for equation in jaxpr.eqns:
        total += within and equation.primitive.name == name
        for inner in jaxprs_in_params(equation.params):
            total += inside_loops(inner, name, within or equation.primitive.name == "scan")
    return total


@pytest.fixture(scope="module")
def long_line():
    """So many points that all pairs are not evaluated at once."""
    domain = jno.domain.line(mesh_size=1 / 299)
    return domain, domain.variable("interior")[0], domain.variable("interior")[0]


def test_factors_of_one_point_are_computed_once(long_line):
    """Networks of the inner or the outer point alone stay outside the loop over the pairs."""
    domain, x, s = long_line
    inner, outer = mlp(1, seed=1), mlp(1, seed=2)
    jaxpr = jaxpr_of([(jno.np.exp(x * s) * inner(s) * outer(x)).integrate(var=x)], domain)
    assert count_primitive(jaxpr, "scan") == 1
    assert count_primitive(jaxpr, "dot_general") == 6
    assert inside_loops(jaxpr, "dot_general") == 0
    assert inside_loops(jaxpr, "exp") == 1


def test_small_kernels_have_no_loop(line):
    domain, x, s, _ = line
    assert count_primitive(jaxpr_of([jno.np.exp(x * s).integrate(var=x)], domain), "scan") == 0


def test_blocks_give_the_same_values(long_line):
    """Values, parameter gradients and coordinate derivatives agree with plain JAX on all pairs."""
    domain, x, s = long_line
    net, factor = mlp(2, seed=3), mlp(1, seed=4)
    node = (net(x, s) * factor(s) * x).integrate(var=x)
    value, slope, gradient = evaluate([node, node.d(x), (node**2).mean.grad(net)])
    rule = domain.quadrature("interior")
    points, weights = jnp.asarray(rule.points, jnp.float32), jnp.asarray(rule.weights, jnp.float32)

    def expected(module, at):
        pairs = jnp.stack(jnp.broadcast_arrays(at[:, None], points[None, :, 0]), -1)
        kernel = module(pairs.reshape(-1, 2)).reshape(len(at), -1)
        return at * (kernel @ (weights * factor.module(points)[:, 0]))

    xn = jnp.asarray(coordinates(domain, "interior")[0], jnp.float32)
    values, tangent = jax.jvp(lambda at: expected(net.module, at), (xn,), (jnp.ones_like(xn),))
    np.testing.assert_allclose(value[0, :, 0], values, atol=2e-5)
    np.testing.assert_allclose(slope[0, :, 0], tangent, atol=2e-4)
    leaves = jax.tree_util.tree_leaves(eqx.filter_grad(lambda m: jnp.mean(expected(m, xn) ** 2))(net.module))
    flat = np.concatenate([np.ravel(leaf) for leaf in leaves])
    np.testing.assert_allclose(gradient.reshape(-1), flat, atol=1e-4 * np.abs(flat).max())


def compiled(node, domain):
    """Compiled evaluation, and compiled loss with parameter gradient, of one expression."""
    program = Program([node], domain)
    modules = {model.layer_id: model.module for model in program.models}
    arrays, static = eqx.partition(modules, eqx.is_array)

    def value(parameters):
        return program(eqx.combine(parameters, static), program.data)[0]

    loss = jax.value_and_grad(lambda parameters: jnp.mean(value(parameters) ** 2))
    return [jax.jit(function).lower(arrays).compile() for function in (value, loss)]


def test_memory_of_a_large_kernel():
    """2,000 × 2,000 points with a network kernel stay below 200 MB, also in the backward pass."""
    domain = jno.domain.line(mesh_size=1 / 1999)
    x, s = domain.variable("interior")[0], domain.variable("interior")[0]
    net = jno.nn(foundax.mlp(2, output_dim=1, hidden_dims=32, num_layers=2, key=jax.random.PRNGKey(0)))
    node = (net(x, s) * mlp(1)(s)).integrate(var=x)
    assert domain.context["interior"].shape[2] == 2000
    for function in compiled(node, domain):
        assert function.memory_analysis().temp_size_in_bytes < 100e6
    for function in compiled((jno.np.exp(x * s) * net(s, s)).integrate(var=x), domain):
        assert function.memory_analysis().temp_size_in_bytes < 20e6


def test_memory_does_not_grow_with_samples_and_levels():
    """Blocks hold the pairs of all samples together."""
    domain = 4 * jno.domain.line(mesh_size=1 / 499, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    s = domain.variable("interior")[0]
    rate = domain.variable("rate", np.arange(4.0)[:, None])
    node = jno.np.sin(rate * x * s * (1 + t)).integrate(var=x)
    program = Program([node], domain, window=3)
    function = jax.jit(lambda data: program({}, data)).lower(program.data).compile()
    assert function.memory_analysis().temp_size_in_bytes < 10e6
    value = np.asarray(function(program.data)[0])
    xn, levels = coordinates(domain, "interior")[0], np.array([0.0, 0.5, 1.0])
    factor = np.arange(4.0)[:, None, None] * (1 + levels)[None, :, None] * xn
    exact = np.where(factor > 0, (1 - np.cos(factor)) / np.where(factor > 0, factor, 1), 0.0)
    np.testing.assert_allclose(value[..., 0], exact, atol=1e-5)
