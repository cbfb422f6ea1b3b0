"""Points go where the residual is large: a front that twenty fixed points miss.

    u - ε² u'' = f  on (-1, 1),   u(±1) = ±1,   f belongs to u = tanh(x / ε),   ε = 0.05

The same network is trained twice on twenty points: on fixed ones, and on points that `jno.sampler.rad` draws anew
with a density that follows the residual (Wu et al. 2023). The errors are compared on a fine grid.
"""

import foundax
import jax
import numpy as np
import optax

import jno

# %% tags=["parameters"]
epochs, tolerance = 1200, 0.025

ε, places = 0.05, np.linspace(-1, 1, 801)[:, None]


# %% one problem, two ways to choose its points
def trained(strategy):
    """The core, the solution, its error on the grid, and the points at the end."""
    domain = jno.domain.line((-1, 1), mesh_size=0.05)
    x, _ = domain.variable("interior", (20, "uniform"), resampling_strategy=strategy)
    net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.PRNGKey(0))).optimizer(optax.adam(3e-3))
    front = jno.np.tanh(x / ε)
    u = (x + (1 - x**2) * net(x)).name("u")
    core = jno.core([(u - ε**2 * u.d2(x) - front - 2 * front * (1 - front**2)).mse.name("residual")])
    core.solve(epochs)
    values = np.asarray(core.eval(u, domain=places))[0]
    return core, u, values, np.ravel(domain.context["interior"])


_, _, fixed, _ = trained(None)
adaptive = jno.sampler.rad(resample_every=50, resample_fraction=1.0, start_epoch=50, k=1, c=1)
core, u, moved, points = trained(adaptive)

# %% who sees the front?
exact = np.tanh(places / ε)
error, before = (float(np.sqrt(np.mean((values - exact) ** 2))) for values in (moved, fixed))
print(f"error with fixed points {before:.1e}, with points that follow the residual {error:.1e}")
assert error < tolerance
assert error < before

# %% the picture, with the last points as marks
figure = core.plot(u, losses=True)
figure.axes[0].plot(places, fixed, "0.6", linewidth=1, zorder=0, label="fixed points")
figure.axes[0].plot(points, np.full(20, -1.15), "k|", label="last points")
figure.axes[0].legend()
figure.savefig("front.png", dpi=150)
