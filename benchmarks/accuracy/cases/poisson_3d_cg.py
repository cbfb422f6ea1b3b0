"""Poisson 3d-CG of PINNacle: a cube with four hollow balls and a coefficient that jumps.

    -Δu + k² u = f  in (0, 1)³ without four balls,   ∂u/∂n = 0 on faces and spheres,   k = 8 for z < 1/2, else 10
    f = 20 exp(s_x + s_y + s_z) (|x|² - 1) / (|x|² + 1) + 100 s_x s_y s_z
    with s_x = sin(πx), s_y = sin(10πy), s_z = sin(5πz)
    balls at (0.4, 0.3, 0.6), (0.6, 0.7, 0.6), (0.2, 0.8, 0.7), (0.6, 0.2, 0.3) of radii 0.2, 0.2, 0.1, 0.1

as in the paper's program. Reference: cubic finite elements on tetrahedra of width 0.06, of 0.04 at the spheres, whose
faces are flat; a slow test compares them with quadratic ones on the same mesh. The error is over the
vertices nearest to the nodes of a grid.

Settings, fixed on 2026-12-01 before the first recorded run: the inputs of the network have no slope on the faces of
the cube, so that u has none, and with them the equation makes sense up to the faces: cosines of the coordinates; the
waves of the source as they answer in one dimension, sin(10πy) and sin(5πz) with layers at the ends; and (z - 1/2)|z -
1/2|, because u_zz jumps. The conditions on the spheres count three hundred times; a quarter of the points crowds at the
spheres; energy natural gradients from random weights.
"""

import foundax
import jax
import numpy as np
from scipy.spatial import KDTree
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
CENTRES = np.array([[0.4, 0.3, 0.6], [0.6, 0.7, 0.6], [0.2, 0.8, 0.7], [0.6, 0.2, 0.3]])
RADII = np.array([0.2, 0.2, 0.1, 0.1])
INSIDE, SPHERES, WIDTH, LAYERS, BOUNDARY, LAYER = 2800, 700, 30, 2, 300.0, 12.0


def outside(points):
    """Whether points (N, 3) are in the body."""
    apart = np.linalg.norm(points[:, None] - CENTRES, axis=-1) > RADII
    return np.all(apart, axis=1) & np.all((points > 0) & (points < 1), axis=1)


def collocation(seed):
    """Points inside, and on the spheres with the normals of the body."""
    draws = qmc.Sobol(4, rng=seed).random(2**14)
    share = RADII**2 / (RADII**2).sum()
    ball = np.searchsorted(np.cumsum(share), draws[:, 3], side="right").clip(max=3)
    z, angle = 2 * draws[:, 0] - 1, 2 * π * draws[:, 1]
    ray = np.column_stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z])
    near = CENTRES[ball] + (RADII[ball] + 0.15 * draws[:, 2] ** 2)[:, None] * ray
    even = draws[:, :3][outside(draws[:, :3])]
    inside = np.concatenate([even[: 3 * INSIDE // 4], near[outside(near)][: INSIDE // 4]])
    return inside, (CENTRES[ball] + RADII[ball, None] * ray)[:SPHERES], -ray[:SPHERES]


def source(x, y, z, np=np):
    sx, sy, sz = np.sin(π * x), np.sin(10 * π * y), np.sin(5 * π * z)
    square = x**2 + y**2 + z**2
    return 20 * np.exp(sx + sy + sz) * (square - 1) / (square + 1) + 100 * sx * sy * sz


def inputs(x, y, z):
    """Functions without a slope at 0 and 1."""
    np = jno.np
    s = z - 0.5
    wave_y = np.sin(10 * π * y) - 10 * π / LAYER * np.sinh(LAYER * (y - 0.5)) / np.cosh(LAYER / 2)
    wave_z = np.sin(5 * π * z) + 5 * π / LAYER * np.cosh(LAYER * s) / np.sinh(LAYER / 2)
    cosines = (2 * np.cos(π * x), 2 * np.cos(π * y), 2 * np.cos(π * z), np.cos(10 * π * y))
    return *cosines, wave_y, wave_z, 8 * s * np.abs(s) * (1 - 2 * s**2)


def train(seed: int, limit: Limit) -> Trained:
    inside, spheres, normals = collocation(seed)
    domain = jno.domain.from_array({"interior": inside, "spheres": spheres}, normals={"spheres": normals})
    x, y, z, _ = domain.variable("interior")
    xs, ys, zs, _, n = domain.variable("spheres", normals="vector")
    net = jno.nn(foundax.mlp(7, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    u, us = net(*inputs(x, y, z)), net(*inputs(xs, ys, zs))
    square = jno.np.where(z < 0.5, 64.0, 100.0)
    residual = u.d2(x) + u.d2(y) + u.d2(z) - square * u + source(x, y, z, jno.np)
    core = jno.core([residual.mse, BOUNDARY * us.d(n).mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        points, exact = reference()
        return relative_l2(core.eval(u, domain=jno.domain.from_array({"interior": points})), exact)

    return Trained([net], INSIDE + SPHERES, history.total_loss, error)


def body(size, near):
    """The cube without the balls, meshed with these widths inside and at the spheres; no cell crosses z = 1/2."""

    def draw(geo):
        occ, field = geo.occ, geo.mesh.field
        halves = [(3, occ.addBox(0, 0, height, 1, 1, 0.5)) for height in (0.0, 0.5)]
        balls = [(3, occ.addSphere(*centre, radius)) for centre, radius in zip(CENTRES, RADII, strict=True)]
        parts, _ = occ.cut(halves, balls)
        occ.fragment(parts[:1], parts[1:])
        occ.synchronize()
        curved = [face for _, face in geo.getEntities(2) if geo.getType(2, face) == "Sphere"]
        distance, width = field.add("Distance"), field.add("Threshold")
        field.setNumbers(distance, "FacesList", curved)
        for option, value in {"InField": distance, "SizeMin": near, "SizeMax": size, "DistMax": 0.1}.items():
            field.setNumber(width, option, value)
        field.setAsBackgroundMesh(width)
        return geo, 3, size

    return jno.domain(draw)


def reference(order=3, size=0.06, near=0.04):
    """Evenly spread vertices (V, 3) and the values there (V,)."""
    domain = body(size, near)
    x, y, z, _ = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    ui, vi = u(x, y, z), v(x, y, z)
    square = jno.np.where(z < 0.5, 64.0, 100.0)
    form = ui.x * vi.x + ui.y * vi.y + ui.z * vi.z + square * ui * vi - source(x, y, z, jno.np) * vi
    fem = jno.fem([form], quad_degree=2 * order + 1)
    vertices, values = np.asarray(domain.points), np.asarray(fem.nodal_values(fem.solve(), u)).ravel()
    side = np.linspace(0, 1, 15)
    grid = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3)
    nearest = np.unique(KDTree(vertices).query(grid)[1])
    return vertices[nearest], values[nearest]


CASE = Case("Poisson 3d-CG", train, published=1.02e-1, seconds=240.0)
