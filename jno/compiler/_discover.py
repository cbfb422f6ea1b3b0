"""Finding the one domain of a problem, and checking that expressions fit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jno.domain import domain as Domain
from jno.trace import Node, TensorTag, Variable, WeakValue, walk


def discover_domain(expressions: Sequence[Node]) -> Domain:
    """The domain all variables and data tags of the expressions belong to.

    Raises:
        ValueError: none, or more than one.
    """
    domains: dict[int, Domain] = {}
    for leaf in _leaves(expressions):
        if leaf.domain is not None:
            domains.setdefault(id(leaf.domain), leaf.domain)
    for node in walk(expressions):
        if isinstance(node, WeakValue):
            domains.setdefault(id(node.domain), node.domain)
    if not domains:
        raise ValueError(
            "no domain: the constraints contain no Variables or TensorTags; pass domain= explicitly, e.g. "
            "jno.core([...], domain=dom)"
        )
    if len(domains) > 1:
        raise ValueError(
            f"{len(domains)} distinct domains in one problem; take all variables from one domain (merge several with "
            "a + b)"
        )
    return next(iter(domains.values()))


def check_own_domain(expressions: Sequence[Node], constraints: Sequence[Node], domain: Domain, caller: str) -> None:
    """Refuse to read the variables of another domain by their tags at the points of this one.

    Args:
        expressions: what is to be computed on ``domain``.
        constraints: those of the core; an explicit ``core(domain=)`` may have moved them there from theirs.
        domain: the domain of the core.
        caller: what the message begins with.

    Raises:
        ValueError: a variable or data tag of a domain that neither is the core's nor occurs in its constraints.
    """
    domains = {id(domain), *(id(leaf.domain) for leaf in _leaves(constraints))}
    for leaf in _leaves(expressions):
        if leaf.domain is not None and id(leaf.domain) not in domains:
            raise ValueError(
                f"{caller}: {leaf.tag!r} belongs to {leaf.domain!r}, the core to {domain!r}. Say which points are "
                "meant: core.eval(expression, domain=other) takes those of the other domain, domain=core.domain those "
                "of the core with the same tags"
            )


def check_temporal(expressions: Sequence[Node], domain: Domain | None) -> None:
    """Refuse a temporal variable on a domain without time; without expressions there may be no domain."""
    if domain is None or domain.is_time_dependent:
        return
    for node in walk(expressions):
        if isinstance(node, Variable) and node.axis == "temporal":
            raise ValueError(
                "an expression uses a temporal Variable but the domain has no time axis; build the domain with "
                "time=(t0, t1, n)"
            )


def _leaves(expressions: Sequence[Node]) -> Iterator[Variable | TensorTag]:
    return (node for node in walk(expressions) if isinstance(node, Variable | TensorTag))
