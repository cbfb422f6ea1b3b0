"""The record of a sweep: the best, tables, figures, importances."""

import sys

import numpy as np
import pytest

from jno.tuner._figure import history_figure
from jno.tuner._history import TuningHistory
from jno.tuner._importance import importances
from jno.tuner._progress import Progress
from jno.tuner._trial import Outcome, Trial


def history_of(*outcomes):
    return TuningHistory([(Trial(o.number, {"given": o.number}, o.labels), o) for o in outcomes])


def finished(number, objective, **labels):
    return Outcome(number, labels, objective, 1.5)


MIXED = (
    finished(2, 0.5, width=8, name="tanh", epochs=10),
    Outcome(0, {"width": 4, "name": "sin", "epochs": 10}, None, 0.5, error="ValueError: [bold]\nmore", traceback="…"),
    Outcome(1, {"width": 16, "name": "tanh", "epochs": 10}, 0.125, 0.75, pruned_at=40),
    finished(3, 0.25, width=32, name="sin", epochs=10),
    finished(4, 0.25, width=64, name="sin", epochs=10),
)


def test_best_failed_and_pruned():
    history = history_of(*MIXED)
    assert [outcome.number for outcome in history] == [0, 1, 2, 3, 4]
    assert len(history) == 5
    # a pruned trial never wins, the first of equal ones does
    assert history.best.number == 3
    assert history.best_trial.configuration == {"given": 3}
    assert [o.number for o in history.failed] == [0]
    assert [o.number for o in history.pruned] == [1]
    assert repr(history) == "TuningHistory(trials=5, failed=1, pruned=1, best=2.5000e-01)"
    assert history.rows[1] == {
        "trial": 1,
        "status": "pruned",
        "objective": 0.125,
        "seconds": 0.75,
        "width": 16,
        "name": "tanh",
        "epochs": 10,
    }


def test_without_results():
    history = history_of(MIXED[1])
    assert history.best is None
    assert history.best_trial is None
    assert repr(history).endswith("best=None)")
    assert len(history_of()) == 0


def test_summary_prints_a_table(capsys):
    history = history_of(*MIXED)
    assert history.summary() is history
    shown = capsys.readouterr().out
    assert "sweep: 3 finished, 1 pruned, 1 failed" in shown
    rows = [line.split("│")[1].strip() for line in shown.splitlines() if "│" in line]
    assert rows == ["3", "4", "2", "1", "0"]
    assert "pruned at 40" in shown
    assert "epochs 10" in shown  # in every trial: no column
    assert "trial 0: ValueError: [bold]" in [line.strip() for line in shown.splitlines()]
    history_of().summary()
    assert "sweep: no trials" in capsys.readouterr().out


def test_progress_without_a_terminal(capsys):
    """About ten lines, and one for each new failure."""
    with Progress(40) as progress:
        for number in range(40):
            if number % 16 == 3:
                done = Outcome(number, {}, None, 0.0, error="ValueError: no\nmore")
            else:
                done = Outcome(number, {}, 2.0 - number / 40, 0.0, pruned_at=5 if number == 39 else None)
            progress.add(done, replayed=number < 4)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 + 2
    assert lines[0] == "INFO: 8 of 40 trials  best 1.825e+00 (trial 7)  1 failed"
    assert "WARNING: trial 19 failed: ValueError: no" in lines
    assert lines[-1] == "INFO: 40 of 40 trials  best 1.050e+00 (trial 38)  3 failed  1 pruned"


def test_progress_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with Progress(2) as progress:
        progress.add(Outcome(0, {}, 0.5, 0.0), replayed=False)
        progress.add(Outcome(1, {}, None, 0.0, error="ValueError: no"), replayed=False)
    shown = capsys.readouterr().out
    assert "WARNING: trial 1 failed: ValueError: no" in shown
    assert "INFO" not in shown


def test_importances_find_what_matters():
    """f = exp(3 a) with a random b and a named option of half its effect: a first, then the option, b near zero."""
    draws = np.random.default_rng(0)
    outcomes = [
        finished(i, float(np.exp(3 * a + 0.75 * (kind == "good"))), a=float(a), b=float(b), kind=str(kind), same=1)
        for i, (a, b, kind) in enumerate(
            zip(draws.random(60), draws.random(60), draws.choice(["bad", "good"], 60), strict=True)
        )
    ]
    found = importances(outcomes)
    assert list(found) == ["a", "kind", "b"]
    # the share of the variance that a alone explains is 0.84 with these effects; shuffling counts it about twice
    assert 1.6 < found["a"] < 2.0
    assert 0.16 < found["kind"] < 0.32  # twice the share of the option
    assert abs(found["b"]) < 0.02
    assert found == importances(outcomes)
    # orders of magnitude count: squares of the objectives say the same
    squared = [finished(o.number, o.objective**2, **o.labels) for o in outcomes]
    again = importances(squared)
    assert [again["a"], again["kind"]] == pytest.approx([found["a"], found["kind"]], rel=0.02)


def test_importances_need_trials_that_differ():
    few = [finished(i, float(i + 1), a=i) for i in range(3)]
    assert importances(few) == {}
    assert importances([finished(i, float(i), a=1) for i in range(9)]) == {}
    assert importances([finished(i, 1.0, a=i) for i in range(9)]) == {}
    (text,) = history_figure(few).axes[1].texts
    assert text.get_text() == "importances need at least 4 finished trials, there are 3"
    (text,) = history_figure([finished(i, 1.0, a=i) for i in range(5)]).axes[1].texts
    assert text.get_text().startswith("no importances: all finished trials have the same options or")


def test_importances_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"need scikit-learn: pip install 'jno-jax\[tune\]'"):
        importances([finished(i, float(i), a=i) for i in range(5)])


def test_figure_shows_best_so_far_and_marks():
    above, under = history_figure(history_of(*MIXED).outcomes).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in above.lines}
    assert lines["finished"] == [[2.0, 0.5], [3.0, 0.25], [4.0, 0.25]]
    assert lines["best so far"] == [[2.0, 0.5], [3.0, 0.25], [4.0, 0.25], [4.0, 0.25]]
    assert lines["pruned"] == [[1.0, 0.125]]
    assert [x for x, _ in lines["failed"]] == [0.0]
    assert above.get_yscale() == "log"
    assert len(under.texts) == 1
    negative, _ = history_figure([finished(0, -1.0, a=1), finished(1, 2.0, a=2)]).axes
    assert negative.get_yscale() == "linear"


def test_plot_writes_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    history = history_of(*[finished(i, 1.0 + i % 3, a=i, b=i % 2) for i in range(8)])
    assert history.plot("plots/sweep.pdf") is history
    assert (tmp_path / "plots" / "sweep.pdf").stat().st_size > 1000
    history_of(MIXED[1]).plot()
    assert (tmp_path / "runs" / "sweep.png").exists()
    assert "tuning history plotted to runs/sweep.png" in capsys.readouterr().out
