"""Which nodes of the boundary see each other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from ._arcs import straight_runs
from ._mesh import Mesh
from ._rays import blocked
from ._topology import facet_frames


def boundary_visibility(mesh: Mesh) -> Float32[np.ndarray, "K K"]:
    """One where the straight line between two boundary nodes crosses no boundary edge away from them, else zero.

    Rows and columns follow `boundary_indices`; the diagonal is zero.
    """
    if mesh.dimension != 2:
        raise NotImplementedError(
            f"mesh_connectivity['VM']: the visibility of boundary nodes is available in the plane only; this mesh has "
            f"{mesh.dimension} dimension(s)."
        )
    boundary = mesh.facet_sets["boundary"]
    facets = mesh.facets[boundary]
    points = mesh.points[np.unique(facets)]
    slack = 1e-9 * float(np.linalg.norm(np.ptp(points, axis=0)))
    _, normals = facet_frames(mesh.points, facets, mesh.opposite[boundary])
    walls = straight_runs(mesh.points[facets], normals, slack)
    source, target = np.triu_indices(len(points), k=1)
    visible = np.zeros((len(points), len(points)), dtype=np.float32)
    visible[source, target] = ~blocked(points[source], points[target], walls, slack)
    return visible + visible.T
