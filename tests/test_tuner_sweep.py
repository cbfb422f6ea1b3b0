"""core.sweep: what is found, that it can be repeated, and that trials know nothing of each other."""

import equinox as eqx
import jax
import jax.numpy as jnp
import nevergrad
import numpy as np
import optax
import pytest

import jno
from jno.tuner._strategies import strategy_of

KEY = jax.random.PRNGKey(3)


def problem(start=0.0, name="k"):
    """Gradient steps on ``(k - 1)²`` contract its error by ``|1 - 2 rate|``."""
    domain = jno.domain.line(mesh_size=0.5)
    k = jno.np.parameter((), name=name).initialize(start).optimizer(optax.sgd)
    return jno.core([(k - 1.0).mse], domain=domain), k


def rates():
    return jno.np.tune.space().unique("epochs", [3]).float_range("learning_rate", 1e-4, 0.99, log_scale=True)


def objectives(crux):
    return [outcome.objective for outcome in crux.tuning_history]


# --- what is found --------------------------------------------------------------------------------------------
def test_a_grid_finds_the_known_best_cell():
    crux, k = problem()
    space = jno.np.tune.space().unique("learning_rate", [0.05, 0.2, 0.4, 0.9]).unique("epochs", [1, 2, 4])
    history = crux.sweep(space, None, 1)
    assert len(crux.tuning_history) == space.grid_size == 12, "a grid needs no budget"
    expected = [abs(1 - 2 * rate) ** (2 * epochs) for rate in (0.05, 0.2, 0.4, 0.9) for epochs in (1, 2, 4)]
    np.testing.assert_allclose(objectives(crux), expected, rtol=1e-4)
    assert crux.best_config == {"learning_rate": 0.4, "epochs": 4}
    assert crux.best_arch.choices == {}
    assert history.total_loss_history.shape == (4,)
    assert float(k.module.value) == pytest.approx(1 - 0.2**4, rel=1e-5)


@pytest.mark.slow
def test_an_optimizer_beats_the_median_of_random_trials():
    crux, _ = problem()
    crux.sweep(rates(), "RandomSearch", 15)
    random = np.median(objectives(crux))
    other, _ = problem()
    other.sweep(rates(), "NGOpt", 15)
    assert len(other.tuning_history) == 15
    assert other.tuning_history.best.objective < random


def test_the_same_seed_gives_the_same_sweep_and_another_one_does_not(monkeypatch):
    def run():
        crux, _ = problem()
        crux.sweep(rates(), "OnePlusOne", 2)
        return [(outcome.labels["learning_rate"], outcome.objective) for outcome in crux.tuning_history]

    first = run()
    assert run() == first
    monkeypatch.setenv("JNO_SEED", "7")
    assert run() != first


class Waves(eqx.Module):
    """A sum of sines."""

    frequencies: jax.Array

    def __init__(self, width, *, key):
        self.frequencies = jax.random.normal(key, (1, width))

    def __call__(self, x):
        return jnp.sum(jnp.sin(x @ self.frequencies), axis=1, keepdims=True)


def network_problem(choose=True):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    net = jno.nn.wrap(Waves, jno.np.tune.space().unique("width", [2, 6]), name="net")
    factor = jno.np.choice([0.0 * x, x * (1 - x)], name="factor") if choose else x * (1 - x)
    u = factor * net(x)
    return jno.core([(u - jno.np.sin(jno.np.pi * x)).mse.name("fit")]), net, u, x


