"""Expressions over draws: every kind of expression against a loop over the draws."""

import subprocess
import sys
from pathlib import Path

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import mlp

import jno

ROOT = Path(__file__).parent.parent
CHAINS, DRAWS = 2, 3


class Problem:
    """A parameter and a leaf of a network that are sampled, a network that is optimised."""

    def __init__(self):
        domain = jno.domain.line(mesh_size=0.25)
        self.x, _ = domain.variable("interior")
        self.k = jno.np.parameter((1,), name="k").initialize(0.5)
        self.net, self.other = mlp(1, outputs=2, width=3, name="net"), mlp(1, width=3, name="other")
        mask = jax.tree_util.tree_map(lambda _: False, self.net.module)
        self.net.optimizer(optax.adam(1e-3))
        self.net.mask(eqx.tree_at(lambda m: m.hidden_layers[0].weight, mask, True))
        for model in (self.k, self.net):
            model.bayesian(blackjax.mala, warmup=1, keep=DRAWS, num_chains=CHAINS, step_size=0.02, likelihood_scale=3.0)
        self.other.optimizer(optax.adam(1e-3))
        u = self.net(self.x)
        self.core = jno.core([(self.k * u[..., 0:1] - self.other(self.x)).mse, (u - 1.0).mse])
        self.core.solve(DRAWS + 1)

    def expressions(self):
        """Expressions that depend on draws, by name."""
        x, k, net, other = self.x, self.k, self.net, self.other
        u = net(x)
        v = u[..., 0:1]
        return {
            "parameter": k,
            "product": k * x,
            "network": u,
            "first derivative": (k * x**2).d(x),
            "second derivative": (k * v * x).d2(x),
            "laplacian": v.laplacian(x),
            "mean square": (k * v - other(x)).mse,
            "integral": (k * v).integrate(),
            "function": jno.np.function(lambda a, b: jnp.sin(a) * b, [k, x]),
            "function of a derivative": jno.fn(jnp.exp, [v.d(x)]),
            "derivative of a function": jno.np.function(lambda a: a**2, [v]).d(x),
            "gradient over weights": (k * other(x)).grad(other),
            "component": u[..., 1],
            "concatenation": jno.np.concat([k * x, v]),
        }

    def by_hand(self, expressions):
        """Values at every draw, one draw after the other, ``(chains, draws, ...)``."""
        models = [self.k.model, self.net]
        kept = [model.module for model in models]
        draws = [self.k.model.posterior_samples, self.net.posterior_samples]
        chains = len(draws[0])
        rows = []
        for chain in range(chains):
            for number in range(DRAWS):
                one = [jax.tree_util.tree_map(lambda a, c=chain, n=number: a[c, n], d) for d in draws]
                self.k.model.module = eqx.tree_at(lambda m: m.value, kept[0], one[0])
                self.net.module = eqx.combine(one[1], kept[1])
                rows.append(self.core.eval(expressions, samples="point"))
        for model, module in zip(models, kept, strict=True):
            model.module = module
        columns = [np.stack([np.asarray(row[i]) for row in rows]) for i in range(len(expressions))]
        return [column.reshape(chains, DRAWS, *column.shape[1:]) for column in columns]


@pytest.fixture(scope="module")
def two_chains():
    return Problem()


def test_every_expression_over_draws(two_chains):
    named = two_chains.expressions()
    found = two_chains.core.eval(list(named.values()), samples="chain")
    expected = two_chains.by_hand(list(named.values()))
    for name, values, wanted in zip(named, found, expected, strict=True):
        assert values.shape == (CHAINS, DRAWS, *wanted.shape[2:]), name
        np.testing.assert_allclose(values, wanted, rtol=2e-4, atol=2e-5, err_msg=name)
        assert np.ptp(np.asarray(values), axis=(0, 1)).max() > 0, f"{name} is the same for every draw"


def test_auto_chain_and_point(two_chains):
    core, k, x = two_chains.core, two_chains.k, two_chains.x
    fixed = two_chains.other(x)
    product, plain, derivative = core.eval([k * x, fixed, (k * x).d(x)])
    points = core.domain.context["interior"].shape[2]
    assert product.shape == (CHAINS, DRAWS, 1, points, 1)
    assert plain.shape == (1, points, 1)
    assert derivative.shape == (CHAINS, DRAWS, 1, points, 1)
    np.testing.assert_allclose(derivative[:, :, 0, 0, 0], k.model.posterior_samples[..., 0], rtol=1e-6)
    # with "chain" expressions without draws stay as they are, beside others
    again = core.eval([k * x, fixed, (k * x).d(x)], samples="chain")
    for first, second in zip(again, (product, plain, derivative), strict=True):
        np.testing.assert_array_equal(first, second)
    point = core.eval(k * x, samples="point")
    assert point.shape == (1, points, 1)
    np.testing.assert_allclose(point, product[0, -1], rtol=1e-6)  # the last position of the first chain


