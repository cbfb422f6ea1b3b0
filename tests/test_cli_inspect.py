"""`jno inspect`: what every format holds; damaged and hostile files end with one clear line and status 1."""

import contextlib
import os
import pickle
import shutil
import struct
import zipfile

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import pytest
from cryptography.hazmat.primitives import serialization as pem_format
from cryptography.hazmat.primitives.asymmetric import rsa
from helpers import one_line_error

import jno
from jno._cli import main
from jno.tuner._journal import Journal
from jno.tuner._trial import Outcome
from jno.utils._saved_file import MAGIC, file_content


class Exploding:
    """Unpickling it fails the test."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with one file of every format that jNO writes and another program may ask about."""
    folder = tmp_path_factory.mktemp("files")
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=8, key=jax.random.PRNGKey(0)), name="u").optimizer(optax.adam(1e-3))
    u = net(x)
    crux = jno.core([(u - x).mse])
    keep = jno.callbacks.checkpoint(folder / "checkpoints", save_interval_epochs=2, async_checkpointing=False)
    crux.solve(4, callbacks=[keep])
    keep.close()
    crux.save(folder / "problem.jno")
    crux.save(folder / "weights.jno", data_only=True)
    jno.save({"density": 998.0, "profile": np.zeros(5), "names": ["a", "b"]}, folder / "settings.jno", data_only=True)
    crux.export(u, folder / "u.stablehlo")
    square = jno.domain.rect(mesh_size=0.25)
    for suffix in ("msh", "vtu", "vtk"):
        square.export(folder / f"square.{suffix}")
    jno.domain.line(mesh_size=0.25, time=(0, 1, 3)).export(folder / "heat.pvd", fields={"u": np.zeros((3, 5))})
    np.savez(folder / "cloud.npz", interior=np.zeros((3, 2)), left=np.zeros((1, 2)))
    np.save(folder / "field.npy", np.zeros((4, 2), np.float32))
    eqx.tree_serialise_leaves(folder / "net.eqx", net.module)
    (folder / "losses.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    with contextlib.closing(Journal(folder / "sweep.jsonl", {"budget": 3}, 1)) as journal:
        journal.add(Outcome(0, {"width": 8}, 0.5, 1.0))
        journal.add(Outcome(1, {"width": 16}, 0.25, 1.0))
        journal.add(Outcome(2, {"width": 32}, None, 1.0, error="ValueError: x"))
    return folder


def inspected(path, capsys):
    """Title and rows of what the command prints."""
    assert main(["inspect", str(path)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    rows = dict(line.strip().split("  ", 1) for line in lines)
    return first.partition(": ")[2], {name: value.strip() for name, value in rows.items()}


def refused(path, capsys):
    """The one line of an error, with status 1."""
    assert main(["inspect", str(path)]) == 1
    return one_line_error(capsys)


# --- every format -----------------------------------------------------------------------------------------------
def test_a_saved_problem_is_described_by_its_header(files, capsys):
    title, rows = inspected(files / "problem.jno", capsys)
    assert title == "jno.core.core, a pickle"
    assert rows["size"] == f"{(files / 'problem.jno').stat().st_size:,} bytes"
    assert f"jno {jno.__version__}, jax {jax.__version__}" in rows["written with"]
    assert (rows["digest"], rows["signature"]) == ("SHA-256 fits", "none")
    assert rows["reading it"].startswith("runs the code in it")


def test_plain_data_of_a_problem(files, capsys):
    title, rows = inspected(files / "weights.jno", capsys)
    assert title == "jno.core.core, plain data"
    assert rows["weights of 'u'"].startswith("97 numbers in 6 arrays: float32[8,1] float32[8]")
    assert rows["models"] == "u (MLP)"
    assert (rows["epoch"], rows["reading it"]) == ("4", "runs no code")
    assert "11 points" in rows["domain"]


def test_plain_data_of_other_objects(files, capsys):
    _, rows = inspected(files / "settings.jno", capsys)
    assert rows["density"] == "998.0"
    assert rows["profile"] == "float64[5]"
    assert rows["names"] == "list of 2 entries"


@pytest.mark.parametrize("suffix", ["msh", "vtu", "vtk"])
def test_meshes(files, capsys, suffix):
    title, rows = inspected(files / f"square.{suffix}", capsys)
    assert title == f"a mesh (.{suffix})"
    assert (rows["dimension"], rows["points"]) == ("2", "25")
    assert rows["extent"] == "[0, 1] x [0, 1]"
    assert rows["elements"] == "32 x triangle, 16 x line"
    assert rows["tag 'interior'"] == "25 points, 32 cells"
    assert rows["tag 'left'"] == "5 points, 4 facets, with normals"


def test_a_series(files, capsys):
    title, rows = inspected(files / "heat.pvd", capsys)
    assert title == "a time series of meshes with fields (.pvd)"
    assert (rows["levels"], rows["times"]) == ("3 times", "0 to 1")


def test_a_series_without_its_files(files, capsys, tmp_path):
    (tmp_path / "heat.pvd").write_bytes((files / "heat.pvd").read_bytes())
    assert "names files that are not beside it: heat" in refused(tmp_path / "heat.pvd", capsys)


def test_exported_functions(files, capsys):
    title, rows = inspected(files / "u.stablehlo", capsys)
    assert title == "an exported function, StableHLO"
    assert (rows["inputs"], rows["outputs"]) == ("float32[n,1]", "float32[n,1]")
    assert rows["platforms"] == "cpu, cuda, tpu"


def test_exported_onnx(capsys, tmp_path):
    onnx = pytest.importorskip("onnx")
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Tanh", ["x"], ["y"])], "u", [x], [y])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], producer_name="jax2onnx")
    content = model.SerializeToString()
    (tmp_path / "u.onnx").write_bytes(content)
    title, rows = inspected(tmp_path / "u.onnx", capsys)
    assert title == "an exported function, ONNX"
    assert (rows["inputs"], rows["outputs"], rows["nodes"]) == ("x float[n,1]", "y float[n,1]", "1")
    assert "opset 21" in rows["versions"]
    (tmp_path / "u.onnx").write_bytes(content[:-20])
    assert "damaged, truncated or no ONNX file" in refused(tmp_path / "u.onnx", capsys)


def test_checkpoints(files, capsys):
    before = sorted(files.rglob("*"))
    title, rows = inspected(files / "checkpoints", capsys)
    assert title == "checkpoints of a training"
    assert (rows["checkpoints"], rows["described"]) == ("after 2, 4 epochs", "that after 4 epochs")
    assert rows["weights of 'u'"].startswith("97 numbers in 6 arrays")
    assert rows["optimizers"].startswith("195 numbers in 13 arrays")  # two moments and a counter
    _, rows = inspected(files / "checkpoints" / "2", capsys)
    assert rows["described"] == "that after 2 epochs"
    assert sorted(files.rglob("*")) == before


def test_checkpoints_are_ordered_by_number(files, capsys, tmp_path):
    for step, copied in (("2", "2"), ("2", "10"), ("4", "9")):
        shutil.copytree(files / "checkpoints" / step, tmp_path / "run" / copied)
    _, rows = inspected(tmp_path / "run", capsys)
    assert (rows["checkpoints"], rows["described"]) == ("after 2, 9, 10 epochs", "that after 10 epochs")


def test_arrays(files, capsys):
    assert inspected(files / "field.npy", capsys)[1]["holds"] == "8 numbers in 1 array: float32[4,2]"
    assert inspected(files / "net.eqx", capsys)[1]["holds"].startswith("97 numbers in 6 arrays")
    title, rows = inspected(files / "cloud.npz", capsys)
    assert title == "an archive of arrays (a point cloud for jno.domain)"
    assert (rows["interior"], rows["left"]) == ("float64[3,2]", "float64[1,2]")


def test_tables_and_journals(files, capsys):
    _, rows = inspected(files / "losses.csv", capsys)
    assert (rows["columns"], rows["rows"]) == ("2: epoch, loss", "2 rows")
    _, rows = inspected(files / "sweep.jsonl", capsys)
    assert rows["trials"] == "2 finished, 0 pruned, 1 failed"
    assert rows["best"] == '0.25 (trial 1): {"width": 16}'
    assert rows["sweep budget"] == "3"


def test_a_journal_that_is_being_written_is_left_alone(files, capsys, tmp_path):
    path, torn = tmp_path / "sweep.jsonl", (files / "sweep.jsonl").read_bytes()[:-9]
    path.write_bytes(torn)
    _, rows = inspected(path, capsys)
    assert rows["trials"] == "2 finished, 0 pruned, 0 failed"
    assert rows["last line"].startswith("cut off")
    assert path.read_bytes() == torn


# --- signatures -------------------------------------------------------------------------------------------------
def test_signatures(capsys, tmp_path, monkeypatch):
    key, pem = rsa.generate_private_key(public_exponent=65537, key_size=2048), pem_format.Encoding.PEM
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(pem, pem_format.PrivateFormat.PKCS8, pem_format.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem, pem_format.PublicFormat.SubjectPublicKeyInfo))
    path = tmp_path / "x.jno"
    jno.save(Exploding(), path, private_key_path=private)
    assert "not verified: no public key is configured" in inspected(path, capsys)[1]["signature"]
    title, rows = inspected(f"{path}.sig", capsys)
    assert (title, rows["signatures"]) == ("a signature of a file of jno.save", "1 (RSA-PSS, SHA-256)")
    monkeypatch.setenv("JNO_RSA_PUBLIC_KEY", str(public))
    assert "fits the file and the public key" in inspected(path, capsys)[1]["signature"]
    signature = (tmp_path / "x.jno.sig").read_bytes()
    (tmp_path / "x.jno.sig").write_bytes(signature[:-1] + bytes([signature[-1] ^ 1]))
    assert main(["inspect", str(path)]) == 1
    shown = capsys.readouterr()
    assert "signature     not valid" in shown.out
    assert "does not fit" in shown.err
    (tmp_path / "x.jno.sig").unlink()
    assert inspected(path, capsys)[1]["signature"] == "none; with the configured public key jno.load refuses the file"


# --- damaged files ----------------------------------------------------------------------------------------------
FILES = ("problem.jno", "weights.jno", "u.stablehlo", "square.msh", "square.vtu", "square.vtk", "heat.pvd", "cloud.npz")
FILES += ("field.npy", "net.eqx", "sweep.jsonl")


@pytest.mark.parametrize("name", sorted({*FILES} - {"sweep.jsonl"}))  # a journal may lack the end of its last line
def test_truncated_files_are_refused(files, capsys, tmp_path, name):
    content = (files / name).read_bytes()
    path = tmp_path / name
    for length in (len(content) // 3, 20, 0):
        path.write_bytes(content[:length])
        message = refused(path, capsys)
        assert path.name in message
        assert any(
            word in message for word in ("truncated", "damaged", "corrupt", "empty", "is no journal", "cannot be")
        )


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes_end_with_a_description_or_one_line(files, capsys, tmp_path, name):
    content = (files / name).read_bytes()
    path = tmp_path / name
    for seed in range(12):
        random = np.random.default_rng(seed)
        damaged = bytearray(content)
        for place in random.integers(len(content), size=4):
            damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        status = main(["inspect", str(path)])
        shown = capsys.readouterr()
        assert (status, shown.err.count("\n")) in ((0, 0), (1, 1))
        assert name != "problem.jno" or status == 1  # the digest covers every byte


def test_checkpoints_that_are_damaged(files, capsys, tmp_path):
    folder = tmp_path / "checkpoints"
    for path in (files / "checkpoints").rglob("*"):
        if path.is_file():
            copied = folder / path.relative_to(files / "checkpoints")
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
    (folder / "4" / "metadata" / "metadata").write_text('{"models": [')
    assert main(["inspect", str(folder)]) == 1
    shown = capsys.readouterr()
    assert "that after 2 epochs" in shown.out
    assert "4' is damaged, half-written or none" in shown.err
    for file in (folder / "2" / "state").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:40])
    assert "2' is damaged, half-written or none" in refused(folder, capsys)


# --- hostile files ----------------------------------------------------------------------------------------------
def test_a_pickle_is_never_read(capsys, tmp_path):
    jno.save(Exploding(), tmp_path / "x.jno")
    assert inspected(tmp_path / "x.jno", capsys)[0].endswith("Exploding, a pickle")
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Exploding()))
    assert "a pickle, which cannot be read without running" in refused(tmp_path / "x.pkl", capsys)
    np.save(tmp_path / "x.npy", np.array([Exploding()], dtype=object))
    assert "holds Python objects, which are pickles" in refused(tmp_path / "x.npy", capsys)
    np.savez(tmp_path / "x.npz", a=np.array([Exploding()], dtype=object))
    assert "would run code" in refused(tmp_path / "x.npz", capsys)


