"""Meshes of polygon domains: conforming interfaces, exact tags, sizes, tags and samples that survive, integrals."""

import inspect

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, MultiPolygon, Point, box

import jno

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
csg = jno.domain.csg


def measure(domain, tag):
    return float(domain.quadrature(tag).weights.sum())


def centroid(domain, tag):
    rule = domain.quadrature(tag)
    return rule.weights @ rule.points / rule.weights.sum()


def signed_areas(domain):
    corners = domain.points[domain.mesh.cells]
    return np.linalg.det(corners[:, 1:] - corners[:, :1]) / 2


def edge_counts(domain):
    """Every edge of the triangles, and how many triangles share it."""
    cells = np.sort(domain.mesh.cells, axis=1)
    return np.unique(np.concatenate([cells[:, [0, 1]], cells[:, [1, 2]], cells[:, [0, 2]]]), axis=0, return_counts=True)


def edges_on(domain, line, slack=1e-9):
    """How many triangles share each edge that lies on a line."""
    edges, counts = edge_counts(domain)
    near = shapely.distance(line, shapely.points(domain.points)) < slack
    middle = shapely.distance(line, shapely.points(domain.points[edges].mean(axis=1))) < slack
    chosen = near[edges].all(axis=1) & middle
    lengths = np.linalg.norm(np.diff(domain.points[edges[chosen]], axis=1)[:, 0], axis=1)
    return counts[chosen], lengths.sum()


def check_mesh(domain, shape):
    """Positive triangles that cover the shape, without hanging nodes."""
    assert np.all(signed_areas(domain) > 0)
    assert signed_areas(domain).sum() == pytest.approx(shape.area, rel=1e-9)
    edges, counts = edge_counts(domain)
    assert set(counts) <= {1, 2}
    outer = domain.points[edges[counts == 1]]
    assert np.linalg.norm(np.diff(outer, axis=1), axis=2).sum() == pytest.approx(shape.length, rel=1e-9)
    assert np.all(np.isin(np.arange(len(domain.points)), domain.mesh.cells))


# -- areas and shapes ----


SHAPES = {
    "square": box(0, 0, 1, 1),
    "holes": box(0, 0, 4, 3) - Point(1, 1).buffer(0.5) - box(2, 1, 3.5, 2.5),
    "disjoint": MultiPolygon([box(0, 0, 1, 1), box(2, 0, 4, 3) - box(2.5, 0.5, 3, 2), Point(1, 3).buffer(0.5)]),
    "concave": shapely.Polygon([(0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (1, 1), (1, 4), (0, 4)]),
    "island": (box(0, 0, 5, 5) - box(1, 1, 4, 4)) | box(2, 2, 3, 3),
    "corner to corner": box(0, 0, 1, 1) | box(1, 1, 2, 2),
    "hole at a corner": box(0, 0, 2, 2) - shapely.Polygon([(1, 0), (1.5, 1), (0.5, 1)]),
    "far away": shapely.affinity.translate(box(0, 0, 1, 1) - box(0.25, 0.25, 0.5, 0.5), 1000, -1000),
}


@pytest.mark.parametrize("name", SHAPES)
def test_meshes_cover_the_shape(name):
    shape = SHAPES[name]
    d = csg(shape, name="s").build_mesh(0.4)
    check_mesh(d, shape)
    assert measure(d, "interior") == pytest.approx(shape.area, rel=1e-9)
    assert measure(d, "boundary") == pytest.approx(shape.length, rel=1e-9)
    assert centroid(d, "interior") == pytest.approx(shape.centroid.coords[0], rel=1e-9)
    edges = [tag for tag in d.available_mesh_tags if tag.startswith("boundary_s_")]
    assert sum(measure(d, tag) for tag in edges) == pytest.approx(shape.length, rel=1e-9)


def test_small_and_large_domains():
    for scale in (1e-4, 1e5):
        d = csg(np.array(SQUARE) * scale, mesh_size=0.25 * scale)
        assert measure(d, "interior") == pytest.approx(scale**2, rel=1e-9)
        assert 20 < len(d.points) < 50


def test_what_a_mesh_brings():
    d = csg(SQUARE)
    assert d.build_mesh(0.25) is d
    assert d.built_mesh is d.mesh
    assert d.ds == 0.25
    assert d.mesh_connectivity["triangles"].shape == (len(d.mesh.cells), 3)
    assert d.mesh_connectivity["n_points"] == len(d.points)
    assert set(d.boundary_tags()) == set(d.available_mesh_tags) - {"interior", "interior_polygon"}
    assert d._boundary_registry["left"]["entity_kind"] == "line"
    assert np.all(d._boundary_registry["left"]["points"][:, 0] == 0.0)
    d.variable("interior")
    assert d.context["interior"].shape == (1, 1, len(d.points), 2)
    assert csg(SQUARE).build_mesh().ds == 0.1


def test_nodes_of_edges_lie_exactly_on_them():
    d = csg(SQUARE, mesh_size=0.07)
    for tag, axis, value in (("left", 0, 0.0), ("right", 0, 1.0), ("bottom", 1, 0.0), ("top", 1, 1.0)):
        assert np.all(d.points[d.tag_indices[tag], axis] == value)
        along = np.sort(d.points[d.tag_indices[tag], 1 - axis])
        assert (along[0], along[-1]) == (0.0, 1.0)
        assert np.diff(along).max() < 0.1


def test_the_mesh_size_is_met():
    for size in (0.2, 0.1, 0.05):
        d = csg(SQUARE, mesh_size=size)
        edges, _ = edge_counts(d)
        lengths = np.linalg.norm(np.diff(d.points[edges], axis=1)[:, 0], axis=1)
        assert lengths.mean() == pytest.approx(size, rel=0.06)
        assert lengths.max() < 1.7 * size


def test_triangles_are_well_shaped():
    d = csg(SHAPES["holes"], mesh_size=0.2)
    corners = d.points[d.mesh.cells]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    quality = 4 * np.sqrt(3) * signed_areas(d) / np.sum(edges**2, axis=1)
    assert quality.min() > 0.4
    assert quality.mean() > 0.9


def test_meshing_is_deterministic():
    first = csg(SHAPES["holes"], name="a").build_mesh(0.3)
    second = csg(SHAPES["holes"], name="a").build_mesh(0.3)
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.mesh.cells, second.mesh.cells)
    points = first.points.copy()
    np.testing.assert_array_equal(first.build_mesh(0.5).build_mesh(0.3).points, points)


