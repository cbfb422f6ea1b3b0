"""Linear systems with a fixed sparsity pattern: factorised on the host, or by conjugate gradients in JAX.

Solutions are differentiated implicitly: forward and reverse mode take one more solve with the same matrix or its
transpose, whose factors are kept.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._pattern import Pattern

LARGEST_DIRECT_3D = 20_000
"""Unknowns up to which factorising is the default in three dimensions."""

_KEPT = 4
"""Factorisations that are kept, the last ones used."""

_KEPT_ENTRIES = 20_000_000
"""Entries of all kept factors together, 240 MB: of large systems only the last factors are kept."""


class SingularSystemError(ValueError):
    """A matrix without an inverse: the terms and conditions do not determine the unknown.

    The message says what to add, such as `u.pin()` for a constant that the terms do not see.

    Example:
        >>> import jno
        >>> domain = jno.domain.line(mesh_size=0.25)
        >>> x, _ = domain.variable("interior")
        >>> u, v = domain.fem_symbols()
        >>> problem = jno.fem([u(x).x * v(x).x - v(x)])  # nothing holds u
        >>> try:
        ...     problem.solve()
        ... except jno.weak.SingularSystemError as error:
        ...     print(str(error)[:40])
        INFO: jno.fem: the solution is computed in single precision, ...
        jno.fem: the system is singular. A field
    """


class DivergedError(ArithmeticError):
    """A solver that did not reach its tolerance."""


class DirectSolver:
    """Sparse LU factorisation by SuperLU in double precision, with the factors of the last matrices kept.

    Args:
        pattern: of the matrix.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._factors: collections.OrderedDict[bytes, Any] = collections.OrderedDict()
        self.factorisations = 0
        """Number of matrices factorised so far."""
        self.solves = 0
        """Number of systems solved so far."""
        self.error: ValueError | None = None
        """Why the last system that could not be solved inside a compiled function has no solution."""

    def solve_on_host(self, entries: np.ndarray | Array, right: np.ndarray | Array, *, transposed: bool) -> np.ndarray:
        """Solve with the entries of the matrix; see `DirectSolver`."""
        factor = self._factor(np.asarray(entries, dtype=np.float64))
        right = np.asarray(right)
        self.solves += 1
        solution = factor.solve(np.asarray(right, dtype=np.float64), trans="T" if transposed else "N")
        return np.asarray(solution, dtype=right.dtype)

    def _factor(self, entries: Float[np.ndarray, " nnz"]) -> Any:
        key = hashlib.blake2b(entries.tobytes(), digest_size=16).digest()
        if key in self._factors:
            self._factors.move_to_end(key)
            return self._factors[key]
        self._factors[key] = factorised(self._pattern, entries)
        self.factorisations += 1
        while len(self._factors) > _KEPT:
            self._factors.popitem(last=False)
        while len(self._factors) > 1 and sum(factor.nnz for factor in self._factors.values()) > _KEPT_ENTRIES:
            self._factors.popitem(last=False)
        return self._factors[key]

    def __call__(self, entries: Float[Array, " nnz"], right: Float[Array, " N"], *, transposed: bool) -> Array:
        """Solve inside a traced function; NaN where there is no solution.

        A trial step of an optimizer may end where the system has none, which must count against that step alone.  Who
        takes the result as an answer asks for `error`.
        """

        def host(values: Any, vector: Any) -> np.ndarray:
            matrix, numbers = (np.asarray(words).view(right.dtype).reshape(-1) for words in (values, vector))
            try:
                solution = self.solve_on_host(matrix, numbers, transposed=transposed)
            except ValueError as error:
                self.error = error
                solution = np.full_like(numbers, np.nan)
            return solution.view(np.uint32).reshape(shape.shape)

        # as words of 32 bits: the thread of a callback does not know jax.enable_x64(True) as a context, and would round
        words = [jax.lax.bitcast_convert_type(array, jnp.uint32) for array in (entries.astype(right.dtype), right)]
        shape = jax.ShapeDtypeStruct(words[1].shape, jnp.uint32)
        solution = jax.pure_callback(host, shape, *words, vmap_method="sequential")
        return jax.lax.bitcast_convert_type(solution, right.dtype)

    def forget(self) -> None:
        """Drop all factors."""
        self._factors.clear()

    def __getstate__(self) -> dict[str, Any]:
        # factors belong to the process
        return {**self.__dict__, "_factors": collections.OrderedDict()}


def factorised(pattern: Pattern, entries: Float[np.ndarray, " nnz"]) -> Any:
    """The factors of a matrix.

    Raises:
        SingularSystemError: it has no inverse.
    """
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    if not np.all(np.isfinite(entries)):
        raise ValueError("jno.fem: the matrix has entries that are not finite; look at the coefficients of the terms")
    # the rows of the transpose are the columns of the matrix
    matrix = csc_array((entries[pattern.transposition], pattern.columns, pattern.starts), shape=(pattern.size,) * 2)
    difference = np.abs(entries - entries[pattern.transposition]).max(initial=0.0)
    symmetric = difference <= 1e-10 * np.abs(entries).max(initial=1.0)
    diagonal = entries[pattern.diagonal]
    one_sign = bool(np.all(diagonal > 0) or np.all(diagonal < 0))
    # Pivoting by rows fills the factors.  A definite matrix needs none, others little: entries of a tenth are good
    # enough.  Columns are ordered for the pattern of A + Aᵀ, and for any choice of rows where the diagonal has zeros,
    # as that of a saddle point has.
    choices: list[dict[str, Any]] = [{"permc_spec": "COLAMD", "diag_pivot_thresh": 1.0}]
    if symmetric and one_sign:
        choices.insert(0, {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}})
    else:
        choices.insert(0, {"permc_spec": "MMD_AT_PLUS_A" if one_sign else "COLAMD", "diag_pivot_thresh": 0.1})
    for options in choices:
        try:
            factor = splu(matrix, **options)
        except RuntimeError:
            continue
        if not _is_inaccurate(factor, matrix):
            return factor
    raise singular()


