"""A neural operator, trained by physics alone: from a conductivity to the temperature.

    -(k(x) u')' = 1  on (0, 1),   u(0) = u(1) = 0,   k(x) = exp(Σ_j c_j sin(jπx)),   j = 1 ... 4

A DeepONet maps the coefficients c to the whole solution u. It sees 200 samples of c and no solution: the loss is the
residual of the equation, and x(1-x) keeps the boundary values. The result is compared with finite differences at a
conductivity that it has not seen.
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax

import jno

π = np.pi
MODES = 4


def conductivity(c, x):
    """k at points x (N,) for coefficients c (4,), with NumPy."""
    return np.exp(sum(c[j] * np.sin((j + 1) * π * x) for j in range(MODES)))


def finite_differences(c, cells=800):
    """Grid x and solution u, second order: fluxes between the nodes, one tridiagonal system."""
    from scipy.linalg import solveh_banded

    h = 1 / cells
    x = np.linspace(0, 1, cells + 1)
    k = conductivity(c, x[:-1] + h / 2)
    bands = np.zeros((2, cells - 1))
    bands[0, 1:] = -k[1:-1] / h**2
    bands[1] = (k[:-1] + k[1:]) / h**2
    u = np.zeros(cells + 1)
    u[1:-1] = solveh_banded(bands, np.ones(cells - 1))
    return x, u


def build(epochs=8000, samples=200, points=40, width=64):
    """The problem: a core with one constraint and the solution u for whatever coefficients the domain carries."""
    domain = samples * jno.domain.line(mesh_size=1 / points)
    x, _ = domain.variable("interior")
    coefficients = np.random.default_rng(0).uniform(-0.5, 0.5, (samples, MODES)).astype(np.float32)
    c = domain.variable("coefficients", coefficients)

    net = jno.nn(
        foundax.deeponet(
            n_sensors=MODES,
            coord_dim=1,
            basis_functions=64,
            hidden_dim=width,
            n_layers=3,
            activation=jax.numpy.tanh,
            key=jax.random.PRNGKey(0),
        )
    )
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))

    u = (x * (1 - x) * net(c, x)).name("DeepONet")
    k = jno.np.exp(sum(c[j] * jno.np.sin((j + 1) * π * x) for j in range(MODES)))
    residual = (k * u.d(x)).d(x) + 1
    return jno.core([residual.mse.name("residual")]), u


def main(epochs=8000, out="runs/deeponet", batchsize=25, **options):
    """Train on mini-batches of coefficient samples, compare at an unseen one, draw."""
    out = Path(out)
    jno.logger(path=out)
    core, u = build(epochs, **options)
    history = core.solve(epochs, batchsize=batchsize)

    unseen = np.array([0.4, -0.3, 0.25, 0.35], dtype=np.float32)
    x, exact = finite_differences(unseen)
    fine = jno.domain.line(mesh_size=1 / (len(x) - 1))
    fine.variable("coefficients", unseen[None])
    u_fine = np.asarray(core.eval(u, domain=fine))[0, :, 0]
    error = float(np.linalg.norm(u_fine - exact) / np.linalg.norm(exact))

    solution = fine.variable("exact", exact[None, None, :, None]).name("finite differences")
    core.plot([solution, u, u - solution], out / "deeponet.png", domain=fine, losses=True)
    print(f"picture: {out / 'deeponet.png'}")
    print(f"relative L2 error at an unseen conductivity: {error:.2e}")
    return {"relative_l2": error, "loss": history.total_loss}


if __name__ == "__main__":
    main()
