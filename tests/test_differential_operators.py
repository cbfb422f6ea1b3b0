"""Mesh derivatives: formulas, exactness, orientation, scale, symmetry, transformations, errors.

Convergence orders are in test_differential_operators_convergence.py.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from meshes import box

from jno.differential_operators import (
    DifferentialOperators,
    _consistency,
    gradient_stencil,
    hessian_stencil,
    laplacian_stencil,
)
from jno.differential_operators._consistency import averaging_matrix
from jno.differential_operators._gradient import ELEMENT_WEIGHTS, gradient_matrices
from jno.differential_operators._laplacian import LAPLACIANS as PLAIN_LAPLACIANS
from jno.differential_operators._simplices import build_simplices

METHODS = ["area_weighted", "uniform", "inverse_distance", "least_squares"]
LAPLACIANS = ["gradient_of_gradient", "cotangent", "lsq_of_gradient"]
FULL_2D = [(0, 0, 0, 0), (0, 0, 1, 1), (1, 1, 0, 0), (1, 1, 1, 1)]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# ---- meshes
def depth(n, dimension):
    """Distance of every node of `box` from the boundary, in cells."""
    points, _ = box(n, dimension)
    return np.rint(np.minimum(points, 1 - points).min(axis=1) * n).astype(int)


def jittered(n, amplitude, dimension=2):
    """`box` with its interior nodes moved at random by up to `amplitude`."""
    points, elements = box(n, dimension)
    interior = depth(n, dimension) > 0
    noise = np.random.default_rng(0).uniform(-amplitude, amplitude, (interior.sum(), dimension))
    points[interior] += noise
    return points, elements


def lattice(angle, n=5):
    """Congruent triangles with one angle `angle`; point-symmetric around interior nodes."""
    points, elements = box(n, 2)
    shear = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    return points @ shear, elements


def plain_gradients(points, elements, u, method):
    """The formula of a method before its correction, (N, D)."""
    matrices = gradient_matrices(build_simplices(points, elements), method)
    return np.stack([matrix @ u for matrix in matrices], axis=1)


def times(stencil, u):
    """The value of a stencil by NumPy."""
    return np.bincount(stencil.row, stencil.value * (u[stencil.col] - u[stencil.row]), stencil.n)


# ---- gradients
@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_gradient_is_exact_for_affine_fields_at_all_nodes(dimension, method):
    points, elements = jittered(4, 0.05, dimension)
    slopes = np.array([2.0, -3.0, 0.5])[:dimension]
    u = 1.0 + points @ slopes
    for dim in range(dimension):
        gradient = gradient_stencil(points, elements, dim, method).apply(u)
        np.testing.assert_allclose(gradient, slopes[dim], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_gradient_does_not_depend_on_orientation(dimension, method):
    points, elements = jittered(3, 0.05, dimension)
    mixed = elements.copy()
    mixed[::2, :2] = mixed[::2, 1::-1]
    u = np.sin(points.sum(axis=1))
    expected = gradient_stencil(points, elements, 0, method).apply(u)
    np.testing.assert_allclose(gradient_stencil(points, mixed, 0, method).apply(u), expected, atol=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", [1e-7, 1e6, (1e-5, 1.0, 30.0)])
def test_gradient_is_exact_on_tiny_huge_and_anisotropic_meshes(dimension, method, scale):
    factors = np.broadcast_to(scale, 3)[:dimension]
    points, elements = jittered(3, 0.05, dimension)
    points = points * factors
    slopes = np.arange(1, dimension + 1) / factors
    u = points @ slopes
    for dim in range(dimension):
        gradient = gradient_stencil(points, elements, dim, method).apply(u)
        np.testing.assert_allclose(gradient, slopes[dim], rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_gradient_ignores_degenerate_elements(method):
    points, elements = box(3, 2)
    u = points @ np.array([2.0, 1.0]) + np.sin(points[:, 0] * points[:, 1])
    flat = np.array([[0, 1, 2], [5, 5, 6], [0, 5, 10]])
    expected = gradient_stencil(points, elements, 0, method).apply(u)
    polluted = gradient_stencil(points, np.concatenate([elements, flat]), 0, method).apply(u)
    np.testing.assert_allclose(polluted, expected, rtol=1e-13)


def test_degenerate_elements_are_recognised_at_the_precision_of_the_points():
    points = np.array([[0.1, 0.3], [0.2, 0.6], [0.3, 0.9], [1.0, 0.0]], dtype=np.float32)
    u = points[:, 0] + np.array([0.0, 1e-7, 0.0, 0.0])
    gradient = gradient_stencil(points, np.array([[0, 1, 2], [0, 3, 1]]), 0, "uniform").apply(u)
    assert abs(float(gradient[0]) - 1.0) < 1e-5
    assert float(gradient[2]) == 0.0


def test_nodes_without_elements_get_zero():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    for method in METHODS:
        gradient = gradient_stencil(points, np.array([[0, 1, 2]]), 0, method).apply(points[:, 0])
        np.testing.assert_allclose(gradient, [1.0, 1.0, 1.0, 0.0], rtol=1e-14)
    for method in LAPLACIANS:
        stencil = laplacian_stencil(points, np.array([[0, 1, 2]]), (0, 1), method)
        assert float(stencil.apply(points[:, 0] ** 2)[3]) == 0.0


def element_gradients(points, elements, u):
    """P1 gradients by solving for the coefficients of 1, x, y, …, one element at a time."""
    ones = np.ones(elements.shape[1])
    return np.array([np.linalg.solve(np.column_stack([ones, points[e]]), u[e])[1:] for e in elements])


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS[:3])
def test_weighted_gradients_match_a_loop_over_nodes(dimension, method):
    points, elements = jittered(3, 0.08, dimension)
    u = np.exp(points[:, 0]) * np.cos(points.sum(axis=1))
    gradients = element_gradients(points, elements, u)
    vertices = points[elements]
    centroid = vertices.mean(axis=1, keepdims=True)
    weights = {
        "area_weighted": np.abs(np.linalg.det(vertices[:, 1:] - vertices[:, :1])),
        "uniform": np.ones(len(elements)),
        "inverse_distance": 1 / np.linalg.norm(vertices - centroid, axis=2).mean(axis=1),
    }[method]
    incident = [(elements == node).any(axis=1) for node in range(len(points))]
    expected = np.array([np.average(gradients[own], axis=0, weights=weights[own]) for own in incident])
    np.testing.assert_allclose(plain_gradients(points, elements, u, method), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dimension", [2, 3])
def test_least_squares_matches_lstsq_per_node(dimension):
    points, elements = jittered(4, 0.04, dimension)
    u = np.exp(points[:, 0]) * np.cos(points.sum(axis=1))
    vertices = points[elements]
    measures = np.abs(np.linalg.det(vertices[:, 1:] - vertices[:, :1]))
    result = plain_gradients(points, elements, u, "least_squares")
    for node in np.flatnonzero(depth(4, dimension) > 0):
        own = (elements == node).any(axis=1)
        weight = np.sqrt(measures[own])
        directions = vertices[own].mean(axis=1) - points[node]
        expected = np.linalg.lstsq(
            weight[:, None] * directions, weight * (u[elements[own]].mean(axis=1) - u[node]), rcond=None
        )[0]
        np.testing.assert_allclose(result[node], expected, rtol=1e-9)


def test_least_squares_falls_back_to_the_element_gradient():
    points, elements = box(3, 2)
    u = np.sin(3 * points[:, 0]) + points[:, 1] ** 2
    incident = np.bincount(elements.ravel())
    corners = np.flatnonzero(incident == 1)
    assert len(corners) == 2
    plain = plain_gradients(points, elements, u, "least_squares")
    for corner in corners:
        element = elements[(elements == corner).any(axis=1)]
        np.testing.assert_allclose(plain[corner], element_gradients(points, element, u)[0], rtol=1e-13)


def test_least_squares_on_a_single_triangle_is_its_gradient():
    points, triangle = np.array([[0.0, 0.0], [1.0, 0.2], [0.3, 1.0]]), np.array([[0, 1, 2]])
    u = np.array([1.0, -2.0, 0.5])
    for dim in (0, 1):
        result = DifferentialOperators.compute_gradient_2d_lsq(u, points, triangle, dim)
        np.testing.assert_allclose(result, element_gradients(points, triangle, u)[0, dim], rtol=1e-13)
    points, elements = jittered(4, 0.05)
    u = np.sin(3 * points[:, 0]) * points[:, 1]
    named = DifferentialOperators.compute_gradient_2d_lsq(u, points, elements, 1)
    np.testing.assert_array_equal(named, gradient_stencil(points, elements, 1, "least_squares").apply(u))


def test_1d_methods_share_the_three_point_formula():
    x = np.array([0.0, 0.1, 0.5, 0.6, 1.0])
    lines = np.array([[0, 1], [2, 1], [2, 3], [3, 4]])
    run = DifferentialOperators.compute_fd_gradient_1d_simple
    left, right = (0.5**3 - 0.1**3) / 0.4, (0.6**3 - 0.5**3) / 0.1
    for method in METHODS:
        result = run(x**3, x[:, None], lines, method)
        np.testing.assert_allclose(result[2], (0.1 * left + 0.4 * right) / 0.5, rtol=1e-12)
        np.testing.assert_allclose(run(x**2, x, lines, method), 2 * x, atol=1e-14)
    np.testing.assert_array_equal(run(x**3, x, lines, "least_squares"), run(x**3, x, lines, "area_weighted"))
    np.testing.assert_allclose(plain_gradients(x, lines, x**3, "least_squares")[2], (0.6**3 - 0.1**3) / 0.5)


# ---- corrections
@pytest.mark.parametrize("method", METHODS)
def test_the_corrected_gradient_is_the_nearest_row_that_is_exact_for_quadratics(method):
    points, elements = jittered(5, 0.04)
    mesh = build_simplices(points, elements)
    plain = gradient_matrices(mesh, method)[0].toarray()
    share = averaging_matrix(mesh, ELEMENT_WEIGHTS[method](mesh)).toarray()
    stencil = gradient_stencil(points, elements, 0, method)
    for node in np.flatnonzero(depth(5, 2) > 0):
        ring = np.flatnonzero((share[node] > 0) & (np.arange(len(points)) != node))
        x, y = (points[ring] - points[node]).T
        moments = np.stack([x, y, x * x, x * y, y * y])
        missing = np.array([1.0, 0, 0, 0, 0]) - moments @ plain[node, ring]
        root = np.sqrt(share[node, ring])
        # the least-norm solution of an underdetermined system
        correction = root * np.linalg.lstsq(moments * root, missing, rcond=None)[0]
        own = stencil.row == node
        np.testing.assert_array_equal(stencil.col[own], ring)
        np.testing.assert_allclose(stencil.value[own], plain[node, ring] + correction, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_rows_that_are_exact_already_are_not_touched(dimension, method):
    points, elements = box(6, dimension)
    mesh = build_simplices(points, elements)
    u = np.exp(points.sum(axis=1))
    plain = gradient_matrices(mesh, method)[0]
    gradient = gradient_stencil(points, elements, 0, method).apply(u)
    inner = depth(6, dimension) >= 1
    np.testing.assert_allclose(gradient[inner], (plain @ u)[inner], rtol=1e-12)
    twice = laplacian_stencil(points, elements, (0,), "gradient_of_gradient", method).apply(u)
    deep = depth(6, dimension) >= 2
    np.testing.assert_allclose(twice[deep], (plain @ (plain @ u))[deep], rtol=1e-11)


@pytest.mark.parametrize("amplitude", [1e-3, 1e-5])
def test_rows_that_are_almost_exact_are_corrected(amplitude):
    """Next to a symmetric mesh the formula is off by little, but not by rounding."""
    points, elements = jittered(6, amplitude / 6)
    x, y = points.T
    u = x**2 + 3 * x * y - 2 * y**2
    for values, exact in (
        (gradient_stencil(points, elements, 0), 2 * x + 3 * y),
        (gradient_stencil(points, elements, 1, "least_squares"), 3 * x - 4 * y),
        (laplacian_stencil(points, elements, (0, 1)), -2.0),
        (laplacian_stencil(points, elements, (1,), "cotangent"), -4.0),
    ):
        np.testing.assert_allclose(times(values, u), np.broadcast_to(exact, u.shape), rtol=0, atol=1e-10)


def test_batches_of_patches_give_the_same_rows(monkeypatch):
    """Large meshes are corrected batch by batch, and every node has all attempts."""
    points, elements = jittered(4, 0.05)

    def values():
        first, second = gradient_stencil(points, elements, 0), laplacian_stencil(points, elements, (0, 1))
        return times(first, u), times(second, u)

    u = np.exp(points[:, 0]) * np.cos(points.sum(axis=1))
    whole = values()
    monkeypatch.setattr(_consistency, "CHUNK", 1)
    for value, expected in zip(values(), whole, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9)


def test_averages_of_element_means():
    points, elements = jittered(4, 0.05)
    weights = np.random.default_rng(2).uniform(1.0, 2.0, len(elements))
    u = np.sin(3 * points[:, 0]) * points[:, 1]
    incident = [(elements == node).any(axis=1) for node in range(len(points))]
    expected = [np.average(u[elements[own]].mean(axis=1), weights=weights[own]) for own in incident]
    matrix = averaging_matrix(build_simplices(points, elements), weights)
    np.testing.assert_allclose(matrix @ u, expected, rtol=1e-13)


def test_meshes_without_usable_elements_give_zero():
    points, flat = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]), np.array([[0, 1, 2]])
    assert not np.any(gradient_stencil(points, flat, 0).apply(points[:, 0]))
    assert not np.any(laplacian_stencil(points, flat, (0, 1)).apply(points[:, 0] ** 2))


def test_reversed_and_tiny_1d_meshes():
    x = np.linspace(1.0, 0.0, 6) * 1e-9
    lines = np.stack([np.arange(5), np.arange(1, 6)], axis=1)
    for method in METHODS:
        gradient = DifferentialOperators.compute_fd_gradient_1d_simple(4 * x, x, lines, method)
        np.testing.assert_allclose(gradient, 4.0, rtol=1e-12)


# ---- second order
@pytest.mark.parametrize("method", LAPLACIANS)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_laplacian_of_constants_is_exactly_zero_and_of_affine_fields_zero(dimension, method):
    points, elements = jittered(4, 0.05, dimension)
    stencil = laplacian_stencil(points, elements, tuple(range(dimension)), method)
    for dtype in (np.float32, np.float64):
        assert not np.any(stencil.apply(np.full(len(points), 0.1, dtype)))
    np.testing.assert_allclose(stencil.apply(points @ np.ones(dimension)), 0.0, atol=1e-11)


@pytest.mark.parametrize("method", LAPLACIANS)
@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_laplacian_is_exact_for_quadratics_on_a_lattice(dimension, method, scale):
    points, elements = box(6, dimension)
    points = points * scale
    factors = np.array([1.0, 2.0, 3.0])[:dimension]
    u = (points / scale) ** 2 @ factors
    whole = laplacian_stencil(points, elements, tuple(range(dimension)), method).apply(u)
    np.testing.assert_allclose(whole * scale**2, 2 * factors.sum(), rtol=1e-9)
    parts = [laplacian_stencil(points, elements, (d,), method).apply(u) for d in range(dimension)]
    np.testing.assert_allclose(sum(parts), whole, atol=1e-9 * np.abs(whole).max())
    np.testing.assert_allclose(parts[0] * scale**2, 2.0, rtol=1e-9)


@pytest.mark.parametrize("degrees", [60, 90, 120, 150, 20])
def test_cotangent_laplacian_of_the_squared_radius_is_four_on_acute_and_obtuse_meshes(degrees):
    points, elements = lattice(np.deg2rad(degrees))
    laplacian = DifferentialOperators.compute_laplacian_2d_cotangent((points**2).sum(axis=1), points, elements)
    np.testing.assert_allclose(laplacian, 4.0, rtol=1e-10)
    named = DifferentialOperators.compute_fd_laplacian_2d_simple(
        (points**2).sum(axis=1), points, elements, (0, 1), "cotangent"
    )
    np.testing.assert_array_equal(named, laplacian)


def test_cotangent_laplacian_matches_cotangents_of_angles_at_interior_nodes():
    points, elements = jittered(5, 0.08)
    u = np.sin(3 * points[:, 0]) * points[:, 1]
    total, area = np.zeros(len(points)), np.zeros(len(points))
    for triangle in elements:
        for k in range(3):
            a, b, c = np.roll(triangle, k)
            first, second = points[a] - points[c], points[b] - points[c]
            double_area = abs(first[0] * second[1] - first[1] * second[0])
            cotangent = first @ second / double_area
            total[a] += 0.5 * cotangent * (u[b] - u[a])
            total[b] += 0.5 * cotangent * (u[a] - u[b])
            area[c] += double_area / 6
    interior = depth(5, 2) > 0
    build, _ = PLAIN_LAPLACIANS["cotangent"]
    laplacian = build(build_simplices(points, elements), (0, 1), "area_weighted") @ u
    np.testing.assert_allclose(laplacian[interior], (total / area)[interior], rtol=1e-10)
    parts = [build(build_simplices(points, elements), (axis,), "area_weighted") @ u for axis in range(2)]
    np.testing.assert_allclose(parts[0] + parts[1], laplacian, rtol=1e-9, atol=1e-9)
    assert np.abs(parts[0] - parts[1]).max() > 1


def test_cotangent_keeps_the_formula_on_a_mesh_without_interior_nodes():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    elements = np.array([[0, 1, 2], [0, 2, 3]])
    laplacian = DifferentialOperators.compute_laplacian_2d_cotangent(points[:, 0], points, elements)
    np.testing.assert_allclose(laplacian * np.array([1 / 3, 1 / 6, 1 / 3, 1 / 6]), [0.5, -0.5, -0.5, 0.5], rtol=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_hessian_is_symmetric_and_exact_for_quadratics(dimension, method):
    points, elements = box(6, dimension)
    wanted = np.array([[2.0, 5.0, -1.0], [5.0, -3.0, 0.5], [-1.0, 0.5, 4.0]])[:dimension, :dimension]
    u = 0.5 * np.einsum("ni,ij,nj->n", points, wanted, points)
    var_dims = [(i, i, j, j) for i in range(dimension) for j in range(dimension)]
    hessian = hessian_stencil(points, elements, var_dims, method).apply(u)
    np.testing.assert_array_equal(hessian, jnp.swapaxes(hessian, 1, 2))
    np.testing.assert_allclose(hessian, np.broadcast_to(wanted, hessian.shape), atol=1e-9)


def test_hessian_honours_var_dims():
    points, elements = jittered(5, 0.03)
    u = np.sin(points[:, 0]) * np.cos(2 * points[:, 1])
    run = DifferentialOperators.compute_fd_hessian_2d_simple
    full = run(u, points, elements, FULL_2D)
    swapped = run(u, points, elements, [(0, 1, 0, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 1, 0)])
    np.testing.assert_array_equal(swapped, full[:, ::-1, ::-1])
    np.testing.assert_array_equal(run(u, points, elements, [(0, 1, 0, 1)])[:, 0, 0], full[:, 1, 1])
    np.testing.assert_array_equal(run(u, points, elements, FULL_2D[::-1]), full)


def test_1d_operators_agree_with_each_other():
    points, lines = jittered(12, 0.02, 1)
    u = np.sin(3 * points[:, 0])
    hessian = DifferentialOperators.compute_fd_hessian_1d_simple(u, points, lines)
    assert hessian.shape == (13, 1, 1)
    np.testing.assert_array_equal(
        hessian[:, 0, 0], DifferentialOperators.compute_fd_laplacian_1d_simple(u, points, lines)
    )


def test_3d_static_methods_agree_with_the_stencils():
    points, tetrahedra = jittered(3, 0.05, 3)
    u = np.sin(points.sum(axis=1))
    operators = DifferentialOperators
    for method in METHODS:
        np.testing.assert_array_equal(
            operators.compute_fd_gradient_3d_simple(u, points, tetrahedra, 2, method),
            gradient_stencil(points, tetrahedra, 2, method).apply(u),
        )
    np.testing.assert_array_equal(
        operators.compute_gradient_3d_lsq(u, points, tetrahedra, 1),
        operators.compute_fd_gradient_3d_simple(u, points, tetrahedra, 1, "least_squares"),
    )
    var_dims = [(i, i, j, j) for i in range(3) for j in range(3)]
    hessian = operators.compute_fd_hessian_3d_simple(u, points, tetrahedra, var_dims)
    laplacian = operators.compute_fd_laplacian_3d_simple(u, points, tetrahedra, (0, 1, 2))
    np.testing.assert_allclose(jnp.trace(hessian, axis1=1, axis2=2), laplacian, rtol=1e-9, atol=1e-10)
    least_squares = operators.compute_fd_laplacian_3d_simple(u, points, tetrahedra, (0, 1, 2), "lsq_of_gradient")
    hessian = hessian_stencil(points, tetrahedra, var_dims, "least_squares").apply(u)
    np.testing.assert_allclose(jnp.trace(hessian, axis1=1, axis2=2), least_squares, rtol=1e-9, atol=1e-10)


# ---- transformations
def test_jit_grad_vmap_and_channels():
    points, elements = jittered(4, 0.03)
    u = jnp.asarray(np.sin(points[:, 0]) * points[:, 1])
    run = DifferentialOperators.compute_fd_laplacian_2d_simple
    eager = run(u, points, elements, (0, 1))
    jax_points, jax_elements = jnp.asarray(points), jnp.asarray(elements)
    jitted = jax.jit(lambda v: run(v, jax_points, jax_elements, (0, 1)))
    np.testing.assert_allclose(jitted(u), eager, rtol=1e-10, atol=1e-9)
    stencil = laplacian_stencil(points, elements, (0, 1))
    channels = stencil.apply(jnp.stack([u, -2 * u], axis=1))
    np.testing.assert_allclose(channels, jnp.stack([eager, -2 * eager], axis=1), rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(stencil.apply)(jnp.stack([u, -2 * u])), channels.T, rtol=1e-12)
    # linear: the gradient of |Lu|²/2 is Lᵀ L u, whose product with u is |Lu|²
    gradient = jax.jit(jax.grad(lambda v: 0.5 * jnp.sum(stencil.apply(v) ** 2)))(u)
    np.testing.assert_allclose(gradient @ u, jnp.sum(eager**2), rtol=1e-10)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_table_and_the_list_hold_the_same_operator(dimension):
    """Wide tables are summed by a loop; rows longer than the table keep a rest in the list."""
    points, elements = jittered(5, 0.03, dimension)
    stencil = laplacian_stencil(points, elements, tuple(range(dimension)))
    assert stencil.table is not None
    assert stencil.table.overflow.size > 0
    assert (len(stencil.table.col) > 32) == (dimension == 3)
    u = jnp.asarray(np.sin(points @ np.arange(1, dimension + 1)))
    listed = replace(stencil, table=None)
    np.testing.assert_allclose(jax.jit(stencil.apply)(u), listed.apply(u), rtol=1e-10, atol=1e-10)
    dense = np.zeros((stencil.n, stencil.n))
    dense[stencil.row, stencil.col] = stencil.value
    dense -= np.diag(dense.sum(axis=1))
    np.testing.assert_allclose(jax.jacfwd(stencil.apply)(u), dense, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(jax.jacrev(stencil.apply)(u), dense, rtol=1e-9, atol=1e-8)
    curvature = jax.jvp(jax.grad(lambda v: 0.5 * jnp.sum(stencil.apply(v) ** 2)), (u,), (u,))[1]
    np.testing.assert_allclose(curvature, dense.T @ (dense @ u), rtol=1e-8, atol=1e-6)


def test_hessian_under_jit_and_stencils_as_jit_arguments():
    points, elements = jittered(4, 0.03)
    u = jnp.asarray(np.sin(points[:, 0]) * points[:, 1])
    run = DifferentialOperators.compute_fd_hessian_2d_simple
    jitted = jax.jit(lambda v: run(v, points, elements, FULL_2D))(u)
    stencil = hessian_stencil(points, elements, FULL_2D)
    np.testing.assert_allclose(jitted, stencil.apply(u), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(jax.jit(stencil.apply)(u), jitted, rtol=1e-12, atol=1e-12)
    as_argument = jax.jit(lambda s, v: s.apply(v))(stencil, u)
    np.testing.assert_allclose(as_argument, jitted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_result_has_the_dtype_of_u(dtype):
    points, elements = box(3, 2)
    u = jnp.asarray(points[:, 0], dtype=dtype)
    run = DifferentialOperators
    assert run.compute_fd_gradient_2d_simple(u, points, elements, 0).dtype == dtype
    assert run.compute_laplacian_2d_cotangent(u, points.astype(np.float32), elements).dtype == dtype
    assert run.compute_fd_hessian_2d_simple(u, points, elements, FULL_2D).dtype == dtype
    integers = run.compute_fd_gradient_2d_simple(jnp.arange(16), points, elements, 1)
    np.testing.assert_allclose(integers, 3.0, rtol=1e-12)


def test_default_precision_takes_float64_arrays():
    points, elements = box(3, 2)
    with jax.enable_x64(False):
        gradient = DifferentialOperators.compute_fd_gradient_2d_simple(3 * points[:, 1], points, elements, 1)
        assert gradient.dtype == jnp.float32
        np.testing.assert_allclose(gradient, 3.0, rtol=1e-6)


def test_single_precision_laplacian_is_accurate_far_from_zero_mean():
    points, elements = box(32, 2)
    u = (1000.0 + (points**2).sum(axis=1)).astype(np.float32)
    laplacian = np.asarray(DifferentialOperators.compute_laplacian_2d_cotangent(u, points, elements))
    exact_input = laplacian_stencil(points, elements, (0, 1), "cotangent").apply(u.astype(np.float64))
    # what remains is the rounding of u itself: the operator adds nothing to it
    np.testing.assert_allclose(laplacian, exact_input, rtol=1e-4, atol=1e-3)


# ---- scheme, errors
@pytest.mark.parametrize(
    ("scheme", "parsed"),
    [
        ("finite_difference", ("finite_difference", "area_weighted", "gradient_of_gradient")),
        ("finite_difference:area_weighted", ("finite_difference", "area_weighted", "gradient_of_gradient")),
        ("finite_difference:lsq", ("finite_difference", "least_squares", "lsq_of_gradient")),
        ("finite_difference:least_squares", ("finite_difference", "least_squares", "lsq_of_gradient")),
        ("finite_difference:cotangent", ("finite_difference", "area_weighted", "cotangent")),
        ("finite_difference:uniform", ("finite_difference", "uniform", "gradient_of_gradient")),
        (
            "finite_difference:inverse_distance",
            ("finite_difference", "inverse_distance", "gradient_of_gradient"),
        ),
        ("automatic_differentiation", ("automatic_differentiation", None, None)),
        ("automatic_differentiation:fwd-over-rev", ("automatic_differentiation", None, None)),
    ],
)
def test_schemes(scheme, parsed):
    assert DifferentialOperators.parse_fd_scheme(scheme) == parsed
    points, elements = box(3, 2)
    if parsed[1] is not None:
        laplacian_stencil(points, elements, (0, 1), parsed[2], parsed[1])


@pytest.mark.parametrize(
    "scheme", ["banana", "finite_difference:foo", "finite_difference:", "", "automatic_differentiation:x"]
)
def test_unknown_schemes_list_the_allowed_ones(scheme):
    with pytest.raises(ValueError, match=f"Unknown scheme '{scheme}'; allowed: .*'finite_difference:cotangent'"):
        DifferentialOperators.parse_fd_scheme(scheme)


def test_unknown_methods_list_the_allowed_ones():
    points, elements = box(2, 2)
    u = points[:, 0]
    operators = DifferentialOperators
    with pytest.raises(ValueError, match="Unknown gradient method 'lsq'; allowed: 'area_weighted', 'uniform'"):
        operators.compute_fd_gradient_2d_simple(u, points, elements, 0, "lsq")
    with pytest.raises(ValueError, match=r"Unknown 2-D Laplacian method 'cot'; allowed: .*'cotangent'"):
        operators.compute_fd_laplacian_2d_simple(u, points, elements, (0, 1), "cot")
    with pytest.raises(ValueError, match="Unknown gradient method of 'cotangent' 'uniform'; allowed: 'area_weighted'"):
        laplacian_stencil(points, elements, (0, 1), "cotangent", "uniform")
    line, lines = box(4, 1)
    with pytest.raises(ValueError, match="Unknown 1-D Laplacian method 'cotangent'; allowed: 'gradient_of_gradient'"):
        operators.compute_fd_laplacian_1d_simple(line[:, 0], line, lines, "cotangent")
    cube, tetrahedra = box(1, 3)
    with pytest.raises(ValueError, match="Unknown 3-D Laplacian method 'cotangent'"):
        operators.compute_fd_laplacian_3d_simple(cube[:, 0], cube, tetrahedra, (0, 1, 2), "cotangent")


def test_axes_are_checked():
    points, elements = box(2, 2)
    u = points[:, 0]
    with pytest.raises(ValueError, match=r"dim = 2 is not an axis of this 2-D mesh; allowed: \[0, 1\]"):
        DifferentialOperators.compute_gradient_2d_lsq(u, points, elements, 2)
    with pytest.raises(ValueError, match="dims = -1 is not an axis"):
        DifferentialOperators.compute_fd_laplacian_2d_simple(u, points, elements, (0, -1))
    for dims in [(), (0, 0)]:
        with pytest.raises(ValueError, match="at least one axis and none twice"):
            DifferentialOperators.compute_fd_laplacian_2d_simple(u, points, elements, dims)
    wrong: list[list] = [[], FULL_2D[:3], FULL_2D[:1] * 4, [(0, 0)]]
    for var_dims in wrong:
        with pytest.raises(ValueError, match="var_dims must hold n² entries"):
            DifferentialOperators.compute_fd_hessian_2d_simple(u, points, elements, var_dims)
    with pytest.raises(ValueError, match="axis in var_dims = 2"):
        DifferentialOperators.compute_fd_hessian_2d_simple(u, points, elements, [(0, 2, 0, 0)])


def test_meshes_are_checked():
    points, elements = box(2, 2)
    u = points[:, 0]
    gradient = DifferentialOperators.compute_fd_gradient_2d_simple
    with pytest.raises(ValueError, match="u has 8 values but the mesh has 9 points"):
        gradient(u[:-1], points, elements, 0)
    with pytest.raises(ValueError, match=r"triangles must have shape \(M, 3\) for a 2-D operator; got \(8, 2\)"):
        gradient(u, points, elements[:, :2], 0)
    with pytest.raises(ValueError, match=r"elements of a 1-D mesh must have shape \(M, 2\); got \(8, 3\)"):
        gradient(u, points[:, :1], elements, 0)
    with pytest.raises(ValueError, match="node indices 0 … 8; got 1 … 9"):
        gradient(u, points, elements + 1, 0)
    with pytest.raises(ValueError, match="points must be finite"):
        gradient(u, points * np.array([np.nan, 1.0]), elements, 0)
    with pytest.raises(TypeError, match=r"points must be a concrete array.*close over the mesh"):
        jax.jit(lambda p: gradient(u, p, elements, 0))(points)
