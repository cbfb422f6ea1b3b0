"""jinns, trained by its natural gradients with their default options.

Of the optimizers that it has, natural gradients (``vanilla_ngd``: a ridge of 1e-5, a backtracking line search) cite a
paper on high accuracy, and are closest to what our cases use. Values that the loss holds are given as observations;
weights are drawn as Equinox does.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jinns
import jinns.optimizers
import jinns.validation
import numpy as np
from jax.experimental import io_callback

from ._jax import FUNCTIONS, derivatives
from ._statement import Points, Statement, Trained, Values

STEPS = 100_000
_ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"tanh": jnp.tanh, "sin": jnp.sin}


class FixedPoints(eqx.Module):
    """The points of the residual, all of them in every step."""

    points: Any
    rar_parameters: None = None

    def get_batch(self) -> tuple[Any, Any]:
        """Itself and its points."""
        return self, jinns.data.PDEStatioBatch(domain_batch=self.points, border_batch=None)


class Until(jinns.validation.AbstractValidationModule):
    """Ends ``jinns.solve`` when the process has used so much processor time."""

    call_every: int = eqx.field(kw_only=True, default=1)
    end: float = eqx.field(kw_only=True, static=True, default=0.0)

    def __call__(self, params: Any) -> tuple[Any, Any, Any, bool]:
        """Whether the time is over; no other criterion and no best parameters."""
        leaf = jax.tree_util.tree_leaves(params)[0].ravel()[0]  # so that the question follows the step
        over = io_callback(lambda _: np.asarray(time.process_time() >= self.end), jax.ShapeDtypeStruct((), bool), leaf)
        return self, over, jnp.zeros(()), False


def build(statement: Statement, seed: int) -> tuple[Any, Any, Any, Any]:
    """The network, its parameters, the loss and what holds values (None without) of the seed."""
    layers: list[tuple[Any, ...]] = []
    for number, sizes in enumerate(zip(statement.layers[:-1], statement.layers[1:], strict=True)):
        layers += [(_ACTIVATIONS[statement.activation],)] if number else []
        layers += [(eqx.nn.Linear, *sizes)]
    network, weights = jinns.nn.PINN_MLP.create(
        eq_type="PDEStatio",
        key=jax.random.PRNGKey(seed),
        eqx_list=tuple(layers),
        input_transform=lambda x, params: jnp.concatenate(list(statement.inputs(FUNCTIONS, x))),
        output_transform=lambda x, output, params: statement.solution(FUNCTIONS, x, output[None]),
    )
    params = jinns.parameters.Params(nn_params=weights, eq_params={})

    class Equation(jinns.loss.PDEStatio):
        """The residual of the statement at one point."""

        def equation(self, x: Any, u: Any, params: Any) -> Any:
            return statement.residual(FUNCTIONS, x, derivatives(lambda at: u(at, params), x))

    held = None if statement.prescribed is None else statement.prescribed(seed)
    values = {} if held is None else {"observations": held.weight}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Missing boundary condition")  # built in, or given as observations
        loss = jinns.loss.LossPDEStatio(
            u=network,
            dynamic_loss=Equation(),
            loss_weights=jinns.loss.LossWeightsPDEStatio(dyn_loss=1.0, **values),
            params=params,
        )
    if held is None:
        return network, params, loss, None
    observations = jinns.data.DataGeneratorObservations(
        key=jax.random.PRNGKey(seed),
        observed_pinn_in=jnp.asarray(held.points),
        observed_values=jnp.asarray(held.values)[:, None],
    )
    return network, params, loss, observations


def train(statement: Statement, seed: int, end: float) -> Trained:
    """Train until the process has used ``end`` processor seconds."""
    network, params, loss, observations = build(statement, seed)
    final, losses, *_ = jinns.solve(
        n_iter=STEPS,
        init_params=params,
        data=FixedPoints(jnp.asarray(statement.points(seed))),
        obs_data=observations,
        loss=loss,
        optimizer=jinns.optimizers.vanilla_ngd(),
        validation=Until(end=end),
        verbose=False,
        print_loss_every=STEPS,
    )
    steps = int(np.count_nonzero(losses))

    def predict(points: Points) -> Values:
        values: Values = np.asarray(jax.vmap(lambda x: network(x, final))(jnp.asarray(points))).ravel()
        return values

    parameters = sum(leaf.size for leaf in jax.tree_util.tree_leaves(params.nn_params))
    return Trained(predict, float(losses[steps - 1]), steps, parameters, "natural gradients")


__all__ = ["build", "train"]
