"""How sure is a decay rate? The posterior of one number, by the No-U-Turn sampler.

    y_i = e^(-k t_i) + noise of standard deviation 0.05,   i = 1 ... 20,   prior of k normal with mean 0, deviation 2

For one unknown the posterior is known by an integral over a grid, so that mean and deviation of the draws can be
checked. The log density that is sampled is -likelihood_scale × loss, with N / 2σ² for the mean square of N readings.
"""

import blackjax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
σ, count = 0.05, 20

# %% tags=["parameters"]
draws, tolerance = 1000, 0.15

# %% readings of a decay with k = 1.5
times = np.linspace(0.1, 3, count)
readings = np.exp(-1.5 * times) + σ * np.random.default_rng(0).standard_normal(count)
domain = jno.domain.from_array({"data": times[:, None]})
t = domain.variable("data")[0]
y = domain.variable("y", readings[None, :, None])

k = jno.np.parameter((), name="k").initialize(1.0)
k.bayesian(
    blackjax.nuts,
    prior=jno.bayesian.priors.gaussian(sigma=2.0),
    likelihood_scale=count / (2 * σ**2),
    warmup=200,
    keep=draws,
    num_chains=2,
)
core = jno.core([(jno.np.exp(-k * t) - y).mse.name("misfit")])
core.solve(draws)
sample = np.asarray(k.posterior_samples)

# %% the posterior on a grid
grid = np.linspace(1, 2.2, 4001)
log_density = -((np.exp(-np.outer(grid, times)) - readings) ** 2).sum(axis=1) / (2 * σ**2) - grid**2 / 8
density = np.exp(log_density - log_density.max())
density /= np.trapezoid(density, grid)
mean = np.trapezoid(grid * density, grid)
deviation = np.sqrt(np.trapezoid((grid - mean) ** 2 * density, grid))
print(f"k = {sample.mean():.3f} ± {sample.std():.3f}, exact posterior {mean:.3f} ± {deviation:.3f}")
error = max(abs(sample.mean() - mean) / deviation, abs(sample.std() / deviation - 1))
assert error < tolerance
assert jno.bayesian.rhat(sample) < 1.05

# %% the picture: the decay with its band, and the draws against the density
figure = core.plot(jno.np.exp(-k * t).name("e^(-kt)"), figsize=(5, 3.6))
figure.axes[0].plot(times, readings, "k.", label="readings")
figure.axes[0].set(xlabel="t")
figure.savefig("bayesian_decay.png", dpi=150)