# -- regions and interfaces ----


def test_interfaces_are_conforming():
    d = csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 0, 2, 1)}).build_mesh(0.15)
    check_mesh(d, box(0, 0, 2, 1))
    counts, length = edges_on(d, LineString([(1, 0), (1, 1)]))
    assert np.all(counts == 2)
    assert length == pytest.approx(1.0, abs=1e-12)
    assert measure(d, "interior_a") == pytest.approx(1.0, abs=1e-12)
    assert measure(d, "interior_b") == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.75), (-0.5, 0.3), (-1.0, 2.0)])
def test_edges_that_meet_in_parts_only(low, high):
    d = csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, low, 2, high)}).build_mesh(0.2)
    check_mesh(d, box(0, 0, 1, 1) | box(1, low, 2, high))
    common = LineString([(1, max(low, 0)), (1, min(high, 1))])
    counts, length = edges_on(d, common)
    assert np.all(counts == 2)
    assert length == pytest.approx(common.length, abs=1e-12)
    assert measure(d, "interface_a_b") == pytest.approx(common.length, abs=1e-9)
    assert measure(d, "boundary_a") == pytest.approx(4 - common.length, abs=1e-9)


def test_interfaces_with_sizes_of_their_own():
    regions = {"a": box(0, 0, 1, 1), "b": box(1, 0, 2, 1), "c": box(0, 1, 2, 2)}
    for interpolate in (True, False):
        d = csg.from_regions(regions).build_mesh(0.3, sizes={"b": 0.05}, interpolate=interpolate)
        check_mesh(d, box(0, 0, 2, 2))
        counts, _ = edges_on(d, LineString([(1, 0), (1, 1), (0, 1), (2, 1)]))
        assert np.all(counts == 2)
        assert len(counts) > 35
        assert [measure(d, f"interior_{name}") for name in regions] == pytest.approx([1, 1, 2], abs=1e-9)


