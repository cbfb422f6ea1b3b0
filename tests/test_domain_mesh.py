"""Meshes, tags, normals, connectivity and quadrature of the built-in shapes."""

import itertools

import numpy as np
import pytest
from helpers import function_calls
from meshes import square_with_square_hole

from jno.domain import domain

SIDES_2D = {"left": (0, 0.0), "right": (0, 1.0), "bottom": (1, 0.0), "top": (1, 1.0)}
SIDES_3D = {
    "left": (0, 0.0),
    "right": (0, 1.0),
    "front": (1, 0.0),
    "back": (1, 1.0),
    "bottom": (2, 0.0),
    "top": (2, 1.0),
}


def signed_measures(d):
    corners = d.mesh.points[d.mesh.cells]
    return np.linalg.det(corners[:, 1:] - corners[:, :1])


def as_set(points):
    return {tuple(row) for row in np.round(points, 9)}


# -- shapes ----


@pytest.mark.parametrize(
    ("build", "tags", "n_points", "ds"),
    [
        (domain.line, {"interior", "left", "right", "boundary"}, 11, 0.1),
        (
            domain.rect,
            {"interior", "boundary", "one", "two", "three", "four", "top", "right", "bottom", "left"},
            121,
            0.1,
        ),
        (
            domain.equi_distant_rect,
            {"interior", "bottom", "top", "left", "right", "boundary"},
            121,
            0.1,
        ),
        (domain.poseidon, {"interior", "bottom", "top", "left", "right", "boundary"}, 128 * 128, 1 / 127),
        (domain.cube, {"interior", "boundary", *SIDES_3D}, 1331, 0.1),
    ],
)
def test_default_shapes(build, tags, n_points, ds):
    d = build()
    assert set(d.available_mesh_tags) == tags
    assert set(d.boundary_tags()) == tags - {"interior"}
    assert d.points.shape == (n_points, d.dimension)
    assert d.ds == pytest.approx(ds)
    assert d.mesh is not None
    assert d.built_mesh is d.mesh
    assert d.spatial == ["x", "y", "z"][: d.dimension]
    assert d.indep == [*d.spatial, "t"]
    assert np.all(signed_measures(d) > 0)


def test_grid_shape_and_numbering():
    d = domain.equi_distant_rect((0, 2), (0, 3), nx=4, ny=6)
    assert d._grid_shape == (5, 7)
    x = d.points[:, 0].reshape(d._grid_shape)
    y = d.points[:, 1].reshape(d._grid_shape)
    assert np.allclose(x, np.linspace(0, 2, 5)[:, None])
    assert np.allclose(y, np.linspace(0, 3, 7)[None])
    assert domain.poseidon(8, 16)._grid_shape == (8, 16)
    assert domain.rect()._grid_shape is None
    # both triangles of a cell contain the diagonal from lower left to upper right
    first, second = d.mesh.cells[:2]
    assert {0, 8} <= set(first.tolist()) & set(second.tolist())


@pytest.mark.parametrize(("length", "size", "cells"), [(1.0, 0.3, 3), (1.0, 0.35, 3), (1.0, 5.0, 1), (2.0, 0.1, 20)])
def test_number_of_segments(length, size, cells):
    d = domain.line((0.0, length), size)
    assert len(d.mesh.cells) == cells
    assert np.allclose(np.diff(d.points[:, 0]), length / cells)


def test_reversed_ranges_keep_the_names_and_orientation():
    d = domain.rect((2.0, 0.0), (0.0, 1.0), 0.25)
    left, right = d._mesh_pool["left"], d._mesh_pool["right"]
    assert np.all(left[:, 0] == 2.0)
    assert np.all(right[:, 0] == 0.0)
    assert np.all(signed_measures(d) > 0)
    assert np.allclose(d.normals_by_tag["left"], [1.0, 0.0])
    assert np.allclose(d.normals_by_tag["right"], [-1.0, 0.0])
    line = domain.line((1.0, -1.0))
    assert line._mesh_pool["left"].tolist() == [[1.0]]
    assert line.normals_by_tag["left"].tolist() == [[1.0]]
    cube = domain.cube((1.0, 0.0), (0.0, 1.0), (1.0, 0.0), 0.5)
    assert np.all(signed_measures(cube) > 0)
    assert np.allclose(cube.normals_by_tag["bottom"], [0.0, 0.0, 1.0])


