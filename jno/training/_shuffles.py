"""Batches without replacement: cut from random orders, whose entries are computed one by one."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

from jno.utils import Shuffle as Shuffle

_STEP_BITS = 31
"""A number of a batch has that many bits."""


@dataclasses.dataclass(frozen=True)
class Passes:
    """Batches of one size, cut from an endless row of random orders of all rows: every pass has each row once.

    Attributes:
        rows: number of rows.
        size: rows of a batch; one that lies across two passes may hold a row of each twice.
        seed: with `stream` and the number of the batch it decides the rows.
        stream: number of a random stream.
    """

    rows: int
    size: int
    seed: int
    stream: int

    def __call__(self, number: Int[Array, ""]) -> Int[Array, " size"]:
        """The rows of a batch."""
        passed, first = self._place(number)
        places = first.astype(jnp.int32) + jnp.arange(self.size, dtype=jnp.int32)
        key = jax.random.fold_in(jax.random.key(self.seed), self.stream)
        keys = [jax.random.fold_in(key, passed)]
        if self.rows % self.size == 0:
            return Shuffle.of(keys, self.rows)(places)
        turned = places >= self.rows
        keys.append(jax.random.fold_in(key, passed + 1))
        return Shuffle.of(keys, self.rows)(jnp.where(turned, places - self.rows, places), turned)

    def _place(self, number: Int[Array, ""]) -> tuple[UInt32[Array, ""], UInt32[Array, ""]]:
        """The pass in which a batch begins, and its place in the order there.

        The product of number and size needs more than 32 bits, so it is divided bit by bit.
        """
        bits, rows = number.astype(jnp.uint32), jnp.uint32(self.rows)
        passed = place = jnp.uint32(0)
        for bit in range(_STEP_BITS):
            quotient, remainder = divmod(self.size << bit, self.rows)
            is_set = (bits >> bit) & 1
            place = place + is_set * jnp.uint32(remainder)
            turned = (place >= rows).astype(jnp.uint32)
            place = place - turned * rows
            passed = passed + is_set * jnp.uint32(quotient % 2**32) + turned
        return passed, place
