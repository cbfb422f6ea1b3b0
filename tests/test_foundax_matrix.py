"""Every foundax architecture: one training step through a core, and the values of the bare module, sample by sample.

The pretrained families are built small.  `foundax.poseidonT` and the other shortcuts of foundax 0.2.0 pass options that
their families do not take; `foundax.poseidon(...)` and its like work.  PROSE cannot be built small and
PDEformer takes graphs: both are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno

KEY = jax.random.key(5, impl="unsafe_rbg")
SAMPLES = 3


@pytest.fixture(autouse=True)
def _quick_compilation():
    """Compilation takes nearly all of the time here."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def floats(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Normally distributed numbers."""
    return lambda rng: rng.normal(size=shape).astype(np.float32)


def whole(below: int, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Integers of ``[0, below)``."""
    return lambda rng: rng.integers(0, below, shape).astype(np.int32)


def filled(value: float, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """One number everywhere."""
    return lambda rng: np.full(shape, value, dtype=np.float32)


def plain(net: Any, *inputs: Any) -> Any:
    return net(*inputs)


def one_of_a_batch(net: Any, *inputs: Any) -> Any:
    """For networks that only take batches: a batch of one sample."""
    return net(*(array[None] for array in inputs))[0]


@dataclasses.dataclass(frozen=True)
class Row:
    """An architecture and what it is applied to.

    ``inputs`` draw the arrays of one sample, ``call`` is written once and used twice: with a
    `jno.Model` on expressions, and with the module on arrays.
    """

    module: Callable[[], Any]
    inputs: tuple[Callable[[np.random.Generator], np.ndarray], ...]
    output: tuple[int, ...]
    call: Callable[..., Any] = plain
    still: float = 0.0
    """Largest share of floating leaves that need not move: biases before a normalisation, unused paths."""
    tables: bool = False
    """Whether the module holds arrays that are no parameters, so that it must be built as it is."""


class Chosen(eqx.Module):
    """One entry of the tuple a network returns, for a batch of one sample."""

    network: Any
    entry: int = eqx.field(static=True)

    def __call__(self, *inputs):
        return self.network(*(array[None] for array in inputs))[self.entry][0]


class Walrus(eqx.Module):
    """Fields of two channels at several times, periodic in both directions."""

    network: Any

    def __call__(self, x):
        periodic = [[2, 2], [2, 2], [2, 2]]
        return self.network(x[None], jnp.array([3, 4]), periodic)[0]


def deeponet(branch="mlp", trunk="mlp", combination="dot", **options):
    return lambda: foundax.deeponet(
        branch, trunk, combination, n_sensors=8, coord_dim=2, basis_functions=6, hidden_dim=8, n_layers=2, n_heads=2,
        key=KEY, **options,
    )  # fmt: skip


SENSORS_AND_POINTS = (floats(8), floats(7, 2))
CLOUD = (floats(9, 3), filled(1.0, 9, 1), floats(9, 2), filled(1 / 9, 9, 1))

ROWS = {
    # point-wise
    "linear": Row(lambda: foundax.linear(2, 3, key=KEY), (floats(6, 2),), (6, 3)),
    "mlp": Row(lambda: foundax.mlp(3, 2, hidden_dims=6, key=KEY), (floats(6, 2), floats(6, 1)), (6, 2)),
    # sensors and query points
    "deeponet": Row(deeponet(), SENSORS_AND_POINTS, (7, 1)),
    "deeponet two outputs": Row(deeponet(n_outputs=2), SENSORS_AND_POINTS, (7, 2)),
    "deeponet conv1d siren bilinear": Row(deeponet("conv1d", "siren", "bilinear"), SENSORS_AND_POINTS, (7, 1)),
    "deeponet resmlp resmlp mlp": Row(deeponet("resmlp", "resmlp", "mlp"), SENSORS_AND_POINTS, (7, 1)),
    "deeponet transformer attention": Row(
        deeponet("transformer", "mlp", "attention", coord_embedding="fourier", coord_embedding_dim=4),
        SENSORS_AND_POINTS,
        (7, 1),
        still=0.3,
    ),
    # grids
    "fno1d": Row(lambda: foundax.fno1d(2, 4, 3, n_layers=2, key=KEY), (floats(8, 2),), (1, 8, 1)),
    "fno1d steps": Row(lambda: foundax.fno1d(2, 4, 3, 2, n_layers=1, n_steps=3, key=KEY), (floats(8, 2),), (3, 8, 2)),
    "fno2d": Row(lambda: foundax.fno2d(2, 4, 3, n_layers=2, key=KEY), (floats(8, 6, 2),), (8, 6, 1)),
    "fno3d": Row(lambda: foundax.fno3d(1, 3, 2, 2, n_layers=1, key=KEY), (floats(5, 4, 6, 1),), (5, 4, 6, 2)),
    "unet1d": Row(lambda: foundax.unet1d(2, 1, depth=2, wf=2, key=KEY), (floats(8, 2),), (8, 1), still=0.3),
    "unet2d": Row(lambda: foundax.unet2d(2, 1, depth=2, wf=2, key=KEY), (floats(8, 4, 2),), (8, 4, 1), still=0.3),
    "unet3d": Row(
        lambda: foundax.unet3d(1, 2, depth=1, wf=1, activation=jax.nn.celu, key=KEY),
        (floats(4, 4, 4, 1),),
        (4, 4, 4, 2),
        still=0.3,
    ),
    "cno2d": Row(
        lambda: foundax.cno2d(1, 2, 8, N_layers=1, N_res=1, N_res_neck=1, channel_multiplier=4, key=KEY),
        (floats(8, 8, 1),),
        (8, 8, 2),
        call=lambda net, a: net(a)[0],
        still=0.2,
    ),
    "mgno1d": Row(lambda: foundax.mgno1d(8, 1, 4, 2, [(1, 1), (1, 1)], key=KEY), (floats(8, 2),), (8, 1), still=0.2),
    "mgno2d": Row(
        lambda: foundax.mgno2d((8, 8), 1, 4, 2, [(1, 1), (1, 1)], key=KEY), (floats(8, 8, 2),), (8, 8, 1), still=0.2
    ),
    "pit": Row(
        lambda: foundax.pit(2, 1, 8, 2, (100, 50, 100), (4, 4), (2, 2), (4, 4), key=KEY),
        (floats(16, 2),),
        (16, 1),
        still=0.2,
    ),
    # point clouds
    "pointnet": Row(lambda: foundax.pointnet(3, 2, [6, 4, 3, 2], key=KEY), (floats(9, 3),), (9, 2)),
    "geofno": Row(lambda: foundax.geofno(2, (4, 4), (1.0, 1.0), (4, 4, 4), 6, 3, 2, key=KEY), CLOUD, (9, 2)),
    "pcno": Row(
        lambda: foundax.pcno(2, (4, 4), (1.0, 1.0), (4, 4, 4), 6, 3, 2, key=KEY),
        (*CLOUD, whole(9, 12, 2), floats(12, 2)),
        (9, 2),
        call=one_of_a_batch,
    ),
    "gnot": Row(
        lambda: foundax.gnot(2, [3], n_layers=1, n_hidden=8, n_inner=2, key=KEY),
        (floats(7, 2), floats(5, 3)),
        (7, 1),
        call=lambda net, points, f: net(points[None], f[None, None])[0],
        still=0.05,  # as for moegptno
    ),
    "moegptno": Row(
        lambda: foundax.moegptno(2, 3, n_layers=1, n_hidden=8, key=KEY),
        (floats(7, 2), floats(5, 3)),
        (7, 1),
        call=one_of_a_batch,
        still=0.05,  # the bias of the keys adds the same to all of a softmax: its gradient is rounding
    ),
    "cgptno": Row(
        lambda: foundax.cgptno(2, [3], n_layers=1, n_hidden=8, n_inner=2, key=KEY),
        (floats(7, 2), floats(5, 3)),
        (7, 1),
        call=lambda net, points, f: net(points[None], f[None, None])[0],
        still=0.05,  # as for moegptno
    ),
    # foundation models
    "poseidon": Row(
        lambda: foundax.poseidon(
            image_size=16,
            patch_size=4,
            num_channels=2,
            num_out_channels=1,
            embed_dim=4,
            depths=(1, 1),
            num_heads=(1, 2),
            skip_connections=(1, 0),
            window_size=2,
            pretrained_window_sizes=(0, 0),
            key=KEY,
        ),
        (floats(16, 16, 2), floats(1)),
        (16, 16, 1),
        call=lambda net, a, t: net(a[None], t)[0],
        tables=True,
        still=0.1,
    ),
    "morph": Row(
        lambda: Chosen(
            foundax.morph(
                dim=8,
                depth=1,
                heads=2,
                heads_xa=2,
                mlp_dim=8,
                max_components=2,
                conv_filter=2,
                max_patches=4,
                max_fields=1,
                dropout=0.0,
                emb_dropout=0.0,
                key=KEY,
            ),
            entry=2,
        ),
        (floats(1, 16, 16, 2),),
        (16, 16, 2),
        tables=True,
        still=0.4,
    ),
    "mpp": Row(
        lambda: foundax.mpp(embed_dim=8, processor_blocks=1, n_states=3, num_heads=2, key=KEY),
        (floats(2, 32, 32, 2), whole(1, 2)),
        (32, 32, 2),
        call=lambda net, x, bcs: net(x[None], np.array([0, 2]), bcs[None])[0],
        tables=True,
        still=0.5,
    ),
    "dpot": Row(
        lambda: Chosen(
            foundax.dpot(
                img_size=16,
                patch_size=8,
                in_channels=2,
                out_channels=1,
                in_timesteps=2,
                n_blocks=2,
                embed_dim=8,
                out_layer_dim=4,
                depth=1,
                modes=2,
                n_cls=2,
                key=KEY,
            ),
            entry=0,
        ),
        (floats(2, 16, 16, 2),),
        (1, 16, 16, 1),
        tables=True,
        still=0.3,
    ),
    "bcat": Row(
        lambda: foundax.bcat(
            n_layer=1,
            dim_emb=8,
            dim_ffn=8,
            n_head=2,
            x_num=8,
            max_output_dim=1,
            patch_num=2,
            patch_num_output=2,
            conv_dim=2,
            max_time_len=12,
            max_data_len=12,
            key=KEY,
        ),
        (floats(12, 8, 8, 1), floats(12, 1)),
        (2, 8, 8, 1),
        call=one_of_a_batch,
        tables=True,
    ),
    "walrus": Row(
        lambda: Walrus(
            foundax.walrus(
                hidden_dim=8,
                intermediate_dim=4,
                n_states=5,
                processor_blocks=1,
                groups=2,
                num_heads=2,
                include_d=(2,),
                encoder_groups=2,
                key=KEY,
            )
        ),
        (floats(2, 32, 32, 2),),
        (2, 32, 32, 2),
        tables=True,
        still=0.2,
    ),
}


def layout(sample: np.ndarray) -> np.ndarray:
    """Samples ``(B, …)`` in the layout of tags: rows ``(B, k)`` as they are, everything else with a time axis."""
    return sample if sample.ndim <= 2 else sample[:, None]


def draw(row: Row, samples: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.stack([one(rng) for _ in range(samples)]) for one in row.inputs]


class Network:
    """The module as `jno.Model` calls it: results that carry their array in ``output`` are unpacked."""

    def __init__(self, module):
        self.module = module

    def __call__(self, *inputs):
        result = self.module(*inputs)
        return result if isinstance(result, jax.Array) else result.output


def by_hand(row: Row) -> Callable[[Any, list[np.ndarray]], np.ndarray]:
    """Function of a module and the inputs: the module on one sample after the other."""
    one = eqx.filter_jit(lambda module, arrays: row.call(Network(module), *arrays))

    def values(module: Any, inputs: list[np.ndarray]) -> np.ndarray:
        module = eqx.nn.inference_mode(module)
        samples = [one(module, [jnp.asarray(array[b]) for array in inputs]) for b in range(len(inputs[0]))]
        return np.stack(samples).reshape(-1, *row.output)

    return values


def build(row: Row) -> Any:
    """The row's network; parameters come from NumPy, as JAX would compile a program for every shape it draws."""
    if row.tables:
        return row.module()
    rng = np.random.default_rng(2)

    def drawn(leaf: Any) -> Any:
        return jnp.asarray(0.2 * rng.normal(size=leaf.shape), leaf.dtype)

    shapes = eqx.filter_eval_shape(row.module)
    return jax.tree_util.tree_map(lambda leaf: drawn(leaf) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf, shapes)


def leaves(module: Any) -> dict[str, np.ndarray]:
    found = jax.tree_util.tree_leaves_with_path(eqx.filter(module, eqx.is_inexact_array))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in found}


