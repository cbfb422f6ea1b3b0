"""The decorator that makes a constructor of a domain from a function that makes a geometry."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypedDict, TypeVar

from jno.utils import FLAG

from .._keywords import Keyword, SharedKeywords
from .._time import TimeAxis
from ..geometry import Geometry, GeometryBatch
from ..mesh import check_algorithm
from ..sampling import DomainView

P = ParamSpec("P")
D = TypeVar("D", bound=DomainView)


class MeshOptions(TypedDict, total=False):
    """The keywords of every constructor of a shape; `MESH_KEYWORDS` describes them."""

    algorithm: int
    time: object
    compute_mesh_connectivity: bool


MESH_KEYWORDS = SharedKeywords(
    {
        "algorithm": Keyword(
            6, "int", "number of gmsh's 2-D meshing algorithm (6, Frontal-Delaunay); grids only carry it along."
        ),
        "time": Keyword(
            None, "Any", "`(t0, t1, n)`, an array of levels or `(t0, t1)`, see `jno.domain` (`None`, steady)."
        ),
        "compute_mesh_connectivity": Keyword(True, "bool", "whether `mesh_connectivity` is available (true)."),
    }
)


class Constructor(Generic[P]):
    """A class method that makes a domain of the geometry of a shape.

    The last parameter `**options` of the function stands for `MESH_KEYWORDS`, which are listed in the signature.
    """

    def __init__(self, build: Callable[P, Geometry]) -> None:
        self._build = MESH_KEYWORDS.explicit(build)
        self.__wrapped__ = self._build  # for inspect.unwrap
        self.__name__, self.__doc__, self.__module__ = build.__name__, self._build.__doc__, build.__module__

    def __get__(self, instance: object, owner: type[D]) -> Callable[P, D]:
        @functools.wraps(self._build)
        def construct(*args: P.args, **kwargs: P.kwargs) -> D:
            options: dict[str, Any] = {**MESH_KEYWORDS.defaults, **kwargs}
            check_algorithm(options["algorithm"])
            FLAG.require(options["compute_mesh_connectivity"], "compute_mesh_connectivity")
            geometry = self._build(*args, **kwargs)
            domain = owner.from_batch(GeometryBatch.of(geometry), TimeAxis.from_spec(options["time"]))
            domain.algorithm = options["algorithm"]
            domain.compute_mesh_connectivity = options["compute_mesh_connectivity"]
            return domain

        signature = inspect.signature(self._build).replace(return_annotation="domain")
        construct.__signature__ = signature  # type: ignore[attr-defined]
        return construct
