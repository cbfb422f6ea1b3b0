"""Transport around a ring: periodic conditions that hold exactly.

    u_t + 2 u_x = 0.1 u_xx  on the circle of length 2π,   u(x, 0) = sin x + cos(2x) / 2

The network sees sin x and cos x instead of x, so that it cannot but be periodic, with all derivatives. The exact
solution moves at the speed 2, and its waves decay by e^(-0.1 t) and e^(-0.4 t).
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
sin, cos, exp = jno.np.sin, jno.np.cos, jno.np.exp

# %% tags=["parameters"]
epochs, tolerance = 100, 5e-3

# %% a ring
domain = jno.domain.line((0, 2 * np.pi), mesh_size=0.2, time=(0, 2, 21))
x, t = domain.variable("interior")
net = jno.nn(foundax.mlp(3, hidden_dims=32, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())

u = (sin(x) + cos(2 * x) / 2 + t * net(sin(x), cos(x), t)).name("u")
core = jno.core([(u.d(t) + 2 * u.d(x) - 0.1 * u.d2(x)).mse.name("residual")])
core.solve(epochs, min_consecutive=None)

# %% against the exact solution
s = x - 2 * t
exact = (exp(-0.1 * t) * sin(s) + exp(-0.4 * t) * cos(2 * s) / 2).name("exact")
error = np.abs(core.eval(u - exact, min_consecutive=None)).max()
print(f"largest error: {error:.1e}")
assert error < tolerance

# %% the picture
core.plot([u, u - exact], "periodic_transport.png", losses=True)
