"""Trials in threads, in processes, on Dask: pinned to devices, in an order that does not depend on their times."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pytest

import jno
from jno.tuner._device_config import DeviceConfig
from jno.tuner._search import Resources, search
from jno.tuner._strategies import Strategy
from jno.tuner._trial import Outcome
from jno.utils import ad_mode

ROOT = str(Path(__file__).parent.parent)


class Given(Strategy):
    """Asks for given configurations."""

    def __init__(self, values):
        self.values = list(values)
        self.total = len(self.values)
        self.told = []

    def ask(self):
        return self.values.pop(0) if self.values else None

    def tell(self, values, objective):
        self.told.append((values["x"], objective))


class Contracting(Strategy):
    """Asks for points around the best one told: what it asks depends on everything told before."""

    def __init__(self, trials):
        self.left = self.total = trials
        self.step = 1.0
        self.best = (0.0, float("inf"))

    def ask(self):
        if not self.left:
            return None
        self.left -= 1
        self.step *= -0.9
        return {"x": self.best[0] + self.step, "number": self.left}

    def tell(self, values, objective):
        if objective is not None and objective < self.best[1]:
            self.best = (values["x"], objective)


def labels(values):
    return dict(values)


def swept(run, strategy, **options):
    return search(run, strategy, labels, Resources(**options), {"what": "test"})


def points(n):
    return Given({"x": float(x)} for x in range(n))


# --- what runs: these functions go to other processes by their name -----------------------------------------------
def outcome(trial, objective, **found):
    return Outcome(trial.number, trial.labels, objective, 0.0, **found)


def quadratic(trial, *, rule):
    """The objective by JAX; as "rungs" the process, the thread, the device and the width of a number."""
    value = (jnp.asarray(trial.configuration["x"], float) - 2.0) ** 2
    where = (os.getpid(), threading.get_ident(), next(iter(value.devices())).id, value.dtype.itemsize)
    return outcome(trial, float(value), rungs={key: float(number) for key, number in enumerate(where)})


def deadly(trial, *, rule):
    if trial.configuration["x"] == 2.0:
        os.kill(os.getpid(), signal.SIGKILL)
    return quadratic(trial, rule=rule)


def dangerous(trial, *, rule):
    if trial.number == 3:
        raise LookupError("cannot find it")
    if trial.number == 5:
        sys.exit("no licence")
    found = deadly(trial, rule=rule)
    found.rungs[4] = float(ad_mode.get_ad_mode() == "forward")
    return found


def early_and_late(trial, *, rule):
    """Even trials take longer than odd ones."""
    time.sleep(0.02 * (1 - trial.number % 2))
    return quadratic(trial, rule=rule)


def late_and_early(trial, *, rule):
    time.sleep(0.01 * (trial.number % 3))
    return quadratic(trial, rule=rule)


def endless(trial, *, rule):
    if trial.number > 1:
        time.sleep(60)
    return outcome(trial, 0.0)


# --- this process -------------------------------------------------------------------------------------------------
def test_one_device_runs_trials_in_the_calling_thread():
    strategy = points(4)
    history = swept(quadratic, strategy, devices=1)
    assert [o.objective for o in history] == [4.0, 1.0, 0.0, 1.0]
    assert strategy.told == [(0.0, 4.0), (1.0, 1.0), (2.0, 0.0), (3.0, 1.0)]
    assert {o.rungs[1] for o in history} == {threading.get_ident()}
    assert history.best_trial.configuration == {"x": 2.0}


def test_trials_do_not_depend_on_their_times():
    """Three in flight: trial n + 3 is asked for after trial n was told, whichever ended first."""

    def by_hand():
        strategy, asked, waiting = Contracting(12), [], []
        while True:
            while len(waiting) < 3 and (values := strategy.ask()) is not None:
                asked.append(values["x"])
                waiting.append(values)
            if not waiting:
                return asked
            values = waiting.pop(0)
            strategy.tell(values, float((jnp.float32(values["x"]) - 2.0) ** 2))

    expected = by_hand()
    for run in (early_and_late, late_and_early):
        with ThreadPoolExecutor(3) as executor:
            history = swept(run, Contracting(12), executor=executor, workers=3)
        assert [trial.configuration["x"] for trial in history.trials] == expected
        assert [outcome.number for outcome in history] == list(range(12))


DEVICES = """
import json, sys
sys.path.insert(0, "tests")
import equinox as eqx, jax, optax
import jno
from jno.tuner._device_config import DeviceConfig
from test_tuner_pool import outcome, points, quadratic, swept

