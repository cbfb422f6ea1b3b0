"""``~`` in every path that users may pass."""

import json
from pathlib import Path

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import pytest

import jno
from jno._cli import main
from jno.utils import CheckpointCallback, Logger, get_runs_base_dir


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory, and a working directory in which nothing may be written."""
    folder, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(elsewhere)
    yield folder
    assert list(elsewhere.iterdir()) == []


def problem():
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)), name="u")
    u = net.optimizer(optax.sgd(0.1))(x)
    return jno.core([(u - x).mse]), net, u


def same(first, second):
    arrays = [[leaf for leaf in jax.tree_util.tree_leaves(tree) if eqx.is_array(leaf)] for tree in (first, second)]
    return all(np.array_equal(a, b) for a, b in zip(*arrays, strict=True))


def written_by_training(logger):
    problem()[0].solve(1, callbacks=[logger])


def callback_plotted():
    norms = jno.callbacks.gradient_norms(interval=1)
    written_by_training(norms)
    norms.plot("~/x.png")


def swept():
    crux, _, _ = problem()
    crux.sweep(jno.np.tune.space().unique("epochs", [1, 2]), None, None, journal="~/sweep.jsonl")
    return crux


WRITERS = {
    "save": lambda: jno.save([1], "~/x"),
    "core.save": lambda: problem()[0].save("~/x"),
    "print_tree": lambda: problem()[0].print_tree("~/x"),
    "core.export": lambda: (lambda crux, _, u: crux.export(u, "~/x.stablehlo"))(*problem()),
    "domain.export": lambda: jno.domain.rect(mesh_size=0.5).export("~/x.vtu"),
    "export_vtk": lambda: jno.domain.rect(mesh_size=0.5).export_vtk("~/x.vtk"),
    "export_msh": lambda: jno.domain.rect(mesh_size=0.5).export_msh("~/x.msh"),
    "plot_mesh": lambda: jno.domain.rect(mesh_size=0.5).plot_mesh("~/x.png"),
    "csv": lambda: written_by_training(jno.loggers.csv("~/x.csv")),
    "tensorboard": lambda: written_by_training(jno.loggers.tensorboard("~/x")),
    "callback.plot": callback_plotted,
    "statistics.plot": lambda: problem()[0].solve(1).plot("~/x.png"),
    "Logger": lambda: Logger("~/x").quiet("text"),
    "journal": swept,
    "tuning_history.plot": lambda: swept().tuning_history.plot("~/x.png"),
    "demo": lambda: main(["demo", "poisson", "--out=~/x", "--epochs=1"]),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_written(home, writer):
    WRITERS[writer]()
    assert list(home.iterdir())


def test_runs(home, monkeypatch):
    (home / "script.py").touch()
    monkeypatch.setenv("JNO_LOG_DIR", "~/results")
    assert get_runs_base_dir() == str(home / "results")
    assert Path(jno.setup("~/script.py")) == (home / "results" / "script").resolve()
    jno.utils.init_default_logger(force=True)
    problem()[0].solve(1).plot()
    assert [path.suffix for path in (home / "results").iterdir() if path.is_file()] == [".png"]


def test_what_is_read(home):
    crux, net, _ = problem()
    keep = CheckpointCallback("~/checkpoints", 1, async_checkpointing=False)
    crux.solve(1, callbacks=[keep])
    keep.close()
    assert (home / "checkpoints" / "1").is_dir()
    crux.restore_checkpoint("~/checkpoints").solve(1)
    crux.save("~/core.jno")
    assert same(jno.core.load("~/core.jno").models, crux.models)
    eqx.tree_serialise_leaves(home / "net.eqx", net.module)
    for weights in ("~/checkpoints", "~/checkpoints::u", "~/net.eqx", Path("~/net.eqx")):
        other, loaded, _ = problem()
        loaded.initialize(weights)
        other.compile()
        assert not same(loaded.module, problem()[1].module)
    (home / "k.json").write_text(json.dumps({"density": 2.0}))
    assert jno.np.constant("fluid", "~/k.json").density.value == 2.0
    np.savez(home / "cloud.npz", sensors=np.zeros((3, 2)))
    assert jno.domain("~/cloud.npz").dimension == 2
    jno.domain.rect(mesh_size=0.5).export(str(home / "m.vtu"))
    assert jno.domain("~/m.vtu").dimension == 2


def test_signed_files(home):
    pem = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    (home / "private.pem").touch(mode=0o600)
    (home / "private.pem").write_bytes(private)
    public = key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)
    (home / "public.pem").write_bytes(public)
    jno.save([1], "~/x", "~/public.pem", "~/private.pem")
    assert (home / "x.sig").is_file()
    assert jno.load("~/x", "~/public.pem") == jno.load("~/x", "~/public.pem", "~/x.sig") == [1]
