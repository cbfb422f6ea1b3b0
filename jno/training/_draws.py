"""What sampling leaves behind: draws and diagnostics on the models, and a report of what went wrong."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jno.architectures import shown
from jno.trace import Model
from jno.utils import get_logger

from ._chains import Block, ChainState, MarkovBlock, VariationalBlock, joined
from ._phases import Phase
from ._state import TrainState

_DRAW_STREAM = 0xD4A3
"""Random stream of the draws from approximations."""

_STUCK = 0.95
"""Share of kept draws equal to the one before from which on a chain counts as stuck."""


class SamplingWarning(RuntimeWarning):
    """Chains whose draws may not represent the posterior."""


def write_posteriors(phases: Sequence[Phase], state: TrainState, models: Sequence[Model]) -> None:
    """Put draws and diagnostics on the models, say a line about each, and warn of what went wrong.

    That is divergences, stuck chains and densities that are not finite.
    """
    pairs = [pair for p, own in zip(phases, state.chains, strict=True) for pair in zip(p.blocks, own, strict=True)]
    chains = max((block.chains for block, _ in pairs), default=1)
    draws: dict[int, Any] = {}
    complaints = []
    for number, (block, own) in enumerate(pairs):
        if isinstance(block, MarkovBlock):
            order = newest(own, block.plan.keep)
            # on the host: the number of draws changes from call to call, and each would be compiled
            draws_of, facts_of = jax.device_get((own.draws, own.facts))
            found = jax.tree_util.tree_map(lambda ring, order=order: ring[:, order], draws_of)
            complaints += _complaints(block, own, found, order)
            facts = {name: ring[:, order] for name, ring in facts_of.items()}
            line = _diagnosed(block, own, facts, len(order))
        else:
            assert isinstance(block, VariationalBlock)
            found, facts = _approximate(block, own, chains, jax.random.fold_in(state.key, _DRAW_STREAM + number)), {}
            line = f"{chains * block.draws} draws of a Gaussian approximation"
        names = [model.model_key for model in models if model.layer_id in block.selected]
        for name in names:
            get_logger().info(f"{name}: {line}")
        draws = joined(draws, found)
        for model in models:
            if model.layer_id in block.selected:
                model.posterior_diagnostics = facts or None
    for model in models:
        if model.layer_id in draws:
            model.posterior_samples = shown(draws[model.layer_id])
    if complaints:
        message = "; ".join(complaints)
        get_logger().warning(message)
        warnings.warn(message, SamplingWarning, stacklevel=5)


def newest(state: ChainState, keep: int) -> np.ndarray:
    """Places in the ring of the draws that are there, oldest first."""
    kept = int(state.kept)
    return np.arange(max(0, kept - keep), kept) % keep


def _diagnosed(block: MarkovBlock, own: ChainState, facts: dict[str, Any], draws: int) -> str:
    """Number of draws, divergent transitions after the warm-up and the mean acceptance of the draws, if known."""
    parts = [f"{block.chains} chain(s) of {draws} draws"]
    if "is_divergent" in facts:
        count, divergent = _transitions(block, own), int(own.divergent.sum())
        parts.append(f"{divergent} of {count} transitions divergent ({divergent / max(1, count):.1%})")
    if "acceptance_rate" in facts and draws:
        parts.append(f"mean acceptance rate {np.mean(facts['acceptance_rate']):.2f}")
    return ", ".join(parts)


def _transitions(block: MarkovBlock, own: ChainState) -> int:
    """Number of transitions of all chains after the warm-up."""
    return max(0, int(own.transitions) - block.plan.discard) * block.chains


def _approximate(block: VariationalBlock, own: Any, chains: int, key: Any) -> Any:
    found = jax.device_get(block.drawn(key, own, chains * block.draws))
    return jax.tree_util.tree_map(lambda leaf: leaf.reshape(chains, block.draws, *leaf.shape[1:]), found)


def _complaints(block: Block, own: ChainState, draws: Any, order: np.ndarray) -> list[str]:
    assert isinstance(block, MarkovBlock)
    transitions = _transitions(block, own)
    divergent, broken = int(own.divergent.sum()), int(own.broken.sum())
    stuck = _stuck(draws) if len(order) > 1 else []
    found = []
    if divergent:
        found.append(
            f"{block.name}: {divergent} of {transitions} transitions diverged: raise target_acceptance_rate (0.95), "
            "lower step_size, or rescale the parameters"
        )
    if broken:
        found.append(
            f"{block.name}: {broken} of {transitions} transitions met a log density that is not a number: lower "
            "step_size, or keep parameters where the loss is defined with constrain()"
        )
    if stuck:
        found.append(
            f"{block.name}: chain(s) {', '.join(map(str, stuck))} of {block.chains} hardly moved: lower step_size, "
            "use a longer warmup, or start elsewhere (init_jitter, initialize)"
        )
    return found


def _stuck(draws: Any) -> list[int]:
    """Chains most of whose draws equal the one before."""
    leaves = [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(draws)]
    same = np.ones((leaves[0].shape[0], leaves[0].shape[1] - 1), dtype=bool)
    for leaf in leaves:
        flat = leaf.reshape(*leaf.shape[:2], -1)
        same &= (flat[:, 1:] == flat[:, :-1]).all(axis=-1)
    return [number for number, share in enumerate(same.mean(axis=1)) if share >= _STUCK]
