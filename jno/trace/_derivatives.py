"""Derivative nodes."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ._model import Model, ModelCall
from ._placeholder import Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Jacobian(Placeholder):
    """First derivatives of ``target``: shape of the target for one variable, one more axis for several."""

    child_fields: ClassVar[tuple[str, ...]] = ("target", "variables")
    target: Placeholder
    variables: tuple[Any, ...]
    scheme: str = "automatic_differentiation"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Hessian(Placeholder):
    """Second derivatives of ``target``: their sum over the variables (``trace``) or the whole matrix."""

    child_fields: ClassVar[tuple[str, ...]] = ("target", "variables")
    target: Placeholder
    variables: tuple[Any, ...]
    scheme: str = "automatic_differentiation"
    trace: bool = False


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
