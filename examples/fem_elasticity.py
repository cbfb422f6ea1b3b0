"""Finite elements: a plate with a circular hole in tension, and the stress at the hole.

    -div σ = 0,   σ = λ tr(ε) I + 2μ ε,   ε = (∇u + ∇uᵀ) / 2      (plane stress)

A wide plate is pulled along x with the stress 1. A quarter of it is computed, [0, 4]² without the disk of radius 1: on
the left and at the bottom it may slide along its planes of symmetry, the hole is free, and on the outer sides act the
tractions that the wide plate has there. Displacements are quadratic on triangles. The stress is a second unknown of the
same system, the continuous field nearest to what the displacements give.

Kirsch (1898) solved the problem in closed form. The largest stress, at the top of the hole, is three times the one that
pulls.
"""

from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation
from shapely.geometry import Point, box

import jno

YOUNG, POISSON, SIZE = 1000.0, 0.3, 4.0
LAMBDA, MU = YOUNG * POISSON / (1 - POISSON**2), YOUNG / (2 + 2 * POISSON)


def kirsch(x, y):
    """Stresses σ_xx, σ_yy, σ_xy around a hole of radius 1; for numbers, arrays and expressions."""
    q = 1 / (x**2 + y**2)
    c2, s2 = (x**2 - y**2) * q, 2 * x * y * q  # cosine and sine of twice the angle
    c4, s4 = c2**2 - s2**2, 2 * c2 * s2
    σxx = 1 - q * (1.5 * c2 + c4) + 1.5 * q**2 * c4
    σyy = -q * (0.5 * c2 - c4) - 1.5 * q**2 * c4
    σxy = -q * (0.5 * s2 + s4) + 1.5 * q**2 * s4
    return σxx, σyy, σxy


def build(mesh_size=0.2):
    """The problem, and the symbols of displacement and stress."""
    plate = jno.domain(box(0, 0, SIZE, SIZE), name="plate")
    hole = jno.domain(Point(0, 0).buffer(1, quad_segs=round(20 / mesh_size)), name="hole")
    domain = plate - hole
    domain.build_mesh(mesh_size, sizes={"hole": mesh_size / 12})
    domain.tag("left", lambda x, y: x < 1e-9)
    domain.tag("bottom", lambda x, y: y < 1e-9)
    domain.tag("pulled", lambda x, y: np.maximum(x, y) > SIZE - 1e-9)

    x, y, _ = domain.variable("interior")
    xl, yl, _ = domain.variable("left")
    xb, yb, _ = domain.variable("bottom")
    xp, yp, _, nx, ny = domain.variable("pulled", normals=True, split=True)

    u, v = domain.fem_symbols((2,), ("u", "v"), order=2)
    s, w = domain.fem_symbols((), ("s", "w"), order=2)
    ui, vi = u(x, y), v(x, y)
    εxx, εyy, εxy = ui.x[0], ui.y[1], (ui.y[0] + ui.x[1]) / 2
    σxx, σyy, σxy = LAMBDA * (εxx + εyy) + 2 * MU * εxx, LAMBDA * (εxx + εyy) + 2 * MU * εyy, 2 * MU * εxy
    txx, tyy, txy = kirsch(xp, yp)

    fem = jno.fem(
        [
            σxx * vi.x[0] + σyy * vi.y[1] + σxy * (vi.y[0] + vi.x[1]),
            -((txx * nx + txy * ny) * v(xp, yp)[0] + (txy * nx + tyy * ny) * v(xp, yp)[1]),
            u(xl, yl)[0] - 0.0,
            u(xb, yb)[1] - 0.0,
            (s(x, y) - σxx) * w(x, y),
        ]
    )
    return fem, u, s


def draw(path, fem, displacement, stress, along):
    """The deformed plate with its stress, and the stress above the hole."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    points = fem.mesh.points + 100 * displacement
    image = left.tripcolor(Triangulation(*points.T, fem.mesh.cells), stress, shading="gouraud", rasterized=True)
    figure.colorbar(image, ax=left)
    left.set(title=r"$\sigma_{xx}$, displacements × 100", xlabel="x", ylabel="y", aspect="equal")
    y, values = along
    fine = np.linspace(1, SIZE, 300)
    right.plot(fine, kirsch(0 * fine, fine)[0], "k-", linewidth=1, label="Kirsch")
    right.plot(y, values, "C1.", label="finite elements")
    right.set(title=r"$\sigma_{xx}$ on $x = 0$", xlabel="y")
    right.legend()
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def main(out="runs/fem_elasticity", **options):
    """Solve, compare with the closed form, draw."""
    out = Path(out)
    jno.logger(path=out)
    with jax.enable_x64(True):
        fem, u, s = build(**options)
        solution = fem.solve()
    stress, points = solution[fem.blocks[fem.block_index(s)]], fem.field_points[fem.block_index(s)]
    exact = kirsch(*points.T)[0]
    error = float(np.linalg.norm(stress - exact) / np.linalg.norm(exact))
    concentration = float(stress[np.linalg.norm(points - [0, 1], axis=1).argmin()])

    above = np.flatnonzero(points[:, 0] < 1e-9)
    draw(
        out / "fem_elasticity.png",
        fem,
        fem.nodal_values(solution, u),
        fem.nodal_values(solution, s),
        (points[above, 1], stress[above]),
    )
    print(f"picture: {out / 'fem_elasticity.png'}")
    print(f"{fem.dofs} unknowns, mean relative error of the stress: {error:.2e}")
    print(f"stress at the top of the hole: {concentration:.3f} (Kirsch: 3)")
    return {"concentration": concentration, "relative_l2": error, "dofs": fem.dofs}


if __name__ == "__main__":
    main()
