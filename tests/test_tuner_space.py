"""Search spaces and architectures: what they hold, what they refuse, what Nevergrad makes of them."""

import builtins
import functools
import json
import math

import jax
import numpy as np
import optax
import pytest

import jno
from jno.tuner import Arch, ArchSpace


class Wide:
    """An option that is a class."""


def space():
    return (
        ArchSpace()
        .unique("width", [4, 8])
        .unique("optimizer", [optax.adam, optax.sgd])
        .float_range("learning_rate", 1e-4, 1e-2, log_scale=True)
        .int_range("depth", 1, 3, category="architecture")
    )


def test_names_lead_to_the_same_class():
    assert jno.np.tune.space is ArchSpace
    assert jno.np.ArchSpace is ArchSpace
    assert jno.np.Arch is Arch
    assert jno.tuner.ArchSpace is ArchSpace


def test_a_space_knows_its_dimensions():
    found = space()
    assert found.names == ["width", "optimizer", "learning_rate", "depth"]
    assert found.groups == {"architecture": ["width", "depth"], "training": ["optimizer", "learning_rate"]}
    assert found.has("width")
    assert "width" in found
    assert not found.has("height")
    assert found.get("width").options == (4, 8)
    assert len(found) == 4
    assert not found.is_empty
    assert ArchSpace().is_empty
    assert found.architecture_space.names == ["width", "depth"]
    assert found.default == {"width": 4, "optimizer": optax.adam, "learning_rate": 1e-4, "depth": 1}
    assert repr(found) == "ArchSpace(width, optimizer, learning_rate, depth)"
    with pytest.raises(KeyError, match=r"no dimension 'height'; it has 'width'"):
        found.get("height")


OPTIMIZATION = ("epochs", "optimizer", "learning_rate", "constraint_weights", "weight_schedule")
STEPS = ("batchsize", "point_batch", "min_consecutive", "accumulation_steps", "inner_steps", "checkpoint_gradients")


@pytest.mark.parametrize("name", OPTIMIZATION + STEPS)
def test_options_of_training_are_of_that_category(name):
    assert ArchSpace().unique(name, [1, 2]).groups == {"training": [name]}
    assert ArchSpace().unique(name, [1, 2], "architecture").groups == {"architecture": [name]}


def test_a_grid_has_all_cells_and_five_points_of_a_range():
    found = space()
    cells = found.grid()
    assert len(cells) == found.grid_size == 2 * 2 * 5 * 3
    assert [cell["depth"] for cell in cells[:4]] == [1, 2, 3, 1]
    rates = sorted({cell["learning_rate"] for cell in cells})
    np.testing.assert_allclose(rates, [1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2], rtol=1e-12)
    linear = ArchSpace().float_range("learning_rate", 0.0, 1.0).grid()
    assert [cell["learning_rate"] for cell in linear] == [0.0, 0.25, 0.5, 0.75, 1.0]
    integers = ArchSpace().int_range("epochs", 1, 10000, log_scale=True).grid()
    assert [cell["epochs"] for cell in integers] == [1, 10, 100, 1000, 10000]
    assert ArchSpace().grid() == [{}]


def test_samples_lie_in_the_space_and_follow_from_their_key():
    first, second = space(), space()
    drawn = [first.sample() for _ in range(20)]
    assert drawn == [second.sample() for _ in range(20)]
    assert len({sample["learning_rate"] for sample in drawn}) == 20
    assert {sample["width"] for sample in drawn} == {4, 8}
    assert {sample["depth"] for sample in drawn} == {1, 2, 3}
    assert all(1e-4 <= sample["learning_rate"] <= 1e-2 for sample in drawn)
    key = jax.random.PRNGKey(3)
    assert first.sample(key) == second.sample(key)
    assert first.sample(key, width=8, depth=2) == first.sample(key) | {"width": 8, "depth": 2}


def test_samples_of_a_logarithmic_range_are_uniform_on_its_scale():
    ranged = ArchSpace().float_range("learning_rate", 1e-4, 1.0, log_scale=True).int_range("epochs", 1, 1000, True)
    drawn = [ranged.sample() for _ in range(400)]
    middle = np.mean([sample["learning_rate"] < 1e-2 for sample in drawn])
    assert abs(middle - 0.5) < 0.1  # four standard deviations
    short = np.mean([sample["epochs"] < 32 for sample in drawn])
    assert abs(short - 0.5) < 0.1


