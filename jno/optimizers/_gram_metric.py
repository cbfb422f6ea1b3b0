"""The Gram matrix of a Jacobian, and the directions it turns residuals into."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Damped(abc.ABC):
    """The metric with a multiple of its largest eigenvalue added to all eigenvalues."""

    @abc.abstractmethod
    def direction(self, slope: Float[Array, " K"]) -> Float[Array, " P"]:
        """What to subtract from the parameters."""

    @abc.abstractmethod
    def promised(self, slope: Float[Array, " K"]) -> Float[Array, ""]:
        """By how much that lowers the loss of the linear model."""


class Metric(abc.ABC):
    """A Gram matrix ``J' J``.  Slopes are the coordinates of half of a gradient in which it is solved for."""

    @property
    @abc.abstractmethod
    def least_damping(self) -> float:
        """The smallest damping that rounding leaves a meaning, as a multiple of the largest eigenvalue."""

    @abc.abstractmethod
    def slope_of(self, residual: Float[Array, " N"], pulled: Callable[[], Float[Array, " P"]]) -> Float[Array, " K"]:
        """That of a residual ``r``, whose product ``J' r`` is ``pulled`` where it is needed."""

    @abc.abstractmethod
    def damped(self, damping: Float[Array, ""]) -> Damped:
        """The metric with this multiple of the largest eigenvalue added."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SingularValues(Metric):
    """The Gram matrix by the singular values of its Jacobian; ``left`` is not kept for later steps."""

    left: Any
    values: Float[Array, " K"]
    right: Float[Array, "K P"]

    @classmethod
    def of(cls, jacobian: Float[Array, "N P"]) -> SingularValues:
        """From the matrix of derivatives."""
        return cls(*jnp.linalg.svd(jacobian, full_matrices=False))

    @classmethod
    def empty(cls, parameters: Float[Array, " P"]) -> SingularValues:
        """Zeros, for a state that has seen no Jacobian."""
        size = parameters.size
        return cls(None, jnp.zeros(size, parameters.dtype), jnp.zeros((size, size), parameters.dtype))

    def filled(self) -> SingularValues:
        """Without ``left``, with zeros for the values of no residual."""
        missing = self.right.shape[1] - self.values.size
        return SingularValues(None, jnp.pad(self.values, (0, missing)), jnp.pad(self.right, ((0, missing), (0, 0))))

    @property
    def least_damping(self) -> float:
        return float(jnp.finfo(self.values.dtype).eps)

    # Values and slopes are relative to the largest singular value, so that no unit of the loss under- or overflows.
    def slope(self, half: Float[Array, " P"]) -> Float[Array, " K"]:
        """Half of the gradient along the singular vectors, over the square of the largest value."""
        return self.right @ half / self.largest / self.largest

    def slope_of(self, residual: Float[Array, " N"], pulled: Callable[[], Float[Array, " P"]]) -> Float[Array, " K"]:
        """Without the rounding of the product with ``J'``, where ``left`` is there."""
        return self.slope(pulled()) if self.left is None else self.relative * (self.left.T @ residual) / self.largest

    def direction(self, slope: Float[Array, " K"], rcond: float | None) -> Float[Array, " P"]:
        """The undamped direction, small eigenvalues cut off."""
        return self._undamped(slope, rcond, power=2) @ self.right

    def promised(self, slope: Float[Array, " K"], rcond: float | None) -> Float[Array, ""]:
        """By how much the undamped direction lowers the loss of the linear model."""
        return jnp.sum((self.largest * self._undamped(slope, rcond, power=1)) ** 2)

    def damped(self, damping: Float[Array, ""]) -> Damped:
        return _DampedSingularValues(self, damping)

    def _undamped(self, slope: Float[Array, " K"], rcond: float | None, power: int) -> Float[Array, " K"]:
        s = self.values
        retained = s > jnp.sqrt(jnp.finfo(s.dtype).eps if rcond is None else rcond) * s[0]
        return jnp.where(retained, slope / jnp.where(retained, self.relative, 1.0) ** power, 0.0)

    @property
    def largest(self) -> Float[Array, ""]:
        """The largest singular value, one where all are zero."""
        return jnp.where(self.values[0] > 0.0, self.values[0], 1.0)

    @property
    def relative(self) -> Float[Array, " K"]:
        """The singular values over the largest one."""
        return self.values / self.largest


@dataclasses.dataclass(frozen=True)
class _DampedSingularValues(Damped):
    metric: SingularValues
    damping: Float[Array, ""]

    def direction(self, slope: Float[Array, " K"]) -> Float[Array, " P"]:
        return (slope / (self.metric.relative**2 + self.damping)) @ self.metric.right

    def promised(self, slope: Float[Array, " K"]) -> Float[Array, ""]:
        square = self.metric.relative**2
        raised = square + self.damping
        return jnp.sum((self.metric.largest * slope) ** 2 / raised * (2.0 - square / raised))
