"""Finding the one domain of a problem, and checking that expressions fit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jno.trace import Node, TensorTag, Variable, walk


def discover_domain(expressions: Sequence[Node]) -> Any:
    """The domain all variables and data tags of the expressions belong to.

    Raises:
        ValueError: none, or more than one.
    """
    domains: dict[int, Any] = {}
    for node in walk(expressions):
        if isinstance(node, Variable | TensorTag) and node.domain is not None:
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


def check_temporal(expressions: Sequence[Node], domain: Any) -> None:
    """Refuse a temporal variable on a domain without time."""
    if domain.is_time_dependent:
        return
    for node in walk(expressions):
        if isinstance(node, Variable) and node.axis == "temporal":
            raise ValueError(
                "an expression uses a temporal Variable but the domain has no time axis; build the domain with "
                "time=(t0, t1, n)"
            )
