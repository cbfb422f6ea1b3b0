"""One problem, three methods: strong form, weak form, finite elements, where a coefficient jumps.

    -(k u')' = 1  on (0, 1),   u(0) = u(1) = 0,   k = 1 left of 1/2, 10 right of it

The strong form asks for k u'' = -1 at points, which says nothing about the jump: the network solves another problem.
The weak form holds k u' together, by itself, with the same network, which sees |x - 1/2| and so can have the kink that
this needs. Finite elements of order two are exact here, as the solution is a parabola on every cell.
"""

import foundax
import jax
import numpy as np
import optax

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 1500, 0.05

# %% the exact solution: two parabolas with equal flux k u'(1/2) = q - 1/2
q = (1 / 8 + 3 / 80) / (1 / 2 + 1 / 20)
solution = lambda x: np.where(x < 0.5, q * x - x**2 / 2, (q * (x - 1) - (x**2 - 1) / 2) / 10)  # noqa: E731
domain = jno.domain.line(mesh_size=0.05)
x, _ = domain.variable("interior")
xb, _ = domain.variable("boundary")
k = jno.np.where(x < 0.5, 1.0, 10.0)


def network():
    """A trial function that vanishes at both ends, and can have a kink in the middle."""
    net = jno.nn(foundax.mlp(2, hidden_dims=24, num_layers=2, key=jax.random.key(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))
    return lambda x: x * (1 - x) * net(x, abs(x - 0.5))


# %% the strong form at points, the weak form with piecewise linear test functions; both networks train side by side
strong, weak = network(), network()
residual = k * strong(x).d2(x) + 1
w, v = weak(x).bind(x=x), domain.test_function()(x)
residuals = 100 * jno.fem([k * w.x * v.x - v, weak(xb) - 0.0], quad_degree=6)  # one for every node inside
core = jno.core([residual.mse.name("strong"), residuals.mse.name("weak")], domain=domain)
core.solve(epochs)

# %% finite elements
u, v = domain.fem_symbols((), ("u", "v"), order=2)
fem = jno.fem([k * u(x).x * v(x).x - v(x), u(xb) - 0.0])
elements = domain.interpolate(fem.nodal_values(fem.solve(), u)).name("finite elements")

# %% three errors
places = np.linspace(0, 1, 21)[:, None]  # nodes of the mesh
exact = solution(places)
fields = [strong(x).name("strong form"), weak(x).name("weak form"), elements]
values = [np.asarray(core.eval(field, domain=places))[0] for field in fields]
errors = [np.abs(value - exact).max() / exact.max() for value in values]
print("largest relative errors: strong {:.1e}, weak {:.1e}, finite elements {:.1e}".format(*errors))
assert errors[0] > 0.1
assert errors[1] < tolerance
assert errors[2] < 1e-10

# %% the picture
figure = core.plot(fields)
figure.axes[0].plot(places, exact, "k.", label="exact")
figure.axes[0].legend()
figure.savefig("three_ways.png", dpi=150)
