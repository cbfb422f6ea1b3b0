"""What is differentiated together, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from jno.trace import Derivative, Hessian, Jacobian, title, walk

from ._passes import LevelReport
from ._program import Program
from ._requests import is_planned


def plan_text(program: Program, modules: Mapping[int, Any]) -> str:
    """The derivative passes of a program, traced without computing anything, and what is forced by a scheme."""
    reports: list[LevelReport] = []
    key = jax.random.key(0)
    jax.eval_shape(lambda data, k: program(dict(modules), data, k, passes=reports), program.abstract_data, key)
    lines: list[str] = []
    for report in dict.fromkeys(reports):
        lines += _pass_lines(report)
    forced = [node for node in walk(program.roots) if isinstance(node, Derivative) and not is_planned(node)]
    if forced:
        lines.append("computed one by one")
        lines += [f"  {_forced_line(node)}" for node in forced]
    return "\n".join(lines) if lines else "no derivatives"


def _pass_lines(report: LevelReport) -> list[str]:
    level = "" if report.level == 1 else f", level {report.level} (of expressions that contain derivatives)"
    lines = [f"pass over the points of {', '.join(report.tags)}{level}", f"  carries: {', '.join(report.carried)}"]
    lines += [f"  {target.title}: {', '.join(target.operators) or 'value'}" for target in report.targets]
    if report.fallen_back:
        lines.append(f"  nested jax.jvp: {', '.join(report.fallen_back)} (no Taylor rule)")
    return lines


def _forced_line(node: Derivative) -> str:
    by = ", ".join(repr(variable) for variable in node.variables)
    scheme = f", scheme {node.scheme!r}" if isinstance(node, Jacobian | Hessian) else ""
    return f"{title(node)} of {title(node.target)} by {by}{scheme}"
