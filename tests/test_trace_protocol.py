"""What an expression is besides arithmetic: identity, labels, printing, trackers, trees."""

import re

import jax
import numpy as np
import pytest
from helpers import coordinates, evaluate, mlp, unit_square

import jno
from jno.trace import (
    BinaryOp,
    ModelCall,
    Tracker,
    dump_tree,
)


# --- identity -------------------------------------------------------------------------------------------------
def test_equality_of_expressions_is_identity_and_nodes_are_hashable(xy):
    x, y = xy
    assert x == x
    assert (x == y) is False
    assert (x != y) is True
    assert x + y != x + y
    assert len({x, y, x}) == 2
    assert {x: 1, y: 2}[y] == 2
    assert (x in [y, x]) is True
    assert (x == None) is False  # noqa: E711
    assert (x != "x") is True


def test_iteration_unpacking_and_length_are_refused(xy):
    x, y = xy
    with pytest.raises(TypeError, match=r"cannot be iterated or unpacked.*u\[\.\.\., 0\]"):
        list(x)
    with pytest.raises(TypeError, match="unpacked"):
        _, _ = x + y
    with pytest.raises(TypeError, match="len"):
        len(x)
    with pytest.raises(TypeError, match="'Variable'"):
        float(x)


def test_nodes_are_immutable(xy):
    node = xy[0] + xy[1]
    with pytest.raises(AttributeError, match="cannot assign to field 'left'"):
        node.left = xy[1]


def test_old_expressions_keep_their_meaning_under_augmented_assignment(xy):
    x, y = xy
    total = x
    total += y
    assert isinstance(total, BinaryOp)
    assert total is not x
    xn = coordinates(x.domain, "interior")[0]
    np.testing.assert_allclose(evaluate(x)[0, :, 0], xn)


# --- labels, trees --------------------------------------------------------------------------------------------
def test_name_sets_the_label_and_returns_the_expression(xy):
    u = xy[0] * 2
    assert u.name("pressure") is u
    assert u.metadata.label == "pressure"
    assert "pressure" in dump_tree(u)
    with pytest.raises(TypeError, match=r"takes a string, got int|label"):
        u.name(3)


def test_name_of_a_parameter_renames_its_model():
    p = jno.np.parameter((1,), name="k")
    assert p.name("stiffness") is p
    assert p.model.name == p.model.model_key == "stiffness"


def test_name_of_a_network_call_leaves_the_model_alone(xy):
    net = mlp(2, name="net")
    u = net(*xy).name("u")
    assert isinstance(u, ModelCall)
    assert (u.metadata.label, net.name) == ("u", "net")


def test_labels_do_not_change_values(xy):
    x, y = xy
    named, plain = evaluate([(x * y).name("a") + 1, x * y + 1])
    np.testing.assert_array_equal(named, plain)


def test_dump_tree_shows_every_node_and_refers_to_shared_ones(xy):
    x, y = xy
    u = mlp(2, name="net")(x, y).name("u")
    text = dump_tree((u.laplacian(x, y) + u**2 - 1.5).mse)
    lines = text.splitlines()
    assert lines[0] == "#1 mse"
    for piece in ("net “u”", "laplacian", "Var(interior[[0, 1]])", "Var(interior[[1, 2]])", "1.5"):
        assert piece in text
    number = re.search(r"#(\d+) net", text)
    assert number is not None
    assert f"net “u” → #{number[1]}" in text
    assert text.count("Var(interior[[1, 2]])") == 2


def test_dump_tree_annotations(xy):
    assert dump_tree(xy[0] + 1, lambda node: "<note>").count("<note>") == 3


def test_print_tree_and_print_shapes(xy, capsys, tmp_path):
    x, y = xy
    u = mlp(2, name="net")(x, y)
    core = jno.core([(u.d(x) - y).mse.name("pde"), u.mean, u.max.tracker()])
    with (tmp_path / "tree.txt").open("w", encoding="utf-8") as file:
        assert core.print_tree(file) is core
    text = (tmp_path / "tree.txt").read_text(encoding="utf-8")
    assert "pde" in text
    assert "net" in text
    assert core.print_shapes() is core
    shown = capsys.readouterr().out
    assert re.search(r"net.*\(9, 1\)", shown)
    assert "C1" in shown
    assert "T0" in shown


def test_repr_is_short(xy):
    x, y = xy
    assert repr(x) == "Var(interior[[0, 1]])"
    assert repr(x.domain.variable("interior")[-1]) == "Var(t)"
    assert "Integral" in repr(x.integrate())
    total = x
    for _ in range(3000):
        total = total + y
    assert len(repr(total)) < 200


