"""Points of polygon domains: uniformity, exact normals, samplers, strategies, names, batches, tags, time and seeds."""

import numpy as np
import pytest
import shapely
from scipy.stats import chisquare, kstest
from shapely.geometry import LineString, MultiPolygon, Point, box

import jno

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
csg = jno.domain.csg


def drawn(domain, tag, n=200, sampler=None, **options):
    key = domain.sample({tag: (n, sampler)}, **options)[2]
    return domain.context[key][0, 0]


def drawn_with_normals(domain, tag, n=200):
    key = domain.sample({tag: (n, None)}, normals=True)[2]
    return domain.context[key][0, 0], domain.context[f"n_{key}"][0, 0]


def constant(value):
    return lambda geometry, n: np.full((n, 2), value)


class Every(jno.sampler.RandomResampling):
    """A resampling strategy."""


def uniformity(points, shape, cells):
    """p-value of the counts in the cells of a grid against the areas of the cells in the shape."""
    x0, y0, x1, y1 = shape.bounds
    nx, ny = cells
    edges = np.linspace(x0, x1, nx + 1), np.linspace(y0, y1, ny + 1)
    counts = np.histogram2d(*points.T, bins=edges)[0]
    left, bottom = np.meshgrid(edges[0][:-1], edges[1][:-1], indexing="ij")
    areas = shapely.area(shapely.box(left, bottom, left + (x1 - x0) / nx, bottom + (y1 - y0) / ny) & shape)
    assert counts.sum() == len(points)
    assert np.all(counts[areas == 0.0] == 0)
    kept = areas > 5 * shape.area / len(points)
    return chisquare(counts[kept], areas[kept] * counts[kept].sum() / areas[kept].sum()).pvalue


SHAPES = {
    "square": box(0, 0, 1, 1),
    "triangle": shapely.Polygon([(0, 0), (3, 1), (1, 4)]),
    "holes": box(0, 0, 4, 3) - Point(1, 1).buffer(0.6) - box(2, 1, 3.5, 2.5),
    "disjoint": MultiPolygon([box(0, 0, 1, 1), box(2, 0, 4, 3) - box(2.5, 0.5, 3, 2), Point(1, 3).buffer(0.5)]),
    "concave": shapely.Polygon([(0, 0), (4, 0), (4, 4), (3, 4), (3, 1), (1, 1), (1, 4), (0, 4)]),
    "sliver": shapely.Polygon([(0, 0), (10, 0), (10, 1e-3), (0, 1)]),
}


# -- interiors ----


@pytest.mark.parametrize("name", SHAPES)
def test_interiors_are_uniform(name):
    shape = SHAPES[name]
    points = drawn(csg(shape), "interior", 20_000)
    assert points.shape == (20_000, 2)
    assert np.all(shapely.contains_xy(shape, points))
    assert len(np.unique(points, axis=0)) == 20_000
    assert uniformity(points, shape, (10, 8)) > 1e-3


def test_points_of_a_region_are_uniform_in_what_is_left_of_it():
    d = csg.from_regions({"a": box(0, 0, 2, 2), "b": box(2, 0, 3, 2)}) - box(0.5, 0.5, 2.5, 1)
    left = box(0, 0, 2, 2) - box(0.5, 0.5, 2.5, 1)
    points = drawn(d, "interior_a", 10_000)
    assert np.all(shapely.contains_xy(left, points))
    assert uniformity(points, left, (7, 7)) > 1e-3


def test_points_are_shuffled():
    points = drawn(csg(SHAPES["disjoint"]), "interior", 5000)
    half = points[:, 0] > 2
    assert np.mean(half[:2500]) == pytest.approx(np.mean(half[2500:]), abs=0.05)


def test_far_away_and_tiny_domains():
    far = csg(shapely.affinity.translate(SHAPES["holes"], 1e6, -1e6))
    assert np.all(shapely.contains_xy(far.geometry.lazy.active, drawn(far, "interior", 2000)))
    small = shapely.affinity.scale(SHAPES["holes"], 1e-4, 1e-4, origin=(0, 0))
    points = drawn(csg(small), "interior", 5000)
    assert np.all(shapely.contains_xy(small, points))
    assert uniformity(points, small, (8, 6)) > 1e-3


# -- boundaries ----