@pytest.mark.parametrize("ranges", [((0, 1), (0, 1)), ((1, 0), (0, 1)), ((0, 1), (1, 0)), ((1, 0), (1, 0))])
def test_boundary_points_follow_the_curve(ranges):
    d = domain.rect(*ranges, 0.25)
    loop = d._mesh_pool["boundary"]
    assert len(loop) == 16
    assert np.allclose(np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1), 0.25)
    for side in SIDES_2D:
        assert np.allclose(np.linalg.norm(np.diff(d._mesh_pool[side], axis=0), axis=1), 0.25)


def test_numbered_edges_are_the_sides():
    d = domain.rect(mesh_size=0.25)
    for number, side in {"one": "top", "two": "right", "three": "bottom", "four": "left"}.items():
        assert np.array_equal(d.tag_indices[number], d.tag_indices[side])
        assert np.array_equal(d.normals_by_tag[number], d.normals_by_tag[side])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: domain.line((0.0, 0.0)), "x_range must be two different finite numbers"),
        (lambda: domain.rect(y_range=(0.0, np.inf)), "y_range must be two different finite numbers"),
        (lambda: domain.cube(z_range=3.0), "z_range must be two different finite numbers"),
        (lambda: domain.rect(mesh_size=0.0), "mesh_size must be a positive finite number; got 0.0"),
        (lambda: domain.line(mesh_size="fine"), "mesh_size must be a positive finite number; got 'fine'"),
        (lambda: domain.equi_distant_rect(nx=0), "nx must be an integer of at least 1; got 0"),
        (lambda: domain.equi_distant_rect(ny=2.5), r"ny must be an integer of at least 1; got 2\.5"),
        (lambda: domain.poseidon(nx=1), "nx must be an integer of at least 2; got 1"),
    ],
)
def test_shape_arguments_are_checked(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_meshes_are_built_without_loops():
    """A mesh of ten thousand nodes takes exactly the function calls of one of a hundred."""
    _, small, large = (  # the first one imports what is needed
        function_calls(lambda size=size: domain.rect(mesh_size=size).mesh_connectivity) for size in (0.5, 0.1, 0.01)
    )
    assert large == small


# -- tags ----


@pytest.mark.parametrize("mesh_size", [0.5, 0.25, 0.1])
def test_every_node_of_every_side_is_kept_2d(mesh_size):
    d = domain.rect(mesh_size=mesh_size)
    pools, points = d._mesh_pool, d.points
    for side, (axis, value) in SIDES_2D.items():
        assert as_set(pools[side]) == as_set(points[points[:, axis] == value])
        assert len(pools[side]) == round(1 / mesh_size) + 1
    on_boundary = np.any((points == 0.0) | (points == 1.0), axis=1)
    assert as_set(pools["boundary"]) == as_set(points[on_boundary])
    assert as_set(pools["interior"]) == as_set(points)
    assert len(pools["interior"]) == len(points)


def test_every_node_of_every_side_is_kept_1d_and_3d():
    line = domain.line()._mesh_pool
    assert (len(line["interior"]), len(line["boundary"])) == (11, 2)
    assert (line["left"].tolist(), line["right"].tolist()) == ([[0.0]], [[1.0]])
    d = domain.cube(mesh_size=0.25)
    for side, (axis, value) in SIDES_3D.items():
        assert as_set(d._mesh_pool[side]) == as_set(d.points[d.points[:, axis] == value])
    assert len(d._mesh_pool["boundary"]) == 5**3 - 3**3


def test_boundary_registry():
    for d, kind in [
        (domain.line(), "boundary_points"),
        (domain.rect(), "line"),
        (domain.cube(mesh_size=0.5), "triangle"),
    ]:
        entry = d._boundary_registry["left"]
        assert set(entry) == {"tag", "entity_kind", "point_indices", "points"}
        assert (entry["tag"], entry["entity_kind"]) == ("left", kind)
        assert np.array_equal(d.points[entry["point_indices"]], entry["points"])
        assert np.array_equal(entry["point_indices"], d.tag_indices["left"])


def test_predicate_on_the_boundary():
    d = domain.rect(mesh_size=0.125).tag("inlet", lambda x, y: (x == 0.0) & (y >= 0.5))
    assert as_set(d._mesh_pool["inlet"]) == {(0.0, y) for y in np.arange(0.5, 1.01, 0.125)}
    assert np.allclose(d.normals_by_tag["inlet"], [-1.0, 0.0])
    assert "inlet" in d.boundary_tags()
    assert d.quadrature("inlet").weights.sum() == pytest.approx(0.5, abs=1e-14)


def test_predicate_on_two_sides_is_boundary_although_corner_cells_are_selected():
    d = domain.rect(mesh_size=0.25).tag("wall", lambda x, y: (x == 0.0) | (y == 1.0))
    assert d.quadrature("wall").weights.sum() == pytest.approx(2.0)


def test_predicate_in_the_volume():
    d = domain.rect(mesh_size=0.25).tag("half", lambda x, y: x <= 0.5)
    rule = d.quadrature("half")
    assert rule.weights.sum() == pytest.approx(0.5)
    assert np.sum(rule.weights * rule.points[:, 0]) == pytest.approx(0.125)
    assert rule.normals is None
    # the half touches the boundary, so it is a boundary location as well
    touched = d.points[d._boundary_registry["half"]["point_indices"]]
    assert np.all(np.any((touched == 0.0) | (touched == 1.0), axis=1))
    assert touched[:, 0].max() == 0.5
    assert "half" not in d.normals_by_tag
    blob = d.tag("blob", lambda x, y: np.hypot(x - 0.5, y - 0.5) < 0.3)
    assert "blob" not in blob.boundary_tags()


def test_single_node_has_normals_but_no_measure():
    d = domain.rect(mesh_size=0.25).tag("pin", lambda x, y: (x == 0.0) & (y == 0.5))
    assert np.allclose(d.normals_by_tag["pin"], [[-1.0, 0.0]])
    with pytest.raises(ValueError, match=r"'pin': its 1 node\(s\) contain all nodes of no cell .* measure zero"):
        d.quadrature("pin")


def test_redefining_a_tag():
    d = domain.rect(mesh_size=0.25).tag("hot", lambda x, y: x > 0.6)
    d.tag("hot", lambda x, y: x > 0.4)
    assert d._mesh_pool["hot"][:, 0].min() == 0.5
    d.variable("hot")
    d.variable("hot", where=lambda x, y: x >= 0.5)  # the same nodes
    with pytest.raises(ValueError, match="'hot' has been sampled already"):
        d.tag("hot", lambda x, y: x > 0.9)


@pytest.mark.parametrize(
    ("name", "where", "error", "message"),
    [
        ("left", lambda x, y: x > 0, ValueError, "'left' belongs to the geometry"),
        ("initial", lambda x, y: x > 0, ValueError, "'initial' is reserved"),
        ("a@1", lambda x, y: x > 0, ValueError, "'a@1' is reserved"),
        ("", lambda x, y: x > 0, ValueError, "non-empty string"),
        ("far", lambda x, y: x > 5, ValueError, "selects none of the 121 points"),
        ("real", lambda x, y: x, ValueError, r"returned dtype float64 and shape \(121,\)"),
        ("one_value", lambda x, y: np.bool_(True), ValueError, r"returned dtype bool and shape \(\)"),
        (
            "shape",
            object(),
            ValueError,
            "a predicate .* a shapely geometry, or a facet predicate .*; got object",
        ),
        ("facet", lambda x, n, name: x > 0, ValueError, r"'boundary'; it returned dtype bool and shape \(40, 2\)"),
    ],
)
def test_tag_errors(name, where, error, message):
    with pytest.raises(error, match=message):
        domain.rect().tag(name, where)


# -- normals ----


@pytest.mark.parametrize(
    ("d", "sides"), [(domain.rect(mesh_size=0.2), SIDES_2D), (domain.cube(mesh_size=0.25), SIDES_3D)]
)
def test_named_sides_have_their_own_normal_up_to_the_corners(d, sides):
    for side, (axis, value) in sides.items():
        expected = np.zeros(d.dimension)
        expected[axis] = 1.0 if value else -1.0
        assert np.allclose(d.normals_by_tag[side], expected, atol=1e-15)


def test_boundary_normals_average_at_corners():
    d = domain.rect((0, 2), mesh_size=0.25)
    normals, points = d.normals_by_tag["boundary"], d._mesh_pool["boundary"]
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0)
    corner = np.all(points == 0.0, axis=1)
    assert np.allclose(normals[corner], [[-np.sqrt(0.5), -np.sqrt(0.5)]])
    assert domain.line().normals_by_tag["boundary"].ravel().tolist() == [-1.0, 1.0]


