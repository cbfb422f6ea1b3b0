"""The equation of Allen and Cahn: plateaus with steep walls.

    u_t = 0.0001 u_xx + 5 (u - u³)  on (-1, 1) × (0, 1),   u(x, 0) = x² cos(πx),   periodic in x

as in Raissi, Perdikaris and Karniadakis (J. Comput. Phys. 378, 2019). The initial value has a kink at x = ±1, which
diffuses away. Reference: 2048 Fourier modes and Strang's splitting, both parts of which are solved exactly,
extrapolated from two steps; half the modes and twice the steps change it by less than 1e-6. The error is over 512 ×
100 points.

Settings, fixed on 2026-11-30 before the first recorded run: u is even, so that the one input cos(πx) makes it
periodic; what the kink becomes by diffusion alone, 4 √(νt) ierfc((1 - |x|) / √(4νt)), is built in with the initial
value; a third of the points within the walls at |x| = 1/2, a tenth at x = 0 and x = ±1 each; energy natural gradients
from random weights.
"""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

import jno

from .._case import Case, Limit, Trained, relative_l2

π = np.pi
DIFFUSION = 1e-4
POINTS, WIDTH, LAYERS, SHARPNESS = 2048, 20, 3, 10.0


def collocation(seed):
    """Points of half of the interval, as the solution is even."""
    points = qmc.Sobol(3, rng=seed).random(POINTS)
    place, time, choice = points.T
    graded = 0.5 * np.sinh(5 * (2 * place - 1)) / np.sinh(5)  # crowds at 0, on (-1/2, 1/2)
    parts = [choice < 0.33, choice < 0.43, choice < 0.53]
    x = np.select(parts, [0.5 + graded, 2 * np.abs(graded), 1 - 2 * np.abs(graded)], place)
    return np.stack([np.clip(x, 1e-6, 1 - 1e-6), time], axis=1)


def diffused_kink(x, t):
    """Of the heat equation with the slope 2 at the ends and zero in the beginning: what the initial value lacks."""
    length = jnp.sqrt(4 * DIFFUSION * t)
    s = (1 - x) / length
    return 2 * length * (jnp.exp(-(s**2)) / jnp.sqrt(jnp.pi) - s * jax.scipy.special.erfc(s))


def train(seed: int, limit: Limit) -> Trained:
    domain = jno.domain.from_array({"interior": collocation(seed)})
    x, t, _ = domain.variable("interior")
    net = jno.nn(foundax.mlp(3, hidden_dims=WIDTH, num_layers=LAYERS, key=jax.random.PRNGKey(seed)))
    net.optimizer(jno.optimizers.engd())
    wall = jno.np.tanh(SHARPNESS * jno.np.cos(π * x))
    change = net(jno.np.cos(π * x), wall, 2 * t - 1)
    u = x**2 * jno.np.cos(π * x) + jno.np.function(diffused_kink, [x, t]) + t * change
    core = jno.core([(u.d(t) - DIFFUSION * u.d2(x) - 5 * (u - u**3)).mse])
    history = core.solve(100_000, callbacks=[limit])

    def error() -> float:
        times = np.linspace(0.01, 1, 100)
        x, coarse = split_steps(times, 1e-3)
        reference = (4 * split_steps(times, 5e-4)[1] - coarse) / 3
        half = (x > 0) & (x < 1)
        grid = np.stack(np.meshgrid(x[half], times), axis=-1).reshape(-1, 2)
        values = core.eval(u, domain=jno.domain.from_array({"interior": grid}))
        return relative_l2(values, reference[:, half])

    return Trained([net], POINTS, history.total_loss, error)


def split_steps(times, step, modes=2048):
    """The solution at the places (N,) and times (T,), which are multiples of the step: places and values (T, N)."""
    x = -1 + 2 * np.arange(modes) / modes
    diffuse = np.exp(-DIFFUSION * (π * np.arange(modes // 2 + 1)) ** 2 * step)
    growth = np.exp(5 * step)  # of half a step: u² / (1 - u²) grows like e^(10 t)

    def react(v):
        return v * np.sqrt(growth / (1 + v**2 * (growth - 1)))

    v, values, done = x**2 * np.cos(π * x), [], 0
    for count in np.rint(np.asarray(times) / step).astype(int):
        for _ in range(count - done):
            v = react(np.fft.irfft(diffuse * np.fft.rfft(react(v)), modes))
        done = count
        values.append(v)
    return x, np.stack(values)


CASE = Case("Allen–Cahn", train, goal=1e-4)
