"""Weights of checkpoints: every leaf comes back, frozen ones and adapters too, or is named in an error."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint
import pytest

import jno
from jno.utils.callbacks import CheckpointCallback


def mlp(seed=0, layers=1):
    return foundax.mlp(1, hidden_dims=4, num_layers=layers, key=jax.random.PRNGKey(seed))


def line():
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    return x


def half_frozen(seed):
    """A network whose output layer is not trained."""
    net = jno.nn(mlp(seed), name="u")
    nothing = jax.tree_util.tree_map(lambda _: False, net.module)
    net.mask(eqx.tree_at(lambda m: m.output_layer.weight, nothing, True)).freeze()
    return net.optimizer(optax.sgd(0.1))


def assert_same(first, second):
    pairs = zip(jax.tree_util.tree_leaves(first), jax.tree_util.tree_leaves(second), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs if eqx.is_array(a))


def trained(crux, directory, epochs=2):
    """The core after some epochs, with a checkpoint of the last."""
    keep = CheckpointCallback(directory, epochs, async_checkpointing=False)
    history = crux.solve(epochs, callbacks=[keep])
    keep.close()
    return history


def loaded_by(net, weights):
    jno.core([net.initialize(weights)(line()).mse])
    return net.module


# --- every leaf -------------------------------------------------------------------------------------------------
def test_a_deeper_network_names_the_layers_that_are_not_in_the_checkpoint(tmp_path):
    trained(jno.core([jno.nn(mlp(), name="u").optimizer(optax.sgd(0.1))(line()).mse]), tmp_path)
    deep = jno.nn(mlp(layers=2), name="deep")
    with pytest.raises(ValueError, match=r"of deep: .*hidden_layers/1/weight: not in the checkpoint; hidden_layers/1"):
        loaded_by(deep, str(tmp_path))


def test_a_module_saved_by_orbax_names_what_it_lacks(tmp_path):
    with orbax.checkpoint.StandardCheckpointer() as writer:
        writer.save(tmp_path / "weights", eqx.filter(mlp(1), eqx.is_array))
    assert_same(loaded_by(jno.nn(mlp()), tmp_path / "weights"), mlp(1))
    with pytest.raises(ValueError, match=r"hidden_layers/1/bias: not in the checkpoint"):
        loaded_by(jno.nn(mlp(layers=2)), tmp_path / "weights")


def test_another_kind_of_number_is_named(tmp_path):
    with orbax.checkpoint.StandardCheckpointer() as writer:
        writer.save(tmp_path / "k", {"value": jnp.ones(2, dtype=int)})
        writer.save(tmp_path / "half", {"value": jnp.full(2, 1.5, dtype=jnp.bfloat16)})
    domain = jno.domain.line(mesh_size=0.5)
    with pytest.raises(ValueError, match=r"value: \(2,\) float32 expected, \(2,\) int32 in the checkpoint"):
        jno.core([jno.np.parameter((2,)).initialize(tmp_path / "k").mse], domain=domain)
    k = jno.np.parameter((2,)).initialize(tmp_path / "half")
    jno.core([k.mse], domain=domain)
    np.testing.assert_array_equal(k.module.value, jnp.array([1.5, 1.5], dtype=jnp.float32))


# --- leaves that are not trained --------------------------------------------------------------------------------
def test_frozen_leaves_are_in_a_checkpoint(tmp_path):
    net = half_frozen(seed=0)
    trained(jno.core([(net(line()) - 1.0).mse]), tmp_path)
    assert_same(loaded_by(jno.nn(mlp(7), name="v"), str(tmp_path)), net.module)
    assert not np.array_equal(net.module.output_layer.weight, mlp(7).output_layer.weight)


def test_training_goes_on_with_the_frozen_leaves_of_the_checkpoint(tmp_path):
    x = line()

    def problem(seed, **options):
        u, frozen = half_frozen(seed), jno.nn(mlp(seed + 1), name="frozen").freeze()
        watched = jno.nn(mlp(seed + 2), name="watched").freeze()
        constraints = [(u(x) - frozen(x)).mse, watched(x).mean.tracker()]
        return jno.core(constraints, **options), u, frozen, watched

    crux, *nets = problem(0)
    trained(crux, tmp_path)
    wanted = crux.solve(2)
    resumed, *others = problem(5, resume_from=str(tmp_path))
    history = resumed.solve(2)
    np.testing.assert_array_equal(history.total_loss_history, wanted.total_loss_history[2:])
    recorded = [h.training_logs[-1]["track_stats"][0]["values"] for h in (history, wanted)]
    np.testing.assert_array_equal(*recorded)
    for net, other in zip(nets, others, strict=True):
        assert_same(net.module, other.module)


def test_a_checkpoint_that_lacks_frozen_leaves_is_refused(tmp_path):
    crux = jno.core([(half_frozen(0)(line()) - 1.0).mse])
    trained(crux, tmp_path)
    resumed = jno.core([(half_frozen(5)(line()) - 1.0).mse], resume_from=str(tmp_path))
    checkpoint = resumed._solver._resumes_from
    del checkpoint.arrays["fixed"], checkpoint.metadata["all_models"]  # as files of before have it
    with pytest.raises(ValueError, match=r"earlier version and lacks the leaves of u that were not trained"):
        resumed.solve(1)


def test_two_models_that_change_places_are_refused(tmp_path):
    x = line()

    def losses():
        return [(jno.nn(mlp(n), name=name).optimizer(optax.sgd(0.1))(x) - n).mse for n, name in enumerate("uv")]

    trained(jno.core(losses()), tmp_path)
    resumed = jno.core(losses()[::-1], resume_from=str(tmp_path))
    with pytest.raises(ValueError, match=r"2 trained models \(u, v\), this core has 2 in another order \(v, u\)"):
        resumed.solve(1)


def test_two_models_of_one_name_are_refused_when_training_begins(tmp_path):
    x = line()
    u, other = jno.nn(mlp(), name="u").optimizer(optax.sgd(0.1)), jno.nn(mlp(1), name="u").freeze()
    crux = jno.core([(u(x) - other(x)).mse])
    with pytest.raises(ValueError, match="two models have the same name"):
        crux.solve(1, callbacks=[CheckpointCallback(tmp_path, 500)])
    assert crux.training_logs == []


# --- adapters ---------------------------------------------------------------------------------------------------
def adapted(seed, rank=2, alpha=1.0):
    return jno.nn(mlp(seed, layers=2), name="u").freeze().lora(rank, alpha).optimizer(optax.sgd(0.5))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A network whose adapters were trained, and its checkpoint."""
    directory = tmp_path_factory.mktemp("tuned")
    net = adapted(0)
    trained(jno.core([(net(line()) - 1.0).mse]), directory)
    assert float(jnp.abs(net.module.output_layer.B).max()) > 0.0
    return net, directory


