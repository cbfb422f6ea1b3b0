"""CSVLogger, called as training calls it; the files are read by the csv module and by NumPy."""

import csv
import dataclasses
import pickle
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import optax
import pytest
from processes import longest_file

import jno
from jno.loggers import CSVLogger, RunDescription


def description(constraints=("pde", "edge"), trackers=(), first=0):
    return RunDescription(
        constraint_names=constraints, tracker_names=trackers, first_epoch=first, planned_epochs=10, seed=42
    )


def losses_of(first, count, columns=2, dtype=np.float32):
    generator = np.random.default_rng(first)
    return generator.random((count, columns)).astype(dtype) / 3


def log(logger, first, count, columns=2, dtype=np.float32):
    losses = losses_of(first, count, columns, dtype)
    logger.log_losses(first + np.arange(count), losses, 0.5 * np.arange(1, count + 1))
    return losses


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_come_back_exactly(tmp_path, dtype):
    path = tmp_path / "deep" / "loss.csv"
    logger = jno.loggers.csv(path)
    logger.begin(description())
    parts = [log(logger, 0, 3, dtype=dtype), log(logger, 3, 0, dtype=dtype), log(logger, 3, 2, dtype=dtype)]
    logger.end(None)
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None)
    assert table.dtype.names == ("epoch", "seconds", "total_loss", "pde", "edge")
    losses = np.concatenate(parts)
    np.testing.assert_array_equal(table["epoch"], np.arange(5))
    np.testing.assert_array_equal(table["seconds"], [0.5, 1.0, 1.5, 0.5, 1.0])
    np.testing.assert_array_equal(table["pde"].astype(dtype), losses[:, 0])
    np.testing.assert_array_equal(table["edge"].astype(dtype), losses[:, 1])
    np.testing.assert_array_equal(table["total_loss"].astype(dtype), losses.mean(axis=1))
    assert not logger.trackers_path.exists()


