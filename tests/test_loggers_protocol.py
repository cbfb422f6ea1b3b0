"""The protocol of metric loggers, names, what is logged of values, the console."""

import math
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jno
from jno.loggers import ConsoleLogger, MetricLogger, RunDescription, active_loggers, distinct_names
from jno.loggers._dropped import Dropped
from jno.loggers._values import as_real_array, histogram_of, statistics_of


def test_the_protocol_is_abstract():
    with pytest.raises(TypeError, match=r"abstract.*begin.*end.*log_losses.*log_value"):
        MetricLogger()


def test_lower_case_names_are_the_classes():
    assert jno.loggers.console is ConsoleLogger
    assert jno.loggers.csv is jno.loggers.CSVLogger
    assert jno.loggers.tensorboard is jno.loggers.TensorBoardLogger
    assert jno.loggers.wandb is jno.loggers.WandbLogger


def test_no_logger_is_active_by_itself():
    assert active_loggers() == ()
    jno.wandb_finish()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"constraint_names": ("a", "b", "a")}, "constraint_names holds a more than once: .*distinct_names"),
        ({"tracker_names": ("t", "t")}, "tracker_names holds t more than once"),
        ({"planned_epochs": 0}, "planned_epochs=0: it must be at least 1"),
    ],
)
def test_wrong_description(arguments, message):
    with pytest.raises(ValueError, match=message):
        RunDescription(**{"constraint_names": ("a",), "planned_epochs": 1, **arguments})


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "a_2_2", "b", ""]), max_size=8))
def test_distinct_names(labels):
    names = distinct_names(labels)
    assert len(set(names)) == len(names) == len(labels)
    for label, name in zip(labels, names, strict=True):
        assert name.startswith(label)
        assert name == label or labels.count(label) > 1
    assert all(names[labels.index(label)] == label for label in labels)  # the first keeps its label


@pytest.mark.parametrize("value", [2.5, np.float32(2.5), np.array([[2.5]]), [2.5], ml_dtypes.bfloat16(2.5)])
def test_a_single_number(value):
    assert statistics_of(as_real_array(value)) == {"value": 2.5}
    assert histogram_of(as_real_array(value)) is None


@pytest.mark.parametrize("value", [True, 1, np.uint8(1)])
def test_integers_and_truth_values_are_numbers(value):
    assert statistics_of(as_real_array(value)) == {"value": 1.0}


def test_an_array():
    array = as_real_array(np.arange(5, dtype=np.float32).reshape(5, 1))
    assert statistics_of(array) == {"mean": 2.0, "std": math.sqrt(2.0), "min": 0.0, "max": 4.0}
    counts, edges = histogram_of(array)
    assert counts.sum() == 5
    assert (edges[0], edges[-1]) == (0.0, 4.0)


def test_nan_and_infinity_show():
    array = as_real_array([1.0, np.nan, np.inf, 3.0])
    assert all(math.isnan(number) for number in statistics_of(array).values())
    counts, _ = histogram_of(array)
    assert counts.sum() == 2
    assert histogram_of(as_real_array([np.nan, np.inf])) is None


@pytest.mark.parametrize("pair", [[1.0, np.nextafter(1.0, 2.0)], [-1.7e308, 1.7e308]])
def test_no_histogram_where_float64_has_no_bins(pair):
    assert histogram_of(as_real_array(pair)) is None
    assert statistics_of(as_real_array(pair))["max"] == pair[1]


@pytest.mark.parametrize("value", ["text", None, {"a": 1}, 1j, np.zeros((0, 2)), [[1.0], [1.0, 2.0]], [object()]])
def test_what_is_no_real_number(value):
    assert as_real_array(value) is None


def test_dropped_warns_once_per_subject():
    dropped = Dropped()
    with pytest.warns(UserWarning, match=r"tracker 'phase' gave complex, which is not logged.*tracker\(reduce"):
        dropped.not_real("phase", 1j)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dropped.not_real("phase", 1j)
    with pytest.warns(UserWarning, match="'other' gave str"):
        dropped.not_real("other", "x")


# --- console ----------------------------------------------------------------------------------------------------
def lines_of(capsys, epochs, batches, first=0):
    """Printed lines of a training whose batches have these sizes; the loss at epoch e is e, the time 1 ms each."""
    logger = ConsoleLogger()
    logger.begin(RunDescription(constraint_names=("pde", "edge"), first_epoch=first, planned_epochs=epochs))
    done = 0
    for size in batches:
        numbers = first + np.arange(done, done + size)
        losses = np.stack([numbers, 3 * numbers], axis=1).astype(np.float32)
        logger.log_losses(numbers, losses, 1e-3 * np.arange(done + 1, done + size + 1))
        done += size
    logger.end(None)
    return capsys.readouterr().out.splitlines()


def test_console_line(capsys):
    (line,) = lines_of(capsys, 1, [1], first=7)
    assert line == "INFO: epoch      7  loss 1.4000e+01  pde 7.000e+00  edge 2.100e+01  (1.00 ms/epoch)"


@pytest.mark.parametrize(
    ("epochs", "batches", "shown"),
    [
        (100, [1] * 100, [0, *range(9, 100, 10)]),
        (1000, [1, 99, 50, 50, 800], [0, 99, 199, 999]),
        (1000, [1, 149, 40, 60, 100, 649], [0, 149, 249, 349, 998]),  # the end of a batch need not be that of a tenth
        (25, [1, 24], [0, 24]),
        (25, [5, 0, 5], [4, 9]),  # ended early; an empty batch has no line
    ],
)
def test_console_shows_tenths(capsys, epochs, batches, shown):
    lines = lines_of(capsys, epochs, batches)
    assert [int(line.split()[2]) for line in lines] == shown
    assert all(line.endswith("(1.00 ms/epoch)") for line in lines)


def test_console_starts_afresh_with_each_solve(capsys):
    logger = ConsoleLogger()
    for first in (0, 10):
        logger.begin(RunDescription(constraint_names=("pde",), first_epoch=first, planned_epochs=10))
        logger.log_losses(first + np.arange(10), np.ones((10, 1), np.float32), np.linspace(0.1, 1.0, 10))
        logger.log_value("error", first, 1.0)
        logger.end("stopped")
    assert [int(line.split()[2]) for line in capsys.readouterr().out.splitlines()] == [9, 19]
