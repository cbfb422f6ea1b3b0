"""Weak forms in time: decay of one mode, orders of the rules, energy, prescribed values that move, constraints."""

import numpy as np
import pytest
from weak_forms import double_precision  # noqa: F401

import jno

PI = np.pi


def line(levels, end=0.1, cells=8, order=3):
    domain = jno.domain.line(mesh_size=1 / cells, time=(0.0, end, levels))
    x, t = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    return domain, x, t, u, v


def heat(levels, *extra, end=0.1, order=3):
    """u_t = u_xx from sin(pi x), whose modes of the discrete problem decay one by one."""
    domain, x, t, u, v = line(levels, end, order=order)
    b, start = domain.variable("boundary")[:1], domain.variable("initial")[:1]
    ui, vi = u(x, t), v(x, t)
    return jno.fem([ui.t * vi + ui.x * vi.x, u(*b) - 0.0, u(*start) - jno.np.sin(PI * start[0]), *extra], quad_degree=8)


def trajectory(problem, **options):
    return np.asarray(problem.solve(**options).eval())


def amplitude(problem, values):
    """The coefficient of sin(pi x) at the middle node."""
    middle = np.argmin(np.abs(problem.points[:, 0] - 0.5))
    return values[..., middle]


@pytest.mark.parametrize("steps", [10, 40])
def test_backward_euler_decays_by_its_scalar_formula(steps):
    problem = heat(steps + 1)
    values = trajectory(problem)
    assert values.shape == (steps + 1, problem.dofs)
    length = 0.1 / steps
    expected = (1 + PI**2 * length) ** -np.arange(steps + 1.0)
    np.testing.assert_allclose(amplitude(problem, values), expected, atol=1e-4)
    assert problem.dt == pytest.approx(length)
    assert (problem.t0, problem.t1) == (0.0, 0.1)


def test_the_midpoint_rule_decays_by_its_scalar_formula():
    problem = heat(11)
    half = PI**2 * 0.01 / 2
    expected = ((1 - half) / (1 + half)) ** np.arange(11.0)
    np.testing.assert_allclose(amplitude(problem, trajectory(problem, theta=0.5)), expected, atol=1e-4)


@pytest.mark.parametrize(("theta", "order"), [(1.0, 1.0), (0.5, 2.0)])
def test_orders_of_the_rules_in_time(theta, order):
    errors = []
    for steps in (8, 16):
        problem = heat(steps + 1, end=0.2)
        last = amplitude(problem, trajectory(problem, theta=theta)[-1])
        errors.append(abs(last - np.exp(-(PI**2) * 0.2)))
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), order, atol=0.1 if order == 2 else 0.15)


def test_matrices_of_a_problem_in_time():
    problem = heat(3, order=1)
    mass, prescribed = problem.M, np.isclose(problem.points[:, 0] % 1, 0)
    assert np.all(mass[prescribed] == 0)
    inside = ~prescribed
    h = 1 / 8
    expected = h / 6 * (4 * np.eye(7) + np.eye(7, k=1) + np.eye(7, k=-1))
    np.testing.assert_allclose(mass[np.ix_(inside, inside)], expected, atol=1e-14)
    stiffness = problem.jacobian(np.zeros(problem.dofs), 0.0)
    expected = (2 * np.eye(7) - np.eye(7, k=1) - np.eye(7, k=-1)) / h
    np.testing.assert_allclose(stiffness[np.ix_(inside, inside)], expected, atol=1e-12)
    np.testing.assert_allclose(problem.state0, np.where(prescribed, 0.0, np.sin(PI * problem.points[:, 0])), atol=1e-14)


def test_a_solution_linear_in_time_is_exact_with_moving_values_on_the_boundary():
    """u = (1 + t) (1 + x + x^2): Dirichlet values and a source that depend on time."""
    domain, x, t, u, v = line(5, order=2)
    b, tb = domain.variable("boundary")
    start = domain.variable("initial")[0]
    shape = 1 + x + x * x
    terms = [
        u(x, t).t * v(x) + u(x).x * v(x).x - (shape - 2 * (1 + t)) * v(x),
        u(b) - (1 + tb) * (1 + b + b * b),
        u(start) - (1 + start + start * start),
    ]
    problem = jno.fem(terms)
    for theta in (1.0, 0.5):
        values = trajectory(problem, theta=theta)
        nodes = problem.points[:, 0]
        expected = (1 + np.linspace(0, 0.1, 5))[:, None] * (1 + nodes + nodes**2)
        np.testing.assert_allclose(values, expected, atol=1e-11)


def test_saved_times_are_ends_of_steps():
    problem = heat(6)
    whole = trajectory(problem)
    np.testing.assert_allclose(trajectory(problem, save_ts=[0.0, 0.04, 0.1]), whole[[0, 2, 5]], atol=1e-13)
    # a time between the levels splits its step: two steps of backward Euler instead of one
    values = amplitude(problem, trajectory(problem, save_ts=[0.01, 0.02]))
    expected = (1 + PI**2 * 0.01) ** -np.array([1.0, 2.0])
    np.testing.assert_allclose(values, expected, atol=1e-4)


