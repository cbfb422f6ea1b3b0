import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from reference_interpreter import evaluate

import jno
from jno import jnp_ops as jnn
from jno.trace import FunctionCall, Hessian, Integral, IntegralTime, Jacobian, Literal, Tracker, Variable

N = 7
X = Variable("interior", [0, 1], None)
Y = Variable("interior", [1, 2], None)
Z = Variable("interior", [2, 3], None)
T = Variable("__time__", [0, 1], None, axis="temporal")
POINTS = np.random.default_rng(0).uniform(0.2, 0.8, (N, 3))
COLUMN = {name: POINTS[:, i : i + 1] for i, name in enumerate("xyz")}


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def value(expression, time=None):
    return np.asarray(evaluate(expression, {"interior": POINTS}, time))


UNARY = [
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arctanh",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "cbrt",
    "square",
    "abs",
    "floor",
    "ceil",
    "round",
    "sign",
]


@pytest.mark.parametrize("name", UNARY)
def test_unary_function_is_numpys(name):
    node = getattr(jnn, name)(X)
    assert isinstance(node, FunctionCall)
    assert (node.title, node.align, node.reduces_axis) == (name, "broadcast", None)
    np.testing.assert_allclose(value(node), getattr(np, name)(COLUMN["x"]), rtol=1e-12)
    assert isinstance(getattr(jnn, name)(0.5), FunctionCall)
    assert "element-wise" in getattr(jnn, name).__doc__


def test_arccosh_of_large_values():
    np.testing.assert_allclose(value(jnn.arccosh(1 + X)), np.arccosh(1 + COLUMN["x"]), rtol=1e-12)


@pytest.mark.parametrize("name", ["arctan2", "power", "maximum", "minimum"])
def test_binary_function_is_numpys(name):
    node = getattr(jnn, name)(X, Y)
    np.testing.assert_allclose(value(node), getattr(np, name)(COLUMN["x"], COLUMN["y"]), rtol=1e-12)
    assert value(getattr(jnn, name)(X[..., 0], Y)).shape == (N, 1)
    assert jnn.atan2 is jnn.arctan2


def test_where_and_cross():
    step = value(jnn.where(X < 0.5, 1.0, Y))
    np.testing.assert_allclose(step, np.where(COLUMN["x"] < 0.5, 1.0, COLUMN["y"]))
    a, b = jnn.vector(X, Y, Z), jnn.vector(Y, Z, X)
    np.testing.assert_allclose(value(jnn.cross(a, b)), np.cross(POINTS, POINTS[:, [1, 2, 0]]))


def test_constants_and_creation_functions():
    assert jnn.pi == jnn.π == np.pi
    assert jnn.e == np.e
    assert jnn.inf == np.inf
    assert np.isnan(jnn.nan)
    assert jnn.linspace is jnp.linspace
    assert jnn.zeros((2, 3)).shape == (2, 3)
    assert jnn.arange(3, dtype=jnn.int32).dtype == jnn.int32
    for name in [
        "array",
        "asarray",
        "bool_",
        "complex64",
        "complex128",
        "eye",
        "float32",
        "float64",
        "full",
        "int64",
        "meshgrid",
        "ones",
    ]:
        assert getattr(jnn, name) is getattr(jnp, name)
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = jnn.no_such_name