QUICK = (
    "linear", "mlp", "deeponet", "fno1d", "fno2d", "fno3d", "unet1d", "mgno2d", "pit", "pointnet", "geofno",
)  # fmt: skip


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ROWS]
)
def test_trains_and_agrees_with_the_bare_module(name):
    row = ROWS[name]
    module = build(row)
    inputs = draw(row, SAMPLES)
    target = np.random.default_rng(1).normal(size=(SAMPLES, *row.output)).astype(np.float32)

    domain = SAMPLES * jno.domain.from_array({"points": np.zeros((1, 2))})
    tags = [domain.variable(f"input_{i}", layout(array)) for i, array in enumerate(inputs)]
    net = jno.nn(module, name=name).optimizer(optax.sgd(1e-2))
    u = row.call(net, *tags)
    crux = jno.core([(u - domain.variable("target", layout(target))).mse])

    values = by_hand(row)
    loss = np.mean((values(module, inputs) - target) ** 2)
    before = leaves(module)
    history = crux.solve(1)
    np.testing.assert_allclose(history.total_loss, loss, rtol=1e-4)

    trained = crux.models[net.layer_id]
    after = leaves(trained)
    still = {path for path in before if np.array_equal(before[path], after[path])}
    assert len(still) <= row.still * len(before), still
    assert all(np.all(np.isfinite(leaf)) for leaf in after.values())

    result = crux.eval(u)
    assert result.shape == (SAMPLES, *row.output)
    np.testing.assert_allclose(result, values(trained, inputs), rtol=1e-4, atol=1e-5)


