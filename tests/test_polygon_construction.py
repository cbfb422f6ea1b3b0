"""Polygon domains before any point is drawn: construction, tags, set operations, regions, copies and every error."""

import inspect

import cloudpickle
import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, box

import jno

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
HOLE = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
SIDES = ["left", "right", "bottom", "top"]
csg = jno.domain.csg


def drawn(domain, tag, n=200, **options):
    key = domain.sample({tag: (n, None)}, **options)[2]
    return domain.context[key][0, 0], domain.context.get(f"n_{key}")


def normals_of(domain, tag, n=200):
    return np.unique(np.round(drawn(domain, tag, n, normals=True)[1][0, 0], 9) + 0.0, axis=0).tolist()


def extent(points):
    return [*points.min(axis=0), *points.max(axis=0)]


def area(domain, size=0.5):
    return domain.copy().build_mesh(size).quadrature("interior").weights.sum()


# -- signatures ----


@pytest.mark.parametrize("name", ["from_polygons", "from_regions"])
def test_signatures_of_the_mappings(name):
    signature = inspect.signature(getattr(csg, name))
    first, *keywords = signature.parameters.values()
    assert first.name == name.removeprefix("from_")
    assert first.default is inspect.Parameter.empty
    assert {p.name: p.default for p in keywords} == {
        "time": None,
        "compute_mesh_connectivity": False,
        "mesh_size": None,
        "sampler": None,
        "samplers": None,
        "resampling_strategy": None,
        "resampling_strategies": None,
    }
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in keywords)


def test_signatures_of_the_methods():
    mesh = inspect.signature(csg.build_mesh).parameters
    assert {name: p.default for name, p in mesh.items() if name != "self"} == {
        "mesh_size": 0.1,
        "algorithm": 6,
        "region_mesh_sizes": None,
        "sizes": None,
        "interpolate": True,
    }
    assert [name for name, p in mesh.items() if p.kind is inspect.Parameter.KEYWORD_ONLY] == [*mesh][2:]
    region = inspect.signature(csg.region).parameters
    assert [*region] == ["self", "name", "where", "kind"]
    assert region["kind"].default is None
    segments = inspect.signature(csg.add_boundary_segments).parameters
    assert [*segments] == ["self", "tag", "segments", "normal_geometry"]
    assert segments["normal_geometry"].default is None
    stack = inspect.signature(jno.domain.stack).parameters
    assert {name: p.default for name, p in stack.items() if name != "batched_domains"} == {
        "n_interior": 256,
        "n_boundary": 64,
    }
    assert [*inspect.signature(csg.compute_enclosure_view_factor).parameters][1:] == [
        "tags",
        "opaque_tags",
        "medium_tags",
    ]


# -- construction ----


@pytest.mark.parametrize(
    "build",
    [
        lambda: csg(SQUARE),
        lambda: csg(np.array(SQUARE)),
        lambda: csg([*SQUARE, SQUARE[0]]),
        lambda: csg([(x, y, 0.7) for x, y in SQUARE]),
        lambda: jno.domain(SQUARE),
        lambda: jno.domain(vertices=SQUARE),
        lambda: jno.domain.poly(SQUARE),
    ],
)
def test_vertices_make_a_region_called_polygon(build):
    d = build()
    assert isinstance(d, csg)
    assert isinstance(d, jno.domain)
    edges = [f"boundary_polygon_{i}" for i in range(4)]
    assert sorted(d.available_mesh_tags) == sorted(
        ["interior", "boundary", *SIDES, "interior_polygon", "boundary_polygon", *edges]
    )
    assert area(d) == pytest.approx(1.0, abs=1e-12)


def test_nothing_is_sampled_or_meshed_at_first():
    d = csg(SQUARE, compute_mesh_connectivity=True)
    assert d.mesh is None
    assert d.mesh_connectivity is None
    assert d.context == {}
    assert d.dimension == 2
    assert d.spatial == ["x", "y"]
    assert d.time is None
    assert d.points.shape == (0, 2)
    with pytest.raises(RuntimeError, match=r"no mesh yet; call build_mesh\(mesh_size\)"):
        d.built_mesh  # noqa: B018


def test_boundary_tags_need_no_mesh():
    d = csg(SQUARE).region("hot", box(0, 0, 0.5, 1)).tag("corner", lambda x, y: x + y < 0.1)
    assert set(d.boundary_tags()) == set(d.available_mesh_tags) - {
        "interior",
        "interior_polygon",
        "interior_hot",
        "hot",
        "corner",
    }
    assert d.boundary_tags() == sorted(d.boundary_tags())
    assert csg.from_polygons({}).boundary_tags() == []