def _is_inaccurate(factor: Any, matrix: Any) -> bool:
    """Whether the factors fail to solve a system."""
    x = np.cos(np.arange(matrix.shape[0]))
    back = factor.solve(matrix @ x)
    return not bool(np.linalg.norm(back - x) <= 1e-3 * np.linalg.norm(x))


def singular() -> SingularSystemError:
    """The error of a matrix without an inverse."""
    return SingularSystemError(
        "jno.fem: the system is singular. A field that is fixed only up to a constant (no essential condition, a "
        "pressure of incompressible flow) needs one: fix it at a node by u.pin(), or prescribe it on a boundary"
    )


Method = Literal["direct", "cg"]


@dataclasses.dataclass(frozen=True, eq=False)
class LinearSolver:
    """How linear systems of one pattern are solved.

    Attributes:
        pattern: of the matrix.
        direct: the factorisation.
        method: ``"direct"`` or ``"cg"``.
        tolerance: of the relative residual of conjugate gradients.
        steps: largest number of their steps.
    """

    pattern: Pattern
    direct: DirectSolver
    method: Method = "direct"
    tolerance: float = 1e-10
    steps: int = 20_000

    def __call__(self, entries: Float[Array, " nnz"], right: Float[Array, " N"]) -> Float[Array, " N"]:
        """The solution, differentiable by the right-hand side and the entries."""
        fixed = jax.lax.stop_gradient(entries)
        return jax.lax.custom_linear_solve(
            lambda vector: self.product(entries, vector),
            right,
            solve=lambda _, vector: self._solve(fixed, vector, transposed=False),
            transpose_solve=lambda _, vector: self._solve(fixed, vector, transposed=True),
        )

    def product(self, entries: Float[Array, " nnz"], vector: Float[Array, " N"]) -> Float[Array, " N"]:
        """The matrix times a vector."""
        return jax.ops.segment_sum(
            entries * vector[self.pattern.columns], self.pattern.rows, self.pattern.size, indices_are_sorted=True
        )

    def _solve(self, entries: Float[Array, " nnz"], right: Float[Array, " N"], *, transposed: bool) -> Array:
        if self.method == "direct":
            return self.direct(entries, right, transposed=transposed)
        return self._conjugate_gradients(entries, right, transposed=transposed)

    def _conjugate_gradients(
        self, stored: Float[Array, " nnz"], right: Float[Array, " N"], *, transposed: bool
    ) -> Array:
        mirrored = stored[self.pattern.transposition]
        entries = mirrored if transposed else stored
        rounding = max(1e-10, 16 * float(jnp.finfo(right.dtype).eps))
        symmetric = jnp.abs(stored - mirrored).max() <= rounding * jnp.abs(stored).max()
        inverse = 1.0 / entries[self.pattern.diagonal]
        tolerance = max(self.tolerance, 4 * float(jnp.finfo(right.dtype).eps))
        limit = (tolerance * jnp.linalg.norm(right)) ** 2

        def goes_on(carry: Any) -> Array:
            _, residual, _, _, step = carry
            return (jnp.vdot(residual, residual) > limit) & (step < self.steps)

        def advance(carry: Any) -> Any:
            x, residual, direction, rho, step = carry
            product = self.product(entries, direction)
            length = rho / jnp.vdot(direction, product)
            x, residual = x + length * direction, residual - length * product
            preconditioned = inverse * residual
            updated = jnp.vdot(residual, preconditioned)
            return x, residual, preconditioned + updated / rho * direction, updated, step + 1

        start = inverse * right
        # conjugate gradients need a symmetric matrix: another one is factorised below, without a step
        step = jnp.where(symmetric, 0, self.steps)
        carry = (jnp.zeros_like(right), right, start, jnp.vdot(right, start), step)
        x, *_ = jax.lax.while_loop(goes_on, advance, carry)
        remaining = jnp.linalg.norm(right - self.product(entries, x))
        bad = ~(remaining <= 10 * tolerance * jnp.linalg.norm(right))

        def again(arguments: tuple[Array, Array]) -> Array:
            return self.direct(*arguments, transposed=transposed)

        # what conjugate gradients do not solve (a matrix that is not definite) is factorised as well
        return jax.lax.cond(bad, again, lambda _: x, (stored, right))


def default_method(pattern: Pattern, dimension: int) -> Method:
    """Factorise in one and two dimensions and where the system is small; else conjugate gradients."""
    return "direct" if dimension < 3 or pattern.size <= LARGEST_DIRECT_3D else "cg"
