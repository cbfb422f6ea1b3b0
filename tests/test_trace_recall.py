"""Re-calling expressions: which variable an argument replaces, derivatives at given coordinates, what stays bound."""

import jax
import numpy as np
import optax
import pytest
from helpers import WAVE, coordinates, evaluate, mlp, unit_square

import jno
from jno.trace import free_variables


@pytest.fixture(scope="module")
def square():
    domain = unit_square(0.5)
    return domain, domain.variable("interior")


@pytest.fixture(scope="module")
def heat():
    """A square with three time levels; variables of the interior, the boundary and the start."""
    domain = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
    return [domain.variable(tag) for tag in ("interior", "boundary", "initial")]


@pytest.fixture
def xy(square):
    return square[1][:2]


# --- by coordinate --------------------------------------------------------------------------------------------
def test_recall_at_other_points(square):
    domain, (x, y, _) = square
    xb, yb, _ = domain.variable("boundary")
    u = WAVE.build(jno.np, x, y)
    value = evaluate(u(xb, yb))[0, :, 0]
    np.testing.assert_allclose(value, WAVE.build(np, *coordinates(domain, "boundary")), rtol=1e-5, atol=1e-6)


def test_coordinates_of_a_tag_replace_those_of_the_same_name_in_any_order(heat):
    """First appearance in ``u`` is t, y, x: that order decides nothing."""
    (x, y, t), (xb, yb, tb), (x0, y0, t0) = heat
    u = t * jno.np.exp(-y) * x
    expected = tb * jno.np.exp(-yb) * xb
    values = evaluate([u(xb, yb, tb), u(tb, yb, xb), u(yb, xb), expected])
    for value in values[:3]:
        np.testing.assert_allclose(value, values[3], rtol=1e-6)
    np.testing.assert_allclose(*evaluate([u(x0, y0, t0), t0 * jno.np.exp(-y0) * x0]), rtol=1e-6)


def test_coordinates_the_expression_lacks_are_allowed(heat):
    (x, y, _t), (xb, yb, tb), _ = heat
    np.testing.assert_array_equal(*evaluate([(y**2)(xb, yb, tb), yb**2]))
    np.testing.assert_array_equal(*evaluate([(x + y)(xb, yb, tb), xb + yb]))


