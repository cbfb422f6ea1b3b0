"""Parameters transformed before every use: values, gradients, masks, and every error by its text."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import paramax
import pytest

import jno


def line():
    domain = jno.domain.line(mesh_size=0.25)
    return domain, domain.variable("interior")[0]


def test_what_is_stored_and_what_is_used():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(-1.0).constrain(jax.nn.softplus).optimizer(optax.sgd(0.5))
    crux = jno.core([(p - 2.0) ** 2], domain=domain)
    assert float(crux.eval(p).reshape(())) == pytest.approx(np.log1p(np.exp(-1.0)))
    raw = -1.0
    crux.solve(3)
    for _ in range(3):
        raw -= 0.5 * 2 * (np.log1p(np.exp(raw)) - 2.0) / (1 + np.exp(-raw))
    assert float(p.module.value) == pytest.approx(raw, rel=1e-5)
    assert float(p.model.constrained.value) == pytest.approx(np.log1p(np.exp(raw)), rel=1e-5)


def test_transforms_follow_each_other():
    domain, _ = line()
    p = jno.np.parameter((2,)).initialize(np.array([0.0, 1.0])).constrain(jnp.exp).constrain(lambda v: 3 * v).freeze()
    np.testing.assert_allclose(
        np.asarray(jno.core([p.mse], domain=domain).eval(p)).reshape(-1), [3.0, 3 * np.e], rtol=1e-6
    )


def test_masked_weights_of_a_network():
    domain, x = line()
    module = foundax.mlp(1, hidden_dims=4, num_layers=2, key=jax.random.key(0))
    net = jno.nn(module)
    nothing = jax.tree_util.tree_map(lambda _: False, module)
    mask = eqx.tree_at(lambda m: m.hidden_layers[0].weight, nothing, True)
    net.mask(mask).constrain(jnp.abs).freeze()
    expected = eqx.tree_at(lambda m: m.hidden_layers[0].weight, module, jnp.abs(module.hidden_layers[0].weight))
    u = net(x)
    found = np.asarray(jno.core([u.mse]).eval(u)).reshape(-1)
    points = jnp.asarray(domain.points, jnp.float32)
    np.testing.assert_allclose(found, np.asarray(expected(points)).reshape(-1), rtol=1e-5, atol=1e-6)
    assert not np.allclose(found, np.asarray(module(points)).reshape(-1))


def test_derivatives_and_parameter_gradients_see_the_transform():
    _, x = line()
    k = jno.np.parameter(()).initialize(0.5).constrain(jnp.exp).freeze()
    u = k * x**2
    crux = jno.core([u.mse])
    np.testing.assert_allclose(np.asarray(crux.eval(u.d2(x))), 2 * np.exp(0.5), rtol=1e-5)
    gradient = np.asarray(crux.eval(u.grad(k.model))).reshape(-1)
    np.testing.assert_allclose(gradient, np.exp(0.5) * np.linspace(0, 1, 5) ** 2, rtol=1e-5, atol=1e-7)


def test_wrappers_of_paramax_are_unwrapped():
    class Line(eqx.Module):
        slope: object

        def __call__(self, x):
            return self.slope * x

    _, x = line()
    net = jno.nn(Line(paramax.Parameterize(jnp.exp, jnp.zeros(())))).optimizer(optax.sgd(0.1))
    crux = jno.core([(net(x) - 2 * x).mse])
    np.testing.assert_allclose(np.asarray(crux.eval(net(x))).reshape(-1), np.linspace(0, 1, 5), rtol=1e-6)
    assert crux.solve(200).total_loss_history[-1] < 1e-6


def test_a_transform_added_later_counts():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(0.0).freeze()
    crux = jno.core([p**2], domain=domain)
    assert float(crux.eval(p).reshape(())) == 0.0
    p.constrain(jnp.exp)
    assert float(crux.eval(p).reshape(())) == 1.0
    p.reset()
    assert float(crux.eval(p).reshape(())) == 0.0


def test_what_is_refused():
    domain, _ = line()
    with pytest.raises(TypeError, match=r"constrain\('positive'\): expected a function"):
        jno.np.parameter(()).constrain("positive")
    p = jno.np.parameter((2,), name="p").constrain(jnp.sum).freeze()
    with pytest.raises(ValueError, match=r"p.constrain\(\): the transform turns a parameter of shape \(2,\) into"):
        jno.core([p.mse], domain=domain)
