"""Points that are denser near places: their density, the weights that take it back, and every refusal."""

import foundax
import jax
import numpy as np
import optax
import pytest
from scipy import stats
from shapely.geometry import Point, box

import jno
from jno.domain.drawable import _bisection, graded_cells
from jno.domain.sampling import device_draw

graded = jno.sampler.graded
SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]


def drawn(domain, tag, count, sampler):
    domain.variable(tag, (count, sampler))
    return domain.context[tag][0, 0]


def test_every_halving_of_the_distance_gets_as_many_points():
    """Of half of the points, the others being uniform: between `finest` and the extent, in octaves."""
    d = jno.domain(SQUARE)
    distance = np.linalg.norm(drawn(d, "interior", 8192, graded((0.0, 0.0), finest=1e-4)), axis=1)
    octaves = [np.sum((distance < 2.0**-k) & (distance >= 2.0 ** -(k + 1))) for k in range(4, 10)]
    assert max(octaves) < 1.5 * min(octaves)
    uniform = 8192 * np.pi / 4 * 2.0**-8
    assert min(octaves) > 3 * uniform
    assert distance.min() < 1e-4


@pytest.mark.parametrize("near", [["left", "right"], ["right", "left"]])
def test_cells_are_small_near_every_place(near):
    cells = graded_cells(jno.domain(SQUARE).geometry, "interior", graded(near, finest=0.02))
    widths, middles = np.ptp(cells.corners[:, :, 0], axis=1), cells.corners[:, :, 0].mean(axis=1)
    beside = [np.abs(middles - place) < 0.01 for place in (0.0, 1.0)]
    np.testing.assert_allclose(*[widths[part].mean() for part in beside], rtol=0.2)
    np.testing.assert_allclose(*[cells.densities[part].max() for part in beside], rtol=0.2)


def test_the_density_is_that_of_the_cells():
    """Counts in the cells of the region against their density: chi-squared, and the density of drawn points."""
    with jax.enable_x64(True):
        d = jno.domain(box(0, 0, 1, 1) - box(0.5, 0.5, 1, 1))
        sampler = graded((0.5, 0.5), finest=0.1, sampler="uniform")
        points = drawn(d, "interior", 20_000, sampler)
        cells = graded_cells(d.geometry, "interior", sampler)
        density = np.asarray(jax.jit(cells.density)(*np.split(points, 2, axis=1)))[:, 0]
    sides = cells.corners[:, 1:] - cells.corners[:, :1]
    areas = np.abs(np.linalg.det(sides)) / 2
    np.testing.assert_allclose(areas.sum(), 0.75, rtol=1e-12)
    np.testing.assert_allclose(np.sum(areas * cells.densities), 0.75, rtol=1e-12)
    edges = np.geomspace(0.9 * cells.densities.min(), 1.1 * cells.densities.max(), 16)
    expected = np.histogram(cells.densities, edges, weights=areas * cells.densities)[0] / 0.75 * len(points)
    observed = np.histogram(density, edges)[0]
    assert np.all(observed[expected == 0] == 0)
    assert stats.chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-3
    assert cells.densities.max() / cells.densities.min() > 5


