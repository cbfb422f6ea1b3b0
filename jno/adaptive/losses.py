"""`jno.fn.adaptive`: weights of losses that follow the losses during training, and schedules.

``w = jno.fn.adaptive.softadapt([l1, l2])`` gives one weight per loss, ``jno.core([w[0] * l1, w[1] * l2])`` trains with
them: once an epoch, before its steps, the rule sees the losses and sets the weights, on the device. No gradient
reaches a weight; ``w[0].tracker()`` records one. Without a list of expressions a factory makes the rule itself, which
is called with numbers: ``jno.fn.adaptive.softadapt(beta=0.2)([0.5, 2.0])``.

Expressions after the list are its context: they are evaluated nowhere, for the rules see the losses and nothing else.
Other positional arguments are those of the rule, such as the callback of ``gradient_norm_balanced(losses, norms)``.

Keywords of every factory besides those of its rule: ``mode``, how the losses are scaled before the rule sees them
(``"raw"`` or ``"none"``: not at all; ``"minmax"``: to [0, 1]; ``"l2"``: to norm one), and ``eps``, the least loss it
sees (1e-12, of ``first_magnitude`` 1e-30).

Example:
    >>> import jno
    >>> domain = jno.domain.line(mesh_size=0.5)
    >>> x, _ = domain.variable("interior")
    >>> at_zero, at_one = jno.fn.adaptive.softadapt([x.mse, (x - 1).mse])
    >>> at_zero
    SoftAdapt[0](mse(…), mse(…))
    >>> jno.fn.adaptive.dwa(temperature=1.0)([0.5, 2.0])
    (1.0, 1.0)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jno.adaptive import DLRS as DLRS
from jno.adaptive import DLRS as dlrs
from jno.adaptive import DWA as DWA
from jno.adaptive import RLW as RLW
from jno.adaptive import Balancer
from jno.adaptive import FirstMagnitude as FirstMagnitude
from jno.adaptive import GradientNormBalanced as GradientNormBalanced
from jno.adaptive import LbPINNsLossBalancing as LbPINNsLossBalancing
from jno.adaptive import LearningRateSchedule as LearningRateSchedule
from jno.adaptive import NTKBalanced as NTKBalanced
from jno.adaptive import ReLoBRaLo as ReLoBRaLo
from jno.adaptive import SoftAdapt as SoftAdapt
from jno.adaptive import WeightSchedule as WeightSchedule
from jno.trace import AdaptiveWeight, Balanced, Placeholder
from jno.utils import POSITIVE

_MEASURED = (GradientNormBalanced, NTKBalanced)
"""Rules whose first argument is a callback, or several."""
_MODES = ("raw", "none", "minmax", "l2")

__all__ = [
    "DLRS",
    "DWA",
    "RLW",
    "FirstMagnitude",
    "GradientNormBalanced",
    "LbPINNsLossBalancing",
    "LearningRateSchedule",
    "NTKBalanced",
    "ReLoBRaLo",
    "SoftAdapt",
    "WeightSchedule",
    "dlrs",
    "dwa",
    "first_magnitude",
    "gradient_norm_balanced",
    "lbpinns_loss_balancing",
    "ntk_balanced",
    "relobralo",
    "rlw",
    "softadapt",
]


def __dir__() -> list[str]:
    return __all__


def _factory(rule: type[Balancer]) -> Callable[..., Any]:
    def make(
        losses: object = None, *arguments: Any, mode: str = "raw", eps: float | None = None, **options: Any
    ) -> Any:
        if not (isinstance(losses, list | tuple) and any(isinstance(loss, Placeholder) for loss in losses)):
            if losses is not None and not isinstance(losses, int) and rule not in _MEASURED:
                raise TypeError(
                    f"{rule.__name__}(losses={losses!r}): losses must be a list of expressions, as in "
                    "[residual.mse, boundary.mse]"
                )
            return rule(*(() if losses is None else (losses,)), *arguments, **options)
        for loss in losses:
            if not isinstance(loss, Placeholder):
                raise TypeError(f"{rule.__name__} balances expressions; got {type(loss).__name__} among the losses")
        if not isinstance(mode, str) or mode not in _MODES:
            raise ValueError(f"Unsupported adaptive loss mode {mode!r}; allowed: {', '.join(_MODES)}")
        POSITIVE.require(eps, "eps", optional=True)
        balancer = rule(*(entry for entry in arguments if not isinstance(entry, Placeholder)), **options)
        balancer.checked(len(losses))
        balanced = Balanced(balancer, mode, rule.least_loss if eps is None else eps)
        return tuple(AdaptiveWeight(tuple(losses), balanced, index) for index in range(len(losses)))

    make.__doc__ = f"Weights of a list of losses by `{rule.__name__}`, or the rule itself; see the module."
    return make


relobralo = _factory(ReLoBRaLo)
lbpinns_loss_balancing = _factory(LbPINNsLossBalancing)
softadapt = _factory(SoftAdapt)
dwa = _factory(DWA)
first_magnitude = _factory(FirstMagnitude)
rlw = _factory(RLW)
gradient_norm_balanced = _factory(GradientNormBalanced)
ntk_balanced = _factory(NTKBalanced)
