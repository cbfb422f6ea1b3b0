"""Ctrl-C, as a signal to a process: training returns the history so far and goes on, no process stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
import pytest

HEAD = """
import json, multiprocessing, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # heard in the background, too
import foundax, jax, numpy as np, optax
import jno

def network(key=0):
    return foundax.mlp(1, hidden_dims=8, num_layers=2, key=jax.random.PRNGKey(key))

domain = jno.domain.line(mesh_size=0.1)
x, _ = domain.variable("interior")
options = {}
"""

TAIL = """
print("READY", flush=True)
crux.solve(10**7, **options)
log = crux.training_logs[-1]
print("SOLVED", flush=True)
options.update(again)
crux.solve(2, **options)
later = crux.training_logs[-1]
finite = all(np.isfinite(leaf).all() for leaf in jax.tree_util.tree_leaves(crux.models) if hasattr(leaf, "shape"))
epochs = np.concatenate([entry["epoch"] for entry in crux.training_logs]).tolist()
print("RESULT", json.dumps({
    "reason": log["stop_reason"],
    "rows": len(log["total_loss"]),
    "later": [len(later["total_loss"]), "stop_reason" in later],
    "finite": bool(finite),
    "consecutive": epochs == list(range(len(epochs))),
    "threads": sorted(t.name for t in threading.enumerate() if not t.daemon),
}))
"""

TRAINING = """
crux = jno.core([(jno.nn(network(), name="u").optimizer(optax.adam(1e-3))(x) - x).mse])
again = {}
"""

# the chains start in one program, which runs to its end: the interruption comes after it
ADAPTATION = """
import blackjax
u = jno.nn(network(), name="u").bayesian(blackjax.nuts, warmup=400, likelihood_scale=10.0)
crux = jno.core([(u(x) - x).mse])
again = {}
"""

PATHFINDER = """
import blackjax
u = jno.nn(network(), name="u").initialize(jno.bayesian.pathfinder())
u.bayesian(blackjax.hmc, warmup=0, step_size=1e-3, num_integration_steps=3)
crux = jno.core([(u(x) - x).mse])
again = {}
"""

DATA = """
class Slow:
    \"\"\"Rows that come from far away.\"\"\"

    def __init__(self, rows):
        self.rows, self.shape, self.dtype, self.ndim = rows, rows.shape, rows.dtype, rows.ndim

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        print("READING", flush=True)
        time.sleep(0.2)
        return self.rows[key]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.rows, dtype)

many = 8 * domain
x, _ = many.variable("interior")
f = many.variable("f", Slow(np.arange(8.0, dtype=np.float32).reshape(8, 1)))
crux = jno.core([(jno.nn(network(), name="u").optimizer(optax.adam(1e-3))(x) - f * x).mse])
options = {"batchsize": 2, "offload_data": True}
again = {}
"""


def interrupted(program, marker, *, delay=0.0, lines=1, **environment):
    """What the program says about itself, after Ctrl-C when it has printed the marker so many times."""
    process = processes.start(HEAD + program + TAIL, **environment)
    output = until(process, marker, lines)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    remaining, _ = processes.finished(process)
    output += remaining
    assert process.returncode == 0, output
    (result,) = [line for line in output.splitlines() if line.startswith("RESULT ")]
    return processes.json.loads(result.removeprefix("RESULT "))


def until(process, marker, lines=1):
    """The output up to the line that begins with the marker for this time."""
    output = ""
    for line in process.stdout:
        output += line
        lines -= line.startswith(marker)
        if not lines:
            return output
    raise AssertionError(output)


def assert_usable(result):
    assert result["later"] == [2, False]
    assert result["finite"]
    assert result["consecutive"]


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0])
def test_while_programs_are_compiled(delay):
    result = interrupted(TRAINING, "INFO: compiling", delay=delay)
    assert result["reason"].startswith("interrupted ")
    assert_usable(result)


@pytest.mark.slow
def test_while_training():
    result = interrupted(TRAINING, "INFO: epoch", delay=2.0)
    assert result["reason"] == f"interrupted after epoch {result['rows'] - 1}"
    assert result["rows"] > 1
    assert result["threads"] == ["MainThread"]
    assert_usable(result)


@pytest.mark.slow
def test_before_anything_is_built():
    # a moment later: a signal that comes before solve() has begun interrupts the script itself
    result = interrupted(TRAINING, "READY", delay=0.05)
    assert (result["reason"], result["rows"]) == ("interrupted before epoch 0", 0)
    assert_usable(result)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "line", "moment"),
    [
        pytest.param(ADAPTATION, "INFO: u: window adaptation", {}, id="chains adapt"),
        *(pytest.param(PATHFINDER, "READY", {"delay": delay}, id=f"pathfinder {delay}") for delay in (0.5, 2.0)),
        *(pytest.param(DATA, "READING", {"lines": lines}, id=f"data are read {lines}") for lines in (1, 5)),
    ],
)
def test_while_it_prepares(script, line, moment):
    result = interrupted(script, line, **moment)
    assert result["reason"].startswith("interrupted ")
    assert_usable(result)


# --- sweeps -------------------------------------------------------------------------------------------------------
SWEEP = """
if __name__ == "__main__":
    u = jno.nn(network(), name="u").optimizer(optax.adam(1e-3))
    crux = jno.core([(u(x) - x).mse])
    space = jno.np.tune.space().unique("epochs", [3, 10**7, 10**7 + 1])
    space.unique("optimizer", [optax.sgd(1e-3), optax.sgd(1e-4)])
    before = np.asarray(crux.eval(u(x)))
    print("READY", flush=True)
    try:
        crux.sweep(space, None, None, journal=sys.argv[1], **json.loads(sys.argv[2]))
    except KeyboardInterrupt:
        print("STOPPED", flush=True)
    children = [child.pid for child in multiprocessing.active_children()]
    same = bool((np.asarray(crux.eval(u(x))) == before).all())
    crux.solve(2)
    print("RESULT", json.dumps([children, same, len(crux.training_logs[-1]["total_loss"])]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", ['{"devices": 2}', '{"devices": 1}', '{"executor": 2}'], ids=["threads", "here", "processes"]
)
def test_in_a_sweep(tmp_path, options):
    """Two trials have finished, two (or one) that would train for hours are running."""
    script, journal = tmp_path / "script.py", tmp_path / "journal.jsonl"
    script.write_text(HEAD + SWEEP)
    process = subprocess.Popen(
        [sys.executable, script, journal, options],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    until(process, "READY")
    deadline = time.monotonic() + 200
    while not journal.exists() or len(journal.read_text().splitlines()) < 3:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    children = children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = processes.finished(process)
    assert process.returncode == 0, output
    assert "STOPPED" in output
    assert "RESULT [[], true, 2]" in output
    while any(map(is_alive, children)):  # that of multiprocessing itself ends when it sees that the others have
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert bool(children) == ("executor" in options)


def children_of(pid):
    """Of all its threads."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for text in texts for child in text.split()]


def is_alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