@pytest.mark.parametrize("name", ["square", "triangle", "holes", "disjoint"])
def test_boundaries_are_uniform_by_length(name):
    shape = SHAPES[name]
    points = drawn(csg(shape), "boundary", 20_000)
    rings = shapely.get_rings(shapely.get_parts(shape))
    distance = np.stack([shapely.distance(ring, shapely.points(points)) for ring in rings])
    assert distance.min(axis=0).max() < 1e-12
    counts = np.bincount(distance.argmin(axis=0), minlength=len(rings))
    lengths = shapely.length(rings)
    if len(rings) > 1:
        assert chisquare(counts, lengths / lengths.sum() * len(points)).pvalue > 1e-3
    ring = rings[0]
    along = shapely.line_locate_point(ring, shapely.points(points[distance.argmin(axis=0) == 0]), normalized=True)
    assert kstest(along, "uniform").pvalue > 1e-3


def test_edges_are_uniform_by_length():
    d = csg([(0, 0), (3, 0), (3, 1), (0, 1)], name="p")
    points = drawn(d, "boundary_p", 8000)
    edge = np.select([points[:, 1] == 0, points[:, 0] == 3, points[:, 1] == 1, points[:, 0] == 0], range(4), -1)
    assert chisquare(np.bincount(edge), np.array([3, 1, 3, 1]) * 1000).pvalue > 1e-3
    assert kstest(drawn(d, "boundary_p_2", 4000)[:, 0] / 3, "uniform").pvalue > 1e-3


def test_normals_are_exact_and_outward():
    shape = SHAPES["disjoint"]
    points, normals = drawn_with_normals(csg(shape), "boundary", 4000)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-14)
    assert not np.any(shapely.contains_xy(shape, points + 1e-7 * normals))
    assert np.all(shapely.contains_xy(shape, points - 1e-7 * normals))
    ring = shape.geoms[1].exterior
    edges = np.diff(ring.coords[:], axis=0)
    first = shapely.distance(ring, shapely.points(points)) < 1e-12
    assert first.sum() > 500
    products = normals[first] @ (edges / np.linalg.norm(edges, axis=1)[:, None]).T
    assert np.abs(products).min(axis=1).max() < 1e-15


def test_normals_of_a_round_hole_point_to_its_middle():
    hole = Point(1, 2).buffer(0.5, quad_segs=64)
    d = csg(box(-2, -2, 4, 4), name="plate") - csg(hole, name="hole")
    points, normals = drawn_with_normals(d, "boundary_hole", 1000)
    towards = (np.array([1.0, 2.0]) - points) / np.linalg.norm(points - (1, 2), axis=1)[:, None]
    assert np.sum(normals * towards, axis=1).min() > np.cos(np.pi / 256) - 1e-9


def test_bottom_normals():
    points, normals = drawn_with_normals(csg(SQUARE), "bottom", 50)
    assert np.all(points[:, 1] == 0.0)
    np.testing.assert_allclose(normals, np.broadcast_to((0.0, -1.0), (50, 2)), atol=1e-7)


def test_the_divergence_theorem_by_samples():
    """The mean of `x . n` over the boundary, times its length, is twice the area."""
    shape = SHAPES["holes"]
    points, normals = drawn_with_normals(csg(shape), "boundary", 100_000)
    values = np.sum(points * normals, axis=1) * shape.length
    assert values.mean() == pytest.approx(2 * shape.area, abs=4 * values.std() / np.sqrt(len(values)))


def test_reversed_normals_leave_the_others_alone():
    d = csg(SQUARE)
    d.variable("left", (5, None), normals=True)
    d.variable("left", (5, None), normals=True, reverse_normals=True)
    assert np.all(d.context["n_left"][..., 0] == -1.0)
    assert np.all(d.context["n_left@1"][..., 0] == 1.0)


# -- samplers ----


def regional(**options):
    return csg.from_regions({"a": box(0, 0, 1, 1), "b": box(1, 0, 2, 1)}, **options)


def test_precedence_of_samplers():
    d = regional(
        sampler=constant(0.1), samplers={"interior": constant(0.2), "a": constant(0.3), "interior_b": constant(0.4)}
    )
    assert np.all(drawn(d, "interior_a", 5, constant(0.5)) == 0.5)
    assert np.all(drawn(d, "interior_a", 5) == 0.3)
    assert np.all(drawn(d, "interior_b", 5) == 0.4)
    assert np.all(drawn(d, "interior", 5) == 0.2)
    other = regional(sampler=constant(0.1), samplers={"a": constant(0.3)})
    assert np.all(drawn(other, "interior_b", 5) == 0.1)
    assert np.all(drawn(other, "interior", 5) == 0.1)
    third = regional(samplers={"interior": constant(0.2)})
    assert np.all(drawn(third, "interior_b", 5) == 0.2)
    built_in = drawn(regional(samplers={"a": constant(0.3)}), "interior_b", 50)
    assert len(np.unique(built_in, axis=0)) == 50


