"""Networks that occur in practice: one Taylor pass against nested `jax.jvp`, in the engine and in expressions."""

from __future__ import annotations

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import AD, close, evaluate, unit_square
from test_taylor_operators import agree, block_agrees, laplacian, partial

import jno
from jno.compiler._taylor import operator

WANTED = [partial(0), laplacian(2), partial(0, 1), operator({(0,): 1.0, (1, 1, 1): 0.1}), operator({(0, 0, 1, 1): 1.0})]
"""Single, collapsed, mixed, Korteweg–de Vries, fourth order."""


def matrix(key, inputs, outputs):
    return jax.random.normal(key, (inputs, outputs)) / np.sqrt(inputs)


class Gated(eqx.Module):
    """Modified MLP: two encoders gate every layer (Wang, Teng and Perdikaris, 2021)."""

    encoders: list[jax.Array]
    layers: list[jax.Array]

    def __init__(self, key, width=6):
        keys = jax.random.split(key, 5)
        self.encoders = [matrix(k, 2, width) for k in keys[:2]]
        self.layers = [matrix(keys[2], 2, width), matrix(keys[3], width, width), matrix(keys[4], width, 1)]

    def __call__(self, x):
        first, second = (jnp.tanh(x @ w) for w in self.encoders)
        hidden = x
        for weight in self.layers[:-1]:
            gate = jnp.tanh(hidden @ weight)
            hidden = (1 - gate) * first + gate * second
        return hidden @ self.layers[-1]


class Pirate(eqx.Module):
    """A residual block with a trained share of the non-linear path (Wang, Li, Chen and Perdikaris, 2024)."""

    embedding: jax.Array
    gates: list[jax.Array]
    layers: list[jax.Array]
    output: jax.Array
    share: jax.Array

    def __init__(self, key, width=6):
        keys = jax.random.split(key, 7)
        self.embedding = matrix(keys[0], 2, width // 2)
        self.gates = [matrix(k, width, width) for k in keys[1:3]]
        self.layers = [matrix(k, width, width) for k in keys[3:6]]
        self.output, self.share = matrix(keys[6], width, 1), jnp.asarray(0.3)

    def __call__(self, x):
        waves = x @ self.embedding
        hidden = jnp.concatenate([jnp.cos(waves), jnp.sin(waves)], axis=-1)
        first, second = (jnp.tanh(hidden @ w) for w in self.gates)
        path = hidden
        for number, weight in enumerate(self.layers):
            path = jnp.tanh(path @ weight)
            path = path * first + (1 - path) * second if number < 2 else path
        return (self.share * path + (1 - self.share) * hidden) @ self.output


class Separable(eqx.Module):
    """A sum of products of functions of one coordinate each (Cho et al., 2023)."""

    networks: list[eqx.nn.MLP]

    def __init__(self, key, rank=4):
        keys = jax.random.split(key)
        self.networks = [eqx.nn.MLP(1, rank, 6, 1, activation=jnp.sin, key=k) for k in keys]

    def __call__(self, x):
        factors = [jax.vmap(network)(x[:, i : i + 1]) for i, network in enumerate(self.networks)]
        return jnp.sum(factors[0] * factors[1], axis=-1, keepdims=True)


class Attention(eqx.Module):
    """Each point is a few tokens that attend to each other, with layer normalisation and a residual path."""

    tokens: jax.Array
    attention: eqx.nn.MultiheadAttention
    norm: eqx.nn.LayerNorm
    output: jax.Array

    def __init__(self, key, tokens=3, width=4):
        keys = jax.random.split(key, 3)
        self.tokens = jax.random.normal(keys[0], (tokens, 2, width))
        self.attention = eqx.nn.MultiheadAttention(2, width, key=keys[1])
        self.norm = eqx.nn.LayerNorm(width)
        self.output = matrix(keys[2], width, 1)

    def __call__(self, x):
        def at_point(row):
            tokens = jnp.einsum("i,tiw->tw", row, self.tokens)
            tokens = tokens + self.attention(tokens, tokens, tokens)
            return jax.nn.gelu(jax.vmap(self.norm)(tokens)).mean(0) @ self.output

        return jax.vmap(at_point)(x)


class Fourier(eqx.Module):
    """Fixed random frequencies before a network (Tancik et al., 2020)."""

    frequencies: jax.Array
    network: eqx.nn.MLP

    def __init__(self, key):
        keys = jax.random.split(key)
        self.frequencies = jax.random.normal(keys[0], (2, 3))
        self.network = eqx.nn.MLP(6, 1, 6, 1, activation=jax.nn.silu, key=keys[1])

    def __call__(self, x):
        waves = 2 * jnp.pi * x @ jax.lax.stop_gradient(self.frequencies)
        return jax.vmap(self.network)(jnp.concatenate([jnp.sin(waves), jnp.cos(waves)], axis=-1))


class Recomputed(eqx.Module):
    """A network whose activations are computed again in the backward pass."""

    network: eqx.Module

    def __call__(self, x):
        return jax.checkpoint(lambda network, x: network(x))(self.network, x)


def perceptron(key):
    network = eqx.nn.MLP(2, 3, 6, 2, activation=jnp.tanh, key=key)
    return lambda x: jax.vmap(network)(x)


def operator_network(key, **options):
    sizes = {"basis_functions": 6, "hidden_dim": 6, "n_layers": 1}
    module = foundax.deeponet(n_sensors=5, coord_dim=2, activation=jnp.tanh, key=key, **{**sizes, **options})
    return lambda x: module(jnp.linspace(0, 1, 5), x)


ARCHITECTURES = {
    "mlp of equinox": perceptron,
    "mlp of foundax": lambda key: foundax.mlp(2, 3, hidden_dims=6, num_layers=2, key=key),
    "mlp with layer norm": lambda key: jax.vmap(
        foundax.mlp(2, 1, hidden_dims=6, num_layers=2, layer_norm=True, key=key)
    ),
    "gated": Gated,
    "residual": Pirate,
    "fourier features": Fourier,
    "separable": Separable,
    "attention": Attention,
    "checkpointed": lambda key: Recomputed(Gated(key)),
    "deeponet": operator_network,
    "deeponet with fourier embedding": lambda key: operator_network(
        key, coord_embedding="fourier", coord_embedding_dim=4
    ),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_in_double_precision(name):
    with jax.enable_x64(True):
        points = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, size=(5, 2)))
        network = ARCHITECTURES[name](jax.random.key(0))
        few = name in ("attention", "mlp with layer norm", "fourier features")  # fourth order takes long to compile
        agree(network, points, WANTED[:4] if few else WANTED)


