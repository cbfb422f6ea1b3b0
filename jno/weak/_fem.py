"""`FEM`: a weak problem that is assembled and solved."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.domain import domain as Domain
from jno.domain.mesh import Mesh
from jno.trace import Field, FieldValue, Model, WeakValue
from jno.utils import NONNEGATIVE, NUMBER, checked, get_logger, integer, is_integer, takes

from ._build import WeakForm, build_problem
from ._integral import State
from ._linear import DirectSolver, LinearSolver, Method, default_method
from ._solution import NetworkResidual, SteadySolution, Trajectory, initial_state
from ._steps import NewtonOptions


def fem(constraints: object, *, quad_degree: object = None, element_type: object = None, vec: object = None) -> Any:
    """A weak problem: terms with test functions, and conditions on the unknowns.

    A term is an expression ``a(u, v) - l(v)`` that is linear in a test function ``v``; it is integrated over the region
    of its coordinates, and all terms of the list are summed.  ``u(xb, yb) - g`` prescribes the unknown on a boundary
    (or one component, ``u(xb, yb)[0] - g``), at initial coordinates its initial value, ``u.pin()`` fixes a constant.

    Args:
        constraints: one term or a list.
        quad_degree: degree of the polynomials that the quadrature integrates exactly (twice the highest order of the
            fields, and one more for terms with networks; smaller numbers are raised).
        element_type: kind of the cells, ``"TRI3"`` and so on; it must be that of the mesh.
        vec: number of components; it must be that of the symbols.

    Returns:
        `FEM`.  Where no term has a trial symbol, networks take its place: then an expression whose value is the vector
        of residuals, one for every free test function; its ``.mse`` is a loss for `jno.core`.

    Raises:
        TypeError: an entry that is not an expression.
        ValueError: a term that spans several regions, is not linear in its test function, or means nothing.

    Example:
        >>> import jax, jno
        >>> domain = jno.domain.line(mesh_size=0.25)
        >>> x, _ = domain.variable("interior")
        >>> xb, _ = domain.variable("boundary")
        >>> u, v = domain.fem_symbols()
        >>> with jax.enable_x64(True):
        ...     solution = jno.fem([u.d(x) * v.d(x) - 2 * v, u(xb) - 0.0]).solve()
        >>> solution[1:4].round(4).tolist()
        [0.1875, 0.25, 0.1875]
    """
    problem = build_problem(constraints, quad_degree)
    _check_overrides(problem, element_type, vec)
    if not problem.has_unknowns:
        return WeakValue(NetworkResidual(problem), problem.data)
    return FEM(problem)


def _check_overrides(problem: WeakForm, element_type: object, vec: object) -> None:
    spaces, mesh = problem.system.spaces, problem.system.mesh
    highest = max(space.field.order for space in spaces)
    kind = _ELEMENT_TYPES.get((mesh.dimension, highest))
    if element_type is not None and not (isinstance(element_type, str) and element_type == kind):
        raise ValueError(
            f"jno.fem(element_type={element_type!r}): the mesh has {mesh.cell_kind} cells; leave it out, or say "
            f"what the symbols of order {highest} do{'' if kind is None else f', {kind!r}'}"
        )
    counts = [space.field.components for space in spaces]
    if vec is not None and not (is_integer(vec) and vec in counts):
        raise ValueError(f"jno.fem(vec={vec!r}): the symbols have {counts} components; leave it out")


_ELEMENT_TYPES = {
    (1, 1): "LINE2",
    (1, 2): "LINE3",
    (2, 1): "TRI3",
    (2, 2): "TRI6",
    (3, 1): "TET4",
    (3, 2): "TET10",
}
"""Dimension and order of an element → its usual name."""


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


class FEM:
    """A weak problem: its matrices, its residual and its solution.

    What belongs to another kind of problem raises an `AttributeError` that names the kind.

    Args:
        problem: what `fem` made of the terms.
    """

    def __init__(self, problem: WeakForm) -> None:
        self._problem = problem
        self._direct = DirectSolver(problem.system.pattern)
        self._jitted: dict[object, Callable[..., Any]] = {}

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
        vector = _numbers(solution)
        if vector is None or vector.shape != (self.dofs,):
            raise ValueError(
                f"nodal_values(solution): one number for each of {self.dofs} degrees of freedom is needed; "
                f"got {_described(vector)}"
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
        return self._as_sparse(self._matrix(np.zeros(self.dofs), (1.0, 0.0, 0.0)))

    @property
    def b(self) -> Float[np.ndarray, " N"]:
        """Right-hand side of a steady linear problem, with prescribed values at their places."""
        self._require("b", steady=True, linear=True)
        modules, data = self._inputs()
        prescribed = np.asarray(self._problem.system.values(jnp.zeros(()), modules, data))
        residual = self._residual(prescribed, 0.0)
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
        modules, data = self._inputs()
        system = self._problem.system
        prescribed = np.asarray(system.values(jnp.asarray(time, system.dtype), modules, data))
        return np.where(system.prescribed, vector - prescribed, self._residual(vector, time))

    def jacobian(self, u: object, t: object = None) -> Float[np.ndarray, "N N"]:
        """Derivative of the residual by ``u``, dense; arguments as in `residual`."""
        vector, time = self._vector(u, "jacobian(u)"), self._time(t, "jacobian")
        return self._as_sparse(self._matrix(vector, (1.0, 0.0, 0.0), time)).toarray()

    def _vector(self, values: object, name: str) -> Float[np.ndarray, " N"]:
        vector = _numbers(values)
        if vector is None or vector.shape != (self.dofs,) or not np.all(np.isfinite(vector)):
            raise ValueError(f"FEM.{name}: {self.dofs} finite numbers are needed; got {_described(vector)}")
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
        matrix = self._as_sparse(self._matrix(np.zeros(self.dofs), weights, self.t0)).toarray()
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
        system = self._problem.system
        matrix = self._as_sparse(self._matrix(np.zeros(self.dofs), (1.0, 0.0, 0.0), self.t0)).toarray()
        changes = any(term.integral.function.reads_time for term in system.terms)
        if changes or any(condition.reads_time for condition in system.conditions):
            return SemiDiscretisation(matrix, np.zeros(self.dofs), self._load)
        return SemiDiscretisation(matrix, self._load(self.t0), None)

    def _load(self, t: float) -> Float[np.ndarray, " N"]:
        """Right-hand side of a problem in time, with what prescribed unknowns and their derivatives add to it."""
        system = self._problem.system

        def load(at: Array, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Array:
            fixed, rate = jax.jvp(lambda time: system.values(time, modules, data), (at,), (jnp.ones_like(at),))
            residual = system.residual(State((fixed, rate, jnp.zeros_like(fixed)), at, modules, data))
            return jnp.where(system.prescribed, fixed, -residual)

        return np.asarray(self._run("load", load, jnp.asarray(t, system.dtype), *self._inputs()))

    @property
    def state0(self) -> Float[np.ndarray, " N"]:
        """Initial values."""
        self._require("state0", steady=False)
        modules, data = self._inputs()
        values, velocities = initial_state(self._problem, self.t0, modules, data)
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
            return WeakValue(self._trajectory(save_ts, theta, newton), self._problem.data)
        if self._problem.system.dtype.itemsize < 8:
            get_logger().once(
                "jno.fem: the solution is computed in single precision, to about six digits at best; for more call "
                "jax.config.update('jax_enable_x64', True) before the problem is built"
            )
        if theta is not None:
            raise ValueError(f"FEM.solve(theta={theta}): the problem is steady, no term has a derivative by time")
        if save_ts is not None:
            raise ValueError("FEM.solve(save_ts=...): the problem is steady, no term has a derivative by time")
        if solve_fn is not None:
            if x0 is not None:
                raise ValueError("FEM.solve(): give solve_fn= or x0=, not both; solve_fn(A, b) has its own start")
            return self._solved_by(solve_fn)
        start = None if x0 is None else self._vector(x0, "solve(x0=...)")
        solution = SteadySolution(self._problem, self._linear_solver(), newton, start)
        if self._trainable() or self._problem.data:
            return WeakValue(solution, self._problem.data)
        self._direct.error = None
        solved, history = self._run(("solve", newton), solution.solved, solution.guess(), *self._inputs())
        return solution.raised(solved, history)

    def _solved_by(self, solve_fn: object) -> Any:
        self._require("solve(solve_fn)", steady=True, linear=True)
        if not callable(solve_fn) or not takes(solve_fn, 2):
            raise TypeError(f"FEM.solve(solve_fn={solve_fn!r}): it must be a function solve_fn(A, b) -> x")
        if self._trainable():
            raise ValueError("FEM.solve(solve_fn=...): the problem has trainable parameters; leave solve_fn= out")
        solution = solve_fn(jnp.asarray(self.A), jnp.asarray(self.b))
        vector = _numbers(solution)
        if vector is None or vector.shape != (self.dofs,):
            raise ValueError(f"FEM.solve(solve_fn): its x must be {self.dofs} numbers; got {_described(vector)}")
        return solution

    def _trajectory(self, save_ts: object, chosen: float | int | None, newton: NewtonOptions) -> Trajectory:
        default = 0.5 if self._problem.time_order == 2 else 1.0
        theta = default if chosen is None else float(chosen)
        if self._problem.time_order == 2 and theta != default:
            raise ValueError(f"FEM.solve(theta={theta}): problems of second order in time are solved with theta=0.5")
        if not 0.5 <= theta <= 1.0:
            raise ValueError(f"FEM.solve(theta={theta!r}): allowed is 0.5 (implicit midpoint) to 1.0 (backward Euler)")
        start, stop, levels = self._time_axis()
        times = np.linspace(start, stop, levels)
        if save_ts is None:
            return Trajectory(self._problem, self._linear_solver(), newton, theta, times, tuple(range(levels)))
        numbers = _numbers(save_ts)
        saved = np.zeros(0) if numbers is None else numbers.reshape(-1)
        if not len(saved) or not np.all((saved >= start - 1e-9) & (saved <= stop + 1e-9)):
            raise ValueError(f"FEM.solve(save_ts=...): times between {start} and {stop} are needed; got {save_ts!r}")
        extra = [t for t in saved if np.min(np.abs(times - t)) > 1e-9 * (stop - start)]
        times = np.sort(np.concatenate([times, np.unique(extra)]))
        places = tuple(int(np.argmin(np.abs(times - t))) for t in saved)
        return Trajectory(self._problem, self._linear_solver(), newton, theta, times, places)

    # --- parts ----------------------------------------------------------------------------------------------------
    def _linear_solver(self) -> LinearSolver:
        return LinearSolver(self._problem.system.pattern, self._direct, self._method)

    @property
    def _method(self) -> Method:
        return default_method(self._problem.system.pattern, self.mesh.dimension)

    def _trainable(self) -> list[Model]:
        return [model for model in self._problem.models if not model.controls.frozen]

    def _inputs(self) -> tuple[dict[int, Any], dict[str, Array]]:
        """The modules as they are, and the data of the only sample.

        Raises:
            ValueError: the data has several.
        """
        for leaf in self._problem.data:
            count = len(self.domain.context[leaf.tag])
            if count > 1:
                raise ValueError(
                    f"FEM: the data {leaf.tag!r} has a row for each of {count} samples, and there are as many matrices "
                    "and residuals; take solve(), whose value has all samples"
                )
        modules = {model.layer_id: eqx.nn.inference_mode(model.module) for model in self._problem.models}
        rows = {leaf.tag: jnp.asarray(np.asarray(self.domain.context[leaf.tag])[0]) for leaf in self._problem.data}
        return modules, rows

    def _residual(self, u: Float[np.ndarray, " N"], time: float) -> Float[np.ndarray, " N"]:
        system = self._problem.system

        def residual(vector: Array, at: Array, modules: Mapping[int, Any], data: Mapping[str, Any]) -> Array:
            zero = jnp.zeros_like(vector)
            return system.residual(State((vector, zero, zero), at, modules, data))

        arguments = (jnp.asarray(u, system.dtype), jnp.asarray(time, system.dtype))
        return np.asarray(self._run("residual", residual, *arguments, *self._inputs()))

    def _matrix(
        self, u: Float[np.ndarray, " N"], weights: Sequence[float], time: float = 0.0
    ) -> Float[np.ndarray, " nnz"]:
        system = self._problem.system

        def matrix(vector: Array, at: Array, scale: Array, modules: Any, data: Any) -> Array:
            zero = jnp.zeros_like(vector)
            return system.matrix(State((vector, zero, zero), at, modules, data), scale)

        arguments = (jnp.asarray(value, system.dtype) for value in (u, time, np.asarray(weights)))
        return np.asarray(self._run("matrix", matrix, *arguments, *self._inputs()))

    def _run(self, name: object, function: Callable[..., Any], *arguments: Any) -> Any:
        """The value of a pure function, compiled once for a name and a structure of its arguments.

        A network may have got adapters or another precision since the last call.
        """
        arrays, rest = eqx.partition(arguments, eqx.is_array)
        key = (name, jax.tree_util.tree_structure(arrays), _shapes(arrays), *jax.tree_util.tree_leaves(rest))
        if key not in self._jitted:
            # the arrays of the mesh become inputs: as constants the compiler would copy and hash them
            converted = eqx.filter_closure_convert(function, *arguments)
            self._jitted[key] = eqx.filter_jit(jax.tree_util.tree_map(_on_device, converted))
        return self._jitted[key](*arguments)

    def _temporary_bytes(self) -> int:
        """Memory that assembling the matrix takes beside its arguments and its result."""
        system = self._problem.system
        vector = jnp.zeros(self.dofs, system.dtype)
        modules, data = self._inputs()

        def matrix(u: Array) -> Array:
            return system.matrix(
                State((u, u, u), jnp.zeros((), system.dtype), modules, data), jnp.ones(3, system.dtype)
            )

        analysis = jax.jit(matrix).lower(vector).compile().memory_analysis()
        return 0 if analysis is None else int(analysis.temp_size_in_bytes)

    def _as_sparse(self, entries: Float[np.ndarray, " nnz"]) -> Any:
        from scipy.sparse import csr_array

        pattern = self._problem.system.pattern
        return csr_array((entries, pattern.columns, pattern.starts), shape=(pattern.size, pattern.size))

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


def _numbers(values: object) -> Float[np.ndarray, ...] | None:
    """Real numbers as an array; None for what is none."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        return None
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def _described(array: Float[np.ndarray, ...] | None) -> str:
    return "no array of real numbers" if array is None else f"an array of shape {array.shape}"


def _field_of(symbol: object) -> Field:
    target = getattr(symbol, "target", symbol)
    if not isinstance(target, FieldValue):
        raise TypeError(f"a symbol of domain.fem_symbols() is needed, got {symbol!r}")
    return target.field


def _shapes(arrays: Any) -> tuple[tuple[tuple[int, ...], object], ...]:
    return tuple((leaf.shape, leaf.dtype) for leaf in jax.tree_util.tree_leaves(arrays))


def _on_device(leaf: object) -> object:
    # not jax.numpy.asarray, which compiles a program for every shape
    return jax.device_put(leaf) if isinstance(leaf, np.ndarray) else leaf
