"""Mesh in, VTU out: the way between a mesh generator and ParaView.

    -Δu = 0  in a quarter of a ring,   u = 0 on the inner arc (radius 1), u = 1 on the outer one (radius 3)

gmsh draws the geometry and names its arcs; the names of a mesh file are the tags of the domain. The exact solution is
u = ln r / ln 3, and the heat that flows through the inner arc is π / (2 ln 3): the reactions at its nodes.
"""

import jax
import meshio
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
mesh_size, tolerance = 0.1, 1e-3


# %% a mesh file; yours comes from a mesh generator
def ring(model):
    """Quarter of a ring, with names for its arcs."""
    geo = model.geo
    centre = geo.addPoint(0, 0, 0)
    (a, b), (c, d) = ((geo.addPoint(r, 0, 0), geo.addPoint(0, r, 0)) for r in (1, 3))
    inner, outer = geo.addCircleArc(a, centre, b), geo.addCircleArc(c, centre, d)
    loop = geo.addCurveLoop([geo.addLine(a, c), outer, geo.addLine(d, b), -inner])
    metal = geo.addPlaneSurface([loop])
    geo.synchronize()
    for dimension, tag, name in ((1, inner, "inner"), (1, outer, "outer"), (2, metal, "metal")):
        model.addPhysicalGroup(dimension, [tag], name=name)
    return model, 2, mesh_size


jno.domain(ring).export("ring.msh")

# %% the file, and finite elements on it
domain = jno.domain("ring.msh")
xi, yi, _ = domain.variable("inner")
xo, yo, _ = domain.variable("outer")
x, y, _ = domain.variable("interior")
u, v = domain.fem_symbols((), ("u", "v"), order=2)
heat = u(x, y).x * v(x, y).x + u(x, y).y * v(x, y).y
fem = jno.fem([heat, u(xi, yi) - 0.0, u(xo, yo) - 1.0])
solution = fem.solve()
values = fem.nodal_values(solution, u)
domain.export("ring.vtu", fields={"u": values})

# %% what ParaView would read
file = meshio.read("ring.vtu")
radius = np.linalg.norm(file.points, axis=1)
error = np.abs(np.ravel(file.point_data["u"]) - np.log(radius) / np.log(3)).max()
reactions = jno.fem([heat]).residual(solution)
flow = -reactions[np.linalg.norm(fem.field_points[0], axis=1) < 1.01].sum()
print(f"largest error at the nodes {error:.1e}, heat {flow:.5f} (exact {np.pi / 2 / np.log(3):.5f})")
assert error < tolerance
assert abs(flow / (np.pi / 2 / np.log(3)) - 1) < 5 * tolerance

# %% the picture
jno.core([]).plot(domain.interpolate(values).name("u"), "mesh_file.png", figsize=(4.6, 4))
