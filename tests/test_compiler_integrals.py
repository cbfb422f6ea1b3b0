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


# --- integrands ------------------------------------------------------------------------------------------------------
def test_indicators_count_as_numbers():
    domain = jno.domain.line(mesh_size=0.125)
    x, _ = domain.variable("interior")
    values = evaluate([(x < 0.5).integrate(), jno.np.where(x <= 0.5, 1, 0).integrate()])
    np.testing.assert_allclose(np.ravel(values), [4 * 0.125 - 0.0625, 5 * 0.125 - 0.0625], rtol=1e-6)


def test_integrals_inside_integrands_bind_their_own_region():
    """``∫ (u - mean of u over the boundary)`` names one free region."""
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    xb, _, _ = domain.variable("boundary")
    average = xb.integrate() / (0 * xb + 1).integrate()
    values = evaluate([(x + y - average).integrate(), (xb.integrate() * x).integrate()])
    np.testing.assert_allclose(np.ravel(values), [0.5, 1.0], rtol=1e-6)


def test_finite_differences_inside_integrals():
    """The quadrature points take the values of their own mesh nodes, whatever was sampled."""
    domain = unit_square(0.125)
    x, y, _ = domain.variable("interior", sample=(7, None))
    xb, yb, _, nx, ny = domain.variable("boundary", normals=True, split=True)
    u, ub = 3 * x - 2 * y, 3 * xb - 2 * yb
    fd = "finite_difference"
    nodes = [u.d(x, scheme=fd).integrate(), (x * u.d(y, scheme=fd)).integrate()]
    nodes += [(ub.d(xb, scheme=fd) * xb * nx + ub.d(yb, scheme=fd) * yb * ny).integrate()]
    np.testing.assert_allclose(np.ravel(evaluate(nodes)), [3.0, -1.0, 1.0], rtol=1e-4)


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
    with pytest.raises(ValueError, match=r"integrates over time: eval\(min_consecutive=.*None for all 5 time levels"):
        evaluate((x * t + 1).integrate(t))
    np.testing.assert_allclose((t + 0 * x).integrate(t).eval()[0, ..., 0], 2.0, rtol=1e-6)


def test_time_integrals_are_trapezoidal():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 4))
    x, t = domain.variable("interior")
    levels = np.linspace(0, 1, 4)
    value = evaluate((jno.np.exp(t) + 0 * x).integrate(t), min_consecutive=None)
    np.testing.assert_allclose(value, np.trapezoid(np.exp(levels), levels), rtol=1e-5)


@pytest.fixture(scope="module", params=[11, 21])
def two_times(request):
    """Two time variables over the same levels: ``(number of levels, their times, x, t, s)``."""
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, request.param))
    (x, t), (_, s) = domain.variable("interior"), domain.variable("interior")
    return request.param, np.linspace(0.0, 1.0, request.param), x, t, s


def test_integrals_of_kernels_of_two_times(two_times):
    """Volterra and Fredholm kernels in time; the errors are those of the trapezoidal rule, h²/12 max|f''| (b-a)."""
    count, levels, x, t, s = two_times
    nodes = [
        jno.np.where(s < t, jno.np.exp(s), 0.0),
        jno.np.where(t >= s, (t - s) * jno.np.cos(s), 0.0),
        jno.np.where(s > t, jno.np.sin(3 * s) * x, 0.0),
        jno.np.exp(s) * t,
    ]
    expected = [
        np.exp(levels) - 1,
        1 - np.cos(levels),
        0.5 * (np.cos(3 * levels) - np.cos(3.0)) / 3,
        (np.e - 1) * levels,
    ]
    step = 1 / (count - 1)
    values = evaluate([node.integrate(s) + 0 * x for node in nodes], min_consecutive=None)
    for value, exact in zip(values, expected, strict=True):
        error = np.abs(value[0, :, 1, 0] - exact).max()
        assert error < 9 / 12 * step**2


