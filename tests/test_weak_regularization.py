"""Regularisation terms of coefficients against integrals by hand."""

import equinox as eqx
import foundax
import jax
import numpy as np
import pytest
from weak_forms import double_precision  # noqa: F401

import jno


class Square:
    """The unit square with a nodal coefficient 1 + 2 x - y."""

    def __init__(self, order=1):
        self.domain = jno.domain.rect(mesh_size=0.34)
        self.x, self.y, _ = self.domain.variable("interior")
        self.u, self.v = self.domain.fem_symbols((), ("u", "v"), order=order)
        self.nodes = jno.fem([self.u * self.v]).points
        self.values = self.field(1.0, 2.0, -1.0)
        self.k = jno.np.parameter(self.u, name="k").initialize(self.values)

    def field(self, a, b, c):
        return a + b * self.nodes[:, 0] + c * self.nodes[:, 1]

    def total(self, *arguments, **options):
        """The sum of a regularisation term."""
        term = self.k.regularize(*arguments, **options).sum
        return float(np.asarray(jno.core([term], domain=self.domain).eval(term)).reshape(()))


def square_of(a, b, c):
    """The integral of (a + b x + c y)^2."""
    return a * a + b * b / 3 + c * c / 3 + a * b + a * c + b * c / 2


@pytest.mark.parametrize("order", [1, 2])
def test_integrals_of_a_linear_field(order):
    s = Square(order)
    for name in ("h1seminorm", "h1", "smooth"):
        np.testing.assert_allclose(s.total(name), 5.0, rtol=1e-12)
    for name in ("l2", "tikhonov", "ridge"):
        np.testing.assert_allclose(s.total(name), square_of(1, 2, -1), rtol=1e-12)
    np.testing.assert_allclose(s.total("tv"), np.sqrt(5 + 1e-8), rtol=1e-12)
    np.testing.assert_allclose(s.total("tv", eps=0.25), np.sqrt(5.25), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_what_a_field_is_compared_with(order):
    s = Square(order)
    np.testing.assert_allclose(s.total("l2", ref=0.5), square_of(0.5, 2, -1), rtol=1e-12)
    known = s.field(0.0, 1.0, 3.0)
    np.testing.assert_allclose(s.total("l2", ref=known), square_of(1, 1, -4), rtol=1e-12)
    other = jno.np.parameter(s.u, name="other").initialize(known).freeze()
    with pytest.raises(ValueError, match=r"ref=.*one number for every node"):
        s.total("l2", ref=np.ones(3))
    with pytest.raises(ValueError, match=r"expressions of coordinates are not known at the nodes"):
        s.total("l2", ref=s.x)
    np.testing.assert_allclose(s.total("l2", ref=other), square_of(1, 1, -4), rtol=1e-12)


def test_penalties_of_every_entry():
    s = Square()
    s.k.initialize(s.values - 2.0)
    outside = np.minimum(s.values - 2.0, 0.0)
    np.testing.assert_allclose(s.total("nonneg"), np.sum(outside**2), rtol=1e-12)
    np.testing.assert_allclose(s.total("nonneg", strength=3.0), 3 * np.sum(outside**2), rtol=1e-12)
    distance = s.values - 2.0 - np.clip(s.values - 2.0, -0.25, 0.5)
    np.testing.assert_allclose(s.total("bounded", lo=-0.25, hi=0.5), np.sum(distance**2), rtol=1e-12)


def test_the_gradient_of_a_term_is_that_of_the_integral():
    s = Square()
    stiffness = jno.fem([s.u(s.x, s.y).grad().dot(s.v(s.x, s.y).grad())]).A
    term = s.k.regularize("h1")
    (solved,) = (node for node in jno.trace.walk([term]) if isinstance(node, jno.trace.WeakValue))
    problem = solved.problem
    (model,) = problem.models

    def energy(values):
        module = eqx.tree_at(lambda m: m.value, model.module, values)
        return values @ problem.value({model.layer_id: module}, {})

    np.testing.assert_allclose(jax.grad(energy)(s.values), 2 * stiffness @ s.values, atol=1e-12)


def test_a_network_at_its_points():
    s = Square()
    net = jno.nn(foundax.mlp(2, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)))
    value = net(s.x, s.y)
    by_hand = value.d(s.x) ** 2 + value.d(s.y) ** 2
    terms = [value.regularize("smooth", s.x, s.y), by_hand, value.regularize("tv", s.x, s.y, eps=0.5)]
    smooth, expected, variation = jno.core([terms[0].mean], domain=s.domain).eval(terms)
    np.testing.assert_allclose(smooth, expected, rtol=1e-12)
    np.testing.assert_allclose(variation, np.sqrt(np.asarray(expected) + 0.5), rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "text"),
    [
        (("abc",), {}, ValueError, r"regularize\(kind='abc'\): allowed are h1seminorm, l2"),
        (("h1",), {"eps": 1.0}, ValueError, r"regularize\('h1'\) has no option \['eps'\]"),
        (("tv",), {"eps": -1.0}, ValueError, r"eps must be a number of at least 0"),
        (("bounded",), {"lo": 0.0}, ValueError, r"needs lo= and hi=; \['hi'\] is missing"),
        (("nonneg",), {"strength": "a"}, TypeError, r"regularize\('nonneg', strength='a'\): a number or an expression"),
    ],
)
def test_terms_that_mean_nothing(arguments, options, kind, text):
    with pytest.raises(kind, match=text):
        Square().k.regularize(*arguments, **options)
