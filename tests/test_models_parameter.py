"""jno.np.parameter: trainable arrays in expressions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno


def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    return domain, x


@pytest.mark.parametrize("make", [jno.parameter, jno.np.parameter, jno.numpy.parameter])
def test_it_has_three_names(make):
    p = make((2,), name="k")
    assert isinstance(p.model, jno.Model)
    assert p.model.model_key == "k"
    assert p.module.value.shape == (2,)


@pytest.mark.parametrize(("shape", "stored"), [((), ()), ((1,), (1,)), ((3,), (3,)), (4, (4,)), ((2, 3), (2, 3))])
def test_shapes(shape, stored):
    p = jno.np.parameter(shape)
    assert p.module.value.shape == stored
    assert p.module.value.dtype == jnp.float32
    assert not p.module.value.any()


@pytest.mark.parametrize("shape", [(-1,), -2, (2, -3), (True,)])
def test_bad_shapes(shape):
    with pytest.raises(ValueError, match="dimensions must be non-negative integers"):
        jno.np.parameter(shape)


def test_follows_x64():
    with jax.enable_x64(True):
        assert jno.np.parameter((2,)).module.value.dtype == jnp.float64


def test_names():
    p = jno.np.parameter((1,), name="k")
    assert p.model.model_key == "k"
    q = jno.np.parameter(())
    assert q.model.model_key == f"parameter_{q.model.layer_id}"
    assert q.name("conductivity") is q
    assert q.model.model_key == "conductivity"


def test_takes_no_arguments():
    _, x = line()
    with pytest.raises(TypeError, match="k is a parameter and takes no arguments"):
        jno.np.parameter((), name="k")(x)


@pytest.mark.parametrize(("shape", "evaluated"), [((), ()), ((1,), (1,)), ((3,), (3, 1)), ((2, 3), (2, 3))], ids=str)
def test_a_vector_evaluates_as_a_column(shape, evaluated):
    domain, _ = line()
    p = jno.np.parameter(shape).initialize(2.0)
    crux = jno.core([(p - 1.0).mse], domain=domain)
    assert crux.eval(p).shape == evaluated
    assert crux.eval(p.mse).shape == ()
    assert float(crux.eval(p.mse)) == 4.0


def test_entries_multiply_coordinates():
    domain, x = line()
    p = jno.np.parameter((2,)).initialize(jnp.array([3.0, -2.0]))
    expression = p[0] * x + p[1]
    got = jno.core([expression]).eval(expression)
    points = np.asarray(domain.context["interior"])[0, 0]
    np.testing.assert_allclose(got[0], 3.0 * points - 2.0, rtol=1e-6)


def test_a_scalar_multiplies_coordinates():
    domain, x = line()
    k = jno.np.parameter(()).initialize(4.0)
    got = jno.core([k * x]).eval(k * x)
    np.testing.assert_allclose(got[0], 4.0 * np.asarray(domain.context["interior"])[0, 0], rtol=1e-6)


def test_needs_a_domain_when_no_variable_occurs():
    p = jno.np.parameter(())
    with pytest.raises(ValueError, match="no Variables or TensorTags; pass domain="):
        jno.core([p.mse])


def test_configuration_on_the_call_returns_the_call():
    p = jno.np.parameter((2,))
    assert p.optimizer(optax.sgd(0.1)) is p
    assert p.freeze() is p
    assert p.model.controls.frozen
    assert p.unfreeze() is p
    assert p.initialize(1.0) is p
    assert p.dtype(jnp.float32) is p
    assert p.mask(None) is p
    assert p.reset() is p
    assert p.model.controls.default_group.optimizer is None


def test_inverse_problem_recovers_two_coefficients():
    _, x = line()
    p = jno.np.parameter((2,)).optimizer(optax.lbfgs())
    crux = jno.core([(p[0] * x + p[1] - (3.0 * x - 2.0)).mse])
    crux.solve(15)
    np.testing.assert_allclose(p.module.value, [3.0, -2.0], atol=1e-4)


def test_initial_value_from_a_random_key():
    domain, _ = line()
    normal = jax.nn.initializers.normal(1.0)
    key = jax.random.PRNGKey(5)
    p = jno.np.parameter((4,), key=key).initialize(normal)
    q = jno.np.parameter((4,)).initialize(normal, key=key)
    jno.core([(p - q).mse], domain=domain)
    np.testing.assert_array_equal(p.module.value, q.module.value)
    np.testing.assert_array_equal(p.module.value, normal(jax.random.split(key, 1)[0], (4,), jnp.float32))


def test_alone_only_when_frozen():
    domain, _ = line()
    p = jno.np.parameter((), name="k").initialize(2.0)
    with pytest.raises(ValueError, match="k is a trainable parameter"):
        (p * 3.0).eval(domain)
    p.freeze()
    assert float((p * 3.0).eval(domain)) == 6.0