def test_architectures_and_choices_are_searched_and_the_best_trial_is_repeated_exactly(tmp_path):
    crux, net, u, x = network_problem()
    space = jno.np.tune.space().unique("epochs", [20]).unique("learning_rate", [0.02])
    history = crux.sweep(space, None, None)
    rows = crux.tuning_history.rows
    assert [(row["width"], row["factor"]) for row in rows] == [(w, f) for w in (2, 6) for f in (0, 1)]
    best = crux.tuning_history.best
    assert crux.best_config == {"epochs": 20, "learning_rate": 0.02, "width": best.labels["width"], "factor": 1}
    assert crux.best_arch("width") == best.labels["width"]
    assert net.arch.choices == {"width": best.labels["width"]}
    assert net.module.frequencies.shape[1] == best.labels["width"]
    assert float(crux.eval(crux.constraints[0])[0]) == best.objective
    assert history.training_logs[0]["constraint_names"] == ["fit"]
    # what the user wrote is evaluated with the option that was chosen
    points = np.asarray(crux.eval(x))
    np.testing.assert_allclose(crux.eval(u), points * (1 - points) * np.asarray(crux.eval(net(x))), rtol=1e-5)
    crux.save(tmp_path / "crux.jno")
    loaded = jno.core.load(tmp_path / "crux.jno")
    assert loaded.best_config == crux.best_config
    assert loaded.best_arch.choices == crux.best_arch.choices
    assert loaded.tuning_history.rows == rows
    assert float(loaded.eval(loaded.constraints[0])[0]) == best.objective


# --- trials know nothing of each other ------------------------------------------------------------------------
def test_a_trial_equals_the_same_training_of_a_fresh_core():
    crux, _ = problem(start=0.25)
    space = jno.np.tune.space().unique("epochs", [2, 3]).unique("learning_rate", [0.1])
    crux.sweep(space, None, None)
    for row in crux.tuning_history.rows:
        fresh, k = problem(start=0.25)
        k.optimizer(optax.sgd(row["learning_rate"]))
        fresh.solve(row["epochs"])
        assert float(fresh.eval(fresh.constraints[0])) == row["objective"]


def test_trials_start_from_the_weights_of_when_the_sweep_began():
    crux, k = problem()
    k.optimizer(optax.sgd(0.25))
    crux.solve(1)
    assert float(k.module.value) == 0.5
    k.optimizer(optax.sgd)
    history = crux.sweep(jno.np.tune.space().unique("epochs", [1]).unique("learning_rate", [0.1, 0.25]), None, None)
    assert objectives(crux) == pytest.approx([0.4**2, 0.25**2])
    assert float(k.module.value) == 0.75
    assert len(history.training_logs) == 1, "the training of the sweep"
    assert len(crux.training_logs) == 2, "and what was trained before"
    assert list(crux.training_logs[1]["epoch"]) == [0]
    crux.solve(1)
    assert list(crux.training_logs[2]["epoch"]) == [1]


def test_networks_of_a_searched_architecture_forget_earlier_training():
    space = jno.np.tune.space().unique("epochs", [3])
    first, _, _, _ = network_problem(choose=False)
    first.sweep(space, None, None)
    second, net, _, _ = network_problem(choose=False)
    net.optimizer(optax.adam(0.1))
    second.solve(5)
    net.reset()
    second.sweep(space, None, None)
    assert objectives(second) == objectives(first)


# --- failures -------------------------------------------------------------------------------------------------
def test_failures_are_recorded_and_do_not_win(capsys):
    def sometimes(width, key):
        if width == 3:
            raise ArithmeticError("three is too much")
        return eqx.nn.Linear(1, 1, key=key)

    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    net = jno.nn.wrap(sometimes, jno.np.tune.space().unique("width", [2, 3]), name="net")
    net.optimizer(optax.sgd)
    crux = jno.core([(net(x) - 1.0).mse])
    capsys.readouterr()
    crux.sweep(jno.np.tune.space().unique("epochs", [30]).unique("learning_rate", [1e-3, 1e9]), None, None)
    found = crux.tuning_history
    assert [row["status"] for row in found.rows] == ["finished", "failed", "failed", "failed"]
    diverged, broken = found.outcomes[2], found.outcomes[1]
    assert diverged.objective is None
    assert diverged.error.startswith("FloatingPointError: training stopped: non-finite loss at epoch")
    assert broken.error == "ArithmeticError: three is too much"
    assert ", in sometimes\n" in broken.traceback  # the line itself only where pickled code keeps its file
    assert crux.best_config["learning_rate"] == 1e-3
    shown = capsys.readouterr().out
    assert "three is too much" in shown
    assert shown.count("epoch      0") == 1, "trials print no losses, the last training does"