def test_a_pickle_that_says_it_is_data(capsys, tmp_path):
    payload = pickle.dumps(Exploding())
    (tmp_path / "x.jno").write_bytes(file_content({"kind": "a", "versions": {}}, payload, is_data=True))
    assert "is damaged: its data cannot be read" in refused(tmp_path / "x.jno", capsys)


def test_text_cannot_steer_the_terminal(capsys, tmp_path):
    escape = "\x1b[2J\x1b]0;owned\x07\n"
    (tmp_path / "x.jno").write_bytes(
        file_content({"kind": escape, "versions": {escape: escape}}, pickle.dumps(1), is_data=False)
    )
    jno.save({"a" + escape: "b" + escape}, tmp_path / "y.jno", data_only=True)
    (tmp_path / f"z{escape.strip()}.csv").write_text(f"a{escape},b\n1\n")
    statuses = [main(["inspect", str(path)]) for path in sorted(tmp_path.iterdir())]
    shown = capsys.readouterr()
    assert statuses == [0, 0, 1]
    assert "\\x1b[2J" in shown.out
    assert not set(shown.out + shown.err) & {"\x1b", "\x07"}
    assert shown.err.count("\n") == 1


def test_claims_are_compared_with_the_file(capsys, tmp_path):
    (tmp_path / "x.jno").write_bytes(MAGIC + struct.pack(">I", 2**30) + b"{}")
    assert "truncated or damaged" in refused(tmp_path / "x.jno", capsys)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\x93NUMPY" + bytes(300 * 2**20))
    assert "bytes of memory; the limit for it is" in refused(tmp_path / "x.npz", capsys)
    array = "x" + '<DataArray type="Float64" format="binary">AAAA</DataArray>'
    (tmp_path / "x.vtu").write_text(f'<VTKFile type="UnstructuredGrid">{array}</VTKFile>')
    assert "has no points" in refused(tmp_path / "x.vtu", capsys)
    (tmp_path / "x.jsonl").write_text('{"jno_sweep": 1, "in_flight": 1, "description": ' + "[" * 5000 + "\n")
    assert "x.jsonl" in refused(tmp_path / "x.jsonl", capsys)


