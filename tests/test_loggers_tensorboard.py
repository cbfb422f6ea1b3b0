"""TensorBoardLogger, called as training calls it; the event files are read back record by record."""

import dataclasses
import resource
import struct
import sys
import time
import warnings

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import masked_crc32c

import jno
from jno.loggers import RunDescription, TensorBoardLogger


def records_of(path):
    """Contents of a TFRecord file: length, its checksum, content, its checksum (little endian)."""
    data, position = path.read_bytes(), 0
    while position < len(data):
        header = data[position : position + 8]
        (length,) = struct.unpack("<Q", header)
        content = data[position + 12 : position + 12 + length]
        sums = data[position + 8 : position + 12] + data[position + 12 + length : position + 16 + length]
        assert struct.unpack("<II", sums) == (masked_crc32c(header), masked_crc32c(content))
        yield content
        position += 16 + length


def events_of(directory):
    return [Event.FromString(record) for path in sorted(directory.iterdir()) for record in records_of(path)]


def curve(events, tag):
    return [
        (event.step, value.simple_value)
        for event in events
        for value in event.summary.value
        if value.tag == tag and value.HasField("simple_value")
    ]


def text(events, tag):
    values = [value for event in events for value in event.summary.value if value.tag == f"{tag}/text_summary"]
    return [value.tensor.string_val[0].decode() for value in values]


def description(constraints=("pde", "u^2 left"), trackers=(), first=0):
    return RunDescription(
        constraint_names=constraints,
        tracker_names=trackers,
        first_epoch=first,
        planned_epochs=10,
        parameter_counts={"trainable_params": 13},
        seed=42,
        options={"batchsize": None},
    )


@pytest.fixture
def logger(tmp_path):
    return jno.loggers.tensorboard(tmp_path / "deep" / "events")


def test_losses_come_back(logger):
    losses = np.random.default_rng(0).random((5, 2)).astype(np.float32)
    before = time.time()
    logger.begin(description(first=3))
    logger.log_losses(3 + np.arange(2), losses[:2], np.array([0.5, 1.0]))
    logger.log_losses(5 + np.arange(0), losses[:0], np.zeros(0))
    logger.log_losses(5 + np.arange(3), losses[2:], np.array([1.5, 2.0, 2.5]))
    logger.end(None)
    events = events_of(logger.directory)
    assert events[0].file_version == "brain.Event:2"
    assert curve(events, "loss/pde") == [(3 + i, losses[i, 0]) for i in range(5)]
    assert curve(events, "loss/u^2 left") == [(3 + i, losses[i, 1]) for i in range(5)]  # a name stays as it is
    assert curve(events, "total_loss") == [(3 + i, losses[i].mean()) for i in range(5)]
    assert curve(events, "seconds") == [(3 + i, 0.5 * (i + 1)) for i in range(5)]
    times = [event.wall_time for event in events if event.step >= 3 and event.summary.value[0].tag == "seconds"]
    np.testing.assert_allclose(np.diff(times), 0.5, atol=1e-5)
    assert before <= times[0] - 0.5 <= time.time()
    (run,) = text(events, "run")
    assert run.splitlines() == [
        "- seed: 42",
        "- first epoch: 3",
        "- planned epochs: 10",
        "- trainable_params: 13",
        "- batchsize: None",
    ]
    assert text(events, "ended_early") == []


def test_epochs_that_are_done_again_are_hidden(logger):
    """TensorBoard drops what it has read of this and later steps when it meets the start of a session."""
    logger.begin(dataclasses.replace(description(first=4), resumed=True))
    logger.end(None)
    (start,) = [event for event in events_of(logger.directory) if event.HasField("session_log")]
    assert (start.step, start.session_log.status) == (4, start.session_log.START)


def test_names_that_tensorboardx_would_merge(logger):
    logger.begin(description(("u^2", "u_2", "total_loss")))
    logger.log_losses(np.array([0]), np.array([[1.0, 2.0, 6.0]]), np.array([0.5]))
    logger.end(None)
    events = events_of(logger.directory)
    shown = {tag: curve(events, tag) for tag in ("loss/u^2", "loss/u_2", "loss/total_loss", "total_loss")}
    assert [values for ((_, values),) in shown.values()] == [1.0, 2.0, 6.0, 3.0]


