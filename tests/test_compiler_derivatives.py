"""Derivatives by automatic differentiation: every operator with every scheme, against derivatives known by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    AD,
    COMPOSITIONS,
    FIELDS,
    FIRST_ORDER,
    SECOND_ORDER,
    WAVE,
    close,
    coordinates,
    evaluate,
    gradient_and_hessian,
    mlp,
    square_fields,
    unit_square,
)

import jno


@pytest.fixture(scope="module")
def square():
    """Domain, variables, coordinates ``(N,)``."""
    return square_fields(0.25)


def column(array):
    return np.asarray(array)[:, None]


# --- operators × schemes on smooth fields ---------------------------------------------------------------------
@pytest.mark.parametrize("scheme", FIRST_ORDER)
@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f.name)
def test_first_order_operators(square, field, scheme):
    _, (x, y), points = square
    u = field.build(jno.np, x, y)
    fx, fy = field.first(*points)
    both = np.stack([fx, fy], -1)
    cases = [
        (u.d(x, scheme), column(fx)),
        (u.d(y, scheme=scheme), column(fy)),
        (u.diff(x, scheme), column(fx)),
        (u.grad(x, y, scheme=scheme), both),
        (u.grad(y, x, scheme=scheme), both[:, ::-1]),
        (u.grad(y, scheme=scheme), column(fy)),
        (jno.np.grad(u, x, scheme), column(fx)),
        (jno.np.jacobian(u, [x, y], scheme), both),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value[0], expected)


@pytest.mark.parametrize("scheme", SECOND_ORDER)
@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f.name)
def test_second_order_operators(square, field, scheme):
    _, (x, y), points = square
    u = field.build(jno.np, x, y)
    xx, xy, yy = field.second(*points)
    matrix = field.hessian(*points)
    cases = [
        (u.d2(x, scheme), column(xx)),
        (u.dd(y, scheme=scheme), column(yy)),
        (u.laplacian(x, y, scheme=scheme), column(xx + yy)),
        (u.laplacian(y, scheme=scheme), column(yy)),
        (u.hessian(x, y, scheme=scheme), matrix),
        (u.hessian(y, x, scheme=scheme), matrix[:, ::-1, ::-1]),
        (u.hessian(x, scheme=scheme), xx[:, None, None]),
        (jno.np.laplacian(u, [x, y], scheme), column(xx + yy)),
        (u.hessian(x, y, scheme=scheme)[:, 0, 1], xy),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value[0], expected)


@pytest.mark.parametrize("outer", FIRST_ORDER)
@pytest.mark.parametrize("inner", FIRST_ORDER)
def test_chains_of_first_derivatives(square, outer, inner):
    _, (x, y), points = square
    u = WAVE.build(jno.np, x, y)
    xx, xy, _ = WAVE.second(*points)
    cases = [
        (u.d(x, inner).d(x, outer), xx),
        (u.d(x, inner).d(y, outer), xy),
        (u.d(y, inner).d(x, outer), xy),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value[0], column(expected))


def test_all_requests_together_agree_with_each_alone(square):
    """What else is asked for must not change a derivative (a planner may compute them together)."""
    _, (x, y), _ = square
    u = mlp(2, layers=1)(x, y)
    nodes = [u, u.d(x), u.laplacian(x, y), (u * u.d(x)).d(y)]
    together = evaluate(nodes)
    for node, value in zip(nodes, together, strict=True):
        close(evaluate(node), value, 1e-5)


def test_higher_orders(square):
    _, (x, y), (xn, yn) = square
    u = x**4 * y**2
    cases = [
        (u.d(x).d(x).d(x), 24 * xn * yn**2),
        (u.d2(x).d2(x), 24 * yn**2),
        (u.laplacian(x, y).laplacian(x, y), 24 * yn**2 + 48 * xn**2),
        (u.d(x).d(y).d(x), 24 * xn**2 * yn),
        (u.d(x).laplacian(x, y).d(y), 48 * xn * yn),
        (u.hessian(x, y)[..., 0, 1].d(y), 8 * xn**3),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value.reshape(-1), expected)


# --- networks -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def network():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    net = mlp(2, 3, seed=3)
    points = jnp.asarray(np.stack(coordinates(domain, "interior"), -1), dtype=jnp.float32)
    return (x, y), net, *gradient_and_hessian(net.module, points)


@pytest.mark.parametrize("scheme", FIRST_ORDER)
def test_first_derivatives_of_a_vector_network(network, scheme):
    (x, y), net, gradient, _ = network
    u = net(x, y)
    du, jacobian, component = evaluate([u.d(x, scheme), u.grad(x, y, scheme=scheme), u[..., 1:2].d(y, scheme)])
    close(du[0], gradient[:, :, 0])
    close(jacobian[0], gradient)
    close(component[0], gradient[:, 1:2, 1])


@pytest.mark.parametrize("scheme", SECOND_ORDER)
def test_second_derivatives_of_a_vector_network_are_component_wise(network, scheme):
    (x, y), net, _, hessian = network
    u = net(x, y)
    d2, laplacian, matrix = evaluate(
        [u.d2(y, scheme), u.laplacian(x, y, scheme=scheme), u.hessian(x, y, scheme=scheme)]
    )
    close(d2[0], hessian[:, :, 1, 1])
    close(laplacian[0], np.trace(hessian, axis1=2, axis2=3))
    close(matrix[0], hessian)


def test_hessian_of_a_scalar_network_in_three_dimensions():
    domain = jno.domain.cube(mesh_size=0.5)
    x, y, z, _ = domain.variable("interior")
    net = mlp(3)
    points = jnp.asarray(np.stack(coordinates(domain, "interior"), -1), dtype=jnp.float32)
    expected = gradient_and_hessian(net.module, points)[1][:, 0]
    u = net(x, y, z)
    matrix, laplacian, mixed = evaluate([u.hessian(x, y, z), u.laplacian(x, y, z), u.d(z).d(x)])
    close(matrix[0], expected)
    close(laplacian[0, :, 0], np.trace(expected, axis1=1, axis2=2))
    close(mixed[0, :, 0], expected[:, 0, 2])


@pytest.mark.parametrize("scheme", [AD, *COMPOSITIONS])
def test_laplacian_in_three_dimensions(scheme):
    domain = jno.domain.cube(mesh_size=0.5)
    x, y, z, _ = domain.variable("interior")
    xn, _, zn = coordinates(domain, "interior")
    u = jno.np.sin(x) * y**2 * jno.np.exp(z) + x * y * z
    close(evaluate(u.laplacian(x, y, z, scheme=scheme))[0, :, 0], 2 * np.sin(xn) * np.exp(zn))


def test_gradients_of_derivatives_train_networks():
    """The parameter gradient of a loss with derivatives agrees with plain JAX."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    u = net(x, y)
    gradient = evaluate((u.laplacian(x, y) + u * u.d(x) - x).mse.grad(net))[0]
    points = jnp.asarray(np.stack(coordinates(domain, "interior"), -1), dtype=jnp.float32)

    @eqx.filter_jit
    @eqx.filter_grad
    def loss_gradient(module):
        at = lambda p: module(p[None])[0, 0]  # noqa: E731
        laplacian = jax.vmap(lambda p: jnp.trace(jax.hessian(at)(p)))(points)
        slope = jax.vmap(jax.grad(at))(points)[:, 0]
        return jnp.mean((laplacian + jax.vmap(at)(points) * slope - points[:, 0]) ** 2)

    leaves = jax.tree_util.tree_leaves(loss_gradient(net.module))
    close(gradient, np.concatenate([np.ravel(leaf) for leaf in leaves]), 1e-4)


