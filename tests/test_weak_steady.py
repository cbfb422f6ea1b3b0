"""Steady linear problems against exact solutions: convergence rates, patch tests, flow, elasticity, an eigenvalue."""

import functools

import numpy as np
import pytest
from weak_forms import double_precision, l2_and_h1_errors, rates  # noqa: F401

import jno

PI = np.pi


def poisson_on_square(cells, order):
    """Errors of u = sin(pi x) sin(pi y) in L2 and in the seminorm of H1."""
    domain = jno.domain.equi_distant_rect(nx=cells, ny=cells)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    ui, vi = u(x, y), v(x, y)
    source = 2 * PI**2 * jno.np.sin(PI * x) * jno.np.sin(PI * y)
    problem = jno.fem([ui.grad().dot(vi.grad()) - source * vi, u(xb, yb) - 0.0], quad_degree=8)
    return l2_and_h1_errors(
        problem,
        problem.solve(),
        lambda a, b: np.sin(PI * a) * np.sin(PI * b),
        lambda a, b: (PI * np.cos(PI * a) * np.sin(PI * b), PI * np.sin(PI * a) * np.cos(PI * b)),
    )


@pytest.mark.parametrize(
    ("order", "l2", "h1"),
    [(1, 1.350e-3, 0.1090), (2, 8.601e-6, 2.110e-3), (3, 7.50e-8, 2.568e-5)],
)
def test_poisson_on_the_square_has_the_errors_and_rates_of_its_order(order, l2, h1):
    errors = np.array([poisson_on_square(cells, order) for cells in (16, 32)])
    # scikit-fem's numbers on the same mesh
    np.testing.assert_allclose(errors[-1], [l2, h1], rtol=0.01)
    np.testing.assert_allclose(rates(errors[:, 0])[-1], order + 1, atol=0.1)
    np.testing.assert_allclose(rates(errors[:, 1])[-1], order, atol=0.1)


def poisson_on_cube(cells, order):
    domain = jno.domain.cube(mesh_size=1 / cells)
    x, y, z, _ = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    ui, vi = u(x, y, z), v(x, y, z)
    source = 3 * PI**2 * jno.np.sin(PI * x) * jno.np.sin(PI * y) * jno.np.sin(PI * z)
    condition = u(*domain.variable("boundary")[:3]) - 0.0
    problem = jno.fem([ui.grad().dot(vi.grad()) - source * vi, condition], quad_degree=6)

    def exact(a, b, c):
        return np.sin(PI * a) * np.sin(PI * b) * np.sin(PI * c)

    return l2_and_h1_errors(problem, problem.solve(), exact, lambda a, b, c: (0 * a, 0 * a, 0 * a), degree=6)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("order", "coarse", "error"), [(1, 8, 6.338e-3), (2, 4, 7.043e-4)])
def test_poisson_on_the_cube(order, coarse, error):
    """The second number is that of our mesh, see `test_weak_oracles`; cubes in six tetrahedra give 6.396e-4."""
    errors = [poisson_on_cube(cells, order) for cells in (coarse, 2 * coarse)]
    np.testing.assert_allclose(errors[-1], error, rtol=0.01)
    np.testing.assert_allclose(rates(errors)[-1], order + 1, atol=0.1 if order == 2 else 0.15)


def test_poisson_on_a_coarse_cube():
    errors = [poisson_on_cube(cells, 2) for cells in (2, 4)]
    assert errors[1] < errors[0] / 5
    assert errors[1] < 6e-3


def test_linear_elements_on_a_line_are_exact_at_their_nodes():
    domain = jno.domain.line(mesh_size=0.13)
    x, _ = domain.variable("interior")
    xb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    problem = jno.fem([u(x).x * v(x).x - 2 * v(x), u(xb) - 0.0])
    nodes = problem.points[:, 0]
    np.testing.assert_allclose(problem.solve(), nodes * (1 - nodes), atol=1e-12)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_rates_on_a_line(order):
    errors = []
    for cells in (4, 8):
        domain = jno.domain.line(mesh_size=1 / cells)
        x, _ = domain.variable("interior")
        xb, _ = domain.variable("boundary")
        u, v = domain.fem_symbols((), ("u", "v"), order=order)
        source = PI**2 * jno.np.sin(PI * x)
        problem = jno.fem([u(x).x * v(x).x - source * v(x), u(xb) - 0.0], quad_degree=10)
        exact = (lambda a: np.sin(PI * a), lambda a: (PI * np.cos(PI * a),))
        errors.append(l2_and_h1_errors(problem, problem.solve(), *exact, degree=12))
    np.testing.assert_allclose(rates([e[0] for e in errors]), order + 1, atol=0.15)
    np.testing.assert_allclose(rates([e[1] for e in errors]), order, atol=0.15)


