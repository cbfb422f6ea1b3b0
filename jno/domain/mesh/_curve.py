"""Segments in the plane, and the order of the edges of a curve: head to tail, without a Python loop over edges."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def segment_lengths(segments: Float[np.ndarray, "E 2 2"]) -> Float[np.ndarray, " E"]:
    """Length of every segment."""
    return np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)


def right_normals(segments: Float[np.ndarray, "E 2 2"]) -> Float[np.ndarray, "E 2"]:
    """Normals to the right of every segment, as long as the segment: outward where the inside lies to its left."""
    edge = segments[:, 1] - segments[:, 0]
    return np.stack([edge[:, 1], -edge[:, 0]], axis=1)


def right_unit_normals(segments: Float[np.ndarray, "E 2 2"]) -> Float[np.ndarray, "E 2"]:
    """Unit normals to the right of every segment."""
    return right_normals(segments) / segment_lengths(segments)[:, None]


def _numbered(nodes: Int[np.ndarray, " E"]) -> tuple[Int[np.ndarray, " E"], Int[np.ndarray, " E"]]:
    """The edges sorted by node, and for each its number among the edges at the same node."""
    order = np.argsort(nodes, kind="stable")
    values = nodes[order]
    begins = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    lengths = np.diff(np.append(begins, len(values)))
    return order, np.arange(len(values)) - np.repeat(begins, lengths)


def _predecessors(edges: Int[np.ndarray, "E 2"]) -> Int[np.ndarray, " E"]:
    """For every edge the one that ends where it starts; the edge itself when there is none."""
    starting, start_number = _numbered(edges[:, 0])
    ending, end_number = _numbered(edges[:, 1])
    # where several loops touch in a node, the k-th arriving edge is followed by the k-th leaving one
    width = len(edges) + 1
    arriving = edges[ending, 1] * width + end_number
    leaving = edges[starting, 0] * width + start_number
    slot = np.minimum(np.searchsorted(arriving, leaving), len(edges) - 1)
    matched = arriving[slot] == leaving
    before = np.arange(len(edges))
    before[starting[matched]] = ending[slot[matched]]
    return before


def along_curve(edges: Int[np.ndarray, "E 2"]) -> Int[np.ndarray, " E"]:
    """A permutation that lists directed edges head to tail, component by component.

    Loops start at their first edge. Ranks come from pointer doubling: Wyllie, "The complexity of parallel
    computations" (1979).
    """
    if not len(edges):
        return np.arange(0)
    rounds = int(np.ceil(np.log2(len(edges)))) + 1
    before = _predecessors(edges.astype(np.int64))
    smallest, pointer = np.arange(len(edges)), before
    for _ in range(rounds):
        smallest = np.minimum(smallest, smallest[pointer])
        pointer = pointer[pointer]
    on_loop = before[pointer] != pointer  # the pointers of an open chain have reached its head
    heads = on_loop & (smallest == np.arange(len(edges)))
    pointer = np.where(heads, np.arange(len(edges)), before)
    rank = (pointer != np.arange(len(edges))).astype(np.int64)
    for _ in range(rounds):
        rank = rank + rank[pointer]
        pointer = pointer[pointer]
    return np.lexsort((rank, pointer))
