"""Parameter groups, freezing, and one model in several problems."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno


class Cubic(eqx.Module):
    """``a + b x + c x²``: three trainable leaves, and an integer that is none."""

    a: jax.Array
    b: jax.Array
    c: jax.Array
    n: jax.Array

    def __call__(self, x):
        return self.a + self.b * x + self.c * x**2


def cubic():
    return Cubic(jnp.array(1.0), jnp.array(1.0), jnp.array(1.0), jnp.array(3))


def mask(*names, of=None):
    module = cubic() if of is None else of
    nothing = jax.tree_util.tree_map(lambda _: False, module)
    return eqx.tree_at(lambda m: [getattr(m, n) for n in names], nothing, [True] * len(names)) if names else nothing


def problem(net):
    """Sum of the network over the points 1 and 2: ``2 a + 3 b + 5 c``."""
    domain = jno.domain.line((1.0, 2.0), mesh_size=1.0)
    x, _ = domain.variable("interior")
    return jno.core([net(x).sum])


def values(net):
    return [float(v) for v in (net.module.a, net.module.b, net.module.c)]


def rates(net, epochs=1):
    """How far training moved each leaf, in units of its gradient."""
    before = values(net)
    problem(net).solve(epochs)
    gradients = (2.0, 3.0, 5.0)
    return [(old - new) / g for old, new, g in zip(before, values(net), gradients, strict=True)]


def test_one_optimizer():
    assert rates(jno.nn(cubic()).optimizer(optax.sgd(0.5))) == [0.5, 0.5, 0.5]


# --- groups -----------------------------------------------------------------------------------------------------
def test_two_groups_and_a_default():
    net = jno.nn(cubic()).optimizer(optax.sgd(0.5))
    assert net.mask(mask("a")).optimizer(optax.sgd(0.25)) is net
    net.mask(mask("b")).optimizer(optax.sgd(0.125))
    assert rates(net) == [0.25, 0.125, 0.5]
    assert int(net.module.n) == 3


def test_groups_that_cover_everything_need_no_default():
    net = jno.nn(cubic())
    net.mask(mask("a", "b")).optimizer(optax.sgd(0.5)).mask(mask("c")).optimizer(optax.sgd(0.25))
    assert rates(net) == [0.5, 0.5, 0.25]


def test_every_group_keeps_its_own_state():
    net = jno.nn(cubic()).optimizer(optax.sgd(0.5))
    net.mask(mask("a")).optimizer(optax.sgd(0.5, momentum=0.5))
    assert rates(net, 3) == [0.5 * (1.0 + 1.5 + 1.75), 1.5, 1.5]


def test_scale_of_a_group():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0)).scale(0.5)
    net.mask(mask("a")).optimizer(optax.sgd(1.0))
    net.mask(mask("b")).scale(0.25)
    assert rates(net) == [0.5, 0.25, 0.5]


def test_a_scale_reaches_the_masks_that_have_none():
    net = jno.nn(cubic()).mask(mask("a", "b")).optimizer(optax.sgd(1.0)).mask(mask("c")).optimizer(optax.sgd(1.0))
    net.mask(mask("c")).scale(0.25)
    assert rates(net.scale(0.5)) == [0.5, 0.5, 0.25]
    assert rates(jno.nn(cubic()).mask(mask("a", "b", "c")).optimizer(optax.sgd(1.0)).scale(0.5)) == [0.5, 0.5, 0.5]


def test_scale_and_optimizer_of_equal_masks_are_one_group():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0))
    net.mask(mask("b")).optimizer(optax.sgd(0.5))
    net.mask(mask("b")).scale(0.25)
    assert len(net.controls.groups) == 1
    assert rates(net) == [1.0, 0.125, 1.0]


def test_a_second_optimizer_of_a_group_replaces_the_first():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0))
    net.mask(mask("b")).optimizer(optax.sgd(0.5))
    net.mask(mask("b")).optimizer(optax.sgd(0.25))
    assert rates(net) == [1.0, 0.25, 1.0]


def test_a_bare_optimizer_removes_the_groups():
    net = jno.nn(cubic())
    net.mask(mask("b")).optimizer(optax.sgd(0.5))
    net.optimizer(optax.sgd(1.0))
    assert net.controls.groups == ()
    assert rates(net) == [1.0, 1.0, 1.0]


def test_a_mask_is_used_once():
    net = jno.nn(cubic()).mask(mask("b")).optimizer(optax.sgd(0.5))
    assert net.open_mask is None
    assert net.optimizer(optax.sgd(1.0)).controls.groups == ()


def test_an_open_mask_can_be_cleared():
    net = jno.nn(cubic()).mask(mask("b")).mask(None).optimizer(optax.sgd(1.0))
    assert net.controls.groups == ()
    assert rates(net) == [1.0, 1.0, 1.0]


def test_masks_on_the_call():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0))
    domain = jno.domain.line(mesh_size=1.0)
    x, _ = domain.variable("interior")
    u = net(x)
    assert u.mask(mask("a", "b")).freeze() is u
    jno.core([u.mse]).solve(1)
    assert values(net)[:2] == [1.0, 1.0]
    assert values(net)[2] != 1.0


def test_array_of_booleans_as_leaves():
    selected = jax.tree_util.tree_map(lambda leaf: np.bool_(leaf), mask("b"))
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0))
    net.mask(selected).optimizer(optax.sgd(0.5))
    assert rates(net) == [1.0, 0.5, 1.0]


# --- freezing -----------------------------------------------------------------------------------------------------
def test_frozen_leaves():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0)).mask(mask("a", "c")).freeze()
    assert rates(net) == [0.0, 1.0, 0.0]


def test_freezing_wins_over_a_group():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0))
    net.mask(mask("a", "b")).optimizer(optax.sgd(0.5)).mask(mask("a")).freeze()
    assert rates(net) == [0.0, 0.5, 1.0]


def test_frozen_leaves_need_no_optimizer():
    net = jno.nn(cubic()).mask(mask("a")).optimizer(optax.sgd(1.0)).mask(mask("b", "c")).freeze()
    assert rates(net) == [1.0, 0.0, 0.0]


def test_unfreeze_clears_both_kinds():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0)).mask(mask("a")).freeze().freeze().unfreeze()
    assert rates(net) == [1.0, 1.0, 1.0]


def test_a_frozen_model_beside_a_trained_one():
    domain = jno.domain.line(mesh_size=1.0)
    p = jno.np.parameter(()).initialize(1.0).freeze()
    q = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(0.25))
    crux = jno.core([(p + q) ** 2], domain=domain)
    log = crux.solve(1).training_logs[0]
    assert (float(p.module.value), float(q.module.value)) == (1.0, 0.0)
    assert (log["trainable_params"], log["frozen_params"], log["total_params"]) == (1, 1, 2)


def test_freezing_between_solves():
    domain = jno.domain.line(mesh_size=1.0)
    p, q = (jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(0.25)) for _ in range(2))
    crux = jno.core([p + q], domain=domain)
    crux.solve(1)
    p.freeze()
    crux.solve(1)
    assert (float(p.module.value), float(q.module.value)) == (0.75, 0.5)
    p.unfreeze()
    crux.solve(1)
    assert (float(p.module.value), float(q.module.value)) == (0.5, 0.25)


def test_new_weights_of_a_frozen_model():
    """The compiled step is kept between calls, but not the weights of models that it does not train."""
    domain = jno.domain.line(mesh_size=1.0)
    p = jno.np.parameter(()).initialize(0.0).optimizer(optax.sgd(0.5))
    q = jno.np.parameter(()).initialize(1.0).freeze()
    crux = jno.core([(p - q) ** 2], domain=domain)
    crux.solve(1)
    q.model.module = eqx.tree_at(lambda m: m.value, q.module, jnp.float32(3.0))
    crux.solve(1)
    assert float(p.module.value) == 3.0


def test_all_frozen():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0)).freeze()
    with pytest.raises(ValueError, match="every model is frozen: there is nothing to train"):
        problem(net).solve(1)


def test_all_leaves_frozen():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0)).mask(mask("a", "b", "c")).freeze()
    with pytest.raises(ValueError, match="there is nothing to train"):
        problem(net).solve(1)


# --- what is refused ------------------------------------------------------------------------------------------
def test_no_optimizer():
    net = jno.nn(cubic(), name="net")
    with pytest.raises(ValueError, match=r"model 'net' has no optimizer: call net\.optimizer"):
        problem(net).solve(1)


def test_no_optimizer_outside_the_masks():
    net = jno.nn(cubic(), name="net").mask(mask("a")).optimizer(optax.sgd(1.0))
    with pytest.raises(ValueError, match="model 'net' has no optimizer for the leaves outside its masks"):
        problem(net).solve(1)


def test_a_scale_without_an_optimizer():
    net = jno.nn(cubic(), name="net").mask(mask("a")).scale(0.5)
    with pytest.raises(ValueError, match="optimizer"):
        problem(net).solve(1)


def test_a_scale_that_reaches_nothing():
    net = jno.nn(cubic(), name="net").mask(mask("a", "b", "c")).optimizer(optax.sgd(1.0)).scale(0.5)
    net.mask(mask("a", "b", "c")).scale(0.25)
    with pytest.raises(ValueError, match=r"net.scale\(\) acts on nothing: .* masks with scales of their own"):
        problem(net).solve(1)


@pytest.mark.parametrize(
    ("method", "argument"),
    [("initialize", 1.0), ("dtype", jnp.float32), ("mask", mask("b")), ("unfreeze", None)],
    ids=["initialize", "dtype", "mask", "unfreeze"],
)
def test_methods_that_take_no_mask(method, argument):
    net = jno.nn(cubic(), name="net").optimizer(optax.sgd(1.0)).mask(mask("a"))
    with pytest.raises(ValueError, match=rf"net.mask\(...\).{method}\(\): the mask acts on nothing.*optimizer\(\)"):
        getattr(net, method)(*([] if argument is None else [argument]))
    net.mask(None).unfreeze().dtype(jnp.float32)


def test_a_search_takes_no_mask():
    net = jno.nn(cubic(), name="net").mask(mask("a"))
    with pytest.raises(ValueError, match=r"net.mask\(...\).tune\(\): the mask acts on nothing"):
        net.tune(freeze=[True, False])


def test_a_mask_that_nothing_used():
    net = jno.nn(cubic(), name="net").optimizer(optax.sgd(1.0)).mask(mask("a"))
    with pytest.raises(ValueError, match=r"net.mask\(...\): the mask acts on nothing. A mask selects leaves for"):
        problem(net).solve(1)


def test_overlapping_masks_name_the_leaves():
    net = jno.nn(cubic(), name="net").optimizer(optax.sgd(1.0))
    net.mask(mask("a", "b")).optimizer(optax.sgd(1.0)).mask(mask("b", "c")).optimizer(optax.sgd(1.0))
    with pytest.raises(ValueError, match="model 'net': the masks of two groups overlap at b"):
        problem(net).solve(1)


@pytest.mark.parametrize("names", [(), ("n",)], ids=["nothing", "an integer"])
@pytest.mark.parametrize("action", ["optimizer", "freeze"])
def test_a_mask_without_trainable_leaves(names, action):
    net = jno.nn(cubic(), name="net").optimizer(optax.sgd(1.0)).mask(mask(*names))
    if action == "optimizer":
        net.optimizer(optax.sgd(1.0))
    else:
        net.freeze()
    with pytest.raises(ValueError, match=r"mask of net.* selects no trainable leaf"):
        problem(net).solve(1)


@pytest.mark.parametrize("wrong", [{"a": True}, [True, False, False, False], True], ids=["dict", "list", "bool"])
def test_a_mask_that_does_not_mirror_the_module(wrong):
    net = jno.nn(cubic(), name="net").optimizer(optax.sgd(1.0)).mask(wrong).optimizer(optax.sgd(1.0))
    with pytest.raises(ValueError, match=r"group 0: it must mirror the module's tree, and differs at \w+"):
        problem(net).solve(1)


@pytest.mark.parametrize("leaf", [1.0, 1, "yes", np.ones(1, dtype=bool)], ids=["float", "int", "str", "array"])
def test_a_mask_leaf_that_is_no_boolean(leaf):
    wrong = eqx.tree_at(lambda m: m.b, mask(), leaf)
    net = jno.nn(cubic(), name="net").optimizer(optax.sgd(1.0)).mask(wrong).optimizer(optax.sgd(1.0))
    with pytest.raises(ValueError, match="leaf b must be True or False"):
        problem(net).solve(1)


# --- one model in two problems --------------------------------------------------------------------------------
def test_weights_flow_between_cores():
    domain = jno.domain.line(mesh_size=1.0)
    p = jno.np.parameter(()).initialize(4.0).optimizer(optax.sgd(0.25))
    up, down = jno.core([(p - 10.0) ** 2], domain=domain), jno.core([p**2], domain=domain)
    up.solve(1)  # 4 + 0.5 * 6
    assert float(p.module.value) == 7.0
    assert float(down.eval(p)) == 7.0
    down.solve(1)  # 7 / 2
    assert float(up.eval(p)) == 3.5
    up.solve(1)
    down.solve(1)
    assert float(p.module.value) == (3.5 + 0.5 * 6.5) / 2.0
    assert up.models.keys() == down.models.keys()
    assert float(up.models[p.model.layer_id].value) == float(down.eval(p))


def test_weights_flow_without_the_finite_check(monkeypatch):
    monkeypatch.setenv("JNO_STOP_ON_NONFINITE", "0")
    net = jno.nn(cubic()).optimizer(optax.adam(0.1))
    first, second = problem(net), problem(net)
    before = net.module
    for crux in (first, second, first, second):
        crux.solve(2)
    assert np.isfinite(values(net)).all()
    assert [float(before.a), float(before.b), float(before.c)] == [1.0, 1.0, 1.0]


def test_old_weights_stay_readable():
    net = jno.nn(cubic()).optimizer(optax.sgd(1.0))
    crux = problem(net)
    kept = [net.module]
    for _ in range(3):
        crux.solve(2)
        kept.append(net.module)
    assert [float(module.a) for module in kept] == [1.0, -3.0, -7.0, -11.0]
