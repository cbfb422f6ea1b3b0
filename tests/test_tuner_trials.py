"""Every option of a configuration is honoured: trials against closed formulas and against training by hand."""

import pickle
import subprocess
import sys

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.lora import adapter_count
from jno.utils._pickling import _class_named, dumps

KEY = jax.random.PRNGKey(3)


def line(samples=1):
    domain = jno.domain.line(mesh_size=0.25)
    return domain if samples == 1 else samples * domain


def parameter(name="k", optimizer=optax.sgd):
    k = jno.np.parameter((), name=name)
    return k if optimizer is None else k.optimizer(optimizer)


def space(**options):
    built = jno.np.tune.space()
    for name, values in options.items():
        built.unique(name, values)
    return built


def swept(crux, found, **options):
    crux.sweep(found, None, None, **options)
    assert not crux.tuning_history.failed
    return [outcome.objective for outcome in crux.tuning_history]


def value_of(k):
    return float(k.module.value)


def sgd(rates):
    """``k`` after gradient steps on ``(k - 1)²`` from zero."""
    k = 0.0
    for rate in rates:
        k -= rate * 2.0 * (k - 1.0)
    return k


# --- options of training against closed formulas --------------------------------------------------------------
def test_epochs_and_learning_rates_as_numbers():
    k = parameter()
    crux = jno.core([(k - 1.0).mse], domain=line())
    objectives = swept(crux, space(epochs=[1, 4], learning_rate=[0.1, 0.3]))
    expected = [(sgd([rate] * epochs) - 1.0) ** 2 for epochs in (1, 4) for rate in (0.1, 0.3)]
    np.testing.assert_allclose(objectives, expected, rtol=1e-5)
    assert crux.best_config == {"epochs": 4, "learning_rate": 0.3}
    assert value_of(k) == pytest.approx(sgd([0.3] * 4))


def test_trials_keep_double_precision():
    with jax.enable_x64(True):
        k = parameter()
        crux = jno.core([(k - 1.0).mse], domain=line())
        (objective,) = swept(crux, space(epochs=[3], learning_rate=[0.1], constraint_weights=[[2.0]]))
        assert objective == pytest.approx((sgd([0.2] * 3) - 1.0) ** 2, rel=1e-14)


def test_learning_rates_as_schedules_of_several_kinds():
    k = parameter()
    crux = jno.core([(k - 1.0).mse], domain=line())
    schedules = [
        jno.LearningRateSchedule.piecewise_constant([1], [0.4, 0.1]),
        optax.constant_schedule(0.2),
        lambda epoch, losses: 0.1 * losses[0],
    ]
    objectives = swept(crux, space(epochs=[2], learning_rate=schedules))
    after_one = sgd([0.1])
    adaptive = after_one - 0.1 * (after_one - 1.0) ** 2 * 2.0 * (after_one - 1.0)
    expected = [(v - 1.0) ** 2 for v in (sgd([0.4, 0.1]), sgd([0.2, 0.2]), adaptive)]
    np.testing.assert_allclose(objectives, expected, rtol=1e-5)


def test_optimizers_replace_those_of_models_but_not_of_masks():
    free, masked = parameter("a", optax.sgd(0.25)), parameter("b", None)
    everything = jax.tree_util.tree_map(lambda _: True, masked.module)
    masked.mask(everything).optimizer(optax.sgd(0.25))
    crux = jno.core([(free - 1.0).mse + (masked - 1.0).mse], domain=line())
    found = space(epochs=[1], optimizer=[optax.sign_sgd(0.1), optax.sgd(0.5), optax.adam])
    objectives = swept(crux, found)
    kept = (sgd([0.25]) - 1.0) ** 2
    # the first step of Adam is the learning rate, 1e-3 where the factory has none
    np.testing.assert_allclose(objectives, [0.9**2 + kept, kept, 0.999**2 + kept], rtol=1e-5)


def test_models_without_an_optimizer_get_adam_and_others_keep_theirs():
    own, none = parameter("a", optax.sgd(0.25)), parameter("b", None)
    crux = jno.core([(own - 1.0).mse + (none - 1.0).mse], domain=line())
    (objective,) = swept(crux, space(epochs=[1]))
    assert objective == pytest.approx((sgd([0.25]) - 1.0) ** 2 + 0.999**2, rel=1e-5)


