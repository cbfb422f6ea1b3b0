"""Named samplers inside compiled code: random points of the unit cube by a key alone, as numbers of 32 bits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from jno.utils import Key, Shuffle

Table: TypeAlias = Any
"""An array of a registered dataclass: of the host, of the device, or what JAX puts in its place while it maps."""

Bits = UInt32[Array, "n K"]
"""Coordinates in units of 2⁻³²: a shift modulo one is an addition, a digital shift an exclusive or."""

_DIGITS = 32
_SPAN = 2**_DIGITS


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class DeviceSampler:
    """`count` random points of the unit cube `[0, 1]^K`.

    Attributes:
        sequence: the points `(n, K)` before they are randomised, `None` for samplers that have none.
        name: of the sampler.
        count: number of points.
        coordinates: the dimension `K`.
    """

    sequence: Table
    name: str = dataclasses.field(metadata={"static": True})
    count: int = dataclasses.field(metadata={"static": True})
    coordinates: int = dataclasses.field(metadata={"static": True})

    @classmethod
    def named(cls, name: str | None, count: int, coordinates: int) -> DeviceSampler:
        """The sampler of a name; `None` is `"uniform"`."""
        name = "uniform" if name is None else name
        return cls(_sequence(name, count, coordinates), name, count, coordinates)

    def __call__(self, key: Key) -> Bits:
        """The points that belong to a key."""
        return _RULES[self.name](self, key)


def _sequence(name: str, count: int, coordinates: int) -> UInt32[np.ndarray, "n K"] | None:
    """The first points of a sequence, or the midpoints of equal pieces, before they are randomised."""
    from scipy.stats import qmc

    if name == "sobol":
        unit = qmc.Sobol(coordinates, scramble=False, bits=_DIGITS).random_base2(int(count - 1).bit_length())[:count]
    elif name == "halton":
        unit = qmc.Halton(coordinates, scramble=False).random(count)
    elif name == "equispaced":
        unit = (np.arange(count)[:, None] + 0.5) / count
    else:
        return None
    return np.minimum(unit * _SPAN, _SPAN - 1).astype(np.uint32)


def _uniform(sampler: DeviceSampler, key: Key) -> Bits:
    return random_bits(key, (sampler.count, sampler.coordinates))


def _latin_hypercube(sampler: DeviceSampler, key: Key) -> Bits:
    """One point in each of `n` layers of every coordinate (McKay, Beckman and Conover 1979)."""
    order_key, place_key = jax.random.split(key)
    count, shape = sampler.count, (sampler.count, sampler.coordinates)
    orders = [Shuffle.of([key], count)(jnp.arange(count)) for key in jax.random.split(order_key, sampler.coordinates)]
    layers = jnp.stack(orders, axis=1).astype(jnp.uint32)
    height = jnp.uint32(_SPAN // count if count > 1 else _SPAN - 1)
    return layers * height + random_bits(place_key, shape) % height


def _sobol(sampler: DeviceSampler, key: Key) -> Bits:
    """A linear scramble of the digits and a digital shift (Matoušek 1998): a random point set that stays a net.

    To every digit a random combination of the more significant ones is added, modulo two.
    """
    assert sampler.sequence is not None
    column_key, shift_key = jax.random.split(key)
    sequence = jnp.asarray(sampler.sequence)
    digits = (sampler.count - 1).bit_length()  # of the first 2ᵐ points only m digits differ from zero
    columns = random_bits(column_key, (digits, sampler.coordinates))
    scrambled = jnp.broadcast_to(random_bits(shift_key, (sampler.coordinates,)), sequence.shape)
    for number in range(digits):
        place = jnp.uint32(1 << (_DIGITS - 1 - number))
        column = place | (columns[number] & (place - 1))
        scrambled = scrambled ^ jnp.where(sequence & place, column, jnp.uint32(0))
    return scrambled


def _halton(sampler: DeviceSampler, key: Key) -> Bits:
    """A random shift modulo one (Cranley and Patterson 1976)."""
    assert sampler.sequence is not None
    return jnp.asarray(sampler.sequence) + random_bits(key, (sampler.coordinates,))


def _equispaced(sampler: DeviceSampler, key: Key) -> Bits:
    """Midpoints of `n` equal pieces of a curve, whatever the key is."""
    assert sampler.sequence is not None
    return jnp.asarray(sampler.sequence)


_RULES: dict[str, Callable[[DeviceSampler, Key], Bits]] = {
    "uniform": _uniform,
    "latin_hypercube": _latin_hypercube,
    "sobol": _sobol,
    "halton": _halton,
    "equispaced": _equispaced,
}


def random_bits(key: Key, shape: tuple[int, ...]) -> UInt32[Array, "*shape"]:
    """Random numbers of 32 bits by Philox (Salmon et al. 2011), which costs a sixth of `jax.random.bits` on a CPU."""
    words = jax.random.key_data(key).ravel()[:2]
    state = jnp.concatenate([words, jnp.zeros(2, jnp.uint32)])
    return jax.lax.rng_bit_generator(state, shape, jnp.uint32, jax.lax.RandomAlgorithm.RNG_PHILOX)[1]


def unit_floats(bits: UInt32[Array, "*shape"], dtype: np.dtype) -> Float[Array, "*shape"]:
    """The numbers between zero and one, never one of the two: middles of intervals that the type resolves."""
    digits = min(_DIGITS, jnp.finfo(dtype).nmant)
    coarse = jax.lax.shift_right_logical(bits, jnp.uint32(_DIGITS - digits)) if digits < _DIGITS else bits
    return (coarse.astype(dtype) + jnp.asarray(0.5, dtype)) * jnp.asarray(2.0**-digits, dtype)
