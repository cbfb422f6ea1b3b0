"""What a problem says of itself: its equations and models as a page, and why its training fails."""

from __future__ import annotations

from pathlib import Path

from jno._compiled_problem import CompiledProblem
from jno._evaluation import plot
from jno._evaluator import expression_names
from jno.compiler import needs_window
from jno.diagnosis import Diagnosis, diagnosis_of
from jno.plots import ProblemDescription, network_fields
from jno.utils import NONNEGATIVE, PATH, Markup, checked, html_section, svg_of, user_path


@checked(path=PATH, solved=NONNEGATIVE)
def diagnose(self: CompiledProblem, path: str | Path | None = None, *, solved: float = 1e-3) -> Diagnosis:
    """Say why the loss does not go down: print what was measured, each line with its number and a remedy.

    Looked at are rounding, the scale of inputs and outputs, saturated and dead layers, parts of the boundary
    without a condition, gradients of terms that oppose each other or differ by orders, the learning rate, residuals
    that few points hold, and the spectrum of their Jacobian; the page "When training fails" explains each.  What
    stands first is to be mended first: a check whose result would follow from an earlier one is not made.  It costs
    a few compilations and about a hundred epochs, on a copy of the state: nothing of the training is changed.  In
    a callback it looks at the weights of that epoch.

    Args:
        path: file for a picture of the residuals, in a format that matplotlib knows by its suffix (None: none).
        solved: part of its largest recorded loss below which a term counts as solved (1e-3): nothing is said then
            about its gradient, residual and learning rate. ``0.0`` looks at everything.

    Returns:
        the record, with `findings`; none when nothing was found.

    Raises:
        ValueError: a core without constraints or with nothing to train, or one that waits for a checkpoint.

    Example:
        >>> import jno, optax
        >>> p = jno.np.parameter(()).initialize(0.5).optimizer(optax.sgd(0.1))
        >>> crux = jno.core([(p - 1.0).mse, p.mse], domain=jno.domain.line())
        >>> _ = crux.solve(50)  # doctest: +ELLIPSIS
        INFO: ...
        >>> crux.diagnose().kinds  # doctest: +ELLIPSIS
        after 50 epochs: ...
        ('conflict',)
    """
    picture = None if path is None else user_path(path)
    self._diagnosis = diagnosis_of(self._solver.view(self.training_logs), solved, picture)
    print(self._diagnosis)
    return self._diagnosis


def markup(self: CompiledProblem) -> str | None:
    """Equations, models, points and derivative passes, for notebooks; nothing of a core without expressions."""
    return "".join(_description(self).sections()) or None


def report_sections(self: CompiledProblem) -> list[Markup]:
    """The same and the fields of the networks: the parts of `statistics.report` that tell of the problem."""
    sections = _description(self).sections()
    fields = network_fields(self.all_ops)
    if fields:
        figure = plot(self, fields, share=False)
        sections.insert(1, html_section("Fields", svg_of(figure)))
    if self._diagnosis is not None:
        sections.append(html_section("Diagnosis", self._diagnosis.markup()))
    return sections


def _description(self: CompiledProblem) -> ProblemDescription:
    expressions = dict(zip(expression_names(self.all_ops), self.all_ops, strict=True))
    plan = self._evaluator.plan(None if needs_window(self.all_ops) else 1) if self.all_ops else ""
    return ProblemDescription(expressions, self._models, self.domain, plan)
