"""Nonlinear problems: exact solutions, load steps, and Newton's method from zero."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from weak_forms import double_precision, l2_and_h1_errors, rates, tabulated  # noqa: F401

import jno
from jno.weak._linear import DirectSolver, LinearSolver
from jno.weak._pattern import Couplings, build_pattern
from jno.weak._steps import Equation


def p_laplacian_problem(mesh_size, sides):
    """-div(|grad u|^2 grad u) = 1 on the unit disk, and a start for Newton's method."""
    domain = jno.domain.disk(mesh_size=mesh_size, num_points=sides)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    slope = u(x, y).grad()
    problem = jno.fem([slope.dot(slope) * slope.dot(v(x, y).grad()) - v(x, y), u(xb, yb) - 0.0])
    assert not problem.is_linear
    return problem, 0.5 * (1 - np.sum(problem.points**2, axis=1))


def p_laplacian(mesh_size, sides):
    """Largest value and error; u = 3/4 2^(-1/3) (1 - r^(4/3))."""
    problem, start = p_laplacian_problem(mesh_size, sides)
    solution = problem.solve(x0=start)
    peak = 0.75 * 2 ** (-1 / 3)
    error, _ = l2_and_h1_errors(
        problem, solution, lambda a, b: peak * (1 - np.hypot(a, b) ** (4 / 3)), lambda a, b: (0 * a, 0 * a), degree=4
    )
    return solution.max(), error


def test_the_p_laplacian_on_the_disk():
    coarse, fine = p_laplacian(0.3, 24), p_laplacian(0.15, 48)
    assert abs(fine[0] - 0.595275394) < 0.02
    assert fine[1] < coarse[1] / 2.5


@pytest.mark.slow
def test_the_p_laplacian_on_a_fine_disk():
    highest, error = p_laplacian(0.035, 180)
    assert abs(highest - 0.595275394) < 3e-3
    assert error < 6e-4


SCHERK_AREA = 5.6975122116
"""Of the exact surface over (-1, 1)^2."""


def scherk(cells, order):
    """u = log(cos y / cos x), a minimal surface, from zero in the interior: its L2 error and its area."""
    domain = jno.domain.equi_distant_rect((-1.0, 1.0), (-1.0, 1.0), nx=cells, ny=cells)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    slope = u(x, y).grad()
    area = jno.np.sqrt(1 + slope.dot(slope))
    condition = u(xb, yb) - jno.np.log(jno.np.cos(yb) / jno.np.cos(xb))
    problem = jno.fem([slope.dot(v(x, y).grad()) / area, condition], quad_degree=6)
    solution = problem.solve()
    error, _ = l2_and_h1_errors(
        problem, solution, lambda a, b: np.log(np.cos(b) / np.cos(a)), lambda a, b: (np.tan(a), -np.tan(b))
    )
    at = tabulated(problem, solution)
    return error, float(np.sum(at.weights * np.sqrt(1 + np.sum(at.slopes**2, axis=-1))))


@pytest.mark.parametrize(("order", "error", "area"), [(1, 3.676e-3, 6.21e-3), (2, 1.128e-4, 1.84e-6)])
def test_scherks_surface_from_zero(order, error, area):
    computed, areas = np.transpose([scherk(cells, order) for cells in (8, 16)])
    # scikit-fem's number on 16 cells
    np.testing.assert_allclose(computed[-1], error, rtol=1e-3)
    np.testing.assert_allclose(rates(computed)[0], order + 1, atol=0.25)
    # least among the surfaces with this boundary: its error is of the order of the square of that of the slopes
    differences = np.abs(areas - SCHERK_AREA)
    assert differences[-1] < area
    np.testing.assert_allclose(rates(differences)[0], 2 * order, atol=0.3)


@pytest.mark.slow
@pytest.mark.parametrize(("order", "expected"), [(1, [9.311e-4, 2.336e-4]), (2, [1.401e-5, 1.747e-6])])
def test_scherks_surface_on_fine_meshes(order, expected):
    errors, areas = np.transpose([scherk(cells, order) for cells in (32, 64)])
    np.testing.assert_allclose(errors, expected, rtol=1e-3)
    np.testing.assert_allclose(areas[-1], SCHERK_AREA, rtol=1e-4 if order == 1 else 1e-8)


def block(stretches, mesh_size):
    """A block on rollers, stretched along x: homogeneous, so linear tetrahedra are exact."""
    domain = jno.domain.cube(mesh_size=mesh_size)
    at = domain.variable("interior")[:3]
    u, v = domain.fem_symbols((3,), ("u", "v"))
    ui, vi = u(*at), v(*at)
    shear, lame = 1.0, 2.0
    gradient = jno.np.grad(ui, list(at))  # (N, component, direction)
    virtual = jno.np.grad(vi, list(at))
    deformation = gradient + np.eye(3)
    inverse = jno.np.linalg.inv(deformation)
    volume = jno.np.linalg.det(deformation)
    # P = mu (F - F^-T) + lambda log J F^-T
    transposed = jno.np.transpose(inverse, (0, 2, 1))
    stress = shear * (deformation - transposed) + lame * jno.np.log(volume)[..., None, None] * transposed
    weak = jno.np.inner(stress, virtual, n_contract=2)
    sides = [domain.variable(tag)[:3] for tag in ("left", "front", "bottom")]
    rollers = [u(*side)[axis] - 0.0 for axis, side in enumerate(sides)]
    right = domain.variable("right")[:3]
    guess = None
    for stretch in stretches:
        problem = jno.fem([weak, *rollers, u(*right)[0] - (stretch - 1.0)])
        guess = problem.solve(x0=guess, rtol=1e-12, atol=1e-12)
    return problem, guess, jno.fem([weak, *rollers])


