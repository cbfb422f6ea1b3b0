"""`Formula`: LaTeX of an expression with what is needed to put it into a larger one without superfluous brackets."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import re
from collections.abc import Sequence
from typing import TypeAlias

_TALL = re.compile(r"\\(frac|sum|int|begin|left\()")
_INVISIBLE = re.compile(r"\\(?:left|right|mathrm|mathbf|operatorname|frac|begin|end)(?![a-zA-Z])|\\[,\s]|[{}^_\s&]")
_COMMAND = re.compile(r"\\[a-zA-Z]+|\\.")


class Level(enum.IntEnum):
    """How tightly a formula holds together; what binds less than its surroundings need is put in brackets."""

    OR = 0
    AND = 1
    COMPARISON = 2
    SUM = 3
    PRODUCT = 4
    PREFIX = 5
    """An operator before what it acts on, and fractions."""
    POWER = 6
    ATOM = 7


@dataclasses.dataclass(frozen=True)
class SumTerm:
    """A term of a sum: its sign and what follows it."""

    negative: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A name with subscripts, of a function with its arguments: ``u_{\\theta, 1}(x, y)``.

    Attributes:
        base: the name.
        subscripts: what stands below it.
        arguments: text in the brackets; empty where there are none.
        bare: whether they are left out.
    """

    base: str
    subscripts: tuple[str, ...] = ()
    arguments: str = ""
    bare: bool = False

    @property
    def name(self) -> str:
        """The name without arguments."""
        return f"{self.base}_{{{', '.join(self.subscripts)}}}" if self.subscripts else self.base

    def formula(self) -> Formula:
        """The symbol as a formula."""
        arguments = "" if self.bare or not self.arguments else bracketed(self.arguments)
        return Formula(self.name + arguments, symbol=self)


@dataclasses.dataclass(frozen=True)
class Differential:
    """Derivatives of one operand, gathered: order by variable, and how often the Laplacian was taken."""

    operand: Formula
    orders: tuple[tuple[str, int], ...] = ()
    laplacians: int = 0


Wrapped: TypeAlias = "tuple[str, Formula, str]"
"""What stands before a long part, the part, and what stands behind it."""


@dataclasses.dataclass(frozen=True)
class Formula:
    """LaTeX with its binding.

    Attributes:
        text: the LaTeX.
        level: how tightly it holds together.
        terms: of a sum; a negative value is a sum of one term.
        symbol: where it is a name.
        differential: where it is a derivative.
        function: name and bracketed argument of a function that takes its power before the bracket.
        wrapped: where it is a mean or an integral, what may be written apart.
        is_number: whether it begins with a number.
    """

    text: str
    level: Level = Level.ATOM
    terms: tuple[SumTerm, ...] = ()
    symbol: Symbol | None = None
    differential: Differential | None = None
    function: tuple[str, str] | None = None
    wrapped: Wrapped | None = None
    is_number: bool = False

    def at(self, level: Level) -> str:
        """The text, in brackets where it holds together less tightly than ``level``."""
        return self.text if self.level >= level else bracketed(self.text)

    @property
    def signed(self) -> tuple[SumTerm, ...]:
        """The formula as terms of a sum."""
        return self.terms or (SumTerm(False, self.at(Level.PRODUCT)),)

    @property
    def sign_and_size(self) -> tuple[bool, Formula]:
        """Whether the formula is negative, and what is then behind the sign."""
        if len(self.terms) == 1 and self.terms[0].negative:
            return True, dataclasses.replace(self, text=self.terms[0].text, level=Level.PRODUCT, terms=())
        return False, self


def bracketed(text: str) -> str:
    """A text in round brackets, of its height."""
    return rf"\left( {text} \right)" if _TALL.search(text) else f"({text})"


