"""The coefficients a Taylor pass carries besides the value, and how they multiply."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

import numpy as np

from ._operators import ROUNDING, Monomial, Operator, closed_basis

BLOCK = -1
"""Key of the block: many first derivatives in one array."""

_MANY = 8
"""This many first derivatives, or more, share one array: unrolled, the program would take long to compile."""


@dataclasses.dataclass(frozen=True, eq=False)
class Streams:
    """A basis of operators closed under the product rule, with its structure constants.

    A *part* is what one basis operator makes of a value.  Parts are keyed by their position in ``basis`` (the value
    itself is position 0 and not a part), but those of ``block`` share the key `BLOCK` and one array with an axis over
    them after the leading axis.
    """

    basis: tuple[tuple[Operator, Monomial], ...]
    products: dict[int, tuple[tuple[int, int, float], ...]]
    """Key → ``(j, k, c)``: the part of a product gets ``c`` times part ``j`` of one factor, part ``k`` of the other."""
    block: tuple[int, ...]
    block_products: dict[int, np.ndarray]
    """Key → weights ``(D,)`` or ``(D, D)`` of products of the block with itself."""

    @property
    def keys(self) -> tuple[int, ...]:
        """Keys of all parts by ascending order."""
        single = tuple(i for i in range(1, len(self.basis)) if i not in self.block)
        return ((BLOCK,) if self.block else ()) + single

    def order(self, key: int) -> int:
        """Order of differentiation of a part."""
        return 1 if key == BLOCK else self.basis[key][0].order

    @functools.cached_property
    def _pivots(self) -> dict[Monomial, int]:
        return {pivot: position for position, (_, pivot) in enumerate(self.basis)}

    def coordinates(self, op: Operator) -> dict[int, float]:
        """Weights of the basis operators (by position) that make up ``op``.

        Raises:
            ValueError: it is not a combination of them.
        """
        weights, remainder = self._split(op)
        if remainder:
            carried = [op.terms for op, _ in self.basis]
            raise ValueError(f"the operator {op.terms} is not among those carried, {carried}")
        return weights

    def _split(self, op: Operator) -> tuple[dict[int, float], dict[Monomial, float]]:
        """Weights of the basis operators, and what they leave over."""
        weights: dict[int, float] = {}
        remainder = dict(op.terms)
        for monomial, coefficient in op.terms:
            position = self._pivots.get(monomial)
            if position is None:
                continue
            terms = dict(self.basis[position][0].terms)
            weights[position] = coefficient / terms[monomial]
            for term, weight in terms.items():
                change = weights[position] * weight
                left = remainder.pop(term, 0.0) - change
                if abs(left) > ROUNDING * abs(change):
                    remainder[term] = left
        return weights, remainder

    def needed(self, operators: Iterable[Operator]) -> frozenset[int]:
        """Keys of the parts that the parts of ``operators`` are computed from, these included."""
        pending = [i for op in operators for i in self.coordinates(op) if i > 0]
        keys: set[int] = set()
        while pending:
            position = pending.pop()
            key = BLOCK if position in self.block else position
            if key in keys:
                continue
            keys.add(key)
            pending.extend(i for j, k, _ in self.products.get(key, ()) for i in (j, k))
            if key in self.block_products:
                keys.add(BLOCK)
        return frozenset(keys)

    def positions(self, keys: Iterable[int]) -> set[int]:
        """Positions in ``basis`` of the parts with these keys."""
        return {position for key in keys for position in (self.block if key == BLOCK else (key,))}

    @functools.lru_cache(maxsize=64)  # noqa: B019  a few powers per pass, dropped with it
    def powers(self, key: int, count: int) -> dict[tuple[int, ...], float]:
        r"""Terms of part ``key`` of :math:`(\delta z)^{count}/count!`: sorted keys of the factors → weight."""
        if count == 1:
            return {(key,): 1.0}
        terms: dict[tuple[int, ...], float] = {}
        for j, k, weight in self.products.get(key, ()):
            for factors, factor in self.powers(k, count - 1).items():
                term = tuple(sorted((j, *factors)))
                terms[term] = terms.get(term, 0.0) + weight * factor / count
        return terms


def streams_for(operators: Iterable[Operator]) -> Streams:
    """The fewest streams from which all these operators of a value can be read."""
    return _streams(frozenset(operators))


@functools.lru_cache(maxsize=256)
def _streams(operators: frozenset[Operator]) -> Streams:
    basis = closed_basis(sorted(operators, key=lambda op: op.terms))
    pivots = {pivot: position for position, (_, pivot) in enumerate(basis)}
    scale = [dict(op.terms)[pivot] for op, pivot in basis]
    products: dict[int, tuple[tuple[int, int, float], ...]] = {}
    for position, (op, _) in enumerate(basis):
        terms = []
        for (left, right), weight in op.reduced_coproduct().items():
            if left in pivots and right in pivots:
                j, k = pivots[left], pivots[right]
                terms.append((j, k, weight / (scale[j] * scale[k])))
        if terms:
            products[position] = tuple(terms)
    first_order = tuple(i for i in range(1, len(basis)) if i not in products)
    composite = [i for i in range(1, len(basis)) if i in products]
    factors = {i for terms in products.values() for j, k, _ in terms for i in (j, k)}
    if len(first_order) < _MANY or len(composite) > _MANY or not factors <= set(first_order):
        return Streams(basis, products, (), {})
    place = {position: number for number, position in enumerate(first_order)}
    return Streams(basis, {}, first_order, {i: _weights(products[i], place) for i in composite})


def _weights(terms: tuple[tuple[int, int, float], ...], place: dict[int, int]) -> np.ndarray:
    matrix = np.zeros((len(place), len(place)))
    for j, k, weight in terms:
        matrix[place[j], place[k]] += weight
    diagonal = np.diag(matrix)
    return diagonal if np.array_equal(matrix, np.diag(diagonal)) else matrix
