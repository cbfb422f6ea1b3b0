"""Helmholtz' equation: a wave with several periods, with the features that it is made of.

    Δu + k² u = f  in (0, 1)²,   u = 0  on the boundary,   k = 3π

f belongs to u = sin(4πx) sin(3πy). Networks learn slow functions first; sines and cosines of the coordinates as
inputs let one hidden layer reach many digits. The boundary condition is a factor.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
π, sin, cos = np.pi, jno.np.sin, jno.np.cos

# %% tags=["parameters"]
epochs, tolerance = 80, 1e-4

# %% Fourier features of low frequency
domain = jno.domain.rect(mesh_size=0.1)
x, y, _ = domain.variable("interior", sample=(900, "sobol"))
net = jno.nn(foundax.mlp(8, hidden_dims=32, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())

features = [wave(k * π * s) for k in (1, 2) for s in (x, y) for wave in (sin, cos)]
u = (sin(π * x) * sin(π * y) * net(jno.np.concat(features))).name("u")
exact = (sin(4 * π * x) * sin(3 * π * y)).name("exact")
k = 3 * π
residual = u.laplacian(x, y) + k**2 * u - (exact.laplacian(x, y) + k**2 * exact)
core = jno.core([(residual / k**2).mse.name("residual")])
core.solve(epochs)

# %% on a finer mesh
u_fine, exact_fine = core.eval([u, exact], domain=jno.domain.rect(mesh_size=0.02))
error = np.linalg.norm(u_fine - exact_fine) / np.linalg.norm(exact_fine)
print(f"relative L2 error: {error:.1e}")
assert error < tolerance

# %% the picture
core.plot([u, u - exact], "helmholtz.png", losses=True)