def test_both_names_of_an_interface_mean_the_same_nodes_and_normals():
    d = csg.from_regions({"b": box(1, 0, 2, 1), "a": box(0, 0, 1, 1)}).build_mesh(0.25)
    assert {"interface_a_b", "interface_b_a"} <= set(d.available_mesh_tags)
    nodes = d.tag_indices["interface_a_b"]
    np.testing.assert_array_equal(nodes, d.tag_indices["interface_b_a"])
    np.testing.assert_array_equal(np.sort(nodes), np.flatnonzero(d.points[:, 0] == 1.0))
    for tag in ("interface_a_b", "interface_b_a"):  # out of the first region, which is b
        assert np.allclose(d.normals_by_tag[tag], (-1, 0))
        key = d.sample({tag: (20, None)}, normals=True)[2]
        assert np.all(d.context[key][..., 0] == 1.0)
        assert np.allclose(d.context[f"n_{key}"], (-1, 0))


def test_a_round_interface():
    core = Point(0, 0).buffer(1, quad_segs=16)
    d = csg.from_regions({"core": core, "shell": box(-2, -2, 2, 2) - core}).build_mesh(0.4)
    check_mesh(d, box(-2, -2, 2, 2))
    assert measure(d, "interior_core") == pytest.approx(core.area, rel=1e-9)
    assert measure(d, "interface_core_shell") == pytest.approx(core.length, rel=1e-9)
    rule = d.quadrature("interface_core_shell")
    flux = rule.weights @ np.sum(rule.points * rule.normals, axis=1)
    assert flux == pytest.approx(2 * core.area, rel=1e-9)
    assert "boundary_core" not in d.available_mesh_tags


def test_regions_that_touch_in_a_point_have_no_interface():
    d = csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 1, 2, 2)}).build_mesh(0.5)
    assert not [tag for tag in d.available_mesh_tags if tag.startswith("interface")]


def test_regions_nested_in_regions():
    shapes = {"outer": box(0, 0, 4, 4), "middle": box(1, 1, 3, 3), "inner": box(1.5, 1.5, 2, 2)}
    d = csg.from_regions(shapes).build_mesh(0.4)
    check_mesh(d, box(0, 0, 4, 4))
    for name, shape in shapes.items():
        assert measure(d, f"interior_{name}") == pytest.approx(shape.area, rel=1e-9)
        assert centroid(d, f"interior_{name}") == pytest.approx(shape.centroid.coords[0], rel=1e-9)
        counts, length = edges_on(d, shape.exterior)
        assert length == pytest.approx(shape.length, rel=1e-9)
        assert np.all(counts == (1 if name == "outer" else 2))


def test_overlapping_regions_share_their_common_part():
    d = csg.from_regions({"a": box(0, 0, 2, 1), "b": box(1, 0, 3, 1)}).build_mesh(0.25)
    check_mesh(d, box(0, 0, 3, 1))
    assert measure(d, "interior_a") == pytest.approx(2.0)
    assert measure(d, "interior_b") == pytest.approx(2.0)
    common = np.intersect1d(d.mesh.cell_sets["interior_a"], d.mesh.cell_sets["interior_b"])
    assert signed_areas(d)[common].sum() == pytest.approx(1.0)


def test_regions_in_disjoint_pieces():
    pieces = MultiPolygon([box(0, 0, 1, 1), box(3, 0, 4, 2)])
    d = csg.from_regions({"two": pieces, "mid": box(1, 0, 3, 1)}).build_mesh(0.3)
    assert measure(d, "interior_two") == pytest.approx(3.0, rel=1e-9)
    assert measure(d, "interface_two_mid") == pytest.approx(2.0, rel=1e-9)


def test_regions_added_by_name_have_interfaces():
    d = csg(SQUARE).region("hot", box(0.25, 0.25, 0.75, 1)).build_mesh(0.2)
    assert measure(d, "hot") == measure(d, "interior_hot") == pytest.approx(0.375, rel=1e-9)
    assert measure(d, "interface_polygon_hot") == pytest.approx(2.0, rel=1e-9)
    assert measure(d, "boundary_hot") == pytest.approx(0.5, rel=1e-9)
    np.testing.assert_array_equal(d.tag_indices["interface_hot_polygon"], d.tag_indices["interface_polygon_hot"])


# -- boundary tags ----


def test_edge_tags_have_exact_lengths():
    vertices = np.array([(0, 0), (3, 0.5), (4, 3), (1.5, 2), (-1, 4)], dtype=float)
    d = csg(vertices, name="p").build_mesh(0.35)
    lengths = np.linalg.norm(np.roll(vertices, -1, axis=0) - vertices, axis=1)
    for number, length in enumerate(lengths):
        assert measure(d, f"boundary_p_{number}") == pytest.approx(length, abs=1e-6)
        middle = (vertices[number] + np.roll(vertices, -1, axis=0)[number]) / 2
        assert centroid(d, f"boundary_p_{number}") == pytest.approx(middle, abs=1e-6)
    assert measure(d, "boundary_p") == pytest.approx(lengths.sum(), abs=1e-6)


