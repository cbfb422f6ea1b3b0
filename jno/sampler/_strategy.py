"""`ResamplingStrategy`: when points of a tag are replaced and which."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from jno.utils import Key as Key
from jno.utils import SharedDocumentation, is_integral, is_real

from ._situation import Situation

documented = SharedDocumentation(
    {
        "resample_every": "epochs between two replacements.",
        "resample_fraction": "largest share of the points that is replaced at once.",
        "start_epoch": "first epoch before which points are replaced; shorter runs replace none.",
    }
)
"""What the docstrings of the strategies have in common."""


@documented
class ResamplingStrategy:
    """Replaces points of a tag during training; how many a tag has never changes.

    Whether points are replaced before an epoch follows from the epoch alone: at `start_epoch` (not before the first
    epoch) and every `resample_every` epochs from there. So a run that is resumed resamples in the same epochs, and
    there is nothing to update between epochs. Epochs go on over `solve` calls.

    A strategy that you write says by `needs_residuals` what it needs, and implements one of

    - `choose`, which picks present points and candidates by their numbers, and may keep a state;
    - `resample`, which gets the points and returns the new ones, wherever they are. Their normals are those of the
      nearest present point or candidate.

    Of a class that has both, training calls `resample`; of classes derived from each other the one that the most
    derived class implements. A strategy with another rhythm overrides `should_resample`, which is then asked before
    every epoch, and `update_epoch` is called after every replacement.

    Attributes:
        needs_residuals: whether it wants residuals; default no.
        needs_influence: whether it wants the influence of every point on the training in their place: the derivative of
            its squared residual along the gradient of the total loss.
        candidate_factor: candidates for every point.
        candidate_minimum: least number of candidates.

    Raises:
        TypeError: `resample_every` or `start_epoch` is not an integer; a class with neither `choose` nor `resample`.
        ValueError: a number out of range.

    Example:
        >>> import jno, numpy as np
        >>> class Shifted(jno.sampler.ResamplingStrategy):
        ...     def resample(self, points, residuals, domain, tag, epoch, rng_key, candidates=None):
        ...         return np.clip(points + 0.1, 0.0, 1.0)
        >>> strategy = Shifted(resample_every=10)
        >>> strategy.should_resample(10), strategy.should_resample(11)
        (True, False)
    """

    needs_residuals: ClassVar[bool] = False
    needs_influence: ClassVar[bool] = False
    candidate_factor: int = 10
    candidate_minimum: int = 1000

    def __init__(self, resample_every: int = 100, resample_fraction: float | int = 1.0, start_epoch: int = 0) -> None:
        kind = type(self)
        if kind.choose is ResamplingStrategy.choose and kind.resample is ResamplingStrategy.resample:
            raise TypeError(
                f"{kind.__name__} implements neither choose(...) nor resample(...), and one of them is needed"
            )
        for name, value, least in (("resample_every", resample_every, 1), ("start_epoch", start_epoch, 0)):
            if not is_integral(value):
                raise TypeError(f"{name}={value!r}: it must be an integer")
            if value < least:
                raise ValueError(f"{name}={value}: it must be at least {least}")
        self.resample_every = int(resample_every)
        self.resample_fraction = checked_share("resample_fraction", resample_fraction)
        self.start_epoch = int(start_epoch)

    def choose(self, situation: Situation, state: PyTree) -> tuple[Int[np.ndarray, " N"], PyTree]:
        """Which points come next, and the next state.

        Returns:
            for every place the number of a present point, or `N` plus the number of a candidate.
        """
        raise NotImplementedError(f"{type(self).__name__} has no choose(...), only resample(...)")

    def init(self) -> PyTree:
        """The state before the first replacement: a pytree, empty for strategies without one."""
        return ()

    def should_resample(self, epoch: int) -> bool:
        """Whether points are replaced right before this epoch."""
        since = epoch - self._first
        return since >= 0 and since % self.resample_every == 0

    def update_epoch(self, epoch: int) -> None:
        """Called after points were replaced before an epoch; does nothing unless overridden."""

    def next_after(self, epoch: int) -> int:
        """Epochs from `epoch` to the next replacement strictly later, or to when it is to be asked again."""
        if not self._follows_the_epoch:
            return 1
        since = epoch - self._first
        return -since if since < 0 else self.resample_every - since % self.resample_every

    def event(self, epoch: int) -> int:
        """How many replacements were due before this epoch."""
        return max(0, -(-(epoch - self._first) // self.resample_every))

    def pool_size(self, count: int) -> int:
        """Number of candidates for ``count`` points."""
        return max(self.candidate_factor * count, self.candidate_minimum)

    @property
    def has_device_choice(self) -> bool:
        """Whether `device_choice` is the law of `choose`, which compiled code can follow then."""
        return False

    def device_choice(self, scores: Float[Array, " N"], pool_scores: Float[Array, " M"], key: Key) -> Int[Array, " N"]:
        """Which points come next, as `choose` says it, inside compiled code.

        Args:
            scores: the mean over time levels at the present points.
            pool_scores: the same at the candidates.
            key: the only source of randomness.
        """
        raise NotImplementedError(f"{type(self).__name__} chooses on the host")

    def redraws_all(self, count: int) -> bool:
        """Whether a replacement gives all of ``count`` points random new places, whatever the present ones are.

        Such points are drawn inside the compiled step, where their region allows that.
        """
        return False

    def leaving(self, count: int) -> int:
        """How many of `count` points make room: the share, at least one."""
        return max(1, round(self.resample_fraction * count))

    def resample(
        self,
        points: Float[np.ndarray, "N D"],
        residuals: Float[np.ndarray, " R"] | None,
        domain: Any,
        tag: str,
        epoch: int,
        rng_key: Key,
        candidates: Float[np.ndarray, "M D"] | None = None,
        candidate_residuals: Float[np.ndarray, " M"] | None = None,
    ) -> Float[np.ndarray, "N D"]:
        """The next points of a tag; training calls `choose` with more knowledge, unless a class overrides this.

        Args:
            points: the present points.
            residuals: absolute residuals at them, `None` where none are needed.
            domain: where candidates are drawn from, unless given.
            tag: the tag of the points.
            epoch: the epoch that comes next.
            rng_key: a key of `jax.random`.
            candidates: from which the new points are chosen.
            candidate_residuals: absolute residuals there; default: that of the nearest present point.

        Returns:
            as many points. The present ones when the number of residuals is another than that of points.

        Raises:
            ValueError: residuals are needed and not given, or the tag has no candidates.

        Example:
            >>> import jax, jno, numpy as np
            >>> x = np.linspace(0.0, 1.0, 11)[:, None]
            >>> new = jno.sampler.rad(k=2).resample(
            ...     x, x[:, 0], jno.domain.line(), "interior", 0, jax.random.PRNGKey(0), candidates=x + 0.01
            ... )
            >>> new.shape
            (11, 1)
        """
        if residuals is not None and len(residuals) != len(points):
            return points
        if residuals is None and self.needs_residuals:
            raise ValueError(f"{type(self).__name__} needs residuals at the points of {tag!r}; none were given")
        if candidates is None:
            candidates = domain.draw_candidates(tag)[0]
        if candidates is None:
            raise ValueError(f"there are no candidates for the points of {tag!r}: the domain has no such tag")
        if residuals is not None and candidate_residuals is None:
            from scipy.spatial import cKDTree

            candidate_residuals = np.asarray(residuals)[cKDTree(points).query(candidates)[1]]
        situation = Situation(
            points=points,
            candidates=candidates,
            scores=None if residuals is None else np.abs(residuals)[None],
            candidate_scores=None if candidate_residuals is None else np.abs(candidate_residuals)[None],
            times=np.ones(1),
            scale=1.0,
            epoch=epoch,
            generator=generator_of(rng_key),
        )
        return np.concatenate([points, candidates])[self.choose(situation, self.init())[0]]

    @property
    def begins(self) -> int | None:
        """The first epoch before which points are replaced; `None` when `should_resample` is overridden."""
        return self._first if self._follows_the_epoch else None

    @property
    def _follows_the_epoch(self) -> bool:
        return type(self).should_resample is ResamplingStrategy.should_resample

    @property
    def _first(self) -> int:
        """The first epoch with a replacement before it: fresh points need none."""
        return self.start_epoch if self.start_epoch > 0 else self.resample_every


def generator_of(key: Key, *branch: int) -> np.random.Generator:
    """NumPy's generator of a key of `jax.random`, one for each branch."""
    return np.random.default_rng([*np.asarray(jax.random.key_data(key)).ravel().tolist(), *branch])


def checked_share(name: str, value: object) -> float:
    """A number between zero, exclusive, and one."""
    if not is_real(value) or not 0.0 < value <= 1.0:
        raise ValueError(f"{name}={value!r}: it must be greater than 0 and at most 1")
    return float(value)


def checked_positive(name: str, value: object) -> float:
    """A positive number."""
    if not is_real(value) or not value > 0.0:
        raise ValueError(f"{name}={value!r}: it must be a positive number")
    return float(value)


def checked_nonnegative(name: str, value: object) -> float:
    """A number that is not negative."""
    if not is_real(value) or not value >= 0.0:
        raise ValueError(f"{name}={value!r}: it must be a number of at least 0")
    return float(value)
