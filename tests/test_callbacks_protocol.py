"""When callbacks fire, what they keep, that they change nothing; early stopping."""

import cloudpickle
import numpy as np
import optax
import pytest

import jno
from jno.trace import FunctionCall

ANALYSES = (
    "gradient_norms", "cos_similarity", "gradient_alignment", "loss_landscape", "hessian_spectrum", "ntk_spectrum",
    "input_sensitivity", "residual_stats",
)  # fmt: skip


def noisy_problem():
    """A random fit of a line with all callbacks; ``traced`` counts compilations."""
    traced = []

    def counted(value):
        traced.append(value)
        return value

    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.adam(0.1))
    u = FunctionCall(counted, [p * x], align="broadcast")
    loss = (u - 1.0 + jno.noise.gaussian()).mse
    crux = jno.core([loss, p**2])
    given = {
        "loss_landscape": {"n_grid": 3},
        "ntk_spectrum": {"grad_expr": u.grad(p)},
        "input_sensitivity": {"expr": u},
    }
    callbacks = [getattr(jno.callbacks, name)(interval=3, **given.get(name, {})) for name in ANALYSES]
    return crux, callbacks, traced


def test_names():
    for name in ANALYSES:
        assert getattr(jno.trackers, name) is getattr(jno.callbacks, name)


def test_looking_changes_nothing_and_compiles_once():
    plain, _, _ = noisy_problem()
    crux, callbacks, traced = noisy_problem()
    crux.solve(5, callbacks=callbacks)
    compiled = len(traced)
    history = crux.solve(5, callbacks=callbacks)
    assert len(traced) == compiled
    plain.solve(5)
    np.testing.assert_array_equal(history.total_loss_history, plain.solve(5).total_loss_history)
    for callback in callbacks:
        np.testing.assert_array_equal(callback.result["epochs"], [0, 3, 6, 9])
        assert callback.latest_epoch == 9
        names = set(callback.fields) | {"epochs"}
        assert set(callback.result) == names
        assert all(len(callback.result[name]) == 4 for name in names - {"indices"})


def test_files():
    """A core that is saved takes the history of its callbacks with it, and both go on."""
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    norms, kernel = jno.callbacks.gradient_norms(interval=1), jno.callbacks.ntk_spectrum((p * x).grad(p), interval=1)
    first, second = (p * x - 1.0).mse, (p * x).mse
    w = jno.fn.adaptive.gradient_norm_balanced([first, second], norms)
    v = jno.fn.adaptive.ntk_balanced([first, second], [kernel, kernel])
    crux = jno.core([w[0] * v[0] * first, w[1] * v[1] * second])
    crux.solve(2, callbacks=[norms, kernel])
    again, norms_again, kernel_again = cloudpickle.loads(cloudpickle.dumps((crux, norms, kernel)))
    assert kernel_again.value["trace"] == kernel.value["trace"]
    np.testing.assert_array_equal(norms_again.result["norms"], norms.result["norms"])
    again.solve(2, callbacks=[norms_again, kernel_again])
    crux.solve(2, callbacks=[norms, kernel])
    np.testing.assert_array_equal(norms_again.result["epochs"], [0, 1, 2, 3])
    np.testing.assert_allclose(norms_again.result["norms"], norms.result["norms"], rtol=1e-6)


def descent():
    """``p²`` with rate 0.1: the loss of epoch k is ``4 · 0.64^k``."""
    domain = jno.domain.line(mesh_size=0.5)
    domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    return jno.core([p**2], domain=domain)


@pytest.mark.parametrize(("inner", "interval", "epochs"), [(3, 2, [2, 5, 8, 11]), (3, 4, [2, 5, 8]), (6, 100, [5])])
def test_with_inner_steps_the_first_call_after_an_interval_measures(inner, interval, epochs):
    norms = jno.callbacks.gradient_norms(interval=interval)
    descent().solve(12, inner_steps=inner, callbacks=[norms])
    np.testing.assert_array_equal(norms.result["epochs"], epochs)
    np.testing.assert_allclose(norms.result["norms"][:, 0], 4.0 * 0.8 ** (np.array(epochs) + 1.0), rtol=1e-5)


def test_a_later_solve_keeps_to_the_interval():
    crux, norms = descent(), jno.callbacks.gradient_norms(interval=4)
    crux.solve(3)
    crux.solve(7, callbacks=[norms])
    np.testing.assert_array_equal(norms.result["epochs"], [4, 8])


def test_another_core_begins_a_new_history():
    norms = jno.callbacks.gradient_norms(interval=1)
    descent().solve(2, callbacks=[norms])
    descent().solve(3, callbacks=[norms])
    np.testing.assert_array_equal(norms.result["epochs"], [0, 1, 2])


