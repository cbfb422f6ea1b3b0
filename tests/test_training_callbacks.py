"""Callbacks and trackers: what the loop calls, when, and that looking does not change the training."""

import csv

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.utils.callbacks import Callback


def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    return domain, x


def descent(*extra, start=2.0):
    """``p²`` with rate 0.1: the loss of epoch k is ``4 * 0.64**k``."""
    domain, _ = line()
    p = jno.np.parameter(()).initialize(start).optimizer(optax.sgd(0.1))
    return jno.core([p**2, *(make(p) for make in extra)], domain=domain), p


class Recorder(Callback):
    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.begins, self.epochs, self.ends = [], [], 0

    def on_solve_begin(self, **kw):
        self.begins.append(kw)

    def on_epoch_end(self, **kw):
        self.epochs.append(kw)
        return self.stop_at is not None and kw["epoch"] >= self.stop_at

    def on_training_end(self):
        self.ends += 1


# --- callbacks --------------------------------------------------------------------------------------------------
def test_the_hooks_and_their_keywords():
    crux, _ = descent(lambda p: p.name("value"), lambda p: p.tracker())
    recorder = Recorder()
    crux.solve(3, callbacks=[recorder])
    (begin,) = recorder.begins
    assert set(begin) == {
        "compiled_constraints_fn", "n_constraints", "batchsize", "frozen", "static", "trainable", "context", "rng",
        "epoch", "min_consecutive", "constraint_exprs", "constraint_names", "tracker_names", "all_ops", "domain",
    }  # fmt: skip
    assert begin["n_constraints"] == 2
    assert begin["constraint_names"] == ["C0", "value"]
    assert begin["domain"] is crux.domain
    assert begin["constraint_exprs"] == crux.constraints
    assert len(begin["all_ops"]) == 3
    assert begin["batchsize"] is None
    assert begin["min_consecutive"] == 1
    assert [kw["epoch"] for kw in recorder.epochs] == [0, 1, 2]
    assert set(recorder.epochs[0]) == {
        "epoch", "trainable", "opt_states", "rng", "total_loss", "individual_losses", "log", "context",
        "snapshot", "tracked", "measured",
    }  # fmt: skip
    assert recorder.ends == 1


def test_the_losses_a_callback_sees_are_those_of_the_history():
    crux, p = descent(lambda p: p)
    recorder = Recorder()
    log = crux.solve(4, callbacks=[recorder]).training_logs[0]
    np.testing.assert_array_equal([kw["individual_losses"] for kw in recorder.epochs], log["losses"])
    np.testing.assert_allclose([kw["total_loss"] for kw in recorder.epochs], log["total_loss"], rtol=1e-6)
    assert isinstance(recorder.epochs[0]["total_loss"], float)
    last = recorder.epochs[-1]["trainable"][p.model.layer_id]
    assert float(last.value) == float(p.module.value)


def test_epochs_go_on_in_the_next_solve():
    crux, _ = descent()
    recorder = Recorder()
    crux.solve(2, callbacks=[recorder])
    crux.solve(2, callbacks=[recorder])
    assert [kw["epoch"] for kw in recorder.epochs] == [0, 1, 2, 3]
    assert (len(recorder.begins), recorder.ends) == (2, 2)


def test_called_once_per_outer_step():
    crux, _ = descent()
    recorder = Recorder()
    history = crux.solve(6, inner_steps=3, callbacks=[recorder])
    assert [kw["epoch"] for kw in recorder.epochs] == [2, 5]
    assert len(history.total_loss_history) == 6


def test_trackers_do_not_split_outer_steps():
    crux, _ = descent(lambda p: p.tracker(interval=2), lambda p: p.tracker(interval=3))
    recorder = Recorder()
    history = crux.solve(12, inner_steps=6, callbacks=[recorder])
    assert [kw["epoch"] for kw in recorder.epochs] == [5, 11]
    for entry, interval in zip(history.training_logs[0]["track_stats"], (2, 3), strict=True):
        epochs = np.arange(0, 12, interval)
        np.testing.assert_array_equal(entry["epoch"], epochs)
        np.testing.assert_allclose(entry["values"], 2.0 * 0.8**epochs, rtol=1e-5)


def test_outer_steps_may_be_longer_than_one_device_call():
    crux, _ = descent()
    recorder = Recorder()
    crux.solve(1500, inner_steps=1500, callbacks=[recorder])
    assert [kw["epoch"] for kw in recorder.epochs] == [1499]


