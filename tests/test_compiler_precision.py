"""Double precision of all data, and a working precision per network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import AD, FRONT, WAVE, coordinates, evaluate, mlp, unit_square

import jno


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("field", [WAVE, FRONT], ids=lambda f: f.name)
def test_derivatives_in_double_precision(double, field):
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    points = coordinates(domain, "interior")
    u = field.build(jno.np, x, y)
    value, first, hessian, composed, mean = evaluate(
        [u, u.grad(x, y), u.hessian(x, y), u.laplacian(x, y, scheme=f"{AD}:rev-over-rev"), u.mean]
    )
    assert {array.dtype for array in (value, first, hessian, composed, mean)} == {np.dtype(np.float64)}
    exact = field.hessian(*points)
    np.testing.assert_allclose(value[0, :, 0], field.build(np, *points), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(first[0], np.stack(field.first(*points), -1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(hessian[0], exact, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(composed[0, :, 0], np.trace(exact, axis1=1, axis2=2), rtol=1e-11, atol=1e-11)


def test_numbers_do_not_lower_the_precision(double):
    domain = unit_square(0.5)
    x, _, _ = domain.variable("interior")
    xn = coordinates(domain, "interior")[0][:, None]
    value = evaluate([x * 0.1 + 1 / 3, x * np.float64(0.1), x + np.asarray([0.1]), jno.np.sin(x) / 7])
    expected = [xn * 0.1 + 1 / 3, xn * 0.1, xn + 0.1, np.sin(xn) / 7]
    for a, b in zip(value, expected, strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-15)


def test_networks_parameters_and_integrals_in_double_precision(double):
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    assert {leaf.dtype for leaf in jax.tree_util.tree_leaves(net.module) if hasattr(leaf, "dtype")} == {
        jnp.dtype("float64")
    }
    p = jno.np.parameter((1,)).initialize(1 / 3)
    u = net(x, y)
    values = evaluate([u, u.d(x), (p * x).d(x), (x * (1 / 3)).integrate(), u.mse.grad(net)])
    assert {value.dtype for value in values} == {np.dtype(np.float64)}
    np.testing.assert_allclose(values[2], 1 / 3, rtol=1e-15)
    np.testing.assert_allclose(values[3], 1 / 6, rtol=1e-14)


def test_noise_in_double_precision(double):
    domain = unit_square(0.25)
    x, _, _ = domain.variable("interior")
    assert evaluate(x + jno.noise.gaussian(), key=jax.random.key(0)).dtype == np.float64


def test_single_precision_is_the_default():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    values = evaluate([x, x * 0.1, x * np.float64(0.1), (x * y).integrate(), x * np.ones(1), (x**2).d(x), x > 0.5])
    assert [value.dtype.name for value in values] == ["float32"] * 6 + ["bool"]


def test_integers_in_data_stay_usable():
    domain = unit_square(0.5, samples=2)
    x, _, _ = domain.variable("interior", sample=(4, None))
    k = domain.variable("index", np.asarray([[1], [2]]))
    row, product = evaluate([k, k * x])
    assert row.dtype == np.int32
    assert product.dtype == np.float32


def test_working_precision_of_a_network():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    exact, low = mlp(2), mlp(2).dtype(jnp.bfloat16)
    u, v = exact(x, y), low(x, y)
    core = jno.core([(u - v).mse])
    assert {leaf.dtype.name for leaf in jax.tree_util.tree_leaves(low.module) if hasattr(leaf, "dtype")} == {"bfloat16"}
    assert {leaf.dtype.name for leaf in jax.tree_util.tree_leaves(exact.module) if hasattr(leaf, "dtype")} == {
        "float32"
    }
    reference, value, slope, exact_slope, mixed = core.eval([u, v, v.d(x), u.d(x), v * x])
    assert value.dtype == jnp.bfloat16
    assert mixed.dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(value, np.float32), reference, atol=4e-3)
    np.testing.assert_allclose(np.asarray(slope, np.float32), exact_slope, atol=1e-3)


@pytest.mark.parametrize("scheme", [AD, f"{AD}:forward", f"{AD}:reverse", f"{AD}:fwd-over-rev", "finite_difference"])
def test_second_derivatives_of_a_network_of_low_precision(scheme):
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    low, exact = mlp(2, layers=1).dtype(jnp.float16), mlp(2, layers=1)
    value, expected = evaluate([net(x, y).laplacian(x, y, scheme=scheme) for net in (low, exact)])
    assert np.abs(expected).max() > 0.2
    tolerance = 4e-3 if scheme == "finite_difference" else 1e-3  # differences lose digits
    np.testing.assert_allclose(value.astype(np.float32), expected, rtol=0, atol=tolerance)


def test_integers_are_not_cast_by_the_working_precision():
    domain = unit_square(0.5, samples=2)
    x, _, _ = domain.variable("interior", sample=(4, None))
    k = domain.variable("index", np.asarray([[1], [2]]))

    import equinox as eqx

    class Table(eqx.Module):
        entries: jax.Array

        def __call__(self, x, index):
            return x * self.entries[index]

    net = jno.nn(Table(jnp.asarray([1.0, 2.0, 4.0]))).dtype(jnp.float16)
    value = evaluate(net(x, k))
    assert value.dtype == np.float16
    np.testing.assert_allclose(value, np.asarray([2.0, 4.0])[:, None, None] * evaluate(x), rtol=2e-3)


def test_working_precision_given_as_text():
    with pytest.raises(ValueError, match=r"give a dtype object such as jnp\.float32"):
        mlp(2).dtype("float16")
