"""Named samplers: points of the unit cube, which every region maps onto itself preserving measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from jno.sampler import Graded

# a name, denser points near places, a callable, or indices of nodes
Sampler: TypeAlias = str | Graded | Callable[..., Any] | np.ndarray

Unit = Float[np.ndarray, "n K"]


def _uniform(count: int, dimension: int, generator: np.random.Generator) -> Unit:
    return generator.random((count, dimension))


def _latin_hypercube(count: int, dimension: int, generator: np.random.Generator) -> Unit:
    """One point in each of `n` layers of every coordinate (McKay, Beckman and Conover 1979)."""
    from scipy.stats import qmc

    return qmc.LatinHypercube(dimension, rng=generator).random(count)


def _sobol(count: int, dimension: int, generator: np.random.Generator) -> Unit:
    """The first points of a scrambled sequence (Sobol 1967, Owen 1998)."""
    from scipy.stats import qmc

    # scipy warns unless it draws a power of two at once
    drawn = qmc.Sobol(dimension, rng=generator).random_base2(max(int(np.ceil(np.log2(count))), 0))
    return drawn[:count]


def _halton(count: int, dimension: int, generator: np.random.Generator) -> Unit:
    """The first points of a scrambled sequence (Halton 1960, Owen 2017)."""
    from scipy.stats import qmc

    return qmc.Halton(dimension, rng=generator).random(count)


def _equispaced(count: int, dimension: int, generator: np.random.Generator) -> Unit:
    """Midpoints of `n` equal pieces of a curve."""
    if dimension != 1:
        raise ValueError(
            "The sampler 'equispaced' places points along a curve: a boundary in the plane, or an interval. Use "
            "'sobol' or 'latin_hypercube' for evenly spread points of an area or volume."
        )
    return (np.arange(count)[:, None] + 0.5) / count


_RULES: dict[str, Callable[[int, int, np.random.Generator], Unit]] = {
    "uniform": _uniform,
    "latin_hypercube": _latin_hypercube,
    "sobol": _sobol,
    "halton": _halton,
    "equispaced": _equispaced,
}
NAMES = tuple(_RULES)


def check_name(tag: str, sampler: str) -> None:
    """A known name."""
    if sampler not in _RULES:
        raise ValueError(f"Unknown sampler {sampler!r} of {tag!r}; named samplers are {', '.join(NAMES)}.")


def unit_points(sampler: str | None, count: int, dimension: int, generator: np.random.Generator) -> Unit:
    """`count` points of the unit cube by the named sampler; `None` is `"uniform"`."""
    return _RULES["uniform" if sampler is None else sampler](count, dimension, generator)
