"""`jno.nn.embed`: what it computes, what it costs, what it refuses, and that it is a network like any other."""

import itertools

import equinox as eqx
import flax.linen as linen
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import jaxpr_of
from jax import export

import jno
from jno.architectures._factorized import FactorizedMatrix
from jno.compiler import Program
from jno.lora import adapter_count

KEY = jax.random.PRNGKey(0)
POINTS = np.linspace(0.0, 1e-3, 9, dtype=np.float32)[:, None]


def build(size, **options):
    return foundax.mlp(size, hidden_dims=6, num_layers=1, key=KEY, **options)


def everything(**options):
    """A network with all that can be asked for."""
    asked = {"fourier": 3, "scales": (1.0, 2.0), "factorize": True, "magnitude": 300.0, "offset": 20.0, "key": KEY}
    return jno.nn.embed(build, [(0.0, 1e-3)], **(asked | options))


# --- what it computes ---------------------------------------------------------------------------------------------
def test_coordinates_and_outputs_are_scaled():
    module = build(2, output_dim=2)
    net = jno.nn.embed(module, [(2.0, 6.0), None], magnitude=[10.0, 0.5], offset=3.0)
    x, y = np.array([[2.0], [4.0], [5.0]]), np.array([[0.5], [-7.0], [1.0]])
    expected = 3.0 + np.array([10.0, 0.5]) * module(jnp.concatenate([(x - 4.0) / 2.0, y], axis=-1))
    np.testing.assert_allclose(net.module(jnp.asarray(x), jnp.asarray(y)), expected, rtol=1e-5)
    np.testing.assert_allclose(net.module(jnp.concatenate([x, y], axis=-1)), expected, rtol=1e-5)
    np.testing.assert_allclose(net.module(np.array([[5]]), np.array([[1]])), expected[2:], rtol=1e-5)


def test_features_are_those_of_the_papers():
    net = jno.nn.embed(lambda size: eqx.nn.Linear(size, 1, key=KEY), [(0, 4), (0, 3)], periodic={1: None}, harmonics=2)
    x, y = 1.0, 0.7
    angle = 2 * np.pi * (y - 1.5) / 3
    plain = [(x - 2) / 2, np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)]
    np.testing.assert_allclose(net.module.embedding(jnp.array([x, y])), plain, rtol=1e-5)

    options = {"periodic": {1: 3.0}, "harmonics": 2, "fourier": 50, "scales": (0.5, 4.0), "key": KEY}
    random = jno.nn.embed(lambda size: eqx.nn.Linear(size, 1, key=KEY), [(0, 4), (0, 3)], **options).module.embedding
    frequencies = np.asarray(random.frequencies)
    assert (random.size, frequencies.shape) == (200, (5, 100))
    np.testing.assert_allclose([frequencies[:, :50].std(), frequencies[:, 50:].std()], [0.5, 4.0], rtol=0.15)
    angles = 2 * np.pi * np.asarray(plain) @ frequencies
    expected = np.concatenate([np.cos(angles), np.sin(angles)])
    np.testing.assert_allclose(random(jnp.array([[x, y]]))[0], expected, atol=1e-4)


def test_a_periodic_network_has_periodic_derivatives():
    with jax.enable_x64(True):
        net = jno.nn.embed(build, [(0.0, 2.0), None], periodic={0: None}, harmonics=3)
        value = lambda x: net.module(jnp.array([x, 0.3]))[0]  # noqa: E731
        for _ in range(4):
            np.testing.assert_allclose(value(0.4), value(2.4), rtol=1e-11)
            np.testing.assert_allclose(value(0.0), value(2.0), rtol=1e-11)
            value = jax.grad(value)
        assert abs(float(value(0.4) - value(1.4))) > 1e-6


def test_magnitudes_are_measured():
    samples = np.array([[1.0, 10.0], [3.0, 10.5]])
    net = jno.nn.embed(build(1, output_dim=2), [None], samples=samples)
    assert (net.module.magnitude, net.module.offset) == ((1.0, 0.25), (2.0, 10.25))
    assert jno.nn.embed(build, [None], samples=jnp.array([1.0, 3.0])).module.offset == (2.0,)


def test_factors_change_nothing_until_they_are_trained():
    plain = jno.nn.embed(build, [(0, 1e-3)]).module
    module = jno.nn.embed(build, [(0, 1e-3)], factorize=(0.5, 0.2), key=KEY).module
    np.testing.assert_allclose(module(POINTS), plain(POINTS), atol=1e-6)
    first = module.network.hidden_layers[0].weight
    assert first.log_scales.shape == (6,)
    assert 0.1 < float(first.log_scales.mean()) < 0.9
    np.testing.assert_allclose(
        first.direction * jnp.exp(first.log_scales)[:, None], plain.network.hidden_layers[0].weight, atol=1e-6
    )


