"""Functions of the position that a domain offers as expressions: distances and coefficients by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jno.trace import FunctionCall, Placeholder, as_node
from jno.utils import FLAG, TEXT, checked, is_real, sequence

from ..geometry import Distance, Geometry, InverseDistances, exact_distance
from ..mesh import Facets, boundary_facets, check_tag_name
from ..sampling import DomainView, attach
from ._boundary_parts import (
    boundary_facets_of,
    check_boundary,
    coordinates_of,
    fewest_facets,
    single_geometry,
    union_of,
)
from ._interpolation import mesh_interpolant, nodal_values
from ._membership import chosen_value

_BOUNDARIES = TEXT | sequence(TEXT, "a list of tags")


@checked(tag=TEXT, boundary_tags=_BOUNDARIES, smooth=FLAG)
def distance_function(
    self: DomainView,
    tag: str = "interior",
    boundary_tags: Any = None,
    name: str | None = None,
    *,
    smooth: bool = False,
) -> FunctionCall:
    """The distance from the points of a tag to the boundary, an expression that can be differentiated.

    It is the exact distance to the nearest edge (face, end point), not to the nearest node. With `smooth=True` it
    is a smooth function that is zero on the boundary only, with slope one there: a factor that makes a network
    satisfy homogeneous Dirichlet conditions exactly. It is one over the mean of the inverse distances to the boundary
    (A. Belyaev, P.-A. Fayolle, A. Pasko, Computer-Aided Design 45, 2013), for bodies of every shape in one, two and
    three dimensions, with holes and whatever a part of the boundary is; it does not depend on how finely a curved
    boundary is cut. Its derivatives of any order exist at all points but corners and edges. Towards those the second
    ones grow like one over the distance, as for every function of this kind; there itself they are finite, as if the
    boundary were flat.

    Args:
        tag: a sampled tag, or one all of whose points are sampled now (`interior`).
        boundary_tags: a boundary tag or a list of them (`boundary`).
        name: key of the values in the context (`__dist_<tag>__`).
        smooth: the smooth function instead of the distance.

    Returns:
        An expression `(N, 1)` in the coordinates of `tag`; its values at the sampled points are in the context as
        `(B, 1, N, 1)`. Call it with other coordinates, `d(xb, yb)`, to evaluate it there.

    Raises:
        ValueError: a tag that is unknown or no boundary, an unsampled tag without a mesh, or no boundary.
        NotImplementedError: merged domains with different geometries.

    Example:
        >>> import jno
        >>> d = jno.domain.line(mesh_size=0.25)
        >>> distance = d.distance_function()
        >>> d.context["__dist_interior__"][0, 0, :, 0].tolist()
        [0.0, 0.25, 0.5, 0.25, 0.0]
    """
    geometry = single_geometry(self, "distance_function()")
    coordinates = coordinates_of(self, tag)
    if boundary_tags is None or isinstance(boundary_tags, str):
        boundary_tags = ["boundary" if boundary_tags is None else boundary_tags]
    if not boundary_tags:
        raise ValueError("distance_function(boundary_tags=[]) names no boundary; leave it out for all of it.")
    function = _distance_to(self, geometry, list(boundary_tags), smooth=smooth)
    points = np.asarray(self.context[coordinates[0].tag][:, :1], dtype=np.float64)
    values = jax.jit(function)  # one program instead of one for every operation
    rows = [np.asarray(values(*(row[0, :, i : i + 1] for i in range(self.dimension)))) for row in points]
    if name is not None:
        check_tag_name(name)
    attach(self, f"__dist_{tag}__" if name is None else name, np.stack(rows)[:, None])
    return FunctionCall(function, coordinates, "distance", align="broadcast")


@checked(tag=TEXT)
def by_region(self: DomainView, values: object, default: object = None, *, tag: str = "interior") -> FunctionCall:
    """A coefficient that is constant on every region.

    Args:
        values: region -> number, or expression such as a trainable parameter; a region is an interior tag, or the
            name of a source region of a polygon domain. Where regions overlap or touch, the first one named counts.
        default: the number or expression elsewhere (0).
        tag: the sampled tag whose coordinates the expression is written in (`interior`).

    Returns:
        An expression `(N, 1)` in the coordinates of `tag`. Its derivatives are zero: write the flux `k * u.d(x)` of
        a discontinuous coefficient in weak or integral form.

    Raises:
        ValueError: no regions, an unknown one, or values that are not numbers.
        NotImplementedError: merged domains with different geometries.

    Example:
        >>> import jno
        >>> from shapely.geometry import box
        >>> d = jno.domain.csg.from_regions({"steel": box(0, 0, 1, 1), "air": box(1, 0, 2, 1)})
        >>> x, y, t = d.variable("interior", sample=(100, None))
        >>> k = d.by_region({"steel": 50.0, "air": 0.03})
    """
    geometry = single_geometry(self, "by_region()")
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"by_region(values) needs a dict region -> number, not empty; got {values!r}.")
    for region in values:
        TEXT.require(region, "by_region(values)", optional=False)
    if any(isinstance(value, Placeholder) for value in (*values.values(), default)):
        which = by_region(self, {name: float(number) for number, name in enumerate(values, start=1)}, tag=tag)
        options = [0.0 if default is None else default, *values.values()]
        return FunctionCall(_option, [which, *map(as_node, options)], "by_region", align="broadcast")
    numbers = [_number(name, value) for name, value in values.items()]
    elsewhere = 0.0 if default is None else _number("default", default)
    function = chosen_value([_outline(self, geometry, name) for name in values], numbers, elsewhere, geometry.slack)
    return FunctionCall(function, coordinates_of(self, tag), "by_region", align="broadcast")


def _option(which: Float[jax.Array, "N 1"], elsewhere: Any, *options: Any) -> Float[jax.Array, "N _"]:
    """The option whose number, counted from 1, stands at a point."""
    chosen = jnp.asarray(elsewhere, which.dtype)
    for number, option in enumerate(options, start=1):
        chosen = jnp.where(which == number, option, chosen)
    return jnp.broadcast_to(chosen, (len(which), chosen.shape[-1] if chosen.ndim else 1))


def _number(name: object, value: object) -> float:
    if not is_real(value):
        raise ValueError(f"by_region: the value of {name!r} must be a number; got {value!r}.")
    return float(value)


@checked(tag=TEXT, field=TEXT)
def interpolate(self: DomainView, values: object, *, tag: str = "interior", field: str | None = None) -> FunctionCall:
    """A coefficient given at the nodes of the mesh, an expression that can be differentiated.

    It is linear on every cell, so its gradient is constant there, and between cells of the order of their size off.
    Values on a grid, smoother ones too, are `jno.np.interpn`; along a line `jno.np.interp`.

    Args:
        values: array `(nodes,)`, or `(nodes, C)` of vectors, in the order of `domain.points`; the path of a `.npy`
            file with one, or of a mesh file (`.vtu`, `.msh` and what else meshio reads) with values at these nodes;
            or an expression without coordinates that has them: data with one row of values per sample, or a
            trainable parameter.
        tag: the sampled tag whose coordinates the expression is written in (`interior`).
        field: name of the data in a mesh file (the only one).

    Returns:
        An expression `(N, 1)`, or `(N, C)` of vectors, in the coordinates of `tag`. Call it with other coordinates,
        `k(xb, yb)`, to evaluate it there.

    Raises:
        ValueError: no mesh, not one value per node, values that are not finite, or an unknown field.
        NotImplementedError: merged domains with different geometries.

    Example:
        >>> import jno
        >>> d = jno.domain.line(mesh_size=0.5)
        >>> x, t = d.variable("interior")
        >>> k = d.interpolate([1.0, 2.0, 5.0])
        >>> (k * x).d(x).eval()[0, :, 0].tolist()
        [1.0, 3.0, 11.0]
    """
    mesh = single_geometry(self, "interpolate()").mesh
    if mesh is None:
        raise ValueError(
            "interpolate() takes values at the nodes of a mesh, and this domain has none (yet): call build_mesh() "
            "first, or use jno.np.interpn for values on a grid."
        )
    coordinates = coordinates_of(self, tag)
    if isinstance(values, Placeholder):
        if field is not None:
            raise ValueError(f"interpolate(field={field!r}) names the data of a mesh file, and the values are none.")
        return FunctionCall(mesh_interpolant(mesh, None), [*coordinates, values], "interpolate", align="table")
    function = mesh_interpolant(mesh, nodal_values(values, mesh, field))
    return FunctionCall(function, coordinates, "interpolate", align="broadcast")


# -- parts ----
def _distance_to(domain: DomainView, geometry: Geometry, tags: list[Any], *, smooth: bool) -> Distance:
    """The distance to the nearest point of boundary tags, or a smooth function like it."""
    for tag in tags:
        check_boundary(domain, geometry, tag)
    known = None if geometry.lazy is None else geometry.lazy.distance(tags, smooth=smooth)
    if known is not None:
        return known
    parts = [boundary_facets_of(domain, geometry, tag) for tag in tags]
    facets = fewest_facets(union_of(parts, geometry.slack), geometry.slack)
    return _smooth_distance(facets) if smooth else exact_distance(facets.corners)


def _smooth_distance(facets: Facets) -> Distance:
    return InverseDistances.of(facets.corners, facets.normals, np.zeros(len(facets.corners), dtype=int)).distance


def _outline(domain: DomainView, geometry: Geometry, name: str) -> Float[np.ndarray, "E V D"]:
    """The boundary of an interior region."""
    for tag in (name, f"interior_{name}"):
        if geometry.lazy is not None and tag in geometry.drawable and not geometry.is_boundary(tag):
            return geometry.lazy.outline(tag)
        if geometry.mesh is not None and tag in geometry.tags and geometry.tags[tag].cells is not None:
            facets, _ = boundary_facets(geometry.mesh.cells[geometry.tags[tag].cells], len(geometry.points))
            return geometry.points[facets]
    raise ValueError(f"by_region: unknown interior region {name!r}. Tags of this domain: {domain.sampled_tags}.")
