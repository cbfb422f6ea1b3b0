"""The checks, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from jno.training import TrainingView

from ._boundary import missed_places
from ._concentration import concentrated
from ._examination import Examination
from ._gradients import conflicts, magnitudes, non_finite
from ._layers import ill_scaled, silent_layers
from ._learning_rate import unsuitable_rate
from ._picture import residual_picture
from ._record import Diagnosis, Finding
from ._rounding import rounding
from ._spectrum import slow_directions


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that is looked at.

    Attributes:
        name: what it looks at.
        findings: looks at it.
        explained_by: kinds of findings that would explain what it finds; then it is not made.
    """

    name: str
    findings: Callable[[Examination], list[Finding]]
    explained_by: frozenset[str] = frozenset()


_SCALES = frozenset({"rounding", "inputs", "outputs", "layers"})

CHECKS = (
    Check("rounding", rounding),
    Check("inputs and outputs", ill_scaled),
    Check("layers", silent_layers),
    Check("boundary", missed_places),
    Check("conflicts", conflicts, _SCALES),
    Check("magnitudes", magnitudes),
    Check("learning rate", unsuitable_rate, _SCALES | {"conflict"}),
    Check("concentration", concentrated, _SCALES | {"conflict", "learning rate"}),
    Check("spectrum", slow_directions, _SCALES | {"conflict", "magnitudes", "learning rate", "concentration"}),
)
"""In the order in which what they find should be mended."""


def diagnosis_of(view: TrainingView, solved: float, picture: Path | None) -> Diagnosis:
    """Why the losses of a training do not go down.

    Args:
        view: the training.
        solved: share of its largest loss below which a term counts as solved, so that nothing more is said about it.
        picture: a file for a picture of the residuals.
    """
    examination = Examination(view, solved)
    findings = non_finite(examination)
    if not findings:
        for check in CHECKS:
            reasons = check.explained_by & {finding.kind for finding in findings}
            if reasons:
                examination.skipped.append(f"{check.name}: mend {', '.join(sorted(reasons))} first")
            else:
                findings += check.findings(examination)
    if picture is not None:
        residual_picture(examination, picture)
    return Diagnosis(
        tuple(findings), view.epoch, examination.loss, examination.largest_loss, tuple(examination.skipped)
    )
