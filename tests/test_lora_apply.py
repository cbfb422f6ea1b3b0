"""Which layers are adapted, what is trained, merging, networks of foundax, adapters of one's own, errors."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from foundax.architectures.transformer import SelfAttention
from helpers import close, evaluate, unit_square

import jno
from jno import lora

KEY = jax.random.PRNGKey(5)


def mlp(**options):
    return foundax.mlp(2, **{"hidden_dims": 6, "num_layers": 3, "key": KEY} | options)


def apply(model, **options):
    return lora.apply_lora(model, **{"rank": 2, "key": KEY} | options)


def adapted_paths(model):
    """``{path: (class, rank)}`` of the adapted layers of an MLP."""
    layers = {f"hidden_layers/{i}": layer for i, layer in enumerate(model.hidden_layers)}
    layers["output_layer"] = model.output_layer
    return {p: (type(w).__name__, w.A.shape[0]) for p, w in layers.items() if isinstance(w, lora.LoRAWrapper)}


def randomized(model):
    trained, frozen = eqx.partition(model, lora.lora_trainable_filter(model))
    leaves, structure = jax.tree_util.tree_flatten(trained)
    rng = np.random.default_rng(0)
    drawn = [jnp.asarray(0.3 * rng.standard_normal(leaf.shape), leaf.dtype) for leaf in leaves]
    return eqx.combine(jax.tree_util.tree_unflatten(structure, drawn), frozen)


def same(first, second):
    """Equal structure and bit-identical arrays."""
    assert jax.tree_util.tree_structure(first) == jax.tree_util.tree_structure(second)
    for a, b in zip(jax.tree_util.tree_leaves(first), jax.tree_util.tree_leaves(second), strict=True):
        np.testing.assert_array_equal(a, b)


# --- which layers ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rank", [0, -1])
def test_no_rank_no_adapters(rank):
    net = mlp()
    assert lora.apply_lora(net, rank, key=KEY) is net
    assert lora.apply_lora(net, key=KEY, target="nothing at all") is net


def test_all_layers_by_default():
    tuned = apply(mlp())
    assert adapted_paths(tuned) == {
        "hidden_layers/0": ("LoRALinear", 2),
        "hidden_layers/1": ("LoRALinear", 2),
        "hidden_layers/2": ("LoRALinear", 2),
        "output_layer": ("LoRALinear", 1),
    }
    assert lora.adapter_count(tuned) == 4
    assert lora.adapter_count(mlp()) == 0


def test_a_single_layer_is_a_model():
    tuned = apply(eqx.nn.Linear(3, 2, key=KEY))
    assert type(tuned) is lora.LoRALinear


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("hidden_layers/1", ["hidden_layers/1"]),
        ("hidden_layers/[02]$", ["hidden_layers/0", "hidden_layers/2"]),
        ("put", ["output_layer"]),
        ("^(output|hidden_layers/2)", ["hidden_layers/2", "output_layer"]),
    ],
)
def test_target_is_searched_in_the_path(target, found):
    assert list(adapted_paths(apply(mlp(), target=target))) == found


def test_target_leaves_normalisation_inside_alone():
    net = eqx.nn.Sequential([eqx.nn.Linear(2, 3, key=KEY), eqx.nn.LayerNorm(3), eqx.nn.Linear(3, 1, key=KEY)])
    tuned = apply(net, target="layers")
    assert [type(layer).__name__ for layer in tuned.layers] == ["LoRALinear", "LayerNorm", "LoRALinear"]


def test_the_first_matching_spec_wins():
    specs = [
        {"target": "hidden_layers/0", "rank": 1, "alpha": 3},
        {"target": "output", "rank": 0},
        {"target": "layers?/1", "rank": 2, "wrapper": [lora.LoRAConv, lora.PiSSALinear]},
        {"target": "hidden", "wrapper": lora.DoRALinear},
        {"target": "layer", "rank": 5},
    ]
    tuned = apply(mlp(), specs=specs, rank=4, alpha=2.0)
    assert adapted_paths(tuned) == {
        "hidden_layers/0": ("LoRALinear", 1),
        "hidden_layers/1": ("PiSSALinear", 2),
        "hidden_layers/2": ("DoRALinear", 4),
    }
    assert [layer.scale for layer in tuned.hidden_layers] == [3.0, 1.0, 0.5]


def test_a_layer_gets_the_same_draws_whatever_else_is_adapted():
    every, one = apply(mlp()), apply(mlp(), target="hidden_layers/1")
    same(every.hidden_layers[1], one.hidden_layers[1])
    assert np.abs(every.hidden_layers[1].A - every.hidden_layers[2].A).max() > 0.1


def test_wrappers_are_tried_in_order():
    net = [eqx.nn.Linear(4, 4, key=KEY), eqx.nn.Conv1d(2, 2, 1, key=KEY)]
    kinds = lambda wrappers: [type(layer).__name__ for layer in apply(net, wrappers=wrappers)]  # noqa: E731
    assert kinds(None) == ["LoRALinear", "LoRAConv"]
    assert kinds(lora.IA3Conv) == ["Linear", "IA3Conv"]
    assert kinds([lora.DoRALinear, lora.LoRALinear, lora.OFTConv]) == ["DoRALinear", "OFTConv"]


def test_only_layers_with_a_masked_leaf():
    net = mlp()
    mask = eqx.tree_at(
        lambda m: (m.hidden_layers[1].bias, m.output_layer.weight),
        jax.tree_util.tree_map(lambda _: False, net),
        (True, True),
    )
    assert list(adapted_paths(apply(net, param_mask=mask))) == ["hidden_layers/1", "output_layer"]
    assert list(adapted_paths(apply(net, param_mask=mask, target="hidden"))) == ["hidden_layers/1"]


def test_adapted_layers_are_not_adapted_again():
    once = apply(mlp(), target="hidden_layers/0")
    twice = apply(once, wrappers=lora.DoRALinear, key=jax.random.PRNGKey(9))
    assert [kind for kind, _ in adapted_paths(twice).values()] == ["LoRALinear", *["DoRALinear"] * 3]
    same(twice.hidden_layers[0], once.hidden_layers[0])
    same(apply(twice), twice)
    same(apply(once, target="hidden_layers/0"), once)


def test_a_layer_in_two_places_is_two_layers():
    layer = eqx.nn.Linear(3, 3, key=KEY)
    first, second = apply([layer, layer], target="0")
    assert type(first) is lora.LoRALinear
    assert second is layer


def test_layers_whose_weight_is_read_by_their_owner_stay_plain():
    net = [eqx.nn.WeightNorm(eqx.nn.Linear(3, 3, key=KEY)), eqx.nn.Linear(3, 3, key=KEY)]
    assert lora.adapter_count(apply(net)) == 1
    with pytest.raises(
        ValueError, match=r"target '0' matches 0 \(WeightNorm\), which LoRALinear, LoRAConv cannot wrap"
    ):
        apply(net, target="0")


# --- foundax and equinox --------------------------------------------------------------------------------------
def _grid(*shape):
    return jnp.asarray(np.random.default_rng(2).standard_normal(shape))


NETWORKS = {
    "mlp": (lambda: mlp(layer_norm=True), lambda: (_grid(2),), 4),
    "deeponet": (
        lambda: foundax.deeponet(n_sensors=4, basis_functions=4, hidden_dim=4, n_layers=1, key=KEY),
        lambda: (_grid(4), _grid(3, 1)),
        4,
    ),
    "deeponet with convolutions": (
        lambda: foundax.deeponet("conv1d", "siren", n_sensors=8, basis_functions=4, hidden_dim=4, n_layers=1, key=KEY),
        lambda: (_grid(8, 1), _grid(3, 1)),
        None,
    ),
    "fno": (lambda: foundax.fno1d(1, 4, 2, n_layers=2, key=KEY), lambda: (_grid(8, 1),), None),
    "unet": (lambda: foundax.unet1d(depth=1, wf=1, key=KEY), lambda: (_grid(8, 1),), None),
    "self-attention": (lambda: SelfAttention(4, 4, 4, 2, key=KEY), lambda: (_grid(3, 4),) * 2, 4),
    "pointnet": (lambda: foundax.pointnet(2, 1, [4, 3, 2, 2], key=KEY), lambda: (_grid(5, 2),), 5),
    "attention": (lambda: eqx.nn.MultiheadAttention(2, 4, key=KEY), lambda: (_grid(3, 4),) * 3, 4),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    make, inputs, count = NETWORKS[name]
    net, x = make(), inputs()
    tuned = apply(net)
    layers = (eqx.nn.Linear, eqx.nn.Conv, foundax.layers.Linear)
    is_layer = lambda node: isinstance(node, layers) or type(node).__name__.startswith("Conv1d")  # noqa: E731
    nodes = jax.tree_util.tree_leaves(net, is_leaf=is_layer)
    assert lora.adapter_count(tuned) == sum(map(is_layer, nodes)) > 0
    assert count in (None, lora.adapter_count(tuned))
    call = eqx.filter_jit(lambda model: model(*x))
    np.testing.assert_allclose(call(tuned), call(net), rtol=1e-5, atol=1e-6)
    trained = randomized(tuned)
    merged = lora.merge_lora(trained)
    assert jax.tree_util.tree_structure(merged) == jax.tree_util.tree_structure(net)
    np.testing.assert_allclose(call(trained), call(merged), rtol=1e-4, atol=1e-5)
    assert np.abs(call(merged) - call(net)).max() > 1e-3


@pytest.mark.parametrize("name", ["DoRA", "LoKr", "OFT"])
def test_derivatives_of_an_adapted_network_in_an_expression(name):
    tuned = randomized(apply(mlp(), wrappers=lora.ADAPTERS[name]))
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    values = []
    for module in (tuned, lora.merge_lora(tuned)):
        u = jno.nn(module)(x, y)
        values.append(evaluate([u, u.d(x), u.laplacian(x, y)]))
    for value, expected in zip(*values, strict=True):
        close(value, expected)


# --- training -------------------------------------------------------------------------------------------------
def test_filters_mirror_the_model():
    net = mlp(layer_norm=True)
    tuned = apply(net, target="hidden_layers/[01]")
    adapters, partial = lora.lora_trainable_filter(tuned), lora.partial_lora_trainable_filter(tuned)
    for selected in (adapters, partial):
        assert jax.tree_util.tree_structure(selected) == jax.tree_util.tree_structure(tuned)
        assert {type(leaf) for leaf in jax.tree_util.tree_leaves(selected)} == {bool}
    first = adapters.hidden_layers[0]
    assert (first.A, first.B, first.base.weight, first.base.bias) == (True, True, False, False)
    assert sum(jax.tree_util.tree_leaves(adapters)) == 4
    assert not any(jax.tree_util.tree_leaves(lora.lora_trainable_filter(net)))
    # two plain layers and three normalisations with a weight and a bias each
    assert sum(jax.tree_util.tree_leaves(partial)) == 4 + 2 * 2 + 3 * 2
    assert (partial.hidden_layers[0].base.bias, partial.hidden_layers[2].bias) == (False, True)
    assert all(jax.tree_util.tree_leaves(lora.partial_lora_trainable_filter(net)))


def test_merging_before_training_gives_the_model_back():
    net = mlp()
    same(lora.merge_lora(apply(net)), net)
    same(lora.merge_lora(net), net)


def _train(model, selected, steps):
    """Adam on the selected leaves towards a shifted and stretched output; the model and its error."""
    x = jax.random.uniform(jax.random.PRNGKey(1), (64, 2))
    target = 1.5 * mlp()(x) + 0.3 * jnp.sin(3 * x[:, :1])
    optimizer = optax.adam(1e-2)
    trained, frozen = eqx.partition(model, selected)
    loss = lambda trained: jnp.mean((eqx.combine(trained, frozen)(x) - target) ** 2)  # noqa: E731

    @jax.jit
    def run(trained):
        def step(carry, _):
            trained, state = carry
            updates, state = optimizer.update(jax.grad(loss)(trained), state)
            return (optax.apply_updates(trained, updates), state), None

        (trained, _), _ = jax.lax.scan(step, (trained, optimizer.init(trained)), length=steps)
        return trained

    trained = run(trained)
    return eqx.combine(trained, frozen), float(loss(trained))


def test_a_network_is_fine_tuned_by_its_adapters_only():
    tuned = apply(mlp(), rank=3, alpha=3.0)
    selected = lora.lora_trainable_filter(tuned)
    _, before = _train(tuned, selected, 0)
    trained, after = _train(tuned, selected, 200)
    assert after < 0.02 * before
    _, frozen = eqx.partition(trained, selected)
    same(frozen, eqx.partition(tuned, selected)[1])
    for old, new in zip(mlp().hidden_layers, trained.hidden_layers, strict=True):
        same(new.base, old)
    x = _grid(5, 2)
    np.testing.assert_allclose(lora.merge_lora(trained)(x), trained(x), rtol=1e-5, atol=1e-5)


def test_a_gradient_of_everything_stays_out_of_adapted_layers():
    tuned = randomized(apply(mlp(), target="hidden_layers/0"))
    x = _grid(4, 2)
    gradient = eqx.filter_grad(lambda model: jnp.sum(model(x) ** 2))(tuned)
    assert not np.any(gradient.hidden_layers[0].base.weight)
    assert not np.any(gradient.hidden_layers[0].base.bias)
    assert np.any(gradient.hidden_layers[0].A)
    assert np.any(gradient.hidden_layers[1].weight)


# --- adapters of one's own ------------------------------------------------------------------------------------
class Gate(lora.LoRAWrapper):
    """``tanh(rank·g)`` added to the output of an equinox layer."""

    base: eqx.nn.Linear
    gate: jax.Array
    strength: float = eqx.field(static=True)
    adapter_fields = ("gate",)

    @classmethod
    def applies_to(cls, layer):
        return isinstance(layer, eqx.nn.Linear)

    def __init__(self, base, rank, alpha, *, key):
        self.base, self.gate, self.strength = base, jnp.zeros(base.out_features), float(rank * alpha)

    def __call__(self, x, *, key=None):
        return self.stop_frozen_gradients().merge()(x)

    def merge(self):
        return eqx.tree_at(lambda layer: layer.bias, self.base, self.base.bias + jnp.tanh(self.strength * self.gate))


def test_an_adapter_of_ones_own():
    net = eqx.nn.MLP(2, 1, 4, 2, key=KEY)
    tuned = apply(net, rank=3, alpha=2.0, wrappers=[Gate, lora.LoRALinear])
    assert [type(layer) for layer in tuned.layers] == [Gate] * 3
    assert tuned.layers[0].strength == 6.0
    x = jnp.array([0.3, -0.2])
    np.testing.assert_array_equal(tuned(x), net(x))
    shifted = eqx.tree_at(lambda m: m.layers[-1].gate, tuned, jnp.array([0.1]))
    np.testing.assert_allclose(shifted(x) - net(x), np.tanh(0.6), rtol=1e-5)
    np.testing.assert_array_equal(lora.merge_lora(shifted)(x), shifted(x))
    trained = eqx.filter(tuned, lora.lora_trainable_filter(tuned))
    assert [leaf.size for leaf in jax.tree_util.tree_leaves(trained)] == [4, 4, 1]


def test_an_adapter_around_a_whole_module_hides_what_is_inside():
    class Whole(Gate):
        base: eqx.nn.MLP

        @classmethod
        def applies_to(cls, layer):
            return isinstance(layer, eqx.nn.MLP)

        def __init__(self, base, rank, alpha, *, key):
            self.base, self.gate, self.strength = base, jnp.zeros(1), 1.0

    net = [eqx.nn.MLP(2, 1, 4, 2, key=KEY), eqx.nn.Linear(2, 1, key=KEY)]
    tuned = apply(net, wrappers=[Whole, lora.LoRALinear])
    assert [type(layer) for layer in tuned] == [Whole, lora.LoRALinear]
    assert lora.adapter_count(tuned) == 2


class NoMerge(lora.LoRAWrapper):
    adapter_fields = ("gate",)

    def __init__(self, base, rank, alpha, *, key):
        pass

    def __call__(self, x, *, key=None):
        return x


class NoConstructor(lora.LoRAWrapper):
    base: eqx.nn.Linear
    adapter_fields = ("base",)

    @classmethod
    def applies_to(cls, layer):
        return isinstance(layer, eqx.nn.Linear)

    def __call__(self, x, *, key=None):
        return self.base(x)

    def merge(self):
        return self.base


class NoFields(Gate):
    adapter_fields = ()


class WrongFields(Gate):
    adapter_fields = ("gate", "missing")


class TextFields(Gate):
    adapter_fields = "gate"


def test_missing_pieces_of_an_adapter():
    pieces = r"adapter_fields, applies_to\(layer\), __init__\(base, rank, alpha, \*, key\), __call__"
    with pytest.raises(TypeError, match=rf"NoMerge lacks applies_to, merge; a LoRAWrapper defines {pieces}"):
        apply(mlp(), wrappers=NoMerge)
    with pytest.raises(TypeError, match=rf"NoConstructor lacks __init__; a LoRAWrapper defines {pieces}"):
        apply(mlp(), wrappers=NoConstructor)
    with pytest.raises(TypeError, match=r"abstract class NoMerge.*merge"):
        NoMerge(None, 1, 1.0, key=KEY)
    for wrapper, shown in ((NoFields, r"\(\)"), (WrongFields, r"\('gate', 'missing'\)"), (TextFields, "'gate'")):
        with pytest.raises(
            TypeError, match=rf"{wrapper.__name__}.adapter_fields = {shown}: it must be a tuple .* from"
        ):
            apply(eqx.nn.Linear(2, 2, key=KEY), wrappers=wrapper)
    for wrapper, shown in ((eqx.nn.Linear, "Linear"), (3, "3"), ("LoRA", "'LoRA'")):
        with pytest.raises(TypeError, match=rf"{shown} is no adapter class: subclass jno.lora.LoRAWrapper and define"):
            apply(mlp(), wrappers=[lora.LoRALinear, wrapper])
    with pytest.raises(TypeError, match="wrappers is empty: give an adapter class"):
        apply(mlp(), wrappers=[])


# --- errors ---------------------------------------------------------------------------------------------------
def test_a_target_without_a_layer():
    with pytest.raises(
        ValueError, match=r"target 'encoder' matches no layer; layers are hidden_layers/0, .*, output_layer$"
    ):
        apply(mlp(), target="encoder")
    with pytest.raises(ValueError, match=r"layers are hidden_layers/0, .*hidden_layers/7 and 3 more"):
        apply(mlp(num_layers=10), target="encoder")
    with pytest.raises(ValueError, match=r"specs\[1\], target 'encoder' matches no layer; layers are hidden"):
        apply(mlp(), specs=[{"target": "hidden", "rank": 1}, {"target": "encoder", "rank": 1}])


def test_a_layer_of_a_type_nobody_handles():
    net = mlp(layer_norm=True)
    with pytest.raises(
        ValueError,
        match=r"target 'norm_layers/0' matches norm_layers/0 \(LayerNorm\), which LoRALinear, LoRAConv cannot wrap; la",
    ):
        apply(net, target="norm_layers/0")
    with pytest.raises(
        ValueError, match=r"target 'hidden_layers/0' matches .*\(Linear\), which LoRAConv cannot wrap; the"
    ):
        apply(net, target="hidden_layers/0", wrappers=lora.LoRAConv)
    with pytest.raises(ValueError, match=r"no layer to adapt: none of LayerNorm, Linear, MLP is wrapped by LoRAConv"):
        apply(net, wrappers=lora.LoRAConv)
    with pytest.raises(
        ValueError, match=r"target 'up' matches up \(ConvTranspose1d\), which LoRALinear, LoRAConv cannot"
    ):
        apply({"up": eqx.nn.ConvTranspose1d(2, 2, 2, key=KEY), "in": eqx.nn.Linear(2, 2, key=KEY)}, target="up")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"target": "hidden", "rank": 1, "r": 2, "beta": 3}, r"specs\[0\]: unknown r, beta; allowed are target, rank"),
        ({"rank": 1}, r"specs\[0\]: target is missing"),
        ({"target": "hidden"}, r"specs\[0\]: rank is missing, there or as an argument of apply_lora"),
        ({"target": "hidden", "rank": 1.5}, r"specs\[0\]: rank must be an integer, got 1.5"),
        ({"target": "hidden", "rank": 1, "alpha": -1}, "alpha must be positive and finite, got -1"),
        ({"target": 3, "rank": 1}, r"specs\[0\], target 3: it must be a string"),
        ({"target": "(", "rank": 1}, r"specs\[0\], target '\(' is no regular expression: "),
        (("hidden", 1), r"specs\[0\] must be a dictionary with target, rank, alpha, wrapper, got \('hidden', 1\)"),
    ],
)
def test_wrong_specs(spec, text):
    with pytest.raises(ValueError, match=text):
        lora.apply_lora(mlp(), key=KEY, specs=[spec])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="give target or specs, not both"):
        apply(mlp(), target="hidden", specs=[{"target": "hidden", "rank": 1}])
    with pytest.raises(ValueError, match="specs is empty"):
        apply(mlp(), specs=[])
    with pytest.raises(ValueError, match=r"target '\[' is no regular expression: "):
        apply(mlp(), target="[")


def test_wrong_masks():
    net = mlp()
    nothing = jax.tree_util.tree_map(lambda _: False, net)
    with pytest.raises(
        ValueError, match="apply_lora: param_mask selects no leaf of a layer that LoRALinear, LoRAConv wrap"
    ):
        apply(net, param_mask=nothing)
    output = eqx.tree_at(lambda m: m.output_layer.bias, nothing, True)
    with pytest.raises(ValueError, match="target 'hidden': param_mask selects no leaf of a layer"):
        apply(net, param_mask=output, target="hidden")
    with pytest.raises(ValueError, match="param_mask must mirror the model's tree; build it from"):
        apply(net, param_mask=[True])
    with pytest.raises(ValueError, match="param_mask: leaf output_layer/bias must be True or False, got 1"):
        apply(net, param_mask=eqx.tree_at(lambda m: m.output_layer.bias, nothing, 1))
