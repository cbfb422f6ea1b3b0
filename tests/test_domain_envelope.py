"""Values on parts of the boundary that hold exactly, whatever the network is."""

import foundax
import jax
import numpy as np
import optax
import pytest
from shapely.geometry import Point, box
from test_domain_smooth_distance import inverse_by_quadrature, notched_cube

import jno
from jno.domain.fields._boundary_parts import lie_on


def mlp(inputs, outputs=1, seed=0):
    return jno.nn(foundax.mlp(inputs, output_dim=outputs, hidden_dims=8, num_layers=2, key=jax.random.key(seed)))


def plate():
    whole = jno.domain(box(0, 0, 2, 1), name="plate")
    d = whole - jno.domain(Point(0.6, 0.5).buffer(0.25, quad_segs=3), name="hole")
    for name, ends in {"left": [(0, 0), (0, 1)], "right": [(2, 0), (2, 1)], "top": [(0, 1), (2, 1)]}.items():
        d.add_boundary_segments(name, [ends])
    return d


def values(domain, *expressions):
    core = jno.core([expression.mse for expression in expressions], domain=domain)
    return [np.asarray(value) for value in core.eval([*expressions, expressions[0]], min_consecutive=None)[:-1]]


def test_two_ends_of_a_line():
    """The lift is linear, the distance the parabola of slope one."""
    d = jno.domain.line((0, 2), mesh_size=0.25)
    x, _ = d.variable("interior")
    u = d.dirichlet_envelope(jno.np.cos(x), {"left": 1.0, "right": 3.0})
    value, curvature = values(d, u, d.dirichlet_envelope(0 * x, {"left": 1.0, "right": 3.0}).d2(x))
    p = d.points
    np.testing.assert_allclose(value[0], 1 + p + p * (2 - p) / 2 * np.cos(p), atol=1e-6)
    np.testing.assert_allclose(curvature, 0.0, atol=2e-5)


def test_values_and_slopes_in_the_plane():
    """Numbers, functions and expressions of other tags, around a hole; sides that are not named stay free."""
    with jax.enable_x64(True):
        d = plate()
        x, y, _ = d.variable("interior", sample=(15, "sobol"))
        sides = {tag: d.variable(tag, sample=(6, None)) for tag in ("left", "right", "boundary_hole", "top")}
        xh, yh, _ = sides["boundary_hole"]
        given = {"left": 1.5, "right": lambda x, y: 2 + jno.np.sin(3 * y), "boundary_hole": xh * yh}
        net = mlp(2)
        u = d.dirichlet_envelope(net, given)
        other = d.dirichlet_envelope(mlp(2, seed=1), given)
        at = {tag: u(*columns[:2]) for tag, columns in sides.items()}
        xl, yl, _ = sides["left"]
        step = 1e-5
        shifted = [u(x + step, y), u(x - step, y)]
        asked = [*at.values(), other(*sides["top"][:2]), u.d(x)(xl, yl), net(xl, yl), u, u.d(x), u.d2(x)]
        *boundary, other_top, slope, net_left, inside, ux, curvature, right, left = (
            value[0, :, 0] for value in values(d, *asked, *shifted)
        )
        points = {tag: d.context[tag][0, 0] for tag in sides}
        edges = {tag: d.geometry.facets_of(tag).corners for tag in given}
    found = dict(zip(sides, boundary, strict=True))
    np.testing.assert_allclose(found["left"], 1.5, atol=1e-12)
    np.testing.assert_allclose(found["right"], 2 + np.sin(3 * points["right"][:, 1]), atol=1e-12)
    np.testing.assert_allclose(found["boundary_hole"], np.prod(points["boundary_hole"], axis=1), atol=1e-9)
    assert np.abs(found["top"] - other_top).min() > 1e-3
    np.testing.assert_allclose(ux, (right - left) / (2 * step), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(curvature, (right + left - 2 * inside) / step**2, rtol=1e-3, atol=1e-3)
    # the slope on a boundary: the others pull by their inverse distances, and the network stands for its flux
    p = points["left"]
    pull = (2 + np.sin(3 * p[:, 1]) - 1.5) / inverse_by_quadrature(p, edges["right"])
    pull += (np.prod(p, axis=1) - 1.5) / inverse_by_quadrature(p, edges["boundary_hole"])
    np.testing.assert_allclose(slope, pull + net_left, rtol=1e-6)


def test_values_on_faces_of_a_body():
    d = notched_cube()
    d.tag("floor", lambda x, n, name: n[:, 2] < -0.5)
    d.tag("roof", lambda x, n, name: x[:, 2] > 0.99)
    x, y, _, _ = d.variable("interior")
    u = d.dirichlet_envelope(mlp(3), {"floor": x * y, "roof": 2.0})
    value = values(d, u)[0][0, :, 0]
    on_floor, on_roof = d.points[:, 2] == 0.0, d.points[:, 2] == 1.0
    np.testing.assert_allclose(value[on_floor], np.prod(d.points[on_floor, :2], axis=1), atol=1e-6)
    np.testing.assert_allclose(value[on_roof], 2.0, atol=1e-5)


def test_values_that_change_in_time_and_vectors():
    d = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 3))
    x, t = d.variable("interior")
    u = d.dirichlet_envelope(mlp(2), {"left": lambda x, t: jno.np.sin(t), "right": t})
    v = d.dirichlet_envelope(mlp(2, outputs=2)(x, t), {"left": (1.0, -2.0), "right": (0, 3)})
    scalar, vector = values(d, u, v)
    times = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(scalar[..., [0, -1], 0].reshape(3, 2), np.stack([np.sin(times), times], 1), atol=1e-6)
    np.testing.assert_allclose(vector[..., [0, -1], :].reshape(3, 2, 2), [[[1, -2], [0, 3]]] * 3, atol=1e-6)


