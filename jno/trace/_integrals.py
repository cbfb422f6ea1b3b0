"""Integral nodes."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from ._leaves import Variable
from ._placeholder import Placeholder


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Integral(Placeholder):
    """Integral of ``target`` over the mesh region of its variables.

    With ``integration_var`` (the outer variable) the result is ``(N, 1)``, one integral over the inner variables for
    each outer point; otherwise it is one number per sample.

    Example:
        >>> import jno
        >>> x, y, _ = jno.domain.rect(mesh_size=0.25).variable("interior")
        >>> integral = (x + y).integrate()
        >>> type(integral).__name__
        'Integral'
        >>> round(float(jno.core([x.mse]).eval(integral).squeeze()), 6)
        1.0
    """

    child_fields: ClassVar[tuple[str, ...]] = ("target", "integration_var")
    binds: ClassVar[bool] = True
    target: Placeholder
    integration_var: Variable | None = None

    def follows_from_data(self) -> bool:
        return True


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class IntegralTime(Placeholder):
    """Trapezoidal integral of ``target`` over the current time window.

    Where ``target`` also depends on the time of another request, it is integrated over ``time_var`` alone, at every
    value of the other time.

    Example:
        >>> import jno
        >>> domain = jno.domain.line(mesh_size=0.5, time=(0.0, 2.0, 5))
        >>> x, t = domain.variable("interior")
        >>> integral = t.integrate(t)
        >>> type(integral).__name__
        'IntegralTime'
    """

    child_fields: ClassVar[tuple[str, ...]] = ("target", "time_var")
    binds: ClassVar[bool] = True
    target: Placeholder
    time_var: Variable
