"""Losses of a prediction against a target (scalars) and similarities of vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from jno.trace import OPERAND, FunctionCall, Placeholder, as_node
from jno.utils import SharedDocumentation, checked, is_number

from . import _loss_kernels as kernels

_RANGES: dict[str, Callable[[float], bool]] = {
    "above 0": lambda value: value > 0,
    "of at least 0": lambda value: value >= 0,
    "between 0 and 1": lambda value: 0 < value < 1,
}

_documented = SharedDocumentation(
    {
        "pred": "prediction :math:`p`, an expression.",
        "target": "expression, number or array :math:`y`, aligned with ``pred`` on the points.",
        "eps": "added to the denominator, of at least 0. Default 1e-8.",
    },
    returns="Scalar node.",
)
_documented_relative = _documented.extended({}, raises={"ValueError": "``eps`` is not a number of at least 0."})


def _reduced(kernel: Callable[..., Any], pred: object, target: object, name: str) -> FunctionCall:
    return FunctionCall(kernel, [pred, target], name, reduces_axis=0, align="broadcast")


def _reduced_with(
    kernel: Callable[..., Any], pred: object, target: object, allowed: str, **option: object
) -> FunctionCall:
    """A loss with an option, and the range of the latter."""
    ((name, value),) = option.items()
    _check(kernel.__name__, name, value, allowed)
    return _reduced(partial(kernel, **option), pred, target, kernel.__name__)


def _check(loss: str, option: str, value: object, allowed: str) -> None:
    if not is_number(value) or not _RANGES[allowed](value):
        raise ValueError(f"{loss}({option}={value!r}): {option} must be a number {allowed}")


@_documented
@checked(pred=OPERAND, target=OPERAND)
def mse(pred: object, target: object) -> FunctionCall:
    r"""Mean squared error: :math:`\operatorname{mean}|r|^2` with :math:`r = p - y`.

    Example:
        >>> import jno
        >>> jno.fn.mse([1.0, 2.0], [1.5, 2.0])
        mse(array(2,), array(2,))
    """
    return _reduced(kernels.mse, pred, target, "mse")


@_documented
@checked(pred=OPERAND, target=OPERAND)
def mae(pred: object, target: object) -> FunctionCall:
    r"""Mean absolute error: :math:`\operatorname{mean}|r|` with :math:`r = p - y`.

    Example:
        >>> import jno
        >>> jno.fn.mae([1.0, 2.0], [1.5, 2.0])
        mae(array(2,), array(2,))
    """
    return _reduced(kernels.mae, pred, target, "mae")


@_documented
@checked(pred=OPERAND, target=OPERAND)
def rmse(pred: object, target: object) -> FunctionCall:
    r"""Root mean squared error: :math:`\sqrt{\operatorname{mean}|r|^2}` with :math:`r = p - y`.

    Its derivative at a perfect fit is taken as 0.

    Example:
        >>> import jno
        >>> jno.fn.rmse([1.0, 2.0], [1.5, 2.0])
        rmse(array(2,), array(2,))
    """
    return _reduced(kernels.rmse, pred, target, "rmse")


@_documented
@checked(pred=OPERAND, target=OPERAND)
def huber(pred: object, target: object, delta: float | int = 1.0) -> FunctionCall:
    r"""Huber loss, the mean of: :math:`\tfrac12 r^2` for :math:`|r|\le\delta`, else
    :math:`\delta(|r| - \tfrac12\delta)`.

    Args:
        delta: residual at which it becomes linear, above 0. Default 1.0.

    Raises:
        ValueError: ``delta`` is not a number above 0.

    Example:
        >>> import jno
        >>> jno.fn.huber([1.0, 2.0], [1.5, 2.0])
        huber(array(2,), array(2,))

    Source: P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964).
    """
    return _reduced_with(kernels.huber, pred, target, "above 0", delta=delta)


@_documented
@checked(pred=OPERAND, target=OPERAND)
def smooth_l1(pred: object, target: object, beta: float | int = 1.0) -> FunctionCall:
    r"""Smooth L1 loss, the mean of: :math:`r^2/(2\beta)` for :math:`|r|\le\beta`, else
    :math:`|r| - \tfrac12\beta`.

    Args:
        beta: residual at which it becomes linear, above 0. Default 1.0.

    Raises:
        ValueError: ``beta`` is not a number above 0.

    Example:
        >>> import jno
        >>> jno.fn.smooth_l1([1.0, 2.0], [1.5, 2.0])
        smooth_l1(array(2,), array(2,))

    Source: R. Girshick, "Fast R-CNN", ICCV (2015).
    """
    return _reduced_with(kernels.smooth_l1, pred, target, "above 0", beta=beta)


@_documented
@checked(pred=OPERAND, target=OPERAND)
def log_cosh(pred: object, target: object) -> FunctionCall:
    r"""Mean of: :math:`\log\cosh r` with :math:`r = p - y`; quadratic near 0, linear far away.

    Example:
        >>> import jno
        >>> jno.fn.log_cosh([1.0, 2.0], [1.5, 2.0])
        log_cosh(array(2,), array(2,))
    """
    return _reduced(kernels.log_cosh, pred, target, "log_cosh")


@_documented_relative
@checked(pred=OPERAND, target=OPERAND)
def relative_l2(pred: object, target: object, eps: float | int = 1e-8) -> FunctionCall:
    r"""Relative error in the Euclidean norm: :math:`\|r\|_2 / (\|y\|_2 + \varepsilon)`.

    Example:
        >>> import jno
        >>> jno.fn.relative_l2([1.0, 2.0], [1.5, 2.0])
        relative_l2(array(2,), array(2,))
    """
    return _reduced_with(kernels.relative_l2, pred, target, "of at least 0", eps=eps)


@_documented_relative
@checked(pred=OPERAND, target=OPERAND)
def relative_l1(pred: object, target: object, eps: float | int = 1e-8) -> FunctionCall:
    r"""Relative error in the 1-norm: :math:`\|r\|_1 / (\|y\|_1 + \varepsilon)`.

    Example:
        >>> import jno
        >>> jno.fn.relative_l1([1.0, 2.0], [1.5, 2.0])
        relative_l1(array(2,), array(2,))
    """
    return _reduced_with(kernels.relative_l1, pred, target, "of at least 0", eps=eps)


@_documented_relative
@checked(pred=OPERAND, target=OPERAND)
def nmse(pred: object, target: object, eps: float | int = 1e-8) -> FunctionCall:
    r"""Normalised squared error: :math:`\operatorname{mean}|r|^2 / (\operatorname{var} y + \varepsilon)`.

    Example:
        >>> import jno
        >>> jno.fn.nmse([1.0, 2.0], [1.5, 2.0])
        nmse(array(2,), array(2,))
    """
    return _reduced_with(kernels.nmse, pred, target, "of at least 0", eps=eps)


@_documented_relative
@checked(pred=OPERAND, target=OPERAND)
def mape(pred: object, target: object, eps: float | int = 1e-8) -> FunctionCall:
    r"""Mean absolute relative error: :math:`\operatorname{mean}\bigl(|r| / (|y| + \varepsilon)\bigr)`.

    The result is a fraction: 1 is 100 %.

    Example:
        >>> import jno
        >>> jno.fn.mape([1.0, 2.0], [1.5, 2.0])
        mape(array(2,), array(2,))
    """
    return _reduced_with(kernels.mape, pred, target, "of at least 0", eps=eps)


@_documented
@checked(pred=OPERAND, target=OPERAND)
def linf(pred: object, target: object) -> FunctionCall:
    r"""Largest absolute error: :math:`\max|r|` with :math:`r = p - y`.

    Example:
        >>> import jno
        >>> jno.fn.linf([1.0, 2.0], [1.5, 2.0])
        linf(array(2,), array(2,))
    """
    return _reduced(kernels.linf, pred, target, "linf")


@_documented
@checked(pred=OPERAND, target=OPERAND)
def quantile(pred: object, target: object, tau: float | int = 0.5) -> FunctionCall:
    r"""Pinball loss: :math:`\operatorname{mean}\max(\tau e, (\tau-1) e)` with :math:`e = y - p`.

    Args:
        tau: quantile that the minimiser predicts, between 0 and 1. Default 0.5.

    Raises:
        ValueError: ``tau`` is not a number between 0 and 1.

    Example:
        >>> import jno
        >>> jno.fn.quantile([1.0, 2.0], [1.5, 2.0])
        quantile(array(2,), array(2,))

    Source: R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1978).
    """
    return _reduced_with(kernels.quantile, pred, target, "between 0 and 1", tau=tau)


@_documented
@checked(pred=OPERAND, target=OPERAND)
def cauchy(pred: object, target: object, c: float | int = 1.0) -> FunctionCall:
    r"""Cauchy (Lorentzian) loss: :math:`\operatorname{mean}\tfrac{c^2}{2}\log(1 + (r/c)^2)`.

    Args:
        c: residual from which on outliers lose weight, above 0. Default 1.0.

    Raises:
        ValueError: ``c`` is not a number above 0.

    Example:
        >>> import jno
        >>> jno.fn.cauchy([1.0, 2.0], [1.5, 2.0])
        cauchy(array(2,), array(2,))

    Source: P. W. Holland and R. E. Welsch, "Robust regression using iteratively reweighted least-squares",
    Commun. Stat. 6 (1977).
    """
    return _reduced_with(kernels.cauchy, pred, target, "above 0", c=c)


@checked(x=OPERAND)
def stop_gradient(x: object) -> Placeholder:
    """The same value with zero derivative; same as ``x.stop_gradient``.

    Args:
        x: expression, number or array.

    Returns:
        Node of the shape of ``x``.

    Example:
        >>> import jno
        >>> jno.fn.stop_gradient(0.5)
        stop_gradient(0.5)
    """
    return as_node(x).stop_gradient


@checked(a=OPERAND, b=OPERAND)
def cosine_similarity(a: object, b: object, eps: float | int = 1e-8) -> FunctionCall:
    r"""Cosine of the angle between the rows of two arrays: :math:`a\cdot b / \max(\|a\| \|b\|, \varepsilon)`.

    Args:
        a: real vector expression ``(N, P)``.
        b: the same, or one row.
        eps: lower bound of the denominator, above 0. Default 1e-8.

    Returns:
        Node ``(N,)``: one value for each row, 0 where a row vanishes; in arithmetic it acts as ``(N, 1)``.

    Raises:
        ValueError: ``eps`` is not a number above 0.

    Example:
        >>> import jno
        >>> jno.fn.cosine_similarity([[1.0, 0.0]], [[1.0, 1.0]])
        cosine_similarity(array(1, 2), array(1, 2))
    """
    _check("cosine_similarity", "eps", eps, "above 0")
    kernel = partial(kernels.cosine, eps=eps)
    return FunctionCall(kernel, [a, b], "cosine_similarity", reduces_axis=-1, align="broadcast")


@checked(a=OPERAND, b=OPERAND)
def gradient_alignment(a: object, b: object, eps: float | int = 1e-8) -> FunctionCall:
    r"""Cosine of the angle between the mean rows of two arrays, e.g. parameter gradients of two losses.

    1 means that the losses pull the parameters the same way, -1 that they pull against each other.

    Args:
        a: real expression ``(N, P)`` such as ``u.grad(net)``; leading axes are averaged.
        b: the same with as many columns; the number of rows may differ.
        eps: lower bound of the denominator, above 0. Default 1e-8.

    Returns:
        Scalar node.

    Raises:
        ValueError: ``eps`` is not a number above 0.

    Example:
        >>> import jno
        >>> jno.fn.gradient_alignment([[1.0, 0.0]], [[1.0, 1.0]])
        gradient_alignment(array(1, 2), array(1, 2))
    """
    _check("gradient_alignment", "eps", eps, "above 0")
    return FunctionCall(partial(kernels.alignment, eps=eps), [a, b], "gradient_alignment", reduces_axis=0)
