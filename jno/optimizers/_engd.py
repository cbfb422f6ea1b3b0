"""Energy natural gradient descent: least-squares steps for residuals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

_DENSE = 4096
"""Above this many parameters and residuals no matrix is formed."""
_CG_STEPS = 200
_HALVINGS = 31
_DAMPING = np.logspace(1, -15, 33)


@runtime_checkable
class LeastSquares(Protocol):
    """A loss of the parameters that is the sum of squares of its residuals."""

    def __call__(self, parameters: Any) -> Any:
        """The loss."""

    def residuals(self, parameters: Any) -> Any:
        """The vector whose squares add up to the loss."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ENGDState:
    """Steps done, and with ``gram_interval > 1`` the Gram matrix ``(P, P)`` that is kept."""

    count: Int[Array, ""]
    gram: Any


def engd(
    *, gram_interval: int = 1, rcond: float | None = None, line_search: bool = True
) -> optax.GradientTransformationExtraArgs:
    """Energy natural gradient descent, for constraints that are mean squares.

    With the weighted residuals ``r`` of all constraints, ``loss = sum(r**2)``, and their Jacobian ``J`` by the
    parameters, the step is ``-eta d`` where ``d`` is the least-squares solution of ``(J' J) d = grad / 2``: the
    gradient in the metric of the problem, which for linear equations is the step of Gauss and Newton.  It is computed
    from the Gram matrix ``J' J``, from ``J J'`` when there are fewer residuals than parameters (Woodbury), and by
    conjugate gradients on products with ``J`` and its transpose, without forming a matrix, when both exceed 4096.
    ``eta`` is the best of ``1, 1/2, 1/4, ... 2**-30``.  Where a Gram matrix is formed, damped directions, ``(J' J + mu
    I) d = grad / 2`` with ``mu`` from ``10**-15`` to ``10`` times its largest eigenvalue, are tried as well (Levenberg
    1944, Marquardt 1963): far from a solution the undamped one may lead nowhere.  A step that is not finite, or
    improves nothing, is left out.

    Use it in double precision, on all points: ``net.optimizer(jno.optimizers.engd())``.

    Args:
        gram_interval: steps after which the matrix is computed anew; above one it must fit as ``(P, P)``.
        rcond: eigenvalues of the Gram matrix below ``rcond`` times the largest count as zero; default machine precision
            times its size.
        line_search: choose ``eta`` and ``mu``; otherwise they are one and zero.

    Returns:
        A transform whose update takes ``value_fn``, the loss as a function of the parameters, with a method
        ``residuals(parameters)``.

    Raises:
        ValueError: ``gram_interval`` below one; in an update, a missing or another ``value_fn``.

    Source: J. Müller, M. Zeinhofer, "Achieving high accuracy with PINNs via energy natural gradient descent", ICML
    2023.

    >>> import jax.numpy as jnp, optax
    >>> from jno.optimizers import engd
    >>> class Loss:
    ...     def residuals(self, p):
    ...         return jnp.array([p[0] - 1.0, 10.0 * (p[1] + p[0])])
    ...
    ...     def __call__(self, p):
    ...         return jnp.sum(self.residuals(p) ** 2)
    >>> optimizer, p = engd(), jnp.zeros(2)
    >>> updates, _ = optimizer.update(jnp.zeros(2), optimizer.init(p), p, value_fn=Loss())
    >>> optax.apply_updates(p, updates).round(3).tolist()
    [1.0, -1.0]
    """
    if isinstance(gram_interval, bool) or gram_interval < 1:
        raise ValueError(f"engd(gram_interval={gram_interval!r}): it must be an integer of at least 1")

    def init(parameters: Any) -> ENGDState:
        size = ravel_pytree(parameters)[0].size
        return ENGDState(jnp.zeros((), jnp.int32), _Gram.empty(size) if gram_interval > 1 else ())

    def update(
        gradients: Any,
        state: ENGDState,
        parameters: Any = None,
        *,
        value_fn: Any = None,
        **_: Any,
    ) -> tuple[Any, ENGDState]:
        if parameters is None or not isinstance(value_fn, LeastSquares):
            raise ValueError(
                "engd needs the parameters and a value_fn with residuals at every update; core.solve gives them, for "
                "constraints that are mean squares"
            )
        start, unravel = ravel_pytree(parameters)

        def residual(vector: Any) -> Any:
            return value_fn.residuals(unravel(vector))

        gram, back = _gram(residual, start, state, gram_interval, rcond)
        r = residual(start)
        candidates = jnp.zeros((1, start.size))
        if gram is None:
            direction = _by_conjugate_gradients(residual, start)
        else:
            right = r if back is not None else jax.vjp(residual, start)[1](r)[0]
            solutions = gram.solve(right)
            candidates = solutions if back is None else solutions @ back
            direction = candidates[0]
        if not line_search:
            step = jnp.where(jnp.all(jnp.isfinite(direction)), direction, 0.0)
        else:
            halved = 0.5 ** jnp.arange(_HALVINGS, dtype=start.dtype)[:, None] * direction
            step = _best(lambda v: value_fn(unravel(v)), start, jnp.concatenate([halved, candidates[1:]]))
        kept = gram if gram_interval > 1 else ()
        return unravel(-step), ENGDState(state.count + 1, kept)

    return optax.GradientTransformationExtraArgs(init, update)