@pytest.mark.parametrize("build", [csg, jno.domain, lambda shape, **k: csg(geometry=shape, **k)])
def test_shapely_geometries_are_regions_when_named(build):
    shape = box(0, 0, 3, 2)
    assert build(shape).available_mesh_tags == ["interior", "boundary", *SIDES]
    assert build(shape, name="polygon").available_mesh_tags == ["interior", "boundary", *SIDES]
    tags = build(shape, name="plate").available_mesh_tags
    assert tags[6:] == ["interior_plate", "boundary_plate", *(f"boundary_plate_{i}" for i in range(4))]


def test_multipolygons_and_third_coordinates_of_shapely():
    pieces = MultiPolygon([box(0, 0, 1, 1), box(2, 0, 4, 1)])
    d = csg(pieces, name="two")
    assert area(d) == pytest.approx(3.0)
    assert len([tag for tag in d.available_mesh_tags if tag.startswith("boundary_two_")]) == 8
    assert area(csg(shapely.force_3d(box(0, 0, 2, 1), 5.0))) == pytest.approx(2.0)


@pytest.mark.parametrize("build", [jno.domain, csg, csg.from_regions, csg.from_polygons, lambda r: csg(regions=r)])
def test_dicts_of_vertices_and_geometries(build):
    d = build({"a": SQUARE, "b": box(1, 0, 3, 1)})
    assert {"interior_a", "boundary_a_3", "interior_b", "boundary_b_3"} <= set(d.available_mesh_tags)
    assert extent(drawn(d, "interior_b")[0])[0] > 1.0
    assert area(d) == pytest.approx(3.0)


def test_overlapping_regions_make_their_union():
    d = csg.from_polygons({"a": SQUARE, "b": [(0.5, 0), (1.5, 0), (1.5, 1), (0.5, 1)]})
    assert area(d) == pytest.approx(1.5)
    assert set(SIDES) <= set(d.available_mesh_tags)


def test_regions_without_area_are_left_out():
    d = csg.from_regions({"a": box(0, 0, 1, 1), "none": shapely.Polygon()})
    assert not [tag for tag in d.available_mesh_tags if "none" in tag]
    assert csg.from_polygons({}).available_mesh_tags == []
    assert csg.from_regions({}).available_mesh_tags == []
    assert csg(shapely.Polygon()).available_mesh_tags == []


def test_names_become_strings():
    assert "interior_3" in csg.from_polygons({3: SQUARE}).available_mesh_tags
    assert "boundary_3_0" in csg({3: SQUARE}).available_mesh_tags


def test_further_regions_of_a_shape():
    d = csg(SQUARE, name="outer", regions={"core": box(0.4, 0.4, 0.6, 0.6)})
    assert area(d) == pytest.approx(1.0)
    assert np.allclose(extent(drawn(d, "interior_core", 4000)[0]), (0.4, 0.4, 0.6, 0.6), atol=2e-3)


def test_source_edges_number_the_edges():
    d = csg(SQUARE, name="a", source_edges={"a": [[(1, 1), (0, 1)], [(0, 0), (1, 0)]]})
    assert "boundary_a_2" not in d.available_mesh_tags
    assert np.all(drawn(d, "boundary_a_0")[0][:, 1] == 1.0)
    assert np.all(drawn(d, "boundary_a_1")[0][:, 1] == 0.0)


def test_mesh_size_and_connectivity_keywords():
    d = csg(SQUARE, mesh_size=0.5)
    assert d.mesh is not None
    assert d.ds == 0.5
    assert d.mesh_connectivity["dimension"] == 2
    assert csg(SQUARE, mesh_size=0.2, algorithm=5).algorithm == 5
    assert csg.from_polygons({"a": SQUARE}, mesh_size=0.5).ds == 0.5
    assert csg.from_regions({"a": box(0, 0, 1, 1)}, mesh_size=0.5).ds == 0.5


def test_time_axis():
    for build in (
        lambda: csg(SQUARE, time=(0, 2, 5)),
        lambda: csg.from_polygons({"a": SQUARE}, time=(0, 2, 5)),
        lambda: csg.from_regions({"a": box(0, 0, 1, 1)}, time=(0, 2, 5)),
        lambda: jno.domain(box(0, 0, 1, 1), time=(0, 2, 5)),
    ):
        d = build()
        assert d.is_time_dependent
        assert d.time == (0.0, 2.0, 5)
        assert d.dimension == 2


