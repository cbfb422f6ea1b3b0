"""Schedules of learning rates and of loss weights, as functions of the epoch and of the losses."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from jno.utils import FLAG, NONNEGATIVE, NUMBER, POSITIVE, Kind, checked, integer, is_integral, refusal, sequence, takes


class LearningRateSchedule:
    """A learning rate (or a factor of it) that changes from epoch to epoch, for ``Model.scale``.

    Args:
        fn: a number, ``epoch -> value`` or ``(epoch, losses) -> value`` with ``losses`` the vector of constraint losses
            of the same step; written with ``jax.numpy``, it runs on the device.
        min_lr: lower bound (default: none), also of the schedules that the class methods make.
        max_lr: upper bound (default: none), likewise.

    Raises:
        TypeError: ``fn`` is neither a number nor callable.
        ValueError: bounds that exclude each other, or a constant outside of them.

    Example:
        >>> import jno
        >>> schedule = jno.LearningRateSchedule.piecewise_constant([100], [1e-2, 1e-3])
        >>> float(schedule(99)), float(schedule(100))
        (0.009999999776482582, 0.0010000000474974513)
    """

    @checked(min_lr=NUMBER, max_lr=NUMBER)
    def __init__(self, fn: object, min_lr: float | None = None, max_lr: float | None = None) -> None:
        if isinstance(fn, bool) or not (callable(fn) or isinstance(fn, int | float | np.number)):
            raise TypeError(
                f"LearningRateSchedule({fn!r}): expected a number, epoch -> value, or (epoch, losses) -> value"
            )
        if not (NONNEGATIVE.accepts(fn) or (callable(fn) and (takes(fn, 1) or takes(fn, 2)))):
            raise ValueError(
                f"LearningRateSchedule(fn={fn!r}): fn must be a number of at least 0, or take (epoch) or "
                "(epoch, losses)"
            )
        if min_lr is not None and max_lr is not None and min_lr > max_lr:
            raise ValueError(f"LearningRateSchedule: min_lr={min_lr} is above max_lr={max_lr}")
        if not callable(fn):
            outside = (min_lr is not None and fn < min_lr) or (max_lr is not None and fn > max_lr)
            if outside:
                raise ValueError(
                    f"LearningRateSchedule({fn!r}): the constant lies outside of [{min_lr}, {max_lr}], min_lr to max_lr"
                )
        self._fn = fn
        self._takes_losses = callable(fn) and _required_parameters(fn) > 1
        self.min_lr = min_lr
        self.max_lr = max_lr

    def __call__(self, epoch: ArrayLike, losses: ArrayLike | Sequence[ArrayLike] | None = None) -> Float[Array, ""]:
        """The value at an epoch."""
        if not callable(self._fn):
            return jnp.asarray(float(self._fn))
        value = jnp.asarray(self._fn(epoch, losses) if self._takes_losses else self._fn(epoch))
        if self.min_lr is None and self.max_lr is None:
            return value
        return jnp.clip(value, self.min_lr, self.max_lr)

    @classmethod
    @checked(lr=NONNEGATIVE, min_lr=NUMBER, max_lr=NUMBER)
    def constant(
        cls, lr: float | int, *, min_lr: float | None = None, max_lr: float | None = None
    ) -> LearningRateSchedule:
        """The same value at all epochs.

        Example:
            >>> import jno
            >>> float(jno.LearningRateSchedule.constant(2.0)(7))
            2.0
        """
        return cls(lr, min_lr, max_lr)

    @classmethod
    @checked(lr0=NONNEGATIVE, lr_end=NONNEGATIVE, min_lr=NUMBER, max_lr=NUMBER)
    def cosine(
        cls,
        total_steps: int,
        lr0: float | int,
        lr_end: float | int = 0.0,
        *,
        min_lr: float | None = None,
        max_lr: float | None = None,
    ) -> LearningRateSchedule:
        """``lr_end + (lr0 - lr_end) (1 + cos(pi t / total_steps)) / 2``, constant after that (Loshchilov, Hutter 2017).

        Example:
            >>> import jno
            >>> round(float(jno.LearningRateSchedule.cosine(100, 1.0)(50)), 6)
            0.5
        """

        _check_steps(total_steps=total_steps)

        def value(epoch: ArrayLike) -> Array:
            share = jnp.clip(jnp.asarray(epoch, dtype=float) / total_steps, 0.0, 1.0)
            return lr_end + (lr0 - lr_end) * 0.5 * (1.0 + jnp.cos(jnp.pi * share))

        return cls(value, min_lr, max_lr)

    @classmethod
    @checked(
        lr0=NONNEGATIVE,
        lr_end=NONNEGATIVE,
        min_lr=NUMBER,
        max_lr=NUMBER,
    )
    def warmup_cosine(
        cls,
        total_steps: int,
        warmup_steps: int,
        lr0: float | int = 1e-3,
        lr_end: float | int = 1e-6,
        *,
        min_lr: float | None = None,
        max_lr: float | None = None,
    ) -> LearningRateSchedule:
        """``lr0 (t + 1) / warmup_steps`` during the warm-up, then a cosine from ``lr0`` to ``lr_end``.

        Example:
            >>> import jno
            >>> schedule = jno.LearningRateSchedule.warmup_cosine(100, 10, 1.0, 0.0)
            >>> round(float(schedule(4)), 6), round(float(schedule(55)), 6)
            (0.5, 0.5)
        """
        _check_steps(total_steps=total_steps, warmup_steps=warmup_steps)
        if warmup_steps >= total_steps:
            raise ValueError(f"warmup_cosine: warmup_steps={warmup_steps} must be below total_steps={total_steps}")
        after = cls.cosine(total_steps - warmup_steps, lr0, lr_end)

        def value(epoch: ArrayLike) -> Array:
            rising = lr0 * (jnp.asarray(epoch, dtype=float) + 1.0) / warmup_steps
            return jnp.where(jnp.asarray(epoch) < warmup_steps, rising, after(jnp.asarray(epoch) - warmup_steps))

        return cls(value, min_lr, max_lr)

    @classmethod
    @checked(
        lr0=NONNEGATIVE,
        decay_rate=POSITIVE,
        lr_end=NONNEGATIVE,
        staircase=FLAG,
        min_lr=NUMBER,
        max_lr=NUMBER,
    )
    def exponential(
        cls,
        lr0: float | int,
        decay_rate: float | int,
        decay_steps: int,
        lr_end: float | int = 0.0,
        staircase: bool = False,
        *,
        min_lr: float | None = None,
        max_lr: float | None = None,
    ) -> LearningRateSchedule:
        """``lr0 * decay_rate ** (t / decay_steps)``, not below ``lr_end``; with ``staircase`` in steps.

        Example:
            >>> import jno
            >>> float(jno.LearningRateSchedule.exponential(1.0, 0.5, 10)(20))
            0.25
        """

        _check_steps(decay_steps=decay_steps)

        def value(epoch: ArrayLike) -> Array:
            power = jnp.asarray(epoch, dtype=float) / decay_steps
            power = jnp.floor(power) if staircase else power
            return jnp.maximum(lr0 * jnp.asarray(decay_rate, dtype=float) ** power, lr_end)

        return cls(value, min_lr, max_lr)

    @classmethod
    @checked(
        boundaries=sequence(integer(0, 2**31 - 1), "a list of epochs, integers of at least 0"),
        values=sequence(NONNEGATIVE, "a list of numbers of at least 0"),
        min_lr=NUMBER,
        max_lr=NUMBER,
    )
    def piecewise_constant(
        cls,
        boundaries: Sequence[int],
        values: Sequence[float | int],
        *,
        min_lr: float | None = None,
        max_lr: float | None = None,
    ) -> LearningRateSchedule:
        """``values[k]`` from epoch ``boundaries[k - 1]`` on, and before ``boundaries[k]``.

        Raises:
            ValueError: boundaries that do not increase, or not one value more than boundaries.

        Example:
            >>> import jno
            >>> schedule = jno.LearningRateSchedule.piecewise_constant([10, 20], [1.0, 0.5, 0.25])
            >>> float(schedule(9)), float(schedule(10)), float(schedule(25))
            (1.0, 0.5, 0.25)
        """
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"piecewise_constant needs one value more than boundaries; got {len(values)} values and "
                f"{len(boundaries)} boundaries"
            )
        if any(b <= a for a, b in itertools.pairwise(boundaries)):
            raise ValueError(f"piecewise_constant: the boundaries must increase; got {list(boundaries)}")
        steps = np.asarray(boundaries, dtype=np.int32)
        levels = np.asarray(values, dtype=np.float64)

        def value(epoch: ArrayLike) -> Array:
            return jnp.asarray(levels, dtype=float)[jnp.sum(jnp.asarray(epoch) >= steps)]

        return cls(value, min_lr, max_lr)


_WEIGHTS = Kind(
    "a list of numbers and functions, or one function (epoch, losses) -> weights",
    lambda value: (
        (takes(value, 1) or takes(value, 2))
        if callable(value)
        else isinstance(value, list | tuple | np.ndarray | jax.Array) and getattr(value, "ndim", 1) == 1
    ),
    TypeError,
)


class WeightSchedule:
    """Weights of losses that may change from epoch to epoch.

    Args:
        weights: a list of numbers and of functions ``(epoch, losses) -> number``, or one function of both that returns
            the vector.
        min_weight: lower bound of every weight; default 0.
        max_weight: upper bound; default 1e6.

    Raises:
        TypeError: an entry that is neither a number nor callable.
        ValueError: no weights, bounds that exclude each other, or a number outside of them.

    Example:
        >>> import jno
        >>> jno.WeightSchedule([1.0, lambda epoch, losses: 2.0 * epoch])(3).tolist()
        [1.0, 6.0]
    """

    @checked(weights=_WEIGHTS, min_weight=NUMBER, max_weight=NUMBER)
    def __init__(self, weights: Any, min_weight: float | int = 0.0, max_weight: float | int = 1e6) -> None:
        if min_weight > max_weight:
            raise ValueError(f"WeightSchedule: min_weight={min_weight} is above max_weight={max_weight}")
        self._entries = weights if callable(weights) else list(weights)
        self.min_weight = float(min_weight)
        self.max_weight = float(max_weight)
        if callable(weights):
            return
        if not self._entries:
            raise ValueError("WeightSchedule([]) has no weights")
        for entry in self._entries:
            if callable(entry):
                continue
            if isinstance(entry, bool) or not isinstance(entry, int | float | np.number):
                raise TypeError(f"WeightSchedule: a weight must be a number or a function, got {entry!r}")
            if not min_weight <= entry <= max_weight:
                raise ValueError(
                    f"WeightSchedule: the weight {entry} lies outside of [{min_weight}, {max_weight}], from min_weight "
                    "to max_weight"
                )

    def __call__(self, epoch: ArrayLike, losses: ArrayLike | Sequence[ArrayLike] | None = None) -> Float[Array, " C"]:
        """The vector of weights."""
        if callable(self._entries):
            values = jnp.asarray(_called(self._entries, epoch, losses), dtype=float)
        else:
            parts = [_called(entry, epoch, losses) if callable(entry) else entry for entry in self._entries]
            values = jnp.stack([jnp.asarray(part, dtype=float).reshape(()) for part in parts])
        return jnp.clip(values, self.min_weight, self.max_weight)


def _called(
    function: Callable[..., ArrayLike], epoch: ArrayLike, losses: ArrayLike | Sequence[ArrayLike] | None
) -> ArrayLike:
    return function(epoch, losses) if _required_parameters(function) > 1 else function(epoch)


def _required_parameters(function: Callable[..., Any]) -> int:
    parameters = inspect.signature(function).parameters.values()
    return sum(p.default is inspect.Parameter.empty for p in parameters)


def _check_steps(**steps: object) -> None:
    for name, value in steps.items():
        if not is_integral(value, 1):
            raise ValueError(refusal(name, value, "an integer of at least 1"))
