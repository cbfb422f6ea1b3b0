"""Have the chains converged, and how many independent draws are they worth?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PyTree, Real

STRATEGIES = ("auto", "multichain", "split")

_FEWEST_DRAWS = 4
_COLUMNS = 1024  # parameters treated at a time: the draws of a whole network need not fit in memory several times


def rhat(chain: PyTree, *, strategy: str = "auto") -> Any:
    """Potential scale reduction of Markov chains: 1 if they agree, above 1.01 if they have not converged.

    Draws are replaced by the normal scores of their ranks, ``z = Φ⁻¹((rank − 3/8) / (S + 1/4))`` among all S draws, so
    heavy tails do no harm.  With the mean W of the chains' variances and the variance B/n of their means,

        R̂ = √((n − 1)/n + B/(n W)).

    The larger of two is returned: for the draws, and for their distances from the median, which sees chains that differ
    in scale only.

    Args:
        chain: draws (K, N, *param) of K chains with N ≥ 4 draws each, or a pytree of such arrays, such as
            ``net.posterior_samples``.
        strategy: ``"split"`` halves every chain, so that a drift within chains, even within a single one, shows;
            ``"auto"`` (default) does the same; ``"multichain"`` compares whole chains and needs K ≥ 2.

    Returns:
        a float64 NumPy array of shape param, or a pytree of them.  NaN where a draw is not finite and where all draws
        are equal, infinity where every chain stands still at another place.

    Raises:
        ValueError: unknown strategy, fewer than two axes, no parameters, too few draws or chains.
        TypeError: a leaf that is not an array of real numbers.

    Example:
        >>> import jax, jno
        >>> draws = jax.random.normal(jax.random.PRNGKey(0), (4, 500, 2))
        >>> jno.bayesian.rhat(draws).round(2)
        array([1., 1.])

    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner, Rank-normalization, folding, and localization: an improved R̂
    for assessing convergence of MCMC, Bayesian Analysis 16 (2021).
    """
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise ValueError(f"rhat(strategy={strategy!r}): choose one of {', '.join(map(repr, STRATEGIES))}")
    between_chains = strategy == "multichain"

    def of_array(draws: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, " P"]:
        chains = draws if between_chains else _halves(draws)
        folded = np.abs(chains - np.median(chains, axis=(0, 1)))
        # fmax: the distances of two-valued draws may all be equal, which says nothing
        return np.fmax(_scale_reduction(_normal_scores(chains)), _scale_reduction(_normal_scores(folded)))

    return _per_parameter("rhat", chain, of_array, fewest_chains=2 if between_chains else 1)


def ess(chain: PyTree) -> Any:
    """Effective sample size of Markov chains: as many independent draws would estimate the mean equally well.

    The bulk effective sample size ``K N / τ`` of the normal scores of the ranks, with chains halved.  The
    autocorrelation time ``τ = −1 + 2 Σ (ρ₂ₖ + ρ₂ₖ₊₁)`` runs over pairs of lags as long as they are positive, made
    monotone (Geyer 1992), as in Stan.  Independent draws give about K N, antithetic ones more (at most K N log₁₀(K N)).

    Args:
        chain: draws (K, N, *param) of K chains with N ≥ 4 draws each, or a pytree of such arrays.  A hundred draws per
            chain are needed for a number that means something; below ten no lag is looked at, and it is the largest.

    Returns:
        a float64 NumPy array of shape param, or a pytree of them.  NaN where a draw is not finite and where all draws
        are equal.

    Raises:
        ValueError: fewer than two axes, no parameters, too few draws.
        TypeError: a leaf that is not an array of real numbers.

    Example:
        >>> import jax, jno
        >>> draws = jax.random.normal(jax.random.PRNGKey(0), (4, 500))
        >>> bool(1800 < jno.bayesian.ess(draws) < 2200)
        True

    Source: Vehtari et al., Bayesian Analysis 16 (2021); Geyer, Practical Markov chain Monte Carlo, Statistical
    Science 7 (1992).
    """

    def of_array(draws: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, " P"]:
        return _effective_size(_normal_scores(_halves(draws)))

    return _per_parameter("ess", chain, of_array, fewest_chains=1)


def _per_parameter(
    function: str,
    chain: PyTree,
    of_array: Callable[[Float[np.ndarray, "K N P"]], Float[np.ndarray, " P"]],
    fewest_chains: int,
) -> Any:
    def of_leaf(path: tuple[object, ...], leaf: object) -> Float[np.ndarray, ...]:
        where = function + (f" of {jax.tree_util.keystr(path)}" if path else "")
        draws = _draws(where, leaf, fewest_chains)
        columns = draws.reshape(*draws.shape[:2], -1)
        values = np.full(columns.shape[2], np.nan)
        # equal draws are decided on here: their variance need not round to zero
        sound = np.isfinite(columns).all(axis=(0, 1)) & (columns != columns[:1, :1]).any(axis=(0, 1))
        remaining = np.flatnonzero(sound)
        for start in range(0, remaining.size, _COLUMNS):
            part = remaining[start : start + _COLUMNS]
            values[part] = of_array(columns[:, :, part].astype(np.float64))
        return values.reshape(draws.shape[2:])

    if not jax.tree_util.tree_leaves(chain):
        raise TypeError(f"{function}(chain={chain!r}): chain must be an array of draws, or a pytree of some")
    return jax.tree_util.tree_map_with_path(of_leaf, chain)


def _draws(where: str, leaf: object, fewest_chains: int) -> Real[np.ndarray, "K N ..."]:
    if not isinstance(leaf, np.ndarray | jax.Array) or not (
        jax.numpy.issubdtype(leaf.dtype, np.floating) or leaf.dtype.kind in "biu"
    ):
        kind = leaf.dtype if isinstance(leaf, np.ndarray | jax.Array) else type(leaf).__name__
        raise TypeError(f"{where}: expected an array of real draws (chains, draws, *parameter), got {kind}")
    if leaf.ndim < 2 or leaf.size == 0:
        raise ValueError(
            f"{where}: expected draws of shape (chains, draws, *parameter), got {leaf.shape}; one chain is draws[None]"
        )
    if leaf.shape[1] < _FEWEST_DRAWS:
        raise ValueError(f"{where}: {leaf.shape[1]} draws per chain are too few; keep at least {_FEWEST_DRAWS}")
    if leaf.shape[0] < fewest_chains:
        raise ValueError(
            f"{where}: strategy='multichain' compares at least two chains, got one; use strategy='split', or sample "
            "with num_chains=4"
        )
    return np.asarray(leaf)


def _halves(draws: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, "K2 N2 P"]:
    """Twice as many chains; of an odd number of draws the middle one is left out."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normal_scores(draws: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, "K N P"]:
    from scipy.special import ndtri
    from scipy.stats import rankdata

    pooled = draws.reshape(-1, draws.shape[2])
    ranks = rankdata(pooled, method="average", axis=0)
    return ndtri((ranks - 3 / 8) / (len(pooled) + 1 / 4)).reshape(draws.shape)


