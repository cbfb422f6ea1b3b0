"""Levenberg and Marquardt's damped steps along the path of least residuals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ._gram_metric import Metric
from ._jacobian import Vector

FIRST_DAMPING = 1e-3
_RAISED, _LOWERED = 4.0, 10.0
"""Factors of the damping after a step that failed or gained less than a quarter, and after one that gained most, of
what the linear model promised."""
_TRIALS = 8
"""Times a step raises the damping; the next step goes on from there."""
_MOST_DAMPING = 1e6
_LEAST_GAIN, _POOR_GAIN, _GOOD_GAIN = 1e-4, 0.25, 0.75
_MOST_CURVATURE = 0.75
"""Largest ratio of acceleration and velocity for which the path is trusted (Transtrum and Sethna 2012)."""


@dataclasses.dataclass(frozen=True)
class Undamped:
    """The direction without damping, and by how much it lowers the loss of the linear model."""

    direction: Float[Array, " P"]
    promised: Float[Array, ""]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Trial:
    """A damping, the step with it, what that gains relative to what was promised, and the number of trials before."""

    damping: Any
    step: Any
    gain: Any
    count: Any


@dataclasses.dataclass(frozen=True)
class Path:
    """The loss near the parameters of a step, and how to go down.

    Attributes:
        value: the loss of a vector of parameters.
        start: the parameters.
        metric: the Gram matrix there.
        slope: half of the gradient, in the coordinates of the metric.
        residual: residuals of a vector of parameters whose squares make up the whole loss; None for no acceleration.
    """

    value: Callable[[Vector], Array]
    start: Float[Array, " P"]
    metric: Metric
    slope: Float[Array, " K"]
    residual: Callable[[Vector], Vector] | None

    def step(self, undamped: Undamped, damping: Float[Array, ""]) -> tuple[Float[Array, " P"], Float[Array, ""]]:
        """What to subtract from the parameters, and the damping of the next step."""
        reference = self.value(self.start)
        gain = self._gain(undamped.direction, reference, undamped.promised)
        return jax.lax.cond(
            gain >= _GOOD_GAIN,
            lambda: (undamped.direction, damping),
            lambda: self._damped(reference, damping),
        )

    def _damped(
        self, reference: Float[Array, ""], damping: Float[Array, ""]
    ) -> tuple[Float[Array, " P"], Float[Array, ""]]:
        def fails(trial: _Trial) -> Bool[Array, ""]:
            return ~(trial.gain > _LEAST_GAIN) & (trial.count < _TRIALS)

        def with_more(trial: _Trial) -> _Trial:
            return self._trial(trial.damping * _RAISED, reference, trial.count + 1)

        trial = jax.lax.while_loop(fails, with_more, self._trial(damping, reference, jnp.int32(0)))
        unchanged = jnp.where(trial.gain > _POOR_GAIN, 1.0, _RAISED)
        factor = jnp.where(trial.gain > _GOOD_GAIN, 1.0 / _LOWERED, unchanged)
        following = jnp.clip(trial.damping * factor, self.metric.least_damping, _MOST_DAMPING)
        step = jnp.where(trial.gain > _LEAST_GAIN, trial.step, 0.0)
        return step, following.astype(damping.dtype)

    def _trial(self, damping: Float[Array, ""], reference: Float[Array, ""], count: Int[Array, ""]) -> _Trial:
        metric = self.metric.damped(damping)
        velocity, promised = metric.direction(self.slope), metric.promised(self.slope)
        if self.residual is None:
            return _Trial(damping, velocity, self._gain(velocity, reference, promised), count)
        bend = metric.direction(self._curvature(self.residual, velocity))
        straight = jnp.linalg.norm(bend) <= _MOST_CURVATURE * jnp.linalg.norm(velocity)
        step = velocity + bend / 2
        return _Trial(damping, step, jnp.where(straight, self._gain(step, reference, promised), -jnp.inf), count)

    def _curvature(self, residual: Callable[[Vector], Vector], velocity: Float[Array, " P"]) -> Float[Array, " K"]:
        """The slope of the second derivative of the residuals along a direction."""

        def along(vector: Vector) -> Vector:
            return jax.jvp(residual, (vector,), (velocity,))[1]

        second = jax.jvp(along, (self.start,), (velocity,))[1]
        return self.metric.slope_of(second, lambda: jax.vjp(residual, self.start)[1](second)[0])

    def _gain(
        self, step: Float[Array, " P"], reference: Float[Array, ""], promised: Float[Array, ""]
    ) -> Float[Array, ""]:
        # of a loss that is not a number the gain is not one either, and above no limit
        return (reference - self.value(self.start - step)) / jnp.where(promised > 0.0, promised, 1.0)
