"""Replacing variables in an expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._coordinates import binds, free_variables, identity, is_normal, point_tag
from ._derivatives import Derivative
from ._evaluated_at import EvaluatedAt
from ._integrals import Integral, IntegralTime
from ._leaves import Literal, Variable, as_node
from ._node import Node
from ._placeholder import Placeholder
from ._walk import rewrite, walk

Replacements = Mapping[tuple[Any, ...], Node]
"""Identity of a variable → what stands in its place."""

AT = "@at"
"""Suffix of the alias tag of points that are expressions."""


def substitute(expression: Node, replacements: Mapping[int, Node]) -> Node:
    """Replace variables, named by their ``id``, by other variables everywhere, bound or not."""
    return rewrite(expression, lambda node: replacements.get(id(node), node))


def substitute_free(expression: Placeholder, replacements: Replacements) -> Placeholder:
    """Replace the free variables of an expression; what integrals integrate over stays.

    A derivative by a variable that is replaced by something else than a variable is the derivative evaluated there.

    Raises:
        TypeError: a normal derivative at coordinates that are not variables.
    """
    return _Substitution().of(expression, {key: as_node(node) for key, node in replacements.items()})


class _Substitution:
    """Rewrites bottom-up; integrals, and derivatives at coordinates that are expressions, see other replacements."""

    def __init__(self) -> None:
        self._done: dict[tuple[Any, int], Node] = {}
        self._keep_alive: list[Any] = []

    def of(self, root: Any, replacements: Replacements) -> Any:
        """``root`` with the replacements made."""
        scope = tuple(sorted((repr(key), id(node)) for key, node in replacements.items()))
        self._keep_alive.append((root, replacements))
        stack = [root]
        while stack:
            node = stack[-1]
            if (scope, id(node)) in self._done:
                stack.pop()
                continue
            special = self._special(node, replacements)
            if special is not None:
                self._done[scope, id(node)] = special
                continue
            pending = [child for child in node.children() if (scope, id(child)) not in self._done]
            if pending:
                stack.extend(reversed(pending))
                continue
            self._done[scope, id(node)] = node.with_children(
                tuple(self._done[scope, id(child)] for child in node.children())
            )
        return self._done[scope, id(root)]

    def _special(self, node: Any, replacements: Replacements) -> Any:
        """What becomes of a node that is not rewritten child by child, else None."""
        if not replacements:
            return node
        if isinstance(node, Variable):
            return replacements.get(identity(node), node)
        if isinstance(node, Derivative):
            _refuse_along_normals(node, replacements)
        if isinstance(node, Integral | IntegralTime | Derivative):
            placed = [v for v in _named_variables(node) if _is_placed(v, replacements)]
            if placed:
                return self._evaluated_at(node, placed[0], replacements)
        if isinstance(node, Integral | IntegralTime):
            return self._integral(node, replacements)
        return None

    def _integral(self, node: Integral | IntegralTime, replacements: Replacements) -> Any:
        """The integrand keeps the variables that are integrated over."""
        inner = [v for v in free_variables(node.target) if not binds(node, v)]
        free = {identity(v): replacements[identity(v)] for v in inner if identity(v) in replacements}
        if len(free) == len(replacements):
            return None
        return self.of(node, free) if free else node

    def _evaluated_at(self, node: Any, placed: Variable, replacements: Replacements) -> Any:
        """The derivative by variables of an alias, whose points are what replaces them."""
        variables = [v for v in free_variables(node) if _share_points(v, placed)]
        taken = {below.tag for below in walk([node]) if isinstance(below, Variable)}
        tag = placed.tag + AT
        while tag in taken:
            tag += AT
        aliases = {identity(v): Variable(tag, v.dim, v.domain, v.axis, v.fem_meta, copy=v.copy) for v in variables}
        elsewhere = {key: value for key, value in replacements.items() if key not in aliases}
        target = self.of(node, {**elsewhere, **aliases})
        axis = "spatial" if placed.at_points else "temporal"
        return EvaluatedAt(target, _columns(placed, variables, replacements), tag, axis)


def _named_variables(node: Any) -> tuple[Variable, ...]:
    """The variables a derivative is taken by, or the outer one of an integral."""
    if isinstance(node, Derivative):
        return node.variables
    outer = node.integration_var if isinstance(node, Integral) else None
    return () if outer is None else (outer,)


def _is_placed(variable: Variable, replacements: Replacements) -> bool:
    return not isinstance(replacements.get(identity(variable), variable), Variable)


def _share_points(left: Variable, right: Variable) -> bool:
    if not right.at_points:
        return identity(left) == identity(right)
    return left.at_points and (left.tag, left.copy) == (right.tag, right.copy)


def _refuse_along_normals(node: Derivative, replacements: Replacements) -> None:
    tags = {point_tag(variable) for variable in node.variables if is_normal(variable)}
    for variable in free_variables(node.target):
        if point_tag(variable) in tags and _is_placed(variable, replacements):
            raise TypeError(
                f"'{node!r}' needs the normals of its points and cannot be re-called with "
                f"{replacements[identity(variable)]!r}, which is not a Variable of a boundary"
            )


def _columns(placed: Variable, variables: list[Variable], replacements: Replacements) -> tuple[Any, ...]:
    """The coordinates of the points, column by column; those nothing depends on are zero."""
    if not placed.at_points:
        return (replacements[identity(placed)],)
    width = max(int(placed.domain.dimension), *(variable.dim[0] + 1 for variable in variables))
    columns: list[Any] = [Literal(0.0)] * width
    for variable in variables:
        columns[variable.dim[0]] = replacements.get(identity(variable), variable)
    return tuple(columns)
