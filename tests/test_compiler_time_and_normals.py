"""Derivatives along normals and in time."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import FIRST_ORDER, WAVE, close, coordinates, evaluate, gradient_and_hessian, mlp, unit_square
from shapely.geometry import box

import jno


# --- normal derivatives ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", FIRST_ORDER)
def test_normal_derivative(scheme):
    domain = unit_square(0.25)
    x, y, _, nx, ny = domain.variable("boundary", normals=True, split=True)
    n = domain.variable("boundary", normals=True)
    u = WAVE.build(jno.np, x, y)
    along, by_hand, normal = evaluate([u.d(n, scheme), u.d(x) * nx + u.d(y) * ny, n])
    assert normal.shape == (1, 16, 2)
    fx, fy = WAVE.first(*coordinates(domain, "boundary"))
    expected = fx * normal[0, :, 0] + fy * normal[0, :, 1]
    close(along[0, :, 0], expected)
    close(by_hand[0, :, 0], expected)


def test_normal_derivative_of_a_network_on_every_side():
    domain = unit_square(0.5)
    net = mlp(2)
    for side, component, sign in (("left", 0, -1), ("right", 0, 1), ("bottom", 1, -1), ("top", 1, 1)):
        variables = domain.variable(side)
        n = domain.variable(side, normals=True)
        u = net(*variables[:2])
        along, slope = evaluate([u.d(n), u.d(variables[component])])
        close(along, sign * slope)


def test_second_normal_derivative():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("boundary")
    n = domain.variable("boundary", normals=True)
    u = WAVE.build(jno.np, x, y)
    second, normal = evaluate([u.d2(n), n])
    matrix = WAVE.hessian(*coordinates(domain, "boundary"))
    close(second[0, :, 0], np.einsum("ni,nij,nj->n", normal[0], matrix, normal[0]))


@pytest.mark.parametrize("kind", ["polygon", "mesh", "counted points of a mesh"])
def test_normal_derivative_at_counted_points(kind):
    """Coordinates and the normal of the same points in one call; the components make the same direction."""
    square = box(0, 0, 1, 1)
    domain = jno.domain.csg.from_regions({"square": square}) if kind == "polygon" else jno.domain.rect(mesh_size=0.25)
    sample = (None, None) if kind == "mesh" else (7, "equispaced") if kind == "polygon" else (7, None)
    x, y, _, n = domain.variable("boundary", sample=sample, normals="vector")
    u = WAVE.build(jno.np, x, y)
    nx, ny = n[..., 0:1], n[..., 1:2]
    along, by_hand, second = evaluate([u.d(n), u.d(x) * nx + u.d(y) * ny, u.d2(n)])
    close(along, by_hand)
    normal = np.asarray(domain.context[n.tag])[0, 0]
    points = np.asarray(domain.context[x.tag])[0, 0]
    fx, fy = WAVE.first(*points.T)
    close(along[0, :, 0], fx * normal[:, 0] + fy * normal[:, 1])
    close(second[0, :, 0], np.einsum("ni,nij,nj->n", normal, WAVE.hessian(*points.T), normal))


@pytest.mark.parametrize("scheme", FIRST_ORDER)
def test_normal_given_by_its_components(scheme):
    domain = jno.domain.csg.from_regions({"square": box(0, 0, 1, 1)})
    x, y, _, nx, ny = domain.variable("boundary", sample=(7, "equispaced"), normals=True, split=True)
    u = WAVE.build(jno.np, x, y)
    along, by_hand = evaluate([u.d(jno.np.vector(nx, ny), scheme), u.d(x) * nx + u.d(y) * ny])
    close(along, by_hand)
    remedy = r"the whole normal, jno\.np\.vector\(nx, ny\).*jno\.np\.inner\(u\.grad\(x, y\), v\)"
    for direction in (jno.np.vector(ny, nx), jno.np.vector(nx, -ny), jno.np.vector(nx), jno.np.vector(x, y)):
        with pytest.raises(TypeError, match=remedy):
            u.d(direction)


def test_normals_are_asked_for_by_known_words():
    domain = unit_square(0.5)
    with pytest.raises(TypeError, match=r"normals='split'.*True or False or one of 'vector'"):
        domain.variable("boundary", normals="split")
    with pytest.raises(ValueError, match=r"normals='vector', split=True.*its components"):
        domain.variable("boundary", normals="vector", split=True)
    with pytest.raises(ValueError, match="no outward normals"):
        domain.variable("interior", normals="vector")


def test_derivative_along_one_component_of_the_normal_is_refused():
    domain = unit_square(0.5)
    x, _, _, nx, _ = domain.variable("boundary", normals=True, split=True)
    with pytest.raises(ValueError, match=r"needs the whole normal vector.*normals=True"):
        evaluate((x**2).d(nx))


# --- time -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def moving():
    """``u(x, t) = sin(3t) x² + t² x`` on a line with four time levels."""
    domain = jno.domain.line((0.0, 1.0), mesh_size=0.25, time=(0.0, 1.0, 4))
    x, t = domain.variable("interior")
    xn = coordinates(domain, "interior")[0][None, :]
    tn = np.linspace(0.0, 1.0, 4)[:, None]
    return domain, (x, t), (xn, tn)


TIME_SCHEMES = FIRST_ORDER[:3]


@pytest.mark.parametrize("scheme", TIME_SCHEMES)
def test_one_time_derivative_alone(moving, scheme):
    _, (x, t), (xn, tn) = moving
    u = jno.np.sin(3 * t) * x**2 + t**2 * x
    value = evaluate(u.d(t, scheme), min_consecutive=None)
    close(value[0, ..., 0], 3 * np.cos(3 * tn) * xn**2 + 2 * tn * xn)


@pytest.mark.parametrize("scheme", TIME_SCHEMES)
def test_time_derivatives(moving, scheme):
    _, (x, t), (xn, tn) = moving
    u = jno.np.sin(3 * t) * x**2 + t**2 * x
    s, c = np.sin(3 * tn), np.cos(3 * tn)
    cases = [
        (u.d(t, scheme), 3 * c * xn**2 + 2 * tn * xn),
        (u.d(t, scheme).d(t, scheme), -9 * s * xn**2 + 2 * xn),
        (u.d2(t, scheme), -9 * s * xn**2 + 2 * xn),
        (u.d(x, scheme).d(t, scheme), 6 * c * xn + 2 * tn),
        (u.d(t, scheme).d(x, scheme), 6 * c * xn + 2 * tn),
        (u.d2(x, scheme), 2 * s + 0 * xn),
        (u.laplacian(x, t, scheme=scheme), 2 * s - 9 * s * xn**2 + 2 * xn),
    ]
    values = evaluate([node for node, _ in cases], min_consecutive=None)
    for value, (_, expected) in zip(values, cases, strict=True):
        assert value.shape == (1, 4, 5, 1)
        close(value[0, ..., 0], expected)


@pytest.mark.parametrize("scheme", FIRST_ORDER)
def test_time_derivative_next_to_its_target(moving, scheme):
    _, (x, t), (xn, _) = moving
    u = t * x**2
    _, derivative = evaluate([u, u.d(t, scheme)])
    close(derivative[0, :, 0], xn[0] ** 2)


def test_space_timegradient_and_hessian(moving):
    _, (x, t), (xn, tn) = moving
    u = jno.np.sin(3 * t) * x**2 + t**2 * x
    gradient, hessian = evaluate([u.grad(x, t), u.hessian(x, t)], min_consecutive=None)
    assert gradient.shape == (1, 4, 5, 2)
    assert hessian.shape == (1, 4, 5, 2, 2)
    close(gradient[0, ..., 1], 3 * np.cos(3 * tn) * xn**2 + 2 * tn * xn)
    close(hessian[0, ..., 0, 1], 6 * np.cos(3 * tn) * xn + 2 * tn)
    close(hessian[0, ..., 1, 0], hessian[0, ..., 0, 1])
    close(hessian[0, ..., 1, 1], -9 * np.sin(3 * tn) * xn**2 + 2 * xn)


@pytest.mark.parametrize("scheme", TIME_SCHEMES[1:])
def test_time_derivatives_of_a_vector_network(moving, scheme):
    _, (x, t), _ = moving
    net = mlp(2, 2)
    u = net(x, t)
    first, second = evaluate([u.d(t, scheme), u.d(t, scheme).d(x, scheme)], min_consecutive=None)
    assert first.shape == (1, 4, 5, 2)
    xn = coordinates(x.domain, "interior")[0]
    points = jnp.asarray([[[a, b] for a in xn] for b in np.linspace(0, 1, 4)], dtype=jnp.float32)
    gradient, hessian = gradient_and_hessian(net.module, points.reshape(-1, 2))
    close(first[0].reshape(-1, 2), gradient[..., 1])
    close(second[0].reshape(-1, 2), hessian[..., 0, 1])


def test_time_derivative_of_a_function_of_time_alone(moving):
    _, (x, t), (_, tn) = moving
    first, second, none, across = evaluate([(t**3).d(t), (t**3).d2(t), (t**3).d(x), (x**3).d(t)], min_consecutive=None)
    close(first.reshape(-1), 3 * tn[:, 0] ** 2)
    close(second.reshape(-1), 6 * tn[:, 0])
    np.testing.assert_array_equal(none, np.zeros_like(none))
    np.testing.assert_array_equal(across, np.zeros_like(across))


def test_time_derivative_at_the_initial_time(moving):
    domain = moving[0]
    x, t = domain.variable("initial")
    xn = coordinates(domain, "initial")[0]
    u = jno.np.sin(3 * t) * x**2 + t**2 * x
    close(evaluate(u.d(t))[0, :, 0], 3 * xn**2)


def test_time_derivative_with_the_time_of_another_tag_is_refused(moving):
    domain, (_, t), _ = moving
    x0, t0 = domain.variable("initial")
    with pytest.raises(ValueError, match="__time_initial__"):
        evaluate((x0 * t0).d(t))
