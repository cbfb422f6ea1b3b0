"""What a weak problem computes from modules and data: its solution, its trajectory, its vector of residuals."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jno.trace import Model

from ._build import WeakForm
from ._consistent import consistent_values
from ._integral import State
from ._linear import LinearSolver
from ._steps import Equation, History, NewtonOptions, Theta, diverged


@dataclasses.dataclass(frozen=True, eq=False)
class FormValue:
    """Something that is computed from a weak problem.

    Attributes:
        form: the problem.
    """

    form: WeakForm

    @property
    def domain(self) -> Any:
        """The domain of the problem."""
        return self.form.domain

    @property
    def models(self) -> tuple[Model, ...]:
        """The models in the problem."""
        return self.form.models


@dataclasses.dataclass(frozen=True, eq=False)
class SteadySolution(FormValue):
    """The solution of a steady problem.

    Attributes:
        form: the problem.
        solver: of linear systems.
        newton: when Newton's method stops.
        start: first guess; None: zero.
    """

    solver: LinearSolver
    newton: NewtonOptions
    start: Any = None

    @property
    def title(self) -> str:
        """What the value is called."""
        return "solution"

    def value(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Float[Array, " N"]:
        """The vector of all degrees of freedom; it can be differentiated by modules and data."""
        theta = (_of(self.models, modules), dict(data))
        return self.equation()(self.first_guess(theta), theta)

    def solved(
        self, start: Float[Array, " N"], modules: Mapping[int, Any], data: Mapping[str, Any]
    ) -> tuple[Float[Array, " N"], History]:
        """The same from a start, with what happened on the way."""
        theta = (_of(self.models, modules), dict(data))
        return self.equation().solve(self.first_guess(theta, start), theta)

    def check(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> None:
        """Solve once more, and raise what is wrong."""
        self.solver.direct.error = None
        self.raised(*eqx.filter_jit(self.solved)(self.guess(), modules, data))

    def raised(self, solution: Float[Array, " N"], history: History) -> Float[np.ndarray, " N"]:
        """The solution, once what happened on the way is known.

        Raises:
            ValueError: a system without a solution.
            DivergedError: Newton's method did not reach its tolerance.
        """
        direct = self.solver.direct
        if bool(history.failed):
            error, direct.error = direct.error, None
            raise error or history.error(self.newton)
        return np.asarray(solution)

    def first_guess(self, theta: Theta, start: Float[Array, " N"] | None = None) -> Float[Array, " N"]:
        """The guess with the prescribed values put in."""
        system = self.form.system
        guess = self.guess() if start is None else start
        return jnp.where(system.prescribed, system.values(jnp.zeros(()), *theta), guess)

    def guess(self) -> Float[Array, " N"]:
        """The start: zero where none was given."""
        system = self.form.system
        # not by jax.numpy, which would compile programs for it
        start = np.zeros(system.size) if self.start is None else np.asarray(self.start)
        return jax.device_put(start.astype(system.dtype))

    def equation(self) -> Equation:
        """The residual, in which prescribed unknowns stand as ``u - g``, and its derivative."""
        system = self.form.system

        def state(u: Array, theta: Theta) -> State:
            zero = jnp.zeros_like(u)
            return State((u, zero, zero), jnp.zeros((), u.dtype), *theta)

        def residual(u: Array, theta: Theta) -> Array:
            fixed = system.values(jnp.zeros(()), *theta)
            return jnp.where(system.prescribed, u - fixed, system.residual(state(u, theta)))

        def matrix(u: Array, theta: Theta, *, lags: bool = False) -> Array:
            at = dataclasses.replace(state(u, theta), lags=lags)
            return system.matrix(at, jnp.array([1.0, 0.0, 0.0], u.dtype))

        linearised = functools.partial(matrix, lags=True)

        def prescribed(theta: Theta) -> Array:
            return system.values(jnp.zeros(()), *theta)

        return Equation(residual, matrix, linearised, prescribed, self.form.affine, self.solver, self.newton)


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory(FormValue):
    """The solution of a problem in time.

    First order: ``theta`` of the new and ``1 - theta`` of the old value, which is backward Euler for 1 and the implicit
    midpoint rule for one half.  Second order: the implicit midpoint rule for values and velocities, which keeps the
    energy of linear problems.

    Attributes:
        form: the problem.
        solver: of linear systems.
        newton: when Newton's method stops.
        theta: see above.
        times: ends of all steps, the start included.
        saved: positions among them that are returned.
    """

    solver: LinearSolver
    newton: NewtonOptions
    theta: float
    times: Float[np.ndarray, " T"]
    saved: tuple[int, ...]

    @property
    def title(self) -> str:
        """What the value is called."""
        return "trajectory"

    def value(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Float[Array, "T N"]:
        """The unknowns at the saved times; of a problem of second order in time values and velocities side by side."""
        theta = (_of(self.models, modules), dict(data))
        start = initial_state(self.form, self.times[0], *theta)
        if self.form.time_order == 1:
            begin = float(self.times[0])
            start = (consistent_values(self.form, self.solver, self.newton, begin, start[0], theta), start[1])
        has_velocities = self.form.time_order == 2
        dtype = self.form.system.dtype
        times = jnp.asarray(self.times, dtype)
        lengths = np.diff(self.times)
        constant = (
            bool(np.ptp(lengths) <= 1e-9 * lengths.max()) and self.form.affine and not self.form.matrix_reads_time
        )
        entries = self._matrix(start, times[0], jnp.asarray(lengths[0], dtype), theta) if constant else None

        def advance(
            carry: tuple[Array, Array], ends: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            old, velocity = carry
            begin, end = ends
            length = end - begin
            inputs = (theta, old, velocity, begin, length, entries)
            guess = jnp.where(self.form.system.prescribed, self.form.system.values(end, *theta), old)
            new = equation(guess, inputs)
            state = (new, 2 * (new - old) / length - velocity if has_velocities else velocity)
            return state, state

        equation = self._equation()
        _, (values, velocities) = jax.lax.scan(advance, start, (times[:-1], times[1:]))
        values = jnp.concatenate([start[0][None], values])
        if has_velocities:
            velocities = jnp.concatenate([start[1][None], velocities])
            values = jnp.concatenate([values, velocities], axis=1)
        return values[jnp.asarray(self.saved)]

    def check(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> None:
        """Solve once more, and raise what is wrong."""
        direct = self.solver.direct
        direct.error = None
        values = eqx.filter_jit(self.value)(modules, data)
        if not bool(jnp.all(jnp.isfinite(values))):
            error, direct.error = direct.error, None
            raise error or diverged(self.newton)

    def _equation(self) -> Equation:
        system = self.form.system

        def residual(u: Array, inputs: Theta) -> Array:
            theta, _, _, begin, length, _ = inputs
            fixed = system.values(begin + length, *theta)
            return jnp.where(system.prescribed, u - fixed, system.residual(self._state(u, inputs)))

        def matrix(u: Array, inputs: Theta, *, lags: bool = False) -> Array:
            if inputs[5] is not None:
                return jnp.asarray(inputs[5])
            at = dataclasses.replace(self._state(u, inputs), lags=lags)
            return system.matrix(at, self._weights(inputs[4]))

        linearised = functools.partial(matrix, lags=True)

        def prescribed(inputs: Theta) -> Array:
            theta, _, _, begin, length, _ = inputs
            return system.values(begin + length, *theta)

        return Equation(residual, matrix, linearised, prescribed, self.form.affine, self.solver, self.newton)

    def _matrix(self, start: tuple[Array, Array], begin: Array, length: Array, theta: Theta) -> Float[Array, " nnz"]:
        """The matrix of a step, where all steps have the same."""
        inputs = (theta, start[0], start[1], begin, length, None)
        return self.form.system.matrix(self._state(start[0], inputs), self._weights(length))

    def _state(self, new: Array, inputs: Theta) -> State:
        (modules, data), old, velocity, begin, length, _ = inputs
        theta = self.theta
        rate = (new - old) / length
        acceleration = 2 * (rate - velocity) / length
        return State((theta * new + (1 - theta) * old, rate, acceleration), begin + theta * length, modules, data)

    def _weights(self, length: Array) -> Float[Array, " 3"]:
        return jnp.stack([jnp.asarray(self.theta, length.dtype), 1 / length, 2 / length**2])


def initial_state(
    form: WeakForm, time: ArrayLike, modules: Mapping[int, Any], data: Mapping[str, Any]
) -> tuple[Float[Array, " N"], Float[Array, " N"]]:
    """Values and velocities at the start; what is prescribed has its prescribed values."""
    system = form.system
    states = [jnp.zeros(system.size, system.dtype), jnp.zeros(system.size, system.dtype)]
    for condition in form.initial:
        values = condition.values(time, modules, data, system.dtype).astype(system.dtype)
        states[condition.derivative] = states[condition.derivative].at[condition.dofs].set(values)
    states[0] = jnp.where(system.prescribed, system.values(jnp.asarray(time, system.dtype), modules, data), states[0])
    return states[0], states[1]


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkResidual(FormValue):
    """The residual of a network for every free test function: what a variational network is trained by.

    Attributes:
        form: the problem, in whose terms networks stand for the unknowns.
    """

    @property
    def title(self) -> str:
        """What the value is called."""
        return "weak residual"

    def value(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Float[Array, " n"]:
        """One entry for every degree of freedom of the test functions that no condition removes."""
        system = self.form.system
        zero = jnp.zeros((), system.dtype)
        residual = system.residual(State((), zero, modules, data))
        return residual[np.flatnonzero(system.free)]

    def check(self, modules: Mapping[int, Any], data: Mapping[str, Any]) -> None:
        """Nothing is solved, so nothing can fail."""


def _of(models: tuple[Model, ...], modules: Mapping[int, Any]) -> dict[int, Any]:
    return {model.layer_id: modules[model.layer_id] for model in models}
