"""Requests for points that are drawn from a shape: how many, and who replaces them during training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from jno.utils import get_logger

from ._context import SampleRecord
from ._geometry import Geometry
from ._sampling import SampleSpec


@dataclass(frozen=True)
class RandomResampling:
    """Replace a fraction of the points by new random ones every few epochs.

    Attributes:
        resample_every: epochs between two replacements.
        resample_fraction: share of the points that is replaced.
        start_epoch: first epoch at which points may be replaced.
    """

    resample_every: int = 100
    resample_fraction: float = 1.0
    start_epoch: int = 0


def drawn_request(request: SampleRecord, geometries: tuple[Geometry, ...], strategy: Any) -> SampleRecord:
    """The request as it is for nodes, or for points of the shape: with a count and a resampling strategy.

    Without a count and without a mesh it is one point, which is replaced at random in every epoch unless a strategy was
    given.
    """
    region = request.region
    lazies = [geometry.lazy for geometry in geometries if region in geometry.drawable and geometry.lazy is not None]
    if not lazies:
        return replace(request, drawn=request.spec.is_named)
    registered = lazies[0].strategy(region) if strategy is None else strategy
    on_nodes = request.spec.is_whole and all(region in geometry.tags for geometry in geometries)
    unmeshed = all(geometry.mesh is None for geometry in geometries)
    if request.spec.count is None and unmeshed:
        request = replace(request, spec=SampleSpec(1, request.spec.sampler))
        registered = RandomResampling(resample_every=1) if registered is None else registered
    if registered is not None:
        get_logger().once(
            f"The resampling strategy of {request.base!r} is kept with the domain, but training does not resample yet: "
            "its points stay as they are. Give a sufficient count, sample=(n, None).",
            level="warning",
        )
    return replace(request, drawn=not on_nodes, resampling_strategy=registered)