# --- structure of targets -------------------------------------------------------------------------------------
def test_vector_and_matrix_targets(square):
    _, (x, y), (xn, yn) = square
    v = jno.np.concat([x**2 * y, y**3])
    m = jno.np.stack([v, x * v], axis=-1)
    cases = [
        (v.d(x), np.stack([2 * xn * yn, 0 * xn], -1)),
        (v.grad(x, y), np.stack([np.stack([2 * xn * yn, xn**2], -1), np.stack([0 * xn, 3 * yn**2], -1)], -2)),
        (v.d2(y), np.stack([0 * xn, 6 * yn], -1)),
        (v.laplacian(x, y), np.stack([2 * yn, 6 * yn], -1)),
        (v[..., 1].d(y), 3 * yn**2),
        (v[..., 1].laplacian(x, y), 6 * yn),
        (
            m.d(x),
            np.stack(
                [np.stack([2 * xn * yn, 0 * xn], -1), np.stack([3 * xn**2 * yn, yn**3], -1)],
                -1,
            ),
        ),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value[0], expected)


@pytest.mark.parametrize("scheme", FIRST_ORDER)
def test_derivative_of_a_product_with_a_derivative(square, scheme):
    _, (x, y), (xn, yn) = square
    k, u = 1 + x * y, jno.np.sin(x + 2 * y)
    flux = k * u.d(x, scheme)
    s = xn + 2 * yn
    close(evaluate(flux.d(x, scheme))[0, :, 0], yn * np.cos(s) - (1 + xn * yn) * np.sin(s))
    divergence = (k * u.d(x, scheme)).d(x, scheme) + (k * u.d(y, scheme)).d(y, scheme)
    expected = (yn + 2 * xn) * np.cos(s) - 5 * (1 + xn * yn) * np.sin(s)
    close(evaluate(divergence)[0, :, 0], expected)


