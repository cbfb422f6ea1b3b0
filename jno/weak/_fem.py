"""`FEM`: a weak problem that is assembled and solved."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jno.domain import domain as Domain
from jno.domain.mesh import Mesh
from jno.trace import Field, FieldValue, Model, WeakValue
from jno.utils import NONNEGATIVE, NUMBER, checked, get_logger, integer, takes

from ._build import WeakForm
from ._compiled_form import CompiledForm
from ._linear import DirectSolver, LinearSolver, Method, default_method
from ._semi_discretisation import SemiDiscretisation
from ._solution import SteadySolution, Trajectory, initial_state
from ._steps import NewtonOptions
from ._time_steps import TimeSteps, checked_theta
from ._vectors import described, real_numbers


class FEM:
    """A weak problem: its matrices, its residual and its solution.

    What belongs to another kind of problem raises an `AttributeError` that names the kind.

    Args:
        problem: what `fem` made of the terms.

    Example:
        >>> import jno
        >>> domain = jno.domain.line(mesh_size=0.25)
        >>> x, _ = domain.variable("interior")
        >>> xb, _ = domain.variable("boundary")
        >>> u, v = domain.fem_symbols()
        >>> problem = jno.fem([u(x).x * v(x).x - v(x), u(xb) - 0.0])
        >>> problem.is_linear, problem.dofs
        (True, 5)
    """

    def __init__(self, problem: WeakForm) -> None:
        self._problem = problem
        self._direct = DirectSolver(problem.system.pattern)
        self._compiled = CompiledForm(problem)

    # --- facts ----------------------------------------------------------------------------------------------------
    @property
    def domain(self) -> Domain:
        """The domain."""
        return self._problem.domain

    @property
    def mesh(self) -> Mesh:
        """The mesh."""
        return self._problem.system.mesh

    @property
    def is_linear(self) -> bool:
        """Whether the residual is affine in the unknowns."""
        return self._problem.affine

    @property
    def is_transient(self) -> bool:
        """Whether a derivative by time occurs."""
        return self._problem.time_order > 0

    @property
    def is_complex(self) -> bool:
        """Whether the unknowns are complex; they are not."""
        return False

    @property
    def dofs(self) -> int:
        """Number of degrees of freedom, prescribed ones included."""
        return self._problem.system.size

    @property
    def points(self) -> Float[np.ndarray, "N D"]:
        """Nodes of the first unknown."""
        return self._problem.system.spaces[0].nodes.points

    @property
    def field_points(self) -> list[Float[np.ndarray, "_ _"]]:
        """Nodes of every unknown."""
        return [space.nodes.points for space in self._problem.system.spaces]

    @property
    def offsets(self) -> list[int]:
        """Where the degrees of freedom of every unknown begin, and the number of all."""
        offsets = [*(space.start for space in self._problem.system.spaces), self.dofs]
        # of second order in time the solution holds values and velocities
        return [*offsets, 2 * self.dofs] if self._problem.time_order == 2 and len(offsets) == 2 else offsets

    @property
    def blocks(self) -> list[slice]:
        """The part of every unknown in the vector of degrees of freedom."""
        return [space.block for space in self._problem.system.spaces]

    @property
    def classification(self) -> list[str]:
        """What every entry of the list is, in its order."""
        return list(self._problem.labels)

    def block_index(self, symbol: object) -> int:
        """Position of an unknown among the blocks.

        Raises:
            KeyError: it does not belong to this problem.
        """
        field = _field_of(symbol)
        for position, space in enumerate(self._problem.system.spaces):
            if space.field is field:
                return position
        raise KeyError(f"{symbol!r} is not part of this system")

    def nodal_values(self, solution: object, symbol: object = None) -> Float[np.ndarray, "V ..."]:
        """The values of one unknown at the vertices of the mesh: for `domain.interpolate`, plots and VTU files.

        Args:
            solution: the vector of all degrees of freedom.
            symbol: the unknown (the first).

        Returns:
            ``(vertices,)`` of a scalar, ``(vertices, C)`` of a vector.
        """
        spaces = self._problem.system.spaces
        space = spaces[0 if symbol is None else self.block_index(symbol)]
        vector = real_numbers(solution)
        if vector is None or vector.shape != (self.dofs,):
            raise ValueError(
                f"nodal_values(solution): one number for each of {self.dofs} degrees of freedom is needed; "
                f"got {described(vector)}"
            )
        values = vector[space.block].reshape(-1, space.field.components)[: len(self.mesh.points)]
        return values if space.field.shape else values[:, 0]

    # --- steady problems ------------------------------------------------------------------------------------------
    @property
    def A(self) -> Float[np.ndarray, "N N"]:
        """Matrix of a steady linear problem, dense; rows and columns of what is prescribed are those of the
        identity."""
        return self.A_sparse.toarray()

    @property
    def A_sparse(self) -> Any:
        """The same as a `scipy.sparse.csr_array`."""
        self._require("A", steady=True, linear=True)
        return self._compiled.matrix(np.zeros(self.dofs), (1.0, 0.0, 0.0))

    @property
    def b(self) -> Float[np.ndarray, " N"]:
        """Right-hand side of a steady linear problem, with prescribed values at their places."""
        self._require("b", steady=True, linear=True)
        prescribed = self._compiled.prescribed(0.0)
        residual = self._compiled.residual(prescribed, 0.0)
        return np.where(self._problem.system.prescribed, prescribed, -residual)

    def residual(self, u: object, t: object = None) -> Float[np.ndarray, " N"]:
        """The residual at ``u``, ``(dofs,)``; prescribed rows are ``u - g``.

        Args:
            u: the vector of all degrees of freedom.
            t: the time, of a problem in time (its start); derivatives by time are taken as zero.

        Raises:
            ValueError: a vector of another length, or a time of a steady problem.
        """
        vector, time = self._vector(u, "residual(u)"), self._time(t, "residual")
        prescribed, residual = self._compiled.prescribed(time), self._compiled.residual(vector, time)
        return np.where(self._problem.system.prescribed, vector - prescribed, residual)

    def jacobian(self, u: object, t: object = None) -> Float[np.ndarray, "N N"]:
        """Derivative of the residual by ``u``, dense; arguments as in `residual`."""
        vector, time = self._vector(u, "jacobian(u)"), self._time(t, "jacobian")
        return self._compiled.matrix(vector, (1.0, 0.0, 0.0), time).toarray()

    def _vector(self, values: object, name: str) -> Float[np.ndarray, " N"]:
        vector = real_numbers(values)
        if vector is None or vector.shape != (self.dofs,) or not np.all(np.isfinite(vector)):
            raise ValueError(f"FEM.{name}: {self.dofs} finite numbers are needed; got {described(vector)}")
        return vector

    def _time(self, t: object, name: str) -> float:
        if t is None:
            return self.t0 if self.is_transient else 0.0
        if not self.is_transient:
            raise ValueError(f"FEM.{name}(t={t!r}): the problem is steady; leave t= out")
        NUMBER.require(t, f"FEM.{name}(t)")
        return float(t)  # type: ignore[arg-type]

    # --- problems in time -----------------------------------------------------------------------------------------
    @property
    def M(self) -> Float[np.ndarray, "N N"]:
        """Mass matrix of a problem in time, dense: derivative of the residual by the highest derivative by time."""
        self._require("M", steady=False)
        weights = (0.0, 1.0, 0.0) if self._problem.time_order == 1 else (0.0, 0.0, 1.0)
        matrix = self._compiled.matrix(np.zeros(self.dofs), weights, self.t0).toarray()
        matrix[self._problem.system.prescribed] = 0.0
        return matrix

    @property
    def operator(self) -> SemiDiscretisation:
        """A linear problem of first order in time as the system ``M du/dt + A u = c + f(t)``."""
        self._require("operator", steady=False, linear=True)
        if self._problem.time_order != 1:
            raise AttributeError(
                "FEM.operator belongs to a problem of first order in time, and this one is of second order"
            )
        return SemiDiscretisation.of(self._problem, self._compiled, self.t0)

    @property
    def state0(self) -> Float[np.ndarray, " N"]:
        """Initial values."""
        self._require("state0", steady=False)
        values, velocities = initial_state(self._problem, self.t0, *self._compiled.inputs())
        parts = [values, velocities] if self._problem.time_order == 2 else [values]
        return np.concatenate([np.asarray(part) for part in parts])

    @property
    def t0(self) -> float:
        """First time."""
        return self._time_axis()[0]

    @property
    def t1(self) -> float:
        """Last time."""
        return self._time_axis()[1]

    @property
    def dt(self) -> float:
        """Length of a time step."""
        start, stop, levels = self._time_axis()
        return (stop - start) / (levels - 1)

    def _time_axis(self) -> tuple[float, float, int]:
        self._require("t0, t1 and dt", steady=False)
        axis = self.domain.time
        if not isinstance(axis, tuple) or len(axis) != 3:
            raise ValueError(
                f"FEM: steps in time are equally long, on a domain with time=(t0, t1, n); this one has time={axis!r}"
            )
        return axis

    # --- solving --------------------------------------------------------------------------------------------------
    @checked(rtol=NONNEGATIVE, atol=NONNEGATIVE, max_steps=integer(1, 100_000), theta=NUMBER)
    def solve(
        self,
        solve_fn: object = None,
        *,
        x0: object = None,
        save_ts: object = None,
        theta: float | int | None = None,
        rtol: float = 1e-8,
        atol: float = 1e-8,
        max_steps: int = 100,
    ) -> Any:
        """The solution.

        Args:
            solve_fn: of a steady linear problem ``solve_fn(A, b) -> x`` with the dense matrix (None: see below).
            x0: first guess of a steady problem, ``(dofs,)`` (zero); a linear one does not depend on it.
            save_ts: times at which a problem in time is saved (its levels); steps end there.
            theta: 1 is backward Euler, 0.5 the implicit midpoint rule (1; 0.5 for problems of second order in time,
                which take no other).
            rtol: of Newton's method, relative to the first residual; linear problems take one exact step.
            atol: of Newton's method.
            max_steps: of Newton's method.

        Returns:
            of a steady problem without anything trainable the array ``(dofs,)``; of others an expression of that value,
            and of problems in time one of ``(times, dofs)``: for `jno.core`, or ``.eval()``.

        Raises:
            ValueError: a singular system; options that have no meaning here.
            ArithmeticError: Newton's method did not converge.

        Linear systems are factorised (SuperLU) in one and two dimensions and up to 20,000 unknowns in three, where the
        matrix is not symmetric or conjugate gradients do not converge; otherwise conjugate gradients with the diagonal
        as preconditioner solve them.
        """
        newton = NewtonOptions(float(rtol), float(atol), max_steps)
        if self.is_transient:
            if x0 is not None or solve_fn is not None:
                raise ValueError(
                    "FEM.solve(): a problem in time takes initial conditions in its list, no x0= and solve_fn="
                )
            theta = checked_theta(theta, self._problem.time_order)
            steps = TimeSteps.of(*self._time_axis(), save_ts)
            trajectory = Trajectory(self._problem, self._linear_solver(), newton, theta, steps.times, steps.saved)
            return WeakValue(trajectory, self._problem.data)
        self._check_steady(theta, save_ts)
        if solve_fn is None:
            start = None if x0 is None else self._vector(x0, "solve(x0=...)")
            return self._steady_solution(newton, start)
        if x0 is not None:
            raise ValueError("FEM.solve(): give solve_fn= or x0=, not both; solve_fn(A, b) has its own start")
        return self._solved_by(solve_fn)

    def _check_steady(self, theta: object, save_ts: object) -> None:
        if self._problem.system.dtype.itemsize < 8:
            get_logger().once(
                "jno.fem: the solution is computed in single precision, to about six digits at best; for more call "
                "jax.config.update('jax_enable_x64', True) before the problem is built"
            )
        if theta is not None:
            raise ValueError(f"FEM.solve(theta={theta}): the problem is steady, no term has a derivative by time")
        if save_ts is not None:
            raise ValueError("FEM.solve(save_ts=...): the problem is steady, no term has a derivative by time")

    def _steady_solution(self, newton: NewtonOptions, start: Float[np.ndarray, " N"] | None) -> Any:
        """The array where nothing changes it, else the expression."""
        solution = SteadySolution(self._problem, self._linear_solver(), newton, start)
        if self._trainable() or self._problem.data:
            return WeakValue(solution, self._problem.data)
        self._direct.error = None
        inputs = self._compiled.inputs()
        return solution.raised(*self._compiled.run(("solve", newton), solution.solved, solution.guess(), *inputs))

    def _solved_by(self, solve_fn: object) -> Any:
        self._require("solve(solve_fn)", steady=True, linear=True)
        if not callable(solve_fn) or not takes(solve_fn, 2):
            raise TypeError(f"FEM.solve(solve_fn={solve_fn!r}): it must be a function solve_fn(A, b) -> x")
        if self._trainable():
            raise ValueError("FEM.solve(solve_fn=...): the problem has trainable parameters; leave solve_fn= out")
        solution = solve_fn(jnp.asarray(self.A), jnp.asarray(self.b))
        vector = real_numbers(solution)
        if vector is None or vector.shape != (self.dofs,):
            raise ValueError(f"FEM.solve(solve_fn): its x must be {self.dofs} numbers; got {described(vector)}")
        return solution

    # --- parts ----------------------------------------------------------------------------------------------------
    def _linear_solver(self) -> LinearSolver:
        return LinearSolver(self._problem.system.pattern, self._direct, self._method)

    @property
    def _method(self) -> Method:
        return default_method(self._problem.system.pattern, self.mesh.dimension)

    def _trainable(self) -> list[Model]:
        return [model for model in self._problem.models if not model.controls.frozen]

    def _require(self, name: str, *, steady: bool, linear: bool = False) -> None:
        kind = ("steady " if not self.is_transient else "time-dependent ") + (
            "linear" if self.is_linear else "nonlinear"
        )
        if steady == self.is_transient or (linear and not self.is_linear):
            expected = ("steady" if steady else "time-dependent") + (" linear" if linear else "")
            raise AttributeError(f"FEM.{name} belongs to a {expected} problem, and this one is {kind}")

    def __repr__(self) -> str:
        spaces = ", ".join(
            f"{space.field.name}: {space.size} (order {space.field.order})" for space in self._problem.system.spaces
        )
        time = "time-dependent" if self.is_transient else "steady"
        return f"FEM({time}, {'linear' if self.is_linear else 'nonlinear'}, {self.dofs} dofs; {spaces})"


def _field_of(symbol: object) -> Field:
    target = getattr(symbol, "target", symbol)
    if not isinstance(target, FieldValue):
        raise TypeError(f"a symbol of domain.fem_symbols() is needed, got {symbol!r}")
    return target.field
