"""Model.initialize and Model.dtype: when weights are loaded and cast, and what does not fit."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno


class Affine(eqx.Module):
    w: jax.Array
    b: jax.Array

    def __call__(self, x):
        return self.w * x + self.b


def affine(w=1.0, b=0.0):
    return Affine(jnp.array([w]), jnp.array([b]))


def mlp(seed, width=4):
    return foundax.mlp(1, hidden_dims=width, num_layers=1, key=jax.random.PRNGKey(seed))


def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    return domain, x


def build(net):
    _, x = line()
    return jno.core([net(x).mse])


def build_parameter(p):
    domain, _ = line()
    return jno.core([p.mse], domain=domain)


def assert_same(first, second):
    pairs = zip(jax.tree_util.tree_leaves(first), jax.tree_util.tree_leaves(second), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs if eqx.is_array(a))


# --- initialize: what is taken ----------------------------------------------------------------------------------
@pytest.mark.parametrize("as_path", [str, lambda p: p], ids=["str", "Path"])
def test_equinox_file(tmp_path, as_path):
    source, file = mlp(1), tmp_path / "net.eqx"
    eqx.tree_serialise_leaves(file, source)
    net = jno.nn(mlp(2)).initialize(as_path(file))
    build(net)
    assert_same(net.module, source)


def test_weight_path_of_wrap(tmp_path):
    source, file = mlp(1), tmp_path / "net.eqx"
    eqx.tree_serialise_leaves(file, source)
    net = jno.nn(mlp(2), weight_path=str(file))
    assert net.weight_path == str(file)
    build(net)
    assert_same(net.module, source)


def test_pytree():
    net = jno.nn(mlp(2)).initialize(mlp(1))
    assert_same(net.module, mlp(2))  # nothing happens before a core is built
    build(net)
    assert_same(net.module, mlp(1))


def test_pytree_of_numpy_arrays():
    on_host = jax.tree_util.tree_map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, mlp(1))
    net = jno.nn(mlp(2)).initialize(on_host)
    build(net)
    assert isinstance(net.module.output_layer.bias, jax.Array)
    assert_same(net.module, mlp(1))


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        (2.5, [2.5, 2.5]),
        (2, [2.0, 2.0]),
        (np.array([1.0, 3.0]), [1.0, 3.0]),
        (jnp.array([1.0, 3.0]), [1.0, 3.0]),
        (np.float32(4.0), [4.0, 4.0]),
    ],
    ids=["float", "int", "numpy", "jax", "numpy scalar"],
)
def test_number_or_array_for_a_parameter(weights, wanted):
    p = jno.np.parameter((2,)).initialize(weights)
    build_parameter(p)
    assert p.module.value.dtype == jnp.float32
    np.testing.assert_array_equal(p.module.value, wanted)


def test_callable_fills_every_floating_leaf_with_its_own_key():
    net = jno.nn(mlp(2)).initialize(jax.nn.initializers.normal(1.0), key=jax.random.PRNGKey(3))
    build(net)
    leaves = jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_inexact_array))
    keys = jax.random.split(jax.random.PRNGKey(3), len(leaves))
    for leaf, key in zip(leaves, keys, strict=True):
        np.testing.assert_array_equal(leaf, jax.random.normal(key, leaf.shape))


def test_callable_without_key_follows_the_seed(monkeypatch):
    def weights(seed):
        monkeypatch.setenv("JNO_SEED", str(seed))
        p = jno.np.parameter((5,)).initialize(jax.nn.initializers.normal(1.0))
        build_parameter(p)
        return np.asarray(p.module.value)

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_two_parameters_do_not_get_the_same_random_values():
    p, q = (jno.np.parameter((5,)).initialize(jax.nn.initializers.normal(1.0)) for _ in range(2))
    domain, _ = line()
    jno.core([(p - q).mse], domain=domain)
    assert not np.array_equal(p.module.value, q.module.value)


def test_callable_of_key_and_shape():
    p = jno.np.parameter((2,)).initialize(lambda key, shape: 3.0 * jnp.ones(shape))
    build_parameter(p)
    np.testing.assert_array_equal(p.module.value, [3.0, 3.0])


def test_the_last_request_wins():
    p = jno.np.parameter(()).initialize(1.0).initialize(2.0)
    build_parameter(p)
    assert float(p.module.value) == 2.0


# --- initialize: when -------------------------------------------------------------------------------------------
def test_applied_once():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.1))
    crux = jno.core([p.mse], domain=domain)
    assert float(crux.eval(p)) == 3.0
    crux.solve(2)
    trained = float(p.module.value)
    assert trained == pytest.approx(3.0 * 0.8**2, rel=1e-6)
    second = jno.core([p.mse], domain=domain)
    assert float(second.eval(p)) == trained
    crux.compile()
    assert float(crux.eval(p)) == trained


def test_a_new_request_is_served_by_the_next_core():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.1))
    jno.core([p.mse], domain=domain).solve(2)
    p.initialize(5.0)
    assert float(jno.core([p.mse], domain=domain).eval(p)) == 5.0


# --- initialize: what does not fit ------------------------------------------------------------------------------
def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"initialize\(\) of net: no such file: .*gone\.eqx"):
        build(jno.nn(mlp(2), name="net").initialize(tmp_path / "gone.eqx"))


def test_other_file_kinds(tmp_path):
    with pytest.raises(ValueError, match=r"expected an Equinox '\.eqx' file or a checkpoint directory"):
        build(jno.nn(mlp(2)).initialize(tmp_path / "checkpoint"))


@pytest.mark.parametrize("content", [b"", b"not weights at all", bytes(range(256))], ids=["empty", "text", "bytes"])
def test_corrupt_file(tmp_path, content):
    file = tmp_path / "net.eqx"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.eqx does not hold weights of this module"):
        build(jno.nn(mlp(2)).initialize(file))


def test_truncated_file(tmp_path):
    file = tmp_path / "net.eqx"
    eqx.tree_serialise_leaves(file, mlp(1))
    for size in (len(file.read_bytes()) - 3, len(file.read_bytes()) // 2):
        file.write_bytes(file.read_bytes()[:size])
        with pytest.raises(ValueError, match="does not hold weights of this module"):
            build(jno.nn(mlp(2)).initialize(file))


def test_file_of_another_width(tmp_path):
    file = tmp_path / "net.eqx"
    eqx.tree_serialise_leaves(file, mlp(1, width=7))
    net = jno.nn(mlp(2), name="net").initialize(file)
    with pytest.raises(ValueError, match=r"initialize\(\) of net: .*does not hold weights of this module"):
        build(net)
    assert_same(net.module, mlp(2))


def test_file_with_more_arrays_than_the_module(tmp_path):
    file = tmp_path / "net.eqx"
    eqx.tree_serialise_leaves(file, (jnp.ones(3), jnp.ones((2, 2))))
    with pytest.raises(ValueError, match="does not hold weights of this module"):
        build_parameter(jno.np.parameter((3,)).initialize(file))


def test_pytree_of_another_width_names_the_leaf():
    net = jno.nn(mlp(2), name="net").initialize(mlp(1, width=7))
    with pytest.raises(ValueError, match=r"initialize\(\) of net: .*hidden_layers/0/weight: \(4, 1\).*\(7, 1\)"):
        build(net)


def test_pytree_of_another_dtype_names_the_leaf():
    wrong = Affine(jnp.array([1]), jnp.array([1.0]))
    with pytest.raises(ValueError, match=r"w: \(1,\) float32 expected, \(1,\) int32 given"):
        build(jno.nn(affine()).initialize(wrong))


def test_pytree_of_another_depth_names_the_difference():
    deeper = foundax.mlp(1, hidden_dims=4, num_layers=2, key=jax.random.PRNGKey(0))
    with pytest.raises(ValueError, match=r"do not fit: hidden_layers/1/weight: not in the module"):
        build(jno.nn(mlp(2)).initialize(deeper))


def test_pytree_of_another_structure_is_not_loaded_by_position():
    net = jno.nn(affine(), name="net").initialize({"w": jnp.array([5.0]), "b": jnp.array([7.0])})
    try:
        build(net)
    except ValueError:
        return
    assert (float(net.module.w[0]), float(net.module.b[0])) == (5.0, 7.0)


def test_array_of_a_wrong_shape():
    with pytest.raises(ValueError, match=r"of k: value has shape \(2,\), the array has shape \(3,\)"):
        build_parameter(jno.np.parameter((2,), name="k").initialize(np.zeros(3)))


def test_array_for_a_network():
    with pytest.raises(ValueError, match="this module has 4 floating arrays"):
        build(jno.nn(mlp(2)).initialize(1.0))


def test_initializer_of_a_wrong_shape():
    with pytest.raises(ValueError, match="shape"):
        build_parameter(jno.np.parameter((2,)).initialize(lambda key, shape, dtype: jnp.zeros(7, dtype)))


# --- dtype ------------------------------------------------------------------------------------------------------
def test_bfloat16_is_the_precision_of_the_arithmetic():
    domain, x = line()
    module = mlp(1)
    net = jno.nn(module).dtype(jnp.bfloat16)
    crux = jno.core([net(x)])
    got = crux.eval(net(x))
    assert got.dtype == jnp.bfloat16
    leaves = jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.bfloat16)}
    points = jnp.asarray(domain.context["interior"][0, 0]).astype(jnp.bfloat16)
    cast = jax.tree_util.tree_map(
        lambda leaf: leaf.astype(jnp.bfloat16) if eqx.is_inexact_array(leaf) else leaf, module
    )
    np.testing.assert_array_equal(got[0].astype(jnp.float32), eqx.filter_jit(cast)(points).astype(jnp.float32))
    exact = module(points.astype(jnp.float32))
    assert 1e-5 < float(jnp.abs(got[0] - exact).max()) < 3e-2


def test_bfloat16_trains_and_stays_bfloat16():
    _, x = line()
    net = jno.nn(mlp(1)).dtype(jnp.bfloat16).optimizer(optax.sgd(0.1))
    crux = jno.core([(net(x) - 1.0).mse])
    history = crux.solve(5)
    assert history.total_loss_history[-1] < history.total_loss_history[0]
    leaves = jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.bfloat16)}


def test_two_precisions_in_one_expression():
    _, x = line()
    half, single = jno.nn(affine(3.0)).dtype(jnp.bfloat16), jno.nn(affine(2.0))
    crux = jno.core([half(x) + single(x)])
    assert crux.eval(half(x)).dtype == jnp.bfloat16
    assert crux.eval(single(x)).dtype == jnp.float32
    assert crux.eval(half(x) + single(x)).dtype == jnp.float32


def test_float64_module_under_x64():
    with jax.enable_x64(True):
        _, x = line()
        net = jno.nn(Affine(jnp.array([1.0 / 3.0]), jnp.array([0.0])))
        got = jno.core([net(x)]).eval(net(x))
        assert got.dtype == jnp.float64
        np.testing.assert_allclose(got[0, :, 0], np.linspace(0, 1, 5) / 3.0, rtol=1e-15)
        net.dtype(jnp.float32)
        assert jno.core([net(x)]).eval(net(x)).dtype == jnp.float32


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_dtype_by_name(dtype):
    with pytest.raises(ValueError, match="jax_enable_x64"):
        jno.nn(affine()).dtype(dtype)


@pytest.mark.parametrize("dtype", [jnp.int32, bool, 3.0])
def test_a_dtype_that_is_not_floating(dtype):
    with pytest.raises((ValueError, TypeError), match="float"):
        jno.nn(affine()).dtype(dtype)


# --- reset ------------------------------------------------------------------------------------------------------
def test_reset_forgets_requests_and_keeps_weights():
    domain, _ = line()
    p = jno.np.parameter(()).initialize(3.0).optimizer(optax.sgd(0.1))
    crux = jno.core([p.mse], domain=domain)
    crux.solve(1)
    trained = float(p.module.value)
    p.initialize(9.0).dtype(jnp.bfloat16).reset()
    assert p.model.controls.initialization is None
    assert p.model.controls == type(p.model.controls)()
    assert float(jno.core([p.mse], domain=domain).eval(p)) == trained
    with pytest.raises(ValueError, match="has no optimizer"):
        crux.solve(1)


def test_a_model_of_an_earlier_file_keeps_its_requests():
    """Requests stood beside the controls, once while they waited and once when a core had served them."""
    net = jno.nn(affine(), name="net").lora(2).initialize(affine())
    waiting = net.controls
    state = {
        **net.__dict__,
        "controls": type(waiting)(frozen=True),
        "pending_start": None,
        "tuning": type(net.tuning)(),
    }
    state |= {"pending_initialization": None, "applied_initialization": waiting.initialization}
    state |= {"pending_adapters": waiting.lora, "applied_adapters": None}
    model = object.__new__(jno.Model)
    model.__setstate__(state)
    assert model.controls.frozen
    assert model.controls.waiting_initialization is None, "a core had loaded it"
    assert model.controls.with_requests(served=False).waiting_initialization.weights is waiting.initialization.weights
    assert model.controls.waiting_lora.options == waiting.lora.options
    assert not {"pending_adapters", "applied_initialization", "tuning"} & set(model.__dict__)
