"""Saving and loading problems and histories of real runs."""

import subprocess
import sys

import cloudpickle
import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import pytest

import jno
from jno.utils.statistics import statistics


def problem(optimizer=None):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    module = foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))
    net = jno.nn(module, name="net").optimizer(optimizer or optax.sgd(0.1))
    u = net(x)
    crux = jno.core([(u - x + 0.1 * jno.noise.gaussian()).mse.name("fit"), u.mean.name("level").tracker(interval=2)])
    return crux, net, u


def leaves(module):
    return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(eqx.filter(module, eqx.is_array))]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(leaves(first), leaves(second), strict=True))


def only(crux):
    (module,) = crux.models.values()
    return module


def by_methods(crux, path):
    assert crux.save(path) is crux
    return jno.core.load(path)


def by_functions(crux, path):
    jno.save(crux, str(path))
    return jno.load(str(path), expected_type=jno.core)


@pytest.mark.parametrize("through", [by_methods, by_functions])
def test_a_trained_problem_comes_back(tmp_path, through):
    crux, _, u = problem()
    crux.solve(3)
    loaded = through(crux, tmp_path / "deep" / "trained.pkl")
    assert type(loaded) is jno.core
    assert loaded.domain is not crux.domain
    assert same(only(loaded), only(crux))
    np.testing.assert_array_equal(loaded.rng, crux.rng)
    assert loaded.seed == crux.seed
    np.testing.assert_array_equal(loaded.training_logs[0]["losses"], crux.training_logs[0]["losses"])
    np.testing.assert_array_equal(loaded.eval(loaded.constraints[0]), crux.eval(crux.constraints[0]))
    np.testing.assert_array_equal(loaded.eval(u), crux.eval(u))  # an expression over the original's model


def test_training_continues_identically(tmp_path):
    crux, _, _ = problem(optax.sgd(0.1))
    crux.solve(3)
    loaded = by_methods(crux, tmp_path / "c.jno")
    wanted, got = crux.solve(4), loaded.solve(4)
    np.testing.assert_array_equal(got.total_loss_history, wanted.total_loss_history)
    assert same(only(loaded), only(crux))
    assert [len(log["total_loss"]) for log in got.training_logs] == [3, 4]
    assert got.training_logs[1]["track_stats"][0]["name"] == "level"


def test_training_with_momentum_continues_identically(tmp_path):
    crux, _, _ = problem(optax.adam(1e-2))
    crux.solve(3)
    loaded = by_methods(crux, tmp_path / "c.jno")
    np.testing.assert_array_equal(loaded.solve(3).total_loss_history, crux.solve(3).total_loss_history)


def test_epochs_continue(tmp_path):
    crux, net, _ = problem()
    net.scale(lambda epoch: 1.0 / (1.0 + epoch))
    crux.solve(3)
    loaded = by_methods(crux, tmp_path / "c.jno")
    np.testing.assert_array_equal(loaded.solve(2).training_logs[1]["epoch"], [3, 4])


def test_saving_does_not_disturb(tmp_path):
    crux, net, _ = problem(optax.adam(1e-2))
    plain, other, _ = problem(optax.adam(1e-2))
    crux.solve(2)
    crux.save(tmp_path / "c.jno")
    crux.solve(2)
    plain.solve(2)
    plain.solve(2)
    assert same(net.module, other.module)


def test_an_untrained_problem(tmp_path):
    crux, _, _ = problem()
    loaded = by_methods(crux, tmp_path / "c.jno")
    np.testing.assert_array_equal(loaded.solve(2).total_loss_history, crux.solve(2).total_loss_history)


def test_loading_twice_gives_independent_problems(tmp_path):
    crux, _, _ = problem()
    crux.save(tmp_path / "c.jno")
    first, second = jno.core.load(tmp_path / "c.jno"), jno.core.load(tmp_path / "c.jno")
    assert set(first.models).isdisjoint(second.models)
    assert set(first.models).isdisjoint(crux.models)
    first.solve(2)
    assert same(only(second), only(crux))
    assert not same(only(first), only(crux))


