"""Navier-Stokes in a box whose lid moves: finite elements with Newton's method.

    (u·∇)u - ν Δu + ∇p = 0,   div u = 0  in (0, 1)²,   u = (1, 0) on the lid, 0 on the walls,   ν = 1/100

Quadratic velocities, linear pressures. Ghia, Ghia and Shin (1982) give the velocities on the centre lines that
everybody compares with: the horizontal one on the vertical line is listed below.
"""

import jax
import numpy as np
from scipy.interpolate import CubicSpline

import jno

jax.config.update("jax_enable_x64", True)
GHIA = {
    0.0547: -0.03717,
    0.1719: -0.10150,
    0.2813: -0.15662,
    0.4531: -0.21090,
    0.5: -0.20581,
    0.7344: 0.00332,
    0.8516: 0.23151,
    0.9531: 0.68717,
}

# %% tags=["parameters"]
mesh_size, tolerance = 1 / 32, 8e-3

# %% two fields
domain = jno.domain.rect(mesh_size=mesh_size)
domain.tag("lid", lambda x, y: y > 1 - 1e-9)
domain.tag("walls", lambda x, y: (x < 1e-9) | (x > 1 - 1e-9) | (y < 1e-9))
x, y, _ = domain.variable("interior")
xw, yw, _ = domain.variable("walls")
xl, yl, _ = domain.variable("lid")
u, w = domain.fem_symbols((2,), ("u", "w"), order=2)
p, q = domain.fem_symbols((), ("p", "q"))
ui, wi, pi, qi = u(x, y), w(x, y), p(x, y), q(x, y)

inner = jno.np.inner
momentum = inner(ui[0] * ui.x + ui[1] * ui.y, wi) + 0.01 * (inner(ui.x, wi.x) + inner(ui.y, wi.y)) - pi * wi.div()
lid, walls = u(xl, yl) - (1.0, 0.0), u(xw, yw) - (0.0, 0.0)  # in the corners the later holds: nothing leaks there
flow = jno.fem([momentum, qi * ui.div(), lid, walls, p.pin()])
solution = flow.solve()

# %% along the centre line
nodes = flow.field_points[flow.block_index(u)]
line = np.flatnonzero(abs(nodes[:, 0] - 0.5) < 1e-9)
line = line[np.argsort(nodes[line, 1])]
horizontal = CubicSpline(nodes[line, 1], solution[flow.blocks[flow.block_index(u)]].reshape(-1, 2)[line, 0])
error = np.abs(horizontal(list(GHIA)) - list(GHIA.values())).max()
print(f"{flow.dofs} unknowns, largest difference from Ghia et al. on the centre line: {error:.1e}")
assert error < tolerance

# %% the picture
velocity = domain.interpolate(flow.nodal_values(solution, u)).name("velocity")
jno.core([]).plot(velocity, "cavity.png", figsize=(4.8, 4))
