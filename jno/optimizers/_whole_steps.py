"""Which optimizers take each step to the bottom of the loss they see."""

from __future__ import annotations

import jax
import optax
from jaxtyping import PyTree

from ._engd import ENGDState
from ._quasi_newton import QuasiNewtonState

_KINDS = (ENGDState, QuasiNewtonState, optax.ScaleByLBFGSState)


def minimises_every_step(state: PyTree) -> bool:
    """Whether a state is that of a method that solves for the minimum of the loss of the step, or searches it."""
    parts = jax.tree_util.tree_leaves(state, is_leaf=lambda part: isinstance(part, _KINDS))
    return any(isinstance(part, _KINDS) for part in parts)