def test_another_shape_begins_a_new_history():
    """With one parameter frozen there is one eigenvalue left."""
    domain = jno.domain.line(mesh_size=0.5)
    p, q = (jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(0.1)) for _ in range(2))
    crux, spectrum = jno.core([p**2 - q**2], domain=domain), jno.callbacks.hessian_spectrum(interval=1)
    crux.solve(2, callbacks=[spectrum])
    np.testing.assert_allclose(spectrum.result["eigvals"], [[2.0, -2.0]] * 2, rtol=1e-5)
    q.freeze()
    crux.solve(1, callbacks=[spectrum])
    np.testing.assert_array_equal(spectrum.result["epochs"], [2])
    np.testing.assert_allclose(spectrum.result["eigvals"], [[2.0]], rtol=1e-5)


@pytest.mark.parametrize("interval", [0, True])
def test_interval(interval):
    with pytest.raises(ValueError, match="interval must be an integer of at least 1"):
        jno.callbacks.gradient_norms(interval=interval)


def test_a_plot_of_nothing(tmp_path):
    norms = jno.callbacks.gradient_norms()
    assert norms.latest_epoch is None
    with pytest.warns(UserWarning, match="GradientNorms has measured nothing: nothing to plot"):
        assert norms.plot(tmp_path / "p.png") is norms
    assert not list(tmp_path.iterdir())


def test_the_default_file_of_a_plot(tmp_path, monkeypatch):
    monkeypatch.setenv("JNO_LOG_DIR", str(tmp_path))
    norms = jno.callbacks.gradient_norms()
    descent().solve(1, callbacks=[norms])
    norms.plot()
    assert (tmp_path / "GradientNorms.png").stat().st_size > 5000


# --- early stopping -----------------------------------------------------------------------------------------------
def stopped(epochs=40, inner_steps=1, metrics=None, **options):
    """Stop on given metrics, one per call."""
    given = iter(metrics)
    stop = jno.callbacks.early_stopping(metric_fn=lambda **kw: next(given), **options)
    history = descent().solve(epochs, inner_steps=inner_steps, callbacks=[stop])
    return stop, history.training_logs[0]


@pytest.mark.parametrize(
    ("mode", "min_delta", "metrics", "best", "epoch"),
    [
        ("min", 0.0, [5.0, 4.0, 4.0, 4.0, 4.0], 4.0, 4),
        ("min", 0.5, [5.0, 4.6, 4.4, 4.0, 4.0, 4.0], 4.4, 5),
        ("max", 0.0, [1.0, 0.5, 2.0, 1.0, 1.5, 2.0], 2.0, 5),
        ("rel", 0.1, [100.0, 91.0, 89.0, 81.0, 81.0, 81.0], 89.0, 5),
        ("rel", 0.1, [-100.0, -109.0, -111.0, -121.0, -121.0, -121.0], -111.0, 5),
        ("min", 0.0, [np.nan, 3.0, np.nan, np.nan, np.nan], 3.0, 4),
    ],
)
def test_stops_after_patience(mode, min_delta, metrics, best, epoch):
    stop, log = stopped(metrics=metrics, mode=mode, min_delta=min_delta, patience=3)
    assert (stop.best_metric, stop.stopped_epoch, stop.has_stopped) == (best, epoch, True)
    assert len(log["epoch"]) == epoch + 1
    assert log["stop_reason"] == f"stopped by a callback at epoch {epoch}"


def test_a_baseline_must_be_improved_on():
    stop, _ = stopped(metrics=[5.0, 4.0, 3.0, 2.0], baseline=1.0, patience=4)
    assert (stop.best_metric, stop.stopped_epoch) == (1.0, 3)
    later, again = descent(), jno.callbacks.early_stopping(metric_fn=lambda **kw: 5.0, baseline=1.0, patience=4)
    later.solve(5)
    later.solve(40, callbacks=[again])
    assert again.stopped_epoch == 8  # of epochs 5 to 8 none is better


def test_patience_counts_epochs():
    """Seen at epochs 4, 9, 14: without improvement after the first, six epochs have passed at 14."""
    stop, _ = stopped(metrics=[5.0, 5.0, 5.0, 5.0], inner_steps=5, patience=6)
    assert stop.stopped_epoch == 14
    stop, _ = stopped(metrics=[5.0, 5.0], inner_steps=5, patience=6, baseline=5.0)
    assert stop.stopped_epoch == 9


def test_the_total_loss_is_the_metric(capsys):
    """``4 · 0.64^k`` is 0.275, 0.176, 0.113, 0.072, 0.046 from epoch 6 on: epoch 8 is 0.1 below epoch 6."""
    stop = jno.callbacks.early_stopping(patience=2, min_delta=0.1)
    crux = descent()
    crux.solve(100, callbacks=[stop])
    assert stop.stopped_epoch == 10
    np.testing.assert_allclose(stop.best_metric, 4.0 * 0.64**8, rtol=1e-5)
    assert "early stopping at epoch 10: no improvement" in capsys.readouterr().out
    stop.verbose = False
    crux.solve(1, callbacks=[stop])
    assert (stop.has_stopped, stop.stopped_epoch) == (False, None)
    assert "early stopping" not in capsys.readouterr().out


