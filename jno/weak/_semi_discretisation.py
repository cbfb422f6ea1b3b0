"""A linear problem in time as a system of ordinary differential equations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ._build import WeakForm
from ._compiled_form import CompiledForm


@dataclasses.dataclass(frozen=True, eq=False)
class SemiDiscretisation:
    """A linear system in time, ``M du/dt + A u = c + f(t)``; rows of prescribed unknowns say ``u = g(t)``.

    Attributes:
        A: dense, ``(dofs, dofs)``; rows of prescribed unknowns are those of the identity.
        affine_bias: ``c``, ``(dofs,)``; zero where the load changes with time.
        forcing_vector_fn: ``t -> f(t)``, None where the load does not change.
    """

    A: Float[np.ndarray, "N N"]
    affine_bias: Float[np.ndarray, " N"]
    forcing_vector_fn: Callable[[float], Float[np.ndarray, " N"]] | None

    @classmethod
    def of(cls, form: WeakForm, compiled: CompiledForm, start: float) -> SemiDiscretisation:
        """That of a linear problem of first order in time."""
        system = form.system
        matrix = compiled.matrix(np.zeros(system.size), (1.0, 0.0, 0.0), start).toarray()
        changes = any(term.integral.function.reads_time for term in system.terms)
        if changes or any(condition.reads_time for condition in system.conditions):
            return cls(matrix, np.zeros(system.size), compiled.load)
        return cls(matrix, compiled.load(start), None)
