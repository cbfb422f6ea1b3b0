"""The library's optimizers attached to networks of a core."""

import foundax
import jax
import numpy as np
import optax
import pytest

import jno
from jno import optimizers

FACTORIES = {
    "ssbroyden": lambda: optimizers.ssbroyden(),
    "ssbfgs": lambda: optimizers.ssbfgs(),
    "soap": lambda: optimizers.soap(1e-2),
    "md": lambda: optimizers.md(optax.adam(1e-2)),
    "md_decouple": lambda: optimizers.md_decouple(optax.adam(1e-2)),
    "engd": lambda: optimizers.engd(),
    "lbfgs": lambda: optax.lbfgs(),
}
SECOND_ORDER = ("ssbroyden", "ssbfgs", "engd", "lbfgs")


@pytest.mark.parametrize("name", FACTORIES)
def test_fits_a_function(name):
    domain = jno.domain.line(mesh_size=0.05)
    x, _ = domain.variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=8, num_layers=1, key=jax.random.key(0))).optimizer(FACTORIES[name]())
    crux = jno.core([(net(x) - jno.np.sin(3 * x)).mse])
    losses = crux.solve(60).total_loss_history
    assert np.all(np.isfinite(losses))
    assert losses[-1] < (1e-6 if name in SECOND_ORDER else 0.25) * losses[0]
    crux.solve(5)  # the state goes on


def test_a_scale_of_md_is_refused():
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.key(0)), name="net")
    net.optimizer(optimizers.md(optax.adam(1e-2))).scale(0.5)
    with pytest.raises(ValueError, match="put the schedule into the base optimizer"):
        jno.core([net(x).mse]).solve(1)
