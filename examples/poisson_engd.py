"""Poisson's equation to seven digits: energy natural gradients in double precision.

    -Δu = f  in (0, 1)²,   u = 0  on the boundary,   f = 2π² sin(πx) sin(πy)

The network has one hidden layer of 32 neurons, and is trained on 900 points inside and 120 on the boundary: the problem
of Müller and Zeinhofer, "Achieving high accuracy with PINNs via energy natural gradient descent", ICML 2023. Every step
of `jno.optimizers.engd` solves a least-squares problem for the 129 weights. The boundary counts a thousand times as
much as the equation: residuals of the boundary condition are errors of u, those of the equation errors of its second
derivatives.

The exact solution is u = sin(πx) sin(πy).
"""

from pathlib import Path

import foundax
import jax
import numpy as np

import jno

π = np.pi


def build(seed=0):
    """The problem: a core with two constraints, the solution u and the exact solution."""
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior", (900, "halton"))
    xb, yb, _ = domain.variable("boundary", (120, "equispaced"))

    net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=1, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())

    u = net(x, y).name("u")
    exact = (jno.np.sin(π * x) * jno.np.sin(π * y)).name("exact")
    residual = u.laplacian(x, y) + 2 * π**2 * exact
    boundary = net(xb, yb)
    return jno.core([residual.mse.name("residual"), (1000 * boundary.mse).name("boundary")]), u, exact


def main(epochs=600, out="runs/poisson_engd", seed=0):
    """Train, compare with the exact solution on a finer mesh, draw."""
    out = Path(out)
    jno.logger(path=out)
    with jax.enable_x64(True):
        core, u, exact = build(seed)
        history = core.solve(epochs)

        fine = jno.domain.rect(mesh_size=0.01)
        fine.variable("interior")  # all nodes; by default as many points as were trained on
        u_fine, exact_fine = (values[0, :, 0] for values in core.eval([u, exact], domain=fine))
        core.plot([u, abs(u - exact)], out / "poisson_engd.png", losses=True)
    error = float(np.linalg.norm(u_fine - exact_fine) / np.linalg.norm(exact_fine))

    print(f"picture: {out / 'poisson_engd.png'}")
    print(f"relative L2 error: {error:.2e}")
    return {"relative_l2": error, "loss": history.total_loss}


if __name__ == "__main__":
    main()
