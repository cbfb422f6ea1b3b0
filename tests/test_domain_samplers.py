"""Named samplers on every kind of domain: uniformity, low discrepancy, normals, and every error by its text."""

import numpy as np
import pytest
from meshes import mesh_domain
from scipy.stats import chisquare
from shapely.geometry import Point, box

import jno

RANDOM = ("uniform", "latin_hypercube", "sobol", "halton")
SEQUENCES = ("latin_hypercube", "sobol", "halton")


def drawn(domain, tag, n, sampler, **options):
    key = domain.sample({tag: (n, sampler)}, **options)[2]
    return domain.context[key][0, 0], domain.context.get(f"n_{key}")


DOMAINS = {
    "line": (lambda: jno.domain.line((0, 2), mesh_size=0.3), lambda p: p[:, 0] / 2),
    "rect": (lambda: jno.domain.rect((0, 2), (0, 1), mesh_size=0.3), lambda p: p[:, 0] / 2),
    "polygon": (lambda: jno.domain(box(0, 0, 2, 1)), lambda p: p[:, 0] / 2),
    "cube": (lambda: jno.domain.cube(mesh_size=0.3), lambda p: p[:, 2]),
}


@pytest.mark.parametrize("sampler", RANDOM)
@pytest.mark.parametrize("name", DOMAINS)
def test_every_sampler_is_uniform_on_every_domain(name, sampler):
    build, share = DOMAINS[name]
    points, _ = drawn(build(), "interior", 4000, sampler)
    counts, _ = np.histogram(share(points), bins=20, range=(0, 1))
    assert counts.sum() == 4000
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("sampler", RANDOM)
def test_areas_with_holes_are_uniform(sampler):
    shape = box(0, 0, 4, 3) - Point(1, 1).buffer(0.6) - Point(3, 2).buffer(0.5)
    points, _ = drawn(jno.domain(shape), "interior", 6000, sampler)
    cells, expected = [], []
    for i in range(8):
        for j in range(6):
            cell = box(i / 2, j / 2, (i + 1) / 2, (j + 1) / 2)
            area = cell.intersection(shape).area
            inside = np.all((points >= cell.bounds[:2]) & (points < cell.bounds[2:]), axis=1)
            if area > 0.02:
                cells.append(inside.sum())
                expected.append(area)
    expected = np.array(expected) * sum(cells) / sum(expected)
    assert chisquare(cells, expected).pvalue > 1e-3
    assert all(shape.contains(Point(p)) for p in points[:500])


@pytest.mark.parametrize("sampler", SEQUENCES)
@pytest.mark.parametrize("name", ["rect", "polygon", "cube"])
def test_low_discrepancy_integrates_better(name, sampler):
    """The mean of a smooth function over 1024 points, error over ten draws, against independent points."""
    domain = DOMAINS[name][0]()

    def spread(kind):
        means = [np.cos(drawn(domain, "interior", 1024, kind)[0].sum(axis=1)).mean() for _ in range(10)]
        return np.std(means)

    assert spread(sampler) < 0.5 * spread("uniform")


def test_sobol_points_of_a_rectangle_are_those_of_the_unit_square():
    """Each of 256 congruent cells holds one of the 256 points: the map of a rectangle is affine."""
    points, _ = drawn(jno.domain(box(-1, 2, 3, 4)), "interior", 256, "sobol")
    cells = np.floor((points - (-1, 2)) / (4, 2) * 16).astype(int)
    assert len(np.unique(cells, axis=0)) == 256


def test_latin_hypercubes_fill_every_layer():
    points, _ = drawn(jno.domain(box(0, 0, 1, 1)), "interior", 100, "latin_hypercube")
    for axis in (0, 1):
        assert np.array_equal(np.sort(np.floor(points[:, axis] * 100)), np.arange(100))


@pytest.mark.parametrize("build", [lambda: jno.domain.rect(mesh_size=0.3), lambda: jno.domain(box(0, 0, 1, 1))])
@pytest.mark.parametrize("sampler", [*RANDOM, "equispaced"])
def test_boundaries_have_points_and_normals(build, sampler):
    points, normals = drawn(build(), "boundary", 400, sampler, normals=True)
    distance = np.minimum(points, 1 - points)
    assert np.abs(distance.min(axis=1)).max() < 1e-12
    side = distance.argmin(axis=1)
    expected = np.where(points[np.arange(400), side] > 0.5, 1.0, -1.0)
    clear = distance.max(axis=1) > 1e-9
    np.testing.assert_allclose(normals[0, 0, np.arange(400), side][clear], expected[clear])
    along = points[np.arange(400), 1 - side]
    counts = np.histogram2d(2 * side + (expected > 0), along, bins=(4, 5), range=((-0.5, 3.5), (0, 1)))[0]
    assert chisquare(counts.reshape(-1)).pvalue > 1e-3


def test_faces_of_a_cube():
    points, normals = drawn(jno.domain.cube(mesh_size=0.3), "top", 500, "sobol", normals=True)
    assert np.allclose(points[:, 2], 1.0)
    assert np.allclose(normals[0, 0], (0, 0, 1))
    assert chisquare(np.histogram2d(points[:, 0], points[:, 1], bins=5)[0].reshape(-1)).pvalue > 1e-3


@pytest.mark.parametrize("build", [lambda: jno.domain.rect(mesh_size=0.3), lambda: jno.domain(box(0, 0, 1, 1))])
def test_equispaced_points_are_midpoints(build):
    points, _ = drawn(build(), "left", 5, "equispaced")
    assert np.allclose(np.sort(points[:, 1]), (np.arange(5) + 0.5) / 5)


