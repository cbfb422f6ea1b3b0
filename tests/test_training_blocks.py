"""Points in blocks: the same losses and weights, and only where constraints are means of point-wise expressions."""

import foundax
import jax
import numpy as np
import optax
import pytest

import jno
import jno.compiler._blocks as blocks
import jno.training._objective as _objective
from jno.compiler import Graph, NotPointwiseError, Program, blocks_for, check_pointwise


def _network(seed=0):
    module = foundax.mlp(2, hidden_dims=8, num_layers=2, key=jax.random.PRNGKey(seed))
    return jno.nn(module).optimizer(optax.adam(1e-2))


def _problem():
    domain = jno.domain.rect(mesh_size=0.1)  # 121 points, 40 of them on the boundary
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    net, k = _network(), jno.np.parameter((1,), key=jax.random.PRNGKey(1), name="k").optimizer(optax.adam(1e-2))
    u = net(x, y)
    return [
        (u.laplacian(x, y) + k * u - 1.0).mse,
        (u * u.grad(x, y)).mae,
        (net(xb, yb) * xb).mean,
        ((k - 2.0) ** 2).mse,
    ], [net, k]


def _trained(monkeypatch, block_bytes, expected, steps=20):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(jno.compiler._pointwise, "_MANY", 1)
    used = []
    monkeypatch.setattr(_objective, "blocks_for", lambda *given: used.append(blocks_for(*given)) or used[-1])
    constraints, models = _problem()
    crux = jno.core(constraints)
    history = crux.solve(steps)
    assert [None if found is None else found.count for found in used] == [expected]
    leaves = [leaf for model in models for leaf in jax.tree_util.tree_leaves(model.module) if hasattr(leaf, "shape")]
    return np.asarray(history.total_loss_history), leaves


@pytest.mark.parametrize("count", [4, 7])
def test_the_same_losses_and_weights(monkeypatch, count):
    whole, weights = _trained(monkeypatch, 2**21, None)
    cut, own = _trained(monkeypatch, -(-121 * 8 * 4 * 4 // count), count)  # 121 points, eight wide, four coefficients
    np.testing.assert_allclose(cut, whole, rtol=2e-5)
    for a, b in zip(own, weights, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def _blocks(monkeypatch, constraints):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2048)
    monkeypatch.setattr(jno.compiler._pointwise, "_MANY", 1)
    domain = jno.compiler.discover_domain(constraints)
    program = Program(constraints, domain, graph=Graph())
    modules = {model.layer_id: model.module for model in program.models}
    check_pointwise(program, modules)
    found = blocks_for(program)
    if found is not None:
        cut, rest = found.split(program.data)
        first = {name: array[0] for name, array in cut.items()}
        try:
            found.losses(modules, {**rest, **first}, 0, jax.random.key(0))
        except NotPointwiseError:
            return None
    return found


def test_blocks_hold_every_point_once(monkeypatch):
    constraints, _ = _problem()
    found = _blocks(monkeypatch, constraints)
    assert found is not None
    assert found.count == 8
    domain = jno.compiler.discover_domain(constraints)
    program = Program(constraints, domain, graph=Graph())
    cut, rest = found.split(program.data)
    assert not rest
    assert {array.shape[:-2] for array in cut.values()} == {(8, 1, 1)}
    points = np.asarray(cut["points", "interior"])[:, 0, 0].reshape(-1, 2)
    inside = np.asarray(domain.context["interior"][0, 0], dtype=np.float32)
    np.testing.assert_array_equal(points[: len(inside)], inside)
    np.testing.assert_array_equal(points[len(inside) :], np.tile(inside[-1], (len(points) - len(inside), 1)))


def test_every_block_has_its_own_dropout(monkeypatch):
    """At equal inputs blocks of equal size differ by what is dropped alone."""
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    module = foundax.mlp(2, hidden_dims=8, num_layers=2, dropout_rate=0.5, key=jax.random.PRNGKey(0))
    net = jno.nn(module)
    found = _blocks(monkeypatch, [(net(0.0 * x, 0.0 * y) - 1.0).mse])
    assert found.count == 8
    cut, rest = found.split(Program([x.mse], domain, graph=Graph()).data)
    first = {name: array[0] for name, array in cut.items()}
    losses = jax.jit(lambda block: found.losses({net.layer_id: module}, {**rest, **first}, block, jax.random.key(0)))
    assert len({float(losses(block)[0]) for block in range(7)}) == 7


@pytest.mark.parametrize("window", [1, 2])
def test_time_levels_are_not_mixed_in_blocks(monkeypatch, window):
    """Every epoch sees one window of the levels 1, 2, 4, at all of its points."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 512)
    monkeypatch.setattr(jno.compiler._pointwise, "_MANY", 1)
    domain = jno.domain.rect(mesh_size=0.25, time=(1.0, 3.0, 3))
    x, y, t = domain.variable("interior")
    net = jno.nn(_network().module).optimizer(optax.sgd(0.0))
    crux = jno.core([(2.0 ** (t - 1.0) + 0.0 * net(x, y)).mean])
    losses = crux.solve(12, min_consecutive=window).total_loss_history
    expected = {1: {1.0, 2.0, 4.0}, 2: {1.5, 3.0}}[window]
    assert {round(float(loss), 4) for loss in losses} == expected


COUPLED = {
    "a mean inside": lambda domain, x, u: (u - u.mean).mse,
    "some of the points": lambda domain, x, u: u[1:].mse,
    "a wrapped function that centres": lambda domain, x, u: jno.fn(lambda a: a - a.mean(0), [u]).mse,
    "a sum over points": lambda domain, x, u: jno.np.sum(u, axis=0).mse,
    "a vector without components": lambda domain, x, u: jno.np.sum(u[..., 0], axis=-1).mse,
    "finite differences": lambda domain, x, u: u.d(x, "finite_difference").mse,
    "an integral": lambda domain, x, u: (u - u.integrate()).mse,
    "no mean at the top": lambda domain, x, u: u.mse + u.mae,
    "another reduction": lambda domain, x, u: u.max,
    "noise": lambda domain, x, u: (u + jno.noise.gaussian(0.1)).mse,
    "data": lambda domain, x, u: (u - domain.variable("data", np.ones((1, 1, 121, 1)))).mse,
}


@pytest.mark.parametrize("name", COUPLED)
def test_what_couples_points_stays_whole(monkeypatch, name):
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    assert _blocks(monkeypatch, [COUPLED[name](domain, x, _network()(x, y))]) is None


def test_components_may_be_reduced(monkeypatch):
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    u = _network()(x, y)
    gradient = u.grad(x, y)
    assert _blocks(monkeypatch, [jno.np.sum(gradient**2, axis=-1, keepdims=True).mse]) is not None
    assert _blocks(monkeypatch, [(jno.np.norm(gradient, axis=-1) - 1.0).mse]) is not None


def test_training_goes_on_whole_where_tracing_finds_a_coupling(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2048)
    monkeypatch.setattr(jno.compiler._pointwise, "_MANY", 1)
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    total = jno.np.sum(_network()(x, y)[..., 0], axis=-1)  # a sum over points, seen only from its shape
    history = jno.core([((total - 100.0) / 100.0).mse]).solve(30)
    assert history.total_loss_history[-1] < 0.9 * history.total_loss_history[0]
