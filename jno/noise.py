"""Random terms (`jno.noise`): drawn anew in every training step, zero without a random key (``eval``)."""

from __future__ import annotations

from jno.trace import Noise
from jno.utils import NUMBER, checked, integer


@checked(std=NUMBER, ndim=integer())
def gaussian(std: float | int = 1.0, ndim: int = 1) -> Noise:
    r"""Normal noise :math:`\mathcal N(0, \sigma^2)`.

    Args:
        std: standard deviation, not negative. Default 1.
        ndim: number of columns. Default 1.

    Returns:
        Node ``(N, ndim)``, with ``N`` the number of points of the expression it stands in. Two nodes are
        independent.

    Raises:
        ValueError: negative ``std``, or ``ndim`` below 1.

    Example:
        >>> import jno
        >>> jno.noise.gaussian(std=0.1)
        Noise[gaussian]
    """
    return Noise("gaussian", std=std, ndim=ndim)


@checked(low=NUMBER, high=NUMBER, ndim=integer())
def uniform(low: float | int = -1.0, high: float | int = 1.0, ndim: int = 1) -> Noise:
    """Uniform noise in ``[low, high)``.

    Args:
        low: lower bound. Default -1.
        high: upper bound, not below ``low``. Default 1.
        ndim: number of columns. Default 1.

    Returns:
        Node ``(N, ndim)``.

    Raises:
        ValueError: ``low`` above ``high``, or ``ndim`` below 1.

    Example:
        >>> import jno
        >>> jno.noise.uniform(0.0, 1.0)
        Noise[uniform]
    """
    return Noise("uniform", low=low, high=high, ndim=ndim)


@checked(std=NUMBER, ndim=integer())
def laplace(std: float | int = 1.0, ndim: int = 1) -> Noise:
    r"""Laplace noise with mean 0 and density :math:`\exp(-|x|/b)/(2b)`, scale :math:`b = \sigma/\sqrt2`.

    Args:
        std: standard deviation :math:`\sigma` (not the scale), not negative. Default 1.
        ndim: number of columns. Default 1.

    Returns:
        Node ``(N, ndim)``.

    Raises:
        ValueError: negative ``std``, or ``ndim`` below 1.

    Example:
        >>> import jno
        >>> jno.noise.laplace(std=0.1, ndim=2)
        Noise[laplace]
    """
    return Noise("laplace", std=std, ndim=ndim)
