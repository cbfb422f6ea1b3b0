"""Folding samples and levels into the point axis changes the cost, never the values."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.compiler import Program, check_pointwise


def _network(inputs, seed=0):
    return jno.nn(foundax.mlp(inputs, hidden_dims=8, num_layers=2, key=jax.random.PRNGKey(seed)))


def _modules(program):
    return {model.layer_id: model.module for model in program.models}


def _both(expressions, domain, window, key=None):
    """Values with and without folding."""
    plain = Program(expressions, domain, window=window, folds=False)
    folded = Program(expressions, domain, window=window)
    assert any(folded.facts.frontier.values()), "nothing was folded"
    return _run(plain, key), _run(folded, key)


def _run(program, key):
    return jax.jit(lambda data: program(_modules(program), data, key))(program.data)


def _residuals(domain, count=None):
    x, t = domain.variable("interior", (count, None))
    x0, t0 = domain.variable("initial")
    xb, tb = domain.variable("boundary")
    net = _network(2)
    u, u0, ub = net(x, t), net(x0, t0), net(xb, tb)
    residual = u.d(t) + u * u.d(x) - 0.01 * u.d2(x)
    return [residual.mse, u0 - jno.np.sin(x0), ub.mae + u.mean, (residual * x)[..., 0], u.d(t).d(t)]


@pytest.mark.parametrize("window", [1, 2, None])
@pytest.mark.parametrize("samples", [1, 3])
def test_folding_keeps_every_value(window, samples):
    domain = samples * jno.domain.line((-1, 1), mesh_size=0.25, time=(0, 1, 4))
    if window == 1 and samples == 1:
        pytest.skip("one sample, one level: there is nothing to fold")
    plain, folded = _both(_residuals(domain, 5), domain, window, jax.random.PRNGKey(3))
    for a, b in zip(plain, folded, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_folded_program_multiplies_all_points_at_once():
    domain = 3 * jno.domain.line(mesh_size=0.25, time=(0, 1, 4))
    x, t = domain.variable("interior", (5, None))
    u = _network(2)(x, t)
    program = Program([(u.d(t) - u.d2(x)).mse], domain, window=None)
    jaxpr = jax.make_jaxpr(lambda data: program(_modules(program), data))(program.data)
    ranks = {len(e.invars[0].aval.shape) for e in jaxpr.jaxpr.eqns if e.primitive.name == "dot_general"}
    assert ranks == {2}


@pytest.mark.parametrize("checked", [True, False])
def test_folding_does_not_depend_on_when_a_program_is_made(checked):
    """Before or after networks were tested, or while JAX already traces a function: it is the same program."""
    domain = 3 * jno.domain.line(mesh_size=0.25, time=(0, 1, 4))
    x, t = domain.variable("interior", (5, None))
    expression = _network(2)(x, t).d(x).mse
    early = Program([expression], domain, window=None)
    if checked:
        check_pointwise(early, _modules(early))
    late = Program([expression], domain, window=None, graph=early.graph)

    def text(program):
        return str(jax.make_jaxpr(lambda data: program(_modules(program), data))(program.data))

    assert text(early) == text(late)
    assert early.facts.frontier["interior"] == late.facts.frontier["interior"]
    np.testing.assert_allclose(_run(early, None), _run(Program([expression], domain, window=None, folds=False), None))


class Centred(eqx.Module):
    """Couples points as batch normalisation does."""

    def __call__(self, x):
        return x - jnp.mean(x, axis=0, keepdims=True)


def test_network_that_would_couple_the_single_points_of_samples_is_not_folded():
    """One point influences no other on its own, but it would meet those of other samples in the folded program."""
    domain = 3 * jno.domain.line(mesh_size=0.125)
    x, _ = domain.variable("interior", (1, None))
    (values,) = _run(Program([jno.nn(Centred())(x) + 0.0 * x], domain), None)
    np.testing.assert_array_equal(values, np.zeros((3, 1, 1)))


def test_network_that_couples_points_is_not_folded():
    domain = 2 * jno.domain.line(mesh_size=0.125)  # nine points, others in every sample
    x, _ = domain.variable("interior", (5, None))
    net = jno.nn(Centred())
    program = Program([net(x)], domain)
    (values,) = _run(program, None)
    points = domain.context["interior"][:, 0]
    np.testing.assert_allclose(values, points - points.mean(axis=1, keepdims=True), atol=1e-6)


def test_index_that_takes_a_point_is_not_folded():
    domain = 2 * jno.domain.line(mesh_size=0.125)  # nine points, others in every sample
    x, _ = domain.variable("interior", (5, None))
    u = _network(1)(x)
    first_point = u[:, 0][..., 0]
    crux = jno.core([(u - first_point).mse])
    np.testing.assert_allclose(crux.eval(first_point), np.asarray(crux.eval(u))[:, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(
        crux.eval((u - first_point).mse), np.mean((crux.eval(u) - crux.eval(u)[:, :1]) ** 2, axis=(1, 2)), rtol=1e-5
    )


def test_training_with_all_levels_equals_a_flat_problem():
    """Points × levels of a time domain are the points of one flat problem: the same losses step by step."""
    levels, key = 4, jax.random.PRNGKey(0)

    def losses(domain, variables, **options):
        net = jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=2, key=key)).optimizer(optax.adam(1e-2))
        u = net(*variables)
        x, t = variables
        return jno.core([(u.d(t) - u.d2(x) + u).mse]).solve(20, **options).total_loss_history

    timed = jno.domain.line(mesh_size=0.25, time=(0, 1, levels))
    x, t = timed.variable("interior")
    points = timed.context["interior"][0, 0, :, 0]
    grid = np.stack(np.meshgrid(points, np.linspace(0, 1, levels), indexing="ij"), axis=-1).reshape(-1, 2)
    flat = jno.domain.from_array({"points": grid})
    xs, ts, _ = flat.variable("points")
    np.testing.assert_allclose(losses(timed, (x, t), min_consecutive=None), losses(flat, (xs, ts)), rtol=1e-4)
