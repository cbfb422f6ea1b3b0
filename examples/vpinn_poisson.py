"""A variational network: Poisson's equation in weak form, with the test functions of finite elements.

    -Δu = f  in (0, 1)²,   ∂u/∂n = g  on the right side,   u = 0  on the others

    ∫ ∇u · ∇v - f v dA - ∫ g v ds = 0   for every test function v

The network stands in the weak form where an unknown would stand in a finite element method; there are as many equations
as test functions, piecewise linear on a mesh of triangles, and the loss is their mean square. Only first derivatives of
the network occur, and the flux g needs no loss of its own. The factor x y (1 - y) keeps u = 0 on three sides.

The exact solution is u = sin(πx / 2) sin(πy) + x² y (1 - y).
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax

import jno

π = np.pi


def exact_solution(x, y):
    """The solution at coordinates of jNO."""
    return jno.np.sin(π * x / 2) * jno.np.sin(π * y) + x**2 * y * (1 - y)


def build(epochs=1500, mesh_size=1 / 14, width=32, seed=0):
    """The problem: a core with one constraint, the solution u and the exact solution."""
    domain = jno.domain.rect(mesh_size=mesh_size)
    x, y, _ = domain.variable("interior")
    xr, yr, _ = domain.variable("right")
    domain.tag("held", lambda x, y: (x < 1e-9) | (y < 1e-9) | (y > 1 - 1e-9))
    xh, yh, _ = domain.variable("held")
    v = domain.test_function()

    net = jno.nn(
        foundax.mlp(2, hidden_dims=width, num_layers=3, activation=jax.numpy.tanh, key=jax.random.PRNGKey(seed))
    )
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))

    def trial(x, y):
        return x * y * (1 - y) * net(x, y)

    u = trial(x, y).bind(x=x, y=y).name("u")
    exact = exact_solution(x, y).name("exact")
    source = -exact.laplacian(x, y)
    flux = exact_solution(xr, yr).d(xr)
    vi = v(x, y)
    residuals = jno.fem([u.x * vi.x + u.y * vi.y - source * vi, -flux * v(xr, yr), trial(xh, yh) - 0.0], quad_degree=4)
    return jno.core([residuals.mse.name("residuals")], domain=domain), u, exact


def main(epochs=1500, out="runs/vpinn_poisson", **options):
    """Train, compare with the exact solution on a finer mesh, draw."""
    out = Path(out)
    jno.logger(path=out)
    with jax.enable_x64(True):
        core, u, exact = build(epochs, **options)
        history = core.solve(epochs)

        fine = jno.domain.rect(mesh_size=0.01)
        fine.variable("interior")  # all nodes; by default as many points as were trained on
        u_fine, exact_fine = (values[0, :, 0] for values in core.eval([u, exact], domain=fine))
        core.plot([u, abs(u - exact)], out / "vpinn_poisson.png", losses=True)
    error = float(np.linalg.norm(u_fine - exact_fine) / np.linalg.norm(exact_fine))

    print(f"picture: {out / 'vpinn_poisson.png'}")
    print(f"relative L2 error: {error:.2e}")
    return {"relative_l2": error, "loss": history.total_loss}


if __name__ == "__main__":
    main()