def test_samplers_of_the_first_operand_count():
    one = csg(SQUARE, name="one", samplers={"interior": constant(0.25)})
    other = csg(box(0, 0, 2, 1), name="two", samplers={"interior": constant(0.75), "two": constant(0.5)})
    both = one + other
    assert np.all(drawn(both, "interior", 5) == 0.25)
    assert np.all(drawn(both, "interior_two", 5) == 0.5)


def test_samplers_get_the_geometry_and_the_count():
    seen = []

    def sampler(geometry, n):
        seen.append((geometry, n))
        return np.zeros((n, 2))

    d = regional(samplers={"a": sampler})
    drawn(d, "interior_a", 7)
    drawn(d, "interior", 3, sampler)
    assert [n for _, n in seen] == [7, 3]
    assert seen[0][0].equals(box(0, 0, 1, 1))
    assert seen[1][0].equals(box(0, 0, 2, 1))


def test_samplers_of_areas_are_ignored_on_boundaries(capsys):
    d = csg(SQUARE, name="a", sampler=constant(0.5), samplers={"a": constant(0.4), "interior": constant(0.3)})
    for tag in ("boundary", "boundary_a", "boundary_a_0", "left"):
        points = drawn(d, tag, 50)
        assert np.abs(points - 0.5).max(axis=1).min() > 0.5 - 1e-12
    key = d.sample({"boundary_a_2": (50, constant(0.5))}, normals=True)[2]
    assert np.all(d.context[key][..., 1] == 1.0)
    assert np.all(d.context[f"n_{key}"][..., 1] == 1.0)
    assert (
        "The sampler of 'boundary_a_2' is ignored: callable samplers place points in areas" in capsys.readouterr().out
    )
    for name in ("boundary", "boundary_a_0", "left"):
        with pytest.raises(ValueError, match=f"samplers= are for interior tags; '{name}' is a boundary"):
            csg(SQUARE, name="a", samplers={name: constant(0.5)})


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (lambda g, n: np.zeros((n, 3)), r"must return finite points of shape \(5, 2\); got shape \(5, 3\)"),
        (lambda g, n: np.zeros((n + 1, 2)), r"must return finite points of shape \(5, 2\); got shape \(6, 2\)"),
        (lambda g, n: np.zeros(n), r"must return finite points of shape \(5, 2\); got shape \(5,\)"),
        (lambda g, n: np.full((n, 2), np.nan), r"must return finite points of shape \(5, 2\)"),
        (np.arange(5), r"must be a callable \(geometry, n\) -> points"),
    ],
)
def test_samplers_that_cannot_be(sampler, message):
    with pytest.raises(ValueError, match=message):
        csg(SQUARE).variable("interior", (5, sampler))


def test_equispaced_needs_a_curve():
    with pytest.raises(ValueError, match="'equispaced' places points along a curve"):
        csg(SQUARE).variable("interior", (5, "equispaced"))


@pytest.mark.parametrize(
    ("tag", "options", "message"),
    [
        ("interior", {"sample": (-1, None)}, "must be a positive integer or None; got -1"),
        ("interior", {"sample": (0, None)}, "must be a positive integer or None; got 0"),
        ("boundary", {"sample": (2.5, None)}, "must be a positive integer or None; got 2.5"),
        ("interior", {"sample": (True, None)}, "must be a positive integer or None; got True"),
        ("interior", {"sample": [5, None]}, r"must be \(n, sampler\)"),
        ("interior", {"sample": (5, None), "normals": True}, "The tag 'interior' has no outward normals"),
        (
            "interior_a",
            {"sample": (5, None), "normals": True},
            "has no outward normals.*Boundary tags: .*'boundary_a_0'",
        ),
        ("nope", {"sample": (5, None)}, "Unknown tag 'nope'. Tags of this domain: .*'interior_a'"),
        ("boundary_a_4", {"sample": (5, None)}, "Unknown tag 'boundary_a_4'"),
        ("initial", {"sample": (5, None)}, "Unknown tag 'initial'"),
        ("interior", {"sample": (5, None), "time_value": 0.0}, "needs a time-dependent domain"),
        ("interior", {"sample": (5, None), "return_indices": True}, "were drawn from the shape and are no nodes"),
        ("left", {"sample": (5, None), "reverse_normals": True}, "reverse_normals=True needs normals=True"),
    ],
)
def test_requests_that_cannot_be(tag, options, message):
    with pytest.raises(ValueError, match=message):
        csg(SQUARE, name="a").variable(tag, **options)


