"""ONNX files, run by onnxruntime.  jax2onnx is no part of the development packages: it needs an older Orbax."""

import logging
from collections.abc import Callable

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jno

pytest.importorskip("jax2onnx")
runtime = pytest.importorskip("onnxruntime")

# the first conversion imports the converters of all primitives
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

KEY = jax.random.PRNGKey(3)
POINTS = np.random.default_rng(0).uniform(size=(7, 2)).astype(np.float32)


def run(file, **inputs):
    session = runtime.InferenceSession(file.path.read_bytes(), providers=["CPUExecutionProvider"])
    assert [entry.name for entry in session.get_inputs()] == list(inputs)
    return session.run(None, inputs)


@pytest.mark.parametrize("activation", [jnp.tanh, jax.nn.gelu, jax.nn.silu, jax.nn.softplus, jnp.sin])
def test_networks(activation, tmp_path):
    module = foundax.mlp(2, output_dim=3, hidden_dims=8, num_layers=2, activation=activation, key=KEY)
    file = jno.nn(module).export(tmp_path / "net.onnx", POINTS)
    assert (file.format, file.inputs, file.outputs) == ("onnx", ("input float32[n,2]",), ("float32[n,3]",))
    for count in (1, 7):
        (value,) = run(file, input=POINTS[:count])
        np.testing.assert_allclose(value, module(POINTS[:count]), atol=1e-5)


def test_expressions_with_derivatives(tmp_path):
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior")
    u = jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=2, key=KEY))(x, y)
    expressions = [u, u.d(x), u.laplacian(x, y), u.hessian(x, y), u[..., 0], jno.np.sin(x) * y]
    crux = jno.core([u.mse])
    file = crux.export(expressions, tmp_path / "u.onnx")
    points = domain.context["interior"][0, 0].astype(np.float32)
    for count in (1, len(points)):
        values = run(file, x=points[:count, :1], y=points[:count, 1:])
        for value, expected in zip(values, crux.eval(expressions), strict=True):
            np.testing.assert_allclose(value, expected[0, :count], atol=1e-5)


def test_double_precision(tmp_path):
    with jax.enable_x64(True):
        module = foundax.mlp(2, hidden_dims=8, num_layers=2, key=KEY)
        file = jno.nn(module).export(tmp_path / "net.onnx", POINTS.astype(np.float64))
        (value,) = run(file, input=POINTS.astype(np.float64))
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, module(POINTS.astype(np.float64)), rtol=1e-12)


def test_fixed_shapes(tmp_path):
    net = jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=1, key=KEY))
    file = net.export(tmp_path / "net.bin", POINTS, format="onnx", polymorphic=False)
    assert file.inputs == ("input float32[7,2]",)
    np.testing.assert_allclose(run(file, input=POINTS)[0], net.module(POINTS), atol=1e-5)


class Applied(eqx.Module):
    """A function of the rows."""

    function: Callable = eqx.field(static=True)

    def __call__(self, points):
        return self.function(points)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda p: jnp.abs(jnp.linalg.eigvals(p[:, :, None] * p[:, None])),
            r"special cannot be written as ONNX; jax2onnx says: .*eig.*\. Export it as 'stablehlo' instead",
        ),
        # converted, but to something else: comparing the values finds it
        (lambda p: jax.scipy.special.betainc(p, p, p), "special: the ONNX model computes other values than JAX"),
    ],
)
def test_what_cannot_be_converted(function, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        jno.nn(Applied(function), name="special").export(tmp_path / "net.onnx", POINTS)
    assert not list(tmp_path.iterdir())


def test_the_log_level_of_others_is_kept(tmp_path):
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    jno.nn(foundax.mlp(2, hidden_dims=4, num_layers=1, key=KEY)).export(tmp_path / "net.onnx", POINTS)
    assert logger.level == before
