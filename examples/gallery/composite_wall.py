"""Two layers with a gap between them: interface conditions with a jump.

    -(k u')' = 0,   k = 1 left of 1/2, k = 4 right of it,   u(0) = 1, u(1) = 0

The flux q is the same on both sides of the gap, and the temperature jumps by q R there, R = 0.375 being the
resistance of the contact. One network for each side, and the two conditions at the joint. The exact flux is the
difference of temperatures over the sum of the resistances, q = 1 / (1/2 + 3/8 + 1/8) = 1.
"""

import foundax
import jax
import numpy as np
import optax

import jno

# %% tags=["parameters"]
epochs, tolerance = 2000, 2e-3

# %% two regions that meet in one point
domain = jno.domain.line(mesh_size=0.05)
domain.tag("brick", lambda x: x <= 0.5)
domain.tag("stone", lambda x: x >= 0.5)
domain.point_region("joint", (0.5,))
xb, _ = domain.variable("brick")
xs, _ = domain.variable("stone")
xj, _ = domain.variable("joint")

nets = [
    jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=key)).optimizer(
        optax.adam(optax.cosine_decay_schedule(1e-2, epochs))
    )
    for key in jax.random.split(jax.random.key(0))
]
k1, k2, R = 1.0, 4.0, 0.375
brick = (1 + xb * nets[0](xb)).name("brick")  # 1 at the left end
stone = ((1 - xs) * nets[1](xs)).name("stone")  # 0 at the right end

flux_in, flux_out = -k1 * brick.d(xb)(xj), -k2 * stone.d(xs)(xj)
core = jno.core(
    [
        (k1 * brick.d2(xb)).mse.name("equation in the brick"),
        (k2 * stone.d2(xs)).mse.name("equation in the stone"),
        (flux_in - flux_out).mse.name("flux"),
        (brick(xj) - stone(xj) - R * flux_in).mse.name("jump"),
    ]
)
core.solve(epochs)

# %% flux and jump
flux, jump = (value.item() for value in core.eval([flux_in, brick(xj) - stone(xj)]))
errors = core.eval([brick - (1 - xb), stone - (1 - xs) / 4])
error = max(np.abs(values).max() for values in errors)
print(f"flux {flux:.4f} (exact 1), jump {jump:.4f} (exact 0.375), largest error {error:.1e}")
assert error < tolerance

# %% the picture
figure = core.plot([brick, stone], losses=True)
figure.savefig("composite_wall.png", dpi=150)