def test_mini_batch_of_images():
    row = ROWS["fno2d"]
    images, target = draw(row, 5)[0], np.random.default_rng(1).normal(size=(5, *row.output)).astype(np.float32)
    module = build(row)
    domain = 5 * jno.domain.from_array({"points": np.zeros((1, 2))})
    a, wanted = domain.variable("a", layout(images)), domain.variable("target", layout(target))
    net = jno.nn(module).optimizer(optax.sgd(0.0))
    crux = jno.core([(net(a) - wanted).mse])
    losses = crux.solve(4, batchsize=2).total_loss_history
    each = np.mean((by_hand(row)(module, [images]) - target) ** 2, axis=(1, 2, 3))
    pairs = [(each[i] + each[j]) / 2 for i in range(5) for j in range(i)]
    assert len(set(losses.tolist())) > 1
    for loss in losses:
        assert np.abs(pairs - loss).min() < 1e-5 * loss


def tokens(domain: Any) -> Any:
    return domain.variable("tokens", np.arange(2 * 5, dtype=np.int32).reshape(2, 5))


@pytest.mark.xfail(strict=True, raises=ValueError, reason="its positional encoding wants a batch, its embedding a row")
def test_transformer():
    domain = 2 * jno.domain.from_array({"points": np.zeros((1, 2))})
    net = jno.nn(transformer())
    crux = jno.core([net(tokens(domain), tokens(domain)).mse])
    assert crux.eval(net(tokens(domain), tokens(domain))).shape == (2, 5, 20)