def test_samples_that_name_nothing():
    with pytest.raises(ValueError, match=r"sample\(\{\}\) names no tag"):
        csg(SQUARE).sample({})
    with pytest.raises(ValueError, match=r"Unknown tag 'nope'. Tags of this domain: .*'interior'"):
        csg(SQUARE).sample({"nope": (5, None)})


# -- strategies ----


def strategies(domain):
    return {record.tag: record.resampling_strategy for record in domain.sample_dict}


def test_one_point_that_is_replaced_without_a_count():
    d = csg(SQUARE, name="a")
    for tag in ("interior", "boundary_a_1"):
        d.variable(tag)
        assert d.context[tag].shape == (1, 1, 1, 2)
        strategy = strategies(d)[tag]
        assert (strategy.resample_every, strategy.resample_fraction) == (1, 1.0)
    d.variable("left", (5, None))
    assert strategies(d)["left"] is None


def test_a_strategy_of_the_caller_is_respected():
    d, mine = csg(SQUARE), Every()
    d.variable("interior", resampling_strategy=mine)
    d.variable("boundary", (5, None), resampling_strategy=mine)
    assert strategies(d) == {"interior": mine, "boundary": mine}
    assert d.context["interior"].shape == (1, 1, 1, 2)


def test_precedence_of_strategies():
    default, inside, a, edge, outer, call = (Every() for _ in range(6))
    registered = {"interior": inside, "a": a, "boundary_b_0": edge, "boundary": outer}
    d = regional(resampling_strategy=default, resampling_strategies=registered)
    d.variable("interior_a", (5, None), resampling_strategy=call)
    for tag in ("interior_a", "interior_b", "interior", "boundary_a", "boundary_b", "boundary_b_0", "boundary", "left"):
        d.variable(tag, (5, None))
    assert strategies(d) == {
        "interior_a": call,
        "interior_a@1": a,
        "interior_b": inside,
        "interior": inside,
        "boundary_a": a,
        "boundary_b": outer,
        "boundary_b_0": edge,
        "boundary": outer,
        "left": outer,
    }
    other = regional(resampling_strategy=default)
    other.variable("interior_a")
    other.variable("boundary_b", (3, None))
    assert strategies(other) == {"interior_a": default, "boundary_b": default}


# -- candidates ----


def test_candidates_are_fresh_points_of_the_whole_tag():
    shape = SHAPES["holes"]
    d = csg(shape)
    d.variable("interior", (500, None))
    first, none = d.draw_candidates("interior")
    second, _ = d.draw_candidates("interior")
    assert none is None
    assert first.shape == (5000, 2)
    assert not np.any(np.isin(first[:, 0], second[:, 0]))
    assert np.all(shapely.contains_xy(shape, first))
    assert uniformity(first, shape, (6, 5)) > 1e-3


def test_numbers_of_candidates():
    d = csg(SQUARE, name="a")
    assert d.draw_candidates("interior")[0].shape == (1000, 2)
    d.variable("interior", (7, None))
    d.variable("boundary_a", (300, None))
    d.variable("boundary_a", (150, None))
    assert len(d.draw_candidates("interior")[0]) == 1000
    assert len(d.draw_candidates("boundary_a")[0]) == 3000
    assert len(d.draw_candidates("boundary_a@1")[0]) == 1500
    assert d.draw_candidates("nope") == (None, None)


def test_candidates_of_boundaries_have_normals():
    d = csg(SQUARE, name="a")
    d.variable("boundary_a", (5, None), normals=True)
    d.variable("boundary_a", (5, None), normals=True, reverse_normals=True)
    points, normals = d.draw_candidates("boundary_a")
    assert np.all(np.max(np.abs(points - 0.5 + 0.5 * normals), axis=1) > 0.5 - 1e-12)
    assert np.all(np.sum((points - 0.5) * normals, axis=1) > 0.4999)
    inward = d.draw_candidates("boundary_a@1")
    assert np.all(np.sum((inward[0] - 0.5) * inward[1], axis=1) < -0.4999)


