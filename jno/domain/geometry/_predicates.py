"""The three forms of `where`: a predicate on points, a shapely geometry, a predicate on facets."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .. import _shapely as shapely
from .._shapely import Shape, is_shapely

_NORMAL_NAMES = frozenset({"n", "normal", "normals"})
_FACET_NAMES = frozenset({"name", "names"})


class NoSuchRegion(ValueError):
    """A `where` that selects nothing, or that means nothing on this kind of domain."""


@dataclass(frozen=True, eq=False)
class Where:
    """A checked `where`.

    Attributes:
        definition: the predicate or shape of the user.
        at_points: coordinate arrays `(N,)` -> boolean array `(N,)`.
        on_facets: `(centroids (E, D), normals (E, D), tag) -> (E,)`, `None` for the other forms.
    """

    definition: Any
    at_points: Callable[..., Any]
    on_facets: Callable[..., Any] | None = None

    @property
    def is_shape(self) -> bool:
        """Whether it is a shapely geometry."""
        return is_shapely(self.definition)


@dataclass(frozen=True)
class NearestNode:
    """A predicate that holds at the node of a mesh that is nearest to a point."""

    place: tuple[float, ...]

    def __call__(self, *coordinates: Float[np.ndarray, " N"]) -> np.ndarray:
        distances = sum((c - p) ** 2 for c, p in zip(coordinates, self.place, strict=True))
        return np.arange(len(coordinates[0])) == int(np.argmin(distances))


def takes_facets(where: Callable[..., Any]) -> bool:
    """Whether a callable is a predicate `f(x, n[, name])` on facets: decided by its parameter names."""
    try:
        names = list(inspect.signature(where).parameters)
    except (TypeError, ValueError):  # some compiled callables have no signature; they take coordinates
        return False
    return len(names) >= 2 and names[1] in _NORMAL_NAMES


def checked_where(name: str, where: object, slack: float) -> Where:
    """The `where` of a tag in a form that can be evaluated; `slack` is the distance that counts as touching."""
    if is_shapely(where):
        return Where(where, _within(where, slack))
    if not callable(where):
        raise ValueError(
            f"where= of tag {name!r} must be a predicate f(x[, y[, z]]) -> bool array, a shapely geometry, or a facet "
            f"predicate f(x, n, name) -> bool array; got {type(where).__name__}."
        )
    if not takes_facets(where):
        return Where(where, where)
    parameters = list(inspect.signature(where).parameters)
    if len(parameters) != 3 or parameters[2] not in _FACET_NAMES:
        raise ValueError(
            f"where= of tag {name!r}: a facet predicate has the parameters (x, n, name); got ({', '.join(parameters)})."
        )
    return Where(where, where, where)


def _within(geometry: Shape, slack: float) -> Callable[..., Any]:
    def inside(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> np.ndarray:
        shapely.prepare(geometry)
        return np.asarray(shapely.dwithin(geometry, shapely.points(x, y), slack))

    return inside


def facet_mask(
    name: str, where: Where, centroids: Float[np.ndarray, "E D"], normals: Float[np.ndarray, "E D"], tag: str
) -> Bool[np.ndarray, " E"]:
    """A facet predicate at the facets of one tag, checked to be one boolean per facet."""
    assert where.on_facets is not None
    mask = np.asarray(where.on_facets(centroids, normals, tag))
    if mask.shape == () and mask.dtype == np.bool_:  # a predicate on the name alone
        mask = np.broadcast_to(mask, (len(centroids),))
    if mask.dtype != np.bool_ or mask.shape != (len(centroids),):
        raise ValueError(
            f"where= of tag {name!r} must return a boolean array of shape ({len(centroids)},) for the facets of "
            f"{tag!r}; it returned dtype {mask.dtype} and shape {mask.shape}."
        )
    return mask