def test_steps_after_one_that_was_split_have_a_matrix_of_their_own():
    problem = heat(6)
    values = amplitude(problem, trajectory(problem, save_ts=[0.01, 0.1]))
    expected = (1 + PI**2 * 0.01) ** -np.array([1.0, 2.0]) * (1 + PI**2 * 0.02) ** -np.array([0.0, 4.0])
    np.testing.assert_allclose(values, expected, atol=1e-4)


def test_a_wave_keeps_its_energy():
    """Three periods of a standing wave on a line."""
    domain, x, t, u, v = line(61, end=6.0, cells=6, order=2)
    b, (start, t0) = domain.variable("boundary")[:1], domain.variable("initial")
    terms = [
        u(x, t).tt * v(x) + u(x).x * v(x).x,
        u(*b) - 0.0,
        u(start) - jno.np.sin(PI * start),
        u(start, t0).t - 0.5 * jno.np.sin(PI * start),
    ]
    problem = jno.fem(terms)
    size = problem.dofs
    assert problem.offsets == [0, size, 2 * size]
    values = trajectory(problem)
    positions, velocities = values[:, :size], values[:, size:]
    mass = problem.M
    stiffness = jno.fem([u(x).x * v(x).x, u(*b) - 0.0]).A
    energy = np.einsum("ti,ij,tj->t", velocities, mass, velocities)
    energy += np.einsum("ti,ij,tj->t", positions, stiffness, positions)
    np.testing.assert_allclose(energy, energy[0], rtol=1e-10)
    np.testing.assert_allclose(energy[0], (0.25 + PI**2) / 2, rtol=2e-3)
    # the frequency is that of the rule: tan(w dt / 2) = pi dt / 2 up to the error of the elements
    frequency = 2 / 0.1 * np.arctan(PI * 0.1 / 2)
    times = np.linspace(0, 6, 61)
    expected = np.cos(frequency * times) + 0.5 / PI * np.sin(frequency * times)
    np.testing.assert_allclose(amplitude(problem, positions), expected, atol=0.02)


def test_damping_takes_energy_at_its_rate():
    """u_tt + 2 c u_t = u_xx: the amplitude falls like exp(-c t)."""
    domain, x, t, u, v = line(201, end=2.0, cells=4, order=3)
    b, start = domain.variable("boundary")[:1], domain.variable("initial")[:1]
    ui = u(x, t)
    damping = 0.8
    problem = jno.fem(
        [ui.tt * v(x) + 2 * damping * ui.t * v(x) + ui.x * v(x).x, u(*b) - 0.0, u(*start) - jno.np.sin(PI * start[0])]
    )
    values = amplitude(problem, trajectory(problem)[:, : problem.dofs])
    times = np.linspace(0, 2, 201)
    frequency = np.sqrt(PI**2 - damping**2)
    expected = np.exp(-damping * times) * (np.cos(frequency * times) + damping / frequency * np.sin(frequency * times))
    np.testing.assert_allclose(values, expected, atol=2e-3)


def test_a_nonlinear_equation_in_time():
    """u_t = -u^3 at every point, without diffusion: backward Euler solves its cubic."""
    domain, x, t, u, v = line(4, end=0.3, cells=2, order=1)
    start = domain.variable("initial")[:1]
    ui = u(x, t)
    problem = jno.fem([ui.t * v(x) + ui**3 * v(x), u(*start) - 1.0 + 0 * start[0]])
    assert not problem.is_linear
    assert problem.is_transient
    value, expected = 1.0, [1.0]
    for _ in range(3):
        roots = np.roots([0.1, 0.0, 1.0, -value])
        value = float(roots[np.abs(roots.imag) < 1e-12].real[0])
        expected.append(value)
    np.testing.assert_allclose(trajectory(problem, rtol=1e-12, atol=1e-12), np.outer(expected, np.ones(3)), atol=1e-10)


def test_mass_that_depends_on_place_and_time():
    """(1 + t) (1 + x) u_t = (1 + x): u = log(1 + t), backward Euler sums 1 / (1 + t)."""
    _, x, t, u, v = line(5, end=1.0, cells=3, order=2)
    problem = jno.fem([(1 + t) * (1 + x) * u(x, t).t * v(x) - (1 + x) * v(x)])
    times = np.linspace(0, 1, 5)
    expected = np.concatenate([[0.0], np.cumsum(0.25 / (1 + times[1:]))])
    np.testing.assert_allclose(trajectory(problem), np.outer(expected, np.ones(problem.dofs)), atol=1e-12)


