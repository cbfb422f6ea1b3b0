"""Consistent initial values: what the equations say of unknowns without a derivative by time, such as a pressure."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ._build import WeakForm
from ._integral import State
from ._linear import LinearSolver
from ._steps import Equation, NewtonOptions, Theta


def consistent_values(
    form: WeakForm, solver: LinearSolver, newton: NewtonOptions, time: float, values: Float[Array, " N"], theta: Theta
) -> Float[Array, " N"]:
    """Initial values whose algebraic unknowns fit the others.

    Rates of the unknowns with a derivative by time and values of those without solve the equations at the start
    together.  An equation without algebraic unknowns, such as that of incompressible flow, is a constraint: its
    derivative by time says how the rates are bound, so that initial values which violate it slightly (interpolated
    ones do) do no harm.

    Args:
        form: a problem of first order in time.
        solver: of linear systems.
        newton: when Newton's method stops.
        time: the start.
        values: initial values; those of algebraic unknowns are not read.
        theta: modules and data.
    """
    system = form.system
    algebraic, constraints = _kinds(form)
    if not algebraic.any():
        return values
    pattern = system.pattern
    takes_values = constraints[pattern.rows] | algebraic[pattern.columns]
    begin = jnp.asarray(time, system.dtype)

    def state(unknown: Array, at: Array, inputs: Theta) -> tuple[Array, State]:
        parameters, given = inputs
        rates = jnp.where(algebraic, 0.0, unknown)
        here = jnp.where(algebraic, unknown, given)
        return rates, State((here, rates, jnp.zeros_like(here)), at, *parameters)

    def prescribed(inputs: Theta) -> Array:
        at_start, moving = jax.jvp(lambda t: system.values(t, *inputs[0]), (begin,), (jnp.ones_like(begin),))
        return jnp.where(algebraic, at_start, moving)

    def residual(unknown: Array, inputs: Theta) -> Array:
        rates, here = state(unknown, begin, inputs)

        def equations(at: Array, moved: Array) -> Array:
            return system.residual(State((moved, *here.unknowns[1:]), at, here.modules, here.data))

        value, derivative = jax.jvp(equations, (begin, here.unknowns[0]), (jnp.ones_like(begin), rates))
        free = jnp.where(constraints, derivative, value)
        return jnp.where(system.prescribed, unknown - prescribed(inputs), free)

    def matrix(unknown: Array, inputs: Theta) -> Array:
        _, here = state(unknown, begin, inputs)
        by_values, by_rates = (system.matrix(here, jnp.asarray(row, system.dtype)) for row in np.eye(3)[:2])
        return jnp.where(takes_values, by_values, by_rates)

    inputs = (theta, values)
    equation = Equation(residual, matrix, matrix, prescribed, form.affine, solver, newton)
    solved = equation(prescribed(inputs), inputs)
    return jnp.where(algebraic, solved, values)


def _kinds(form: WeakForm) -> tuple[Bool[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Where unknowns have no derivative by time, and which of their equations contain none of them."""
    system, orders = form.system, form.time_orders
    algebraic = np.zeros(system.size, dtype=bool)
    constraints = np.zeros(system.size, dtype=bool)
    coupled = {
        id(test.field) for term in system.terms for test, trial in term.integral.pairs if orders[trial.field] == 0
    }
    for space in system.spaces:
        if orders[space.field] == 0:
            algebraic[space.block] = True
            constraints[space.block] = id(space.field) not in coupled
    return algebraic, constraints
