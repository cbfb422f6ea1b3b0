"""Variational inference: the normal distribution that is nearest to a posterior.

    y_i = a + b x_i + noise of standard deviation 0.2,   i = 1 ... 30

The posterior of a line is a normal distribution, known in closed form. `fullrank_vi` finds it by maximising the
evidence lower bound, and `posterior_draws` draws are then used as those of a chain: mean and deviations are compared.
"""

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jno

jax.config.update("jax_enable_x64", True)
σ, count = 0.2, 30

# %% tags=["parameters"]
epochs, tolerance = 2000, 0.2


# %% one model with two numbers, so that their correlation is part of the answer
class Line(eqx.Module):
    """A straight line."""

    coefficients: jax.Array

    def __call__(self, x):
        """Values at places (N, 1)."""
        return self.coefficients[0] + self.coefficients[1] * x


places = np.linspace(0, 2, count)
readings = 1 - 0.5 * places + σ * np.random.default_rng(0).standard_normal(count)
domain = jno.domain.from_array({"data": places[:, None]})
x = domain.variable("data")[0]
y = domain.variable("y", readings[None, :, None])
line = jno.nn(Line(jnp.zeros(2)), name="line")
line.vi(
    blackjax.fullrank_vi,
    optimizer=optax.adam(optax.cosine_decay_schedule(0.02, epochs)),
    prior=jno.bayesian.priors.gaussian(sigma=10.0),
    likelihood_scale=count / (2 * σ**2),
    posterior_draws=2000,
)
core = jno.core([(line(x) - y).mse.name("misfit")])
core.solve(epochs)
sample = np.asarray(line.posterior_samples.coefficients).reshape(-1, 2)

# %% the posterior in closed form
design = np.column_stack([np.ones(count), places])
covariance = np.linalg.inv(design.T @ design / σ**2 + np.eye(2) / 100)
mean = covariance @ design.T @ readings / σ**2
deviations = np.sqrt(np.diag(covariance))
correlation, exact = np.corrcoef(sample.T)[0, 1], covariance[0, 1] / deviations.prod()
print(f"a = {sample[:, 0].mean():.3f} ± {sample[:, 0].std():.3f} (exact {mean[0]:.3f} ± {deviations[0]:.3f}), ", end="")
print(f"b = {sample[:, 1].mean():.3f} ± {sample[:, 1].std():.3f} (exact {mean[1]:.3f} ± {deviations[1]:.3f}), ", end="")
print(f"correlation {correlation:.2f} ({exact:.2f})")
error = max(np.abs((sample.mean(axis=0) - mean) / deviations).max(), np.abs(sample.std(axis=0) / deviations - 1).max())
assert error < tolerance

# %% the picture
figure = core.plot(line(x).name("a + b x"), figsize=(5, 3.6))
figure.axes[0].plot(places, readings, "k.")
figure.savefig("variational_line.png", dpi=150)
