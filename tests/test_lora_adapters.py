"""Every adapter on every kind of layer, and each adapter against the formula of its paper."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from foundax.architectures.common import Conv2d
from foundax.architectures.deeponet import Conv1dCL
from foundax.architectures.unet import Conv1dNHWC, Conv3dNHWC

from jno import lora

KEY = jax.random.PRNGKey(3)
RANK, ALPHA = 3, 2.0

# (layer, shape of an input, m, n): the kernel is an (m, n) matrix
LAYERS = {
    "Linear": (lambda: eqx.nn.Linear(8, 6, key=KEY), (8,), 6, 8),
    "Conv1d": (lambda: eqx.nn.Conv1d(3, 4, 3, key=KEY), (3, 5), 4, 9),
    "Conv2d": (lambda: eqx.nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, key=KEY), (2, 4, 4), 4, 12),
    "Conv3d": (lambda: eqx.nn.Conv3d(2, 4, 2, use_bias=False, key=KEY), (2, 3, 3, 3), 4, 16),
}
DIVISOR = {4: 2, 6: 2, 8: 2, 9: 3, 12: 3, 16: 4}


def _oft(m, n, r):
    whole, rest = divmod(n, r)
    return whole * r * (r - 1) // 2 + rest * (rest - 1) // 2


# number of trained parameters
PARAMETERS = {
    "LoRA": lambda m, n, r: r * (m + n),
    "rsLoRA": lambda m, n, r: r * (m + n),
    "LoRAFA": lambda m, n, r: r * m,
    "DoRA": lambda m, n, r: r * (m + n) + m,
    "PiSSA": lambda m, n, r: r * (m + n),
    "MiLoRA": lambda m, n, r: r * (m + n),
    "LoRAXS": lambda m, n, r: r * r,
    "VeRA": lambda m, n, r: m + r,
    "IA3": lambda m, n, r: m,
    "LoKr": lambda m, n, r: DIVISOR[m] * DIVISOR[n] + min(r, m // DIVISOR[m]) * (m // DIVISOR[m] + n // DIVISOR[n]),
    "OFT": _oft,
}
matrix = pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in lora.ADAPTERS for kind in LAYERS])
every_adapter = pytest.mark.parametrize("name", lora.ADAPTERS)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def adapted(name, layer, rank=RANK, alpha=ALPHA):
    """A layer in the adapter of that name."""
    return next(a for a in lora.ADAPTERS[name] if a.applies_to(layer))(layer, rank, alpha, key=KEY)


def randomized(model, seed=0):
    """The model with random numbers in its trained leaves: a generic point."""
    trained, frozen = eqx.partition(model, lora.lora_trainable_filter(model))
    leaves, structure = jax.tree_util.tree_flatten(trained)
    rng = np.random.default_rng(seed)
    drawn = [jnp.asarray(0.5 * rng.standard_normal(leaf.shape), leaf.dtype) for leaf in leaves]
    return eqx.combine(jax.tree_util.tree_unflatten(structure, drawn), frozen)


def inputs(shape, seed=1):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def kernel(layer):
    """The kernel of a layer with leading output channels, as a matrix."""
    return np.asarray(layer.weight).reshape(layer.weight.shape[0], -1)


# --- the matrix -----------------------------------------------------------------------------------------------
@eqx.filter_jit
def value(model, x):
    return model(x)


@eqx.filter_jit
def outputs(model, batch):
    return jax.vmap(model)(batch)


@eqx.filter_jit
def everything(wrapper, batch):
    """Values at a batch, gradient of a scalar of them, the merged layer."""

    def scalar(wrapper):
        values = jax.vmap(wrapper)(batch)
        return jnp.sum(jnp.sin(values)), values

    gradient, values = eqx.filter_grad(scalar, has_aux=True)(wrapper)
    return values, gradient, wrapper.merge()


@matrix
def test_identity_merge_gradients_and_parameters(double, name, kind):
    make, shape, m, n = LAYERS[kind]
    layer, batch = make(), inputs((3, *shape))
    wrapper = adapted(name, layer)
    selected = lora.lora_trainable_filter(wrapper)
    assert sum(leaf.size for leaf in jax.tree_util.tree_leaves(eqx.filter(wrapper, selected))) == PARAMETERS[name](
        m, n, RANK
    )

    plain = outputs(layer, batch)
    at_start, _, merged = everything(wrapper, batch)
    np.testing.assert_allclose(at_start, plain, atol=1e-13)
    np.testing.assert_allclose(outputs(merged, batch), plain, atol=1e-13)

    values, gradient, merged = everything(randomized(wrapper), batch)
    assert values.dtype == jnp.dtype("float64")
    assert type(merged) is type(layer)
    assert jax.tree_util.tree_structure(merged) == jax.tree_util.tree_structure(layer)
    np.testing.assert_allclose(values, outputs(merged, batch), atol=1e-12)
    assert np.abs(values - plain).max() > 1e-2
    trained, frozen = eqx.partition(gradient, selected)
    assert all(np.abs(leaf).max() > 1e-6 for leaf in jax.tree_util.tree_leaves(trained))
    assert not any(np.any(leaf) for leaf in jax.tree_util.tree_leaves(frozen))


@every_adapter
def test_single_precision(name):
    make, shape, _, _ = LAYERS["Linear"]
    layer, batch = make(), inputs((3, *shape))
    wrapper = adapted(name, layer)
    assert {leaf.dtype for leaf in jax.tree_util.tree_leaves(wrapper)} == {jnp.dtype("float32")}
    np.testing.assert_allclose(outputs(wrapper, batch), outputs(layer, batch), atol=1e-6)
    trained = randomized(wrapper)
    np.testing.assert_allclose(outputs(trained, batch), outputs(trained.merge(), batch), atol=1e-5)


@pytest.mark.parametrize("name", ["DoRA", "PiSSA", "LoRAXS", "OFT"])
def test_half_precision(name):
    layer = eqx.nn.Linear(8, 6, dtype=jnp.bfloat16, key=KEY)
    x = inputs((8,)).astype(jnp.bfloat16)
    wrapper = adapted(name, layer)
    assert {leaf.dtype for leaf in jax.tree_util.tree_leaves(wrapper)} == {jnp.dtype("bfloat16")}
    np.testing.assert_allclose(wrapper(x).astype(float), layer(x).astype(float), atol=0.005)


# --- layers of other shapes -----------------------------------------------------------------------------------
OTHER_LAYERS = {
    "no bias": (lambda: eqx.nn.Linear(5, 4, use_bias=False, key=KEY), (5,)),
    "scalar input": (lambda: eqx.nn.Linear("scalar", 4, key=KEY), ()),
    "scalar output": (lambda: eqx.nn.Linear(4, "scalar", key=KEY), (4,)),
    "grouped": (lambda: eqx.nn.Conv1d(4, 6, 3, groups=2, key=KEY), (4, 5)),
    "circular": (lambda: eqx.nn.Conv1d(2, 3, 3, padding="SAME", padding_mode="circular", key=KEY), (2, 5)),
    "foundax linear": (lambda: foundax.layers.Linear(5, 4, key=KEY), (3, 5)),
    "foundax Conv1dCL": (lambda: Conv1dCL(2, 3, 3, key=KEY), (5, 2)),
    "foundax Conv1dNHWC": (lambda: Conv1dNHWC(2, 3, 3, key=KEY), (5, 2)),
    "foundax Conv2d": (lambda: Conv2d(2, 3, (3, 2), key=KEY), (4, 5, 2)),
    "foundax Conv3dNHWC": (lambda: Conv3dNHWC(2, 3, 2, use_bias=False, key=KEY), (3, 3, 3, 2)),
}


@pytest.mark.parametrize("kind", OTHER_LAYERS)
@pytest.mark.parametrize("name", ["LoRA", "IA3"])
def test_other_layers(name, kind):
    make, shape = OTHER_LAYERS[kind]
    layer = make()
    wrapper = adapted(name, layer)
    x = inputs(shape)
    plain = value(layer, x)
    np.testing.assert_allclose(value(wrapper, x), plain, rtol=1e-6, atol=1e-6)
    trained = randomized(wrapper)
    merged = trained.merge()
    assert type(merged) is type(layer)
    np.testing.assert_allclose(value(trained, x), value(merged, x), rtol=1e-5, atol=1e-5)
    assert np.abs(value(merged, x) - plain).max() > 1e-3


def test_one_column_cannot_be_rotated():
    layer = eqx.nn.Linear(1, 4, key=KEY)
    wrapper = adapted("OFT", layer)
    assert wrapper.skew.size == 0
    np.testing.assert_array_equal(wrapper.merge().weight, layer.weight)


def test_a_channels_last_kernel_is_the_same_matrix():
    last, first = Conv1dCL(2, 3, 3, key=KEY), eqx.nn.Conv1d(2, 3, 3, padding="SAME", key=KEY)
    first = eqx.tree_at(
        lambda c: (c.weight, c.bias), first, (jnp.transpose(last.weight, (2, 1, 0)), last.bias[:, None])
    )
    x = inputs((5, 2))
    for name in ("LoRA", "LoKr", "OFT"):
        one, other = randomized(adapted(name, last)), randomized(adapted(name, first))
        np.testing.assert_allclose(one(x), other(x.T).T, rtol=1e-5, atol=1e-6)


@every_adapter
def test_the_rank_is_at_most_the_smaller_dimension(name):
    wrapper = adapted(name, eqx.nn.Linear(8, 2, key=KEY), rank=50)
    trained = jax.tree_util.tree_leaves(eqx.filter(wrapper, lora.lora_trainable_filter(wrapper)))
    own = {"VeRA": 2 + 50, "LoKr": 1 * 2 + 2 * (2 + 4), "OFT": 8 * 7 // 2}  # LoKr: C (1, 2), second factor (2, 4)
    assert sum(leaf.size for leaf in trained) == (own[name] if name in own else PARAMETERS[name](2, 8, 2))


# --- the formulas ---------------------------------------------------------------------------------------------
def _product(w, layer):
    return np.asarray(w.B) @ np.asarray(w.A)


def _dora(w, layer):
    direction = kernel(layer) + ALPHA / RANK * _product(w, layer)
    return w.magnitude[:, None] * direction / np.sqrt((direction**2).sum(1, keepdims=True))


def _svd_part(layer, part):
    u, s, vt = np.linalg.svd(kernel(layer), full_matrices=False)
    return u[:, part] * s[part] @ vt[part]


def _lora_xs(w, layer):
    u, s, vt = np.linalg.svd(kernel(layer), full_matrices=False)
    sign = np.sign(np.sum(vt[:RANK] * np.asarray(w.right), axis=1))
    left = u[:, :RANK] * s[:RANK] * sign
    return kernel(layer) + ALPHA / RANK * left @ np.asarray(w.R) @ (sign[:, None] * vt[:RANK])


def _cayley_blocks(w, n):
    """The rotation as a dense matrix, block by block with plain inverses."""
    rotation, entries, at = np.eye(n), list(np.asarray(w.skew)), 0
    while at < n:
        size = min(RANK, n - at)
        q = np.zeros((size, size))
        for i in range(size):
            for j in range(i):
                q[i, j] = entries.pop(0)
        q -= q.T
        rotation[at : at + size, at : at + size] = (np.eye(size) + q) @ np.linalg.inv(np.eye(size) - q)
        at += size
    return rotation


FORMULAS = {
    "LoRA": lambda w, layer: kernel(layer) + ALPHA / RANK * _product(w, layer),
    "rsLoRA": lambda w, layer: kernel(layer) + ALPHA / np.sqrt(RANK) * _product(w, layer),
    "LoRAFA": lambda w, layer: kernel(layer) + ALPHA / RANK * _product(w, layer),
    "DoRA": _dora,
    "PiSSA": lambda w, layer: _svd_part(layer, slice(RANK, None)) + ALPHA / RANK * _product(w, layer),
    "MiLoRA": lambda w, layer: _svd_part(layer, slice(None, -RANK)) + ALPHA / RANK * _product(w, layer),
    "LoRAXS": _lora_xs,
    "VeRA": lambda w, layer: kernel(layer) + np.diag(w.b) @ np.asarray(w.B) @ np.diag(w.d) @ np.asarray(w.A),
    "IA3": lambda w, layer: np.diag(w.l) @ kernel(layer),
    "LoKr": lambda w, layer: kernel(layer) + ALPHA / len(w.A) * np.kron(w.C, _product(w, layer)),
    "OFT": lambda w, layer: kernel(layer) @ _cayley_blocks(w, kernel(layer).shape[1]).T,
}


@pytest.mark.parametrize(("name", "kind"), [*((name, "Linear") for name in lora.ADAPTERS), ("OFT", "Conv1d")])
def test_merged_kernel_is_the_formula(double, name, kind):
    layer = LAYERS[kind][0]()
    wrapper = randomized(adapted(name, layer))
    merged = wrapper.merge()
    np.testing.assert_allclose(kernel(merged), FORMULAS[name](wrapper, layer), rtol=1e-12, atol=1e-12)
    factor = np.asarray(wrapper.l).reshape(layer.bias.shape) if name == "IA3" else 1.0
    np.testing.assert_array_equal(merged.bias, factor * layer.bias)


def test_random_factors_have_the_variance_of_the_formula():
    layer = eqx.nn.Linear(256, 128, key=KEY)
    np.testing.assert_allclose(np.std(adapted("LoRA", layer, rank=64).A) * 16, 1, atol=0.03)
    vera = adapted("VeRA", layer, rank=64)
    np.testing.assert_allclose([np.std(vera.A) * 16, np.std(vera.B) * 8], 1, atol=0.02)


@pytest.mark.parametrize(("name", "part"), [("PiSSA", slice(0, 3)), ("MiLoRA", slice(3, 6))])
def test_singular_factors_reconstruct_the_kernel(double, name, part):
    layer = eqx.nn.Linear(8, 6, key=KEY)
    wrapper = adapted(name, layer)
    values = np.linalg.svd(kernel(layer), compute_uv=False)
    update = ALPHA / RANK * _product(wrapper, layer)
    np.testing.assert_allclose(kernel(wrapper.base) + update, kernel(layer), atol=1e-14)
    np.testing.assert_allclose(np.linalg.svd(update, compute_uv=False)[:3], values[part], rtol=1e-12)
    # shared evenly between the factors
    np.testing.assert_allclose(np.linalg.norm(wrapper.A, axis=1), np.linalg.norm(wrapper.B, axis=0), rtol=1e-12)


def test_lora_xs_factors_are_the_best_approximation(double):
    layer = eqx.nn.Linear(8, 6, key=KEY)
    wrapper = adapted("LoRAXS", layer)
    error = kernel(layer) - np.asarray(wrapper.left @ wrapper.right)
    np.testing.assert_allclose(np.linalg.norm(error, 2), np.linalg.svd(kernel(layer), compute_uv=False)[3], rtol=1e-12)


def test_oft_is_orthogonal_and_keeps_angles(double):
    layer = eqx.nn.Linear(8, 6, key=KEY)
    wrapper = randomized(adapted("OFT", layer))
    # eight neurons that are the unit vectors show the rotation itself
    unit = eqx.tree_at(lambda w: w.base.weight, wrapper, jnp.eye(8))
    rotation = np.asarray(unit.merge().weight).T
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(8), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, rtol=1e-13)
    assert np.count_nonzero(rotation) == 2 * 3**2 + 2**2
    gram = kernel(wrapper.merge()) @ kernel(wrapper.merge()).T
    np.testing.assert_allclose(gram, kernel(layer) @ kernel(layer).T, atol=1e-14)


def test_vera_shares_its_projections_between_layers():
    net = foundax.mlp(8, output_dim=5, hidden_dims=8, key=KEY)
    tuned = lora.apply_lora(net, rank=4, key=KEY, wrappers=lora.VeRALinear)
    first, second = tuned.hidden_layers
    np.testing.assert_array_equal(first.A, second.A)
    np.testing.assert_array_equal(first.B, second.B)
    np.testing.assert_allclose(tuned.output_layer.B, first.B[:5], rtol=1e-6)
    smaller = adapted("VeRA", eqx.nn.Linear(3, 8, key=KEY), rank=4)
    np.testing.assert_allclose(smaller.A * np.sqrt(3), first.A[:, :3] * np.sqrt(8), rtol=1e-6)


def test_dora_with_a_row_of_zeros_has_finite_gradients():
    layer = eqx.nn.Linear(4, 3, key=KEY)
    layer = eqx.tree_at(lambda linear: linear.weight, layer, layer.weight.at[1].set(0.0))
    wrapper = adapted("DoRA", layer)
    x = inputs((4,))
    np.testing.assert_allclose(wrapper(x), layer(x), rtol=1e-6, atol=1e-6)
    gradient = eqx.filter_grad(lambda w: jnp.sum(w(x) ** 2))(wrapper)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree_util.tree_leaves(gradient))


# --- errors ---------------------------------------------------------------------------------------------------
@every_adapter
def test_a_transposed_convolution_is_refused(name):
    layer = eqx.nn.ConvTranspose1d(2, 3, 3, key=KEY)
    for adapter in lora.ADAPTERS[name]:
        assert not adapter.applies_to(layer)
        with pytest.raises(
            TypeError, match=rf"{adapter.__name__} cannot wrap ConvTranspose1d: it wraps .*(Linear|Conv)"
        ):
            adapter(layer, 2, 1.0, key=KEY)


@every_adapter
def test_linear_and_convolution_are_told_apart(name):
    linear, conv = lora.ADAPTERS[name]
    assert (linear.__name__, conv.__name__) == (f"{name}Linear", f"{name}Conv")
    with pytest.raises(TypeError, match=f"{name}Conv cannot wrap Linear: it wraps Conv, Conv1dCL"):
        conv(eqx.nn.Linear(2, 2, key=KEY), 1, 1.0, key=KEY)
    with pytest.raises(TypeError, match=f"{name}Linear cannot wrap Conv1d: it wraps Linear"):
        linear(eqx.nn.Conv1d(2, 2, 1, key=KEY), 1, 1.0, key=KEY)


@every_adapter
def test_rank_and_alpha_are_checked(name):
    layer = eqx.nn.Linear(4, 3, key=KEY)
    for rank in (0, -1, True):
        with pytest.raises(ValueError, match=f"{name}Linear: rank must be an integer of at least 1, got {rank}"):
            adapted(name, layer, rank=rank)
    for alpha in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"{name}Linear: alpha must be positive and finite, got {alpha}"):
            adapted(name, layer, alpha=alpha)


def test_oft_needs_blocks_of_two():
    with pytest.raises(ValueError, match="OFTLinear: rank is the size of a rotated block, at least 2, got 1"):
        adapted("OFT", eqx.nn.Linear(4, 3, key=KEY), rank=1)


def test_weights_that_are_no_matrix_of_real_numbers_are_refused():
    layer = eqx.nn.Linear(4, 3, key=KEY)
    replaced = lambda weight: eqx.tree_at(lambda linear: linear.weight, layer, weight)  # noqa: E731
    with pytest.raises(TypeError, match="weight of Linear must be a real floating-point array, got complex64"):
        adapted("LoRA", replaced(layer.weight + 0j))
    with pytest.raises(TypeError, match="weight of Linear must be a real floating-point array, got int32"):
        adapted("LoRA", replaced(jnp.ones((3, 4), int)))
    with pytest.raises(TypeError, match="weight of Linear must be a real floating-point array, got Identity"):
        adapted("LoRA", replaced(eqx.nn.Identity()))
    with pytest.raises(ValueError, match=r"must have 2 axes and entries, got shape \(2, 3, 4\); stacked layers"):
        adapted("LoRA", replaced(jnp.ones((2, 3, 4))))
    with pytest.raises(ValueError, match=r"must have 2 axes and entries, got shape \(3, 0\)"):
        adapted("LoRA", replaced(jnp.ones((3, 0))))
    with pytest.raises(ValueError, match=r"must have 4 axes and entries, got shape \(3, 2, 2\)"):
        adapted("LoRA", eqx.tree_at(lambda c: c.weight, eqx.nn.Conv2d(2, 3, 2, key=KEY), jnp.ones((3, 2, 2))))
    with pytest.raises(ValueError, match=r"must have 3 axes and entries, got shape \(2, 2\)"):
        adapted("LoRA", eqx.tree_at(lambda c: c.weight, Conv1dCL(2, 3, 2, key=KEY), jnp.ones((2, 2))))