def test_entities_of_xml_are_not_expanded(capsys, tmp_path):
    (tmp_path / "secret").write_text("secret text")
    outer = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    (tmp_path / "x.pvd").write_text(f'{outer}<VTKFile type="Collection"><DataSet timestep="0" file="&e;"/></VTKFile>')
    assert "secret text" not in refused(tmp_path / "x.pvd", capsys)
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "{"x" * 100}">{levels}]><VTKFile type="Collection">&e11;</VTKFile>'
    (tmp_path / "x.pvd").write_text(bomb)
    assert "damaged, truncated or no .pvd collection" in refused(tmp_path / "x.pvd", capsys)


def test_a_series_names_no_files_elsewhere(capsys, tmp_path):
    (tmp_path / "elsewhere").touch()
    for file in (str(tmp_path / "elsewhere"), "../elsewhere"):
        path = tmp_path / "folder" / "x.pvd"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'<VTKFile type="Collection"><DataSet timestep="0" file="{file}"/></VTKFile>')
        assert "files that are not beside it" in refused(path, capsys)


def test_a_script_that_is_called_a_mesh(capsys, tmp_path):
    marker = tmp_path / "ran"
    for name in ("x.msh", "x.med", "x.inp"):
        (tmp_path / name).write_text(f'SystemCall "touch {marker}";\nPoint(1) = {{0, 0, 0}};\n')
        refused(tmp_path / name, capsys)
    assert not marker.exists()


# --- what is not described --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("u.png", "is a picture: open it in a viewer"),
        ("run.html", "is a page: open it in a browser"),
        ("part.step", "is a CAD file"),
        ("notes.txt", "is of an unknown kind; jno inspect describes files of jno.save"),
    ],
)
def test_other_files(capsys, tmp_path, name, message):
    (tmp_path / name).write_text("text")
    assert message in refused(tmp_path / name, capsys)


def test_what_is_no_file(capsys, tmp_path):
    assert refused(tmp_path / "none.jno", capsys) == f"jno: error: no such file: {str(tmp_path / 'none.jno')!r}"
    assert "a directory without finished checkpoints" in refused(tmp_path, capsys)
    os.mkfifo(tmp_path / "pipe.msh")  # reading one would wait for ever
    assert "is neither a file nor a directory" in refused(tmp_path / "pipe.msh", capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(capsys, tmp_path):
    (tmp_path / "x.jno").touch(mode=0o000)
    assert "Permission denied" in refused(tmp_path / "x.jno", capsys)
