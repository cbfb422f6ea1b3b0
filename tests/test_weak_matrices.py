"""Matrices and load vectors, entry for entry those of scikit-fem on the same mesh."""

import math

import equinox as eqx
import jax
import numpy as np
import pytest
import skfem
from skfem.helpers import ddot, dot, grad, sym_grad
from weak_forms import double_precision, oracle_dofs, oracle_element, oracle_mesh  # noqa: F401

import jno

SCALARS = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]


def domain_of(dimension):
    if dimension == 1:
        return jno.domain.line((0.0, 2.0), mesh_size=0.31)
    if dimension == 2:
        return jno.domain.disk(mesh_size=0.6, num_points=11)
    return jno.domain.cube((0.0, 1.0), (0.0, 2.0), (0.0, 0.5), mesh_size=0.5)


def whole(matrix, problem, basis, components=1):
    """A matrix of scikit-fem in the numbering of the problem."""
    dofs = oracle_dofs(problem, [basis], [components])
    return matrix.toarray()[np.ix_(dofs, dofs)]


def same(actual, expected):
    np.testing.assert_allclose(actual, expected, atol=1e-12 * np.abs(expected).max(), rtol=0)


@pytest.fixture(scope="module", params=SCALARS, ids=lambda p: f"{p[0]}-D order {p[1]}")
def scalar(request):
    dimension, order = request.param
    domain = domain_of(dimension)
    coordinates = domain.variable("interior")[:dimension]
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    basis = skfem.Basis(oracle_mesh(domain), oracle_element(dimension, order), intorder=2 * order)
    return domain, coordinates, u, v, basis


def test_mass_stiffness_and_advection(scalar):
    _, coordinates, u, v, basis = scalar
    ui, vi = u(*coordinates), v(*coordinates)
    # in one matrix; which of the two is differentiated at last tells it from its transpose
    problem = jno.fem([ui * vi + 2 * ui.grad().dot(vi.grad()) + 3 * ui.x * vi])
    expected = skfem.BilinearForm(lambda a, b, w: a * b + 2 * dot(grad(a), grad(b)) + 3 * a.grad[0] * b)
    same(problem.A, whole(expected.assemble(basis), problem, basis))


def test_coefficients_of_the_coordinates(scalar):
    _, coordinates, u, v, basis = scalar
    x, ui, vi = coordinates[0], u(*coordinates), v(*coordinates)
    problem = jno.fem([(1 + x) * ui * vi - x * vi], quad_degree=2 * basis.elem.maxdeg + 1)
    # its rule of degree 5 on tetrahedra is not exact
    fine = skfem.Basis(basis.mesh, basis.elem, intorder=2 * basis.elem.maxdeg + 2)
    same(problem.A, whole(skfem.BilinearForm(lambda a, b, w: (1 + w.x[0]) * a * b).assemble(fine), problem, fine))
    load = skfem.LinearForm(lambda b, w: w.x[0] * b).assemble(fine)
    same(problem.b, load[oracle_dofs(problem, [fine], [1])])


def test_values_slopes_and_normals_on_the_boundary(scalar):
    domain, coordinates, u, v, basis = scalar
    variables = domain.variable("boundary", normals=True, split=True)
    space, normal = variables[: domain.dimension], variables[-domain.dimension :]
    ub, vb = u(*space), v(*space)
    flux = sum(ub.grad()[d] * normal[d] for d in range(domain.dimension))
    problem = jno.fem([0 * (u(*coordinates) * v(*coordinates)), flux * vb, 2 * ub * vb])
    facets = skfem.FacetBasis(basis.mesh, basis.elem, intorder=2 * basis.elem.maxdeg)
    expected = skfem.BilinearForm(lambda a, b, w: (dot(grad(a), w.n) + 2 * a) * b).assemble(facets)
    same(problem.A, whole(expected, problem, basis))


