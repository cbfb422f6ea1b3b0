"""DeepXDE on PyTorch, trained as its demonstrations of forward problems are.

Adam for 15,000 steps at a rate of 0.001, at most for half of the time, then L-BFGS until the time is over, with the
options that DeepXDE has as defaults; weights are drawn by Glorot's normal distribution, derivatives are in reverse
mode, its default. The JAX backend has no L-BFGS.
"""

from __future__ import annotations

import importlib
import os
import time
from functools import reduce
from typing import Any

import numpy as np

from ._statement import Points, Statement, Trained, Values

RATE, ADAM_STEPS, ADAM_SHARE = 1e-3, 15_000, 0.5
PART = 100
_MANY = 10**7


def _deepxde() -> Any:
    os.environ["DDE_BACKEND"] = "pytorch"
    dde = importlib.import_module("deepxde")
    dde.config.set_default_float("float64")
    return dde


def build(statement: Statement, seed: int) -> Any:
    """The model on the points of the seed, before it is compiled."""
    dde, torch = _deepxde(), importlib.import_module("torch")
    torch.set_num_threads(1)
    dde.config.set_random_seed(seed)

    def residual(x: Any, u: Any) -> Any:
        def derivative(*axes: int) -> Any:
            return reduce(lambda value, axis: dde.grad.jacobian(value, x, i=0, j=axis), axes, u)

        return statement.residual(torch, x, derivative)

    points = statement.points(seed)
    lower, upper = points.min(axis=0) - 1, points.max(axis=0) + 1
    conditions = []
    if statement.prescribed is not None:
        held = statement.prescribed(seed)
        conditions.append(dde.icbc.PointSetBC(held.points, held.values[:, None]))
    data = dde.data.PDE(dde.geometry.Hypercube(lower, upper), residual, conditions, num_domain=0, anchors=points)
    network = dde.nn.FNN(list(statement.layers), statement.activation, "Glorot normal")
    network.apply_feature_transform(lambda x: torch.concatenate(list(statement.inputs(torch, x)), axis=-1))
    network.apply_output_transform(lambda x, output: statement.solution(torch, x, output))
    return dde.Model(data, network)


def loss_weights(statement: Statement, seed: int) -> list[float]:
    """Of the residual and of the values that the loss holds."""
    return [1.0] if statement.prescribed is None else [1.0, statement.prescribed(seed).weight]


def train(statement: Statement, seed: int, end: float) -> Trained:
    """Train until the process has used ``end`` processor seconds."""
    dde, model = _deepxde(), build(statement, seed)
    weights = loss_weights(statement, seed)
    middle = time.process_time() + ADAM_SHARE * (end - time.process_time())
    model.compile("adam", lr=RATE, loss_weights=weights, verbose=0)
    quiet = {"display_every": 1000, "verbose": 0}
    model.train(iterations=ADAM_STEPS, callbacks=[_until(dde, middle)], **quiet)
    dde.optimizers.set_LBFGS_options(maxiter=_MANY)
    # between callbacks; its 1000 iterations may take half a minute, and the history is carried on
    dde.optimizers.config.LBFGS_options.update(iter_per_step=PART, fun_per_step=PART * 5 // 4)
    model.compile("L-BFGS", loss_weights=weights, verbose=0)
    model.train(callbacks=[_until(dde, end)], **quiet)

    def predict(points: Points) -> Values:
        values: Values = np.asarray(model.predict(points)).ravel()
        return values

    parameters = sum(array.numel() for array in model.net.parameters())
    loss = float(np.sum(model.train_state.loss_train))
    return Trained(predict, loss, model.train_state.step, parameters, "Adam, then L-BFGS")


def _until(dde: Any, end: float) -> Any:
    """A callback that stops training at a processor time."""

    class Until(dde.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self) -> None:
            self.model.stop_training = time.process_time() >= end

    return Until()


__all__ = ["build", "loss_weights", "train"]
