"""Heat 2d-CG of PINNacle: a plate that seventeen tubes heat.

    u_t = Δu  in ((-8, 8) × (-12, 12) without 17 disks) × (0, 3),   u = 0 at t = 0,   ∂u/∂n = g - u
    g = 5 on 11 circles of radius 1 at (±4, ±3), (±4, ±9), (0, 0), (0, ±6)
    g = 1 on 6 circles of radius 0.4 at (±3.2, ±6), (±3.2, 0),   g = 0.1 on the sides

Sides and circles begin to heat at once, so that u_t is infinite there at t = 0. What one straight wall does alone is
known (Carslaw and Jaeger, Conduction of Heat in Solids, 1959, 2.7):

    w(d, t; g, h) = g/h (erfc(d/√4t) - exp(hd + h²t) erfc(d/√4t + h√t)),   w_t = w_dd,   -w_d = g - hw at d = 0

A circle of radius R in the plane has almost √(R/r) w(r - R, t; g, 1 + 1/2R): its condition is exact, and u_t - Δu is
-u/4r², without any singularity. The sum over all sides and circles, ``walls``, is built in; alone it is off by 5.6e-2.

Reference: quadratic finite elements on a quarter of the plate, where circles are polygons of 128 sides, on a mesh of
width 0.25, and an L-stable method of second order (Alexander, SIAM J. Numer. Anal. 14, 1977), whose steps double from
2e-5 to 0.01. A slow test compares it with a mesh and steps of twice the size. The error is over the vertices that are
nearest to the nodes of a grid, at 30 times.

Settings, fixed on 2026-12-01 before the first recorded run: u = walls + t network on a quarter of the plate. Inputs of
the network are cos(πx/16) and cos(πy/24), which make it even, √t, and R²/r² of every circle, with its mirror images;
half of the points crowd at the circles, and all in the beginning; the conditions count twenty times; energy natural
gradients from random weights.
"""

import foundax
import jax
import numpy as np
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree
from scipy.special import erfc, erfcx
from scipy.stats import qmc
from shapely.geometry import LineString, Point, box

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
SIZE, END, COLD = np.array([8.0, 12.0]), 3.0, 0.1
TUBES = (
    ((0, 0), 1.0, 5.0),
    ((0, 6), 1.0, 5.0),
    ((4, 3), 1.0, 5.0),
    ((4, 9), 1.0, 5.0),
    ((3.2, 0), 0.4, 1.0),
    ((3.2, 6), 0.4, 1.0),
)
"""Centres, radii and heat of those in the quarter with x, y >= 0; the others are mirror images."""
INSIDE, CIRCLES, SIDES, WIDTH, LAYERS, BOUNDARY = 2600, 700, 200, 32, 2, 20.0


def images(centre):
    return {(a * centre[0], b * centre[1]) for a in (1, -1) for b in (1, -1)}


def in_plate(points):
    """Those in the quarter of the plate, of points (N, 2)."""
    apart = [np.linalg.norm(points - centre, axis=1) > radius for centre, radius, _ in TUBES]
    return np.all([*apart, *(points.T >= 0), *(points.T <= SIZE[:, None])], axis=0)  # noqa: SIM300


