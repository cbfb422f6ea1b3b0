"""A weak form, solved by finite elements and by a network; change it to your own form.

-∇·(k∇u) = 1  in (0, 1)²,   u = 0  on the left,   k ∂u/∂n = 1  on the right,   no flux elsewhere,   k = 1 + x

∫ k ∇u · ∇v - v dA - ∫ v ds = 0   for every test function v
"""

import foundax
import jax
import numpy as np
import optax

import jno


def main(epochs=1500):
    """Solve twice, compare with the exact solution, draw weak_form.png; return both relative errors."""
    jax.config.update("jax_enable_x64", True)  # finite elements want double precision

    # 1. Where: a mesh, and the parts of the boundary that have conditions
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    xl, yl, _ = domain.variable("left")
    xr, yr, _ = domain.variable("right")

    # 2. The form: terms with the test function v, and conditions; .x and .y are derivatives
    def form(u, v, condition):
        ui, vi = u(x, y).bind(x=x, y=y), v(x, y).bind(x=x, y=y)
        return jno.fem([(1 + x) * (ui.x * vi.x + ui.y * vi.y) - vi, -1.0 * v(xr, yr), condition])

    # 3. Finite elements: the unknown is a symbol, and one linear solve gives the values at the nodes
    u, v = domain.fem_symbols(order=2)
    problem = form(u, v, u(xl, yl) - 0.0)
    elements = problem.nodal_values(problem.solve(), u)

    # 4. A network in its place: the residuals for all test functions are a loss. The factor x is zero on the left
    net = jno.nn(foundax.mlp(2, hidden_dims=16, num_layers=2, key=jax.random.key(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, epochs)))

    def solution(x, y):
        return x * net(x, y)

    residuals = form(solution, domain.test_function(), net(xl, yl) - 0.0)
    core = jno.core([residuals.mse.name("residuals")], domain=domain)
    core.solve(epochs)
    network = core.eval(solution(x, y))[0, :, 0]

    # 5. Look: the flux k u' = 2 - x, integrated, is the exact solution
    pair = [domain.interpolate(elements).name("elements"), solution(x, y).name("network")]
    core.plot(pair, "weak_form.png", losses=True)
    places = domain.points[:, 0]
    exact = 3 * np.log(1 + places) - places
    errors = [float(np.linalg.norm(v.ravel() - exact) / np.linalg.norm(exact)) for v in (elements, network)]
    print(f"relative L2 errors: finite elements {errors[0]:.1e}, network {errors[1]:.1e}")
    return errors


if __name__ == "__main__":
    main()
