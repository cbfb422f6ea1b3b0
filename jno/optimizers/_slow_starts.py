"""Which optimizers are ahead only after a while, and what helps before."""

from __future__ import annotations

import jax
from jaxtyping import PyTree

from ._md import MDState
from ._soap import SoapState

SLOW_STEPS = 1000
"""Within so many steps Adam is often ahead: of three problems at one rate, SOAP was behind on two after 200 steps, on
one after 500, and a thousand times below on two after 2,000."""

_REMEDIES: dict[type, tuple[str, str]] = {
    SoapState: (
        "soap",
        "its moments and bases pay in longer runs. Take about three times the learning rate, or "
        "soap(b1=0.9, b2=0.999), or train for thousands of steps",
    ),
    MDState: (
        "md",
        "the magnitudes of the rows move at gain_lr alone. Take a gain_lr as large as the learning rate of the base, "
        "or train for thousands of steps",
    ),
}


def slow_start(state: PyTree) -> tuple[str, str] | None:
    """Name and remedy of an optimizer that starts slowly, by its state; ``None`` for others.

    Args:
        state: of an optax transform, which may be one of a chain.
    """
    kinds = tuple(_REMEDIES)
    parts = jax.tree_util.tree_leaves(state, is_leaf=lambda part: isinstance(part, kinds))
    return next((_REMEDIES[type(part)] for part in parts if isinstance(part, kinds)), None)