# --- print ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("shape", r"mine: shape=\(9, 1\)\n"),
        ("stats", r"mine: min=0 max=1 mean=0\.5 std=0\.408248"),
        ("value", r"mine: \[\[0"),
        ("all", r"mine: shape=\(9, 1\) min=0 .*\n\[\["),
        (lambda a: f"sum {a.sum():.1f}", r"mine: sum 4\.5\n"),
    ],
    ids=["shape", "stats", "value", "all", "callable"],
)
def test_print_is_the_identity_that_prints(xy, capsys, what, pattern):
    x, _ = xy
    value = evaluate(x.print(what, label="mine") * 2)
    jax.effects_barrier()
    assert re.search(pattern, capsys.readouterr().out)
    np.testing.assert_allclose(value, 2 * evaluate(x))


def test_print_takes_the_label_of_the_expression(xy, capsys):
    evaluate((xy[0] + 1).name("shifted").print())
    jax.effects_barrier()
    assert "shifted: shape=(9, 1)" in capsys.readouterr().out


def test_print_can_be_differentiated(xy):
    x, _ = xy
    np.testing.assert_allclose(evaluate((x.print() ** 2).d(x)), 2 * evaluate(x))


def test_print_modes_are_checked(xy):
    with pytest.raises(ValueError, match="'shape', 'stats', 'value', 'all' or a callable"):
        xy[0].print("size")
    with pytest.raises(ValueError, match="allowed are 'shape'"):
        xy[0].print(3)


# --- trackers -------------------------------------------------------------------------------------------------
def test_tracker_records_its_options(xy):
    tracker = xy[0].mean.name("level").tracker(interval=5, reduce=np.max)
    assert isinstance(tracker, Tracker)
    assert (tracker.interval, tracker.reduce, tracker.metadata.label) == (5, np.max, "level")
    assert jno.np.tracker(xy[0], interval=3).interval == 3


@pytest.mark.parametrize("interval", [0, -1, True])
def test_tracker_interval_is_checked(xy, interval):
    with pytest.raises(ValueError, match="integer of at least 1"):
        xy[0].tracker(interval=interval)


@pytest.mark.parametrize("interval", [1.5, "2", None])
def test_tracker_interval_is_an_integer(xy, interval):
    # the run-time check of annotations raises a TypeError before the method does
    with pytest.raises((ValueError, TypeError), match="interval"):
        xy[0].tracker(interval=interval)


def test_tracker_reduce_is_checked(xy):
    with pytest.raises(TypeError, match="reduce must be callable"):
        xy[0].tracker(reduce=3)


def test_trackers_are_no_constraints(xy):
    x, y = xy
    core = jno.core([x.mean.tracker(), (x - y).mse])
    assert core.n_constraints == 1
    assert len(core.trackers) == 1
    np.testing.assert_allclose(core.eval(core.trackers[0]), 0.5)


# --- shape and eval -------------------------------------------------------------------------------------------
def test_shape_is_inferred(xy):
    x, y = xy
    u = mlp(2, 3)(x, y)
    shapes = {
        x: (9, 1),
        u: (9, 3),
        u[..., 0]: (9,),
        u.mse: (),
        u.d(x): (9, 3),
        u.grad(x, y): (9, 3, 2),
        (x * y).hessian(x, y): (9, 2, 2),
        (x * y).grad(x, y): (9, 2),
    }
    assert {node: node.shape for node in shapes} == shapes


def test_eval_of_expressions_without_models(square):
    domain, (x, y, _) = square
    xn, yn = coordinates(domain, "interior")
    np.testing.assert_allclose((x * y).eval()[0, :, 0], xn * yn, rtol=1e-6)
    np.testing.assert_allclose((x * y).d(x).eval()[0, :, 0], yn, rtol=1e-6)


def test_eval_on_another_domain(xy):
    finer = unit_square(0.25)
    np.testing.assert_allclose(xy[0].eval(finer)[0, :, 0], finer.points[:, 0])


def test_eval_of_trainable_models_is_refused(xy):
    x, y = xy
    with pytest.raises(ValueError, match="trainable parameter"):
        mlp(2)(x, y).eval()
    with pytest.raises(ValueError, match=r"k is a trainable parameter.*freeze\(\)"):
        (jno.np.parameter((1,), name="k") * x).d(x).eval()


def test_eval_of_frozen_models(xy):
    x, y = xy
    k = jno.np.parameter((1,)).initialize(2.5).freeze()
    np.testing.assert_allclose((k * x).eval(), 2.5 * evaluate(x), rtol=1e-6)
    net = mlp(2).freeze()
    assert net(x, y).eval().shape == (1, 9, 1)
