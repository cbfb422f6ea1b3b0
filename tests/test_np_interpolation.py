"""Tables as expressions of the coordinates: values and derivatives against SciPy, Matplotlib and exact functions."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import coordinates, evaluate
from scipy.interpolate import CubicSpline, RegularGridInterpolator
from shapely.geometry import box

import jno

TABLE = np.array([0.0, 0.1, 0.35, 0.5, 0.8, 1.0])
VALUES = np.sin(3 * TABLE)


@pytest.fixture
def line():
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior", sample=(9, "sobol"))
    return domain, x, coordinates(domain, "interior")[0][:, None]


@pytest.fixture
def square():
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior", sample=(12, "sobol"))
    points = np.stack(coordinates(domain, "interior"), axis=1)
    return domain, x, y, points


def test_piecewise_linear_is_numpys(line):
    _, x, p = line
    k = jno.np.interp(2 * x - 0.5, TABLE, VALUES)  # both ends of the table lie within
    value, slope, curvature = evaluate([k, k.d(x), k.d2(x)])
    at = 2 * p - 0.5
    np.testing.assert_allclose(value[0], np.interp(at, TABLE, VALUES), rtol=2e-6, atol=1e-6)
    slopes = np.concatenate([[0.0], np.diff(VALUES) / np.diff(TABLE), [0.0]])
    np.testing.assert_allclose(slope[0], 2 * slopes[np.searchsorted(TABLE, at, side="right")], rtol=1e-5)
    np.testing.assert_array_equal(curvature[0], 0)


def test_cubic_spline_is_scipys(line):
    _, x, p = line
    k = jno.np.interp(x, TABLE, VALUES, method="cubic")
    reference = CubicSpline(TABLE, VALUES)
    u = jno.np.sin(x)
    value, slope, curvature, flux = evaluate([k, k.d(x), k.d2(x), (k * u.d(x)).d(x)])
    np.testing.assert_allclose(value[0], reference(p), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope[0], reference(p, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(curvature[0], reference(p, 2), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(flux[0], reference(p, 1) * np.cos(p) - reference(p) * np.sin(p), rtol=1e-4, atol=1e-5)


def test_slope_at_the_points_of_the_table():
    """To the right of them, and from inside at the end; end values hold outside."""
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    k = jno.np.interp(x, [0.0, 0.5, 1.0], [1.0, 3.0, 4.0])
    values = evaluate([k.d(x), jno.np.interp(x, [0.25, 0.75], [1.0, 2.0])])
    np.testing.assert_allclose(values[0][0, :, 0], [4.0, 2.0, 2.0])
    np.testing.assert_allclose(values[1][0, :, 0], [1.0, 1.5, 2.0])


def test_material_law_of_the_solution(line):
    """``k(u)``: the chain rule goes through the table."""
    _, x, p = line
    u = x**2
    slope = evaluate(jno.np.interp(u, TABLE, VALUES, method="cubic").d(x))[0]
    np.testing.assert_allclose(slope, CubicSpline(TABLE, VALUES)(p**2, 1) * 2 * p, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_grid_in_the_plane_is_scipys(square, method):
    _, x, y, points = square
    ys = np.linspace(-0.5, 1.0, 5)
    values = np.sin(2 * TABLE[:, None] + ys)
    k = jno.np.interpn([x, y], [TABLE, ys], values, method=method)
    value, along_x, along_y = evaluate([k, k.d(x), k.d(y)])
    reference = RegularGridInterpolator((TABLE, ys), values, method=method)
    np.testing.assert_allclose(value[0, :, 0], reference(points), rtol=1e-5, atol=1e-5)
    step = 1e-5
    for column, slope in enumerate((along_x, along_y)):
        shift = step * np.eye(2)[column]
        numeric = (reference(points + shift) - reference(points - shift)) / (2 * step)
        np.testing.assert_allclose(slope[0, :, 0], numeric, rtol=1e-3, atol=1e-3)


def test_vectors_on_a_grid_in_space(tmp_path):
    domain = jno.domain.cube(mesh_size=0.5)
    x, y, z, _ = domain.variable("interior", sample=(6, "sobol"))
    points = np.stack(coordinates(domain, "interior"), axis=1)
    grid = np.linspace(0, 1, 3)
    a, b, c = np.meshgrid(grid, grid, grid, indexing="ij")
    values = np.stack([a * b * c, a - b + 2 * c], axis=-1)
    np.savez(tmp_path / "k.npz", x=grid, y=grid, z=grid, values=values)
    k = jno.np.interpn([x, y, z], tmp_path / "k.npz")
    value, slope = evaluate([k, k.d(z)])
    px, py, pz = points.T
    np.testing.assert_allclose(value[0], np.stack([px * py * pz, px - py + 2 * pz], axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope[0], np.stack([px * py, 2 + 0 * px], axis=1), rtol=1e-5, atol=1e-6)


def test_nodal_values_on_a_mesh(square):
    tri = pytest.importorskip("matplotlib.tri")
    domain, x, y, points = square
    nodes = np.asarray(domain.points)
    values = np.sin(3 * nodes[:, 0] * nodes[:, 1])
    k, plane = domain.interpolate(values), domain.interpolate(np.stack([nodes @ [2.0, -3.0], nodes[:, 0]], axis=1))
    value, along_x, along_y, linear, slope = evaluate([k, k.d(x), k.d(y), plane, plane.d(y)])
    mesh = tri.Triangulation(*nodes.T, domain.mesh_connectivity["triangles"])
    reference = tri.LinearTriInterpolator(mesh, values)
    np.testing.assert_allclose(value[0, :, 0], reference(*points.T), rtol=1e-5, atol=1e-6)
    for found, expected in zip((along_x, along_y), reference.gradient(*points.T), strict=True):
        np.testing.assert_allclose(found[0, :, 0], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(linear[0], np.stack([points @ [2.0, -3.0], points[:, 0]], axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slope[0], np.tile([-3.0, 0.0], (12, 1)), atol=1e-5)


def test_nodal_values_on_a_graded_mesh_with_a_hole():
    """Every point is found in its simplex, boundary and corners included: a linear function is exact."""
    pytest.importorskip("gmsh")
    domain = jno.domain.rectangle_with_hole(mesh_size=0.2)
    nodes = np.asarray(domain.points)
    domain.variable("interior")
    k = domain.interpolate(nodes @ [2.0, -3.0] + 1)
    x, y, _ = domain.variable("boundary")
    at = np.stack(coordinates(domain, "boundary"), axis=1)
    np.testing.assert_allclose(evaluate(k)[0, :, 0], nodes @ [2.0, -3.0] + 1, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(evaluate(k(x, y))[0, :, 0], at @ [2.0, -3.0] + 1, rtol=1e-5, atol=1e-5)


def test_nodal_values_from_files(square, tmp_path):
    meshio = pytest.importorskip("meshio")
    domain, _, _, _ = square
    nodes = np.asarray(domain.points)
    values = nodes[:, 0] ** 2
    expected = evaluate(domain.interpolate(values))
    np.save(tmp_path / "k.npy", values)
    cells = len(nodes) - 1 - np.asarray(domain.mesh_connectivity["triangles"])  # the file counts from the last node
    data = {"k": values[::-1], "other": values}
    meshio.Mesh(np.c_[nodes, 0 * values][::-1], [("triangle", cells)], point_data=data).write(tmp_path / "k.vtu")
    np.testing.assert_array_equal(evaluate(domain.interpolate(tmp_path / "k.npy")), expected)
    np.testing.assert_array_equal(evaluate(domain.interpolate(str(tmp_path / "k.vtu"), field="k")), expected)
    with pytest.raises(ValueError, match=r"field=None, and the file has \['k', 'other'\]"):
        domain.interpolate(tmp_path / "k.vtu")
    with pytest.raises(ValueError, match="no point at some nodes of this domain's mesh"):
        jno.domain.rect(mesh_size=0.2).interpolate(tmp_path / "k.vtu", field="k")


@pytest.mark.parametrize("kind", ["grid", "mesh"])
def test_one_table_per_sample_is_differentiated(kind):
    """Operator learning with coefficients of its own for every sample: as many values as points, and no fault."""
    domain = 2 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    p = np.linspace(0, 1, 5)
    tables = np.stack([1 + p, 2 - 3 * p])
    data = domain.variable("k", tables[:, None, :, None])
    k = jno.np.interp(x, p, data) if kind == "grid" else domain.interpolate(data)
    value, flux = evaluate([k, (k * (x**2).d(x)).d(x)])
    np.testing.assert_allclose(value[..., 0], tables, rtol=1e-6)
    np.testing.assert_allclose(flux[..., 0], np.stack([2 + 4 * p, 4 - 12 * p]), rtol=1e-5, atol=1e-5)


def test_trainable_table(line):
    _, x, _ = line
    table = jno.np.parameter((3,)).optimizer(optax.adam(0.1))
    table.initialize(jnp.zeros(3))
    k = jno.np.interp(x, [0.0, 0.5, 1.0], table)
    core = jno.core([(k - jno.np.interp(x, [0.0, 0.5, 1.0], [1.0, 3.0, 2.0])).mse])
    core.solve(300)
    np.testing.assert_allclose(np.ravel(core.eval(table)), [1.0, 3.0, 2.0], atol=0.05)


BAD = [
    (lambda x, d: jno.np.interp(x, [0.0, 0.0, 1.0], [1, 2, 3]), ValueError, "at least 2 increasing numbers"),
    (lambda x, d: jno.np.interp(x, [0.0, 1.0], [1, 2, 3]), ValueError, r"values of shape \(3,\) do not fit axes"),
    (lambda x, d: jno.np.interp(x, [0.0, 1.0], [1, np.nan]), ValueError, "not finite"),
    (lambda x, d: jno.np.interp(x, [0.0, 1.0], [1, 2], method="spline"), ValueError, "allowed are 'linear', 'cubic'"),
    (lambda x, d: jno.np.interp(x, [0.0, 1.0], [1, 2], method="cubic"), ValueError, "at least 4 increasing numbers"),
    (
        lambda x, d: jno.np.interp(x, [0.0, 2.0, 1.0], [1, 2, 3]),
        ValueError,
        r"\[0. 2. 1.\]. Sort the rows of",
    ),
    (lambda x, d: jno.np.interp(x, [0.0, 1.0, 1.0], [1, 2, 3]), ValueError, "twice: take the mean of their values"),
    (lambda x, d: jno.np.interp(x, np.arange(99.0)[::-1], np.ones(99)), ValueError, r"\[98. 97. ...  1.  0.\]. Sort"),
    (lambda x, d: jno.np.interp(x, x, [1, 2]), TypeError, "arrays of numbers, not expressions"),
    (lambda x, d: jno.np.interp(x, TABLE, d.variable("k", VALUES), method="cubic"), ValueError, "fitted now"),
    (lambda x, d: jno.np.interp(x, ["a", "b"], [1, 2]), TypeError, "table of numbers"),
    (lambda x, d: jno.np.interpn(x, [TABLE], VALUES), TypeError, "list of coordinates"),
    (lambda x, d: jno.np.interpn([x, x], [TABLE], VALUES), ValueError, "2 coordinates and 1 axes"),
    (lambda x, d: jno.np.interpn([x], [TABLE]), ValueError, "needs the values"),
    (lambda x, d: jno.np.interpn([x], "k.csv"), ValueError, r"reads \.npz files"),
    (lambda x, d: jno.core([jno.np.interp(x, [0.0, 1.0], x)]), ValueError, "must not depend on points"),
    (lambda x, d: jno.core([jno.np.interp(x, TABLE, d.variable("k", VALUES[:5]))]), ValueError, r"grid has \(6,\)"),
    (lambda x, d: jno.core([d.interpolate(d.variable("k", VALUES[:5]))]), ValueError, "mesh has 3 nodes"),
    (lambda x, d: d.interpolate([1.0, 2.0]), ValueError, "each of the 3 nodes .*RBFInterpolator"),
    (lambda x, d: d.interpolate([1.0, 2.0, np.inf]), ValueError, "not finite"),
    (lambda x, d: d.interpolate([1.0, 2.0, 3.0], field="k"), ValueError, "names the data of a mesh file"),
    (lambda x, d: d.interpolate([1.0, 2.0, 3.0], tag="nowhere"), ValueError, "nowhere"),
    (
        lambda x, d: jno.domain.csg.from_regions({"a": box(0, 0, 1, 1)}).interpolate([1.0]),
        ValueError,
        r"build_mesh\(\)",
    ),
]


@pytest.mark.parametrize(("build", "error", "match"), BAD)
def test_what_is_no_table_is_refused(line, build, error, match):
    domain, x, _ = line
    with pytest.raises(error, match=match):
        build(x, domain)
