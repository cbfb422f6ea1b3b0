"""StableHLO files of networks and expressions: values in a process without jNO, arguments, what is refused."""

import subprocess
import sys

import equinox as eqx
import flax.linen as linen
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export

import jno
from jno.export import ExportedFile

KEY = jax.random.PRNGKey(3)
POINTS = np.random.default_rng(0).uniform(size=(7, 2)).astype(np.float32)

READER = """
import sys
import numpy as np
from jax import export

folder = sys.argv[1]
given = np.load(f"{folder}/expected.npz")
for name, inputs in (("net", ["points"]), ("u", ["x", "y", "t"])):
    with open(f"{folder}/{name}.stablehlo", "rb") as stream:
        function = export.deserialize(bytearray(stream.read()))
    for count in (1, 7):
        values = function.call(*(given[i][:count] for i in inputs))
        for number, value in enumerate(values if isinstance(values, tuple) else [values]):
            expected = given[f"{name}{number}"][:count]
            assert value.shape == expected.shape, (name, value.shape, expected.shape)
            print(name, number, count, float(np.abs(value - expected).max()))
assert not [name for name in sys.modules if name.partition(".")[0] == "jno"]
"""


def mlp(inputs=2, seed=3, **options):
    return foundax.mlp(inputs, hidden_dims=8, num_layers=1, key=jax.random.PRNGKey(seed), **options)


def read(path):
    return export.deserialize(bytearray(path.read_bytes()))


def square(**options):
    domain = jno.domain.rect(mesh_size=0.25, **options)
    return domain, *domain.variable("interior")


def exported(crux, expression, tmp_path):
    """The function of an expression, loaded from its file."""
    return read(crux.export(expression, tmp_path / "expression.stablehlo").path).call


# --- without jNO --------------------------------------------------------------------------------------------------
def test_files_run_in_a_process_that_never_imports_jno(tmp_path):
    _, x, y, t = square(time=(0.0, 1.0, 3))
    net = jno.nn(mlp(3))
    u = net(x, y, t)
    expressions = [u, u.d(t), u.laplacian(x, y)]
    crux = jno.core([(u - x).mse])
    points = np.concatenate([POINTS, POINTS[:, :1] ** 2], axis=1)
    columns = np.split(points, 3, axis=1)
    net.export(tmp_path / "net.stablehlo", np.zeros((2, 3)))
    crux.export(expressions, tmp_path / "u.stablehlo")

    def at(point):
        return net.module(point[None])[0, 0]

    gradient, hessian = jax.jit(jax.vmap(lambda p: (jax.grad(at)(p), jax.hessian(at)(p))))(points)
    value = net.module(points)
    np.savez(
        tmp_path / "expected.npz",
        points=points,
        **dict(zip("xyt", columns, strict=True)),
        net0=value,
        u0=value,
        u1=gradient[:, 2:],
        u2=(hessian[:, 0, 0] + hessian[:, 1, 1])[:, None],
    )
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    errors = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(errors) == 8
    assert max(errors) < 1e-6


def test_files_are_equal_and_hold_no_paths(tmp_path):
    _, x, y, _ = square()
    u = jno.nn(mlp())(x, y)
    crux = jno.core([u.mse])
    first, second = (crux.export(u.d(x), tmp_path / f"{name}.stablehlo").path.read_bytes() for name in "ab")
    assert first == second
    assert b".py" not in first
    assert str(tmp_path).encode() not in first


# --- networks -----------------------------------------------------------------------------------------------------
def test_what_a_network_takes_and_gives(tmp_path):
    file = jno.nn(mlp()).export(tmp_path / "deep" / "net.stablehlo", POINTS)
    assert isinstance(file, ExportedFile)
    assert (file.format, file.inputs, file.outputs) == ("stablehlo", ("input float32[n,2]",), ("float32[n,1]",))
    assert str(file) == f"{file.path}: (input float32[n,2]) -> (float32[n,1])"
    with pytest.raises(ValueError, match="Shape mismatch for args"):
        read(file.path).call(POINTS[:, :1])


class Single(eqx.Module):
    """Takes the coordinates of one point and gives a number; dropout when it trains."""

    linear: eqx.nn.Linear
    dropout: eqx.nn.Dropout

    def __init__(self):
        self.linear = eqx.nn.Linear(2, "scalar", key=KEY)
        self.dropout = eqx.nn.Dropout(0.5)

    def __call__(self, point, key=None):
        return self.linear(self.dropout(point, key=key))


