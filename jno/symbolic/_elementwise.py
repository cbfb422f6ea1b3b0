"""Element-wise functions; operands are aligned on their points as in arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jno.trace import OPERAND, FunctionCall
from jno.utils import checked

_DOC = """{summary}, element-wise.

    Args:
{arguments}

    Returns:
        Node of the shape that arithmetic on the operands would have.

    Example:
        >>> import jno
        >>> jno.np.{name}({example})
        {name}({example})
    """


def _document(
    build: Callable[..., FunctionCall], name: str, summary: str, arguments: tuple[str, ...], example: str
) -> None:
    build.__name__ = build.__qualname__ = name
    described = "\n".join(f"        {argument}: expression, number or array." for argument in arguments)
    build.__doc__ = _DOC.format(summary=summary, name=name, arguments=described, example=example)


def _unary(function: Callable[..., Any], name: str, summary: str) -> Callable[[Any], FunctionCall]:
    @checked(name, x=OPERAND)
    def build(x: object) -> FunctionCall:
        return FunctionCall(function, [x], name, align="broadcast")

    _document(build, name, summary, ("x",), "0.5")
    return build


def _binary(function: Callable[..., Any], name: str, summary: str) -> Callable[[Any, Any], FunctionCall]:
    @checked(name, x=OPERAND, y=OPERAND)
    def build(x: object, y: object) -> FunctionCall:
        return FunctionCall(function, [x, y], name, align="broadcast")

    _document(build, name, summary, ("x", "y"), "0.5, 2.0")
    return build


sin = _unary(jnp.sin, "sin", "Sine of an angle in radians")
cos = _unary(jnp.cos, "cos", "Cosine of an angle in radians")
tan = _unary(jnp.tan, "tan", "Tangent of an angle in radians")
arcsin = _unary(jnp.arcsin, "arcsin", "Inverse sine in radians, for arguments in [-1, 1]")
arccos = _unary(jnp.arccos, "arccos", "Inverse cosine in radians, for arguments in [-1, 1]")
arctan = _unary(jnp.arctan, "arctan", "Inverse tangent in radians")
sinh = _unary(jnp.sinh, "sinh", "Hyperbolic sine")
cosh = _unary(jnp.cosh, "cosh", "Hyperbolic cosine")
tanh = _unary(jnp.tanh, "tanh", "Hyperbolic tangent")
arcsinh = _unary(jnp.arcsinh, "arcsinh", "Inverse hyperbolic sine")
arccosh = _unary(jnp.arccosh, "arccosh", "Inverse hyperbolic cosine, for arguments of at least 1")
arctanh = _unary(jnp.arctanh, "arctanh", "Inverse hyperbolic tangent, for arguments in (-1, 1)")
exp = _unary(jnp.exp, "exp", "Exponential exp(x)")
exp2 = _unary(jnp.exp2, "exp2", "Power of two 2**x")
expm1 = _unary(jnp.expm1, "expm1", "exp(x) - 1, accurate for small x")
log = _unary(jnp.log, "log", "Natural logarithm")
log2 = _unary(jnp.log2, "log2", "Logarithm to base 2")
log10 = _unary(jnp.log10, "log10", "Logarithm to base 10")
log1p = _unary(jnp.log1p, "log1p", "log(1 + x), accurate for small x")
sqrt = _unary(jnp.sqrt, "sqrt", "Square root (its derivative at 0 is infinite)")
cbrt = _unary(jnp.cbrt, "cbrt", "Cube root")
square = _unary(jnp.square, "square", "Square x*x")
abs = _unary(jnp.abs, "abs", "Absolute value (modulus of complex values)")
floor = _unary(jnp.floor, "floor", "Largest integer not above x")
ceil = _unary(jnp.ceil, "ceil", "Smallest integer not below x")
round = _unary(jnp.round, "round", "Nearest integer, halves to the even one")
sign = _unary(jnp.sign, "sign", "Sign: -1, 0 or 1")
isfinite = _unary(jnp.isfinite, "isfinite", "Whether a value is neither NaN nor infinite: the mask of data with gaps")
isnan = _unary(jnp.isnan, "isnan", "Whether a value is NaN")

arctan2 = _binary(jnp.arctan2, "arctan2", "Angle of the point (y, x) = (first, second argument) in (-pi, pi]")
atan2 = arctan2
power = _binary(jnp.power, "power", "Power x**y")
maximum = _binary(jnp.maximum, "maximum", "The larger of two values")
minimum = _binary(jnp.minimum, "minimum", "The smaller of two values")


@checked(condition=OPERAND, x=OPERAND, y=OPERAND)
def where(condition: object, x: object, y: object) -> FunctionCall:
    """``x`` where ``condition`` holds, else ``y``, element-wise.

    Both branches are computed, so keep the one not taken finite: a derivative through ``where(x > 0, sqrt(x),
    0)`` is NaN at ``x = 0``.  Data with gaps are the exception: in ``where(isfinite(d), u - d, 0)`` what is not finite
    in ``d`` reaches neither the value nor the gradient.

    Args:
        condition: a comparison such as ``x < 0.5`` or ``x == 1.0``; combine several, each in brackets, with ``&``,
            ``|`` and ``~``. Two expressions are compared by ``u.equal(v)``.
        x: expression, number or array.
        y: expression, number or array.

    Returns:
        Node of the broadcast shape.

    Raises:
        TypeError: a Python bool, which ``u == v`` gives.

    Example:
        >>> import jno
        >>> from jno.trace import Variable
        >>> x = Variable("interior", [0, 1], None)
        >>> jno.np.where(x < 0.5, 1.0, 0.0)
        where(<(…), 1.0, 0.0)
    """
    return FunctionCall(jnp.where, [condition, x, y], "where", align="broadcast")


@checked(x=OPERAND, y=OPERAND)
def cross(x: object, y: object) -> FunctionCall:
    """Cross product of 3-vectors along the last axis: ``(N, 3)`` with ``(N, 3)`` or ``(3,)``.

    Args:
        x: vector expression or array.
        y: vector expression or array.

    Returns:
        Node ``(N, 3)``.

    Example:
        >>> import jno
        >>> jno.np.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        cross(array(3,), array(3,))
    """
    return FunctionCall(jnp.cross, [x, y], "cross", align="broadcast")
