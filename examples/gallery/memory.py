"""An equation with memory: the integral over the past.

    u' + ∫₀ᵗ e^(-(t - s)) u(s) ds = 0,   u(0) = 1

The upper limit moves, so the past is mapped onto the unit interval: s = t r, and r is a second variable. The exact
solution solves v'' + v' + v = 0, the equation of a damped oscillator: u = e^(-t/2) (cos ωt + sin ωt / 2ω), ω = √3/2.
"""

import foundax
import jax
import numpy as np

import jno

jax.config.update("jax_enable_x64", True)
exp = jno.np.exp

# %% tags=["parameters"]
epochs, tolerance = 40, 1e-3

# %% t in (0, 5), r in (0, 1)
domain = jno.domain.line(mesh_size=0.02)
τ, _ = domain.variable("interior")
r, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(1, hidden_dims=20, num_layers=1, key=jax.random.key(0))).optimizer(jno.optimizers.engd())


def solution(τ):
    """1 at the beginning."""
    return 1 + τ * net(τ)


t, u = 5 * τ, solution(τ).name("u")
past = t * (exp(-t * (1 - r)) * solution(τ * r)).integrate(var=τ)
core = jno.core([(u.d(τ) / 5 + past).mse.name("residual")])
core.solve(epochs)

# %% against the exact solution
ω = np.sqrt(3) / 2
exact = (exp(-t / 2) * (jno.np.cos(ω * t) + jno.np.sin(ω * t) / (2 * ω))).name("exact")
error = np.abs(core.eval(u - exact)).max()
print(f"largest error: {error:.1e}")
assert error < tolerance

# %% the picture
figure = core.plot([u, exact], losses=True)
figure.axes[0].set(xlabel="t / 5")
figure.savefig("memory.png", dpi=150)