# --- ranges -------------------------------------------------------------------------------------------------------
def ranges(inputs):
    embedding = jno.nn.embed(build, inputs).module.embedding
    return [(c - w, c + w) for c, w in zip(embedding.centers, embedding.half_widths, strict=True)]


def test_every_factorised_layer_has_factors_of_its_own():
    deep = lambda size: foundax.mlp(size, hidden_dims=6, num_layers=3, key=KEY)  # noqa: E731
    module = jno.nn.embed(deep, [(0.0, 1.0)], factorize=True, key=KEY).module
    factors = jax.tree_util.tree_leaves(module, is_leaf=lambda node: isinstance(node, FactorizedMatrix))
    scales = [np.asarray(node.log_scales) for node in factors if isinstance(node, FactorizedMatrix)]
    assert [len(scale) for scale in scales] == [6, 6, 6, 1]
    for left, right in itertools.combinations(scales[:3], 2):
        assert not np.allclose(left, right)


def test_an_embedded_network_drops_out_by_the_key():
    class Dropped(eqx.Module):
        linear: eqx.nn.Linear
        dropout: eqx.nn.Dropout

        def __call__(self, inputs, key=None):
            return self.dropout(inputs @ self.linear.weight.T, key=key)

    module = jno.nn.embed(Dropped(eqx.nn.Linear(1, 40, key=KEY), eqx.nn.Dropout(0.5)), [(0.0, 1.0)]).module
    outputs = [np.asarray(module(jnp.ones((3, 1)), key=jax.random.PRNGKey(seed))) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0] == 0.0, outputs[2] == 0.0)


def test_ranges_of_domains():
    rect = jno.domain.equi_distant_rect(x_range=(0, 2e-6), y_range=(1, 3), nx=2, ny=2, time=(0, 5, 3))
    x, y, t = rect.variable("boundary")
    np.testing.assert_allclose(ranges(rect), [(0, 2e-6), (1, 3), (0, 5)])
    np.testing.assert_allclose(ranges([t, (-1, 7), y]), [(0, 5), (-1, 7), (1, 3)])
    np.testing.assert_allclose(ranges((x, None)), [(0, 2e-6), (-1, 1)])
    plate = jno.domain.csg([(0, 0), (4, 0), (4, 1), (0, 1)]) - jno.domain.csg([(1, 0), (2, 0), (2, 1), (1, 1)])
    np.testing.assert_allclose(ranges(plate), [(0, 4), (0, 1)])
    merged = jno.domain.line((0, 1), mesh_size=0.5) + jno.domain.line((3, 4), mesh_size=0.5)
    np.testing.assert_allclose(ranges(merged), [(0, 4)])


def test_what_has_no_range_is_refused():
    domain = jno.domain.rect(mesh_size=0.5)
    x, _, t, nx, _ = domain.variable("boundary", normals=True, split=True)
    for variable in (nx, t):
        with pytest.raises(ValueError, match=r"has no range of its own.*give a pair"):
            jno.nn.embed(build, [x, variable])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs": 3}, TypeError, r"embed\(inputs=3\): give a domain, or a list with one entry for every column"),
        ({"inputs": [(0, 1), (1, 1)]}, ValueError, r"entry 1 is \(1, 1\); it must be .*low < high"),
        ({"inputs": [(0, float("inf"))]}, ValueError, "entry 0"),
        ({"periodic": [0]}, TypeError, r"periodic=\[0\]\): give a dictionary"),
        ({"periodic": {2: 1.0}}, ValueError, "an integer from 0 to 0"),
        ({"periodic": {0: -1.0}}, ValueError, r"embed\(periodic=\{0: ...\}=-1.0\): .* positive number"),
        ({"inputs": [None], "periodic": {0: None}}, ValueError, "column 0 has no range; give its period"),
        ({"harmonics": 2}, ValueError, r"harmonics=2\): no coordinate is periodic"),
        ({"harmonics": 0, "periodic": {0: 1}}, ValueError, "harmonics=0"),
        ({"fourier": 4}, ValueError, r"fourier=...\): random numbers are drawn; give key="),
        ({"factorize": True}, ValueError, r"factorize=...\): random numbers are drawn"),
        ({"factorize": 1.0, "key": KEY}, ValueError, r"factorize=1.0\): it must be True, False, or mean and"),
        ({"scales": 3.0}, ValueError, r"scales=3.0\): there are no Fourier features"),
        ({"fourier": 2, "scales": [1.0, 0.0], "key": KEY}, ValueError, "scales .*a positive number, or a list"),
        ({"magnitude": 0.0}, ValueError, r"embed\(magnitude=0.0\)"),
        ({"magnitude": [1.0, 2.0]}, ValueError, r"embed\(magnitude=...\): 2 numbers for the 1 output"),
        ({"offset": "5"}, ValueError, "offset"),
        ({"samples": [1.0, 2.0], "offset": 1.0}, ValueError, "measured of the samples; leave them out"),
        ({"samples": [[1.0, 2.0], [1.0, 3.0]]}, ValueError, "differ in every column"),
        ({"network": build(3)}, ValueError, r"cannot be called with one array \(N, 1\).* Build it for 1 input"),
        ({"network": eqx.nn.MLP}, TypeError, "got the class MLP"),
        ({"network": lambda size: None}, TypeError, "NoneType"),
        ({"network": jno.nn(build(1))}, TypeError, "already wrapped"),
        ({"network": eqx.nn.Lambda(jnp.tanh), "factorize": True, "key": KEY}, ValueError, "Lambda has no linear layer"),
    ],
)
def test_refusals(options, error, message):
    with pytest.raises(error, match=message):
        jno.nn.embed(**({"network": build, "inputs": [(0.0, 1.0)]} | options))


