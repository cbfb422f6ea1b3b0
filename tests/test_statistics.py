"""jno.utils.statistics and the callback protocol."""

import numpy as np
import pytest

import jno.utils
from jno.utils import _history_figure as history_figure
from jno.utils.callbacks import Callback
from jno.utils.statistics import statistics


def make_log(n=20, first_epoch=0, **extra):
    losses = np.stack([2.0 ** -np.arange(n), 3.0 ** -np.arange(n)], axis=1)
    return {
        "epoch": np.arange(first_epoch, first_epoch + n),
        "total_loss": losses.mean(axis=1),
        "losses": losses,
        "timestamps": 0.5 + 0.01 * np.arange(n),
        "training_time": 0.7,
        "constraint_names": ["interior", "boundary"],
        "trainable_params": 1234,
        "frozen_params": 5,
        "total_params": 1239,
        "lora_params": 0,
        **extra,
    }


def axes_of(logs):
    return history_figure.history_figure(logs).axes


def test_losses_over_several_solves():
    logs = [make_log(3), make_log(2)]
    history = statistics(logs)
    assert history.total_loss == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert isinstance(history.total_loss, float)
    np.testing.assert_allclose(history.total_loss_history, [1, 5 / 12, (1 / 4 + 1 / 9) / 2, 1, 5 / 12], rtol=1e-12)
    assert history.training_logs[-1]["total_loss"].shape == (2,)
    assert repr(history).startswith("statistics(solves=2, epochs=5, total_loss=0.41")


def test_history_is_a_snapshot():
    logs = [make_log(3)]
    history = statistics(logs)
    logs.append(make_log(2))
    assert history.total_loss_history.shape == (3,)


@pytest.mark.parametrize("logs", [[], [{"total_loss": np.zeros(0)}]])
def test_without_training(logs, tmp_path, capsys):
    history = statistics(logs)
    assert history.total_loss is None
    assert history.total_loss_history.shape == (0,)
    with pytest.warns(UserWarning, match="nothing to plot"):
        assert history.plot(tmp_path / "x.png") is history
    assert not (tmp_path / "x.png").exists()
    assert history.summary() is history
    assert "epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("logs", "error", "message"),
    [
        ({}, TypeError, "list of logs .* got dict"),
        ([1], TypeError, "log 0 must be a dict, got int"),
        ([make_log(), {"epoch": [0]}], ValueError, r"log 1 has no 'total_loss'; it has \['epoch'\]"),
    ],
)
def test_wrong_logs(logs, error, message):
    with pytest.raises(error, match=message):
        statistics(logs)


def test_save_and_load(tmp_path):
    history = statistics([make_log()])
    assert history.save(tmp_path / "a" / "history.jno") is history
    loaded = statistics.load(tmp_path / "a" / "history.jno")
    assert isinstance(loaded, statistics)
    np.testing.assert_array_equal(loaded.total_loss_history, history.total_loss_history)


def test_load_rejects_other_objects(tmp_path):
    jno.utils.save([1], tmp_path / "x")
    with pytest.raises(TypeError, match=r"builtins\.list, expected jno\.utils\.statistics\.statistics"):
        statistics.load(tmp_path / "x")


# --- figure --------------------------------------------------------------------------------


def test_plot_writes_150_dpi_and_parents(tmp_path):
    from PIL import Image

    history = statistics([make_log()])
    assert history.plot(tmp_path / "a" / "b.png") is history
    with Image.open(tmp_path / "a" / "b.png") as image:
        assert image.info["dpi"][0] == pytest.approx(150, abs=0.1)
        assert image.size == (1200, 960)


def test_plot_without_path_uses_the_run_directory(tmp_path, capsys):
    run = jno.setup(tmp_path / "script.py")
    statistics([make_log()]).plot()
    assert (tmp_path / "runs" / "script" / "training.png").exists()
    assert f"plotted to {run}" in capsys.readouterr().out


def test_loss_panel():
    losses, step_time = axes_of([make_log(), make_log()])
    assert losses.get_yscale() == "log"
    assert [line.get_label() for line in losses.lines] == ["interior", "boundary", "total"]
    # the second solve counts its epochs from 0 again; on the axis they follow the first
    np.testing.assert_array_equal(losses.lines[0].get_xdata(), np.arange(40))
    np.testing.assert_allclose(step_time.lines[0].get_ydata(), 10.0, rtol=1e-9)
    np.testing.assert_array_equal(step_time.lines[0].get_xdata(), [*range(1, 20), *range(21, 40)])