@pytest.mark.parametrize("name", ["sum", "mean", "median", "std", "var", "min", "max", "prod"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_are_numpys(name, axis, keepdims):
    node = getattr(jnn, name)(jnn.vector(X, Y), axis=axis, keepdims=keepdims)
    expected = getattr(np, name)(POINTS[:, :2], axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(value(node), expected, rtol=1e-12)
    assert value(node).shape == expected.shape
    assert node.reduces_axis == {None: 0, 0: 0, -1: -1, (0, 1): 0}[axis]


def test_equal_calls_are_structurally_equal():
    for build in (lambda: jnn.mean(X, axis=-1), lambda: jnn.norm(X), lambda: jno.fn.huber(X, Y, delta=2.0)):
        first, second = build().fn, build().fn
        assert (first.func, first.args, first.keywords) == (second.func, second.args, second.keywords)
    assert jnn.sin(X).fn is jnn.sin(Y).fn
    assert jnn.concat([X, Y]).fn is jnn.concat([Y, X]).fn
    assert jno.fn.mse(X, Y).fn is jno.fn.mse(Y, X).fn


def test_reduction_refuses_other_axes():
    with pytest.raises(TypeError, match="allowed are an integer"):
        jnn.sum(X, axis="rows")
    with pytest.raises(TypeError, match="allowed are an integer"):
        jnn.norm(X, axis=True)


def test_norm():
    field = jnn.vector(X, Y)
    np.testing.assert_allclose(value(jnn.norm(field)), np.linalg.norm(POINTS[:, :2]), rtol=1e-12)
    for order in (None, 1, np.inf):
        expected = np.linalg.norm(POINTS[:, :2], ord=order, axis=-1, keepdims=True)
        np.testing.assert_allclose(value(jnn.norm(field, ord=order, axis=-1, keepdims=True)), expected, rtol=1e-12)
    assert value(jnn.norm(field, axis=-1)).shape == (N,)
    assert np.all(value(jnn.norm(jnn.vector(0 * X, 0 * Y), axis=-1, keepdims=True).d(X)) == 0)


def test_norm_is_differentiable():
    radius = jnn.norm(jnn.vector(X, Y), axis=-1, keepdims=True)
    expected = COLUMN["x"] / np.linalg.norm(POINTS[:, :2], axis=-1, keepdims=True)
    np.testing.assert_allclose(value(radius.d(X)), expected, rtol=1e-12)


def test_shape_functions():
    field = jnn.vector(X, Y)
    np.testing.assert_array_equal(value(jnn.reshape(field, (2, N))), POINTS[:, :2].reshape(2, N))
    np.testing.assert_array_equal(value(jnn.reshape(field, -1)), POINTS[:, :2].ravel())
    np.testing.assert_array_equal(value(jnn.squeeze(X, axis=-1)), POINTS[:, 0])
    assert value(jnn.expand_dims(field, -1)).shape == (N, 2, 1)
    np.testing.assert_array_equal(value(jnn.transpose(field)), POINTS[:, :2].T)
    tensors = jnn.expand_dims(field, -1)
    assert value(jnn.transpose(tensors, (0, 2, 1))).shape == (N, 1, 2)


def test_concat_makes_columns():
    node = jnn.concat([X, Y[..., 0], 2.0, T], axis=1)
    assert isinstance(node, FunctionCall)
    assert (node.title, node.align) == ("concat", "columns")
    expected = np.hstack([POINTS[:, :2], np.full((N, 1), 2.0), np.full((N, 1), 0.25)])
    np.testing.assert_array_equal(value(node, time=0.25), expected)
    assert jnn.concatenate is jnn.concat
    np.testing.assert_array_equal(value(jnn.vector(X, Y)), value(jnn.vector([X, Y])))


@pytest.mark.parametrize("axis", [0, 2, -2])
def test_concat_has_one_axis(axis):
    with pytest.raises(ValueError, match="always the last axis"):
        jnn.concat([X, Y], axis=axis)


def test_concat_needs_a_list():
    with pytest.raises(TypeError, match="list of expressions"):
        jnn.concat(X)
    with pytest.raises(ValueError, match="at least one"):
        jnn.concat([])
    with pytest.raises(ValueError, match="at least one"):
        jnn.vector()
    with pytest.raises(TypeError, match="list of expressions"):
        jnn.stack(X)
    with pytest.raises(TypeError, match="axis"):
        jnn.stack([X], axis=(0,))


def test_stack_is_a_new_axis():
    np.testing.assert_array_equal(value(jnn.stack([X, Y])), np.stack([COLUMN["x"], COLUMN["y"]]))
    last = value(jnn.stack([X, Y], axis=-1))
    assert last.shape == (N, 1, 2)
    assert value(jnn.concat([X, Y])).shape == (N, 2)
    assert value(jnn.stack([X, T, 1.0], axis=-1), time=2.0).shape == (N, 1, 3)


def test_matrix_products():
    matrix = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(value(jnn.dot(jnn.vector(X, Y), matrix)), POINTS[:, :2] @ matrix)
    np.testing.assert_allclose(value(jnn.matmul(jnn.vector(X, Y), matrix)), POINTS[:, :2] @ matrix)


def matrices():
    """(N, 2, 2) with rows (x, y) and (xy, 2)."""
    field = jnn.concat([X, Y, X * Y, 2.0 + 0 * X])
    x, y = POINTS[:, 0], POINTS[:, 1]
    expected = np.stack([x, y, x * y, 2 + 0 * x], axis=-1).reshape(N, 2, 2)
    return field.reshape(N, 2, 2), expected


def test_tensor_algebra_per_point():
    node, a = matrices()
    at = a.swapaxes(1, 2)
    np.testing.assert_allclose(value(jnn.trace(node)), a[:, 0, 0] + a[:, 1, 1])
    np.testing.assert_allclose(value(jnn.sym(node)), (a + at) / 2)
    np.testing.assert_allclose(value(jnn.antisym(node)), (a - at) / 2)
    np.testing.assert_allclose(value(jnn.double_dot(node, node)), (a**2).sum((1, 2)))
    np.testing.assert_allclose(value(jnn.double_dot(node, jnn.identity(2))), np.trace(a, axis1=1, axis2=2))
    product = jnn.einsum("...ij,...j->...i", node, jnn.vector(X, Y))
    np.testing.assert_allclose(value(product), np.einsum("nij,nj->ni", a, POINTS[:, :2]))


def test_inner():
    a, b = jnn.vector(X, Y), jnn.vector(Y, Z)
    expected = (POINTS[:, :2] * POINTS[:, 1:]).sum(-1)
    np.testing.assert_allclose(value(jnn.inner(a, b)), expected)
    np.testing.assert_allclose(value(jnn.inner(a, b, keepdims=True)), expected[:, None])
    with pytest.raises(ValueError, match="equal sizes"):
        value(jnn.inner(a, X))
    with pytest.raises(ValueError, match="at least one axis"):
        jnn.inner(a, b, n_contract=0)


def test_identity():
    assert isinstance(jnn.identity(3), Literal)
    np.testing.assert_array_equal(value(jnn.identity(3)), np.eye(3))
    stress = value(-X[..., None] * jnn.identity(2))
    np.testing.assert_allclose(stress, -POINTS[:, 0, None, None] * np.eye(2))
    with pytest.raises(ValueError, match="integer of at least 1"):
        jnn.identity(0)


@pytest.mark.parametrize("name", ["trace", "sym", "antisym"])
def test_tensor_algebra_needs_square_matrices(name):
    with pytest.raises(ValueError, match="square matrices"):
        value(getattr(jnn, name)(jnn.vector(X, Y)))


def test_einsum_counts_operands():
    with pytest.raises(ValueError, match="2 terms but 1 operands"):
        jnn.einsum("ij,j->i", X)


def test_linalg_per_point():
    node, a = matrices()
    symmetric = node @ jnn.transpose(node, (0, 2, 1)) + jnn.identity(2)
    s = a @ a.swapaxes(1, 2) + np.eye(2)
    vector = POINTS[:, :2]
    np.testing.assert_allclose(value(jnn.linalg.det(node)), np.linalg.det(a))
    np.testing.assert_allclose(value(jnn.linalg.inv(node)), np.linalg.inv(a))
    np.testing.assert_allclose(value(jnn.linalg.pinv(node)), np.linalg.inv(a), atol=1e-9)
    np.testing.assert_allclose(value(jnn.linalg.eigvalsh(symmetric)), np.linalg.eigvalsh(s))
    np.testing.assert_allclose(value(jnn.linalg.cholesky(symmetric)), np.linalg.cholesky(s))
    np.testing.assert_allclose(value(jnn.linalg.svdvals(node)), np.linalg.svd(a, compute_uv=False))
    np.testing.assert_allclose(value(jnn.linalg.matrix_power(node, 3)), a @ a @ a)
    np.testing.assert_allclose(value(jnn.linalg.matrix_transpose(node)), a.swapaxes(1, 2))
    solution = np.linalg.solve(a, vector[..., None])
    np.testing.assert_allclose(value(jnn.linalg.solve(node, jnn.vector(X, Y))), solution[..., 0])
    np.testing.assert_allclose(value(jnn.linalg.solve(node, jnn.vector(X, Y)[..., None])), solution)
    assert jnn.linalg.norm is jnn.norm


def test_first_derivatives():
    u = X**2 * Y
    x, y = COLUMN["x"], COLUMN["y"]
    single, several = jnn.grad(u, X), jnn.grad(u, [X, Y])
    assert isinstance(single, Jacobian)
    assert single.variables == (X,)
    np.testing.assert_allclose(value(single), 2 * x * y)
    np.testing.assert_allclose(value(several), np.hstack([2 * x * y, x**2]))
    assert value(jnn.jacobian(u, [X])).shape == (N, 1)
    assert value(jnn.jacobian(jnn.vector(u, Y, X), [X, Y])).shape == (N, 3, 2)
    assert jnn.grad(u, X, scheme="finite_difference:lsq").scheme == "finite_difference:lsq"


def test_second_derivatives():
    u = X**3 * Y**2
    x, y = COLUMN["x"], COLUMN["y"]
    np.testing.assert_allclose(value(jnn.laplacian(u, [X, Y])), 6 * x * y**2 + 2 * x**3)
    np.testing.assert_allclose(value(jnn.laplacian(u, X)), 6 * x * y**2)
    full = value(jnn.hessian(u, [X, Y]))
    mixed = 6 * x**2 * y
    np.testing.assert_allclose(full.reshape(N, 4), np.hstack([6 * x * y**2, mixed, mixed, 2 * x**3]))
    assert jnn.laplace is jnn.laplacian
    node = jnn.laplacian(u, [X], "automatic_differentiation:fwd-over-fwd")
    assert isinstance(node, Hessian)
    assert node.scheme == "automatic_differentiation:fwd-over-fwd"


def test_derivatives_refuse_bad_input():
    with pytest.raises(ValueError, match="Unknown scheme 'foo'"):
        jnn.grad(X, X, "foo")
    with pytest.raises(ValueError, match="Unknown scheme"):
        jnn.grad(X, X, "automatic_differentiation:fwd-over-rev")
    with pytest.raises(TypeError, match="with respect to a Variable"):
        jnn.grad(X**2, X * 2)
    with pytest.raises(ValueError, match="at least one"):
        jnn.grad(X, [])
    with pytest.raises(ValueError, match="at least one variable"):
        jnn.divergence([], [])


def test_divergence():
    expected = 2 * COLUMN["x"] * COLUMN["y"] + 1
    field = [X**2 * Y, Y]
    np.testing.assert_allclose(value(jnn.divergence(field, [X, Y])), expected)
    np.testing.assert_allclose(value(jnn.div(jnn.vector(field), [X, Y])), expected)
    with pytest.raises(ValueError, match=r"2 component\(s\) but 3 variable\(s\)"):
        jnn.divergence(field, [X, Y, Z])
    with pytest.raises(ValueError, match="vector with 3 components"):
        value(jnn.divergence(jnn.vector(field), [X, Y, Z]))
    with pytest.raises(TypeError, match="must be a list of components"):
        jnn.divergence("field", [X, Y])
    with pytest.raises(TypeError, match="1-D array"):
        jnn.divergence(np.eye(2), [X, Y])
    assert jnn.divergence([X], X, scheme="finite_difference").scheme == "finite_difference"


def test_curls():
    x, y, z = (COLUMN[name] for name in "xyz")
    np.testing.assert_allclose(value(jnn.curl_2d(-(Y**2), X**2, X, Y)), 2 * x + 2 * y)
    curl = value(jnn.curl_3d(Y * Z, X * Z**2, X**2 * Y, X, Y, Z))
    np.testing.assert_allclose(curl, np.hstack([x**2 - 2 * x * z, y - 2 * x * y, z**2 - z]))
    assert value(jnn.divergence(jnn.curl_3d(Y * Z, X * Z**2, X**2 * Y, X, Y, Z), [X, Y, Z])) == pytest.approx(0.0)


def test_symmetric_gradient():
    x, y = COLUMN["x"], COLUMN["y"]
    u, v = X**2 * Y, X * Y**3
    shear = (x**2 + y**3) / 2
    expected = np.hstack([2 * x * y, shear, shear, 3 * x * y**2]).reshape(N, 2, 2)
    np.testing.assert_allclose(value(jnn.symgrad([u, v], [X, Y])), expected)
    np.testing.assert_allclose(value(jnn.symgrad(jnn.vector(u, v), [X, Y])), expected)
    np.testing.assert_allclose(value(jnn.symgrad(X**2, [X])), 2 * x)
    with pytest.raises(ValueError, match="as many components as variables"):
        value(jnn.symgrad(u, [X, Y]))
    with pytest.raises(ValueError, match="one for each"):
        jnn.symgrad([u, v, u], [X, Y])


def test_integrals():
    assert isinstance(jnn.integrate(X**2), Integral)
    assert jnn.integrate(X * Y, X).integration_var is X
    assert isinstance(jnn.integrate(T * X, T), IntegralTime)


def test_function_wraps_any_callable():
    node = jnn.function(lambda a, b: a**2 + b, [X, 1.0], name="my_op", reduces_axis=0)
    assert (node.title, node.reduces_axis, node.align) == ("my_op", 0, None)
    np.testing.assert_allclose(value(node), COLUMN["x"] ** 2 + 1)
    with pytest.raises(TypeError, match="as a list"):
        jnn.function(jnp.sin, X)


def test_tracker():
    node = jnn.tracker(X**2, interval=5, reduce=np.max)
    assert isinstance(node, Tracker)
    assert (node.interval, node.reduce) == (5, np.max)
    with pytest.raises(ValueError, match="integer of at least 1"):
        jnn.tracker(X, interval=0)


def test_networks_and_parameters():
    assert jnn.nn is jno.nn
    k = jnn.parameter((2,), name="k").optimizer(optax.adam(1e-2))
    np.testing.assert_array_equal(value(k), np.zeros((2, 1)))


def test_nothing_accepts_a_network_that_was_not_called():
    model = jnn.parameter(()).model
    with pytest.raises(TypeError, match="must be called first"):
        jnn.sin(model)


# -- view factors ----
def enclosure():
    """Points on all sides of a unit square, their coordinate, and their view factors inside it."""
    domain = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)], name="gas")
    x, _, _, _, _, factors = domain.variable(
        "boundary", (12, "equispaced"), normals=True, reverse_normals=True, view_factor=True, split=True
    )
    return x, factors, np.asarray(domain.context[factors.tag][0]), domain.context["boundary"][0, 0, :, :1]