def test_candidates_use_the_samplers():
    d = csg(SQUARE, sampler=constant(0.25))
    assert np.all(d.draw_candidates("interior")[0] == 0.25)
    d.variable("interior", (5, constant(0.75)))
    assert np.all(d.draw_candidates("interior")[0] == 0.75)


def test_candidates_after_meshing_are_points_of_the_shape():
    d = csg(SQUARE, mesh_size=0.5)
    d.variable("interior", (5, None))
    points, _ = d.draw_candidates("interior")
    assert points.shape == (1000, 2)
    assert np.all((points > 0) & (points < 1))


# -- names ----


def test_repeated_samples_never_take_the_name_of_an_edge():
    d = csg(SQUARE, name="a")
    keys = [d.variable(tag, (n, None))[0].tag for tag, n in (("boundary_a", 4), ("boundary_a", 5), ("boundary_a_0", 6))]
    keys.append(d.variable("boundary_a", (7, None))[0].tag)
    assert keys == ["boundary_a", "boundary_a@1", "boundary_a_0", "boundary_a@2"]
    assert [d.context[key].shape[2] for key in keys] == [4, 5, 6, 7]
    points, _ = d.draw_candidates("boundary_a@1")
    assert np.ptp(points[:, 1]) > 0.99
    assert np.all(d.context["boundary_a_0"][..., 1] == 0.0)


def test_earlier_samples_survive():
    d = csg(SQUARE)
    x, *_ = d.variable("interior", (50, None))
    before = d.context["interior"].copy()
    x1, *_ = d.variable("interior", (50, None))
    assert x1.tag == "interior@1"
    np.testing.assert_array_equal(d.context["interior"], before)
    assert not np.any(d.context["interior@1"] == before)
    core = jno.core([x.mean - x1.mean])
    assert np.asarray(core.eval((x * 1.0).mean)).item() == pytest.approx(before[..., 0].mean(), rel=1e-5)


def test_sample_returns_the_last_tag():
    points, indices, key = csg(SQUARE).sample({"interior": (5, None), "left": (4, None)})
    assert points.shape == (1, 1, 4, 2)
    assert indices is None
    assert key == "left"


def test_variables():
    d = csg(SQUARE)
    x, y, t, nx, ny = d.variable("left", (5, None), normals=True, split=True)
    assert (x.tag, y.tag, t.tag, nx.tag, ny.tag) == ("left", "left", "__time__", "n_left", "n_left")
    assert d.context["__time__"].tolist() == [[1.0]]
    n = d.variable("left", (5, None), normals=True)
    assert (n.tag, n.size) == ("n_left@1", 2)


# -- batches ----


def test_batch_rows_are_copies_with_points_of_their_own():
    d = csg(SQUARE, name="a")
    d.variable("interior", (5, None))
    batch = 3 * d
    assert isinstance(batch, csg)
    assert (batch.total_samples, d.total_samples) == (3, 1)
    assert (2 * batch).total_samples == (batch * 2).total_samples == 6
    batch.variable("interior", (40, None))
    batch.variable("boundary", (10, None), normals=True)
    rows = batch.context["interior"]
    assert rows.shape == (3, 1, 40, 2)
    assert len(np.unique(rows.reshape(-1, 2), axis=0)) == 120
    assert batch.context["n_boundary"].shape == (3, 1, 10, 2)
    inside = batch.context["boundary"] - 1e-6 * batch.context["n_boundary"]
    assert np.all((inside > 0) & (inside < 1))
    assert d.context["interior"].shape == (1, 1, 5, 2)
    batch.build_mesh(0.5)
    assert d.mesh is None


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_factors_that_cannot_be(n):
    with pytest.raises(ValueError, match="can only be multiplied by a positive integer"):
        n * csg(SQUARE)


# -- time ----


def test_time_dependent_domains_without_a_mesh():
    d = csg(SQUARE, time=(0.5, 1.5, 3))
    d.variable("interior", (7, None))
    d.variable("boundary", (4, None), normals=True)
    t = d.variable("initial", (9, None))[-1]
    shapes = {name: value.shape for name, value in d.context.items()}
    assert shapes == {
        "interior": (1, 3, 7, 2),
        "__time__": (3, 1),
        "boundary": (1, 3, 4, 2),
        "n_boundary": (1, 3, 4, 2),
        "initial": (1, 1, 9, 2),
        "__time_initial__": (1, 1),
    }
    assert d.context["__time__"][:, 0].tolist() == [0.5, 1.0, 1.5]
    assert d.context["__time_initial__"].tolist() == [[0.5]]
    assert t.tag == "__time_initial__"
    assert np.all((d.context["initial"] > 0) & (d.context["initial"] < 1))
    np.testing.assert_array_equal(d.context["interior"][:, 0], d.context["interior"][:, 2])


