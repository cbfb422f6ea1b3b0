"""What an epoch changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything an epoch changes: trained leaves by model, optimizer states by phase and group, chains by phase and
    block, states of balancers, the random key and the epoch."""

    parameters: dict[int, Any]
    optimizers: list[list[Any]]
    chains: list[list[Any]]
    balancers: list[Any]
    key: Any
    epoch: Any