@pytest.mark.parametrize(
    ("vertices", "message"),
    [
        ([(0, 0), (1, 0)], "at least three unique vertices are needed"),
        ([(0, 0), (1, 0), (0, 0), (1, 0)], "at least three unique vertices are needed"),
        ([(0, 0), (1, 0), (np.nan, 1)], "the vertices must be finite numbers"),
        ([(0, 0), (1, 0), (1, np.inf)], "the vertices must be finite numbers"),
        ([(0, 0), (0, 0), (1, 0), (1, 1)], "zero-length edge at vertex 0"),
        ([(0, 0), (1, 0), (1, 0), (1, 1)], "zero-length edge at vertex 1"),
        ([(0, 0, 0), (1, 0, 0), (1, 1, 0.5)], "one constant z"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], r"Invalid polygon 'polygon': Self-intersection\[0.5 0.5\]"),
        ([(0, 0), (1, 1), (2, 2)], "its area must be positive"),
        ([(0, 0), (1, 0), (2, 0), (1, 0)], "its area must be positive"),
        ([(0, 0), (1, 0), (0.5, 1e-30)], "the vertices span zero area"),
        (np.zeros((4, 4)), r"at least three points \(x, y\); got an array of shape \(4, 4\)"),
        ([], r"got an array of shape \(0,\)"),
        ([(0, 0), (1, 0), ("a", 1)], r"at least three points \(x, y\); got"),
        (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), r"Self-intersection\[0.5 0.5\]"),
        (shapely.Polygon(SQUARE, [[(2, 2), (3, 2), (3, 3)]]), "Hole lies outside shell"),
        (shapely.Polygon([(0, 0), (1, 0), (1, np.inf)]), "the coordinates must be finite numbers"),
        (shapely.Polygon([(0, 0), (1e-9, 0), (1e-9, 1e-9)]), "the geometry has zero area"),
        (LineString([(0, 0), (1, 1)]), "must be a Polygon or MultiPolygon; got a shapely LineString"),
        (Point(0, 0), "got a shapely Point"),
        ({"a": 3}, r"Invalid polygon 'a': vertices must be a sequence"),
        (None, "You must provide a geometry"),
    ],
)
def test_shapes_that_cannot_be(vertices, message):
    with pytest.raises(ValueError, match=message):
        csg(vertices)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"geometry": box(0, 0, 1, 1)}, ValueError, "either vertices or geometry=, not both"),
        ({"mesh_sise": 0.1}, TypeError, r"unknown keyword\(s\) \['mesh_sise'\]; allowed: name, geometry, regions"),
        ({"algorithm": 5}, ValueError, r"algorithm= concerns the mesh: give mesh_size="),
        ({"mesh_size": 0}, ValueError, "mesh_size must be a positive float; got 0"),
        ({"mesh_size": -0.1}, ValueError, "mesh_size must be a positive float; got -0.1"),
        ({"mesh_size": np.nan}, ValueError, "mesh_size must be a positive float; got nan"),
        ({"mesh_size": True}, ValueError, "mesh_size must be a positive float; got True"),
        ({"time": (0,)}, ValueError, r"time must be \(t0, t1, n\)"),
        ({"time": (1, 0, 5)}, ValueError, "finite t1 > t0"),
        ({"name": ""}, ValueError, "A tag must be a non-empty string"),
        ({"name": "a@1"}, ValueError, "The tag 'a@1' is reserved"),
        ({"regions": {"polygon": SQUARE}}, ValueError, "name= is also a key of regions="),
        ({"regions": [box(0, 0, 1, 1)]}, TypeError, "Regions must be a dict name -> polygon; got list"),
        ({"source_edges": {"x": []}}, ValueError, r"source_edges= names the unknown region\(s\) \['x'\]"),
        ({"source_edges": {"polygon": [[(0, 0), (0, 0)]]}}, ValueError, "contain none of positive length"),
        ({"samplers": {"x": np.zeros}}, ValueError, r"samplers= names the unknown region\(s\) \['x'\]"),
        ({"sampler": 3}, ValueError, r"must be a callable \(geometry, n\) -> points"),
        ({"sampler": "sobel"}, ValueError, "Unknown sampler 'sobel'"),
        ({"resampling_strategies": {"x": 3}}, ValueError, r"resampling_strategies= names the unknown region\(s\)"),
    ],
)
def test_keywords_that_cannot_be(keywords, error, message):
    with pytest.raises(error, match=message):
        csg(SQUARE, **keywords)
    with pytest.raises(error, match=message):
        jno.domain(SQUARE, **keywords)


@pytest.mark.parametrize("build", [csg.from_polygons, csg.from_regions, jno.domain])
def test_mappings_that_cannot_be(build):
    with pytest.raises(ValueError, match=r"Duplicate region name\(s\) \['1'\]: the names must differ as strings"):
        build({1: SQUARE, "1": SQUARE})
    with pytest.raises(ValueError, match="Invalid polygon 'b': zero-length edge"):
        build({"a": SQUARE, "b": [(0, 0), (0, 0), (1, 0), (1, 1)]})
    with pytest.raises(ValueError, match="The region 'a' must be a Polygon or MultiPolygon"):
        build({"a": LineString([(0, 0), (1, 0)])})
    with pytest.raises(ValueError, match="The tag 'boundary_a_0' would name two regions"):
        build({"a": SQUARE, "a_0": SQUARE})
    with pytest.raises(TypeError, match=r"unexpected keyword|unknown keyword"):
        build({"a": SQUARE}, mesh_sise=0.1)