def test_cube_boundary_normals_are_unit_and_outward():
    d = domain.cube(mesh_size=0.25)
    normals, points = d.normals_by_tag["boundary"], d._mesh_pool["boundary"]
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0)
    assert np.all(np.sum(normals * (points - 0.5), axis=1) > 0)


# -- quadrature ----

SHAPES = {
    1: ("line", domain.line((-1.0, 2.0), 0.25), [(-1.0, 2.0)]),
    2: ("rect", domain.rect((-1.0, 2.0), (0.5, 1.0), 0.125), [(-1.0, 2.0), (0.5, 1.0)]),
    3: ("cube", domain.cube((-1.0, 2.0), (0.5, 1.0), (0.0, 1.0), 0.5), [(-1.0, 2.0), (0.5, 1.0), (0.0, 1.0)]),
}
NAMES = {
    1: [("left", "right")],
    2: [("left", "right"), ("bottom", "top")],
    3: [("left", "right"), ("front", "back"), ("bottom", "top")],
}


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_measures_and_linear_integrands(dimension):
    _, d, ranges = SHAPES[dimension]
    lengths = np.array([b - a for a, b in ranges])
    middle = np.array([(a + b) / 2 for a, b in ranges])
    volume = d.quadrature("interior")
    assert volume.weights.sum() == pytest.approx(lengths.prod(), rel=1e-13)
    assert np.allclose(volume.weights @ volume.points, lengths.prod() * middle, rtol=1e-13)
    total = 0.0
    for axis, (low, high) in enumerate(NAMES[dimension]):
        area = np.delete(lengths, axis).prod()
        for name, value in ((low, ranges[axis][0]), (high, ranges[axis][1])):
            rule = d.quadrature(name)
            centre = middle.copy()
            centre[axis] = value
            assert rule.weights.sum() == pytest.approx(area, rel=1e-13)
            assert np.allclose(rule.weights @ rule.points, area * centre, rtol=1e-12, atol=1e-13)
            assert np.array_equal(d.points[rule.nodes], rule.points)
            total += area
    assert d.quadrature("boundary").weights.sum() == pytest.approx(total, rel=1e-13)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_divergence_theorem_is_exact_for_linear_fields(dimension):
    _, d, ranges = SHAPES[dimension]
    rng = np.random.default_rng(0)
    matrix, offset = rng.normal(size=(dimension, dimension)), rng.normal(size=dimension)

    def flux(tag):
        rule = d.quadrature(tag)
        return np.sum(rule.weights * np.sum((rule.points @ matrix.T + offset) * rule.normals, axis=1))

    volume = np.prod([b - a for a, b in ranges])
    expected = np.trace(matrix) * volume
    assert sum(flux(name) for name in itertools.chain(*NAMES[dimension])) == pytest.approx(expected, rel=1e-12)
    assert flux("boundary") == pytest.approx(expected, rel=1e-12)


