"""Evaluating at points that the user hands over: the arrays that stand for those of the domain."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from jno.domain import domain as Domain
from jno.trace import Integral, Node, TensorTag, Variable, is_normal, title, walk

from ._finite_difference import uses_stencil
from ._graph import spatial_tags

_TIMES = "__time__"


@dataclasses.dataclass(frozen=True)
class PlacedPoints:
    """Points ``(n, d)`` and times ``(T,)``, or None, in place of the points of one tag.

    ``tag``: that of the points; ``time_tags``: those of the times, which are replaced.
    """

    points: Float[np.ndarray, "n d"]
    times: Float[np.ndarray, " T"] | None
    tag: str
    time_tags: tuple[str, ...]

    @property
    def entries(self) -> dict[tuple[str, str], np.ndarray]:
        """The arrays as a program reads them."""
        times = {} if self.times is None else {("times", tag): self.times[:, None] for tag in self.time_tags}
        return {("points", self.tag): self.points[None, None], **times}

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for points for which the same program can be used."""
        return self.tag, self.points.shape, None if self.times is None else self.times.shape

    def context(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays by tag, data from the domain."""
        placed = {tag: array for (_, tag), array in self.entries.items()}
        if self.times is None and _TIMES in context:
            placed[_TIMES] = np.asarray(context[_TIMES])[:1]  # nothing depends on it
        return {**context, **placed}


def placed_points(request: object, nodes: Sequence[Node], domain: Domain, window: int | None) -> PlacedPoints | None:
    """Points, or points and times, in place of those that expressions live on; None for a domain.

    Args:
        request: array ``(n, d)``, or a tuple of it and a time or several ``(T,)``; a domain, or None.
        nodes: the expressions.
        domain: that of their variables.
        window: number of time levels to evaluate, None for all.

    Raises:
        TypeError: neither an array nor such a tuple.
        ValueError: arrays of other shapes; expressions that need the mesh, normals, or the points of several tags or
            none; times that are missing, or that nothing depends on; data with a value per point or time.
    """
    if request is None or isinstance(request, Domain):
        return None
    points, times = request if isinstance(request, tuple) and len(request) == 2 else (request, None)
    points = _real("the points", points, request)
    tags = spatial_tags(nodes)
    _refuse_what_needs_the_mesh(nodes)
    if len(tags) != 1:
        listed = ", ".join(map(repr, tags)) or "none"
        raise ValueError(
            f"eval(domain=array) evaluates expressions over the points of one tag; these depend on {listed}. Evaluate "
            "them one by one, or give a domain"
        )
    coordinates = domain.context.get(tags[0])
    width = domain.dimension if coordinates is None else coordinates.shape[-1]
    if points.ndim != 2 or points.shape[1] != width or not len(points):
        raise ValueError(
            f"eval(domain=array): the points must be an array (n, {width}), the coordinates of {tags[0]!r}; got shape "
            f"{points.shape}. Times are given apart: domain=(points, times)"
        )
    time_tags = tuple(dict.fromkeys(v.tag for v in walk(nodes) if isinstance(v, Variable) and not v.at_points))
    if times is not None and domain.has_times(tags[0]):
        raise ValueError(
            f"eval(domain=(points, times)): the points of {tags[0]!r} have times of their own; give them as the last "
            f"column of one array (n, {width})"
        )
    placed = None if times is None else _checked_times(times, time_tags, window)
    moving = [tag for tag in time_tags if len(domain.context.get(tag, ())) > 1]
    if times is None and moving:
        raise ValueError("the expressions depend on time: write domain=(points, times), with a time or several (T,)")
    _refuse_fixed_data(nodes, domain, 0 if coordinates is None else coordinates.shape[2])
    return PlacedPoints(points, placed, tags[0], tuple(dict.fromkeys([*time_tags, _TIMES])))


def _real(what: str, value: object, request: object) -> Float[np.ndarray, ...]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"eval(domain=...): {what} are no array: {error}") from error
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"eval(domain={type(request).__name__}): give a domain, an array (n, d) of points, or (points, times); "
            f"{what} have the type {array.dtype}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"eval(domain=...): {what} must be finite; {np.sum(~np.isfinite(array))} numbers are not")
    return array.astype(np.float64)


def _checked_times(times: object, time_tags: Sequence[str], window: int | None) -> Float[np.ndarray, " T"]:
    array = np.atleast_1d(_real("the times", times, times))
    if array.ndim != 1 or not len(array):
        raise ValueError(f"eval(domain=(points, times)): times must be a number or an array (T,); got {array.shape}")
    if not time_tags:
        raise ValueError("eval(domain=(points, times)): the expressions do not depend on time; leave the times out")
    if window is not None and window < len(array):
        raise ValueError(
            f"eval(domain=(points, times)): {len(array)} times, and min_consecutive={window} would evaluate the first "
            f"{window}; write min_consecutive=None for all of them"
        )
    return array


def _refuse_what_needs_the_mesh(nodes: Sequence[Node]) -> None:
    for node in walk(nodes):
        reason = None
        if isinstance(node, Integral):
            reason = "it integrates over the mesh"
        elif uses_stencil(node):
            reason = "it is a finite difference on the mesh; write it with scheme='automatic_differentiation'"
        elif isinstance(node, Variable) and is_normal(node):
            reason = "normals belong to the boundary of the domain"
        if reason is not None:
            raise ValueError(
                f"eval(domain=array) cannot evaluate '{title(node)}' at any points: {reason}. Give a domain instead"
            )


def _refuse_fixed_data(nodes: Sequence[Node], domain: Domain, count: int) -> None:
    levels = len(domain.context.get(_TIMES, ()))
    for tag in dict.fromkeys(node.tag for node in walk(nodes) if isinstance(node, TensorTag)):
        shape = np.shape(domain.context.get(tag, ()))
        row = shape[1:]
        per_time = len(row) >= 3 and levels > 1 and row[0] == levels
        if per_time or (len(row) >= 2 and count > 1 and count in row[:2]):
            raise ValueError(
                f"eval(domain=array): the data {tag!r} of shape {shape} has an entry for each of the "
                f"{levels if per_time else count} {'times' if per_time else 'points'} of the domain, which are "
                "others here. Leave it out, or give a domain with data of its own"
            )
