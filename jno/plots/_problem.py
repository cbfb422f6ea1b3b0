"""What a problem is, as HTML: its equations, models, points and derivatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from jno.architectures import is_uninitialized, leaf_rows, totals
from jno.domain import domain as Domain
from jno.trace import Model, Node
from jno.utils import Markup, html_lines, html_section, html_table

from ._mathml import equation_markup


@dataclasses.dataclass(frozen=True, eq=False)
class ProblemDescription:
    """A problem as it is shown.

    Attributes:
        expressions: constraints and trackers by name.
        models: its models.
        domain: its domain, if there is one.
        plan: text of the derivative passes.
    """

    expressions: Mapping[str, Node]
    models: Sequence[Model]
    domain: Domain | None
    plan: str

    def sections(self) -> list[Markup]:
        """One section for each of equations, models, points and derivatives, as far as there are some."""
        parts = [
            ("Equations", self._equations()),
            ("Models", self._models()),
            ("Points", self._points()),
            ("Derivative passes", html_lines(self.plan) if self.plan else Markup()),
        ]
        return [html_section(title, body) for title, body in parts if body]

    def _equations(self) -> Markup:
        if not self.expressions:
            return Markup()
        rows = [(name, equation_markup(expression)) for name, expression in self.expressions.items()]
        return Markup(f'<div style="overflow: auto hidden">{html_table((), rows)}</div>')

    def _models(self) -> Markup:
        heads = ("model", "module", "parameters", "trained", "frozen", "adapters", "optimizer")
        return html_table(heads, [_model_row(model) for model in self.models]) if self.models else Markup()

    def _points(self) -> Markup:
        if self.domain is None:
            return Markup()
        heads = ("tag", "samples", "times", "points", "coordinates")
        arrays = [(record.tag, np.shape(self.domain.context[record.tag])) for record in self.domain.samples.records]
        rows = [(tag, *shape) for tag, shape in arrays]
        data = [(tag, np.shape(self.domain.context[tag])) for tag in sorted(self.domain.samples.user_data)]
        table = html_table(heads, rows) if rows else Markup()
        return Markup(table + (html_table(("data", "shape"), data) if data else ""))


def _model_row(model: Model) -> tuple[object, ...]:
    module = type(model.module).__name__
    if is_uninitialized(model.module):
        return (model.model_key, module, "not built yet")
    rows = leaf_rows(model)
    counts = totals(rows)
    optimizers = ", ".join(dict.fromkeys(row.optimizer for row in rows if row.optimizer != "-")) or "none"
    sampled = type(model.controls.default_group.posterior).__name__ if model.controls.default_group.posterior else ""
    numbers = [f"{counts[key]:,}" for key in ("total", "trained", "frozen", "adapter")]
    return (model.model_key, module, *numbers, sampled or optimizers)
