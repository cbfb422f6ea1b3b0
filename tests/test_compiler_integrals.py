"""Integrals over regions, of kernels, and over time."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import coordinates, evaluate, mlp, unit_square

import jno


def number(node, **options):
    """The one number an integral evaluates to."""
    return float(np.asarray(evaluate(node, **options)).reshape(()))


@pytest.fixture(scope="module")
def rectangle():
    """``[0, 2] × [1, 2]``."""
    domain = jno.domain.rect((0.0, 2.0), (1.0, 2.0), mesh_size=0.25)
    return domain, domain.variable("interior")


def test_measures(rectangle):
    domain, (x, _, _) = rectangle
    assert number((0 * x + 1).integrate()) == pytest.approx(2.0, rel=1e-6)
    lengths = {"left": 1.0, "right": 1.0, "bottom": 2.0, "top": 2.0, "boundary": 6.0}
    values = evaluate([(0 * domain.variable(tag)[0] + 1).integrate() for tag in lengths])
    np.testing.assert_allclose(np.ravel(values), list(lengths.values()), rtol=1e-6)


def test_measures_in_other_dimensions():
    line = jno.domain.line((1.0, 4.0), mesh_size=0.5)
    x, _ = line.variable("interior")
    assert number((0 * x + 1).integrate()) == pytest.approx(3.0, rel=1e-6)
    assert number(x.integrate()) == pytest.approx(7.5, rel=1e-6)
    ends, _ = line.variable("boundary")
    assert number((ends**2).integrate()) == pytest.approx(17.0, rel=1e-6)
    left, _ = line.variable("left")
    assert number((left + 2).integrate()) == pytest.approx(3.0, rel=1e-6)
    cube = jno.domain.cube((0.0, 1.0), (0.0, 2.0), (0.0, 3.0), mesh_size=0.5)
    x, y, z, _ = cube.variable("interior")
    face, _, _, _ = cube.variable("left")
    values = evaluate([(0 * x + 1).integrate(), (x + y + z).integrate(), (0 * face + 1).integrate()])
    np.testing.assert_allclose(np.ravel(values), [6.0, 18.0, 6.0], rtol=1e-5)


def test_linear_functions_are_exact(rectangle):
    domain, (x, y, _) = rectangle
    xl, yl, _ = domain.variable("left")
    xt, yt, _ = domain.variable("top")
    values = evaluate(
        [(3 * x - 2 * y + 1).integrate(), (xl + yl).integrate(), (xt - yt).integrate(), jno.np.integrate(x)]
    )
    np.testing.assert_allclose(np.ravel(values), [3 * 2 - 2 * 3 + 2, 1.5, 2 - 4, 2.0], rtol=1e-5)


def test_quadrature_is_of_second_order():
    errors = []
    for mesh_size in (0.2, 0.1, 0.05):
        domain = unit_square(mesh_size)
        x, y, _ = domain.variable("interior")
        value = number((jno.np.sin(2 * x) * jno.np.exp(y)).integrate())
        errors.append(abs(value - (1 - np.cos(2)) / 2 * (np.e - 1)))
    orders = np.log2(np.asarray(errors[:-1]) / errors[1:])
    assert np.all(orders > 1.8)


def test_sub_regions():
    domain = unit_square(0.25)
    domain.tag("half", lambda x, y: x <= 0.5)
    x, y, _ = domain.variable("half")
    values = evaluate([(0 * x + 1).integrate(), y.integrate()])
    np.testing.assert_allclose(np.ravel(values), [0.5, 0.25], rtol=1e-5)


def test_integrals_do_not_depend_on_the_sampled_points():
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior", sample=(3, None))
    assert number((x + y).integrate()) == pytest.approx(1.0, rel=1e-5)
    value, integral = evaluate([x, (x + y).integrate() * x])
    np.testing.assert_allclose(integral, value, rtol=1e-5)


def test_divergence_theorem():
    """``∫ ∇·F = ∮ F·n`` for the linear field ``F = (x + y, 2y - x)``, exactly."""
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    xb, yb, _, nx, ny = domain.variable("boundary", normals=True, split=True)
    field = [x + y, 2 * y - x]
    inside = (field[0].d(x) + field[1].d(y)).integrate()
    outside = ((xb + yb) * nx + (2 * yb - xb) * ny).integrate()
    np.testing.assert_allclose(np.ravel(evaluate([inside, outside])), [3.0, 3.0], rtol=1e-5)


def test_flux_through_the_normal_derivative():
    domain = unit_square(0.125)
    x, y, _ = domain.variable("boundary")
    n = domain.variable("boundary", normals=True)
    assert number((x**2 + 3 * y**2).d(n).integrate()) == pytest.approx(8.0, rel=1e-5)


def test_derivatives_and_networks_inside_integrals():
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    u = net(x, y)
    energy, area = evaluate([(u.d(x) ** 2 + u.d(y) ** 2).integrate(), (u - u + 1).integrate()])
    rule = domain.quadrature("interior")
    points = jnp.asarray(rule.points, jnp.float32)
    slopes = jax.jit(jax.vmap(jax.grad(lambda p: net.module(p[None])[0, 0])))(points)
    np.testing.assert_allclose(energy, np.sum(rule.weights * np.sum(np.asarray(slopes) ** 2, -1)), rtol=1e-4)
    np.testing.assert_allclose(area, 1.0, rtol=1e-5)


def test_integrals_train_networks():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    gradient = evaluate([((net(x, y) ** 2).integrate() - 1).mse.grad(net), x])[0].reshape(-1)
    rule = domain.quadrature("interior")
    points, weights = jnp.asarray(rule.points, jnp.float32), jnp.asarray(rule.weights, jnp.float32)

    @eqx.filter_jit
    @eqx.filter_grad
    def expected(module):
        return (jnp.sum(weights * module(points)[:, 0] ** 2) - 1) ** 2

    leaves = jax.tree_util.tree_leaves(expected(net.module))
    np.testing.assert_allclose(gradient, np.concatenate([np.ravel(leaf) for leaf in leaves]), rtol=1e-3, atol=1e-5)


def test_integrals_inside_expressions(rectangle):
    _, (x, _, _) = rectangle
    value = evaluate(x - x.integrate() / (0 * x + 1).integrate())
    np.testing.assert_allclose(value, evaluate(x) - 1, atol=1e-5)
    assert number((x.integrate() * x).integrate()) == pytest.approx(4.0, rel=1e-5)


def test_a_reduced_integrand_is_a_constant(rectangle):
    _, (x, _, _) = rectangle
    assert number(x.mean.integrate()) == pytest.approx(2.0, rel=1e-5)


# --- kernels --------------------------------------------------------------------------------------------------
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


# --- time -----------------------------------------------------------------------------------------------------
def test_integrals_over_the_time_window():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 2.0, 5))
    x, t = domain.variable("interior")
    xn = coordinates(domain, "interior")[0]
    whole = evaluate((x * t + 1).integrate(t), min_consecutive=None)
    assert whole.shape == (1, 5, 3, 1)
    np.testing.assert_allclose(whole[0, ..., 0], np.broadcast_to(2 * xn + 2, (5, 3)), rtol=1e-5)
    part = evaluate((x * t + 1).integrate(t), min_consecutive=2)
    np.testing.assert_allclose(part[0, ..., 0], np.broadcast_to(0.125 * xn + 0.5, (2, 3)), rtol=1e-5)
    single = evaluate((x * t + 1).integrate(t))
    np.testing.assert_array_equal(single, np.zeros((1, 3, 1)))


def test_time_integrals_are_trapezoidal():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 4))
    x, t = domain.variable("interior")
    levels = np.linspace(0, 1, 4)
    value = evaluate((jno.np.exp(t) + 0 * x).integrate(t), min_consecutive=None)
    np.testing.assert_allclose(value, np.trapezoid(np.exp(levels), levels), rtol=1e-5)


def test_integrals_over_space_and_time():
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 2.0, 3))
    x, t = domain.variable("interior")
    node = (x * t).integrate().integrate(t)
    np.testing.assert_allclose(evaluate(node, min_consecutive=None), 1.0, rtol=1e-5)
    assert number((t * x).integrate().d(t)) == pytest.approx(0.5, rel=1e-5)


# --- what cannot be integrated --------------------------------------------------------------------------------
def test_integrals_without_a_region(rectangle):
    domain, (x, _, _) = rectangle
    p = jno.np.parameter((1,))
    with pytest.raises(ValueError, match="no spatial variable"):
        evaluate([p.integrate(), x])
    xb, _, _ = domain.variable("left")
    with pytest.raises(ValueError, match=r"several regions \['interior', 'left'\].*separately"):
        evaluate((x.mean * xb).integrate())


def test_kernel_without_an_inner_variable(line):
    _, x, _, _ = line
    with pytest.raises(ValueError, match=r"no inner variable.*another domain\.variable"):
        evaluate((x**2).integrate(var=x))


def test_integrands_of_several_components(rectangle):
    _, (x, y, _) = rectangle
    with pytest.raises(ValueError, match=r"one number per point, it has shape \(45, 2\).*product with the normal"):
        evaluate(jno.np.concat([x, y]).integrate())


def test_integrals_need_a_mesh():
    cloud = jno.domain.from_array({"interior": np.random.default_rng(0).random((6, 2))})
    x, _, _ = cloud.variable("interior")
    with pytest.raises(ValueError, match="mesh"):
        evaluate(x.integrate())


def test_integration_variables_are_checked(rectangle):
    _, (x, y, _) = rectangle
    with pytest.raises(TypeError, match="Variable"):
        x.integrate(2.0)
    with pytest.raises(TypeError, match="Variable"):
        x.integrate(x + y)
