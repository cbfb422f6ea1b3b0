"""WandbLogger; where wandb is installed, the run that it writes offline is read back."""

import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jno
from jno.loggers import RunDescription, active_loggers

_BLOCK = 32768  # of the LevelDB log format, in which wandb keeps its records


def test_without_wandb(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match=r"needs wandb: pip install 'jno-jax\[wandb\]'"):
        jno.loggers.wandb("poisson")
    with pytest.raises(ValueError, match="interval=0: it must be at least 1"):
        jno.loggers.wandb("poisson", interval=0)


def finished_records_of(path):
    """Return all records; the process that writes them may end later than `finish` returns."""
    for _ in range(500):
        records = list(records_of(path))
        if records and records[-1].HasField("exit"):
            return records
        time.sleep(0.02)
    raise AssertionError(f"{path} has no last record")


def records_of(path):
    from wandb.proto.wandb_internal_pb2 import Record

    data = path.read_bytes()
    assert data[:4] in (b"", b":W&B")
    position, content = 7, b""
    while position + 7 <= len(data):
        if _BLOCK - position % _BLOCK < 7:
            position += _BLOCK - position % _BLOCK
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        if position + 7 + length > len(data):  # still being written
            return
        content += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a whole record, the last part of one
            yield Record.FromString(content)
            content = b""


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Return a reader of the only run below the test's directory: points, configuration, alerts, project, name."""
    pytest.importorskip("wandb", reason="Weights & Biases is large: pip install 'jno-jax[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)

    def read():
        (path,) = tmp_path.rglob("run-*.wandb")
        points, configuration, alerts, heading = [], {}, [], ()
        for record in finished_records_of(path):
            if record.HasField("history"):
                items = record.history.item
                points.append({"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items})
            changes = [record.run.config] if record.HasField("run") else []
            changes += [record.config] if record.HasField("config") else []
            for change in changes:
                configuration |= {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in change.update}
            if record.HasField("run"):
                heading = (record.run.project, record.run.display_name)
            if record.HasField("alert"):
                alerts.append((record.alert.title, record.alert.text, record.alert.level))
        return points, configuration, alerts, heading

    yield read
    jno.wandb_finish()


def description(first=0):
    return RunDescription(
        constraint_names=("pde", "edge"),
        tracker_names=("error", "field"),
        first_epoch=first,
        planned_epochs=2,
        parameter_counts={"trainable_params": 13},
        seed=42,
        options={"batchsize": 8},
    )


def test_a_run_comes_back(offline, tmp_path):
    logger = jno.loggers.wandb("poisson", name="first", dir=tmp_path)
    losses = np.array([[0.5, 0.25], [0.375, 0.125]])
    for first in (0, 2, 0):  # the last as a new core does
        logger.begin(description(first))
        logger.log_value("error", first, np.float32(0.5))
        logger.log_losses(first + np.arange(2), losses, np.array([0.5, 1.0]))
        logger.end(None)
    logger.finish()
    logger.finish()
    points, configuration, alerts, heading = offline()
    rows = [point for point in points if "total_loss" in point]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3, 0, 1]
    assert [(row["loss/pde"], row["loss/edge"], row["total_loss"], row["seconds"]) for row in rows[:2]] == [
        (0.5, 0.25, 0.375, 0.5),
        (0.375, 0.125, 0.25, 1.0),
    ]
    tracked = [(point["epoch"], point["tracker/error"]) for point in points if "tracker/error" in point]
    assert tracked == [(0, 0.5), (2, 0.5), (0, 0.5)]
    wanted = {"constraint_names": ["pde", "edge"], "seed": 42, "trainable_params": 13, "batchsize": 8}
    assert wanted.items() <= configuration.items()
    assert alerts == []
    assert heading == ("poisson", "first")
    with pytest.raises(RuntimeError, match="run is finished; make another"):
        logger.begin(description())


def test_arrays(offline, tmp_path):
    logger = jno.loggers.wandb("poisson", dir=tmp_path)
    logger.begin(description())
    logger.log_value("field", 0, np.array([0.0, 1.0, 2.0, 5.0]))
    with pytest.warns(UserWarning, match="tracker 'error' gave str, which is not logged"):
        logger.log_value("error", 0, "x")
    logger.finish()
    ((point,), *_) = offline()
    statistics = {name: point[f"tracker_{name}/field"] for name in ("mean", "min", "max")}
    assert statistics == {"mean": 2.0, "min": 0.0, "max": 5.0}
    assert point["tracker/field/_type"] == "histogram"
    assert sum(point["tracker/field/values"]) == 4
    assert (point["tracker/field/bins"][0], point["tracker/field/bins"][-1]) == (0.0, 5.0)


def test_interval_and_alerts(offline, tmp_path):
    logger = jno.loggers.wandb("poisson", interval=3, dir=tmp_path)
    logger.begin(description())
    logger.log_losses(np.array([4, 5]), np.array([[1.0, np.nan], [np.inf, 1.0]]), np.array([0.5, 1.0]))
    logger.log_losses(np.array([6]), np.array([[np.nan, 1.0]]), np.array([1.5]))
    logger.end("non-finite weights after epoch 6")
    logger.finish()
    points, _, alerts, _ = offline()
    assert [point["epoch"] for point in points if "total_loss" in point] == [6]
    assert alerts == [
        ("Loss is not finite", "epoch 4: edge = nan", "ERROR"),
        ("Training ended early", "non-finite weights after epoch 6", "WARN"),
    ]


def test_setup_installs_and_finish_removes(offline, tmp_path):
    run = Path(jno.setup(tmp_path / "burgers.py", name="second", wandb=True))
    (logger,) = active_loggers()
    logger.begin(description())
    logger.end(None)
    jno.wandb_finish()
    assert active_loggers() == ()
    _, _, _, heading = offline()
    assert heading == ("burgers", "second")
    assert list(run.rglob("run-*.wandb"))
    with pytest.raises(RuntimeError, match="run is finished"):
        logger.begin(description())


def test_another_setup_finishes_the_run(offline, tmp_path):
    jno.setup(tmp_path / "a.py", wandb=True)
    (first,) = active_loggers()
    jno.setup(tmp_path / "a.py")
    assert active_loggers() == ()
    with pytest.raises(RuntimeError, match="run is finished"):
        first.begin(description())
