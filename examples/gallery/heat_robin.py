"""The heat equation with an insulated end and one that loses heat: Neumann and Robin conditions.

    u_t = u_xx  on (0, 1) × (0, 1),   u_x(0, t) = 0,   u_x(1, t) + 2 u(1, t) = 0,   u(x, 0) = cos(μx)

With μ tan μ = 2 the initial values are the first eigenfunction, and u = e^(-μ²t) cos(μx). The normal derivative is
taken by the normal of the domain; the initial values are built in.
"""

import foundax
import jax
import numpy as np
from scipy.optimize import brentq

import jno

jax.config.update("jax_enable_x64", True)
μ = brentq(lambda m: m * np.tan(m) - 2, 0.1, 1.5)

# %% tags=["parameters"]
epochs, tolerance = 60, 1e-4

# %% both ends are the boundary; each has its condition
domain = jno.domain.line(mesh_size=0.05, time=(0, 1, 17))
x, t = domain.variable("interior")
xl, tl, left = domain.variable("left", normals="vector")
xr, tr, right = domain.variable("right", normals="vector")
net = jno.nn(foundax.mlp(2, hidden_dims=24, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())


def temperature(x, t):
    """Equal to the initial values at t = 0, whatever the network says."""
    return jno.np.cos(μ * x) + t * net(x, t)


u = temperature(x, t).name("u")
at_left, at_right = temperature(xl, tl), temperature(xr, tr)
equation = (u.d(t) - u.d2(x)).mse.name("equation")
insulated = at_left.d(left).mse.name("insulated")
cooled = (at_right.d(right) + 2 * at_right).mse.name("cooled")
core = jno.core([equation, insulated, cooled])
core.solve(epochs, min_consecutive=None)  # all levels of time in every step

# %% against the exact solution
exact = (jno.np.exp(-(μ**2) * t) * jno.np.cos(μ * x)).name("exact")
error = np.abs(core.eval(u - exact, min_consecutive=None)).max()
print(f"largest error: {error:.1e}")
assert error < tolerance

# %% the picture
core.plot([u, u - exact], "heat_robin.png", losses=True)