def test_a_dict_and_regions_are_too_much():
    with pytest.raises(ValueError, match="either as the first argument or as regions=, not both"):
        csg({"a": SQUARE}, regions={"b": SQUARE})


# -- tags ----


def test_edge_tags_follow_the_vertices():
    vertices = [(2, 1), (0, 3), (-1, 0), (1, -2), (4, 0)]
    d = csg(vertices, name="p")
    for number, (start, stop) in enumerate(zip(vertices, [*vertices[1:], vertices[0]], strict=True)):
        points, _ = drawn(d, f"boundary_p_{number}")
        edge = LineString([start, stop])
        assert np.max(shapely.distance(edge, shapely.points(points))) < 1e-12
        assert edge.project(Point(points[0])) != edge.project(Point(points[1]))
    assert "boundary_p_5" not in d.available_mesh_tags


def test_clockwise_vertices_keep_their_order_and_outward_normals():
    d = csg(SQUARE[::-1], name="p")  # (0, 1), (1, 1), (1, 0), (0, 0)
    expected = [[[0.0, 1.0]], [[1.0, 0.0]], [[0.0, -1.0]], [[-1.0, 0.0]]]
    assert [normals_of(d, f"boundary_p_{i}") for i in range(4)] == expected


def test_edges_of_shapely_regions_are_numbered_ring_by_ring():
    shape = shapely.Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (1, 2), (2, 2), (2, 1)]])
    d = csg(shape, name="r")
    rings = [shape.exterior, *shape.interiors]
    starts = [tuple(c) for ring in rings for c in ring.coords[:-1]]
    stops = [tuple(c) for ring in rings for c in ring.coords[1:]]
    for number, ends in enumerate(zip(starts, stops, strict=True)):
        assert np.max(shapely.distance(LineString(ends), shapely.points(drawn(d, f"boundary_r_{number}")[0]))) < 1e-12


def test_sides_of_rectangles_only():
    sides = {"left": (0, -1.0), "right": (0, 3.0), "bottom": (1, 2.0), "top": (1, 5.0)}
    d = csg(box(-1, 2, 3, 5))
    for name, (axis, value) in sides.items():
        points, _ = drawn(d, name)
        assert np.all(points[:, axis] == value)
        assert np.ptp(points[:, 1 - axis]) > 2.5
    assert normals_of(d, "left") == [[-1.0, 0.0]]
    assert normals_of(d, "top") == [[0.0, 1.0]]
    for shape in (
        [(0, 0), (1, 0), (0, 1)],
        shapely.affinity.rotate(box(0, 0, 1, 1), 30),
        box(0, 0, 3, 3) - box(1, 1, 2, 2),
        MultiPolygon([box(0, 0, 1, 1), box(2, 0, 3, 1)]),
        Point(0, 0).buffer(1),
    ):
        assert not set(SIDES) & set(csg(shape).available_mesh_tags)


def test_rectangles_with_more_vertices_have_sides():
    d = csg([(0, 0), (0.5, 0), (1, 0), (1, 1), (0, 1)])
    assert set(SIDES) <= set(d.available_mesh_tags)
    assert np.ptp(drawn(d, "bottom")[0][:, 0]) > 0.9


def test_existing_tags_win_over_sides():
    d = csg([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)], name="l")
    d.add_boundary_segments("left", [[(0, 0), (0, 0.5)]])
    full = d | box(1, 1, 2, 2)
    assert set(SIDES) <= set(full.available_mesh_tags)
    assert drawn(full, "left", 500)[0][:, 1].max() < 0.5


def test_source_edges_exist_as_far_as_the_domain_does():
    d = csg(SQUARE, name="a") - csg([(-1, -1), (0.5, -1), (0.5, 2), (-1, 2)], name="cut")
    assert "boundary_a_3" not in d.available_mesh_tags
    points, _ = drawn(d, "boundary_a_0", 2000)
    assert points[:, 0].min() > 0.5 - 1e-9
    assert np.allclose(drawn(d, "boundary_cut")[0][:, 0], 0.5)
    assert "interior_cut" not in d.available_mesh_tags


# -- set operations ----


