"""A trained solution leaves for a program that does not have this library.

    -u'' = π² sin(πx)  on (0, 1),   u(0) = u(1) = 0          (exact: sin πx)

`core.export` writes the solution and its slope as one StableHLO function of the coordinate, for any number of points.
Another process, in which jno cannot be imported, reads the file with JAX alone and computes both.
"""

import json
import subprocess
import sys

import foundax
import jax
import numpy as np
import optax

import jno

# %% tags=["parameters"]
epochs, tolerance = 1500, 5e-3

# %% train and write
x, _ = jno.domain.line(mesh_size=0.05).variable("interior")
net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.key(0)))
net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
u = (x * (1 - x) * net(x)).name("u")
core = jno.core([((u.d2(x) + np.pi**2 * jno.np.sin(np.pi * x)) / 10).mse.name("residual")])
core.solve(epochs)
file = core.export([u, u.d(x)], "solution.stablehlo", platforms=("cpu",))
print(file.inputs)

# %% the other program
program = """
import json, sys
sys.modules["jno"] = None  # "import jno" would be an error here
from jax import export
import jax.numpy as jnp
function = export.deserialize(bytearray(open("solution.stablehlo", "rb").read()))
value, slope = function.call(jnp.linspace(0, 1, 11)[:, None])
print(json.dumps([value.ravel().tolist(), slope.ravel().tolist()]))
"""
answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
value, slope = np.array(json.loads(answer.stdout.splitlines()[-1]))
places = np.linspace(0, 1, 11)
error = max(np.abs(value - np.sin(np.pi * places)).max(), np.abs(slope / np.pi - np.cos(np.pi * places)).max())
same = np.abs(value - np.asarray(core.eval(u, domain=places[:, None])).ravel()).max()
print(f"largest error {error:.1e}; difference from this process {same:.1e}")
assert error < tolerance
assert same < 1e-6

# %% the picture
figure = core.plot(u, losses=True)
figure.axes[0].plot(places, value, "ko", markersize=4, label="the other program")
figure.axes[0].legend()
figure.savefig("export.png", dpi=150)
