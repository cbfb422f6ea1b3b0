"""The ground state of the quartic oscillator: an eigenvalue by minimising a quotient.

    -ψ'' + x⁴ ψ = E ψ  on the real line

The least value of the Rayleigh quotient ∫ (ψ'² + x⁴ ψ²) / ∫ ψ² is the energy of the ground state, E = 1.0603620905
(Bender and Orszag 1978). ψ = e^(network) × (a factor that vanishes at ±4) is positive, as a ground state must be, and
the quotient is never below E but for the error of the quadrature.
"""

import foundax
import jax

import jno

jax.config.update("jax_enable_x64", True)

# %% tags=["parameters"]
epochs, tolerance = 60, 1e-4

# %% a quotient of two integrals is the loss
domain = jno.domain.line((-4, 4), mesh_size=0.02)
x, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=1, key=jax.random.key(0)))
net.optimizer(jno.optimizers.ssbroyden())
ψ = ((1 - x**2 / 16) * jno.np.exp(-(x**2) / 2 + net(x / 4 + 0 * x))).name("ψ")
energy = (ψ.d(x) ** 2 + x**4 * ψ**2).integrate() / (ψ**2).integrate()
core = jno.core([energy.name("energy")])
core.solve(epochs)

# %% the energy, and the virial theorem: the kinetic energy is twice the potential one
parts = [(ψ.d(x) ** 2).integrate(), (x**4 * ψ**2).integrate(), energy]
kinetic, potential, value = (number.item() for number in core.eval(parts))
error = abs(value - 1.0603620905)
print(f"energy {value:.7f} (exact 1.0603621), kinetic / potential {kinetic / potential:.4f} (exact 2)")
assert error < tolerance
assert abs(kinetic / potential - 2) < 100 * tolerance

# %% the picture
core.plot((ψ / jno.np.sqrt((ψ**2).integrate())).name("normalised ψ"), "ground_state.png", losses=True)