def test_values_at_points_with_times_of_their_own():
    d = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0))
    x, t = d.variable("interior", (8, "sobol"))
    u = d.dirichlet_envelope(mlp(2), {"left": lambda x, t: jno.np.sin(t), "right": t})
    left, right, times = values(d, u(0.0 * x, t), u(0.0 * x + 1.0, t), t)
    np.testing.assert_allclose(left.ravel(), np.sin(times.ravel()), atol=1e-6)
    np.testing.assert_allclose(right.ravel(), times.ravel(), atol=1e-6)
    assert np.ptp(times) > 0.5


def test_values_that_agree_where_tags_meet():
    d = jno.domain.rect(mesh_size=0.5)
    x, y, _ = d.variable("interior")
    u = d.dirichlet_envelope(x * y, {"left": y, "top": 1 + x, "right": lambda x, y: 2 * y, "bottom": 0})
    p = d.points
    on_boundary = np.any((p == 0) | (p == 1), axis=1)
    expected = np.where(p[:, 0] == 0, p[:, 1], np.where(p[:, 1] == 1, 1 + p[:, 0], 2 * p[:, 1] * (p[:, 0] == 1)))
    np.testing.assert_allclose(values(d, u)[0][0, on_boundary, 0], expected[on_boundary], atol=1e-5)


def test_a_driven_lid_jumps_at_its_corners():
    d = jno.domain.rect(mesh_size=0.25)
    x, y, _ = d.variable("interior")
    given = {"left": 0.0, "right": 0.0, "bottom": 0.0, "top": 1.0}
    with pytest.raises(ValueError, match=r"'left' and 'top' meet at \(0, 1\) and have the values 0 and 1 there"):
        d.dirichlet_envelope(x, given)
    u = d.dirichlet_envelope(x, given, jumps=True)
    value, laplacian = (part[0, :, 0] for part in values(d, u, u.laplacian(x, y)))
    lid = (d.points[:, 1] == 1) & (d.points[:, 0] > 0) & (d.points[:, 0] < 1)
    np.testing.assert_allclose(value[lid], 1.0, atol=1e-5)
    np.testing.assert_allclose(value[d.points[:, 1] == 0], 0.0, atol=1e-5)
    assert np.all(np.isfinite(laplacian))


