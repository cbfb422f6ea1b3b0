"""Derivative nodes."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ._leaves import Variable
from ._model import Model
from ._model_call import ModelCall
from ._node import Pointwise
from ._placeholder import Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Derivative(Placeholder):
    """Derivatives of ``target`` with respect to coordinates or time."""

    child_fields: ClassVar[tuple[str, ...]] = ("target", "variables")
    binds: ClassVar[bool] = True
    target: Placeholder
    variables: tuple[Variable, ...]

    @property
    def is_finite_difference(self) -> bool:
        """Whether stencils or differences compute it, not automatic differentiation."""
        return False

    @property
    def uses_stencil(self) -> bool:
        """Whether it needs the values of ``target`` at the nodes of a mesh (finite differences in space)."""
        return self.is_finite_difference and any(variable.axis == "spatial" for variable in self.variables)

    def pointwise(self) -> Pointwise:
        """Automatic differentiation is point-wise, a stencil reads the values at neighbouring nodes."""
        return Pointwise.PER_SAMPLE if self.is_finite_difference else Pointwise.YES

    def follows_from_data(self) -> bool:
        return True


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Jacobian(Derivative):
    """First derivatives of ``target``: shape of the target for one variable, one more axis for several.

    What `Placeholder.d` and `jno.np.grad` return.

    Args:
        target: the expression.
        variables: tuple of variables.
        scheme: see *Scheme strings*. Default automatic differentiation.

    Example:
        >>> import jno
        >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> derivative = (x * y).d(x)
        >>> isinstance(derivative, jno.Jacobian), derivative.variables == (x,)
        (True, True)
    """

    scheme: str = "automatic_differentiation"

    @property
    def is_finite_difference(self) -> bool:
        return is_finite_difference(self.scheme)

    def describe(self) -> str:
        return "grad" if len(self.variables) > 1 else "d"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hessian(Derivative):
    """Second derivatives of ``target``: their sum over the variables (``trace``) or the whole matrix.

    What `Placeholder.laplacian`, `Placeholder.d2` and `Placeholder.hessian` return.

    Args:
        target: the expression.
        variables: tuple of variables.
        scheme: see *Scheme strings*. Default automatic differentiation.
        trace: whether it is the sum. Default False.

    Example:
        >>> import jno
        >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> (x * y).laplacian(x, y).trace, (x * y).hessian(x, y).trace
        (True, False)
    """

    scheme: str = "automatic_differentiation"
    trace: bool = False

    @property
    def is_finite_difference(self) -> bool:
        return is_finite_difference(self.scheme)

    def describe(self) -> str:
        return "laplacian" if self.trace else "hessian"


def is_finite_difference(scheme: str) -> bool:
    """Whether a scheme string selects finite differences instead of automatic differentiation."""
    return scheme.startswith("finite_difference")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DerivativeSum(Derivative):
    """A sum of derivatives of one target with constant coefficients, of the target's shape.

    The compiler makes it of sums such as ``u.d(t) - 0.1 * u.d2(x)``.
    """

    terms: tuple[tuple[float, tuple[int, ...]], ...]
    """Coefficients with the positions in ``variables`` that are differentiated by, one after the other."""

    def describe(self) -> str:
        return "derivatives"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NetworkGradient(Placeholder):
    """Jacobian of ``target`` with respect to the (masked) inexact parameters of ``model``, flattened.

    What `Placeholder.grad` of a network returns.

    Args:
        target: the expression.
        model: the network.
        mask: which parameters. Default all.

    Example:
        >>> import jno
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> k = jno.np.parameter((2,))
        >>> u = k[0] * x + k[1]
        >>> jno.core([u.mse]).eval(u.grad(k))[0].tolist()
        [[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]]
    """

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    binds: ClassVar[bool] = True
    target: Placeholder
    model: Model
    mask: Any = None

    def describe(self) -> str:
        return f"grad[{self.model.model_key}]"


def network_gradient(target: Placeholder, model: Model | ModelCall) -> NetworkGradient:
    """`NetworkGradient` that takes the mask scope of ``model`` with it, if one is open."""
    handle = model.model if isinstance(model, ModelCall) else model
    return NetworkGradient(target, handle, handle.take_mask())
