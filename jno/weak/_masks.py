"""Conditions of networks that stand for unknowns: they remove test functions and prescribe nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jno.compiler import PointFunction
from jno.domain import domain as Domain
from jno.trace import FieldValue
from jno.utils import get_logger

from ._conditions import Condition
from ._regions import Region, region_on_mesh
from ._spaces import Space
from ._terms import Term

_MET = 1e-6
"""Difference up to which a network meets its condition."""


def mask(
    term: Term, space: Space, domain: Domain, modules: Mapping[int, Any], data: Mapping[str, Any], dtype: DTypeLike
) -> Condition:
    """A condition that removes the test functions of its region; a network that does not meet it is reported."""
    region = region_on_mesh(domain, term.region, inward=term.inward)
    nodes = space.nodes_on(region)
    label = f"dirichlet@{term.region}"
    function = PointFunction(term.expression, domain)
    # nodal fields are known at their nodes, which need not be these
    if not function.fields and len(nodes):
        _report_unmet(label, function, space, region, domain, modules, data, dtype)
    return Condition(label, space, None, nodes, 0, None, FieldValue(space.field, "test"), 1.0, None)


def _report_unmet(
    label: str,
    function: PointFunction,
    space: Space,
    region: Region,
    domain: Domain,
    modules: Mapping[int, Any],
    data: Mapping[str, Any],
    dtype: DTypeLike,
) -> None:
    nodes = space.nodes_on(region)
    normals = space.normals_on(region, nodes)
    points = jnp.asarray(space.nodes.points[nodes], dtype)
    on_facets = None if normals is None else jnp.asarray(normals, dtype)
    time = jnp.asarray(0.0 if domain.time is None else domain.time[0], dtype)
    values = np.asarray(function(points, on_facets, time, {}, modules, data).array)
    differences = np.abs(values.reshape(len(values) if values.ndim else 1, -1)).max(axis=1)
    worst = int(np.argmax(differences))
    if not differences[worst] <= _MET:
        place = space.nodes.points[nodes[worst % len(nodes)]].round(6).tolist()
        get_logger().once(
            f"jno.fem: {label} is not met by its network: they differ by {differences[worst]:.3g} at {place}. The "
            "condition removes the test functions of its nodes and prescribes nothing; multiply the network by a "
            "factor that vanishes there, or add the condition to the losses"
        )
