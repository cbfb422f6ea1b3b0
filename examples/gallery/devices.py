"""Several devices: the points of a step are shared out, and the losses stay the same.

    -Δu = 2π² sin(πx) sin(πy)  in (0, 1)²,   u = 0 on the boundary

`mesh=(4, 1)` gives each of four devices a quarter of the points. No such machine is needed to see it: a flag of XLA
makes four devices of one processor. It must be set before JAX starts, so that the program below runs in a process of
its own, once for one device and once for four.
"""

import json
import os
import subprocess
import sys

import numpy as np
from matplotlib import pyplot as plt

# %% tags=["parameters"]
epochs, tolerance = 1000, 1e-3

# %% the program; `mesh` is the only word in it that speaks of devices
program = """
import json, sys
import foundax, jax, numpy as np, optax
import jno

domain = jno.domain.rect(mesh_size=0.1)
x, y, _ = domain.variable("interior", sample=(400, "sobol"))
net = jno.nn(foundax.mlp(2, hidden_dims=16, num_layers=2, key=jax.random.key(0))).optimizer(optax.adam(1e-2))
u = x * (1 - x) * y * (1 - y) * net(x, y)
exact = jno.np.sin(np.pi * x) * jno.np.sin(np.pi * y)
core = jno.core([(u.laplacian(x, y) + 2 * np.pi**2 * exact).mse], mesh=(len(jax.devices()), 1))
history = core.solve(int(sys.argv[1]))
error = np.abs(core.eval(u - exact)).max()
print(json.dumps([len(jax.devices()), float(error), np.asarray(history.total_loss_history).tolist()]))
"""


def run(count):
    """Number of devices, error, and losses of the program on so many of them."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
    command = [sys.executable, "-c", program, str(epochs)]
    finished = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(finished.stdout.splitlines()[-1])


(_, error, alone), (devices, _, shared) = run(1), run(4)

# %% the same numbers, up to rounding
difference = np.abs(np.array(shared[:50]) / alone[:50] - 1).max()
print(f"{devices} devices; losses of the first 50 steps differ by {difference:.1e}; largest error of u {error:.1e}")
assert devices == 4
assert difference < tolerance

# %% the picture
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
axes.semilogy(alone, label="one device")
axes.semilogy(shared, "--", label="four devices")
axes.set(xlabel="epoch", ylabel="loss")
axes.legend()
figure.savefig("devices.png", dpi=150)