def test_adapters_load(tuned, tmp_path):
    net, directory = tuned
    for weights in (str(directory), net.module):
        assert_same(loaded_by(adapted(9), weights), net.module)
    eqx.tree_serialise_leaves(tmp_path / "net.eqx", net.module)
    assert_same(loaded_by(adapted(9), tmp_path / "net.eqx"), net.module)
    again = jno.core([(adapted(9)(line()) - 1.0).mse], resume_from=str(directory))
    again.solve(1)


def test_plain_weights_come_before_adapters():
    net = adapted(9)
    module = loaded_by(net, mlp(3, layers=2))
    assert_same(jno.lora.merge_lora(module), mlp(3, layers=2))
    assert jno.lora.adapter_count(module) == 3


def test_adapters_that_do_not_fit_are_named(tuned):
    net, directory = tuned
    with pytest.raises(ValueError, match=r"hidden_layers/1/A: \(1, 4\) float32 expected"):
        loaded_by(adapted(9, rank=1), str(directory))
    with pytest.raises(ValueError, match=r"hidden_layers/0/A: not in the module.*the checkpoint holds adapters: call"):
        loaded_by(jno.nn(mlp(9, layers=2), name="plain"), str(directory))
    described = r"hidden_layers/0: \{'adapter': 'LoRALinear', 'scale': 4.0\} expected, .*'scale': 1.0\}"
    for weights in (str(directory), net.module):
        with pytest.raises(ValueError, match=described):
            loaded_by(adapted(9, alpha=4.0), weights)
    resumed = jno.core([(adapted(0, alpha=4.0)(line()) - 1.0).mse], resume_from=str(directory))
    with pytest.raises(ValueError, match=described):
        resumed.solve(1)
