"""core.solve: objective, history, repeated calls, options, batches and time windows."""

import functools
import io
import re
import sys

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import pytest
from helpers import compilations
from rich.console import Console

import jno
from jno.utils.callbacks import Callback


def line(**options):
    domain = jno.domain.line(mesh_size=0.25, **options)
    x, t = domain.variable("interior")
    return domain, x, t


def network(seed=0, optimizer=None):
    module = foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(seed))
    return jno.nn(module).optimizer(optax.adam(1e-2) if optimizer is None else optimizer)


def noisy_problem(optimizer=None):
    _, x, _ = line()
    net = network(optimizer=optimizer)
    u = net(x)
    return jno.core([(u.d(x) - 1.0).mse, (u - x + 0.1 * jno.noise.gaussian()).mse]), net


def parameter_problem(optimizer=None, start=2.0):
    domain, _, _ = line()
    p = jno.np.parameter(()).initialize(start).optimizer(optax.sgd(0.1) if optimizer is None else optimizer)
    return jno.core([p**2], domain=domain), p


def leaves(net):
    return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array))]


def assert_equal_weights(first, second):
    for a, b in zip(leaves(first), leaves(second), strict=True):
        np.testing.assert_array_equal(a, b)


# --- objective and history --------------------------------------------------------------------------------------
def test_the_total_is_the_mean_over_constraints_of_their_means():
    domain, x, _ = line()
    p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(1.0))
    crux = jno.core([p * x, p**2, 0.0 * p - x.mean], domain=domain)
    log = crux.solve(1).training_logs[0]
    np.testing.assert_allclose(log["losses"], [[1.5, 9.0, -0.5]], rtol=1e-6)
    np.testing.assert_allclose(log["total_loss"], [10.0 / 3.0], rtol=1e-6)
    np.testing.assert_allclose(float(p.module.value), 3.0 - (0.5 + 6.0) / 3.0, rtol=1e-6)


def test_one_row_per_epoch():
    _, x, _ = line()
    net = network()
    crux = jno.core([(net(x) - x).mse.name("fit"), net(x).mean.tracker(), (net(x)).mse])
    history = crux.solve(7)
    assert isinstance(history, jno.utils.statistics.statistics)
    log = history.training_logs[0]
    np.testing.assert_array_equal(log["epoch"], np.arange(7))
    assert log["losses"].shape == (7, 2)
    np.testing.assert_allclose(log["total_loss"], log["losses"].mean(axis=1), rtol=1e-6)
    assert log["timestamps"].shape == (7,)
    assert (np.diff(log["timestamps"]) > 0).all()
    assert 0 < log["timestamps"][0] <= log["timestamps"][-1] <= log["training_time"]
    assert log["constraint_names"] == ["fit", "C1"]
    assert [log[k] for k in ("trainable_params", "frozen_params", "total_params", "lora_params")] == [13, 0, 13, 0]
    assert "stop_reason" not in log
    assert history.total_loss == float(log["total_loss"][-1])
    assert crux.n_constraints == 2


def test_losses_are_those_before_the_update():
    crux, p = parameter_problem()
    history = crux.solve(3)
    np.testing.assert_allclose(history.total_loss_history, 4.0 * 0.64 ** np.arange(3), rtol=1e-6)
    np.testing.assert_allclose(float(p.module.value), 2.0 * 0.8**3, rtol=1e-6)


def test_progress_names_the_constraints(capsys):
    crux, _ = parameter_problem()
    crux.constraints[0].name("energy")
    crux.solve(30)
    lines = [line for line in capsys.readouterr().out.splitlines() if "energy" in line]
    assert 2 <= len(lines) <= 12
    assert "epoch      0" in lines[0]
    assert "epoch     29" in lines[-1]


