"""Networks in place of unknowns: fluxes, elasticity, one to three dimensions, against exact solutions."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from weak_forms import double_precision  # noqa: F401

import jno

PI = np.pi


def network(inputs, outputs=1, width=8, layers=2, seed=0):
    module = foundax.mlp(
        inputs,
        output_dim=outputs,
        hidden_dims=width,
        num_layers=layers,
        activation=jnp.tanh,
        key=jax.random.PRNGKey(seed),
    )
    return jno.nn(module).optimizer(jno.optimizers.engd())


def relative_error(core, trial, exact, domain):
    """In L2, over the nodes of another mesh."""
    values, expected = core.eval([trial, exact], domain=domain)
    return float(np.linalg.norm(np.asarray(values) - np.asarray(expected)) / np.linalg.norm(np.asarray(expected)))


def finer(domain):
    domain.variable("interior")
    return domain


def test_a_flux_on_one_side():
    """u = sin(pi x / 2) sin(pi y) + x^2 y (1 - y): zero on three sides, a flux on the right."""
    domain = jno.domain.equi_distant_rect(nx=10, ny=10)
    x, y, _ = domain.variable("interior")
    xr, yr, _ = domain.variable("right")
    domain.tag("held", lambda a, b: (a < 1e-9) | (b < 1e-9) | (b > 1 - 1e-9))
    held = domain.variable("held")[:2]
    net, phi = network(2), domain.test_function()

    def trial(a, b):
        return a * b * (1 - b) * net(a, b)

    def exact(a, b):
        return jno.np.sin(PI / 2 * a) * jno.np.sin(PI * b) + a**2 * b * (1 - b)

    def terms(u):
        weak = u.bind(x=x, y=y).grad().dot(phi(x, y).grad()) + exact(x, y).laplacian(x, y) * phi(x, y)
        return [weak, -exact(xr, yr).d(xr) * phi(xr, yr)]

    residual = jno.fem([*terms(trial(x, y)), trial(*held) - 0.0], quad_degree=6)
    core = jno.core([residual.mse], domain=domain)
    core.solve(12)
    assert relative_error(core, trial(x, y), exact(x, y), finer(jno.domain.equi_distant_rect(nx=23, ny=23))) < 1e-3
    # and what is exact has no residual
    one = jno.np.parameter((1,), name="one").initialize(1.0)
    of_exact = jno.fem([*terms(one * exact(x, y)), one * exact(*held) - 0.0], quad_degree=12)
    assert np.abs(np.asarray(jno.core([of_exact.mse], domain=domain).eval(of_exact))).max() < 1e-6


@pytest.mark.slow
def test_plane_elasticity():
    """A displacement that vanishes on the boundary, with the load that belongs to it."""
    domain = jno.domain.equi_distant_rect(nx=12, ny=12)
    at = domain.variable("interior")[:2]
    on_boundary = domain.variable("boundary")[:2]
    net, phi = network(2, outputs=2), domain.test_function((2,))
    lame, shear = 1.2, 0.8

    def bubble(a, b):
        return a * (1 - a) * b * (1 - b)

    def trial(a, b):
        return bubble(a, b) * net(a, b)

    def exact(a, b):
        return jno.np.vector(jno.np.sin(PI * a) * jno.np.sin(PI * b), bubble(a, b) * (1 + a))

    def work(u, v):
        strain, virtual = jno.np.symgrad(u, list(at)), jno.np.symgrad(v, list(at))
        dilatation = jno.np.trace(strain) * jno.np.trace(virtual)
        return 2 * shear * jno.np.inner(strain, virtual, n_contract=2) + lame * dilatation

    virtual = phi(*at)
    weak = work(trial(*at), virtual) - work(exact(*at), virtual)
    residual = jno.fem([weak, trial(*on_boundary) - 0.0], quad_degree=6)
    core = jno.core([residual.mse], domain=domain)
    core.solve(20)
    assert relative_error(core, trial(*at), exact(*at), finer(jno.domain.rect(mesh_size=0.03))) < 1e-2


def test_a_line_with_a_flux_at_its_end():
    domain = jno.domain.line(mesh_size=1 / 20)
    x, _ = domain.variable("interior")
    (left, _), (right, _) = domain.variable("left"), domain.variable("right")
    net, phi = network(1, width=6), domain.test_function(order=2)

    def exact(a):
        return jno.np.sin(PI * a) + a

    # u'(1) = 1 - pi
    residual = jno.fem(
        [
            (x * net(x)).d(x) * phi.d(x) - PI**2 * jno.np.sin(PI * x) * phi,
            -(1 - PI) * phi(right),
            left * net(left) - 0.0,
        ],
        quad_degree=8,
    )
    core = jno.core([residual.mse], domain=domain)
    # every node but the left one, middles of the edges included
    assert np.asarray(core.eval(residual)).size == 40
    core.solve(15)
    assert relative_error(core, x * net(x), exact(x), finer(jno.domain.line(mesh_size=0.01))) < 1e-2


@pytest.mark.slow
def test_a_cube():
    domain = jno.domain.cube(mesh_size=1 / 5)
    at = domain.variable("interior")[:3]
    on_boundary = domain.variable("boundary")[:3]
    net, phi = network(3, width=6), domain.test_function(order=2)

    def bubble(a, b, c):
        return a * (1 - a) * b * (1 - b) * c * (1 - c)

    def trial(a, b, c):
        return bubble(a, b, c) * net(a, b, c)

    def exact(a, b, c):
        return bubble(a, b, c) * jno.np.exp(a - b * c)

    u, v = trial(*at), phi(*at)
    weak = jno.np.inner(jno.np.grad(u, list(at)), v.grad()) + exact(*at).laplacian(*at) * v
    residual = jno.fem([weak, trial(*on_boundary) - 0.0], quad_degree=5)
    core = jno.core([residual.mse], domain=domain)
    core.solve(15)
    assert relative_error(core, u, exact(*at), finer(jno.domain.cube(mesh_size=0.1))) < 1e-2
