"""Derivatives that would be silently wrong are refused when the problem is built."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import pytest

import jno


class Centred(eqx.Module):
    """Couples points as batch normalisation does."""

    def __call__(self, x):
        return x - jnp.mean(x, axis=0, keepdims=True)


@pytest.fixture
def domain():
    return jno.domain.rect(mesh_size=0.25)


def test_network_that_couples_points_is_refused(domain):
    x, y, _ = domain.variable("interior")
    u = jno.nn(Centred(), name="centred")(jno.np.concat([x, y]))
    with pytest.raises(ValueError, match=r"'centred' is differentiated at the points of 'interior', but moving some"):
        jno.core([u.d(x).mse])


def test_function_that_couples_points_is_refused(domain):
    x, y, _ = domain.variable("interior")
    u = jno.fn(lambda a: a * jnp.max(a), [x * y], name="coupled")
    with pytest.raises(ValueError, match="'coupled' is differentiated"):
        jno.core([u.laplacian(x, y).mse])


def test_finite_differences_of_it_are_allowed(domain):
    x, y, _ = domain.variable("interior")
    u = jno.nn(Centred())(jno.np.concat([x, y]))
    derivative = u[..., 0].d(x, scheme="finite_difference")
    assert jno.core([derivative.mse]).eval(derivative.mean) == pytest.approx(1.0)


def test_undifferentiated_coupling_is_allowed(domain):
    x, y, _ = domain.variable("interior")
    u = jno.nn(Centred())(jno.np.concat([x, y]))
    assert jno.core([u.mse]).eval(u.mean) == pytest.approx(0.0, abs=1e-6)


def test_reduced_target_is_refused(domain):
    x, y, _ = domain.variable("interior")
    with pytest.raises(ValueError, match="differentiate first and reduce afterwards"):
        jno.core([(x * y).mean.d(x).mse])


def test_a_reduction_held_constant_is_allowed(domain):
    x, y, _ = domain.variable("interior")
    u = jno.nn(foundax.mlp(2, hidden_dims=8, key=jax.random.PRNGKey(0)))(x, y)
    for scheme in ("automatic_differentiation:forward", "automatic_differentiation:reverse"):
        scaled = (u / u.max.stop_gradient).d(x, scheme)
        crux = jno.core([scaled.mse])
        assert crux.eval((scaled - u.d(x) / u.max).mae) == pytest.approx(0.0, abs=1e-6)


def test_pointwise_networks_pass(domain):
    x, y, _ = domain.variable("interior")
    net = jno.nn(foundax.mlp(2, hidden_dims=8, key=jax.random.PRNGKey(0)))
    single = jno.nn(eqx.nn.MLP(2, 1, 8, 2, key=jax.random.PRNGKey(0)))
    jno.core([net(x, y).laplacian(x, y).mse, single(jno.np.concat([x, y])).d(x).mse])


def test_a_network_that_is_zero_couples_its_points_all_the_same(domain):
    x, y, _ = domain.variable("interior")
    scale = jno.np.parameter((), name="scale").initialize(0.0)
    u = scale * jno.nn(Centred())(jno.np.concat([x, y]))
    with pytest.raises(ValueError, match="moving some points changes its value at others"):
        jno.core([u.d(x).mse])