# --- patch tests ---------------------------------------------------------------------------------------------------
def polynomial(order, *coordinates):
    """A polynomial of the order with all derivatives different from zero."""
    total = 0.3
    for number, c in enumerate(coordinates):
        total = total + (0.7 - 0.4 * number) * c
        if order > 1:
            total = total + (0.5 + 0.2 * number) * c * coordinates[0]
        if order > 2:
            total = total - (0.25 + 0.1 * number) * c * c * coordinates[-1]
        if order > 3:
            total = total + 0.15 * c * c * c * coordinates[0]
    return total


PATCHES = {
    "line": functools.partial(jno.domain.line, (0.0, 2.0), mesh_size=0.4),
    "disk": functools.partial(jno.domain.disk, mesh_size=0.6, num_points=12),
    "rect": functools.partial(jno.domain.rect, (0.0, 2.0), (0.0, 1.0), mesh_size=0.5),
    "cube": functools.partial(jno.domain.cube, (0.0, 1.0), (0.0, 2.0), (0.0, 1.0), mesh_size=0.5),
}


def patch(name):
    domain = PATCHES[name]()
    return domain, domain.variable("interior")[: domain.dimension]


@pytest.mark.parametrize(
    ("name", "order"),
    [("line", 4), ("disk", 1), ("disk", 2), ("disk", 3), ("disk", 4), ("cube", 1), ("cube", 2), ("cube", 3)],
)
def test_polynomials_are_reproduced_from_their_values_on_the_boundary(name, order):
    domain, at = patch(name)
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    exact = polynomial(order, *at)
    source = sum((-exact.d(c).d(c) for c in at), start=0.0 * at[0])
    b = domain.variable("boundary")[: domain.dimension]
    terms = [u(*at).grad().dot(v(*at).grad()) - source * v(*at), u(*b) - polynomial(order, *b)]
    problem = jno.fem(terms)
    assert problem.is_linear
    expected = polynomial(order, *problem.points.T)
    np.testing.assert_allclose(problem.solve(), expected, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "order", "kind"), [("rect", 1, "neumann"), ("rect", 3, "robin"), ("cube", 2, "both")])
def test_fluxes_and_robin_conditions_of_a_polynomial(name, order, kind):
    domain, at = patch(name)
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    exact = polynomial(order, *at)
    source = sum((-exact.d(c).d(c) for c in at), start=0.0 * at[0])
    terms = [u(*at).grad().dot(v(*at).grad()) - source * v(*at)]
    sides = ["left", "right", "bottom", "top", *(("front", "back") if domain.dimension == 3 else ())]
    robin = {"neumann": [], "robin": sides, "both": sides[::2]}[kind]
    fixed = () if robin else ("left",)
    for side in sides:
        variables = domain.variable(side, normals=True, split=True)
        b, normal = variables[: domain.dimension], variables[-domain.dimension :]
        value = polynomial(order, *b)
        flux = sum(value.d(c) * n for c, n in zip(b, normal, strict=True))
        if side in fixed:
            terms.append(u(*b) - value)
        elif side in robin:
            terms.append((2.5 * u(*b) - (2.5 * value + flux)) * v(*b))
        else:
            terms.append(-flux * v(*b))
    problem = jno.fem(terms)
    expected = polynomial(order, *problem.points.T)
    np.testing.assert_allclose(problem.solve(), expected, atol=1e-11 * np.abs(expected).max())


def strain_energy(ui, vi, at, lame, shear):
    strain, virtual = jno.np.symgrad(ui, list(at)), jno.np.symgrad(vi, list(at))
    return 2 * shear * jno.np.inner(strain, virtual, n_contract=2) + lame * ui.div() * vi.div()