def test_loads_sum_to_the_measure(scalar):
    domain, coordinates, u, v, basis = scalar
    ui, vi = u(*coordinates), v(*coordinates)
    measure = basis.dx.sum()
    vb = v(*domain.variable("boundary")[: domain.dimension])
    surface = skfem.FacetBasis(basis.mesh, basis.elem).dx.sum()
    load = jno.fem([ui * vi - vi, -2 * vb]).b
    assert abs(load.sum() - (measure + 2 * surface)) <= 1e-12 * (measure + 2 * surface)


@pytest.mark.parametrize("order", [1, 2])
def test_elasticity(order):
    domain = domain_of(2)
    x, y, _ = domain.variable("interior")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=order)
    ui, vi = u(x, y), v(x, y)
    strain, virtual = jno.np.symgrad(ui, [x, y]), jno.np.symgrad(vi, [x, y])
    lame, shear = 1.3, 0.7
    problem = jno.fem([2 * shear * jno.np.inner(strain, virtual, n_contract=2) + lame * ui.div() * vi.div()])
    basis = skfem.Basis(oracle_mesh(domain), oracle_element(2, order, 2), intorder=2 * order)

    def form(a, b, w):
        divergence = a.grad[0, 0] + a.grad[1, 1]
        return 2 * shear * ddot(sym_grad(a), sym_grad(b)) + lame * divergence * (b.grad[0, 0] + b.grad[1, 1])

    same(problem.A, whole(skfem.BilinearForm(form).assemble(basis), problem, basis, 2))
    same(problem.A, problem.A.T)


def test_elasticity_in_space():
    domain = domain_of(3)
    x, y, z, _ = domain.variable("interior")
    u, v = domain.fem_symbols((3,), ("u", "v"))
    ui, vi = u(x, y, z), v(x, y, z)
    strain, virtual = jno.np.symgrad(ui, [x, y, z]), jno.np.symgrad(vi, [x, y, z])
    problem = jno.fem([jno.np.inner(strain, virtual, n_contract=2)])
    basis = skfem.Basis(oracle_mesh(domain), oracle_element(3, 1, 3), intorder=2)
    expected = skfem.BilinearForm(lambda a, b, w: ddot(sym_grad(a), sym_grad(b))).assemble(basis)
    same(problem.A, whole(expected, problem, basis, 3))


def test_two_fields_of_different_order():
    domain = domain_of(2)
    x, y, _ = domain.variable("interior")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"))
    ui, vi, pi, qi = u(x, y), v(x, y), p(x, y), q(x, y)
    viscous = sum(ui[i].grad().dot(vi[i].grad()) for i in range(2))
    problem = jno.fem([viscous - pi * vi.div() - qi * ui.div()])
    mesh = oracle_mesh(domain)
    bases = [skfem.Basis(mesh, e, intorder=4) for e in (oracle_element(2, 2, 2), oracle_element(2, 1))]
    stiffness = skfem.BilinearForm(lambda a, b, w: ddot(grad(a), grad(b))).assemble(bases[0])
    divergence = skfem.BilinearForm(lambda a, b, w: -(a.grad[0, 0] + a.grad[1, 1]) * b).assemble(*bases)
    expected = skfem.bmat([[stiffness, divergence.T], [divergence, None]]).toarray()
    dofs = oracle_dofs(problem, bases, [2, 1])
    same(problem.A, expected[np.ix_(dofs, dofs)])
    counts = [basis.N for basis in bases]
    assert problem.offsets == [0, counts[0], sum(counts)]
    assert problem.blocks == [slice(0, counts[0]), slice(counts[0], sum(counts))]
    assert [problem.block_index(symbol) for symbol in (u, p, vi)] == [0, 1, 0]


def test_the_hessian_of_second_order_elements():
    domain = domain_of(2)
    x, y, _ = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"), order=3)
    ui, vi = u(x, y), v(x, y)
    problem = jno.fem([ui.xy * vi.xx + ui.laplacian() * vi])
    basis = skfem.Basis(oracle_mesh(domain), skfem.ElementTriP3(), intorder=6)
    # scikit-fem has no second derivatives of these elements: cubics at the nodes, integrated exactly
    points = problem.points
    cubic = points[:, 0] ** 2 * points[:, 1] + points[:, 1] ** 3
    quadratic = points[:, 0] ** 2
    exact = skfem.Functional(lambda w: 2 * w.x[0] * 2 + 8 * w.x[1] * w.x[0] ** 2).assemble(basis)
    assert abs(quadratic @ problem.A @ cubic - exact) <= 1e-10