def test_a_scale_stays_where_no_learning_rate_is_searched():
    k = jno.np.parameter((), name="k").optimizer(optax.adam)
    k.model.scale(0.25)
    crux = jno.core([(k - 1.0).mse], domain=line())
    objectives = swept(crux, space(epochs=[1], optimizer=[optax.sgd, optax.sign_sgd]))
    np.testing.assert_allclose(objectives, [(sgd([0.25]) - 1.0) ** 2, 0.75**2], rtol=1e-5)


SCHEDULE = jno.WeightSchedule([lambda epoch: jnp.where(epoch < 1, 3.0, 1.0), 1.0])


@pytest.mark.parametrize(
    ("name", "options"), [("constraint_weights", [[3.0, 1.0], (1.0, 1.0)]), ("weight_schedule", [SCHEDULE])]
)
def test_weights_train_and_do_not_count_in_the_objective(name, options):
    k = parameter()
    losses = [(k - 1.0).mse.name("up"), (k + 1.0).mse.name("down")]
    crux = jno.core(losses, domain=line())
    found = space(epochs=[2], learning_rate=[0.25]).unique(name, options)
    objectives = swept(crux, found)

    def after(weights):
        k = 0.0
        for up, down in weights:
            k -= 0.25 * (up * (k - 1.0) + down * (k + 1.0))
        return 0.5 * ((k - 1.0) ** 2 + (k + 1.0) ** 2)

    weights = {1: [[(3.0, 1.0), (1.0, 1.0)]], 2: [[(3.0, 1.0)] * 2, [(1.0, 1.0)] * 2]}
    expected = [after(pairs) for pairs in weights[len(options)]]
    np.testing.assert_allclose(objectives, expected, rtol=1e-5)
    assert crux.training_logs[-1]["constraint_names"] == ["up", "down"]


def test_the_objective_may_be_any_expression():
    k = parameter()
    crux = jno.core([(k - 1.0).mse], domain=line())
    objectives = swept(crux, space(epochs=[1], learning_rate=[0.1, 0.4]), objective=(k - sgd([0.1])).mse.name("away"))
    np.testing.assert_allclose(objectives, [0.0, (sgd([0.4]) - sgd([0.1])) ** 2], atol=1e-6)
    assert crux.best_config["learning_rate"] == 0.1


# --- options of training against the same training by hand ----------------------------------------------------
def data_problem():
    domain = line(samples=4)
    domain.variable("d", np.arange(4.0).reshape(4, 1, 1))
    target = domain.variable("d")
    k = parameter(optimizer=optax.sgd(0.1))
    return jno.core([(k - target).mse], domain=domain), k


@pytest.mark.parametrize("options", [{"batchsize": 1}, {"batchsize": 2, "accumulation_steps": 2, "inner_steps": 3}])
def test_options_of_solve(options):
    other, _ = data_problem()
    other.solve(6, **options)
    expected = float(np.mean(other.eval(other.constraints[0])))
    crux, _ = data_problem()
    names = {name: [value] for name, value in options.items()}
    objectives = swept(crux, space(epochs=[6], **names))
    assert objectives == [expected]
    assert float(np.mean(crux.eval(crux.constraints[0]))) == expected, "the last training has the same options"


def test_without_epochs_a_trial_has_two_thousand():
    crux = plain()
    assert len(crux.sweep(space(learning_rate=[0.1]), None, None).total_loss_history) == 2000


def test_windows_of_time():
    def problem():
        domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 4))
        _, t = domain.variable("interior")
        k = parameter(optimizer=optax.sgd(0.1))
        return jno.core([(k - t).mse])

    other = problem()
    other.solve(5, min_consecutive=2)
    expected = float(np.mean(other.eval(other.constraints[0], min_consecutive=None)))
    assert swept(problem(), space(epochs=[5], min_consecutive=[2])) == [expected]


# --- controls of models ---------------------------------------------------------------------------------------
def network(**tuned):
    domain = line()
    x, _ = domain.variable("interior")
    net = jno.nn(eqx.nn.Linear(1, 1, key=KEY), name="net").optimizer(optax.adam(1e-2))
    net.tune(**tuned)
    k = parameter(optimizer=optax.sgd(0.1))
    return jno.core([(net(x) - x - 1.0).mse + (k - 1.0).mse]), net, k


