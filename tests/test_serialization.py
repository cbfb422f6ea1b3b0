"""jno.save and jno.load."""

import json
import os
import pickle
import stat
import struct

import jax.numpy as jnp
import numpy as np
import pytest

from jno.utils import _serialization as serialization
from jno.utils import load, save

PREFIX = len(serialization._MAGIC)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "deep" / "object.jno"
    save({"a": np.arange(3), "b": jnp.ones((2, 2))}, path)
    return path


def split(content):
    """Return header (parsed) and payload, by the documented layout alone."""
    (length,) = struct.unpack(">I", content[8:12])
    return json.loads(content[12 : 12 + length]), content[12 + length :]


def join(header, payload):
    encoded = json.dumps(header).encode()
    return serialization._MAGIC + struct.pack(">I", len(encoded)) + encoded + payload


class Exploding:
    """Unpickling it fails the test: the checks come first."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_round_trip(file):
    loaded = load(file)
    np.testing.assert_array_equal(loaded["a"], [0, 1, 2])
    np.testing.assert_array_equal(loaded["b"], np.ones((2, 2)))


def test_closures_can_be_saved(tmp_path):
    factor = 3
    save(lambda x: factor * x, tmp_path / "f")
    assert load(tmp_path / "f")(2) == 6


def test_header(file):
    header, payload = split(file.read_bytes())
    assert header["format"] == 1
    assert header["kind"] == "builtins.dict"
    assert header["length"] == len(payload)
    assert set(header["versions"]) == {"jno", "jax", "equinox", "python"}


def test_expected_type(file):
    assert isinstance(load(file, expected_type=dict), dict)
    with pytest.raises(TypeError, match=r"object\.jno.*of type builtins\.dict, expected builtins\.list"):
        load(file, expected_type=list)


def test_replaces_and_leaves_no_temporary_file(file):
    save(1, file)
    assert load(file) == 1
    assert os.listdir(file.parent) == [file.name]


def test_failed_save_keeps_the_old_file(file, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(serialization.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(1, file)
    assert isinstance(load(file), dict)
    assert os.listdir(file.parent) == [file.name]


def test_mode_follows_the_umask(tmp_path):
    previous = os.umask(0o022)
    try:
        save(1, tmp_path / "x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file: .*nothing\.jno.*jno\.save"):
        load(tmp_path / "nothing.jno")


def test_foreign_file_is_not_unpickled(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(ValueError, match=r"model\.pkl' is not a jNO file; jno\.load reads"):
        load(path)


def test_flipped_byte(tmp_path):
    path = tmp_path / "x"
    save(Exploding(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"truncated or damaged.*SHA-256.*Copy it again"):
        load(path)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (PREFIX + 2, "ends before its header"),
        (PREFIX + 20, "ends within its header"),
        (-5, "bytes instead of"),
    ],
)
def test_truncated(file, keep, message):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=f"object.jno' is truncated or damaged: .*{message}"):
        load(file)


def test_appended_bytes(file):
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="bytes instead of"):
        load(file)


def test_newer_format(file):
    _, payload = split(file.read_bytes())
    file.write_bytes(join({"format": 2}, payload))
    with pytest.raises(ValueError, match="file format 2, this jNO reads up to 1; install the newer jNO"):
        load(file)


@pytest.mark.parametrize("header", [[], {}, {"format": "1"}, {"format": 1, "kind": "x"}])
def test_incomplete_header(file, header):
    _, payload = split(file.read_bytes())
    file.write_bytes(join(header, payload))
    with pytest.raises(ValueError, match="header is incomplete"):
        load(file)


def test_unreadable_header(file):
    file.write_bytes(serialization._MAGIC + struct.pack(">I", 2) + b"\xff{")
    with pytest.raises(ValueError, match="header is unreadable"):
        load(file)


def test_class_that_no_longer_exists(tmp_path, monkeypatch):
    from jno.utils import callbacks

    class Gone:
        pass

    Gone.__module__, Gone.__qualname__ = callbacks.__name__, "Gone"
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "Gone", Gone, raising=False)
        save(Gone(), tmp_path / "x")
    with pytest.raises(ValueError, match=r"callbacks\.Gone that cannot be rebuilt here.*written with jno .*jax"):
        load(tmp_path / "x")


@pytest.mark.parametrize("key", ["public_key_path", "private_key_path"])
def test_save_refuses_keys(tmp_path, key):
    with pytest.raises(NotImplementedError, match=f"{key}: signed files are not available"):
        save(1, tmp_path / "x", **{key: "key.pem"})
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("key", ["public_key_path", "signature_path"])
def test_load_refuses_keys(file, key):
    with pytest.raises(NotImplementedError, match=f"{key}: signed files are not available"):
        load(file, **{key: "key.pem"})