def test_a_volterra_equation_holds_for_its_solution(two_times):
    """``u(t) = 1 - ∫₀ᵗ (t - s) u(s) ds`` for ``cos``, with the coordinates of the points in it."""
    count, _, x, t, s = two_times
    u = jno.np.cos(t) + x
    memory = jno.np.where(s <= t, (t - s) * (u(x, s) - x), 0.0).integrate(s)
    residual = evaluate(u - x - 1 + memory, min_consecutive=None)
    assert np.abs(residual).max() < 0.3 / (count - 1) ** 2


def test_kernels_of_two_times_that_are_not_known_are_refused(two_times):
    _, _, x, t, s = two_times
    kernel = jno.np.where(s < t, jno.np.exp(s) * t, 0.0) + 0 * x
    with pytest.raises(ValueError, match=r"a kernel of two times, .*give min_consecutive=None"):
        evaluate(kernel.integrate(s), min_consecutive=2)
    with pytest.raises(ValueError, match=r"write it by Leibniz' rule: K\(t, t\) u\(t\)"):
        evaluate(kernel.integrate(s).d(t), min_consecutive=None)
    with pytest.raises(ValueError, match=r"compares both times in .*write the comparison as s < t"):
        evaluate((jno.np.where(t - s > 0, 1.0, 0.0) + 0 * x).integrate(s), min_consecutive=None)
    with pytest.raises(ValueError, match=r"comes from another domain\.variable\(\.\.\.\) call than that of integrate"):
        evaluate((x * t).integrate(s), min_consecutive=None)
    np.testing.assert_allclose(
        evaluate(((t * s).integrate(s) + 0 * x).d(t), min_consecutive=None), 0.5, rtol=1e-5
    )  # no jump: the derivative is that of the kernel


def test_kernels_of_two_times_with_data_in_time_are_refused():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 4))
    (x, t), (_, s) = domain.variable("interior"), domain.variable("interior")
    readings = domain.variable("readings", np.arange(12.0).reshape(1, 4, 3, 1), point_data=True)
    with pytest.raises(ValueError, match=r"depends on the data 'readings', which has a row for every time level"):
        evaluate((readings * t * s + 0 * x).integrate(s), min_consecutive=None)


def test_a_kernel_with_a_jump_at_the_outer_point_is_not_differentiated():
    domain = jno.domain.line(mesh_size=0.25)
    (x, _), (s, _) = domain.variable("interior"), domain.variable("interior")
    kernel = jno.np.where(s < x, s, 0.0)
    evaluate(kernel.integrate(var=x))
    with pytest.raises(ValueError, match=r"has a term at the jump, .*Leibniz' rule"):
        evaluate(kernel.integrate(var=x).d(x))


def test_integrals_over_space_and_time():
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 2.0, 3))
    x, t = domain.variable("interior")
    node = (x * t).integrate().integrate(t)
    np.testing.assert_allclose(evaluate(node, min_consecutive=None), 1.0, rtol=1e-5)
    assert number((t * x).integrate().d(t)) == pytest.approx(0.5, rel=1e-5)


def test_time_integrals_move_with_the_points():
    """Inside a derivative or a spatial integral, ``∫ f dt`` is taken at the points of that derivative or integral."""
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 2.0, 5))
    x, t = domain.variable("interior", sample=(3, None))
    xn = coordinates(domain, "interior")[0]
    over_time = (x**2 * t + 1).integrate(t)
    nodes = [
        over_time.integrate(),
        over_time.d(x),
        over_time.d2(x),
        (x**2 * t + 1).d(x).integrate(t),
        over_time.d(t),
        over_time.d(x).integrate(),
    ]
    values = evaluate(nodes, min_consecutive=None)
    second_moment = 1 / 3 + 0.25**2 / 6
    np.testing.assert_allclose(values[0], np.full((1, 5), 2 * second_moment + 2), rtol=1e-5)
    np.testing.assert_allclose(values[1][0, ..., 0], np.broadcast_to(4 * xn, (5, 3)), rtol=1e-5)
    np.testing.assert_allclose(values[2], np.full((1, 5, 3, 1), 4.0), rtol=1e-5)
    np.testing.assert_allclose(values[3], values[1], rtol=1e-5)
    np.testing.assert_array_equal(values[4], np.zeros((1, 5, 3, 1)))
    np.testing.assert_allclose(values[5], np.full((1, 5), 2.0), rtol=1e-5)