def test_no_segment_straddles_two_edges():
    d = csg([(0, 0), (0.37, 0), (1, 0), (1, 1), (0, 1)], name="p").build_mesh(0.5)
    assert measure(d, "boundary_p_0") == pytest.approx(0.37, abs=1e-6)
    assert measure(d, "boundary_p_1") == pytest.approx(0.63, abs=1e-6)
    assert measure(d, "bottom") == pytest.approx(1.0, abs=1e-6)


def test_edges_of_a_hole():
    d = (csg(SQUARE, name="a") - csg(box(0.25, 0.5, 0.75, 0.75), name="h")).build_mesh(0.1)
    assert measure(d, "boundary_h") == pytest.approx(1.5, abs=1e-6)
    assert sorted(measure(d, f"boundary_h_{i}") for i in range(4)) == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=1e-6)
    assert measure(d, "boundary_a") == pytest.approx(4.0, abs=1e-6)
    rule = d.quadrature("boundary_h")
    assert rule.weights @ np.sum(rule.points * rule.normals, axis=1) == pytest.approx(-2 * 0.125, abs=1e-9)
    assert "interior_h" not in d.available_mesh_tags
    assert len(d.tag_indices["boundary"]) == len(d.tag_indices["boundary_a"]) + len(d.tag_indices["boundary_h"])


def test_source_edges_are_clipped_to_the_boundary():
    d = (csg(SQUARE, name="a") - csg(box(0.5, -1, 2, 0.5), name="cut")).build_mesh(0.1)
    assert [measure(d, f"boundary_a_{i}") for i in range(4)] == pytest.approx([0.5, 0.5, 1.0, 1.0], abs=1e-6)
    assert measure(d, "boundary_cut") == pytest.approx(1.0, abs=1e-6)
    assert not {"left", "bottom"} & set(d.available_mesh_tags)
    gone = (csg(SQUARE, name="a") & csg(box(0, 0, 0.5, 0.5), name="keep")).build_mesh(0.1)
    assert {"boundary_a_0", "boundary_a_3"} <= set(gone.available_mesh_tags)
    assert not {"boundary_a_1", "boundary_a_2"} & set(gone.available_mesh_tags)
    assert measure(gone, "boundary_a") == pytest.approx(1.0, abs=1e-6)


def test_user_segments_on_the_boundary_and_inside():
    d = csg(SQUARE)
    d.add_boundary_segments("heater", [[(0.31, 0), (0.62, 0)]])
    d.add_boundary_segments("fin", [[(0.5, 1), (0.5, 0.6)]], normal_geometry=box(0, 0, 0.5, 1))
    d.add_boundary_segments("plate", [[(0.2, 0.3), (0.7, 0.4)]], normal_geometry=box(0, 0, 1, 0.3))
    d.region("wall", LineString([(0, 0.5), (1, 0.5)])).build_mesh(0.2)
    check_mesh(d, box(0, 0, 1, 1))
    assert measure(d, "heater") == pytest.approx(0.31, abs=1e-6)
    assert measure(d, "fin") == pytest.approx(0.4, abs=1e-6)
    assert measure(d, "plate") == pytest.approx(np.hypot(0.5, 0.1), abs=1e-6)
    assert measure(d, "wall") == pytest.approx(1.0, abs=1e-6)
    assert centroid(d, "plate") == pytest.approx((0.45, 0.35), abs=1e-9)
    assert np.allclose(d.normals_by_tag["fin"], (1, 0))
    assert measure(d, "boundary") == pytest.approx(4.0, abs=1e-9)
    for line in ([(0.5, 1), (0.5, 0.6)], [(0.2, 0.3), (0.7, 0.4)]):
        assert np.all(edges_on(d, LineString(line))[0] == 2)


def test_a_segment_that_touches_an_edge_in_its_middle_is_not_the_edge():
    d = csg([(2, 4), (4, 2), (4, 3)]).add_boundary_segments("outside", [[(2, 3), (3, 3)]]).build_mesh(0.8)
    assert "outside" not in d.available_mesh_tags
    assert measure(d, "boundary_polygon_0") == pytest.approx(np.sqrt(8), abs=1e-6)