def test_a_callback_stops_the_training():
    crux, p = descent()
    stopper, other = Recorder(stop_at=2), Recorder()
    history = crux.solve(50, callbacks=[stopper, other])
    np.testing.assert_array_equal(history.training_logs[0]["epoch"], [0, 1, 2])
    assert "callback at epoch 2" in history.training_logs[0]["stop_reason"]
    assert [kw["epoch"] for kw in other.epochs] == [0, 1, 2]
    assert (stopper.ends, other.ends) == (1, 1)
    np.testing.assert_allclose(float(p.module.value), 2.0 * 0.8**3, rtol=1e-6)
    again = crux.solve(2)
    np.testing.assert_array_equal(again.training_logs[1]["epoch"], [3, 4])
    assert "stop_reason" not in again.training_logs[1]


def test_a_callback_without_hooks_changes_nothing():
    crux, p = descent()
    plain, q = descent()
    crux.solve(5, callbacks=[Callback()])
    plain.solve(5)
    assert float(p.module.value) == float(q.module.value)


@pytest.mark.parametrize("wrong", [print, Recorder, "early_stopping", None], ids=["function", "class", "name", "None"])
def test_no_callback(wrong):
    crux, _ = descent()
    with pytest.raises(
        TypeError, match=r"callbacks must be jno\.utils\.callbacks\.Callback instances or metric loggers"
    ):
        crux.solve(1, callbacks=[wrong])


class Failing(Callback):
    def on_epoch_end(self, **kw):
        if kw["epoch"] == 2:
            raise RuntimeError("broken callback")


@pytest.mark.parametrize("finite_check", ["1", "0"])
def test_an_interruption_keeps_weights_history_and_states(monkeypatch, finite_check):
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", finite_check)
    crux, p = descent()
    whole, q = descent()
    for parameter in (p, q):
        parameter.optimizer(optax.adam(0.1))
    crux.solve(1)
    with pytest.raises(RuntimeError, match="broken callback"):
        crux.solve(5, callbacks=[Failing()])
    whole.solve(3)
    assert float(p.module.value) == float(q.module.value)
    np.testing.assert_array_equal(crux.rng, whole.rng)
    history, wanted = crux.solve(2), whole.solve(2)
    np.testing.assert_array_equal(history.total_loss_history, wanted.total_loss_history)
    np.testing.assert_array_equal(np.concatenate([log["epoch"] for log in history.training_logs]), np.arange(5))


# --- trackers -----------------------------------------------------------------------------------------------------
def test_each_tracker_has_its_own_interval():
    crux, _ = descent(
        lambda p: p.tracker(interval=2), lambda p: (2.0 * p).name("double").tracker(interval=3), lambda p: p.tracker()
    )
    assert (crux.n_constraints, len(crux.trackers), len(crux.constraints)) == (1, 3, 1)
    log = crux.solve(7).training_logs[0]
    assert log["losses"].shape == (7, 1)
    first, second, third = log["track_stats"]
    assert [entry["name"] for entry in (first, second, third)] == ["T0", "double", "T2"]
    np.testing.assert_array_equal(first["epoch"], [0, 2, 4, 6])
    np.testing.assert_array_equal(second["epoch"], [0, 3, 6])
    np.testing.assert_array_equal(third["epoch"], np.arange(7))
    np.testing.assert_allclose(first["values"], 2.0 * 0.8 ** np.array([0, 2, 4, 6]), rtol=1e-5)
    np.testing.assert_allclose(second["values"], 4.0 * 0.8 ** np.array([0, 3, 6]), rtol=1e-5)


def test_trackers_of_one_label_stay_apart():
    crux, _ = descent(lambda p: p.name("p").tracker(interval=2), lambda p: (2.0 * p).name("p").tracker(interval=2))
    first, second = crux.solve(3).training_logs[0]["track_stats"]
    assert (first["name"], second["name"]) == ("p", "p")
    np.testing.assert_allclose(second["values"], 2.0 * np.asarray(first["values"]), rtol=1e-6)


def test_intervals_count_the_epochs_of_all_solves():
    crux, _ = descent(lambda p: p.tracker(interval=4))
    crux.solve(3)
    log = crux.solve(6).training_logs[1]
    np.testing.assert_array_equal(log["track_stats"][0]["epoch"], [4, 8])


def test_the_value_is_that_of_eval():
    domain, x = line()
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    crux = jno.core([p**2, (p * x).tracker(interval=2)], domain=domain)
    before = np.asarray(crux.eval(p * x))[0]
    values = crux.solve(3).training_logs[0]["track_stats"][0]["values"]
    assert values.shape == (2, 5, 1)
    np.testing.assert_array_equal(values[0], before)


def test_reduce_sees_the_value():
    shapes = []

    def largest(value):
        shapes.append(value.shape)
        return value.max()

    domain, x = line()
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    crux = jno.core([p**2, (p * x).tracker(reduce=largest)], domain=domain)
    log = crux.solve(2).training_logs[0]
    np.testing.assert_allclose(log["track_stats"][0]["values"], [2.0, 1.6], rtol=1e-6)
    assert shapes == [(5, 1), (5, 1)]