def transformer() -> Any:
    shapes = eqx.filter_eval_shape(
        lambda: foundax.transformer(1, 8, 2, 8, dropout_rate=0.0, vocab_size=20, max_len=6, key=KEY)
    )
    return jax.tree_util.tree_map(
        lambda leaf: jnp.ones(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf, shapes
    )


def test_transformer_fails_by_itself_too():
    with pytest.raises(ValueError, match="Incompatible shapes for broadcasting"):
        transformer()(jnp.arange(5), jnp.arange(5))


# --- errors a user can act on -----------------------------------------------------------------------------------
def test_a_failing_network_is_named_with_the_shapes_and_the_cause():
    domain = 2 * jno.domain.from_array({"points": np.zeros((1, 2))})
    net = jno.nn(transformer(), name="translator")
    wanted = r"translator cannot be applied to arguments of shape \(5,\), \(5,\): Incompatible shapes for broadcasting"
    with pytest.raises(ValueError, match=wanted) as caught:
        jno.core([net(tokens(domain), tokens(domain)).mse])
    assert "row of parameters" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_image_of_the_wrong_rank_is_named():
    domain = 2 * jno.domain.from_array({"points": np.zeros((1, 2))})
    a = domain.variable("a", np.zeros((2, 7), dtype=np.float32))
    net = jno.nn(build(ROWS["fno2d"]), name="fno")
    with pytest.raises(ValueError, match=r"fno cannot be applied to arguments of shape \(7,\)"):
        jno.core([net(a).mse])


def test_a_tuple_is_refused_with_advice():
    class Pair(eqx.Module):
        def __call__(self, x):
            return x, x

    domain = 2 * jno.domain.from_array({"points": np.zeros((1, 2))})
    a = domain.variable("a", np.zeros((2, 1, 4, 4, 1), dtype=np.float32))
    with pytest.raises(TypeError, match=r"pair returned tuple; .* wrap it in an equinox.Module that picks one"):
        jno.core([jno.nn(Pair(), name="pair")(a).mse])