@pytest.mark.parametrize("written", ["inner", "components"])
def test_uniform_tension_with_rollers_and_a_traction(written):
    """A bar on rollers, pulled at its end: the linear field of plane stress."""
    domain, at = patch("rect")
    u, v = domain.fem_symbols((2,), ("u", "v"))
    young, poisson, pull = 5.0, 0.3, 2.0
    lame, shear = young * poisson / (1 - poisson**2), young / (2 * (1 + poisson))
    left, bottom, right = (domain.variable(tag)[:2] for tag in ("left", "bottom", "right"))
    traction = jno.np.inner(jno.np.vector(pull + 0 * right[0], 0 * right[0]), v(*right))
    if written == "components":
        traction = pull * v(*right)[0] + 0.0 * v(*right)[1]
    problem = jno.fem(
        [strain_energy(u(*at), v(*at), at, lame, shear), -traction, u(*left)[0] - 0.0, u(*bottom)[1] - 0.0]
    )
    assert problem.classification == ["volume", "surface@right", "dirichlet@left[x]", "dirichlet@bottom[y]"]
    expected = np.column_stack([pull / young * problem.points[:, 0], -poisson * pull / young * problem.points[:, 1]])
    np.testing.assert_allclose(problem.solve().reshape(-1, 2), expected, atol=1e-11)


# --- flow ----------------------------------------------------------------------------------------------------------
def test_stokes_flow_of_a_stagnation_point():
    """u = (x, -y), p = x: saddle point, no solver chosen."""
    domain = jno.domain.rect(mesh_size=0.34)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"))
    ui, vi, pi, qi = u(x, y), v(x, y), p(x, y), q(x, y)
    viscous = jno.np.inner(jno.np.grad(ui, [x, y]), jno.np.grad(vi, [x, y]), n_contract=2)
    problem = jno.fem([viscous - pi * vi.div() - qi * ui.div() - vi[0], u(xb, yb) - jno.np.vector(xb, -yb), p.pin(0.0)])
    solution = problem.solve()
    velocity = solution[problem.blocks[0]].reshape(-1, 2)
    np.testing.assert_allclose(velocity, problem.field_points[0] * [1, -1], atol=1e-9)
    np.testing.assert_allclose(solution[problem.blocks[1]], problem.field_points[1][:, 0], atol=1e-9)
    np.testing.assert_allclose(problem.A, problem.A.T, atol=1e-14)


REYNOLDS = 40.0
DECAY = REYNOLDS / 2 - np.sqrt(REYNOLDS**2 / 4 + 4 * PI**2)


def kovasznay(m, x, y):
    growth = m.exp(DECAY * x)
    first = 1 - growth * m.cos(2 * PI * y)
    second = DECAY / (2 * PI) * growth * m.sin(2 * PI * y)
    return first, second, (1 - growth * growth) / 2


def kovasznay_problem(cells):
    domain = jno.domain.equi_distant_rect((-0.5, 1.0), (-0.5, 1.5), nx=cells, ny=cells)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"))
    ui, vi, pi, qi = u(x, y), v(x, y), p(x, y), q(x, y)
    gradient, virtual = jno.np.grad(ui, [x, y]), jno.np.grad(vi, [x, y])
    convection = (ui[0] * ui.x[0] + ui[1] * ui.y[0]) * vi[0] + (ui[0] * ui.x[1] + ui[1] * ui.y[1]) * vi[1]
    weak = jno.np.inner(gradient, virtual, n_contract=2) / REYNOLDS + convection - pi * vi.div() - qi * ui.div()
    first, second, _ = kovasznay(jno.np, xb, yb)
    corner = kovasznay(np, -0.5, -0.5)[2]
    problem = jno.fem([weak, u(xb, yb) - jno.np.vector(first, second), p.pin(float(corner))], quad_degree=6)
    assert not problem.is_linear
    return problem


def kovasznay_errors(cells):
    problem = kovasznay_problem(cells)
    solution = problem.solve()
    velocity = solution[problem.blocks[0]].reshape(-1, 2)
    none = lambda a, b: (0 * a, 0 * a)  # noqa: E731
    parts = [
        l2_and_h1_errors(problem, velocity[:, i], lambda a, b, i=i: kovasznay(np, a, b)[i], none)[0] for i in range(2)
    ]
    pressure = l2_and_h1_errors(
        problem, solution[problem.blocks[1]], lambda a, b: kovasznay(np, a, b)[2], none, field=1
    )[0]
    return float(np.hypot(*parts)), pressure


