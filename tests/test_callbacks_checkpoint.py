"""Checkpoints: training that goes on is training that never stopped; damage and full disks do not end it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import orbax.checkpoint
import processes
import pytest

import jno
from jno.utils.callbacks import Callback, CheckpointCallback

ROOT = str(Path(__file__).parent.parent)


def problem(**options):
    """Two networks, noise, dropout, mini-batches of rows and balanced losses: everything random or with a state."""
    domain = 4 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior", (5, None))
    f = domain.variable("f", np.arange(4.0).reshape(4, 1))
    keys = jax.random.split(jax.random.PRNGKey(0))
    u = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, dropout_rate=0.2, key=keys[0]), name="u")
    v = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=keys[1]), name="v")
    u.optimizer(optax.adam(1e-2))
    v.optimizer(optax.sgd(1e-2, momentum=0.9))
    first, second = (u(x) - f * x + 0.1 * jno.noise.uniform()).mse, (v(x).d(x) - u(x)).mse
    w = jno.fn.adaptive.relobralo([first, second])
    return jno.core([w[0] * first, w[1] * second], **options), u, v


def arrays(*nets):
    return [
        np.asarray(leaf) for net in nets for leaf in jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array))
    ]


def test_training_goes_on_bit_for_bit(tmp_path):
    straight, *nets = problem()
    whole = straight.solve(60, batchsize=2).total_loss_history
    crux, *_ = problem()
    keep = CheckpointCallback(tmp_path, save_interval_epochs=10, max_to_keep=2)
    crux.solve(35, batchsize=2, callbacks=[keep])
    assert keep.all_steps() == [20, 30]
    assert keep.latest_step() == 30
    keep.close()
    resumed, *others = problem(resume_from=str(tmp_path))
    resumed.solve(10, batchsize=2)
    logs = resumed.solve(20, batchsize=2).training_logs  # a checkpoint is read once
    np.testing.assert_array_equal(np.concatenate([log["epoch"] for log in logs]), np.arange(30, 60))
    np.testing.assert_array_equal(np.concatenate([log["total_loss"] for log in logs]), whole[30:])
    for a, b in zip(arrays(*others), arrays(*nets), strict=True):
        np.testing.assert_array_equal(a, b)
    earlier, *_ = problem()
    found = earlier.restore_checkpoint(tmp_path, step=20).solve(40, batchsize=2).total_loss_history
    np.testing.assert_array_equal(found, whole[20:])


def resampled(**options):
    """Points that follow the residual, and a front with a state; on the boundary with inward normals."""
    domain = jno.domain.rect(mesh_size=0.2)
    front = jno.sampler.cr3(resample_every=5, start_epoch=0, alpha=20.0, gamma0=0.0, eta_g=0.02, epsilon=0.0)
    x, y, _ = domain.variable("interior", (30, "uniform"), resampling_strategy=front)
    rad = jno.sampler.rad(resample_every=10, resample_fraction=0.5, start_epoch=0, k=1)
    how = {"normals": True, "reverse_normals": True, "split": True, "resampling_strategy": rad}
    xb, yb, _, nx, ny = domain.variable("boundary", (20, "uniform"), **how)
    module = foundax.mlp(2, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))
    net = jno.nn(module, name="u").optimizer(optax.adam(1e-2))
    flux = nx * net(xb, yb).d(xb) + ny * net(xb, yb).d(yb)
    pde, edge = (net(x, y).laplacian(x, y) + jno.np.exp(5 * x)).mse, (flux + nx * xb - 0.5).mse
    return jno.core([pde, edge], **options), domain


def test_replaced_points_go_on(tmp_path):
    straight, domain = resampled()
    whole = straight.solve(40).total_loss_history
    crux, _ = resampled()
    keep = CheckpointCallback(tmp_path, save_interval_epochs=12)
    crux.solve(26, callbacks=[keep])
    keep.close()
    resumed, other = resampled(resume_from=str(tmp_path))
    np.testing.assert_array_equal(resumed.solve(16).total_loss_history, whole[24:])
    for tag in ("interior", "boundary", "n_boundary"):
        np.testing.assert_allclose(other.context[tag], domain.context[tag], rtol=1e-6)


KILLED = f"""
import sys
sys.path.insert(0, {ROOT + "/tests"!r})
from test_callbacks_checkpoint import problem
from jno.utils.callbacks import Callback, CheckpointCallback

class Tell(Callback):
    def on_epoch_end(self, *, epoch, **kw):
        print("EPOCH", epoch, flush=True)