def test_all_failing_is_an_error_with_the_first_cause():
    crux, k = problem()
    with pytest.raises(
        RuntimeError, match=r"every trial failed \(2 of 2\); the first one with ValueError: inner_st"
    ) as e:
        crux.sweep(jno.np.tune.space().unique("epochs", [3, 5]).unique("inner_steps", [2]), None, None)
    assert "Traceback" in e.value.__notes__[0]
    assert crux.best_config is None
    assert float(k.module.value) == 0.0


def test_an_objective_that_is_not_finite_is_a_failure():
    crux, k = problem()
    with pytest.raises(RuntimeError, match=r"FloatingPointError: the objective is nan"):
        crux.sweep(jno.np.tune.space().unique("epochs", [1]), None, None, objective=jno.np.sqrt(-1.0 - k**2).mse)


# --- strategies -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("optimizer", "budget", "error", "message"),
    [
        ("NGOptt", 5, ValueError, r"Unknown Nevergrad optimizer 'NGOptt'; close names: .*NGOpt"),
        ("zzzz", 5, ValueError, r"Unknown Nevergrad optimizer 'zzzz'"),
        ("NGOpt", 0, ValueError, r"budget=0: it is the number of configurations to try, an integer of at least 1"),
        ("NGOpt", None, ValueError, r"budget=None"),
        (int, 5, TypeError, r"expected None, a name such as 'NGOpt', a class of nevergrad.optimizers"),
        (3, 5, TypeError, r"optimizer=3: expected None, a name"),
    ],
)
def test_what_a_strategy_refuses(optimizer, budget, error, message):
    with pytest.raises(error, match=message):
        strategy_of(rates(), optimizer, budget, 0)


@pytest.mark.parametrize(
    "optimizer",
    [
        "NGOpt",
        "CMA",
        "TwoPointsDE",
        nevergrad.optimizers.RandomSearch,
        nevergrad.optimizers.CMA,
        nevergrad.optimizers.ParametrizedOnePlusOne(noise_handling=None),
    ],
)
def test_strategies_propose_what_their_seed_says_and_survive_failures(optimizer):
    space = rates().unique("optimizer", [optax.adam, optax.sgd]).int_range("depth", 1, 4, category="architecture")

    def run(seed):
        strategy = strategy_of(space, optimizer, 10, seed)
        found = []
        while (values := strategy.ask()) is not None:
            assert all(space.get(name).accepts(value) for name, value in values.items())
            found.append(values)
            failed = len(found) in (1, 4)
            strategy.tell(values, None if failed else abs(np.log(values["learning_rate"]) + 3.0))
        assert len(found) == strategy.total == 10
        return found

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_failures_are_told_as_worse_than_the_worst():
    strategy = strategy_of(rates(), "OnePlusOne", 6, 0)
    told = []
    strategy._optimizer.register_callback("tell", lambda optimizer, candidate, loss: told.append(loss))
    for objective in (None, -2.0, None, 3.0, 1.0, None):
        strategy.tell(strategy.ask(), objective)
    assert told == [1e12, -2.0, 1.0, 3.0, 1.0, 7.0]


def test_several_proposals_may_be_open():
    strategy = strategy_of(rates(), "OnePlusOne", 4, 0)
    opened = [strategy.ask() for _ in range(3)]
    for values in reversed(opened):
        strategy.tell(values, 1.0)
    assert strategy.ask() is not None
    assert strategy.ask() is None


def test_the_journal_of_another_problem_is_refused(tmp_path):
    path = tmp_path / "trials.jsonl"
    domain = jno.domain.line(mesh_size=0.5)
    space = jno.np.tune.space().unique("epochs", [1])

    def run(target):
        k = jno.np.parameter((), name="k").optimizer(optax.sgd(0.1))
        crux = jno.core([(k - target).mse], domain=domain)
        crux.sweep(space, None, None, journal=path)
        return objectives(crux)

    first = run(1.0)
    assert run(1.0) == first
    with pytest.raises(ValueError, match=r"constraints"):
        run(2.0)
