"""An inverse problem with finite elements: a conductivity field from noisy readings of the temperature.

    -∇·(k ∇u) = 0  in (0, 1)²,   u = 0 on the left,   k ∂u/∂n = 1 on the right,   no flux elsewhere

Given are readings of u at places in the square; the field k is wanted. It is the exponential of a small network of the
coordinates, and every step of the training solves the problem with the k of the moment: `fem.solve()` is an expression
in the loss, and its gradient takes one more solve with the same matrix.

The readings come from a CSV file with the columns x, y, u and one reading a line. The file that is shipped,
data/temperatures.csv, was made by `python examples/fem_inverse.py --write-data temperatures.csv`: quadratic elements on
a finer mesh, k = 1 + 1.5 exp(-20 (x - 0.3)² - 20 (y - 0.6)²) - 0.5 exp(-30 (x - 0.7)² - 30 (y - 0.3)²), and normally
distributed noise of standard deviation 0.005. Put in your own with --data.
"""

import argparse
import csv
import math
import sys
from pathlib import Path

import foundax
import jax
import numpy as np
import optax
from matplotlib.tri import Triangulation

import jno

NOISE = 0.005
DATA = Path(__file__).parent / "data" / "temperatures.csv"
COLUMNS = ("x", "y", "u")


def true_conductivity(x, y, exp=np.exp):
    """The field behind the readings that are shipped."""
    high = exp(-20 * (x - 0.3) ** 2 - 20 * (y - 0.6) ** 2)
    return 1 + 1.5 * high - 0.5 * exp(-30 * (x - 0.7) ** 2 - 30 * (y - 0.3) ** 2)


def heat(domain, conductivity, order=1):
    """The weak problem for a conductivity, a function of coordinates."""
    x, y, _ = domain.variable("interior")
    xl, yl, _ = domain.variable("left")
    xr, yr, _ = domain.variable("right")
    u, v = domain.fem_symbols((), ("u", "v"), order=order)
    k, ui, vi = conductivity(x, y), u(x, y), v(x, y)
    return jno.fem([k * (ui.x * vi.x + ui.y * vi.y), -v(xr, yr), u(xl, yl) - 0.0])


def weights_at(mesh, places):
    """The matrix (N, vertices) that takes values at the vertices of a mesh to those at places (N, 2)."""
    triangulation = Triangulation(*mesh.points.T, mesh.cells)
    corners = mesh.cells[triangulation.get_trifinder()(*places.T)]
    a, b, c = np.moveaxis(mesh.points[corners], 1, 0)
    inside = np.linalg.solve(np.stack([b - a, c - a], axis=-1), (places - a)[..., None])[..., 0]
    matrix = np.zeros((len(places), len(mesh.points)))
    np.put_along_axis(matrix, corners, np.column_stack([1 - inside.sum(axis=1), inside]), axis=1)
    return matrix


def write_sensors(path, count=300, seed=0, mesh_size=1 / 60):
    """Make the CSV file: the solution for the true conductivity at random places, with noise."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0.02, 0.98, (count, 2)).round(3)
    with jax.enable_x64(True):
        domain = jno.domain.rect(mesh_size=mesh_size)
        fem = heat(domain, lambda x, y: true_conductivity(x, y, jno.np.exp), order=2)
        temperatures = fem.nodal_values(fem.solve())
    readings = weights_at(domain.mesh, places) @ temperatures + rng.normal(0, NOISE, count)
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        table.writerows([f"{x:.3f}", f"{y:.3f}", f"{u:.5f}"] for (x, y), u in zip(places, readings, strict=True))


def read_sensors(path=DATA):
    """Readings (N, 3) with the columns x, y, u; a ValueError names the row (line) and column of a mistake."""
    with Path(path).open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        lines = csv.DictReader(stream, skipinitialspace=True)
        rows = [_read_row(f"{path}: row {lines.line_num}", cells) for cells in lines]
    if len(rows) < 10:
        raise ValueError(f"{path}: {len(rows)} readings; a field needs at least ten")
    return np.array(rows)


def _read_row(where, cells):
    row = []
    for name in COLUMNS:
        try:
            value = float(cells.get(name) or "nothing")
        except ValueError:
            raise ValueError(f"{where}, column {name}: a number is needed, got {cells.get(name)!r}") from None
        if not math.isfinite(value) or (name != "u" and not 0 <= value <= 1):
            raise ValueError(f"{where}, column {name}: {value} must be {'finite' if name == 'u' else 'in [0, 1]'}")
        row.append(value)
    return row


def build(sensors, epochs=500, mesh_size=1 / 16, width=32, seed=0):
    """The problem: a core with one constraint, and the conductivity."""
    domain = jno.domain.rect(mesh_size=mesh_size)
    x, y, _ = domain.variable("interior")
    key = jax.random.PRNGKey(seed)
    net = jno.nn(foundax.mlp(2, hidden_dims=width, num_layers=2, activation=jax.numpy.tanh, key=key))
    net.optimizer(jno.optimizers.soap(optax.cosine_decay_schedule(1e-2, epochs)))

    def conductivity(x, y):
        return jno.np.exp(net(2 * x - 1, 2 * y - 1))

    fem = heat(domain, conductivity)
    misfit = weights_at(domain.mesh, sensors[:, :2]) @ fem.solve() - sensors[:, 2]
    return jno.core([misfit.mse.name("readings")], domain=domain), conductivity(x, y)


def main(epochs=500, out="runs/fem_inverse", sensors=None, **options):
    """Train, report the error of k for the data that is shipped, draw."""
    out = Path(out)
    jno.logger(path=out)
    shipped = sensors is None
    sensors = read_sensors() if shipped else sensors
    with jax.enable_x64(True):
        core, k = build(sensors, epochs, **options)
        history = core.solve(epochs)
        fine = jno.domain.rect(mesh_size=0.02)
        fine.variable("interior")
        found = np.asarray(core.eval(k, domain=fine))[0, :, 0]
        x, y, _ = core.domain.variable("interior")
        fields = [k.name("k found, sensors"), true_conductivity(x, y, jno.np.exp).name("k of the data")]
        figure = core.plot(fields[: 1 + shipped], losses=True)
    figure.axes[0].plot(sensors[:, 0], sensors[:, 1], "k.", markersize=2)
    figure.savefig(out / "fem_inverse.png", dpi=150)
    print(f"picture: {out / 'fem_inverse.png'}")
    numbers = {"loss": history.total_loss, "misfit": math.sqrt(history.total_loss)}
    print(f"readings are met to {numbers['misfit']:.4f} (root mean square)")
    if shipped:
        true = true_conductivity(*fine.points.T)
        numbers["relative_l2"] = float(np.linalg.norm(found - true) / np.linalg.norm(true))
        print(f"relative L2 error of the conductivity: {numbers['relative_l2']:.2%}")
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DATA, help="CSV file with the columns x, y, u")
    parser.add_argument("--write-data", metavar="FILE", help="only write the readings that are shipped to FILE")
    arguments = parser.parse_args()
    if arguments.write_data:
        write_sensors(arguments.write_data)
        sys.exit()
    try:
        table = None if arguments.data == DATA else read_sensors(arguments.data)
    except (OSError, ValueError, csv.Error) as error:
        parser.exit(2, f"error: {error}\n")
    main(sensors=table)
