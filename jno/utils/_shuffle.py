"""Random orders whose entries are computed one by one: rows without replacement at the cost of the rows drawn.

Sorting random numbers, which is what `jax.random.permutation` and `choice` do, costs as much as there are rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, UInt32

from jno.utils._types import Key

_ROUNDS = 32
"""Pairs of entries forget their places by half in every round."""


@dataclasses.dataclass(frozen=True)
class Shuffle:
    """A random order of the rows ``0 … rows - 1``, or two of them.

    Every round pairs the rows with their mirror images about a random pivot, and swaps about half of the pairs: the
    order is one of all rows whatever their number is, and every entry can be computed alone.

    Source: Hoang, Morris, Rogaway, "An enciphering scheme based on a card shuffle", CRYPTO 2012.
    """

    rows: int
    pivots: UInt32[Array, "rounds orders"]
    coins: UInt32[Array, "rounds orders"]
    """What decides with a row whether it is swapped."""

    @classmethod
    def of(cls, keys: Sequence[Key], rows: int) -> Shuffle:
        """The orders that random keys draw."""

        def of_key(key: Key) -> tuple[Array, Array]:
            pivot_key, coin_key = jax.random.split(key)
            pivots = jax.random.randint(pivot_key, (_ROUNDS,), 0, rows).astype(jnp.uint32)
            return pivots, jax.random.bits(coin_key, (_ROUNDS,), jnp.uint32)

        pivots, coins = zip(*map(of_key, keys), strict=True)
        return cls(rows, jnp.stack(pivots, axis=1), jnp.stack(coins, axis=1))

    def __call__(
        self, places: Int[Array, "*shape"], second: Bool[Array, "*shape"] | None = None
    ) -> Int[Array, "*shape"]:
        """The rows at some places of the order, or of the second one."""
        if self.rows == 1:
            return jnp.zeros_like(places)  # which XLA cannot compile otherwise
        count = jnp.uint32(self.rows)

        def swapped(entries: Array, numbers: tuple[Array, Array]) -> tuple[Array, None]:
            pivot, coin = (n[0] if second is None else jnp.where(second, n[1], n[0]) for n in numbers)
            mirrored = jnp.where(entries <= pivot, pivot - entries, pivot + count - entries)
            return jnp.where(_heads(jnp.maximum(entries, mirrored), coin), mirrored, entries), None

        # a fused kernel of all rounds takes four times as long as a loop on a CPU; elsewhere loops wait for the host
        unroll = 1 if jax.default_backend() == "cpu" else _ROUNDS
        entries = places.astype(jnp.uint32)
        return jax.lax.scan(swapped, entries, (self.pivots, self.coins), unroll=unroll)[0].astype(places.dtype)


def _heads(rows: UInt32[Array, "*shape"], coin: UInt32[Array, ...]) -> Bool[Array, "*shape"]:
    """A coin for every row, by the multiplications of MurmurHash3's last steps."""
    mixed = (rows ^ coin) * jnp.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> 13)) * jnp.uint32(0xC2B2AE35)
    return mixed >> 31 == 1
