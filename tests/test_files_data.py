"""Files without a pickle: what comes back, what is refused, and networks that take their weights."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import jno
from jno.utils.statistics import statistics


def round_trip(value, folder):
    jno.save(value, folder / "x.jno", data_only=True)
    return jno.load(folder / "x.jno", trusted=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 5) | st.just("$array"), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(value=DATA)
def test_plain_values(folder, value):
    assert round_trip(value, folder) == value


@given(
    array=arrays.arrays(
        st.sampled_from(["?", "i1", "<u4", ">i8", "<f2", "<f4", ">f8", "<c8", "<c16"]),
        arrays.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=3),
    )
)
def test_arrays(folder, array):
    loaded = round_trip({"a": array, "b": [array.T]}, folder)
    assert loaded["a"].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(loaded["a"], array)
    np.testing.assert_array_equal(loaded["b"][0], array.T)


def test_other_arrays(folder):
    value = {"bf": jnp.arange(3, dtype=jnp.bfloat16), "scalar": np.float32(0.1), "z": 1 + 2j, "key": jax.random.key(3)}
    loaded = round_trip(value, folder)
    assert (loaded["bf"].dtype, loaded["bf"].tolist()) == (ml_dtypes.bfloat16, [0, 1, 2])
    assert (type(loaded["scalar"]), loaded["scalar"], loaded["z"]) == (np.float32, np.float32(0.1), 1 + 2j)
    assert jax.random.uniform(loaded["key"]) == jax.random.uniform(value["key"])


def test_names_that_collide(folder):
    value = {"a/b": np.zeros(1), "a": {"b": np.ones(1)}, "": np.full(1, 2.0), "__metadata__": np.full(1, 3.0)}
    loaded = round_trip(value, folder)
    assert [array[0] for array in (loaded["a/b"], loaded["a"]["b"], loaded[""], loaded["__metadata__"])] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (len, "it is an object of type builtins.builtin_function_or_method"),
        ({"a": [1, {2}]}, "at 'a/1' there is an object of type builtins.set"),
        ({"a": np.array([{}])}, "at 'a' there is an array of type object"),
        ({"a": np.array(["x"])}, "at 'a' there is an array of type <U1"),
        ({"a": b"x"}, "at 'a' there is an object of type builtins.bytes"),
    ],
)
def test_what_is_no_data(folder, value, message):
    with pytest.raises(TypeError, match=f"cannot be saved as data: {message}.*save anything else with data_only=False"):
        jno.save(value, folder / "no.jno", data_only=True)
    assert not (folder / "no.jno").exists()


def test_flags(folder):
    with pytest.raises(TypeError, match=r"save\(data_only='yes'\): data_only must be True or False"):
        jno.save(1, folder / "x.jno", data_only="yes")
    with pytest.raises(TypeError, match=r"load\(trusted=None\): trusted must be True or False"):
        jno.load(folder / "x.jno", trusted=None)


def test_a_history(folder):
    history = statistics([{"total_loss": np.array([2.0, 1.0]), "constraint_names": ("pde",), "stop_reason": "epochs"}])
    history.save(folder / "h.jno", data_only=True)
    loaded = statistics.load(folder / "h.jno", trusted=False)
    assert loaded.total_loss_history.tolist() == [2.0, 1.0]
    assert loaded.training_logs[0]["constraint_names"] == ("pde",)


# --- problems ---------------------------------------------------------------------------------------------------
def problem(seed):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    module = foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(seed))
    net = jno.nn(module, name="u").optimizer(optax.adam(1e-2))
    scale = jno.np.parameter((1,), name="scale").optimizer(optax.adam(1e-2))
    return net, scale, (scale * net(x) - x).mse.name("fit")


def leaves(net):
    return [leaf for leaf in jax.tree_util.tree_leaves(net.module) if eqx.is_array(leaf)]


@pytest.fixture(scope="module")
def trained(folder):
    """Return the network, the parameter and the file of a trained problem."""
    net, scale, loss = problem(0)
    crux = jno.core([loss])
    crux.solve(3)
    return net, scale, crux.save(folder / "problem.jno", data_only=True) and folder / "problem.jno"


def test_a_problem_is_weights_configuration_and_history(trained):
    content = jno.load(trained[2], trusted=False)
    assert set(content) == {"weights", "adapters", "configuration", "history"}
    assert set(content["weights"]) == {"u", "scale"}
    configuration = content["configuration"]
    assert (configuration["seed"], configuration["epoch"]) == (42, 3)
    assert "scale" in configuration["expressions"]["fit"]
    assert configuration["models"]["u"] == type(trained[0].module).__qualname__
    assert content["history"].total_loss_history.shape == (3,)


def test_networks_take_their_weights(trained):
    net, scale, loss = problem(1)
    net.initialize(f"{trained[2]}::u")
    scale.initialize(f"{trained[2]}::scale")
    jno.core([loss])
    for mine, theirs in ((net, trained[0]), (scale, trained[1])):
        assert all(np.array_equal(a, b) for a, b in zip(leaves(mine), leaves(theirs), strict=True))


@pytest.mark.parametrize("value", ["module", "model"])
def test_one_network(folder, trained, value):
    source = trained[0]
    jno.save(source if value == "model" else source.module, folder / "net.jno", data_only=True)
    net, _, loss = problem(1)
    net.initialize(folder / "net.jno")
    jno.core([loss])
    assert all(np.array_equal(a, b) for a, b in zip(leaves(net), leaves(source), strict=True))


def test_weights_that_do_not_fit(trained, folder):
    def initialized(weights):
        net, _, loss = problem(1)
        net.initialize(weights)
        jno.core([loss])

    with pytest.raises(ValueError, match=r"holds several models; write '.*problem\.jno::model' with one of scale, u"):
        initialized(str(trained[2]))
    with pytest.raises(ValueError, match="no model 'v' in the checkpoint"):
        initialized(f"{trained[2]}::v")
    with pytest.raises(ValueError, match="does not fit"):
        initialized(f"{trained[2]}::scale")
    jno.save({"a": 1}, folder / "other.jno", data_only=True)
    with pytest.raises(ValueError, match=r"other\.jno' holds no weights; save a core, a model or a module with"):
        initialized(folder / "other.jno")
    jno.save({"weights": {}}, folder / "pickle.jno")
    with pytest.raises(ValueError, match="as a pickle, and reading a pickle runs the code in it"):
        initialized(folder / "pickle.jno")


def test_loading_data_as_a_core(trained):
    with pytest.raises(TypeError, match=r"the plain data of a jno\.core\.core, expected jno\.core\.core; read it with"):
        jno.core.load(trained[2])


def test_two_models_of_one_name(folder):
    domain = jno.domain.line(mesh_size=0.5)
    first, second = (jno.np.parameter((1,), name="p") for _ in range(2))
    crux = jno.core([(first - second).mse], domain=domain)
    with pytest.raises(ValueError, match="two models have the same name, so a file cannot tell"):
        crux.save(folder / "no.jno", data_only=True)


@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255), cut=st.booleans())
def test_damaged_payloads_are_one_error(folder, place, mask, cut):
    """Also where the digest fits: whoever damages a file can compute one."""
    from jno.utils import Limits
    from jno.utils._data_format import decoded_data, encoded_data

    content = bytearray(encoded_data({"a": np.arange(3.0), "b": ("x", 1 + 2j), "h": statistics([])}, Limits()))
    at = int(place * len(content))
    if cut:
        del content[at:]
    else:
        content[at] ^= mask
    try:
        decoded_data(bytes(content), "the file", Limits())
    except ValueError as error:
        assert "the file" in str(error)  # noqa: PT017
