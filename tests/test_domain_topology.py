"""Order along curves, look-up of simplices, small determinants and facets, against plain loops and analytic values."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jno.domain.mesh import along_curve
from jno.domain.mesh._topology import (
    boundary_facets,
    distinct,
    edge_vectors,
    facet_frames,
    find_simplices,
    first_appearance,
    inverse_transposes,
    measures,
    nodal_normals,
    nodal_sums,
    orient,
    oriented_facets,
    signed_measures,
    simplex_keys,
    used_nodes,
)

# -- along a curve ----


def chain(nodes, closed=False):
    nodes = list(nodes) + ([nodes[0]] if closed else [])
    return np.array(list(itertools.pairwise(nodes)), dtype=np.int64)


def components(edges):
    """Ordered edges cut where head and tail do not meet."""
    breaks = np.flatnonzero(edges[1:, 0] != edges[:-1, 1]) + 1
    return np.split(edges, breaks)


@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=5), st.randoms())
def test_every_component_is_listed_head_to_tail(parts, random):
    curves, start = [], 0
    for length, closed in parts:
        count = max(length, 3) if closed else length + 1
        curves.append(chain(range(start, start + count), closed))
        start += count
    edges = np.concatenate(curves)
    rows = list(range(len(edges)))
    random.shuffle(rows)
    shuffled = edges[rows]
    order = along_curve(shuffled)
    assert sorted(order.tolist()) == list(range(len(edges)))
    listed = components(shuffled[order])
    assert len(listed) == len(parts)
    assert {frozenset(map(tuple, part.tolist())) for part in listed} == {
        frozenset(map(tuple, curve.tolist())) for curve in curves
    }


def test_loops_start_at_their_first_edge_and_chains_at_their_head():
    loop = chain([5, 6, 7, 8], closed=True)[[2, 0, 3, 1]]
    assert loop[along_curve(loop)].tolist() == [[7, 8], [8, 5], [5, 6], [6, 7]]
    open_chain = chain([0, 1, 2, 3])[[1, 2, 0]]
    assert open_chain[along_curve(open_chain)].tolist() == [[0, 1], [1, 2], [2, 3]]


def test_loops_that_touch_in_a_node_keep_all_edges():
    eight = np.concatenate([chain([0, 1, 2], closed=True), chain([0, 3, 4], closed=True)])
    order = along_curve(eight)
    assert sorted(order.tolist()) == list(range(6))
    assert len(components(eight[order])) <= 2


def test_edges_that_meet_in_their_ends_only():
    meeting = np.array([[0, 1], [2, 1], [2, 3]])
    assert sorted(along_curve(meeting).tolist()) == [0, 1, 2]
    assert along_curve(np.zeros((0, 2), dtype=np.int64)).tolist() == []
    assert along_curve(np.array([[4, 9]])).tolist() == [0]


def test_a_long_loop_is_ordered():
    count = 100_000
    rows = np.random.default_rng(0).permutation(count)
    loop = chain(range(count), closed=True)[rows]
    ordered = loop[along_curve(loop)]
    assert np.array_equal(ordered[:, 1], np.roll(ordered[:, 0], -1))


# -- look-up ----


@given(st.integers(2, 4), st.integers(0, 2**31), st.sampled_from([20, 2**21, 2**40]))
def test_simplices_are_found_whatever_the_order_of_their_nodes(width, seed, n_points):
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(min(n_points, 10**6), size=12, replace=False))
    every = ids[np.array(list(itertools.combinations(range(12), width)))]
    every = rng.permutation(every)[:40]
    known, absent = every[:20], every[20:]
    turned = rng.permuted(known, axis=1)
    slot, found = find_simplices(known, np.concatenate([turned, absent]), n_points)
    assert np.all(found[:20])
    assert not np.any(found[20:])
    assert np.array_equal(slot[:20], np.arange(20))


def test_marks_tell_equal_simplices_apart():
    known = np.array([[0, 1], [1, 0]])
    marks = (np.array([0, 1]), np.array([1, 0, 1, 0]))
    slot, found = find_simplices(known, np.array([[0, 1], [1, 0], [1, 2], [0, 2]]), 3, marks)
    assert found.tolist() == [True, True, False, False]
    assert slot[:2].tolist() == [1, 0]


def test_nothing_is_found_among_nothing():
    nothing = np.zeros((0, 3), dtype=np.int64)
    slot, found = find_simplices(nothing, np.array([[0, 1, 2]]), 3)
    assert (slot.tolist(), found.tolist()) == ([0], [False])
    assert find_simplices(np.array([[0, 1, 2]]), nothing, 3)[1].tolist() == []


@given(st.lists(st.integers(-5, 5)))
def test_distinct_and_first_appearance(values):
    array = np.array(values, dtype=np.int64)
    assert distinct(array).tolist() == sorted(set(values))
    assert first_appearance(array).tolist() == list(dict.fromkeys(values))


def test_used_nodes_and_nodal_sums():
    triangles = np.array([[4, 1, 2], [2, 1, 6]])
    assert used_nodes(triangles, 8).tolist() == [1, 2, 4, 6]
    assert nodal_sums(triangles, np.array([1.0, 10.0]), 8).tolist() == [0, 11, 11, 0, 1, 0, 10, 0]
    assert nodal_sums(np.zeros((0, 3), dtype=np.int64), np.zeros(0), 2).tolist() == [0.0, 0.0]


def test_keys_of_huge_meshes_do_not_overflow():
    n_points = 2**31
    last = n_points - 1
    # of the first nodes 1 and 3 a product with n_points**3, in 64 bits, would leave nothing
    tetrahedra = np.array([[1, 5, 7, last], [last, 7, 5, 1], [1, 5, 8, last], [3, 5, 7, last]])
    first, second, third, fourth = simplex_keys(tetrahedra, n_points)
    assert first == second
    assert len({first, third, fourth}) == 3


# -- determinants ----


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
def test_determinants_and_inverses_against_numpy(dimension):
    rng = np.random.default_rng(dimension)
    points = rng.normal(size=(30, dimension))
    cells = np.array([rng.choice(30, dimension + 1, replace=False) for _ in range(50)])
    matrices = edge_vectors(points, cells)
    factorial = np.prod(np.arange(1, dimension + 1))
    assert np.allclose(signed_measures(points, cells), np.linalg.det(matrices) / factorial, atol=1e-14)
    assert np.allclose(measures(points, cells), np.abs(signed_measures(points, cells)))
    assert np.all(signed_measures(points, orient(points, cells)) > 0)
    identity = np.einsum("mij,mkj->mik", matrices, inverse_transposes(matrices))
    assert np.allclose(identity, np.eye(dimension), atol=1e-8)


def test_measures_of_reference_simplices():
    for dimension, expected in ((1, 1.0), (2, 1 / 2), (3, 1 / 6)):
        points = np.concatenate([np.zeros((1, dimension)), np.eye(dimension)])
        assert signed_measures(points, np.arange(dimension + 1)[None]) == pytest.approx([expected])


# -- facets ----


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_facets_of_a_simplex_look_outward_and_close(dimension):
    rng = np.random.default_rng(dimension)
    points = rng.normal(size=(dimension + 1, dimension))
    cell = orient(points, np.arange(dimension + 1)[None])
    facets, opposite = oriented_facets(cell)
    boundary, _ = boundary_facets(cell, dimension + 1)
    assert len(facets) == len(boundary) == dimension + 1
    sizes, normals = facet_frames(points, facets, opposite)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0)
    assert np.allclose(sizes @ normals, 0.0, atol=1e-12)
    # the divergence theorem for the field x
    flux = np.sum(sizes * np.sum(normals * points[facets].mean(axis=1), axis=1))
    assert flux == pytest.approx(dimension * measures(points, cell)[0])


def test_facets_between_two_cells_are_no_boundary():
    cells = np.array([[0, 1, 2], [0, 2, 3]])
    facets, _ = boundary_facets(cells, 4)
    assert {frozenset(edge) for edge in facets.tolist()} == {frozenset(e) for e in ((0, 1), (1, 2), (2, 3), (3, 0))}


def test_normals_at_a_slit_are_those_of_one_side():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0], [0.5, -1.0]])
    facets, opposite = np.array([[0, 1], [1, 0]]), np.array([2, 3])
    normals = nodal_normals(points, facets, opposite)
    assert np.allclose(np.abs(normals[:2]), [0.0, 1.0])
    assert np.all(normals[2:] == 0.0)
