"""The arithmetic of the losses and similarities: aligned arrays in, a scalar (or one value per row) out."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Num

from ._reductions import safe_sqrt, squared_magnitude

Operand = Num[ArrayLike, "..."]
Scalar = Float[Array, ""]


def _residual(pred: Operand, target: Operand) -> Num[Array, ...]:
    return jnp.asarray(pred) - jnp.asarray(target)


def _mean_square(values: Num[Array, ...]) -> Scalar:
    return jnp.mean(squared_magnitude(values))


def mse(pred: Operand, target: Operand) -> Scalar:
    """Mean of squares."""
    return _mean_square(_residual(pred, target))


def mae(pred: Operand, target: Operand) -> Scalar:
    """Mean of absolute values."""
    return jnp.mean(jnp.abs(_residual(pred, target)))


def rmse(pred: Operand, target: Operand) -> Scalar:
    """Root of the mean of squares, with derivative 0 at a perfect fit."""
    return safe_sqrt(mse(pred, target))


def huber(pred: Operand, target: Operand, delta: float | int) -> Scalar:
    """Quadratic up to ``delta``, linear beyond."""
    size = jnp.abs(_residual(pred, target))
    return jnp.mean(jnp.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta)))


def smooth_l1(pred: Operand, target: Operand, beta: float | int) -> Scalar:
    """Huber loss divided by its threshold."""
    return huber(pred, target, beta) / beta


def log_cosh(pred: Operand, target: Operand) -> Scalar:
    """``log(cosh(r))`` without overflow and with the right curvature at 0."""
    residual = _residual(pred, target)
    return jnp.mean(jnp.logaddexp(residual, -residual) - jnp.log(2.0))


def relative_l2(pred: Operand, target: Operand, eps: float | int) -> Scalar:
    """Euclidean norm of the residual over that of the target."""
    numerator = safe_sqrt(jnp.sum(squared_magnitude(_residual(pred, target))))
    return numerator / (safe_sqrt(jnp.sum(squared_magnitude(_like(target, pred)))) + eps)


def relative_l1(pred: Operand, target: Operand, eps: float | int) -> Scalar:
    """Sum of absolute residuals over that of the target."""
    return jnp.sum(jnp.abs(_residual(pred, target))) / (jnp.sum(jnp.abs(_like(target, pred))) + eps)


def nmse(pred: Operand, target: Operand, eps: float | int) -> Scalar:
    """Mean of squares over the variance of the target."""
    return mse(pred, target) / (jnp.var(jnp.asarray(target)) + eps)


def mape(pred: Operand, target: Operand, eps: float | int) -> Scalar:
    """Mean of absolute residuals relative to the target, as a fraction."""
    return jnp.mean(jnp.abs(_residual(pred, target)) / (jnp.abs(jnp.asarray(target)) + eps))


def linf(pred: Operand, target: Operand) -> Scalar:
    """Largest absolute value."""
    return jnp.max(jnp.abs(_residual(pred, target)))


def quantile(pred: Operand, target: Operand, tau: float | int) -> Scalar:
    """Pinball loss of ``target - pred``."""
    excess = _residual(target, pred)
    return jnp.mean(jnp.maximum(tau * excess, (tau - 1) * excess))


def cauchy(pred: Operand, target: Operand, c: float | int) -> Scalar:
    """Logarithmic loss of heavy tails."""
    return jnp.mean(0.5 * c**2 * jnp.log1p(squared_magnitude(_residual(pred, target)) / c**2))


def cosine(a: Operand, b: Operand, eps: float | int) -> Float[Array, ...]:
    """Cosine of the angle between the rows; 0 where a row vanishes."""
    left, right = jnp.asarray(a), jnp.asarray(b)
    squares = jnp.sum(left**2, axis=-1) * jnp.sum(right**2, axis=-1)
    # the bound inside the root keeps the derivative finite at a vanishing row
    return jnp.sum(left * right, axis=-1) / jnp.sqrt(jnp.maximum(squares, eps**2))


def alignment(a: Operand, b: Operand, eps: float | int) -> Scalar:
    """Cosine of the angle between the mean rows."""
    return cosine(_mean_row(jnp.asarray(a)), _mean_row(jnp.asarray(b)), eps)


def _mean_row(x: Num[Array, "... P"]) -> Float[Array, " P"]:
    return jnp.mean(x.reshape(-1, x.shape[-1]), axis=0)


def _like(target: Operand, pred: Operand) -> Num[Array, ...]:
    """``target`` at the size of the residual: sums must count a broadcast target once per entry."""
    return jnp.broadcast_to(jnp.asarray(target), jnp.broadcast_shapes(jnp.shape(target), jnp.shape(pred)))
