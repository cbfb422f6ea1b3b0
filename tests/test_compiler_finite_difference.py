"""Finite-difference schemes in expressions: the stencils of `DifferentialOperators`, evaluated at the mesh nodes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import FD, FD_SCHEMES, FRONT, WAVE, coordinates, evaluate, mlp, square_fields, unit_square

import jno
from jno import DifferentialOperators as Operators
from jno.differential_operators import hessian_stencil, laplacian_stencil
from jno.utils import ad_mode

FULL = [(i, i, j, j) for i in range(2) for j in range(2)]


@pytest.fixture(scope="module")
def square():
    """A fine mesh: domain, variables, interior coordinates."""
    return square_fields(0.05)


def inside(points):
    """Points away from the boundary, where second-order stencils are accurate."""
    return np.all([(p > 0.11) & (p < 0.89) for p in points], axis=0)


def relative(actual, expected, where):
    return np.linalg.norm((actual - expected)[where]) / np.linalg.norm(expected[where])


@pytest.mark.parametrize("scheme", FD_SCHEMES)
def test_schemes_in_two_dimensions(square, scheme):
    _, (x, y), points = square
    u = WAVE.build(jno.np, x, y)
    where = inside(points)
    fx, fy = WAVE.first(*points)
    xx, _, yy = WAVE.second(*points)
    ux, uy, grad, laplacian, hessian = evaluate(
        [
            u.d(x, scheme),
            u.diff(y, scheme),
            u.grad(x, y, scheme=scheme),
            u.laplacian(x, y, scheme=scheme),
            u.hessian(x, y, scheme=scheme),
        ]
    )
    n = where.size
    assert (ux.shape, grad.shape, laplacian.shape) == ((1, n, 1), (1, n, 2), (1, n, 1))
    assert hessian.shape == (1, n, 2, 2)
    assert relative(ux[0, :, 0], fx, where) < 0.01
    assert relative(uy[0, :, 0], fy, where) < 0.01
    np.testing.assert_allclose(grad[0], np.stack([ux[0, :, 0], uy[0, :, 0]], -1), atol=1e-5)
    assert relative(laplacian[0, :, 0], xx + yy, where) < 0.005
    assert relative(hessian[0], WAVE.hessian(*points), where) < 0.01
    np.testing.assert_array_equal(hessian, np.swapaxes(hessian, -1, -2))


SCALARS_TOO = (FD, f"{FD}:cotangent")
"""Schemes whose scalar targets are not left to the slow tests."""
TARGETS = [
    *[pytest.param(scheme, True, id=f"{scheme}-vector") for scheme in FD_SCHEMES],
    *[
        pytest.param(scheme, False, id=f"{scheme}-scalar", marks=[] if scheme in SCALARS_TOO else [pytest.mark.slow])
        for scheme in FD_SCHEMES
    ],
]


@pytest.mark.parametrize(("scheme", "vector"), TARGETS)
def test_operators_and_targets_of_every_scheme(square, scheme, vector):
    """All nodes count, those on the boundary too; errors of a mesh of 20 cells per axis."""
    _, (x, y), points = square
    fields = (WAVE, FRONT) if vector else (WAVE,)
    parts = [f.build(jno.np, x, y) for f in fields]
    u = jno.np.concat(parts) if vector else parts[0]
    names = {
        "d": u.d(x, scheme),
        "d2": u.d2(y, scheme),
        "laplacian": u.laplacian(x, y, scheme=scheme),
        "hessian": u.hessian(x, y, scheme=scheme),
        "grad": u.grad(x, y, scheme=scheme),
        "jacobian": jno.np.jacobian(u, [y, x], scheme=scheme),
    }
    values = dict(zip(names, evaluate(list(names.values())), strict=True))
    first = np.stack([np.stack(f.first(*points), -1) for f in fields], axis=1)
    hessian = np.stack([f.hessian(*points) for f in fields], axis=1)
    exact = {
        "d": first[..., 0],
        "d2": hessian[..., 1, 1],
        "laplacian": np.trace(hessian, axis1=-2, axis2=-1),
        "hessian": hessian,
        "grad": first,
        "jacobian": first[..., ::-1],
    }
    for name, value in values.items():
        wanted = exact[name] if vector or name in ("d", "d2", "laplacian") else exact[name][:, 0]
        assert value.shape == (1, *wanted.shape), name
        second_order = name in ("d2", "laplacian", "hessian")
        assert np.linalg.norm(value[0] - wanted) / np.linalg.norm(wanted) < (0.03 if second_order else 0.01), name


@pytest.mark.parametrize("scheme", [s for s in FD_SCHEMES if "cotangent" in s])
def test_partial_second_derivatives_of_the_cotangent_scheme_add_up(square, scheme):
    _, (x, y), _ = square
    u = WAVE.build(jno.np, x, y)
    whole, xx, yy = evaluate([u.laplacian(x, y, scheme=scheme), u.d2(x, scheme), u.d2(y, scheme)])
    np.testing.assert_allclose(xx + yy, whole, atol=2e-3 * np.abs(whole).max())


@pytest.mark.parametrize("scheme", ["finite_difference:foo", "finite_difference:", "finite-difference", "fd"])
def test_unknown_schemes_are_refused_where_they_are_written(square, scheme):
    _, (x, y), _ = square
    u = x * y
    for build in (
        lambda: u.d(x, scheme),
        lambda: u.d2(x, scheme),
        lambda: u.grad(x, y, scheme=scheme),
        lambda: u.laplacian(x, y, scheme=scheme),
        lambda: u.hessian(x, y, scheme=scheme),
        lambda: jno.np.jacobian(u, [x, y], scheme=scheme),
    ):
        with pytest.raises(ValueError, match=r"Unknown scheme.*finite_difference:lsq.*finite_difference:cotangent"):
            build()


def test_the_scheme_of_a_call_precedes_the_modes_of_the_process(square):
    _, (x, y), _ = square
    u = WAVE.build(jno.np, x, y)
    before = evaluate([u.d(x, FD), u.hessian(x, y, scheme=FD)])
    ad_mode.set_ad_mode("forward")
    ad_mode.set_hessian_mode("rev-over-rev")
    for value, expected in zip(evaluate([u.d(x, FD), u.hessian(x, y, scheme=FD)]), before, strict=True):
        np.testing.assert_array_equal(value, expected)
    automatic = evaluate([u.d(x), u.hessian(x, y)])
    assert not np.array_equal(automatic[0], before[0])
    assert relative(before[1][0], automatic[1][0], slice(None)) < 0.03


@pytest.mark.parametrize("scheme", [s for s in FD_SCHEMES if "cotangent" not in s])
def test_second_derivative_is_the_laplacian_of_one_variable(square, scheme):
    _, (x, y), points = square
    u = WAVE.build(jno.np, x, y)
    d2, dd, laplacian = evaluate([u.d2(x, scheme), u.dd(y, scheme), u.laplacian(x, scheme=scheme)])
    np.testing.assert_array_equal(d2, laplacian)
    where = inside(points)
    xx, _, yy = WAVE.second(*points)
    assert relative(d2[0, :, 0], xx, where) < 0.004
    assert relative(dd[0, :, 0], yy, where) < 0.016


@pytest.mark.parametrize(
    ("scheme", "gradient", "laplacian"),
    [
        (FD, "area_weighted", "gradient_of_gradient"),
        (f"{FD}:lsq", "least_squares", "lsq_of_gradient"),
        (f"{FD}:uniform", "uniform", "gradient_of_gradient"),
        (f"{FD}:inverse_distance", "inverse_distance", "gradient_of_gradient"),
        (f"{FD}:cotangent", "area_weighted", "cotangent"),
    ],
)
def test_schemes_are_those_of_the_operators(scheme, gradient, laplacian):
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    mesh = domain.mesh_connectivity
    points, triangles = np.asarray(mesh["points"]), np.asarray(mesh["triangles"])
    nodal = jnp.asarray(WAVE.build(np, *points.T))
    u = WAVE.build(jno.np, x, y)
    slope, second = evaluate([u.d(y, scheme), u.laplacian(x, y, scheme=scheme)])
    expected = Operators.compute_fd_gradient_2d_simple(nodal, points, triangles, 1, gradient)
    where = _node_ids(domain, "interior")
    np.testing.assert_allclose(slope[0, :, 0], np.asarray(expected)[where], rtol=1e-4, atol=1e-5)
    expected = laplacian_stencil(points, triangles, (0, 1), laplacian, gradient).apply(nodal)
    np.testing.assert_allclose(second[0, :, 0], np.asarray(expected)[where], rtol=1e-3, atol=1e-3)


def _node_ids(domain, tag):
    points = np.asarray(domain.mesh_connectivity["points"])
    sampled = np.asarray(domain.context[tag])[0, 0]
    return np.argmin(((sampled[:, None] - points[None]) ** 2).sum(-1), axis=1)


def test_sampled_points_take_the_values_of_their_nodes(square):
    domain = unit_square(0.1)
    x, y, _ = domain.variable("interior", sample=(7, None))
    all_x, all_y, _ = domain.variable("interior")
    everywhere = evaluate(WAVE.build(jno.np, all_x, all_y).laplacian(all_x, all_y, scheme=FD))[0, :, 0]
    some = evaluate(WAVE.build(jno.np, x, y).laplacian(x, y, scheme=FD))[0, :, 0]
    nodes = _node_ids(domain, all_x.tag)
    lookup = dict(zip(nodes, everywhere, strict=True))
    np.testing.assert_allclose(some, [lookup[i] for i in _node_ids(domain, x.tag)], rtol=1e-4, atol=1e-5)


def test_affine_fields_are_exact(square):
    _, (x, y), _ = square
    for scheme in FD_SCHEMES:
        value = evaluate((3 * x - 2 * y + 1).grad(x, y, scheme=scheme))
        np.testing.assert_allclose(value[0], np.broadcast_to([3.0, -2.0], value[0].shape), atol=2e-4)


@pytest.mark.parametrize("scheme", FD_SCHEMES)
def test_schemes_in_one_dimension(scheme):
    domain = jno.domain.line(mesh_size=0.02)
    x, _ = domain.variable("interior")
    (xn,) = coordinates(domain, "interior")
    u = jno.np.sin(3 * x)
    first, second, matrix = evaluate([u.d(x, scheme), u.d2(x, scheme), u.hessian(x, scheme=scheme)])
    where = inside((xn,))
    assert relative(first[0, :, 0], 3 * np.cos(3 * xn), where) < 0.002
    assert relative(second[0, :, 0], -9 * np.sin(3 * xn), where) < 0.003
    assert matrix.shape == (1, xn.size, 1, 1)
    assert relative(matrix[0, :, 0, 0], -9 * np.sin(3 * xn), where) < 0.003


@pytest.mark.parametrize("scheme", [s for s in FD_SCHEMES if "cotangent" not in s])
def test_schemes_in_three_dimensions(scheme):
    domain = jno.domain.cube(mesh_size=0.2)
    x, y, z, _ = domain.variable("interior")
    points = coordinates(domain, "interior")
    u = jno.np.sin(x) * jno.np.cos(y) * z
    xn, yn, zn = points
    gradient, laplacian, hessian = evaluate(
        [
            u.grad(x, y, z, scheme=scheme),
            u.laplacian(x, y, z, scheme=scheme),
            u.hessian(x, y, z, scheme=scheme),
        ]
    )
    where = np.all([(p > 0.2) & (p < 0.8) for p in points], axis=0)
    exact = np.stack([np.cos(xn) * np.cos(yn) * zn, -np.sin(xn) * np.sin(yn) * zn, np.sin(xn) * np.cos(yn)], -1)
    assert relative(gradient[0], exact, where) < 0.05
    assert relative(laplacian[0, :, 0], -2 * np.sin(xn) * np.cos(yn) * zn, where) < 0.04
    assert hessian.shape == (1, xn.size, 3, 3)
    assert relative(hessian[0, :, 0, 2], np.cos(xn) * np.cos(yn), where) < 0.05


def test_networks_and_vector_targets(square):
    _, (x, y), points = square
    u = mlp(2, 2)(x, y)
    where = inside(points)
    cases = [
        (u.d(x, FD), u.d(x)),
        (u.laplacian(x, y, scheme=FD), u.laplacian(x, y)),
        (u.hessian(x, y, scheme=FD), u.hessian(x, y)),
        (u.grad(x, y, scheme=FD), u.grad(x, y)),
        (u[..., 1:2].d(y, FD), u[..., 1:2].d(y)),
        (u[..., 1].d(y, FD), u[..., 1].d(y)),
    ]
    values = evaluate([node for pair in cases for node in pair])
    for stencil, exact in zip(values[::2], values[1::2], strict=True):
        assert stencil.shape == exact.shape
        assert relative(stencil[0], exact[0], where) < 0.004


def test_nested_finite_differences(square):
    _, (x, y), points = square
    u = WAVE.build(jno.np, x, y)
    where = inside(points)
    mixed, flux = evaluate([u.d(x, FD).d(y, FD), ((1 + x) * u.d(x, FD)).d(x, FD)])
    xx, xy, _ = WAVE.second(*points)
    fx, _ = WAVE.first(*points)
    assert relative(mixed[0, :, 0], xy, where) < 0.02
    assert relative(flux[0, :, 0], (1 + points[0]) * xx + fx, where) < 0.007


def test_hessian_of_a_network_can_be_trained_on():
    """The gradient is that of the same stencil on the values of the module at all nodes."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    gradient = evaluate((net(x, y).hessian(x, y, scheme=FD) ** 2).mean.grad(net))
    nodes = np.asarray(domain.mesh_connectivity["points"])
    stencil = hessian_stencil(nodes, np.asarray(domain.mesh_connectivity["triangles"]), FULL)

    @eqx.filter_jit
    @eqx.filter_grad
    def expected(module):
        return jnp.mean(stencil.apply(module(jnp.asarray(nodes, jnp.float32))[:, 0]) ** 2)

    leaves = np.concatenate([np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(expected(net.module))])
    np.testing.assert_allclose(gradient.reshape(-1), leaves, atol=1e-4 * np.abs(leaves).max())