def changed(kind):
    model = jno.nn(mlp())
    if kind == "constrained":
        return model.constrain(jnp.tanh)
    if kind == "adapted":
        return model.freeze().lora(rank=2, alpha=3.0)
    if kind == "half":
        return model.dtype(jnp.bfloat16)
    if kind == "loaded":
        return model.initialize(mlp(seed=9))
    return jno.nn(Single())


@pytest.mark.parametrize("kind", ["constrained", "adapted", "half", "loaded", "single points"])
def test_networks_are_exported_as_a_core_calls_them(kind, tmp_path):
    domain, x, y, _ = square()
    model = changed(kind)
    # before any core: what waits for one is served
    first = read(model.export(tmp_path / "net.stablehlo", POINTS).path)
    if kind == "adapted":
        model.module = eqx.tree_at(lambda m: m.output_layer.B, model.module, jnp.ones_like(model.module.output_layer.B))
    u = model(jno.np.concat([x, y]))
    crux = jno.core([u.mse])
    after = read(model.export(tmp_path / "net.stablehlo", POINTS).path)
    assert after.nr_devices == 1
    points = np.asarray(domain.context["interior"][0, 0], dtype=np.float32)
    expected = crux.eval(u)[0]
    value = after.call(points)
    assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(
        value.astype(np.float32), expected.astype(np.float32), atol=2e-3 if kind == "half" else 1e-6
    )
    if kind != "adapted":
        np.testing.assert_array_equal(first.call(points), value)
    if kind == "loaded":
        np.testing.assert_allclose(value, mlp(seed=9)(points), atol=1e-6)
    if kind == "constrained":
        plain = jax.tree_util.tree_map(lambda leaf: jnp.tanh(leaf) if eqx.is_inexact_array(leaf) else leaf, mlp())
        np.testing.assert_allclose(value, plain(points), atol=1e-6)


class Product(eqx.Module):
    """Points ``(N, 2)`` times a row ``(2,)``, summed: an operator network in small."""

    def __call__(self, row, points):
        return jnp.sum(row * points, axis=-1, keepdims=True)


class Mixing(eqx.Module):
    """Subtracts the mean over the rows."""

    def __call__(self, points):
        return points - jnp.mean(points, axis=0)


