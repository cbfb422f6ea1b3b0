"""Do all competitors compute the same numbers?"""

from __future__ import annotations

from ._case import Problem, Size
from ._runners import competitors

STEPS = 10
FIRST_TOLERANCE = 1e-5
LATER_TOLERANCE = 3e-4
"""Adam divides by the size of the gradient, so that differences of rounding grow from step to step."""


def disagreements(problem: Problem, size: Size) -> list[str]:
    """Sentences about competitors whose losses differ from jNO's, at the start or after ten steps; empty if none."""
    size = size.full_batch
    found = {c.name: c.start(size).losses(STEPS + 1) for c in competitors(problem)}
    (_, reference), *others = found.items()
    messages = []
    for name, losses in others:
        for step, tolerance in ((0, FIRST_TOLERANCE), (STEPS, LATER_TOLERANCE)):
            difference = abs(losses[step] - reference[step]) / abs(reference[step])
            if not difference <= tolerance:
                messages.append(
                    f"{problem.id}: after {step} steps the loss of {name!r} is {losses[step]:.8g}, that of jNO "
                    f"{reference[step]:.8g} (relative difference {difference:.1e}, allowed {tolerance:.0e})"
                )
    return messages
