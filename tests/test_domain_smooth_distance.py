"""Smooth distances: zero on the boundary with slope one, positive and smooth inside, for bodies of every shape."""

import jax
import jax.numpy as jnp
import meshes
import numpy as np
import pytest
from shapely.geometry import Point, Polygon, box

import jno
from jno.domain.fields._boundary_parts import fewest_facets
from jno.domain.geometry import InverseDistances, _inverse_distance

SHAPES = {
    "L": box(0, 0, 1, 1) - box(0.5, 0.5, 1, 1),
    "hole and pieces": box(0, 0, 1, 1) - Point(0.5, 0.5).buffer(0.2, quad_segs=3) | box(2, 0, 3, 1),
}


def values(domain, *expressions):
    return [
        np.asarray(value).reshape(-1) for value in jno.core([expressions[0].mse], domain=domain).eval(list(expressions))
    ]


def notched_cube(size=0.25):
    """The unit cube without the octant of its far corner."""
    cube = jno.domain.cube(mesh_size=size)
    centroids = cube.points[cube.mesh.cells].mean(axis=1)
    return meshes.mesh_domain(cube.points, cube.mesh.cells[~np.all(centroids > 0.5, axis=1)], size)


def inverse_by_quadrature(points, corners):
    """One over the integrals of |x - y|^-D over segments or triangles, by Gauss's rule."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    nodes, weights = (nodes + 1) / 2, weights / 2
    start, dimension = corners[:, :1], corners.shape[2]
    if dimension == 2:
        places = start + nodes[:, None] * (corners[:, 1:2] - start)
        sizes = weights * np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)[:, None]
    else:
        s, t = (axis.ravel() for axis in np.meshgrid(nodes, nodes, indexing="ij"))
        sides = corners[:, 1:] - start
        places = start + s[:, None] * ((1 - t[:, None]) * sides[:, :1] + t[:, None] * sides[:, 1:])
        area = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
        sizes = area[:, None] * np.outer(weights, weights).ravel() * s
    factor = np.pi * (dimension - 1)
    distances = np.linalg.norm(points[:, None, None] - places, axis=-1)
    return factor / np.sum(sizes / distances**dimension, axis=(1, 2))


def derivatives(expression, points):
    """Values, gradients and Hessians of a function of the coordinates at points, by JAX."""

    def at(p):
        return expression.fn(*p[:, None, None])[0, 0]

    slope = jax.jacfwd(at)
    return jax.jit(jax.vmap(lambda p: (at(p), slope(p), jax.jacfwd(slope)(p))))(jnp.asarray(points))


@pytest.mark.parametrize("name", SHAPES)
def test_smooth_distance_of_polygons(name):
    shape = SHAPES[name]
    with jax.enable_x64(True):
        d = jno.domain(shape)
        x, y, _ = d.variable("interior", sample=(30, "sobol"))
        u = d.distance_function(smooth=True)
        value, ux, laplacian = values(d, u, u.d(x), u.laplacian(x, y))
        points = d.context["interior"][0, 0]
        d.variable("boundary", sample=(30, None), normals=True)
        ends, normals = d.context["boundary"][0, 0], d.context["n_boundary"][0, 0]
        at_all, slopes, hessians = (np.asarray(part) for part in derivatives(u, np.concatenate([points, ends])))
    np.testing.assert_allclose(ux, slopes[:30, 0], atol=1e-12)
    np.testing.assert_allclose(laplacian, np.trace(hessians[:30], axis1=1, axis2=2), rtol=1e-9, atol=1e-9)
    far = np.array([shape.boundary.distance(Point(p)) > 0.05 for p in points])
    edges = d.geometry.facets_of("boundary").corners
    np.testing.assert_allclose(value[far], inverse_by_quadrature(points[far], edges), rtol=1e-6)
    assert np.all(value > 0.0)
    # zero on the boundary with slope one against the normal, and no slope along it
    np.testing.assert_allclose(at_all[30:], 0.0, atol=1e-15)
    np.testing.assert_allclose(slopes[30:], -normals, atol=1e-9)


def test_derivatives_on_the_boundary_are_the_limits_from_inside():
    """Orders one to three along the normal, at the boundary of a domain that is not convex and just inside."""
    with jax.enable_x64(True):
        d = jno.domain(SHAPES["L"])
        d.variable("interior", sample=(5, None))
        function = d.distance_function(smooth=True).fn

        def along(depth):
            return function(jnp.full((1, 1), 0.5 - depth), jnp.full((1, 1), 0.8))[0, 0]

        def orders(depth):
            order, rows = along, []
            for _ in range(3):
                order = jax.jacfwd(order)
                rows.append(order(depth))
            return jnp.stack(rows)

        on_wall, inside = jax.jit(jax.vmap(orders))(jnp.array([0.0, 1e-3]))
    np.testing.assert_allclose(on_wall, inside, rtol=2e-2)
    assert np.all(np.abs(on_wall[1:]) > 0.1)


def test_smooth_distance_does_not_depend_on_how_a_curve_is_cut():
    """In the middle of a disk it is half the radius, whether its boundary has 32 edges or 512."""
    disks = [jno.domain(Point(0, 0).buffer(1.0, quad_segs=number)) for number in (8, 128)]
    for d in disks:
        d.variable("interior", sample=(5, None))
    at = [jax.jit(d.distance_function(smooth=True).fn) for d in disks]
    middle = [function(np.zeros((1, 1)), np.zeros((1, 1))).item() for function in at]
    np.testing.assert_allclose(middle, 0.5, rtol=5e-3)


def test_a_tag_that_is_named_twice_counts_once():
    d = jno.domain.rect(mesh_size=0.25)
    whole = d.distance_function(smooth=True, name="whole")
    twice = d.distance_function(boundary_tags=["boundary", "left"], smooth=True, name="twice")
    other = d.distance_function(boundary_tags=["left", "boundary"], smooth=True, name="other")
    for expression in (twice, other):
        np.testing.assert_allclose(*values(d, whole, expression), atol=1e-6)


def test_smooth_distance_is_finite_at_all_nodes_and_solves_a_problem():
    d = jno.domain.rect(mesh_size=0.1)
    x, y, _ = d.variable("interior")
    u = d.distance_function(smooth=True)
    everywhere = values(d, u, u.d(x), u.laplacian(x, y))
    assert all(np.all(np.isfinite(part)) for part in everywhere)
    nodes = d.points[:, 0] == 0.0
    middle = nodes & (d.points[:, 1] > 0.05) & (d.points[:, 1] < 0.95)
    np.testing.assert_allclose(everywhere[1][middle], 1.0, atol=1e-5)


def test_many_points_are_computed_in_blocks(monkeypatch):
    """The same values and derivatives, with memory for a few points at a time."""
    d = jno.domain(SHAPES["L"])
    x, y, _ = d.variable("interior", sample=(11, "sobol"))
    u = d.distance_function(smooth=True)
    together = values(d, u, u.laplacian(x, y))
    monkeypatch.setattr(_inverse_distance, "_AT_ONCE", 4 * 6)
    for blocks, at_once in zip(values(d, u, u.laplacian(x, y)), together, strict=True):
        np.testing.assert_allclose(blocks, at_once, rtol=1e-4, atol=1e-4)


def test_smooth_distance_on_a_line():
    line = jno.domain.line((0, 2), mesh_size=0.1)
    x, _ = line.variable("interior")
    u = line.distance_function(smooth=True)
    p = line.points[:, 0]
    np.testing.assert_allclose(values(line, u)[0], p * (2 - p) / 2, atol=1e-6)
    np.testing.assert_allclose(values(line, u.d2(x))[0], -1.0, atol=1e-5)


def test_smooth_distance_of_a_body_that_is_not_convex():
    """The cube without an octant: values by quadrature, zero with slope one on its faces, smooth up to them."""
    with jax.enable_x64(True):
        d = notched_cube()
        x, y, z, _ = d.variable("interior")
        u = d.distance_function(smooth=True)
        inside = np.array([[0.3, 0.3, 0.3], [0.45, 0.6, 0.3], [0.25, 0.8, 0.7], [0.7, 0.5, 0.3], [0.5, 0.5, 0.25]])
        # the last one lies on an inner edge of the triangles of the mesh
        walls = np.array([[0.5, 0.7, 0.8], [0.8, 0.5, 0.7], [0.0, 0.4, 0.7], [0.5, 0.75, 0.75]])
        normals = np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [1.0, 0, 0]])
        points = np.concatenate([inside, walls, walls - 1e-5 * normals])
        value, slopes, hessians = (np.asarray(part) for part in derivatives(u, points))
        laplacian = values(d, u.laplacian(x, y, z))[0]
        facets = d.geometry.facets_of("boundary").corners
    np.testing.assert_allclose(value[:5], inverse_by_quadrature(inside, facets), rtol=1e-6)
    np.testing.assert_allclose(value[5:9], 0.0, atol=1e-15)
    np.testing.assert_allclose(slopes[5:9], -normals, atol=1e-12)
    np.testing.assert_allclose(hessians[5:9], hessians[9:], atol=2e-3)
    assert np.all(np.isfinite(laplacian))
    assert len(u.fn.__self__.corners) < 30  # of 336 triangles


def test_joined_triangles_cover_the_same_surface():
    d = notched_cube()
    facets = d.geometry.facets_of("boundary")
    joined = fewest_facets(facets, d.geometry.slack)

    def moments(corners, normals):
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        return np.concatenate([[area.sum()], area @ normals, area @ corners.mean(axis=1)])

    np.testing.assert_allclose(
        moments(joined.corners, joined.normals), moments(facets.corners, facets.normals), atol=1e-9
    )


def test_smooth_distance_to_a_part_is_positive_behind_it():
    """The re-entrant walls alone: no sign changes behind their planes, as inside of the L."""
    with jax.enable_x64(True):
        corners = np.array([[[0.5, 1.0], [0.5, 0.5]], [[0.5, 0.5], [1.0, 0.5]]])
        normals = np.array([[1.0, 0.0], [0.0, 1.0]])
        field = InverseDistances.of(corners, normals, np.zeros(2, dtype=int))
        points = np.random.default_rng(0).uniform(0.0, 1.0, (200, 2))
        points = points[~np.all(points > 0.5, axis=1)]
        value = np.asarray(jax.jit(field.distance)(*np.split(points, 2, axis=1)))[:, 0]
    exact = np.array([Polygon([(0.5, 0.5), (1, 0.5), (1, 1), (0.5, 1)]).exterior.distance(Point(p)) for p in points])
    assert np.all(value > 0.3 * exact)