def test_corner_nodes_are_listed_once_per_normal():
    rule = domain.rect(mesh_size=0.5).quadrature("boundary")
    assert len(rule.weights) == 8 + 4
    corner = np.all(rule.points == 0.0, axis=1)
    assert {tuple(n) for n in rule.normals[corner]} == {(-1.0, 0.0), (0.0, -1.0)}
    assert np.allclose(rule.weights[corner], 0.25)


def test_quadrature_convergence_is_second_order():
    errors = []
    for size in (0.1, 0.05):
        rule = domain.rect(mesh_size=size).quadrature("interior")
        values = np.sin(np.pi * rule.points[:, 0]) * np.sin(np.pi * rule.points[:, 1])
        errors.append(abs(rule.weights @ values - 4 / np.pi**2))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.01)


def test_quadrature_follows_context_keys_and_initial():
    d = domain.rect(time=(0, 1, 3))
    d.variable("left", (3, None))
    d.variable("left", (4, None))
    assert d.quadrature("left@1").weights.sum() == pytest.approx(1.0)
    assert d.quadrature("initial").weights.sum() == pytest.approx(1.0)


def test_quadrature_of_merged_domains_uses_the_row():
    d = 2 * domain.rect() + domain.rect((0, 3))
    assert [d.quadrature("top", row=b).weights.sum() for b in range(3)] == pytest.approx([1.0, 1.0, 3.0])
    with pytest.raises(ValueError, match="row=3 does not exist; the domain has 3 batch row"):
        d.quadrature("top", row=3)