def unbracketed(text: str) -> str:
    """A text without the plain brackets that enclose all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depths = list(itertools.accumulate((char == "(") - (char == ")") for char in text))
    return text[1:-1] if 0 not in depths[:-1] else text


def visible_length(text: str) -> int:
    """About how many signs wide a formula is."""
    one_sign_each = _COMMAND.sub(lambda command: "" if _INVISIBLE.match(command[0]) else "x", text)
    return len(_INVISIBLE.sub("", one_sign_each))


# --- arithmetic ---------------------------------------------------------------------------------------------------
def joined_terms(terms: Sequence[SumTerm]) -> str:
    """The text of a sum."""
    text = ("-" if terms[0].negative else "") + terms[0].text
    return text + "".join(f" {'-' if term.negative else '+'} {term.text}" for term in terms[1:])


def summed(terms: Sequence[SumTerm]) -> Formula:
    """A sum of terms; of a single positive one that is the term."""
    if len(terms) == 1 and not terms[0].negative:
        return Formula(terms[0].text, Level.PRODUCT)
    return Formula(joined_terms(terms), Level.SUM, tuple(terms))


def added(left: Formula, right: Formula) -> Formula:
    """``left + right``; a written zero is left out."""
    if right.text == "0" and right.is_number:
        return left
    return summed((*left.signed, *right.signed))


def subtracted(left: Formula, right: Formula) -> Formula:
    """``left - right``; a written zero is left out."""
    if right.text == "0" and right.is_number:
        return left
    return summed((*left.signed, *negated(right).signed))


def negated(formula: Formula) -> Formula:
    """``-formula``; brackets stay around a sum of several terms."""
    if len(formula.terms) > 1:
        return summed((SumTerm(True, bracketed(formula.text)),))
    (term,) = formula.signed
    if term.negative:
        return formula.sign_and_size[1]
    return summed((SumTerm(True, term.text),))


def multiplied(left: Formula, right: Formula) -> Formula:
    """``left right``, numbers before the others."""
    (left_sign, left), (right_sign, right) = left.sign_and_size, right.sign_and_size
    if right.is_number and (not left.is_number or right.level != Level.PRODUCT):
        left, right = right, left
    if left.text == "1" and left.is_number:
        product = right
    else:
        left_text = bracketed(left.text) if left.level < Level.PRODUCT or left.wrapped else left.text
        right_text = right.at(Level.PRODUCT)
        text = left_text + _between(left_text, right_text, both_numbers=left.is_number and right.is_number) + right_text
        before = text[: len(text) - len(right_text)]
        wrapped = None if right.wrapped is None else (before + right.wrapped[0], *right.wrapped[1:])
        product = Formula(text, Level.PRODUCT, wrapped=wrapped, is_number=left.is_number)
    return negated(product) if left_sign != right_sign else product


def _between(left: str, right: str, *, both_numbers: bool) -> str:
    if both_numbers or right[0].isdigit():
        return r" \cdot "
    if re.fullmatch(r"[\d.]+", left) and not right.startswith((r"\mathrm", r"\operatorname")):
        return " "
    opens = right.startswith(("(", r"\left", r"\mathrm", r"\operatorname"))
    closes = re.search(r"(\\mathrm|\\operatorname)\{[^{}]*\}$", left) or left.endswith(")")
    return r" \, " if opens or closes else " "


def divided(numerator: Formula, denominator: Formula) -> Formula:
    """A fraction."""
    (above, numerator), (below, denominator) = numerator.sign_and_size, denominator.sign_and_size
    fraction = Formula(rf"\frac{{{unbracketed(numerator.text)}}}{{{unbracketed(denominator.text)}}}", Level.PREFIX)
    return negated(fraction) if above != below else fraction


def raised(base: Formula, exponent: Formula) -> Formula:
    """A power; of a function ``\\sin^{2}(x)``, of one half a root."""
    if exponent.text in ("0.5", r"\frac{1}{2}"):
        return Formula(rf"\sqrt{{{base.text}}}")
    if base.function is not None and re.fullmatch(r"[2-9]", exponent.text):
        head, argument = base.function
        return Formula(f"{head}^{{{exponent.text}}}{argument}", Level.PREFIX)
    return Formula(f"{base.at(Level.ATOM)}^{{{exponent.text}}}", Level.POWER)


def applied(head: str, *arguments: Formula) -> Formula:
    """A function of arguments."""
    argument = bracketed(", ".join(one.text for one in arguments))
    return Formula(head + argument, Level.ATOM, function=(head, argument))


def prefixed(head: str, operand: Formula, level: Level = Level.PREFIX) -> Formula:
    """An operator before its operand."""
    return Formula(f"{head} {operand.at(level)}", level)


def between(left: str, operand: Formula, right: str) -> Formula:
    """An operand between delimiters of its height."""
    return Formula(rf"\left{left} {operand.text} \right{right}")


def infix(operator: str, left: Formula, right: Formula, level: Level) -> Formula:
    """An operator between two operands that bind more tightly than it does."""
    above = Level(level + 1)
    return Formula(f"{left.at(above)} {operator} {right.at(above)}", level)
