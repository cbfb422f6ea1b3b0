"""Every matrix optimizer in every kind of training: no silent divergence, no silent standstill."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.optimizers import engd, md, soap, ssbfgs, ssbroyden

OPTIMIZERS = {
    "ssbroyden": ssbroyden,
    "ssbfgs": ssbfgs,
    "engd": engd,
    "lbfgs": optax.lbfgs,
    "soap": lambda: soap(1e-2),
    "md": lambda: md(optax.adam(1e-2)),
}
KINDS = ("fixed", "fresh", "batches", "balanced", "float32")
QUICK = [("ssbroyden", "fresh"), ("lbfgs", "balanced"), ("engd", "float32"), ("ssbfgs", "batches")]
ALL = [(name, kind) for name in OPTIMIZERS for kind in KINDS if (name, kind) != ("engd", "balanced")]


def final_loss(optimizer, kind, steps):
    """The loss of ``u'' = -k pi^2 sin(pi x)`` over all samples and on points of their own, after some steps."""
    samples = 4 if kind == "batches" else 1
    domain = samples * jno.domain.line(mesh_size=0.05)
    fresh = jno.sampler.random(resample_every=5, resample_fraction=1.0, start_epoch=5) if kind == "fresh" else None
    x, _ = domain.variable("interior", (30, "uniform"), resampling_strategy=fresh)
    k = domain.variable("k", np.linspace(1.0, 2.0, samples).reshape(samples, 1)) if samples > 1 else 1.0
    width = 2 if samples > 1 else 1
    net = jno.nn(foundax.mlp(width, hidden_dims=8, num_layers=1, key=jax.random.PRNGKey(0))).optimizer(optimizer)
    net.dtype(jnp.float32 if kind == "float32" else jnp.float64)
    u = net(jno.np.concat([x, k + 0 * x]) if samples > 1 else x)
    equation = (u.d2(x) + k * np.pi**2 * jno.np.sin(np.pi * x)).mse
    envelope = (u * (1 - 4 * x * (1 - x))).mse
    terms = [equation, 10 * envelope]
    if kind == "balanced":
        weights = jno.fn.adaptive.relobralo(terms)
        crux = jno.core([weights[0] * terms[0], weights[1] * terms[1]])
    else:
        crux = jno.core(terms)
    options = {"batchsize": 2} if kind == "batches" else {}
    losses = crux.solve(steps, **options).total_loss_history
    assert np.all(np.isfinite(losses))
    return sum(float(np.mean(crux.eval(term))) for term in terms), losses[0]


def check(name, kind, steps, capsys):
    with jax.enable_x64(kind != "float32"):
        adam, _ = final_loss(optax.adam(1e-2), kind, steps)
        loss, first = final_loss(OPTIMIZERS[name](), kind, steps)
    said = capsys.readouterr().out
    changing, slow = "second order" in said, f"steps of {name}" in said
    assert changing == (kind == "batches" and name not in ("soap", "md"))
    assert np.isfinite(loss)
    assert loss < 0.9 * first
    assert changing or slow or loss < 1.1 * adam, f"{loss} after {steps} steps, Adam {adam}, at the start {first}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["soap", "md"])
def test_slow_starts_pay_later_and_the_remedies_help(name, capsys):
    remedies = {"soap": soap(3e-2), "md": md(optax.adam(1e-2), gain_lr=1e-2)}
    with jax.enable_x64(True):
        adam, _ = final_loss(optax.adam(1e-2), "fixed", 200)
        plain, _ = final_loss(OPTIMIZERS[name](), "fixed", 200)
        assert final_loss(remedies[name], "fixed", 200)[0] < min(plain, 1.4 * adam)
        capsys.readouterr()
        assert final_loss(OPTIMIZERS[name](), "fixed", 1500)[0] < 1.1 * final_loss(optax.adam(1e-2), "fixed", 1500)[0]
    assert "steps of" not in capsys.readouterr().out


def test_a_slow_start_is_said_only_while_the_loss_falls(capsys):
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter((2, 2)).initialize(1.0).optimizer(soap(4e-2))
    crux = jno.core([(p - 3.0).mse], domain=domain)
    crux.solve(10)
    assert "soap" not in capsys.readouterr().out
    crux.solve(40)
    assert "ended after 50 steps of soap" in capsys.readouterr().out
    crux.solve(940)
    assert "soap" not in capsys.readouterr().out


@pytest.mark.parametrize(("name", "kind"), QUICK)
def test_a_few(name, kind, capsys):
    check(name, kind, 60, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), ALL)
def test_all(name, kind, capsys):
    check(name, kind, 200, capsys)


def test_weights_that_follow_the_losses_are_refused_by_engd():
    with jax.enable_x64(True), pytest.raises(ValueError, match="needs constraints that are mean squares"):
        final_loss(engd(), "balanced", 1)


def test_a_loss_that_rises_is_said(capsys):
    domain = jno.domain.line(mesh_size=0.5)
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(2.0))
    jno.core([p**2], domain=domain).solve(8)
    assert "the loss rose from 1 to" in capsys.readouterr().out
