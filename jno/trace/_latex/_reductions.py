"""How means, sums and norms are written."""

from __future__ import annotations

from ._formula import Formula, Level, between

SQUARED, ABSOLUTE = (r"\left|", r"\right|^{2}"), (r"\left|", r"\right|")


def mean_of(mean: str, operand: Formula, before: str = "", after: str = "") -> Formula:
    """A mean or sum of an operand between two texts, which may be written apart where it is long."""
    inside = operand.text if before else operand.at(Level.PRODUCT)
    start = f"{mean} {before}".rstrip() + " "
    text = f"{start}{inside}{' ' if after else ''}{after}"
    return Formula(text, Level.PRODUCT, wrapped=(start, operand, after))


def length(operand: Formula, order: str = "") -> Formula:
    """The norm of a vector."""
    norm = between(r"\|", operand, r"\|")
    return Formula(f"{norm.text}_{{{order}}}", Level.POWER) if order else norm
