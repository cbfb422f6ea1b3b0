"""A few steps with shorter and with longer updates, from a copy of the state."""

from __future__ import annotations

import numpy as np

from ._examination import Examination
from ._record import Finding

_SHORTER, _LONGER = (0.01, 0.1), (10.0, 100.0, 10000.0)
_EPOCHS = 20
_LAST = 5
"""Epochs at the end whose median counts, since single losses are those of a batch."""

_BETTER = 0.5
"""Ratio of two losses after the probe that makes one clearly better."""

_STILL, _PROGRESS = 0.999, 0.98
"""Of the loss at the beginning: left by a rate that does nothing, and by one that does something."""


def unsuitable_rate(examination: Examination) -> list[Finding]:
    """Whether other learning rates do clearly better in the next epochs."""
    if examination.is_solved:
        return []
    steps = examination.view.steps
    if steps is None:
        examination.skipped.append(f"learning rate: {examination.view.no_steps}")
        return []
    if steps.searches:
        return []
    curves = {factor: steps.losses(factor, _EPOCHS) for factor in (*_SHORTER, 1.0, *_LONGER)}
    reached = {factor: _level(curve[-_LAST:]) for factor, curve in curves.items()}
    start, present = float(curves[1.0][0]), reached[1.0]
    shorter, longer = (min(factors, key=reached.__getitem__) for factors in (_SHORTER, _LONGER))
    if reached[shorter] < _BETTER * present:
        statement = (
            f"{_EPOCHS} further epochs lead from {start:.2g} to {present:.2g}, with a learning rate {1 / shorter:.0f} "
            f"times smaller to {reached[shorter]:.2g}: it is too large"
        )
        remedy = f"divide the learning rate by {1 / shorter:.0f}, or let it fall: optax.cosine_decay_schedule"
        return [Finding("learning rate", "optimizer", shorter, statement, remedy)]
    if present > _STILL * start and reached[longer] < _PROGRESS * start:
        statement = (
            f"{_EPOCHS} further epochs leave the loss at {present:.2g}, with a learning rate {longer:.0f} times larger "
            f"they reach {reached[longer]:.2g}: it is too small, or its schedule has ended"
        )
        remedy = f"multiply the learning rate by {longer:.0f}"
        return [Finding("learning rate", "optimizer", longer, statement, remedy)]
    return []


def _level(losses: np.ndarray) -> float:
    return float(np.median(losses)) if np.isfinite(losses).all() else float("inf")