def test_a_hyperelastic_block_in_two_load_steps():
    problem, solution, free = block((1.25, 1.5), 1.0)
    shear, lame, stretch = 1.0, 2.0, 1.5

    def lateral_stress(side):
        return shear * (side - 1 / side) + lame * np.log(stretch * side**2) / side

    side = brentq(lateral_stress, 0.5, 1.0, xtol=1e-14)
    assert abs(side - 0.8682995115) < 1e-9
    points = problem.points
    expected = points * np.array([stretch - 1, side - 1, side - 1])
    np.testing.assert_allclose(solution.reshape(-1, 3), expected, atol=1e-10)
    # the force is the sum of the residual over the pulled face
    reactions = free.residual(solution).reshape(-1, 3)[np.isclose(points[:, 0], 1.0), 0]
    np.testing.assert_allclose(reactions.sum(), 0.9973706389, atol=1e-9)


def test_newton_converges_quadratically():
    domain = jno.domain.line(mesh_size=0.2)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((), ("u", "v"), order=2)
    terms = [(1 + u(x) ** 2) * u(x).x * v(x).x - 4.0 * v(x), u(b) - 0.0]
    problem = jno.fem(terms)
    modules, data = problem._compiled.inputs()
    from jno.weak._solution import SteadySolution
    from jno.weak._steps import NewtonOptions

    options = NewtonOptions(rtol=1e-12, atol=1e-13)
    steady = SteadySolution(problem._problem, problem._linear_solver(), options)
    solution, history = steady.solved(steady.guess(), modules, data)
    norms = np.asarray(history.norms)[: int(history.steps) + 1]
    assert int(history.steps) <= 7
    logs = np.log(norms[-3:])
    # digits double from step to step until rounding
    assert norms[-2] < norms[-3] ** 1.5 or norms[-1] < 1e-12
    assert np.all(np.diff(logs) < 0)
    # u + u^3 / 3 = 2 x (1 - x)
    nodes = problem.points[:, 0]
    middle = np.asarray(solution)[np.argmin(np.abs(nodes - 0.5))]
    assert abs(middle + middle**3 / 3 - 0.5) < 1e-3


def test_parts_of_an_equation_are_traced_for_all_their_places():
    """Of u^2 = k from u = 3: the residual stands before Newton's steps, in them, and in the derivative by k."""
    traced = collections.Counter()

    def counted(name, part):
        def of(*arguments):
            traced[name] += 1
            return part(*arguments)

        return of

    one = np.zeros((1, 1), dtype=int)
    pattern, _ = build_pattern([Couplings(one, one)], 1, np.zeros(1, dtype=bool))
    equation = Equation(
        residual=counted("residual", lambda u, k: u**2 - k),
        matrix=counted("matrix", lambda u, k: 2 * u),
        linearised=counted("linearised", lambda u, k: 2 * u),
        prescribed=counted("prescribed", lambda k: 0 * k),
        affine=False,
        solver=LinearSolver(pattern, DirectSolver(pattern)),
    )
    root = jax.jit(jax.value_and_grad(lambda k: equation(jnp.full(1, 3.0), k)[0]))
    np.testing.assert_allclose(np.concatenate([np.ravel(part) for part in root(jnp.full(1, 4.0))]), [2.0, 0.25])
    # the residual once more where its arguments are differentiated
    assert traced.pop("residual") <= 2
    assert traced == dict.fromkeys(("matrix", "linearised", "prescribed"), 1)


def test_the_jacobian_is_the_derivative_of_the_residual():
    domain = jno.domain.disk(mesh_size=0.8, num_points=7)
    x, y, _ = domain.variable("interior")
    left = domain.variable("boundary", normals=True, split=True)
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"))
    ui, vi, pi, qi = u(x, y), v(x, y), p(x, y), q(x, y)
    ub, vb = u(*left[:2]), v(*left[:2])
    problem = jno.fem(
        [
            jno.np.exp(pi) * ui.x.dot(vi) + ui.div() * vi.div() * (1 + pi**2) + x * pi * qi + ui[0] * ui[1] * qi,
            ub[0] ** 3 * left[-1] * vb[1],
        ]
    )
    rng = np.random.default_rng(0)
    at, direction = rng.normal(size=(2, problem.dofs))
    step = 1e-5
    difference = (problem.residual(at + step * direction) - problem.residual(at - step * direction)) / (2 * step)
    np.testing.assert_allclose(problem.jacobian(at) @ direction, difference, atol=1e-7 * np.abs(difference).max())


@pytest.mark.parametrize(
    ("law", "linear"),
    [
        (lambda m, u, x: (1 + x) * u, True),
        (lambda m, u, x: m.where(x > 0.5, 2.0, 1.0) * u, True),
        (lambda m, u, x: jno.fn(lambda a: a**2, [x]) * u, True),
        (lambda m, u, x: (2 * u + x) - u, True),
        (lambda m, u, x: u * u, False),
        (lambda m, u, x: m.exp(u), False),
        (lambda m, u, x: m.maximum(u, 0.0), False),
        (lambda m, u, x: jno.fn(lambda a: a**2, [u]), False),
    ],
)
def test_linearity_is_read_from_the_form(law, linear):
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    u, v = domain.fem_symbols()
    assert jno.fem([u(x).x * v(x).x + law(jno.np, u(x), x) * v(x)]).is_linear is linear
