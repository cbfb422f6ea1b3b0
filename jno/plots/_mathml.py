"""Formulas in pages: MathML, which browsers draw without a library."""

from __future__ import annotations

from jno.trace import Node, Placeholder
from jno.utils import Markup, html_lines


def equation_markup(expression: Node) -> Markup:
    """An expression as a displayed formula; one that has none as the text of its tree's root."""
    try:
        assert isinstance(expression, Placeholder), "constraints are expressions"
        latex = expression.latex(width=70)
    except ValueError:  # an endless one
        return html_lines(repr(expression))
    from latex2mathml.converter import convert

    # "aligned" is the environment inside of a formula, "align" the one that the converter knows
    formula = convert(latex.replace("{aligned}", "{align}"))
    return Markup(formula.replace('display="inline"', 'displaystyle="true"', 1))
