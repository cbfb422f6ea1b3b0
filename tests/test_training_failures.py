"""After any error the core holds the last good weights and trains on; no weights are trained twice at a time."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.utils.callbacks import Callback

RATE = 0.1
"""Each epoch multiplies the parameters by 1 - 2 RATE / number of constraints (one)."""


def descent(*, optimizer=None, name="p"):
    """A vector (2, 3) that goes to zero by a factor of 0.8 per epoch."""
    p = jno.np.parameter((2, 3), name=name).initialize(jnp.ones((2, 3)))
    p.optimizer(optimizer or optax.sgd(3 * 2 * RATE / 2 * 2))
    return jno.core([(p**2).mean], domain=jno.domain.line(mesh_size=0.5)), p


def weights(p):
    return np.asarray(p.module.value)


def assert_trained(p, epochs):
    np.testing.assert_allclose(weights(p), np.full((2, 3), 0.8**epochs), rtol=1e-5)


# --- what callbacks return ----------------------------------------------------------------------------------------
class Returning(Callback):
    """Replaces the gradients of one epoch."""

    def __init__(self, change, epoch=2):
        self.change, self.epoch = change, epoch

    def on_before_update(self, *, grads, epoch, **kw):
        return jax.tree_util.tree_map(self.change, grads) if epoch == self.epoch else None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g[0], r"value has the shape \(3,\) instead of \(2, 3\)"),
        (jnp.mean, r"value has the shape \(\) instead of \(2, 3\)"),
        (lambda g: g[None], r"value has the shape \(1, 2, 3\) instead of \(2, 3\)"),
        (lambda g: g + 1j, r"value is of the type complex64 instead of float32"),
        (lambda g: "steep", "value is no array of numbers"),
    ],
    ids=["row", "number", "axis", "complex", "text"],
)
@pytest.mark.parametrize("finite_check", ["1", "0"])
def test_gradients_that_do_not_fit_are_refused(monkeypatch, finite_check, change, message):
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", finite_check)
    crux, p = descent()
    with pytest.raises(ValueError, match=message) as caught:
        crux.solve(5, callbacks=[Returning(change)])
    said = "Returning.on_before_update() returned leaves that do not fit gradients like those given"
    assert said in str(caught.value)
    assert_trained(p, 2)
    np.testing.assert_allclose(crux.eval((p**2).mean), 0.8**4, rtol=1e-5)
    assert len(crux.solve(3).total_loss_history) == 5
    assert_trained(p, 5)


def test_gradients_of_another_precision_are_rounded():
    crux, p = descent()
    crux.solve(5, callbacks=[Returning(lambda g: np.asarray(g, np.float64))])
    assert_trained(p, 5)
    assert weights(p).dtype == np.float32


def narrowing(count):
    """Descent whose step number ``count`` has lost an axis."""

    def update(updates, state, parameters=None):
        return jax.tree_util.tree_map(lambda u: -0.6 * u, updates), state[: len(state) - 1]

    return optax.GradientTransformation(lambda parameters: jnp.zeros(count), update)


def test_an_optimizer_whose_state_changes_its_shape_is_refused():
    crux, p = descent(optimizer=narrowing(4))
    with pytest.raises(ValueError, match=r"the update of the optimizers returned leaves .* \(3,\) instead of \(4,\)"):
        crux.solve(5, callbacks=[Returning(lambda g: g)])
    assert_trained(p, 0)


class Restoring(Callback):
    restores_weights = True

    def __init__(self, answer):
        self.answer = answer

    def on_solve_end(self, **kw):
        return self.answer


def test_a_state_to_go_back_to_is_checked():
    crux, p = descent()
    with pytest.raises(TypeError, match=r"on_solve_end\(\) returned float: expected None, or a state that measured"):
        crux.solve(2, callbacks=[Restoring(0.5)])
    assert_trained(p, 2)


# --- steps that raise ---------------------------------------------------------------------------------------------
def breaking(number):
    """Descent whose update raises on the host at its call of this number."""
    calls = []

    def host(update):
        calls.append(None)
        if len(calls) == number:
            raise OSError("the licence server does not answer")
        return np.asarray(update)

    def update(updates, state, parameters=None):
        shape = lambda u: jax.ShapeDtypeStruct(u.shape, u.dtype)  # noqa: E731
        step = jax.tree_util.tree_map(lambda u: jax.pure_callback(host, shape(u), -0.6 * u), updates)
        return step, state

    return optax.GradientTransformation(lambda parameters: optax.EmptyState(), update)


@pytest.mark.parametrize("finite_check", ["1", "0"])
@pytest.mark.parametrize("hooked", [True, False])
def test_a_step_that_raises_leaves_the_last_good_weights(monkeypatch, finite_check, hooked):
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", finite_check)
    crux, p = descent(optimizer=breaking(3))
    watching = [Returning(lambda g: g)] if hooked else []
    with pytest.raises(Exception, match="the licence server does not answer"):
        crux.solve(5, callbacks=watching)
    done = len(crux.training_logs[-1]["total_loss"])
    assert done == 2 if hooked else done <= 2
    assert_trained(p, done)
    np.testing.assert_allclose(crux.eval((p**2).mean), 0.8 ** (2 * done), rtol=1e-5)
    crux.solve(4, callbacks=watching)
    assert_trained(p, done + 4)


# --- several threads ----------------------------------------------------------------------------------------------
class Waiting(Callback):
    """Waits in the middle of training until it is let go."""

    def __init__(self):
        self.reached, self.released = threading.Event(), threading.Event()

    def on_epoch_end(self, **kw):
        self.reached.set()
        assert self.released.wait(60)


def test_a_core_that_is_being_trained_is_refused():
    crux, p = descent()
    waiting = Waiting()
    thread = threading.Thread(target=crux.solve, args=(3,), kwargs={"callbacks": [waiting]}, name="trains")
    thread.start()
    assert waiting.reached.wait(60)
    with pytest.raises(RuntimeError, match=r"this core is being trained in the thread 'trains'.*train another"):
        crux.solve(3)
    sharing = jno.core([(p**2).mean], domain=jno.domain.line(mesh_size=0.5))
    with pytest.raises(RuntimeError, match=r"the model 'p' is being trained in the thread 'trains'"):
        sharing.solve(3)
    waiting.released.set()
    thread.join()
    assert_trained(p, 3)
    crux.solve(3)
    sharing.solve(1)
    assert_trained(p, 7)


def test_many_threads_lose_no_update():
    """Each solve() of eight threads is done or refused."""
    crux, p = descent()
    refused = []

    def train():
        try:
            crux.solve(2)
        except RuntimeError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=train) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    solves = len(crux.training_logs)
    assert solves + len(refused) == 8
    assert_trained(p, 2 * solves)
    np.testing.assert_array_equal(np.concatenate([log["epoch"] for log in crux.training_logs]), np.arange(2 * solves))


def test_training_within_training_is_refused():
    crux, p = descent()

    class Nested(Callback):
        def on_epoch_end(self, **kw):
            crux.solve(1)

    with pytest.raises(RuntimeError, match=r"this core is being trained by the solve\(\) that has called this"):
        crux.solve(3, callbacks=[Nested()])
    assert_trained(p, 1)
    crux.solve(1)
    assert_trained(p, 2)


def test_what_is_frozen_here_may_be_trained_elsewhere_meanwhile():
    crux, p = descent()
    q = jno.np.parameter((), name="q").initialize(1.0).optimizer(optax.sgd(0.1))
    other = jno.core([(q * p.freeze()).mse], domain=jno.domain.line(mesh_size=0.5))
    waiting = Waiting()
    thread = threading.Thread(target=other.solve, args=(2,), kwargs={"callbacks": [waiting]})
    thread.start()
    assert waiting.reached.wait(60)
    p.unfreeze()
    crux.solve(3)
    waiting.released.set()
    thread.join()
    assert_trained(p, 3)