def _gram(
    residual: Callable[[Any], Any], start: Any, state: ENGDState, interval: int, rcond: float | None
) -> tuple[Any, Any]:
    """The Gram matrix of the smaller side, and ``J`` when that is the side of the residuals; none above a size."""
    count = jax.eval_shape(residual, start).size
    if interval > 1:

        def renewed(_: Any) -> Any:
            jacobian = _jacobian(residual, start)
            return _Gram.of(jacobian.T @ jacobian, rcond)

        return jax.lax.cond(state.count % interval == 0, renewed, lambda kept: kept, state.gram), None
    if min(count, start.size) > _DENSE:
        return None, None
    jacobian = _jacobian(residual, start)
    if count < start.size:
        return _Gram.of(jacobian @ jacobian.T, rcond), jacobian
    return _Gram.of(jacobian.T @ jacobian, rcond), None


def _jacobian(residual: Callable[[Any], Any], start: Any) -> Float[Array, "N P"]:
    """By forward mode when there are fewer parameters than residuals."""
    forward = start.size <= jax.eval_shape(residual, start).size
    return (jax.jacfwd if forward else jax.jacrev)(residual)(start)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Gram:
    """A symmetric positive semi-definite matrix by its eigenvalues, and the inverse ones where these count."""

    values: Float[Array, " K"]
    inverse: Float[Array, " K"]
    vectors: Float[Array, "K K"]

    @classmethod
    def of(cls, matrix: Float[Array, "K K"], rcond: float | None) -> _Gram:
        values, vectors = jnp.linalg.eigh(matrix)
        cutoff = (len(matrix) * jnp.finfo(matrix.dtype).eps if rcond is None else rcond) * values[-1]
        kept = values > cutoff
        return cls(jnp.maximum(values, 0.0), jnp.where(kept, 1.0 / jnp.where(kept, values, 1.0), 0.0), vectors)

    @classmethod
    def empty(cls, size: int) -> _Gram:
        return cls(jnp.zeros(size), jnp.zeros(size), jnp.zeros((size, size)))

    def solve(self, right: Float[Array, " K"]) -> Float[Array, "S K"]:
        """The least-squares solution, then damped ones."""
        damped = 1.0 / (self.values + _DAMPING.astype(right.dtype)[:, None] * self.values[-1])
        inverses = jnp.concatenate([self.inverse[None], damped])
        return (inverses * (self.vectors.T @ right)) @ self.vectors.T


def _by_conjugate_gradients(residual: Callable[[Any], Any], start: Any) -> Float[Array, " P"]:
    r, forward = jax.linearize(residual, start)
    backward = jax.linear_transpose(forward, start)
    damping = jnp.finfo(start.dtype).eps

    def gram(vector: Any) -> Any:
        return backward(forward(vector))[0] + damping * vector

    return jax.scipy.sparse.linalg.cg(gram, backward(r)[0], maxiter=_CG_STEPS)[0]


def _best(value: Callable[[Any], Any], start: Any, steps: Float[Array, "S P"]) -> Float[Array, " P"]:
    """The step with the smallest value, zero where none improves."""
    values = jax.lax.map(lambda step: value(start - step), steps)
    values = jnp.where(jnp.isfinite(values), values, jnp.inf)
    best = jnp.argmin(values)
    return jnp.where(values[best] < value(start), steps[best], 0.0)