@pytest.mark.parametrize("tags", [("left", "top"), ("top", "left")])
def test_values_that_are_trained_are_compared_with_none(tags):
    d = jno.domain.rect(mesh_size=0.5)
    x, y, _ = d.variable("interior")
    trained, known = tags
    u = d.dirichlet_envelope(x, {trained: mlp(2)(x, y), known: 7.0})
    side = d.points[:, 0] == 0.0 if known == "left" else d.points[:, 1] == 1.0
    off = ~(d.points[:, 1] == 1.0 if known == "left" else d.points[:, 0] == 0.0)
    np.testing.assert_allclose(values(d, u)[0][0, side & off, 0], 7.0, atol=1e-5)
    u = d.dirichlet_envelope(x, {known: 7.0, trained: mlp(2)(x, y)})
    np.testing.assert_allclose(values(d, u)[0][0, side & off, 0], 7.0, atol=1e-5)


def test_an_edge_lies_on_others_when_all_of_it_does():
    edge = np.array([[[0.0, 0.0], [1.0, 0.0]]])
    half, rest = np.array([[[0.0, 0.0], [0.5, 0.0]]]), np.array([[[0.5, 0.0], [1.5, 0.0]]])
    assert lie_on(edge, half, 1e-9).tolist() == [False]
    assert lie_on(half, edge, 1e-9).tolist() == [True]
    assert lie_on(edge, np.concatenate([half, rest]), 1e-9).tolist() == [True]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, "a dict boundary tag -> value, not empty; got {}"),
        (3.0, ValueError, "a dict boundary tag -> value, not empty; got 3.0"),
        ({"nowhere": 0.0}, ValueError, "Unknown tag 'nowhere'"),
        ({"interior": 0.0}, ValueError, "'interior' is not a boundary tag"),
        ({"left": 0.0, "boundary": 1.0}, ValueError, "'left' and 'boundary' overlap and have different values"),
        ({"left": "zero"}, TypeError, "the value on 'left' must be a number, a sequence of numbers, an expression"),
        ({"left": lambda x, y: None}, TypeError, "the value on 'left' must be a number.*got None"),
        ({"left": lambda x, y: y + 1, "top": 1}, ValueError, r"meet at \(0, 1\) and have the values 2 and 1 there"),
    ],
)
def test_values_that_cannot_be(given, error, message):
    d = jno.domain.rect(mesh_size=0.5)
    x, _, _ = d.variable("interior")
    with pytest.raises(error, match=message):
        d.dirichlet_envelope(x, given)


def test_a_network_that_is_none():
    with pytest.raises(TypeError, match=r"an expression such as net\(x, y\) or a network; got 1.0"):
        jno.domain.line().dirichlet_envelope(1.0, {"left": 0.0})


def test_training_beats_conditions_that_are_losses():
    """A ring between two circles: exact boundary values against the best of three weights, with the same steps."""

    def error(weight):
        d = jno.domain(Point(0, 0).buffer(1.0), name="disk") - jno.domain(Point(0, 0).buffer(0.5), name="core")
        x, y, _ = d.variable("interior", sample=(150, "sobol"))
        xi, yi, _ = d.variable("boundary_core", sample=(50, "equispaced"))
        xo, yo, _ = d.variable("boundary_disk", sample=(50, "equispaced"))
        net = mlp(2).optimizer(optax.adam(5e-3))
        u = net(x, y) if weight else d.dirichlet_envelope(net, {"boundary_core": 1.0, "boundary_disk": 0.0})
        soft = [weight * (u(xi, yi) - 1.0).mse, weight * u(xo, yo).mse] if weight else []
        core = jno.core([u.laplacian(x, y).mse, *soft])
        core.solve(300)
        exact = -jno.np.log(x**2 + y**2) / 2 / np.log(2.0)
        return np.sqrt(np.mean(np.square(core.eval(u - exact))))

    hard, *soft = [error(weight) for weight in (0.0, 1.0, 30.0, 1000.0)]
    assert hard < 0.01
    assert hard < min(soft) / 5