def trained(trial, *, rule):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    net = jno.nn(eqx.nn.Linear(1, 1, key=jax.random.PRNGKey(trial.number))).optimizer(optax.sgd(1e-2))
    crux = jno.core([(net(x) - x).mse])
    crux.solve(2)
    leaves = [leaf for leaf in jax.tree_util.tree_leaves(net.module) if isinstance(leaf, jax.Array)]
    used = {d.id for leaf in leaves for d in leaf.devices()} | {d.id for d in crux.eval(net(x)).devices()}
    assert len(used) == 1, used
    return outcome(trial, 1.0, rungs={2: float(used.pop())})

def objectives(devices):
    k = jno.np.parameter((), name="k").initialize(0.0)
    crux = jno.core([(k - 1.0).mse], domain=jno.domain.line(mesh_size=0.5))
    space = jno.np.tune.space().unique("epochs", [5]).unique("optimizer", [optax.sgd(0.1), optax.sgd(0.2)])
    crux.sweep(space, None, None, devices=devices)
    return [o.objective for o in crux.tuning_history]

found = {"all": [o.rungs[2] for o in swept(quadratic, points(6))]}
found["listed"] = [o.rungs[2] for o in swept(quadratic, points(4), devices=[3, 1])]
found["two"] = [o.rungs[2] for o in swept(quadratic, points(4), devices=2)]
with jax.enable_x64(True):
    found["bytes"] = [o.rungs[3] for o in swept(quadratic, points(2), devices=2)]
found["trained"] = [o.rungs[2] for o in swept(trained, points(2), devices=[2, 0])]
found["sweeps"] = [objectives(1), objectives(2)]
for name, spec in (("many", 5), ("index", [1, 4]), ("twice", [1, 1])):
    try:
        DeviceConfig.from_spec(spec)
    except ValueError as error:
        found[name] = str(error)
print("RESULT " + json.dumps(found))
"""


def test_trials_are_pinned_to_devices():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", DEVICES], capture_output=True, text=True, cwd=ROOT, env=os.environ | flags
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert found["all"] == [0, 1, 2, 3, 0, 1]
    assert found["listed"] == [3, 1, 3, 1]
    assert found["two"] == [0, 1, 0, 1]
    assert found["bytes"] == [8, 8]
    assert found["trained"] == [2, 0]
    assert found["sweeps"][0] == found["sweeps"][1]
    assert found["sweeps"][0] == pytest.approx([0.8**10, 0.6**10], rel=1e-4)
    assert found["many"].startswith("devices=5: JAX has 4 cpu devices; give a number in 1 … 4")
    assert "the indices [1, 4] must be different and in 0 … 3" in found["index"]
    assert "the indices [1, 1] must be different" in found["twice"]


def test_device_specifications():
    everything = DeviceConfig("cpu", (0,))
    assert DeviceConfig.auto_detect() == everything
    for spec in (None, 1, "cpu", [0], (0,), everything):
        assert DeviceConfig.from_spec(spec) == everything
    assert everything.devices == jax.local_devices()
    for spec in (0, True, 1.5, [], [0.0], [True], {"cpu": 1}, "tensor", "gpu"):
        with pytest.raises(ValueError, match="devices"):
            DeviceConfig.from_spec(spec)
    with pytest.raises(ValueError, match="no devices of platform 'tensor' here"):
        DeviceConfig.from_spec("tensor")


def test_options_that_cannot_be_honoured():
    with pytest.raises(TypeError, match=r"executor=.dask.: expected None .* a number of processes or a concurrent"):
        swept(quadratic, points(1), executor="dask")
    with pytest.raises(ValueError, match="executor=0: expected an integer of at least 1"):
        swept(quadratic, points(1), executor=0)
    with pytest.raises(ValueError, match="workers=2 is for executor=<an Executor>"):
        swept(quadratic, points(1), executor=2, workers=2)
    with pytest.raises(TypeError, match="prune='median': expected True or False"):
        swept(quadratic, points(1), prune="median")
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ValueError, match="does not say how many trials it runs at a time: give workers="):
            swept(quadratic, points(1), executor=executor)
        with pytest.raises(ValueError, match="workers=0: expected an integer of at least 1"):
            swept(quadratic, points(1), executor=executor, workers=0)


# --- processes ----------------------------------------------------------------------------------------------------
def test_a_process_of_our_own_that_ends_loses_its_trial_only():
    ad_mode.set_ad_mode("forward")
    strategy = points(8)
    with jax.enable_x64(True):
        history = swept(dangerous, strategy, executor=2)
    assert [o.objective for o in history] == [4.0, 1.0, None, None, 4.0, None, 16.0, 25.0]
    assert strategy.told[2:4] == [(2.0, None), (3.0, None)]
    killed, raised, left = history.failed
    assert killed.error == "WorkerDiedError: the worker process died (killed by SIGKILL)"
    assert raised.error == "LookupError: cannot find it"
    assert 'raise LookupError("cannot find it")' in raised.traceback
    assert left.error.startswith("WorkerDiedError: the worker process died (exit status 1; see its messages above.")
    # even trials run in one process, odd ones in the other; both were replaced
    pid = {o.number: o.rungs[0] for o in history if o.error is None}
    assert pid[4] == pid[6]
    assert len({os.getpid(), pid[0], pid[1], pid[4], pid[7]}) == 5
    assert {(o.rungs[3], o.rungs[4]) for o in history if o.error is None} == {(8.0, 1.0)}
    assert not multiprocessing.active_children()


def test_an_executor_of_processes_and_what_follows_when_it_breaks():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        fine = swept(quadratic, points(3), executor=executor, workers=2)
        assert [o.objective for o in fine] == [4.0, 1.0, 0.0]
        theirs = {o.rungs[0] for o in fine}
        assert os.getpid() not in theirs
        with pytest.warns(UserWarning, match="a process of the ProcessPoolExecutor died.*executor=2"):
            history = swept(deadly, points(5), executor=executor, workers=2)
    assert [o.objective for o in history] == [4.0, 1.0, None, 1.0, 4.0]
    assert history.outcomes[2].error == "WorkerDiedError: the worker process died (killed by SIGKILL)"
    assert history.outcomes[4].rungs[0] not in theirs


@pytest.fixture
def heard_interrupts():
    """Ctrl-C raises here also where the tests themselves were started to ignore it (in the background, with nohup)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_interrupts")
