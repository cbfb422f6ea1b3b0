"""Leaves of the trace: variables, data tags, numbers, named constants, noise."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from jno.utils import Kind, is_integer, is_number

from ._node import Pointwise, set_fields
from ._placeholder import Placeholder
from ._values import is_value

_noise_ids = itertools.count()
_MOST_COLUMNS = 1_000_000


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Variable(Placeholder):
    """Independent variable (``x``, ``y``, ``t``, or the columns of a normal vector).

    It names columns of the point set ``tag`` of a domain; the compiler binds the sampled coordinates.  A spatial
    variable has the value ``(N, dim[1] - dim[0])``, a temporal one ``(1, 1)``, which broadcasts over points.  Where the
    points have times of their own, the time is the column after those of space, and its value ``(N, 1)``.

    Args:
        tag: key of the point set in ``domain.context``.
        dim: ``[start, stop)`` columns.
        domain: the domain that owns the points.
        axis: ``"spatial"`` or ``"temporal"``.
        fem_meta: optional weak-form annotations (``support``, ``region_id``, ``context_tag``).
        copy: which call of ``domain.variable`` made it; two copies name the same points (and
            times) but stay distinct integration variables.

    Example:
        >>> import jno
        >>> x, y, t = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> x.tag, x.dim, x.axis
        ('interior', (0, 1), 'spatial')
        >>> y.dim, t.axis
        ((1, 2), 'temporal')
    """

    tag: str
    dim: tuple[int, int | None]
    domain: Any
    axis: str
    fem_meta: Any
    copy: int

    def __init__(
        self,
        tag: str,
        dim: Any,
        domain: Any,
        axis: str = "spatial",
        fem_meta: dict[str, Any] | None = None,
        *,
        copy: int = 0,
    ) -> None:
        if axis not in ("spatial", "temporal"):
            raise ValueError(f"Variable(axis={axis!r}): allowed are 'spatial' and 'temporal'")
        set_fields(self, tag=tag, dim=tuple(dim), domain=domain, axis=axis, fem_meta=fem_meta, copy=copy)

    @property
    def size(self) -> int:
        """Number of columns."""
        start, stop = self.dim
        if stop is None:
            raise ValueError(f"{self!r} spans all columns of its tag; its width is known only to the domain")
        return stop - start

    @property
    def at_points(self) -> bool:
        """Whether it is a column of points: a coordinate, a normal, or a time that every point has for itself."""
        return self.axis == "spatial" or self.dim[0] > 0

    def describe(self) -> str:
        return repr(self)

    def pointwise(self) -> Pointwise:
        return Pointwise.YES

    def follows_from_data(self) -> bool:
        return True

    def __repr__(self) -> str:
        if self.axis == "temporal":
            return "Var(t)"
        meta = f", {self.fem_meta}" if self.fem_meta else ""
        return f"Var({self.tag}[{list(self.dim)}]{meta})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TensorTag(Placeholder):
    """Array data attached to a domain by ``domain.variable(name, array)``.

    A leading dimension equal to the number of samples ``B`` gives one row per sample (a vector of ``B`` entries one
    number each), a leading dimension of one is shared by all samples, and so are other vectors.  ``(N, k)`` with as
    many rows as a point set has points gives one row per point.  ``dim_index`` selects one entry of the last axis
    (kept as an axis of length one).
    """

    tag: str
    domain: Any
    dim_index: int | None = None

    def describe(self) -> str:
        return f"Tensor({self.tag}{'' if self.dim_index is None else f'[{self.dim_index}]'})"

    def follows_from_data(self) -> bool:
        return True


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Literal(Placeholder):
    """A number or array written into an expression."""

    value: Any

    def describe(self) -> str:
        return _value_text(self.value)

    def pointwise(self) -> Pointwise:
        return _of_number(self.value)

    def follows_from_data(self) -> bool:
        return True


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Constant(Placeholder):
    """One named entry of ``jno.np.constant(tag, source)``."""

    tag: str
    value: Any

    def describe(self) -> str:
        return f"{self.tag}={_value_text(self.value)}"

    def pointwise(self) -> Pointwise:
        return _of_number(self.value)

    def follows_from_data(self) -> bool:
        return True


def _value_text(value: Any) -> str:
    shape = () if isinstance(value, bool | int | float | complex) else tuple(value.shape)
    return f"{value!r}" if shape == () else f"array{shape}"


def _of_number(value: Any) -> Pointwise:
    """A number is the same at all points; the rows of an array may or may not belong to them."""
    return Pointwise.PER_SAMPLE if np.ndim(value) else Pointwise.YES


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Noise(Placeholder):
    """Stochastic term of shape ``(N, ndim)``, drawn anew in every training step.

    The realisation comes from the step's key folded with the node's position in the graph, so it is reproducible
    for a fixed seed and independent of other noise nodes.  Without a key (plain ``eval``) it is zero.

    Args:
        distribution: ``"gaussian"``, ``"uniform"`` or ``"laplace"``.
        **params: ``std`` (gaussian, laplace), ``low``/``high`` (uniform), ``ndim`` (number of columns).

    Raises:
        ValueError: unknown distribution or parameter, or a value outside its range.

    Example:
        >>> import jno
        >>> noise = jno.noise.gaussian(std=0.1)
        >>> type(noise).__name__, noise.distribution
        ('Noise', 'gaussian')
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> jno.core([x.mse]).eval(x + noise).ravel().tolist()  # without a key there is none
        [0.0, 0.5, 1.0]
    """

    distribution: str
    params: tuple[tuple[str, float], ...]
    draw_id: int

    def __init__(self, distribution: str, **params: Any) -> None:
        defaults = NOISE_PARAMETERS.get(distribution)
        if defaults is None:
            raise ValueError(f"Unknown noise distribution {distribution!r}: allowed are {', '.join(NOISE_PARAMETERS)}")
        unknown = sorted(set(params) - set(defaults))
        if unknown:
            raise ValueError(f"{distribution} noise has no parameter {unknown}: allowed are {list(defaults)}")
        values = {**defaults, **params}
        for name, value in values.items():
            if not is_number(value):
                raise ValueError(f"{distribution} noise: {name} must be a finite number, got {value!r}")
        if values.get("std", 1.0) < 0:
            raise ValueError(f"{distribution} noise: std must not be negative, got {values['std']}")
        if values.get("low", 0.0) > values.get("high", 1.0):
            raise ValueError(f"uniform noise: low={values['low']} is above high={values['high']}")
        if not is_integer(values["ndim"], 1) or values["ndim"] > _MOST_COLUMNS:
            raise ValueError(
                f"{distribution} noise: ndim must be an integer of at least 1 and at most {_MOST_COLUMNS}, got "
                f"{values['ndim']}"
            )
        set_fields(self, distribution=distribution, params=tuple(values.items()), draw_id=next(_noise_ids))

    def describe(self) -> str:
        return f"Noise[{self.distribution}]"


NOISE_PARAMETERS: dict[str, dict[str, float]] = {
    "gaussian": {"std": 1.0, "ndim": 1},
    "uniform": {"low": -1.0, "high": 1.0, "ndim": 1},
    "laplace": {"std": 1.0, "ndim": 1},
}


def as_node(value: object) -> Placeholder:
    """``value`` as a node: expressions as they are, numbers and arrays as literals.

    Raises:
        TypeError: anything else, e.g. a network that was not called, or a Python bool.
    """
    if isinstance(value, Placeholder):
        return value
    if isinstance(value, float):  # the usual number, without the questions below
        return Literal(value)
    objection = _objection(value)
    if objection:
        raise TypeError(objection)
    return Literal(np.asarray(value) if isinstance(value, list | tuple) else value)


def _objection(value: object) -> str:
    """Why a value that is no expression cannot be part of one; empty if it can."""
    if isinstance(value, bool):
        return (
            f"a Python bool, {value}, cannot be part of an expression: '==' and '!=' between two expressions give one, "
            "because they compare identity. Compare element by element with u.equal(v) or u.not_equal(v). For a fixed "
            f"choice write a Python 'if', for a constant 1.0, 0.0 or numpy.bool_({value})"
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"cannot use the integer {value} in an expression: it has more than 64 bits; write a float"
    if isinstance(value, list | tuple | np.ndarray | np.generic):
        try:
            kind = np.asarray(value).dtype.kind
        except ValueError:  # rows of different lengths
            kind = "O"
        if kind not in "biufcV":  # V: the floats of JAX that NumPy does not know
            shown = repr(value) if isinstance(value, list | tuple) else f"an array of dtype {value.dtype}"
            return f"cannot use {shown} in an expression: it is not an array of numbers; see jno.np.concat"
        return ""
    if is_value(value):
        return ""
    return (
        f"cannot use {value!r} of type {type(value).__name__} in an expression: allowed are expressions, numbers and "
        "arrays (a network must be called first: net(x, y))"
    )


OPERAND = Kind(
    "an expression, a number or an array",
    lambda value: isinstance(value, (Placeholder, float)) or not _objection(value),
    TypeError,
    _objection,
)
"""What arithmetic takes."""

VARIABLE = Kind(
    "a Variable from domain.variable(...)",
    lambda value: isinstance(value, Placeholder),  # a normal is several; the operators look closer
    TypeError,
    lambda value: f"a Variable from domain.variable(...) is needed, got {value!r} of type {type(value).__name__}",
)
"""What an expression is differentiated with respect to."""
