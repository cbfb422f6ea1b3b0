"""`Placeholder`: the base of every expression; its operators build nodes and never evaluate."""

from __future__ import annotations

import dataclasses
from typing import Any, NoReturn

from jno.utils import require_int
from jno.utils.ad_mode import validate_scheme

from ._logic import Logic
from ._node import Node

AUTOMATIC = "automatic_differentiation"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Placeholder(Logic, Node):
    """A symbolic expression.

    Arithmetic, indexing, reductions and derivatives of placeholders build a graph; values appear only when
    ``jno.core`` compiles it.  An expression stands for an array of conceptual shape ``(B, T, N, D)`` (batch of
    samples, time levels, points, components); indices and axes given to its methods refer to ``(N, D)``.

    Comparisons are element-wise and combined with ``&``, ``|`` and ``~``; only ``==`` and ``!=`` between two
    expressions compare identity, for which there are :meth:`equal` and :meth:`not_equal`.  An expression has no truth
    value.
    """

    # --- arithmetic -------------------------------------------------------------------------------------------
    def __add__(self, other: Any) -> BinaryOp:
        return binary("+", self, other)

    def __radd__(self, other: Any) -> BinaryOp:
        return binary("+", other, self)

    def __sub__(self, other: Any) -> BinaryOp:
        return binary("-", self, other)

    def __rsub__(self, other: Any) -> BinaryOp:
        return binary("-", other, self)

    def __mul__(self, other: Any) -> BinaryOp:
        return binary("*", self, other)

    def __rmul__(self, other: Any) -> BinaryOp:
        return binary("*", other, self)

    def __truediv__(self, other: Any) -> BinaryOp:
        return binary("/", self, other)

    def __rtruediv__(self, other: Any) -> BinaryOp:
        return binary("/", other, self)

    def __pow__(self, other: Any) -> BinaryOp:
        return binary("**", self, other)

    def __rpow__(self, other: Any) -> BinaryOp:
        return binary("**", other, self)

    def __matmul__(self, other: Any) -> BinaryOp:
        return binary("@", self, other)

    def __rmatmul__(self, other: Any) -> BinaryOp:
        return binary("@", other, self)

    def __neg__(self) -> UnaryOp:
        return UnaryOp("negate", self)

    def __pos__(self) -> Placeholder:
        return self

    def __abs__(self) -> UnaryOp:
        return UnaryOp("abs", self)

    # --- structure --------------------------------------------------------------------------------------------
    def __getitem__(self, index: Any) -> GetItem:
        return GetItem(self, check_index(index))

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "an expression cannot be iterated or unpacked: its length is known only after compilation; "
            "index the components instead, e.g. u[..., 0], u[..., 1]"
        )

    def __call__(self, *new_variables: Any) -> Placeholder:
        """The same expression at other coordinates.

        Coordinates of one tag replace the variables of the same coordinates in any order, ``u(xb, yb)`` or
        ``u(yb, xb)``; those the expression does not depend on are allowed.  Numbers and other expressions,
        ``u(x, 0.0)`` or ``u(xl + 1, yl)``, and the expression's own variables in another order, ``u(y, x)``, stand
        for x, y, z, t in this order.  Variables that get no argument stay.  What an integral integrates over stays too.

        Args:
            *new_variables: variables, numbers, arrays or expressions.

        Returns:
            The expression there.  A derivative at numbers or expressions is the derivative evaluated there.

        Raises:
            ValueError: too many arguments, or arguments that can be read in two ways; the message names both.
            TypeError: a normal derivative at coordinates that are not variables of a boundary.

        Example:
            >>> import jno
            >>> domain = jno.domain.line(mesh_size=0.5)
            >>> x, _ = domain.variable("interior")
            >>> jno.core([(x**2).d(x)(3.0).mse]).eval((x**2).d(x)(3.0)).ravel().tolist()
            [6.0]
        """
        return call_with_variables(self, new_variables)

    def reshape(self, *shape: int | tuple[int, ...]) -> Reshape:
        """Reshape of the per-sample array (``(N, D)`` for point expressions)."""
        flat = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return Reshape(self, tuple(int(s) for s in flat))  # type: ignore[arg-type]

    @property
    def T(self) -> UnaryOp:
        """Transpose of the per-sample array."""
        return UnaryOp("transpose", self)

    @property
    def real(self) -> UnaryOp:
        """Real part."""
        return UnaryOp("real", self)

    @property
    def imag(self) -> UnaryOp:
        """Imaginary part."""
        return UnaryOp("imag", self)

    @property
    def stop_gradient(self) -> UnaryOp:
        """The same value with zero derivative with respect to parameters and coordinates."""
        return UnaryOp("stop_gradient", self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Per-sample shape of the value, inferred without computing it."""
        from jno.core import infer_shape  # the declared exception to the floor rule, as in `eval`

        return infer_shape(self)

    # --- reductions over all per-sample entries ---------------------------------------------------------------
    @property
    def mean(self) -> Reduction:
        """Mean over all per-sample entries."""
        return Reduction("mean", self)

    @property
    def sum(self) -> Reduction:
        """Sum over all per-sample entries."""
        return Reduction("sum", self)

    @property
    def min(self) -> Reduction:
        """Minimum over all per-sample entries."""
        return Reduction("min", self)

    @property
    def max(self) -> Reduction:
        """Maximum over all per-sample entries."""
        return Reduction("max", self)

    @property
    def std(self) -> Reduction:
        """Standard deviation (divisor: number of entries) over all per-sample entries."""
        return Reduction("std", self)

    @property
    def mse(self) -> Reduction:
        """Mean of squares (of absolute squares for complex values)."""
        return Reduction("mse", self)

    @property
    def mae(self) -> Reduction:
        """Mean of absolute values."""
        return Reduction("mae", self)

    # --- differential and integral operators ------------------------------------------------------------------
    def d(self, variable: Any, scheme: str = AUTOMATIC) -> Jacobian:
        r"""First derivative :math:`\partial u/\partial v`; with a normal vector variable, :math:`\nabla u\cdot n`.

        Args:
            variable: one `Variable`, spatial, temporal or a normal vector; a normal may also be given by its
                components, ``jno.np.vector(nx, ny)``.
            scheme: see *Scheme strings*; overrides the configured default for this node.

        Returns:
            Node of the shape of ``self``; vector-valued expressions are differentiated component-wise.

        Raises:
            TypeError: ``variable`` is not a `Variable` or ``scheme`` is not a string.
            ValueError: unknown scheme.
        """
        validate_scheme(scheme, 1)
        return Jacobian(self, (check_variable(variable, "d"),), scheme)

    def diff(self, variable: Any, scheme: str = AUTOMATIC) -> Jacobian:
        """Same as :meth:`d`."""
        return self.d(variable, scheme)

    def d2(self, variable: Any, scheme: str = AUTOMATIC) -> Hessian:
        r"""Second derivative :math:`\partial^2 u/\partial v^2`, component-wise."""
        validate_scheme(scheme, 2)
        return Hessian(self, (check_variable(variable, "d2"),), scheme, trace=True)

    def dd(self, variable: Any, scheme: str = AUTOMATIC) -> Hessian:
        """Same as :meth:`d2`."""
        return self.d2(variable, scheme)

    def laplacian(self, *variables: Any, scheme: str = AUTOMATIC) -> Hessian:
        r"""Laplacian :math:`\sum_v \partial^2 u/\partial v^2` over the given variables, component-wise."""
        validate_scheme(scheme, 2)
        return Hessian(self, check_variables(variables, "laplacian"), scheme, trace=True)

    def hessian(self, *variables: Any, scheme: str = AUTOMATIC) -> Hessian:
        """Matrix of second derivatives: ``(N, k, k)`` for a scalar, ``(N, D, k, k)`` for a ``D``-vector."""
        validate_scheme(scheme, 2)
        return Hessian(self, check_variables(variables, "hessian"), scheme, trace=False)

    def grad(self, *arguments: Any, scheme: str = AUTOMATIC) -> Jacobian | NetworkGradient:
        """Gradient with respect to variables, ``(N, k)`` (``(N, D, k)`` for a vector), or to a network's parameters.

        ``u.grad(x, y)`` stacks first derivatives; ``u.grad(net)`` (or ``u.grad(net.mask(M))``) is the Jacobian
        with respect to the flattened (selected) parameters, ``(N, P)`` or ``(N, D, P)``.

        Raises:
            TypeError: no argument, or a mixture of networks and variables.
        """
        if len(arguments) == 1 and isinstance(arguments[0], Model | ModelCall):
            return network_gradient(self, arguments[0])
        validate_scheme(scheme, 1)
        return Jacobian(self, check_variables(arguments, "grad"), scheme)

    def integrate(self, var: Any = None) -> Integral | IntegralTime:
        """Integral over the region of the expression's variables, or over the time window for a temporal ``var``.

        With a spatial ``var`` (the *outer* variable) the integral runs over the other variables and gives one
        value per outer point, ``(N, 1)`` (Fredholm kernels).  With a temporal ``var`` it runs over that time, by the
        trapezoidal rule on the time levels of the window; the time of another ``domain.variable(...)`` call stays what
        it is, so that ``where(s < t, k * u(x, s), 0).integrate(s)`` is a Volterra integral (of second order in the
        step; it needs ``min_consecutive=None``).
        """
        if var is not None and check_variable(var, "integrate").axis == "temporal":
            return IntegralTime(self, var)
        return Integral(self, var)

    # --- annotations ------------------------------------------------------------------------------------------
    def name(self, label: str) -> Placeholder:
        """Set the label shown in progress lines, plots and trees; returns ``self``."""
        if not isinstance(label, str):
            raise TypeError(f"name() takes a string, got {type(label).__name__}")
        self.metadata.label = label
        return self

    def print(self, what: Any = "shape", label: str | None = None) -> Print:
        """The same value; each evaluation also prints its ``"shape"``, ``"stats"``, ``"value"``, ``"all"``, or what
        a callable makes of it.

        Raises:
            ValueError: unknown mode.
        """
        if not callable(what) and what not in PRINT_MODES:
            raise ValueError(f"print(what={what!r}): allowed are {', '.join(map(repr, PRINT_MODES))} or a callable")
        return Print(self, what, label if label is not None else self.metadata.label)

    def tracker(self, interval: int = 1, reduce: Any = None) -> Tracker:
        """Record this expression during training without training on it.

        Args:
            interval: epochs between two records, at least 1.
            reduce: optional callable applied to the recorded array.
        """
        require_int(interval, "tracker(interval)", minimum=1, subject="the interval")
        if reduce is not None and not callable(reduce):
            raise TypeError(f"tracker(reduce={reduce!r}): reduce must be callable")
        tracker = Tracker(self, interval, reduce)
        tracker.metadata.label = self.metadata.label
        return tracker

    def eval(self, domain: Any = None) -> Any:
        """Value of an expression that needs no training, through a temporary ``core``.

        Returns:
            array as ``core.eval`` gives it.

        Raises:
            ValueError: the expression contains a trainable parameter.
        """
        from jno.core import evaluate_alone  # the declared exception to the floor rule

        return evaluate_alone(self, domain)

    def __repr__(self) -> str:
        return render(self)


# The node classes subclass Placeholder and its methods build them: the cycle is closed here, once.
from ._checks import (  # noqa: E402
    PRINT_MODES,
    check_index,
    check_variable,
    check_variables,
)
from ._derivatives import Hessian, Jacobian, NetworkGradient, network_gradient  # noqa: E402
from ._integrals import Integral, IntegralTime  # noqa: E402
from ._model import Model, ModelCall  # noqa: E402
from ._operations import (  # noqa: E402
    BinaryOp,
    GetItem,
    Print,
    Reduction,
    Reshape,
    Tracker,
    UnaryOp,
    binary,
)
from ._recall import call_with_variables  # noqa: E402
from ._render import render  # noqa: E402
