"""Derivative nodes."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ._model import Model, ModelCall
from ._placeholder import Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Derivative(Placeholder):
    """Derivatives of ``target`` with respect to coordinates or time."""

    child_fields: ClassVar[tuple[str, ...]] = ("target", "variables")
    target: Placeholder
    variables: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Jacobian(Derivative):
    """First derivatives of ``target``: shape of the target for one variable, one more axis for several."""

    scheme: str = "automatic_differentiation"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hessian(Derivative):
    """Second derivatives of ``target``: their sum over the variables (``trace``) or the whole matrix."""

    scheme: str = "automatic_differentiation"
    trace: bool = False


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DerivativeSum(Derivative):
    """A sum of derivatives of one target with constant coefficients, of the target's shape.

    The compiler makes it of sums such as ``u.d(t) - 0.1 * u.d2(x)``.
    """

    terms: tuple[tuple[float, tuple[int, ...]], ...]
    """Coefficients with the positions in ``variables`` that are differentiated by, one after the other."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NetworkGradient(Placeholder):
    """Jacobian of ``target`` with respect to the (masked) inexact parameters of ``model``, flattened."""

    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder
    model: Model
    mask: Any = None


def network_gradient(target: Placeholder, model: Model | ModelCall) -> NetworkGradient:
    """`NetworkGradient` that takes the mask scope of ``model`` with it, if one is open."""
    handle = model.model if isinstance(model, ModelCall) else model
    return NetworkGradient(target, handle, handle.take_mask())
