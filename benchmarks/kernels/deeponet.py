"""Δu + f = 0 for many f, with u = g(x) (branch(f) · trunk(x) + b) and g = x(1−x)y(1−y)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from . import _mlp
from .poisson2d import bubble


def weights_of(module: Any) -> dict[str, Any]:
    """Arrays of a foundax ``deeponet`` with MLP branch, MLP trunk and dot product."""

    def layers(net: Any) -> Any:
        return _mlp.layers_of([*(block.dense for block in net.mlp.blocks), net.mlp.output_layer])

    return {
        "branch": layers(module.branch_net),
        "trunk": layers(module.trunk_net),
        "bias": jnp.array(module.output_bias),
    }


def forward(weights: Any, data: Mapping[str, Any]) -> Float[Array, "B N"]:
    """u of every sample at every point."""
    branch = _mlp.mlp(weights["branch"], data["sensors"])
    trunk = _mlp.mlp(weights["trunk"], data["points"])
    return bubble(data["points"])[:, 0] * (branch @ trunk.T + weights["bias"])


def nested(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """Two jvp of jvp of the fields of all samples, which meet the trunk in one matrix product."""
    points = data["points"]
    branch = _mlp.mlp(weights["branch"], data["sensors"])

    def u(at: Array) -> Array:
        return bubble(at) * (_mlp.mlp(weights["trunk"], at) @ branch.T + weights["bias"])

    residual = _mlp.second(u, points, 0) + _mlp.second(u, points, 1) + data["source"].T
    return jnp.mean(jnp.square(residual))


def onepass(taylor: _mlp.Taylor) -> Any:
    """The trunk's coefficients do not depend on the sample; each meets all samples in one matrix product."""

    def loss(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
        x, y = data["points"][:, 0], data["points"][:, 1]
        trunk, (t_x, t_y), t_laplacian = taylor(weights["trunk"], data["points"], (0, 1))
        branch = _mlp.mlp(weights["branch"], data["sensors"])
        value = branch @ trunk.T + weights["bias"]
        gx, gy = x * (1 - x), y * (1 - y)
        slopes = (1 - 2 * x) * gy * (branch @ t_x.T) + gx * (1 - 2 * y) * (branch @ t_y.T)
        residual = -2 * (gx + gy) * value + 2 * slopes + gx * gy * (branch @ t_laplacian.T) + data["source"]
        return jnp.mean(jnp.square(residual))

    return loss


def combined(weights: Any, data: Mapping[str, Any]) -> Float[Array, ""]:
    """The residual is linear in the trunk: combine its coefficients first, then one product for all samples."""
    x, y = data["points"][:, :1], data["points"][:, 1:]
    trunk, (t_x, t_y), t_laplacian = _mlp.VARIANTS["stacked"](weights["trunk"], data["points"], (0, 1))
    gx, gy = x * (1 - x), y * (1 - y)
    curvature = -2 * (gx + gy)
    slopes = (1 - 2 * x) * gy * t_x + gx * (1 - 2 * y) * t_y
    basis = curvature * trunk + 2 * slopes + gx * gy * t_laplacian
    branch = _mlp.mlp(weights["branch"], data["sensors"])
    residual = branch @ basis.T + weights["bias"] * curvature[:, 0] + data["source"]
    return jnp.mean(jnp.square(residual))
