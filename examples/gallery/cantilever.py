"""A cantilever as a plane body: finite elements against the solution of elasticity.

    -div σ = 0  in (0, 8) × (-1, 1),   σ = λ tr(ε) I + 2μ ε   (plane stress),   E = 1000, ν = 0.3

The exact solution for a parabolic shear traction at the end x = 8 (Timoshenko and Goodier, article 21) is prescribed
at the clamped end, where it is not zero: the cross-section warps. Quadratic elements come close on a coarse mesh; the
deflection of beam theory, P L³ / 3EI, is 4 % less, which is the shear.
"""

import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
E, ν, L, c, P = 1000.0, 0.3, 8.0, 1.0, 1.0
inertia = 2 * c**3 / 3

# %% tags=["parameters"]
mesh_size, tolerance = 0.5, 2e-3


# %% the exact displacements; the end deflects by P L³ / 3EI + (4 + 5ν) P c² L / 6EI
def exact(x, y):
    """Both components, for numbers, arrays and expressions; downwards is negative."""
    a = -P / (6 * E * inertia)
    along = -a * y * ((6 * L - 3 * x) * x + (2 + ν) * (y**2 - c**2))
    across = a * (3 * ν * y**2 * (L - x) + (4 + 5 * ν) * c**2 * x + (3 * L - x) * x**2)
    return along, across


domain = jno.domain.rect((0, L), (-c, c), mesh_size=mesh_size)
x, y, _ = domain.variable("interior")
x0, y0, _ = domain.variable("left")
x1, y1, _ = domain.variable("right")
u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
ui, vi = u(x, y), v(x, y)

λ, μ = E * ν / (1 - ν**2), E / (2 + 2 * ν)
εxx, εyy, γ = ui.x[0], ui.y[1], ui.y[0] + ui.x[1]
σxx, σyy, σxy = λ * (εxx + εyy) + 2 * μ * εxx, λ * (εxx + εyy) + 2 * μ * εyy, μ * γ
work = σxx * vi.x[0] + σyy * vi.y[1] + σxy * (vi.y[0] + vi.x[1])
load = P / (2 * inertia) * (c**2 - y1**2) * v(x1, y1)[1]  # the shear force P, downwards
fem = jno.fem([work, load, u(x0, y0)[0] - exact(x0, y0)[0], u(x0, y0)[1] - exact(x0, y0)[1]])
displacement = fem.nodal_values(fem.solve(), u)

# %% at the nodes
reference = np.column_stack(exact(*domain.points.T))
error = np.abs(displacement - reference).max() / np.abs(reference).max()
tip = exact(L, 0.0)[1]
print(f"{fem.dofs} unknowns, end deflection {tip:.4f}, largest relative error {error:.1e}")
assert error < tolerance

# %% the picture
across = domain.interpolate(displacement[:, 1]).name("deflection")
jno.core([]).plot(
    [across, domain.interpolate((displacement - reference)[:, 1]).name("error")], "cantilever.png", share=False
)