@pytest.mark.parametrize(
    ("operator", "method", "expected"),
    [
        (lambda a, b: a + b, "union", 1.75),
        (lambda a, b: a | b, "union", 1.75),
        (lambda a, b: a & b, "intersection", 0.25),
        (lambda a, b: a - b, "difference", 0.75),
        (lambda a, b: a ^ b, "symmetric_difference", 1.5),
    ],
)
@pytest.mark.parametrize(
    "other",
    [
        csg([(0.5, 0.5), (1.5, 0.5), (1.5, 1.5), (0.5, 1.5)], name="b"),
        box(0.5, 0.5, 1.5, 1.5),
        [(0.5, 0.5), (1.5, 0.5), (1.5, 1.5), (0.5, 1.5)],
        ((0.5, 0.5), (1.5, 0.5), (1.5, 1.5), (0.5, 1.5)),
        np.array([(0.5, 0.5), (1.5, 0.5), (1.5, 1.5), (0.5, 1.5)]),
    ],
    ids=["domain", "shapely", "list", "tuple", "array"],
)
def test_set_operations(operator, method, expected, other):
    a = csg(SQUARE, name="a")
    before = a.available_mesh_tags
    made = operator(a, other)
    assert isinstance(made, csg)
    assert made.mesh is None
    assert made.total_samples == 1
    assert area(made) == pytest.approx(expected, rel=1e-12)
    assert area(getattr(a, method)(other)) == pytest.approx(expected, rel=1e-12)
    assert made is not a
    assert a.available_mesh_tags == before


def test_regions_and_edges_of_both_operands_are_kept():
    d = csg(SQUARE, name="a") | csg([(1, 0), (2, 0), (2, 1), (1, 1)], name="b")
    assert {"interior_a", "boundary_a_3", "interior_b", "boundary_b_3"} <= set(d.available_mesh_tags)
    assert extent(drawn(d, "interior_b", 4000)[0]) == pytest.approx([1, 0, 2, 1], abs=5e-3)


def test_the_same_name_continues_the_numbers():
    d = csg(SQUARE, name="a") + csg([(2, 0), (3, 0), (3, 1)], name="a")
    assert [t for t in d.available_mesh_tags if t.startswith("boundary_a_")] == [f"boundary_a_{i}" for i in range(7)]
    assert np.allclose(drawn(d, "boundary_a_5")[0][:, 0], 3.0)
    assert extent(drawn(d, "interior_a", 4000)[0]) == pytest.approx([0, 0, 3, 1], abs=2e-2)


def test_normals_of_a_hole_point_into_it():
    d = csg(SQUARE, name="a") - csg(HOLE, name="h")
    expected = [[[0.0, 1.0]], [[-1.0, 0.0]], [[0.0, -1.0]], [[1.0, 0.0]]]
    assert [normals_of(d, f"boundary_h_{i}") for i in range(4)] == expected
    assert normals_of(d, "boundary_a_0") == [[0.0, -1.0]]
    filled = d | csg(HOLE, name="h")
    assert normals_of(filled, "boundary_h_0") == [[0.0, -1.0]]


def test_samplers_and_parameters_of_the_left_operand_win():
    a = csg(SQUARE, name="a", sampler=lambda g, n: np.full((n, 2), 0.25)) < ("nu", 1.0)
    b = csg([(1, 0), (2, 0), (2, 1), (1, 1)], name="b", sampler=lambda g, n: np.full((n, 2), 0.75)) < ("nu", 2.0)
    b = b < ("mu", 3.0)
    assert np.all(drawn(a | b, "interior")[0] == 0.25)
    assert np.all(drawn(b | a, "interior")[0] == 0.75)
    assert (a | b).parameters == {"nu": 1.0, "mu": 3.0}


def test_time_of_set_operations():
    steady, slow = csg(SQUARE), csg(SQUARE, time=(0, 1, 3))
    assert (steady | slow).time == (slow - steady).time == (0.0, 1.0, 3)
    assert (steady & steady).time is None
    with pytest.raises(ValueError, match=r"different time axes cannot be merged: \(0.0, 1.0, 3\) and \(0.0, 2.0, 3\)"):
        slow | csg(SQUARE, time=(0, 2, 3))


def test_meshes_and_batch_rows_do_not_survive_set_operations():
    d = (3 * csg(SQUARE, mesh_size=0.5)) - HOLE
    assert d.mesh is None
    assert d.total_samples == 1


