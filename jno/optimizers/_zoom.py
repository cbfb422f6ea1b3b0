"""A line search for the strong Wolfe conditions that holds one copy of the loss and its gradient.

The compiler inlines a loss wherever it is called, so the search is a loop with one evaluation in its body: a record
says which step is tried next and what is known of the line so far. Its steps are those of
``optax.scale_by_zoom_linesearch``, which evaluates at two places. Between two evaluations the record is one vector, and
so is the gradient: for every number that a loop hands on by itself the compiler makes a function with all that leads to
it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

_Scalar: TypeAlias = Float[Array, ""]
_EXACT = jax.lax.Precision.HIGHEST

_SUFFICIENT_DECREASE = 1e-4
"""Share of the slope at the start that a step must bring (Armijo)."""
_CURVATURE = 0.9
"""Share of the slope at the start that may be left (strong Wolfe)."""
_ROUNDING = 1e-6
"""Relative increase of the loss that counts as none where the slope shows descent (Hager and Zhang)."""
_GROWTH = 2.0
"""Factor from one trial to the next while no minimum is enclosed."""
_SHORTEST = 1e-5
"""Length of an interval that is not divided further."""


class _LinePoint(NamedTuple):
    """A step along the line, with the loss and its slope there."""

    step: _Scalar
    value: _Scalar
    slope: _Scalar


class _Search(NamedTuple):
    """What is known of the line, and the step to try next."""

    evaluations: Int[Array, ""]
    trial: _Scalar
    start: _LinePoint
    latest: _LinePoint
    """The trial before."""
    enclosed: Bool[Array, ""]
    """Whether a step that fulfils the conditions lies between `low` and `high`."""
    low: _LinePoint
    high: _LinePoint
    dropped: _LinePoint
    """The end that the interval had before, a third point of the interpolating cubic."""
    safe: _LinePoint
    """The best step so far that decreases the loss enough; of length 0 before there is one."""
    decrease_error: _Scalar
    curvature_error: _Scalar
    done: Bool[Array, ""]
    failed: Bool[Array, ""]


class _Carry(NamedTuple):
    """What the loop hands on: the search as a vector, the gradient at its latest point and at its safe one."""

    search: Float[Array, " s"]
    gradient: Float[Array, " n"]
    safe_gradient: Float[Array, " n"]


def zoom_line_search(evaluations: int) -> optax.GradientTransformationExtraArgs:
    """``alpha`` times the direction, so that the strong Wolfe conditions hold, tried at ``alpha = 1`` first.

    Args:
        evaluations: most evaluations of the loss and its gradient in one step.

    Returns:
        a transform with the state, and the keywords, of ``optax.scale_by_zoom_linesearch``.

    Source: J. Nocedal, S. Wright, "Numerical Optimization", algorithms 3.5 and 3.6; W. Hager, H. Zhang, "Algorithm 851:
    CG_DESCENT", ACM Trans. Math. Softw. 32 (2006), for the decrease to rounding.
    """
    reference = optax.scale_by_zoom_linesearch(max_linesearch_steps=evaluations, initial_guess_strategy="one")

    def update(
        updates: PyTree,
        state: Any,
        params: PyTree,
        *,
        value: Any,
        grad: PyTree,
        value_fn: Callable[..., Any],
        **extra: Any,
    ) -> tuple[PyTree, Any]:
        position, unravel = ravel_pytree(params)
        direction, start_gradient = _vector(updates, position), _vector(grad, position)
        begun, unpack = ravel_pytree(_begun(position, value, jnp.vdot(direction, start_gradient, precision=_EXACT)))

        def goes_on(carry: _Carry) -> Bool[Array, ""]:
            search: _Search = unpack(carry.search)
            return ~(search.done | search.failed)

        def body(carry: _Carry) -> _Carry:
            search: _Search = unpack(carry.search)
            loss, leaves = jax.value_and_grad(value_fn)(unravel(position + search.trial * direction), **extra)
            gradient = _vector(leaves, position)
            new = _advanced(search, loss, jnp.vdot(direction, gradient, precision=_EXACT), evaluations)
            safe = jnp.where(new.safe.step == search.trial, gradient, carry.safe_gradient)
            return _Carry(ravel_pytree(new)[0], gradient, safe)

        carry = jax.lax.while_loop(goes_on, body, _Carry(begun, start_gradient, start_gradient))
        search = unpack(carry.search)
        back = search.failed & ((search.safe.step > 0) | jnp.isinf(search.decrease_error))
        point = _where(back, search.safe, search.latest)
        gradient = unravel(jnp.where(back, carry.safe_gradient, carry.gradient))
        scaled = jax.tree.map(lambda change: point.step.astype(change.dtype) * change, updates)
        counts = state.info._replace(
            num_linesearch_steps=search.evaluations,
            decrease_error=search.decrease_error,
            curvature_error=search.curvature_error,
        )
        new = state._replace(learning_rate=point.step, value=point.value, grad=gradient, info=counts)
        return scaled, jax.tree.map(lambda leaf, old: jnp.asarray(leaf, jnp.result_type(old)), new, state)

    return optax.GradientTransformationExtraArgs(reference.init, update)


def _vector(tree: PyTree, like: Float[Array, " n"]) -> Float[Array, " n"]:
    return ravel_pytree(tree)[0].astype(like.dtype)


def _begun(position: Float[Array, " n"], value: Any, slope: _Scalar) -> _Search:
    dtype = position.dtype
    zero, infinite = jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
    start, no = _LinePoint(zero, jnp.asarray(value, dtype), slope), jnp.bool_(False)
    return _Search(
        jnp.int32(0), jnp.ones((), dtype), start, start, no, start, start, start, start, infinite, infinite, no, no
    )


def _advanced(search: _Search, value: Any, slope: _Scalar, evaluations: int) -> _Search:
    """The search after an evaluation at its trial."""
    point = _LinePoint(search.trial, jnp.asarray(value, search.trial.dtype), slope)
    decrease, curvature = _decrease_error(point, search.start), _curvature_error(point, search.start)
    done = jnp.maximum(decrease, curvature) <= 0
    safe = _where((decrease <= 0) & (~search.enclosed | (point.value < search.safe.value)), point, search.safe)

    low, high, encloses = _enclosing(search, point, decrease)
    low, high, dropped = _where(search.enclosed, _divided(search, point, decrease), (low, high, low))
    enclosed = search.enclosed | encloses | done
    trial = jnp.where(enclosed, _interpolated(low, high, dropped), _GROWTH * point.step)

    count = search.evaluations + 1
    short = search.enclosed & (jnp.abs(search.high.step - search.low.step) <= _SHORTEST) & (safe.step > 0)
    failed = ((count >= evaluations) | short) & ~done
    return _Search(
        count, trial, search.start, point, enclosed, low, high, dropped, safe, decrease, curvature, done, failed
    )


def _enclosing(search: _Search, point: _LinePoint, decrease: _Scalar) -> tuple[_LinePoint, _LinePoint, Bool[Array, ""]]:
    """The interval between the last two trials, and whether it encloses a minimum: algorithm 3.5."""
    rises = (decrease > 0) | ((point.value >= search.latest.value) & (search.evaluations > 0))
    turns = (point.slope >= 0) & ~rises
    low, high = _where(turns, (point, search.latest), (search.latest, point))
    return low, high, rises | turns


def _divided(search: _Search, point: _LinePoint, decrease: _Scalar) -> tuple[_LinePoint, _LinePoint, _LinePoint]:
    """The part of an interval in which a minimum is, and the end that went: algorithm 3.6."""
    low, high = search.low, search.high
    rises = (decrease > 0) | (point.value >= low.value)
    turns = (point.slope * (high.step - low.step) >= 0) & ~rises
    new_high = _where(rises, point, _where(turns, low, high))
    return _where(rises, low, point), new_high, _where(rises | turns, high, low)


def _interpolated(low: _LinePoint, high: _LinePoint, dropped: _LinePoint) -> _Scalar:
    """The minimum of a cubic, or else of a parabola, where it is well inside the interval, or else its middle."""
    length = jnp.abs(high.step - low.step)
    left, right = jnp.minimum(low.step, high.step), jnp.maximum(low.step, high.step)

    def inside(step: _Scalar, margin: float) -> Bool[Array, ""]:
        return (step > left + margin * length) & (step < right - margin * length)  # false for NaN

    cubic, parabola = _minimum_of_cubic(low, high, dropped), _minimum_of_parabola(low, high)
    middle = jnp.where(inside(parabola, 0.1), parabola, (low.step + high.step) / 2)
    return jnp.where(inside(cubic, 0.2), cubic, middle)


def _minimum_of_cubic(low: _LinePoint, high: _LinePoint, third: _LinePoint) -> _Scalar:
    """Of the cubic with the value and slope of one point and the values of two others; NaN if there is none.

    With ``p(s) = value + slope s + b s² + a s³`` the two values give ``r = b + a s`` at both distances ``s``.
    """
    s, t = high.step - low.step, third.step - low.step
    at_s = (high.value - low.value - low.slope * s) / s**2
    at_t = (third.value - low.value - low.slope * t) / t**2
    a = (at_s - at_t) / (s - t)
    b = at_s - a * s
    return low.step + (jnp.sqrt(b * b - 3 * a * low.slope) - b) / (3 * a)


def _minimum_of_parabola(low: _LinePoint, high: _LinePoint) -> _Scalar:
    distance = high.step - low.step
    bend = (high.value - low.value - low.slope * distance) / distance**2
    return low.step - low.slope / (2 * bend)


def _decrease_error(point: _LinePoint, start: _LinePoint) -> _Scalar:
    """By how much a step misses a sufficient decrease, exactly or to rounding; infinite where the loss is NaN."""
    exact = point.value - start.value - _SUFFICIENT_DECREASE * point.step * start.slope
    to_rounding = jnp.maximum(
        point.slope - (2 * _SUFFICIENT_DECREASE - 1) * start.slope,
        point.value - start.value - _ROUNDING * jnp.abs(start.value),
    )
    error = jnp.maximum(jnp.minimum(to_rounding, exact), 0)
    return jnp.where(jnp.isnan(error), jnp.inf, error)


def _curvature_error(point: _LinePoint, start: _LinePoint) -> _Scalar:
    """By how much the slope is steeper than the conditions allow."""
    error = jnp.maximum(jnp.abs(point.slope) - _CURVATURE * jnp.abs(start.slope), 0)
    return jnp.where(jnp.isnan(error), jnp.inf, error)


def _where(condition: Bool[Array, ""], yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
