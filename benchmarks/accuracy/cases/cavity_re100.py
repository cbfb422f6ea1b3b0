"""NS 2d-C of PINNacle: the cavity with a moving lid at the Reynolds number 100.

    (u · ∇) u - Δu / 100 + ∇p = 0,   ∇ · u = 0   in (0, 1)²
    u = (4x (1 - x), 0) at y = 1,   u = 0 on the other sides,   p(0, 0) = 0

Velocities are continuous at the upper corners, their slopes are not, and the pressure grows there like a logarithm.
The error is that of u, v and p together at the inner vertices of a mesh of 48 × 48 squares. Reference: finite elements
of Taylor and Hood of orders 3 and 2 on that mesh; a slow test compares them with orders 2 and 1.

Settings, fixed on 2026-11-30 before the first recorded run: velocities by construction; a quarter of the points crowds
at either upper corner; the equations of motion are weighed by the distances to these corners, which tames the
logarithm; energy natural gradients from random weights.
"""

import foundax
import jax
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

VISCOSITY = 1e-2
POINTS, WIDTH, LAYERS, SCALE = 1600, 30, 2, 2.0


def collocation(seed):
    points = qmc.Halton(2, rng=seed).random(POINTS)
    quarter = POINTS // 4
    points[: 2 * quarter] **= 3  # crowds at the origin
    left, right = points[:quarter], points[quarter : 2 * quarter]
    left[:, 1], right[:] = 1 - left[:, 1], 1 - right
    return np.clip(points, 1e-4, 1 - 1e-4)


def train(seed: int, limit: Limit) -> Trained:
    points = {"interior": collocation(seed), "corner": np.zeros((1, 2))}
    domain = jno.domain.from_array(points)
    x, y, _ = domain.variable("interior")
    x0, y0, _ = domain.variable("corner")
    net = jno.nn(foundax.mlp(2, 3, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    out, bubble = net(SCALE * (2 * x - 1), SCALE * (2 * y - 1)), 16 * x * (1 - x) * y * (1 - y)
    u, v, p = 4 * x * (1 - x) * y + bubble * out[..., 0:1], bubble * out[..., 1:2], out[..., 2:3]
    pin = net(SCALE * (2 * x0 - 1), SCALE * (2 * y0 - 1))[..., 2:3]
    near = jno.np.sqrt((x**2 + (1 - y) ** 2) * ((1 - x) ** 2 + (1 - y) ** 2))
    motion_x = near * (u * u.d(x) + v * u.d(y) + p.d(x) - VISCOSITY * u.laplacian(x, y))
    motion_y = near * (u * v.d(x) + v * v.d(y) + p.d(y) - VISCOSITY * v.laplacian(x, y))
    continuity = u.d(x) + v.d(y)
    core = jno.core([100 * motion_x.mse, 100 * motion_y.mse, continuity.mse, pin.mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        places, exact = reference()
        values = [np.ravel(core.eval(field, domain=places)) for field in (u, v, p)]
        return relative_l2(np.stack(values, axis=1), exact)

    return Trained([net], POINTS, history.total_loss, error)


def reference(order=3, cells=48):
    """Inner vertices (V, 2), and u, v and p there (V, 3)."""
    square = jno.domain.rect(mesh_size=1 / cells)
    square.point_region("corner", (0.0, 0.0))
    x, y, _ = square.variable("interior")
    xb, yb, _ = square.variable("boundary")
    velocity, w = square.fem_symbols((2,), ("velocity", "w"), order=order)
    pressure, q = square.fem_symbols((), ("pressure", "q"), order=order - 1)
    ui, wi, pi, qi = velocity(x, y), w(x, y), pressure(x, y), q(x, y)
    inner = jno.np.inner
    motion = inner(ui[0] * ui.x + ui[1] * ui.y, wi) + VISCOSITY * (inner(ui.x, wi.x) + inner(ui.y, wi.y))
    lid = jno.np.where(yb > 1 - 1e-9, 4 * xb * (1 - xb), 0.0)
    walls = [velocity(xb, yb)[0] - lid, velocity(xb, yb)[1] - 0.0]
    fem = jno.fem([motion - pi * wi.div(), qi * ui.div(), *walls, pressure.pin()])
    state, vertices = fem.solve(), np.asarray(square.points)
    p = np.asarray(fem.nodal_values(state, pressure)).ravel()
    p = p - p[np.linalg.norm(vertices, axis=1).argmin()]
    values = np.column_stack([np.asarray(fem.nodal_values(state, velocity)), p])
    inside = np.all((vertices > 1e-9) & (vertices < 1 - 1e-9), axis=1)
    return vertices[inside], values[inside]


CASE = Case("NS 2d-C (cavity, Re 100)", train, published=3.60e-2, seconds=240.0)
