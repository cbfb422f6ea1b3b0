"""`jno.fn.adaptive`: weights of losses that follow the losses during training, and schedules.

``w = jno.fn.adaptive.softadapt([l1, l2])`` gives one weight per loss, ``jno.core([w[0] * l1, w[1] * l2])`` trains with
them: once an epoch, before its steps, the rule sees the losses and sets the weights, on the device. No gradient
reaches a weight; ``w[0].tracker()`` records one. Without a list of expressions a factory makes the rule itself, which
is called with numbers: ``jno.fn.adaptive.softadapt(beta=0.2)([0.5, 2.0])``. `weights` takes a rule, also of your own.

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

import inspect
from collections.abc import Callable
from typing import Any

from jno.adaptive import DLRS as DLRS
from jno.adaptive import DLRS as dlrs
from jno.adaptive import DWA as DWA
from jno.adaptive import RLW as RLW
from jno.adaptive import Balancer as Balancer
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
    "Balancer",
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
    "weights",
]


def __dir__() -> list[str]:
    return __all__


def weights(losses: object, rule: object, *, mode: object = "raw", eps: Any = None) -> tuple[AdaptiveWeight, ...]:
    """Weights of a list of losses by a rule, which may be one of your own.

    Args:
        losses: expressions, one per loss.
        rule: a `Balancer`; one rule may serve several lists, each has a state of its own.
        mode: how the losses are scaled before the rule sees them: ``"raw"`` or ``"none"``, not at all (default);
            ``"minmax"``, to [0, 1]; ``"l2"``, to norm one.
        eps: the least loss that the rule sees (default: ``rule.least_loss``, 1e-12 of most).

    Returns:
        One expression per loss, constant for gradients; ``weights[0].tracker()`` records it.

    Raises:
        TypeError: ``losses`` is not a list of expressions, or ``rule`` is not a `Balancer`.
        ValueError: another mode, ``eps`` not positive, or the rule was made for another number of losses.

    Example:
        >>> import jax.numpy as jnp, jno
        >>> class Largest(jno.fn.adaptive.Balancer):  # all weight on the largest loss
        ...     def init(self, count):
        ...         return ()
        ...
        ...     def step(self, state, losses):
        ...         return 1.0 * (losses == jnp.max(losses)), state
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> at_zero, at_one = jno.fn.adaptive.weights([x.mse, (x - 1).mse], Largest())
        >>> at_zero
        Largest[0](mse(…), mse(…))
    """
    if not isinstance(rule, Balancer):
        raise TypeError(
            f"weights(rule={rule!r}): rule must be a Balancer, such as jno.fn.adaptive.SoftAdapt() or an instance of a "
            "class of yours that derives from jno.fn.adaptive.Balancer"
        )
    if not isinstance(losses, list | tuple) or not losses:
        raise TypeError(
            f"weights(losses={losses!r}): losses must be a list of expressions, as in [residual.mse, boundary.mse]"
        )
    for loss in losses:
        if not isinstance(loss, Placeholder):
            raise TypeError(f"{type(rule).__name__} balances expressions; got {type(loss).__name__} among the losses")
    if not isinstance(mode, str) or mode not in _MODES:
        raise ValueError(f"Unsupported adaptive loss mode {mode!r}; allowed: {', '.join(_MODES)}")
    POSITIVE.require(eps, "eps", optional=True)
    rule.checked(len(losses))
    balanced = Balanced(rule, mode, rule.least_loss if eps is None else float(eps))
    return tuple(AdaptiveWeight(tuple(losses), balanced, index) for index in range(len(losses)))


def _factory(rule: type[Balancer], name: str, *callbacks: str) -> Callable[..., Any]:
    """The factory of a rule under its public name; ``callbacks`` are lines of its example, the last one an argument."""

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
        measured = (entry for entry in arguments if not isinstance(entry, Placeholder))
        return weights(losses, rule(*measured, **options), mode=mode, eps=eps)

    options = "".join(f", {name}={parameter.default!r}" for name, parameter in _options(rule).items())
    first = ", callbacks" if rule in _MEASURED else ""
    make.__doc__ = _FACTORY.format(
        rule=rule.__name__,
        name=name,
        first=first,
        options=options,
        setup="".join(f"\n        >>> {line}" for line in callbacks[:-1]),
        argument="".join(f", {callback}" for callback in callbacks[-1:]),
    )
    return make


def _options(rule: type[Balancer]) -> dict[str, inspect.Parameter]:
    """The keywords of a rule that have a default, apart from the number of losses."""
    parameters = inspect.signature(rule).parameters
    return {
        name: parameter
        for name, parameter in parameters.items()
        if name != "num_losses" and parameter.default is not parameter.empty
    }


_FACTORY = """Weights of a list of losses by `{rule}`: `(losses{first}{options})`.

    Args:
        losses: a list of expressions. Without one the rule itself is made, which is called with numbers.
        *arguments: those of `{rule}`; expressions among them are evaluated nowhere.
        mode: see `weights`.
        eps: see `weights`.
        **options: keywords of `{rule}`.

    Returns:
        One expression per loss, constant for gradients; or the rule.

    Raises:
        TypeError: ``losses`` holds something else than expressions.
        ValueError: another mode, ``eps`` not positive, or what `{rule}` refuses.

    Example:
        >>> import jno
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior"){setup}
        >>> at_zero, at_one = jno.fn.adaptive.{name}([x.mse, (x - 1).mse]{argument})
        >>> at_one
        {rule}[1](mse(…), mse(…))
    """


relobralo = _factory(ReLoBRaLo, "relobralo")
lbpinns_loss_balancing = _factory(LbPINNsLossBalancing, "lbpinns_loss_balancing")
softadapt = _factory(SoftAdapt, "softadapt")
dwa = _factory(DWA, "dwa")
first_magnitude = _factory(FirstMagnitude, "first_magnitude")
rlw = _factory(RLW, "rlw")
gradient_norm_balanced = _factory(
    GradientNormBalanced, "gradient_norm_balanced", "norms = jno.callbacks.gradient_norms(interval=100)", "norms"
)
ntk_balanced = _factory(
    NTKBalanced,
    "ntk_balanced",
    'k = jno.np.parameter((), name="k")',
    "spectra = [jno.callbacks.ntk_spectrum((k * each).grad(k), interval=100) for each in (x, x - 1)]",
    "spectra",
)