def test_initial_without_a_count_and_after_meshing():
    d = csg(SQUARE, time=(0, 1, 3))
    d.variable("initial")
    assert d.context["initial"].shape == (1, 1, 1, 2)
    d.build_mesh(0.3)
    d.variable("initial")
    assert d.context["initial@1"].shape == (1, 1, len(d.points), 2)
    with pytest.raises(ValueError, match=r"'initial' is fixed at t0=0.0"):
        d.variable("initial", (5, None), time_value=1.0)


@pytest.mark.parametrize("tag", ["initial", "left", "given"])
def test_points_at_one_time_alone_can_be_evaluated(tag):
    """No other points of the domain have been sampled, which has no mesh."""
    d = csg(SQUARE, time=(0.5, 1.5, 3))
    if tag == "given":
        x, _ = d.variable(tag, np.array([[0.1, 0.2], [0.3, 0.4]]), point_data=True, split=True)
        expected, time = [[0.1], [0.3]], 0.0
        value = (x + 0.0).eval()
    else:
        x, _, t = d.variable(tag, (4, None), time_value=None if tag == "initial" else 1.5)
        expected, time = d.context[tag][0, 0, :, :1], 0.5 if tag == "initial" else 1.5
        value = (x + t).eval()
    np.testing.assert_allclose(value[0], np.asarray(expected) + time, rtol=1e-6)
    assert d.context["__time__"][:, 0].tolist() == [0.5, 1.0, 1.5]
    other = csg(SQUARE, time=(0.5, 1.5, 3))
    assert jno.core([x.mse]).eval(x, domain=other).shape == (1, len(expected), 1)


def test_fixed_time_levels():
    d = csg(SQUARE, time=(0, 1, 5))
    _, _, t = d.variable("interior", (5, None), time_value=0.55)
    assert d.context["interior"].shape == (1, 1, 5, 2)
    assert d.context[t.tag].tolist() == [[0.5]]
    with pytest.raises(ValueError, match=r"time_value=2.0 lies outside"):
        d.variable("interior", (5, None), time_value=2.0)


def test_samples_on_time_dependent_batches():
    d = 2 * csg(SQUARE, time=(0, 1, 3))
    d.variable("interior", (5, None))
    assert d.context["interior"].shape == (2, 3, 5, 2)


# -- tags ----


@pytest.mark.parametrize("meshed", [False, True])
def test_predicates_on_areas(meshed):
    shape = SHAPES["holes"]
    d = csg(shape, mesh_size=0.3) if meshed else csg(shape)
    assert d.tag("disk", lambda x, y: (x - 1) ** 2 + (y - 1) ** 2 < 1) is d
    exact = Point(1, 1).buffer(1, quad_segs=256) & shape
    points = drawn(d, "disk", 6000)
    assert np.all((points[:, 0] - 1) ** 2 + (points[:, 1] - 1) ** 2 < 1)
    assert np.all(shapely.contains_xy(shape, points))
    assert uniformity(points, exact, (6, 6)) > 1e-3
    assert not np.any(np.isin(drawn(d, "disk", 100), points))
    with pytest.raises(ValueError, match="The tag 'disk' has no outward normals"):
        d.variable("disk", (5, None), normals=True)


@pytest.mark.parametrize("meshed", [False, True])
def test_predicates_on_boundaries(meshed):
    d = csg(SQUARE, mesh_size=0.25) if meshed else csg(SQUARE)
    d.tag("inlet", lambda x, y: (x == 0) & (y > 0.5))
    points, normals = drawn_with_normals(d, "inlet", 3000)
    assert np.all(points[:, 0] == 0.0)
    assert kstest(2 * points[:, 1] - 1, "uniform").pvalue > 1e-3
    assert np.all(normals == (-1.0, 0.0))


@pytest.mark.parametrize("meshed", [False, True])
def test_shapely_geometries_as_tags(meshed):
    shape = SHAPES["disjoint"]
    d = csg(shape, mesh_size=0.3) if meshed else csg(shape)
    window = box(0.5, 0.5, 2.75, 3)
    points = drawn(d.tag("window", window), "window", 8000)
    assert np.all(shapely.contains_xy(window & shape, points))
    assert uniformity(points, window & shape, (6, 6)) > 1e-3
    on, normals = drawn_with_normals(d.tag("piece", LineString([(0, 0.25), (0, 0.75)])), "piece", 500)
    assert np.all((on[:, 0] == 0) & (on[:, 1] >= 0.25 - 1e-6) & (on[:, 1] <= 0.75 + 1e-6))
    assert np.allclose(normals, (-1, 0))