def test_quadrature_errors():
    with pytest.raises(ValueError, match="Unknown tag 'lft'"):
        domain.rect().quadrature("lft")
    with pytest.raises(ValueError, match="point cloud: without a mesh there are no quadrature weights"):
        domain.from_array({"a": np.zeros((3, 2))}).quadrature("a")


# -- connectivity ----


def test_connectivity_2d():
    d = domain.rect(mesh_size=0.25)
    c = d.mesh_connectivity
    assert isinstance(c, dict)
    assert c is d.mesh_connectivity
    assert c["n_points"] == 25
    assert c["dimension"] == 2
    assert c["triangles"].shape == (32, 3)
    assert c["nodal_volumes"].sum() == pytest.approx(1.0)
    assert c["nodal_ds"].sum() == pytest.approx(4.0)
    assert c["p1_area"].sum() == pytest.approx(1.0)
    interior = np.setdiff1d(np.arange(25), c["boundary_indices"])
    assert np.all(c["nodal_ds"][interior] == 0.0)
    assert np.array_equal(c["points"][c["boundary_indices"]], c["boundary_points"])
    edges = c["boundary_points"][c["boundary_edges"]]
    assert np.allclose(np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1), 0.25)
    # the gradient of a linear function
    values = c["points"] @ [2.0, -3.0] + 1.0
    gradient = np.einsum("mv,mvd->md", values[c["triangles"]], c["p1_grad_phi"])
    assert np.allclose(gradient, [2.0, -3.0])


@pytest.mark.parametrize(
    ("d", "key", "total_ds"),
    [(domain.line(mesh_size=0.25), "lines", 2.0), (domain.cube(mesh_size=0.5), "tetrahedra", 6.0)],
)
def test_connectivity_1d_and_3d(d, key, total_ds):
    c = d.mesh_connectivity
    assert c[key].shape[1] == d.dimension + 1
    assert c["nodal_volumes"].sum() == pytest.approx(1.0)
    assert c["nodal_ds"].sum() == pytest.approx(total_ds)
    assert "boundary_edges" not in c


@pytest.mark.parametrize("d", [domain.line(mesh_size=0.25), domain.rect(mesh_size=0.25), domain.cube(mesh_size=0.5)])
def test_neighbors_against_a_loop(d):
    expected = {node: set() for node in range(len(d.points))}
    for cell in d.mesh.cells.tolist():
        for a, b in itertools.permutations(cell, 2):
            expected[a].add(b)
    neighbors = d.mesh_connectivity["neighbors"]
    assert len(neighbors) == len(d.points)
    assert {node: neighbors[node] for node in neighbors} == {k: sorted(v) for k, v in expected.items()}
    with pytest.raises(KeyError, match=f"^{len(d.points)}$"):
        neighbors[len(d.points)]


def test_connectivity_can_be_left_out():
    assert domain.rect(compute_mesh_connectivity=False).mesh_connectivity is None
    with pytest.raises(KeyError, match="'typo'"):
        domain.rect().mesh_connectivity["typo"]


def test_points_on_different_sides_of_a_square_see_each_other():
    connectivity = domain.rect(mesh_size=0.25).mesh_connectivity
    points, visible = connectivity["boundary_points"], connectivity["VM"]
    assert visible.dtype == np.float32
    assert np.array_equal(visible, visible.T)
    assert np.all(np.diag(visible) == 0.0)
    inside = (points[:, None] + points[None]) / 2
    across = np.all((inside > 0.0) & (inside < 1.0), axis=-1)
    assert np.all(visible[across] == 1.0)


def test_a_hole_hides_what_is_behind_it():
    connectivity = square_with_square_hole().mesh_connectivity
    points, visible = connectivity["boundary_points"], connectivity["VM"]

    def sees(a, b):
        first, second = (int(np.flatnonzero(np.all(points == p, axis=1))[0]) for p in (a, b))
        return bool(visible[first, second])

    assert not sees((0.0, 0.5), (1.0, 0.5))
    assert sees((0.0, 0.125), (1.0, 0.125))
    assert sees((0.5, 0.5), (1.0, 0.5))


def test_the_cube_mesh_conforms():
    d = domain.cube(mesh_size=0.5)
    faces = np.sort(np.concatenate([d.mesh.cells[:, list(f)] for f in itertools.combinations(range(4), 3)]), axis=1)
    _, counts = np.unique(faces, axis=0, return_counts=True)
    assert set(counts) == {1, 2}
    assert np.sum(counts == 1) == 6 * 2 * 4 == len(d.mesh.facets)
