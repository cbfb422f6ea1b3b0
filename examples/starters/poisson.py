"""Poisson's equation on the unit square; change it to your own equation.

-Δu = f  in (0, 1)²,   u = 0  on the boundary,   f = 2π² sin(πx) sin(πy)
"""

import foundax
import jax
import numpy as np
import optax

import jno


def main(epochs=2000):
    """Train, compare with the exact solution, draw poisson.png; return the largest error."""
    # 1. Where: a domain and its points. Other shapes: jno.domain([(x, y), ...]), a mesh file, jno.domain.disk(...)
    domain = jno.domain.rect(mesh_size=0.05)
    x, y, _ = domain.variable("interior")  # the last one is the time, which this problem does not have

    # 2. What is unknown: a network of two coordinates, and how it is trained
    net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=3, key=jax.random.key(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))

    # 3. The solution: the factor is zero on the boundary, so that the condition holds whatever the weights are.
    #    As a loss instead: xb, yb, _ = domain.variable("boundary"), and (net(xb, yb) - value).mse in the list below
    u = (x * (1 - x) * y * (1 - y) * net(x, y)).name("u")

    # 4. The equation: everything on one side is the residual, and its mean square shall become zero
    f = 2 * np.pi**2 * jno.np.sin(np.pi * x) * jno.np.sin(np.pi * y)
    residual = u.laplacian(x, y) + f

    # 5. Put together and train; more conditions are more entries of the list
    core = jno.core([residual.mse.name("equation")])
    core.solve(epochs)

    # 6. Look: any expression can be drawn, and has values at the points of training or at others (domain=...)
    exact = (jno.np.sin(np.pi * x) * jno.np.sin(np.pi * y)).name("exact")
    core.plot([u, u - exact], "poisson.png", losses=True)
    error = float(np.abs(core.eval(u - exact)).max())
    print(f"largest error: {error:.1e}")
    return error


if __name__ == "__main__":
    main()
