"""A Fourier neural operator learns what an hour of heat conduction does to any temperature.

    u_t = u_xx / 10  on a ring of length 2π,   u(x, 0) → u(x, 1)

200 random initial temperatures and their solutions are the data, as vectors on a grid of 64 points: one sample each,
shape (samples, 1, grid, channels). The exact operator multiplies the k-th Fourier coefficient by e^(-k²/10).
"""

import foundax
import jax
import numpy as np
import optax
from matplotlib import pyplot as plt

import jno

# %% tags=["parameters"]
epochs, samples, tolerance = 400, 200, 0.03

# %% random temperatures, and their exact solutions by the fast Fourier transform
grid, modes = 64, 8
rng = np.random.default_rng(0)


def pairs(count):
    """Initial and final temperatures (count, 1, grid, 1)."""
    k = np.arange(grid // 2 + 1)
    coefficients = (rng.standard_normal((count, k.size)) + 1j * rng.standard_normal((count, k.size))) * (k < modes)
    coefficients /= 1 + k**2 / 4
    first, last = (np.fft.irfft(c, grid) * grid / 4 for c in (coefficients, coefficients * np.exp(-(k**2) / 10)))
    return first[:, None, :, None].astype(np.float32), last[:, None, :, None].astype(np.float32)


places = np.linspace(0, 2 * np.pi, grid, endpoint=False)[:, None]


def dataset(count):
    """A domain with one sample for each pair, and the pairs as its data."""
    domain = count * jno.domain.from_array({"ring": places})
    first, last = pairs(count)
    return domain, domain.variable("first", first), domain.variable("last", last)


_, first, last = dataset(samples)
net = jno.nn(foundax.fno1d(1, hidden_channels=12, n_modes=modes, n_layers=2, linear_conv=False, key=jax.random.key(0)))
net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))
u = net(first)
misfit = jno.fn.relative_l2(u, last)
core = jno.core([misfit.name("relative L2")])
core.solve(epochs, batchsize=25)

# %% temperatures that were not trained on
other, _, _ = dataset(50)
error = float(np.mean(core.eval(misfit, domain=other)))
print(f"mean relative L2 error at 50 unseen temperatures: {error:.2%}")
assert error < tolerance

# %% the picture: three of them
figure, panels = plt.subplots(1, 3, sharey=True, figsize=(8, 3), layout="constrained")
before, computed, exact = (np.asarray(v).reshape(50, grid) for v in core.eval([first, u, last], domain=other))
for i, axes in enumerate(panels):
    axes.plot(places, before[i], color="0.7", label="u(x, 0)")
    axes.plot(places, computed[i], label="operator")
    axes.plot(places, exact[i], "k:", label="exact u(x, 1)")
    axes.set(xlabel="x")
panels[0].legend()
figure.savefig("heat_operator.png", dpi=150)
