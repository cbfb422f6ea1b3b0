"""Laws of polygon domains on random polygons with random holes: points, normals, meshes, the divergence theorem."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

import jno

csg = jno.domain.csg
unit = st.floats(0.0, 1.0, allow_nan=False)


@st.composite
def stars(draw, corners=(3, 12), inner=0.3):
    """Vertices of a star-shaped outline around the origin, radii between `inner` and one, in either direction."""
    n = draw(st.integers(*corners))
    jitter = np.array(draw(st.lists(unit, min_size=n, max_size=n)))
    angles = 2 * np.pi * (np.arange(n) + 0.7 * jitter) / n
    radii = inner + (1 - inner) * np.array(draw(st.lists(unit, min_size=n, max_size=n)))
    vertices = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    return vertices[:: draw(st.sampled_from([1, -1]))]


@st.composite
def polygons(draw):
    """A star-shaped outline with up to three holes, scaled, turned and moved."""
    outline = shapely.Polygon(draw(stars(corners=(5, 12), inner=0.6)))
    holes = []
    for _ in range(draw(st.integers(0, 3))):
        size = 0.05 + 0.15 * draw(unit)
        place = (draw(unit) - 0.5, draw(unit) - 0.5)
        hole = shapely.Polygon(draw(stars(corners=(3, 6), inner=0.5)) * size + place)
        apart = all(hole.distance(other) > 0.02 for other in holes)
        if apart and outline.contains(hole) and outline.exterior.distance(hole) > 0.02:
            holes.append(hole)
    shape = shapely.Polygon(outline.exterior, [hole.exterior for hole in holes])
    scale = draw(st.sampled_from([0.01, 1.0, 50.0]))
    turned = shapely.affinity.rotate(shape, 360 * draw(unit), origin=(0, 0))
    grown = shapely.affinity.scale(turned, scale, scale, origin=(0, 0))
    return shapely.affinity.translate(grown, scale * draw(unit), -scale * draw(unit))


def diameter(shape):
    x0, y0, x1, y1 = shape.bounds
    return float(np.hypot(x1 - x0, y1 - y0))


def meshed(shape, share=0.12, **options):
    return csg(shape, **options).build_mesh(share * diameter(shape))


def signed_areas(domain):
    corners = domain.points[domain.mesh.cells]
    return np.linalg.det(corners[:, 1:] - corners[:, :1]) / 2


# -- sampling ----


@given(polygons(), st.integers(1, 400))
def test_exactly_n_points_and_all_of_them_inside(shape, n):
    d = csg(shape)
    points, _, _ = d.sample({"interior": (n, None)})
    assert points.shape == (1, 1, n, 2)
    assert np.all(shapely.contains_xy(shape, points[0, 0]))
    edge, _, _ = d.sample({"boundary": (n, None)})
    assert edge.shape == (1, 1, n, 2)
    assert shapely.distance(shape.boundary, shapely.points(edge[0, 0])).max() < 1e-9 * diameter(shape)


@given(polygons(), st.sampled_from(["uniform", "sobol", "halton", "latin_hypercube"]))
def test_the_middle_of_the_points_is_the_middle_of_the_shape(shape, sampler):
    points, _, _ = csg(shape).sample({"interior": (2000, sampler)})
    offset = points[0, 0].mean(axis=0) - shape.centroid.coords[0]
    spread = points[0, 0].std(axis=0)
    assert np.all(np.abs(offset) < 5 * spread / np.sqrt(2000))


@given(polygons())
def test_normals_are_unit_vectors_that_leave_the_shape(shape):
    d = csg(shape)
    d.variable("boundary", (100, None), normals=True)
    points, normals = d.context["boundary"][0, 0], d.context["n_boundary"][0, 0]
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-12)
    corners = shapely.multipoints(shapely.get_coordinates(shape))
    step = 1e-6 * diameter(shape)
    clear = shapely.distance(corners, shapely.points(points)) > 100 * step
    assert not np.any(shapely.contains_xy(shape, (points + step * normals)[clear]))
    assert np.all(shapely.contains_xy(shape, (points - step * normals)[clear]))


@settings(max_examples=30)
@given(stars())
def test_edges_in_the_order_of_the_vertices(vertices):
    d = csg(vertices, name="p")
    stops = np.roll(vertices, -1, axis=0)
    middle = shapely.Polygon(vertices)
    for number, (start, stop) in enumerate(zip(vertices, stops, strict=True)):
        d.variable(f"boundary_p_{number}", (20, None), normals=True)
        points = d.context[f"boundary_p_{number}"][0, 0]
        normals = d.context[f"n_boundary_p_{number}"][0, 0]
        assert shapely.distance(shapely.LineString([start, stop]), shapely.points(points)).max() < 1e-12
        assert np.abs(normals @ (stop - start)).max() < 1e-12
    assert f"boundary_p_{len(vertices)}" not in d.available_mesh_tags
    assert d.build_mesh(1.0).quadrature("interior").weights.sum() == pytest.approx(middle.area, rel=1e-9)


@given(polygons(), st.integers(0, 2**31 - 1))
def test_the_seed_decides(shape, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JNO_SEED", str(seed))
        first, _, _ = (2 * csg(shape)).sample({"interior": (10, None)})
        second, _, _ = (2 * csg(shape)).sample({"interior": (10, None)})
    np.testing.assert_array_equal(first, second)
    assert not np.any(first[0] == first[1])


# -- set operations ----


@settings(max_examples=25)
@given(polygons(), polygons())
def test_areas_of_set_operations(first, second):
    a, b = csg(first, name="a"), csg(second, name="b")
    for made, exact in (
        (a | b, first | second),
        (a & b, first & second),
        (a - b, first - second),
        (a ^ b, first ^ second),
    ):
        if exact.area < 1e-9 * max(first.area, second.area):
            continue
        points, _, _ = made.sample({"interior": (50, None)})
        assert np.all(shapely.dwithin(exact, shapely.points(points[0, 0]), 1e-9 * diameter(exact)))
        inside = {name for name in ("a", "b") if f"interior_{name}" in made.available_mesh_tags}
        for name in inside:
            region, _, _ = made.sample({f"interior_{name}": (20, None)})
            own = first if name == "a" else second
            assert np.all(shapely.dwithin(own, shapely.points(region[0, 0]), 1e-9 * diameter(own)))


# -- meshes ----


@settings(max_examples=30)
@given(polygons())
def test_meshes_have_the_area_and_no_inverted_cells(shape):
    d = meshed(shape)
    areas = signed_areas(d)
    assert areas.min() > 0.0
    assert areas.sum() == pytest.approx(shape.area, rel=1e-9)
    assert d.quadrature("boundary").weights.sum() == pytest.approx(shape.length, rel=1e-9)
    cells = np.sort(d.mesh.cells, axis=1)
    edges, counts = np.unique(
        np.concatenate([cells[:, [0, 1]], cells[:, [1, 2]], cells[:, [0, 2]]]), axis=0, return_counts=True
    )
    assert counts.max() == 2
    outer = d.points[edges[counts == 1]]
    assert np.linalg.norm(np.diff(outer, axis=1), axis=2).sum() == pytest.approx(shape.length, rel=1e-9)


@settings(max_examples=30)
@given(polygons(), st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_the_divergence_theorem(shape, numbers):
    """For a linear field both sides of it are exact."""
    d = meshed(shape)
    matrix, offset = np.array(numbers[:4]).reshape(2, 2), np.array(numbers[4:])
    edge, area = d.quadrature("boundary"), d.quadrature("interior")
    flux = edge.weights @ np.sum((edge.points @ matrix.T + offset) * edge.normals, axis=1)
    scale = shape.length * max(np.abs(edge.points).max(), 1.0) * 4.0
    assert abs(flux - np.trace(matrix) * area.weights.sum()) < 1e-9 * scale
    moments = area.weights @ area.points
    assert np.allclose(moments, shape.area * np.array(shape.centroid.coords[0]), atol=1e-9 * scale**1.5, rtol=1e-9)


@settings(max_examples=15)
@given(polygons(), unit)
def test_two_regions_meet_in_a_conforming_interface(shape, share):
    """A polygon cut by a vertical line."""
    x0, y0, x1, y1 = shape.bounds
    cut = x0 + (0.2 + 0.6 * share) * (x1 - x0)
    left, right = shape & box(x0, y0, cut, y1), shape & box(cut, y0, x1, y1)
    d = csg.from_regions({"left_part": left, "right_part": right}).build_mesh(0.12 * diameter(shape))
    line = shapely.LineString([(cut, y0), (cut, y1)]) & shape
    rule = d.quadrature("interface_left_part_right_part")
    assert rule.weights.sum() == pytest.approx(line.length, rel=1e-6)
    assert np.allclose(rule.normals, (1, 0), atol=1e-6)
    for name, part in (("left_part", left), ("right_part", right)):
        assert d.quadrature(f"interior_{name}").weights.sum() == pytest.approx(part.area, rel=1e-6)
    assert signed_areas(d).min() > 0.0
    cells = np.sort(d.mesh.cells, axis=1)
    edges, counts = np.unique(
        np.concatenate([cells[:, [0, 1]], cells[:, [1, 2]], cells[:, [0, 2]]]), axis=0, return_counts=True
    )
    on_cut = np.all(np.abs(d.points[edges][:, :, 0] - cut) < 1e-9 * diameter(shape), axis=1)
    inner = shapely.distance(shape.boundary, shapely.points(d.points[edges].mean(axis=1))) > 1e-9 * diameter(shape)
    assert np.all(counts[on_cut & inner] == 2)
    assert len(counts[on_cut & inner]) > 0


@settings(max_examples=20)
@given(polygons(), stars(corners=(3, 6), inner=0.5))
def test_regions_that_overlap_in_any_way(shape, other):
    """A second region anywhere: areas and lengths of all tags are those of the shapes."""
    size = diameter(shape)
    x, y = shape.representative_point().coords[0]
    region = shapely.Polygon(0.3 * size * np.asarray(other) + (x, y))
    d = csg(shape, name="a").region("b", region).build_mesh(0.15 * size)
    common = region & shape
    assert signed_areas(d).min() > 0.0
    assert signed_areas(d).sum() == pytest.approx(shape.area, rel=1e-6)
    assert d.quadrature("b").weights.sum() == pytest.approx(common.area, rel=1e-6)
    inside = (region.boundary & shape).length - (region.boundary & shape.boundary).length
    assert d.quadrature("interface_a_b").weights.sum() == pytest.approx(inside, rel=1e-5, abs=1e-6 * size)
    edges = [tag for tag in d.available_mesh_tags if tag.startswith("boundary_a_")]
    assert sum(d.quadrature(tag).weights.sum() for tag in edges) == pytest.approx(shape.length, rel=1e-6)


boxes = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.integers(1, 3)).map(
    lambda v: box(v[0], v[1], v[0] + v[2], v[1] + v[3])
)
OPERATIONS = {
    "|": (lambda a, b: a | b),
    "&": (lambda a, b: a & b),
    "-": (lambda a, b: a - b),
    "^": (lambda a, b: a ^ b),
}


def length_on(lines, line):
    common = lines & line
    return sum(part.length for part in shapely.get_parts(common))


@settings(max_examples=30)
@given(boxes, st.lists(st.tuples(st.sampled_from("|&-^"), boxes), min_size=1, max_size=3), boxes)
def test_boxes_that_share_edges_and_corners(first, others, extra):
    """Lines that coincide, touch and cross on a grid: areas and lengths of all regions are those of the shapes."""
    d, active, regions = csg(first, name="r0"), first, {"r0": first}
    for number, (operation, shape) in enumerate(others, start=1):
        d = OPERATIONS[operation](d, csg(shape, name=f"r{number}"))
        active = shapely.union_all([p for p in shapely.get_parts(OPERATIONS[operation](active, shape)) if p.area > 0.0])
        regions[f"r{number}"] = shape
    if active.is_empty:
        assert d.available_mesh_tags == []
        return
    if (extra & active).area > 0.0:
        d.region("extra", extra)
        regions["extra"] = extra
    d.build_mesh(0.8)
    tags = d.available_mesh_tags

    def measure(tag):
        return d.quadrature(tag).weights.sum() if tag in tags else 0.0

    assert signed_areas(d).min() > 0.0
    assert measure("interior") == pytest.approx(active.area, rel=1e-9)
    assert measure("boundary") == pytest.approx(active.length, rel=1e-9)
    for name, shape in regions.items():
        assert measure(f"interior_{name}") == pytest.approx((shape & active).area, abs=1e-9)
        assert measure(f"boundary_{name}") == pytest.approx(length_on(shape.boundary, active.boundary), abs=1e-6)
        edges = [tag for tag in tags if tag.startswith(f"boundary_{name}_")]
        assert sum(map(measure, edges)) == pytest.approx(measure(f"boundary_{name}"), abs=1e-6)
