"""Training that ends when losses and tracked values are low enough."""

import jax
import numpy as np
import optax
import pytest

import jno


def halving():
    """Losses 4, 1, 1/4, ... of a parameter that is halved in every epoch."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.25))
    watched = (p**2).name("size").tracker(interval=2)
    return jno.core([(p**2).name("loss"), watched], domain=domain), p


@pytest.mark.parametrize("until", [1e-2, {"total_loss": 1e-2}, {"loss": 1e-2}])
def test_the_epoch_whose_loss_is_low_enough_is_the_last(until):
    with jax.enable_x64(True):
        crux, p = halving()
        history = crux.solve(50, until=until)
        np.testing.assert_allclose(history.total_loss_history, 4.0 / 4.0 ** np.arange(6), rtol=1e-6)
        assert float(p.module.value) == pytest.approx(2.0 / 2.0**6)
        assert "reached what until= asks for at epoch 5" in history.training_logs[0]["stop_reason"]
        assert len(crux.solve(3).training_logs[1]["epoch"]) == 3  # the next call has no limit


def test_a_tracked_value_is_looked_at_where_it_is_tracked():
    crux, _ = halving()
    history = crux.solve(50, until={"size": 1e-1})
    assert len(history.total_loss_history) == 4  # tracked before epochs 0, 2, 4
    assert "before epoch 4" in history.training_logs[0]["stop_reason"]


def test_all_tolerances_hold_together():
    crux, _ = halving()
    assert len(crux.solve(50, until={"size": 1e-1, "loss": 3.0}).total_loss_history) == 5


def test_what_is_refused():
    crux, _ = halving()
    with pytest.raises(TypeError, match="it must be a number"):
        crux.solve(2, until="loss")
    with pytest.raises(ValueError, match="is no label of 'total_loss', 'loss', 'size'"):
        crux.solve(2, until={"error": 1.0})
    with pytest.raises(ValueError, match="the tolerance of 'loss' must be a number"):
        crux.solve(2, until={"loss": None})