def test_functions_of_derivatives(square):
    _, (x, y), (xn, yn) = square
    u = x**2 * y
    cases = [
        (jno.np.exp(u.d(x)).d(y), 2 * xn * np.exp(2 * xn * yn)),
        ((u.d(x) ** 2 + u.d(y) ** 2).d(x), 8 * xn * yn**2 + 4 * xn**3),
        (jno.np.where(u.d(x) > 0.5, u, 2 * u).d(x), np.where(2 * xn * yn > 0.5, 1, 2) * 2 * xn * yn),
        (jno.np.concat([u.d(x), u.d(y)])[..., 1:2].d(x), 2 * xn),
    ]
    for value, (_, expected) in zip(evaluate([node for node, _ in cases]), cases, strict=True):
        close(value[0, :, 0], expected)


def test_derivative_of_something_constant_in_the_direction_is_zero(square):
    _, (x, y), (xn, _) = square
    p = jno.np.parameter((1,)).initialize(2.0)
    values = evaluate([(y**2).d(x), (y**2).laplacian(x), p.d(x), (p**2).d2(x), (p * x**2).d(x), (p * y).d(x)])
    for value in (*values[:4], values[5]):
        np.testing.assert_array_equal(value, np.zeros_like(value))
    close(values[4][0, :, 0], 4 * xn)


def test_derivative_of_values_at_paired_points():
    """Values at the opposite side, whose nodes run the other way, go along point by point."""
    domain = unit_square(0.25)
    x, y, _ = domain.variable("left")
    z, w, _ = domain.variable("right")
    yn = coordinates(domain, "left")[1]
    value, second = evaluate([(y**2 * (3 * z + w)).d(y), (y**2 * (3 * z + w)).hessian(x, y)])
    close(value[0, :, 0], 2 * yn * (3 + yn))
    close(second[0, :, 1, 1], 2 * (3 + yn))


def test_derivatives_of_complex_expressions(square):
    _, (x, y), (xn, yn) = square
    z = (x + 1j * y) ** 3
    close(evaluate(z.d(x))[0, :, 0], 3 * (xn + 1j * yn) ** 2)
    close(evaluate(z.d(y).real)[0, :, 0], (3j * (xn + 1j * yn) ** 2).real)


