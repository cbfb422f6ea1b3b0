"""The Jacobian of residuals point by point is the one that JAX computes of all residuals together."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jno
from jno.compiler import Program
from jno.training._residuals import Residuals


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def network(inputs, outputs=1, seed=0, width=6):
    key = jax.random.PRNGKey(seed)
    return jno.nn(foundax.mlp(inputs, output_dim=outputs, hidden_dims=width, num_layers=1, key=key))


def matrices(constraints, domain, *, window=1, frozen=None):
    """Point by point, and by JAX; how many of the constraints are differentiated point by point."""
    jno.core(constraints)  # sets initial values
    program = Program(constraints, domain, window=window)
    residuals, data, key = Residuals(program), program.data, jax.random.PRNGKey(3)
    modules = {model.layer_id: model.module for model in program.models}
    selected = {i: eqx.is_inexact_array if frozen is None else frozen(module) for i, module in modules.items()}
    parts = {i: eqx.partition(module, selected[i]) for i, module in modules.items()}
    vector, unravel = ravel_pytree({i: trained for i, (trained, _) in parts.items()})

    def modules_of(vector):
        trained = unravel(vector)
        return {i: eqx.combine(trained[i], fixed) for i, (_, fixed) in parts.items()}

    @jax.jit
    def both(vector):
        together = jax.jacrev(lambda vector: residuals(modules_of(vector), data, key))(vector)
        return residuals.jacobian(modules_of, vector, data, key), together

    by_point, together = both(vector)
    return np.asarray(by_point), np.asarray(together), len(residuals._part(None)._by_point)


def agree(constraints, domain, by_point, **options):
    ours, reference, count = matrices(constraints, domain, **options)
    np.testing.assert_allclose(ours, reference, rtol=1e-10, atol=1e-12 * np.abs(reference).max())
    assert count == by_point


def test_several_constraints_and_a_network_they_share():
    domain = jno.domain.rect(mesh_size=0.3)
    x, y, _ = domain.variable("interior")
    xb, yb, _, nx, ny = domain.variable("boundary", normals=True, split=True)
    net, k = network(2), jno.np.parameter((), name="k").initialize(0.7)
    u, edge = net(x, y), net(xb, yb)
    flux = edge.d(xb) * nx + edge.d(yb) * ny
    # the last one couples the points: their mean is one residual
    constraints = [(k * u.laplacian(x, y) + u**2).mse, 100 * edge.mse, flux.mse, (k - u.mean).mse / 3]
    agree(constraints, domain, 3)


def test_components_and_leaves_that_are_frozen():
    domain = jno.domain.rect(mesh_size=0.3)
    x, y, _ = domain.variable("interior")
    net = network(2, outputs=2)
    u = net(x, y)

    def frozen(module):
        nothing = jax.tree_util.tree_map(lambda _: False, module)
        return eqx.tree_at(lambda m: m.output_layer.weight, nothing, True)

    agree([(u.d(x) - jno.np.sin(y) * u).mse], domain, 1, frozen=frozen)


@pytest.mark.parametrize("window", [1, None])
def test_time_levels(window):
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 1.0, 4))
    x, t = domain.variable("interior")
    u = network(2)(x, t)
    agree([(u.d(t) - u.d2(x) + u).mse], domain, 1, window=window)


def test_samples_with_data_of_their_own():
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    k = domain.variable("k", np.linspace(1.0, 2.0, 3).reshape(3, 1))
    u = network(2)(jno.np.concat([x, k + 0 * x]))
    agree([(u.d2(x) + k * u).mse], domain, 1)


def test_data_at_the_points():
    domain = jno.domain.line(mesh_size=0.25)
    table = np.stack([np.linspace(0.0, 1.0, 7), np.linspace(2.0, 1.0, 7)], axis=1)
    x, measured = domain.variable("sensors", table, point_data=True, split=True)
    agree([(network(1)(x) - measured).mse], domain, 1)


def test_points_that_influence_each_other_are_differentiated_together():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    u = network(1)(x)
    agree([(u - u.mean).mse, (u * x.stop_gradient).mse], domain, 1)


def test_one_point_of_many_is_not_all_of_them():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    k = domain.variable("k", np.array([[2.0]]))
    u = network(1)(x)
    agree([(k * u - u[1]).mse], domain, 0)


@pytest.mark.parametrize(
    ("function", "by_point"),
    [
        (lambda u, x: jnp.tanh(u) * jnp.cos(x), 1),
        (lambda u, x: u * jnp.cumsum(x, axis=0), 0),
        (lambda u, x: u * jnp.arange(len(x), dtype=x.dtype)[:, None], 0),  # points influence nothing, but are counted
        (lambda u, x: u / len(x), 0),
        (lambda u, x: u * jnp.asarray(np.linspace(1.0, 2.0, 7))[:, None], 0),  # a number for each of the seven points
    ],
)
def test_functions_of_the_user(function, by_point):
    domain = jno.domain.from_array({"interior": np.linspace(0.0, 1.0, 7)[:, None]})
    x, _ = domain.variable("interior")
    wrapped = jno.np.function(function, [network(1)(x), x])
    agree([(wrapped - x).mse], domain, by_point)


def test_a_network_that_is_zero_hides_no_function_that_counts_its_points():
    domain = jno.domain.from_array({"interior": np.linspace(0.0, 1.0, 7)[:, None]})
    x, _ = domain.variable("interior")
    scale = jno.np.parameter((), name="scale").initialize(0.0)
    counted = jno.np.function(lambda u: u * jnp.arange(len(u), dtype=u.dtype)[:, None], [scale * network(1)(x)])
    agree([(counted - x).mse], domain, 0)


def test_derivatives_of_functions_of_the_user():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    net = network(1)
    u = jno.np.function(lambda x: jnp.exp(-(x**2)), [x]) + x * net(x)
    # the second one has derivatives of the function that are computed beforehand
    agree([(u.d2(x) + jno.np.function(jnp.sin, [u])).mse, (u.d(x) - 1).mse], domain, 2)


def complex_wave(net, x):
    """u' = i u for u = exp(ix): two outputs of a network make one complex expression."""
    parts = net(x)
    u = 1 + x * (parts[..., 0] + 1j * parts[..., 1])
    return u, u.d(x) - 1j * u


