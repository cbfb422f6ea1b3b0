"""A run is interrupted and goes on: the same losses, bit for bit.

    u' = -2 t u  on (0, 2),   u(0) = 1          (exact: e^(-t²))

A callback writes checkpoints with weights, the state of the optimizer, the random key and the epoch. The second run
is built anew, as after a crash of the machine, and resumes. Its losses are compared with those of a run that nothing
interrupted, and its solution with the exact one.
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax
from matplotlib import pyplot as plt

import jno

# %% tags=["parameters"]
epochs, tolerance = 1200, 5e-3


# %% the problem; the optimizer has momentum and a schedule, which must go on as well
def problem(**options):
    """A new core, and its solution."""
    t, _ = jno.domain.line((0, 2), mesh_size=0.05).variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.key(0)), name="net")
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
    u = (1 + t * net(t)).name("u")
    return jno.core([(u.d(t) + 2 * t * u).mse.name("residual")], **options), u


uninterrupted, _ = problem()
reference = np.asarray(uninterrupted.solve(epochs).total_loss_history)

# %% stopped after a third, and resumed
folder = Path("checkpoints").resolve()
first, _ = problem()
writer = jno.callbacks.checkpoint(folder, save_interval_epochs=epochs // 3)
before = np.asarray(first.solve(epochs // 3, callbacks=[writer]).total_loss_history)
writer.close()

core, u = problem(resume_from=folder)
after = np.asarray(core.solve(epochs - epochs // 3).total_loss_history)

places = np.linspace(0, 2, 41)
error = np.abs(np.asarray(core.eval(u, domain=places[:, None])).ravel() - np.exp(-(places**2))).max()
same = np.array_equal(np.concatenate([before, after]), reference)
print(f"losses of both runs are the same, bit for bit: {same}; largest error {error:.1e}")
assert same
assert error < tolerance

# %% the picture
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
axes.semilogy(reference, "0.8", linewidth=4, label="uninterrupted")
axes.semilogy(before, label="until it stopped")
axes.semilogy(np.arange(len(before), epochs), after, label="resumed")
axes.set(xlabel="epoch", ylabel="loss")
axes.legend()
figure.savefig("resume.png", dpi=150)
