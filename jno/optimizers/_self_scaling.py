"""Scaling `tau` and Broyden parameter `phi` of the self-scaled quasi-Newton updates, one function per method.

With `s` the step, `y` the change of the gradient and `H` the approximate inverse Hessian, each function takes

    b = s·H⁻¹s / y·s        h = y·Hy / y·s        n = number of parameters

and returns `(tau, phi)`. Both `b` and `h` are positive, and `b h >= 1` (Cauchy-Schwarz).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar: TypeAlias = Float[Array, ""]


def _bfgs(b: Scalar, h: Scalar, n: int) -> tuple[Scalar, Scalar]:
    return jnp.ones_like(b), jnp.ones_like(b)


def _ssbfgs(b: Scalar, h: Scalar, n: int) -> tuple[Scalar, Scalar]:
    return jnp.minimum(1.0, 1.0 / b), jnp.ones_like(b)


def _ssbroyden(b: Scalar, h: Scalar, n: int) -> tuple[Scalar, Scalar]:
    # a = 0 when s is parallel to Hy: phi does not matter then, a division by zero would
    a = jnp.maximum(b * h - 1.0, jnp.finfo(b.dtype).tiny)
    c = jnp.sqrt(a / (1.0 + a))
    # h (1 - c) without the cancellation: 1 - c² = 1 / (1 + a) = 1 / (b h)
    rho = jnp.minimum(1.0, 1.0 / (b * (1.0 + c)))
    theta = jnp.maximum((rho - 1.0) / a, jnp.minimum(1.0 / rho, (1.0 - b) / b))
    sigma = 1.0 + a * theta
    root = sigma ** (-1.0 / max(n - 1, 1))
    scale = jnp.minimum(1.0, 1.0 / b)
    tau = jnp.where(
        theta > 0,
        scale * jnp.minimum(root, 1.0 / jnp.where(theta > 0, theta, 1.0)),
        jnp.minimum(scale * root, sigma),
    )
    return tau, (1.0 - theta) / sigma


METHODS: dict[str, Callable[[Scalar, Scalar, int], tuple[Scalar, Scalar]]] = {
    "bfgs": _bfgs,
    "ssbfgs": _ssbfgs,
    "ssbroyden": _ssbroyden,
}


def scaling(method: str, b: Scalar, h: Scalar, n: int) -> tuple[Scalar, Scalar]:
    """`(tau, phi)` of a method; those of BFGS where rounding left no meaningful value."""
    tau, phi = METHODS[method](b, h, n)
    valid = (b > 0) & (tau > 0) & jnp.isfinite(tau) & jnp.isfinite(phi)
    return jnp.where(valid, tau, 1.0), jnp.where(valid, phi, 1.0)