def test_recall_replaces_variables_inside_derivatives(square):
    domain, (x, y, _) = square
    xb, yb, _ = domain.variable("boundary")
    u = WAVE.build(jno.np, x, y)
    value, laplacian = evaluate([u.d(x)(yb, xb), (2 * u.laplacian(x, y))(xb, yb)])
    points = coordinates(domain, "boundary")
    xx, _, yy = WAVE.second(*points)
    np.testing.assert_allclose(value[0, :, 0], WAVE.first(*points)[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(laplacian[0, :, 0], 2 * (xx + yy), rtol=1e-4, atol=1e-4)


def test_recall_of_a_network(square):
    domain, (x, y, _) = square
    xb, yb, _ = domain.variable("boundary")
    net = mlp(2)
    u = net(x, y)
    again, direct = evaluate([u(xb, yb).d(yb), net(xb, yb).d(yb)])
    np.testing.assert_allclose(again, direct, rtol=1e-6)


def test_normals_are_replaced_by_normals(square):
    domain, _ = square
    xl, yl, _, nlx, nly = domain.variable("left", normals=True, split=True)
    xt, yt, _, ntx, nty = domain.variable("top", normals=True, split=True)
    flux = nlx * xl + 2 * nly * yl
    np.testing.assert_array_equal(*evaluate([flux(xt, yt, ntx, nty), ntx * xt + 2 * nty * yt]))


# --- by position ----------------------------------------------------------------------------------------------
def test_own_variables_in_another_order_are_positional(xy):
    """``u(y, x)`` swaps, all at once, whichever of them appears first in ``u``."""
    x, y = xy
    for u in (x - 3 * y, -3 * y + x):
        np.testing.assert_allclose(*evaluate([u(y, x), y - 3 * x]), atol=1e-6)
        np.testing.assert_array_equal(*evaluate([u(x, y), u]))
        np.testing.assert_array_equal(*evaluate([u(x), u]))


def test_expressions_are_positional_in_the_order_x_y_t(heat):
    (x, y, t), (xb, yb, _), _ = heat
    u = t + 10 * y + 100 * x
    values = evaluate([u(xb + 1, yb), u(x, 0.5), u(0 * x, y + 1, 2.0)])
    expected = evaluate([t + 10 * yb + 100 * (xb + 1), t + 5 + 100 * x, 2 + 10 * (y + 1) + 0 * x])
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-6)


def test_all_numbers_of_the_domain_fit_an_expression_of_some(heat):
    """Three arguments on a square with time are x, y, t, also for a function of y and t."""
    (_, y, t), _, _ = heat
    np.testing.assert_allclose(np.ravel(evaluate((y - 3 * t)(7.0, 0.5, 1.0) + 0 * t)), -2.5)


def test_a_number_is_a_coordinate_of_all_points(square):
    _domain, (x, y, _) = square
    net = mlp(2)
    values = evaluate([net(x, 0.0), net(x, y)(x, 0), net(x, y)(x, 0 * y)])
    assert values[0].shape == (1, 9, 1)
    for value in values[:2]:
        np.testing.assert_allclose(value, values[2], rtol=1e-6)


def test_a_number_in_place_of_a_coordinate_of_a_network_in_time(heat):
    (x, _, t), _, _ = heat
    net = mlp(2)
    value, other = evaluate([net(0.0, t), net(0 * t, t)])
    np.testing.assert_allclose(value, other, rtol=1e-6)
    np.testing.assert_allclose(*evaluate([net(0.5, t).d(t), net(x, t).d(t)(0.5, t)]), rtol=1e-5)


# --- derivatives at given coordinates -------------------------------------------------------------------------
def test_derivatives_at_numbers_and_expressions(heat):
    (x, y, t), (xb, yb, _), _ = heat
    u = x**3 * y**2 * t**2
    values = evaluate(
        [
            u.d(t)(x, y, 1.0),
            u.d(x)(xb + 1, yb, 2.0),
            u.laplacian(x, y)(x + 1, 2 * y, 1.0),
            u.d(x).d(t)(2.0, 3.0, 1.0) + 0 * t,
            u.grad(x, y)(x, 1.0, 1.0),
            u.hessian(x, y)(x, 1.0, 1.0)[:, 0, 1:],
        ]
    )
    expected = evaluate(
        [
            2 * x**3 * y**2,
            12 * (xb + 1) ** 2 * yb**2,
            6 * (x + 1) * 4 * y**2 + 2 * (x + 1) ** 3,
            216 + 0 * t,
            jno.np.concat([3 * x**2, 2 * x**3]),
            6 * x**2,
        ]
    )
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, np.broadcast_to(other, value.shape), rtol=1e-5, atol=1e-5)


