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
