"""Groups of batch rows that share a geometry, and merging of the data of two domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from jaxtyping import Int

from ..sampling._time import TimeAxis
from ..sampling._variables import kept_reading, one_number_per_row
from ._geometry import Geometry


@dataclass(frozen=True)
class Group:
    """`rows` consecutive rows of the batch on one geometry."""

    geometry: Geometry
    rows: int


Groups = tuple[Group, ...]


def row_geometries(groups: Groups) -> tuple[Geometry, ...]:
    """The geometry of every row of the batch."""
    return tuple(group.geometry for group in groups for _ in range(group.rows))


def distinct_geometries(groups: Groups) -> tuple[tuple[Geometry, ...], Int[np.ndarray, " B"]]:
    """The different geometries, and for every row of the batch the number of its own among them."""
    geometries = tuple({id(group.geometry): group.geometry for group in groups}.values())
    numbers = {id(geometry): number for number, geometry in enumerate(geometries)}
    rows = [numbers[id(geometry)] for geometry in row_geometries(groups)]
    return geometries, np.asarray(rows, dtype=np.int32)


def scale_groups(groups: Groups, factor: Any) -> Groups:
    """Every group with `factor` times as many rows."""
    if not isinstance(factor, Integral) or isinstance(factor, bool) or factor < 1:
        raise ValueError(f"A domain can only be multiplied by a positive integer; got {factor!r}.")
    return tuple(Group(group.geometry, group.rows * int(factor)) for group in groups)


def merge_time(first: TimeAxis | None, second: TimeAxis | None) -> TimeAxis | None:
    """The common time axis; a steady domain adopts the other's."""
    if first is not None and second is not None and first != second:
        raise ValueError(
            f"Domains with different time axes cannot be merged: {first.spec} and {second.spec}. "
            "Make both with the same time=(t0, t1, n); a steady domain takes over the other's."
        )
    return second if first is None else first


def merge_dimension(first: int, second: int) -> None:
    """Both domains must live in the same space."""
    if first != second:
        raise ValueError(f"Domains of different dimension cannot be merged: {first} and {second} space dimensions.")


def merge_parameters(first: Mapping[str, Any], second: Mapping[str, Any], rows: tuple[int, int]) -> dict[str, Any]:
    """One value per batch row for every parameter."""
    missing = sorted(set(first) ^ set(second))
    if missing:
        raise ValueError(f"Parameters {missing} are set on only one of the merged domains; set them on both.")
    return {
        name: np.concatenate([np.broadcast_to(first[name], (rows[0],)), np.broadcast_to(second[name], (rows[1],))])
        for name in first
    }


def merge_arrays(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The union of the arrays; the same name must mean the same array."""
    for name in sorted(set(first) & set(second)):
        if not np.array_equal(first[name], second[name]):
            raise ValueError(f"The array {name!r} differs between the merged domains; rename one of them.")
    return {**first, **second}


def merge_data(name: str, first: np.ndarray | None, second: np.ndarray | None, rows: tuple[int, int]) -> np.ndarray:
    """Data of both domains: stacked along the batch when it is per row, otherwise it must agree."""
    if first is None or second is None:
        return _one_sided(name, first, second, rows)
    equal = np.array_equal(first, second)
    per_row = (len(first), len(second)) == rows and first.shape[1:] == second.shape[1:]
    if per_row and not (equal and rows == (1, 1)):
        return np.concatenate([first, second])
    alike = one_number_per_row(first, rows[0]) == one_number_per_row(second, rows[1])
    if equal and alike:
        return kept_reading(first, rows[0], sum(rows))
    raise ValueError(
        f"The data {name!r} of the merged domains cannot be combined: shapes {first.shape} and "
        f"{second.shape} for {rows[0]} and {rows[1]} batch rows. Give one row per batch row on both, or the "
        "same array."
    )


def _one_sided(name: str, first: np.ndarray | None, second: np.ndarray | None, rows: tuple[int, int]) -> np.ndarray:
    """Data that only one domain has is shared by all rows; data with one row per batch row cannot be."""
    present, own_rows = (second, rows[1]) if first is None else (first, rows[0])
    assert present is not None
    if own_rows > 1 and len(present) == own_rows:
        raise ValueError(
            f"The data {name!r} has one row per batch row but is set on only one of the merged domains; set it on both."
        )
    return kept_reading(present, own_rows, sum(rows))
