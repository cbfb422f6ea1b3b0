"""Networks whose architecture is searched, and models whose controls are."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.architectures import TunableModule
from jno.tuner import Arch

KEY = jax.random.PRNGKey(5)


class ByArch(eqx.Module):
    """Takes the whole architecture."""

    inner: eqx.Module
    activation: object = eqx.field(static=True)

    def __init__(self, arch, *, key):
        self.inner = foundax.mlp(1, hidden_dims=arch("width"), num_layers=arch.get("depth", 1), key=key)
        self.activation = arch("activation")

    def __call__(self, x):
        return self.activation(self.inner(x))


class ByName(eqx.Module):
    """Takes options as keyword arguments."""

    weight: jax.Array

    def __init__(self, width, scale=1.0, *, key):
        self.weight = scale * jax.random.normal(key, (width,))

    def __call__(self, x):
        return jnp.sum(self.weight) * x


class WithoutKey(eqx.Module):
    """Has no random weights."""

    factor: float = 1.0

    def __call__(self, x):
        return self.factor * x


class NoModule:
    """Is no network."""


class Demanding(eqx.Module):
    """Needs more than a space gives."""

    width: int
    depth: int

    def __call__(self, x):
        return x


def space():
    return jno.np.tune.space().unique("width", [3, 5]).unique("activation", [jnp.tanh, jnp.sin])


def widths():
    return jno.np.tune.space().int_range("width", 3, 5, category="architecture").unique("optimizer", [optax.adam])


def test_wrapping_a_class_gives_a_tunable_module_of_the_default_architecture():
    net = jno.nn.wrap(ByArch, space(), name="net")
    assert type(net) is TunableModule
    assert isinstance(net, jno.Model)
    assert repr(net) == "Model(net: ByArch)"
    assert net.arch.choices == {"width": 3, "activation": jnp.tanh}
    assert net.module.activation is jnp.tanh
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    value = jno.core([net(x).mse]).eval(net(x))
    assert np.ptp(np.asarray(value)) > 0


def test_options_of_training_are_no_arguments_of_a_network():
    net = jno.nn.wrap(ByName, widths())
    assert net.arch.choices == {"width": 3}
    assert net.module.weight.shape == (3,)


def test_a_module_follows_from_its_architecture_and_key():
    net = jno.nn.wrap(ByName, widths())
    first, second = net.instantiate(arch=Arch({"width": 5}), key=KEY), net.instantiate(arch={"width": 5}, key=KEY)
    np.testing.assert_array_equal(first.weight, second.weight)
    np.testing.assert_array_equal(first.weight, jax.random.normal(KEY, (5,)))
    assert net.instantiate(arch={"width": 4, "scale": 2.0}, key=KEY).weight.shape == (4,)
    other = net.instantiate(arch={"width": 5}, key=jax.random.PRNGKey(6))
    assert not np.array_equal(first.weight, other.weight)
    assert net.module.weight.shape == (3,), "instantiate() leaves the model as it is"
    np.testing.assert_array_equal(net.instantiate().weight, net.instantiate().weight)


def test_two_networks_of_one_class_start_from_different_weights():
    first, second = jno.nn.wrap(ByName, widths()), jno.nn.wrap(ByName, widths())
    assert not np.array_equal(first.module.weight, second.module.weight)


def test_functions_build_networks_too_and_a_key_is_given_to_those_who_take_one():
    net = jno.nn.wrap(lambda width, key: foundax.mlp(1, hidden_dims=width, num_layers=1, key=key), widths())
    assert net.module.hidden_layers[0].weight.shape == (3, 1)
    plain = jno.nn.wrap(WithoutKey, jno.np.tune.space().unique("factor", [2.0, 3.0]))
    assert plain.module.factor == 2.0


def test_taking_an_architecture_serves_earlier_requests_again():
    net = jno.nn.wrap(ByName, widths()).initialize(lambda key, shape: jnp.ones(shape))
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    crux = jno.core([net(x).mse])
    np.testing.assert_array_equal(net.module.weight, np.ones(3))
    version = net.version
    net.take(Arch({"width": 4}), KEY)
    assert net.version > version
    crux.compile()
    np.testing.assert_array_equal(net.module.weight, np.ones(4))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: jno.nn.wrap(WithoutKey(), space()), ValueError, r"needs a module class, got an instance of WithoutK"),
        (lambda: jno.nn.wrap(ByName, {"width": [1]}), TypeError, r"takes a jno.np.tune.space\(\), got dict"),
        (
            lambda: jno.nn.wrap(ByName, space()),
            TypeError,
            r"ByName takes neither arch nor 'activation' of the search space: its constructor has the parameters "
            r"\(width, scale, key\)",
        ),
        (lambda: jno.nn.wrap(Demanding, widths()), TypeError, r"Demanding needs 'depth', which the search space does"),
        (  # needed by the constructor, optional, and asked for by name
            lambda: jno.nn.wrap(Demanding, widths().int_range("depth", 1, 3)),
            ValueError,
            r"nothing uses 'depth' of the search space: it stands in the category 'training', the default of int_range "
            r"and float_range, and training understands epochs, .*; give what is meant .* category='architecture'",
        ),
        (
            lambda: jno.nn.wrap(ByName, widths().float_range("scale", 0.5, 2.0)),
            ValueError,
            r"'scale' of the search space: it stands in the category 'training'",
        ),
        (
            lambda: jno.nn.wrap(ByArch, space().int_range("depth", 1, 3).float_range("slope", 0.5, 2.0)),
            ValueError,
            r"nothing uses 'depth', 'slope' of the search space: they stand in the category 'training'",
        ),
        (
            lambda: jno.nn.wrap(lambda epochs: WithoutKey(epochs), jno.np.tune.space().int_range("epochs", 1, 3)),
            TypeError,
            r"needs 'epochs', and the search space has 'epochs' in the category 'training'; add them with category=",
        ),
        (lambda: jno.nn.wrap(NoModule, jno.np.tune.space()), TypeError, r"takes an Equinox, .* module, got NoModule"),
    ],
)
def test_what_wrapping_refuses(build, error, message):
    with pytest.raises(error, match=message):
        build()


# --- Model.tune -----------------------------------------------------------------------------------------------
def test_tune_records_candidates_and_reset_forgets_them():
    net = jno.nn(foundax.mlp(1, hidden_dims=2, key=KEY), name="net")
    version = net.version
    assert net.tune(freeze=[True, False], lora=[(4, 1.0), None]) is net
    net.tune(lr=[1e-3, jno.LearningRateSchedule.constant(1e-2)], freeze=[False])
    net.tune(optimizer=[optax.adam, optax.sgd(0.1)], dtype=[jnp.float32, jnp.bfloat16])
    assert net.tuning.freeze == (False,)
    assert net.tuning.lora == ((4, 1.0), None)
    assert list(net.tuning.candidates) == ["freeze", "lora", "optimizer", "lr", "dtype"]
    assert net.version == version, "training does not change"
    assert net.reset().tuning.candidates == {}
    k = jno.np.parameter((), name="k")
    assert k.tune(freeze=[True]) is k
    assert k.model.tuning.freeze == (True,)


@pytest.mark.parametrize(
    ("candidates", "error", "message"),
    [
        ({}, ValueError, r"tune\(\) needs candidates for at least one of freeze, lora, optimizer, lr, dtype"),
        ({"freeze": []}, ValueError, r"tune\(freeze=\[\]\) has no candidates"),
        ({"freeze": [1]}, TypeError, r"tune\(freeze=\[... 1 ...\]\): a candidate must be True or False"),
        ({"lora": [(0, 1.0)]}, TypeError, r"must be a pair \(rank, alpha\) with a rank of at least 1, or None"),
        ({"lora": [4]}, TypeError, r"must be a pair \(rank, alpha\)"),
        ({"optimizer": ["adam"]}, TypeError, r"must be an optax transform or a factory such as optax.adam"),
        ({"lr": [-1.0]}, TypeError, r"must be a positive number or a schedule"),
        ({"lr": [0.0]}, TypeError, r"must be a positive number or a schedule"),
        ({"lr": [True]}, TypeError, r"must be a positive number or a schedule"),
        ({"dtype": ["float32"]}, TypeError, r"must be a floating dtype object such as jnp.float32"),
        ({"dtype": [jnp.int32]}, TypeError, r"must be a floating dtype object"),
    ],
)
def test_what_tune_refuses(candidates, error, message):
    with pytest.raises(error, match=message):
        jno.np.parameter((), name="k").tune(**candidates)
