"""The Allen-Cahn equation: a front between two phases that moves.

    u_t = u_xx + u (1 - u) (u - 1/4)  on (-8, 8) × (0, 8)

The front u = 1 / (1 + e^(-z/√2)), z = x + t √2 (1/2 - 1/4), is an exact solution (Huxley's): the phase u = 1 grows at
the speed √2/4. The speed of the front is read off the network.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 100, 1e-3

# %% the front as initial and boundary values
domain = jno.domain.line((-8, 8), mesh_size=0.4, time=(0, 8, 17))
x, t = domain.variable("interior")
xb, tb = domain.variable("boundary")
net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())
speed = np.sqrt(2) / 4


def front(x, t):
    """The exact solution."""
    return 1 / (1 + jno.np.exp(-(x + speed * t) / np.sqrt(2)))


def phase(x, t):
    """Equal to the front at t = 0."""
    return front(x, 0.0) + t / 8 * net(x / 4, t / 4)


u, exact = phase(x, t).name("u"), front(x, t).name("exact")
equation = (u.d(t) - u.d2(x) - u * (1 - u) * (u - 0.25)).mse.name("equation")
ends = (phase(xb, tb) - front(xb, tb)).mse.name("ends")
core = jno.core([equation, ends])
core.solve(epochs, min_consecutive=None)

# %% the error, and the speed of the middle of the front from u_t / u_x
error = np.abs(core.eval(u - exact, min_consecutive=None)).max()
measured = core.eval(u.d(t) / u.d(x), domain=(np.array([[-4 * speed]]), np.array([4.0])), min_consecutive=None).item()
print(f"largest error: {error:.1e}, speed {measured:.5f} (exact {speed:.5f})")
assert error < tolerance

# %% the picture
core.plot([u, u - exact], "allen_cahn.png", losses=True)
