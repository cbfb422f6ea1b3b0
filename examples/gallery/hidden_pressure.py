"""Pressure and viscosity from velocities: what the equations know and nobody measured.

    (u·∇)u + ∇p = ν Δu,   div u = 0,   u measured at 60 places with noise of 1 %,   p and ν unknown

The flow is Kovasznay's (1948), the wake of a grid at Re = 20: an exact solution of the Navier-Stokes equations. A
module holds the network and ln ν, so that one optimizer trains both. No boundary condition is known; p is found up to
a constant.
"""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
ν = 1 / 20
k = 1 / (2 * ν) - np.sqrt(1 / (4 * ν**2) + 4 * np.pi**2)

# %% tags=["parameters"]
epochs, tolerance = 60, 0.1


# %% Kovasznay's flow, and its readings
def kovasznay(x, y):
    """Velocities and pressure, for arrays."""
    wave = np.exp(k * x)
    return 1 - wave * np.cos(2 * np.pi * y), k / (2 * np.pi) * wave * np.sin(2 * np.pi * y), -(wave**2) / 2


rng = np.random.default_rng(0)
places = rng.uniform((0, -0.5), (1, 0.5), (60, 2))
readings = np.column_stack([places, *kovasznay(*places.T)[:2]]) + rng.normal(0, 0.01, (60, 4)) * (0, 0, 1, 1)


# %% a network and one number
class Flow(eqx.Module):
    """Velocities and pressure, and the logarithm of the viscosity as a column."""

    fields: eqx.Module
    logarithm: jax.Array

    def __call__(self, x, y):
        """Columns u, v, p, ln ν at coordinates (N, 1)."""
        return jnp.concatenate([self.fields(x, y), jnp.broadcast_to(self.logarithm, x.shape)], axis=-1)


domain = jno.domain.rect((0, 1), (-0.5, 0.5), mesh_size=0.1)
x, y, _ = domain.variable("interior", sample=(300, "sobol"))
xs, ys, us, vs = domain.variable("sensors", readings, point_data=True, split=True)
network = foundax.mlp(2, output_dim=3, hidden_dims=32, num_layers=1, key=jax.random.key(0))
model = jno.nn(Flow(network, jnp.log(jnp.full(1, 0.2)))).optimizer(jno.optimizers.engd())

u, v, p, viscosity = (model(x, y)[..., i] for i in range(4))
viscosity = jno.np.exp(viscosity)
flow = [
    u * u.d(x) + v * u.d(y) + p.d(x) - viscosity * u.laplacian(x, y),
    u * v.d(x) + v * v.d(y) + p.d(y) - viscosity * v.laplacian(x, y),
    u.d(x) + v.d(y),
]
measured = model(xs, ys)
misfit = [10 * (measured[..., 0] - us), 10 * (measured[..., 1] - vs)]
core = jno.core([term.mse for term in flow + misfit])
core.solve(epochs)

# %% pressure and viscosity
grid = rng.uniform((0, -0.5), (1, 0.5), (500, 2))
values = np.ravel(core.eval(p, domain=grid))
exact = kovasznay(*grid.T)[2]
difference = values - exact
error = np.abs(difference - difference.mean()).max() / np.ptp(exact)
estimate = float(np.exp(model.module.logarithm[0]))
print(f"viscosity {estimate:.4f} (true {ν}), largest error of the pressure {error:.1%} of its range")
assert error < tolerance
assert abs(estimate / ν - 1) < 2 * tolerance

# %% the picture
core.plot([u.name("u"), p.name("p")], "hidden_pressure.png", share=False, losses=True)