def collocation(seed):
    """Points of place and time inside and on circles and sides, and the normals of the latter two, all (N, 3)."""
    draws = qmc.Sobol(4, rng=seed).random(2**15)
    times = END * draws[:, 2] ** 1.5
    even = draws[:, :2] * SIZE
    centres, radii = np.array([tube[0] for tube in TUBES]), np.array([tube[1] for tube in TUBES])
    chosen = (draws[:, 3] * len(TUBES)).astype(int)
    ray = np.column_stack([np.cos(2 * π * draws[:, 0]), np.sin(2 * π * draws[:, 0])])
    near = centres[chosen] + (radii[chosen] + 3 * draws[:, 1] ** 2)[:, None] * ray
    circle = centres[chosen] + radii[chosen, None] * ray
    halves = [np.column_stack([part, times])[in_plate(part)][: INSIDE // 2] for part in (even, near)]
    on = np.all((circle >= 0) & (circle <= SIZE), axis=1)
    right = np.arange(len(times)) % 20 < 12  # by length
    side = np.where(right[:, None], [SIZE[0], 0], [0, SIZE[1]]) + even * np.where(right[:, None], [0, 1], [1, 0])
    outward = np.where(right[:, None], [1.0, 0.0], [0.0, 1.0])
    flat = np.zeros((len(times), 1))
    parts = {"circles": (circle[on], -ray[on], times[on], CIRCLES), "sides": (side, outward, times, SIDES)}
    points = {name: np.column_stack([place, time])[:n] for name, (place, _, time, n) in parts.items()}
    normals = {name: np.column_stack([normal, flat[: len(normal)]])[:n] for name, (_, normal, _, n) in parts.items()}
    return {"interior": np.concatenate(halves), **points}, normals


def wall(d, t, g, h):
    """What one straight wall does at the distance ``d``, and its slope by ``d``."""
    z, outside = d / np.sqrt(4 * t), np.exp(-(d**2) / (4 * t))
    swept = outside * erfcx(z + h * np.sqrt(t))
    return g / h * (erfc(z) - swept), -g * swept


def walls(points):
    """At points (N, 3) of place and time: the sum over sides and circles, its gradient (2, N), and Δ - d/dt of it."""
    place, t = points[:, :2], points[:, 2]
    value, gradient, lack = np.zeros(len(t)), np.zeros((2, len(t))), np.zeros(len(t))
    for axis in (0, 1):
        for sign in (1, -1):
            part, slope = wall(SIZE[axis] - sign * place[:, axis], t, COLD, 1.0)
            value += part
            gradient[axis] -= sign * slope
    for tube, radius, heat in TUBES:
        for centre in images(tube):
            ray = place - centre
            r = np.linalg.norm(ray, axis=1)
            w, slope = wall(r - radius, t, heat, 1 + 1 / (2 * radius))
            part = np.sqrt(radius / r) * w
            value += part
            gradient += (np.sqrt(radius / r) * slope - part / (2 * r)) * ray.T / r
            lack += part / (4 * r**2)
    return value, gradient, lack


def train(seed: int, limit: Limit) -> Trained:
    points, normals = collocation(seed)
    # known values of the points are one more coordinate
    known = {"interior": walls(points["interior"])[2]}
    for tag, normal in normals.items():
        value, gradient, _ = walls(points[tag])
        known[tag] = heat(points[tag]) - value - (gradient * normal.T[:2]).sum(axis=0)
    points = {tag: np.column_stack([points[tag], known[tag]]) for tag in points}
    domain = jno.domain.from_array(points, normals={tag: np.pad(normals[tag], ((0, 0), (0, 1))) for tag in normals})
    net = jno.nn(foundax.mlp(3 + len(TUBES), hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())

    def rest(x, y, t):
        even = (4 * jno.np.cos(π * x / 16) - 2, 6 * jno.np.cos(π * y / 24) - 3)
        near = [
            sum(radius**2 / ((x - a) ** 2 + (y - b) ** 2) for a, b in sorted(images(centre)))
            for centre, radius, _ in TUBES
        ]
        return t * net(*even, 2 * jno.np.sqrt(t) - 2, *near)

    x, y, t, lack, _ = domain.variable("interior")
    c = rest(x, y, t)
    losses = [(c.d(t) - c.d2(x) - c.d2(y) - lack).mse]
    for tag in ("circles", "sides"):
        xb, yb, tb, missing, _, n = domain.variable(tag, normals="vector")
        cb = rest(xb, yb, tb)
        losses.append(BOUNDARY * (cb.d(n) + cb - missing).mse)
    core = jno.core(losses)
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        places, times, exact = reference()
        grid = np.column_stack([np.tile(places, (len(times), 1)), np.repeat(times, len(places))])
        fine = jno.domain.from_array({"interior": np.column_stack([grid, np.zeros(len(grid))])})
        values = np.ravel(core.eval(c, domain=fine)) + walls(grid)[0]
        return relative_l2(values, exact)

    return Trained([net], INSIDE + CIRCLES + SIDES, history.total_loss, error)


def heat(points):
    """What the condition has for g at points (N, 3) of the boundary."""
    g = np.full(len(points), COLD)
    for centre, radius, value in TUBES:
        g[np.linalg.norm(points[:, :2] - centre, axis=1) < 1.01 * radius] = value
    return g


def reference(size=0.25, sides=128, steps=10):
    """Evenly spread vertices (V, 2), times (T,) and the values there (T, V)."""
    quarter = box(0, 0, *SIZE)
    for centre, radius, _ in TUBES:
        quarter = quarter.difference(Point(centre).buffer(radius, quad_segs=sides // 4))
    domain = jno.domain(quarter, name="plate")
    domain.tag("cold", LineString([(SIZE[0], 0), SIZE, (0, SIZE[1])]))
    for number, (centre, radius, _) in enumerate(TUBES):
        domain.tag(f"tube_{number}", Point(centre).buffer(radius, quad_segs=sides // 4).exterior)
    domain.build_mesh(size)
    x, y, _ = domain.variable("interior")
    u, v = domain.fem_symbols((), ("u", "v"), order=2)
    ui, vi = u(x, y), v(x, y)
    terms = [ui.x * vi.x + ui.y * vi.y]
    for tag, g in [("cold", COLD), *((f"tube_{number}", tube[2]) for number, tube in enumerate(TUBES))]:
        xb, yb, _ = domain.variable(tag)
        terms.append((u(xb, yb) - g) * v(xb, yb))
    form, mass = jno.fem(terms), jno.fem([ui * vi]).A_sparse.tocsc()
    stiffness, load = form.A_sparse.tocsc(), np.asarray(form.b)
    vertices = np.asarray(domain.points)
    grid = np.stack(np.meshgrid(*(np.arange(0, side + 0.1, 0.25) for side in SIZE)), axis=-1).reshape(-1, 2)
    nearest = np.unique(KDTree(vertices).query(grid[in_plate(grid)])[1])
    γ, state, values, last = 1 - np.sqrt(0.5), np.zeros(len(load)), [], 0.0
    times = 0.1 * np.arange(1, round(10 * END) + 1)
    for end in [*(0.1 * 0.5 ** np.arange(9, 0, -1)), *times]:
        step = (end - last) / steps
        if last < 0.15:  # later the size stays
            solve = splu(mass + γ * step * stiffness).solve
        for _ in range(steps):
            first = solve(load - stiffness @ state)
            second = solve(load - stiffness @ (state + (1 - γ) * step * first))
            state = state + step * ((1 - γ) * first + γ * second)
        values.append(state[nearest])
        last = end
    return vertices[nearest], times, np.stack(values[-len(times) :])


CASE = Case("Heat 2d-CG", train, published=2.39e-2, seconds=240.0)