@pytest.mark.parametrize("name", ["mlp of foundax", "residual", "attention", "deeponet"])
def test_networks_in_single_precision(name):
    points = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, size=(5, 2)), jnp.float32)
    agree(ARCHITECTURES[name](jax.random.key(0)), points, WANTED[:3])


@pytest.mark.parametrize("name", ["residual", "attention", "separable"])
def test_networks_of_ten_coordinates(name):
    """Two combinations of ten coordinates: the first derivatives share one array."""
    with jax.enable_x64(True):
        random = np.random.default_rng(0)
        points, mix = jnp.asarray(random.normal(size=(4, 10))), jnp.asarray(random.normal(size=(10, 2)) / 4)
        network = ARCHITECTURES[name](jax.random.key(0))
        block_agrees(lambda x: network(x @ mix), points)


# --- in expressions -----------------------------------------------------------------------------------------------
FORWARD, NESTED = f"{AD}:forward", f"{AD}:fwd-over-fwd"


@pytest.fixture(scope="module")
def square():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    return domain, x, y


def residual(u, x, y, first=AD, second=AD):
    return u.d(x, first) * u + u.d2(x, second) - 0.5 * u.d2(y, second) + (u * u.d(y, first)).d(x, first)


@pytest.mark.parametrize("name", ["mlp of foundax", "gated", "residual", "fourier features", "separable", "attention"])
def test_networks_in_expressions(square, name):
    _, x, y = square
    u = jno.nn(ARCHITECTURES[name](jax.random.key(1)))(jno.np.concat([x, y]))
    planned, forced = evaluate([residual(u, x, y), residual(u, x, y, FORWARD, NESTED)])
    close(planned, forced, 1e-5)


def test_a_checkpointed_network_and_its_gradients(square):
    _, x, y = square
    net = jno.nn(Recomputed(Gated(jax.random.key(1))))
    u = net(jno.np.concat([x, y]))
    loss, forced = ((u.d(x, a) * u + u.d2(x, b)).mse for a, b in ((AD, AD), (FORWARD, NESTED)))
    planned, nested = evaluate([loss.grad(net), forced.grad(net)])
    close(planned, nested, 1e-5)


def test_layer_norm_in_expressions(square):
    _, x, y = square
    u = jno.nn(foundax.mlp(2, hidden_dims=6, num_layers=2, layer_norm=True, key=jax.random.key(0)))(x, y)
    planned, forced = evaluate([residual(u, x, y), residual(u, x, y, FORWARD, NESTED)])
    close(planned, forced, 1e-5)


def test_an_operator_network_over_samples():
    """Branch on sensor values of each sample, trunk on shared points, a boundary envelope around both."""
    domain = unit_square(0.5, samples=3)
    x, y, _ = domain.variable("interior")
    sensors = domain.variable("sensors", np.random.default_rng(0).normal(size=(3, 5)))
    sizes = {"basis_functions": 6, "hidden_dim": 6, "n_layers": 1}
    net = jno.nn(foundax.deeponet(n_sensors=5, coord_dim=2, activation=jnp.tanh, key=jax.random.key(0), **sizes))
    u = net(sensors, jno.np.concat([x, y])) * x * (1 - x) * y * (1 - y)
    planned, forced, loss, forced_loss = evaluate(
        [
            residual(u, x, y),
            residual(u, x, y, FORWARD, NESTED),
            u.laplacian(x, y).mse.grad(net),
            u.laplacian(x, y, scheme=NESTED).mse.grad(net),
        ]
    )
    assert planned.shape == (3, 9, 1)
    close(planned, forced, 1e-5)
    close(loss, forced_loss, 1e-5)
