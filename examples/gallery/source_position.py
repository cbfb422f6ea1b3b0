"""Where is the source? Finite elements in the loss, and two unknown numbers.

    -Δu = exp(-|x - c|² / 2s²) / 2πs²  in (0, 1)²,   u = 0 on the boundary,   s = 0.1,   c unknown

Eight readings of u are known. Every step solves the equation for the c of the moment; its derivative by c costs one
more solve with the same matrix. The readings come from another mesh with quadratic elements, for c = (0.3, 0.65).
"""

import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
TRUE, width = (0.3, 0.65), 0.1

# %% tags=["parameters"]
epochs, tolerance = 25, 1e-2


# %% the problem for a given place
def problem(domain, place, order=1):
    """The system for a source at a place: two numbers, or a parameter with two components."""
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    ui, vi = u(x, y), v(x, y)
    source = jno.np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * width**2)) / (2 * np.pi * width**2)
    return jno.fem([ui.x * vi.x + ui.y * vi.y - source * vi, u(xb, yb) - 0.0], quad_degree=5)


plate = jno.domain.rect(mesh_size=1 / 16)
inside = (plate.points > 0.2).all(axis=1) & (plate.points < 0.8).all(axis=1)
sensors = np.random.default_rng(0).choice(np.flatnonzero(inside), 8, replace=False)  # nodes of the mesh

fine = jno.domain.rect(mesh_size=1 / 30)
truth = problem(fine, TRUE, order=2)
true = fine.interpolate(truth.nodal_values(truth.solve()))
readings = np.asarray(jno.core([]).eval(true, domain=plate.points[sensors]))[0, :, 0]

# %% the place is a parameter
place = jno.np.parameter((2,), name="place").initialize(np.array([0.5, 0.5])).optimizer(jno.optimizers.engd())
solution = problem(plate, place).solve()
misfit = 100 * (solution[sensors] - readings)
core = jno.core([misfit.mse.name("readings")], domain=plate)
history = core.solve(epochs)

position = np.asarray(core.eval(place)).ravel()
error = np.linalg.norm(position - TRUE)
print(f"source at ({position[0]:.4f}, {position[1]:.4f}), true {TRUE}, off by {error:.1e}")
assert error < tolerance

# %% the picture
values = plate.interpolate(np.asarray(core.eval(solution)).ravel())
figure = core.plot(values.name("u"), domain=plate, losses=True)
figure.axes[0].plot(*plate.points[sensors].T, "wo", markersize=4)
figure.axes[0].plot(*position, "r+", markersize=12)
figure.savefig("source_position.png", dpi=150)
