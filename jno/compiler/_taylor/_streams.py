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
"""From so many first derivatives on they share one array: unrolled, the program would take long to compile."""


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

    def coordinates(self, wanted: Operator) -> dict[int, float]:
        """Weights of the basis operators (by position) that make up ``wanted``.

        Raises:
            ValueError: it is no combination of them.
        """
        found, rest = self._split(wanted)
        if rest:
            carried = [op.terms for op, _ in self.basis]
            raise ValueError(f"the operator {wanted.terms} is not among those carried, {carried}")
        return found

    def _split(self, wanted: Operator) -> tuple[dict[int, float], dict[Monomial, float]]:
        """Weights of the basis operators, and what they leave over."""
        found: dict[int, float] = {}
        rest = dict(wanted.terms)
        for monomial, coefficient in wanted.terms:
            position = self._pivots.get(monomial)
            if position is None:
                continue
            terms = dict(self.basis[position][0].terms)
            found[position] = coefficient / terms[monomial]
            for other, weight in terms.items():
                change = found[position] * weight
                left = rest.pop(other, 0.0) - change
                if abs(left) > ROUNDING * abs(change):
                    rest[other] = left
        return found, rest

    def needed(self, wanted: Iterable[Operator]) -> frozenset[int]:
        """Keys of the parts that the parts of ``wanted`` are computed from, these included."""
        pending = [i for op in wanted for i in self.coordinates(op) if i > 0]
        found: set[int] = set()
        while pending:
            position = pending.pop()
            key = BLOCK if position in self.block else position
            if key in found:
                continue
            found.add(key)
            pending.extend(i for j, k, _ in self.products.get(key, ()) for i in (j, k))
            if key in self.block_products:
                found.add(BLOCK)
        return frozenset(found)

    def positions(self, keys: Iterable[int]) -> set[int]:
        """Positions in ``basis`` of the parts with these keys."""
        return {position for key in keys for position in (self.block if key == BLOCK else (key,))}

    @functools.lru_cache(maxsize=64)  # noqa: B019  a few powers per pass, dropped with it
    def powers(self, key: int, count: int) -> dict[tuple[int, ...], float]:
        r"""Terms of part ``key`` of :math:`(\delta z)^{count}/count!`: sorted keys of the factors → weight."""
        if count == 1:
            return {(key,): 1.0}
        found: dict[tuple[int, ...], float] = {}
        for j, k, weight in self.products.get(key, ()):
            for rest, factor in self.powers(k, count - 1).items():
                term = tuple(sorted((j, *rest)))
                found[term] = found.get(term, 0.0) + weight * factor / count
        return found


def streams_for(wanted: Iterable[Operator]) -> Streams:
    """The fewest streams from which all ``wanted`` operators of a value can be read."""
    return _streams(frozenset(wanted))


@functools.lru_cache(maxsize=256)
def _streams(wanted: frozenset[Operator]) -> Streams:
    basis = closed_basis(sorted(wanted, key=lambda op: op.terms))
    pivots = {pivot: position for position, (_, pivot) in enumerate(basis)}
    scale = [dict(op.terms)[pivot] for op, pivot in basis]
    products: dict[int, tuple[tuple[int, int, float], ...]] = {}
    for position, (op, _) in enumerate(basis):
        terms = []
        for (first, second), weight in op.reduced_coproduct().items():
            if first in pivots and second in pivots:
                j, k = pivots[first], pivots[second]
                terms.append((j, k, weight / (scale[j] * scale[k])))
        if terms:
            products[position] = tuple(terms)
    firsts = tuple(i for i in range(1, len(basis)) if i not in products)
    others = [i for i in range(1, len(basis)) if i in products]
    factors = {i for terms in products.values() for j, k, _ in terms for i in (j, k)}
    if len(firsts) < _MANY or len(others) > _MANY or not factors <= set(firsts):
        return Streams(basis, products, (), {})
    place = {position: number for number, position in enumerate(firsts)}
    return Streams(basis, {}, firsts, {i: _weights(products[i], place) for i in others})


def _weights(terms: tuple[tuple[int, int, float], ...], place: dict[int, int]) -> np.ndarray:
    matrix = np.zeros((len(place), len(place)))
    for j, k, weight in terms:
        matrix[place[j], place[k]] += weight
    diagonal = np.diag(matrix)
    return diagonal if np.array_equal(matrix, np.diag(diagonal)) else matrix
