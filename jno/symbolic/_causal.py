"""Weights that make training follow time: a point counts once what comes before it is solved."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jno.trace import OPERAND, FunctionCall, Placeholder, Variable, as_node
from jno.utils import POSITIVE, SharedDocumentation, checked, integer, refusal

from ._elementwise import sqrt

_SLICES = integer(2)
_documented = SharedDocumentation(
    {"t": "the time variable of the points."},
    raises={
        "TypeError": "`t` that is not a variable of one coordinate of points.",
        "ValueError": "fewer points than slices; a residual that has not one row per point.",
    },
)


@_documented
@checked(residual=OPERAND, slices=_SLICES)
def causal(residual: object, t: object, epsilon: object = 1.0, slices: int = 32) -> Placeholder:
    r"""A residual whose mean square counts a time once the residuals at earlier times are small.

    It is :math:`\sqrt{w}\,r` with the weights of `causal_weights`, so that ``causal(r, t).mse`` is their weighted mean
    :math:`\frac1N \sum_i w_i r_i^2`. Plain training of an equation in time can settle for a solution of the equation
    that does not belong to the initial values; this one goes forward from them.

    Args:
        residual: ``(N, C)``, a residual at points that have times of their own (``time=(t0, t1)``) or are drawn in a
            box of which time is a coordinate. Several equations are one residual by ``jno.np.concat``.
        epsilon: how small residuals must be for later times to count, a number or an expression. Default 1.
        slices: number of parts of the time, of equally many points. Default 32.

    Returns:
        The weighted residual ``(N, C)``; no derivative goes through the weights.

    Example:
        >>> import jno
        >>> d = jno.domain.line(time=(0.0, 1.0))
        >>> x, t = d.variable("interior", (64, "sobol"))
        >>> jno.fn.causal(x * t, t, epsilon=100.0).mse.eval().shape
        (1,)

    Source: S. Wang, S. Sankaran, P. Perdikaris, "Respecting causality is all you need for training physics-informed
        neural networks", arXiv:2203.07404, 2022.
    """
    weights = causal_weights(residual, t, epsilon, slices)
    return as_node(residual) * sqrt(weights)


@_documented
@checked(residual=OPERAND, slices=_SLICES)
def causal_weights(residual: object, t: object, epsilon: object = 1.0, slices: int = 32) -> FunctionCall:
    r"""The weights of `causal`: :math:`w_i = \exp(-\epsilon \sum_{k<i} L_k)`, `L_k` the mean square in a slice of time.

    Their least value says how far training has come: near zero at times that do not count yet, near one once
    everything is solved (then a larger `epsilon` may follow).

    Args:
        residual: ``(N, C)``, as for `causal`.
        epsilon: see `causal`. Default 1.
        slices: see `causal`. Default 32.

    Returns:
        The weights ``(N, 1)``, without derivatives.

    Example:
        >>> import jno
        >>> d = jno.domain.line(time=(0.0, 1.0))
        >>> x, t = d.variable("interior", (64, "sobol"))
        >>> bool((jno.fn.causal_weights(0 * x * t, t).eval() == 1).all())
        True
    """
    if not isinstance(t, Variable) or t.size != 1:
        raise TypeError(refusal("causal(t)", t, "the time variable of the points, from domain.variable(...)"))
    if not t.at_points:
        raise TypeError(
            "causal(t): all points exist at every time level of this domain, and at one level nothing is known of the "
            "others. Give the points times of their own: time=(t0, t1)"
        )
    if not isinstance(epsilon, Placeholder):
        POSITIVE.require(epsilon, "causal(epsilon)")
    return FunctionCall(partial(_weights, slices=slices), [residual, t, epsilon], "causal_weights")


def _weights(
    residual: Num[Array, ...], times: Float[Array, "N 1"], epsilon: Float[Array, ...], slices: int
) -> Float[Array, "N 1"]:
    count = times.shape[0]
    if count < slices:
        raise ValueError(f"causal(slices={slices}): there are only {count} points; give fewer slices or more points")
    if residual.shape[:1] != (count,):
        raise ValueError(
            f"causal(): the residual must have one row for each of the {count} points; its shape is {residual.shape}"
        )
    squares = jnp.mean(jnp.abs(residual.reshape(count, -1)) ** 2, axis=1)
    rank = jnp.argsort(jnp.argsort(times[:, 0]))
    part = rank * slices // count
    number = jnp.zeros(slices, squares.dtype).at[part].add(1.0)
    losses = jnp.zeros(slices, squares.dtype).at[part].add(squares) / number
    earlier = jnp.cumsum(losses) - losses
    weights = jnp.exp(-jnp.asarray(epsilon, squares.dtype).reshape(()) * earlier)[part]
    return jax.lax.stop_gradient(weights)[:, None]
