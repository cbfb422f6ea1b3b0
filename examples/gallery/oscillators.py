"""All damped oscillators at once: the parameter is an input.

    x'' + 2ζ x' + x = 0,   x(0) = 1, x'(0) = 0   for every damping ratio ζ between 0 and 2

One network of time and ζ learns the whole family, from the undamped oscillation over the critical case to the slow
return. The equation contains no derivative by ζ. The initial values are built in.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 300, 1e-2

# %% a rectangle of time and damping
domain = jno.domain.rect((0, 6), (0, 2), mesh_size=0.2)
t, ζ, _ = domain.variable("interior", sample=(400, "sobol"))
net = jno.nn(foundax.mlp(2, hidden_dims=40, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())
x = (1 + t**2 * net(t / 3 - 1, ζ - 1)).name("x")
core = jno.core([(x.d2(t) + 2 * ζ * x.d(t) + x).mse.name("residual")])
core.solve(epochs)

# %% the exact solution, with complex frequencies below the critical damping
asked = np.random.default_rng(0).uniform((0, 0.01), (6, 1.99), (500, 2))
times, ratio = asked.T
root = np.sqrt(ratio**2 - 1 + 0j)
fast, slow = -ratio - root, -ratio + root
exact = ((slow * np.exp(fast * times) - fast * np.exp(slow * times)) / (slow - fast)).real
error = np.abs(np.asarray(core.eval(x, domain=asked))[0, :, 0] - exact).max()
print(f"largest error over 500 times and ratios: {error:.1e}")
assert error < tolerance

# %% the picture
figure = core.plot(x, losses=True)
figure.axes[0].set(xlabel="t", ylabel="damping ratio ζ", aspect="auto")
figure.savefig("oscillators.png", dpi=150)