def test_time_derivatives_are_central_differences():
    domain = jno.domain.line(mesh_size=0.25, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    (xn,) = coordinates(domain, "interior")
    tn = np.linspace(0, 1, 3)[:, None]
    u = jno.np.sin(2 * t) * x + t
    value = evaluate(u.d(t, FD), min_consecutive=None)
    assert value.shape == (1, 3, 5, 1)
    np.testing.assert_allclose(value[0, ..., 0], 2 * np.cos(2 * tn) * xn + 1, atol=1e-3)


def test_second_time_derivative_in_double_precision():
    with jax.enable_x64(True):
        domain = jno.domain.line(mesh_size=0.25, time=(0.0, 1.0, 3))
        x, t = domain.variable("interior")
        (xn,) = coordinates(domain, "interior")
        tn = np.linspace(0, 1, 3)[:, None]
        u = jno.np.sin(2 * t) * x
        twice, nested = evaluate([u.d2(t, FD), u.d(t, FD).d(t, FD)], min_consecutive=None)
    np.testing.assert_allclose(twice[0, ..., 0], -4 * np.sin(2 * tn) * xn, atol=1e-5)
    np.testing.assert_allclose(nested[0, ..., 0], -4 * np.sin(2 * tn) * xn, atol=1e-5)


def test_space_derivatives_on_a_time_dependent_mesh():
    domain = jno.domain.line(mesh_size=0.0625, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    (xn,) = coordinates(domain, "interior")
    tn = np.linspace(0, 1, 3)[:, None]
    first, mixed = evaluate([(t * x**2 + t).d(x, FD), (t * x**2).d(x, FD).d(t)], min_consecutive=None)
    where = inside((xn,))
    np.testing.assert_allclose(first[0, ..., 0][:, where], (2 * tn * xn)[:, where], atol=1e-4)
    np.testing.assert_allclose(mixed[0, ..., 0][:, where], np.broadcast_to(2 * xn, (3, xn.size))[:, where], atol=1e-4)


def test_sub_schemes_do_not_apply_to_time():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 2))
    x, t = domain.variable("interior")
    with pytest.raises(ValueError, match=r"mesh sub-schemes do not apply to time.*central difference"):
        evaluate((x * t).d(t, f"{FD}:lsq"))
    with pytest.raises(ValueError, match="time and other variables together"):
        evaluate((x * t).grad(t, x, scheme=FD))


