"""Energy natural gradient descent: least-squares steps for residuals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from jno.trace import Node

_DENSE = 2048
"""Above this many parameters and residuals no matrix is formed."""
_CG_STEPS = 200
_HALVINGS = 31
_DAMPING = np.logspace(1, -15, 17)
_LEAST_BITS = 32
_TANGENTS = 8
"""Columns of the Jacobian computed at a time: what is in flight stays in the cache, a seventh of the time of all."""


@runtime_checkable
class LeastSquares(Protocol):
    """A loss of the parameters that is the sum of squares of its residuals."""

    def __call__(self, parameters: Any) -> Any:
        """The loss."""

    def residuals(self, parameters: Any, *terms: Any) -> Any:
        """The vector whose squares add up to the loss; with a second argument, the part that belongs to these terms."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ENGDState:
    """Steps done, and with ``gram_interval > 1`` the metric that is kept, ``(P, P)``."""

    count: Int[Array, ""]
    metric: Any


def engd(
    gram_terms: Sequence[Any] | None = None,
    *,
    gram_interval: int = 1,
    rcond: float | None = None,
    line_search: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Energy natural gradient descent, for constraints that are mean squares.

    With the weighted residuals ``r`` of all constraints, ``loss = sum(r**2)``, and their Jacobian ``J`` by the
    parameters, the step is ``-eta d`` where ``d`` is the least-squares solution of ``G d = grad / 2`` with the Gram
    matrix ``G = J' J``: the gradient in the metric of the problem, which for linear equations is the step of Gauss and
    Newton.  It comes from the singular values of ``J``, as ``d = J⁺ r``, because to form ``J' J`` would square the
    condition number.  These cost the smaller side of ``J`` squared times the larger one, so that with fewer residuals
    than parameters it is the form of Woodbury, ``d = J' (J J')⁺ r``.  When both sides exceed 2048, conjugate gradients
    solve for ``d`` with products with ``J`` and its transpose, and no matrix is formed.

    ``eta`` is the best of ``1, 1/2, 1/4, ... 2**-30``.  Where none of them improves the loss, damped directions, ``(G +
    mu I) d = grad / 2`` with ``mu`` from ``10**-15`` to ``10`` times the largest eigenvalue of ``G``, are tried
    (Levenberg 1944, Marquardt 1963).  They come last: a damped step often lowers the loss more than the undamped one,
    but in a sequence of such steps the error of a Poisson problem stayed above 1e-5 where that of undamped ones fell
    to 1e-8.  A step that is not finite, or improves nothing, is left out.

    Use it in double precision, on all points: ``net.optimizer(jno.optimizers.engd())``.

    Args:
        gram_terms: which constraints make up ``G``: their positions, the constraints, or the expressions whose mean
            squares they are; default all.  The gradient is always that of all of them, and constraints that are not
            chosen need not be mean squares.
        gram_interval: steps after which ``G`` is computed anew; above one it is kept as a matrix ``(P, P)``.
        rcond: eigenvalues of ``G`` below ``rcond`` times the largest count as zero; default machine precision.  A
            larger one takes fewer steps to a larger error.
        line_search: choose ``eta`` and ``mu``; otherwise they are one and zero.

    Returns:
        A transform whose update takes ``value_fn``, the loss as a function of the parameters, with a method
        ``residuals(parameters)``, or ``residuals(parameters, gram_terms)`` when these are given.

    Raises:
        TypeError: ``gram_terms`` are not a sequence of positions and expressions.
        ValueError: no ``gram_terms``; ``gram_interval`` below one; ``rcond`` outside ``[0, 1)``; parameters in half
            precision; in an update, a missing or another ``value_fn``, or ``rcond`` in a problem that is solved by
            conjugate gradients.

    Example:
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

    Source: J. Müller, M. Zeinhofer, "Achieving high accuracy with PINNs via energy natural gradient descent", ICML
    2023.
    """
    terms = None if gram_terms is None else _checked_terms(gram_terms)
    if not isinstance(gram_interval, int) or isinstance(gram_interval, bool) or gram_interval < 1:
        raise ValueError(f"engd(gram_interval={gram_interval!r}): it must be an integer of at least 1")
    if rcond is not None and not 0.0 <= rcond < 1.0:
        raise ValueError(f"engd(rcond={rcond!r}): it must be at least 0 and below 1, or None for machine precision")

    def init(parameters: Any) -> ENGDState:
        flat = ravel_pytree(parameters)[0]
        if jnp.finfo(flat.dtype).bits < _LEAST_BITS:
            raise ValueError(
                f"engd: the parameters are {flat.dtype}, in which least squares have no accuracy; use at least "
                "float32, for a model net.dtype(jnp.float32)"
            )
        return ENGDState(jnp.zeros((), jnp.int32), _Metric.empty(flat) if gram_interval > 1 else ())

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
        half = ravel_pytree(gradients)[0].astype(start.dtype) / 2

        def residual(vector: Any) -> Any:
            leaves = unravel(vector)
            found = value_fn.residuals(leaves) if terms is None else value_fn.residuals(leaves, terms)
            return found.astype(start.dtype)

        kept: Any = ()
        if gram_interval > 1:

            def renewed(_: Any) -> _Metric:
                return _Metric.of(_jacobian(residual, start)).filled()

            kept = jax.lax.cond(state.count % gram_interval == 0, renewed, lambda old: old, state.metric)
            direction, damped = kept.by_gradient(half, rcond)
        elif min(jax.eval_shape(residual, start).size, start.size) > _DENSE:
            if rcond is not None:
                raise ValueError(
                    f"engd(rcond={rcond!r}): with more than {_DENSE} parameters and residuals conjugate gradients "
                    "compute no eigenvalues to cut off; leave rcond=None, or train fewer parameters or residuals"
                )
            direction = _by_conjugate_gradients(residual, start, half if terms is not None else None)
            damped = jnp.zeros((0, start.size), start.dtype)
        else:
            metric = _Metric.of(_jacobian(residual, start))
            if terms is None:
                direction, damped = metric.by_residual(residual(start), rcond)
            else:
                direction, damped = metric.by_gradient(half, rcond)
        if line_search:
            step = _search(lambda v: value_fn(unravel(v)), start, direction, damped)
        else:
            step = jnp.where(jnp.all(jnp.isfinite(direction)), direction, 0.0)
        return unravel(-step.astype(start.dtype)), ENGDState(state.count + 1, kept)

    return optax.GradientTransformationExtraArgs(init, update)


def _checked_terms(terms: Any) -> tuple[int | Node, ...]:
    if not isinstance(terms, Sequence) or isinstance(terms, str):
        raise TypeError(
            f"engd(gram_terms={terms!r}): it must be a sequence of constraints, their positions or expressions"
        )
    if not terms:
        raise ValueError("engd(gram_terms=[]): name at least one constraint, or leave gram_terms=None for all")
    for term in terms:
        if isinstance(term, bool) or not isinstance(term, int | Node):
            raise TypeError(
                f"engd(gram_terms=...): {term!r} is a {type(term).__name__}; allowed are positions of constraints, "
                "constraints, and the expressions whose mean squares they are"
            )
    return tuple(terms)


def _jacobian(residual: Callable[[Any], Any], start: Any) -> Float[Array, "N P"]:
    """By forward mode when there are fewer parameters than residuals."""
    values, push = jax.linearize(residual, start)
    if start.size <= values.size:
        return jax.lax.map(push, jnp.eye(start.size, dtype=start.dtype), batch_size=_TANGENTS).T
    pull = jax.linear_transpose(push, start)
    return jax.lax.map(lambda row: pull(row)[0], jnp.eye(values.size, dtype=values.dtype), batch_size=_TANGENTS)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Metric:
    """The Gram matrix by the singular values of its Jacobian; ``left`` is not kept for later steps."""

    left: Any
    values: Float[Array, " K"]
    right: Float[Array, "K P"]

    @classmethod
    def of(cls, jacobian: Float[Array, "N P"]) -> _Metric:
        return cls(*jnp.linalg.svd(jacobian, full_matrices=False))

    @classmethod
    def empty(cls, parameters: Float[Array, " P"]) -> _Metric:
        size = parameters.size
        return cls(None, jnp.zeros(size, parameters.dtype), jnp.zeros((size, size), parameters.dtype))

    def filled(self) -> _Metric:
        """Without ``left``, with zeros for the values of no residual."""
        missing = self.right.shape[1] - self.values.size
        return _Metric(None, jnp.pad(self.values, (0, missing)), jnp.pad(self.right, ((0, missing), (0, 0))))

    def by_residual(self, residual: Float[Array, " N"], rcond: float | None) -> tuple[Any, Any]:
        """The least-squares direction for the gradient of this residual, without forming that, and damped ones."""
        return self._directions(self.left.T @ residual, 1, rcond)

    def by_gradient(self, half: Float[Array, " P"], rcond: float | None) -> tuple[Any, Any]:
        """The same for half of any gradient."""
        return self._directions(self.right @ half, 2, rcond)

    def _directions(self, coefficients: Float[Array, " K"], power: int, rcond: float | None) -> tuple[Any, Any]:
        """From coefficients that are to be divided by this power of the singular values."""
        s, largest = self.values, self.values[0]
        kept = s > jnp.sqrt(jnp.finfo(s.dtype).eps if rcond is None else rcond) * largest
        direction = jnp.where(kept, coefficients / jnp.where(kept, s, 1.0) ** power, 0.0) @ self.right
        mu = _DAMPING.astype(s.dtype)[:, None] * largest**2
        return direction, (coefficients * s ** (2 - power) / (s**2 + mu)) @ self.right


def _by_conjugate_gradients(residual: Callable[[Any], Any], start: Any, half: Any) -> Float[Array, " P"]:
    """For half of a gradient, by default that of the residual."""
    r, forward = jax.linearize(residual, start)
    backward = jax.linear_transpose(forward, start)
    damping = jnp.finfo(start.dtype).eps

    def gram(vector: Any) -> Any:
        return backward(forward(vector))[0] + damping * vector

    right = backward(r)[0] if half is None else half
    return jax.scipy.sparse.linalg.cg(gram, right, maxiter=_CG_STEPS)[0]


def _search(
    value: Callable[[Any], Any], start: Any, direction: Float[Array, " P"], damped: Float[Array, "S P"]
) -> Float[Array, " P"]:
    """The best of the halved directions, else of the damped ones, else nothing."""
    reference = value(start)
    halved = 0.5 ** jnp.arange(_HALVINGS, dtype=start.dtype)[:, None] * direction

    def best(steps: Float[Array, "S P"]) -> tuple[Any, Any]:
        values = jax.lax.map(lambda step: value(start - step), steps)
        values = jnp.where(jnp.isfinite(values), values, jnp.inf)
        chosen = jnp.argmin(values)
        better = values[chosen] < reference
        return jnp.where(better, steps[chosen], 0.0), better

    step, found = best(halved)
    if not len(damped):
        return step
    return jax.lax.cond(found, lambda: step, lambda: best(damped)[0])
