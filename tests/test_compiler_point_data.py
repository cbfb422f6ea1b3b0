"""Data at points or time levels has no derivative: it is refused, and interpolation is what to do instead."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import AD, coordinates, evaluate, mlp, unit_square

import jno

REMEDIES = (
    r"whose values are known at the points of 'interior' only.*jno\.np\.interp\(x, xs, values\).*jno\.np\.interpn"
    r".*domain\.interpolate\(values\).*finite_difference.*\.stop_gradient"
)


@pytest.fixture
def line():
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior")
    points = coordinates(domain, "interior")[0][:, None]
    return domain, x, points, domain.variable("a", (1 + points**2)[None, None])


class Both(eqx.Module):
    """A network that sees all values of its second argument at every point."""

    weight: jax.Array

    def __call__(self, x, data):
        return jnp.sin(self.weight * x) * jnp.sum(data**2)


class EachPoint(eqx.Module):
    """A network that takes the value at the point it is evaluated at."""

    weight: jax.Array

    def __call__(self, x, data):
        return self.weight * x * data**2


REFUSED = {
    "product": lambda x, a: a * jno.np.sin(x),
    "flux": lambda x, a: a * jno.np.sin(x).d(x),
    "function of the data": lambda x, a: jno.np.exp(-a) + x,
    "columns": lambda x, a: jno.np.vector(x, a),
    "component": lambda x, a: jno.np.vector(x, a)[..., 1],
    "scalar product": lambda x, a: jno.np.inner(jno.np.vector(x, a), jno.np.vector(a, 1.0)),
    "alone": lambda x, a: a,
    "network of both": lambda x, a: jno.nn.wrap(EachPoint(jnp.ones(())))(x, a),
    "network of columns": lambda x, a: mlp(2)(jno.np.concat([x, a])),
    "function": lambda x, a: jno.fn(lambda p, q: p * q, [x, a]),
    "array": lambda x, a: np.linspace(1, 2, 11)[:, None] * x,
    "parameter": lambda x, a: jno.np.parameter((11, 1)) * x,
    "constant": lambda x, a: jno.np.constant("k", np.linspace(1, 2, 11)[:, None]) * x,
}


@pytest.mark.parametrize("name", REFUSED)
def test_derivative_of_data_at_the_points_is_refused(line, name):
    _, x, _, a = line
    expression = REFUSED[name](x, a)
    jno.core([expression])
    for derivative in (expression.d(x), expression.d2(x)):
        with pytest.raises(ValueError, match=REMEDIES):
            jno.core([derivative])


@pytest.mark.parametrize("scheme", [f"{AD}:forward", f"{AD}:reverse"])
def test_no_scheme_of_automatic_differentiation_has_that_derivative(line, scheme):
    _, x, _, a = line
    with pytest.raises(ValueError, match=REMEDIES):
        jno.core([(a * x).d(x, scheme)])


def test_values_attached_as_points_are_data_too(line):
    domain, x, points, _ = line
    a = domain.variable("values", points**2, point_data=True, split=True)[0]
    with pytest.raises(ValueError, match=r"contains 'Var\(values.*known at the points of 'interior'"):
        jno.core([(a * x).d(x)])


ALLOWED = {
    "coefficient outside": (lambda x, a: a * (x**2).d(x), lambda p, a: a * 2 * p),
    "held constant": (lambda x, a: (a.stop_gradient * x**2).d(x), lambda p, a: a * 2 * p),
    "mean": (lambda x, a: (a.mean * x**2).d(x), lambda p, a: a.mean() * 2 * p),
    "one value": (lambda x, a: (a[3] * x**2).d(x), lambda p, a: a[3] * 2 * p),
    "sum over the points": (lambda x, a: (jno.np.sum(a, axis=0) * x**2).d(x), lambda p, a: a.sum() * 2 * p),
    "input of an operator": (
        lambda x, a: jno.nn.wrap(Both(jnp.full((), 2.0)))(x, a).d(x),
        lambda p, a: 2 * np.cos(2 * p) * np.sum(a**2),
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_data_that_is_the_same_at_all_points_is_a_constant(line, name):
    _, x, p, a = line
    build, exact = ALLOWED[name]
    np.testing.assert_allclose(evaluate(build(x, a))[0], exact(p, 1 + p**2), rtol=2e-5, atol=1e-5)


def test_data_with_one_value_for_all_points_is_a_constant(line):
    domain, x, p, _ = line
    a = domain.variable("one", np.full((1, 1, 11, 1), 3.0))
    np.testing.assert_allclose(evaluate((a * x**2).d(x))[0], 6 * p, rtol=1e-5)


def test_table_of_another_kind_with_as_many_rows_as_points():
    """A matrix next to matrices at the points, and a row of sensors that an operator network reads."""
    domain = unit_square(0.5, samples=2)
    x, y, _ = domain.variable("interior", sample=(2, None))
    strain = jno.np.einsum("ni,nj->nij", jno.np.vector(x, y), jno.np.vector(x, y))
    assert evaluate((strain - jno.np.identity(2)).d(x)).shape == (2, 2, 2, 2)
    sensors = domain.variable("sensors", np.asarray([[1.0, 2.0], [3.0, 5.0]]))
    value, slope = evaluate([x, (jno.np.sum(sensors) * x**2).d(x)])
    np.testing.assert_allclose(slope, 2 * value * np.asarray([3.0, 8.0])[:, None, None], rtol=1e-5)


def test_finite_differences_take_the_values_at_the_nodes(line):
    _, x, p, a = line
    slope = evaluate((a * jno.np.sin(x).d(x)).d(x, "finite_difference"))[0]
    exact = 2 * p * np.cos(p) - (1 + p**2) * np.sin(p)
    assert np.abs(slope - exact)[1:-1].max() < 0.02


def test_data_at_time_levels_has_no_derivative_in_time():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 4))
    x, t = domain.variable("interior")
    load = domain.variable("load", np.linspace(0, 1, 4).reshape(1, 4, 1, 1) * np.ones((1, 4, 3, 1)))
    np.testing.assert_allclose(evaluate((load * x**2).d(x), min_consecutive=None)[0, -1, :, 0], [0, 1, 2], rtol=1e-6)
    with pytest.raises(ValueError, match=r"'load'.*at the time levels only.*jno\.np\.interp\(t, times, values\)"):
        jno.core([(load * t).d(t)])
    k = jno.np.interp(t, np.linspace(0, 1, 4), np.linspace(0, 1, 4))
    np.testing.assert_allclose(
        evaluate((k * t).d(t), min_consecutive=None)[0, :, 0, 0], np.linspace(0, 2, 4), rtol=1e-5
    )


def test_measured_coefficient_as_expression_gives_the_flux(line):
    """The remedy: ``(a u')' = a u'' + a' u'``."""
    domain, x, p, _ = line
    nodes = np.asarray(domain.points)[:, 0]
    table = np.linspace(0, 1, 41)
    smooth = jno.np.interp(x, table, 1 + table**2, method="cubic")
    u = jno.np.sin(x)
    linear = domain.interpolate(1 + nodes**2)
    exact = 2 * p * np.cos(p) - (1 + p**2) * np.sin(p)
    values = evaluate([(smooth * u.d(x)).d(x), (linear * u.d(x)).d(x)])
    np.testing.assert_allclose(values[0][0], exact, rtol=1e-4, atol=1e-4)
    assert np.abs(values[1][0] - exact).max() < 0.11  # the slope of a chord of length 0.1 is 0.1 off, from a'' = 2
