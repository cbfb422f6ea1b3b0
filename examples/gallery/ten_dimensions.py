"""Poisson's equation in ten dimensions, where no mesh is possible.

    -Δu = f  in (0, 1)¹⁰,   u = g  on the boundary,   u = Σ sin(x_i + x_(i+1)) (i = 1 ... 9)

The points are a cloud, drawn at random inside and on the twenty faces. The Laplacian is carried through the network
as one number per neuron, so that ten dimensions cost little more than two.
"""

import foundax
import jax
import numpy as np
from matplotlib import pyplot as plt

import jno

jax.config.update("jax_enable_x64", True)
sin = jno.np.sin

# %% tags=["parameters"]
epochs, tolerance = 40, 1e-3

# %% a cloud of points with two tags
rng = np.random.default_rng(0)
inside, faces = rng.uniform(0, 1, (800, 10)), rng.uniform(0, 1, (600, 10))
faces[np.arange(600), np.arange(600) % 10] = np.arange(600) // 10 % 2
domain = jno.domain.from_array({"inside": inside, "faces": faces})
x, xb = domain.variable("inside")[:10], domain.variable("faces")[:10]
net = jno.nn(foundax.mlp(10, hidden_dims=48, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())


def exact(x):
    """The exact solution at ten coordinates."""
    return sum(sin(x[i] + x[i + 1]) for i in range(9))


u = net(*x).name("u")
equation = (u.laplacian(*x) + 2 * exact(x)).mse.name("equation")  # Δ sin(a + b) = -2 sin(a + b)
boundary = (10 * (net(*xb) - exact(xb))).mse.name("boundary")
core = jno.core([equation, boundary])
core.solve(epochs)

# %% at points that were not trained on
places = rng.uniform(0, 1, (2000, 10))
values, true = (v[0, :, 0] for v in core.eval([u, exact(x)], domain=places))
error = np.linalg.norm(values - true) / np.linalg.norm(true)
print(f"relative L2 error at 2000 new points: {error:.1e}")
assert error < tolerance

# %% the picture: along the diagonal of the cube
s = np.linspace(0, 1, 100)
values, true = (v[0, :, 0] for v in core.eval([u, exact(x)], domain=np.tile(s[:, None], 10)))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(s, values, label="u")
left.plot(s, true, "k:", label="exact")
left.set(xlabel="along the diagonal")
left.legend()
right.plot(s, values - true)
right.set(xlabel="along the diagonal", title="error")
figure.savefig("ten_dimensions.png", dpi=150)
