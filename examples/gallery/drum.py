"""The wave equation on a disk: a drum that is let go.

    u_tt = Δu  in the unit disk,   u = 0  on the rim,   u = J₀(μr), u_t = 0  at t = 0

μ = 2.404825… is the first zero of the Bessel function J₀, and the drum swings as u = cos(μt) J₀(μr). The factor 1 -
r² holds the rim and t² both initial conditions. Time reaches over half a period.
"""

import foundax
import jax
import numpy as np
from scipy.special import j0, jn_zeros

import jno

jax.config.update("jax_enable_x64", True)
μ = jn_zeros(0, 1)[0]

# %% tags=["parameters"]
epochs, tolerance = 60, 1e-3

# %% points in the disk, at ten levels of time
domain = jno.domain.disk(mesh_size=0.2, time=(0, 1.3, 10))
x, y, t = domain.variable("interior", sample=(120, "sobol"))
net = jno.nn(foundax.mlp(3, hidden_dims=40, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())

r2 = x**2 + y**2
bessel = sum((-(μ**2) / 4 * r2) ** k / float(jax.scipy.special.factorial(k)) ** 2 for k in range(1, 12)) + 1
u = (bessel + t**2 * (1 - r2) * net(x, y, t)).name("u")
core = jno.core([(u.d2(t) - u.laplacian(x, y)).mse.name("residual")])
core.solve(epochs, min_consecutive=None)

# %% against SciPy's Bessel function
rng = np.random.default_rng(0)
places = rng.uniform(-0.7, 0.7, (200, 2))
times = np.linspace(0, 1.3, 14)
values = core.eval(u, domain=(places, times), min_consecutive=None)[0, :, :, 0]
exact = np.cos(μ * times)[:, None] * j0(μ * np.linalg.norm(places, axis=1))
error = np.abs(values - exact).max()
print(f"largest error: {error:.1e}")
assert error < tolerance

# %% the picture
core.plot(u, "drum.png", times=[0, 0.4, 0.8, 1.3])
