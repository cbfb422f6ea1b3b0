"""Uncertainty: a Bayesian network for Poisson's equation with a noisy source and noisy boundary values.

    -u'' = f  on (0, 1),   u(0) and u(1) given

Known are 24 readings of f with noise of standard deviation 1 and 8 readings of u at each end with noise of 0.1. Every
set of weights that explains them within the noise is a possible answer; Hamiltonian Monte Carlo draws weights from
their posterior, and the draws of u show how much is known of it. This is the B-PINN of Yang, Meng and Karniadakis,
"B-PINNs: Bayesian physics-informed neural networks for forward and inverse PDE problems with noisy data", J. Comput.
Phys. 425, 109913 (2021), with the network 1-16-16-1.

The exact solution is u = sin(πx) + sin(3πx) / 2.
"""

from pathlib import Path

import blackjax
import foundax
import jax
import numpy as np
import optax
from matplotlib.figure import Figure

import jno

π = np.pi
SOURCE_NOISE, BOUNDARY_NOISE = 1.0, 0.1
PLACES, REPEATS = 24, 8
CHAINS = 2
START = 1500
"""Epochs of Adam, which finds where the chains start."""


def exact_solution(x):
    """u at points x."""
    return np.sin(π * x) + np.sin(3 * π * x) / 2


def source(x):
    """f at points x."""
    return π**2 * (np.sin(π * x) + 9 * np.sin(3 * π * x) / 2)


def read_noisy(seed=0):
    """Places (N,) and readings (N,) of f, then of u at the ends."""
    random = np.random.default_rng(seed)
    x, ends = np.linspace(0, 1, PLACES), np.repeat([0.0, 1.0], REPEATS)
    f = source(x) + random.normal(0, SOURCE_NOISE, PLACES)
    return x, f, ends, exact_solution(ends) + random.normal(0, BOUNDARY_NOISE, len(ends))


def build(readings, width=16):
    """The problem: a core with two constraints, the network, and what is drawn: the solution u and its source -u''.

    The loss is the mean over constraints, so each is twice its negative log likelihood.
    """
    x, f, ends, values = (np.asarray(column, dtype=np.float32) for column in readings)
    domain = jno.domain.from_array({"inside": x[:, None], "ends": ends[:, None]})
    xi, _ = domain.variable("inside")
    xb, _ = domain.variable("ends")
    f, values = (domain.variable(n, v[None, None, :, None]) for n, v in (("f", f), ("values", values)))

    net = jno.nn(foundax.mlp(1, hidden_dims=width, num_layers=2, key=jax.random.PRNGKey(0)), name="net")
    equation = (-net(xi).d2(xi) - f) / SOURCE_NOISE
    boundary = (net(xb) - values) / BOUNDARY_NOISE
    core = jno.core(
        [(PLACES * equation.mse).name("equation"), (2 * REPEATS * boundary.mse).name("boundary")], domain=domain
    )
    return core, net, (net(xi), -net(xi).d2(xi))


def sample(core, net, draws, **options):
    """Train until the network explains the readings, then sample its weights with chains that start there.

    Options of `bayesian` replace those chosen here.
    """
    net.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, START)))
    core.solve(START)
    chosen = {
        "prior": jno.bayesian.priors.layerwise_gaussian(base_sigma=3.0, default_sigma=3.0),
        "num_integration_steps": 50,
        "warmup": 500,
        "num_chains": CHAINS,
    }
    net.bayesian(blackjax.hmc, keep=draws, **{**chosen, **options})
    return core.solve(draws)


def band(draws):
    """Lower and upper end of the central 95 % of draws (chains, draws, N)."""
    return np.quantile(draws, [0.025, 0.975], axis=(0, 1))


def draw(path, x, u, f, readings):
    """Solution and source with bands, exact values and readings; error and standard deviation of u."""
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    axes = figure.subplots(1, 3)
    places, values_f, ends, values_u = readings
    panels = (("u", u, exact_solution(x), ends, values_u), ("f = −u″", f, source(x), places, values_f))
    for panel, (title, draws, exact, where, values) in zip(axes, panels, strict=False):
        panel.fill_between(x, *band(draws), alpha=0.3, label="95 % of the draws")
        panel.plot(x, draws.mean(axis=(0, 1)), "C0", label="mean")
        panel.plot(x, exact, "k--", linewidth=1, label="exact")
        panel.plot(where, values, "C3.", markersize=4, label="readings")
        panel.set(title=title, xlabel="x")
    axes[0].legend(loc="lower center")
    center = u.mean(axis=(0, 1))
    axes[2].fill_between(x, *(band(u) - center), alpha=0.3, label="95 % of the draws")
    axes[2].plot(x, exact_solution(x) - center, "k--", linewidth=1, label="exact")
    axes[2].set(title="u minus its mean", xlabel="x")
    axes[2].legend(loc="lower left")
    figure.savefig(path, dpi=100)


def main(epochs=1000, out="runs/bpinn_poisson", seed=0, **options):
    """Sample, compare with the exact solution at 200 points, draw."""
    out = Path(out)
    jno.logger(path=out)
    readings = read_noisy(seed)
    core, net, wanted = build(readings)
    history = sample(core, net, epochs, **options)

    x = np.linspace(0, 1, 200)
    grid = jno.domain.from_array({"inside": x[:, None]})
    u, f = (np.asarray(found)[:, :, 0, :, 0] for found in core.eval(list(wanted), domain=grid))
    draw(out / "bpinn_poisson.png", x, u, f, readings)
    print(f"picture: {out / 'bpinn_poisson.png'}")

    exact, (low, high) = exact_solution(x), band(u)
    numbers = {
        "coverage": float(np.mean((low <= exact) & (exact <= high))),
        "largest_error": float(np.abs(u.mean(axis=(0, 1)) - exact).max()),
        "largest_deviation": float(u.std(axis=(0, 1)).max()),
        "rhat": float(np.max(jno.bayesian.rhat(u))),
        "divergences": int(np.sum(net.posterior_diagnostics["is_divergent"])),
        "loss": history.total_loss,
    }
    print(f"{CHAINS} chains of {epochs} draws, largest R̂ of u {numbers['rhat']:.3f}")
    print(f"the 95 % band of u covers the exact solution at {numbers['coverage']:.1%} of the points")
    return numbers


if __name__ == "__main__":
    main()