def test_other_domains_and_noise(two_chains):
    core, k, x = two_chains.core, two_chains.k, two_chains.x
    fine = jno.domain.line(mesh_size=0.1)
    assert core.eval(k * x, domain=fine).shape == (CHAINS, DRAWS, 1, 11, 1)
    noisy = k * x + jno.noise.gaussian()
    np.testing.assert_array_equal(core.eval(noisy), core.eval(k * x))
    assert not np.allclose(core.eval(noisy, key=jax.random.PRNGKey(0)), core.eval(k * x))


def test_refusals(two_chains):
    core, x = two_chains.core, two_chains.x
    with pytest.raises(ValueError, match="samples='chain': no Bayesian model with draws appears in the dependencies"):
        core.eval(two_chains.other(x), samples="chain")
    with pytest.raises(ValueError, match="samples='all': allowed are 'auto', 'chain' and 'point'"):
        core.eval(two_chains.k * x, samples="all")
    model, draws = two_chains.k.model, two_chains.k.model.posterior_samples
    model.posterior_samples = draws[:, 1:]
    try:
        with pytest.raises(ValueError, match=r"different numbers of chains x draws \(.*k 2 x 2.*use samples='point'"):
            core.eval(two_chains.k * two_chains.net(x))
        assert core.eval(two_chains.k * x).shape[:2] == (2, 2)  # alone they are no problem
    finally:
        model.posterior_samples = draws


def test_draws_of_now_are_used(two_chains):
    """New draws of another number, without compiling what the old ones left behind into the result."""
    core, model = two_chains.core, two_chains.k.model
    draws = model.posterior_samples
    try:
        for other in (2 * draws, jnp.concatenate([draws, draws], axis=1), draws[:1]):
            model.posterior_samples = other
            expected = other[0] if len(other) == 1 else other
            np.testing.assert_allclose(core.eval(two_chains.k), expected, rtol=1e-6)
    finally:
        model.posterior_samples = draws


def test_one_chain_has_no_axis_of_chains(two_chains):
    models = (two_chains.k.model, two_chains.net)
    kept = [model.posterior_samples for model in models]
    named = two_chains.expressions()
    some = [named[name] for name in ("parameter", "network", "second derivative", "mean square")]
    try:
        for model, draws in zip(models, kept, strict=True):
            model.posterior_samples = jax.tree_util.tree_map(lambda leaf: leaf[:1], draws)
        found, expected = two_chains.core.eval(some), two_chains.by_hand(some)
    finally:
        for model, draws in zip(models, kept, strict=True):
            model.posterior_samples = draws
    for values, wanted in zip(found, expected, strict=True):
        assert values.shape == wanted.shape[1:]
        np.testing.assert_allclose(values, wanted[0], rtol=2e-4, atol=2e-5)


_BIG = """
import resource
import blackjax, jax, numpy as np
import jno

domain = jno.domain.line(mesh_size=1 / 9999)
x, _ = domain.variable("interior")
k = jno.np.parameter((1,), name="k").initialize(0.5)
k.bayesian(blackjax.mala, warmup=0, keep=1, step_size=1e-3)
core = jno.core([(k * x).mse])
core.solve(1)
draws = np.random.default_rng(0).normal(size=(1, 10_000, 1)).astype(np.float32)
k.model.posterior_samples = jax.numpy.asarray(draws)
found = core.eval({expression})
assert found.shape == {shape}, found.shape
assert np.isfinite(found).all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        # 400 MB of values: the result, gathered on the host, and its copy on the device
        ("jno.np.sin(k * x)", (10_000, 1, 10_000, 1)),
        ("(jno.np.sin(k * x) * x).d(x).mse", (10_000, 1)),
    ],
)
def test_ten_thousand_draws_at_ten_thousand_points(expression, shape):
    script = _BIG.format(expression=expression, shape=shape)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 2000, "peak memory in MB"