def test_empty_results():
    a = csg(SQUARE, name="a")
    for empty in (a - a, a & box(3, 3, 4, 4), a & box(1, 1, 2, 2), a & box(1, 0, 2, 1), a ^ a):
        assert empty.available_mesh_tags == []
        with pytest.raises(ValueError, match="empty active geometry"):
            empty.build_mesh()
        with pytest.raises(ValueError, match=r"Unknown tag 'interior'. Tags of this domain: \[\]"):
            empty.variable("interior", (5, None))
    assert area((a - a) | a) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (3, TypeError, "needs a polygon domain, a shapely geometry or a list of vertices; got int"),
        ({"a": SQUARE}, TypeError, "got dict"),
        (jno.domain.rect(mesh_size=0.5), TypeError, "of a polygon domain and another kind of domain is not defined"),
        (LineString([(0, 0), (1, 1)]), ValueError, "got a shapely LineString"),
        ([(0, 0), (1, 0)], ValueError, "at least three unique vertices"),
    ],
)
def test_operands_that_cannot_be(other, error, message):
    for operation in (lambda d: d + other, lambda d: d & other, lambda d: d - other, lambda d: d ^ other):
        with pytest.raises(error, match=message):
            operation(csg(SQUARE))


def test_a_mesh_domain_plus_polygons_is_refused():
    with pytest.raises(TypeError, match="A polygon domain and another kind of domain cannot be added"):
        jno.domain.rect(mesh_size=0.5) + csg(SQUARE)


# -- copies ----


def test_copies_are_independent():
    d = csg(SQUARE, name="a")
    d.variable("interior", (5, None))
    points = d.context["interior"].copy()
    other = d.copy()
    assert isinstance(other, csg)
    other.region("hot", box(0, 0, 0.5, 0.5)).build_mesh(0.5)
    other.variable("boundary", (5, None))
    assert "hot" not in d.available_mesh_tags
    assert d.mesh is None
    assert [*d.context] == ["interior", "__time__"]
    np.testing.assert_array_equal(other.context["interior"], points)
    np.testing.assert_array_equal(d.context["interior"], points)


def test_clones_have_the_same_regions():
    d = csg(SQUARE, name="a").tag("half", lambda x, y: x < 0.5)
    d.variable("interior", (5, None))
    clone = jno.domain(d, time=(0, 1, 3))
    assert isinstance(clone, jno.domain)
    assert clone.available_mesh_tags == d.available_mesh_tags
    assert clone.time == (0.0, 1.0, 3)
    assert "interior" not in clone.context
    assert drawn(clone, "half")[0][:, 0].max() < 0.5
    assert clone.context["half"].shape == (1, 3, 200, 2)
    assert d.time is None
    meshed = jno.domain(csg(SQUARE, mesh_size=0.5))
    assert meshed.quadrature("interior").weights.sum() == pytest.approx(1.0)
    with pytest.raises(TypeError, match=r"copy a polygon domain with its method copy\(\)"):
        csg(d)


@pytest.mark.parametrize("meshed", [False, True])
def test_pickles(meshed):
    d = (csg(SQUARE, name="a", time=(0, 1, 3)) - csg(HOLE, name="h")).region("hot", box(0, 0, 0.2, 0.2))
    d.tag("half", lambda x, y: x < 0.5)
    if meshed:
        d.build_mesh(0.3)
    d.variable("boundary_h", (5, None), normals=True)
    again = cloudpickle.loads(cloudpickle.dumps(d))
    assert isinstance(again, csg)
    assert again.available_mesh_tags == d.available_mesh_tags
    np.testing.assert_array_equal(again.context["n_boundary_h"], d.context["n_boundary_h"])
    np.testing.assert_array_equal(drawn(again, "half")[0], drawn(d, "half")[0])
    assert area(again) == pytest.approx(0.75)
    assert repr(again) == repr(d)


def test_the_representation_names_what_there_is():
    assert repr(csg(box(0, 0, 1, 1))).startswith("csg(Polygon, not meshed, tags=['interior', 'boundary', 'left'")
    assert repr(csg(box(0, 0, 1, 1), time=(0, 1, 3), mesh_size=5.0)).startswith("csg(Polygon, 5 nodes, tags=[")
    assert repr(csg(box(0, 0, 1, 1), time=(0, 1, 3))).endswith("time=(0.0, 1.0, 3))")


# -- regions ----


def test_areas_become_interior_tags_and_source_regions():
    d = csg(SQUARE)
    assert d.region("hot", box(0.5, 0.5, 2, 2)) is d
    assert {"hot", "interior_hot", "boundary_hot"} <= set(d.available_mesh_tags)
    for tag in ("hot", "interior_hot"):
        assert extent(drawn(d, tag, 4000)[0]) == pytest.approx([0.5, 0.5, 1, 1], abs=2e-3)
    assert d.region("two", MultiPolygon([box(0, 0, 0.1, 0.1), box(0.3, 0, 0.4, 0.1)]), kind="interior") is d
    assert extent(drawn(d, "two", 4000)[0]) == pytest.approx([0, 0, 0.4, 0.1], abs=2e-3)