def test_a_call_with_other_columns_is_refused(xy):
    net = jno.nn.embed(build, [(0, 1)])
    with pytest.raises(ValueError, match=r"embedded for 1 coordinate\(s\) and is called with 2.*every column"):
        jno.core([net(*xy).mse])


# --- cost ---------------------------------------------------------------------------------------------------------
class ByHand(eqx.Module):
    """What `embed` computes, written out."""

    layers: list
    frequencies: tuple = eqx.field(static=True)

    def __call__(self, x, y):
        z = (jnp.concatenate([x, y], axis=-1) - jnp.array([1.0, 0.5])) * jnp.array([1.0, 2.0])
        angles = z @ jnp.asarray(2 * np.pi * np.asarray(self.frequencies), z.dtype)
        h = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        return 5.0 + 300.0 * self.layers[1](jnp.tanh(self.layers[0](h)))


def test_derivatives_cost_what_a_hand_written_module_costs():
    domain = jno.domain.rect(x_range=(0, 2), y_range=(0, 1), mesh_size=0.5)
    x, y, _ = domain.variable("interior", (200, "halton"))
    options = {"fourier": 4, "magnitude": 300.0, "offset": 5.0, "key": KEY}
    embedded = jno.nn.embed(build, domain, factorize=True, **options)
    plain = jno.nn.embed(build, domain, **options).module
    network = plain.network
    by_hand = jno.nn(ByHand([*network.hidden_layers, network.output_layer], plain.embedding.frequencies))

    def operations(net):
        program = Program([net(x, y).laplacian(x, y) + net(x, y).d(x)], domain)
        modules = {net.layer_id: net.module}
        compiled = jax.jit(lambda modules, data: program(modules, data)).lower(modules, program.data).compile()
        return compiled.cost_analysis()["flops"], jax.jit(program)(modules, program.data)

    (flops, values), (flops_by_hand, expected) = operations(embedded), operations(by_hand)
    scale = float(jnp.abs(expected[0]).max())
    np.testing.assert_allclose(values[0], expected[0], atol=1e-5 * scale)
    factors = 3 * sum(layer.weight.size for layer in (*network.hidden_layers, network.output_layer))
    assert flops <= flops_by_hand + factors


# --- a network like any other -------------------------------------------------------------------------------------
def problem(net):
    x, _ = jno.domain.line((0.0, 1e-3), mesh_size=1e-4).variable("interior")
    return jno.core([((net(x) - 300.0 * jno.np.sin(3e3 * x)) / 300.0).mse]), net(x)


def test_groups_masks_and_frozen_leaves():
    net = everything()
    before = net.module
    nothing = jax.tree_util.tree_map(lambda _: False, net.module)
    hidden = eqx.tree_at(lambda m: m.network.hidden_layers[0].weight.log_scales, nothing, True)
    output = eqx.tree_at(lambda m: m.network.output_layer.bias, nothing, True)
    net.optimizer(optax.adam(1e-2)).mask(output).optimizer(optax.sgd(1e-3)).mask(hidden).freeze()
    problem(net)[0].solve(2)
    first, before_first = net.module.network.hidden_layers[0].weight, before.network.hidden_layers[0].weight
    assert np.array_equal(first.log_scales, before_first.log_scales)
    assert not np.array_equal(first.direction, before_first.direction)
    assert not np.array_equal(net.module.network.output_layer.bias, before.network.output_layer.bias)
    assert not np.array_equal(
        net.module.network.output_layer.weight.log_scales, before.network.output_layer.weight.log_scales
    )