def test_view_factors_are_an_operator():
    x, factors, matrix, column = enclosure()
    operator = jno.np.view_factor(factors)
    for irradiation in (operator @ x, operator.apply(x)):
        np.testing.assert_allclose(irradiation.eval()[0], matrix @ column, atol=1e-12)
    np.testing.assert_allclose((operator @ x[..., 0]).eval()[0], matrix @ column[:, 0], atol=1e-12)
    np.testing.assert_allclose((operator @ 2.0).eval()[0], np.full((12, 1), 2.0), atol=1e-12)  # closed


@pytest.mark.parametrize("kind", ["number", "column", "row", "expression"])
def test_radiosity_solves_its_equation(kind):
    x, factors, matrix, column = enclosure()
    share = np.linspace(0.1, 0.9, 12)
    alpha = {"number": 0.3, "column": share[:, None], "row": share, "expression": 0.5 * x + 0.1}[kind]
    alphas = {"number": 0.3, "expression": 0.5 * column + 0.1}.get(kind, share[:, None])
    solution = jno.np.view_factor(factors).solve(x + 1.0, alpha).eval()[0]
    np.testing.assert_allclose(solution - alphas * (matrix @ solution), column + 1.0, atol=1e-12)


def test_an_isothermal_enclosure_is_black():
    """Whatever their emissivity, walls of one temperature send out what black ones do."""
    x, factors, _, _ = enclosure()
    emissivity = 0.2 + 0.5 * x
    radiosity = jno.np.view_factor(factors).solve(emissivity, 1 - emissivity).eval()
    np.testing.assert_allclose(radiosity, np.ones((1, 12, 1)), atol=1e-12)


