"""A Fourier neural operator learns (1 − Δ)⁻¹ on a periodic grid from data: images in mini-batches."""

import math
from typing import Any

import foundax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

import jno

from .._case import MODULE, Built, Problem, Size
from ..kernels import fno2d as kernel
from ._parts import trained

_MODES = 12


def fields(samples: int, edge: int) -> tuple[Float[np.ndarray, "B H W 1"], Float[np.ndarray, "B H W 1"]]:
    """Random right-hand sides and their solutions; their spectra decay, so the grid resolves them."""
    frequencies = np.fft.fftfreq(edge, 1 / edge)
    square = frequencies[:, None] ** 2 + frequencies**2
    noise = np.fft.fft2(np.random.default_rng(0).normal(size=(samples, edge, edge)))
    spectrum = noise * np.exp(-square / 32)
    source, solution = (np.fft.ifft2(part).real[..., None] for part in (spectrum, spectrum / (1 + square)))
    return source.astype(np.float32), solution.astype(np.float32)


def build(size: Size) -> Built:
    edge = math.isqrt(size.points)
    module: Any = foundax.fno2d(
        1,
        hidden_channels=size.width,
        n_modes=min(_MODES, edge // 2),
        n_layers=size.depth,
        d_model=(edge, edge),
        linear_conv=False,  # periodic: no padding
        key=jax.random.PRNGKey(0),
    )
    weights = jax.tree_util.tree_map(jnp.array, module)
    source, solution = fields(size.samples, edge)
    dom = size.samples * jno.domain.equi_distant_rect(nx=edge - 1, ny=edge - 1)
    a, target = dom.variable("input", source[:, None]), dom.variable("target", solution[:, None])
    u = trained(module)(a)
    data = {"input": jnp.asarray(source), "target": jnp.asarray(solution)}
    return Built(jno.core([(u - target).mse]), u, weights, data, per_sample=("input", "target"))


PROBLEM = Problem(
    id="fno2d",
    build=build,
    kernels={MODULE: kernel.loss},
    forward=kernel.forward,
    full=Size(points=64 * 64, width=32, depth=4, samples=64, batch=8),
    quick=Size(points=16 * 16, width=4, depth=1, samples=6, batch=2),
)
