"""Which width and which learning rate? A sweep tries them.

    u'' = -16π² sin(4πx)  on (0, 1),   u(0) = u(1) = 0          (exact: sin 4πx)

A space names the constructor arguments of a network class and the options of training. Here all six combinations are
tried; the name of an optimizer of Nevergrad and a budget instead search larger spaces. The core continues with the
best.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax

import jno

# %% tags=["parameters"]
epochs, tolerance = 600, 0.05


# %% a network with one argument to choose
class Network(eqx.Module):
    """A perceptron of one hidden layer."""

    layers: eqx.nn.MLP

    def __init__(self, width, *, key):
        self.layers = eqx.nn.MLP(3, 1, width, 1, jnp.tanh, key=key)

    def __call__(self, x):
        """Values at one place."""
        return self.layers(x)


domain = jno.domain.line(mesh_size=0.02)
x, _ = domain.variable("interior")
net = jno.nn.wrap(Network, space=jno.np.tune.space().unique("width", [4, 32]))
features = jno.np.concat([x, jno.np.sin(4 * np.pi * x), jno.np.cos(4 * np.pi * x)])
exact = jno.np.sin(4 * np.pi * x).name("exact")
u = (4 * x * (1 - x) * net(features)).name("u")
core = jno.core([((u.d2(x) - exact.d2(x)) / (16 * np.pi**2)).mse.name("residual")])

training = jno.np.tune.space().unique("epochs", [epochs]).unique("optimizer", [optax.adam])
training.unique("learning_rate", [1e-4, 1e-3, 1e-2])
core.sweep(training, None, None)  # every combination

# %% the best of them
trials = core.tuning_history
width, rate = core.best_arch("width"), core.best_config["learning_rate"]
error = float(np.abs(core.eval(u - exact)).max())
print(f"best of {len(trials.rows)}: width {width}, learning rate {rate}; largest error {error:.1e}")
assert error < tolerance

# %% the picture
core.plot([u, exact], "sweep.png", losses=True)