def test_a_mesh_is_needed():
    cloud = jno.domain.from_array({"interior": np.random.default_rng(0).random((6, 2))})
    x, y, _ = cloud.variable("interior")
    bare = jno.domain.rect(mesh_size=0.5, compute_mesh_connectivity=False)
    a, b, _ = bare.variable("interior")
    for node in ((x * y).d(x, FD), (x * y).laplacian(x, y, scheme=FD), (a * b).hessian(a, b, scheme=FD)):
        with pytest.raises(ValueError, match="requires a domain with mesh connectivity"):
            evaluate(node)


def test_targets_without_one_value_per_node():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    xb, _, _ = domain.variable("boundary")
    with pytest.raises(ValueError, match=r"one value per mesh node \(9\)"):
        evaluate((x * y).mean.d(x, FD))
    with pytest.raises(ValueError, match=r"points of \['boundary'\] besides 'interior'"):
        evaluate((x * xb.mean).d(x, FD))


def test_variables_of_another_tag():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    xb, _, _ = domain.variable("boundary")
    with pytest.raises(ValueError, match=r"points of \['interior'\] besides 'boundary'"):
        evaluate((x * y).d(xb, FD))


def test_normal_derivatives_are_refused():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("boundary")
    n = domain.variable("boundary", normals=True)
    with pytest.raises(ValueError, match="finite differences take spatial coordinates"):
        evaluate((x * y).d(n, FD))
