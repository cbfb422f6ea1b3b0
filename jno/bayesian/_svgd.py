"""Stein variational gradient descent: chains start at particles that spread over the posterior."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jno.utils import require_int, require_positive

from ._checks import require_optimizer
from ._factories import library
from ._initializer import LogDensityInitializer, Start, flattened, require_finite, require_start, stacked
from ._kernels import Key, Target


@dataclasses.dataclass(frozen=True)
class SteinVariationalGradientDescent(LogDensityInitializer):
    """See `svgd`."""

    num_iters: int
    num_particles: int | None
    optimizer: Any
    kernel: Callable[..., Any] | None
    init_jitter: float | int

    def __post_init__(self) -> None:
        require_int(self.num_iters, "svgd(num_iters)", minimum=1)
        if self.num_particles is not None:
            require_int(self.num_particles, "svgd(num_particles)", minimum=1)
        require_optimizer("svgd", optimizer=self.optimizer)
        if self.kernel is not None and not callable(self.kernel):
            raise TypeError(f"svgd(kernel={self.kernel!r}): expected a function (x, y, length_scale) of two vectors")
        # particles at one place would stay together
        require_positive(self.init_jitter, "svgd(init_jitter)")

    def __call__(self, key: Key, logdensity: Target, position: PyTree, num_chains: int) -> Start:
        """See `LogDensityInitializer`."""
        algorithms = library().vi.svgd
        require_int(num_chains, "svgd(num_chains)", minimum=1)
        count = num_chains if self.num_particles is None else self.num_particles
        if count < num_chains:
            raise ValueError(
                f"svgd(num_particles={count}) is less than num_chains={num_chains}: every chain starts at its own "
                f"particle; use at least {num_chains}, or leave num_particles out"
            )
        flat, density, unravel = flattened("svgd", logdensity, position)
        require_start("svgd", density, flat)
        # one particle has no distances to take a median of, and needs none
        update = algorithms.update_median_heuristic if count > 1 else lambda state: state
        algorithm = algorithms.as_top_level_api(
            jax.grad(density),
            self.optimizer or optax.adam(1e-2),
            self.kernel or algorithms.rbf_kernel,
            update,
        )

        @jax.jit
        def run(key: Key, start: Float[Array, " D"]) -> Float[Array, "K D"]:
            jitter = self.init_jitter * jax.random.normal(key, (count, start.size), start.dtype)
            state = update(algorithm.init(start + jitter, {"length_scale": jnp.ones((), start.dtype)}))
            state, _ = jax.lax.scan(lambda state, _: (algorithm.step(state), None), state, length=self.num_iters)
            return state.particles

        particles = run(key, flat)
        require_finite("svgd", "use a smaller learning rate in optimizer=", particles)
        return stacked(unravel, particles[:num_chains]), {}


def svgd(
    num_iters: int = 500,
    num_particles: int | None = None,
    optimizer: object = None,
    kernel: Callable[..., Any] | None = None,
    init_jitter: float | int = 0.1,
) -> SteinVariationalGradientDescent:
    """Start chains at particles that an optimizer moves together until they represent the posterior.

    n particles follow ``φ(x) = 1/n Σⱼ [k(xⱼ, x) ∇ log p(xⱼ) + ∇ₓⱼ k(xⱼ, x)]``: uphill, and away from each other.  With
    one particle this is the climb to the mode.  In many dimensions few particles spread less than the posterior does;
    the kernel therefore gets no mass matrix from them.

    Args:
        num_iters: steps.
        num_particles: at least the number of chains, which is the default; the chains start at the first of them.
        optimizer: optax transform with its learning rate; default ``optax.adam(1e-2)``.
        kernel: JAX function ``(x, y, length_scale)`` of two vectors; default ``exp(−|x − y|²/length_scale)``, with
            ``length_scale = median(|x − y|)² / log n`` updated every step.
        init_jitter: standard deviation of the normal noise that sets the particles apart at first, in the units of the
            parameters; positive.

    Returns:
        an initializer for ``net.initialize``.

    Raises:
        ValueError: a number that is not allowed.  When called: fewer particles than chains, a log density or particles
            that are not finite.
        TypeError: no optax transform, no function as kernel.
        ImportError: Blackjax is not installed (``jno-jax[bayes]``).

    Example:
        >>> import jax, jax.numpy as jnp, jno
        >>> density = lambda position: -jnp.sum((position["w"] - 1.0) ** 2)
        >>> chains, options = jno.bayesian.svgd()(jax.random.PRNGKey(0), density, {"w": jnp.zeros(2)}, 4)
        >>> chains["w"].shape, options
        ((4, 2), {})

    Source: Liu, Wang, Stein variational gradient descent, NeurIPS (2016).
    """
    return SteinVariationalGradientDescent(num_iters, num_particles, optimizer, kernel, init_jitter)
