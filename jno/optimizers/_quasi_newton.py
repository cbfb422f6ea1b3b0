"""Directions of the self-scaled quasi-Newton methods."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree

from jno.utils import FLAG, checked

from ._self_scaling import METHODS, scaling

_SHORTER = 1e-4
"""Factor of the length of the gradient step for every further step that has not moved."""


class QuasiNewtonState(NamedTuple):
    """What the next update needs; vectors are flattened pytrees of ``n`` numbers.

    ``pairs`` counts the pairs ``(s, y)`` in ``inverse_hessian``, which is not used while it is 0; ``stalls`` counts the
    last steps that have not moved.
    """

    steps: Int[Array, ""]
    pairs: Int[Array, ""]
    stalls: Int[Array, ""]
    parameters: Float[Array, " n"]
    gradient: Float[Array, " n"]
    direction: Float[Array, " n"]
    inverse_hessian: Float[Array, "n n"]


class Pair(NamedTuple):
    """A step ``s`` and what it changes of the gradient of one loss, ``y``, as pytrees like the parameters."""

    step: PyTree
    change: PyTree


@checked(scale_init_precond=FLAG)
def scale_by_ss_quasi_newton(
    method: str = "ssbfgs", scale_init_precond: bool = True
) -> optax.GradientTransformationExtraArgs:
    """The direction ``H g`` of a self-scaled quasi-Newton method (without sign, learning rate or line search).

    With the step ``s = x₊ - x``, the change of the gradient ``y = g₊ - g`` and

        v = sqrt(y·Hy) (s / y·s - Hy / y·Hy)

    the full approximate inverse Hessian ``H`` (``n × n``, ``n`` the number of all parameters) becomes

        H₊ = (H - Hy (Hy)ᵀ / y·Hy + phi v vᵀ) / tau + s sᵀ / y·s

    so that ``H₊ y = s``. The methods differ in the scaling ``tau`` and the parameter ``phi``; with
    ``b = s·H⁻¹s / y·s`` and ``h = y·Hy / y·s``:

    - ``"bfgs"``: ``tau = phi = 1``.
    - ``"ssbfgs"``: ``tau = min(1, 1/b)``, ``phi = 1``.
    - ``"ssbroyden"``: with ``a = b h - 1``, ``c = sqrt(a / (1 + a))``, ``r = min(1, h (1 - c))``,
      ``theta = max((r - 1) / a, min(1/r, (1 - b) / b))``, ``sigma = 1 + a theta`` and
      ``q = min(1, 1/b)``, ``w = sigma^(-1 / (n - 1))``:
      ``tau = q min(w, 1/theta)`` if ``theta > 0``, else ``min(q w, sigma)``; ``phi = (1 - theta) / sigma``.

    ``H⁻¹`` is never formed: along the direction ``H⁻¹s`` is a multiple of the last gradient. What follows in the
    chain may therefore only multiply the direction by a number, as a learning rate or a line search does.

    The update of ``H`` is skipped when ``y·s`` is not positive (to rounding). ``H`` starts again as the identity when
    a step did not move or when ``H g`` is not a finite direction of descent. A gradient that is not finite gives
    a zero update and leaves the state as it is.

    A pair ``(s, y)`` is of one loss: ``update`` takes it as the keyword ``pair`` (two pytrees like the parameters),
    from the loss of the last step. Without it the gradients of two calls are subtracted, which must then be of the
    same points, samples and weights.

    Memory is ``n²`` numbers; work per step is a few passes over them.

    Args:
        method: ``"ssbfgs"``, ``"ssbroyden"`` or ``"bfgs"``.
        scale_init_precond: whether the first direction has at most length 1, ``g min(1, 1/|g|)``, and the first
            update starts from ``H = (y·s / y·y) I``; else both start from ``I``.

    Returns:
        a transform whose ``update`` needs ``params``; leaves are of any shape, ``None`` leaves are allowed.

    Raises:
        ValueError: an unknown method; ``update`` without ``params``.
        TypeError: a parameter that is not real floating point.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from jno.optimizers import scale_by_ss_quasi_newton
        >>> loss = lambda x: 0.5 * jnp.sum(jnp.array([1.0, 4.0]) * x**2)
        >>> optimizer = optax.chain(scale_by_ss_quasi_newton("ssbroyden"), optax.scale(-1.0))
        >>> x = jnp.array([1.0, 1.0])
        >>> state = optimizer.init(x)
        >>> for _ in range(15):
        ...     updates, state = optimizer.update(jax.grad(loss)(x), state, x)
        ...     x = optax.apply_updates(x, updates)
        >>> bool(loss(x) < 1e-10)
        True

    Sources: M. Al-Baali, "Numerical experience with a class of self-scaling quasi-Newton algorithms", J. Optim.
    Theory Appl. 96 (1998); M. Al-Baali, E. Spedicato, F. Maggioni, "Broyden's quasi-Newton methods for a nonlinear
    system of equations and unconstrained optimization", Optim. Methods Softw. 29 (2014); J. F. Urbán, P. Stefanou,
    J. A. Pons, "Unveiling the optimization process of physics informed neural networks", J. Comput. Phys. 523 (2025).
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"scale_by_ss_quasi_newton: unknown method {method!r}, allowed are {', '.join(METHODS)}")

    directions = _QuasiNewton(method, scale_init_precond)
    return optax.GradientTransformationExtraArgs(directions.init, directions.update)


