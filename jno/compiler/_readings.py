"""How an array that the user attached is read: one row per sample, one row for all samples, one row per point."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from jno.utils import get_logger


@dataclasses.dataclass(frozen=True)
class Reading:
    """An array with its sample axis in front, and what that axis is.

    Attributes:
        array: the data; vectors and data at points have got the axes they lacked.
        batched: the leading axis runs over the samples.
        has_sample_axis: the leading axis belongs to the samples (of length one where all share the row).
    """

    array: Any
    batched: bool
    has_sample_axis: bool


def read(tag: str, array: Any, samples: int, counts: Mapping[str, int], resampled: frozenset[str]) -> Reading:
    """The one way in which data can be meant.

    Args:
        tag: key of the data.
        array: what was attached, with at least one axis.
        samples: number of samples ``B``.
        counts: number of points of every point set that is used beside the data.
        resampled: point sets whose points are replaced in training, which no data can belong to.

    Raises:
        ValueError: it can be meant in two ways, or in none.
    """
    leading = int(array.shape[0])
    at_points = sorted(name for name, count in counts.items() if count == leading > 1)
    if len(array.shape) == 1:
        return _vector(tag, np.asarray(array[:]), samples, at_points)
    if leading == 1 or leading == samples:
        return Reading(array, leading == samples > 1, True)
    if at_points and len(array.shape) == 2 and array.shape[1] != leading:
        _refuse_moving_points(tag, leading, at_points, resampled)
        return Reading(np.asarray(array[:])[None], False, True)
    if leading > samples:
        raise ValueError(_fits_nothing(tag, array.shape, samples, counts))
    get_logger().once(
        f"tensor tag {tag!r} has {leading} rows for {samples} samples: every sample sees the whole table; write "
        "array[None] if that is meant",
        level="warning",
    )
    return Reading(array, False, False)


def _vector(tag: str, vector: np.ndarray, samples: int, at_points: list[str]) -> Reading:
    if not len(vector) == samples > 1:
        return Reading(vector[None], False, True)
    if at_points:
        raise ValueError(
            f"tensor tag {tag!r} is a vector of {samples} entries, as many as there are samples and as "
            f"{at_points[0]!r} has points. Attach values[:, None] for one number per sample, the vector with "
            "point_data=True for one number per point, or values[None] for one row that all samples share"
        )
    return Reading(vector[:, None], True, True)


def _refuse_moving_points(tag: str, leading: int, at_points: list[str], resampled: frozenset[str]) -> None:
    if all(name in resampled for name in at_points):
        raise ValueError(
            f"tensor tag {tag!r} has {leading} rows, as many as {at_points[0]!r} has points, but those are replaced "
            "during training and the data would stay. Leave resampling_strategy= out, or attach coordinates and values "
            "as points of your own with point_data=True"
        )


def _fits_nothing(tag: str, shape: tuple[int, ...], samples: int, counts: Mapping[str, int]) -> str:
    leading = shape[0]
    points = ", ".join(f"{name!r} {count}" for name, count in sorted(counts.items())) or "none"
    return (
        f"tensor tag {tag!r} has shape {tuple(shape)}: its leading dimension {leading} is neither the number of "
        f"samples B={samples} nor 1, nor does it say for which points the data is (point sets in use: {points}). "
        "Values at points of your own: attach coordinates and values as one table, variable(name, table, "
        "point_data=True, split=True). Values at the points of a tag: one row per point, with point_data=True. A table "
        "that all samples share: array[None], with a leading axis of one. One row per sample: n * domain has n samples"
    )
