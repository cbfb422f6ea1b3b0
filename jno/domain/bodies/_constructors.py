"""The constructors `jno.domain.box` and `jno.domain.ball`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Float

from jno.utils import is_real

from .._time import Time, TimeAxis
from ..geometry import Geometry, GeometryBatch
from ..sampling import DomainView
from ._ball import BallBody
from ._body import Body
from ._box import BoxBody
from ._regions import BodyRegions

P = ParamSpec("P")
D = TypeVar("D", bound=DomainView)


@dataclass(frozen=True, eq=False)
class BodyInTime:
    """What a domain is made of."""

    body: Body
    time: Time | None


class BodyConstructor(Generic[P]):
    """A class method that makes a domain of a body."""

    def __init__(self, build: Callable[P, BodyInTime]) -> None:
        self._build = build
        self.__wrapped__ = build  # for inspect.unwrap
        self.__name__, self.__doc__, self.__module__ = build.__name__, build.__doc__, build.__module__

    def __get__(self, instance: object, owner: type[D]) -> Callable[P, D]:
        @functools.wraps(self._build)
        def construct(*args: P.args, **kwargs: P.kwargs) -> D:
            made_of = self._build(*args, **kwargs)
            geometry = Geometry.from_regions(BodyRegions(made_of.body))
            domain = owner.from_batch(GeometryBatch.of(geometry), made_of.time)
            domain.compute_mesh_connectivity = False
            return domain

        signature = inspect.signature(self._build).replace(return_annotation="domain")
        construct.__signature__ = signature  # type: ignore[attr-defined]
        return construct


@BodyConstructor
def box(lower: object, upper: object, *, time: object = None) -> BodyInTime:
    """A box of any dimension, with edges along the axes, without a mesh: points are drawn from it exactly.

    In one to three dimensions with a mesh of a given size it is `line`, `rect` or `cube`, which finite differences,
    weak forms and integrals by quadrature need; without one it has any number of dimensions, and `integrate()` is
    the mean over the sampled points times the volume (area), a Monte Carlo estimate.

    Args:
        lower: smallest coordinates `(D,)`; a number for a line.
        upper: largest coordinates `(D,)`.
        time: `(t0, t1, n)`, an array of levels or `(t0, t1)`, see `jno.domain` (`None`, steady).

    Returns:
        A domain with the tags `interior`, `boundary`, the faces `lower_0`, `upper_0`, `lower_1`, … by the number of
        their axis, and in up to three dimensions also `left`, `right`; `bottom`, `top` (in space `front`, `back`,
        `bottom`, `top`). Every sampler places points, with outward normals on faces. `variable` returns one variable
        per coordinate and the time.

    Raises:
        ValueError: corners that are not finite numbers, of different lengths, or not `lower < upper`; an invalid
            `time`.

    Example:
        >>> import jno
        >>> d = jno.domain.box([0.0] * 5, [1.0] * 5)
        >>> *xs, t = d.variable("interior", sample=(1000, "sobol"))
        >>> len(xs), d.context["interior"].shape
        (5, (1, 1, 1000, 5))
        >>> x0, *_ = d.variable("lower_0", sample=(100, "sobol"), normals=True, split=True)
        >>> d.context["n_lower_0"][0, 0, 0].tolist()
        [-1.0, 0.0, 0.0, 0.0, 0.0]
    """
    corners = (_coordinates("box(lower)", lower), _coordinates("box(upper)", upper))
    if corners[0].shape != corners[1].shape:
        raise ValueError(
            f"box(lower, upper) needs corners of one dimension; got {len(corners[0])} and {len(corners[1])} numbers."
        )
    if not np.all(corners[0] < corners[1]):
        axis = int(np.argmin(corners[0] < corners[1]))
        raise ValueError(
            f"box(lower, upper) needs lower < upper along every axis; along axis {axis} got {corners[0][axis]:g} and "
            f"{corners[1][axis]:g}."
        )
    return BodyInTime(BoxBody(*corners), TimeAxis.from_spec(time))


@BodyConstructor
def ball(center: object, radius: object, *, time: object = None) -> BodyInTime:
    """A ball of any dimension without a mesh: an interval, a disk, a ball, …; points are drawn from it exactly.

    A meshed disk is `jno.domain.disk`. See `jno.domain.box` for what the lack of a mesh means.

    Args:
        center: coordinates `(D,)`; a number for an interval.
        radius: distance of the boundary from the centre.
        time: `(t0, t1, n)`, an array of levels or `(t0, t1)`, see `jno.domain` (`None`, steady).

    Returns:
        A domain with the tags `interior` and `boundary`, the sphere, whose points have outward normals.

    Raises:
        ValueError: a centre that is not finite numbers, a radius that is not positive; an invalid `time`.

    Example:
        >>> import jno
        >>> d = jno.domain.ball([0.0, 0.0, 0.0, 0.0], 2.0)
        >>> *xs, t, n = d.variable("boundary", sample=(50, "uniform"), normals="vector")
        >>> float((d.context["n_boundary"] ** 2).sum(axis=-1).max().round(12))
        1.0
    """
    middle = _coordinates("ball(center)", center)
    if not is_real(radius) or not 0.0 < radius < np.inf:
        raise ValueError(f"ball(radius) must be a positive finite number; got {radius!r}.")
    return BodyInTime(BallBody(middle, float(radius)), TimeAxis.from_spec(time))


def _coordinates(name: str, values: object) -> Float[np.ndarray, " D"]:
    """A point as an array of finite numbers."""
    try:
        array = np.atleast_1d(np.asarray(values))
    except ValueError:  # lists of different lengths
        array = np.zeros(0)
    numbers = array.ndim == 1 and len(array) and array.dtype.kind in "fiu"
    if not numbers or not np.all(np.isfinite(array.astype(np.float64))):
        raise ValueError(f"{name} must be a list of finite numbers, one per dimension; got {values!r}.")
    return array.astype(np.float64)
