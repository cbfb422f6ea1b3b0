"""Implicit equations: Newton's method, and derivatives of their solutions by the implicit function theorem."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._linear import DivergedError, LinearSolver

Theta = Any
"""What an equation depends on besides its unknown: a tree of arrays, and whatever else."""


@dataclasses.dataclass(frozen=True)
class NewtonOptions:
    """When Newton's method stops.

    Attributes:
        rtol: residual relative to the first one.
        atol: residual.
        steps: largest number of steps.
        halvings: how often a step may be halved.
    """

    rtol: float = 1e-8
    atol: float = 1e-8
    steps: int = 100
    halvings: int = 25


@dataclasses.dataclass(frozen=True, eq=False)
class Equation:
    """An equation ``residual(u, theta) = 0`` for a vector ``u``.

    Attributes:
        residual: the left side, in which prescribed unknowns stand as ``u - g``.
        matrix: entries of its derivative by ``u``, without what prescribed unknowns add to other rows.
        linearised: the same in which lagged coefficients have no derivative, for Newton's method.
        prescribed: the prescribed values at their places, zero elsewhere.
        affine: whether the derivative does not depend on ``u``: then one step solves it.
        solver: of linear systems.
        newton: when to stop.
    """

    residual: Callable[[Array, Theta], Float[Array, " N"]]
    matrix: Callable[[Array, Theta], Float[Array, " nnz"]]
    linearised: Callable[[Array, Theta], Float[Array, " nnz"]]
    prescribed: Callable[[Theta], Float[Array, " N"]]
    affine: bool
    solver: LinearSolver
    newton: NewtonOptions = NewtonOptions()

    def __call__(self, start: Float[Array, " N"], theta: Theta) -> Float[Array, " N"]:
        """The solution, differentiable by ``theta``; NaN where there is none, or the tolerance was not reached."""
        dynamic, static = eqx.partition(theta, eqx.is_inexact_array)
        equation = self._shared(static)

        # the start is an argument: it may be traced, and what is closed over may not
        @jax.custom_jvp
        def solution(start: Array, values: Any) -> Array:
            solved, history = equation._solved(start, values)
            return jnp.where(history.failed, jnp.nan, solved)

        @solution.defjvp
        def _(primals: tuple[Array, Any], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
            (start, values), (_, directions) = primals, tangents
            solved = solution(start, values)
            # the prescribed unknowns move with their values, which the columns of the matrix do not show
            _, lifted = jax.jvp(equation.prescribed, (values,), (directions,))
            _, change = jax.jvp(equation.residual, (solved, values), (lifted, directions))
            entries = equation.matrix(solved, values)
            return solved, lifted + self.solver(entries, -change)

        return solution(jax.lax.stop_gradient(start), dynamic)

    def solve(self, start: Float[Array, " N"], theta: Theta) -> tuple[Float[Array, " N"], History]:
        """The solution from a start, and what happened on the way."""
        dynamic, static = eqx.partition(theta, eqx.is_inexact_array)
        return self._shared(static)._solved(start, dynamic)

    def _shared(self, static: Theta) -> Equation:
        """The same of the arrays of ``theta`` alone.

        Each part is traced and lowered for all its places in a program together: the residual stands before the steps,
        in them, and in the derivative of the solution.
        """

        def once(part: Callable[[Array, Theta], Array]) -> Callable[[Array, Theta], Array]:
            return jax.jit(lambda u, values: part(u, eqx.combine(values, static)))

        return dataclasses.replace(
            self,
            residual=once(self.residual),
            matrix=once(self.matrix),
            linearised=once(self.linearised),
            prescribed=jax.jit(lambda values: self.prescribed(eqx.combine(values, static))),
        )

    def _solved(self, start: Float[Array, " N"], theta: Theta) -> tuple[Float[Array, " N"], History]:
        if self.affine:
            step = self.solver(self.matrix(start, theta), -self.residual(start, theta))
            return start + step, History(jnp.zeros(1), jnp.asarray(1), ~jnp.all(jnp.isfinite(step)))
        return self._newton(start, theta)

    def _newton(self, start: Float[Array, " N"], theta: Theta) -> tuple[Float[Array, " N"], History]:
        options = self.newton
        precision = float(jnp.finfo(start.dtype).eps)
        residual = self.residual(start, theta)
        initial = jnp.linalg.norm(residual)
        rtol, atol = max(options.rtol, 50 * precision), max(options.atol, 50 * precision)
        norms = jnp.full(options.steps + 1, jnp.nan, start.dtype).at[0].set(initial)

        def goes_on(carry: Any) -> Bool[Array, ""]:
            _, residual, _, step, stuck = carry
            size = jnp.linalg.norm(residual)
            return (size > atol + rtol * initial) & (step < options.steps) & ~stuck & jnp.isfinite(size)

        def advance(carry: Any) -> Any:
            u, residual, norms, step, _ = carry
            direction = self.solver(self.linearised(u, theta), -residual)
            u, residual, size, stuck = self._line_search(u, direction, jnp.linalg.norm(residual), theta)
            return u, residual, norms.at[step + 1].set(size), step + 1, stuck

        carry = (start, residual, norms, jnp.asarray(0), jnp.asarray(False))
        u, residual, norms, steps, _ = jax.lax.while_loop(goes_on, advance, carry)
        failed = ~(jnp.linalg.norm(residual) <= atol + rtol * initial)
        return u, History(norms, steps, failed)

    def _line_search(
        self, u: Float[Array, " N"], direction: Float[Array, " N"], size: Float[Array, ""], theta: Theta
    ) -> tuple[Array, Array, Array, Array]:
        """Halve the step until the residual falls; what does not fall at all is stuck."""

        def goes_on(carry: Any) -> Bool[Array, ""]:
            length, halvings, _, _, reached = carry
            return ~(reached <= (1 - 1e-4 * length) * size) & (halvings < self.newton.halvings)

        def halve(carry: Any) -> Any:
            length, halvings, *_ = carry
            candidate = u + length / 2 * direction
            residual = self.residual(candidate, theta)
            return length / 2, halvings + 1, candidate, residual, jnp.linalg.norm(residual)

        # half of 2, the whole step, comes first
        start = (jnp.full((), 2.0, u.dtype), jnp.asarray(-1), u, direction, jnp.full((), jnp.inf, u.dtype))
        _, _, candidate, residual, reached = jax.lax.while_loop(goes_on, halve, start)
        return candidate, residual, reached, ~(reached < size)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class History:
    """Residuals of an iteration.

    Attributes:
        norms: of the residual, before the first step and after each.
        steps: how many there were.
        failed: whether the tolerance was not reached.
    """

    norms: Any
    steps: Any
    failed: Any

    def error(self, options: NewtonOptions) -> DivergedError:
        """The error of a tolerance that was not reached, once the numbers are known."""
        last = [f"{float(norm):.3g}" for norm in self.norms[: int(self.steps) + 1][-6:]]
        return diverged(options, f": the last residuals were {', '.join(last)}")


def diverged(options: NewtonOptions, residuals: str = "") -> DivergedError:
    """The error of Newton's method, which says what to do."""
    return DivergedError(
        f"jno.fem: Newton's method did not reach its tolerance within {options.steps} steps (rtol={options.rtol}, "
        f"atol={options.atol}){residuals}; start nearer to the solution (x0=), raise the load in steps, or look for "
        "coefficients that are not smooth"
    )