def test_regions_by_predicates_on_edges_keep_whole_edges():
    d = csg([(0, 0), (2, 0), (2, 1), (0, 1)]).region("far", lambda x, y: x > 0.9).build_mesh(0.3)
    assert measure(d, "far") == pytest.approx(5.0, abs=1e-6)


# -- sizes ----


def test_smaller_sizes_of_a_region_give_more_nodes():
    def nodes(**sizes):
        return len(csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 0, 2, 1)}).build_mesh(0.2, **sizes).points)

    coarse = nodes()
    assert nodes(region_mesh_sizes={"b": 0.05}) > 1.5 * coarse
    assert nodes(sizes={"b": 0.05}) == nodes(region_mesh_sizes={"b": 0.05})
    assert nodes(sizes={"b": 0.2}, region_mesh_sizes={"b": 0.05}) == nodes(sizes={"b": 0.05})
    assert nodes(sizes={"a": 0.1, "b": 0.05}) > nodes(sizes={"b": 0.05})


def inner_nodes(size, interpolate):
    inner = box(0.4, 0.4, 0.6, 0.6)
    d = csg.from_regions({"outer": box(0, 0, 1, 1), "inner": inner})
    d.build_mesh(0.1, sizes=None if size is None else {"inner": size}, interpolate=interpolate)
    assert measure(d, "interior_inner") == pytest.approx(0.04, rel=1e-9)
    return int(np.sum(np.all((d.points > 0.4 - 1e-9) & (d.points < 0.6 + 1e-9), axis=1))), len(d.points)


def test_sizes_of_nested_regions():
    """Along the corners with interpolation, in the whole bounding box without."""
    coarse, corners, filled = inner_nodes(None, True), inner_nodes(0.01, True), inner_nodes(0.01, False)
    assert corners[1] > 1.5 * coarse[1]
    assert corners[0] > coarse[0]
    assert filled[0] >= 4 * corners[0]
    # of equilateral triangles, and half of those at the boundary more
    assert filled[0] == pytest.approx(2 / np.sqrt(3) * 0.04 / 0.01**2 + 0.8 / 0.01 / 2, rel=0.04)


def test_without_interpolation_the_inside_has_the_density_of_a_uniform_mesh():
    regions = {"inner": box(2, 2, 3, 3), "outer": box(0, 0, 5, 5) - box(2, 2, 3, 3)}
    d = csg.from_regions(regions).build_mesh(1.0, sizes={"inner": 0.1}, interpolate=False)
    uniform = len(csg(box(2, 2, 3, 3), mesh_size=0.1).points)
    inside = np.sum(np.all((d.points > 2 - 1e-9) & (d.points < 3 + 1e-9), axis=1))
    assert inside == pytest.approx(uniform, rel=0.05)
    check_mesh(d, box(0, 0, 5, 5))


def test_algorithms_differ():
    first, second = (csg(SHAPES["holes"]).build_mesh(0.3, algorithm=algorithm) for algorithm in (6, 1))
    check_mesh(second, SHAPES["holes"])
    assert (first.algorithm, second.algorithm) == (6, 1)
    assert first.points.shape != second.points.shape or not np.allclose(first.points, second.points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mesh_size": 0}, "mesh_size must be a positive float; got 0"),
        ({"mesh_size": -0.1}, "mesh_size must be a positive float; got -0.1"),
        ({"mesh_size": np.nan}, "mesh_size must be a positive float; got nan"),
        ({"mesh_size": np.inf}, "mesh_size must be a positive float; got inf"),
        ({"sizes": {"nope": 0.1}}, r"unknown region\(s\) \['nope'\]; regions of this domain: \['polygon'\]"),
        ({"region_mesh_sizes": {"interior": 0.1}}, r"unknown region\(s\) \['interior'\]"),
        ({"sizes": {"polygon": 0}}, "The mesh size of region 'polygon' must be a positive float; got 0"),
        ({"region_mesh_sizes": {"polygon": -1.0}}, "'polygon' must be a positive float; got -1.0"),
    ],
)
def test_sizes_that_cannot_be(arguments, message):
    d = csg(SQUARE)
    with pytest.raises(ValueError, match=message):
        d.build_mesh(**arguments)
    assert d.mesh is None


def test_unknown_keywords():
    assert "kwargs" not in inspect.signature(csg.build_mesh).parameters
    with pytest.raises(TypeError, match="mesh_sise"):
        csg(SQUARE).build_mesh(mesh_sise=0.1)