def _scale_reduction(scores: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, " P"]:
    count = scores.shape[1]
    within = np.var(_deviations(scores), axis=1, ddof=1).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((count - 1) / count + _variance_of_means(scores) / within)


def _effective_size(scores: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, " P"]:
    chains, count, _ = scores.shape
    covariance = _autocovariance(scores)
    within = covariance[0] * count / (count - 1)
    total = covariance[0] + _variance_of_means(scores)
    with np.errstate(invalid="ignore"):
        correlation = 1 - (within - covariance) / total
        # one, except where the halves left out the only draw that differs
        correlation[0] = total / total
    # as in Stan, the last lags are never looked at
    pairs = max(1, (count - 1) // 2)
    even, odd = correlation[: 2 * pairs : 2], correlation[1 : 2 * pairs : 2]
    sums = even + odd
    ends = sums <= 0
    ends[-1] = True
    end = ends.argmax(axis=0)
    positive = np.arange(pairs)[:, None] < end
    time = -1 + 2 * np.where(positive, np.minimum.accumulate(sums, axis=0), 0).sum(axis=0)
    time += np.maximum(np.take_along_axis(even, end[None], axis=0)[0], 0)
    draws = chains * count
    return draws / np.maximum(time, 1 / np.log10(draws))


def _autocovariance(scores: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, "N P"]:
    """At every lag, averaged over the chains."""
    from scipy.fft import irfft, next_fast_len, rfft

    count = scores.shape[1]
    padded = next_fast_len(2 * count, real=True)
    deviations = _deviations(scores)
    spectrum = rfft(deviations - deviations.mean(axis=1, keepdims=True), n=padded, axis=1)
    power = (spectrum * spectrum.conj()).real.mean(axis=0)
    return irfft(power, n=padded, axis=0)[:count] / count


def _deviations(scores: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, "K N P"]:
    """From the first score of each chain: those of a chain that stands still are exactly zero."""
    return scores - scores[:, :1]


def _variance_of_means(scores: Float[np.ndarray, "K N P"]) -> Float[np.ndarray, " P"]:
    return np.var((scores - scores[:1, :1]).mean(axis=1), axis=0, ddof=1)
