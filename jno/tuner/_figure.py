"""The figure of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jno.utils import Axes, Figure

from ._importance import FEWEST_TRIALS, importances
from ._trial import Outcome

_PANEL_SIZE = (8.0, 3.6)  # inches
_BAR_HEIGHT = 0.3
_LONGEST_NAME = 30


def history_figure(outcomes: Sequence[Outcome]) -> Figure:
    """Return a matplotlib Figure: objectives of the trials above, importances of the options below."""
    # Figure itself, not pyplot: no window, no global state, works in any thread
    from matplotlib.figure import Figure as NewFigure

    ranked = importances(outcomes)
    width, height = _PANEL_SIZE
    below = max(1.6, 1.0 + _BAR_HEIGHT * len(ranked))
    figure = NewFigure(figsize=(width, height + below), layout="constrained")
    above, under = figure.subplots(2, 1, height_ratios=[height, below])
    _draw_objectives(above, outcomes)
    _draw_importances(under, outcomes, ranked)
    return figure


def _draw_objectives(axis: Axes, outcomes: Sequence[Outcome]) -> None:
    from matplotlib.ticker import MaxNLocator

    with_value = [outcome for outcome in outcomes if outcome.objective is not None]
    finished = [outcome for outcome in with_value if outcome.status == "finished"]
    pruned = [outcome for outcome in with_value if outcome.status == "pruned"]
    failed = [outcome.number for outcome in outcomes if outcome.status == "failed"]
    _draw_points(axis, finished, marker="o", color="C0", label="finished")
    _draw_points(axis, pruned, marker="v", color="C1", label="pruned")
    if finished:
        ordered = sorted(finished, key=lambda outcome: outcome.number)
        lowest = np.minimum.accumulate([outcome.value for outcome in ordered])
        numbers = [outcome.number for outcome in ordered]
        last = max(outcome.number for outcome in outcomes)
        axis.step(
            [*numbers, last], [*lowest, lowest[-1]], where="post", color="black", linewidth=1.2, label="best so far"
        )
    if with_value and all(outcome.value > 0 for outcome in with_value):
        axis.set_yscale("log")
    if failed:
        # no value: on the lower edge of the panel
        edge = axis.get_xaxis_transform()
        axis.plot(failed, [0.03] * len(failed), "x", color="C3", transform=edge, label="failed")
    if not with_value:
        axis.set_yticks([])
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("trial")
    axis.set_ylabel("objective")
    axis.grid(visible=True, which="both", alpha=0.3)
    if outcomes:
        axis.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_points(axis: Axes, outcomes: Sequence[Outcome], **style: str) -> None:
    if outcomes:
        numbers = [outcome.number for outcome in outcomes]
        axis.plot(numbers, [outcome.value for outcome in outcomes], linestyle="none", markersize=5, **style)


def _draw_importances(axis: Axes, outcomes: Sequence[Outcome], importance: dict[str, float]) -> None:
    if not importance:
        axis.set_axis_off()
        axis.text(0.5, 0.5, _why_nothing(outcomes), ha="center", va="center", transform=axis.transAxes)
        return
    names = [name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…" for name in importance]
    axis.barh(range(len(names)), list(importance.values()), height=0.6, color="C0")
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlabel("importance: drop of the explained variance when shuffled")
    axis.grid(visible=True, axis="x", alpha=0.3)


def _why_nothing(outcomes: Sequence[Outcome]) -> str:
    finished = sum(outcome.status == "finished" for outcome in outcomes)
    if finished < FEWEST_TRIALS:
        return f"importances need at least {FEWEST_TRIALS} finished trials, there are {finished}"
    return "no importances: all finished trials have the same options or the same objective"
