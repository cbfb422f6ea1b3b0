"""Pathfinder: chains start on a normal approximation along the path of L-BFGS to the mode."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from jno.utils import get_logger, require_int

from ._factories import library
from ._initializer import FlatDensity, LogDensityInitializer, Start, flattened, require_finite, require_start, stacked
from ._kernels import Key, Target

_AT_A_TIME = 32  # log densities evaluated together: all of them would need the memory of as many training steps


@dataclasses.dataclass(frozen=True)
class Pathfinder(LogDensityInitializer):
    """See `pathfinder`."""

    maxiter: int
    num_samples: int
    maxcor: int
    imm_estimator_samples: int

    def __post_init__(self) -> None:
        require_int(self.maxiter, "pathfinder(maxiter)", minimum=1)
        require_int(self.num_samples, "pathfinder(num_samples)", minimum=1)
        require_int(self.maxcor, "pathfinder(maxcor)", minimum=1)
        # a variance needs two
        require_int(self.imm_estimator_samples, "pathfinder(imm_estimator_samples)", minimum=2)

    def __call__(self, key: Key, logdensity: Target, position: PyTree, num_chains: int) -> Start:
        """See `LogDensityInitializer`."""
        require_int(num_chains, "pathfinder(num_chains)", minimum=1)
        flat, density, unravel = flattened("pathfinder", logdensity, position)
        require_start("pathfinder", density, flat)

        @jax.jit
        def run(key: Key, start: Float[Array, " D"]) -> tuple[Array, Array, Float[Array, "K D"], Float[Array, " D"]]:
            key, subkey = jax.random.split(key)
            best, bound, has_steps = self._approximation(subkey, density, start)
            key, subkey = jax.random.split(key)
            chains = _draws(key, best, num_chains)[0]
            variance = jnp.var(_draws(subkey, best, self.imm_estimator_samples)[0], axis=0, ddof=1)
            return bound, has_steps, chains, variance

        bound, has_steps, chains, variance = run(key, flat)
        require_finite("pathfinder", "no point of its path has a finite evidence bound", bound, chains, variance)
        if not has_steps:
            get_logger().warning(
                "pathfinder starts where the log density has no slope it can follow: its covariance is the identity; "
                "start away from the mode, or use jno.bayesian.laplace"
            )
        return stacked(unravel, chains), {"inverse_mass_matrix": variance}

    def _approximation(
        self, key: Key, density: FlatDensity, start: Float[Array, " D"]
    ) -> tuple[PyTree, Float[Array, ""], Bool[Array, ""]]:
        """The best approximation along the path, its evidence lower bound, and whether the path has steps at all."""
        key, subkey = jax.random.split(key)
        # ftol=0: a start near the mode must not end the path before the curvature is known
        # num_samples=1: Blackjax draws around means on the wrong side of the mode, so that its choice is not used
        _, info = library().vi.pathfinder.approximate(
            subkey, density, start, 1, maxiter=self.maxiter, maxcor=self.maxcor, ftol=0.0
        )
        keys = jax.random.split(key, self.maxiter + 1)
        bounds, path = jax.lax.map(lambda point: self._judged(density, *point), (keys, info.path))
        bounds = jnp.where(jnp.isfinite(bounds), bounds, -jnp.inf)
        best = jnp.argmax(bounds)
        return jax.tree_util.tree_map(lambda leaf: leaf[best], path), bounds[best], jnp.any(info.path.beta != 0)

    def _judged(self, density: FlatDensity, key: Key, state: PyTree) -> tuple[Float[Array, ""], PyTree]:
        """The evidence lower bound of an approximation, and the approximation."""
        state = _centred(density, state)
        draws, log_probability = _draws(key, state, self.num_samples)
        return jnp.mean(jax.lax.map(density, draws, batch_size=_AT_A_TIME) - log_probability), state


def pathfinder(
    maxiter: int = 30, num_samples: int = 200, maxcor: int = 10, imm_estimator_samples: int = 500
) -> Pathfinder:
    """Start chains on a normal approximation of the posterior found on the way to its mode.

    L-BFGS climbs the log density; each point of its path gives a normal distribution with the inverse Hessian of L-BFGS
    as covariance, centred at one Newton step from there.  The one with the largest evidence lower bound is drawn from,
    once per chain; the kernel gets the variances as ``inverse_mass_matrix`` (d,).

    Args:
        maxiter: steps of L-BFGS.
        num_samples: draws that estimate each evidence lower bound, ``maxiter + 1`` times that many log densities.
        maxcor: steps L-BFGS remembers.
        imm_estimator_samples: draws that estimate the variances, at least 2; they cost no log density.

    Returns:
        an initializer for ``net.initialize``.  A start at the mode itself teaches it nothing: it warns, and the
        covariance is the identity.

    Raises:
        ValueError: a number below its least value.  When called: a log density that is not finite.
        ImportError: Blackjax is not installed (``jno-jax[bayes]``).

    Example:
        >>> import jax, jax.numpy as jnp, jno
        >>> density = lambda position: -jnp.sum((position["w"] - 3.0) ** 2)
        >>> start = jno.bayesian.pathfinder(maxiter=5)
        >>> chains, options = start(jax.random.PRNGKey(0), density, {"w": jnp.zeros(2)}, 4)
        >>> chains["w"].shape, options["inverse_mass_matrix"].round(1)
        ((4, 2), Array([0.5, 0.5], dtype=float32))

    Source: Zhang, Carpenter, Gelman, Vehtari, Pathfinder: parallel quasi-Newton variational inference, JMLR 23 (2022).
    """
    return Pathfinder(maxiter, num_samples, maxcor, imm_estimator_samples)


def _draws(key: Key, state: PyTree, count: int) -> tuple[Float[Array, "K D"], Float[Array, " K"]]:
    return library().vi.pathfinder.sample(key, state, count)


def _centred(density: FlatDensity, state: PyTree) -> PyTree:
    """The approximation centred at its Newton step.

    Blackjax 1.7 steps against the gradient it should follow; one without a gradient does not step.
    """
    gradient = jax.grad(density)(state.position)
    step = state.alpha * gradient + state.beta @ (state.gamma @ (state.beta.T @ gradient))
    return state._replace(position=state.position + step, grad_position=jnp.zeros_like(gradient))
