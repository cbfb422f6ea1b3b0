"""Sums of products inside networks become matrix products without changing values."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import close

import jno
from jno.compiler._contract import contract_products

KEYS = jax.random.split(jax.random.PRNGKey(0), 3)
BRANCH = jax.random.normal(KEYS[0], (5,))
TRUNK = jax.random.normal(KEYS[1], (7, 5))

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

    close(contracted(BRANCH, TRUNK), function(BRANCH, TRUNK), 1e-5)
    close(jax.jacfwd(contracted)(BRANCH, TRUNK), jax.jacfwd(function)(BRANCH, TRUNK), 1e-5)
    close(jax.jacrev(contracted, 1)(BRANCH, TRUNK), jax.jacrev(function, 1)(BRANCH, TRUNK), 1e-5)


def _primitives(function, *arguments):
    return [eqn.primitive.name for eqn in jax.make_jaxpr(function)(*arguments).jaxpr.eqns]


@pytest.mark.parametrize(("name", "products"), [("dot", 1), ("two", 2), ("elementwise", 0)])
def test_only_real_contractions_are_replaced(name, products):
    found = _primitives(lambda b, t: contract_products(FUNCTIONS[name], [b, t]), BRANCH, TRUNK)
    assert found.count("dot_general") == products


def test_over_samples_it_is_one_matrix_product():
    batched = jax.vmap(lambda b: contract_products(FUNCTIONS["dot"], [b, TRUNK]))
    branches = jnp.stack([BRANCH, 2 * BRANCH])
    shapes = [
        [v.aval.shape for v in eqn.invars]
        for eqn in jax.make_jaxpr(batched)(branches).jaxpr.eqns
        if eqn.primitive.name == "dot_general"
    ]
    assert len(shapes) == 1
    assert all(len(shape) == 2 for shape in shapes[0])


def test_deeponet_through_a_core():
    module = foundax.deeponet(n_sensors=4, coord_dim=2, basis_functions=6, hidden_dim=8, n_layers=2, key=KEYS[2])
    domain = 3 * jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    sensors = np.asarray(jax.random.normal(KEYS[0], (3, 4)))
    u = jno.nn(module)(domain.variable("sensors", sensors), jno.np.concat([x, y]))
    values = jno.core([u.laplacian(x, y).mse]).eval(u)
    points = jnp.asarray(domain.context["interior"][0, 0])
    expected = jnp.stack([module(jnp.asarray(s), points) for s in sensors])
    close(np.asarray(values).reshape(3, -1), expected.reshape(3, -1), 1e-5)
