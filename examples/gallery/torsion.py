"""Torsion of a square bar by the least energy (Deep Ritz): an integral instead of an equation.

    minimise  ∫ |∇φ|²/2 - 2φ  over functions φ that vanish on the boundary;   J = 2 ∫ φ

The minimum solves -Δφ = 2, Prandtl's stress function. The torsional constant of a square of side a is J = 0.1405770
a⁴ (Saint-Venant 1855). The energy is an integral over the mesh, needs first derivatives only, and is never below its
minimum -J/2, however the network looks: no other loss says how good it is.
"""

import foundax
import jax
import optax

import jno

# %% tags=["parameters"]
epochs, tolerance = 2000, 1e-2

# %% the energy is the loss
domain = jno.domain.rect(mesh_size=0.02)
x, y, _ = domain.variable("interior")
net = jno.nn(foundax.mlp(2, hidden_dims=24, num_layers=2, key=jax.random.key(0)))
net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))

φ = (x * (1 - x) * y * (1 - y) * net(x, y)).name("φ")
energy = ((φ.d(x) ** 2 + φ.d(y) ** 2) / 2 - 2 * φ).integrate()
core = jno.core([energy.name("energy")])
core.solve(epochs)

# %% the torsional constant, from the stress function and from the energy
constant, minimum = core.eval([2 * φ.integrate(), energy])
error = abs(constant.item() / 0.140577 - 1)
print(f"torsional constant {constant.item():.5f} (exact 0.14058), from the energy {-2 * minimum.item():.5f}")
assert error < tolerance

# %% the picture: stresses are largest in the middle of the sides
core.plot([φ, jno.np.sqrt(φ.d(x) ** 2 + φ.d(y) ** 2).name("stress")], "torsion.png", share=False, losses=True)
