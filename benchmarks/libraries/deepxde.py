"""DeepXDE with its JAX backend and its usual settings (reverse mode, ``Model.train``)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._case import LEARNING_RATE, Built
from ..kernels import biharmonic2d, burgers1d, helmholtz3d, hjb_d50, ns2d
from ..kernels.poisson2d import bubble, source

_NEVER = 10**9


def _deepxde() -> Any:
    os.environ["DDE_BACKEND"] = "jax"
    return importlib.import_module("deepxde")


class TrainRunner:
    """``Model.train`` as a user calls it: it evaluates the losses before the first step and after the last."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def advance(self, count: int) -> None:
        self._model.train(iterations=count, display_every=_NEVER, verbose=0)
        jax.block_until_ready(self._model.params)

    def losses(self, count: int) -> list[float]:
        history, _ = self._model.train(iterations=count, display_every=1, verbose=0)
        return [float(sum(parts)) for parts in history.loss_train[-count - 1 : -1]]

    def temporary_bytes(self) -> int | None:
        return None


def _start(
    built: Built,
    residuals: Callable[[Any], Callable[[Array, Any], Any]],
    outputs: int,
    hard: Callable[[Array, Array], Array] | None = None,
) -> TrainRunner:
    """A model on the problem's points, with the problem's weights; the loss is the mean over its equations."""
    dde = _deepxde()
    points, weights = built.data["points"], built.weights
    box = dde.geometry.Hypercube([-10.0] * points.shape[1], [10.0] * points.shape[1])  # the points are given
    data = dde.data.PDE(box, residuals(dde), [], num_domain=0, anchors=jax.device_get(points))
    net = dde.nn.FNN([w.shape[0] for w, _ in weights] + [outputs], "tanh", "Glorot uniform")
    if hard is not None:
        net.apply_output_transform(hard)
    model = dde.Model(data, net)
    equations = 1 if outputs == 1 else 3
    model.compile("adam", lr=LEARNING_RATE, loss_weights=[1 / equations] * equations, verbose=0)
    layers = {f"denses_{i}": {"kernel": jnp.array(w), "bias": jnp.array(b)} for i, (w, b) in enumerate(weights)}
    model.params = [{"params": layers}, []]
    return TrainRunner(model)


def _laplacian(dde: Any, y: Any, x: Array) -> tuple[Array, Callable[[Array], Array]]:
    """Its values, and it as a function of a point, which further derivatives need."""
    parts = [dde.grad.hessian(y, x, i=axis, j=axis) for axis in range(x.shape[1])]
    return sum(values for values, _ in parts), lambda at: sum(function(at) for _, function in parts)


def _bubble(x: Array, y: Array) -> Array:
    return bubble(jnp.atleast_2d(x)).reshape(*x.shape[:-1], 1) * y  # called with a batch and with one point


def _poisson2d(built: Built) -> TrainRunner:
    def residuals(dde: Any) -> Callable[[Array, Any], Array]:
        return lambda x, y: _laplacian(dde, y, x)[0] + source(x)

    return _start(built, residuals, outputs=1, hard=_bubble)


def _helmholtz3d(built: Built) -> TrainRunner:
    def residuals(dde: Any) -> Callable[[Array, Any], Array]:
        return lambda x, y: _laplacian(dde, y, x)[0] + helmholtz3d.WAVE_NUMBER**2 * y[0] - helmholtz3d.source(x)

    return _start(built, residuals, outputs=1, hard=_bubble)


def _burgers1d(built: Built) -> TrainRunner:
    def residuals(dde: Any) -> Callable[[Array, Any], Array]:
        def equation(x: Array, y: Any) -> Array:
            u_x, u_t = (dde.grad.jacobian(y, x, i=0, j=axis)[0] for axis in range(2))
            return u_t + y[0] * u_x - burgers1d.VISCOSITY * dde.grad.hessian(y, x, i=0, j=0)[0]

        return equation

    def hard(x: Array, y: Array) -> Array:
        return -jnp.sin(jnp.pi * x[..., :1]) + x[..., 1:] * (1 - x[..., :1] ** 2) * y

    return _start(built, residuals, outputs=1, hard=hard)


def _hjb_d50(built: Built) -> TrainRunner:
    def residuals(dde: Any) -> Callable[[Array, Any], Array]:
        def equation(x: Array, y: Any) -> Array:
            slopes = [dde.grad.jacobian(y, x, i=0, j=axis)[0] for axis in range(x.shape[1])]
            return _laplacian(dde, y, x)[0] - sum(slope**2 for slope in slopes) + hjb_d50.cost(x)

        return equation

    return _start(built, residuals, outputs=1)


def _biharmonic2d(built: Built) -> TrainRunner:
    def residuals(dde: Any) -> Callable[[Array, Any], Array]:
        return lambda x, y: _laplacian(dde, _laplacian(dde, y, x), x)[0] - biharmonic2d.load(x)

    return _start(built, residuals, outputs=1)


def _ns2d(built: Built) -> TrainRunner:
    def residuals(dde: Any) -> Callable[[Array, Any], list[Array]]:
        def equations(x: Array, y: Any) -> list[Array]:
            u, v = y[0][:, :1], y[0][:, 1:2]
            slope = [[dde.grad.jacobian(y, x, i=i, j=j)[0] for j in range(2)] for i in range(3)]
            bends = [[dde.grad.hessian(y, x, component=i, i=j, j=j)[0] for j in range(2)] for i in range(2)]
            momentum = [
                u * slope[i][0] + v * slope[i][1] + slope[2][i] - ns2d.VISCOSITY * (bends[i][0] + bends[i][1]) - push
                for i, push in enumerate(ns2d.force(x))
            ]
            return [*momentum, slope[0][0] + slope[1][1]]

        return equations

    return _start(built, residuals, outputs=3)


STARTS = {
    "poisson2d": _poisson2d,
    "burgers1d": _burgers1d,
    "ns2d": _ns2d,
    "biharmonic2d": _biharmonic2d,
    "helmholtz3d": _helmholtz3d,
    "hjb_d50": _hjb_d50,
}
