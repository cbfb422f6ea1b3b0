"""Merged domains: every row integrates over, and differentiates on, a mesh of its own."""

import numpy as np
import optax
import pytest
from helpers import FD, count_primitive, evaluate, jaxpr_of, mlp
from meshes import disk

import jno
from jno.compiler import Program

# Whole point sets of different size are cut to the smallest, with a warning; integrals run over all points anyway.
pytestmark = pytest.mark.filterwarnings("ignore:The merged domains have")

AREAS = np.array([1.0, 1.0, 3.0])


def merged(first=0.25, second=0.5, time=None):
    """Two rows on the unit square, one on ``[0, 3] × [0, 1]`` with a coarser mesh."""
    square = jno.domain.rect(mesh_size=first, time=time)
    return 2 * square + jno.domain.rect((0.0, 3.0), mesh_size=second, time=time)


def test_every_row_integrates_over_its_own_mesh():
    domain = merged()
    x, y, _ = domain.variable("interior")
    top, _, _, nx, ny = domain.variable("top", normals=True, split=True)
    xb, yb, _, mx, my = domain.variable("boundary", normals=True, split=True)
    nodes = [
        (0 * x + 1).integrate(),
        (x + y).integrate(),
        (0 * top + 1).integrate(),
        (top * ny).integrate(),
        (xb * mx + yb * my).integrate(),
        nx.integrate(),
        (x.d(x) * x).integrate(),
    ]
    sides = np.array([1.0, 1.0, 3.0])
    expected = [AREAS, AREAS * (sides + 1) / 2, sides, sides**2 / 2, 2 * AREAS, 0 * AREAS, AREAS * sides / 2]
    for value, exact in zip(evaluate(nodes), expected, strict=True):
        np.testing.assert_allclose(value, exact, rtol=3e-6, atol=1e-6)


def test_squares_and_disks_together():
    """Shapes with different numbers of nodes: what is added for a common length has no weight and is no NaN."""
    domain = jno.domain.rect(mesh_size=0.5) + disk(0.1) + disk(0.2)
    x, y, _ = domain.variable("interior", sample=(6, None))
    radius = jno.np.sqrt(x**2 + y**2 + 1e-3)
    area = [1.0] + [domain.quadrature("interior", row=row).weights.sum() for row in (1, 2)]
    value, other, log = evaluate([(0 * x + 1).integrate(), x.integrate(), jno.np.log(radius).integrate()])
    np.testing.assert_allclose(value, area, rtol=1e-6)
    np.testing.assert_allclose(other, [0.5, 0.0, 0.0], atol=1e-6)
    for row in range(3):
        rule = domain.quadrature("interior", row=row)
        exact = rule.weights @ (0.5 * np.log(np.sum(rule.points**2, axis=1) + 1e-3))
        assert log[row] == pytest.approx(exact, rel=1e-5)


def test_rows_on_one_geometry_share_everything():
    """``a + a`` and ``3 * a`` evaluate the integral once, ``a + b`` once per row."""
    domain = jno.domain.rect(mesh_size=0.5)
    net = mlp(2)
    sizes = []
    for rows in (3 * domain, domain + domain, domain + jno.domain.rect(mesh_size=0.25)):
        x, y, _ = rows.variable("interior")
        node = (net(x, y) ** 2).integrate()
        jaxpr = jaxpr_of([node], rows)
        assert count_primitive(jaxpr, "dot_general") == 3
        sizes.append(("tensors", "@geometry") in Program([node], rows).data)
    assert sizes == [False, False, True]


def test_user_regions_and_data_of_rows():
    domain = merged()
    domain.tag("half", lambda x, y: y <= 0.5)
    rate = domain.variable("rate", np.array([[1.0], [2.0], [3.0]]))
    x, y, _ = domain.variable("half")
    value, mixed = evaluate([(rate * (0 * x + 1)).integrate(), rate * x + (rate * y).integrate()])
    np.testing.assert_allclose(value, [0.5, 1.0, 4.5], rtol=1e-6)
    points = np.asarray(domain.context["half"])[:, 0, :, :1]
    moment = np.array([1.0, 2.0, 3.0]) * AREAS / 8
    expected = np.array([1.0, 2.0, 3.0])[:, None, None] * points + moment[:, None, None]
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)


def test_kernels_on_rows():
    domain = merged()
    x, y, _ = domain.variable("interior", sample=(4, None))
    a, _, _ = domain.variable("interior")
    value = evaluate((x * a + y).integrate(var=x))
    points = np.asarray(domain.context[x.tag])[:, 0]
    moment = np.array([0.5, 0.5, 4.5])[:, None]
    np.testing.assert_allclose(value[..., 0], points[..., 0] * moment + AREAS[:, None] * points[..., 1], rtol=1e-5)