@pytest.mark.parametrize("d", [csg(SQUARE) - box(-1, -1, 2, 2), csg(SQUARE) & box(2, 2, 3, 3), csg.from_regions({})])
def test_empty_geometries_have_no_mesh(d):
    with pytest.raises(ValueError, match="empty active geometry"):
        d.build_mesh(0.5)


# -- meshing again ----


def test_meshing_again():
    d = csg(SQUARE).build_mesh(0.3)
    coarse, connectivity = len(d.points), d.mesh_connectivity
    d.build_mesh(0.15)
    assert len(d.points) > 2 * coarse
    assert d.ds == 0.15
    assert d.mesh_connectivity is not connectivity
    assert d.mesh_connectivity["n_points"] == len(d.points)
    assert d.tag_indices["left"].max() < len(d.points)
    x, *_ = d.variable("interior")
    assert evaluated((x + 0.5).integrate()) == pytest.approx(1.0, rel=1e-5)


def test_earlier_samples_survive_meshing():
    d = csg(SQUARE, name="a")
    d.variable("interior", (20, None))
    d.variable("boundary_a_1", (10, None), normals=True)
    before = {name: value.copy() for name, value in d.context.items()}
    d.build_mesh(0.3)
    d.variable("interior")
    nodes = d.context["interior@1"].copy()
    assert nodes.shape[2] == len(d.points)
    d.build_mesh(0.2)
    for name, value in before.items():
        np.testing.assert_array_equal(d.context[name], value)
    np.testing.assert_array_equal(d.context["interior@1"], nodes)
    x, *_ = d.variable("interior")
    assert x.tag == "interior@2"
    assert d.context["interior@2"].shape[2] == len(d.points)


def test_counted_samples_stay_points_of_the_shape():
    d = csg(SQUARE, mesh_size=0.5)
    d.variable("interior", (100, None))
    points = d.context["interior"][0, 0]
    assert points.shape == (100, 2)
    assert np.all((points > 0) & (points < 1))
    assert not np.any(np.isin(points[:, 0], d.points[:, 0]))


def test_all_kinds_of_tags_survive_meshing_again():
    d = csg(SQUARE).region("hot", box(0, 0, 0.5, 0.5)).region("inlet", "left")
    d.region("some", LineString([(0.25, 0), (0.5, 0)])).add_boundary_segments("seg", [[(1, 0.25), (1, 0.5)]])
    d.tag("half", lambda x, y: x <= 0.5).tag("edge", lambda x, y: y == 1)
    d.tag("window", box(0, 0, 0.5, 1)).tag("facet", lambda x, n, name: n[:, 0] > 0.5)
    exact = {"hot": 0.25, "inlet": 1.0, "some": 0.25, "seg": 0.25, "edge": 1.0, "facet": 1.0}
    for size in (0.3, 0.1):
        d.build_mesh(size)
        for tag, expected in exact.items():
            assert measure(d, tag) == pytest.approx(expected, abs=1e-6), tag
        for tag in ("half", "window"):
            assert measure(d, tag) == pytest.approx(0.5, abs=size)
            assert d.points[d.tag_indices[tag], 0].max() <= 0.5 + 1e-9
        for tag in ("edge", "facet", "some", "seg", "inlet"):
            assert np.allclose(np.linalg.norm(d.normals_by_tag[tag], axis=1), 1.0)
        assert not {"half", "window", "hot"} & set(d.normals_by_tag)
    assert abs(measure(d, "half") - 0.5) < 0.06


def test_tags_on_a_mesh():
    d = csg(SQUARE, mesh_size=0.1)
    d.tag("left_top", lambda x, y: (x == 0) & (y >= 0.5 - 1e-9))
    assert measure(d, "left_top") == pytest.approx(0.5, abs=1e-9)
    assert np.allclose(d.normals_by_tag["left_top"], (-1, 0))
    d.tag("blob", lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.09)
    with pytest.raises(ValueError, match="The tag 'blob' has no outward normals"):
        d.variable("blob", normals=True)
    inside = np.all(np.hypot(*(d.points - 0.5).T)[d.mesh.cells] < 0.3, axis=1)
    assert measure(d, "blob") == pytest.approx(signed_areas(d)[inside].sum(), rel=1e-9)


