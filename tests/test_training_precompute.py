"""Training that reads what was computed once takes the same steps as training that computes it in every step."""

from __future__ import annotations

import functools

import jax
import numpy as np
import optax
import pytest
from helpers import count_primitive, mlp, unit_square

import jno
from jno.compiler import PRECOMPUTED, _blocks, _precompute
from jno.optimizers import engd
from jno.utils.callbacks import CheckpointCallback

SIN, EXP = jno.np.sin, jno.np.exp


@pytest.fixture
def everything(monkeypatch):
    """Also what would not pay is computed once."""
    monkeypatch.setattr(_precompute, "Worth", functools.partial(_precompute.Worth, per_number=0.0, share=0.0))


def trained(monkeypatch, build, mib, epochs=4, **options):
    """Losses of a new problem, and the problem."""
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", str(mib))
    crux = build()
    return np.asarray(crux.solve(epochs, **options).total_loss_history), crux


def program_of(crux, window=1):
    return crux._solver._built.program(window)


def assert_same(monkeypatch, build, tolerance=2e-5, **options):
    """Both train alike, and only the second computes something once."""
    expected, plain = trained(monkeypatch, build, 0, **options)
    actual, crux = trained(monkeypatch, build, 64, **options)
    window = options.get("min_consecutive", 1)
    assert not program_of(plain, window).precomputed.expressions
    assert program_of(crux, window).precomputed.expressions
    np.testing.assert_allclose(actual, expected, rtol=tolerance)
    return crux


def hard(optimizer=None, strategy=None):
    """Poisson's equation with an envelope and a source, and a condition."""
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior", resampling_strategy=strategy)
    xb, yb, _ = domain.variable("boundary")
    net = mlp(2)
    net.optimizer(optax.adam(1e-2) if optimizer is None else optimizer)
    u = net(x, y) * SIN(np.pi * x) * SIN(np.pi * y)
    return jno.core([(u.laplacian(x, y) + EXP(x * y)).mse, (net(xb, yb) - SIN(xb)).mse])