crux, *_ = problem()
crux.solve(100_000, batchsize=2, callbacks=[CheckpointCallback(sys.argv[1], save_interval_epochs=10), Tell()])
"""


@pytest.mark.slow
def test_a_killed_process_is_resumed(tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("EPOCH") and int(line.split()[1]) >= 100:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    keep = CheckpointCallback(tmp_path)
    done = keep.latest_step()
    keep.close()
    assert done >= 90
    straight, *nets = problem()
    whole = straight.solve(done + 50, batchsize=2).total_loss_history
    resumed, *others = problem(resume_from=str(tmp_path))
    np.testing.assert_array_equal(resumed.solve(50, batchsize=2).total_loss_history, whole[done:])
    for a, b in zip(arrays(*others), arrays(*nets), strict=True):
        np.testing.assert_array_equal(a, b)


def _truncate(directory):
    for path in directory.rglob("*"):
        if path.is_file() and ("/d/" in str(path) or "ocdbt" in path.name):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_damaged_checkpoint_is_skipped(tmp_path):
    crux, *_ = problem()
    keep = CheckpointCallback(tmp_path, save_interval_epochs=5)
    crux.solve(15, callbacks=[keep])
    keep.close()
    _truncate(tmp_path / "15")
    with pytest.warns(UserWarning, match="checkpoint of step 15 .* is unreadable and skipped"):
        resumed, *_ = problem(resume_from=str(tmp_path))
    assert resumed.solve(1).training_logs[0]["epoch"].tolist() == [10]
    with pytest.raises(FileNotFoundError, match=r"step 15 .* cannot be read"):
        resumed.restore_checkpoint(tmp_path, step=15)
    half_written = tmp_path / "20.orbax-checkpoint-tmp-0"
    shutil.copytree(tmp_path / "10", half_written)
    again = CheckpointCallback(tmp_path)
    assert again.latest_step() == 15
    again.close()


def test_what_a_checkpoint_holds(tmp_path):
    crux, *_ = problem()
    keep = CheckpointCallback(tmp_path, save_interval_epochs=3, async_checkpointing=False)
    log = crux.solve(3, callbacks=[keep]).training_logs[0]
    found = keep.restore()
    assert set(found) == {"trainable", "fixed", "opt_states", "rng", "metadata"}
    assert found["fixed"] == {}
    assert set(found["trainable"]) == {"u", "v"}
    metadata = found["metadata"]
    assert metadata["epoch"] == 3
    np.testing.assert_allclose(metadata["total_loss"], log["total_loss"][-1], rtol=1e-6)
    np.testing.assert_allclose(metadata["individual_losses"], log["losses"][-1], rtol=1e-6)
    assert {"timestamp", "checkpoint_dir"} <= set(metadata)
    np.testing.assert_array_equal(found["rng"], crux.rng)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of step 7 .* there are \[3\]"):
        keep.restore(7)
    keep.close()


def test_the_best_are_kept(tmp_path):
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(-0.1))
    crux = jno.core([p**2], domain=domain)
    keep = CheckpointCallback(tmp_path, 1, max_to_keep=2, best_fn=lambda m: m["total_loss"])
    crux.solve(6, callbacks=[keep])
    assert keep.all_steps() == [1, 2]  # the loss grows
    keep.close()


def test_a_run_without_a_checkpoint_is_told_once(tmp_path, capsys):
    crux, *_ = problem()
    with_one = CheckpointCallback(tmp_path / "one", save_interval_epochs=2)
    without = CheckpointCallback(tmp_path / "none")
    for times in (1, 0):
        crux.solve(2, callbacks=[with_one, without])
        told = capsys.readouterr().out
        assert told.count("no checkpoint was written to") == times
        assert f"{tmp_path / 'one'}:" not in told


@pytest.mark.parametrize(("mode", "epochs"), [("min", [2, 3]), ("max", [0])])
def test_the_best_of_a_tracked_value_is_kept(tmp_path, mode, epochs):
    """``p`` is 3, 2, 1, 0, -1, …: nearest to 0.2 after three epochs, furthest at the start."""
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter((), name="p").initialize(3.0).optimizer(optax.sgd(1.0))
    crux = jno.core([p, (p - 0.2).mse.tracker().name("error")], domain=domain)
    keep = CheckpointCallback(tmp_path, 3, monitor="error", mode=mode)
    crux.solve(5, callbacks=[keep])
    assert keep.all_steps() == epochs
    found = keep.restore()
    (value,) = jax.tree_util.tree_leaves(found["trainable"])
    assert float(value) == 3.0 - epochs[-1]
    assert found["metadata"]["monitored"] == pytest.approx((float(value) - 0.2) ** 2, rel=1e-5)
    keep.close()
    with pytest.raises(ValueError, match=r"monitor='error', best_fn=...\): both say what the best is"):
        CheckpointCallback(tmp_path, monitor="error", best_fn=lambda m: 0.0)
    with pytest.raises(ValueError, match=r"mode='max'\): it says what is better of monitor=, which is missing"):
        CheckpointCallback(tmp_path, mode="max")


def test_outer_steps_and_the_interval_of_checkpoints(tmp_path):
    """Called after 3, 6, 9, … epochs, it writes at the first call after every fourth epoch."""
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(0.1))
    keep = CheckpointCallback(tmp_path, 4, max_to_keep=None)
    jno.core([p**2], domain=domain).solve(15, inner_steps=3, callbacks=[keep])
    assert keep.all_steps() == [6, 9, 12]
    keep.close()


FULL = f"""
import resource, signal, sys, warnings
sys.path.insert(0, {ROOT + "/tests"!r})
from test_callbacks_checkpoint import problem
from jno.utils.callbacks import Callback, CheckpointCallback

