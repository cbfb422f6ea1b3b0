"""The table of lowering rules: node type → how its value is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from jno.trace import Node

from ._rule_tables import add_rules
from ._value import Value

LoweringRule = Callable[..., Value]
"""``rule(node, scope, *child_values)``; for a node that `binds`: ``rule(node, scope)``, and the rule evaluates its
children itself, in scopes with other coordinates."""

_Rule = TypeVar("_Rule", bound=LoweringRule)

_TABLE: dict[type[Node], LoweringRule] = {}


def lowers(*node_types: type[Node]) -> Callable[[_Rule], _Rule]:
    """Register the decorated function as the rule of ``node_types``."""

    def register(function: _Rule) -> _Rule:
        rule: LoweringRule = function
        add_rules(_TABLE, node_types, rule, lambda node_type: f"{node_type.__name__} already has a lowering rule")
        return function

    return register


def rule_for(node: Node) -> LoweringRule:
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
