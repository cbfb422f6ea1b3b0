"""The seed: one number decides every random choice of a run."""

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import processes
import pytest
from processes import result_of

import jno

RUN = """
import json, hashlib
import equinox as eqx, foundax, jax, numpy as np, optax
import jno

domain = 3 * jno.domain.line(mesh_size=0.25, time=(0.0, 1.0, 4))
x, t = domain.variable("interior", (4, None))
f = domain.variable("f", np.array([[1.0], [2.0], [3.0]]))
net = jno.nn(foundax.mlp(2, hidden_dims=4, num_layers=1, dropout_rate=0.2, key=jax.random.PRNGKey(0)))
net.initialize(jax.nn.initializers.normal(0.5)).optimizer(optax.adam(1e-2))
crux = jno.core([(net(x, t) - f * x + jno.noise.uniform()).mse])
history = crux.solve(6, batchsize=2, min_consecutive=2)
leaves = jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array))
digest = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()
print("RESULT " + json.dumps({"seed": crux.seed, "losses": history.total_loss_history.tolist(), "weights": digest}))
"""


def start(seed, tmp_path):
    return processes.start(RUN, cwd=tmp_path, HOME=str(tmp_path), JNO_SEED=str(seed))


@pytest.mark.slow
def test_the_seed_reproduces_a_run_bit_for_bit(tmp_path):
    runs = [start(seed, tmp_path) for seed in (7, 7, 8)]
    first, second, other = map(result_of, runs)
    assert first["seed"] == 7
    assert first == second
    assert first["weights"] != other["weights"]
    assert all(a != b for a, b in zip(first["losses"], other["losses"], strict=True))


def noisy_losses(dropout=0.0):
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=1, dropout_rate=dropout, key=jax.random.PRNGKey(0)))
    net.optimizer(optax.sgd(0.1))
    return jno.core([(net(x) + jno.noise.gaussian()).mse]).solve(3).total_loss_history


def test_the_default_seed_is_42(monkeypatch):
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    crux = jno.core([x.mse])
    assert crux.seed == 42
    np.testing.assert_array_equal(crux.rng, jax.random.PRNGKey(42))
    monkeypatch.setenv("JNO_SEED", "5")
    assert jno.core([x.mse]).seed == 5


def test_noise_in_one_process(monkeypatch):
    monkeypatch.setenv("JNO_SEED", "1")
    first, second = noisy_losses(), noisy_losses()
    monkeypatch.setenv("JNO_SEED", "2")
    np.testing.assert_array_equal(first, second)
    assert (first != noisy_losses()).all()


def test_dropout_in_one_process():
    np.testing.assert_array_equal(noisy_losses(dropout=0.5), noisy_losses(dropout=0.5))


def test_noise_is_drawn_anew_in_every_epoch():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    losses = jno.core([(p + 0.0 * x + jno.noise.gaussian()).mse]).solve(5).total_loss_history
    assert len(set(losses.tolist())) == 5


def lazy_weights():
    """What a parameter's initializer, an adapter and a network over a space draw."""
    from jno.architectures.models import nn

    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    drawn = jno.np.parameter((3,)).initialize(jax.nn.initializers.normal())
    adapted = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))).lora(2)
    space = jno.np.tune.space().unique("width", [4])
    searched = nn.wrap(lambda width, key: foundax.mlp(1, hidden_dims=width, key=key), space).instantiate()
    crux = jno.core([(adapted(x) + drawn[0] * x).mse])
    modules = [*crux.models.values(), searched]
    found = [jax.tree_util.tree_leaves(eqx.filter(m, eqx.is_array)) for m in modules]
    return crux.rng, [np.concatenate([np.ravel(leaf) for leaf in leaves]) for leaves in found]


def test_a_seed_for_networks_only(tmp_path):
    from jno.architectures.models import set_default_rng_seed

    key, usual = lazy_weights()
    set_default_rng_seed(7)
    other_key, chosen = lazy_weights()
    np.testing.assert_array_equal(key, other_key)
    assert all(not np.array_equal(a, b) for a, b in zip(usual, chosen, strict=True))
    jno.setup(tmp_path / "script.py")
    assert all(np.array_equal(a, b) for a, b in zip(usual, lazy_weights()[1], strict=True))
    for seed in (True, 1.5, "7"):
        with pytest.raises(TypeError, match="the seed must be an integer, or None"):
            set_default_rng_seed(seed)
