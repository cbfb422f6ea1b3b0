"""View factors against formulas: cavities, cylinders, occlusion, media, reciprocity, and every error by its text."""

import itertools

import numpy as np
import pytest
from shapely.geometry import Point, box

import jno
from jno.domain.mesh import Arcs, _rays, arcs_of, blocked, candidates, crosses
from jno.domain.radiation import _view_factors
from jno.domain.radiation._view_factors import exchange

SIDES = ("bottom", "right", "top", "left")
UNIT = [(0, 0), (1, 0), (1, 1), (0, 1)]


def sampled(domain, tags, n=200, **options):
    for tag in tags:
        domain.variable(tag, sample=(n, "equispaced"), normals=True, **options)
    return domain


def factor(domain, source, target):
    """The view factor of all of one tag to all of another, for points with equal shares."""
    return float(domain.context[f"f_{source}__{target}"][0, 0].sum(axis=1).mean())


# -- analytic values ----


def test_square_cavity():
    square = sampled(jno.domain(UNIT, name="gas"), SIDES)
    blocks = square.compute_enclosure_view_factor(list(SIDES))
    assert [[entry.tag for entry in row] for row in blocks] == [[f"f_{a}__{b}" for b in SIDES] for a in SIDES]
    assert factor(square, "bottom", "top") == pytest.approx(np.sqrt(2) - 1, abs=1e-6)
    assert factor(square, "bottom", "right") == pytest.approx(1 - np.sqrt(2) / 2, abs=1e-6)
    assert not np.any(square.context["f_bottom__bottom"])
    whole = square.context["f_bottom+right+top+left"][0, 0]
    assert whole.shape == (800, 800)
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-9)
    np.testing.assert_allclose(whole, whole.T, atol=1e-14)  # equal lengths: reciprocity is symmetry


@pytest.mark.parametrize(("width", "height"), [(2.0, 0.5), (0.3, 1.7)])
def test_opposite_walls_of_a_rectangle(width, height):
    d = sampled(jno.domain(box(0, 0, width, height), name="Gas"), ("bottom", "top"))
    d.compute_enclosure_view_factor(["bottom", "top"])
    expected = (np.hypot(width, height) - height) / width  # Howell, configuration C-1
    assert factor(d, "bottom", "top") == pytest.approx(expected, abs=1e-6)


def cylinders(inner, outer):
    gas, core = Point(0, 0).buffer(outer, quad_segs=64), Point(0, 0).buffer(inner, quad_segs=64)
    return jno.domain(gas, name="gas") - jno.domain(core, name="core")


def test_concentric_cylinders():
    inner, outer = 0.5, 1.25
    d = sampled(cylinders(inner, outer), ("boundary_gas", "boundary_core"))
    d.compute_enclosure_view_factor(["boundary_gas", "boundary_core"])
    assert factor(d, "boundary_core", "boundary_gas") == pytest.approx(1.0, abs=1e-9)
    assert factor(d, "boundary_gas", "boundary_core") == pytest.approx(inner / outer, abs=1e-4)
    forth = d.context["f_boundary_gas__boundary_core"][0, 0] * outer
    back = d.context["f_boundary_core__boundary_gas"][0, 0] * inner
    np.testing.assert_allclose(forth, back.T, atol=1e-5)  # the lengths of polygons are not quite those of circles


def test_a_concave_wall_sees_itself():
    inner, outer = 0.5, 1.25
    d = cylinders(inner, outer)
    *_, f = d.variable("boundary_gas", sample=(200, "equispaced"), view_factor=True, normals=True, reverse_normals=True)
    assert f.tag == "f_boundary_gas"
    matrix = d.context["f_boundary_gas"]
    assert matrix.shape == (1, 200, 200)
    assert d.context["v_boundary_gas"].shape == (1, 1, 200, 200)
    np.testing.assert_allclose(matrix[0].sum(axis=1), 1 - inner / outer, atol=2e-3)
    np.testing.assert_allclose(np.diag(matrix[0]), 0.0, atol=1e-3)


def test_all_walls_of_a_mesh():
    d = jno.domain.rect((0, 2), (0, 1), mesh_size=0.1)
    *_, f = d.variable("boundary", view_factor=True, reverse_normals=True)
    assert f.tag == "f_boundary"
    np.testing.assert_allclose(d.context["f_boundary"][0].sum(axis=1), 1.0, atol=1e-12)


