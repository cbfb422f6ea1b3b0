"""Networks with adapters in a core: what is trained, masks, groups, summaries, and every error by its text."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.lora import LoRALinear, LoRAWrapper, adapter_count, merge_lora, rsLoRALinear


def network(seed=0):
    return foundax.mlp(1, hidden_dims=8, num_layers=2, key=jax.random.key(seed))


def problem(net):
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    return jno.core([(net(x) - jno.np.sin(3 * x)).mse]), net(x)


def changed(before, after):
    """Paths of the array leaves that differ."""
    pairs = zip(
        jax.tree_util.tree_leaves_with_path(eqx.filter(before, eqx.is_array)),
        jax.tree_util.tree_leaves(eqx.filter(after, eqx.is_array)),
        strict=True,
    )
    return {jax.tree_util.keystr(path) for (path, a), b in pairs if not np.array_equal(a, b)}


def wrapped_layers(module):
    leaves = jax.tree_util.tree_leaves(module, is_leaf=lambda node: isinstance(node, LoRAWrapper))
    return [leaf for leaf in leaves if isinstance(leaf, LoRAWrapper)]


def test_only_adapters_are_trained_after_freeze():
    module = network()
    net = jno.nn(module).freeze().lora(rank=2, alpha=4.0).optimizer(optax.adam(1e-2))
    crux, _ = problem(net)
    before = net.module
    assert adapter_count(before) == 3
    losses = crux.solve(60).total_loss_history
    assert losses[-1] < 0.5 * losses[0]
    names = changed(before, net.module)
    assert names
    assert all(path.endswith((".A", ".B")) for path in names)
    merged = merge_lora(net.module)
    assert jax.tree_util.tree_structure(merged) == jax.tree_util.tree_structure(module)
    points = jnp.linspace(0.0, 1.0, 7)[:, None]
    np.testing.assert_allclose(merged(points), net.module(points), rtol=1e-5, atol=1e-6)


def test_layers_that_are_not_wrapped_stay_trainable():
    module = network()
    net = jno.nn(module).lora(rank=1, target="hidden_layers/1").optimizer(optax.sgd(0.1))
    crux, _ = problem(net)
    before = net.module
    assert len(wrapped_layers(before)) == 1
    crux.solve(3)
    kept = before.hidden_layers[1].base.weight
    np.testing.assert_array_equal(net.module.hidden_layers[1].base.weight, kept)
    names = changed(before, net.module)
    assert ".hidden_layers[0].weight" in names
    assert ".output_layer.bias" in names
    assert not any(".base" in path for path in names)


def test_layers_that_are_not_wrapped_stay_frozen_after_freeze():
    net = jno.nn(network()).freeze().lora(rank=1, target="hidden_layers/1").optimizer(optax.sgd(0.1))
    crux, _ = problem(net)
    before = net.module
    crux.solve(2)
    names = changed(before, net.module)
    assert names
    assert all(path.startswith(".hidden_layers[1]") and path.endswith((".A", ".B")) for path in names)


def test_the_first_matching_spec_counts():
    specs = [
        {"target": "hidden_layers/0", "rank": 1, "alpha": 1.0},
        {"target": "hidden_layers", "rank": 3, "alpha": 2.0, "wrapper": rsLoRALinear},
    ]
    net = jno.nn(network()).freeze().lora(specs=specs).optimizer(optax.adam(1e-2))
    problem(net)
    first, second = net.module.hidden_layers
    assert type(first) is LoRALinear
    assert type(second) is rsLoRALinear
    assert second.A.shape == (3, 8)
    assert not isinstance(net.module.output_layer, LoRAWrapper)


def test_a_mask_chooses_the_layers():
    module = network()
    nothing = jax.tree_util.tree_map(lambda _: False, module)
    net = jno.nn(module)
    net.mask(eqx.tree_at(lambda m: m.output_layer.weight, nothing, True)).lora(rank=1).optimizer(optax.sgd(0.1))
    problem(net)
    assert [type(layer) for layer in wrapped_layers(net.module)] == [LoRALinear]
    assert isinstance(net.module.output_layer, LoRAWrapper)


def test_masks_of_the_plain_network_still_choose_groups():
    module = network()
    nothing = jax.tree_util.tree_map(lambda _: False, module)
    first = eqx.tree_at(lambda m: (m.hidden_layers[0].weight, m.hidden_layers[0].bias), nothing, (True, True))
    net = jno.nn(module).freeze().lora(rank=1).optimizer(optax.sgd(0.0))
    net.mask(first).optimizer(optax.sgd(0.1))
    crux, _ = problem(net)
    before = net.module
    crux.solve(3)
    names = changed(before, net.module)
    assert names
    assert all(path.startswith(".hidden_layers[0]") for path in names)


def test_freezing_after_lora_freezes_everything():
    net = jno.nn(network()).lora(rank=1).freeze()
    crux, _ = problem(net)
    with pytest.raises(ValueError, match="every model is frozen"):
        crux.solve(1)


def test_values_and_derivatives_are_those_of_the_network_before_training():
    module = network()
    plain, adapted = jno.nn(module).freeze(), jno.nn(module).freeze().lora(rank=2).freeze()
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    u, v = plain(x), adapted(x)
    crux = jno.core([(u - v).mse])
    for one, other in ((u, v), (u.d(x), v.d(x)), (u.d2(x), v.d2(x))):
        np.testing.assert_allclose(crux.eval(one), crux.eval(other), rtol=1e-5, atol=1e-6)


def test_low_precision_and_mini_batches_of_an_adapted_network():
    net = jno.nn(network()).dtype(jnp.bfloat16).freeze().lora(rank=2).optimizer(optax.adam(1e-2))
    crux, _ = problem(net)
    crux.solve(2)
    leaves = [leaf for leaf in jax.tree_util.tree_leaves(net.module) if eqx.is_inexact_array(leaf)]
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.bfloat16)}


def test_summary_counts_adapters(capsys):
    net = jno.nn(network()).freeze().lora(rank=2).optimizer(optax.adam(1e-2))
    problem(net)
    net.summary()
    printed = capsys.readouterr().out
    # (1 + 8) + (16 + 16) + (8 + 1) numbers in adapters, 97 in the network
    assert "trained 0  adapter 50  frozen 97  total 147" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, r"lora\(rank=0\): the rank must be an integer of at least 1"),
        ({"specs": [{"target": "a", "rank": 1, "alpha": 1.0}], "target": "b"}, r"leave out target= and wrapper="),
    ],
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        jno.nn(network()).lora(**options)


def test_a_target_that_matches_nothing_is_found_when_the_core_is_built():
    net = jno.nn(network()).lora(rank=1, target="encoder").optimizer(optax.sgd(0.1))
    with pytest.raises(ValueError, match="encoder"):
        problem(net)


def test_lora_after_the_core_was_built():
    net = jno.nn(network(), name="net").optimizer(optax.sgd(0.1))
    crux, _ = problem(net)
    net.lora(rank=1)
    with pytest.raises(ValueError, match=r"net.lora\(\) was called after this core was built"):
        crux.solve(1)
    crux.compile()
    crux.solve(1)
    assert wrapped_layers(net.module)


def test_the_history_counts_the_parameters_of_adapters():
    net = jno.nn(network()).freeze().lora(rank=2).optimizer(optax.sgd(0.1))
    crux, _ = problem(net)
    log = crux.solve(1).training_logs[0]
    rows = [(1, 1, 8), (2, 8, 8), (1, 8, 1)]  # rank (clamped to the sides), inputs, outputs
    assert log["lora_params"] == log["trainable_params"] == sum(r * (i + o) for r, i, o in rows)
    assert log["total_params"] == log["trainable_params"] + log["frozen_params"]