def by_hand(crux, epochs):
    crux.compile()
    crux.solve(epochs)
    return float(np.mean(crux.eval(crux.constraints[0])))


def test_freezing():
    crux, net, k = network(freeze=[True, False])
    start = float(crux.eval(crux.constraints[0])[0])
    objectives = swept(crux, space(epochs=[3]))
    frozen = start - 1.0 + (sgd([0.1] * 3) - 1.0) ** 2
    assert objectives[0] == pytest.approx(frozen, rel=1e-6), "only the parameter was trained"
    assert objectives[1] < objectives[0]
    assert crux.best_config == {"epochs": 3, "net__freeze": False}
    assert not net.controls.frozen
    assert value_of(k) == pytest.approx(sgd([0.1] * 3))


def test_adapters():
    crux, net, _ = network(freeze=[True], lora=[(1, 1.0)])
    objectives = swept(crux, space(epochs=[3]))
    other, model, _ = network(freeze=[True])
    model.freeze().lora(1, 1.0)
    assert objectives == [by_hand(other, 3)]
    assert adapter_count(net.module) == 1
    assert net.controls.adapters == "only"


def test_dtypes_rates_and_optimizers_of_one_model():
    crux, net, _ = network(dtype=[jnp.bfloat16], optimizer=[optax.sgd], lr=[0.25, 0.125])
    objectives = swept(crux, space(epochs=[2]))
    other, model, _ = network(freeze=[True])
    model.dtype(jnp.bfloat16).optimizer(optax.sgd(0.25))
    assert objectives[0] == pytest.approx(by_hand(other, 2), rel=1e-6)
    assert objectives[1] != objectives[0]
    dtypes = {leaf.dtype for leaf in jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_inexact_array))}
    assert dtypes == {jnp.dtype(jnp.bfloat16)}


def test_a_model_without_a_name_is_tuned_too():
    module = eqx.nn.Linear(1, 1, key=KEY)
    net = jno.nn(module).optimizer(optax.sgd).tune(lr=[0.01, 0.1])
    x, _ = line().variable("interior")
    crux = jno.core([(net(x) - 1.0).mse])
    first, second = swept(crux, space(epochs=[2]))
    assert second < first
    assert crux.best_config == {"epochs": 2, f"model_{net.layer_id}__lr": 0.1}


def test_what_one_model_says_counts_before_the_space():
    first, second = parameter("a"), parameter("b")
    second.tune(optimizer=[optax.sign_sgd], lr=[0.5])
    crux = jno.core([(first - 1.0).mse + (second - 1.0).mse], domain=line())
    (objective,) = swept(crux, space(epochs=[1], optimizer=[optax.sgd], learning_rate=[0.1]))
    assert objective == pytest.approx((sgd([0.1]) - 1.0) ** 2 + 0.25, rel=1e-5)


# --- what a sweep refuses -------------------------------------------------------------------------------------
def plain(optimizer=optax.sgd, **tuned):
    k = parameter(optimizer=optimizer)
    if tuned:
        k.tune(**tuned)
    return jno.core([(k - 1.0).mse, (k + 1.0).mse], domain=line())


