"""Shortcuts that gmsh meshes: signatures, tags, measures, loops, normals, registries, and every error by its text."""

import inspect

import numpy as np
import pytest
from meshes import gmsh_session

import jno

RECTANGLE = [(0, 0), (2, 0), (2, 1), (0, 1)]
SIDES = {"bottom": (0.0, -1.0), "right": (1.0, 0.0), "top": (0.0, 1.0), "left": (-1.0, 0.0)}
HOLES = [
    {"origin": (0.2, 0.2), "size": (0.3, 0.2), "type": "pipe"},
    {"origin": (0.8, 0.5), "size": 0.2},
    {"origin": (1.4, 0.4), "size": (0.2, 0.4), "type": "pipe"},
]


def holed(**options):
    return jno.domain.rectangle_with_holes(holes=HOLES, **options)


L_TAGS = {"bottom", "right_lower", "inner_horizontal", "inner_vertical", "top", "left"}
HOLE_TAGS = {f"{prefix}{name}" for prefix in ("_", "hole_") for name in (*SIDES, "boundary")}
BASE = {"interior", "boundary"}
# how it is built, its tags, its area, the length of its boundary tag
SHAPES = {
    "polygon": (lambda: jno.domain.polygon(RECTANGLE, 0.25), BASE | {"one", "two", "three", "four"}, 2.0, 6.0),
    "triangle": (jno.domain.triangle, BASE | {"one", "two", "three"}, 0.5, 2 + np.sqrt(2)),
    "disk": (jno.domain.disk, BASE, 16 * np.sin(np.pi / 16), 64 * np.sin(np.pi / 32)),
    "L": (jno.domain.l_shape, BASE, 0.75, 4.0),
    "L, sides": (lambda: jno.domain.l_shape(separate_boundary=True), BASE | L_TAGS, 0.75, 4.0),
    "hole": (jno.domain.rectangle_with_hole, BASE, 0.84, 5.6),
    "hole, sides": (
        lambda: jno.domain.rectangle_with_hole(separate_boundary=True),
        BASE | set(SIDES) | HOLE_TAGS,
        0.84,
        5.6,
    ),
    "holes": (
        holed,
        BASE | set(SIDES) | {f"{kind}_{name}" for kind in ("pipe", "hole") for name in (*SIDES, "boundary")},
        2.0 - 0.06 - 0.04 - 0.08,
        6.0,
    ),
    "holes, no sides": (lambda: holed(separate_boundary=False), BASE | {"hole_boundary"}, 1.82, 6.0),
    "no holes": (jno.domain.rectangle_with_holes, BASE | set(SIDES), 2.0, 6.0),
    "pml": (jno.domain.rect_pml, BASE | set(SIDES) | {"pml_bottom", "pml_top"}, 1.0, 4.0),
}


@pytest.fixture(scope="module")
def built():
    return {name: build() for name, (build, *_) in SHAPES.items()}


def length(d, tag):
    return d.quadrature(tag).weights.sum()


def components(d, tag):
    """Lists of pool positions, one per curve along which the tag's nodes are consecutive."""
    nodes = d.tag_indices[tag]
    edges = {frozenset(edge) for edge in d.mesh.facets.tolist()}
    joined = [frozenset(pair) in edges for pair in zip(nodes[:-1].tolist(), nodes[1:].tolist(), strict=True)]
    return np.split(np.arange(len(nodes)), 1 + np.flatnonzero(~np.array(joined)))


# -- signatures ----

