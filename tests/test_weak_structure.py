"""What assembling keeps: samples, other problems, the order of terms, the way of writing; regions and conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skfem
from helpers import compilations
from weak_forms import double_precision, oracle_element, oracle_mesh  # noqa: F401

import jno


@pytest.fixture(scope="module")
def rectangle():
    return jno.domain.rect((0.0, 2.0), (0.0, 1.0), mesh_size=0.5)


def test_three_ways_of_writing_are_bit_identical(rectangle):
    x, y, _ = rectangle.variable("interior")
    xb, yb, _ = rectangle.variable("boundary")
    u, v = rectangle.fem_symbols((), ("u", "v"), order=2)
    ui, vi, ub, vb = u(x, y), v(x, y), u.bind(x=x, y=y), v.bind(x=x, y=y)
    forms = [
        u.d(x) * v.d(x) + u.d(y) * v.d(y) - x * v,
        ui.x * vi.x + ui.y * vi.y - x * vi,
        ub.x * vb.x + ub.y * vb.y - x * vb,
    ]
    problems = [jno.fem([form, u(xb, yb) - xb]) for form in forms]
    for other in problems[1:]:
        np.testing.assert_array_equal(other.A, problems[0].A)
        np.testing.assert_array_equal(other.b, problems[0].b)
    for form in (ui.grad().dot(vi.grad()), jno.np.inner(jno.np.grad(u, [x, y]), jno.np.grad(v, [x, y]))):
        np.testing.assert_allclose(jno.fem([form - x * v, u(xb, yb) - xb]).A, problems[0].A, atol=1e-14)


def test_a_term_without_coordinates_lives_on_the_interior(rectangle):
    u, v = rectangle.fem_symbols()
    x, y, _ = rectangle.variable("interior")
    bare, at = jno.fem([(u * u * u - u) * v]), jno.fem([(u(x, y) ** 3 - u(x, y)) * v(x, y)])
    assert bare.classification == ["volume"]
    values = np.random.default_rng(0).normal(size=bare.dofs)
    np.testing.assert_allclose(bare.residual(values), at.residual(values), atol=1e-14)


def test_the_order_of_terms_does_not_matter(rectangle):
    x, y, _ = rectangle.variable("interior")
    xr, yr, _ = rectangle.variable("right")
    xl, yl, _ = rectangle.variable("left")
    u, v = rectangle.fem_symbols((), ("u", "v"), order=2)
    ui, vi = u(x, y), v(x, y)
    terms = [ui.x * vi.x, ui.y * vi.y, (1 + x) * ui * vi, -x * vi, (u(xr, yr) - yr) * v(xr, yr), u(xl, yl) - yl]
    first, last = jno.fem(terms), jno.fem(terms[::-1])
    np.testing.assert_allclose(last.A, first.A, atol=1e-13)
    np.testing.assert_allclose(last.b, first.b, atol=1e-13)
    together = jno.fem([terms[0] + terms[1] + terms[2] + terms[3], *terms[4:]])
    np.testing.assert_allclose(together.A, first.A, atol=1e-13)
    assert last.classification == first.classification[::-1]


def test_assembling_leaves_the_samples_and_other_problems_alone():
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior", (7, "uniform"))
    before = {key: np.array(value) for key, value in domain.context.items()}
    tags = list(domain.geometry.tags)
    u, v = domain.fem_symbols()
    xb, yb, _ = domain.variable("boundary")
    kept = {key: np.array(value) for key, value in domain.context.items()}
    problem = jno.fem([u(x, y).grad().dot(v(x, y).grad()) - v(x, y), u(xb, yb) - 0.0])
    matrix, right, solution = problem.A, problem.b, problem.solve()
    # coordinates stand for the quadrature points, however they were sampled
    nodes = jno.domain.rect(mesh_size=0.5)
    a, b, _ = nodes.variable("interior")
    p, q = nodes.fem_symbols()
    on_nodes = jno.fem([p(a, b).grad().dot(q(a, b).grad()) - q(a, b), p(*nodes.variable("boundary")[:2]) - 0.0])
    np.testing.assert_array_equal(on_nodes.A, matrix)
    other = jno.fem([3 * u(x, y) * v(x, y) - x * v(x, y), u(xb, yb) - 1.0], quad_degree=5)
    other.solve()
    np.testing.assert_array_equal(problem.A, matrix)
    np.testing.assert_array_equal(problem.b, right)
    np.testing.assert_array_equal(problem.solve(), solution)
    assert list(domain.geometry.tags) == tags
    assert domain.context.keys() == kept.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(domain.context[key], value)


def test_vectors_on_a_line():
    """Two springs that are coupled: -u'' + k (u - w) = 0 and the other way round."""
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    (left, _), (right, _) = domain.variable("left"), domain.variable("right")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=3)
    ui, vi = u(x), v(x)
    coupling = 4.0 * (ui[0] - ui[1]) * (vi[0] - vi[1])
    problem = jno.fem([ui.x.dot(vi.x) + coupling, u(left) - (1.0, -1.0), u(right) - (0.0, 0.0)])
    values = problem.solve().reshape(-1, 2)
    # the sum is linear, the difference decays with sqrt(8)
    rate = np.sqrt(8.0)
    exact = 2 * np.sinh(rate * (1 - problem.points[:, 0])) / np.sinh(rate)
    np.testing.assert_allclose(values.sum(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(values[:, 0] - values[:, 1], exact, atol=2e-4)


def test_a_part_of_the_interior(rectangle):
    if "half" not in rectangle.geometry.tags:
        rectangle.tag("half", lambda x, y: x < 1.0 + 1e-9)
    x, y, _ = rectangle.variable("interior")
    xh, yh, _ = rectangle.variable("half")
    u, v = rectangle.fem_symbols((), ("u", "v"), order=2)
    problem = jno.fem([u(x, y) * v(x, y), -v(xh, yh)])
    assert problem.classification == ["volume", "volume@half"]
    assert abs(problem.b.sum() - 1.0) < 1e-13
    # only nodes of the half have a load
    assert np.all(problem.b[problem.points[:, 0] > 1.0 + 1e-9] == 0)
    # and prescribing on it fixes all its nodes
    fixed = jno.fem([u(x, y).grad().dot(v(x, y).grad()) - v(x, y), u(xh, yh) - 7.0])
    assert fixed.classification[1] == "dirichlet@half"
    solution = fixed.solve()
    inside = problem.points[:, 0] <= 1.0 + 1e-9
    np.testing.assert_allclose(solution[inside], 7.0, atol=1e-14)
    # insulated on the other side: u = 7 + (x - 1) (3 - x) / 2
    distance = problem.points[:, 0]
    np.testing.assert_allclose(solution[~inside], (7 + (distance - 1) * (3 - distance) / 2)[~inside], atol=1e-12)


def test_conductivities_of_two_halves_in_series(rectangle):
    """Flux through two layers: 1 / (1 / k1 + 1 / k2)."""
    for name, where in (("cold", lambda x, y: x < 1.0 + 1e-9), ("warm", lambda x, y: x > 1.0 - 1e-9)):
        if name not in rectangle.geometry.tags:
            rectangle.tag(name, where)
    u, v = rectangle.fem_symbols()
    terms = []
    for name, conductivity in (("cold", 1.0), ("warm", 5.0)):
        at = rectangle.variable(name)[:2]
        terms.append(conductivity * u(*at).grad().dot(v(*at).grad()))
    left, right = rectangle.variable("left")[:2], rectangle.variable("right")[:2]
    solution = jno.fem([*terms, u(*left) - 0.0, u(*right) - 1.0])
    middle = solution.solve()[np.isclose(solution.points[:, 0], 1.0)]
    np.testing.assert_allclose(middle, 5.0 / 6.0, atol=1e-12)
    flux = jno.fem(terms).residual(solution.solve())[np.isclose(solution.points[:, 0], 2.0)].sum()
    np.testing.assert_allclose(flux, 5.0 / 6.0, atol=1e-12)


def test_where_conditions_overlap_the_later_one_wins(rectangle):
    x, y, _ = rectangle.variable("interior")
    u, v = rectangle.fem_symbols((), ("u", "v"), order=2)
    weak = u(x, y).grad().dot(v(x, y).grad())
    left, top = rectangle.variable("left")[:2], rectangle.variable("top")[:2]
    points = None
    for names, corner in (((left, 1.0), (top, 2.0)), 2.0), (((top, 2.0), (left, 1.0)), 1.0):
        problem = jno.fem([weak, *[u(*at) - value for at, value in names]])
        points = problem.points
        solution = problem.solve()
        at_corner = np.isclose(points[:, 0], 0) & np.isclose(points[:, 1], 1)
        np.testing.assert_array_equal(solution[at_corner], corner)
        np.testing.assert_array_equal(problem.b[at_corner], corner)
    assert points is not None


def test_conditions_on_components_combine(rectangle):
    at, left, bottom = (rectangle.variable(tag)[:2] for tag in ("interior", "left", "bottom"))
    u, v = rectangle.fem_symbols((2,), ("u", "v"))
    problem = jno.fem([u(*at).dot(v(*at)), u(*left)[0] - 3.0, 2 * u(*bottom)[1] - 8.0, u(*left)[1] + 5.0])
    assert problem.classification[1:] == ["dirichlet@left[x]", "dirichlet@bottom[y]", "dirichlet@left[y]"]
    values = problem.solve().reshape(-1, 2)
    on_left, on_bottom = np.isclose(problem.points, 0).T
    np.testing.assert_array_equal(values[on_left, 0], 3.0)
    np.testing.assert_array_equal(values[on_left, 1], -5.0)
    np.testing.assert_array_equal(values[on_bottom & ~on_left, 1], 4.0)


def test_prescribed_values_are_taken_at_the_nodes(rectangle):
    at, b = rectangle.variable("interior")[:2], rectangle.variable("boundary")[:2]
    u, v = rectangle.fem_symbols((), ("u", "v"), order=3)
    for value, expected in (
        (jno.fn(lambda x, y: x**3 - y, [*b]), lambda p: p[:, 0] ** 3 - p[:, 1]),
        (jno.np.where(b[0] > 1.2, 4.0, b[1]), lambda p: np.where(p[:, 0] > 1.2, 4.0, p[:, 1])),
    ):
        problem = jno.fem([u(*at) * v(*at), u(*b) - value])
        points = problem.points
        edge = (np.abs(points - [0, 0]) < 1e-12) | (np.abs(points - [2, 1]) < 1e-12)
        on_edge = edge.any(axis=1)
        np.testing.assert_allclose(problem.solve()[on_edge], expected(points)[on_edge], atol=1e-14)


def test_nothing_is_left_to_solve_for_where_all_nodes_are_prescribed():
    domain = jno.domain.rect(mesh_size=1.0)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    ui, vi = u(x, y), v(x, y)
    fem = jno.fem([ui.x * vi.x + ui.y * vi.y - vi, u(xb, yb) - (xb + 2 * yb)])
    np.testing.assert_allclose(fem.solve(), domain.points[:, 0] + 2 * domain.points[:, 1], atol=1e-12)


def test_a_pin_fixes_the_constant(rectangle):
    at = rectangle.variable("interior")[:2]
    u, v = rectangle.fem_symbols()
    weak = u(*at).grad().dot(v(*at).grad()) - (at[0] - 1) * v(*at)
    zero, seven = jno.fem([weak, u.pin()]), jno.fem([weak, u.pin(7.0)])
    assert zero.classification[1].startswith("dirichlet@")
    np.testing.assert_allclose(seven.solve() - zero.solve(), 7.0, atol=1e-11)
    lower = np.argmin(zero.points.sum(axis=1))
    assert seven.solve()[lower] == pytest.approx(7.0)


def test_a_residual_has_the_prescribed_rows_as_differences(rectangle):
    at, b = rectangle.variable("interior")[:2], rectangle.variable("boundary")[:2]
    u, v = rectangle.fem_symbols()
    problem = jno.fem([u(*at).grad().dot(v(*at).grad()) + u(*at) ** 3 * v(*at), u(*b) - b[0]])
    values = np.random.default_rng(0).normal(size=problem.dofs)
    edge = ((np.abs(problem.points) < 1e-12) | (np.abs(problem.points - [2, 1]) < 1e-12)).any(axis=1)
    np.testing.assert_allclose(problem.residual(values)[edge], (values - problem.points[:, 0])[edge], atol=1e-14)


def test_own_solvers_get_the_matrix_and_the_right_hand_side(rectangle):
    at, b = rectangle.variable("interior")[:2], rectangle.variable("boundary")[:2]
    u, v = rectangle.fem_symbols()
    problem = jno.fem([u(*at).grad().dot(v(*at).grad()) - v(*at), u(*b) - b[0]])
    np.testing.assert_allclose(problem.solve(jnp.linalg.solve), problem.solve(), atol=1e-12)


def test_more_cells_than_one_block_holds():
    """Blocks of cells, the last one filled up with copies that must not count."""
    domain = jno.domain.equi_distant_rect(nx=23, ny=23)
    assert len(domain.mesh.cells) == 1058
    at, b = domain.variable("interior")[:2], domain.variable("boundary")[:2]
    u, v = domain.fem_symbols()
    problem = jno.fem([u(*at) * v(*at) - v(*at), 0 * u(*b) * v(*b) - v(*b)])
    basis = skfem.Basis(oracle_mesh(domain), oracle_element(2, 1), intorder=2)
    mass = skfem.BilinearForm(lambda a, c, w: a * c).assemble(basis)
    assert abs(problem.A_sparse - mass).max() < 1e-15
    np.testing.assert_allclose(problem.b.sum(), 5.0, atol=1e-12)


def test_nodal_values_and_interpolation(rectangle):
    at, b = rectangle.variable("interior")[:2], rectangle.variable("boundary")[:2]
    u, v = rectangle.fem_symbols((2,), ("u", "v"), order=2)
    problem = jno.fem([u(*at).dot(v(*at)) - (at[0] * v(*at)[0] + at[1] * v(*at)[1])])
    solution = problem.solve()
    np.testing.assert_allclose(problem.nodal_values(solution), rectangle.mesh.points, atol=1e-12)
    p, q = rectangle.fem_symbols()
    linear = jno.fem([p(*at).grad().dot(q(*at).grad()), p(*b) - (1 + b[0] - 2 * b[1])])
    expression = rectangle.interpolate(linear.nodal_values(linear.solve()))
    points = np.asarray(rectangle.context["interior"])[0, 0]
    values = np.asarray((expression - (1 + at[0] - 2 * at[1])).eval())
    np.testing.assert_allclose(values, 0.0, atol=1e-6)
    assert values.size == len(points)


def test_conjugate_gradients_solve_large_problems_in_space(monkeypatch):
    """The default above the largest direct system, made small here."""
    from jno.weak import _linear

    monkeypatch.setattr(_linear, "LARGEST_DIRECT_3D", 10)
    domain = jno.domain.cube(mesh_size=0.34)
    at, b = domain.variable("interior")[:3], domain.variable("boundary")[:3]
    u, v = domain.fem_symbols((), ("u", "v"), order=2)
    ui, vi = u(*at), v(*at)
    exact = lambda x, y, z: x * y + z * z  # noqa: E731
    problem = jno.fem([ui.grad().dot(vi.grad()) + 2.0 * vi, u(*b) - exact(*b)])
    np.testing.assert_allclose(problem.solve(), exact(*problem.points.T), atol=1e-8)
    assert problem._direct.factorisations == 0
    # not symmetric: factorised
    skew = jno.fem([ui.grad().dot(vi.grad()) + ui.x * vi + (2.0 - at[1]) * vi, u(*b) - exact(*b)])
    np.testing.assert_allclose(skew.solve(), exact(*problem.points.T), atol=1e-8)
    assert skew._direct.factorisations == 1
    # symmetric but not definite: conjugate gradients fail or not, the answer is right
    helmholtz = jno.fem([ui.grad().dot(vi.grad()) - 60.0 * ui * vi + (2.0 + 60.0 * exact(*at)) * vi, u(*b) - exact(*b)])
    np.testing.assert_allclose(helmholtz.solve(), exact(*problem.points.T), atol=1e-6)


def test_matrices_do_not_depend_on_tracing(rectangle):
    at, b = rectangle.variable("interior")[:2], rectangle.variable("boundary")[:2]
    u, v = rectangle.fem_symbols()
    problem = jno.fem([(1 + u(*at) ** 2) * u(*at).grad().dot(v(*at).grad()) - v(*at), u(*b) - 0.0])
    values = np.linspace(0, 1, problem.dofs)
    compiled = problem.residual(values)
    with jax.disable_jit():
        np.testing.assert_allclose(problem.residual(values), compiled, atol=1e-14)


def test_a_first_solution_compiles_no_program_for_each_operation(rectangle):
    """One each for what is zero in the matrix, the linearity of the term, the condition, and the solution."""
    at, b = rectangle.variable("interior")[:2], rectangle.variable("boundary")[:2]
    u, v = rectangle.fem_symbols()
    ui, vi = u(*at), v(*at)
    assert compilations(lambda: jno.fem([ui.grad().dot(vi.grad()) - 3.25 * vi, u(*b) - 0.75]).solve()) <= 4