@pytest.mark.parametrize(
    ("crux", "found", "options", "error", "message"),
    [
        (plain, {}, {}, ValueError, r"there is nothing to search: the space is empty"),
        (
            plain,
            {"width": [1]},
            {},
            ValueError,
            r"nothing uses 'width' of the search space: no tunable network \(there",
        ),
        (plain, {"batchsize": [2]}, {}, RuntimeError, r"every trial failed \(1 of 1\).*ValueError: batchsize=2: it co"),
        (
            plain,
            {"constraint_weights": [[1.0, 1.0]], "weight_schedule": [[1.0, 1.0]]},
            {},
            ValueError,
            r"names constraint_weights and weight_schedule",
        ),
        (plain, {"constraint_weights": [[1.0]]}, {}, ValueError, r"has 1 weights for 2 constraints"),
        (plain, {"constraint_weights": [2.0]}, {}, TypeError, r"expected a list of numbers from 0 on, or a schedule"),
        (plain, {"constraint_weights": [[1.0, -1.0]]}, {}, TypeError, r"expected a list of numbers from 0 on"),
        (
            plain,
            {"weight_schedule": [lambda epoch: jnp.ones(2)]},
            {"prune": True},
            ValueError,
            r"prune=True compares losses of trials, which a schedule in weight_schedule scales differently",
        ),
        (plain, {"optimizer": ["adam"]}, {}, TypeError, r"optimizer='adam' of the space: expected an optax transform"),
        (plain, {"learning_rate": [0.0]}, {}, TypeError, r"learning_rate=0.0 of the space: expected a positive number"),
        (
            lambda: plain(optax.sgd(0.1)),
            {"learning_rate": [0.1]},
            {},
            ValueError,
            r"a learning rate is searched, but the optimizer .* of k has one built in or takes none: give a factory",
        ),
        (
            lambda: plain(freeze=[True]),
            {"k__freeze": [False]},
            {},
            ValueError,
            r"k.tune\(\) needs the dimension 'k__fr",
        ),
    ],
)
def test_what_a_sweep_refuses(crux, found, options, error, message):
    with pytest.raises(error, match=message):
        crux().sweep(space(**found), None, None, **options)


def test_other_refusals():
    crux = plain()
    message = r"nothing uses 'steps' of the search space: it stands in the category 'training', .* understands epochs"
    with pytest.raises(ValueError, match=message):
        crux.sweep(jno.np.tune.space().int_range("steps", 1, 2), None, None)
    with pytest.raises(ValueError, match=r"sweep\(\) needs at least one constraint"):
        jno.core([]).sweep(space(epochs=[1]), None, None)
    tuned = jno.np.parameter((), name="k").optimizer(optax.sgd).tune(lr=[0.1, 0.2])
    frozen = jno.core([(tuned - 1.0).mse], domain=line())
    tuned.freeze()
    assert len(frozen._statements) == 1
    with pytest.raises(RuntimeError, match=r"every model is frozen"):
        frozen.sweep(space(epochs=[1]), None, None)


def test_networks_that_share_a_name_share_its_options():
    def build(width, key):
        return foundax.mlp(1, hidden_dims=width, num_layers=1, key=key)

    x, _ = line().variable("interior")
    first = jno.nn.wrap(build, space(width=[2, 3]), name="first")
    second = jno.nn.wrap(build, space(width=[2, 4]), name="second")
    crux = jno.core([(first(x) + second(x)).mse])
    with pytest.raises(ValueError, match=r"'width' is \{'options': \[2, 3\]\}.*in that of second: networks that share"):
        crux.sweep(jno.np.tune.space(), None, None)


def test_a_model_that_has_adapters_cannot_try_others():
    crux, net, _ = network(lora=[(2, 1.0)])
    net.lora(2, 1.0)
    crux.compile()
    with pytest.raises(ValueError, match=r"net has adapters of lora\(\) or of an earlier sweep already"):
        crux.sweep(space(epochs=[1]), None, None)


# --- going to other processes ---------------------------------------------------------------------------------
def test_classes_that_cannot_be_imported_go_by_name():
    class Local(eqx.Module):
        weight: jax.Array

        def __call__(self, x):
            return self.weight * x

    kind, module = pickle.loads(dumps((Local, Local(jnp.ones(2)))))
    assert kind is Local
    assert len(jax.tree_util.tree_leaves(module)) == 1
    with pytest.raises(ImportError, match=r"the class Local of .* is not known in this process"):
        _class_named("another process", 0, __name__, "Local")
    assert _class_named("another process", 0, "equinox.nn", "Linear") is eqx.nn.Linear


SCRIPT = """
import equinox, jax, jno

class Line(equinox.Module):
    slope: jax.Array

    def __init__(self, slope, *, key):
        self.slope = jax.numpy.array(slope)

    def __call__(self, x):
        return self.slope * x

def main():
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    net = jno.nn.wrap(Line, jno.np.tune.space().unique("slope", [0.0, 1.0]))
    crux = jno.core([(net(x) - 1.1 * x).mse])
    crux.sweep(jno.np.tune.space().unique("epochs", [5]), None, None, executor=1)
    print(crux.best_config, crux.eval(crux.constraints[0])[0] == crux.tuning_history.best.objective)

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_networks_of_a_script_are_trained_in_processes(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "{'epochs': 5, 'slope': 1.0} True"