SIGNATURES = {
    "line": {"x_range": (0, 1), "mesh_size": 0.1},
    "rect": {"x_range": (0, 1), "y_range": (0, 1), "mesh_size": 0.1},
    "polygon": {"vertices": inspect.Parameter.empty, "mesh_size": 0.1},
    "triangle": {"vertices": ((0, 0), (1, 0), (0, 1)), "mesh_size": 0.1},
    "equi_distant_rect": {"x_range": (0, 1), "y_range": (0, 1), "nx": 10, "ny": 10},
    "poseidon": {"nx": 128, "ny": 128},
    "cube": {"x_range": (0, 1), "y_range": (0, 1), "z_range": (0, 1), "mesh_size": 0.1},
    "disk": {"center": (0, 0), "radius": 1, "mesh_size": 0.1, "num_points": 32},
    "l_shape": {"size": 1, "mesh_size": 0.1, "separate_boundary": False},
    "rectangle_with_hole": {"outer_size": 1, "hole_size": 0.4, "mesh_size": 0.1, "separate_boundary": False},
    "rectangle_with_holes": {"outer_size": (2, 1), "holes": None, "mesh_size": 0.1, "separate_boundary": True},
    "rect_pml": {
        "x_range": (0, 1),
        "y_range": (0, 1),
        "mesh_size": 0.1,
        "pml_thickness_top": 0.2,
        "pml_thickness_bottom": 0.2,
    },
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_names_order_and_defaults_of_the_parameters(name):
    parameters = inspect.signature(getattr(jno.domain, name)).parameters
    own = {key: p.default for key, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert list(own.items()) == list(SIGNATURES[name].items())
    keywords = {key: p.default for key, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert keywords == {"algorithm": 6, "time": None, "compute_mesh_connectivity": True}
    assert len(parameters) == len(own) + len(keywords)


@pytest.mark.parametrize("name", [*SIGNATURES, "poly"])
def test_unknown_keywords_are_refused(name):
    required = {"vertices": RECTANGLE} if name in ("polygon", "poly") else {}
    with pytest.raises(TypeError, match="unexpected keyword argument 'mesh_sise'"):
        getattr(jno.domain, name)(**required, mesh_sise=0.1)


def test_defaults_of_poly():
    parameters = inspect.signature(jno.domain.poly).parameters
    assert [(key, p.default) for key, p in parameters.items()] == [
        ("vertices", inspect.Parameter.empty),
        ("name", "polygon"),
        ("time", None),
        ("compute_mesh_connectivity", False),
    ]
    assert jno.domain.poly(RECTANGLE).mesh is None


# -- tags and measures ----


@pytest.mark.parametrize("name", SHAPES)
def test_tags_measures_and_attributes(built, name):
    d, (_, tags, area, perimeter) = built[name], SHAPES[name]
    assert len(d.available_mesh_tags) == len(tags)
    assert set(d.available_mesh_tags) == tags
    assert length(d, "interior") == pytest.approx(area, rel=1e-12)
    assert length(d, "boundary") == pytest.approx(perimeter, rel=1e-12)
    assert (d.dimension, d.ds, d.total_samples) == (2, 0.25 if name == "polygon" else 0.1, 1)
    assert d.mesh is not None
    assert len(np.unique(d.mesh.cells)) == len(d.points)
    corners = d.points[d.mesh.cells]
    assert np.all(np.linalg.det(corners[:, 1:] - corners[:, :1]) > 0.0)


@pytest.mark.parametrize("name", SHAPES)
def test_edges_are_about_as_long_as_asked_for(built, name):
    d = built[name]
    corners = d.points[d.mesh.cells]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    # the edges of the disk are given by its number of corners
    assert 0.5 * d.ds < edges.min() or name == "disk"
    assert edges.max() < 1.7 * d.ds
    assert edges.mean() == pytest.approx(d.ds, rel=0.08)


@pytest.mark.parametrize(
    ("vertices", "lengths"),
    [
        (RECTANGLE, [2.0, 1.0, 2.0, 1.0]),
        (RECTANGLE[::-1], [2.0, 1.0, 2.0, 1.0]),
        (RECTANGLE[2:] + RECTANGLE[:2], [2.0, 1.0, 2.0, 1.0]),
        ([*RECTANGLE, RECTANGLE[0]], [2.0, 1.0, 2.0, 1.0]),
        (np.array([(0, 0), (3, 0), (3, 4)]), [5.0, 4.0, 3.0]),
        ([(3, 4), (3, 0), (0, 0)], [5.0, 4.0, 3.0]),
        ([(0, 0), (2, 0), (2, 2), (1, 0.5), (0, 2)], [np.hypot(1, 1.5), 2.0, 2.0, 2.0, np.hypot(1, 1.5)]),
    ],
)
def test_the_first_edge_ends_in_the_highest_corner_and_numbers_go_clockwise(vertices, lengths):
    d = jno.domain.polygon(vertices, 0.5)
    words = ["one", "two", "three", "four", "five"][: len(lengths)]
    assert [length(d, word) for word in words] == pytest.approx(lengths)
    ends = [d._mesh_pool[word] for word in words]
    corners = np.asarray(vertices, dtype=float)
    highest = max(corners.tolist(), key=lambda corner: (corner[1], corner[0]))
    assert highest in ends[0].tolist()
    assert highest in ends[1].tolist()
    # clockwise: the end that an edge shares with the next one comes earlier counter-clockwise
    for word, following in zip(words, words[1:] + words[:1], strict=True):
        assert np.array_equal(d._mesh_pool[word][0], d._mesh_pool[following][-1])


def test_the_sides_of_a_rectangle_are_numbered_as_those_of_rect():
    polygon, rect = jno.domain.polygon([(0, 0), (1, 0), (1, 1), (0, 1)], 0.25), jno.domain.rect(mesh_size=0.25)
    for word in ("one", "two", "three", "four"):
        assert np.allclose(np.sort(polygon._mesh_pool[word], axis=0), np.sort(rect._mesh_pool[word], axis=0))
        assert np.allclose(polygon.normals_by_tag[word], rect.normals_by_tag[word][0])


def test_edges_after_the_twentieth_have_decimal_numbers():
    angle = -2 * np.pi * np.arange(23) / 23 + np.pi / 2
    d = jno.domain.polygon(np.stack([np.cos(angle), np.sin(angle)], axis=1), 0.5)
    assert d.available_mesh_tags[2:4] == ["one", "two"]
    assert d.available_mesh_tags[20:] == ["nineteen", "twenty", "21", "22", "23"]
    # the corners are given clockwise from the highest, where "one" ends
    middle = d._mesh_pool["21"].mean(axis=0)
    expected = (angle[19] + angle[20]) / 2
    assert np.arctan2(middle[1], middle[0]) == pytest.approx((expected + np.pi) % (2 * np.pi) - np.pi)


def test_a_disk_is_the_inscribed_polygon():
    d = jno.domain.disk((1, -2), 3, 0.5, 12)
    assert length(d, "interior") == pytest.approx(12 * 9 * np.sin(np.pi / 6) / 2)
    assert length(d, "boundary") == pytest.approx(12 * 6 * np.sin(np.pi / 12))
    assert np.min(np.linalg.norm(d.points - (4, -2), axis=1)) == pytest.approx(0.0, abs=1e-12)
    assert np.max(np.linalg.norm(d.points - (1, -2), axis=1)) == pytest.approx(3.0)
    assert np.allclose(d.quadrature("interior").weights @ d.points / length(d, "interior"), (1, -2))


@pytest.mark.parametrize(
    ("tag", "low", "high", "normal"),
    [
        ("bottom", (0, 0), (2, 0), (0, -1)),
        ("right_lower", (2, 0), (2, 1), (1, 0)),
        ("inner_horizontal", (1, 1), (2, 1), (0, 1)),
        ("inner_vertical", (1, 1), (1, 2), (1, 0)),
        ("top", (0, 2), (1, 2), (0, 1)),
        ("left", (0, 0), (0, 2), (-1, 0)),
    ],
)
def test_sides_of_the_l_shape(tag, low, high, normal):
    d = jno.domain.l_shape(2.0, 0.5, separate_boundary=True)
    pool = d._mesh_pool[tag]
    assert np.allclose(pool.min(axis=0), low)
    assert np.allclose(pool.max(axis=0), high)
    assert length(d, tag) == pytest.approx(np.subtract(high, low).sum())
    assert np.allclose(d.normals_by_tag[tag], normal, atol=1e-14)


@pytest.mark.parametrize("prefix", ["", "_", "hole_"])
@pytest.mark.parametrize("side", SIDES)
def test_sides_of_the_square_and_of_its_hole(built, prefix, side):
    d, inside = built["hole, sides"], bool(prefix)
    outward = np.array(SIDES[side])
    half = 0.2 if inside else 0.5
    rule = d.quadrature(prefix + side)
    assert rule.weights.sum() == pytest.approx(2 * half)
    assert np.allclose((rule.points - 0.5) @ outward, half)
    # the normals of the hole point into it
    assert np.allclose(rule.normals, -outward if inside else outward, atol=1e-13)
    assert np.allclose(d.normals_by_tag[prefix + side], -outward if inside else outward, atol=1e-13)


def test_holes_of_one_type_share_their_tags(built):
    d = built["holes"]
    assert length(d, "pipe_boundary") == pytest.approx(1.0 + 1.2)
    assert length(d, "pipe_bottom") == pytest.approx(0.3 + 0.2)
    assert length(d, "pipe_left") == pytest.approx(0.2 + 0.4)
    assert length(d, "hole_left") == pytest.approx(0.2)
    # the default type is called as the tag of all holes
    assert length(d, "hole_boundary") == pytest.approx(1.0 + 1.2 + 0.8)
    assert set(d.tag_indices["boundary"]) & set(d.tag_indices["hole_boundary"]) == set()


def test_layers_and_core_of_rect_pml():
    d = jno.domain.rect_pml((0, 2), (1, 2), 0.25, pml_thickness_top=0.5, pml_thickness_bottom=0.25)
    bounds = {tag: (d._mesh_pool[tag].min(axis=0), d._mesh_pool[tag].max(axis=0)) for tag in d.tag_indices}
    assert np.allclose(bounds["interior"], [(0, 1), (2, 2)])
    assert np.allclose(bounds["pml_bottom"], [(0, 0.75), (2, 1)])
    assert np.allclose(bounds["pml_top"], [(0, 2), (2, 2.5)])
    areas = [length(d, tag) for tag in ("interior", "pml_bottom", "pml_top")]
    assert areas == pytest.approx([2.0, 0.5, 1.0])
    assert [length(d, side) for side in SIDES] == pytest.approx([2.0, 1.0, 2.0, 1.0])
    # top and bottom lie inside of the mesh: their normals point out of the core
    for side, normal in SIDES.items():
        assert np.allclose(d.normals_by_tag[side], normal, atol=1e-13)
    assert np.allclose(np.sum(d.quadrature("boundary").normals * d.quadrature("boundary").weights[:, None], axis=0), 0)
    # the layers share their nodes with the core
    assert set(d.tag_indices["top"]) == set(d.tag_indices["interior"]) & set(d.tag_indices["pml_top"])


# -- boundary pools ----

LOOPS = {"hole": 2, "hole, sides": 2, "holes": 1}


@pytest.mark.parametrize("name", SHAPES)
def test_boundary_pools_are_complete_and_follow_every_loop(built, name):
    d = built[name]
    pool, parts = d._mesh_pool["boundary"], components(d, "boundary")
    assert len(parts) == LOOPS.get(name, 1)
    walked = 0.0
    for part in parts:
        step = np.linalg.norm(np.roll(pool[part], -1, axis=0) - pool[part], axis=1)
        assert step.max() < 1.5 * d.ds
        walked += step.sum()
    assert walked == pytest.approx(SHAPES[name][3])
    assert len(np.unique(d.tag_indices["boundary"])) == len(pool)


def test_the_boundary_of_a_holed_domain_holds_every_boundary_node(built):
    for d, tags in ((built["hole"], ["boundary"]), (built["holes"], ["boundary", "hole_boundary"])):
        edges = np.sort(np.concatenate([d.mesh.cells[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
        distinct, count = np.unique(edges, axis=0, return_counts=True)
        found = np.concatenate([d.tag_indices[tag] for tag in tags])
        assert np.array_equal(np.sort(found), np.unique(distinct[count == 1]))
    assert [len(components(built["holes"], tag)) for tag in ("hole_boundary", "pipe_boundary")] == [3, 2]


@pytest.mark.parametrize("name", SHAPES)
def test_open_edges_are_walked_from_end_to_end(built, name):
    d = built[name]
    for tag in set(d.boundary_tags()) - {"boundary"}:
        pool = d._mesh_pool[tag]
        steps = [np.linalg.norm(np.diff(pool[part], axis=0), axis=1).sum() for part in components(d, tag)]
        closed = tag.endswith("_boundary")
        assert sum(steps) <= length(d, tag) + 1e-12
        assert sum(steps) == pytest.approx(length(d, tag)) or closed


@pytest.mark.parametrize("name", SHAPES)
def test_registries_agree(built, name):
    d = built[name]
    assert set(d.normals_by_tag) == set(d._boundary_registry) == set(d.boundary_tags())
    assert set(d.tag_indices) == set(d._mesh_pool) == set(d.available_mesh_tags)
    for tag, entry in d._boundary_registry.items():
        rule = d.quadrature(tag)
        assert set(entry) == {"tag", "entity_kind", "point_indices", "points"}
        assert (entry["tag"], entry["entity_kind"]) == (tag, "line")
        assert np.array_equal(entry["point_indices"], d.tag_indices[tag])
        assert np.array_equal(entry["points"], d.points[d.tag_indices[tag]])
        assert np.array_equal(entry["points"], d._mesh_pool[tag])
        assert len(d.normals_by_tag[tag]) == len(entry["points"])
        assert np.array_equal(np.unique(rule.nodes), np.sort(d.tag_indices[tag]))
        assert np.array_equal(rule.points, d.points[rule.nodes])
        assert np.allclose(np.linalg.norm(d.normals_by_tag[tag], axis=1), 1.0)


# -- normals ----


@pytest.mark.parametrize("name", SHAPES)
def test_normals_point_out_of_the_material(built, name):
    """A step inwards stays in a triangle of the domain, for the facets of every boundary tag."""
    d = built[name]
    for tag in d.boundary_tags():
        boundary = d.geometry.facets_of(tag)
        facets, normals = boundary.corners, boundary.normals
        middle = facets.mean(axis=1)
        cells = d.mesh.cells[d.geometry.tags["interior"].cells]
        assert np.all(inside(d.points[cells], middle - 1e-6 * normals))
        assert not np.any(inside(d.points[cells], middle + 1e-6 * normals))


def inside(triangles, points):
    first, edges = triangles[:, 0], triangles[:, 1:] - triangles[:, :1]
    offset = points[:, None] - first
    weights = np.einsum("mij,nmj->nmi", np.linalg.inv(edges).transpose(0, 2, 1), offset)
    return np.any(np.all(weights > -1e-9, axis=-1) & (weights.sum(axis=-1) < 1 + 1e-9), axis=1)


@pytest.mark.parametrize("name", ["polygon", "triangle", "disk", "L", "hole", "pml"])
def test_divergence_theorem_is_exact_for_linear_fields(built, name):
    d = built[name]
    rule = d.quadrature("boundary")
    matrix, offset = np.array([[2.0, -1.0], [3.0, 0.5]]), np.array([0.7, -0.3])
    flux = np.sum(rule.weights * np.sum((rule.points @ matrix.T + offset) * rule.normals, axis=1))
    assert flux == pytest.approx(2.5 * SHAPES[name][2], rel=1e-11)


def test_corner_normals_are_averages_weighted_by_length():
    # one edge per side: at the right angle the sides have lengths 3 and 4
    d = jno.domain.polygon([(0, 0), (3, 0), (3, 4)], 100.0)
    assert len(d.points) == 3
    found = {tuple(p): n for p, n in zip(d._mesh_pool["boundary"], d.normals_by_tag["boundary"], strict=True)}
    sums = {(0.0, 0.0): (-4, 0), (3.0, 0.0): (4, -3), (3.0, 4.0): (0, 3)}
    for corner, total in sums.items():
        assert np.allclose(found[corner], total / np.linalg.norm(total), atol=1e-14)
    # the tag of a side has the normal of the side up to its ends
    assert np.allclose(d.normals_by_tag["one"], (-0.8, 0.6), atol=1e-14)


def test_corners_of_the_hole_have_the_mean_normal(built):
    d = built["hole"]
    pool, normals = d._mesh_pool["boundary"], d.normals_by_tag["boundary"]
    for corner, expected in {(0.3, 0.3): (1, 1), (0.7, 0.3): (-1, 1), (0.0, 0.0): (-1, -1), (1.0, 1.0): (1, 1)}.items():
        at = np.all(np.isclose(pool, corner), axis=1)
        assert np.allclose(normals[at], [np.array(expected) / np.sqrt(2)], atol=1e-12)


# -- sampling ----


@pytest.mark.parametrize("time", [None, (0.0, 1.0, 4)])
@pytest.mark.parametrize("batch", [1, 3])
def test_points_and_normals_always_have_four_axes(time, batch):
    made = jno.domain.rectangle_with_hole(mesh_size=0.2, time=time, separate_boundary=True)
    d = batch * made if batch > 1 else made
    levels = 1 if time is None else 4
    d.variable("interior", (11, None))
    d.variable("hole_boundary", (5, None), normals=True)
    d.variable("top", normals=True)
    assert d.context["interior"].shape == (batch, levels, 11, 2)
    assert d.context["hole_boundary"].shape == d.context["n_hole_boundary"].shape == (batch, levels, 5, 2)
    assert d.context["top"].shape == d.context["n_top"].shape == (batch, levels, len(d.tag_indices["top"]), 2)
    assert d.time == time
    assert d.dimension == 2


def test_initial_points_of_a_time_dependent_disk():
    d = jno.domain.disk(mesh_size=0.5, time=(0.5, 1.0, 3))
    d.variable("initial")
    assert d.context["initial"].shape == (1, 1, len(d.points), 2)
    assert d.context["__time_initial__"].tolist() == [[0.5]]


def test_reverse_normals_copies():
    d = jno.domain.disk(mesh_size=0.5)
    _, _, _, nx, _ = d.variable("boundary", normals=True, split=True)
    _, _, _, mx, _ = d.variable("boundary", normals=True, reverse_normals=True, split=True)
    assert np.array_equal(d.context[mx.tag], -d.context[nx.tag])
    outward = np.sum(d.context[nx.tag] * d.context["boundary"], axis=-1)
    assert np.all(outward > 0.99)
    assert np.all(np.sum(d.normals_by_tag["boundary"] * d._mesh_pool["boundary"], axis=1) > 0.99)


def test_integrals_over_gmsh_meshes():
    d = jno.domain.rectangle_with_hole(2.0, 1.0, 0.2, separate_boundary=True)
    x, _, _ = d.variable("interior")
    xh, _, _, nx, _ = d.variable("hole_boundary", normals=True, split=True)
    values = jno.core([x.integrate()]).eval([x.integrate(), (0 * xh + 1).integrate(), (xh * nx).integrate()])
    # the hole is centred, and its normals point into it
    assert np.allclose(np.ravel(values), [3.0, 4.0, -1.0], rtol=1e-5)


# -- keywords ----


@pytest.mark.parametrize("name", ["polygon", "disk", "holes", "pml"])
def test_the_same_arguments_give_the_same_mesh(built, name):
    again = SHAPES[name][0]()
    assert np.array_equal(again.points, built[name].points)
    assert np.array_equal(again.mesh.cells, built[name].mesh.cells)
    assert all(np.array_equal(again.tag_indices[tag], nodes) for tag, nodes in built[name].tag_indices.items())


def test_the_algorithm_is_used_and_remembered():
    delaunay, frontal = jno.domain.disk(algorithm=5), jno.domain.disk()
    assert (delaunay.algorithm, frontal.algorithm) == (5, 6)
    assert not np.array_equal(delaunay.points, frontal.points)
    assert length(delaunay, "interior") == pytest.approx(length(frontal, "interior"))


def test_connectivity_can_be_left_out():
    d = jno.domain.l_shape(compute_mesh_connectivity=False)
    assert d.mesh is not None
    assert d.mesh_connectivity is None
    assert jno.domain.l_shape().mesh_connectivity["n_points"] == len(d.points)


def test_vertices_are_not_kept_or_changed():
    vertices = np.array(RECTANGLE, dtype=float)[::-1].copy()
    before = vertices.copy()
    d = jno.domain.polygon(vertices, 0.5)
    assert np.array_equal(vertices, before)
    vertices[:] = 0.0
    assert length(d, "interior") == pytest.approx(2.0)


# -- errors ----


def one_hole(**entry):
    return lambda: jno.domain.rectangle_with_holes(holes=[{"origin": (0.2, 0.2), "size": 0.2, **entry}])


ERRORS = [
    (lambda: jno.domain.polygon([(0, 0), (1, 0)]), r"polygon\(\) must be .* at least three .*; got .* shape \(2, 2\)"),
    (lambda: jno.domain.polygon([(0, 0, 0)] * 4), r"must be an array \(K, 2\).*; got an array of shape \(4, 3\)"),
    (lambda: jno.domain.polygon("abc"), r"must be an array \(K, 2\).*; got 'abc'"),
    (lambda: jno.domain.polygon([(0, 0), (1, np.nan), (0, 1)]), "finite corners"),
    (lambda: jno.domain.polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), r"no simple polygon: Self-intersection\[0.5 0.5\]"),
    (lambda: jno.domain.polygon([(0, 0), (1, 0), (2, 0)]), r"polygon\(\) are no simple polygon"),
    (lambda: jno.domain.polygon([(0, 0), (1, 0), (1, 0), (0, 1)]), "repeat a corner"),
    (lambda: jno.domain.polygon(RECTANGLE, 0), "mesh_size must be a positive finite number; got 0"),
    (lambda: jno.domain.polygon(RECTANGLE, np.inf), "mesh_size must be a positive finite number; got inf"),
    (lambda: jno.domain.polygon(RECTANGLE, algorithm=99), r"algorithm must be one of gmsh's .*\(1, 2, .*; got 99"),
    (lambda: jno.domain.polygon(RECTANGLE, time=(1, 0)), r"time must be \(t0, t1, n\)"),
    (lambda: jno.domain.triangle(RECTANGLE), r"exactly three vertices \(x, y\); got an array of shape \(4, 2\)"),
    (lambda: jno.domain.triangle(RECTANGLE[:2]), r"exactly three vertices \(x, y\); got an array of shape \(2, 2\)"),
    (lambda: jno.domain.triangle([(0, 0), (1, 0), (2,)]), r"triangle\(\) must be three corners \(x, y\); got \[\(0, 0"),
    (lambda: jno.domain.triangle([(0, 0), (1, 1), (2, 2)]), r"triangle\(\) are no simple polygon"),
    (lambda: jno.domain.triangle(mesh_size=-1.0), "mesh_size must be a positive finite number; got -1.0"),
    (lambda: jno.domain.disk(radius=0), "radius must be a positive finite number; got 0"),
    (lambda: jno.domain.disk(radius=np.nan), "radius must be a positive finite number; got nan"),
    (lambda: jno.domain.disk(center=(0, 0, 0)), r"center must be two finite numbers; got \(0, 0, 0\)"),
    (lambda: jno.domain.disk(num_points=2), "num_points must be an integer of at least 3; got 2"),
    (lambda: jno.domain.disk(mesh_size="fine"), "mesh_size must be a positive finite number; got 'fine'"),
    (lambda: jno.domain.l_shape(-1), "size must be a positive finite number; got -1"),
    (lambda: jno.domain.l_shape(mesh_size=0.0), "mesh_size must be a positive finite number; got 0.0"),
    (lambda: jno.domain.rectangle_with_hole(0), "outer_size must be a positive finite number; got 0"),
    (lambda: jno.domain.rectangle_with_hole(1, 0), "hole_size must be a positive finite number; got 0"),
    (lambda: jno.domain.rectangle_with_hole(1, 1), "hole_size=1 must be smaller than outer_size=1"),
    (lambda: jno.domain.rectangle_with_hole(mesh_size=True), "mesh_size must be a positive finite number; got True"),
    (lambda: jno.domain.rectangle_with_holes(2.0), "outer_size must be two finite numbers; got 2.0"),
    (lambda: jno.domain.rectangle_with_holes((2, -1)), r"outer_size\[1\] must be a positive finite number; got -1.0"),
    (lambda: jno.domain.rectangle_with_holes(holes={"origin": (0, 0)}), "holes must be a list of dicts with origin"),
    (lambda: jno.domain.rectangle_with_holes(holes=[(0.2, 0.2)]), r"holes\[0\] must be a dict with origin, size"),
    (lambda: jno.domain.rectangle_with_holes(holes=[{"origin": (0.2, 0.2)}]), r"holes\[0\] must be a dict with origin"),
    (one_hole(kind="pipe"), r"holes\[0\] must be a dict with origin, size and, if wanted, type; got"),
    (one_hole(origin=(0.2,)), r"holes\[0\]\['origin'\] must be two finite numbers; got \(0.2,\)"),
    (one_hole(size=0), r"holes\[0\]\['size'\] must be a positive finite number; got 0"),
    (one_hole(size=(0.1, -0.1)), r"holes\[0\]\['size'\] must be a positive finite number; got -0.1"),
    (one_hole(size="big"), r"holes\[0\]\['size'\] must be two finite numbers; got 'big'"),
    (one_hole(type=""), r"holes\[0\]\['type'\] must be a non-empty string; got ''"),
    (one_hole(type="a@b"), "The tag 'a@b_boundary' is reserved"),
    (one_hole(origin=(0.0, 0.2)), r"holes\[0\] .* must lie inside the rectangle \(0, 0\) to \(2.0, 1.0\)"),
    (one_hole(size=0.8), r"holes\[0\] .* must lie inside the rectangle"),
    (one_hole(origin=(5, 5)), r"holes\[0\] .* must lie inside the rectangle"),
    (
        lambda: jno.domain.rectangle_with_holes(holes=[*HOLES, {"origin": (0.4, 0.3), "size": 0.2}]),
        r"holes\[0\] and holes\[3\] touch or overlap",
    ),
    (
        lambda: jno.domain.rectangle_with_holes(holes=[HOLES[1], {"origin": (1.0, 0.5), "size": 0.2}]),
        r"holes\[0\] and holes\[1\] touch or overlap; the holes must be apart",
    ),
    (lambda: jno.domain.rect_pml((1, 1)), r"x_range must be two different finite numbers .*; got \(1, 1\)"),
    (lambda: jno.domain.rect_pml(y_range=2), "y_range must be two different finite numbers .*; got 2"),
    (lambda: jno.domain.rect_pml(pml_thickness_top=0), "pml_thickness_top must be a positive finite number; got 0"),
    (lambda: jno.domain.rect_pml(pml_thickness_bottom=-1), "pml_thickness_bottom must be a positive .*; got -1"),
    (lambda: jno.domain.rect_pml(mesh_size=None), "mesh_size must be a positive finite number; got None"),
]


@pytest.mark.parametrize(("build", "message"), ERRORS)
def test_errors(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_gmsh_is_left_as_it_was():
    import gmsh

    assert not gmsh.isInitialized()
    with gmsh_session():
        gmsh.model.add("mine")
        gmsh.option.setNumber("Mesh.Algorithm", 5)
        jno.domain.triangle(mesh_size=0.5)
        assert gmsh.model.getCurrent() == "mine"
        assert gmsh.option.getNumber("Mesh.Algorithm") == 5
