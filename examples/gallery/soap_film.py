"""A soap film between two rings: a minimal surface, by finite elements and Newton's method.

    div(∇u / √(1 + |∇u|²)) = 0  in the ring 1.2 < r < 3,   u = arcosh r on both circles

The film is a catenoid, u = arcosh r (Euler 1744), and its area is known. The equation is not linear; its derivative,
which Newton's method needs, is made from the same line.
"""

import jax
import numpy as np
from shapely.geometry import Point

import jno

jax.config.update("jax_enable_x64", True)
r1, r2 = 1.2, 3.0

# %% tags=["parameters"]
mesh_size, tolerance = 0.2, 2e-3

# %% a ring, meshed by gmsh
circle = lambda r: Point(0, 0).buffer(r, quad_segs=round(6 / mesh_size))  # noqa: E731
domain = jno.domain(circle(r2), name="outer") - jno.domain(circle(r1), name="hole")
domain.build_mesh(mesh_size)
x, y, _ = domain.variable("interior")
xb, yb, _ = domain.variable("boundary")
u, v = domain.fem_symbols((), ("u", "v"), order=2)
ui, vi = u(x, y), v(x, y)

stretch = jno.np.sqrt(1 + ui.x**2 + ui.y**2)
catenoid = jno.np.arccosh(jno.np.sqrt(xb**2 + yb**2))
condition = u(xb, yb) - catenoid
harmonic = jno.fem([ui.x * vi.x + ui.y * vi.y, condition]).solve()  # where Newton's method starts
film = jno.fem([(ui.x * vi.x + ui.y * vi.y) / stretch, condition])
height = film.nodal_values(film.solve(x0=harmonic), u)

# %% heights and area
exact = np.arccosh(np.linalg.norm(domain.points, axis=1))
error = np.abs(height - exact).max()
surface = domain.interpolate(height)
area = jno.core([]).eval(jno.np.sqrt(1 + surface.d(x) ** 2 + surface.d(y) ** 2).integrate()).item()
profile = np.linspace(r1, r2, 20001)
known = 2 * np.pi * np.trapezoid(profile * profile / np.sqrt(profile**2 - 1), profile)
print(f"{film.dofs} unknowns, largest error {error:.1e}, area {area:.3f} (exact {known:.3f})")
assert error < tolerance
assert abs(area / known - 1) < 0.02

# %% the picture
jno.core([]).plot(surface.name("height of the film"), "soap_film.png", figsize=(4.8, 4))
