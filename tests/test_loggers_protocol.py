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
def lines_of(capsys, epochs, batches, first=0, reason=None):
    """Printed lines of a training whose batches have these sizes.

    The loss at epoch e is e; the first batch takes 5 s, because a program is compiled, and each epoch after it 1 ms.
    """
    logger = ConsoleLogger()
    logger.begin(RunDescription(constraint_names=("pde", "edge"), first_epoch=first, planned_epochs=epochs))
    done, now = 0, 0.0
    for size in batches:
        numbers = first + np.arange(done, done + size)
        losses = np.stack([numbers, 3 * numbers], axis=1).astype(np.float32)
        seconds = now + (1e-3 if done else 5.0 / max(size, 1)) * np.arange(1, size + 1)
        logger.log_losses(numbers, losses, seconds)
        done, now = done + size, seconds[-1] if size else now
    logger.end(reason)
    return capsys.readouterr().out.splitlines()


def test_console_line(capsys):
    first, second = lines_of(capsys, 2, [1, 1], first=6)
    assert first == "INFO: epoch      6  loss 1.2000e+01  pde 6.000e+00  edge 1.800e+01"
    assert second == "INFO: epoch      7  loss 1.4000e+01  pde 7.000e+00  edge 2.100e+01  (1.00 ms/epoch)"


@pytest.mark.parametrize(
    ("epochs", "batches", "shown"),
    [
        (100, [1] * 100, [*range(0, 100, 10), 99]),
        (1000, [1, 99, 50, 50, 800], [*range(0, 1000, 100), 999]),
        (1234, [1, 1023, 210], [0, 200, 400, 600, 800, 1000, 1200, 1233]),  # whatever the batches are
        (3000, [1] * 3000, [0, 500, 1000, 1500, 2000, 2500, 2999]),
        (25, [1, 24], [0, 10, 20, 24]),
    ],
)
def test_console_shows_round_epochs(capsys, epochs, batches, shown):
    lines = lines_of(capsys, epochs, batches)
    assert [int(line.split()[2]) for line in lines] == shown
    assert "ms/epoch" not in lines[0]
    assert all(line.endswith("  (1.00 ms/epoch)") for line in lines[1:]), "the pace leaves out what the compiler took"


@pytest.mark.parametrize(("batches", "shown"), [([5, 0, 6, 4], [0, 10, 14]), ([1, 10], [0, 10]), ([7], [0, 6])])
def test_console_shows_where_training_ended_early(capsys, batches, shown):
    lines = lines_of(capsys, 100, batches, reason="stopped")
    assert [int(line.split()[2]) for line in lines] == shown
    within_first = [epoch < batches[0] for epoch in shown]
    assert ["ms/epoch" not in line for line in lines] == within_first, "no pace while the first batch compiles"


def test_console_numbers_go_on(capsys):
    lines = lines_of(capsys, 50, [1, 49], first=3005)
    assert [int(line.split()[2]) for line in lines] == [3005, 3010, 3020, 3030, 3040, 3050, 3054]


def test_console_starts_afresh_with_each_solve(capsys):
    logger = ConsoleLogger()
    for first in (0, 10):
        logger.begin(RunDescription(constraint_names=("pde",), first_epoch=first, planned_epochs=10))
        logger.log_losses(first + np.arange(10), np.ones((10, 1), np.float32), np.linspace(0.1, 1.0, 10))
        logger.log_value("error", first, 1.0)
        logger.end("stopped")
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[2]) for line in lines] == [0, 9, 10, 19]
    assert not any("ms/epoch" in line for line in lines), "the only batch of each may have been compiled"
