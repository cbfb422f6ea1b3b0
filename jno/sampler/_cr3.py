"""Causal R3: a gate in time lets points gather where the solution can be known by now."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, PyTree

from jno.utils import NUMBER, checked, integer

from ._retaining import RetainingStrategy
from ._situation import Situation
from ._strategy import checked_nonnegative, checked_positive, documented


@documented
class CausalR3(RetainingStrategy):
    """R3 on residuals that a causal gate weighs: times beyond a front that moves forward do not count yet.

    The gate is `g(t) = (1 − tanh(α (τ − γ))) / 2` with the time `τ` scaled to `[0, 1]`. Points are retained by
    `g |r|` above its mean. Then the front moves on, the faster the smaller the gated loss is, by
    `min(resample_every · η_g exp(−ε mean(g r²)), δ_max)`: the paper moves it in every epoch, and the sum of the moves
    of `resample_every` epochs is made at once. The paper also puts the gate into the loss; multiply the residual by a
    weight of your own for that.

    On a domain with time levels the points exist at all of them, and the gate weighs the levels: a point counts by
    the gated mean of its residuals over time. Where time is a coordinate of the points (they have times of their own,
    `time=(t0, t1)`, or the domain is a box in space and time), `t_index` names its column, by default the last.

    Args:
        t_index: column of the time in the points; not used where there are time levels.
        alpha: steepness `α` of the gate.
        gamma0: first place `γ` of the front.
        eta_g: speed `η_g` of the front per epoch.
        epsilon: how strongly the loss holds the front back, `ε`.
        delta_max: longest move `δ_max` of the front at once.
        min_retain: least share of the points that is retained.
        max_retain: largest share that is retained.

    Raises:
        ValueError: numbers out of range; when points are replaced, a `t_index` that they do not have.

    Example:
        >>> import jno
        >>> d = jno.domain.line(time=(0.0, 1.0, 11))
        >>> x, t = d.variable("interior", (50, "uniform"), jno.sampler.cr3(resample_every=50, start_epoch=0))

    Source: the same as that of `R3`.
    """

    @checked(t_index=integer(-64, 63), gamma0=NUMBER)
    def __init__(
        self,
        resample_every: int = 100,
        resample_fraction: float | int = 0.5,
        start_epoch: int = 1000,
        t_index: int = -1,
        alpha: float | int = 5.0,
        gamma0: float | int = -0.5,
        eta_g: float | int = 1e-3,
        epsilon: float | int = 20.0,
        delta_max: float | int = 0.1,
        min_retain: float | int = 0.1,
        max_retain: float | int = 0.9,
    ) -> None:
        super().__init__(resample_every, resample_fraction, start_epoch, min_retain, max_retain)
        self.t_index, self.gamma0 = int(t_index), float(gamma0)
        self.alpha, self.eta_g = checked_positive("alpha", alpha), checked_positive("eta_g", eta_g)
        self.epsilon = checked_nonnegative("epsilon", epsilon)
        self.delta_max = checked_positive("delta_max", delta_max)

    def init(self) -> PyTree:
        """The place of the front."""
        return np.float64(self.gamma0)

    def gate(self, time: Float[np.ndarray, " *T"], gamma: float) -> Float[np.ndarray, " *T"]:
        """`g` at times scaled to `[0, 1]`."""
        return 0.5 * (1.0 - np.tanh(self.alpha * (time - gamma)))

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """See `ResamplingStrategy.choose`."""
        assert situation.scores is not None
        gate = self.gate(self._scaled_times(situation), float(state))
        gated = (gate * situation.scores).mean(axis=0)
        choice = self.released(situation, gated, float(gated.mean()))
        loss = float(np.mean(gate * (situation.scale * situation.scores) ** 2))
        move = self.resample_every * self.eta_g * np.exp(-self.epsilon * loss)
        return choice, np.float64(state + min(move, self.delta_max))

    def _scaled_times(self, situation: Situation) -> Float[np.ndarray, "T N"]:
        """The time of every score in `[0, 1]`."""
        if len(situation.times) > 1:
            times, all_times = situation.times[:, None], situation.times
        else:
            columns = situation.points.shape[1]
            if not -columns <= self.t_index < columns:
                raise ValueError(f"cr3(t_index={self.t_index}): the points have {columns} column(s)")
            times = situation.points[None, :, self.t_index]
            all_times = np.concatenate([times[0], situation.candidates[:, self.t_index]])
        span = max(float(np.ptp(all_times)), np.finfo(np.float64).tiny)
        return np.broadcast_to((times - all_times.min()) / span, (len(situation.times), len(situation.points)))
