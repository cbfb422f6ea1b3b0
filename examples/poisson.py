"""Poisson's equation on the unit square with a hard boundary condition.

    -Δu = f  in (0, 1)²,   u = 0  on the boundary,   f = 2π² sin(πx) sin(πy)

The exact solution is u = sin(πx) sin(πy). The network is multiplied by x(1-x)y(1-y), so that u vanishes on the
boundary whatever the weights are; the residual of the equation is then the only loss.
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax

import jno

π = jno.np.pi


def build(epochs=4000, mesh_size=0.05):
    """The problem: a core with one constraint, the solution u and the exact solution."""
    domain = jno.domain.rect(mesh_size=mesh_size)
    x, y, _ = domain.variable("interior")

    net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=3, key=jax.random.PRNGKey(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(3e-3, epochs)))

    u = (x * (1 - x) * y * (1 - y) * net(x, y)).name("u")
    exact = (jno.np.sin(π * x) * jno.np.sin(π * y)).name("exact")
    residual = u.laplacian(x, y) + 2 * π**2 * exact
    return jno.core([residual.mse.name("residual")]), u, exact


def main(epochs=4000, out="runs/poisson", mesh_size=0.05):
    """Train, compare with the exact solution on a finer mesh, draw."""
    out = Path(out)
    jno.logger(path=out)
    core, u, exact = build(epochs, mesh_size)
    history = core.solve(epochs)

    fine = jno.domain.rect(mesh_size=0.02)
    u_fine, exact_fine = (values[0, :, 0] for values in core.eval([u, exact], domain=fine))
    error = float(np.linalg.norm(u_fine - exact_fine) / np.linalg.norm(exact_fine))

    core.plot([u, abs(u - exact)], out / "poisson.png", losses=True)
    print(f"picture: {out / 'poisson.png'}")
    print(f"relative L2 error: {error:.2e}")
    return {"relative_l2": error, "loss": history.total_loss}


if __name__ == "__main__":
    main()
