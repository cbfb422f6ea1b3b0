"""A Fourier neural operator learns Darcy flow from data: from a permeability to the pressure.

    -∇·(a ∇u) = 1  in (0, 1)²,   u = 0  on the boundary

The permeability a is log-normal: log a is a Gaussian random field of standard deviation 0.5, so that a varies about
tenfold. Finite volumes on 32 × 32 cells solve the equation for 500 fields to train on and for 100 others, on which the
network is compared with the solver. The loss is the relative L2 error of a sample; log a is normalised, and the network
is multiplied by a function that vanishes on the boundary and has the size of u.
"""

from pathlib import Path

import foundax
import jax
import numpy as np
import optax
from matplotlib.figure import Figure

import jno

CELLS = 32
DEVIATION = 0.5


def permeabilities(samples, cells, seed=0):
    """Fields a (samples, cells, cells): log a is Gaussian with covariance (9 - Δ)⁻² and homogeneous Neumann conditions.

    Synthesised from cosines (Li et al., "Fourier neural operator for parametric partial differential equations", 2021,
    appendix A.3.2), with the standard deviation DEVIATION.
    """
    from scipy.fft import idctn

    k = np.pi * np.arange(cells)
    amplitude = 1 / (k[:, None] ** 2 + k**2 + 9)
    amplitude[0, 0] = 0  # the mean of log a only scales u
    amplitude *= DEVIATION * cells / np.linalg.norm(amplitude)
    noise = np.random.default_rng(seed).normal(size=(samples, cells, cells))
    return np.exp(idctn(amplitude * noise, axes=(1, 2), norm="ortho"))


def finite_volumes(a, f=1.0):
    """Solution u (n, n) in the cell centres for cell values a (n, n) and f: second order, one sparse direct solve.

    The flux through a face takes the harmonic mean of both cells; the boundary is half a cell from the outer centres.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    n = len(a)
    cell = np.arange(n * n).reshape(n, n)
    diagonal = np.zeros((n, n))
    rows, columns, entries = [cell.ravel()], [cell.ravel()], [diagonal.ravel()]
    for value, index, total in ((a, cell, diagonal), (a.T, cell.T, diagonal.T)):
        face = 2 * value[1:] * value[:-1] / (value[1:] + value[:-1])
        total[1:] += face
        total[:-1] += face
        total[[0, -1]] += 2 * value[[0, -1]]
        for row, column in ((index[1:], index[:-1]), (index[:-1], index[1:])):
            rows.append(row.ravel())
            columns.append(column.ravel())
            entries.append(-face.ravel())
    matrix = coo_array((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))))
    return spsolve(matrix.tocsc(), np.broadcast_to(f, (n, n)).ravel() / n**2, permc_spec="MMD_AT_PLUS_A").reshape(n, n)


def fields(samples, cells, seed):
    """Permeabilities and solutions as images (samples, 1, cells, cells, 1): samples, one time level, grid, channel."""
    a = permeabilities(samples, cells, seed)
    u = np.stack([finite_volumes(field) for field in a])
    return tuple(images[:, None, ..., None].astype(np.float32) for images in (a, u))


def centres(cells):
    """Centres of the cells (cells, cells, 2); the first index of an image is x, the second y."""
    x = (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).astype(np.float32)


def dataset(a, u):
    """A domain with one sample for each pair of images, and its expressions a and u; its points are the centres."""
    samples, _, cells, _, _ = a.shape
    domain = samples * jno.domain.from_array({"cells": centres(cells).reshape(-1, 2)})
    return domain, domain.variable("a", a), domain.variable("u", u)


def build(epochs=1500, samples=500, cells=CELLS, width=16, modes=8, layers=3):
    """The problem: a core with one constraint, the solution u for whatever images a domain has, and its error."""
    images = fields(samples, cells, seed=0)
    _, a, target = dataset(*images)
    x, y = np.moveaxis(centres(cells), -1, 0)[..., None]
    bubble = 16 * x * (1 - x) * y * (1 - y)
    scale = float(np.mean(images[1]) / np.mean(bubble))

    net = jno.nn(
        foundax.fno2d(
            in_features=3,
            hidden_channels=width,
            n_modes=modes,
            n_layers=layers,
            norm=None,
            linear_conv=False,
            key=jax.random.PRNGKey(0),
        )
    )
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))

    u = scale * bubble * net(jno.np.concat([jno.np.log(a) / DEVIATION, x, y]))
    error = jno.fn.relative_l2(u, target)
    return jno.core([error.name("relative L2")]), u, error


def draw(path, a, exact, u, losses):
    """One unseen permeability, its solution, the network's answer and their difference; loss history."""
    figure = Figure(figsize=(17, 3.4), layout="constrained")
    *maps, right = figure.subplots(1, 5)
    limits = {"vmin": 0, "vmax": float(exact.max())}
    panels = (
        (np.log(a), "log a", {"cmap": "cividis"}),
        (exact, "u, finite volumes", limits),
        (u, "u, FNO", limits),
        (np.abs(u - exact), "difference", {"cmap": "magma"}),
    )
    for axes, (values, title, options) in zip(maps, panels, strict=True):
        image = axes.imshow(values.T, origin="lower", extent=(0, 1, 0, 1), **options)
        figure.colorbar(image, ax=axes, format="%.2g")
        axes.set(title=title, xlabel="x", ylabel="y")
    right.semilogy(losses, linewidth=0.5)
    right.set(title="loss", xlabel="epoch")
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def main(epochs=1500, out="runs/darcy_fno", samples=500, unseen=100, batchsize=10, **options):
    """Train on mini-batches of fields, compare at unseen ones, draw the median of them."""
    out = Path(out)
    jno.logger(path=out)
    core, u, error = build(epochs, samples, **options)
    history = core.solve(epochs, batchsize=batchsize)

    a, exact = fields(unseen, options.get("cells", CELLS), seed=1)
    domain, _, _ = dataset(a, exact)
    prediction, errors = core.eval([u, error], domain=domain)
    mean = float(np.mean(errors))

    median = int(np.argsort(errors)[unseen // 2])
    draw(
        out / "darcy_fno.png",
        *(images[median].squeeze() for images in (a, exact, prediction)),
        history.total_loss_history,
    )
    print(f"picture: {out / 'darcy_fno.png'}")
    print(f"mean relative L2 error at {unseen} unseen permeabilities: {mean:.2e}")
    return {"relative_l2": mean, "loss": history.total_loss}


if __name__ == "__main__":
    main()
