"""Arithmetic, indexing and reductions of expressions, against NumPy on the same coordinates."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import coordinates, evaluate, mlp

import jno
from jno.trace import BinaryOp, Placeholder

RTOL = 2e-6


@pytest.fixture
def xy(square):
    """Variables and their values ``(N, 1)``."""
    domain, (x, y, _) = square
    points = coordinates(domain, "interior")
    return x, y, points[0][:, None], points[1][:, None]


def check(expression, expected):
    """The value of one sample, shape included."""
    value = evaluate(expression)[0]
    assert value.shape == np.shape(expected)
    np.testing.assert_allclose(value, expected, rtol=RTOL, atol=1e-6)


BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


def test_binary_operators_of_expressions(xy):
    x, y, xn, yn = xy
    values = evaluate([op(x + 1.5, y + 0.5) for op in BINARY.values()])
    for value, op in zip(values, BINARY.values(), strict=True):
        np.testing.assert_allclose(value[0], op(xn + 1.5, yn + 0.5), rtol=RTOL)


WITH_NUMBERS = {**BINARY, "eq": lambda a, b: a == b, "ne": lambda a, b: a != b}
"""Of two expressions ``==`` and ``!=`` compare identity."""

OPERANDS = {
    "int": 2,
    "float": 2.5,
    "numpy bool": np.bool_(True),
    "zero-d int": np.asarray(3),
    "numpy scalar": np.float64(1.5),
    "numpy integer": np.int32(3),
    "numpy 0-d": np.asarray(0.25),
    "numpy (1,)": np.asarray([1.5]),
    "numpy row": np.asarray([1.5, 2.5]),
    "numpy (1, 3)": np.asarray([[1.5, 2.5, 0.5]]),
    "jax scalar": jnp.asarray(0.75),
    "jax row": jnp.asarray([0.5, 2.0]),
}


@pytest.mark.parametrize("name", OPERANDS)
def test_numbers_and_arrays_on_either_side(xy, name):
    x, _, xn, _ = xy
    operand = OPERANDS[name]
    plain = np.asarray(operand)
    operators = WITH_NUMBERS.values()
    nodes = [op(x + 1, operand) for op in operators] + [op(operand, x + 1) for op in operators]
    assert all(isinstance(node, BinaryOp) for node in nodes)
    expected = [op(xn + 1, plain) for op in operators] + [op(plain, xn + 1) for op in operators]
    for value, want in zip(evaluate(nodes), expected, strict=True):
        assert value[0].shape == want.shape
        np.testing.assert_allclose(value[0], want, rtol=5e-6)


def test_array_of_point_data_as_operand(xy):
    x, _, xn, _ = xy
    weights = np.linspace(1.0, 2.0, xn.size)[:, None]
    check(weights * x, weights * xn)
    check(x - weights, xn - weights)


def test_comparisons_are_boolean(xy):
    x, y, xn, yn = xy
    for expression, expected in (
        (x < y, xn < yn),
        (x.equal(y), xn == yn),
        (x.not_equal(y), xn != yn),
        (x.equal(0.5), xn == 0.5),
    ):
        value = evaluate(expression)[0]
        assert value.dtype == np.bool_
        np.testing.assert_array_equal(value, expected)
    check(jno.np.where((x > 0.2) * (x < 0.8), x, -1.0), np.where((xn > 0.2) & (xn < 0.8), xn, -1.0))


def test_logic_is_numpys(xy):
    x, y, xn, yn = xy
    mask = xn > 0.7
    for expression, expected in (
        ((x > 0.2) & (y < 0.8), (xn > 0.2) & (yn < 0.8)),
        ((x < 0.2) | (y > 0.8), (xn < 0.2) | (yn > 0.8)),
        (~(x < 0.2), ~(xn < 0.2)),
        ((x == 0.5) & (y != 0.5), (xn == 0.5) & (yn != 0.5)),
        (mask | (y < 0.2), mask | (yn < 0.2)),
        ((y < 0.2) & jnp.asarray(mask), mask & (yn < 0.2)),
        (np.logical_or(x < 0.2, y < 0.2), (xn < 0.2) | (yn < 0.2)),
    ):
        value = evaluate(expression)[0]
        assert value.dtype == np.bool_
        np.testing.assert_array_equal(value, expected)


def test_equality_with_a_number_selects_points(xy):
    x, y, xn, yn = xy
    check(jno.np.where(x == 0.5, y, 0.0), np.where(xn == 0.5, yn, 0.0))
    check((x != 0.5) * y, (xn != 0.5) * yn)
    check((0.5 == y) * x, (yn == 0.5) * xn)  # noqa: SIM300


def test_derivative_of_a_choice_by_combined_conditions(xy):
    x, y, xn, yn = xy
    inside = (x > 0.2) & ~(y == 0.5)
    check(jno.np.where(inside, x**3, -x).d(x), np.where((xn > 0.2) & (yn != 0.5), 3 * xn**2, -1.0))


@pytest.mark.parametrize(
    "build",
    [
        lambda u, v: (u == v) * u,
        lambda u, v: u - (u != v),
        lambda u, v: (u == v) & (u < 1),
        lambda u, v: jno.np.where(u == v, 1.0, 0.0),
        lambda u, v: jno.np.maximum(u, u == v),
        lambda u, v: jno.np.vector(u, u == v),
        lambda u, v: jno.core([u == v]),
        lambda u, v: u == (u == v),
    ],
)
def test_a_python_bool_is_no_operand(xy, build):
    """It is what ``==`` between two expressions gives."""
    with pytest.raises(TypeError, match=r"Python bool.*compare identity.*u\.equal\(v\)"):
        build(xy[0], xy[1])


@pytest.mark.parametrize("build", [lambda u: u & (u < 1), lambda u: (u < 1) | 1, lambda u: ~u, lambda u: ~(1.0 * u)])
def test_logic_combines_conditions(xy, build):
    with pytest.raises(ValueError, match=r"combines conditions such as x < 0\.5, not values of type (int|float)32"):
        jno.core([build(xy[0])])


def test_an_expression_has_no_truth_value(xy):
    x, y = xy[:2]
    remedies = r"a < x < b.*\(a < x\) & \(x < b\).*jno\.np\.where.*u\.equal\(v\).*is not None"
    for decide in (
        lambda: 0.2 < x < 0.8,
        lambda: bool(x > 0),
        lambda: bool(x + 1),
        lambda: not x,
        lambda: x and y,
        lambda: 0.2 < x & x < 0.8,
        lambda: 1.0 in [x, y],
    ):
        with pytest.raises(TypeError, match=remedies):
            decide()


@pytest.mark.parametrize(
    ("call", "error", "hint"),
    [
        (np.sin, TypeError, r"numpy\.sin computes with arrays.*jno\.np\.sin"),
        (np.abs, TypeError, r"jno\.np\.abs"),
        (lambda u: np.where(u < 0.5, 1, 0), TypeError, r"jno\.np\.where"),
        (lambda u: np.concatenate([u, u]), TypeError, r"jno\.np\.concatenate"),
        (np.sum, TypeError, r"jno\.np\.sum"),
        (lambda u: np.add(u, u, out=np.zeros(3)), TypeError, r"numpy\.add"),
        (np.add.reduce, TypeError, r"numpy\.add"),
        (jnp.sin, ValueError, r"jno\.np\.sin\(u\) instead of jnp\.sin\(u\)"),
        (lambda u: jnp.sin(mlp(1)(u)), ValueError, r"jno\.np\.sin\(u\) instead of jnp\.sin\(u\)"),
        (jnp.mean, ValueError, r"functions of jax\.numpy do not apply"),
        (jnp.asarray, ValueError, r"functions of jax\.numpy do not apply"),
    ],
)
def test_functions_of_other_libraries_are_refused(xy, call, error, hint):
    with pytest.raises(error, match=hint):
        call(xy[0])


def test_array_that_accumulates_an_expression(xy):
    x, _, xn, _ = xy
    total = np.full((1, 2), 2.0)
    total += x
    check(total, np.full((1, 2), 2.0) + xn)


def test_unary_operators(xy):
    x, _, xn, _ = xy
    check(-x, -xn)
    check(abs(x - 0.5), abs(xn - 0.5))
    assert +x is x


def test_powers_of_negative_numbers(xy):
    x, _, xn, _ = xy
    for exponent in (0, 1, 2, 3, -2):
        check((x - 1.25) ** exponent, (xn - 1.25) ** exponent)
    check((x - 1.25) ** np.int64(2), (xn - 1.25) ** 2)


def test_powers_of_negative_numbers_can_be_differentiated(xy):
    x, _, xn, _ = xy
    check(((x - 1.25) ** 3).d(x), 3 * (xn - 1.25) ** 2)
    check(((x - 1.25) ** 2).d2(x), np.full_like(xn, 2.0))
    check((x**1).d(x), np.ones_like(xn))
    check((x**0).d(x), np.zeros_like(xn))


def test_matmul(xy):
    x, y, xn, yn = xy
    matrix = np.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    both = np.hstack([xn, yn])
    check(jno.np.concat([x, y]) @ matrix, both @ matrix)
    check(x.T @ y, xn.T @ yn)
    check(matrix.T @ jno.np.concat([x, y]).T, matrix.T @ both.T)


def test_matmul_with_a_numpy_array_on_the_left(xy):
    x, _, xn, _ = xy
    row = np.ones((1, xn.size))
    node = row @ x
    assert isinstance(node, BinaryOp)
    check(node, row @ xn)


def test_complex_numbers(xy):
    x, y, xn, yn = xy
    z, zn = x + 2j * y, xn + 2j * yn
    check(z.real, zn.real)
    check(z.imag, zn.imag)
    check(abs(z), abs(zn))
    check((z * z).imag, (zn * zn).imag)
    check(z.mse, np.mean(np.abs(zn) ** 2))
    check(z.mae, np.mean(np.abs(zn)))
    check(x.real, xn)
    check(x.imag, np.zeros_like(xn))


REDUCTIONS: dict[str, Any] = {
    "mean": np.mean,
    "sum": np.sum,
    "min": np.min,
    "max": np.max,
    "std": np.std,
    "mse": lambda a: np.mean(a**2),
    "mae": lambda a: np.mean(np.abs(a)),
}


def test_reductions_are_properties_over_all_entries(xy):
    x, y, xn, yn = xy
    u, un = jno.np.concat([x - 0.5, 2 * y]), np.hstack([xn - 0.5, 2 * yn])
    nodes = [u.mean, u.sum, u.min, u.max, u.std, u.mse, u.mae]
    for value, reduce in zip(evaluate(nodes), REDUCTIONS.values(), strict=True):
        assert value.shape == (1,)
        np.testing.assert_allclose(value[0], reduce(un), rtol=RTOL)


def test_a_reduced_value_broadcasts_over_points(xy):
    x, _, xn, _ = xy
    check(x - x.mean, xn - xn.mean())
    check((x - x.mean) / x.std, (xn - xn.mean()) / xn.std())


def test_stop_gradient(xy):
    x, _, xn, _ = xy
    check(x.stop_gradient * x, xn**2)
    check((x.stop_gradient * x).d(x), xn)


def test_stop_gradient_of_a_network_trains_nothing(square):
    x, y, _ = square[1]
    net = mlp(2)
    u = net(x, y)
    gradient = evaluate((u.stop_gradient * u).mean.grad(net))
    half = evaluate((u * u).mean.grad(net))
    np.testing.assert_allclose(2 * gradient, half, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(evaluate(u.stop_gradient.mean.grad(net)), np.zeros_like(gradient))


INDICES: dict[str, Any] = {
    "last axis": (..., 0),
    "last axis kept": (..., slice(0, 1)),
    "column": (slice(None), 1),
    "columns": (slice(None), slice(0, 2)),
    "negative": (..., -1),
    "one point": (2,),
    "some points": (slice(1, 4),),
    "stride": (slice(None, None, 2), slice(None)),
    "new axis": (..., None),
    "new axis in front": (None,),
    "list": (slice(None), [2, 0]),
    "ellipsis": (...,),
}


@pytest.mark.parametrize("name", INDICES)
def test_indexing_follows_numpy(xy, name):
    x, y, xn, yn = xy
    index = INDICES[name]
    key = index if len(index) > 1 else index[0]
    check(jno.np.concat([x, y, x * y])[key], np.hstack([xn, yn, xn * yn])[key])


def test_index_that_does_not_fit(xy):
    x = xy[0]
    with pytest.raises(ValueError, match=r"index \(0, 0, 0\) does not fit an array of shape \(9, 1\)"):
        evaluate(x[0, 0, 0])
    with pytest.raises(ValueError, match=r"index .* does not fit an array of shape \(9, 1\)"):
        evaluate(x["a"])


def test_index_by_an_expression_is_refused(xy):
    x, y, _, _ = xy
    with pytest.raises(TypeError, match=r"cannot be indexed by another expression.*jno\.np\.where"):
        x[y > 0]


def test_component_of_shape_n_acts_as_a_column(xy):
    """``(N,)`` next to ``(N, 1)`` or ``(N, D)`` is aligned on the points, never broadcast to ``(N, N)``."""
    x, y, xn, yn = xy
    v, vn = jno.np.concat([x, y, x * y]), np.hstack([xn, yn, xn * yn])
    row = np.asarray([1.0, 2.0])
    check(v[..., 0] + y, xn + yn)
    check(y - v[..., 0], yn - xn)
    check(v[..., 0] * v, xn * vn)
    check(v / (1 + v[..., 1]), vn / (1 + yn))
    check(v[..., 0] * v[..., 1], vn[:, 0] * vn[:, 1])
    check(v[..., 0] * 2.0, vn[:, 0] * 2)
    check(v[..., 0] + row, xn + row)
    check(v[..., 0] ** y, xn**yn)
    check(v[:, 0] < v[:, 1], vn[:, 0] < vn[:, 1])
    check(jno.np.sin(v[..., 0]) * y, np.sin(xn) * yn)
    check(jno.np.maximum(v[..., 0], y), np.maximum(xn, yn))
    check(jno.np.concat([v[..., 0], y]), np.hstack([xn, yn]))
    check(jno.np.where(v[..., 0] > 0.5, y, v[..., 2]), np.where(xn > 0.5, yn, xn * yn))
    check(v.T[0] + y, xn + yn)
    cube = np.asarray([[[1.0]], [[2.0]]])
    check((v * cube)[1][..., 0] + y, 2 * xn + yn)


def test_component_of_a_network_and_its_derivatives_are_aligned(square):
    x, y, _ = square[1]
    u = mlp(2, 3)(x, y)
    whole, product, derivative = evaluate([u, u[..., 0] * x, u[..., 1].d(x)])
    xn = coordinates(square[0], "interior")[0]
    assert product.shape == (1, 9, 1)
    np.testing.assert_allclose(product[0, :, 0], whole[0, :, 0] * xn, rtol=1e-5, atol=1e-7)
    assert derivative.shape == (1, 9)
    np.testing.assert_allclose(derivative, evaluate(u.d(x))[..., 1], rtol=1e-5, atol=1e-6)


def test_reduction_along_an_axis_is_aligned(xy):
    x, y, xn, yn = xy
    v, vn = jno.np.concat([x, y]), np.hstack([xn, yn])
    check(jno.np.sum(v**2, axis=-1), (vn**2).sum(-1))
    check(v / (1 + jno.np.sum(v**2, axis=-1)), vn / (1 + (vn**2).sum(-1, keepdims=True)))
    check(jno.np.norm(v + 1, axis=-1) * x, np.linalg.norm(vn + 1, axis=-1, keepdims=True) * xn)


def test_array_as_long_as_the_points_is_refused(xy):
    x, _, xn, _ = xy
    row = np.linspace(0.0, 1.0, xn.size)
    with pytest.raises(ValueError, match=r"broadcast to \(9, 9\).*point_data=True"):
        evaluate(x * row)
    check(x[..., 0] * row, xn[:, 0] * row)


def test_reshape_and_transpose(xy):
    x, y, xn, yn = xy
    v, vn = jno.np.concat([x, y]), np.hstack([xn, yn])
    check(v.reshape(3, 3, 2), vn.reshape(3, 3, 2))
    check(v.reshape((18,)), vn.reshape(18))
    check(v.reshape(-1, 1, 2), vn.reshape(-1, 1, 2))
    check(v.T, vn.T)
    check(v.T.T * x, vn * xn)
    with pytest.raises((ValueError, TypeError), match="reshape"):
        evaluate(v.reshape(4, 4))


def test_transpose_times_a_column_of_numbers(xy):
    x, y, xn, yn = xy
    column = np.asarray([[1.0], [2.0]])
    check(jno.np.concat([x, y]).T * column, np.hstack([xn, yn]).T * column)


def test_sum_of_a_transpose_and_a_column_is_refused(xy):
    x = xy[0]
    with pytest.raises(ValueError, match=r"'\+' of transpose \(1, 9\), Var.* \(9, 1\): .*cannot be aligned"):
        evaluate(x.T + x)


def test_array_operations_build_placeholders_without_evaluating(xy):
    x, y, _, _ = xy
    expression = (np.float32(2) * x - jnp.ones(()) / y) ** 2 @ np.ones((1, 1))
    assert isinstance(expression, Placeholder)


@pytest.mark.parametrize("operand", ["a", None, object(), {"a": 1}, [["a"]], mlp])
def test_operands_that_are_no_numbers(xy, operand):
    with pytest.raises(TypeError, match=r"cannot use .* in an expression"):
        xy[0] + operand


def test_network_that_was_not_called_is_refused(xy):
    x, net = xy[0], mlp(2)
    with pytest.raises(TypeError, match=r"must be called first: net\(x, y\)"):
        x + net
    with pytest.raises(TypeError, match="is a network, not a sequence"):
        list(net)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda u: u + 10**30, "has more than 64 bits; write a float"),
        (lambda u: u + np.array(["a"]), "an array of dtype <U1 in an expression: it is not an array of numbers"),
        (lambda u: u.reshape(2.5), "a shape is integers of at least -1"),
        (lambda u: u.print(label=3), r"print\(label=3\): label must be a string"),
        (lambda u: jno.np.norm(u, ord=[3]), "ord must be a finite number or one of"),
        (lambda u: jno.np.sum(u, keepdims=[True]), r"sum\(keepdims=\[True\]\): keepdims must be True or False"),
        (lambda u: jno.np.vector(u, "b"), r"vector\(components\[1\]\): cannot use 'b' of type str"),
        (lambda u: jno.np.concat(3), "takes a list of expressions as its items"),
        (lambda u: jno.fn.mse(u, None), r"mse\(target\): cannot use None of type NoneType"),
        (lambda u: jno.np.linalg.matrix_power(u, 2.5), "n must be an integer"),
        (lambda u: jno.np.identity(10**6), "at most 10000"),
        (lambda u: jno.fn.heat(u, 3, u), r"heat\(t\): a Variable from domain.variable\(...\) is needed, got 3"),
        (lambda u: jno.np.laplacian(u, "x"), r"variables must be a Variable from domain.variable\(...\), or a list"),
        (lambda u: jno.noise.gaussian(std=None), r"gaussian\(std=None\): std must be a finite number"),
        (lambda u: jno.parameter((2,), key=3), "key must be a random key"),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    u = jno.np.sin(jno.trace.Variable("interior", [0, 1], None))
    with pytest.raises((TypeError, ValueError), match=match):
        make(u)