def test_dirichlet_elimination_keeps_the_matrix_symmetric():
    domain = domain_of(2)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((), ("u", "v"), order=2)
    ui, vi = u(x, y), v(x, y)
    problem = jno.fem([ui.grad().dot(vi.grad()) - x * vi, u(xb, yb) - xb * yb])
    basis = skfem.Basis(oracle_mesh(domain), oracle_element(2, 2), intorder=4)
    dofs = oracle_dofs(problem, [basis], [1])
    stiffness = skfem.BilinearForm(lambda a, b, w: dot(grad(a), grad(b))).assemble(basis).toarray()[np.ix_(dofs, dofs)]
    load = skfem.LinearForm(lambda b, w: w.x[0] * b).assemble(basis)[dofs]
    fixed = np.isin(dofs, basis.get_dofs().flatten())
    values = np.where(fixed, problem.points[:, 0] * problem.points[:, 1], 0.0)
    expected, right = stiffness.copy(), load - stiffness @ values
    expected[fixed], expected[:, fixed] = 0.0, 0.0
    expected[fixed, fixed] = 1.0
    same(problem.A, expected)
    same(problem.A, problem.A.T)
    same(problem.b, np.where(fixed, values, right))
    np.testing.assert_allclose(problem.solve(), np.linalg.solve(expected, np.where(fixed, values, right)), atol=1e-12)


@pytest.mark.parametrize("shape", ["line", "rect", "cube"])
def test_the_size_of_a_cell_is_a_root_of_its_determinant(shape):
    """Integrals of it over the interior, and over a side, where it is that of the cell behind the facet."""
    domain = getattr(jno.domain, shape)(mesh_size=0.6)
    dimension, points, cells = domain.dimension, domain.mesh.points, domain.mesh.cells
    at, side = domain.variable("interior")[:dimension], domain.variable("left")[:dimension]
    u, v = domain.fem_symbols((), ("u", "v"))
    determinants = np.abs(np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]]))
    volumes, sizes = determinants / math.factorial(dimension), determinants ** (1 / dimension)
    inside = jno.fem([u(*at) * v(*at) - domain.cell_size * v(*at)]).b
    np.testing.assert_allclose(inside.sum(), np.sum(volumes * sizes), rtol=1e-12)
    on_side = jno.fem([u(*at) * v(*at), -domain.cell_size * v(*side)]).b
    facets = np.isclose(points[cells][:, :, 0], 0.0).sum(axis=1) == dimension
    # a facet on the left and the distance of the last corner from it make the cell
    areas = volumes[facets] * dimension / points[cells[facets]][:, :, 0].max(axis=1)
    np.testing.assert_allclose(on_side.sum(), np.sum(areas * sizes[facets]), rtol=1e-12)


def test_a_network_that_gets_adapters_after_the_problem_was_built():
    """Its compiled functions are those of the modules as they are now."""
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"))
    net = jno.nn(eqx.nn.MLP(2, 1, 4, 1, key=jax.random.PRNGKey(0))).freeze()

    def problem():
        k = 1 + net(jno.np.concat([x, y])) ** 2
        return jno.fem([k * (u(x, y).x * v(x, y).x + u(x, y).y * v(x, y).y) - v(x, y)])

    first, values = problem(), np.arange(9.0)
    before = first.residual(values)
    jno.core([net.lora(2)(jno.np.concat([x, y])).mse])
    same(first.residual(values), before)
    net.initialize(lambda key, shape, dtype: jax.random.normal(key, shape, dtype))
    expected = problem().residual(values)
    assert np.abs(expected - before).max() > 1e-2
    same(first.residual(values), expected)
