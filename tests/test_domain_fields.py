"""Distances, coefficients by region and single nodes: analytic values, derivatives, and every error by its text."""

import jax
import numpy as np
import pytest
from shapely.geometry import Point, Polygon, box

import jno
from jno.domain.geometry import exact_distance

SHAPES = {
    "square": box(0, 0, 1, 1),
    "L": box(0, 0, 1, 1) - box(0.5, 0.5, 1, 1),
    "hole": box(0, 0, 1, 1) - Point(0.5, 0.5).buffer(0.2),
    "pieces": box(0, 0, 1, 1) | box(2, 0, 3, 1),
}


def values(domain, *expressions):
    return [
        np.asarray(value).reshape(-1) for value in jno.core([expressions[0].mse], domain=domain).eval(list(expressions))
    ]


# -- exact distances ----


@pytest.mark.parametrize("name", SHAPES)
def test_distance_to_polygons(name):
    d = jno.domain(SHAPES[name])
    d.variable("interior", sample=(300, None))
    expression = d.distance_function()
    expected = [SHAPES[name].boundary.distance(Point(p)) for p in d.context["interior"][0, 0]]
    assert d.context["__dist_interior__"].shape == (1, 1, 300, 1)
    np.testing.assert_allclose(d.context["__dist_interior__"][0, 0, :, 0], expected, atol=1e-6)
    np.testing.assert_allclose(values(d, expression)[0], expected, atol=1e-6)


def test_distance_on_meshes():
    line = jno.domain.line((0, 2), mesh_size=0.1)
    assert np.allclose(
        values(line, line.distance_function())[0], np.minimum(line.points, 2 - line.points)[:, 0], atol=1e-6
    )
    cube = jno.domain.cube(mesh_size=0.25)
    inner = np.minimum(cube.points, 1 - cube.points).min(axis=1)
    assert np.allclose(values(cube, cube.distance_function())[0], inner, atol=1e-6)
    to_left = cube.distance_function(boundary_tags="left", name="to_left")
    assert np.allclose(values(cube, to_left)[0], cube.points[:, 0], atol=1e-6)
    assert cube.context["to_left"].shape == (1, 1, len(cube.points), 1)


def test_distance_is_that_to_segments_not_to_nodes():
    d = jno.domain.rect(mesh_size=0.5)
    d.variable("interior", sample=(200, "uniform"))
    d.distance_function()
    points = d.context["interior"][0, 0]
    expected = np.minimum(points, 1 - points).min(axis=1)
    np.testing.assert_allclose(d.context["__dist_interior__"][0, 0, :, 0], expected, atol=1e-6)


def test_distance_beyond_a_part_of_the_boundary():
    """The nearest point of the bottom half edge is its end for points to the right of it."""
    d = jno.domain(box(0, 0, 1, 1)).add_boundary_segments("half", [[(0, 0), (0.5, 0)]])
    d.variable("interior", sample=(100, None))
    d.distance_function(boundary_tags=["half"])
    x, y = d.context["interior"][0, 0].T
    np.testing.assert_allclose(
        d.context["__dist_interior__"][0, 0, :, 0], np.hypot(np.maximum(x - 0.5, 0.0), y), atol=1e-6
    )


def test_distance_to_triangles():
    """Above the triangle, beside each of its edges and beyond its corners, whichever corner comes first."""
    triangle = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.2, 0.7, 0.0]])
    points = np.random.default_rng(0).uniform(-1.0, 2.0, (60, 3)).astype(np.float32)
    plane = [Polygon(triangle[:, :2]).distance(Point(p[:2])) for p in points]
    for shift in range(3):
        distance = jax.jit(exact_distance(np.roll(triangle, shift, axis=0)[None]))
        found = distance(*np.split(points, 3, axis=1))
        np.testing.assert_allclose(np.ravel(found), np.hypot(plane, points[:, 2]), rtol=1e-5, atol=1e-6)


def test_distance_of_samples_and_levels():
    d = 3 * jno.domain(box(0, 0, 1, 1), time=(0.0, 1.0, 4))
    x, _, _ = d.variable("interior", sample=(20, None))
    distance = d.distance_function()
    assert d.context["__dist_interior__"].shape == (3, 1, 20, 1)
    points = d.context["interior"][:, 0]
    found = np.asarray(jno.core([(distance * x).mse]).eval(distance))
    np.testing.assert_allclose(found[..., 0], np.minimum(points, 1 - points).min(-1), atol=1e-6)


def test_gradient_of_the_distance_is_a_unit_vector():
    d = jno.domain(SHAPES["L"])
    x, y, _ = d.variable("interior", sample=(200, None))
    distance = d.distance_function()
    gx, gy = values(d, distance.d(x), distance.d(y))
    np.testing.assert_allclose(np.hypot(gx, gy), 1.0, atol=1e-5)


