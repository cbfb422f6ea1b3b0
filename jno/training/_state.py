"""What an epoch changes."""

from __future__ import annotations

import dataclasses

import jax
from jaxtyping import PyTree

from ._types import Carried, Leaves


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything an epoch changes: trained leaves by model, optimizer states by phase and group, chains by phase and
    parameter block, states of balancers, the random key and the number of the epoch."""

    parameters: Leaves
    optimizers: list[list[PyTree]]
    chains: list[list[PyTree]]
    balancers: list[PyTree]
    key: Carried
    epoch: Carried
