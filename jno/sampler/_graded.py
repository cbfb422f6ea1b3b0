"""A sampler whose points are denser near named places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

from jno.utils import is_real

Place: TypeAlias = str | Float[np.ndarray, "*K D"]
"""A tag, a point `(D,)`, points `(K, D)`, or segments or triangles `(K, V, D)`."""

_PLACES = (
    "a tag, a point such as (0.0, 1.0), an array of points (K, D), of segments (K, 2, D) or of triangles (K, 3, D), or "
    "a list of these"
)


class Graded:
    r"""Points that are denser towards places: `sample=(n, jno.sampler.graded(near))`.

    A share of the points is uniform. The rest has a density that grows like
    :math:`1/(d + \delta)^p` with the distance :math:`d` to the places. By default :math:`p` is the dimension of the
    region minus that of the place, so that every halving of the distance gets as many points, until :math:`\delta`.
    A mean over such points, such as `.mse`, weighs the surroundings of the places more; that is what they are for. The
    density is known exactly, constant on small cells of the region: `domain.importance_weights(tag)` turns means over
    these points into means over uniform ones.

    Points are drawn on all regions that have simplices: meshes and polygon domains, their interiors, parts and
    boundaries. A resampling strategy redraws them with the same density, `jno.sampler.random` inside the compiled step.

    Args:
        near: boundary tag (a side, face or interface), tag of single nodes (a corner), or of an area (its outline); a
            point, an array of points `(K, D)`, segments `(K, 2, D)` or triangles `(K, 3, D)`; or a list of all these,
            each of which gets the same share.
        share: of the points that are drawn near the places, greater than 0 and less than 1 (a half).
        finest: the distance :math:`\delta` within which the density stays the same (a thousandth of the extent of the
            region; in space near curves a hundredth, near surfaces a thirtieth).
        power: the exponent :math:`p`.
        sampler: name of the sampler that places the points, `"uniform"`, `"latin_hypercube"`, `"sobol"`, `"halton"` or
            along curves `"equispaced"`.

    Raises:
        ValueError: a number out of range, places that are none of these. When points are drawn: an unknown tag, places
            of another dimension, or a region that has no simplices.

    Example:
        >>> import jno
        >>> d = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)])
        >>> x, y, t = d.variable("interior", (100, jno.sampler.graded((0.0, 1.0), finest=0.01)))
        >>> points = d.context["interior"][0, 0]
        >>> bool((abs(points - [0.0, 1.0]).max(axis=1) < 0.1).sum() > 20)
        True
    """

    def __init__(
        self,
        near: object,
        share: object = 0.5,
        finest: object = None,
        power: object = None,
        sampler: object = "sobol",
    ) -> None:
        self.near = _places(near)
        if not is_real(share) or not 0.0 < share < 1.0:
            raise ValueError(f"graded(share={share!r}): it must be greater than 0 and less than 1")
        for name, value in (("finest", finest), ("power", power)):
            if value is not None and (not is_real(value) or not 0.0 < value < float("inf")):
                raise ValueError(f"graded({name}={value!r}): it must be a positive number or None")
        if not isinstance(sampler, str):
            raise ValueError(f"graded(sampler={sampler!r}): it must be the name of a sampler, such as 'sobol'")
        self.share = float(share)
        self.finest = None if finest is None else float(finest)  # type: ignore[arg-type]
        self.power = None if power is None else float(power)  # type: ignore[arg-type]
        self.sampler = sampler

    def __repr__(self) -> str:
        near = [place if isinstance(place, str) else place.tolist() for place in self.near]
        return f"graded({near[0] if len(near) == 1 else near!r}, share={self.share:g})"


def _places(near: Any) -> tuple[Place, ...]:
    if isinstance(near, str):
        return (near,)
    if isinstance(near, Sequence) and any(not is_real(entry) for entry in near):
        try:
            return (_array(near),)
        except ValueError:
            return tuple(place for entry in near for place in _places(entry))
    return (_array(near),)


def _array(near: Any) -> Float[np.ndarray, "*K D"]:
    """Coordinates; a number is a point of a line."""
    try:
        array = np.atleast_1d(np.asarray(near, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"graded(near={near!r}): it must be {_PLACES}") from None
    if array.ndim > 3 or array.size == 0 or not np.all(np.isfinite(array)):
        raise ValueError(f"graded(near={near!r}): it must be {_PLACES}")
    return array