def test_both_parts_of_complex_residuals_count():
    domain = jno.domain.line(mesh_size=0.2)
    x, _ = domain.variable("interior")
    net = network(1, outputs=2)
    constraints = [(3 * complex_wave(net, x)[1].mse), (net(x)[..., 0] - x).mse]
    ours, reference, by_point = matrices(constraints, domain)
    assert by_point == 2
    assert not np.iscomplexobj(ours)
    assert len(ours) == 3 * domain.points.size
    np.testing.assert_allclose(ours, reference, rtol=1e-10, atol=1e-12)
    program = Program(constraints, domain)
    modules = {model.layer_id: model.module for model in program.models}
    residuals = Residuals(program)(modules, program.data, None)
    losses = program(modules, program.data, None)
    np.testing.assert_allclose(float(jnp.sum(residuals**2)), float(np.sum(losses)) / 2, rtol=1e-12)


def test_a_complex_equation_is_solved_by_least_squares():
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior")
    net = network(1, outputs=2).optimizer(jno.optimizers.engd())
    u, residual = complex_wave(net, x)
    core = jno.core([residual.mse])
    assert core.solve(25).total_loss < 1e-9
    assert np.abs(core.eval(u - jno.np.exp(1j * x))).max() < 1e-4


def test_integrals_and_weak_forms():
    domain = jno.domain.rect(mesh_size=0.4)
    x, y, _ = domain.variable("interior")
    edge = domain.variable("boundary")
    w = network(2)(x, y) * x * (1 - x) * y * (1 - y)
    v = domain.test_function()
    weak = jno.fem([w.d(x) * v.d(x) + w.d(y) * v.d(y) - v, w(*edge[:2]) - 0.0])
    agree([weak.mse, (w.laplacian(x, y) + 1).mse], domain, 1)


def test_a_network_that_draws_is_differentiated_with_the_numbers_of_all_points():
    class Dropping(eqx.Module):
        layer: eqx.nn.Linear
        dropout: eqx.nn.Dropout

        def __call__(self, x, key=None):
            return self.dropout(jax.vmap(self.layer)(x), key=key)

    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    net = jno.nn(Dropping(eqx.nn.Linear(1, 1, key=jax.random.PRNGKey(0)), eqx.nn.Dropout(0.5)))
    agree([(net(x) - x).mse], domain, 0)


def test_it_costs_about_a_gradient():
    """Operations of the whole matrix of 200 residuals and 105 weights, counted in the compiled programs."""
    domain = jno.domain.rect(mesh_size=0.3)
    x, y, _ = domain.variable("interior", (200, "halton"))
    net = network(2, width=26)
    u = net(x, y)
    constraints = [u.laplacian(x, y).mse]
    jno.core(constraints)
    program = Program(constraints, domain)
    residuals, data = Residuals(program), program.data
    trained, fixed = eqx.partition(net.module, eqx.is_inexact_array)
    vector, unravel = ravel_pytree(trained)
    modules_of = lambda v: {net.layer_id: eqx.combine(unravel(v), fixed)}  # noqa: E731

    def operations(function):
        return jax.jit(function).lower(vector).compile().cost_analysis()["flops"]

    whole = operations(lambda v: residuals.jacobian(modules_of, v, data, None))
    gradient = operations(jax.grad(lambda v: jnp.sum(residuals(modules_of(v), data, None) ** 2)))
    # the body of a loop is counted once, of 64 points
    assert whole * 200 / 64 < 12 * gradient
