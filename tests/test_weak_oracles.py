"""Solutions of scikit-fem on the same mesh: numbers of the literature deviate by the mesh alone."""

import functools

import numpy as np
import pytest
import skfem
from scipy.sparse.linalg import spsolve
from skfem.helpers import ddot, div, dot, grad
from weak_forms import double_precision, oracle_dofs, oracle_element, oracle_mesh  # noqa: F401

import jno

PI = np.pi


def newton(jacobian, residual, start, prescribed):
    """Newton's method with the assembled matrices of the oracle, until the residual is rounding."""
    free = np.setdiff1d(np.arange(len(start)), prescribed)
    values = start.copy()
    for _ in range(60):
        right = -residual(values)[free]
        if np.linalg.norm(right) < 1e-13 * len(start):
            return values
        step = np.zeros_like(values)
        step[free] = spsolve(jacobian(values).tocsc()[free][:, free], right)
        length = 1.0
        while length > 1e-3 and not np.linalg.norm(residual(values + length * step)[free]) < np.linalg.norm(right):
            length /= 2
        values = values + length * step
    raise AssertionError("the oracle does not converge")


@pytest.mark.parametrize("cells", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_poisson_on_a_cube_with_quadratic_elements(cells):
    """Its error is 7.043e-4 at 8 cells a side, where a mesh of cubes in six tetrahedra has 6.396e-4."""
    domain = jno.domain.cube(mesh_size=1 / cells)
    at = domain.variable("interior")[:3]
    u, v = domain.fem_symbols((), ("u", "v"), order=2)
    source = 3 * PI**2 * functools.reduce(lambda a, b: a * b, [jno.np.sin(PI * c) for c in at])
    weak = u(*at).grad().dot(v(*at).grad()) - source * v(*at)
    problem = jno.fem([weak, u(*domain.variable("boundary")[:3]) - 0.0], quad_degree=8)
    basis = skfem.Basis(oracle_mesh(domain), oracle_element(3, 2), quadrature=rule(3, 8))
    stiffness = skfem.BilinearForm(lambda a, b, w: dot(grad(a), grad(b))).assemble(basis)
    load = skfem.LinearForm(lambda b, w: 3 * PI**2 * np.prod(np.sin(PI * w.x), axis=0) * b).assemble(basis)
    expected = skfem.solve(*skfem.condense(stiffness, load, D=basis.get_dofs()))
    np.testing.assert_allclose(problem.solve(), expected[oracle_dofs(problem, [basis], [1])], atol=1e-12)


def rule(dimension, degree):
    """Our quadrature in the oracle, whose own rules of high degree on tetrahedra are not exact."""
    from jno.elements import reference_rule

    ours = reference_rule(dimension, degree)
    return ours.points.T, ours.weights / (1, 1, 2, 6)[dimension]


def test_kovasznay_flow():
    """The rate of its pressure between 16 and 32 cells is 2.2 on this mesh, in both."""
    from test_weak_steady import REYNOLDS, kovasznay, kovasznay_problem

    problem = kovasznay_problem(6)
    solution = problem.solve(rtol=1e-12, atol=1e-12)
    mesh = oracle_mesh(problem.domain)
    bases = [skfem.Basis(mesh, e, quadrature=rule(2, 6)) for e in (oracle_element(2, 2, 2), oracle_element(2, 1))]
    count = bases[0].N
    viscous = skfem.BilinearForm(lambda a, b, w: ddot(grad(a), grad(b)) / REYNOLDS).assemble(bases[0])
    pressure = skfem.BilinearForm(lambda a, b, w: -div(a) * b).assemble(*bases)
    stokes = skfem.bmat([[viscous, pressure.T], [pressure, None]], "csr")

    @skfem.BilinearForm
    def moved(a, b, w):
        return dot(np.einsum("j...,ij...->i...", w.flow, grad(a)) + np.einsum("j...,ij...->i...", a, w.flow.grad), b)

    @skfem.LinearForm
    def carried(b, w):
        return dot(np.einsum("j...,ij...->i...", w.flow, w.flow.grad), b)

    def residual(values):
        flow = bases[0].interpolate(values[:count])
        right = stokes @ values
        right[:count] += carried.assemble(bases[0], flow=flow)
        return right

    def jacobian(values):
        flow = bases[0].interpolate(values[:count])
        return stokes + skfem.bmat([[moved.assemble(bases[0], flow=flow), None], [None, 0 * mass]], "csr")

    mass = skfem.BilinearForm(lambda a, b, w: a * b).assemble(bases[1])
    order = oracle_dofs(problem, bases, [2, 1])
    start = np.zeros(len(solution))
    ours = np.flatnonzero(problem._problem.system.prescribed)
    first, second, _ = kovasznay(np, *problem.field_points[0].T)
    exact = np.concatenate([np.column_stack([first, second]).reshape(-1), np.zeros(bases[1].N)])
    exact[ours[-1]] = kovasznay(np, -0.5, -0.5)[2]
    start[order[ours]] = exact[ours]
    expected = newton(jacobian, residual, start, order[ours])
    np.testing.assert_allclose(solution, expected[order], atol=1e-10)


def test_the_p_laplacian():
    """Its L2 error is that of the oracle, node by node."""
    from test_weak_nonlinear import p_laplacian_problem

    problem, start = p_laplacian_problem(0.2, 32)
    solution = problem.solve(x0=start, rtol=1e-12, atol=1e-14)
    basis = skfem.Basis(oracle_mesh(problem.domain), oracle_element(2, 1), intorder=2)

    @skfem.BilinearForm
    def slope(a, b, w):
        g = w.known.grad
        return dot(g, g) * dot(grad(a), grad(b)) + 2 * dot(g, grad(a)) * dot(g, grad(b))

    @skfem.LinearForm
    def balance(b, w):
        g = w.known.grad
        return dot(g, g) * dot(g, grad(b)) - b

    order = oracle_dofs(problem, [basis], [1])
    guess = np.zeros(basis.N)
    guess[order] = start
    edge = basis.get_dofs().flatten()
    guess[edge] = 0.0
    expected = newton(
        lambda values: slope.assemble(basis, known=basis.interpolate(values)),
        lambda values: balance.assemble(basis, known=basis.interpolate(values)),
        guess,
        edge,
    )
    np.testing.assert_allclose(solution, expected[order], atol=1e-9)