def test_configuration_comes_back(tmp_path):
    crux, net, _ = problem()
    nothing = jax.tree_util.tree_map(lambda _: False, net.module)
    net.mask(eqx.tree_at(lambda m: m.output_layer.bias, nothing, True)).freeze()
    loaded = by_methods(crux, tmp_path / "c.jno")
    before = leaves(only(loaded))
    log = loaded.solve(2).training_logs[0]
    assert (log["trainable_params"], log["frozen_params"]) == (12, 1)
    assert any(np.array_equal(a, b) and a.shape == (1,) for a, b in zip(before, leaves(only(loaded)), strict=True))


# --- damaged and foreign files ----------------------------------------------------------------------------------
def test_a_truncated_file(tmp_path):
    crux, _, _ = problem()
    path = tmp_path / "c.jno"
    crux.save(path)
    content = path.read_bytes()
    for size in (10, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="truncated or damaged"):
            jno.core.load(path)


def test_a_flipped_bit(tmp_path):
    crux, _, _ = problem()
    path = tmp_path / "c.jno"
    crux.save(path)
    content = bytearray(path.read_bytes())
    content[-50] ^= 4
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="does not match its SHA-256 digest"):
        jno.load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something", cloudpickle.dumps({"a": 1})])
def test_a_foreign_file_is_not_unpickled(tmp_path, content):
    path = tmp_path / "c.jno"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a jNO file"):
        jno.core.load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.jno"):
        jno.core.load(tmp_path / "nothing.jno")


def test_another_type(tmp_path):
    path = tmp_path / "d.jno"
    jno.save(jno.domain.line(), path)
    with pytest.raises(TypeError, match=r"holds an object of type .*, expected jno\.core\.core"):
        jno.core.load(path)
    with pytest.raises(TypeError, match="expected"):
        jno.load(path, expected_type=statistics)


# --- statistics of a run ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def history():
    crux, _, _ = problem()
    crux.solve(4)
    return crux.solve(3)


def test_history_round_trip(history, tmp_path):
    history.save(tmp_path / "h.jno")
    loaded = statistics.load(tmp_path / "h.jno")
    np.testing.assert_array_equal(loaded.total_loss_history, history.total_loss_history)
    assert loaded.total_loss == history.total_loss
    np.testing.assert_array_equal(
        loaded.training_logs[1]["track_stats"][0]["values"], history.training_logs[1]["track_stats"][0]["values"]
    )
    with pytest.raises(TypeError, match=r"expected jno\.core\.core"):
        jno.core.load(tmp_path / "h.jno")


def test_history_plot(history, tmp_path):
    path = tmp_path / "plots" / "loss.png"
    assert history.plot(path) is history
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 5000


def test_history_summary(history, capsys):
    assert history.summary() is history
    printed = capsys.readouterr().out
    for text in ("solve calls", "epochs", "7", "final loss fit", "trainable parameters", "13"):
        assert text in printed


SCRIPT = """
import sys
import equinox as eqx, jax, jax.numpy as jnp, jno

class Net(eqx.Module):
    w: jax.Array
    def __call__(self, x):
        return self.w * x

if sys.argv[1] == "save":
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    jno.core([jno.nn(Net(jnp.full(1, 3.0)), name="net").freeze()(x).mse]).save(sys.argv[2])
else:
    loaded = jno.core.load(sys.argv[2])
    print("weights", [float(w[0]) for w in jax.tree_util.tree_leaves(loaded.models)])
"""


def test_a_network_of_the_script_itself_is_found_again(tmp_path):
    script, file = tmp_path / "script.py", tmp_path / "core.jno"
    script.write_text(SCRIPT)

    def run(*command):
        return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=120)

    saved = run(script, "save", file)
    assert saved.returncode == 0, saved.stderr
    assert "weights [3.0]" in run(script, "load", file).stdout
    with pytest.raises(ValueError, match="the class Net of __main__ is not known in this process"):
        jno.core.load(file)
