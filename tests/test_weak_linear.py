"""Linear systems of weak forms: precision, fill of the factors, and what cannot be solved."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse.linalg import splu

import jno
from jno.weak._linear import DirectSolver, LinearSolver, SingularSystemError, factorised
from jno.weak._pattern import Couplings, build_pattern


def stokes(mesh_size):
    """Flow in a driven cavity, with quadratic velocities and linear pressures."""
    domain = jno.domain.rect(mesh_size=mesh_size)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"))
    ui, vi, pi, qi = u(x, y), v(x, y), p(x, y), q(x, y)
    viscous = jno.np.inner(ui.x, vi.x) + jno.np.inner(ui.y, vi.y)
    conditions = [u(xb, yb)[0] - 16 * xb**2 * (1 - xb) ** 2 * yb, u(xb, yb)[1] - 0.0, p.pin()]
    return jno.fem([viscous - pi * vi.div() - qi * ui.div(), *conditions])


def test_double_precision_as_a_context():
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    with jax.enable_x64(True):
        u, v = domain.fem_symbols()
        ui, vi = u(x, y), v(x, y)
        fem = jno.fem([ui.x * vi.x + ui.y * vi.y, u(xb, yb) - (1 + xb - 2 * yb)])
        solution = fem.solve()
    points = domain.points
    assert solution.dtype == np.float64
    np.testing.assert_allclose(solution, 1 + points[:, 0] - 2 * points[:, 1], atol=1e-13)


def test_factors_of_a_saddle_point_stay_sparse():
    with jax.enable_x64(True):
        fem = stokes(1 / 12)
        pattern = fem._problem.system.pattern
        matrix = fem.A_sparse
    factor = factorised(pattern, matrix.data)
    pivoted = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=1.0)
    assert factor.nnz < pivoted.nnz / 2
    x = np.sin(np.arange(fem.dofs))
    np.testing.assert_allclose(factor.solve(matrix @ x), x, atol=1e-9)


def test_a_matrix_that_is_not_definite_is_pivoted():
    # Helmholtz' equation with the wave number at which the diagonal and its neighbours are alike: elimination along the
    # line meets a pivot that is zero up to rounding
    cells = 7
    domain = jno.domain.line(mesh_size=1 / cells)
    x, _ = domain.variable("interior")
    xb, _ = domain.variable("boundary")
    with jax.enable_x64(True):
        u, v = domain.fem_symbols()
        fem = jno.fem([u(x).x * v(x).x - 1.2 * cells**2 * u(x) * v(x) - v(x), u(xb) - 0.0])
        matrix, right, solution = fem.A, fem.b, fem.solve()
    assert matrix.diagonal().min() > 0 > np.linalg.eigvalsh(matrix).min()
    np.testing.assert_allclose(matrix @ solution, right, atol=1e-13)


def test_a_singular_system_is_refused():
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior")
    with jax.enable_x64(True):
        u, v = domain.fem_symbols()
        ui, vi = u(x, y), v(x, y)
        fem = jno.fem([ui.x * vi.x + ui.y * vi.y - (x - 0.5) * vi])
        with pytest.raises(SingularSystemError, match=r"u\.pin\(\)"):
            fem.solve()


@pytest.mark.parametrize("transposed", [False, True])
def test_conjugate_gradients_end_with_the_solution_of_matrices_that_are_not_symmetric(transposed):
    """The method is chosen where the matrix is symmetric at first; a nonlinear problem may lose that."""
    rng = np.random.default_rng(0)
    # in single precision: the file does not set another
    dense = np.eye(6) * 4 + rng.normal(size=(6, 6))
    every = np.arange(6)[None]
    pattern, _ = build_pattern([Couplings(every, every)], 6, np.zeros(6, dtype=bool))
    entries = jnp.asarray(dense[pattern.rows, pattern.columns])
    solver = LinearSolver(pattern, DirectSolver(pattern), "cg")
    right = jnp.asarray(rng.normal(size=6))
    solve = functools.partial(solver, entries)
    adjoint = jax.linear_transpose(solve, right)
    computed = jax.jit(lambda vector: adjoint(vector)[0] if transposed else solve(vector))(right)
    np.testing.assert_allclose(computed, np.linalg.solve(dense.T if transposed else dense, right), rtol=1e-4)
