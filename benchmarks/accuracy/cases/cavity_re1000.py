"""The cavity with a moving lid at the Reynolds number 1000: boundary layers, and vortices in the corners.

    (u · ∇) u - Δu / 1000 + ∇p = 0,   ∇ · u = 0   in (0, 1)²
    u = (4x (1 - x), 0) at y = 1,   u = 0 on the other sides,   p(0, 0) = 0

NS 2d-C of PINNacle with a tenth of its viscosity; the goal is set here. The error is that of u, v and p together at the
inner vertices of a mesh of 48 × 48 squares. Reference: finite elements of Taylor and Hood of orders 3 and 2 there; slow
tests compare them with orders 2 and 1, and with a lid of constant speed the profile with that of Ghia, Ghia and Shin
(J. Comput. Phys. 48, 1982).

Settings, fixed on 2026-12-01 before the first recorded run: those of the row with the Reynolds number 100, for a third
of the time at 250, then at 1000; half of the points is denser at all sides, a quarter crowds at the upper corners.
"""

import foundax
import jax
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
REYNOLDS = 1000.0
POINTS, WIDTH, LAYERS, SCALE = 1700, 32, 2, 2.0


def collocation(seed):
    points = qmc.Halton(2, rng=seed).random(POINTS)
    eighth = POINTS // 8
    points[eighth * 4 :] = (1 - np.cos(π * points[eighth * 4 :])) / 2
    points[: 2 * eighth] **= 3  # crowds at the origin
    left, right = points[:eighth], points[eighth : 2 * eighth]
    left[:, 1], right[:] = 1 - left[:, 1], 1 - right
    return np.clip(points, 1e-4, 1 - 1e-4)


def train(seed: int, limit: Limit) -> Trained:
    domain = jno.domain.from_array({"interior": collocation(seed), "corner": np.zeros((1, 2))})
    x, y, _ = domain.variable("interior")
    x0, y0, _ = domain.variable("corner")
    net = jno.nn(foundax.mlp(2, 3, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    out, bubble = net(SCALE * (2 * x - 1), SCALE * (2 * y - 1)), 16 * x * (1 - x) * y * (1 - y)
    u, v, p = 4 * x * (1 - x) * y + bubble * out[..., 0:1], bubble * out[..., 1:2], out[..., 2:3]
    pin = net(SCALE * (2 * x0 - 1), SCALE * (2 * y0 - 1))[..., 2:3]
    near = jno.np.sqrt((x**2 + (1 - y) ** 2) * ((1 - x) ** 2 + (1 - y) ** 2))
    continuity = u.d(x) + v.d(y)
    for reynolds, share in ((250.0, 1 / 3), (REYNOLDS, 1.0)):
        motion_x = near * (u * u.d(x) + v * u.d(y) + p.d(x) - u.laplacian(x, y) / reynolds)
        motion_y = near * (u * v.d(x) + v * v.d(y) + p.d(y) - v.laplacian(x, y) / reynolds)
        core = jno.core([100 * motion_x.mse, 100 * motion_y.mse, continuity.mse, pin.mse])
        history = core.solve(100_000, callbacks=[limit.until(share)])

    def error() -> float:
        places, exact = reference()
        fine = jno.domain.from_array({"interior": places})
        values = [np.ravel(core.eval(field, domain=fine)) for field in (u, v, p)]
        return relative_l2(np.stack(values, axis=1), exact)

    return Trained([net], POINTS, history.total_loss, error)


def reference(order=3, cells=48, speed=None):
    """Inner vertices (V, 2), and u, v and p there (V, 3); of a lid with this function of x as its speed."""
    square = jno.domain.rect(mesh_size=1 / cells)
    square.point_region("corner", (0.0, 0.0))
    x, y, _ = square.variable("interior")
    xb, yb, _ = square.variable("boundary")
    velocity, w = square.fem_symbols((2,), ("velocity", "w"), order=order)
    pressure, q = square.fem_symbols((), ("pressure", "q"), order=order - 1)
    ui, wi, pi, qi = velocity(x, y), w(x, y), pressure(x, y), q(x, y)
    inner, state = jno.np.inner, None
    lid = jno.np.where(yb > 1 - 1e-9, 4 * xb * (1 - xb) if speed is None else speed(xb), 0.0)
    walls = [velocity(xb, yb)[0] - lid, velocity(xb, yb)[1] - 0.0]
    for reynolds in (100.0, 400.0, REYNOLDS):  # Newton's method starts at the flow before
        viscous = (inner(ui.x, wi.x) + inner(ui.y, wi.y)) / reynolds
        motion = inner(ui[0] * ui.x + ui[1] * ui.y, wi) + viscous - pi * wi.div()
        fem = jno.fem([motion, qi * ui.div(), *walls, pressure.pin()])
        state = fem.solve() if state is None else fem.solve(x0=state)
    vertices = np.asarray(square.points)
    p = np.asarray(fem.nodal_values(state, pressure)).ravel()
    p = p - p[np.linalg.norm(vertices, axis=1).argmin()]
    values = np.column_stack([np.asarray(fem.nodal_values(state, velocity)), p])
    inside = np.all((vertices > 1e-9) & (vertices < 1 - 1e-9), axis=1)
    return vertices[inside], values[inside]


CASE = Case("cavity, Re 1000", train, goal=1e-2, seconds=240.0)