class Full(Callback):
    def on_epoch_end(self, *, epoch, **kw):
        if epoch == 12:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

crux, *_ = problem()
keep = CheckpointCallback(sys.argv[1], save_interval_epochs=5, async_checkpointing=False)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    history = crux.solve(40, callbacks=[keep, Full()])
told = [str(w.message) for w in caught if "could not be written" in str(w.message)]
print("RESULT", len(history.total_loss_history), len(told), keep.all_steps())
"""


@pytest.mark.slow
def test_a_full_disk_does_not_stop_training(tmp_path):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=500
    )
    assert "RESULT 40 1 [5, 10]" in done.stdout, done.stdout + done.stderr
    resumed, *_ = problem(resume_from=str(tmp_path))
    assert resumed.solve(1).training_logs[0]["epoch"].tolist() == [10]


GONE = f"""
import pathlib, sys, threading, warnings
sys.path.insert(0, {ROOT + "/tests"!r})
from test_callbacks_checkpoint import problem
from jno.utils.callbacks import Callback, CheckpointCallback

folder = pathlib.Path(sys.argv[1])

class Gone(Callback):
    def on_epoch_end(self, *, epoch, **kw):
        if epoch == 12:
            keep._guarded(keep._folder.wait)
            folder.rename(folder.with_name("elsewhere"))
            folder.write_text("a file where the directory was")

crux, *_ = problem()
keep = CheckpointCallback(folder, save_interval_epochs=5)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    history = crux.solve(30, callbacks=[keep, Gone()])
    keep.close()
told = [str(w.message) for w in caught if "could not be written" in str(w.message)]
others = [thread for thread in threading.enumerate() if thread is not threading.current_thread() and not thread.daemon]
for thread in others:  # the workers of an event loop that was closed end a moment later
    thread.join(60)
threads = [thread.name for thread in others if thread.is_alive()]
print("RESULT", len(history.total_loss_history), len(told), "Not a directory" in told[0], threads)
"""


@pytest.mark.slow
def test_a_failure_in_the_background_is_one_line_and_leaves_no_thread(tmp_path):
    """Threads of Orbax waited for ten minutes, and the process with them."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-c", GONE, str(tmp_path / "checkpoints")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "RESULT 30 1 True []" in done.stdout, done.stdout + done.stderr
    assert done.stderr == ""


# --- one writer at a time -----------------------------------------------------------------------------------------
HOLDER = """
import sys, time
from pathlib import Path
from jno.utils import WriterLock

lock = WriterLock(Path(sys.argv[1]) / ".lock")
assert lock.acquire()
print("LOCKED", flush=True)
time.sleep(600)
"""


def test_a_directory_that_another_process_writes_is_refused_until_it_ends(tmp_path):
    holder = processes.start(HOLDER, str(tmp_path))
    assert holder.stdout.readline() == "LOCKED\n"
    crux, *_ = problem()
    keep = CheckpointCallback(tmp_path, 2)
    place = re.escape(socket.gethostname())
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+ s ago\)"
    whose = rf"checkpoints are being written to .* by process {holder.pid} on {place} since {moment}: use another"
    with pytest.raises(RuntimeError, match=whose):
        crux.solve(2, callbacks=[keep])
    assert crux.training_logs == []
    holder.kill()
    holder.communicate()
    crux.solve(2, callbacks=[keep])
    assert keep.all_steps() == [2]
    keep.close()


