"""What an envelope that vanishes on a curved boundary costs beside a polynomial: it is the same in every step."""

from __future__ import annotations

from typing import Any

import foundax
import jax
import optax

import jno

from ._measure import Effort, interleaved, ratio
from ._runners import Runner

_EDGES = 4 * 128
_POINTS = 790
_ENVELOPE, _POLYNOMIAL = "envelope", "polynomial"


class _EveryEpoch(jno.utils.Callback):
    """Wants to see every epoch, which is therefore a device call of its own."""

    def on_epoch_end(self, **keywords: Any) -> None:
        """Nothing."""


class _Solve(Runner):
    """Poisson's equation on a disk, 4×32 tanh, with a factor that is zero on the circle.

    Of many epochs in one device call XLA may find out by itself that the factor is the same in all.
    """

    def __init__(self, factor: str, *, every_epoch: bool = False) -> None:
        domain = jno.domain.disk(mesh_size=2 * jno.np.pi / _EDGES)
        x, y, _ = domain.variable("interior", sample=(_POINTS, None))
        net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=4, key=jax.random.PRNGKey(0)))
        net.optimizer(optax.adam(1e-3))
        polynomial = 1 - x**2 - y**2
        zero = domain.distance_function(smooth=True) if factor == _ENVELOPE else polynomial
        self._options: dict[str, Any] = {"callbacks": [_EveryEpoch()], "inner_steps": 1} if every_epoch else {}
        self._crux = jno.core([((net(x, y) * zero).laplacian(x, y) + 4.0).mse])

    def advance(self, count: int) -> None:
        self._crux.solve(count, **self._options)

    def losses(self, count: int) -> list[float]:
        return [float(value) for value in self._crux.solve(count, **self._options).total_loss_history[-count:]]

    def temporary_bytes(self) -> int | None:
        return None


def envelope_row() -> dict[str, float]:
    """A step with the distance to 4 × 128 edges relative to a step with a polynomial, by both clocks."""
    row: dict[str, float] = {}
    for every_epoch, calls in ((False, "epochs together"), (True, "epochs one by one")):
        runners = {name: _Solve(name, every_epoch=every_epoch) for name in (_ENVELOPE, _POLYNOMIAL)}
        blocks = interleaved(runners, Effort())
        slower = ratio(blocks[_ENVELOPE], blocks[_POLYNOMIAL])
        row |= {f"{calls}: distance / polynomial, wall": slower.wall, f"{calls}: processor": slower.processor}
    return row
