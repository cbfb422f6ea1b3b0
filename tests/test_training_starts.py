"""What a first and a repeated call of `solve` cost besides their steps: programs, copies, the size of the program."""

import foundax
import jax
import numpy as np
import optax
import pytest

import jno
from jno.optimizers import ssbroyden
from jno.training._phases import on_device
from jno.training._step import Step


@pytest.fixture
def events():
    """Names of what JAX did since the last call."""
    names = []
    listener = lambda event, seconds, **_: names.append(event)  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)

    def since():
        taken = names.copy()
        names.clear()
        return taken

    yield since
    jax.monitoring.unregister_event_duration_listener(listener)


def compilations(events):
    return events.count("/jax/core/compile/backend_compile_duration")


def problem(optimizer):
    x, y, _ = jno.domain.rect(mesh_size=0.25).variable("interior")
    net = jno.nn(foundax.mlp(2, hidden_dims=6, num_layers=2, key=jax.random.PRNGKey(0))).optimizer(optimizer)
    return jno.core([(net(x, y).laplacian(x, y) + x * y).mse]), net


def test_a_repeated_call_compiles_traces_and_copies_nothing(events, monkeypatch):
    crux, _ = problem(optax.adam(1e-3))
    crux.solve(1)
    crux.solve(1)
    copies = []
    original = jax.device_put
    monkeypatch.setattr(jax, "device_put", lambda x, *a, **k: copies.append(np.shape(x)) or original(x, *a, **k))
    events()
    for _ in range(3):
        crux.solve(1)
    done = events()
    assert compilations(done) == 0
    assert not [event for event in done if "trace" in event]
    assert copies == [()] * 3  # the number of the epoch


def test_the_first_call_compiles_the_step_and_little_else(events):
    crux, _ = problem(optax.adam(1e-3))
    events()
    crux.solve(1)
    assert compilations(events()) <= 3  # optimizer states, epochs, and a number that is put on the device


def test_another_optimizer_compiles_its_states_and_its_step_only(events):
    crux, net = problem(optax.adam(1e-3))
    crux.solve(1)
    program, feed = crux._solver._built.program(1), dict(crux._solver._built._feeds)
    net.optimizer(optax.sgd(1e-3))
    events()
    crux.solve(1)
    assert compilations(events()) == 2
    assert crux._solver._built.program(1) is program
    assert dict(crux._solver._built._feeds) == feed
    net.optimizer(optax.adam(1e-3))
    crux.solve(1)
    assert compilations(events()) <= 2


def test_arrays_of_jax_stay_and_those_of_numpy_are_copied():
    tree = {"jax": jax.numpy.ones(3), "numpy": np.ones(3)}
    placed = on_device(tree)
    assert placed["jax"] is tree["jax"]
    tree["numpy"][:] = 2.0
    np.testing.assert_array_equal(placed["numpy"], 1.0)


def test_weights_from_before_stay_what_they_were():
    """Nothing is copied at the beginning, so a step must not reuse their memory."""
    crux, net = problem(optax.adam(1e-1))
    before = net.module
    values = jax.tree.map(np.array, before)
    crux.solve(5)
    jax.tree.map(np.testing.assert_array_equal, before, values)
    assert not jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), net.module, values))


def activations(optimizer, monkeypatch):
    """Number of activations in the program of the epochs: those of one loss for every copy of it."""
    counts = []

    def run(step, state, data, count):
        lowered = step._loop.lower(state, step._frozen_arrays, data, np.int32(count))
        counts.append(lowered.as_text().count("stablehlo.tanh"))
        raise InterruptedError

    crux, _ = problem(optimizer)
    monkeypatch.setattr(Step, "run", run)
    with pytest.raises(InterruptedError):
        crux.solve(1)
    return counts[0]


def test_a_line_search_has_one_copy_of_the_loss(monkeypatch):
    one = activations(optax.adam(1e-3), monkeypatch)
    assert one > 0
    assert activations(ssbroyden(), monkeypatch) == 2 * one  # the other one is that of the gradient at the start
    assert activations(ssbroyden(linesearch=optax.scale_by_zoom_linesearch(20)), monkeypatch) == 3 * one
