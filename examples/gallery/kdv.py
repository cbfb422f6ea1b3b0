"""The Korteweg-de Vries equation: a soliton, and a third derivative.

    u_t + 6 u u_x + u_xxx = 0  on (-6, 6) × (0, 1),   u = 2 sech²(x - 4t)

The wave keeps its form and travels at the speed 4, twice its height (Korteweg and de Vries 1895). Initial values are
built in; at the ends the values, and on the right the slope, are losses.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 200, 1e-3

# %% space and time
domain = jno.domain.line((-5, 5), mesh_size=0.2, time=(0, 0.5, 16))
x, t = domain.variable("interior")
xl, tl = domain.variable("left")
xr, tr = domain.variable("right")
net = jno.nn(foundax.mlp(2, hidden_dims=40, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())


def soliton(x, t):
    """The exact solution."""
    return 2 / jno.np.cosh(x - 4 * t) ** 2


def wave(x, t):
    """The initial values, and a network that is free later."""
    return soliton(x, 0.0) + t * net(x / 2, 4 * t)


u, exact = wave(x, t).name("u"), soliton(x, t).name("exact")
equation = (u.d(t) + 6 * u * u.d(x) + u.d(x).d(x).d(x)).mse.name("equation")
left, right = wave(xl, tl), wave(xr, tr)
ends = [(left - soliton(xl, tl)).mse, (right - soliton(xr, tr)).mse, (right.d(xr) - soliton(xr, tr).d(xr)).mse]
core = jno.core([equation, *[10 * end for end in ends]])
core.solve(epochs, min_consecutive=None)

# %% the error, and the mass that the wave carries
error = np.abs(core.eval(u - exact, min_consecutive=None)).max()
print(f"largest error: {error:.1e} (the wave is 2 high)")
assert error < tolerance

# %% the picture
core.plot([u, u - exact], "kdv.png", losses=True)