@pytest.mark.parametrize("kind", [None, "boundary"])
def test_lines_become_boundary_tags(kind):
    d = csg(SQUARE)
    d.region("some", shapely.MultiLineString([[(0, 0), (0.25, 0)], [(1, 0.5), (1, 1)]]), kind=kind)
    points, normals = drawn(d, "some", 3000, normals=True)
    on_bottom = points[:, 1] == 0.0
    assert np.all(points[on_bottom, 0] <= 0.25)
    assert np.allclose(normals[0, 0][on_bottom], (0, -1))
    assert np.allclose(normals[0, 0][~on_bottom], (1, 0))
    assert np.mean(on_bottom) == pytest.approx(1 / 3, abs=0.04)


def test_predicates_select_whole_edges():
    seen = []

    def where(x, y):
        seen.append((x, y))
        return x > 0.9

    d = csg([(0, 0), (2, 0), (2, 1), (0, 1)]).region("far", where)
    assert sorted(seen) == [(0.0, 0.5), (1.0, 0.0), (1.0, 1.0), (2.0, 0.5)]
    assert all(type(v) is float for pair in seen for v in pair)
    points, normals = drawn(d, "far", 500, normals=True)
    assert points[:, 0].min() < 0.1
    assert not np.any(points[:, 0] == 0.0)
    assert sorted(np.unique(normals[0, 0] + 0.0, axis=0).tolist()) == [[0.0, -1.0], [0.0, 1.0], [1.0, 0.0]]


def test_aliases_are_second_names():
    d = csg(SQUARE).region("inlet", "left").region("core", "interior").region("also", "inlet", kind="boundary")
    assert normals_of(d, "also") == normals_of(d, "inlet") == [[-1.0, 0.0]]
    assert drawn(d, "core")[0].shape == (200, 2)
    d.build_mesh(0.25)
    assert np.array_equal(d.tag_indices["also"], d.tag_indices["left"])
    assert d.quadrature("core").weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("where", "kind", "error", "message"),
    [
        (3, None, TypeError, "where must be a shapely geometry, a predicate"),
        (box(3, 3, 4, 4), None, ValueError, "the area lies outside the domain or is empty"),
        (shapely.Polygon(), None, ValueError, "the area lies outside the domain or is empty"),
        (Point(0, 0), None, ValueError, "needs a Polygon or LineString; got a shapely Point"),
        (LineString([(0, 0), (1, 0)]), "interior", ValueError, "needs a Polygon; got a shapely LineString"),
        (LineString([(0, 0), (0, 0)]), None, ValueError, "contain none of positive length"),
        (box(0, 0, 1, 1), "boundary", ValueError, "needs a LineString; got a shapely Polygon"),
        (box(0, 0, 1, 1), "edge", ValueError, "kind must be 'boundary', 'interior' or None; got 'edge'"),
        (lambda x, y: True, "interior", NotImplementedError, "kind='interior'.* from a predicate is not available"),
        (lambda x, y: False, None, ValueError, "holds at the midpoint of none of the 4 edges"),
        ("nope", None, ValueError, "unknown tag 'nope'; tags: "),
        ("left", "interior", ValueError, "the tag 'left' is of kind 'boundary'"),
    ],
)
def test_regions_that_cannot_be(where, kind, error, message):
    d = csg(SQUARE)
    before = d.available_mesh_tags
    with pytest.raises(error, match=message):
        d.region("new", where, kind=kind)
    assert d.available_mesh_tags == before


INTERFACE = r"'interface_b_a' exists once build_mesh\(mesh_size\) has found a line that the regions 'b' and 'a' share"


@pytest.mark.parametrize(
    "use",
    [
        lambda d: d.variable("interface_b_a", (3, None)),
        lambda d: d.sample({"interface_b_a": (3, None)}),
        lambda d: d.quadrature("interface_b_a"),
        lambda d: d.region("common", "interface_b_a"),
        lambda d: d.compute_enclosure_view_factor(["interface_b_a"]),
    ],
)
def test_interfaces_before_the_mesh(use):
    d = csg.from_polygons({"a": SQUARE, "b": [(1, 0), (2, 0), (2, 1), (1, 1)]})
    with pytest.raises(ValueError, match=INTERFACE):
        use(d)
    with pytest.raises(ValueError, match=r"Unknown tag 'interface_b_c'\. Tags of this domain"):
        d.variable("interface_b_c")
    d.build_mesh(0.5)
    assert len(d.variable("interface_b_a", (3, None))) == 3


