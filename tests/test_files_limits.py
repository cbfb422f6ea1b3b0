"""Files that claim more than they hold, or more than a machine has: refused before memory is asked for."""

import contextlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest
import tensorstore

import jno
from jno.tuner._journal import Journal
from jno.utils import CheckpointFolder, Limits, get_limits, load, parsed_json, read_npy, read_npz, save
from jno.utils._saved_file import MAGIC


def npy_header(shape, dtype="<f8"):
    """Return the header that a .npy file of this shape would have."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


# --- arrays -----------------------------------------------------------------------------------------------------
def test_an_array_that_claims_terabytes(tmp_path):
    claim = npy_header((200_000, 1_000_000)) + b"\0" * 80
    (tmp_path / "k.npy").write_bytes(claim)
    archive(tmp_path / "k.npz", {"a.npy": claim})
    for name in ("k.npy", "k.npz"):
        message = rf"{name}'.*claims an array of shape \(200000, 1000000\), 1,600,000,000,000 bytes, and 80 bytes"
        with pytest.raises(ValueError, match=message):
            jno.np.constant("k", tmp_path / name)
    with pytest.raises(ValueError, match="1,600,000,000,000 bytes"):
        jno.domain(str(tmp_path / "k.npz"))
    (tmp_path / "grid.npz").write_bytes((tmp_path / "k.npz").read_bytes())
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    with pytest.raises(ValueError, match="1,600,000,000,000 bytes"):
        jno.np.interpn([x], tmp_path / "grid.npz")
    with pytest.raises(ValueError, match="1,600,000,000,000 bytes"):
        jno.domain.line(mesh_size=0.5).interpolate(str(tmp_path / "k.npy"))


def test_an_archive_that_unpacks_to_a_thousand_times_its_size(tmp_path):
    path = archive(tmp_path / "k.npz", {"a.npy": npy_header((40_000_000,)) + bytes(320_000_000)})
    message = (
        r"k\.npz' has [\d,]+ bytes and claims 320,000,128 bytes of memory; the limit for it is 268,435,456\. If you"
    )
    for read in (lambda: jno.np.constant("k", path), lambda: jno.domain(str(path))):
        with pytest.raises(ValueError, match=message + ".*JNO_LIMIT_UNPACKED_BYTES.*config.toml"):
            read()


def test_the_limit_of_archives_is_configurable(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "k.npz", a=np.zeros(10_000))
    assert read_npz(tmp_path / "k.npz", "k")["a"].shape == (10_000,)
    monkeypatch.setenv("JNO_LIMIT_UNPACKED_BYTES", "70000")
    monkeypatch.setenv("JNO_LIMIT_EXPANSION", "2")
    with pytest.raises(ValueError, match="limit for it is 70,000"):
        read_npz(tmp_path / "k.npz", "k")
    np.savez(tmp_path / "large.npz", a=np.zeros(10_000))  # not compressed: as large as its file
    assert read_npz(tmp_path / "large.npz", "k")["a"].shape == (10_000,)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\0\xff\xff{",
        npy_header((3,)) + b"\0" * 8,
        npy_header((3,)).replace(b"}", b"(") + b"\0" * 24,
        npy_header((3,)).replace(b", }", b")  ") + b"\0" * 24,
        npy_header((3,)).replace(b"'descr'", b"[{}]   ") + b"\0" * 24,
        b"\x93NUMPY\x01\0" + struct.pack("<H", 9000) + b"(" * 9000,
    ],
)
def test_damaged_arrays(tmp_path, content):
    (tmp_path / "k.npy").write_bytes(content)
    with pytest.raises(ValueError, match="k is damaged"):
        read_npy(tmp_path / "k.npy", "k")
    (tmp_path / "k.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"k is damaged, truncated or no \.npz"):
        read_npz(tmp_path / "k.npz", "k")


def test_every_truncation_and_flip_of_an_archive_is_one_error_or_the_arrays(tmp_path):
    np.savez_compressed(tmp_path / "k.npz", a=np.arange(20.0), b=np.eye(2))
    content = (tmp_path / "k.npz").read_bytes()
    changed = [content[:length] for length in range(0, len(content), 3)]
    changed += [content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :] for i in range(len(content))]
    for each in changed:
        (tmp_path / "k.npz").write_bytes(each)
        # some bytes, such as dates, mean nothing; anything but a ValueError fails the test
        with contextlib.suppress(ValueError):
            read_npz(tmp_path / "k.npz", "the file")


def test_python_objects_in_arrays(tmp_path):
    np.save(tmp_path / "k.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "k.npz", a=np.array([{}], dtype=object))
    for name in ("k.npy", "k.npz"):
        with pytest.raises(ValueError, match=r"holds Python objects, which are pickles: reading them would run code"):
            jno.np.constant("k", tmp_path / name)


# --- text -------------------------------------------------------------------------------------------------------
DEEP = {
    "k.json": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "k.toml": "a = " + "[" * 5_000 + "]" * 5_000,
    "dotted.toml": "a." * 3_000 + "b = 1",
    "k.yaml": "a: " + "[" * 5_000 + "]" * 5_000,
    "alias.yaml": "a: &a [*a]",
    "shallow.json": '{"a": ' + "[" * 100 + "]" * 100 + "}",
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting(tmp_path, name):
    (tmp_path / name).write_text(DEEP[name])
    message = rf"{name}' is nested more than 100 deep; the limit is 100\. .*JNO_LIMIT_DEPTH"
    with pytest.raises(ValueError, match=message):
        jno.np.constant("k", tmp_path / name)


def test_nesting_below_the_limit(tmp_path):
    (tmp_path / "k.json").write_text('{"a": ' + "[" * 50 + "1.0" + "]" * 50 + "}")
    assert jno.np.constant("k", tmp_path / "k.json").a.value.ndim == 50


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
MERGES = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12)
)


@pytest.mark.parametrize("text", [BOMB, MERGES])
def test_anchors_that_repeat_each_other(tmp_path, text):
    (tmp_path / "k.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"k\.yaml' repeats its anchors to [\d,]+ values; the limit for its"):
        jno.np.constant("k", tmp_path / "k.yaml")


def test_ordinary_anchors(tmp_path):
    (tmp_path / "k.yaml").write_text("base: &base {E: 2.0, nu: 0.3}\nsteel: {<<: *base, E: 210.0}\n")
    steel = jno.np.constant("k", tmp_path / "k.yaml").steel
    assert (steel.E.value, steel.nu.value) == (210.0, 0.3)


def test_large_text(tmp_path, monkeypatch):
    monkeypatch.setenv("JNO_LIMIT_TEXT_BYTES", "100")
    (tmp_path / "k.json").write_text(json.dumps({"a": "x" * 100}))
    with pytest.raises(ValueError, match=r"k\.json' is text of 109 bytes; the limit is 100\. .*JNO_LIMIT_TEXT_BYTES"):
        jno.np.constant("k", tmp_path / "k.json")


# --- settings ---------------------------------------------------------------------------------------------------
def test_the_working_directory_only_lowers_limits(settings_files, monkeypatch):
    settings_files("[limits]\ndepth = 50\n", "[limits]\ndepth = 20\ntext_bytes = 1000\n")
    assert (get_limits().depth, get_limits().text_bytes) == (20, 1000)
    assert jno.get_config() == {"limits": {"depth": 20, "text_bytes": 1000}}
    settings_files("[limits]\ndepth = 50\n", "[limits]\ndepth = 51\n")
    with pytest.raises(
        ValueError, match=r"\.jno\.toml: \[limits\] depth = 51 is above the 50 of .*config\.toml.*only lower"
    ):
        get_limits()
    settings_files("", "[limits]\nunpacked_bytes = 1000000000000\n")
    with pytest.raises(ValueError, match="unpacked_bytes = 1000000000000 is above the 268435456 of the default"):
        get_limits()
    monkeypatch.setenv("JNO_LIMIT_UNPACKED_BYTES", "7")
    assert get_limits().unpacked_bytes == 7
    settings_files("[limits]\ndepth = 5000\n")
    assert get_limits().depth == 5000


@pytest.mark.parametrize("text", ["", "0", "-1", "1e9", "many"])
def test_wrong_limits(settings_files, monkeypatch, text):
    monkeypatch.setenv("JNO_LIMIT_DEPTH", text)
    with pytest.raises(ValueError, match="Invalid JNO_LIMIT_DEPTH: it must be a positive integer, such as 100"):
        get_limits()
    settings_files(project="[limits]\ndepth = 0\n")
    with pytest.raises(ValueError, match=r"\[limits\] depth must be at least 1, got 0"):
        jno.load_config()


def test_a_deep_configuration_file(settings_files):
    settings_files(project="a = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(ValueError, match=r"\.jno\.toml is nested more than 100 deep"):
        jno.get_seed()


# --- files of jno.save ------------------------------------------------------------------------------------------
def written(path, header):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(MAGIC + struct.pack(">I", len(encoded)) + encoded)
    return path


def test_headers(tmp_path, monkeypatch):
    path = written(tmp_path / "x.jno", b"[" * 100_000)
    with pytest.raises(ValueError, match="truncated or damaged: its header is unreadable"):
        load(path)
    path.write_bytes(MAGIC + b"\xff\xff\xff\xff{}")
    with pytest.raises(ValueError, match="ends within its header"):
        load(path)
    monkeypatch.setenv("JNO_LIMIT_HEADER_BYTES", "100")
    with pytest.raises(ValueError, match=r"x\.jno' claims a header of 101 bytes; the limit is 100"):
        load(written(path, b" " * 101))
    monkeypatch.delenv("JNO_LIMIT_HEADER_BYTES")
    full = {"format": 1, "kind": "x", "versions": {}, "sha256": "", "length": 0}
    for name in ("kind", "versions", "sha256", "length"):
        with pytest.raises(ValueError, match="header is incomplete"):
            load(written(path, full | {name: 1.5}))


def test_deep_data(tmp_path, monkeypatch):
    value = 1.0
    for _ in range(150):
        value = [value]
    monkeypatch.setenv("JNO_LIMIT_DEPTH", "200")
    save(value, tmp_path / "x.jno", data_only=True)
    monkeypatch.delenv("JNO_LIMIT_DEPTH")
    with pytest.raises(ValueError, match=r"x\.jno' is nested more than 100 deep"):
        load(tmp_path / "x.jno", trusted=False)
    # and what could not be read is not written
    with pytest.raises(ValueError, match="what is saved as data is nested more than 100 deep"):
        save(value, tmp_path / "y.jno", data_only=True)
    value = []
    value.append(value)
    with pytest.raises(ValueError, match="it is nested too deep, or contains itself"):
        save(value, tmp_path / "y.jno", data_only=True)
    assert not (tmp_path / "y.jno").exists()


def test_the_check_of_depth_is_not_recursive():
    value = parsed_json("[" * 900 + "]" * 900, "text", Limits(depth=900))
    assert len(value) == 1


# --- journals and checkpoints -----------------------------------------------------------------------------------
HEAD = {"jno_sweep": 1, "in_flight": 1, "description": {"seed": 1}}
TRIAL = {
    "number": 0,
    "labels": {"x": 1},
    "objective": 0.5,
    "seconds": 1.0,
    "error": None,
    "traceback": None,
    "pruned_at": None,
    "rungs": {"10": 0.25},
}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEAD, TRIAL], None),
        ([{"jno_sweep": 1}], "line 1 is damaged: it lacks the description"),
        ([HEAD | {"in_flight": "2"}], "line 1 is damaged: it lacks the description"),
        ([HEAD, TRIAL | {"rungs": [1]}], "line 2 is no finished trial"),
        ([HEAD, TRIAL | {"rungs": {"x": 1.0}}], "line 2 is no finished trial"),
        ([HEAD, TRIAL | {"objective": "0.5"}], "line 2 is no finished trial"),
        ([HEAD, TRIAL | {"labels": None}], "line 2 is no finished trial"),
        ([HEAD, b"[" * 100_000], "line 2 is nested more than 100 deep"),
        ([b"\xff\xfe"], "is damaged, or no journal of a sweep"),
    ],
)
def test_journals(tmp_path, lines, message):
    path = tmp_path / "sweep.jsonl"
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    if message is None:
        assert len(Journal(path, {"seed": 1}, 1)) == 1
    else:
        with pytest.raises(ValueError, match=rf"sweep\.jsonl.* {message}"):
            Journal(path, {"seed": 1}, 1)


def test_a_checkpoint_that_claims_more_than_it_holds(tmp_path):
    folder = CheckpointFolder(tmp_path / "run")
    folder.save(1, {"weights": np.ones(3)}, {}, {})
    folder.wait()
    base = {"driver": "file", "path": f"{tmp_path}/run/1/state/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    description = json.loads(store.read("weights/.zarray").result().value)
    store.write("weights/.zarray", json.dumps(description | {"shape": [10**10], "chunks": [1000]}).encode()).result()
    with pytest.raises(
        FileNotFoundError, match=r"cannot be read: it has .* claims 80,000,000,000 bytes of memory; the"
    ):
        folder.read(1)
    folder.close()


def test_weights_that_claim_more_than_the_file_holds(tmp_path):
    path = tmp_path / "net.eqx"
    path.write_bytes(npy_header((10**12,)) + b"\0" * 8)
    net = jno.np.parameter((1,), name="p").initialize(path)
    with pytest.raises(ValueError, match=r"claims an array of shape \(1000000000000,\), 8,000,000,000,000 bytes"):
        jno.core([net.mse], domain=jno.domain.line(mesh_size=0.5))
