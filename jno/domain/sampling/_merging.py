"""Parameters, arrays and data of two domains whose batch rows are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from ._data import Data, one_number_per_row, same_reading
from ._view import DomainView

Rows: TypeAlias = tuple[int, int]
"""The numbers of batch rows of both domains."""


def merge_state(merged: DomainView, left: DomainView, right: DomainView) -> None:
    """Give a domain with the batch rows of two others their parameters, arrays and data."""
    rows = (left.total_samples, right.total_samples)
    merged.compute_mesh_connectivity = left.compute_mesh_connectivity and right.compute_mesh_connectivity
    merged.parameters = _merged_parameters(left.parameters, right.parameters, rows)
    merged.arrays = merged_arrays(left.arrays, right.arrays)
    store = merged.samples
    store.tensor_tags = left.samples.tensor_tags | right.samples.tensor_tags
    store.data_tags = left.samples.data_tags | right.samples.data_tags
    for name in sorted(store.user_data):
        store.context[name] = _merged_data(name, left.context.get(name), right.context.get(name), rows)


def _merged_parameters(left: Mapping[str, Any], right: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """One value per batch row for every parameter."""
    missing = sorted(set(left) ^ set(right))
    if missing:
        raise ValueError(f"Parameters {missing} are set on only one of the merged domains; set them on both.")
    return {
        name: np.concatenate([np.broadcast_to(left[name], (rows[0],)), np.broadcast_to(right[name], (rows[1],))])
        for name in left
    }


def merged_arrays(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """The union of the arrays; the same name must mean the same array."""
    for name in sorted(set(left) & set(right)):
        if not np.array_equal(left[name], right[name]):
            raise ValueError(f"The array {name!r} differs between the merged domains; rename one of them.")
    return {**left, **right}


def _merged_data(name: str, left: Data | None, right: Data | None, rows: Rows) -> Data:
    """Data of both domains: stacked along the batch when it is per row, otherwise it must agree."""
    if left is None or right is None:
        return _one_sided(name, left, right, rows)
    equal = np.array_equal(np.asarray(left), np.asarray(right))
    per_row = (left.shape[0], right.shape[0]) == rows and left.shape[1:] == right.shape[1:]
    if per_row and not (equal and rows == (1, 1)):
        return np.concatenate([np.asarray(left), np.asarray(right)])
    alike = one_number_per_row(left, rows[0]) == one_number_per_row(right, rows[1])
    if equal and alike:
        return same_reading(left, rows[0], sum(rows))
    raise ValueError(
        f"The data {name!r} of the merged domains cannot be combined: shapes {left.shape} and "
        f"{right.shape} for {rows[0]} and {rows[1]} batch rows. Give one row per batch row on both, or the "
        "same array."
    )


def _one_sided(name: str, left: Data | None, right: Data | None, rows: Rows) -> Data:
    """Data that only one domain has is shared by all rows; data with one row per batch row cannot be."""
    data, its_rows = (right, rows[1]) if left is None else (left, rows[0])
    assert data is not None
    if its_rows > 1 and data.shape[0] == its_rows:
        raise ValueError(
            f"The data {name!r} has one row per batch row but is set on only one of the merged domains; set it on both."
        )
    return same_reading(data, its_rows, sum(rows))
