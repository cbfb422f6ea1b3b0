"""The problem of Poisson 5d in ten dimensions: see `_poisson_nd`; the error is over 10,000 independent points.

Settings, fixed on 2026-11-30 before the first recorded run: those of five dimensions with more points on the faces.
"""

from .._case import Case, Limit, Trained
from ._poisson_nd import train_in


def train(seed: int, limit: Limit) -> Trained:
    return train_in(10, seed, limit, inside=2048, per_face=80, width=64, boundary=100.0)


CASE = Case("Poisson 10d", train, goal=1e-4, parts=[train_in])
