"""The table of lowering rules: node type → how its value is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from jno.trace import Node


@dataclasses.dataclass(frozen=True)
class Rule:
    """``binds=False``: ``lower(node, scope, *child_values)``; ``binds=True``: ``lower(node, scope)``, and the rule
    evaluates its children itself, in scopes of its own (derivatives, integrals)."""

    lower: Callable[..., Any]
    binds: bool


_TABLE: dict[type, Rule] = {}


def lowers(*node_types: type, binds: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the rule of ``node_types``."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for node_type in node_types:
            if node_type in _TABLE:
                raise ValueError(f"{node_type.__name__} already has a lowering rule")
            _TABLE[node_type] = Rule(function, binds)
        return function

    return register


def rule_for(node: Node) -> Rule:
    """The rule of a node.

    Raises:
        NotImplementedError: no rule is registered for this node type.
    """
    try:
        return _TABLE[type(node)]
    except KeyError:
        raise NotImplementedError(
            f"no lowering rule for {type(node).__name__}: write `@lowers({type(node).__name__})` in jno/compiler "
            "(see CONTRIBUTING.md, 'a new node')"
        ) from None