def test_two_trackers_of_one_expression_keep_their_reductions():
    domain, x = line()
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    crux = jno.core([p**2, (p * x).tracker(reduce=np.max), (p * x).tracker(reduce=np.min)], domain=domain)
    high, low = crux.solve(1).training_logs[0]["track_stats"]
    assert (float(high["values"][0]), float(low["values"][0])) == (2.0, 0.0)


def test_trackers_use_all_samples():
    domain = 3 * jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    f = domain.variable("f", np.array([[1.0], [10.0], [100.0]]))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([(f * x).mean + 0.0 * p, (f + 0.0 * x).mean.tracker()])
    values = crux.solve(2, batchsize=1).training_logs[0]["track_stats"][0]["values"]
    np.testing.assert_allclose(values, [[1.0, 10.0, 100.0]] * 2, rtol=1e-6)


def test_looking_does_not_change_the_training():
    def run(*extra):
        domain, x = line()
        p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
        noisy = (p * x - 1.0 + jno.noise.gaussian()).mse
        crux = jno.core([noisy, *(make(noisy) for make in extra)], domain=domain)
        return crux.solve(9, callbacks=[Recorder()] if extra else None).total_loss_history

    np.testing.assert_array_equal(run(), run(lambda e: e.tracker(interval=2), lambda e: (e * 2.0).tracker(interval=5)))


def test_a_model_that_occurs_in_a_tracker_only():
    domain, x = line()
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    reference = jno.nn(linear(3.0))
    crux = jno.core([p**2, (reference(x) - p * x).tracker()], domain=domain)
    values = crux.solve(1).training_logs[0]["track_stats"][0]["values"]
    np.testing.assert_allclose(values[0][:, 0], np.linspace(0.0, 1.0, 5), rtol=1e-6, atol=1e-6)


def linear(slope):
    module = eqx.nn.Linear(1, 1, use_bias=False, key=jax.random.PRNGKey(0))
    return eqx.tree_at(lambda m: m.weight, module, jnp.array([[slope]]))


@pytest.mark.parametrize("interval", [0, -1, True])
def test_bad_interval(interval):
    with pytest.raises(ValueError, match="the interval must be an integer of at least 1"):
        jno.np.parameter(()).tracker(interval=interval)


def test_bad_reduce():
    with pytest.raises(TypeError, match="reduce must be callable"):
        jno.np.parameter(()).tracker(reduce="max")


def test_only_trackers():
    _, x = line()
    with pytest.raises(ValueError, match="at least one constraint"):
        jno.core([x.mse.tracker()]).solve(1)


# --- metric loggers -----------------------------------------------------------------------------------------------
def test_a_table_of_losses_and_tracked_values(tmp_path):
    crux, _ = descent(lambda p: (p + 1.0).name("shifted"), lambda p: p.tracker(interval=2).name("value"))
    table = jno.loggers.csv(tmp_path / "losses.csv")
    log = crux.solve(5, callbacks=[table]).training_logs[0]
    crux.solve(2, callbacks=[table])
    rows = list(csv.DictReader((tmp_path / "losses.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(7))
    np.testing.assert_allclose([float(row["shifted"]) for row in rows[:5]], log["losses"][:, 1], rtol=1e-6)
    np.testing.assert_allclose([float(row["total_loss"]) for row in rows[:5]], log["total_loss"], rtol=1e-6)


class Told(jno.loggers.MetricLogger):
    """Remembers what it was told."""

    def __init__(self):
        self.calls = []

    def begin(self, run):
        self.calls.append(("begin", run))

    def log_losses(self, epochs, losses, seconds):
        self.calls.append(("losses", epochs.tolist()))

    def log_value(self, name, epoch, value):
        self.calls.append(("value", name, epoch, float(value)))

    def end(self, reason):
        self.calls.append(("end", reason))


def test_what_a_logger_is_told():
    named = lambda p: (1.0 * p).name("value").tracker(interval=3)  # noqa: E731
    crux, _ = descent(named, named)
    told = Told()
    crux.solve(4, inner_steps=2, callbacks=[told, Recorder(stop_at=3)])
    (_, run), *middle, (_, reason) = told.calls
    assert run.constraint_names == ("C0",)
    assert len(set(run.tracker_names)) == 2
    assert (run.first_epoch, run.planned_epochs, run.options["inner_steps"]) == (0, 4, 2)
    assert [epoch for kind, epochs, *_ in middle if kind == "losses" for epoch in epochs] == [0, 1, 2, 3]
    values = [call for call in middle if call[0] == "value"]
    assert [(name, epoch) for _, name, epoch, _ in values] == [(n, e) for e in (0, 3) for n in run.tracker_names]
    np.testing.assert_allclose([value for *_, value in values], [2.0, 2.0, 2.0 * 0.8**3, 2.0 * 0.8**3], rtol=1e-6)
    assert "callback at epoch 3" in reason
