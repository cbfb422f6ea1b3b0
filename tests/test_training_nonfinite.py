"""A loss that is not finite: training stops, says where, and keeps the last good weights exactly."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.training import Devices, NonFiniteLossWarning
from jno.training._loop import _Pace as Pace
from jno.utils.callbacks import Callback


class Watch(Callback):
    """Makes the loop return after every outer step."""

    def __init__(self):
        self.epochs, self.ended = [], False

    def on_epoch_end(self, **kw):
        self.epochs.append(kw["epoch"])

    def on_training_end(self):
        self.ended = True


def diverging(rate=30.0):
    """Ascent on ``p²``, which grows by ``1 + rate`` per epoch, beside a noisy fit that is trained by momentum."""
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(rate))
    q = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(0.1, momentum=0.9))
    crux = jno.core(
        [(q * x - 2.0 * x + jno.noise.gaussian(0.1)).mse.name("harmless"), (-(p**2)).name("blow-up")], domain=domain
    )
    return crux, p, q


def test_it_stops_warns_and_names_epoch_and_constraint(capsys):
    crux, p, _ = diverging()
    watch = Watch()
    with pytest.warns(NonFiniteLossWarning) as caught:
        history = crux.solve(60, callbacks=[watch])
    bad = len(history.total_loss_history)
    assert bad == 13  # 31**13 is the first square above 3.4e38
    (warning,) = caught
    text = str(warning.message)
    assert f"training stopped: non-finite loss at epoch {bad}: blow-up = -inf. " in text
    assert "harmless" not in text
    assert "JNO_STOP_ON_NONFINITE=0" in text
    assert issubclass(NonFiniteLossWarning, RuntimeWarning)
    assert f"ERROR: training stopped: non-finite loss at epoch {bad}" in capsys.readouterr().out
    assert f"non-finite loss at epoch {bad}: blow-up" in history.training_logs[0]["stop_reason"]
    assert np.isfinite(history.training_logs[0]["losses"]).all()
    assert np.isfinite(p.module.value)
    assert watch.epochs == list(range(bad))
    assert watch.ended


@pytest.mark.parametrize("steps", ["fused", 1, 2, 3, 13])
def test_the_last_finite_state_is_kept_exactly(steps):
    """With 13 steps in a call the first loss of the second call is the one that is not finite."""
    crux, p, q = diverging()
    options = {} if steps == "fused" else {"inner_steps": steps, "callbacks": [Watch()]}
    with pytest.warns(NonFiniteLossWarning):
        history = crux.solve(65 if steps == 13 else 60, **options)
    fresh, p_fresh, q_fresh = diverging()
    reference = fresh.solve(12)
    assert float(p.module.value) == float(p_fresh.module.value)
    assert float(q.module.value) == float(q_fresh.module.value)
    np.testing.assert_array_equal(crux.rng, fresh.rng)
    np.testing.assert_array_equal(history.total_loss_history[:-1], reference.total_loss_history)
    # going on from there repeats the last finite epoch: key, optimizer state and epoch were kept as well
    with pytest.warns(NonFiniteLossWarning):
        again = crux.solve(6)
    assert again.training_logs[1]["total_loss"][0] == history.total_loss_history[-1]


def test_the_first_epoch_of_a_problem():
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(-1.0).optimizer(optax.sgd(0.1))
    crux = jno.core([jno.np.log(p)], domain=domain)
    with pytest.warns(NonFiniteLossWarning, match="non-finite loss at epoch 0: C0 = nan"):
        history = crux.solve(5)
    assert history.total_loss is None
    assert history.total_loss_history.shape == (0,)
    assert float(p.module.value) == -1.0
    with pytest.warns(UserWarning, match="nothing to plot"):
        history.plot("unused.png")
    history.summary()


def test_infinite_counts_as_well():
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.1))
    crux = jno.core([1.0 / p], domain=domain)
    with pytest.warns(NonFiniteLossWarning, match="C0 = inf"):
        crux.solve(3)


def cusp():
    """``sqrt(p²)`` at zero: a finite loss with a gradient that is not a number."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.1))
    return jno.core([jno.np.sqrt(p**2)], domain=domain), p


def test_a_gradient_that_is_not_finite():
    crux, p = cusp()
    with pytest.warns(NonFiniteLossWarning, match="at epoch 1"):
        history = crux.solve(5)
    np.testing.assert_array_equal(history.total_loss_history, [0.0])
    assert float(p.module.value) == 0.0


@pytest.mark.parametrize("inner_steps", [1, 3])
def test_the_last_update_of_a_solve_broke_the_weights(inner_steps):
    """``|p - 2|`` as a square root: the losses are 2, 1, 0, the gradient of the last one is not a number."""
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).optimizer(optax.sgd(1.0))
    crux = jno.core([jno.np.sqrt((p - 2.0) ** 2)], domain=domain)
    with pytest.warns(NonFiniteLossWarning, match="non-finite weights after epoch 2") as caught:
        history = crux.solve(3, inner_steps=inner_steps, callbacks=[Watch()])
    assert len(caught) == 1
    np.testing.assert_array_equal(history.total_loss_history, [2.0, 1.0, 0.0])
    assert float(p.module.value) == 2.0
    assert "after epoch 2" in history.training_logs[0]["stop_reason"]


def test_the_check_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", "0")
    crux, p = cusp()
    history = crux.solve(5)
    np.testing.assert_array_equal(np.isfinite(history.total_loss_history), [True, False, False, False, False])
    assert np.isnan(p.module.value)
    assert "stop_reason" not in history.training_logs[0]


def test_the_check_does_not_change_the_numbers(monkeypatch):
    def losses():
        crux, _, _ = diverging(rate=0.1)
        return crux.solve(8).total_loss_history

    checked = losses()
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", "0")
    np.testing.assert_array_equal(losses(), checked)


def test_a_frozen_model_may_hold_anything_that_is_not_used():
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(0.1))
    q = jno.np.parameter((2,)).initialize(jnp.array([1.0, jnp.nan])).freeze()
    crux = jno.core([(p - q[0]) ** 2], domain=domain)
    np.testing.assert_array_equal(crux.solve(2).total_loss_history, [0.0, 0.0])
    assert float(q.module.value[0]) == 1.0


def test_loops_of_fixed_length_do_the_same(monkeypatch):
    """On GPUs epochs run in blocks of 32, which are looked at afterwards."""
    monkeypatch.setattr(Pace, "steps", property(lambda pace: 75))
    outcomes = []
    for blocks in (False, True):
        monkeypatch.setattr(Devices, "launches_ahead", blocks)
        crux, p, q = diverging(rate=1.5)  # 2.5**49 is the first square above 3.4e38
        with pytest.warns(NonFiniteLossWarning, match="non-finite loss at epoch 49: blow-up"):
            stopped = crux.solve(200)
        fine, _, r = diverging(rate=0.1)
        whole = fine.solve(100)
        outcomes.append([stopped.total_loss_history, p.module.value, q.module.value, crux.rng])
        outcomes[-1] += [whole.total_loss_history, r.module.value, fine.rng]
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert len(outcomes[1][0]) == 49
    assert len(outcomes[1][4]) == 100