OPTIONS = {
    "plain": {},
    "less memory": {"checkpoint_gradients": True},
    "substeps": {"substeps": [[0], ([1], 2)]},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_same_training(everything, monkeypatch, options):
    assert_same(monkeypatch, hard, **OPTIONS[options])


def test_least_squares(everything, monkeypatch):
    assert_same(monkeypatch, lambda: hard(engd()), epochs=2, tolerance=1e-3)


def test_blocks_of_points(everything, monkeypatch):
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", 512)
    monkeypatch.setattr("jno.compiler._blocks.has_many_points", lambda program: True)

    def build():
        domain = jno.domain.from_array({"interior": np.random.default_rng(0).random((101, 2))})
        x, y = domain.variable("interior")[:2]
        net = mlp(2)
        net.optimizer(optax.adam(1e-2))
        u = net(x, y) * SIN(x) * EXP(y)
        return jno.core([(u.laplacian(x, y) - EXP(x * y)).mse])

    crux = assert_same(monkeypatch, build)
    blocks = _blocks.blocks_for(program_of(crux))
    assert blocks is not None
    in_blocks, shared = blocks.split(program_of(crux).data)
    assert any(name[0] == PRECOMPUTED for name in in_blocks)
    assert not any(name[0] == PRECOMPUTED for name in shared)


def operators():
    """Eight samples with data of their own."""
    domain = 8 * unit_square(0.4)
    x, y, _ = domain.variable("interior")
    a = domain.variable("a", np.linspace(0.5, 1.5, 8, dtype=np.float32).reshape(8, 1, 1))
    net = mlp(2)
    net.optimizer(optax.adam(1e-2))
    return jno.core([((net(x, y) * SIN(a * x)).laplacian(x, y) - EXP(a * y)).mse])


@pytest.mark.parametrize("options", [{}, {"batchsize": 3}, {"batchsize": 2, "accumulation_steps": 2}])
def test_mini_batches_of_samples(everything, monkeypatch, options):
    crux = assert_same(monkeypatch, operators, **options)
    assert any(name[0] == PRECOMPUTED for name in program_of(crux).layout.batched)


def test_data_on_the_host_is_computed_with_in_every_step(everything, monkeypatch):
    assert_same(monkeypatch, operators, batchsize=3, offload_data=True)


@pytest.mark.parametrize("window", [1, 2, None])
def test_time_levels(everything, monkeypatch, window):
    def build():
        domain = jno.domain.line((-1, 1), mesh_size=0.4, time=(0, 1, 4))
        x, t = domain.variable("interior")
        net = mlp(2)
        net.optimizer(optax.adam(1e-2))
        u = SIN(x) + EXP(-t) * SIN(t * x) * net(x, t)
        return jno.core([(u.d(t) + u * u.d(x) - 0.1 * u.d2(x) - EXP(-t * x)).mse])

    assert_same(monkeypatch, build, min_consecutive=window)


def test_points_that_are_replaced(everything, monkeypatch):
    """Every replacement refreshes what follows from the points; a resumed run begins with those of the checkpoint."""
    crux = assert_same(monkeypatch, lambda: hard(strategy=jno.sampler.random(4, 0.5, 0)), epochs=10)
    program = program_of(crux)
    assert crux._solver.points_version == 2
    assert program.precomputed.expressions
    for name, array in program.precomputed.compute(program.data).items():
        np.testing.assert_array_equal(array, program.data[name])


def test_points_that_the_step_draws(everything, monkeypatch):
    """What follows from them stays in the step, what follows from other points does not."""
    crux = assert_same(monkeypatch, lambda: hard(strategy=jno.sampler.random(4, 1.0, 0)), epochs=10)
    read = program_of(crux).precomputed.read
    assert ("points", "boundary") in read
    assert ("points", "interior") not in read


@pytest.mark.parametrize("size", [6, {"interior": 5}])
def test_mini_batches_of_points(everything, monkeypatch, size):
    crux = assert_same(monkeypatch, hard, point_batch=size)
    drawn = crux._solver._built.drawn(program_of(crux), size)
    assert any(array.name[0] == PRECOMPUTED for batch in drawn.batches for array in batch.arrays)


def test_a_run_that_is_resumed(everything, monkeypatch, tmp_path):
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", "64")
    build = functools.partial(hard, strategy=jno.sampler.random(4, 0.5, 0))
    keep = CheckpointCallback(tmp_path, save_interval_epochs=6)
    whole = np.asarray(build().solve(10, callbacks=[keep]).total_loss_history)
    again = np.asarray(build().restore_checkpoint(tmp_path, step=6).solve(4).total_loss_history)
    np.testing.assert_array_equal(again, whole[-4:])


def test_evaluation_elsewhere_is_untouched(everything, monkeypatch):
    domain = unit_square(0.4)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    net.optimizer(optax.adam(1e-2))
    u = net(x, y) * SIN(x) * EXP(y)
    crux = jno.core([u.laplacian(x, y).mse])
    crux.solve(2)
    finer = unit_square(0.2)
    finer.variable("interior")
    points = np.asarray(finer.context["interior"][0, 0], dtype=np.float32)
    expected = net.module(points) * np.sin(points[:, :1]) * np.exp(points[:, 1:])
    np.testing.assert_allclose(np.asarray(crux.eval(u, finer)).reshape(-1, 1), expected, rtol=0, atol=1e-5)


def test_the_step_does_not_measure_distances(monkeypatch):
    """As by default: the distance to the edges of a curved domain is worth it, a polynomial is not."""
    monkeypatch.setenv("JNO_PRECOMPUTE_MIB", "64")
    domain = jno.domain.disk(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    net = mlp(2)
    net.optimizer(optax.adam(1e-2))
    u = net(x, y) * domain.distance_function(smooth=True) * (1 - x**2)
    crux = jno.core([u.laplacian(x, y).mse])
    crux.solve(1)
    program = program_of(crux)
    modules = {model.layer_id: model.module for model in program.models}
    jaxpr = jax.make_jaxpr(lambda data: program(modules, data))(program.data).jaxpr
    assert [count_primitive(jaxpr, name) for name in ("sqrt", "argmin", "reduce_sum", "reduce_min")] == [0, 0, 1, 0]