def test_ctrl_c_ends_processes_and_keeps_the_journal(tmp_path, capsys):
    journal = tmp_path / "sweep.jsonl"

    def interrupt():
        while not journal.exists() or len(journal.read_text().splitlines()) < 3:
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        swept(endless, points(9), executor=1, journal=journal)
    thread.join()
    assert not multiprocessing.active_children()
    assert len(journal.read_text().splitlines()) == 3
    assert f"the sweep was interrupted; its 2 trials are in {journal}: sweep again to go on" in capsys.readouterr().out


def test_a_sweep_in_processes_is_that_of_this_process(tmp_path):
    """Closures among the options go along; the journal of one goes on in the other."""

    def swept_core(steps, **options):
        k = jno.np.parameter((), name="k").initialize(0.0)
        crux = jno.core([(k - 1.0).mse], domain=jno.domain.line(mesh_size=0.5))
        space = jno.np.tune.space().unique("epochs", [5]).unique("optimizer", [optax.sgd(step) for step in steps])
        history = crux.sweep(space, None, None, **options)
        return crux, history.total_loss

    journal = tmp_path / "sweep.jsonl"
    here, loss = swept_core([0.025, 0.25])
    there, same = swept_core([0.025, 0.25], executor=1, journal=journal)
    # k after n updates: 1 - (1 - 2 step)^n
    expected = [(1 - 2 * step) ** 10 for step in (0.025, 0.25)]
    assert [o.objective for o in there.tuning_history] == pytest.approx(expected, rel=1e-5)
    assert [o.objective for o in there.tuning_history] == [o.objective for o in here.tuning_history]
    assert loss == same
    again, _ = swept_core([0.025, 0.25], journal=journal)
    assert again.tuning_history.outcomes == there.tuning_history.outcomes
    with pytest.raises(ValueError, match="is the journal of another sweep: space was"):
        swept_core([0.025], journal=journal)


@pytest.mark.slow
def test_a_script_that_sweeps_when_it_is_imported(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import jno, optax\n"
        "k = jno.np.parameter((), name='k').initialize(0.0)\n"
        "crux = jno.core([(k - 1.0).mse], domain=jno.domain.line(mesh_size=0.5))\n"
        "space = jno.np.tune.space().unique('epochs', [1]).unique('optimizer', [optax.sgd(0.1)])\n"
        "crux.sweep(space, None, None, executor=1)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "in a process that runs trials of a sweep: put what the script does under if __name__ ==" in done.stderr
    assert "every trial failed (1 of 1); the first one with WorkerDiedError: the worker process died" in done.stderr


def test_dask():
    """A worker process that is killed is replaced by Dask; its trial fails, the others do not."""
    import dask
    from distributed import Client, LocalCluster

    once = {"distributed.scheduler.allowed-failures": 0, "distributed.logging.distributed": "critical"}
    with (
        dask.config.set(once),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        history = swept(deadly, points(6), executor=client.get_executor(), workers=2)
    objectives = [o.objective for o in history]
    assert objectives == [4.0, 1.0, None, 1.0, 4.0, 9.0]
    assert history.outcomes[2].error.startswith("KilledWorker: ")
    assert os.getpid() not in {o.rungs[0] for o in history if o.error is None}
