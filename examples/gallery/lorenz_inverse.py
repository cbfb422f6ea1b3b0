"""The coefficients of Lorenz's equations from 25 readings of a trajectory.

    x' = σ (y - x),   y' = x (ρ - z) - y,   z' = x y - β z,   x(0), y(0), z(0) = -8, 7, 27

The three coefficients are unknown; the readings were made with σ = 10, ρ = 15, β = 8/3 (as in the DeepXDE paper, Lu
et al. 2021). A module of our own holds the network and the coefficients together, so that one optimizer of
Gauss-Newton type, `engd`, sees all of them at once.
"""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

import jno

jax.config.update("jax_enable_x64", True)
TRUE = np.array([10, 15, 8 / 3])

# %% tags=["parameters"]
epochs, tolerance = 300, 1e-3

# %% the readings
times = np.linspace(0, 3, 25)
rates = lambda t, s: TRUE * (s[1], s[0], -s[2]) + (-TRUE[0] * s[0], -s[0] * s[2] - s[1], s[0] * s[1])  # noqa: E731
states = solve_ivp(rates, (0, 3), (-8, 7, 27), "DOP853", times, rtol=1e-10).y.T / 10


# %% a network and three numbers, trained as one model
class Trajectory(eqx.Module):
    """Three functions of time, and the coefficients as three more columns."""

    states: eqx.Module
    coefficients: jax.Array

    def __call__(self, t):
        """Columns x, y, z, σ, ρ, β at times (N, 1)."""
        return jnp.concatenate([self.states(t), jnp.broadcast_to(self.coefficients, (*t.shape[:-1], 3))], axis=-1)


domain = jno.domain.line((0, 3), mesh_size=0.02)
t, _ = domain.variable("interior")
ts, *readings = domain.variable("readings", np.column_stack([times, states]), point_data=True, split=True)
network = foundax.mlp(1, output_dim=3, hidden_dims=24, num_layers=2, key=jax.random.key(0))
model = jno.nn(Trajectory(network, jnp.full(3, 0.5))).optimizer(jno.optimizers.engd())

columns = [model(t / 1.5 - 1)[..., i] for i in range(6)]
x, y, z = (column.name(name) for column, name in zip(columns[:3], "xyz", strict=True))  # in units of ten
σ, ρ, β = (10 * column for column in columns[3:])
equations = [x.d(t) - σ * (y - x), y.d(t) - x * (ρ - 10 * z) + y, z.d(t) - 10 * x * y + β * z]
misfits = [10 * (model(ts / 1.5 - 1)[..., i] - readings[i]) for i in range(3)]
core = jno.core([term.mse for term in equations + misfits])
core.solve(epochs)

# %% what came out
coefficients = 10 * np.asarray(model.module.coefficients)
error = np.abs(coefficients / TRUE - 1).max()
print("σ, ρ, β =", coefficients.round(4), f" largest relative error: {error:.1e}")
assert error < tolerance

# %% the picture
figure = core.plot([x, y, z], losses=True)
figure.axes[0].plot(times, states, "k.", markersize=3)
figure.axes[0].set(xlabel="t", ylabel="a tenth of x, y, z")
figure.savefig("lorenz_inverse.png", dpi=150)
