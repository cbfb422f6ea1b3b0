"""Draws, diagnostics and complaints of Markov chains whose training has ended."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Int, PyTree

from ._chains import ChainState
from ._parameter_block import PosteriorReport

_STUCK = 0.95
"""Share of draws equal to the one before from which on a chain counts as stuck."""


def chain_report(name: str, state: ChainState, keep: int, transitions: int) -> PosteriorReport:
    """The report of chains.

    Args:
        name: of the parameter block.
        state: at the end of training.
        keep: length of the ring of draws.
        transitions: number of transitions of all chains after the warm-up.
    """
    order = _newest(state, keep)
    # on the host: the number of draws changes from call to call, and each would be compiled
    rings, facts_rings = jax.device_get((state.draws, state.facts))
    draws = jax.tree_util.tree_map(lambda ring: ring[:, order], rings)
    facts = {fact: ring[:, order] for fact, ring in facts_rings.items()}
    return PosteriorReport(
        draws,
        facts,
        _summary(state, facts, transitions, len(order)),
        tuple(_complaints(name, state, draws, transitions)),
    )


def _newest(state: ChainState, keep: int) -> Int[np.ndarray, " draws"]:
    """Places in the ring of the draws that are there, oldest first."""
    count = int(state.kept)
    return np.arange(max(0, count - keep), count) % keep


def _summary(state: ChainState, facts: dict[str, np.ndarray], transitions: int, draws: int) -> str:
    """Number of draws, divergent transitions after the warm-up and the mean acceptance of the draws, if known."""
    parts = [f"{len(state.divergent)} chain(s) of {draws} draws"]
    if "is_divergent" in facts:
        divergent = int(state.divergent.sum())
        parts.append(f"{divergent} of {transitions} transitions divergent ({divergent / max(1, transitions):.1%})")
    if "acceptance_rate" in facts and draws:
        parts.append(f"mean acceptance rate {np.mean(facts['acceptance_rate']):.2f}")
    return ", ".join(parts)


def _complaints(name: str, state: ChainState, draws: PyTree, transitions: int) -> list[str]:
    divergent, broken = int(state.divergent.sum()), int(state.broken.sum())
    stuck = _stuck(draws)
    complaints = []
    if divergent:
        complaints.append(
            f"{name}: {divergent} of {transitions} transitions diverged: raise target_acceptance_rate (0.95), "
            "lower step_size, or rescale the parameters"
        )
    if broken:
        complaints.append(
            f"{name}: {broken} of {transitions} transitions met a log density that is not a number: lower "
            "step_size, or keep parameters where the loss is defined with constrain()"
        )
    if stuck:
        complaints.append(
            f"{name}: chain(s) {', '.join(map(str, stuck))} of {len(state.divergent)} hardly moved: lower step_size, "
            "use a longer warmup, or start elsewhere (init_jitter, initialize)"
        )
    return complaints


def _stuck(draws: PyTree) -> list[int]:
    """Chains most of whose draws equal the one before."""
    leaves = [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(draws)]
    chains, count = leaves[0].shape[:2]
    if count < 2:
        return []
    same = np.ones((chains, count - 1), dtype=bool)
    for leaf in leaves:
        flat = leaf.reshape(*leaf.shape[:2], -1)
        same &= (flat[:, 1:] == flat[:, :-1]).all(axis=-1)
    return [number for number, share in enumerate(same.mean(axis=1)) if share >= _STUCK]
