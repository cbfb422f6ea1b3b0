"""Scalar products at points, comparisons and logic, and division by zero: values, derivatives and what is refused."""

import numpy as np
import pytest
from helpers import coordinates, evaluate

import jno


@pytest.fixture
def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    return x, coordinates(domain, "interior")[0][:, None]


def matrix_of(x):
    return jno.np.einsum("ni,nj->nij", jno.np.vector(x, x**2), jno.np.vector(x, 2.0))


CONTRACTIONS = {
    "inner": (lambda x: jno.np.inner(jno.np.vector(x, x**2), jno.np.vector(2 * x, x)), lambda p: 2 * p**2 + p**3),
    "inner with a row": (lambda x: jno.np.inner(jno.np.vector(x, x**2), np.array([3.0, 1.0])), lambda p: 3 * p + p**2),
    "inner of two axes": (lambda x: jno.np.inner(matrix_of(x), matrix_of(x), n_contract=2), None),
    "double_dot": (lambda x: jno.np.double_dot(matrix_of(x), matrix_of(x)), None),
    "cosine_similarity": (
        lambda x: jno.fn.cosine_similarity(jno.np.vector(x + 1, 0 * x + 1), np.array([1.0, 0.0])),
        lambda p: (p + 1) / np.sqrt((p + 1) ** 2 + 1),
    ),
}


def _square_of_matrix(p):
    return p**4 + 4 * p**2 + p**6 + 4 * p**4


@pytest.mark.parametrize("name", CONTRACTIONS)
def test_contractions_keep_the_points(line, name):
    """``(N,)`` acts as ``(N, 1)``: in arithmetic, next to vectors, and in derivatives."""
    x, p = line
    build, exact = CONTRACTIONS[name]
    exact = exact or _square_of_matrix
    node = build(x)
    value, product, difference, scaled, slope = evaluate(
        [node, node * x, node - x, jno.np.vector(x, 1.0) * node, node.d(x)]
    )
    assert value.shape == (1, 5)
    np.testing.assert_allclose(product[0], exact(p) * p, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(difference[0], exact(p) - p, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scaled[0], exact(p) * np.hstack([p, np.ones_like(p)]), rtol=1e-5, atol=1e-6)
    step = 1e-6
    np.testing.assert_allclose(slope[0], ((exact(p + step) - exact(p - step)) / (2 * step))[:, 0], rtol=1e-4, atol=1e-5)


def test_a_contraction_of_the_points_themselves_is_one_number(line):
    x, _ = line
    u = x[..., 0]
    assert evaluate(jno.np.inner(u, u)).shape == (1,)
    with pytest.raises(ValueError, match="does not run over the points it is differentiated at"):
        jno.core([jno.np.inner(u, u).d(x)])


def test_a_sum_over_the_points_counted_from_the_end_is_no_field():
    """As many components as points: the sum over the points must not pass for values at them."""
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    total = jno.np.sum(jno.np.vector(x, 2 * x, x**2), axis=-2)
    np.testing.assert_allclose(evaluate(total), [[1.5, 3.0, 1.25]], rtol=1e-6)
    with pytest.raises(ValueError, match="a row of 3 entries meets 3 points"):
        jno.core([total * x])


# --- dot ------------------------------------------------------------------------------------------------------
@pytest.fixture
def square():
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior")
    return x, y, np.stack(coordinates(domain, "interior"), axis=1)


def test_dot_of_fields_is_taken_at_each_point(square):
    x, y, p = square
    u = x**2 * y
    gradient = np.stack([2 * p[:, 0] * p[:, 1], p[:, 0] ** 2], axis=1)
    wind = jno.np.vector(y, 1.0)
    along = jno.np.dot(u.grad(x, y), wind)
    expected = gradient[:, 0] * p[:, 1] + gradient[:, 1]
    data = x.domain.variable("wind", np.stack([p[:, 1], np.ones(25)], axis=1)[None, None])
    matrix = np.arange(6.0).reshape(3, 2)
    hessian = u.hessian(x, y)
    second = np.stack([np.stack([2 * p[:, 1], 2 * p[:, 0]], 1), np.stack([2 * p[:, 0], 0 * p[:, 0]], 1)], axis=1)
    values = evaluate(
        [
            along,
            along * x,
            along.d(x),
            jno.np.dot(u.grad(x, y), data),
            jno.np.dot(u.grad(x, y), np.array([2.0, 3.0])),
            jno.np.dot(np.array([2.0, 3.0]), u.grad(x, y)),
            jno.np.dot(matrix, u.grad(x, y)),
            jno.np.dot(u.grad(x, y), matrix.T),
            jno.np.dot(hessian, wind),
            jno.np.dot(hessian, hessian),
        ]
    )
    row = gradient @ [2.0, 3.0]
    at_points = np.stack([p[:, 1], np.ones(25)], axis=1)
    exact = [
        expected,
        (expected * p[:, 0])[:, None],
        2 * p[:, 1] ** 2 + 2 * p[:, 0],
        expected,
        row,
        row,
        gradient @ matrix.T,
        gradient @ matrix.T,
        np.einsum("nij,nj->ni", second, at_points),
        second @ second,
    ]
    for value, wanted in zip(values, exact, strict=True):
        assert value[0].shape == wanted.shape
        np.testing.assert_allclose(value[0], wanted, rtol=1e-5, atol=1e-5)


def test_products_that_do_not_fit_are_refused_by_name(square):
    x, y, _ = square
    u = x * y
    three = jno.np.vector(x, y, 1.0)
    for product in (jno.np.dot(u.grad(x, y), three), jno.np.dot(u.grad(x, y), np.ones((3, 3)))):
        with pytest.raises(ValueError, match=r"dot.*grad \(25, 2\).*sizes of the operands do not fit.*jno\.np\.inner"):
            jno.core([product])
    with pytest.raises(ValueError, match=r"matmul: shapes \(25, 2\) and \(25, 2\) do not fit.*jno\.np\.dot"):
        jno.core([jno.np.matmul(u.grad(x, y), jno.np.vector(x, y))])


def test_matrix_that_fits_components_and_points_is_refused():
    domain = jno.domain.line(mesh_size=1.0)
    x, _ = domain.variable("interior")
    with pytest.raises(ValueError, match=r"fits the components and the points.*jno\.np\.einsum"):
        jno.core([jno.np.dot(np.eye(2), jno.np.vector(x, 1.0))])


# --- division by zero -----------------------------------------------------------------------------------------
def test_quotients_with_a_literal_zero_are_ieee(line):
    """Without a warning of NumPy (tests run with warnings as errors), and with the derivative of plain JAX."""
    x, p = line
    with np.errstate(all="ignore"):
        quotient = p / 0.0
    value, slope = evaluate([x / 0, (x / 0).d(x)])
    np.testing.assert_array_equal(value[0], quotient)
    np.testing.assert_array_equal(slope[0], np.full((5, 1), np.inf))
    for undefined in evaluate([(x * 0 / 0).d(x), (1 / (0 * x)).d(x)]):
        assert np.isnan(undefined).all()
