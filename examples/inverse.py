"""An inverse problem: diffusivity and strength of a heat source from noisy sensor readings.

    u_t = k u_xx + a sin(2πx)  on (0, 1) × (0, 1),   u(x, 0) = sin(πx),   u(0, t) = u(1, t) = 0

Given are readings of u at some places and times; k and a are wanted. The network satisfies the initial and boundary
conditions by construction; k and a are trainable parameters of the equation.

The readings come from a CSV file with the columns x, t, u and one reading a line. The file that is shipped,
data/sensors.csv, was made by `python examples/inverse.py --write-data sensors.csv`: the exact solution

    u(x, t) = e^(-kπ²t) sin(πx) + a / (4kπ²) (1 - e^(-4kπ²t)) sin(2πx)

for k = 0.1 and a = 2 with normally distributed noise of standard deviation 0.01. Put in your own with --data.
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

import jno

π = np.pi
DIFFUSIVITY, AMPLITUDE, NOISE = 0.1, 2.0, 0.01
DATA = Path(__file__).parent / "data" / "sensors.csv"
COLUMNS = ("x", "t", "u")
RANGES = {"x": (0.0, 1.0), "t": (0.0, 1.0), "u": (-math.inf, math.inf)}


def exact_solution(x, t, k=DIFFUSIVITY, a=AMPLITUDE):
    """Temperature at (x, t), for arrays that broadcast."""
    source = a / (4 * k * π**2) * (1 - np.exp(-4 * k * π**2 * t))
    return np.exp(-k * π**2 * t) * np.sin(π * x) + source * np.sin(2 * π * x)


def write_sensors(path, places=9, times=20, seed=0):
    """Make the CSV file: readings of the exact solution with noise."""
    noise = np.random.default_rng(seed).normal(0, NOISE, (times, places))
    with Path(path).open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        for i, t in enumerate(np.linspace(0.05, 1, times)):
            for j, x in enumerate(np.linspace(0.1, 0.9, places)):
                table.writerow([f"{x:.2f}", f"{t:.2f}", f"{exact_solution(x, t) + noise[i, j]:.5f}"])


def read_sensors(path=DATA):
    """Readings (N, 3) with the columns x, t, u; a ValueError names the row (line) and column of a mistake."""
    with Path(path).open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        lines = csv.reader(stream)
        header = [name.strip() for name in next(lines, [])]
        for name in COLUMNS:
            if name not in header:
                raise ValueError(f"{path}: row 1, column {name}: missing; the first row must be {','.join(COLUMNS)}")
        places = {name: header.index(name) for name in COLUMNS}
        rows = [_read_row(path, lines.line_num, places, cells) for cells in lines if any(map(str.strip, cells))]
    if len(rows) < 2:
        raise ValueError(f"{path}: row {len(rows) + 2}, column x: missing; two unknowns need at least two readings")
    return np.array(rows, dtype=np.float32)


def _read_row(path, number, places, cells):
    row = []
    for name, place in places.items():
        where = f"{path}: row {number}, column {name}"
        text = cells[place].strip() if place < len(cells) else ""
        if not text:
            raise ValueError(f"{where}: missing")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{where}: {text!r} is not a number") from None
        low, high = RANGES[name]
        if not (math.isfinite(value) and low <= value <= high):
            allowed = "a finite number" if math.isinf(high) else f"between {low:g} and {high:g}"
            raise ValueError(f"{where}: {text} must be {allowed}")
        row.append(value)
    return row


def build(sensors, epochs=6000, points=24, levels=16):
    """The problem: a core with two constraints, temperature u, diffusivity k and amplitude a."""
    domain = jno.domain.line(mesh_size=1 / points, time=(0, 1, levels))
    x, t = domain.variable("interior")
    xs, ts, readings = domain.variable("sensors", sensors, point_data=True, split=True)

    net = jno.nn(foundax.mlp(2, hidden_dims=24, num_layers=3, key=jax.random.PRNGKey(0)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))
    k = jno.np.parameter((1,), name="k").initialize(0.5).optimizer(optax.adam(5e-3))
    a = jno.np.parameter((1,), name="a").initialize(0.5).optimizer(optax.adam(1e-2))

    def temperature(x, t):
        return jno.np.sin(π * x) + t * x * (1 - x) * net(x, t)

    u = temperature(x, t).name("u and sensors")
    residual = u.d(t) - k * u.d2(x) - a * jno.np.sin(2 * π * x)
    misfit = temperature(xs, ts) - readings
    core = jno.core([residual.mse.name("equation"), (10 * misfit.mse).name("sensors")])
    return core, u, k, a


def main(epochs=6000, out="runs/inverse", sensors=None, **options):
    """Train, report k and a (with their errors for the data that is shipped), draw."""
    out = Path(out)
    jno.logger(path=out)
    shipped = sensors is None
    sensors = read_sensors() if shipped else sensors
    core, u, k, a = build(sensors, epochs, **options)
    history = core.solve(epochs, min_consecutive=None)

    figure = core.plot(u, losses=True)
    axes = figure.axes[0]
    image = axes.collections[0]
    x, t, readings = sensors.T
    axes.scatter(t, x, s=12, c=readings, cmap=image.get_cmap(), norm=image.norm, edgecolors="white", linewidths=0.4)
    figure.savefig(out / "inverse.png", dpi=150)
    print(f"picture: {out / 'inverse.png'}")

    numbers = {"k": core.eval(k).item(), "a": core.eval(a).item(), "loss": history.total_loss}
    print(f"diffusivity k = {numbers['k']:.4f}, source amplitude a = {numbers['a']:.4f}")
    if shipped:
        numbers["k_error"] = abs(numbers["k"] / DIFFUSIVITY - 1)
        numbers["a_error"] = abs(numbers["a"] / AMPLITUDE - 1)
        print(f"relative errors: k {numbers['k_error']:.2%}, a {numbers['a_error']:.2%}")
    return numbers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DATA, help="CSV file with the columns x, t, u")
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
