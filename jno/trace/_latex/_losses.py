"""How losses of a prediction and a target are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ._formula import Formula, applied, between, divided, subtracted
from ._reductions import ABSOLUTE, SQUARED, length, mean_of
from ._words import number_formula

LossNotation: TypeAlias = Callable[[Formula, Formula, str, Mapping[str, Any]], Formula]
"""From the formulas of prediction and target, what takes the mean, and what else the loss was told."""


def _squares(p: Formula, y: Formula, mean: str, options: Mapping[str, Any]) -> Formula:
    return mean_of(mean, subtracted(p, y), *SQUARED)


def _root_mean_square(p: Formula, y: Formula, mean: str, options: Mapping[str, Any]) -> Formula:
    return Formula(rf"\sqrt{{{_squares(p, y, mean, options).text}}}")


def _relative(order: str) -> LossNotation:
    def quotient(p: Formula, y: Formula, mean: str, options: Mapping[str, Any]) -> Formula:
        return divided(length(subtracted(p, y), order), length(y, order))

    return quotient


def _normalised(p: Formula, y: Formula, mean: str, options: Mapping[str, Any]) -> Formula:
    return divided(_squares(p, y, mean, options), applied(r"\operatorname{var}", y))


def _mean_of_function(name: str, parameter: str = "", value: str = "") -> LossNotation:
    def loss(p: Formula, y: Formula, mean: str, options: Mapping[str, Any]) -> Formula:
        below = f"_{{{parameter} = {number_formula(options[value]).text}}}" if value in options else ""
        return mean_of(mean, subtracted(p, y), rf"{name}{below} \left(", r"\right)")

    return loss


LOSSES: dict[str, LossNotation] = {
    "mse": _squares,
    "mae": lambda p, y, mean, options: mean_of(mean, subtracted(p, y), *ABSOLUTE),
    "rmse": _root_mean_square,
    "relative_l2": _relative("2"),
    "relative_l1": _relative("1"),
    "nmse": _normalised,
    "mape": lambda p, y, mean, options: mean_of(
        mean, divided(between("|", subtracted(p, y), "|"), between("|", y, "|"))
    ),
    "linf": lambda p, y, mean, options: mean_of(r"\max", subtracted(p, y), *ABSOLUTE),
    "log_cosh": _mean_of_function(r"\log \cosh"),
    "huber": _mean_of_function(r"\operatorname{huber}", r"\delta", "delta"),
    "smooth_l1": _mean_of_function(r"\operatorname{smooth}", r"\beta", "beta"),
    "cauchy": _mean_of_function(r"\operatorname{cauchy}", "c", "c"),
    "quantile": lambda p, y, mean, options: _mean_of_function(r"\rho", r"\tau", "tau")(y, p, mean, options),
}
