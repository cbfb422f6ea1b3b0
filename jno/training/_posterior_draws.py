"""What sampling leaves behind: draws and diagnostics on the models, and a warning of what went wrong."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import jax

from jno.architectures import user_leaves
from jno.trace import Model
from jno.utils import get_logger

from ._chains import joined
from ._phases import Phase
from ._state import TrainState
from ._types import Leaves

_DRAW_STREAM = 0xD4A3
"""Random stream of the draws from approximations."""


class SamplingWarning(RuntimeWarning):
    """Chains whose draws may not represent the posterior: transitions diverged, for example.

    The warning names the model and what to change.

    Example:
        >>> import jno, warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", jno.SamplingWarning)  # core.solve raises what it would warn of
    """


def write_posteriors(phases: Sequence[Phase], state: TrainState, models: Sequence[Model]) -> None:
    """Put draws and diagnostics on the models, log a line about each, and warn of what went wrong.

    That is divergences, stuck chains and densities that are not finite.
    """
    pairs = [
        pair
        for phase, chains in zip(phases, state.chains, strict=True)
        for pair in zip(phase.blocks, chains, strict=True)
    ]
    chains = max((block.chains for block, _ in pairs), default=1)
    draws: Leaves = {}
    complaints: list[str] = []
    for number, (block, chain_state) in enumerate(pairs):
        report = block.report(chain_state, chains, jax.random.fold_in(state.key, _DRAW_STREAM + number))
        draws = joined(draws, report.draws)
        complaints += report.complaints
        for model in (model for model in models if model.layer_id in block.selected):
            get_logger().info(f"{model.model_key}: {report.summary}")
            model.posterior_diagnostics = report.diagnostics or None
    for model in models:
        if model.layer_id in draws:
            model.posterior_samples = user_leaves(draws[model.layer_id])
    if complaints:
        message = "; ".join(complaints)
        get_logger().warning(message)
        warnings.warn(message, SamplingWarning, stacklevel=5)
