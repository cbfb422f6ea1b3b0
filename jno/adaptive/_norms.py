"""Weights that follow what analysis callbacks measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jno.utils import POSITIVE, Kind, checked, number, sequence

from ._balancer import Balancer, Losses

NTKState: TypeAlias = tuple[Float[Array, " K"], Float[Array, " K"], Int[Array, ""]]
"""The weights, the averaged traces (zero before any), the epoch of the newest."""


@runtime_checkable
class _Measures(Protocol):
    value: Any
    latest_epoch: int | None


_MEASURING = Kind(
    "an analysis callback of jno.callbacks",
    lambda value: isinstance(value, _Measures) and not isinstance(value, type),
    TypeError,
)


class GradientNormBalanced(Balancer):
    """Weights proportional to one over the norm of each loss's gradient, with the sum ``K``.

    Args:
        tracker: a ``jno.callbacks.gradient_norms`` callback, which must be given to ``solve``; the weights are one
            until it has measured.
        eps: least norm that is divided by.

    Example:
        >>> import jno
        >>> norms = jno.callbacks.gradient_norms(interval=100)
        >>> rule = jno.fn.adaptive.GradientNormBalanced(norms)
        >>> rule([0.5, 2.0])  # norms has measured nothing: crux.solve(1000, callbacks=[norms])
        (1.0, 1.0)

    Source: S. Wang, Y. Teng, P. Perdikaris, "Understanding and mitigating gradient flow pathologies in
    physics-informed neural networks", SIAM J. Sci. Comput. 2021.
    """

    @checked(tracker=_MEASURING, eps=POSITIVE)
    def __init__(self, tracker: Any, eps: float = 1e-12) -> None:
        super().__init__()
        self.tracker, self.eps = tracker, eps

    def init(self, count: int) -> Float[Array, " K"]:
        """The weights."""
        return jnp.ones(count)

    def step(self, state: Float[Array, " K"], losses: Losses) -> tuple[Float[Array, " K"], Float[Array, " K"]]:
        """The weights that were measured last."""
        return state, state

    def refreshed(self, state: Float[Array, " K"]) -> Float[Array, " K"]:
        """Weights of the norms measured last."""
        if self.tracker.value is None:
            return state
        return _shares(1.0 / np.maximum(np.asarray(self.tracker.value["norms"]), self.eps), len(state), state.dtype)


class NTKBalanced(Balancer):
    """Weights proportional to the total trace of the neural tangent kernel over that of each loss, with the sum ``K``.

    Args:
        trackers: a ``jno.callbacks.ntk_spectrum`` callback per loss, all of which must be given to ``solve``; the
            weights are one until every one has measured.
        ema: weight of the traces measured before, in an exponential moving average.
        eps: least trace that is divided by.

    Example:
        >>> import foundax, jax, jno
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> net = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)))
        >>> u = net(x)
        >>> spectra = [jno.callbacks.ntk_spectrum(each.grad(net), interval=100) for each in (u, u.d(x))]
        >>> rule = jno.fn.adaptive.NTKBalanced(spectra)
        >>> rule([0.5, 2.0])  # nothing is measured yet: crux.solve(1000, callbacks=spectra)
        (1.0, 1.0)

    Source: S. Wang, X. Yu, P. Perdikaris, "When and why PINNs fail to train: a neural tangent kernel perspective",
    J. Comput. Phys. 2022.
    """

    @checked(
        trackers=sequence(_MEASURING, "a list of jno.callbacks.ntk_spectrum callbacks, one per loss", least=1),
        ema=number(0, below=1),
        eps=POSITIVE,
    )
    def __init__(self, trackers: Sequence[Any], ema: float = 0.9, eps: float = 1e-12) -> None:
        super().__init__(len(trackers))
        self.trackers, self.ema, self.eps = tuple(trackers), ema, eps

    def init(self, count: int) -> NTKState:
        """See `Balancer.init`."""
        return (jnp.ones(count), jnp.zeros(count), jnp.int32(-1))

    def step(self, state: NTKState, losses: Losses) -> tuple[Float[Array, " K"], NTKState]:
        """The weights that were measured last."""
        return state[0], state

    def refreshed(self, state: NTKState) -> NTKState:
        """Weights of the traces measured last."""
        weights, traces, newest = state
        epochs = [tracker.latest_epoch for tracker in self.trackers]
        if any(epoch is None for epoch in epochs) or max(epochs) == int(newest):
            return state
        measured = np.array([tracker.value["trace"] for tracker in self.trackers])
        before = np.asarray(traces)
        averaged = measured if int(newest) < 0 else self.ema * before + (1.0 - self.ema) * measured
        shares = _shares(averaged.sum() / np.maximum(averaged, self.eps), len(before), weights.dtype)
        return (shares, jnp.asarray(averaged, traces.dtype), jnp.int32(max(epochs)))


def _shares(values: Float[np.ndarray, " K"], count: int, dtype: np.dtype[Any]) -> Float[Array, " K"]:
    if values.shape != (count,):
        raise ValueError(f"the callback measured {values.shape} values for {count} losses")
    return jnp.asarray(count * values / values.sum(), dtype)
