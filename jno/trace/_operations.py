"""Inner nodes without binding: arithmetic, indexing, reductions, wrapped functions, annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ._leaves import as_node
from ._node import set_fields
from ._placeholder import Placeholder

ALIGNMENTS = (None, "broadcast", "columns", "components", "table", "pair")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BinaryOp(Placeholder):
    """``left op right`` with NumPy broadcasting, aligned on the point axis."""

    child_fields: ClassVar[tuple[str, ...]] = ("left", "right")
    op: str
    left: Placeholder
    right: Placeholder


def binary(op: str, left: Any, right: Any) -> BinaryOp:
    """`BinaryOp` over operands that may still be numbers or arrays."""
    return BinaryOp(op, as_node(left), as_node(right))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class UnaryOp(Placeholder):
    """``negate``, ``abs``, ``~``, ``transpose``, ``real``, ``imag`` or ``stop_gradient`` of an expression."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    op: str
    target: Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reduction(Placeholder):
    """``mean``, ``sum``, ``min``, ``max``, ``std``, ``mse`` or ``mae`` over all per-sample entries: a scalar."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    op: str
    target: Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GetItem(Placeholder):
    """NumPy indexing of the per-sample array."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    index: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reshape(Placeholder):
    """Reshape of the per-sample array."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    new_shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class FunctionCall(Placeholder):
    """A function of arrays applied to expressions.

    Args:
        fn: ``fn(*arrays) -> array``; a parameter named ``key`` receives the step's random key.
        args: the argument expressions.
        name: title in trees; default: the function's own name.
        reduces_axis: set when the function reduces an axis (a terminal reduction is stripped by tools that want the
            point-wise residual); with ``align="broadcast"`` it is reduced together with the axes after it.
        align: how operands are prepared: ``None`` hands over the raw per-sample arrays, ``"broadcast"`` first aligns
            them on their point axis as arithmetic does (element-wise functions), ``"columns"`` makes each one
            ``(N, d)`` with a common number of rows (concatenation), ``"components"`` says that the function reduces
            the last axis of its one argument, and keeps the points of an argument that has components.  ``"table"``
            aligns all operands but the last one, a table that the function looks values up in.  ``"pair"`` hands over
            two raw arrays and says, as ``at_points``, which of them run over points.
    """

    child_fields: ClassVar[tuple[str, ...]] = ("args",)
    fn: Callable[..., Any]
    args: tuple[Placeholder, ...]
    title: str
    reduces_axis: int | None
    align: str | None

    @property
    def may_reduce_points(self) -> bool:
        """Whether a function with aligned operands may reduce their points."""
        return self.reduces_axis is not None and self.reduces_axis >= 0

    def __init__(
        self,
        fn: Callable[..., Any],
        args: Sequence[Any],
        name: str = "",
        reduces_axis: int | None = None,
        align: str | None = None,
    ) -> None:
        if not callable(fn):
            raise TypeError(f"a function call needs a callable, got {type(fn).__name__}")
        if align not in ALIGNMENTS:
            raise ValueError(f"align={align!r}: allowed are {ALIGNMENTS}")
        title = name or getattr(fn, "__name__", type(fn).__name__)
        nodes = tuple(as_node(arg) for arg in args)
        set_fields(self, fn=fn, args=nodes, title=title, reduces_axis=reduces_axis, align=align)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Print(Placeholder):
    """Identity that prints during evaluation."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    what: Any
    label: str | None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Tracker(Placeholder):
    """An expression that is recorded every ``interval`` epochs and not trained on."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    interval: int = 1
    reduce: Any = None
