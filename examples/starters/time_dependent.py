"""The heat equation on an interval; change it to your own equation in space and time.

u_t = k u_xx  on (0, 1) × (0, 1),   u(x, 0) = sin(πx),   u(0, t) = u(1, t) = 0,   k = 0.1
"""

import foundax
import jax
import numpy as np
import optax

import jno

K = 0.1


def main(epochs=2000):
    """Train, compare with the exact solution, draw time_dependent.png; return the largest error."""
    # 1. Where and when: a domain with eleven levels of time
    domain = jno.domain.line((0, 1), mesh_size=0.05, time=(0, 1, 11))
    x, t = domain.variable("interior")

    # 2. What is unknown: a network of the coordinate and the time
    net = jno.nn(foundax.mlp(2, hidden_dims=24, num_layers=3, key=jax.random.key(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))

    # 3. The solution: initial values, and a factor that is zero at t = 0 and at both ends.
    #    A rate that is given at the start (a wave) is a loss: (u.d(t)(x, 0.0) - rate).mse
    u = (jno.np.sin(np.pi * x) + t * x * (1 - x) * net(x, t)).name("u")

    # 4. The equation; second derivatives by time are u.d2(t)
    residual = u.d(t) - K * u.d2(x)

    # 5. Train on all levels of time at once; without min_consecutive=None each step sees one of them
    core = jno.core([residual.mse.name("equation")])
    core.solve(epochs, min_consecutive=None)

    # 6. Look: profiles at some times, and values at places and times of your own
    core.plot(u, "time_dependent.png", times=[0.0, 0.5, 1.0], losses=True)
    places, times = np.linspace(0, 1, 101)[:, None], np.array([0.0, 0.5, 1.0])
    values = core.eval(u, domain=(places, times), min_consecutive=None)[0, :, :, 0]  # (times, places)
    exact = np.exp(-K * np.pi**2 * times[:, None]) * np.sin(np.pi * places[:, 0])
    error = float(np.abs(values - exact).max())
    print(f"largest error: {error:.1e}")
    return error


if __name__ == "__main__":
    main()
