"""Several optimizers one after the other, beside the same done by hand."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.optimizers import Stage, ssbroyden, stages


def problem(optimizer):
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.key(0))).optimizer(optimizer)
    return jno.core([(net(x) - jno.np.sin(3 * x)).mse]), net


def weights(net):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(net.module) if hasattr(leaf, "shape")])


def recipe():
    return stages([(optax.adam(1e-2), 6), ssbroyden()])


def test_one_solve_does_what_two_do():
    with jax.enable_x64(True):
        crux, net = problem(recipe())
        losses = crux.solve(14).total_loss_history
        other, same = problem(optax.adam(1e-2))
        other.solve(6)
        same.optimizer(ssbroyden())
        np.testing.assert_allclose(losses, other.solve(8).total_loss_history, rtol=1e-6)
        np.testing.assert_allclose(weights(net), weights(same), rtol=1e-4, atol=1e-7)


def test_a_second_solve_goes_on_in_its_stage():
    with jax.enable_x64(True):
        at_once, _ = problem(recipe())
        in_parts, _ = problem(recipe())
        in_parts.solve(4)
        in_parts.solve(5)
        parts = in_parts.solve(5).total_loss_history
        np.testing.assert_array_equal(parts, at_once.solve(14).total_loss_history)


def test_checkpoints_go_on_in_their_stage(tmp_path):
    with jax.enable_x64(True):
        first, _ = problem(recipe())
        keep = jno.callbacks.checkpoint(tmp_path / "c", save_interval_epochs=9)
        first.solve(9, callbacks=[keep])
        keep.close()
        expected = first.solve(4).total_loss_history[-4:]
        second, _ = problem(recipe())
        second.restore_checkpoint(tmp_path / "c")
        np.testing.assert_array_equal(second.solve(4).total_loss_history[-4:], expected)


def run(optimizer, losses):
    """The stage of every step, for losses that do not depend on it."""

    def step(state, value):
        _, state = optimizer.update(jnp.ones(1), state, jnp.ones(1), value=value)
        return state, state.stage

    state, numbers = jax.jit(lambda losses: jax.lax.scan(step, optimizer.init(jnp.ones(1)), losses))(losses)
    return numbers.tolist(), state.began.tolist()


def test_what_ends_a_stage():
    sgd = optax.sgd(0.0)
    losses = jnp.asarray([8.0, 4.0, 3.99, 3.98, 3.97, 1.0, 0.1, 0.1])
    assert run(stages([(sgd, 2), (sgd, 3), sgd]), losses) == ([0, 0, 1, 1, 1, 2, 2, 2], [0, 2, 5])
    assert run(stages([Stage(sgd, tolerance=1.0), sgd]), losses) == ([0] * 5 + [1] * 3, [0, 5])
    assert run(stages([Stage(sgd, patience=3), sgd]), losses) == ([0] * 4 + [1] * 4, [0, 4])
    assert run(stages([Stage(sgd, patience=3, improvement=0.0), sgd]), losses) == ([0] * 8, [0, -1])


def test_what_is_refused():
    adam = optax.adam(1e-3)
    with pytest.raises(ValueError, match="give at least one optimizer"):
        stages([])
    with pytest.raises(ValueError, match="nothing ends stage 0"):
        stages([adam, ssbroyden()])
    for last in ((adam, 5), Stage(adam, tolerance=1.0), Stage(adam, patience=3)):
        with pytest.raises(ValueError, match="of the last stage would end nothing"):
            stages([(adam, 2), last])
    with pytest.raises(TypeError, match="it must be a list such as"):
        stages("adam")
    with pytest.raises(TypeError, match="must be a Stage, an optax transform, or a pair"):
        stages([3])
    with pytest.raises(TypeError, match="build it first"):
        stages([(optax.adam, 3)])
    with pytest.raises(ValueError, match=r"steps=0 of a stage must be an integer of at least 1"):
        stages([(adam, 0)])
    with pytest.raises(ValueError, match=r"patience=1\.5"):
        Stage(adam, patience=1.5)
    with pytest.raises(ValueError, match=r"tolerance=-1\.0"):
        Stage(adam, tolerance=-1.0)
    with pytest.raises(ValueError, match="improvement=1"):
        Stage(adam, improvement=1)
    optimizer = stages([Stage(adam, tolerance=1.0), adam])
    with pytest.raises(ValueError, match="the loss where a stage has a tolerance"):
        optimizer.update(jnp.ones(1), optimizer.init(jnp.ones(1)), jnp.ones(1))
