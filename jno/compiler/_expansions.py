"""Values and derivatives of expressions that are known before an evaluation, and notes of what is read of them."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Hashable, Mapping

from ._taylor import Operator, Streams, operator
from ._types import AnyArray
from ._value import Value

Terms = tuple[tuple[tuple[Hashable, ...], float], ...]
"""A sum of derivatives along some directions (see `_directional`), one after the other, with their weights."""


class Known(abc.ABC):
    """An expression that a scope need not evaluate: its value, and derivatives for the passes that read it."""

    value: Value
    """The value; of what is only noted, where its array belongs."""

    @abc.abstractmethod
    def covers(self, terms: Terms) -> bool:
        """Whether a sum of derivatives is known."""

    @abc.abstractmethod
    def derivative(self, terms: Terms) -> AnyArray | None:
        """A sum of derivatives that is covered, of the shape of the value; None: it is zero."""


@dataclasses.dataclass(frozen=True, eq=False)
class Expansion(Known):
    """What was computed beforehand.

    Attributes:
        value: the value.
        basis: which derivatives are known.
        parts: derivative by its position in the basis; what is missing is zero.
    """

    value: Value
    basis: Basis
    parts: Mapping[int, AnyArray]

    def covers(self, terms: Terms) -> bool:
        return self.basis.coordinates(terms) is not None

    def derivative(self, terms: Terms) -> AnyArray | None:
        coordinates = self.basis.coordinates(terms)
        assert coordinates is not None, "only what is covered is read"
        total: AnyArray | None = None
        for position, weight in coordinates.items():
            if position in self.parts:
                term = self.parts[position] if weight == 1 else weight * self.parts[position]
                total = term if total is None else total + term
        return total


@dataclasses.dataclass(frozen=True, eq=False)
class Basis:
    """Derivatives along some directions that are known of an expression, and all their linear combinations.

    Attributes:
        directions: number of every direction.
        streams: the derivatives, which the product rule maps into themselves.
    """

    directions: Mapping[Hashable, int]
    streams: Streams

    def coordinates(self, terms: Terms) -> dict[int, float] | None:
        """Weights of the derivatives (by position) that make up a sum; None where they do not."""
        if any(direction not in self.directions for factors, _ in terms for direction in factors):
            return None
        try:
            return self.streams.coordinates(operator_of(terms, self.directions))
        except ValueError:
            return None


def operator_of(terms: Terms, directions: Mapping[Hashable, int]) -> Operator:
    """The operator of a sum of derivatives along numbered directions."""
    return operator({tuple(sorted(directions[direction] for direction in factors)): w for factors, w in terms})


class Reader(Known):
    """Stands for an expression while an evaluation is traced, and notes which of its derivatives are read."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self.read: dict[Terms, None] = {}

    def covers(self, terms: Terms) -> bool:
        return True

    def derivative(self, terms: Terms) -> None:
        self.read[terms] = None