def test_kovasznay_flow_on_coarse_meshes():
    errors = np.array([kovasznay_errors(cells) for cells in (6, 12)])
    assert rates(errors[:, 0])[0] > 2.7
    assert rates(errors[:, 1])[0] > 1.7


@pytest.mark.slow
def test_kovasznay_flow_converges_with_the_orders_of_taylor_and_hood():
    errors = np.array([kovasznay_errors(cells) for cells in (16, 32)])
    np.testing.assert_allclose(rates(errors[:, 0]), 3, atol=0.15)
    # not yet asymptotic: from above
    assert 1.8 < rates(errors[:, 1])[0] < 2.3


# --- elasticity ----------------------------------------------------------------------------------------------------
def test_a_slender_cantilever_bends_like_a_beam():
    length, height, young, poisson, load = 10.0, 1.0, 100.0, 0.3, 0.01
    domain = jno.domain.equi_distant_rect((0.0, length), (0.0, height), nx=40, ny=4)
    at = domain.variable("interior")[:2]
    right, left = domain.variable("right")[:2], domain.variable("left")[:2]
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    lame, shear = young * poisson / (1 - poisson**2), young / (2 * (1 + poisson))
    problem = jno.fem([strain_energy(u(*at), v(*at), at, lame, shear), -(load * v(*right)[1]), u(*left) - (0.0, 0.0)])
    displacement = problem.solve().reshape(-1, 2)
    tip = displacement[np.isclose(problem.points[:, 0], length), 1].mean()
    inertia = height**3 / 12
    bending = load * height * length**3 / (3 * young * inertia)
    shearing = load * length / (5 / 6 * shear)
    np.testing.assert_allclose(tip, bending + shearing, rtol=0.01)
    np.testing.assert_allclose(tip, bending, rtol=0.02)
    matrix = problem.A_sparse
    assert abs(matrix - matrix.T).max() < 1e-10 * abs(matrix).max()


# --- eigenvalue ----------------------------------------------------------------------------------------------------
def first_eigenvalue(mesh_size, order):
    """The lowest eigenvalue of the Dirichlet problem on three unit squares."""
    from scipy.sparse.linalg import eigsh

    domain = jno.domain.l_shape(2.0, mesh_size=mesh_size)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    ui, vi = u(x, y), v(x, y)
    problem, mass = jno.fem([ui.grad().dot(vi.grad()), u(xb, yb) - 0.0]), jno.fem([ui * vi])
    inside = np.flatnonzero(~problem._problem.system.prescribed)
    parts = [matrix[inside][:, inside].tocsc() for matrix in (problem.A_sparse, mass.A_sparse)]
    return eigsh(parts[0], 1, parts[1], sigma=9.0, return_eigenvectors=False)[0], len(inside)


def test_the_lowest_eigenvalue_of_the_l_shape():
    exact = 9.6397238440219
    for order, sizes, bound in ((1, (0.125, 0.0625), 0.04), (2, (0.125, 0.0625), 0.02)):
        values, unknowns = zip(*[first_eigenvalue(size, order) for size in sizes], strict=True)
        errors = np.array(values) - exact
        # from above, by the minimum principle
        assert np.all(errors > 0)
        assert errors[-1] < bound * exact / 4
        widths = np.array(unknowns, dtype=float) ** -0.5
        rate = np.log(errors[-2] / errors[-1]) / np.log(widths[-2] / widths[-1])
        # two for smooth eigenfunctions, four thirds at the corner
        assert (1.2 if order == 2 else 1.3) < rate < (1.7 if order == 2 else 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2])
def test_the_corner_of_the_l_shape_limits_the_rate_to_four_thirds(order):
    coarse = 16 if order == 1 else 8
    errors = [first_eigenvalue(1 / cells, order)[0] - 9.6397238440219 for cells in (coarse, 2 * coarse, 4 * coarse)]
    if order == 2:
        np.testing.assert_allclose(rates(errors), 4 / 3, atol=0.03)
        return
    # linear elements have the error h^2 of the smooth part beside h^(4/3): two meshes tell both, and the third agrees
    powers = np.array([[2.0 ** (-k * power) for power in (4 / 3, 2)] for k in range(3)])
    corner, smooth = np.linalg.solve(powers[1:], errors[1:])
    np.testing.assert_allclose(powers[0] @ [corner, smooth], errors[0], rtol=0.01)
    assert corner > smooth > 0
