"""Viscous Burgers equation to four digits: Adam, then a self-scaled Broyden method in double precision.

    u_t + u u_x = ν u_xx  on (-1, 1) × (0, 1),   ν = 0.01/π
    u(x, 0) = -sin(πx),   u(-1, t) = u(1, t) = 0

    u = -sin(πx) + t (1 - x²) net(x, t)

has the initial and boundary values whatever the weights are, so the residual of the equation is the only loss. Adam
finds a valley, `jno.optimizers.ssbroyden` follows it to the bottom: a second `solve` after the optimizer was replaced.
Half of the points crowd near x = 0, where a front about 0.01 wide forms. Time is the second coordinate of a point
cloud, so that every point has its own. Urbán, Stefanou and Pons, "Unveiling the optimization process of physics
informed neural networks", J. Comput. Phys. 523 (2025), solve this problem with the same method.

The exact solution is the Cole–Hopf formula, with z = x - η:

    u(x, t) = -∫ sin(πz) f(z) e^(-η²/4νt) dη / ∫ f(z) e^(-η²/4νt) dη,   f(z) = e^(-cos(πz)/2πν)
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax
from scipy.stats import qmc

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


def collocation(count, seed=0):
    """Points (count, 2) of x and t: half of them spread evenly, half within the front, from t = 0.2 on."""
    even, front = (qmc.Halton(2, rng=seed + half).random(count // 2) for half in (0, 1))
    even[:, 0] = 2 * even[:, 0] - 1
    front[:, 0] = np.sinh(5 * (2 * front[:, 0] - 1)) / np.sinh(5)
    front[:, 1] = 0.2 + 0.8 * front[:, 1]
    return np.concatenate([even, front])


def build(points=4000, nu=NU, seed=0):
    """The problem: a core with one constraint, the network and the solution u."""
    domain = jno.domain.from_array({"interior": collocation(points, seed)})
    x, t, _ = domain.variable("interior")
    t.name("t")

    net = jno.nn(foundax.mlp(2, hidden_dims=20, num_layers=3, key=jax.random.PRNGKey(seed)))
    u = (-jno.np.sin(π * x) + t * (1 - x**2) * net(x, t)).name("u")
    equation = u.d(t) + u * u.d(x) - nu * u.d2(x)
    return jno.core([equation.mse.name("equation")]), net, u


def main(epochs=3000, out="runs/burgers_ssbroyden", adam=1500, points=4000, nu=NU, seed=0):
    """Train with Adam for `adam` epochs, then with SSBroyden for `epochs`, compare on a grid, draw."""
    out = Path(out)
    jno.logger(path=out)
    with jax.enable_x64(True):
        core, net, u = build(points, nu, seed)
        net.optimizer(optax.adam(optax.exponential_decay(5e-3, 1000, 0.8)))
        core.solve(adam)
        net.optimizer(jno.optimizers.ssbroyden())
        history = core.solve(epochs)

        x, t = np.linspace(-1, 1, 201), np.linspace(0, 1, 101)
        grid = np.stack(np.meshgrid(x, t), axis=-1).reshape(-1, 2)
        fine = jno.domain.from_array({"interior": grid})
        u_grid = np.asarray(core.eval(u, domain=fine)).reshape(len(t), len(x))
        exact = exact_solution(x, t, nu)
        solution = fine.variable("exact", exact.reshape(1, 1, -1, 1))
        core.plot([u, abs(u - solution)], out / "burgers_ssbroyden.png", domain=fine, cmap="RdBu_r", losses=True)
    error = float(np.linalg.norm(u_grid - exact) / np.linalg.norm(exact))

    print(f"picture: {out / 'burgers_ssbroyden.png'}")
    print(f"relative L2 error: {error:.2e}")
    return {"relative_l2": error, "loss": history.total_loss}


if __name__ == "__main__":
    main()
