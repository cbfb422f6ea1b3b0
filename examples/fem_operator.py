"""A neural operator that learns from finite elements: from a conductivity to the temperature of an L-shaped plate.

    -∇·(k ∇u) = 1  in the L,   u = 0  on its boundary,   k = exp(c_1 sin(πx) + c_2 sin(πy) + c_3 sin(πx) sin(πy))

The same expressions make the data and pose the problem: the coefficients c are data of the domain with one row for each
sample, so that `fem.solve()` is the solution for every row. A DeepONet, times the distance to the boundary,
learns to map c to u from 300 of them, and is compared with finite elements at 50 others.
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax

import jno

π = np.pi
COEFFICIENTS = 3


def dataset(samples, mesh_size, seed):
    """A domain with one conductivity and its finite element solution in each row; the data as expressions."""
    domain = samples * jno.domain.l_shape(mesh_size=mesh_size)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    coefficients = np.random.default_rng(seed).uniform(-1, 1, (samples, COEFFICIENTS)).astype(np.float32)
    c = domain.variable("coefficients", coefficients)
    sx, sy = jno.np.sin(π * x), jno.np.sin(π * y)
    k = jno.np.exp(c[0] * sx + c[1] * sy + c[2] * sx * sy)
    u, v = domain.fem_symbols()
    ui, vi = u(x, y), v(x, y)
    fem = jno.fem([k * (ui.x * vi.x + ui.y * vi.y) - vi, u(xb, yb) - 0.0])
    solutions = np.asarray(fem.solve().eval())  # (samples, nodes)
    return domain, (c, x, y), domain.variable("solution", solutions[:, None, :, None]).name("finite elements")


def build(epochs=4000, samples=300, mesh_size=0.1, width=64, seed=0):
    """The problem: a core with one constraint, the answer of the network and its error for whatever a domain has."""
    domain, (c, x, y), target = dataset(samples, mesh_size, seed=0)
    distance = domain.distance_function(smooth=True)
    net = jno.nn(
        foundax.deeponet(
            n_sensors=COEFFICIENTS,
            coord_dim=2,
            basis_functions=64,
            hidden_dim=width,
            n_layers=3,
            activation=jax.numpy.tanh,
            key=jax.random.PRNGKey(seed),
        )
    )
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))
    u = (distance * net(c, jno.np.concat([2 * x - 1, 2 * y - 1]))).name("network")
    error = jno.fn.relative_l2(u, target)
    return jno.core([error.name("relative L2")]), u, error


def main(epochs=4000, out="runs/fem_operator", unseen=50, batchsize=50, mesh_size=0.1, **options):
    """Solve, train on mini-batches of the solutions, compare at unseen conductivities, draw the median of them."""
    out = Path(out)
    jno.logger(path=out)
    core, u, error = build(epochs, mesh_size=mesh_size, **options)
    history = core.solve(epochs, batchsize=batchsize)

    domain, _, target = dataset(unseen, mesh_size, seed=1)
    errors = np.asarray(core.eval(error, domain=domain)).ravel()
    mean, median = float(errors.mean()), int(np.argsort(errors)[unseen // 2])
    core.plot([target, u, abs(u - target)], out / "fem_operator.png", domain=domain, sample=median, losses=True)
    print(f"picture: {out / 'fem_operator.png'}")
    print(f"mean relative L2 error at {unseen} unseen conductivities: {mean:.2e}")
    return {"relative_l2": mean, "loss": history.total_loss}


if __name__ == "__main__":
    main()
