"""A coefficient from a table: heat through silicon, whose conductivity falls with temperature.

    (k(T) T')' = 0  on (0, 1) cm,   T(0) = 300 K, T(1) = 1000 K

k comes from a file with six rows (values as in Incropera's tables). It depends on the unknown itself. Kirchhoff's
transformation gives an independent answer: the flux is the integral of k between both temperatures, divided by the
length.
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax
from scipy.integrate import quad
from scipy.interpolate import CubicSpline

import jno

# %% tags=["parameters"]
epochs, tolerance = 1500, 5e-3

# %% the file; yours comes from somewhere else
Path("silicon.csv").write_text("T,k\n300,148\n400,98.9\n600,61.9\n800,42.2\n1000,31.2\n1200,25.7\n", encoding="utf-8")
table = np.genfromtxt("silicon.csv", delimiter=",", names=True)

# %% temperatures in units of 1000 K, conductivities in units of 100 W/mK
domain = jno.domain.line(mesh_size=0.02)
x, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.key(0)))
net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
T = (0.3 + 0.7 * x + x * (1 - x) * net(x)).name("T / 1000 K")
k = jno.np.interp(T, table["T"] / 1000, table["k"] / 100, method="cubic").name("k / 100")
core = jno.core([(k * T.d(x)).d(x).mse.name("residual")])
core.solve(epochs)

# %% against the integral of a spline through the same rows
spline = CubicSpline(table["T"] / 1000, table["k"] / 100)
flux = core.eval((k * T.d(x)).mean).item()
exact = quad(spline, 0.3, 1.0)[0]
error = abs(flux / exact - 1)
print(f"flux {1000 * flux:.2f} W/cm², by Kirchhoff {1000 * exact:.2f}, relative error {error:.1e}")
assert error < tolerance

# %% the picture
core.plot([T, k], "conductivity_table.png", losses=True)
