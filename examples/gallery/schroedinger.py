"""The nonlinear Schrödinger equation: a complex unknown.

    i u_t + u_xx / 2 + |u|² u = 0  on (-6, 6) × (0, 1),   u = sech(x - t) e^(ix)     (a bright soliton of speed 1)

Two outputs of a network make one complex expression; derivatives, products and `.mse`, the mean of absolute squares,
are those of complex numbers, so that the equation stands as on paper.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
exp, cosh = jno.np.exp, jno.np.cosh

# %% tags=["parameters"]
epochs, tolerance = 60, 1e-3

# %% real and imaginary part
domain = jno.domain.line((-6, 6), mesh_size=0.25, time=(0, 1, 13))
x, t = domain.variable("interior")
xb, tb = domain.variable("boundary")
net = jno.nn(foundax.mlp(2, output_dim=2, hidden_dims=40, num_layers=1, key=jax.random.key(0)))
net.optimizer(jno.optimizers.engd())


def soliton(x, t):
    """The exact solution."""
    return exp(1j * x) / cosh(x - t)


def wave(x, t):
    """Equal to the soliton at t = 0; the network need not learn the wave that carries it."""
    parts = net(x / 2, 2 * t)
    return soliton(x, 0.0) + t * exp(1j * x) * (parts[..., 0] + 1j * parts[..., 1])


u, exact = wave(x, t).name("u"), soliton(x, t)
equation = (1j * u.d(t) + u.d2(x) / 2 + abs(u) ** 2 * u).mse.name("equation")
ends = (wave(xb, tb) - soliton(xb, tb)).mse.name("ends")
core = jno.core([equation, ends])
core.solve(epochs, min_consecutive=None)

# %% the error
error = np.abs(core.eval(u - exact, min_consecutive=None)).max()
print(f"largest error: {error:.1e}")
assert error < tolerance

# %% the picture
core.plot([u, abs(u - exact).name("error")], "schroedinger.png", share=False)
