"""A stiff equation: what a loss must be divided by.

    u' = -λ (u - cos t) - sin t,   u(0) = 2,   λ = 1000          (Prothero and Robinson 1974)

The solution, u = cos t + e^(-λt), falls to the slow one within a thousandth of the interval. Two things make it easy:
the network sees the fast time λt as a second input, through e^(-λt), and the residual is divided by λ, which is what
both of its large terms are multiplied by.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 60, 1e-5

# %% points from 1e-6 to 1, equally many in every decade
λ = 1000
domain = jno.domain.from_array({"interior": np.concatenate([[0], np.geomspace(1e-6, 1, 200)])[:, None]})
t, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(2, hidden_dims=16, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())

fast = jno.np.exp(-λ * t)
u = (2 + (1 - fast) * net(t, fast)).name("u")  # u(0) = 2
core = jno.core([((u.d(t) + jno.np.sin(t)) / λ + u - jno.np.cos(t)).mse.name("residual / λ")])
core.solve(epochs)

# %% against the exact solution, in the layer and behind it
times = np.concatenate([np.linspace(0, 0.01, 200), np.linspace(0.01, 1, 200)])[:, None]
values = core.eval(u, domain=times)[0]
error = np.abs(values - np.cos(times) - np.exp(-λ * times)).max()
print(f"largest error: {error:.1e}")
assert error < tolerance

# %% the picture: the layer is where the axis of time is logarithmic
figure = core.plot(u, domain=np.geomspace(1e-6, 1, 300)[:, None], losses=True)
figure.axes[0].set(xscale="log", xlabel="t")
figure.savefig("stiff.png", dpi=150)
