"""Constant-coefficient differential operators as polynomials, and the smallest set of them closed under the product
rule."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping

Monomial = tuple[int, ...]
r"""Directions with repetition in ascending order: ``(0, 0, 1)`` is :math:`\partial_0^2 \partial_1`."""

ROUNDING = 1e-13


@dataclasses.dataclass(frozen=True)
class Operator:
    r"""A polynomial :math:`p(\partial)` with constant coefficients; equal operators compare equal."""

    terms: tuple[tuple[Monomial, float], ...]

    @property
    def order(self) -> int:
        """Highest order of differentiation."""
        return max((len(monomial) for monomial, _ in self.terms), default=0)

    def then(self, inner: Operator) -> Operator:
        """The composition (a product of polynomials)."""
        product: dict[Monomial, float] = {}
        for (a, x), (b, y) in itertools.product(self.terms, inner.terms):
            monomial = tuple(sorted(a + b))
            product[monomial] = product.get(monomial, 0.0) + x * y
        return operator(product)

    def reduced_coproduct(self) -> dict[tuple[Monomial, Monomial], float]:
        r"""Coefficients of :math:`p(\xi + \eta)` but for the terms without :math:`\xi` or without :math:`\eta`.

        The product rule: :math:`p(\partial)(fg) = p(f)\,g + f\,p(g) + \sum c_{ab}\, \partial^a f\, \partial^b g`.
        """
        coefficients: dict[tuple[Monomial, Monomial], float] = {}
        for monomial, coefficient in self.terms:
            for left, right, ways in _splits(monomial):
                if left and right:
                    coefficients[left, right] = coefficients.get((left, right), 0.0) + ways * coefficient
        return coefficients

    def name(self, directions: Iterable[str]) -> str:
        """For reading: ``∂xx + ∂yy``."""
        names = list(directions)
        parts = []
        for monomial, coefficient in self.terms:
            symbol = "∂" + "".join(names[d] for d in monomial) if monomial else "1"
            parts.append(symbol if coefficient == 1 else f"{coefficient:.4g} {symbol}")
        return " + ".join(parts).replace("+ -", "- ") if parts else "0"


def operator(terms: Mapping[Monomial, float]) -> Operator:
    """The operator with these coefficients; exact zeros are dropped, but nothing for being small."""
    return Operator(tuple(sorted((m, float(c)) for m, c in terms.items() if c != 0)))


IDENTITY = operator({(): 1.0})


@functools.lru_cache(maxsize=4096)
def _splits(monomial: Monomial) -> tuple[tuple[Monomial, Monomial, int], ...]:
    """All ways to hand each direction of a monomial to one of two factors, equal ways counted."""
    powers = sorted(Counter(monomial).items())
    splits = []
    for counts in itertools.product(*(range(power + 1) for _, power in powers)):
        left = tuple(d for (d, _), count in zip(powers, counts, strict=True) for _ in range(count))
        right = tuple(d for (d, power), count in zip(powers, counts, strict=True) for _ in range(power - count))
        ways = math.prod(math.comb(power, count) for (_, power), count in zip(powers, counts, strict=True))
        splits.append((left, right, ways))
    return tuple(splits)


def closed_basis(operators: Iterable[Operator]) -> tuple[tuple[Operator, Monomial], ...]:
    r"""A basis of the smallest space that contains ``operators`` and obeys the product rule within itself.

    The space is spanned by all partial derivatives :math:`\partial_\xi^\beta p` of these polynomials, since
    :math:`p(\xi + \eta) = \sum_\beta \xi^\beta/\beta!\; \partial^\beta p(\eta)`.  The Laplacian in *d* dimensions needs
    ``1, ∂_1 … ∂_d, Δ``; the bi-Laplacian in two dimensions nine operators instead of the thirteen partial derivatives
    of the same orders.

    Returns:
        ``(operator, pivot)`` by ascending order, the identity first; no other operator contains a pivot monomial, so
        coordinates of an element are read off its pivot coefficients.
    """
    rows: dict[Monomial, dict[Monomial, float]] = {(): {(): 1.0}}
    seen: set[Operator] = set()
    pending = list(operators)
    while pending:
        current = pending.pop()
        if current in seen or not current.terms:
            continue
        seen.add(current)
        _insert(rows, dict(current.terms))
        pending.extend(_partial(current, d) for d in sorted({d for monomial, _ in current.terms for d in monomial}))
    basis = []
    for pivot, row in rows.items():
        scale = max(abs(value) for value in row.values()) * math.copysign(1.0, row[pivot])
        basis.append((operator({m: c / scale for m, c in row.items()}), pivot))
    return tuple(sorted(basis, key=lambda entry: (entry[0].order, entry[1])))


def _partial(poly: Operator, direction: int) -> Operator:
    coefficients: dict[Monomial, float] = {}
    for monomial, coefficient in poly.terms:
        power = monomial.count(direction)
        if power:
            where = monomial.index(direction)
            derived = monomial[:where] + monomial[where + 1 :]
            coefficients[derived] = coefficients.get(derived, 0.0) + power * coefficient
    largest = max((abs(c) for c in coefficients.values()), default=1.0)
    return operator({m: c / largest for m, c in coefficients.items()})


def _insert(rows: dict[Monomial, dict[Monomial, float]], row: dict[Monomial, float]) -> None:
    """Gauss–Jordan: reduce a row by those present, and those by it; the pivot is the term of highest order."""
    for pivot in [m for m in row if m in rows]:
        _subtract(row, rows[pivot], row.get(pivot, 0.0))
    if not row:
        return
    pivot = max(row, key=lambda m: (len(m), m))
    unit = {m: c / row[pivot] for m, c in row.items()}
    for reduced in rows.values():
        if pivot in reduced:
            _subtract(reduced, unit, reduced[pivot])
    rows[pivot] = unit


def _subtract(row: dict[Monomial, float], unit: dict[Monomial, float], factor: float) -> None:
    """``row - factor * unit``; what is left of two terms that cancel but for rounding is dropped."""
    for monomial, coefficient in unit.items():
        old, change = row.get(monomial, 0.0), factor * coefficient
        if abs(old - change) > ROUNDING * abs(old):
            row[monomial] = old - change
        else:
            row.pop(monomial, None)
