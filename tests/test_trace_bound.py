"""Expressions with named coordinates: derivatives as attributes, components, operators."""

import numpy as np
import pytest
from helpers import coordinates, evaluate

import jno


@pytest.fixture(scope="module")
def field():
    domain = jno.domain.rect((0.0, 1.0), (0.0, 2.0), mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    return domain, x, y, coordinates(domain, "interior")


def test_named_derivatives_of_any_expression(field):
    _, x, y, (a, b) = field
    u = (jno.np.sin(x) * y**3).bind(x=x, y=y)
    for actual, expected in (
        (u, np.sin(a) * b**3),
        (u.x, np.cos(a) * b**3),
        (u.y, 3 * np.sin(a) * b**2),
        (u.xx, -np.sin(a) * b**3),
        (u.xy, 3 * np.cos(a) * b**2),
        (u.x.y, 3 * np.cos(a) * b**2),
        (u.xyy, 6 * np.cos(a) * b),
        (u.yyy, 6 * np.sin(a)),
        (u.x_y, 3 * np.cos(a) * b**2),
        (u.xxyy, -6 * np.sin(a) * b),
        (u.laplacian(), -np.sin(a) * b**3 + 6 * np.sin(a) * b),
    ):
        np.testing.assert_allclose(evaluate(actual).reshape(-1), expected, atol=2e-5)


def test_operators_use_the_bound_coordinates(field):
    _, x, y, (a, b) = field
    w = jno.np.vector(x * y, x**2 + y**2).bind(x=x, y=y)
    np.testing.assert_allclose(evaluate(w[1]).reshape(-1), a**2 + b**2, atol=1e-6)
    np.testing.assert_allclose(evaluate(w.component(0)).reshape(-1), a * b, atol=1e-6)
    np.testing.assert_allclose(evaluate(w.div()).reshape(-1), b + 2 * b, atol=1e-5)
    np.testing.assert_allclose(evaluate(w.curl()).reshape(-1), 2 * a - a, atol=1e-5)
    np.testing.assert_allclose(evaluate(w.x[1]).reshape(-1), 2 * a, atol=1e-5)
    np.testing.assert_allclose(evaluate(w.norm()).reshape(-1), np.hypot(a * b, a**2 + b**2), atol=1e-5)
    np.testing.assert_allclose(evaluate(w.dot(w)).reshape(-1), (a * b) ** 2 + (a**2 + b**2) ** 2, atol=1e-4)
    gradient = evaluate((x * y).bind(x=x, y=y).grad()).reshape(-1, 2)
    np.testing.assert_allclose(gradient, np.column_stack([b, a]), atol=1e-6)
    hessian = evaluate((x**2 * y).bind(x=x, y=y).hessian()).reshape(-1, 2, 2)
    np.testing.assert_allclose(hessian[:, 0, 1], 2 * a, atol=1e-5)
    np.testing.assert_allclose(hessian[:, 0, 0], 2 * b, atol=1e-5)


def test_curl_in_space():
    domain = jno.domain.cube(mesh_size=1.0)
    x, y, z, _ = domain.variable("interior")
    w = jno.np.vector(y * z, x * x, x * y * z).bind(x=x, y=y, z=z)
    a, b, c = coordinates(domain, "interior")
    expected = np.column_stack([a * c, b - b * c, 2 * a - c])
    np.testing.assert_allclose(evaluate(w.curl()).reshape(-1, 3), expected, atol=1e-5)


def test_other_names_and_binding_again(field):
    _, x, y, (_, b) = field
    u = (x * y**2).bind(r=x)
    np.testing.assert_allclose(evaluate(u.r).reshape(-1), b**2, atol=1e-5)
    more = u.bind(s=y)
    np.testing.assert_allclose(evaluate(more.rs).reshape(-1), 2 * b, atol=1e-5)
    assert more.bind(r=x).r is not None
    with pytest.raises(ValueError, match="coord binding conflict for 'r'"):
        more.bind(r=y)


def test_networks_are_bound_by_calling_the_bound_expression(field):
    domain, x, y, (a, _) = field
    import foundax
    import jax

    net = jno.nn(foundax.mlp(2, output_dim=1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)))
    u = net(x, y).bind(x=x, y=y)
    direct, named = evaluate([net(x, y).d(x).d(y), u.xy], domain)
    np.testing.assert_array_equal(direct, named)
    assert len(a) == direct.size
