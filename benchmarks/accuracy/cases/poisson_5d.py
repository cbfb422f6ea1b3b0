"""Poisson 5d of PINNacle: see `_poisson_nd`; the error is over 10,000 independent points of the cube.

Settings, fixed on 2026-11-30 before the first recorded run: one hidden layer, boundary values as a loss that counts a
hundred times, energy natural gradients from random weights.
"""

from .._case import Case, Limit, Trained
from ._poisson_nd import train_in


def train(seed: int, limit: Limit) -> Trained:
    return train_in(5, seed, limit, inside=2048, per_face=80, width=64, boundary=100.0)


CASE = Case("Poisson 5d", train, published=4.58e-4, parts=[train_in])