def test_reverse_mode_of_complex_expressions_is_right_or_refused(square):
    _, (x, y), (xn, yn) = square
    node = ((x + 1j * y) ** 3).d(x, f"{AD}:reverse")
    try:
        value = evaluate(node)
    except (TypeError, ValueError, NotImplementedError):
        return
    close(value[0, :, 0], 3 * (xn + 1j * yn) ** 2)


# --- what cannot be differentiated ----------------------------------------------------------------------------
def test_variables_of_another_tag(square):
    domain, (x, y), _ = square
    xb, yb, _ = domain.variable("boundary")
    for node in ((x * y).d(xb), (x * y).laplacian(xb, yb), (x * y).hessian(xb, yb), mlp(2)(x, y).grad(xb)):
        with pytest.raises(ValueError, match=r"depends on the points of \['interior'\].*'boundary'"):
            evaluate(node)


@pytest.mark.parametrize("scheme", FIRST_ORDER)
def test_reduced_targets(square, scheme):
    _, (x, y), _ = square
    u = x * y
    for node in (u.mean.d(x, scheme), u.mse.d2(y, scheme), jno.np.sum(u).laplacian(x, y, scheme=scheme)):
        with pytest.raises(ValueError, match=r"does not run over the points.*differentiate first"):
            evaluate(node)


def test_targets_that_couple_points_mean_the_same_in_every_mode(square):
    """A derivative moves one point alone; where points are coupled there is an error, or one answer."""
    _, (x, _), _ = square
    values = []
    for scheme in FIRST_ORDER:
        try:
            values.append(evaluate((x**2 - (x**2).mean).d(x, scheme)))
        except ValueError:
            values.append(None)
    if values[0] is None:
        assert values == [None, None, None]
    else:
        close(values[1], values[0])
        close(values[2], values[0])


def test_first_derivative_schemes_are_checked(square):
    _, (x, y), _ = square
    u = x * y
    for operator in (u.d, u.diff):
        for scheme in ("foo", f"{AD}:fwd-over-rev", "finite_difference:foo", "", f"{AD}:", "AD"):
            with pytest.raises(ValueError, match=r"automatic_differentiation:forward.*finite_difference:lsq"):
                operator(x, scheme)
    with pytest.raises(ValueError, match="Unknown scheme 'foo'"):
        u.grad(x, y, scheme="foo")


def test_second_derivative_schemes_are_checked(square):
    _, (x, y), _ = square
    u = x * y
    for scheme in ("foo", f"{AD}:sideways", "finite_difference:foo"):
        for build in (
            lambda s: u.d2(x, s),
            lambda s: u.dd(x, s),
            lambda s: u.laplacian(x, y, scheme=s),
            lambda s: u.hessian(x, y, scheme=s),
        ):
            with pytest.raises(ValueError, match=r"automatic_differentiation:fwd-over-rev.*finite_difference"):
                build(scheme)


def test_a_second_variable_in_the_place_of_the_scheme(square):
    _, (x, y), _ = square
    u = x * y
    for operator in (u.d, u.diff, u.d2, u.dd):
        with pytest.raises(TypeError, match=r"u\.d\(x\)\.d\(y\)|scheme"):
            operator(x, y)


def test_operators_need_variables(square):
    _, (x, y), _ = square
    u = x * y
    for operator in (u.grad, u.laplacian, u.hessian):
        with pytest.raises(TypeError, match="needs at least one Variable"):
            operator()
    for operator in (u.d, u.d2, u.laplacian, u.hessian, u.grad):
        for wrong in (u, 1.0, "x"):
            with pytest.raises(TypeError, match="Variable"):
                operator(wrong)
    with pytest.raises(TypeError, match="Variable"):
        u.grad(x, mlp(2))
    with pytest.raises(TypeError, match=r"missing .*'variable'"):
        u.d()


def test_a_variable_of_several_columns_is_refused():
    domain = unit_square(0.5)
    both = domain.variable("sensors", np.random.default_rng(0).random((4, 2)), point_data=True)
    with pytest.raises(ValueError, match="one column at a time"):
        evaluate((both**2).d(both))
