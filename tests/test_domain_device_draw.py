"""Points drawn by compiled code: their distribution on every kind of region, their normals, their samplers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import shapely
from scipy.stats import chisquare, kstest, qmc

import jno
from jno.domain import device_draw
from jno.domain.drawable._device_maps import Pieces
from jno.domain.drawable._device_samplers import DeviceSampler, random_bits, unit_floats

KEY = jax.random.PRNGKey(3)
COUNT = 4096
FLOAT = np.dtype(np.float32)
HOUSE = shapely.Polygon([(0, 0), (3, 0), (3, 2), (1.5, 3.5), (0, 2)], [[(1, 0.5), (2, 0.5), (1.5, 1.5)]])


def wedge():
    """The triangle below the diagonal of the square, as cells of its mesh."""
    domain = jno.domain.rect(mesh_size=0.25)
    domain.tag("wedge", where=lambda x, y: y <= x + 1e-9)
    return domain


def drawn(domain, tag, sampler="uniform", key=KEY, count=COUNT):
    """Points of a tag and their outward normals."""

    domain.variable(tag, (count, sampler))
    record = next(record for record in reversed(domain.samples.records) if record.region == tag)

    draw = device_draw(domain.geometry, record, count)
    points, normals = jax.jit(lambda draw, key: draw(key, FLOAT))(draw, key)
    return np.asarray(points, float), None if normals is None else np.asarray(normals, float)


def uniformity(points, shape, cells=8):
    """p-value of the counts in the cells of a grid against the areas of the cells in the shape."""
    x0, y0, x1, y1 = shape.bounds
    edges = np.linspace(x0, x1, cells + 1), np.linspace(y0, y1, cells + 1)
    counts = np.histogram2d(*points.T, bins=edges)[0]
    left, bottom = np.meshgrid(edges[0][:-1], edges[1][:-1], indexing="ij")
    boxes = shapely.box(left, bottom, left + (x1 - x0) / cells, bottom + (y1 - y0) / cells)
    areas = shapely.area(boxes & shape)
    assert counts.sum() == len(points)
    assert np.all(counts[areas == 0.0] == 0)
    large = areas > 5 * shape.area / len(points)
    return chisquare(counts[large], areas[large] * counts[large].sum() / areas[large].sum()).pvalue


AREAS = {
    "rect": (lambda: jno.domain.rect((1, 3), (-1, 0), mesh_size=0.5), "interior", shapely.box(1, -1, 3, 0)),
    "square": (lambda: jno.domain.csg([(0, 0), (1, 0), (1, 1), (0, 1)]), "interior", shapely.box(0, 0, 1, 1)),
    "house": (lambda: jno.domain(HOUSE), "interior", HOUSE),
    "cells": (wedge, "wedge", shapely.Polygon([(0, 0), (1, 0), (1, 1)])),
}


@pytest.mark.parametrize("name", AREAS)
def test_points_are_uniform_by_area(name):
    build, tag, shape = AREAS[name]
    points, normals = drawn(build(), tag)
    assert normals is None
    assert uniformity(points, shape) > 1e-3
    other, _ = drawn(build(), tag, key=jax.random.PRNGKey(4))
    assert not np.isin(points, other).all(axis=1).any()


@pytest.mark.parametrize("name", ["rect", "house", "cells"])
@pytest.mark.parametrize("sampler", ["latin_hypercube", "sobol", "halton"])
def test_moments_of_evenly_spread_points(name, sampler):
    """Of the 4096 points, means of x, y, x², xy, y² come closer to the integrals than those of independent ones do."""
    build, tag, _ = AREAS[name]

    def moments(points):
        x, y = points.T
        return np.stack([x, y, x**2, x * y, y**2], axis=1)

    rule = drawn(build(), tag, "sobol", jax.random.PRNGKey(99), 2**17)[0]
    expected, spread = moments(rule).mean(axis=0), moments(rule).std(axis=0)
    errors = np.abs(moments(drawn(build(), tag, sampler)[0]).mean(axis=0) - expected) / spread
    # independent points: 1 / 64 = 0.016; the products of coordinates gain nothing from layers in single coordinates
    assert errors.mean() < (0.02 if sampler == "latin_hypercube" else 2e-3)


def test_lengths_and_volumes():
    points, _ = drawn(jno.domain.line((-2, 1), mesh_size=0.3), "interior")
    assert kstest(points[:, 0], "uniform", (-2, 3)).pvalue > 1e-3
    points, _ = drawn(jno.domain.cube(mesh_size=0.5), "interior")
    assert chisquare(np.histogramdd(points, bins=4)[0].ravel()).pvalue > 1e-3
    cube = jno.domain.cube(mesh_size=0.5)
    cube.tag("corner", where=lambda x, y, z: (x < 0.51) & (y < 0.51) & (z < 0.51))
    cells = cube.geometry.tags["corner"].cells
    corners = cube.mesh.points[cube.mesh.cells[cells]]
    volumes = np.abs(np.linalg.det(corners[:, 1:] - corners[:, :1])) / 6
    points, _ = drawn(cube, "corner")
    np.testing.assert_allclose(points.mean(0), volumes @ corners.mean(1) / volumes.sum(), atol=0.02)


def test_tetrahedra_are_filled_evenly():
    """Mean and covariance of uniform barycentric coordinates: 1/4, 3/80 and −1/80."""
    corners = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]])
    from jno.domain.drawable import SimplexMap

    region = SimplexMap.of(corners, np.ones(1), None)
    points = np.asarray(region.place(random_bits(KEY, (20000, 3)), KEY, FLOAT)[0], float)
    np.testing.assert_allclose(points.mean(axis=0), 0.25, atol=0.005)
    np.testing.assert_allclose(np.cov(points.T), np.eye(3) / 20 - 1 / 80, atol=0.001)


@pytest.mark.parametrize("sampler", ["uniform", "equispaced", "sobol"])
def test_normals_are_those_of_the_facets(sampler):
    domain = jno.domain(HOUSE)
    points, normals = drawn(domain, "boundary", sampler, count=512)
    facets = domain.geometry.facets_of("boundary")
    lines = shapely.linestrings(facets.corners)
    nearest = shapely.STRtree(lines).nearest(shapely.points(points))
    np.testing.assert_allclose(shapely.distance(lines[nearest], shapely.points(points)), 0.0, atol=1e-6)
    np.testing.assert_allclose(normals, facets.normals[nearest], atol=1e-6)
    counts, lengths = np.bincount(nearest, minlength=len(lines)), shapely.length(lines)
    expected = lengths / lengths.sum() * 512
    assert np.all(np.abs(counts - expected) < (4 * np.sqrt(expected) if sampler == "uniform" else 2.0))


@pytest.mark.parametrize("build", [lambda: jno.domain.rect(mesh_size=0.25), lambda: jno.domain.cube(mesh_size=0.5)])
def test_normals_of_meshed_boundaries(build):
    domain = build()
    points, normals = drawn(domain, "boundary", count=300)
    np.testing.assert_allclose(np.sum(normals * (points - 0.5), axis=1), 0.5, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)


# -- samplers ----
def unit(name, count, dimension, key=KEY):
    return np.asarray(jax.jit(DeviceSampler.named(name, count, dimension))(key)) / 2**32


@pytest.mark.parametrize("count", [1, 7, 100])
def test_a_latin_hypercube_has_one_point_in_every_layer(count):
    points, others = unit("latin_hypercube", count, 3), unit("latin_hypercube", count, 3, jax.random.PRNGKey(4))
    for column in (*points.T, *others.T):
        assert sorted((column * count).astype(int)) == list(range(count))
    assert count == 1 or np.any(np.argsort(points[:, 0]) != np.argsort(points[:, 1]))
    assert not np.array_equal(points, others)


@pytest.mark.parametrize("key", [1, 2, 3])
def test_a_scrambled_sobol_sequence_is_a_net(key):
    """Of 256 points of the plane one lies in each of the 256 boxes of any shape 2⁻ᵏ × 2ᵏ⁻⁸."""
    points = unit("sobol", 256, 2, jax.random.PRNGKey(key))
    for power in range(9):
        boxes = np.floor(points * [2**power, 2 ** (8 - power)]).astype(int)
        assert len(np.unique(boxes, axis=0)) == 256


@pytest.mark.parametrize("name", ["uniform", "sobol", "halton"])
def test_a_single_point(name):
    assert 0.0 <= unit(name, 1, 2).min() < 1.0


def test_a_scramble_is_more_than_a_shift():
    """Differences of two points, digit by digit, are the same in all shifted sequences."""
    first, second = (np.asarray(DeviceSampler.named("sobol", 64, 2)(jax.random.PRNGKey(k))) for k in (1, 2))
    assert not np.array_equal(first[1:] ^ first[:1], second[1:] ^ second[:1])


def test_single_points_of_scrambled_sequences_are_uniform():
    for name in ("sobol", "halton"):
        sampler = DeviceSampler.named(name, 5, 2)
        first = np.asarray(jax.jit(jax.vmap(sampler))(jax.random.split(KEY, 200)))[:, 3] / 2**32
        assert min(kstest(column, "uniform").pvalue for column in first.T) > 1e-3


def test_a_halton_sequence_is_shifted():
    difference = (unit("halton", 50, 3) - qmc.Halton(3, scramble=False).random(50)) % 1.0
    np.testing.assert_allclose(difference, np.broadcast_to(difference[:1], difference.shape), atol=1e-8)


def test_numbers_between_zero_and_one():
    bits = jnp.array([0, 1, 2**31, 2**32 - 1], jnp.uint32)
    for dtype in (np.float32, np.float16):
        numbers = np.asarray(unit_floats(bits, np.dtype(dtype)), float)
        assert numbers.min() > 0.0
        assert numbers.max() < 1.0
    with jax.enable_x64(True):
        numbers = np.asarray(unit_floats(bits, np.dtype(np.float64)))
    np.testing.assert_allclose(numbers, (np.asarray(bits, float) + 0.5) / 2**32, rtol=1e-15)


def test_many_small_pieces_have_their_shares():
    """A hundred thousand pieces: how often the large ones are chosen, and where in them the numbers fall."""
    sizes = np.where(np.arange(100_000) < 50_000, 3.0, 1.0)
    pieces, proper = Pieces.of_sizes(sizes)
    assert len(proper) == len(sizes)
    first, second = jax.random.split(KEY)
    piece, share = jax.jit(lambda bits: pieces.choose(bits, second, FLOAT))(random_bits(first, (40_000,)))
    assert chisquare([np.sum(piece < 50_000), np.sum(piece >= 50_000)], [30_000, 10_000]).pvalue > 1e-3
    assert kstest(np.asarray(share), "uniform").pvalue > 1e-3


def test_pieces_without_a_size_are_never_chosen():
    pieces, proper = Pieces.of_sizes(np.array([0.0, 1.0, 0.0, 2.0, 0.0]))
    assert proper.tolist() == [1, 3]
    piece, _ = pieces.choose(jnp.array([0, 1431655764, 1431655766, 2**32 - 1], jnp.uint32), KEY, FLOAT)
    assert piece.tolist() == [0, 0, 1, 1]


# -- what only the host draws ----
def test_regions_and_samplers_that_need_the_host():
    square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    domain = jno.domain.csg(square)
    domain.variable("corner", (4, None), where=lambda x, y: x + y < 0.5)
    domain.variable("interior", (4, lambda geometry, n: np.full((n, 2), 0.5)))
    cloud = jno.domain.from_array({"interior": np.random.default_rng(0).random((9, 2))})
    cloud.variable("interior", (4, None))
    for of in (domain, cloud):
        for record in of.samples.records:
            assert device_draw(of.geometry, record, 4) is None
