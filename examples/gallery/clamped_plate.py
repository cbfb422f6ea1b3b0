"""The biharmonic equation: the deflection of a clamped square plate under uniform load.

    ΔΔw = 1  in (0, 1)²,   w = ∂w/∂n = 0  on the boundary

The factor (x(1-x)y(1-y))² holds both conditions. All fourth derivatives come from one pass through the network. The
deflection of the middle is known to many digits: 0.00126532 (Taylor and Govindjee 2004; Timoshenko's table: 0.00126),
and so is the bending moment in the middle for Poisson's ratio 0.3, 0.0229.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 400, 1e-3

# %% the deflection in units of a thousandth
domain = jno.domain.rect(mesh_size=0.1)
x, y, _ = domain.variable("interior", sample=(500, "sobol"))
net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())

X, Y = 2 * x - 1, 2 * y - 1
w = (((1 - X**2) * (1 - Y**2)) ** 2 * net(X, Y)).name("1000 w")
core = jno.core([(w.laplacian(x, y).laplacian(x, y) / 1000 - 1).mse.name("residual")])
core.solve(epochs)

# %% the middle of the plate
middle = np.array([[0.5, 0.5]])
deflection, moment = core.eval([w, -(w.d2(x) + 0.3 * w.d2(y))], domain=middle)
error = abs(deflection.item() / 1.26532 - 1)
print(f"deflection {deflection.item() / 1000:.7f}, relative error {error:.1e}; moment {moment.item() / 1000:.4f}")
assert error < tolerance
assert abs(moment.item() / 22.9 - 1) < 30 * tolerance

# %% the picture
core.plot([w, (-(w.d2(x) + 0.3 * w.d2(y))).name("1000 M")], "clamped_plate.png", share=False, losses=True)
