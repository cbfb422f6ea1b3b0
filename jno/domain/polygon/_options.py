"""The keywords that all constructors of polygon domains share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from .._keywords import Keyword, SharedKeywords


class PolygonOptions(TypedDict, total=False):
    """The keywords as types; `POLYGON_KEYWORDS` describes them."""

    time: tuple[float | int, float | int, int] | None
    compute_mesh_connectivity: bool
    mesh_size: float | int | None
    sampler: Any
    samplers: Mapping[str, Any] | None
    resampling_strategy: Any
    resampling_strategies: Mapping[str, Any] | None


POLYGON_KEYWORDS = SharedKeywords(
    {
        "time": Keyword(None, "Any", "`(t0, t1, n)`, an array of levels, `(t0, t1)` or `None`; see `jno.domain`."),
        "compute_mesh_connectivity": Keyword(False, "bool", "see the class."),
        "mesh_size": Keyword(None, "float | None", "build the mesh at once."),
        "sampler": Keyword(None, "Any | None", "see the class."),
        "samplers": Keyword(None, "Mapping[str, Any] | None", "see the class."),
        "resampling_strategy": Keyword(None, "Any | None", "see the class."),
        "resampling_strategies": Keyword(None, "Mapping[str, Any] | None", "see the class."),
    }
)
