"""The losses of jinns, with the operators of its examples for a plain network, in the bare loop of the kernels.

``jinns.solve`` compiles anew whenever it is called and cannot be continued cheaply, so its own loop is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jinns
from jaxtyping import Array

from .._case import Built
from .._steps import BareLoop
from ..kernels import biharmonic2d, burgers1d, helmholtz3d, hjb_d50, ns2d
from ..kernels.poisson2d import bubble, source


def _start(
    built: Built,
    residual: Callable[[Array, Any, Any], Array],
    outputs: int,
    hard: Callable[[Array, Array, Any], Array] | None = None,
) -> BareLoop:
    network, weights = _network(built.weights, hard)

    class Equation(jinns.loss.PDEStatio):
        """The problem's residuals at one point."""

        def equation(self, x: Array, u: Any, params: Any) -> Array:
            return residual(x, u, params)

    params = jinns.parameters.Params(nn_params=weights, eq_params={})
    mean = jinns.loss.LossWeightsPDEStatio(dyn_loss=1 / outputs)  # jinns sums over the equations
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Missing boundary condition")  # none or hard
        objective = jinns.loss.LossPDEStatio(u=network, dynamic_loss=Equation(), loss_weights=mean, params=params)

    def loss(trained: Any, data: Mapping[str, Any], key: Any) -> Array:
        batch = jinns.data.PDEStatioBatch(domain_batch=data["points"], border_batch=None)
        total, _ = objective.evaluate(jinns.parameters.Params(nn_params=trained, eq_params={}), batch)
        return total

    return BareLoop(loss, weights, built.data)


def _network(layers: Any, hard: Any) -> tuple[Any, Any]:
    """The network of jinns with the problem's weights, split into a function and its parameters."""
    parts: list[tuple[Any, ...]] = []
    for w, _ in layers:
        parts += [(eqx.nn.Linear, *w.shape), (jnp.tanh,)]
    network, start = jinns.nn.PINN_MLP.create(
        eq_type="PDEStatio", key=jax.random.PRNGKey(0), eqx_list=tuple(parts[:-1]), output_transform=hard
    )
    arrays = [array for w, b in layers for array in (jnp.array(w.T), jnp.array(b))]
    return network, jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(start), arrays)


def _at(function: Callable[[Array], Array], x: Array) -> Array:
    """Of a function of points, at one point."""
    return function(x[None])[0]


def _bubble(x: Array, y: Array, params: Any) -> Array:
    return _at(bubble, x) * y


def _poisson2d(built: Built) -> BareLoop:
    def residual(x: Array, u: Any, params: Any) -> Array:
        return jinns.loss.laplacian_rev(x, u, params) + _at(source, x)

    return _start(built, residual, outputs=1, hard=_bubble)


def _helmholtz3d(built: Built) -> BareLoop:
    def residual(x: Array, u: Any, params: Any) -> Array:
        diffusion = jinns.loss.laplacian_rev(x, u, params)
        return diffusion + helmholtz3d.WAVE_NUMBER**2 * u(x, params) - _at(helmholtz3d.source, x)

    return _start(built, residual, outputs=1, hard=_bubble)


def _burgers1d(built: Built) -> BareLoop:
    def residual(x: Array, u: Any, params: Any) -> Array:
        slopes = jax.grad(lambda at: u(at, params)[0])
        (u_x, u_t), u_xx = slopes(x), jax.grad(lambda at: slopes(at)[0])(x)[0]
        return u_t + u(x, params) * u_x - burgers1d.VISCOSITY * u_xx

    def hard(x: Array, y: Array, params: Any) -> Array:
        return -jnp.sin(jnp.pi * x[:1]) + x[1:] * (1 - x[:1] ** 2) * y

    return _start(built, residual, outputs=1, hard=hard)


def _hjb_d50(built: Built) -> BareLoop:
    def residual(x: Array, u: Any, params: Any) -> Array:
        push = jnp.sum(jax.grad(lambda at: u(at, params)[0])(x) ** 2)
        return jinns.loss.laplacian_rev(x, u, params) - push + _at(hjb_d50.cost, x)

    return _start(built, residual, outputs=1)


def _biharmonic2d(built: Built) -> BareLoop:
    def residual(x: Array, u: Any, params: Any) -> Array:
        def laplacian(at: Array, inner: Any) -> Array:
            return jinns.loss.laplacian_rev(at, u, inner)

        return jinns.loss.laplacian_rev(x, laplacian, params, eq_type="PDEStatio") - _at(biharmonic2d.load, x)

    return _start(built, residual, outputs=1)


def _ns2d(built: Built) -> BareLoop:
    def residual(x: Array, fields: Any, params: Any) -> Array:
        def velocity(at: Array, inner: Any) -> Array:
            return fields(at, inner)[:2]

        slopes = jax.jacrev(fields, 0)(x, params)
        diffusion = jinns.loss.vectorial_laplacian_rev(x, velocity, params, dim_out=2, eq_type="PDEStatio")
        push = jnp.concatenate(ns2d.force(x[None]), axis=1)[0]
        momentum = slopes[:2] @ velocity(x, params) + slopes[2] - ns2d.VISCOSITY * diffusion - push
        return jnp.append(momentum, slopes[0, 0] + slopes[1, 1])

    return _start(built, residual, outputs=3)


STARTS = {
    "poisson2d": _poisson2d,
    "burgers1d": _burgers1d,
    "ns2d": _ns2d,
    "biharmonic2d": _biharmonic2d,
    "helmholtz3d": _helmholtz3d,
    "hjb_d50": _hjb_d50,
}