def test_equispaced_points_of_an_interval():
    points, _ = drawn(jno.domain.line((0, 2)), "interior", 4, "equispaced")
    assert np.allclose(points[:, 0], [0.25, 0.75, 1.25, 1.75])


def test_points_of_an_uneven_mesh_are_even():
    line = mesh_domain([[0.0], [0.5], [2.0]], [[0, 1], [1, 2]])
    points, _ = drawn(line, "interior", 8, "equispaced")
    np.testing.assert_allclose(np.sort(points[:, 0]), (np.arange(8) + 0.5) / 4, rtol=1e-6)
    triangles = mesh_domain([[0, 0], [4, 0], [4, 1], [0, 1], [1, 0]], [[0, 4, 3], [4, 1, 2], [4, 2, 3]])
    points, _ = drawn(triangles, "interior", 4000, "sobol")
    counts = np.histogram2d(*points.T, bins=(8, 2))[0]
    np.testing.assert_allclose(counts, 250, atol=25)


def test_point_sets_are_subsets_without_repetition():
    cloud = np.random.default_rng(0).uniform(size=(300, 2))
    d = jno.domain.from_array({"a": cloud})
    for sampler in RANDOM:
        points, _ = drawn(d, "a", 60, sampler)
        assert len(np.unique(points, axis=0)) == 60
        assert np.all(np.isin(points[:, 0], cloud[:, 0]))
    assert len(np.unique(drawn(d, "a", 300, "halton")[0], axis=0)) == 300
    with pytest.raises(ValueError, match="301 points were asked for, but the point set has only 300"):
        d.variable("a", (301, "sobol"))


def test_rows_are_independent_and_reproducible():
    d = 3 * jno.domain.rect()
    d.variable("interior", (10, "sobol"))
    rows = d.context["interior"]
    assert rows.shape == (3, 1, 10, 2)
    assert not np.allclose(rows[0], rows[1])
    again = 3 * jno.domain.rect()
    again.variable("interior", (10, "sobol"))
    np.testing.assert_array_equal(again.context["interior"], rows)


def test_more_points_than_nodes():
    d = jno.domain.rect(mesh_size=0.5)
    d.variable("interior", (1000, "uniform"))
    assert d.context["interior"].shape == (1, 1, 1000, 2)


def test_registered_samplers_may_be_names():
    d = jno.domain(box(0, 0, 1, 1), sampler="sobol")
    d.variable("interior", (256, None))
    cells = np.floor(d.context["interior"][0, 0] * 16).astype(int)
    assert len(np.unique(cells, axis=0)) == 256
    with pytest.raises(ValueError, match="Unknown sampler 'sobel' of 'interior'; named samplers are uniform"):
        jno.domain(box(0, 0, 1, 1), samplers={"interior": "sobel"})


def test_replayed_on_another_domain():
    coarse, fine = jno.domain.rect(mesh_size=0.5), jno.domain.rect((0, 2), mesh_size=0.1)
    coarse.variable("interior", (50, "sobol"))
    points = fine.context_for(coarse)["interior"]
    assert points.shape == (1, 1, 50, 2)
    assert points[..., 0].max() > 1.0


def test_candidates_of_placed_points_are_placed_as_well():
    d = jno.domain.rect(mesh_size=0.5)
    d.variable("interior", (50, "sobol"))
    assert d.draw_candidates("interior")[0].shape == (1000, 2)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((5, "sobel"), r"Unknown sampler 'sobel' of 'interior'; named samplers are uniform, latin_hypercube, sobol"),
        ((None, "sobol"), r"needs a number of points: sample=\(n, 'sobol'\)"),
        ((5, "equispaced"), "places points along a curve"),
        ((0, "sobol"), "must be a positive integer"),
        (
            (5, 3.5),
            r"must be one of uniform, latin_hypercube, sobol, halton, equispaced, jno.sampler.graded\(...\), a call",
        ),
    ],
)
def test_samples_that_cannot_be(sample, message):
    with pytest.raises(ValueError, match=message):
        jno.domain.rect().variable("interior", sample)


def test_regions_without_cells_or_by_predicate():
    d = jno.domain.rect(mesh_size=0.5).tag("corner", lambda x, y: (x == 0) & (y == 0))
    with pytest.raises(ValueError, match="neither cells nor facets of its own, only 1 node"):
        d.variable("corner", (5, "sobol"))
    lazy = jno.domain(box(0, 0, 1, 1)).tag("half", lambda x, y: x < 0.5)
    with pytest.raises(ValueError, match=r"drawn uniformly by rejection\. Leave out the sampler 'sobol'"):
        lazy.variable("half", (5, "sobol"))
    lazy.tag("quarter", box(0, 0, 0.5, 0.5)).variable("quarter", (5, "sobol"))


def test_indices_of_placed_points():
    with pytest.raises(ValueError, match="are no nodes with indices"):
        jno.domain.rect().variable("interior", (5, "sobol"), return_indices=True)


def test_a_million_points():
    d = jno.domain(box(0, 0, 4, 4) - Point(1, 1).buffer(0.5) - Point(3, 1).buffer(0.5) - Point(2, 3).buffer(0.5))
    points, _ = drawn(d, "interior", 1_000_000, None)
    assert len(np.unique(points, axis=0)) == 1_000_000
