"""Which units the parameters of a damped step are measured in: those in which the loss fell more when last tried.

Damping holds back a parameter the more, the less it changes the residuals in its unit.  With the lengths of the columns
of the Jacobian as units (Marquardt 1963) all move as far as each other, with units of one (Levenberg 1944) the weights
inside a network, whose columns are short while its output is small, hardly move.  No choice serves all problems: after
250 steps on problems of `benchmarks/accuracy` from one random network the losses were

====================  =============  ========  =============
units                 square roots   lengths   alternating
====================  =============  ========  =============
Wave 1d-C             4e+1           5e-6      9e-4
Burgers 1d-C          3e-10          2e-7      4e-10
Helmholtz             1e-9           2e-9      2e-9
====================  =============  ========  =============

and it shows only after some tens of steps: what falls faster in a single step is no guide.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._damped_path import FIRST_DAMPING

EXPONENTS = (0.5, 1.0)
"""Powers of the lengths of the columns that are units."""
_TRIAL, _CYCLE = 5, 30
"""In every cycle of steps each of the units is tried for some, the better one is used for the others."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AlternatingUnits:
    """What is remembered of every kind of unit, in the order of `EXPONENTS`.

    Attributes:
        damping: that of the next step in these units.
        decrease: logarithm of the ratio of the losses before and after its latest trial.
    """

    damping: Float[Array, " 2"]
    decrease: Float[Array, " 2"]

    @classmethod
    def initial(cls, dtype: jnp.dtype) -> AlternatingUnits:
        """Before the first step."""
        return cls(jnp.full(2, FIRST_DAMPING, dtype), jnp.zeros(2, dtype))

    def position(self, count: Int[Array, ""]) -> Int[Array, ""]:
        """Which of `EXPONENTS` the step after ``count`` others has."""
        turn = count % _CYCLE // _TRIAL
        return jnp.where(turn < 2, turn, jnp.argmax(self.decrease))

    def with_damping(self, position: Int[Array, ""], damping: Float[Array, ""]) -> AlternatingUnits:
        """With the damping of the next step in one of the units."""
        return dataclasses.replace(self, damping=self.damping.at[position].set(damping))

    def compared(
        self, count: Int[Array, ""], position: Int[Array, ""], before: Float[Array, ""], after: Float[Array, ""]
    ) -> AlternatingUnits:
        """With what the loss was before and after the step that followed ``count`` others, in one of the units."""
        place = count % _CYCLE
        smallest = jnp.finfo(self.decrease.dtype).tiny
        fallen = jnp.log(jnp.maximum(before, smallest)) - jnp.log(jnp.maximum(after, smallest))
        earlier = jnp.where(place % _TRIAL == 0, 0.0, self.decrease[position])
        decrease = jnp.where(place < 2 * _TRIAL, earlier + fallen, self.decrease[position])
        # the loss may have another precision than the parameters
        return dataclasses.replace(self, decrease=self.decrease.at[position].set(decrease.astype(self.decrease.dtype)))
