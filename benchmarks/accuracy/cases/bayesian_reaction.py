"""A reaction rate and a solution from noisy readings of both sides, with bands.

    0.01 u'' + k tanh(u) = f  on (-0.7, 0.7),   k = 0.7,   u = sin³(6x)

There are 32 readings of f and 8 of u, two of the latter at the ends, all with independent normal errors of 0.1. The
error is that of the posterior mean of u over 201 points; the share of these points where the central 95 % of the draws
have u between them is the coverage. After Yang, Meng and Karniadakis, "B-PINNs: Bayesian physics-informed neural
networks for forward and inverse PDE problems with noisy data", J. Comput. Phys. 425, 109913 (2021).

Settings, fixed on 2026-12-01 before the first recorded run: the goal is 1e-1, where a reading is off by a fifth of the
size of u; normal priors of deviation one for weights and for k; Adam finds where two chains start, and
Hamiltonian Monte Carlo draws weights and k together until the time is over.
"""

import blackjax
import foundax
import jax
import numpy as np
import optax

import jno

from .._case import Case, Limit, Trained, relative_l2

DIFFUSION, RATE, NOISE, HALF = 0.01, 0.7, 0.1, 0.7
SOURCES, READINGS, WIDTH, LAYERS = 32, 8, 32, 2
START, CHAINS, WARMUP, LEAPS, KEEP = 2000, 2, 500, 50, 2000


def exact(x):
    return np.sin(6 * x) ** 3


def source(x):
    """0.01 u'' + 0.7 tanh(u)."""
    sine, cosine = np.sin(6 * x), np.cos(6 * x)
    return DIFFUSION * 108 * (2 * sine * cosine**2 - sine**3) + RATE * np.tanh(exact(x))


def train(seed: int, limit: Limit) -> Trained:
    noise = np.random.default_rng(seed)
    inside, places = (np.linspace(-HALF, HALF, count)[:, None] for count in (SOURCES, READINGS))
    domain = jno.domain.from_array({"inside": inside, "places": places})
    x, _ = domain.variable("inside")
    xr, _ = domain.variable("places")
    f, measured = (
        domain.variable(name, (function(at) + NOISE * noise.normal(size=at.shape))[None, None])
        for name, function, at in (("f", source, inside), ("readings", exact, places))
    )
    net = jno.nn(foundax.mlp(1, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    k = jno.np.parameter((), name="k").initialize(0.0)
    u = net(3 * x)
    equation = DIFFUSION * u.d2(x) + k * jno.np.tanh(u) - f
    # the loss is the mean of both, so each is twice its part of the negative logarithm of the likelihood
    core = jno.core([SOURCES / NOISE**2 * equation.mse, READINGS / NOISE**2 * (net(3 * xr) - measured).mse])
    for model in (net, k):
        model.optimizer(optax.adam(optax.cosine_decay_schedule(1e-2, START)))
    core.solve(START, callbacks=[limit.until(0.2)])
    for model in (net, k):
        model.bayesian(
            blackjax.hmc,
            prior=jno.bayesian.priors.gaussian(sigma=1.0),
            num_integration_steps=LEAPS,
            warmup=WARMUP,
            keep=KEEP,
            num_chains=CHAINS,
        )
    history = core.solve(100_000, callbacks=[limit.until(1.0)])

    def draws():
        fine = np.linspace(-HALF, HALF, 201)
        found = core.eval(u, domain=jno.domain.from_array({"inside": fine[:, None]}))
        return np.asarray(found).reshape(-1, len(fine)), exact(fine)

    def error() -> float:
        values, true = draws()
        return relative_l2(values.mean(axis=0), true)

    def coverage() -> float:
        values, true = draws()
        low, high = np.quantile(values, [0.025, 0.975], axis=0)
        return float(np.mean((low <= true) & (true <= high)))

    return Trained([net, k], SOURCES + READINGS, history.total_loss, error, coverage)


CASE = Case("Bayesian reaction rate", train, goal=1e-1)