def test_two_trainings_of_one_process_do_not_share_a_directory(tmp_path):
    outer, *_ = problem()
    inner, *_ = problem()
    keep, others = CheckpointCallback(tmp_path, 2), CheckpointCallback(tmp_path, 2)

    class Nested(Callback):
        def on_epoch_end(self, **kw):
            inner.solve(2, callbacks=[others])

    with pytest.raises(RuntimeError, match=f"are being written to .* by process {os.getpid()} "):
        outer.solve(4, callbacks=[keep, Nested()])
    # the training that failed has let go of it
    inner.solve(2, callbacks=[others])
    assert others.all_steps() == [2]
    # and sees what was written meanwhile
    with pytest.raises(ValueError, match="holds a checkpoint after 2 epochs, this training begins at epoch 1"):
        outer.solve(4, callbacks=[keep])
    inner.solve(2, callbacks=[others])
    assert others.all_steps() == [2, 4]
    keep.close()
    others.close()


# --- errors -----------------------------------------------------------------------------------------------------
def test_a_directory_of_another_run_is_refused(tmp_path):
    crux, *_ = problem()
    first = CheckpointCallback(tmp_path, 2)
    crux.solve(4, callbacks=[first])
    first.close()
    other, *_ = problem()
    second = CheckpointCallback(tmp_path, 2)
    with pytest.raises(ValueError, match="holds a checkpoint after 4 epochs, this training begins at epoch 0"):
        other.solve(2, callbacks=[second])
    second.close()


def test_nothing_to_resume_from(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint directory"):
        problem(resume_from=str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="holds no checkpoint that can be read"):
        problem(resume_from=str(tmp_path))


def test_a_checkpoint_of_another_problem(tmp_path):
    crux, *_ = problem()
    keep = CheckpointCallback(tmp_path, 2)
    crux.solve(2, callbacks=[keep])
    keep.close()
    other, u, _ = problem(resume_from=str(tmp_path))
    u.optimizer(optax.sgd(1e-2))
    with pytest.raises(ValueError, match="the optimizer states of the checkpoint do not fit"):
        other.solve(1)
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    alone = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))).optimizer(optax.adam(1e-2))
    single = jno.core([alone(x).mse], resume_from=str(tmp_path))
    with pytest.raises(ValueError, match=r"2 trained models \(u, v\), this core has 1"):
        single.solve(1)


def test_a_directory_or_a_run_is_needed():
    with pytest.raises(ValueError, match="give a directory or call"):
        CheckpointCallback()
    with pytest.raises(ValueError, match="must be at least 1"):
        CheckpointCallback("somewhere", save_interval_epochs=0)


# --- weights of a model -----------------------------------------------------------------------------------------
def _network(hidden=4, name="u", seed=5):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    module = foundax.mlp(1, hidden_dims=hidden, num_layers=1, key=jax.random.PRNGKey(seed))
    return jno.nn(module, name=name), x


@pytest.mark.parametrize("newest", [True, False])
def test_initialize_from_a_checkpoint(tmp_path, newest):
    crux, _, v = problem()
    keep = CheckpointCallback(tmp_path, 2)
    crux.solve(2, callbacks=[keep])
    keep.close()
    net, x = _network()
    where = tmp_path if newest else tmp_path / "2"
    jno.core([net.initialize(f"{where}::v").freeze()(x).mse])
    for a, b in zip(arrays(net), arrays(v), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"several models; write .*::model' with one of u, v"):
        jno.core([net.initialize(str(where))(x).mse])
    with pytest.raises(ValueError, match="no model 'w' in the checkpoint; it has u, v"):
        jno.core([net.initialize(f"{where}::w")(x).mse])
    wide, x = _network(hidden=8)
    with pytest.raises(ValueError, match=r"weight: \(8, 1\) float32 expected, \(4, 1\) float32 in the checkpoint"):
        jno.core([wide.initialize(f"{where}::u")(x).mse])
    with pytest.raises(FileNotFoundError, match="no such checkpoint directory"):
        jno.core([wide.initialize(f"{tmp_path}/nowhere::u")(x).mse])


def test_initialize_from_a_module_that_orbax_saved(tmp_path):
    source, _ = _network(seed=9)
    with orbax.checkpoint.StandardCheckpointer() as writer:
        writer.save(tmp_path / "weights", eqx.filter(source.module, eqx.is_array))
    net, x = _network()
    jno.core([net.initialize(tmp_path / "weights")(x).mse])
    for a, b in zip(arrays(net), arrays(source), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_number_names_an_unnamed_model(tmp_path):
    source, x = _network(name="")
    crux = jno.core([source.optimizer(optax.adam(1e-2))(x).mse])
    keep = CheckpointCallback(tmp_path, 1)
    crux.solve(1, callbacks=[keep])
    keep.close()
    net, x = _network(name="")
    jno.core([net.initialize(f"{tmp_path}::{source.layer_id}")(x).mse])
    for a, b in zip(arrays(net), arrays(source), strict=True):
        np.testing.assert_array_equal(a, b)