def test_tags_that_are_newer_than_the_mesh():
    d = csg(SQUARE, mesh_size=0.3).region("hot", box(0.25, 0.25, 0.75, 0.75))
    d.variable("hot", (10, None))
    with pytest.raises(ValueError, match=r"the mesh has no facet or cell of it. Call build_mesh\(mesh_size\) again"):
        d.quadrature("hot")
    with pytest.raises(ValueError, match="has no nodes of its own here; say how many points to draw"):
        d.variable("hot")
    assert measure(d.build_mesh(0.3), "hot") == pytest.approx(0.25, rel=1e-9)


def test_pools_of_a_time_dependent_mesh():
    d = csg(SQUARE, time=(0, 1, 3)).build_mesh(0.5)
    for _ in range(2):
        n = len(d.points)
        assert d._mesh_pool["interior"].shape == (3, n, 2)
        assert d._mesh_pool["initial"].shape == (1, n, 2)
        d.build_mesh(0.3)
    d.variable("left", normals=True)
    assert d.context["n_left"].shape == d.context["left"].shape == (1, 3, len(d.tag_indices["left"]), 2)


# -- integrals ----


def evaluated(expression):
    return np.asarray(jno.core([expression]).eval(expression)).item()


def test_integrals_over_regions():
    d = csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 0, 3, 1)}).build_mesh(0.3)
    exact = {"interior": (3.0, 4.5, 1.5), "interior_a": (1.0, 0.5, 0.5), "interior_b": (2.0, 4.0, 1.0)}
    for tag, (one, first, second) in exact.items():
        x, y, _ = d.variable(tag)
        assert evaluated((0.0 * x + 1.0).integrate()) == pytest.approx(one, rel=1e-5)
        assert evaluated((1.0 * x).integrate()) == pytest.approx(first, rel=1e-5)
        assert evaluated((1.0 * y).integrate()) == pytest.approx(second, rel=1e-5)


def test_integrals_over_edges_and_interfaces():
    d = csg.from_regions({"a": box(0, 0, 1, 2), "b": box(1, 0, 3, 2)}).build_mesh(0.3)
    # tag: length, integral of x, integral of y
    exact = {
        "boundary_b_0": (2.0, 6.0, 2.0),
        "left": (2.0, 0.0, 2.0),
        "boundary": (10.0, 15.0, 10.0),
        "interface_a_b": (2.0, 2.0, 2.0),
        "boundary_a": (4.0, 1.0, 4.0),
    }
    for tag, (one, first, second) in exact.items():
        x, y, _ = d.variable(tag)
        assert evaluated((0.0 * x + 1.0).integrate()) == pytest.approx(one, rel=1e-5), tag
        assert evaluated((1.0 * x).integrate()) == pytest.approx(first, rel=1e-5, abs=1e-6), tag
        assert evaluated((1.0 * y).integrate()) == pytest.approx(second, rel=1e-5), tag


def test_the_flux_through_the_edges_of_a_hole():
    d = (csg(SQUARE, name="a") - csg(box(0.25, 0.25, 0.75, 0.75), name="h")).build_mesh(0.2)
    x, y, _, nx, ny = d.variable("boundary_h", normals=True, split=True)
    assert evaluated((x * nx + y * ny).integrate()) == pytest.approx(-0.5, rel=1e-5)


def test_integrals_over_tags():
    d = csg([(0, 0), (1, 0), (1, 1), (0, 1)]).tag("window", box(0, 0, 0.5, 1)).region("hot", box(0, 0, 0.5, 0.5))
    d.build_mesh(0.1)
    x, y, _ = d.variable("hot")
    assert evaluated((x + 2.0 * y).integrate()) == pytest.approx(0.1875, rel=1e-5)


def test_integrals_need_a_mesh():
    d = csg(SQUARE)
    with pytest.raises(ValueError, match=r"has no mesh to integrate on .*call build_mesh\(mesh_size\)"):
        d.quadrature("interior")
    x, *_ = d.variable("interior", (10, None))
    with pytest.raises(ValueError, match=r"call build_mesh\(mesh_size\)"):
        evaluated((x * 1.0).integrate())


def test_batch_rows_of_a_mesh():
    d = 3 * csg(SQUARE, mesh_size=0.5)
    x, *_ = d.variable("interior")
    integral = (x * 1.0).integrate()
    values = np.asarray(jno.core([integral]).eval(integral))
    assert np.allclose(values.reshape(-1), 0.5, rtol=1e-5)
