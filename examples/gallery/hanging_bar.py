"""Elasticity in three dimensions: a bar that hangs and stretches under its own weight.

    -div σ = (0, 0, -ρg)  in (0, 1) × (0, 1) × (0, 2),   σ = λ tr(ε) I + 2μ ε,   E = 10, ν = 0.3, ρg = 1

The upper end moves as the exact solution does there, all other faces are free. The displacements are polynomials of
degree two (Timoshenko and Goodier, article 86), which quadratic tetrahedra reproduce to rounding on any mesh: the
strictest test that a code for solids can pass.
"""

import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
E, ν, weight, height = 10.0, 0.3, 1.0, 2.0

# %% tags=["parameters"]
mesh_size, tolerance = 0.5, 1e-10


# %% σ_zz = ρg z is the only stress
def exact(x, y, z):
    """Three components; the middle of the upper end is at rest."""
    sideways = -ν * weight / E * z
    return sideways * x, sideways * y, weight / (2 * E) * (z**2 - height**2 + ν * (x**2 + y**2))


domain = jno.domain.cube((-0.5, 0.5), (-0.5, 0.5), (0, height), mesh_size=mesh_size)
domain.tag("hung", lambda x, y, z: z > height - 1e-9)
x, y, z, _ = domain.variable("interior")
xt, yt, zt, _ = domain.variable("hung")
u, v = domain.fem_symbols((3,), ("u", "v"), order=2)
ui, vi = u(x, y, z), v(x, y, z)

λ, μ = E * ν / ((1 + ν) * (1 - 2 * ν)), E / (2 + 2 * ν)
ε, δ = jno.np.symgrad(ui, (x, y, z)), jno.np.symgrad(vi, (x, y, z))
work = λ * ui.div() * vi.div() + 2 * μ * jno.np.inner(ε, δ, 2)
fixed = [u(xt, yt, zt)[i] - exact(xt, yt, zt)[i] for i in range(3)]
fem = jno.fem([work + weight * vi[2], *fixed])
solution = fem.solve()

# %% at all nodes
displacement = solution.reshape(-1, 3)
reference = np.column_stack(exact(*fem.field_points[0].T))
error = np.abs(displacement - reference).max()
print(f"{fem.dofs} unknowns, largest error {error:.1e}; the lower end sinks by {-displacement[:, 2].min():.3f}")
assert error < tolerance

# %% the picture: sections through the middle
nodes = domain.interpolate(fem.nodal_values(solution, u)[:, 2])
jno.core([]).plot(nodes.name("vertical displacement"), "hanging_bar.png")