def test_windows_on_rows():
    domain = merged(time=(0.0, 2.0, 3))
    _, y, t = domain.variable("interior")
    values = evaluate(
        [(t * y).integrate(), (t * y).integrate().integrate(t), (t * y).integrate(t).integrate()], min_consecutive=None
    )
    np.testing.assert_allclose(values[0], AREAS[:, None] / 2 * np.array([0.0, 1.0, 2.0]), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(values[1], np.repeat(AREAS[:, None], 3, axis=1), rtol=1e-6)
    np.testing.assert_allclose(values[2], values[1], rtol=1e-6)


def test_merged_lines_and_cubes():
    lines = jno.domain.line(mesh_size=0.5) + jno.domain.line((0.0, 2.0), mesh_size=0.25)
    x, _ = lines.variable("interior")
    ends, _, n = lines.variable("boundary", normals=True, split=True)
    values = evaluate([x.integrate(), (ends * n).integrate(), (x**2).d(x, scheme="finite_difference").integrate()])
    np.testing.assert_allclose(np.stack(values), [[0.5, 2.0], [1.0, 2.0], [1.0, 4.0]], rtol=1e-5)
    cubes = jno.domain.cube(mesh_size=0.5) + jno.domain.cube((0.0, 2.0), mesh_size=1.0)
    x, y, z, _ = cubes.variable("interior")
    top = cubes.variable("top")
    slope = (2 * x - z).d(z, scheme="finite_difference")
    values = evaluate([(x + y + z).integrate(), (0 * top[0] + 1).integrate(), slope.integrate()])
    np.testing.assert_allclose(np.stack(values), [[1.5, 4.0], [1.0, 2.0], [-1.0, -2.0]], rtol=1e-5)


# --- finite differences ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("scheme", [FD, f"{FD}:lsq", f"{FD}:cotangent"])
def test_differences_use_the_mesh_of_the_row(scheme):
    """Every row of the merged domain gives what its own domain gives alone."""
    parts = [jno.domain.rect(mesh_size=0.125), jno.domain.rect((0.0, 2.0), mesh_size=0.25), disk(0.25)]
    domain = parts[0] + parts[1] + parts[2]

    def operators(owner):
        x, y, _ = owner.variable("interior")
        u = jno.np.sin(2 * x + y) * jno.np.exp(x * y)
        nodes = [u.grad(x, y, scheme=scheme), u.laplacian(x, y, scheme=scheme), u.hessian(x, y, scheme=scheme)]
        return x, [u, *nodes]

    x, nodes = operators(domain)
    values = evaluate(nodes)
    for row, part in enumerate(parts):
        own, own_nodes = operators(part)
        expected = evaluate(own_nodes)
        points, own_points = (np.asarray(d.context[v.tag]) for d, v in ((domain, x), (part, own)))
        match = np.argmin(((points[row, 0][:, None] - own_points[0, 0][None]) ** 2).sum(-1), axis=1)
        for value, exact in zip(values, expected, strict=True):
            np.testing.assert_allclose(value[row], exact[0][match], rtol=1e-3, atol=2e-3 * np.abs(exact).max())


def test_padding_holds_no_derivative():
    """Parameter gradients of a padded row are those of the row alone."""
    coarse, fine = jno.domain.rect(mesh_size=0.5), jno.domain.rect(mesh_size=0.25)
    net = mlp(2)

    def energies(domain):
        x, y, _ = domain.variable("interior")
        u = net(x, y)
        return [(u**2).integrate() + (u.laplacian(x, y, scheme="finite_difference") * x).integrate(), x]

    together = evaluate([energies(coarse + fine)[0].grad(net)][0])
    for row, domain in enumerate((coarse, fine)):
        alone = evaluate(energies(domain)[0].grad(net))
        np.testing.assert_allclose(together[row], alone[0], rtol=2e-3, atol=2e-3 * np.abs(alone).max())


# --- training and evaluation -----------------------------------------------------------------------------------------
def test_batches_of_rows_train_on_their_meshes():
    """``c·area = target`` with one target per row has the solution ``c = 2``, also from batches of two rows."""
    domain = merged()
    target = domain.variable("target", 2 * AREAS[:, None])
    x, _, _ = domain.variable("interior")
    factor = jno.np.parameter((1,))
    factor.optimizer(optax.adam(0.05))
    core = jno.core([((factor * (0 * x + 1)).integrate() - target).mse])
    core.solve(300, batchsize=2)
    assert float(np.ravel(core.eval(factor))[0]) == pytest.approx(2.0, abs=0.02)


def test_evaluation_on_a_merged_domain():
    """Trained on one mesh, evaluated on two."""
    domain = jno.domain.rect(mesh_size=0.5)
    x, _, _ = domain.variable("interior")
    nodes = [(0 * x + 1).integrate(), (x * x).d(x, scheme="finite_difference").integrate()]
    values = jno.core(nodes).eval(nodes, domain=merged())
    np.testing.assert_allclose(values[0], AREAS, rtol=1e-6)
    np.testing.assert_allclose(values[1], [1.0, 1.0, 9.0], rtol=1e-5)


# --- what is refused -------------------------------------------------------------------------------------------------
def test_reductions_inside_padded_integrands_are_refused():
    """A mean would count the copies that give all rows a common length; rows of equal meshes have none."""
    domain = merged()
    x, _, _ = domain.variable("interior")
    with pytest.raises(ValueError, match=r"merged domain with meshes of different size.*use an integral"):
        evaluate((x - x.mean).integrate())
    u = (x - x.mean) ** 2
    with pytest.raises(ValueError, match=r"merged domain with meshes of different size"):
        evaluate(u.laplacian(x, scheme="finite_difference"))
    equal = jno.domain.rect(mesh_size=0.5) + jno.domain.rect((1.0, 2.0), mesh_size=0.5)
    z, _, _ = equal.variable("interior")
    np.testing.assert_allclose(evaluate((z - z.mean).integrate()), [0.0, 0.0], atol=1e-6)
    average = x.integrate() / (0 * x + 1).integrate()
    np.testing.assert_allclose(evaluate((x - average).integrate()), np.zeros(3), atol=1e-5)


def test_rows_without_a_mesh():
    cloud = jno.domain.from_array({"interior": np.random.default_rng(0).random((9, 2))})
    domain = jno.domain.rect(mesh_size=0.5) + cloud
    x, _, _ = domain.variable("interior")
    with pytest.raises(ValueError, match="no mesh_connectivity"):
        evaluate(x.integrate())
    with pytest.raises(ValueError, match="requires a domain with mesh connectivity"):
        evaluate(x.d(x, scheme="finite_difference"))
