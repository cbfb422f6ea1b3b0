"""Priors over the parameters of a network, for ``bayesian(prior=...)`` and ``vi(prior=...)``.

A prior is called with the sampled parameters, a pytree of arrays with ``None`` where a leaf is not sampled, and returns
their log density, normalised.  Parameters are independent.  Anything else that is called this way is a prior too.

Example:
    >>> import equinox as eqx, jax
    >>> from jno.bayesian import priors
    >>> layer = eqx.nn.Linear(4, 2, key=jax.random.PRNGKey(0))
    >>> log_density = priors.gaussian(sigma=1.0, fan_in_aware=True)(layer)
    >>> log_density.shape
    ()
"""

from __future__ import annotations

import abc
import dataclasses
import math

import jax
import jax.numpy as jnp
import jax.scipy.stats
from jaxtyping import Array, Float, PyTree

from jno.utils import require_bool, require_positive

from ._checks import require_real

__all__ = ["gaussian", "laplace", "layerwise_gaussian", "student_t"]


class Prior(abc.ABC):
    """Independent parameters: the log densities of the leaves add up."""

    def __call__(self, parameters: PyTree) -> Float[Array, ""]:
        """Log density of a pytree of arrays.

        Raises:
            TypeError: a leaf that is not an array of real floating-point numbers.
        """
        require_real("prior", parameters)
        total = jnp.zeros(())
        for leaf in jax.tree_util.tree_leaves(parameters):
            array = jnp.asarray(leaf)
            # half precision would lose the sum
            precise = array.astype(jnp.promote_types(array.dtype, jnp.float32))
            total = total + jnp.sum(self._log_density(precise))
        return total

    @abc.abstractmethod
    def _log_density(self, leaf: Float[Array, ...]) -> Float[Array, ...]:
        """Of every number of a leaf."""


@dataclasses.dataclass(frozen=True)
class GaussianPrior(Prior):
    """See `gaussian`."""

    sigma: float | int
    fan_in_aware: bool

    def __post_init__(self) -> None:
        require_positive(self.sigma, "gaussian(sigma)")
        require_bool(self.fan_in_aware, "gaussian(fan_in_aware)")

    def _log_density(self, leaf: Float[Array, ...]) -> Float[Array, ...]:
        sigma = self.sigma / math.sqrt(_fan_in(leaf)) if self.fan_in_aware else self.sigma
        return jax.scipy.stats.norm.logpdf(leaf, scale=sigma)


@dataclasses.dataclass(frozen=True)
class LaplacePrior(Prior):
    """See `laplace`."""

    scale: float | int

    def __post_init__(self) -> None:
        require_positive(self.scale, "laplace(scale)")

    def _log_density(self, leaf: Float[Array, ...]) -> Float[Array, ...]:
        return jax.scipy.stats.laplace.logpdf(leaf, scale=self.scale)


@dataclasses.dataclass(frozen=True)
class StudentTPrior(Prior):
    """See `student_t`."""

    df: float | int
    scale: float | int

    def __post_init__(self) -> None:
        require_positive(self.df, "student_t(df)")
        require_positive(self.scale, "student_t(scale)")
        if self.df <= 2:
            raise ValueError(
                f"student_t(df={self.df!r}): the variance is infinite for df <= 2; choose df > 2, such as 4"
            )

    def _log_density(self, leaf: Float[Array, ...]) -> Float[Array, ...]:
        return jax.scipy.stats.t.logpdf(leaf, self.df, scale=self.scale)


@dataclasses.dataclass(frozen=True)
class LayerwiseGaussianPrior(Prior):
    """See `layerwise_gaussian`."""

    base_sigma: float | int
    default_sigma: float | int
    fan_in_aware: bool

    def __post_init__(self) -> None:
        require_positive(self.base_sigma, "layerwise_gaussian(base_sigma)")
        require_positive(self.default_sigma, "layerwise_gaussian(default_sigma)")
        require_bool(self.fan_in_aware, "layerwise_gaussian(fan_in_aware)")

    def _log_density(self, leaf: Float[Array, ...]) -> Float[Array, ...]:
        sigma = self.base_sigma if leaf.ndim >= 2 else self.default_sigma
        if self.fan_in_aware:
            sigma /= math.sqrt(_fan_in(leaf))
        return jax.scipy.stats.norm.logpdf(leaf, scale=sigma)


def gaussian(sigma: float | int = 10.0, fan_in_aware: bool = False) -> GaussianPrior:
    """Independent normal parameters: θ ~ N(0, σ²).

    Args:
        sigma: standard deviation, in the units of the parameters; default 10.
        fan_in_aware: divide it by √fan_in for weights, leaves (out, in, ...) with at least two axes, as Equinox stores
            them: fan_in is the product of all axes but the first.

    Raises:
        ValueError: ``sigma`` is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jno
        >>> prior = jno.bayesian.priors.gaussian(sigma=2.0)
        >>> round(float(prior({"weight": jnp.zeros(3), "activation": None})), 3)  # -3 log(2 √(2π))
        -4.836
    """
    return GaussianPrior(sigma, fan_in_aware)


def laplace(scale: float | int = 1.0) -> LaplacePrior:
    """Independent parameters with p(θ) = exp(−|θ|/b) / 2b, which prefers parameters near zero.

    Args:
        scale: b, in the units of the parameters; the standard deviation is √2 b.

    Raises:
        ValueError: ``scale`` is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jno
        >>> round(float(jno.bayesian.priors.laplace(scale=0.5)(jnp.array([1.0, -1.0]))), 3)  # -2 |θ|/b
        -4.0
    """
    return LaplacePrior(scale)


def student_t(df: float | int = 4.0, scale: float | int = 1.0) -> StudentTPrior:
    """Independent parameters with Student's t distribution, which allows a few large ones.

    Args:
        df: degrees of freedom, above 2.
        scale: in the units of the parameters; the standard deviation is ``scale √(df / (df − 2))``.

    Raises:
        ValueError: ``df`` is at most 2, where the variance is infinite, or a number is not positive.

    Example:
        >>> import jax.numpy as jnp, jno
        >>> round(float(jno.bayesian.priors.student_t(df=4.0)(jnp.zeros(1))), 3)  # log(3/8)
        -0.981
    """
    return StudentTPrior(df, scale)


def layerwise_gaussian(
    *, base_sigma: float | int = 1.0, default_sigma: float | int = 1.0, fan_in_aware: bool = True
) -> LayerwiseGaussianPrior:
    """Normal parameters whose spread keeps the activations of wide layers finite: weights ~ N(0, σ²/fan_in).

    Args:
        base_sigma: standard deviation of weights, leaves (out, in, ...) with at least two axes, times √fan_in; fan_in
            is the product of all axes but the first.  Biases of convolutions (out, 1, 1) are weights of fan_in 1 here.
        default_sigma: standard deviation of biases and all other leaves.
        fan_in_aware: ``False``: do not divide by √fan_in.

    Raises:
        ValueError: a standard deviation is not a positive number.

    Example:
        >>> import jax.numpy as jnp, jno
        >>> prior = jno.bayesian.priors.layerwise_gaussian()
        >>> round(float(prior({"weight": jnp.zeros((1, 4)), "bias": jnp.zeros(1)})), 3)  # -5 log √(2π) + 4 log 2
        -1.822

    Source: Neal, Bayesian Learning for Neural Networks, chapter 2 (1996).
    """
    return LayerwiseGaussianPrior(base_sigma, default_sigma, fan_in_aware)


def _fan_in(leaf: Float[Array, ...]) -> int:
    return math.prod(leaf.shape[1:]) if leaf.ndim >= 2 else 1
