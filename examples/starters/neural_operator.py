"""A neural operator, trained by the equation alone: from a load to the solution; change it to your own family.

-u'' = f  on (0, 1),   u(0) = u(1) = 0,   f(x) = c₁ sin(πx) + c₂ sin(2πx) + c₃ sin(3πx)   for any c
"""

import foundax
import jax
import numpy as np
import optax

import jno

MODES, SAMPLES = 3, 64


def main(epochs=3000):
    """Train, compare with the exact solution at a load that was not trained on, draw neural_operator.png."""
    # 1. Where, and how many problems: 64 samples of one interval
    domain = SAMPLES * jno.domain.line(mesh_size=0.05)
    x, _ = domain.variable("interior")

    # 2. Data: one row for each sample. Solutions that you have are data too: domain.variable("u", array)
    loads = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, MODES))
    c = domain.variable("loads", loads)

    # 3. What is unknown: an operator, here a DeepONet of the loads and the coordinate
    module = foundax.deeponet(
        n_sensors=MODES,
        coord_dim=1,
        basis_functions=16,
        hidden_dim=32,
        n_layers=2,
        activation=jax.numpy.tanh,
        key=jax.random.key(0),
    )
    net = jno.nn(module).optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))

    # 4. The solution, zero at both ends, and the equation. With solutions as data: (u - solutions).mse instead
    u = (x * (1 - x) * net(c, x)).name("u")
    f = sum(c[j] * jno.np.sin((j + 1) * np.pi * x) for j in range(MODES))
    residual = u.d2(x) + f

    # 5. Train on mini-batches of samples
    core = jno.core([residual.mse.name("equation")])
    core.solve(epochs, batchsize=16)

    # 6. Look at a load that was not among the samples: a domain with other data
    unseen = np.array([[0.8, -0.5, 0.3]])
    other = jno.domain.line(mesh_size=0.01)
    other.variable("interior")  # all nodes
    other.variable("loads", unseen)
    values = core.eval(u, domain=other)[0, :, 0]
    places = other.points[:, 0]
    waves = np.arange(1, MODES + 1)[:, None] * np.pi
    exact = (unseen.T / waves**2 * np.sin(waves * places)).sum(axis=0)
    figure = core.plot(u, domain=other, losses=True)
    figure.axes[0].plot(places, exact, "k:", label="exact")
    figure.axes[0].legend()
    figure.savefig("neural_operator.png")
    error = float(np.linalg.norm(values - exact) / np.linalg.norm(exact))
    print(f"relative L2 error at an unseen load: {error:.1e}")
    return error


if __name__ == "__main__":
    main()