def test_view_factors_between_two_tags():
    domain = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)], name="gas")
    for side, count in (("left", 3), ("right", 5)):
        domain.variable(side, (count, "equispaced"), normals=True)
    factors = domain.compute_enclosure_view_factor(["left", "right"])
    across = jno.np.view_factor(factors[0][1])
    # from one side of a square to the other one: sqrt(2) - 1 (crossed strings)
    assert float((across @ 1.0).eval().mean()) == pytest.approx(np.sqrt(2) - 1, abs=1e-12)
    with pytest.raises(ValueError, match=r"x must have one row for each of the 5 points"):
        (across @ np.ones((3, 1))).eval()
    with pytest.raises(ValueError, match=r"factors of points with themselves, \(N, N\); F has shape \(3, 5\)"):
        across.solve(1.0, 0.5).eval()
    with pytest.raises(ValueError, match=r"alpha must be one number or one for each of the 3 points; got shape \(2,\)"):
        jno.np.view_factor(factors[0][0]).solve(1.0, np.ones(2)).eval()
    with pytest.raises(TypeError, match=r"one entry F\[a\]\[b\] of what compute_enclosure_view_factor gives"):
        jno.np.view_factor(factors)


def test_tests_of_finiteness():
    values = COLUMN["x"].copy()
    values[1], values[3] = np.nan, -np.inf
    np.testing.assert_array_equal(value(jnn.isfinite(X * values))[:, 0], ~np.isin(np.arange(N), (1, 3)))
    np.testing.assert_array_equal(value(jnn.isnan(X * values))[:, 0], np.arange(N) == 1)
