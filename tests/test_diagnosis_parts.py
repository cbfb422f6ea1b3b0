"""Parts of a diagnosis alone: orders of derivatives, missing conditions, dead units, rows without influence."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.diagnosis._boundary import missed_places
from jno.diagnosis._examination import Examination
from jno.diagnosis._layers import _activations, _silent_share
from jno.diagnosis._passage import Passage
from jno.diagnosis._unknowns import unknowns_of


def network(inputs):
    module = foundax.mlp(inputs, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))
    return jno.nn(module, name="u").optimizer(optax.adam(1e-3))


def test_orders_of_what_is_differentiated():
    x, y, t = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3)).variable("interior")
    u = network(3)(x, y, t)
    orders = {
        "heat": (u.d(t) - u.laplacian(x, y), (2, 1)),
        "transport": (u.d(t) + u.d(x), (1, 1)),
        "plate": (u.laplacian(x, y).laplacian(x, y), (4, 0)),
        "wave": (u.d2(t) - u.d2(x), (2, 2)),
    }
    for residual, expected in orders.values():
        (unknown,) = unknowns_of([residual.mse])
        assert (unknown.order, unknown.time_order) == expected


CONDITIONS = {
    "both at one end": (lambda u, x, a: [u(a).mse, u(a).d(a).mse], []),
    "one": (lambda u, x, a: [u(a).mse], ["boundary"]),
    "measurements": (lambda u, x, a: [u(a).mse, (u(x) - x).mse], []),
}


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_conditions_at_one_end_of_a_line(conditions):
    """Two are enough for an equation of second order, and so are measurements inside."""
    terms, kinds = CONDITIONS[conditions]
    domain = jno.domain.line(mesh_size=0.1)
    (x, _), (a, _) = domain.variable("interior"), domain.variable("left")
    u = network(1)
    crux = jno.core([(u(x).d2(x) + 1.0).mse, *terms(u, x, a)])
    crux.solve(1)
    findings = missed_places(Examination(crux._solver.view(crux.training_logs), 1e-3))
    assert [finding.kind for finding in findings] == kinds


def test_units_are_dead_that_are_zero_at_all_points():
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    values = jnp.ones((5, 4)).at[0].set(0.0)
    assert _activations(network(1)(x), Passage(None, None, [values], ("relu",))) == []
    values = values.at[:, :3].set(0.0)
    (finding,) = _activations(network(1)(x), Passage(None, None, [values], ("relu",)))
    assert (finding.kind, finding.number) == ("layers", 0.75)


def test_rows_and_columns_without_influence():
    gradient = np.ones((4, 5))
    assert _silent_share(gradient) == 0.0
    gradient[:3] = 0.0
    assert _silent_share(gradient) == 0.75
    assert _silent_share(gradient.T) == 0.75
    gradient[3, 0] = 0.0
    assert _silent_share(gradient) == 0.75