PLACES = {
    "corner": (lambda: jno.domain(SQUARE), "interior", (0.0, 1.0), lambda p: p[:, 0] ** 2 + p[:, 1], 1 / 3 + 1 / 2),
    "side": (lambda: jno.domain(SQUARE), "interior", "left", lambda p: p[:, 0], 1 / 2),
    "two places": (lambda: jno.domain(SQUARE), "interior", ["left", (1.0, 1.0)], lambda p: np.prod(p, axis=1), 1 / 4),
    "mesh": (lambda: jno.domain.rect(mesh_size=0.3), "interior", "top", lambda p: p[:, 1], 1 / 2),
    "line": (lambda: jno.domain.line((0, 2), mesh_size=0.1), "interior", [0.0, 2.0], lambda p: p[:, 0] ** 2, 4 / 3),
    "boundary": (lambda: jno.domain(SQUARE), "boundary", (0.0, 0.0), lambda p: p[:, 0] ** 2, (1 + 2 / 3) / 4),
    "space": (lambda: jno.domain.cube(mesh_size=0.5), "interior", "left", lambda p: p[:, 0], 1 / 2),
    "edge in space": (
        lambda: jno.domain.cube(mesh_size=0.5),
        "interior",
        [[(0.0, 0.0, 0.0), (0.0, 0.0, 1.0)]],
        lambda p: p[:, 0] + p[:, 1],
        1.0,
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_weights_give_uniform_means_back(name):
    make, tag, place, function, mean = PLACES[name]
    d = make()
    points = drawn(d, tag, 4096, graded(place))
    weights = d.importance_weights(tag)
    w = np.asarray(jax.jit(weights.fn)(*np.split(points, d.dimension, axis=1)))[:, 0]
    values = function(points)
    np.testing.assert_allclose(np.mean(w), 1.0, atol=0.02)
    np.testing.assert_allclose(np.mean(w * values), mean, rtol=0.03)
    assert abs(np.mean(values) - mean) > 0.05 * mean
    assert w.min() > 0.0
    assert w.max() <= 2.0 + 1e-5


def test_weights_are_an_expression_that_has_no_slope():
    d = jno.domain(SQUARE)
    x, _, _ = d.variable("interior", (64, graded("left")))
    w = d.importance_weights()
    value, slope = (np.asarray(part) for part in jno.core([(w * x).mse], domain=d).eval([w, (w * x).d(x)]))
    np.testing.assert_allclose(slope, value, rtol=1e-6)


def test_named_places_on_meshes_and_shapes():
    """A single node, the outline of a region, and the interface of two."""
    pinned = jno.domain.rect(mesh_size=0.2)
    pinned.point_region("pin", (0.4, 0.6))
    points = drawn(pinned, "interior", 256, graded("pin"))
    assert np.mean(np.linalg.norm(points - [0.4, 0.6], axis=1) < 0.1) > 0.2
    two = jno.domain.csg.from_regions({"hot": box(0, 0, 1, 1), "cold": box(1, 0, 2, 1)})
    points = drawn(two, "interior", 256, graded("hot"))
    on_left = points[points[:, 0] < 1]
    outline = np.minimum(on_left, 1 - on_left).min(axis=1)
    assert np.mean(outline < 0.02) > 0.15


def test_fresh_points_of_compiled_code_have_the_same_density():
    d = jno.domain(Point(0, 0).buffer(1.0))
    sampler = graded("boundary", sampler="uniform")
    on_host = drawn(d, "interior", 2000, sampler)
    draw = device_draw(d.geometry, d.samples.record("interior"), 2000)
    on_device, _ = jax.jit(lambda key: draw(key, np.dtype("float32")))(jax.random.key(0))
    radii = [np.linalg.norm(points, axis=1) for points in (on_host, np.asarray(on_device))]
    assert stats.ks_2samp(*radii).pvalue > 1e-3
    assert np.median(radii[1]) > 0.8


def test_training_with_fresh_graded_points():
    d = jno.domain(SQUARE)
    every_epoch = jno.sampler.random(resample_every=1, resample_fraction=1.0, start_epoch=0)
    x, y, _ = d.variable("interior", (64, graded("left")), every_epoch)
    scale = jno.np.parameter((1,), name="scale").optimizer(optax.adam(1e-3))
    w = d.importance_weights()
    core = jno.core([(w * (scale - 1.0 - x + x) ** 2).mean, (0 * y).mse])
    before = d.context["interior"].copy()
    core.solve(3)
    after = d.context["interior"]
    assert not np.any(before == after)
    assert np.mean(after[..., 0] < 0.1) > 0.2


def test_a_layer_is_learned_from_few_points():
    """Of width 0.01 at one end, from 24 points: points by Sobol miss it."""

    def error(sampler):
        d = jno.domain.line(mesh_size=0.01)
        x, _ = d.variable("interior", (24, sampler))
        net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.key(0)))
        net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, 1500)))
        misfit = net(jno.np.log(x + 0.001)) - jno.np.exp(-x / 0.01)
        core = jno.core([misfit.mse])
        core.solve(1500)
        xn, _ = d.variable("interior")
        return np.abs(core.eval(misfit(xn))).max()

    assert error(graded("left")) < 0.05
    assert error("sobol") > 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"near": 1.0, "share": 1.0}, r"share=1.0\): it must be greater than 0 and less than 1"),
        ({"near": 1.0, "finest": 0.0}, r"finest=0.0\): it must be a positive number or None"),
        ({"near": 1.0, "power": "two"}, r"power='two'\): it must be a positive number or None"),
        ({"near": 1.0, "sampler": None}, "must be the name of a sampler"),
        ({"near": None}, r"near=None\): it must be a tag, a point such as"),
        ({"near": []}, r"near=\[\]\): it must be a tag"),
        ({"near": [0.0, float("nan")]}, "it must be a tag"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        graded(**options)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((10, graded("nowhere")), r"graded\(near='nowhere'\): unknown tag. Tags of this domain"),
        ((10, graded((0.0, 0.0, 0.0))), r"of 2 space dimension\(s\) places are a point \(2,\)"),
        ((None, graded("left")), "needs a number of points"),
        ((10, graded("left", sampler="best")), "Unknown sampler 'best'"),
    ],
)
def test_samples_that_cannot_be(sample, message):
    with pytest.raises(ValueError, match=message):
        jno.domain(SQUARE).variable("interior", sample)


def test_too_many_cells_are_refused(monkeypatch):
    monkeypatch.setattr(_bisection, "_MOST", 1000)
    with pytest.raises(ValueError, match=r"'interior', graded\('left', share=0.5\) takes more than 1000 cells"):
        jno.domain(SQUARE).variable("interior", (10, graded("left")))


def test_regions_without_simplices_are_refused():
    cloud = jno.domain.from_array({"interior": np.zeros((5, 2))})
    with pytest.raises(ValueError, match="the tag 'interior' has none"):
        cloud.variable("interior", (3, graded((0.0, 0.0))))
    d = jno.domain(SQUARE)
    d.tag("part", lambda x, y: x + y < 1.0)
    with pytest.raises(ValueError, match="the tag 'part' has none: it is a predicate"):
        d.variable("part", (3, graded((0.0, 0.0))))


def test_weights_of_other_points_are_refused():
    d = jno.domain(SQUARE)
    d.variable("interior", (10, "sobol"))
    with pytest.raises(ValueError, match=r"importance_weights\('interior'\) needs points drawn by jno.sampler.graded"):
        d.importance_weights()
    d.variable("left", (10, graded((0.0, 0.0))), jno.sampler.rad())
    with pytest.raises(ValueError, match="RAD replaces the points by others"):
        d.importance_weights("left")
