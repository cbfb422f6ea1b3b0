"""Recipes of domains: constructors, samples, tags, fields, polygon domains, files and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import jno

from ._kinds import (
    Kind,
    Verdict,
    any_of,
    array,
    called,
    choice,
    coefficient,
    domain,
    empty,
    entries,
    flag,
    integer,
    name,
    none,
    nothing,
    number,
    optional,
    pair,
    path,
    positive,
    real,
    size,
    text,
)
from ._recipe import Recipe
from ._world import World

Right = Callable[[World], Mapping[str, Any]]
_OPTIONS = {"compute_mesh_connectivity": flag}
_SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


# what messages about domains call arguments
_WORDS = {
    "name": ("tag",),
    "xy": ("the point",),
    "tags": ("tag",),
    "opaque_tags": ("tag",),
    "polygons": ("Regions", "polygon"),
    "regions": ("Regions", "polygon"),
    "vertices": ("polygon",),
    "other": ("polygon", "union", "intersection", "difference", "symmetric_difference"),
    "where": ("tag", "region", "predicate"),
    "sample": ("samples", "second argument", "data", "number of points"),
    "resampling_strategy": ("resampling strategy",),
    "outer_size": ("outer_size[0]",),
    "batched_domains": ("stack",),
    "segments": ("segment", "Segment"),
    "constructor": ("jno.domain", "polygon", "vertices", "callable"),
    "region_mesh_sizes": ("build_mesh",),
    "sizes": ("build_mesh",),
    "size": ("extent",),
    "radius": ("extent",),
    "pml_thickness_top": ("extent",),
    "pml_thickness_bottom": ("extent",),
    "samplers": ("sampler",),
    "resampling_strategies": ("resampling strategy",),
    "fields": ("field",),
    "boundary_tags": ("tag",),
}


def _shape(label: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    def arguments(world: World) -> dict[str, Any]:
        coarse = {} if label in ("equi_distant_rect", "poseidon") else {"mesh_size": 0.5}
        return {**coarse, **right(world)}

    return Recipe(
        f"jno.domain.{label}",
        lambda world: getattr(jno.domain, label),
        arguments,
        {**_OPTIONS, **kinds},
        _WORDS,
    )


def _network(value: Any) -> Verdict:
    """An expression, or a network that is called at the coordinates."""
    return Verdict.RIGHT if isinstance(value, jno.Placeholder) else Verdict.EITHER if callable(value) else Verdict.WRONG


def _square(label: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    return Recipe(f"domain.{label}", lambda w: getattr(jno.domain.rect(mesh_size=0.5), label), right, kinds, _WORDS)


def _polygon(label: str, right: Right = lambda world: {}, /, **kinds: Kind) -> Recipe:
    return Recipe(f"domain.csg.{label}", lambda w: getattr(w.shape(), label), right, kinds, _WORDS)


_range = pair(real)
_mesh_size = number(1e-2)
_regions = any_of(entries(array, dict))
_vertices: Kind = any_of(array, _regions)
_sampler = any_of(none, called, choice("uniform"))
_strategies = optional(empty)

_SHAPES = [
    _shape("line", x_range=_range, mesh_size=_mesh_size),
    _shape("rect", x_range=_range, y_range=_range, mesh_size=_mesh_size),
    _shape("cube", x_range=_range, y_range=_range, z_range=_range, mesh_size=_mesh_size),
    _shape("disk", center=pair(real), radius=number(1e-12, 1e12), mesh_size=_mesh_size, num_points=integer(3, 10**5)),
    _shape("l_shape", size=number(1e-12, 1e12), mesh_size=_mesh_size),
    _shape("triangle", vertices=array, mesh_size=_mesh_size),
    _shape("polygon", lambda w: {"vertices": _SQUARE}, vertices=array, mesh_size=_mesh_size),
    _shape("equi_distant_rect", x_range=_range, y_range=_range, nx=integer(1, 10**4), ny=integer(1, 10**4)),
    _shape("poseidon", lambda w: {"nx": 4, "ny": 4}, nx=integer(1, 10**4), ny=integer(1, 10**4)),
    _shape(
        "rect_pml",
        x_range=_range,
        y_range=_range,
        mesh_size=_mesh_size,
        pml_thickness_top=number(1e-12, 1e12),
        pml_thickness_bottom=number(1e-12, 1e12),
    ),
    _shape("rectangle_with_hole", outer_size=number(0.4, 1e12), hole_size=number(1e-12, 1), mesh_size=_mesh_size),
    _shape(
        "rectangle_with_holes",
        outer_size=pair(positive),
        holes=optional(empty),
        mesh_size=_mesh_size,
    ),
    Recipe(
        "jno.domain.box",
        lambda w: jno.domain.box,
        lambda w: {"lower": [0.0, 0.0], "upper": [3.0, 3.0]},
        {"lower": array, "upper": array},
        _WORDS,
    ),
    Recipe(
        "jno.domain.ball",
        lambda w: jno.domain.ball,
        lambda w: {"center": [0.0, 0.0], "radius": 1.0},
        {"center": array, "radius": positive},
    ),
    Recipe(
        "jno.domain.from_array",
        lambda w: jno.domain.from_array,
        lambda w: {"tags": {"interior": np.zeros((3, 2))}},
        {"tags": entries(array, dict), "compute_mesh_connectivity": choice(False), "normals": optional(empty)},
        _WORDS,
    ),
    Recipe(
        "jno.domain",
        lambda w: jno.domain,
        lambda w: {"constructor": _SQUARE},
        {"constructor": any_of(_vertices, called, path)},
        _WORDS,
        skipped=("further",),
    ),
    Recipe(
        "jno.domain.csg",
        lambda w: jno.domain.csg,
        lambda w: {"vertices": _SQUARE},
        {
            "vertices": _vertices,
            "name": text,
            "geometry": none,
            "regions": optional(empty),
            "source_edges": optional(empty),
            "compute_mesh_connectivity": optional(flag),
            "mesh_size": optional(_mesh_size),
            "sampler": _sampler,
            "samplers": _strategies,
            "resampling_strategy": none,
            "resampling_strategies": _strategies,
            "algorithm": none,
        },
        _WORDS,
    ),
    Recipe(
        "jno.domain.csg.from_polygons",
        lambda w: jno.domain.csg.from_polygons,
        lambda w: {"polygons": {"a": _SQUARE}},
        {
            "polygons": _regions,
            "mesh_size": optional(_mesh_size),
            "sampler": _sampler,
            "samplers": _strategies,
            "resampling_strategy": none,
            "resampling_strategies": _strategies,
            "compute_mesh_connectivity": optional(flag),
        },
        _WORDS,
    ),
    Recipe(
        "jno.domain.poly",
        lambda w: jno.domain.poly,
        lambda w: {"vertices": _SQUARE},
        {"vertices": _vertices, "name": text},
        _WORDS,
    ),
    Recipe(
        "jno.domain.stack",
        lambda w: jno.domain.stack,
        lambda w: {"batched_domains": (w.shape(),), "n_interior": 4, "n_boundary": 4},
        {"batched_domains": domain, "n_interior": size(1), "n_boundary": size(1)},
        _WORDS,
    ),
]

_selector = any_of(called, choice("interior", "boundary"))
_SAMPLES = [
    Recipe(
        "domain.variable",
        lambda w: jno.domain.rect(mesh_size=0.5).variable,
        lambda w: {"tag": "left"},
        {
            "tag": nothing,
            "sample": any_of(
                array,
                lambda value: Verdict.EITHER if isinstance(value, tuple) and value == (0, 0) else Verdict.WRONG,
                real,
            ),
            "resampling_strategy": none,
            "normals": any_of(flag, choice("vector")),
            "time_value": optional(real),
            "where": optional(any_of(called, array)),
            "like": none,
        },
        _WORDS,
    ),
    _square("sample", lambda w: {"spec": {"left": (2, None)}}, spec=nothing, time_value=optional(real)),
    _square("tag", lambda w: {"name": "part", "where": lambda x, y: x < 0.6}, name=name, where=_selector),
    _square("point_region", lambda w: {"name": "pin", "xy": (0.0, 0.0)}, name=name, xy=pair(real)),
    _square("quadrature", lambda w: {"tag": "interior"}, tag=nothing, row=integer(0, 0)),
    _square("measure", tag=nothing),
    _square("has_times", lambda w: {"tag": "interior"}, tag=text),
    _square("draw_candidates", lambda w: {"tag": "interior"}, tag=text),
    _square("is_resampled", lambda w: {"tag": "interior"}, tag=text),
    _square(
        "distance_function",
        tag=nothing,
        boundary_tags=optional(empty),
        name=optional(name),
    ),
    _square(
        "by_region",
        lambda w: {"values": {"interior": 1.0}},
        values=nothing,
        default=optional(coefficient),
        tag=nothing,
    ),
    _square(
        "dirichlet_envelope",
        lambda w: {"net": w.u, "values": {"left": 1.0}},
        net=_network,
        values=nothing,
        tag=nothing,
    ),
    Recipe("domain.importance_weights", lambda w: w.graded.importance_weights, lambda w: {}, {"tag": nothing}, _WORDS),
    Recipe(
        "domain.interpolate",
        lambda w: w.square.interpolate,
        lambda w: {"values": w.nodal},
        {"values": any_of(array, path), "tag": nothing, "field": none},
        _WORDS,
    ),
    Recipe(
        "domain.compute_enclosure_view_factor",
        lambda w: w.radiating.compute_enclosure_view_factor,
        lambda w: {"tags": ["left", "right"]},
        {"tags": nothing, "opaque_tags": optional(empty)},
        _WORDS,
    ),
    _square("context_for", lambda w: {"recorded_on": w.square}, recorded_on=domain),
]

_POLYGONS = [
    _polygon(
        "region",
        lambda w: {"name": "part", "where": lambda x, y: x < 0.5},
        name=name,
        where=_selector,
        kind=optional(choice("boundary")),
    ),
    _polygon(
        "add_boundary_segments",
        lambda w: {"tag": "line", "segments": [[(0, 0), (1, 1)]]},
        tag=name,
        segments=array,
        normal_geometry=none,
    ),
    _polygon(
        "build_mesh",
        lambda w: {"mesh_size": 0.5},
        mesh_size=_mesh_size,
        region_mesh_sizes=optional(empty),
        sizes=optional(empty),
    ),
    *(
        _polygon(operation, lambda w: {"other": w.shape()}, other=any_of(array, domain))
        for operation in ("union", "intersection", "difference", "symmetric_difference")
    ),
]

_figsize = pair(positive)
_FILES = [
    _square(
        "export",
        lambda w: {"path": "out.vtu"},
        path=path,
        fmt=optional(nothing),
        figsize=_figsize,
        fields=optional(empty),
        times=optional(array),
    ),
    _square("export_vtk", lambda w: {"save_path": "out.vtk"}, file_format=optional(nothing)),
    _square("export_msh", lambda w: {"save_path": "out.msh"}),
    _square("plot_mesh", lambda w: {"save_path": "out.png"}, figsize=_figsize),
    _square("plot", lambda w: {"save_path": "out.png"}, figsize=_figsize, arrow_scale=positive),
]

DOMAINS = [*_SHAPES, *_SAMPLES, *_POLYGONS, *_FILES]
