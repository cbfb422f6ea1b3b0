"""An unknown coefficient from readings; change it to your own equation and data.

-k u'' = 2  on (0, 1),   u(0) = u(1) = 0,   k unknown,   u measured at ten places
"""

import foundax
import jax
import numpy as np
import optax

import jno

TRUE_K = 0.5  # it made the readings below; training does not see it


def readings():
    """A table with one row for each reading: x, u.

    Of a file: ``np.loadtxt("readings.csv", delimiter=",", skiprows=1)``.
    """
    places = np.linspace(0.05, 0.95, 10)
    noise = np.random.default_rng(0).normal(0, 0.005, 10)
    return np.stack([places, places * (1 - places) / TRUE_K + noise], axis=1)


def main(epochs=2000):
    """Train, print k, draw inverse_problem.png; return the relative error of k."""
    # 1. Where: points of the equation, and the readings with their places
    domain = jno.domain.line(mesh_size=0.05)
    x, _ = domain.variable("interior")
    table = readings()
    xs, measured = domain.variable("sensors", table, point_data=True, split=True)

    # 2. What is unknown: the solution, a network, and the coefficient, a number with an optimizer of its own.
    #    softplus keeps it positive; an unknown field is a second network instead
    net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.key(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
    k = jno.np.parameter((1,), name="k").initialize(1.0).constrain(jax.nn.softplus).optimizer(optax.adam(1e-2))

    # 3. The solution, zero at both ends
    u = (x * (1 - x) * net(x)).name("u")

    # 4. The equation, and the misfit of the readings; weights balance them
    equation = (k * u.d2(x) + 2).mse.name("equation")
    misfit = (10 * (u(xs) - measured)).mse.name("misfit")

    # 5. Train both together
    core = jno.core([equation, misfit])
    core.solve(epochs)

    # 6. Look: the curve, and the readings on it
    figure = core.plot(u, losses=True)
    figure.axes[0].plot(*table.T, "k.", label="readings")
    figure.axes[0].legend()
    figure.savefig("inverse_problem.png")
    found = core.eval(k).item()
    error = abs(found / TRUE_K - 1)
    print(f"k = {found:.4f}, relative error: {error:.1e}")
    return error


if __name__ == "__main__":
    main()
