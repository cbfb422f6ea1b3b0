"""The residuals behind constraints that are mean squares: what least-squares optimizers need."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from jno.compiler import Program
from jno.trace import BinaryOp, Literal, Node, Reduction


class Residuals:
    """``sum(residuals**2)`` is the total loss.

    Args:
        program: constraints ``expression.mse``, each possibly times or divided by a positive number.

    Raises:
        ValueError: another constraint.
    """

    def __init__(self, program: Program) -> None:
        terms = [_weighted_square(root, number) for number, root in enumerate(program.roots)]
        self._weights = [weight / len(terms) for weight, _ in terms]
        self._targets = Program(
            [target for _, target in terms],
            program.domain,
            window=program.window,
            context=program.context,
            graph=program.graph,
        )

    def __call__(self, modules: dict[int, Any], data: Any, key: Any) -> Any:
        """All residuals as one vector; every constraint is the mean over its own."""
        values = self._targets(modules, data, key)
        parts = [jnp.ravel(v) * math.sqrt(w / v.size) for w, v in zip(self._weights, values, strict=True)]
        return jnp.concatenate(parts)


def _weighted_square(root: Node, number: int) -> tuple[float, Node]:
    """Weight and residual of a constraint."""
    if isinstance(root, Reduction) and root.op == "mse":
        return 1.0, root.target
    if isinstance(root, BinaryOp) and root.op in ("*", "/"):
        for factor, other in ((root.left, root.right), (root.right, root.left)):
            value = _positive(factor)
            if value is None or (root.op == "/" and other is root.right):
                continue
            weight, target = _weighted_square(other, number)
            return (weight * value if root.op == "*" else weight / value), target
    raise ValueError(
        f"this optimizer needs constraints that are mean squares, expression.mse, possibly times a positive number; "
        f"constraint {number} is {root!r}"
    )


def _positive(node: Node) -> float | None:
    if not isinstance(node, Literal) or getattr(node.value, "shape", ()) != () or isinstance(node.value, complex):
        return None
    return float(node.value) if float(node.value) > 0.0 else None