def test_rows_and_arrays_of_fixed_shape(tmp_path):
    row = np.array([2.0, -1.0], dtype=np.float32)
    file = jno.nn(Product()).export(tmp_path / "net.stablehlo", [row, POINTS[:1]])
    assert file.inputs == ("input_0 float32[2]", "input_1 float32[n,2]")
    np.testing.assert_allclose(read(file.path).call(row, POINTS), POINTS @ row[:, None], rtol=1e-6)
    file = jno.nn(Product()).export(tmp_path / "net.stablehlo", (POINTS[:1], POINTS[:3]), polymorphic=[False, True])
    assert file.inputs == ("input_0 float32[1,2]", "input_1 float32[n,2]")
    file = jno.nn(Mixing()).export(tmp_path / "net.stablehlo", POINTS, polymorphic=False)
    assert file.inputs == ("input float32[7,2]",)
    np.testing.assert_allclose(read(file.path).call(POINTS), POINTS - POINTS.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (POINTS, {}, "mixes the rows of its input .*; polymorphic=False exports it for the shapes of sample_inputs"),
        (POINTS[:1], {}, "mixes the rows of its input"),
        (POINTS[0], {}, r"sample_inputs of shape \(2,\): none has an axis of rows, \(N, D\)"),
        ([], {}, "sample_inputs is empty; give one array per argument of the network"),
        (POINTS[:0], {}, "arrays with rows need the same number of them, at least one"),
        ([POINTS, POINTS[:2]], {}, r"\(7, 2\), \(2, 2\): arrays with rows need the same number of them"),
        (POINTS, {"polymorphic": [True, False]}, "one flag per array is needed"),
        (np.float32(1.0), {"polymorphic": [True]}, "True only where there is a leading axis"),
    ],
)
def test_samples_that_do_not_fit(samples, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        jno.nn(Mixing()).export(tmp_path / "net.stablehlo", samples, **options)
    assert not list(tmp_path.iterdir())


def test_samples_are_arrays(tmp_path):
    with pytest.raises(TypeError, match="a list of arrays, one per argument; entry 0 is list"):
        jno.nn(mlp()).export(tmp_path / "net.stablehlo", [[0.0, 1.0]])


class Dense(linen.Module):
    """One layer of Flax Linen."""

    @linen.compact
    def __call__(self, points):
        return linen.Dense(1)(points)


def test_linen_modules_need_weights(tmp_path):
    net = jno.nn(Dense(), name="dense")
    path = tmp_path / "net.stablehlo"
    with pytest.raises(ValueError, match="dense has no weights yet: build a core with it"):
        net.export(path, POINTS)
    _, x, y, _ = square()
    jno.core([net(jno.np.concat([x, y])).mse])
    kernel = net.module.variables["params"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(read(net.export(path, POINTS).path).call(POINTS), POINTS @ kernel, atol=1e-6)
    again = jno.nn(Dense()).initialize(net.module)
    np.testing.assert_allclose(read(again.export(path, POINTS).path).call(POINTS), POINTS @ kernel, atol=1e-6)


# --- formats ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("net.pb", {}, "the suffix '.pb' names no format; write the file as .stablehlo or .onnx"),
        ("net", {}, "the suffix '' names no format"),
        ("net.pb", {"format": "tflite"}, r"export\(format='tflite'\): allowed are 'stablehlo', 'onnx'"),
        ("net.onnx", {"platforms": ["cpu"]}, "belongs to the format 'stablehlo'; a file of 'onnx' runs anywhere"),
        ("net.stablehlo", {"platforms": ["gpu"]}, "a selection of 'cpu', 'cuda', 'rocm', 'tpu' is needed"),
        ("net.stablehlo", {"platforms": []}, "a selection of 'cpu', 'cuda', 'rocm', 'tpu' is needed"),
    ],
)
def test_unknown_formats_and_platforms(name, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        jno.nn(mlp()).export(tmp_path / name, POINTS, **options)


@pytest.mark.parametrize(
    ("platforms", "lowered"), [(None, ("cpu", "cuda", "tpu")), (["rocm"], ("rocm",)), ("cpu", ("cpu",))]
)
def test_platforms(platforms, lowered, tmp_path):
    file = jno.nn(mlp()).export(tmp_path / "net.bin", POINTS, format="stablehlo", platforms=platforms)
    assert read(file.path).platforms == lowered


@pytest.mark.parametrize(("name", "package"), [("net.onnx", "jax2onnx"), ("net.stablehlo", "flatbuffers")])
def test_missing_extras(name, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"files need {package}: pip install 'jno-jax\[export\]'"):
        jno.nn(mlp()).export(tmp_path / name, POINTS)


class Calling(eqx.Module):
    """Calls back to NumPy."""

    def __call__(self, points):
        shape = jax.ShapeDtypeStruct(points.shape, points.dtype)
        return jax.pure_callback(np.sin, shape, points, vmap_method="expand_dims")


def test_a_failed_export_leaves_the_file_alone(tmp_path):
    path = tmp_path / "net.stablehlo"
    jno.nn(mlp()).export(path, POINTS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"host cannot be exported for cpu, cuda, tpu: .* stay in this process"):
        jno.nn(Calling(), name="host").export(path, POINTS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_primitive_that_one_platform_lacks(tmp_path):
    class Eigenvalues(eqx.Module):
        def __call__(self, rows):
            return jnp.abs(jnp.linalg.eigvals(rows.reshape(-1, 2, 2)))

    net = jno.nn(Eigenvalues(), name="eig")
    rows = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    with pytest.raises(ValueError, match=r"'eig' not found for platforms .*choose platforms="):
        net.export(tmp_path / "net.stablehlo", rows)
    file = net.export(tmp_path / "net.stablehlo", rows, platforms=["cpu"])
    expected = np.abs(np.linalg.eigvals(rows.reshape(-1, 2, 2)))
    np.testing.assert_allclose(np.sort(read(file.path).call(rows)), np.sort(expected), rtol=1e-4)


# --- expressions --------------------------------------------------------------------------------------------------
def test_derivatives_against_analytic_values(tmp_path):
    _, x, y, t = square(time=(0.0, 1.0, 3))
    u = jno.np.sin(2.0 * x) * y**3 * jno.np.exp(-t)
    crux = jno.core([u.mse])
    flux = (1.0 + x * y) * u.d(x)
    call = exported(crux, [u, u.d(t), u.laplacian(x, y), u.hessian(x, y), u.grad(x, y), flux.d(x), u[..., 0]], tmp_path)
    a, b = POINTS[:, :1], POINTS[:, 1:]
    s = 0.5 + a * b
    e = np.exp(-s)
    sin, cos = np.sin(2 * a), np.cos(2 * a)
    xx, xy, yy = -4 * sin * b**3 * e, 6 * cos * b**2 * e, 6 * sin * b * e
    expected = [
        sin * b**3 * e,
        -sin * b**3 * e,
        xx + yy,
        np.stack([np.concatenate([xx, xy], 1), np.concatenate([xy, yy], 1)], 1),
        np.concatenate([2 * cos * b**3, 3 * sin * b**2], 1) * e,
        b * 2 * cos * b**3 * e + (1 + a * b) * xx,
        (sin * b**3 * e)[:, 0],
    ]
    for value, exact in zip(call(a, b, s), expected, strict=True):
        assert value.shape == exact.shape
        np.testing.assert_allclose(value, exact, atol=2e-6)


def test_schemes_are_kept(tmp_path):
    _, x, y, _ = square()
    u = x**3 * y
    call = exported(jno.core([u.mse]), [u.d(x, scheme="automatic_differentiation:reverse"), u.d2(x)], tmp_path)
    a, b = POINTS[:, :1], POINTS[:, 1:]
    for value, exact in zip(call(a, b), (3 * a**2 * b, 6 * a * b), strict=True):
        np.testing.assert_allclose(value, exact, rtol=1e-5)


def test_arguments_are_all_coordinates_then_time(tmp_path):
    _, x, y, t = square(time=(0.0, 1.0, 3))
    crux = jno.core([(x * y * t).mse])
    path = tmp_path / "u.stablehlo"
    assert crux.export(y, path).inputs == ("x float32[n,1]", "y float32[n,1]")
    assert crux.export([y, t], path).inputs == ("x float32[n,1]", "y float32[n,1]", "t float32[n,1]")
    only_time = crux.export(t**2, path)
    assert only_time.inputs == ("t float32[n,1]",)
    np.testing.assert_allclose(read(path).call(POINTS[:, :1]), POINTS[:, :1] ** 2, rtol=1e-6)
    np.testing.assert_allclose(exported(crux, y, tmp_path)(POINTS[:, :1], POINTS[:, 1:]), POINTS[:, 1:])


def test_parameters_and_current_weights(tmp_path):
    _, x, *_ = square()
    k = jno.np.parameter((), name="k").initialize(0.5).optimizer(optax.sgd(0.5))
    crux = jno.core([(k * x - 2.0 * x).mse])
    a, b = POINTS[:, :1], POINTS[:, 1:]
    for _ in range(2):
        value, alone = exported(crux, [k * x, k], tmp_path)(a, b)
        weight = float(k.module.value)
        np.testing.assert_allclose(value, weight * a, rtol=1e-6)
        np.testing.assert_allclose(alone, weight, rtol=1e-6)
        crux.solve(1)
    assert weight != 0.5


def test_data_with_a_row_per_sample_are_arguments(tmp_path):
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    theta = domain.variable("theta", np.arange(6.0).reshape(3, 2))
    table = domain.variable("table", np.array([[0.25, 4.0]]))
    u = theta[0] * x**2 + theta[1] + table[1] * x
    crux = jno.core([u.mse])
    file = crux.export([u.d(x), theta[0]], tmp_path / "u.stablehlo")
    assert file.inputs == ("x float32[n,1]", "theta float32[2]")
    slope, alone = read(file.path).call(POINTS[:, :1], np.array([3.0, 1.0], dtype=np.float32))
    np.testing.assert_allclose(slope, 6.0 * POINTS[:, :1] + 4.0, rtol=1e-6)
    assert float(alone) == 3.0


def test_one_coordinate_and_boundaries(tmp_path):
    domain = jno.domain.cube(mesh_size=0.5)
    x, y, z, _ = domain.variable("boundary")
    crux = jno.core([(x * y * z).mse])
    file = crux.export((x * y * z).d(z), tmp_path / "u.stablehlo")
    assert file.inputs == tuple(f"{name} float32[n,1]" for name in "xyz")
    a, b = POINTS[:, :1], POINTS[:, 1:]
    np.testing.assert_allclose(read(file.path).call(a, b, b), a * b, rtol=1e-6)


def test_double_precision(tmp_path):
    with jax.enable_x64(True):
        _, x, y, _ = square()
        u = jno.nn(mlp())(x, y)
        crux = jno.core([u.mse])
        file = crux.export([u, u.laplacian(x, y)], tmp_path / "u.stablehlo")
        assert file.inputs == ("x float64[n,1]", "y float64[n,1]")
        points = POINTS.astype(np.float64)
        value, laplacian = read(file.path).call(points[:, :1], points[:, 1:])
        module = crux.models[next(iter(crux.models))]
        hessian = jax.jit(jax.vmap(jax.hessian(lambda p: module(p[None])[0, 0])))(points)
        np.testing.assert_allclose(value, module(points), rtol=1e-13)
        np.testing.assert_allclose(laplacian[:, 0], np.trace(hessian, axis1=1, axis2=2), rtol=1e-11, atol=1e-13)


def test_a_core_from_a_file(tmp_path):
    _, x, y, _ = square()
    u = jno.nn(mlp(), name="net")(x, y)
    crux = jno.core([u.mse])
    crux.save(tmp_path / "crux.jno")
    expected = exported(crux, u, tmp_path)(POINTS[:, :1], POINTS[:, 1:])
    again = jno.core.load(tmp_path / "crux.jno")
    own = again.all_ops[0].target
    np.testing.assert_array_equal(exported(again, own, tmp_path)(POINTS[:, :1], POINTS[:, 1:]), expected)


# --- what needs more than the coordinates of a point ----------------------------------------------------------------
def refused(build):
    """Expressions of a problem on a square in time, with a sample of what can be asked there."""
    domain, x, y, t = square(time=(0.0, 1.0, 3))
    return build(domain, x, y, t)


CASES = {
    "integral": (
        lambda d, x, y, t: x + (x * y).integrate(),
        "cannot export 'Integral': it integrates over the mesh of the domain, which an exported function does not "
        r"have. Evaluate it with crux.eval\(...\)",
    ),
    "integral in time": (
        lambda d, x, y, t: x + (x * t).integrate(t),
        "cannot export 'IntegralTime': it integrates over the time levels",
    ),
    "finite difference": (
        lambda d, x, y, t: (x * y).d(x, scheme="finite_difference"),
        "cannot export 'd': it is a finite difference on the mesh of the domain, which an exported function does not "
        "have. Write this derivative with scheme='automatic_differentiation'",
    ),
    "finite difference of second order": (
        lambda d, x, y, t: (x * y).laplacian(x, y, scheme="finite_difference").name("curvature"),
        "cannot export 'laplacian' “curvature”: it is a finite difference",
    ),
    "reduction": (lambda d, x, y, t: x - x.mean, "cannot export 'mean': it runs over all points"),
    "loss": (lambda d, x, y, t: (x * y).mse, "cannot export 'mse': it runs over all points"),
    "noise": (
        lambda d, x, y, t: x + jno.noise.gaussian(std=0.1),
        r"cannot export 'Noise\[gaussian\]': it is drawn anew in every step",
    ),
    "print": (lambda d, x, y, t: x.print(), r"cannot export 'print\[shape\]': it prints in this process"),
    "normals": (
        lambda d, x, y, t: d.variable("boundary", normals=True)[3],
        "normals belong to the boundary of the mesh",
    ),
    "two tags": (
        lambda d, x, y, t: [x, d.variable("boundary")[0]],
        r"over several sets of points \('boundary', 'interior'\).* Export them one by one",
    ),
    "two times": (
        lambda d, x, y, t: [t, d.variable("initial")[2]],
        "over several sets of time levels",
    ),
    "no coordinates": (
        lambda d, x, y, t: jno.np.parameter((), name="k"),
        "nothing in them depends on a point or on time",
    ),
    "function over all points": (
        lambda d, x, y, t: jno.fn(lambda a: a - a.mean(), [x]),
        "its value at a point depends on the other points",
    ),
    "one point": (lambda d, x, y, t: x[0], "its value at a point depends on the other points"),
    "network over all points": (
        lambda d, x, y, t: jno.nn(Mixing())(x),
        "cannot export 'model_.*': its value at a point depends on the other points",
    ),
    "data of the points": (
        lambda d, x, y, t: x * d.variable("f", np.arange(25.0).reshape(1, 1, 25, 1)),
        "data with one entry per point",
    ),
    "data in time": (
        lambda d, x, y, t: x * d.variable("f", np.arange(3.0).reshape(1, 3, 1, 1)),
        "the data 'f': it has a row for each of 3 time levels",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused(case, tmp_path):
    build, message = CASES[case]
    expression = refused(build)
    domain = jno.domain.rect() if case == "no coordinates" else None
    crux = jno.core(expression if isinstance(expression, list) else [expression], domain=domain)
    with pytest.raises(ValueError, match=message):
        crux.export(expression, tmp_path / "u.stablehlo")
    assert not list(tmp_path.iterdir())


def test_expressions_of_another_core(tmp_path):
    _, x, y, _ = square()
    crux = jno.core([x.mse])
    with pytest.raises(ValueError, match="No model for 'stranger' in this core"):
        crux.export(jno.nn(mlp(), name="stranger")(x, y), tmp_path / "u.stablehlo")
    with pytest.raises(ValueError, match=r"export\(\) needs at least one expression"):
        crux.export([], tmp_path / "u.stablehlo")
    with pytest.raises(ValueError, match=r"the suffix '.txt' names no format"):
        crux.export(x, tmp_path / "u.txt")