@pytest.mark.parametrize("meshed", [False, True])
def test_facet_predicates(meshed):
    d = csg(SQUARE, name="a") - csg(box(0.25, 0.25, 0.75, 0.75), name="h")
    d = d.build_mesh(0.25) if meshed else d
    seen = []

    def rightward(x, n, name):
        seen.append(name)
        assert x.shape == n.shape == (len(x), 2)
        return n[:, 0] > 0.5

    points, normals = drawn_with_normals(d.tag("out", rightward), "out", 2000)
    assert np.allclose(normals, (1, 0))
    assert sorted(set(np.round(points[:, 0], 12))) == [0.25, 1.0]
    assert np.mean(points[:, 0] < 0.5) == pytest.approx(1 / 3, abs=0.04)
    assert {"boundary", "boundary_a", "boundary_a_0", "boundary_h_3"} <= set(seen)
    hole, _ = drawn_with_normals(d.tag("hole", lambda x, n, name: name == "boundary_h"), "hole", 500)
    assert np.allclose(np.abs(hole - 0.5).max(axis=1), 0.25)


def test_tags_by_the_keyword_where():
    d = csg(SQUARE)
    d.variable("low", (50, None), where=lambda x, y: y < 0.1)
    assert d.context["low"][..., 1].max() < 0.1
    assert "low" in d.available_mesh_tags


def test_tags_survive_set_operations():
    d = csg(SQUARE).tag("half", lambda x, y: x < 0.5) - box(0.25, -1, 2, 2)
    assert drawn(d, "half", 500)[:, 0].max() < 0.25


def test_tags_may_be_redefined_until_they_are_sampled():
    d = csg(SQUARE).tag("half", lambda x, y: x < 0.5).tag("half", lambda x, y: x > 0.5)
    assert drawn(d, "half")[:, 0].min() > 0.5
    with pytest.raises(ValueError, match="The tag 'half' has been sampled already and cannot be redefined"):
        d.tag("half", lambda x, y: y > 0.5)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (lambda x, y: x > 2, "selects no part of the interior or of the boundary"),
        (Point(5, 5).buffer(1), "selects no part of the interior or of the boundary"),
        (LineString([(0.2, 0.2), (0.4, 0.4)]), "selects no part of the interior or of the boundary"),
        (lambda x, n, name: n[:, 0] > 2, "selects none of the 4 edges of the boundary"),
        (lambda x, n, name: n[:, 0], r"must return a boolean array of shape \(\d,\)"),
        (lambda x, n: n[:, 0] > 0, r"a facet predicate has the parameters \(x, n, name\); got \(x, n\)"),
        (lambda x, y: x, "to a boolean array of the same shape; it returned dtype float64"),
        (3, r"must be a predicate f\(x\[, y\[, z\]\]\) -> bool array, a shapely geometry"),
    ],
)
def test_tags_that_cannot_be(where, message):
    d = csg(SQUARE)
    with pytest.raises(ValueError, match=message):
        d.tag("new", where)
    assert "new" not in d.available_mesh_tags


@pytest.mark.parametrize("name", ["interior", "left", "boundary_polygon_0"])
def test_tags_of_the_geometry_cannot_be_redefined(name):
    with pytest.raises(ValueError, match=f"The tag '{name}' belongs to the geometry and cannot be redefined"):
        csg(SQUARE).tag(name, lambda x, y: x < 0.5)


def test_predicate_regions_take_no_samplers():
    d = csg(SQUARE).tag("half", lambda x, y: x < 0.5)
    with pytest.raises(ValueError, match="drawn by rejection, leave out the sampler"):
        d.variable("half", (5, constant(0.5)))
    with pytest.raises(ValueError, match="selects no part of the interior"):
        csg(SQUARE).tag("dot", lambda x, y: (x - 0.5) ** 2 + (y - 0.5) ** 2 < 1e-12)


# -- seeds ----


