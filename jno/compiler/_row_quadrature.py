"""Quadrature rules of regions; on a merged domain every sample uses the rule of its own mesh."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jno.trace import Variable, point_tag, unaliased

from ._row_stencils import stack_padded


@dataclasses.dataclass(frozen=True)
class RowRule:
    """A rule as one sample sees it: ``points (Q, D)``, ``weights (Q,)``, ``normals (Q, D)`` or None, ``nodes (Q,)``.

    ``padded``: the last points may be copies of weight zero.
    """

    points: Any
    weights: Any
    normals: Any
    nodes: Any
    padded: bool


class RowQuadratures:
    """Rules of a domain's regions, each built once; rules of different meshes are padded to a common length."""

    def __init__(self, domain: Any) -> None:
        self._domain = domain
        self._built: dict[Any, RowRule] = {}

    def rule(self, variable: Variable, dtype: Any, geometry: Any) -> RowRule:
        """The rule of the variable's region for the sample on the mesh of (traced) number ``geometry``."""
        tag = unaliased(point_tag(variable))
        key = (tag, str(dtype))
        if key not in self._built:
            self._built[key] = _stacked(self._domain._quadratures(tag, variable.domain), dtype)
        table = self._built[key]

        def of_sample(array: Any) -> Any:
            return array if array is None else jnp.asarray(array)[0 if geometry is None else geometry]

        return dataclasses.replace(
            table,
            points=of_sample(table.points),
            weights=of_sample(table.weights),
            normals=of_sample(table.normals),
            nodes=of_sample(table.nodes),
        )


def _stacked(rules: Sequence[Any], dtype: Any) -> RowRule:
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