def test_early_stopping_options():
    make = jno.callbacks.early_stopping
    with pytest.raises(ValueError, match=r"mode='low'\): mode must be one of 'min', 'max', 'rel'"):
        make(mode="low")
    with pytest.raises(ValueError, match="patience must be an integer of at least 1"):
        make(patience=0)
    with pytest.raises(ValueError, match="min_delta must be at least 0"):
        make(min_delta=-1.0)
    with pytest.raises(TypeError, match="metric_fn must be callable"):
        make(metric_fn="loss")
    with pytest.raises(ValueError, match=r"metric_fn=..., restore_best=True\): .* monitor="):
        make(metric_fn=lambda **kw: 0.0, restore_best=True)
    with pytest.raises(ValueError, match=r"metric_fn=..., monitor='error'\)"):
        make(metric_fn=lambda **kw: 0.0, monitor="error")


# --- the best weights ---------------------------------------------------------------------------------------------
def swinging(interval=1):
    """A parameter that swings around its minimum, with a tracked value that is least elsewhere."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter((), name="p").initialize(3.0).optimizer(optax.sgd(0.3, momentum=0.9))
    error = (p - 1.2).mse.tracker(interval=interval).name("error")
    return p, jno.core([(p**2).name("loss"), error], domain=domain)


@pytest.mark.parametrize("inner", [1, 4])
@pytest.mark.parametrize("monitor", [None, "total_loss", "loss", "error"])
def test_the_best_weights_are_restored(inner, monitor):
    """They have the value that was best of those that were seen, not that of an update later."""
    p, crux = swinging()
    stop = jno.callbacks.early_stopping(patience=8, restore_best=True, monitor=monitor)
    log = crux.solve(40, inner_steps=inner, callbacks=[stop]).training_logs[0]
    value = float(p.module.value)
    if monitor == "error":
        seen = log["track_stats"][0]["values"].ravel()[stop.best_epoch]
        assert stop.best_metric == pytest.approx((value - 1.2) ** 2, rel=1e-5) == seen
    else:
        assert stop.best_metric == pytest.approx(value**2, rel=1e-5) == log["total_loss"][stop.best_epoch]
    if inner == 1:
        rows = log["track_stats"][0]["values"].ravel() if monitor == "error" else log["total_loss"]
        assert stop.best_epoch == np.argmin(rows)


def test_the_best_weights_are_restored_without_a_stop():
    p, crux = swinging()
    stop = jno.callbacks.early_stopping(restore_best=True, verbose=False)
    log = crux.solve(12, callbacks=[stop]).training_logs[0]
    assert not stop.has_stopped
    assert float(p.module.value) ** 2 == pytest.approx(np.min(log["total_loss"]), rel=1e-5)
    again = crux.solve(1).training_logs[1]  # goes on from there
    assert again["total_loss"][0] == pytest.approx(np.min(log["total_loss"]), rel=1e-5)


def test_a_tracker_is_seen_when_it_is_evaluated():
    _, crux = swinging(interval=5)
    stop = jno.callbacks.early_stopping(patience=3, monitor="error", min_delta=100.0)
    crux.solve(40, callbacks=[stop])
    assert stop.stopped_epoch == 5


def test_what_cannot_be_monitored():
    _, crux = swinging()
    with pytest.raises(ValueError, match=r"monitor='eror'\) is no label of 'total_loss', 'loss', 'error': label what"):
        crux.solve(1, callbacks=[jno.callbacks.early_stopping(monitor="eror")])
    two = [jno.callbacks.early_stopping(restore_best=True) for _ in range(2)]
    with pytest.raises(ValueError, match="would each restore other weights at the end; let only one do so"):
        crux.solve(1, callbacks=two)
    p = jno.np.parameter((), name="p").initialize(3.0).optimizer(optax.sgd(0.1))
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    field = jno.core([p**2 + 0 * x, (p * x).tracker().name("field")])
    with pytest.raises(ValueError, match=r"monitor='field'\): the tracked value has shape .*; reduce it to one number"):
        field.solve(1, callbacks=[jno.callbacks.early_stopping(monitor="field")])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: jno.callbacks.checkpoint("c", save_interval_epochs=2.5),
            "save_interval_epochs must be an integer",
        ),
        (lambda: jno.callbacks.checkpoint("c", best_fn=lambda: 1.0), "best_fn must be a function of the losses"),
        (lambda: jno.callbacks.checkpoint(5), r"checkpoint\(directory=5\): directory must be the path"),
        (lambda: jno.callbacks.early_stopping(verbose="no"), "verbose must be True or False"),
        (lambda: jno.callbacks.early_stopping(min_delta=float("inf")), "min_delta=inf"),
        (lambda: jno.callbacks.early_stopping(mode=["min"]), r"mode=\['min'\]"),
        (lambda: jno.callbacks.gradient_norms(mask=3), r"GradientNorms\(mask=3\): mask must be a pytree of booleans"),
        (lambda: jno.callbacks.hessian_spectrum(constraints="abc"), "constraints must be a list of constraints"),
        (lambda: jno.callbacks.loss_landscape(alpha_range=float("nan")), "alpha_range must be above 0, and finite"),
        (lambda: jno.callbacks.gradient_norms().plot([]), r"plot\(path=\[\]\): path must be the path"),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()
