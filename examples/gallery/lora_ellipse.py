"""From one geometry to another with few numbers: low-rank adapters.

    Δu = f  inside an ellipse with the half axes a and b,   u = 0 on the ellipse

A network is trained on the unit disk. For the ellipse a = 1.4, b = 0.8 its weights are frozen, and adapters of rank
two learn the difference. f belongs to u = (1 - x²/a² - y²/b²) sin(2x/a + y/b), which is the exact solution on both.
"""

import foundax
import jax
import numpy as np
import optax

import jno

# %% tags=["parameters"]
epochs, tolerance = 1500, 3e-3


# %% the problem for any ellipse
def problem(net, a, b):
    """A core, the solution and the exact solution on the ellipse with half axes a and b."""
    angles = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    domain = jno.domain(np.column_stack([a * np.cos(angles), b * np.sin(angles)]))
    x, y, _ = domain.variable("interior", sample=(400, "sobol"))
    envelope = 1 - (x / a) ** 2 - (y / b) ** 2  # zero on the ellipse
    u = (envelope * net(x, y)).name("u")
    exact = envelope * jno.np.sin(2 * x / a + y / b)
    return jno.core([(u.laplacian(x, y) - exact.laplacian(x, y)).mse.name("residual")]), u, exact


def error_of(core, u, exact):
    """Relative L2 error at the points of the domain."""
    values, true = core.eval([u, exact])
    return float(np.linalg.norm(values - true) / np.linalg.norm(true))


disk = jno.nn(foundax.mlp(2, hidden_dims=48, num_layers=2, key=jax.random.key(0)))
disk.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))
first = problem(disk, 1.0, 1.0)
first[0].solve(epochs)

# %% the same weights on the ellipse: before, and after adapters were trained
before = error_of(*problem(jno.nn(disk.module).freeze(), 1.4, 0.8))
tuned = jno.nn(disk.module).freeze().lora(rank=2, alpha=4.0)
tuned.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
second = problem(tuned, 1.4, 0.8)
second[0].solve(epochs)
error = error_of(*second)

count = lambda tree: sum(leaf.size for leaf in jax.tree_util.tree_leaves(tree) if hasattr(leaf, "size"))  # noqa: E731
adapters = count(tuned.module) - count(disk.module)
print(f"disk {error_of(*first):.1e}; ellipse with the weights of the disk {before:.1e}, ", end="")
print(f"with {adapters} numbers of adapters beside {count(disk.module)} weights {error:.1e}")
assert error < tolerance
assert error < before / 10

# %% the picture
core, u, exact = second
core.plot([u, (u - exact).name("error")], "lora_ellipse.png", share=False, losses=True)
