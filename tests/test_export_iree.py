"""Networks compiled by IREE.  The compiler (400 MB) is no part of the development packages."""

import pickle
import sys

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jno

KEY = jax.random.PRNGKey(3)
POINTS = np.random.default_rng(0).uniform(size=(5, 2)).astype(np.float32)


def network():
    return jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=2, key=KEY), name="net")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"target_backend": "abacus"},
            r"to_iree\(target_backend='abacus'\): allowed are 'llvm-cpu', 'vmvx', 'cuda', 'rocm'",
        ),
        ({"optimization_level": 4}, r"to_iree\(optimization_level=4\): allowed are 0, 1, 2 and 3"),
        ({"optimization_level": True}, r"to_iree\(optimization_level=True\): allowed are 0, 1, 2 and 3"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        network().to_iree(POINTS, **options)


def test_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "iree.compiler", None)
    monkeypatch.setitem(sys.modules, "iree.runtime", None)
    message = r"need iree-base-compiler and iree-base-runtime: pip install 'jno-jax\[iree\]'"
    with pytest.raises(ImportError, match=message):
        network().to_iree(POINTS)
    with pytest.raises(ImportError, match=message):
        jno.iree.IREEModel("net", b"", "llvm-cpu", (((5, 2), "float32"),))(POINTS)


def test_arguments_are_checked_before_anything_runs():
    model = jno.iree.IREEModel("net", b"", "llvm-cpu", (((5, 2), "float32"), ((3,), "int32")))
    assert repr(model) == "IREEModel(net: (float32[5, 2], int32[3]), llvm-cpu, 0 bytes)"
    message = r"net was compiled for \(float32\[5, 2\], int32\[3\]\), got \(float32\[4, 2\], int64\[3\]\)"
    with pytest.raises(ValueError, match=message):
        model(POINTS[:4], np.arange(3))
    with pytest.raises(ValueError, match=r"got \(float32\[5, 2\]\)"):
        model(POINTS)
    with pytest.raises(ValueError, match=r"got \(float32\[5, 2\], float64\[3\]\)"):
        model(POINTS, np.zeros(3))


def test_a_model_is_kept_in_a_file(tmp_path):
    model = jno.iree.IREEModel("net", b"code", "vmvx", (((5, 2), "float32"),))
    jno.save(model, tmp_path / "net.jno")
    again = jno.load(tmp_path / "net.jno", expected_type=jno.iree.IREEModel)
    for attribute in ("name", "module", "target_backend", "inputs"):
        assert getattr(again, attribute) == getattr(model, attribute)


@pytest.mark.parametrize(("backend", "level"), [("llvm-cpu", 3), ("llvm-cpu", 0), ("vmvx", 2)])
def test_values(backend, level, tmp_path):
    pytest.importorskip("iree.compiler")
    net = network().constrain(jnp.tanh)
    model = net.to_iree(POINTS, target_backend=backend, optimization_level=level)
    np.testing.assert_allclose(model(POINTS), net.constrained(POINTS), atol=1e-5)
    jno.save(model, tmp_path / "net.jno")
    again = jno.load(tmp_path / "net.jno")
    np.testing.assert_array_equal(again(POINTS.astype(np.float64)), model(POINTS))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again))(POINTS), model(POINTS))


def test_double_precision():
    pytest.importorskip("iree.compiler")
    with jax.enable_x64(True):
        points = POINTS.astype(np.float64)
        net = jno.nn(foundax.mlp(2, hidden_dims=8, num_layers=2, activation=jax.nn.relu, key=KEY))
        value = net.to_iree(points)(points)
        assert value.dtype == np.float64
        np.testing.assert_allclose(value, net.module(points), rtol=1e-12)
        message = r"for 'llvm-cpu'; it has few functions in double precision: set dtype\(jnp.float32\).* symbol: tanh"
        with pytest.raises(ValueError, match=f"(?s){message}"):
            network().to_iree(points)
        value = network().dtype(jnp.float32).to_iree(POINTS)(points)
        assert value.dtype == np.float32
