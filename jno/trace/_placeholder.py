"""`Placeholder`: the base of every expression; its operators build nodes and never evaluate."""

from __future__ import annotations

import dataclasses
from typing import Any, NoReturn

from jno.utils import require_int

from ._logic import Logic
from ._node import Node
from ._render import render
from ._services import Service

AUTOMATIC = "automatic_differentiation"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Placeholder(Logic, Node):
    """A symbolic expression.

    Arithmetic, indexing, reductions and derivatives of placeholders build a graph; values appear only when
    ``jno.core`` compiles it.  An expression stands for an array of conceptual shape ``(B, T, N, D)`` (batch of
    samples, time levels, points, components); indices and axes given to its methods refer to ``(N, D)``.

    Comparisons are element-wise and combined with ``&``, ``|`` and ``~``; only ``==`` and ``!=`` between two
    expressions compare identity, for which there are `equal` and `not_equal`.  An expression has no truth
    value.

    Example:
        >>> import jno
        >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> u = jno.np.sin(x) * y
        >>> residual = u.laplacian(x, y) + u  # the Laplacian of this u is -u
        >>> residual.eval().shape, abs(residual.eval()).max().item() < 1e-6
        ((1, 9, 1), True)
    """

    # --- arithmetic -------------------------------------------------------------------------------------------
    def __add__(self, right: object) -> Placeholder:
        return build_binary("+", self, right)

    def __radd__(self, left: object) -> Placeholder:
        return build_binary("+", left, self)

    def __sub__(self, right: object) -> Placeholder:
        return build_binary("-", self, right)

    def __rsub__(self, left: object) -> Placeholder:
        return build_binary("-", left, self)

    def __mul__(self, right: object) -> Placeholder:
        return build_binary("*", self, right)

    def __rmul__(self, left: object) -> Placeholder:
        return build_binary("*", left, self)

    def __truediv__(self, right: object) -> Placeholder:
        return build_binary("/", self, right)

    def __rtruediv__(self, left: object) -> Placeholder:
        return build_binary("/", left, self)

    def __pow__(self, right: object) -> Placeholder:
        return build_binary("**", self, right)

    def __rpow__(self, left: object) -> Placeholder:
        return build_binary("**", left, self)

    def __matmul__(self, right: object) -> Placeholder:
        return build_binary("@", self, right)

    def __rmatmul__(self, left: object) -> Placeholder:
        return build_binary("@", left, self)

    def __neg__(self) -> Placeholder:
        return build_unary("negate", self)

    def __pos__(self) -> Placeholder:
        return self

    def __abs__(self) -> Placeholder:
        return build_unary("abs", self)

    # --- structure --------------------------------------------------------------------------------------------
    def __getitem__(self, index: object) -> Placeholder:
        return build_component(self, index)

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "an expression cannot be iterated or unpacked: its length is known only after compilation; "
            "index the components instead, e.g. u[..., 0], u[..., 1]"
        )

    def __call__(self, *new_variables: object) -> Placeholder:
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
        return build_call(self, new_variables)

    def reshape(self, *shape: Any) -> Placeholder:
        """Reshape of the per-sample array (``(N, D)`` for point expressions)."""
        sizes: tuple[Any, ...] = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return build_reshape(self, sizes)

    @property
    def T(self) -> Placeholder:
        """Transpose of the per-sample array."""
        return build_unary("transpose", self)

    @property
    def real(self) -> Placeholder:
        """Real part."""
        return build_unary("real", self)

    @property
    def imag(self) -> Placeholder:
        """Imaginary part."""
        return build_unary("imag", self)

    @property
    def stop_gradient(self) -> Placeholder:
        """The same value with zero derivative with respect to parameters and coordinates."""
        return build_unary("stop_gradient", self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Per-sample shape of the value, inferred without computing it."""
        return shape_of(self)

    # --- reductions over all per-sample entries ---------------------------------------------------------------
    @property
    def mean(self) -> Placeholder:
        """Mean over all per-sample entries."""
        return build_reduction("mean", self)

    @property
    def sum(self) -> Placeholder:
        """Sum over all per-sample entries."""
        return build_reduction("sum", self)

    @property
    def min(self) -> Placeholder:
        """Minimum over all per-sample entries."""
        return build_reduction("min", self)

    @property
    def max(self) -> Placeholder:
        """Maximum over all per-sample entries."""
        return build_reduction("max", self)

    @property
    def std(self) -> Placeholder:
        """Standard deviation (divisor: number of entries) over all per-sample entries."""
        return build_reduction("std", self)

    @property
    def mse(self) -> Placeholder:
        """Mean of squares (of absolute squares for complex values)."""
        return build_reduction("mse", self)

    @property
    def mae(self) -> Placeholder:
        """Mean of absolute values."""
        return build_reduction("mae", self)

    # --- differential and integral operators ------------------------------------------------------------------
    def d(self, variable: object, scheme: str = AUTOMATIC) -> Placeholder:
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

        Example:
            >>> import jno
            >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
            >>> (x**3).d(x).eval().ravel().tolist()
            [0.0, 0.75, 3.0]
        """
        return build_jacobian(self, (variable,), scheme, "d")

    def diff(self, variable: object, scheme: str = AUTOMATIC) -> Placeholder:
        """Same as `d`."""
        return self.d(variable, scheme)

    def d2(self, variable: object, scheme: str = AUTOMATIC) -> Placeholder:
        r"""Second derivative :math:`\partial^2 u/\partial v^2`, component-wise.

        Args:
            variable: one `Variable`.
            scheme: as in `d`.

        Returns:
            Node of the shape of ``self``.

        Example:
            >>> import jno
            >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
            >>> (x**3).d2(x).eval().ravel().tolist()
            [0.0, 3.0, 6.0]
        """
        return build_hessian(self, (variable,), scheme, "d2", trace=True)

    def dd(self, variable: object, scheme: str = AUTOMATIC) -> Placeholder:
        """Same as `d2`."""
        return self.d2(variable, scheme)

    def laplacian(self, *variables: object, scheme: str = AUTOMATIC) -> Placeholder:
        r"""Laplacian :math:`\sum_v \partial^2 u/\partial v^2` over the given variables, component-wise.

        Args:
            *variables: at least one `Variable`; those that are left out do not count, such as time.
            scheme: as in `d`.

        Returns:
            Node of the shape of ``self``.

        Example:
            >>> import jno
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> (x**2 + 3 * y**2).laplacian(x, y).eval()[0, 0].tolist()
            [8.0]
        """
        return build_hessian(self, variables, scheme, "laplacian", trace=True)

    def hessian(self, *variables: object, scheme: str = AUTOMATIC) -> Placeholder:
        """Matrix of second derivatives: ``(N, k, k)`` for a scalar, ``(N, D, k, k)`` for a ``D``-vector.

        Args:
            *variables: the ``k`` variables.
            scheme: as in `d`.

        Example:
            >>> import jno
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> (x**2 + 3 * x * y).hessian(x, y).eval()[0, 0].tolist()
            [[2.0, 3.0], [3.0, 0.0]]
        """
        return build_hessian(self, variables, scheme, "hessian", trace=False)

    def grad(self, *arguments: object, scheme: str = AUTOMATIC) -> Placeholder:
        """Gradient with respect to variables, ``(N, k)`` (``(N, D, k)`` for a vector), or to a network's parameters.

        ``u.grad(x, y)`` stacks first derivatives; ``u.grad(net)`` (or ``u.grad(net.mask(M))``) is the Jacobian
        with respect to the flattened (selected) parameters, ``(N, P)`` or ``(N, D, P)``.

        Raises:
            TypeError: no argument, or a mixture of networks and variables.

        Example:
            >>> import jno
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> (2 * x - y).grad(x, y).eval()[0, 0].tolist()
            [2.0, -1.0]
        """
        return build_gradient(self, arguments, scheme)

    def integrate(self, var: object = None) -> Placeholder:
        """Integral over the region of the expression's variables, or over the time window for a temporal ``var``.

        With a spatial ``var`` (the *outer* variable) the integral runs over the other variables and gives one
        value per outer point, ``(N, 1)`` (Fredholm kernels).  With a temporal ``var`` it runs over that time, by the
        trapezoidal rule on the time levels of the window; the time of another ``domain.variable(...)`` call stays what
        it is, so that ``where(s < t, k * u(x, s), 0).integrate(s)`` is a Volterra integral (of second order in the
        step; it needs ``min_consecutive=None``).

        Example:
            >>> import jno
            >>> x, _ = jno.domain.line((0, 3), mesh_size=0.1).variable("interior")
            >>> round(x.integrate().eval().item(), 5)
            4.5
        """
        return build_integral(self, var)

    def bind(self, **names: object) -> Any:
        """The same expression with named coordinates: ``u.bind(x=x, y=y).xy`` is a mixed derivative.

        Args:
            **names: variables by name. Single letters are concatenated, ``.xxy``, up to four; longer names are joined
                by underscores, ``.time_time``.

        Returns:
            a `Bound` expression: ``.x``, ``.xy`` … are derivatives, ``[i]`` is component ``i``, and ``grad``, ``div``,
            ``curl``, ``laplacian``, ``hessian`` take the bound coordinates of space by default.

        Raises:
            TypeError: no names, or something that is not a variable.
            ValueError: a name that expressions use otherwise, or one that is bound to another variable already.

        Example:
            >>> import jno
            >>> domain = jno.domain.rect(mesh_size=0.5)
            >>> x, y, _ = domain.variable("interior")
            >>> u = (x**2 * y).bind(x=x, y=y)
            >>> u.xy.eval()[0, -1, 0].item()
            2.0
        """
        return build_bound(self, names)

    def partials(self, **names: object) -> Any:
        """Same as `bind`."""
        return self.bind(**names)

    # --- annotations ------------------------------------------------------------------------------------------
    def name(self, label: str) -> Placeholder:
        """Set the label shown in progress lines, plots and trees; returns ``self``."""
        if not isinstance(label, str):
            raise TypeError(f"name() takes a string for its label, got {type(label).__name__}")
        self.metadata.label = label
        return self

    def print(self, what: object = "shape", label: Any = None) -> Placeholder:
        """The same value; each evaluation also prints its ``"shape"``, ``"stats"``, ``"value"``, ``"all"``, or what
        a callable makes of it.

        Raises:
            ValueError: unknown mode.
        """
        return build_print(self, what, label if label is not None else self.metadata.label)

    def tracker(self, interval: int = 1, reduce: object = None) -> Placeholder:
        """Record this expression during training without training on it.

        Args:
            interval: epochs between two records, at least 1.
            reduce: optional callable applied to the recorded array.
        """
        require_int(interval, "tracker(interval)", minimum=1, subject="the interval")
        if reduce is not None and not callable(reduce):
            raise TypeError(f"tracker(reduce={reduce!r}): reduce must be callable")
        tracker = build_tracker(self, interval, reduce)
        tracker.metadata.label = self.metadata.label
        return tracker

    def eval(self, domain: object = None) -> Any:
        """Value of an expression that needs no training, through a temporary ``core``.

        Returns:
            array as ``core.eval`` gives it.

        Raises:
            ValueError: the expression contains a trainable parameter.
        """
        return value_of(self, domain)

    def latex(self, *, expand: object = False, width: object = 90) -> str:
        r"""LaTeX of the expression, as it stands on paper.

        Networks have the subscript :math:`\theta`, derivatives of derivatives are gathered, parts that were given a
        name stand for themselves.  Components are counted from 1, the small constants that losses add to a divisor are
        left out.  A name of the expression itself is not written.

        Args:
            expand: write parts out that have a name (default False).
            width: about how many signs a line may have (90); longer sums are broken into the lines of an ``aligned``,
                and a mean or an integral of one is written with ``r`` for what it is taken of.  ``None``: one line.

        Returns:
            LaTeX without dollar signs, for ``amsmath``.

        Raises:
            ValueError: the expression stands for more than 3000 operations.
            TypeError: ``expand`` is not a flag.

        Example:
            >>> import jno
            >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
            >>> u = (x * (1 - x) * jno.np.sin(jno.np.pi * y)).name("u")
            >>> print((u.laplacian(x, y) + 2 * u).latex())
            \Delta u + 2 u
        """
        return latex_of(self, expand, width)

    def _repr_latex_(self) -> str | None:
        """What notebooks show; nothing where the formula would be endless."""
        try:
            return rf"$\displaystyle {latex_of(self, False, 90)}$"
        except ValueError:
            return None

    def __repr__(self) -> str:
        return render(self)

    def _binary(self, operator: str, left: object, right: object) -> Placeholder:
        return build_binary(operator, left, right)

    def _invert(self) -> Placeholder:
        return build_unary("~", self)


# What the operators build, and what needs the modules above.  The node classes are placeholders, so their modules
# import this one and register what they build.
build_binary: Service[[str, object, object], Placeholder] = Service("binary operations", "jno.trace")
build_unary: Service[[str, Placeholder], Placeholder] = Service("unary operations", "jno.trace")
build_reduction: Service[[str, Placeholder], Placeholder] = Service("reductions", "jno.trace")
build_component: Service[[Placeholder, object], Placeholder] = Service("components of expressions", "jno.trace")
build_reshape: Service[[Placeholder, tuple[int, ...]], Placeholder] = Service("reshaped expressions", "jno.trace")
build_call: Service[[Placeholder, tuple[object, ...]], Placeholder] = Service("expressions elsewhere", "jno.trace")
build_jacobian: Service[[Placeholder, tuple[object, ...], str, str], Placeholder] = Service("derivatives", "jno.trace")
build_hessian: Service[..., Placeholder] = Service("second derivatives", "jno.trace")
build_gradient: Service[[Placeholder, tuple[object, ...], str], Placeholder] = Service("gradients", "jno.trace")
build_integral: Service[[Placeholder, object], Placeholder] = Service("integrals", "jno.trace")
build_bound: Service[[Placeholder, dict[str, object]], Placeholder] = Service("named coordinates", "jno.trace")
build_print: Service[[Placeholder, object, str | None], Placeholder] = Service("printed expressions", "jno.trace")
build_tracker: Service[[Placeholder, int, object], Placeholder] = Service("trackers", "jno.trace")
latex_of: Service[[Placeholder, object, object], str] = Service("the LaTeX of an expression", "jno.trace")
shape_of: Service[[Placeholder], tuple[int, ...]] = Service("the shape of an expression", "jno.core")
value_of: Service[[Placeholder, object], Any] = Service("the value of an expression", "jno.core")