def test_compiling_is_announced_once(capsys):
    crux, _ = parameter_problem()
    said = []
    for _ in range(2):
        crux.solve(3)
        said.append([line for line in capsys.readouterr().out.splitlines() if line.startswith("INFO: ")])
    assert [line.split()[1] for line in said[0]] == ["compiling", "epoch", "epoch"]
    assert [line.split()[1] for line in said[1]] == ["epoch", "epoch"], "the program is there already"


def test_the_bar_stays_and_is_full(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("rich._console", Console(file=io.StringIO()))  # made where there was no terminal
    crux, _ = parameter_problem()
    shown = []
    for _ in range(2):
        crux.solve(3)
        shown.append(capsys.readouterr().out)
    first, second = (re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\r", out) for out in shown)
    assert first.index("compiling") < first.index("training")
    assert "compiling" not in second
    for out, raw in zip((first, second), shown, strict=True):
        last = [line for line in re.split(r"[\r\n]+", out) if line.strip()][-1]
        assert re.search(r"training .* 3/3 .*loss \d", last)
        assert not raw.rstrip().endswith("\x1b[2K"), "the bar was erased"


def test_the_global_numpy_generator_is_left_alone():
    np.random.seed(3)  # noqa: NPY002
    wanted = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    crux, _ = noisy_problem()
    crux.solve(2)
    assert np.random.random() == wanted  # noqa: NPY002


# --- repeated calls ---------------------------------------------------------------------------------------------
def test_ten_and_ten_epochs_are_twenty():
    whole, net = noisy_problem()
    parts, other = noisy_problem()
    once = whole.solve(20)
    first = parts.solve(10)
    twice = parts.solve(10)
    np.testing.assert_array_equal(once.total_loss_history, twice.total_loss_history)
    np.testing.assert_array_equal(once.training_logs[0]["losses"][10:], twice.training_logs[1]["losses"])
    np.testing.assert_array_equal(twice.training_logs[1]["epoch"], np.arange(10, 20))
    assert_equal_weights(net, other)
    np.testing.assert_array_equal(whole.rng, parts.rng)
    assert len(first.training_logs) == 1
    assert len(twice.training_logs) == 2


def test_solving_moves_the_random_key():
    crux, _ = noisy_problem()
    before = np.asarray(crux.rng)
    crux.solve(1)
    assert not np.array_equal(before, crux.rng)


def test_a_replaced_optimizer_starts_with_a_fresh_state():
    momentum = optax.sgd(0.5, momentum=0.5)
    domain, _, _ = line()
    p = jno.np.parameter(()).optimizer(momentum)
    crux = jno.core([p], domain=domain)
    crux.solve(2)
    assert float(p.module.value) == -0.5 * (1.0 + 1.5)
    crux.solve(1)
    assert float(p.module.value) == -0.5 * (1.0 + 1.5 + 1.75)
    p.optimizer(optax.sgd(0.5, momentum=0.5))
    crux.solve(2)
    assert float(p.module.value) == -0.5 * (1.0 + 1.5 + 1.75 + 1.0 + 1.5)


def test_other_models_keep_their_optimizer_state():
    domain, _, _ = line()
    p, q = (jno.np.parameter(()).optimizer(optax.sgd(1.0, momentum=0.5)) for _ in range(2))
    crux = jno.core([p, q], domain=domain)
    crux.solve(1)
    q.optimizer(optax.sgd(1.0))
    crux.solve(1)
    assert float(p.module.value) == -0.5 * (1.0 + 1.5)
    assert float(q.module.value) == -0.5 * (1.0 + 1.0)


class Watch(Callback):
    """Makes the device calls as long as the outer steps."""

    def on_epoch_end(self, **kw):
        return None


def test_a_first_solve_compiles_no_program_for_each_array():
    """One each to test the points, for the optimizer states, for the epochs, and to look at the weights."""

    def run(width):
        module = foundax.mlp(2, hidden_dims=width, num_layers=3, key=jax.random.PRNGKey(0))
        x, y, _ = jno.domain.rect(mesh_size=1 / width).variable("interior")
        u = jno.nn(module).optimizer(optax.adam(1e-3))(x, y)
        return compilations(lambda: jno.core([u.laplacian(x, y).mse, (u - x).mse]).solve(2, callbacks=[Watch()]))

    run(3)  # programs of no size
    assert run(5) <= 5


def test_a_second_solve_compiles_nothing():
    _, x, _ = line()
    net = network()
    u = net(x)
    crux = jno.core([(u.d(x) - 1.0).mse, (u - x + 0.1 * jno.noise.gaussian()).mse, u.mean.tracker(interval=2)])
    solve = functools.partial(crux.solve, 4, inner_steps=2, callbacks=[Watch()])
    assert compilations(solve) > 0
    assert compilations(solve) == 0


def test_options_seen_before_compile_nothing():
    crux, _ = samples_problem()
    watch = {"callbacks": [Watch()]}
    crux.solve(1, **watch)
    assert compilations(lambda: crux.solve(1, batchsize=2, **watch)) > 0
    assert compilations(lambda: crux.solve(2, **watch)) == 0
    assert compilations(lambda: crux.solve(2, batchsize=2, **watch)) == 0


def test_other_numbers_of_epochs_compile_nothing():
    domain, _, _ = line()
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    crux = jno.core([p**2, p, 2.0 * p, 3.0 * p, 4.0 * p], domain=domain)
    crux.solve(2, inner_steps=2, callbacks=[Watch()])
    assert compilations(lambda: crux.solve(5, inner_steps=5, callbacks=[Watch()])) == 0


def test_a_second_eval_compiles_nothing():
    crux, _ = noisy_problem()
    expression = crux.constraints[0]
    assert compilations(lambda: crux.eval(expression)) > 0
    crux.solve(1)
    assert compilations(lambda: crux.eval(expression)) == 0


# --- inner_steps ------------------------------------------------------------------------------------------------
def test_fused_steps_give_the_same_numbers():
    single, net = noisy_problem()
    wanted = single.solve(6).training_logs[0]["losses"]
    for inner_steps in (2, 6):
        fused, other = noisy_problem()
        got = fused.solve(6, inner_steps=inner_steps).training_logs[0]["losses"]
        np.testing.assert_array_equal(got, wanted)
        assert_equal_weights(net, other)


# --- batches ----------------------------------------------------------------------------------------------------
def samples_problem(values=(1.0, 10.0, 100.0, 1000.0)):
    domain = len(values) * jno.domain.line(mesh_size=0.5)
    domain.variable("interior")
    f = domain.variable("f", np.array(values)[:, None])
    p = jno.np.parameter(()).optimizer(optax.sgd(1e-6))
    return jno.core([f + 0.0 * p, (f + 0.0 * p) * 2.0]), p


def test_a_batch_has_distinct_samples():
    crux, _ = samples_problem()
    log = crux.solve(40, batchsize=2).training_logs[0]
    pairs = {round(2.0 * loss) for loss in log["losses"][:, 0]}
    allowed = {11, 101, 1001, 110, 1010, 1100}
    assert pairs <= allowed
    assert len(pairs) >= 4
    np.testing.assert_allclose(log["losses"][:, 1], 2.0 * log["losses"][:, 0], rtol=1e-6)


def test_a_batch_of_all_samples_is_no_batch():
    crux, _ = samples_problem()
    losses = crux.solve(3, batchsize=4).training_logs[0]["losses"]
    np.testing.assert_allclose(losses[:, 0], 1111.0 / 4.0, rtol=1e-6)


def test_points_and_shared_data_are_not_selected_from():
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    shared = domain.variable("shared", np.array([[2.0]]))
    f = domain.variable("f", np.array([[1.0], [10.0], [100.0]]))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([x.mean + 0.0 * p, shared + 0.0 * p, f * x.mean + 0.0 * p])
    losses = crux.solve(12, batchsize=1).training_logs[0]["losses"]
    np.testing.assert_allclose(losses[:, 0], 0.5, rtol=1e-6)
    np.testing.assert_allclose(losses[:, 1], 2.0, rtol=1e-6)
    assert set(np.round(2.0 * losses[:, 2]).astype(int).tolist()) == {1, 10, 100}


def test_a_batch_is_the_gradient_of_its_samples():
    domain = 3 * jno.domain.line(mesh_size=0.5)
    domain.variable("interior")
    f = domain.variable("f", np.array([[1.0], [10.0], [100.0]]))
    p = jno.np.parameter(()).optimizer(optax.sgd(1.0))
    crux = jno.core([p * f])
    before, steps = 0.0, []
    for _ in range(5):
        crux.solve(1, batchsize=2)
        steps.append(before - float(p.module.value))
        before = float(p.module.value)
    assert {round(2.0 * s) for s in steps} <= {11, 101, 110}


def test_data_alone_is_enough():
    domain = 3 * jno.domain.line(mesh_size=0.5)
    f = domain.variable("f", np.array([[1.0], [10.0], [100.0]]))
    p = jno.np.parameter(()).optimizer(optax.sgd(1.0))
    np.testing.assert_array_equal(jno.core([p * f]).solve(1).total_loss_history, [0.0])


# --- time -------------------------------------------------------------------------------------------------------
def time_problem():
    _, x, t = line(time=(1.0, 3.0, 3))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    return jno.core([t * 1.0 + 0.0 * x + 0.0 * p])


def distinct_losses(crux, **options):
    return {round(float(v), 4) for v in crux.solve(30, **options).total_loss_history}


def test_one_level_per_step_drawn_at_random(capsys):
    crux = time_problem()
    assert distinct_losses(crux) == {1.0, 2.0, 3.0}
    crux.solve(1)
    assert capsys.readouterr().out.count("3 time levels; each step sees one of them") == 1


@pytest.mark.parametrize(("window", "means"), [(2, {1.5, 2.5}), (3, {2.0}), (None, {2.0}), (9, {2.0})])
def test_windows(window, means):
    assert distinct_losses(time_problem(), min_consecutive=window) == means


# --- bad options ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("epochs", [0, -3, True])
def test_bad_epochs(epochs):
    crux, p = parameter_problem()
    with pytest.raises(ValueError, match=f"epochs={epochs}: it must be an integer of at least 1"):
        crux.solve(epochs)
    assert float(p.module.value) == 2.0


@pytest.mark.parametrize("inner_steps", [0, -1, True])
def test_bad_inner_steps(inner_steps):
    crux, _ = parameter_problem()
    with pytest.raises(ValueError, match=f"inner_steps={inner_steps}: it must be an integer of at least 1"):
        crux.solve(4, inner_steps=inner_steps)


def test_inner_steps_must_divide_the_epochs():
    crux, _ = parameter_problem()
    with pytest.raises(ValueError, match="inner_steps=3 does not divide epochs=10"):
        crux.solve(10, inner_steps=3)


@pytest.mark.parametrize("batchsize", [0, -1, 5, True])
def test_bad_batchsize(batchsize):
    crux, _ = samples_problem()
    with pytest.raises(ValueError, match=f"batchsize={batchsize}: it counts samples .* an integer from 1 to 4"):
        crux.solve(1, batchsize=batchsize)


@pytest.mark.parametrize("window", [0, -1, True])
def test_bad_window(window):
    crux = time_problem()
    with pytest.raises(
        ValueError, match=rf"min_consecutive={window}\): min_consecutive must be an integer from 1 .*, or None"
    ):
        crux.solve(1, min_consecutive=window)


def test_unknown_option():
    crux, _ = parameter_problem()
    with pytest.raises(TypeError, match="epoch_count"):
        crux.solve(epoch_count=3)


def test_constraints_without_models():
    _, x, _ = line()
    with pytest.raises(ValueError, match="nothing to train"):
        jno.core([x.mse]).solve(1)
