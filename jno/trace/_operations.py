"""Inner nodes without binding: arithmetic, indexing, reductions, wrapped functions, annotations."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ._leaves import as_node
from ._node import Pointwise, set_fields
from ._placeholder import Placeholder

ALIGNMENTS = (None, "broadcast", "columns", "components", "table", "pair")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BinaryOp(Placeholder):
    """``left op right`` with NumPy broadcasting, aligned on the point axis."""

    child_fields: ClassVar[tuple[str, ...]] = ("left", "right")
    op: str
    left: Placeholder
    right: Placeholder

    def describe(self) -> str:
        return self.op

    def pointwise(self) -> Pointwise:
        return Pointwise.NO if self.op == "@" else Pointwise.YES

    def follows_from_data(self) -> bool:
        return True


def binary(op: str, left: object, right: object) -> BinaryOp:
    """`BinaryOp` over operands that may still be numbers or arrays."""
    return BinaryOp(op, as_node(left), as_node(right))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class _OperationOnOne(Placeholder):
    """An operation on one expression, by its name."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    op: str
    target: Placeholder

    def describe(self) -> str:
        return self.op

    def follows_from_data(self) -> bool:
        return True


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class UnaryOp(_OperationOnOne):
    """``negate``, ``abs``, ``~``, ``transpose``, ``real``, ``imag`` or ``stop_gradient`` of an expression."""

    def pointwise(self) -> Pointwise:
        return Pointwise.NO if self.op == "transpose" else Pointwise.YES

    def stops_gradient(self) -> bool:
        return self.op == "stop_gradient"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reduction(_OperationOnOne):
    """``mean``, ``sum``, ``min``, ``max``, ``std``, ``mse`` or ``mae`` over all per-sample entries: a scalar."""

    def pointwise(self) -> Pointwise:
        return Pointwise.NO


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class GetItem(Placeholder):
    """NumPy indexing of the per-sample array."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    index: tuple[Any, ...]

    def describe(self) -> str:
        return "[" + ", ".join(map(_index_text, self.index)) + "]"

    def pointwise(self) -> Pointwise:
        """An index that leaves the leading axis as it is leaves every point in its place."""
        leading = self.index[0] if self.index else Ellipsis
        keeps_all = leading is Ellipsis or (isinstance(leading, slice) and leading == slice(None))
        return Pointwise.YES if keeps_all else Pointwise.NO

    def follows_from_data(self) -> bool:
        return True


def _index_text(entry: object) -> str:
    if isinstance(entry, slice):
        bounds = [entry.start, entry.stop] + ([entry.step] if entry.step is not None else [])
        return ":".join("" if bound is None else str(bound) for bound in bounds)
    return "..." if entry is Ellipsis else str(entry)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reshape(Placeholder):
    """Reshape of the per-sample array."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    new_shape: tuple[int, ...]

    def describe(self) -> str:
        return f"reshape{self.new_shape}"

    def pointwise(self) -> Pointwise:
        return Pointwise.NO

    def follows_from_data(self) -> bool:
        return True


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

    def __init__(
        self,
        fn: Callable[..., Any],
        args: Sequence[object],
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

    @property
    def may_reduce_points(self) -> bool:
        """Whether the axis, counted from the front, may be that of the points."""
        return self.reduces_axis is not None and self.reduces_axis >= 0

    def describe(self) -> str:
        return self.title

    def pointwise(self) -> Pointwise:
        """A reduced axis counted from the back is that of the points only where an operand has no components."""
        if self.align is None:
            return Pointwise.BY_FUNCTION
        if self.align == "broadcast" and self.may_reduce_points:
            return Pointwise.NO
        by_shape = self.align == "pair" or (self.align == "broadcast" and self.reduces_axis is not None)
        return Pointwise.BY_SHAPE if by_shape else Pointwise.YES

    def follows_from_data(self) -> bool:
        return not self.takes_key

    @property
    def takes_key(self) -> bool:
        """Whether the function has a parameter named ``key``, which receives the step's random key."""
        try:
            return "key" in inspect.signature(self.fn).parameters
        except (ValueError, TypeError):  # ufunc-like builtins have no signature
            return False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Print(Placeholder):
    """Identity that prints during evaluation."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    what: Any
    label: str | None

    def describe(self) -> str:
        return f"print[{self.what if isinstance(self.what, str) else 'callable'}]"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Tracker(Placeholder):
    """An expression that is recorded every ``interval`` epochs and not trained on."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    interval: int = 1
    reduce: Any = None

    def describe(self) -> str:
        return f"tracker[{self.interval}]"
