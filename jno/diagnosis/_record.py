"""What was measured, as a record and as a page."""

from __future__ import annotations

import dataclasses
import textwrap

from jno.utils import Markup, html_lines, html_table

_WIDTH = 100
_MOST_LINES = 12
"""Findings of a printed page; with a remedy of two lines each they fill one."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One reason why a loss may not go down.

    Attributes:
        kind: ``"non-finite"``, ``"conflict"``, ``"magnitudes"``, ``"concentration"``, ``"rounding"``, ``"layers"``,
            ``"inputs"``, ``"outputs"``, ``"boundary"``, ``"spectrum"`` or ``"learning rate"``.
        subject: what it is about: terms, a network or a tag, by name.
        number: what was measured; ``statement`` says what it counts.
        statement: one sentence with the number.
        remedy: what to try first.
    """

    kind: str
    subject: str
    number: float
    statement: str
    remedy: str


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What `core.diagnose` has measured; ``print`` shows it as a page.

    Attributes:
        findings: the reasons, in the order in which they should be tried; empty when nothing was wrong.
        epoch: number of epochs that were trained.
        loss: the total loss, the mean over the terms, at all points.
        largest_loss: the largest total loss that was recorded.
        not_examined: what was not looked at, each with its reason.
    """

    findings: tuple[Finding, ...]
    epoch: int
    loss: float
    largest_loss: float
    not_examined: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the findings, each once, in their order."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    def __str__(self) -> str:
        lines = [self._headline(), *(self._lines() or ["nothing found"])]
        skipped = len(self.findings) - _MOST_LINES
        lines += [f"{skipped} more in .findings"] if skipped > 0 else []
        return "\n".join([*lines, *(f"not examined: {reason}" for reason in self.not_examined)])

    def _repr_html_(self) -> str:
        """A table, for notebooks and reports."""
        return self.markup()

    def markup(self) -> Markup:
        """The headline and a table of findings and remedies."""
        rows = [(finding.kind, finding.statement, finding.remedy) for finding in self.findings]
        table = html_table(("what", "measured", "try"), rows) if rows else html_lines("nothing found")
        reasons = "\n".join(f"not examined: {reason}" for reason in self.not_examined)
        return Markup(html_lines(self._headline()) + table + (html_lines(reasons) if reasons else ""))

    def _headline(self) -> str:
        return f"after {self.epoch} epochs: loss {self.loss:.3g}, largest recorded {self.largest_loss:.3g}"

    def _lines(self) -> list[str]:
        lines: list[str] = []
        for finding in self.findings[:_MOST_LINES]:
            lines += textwrap.wrap(f"{finding.kind}: {finding.statement}", _WIDTH, subsequent_indent="    ")
            lines += textwrap.wrap(finding.remedy, _WIDTH, initial_indent="    try: ", subsequent_indent="         ")
        return lines