@pytest.fixture(scope="module")
def flow():
    """u = (1 + t) (x, -y), p = x - (x^2 - y^2) / 2 + 0 at the corner: a flow with its pressure."""
    domain = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 4))
    x, y, t = domain.variable("interior")
    xb, yb, tb = domain.variable("boundary")
    x0, y0, _ = domain.variable("initial")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"))
    ui, vi, pi, qi = u(x, y, t), v(x, y), p(x, y), q(x, y)
    viscous = jno.np.inner(jno.np.grad(ui, [x, y]), jno.np.grad(vi, [x, y]), n_contract=2)
    force = (x + 1) * vi[0] - y * vi[1]
    problem = jno.fem(
        [
            ui.t.dot(vi) + viscous - pi * vi.div() - qi * ui.div() - force,
            u(xb, yb) - jno.np.vector((1 + tb) * xb, -(1 + tb) * yb),
            u(x0, y0) - jno.np.vector(x0, -y0),
            p.pin(),
        ]
    )
    return problem, trajectory(problem)


def test_stokes_flow_in_time_has_no_mass_for_its_pressure(flow):
    problem, values = flow
    velocity = values[:, problem.blocks[0]].reshape(4, -1, 2)
    factor = 1 + np.linspace(0, 1, 4)
    expected = factor[:, None, None] * problem.field_points[0] * np.array([1.0, -1.0])
    np.testing.assert_allclose(velocity, expected, atol=1e-9)
    pressure = values[:, problem.blocks[1]]
    np.testing.assert_allclose(pressure[1:], np.broadcast_to(problem.field_points[1][:, 0], (3, 9)), atol=1e-8)
    assert np.all(problem.M[problem.blocks[1]] == 0)


def test_the_pressure_at_the_start_is_consistent(flow):
    problem, values = flow
    np.testing.assert_allclose(values[0, problem.blocks[1]], problem.field_points[1][:, 0], atol=1e-8)


@pytest.mark.parametrize("moves", [False, True])
def test_the_operator_steps_as_the_solution_does(moves):
    """Backward Euler on ``M du/dt + A u = c + f(t)`` by dense solves; the prescribed values may move."""
    domain, x, t, u, v = line(9, 0.2)
    (b, tb), start = domain.variable("boundary"), domain.variable("initial")[:1]
    ui, vi = u(x, t), v(x, t)
    edge, load = (tb * b, jno.np.cos(t) * x) if moves else (0.5 * b, x)
    problem = jno.fem([ui.t * vi + ui.x * vi.x - load * vi, u(b) - edge, u(*start) - jno.np.sin(PI * start[0])])
    system, state, step = problem.operator, problem.state0, problem.dt
    assert (system.forcing_vector_fn is not None) == moves
    for level in range(1, 9):
        forcing = system.forcing_vector_fn(level * step) if moves else 0.0
        right = problem.M @ state / step + system.affine_bias + forcing
        state = np.linalg.solve(problem.M / step + system.A, right)
    np.testing.assert_allclose(state, trajectory(problem)[-1], atol=1e-12)


def test_initial_values_that_are_not_quite_divergence_free_do_not_make_a_wild_pressure():
    """A decaying vortex between walls, interpolated: its pressure at the start is that of the exact flow."""
    pressures = []
    for cells in (4, 8):
        domain = jno.domain.equi_distant_rect(nx=cells, ny=cells, time=(0.0, 0.01, 2))
        x, y, t = domain.variable("interior")
        xb, yb, tb = domain.variable("boundary")
        x0, y0, _ = domain.variable("initial")
        u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
        p, q = domain.fem_symbols((), ("p", "q"))

        def vortex(a, b, time):
            decay = jno.np.exp(-2 * PI**2 * time)
            return jno.np.vector(
                -decay * jno.np.cos(PI * a) * jno.np.sin(PI * b), decay * jno.np.sin(PI * a) * jno.np.cos(PI * b)
            )

        ui, vi = u(x, y, t), v(x, y)
        viscous = jno.np.inner(jno.np.grad(ui, [x, y]), jno.np.grad(vi, [x, y]), n_contract=2)
        force = PI * jno.np.cos(PI * x) * vi[0]  # the gradient of sin(pi x)
        problem = jno.fem(
            [
                ui.t.dot(vi) + viscous - p(x, y) * vi.div() - q(x, y) * ui.div() - force,
                u(xb, yb) - vortex(xb, yb, tb),
                u(x0, y0) - vortex(x0, y0, 0.0 * x0),
                p.pin(),
            ],
            quad_degree=6,
        )
        pressure = trajectory(problem)[0, problem.blocks[1]]
        pressures.append(np.abs(pressure - np.sin(PI * problem.field_points[1][:, 0])).max())
    assert pressures[1] < 0.5
    assert pressures[1] < pressures[0] / 1.8


def test_levels_that_are_not_equidistant_are_refused():
    domain = jno.domain.line(mesh_size=0.5, time=np.array([0.0, 0.1, 0.4]))
    x, t = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"))
    start = domain.variable("initial")[:1]
    problem = jno.fem([u(x, t).t * v(x, t) + u(x, t).x * v(x, t).x, u(*start) - 1.0])
    with pytest.raises(ValueError, match=r"equally long, on a domain with time=\(t0, t1, n\)"):
        problem.solve()