def test_samples_follow_the_seed(monkeypatch):
    def points():
        d = csg(SHAPES["holes"]).tag("half", lambda x, y: x < 2)
        for tag in ("interior", "boundary", "half", "interior"):
            d.variable(tag, (20, None))
        return np.concatenate([d.context[key].reshape(-1, 2) for key in ("interior", "boundary", "half", "interior@1")])

    first = points()
    np.testing.assert_array_equal(points(), first)
    assert len(np.unique(first, axis=0)) == 80
    monkeypatch.setenv("JNO_SEED", "12345")
    assert not np.any(points()[:20] == first[:20])


def test_numpys_generator_is_neither_used_nor_changed():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    d = csg(SQUARE)
    first = drawn(d.copy(), "interior", 5)
    drawn(d, "boundary", 5)
    d.copy().build_mesh(0.5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(drawn(csg(SQUARE), "interior", 5), first)


# -- stack ----


def test_stacked_domains():
    disk = Point(5, 0).buffer(1)
    dom = jno.domain.stack(2 * csg(SQUARE), 3 * jno.domain(disk), csg(SQUARE), n_interior=300, n_boundary=100)
    assert isinstance(dom, jno.domain)
    assert dom.total_samples == 6
    assert dom.available_mesh_tags == ["interior", "boundary"]
    x, y = dom.variable("interior")
    xb, yb = dom.variable("boundary")
    assert [v.tag for v in (x, y, xb, yb)] == ["interior", "interior", "boundary", "boundary"]
    inside, edge = dom.context["interior"], dom.context["boundary"]
    assert inside.shape == (6, 1, 300, 2)
    assert edge.shape == (6, 1, 100, 2)
    for row, shape in enumerate([box(0, 0, 1, 1)] * 2 + [disk] * 3 + [box(0, 0, 1, 1)]):
        assert np.all(shapely.contains_xy(shape, inside[row, 0]))
        assert shapely.distance(shape.boundary, shapely.points(edge[row, 0])).max() < 1e-12
    assert len(np.unique(inside.reshape(-1, 2), axis=0)) == 1800


def test_stacked_points_are_uniform():
    shape = SHAPES["holes"]
    dom = jno.domain.stack(20 * csg(shape), n_interior=500, n_boundary=200)
    dom.variable("interior")
    dom.variable("boundary")
    assert uniformity(dom.context["interior"].reshape(-1, 2), shape, (8, 6)) > 1e-3
    rings = shapely.get_rings(shape)
    points = shapely.points(dom.context["boundary"].reshape(-1, 2))
    nearest = np.stack([shapely.distance(ring, points) for ring in rings]).argmin(axis=0)
    lengths = shapely.length(rings)
    assert chisquare(np.bincount(nearest), lengths / lengths.sum() * 4000).pvalue > 1e-3


def test_default_counts_of_a_stack():
    dom = csg.stack(csg(SQUARE))
    dom.variable("interior")
    dom.variable("boundary")
    assert dom.context["interior"].shape == (1, 1, 256, 2)
    assert dom.context["boundary"].shape == (1, 1, 64, 2)
    with pytest.raises(ValueError, match="The tag 'boundary' has no outward normals"):
        dom.variable("boundary", normals=True)


def test_evaluation_on_a_stack():
    dom = jno.domain.stack(3 * csg(SQUARE), n_interior=50, n_boundary=5)
    x, y = dom.variable("interior")
    value = np.asarray(jno.core([(x * y).mean]).eval(x * y))
    points = dom.context["interior"]
    np.testing.assert_allclose(value.reshape(3, 50), (points[..., 0] * points[..., 1])[:, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("domains", "options", "error", "message"),
    [
        ((), {}, ValueError, "needs at least one polygon domain"),
        ((3,), {}, TypeError, "takes polygon domains .*argument 0 is 3"),
        ((csg(SQUARE), jno.domain.rect(mesh_size=0.5)), {}, TypeError, "argument 1 is domain"),
        ((csg(SQUARE),), {"n_interior": 0}, ValueError, r"stack\(n_interior=...\) must be a positive integer; got 0"),
        ((csg(SQUARE),), {"n_boundary": -3}, ValueError, r"stack\(n_boundary=...\) must be a positive integer; got -3"),
        ((csg(SQUARE, time=(0, 1, 3)),), {}, ValueError, r"takes steady domains; argument 0 has time=\(0.0, 1.0, 3\)"),
        ((csg(SQUARE), csg.from_polygons({})), {}, ValueError, "argument 1 is empty"),
    ],
)
def test_stacks_that_cannot_be(domains, options, error, message):
    with pytest.raises(error, match=message):
        jno.domain.stack(*domains, **options)
