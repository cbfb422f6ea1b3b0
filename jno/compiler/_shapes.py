"""Shapes of every node, inferred without computing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from jno.trace import Node, dump_tree

from ._program import Program


def infer_shapes(program: Program, modules: Mapping[int, Any]) -> dict[int, tuple[int, ...]]:
    """Per-sample shape of every canonical node (by ``id``).

    Raises:
        ValueError: operands that cannot be aligned; this is where a problem with a shape error stops.
    """
    shapes: dict[int, tuple[int, ...]] = {}
    key = jax.random.key(0)
    jax.eval_shape(lambda data, k: program(dict(modules), data, k, shapes), program.abstract_data, key)
    return shapes


def shape_tree(root: Node, shapes: Mapping[int, tuple[int, ...]]) -> str:
    """The expression tree with the shape of every node that was evaluated."""
    return dump_tree(root, lambda node: str(shapes[id(node)]) if id(node) in shapes else "")