def test_numbers_beyond_single_precision(logger):
    logger.begin(description(("a", "b")))
    logger.log_losses(np.array([0]), np.array([[1e300, np.nan]]), np.array([0.5]))
    logger.end(None)
    events = events_of(logger.directory)
    assert curve(events, "loss/a") == [(0, np.inf)]
    assert np.isnan(curve(events, "loss/b")[0][1])


def test_tracked_values(logger):
    logger.begin(description(trackers=("error", "field")))
    logger.log_value("error", 0, np.float32(0.5))
    logger.log_value("field", 0, np.array([[0.0], [1.0], [2.0], [np.nan]]))
    logger.log_value("field", 10, np.arange(5.0))
    logger.end(None)
    events = events_of(logger.directory)
    assert curve(events, "tracker/error") == [(0, 0.5)]
    assert curve(events, "tracker_mean/field")[1] == (10, 2.0)
    assert curve(events, "tracker_max/field")[1] == (10, 4.0)
    assert np.isnan(curve(events, "tracker_mean/field")[0][1])
    values = [value for event in events for value in event.summary.value]
    first, second = (value.histo for value in values if value.tag == "tracker/field")
    assert (first.num, first.min, first.max, first.sum, first.sum_squares) == (3, 0.0, 2.0, 3.0, 5.0)
    assert sum(first.bucket) == 3
    assert (second.num, second.bucket_limit[0], second.bucket_limit[-1]) == (5, 0.0, 4.0)
    assert len(second.bucket) == len(second.bucket_limit)


def test_a_value_that_is_no_number_is_announced_once(logger):
    logger.begin(description(trackers=("phase",)))
    with pytest.warns(UserWarning, match="tracker 'phase' gave str, which is not logged"):
        logger.log_value("phase", 0, "x")
    logger.log_value("phase", 1, "x")
    logger.end(None)


def test_solve_calls_of_one_second_have_their_own_files(logger):
    for first in range(3):
        logger.begin(description(first=first))
        logger.log_losses(np.array([first]), np.ones((1, 2)), np.array([0.1]))
        logger.end("stopped by a callback" if first == 2 else None)
    assert len(list(logger.directory.iterdir())) == 3
    events = events_of(logger.directory)
    assert curve(events, "total_loss") == [(0, 1.0), (1, 1.0), (2, 1.0)]  # in the order of the file names
    assert text(events, "ended_early") == ["stopped by a callback"]


def test_begin_closes_what_was_left_open(logger):
    for first in range(2):
        logger.begin(description(first=first))
        logger.log_losses(np.array([first]), np.ones((1, 2)), np.array([0.1]))
    logger.end(None)
    assert curve(events_of(logger.directory), "total_loss") == [(0, 1.0), (1, 1.0)]


def test_interval(tmp_path):
    logger = TensorBoardLogger(tmp_path / "events", interval=3)
    logger.begin(description(first=2))
    for first in (2, 5, 8):
        logger.log_losses(first + np.arange(3), np.ones((3, 2)), np.arange(3.0))
    logger.end(None)
    assert [epoch for epoch, _ in curve(events_of(logger.directory), "total_loss")] == [3, 6, 9]
    with pytest.raises(ValueError, match="interval=0: it must be at least 1"):
        TensorBoardLogger(tmp_path / "events", interval=0)


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="file' is a file; give a directory"):
        TensorBoardLogger(tmp_path / "file")


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    logger = TensorBoardLogger(tmp_path / "file" / "events")
    with pytest.warns(UserWarning, match="events cannot be written to .*: training goes on"):
        logger.begin(description())
    logger.log_losses(np.array([0]), np.ones((1, 2)), np.array([0.1]))
    logger.log_value("error", 0, 1.0)
    logger.end("stopped")


def test_a_full_disk_does_not_stop_training(logger):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    logger.begin(description())
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.warns(UserWarning, match=r"events cannot be written to .*File too large\): training goes on"):
            logger.log_losses(np.arange(1000), np.ones((1000, 2)), np.linspace(0.0, 1.0, 1000))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            logger.log_losses(1000 + np.arange(10), np.ones((10, 2)), np.linspace(0.0, 1.0, 10))
            logger.end(None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_without_tensorboardx(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"needs tensorboardX: pip install 'jno-jax\[tensorboard\]'"):
        jno.loggers.tensorboard(tmp_path)