def test_time_integrals_of_boundary_fluxes():
    domain = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 3))
    x, y, t, nx, ny = domain.variable("boundary", normals=True, split=True)
    flux = (t * (x * nx + y * ny)).integrate()
    values = evaluate([flux, flux.integrate(t), (nx * t * x).integrate(t).integrate()], min_consecutive=None)
    np.testing.assert_allclose(values[0], [[0.0, 1.0, 2.0]], atol=1e-6)
    np.testing.assert_allclose(values[1], [[1.0] * 3], rtol=1e-6)
    np.testing.assert_allclose(values[2], [[0.5] * 3], rtol=1e-6)


def test_finite_differences_inside_both_integrals():
    """At every time the quadrature points take the values of their own mesh nodes."""
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 2.0, 3))
    x, t = domain.variable("interior", sample=(3, None))
    slope = (x**2 * t).d(x, scheme="finite_difference")
    value = evaluate((x * slope.integrate(t)).integrate(), min_consecutive=None)
    np.testing.assert_allclose(value, np.full((1, 3), 4 * (1 / 3 + 0.25**2 / 6)), rtol=1e-5)


def test_parameter_gradients_of_time_integrals():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 2.0, 3))
    x, t = domain.variable("interior")
    slope = jno.np.parameter((1,))
    value = evaluate((slope * x * t**2).integrate(t).grad(slope), min_consecutive=None)
    xn = coordinates(domain, "interior")[0]
    np.testing.assert_allclose(value.reshape(3, 3), np.broadcast_to(3 * xn, (3, 3)), rtol=1e-5)


def test_times_at_one_level_cannot_be_integrated_over():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 3))
    x, t = domain.variable("initial")
    with pytest.raises(ValueError, match=r"integrate\(t\).*'__time_initial__' is fixed at one level"):
        evaluate([(x * t).integrate(t), domain.variable("interior")[0]], min_consecutive=None)


# --- what cannot be integrated --------------------------------------------------------------------------------
def test_integrals_without_a_region(rectangle):
    domain, (x, _, _) = rectangle
    p = jno.np.parameter((1,))
    with pytest.raises(ValueError, match="no spatial variable"):
        evaluate([p.integrate(), x])
    xb, _, _ = domain.variable("left")
    with pytest.raises(ValueError, match=r"several regions \['interior', 'left'\].*separately"):
        evaluate((x.mean * xb).integrate())


def test_integrands_of_several_components(rectangle):
    _, (x, y, _) = rectangle
    with pytest.raises(ValueError, match=r"one number per point, it has shape \(45, 2\).*product with the normal"):
        evaluate(jno.np.concat([x, y]).integrate())


def test_integrals_need_a_mesh():
    cloud = jno.domain.from_array({"interior": np.random.default_rng(0).random((6, 2))})
    x, _, _ = cloud.variable("interior")
    with pytest.raises(ValueError, match=r"point cloud.*no mesh_connectivity.*Monte-Carlo"):
        evaluate(x.integrate())
    bare = jno.domain.rect(mesh_size=0.5, compute_mesh_connectivity=False)
    x, _, _ = bare.variable("interior")
    with pytest.raises(ValueError, match=r"no mesh_connectivity.*compute_mesh_connectivity=False"):
        evaluate(x.integrate())


def test_integration_variables_are_checked(rectangle):
    _, (x, y, _) = rectangle
    with pytest.raises(TypeError, match="Variable"):
        x.integrate(2.0)
    with pytest.raises(TypeError, match="Variable"):
        x.integrate(x + y)
