"""Quadrature rules of regions; on a merged domain a sample uses the rule of its mesh."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from jno.domain import domain as Domain
from jno.domain import quadratures
from jno.trace import Variable, point_tag, unaliased

from ._row_stencils import stack_padded
from ._types import AnyArray


@dataclasses.dataclass(frozen=True)
class RowRule:
    """A rule as one sample sees it, or those of all ``G`` meshes: points, weights, outward normals, nearest mesh nodes.

    ``padded``: the last points may be copies of weight zero.
    """

    points: Float[Array | np.ndarray, "*G Q D"]
    weights: Float[Array | np.ndarray, "*G Q"]
    normals: Float[Array | np.ndarray, "*G Q D"] | None
    nodes: Int[Array | np.ndarray, "*G Q"]
    padded: bool


class RowQuadratures:
    """Rules of a domain's regions, each built once; rules of different meshes are padded to a common length."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._built: dict[Any, RowRule] = {}

    def rule(self, variable: Variable, dtype: DTypeLike, geometry: Int[Array, ""] | None) -> RowRule:
        """The rule of the variable's region for the sample on the mesh of (traced) number ``geometry``."""
        tag = unaliased(point_tag(variable))
        key = (tag, str(dtype))
        if key not in self._built:
            self._built[key] = _stacked(quadratures(self._domain, tag, variable.domain), dtype)
        table = self._built[key]

        def of_sample(array: AnyArray) -> Array:
            return jnp.asarray(array)[0 if geometry is None else geometry]

        return RowRule(
            of_sample(table.points),
            of_sample(table.weights),
            None if table.normals is None else of_sample(table.normals),
            of_sample(table.nodes),
            table.padded,
        )


def _stacked(rules: Sequence[Any], dtype: DTypeLike) -> RowRule:
    """One row per mesh."""
    normals = None
    if all(rule.normals is not None for rule in rules):
        normals = stack_padded([rule.normals for rule in rules]).astype(dtype)
    longest = max(len(rule.weights) for rule in rules)
    weights = np.stack([np.pad(rule.weights, (0, longest - len(rule.weights))) for rule in rules])
    return RowRule(
        stack_padded([rule.points for rule in rules]).astype(dtype),
        weights.astype(dtype),
        normals,
        stack_padded([rule.nodes for rule in rules]).astype(np.int32),
        len({len(rule.weights) for rule in rules}) > 1,
    )
