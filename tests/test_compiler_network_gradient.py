"""`u.grad(net)`: derivatives with respect to parameters, against `jax.jacrev` of the module."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import coordinates, evaluate, mlp, unit_square

import jno


@pytest.fixture(scope="module")
def square():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    points = jnp.asarray(np.stack(coordinates(domain, "interior"), -1), jnp.float32)
    return domain, (x, y), points


def by_hand(function, module, mask=None):
    """Jacobian of ``function(module)`` with respect to the selected inexact leaves, flattened in pytree order."""
    chosen = jax.tree_util.tree_map(eqx.is_inexact_array, module)
    if mask is not None:
        chosen = jax.tree_util.tree_map(lambda a, b: bool(a and b), chosen, mask)
    selected, rest = eqx.partition(module, chosen)
    shape = jax.eval_shape(lambda p: function(eqx.combine(p, rest)), selected).shape
    jacobian = jax.jit(jax.jacrev(lambda p: function(eqx.combine(p, rest))))(selected)
    leaves = jax.tree_util.tree_leaves(jacobian)
    return np.concatenate([np.asarray(leaf).reshape(*shape, -1) for leaf in leaves], axis=-1)


def test_scalar_and_vector_targets(square):
    _, (x, y), points = square
    scalar, vector = mlp(2), mlp(2, 3)
    values = evaluate([scalar(x, y).grad(scalar), vector(x, y).grad(vector), vector(x, y)[..., 1].grad(vector)])
    np.testing.assert_allclose(values[0][0], by_hand(lambda m: m(points)[:, 0], scalar.module), rtol=1e-4, atol=1e-6)
    expected = by_hand(lambda m: m(points), vector.module)
    np.testing.assert_allclose(values[1][0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(values[2][0], expected[:, 1], rtol=1e-4, atol=1e-6)


def test_reduced_targets(square):
    _, (x, y), points = square
    net = mlp(2)
    value = evaluate((net(x, y) - x).mse.grad(net))
    expected = by_hand(lambda m: jnp.mean((m(points) - points[:, :1]) ** 2), net.module)
    assert value.shape == (1, expected.size)
    np.testing.assert_allclose(value[0], expected, rtol=1e-4, atol=1e-6)


def test_residuals_with_derivatives(square):
    _, (x, y), points = square
    net = mlp(2)
    value = evaluate((net(x, y).laplacian(x, y) * x).grad(net))

    def residual(module):
        at = lambda p: module(p[None])[0, 0]  # noqa: E731
        return jax.vmap(lambda p: jnp.trace(jax.hessian(at)(p)) * p[0])(points)

    np.testing.assert_allclose(value[0], by_hand(residual, net.module), rtol=1e-3, atol=1e-5)


def test_masks_select_leaves(square):
    _, (x, y), points = square
    net = mlp(2)
    leaves, structure = jax.tree_util.tree_flatten(net.module)
    mask = jax.tree_util.tree_unflatten(structure, [eqx.is_array(leaf) and leaf.ndim == 2 for leaf in leaves])
    masked, whole = evaluate([net(x, y).grad(net.mask(mask)), net(x, y).grad(net)])
    np.testing.assert_allclose(masked[0], by_hand(lambda m: m(points)[:, 0], net.module, mask), rtol=1e-4, atol=1e-6)
    assert whole.shape[-1] > masked.shape[-1]


def test_a_mask_is_used_once(square):
    _, (x, y), _ = square
    net = mlp(2)
    u = net(x, y)
    nothing = jax.tree_util.tree_map(lambda leaf: False, net.module)
    first = u.grad(net.mask(nothing))
    assert first.mask is nothing
    assert u.grad(net).mask is None


def test_only_the_given_network_is_differentiated(square):
    _, (x, y), points = square
    first, second = mlp(2, seed=1), mlp(2, seed=2)
    product = first(x, y) * second(x, y)
    value = evaluate(product.grad(second))
    expected = by_hand(lambda m: m(points)[:, 0] * first.module(points)[:, 0], second.module)
    np.testing.assert_allclose(value[0], expected, rtol=1e-4, atol=1e-6)
    other = evaluate([first(x, y).grad(second), second(x, y)])[0]
    np.testing.assert_array_equal(other, np.zeros_like(other))


def test_parameters(square):
    _, (x, y), _ = square
    p = jno.np.parameter((2,)).initialize(np.asarray([2.0, 3.0]))
    value = evaluate((p[0] ** 2 * x + p[1] * y).grad(p))
    xn, yn = evaluate([x, y])
    np.testing.assert_allclose(value, np.concatenate([4 * xn, yn], -1), rtol=1e-5)
    alone = evaluate([(p**2).sum.grad(p), x])[0]
    np.testing.assert_allclose(alone, [4.0, 6.0], rtol=1e-5)


def test_every_sample_and_level():
    domain = unit_square(0.25, samples=2, time=(0.0, 1.0, 3))
    x, y, t = domain.variable("interior", sample=(4, None))
    k = domain.variable("k", np.asarray([[1.0], [2.0]]))
    net = mlp(3)
    value = evaluate((k[0] * net(x, y, t)).grad(net), min_consecutive=None)
    points = np.asarray(domain.context[x.tag])
    for b in range(2):
        for level, time in enumerate(np.linspace(0, 1, 3)):
            rows = jnp.asarray(np.column_stack([points[b, level], np.full(4, time)]), jnp.float32)
            expected = (b + 1) * by_hand(lambda m, rows=rows: m(rows)[:, 0], net.module)
            np.testing.assert_allclose(value[b, level], expected, rtol=1e-4, atol=1e-6)


def test_a_single_point():
    domain = jno.domain.from_array({"sensor": np.asarray([[0.25, 0.5]])})
    x, y, _ = domain.variable("sensor")
    net = mlp(2)
    expected = by_hand(lambda m: m(jnp.asarray([[0.25, 0.5]]))[:, 0], net.module)
    np.testing.assert_allclose(evaluate(net(x, y).grad(net))[0], expected, rtol=1e-4, atol=1e-6)


def test_network_of_the_gradient_of_another(square):
    """Testing the outer network evaluates the gradient, which depends on how the inner one was tested."""
    _, (x, y), points = square
    inner, outer = mlp(2, seed=1), jno.nn(Weighted(jnp.asarray(0.5)))
    value = evaluate(outer(inner(x, y).grad(inner)).grad(outer))
    gradients = jnp.asarray(by_hand(lambda m: m(points)[:, 0], inner.module))
    expected = by_hand(lambda m: m(gradients)[:, 0], outer.module)
    np.testing.assert_allclose(value[0], expected, rtol=1e-4, atol=1e-5)


class Weighted(eqx.Module):
    """A multiple of the sum of its inputs."""

    weight: jax.Array

    def __call__(self, inputs):
        return self.weight * jnp.sum(inputs, axis=-1, keepdims=True)


def test_gradient_of_a_call_is_that_of_its_network(square):
    _, (x, y), _ = square
    net = mlp(2)
    u = net(x, y)
    np.testing.assert_array_equal(*evaluate([u.grad(u), u.grad(net)]))


def test_coupled_points_are_differentiated_together(square):
    """The mean depends on every point: its gradient is not that of one point alone."""
    _, (x, y), points = square
    net = mlp(2)
    u = net(x, y)
    value = evaluate((u - u.mean).grad(net))
    expected = by_hand(lambda m: m(points)[:, 0] - jnp.mean(m(points)), net.module)
    np.testing.assert_allclose(value[0], expected, rtol=1e-4, atol=1e-6)


class Centred(eqx.Module):
    """Couples points as batch normalisation does."""

    weight: jax.Array

    def __call__(self, x, y):
        values = jnp.tanh(jnp.concatenate([x, y], axis=-1) @ self.weight)
        return values - jnp.mean(values, axis=0, keepdims=True)


def test_networks_that_couple_points_are_differentiated_at_all_points_together(square):
    _, (x, y), points = square
    net = jno.nn(Centred(jnp.asarray([[1.0], [-2.0]])))
    value = evaluate(net(x, y).grad(net))
    expected = by_hand(lambda m: m(points[:, :1], points[:, 1:])[:, 0], net.module)
    np.testing.assert_allclose(value[0], expected, rtol=1e-4, atol=1e-6)


def test_networks_and_variables_do_not_mix(square):
    _, (x, y), _ = square
    net = mlp(2)
    with pytest.raises(TypeError, match="Variable"):
        net(x, y).grad(net, x)
