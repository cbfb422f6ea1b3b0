"""The medium that radiation passes through on a polygon domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _shapely as shapely
from ._geometry import polygonal
from ._scene import PolygonScene

_AIR = "air"
_DEFAULT = ("gas", _AIR)
_PREFIXES = ("interior_", "boundary_")


def medium_of(scene: PolygonScene, medium_tags: Sequence[str] | str | None) -> Any:
    """The shapely area of the medium, `None` when neither named nor recognised by its name.

    It is the union of the named regions without all other regions. The region named air stands for all of the bounding
    box of the scene that no other region fills.
    """
    names = _regions(scene, medium_tags)
    if not names:
        return None
    solids = shapely.union_all([area for name, area in scene.regions.items() if name not in names])
    filled = [area for name, area in scene.regions.items() if name in names and name.lower() != _AIR]
    if any(name.lower() == _AIR for name in names):
        scene_area = shapely.union_all([scene.active, *scene.regions.values()])
        filled.append(shapely.box(*scene_area.bounds))
    return polygonal(shapely.union_all(filled).difference(solids))


def _regions(scene: PolygonScene, medium_tags: Sequence[str] | str | None) -> list[str]:
    if medium_tags is None:
        return [name for name in scene.regions if name.lower() in _DEFAULT]
    regions = []
    for tag in [medium_tags] if isinstance(medium_tags, str) else medium_tags:
        region = next((tag.removeprefix(p) for p in _PREFIXES if tag not in scene.regions and tag.startswith(p)), tag)
        if region not in scene.regions:
            raise ValueError(f"medium_tags names the unknown region {tag!r}; regions: {list(scene.regions)}.")
        regions.append(region)
    return regions
