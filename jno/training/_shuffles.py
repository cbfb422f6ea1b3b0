"""Batches without replacement: cut from random orders, whose entries are computed one by one."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, UInt32

from jno.utils import Shuffle as Shuffle

_STEP_BITS = 32
"""A number of a batch has at most that many bits, a power of two."""


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

        The product of number and size needs more than 32 bits, so it is divided bit by bit: each bit that is set adds
        whole passes and a place in a pass, and two places make a pass where they reach the number of rows. Adding
        the bits in pairs takes a tenth of the operations of adding one after the other.
        """
        multiples = [divmod(self.size << bit, self.rows) for bit in range(_STEP_BITS)]
        passes, places = np.array([(quotient % 2**32, remainder) for quotient, remainder in multiples], np.uint32).T
        is_set = (number.astype(jnp.uint32) >> np.arange(_STEP_BITS, dtype=np.uint32)) & 1
        passed, place = is_set * passes, is_set * places
        while (half := place.size // 2) > 0:
            passed, place = passed[:half] + passed[half:], place[:half] + place[half:]
            turned = (place >= np.uint32(self.rows)).astype(jnp.uint32)
            passed, place = passed + turned, place - turned * np.uint32(self.rows)
        return passed[0], place[0]
