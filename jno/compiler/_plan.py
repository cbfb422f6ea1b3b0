"""What is differentiated together, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from jno.trace import Derivative, Hessian, Jacobian, title, walk

from ._passes import LevelReport
from ._precompute import precompute
from ._precomputed import Precomputed
from ._program import Program
from ._requests import is_planned


def plan_text(program: Program, modules: Mapping[int, Any]) -> str:
    """What training computes once, the derivative passes of a step, and what is forced by a scheme.

    Everything is traced without computing anything.
    """
    precomputed = precompute(program, modules)
    program.adopt(precomputed)
    reports: list[LevelReport] = []
    key = jax.random.key(0)
    data = {**program.abstract_data, **precomputed.shapes(program.abstract_data)}
    jax.eval_shape(lambda data, k: program(dict(modules), data, k, passes=reports), data, key)
    lines = _precomputed_lines(precomputed)
    for report in dict.fromkeys(reports):
        lines += _pass_lines(report)
    forced = [node for node in walk(program.roots) if isinstance(node, Derivative) and not is_planned(node)]
    if forced:
        lines.append("computed one by one")
        lines += [f"  {_forced_line(node)}" for node in forced]
    return "\n".join(lines) if lines else "no derivatives"


def _precomputed_lines(precomputed: Precomputed) -> list[str]:
    if not precomputed.expressions:
        return []
    size = precomputed.nbytes / 2**10
    return [
        f"computed once, and again where points are replaced ({size:.1f} KiB)",
        *(f"  {title(expression.node)}: {', '.join(expression.titles())}" for expression in precomputed.expressions),
    ]


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