def test_integers_are_rounded():
    depth = ArchSpace().int_range("depth", 1, 9, log_scale=True).get("depth")
    assert [depth.decode(value) for value in (0.4, 1.6, 2.4, 8.5001, 9.6)] == [1, 2, 2, 9, 9]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda s: s.unique("width", []), r"unique\('width', \[\]\) has no options"),
        (lambda s: s.unique("width", "ab"), r"options must be a list, got str"),
        (lambda s: s.unique("width", [1]).unique("width", [2]), r"has a dimension 'width' already"),
        (lambda s: s.unique("", [1]), r"needs a name that is not empty"),
        (lambda s: s.unique("width", [1], "net"), r"category='net' of 'width': allowed are 'architecture', 'training'"),
        (lambda s: s.float_range("learning_rate", 1.0, 1.0), r"lower end must be below the upper one"),
        (lambda s: s.float_range("learning_rate", 0, 1.0, True), r"logarithmic scale needs a lower end above zero"),
        (lambda s: s.float_range("learning_rate", 0.0, math.inf), r"the ends must be finite numbers"),
        (lambda s: s.float_range("learning_rate", 1e-3, 1e-2, category="x"), r"category='x' of 'learning_rate'"),
        (lambda s: s.int_range("epochs", 1, 2.5), r"the ends must be integers"),
        (lambda s: s.int_range("epochs", 5, 1), r"lower end must be below"),
        (lambda s: space().sample(height=1), r"sample\(height=...\): the space has 'width'"),
        (lambda s: space().sample(width=5), r"sample\(width=5\): allowed is \{'options': \[4, 8\]\}"),
        (lambda s: space().sample(depth=2.0), r"sample\(depth=2.0\): allowed is"),
    ],
)
def test_what_a_space_refuses(build, message):
    # the run-time checks of annotations refuse wrong types before our own checks do
    with pytest.raises((ValueError, TypeError), match=message):
        build(ArchSpace())


def test_labels_are_plain_json_and_tell_options_apart():
    options = [
        optax.adam,
        optax.adam(1e-3),
        optax.adam(1e-2),
        functools.partial(optax.adam, b1=0.8),
        (4, 1.0),
        [1, 2],
        None,
        Wide,
        np.float32(0.5),
        True,
        jax.numpy.bfloat16,
        jax.nn.silu,
        jax.nn.relu,
        jax.numpy.tanh,
    ]
    found = ArchSpace().unique("thing", options)
    labels = [found.labels({"thing": option})["thing"] for option in options]
    assert json.loads(json.dumps(labels)) == labels
    assert len({repr(label) for label in labels}) == len(labels)
    assert labels[0] == "adam"
    assert labels[1].endswith("[1]")
    assert labels[3] == "adam(b1=0.8)"
    assert labels[4:10] == ["(4, 1.0)", "[1, 2]", "None", "Wide", 0.5, True]
    assert labels[10:] == ["bfloat16", "silu", "relu", "tanh"]
    assert space().describe() == {
        "width": {"options": [4, 8]},
        "optimizer": {"options": ["adam", "sgd"]},
        "learning_rate": {"range": [1e-4, 1e-2], "scale": "log", "type": "float"},
        "depth": {"range": [1, 3], "scale": "linear", "type": "int"},
    }


def test_the_parametrization_of_nevergrad_decodes_to_configurations():
    found = space().unique("weights", [[1.0, 2.0], [2.0, 1.0]], "training")
    parametrization = found.parametrization
    parametrization.random_state = np.random.RandomState(0)
    for _ in range(30):
        cell = found.decode(parametrization.sample().value)
        assert all(found.get(name).accepts(value) for name, value in cell.items())
    logarithmic = ArchSpace().int_range("epochs", 10, 1000, log_scale=True)
    drawn = {logarithmic.decode(logarithmic.parametrization.sample().value)["epochs"] for _ in range(20)}
    assert all(isinstance(epochs, int) and 10 <= epochs <= 1000 for epochs in drawn)
    assert len(drawn) > 5


def test_without_nevergrad_the_message_names_the_extra(monkeypatch):
    imported = builtins.__import__

    def refusing(name, *arguments, **options):
        if name == "nevergrad":
            raise ImportError("No module named 'nevergrad'")
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(ImportError, match=r"pip install 'jno-jax\[tune\]'"):
        _ = space().parametrization


def test_an_arch_is_asked_for_its_options():
    arch = space().arch(space().default)
    assert arch("width") == 4
    assert arch.get("depth") == 1
    assert arch.get("height") is None
    assert arch.get("height", 7) == 7
    assert arch.has("width")
    assert not arch.has("optimizer"), "options of training are no part of an architecture"
    assert repr(Arch({"width": 2})) == "Arch({'width': 2})"
    with pytest.raises(KeyError, match=r"the architecture has no 'height'; it has width, depth"):
        arch("height")
