"""Uncertainties that can be believed: ranks of true parameters among draws, bands that cover true solutions."""

import blackjax
import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, chisquare

import jno
from jno._cli import load_example
from jno.bayesian import ess, priors, rhat

pytestmark = pytest.mark.slow


# --- diffusivities from noisy measurements --------------------------------------------------------------------
REPLICATIONS, PLACES, NOISE, SPREAD = 200, 10, 0.05, 0.4


def simulated(seed=0):
    """Log diffusivities from their prior (R,), places (N,) and measurements (R, N) of sin(πx) / k with noise.

    -k u'' = π² sin(πx) on (0, 1), u(0) = u(1) = 0.
    """
    random = np.random.default_rng(seed)
    log_k = random.normal(0, SPREAD, REPLICATIONS)
    x = np.linspace(0.05, 0.95, PLACES)
    noise = random.normal(0, NOISE, (REPLICATIONS, PLACES))
    return log_k, x, np.sin(np.pi * x) / np.exp(log_k)[:, None] + noise


def ranks(log_k, draws):
    """How many of the draws (L, R) lie below the true values: uniform on 0 ... L if draws have the posterior."""
    return (draws < log_k).sum(axis=0)


def uniformity(found, count, bins=10):
    """p value of a χ² test that ranks among ``count`` draws are uniform."""
    observed = np.bincount(found * bins // (count + 1), minlength=bins)
    return chisquare(observed).pvalue


def sampled_diffusivities(x, measured, scale):
    """Draws (L, R), nearly independent ones, of the log diffusivities: one vector, every entry a replication.

    The posterior factorises, so that all replications are sampled at once.
    """
    domain = jno.domain.line(mesh_size=0.5)
    table = np.concatenate([x[:, None], measured.T], axis=1).astype(np.float32)
    place, *readings = domain.variable("readings", table, point_data=True, split=True)
    log_k = jno.np.parameter((REPLICATIONS,), name="log_k")
    log_k.bayesian(
        blackjax.nuts,
        prior=priors.gaussian(SPREAD),
        warmup=500,
        keep=99,
        thin=10,
        likelihood_scale=scale,
    )

    def solutions(logarithms, place, *readings):
        return jnp.sin(jnp.pi * place) / jnp.exp(logarithms.T) - jnp.concatenate(readings, axis=-1)

    misfit = jno.np.function(solutions, [log_k, place, *readings])
    jno.core([misfit.mse]).solve(990)
    return np.asarray(log_k.posterior_samples)[0]


def test_ranks_of_true_diffusivities_are_uniform():
    """Simulation-based calibration: Talts et al. 2018, arXiv:1804.06788."""
    log_k, x, measured = simulated()
    scale = REPLICATIONS * PLACES / (2 * NOISE**2)
    draws = sampled_diffusivities(x, measured, scale)
    assert draws.shape == (99, REPLICATIONS)
    assert np.median(ess(draws[None])) > 70
    assert uniformity(ranks(log_k, draws), 99) > 0.01
    # the test has power: draws that are too narrow or too wide by a half fail it
    centre = draws.mean(axis=0)
    for factor in (0.5, 2.0):
        assert uniformity(ranks(log_k, centre + factor * (draws - centre)), 99) < 0.01


# --- Bayesian networks ----------------------------------------------------------------------------------------
bpinn, DATA_SETS = load_example("bpinn_poisson"), 12


class Ensemble(eqx.Module):
    """As many networks side by side, (N, 1) -> (N, E)."""

    nets: eqx.Module

    def __call__(self, x):
        return eqx.filter_vmap(lambda net: net(x)[..., 0], out_axes=-1)(self.nets)


def side_by_side(readings):
    """The problem of the example for several data sets, each with its own network: posteriors that factorise."""
    places, _, ends, _ = readings[0]
    f, values = (np.stack([r[column] for r in readings], axis=-1)[None, None].astype(np.float32) for column in (1, 3))
    domain = jno.domain.from_array({"inside": places[:, None], "ends": ends[:, None]})
    x, _ = domain.variable("inside")
    xb, _ = domain.variable("ends")
    f, values = domain.variable("f", f), domain.variable("values", values)
    keys = jax.random.split(jax.random.PRNGKey(0), len(readings))
    nets = eqx.filter_vmap(lambda key: foundax.mlp(1, hidden_dims=16, num_layers=2, key=key))(keys)
    net = jno.nn(Ensemble(nets), name="nets")
    equation = (-net(x).d2(x) - f) / bpinn.SOURCE_NOISE
    boundary = (net(xb) - values) / bpinn.BOUNDARY_NOISE
    sizes = len(readings) * len(places), len(readings) * len(ends)
    return jno.core([sizes[0] * equation.mse, sizes[1] * boundary.mse], domain=domain), net, net(x)


def test_bands_of_bayesian_networks_cover_the_solution():
    """95 % of the points, over data sets: within one, errors at neighbouring points are much the same."""
    core, net, u = side_by_side([bpinn.read_noisy(seed) for seed in range(DATA_SETS)])
    prior = priors.layerwise_gaussian(base_sigma=3.0, default_sigma=3.0)
    bpinn.sample(core, net, 300, prior=lambda leaves: jnp.sum(jax.vmap(prior)(leaves)), num_integration_steps=80)
    x = np.linspace(0, 1, 200)
    draws = np.asarray(core.eval(u, domain=jno.domain.from_array({"inside": x[:, None]})))[:, :, 0]
    assert draws.shape == (bpinn.CHAINS, 300, 200, DATA_SETS)
    low, high = bpinn.band(draws)
    exact = bpinn.exact_solution(x)[:, None]
    covered = ((low <= exact) & (exact <= high)).mean(axis=0)
    # of one data set it is 1 for most and a half for some, so that the standard error of the mean is 0.05
    assert 0.85 <= covered.mean() <= 0.99
    # errors at the ends and in the middle are almost independent
    errors = ((draws.mean(axis=(0, 1)) - exact) / draws.std(axis=(0, 1)))[[0, 100, -1]]
    assert 0.01 < chi2.sf(np.sum(errors**2), errors.size) < 0.99
    assert np.max(rhat(draws)) < 1.1
    assert not np.any(net.posterior_diagnostics["is_divergent"])
    # uncertainty at the ends is that of a mean of eight readings
    deviation = draws.std(axis=(0, 1))[[0, -1]].mean()
    np.testing.assert_allclose(deviation, bpinn.BOUNDARY_NOISE / np.sqrt(bpinn.REPEATS), rtol=0.15)
