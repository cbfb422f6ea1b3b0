"""Viscous Burgers equation: a front that steepens at x = 0.

    u_t + u u_x = ν u_xx  on (-1, 1) × (0, 1),   ν = 0.01/π
    u(x, 0) = -sin(πx),   u(-1, t) = u(1, t) = 0

Equation, initial and boundary condition are constraints of their own (soft conditions). Three things make the front,
which is about 0.01 wide, trainable: collocation points that crowd near x = 0; a residual divided by 1 + |u_x| / 2, so
that the few points inside the front do not outweigh all others (Liu et al., "Discontinuity computing using
physics-informed neural networks", 2022); and u(0, t) = 0 as a fourth constraint, which holds because the problem is
odd in x, and keeps the front in its place. Adam finds the shape, L-BFGS the accuracy.

The exact solution is the Cole–Hopf formula, with z = x - η:

    u(x, t) = -∫ sin(πz) f(z) e^(-η²/4νt) dη / ∫ f(z) e^(-η²/4νt) dη,   f(z) = e^(-cos(πz)/2πν)
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax
from matplotlib.figure import Figure

import jno

π = np.pi
NU = 0.01 / π


def exact_solution(x, t, nu=NU, nodes=128):
    """Cole–Hopf solution at points x (N,) and times t (T,), (T, N), by Gauss–Hermite quadrature."""
    node, weight = np.polynomial.hermite.hermgauss(nodes)
    z = x[None, :, None] - np.sqrt(4 * nu * t)[:, None, None] * node
    exponent = -np.cos(π * z) / (2 * π * nu)
    density = weight * np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    return -(np.sin(π * z) * density).sum(axis=-1) / density.sum(axis=-1)


def near_front(points, n):
    """Sampler: the mesh nodes closest to a grid of n points that is three times denser at x = 0 than evenly."""
    s = np.linspace(-1, 1, n)
    return np.abs(points[:, 0] - (0.3 * s + 0.7 * s**3)[:, None]).argmin(axis=1)


def build(nu=NU, points=101, levels=32, width=24, depth=4):
    """The problem: a core with four constraints, its network and the solution u."""
    domain = jno.domain.line((-1, 1), mesh_size=0.005, time=(0, 1, levels))
    x, t = domain.variable("interior", (points, near_front))
    x0, t0 = domain.variable("initial")
    xb, tb = domain.variable("boundary")
    xc, tc = domain.variable("center", where=lambda x: np.isclose(x, 0))

    net = jno.nn(foundax.mlp(2, hidden_dims=width, num_layers=depth, key=jax.random.PRNGKey(0)))
    u = net(x, t)
    u_x = u.d(x)
    residual = (u.d(t) + u * u_x - nu * u.d2(x)) / (1 + 0.5 * jno.np.abs(u_x))
    initial = u(x0, t0) + jno.np.sin(π * x0)
    boundary = u(xb, tb)
    constraints = [
        residual.mse.name("equation"),
        (20 * initial.mse).name("initial"),
        (20 * boundary.mse).name("boundary"),
        (20 * u(xc, tc).mse).name("symmetry"),
    ]
    return jno.core(constraints), net, u


def draw(path, x, t, u, exact, losses):
    """Solution in space and time, profiles against the exact ones, loss history."""
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    image = left.pcolormesh(t, x, u.T, shading="gouraud", cmap="RdBu_r", rasterized=True)
    figure.colorbar(image, ax=left)
    left.set(title="u", xlabel="t", ylabel="x")
    for number, fraction in enumerate((0.25, 0.5, 1.0)):
        level = round(fraction * (len(t) - 1))
        middle.plot(x, exact[level], "k-", linewidth=1, label="exact" if number == 0 else None)
        middle.plot(x, u[level], "--", color=f"C{number}", label=f"t = {t[level]:.2f}")
    middle.set(title="profiles", xlabel="x")
    middle.legend()
    right.semilogy(losses, linewidth=1)
    right.set(title="loss", xlabel="epoch")
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def main(epochs=2000, out="runs/burgers", nu=NU, **options):
    """Train (a quarter of the epochs with Adam, the rest with L-BFGS), compare with the exact solution, draw."""
    out = Path(out)
    jno.logger(path=out)
    core, net, u = build(nu, **options)

    first = max(1, epochs // 4)
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, first)))
    history = core.solve(first, min_consecutive=None)
    if epochs > first:
        net.optimizer(optax.lbfgs())
        history = core.solve(epochs - first, min_consecutive=None)

    grid = jno.domain.line((-1, 1), mesh_size=0.01, time=(0, 1, 101))
    grid.variable("interior")  # all nodes; by default as many points as were trained on
    x, t = grid.points[:, 0], np.linspace(0, 1, 101)
    u_grid = np.asarray(core.eval(u, domain=grid, min_consecutive=None))[0, :, :, 0]
    exact = exact_solution(x, t, nu)
    error = float(np.linalg.norm(u_grid - exact) / np.linalg.norm(exact))

    draw(out / "burgers.png", x, t, u_grid, exact, history.total_loss_history)
    print(f"picture: {out / 'burgers.png'}")
    print(f"relative L2 error: {error:.2e}")
    return {"relative_l2": error, "loss": history.total_loss}


if __name__ == "__main__":
    main()
