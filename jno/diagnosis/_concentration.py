"""Residuals that a few points hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from ._examination import Examination
from ._record import Finding
from ._terms import ResidualField

_WORST = 0.05
"""Share of the points."""

_CONCENTRATED = 0.75
"""Share of the loss that the worst points hold; of normally distributed residuals it is 0.28."""

_MOST = 0.8
"""Part of what the worst points hold that says where they are."""

_FEWEST = 40
_NARROW = 0.35
"""Part of its range along which worst points count as being in one place."""


def worst_points(field: ResidualField) -> Int[np.ndarray, " k"]:
    """Positions of the points with the largest residuals."""
    count = max(1, int(np.ceil(_WORST * len(field.squares))))
    return np.argsort(field.squares)[-count:]


def concentrated(examination: Examination) -> list[Finding]:
    """Unsolved terms whose loss is held by few of their points."""
    findings = []
    for field in examination.residuals:
        total = field.squares.sum()
        if field.term not in examination.unsolved or len(field.squares) < _FEWEST or not 0.0 < total < np.inf:
            continue
        worst = worst_points(field)
        share = float(field.squares[worst].sum() / total)
        if share > _CONCENTRATED:
            where, is_early = _place(field, worst)
            remedy = (
                "train on a short time first, and let it grow, or take jno.fn.causal(residual, t): the later values "
                "follow from the first ones"
                if is_early
                else "draw points where the residual is large: variable(..., resampling_strategy=jno.sampler.rad())"
            )
            findings.append(
                Finding(
                    "concentration",
                    field.term.name,
                    share,
                    f"the worst 5 % of the points hold {100 * share:.0f} % of {field.term.name}{where}",
                    remedy,
                )
            )
    return findings


def _place(field: ResidualField, worst: Int[np.ndarray, " k"]) -> tuple[str, bool]:
    """Where most of what the worst points hold is, along axes on which it is close together; whether that is early."""
    parts, is_early = [], False
    held = np.cumsum(field.squares[worst[::-1]])
    leading = worst[::-1][: 1 + int(np.searchsorted(held, _MOST * held[-1]))]
    for axis, name in enumerate(field.axes):
        column = field.places[:, axis]
        lower, upper, full = column[leading].min(), column[leading].max(), np.ptp(column)
        if full > 0.0 and upper - lower < _NARROW * full:
            parts.append(f"{name} = {lower:.3g}" if upper == lower else f"{name} = {lower:.3g} … {upper:.3g}")
            is_early = is_early or bool(name == "t" and upper < column.min() + _NARROW * full)
    return (f", at {', '.join(parts)}" if parts else ", spread over its region"), is_early