@dataclasses.dataclass(frozen=True, eq=False)
class _QuasiNewton:
    """The transform that `scale_by_ss_quasi_newton` returns; see there for its arguments."""

    method: str
    scale_init: bool

    def init(self, params: PyTree) -> QuasiNewtonState:
        """No pair yet."""
        vector = _flat(params)
        nothing = jnp.zeros_like(vector)
        identity = jnp.eye(vector.size, dtype=vector.dtype)
        return QuasiNewtonState(jnp.int32(0), jnp.int32(0), jnp.int32(0), vector, nothing, nothing, identity)

    def update(
        self,
        updates: PyTree,
        state: QuasiNewtonState,
        params: PyTree | None = None,
        *,
        pair: Pair | None = None,
        **extra_args: Any,
    ) -> tuple[PyTree, QuasiNewtonState]:
        """The direction at a gradient."""
        del extra_args
        if params is None:
            raise ValueError(
                "scale_by_ss_quasi_newton: the parameters are needed, call update(gradients, state, params)"
            )
        gradient, unravel = ravel_pytree(updates)
        parameters = _flat(params)
        gradient = gradient.astype(parameters.dtype)
        if pair is None:
            step, change = parameters - state.parameters, gradient - state.gradient
        else:
            step, change = _flat(pair.step), ravel_pytree(pair.change)[0].astype(parameters.dtype)
        new = self._advance(state, parameters, gradient, step, change)
        finite = jnp.all(jnp.isfinite(gradient))
        new = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
        direction = jnp.where(finite, new.direction, jnp.zeros_like(gradient))
        return unravel(direction), new

    def _advance(
        self,
        state: QuasiNewtonState,
        parameters: Float[Array, " n"],
        gradient: Float[Array, " n"],
        step: Float[Array, " n"],
        change: Float[Array, " n"],
    ) -> QuasiNewtonState:
        """The state after a finite gradient, its ``direction`` being the one to follow."""
        stalled = (state.steps > 0) & jnp.all(step == 0)
        matrix, accepted = self._secant_update(state, step, change)
        pairs = jnp.where(stalled, 0, state.pairs + accepted)

        stalls = jnp.where(stalled, state.stalls + 1, 0)

        length = jnp.linalg.norm(gradient)
        steepest = gradient * jnp.minimum(1.0, 1.0 / length) if self.scale_init else gradient
        # the first step after a stall may be as long as one at the start; where that finds no decrease, it was too long
        shorter = (_SHORTER ** jnp.maximum(stalls - 1, 0)).astype(gradient.dtype)
        steepest = jnp.where(length > 0, steepest, gradient) * shorter
        newton = _matvec(matrix, gradient)
        descends = jnp.all(jnp.isfinite(newton)) & (_dot(newton, gradient) > 0)
        pairs = jnp.where(descends, pairs, 0)
        direction = jnp.where(pairs > 0, newton, steepest)
        return QuasiNewtonState(state.steps + 1, pairs, stalls, parameters, gradient, direction, matrix)

    def _secant_update(
        self, state: QuasiNewtonState, step: Float[Array, " n"], change: Float[Array, " n"]
    ) -> tuple[Float[Array, "n n"], Bool[Array, ""]]:
        """The next inverse Hessian, and whether the pair was taken."""
        curvature = _dot(change, step)
        rounding = jnp.finfo(step.dtype).eps * jnp.linalg.norm(change) * jnp.linalg.norm(step)
        accepted = (state.steps > 0) & (curvature > rounding)

        # H before the update: gamma I as long as it knows no pair
        fresh = state.pairs == 0
        gamma = curvature / _dot(change, change) if self.scale_init else jnp.ones_like(curvature)
        image = jnp.where(fresh, gamma * change, _matvec(state.inverse_hessian, change))
        stretch = -_dot(step, state.direction) / _dot(state.direction, state.direction)
        inverse_quadratic = jnp.where(fresh, _dot(step, step) / gamma, -stretch * _dot(step, state.gradient))

        quadratic = _dot(change, image)
        tau, phi = scaling(self.method, inverse_quadratic / curvature, quadratic / curvature, step.size)
        v = jnp.sqrt(quadratic) * (step / curvature - image / quadratic)
        before = jnp.where(fresh, gamma * jnp.eye(step.size, dtype=step.dtype), state.inverse_hessian)
        after = (before - jnp.outer(image, image) / quadratic + phi * jnp.outer(v, v)) / tau
        after = after + jnp.outer(step, step) / curvature
        return jnp.where(accepted, after, state.inverse_hessian), accepted


def _flat(params: PyTree) -> Float[Array, " n"]:
    for leaf in jax.tree.leaves(params):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise TypeError(
                f"quasi-Newton methods train real floating point parameters, got {jnp.result_type(leaf)}: "
                "exclude the leaf, or use a first-order method"
            )
    return ravel_pytree(params)[0]


def _dot(a: Float[Array, " n"], b: Float[Array, " n"]) -> Float[Array, ""]:
    return jnp.dot(a, b, precision=jax.lax.Precision.HIGHEST)


def _matvec(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Float[Array, " n"]:
    return jnp.dot(matrix, vector, precision=jax.lax.Precision.HIGHEST)
