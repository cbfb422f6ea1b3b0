"""Finite elements: the flow around a cylinder in a channel, and the forces on it.

    (u · ∇) u - ν Δu + ∇p = 0,   ∇ · u = 0   in (0, 2.2) × (0, 0.41) without a disk

The steady benchmark 2D-1 of Schäfer and Turek, "Benchmark computations of laminar flow around a cylinder" (1996): a
parabolic inflow with the mean velocity 0.2, ν = 0.001, and a cylinder of diameter 0.1 at (0.2, 0.2), so that the
Reynolds number is 20; nothing is prescribed at the outflow. Velocities are quadratic, pressures linear on triangles.
Newton's method starts from rest.

The forces are the residuals of the momentum equation at the nodes of the cylinder: what holds the fluid there. Compared
are drag, lift and the difference of the pressures in front of the cylinder and behind with the values of Nabh,
"On high order methods for the stationary incompressible Navier-Stokes equations" (1998).
"""

from pathlib import Path

import jax
import numpy as np
from shapely.geometry import Point, box

import jno

VISCOSITY, MEAN, LENGTH, HEIGHT = 1e-3, 0.2, 2.2, 0.41
CENTRE, RADIUS = np.array([0.2, 0.2]), 0.05
PUBLISHED = {"drag": 5.57953523384, "lift": 0.010618948146, "pressure_difference": 0.11752016697}


def channel(mesh_size=0.025, segments=256):
    """The channel without the cylinder, which is a polygon of that many segments."""
    cylinder = jno.domain(Point(CENTRE).buffer(RADIUS, quad_segs=segments // 4), name="cylinder")
    domain = jno.domain(box(0, 0, LENGTH, HEIGHT), name="channel") - cylinder
    domain.build_mesh(mesh_size, sizes={"cylinder": 2 * np.pi * RADIUS / segments})
    domain.tag("inflow", lambda x, y: x < 1e-9)
    domain.tag("walls", lambda x, y: (y < 1e-9) | (y > HEIGHT - 1e-9))
    return domain


def build(domain):
    """The equations, the conditions, and the symbols of velocity and pressure."""
    x, y, _ = domain.variable("interior")
    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    p, q = domain.fem_symbols((), ("p", "q"), order=1)
    ui, vi, pi, qi = u(x, y), v(x, y), p(x, y), q(x, y)

    inner = jno.np.inner
    advection = ui[0] * ui.x + ui[1] * ui.y
    momentum = inner(advection, vi) + VISCOSITY * (inner(ui.x, vi.x) + inner(ui.y, vi.y)) - pi * vi.div()
    continuity = ui.div() * qi

    xi, yi, _ = domain.variable("inflow")
    xw, yw, _ = domain.variable("walls")
    xc, yc, _ = domain.variable("boundary_cylinder")
    profile = 6 * MEAN * yi * (HEIGHT - yi) / HEIGHT**2
    conditions = [u(xi, yi)[0] - profile, u(xi, yi)[1] - 0.0, u(xw, yw) - (0.0, 0.0), u(xc, yc) - (0.0, 0.0)]
    return [momentum, continuity], conditions, u, p


def forces(fem, equations, solution, u):
    """Force of the fluid on the cylinder, (2,): the equations without conditions, at the nodes of the cylinder."""
    residual = jno.fem(equations).residual(solution)[fem.blocks[fem.block_index(u)]].reshape(-1, 2)
    points = fem.field_points[fem.block_index(u)]
    on_cylinder = np.linalg.norm(points - CENTRE, axis=1) < RADIUS * (1 + 1e-9)
    return -residual[on_cylinder].sum(axis=0)


def main(out="runs/fem_cylinder_flow", **options):
    """Solve, compare the forces with the published ones, draw."""
    out = Path(out)
    jno.logger(path=out)
    with jax.enable_x64(True):
        domain = channel(**options)
        equations, conditions, u, p = build(domain)
        fem = jno.fem([*equations, *conditions])
        solution = fem.solve()
        force = forces(fem, equations, solution, u)
    pressure = fem.nodal_values(solution, p)
    front, back = (
        pressure[np.linalg.norm(domain.points - CENTRE - (side, 0), axis=1).argmin()] for side in (-RADIUS, RADIUS)
    )
    drag, lift = 2 * force / (MEAN**2 * 2 * RADIUS)
    numbers = {"drag": float(drag), "lift": float(lift), "pressure_difference": float(front - back)}

    speed = jno.np.norm(domain.interpolate(fem.nodal_values(solution, u)), axis=-1)
    fields = [speed.name("speed"), domain.interpolate(pressure).name("pressure")]
    jno.core([]).plot(fields, out / "fem_cylinder_flow.png", share=False)
    print(f"picture: {out / 'fem_cylinder_flow.png'}")
    print(f"{fem.dofs} unknowns")
    for name, value in numbers.items():
        print(f"{name.replace('_', ' '):19} {value:.6f}   published {PUBLISHED[name]:.6f}")
    return {**numbers, "dofs": fem.dofs}


if __name__ == "__main__":
    main()