def test_adapters_of_factorized_layers(tmp_path):
    net = everything(offset=1e3).freeze().lora(rank=2, alpha=2.0).optimizer(optax.adam(1e-2))
    expected = net.module(POINTS)
    crux, u = problem(net)
    assert adapter_count(net.module) == 2
    np.testing.assert_allclose(net.module(POINTS), expected, rtol=1e-4)
    crux.solve(3)
    assert not np.allclose(net.module(POINTS), expected, rtol=1e-4)
    crux.save(tmp_path / "core.jno")
    loaded = jno.load(tmp_path / "core.jno")
    np.testing.assert_allclose(loaded.eval(u), crux.eval(u), rtol=1e-5)


def test_precision():
    net = everything().dtype(jnp.bfloat16).optimizer(optax.adam(1e-2))
    crux, u = problem(net)
    assert net.module.network.hidden_layers[0].weight.direction.dtype == jnp.bfloat16
    crux.solve(1)
    assert np.all(np.isfinite(np.asarray(crux.eval(u), dtype=np.float32)))


def test_files(tmp_path):
    net = everything()
    inputs = POINTS
    file = net.export(tmp_path / "net.stablehlo", inputs)
    function = export.deserialize(bytearray(file.path.read_bytes()))
    np.testing.assert_allclose(function.call(inputs[:4]), net.module(inputs[:4]), rtol=1e-4)

    jno.save(net, tmp_path / "weights.jno", data_only=True)
    other = jno.nn.embed(
        lambda size: foundax.mlp(size, hidden_dims=6, num_layers=1, key=jax.random.PRNGKey(7)),
        [(0.0, 1e-3)],
        fourier=3,
        scales=(1.0, 2.0),
        factorize=True,
        magnitude=300.0,
        offset=20.0,
        key=KEY,
    )
    problem(other.initialize(tmp_path / "weights.jno"))
    np.testing.assert_allclose(other.module(inputs), net.module(inputs), rtol=1e-6)
    for options, name in (({"key": jax.random.PRNGKey(1)}, "frequencies"), ({"magnitude": 2.0}, "magnitude")):
        with pytest.raises(ValueError, match=f"the checkpoint does not fit: the module: .*{name}"):
            problem(everything(**options).initialize(tmp_path / "weights.jno"))


def test_other_modules():
    pointwise = jno.nn.embed(lambda size: eqx.nn.MLP(size, 1, 4, 1, key=KEY), [(0.0, 1e-3)])
    lazy = jno.nn.embed(linen.Dense(1), [(0.0, 1e-3)], fourier=2, key=KEY)
    for net in (pointwise, lazy):
        crux, u = problem(net)
        assert crux.eval(u).shape == crux.eval(u / 300.0).shape
        assert np.all(np.isfinite(crux.eval(u)))
    assert lazy.module.network.variables["params"]["kernel"].shape == (4, 1)
    dropping = jno.nn.embed(build(1, dropout_rate=0.5), [(0.0, 1e-3)]).module
    assert not np.array_equal(dropping(POINTS, key=KEY), dropping(POINTS))


def test_names_and_tables(capsys):
    net = everything(name="T")
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    assert net(x).d(x).latex() == jno.nn(build(1), name="T")(x).d(x).latex()
    net.summary()
    assert "network/hidden_layers/0/weight/direction" in capsys.readouterr().out


def test_it_is_a_part_of_other_modules_and_of_architectures():
    space = jno.np.tune.space().unique("width", [4, 8])
    net = jno.nn.wrap(
        lambda width, key: jno.nn.embed(lambda n: foundax.mlp(n, hidden_dims=width, key=key), [(0, 1)]).module, space
    )
    assert net.instantiate({"width": 8}).network.hidden_layers[0].weight.shape == (8, 1)


def test_the_constants_are_in_no_leaf(xy):
    net = jno.nn.embed(build, [(0, 1), (0, 1)], fourier=2, key=KEY)
    assert {leaf.shape for leaf in jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array))} == {
        (6, 4),
        (6,),
        (1, 6),
        (1,),
    }
    assert jaxpr_of([net(*xy)], xy[0].domain).eqns
