"""Points that cannot meet are known from the jaxpr; whatever is claimed agrees with a test by moving points."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jno
from jno.compiler._point_axis import UNKNOWN, point_axes

POINTS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(3, 3)).astype(np.float32)


def axis_of(function):
    """The axis over the points of the value, for points ``(N, D)``."""
    (axis,) = point_axes(jax.make_jaxpr(function)(POINTS), [0])
    return axis


def is_independent(function):
    """By moving one point."""
    moved = POINTS.copy()
    moved[0] += 10.0
    before, after = function(POINTS), function(moved)
    return before.shape[:1] == (6,) and np.allclose(before[1:], after[1:], equal_nan=True)


APART = {
    "layer": lambda x: jnp.tanh(x @ WEIGHTS + 1.0),
    "softmax over features": lambda x: jax.nn.softmax(x, axis=1),
    "columns": lambda x: jnp.concatenate([x[:, :1], x[:, 1:] ** 2, jnp.ones((6, 1))], axis=1),
    "there and back": lambda x: jnp.transpose(jnp.transpose(x)[None, :, :, None], (2, 1, 0, 3)).reshape(6, 3),
    "merged features": lambda x: jnp.einsum("nd,de,nf->nef", x, WEIGHTS, x).reshape(6, 9),
    "data at the points": lambda x: x * np.arange(6.0)[:, None],
    "batched product": lambda x: jax.vmap(lambda row: WEIGHTS @ row)(x),
    "slope": lambda x: jax.vmap(jax.grad(lambda row: jnp.sum(jnp.sin(row))))(x),
    "jvp": lambda x: jax.jvp(lambda z: jnp.sin(z @ WEIGHTS), (x,), (jnp.ones_like(x),))[1],
    "calls": lambda x: jax.checkpoint(jax.jit(jax.nn.gelu))(jax.nn.relu(x)),
    "norm": lambda x: jnp.linalg.norm(x, axis=1, keepdims=True),
    "pieces": lambda x: jnp.split(jnp.pad(x, ((0, 0), (1, 0))), 2, axis=1)[1][:, ::-1],
}


@pytest.mark.parametrize("name", APART)
def test_points_that_cannot_meet(name):
    assert axis_of(APART[name]) == 0
    assert is_independent(APART[name])


TOGETHER = {
    "sum": lambda x: jnp.sum(x, axis=0),
    "matrix of the points": lambda x: jnp.ones((6, 6)) @ x,
    "mean": lambda x: x - x.mean(axis=0),
    "product over points": lambda x: x @ (x.T @ x),
    "distances": lambda x: jnp.sum((x[:, None] - x[None]) ** 2, axis=(1, 2))[:, None],
    "running sum": lambda x: jnp.cumsum(x, axis=0),
    "reversed": lambda x: x[::-1],
    "shifted": lambda x: jnp.concatenate([x[1:], x[:1]], axis=0),
    "padded and cut": lambda x: jnp.pad(x, ((1, 0), (0, 0)))[:6],
    "reshaped": lambda x: x.reshape(3, 6).T,
    "softmax over points": lambda x: jax.nn.softmax(x, axis=0),
    "sorted": lambda x: jnp.sort(x, axis=0),
    "attention": lambda x: jax.nn.softmax(x @ x.T, axis=1) @ x,
    "in a call": jax.jit(lambda x: x - jnp.max(x, axis=0)),
    "computed place": lambda x: jax.lax.dynamic_slice(x, (jnp.argmax(x[:, 0]), 0), (3, 3)).repeat(2, axis=0),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_points_that_meet_are_never_taken_for_apart(name):
    assert not is_independent(TOGETHER[name])
    assert axis_of(TOGETHER[name]) == UNKNOWN


def test_a_value_without_points_and_a_loop():
    assert axis_of(lambda x: jnp.ones((6, 2)) * WEIGHTS[0, 0]) is None
    assert axis_of(lambda x: jax.lax.fori_loop(0, 3, lambda _, y: jnp.sin(y), x)) == UNKNOWN  # nothing is proved


# --- what building a problem compiles ----------------------------------------------------------------------------
@pytest.fixture
def compilations():
    """How many programs were compiled since the fixture was made."""
    events = []
    listener = lambda event, seconds, **_: events.append(event)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    yield lambda: events.count("/jax/core/compile/backend_compile_duration")
    jax.monitoring.unregister_event_duration_listener(listener)


class Normalised(eqx.Module):
    network: eqx.nn.MLP
    norm: eqx.nn.LayerNorm

    def __call__(self, x, y):
        return jax.vmap(lambda row: self.network(self.norm(row)))(jnp.concatenate([x, y], axis=1))


NETWORKS = {
    "mlp": lambda key: foundax.mlp(2, hidden_dims=5, num_layers=2, key=key),
    "normalised": lambda key: Normalised(eqx.nn.MLP(2, 1, 5, 2, key=key), eqx.nn.LayerNorm(2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_building_a_core_compiles_nothing(name, compilations):
    x, y, _ = jno.domain.rect(mesh_size=0.25).variable("interior")
    module = NETWORKS[name](jax.random.PRNGKey(0))
    before = compilations()
    net = jno.nn(module)
    u = net(x, y) * x * (1 - x)
    jno.core([(u.laplacian(x, y) + jno.np.sin(x)).mse, u.d(x).mse])
    assert compilations() == before


def test_building_a_core_on_samples_and_times_compiles_nothing(compilations):
    x, t = (2 * jno.domain.line(mesh_size=0.25, time=(0.0, 1.0, 3))).variable("interior")
    net = jno.nn(foundax.mlp(2, hidden_dims=5, num_layers=2, key=jax.random.PRNGKey(0)))
    u, before = net(x, t), compilations()
    jno.core([(u.d(t) - u.d2(x)).mse])
    assert compilations() == before


class Coupled(eqx.Module):
    weight: jax.Array

    def __call__(self, x):
        return jnp.sin(x * self.weight) - jnp.mean(x, axis=0)


def test_what_is_not_proved_is_tested_with_numbers():
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    with pytest.raises(ValueError, match="moving some points changes its value at others"):
        jno.core([jno.nn(Coupled(jnp.ones(1)))(x).d(x).mse])
