import copy
import json
import pickle
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from reference_interpreter import evaluate

from jno import jnp_ops as jnn
from jno.symbolic.constants import ConstantNamespace
from jno.trace import Constant

DATA = {"E": 210.0, "nu": 3, "thermal": {"alpha": 1.2e-5, "layers": [1.0, 2.5]}, "name": "steel", "linear": True}


def write_json(path):
    path.write_text(json.dumps(DATA))


def write_toml(path):
    path.write_text(
        'E = 210.0\nnu = 3\nname = "steel"\nlinear = true\n[thermal]\nalpha = 1.2e-5\nlayers = [1.0, 2.5]\n'
    )


def write_yaml(path):
    path.write_text("E: 210.0\nnu: 3\nname: steel\nlinear: true\nthermal:\n  alpha: 12e-6\n  layers: [1.0, 2.5]\n")


def write_pickle(path):
    path.write_bytes(pickle.dumps(DATA))


WRITERS = {
    ".json": write_json,
    ".toml": write_toml,
    ".yaml": write_yaml,
    ".yml": write_yaml,
    ".pkl": write_pickle,
    ".pickle": write_pickle,
}


def check(k):
    assert isinstance(k, ConstantNamespace)
    assert isinstance(k.E, Constant)
    assert (k.E.tag, k.E.value) == ("steel.E", 210.0)
    assert (k.nu.value, k["nu"]) == (3, k.nu)
    assert (k.thermal.alpha.tag, k["thermal"]["alpha"].value) == ("steel.thermal.alpha", pytest.approx(1.2e-5))
    np.testing.assert_array_equal(k.thermal.layers.value, [1.0, 2.5])
    assert k.name == "steel"
    assert k.linear is True


def test_from_a_dictionary():
    k = jnn.constant("steel", DATA)
    check(k)
    assert len(k) == 5
    assert list(k) == list(k.keys()) == ["E", "nu", "thermal", "name", "linear"]
    assert dict(k.items())["E"] is k.E
    assert "thermal" in k
    assert "density" not in k
    assert k.to_dict() == DATA
    assert repr(k) == "ConstantNamespace(steel: E, nu, thermal, name, linear)"
    assert "thermal" in dir(k)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_from_a_file(tmp_path, suffix, kind):
    path = tmp_path / f"steel{suffix}"
    WRITERS[suffix](path)
    check(jnn.constant("steel", kind(path)))


def test_from_arrays(tmp_path):
    table = np.arange(6.0).reshape(2, 3)
    np.savez(tmp_path / "k.npz", table=table, scale=2.0)
    k = jnn.constant("k", tmp_path / "k.npz")
    np.testing.assert_array_equal(k.table.value, table)
    assert k.scale.value == 2.0
    np.save(tmp_path / "k.npy", table)
    single = jnn.constant("k", tmp_path / "k.npy")
    assert isinstance(single, Constant)
    np.testing.assert_array_equal(single.value, table)
    assert jnn.constant("g", 9.81).value == 9.81
    assert isinstance(jnn.constant("g", jnp.ones(3)), Constant)


def test_constants_take_part_in_expressions():
    k = jnn.constant("k", {"a": 2.0, "v": np.array([1.0, 3.0])})
    expression = 3 * k.a + jnn.sum(k.v)
    assert evaluate(expression, {"interior": np.zeros((5, 2))}) == 10.0


def test_constants_do_not_change():
    source = {"v": np.array([1.0, 2.0]), "w": [1.0]}
    k = jnn.constant("k", source)
    source["v"][0] = 7.0
    source["w"].append(2.0)
    assert k.v.value[0] == 1.0
    assert k.to_dict()["w"] == [1.0]
    with pytest.raises(ValueError, match="read-only"):
        k.v.value[0] = 5.0
    with pytest.raises(AttributeError):
        k.v = 3.0
    assert copy.copy(k).v is k.v
    assert pickle.loads(pickle.dumps(k)).w.tag == "k.w"


def test_names_of_methods_are_items():
    k = jnn.constant("k", {"keys": 1.0})
    assert k["keys"].value == 1.0
    assert list(k.keys()) == ["keys"]


def test_missing_entry():
    k = jnn.constant("steel", DATA)
    with pytest.raises(AttributeError, match="'steel' have no entry 'density'; there are: E, nu"):
        _ = k.density
    with pytest.raises(KeyError, match="no entry 'density'"):
        k["density"]
    with pytest.raises(AttributeError, match=r"'steel\.thermal' have no entry 'k'"):
        _ = k.thermal.k


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file of constants at .*none\.json"):
        jnn.constant("k", tmp_path / "none.json")


def test_unsupported_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"supported suffixes are \.json"):
        jnn.constant("k", tmp_path / "k.csv")


@pytest.mark.parametrize("name", ["k.json", "k.toml", "k.yaml", "k.npz", "k.npy", "k.pkl"])
def test_damaged_file(tmp_path, name):
    path = tmp_path / name
    path.write_text("{: no [ such ]: format")
    with pytest.raises(ValueError, match=f"cannot read constants from .*{name}"):
        jnn.constant("k", path)


def test_content_must_be_a_table(tmp_path):
    (tmp_path / "k.pkl").write_bytes(pickle.dumps([1.0, 2.0]))
    with pytest.raises(TypeError, match="must hold a dictionary, got list"):
        jnn.constant("k", tmp_path / "k.pkl")
    (tmp_path / "k.json").write_text("[1.0, 2.0]")
    with pytest.raises(TypeError, match="needs a mapping"):
        jnn.constant("k", tmp_path / "k.json")
    with pytest.raises(TypeError, match="needs a mapping"):
        jnn.constant("k", None)
    with pytest.raises(TypeError, match="need a mapping"):
        ConstantNamespace("k", [1.0])


def test_bad_entries():
    with pytest.raises(TypeError, match="names must be strings, got 1"):
        jnn.constant("k", {1: 2.0})
    with pytest.raises(ValueError, match=r"k\.m: the rows .* equal lengths"):
        jnn.constant("k", {"m": [[1.0, 2.0], [3.0]]})
    with pytest.raises(TypeError, match="an array of numbers is needed"):
        jnn.constant("k", {"m": np.array(["a"])})
    with pytest.raises(TypeError, match="non-empty string"):
        jnn.constant("", {"a": 1.0})
    assert jnn.constant("k", {"m": ["a", 1.0], "nothing": None}).m == ["a", 1.0]


def test_yaml_without_pyyaml(tmp_path, monkeypatch):
    write_yaml(tmp_path / "k.yaml")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match="pip install pyyaml"):
        jnn.constant("k", tmp_path / "k.yaml")
