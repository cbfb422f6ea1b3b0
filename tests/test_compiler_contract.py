"""Sums of products inside networks become matrix products without changing values."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import close

import jno
from jno.compiler._contract import contract_products

RANDOM = np.random.default_rng(0)
BRANCH = RANDOM.normal(size=5).astype(np.float32)
TRUNK = RANDOM.normal(size=(7, 5)).astype(np.float32)

FUNCTIONS = {
    "dot": lambda b, t: jnp.sum(b * t, axis=-1),
    "flipped": lambda b, t: jnp.sum(t * b, axis=-1),
    "activated": lambda b, t: jnp.tanh(jnp.sum(jnp.sin(b) * jax.nn.gelu(t), axis=-1)) + jnp.sum(t),
    "outer": lambda b, t: jnp.sum(b[:, None] * t.T, axis=0),
    "two": lambda b, t: jnp.sum(b * t, axis=-1) * jnp.sum(b * t**2, axis=-1),
    "elementwise": lambda b, t: jnp.sum(t * t, axis=-1),
    "product used twice": lambda b, t: jnp.sum(b * t, axis=-1) + jnp.max(b * t, axis=-1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_stay(name):
    function = FUNCTIONS[name]

    def contracted(b, t):
        return contract_products(function, [b, t])

    def results(f, b, t):
        return f(b, t), jax.jacfwd(f)(b, t), jax.jacrev(f, 1)(b, t)

    found, expected = jax.jit(lambda b, t: [results(f, b, t) for f in (contracted, function)])(BRANCH, TRUNK)
    for value, wanted in zip(found, expected, strict=True):
        close(value, wanted, 1e-5)


def _primitives(function, *arguments):
    return [eqn.primitive.name for eqn in jax.make_jaxpr(function)(*arguments).jaxpr.eqns]


@pytest.mark.parametrize(("name", "products"), [("dot", 1), ("two", 2), ("elementwise", 0)])
def test_only_real_contractions_are_replaced(name, products):
    found = _primitives(lambda b, t: contract_products(FUNCTIONS[name], [b, t]), BRANCH, TRUNK)
    assert found.count("dot_general") == products


def test_over_samples_it_is_one_matrix_product():
    batched = jax.vmap(lambda b: contract_products(FUNCTIONS["dot"], [b, TRUNK]))
    branches = np.stack([BRANCH, 2 * BRANCH])
    shapes = [
        [v.aval.shape for v in eqn.invars]
        for eqn in jax.make_jaxpr(batched)(branches).jaxpr.eqns
        if eqn.primitive.name == "dot_general"
    ]
    assert len(shapes) == 1
    assert all(len(shape) == 2 for shape in shapes[0])


def test_deeponet_through_a_core():
    module = foundax.deeponet(
        n_sensors=4, coord_dim=2, basis_functions=6, hidden_dim=8, n_layers=2, key=jax.random.PRNGKey(0)
    )
    domain = 3 * jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    sensors = RANDOM.normal(size=(3, 4)).astype(np.float32)
    u = jno.nn(module)(domain.variable("sensors", sensors), jno.np.concat([x, y]))
    values = jno.core([u.laplacian(x, y).mse]).eval(u)
    points = np.asarray(domain.context["interior"][0, 0], np.float32)
    expected = np.asarray(eqx.filter_jit(eqx.filter_vmap(module, in_axes=(0, None)))(sensors, points))
    close(np.asarray(values).reshape(3, -1), expected.reshape(3, -1), 1e-5)
