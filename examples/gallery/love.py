"""Love's integral equation: the capacitance of two disks.

    f(x) - 1/π ∫ κ / (κ² + (x - s)²) f(s) ds = 1  on (-1, 1)

Two coaxial disks of radius 1 at the distance κ = 1 that carry opposite charges (Love 1949). Their capacitance follows
from the mean of f. Compared with Nyström's method on 30 Gauss points, which is exact to rounding here.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
κ = 1.0

# %% tags=["parameters"]
epochs, tolerance = 40, 1e-3

# %% s is a second variable over the same interval
domain = jno.domain.line((-1, 1), mesh_size=0.02)
x, _ = domain.variable("interior")
s, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(1, hidden_dims=12, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())
f = net(x).name("f")
kernel = κ / np.pi / (κ**2 + (x - s) ** 2)
core = jno.core([(f - (kernel * net(s)).integrate(var=x) - 1).mse.name("residual")])
core.solve(epochs)

# %% Nyström's method: the integral becomes a sum over Gauss points
nodes, weights = np.polynomial.legendre.leggauss(30)
matrix = np.eye(30) - weights * κ / np.pi / (κ**2 + (nodes[:, None] - nodes) ** 2)
reference = np.linalg.solve(matrix, np.ones(30))
error = np.abs(core.eval(f, domain=nodes[:, None])[0, :, 0] / reference - 1).max()
capacitance, exact = core.eval(f.integrate()).item() / 2 / np.pi, weights @ reference / 2 / np.pi
print(f"capacitance {capacitance:.4f} (Nyström {exact:.4f}), largest relative error {error:.1e}")
assert error < tolerance

# %% the picture
figure = core.plot(f, losses=True)
figure.axes[0].plot(nodes, reference, "k.", label="Nyström")
figure.axes[0].legend()
figure.savefig("love.png", dpi=150)