def test_distance_at_other_points():
    d = jno.domain(box(0, 0, 1, 1))
    d.variable("interior", sample=(10, None))
    xb, yb, _ = d.variable("boundary", sample=(30, None))
    assert np.abs(values(d, d.distance_function()(xb, yb))[0]).max() < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tag": "nowhere"}, "Unknown tag 'nowhere'"),
        ({"tag": "boundary"}, r"'boundary' has not been sampled; call domain.variable\('boundary'"),
        ({"boundary_tags": "nowhere"}, "Unknown tag 'nowhere'"),
        ({"boundary_tags": "interior"}, "'interior' is not a boundary tag"),
        ({"boundary_tags": []}, "names no boundary"),
        ({"name": "a@1"}, "is reserved"),
    ],
)
def test_distances_that_cannot_be(arguments, message):
    d = jno.domain(box(0, 0, 1, 1))
    d.variable("interior", sample=(5, None))
    with pytest.raises(ValueError, match=message):
        d.distance_function(**arguments)


def test_merged_domains_have_no_common_distance():
    with pytest.raises(NotImplementedError, match="this merged domain has 2 geometries"):
        (jno.domain.rect() + jno.domain.rect((0, 2))).distance_function()


# -- coefficients ----


def test_coefficients_by_region():
    regions = {"steel": box(0, 0, 1, 1), "air": box(1, 0, 2, 1), "hole": Point(0.5, 0.5).buffer(0.2)}
    d = jno.domain.csg.from_regions(regions)
    d.variable("interior", sample=(500, None))
    k = d.by_region({"hole": 1.0, "steel": 50, "air": 0.5})
    x, y = d.context["interior"][0, 0].T
    in_hole = np.array([regions["hole"].contains(Point(p)) for p in zip(x, y, strict=True)])
    np.testing.assert_array_equal(values(d, k)[0], np.where(in_hole, 1.0, np.where(x < 1, 50.0, 0.5)))
    only = d.by_region({"interior_air": 2.0}, default=7.0)
    np.testing.assert_array_equal(values(d, only)[0], np.where(x > 1, 2.0, 7.0))
    assert np.all(values(d, d.by_region({"air": 2.0}))[0] == np.where(x > 1, 2.0, 0.0))


def test_coefficients_reach_the_boundary_of_their_region():
    d = jno.domain.csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 0, 2, 1)}, mesh_size=0.25)
    k = d.by_region({"b": 2.0, "a": 1.0})
    np.testing.assert_array_equal(values(d, k)[0], np.where(d.points[:, 0] > 1 - 1e-9, 2.0, 1.0))
    # the one named first counts on the common line, and the nodal rule sees the ramp between 1 and 2 to its left
    x, _, _ = d.variable("interior")
    assert 3.0 < float(np.asarray(jno.core([(k * x).mse]).eval(k.integrate())).reshape(())) < 3.25


def test_coefficients_in_other_dimensions():
    line = jno.domain.line(mesh_size=0.1).tag("half", lambda x: x <= 0.5 + 1e-9)
    expected = np.where(line.points[:, 0] < 0.55, 3.0, 0.0)
    np.testing.assert_array_equal(values(line, line.by_region({"half": 3.0}))[0], expected)
    cube = jno.domain.cube(mesh_size=0.25).tag("low", lambda x, y, z: z <= 0.5 + 1e-9)
    cube.variable("interior", sample=(300, "uniform"))
    found = values(cube, cube.by_region({"low": 3.0}, default=-1))[0]
    np.testing.assert_array_equal(found, np.where(cube.context["interior"][0, 0, :, 2] <= 0.5, 3.0, -1.0))


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, "not empty"),
        ({"x": 1.0}, "unknown interior region 'x'"),
        ({"boundary": 1.0}, "unknown interior region"),
        ({"interior": "a"}, "must be a number"),
    ],
)
def test_coefficients_that_cannot_be(mapping, message):
    with pytest.raises(ValueError, match=message):
        jno.domain.rect().by_region(mapping)


# -- single nodes ----


def test_point_regions():
    d = jno.domain.rect(mesh_size=0.25).point_region("pin", (0.3, 0.26)).point_region("corner", (2, 2))
    assert d.points[d.tag_indices["pin"]].tolist() == [[0.25, 0.25]]
    assert d.points[d.tag_indices["corner"]].tolist() == [[1.0, 1.0]]
    assert "corner" in d.normals_by_tag
    assert "pin" not in d.normals_by_tag
    x, _, _ = d.variable("pin")
    assert values(d, x)[0].tolist() == [0.25]


def test_point_regions_survive_meshing_again():
    d = jno.domain(box(0, 0, 1, 1), mesh_size=0.5).point_region("pin", (1.0, 1.0))
    d.build_mesh(0.1)
    assert np.allclose(d.points[d.tag_indices["pin"]], 1.0)


def test_point_regions_that_cannot_be():
    with pytest.raises(ValueError, match="names a node of a mesh"):
        jno.domain(box(0, 0, 1, 1)).point_region("pin", (0, 0))
    with pytest.raises(ValueError, match="must be 2 finite numbers"):
        jno.domain.rect().point_region("pin", (0, 0, 0))
    with pytest.raises(ValueError, match="belongs to the geometry"):
        jno.domain.rect().point_region("left", (0, 0))
