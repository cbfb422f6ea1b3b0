"""Nodal quadrature weights: exact measures, orientation, embedding, stored values, errors."""

import numpy as np
import pytest

from jno.integration_operators import IntegrationOperators

nodal_volumes = IntegrationOperators.nodal_volumes
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def square(triangles):
    return {"dimension": 2, "points": SQUARE, "triangles": np.array(triangles), "n_points": 4}


def test_1d_weights_are_the_trapezoidal_rule():
    points = np.array([[0.0], [1.0], [3.0], [3.5]])
    mesh = {"dimension": 1, "points": points, "lines": np.array([[0, 1], [2, 1], [2, 3]])}
    np.testing.assert_allclose(nodal_volumes(mesh), [0.5, 1.5, 1.25, 0.25], rtol=1e-15)
    np.testing.assert_allclose(nodal_volumes(mesh | {"points": points[:, 0]}), [0.5, 1.5, 1.25, 0.25], rtol=1e-15)


@pytest.mark.parametrize("triangles", [[[0, 1, 2], [0, 2, 3]], [[0, 2, 1], [0, 2, 3]]])
def test_2d_weights_are_thirds_of_the_incident_areas_in_either_orientation(triangles):
    np.testing.assert_allclose(nodal_volumes(square(triangles)), [1 / 3, 1 / 6, 1 / 3, 1 / 6], rtol=1e-15)


def test_3d_weights_are_quarters_of_the_incident_volumes():
    points = np.vstack([np.zeros(3), np.eye(3), np.ones(3)])
    mesh = {"dimension": 3, "points": points, "tetrahedra": np.array([[0, 1, 2, 3], [4, 1, 2, 3]])}
    corner, opposite = 1 / 6, 1 / 3
    shared = (corner + opposite) / 4
    np.testing.assert_allclose(nodal_volumes(mesh), [corner / 4, shared, shared, shared, opposite / 4], rtol=1e-14)


def test_affine_fields_are_integrated_exactly_and_unused_nodes_weigh_nothing():
    mesh = square([[0, 1, 2], [0, 2, 3]]) | {"points": np.vstack([SQUARE, [[7.0, 7.0]]])}
    weights = nodal_volumes(mesh)
    assert weights[4] == 0.0
    assert weights @ (1 + 2 * mesh["points"][:, 0] - 3 * mesh["points"][:, 1]) == pytest.approx(0.5, abs=1e-15)


def test_surface_triangles_embedded_in_space_keep_their_area():
    tilted = np.column_stack([SQUARE, SQUARE[:, 0]])
    assert nodal_volumes(square([[0, 1, 2], [0, 2, 3]]) | {"points": tilted}).sum() == pytest.approx(np.sqrt(2))


def test_smooth_integrand_converges_with_order_two():
    errors = []
    for n in (8, 16):
        x = np.linspace(0.0, 1.0, n + 1)
        mesh = {"dimension": 1, "points": x, "lines": np.stack([np.arange(n), np.arange(1, n + 1)], axis=1)}
        errors.append(abs(nodal_volumes(mesh) @ np.exp(x) - (np.e - 1)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.05)


def test_stored_weights_win():
    stored = np.array([1.0, 2.0])
    assert nodal_volumes({"nodal_volumes": stored, "dimension": 9}) is stored
    assert nodal_volumes({"nodal_volumes": [1, 2]}).dtype == np.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimension": 4}, "Unsupported dimension 4.*allowed: 1, 2, 3"),
        ({"dimension": None}, "Unsupported dimension None"),
        ({"dimension": 3}, "needs 'tetrahedra'"),
        ({"points": None}, "needs 'points'"),
        ({"triangles": np.array([[0, 1]])}, r"'triangles' must have shape \(M, 3\); got \(1, 2\)"),
        ({"triangles": np.array([[0, 1, 4]])}, "node indices 0 … 3; got 0 … 4"),
        ({"points": SQUARE[:, :1]}, r"'points' must have shape \(N, 2\)"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        nodal_volumes(square([[0, 1, 2]]) | change)