@pytest.mark.parametrize("name", ["left", "interior", "polygon", "boundary_polygon_0"])
def test_names_that_are_taken(name):
    d = csg(SQUARE)
    with pytest.raises(ValueError, match=f"The tag '{name}' exists already; use another name"):
        d.region(name, box(0, 0, 0.5, 0.5))
    with pytest.raises(ValueError, match=f"The tag '{name}' exists already; use another name"):
        d.add_boundary_segments(name, [[(0, 0), (1, 0)]])
    with pytest.raises(ValueError, match="reserved"):
        d.region("initial", "left")


def test_regions_of_an_empty_domain():
    with pytest.raises(ValueError, match="the geometry is empty and has no boundary"):
        csg.from_polygons({}).region("r", lambda x, y: True)
    with pytest.raises(ValueError, match="selects no part of the interior or of the boundary"):
        csg.from_polygons({}).tag("r", lambda x, y: x > 0)


# -- boundary segments ----


def test_segments_become_a_boundary_tag():
    d = csg(SQUARE)
    assert d.add_boundary_segments("heater", [[(0.25, 0.0), (0.75, 0.0)], [(0, 0), (0, 0)]]) is d
    points, normals = drawn(d, "heater", 500, normals=True)
    assert np.all(points[:, 1] == 0.0)
    assert extent(points) == pytest.approx([0.25, 0, 0.75, 0], abs=5e-3)
    assert np.allclose(normals, (0, -1))


def test_segments_with_three_coordinates():
    d = csg(SQUARE).add_boundary_segments("edge", np.array([[[0, 0, 9.0], [0, 1, 9.0]]]))
    assert normals_of(d, "edge") == [[-1.0, 0.0]]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("upper", [0.0, -1.0]),
        ("lower", [0.0, 1.0]),
        (["lower"], [0.0, 1.0]),
        (box(0, 0, 1, 0.5), [0.0, 1.0]),
        (box(0, 0.5, 1, 1), [0.0, -1.0]),
    ],
)
def test_normals_of_segments_point_out_of_the_geometry_given(inside, expected):
    d = csg.from_regions({"lower": box(0, 0, 1, 0.5), "upper": box(0, 0.5, 1, 1)})
    d.add_boundary_segments("middle", [[(0, 0.5), (1, 0.5)]], normal_geometry=inside)
    assert normals_of(d, "middle") == [expected]


def test_normals_of_segments_of_several_regions():
    d = csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 0, 2, 1), "c": box(0, 1, 2, 2)})
    d.add_boundary_segments("ab", [[(0, 1), (2, 1)]], normal_geometry=("a", "b"))
    assert normals_of(d, "ab") == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([[(0, 0), (1, 0), (1, 1)]], "Segment 0 of 'new' must be two finite points"),
        ([[(0, 0), (1, 0)], [(0, 0), (np.nan, 0)]], "Segment 1 of 'new' must be two finite points"),
        ([["a", "b"]], "Segment 0 of 'new' must be two finite points"),
        ([[(0, 0), (0, 0)]], "contain none of positive length"),
        ([], "contain none of positive length"),
    ],
)
def test_segments_that_cannot_be(segments, message):
    with pytest.raises(ValueError, match=message):
        csg(SQUARE).add_boundary_segments("new", segments)


@pytest.mark.parametrize("inside", ["nope", [], 3, ["polygon", "nope"]])
def test_unknown_normal_geometries(inside):
    with pytest.raises(ValueError, match=r"normal_geometry of 'new' must be a region .*regions: \['polygon'\]"):
        csg(SQUARE).add_boundary_segments("new", [[(0, 0), (1, 0)]], normal_geometry=inside)


_TRIANGLE = [(0, 0), (1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: jno.domain.csg(_TRIANGLE, resampling_strategies=5),
            r"csg\(resampling_strategies=5\): resampling_strategies must be a dict by region, or None",
        ),
        (lambda: jno.domain.csg(_TRIANGLE, resampling_strategy="rad"), r"must be one of jno.sampler.*got 'rad'"),
        (lambda: jno.domain.csg(_TRIANGLE, samplers=[]), "samplers must be a dict by region"),
        (lambda: jno.domain.csg(_TRIANGLE, source_edges=3), "source_edges must be a dict by region"),
        (lambda: jno.domain.csg(_TRIANGLE, name=3), r"jno.domain.csg\(name=3\): name must be a string"),
        (
            lambda: jno.domain(_TRIANGLE).region("r", lambda *a: "s"),
            "predicate where must return True or False; got 's'",
        ),
        (lambda: jno.domain(_TRIANGLE).region("r", lambda: True), r"where must be a predicate f\(x, y\)"),
        (lambda: jno.domain(_TRIANGLE).build_mesh(0.5, sizes=[0.1]), r"sizes must be a dict region -> size, or None"),
        (lambda: jno.domain(_TRIANGLE).build_mesh(0.5, interpolate=1), "interpolate must be True or False"),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()