def test_nan_and_infinity_can_be_read(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    logger.begin(description())
    logger.log_losses(np.array([0]), np.array([[np.nan, np.inf]]), np.array([0.1]))
    (row,) = rows_of(tmp_path / "loss.csv")
    assert np.isnan(float(row["pde"]))
    assert np.isinf(float(row["edge"]))


def test_trackers_in_long_form(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    logger.begin(description(trackers=("error", "field")))
    logger.log_value("error", 0, np.float32(0.1))
    logger.log_value("field", 0, np.arange(5.0))
    log(logger, 0, 10)
    logger.log_value("error", 10, 0.05)
    logger.end(None)
    assert logger.trackers_path == tmp_path / "loss.trackers.csv"
    assert [tuple(row.values()) for row in rows_of(logger.trackers_path)] == [
        ("0", "error", "value", repr(float(np.float32(0.1)))),
        ("0", "field", "mean", "2.0"),
        ("0", "field", "std", repr(float(np.sqrt(2.0)))),
        ("0", "field", "min", "0.0"),
        ("0", "field", "max", "4.0"),
        ("10", "error", "value", "0.05"),
    ]


def test_a_value_that_is_no_number_is_announced_once(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    logger.begin(description(trackers=("phase",)))
    with pytest.warns(UserWarning, match="tracker 'phase' gave complex, which is not logged"):
        logger.log_value("phase", 0, 1j)
    logger.log_value("phase", 1, 1j)
    assert rows_of(logger.trackers_path) == []


def test_names_that_collide_with_columns_or_need_quotes(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    names = ("epoch", "total_loss", 'u_x, "left"', "Größe")
    logger.begin(description(names))
    losses = log(logger, 0, 1, columns=4)
    logger.begin(description(names))  # the header is recognised
    (row,) = rows_of(logger.path)
    assert list(row) == ["epoch", "seconds", "total_loss", "epoch_2", "total_loss_2", 'u_x, "left"', "Größe"]
    assert [np.float32(value) for value in list(row.values())[3:]] == list(losses[0])


# --- several solve calls ------------------------------------------------------------------------------------------
def test_later_solve_calls_add_rows(tmp_path):
    path = tmp_path / "loss.csv"
    logger = CSVLogger(path)
    for first in (0, 3):
        logger.begin(description(trackers=("error",), first=first))
        logger.log_value("error", first, 1.0)
        log(logger, first, 3)
        logger.end("stopped by a callback")
    other = CSVLogger(str(path))  # another process that goes on
    other.begin(description(first=6))
    log(other, 6, 1)
    assert [row["epoch"] for row in rows_of(path)] == list("0123456")
    assert [row["epoch"] for row in rows_of(logger.trackers_path)] == ["0", "3"]


def test_without_append_the_first_solve_call_replaces(tmp_path):
    path = tmp_path / "loss.csv"
    for constraints in (("old",), ("pde", "edge")):
        logger = CSVLogger(path, append=False)
        for first in (0, 2):
            logger.begin(description(constraints, ("error",), first))
            logger.log_value("error", first, 1.0)
            log(logger, first, 2, columns=len(constraints))
    assert [row["epoch"] for row in rows_of(path)] == list("0123")
    assert "edge" in rows_of(path)[0]
    assert len(rows_of(logger.trackers_path)) == 2


def test_other_columns_are_an_error(tmp_path):
    path = tmp_path / "loss.csv"
    CSVLogger(path).begin(description(("pde",)))
    before = path.read_bytes()
    message = r"loss\.csv' begins with 'epoch,seconds,total_loss,pde'; the columns to add are .*, pde, edge\. "
    with pytest.raises(ValueError, match=message + "Give another path, or append=False"):
        CSVLogger(path).begin(description())
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"one line of notes", b"\xff\xfe\0\0", b"\n\n"])
def test_a_foreign_file_is_not_touched(tmp_path, content):
    path = tmp_path / "notes.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="Give another path"):
        CSVLogger(path).begin(description())
    assert path.read_bytes() == content


def test_only_regular_files(tmp_path):
    for path in (tmp_path, "/dev/null"):
        with pytest.raises(ValueError, match=r"is no regular file; give a file, e\.g\. 'loss\.csv'"):
            CSVLogger(path)


def test_a_logger_can_be_pickled(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    logger.begin(description())
    log(pickle.loads(pickle.dumps(logger)), 0, 2)
    assert len(rows_of(logger.path)) == 2


# --- torn files -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cut", [1, 5, -1])
def test_a_torn_line_is_cut_off(tmp_path, cut):
    path = tmp_path / "loss.csv"
    logger = CSVLogger(path)
    logger.begin(description())
    log(logger, 0, 3)
    content = path.read_bytes()
    start = content[:-1].rfind(b"\n") + 1  # of the last line
    path.write_bytes(content[: start + cut if cut > 0 else cut])
    logger.begin(description(first=2))
    log(logger, 2, 1)
    assert [row["epoch"] for row in rows_of(path)] == list("012")
    assert path.read_bytes() == content[:start] + b"2,0.5," + path.read_bytes().rpartition(b"\n2,0.5,")[2]


def test_a_torn_header_is_written_again(tmp_path):
    path = tmp_path / "loss.csv"
    CSVLogger(path).begin(description())
    header = path.read_bytes()
    for size in range(len(header)):
        path.write_bytes(header[:size])
        CSVLogger(path).begin(description())
        assert path.read_bytes() == header


def test_a_killed_process_leaves_whole_lines(tmp_path):
    path = tmp_path / "loss.csv"
    program = f"""
import numpy as np
from jno.loggers import CSVLogger, RunDescription
logger = CSVLogger({str(path)!r})
logger.begin(RunDescription(constraint_names=("a", "b"), planned_epochs=10**9))
for start in range(0, 10**9, 7):
    logger.log_losses(start + np.arange(7), np.full((7, 2), 1 / 3), np.ones(7))
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        while not path.exists() or path.stat().st_size < 20_000:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    logger = CSVLogger(path)
    logger.begin(description(("a", "b")))
    rows = rows_of(path)
    assert [int(row["epoch"]) for row in rows] == list(range(len(rows)))
    assert {row["b"] for row in rows} == {str(1 / 3)}


# --- going on from a checkpoint -----------------------------------------------------------------------------------
def test_epochs_that_are_done_again_have_one_row(tmp_path):
    """Killed after epoch 6, resumed from a checkpoint after 4 epochs; an earlier run in the same file stays."""
    path = tmp_path / "loss.csv"
    for _ in range(2):
        killed = CSVLogger(path)
        killed.begin(description(trackers=("a\nname, with all", "b")))
        for epoch in range(7):
            killed.log_value("a\nname, with all", epoch, np.arange(3.0))
            log(killed, epoch, 1)
    earlier, untouched = rows_of(path), path.read_bytes()
    tracked = rows_of(killed.trackers_path)
    resumed = CSVLogger(path)
    resumed.begin(dataclasses.replace(description(first=4, trackers=("a\nname, with all", "b")), resumed=True))
    assert untouched.startswith(path.read_bytes())
    assert rows_of(path) == earlier[:11]
    assert rows_of(killed.trackers_path) == tracked[:44]
    log(resumed, 4, 2)
    assert [int(row["epoch"]) for row in rows_of(path)] == [*range(7), *range(6)]


def test_another_training_only_adds(tmp_path):
    path = tmp_path / "loss.csv"
    for _ in range(2):
        logger = CSVLogger(path)
        logger.begin(description())
        log(logger, 0, 3)
    assert [int(row["epoch"]) for row in rows_of(path)] == [0, 1, 2, 0, 1, 2]


def test_training_says_that_it_goes_on(tmp_path):
    """The rows of 30 epochs, of which 5 were done twice."""
    k = jno.np.parameter((), name="k").initialize(0.0).optimizer(optax.sgd(1e-2))
    crux = jno.core([(k - 1.0).mse], domain=jno.domain.line(mesh_size=0.5))
    keep = jno.callbacks.checkpoint(tmp_path / "checkpoints", save_interval_epochs=10)
    crux.solve(25, callbacks=[keep, jno.loggers.csv(tmp_path / "loss.csv")])
    crux.restore_checkpoint(tmp_path / "checkpoints")
    crux.solve(10, callbacks=[jno.loggers.csv(tmp_path / "loss.csv")])
    keep.close()
    assert [int(row["epoch"]) for row in rows_of(tmp_path / "loss.csv")] == list(range(30))


# --- a disk that fails --------------------------------------------------------------------------------------------
def test_a_full_disk_does_not_stop_training(tmp_path):
    path = tmp_path / "loss.csv"
    logger = CSVLogger(path)
    logger.begin(description())
    log(logger, 0, 3)
    whole = path.read_bytes()
    with longest_file(len(whole) + 10):  # room for a part of the next line: it is written, and taken back
        with pytest.warns(UserWarning, match=r"loss\.csv' cannot be written \(.*File too large\): training goes on"):
            log(logger, 3, 3)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            log(logger, 6, 3)
            logger.end(None)
    assert path.read_bytes() == whole

    logger.begin(description())  # the next solve call tries again
    log(logger, 9, 1)
    assert [row["epoch"] for row in rows_of(path)] == ["0", "1", "2", "9"]


def test_a_disk_that_is_full_from_the_start(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    with longest_file(10):
        with pytest.warns(UserWarning, match=r"File too large\): training goes on"):
            logger.begin(description())
        log(logger, 0, 3)
    assert not logger.path.exists()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    logger = CSVLogger(tmp_path / "file" / "loss.csv")
    with pytest.warns(UserWarning, match="cannot be written") as caught:
        logger.begin(description(trackers=("error",)))
    assert len(caught) == 2  # one per file
    logger.log_value("error", 0, 1.0)
    log(logger, 0, 3)


def test_a_file_removed_meanwhile_is_not_made_without_its_header(tmp_path):
    logger = CSVLogger(tmp_path / "loss.csv")
    logger.begin(description())
    logger.path.unlink()
    with pytest.warns(UserWarning, match="cannot be written"):
        log(logger, 0, 1)
    assert not logger.path.exists()
