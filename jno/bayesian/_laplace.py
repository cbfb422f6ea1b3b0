"""Laplace's approximation: chains start on the normal distribution at the mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from jno.utils import get_logger, require_int, require_nonnegative

from ._checks import require_optimizer
from ._initializer import FlatDensity, LogDensityInitializer, Start, flattened, require_finite, require_start, stacked
from ._kernels import Key, Target

STRATEGIES = ("diagonal", "full")

Covariance: TypeAlias = Float[Array, " D"] | Float[Array, "D D"]
"""Variances, or a covariance matrix."""

_AT_A_TIME = 16  # rows of the Hessian computed together: all of them would need the memory of as many training steps


@dataclasses.dataclass(frozen=True)
class Laplace(LogDensityInitializer):
    """See `laplace`."""

    map_steps: int
    map_optimizer: Any
    hessian_strategy: str
    ridge: float | int

    def __post_init__(self) -> None:
        require_int(self.map_steps, "laplace(map_steps)", minimum=0)
        require_optimizer("laplace", map_optimizer=self.map_optimizer)
        require_nonnegative(self.ridge, "laplace(ridge)")
        if not isinstance(self.hessian_strategy, str) or self.hessian_strategy not in STRATEGIES:
            raise ValueError(
                f"laplace(hessian_strategy={self.hessian_strategy!r}): choose one of {', '.join(map(repr, STRATEGIES))}"
            )

    def __call__(self, key: Key, logdensity: Target, position: PyTree, num_chains: int) -> Start:
        """See `LogDensityInitializer`."""
        require_int(num_chains, "laplace(num_chains)", minimum=1)
        flat, density, unravel = flattened("laplace", logdensity, position)
        require_start("laplace", density, flat)
        covariance_at = self._diagonal if self.hessian_strategy == "diagonal" else self._full

        @jax.jit
        def run(
            key: Key, start: Float[Array, " D"]
        ) -> tuple[Float[Array, " D"], Float[Array, "K D"], Covariance, Array]:
            mode = self._mode(density, start)
            covariance, root, curvatures = covariance_at(density, mode)
            noise = jax.random.normal(key, (num_chains, start.size), start.dtype)
            chains = mode + (noise * root if root.ndim == 1 else noise @ root.T)
            return mode, chains, covariance, jnp.sum(curvatures <= 0)

        mode, chains, covariance, ascending = run(key, flat)
        require_finite("laplace", "use a smaller learning rate in map_optimizer=", mode)
        require_finite("laplace", "a direction has no curvature; use ridge > 0", chains, covariance)
        if ascending:
            get_logger().warning(
                f"laplace: {int(ascending)} of {flat.size} curvatures are not those of a mode, their absolute values "
                "are used; more map_steps or another map_optimizer may come closer to it"
            )
        return stacked(unravel, chains), {"inverse_mass_matrix": covariance}

    def _mode(self, density: FlatDensity, start: Float[Array, " D"]) -> Float[Array, " D"]:
        optimizer = optax.with_extra_args_support(self.map_optimizer or optax.adam(1e-2))

        def loss(vector: Float[Array, " D"]) -> Float[Array, ""]:
            return -density(vector)

        def step(carry: tuple[Array, PyTree], _: None) -> tuple[tuple[Array, PyTree], None]:
            vector, state = carry
            value, gradient = jax.value_and_grad(loss)(vector)
            updates, state = optimizer.update(gradient, state, vector, value=value, grad=gradient, value_fn=loss)
            return (optax.apply_updates(vector, updates), state), None

        return jax.lax.scan(step, (start, optimizer.init(start)), length=self.map_steps)[0][0]

    def _diagonal(
        self, density: FlatDensity, mode: Float[Array, " D"]
    ) -> tuple[Covariance, Covariance, Float[Array, " D"]]:
        """Variances, their roots and the curvatures."""
        curvatures = _over_rows(density, mode, lambda row, index: row[index])
        variances = 1 / (jnp.abs(curvatures) + self.ridge)
        return variances, jnp.sqrt(variances), curvatures

    def _full(
        self, density: FlatDensity, mode: Float[Array, " D"]
    ) -> tuple[Covariance, Covariance, Float[Array, " D"]]:
        """The covariance, a root of it and the curvatures."""
        rows = _over_rows(density, mode, lambda row, index: row)
        curvatures, directions = jnp.linalg.eigh((rows + rows.T) / 2)
        root = directions / jnp.sqrt(jnp.abs(curvatures) + self.ridge)
        return root @ root.T, root, curvatures


def laplace(
    map_steps: int = 500, map_optimizer: object = None, hessian_strategy: str = "diagonal", ridge: float | int = 1e-6
) -> Laplace:
    """Start chains on the normal distribution with the mode and the curvature of the posterior.

    An optimizer climbs to the mode θ*; with H the negative Hessian of the log density there, every chain starts at a
    draw from N(θ*, (H + ridge I)⁻¹), and the kernel gets the covariance as ``inverse_mass_matrix``.

    Args:
        map_steps: steps of the optimizer; 0 if the weights are trained already.
        map_optimizer: optax transform with its learning rate; default ``optax.adam(1e-2)``, which can move a parameter
            by about ``map_steps / 100``.
        hessian_strategy: ``"diagonal"`` (default) keeps the diagonal of H, ``inverse_mass_matrix`` (d,), which is the
            variance of each parameter given all others; ``"full"`` inverts H, (d, d), for some thousand parameters
            at most.  Both cost d Hessian-vector products.
        ridge: added to H, at least 0.  Negative curvatures, of a point that is not a mode, count with their absolute
            value, and a warning says how many there were.

    Returns:
        an initializer for ``net.initialize``.

    Raises:
        ValueError: unknown strategy or a number that is not allowed.  When called: a log density or a mode that is not
            finite, a direction without curvature and without ridge.
        TypeError: ``map_optimizer`` is not an optax transform.

    Example:
        >>> import jax, jax.numpy as jnp, jno
        >>> density = lambda position: -jnp.sum((position["w"] - 1.0) ** 2)
        >>> start = jno.bayesian.laplace(hessian_strategy="full")
        >>> chains, options = start(jax.random.PRNGKey(0), density, {"w": jnp.zeros(2)}, 4)
        >>> chains["w"].shape, options["inverse_mass_matrix"].round(3).tolist()
        ((4, 2), [[0.5, 0.0], [0.0, 0.5]])

    Source: MacKay, A practical Bayesian framework for backpropagation networks, Neural Computation 4 (1992).
    """
    return Laplace(map_steps, map_optimizer, hessian_strategy, ridge)


def _over_rows(density: FlatDensity, mode: Float[Array, " D"], reduce: Callable[[Array, Array], Array]) -> Array:
    """A function of row and number of each row of the negative Hessian."""
    gradient = jax.grad(lambda vector: -density(vector))

    def of_row(index: Int[Array, ""]) -> Array:
        direction = jnp.zeros_like(mode).at[index].set(1)
        return reduce(jax.jvp(gradient, (mode,), (direction,))[1], index)

    return jax.lax.map(of_row, jnp.arange(mode.size), batch_size=_AT_A_TIME)
