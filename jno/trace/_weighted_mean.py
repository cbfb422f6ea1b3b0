"""Constraints that are means over points of something of a residual, with their weights."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ._leaves import Literal
from ._node import Node
from ._operations import BinaryOp, FunctionCall, Reduction
from ._placeholder import Placeholder

MEANS = ("mse", "mae", "mean")
"""Names of reductions that are means over points: of the square of what is reduced, of its size, of itself."""


@dataclasses.dataclass(frozen=True)
class WeightedMean:
    """A constraint ``factors * mean / divisors`` such as ``w * r.mse``, ``r.mae / 2`` or ``jno.fn.mse(u, v)``.

    Attributes:
        mean: the node that takes the mean.
        factors: what it is multiplied by, from the outside in.
        divisors: what it is divided by.
    """

    mean: Reduction | FunctionCall
    factors: tuple[Node, ...] = ()
    divisors: tuple[Node, ...] = ()

    @classmethod
    def of(cls, constraint: Node) -> WeightedMean | None:
        """The mean behind a constraint; None where there is none.  A product of two is read as the right one's."""
        factors: list[Node] = []
        divisors: list[Node] = []
        node = constraint
        while isinstance(node, BinaryOp) and node.op in ("*", "/"):
            if node.op == "/":
                divisors.append(node.right)
                node = node.left
            else:
                on_the_right = _has_mean(node.right)
                factors.append(node.left if on_the_right else node.right)
                node = node.right if on_the_right else node.left
        if not isinstance(node, Reduction | FunctionCall) or not _is_mean(node):
            return None
        return cls(node, tuple(factors), tuple(divisors))

    @property
    def reduction(self) -> str:
        """One of `MEANS`."""
        return self.mean.describe()

    @property
    def residual(self) -> Placeholder:
        """What the mean is taken of, ``u - v`` of a loss of a prediction and a target."""
        residual = reduced(self.mean)
        assert residual is not None, "a mean reduces something"
        return residual

    @property
    def weight(self) -> float | None:
        """The product of the factors over that of the divisors, where all of them are positive numbers, else None."""
        factors, divisors = _numbers(self.factors), _numbers(self.divisors)
        return None if factors is None or divisors is None else math.prod(factors) / math.prod(divisors)


def reduced(node: Node) -> Placeholder | None:
    """What a reduction, or a loss of a prediction and a target, is taken of; None of anything else."""
    if isinstance(node, Reduction):
        return node.target
    if isinstance(node, FunctionCall) and node.reduces_axis == 0 and len(node.args) == 2:
        prediction, target = node.args
        return BinaryOp("-", prediction, target)
    return None


def _is_mean(node: Node) -> bool:
    names = MEANS if isinstance(node, Reduction) else ("mse", "mae")
    return node.describe() in names and reduced(node) is not None


def _has_mean(node: Node) -> bool:
    """Whether a node is a mean, or one with weights."""
    while isinstance(node, BinaryOp) and node.op in ("*", "/"):
        if node.op == "*" and _has_mean(node.right):
            return True
        node = node.left
    return _is_mean(node)


def _numbers(nodes: tuple[Node, ...]) -> list[float] | None:
    """The values of positive real numbers; None where some are something else."""
    values: list[float] = []
    for node in nodes:
        if not isinstance(node, Literal) or np.ndim(node.value) or not np.isreal(node.value) or node.value <= 0.0:
            return None
        values.append(float(node.value))
    return values
