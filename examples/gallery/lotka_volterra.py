"""Predator and prey: a system of ordinary differential equations with positive unknowns.

    x' = x (1 - y),   y' = y (x - 1),   x(0) = 2,   y(0) = 1/2

The logarithms are the unknowns: populations stay positive, and the equations lose their products. The initial values
are built in. The orbit is closed: x - ln x + y - ln y stays what it was (Lotka 1925, Volterra 1926). Compared with
the Dormand-Prince method of SciPy at a tolerance of 1e-10.
"""

import foundax
import jax
import numpy as np
from scipy.integrate import solve_ivp

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 150, 1e-4

# %% one network with two outputs: the logarithms
domain = jno.domain.line((0, 7), mesh_size=0.07)
t, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(1, output_dim=2, hidden_dims=32, num_layers=1, key=jax.random.key(0)))
net.optimizer(jno.optimizers.engd())

outputs = net(t / 7)
log_x, log_y = np.log(2) + t * outputs[..., 0], np.log(0.5) + t * outputs[..., 1]
x, y = jno.np.exp(log_x).name("prey"), jno.np.exp(log_y).name("predators")
core = jno.core([(log_x.d(t) - 1 + y).mse.name("prey"), (log_y.d(t) - x + 1).mse.name("predators")])
core.solve(epochs)

# %% against a method of order 8
times = np.linspace(0, 7, 200)


def rates(t, z):
    """Slopes of both logarithms."""
    return 1 - np.exp(z[1]), np.exp(z[0]) - 1


reference = solve_ivp(rates, (0, 7), np.log([2, 0.5]), "DOP853", times, rtol=1e-10)
values = np.stack(core.eval([log_x, log_y], domain=times[:, None]))[:, 0, :, 0]
error = np.abs(values - reference.y).max()
orbit = (np.exp(values) - values).sum(axis=0)
print(f"largest error of the logarithms: {error:.1e}, change of the invariant: {np.ptp(orbit):.1e}")
assert error < tolerance

# %% the picture
figure = core.plot([x, y], losses=True)
figure.axes[0].set(xlabel="t")
figure.savefig("lotka_volterra.png", dpi=150)
