"""Which point of one point set belongs to which point of another.

Operations pair the points of their operands by position.  That is right within one point set and for data given at
points.  Two other sets are paired where one is the translate of the other, point by point, in any order of their
nodes (periodic boundaries), or was made to match it; what else happens to have as many points is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from jno.domain import domain as Domain
from jno.trace import AT, Node, Variable, point_tag, unaliased

from ._graph import bound_in_context
from ._value import AlignmentError, Value

ANY = ""
"""Name of a point set that pairs with every other: data at points, given coordinates, points chosen by an index."""

_TOLERANCE = 1e-6
"""Largest distance of translated points, in units of the larger extent."""


class Pairings:
    """The point sets of some expressions.

    Args:
        roots: expressions.
        context: arrays of points ``(B, T, N, D)`` by tag.
    """

    def __init__(self, roots: Iterable[Node], context: Mapping[str, Any]) -> None:
        leaves = bound_in_context(roots)
        self._domains = {point_tag(v): v.domain for v in leaves if isinstance(v, Variable) and v.at_points}
        self._context = context
        self._orders: dict[tuple[str, str], Int[np.ndarray, " N"] | None] = {}

    def point_set(self, variable: Variable) -> str:
        """Name of the point set a variable runs over; matched sets have one name."""
        if AT in variable.tag:
            return ANY
        return self.named(unaliased(point_tag(variable)), variable.domain)

    def named(self, tag: str, domain: Domain | None = None) -> str:
        """Name of the point set of a tag."""
        owner = self._domains.get(tag, domain)
        return ANY if owner is None else owner.point_set(tag)

    def paired(self, values: Sequence[Value]) -> list[Value]:
        """The values in the order of the points of the first that has any.

        Raises:
            AlignmentError: the points of two values cannot be paired.
        """
        sets = {value.point_set for value in values if value.points > 1 and value.point_set}
        if len(sets) <= 1:
            return list(values)
        reference = next(value for value in values if value.points > 1 and value.point_set)
        return [self._in_order_of(reference, value) for value in values]

    def _in_order_of(self, reference: Value, value: Value) -> Value:
        if value.points <= 1 or not value.point_set or value.point_set == reference.point_set:
            return value
        if value.points != reference.points:
            return value  # refused, with the shapes, where they are aligned
        assert reference.point_set is not None  # it has points of a set
        order = self._order(reference.point_set, value.point_set)
        if order is None:
            return value
        if len(order) != value.points:
            raise AlignmentError(f"only some of the points of {reference.point_set!r} and {value.point_set!r} are used")
        array = jnp.take(value.array, order, axis=value.point_axis)
        return dataclasses.replace(value, array=array, point_set=reference.point_set)

    def _order(self, source: str, target: str) -> Int[np.ndarray, " N"] | None:
        """Positions in the target set of the points that belong to those of the source; None: the same positions."""
        if (source, target) not in self._orders:
            self._orders[source, target] = self._matched(source, target)
        return self._orders[source, target]

    def _matched(self, source: str, target: str) -> Int[np.ndarray, " N"] | None:
        resampled = [tag for tag in (source, target) if tag in self._domains and self._domains[tag].is_resampled(tag)]
        orders = None if resampled else self._orders_of_samples(source, target)
        if orders is None or any(not np.array_equal(order, orders[0]) for order in orders):
            reason = (
                f"the points of {resampled[0]!r} are replaced during training"
                if resampled
                else "neither is the translate of the other"
            )
            raise AlignmentError(
                f"the points of {source!r} would be paired with those of {target!r} by position, but they "
                f"are different points and {reason}. Take points that match, domain.variable({target!r}, "
                f"like={source!r}), evaluate one expression at the points of the other, u(x + 1, y), reduce one of "
                "them first, or pair them by position yourself with an index, v[order]"
            )
        return None if np.array_equal(orders[0], np.arange(len(orders[0]))) else orders[0]

    def _orders_of_samples(self, source: str, target: str) -> list[Int[np.ndarray, " N"]] | None:
        sets = [np.asarray(self._context[tag])[:, 0] for tag in (source, target)]
        samples = max(map(len, sets))
        rows = [np.broadcast_to(points, (samples, *points.shape[1:])) for points in sets]
        if all(points.strides[0] == 0 for points in sets):
            rows = [points[:1] for points in rows]
        orders = [translated_order(a, b) for a, b in zip(*rows, strict=True)]
        return None if any(order is None for order in orders) else [order for order in orders if order is not None]


def translated_order(
    source: Float[np.ndarray, "N D"], target: Float[np.ndarray, "N D"]
) -> Int[np.ndarray, " N"] | None:
    """The permutation with ``target[order] = source + shift``, or None where ``target`` is not a translate."""
    from scipy.spatial import cKDTree

    shift = target.mean(axis=0) - source.mean(axis=0)
    extent = max(np.ptp(source, axis=0).max(), np.ptp(target, axis=0).max())
    distances, order = cKDTree(target).query(source + shift)
    if distances.max() > _TOLERANCE * extent or len(np.unique(order)) < len(order):
        return None
    return order