def test_tags_of_a_mesh_keep_their_own_exchange():
    d = jno.domain.rect(mesh_size=0.05)
    for tag in ("left", "right"):
        d.variable(tag, normals=True, reverse_normals=True)
    d.compute_enclosure_view_factor(["left", "right"])
    lengths = d.quadrature("left").weights
    matrix = d.context["f_left__right"][0, 0]
    assert float(lengths @ matrix.sum(axis=1)) == pytest.approx(np.sqrt(2) - 1, abs=1e-6)
    notch = jno.domain.l_shape(mesh_size=0.1)
    notch.variable("boundary", normals=True)
    notch.compute_enclosure_view_factor("boundary")
    # outside, the two walls of the notch (0.5 each, at a right angle) see each other
    owned = notch.quadrature("boundary")
    outside = notch.context["f_boundary__boundary"][0, 0].sum(axis=1)
    by_node = dict(zip(notch.tag_indices["boundary"].tolist(), outside, strict=True))
    exchanged = sum(weight * by_node[node] for node, weight in zip(owned.nodes.tolist(), owned.weights, strict=True))
    assert exchanged == pytest.approx(2 * 0.5 * (1 - np.sqrt(2) / 2), rel=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
def test_pieces_partly_behind_one_another_are_cut(mirrored):
    """A floor of length 1 and a wall beside it that goes on below it, where the floor does not see it."""
    floor = np.array([[[1.0, 0.0], [0.0, 0.0]]])
    wall = np.array([[[1.5, 1.0], [1.5, -1.0]]])
    if mirrored:  # pieces are seen from their right-hand side
        floor, wall = floor[:, ::-1] * [-1.0, 1.0], wall[:, ::-1] * [-1.0, 1.0]
    one, other = (Arcs(segments, np.zeros(1, dtype=np.int64), 1) for segments in (floor, wall))
    expected = (np.sqrt(1.25) + 1.5 - 0.5 - np.sqrt(3.25)) / 2
    for pair in ((one, other), (other, one)):
        assert exchange(*pair, np.zeros((0, 2, 2)), 1e-9).areas[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("places", [(1.9, 0.2, 3.0, 1.1), (1.5, 3.9, 0.9, 2.5)])
def test_points_of_a_closed_curve_own_half_the_way_to_their_neighbours(places):
    """Of the unit square, by arc length; the piece of the first or of the last point goes over the first corner."""
    corners = np.array([*UNIT, UNIT[0]], dtype=float)
    segments = np.stack([corners[:-1], corners[1:]], axis=1)
    normals = np.array([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    points = np.stack([np.interp(places, np.arange(5), corners[:, axis]) for axis in (0, 1)], axis=1)
    order = np.argsort(places)
    gaps = np.diff(np.array(places)[order], append=places[order[0]] + 4.0)
    found = arcs_of("boundary", points, segments, normals, 1e-9)
    np.testing.assert_allclose(found.measures[order], (gaps + np.roll(gaps, 1)) / 2, rtol=1e-12)


# -- what stands in between ----


def test_a_block_between_two_walls():
    gas, block = jno.domain(UNIT, name="gas"), jno.domain(box(0.4, -0.5, 0.6, 1.5), name="block")
    d = sampled(gas - block, ("boundary_gas_1", "boundary_gas_3"), 20)
    with pytest.warns(UserWarning, match="no point sees another one"):
        d.compute_enclosure_view_factor(["boundary_gas_3", "boundary_gas_1"])
    assert not np.any(d.context["f_boundary_gas_3__boundary_gas_1"])
    assert not np.any(d.context["v_boundary_gas_1__boundary_gas_3"])


def test_a_screen_hides_a_known_part():
    """Two opposite walls of length 1 at distance 1 with an opening of width w in the middle plane between them."""
    width = 0.4
    gas = jno.domain(UNIT, name="gas")
    gas.add_boundary_segments("screen", [[(0.0, 0.5), (0.5 - width / 2, 0.5)], [(0.5 + width / 2, 0.5), (1.0, 0.5)]])
    d = sampled(gas, ("bottom", "top"), 100)
    d.compute_enclosure_view_factor(["bottom", "top"])
    # strings that meet the edges of the opening
    a, b, c, e = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
    left, right = np.array([(0.5 - width / 2, 0.5), (0.5 + width / 2, 0.5)])

    def length(*points):
        return sum(np.linalg.norm(q - p) for p, q in itertools.pairwise(points))

    crossed = length(a, e) + length(b, c)
    uncrossed = length(a, left, c) + length(b, right, e)
    assert factor(d, "bottom", "top") == pytest.approx((crossed - uncrossed) / 2, abs=6e-4)


def behind_an_opening(n, left, right):
    """Two opposite walls of length 1, a screen with an opening half-way between them, `n` points on each wall."""
    gas = jno.domain(UNIT, name="gas")
    gas.add_boundary_segments("screen", [[(0.0, 0.5), (left, 0.5)], [(right, 0.5), (1.0, 0.5)]])
    d = sampled(gas, ("bottom", "top"), n)
    d.compute_enclosure_view_factor(["bottom", "top"])
    return d


def through_an_opening(below, above, left, right):
    """Length of the shortest string between the two heights that passes the opening half-way."""
    middle = np.clip((below + above) / 2, left, right)
    return np.hypot(middle - below, 0.5) + np.hypot(above - middle, 0.5)


def test_every_point_behind_an_opening_sees_its_part():
    """No end of a piece lies in line with an edge of the opening; the strings are exact for every pair of pieces."""
    n, left, right = 25, 0.265, 0.635
    d = behind_an_opening(n, left, right)
    ends = [d.context[tag][0, 0, :, :1] + np.array([[-0.5, 0.5]]) / n for tag in ("bottom", "top")]
    (a, b), (c, e) = ends[0].T[:, :, None], ends[1].T[:, None]
    crossed = through_an_opening(a, e, left, right) + through_an_opening(b, c, left, right)
    uncrossed = through_an_opening(a, c, left, right) + through_an_opening(b, e, left, right)
    expected = n * (crossed - uncrossed) / 2
    found = d.context["f_bottom__top"][0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), expected.sum(axis=1), atol=1e-4)
    np.testing.assert_allclose(d.context["f_top__bottom"][0, 0], found.T, atol=1e-14)
    assert factor(d, "bottom", "top") == pytest.approx(expected.sum() / n, abs=1e-5)


def test_long_curves_are_treated_in_parts(monkeypatch):
    whole = behind_an_opening(25, 0.265, 0.635)
    monkeypatch.setattr(_view_factors, "_AT_ONCE", 1)  # one piece, or one pair, at a time
    monkeypatch.setattr(_rays, "_AT_ONCE", 1)
    parts = behind_an_opening(25, 0.265, 0.635)
    for name in ("f_bottom+top", "v_bottom+top"):
        np.testing.assert_allclose(parts.context[name], whole.context[name], atol=1e-14)


def test_rays_that_end_on_walls_are_free():
    walls = np.array([[[0.0, 0.0], [1.0, 0.0]], [[0.5, 0.5], [0.5, 1.0]]])
    starts, stops = np.array([[0.2, 0.0], [0.2, 0.0], [0.0, 0.7]]), np.array([[0.8, 0.4], [0.5, 0.9], [1.0, 0.7]])
    assert blocked(starts, stops, walls, 1e-9).tolist() == [False, False, True]


def scattered(seed=0, fans=40, rays=30, walls=50):
    """Fans of rays between short walls in the unit square; half of the fans start on a wall, a quarter at a corner."""
    draws = np.random.default_rng(seed)
    blockers = draws.random((walls, 1, 2)) + 0.2 * (draws.random((walls, 2, 2)) - 0.5)
    origins = draws.random((fans, 2))
    on_wall = blockers[: fans // 2]
    origins[: fans // 2] = on_wall[:, 0] + draws.random((fans // 2, 1)) * (on_wall[:, 1] - on_wall[:, 0])
    origins[: fans // 4] = blockers[: fans // 4, 0]
    return origins.repeat(rays, axis=0), draws.random((fans * rays, 2)), blockers


@pytest.mark.parametrize("rays", [1, 30])
def test_rays_in_fans_are_blocked_as_one_by_one(rays):
    starts, stops, blockers = scattered(rays=rays)
    shuffled = np.random.default_rng(1).permutation(len(starts))
    starts, stops = starts[shuffled], stops[shuffled]
    expected = crosses(starts[:, None], stops[:, None], blockers[None], 1e-9).any(axis=1)
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(blocked(starts, stops, blockers, 1e-9), expected)


def test_few_blockers_of_a_fan_are_tested():
    """A ray meets about two of 400 walls or passes them closely, and walls beyond its end."""
    starts, stops, blockers = scattered(walls=400, fans=20, rays=100)
    tested = sum(len(ray) for ray, _ in candidates(starts, stops, blockers, np.zeros(len(starts)), 1e-9))
    assert tested < len(starts) * len(blockers) / 8


def test_blockers_of_a_bundle_are_found():
    """Rays whose ends lie within a reach of those of another ray are blocked by nothing but its candidates."""
    starts, stops, blockers = scattered()
    reach = np.random.default_rng(2).choice([0.01, 0.03], len(starts))
    shift = np.random.default_rng(3).normal(size=(2, len(starts), 2))
    shift *= 0.999 * reach[:, None] / np.linalg.norm(shift, axis=-1, keepdims=True)
    needed = crosses((starts + shift[0])[:, None], (stops + shift[1])[:, None], blockers[None], 1e-9)
    near = np.zeros_like(needed)
    for ray, blocker in candidates(starts, stops, blockers, reach, 1e-9):
        near[ray, blocker] = True
    assert not np.any(needed & ~near)
    assert near.mean() < 0.5


def test_the_first_piece_is_beside_the_last_one():
    """A floor that begins anew in the middle of an opening's shadow gives what the other one gives."""
    wall = np.array([[[0.0, 1.0], [0.05, 1.0]]])
    screen = np.array([[[0.0, 0.5], [0.515, 0.5]]])
    ends = np.linspace(1.0, 0.0, 21)
    pieces = np.zeros((20, 2, 2))
    pieces[:, :, 0] = np.stack([ends[:-1], ends[1:]], axis=1)
    above = Arcs(wall, np.zeros(1, dtype=np.int64), 1)
    found = [
        exchange(Arcs(np.roll(pieces, shift, axis=0), np.arange(20), 20), above, screen, 1e-9).areas[:, 0]
        for shift in (0, 3)
    ]
    np.testing.assert_allclose(found[1], np.roll(found[0], 3), atol=1e-15)


# -- media ----


def test_the_medium_decides_the_side():
    scene = {"wall": box(0, 0, 1, 3), "gas": box(1, 0, 2, 3), "other": box(2, 0, 3, 3)}
    d = jno.domain.csg.from_regions(scene)
    pairs = ["boundary_wall_0", "boundary_wall_2", "boundary_other_0", "boundary_other_2"]
    sampled(d, pairs, 30)
    d.compute_enclosure_view_factor(pairs, medium_tags=["gas"])
    found = {(a, b): factor(d, a, b) for a in pairs for b in pairs}
    seen = {pair for pair, value in found.items() if value > 0}
    assert len(seen) == 2  # one side of the wall and one side of the other solid
    assert max(found.values()) == pytest.approx((np.hypot(1, 3) - 1) / 3, abs=1e-6)


def test_air_is_what_nothing_else_fills():
    """The outline drawn for the air is too small; the gap between the two plates counts all the same."""
    scene = {"lower": box(0, 0, 1, 0.1), "upper": box(0, 1.1, 1, 1.2), "Air": box(0.4, 0.3, 0.6, 0.5)}
    d = jno.domain.csg.from_regions(scene)
    lower = next(t for t in d.available_mesh_tags if t.startswith("boundary_lower_") and level(d, t) == 0.1)
    upper = next(t for t in d.available_mesh_tags if t.startswith("boundary_upper_") and level(d, t) == 1.1)
    sampled(d, (lower, upper), 50)
    d.compute_enclosure_view_factor([lower, upper])
    assert factor(d, lower, upper) == pytest.approx(np.sqrt(2) - 1, abs=1e-6)


def level(domain, tag):
    """The height of a horizontal edge, None for others."""
    points = domain.copy().sample({tag: (5, "equispaced")})[0][0, 0]
    return None if np.ptp(points[:, 1]) > 0 else round(float(points[0, 1]), 9)


def test_edges_inside_of_the_medium_are_no_walls():
    scene = {"one": box(0, 0, 1, 1), "two": box(1, 0, 2, 1)}
    d = sampled(jno.domain.csg.from_regions(scene), ("left", "right"), 50)
    d.compute_enclosure_view_factor(["left", "right"], medium_tags=["one", "interior_two"])
    assert factor(d, "left", "right") == pytest.approx(np.hypot(2, 1) - 2, abs=1e-6)


def test_without_a_medium_the_normals_count():
    d = jno.domain(UNIT)
    with pytest.warns(UserWarning, match="no point sees another one"):
        sampled(d, ("bottom", "top"), 10).compute_enclosure_view_factor(["bottom", "top"])


def test_meshing_changes_nothing():
    square = sampled(jno.domain(UNIT, name="gas"), ("bottom", "top"), 20)
    square.build_mesh(0.2)
    square.compute_enclosure_view_factor(["bottom", "top"])
    assert factor(square, "bottom", "top") == pytest.approx(np.sqrt(2) - 1, abs=1e-5)


def test_random_points_own_unequal_lengths():
    d = jno.domain(UNIT, name="gas")
    for side in SIDES:
        d.variable(side, sample=(40, None), normals=True)
    d.compute_enclosure_view_factor(list(SIDES))
    whole = d.context["f_bottom+right+top+left"][0, 0]
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-9)


def test_radiosity_in_an_expression():
    """Two parallel walls: the radiosity equation J = e T⁴ + (1 - e) F J holds for the numbers that numpy finds."""
    square = sampled(jno.domain(UNIT, name="gas"), SIDES[:1], 30)
    sampled(square, SIDES[2:3], 40)
    F = square.compute_enclosure_view_factor(["bottom", "top"])
    emitted = np.linspace(1.0, 2.0, 40)[:, None]
    x, _, _ = square.variable("bottom", sample=(30, "equispaced"))
    J = square.variable("J_top", emitted[None])
    received = F[0][1] @ J
    value = np.asarray(jno.core([(x * received).mse]).eval(received)).reshape(-1)
    np.testing.assert_allclose(value, square.context["f_bottom__top"][0, 0] @ emitted[:, 0], rtol=1e-5)


# -- errors ----


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([], r"needs one or more boundary tags; got \[\]"),
        (["nowhere"], "Unknown tag 'nowhere'"),
        (["interior"], "'interior' is not a boundary tag"),
        (["left"], r"'left' has not been sampled; first call domain.variable\('left'"),
        (["right"], r"'right' was sampled without normals"),
    ],
)
def test_tags_that_cannot_be_used(tags, message):
    d = jno.domain(UNIT, name="gas")
    d.variable("right", sample=(5, None))
    with pytest.raises(ValueError, match=message):
        d.compute_enclosure_view_factor(tags)


def test_unknown_media():
    d = sampled(jno.domain(UNIT, name="gas"), ("left",), 5)
    with pytest.raises(ValueError, match=r"medium_tags names the unknown region 'steam'; regions: \['gas'\]"):
        d.compute_enclosure_view_factor(["left"], medium_tags=["steam"])


def test_other_dimensions_and_batches():
    with pytest.raises(NotImplementedError, match=r"in the plane only; this domain has 3 dimension\(s\)"):
        jno.domain.cube(mesh_size=0.5).variable("left", view_factor=True)
    rows = 2 * jno.domain(UNIT)
    with pytest.raises(NotImplementedError, match="2 batch rows have points of their own"):
        rows.variable("left", sample=(5, None), view_factor=True)
    with pytest.raises(ValueError, match="has no outward normals"):
        jno.domain(UNIT).variable("interior", sample=(5, None), view_factor=True)


def test_parts_without_points():
    d = jno.domain(UNIT) - jno.domain(box(0.4, 0.4, 0.6, 0.6))
    with pytest.raises(ValueError, match=r"lies on one of the 2 separate parts of its curve"):
        d.variable("boundary", sample=(1, None), view_factor=True)


def test_visibility_of_boundary_nodes():
    square = jno.domain.rect(mesh_size=0.25).mesh_connectivity
    assert square["VM"].dtype == np.float32
    np.testing.assert_array_equal(square["VM"], 1 - np.eye(16))
    ring = jno.domain.rectangle_with_hole(mesh_size=0.2).mesh_connectivity
    points, seen = ring["boundary_points"], ring["VM"]
    left = int(np.flatnonzero(np.all(points == (0.0, 0.0), axis=1))[0])
    corner = int(np.flatnonzero(np.all(points == (1.0, 1.0), axis=1))[0])
    assert seen[left, corner] == seen[corner, left] == 0.0
    with pytest.raises(NotImplementedError, match="in the plane only"):
        jno.domain.cube(mesh_size=0.5).mesh_connectivity["VM"]
    with pytest.raises(KeyError, match="nothing"):
        square["nothing"]
