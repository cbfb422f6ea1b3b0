"""Re-calling: which variables of an expression the arguments of ``u(xb, yb)`` stand for.

Two readings exist.  By coordinate: an argument replaces the variable of the same coordinate.  By position: the
arguments are x, y, z, t in this order.  Coordinates of one tag are read by coordinate; numbers, other expressions and
the expression's own variables in another order are read by position; what the two read differently otherwise is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._coordinates import (
    Coordinate,
    coordinate_of,
    coordinates_of_domain,
    free_variables,
    identity,
    is_normal,
    point_tag,
)
from ._leaves import Variable, as_node
from ._node import Node
from ._placeholder import Placeholder
from ._substitute import substitute_free

Reading = Mapping[Coordinate, Node]
"""What replaces the variable of each coordinate."""


def call_with_variables(expression: Placeholder, arguments: tuple[object, ...]) -> Placeholder:
    """``expression`` at the coordinates that ``arguments`` are.

    Raises:
        ValueError: the arguments can be read in two ways, or in none.
    """
    if not arguments:
        return expression
    variables = free_variables(expression)
    if not variables:
        raise ValueError(f"the expression has no variables and was called with {len(arguments)} arguments")
    return substitute_free(
        expression, _Arguments(variables, [as_node(argument) for argument in arguments]).replacements()
    )


class _Arguments:
    """An expression's variables and the arguments of one call."""

    def __init__(self, variables: Sequence[Variable], arguments: Sequence[Node]) -> None:
        self._arguments = arguments
        self._variables = {identity(variable): variable for variable in variables}
        self._present = sorted({coordinate_of(variable) for variable in variables})

    def replacements(self) -> dict[tuple[Any, ...], Node]:
        """Identity of a variable → what replaces it."""
        reading = self._reading()
        replaced = {}
        for coordinate, argument in reading.items():
            alternatives = [v for v in self._variables.values() if coordinate_of(v) == coordinate]
            if len(alternatives) > 1:
                raise ValueError(
                    f"the expression has several variables that are '{coordinate}': "
                    f"{', '.join(map(_text, alternatives))}; which of them {_text(argument)} replaces is not known. "
                    "Write the expression as a function of its coordinates instead"
                )
            replaced.update({identity(variable): argument for variable in alternatives})
        return replaced

    def _reading(self) -> Reading:
        by_coordinate = self._by_coordinate()
        by_position = self._by_position()
        if by_coordinate is None and not by_position:
            raise self._unreadable()
        if by_coordinate is None:
            return self._only(by_position)
        different = [reading for reading in by_position if self._effect(reading) != self._effect(by_coordinate)]
        if not different:
            return by_coordinate
        if self._is_own():
            permuted = [reading for reading in different if self._permutes(reading)]
            if permuted:
                return self._only(permuted)
        elif self._is_of_one_tag() and self._effect(by_coordinate):
            return by_coordinate
        raise self._ambiguous([by_coordinate, *different])

    # --- the two readings -----------------------------------------------------------------------------------------
    def _by_coordinate(self) -> Reading | None:
        if not all(isinstance(argument, Variable) for argument in self._arguments):
            return None
        reading = {coordinate_of(argument): argument for argument in self._arguments if isinstance(argument, Variable)}
        return reading if len(reading) == len(self._arguments) else None

    def _by_position(self) -> list[Reading]:
        """Arguments as the first of the expression's coordinates, and as the first of the domain's."""
        count = len(self._arguments)
        slots = [self._present[:count]] if count <= len(self._present) else []
        domain = next(iter(self._variables.values())).domain
        of_domain = [] if domain is None else coordinates_of_domain(domain)
        if count in (len(of_domain), sum(coordinate.kind == 0 for coordinate in of_domain)):
            slots.append(of_domain[:count])
        readings: list[Reading] = []
        for places in slots:
            reading = dict(zip(places, self._arguments, strict=True))
            effects = [self._effect(earlier) for earlier in readings]
            if all(map(_fits, places, self._arguments)) and self._effect(reading) not in effects:
                readings.append(reading)
        return readings

    # --- comparing them -------------------------------------------------------------------------------------------
    def _effect(self, reading: Reading) -> dict[Coordinate, Any]:
        """What a reading changes of the expression."""
        effect = {}
        for coordinate, argument in reading.items():
            key = identity(argument) if isinstance(argument, Variable) else ("expression", id(argument))
            if coordinate in self._present and key not in self._variables_at(coordinate):
                effect[coordinate] = key
        return effect

    def _variables_at(self, coordinate: Coordinate) -> list[tuple[Any, ...]]:
        return [key for key, variable in self._variables.items() if coordinate_of(variable) == coordinate]

    def _is_own(self) -> bool:
        """Whether all arguments are variables of the expression."""
        return all(isinstance(a, Variable) and identity(a) in self._variables for a in self._arguments)

    def _permutes(self, reading: Reading) -> bool:
        """Whether the arguments are the variables they replace, in another order, and all of them coordinates."""
        arguments = {coordinate_of(argument) for argument in reading.values() if isinstance(argument, Variable)}
        return arguments == set(reading) and all(coordinate.kind == 0 for coordinate in self._effect(reading))

    def _is_of_one_tag(self) -> bool:
        """Whether all coordinates belong to the points of one tag, to one request for them."""
        spatial = [a for a in self._arguments if isinstance(a, Variable) and a.at_points]
        return len({(point_tag(variable), variable.copy) for variable in spatial}) <= 1

    def _only(self, readings: Sequence[Reading]) -> Reading:
        if len(readings) > 1:
            raise self._ambiguous(readings)
        return readings[0]

    # --- errors ---------------------------------------------------------------------------------------------------
    def _unreadable(self) -> ValueError:
        described = ", ".join(map(_text, self._arguments))
        return ValueError(
            f"the expression has {len(self._variables)} variable(s) "
            f"({', '.join(map(_text, self._variables.values()))}) and was called with {len(self._arguments)} arguments "
            f"({described}): give coordinates of one tag, u(xb, yb), or one argument for each of "
            f"{', '.join(map(str, self._present))}, in this order"
        )

    def _ambiguous(self, readings: Sequence[Reading]) -> ValueError:
        described = ", ".join(map(_text, self._arguments))
        texts = " or ".join(self._described(reading) for reading in readings)
        return ValueError(
            f"the call with ({described}) can be read as {texts}. Give one argument for each of "
            f"{', '.join(map(str, self._present))} in this order, or build the expression with the other variables"
        )

    def _described(self, reading: Reading) -> str:
        changes = {c: argument for c, argument in reading.items() if c in self._effect(reading)}
        if not changes:
            return "no change"
        return ", ".join(f"{coordinate} = {_text(argument)}" for coordinate, argument in changes.items())


def _fits(place: Coordinate, argument: Node) -> bool:
    """Whether an argument may stand at a place: a bare time at that of time, coordinates at those of space."""
    if not isinstance(argument, Variable):
        return True
    return coordinate_of(argument).kind == place.kind


def _text(node: Node) -> str:
    """A variable as `x of 'left'`, anything else as it is shown."""
    if not isinstance(node, Variable):
        return repr(node)
    if node.axis == "temporal":
        return "t" if node.copy == 0 else f"t (request {node.copy + 1})"
    request = "" if node.copy == 0 else f" (request {node.copy + 1})"
    return f"{coordinate_of(node)} of {point_tag(node) if is_normal(node) else node.tag!r}{request}"
