"""What a network is given instead of coordinates: scaled ones, periodic functions, Fourier features."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

Numbers: TypeAlias = tuple[float, ...]


# numbers instead of arrays: nothing of this is trained, cast, masked or initialised, and equal embeddings are equal
@dataclasses.dataclass(frozen=True)
class CoordinateEmbedding:
    """A fixed map of ``D`` coordinates to the inputs of a network.

    Attributes:
        centers: of the range of every coordinate.
        half_widths: of the range of every coordinate; scaled coordinates are in [-1, 1].
        periods: of every coordinate, ``None`` where it is not periodic.
        harmonics: number of cosines and of sines of a periodic coordinate.
        frequencies: of the Fourier features, ``(inputs so far, features)``, in cycles; empty without.
    """

    centers: Numbers
    half_widths: Numbers
    periods: tuple[float | None, ...]
    harmonics: int
    frequencies: tuple[Numbers, ...] = ()

    @property
    def plain_size(self) -> int:
        """Number of inputs before Fourier features."""
        periodic = sum(period is not None for period in self.periods)
        return len(self.periods) + periodic * (2 * self.harmonics - 1)

    @property
    def size(self) -> int:
        """Number of inputs of the network."""
        return 2 * len(self.frequencies[0]) if self.frequencies else self.plain_size

    def __call__(self, *coordinates: Float[Array, "... _"]) -> Float[Array, "... S"]:
        """The inputs of the network.

        Args:
            *coordinates: arrays of one or more columns, ``D`` together.
        """
        inputs = self._scaled(coordinates) if set(self.periods) == {None} else self._with_waves(coordinates)
        if not self.frequencies:
            return inputs
        angles = inputs @ _array(2 * math.pi * np.asarray(self.frequencies), inputs.dtype)
        return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)

    def settings(self) -> dict[str, Any]:
        """The numbers as plain data, those of the frequencies as a digest: what weights are good for."""
        digest = hashlib.sha256(np.asarray(self.frequencies, dtype=np.float64).tobytes()).hexdigest()[:16]
        return {
            "centers": list(self.centers),
            "half_widths": list(self.half_widths),
            "periods": list(self.periods),
            "harmonics": self.harmonics,
            "frequencies": digest if self.frequencies else "",
        }

    def _scaled(self, coordinates: Sequence[Float[Array, "... _"]]) -> Float[Array, "... D"]:
        """All columns at once: one subtraction and one product in every derivative pass."""
        columns = _joined(coordinates)
        if not any(self.centers) and set(self.half_widths) == {1.0}:
            return columns
        return (columns - _array(self.centers, columns.dtype)) * _array(self._rates, columns.dtype)

    def _with_waves(self, coordinates: Sequence[Float[Array, "... _"]]) -> Float[Array, "... P"]:
        """Scaled columns, and in the place of periodic ones their cosines and sines."""
        parts: list[Array] = []
        for column, array in enumerate(_columns(coordinates)):
            centered, period = array - self.centers[column], self.periods[column]
            if period is None:
                parts.append(centered * self._rates[column])
            else:
                multiples = [centered * (2 * math.pi * k / period) for k in range(1, self.harmonics + 1)]
                parts += [wave(multiple) for multiple in multiples for wave in (jnp.cos, jnp.sin)]
        return _joined(parts)

    @property
    def _rates(self) -> list[float]:
        return [1 / half_width for half_width in self.half_widths]


def _columns(arrays: Sequence[Float[Array, "... _"]]) -> list[Float[Array, "... 1"]]:
    """Arrays of one column each; those that have one already are not cut."""
    widths = [array.shape[-1] for array in arrays]
    pairs = [(array, range(width)) for array, width in zip(arrays, widths, strict=True)]
    return [array if len(places) == 1 else array[..., k : k + 1] for array, places in pairs for k in places]


def _joined(parts: Sequence[Float[Array, "... _"]]) -> Float[Array, "... P"]:
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)


def _array(values: Any, dtype: DTypeLike) -> Array:
    return jnp.asarray(np.asarray(values), dtype)


def random_frequencies(count: int, scales: Numbers, draws: Float[np.ndarray, "inputs features"]) -> tuple[Numbers, ...]:
    """Normal frequencies: ``count`` of every scale, which is their standard deviation.

    Args:
        count: frequencies of a scale.
        scales: the scales.
        draws: standard normal numbers, a row for every input and a column for every frequency.
    """
    rows = draws.astype(float) * np.repeat(np.asarray(scales, dtype=float), count)
    return tuple(tuple(float(entry) for entry in row) for row in rows)
