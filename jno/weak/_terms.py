"""Terms of a weak problem: which kind each is, and over which region.

A term with a test function is an integral over the region of its coordinates, a term with the unknown alone a
condition on it.  All variables of a term are written in those of one tag, so that equal fields are one node.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from jno.domain import domain as Domain
from jno.trace import (
    CELL_SIZE,
    Bound,
    FieldValue,
    ModelCall,
    Node,
    Pin,
    Placeholder,
    Variable,
    as_node,
    choices_of,
    free_variables,
    is_normal,
    point_tag,
    rewrite,
    walk,
)

from ._regions import INITIAL, points_inward, region_name

Kind = Literal["integral", "condition", "initial", "pin"]


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """One entry of the list, in the variables of one region.

    Attributes:
        kind: what it means.
        expression: the entry, rewritten.
        region: name of the region.
        inward: whether its normals point inward.
        fields: the fields in it.
    """

    kind: Kind
    expression: Node
    region: str
    inward: bool
    fields: tuple[FieldValue, ...]

    def of_role(self, role: str) -> tuple[FieldValue, ...]:
        """Its fields of one role."""
        return tuple(field for field in self.fields if field.role == role)


def flattened(entries: object) -> list[Node]:
    """The entries of `jno.fem` as expressions.

    Raises:
        ValueError: there are none.
        TypeError: something that is not an expression.
    """
    items = list(entries) if isinstance(entries, list | tuple) else [entries]
    if not items:
        raise ValueError("jno.fem([...]) needs at least one term")
    for position, item in enumerate(items):
        if not isinstance(item, Placeholder):
            raise TypeError(
                f"jno.fem: entry {position} is {item!r} of type {type(item).__name__}; terms are expressions of "
                "symbols, e.g. u.d(x) * v.d(x) - f * v, or conditions such as u(xb, yb) - 0.0"
            )
    return [as_node(item) for item in items]


def domain_of(entries: Sequence[Node]) -> Domain:
    """The domain of the fields and variables of all terms.

    Raises:
        ValueError: several domains, or no field.
    """
    nodes = list(walk(entries))
    domains: dict[int, Any] = {
        id(node.field.domain): node.field.domain for node in nodes if isinstance(node, FieldValue)
    }
    if not domains:
        raise ValueError(
            "jno.fem: no term contains a trial symbol or a test function; make them by domain.fem_symbols(), and give "
            "plain residuals to jno.core"
        )
    variables = [node for node in nodes if isinstance(node, Variable) and node.domain is not None]
    domains.update({id(variable.domain): variable.domain for variable in variables})
    if len(domains) > 1:
        raise ValueError(
            f"jno.fem: the terms contain fields or variables of {len(domains)} domains; take all from one domain"
        )
    return next(iter(domains.values()))


def classified(entry: Node, domain: Domain) -> Term:
    """What an entry of the list means.

    Raises:
        ValueError: it spans several regions, or means nothing.
    """
    while isinstance(entry, Bound):
        entry = entry.target
    if isinstance(entry, Pin):
        return Term("pin", entry, "interior", False, (dataclasses.replace(entry.target, variables=()),))
    if choices_of([entry]):
        raise ValueError("jno.fem: a term contains jno.np.choice, which weak forms cannot decide")
    tag = _tag_of(entry, domain)
    rewritten = _in_variables_of(entry, tag, domain)
    region = region_name(domain, tag)
    fields = tuple(_distinct(node for node in walk([rewritten]) if isinstance(node, FieldValue)))
    kind = _kind(rewritten, fields, region)
    return Term(kind, rewritten, region, points_inward(domain, tag), fields)


def _kind(expression: Node, fields: Sequence[FieldValue], region: str) -> Kind:
    tests = [field.field.name for field in fields if field.role == "test"]
    if tests and region == INITIAL:
        raise ValueError(f"jno.fem: the initial condition {expression!r} contains the test function {tests[0]!r}")
    if tests:
        return "integral"
    if region == INITIAL:
        return "initial"
    if region == "interior" and any(field.role == "trial" for field in fields):
        raise ValueError(
            f"jno.fem: {expression!r} contains the trial symbol alone on the whole interior; did you forget the test "
            "function?"
        )
    return "condition"


def _distinct(fields: Iterable[FieldValue]) -> list[FieldValue]:
    distinct: dict[object, FieldValue] = {}
    for field in fields:
        distinct.setdefault((id(field.field), field.role, id(field.source)), field)
    return list(distinct.values())


def _tag_of(entry: Node, domain: Domain) -> str:
    """The tag of the points that a term lives on; without coordinates the interior.

    Raises:
        ValueError: points of several regions.
    """
    tags: dict[str, None] = {}
    for variable in free_variables(entry):
        if variable.axis == "spatial" and variable.tag != CELL_SIZE:
            tags.setdefault(point_tag(variable))
    regions = sorted({region_name(domain, tag) for tag in tags})
    if len(regions) > 1:
        raise ValueError(
            f"jno.fem: {entry!r} spans multiple regions, {regions}; a term is an integral over a single region: list "
            f"the parts apart"
        )
    if len({points_inward(domain, tag) for tag in tags}) > 1:
        raise ValueError(f"jno.fem: {entry!r} has outward and inward normals of {regions[0]!r}; use one of them")
    return next(iter(tags), "interior")


def _in_variables_of(entry: Node, tag: str, domain: Domain) -> Node:
    """The term with all points written in the coordinates of one tag, and fields at them."""
    free = {id(variable) for variable in _occurrences(entry)}
    columns = tuple(Variable(tag, (column, column + 1), domain) for column in range(domain.dimension))
    time = (Variable("__time__", (0, 1), domain, "temporal"),) if domain.is_time_dependent else ()

    def replace(node: Node) -> Node:
        if isinstance(node, Bound):
            return node.target
        if isinstance(node, FieldValue):
            return dataclasses.replace(node, variables=(*columns, *time))
        if isinstance(node, ModelCall) and node.model.space is not None:
            return FieldValue(node.model.space, "coefficient", (*columns, *time), source=node.model)
        if not isinstance(node, Variable) or id(node) not in free or node.tag == CELL_SIZE:
            return node
        if node.axis == "temporal":
            return Variable("__time__", (0, 1), domain, "temporal")
        return Variable(f"n_{tag}" if is_normal(node) else tag, node.dim, domain)

    return _unified(rewrite(entry, replace))


def _occurrences(entry: Node) -> list[Variable]:
    """The variables of a term that are not integrated over inside it."""
    identities = {(v.tag, v.dim, v.axis, v.copy) for v in free_variables(entry)}
    return [
        node
        for node in walk([entry])
        if isinstance(node, Variable) and (node.tag, node.dim, node.axis, node.copy) in identities
    ]


def _unified(entry: Node) -> Node:
    """Equal fields as one node."""
    canonical: dict[object, Node] = {}

    def replace(node: Node) -> Node:
        if not isinstance(node, FieldValue):
            return node
        return canonical.setdefault((id(node.field), node.role, id(node.source)), node)

    return rewrite(entry, replace)