def test_epochs_that_already_go_on_are_kept():
    losses, _ = axes_of([make_log(5), make_log(5, first_epoch=5)])
    np.testing.assert_array_equal(losses.lines[0].get_xdata(), np.arange(10))


def test_single_constraint_has_no_total_line():
    log = {"total_loss": np.array([1.0, 0.5]), "losses": np.array([[1.0], [0.5]])}
    (losses,) = axes_of([log])
    assert [line.get_label() for line in losses.lines] == ["C0"]


def test_losses_that_are_not_positive():
    values = np.array([1.0, -0.5, 0.0])
    (losses,) = axes_of([{"total_loss": values, "losses": values[:, None]}])
    assert losses.get_yscale() == "symlog"
    np.testing.assert_array_equal(losses.lines[0].get_ydata(), values)


def test_all_losses_zero_or_nan():
    for values in (np.zeros(3), np.full(3, np.nan)):
        (losses,) = axes_of([{"total_loss": values}])
        assert losses.get_yscale() == "linear"


def test_fused_epochs_share_a_time_stamp():
    log = make_log(6, timestamps=np.array([1.0, 1.0, 1.0, 1.3, 1.3, 1.3]))
    step_time = axes_of([log])[-1]
    np.testing.assert_allclose(step_time.lines[0].get_ydata(), [100.0])
    np.testing.assert_array_equal(step_time.lines[0].get_xdata(), [5])


def test_tracker_panel(tmp_path):
    trackers = [
        {"name": "error", "epoch": np.array([0, 10]), "values": [np.array([0.5]), np.array([0.1])]},
        {"name": "field", "epoch": np.array([0, 10]), "values": [np.array([1.0, 3.0]), np.array([2.0, 6.0])]},
    ]
    logs = [make_log(track_stats=trackers), make_log()]
    _, panel, _ = axes_of(logs)
    lines = {line.get_label(): line for line in panel.lines}
    np.testing.assert_allclose(lines["error"].get_ydata(), [0.5, 0.1])
    np.testing.assert_allclose(lines["field (mean)"].get_ydata(), [2.0, 4.0])
    statistics(logs).plot(tmp_path / "x.pdf")
    assert (tmp_path / "x.pdf").stat().st_size > 0


# --- summary --------------------------------------------------------------------------------


def test_summary(capsys):
    history = statistics([make_log(), make_log(stop_reason="loss is NaN")])
    assert history.summary() is history
    rows = {}
    for line in capsys.readouterr().out.splitlines():
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if len(cells) == 2:
            rows[cells[0]] = cells[1]
    assert rows["solve calls"] == "2"
    assert rows["epochs"] == "40"
    assert rows["first total loss"] == "1.0000e+00"
    final = (2.0**-19 + 3.0**-19) / 2
    assert rows["final total loss"] == f"{final:.4e}"
    assert rows["best total loss"] == f"{final:.4e} (epoch 19)"
    assert rows["final loss interior"] == f"{2.0**-19:.4e}"
    assert rows["final loss boundary"] == f"{3.0**-19:.4e}"
    assert rows["training time"] == "1.40 s"
    assert rows["per epoch"] == "35.000 ms"
    assert rows["trainable parameters"] == "1,234"
    assert rows["total parameters"] == "1,239"
    assert rows["stopped because"] == "loss is NaN"


def test_summary_of_a_diverged_run(capsys):
    statistics([{"total_loss": np.full(2, np.nan)}]).summary()
    text = capsys.readouterr().out
    assert "nan" in text
    assert "best" not in text


# --- callbacks --------------------------------------------------------------------------------


def test_callback_hooks_do_nothing():
    callback = Callback()
    assert callback.on_solve_begin(rng=0) is None
    assert callback.on_before_update(grads=1) is None
    assert callback.on_epoch_end(epoch=0) is None
    assert callback.on_training_end() is None


def test_callback_hooks_can_be_overridden():
    class StopAt(Callback):
        def on_epoch_end(self, *, epoch, **kw):
            return epoch >= 2

    assert [StopAt().on_epoch_end(epoch=epoch, total_loss=0.0) for epoch in range(4)] == [
        False,
        False,
        True,
        True,
    ]
