"""Every optimizer and kernel trains single precision in a double-precision process, and half precision where it can."""

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno

# a few transitions of untuned kernels represent nothing
pytestmark = pytest.mark.filterwarnings("ignore:.*(hardly moved|diverged):RuntimeWarning")


class Affine(eqx.Module):
    weight: jax.Array
    bias: jax.Array

    def __call__(self, x):
        return x @ self.weight + self.bias


PRECISIONS = {"float32 under x64": (True, jnp.float32), "bfloat16": (False, jnp.bfloat16)}
FIRST_ORDER = {
    "sgd": optax.sgd(0.05),
    "adam": optax.adam(0.05),
    "schedule": optax.adam(optax.cosine_decay_schedule(0.05, 100)),
    "multi steps": optax.MultiSteps(optax.adam(0.05), 2),
    "lbfgs": optax.lbfgs(),
    "soap": jno.optimizers.soap(0.05),
    "md": jno.optimizers.md(optax.adam(0.05)),
    "ssbfgs": jno.optimizers.ssbfgs(),
    "ssbroyden": jno.optimizers.ssbroyden(),
}
LEAST_SQUARES = {
    "engd": jno.optimizers.engd(),
    "kept metric": jno.optimizers.engd(gram_interval=2),
    "no search": jno.optimizers.engd(line_search=False),
}
EXACT = {
    "nuts": (blackjax.nuts, {}),
    "fixed": (blackjax.nuts, {"adapt": False, "step_size": 0.1, "inverse_mass_matrix": 0.5}),
    "hmc": (blackjax.hmc, {"num_integration_steps": 2}),
    "multinomial_hmc": (blackjax.multinomial_hmc, {"num_integration_steps": 2}),
    "dynamic_hmc": (blackjax.dynamic_hmc, {}),
    "mala": (blackjax.mala, {"step_size": 0.01}),
    "barker": (blackjax.barker, {"step_size": 0.01}),
    "ghmc": (blackjax.ghmc, {"step_size": 0.01, "momentum_inverse_scale": 1.0, "alpha": 0.5, "delta": 0.5}),
    "mclmc": (blackjax.mclmc, {"step_size": 0.01, "L": 1.0}),
    "adjusted_mclmc": (blackjax.adjusted_mclmc, {"step_size": 0.01, "num_integration_steps": 2}),
    "adjusted_mclmc_dynamic": (blackjax.adjusted_mclmc_dynamic, {"step_size": 0.01}),
    "normal_random_walk": (blackjax.normal_random_walk, {"sigma": jnp.full(2, 0.1)}),
    "rmh": (blackjax.rmh, {"proposal_generator": lambda key, p: jax.tree_util.tree_map(lambda leaf: leaf + 0.01, p)}),
}
STOCHASTIC = {
    "sgld": (blackjax.sgld, {"step_size": lambda count: 1e-3 / (1 + count)}),
    "sghmc": (blackjax.sghmc, {"step_size": 1e-3}),
    "sgnht": (blackjax.sgnht, {"step_size": 1e-3}),
}
STARTS = {
    "pathfinder": jno.bayesian.pathfinder(maxiter=3, num_samples=4),
    "laplace": jno.bayesian.laplace(map_steps=2),
    "svgd": jno.bayesian.svgd(num_iters=2),
}


def networks(names, dtype, train):
    """A network for each name, and a core that fits all of them to a line."""
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    nets = []
    for name in names:
        net = jno.nn(Affine(jnp.full((1, 1), 0.5, jnp.float32), jnp.zeros(1, jnp.float32)), name=name)
        nets.append(train(net, name) if dtype is jnp.float32 else train(net.dtype(dtype), name))
    return nets, jno.core([(net(x) - 2.0 * x).mse for net in nets])


def dtypes(*trees):
    return {leaf.dtype for leaf in jax.tree_util.tree_leaves(trees)}


def sampled(kernels):
    def train(net, name):
        factory, options = kernels[name]
        return net.bayesian(factory, **{"warmup": 3, "keep": 2, **options})

    return train


@pytest.mark.parametrize("precision", PRECISIONS)
def test_optimizers(precision):
    double, dtype = PRECISIONS[precision]
    with jax.enable_x64(double):
        known = {**FIRST_ORDER, **(LEAST_SQUARES if dtype is jnp.float32 else {})}
        nets, core = networks(known, dtype, lambda net, name: net.optimizer(known[name]))
        losses = core.solve(6).training_logs[0]["losses"]
        assert dtypes(*(net.module for net in nets)) == {jnp.dtype(dtype)}
        assert np.all(losses[-1] < losses[0])


@pytest.mark.parametrize("name", {**EXACT, **STOCHASTIC})
@pytest.mark.parametrize("precision", PRECISIONS)
def test_kernels(precision, name):
    double, dtype = PRECISIONS[precision]
    with jax.enable_x64(double):
        (net,), core = networks([name], dtype, sampled({**EXACT, **STOCHASTIC}))
        if name in EXACT and dtype is jnp.bfloat16:
            with pytest.raises(ValueError, match=rf"{name}: weight is bfloat16, .* {name}.dtype\(jnp.float32\), or"):
                core.solve(5)
            return
        core.solve(5)
        assert dtypes(net.module, net.posterior_samples) == {jnp.dtype(dtype)}
        assert all(np.isfinite(np.float32(leaf)).all() for leaf in jax.tree_util.tree_leaves(net.posterior_samples))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_approximations(precision):
    double, dtype = PRECISIONS[precision]
    factories = {"meanfield": blackjax.meanfield_vi, "fullrank": blackjax.fullrank_vi}
    optimizer = optax.MultiSteps(optax.adam(0.05), 2)
    with jax.enable_x64(double):
        nets, core = networks(
            factories,
            dtype,
            lambda net, name: net.vi(factories[name], optimizer=optimizer, num_samples=2, posterior_draws=2),
        )
        core.solve(3)
        assert dtypes(*((net.module, net.posterior_samples) for net in nets)) == {jnp.dtype(dtype)}


@pytest.mark.parametrize("name", STARTS)
def test_initializers(name, capsys):
    """They also start kernels without a mass matrix, which is said."""
    with jax.enable_x64(True):
        (net,), core = networks([name], jnp.float32, sampled({name: EXACT["mala"]}))
        net.initialize(STARTS[name])
        core.solve(5)
        assert dtypes(net.module, net.posterior_samples) == {jnp.dtype(jnp.float32)}
    told = "without its inverse_mass_matrix: the kernel needs none" in capsys.readouterr().out
    assert told == (name != "svgd")


def test_half_precision_has_no_least_squares():
    _, core = networks(["net"], jnp.bfloat16, lambda net, name: net.optimizer(LEAST_SQUARES["engd"]))
    with pytest.raises(ValueError, match=r"engd: the parameters are bfloat16, .* at least float32"):
        core.solve(2)