def test_a_derivative_at_given_coordinates_is_differentiated_further(heat):
    """The chain rule: ``∂/∂y of u_x(x, y²)`` is ``u_xy(x, y²) 2y``, and gradients of weights pass."""
    (x, y, t), _, _ = heat
    u = jno.np.sin(x) * y**3 * t
    np.testing.assert_allclose(*evaluate([u.d(x)(x, y**2, 1.0).d(y), jno.np.cos(x) * 6 * y**5]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        *evaluate([u.d2(x)(x**2, y, 1.0).d(x), -jno.np.cos(x**2) * 2 * x * y**3]), rtol=1e-4, atol=1e-5
    )
    k = jno.np.parameter((), name="k").initialize(1.0).optimizer(optax.sgd(0.1))
    loss = ((k * u).d(y)(0.5, 1.0, 1.0) - 3.0).mse
    core = jno.core([loss])
    core.solve(1)
    slope = 3 * np.sin(0.5)
    np.testing.assert_allclose(core.eval(k), 1.0 - 0.1 * 2 * (slope - 3.0) * slope, rtol=1e-5)


def test_finite_differences_exist_at_mesh_nodes_only(square):
    _domain, (x, y, _) = square
    with pytest.raises(ValueError, match=r"finite differences .* at given coordinates"):
        evaluate((x * y).d(x, "finite_difference")(x + 0.1, y))


def test_normal_derivatives_need_the_variables_of_a_boundary(square):
    domain, _ = square
    xl, yl, _ = domain.variable("left")
    n = domain.variable("left", normals=True)
    with pytest.raises(TypeError, match=r"needs the normals of its points and cannot be re-called with 1\.0"):
        (xl * yl).d(n)(1.0, yl)


# --- what integrals bind --------------------------------------------------------------------------------------
def test_the_region_of_an_integral_stays(square):
    domain, (x, y, _) = square
    xb, yb, _ = domain.variable("boundary")
    mean = x.integrate()
    again, value = evaluate([(x * y - mean)(xb, yb), xb * yb - 0.5])
    np.testing.assert_allclose(again, value, atol=1e-6)
    assert free_variables(mean) == []
    with pytest.raises(ValueError, match="has no variables and was called with 2 arguments"):
        mean(xb, yb)


def test_the_outer_point_of_a_kernel_is_replaced(square):
    domain, (x, y, _) = square
    xi, eta, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    kernel = ((x + 2 * y) * xi + eta).integrate(var=x)
    value, expected = evaluate([kernel(xb, yb), (xb + 2 * yb) / 2 + 0.5])
    np.testing.assert_allclose(value, expected, atol=1e-6)
    np.testing.assert_allclose(evaluate(kernel(1.0, 0.5)).ravel(), 1.5, atol=1e-6)


# --- refused --------------------------------------------------------------------------------------------------
def test_two_readings_are_refused_and_both_are_named(heat):
    (x, y, t), (_, yb, _), _ = heat
    u = x + 2 * y + 3 * t
    with pytest.raises(ValueError, match=r"\(y of 'interior'\) can be read as no change or x = y of 'interior'\. Give"):
        u(y)
    with pytest.raises(ValueError, match=r"y = .*, t = 1\.0 or y = 1\.0\. Give one argument for each of y, t in"):
        (y * t)(x + 1, 1.0)
    xl = heat[0][0].domain.variable("left")[0]
    with pytest.raises(ValueError, match=r"can be read as y = y of 'boundary', x = x of 'left' or x = y of"):
        u(yb, xl)


def test_an_argument_for_one_of_several_variables_of_a_coordinate_is_refused(square):
    domain, (x, _, _) = square
    xi, _, _ = domain.variable("interior")
    xb, _, _ = domain.variable("boundary")
    with pytest.raises(
        ValueError, match=r"several variables that are 'x': x of 'interior', x of 'interior' \(req.*\); which"
    ):
        (x - xi)(xb)


def test_recall_with_too_many_arguments(xy):
    x, y = xy
    with pytest.raises(ValueError, match=r"has 2 variable\(s\) .*called with 3 arguments.*each of x, y, in this order"):
        (x + y)(x, y, x)
    with pytest.raises(ValueError, match=r"called with 3 arguments \(array\(3,\), y of 'interior'"):
        (x * 1)(jax.numpy.ones(3), y, y)
    with pytest.raises(TypeError, match="is a parameter and takes no arguments"):
        jno.np.parameter((1,))(x)


# --- the expression itself ------------------------------------------------------------------------------------
def test_recall_with_nothing_keeps_the_expression(xy):
    u = xy[0] + xy[1]
    assert u() is u


def test_recall_keeps_labels_and_the_old_expression(xy):
    x, y = xy
    u = (x * x).name("u")
    again = u(y + 0)
    assert again.metadata.label == "u"
    again.name("v")
    assert u.metadata.label == "u"
    assert free_variables(u) == [x]
