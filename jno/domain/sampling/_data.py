"""Data given by a user: checks, and what its axes mean."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

import jax
import numpy as np
from jaxtyping import Shaped


@runtime_checkable
class DataSet(Protocol):
    """Data that is read when it is indexed, such as a data set of an HDF5 or Zarr file."""

    shape: tuple[int, ...]
    dtype: Any

    def __getitem__(self, index: object) -> Any:
        """Rows of the data, for increasing indices."""


Data: TypeAlias = np.ndarray | DataSet


def is_data(sample: object) -> bool:
    """Whether the second argument of `variable` is data rather than `(n, sampler)`."""
    return isinstance(sample, (np.ndarray, np.floating, jax.Array, float, DataSet))


def is_lazy(values: object) -> TypeGuard[DataSet]:
    """Whether data stays where it is until its rows are read."""
    return isinstance(values, DataSet) and not isinstance(values, (np.ndarray, np.generic, jax.Array))


def checked_data(name: str, values: object) -> Data:
    """Numeric data with at least one axis; a number becomes `(1, 1)`.  Data sets of files stay what they are."""
    if is_lazy(values):
        if np.dtype(values.dtype).kind not in "fiubc" or len(values.shape) == 0:
            raise ValueError(
                f"The data {name!r} must be numeric with at least one axis; got dtype {values.dtype}, "
                f"shape {values.shape}."
            )
        return values
    array = np.asarray(values)
    if array.dtype.kind not in "fiubcV" or array.dtype.names is not None:
        raise ValueError(f"The data {name!r} must be numeric; got dtype {array.dtype}.")
    return array.reshape(1, 1) if array.ndim == 0 else array


def check_data_options(tag: str, **options: bool) -> None:
    """Refuse the options of point sets that are set, which make no sense for data."""
    senseless = [name for name, is_set in options.items() if is_set]
    if senseless:
        raise ValueError(f"variable({tag!r}, array) takes only split= and point_data=; got {', '.join(senseless)}.")


def point_data(name: str, values: object) -> Shaped[np.ndarray, "B T N D"]:
    """Points or values at points, `(N,)`, `(N, D)` or `(B, T, N, D)`, as `(B, T, N, D)`."""
    array = np.asarray(values)
    if array.ndim not in (1, 2, 4):
        raise ValueError(f"point_data {name!r} must have shape (N,), (N, D) or (B, T, N, D); got {array.shape}.")
    if array.ndim == 1:
        array = array[:, None]
    return array[None, None] if array.ndim == 2 else array


def same_reading(array: Data, before: int, after: int) -> Data:
    """Data for another number of batch rows, still meant as before.

    A vector is one number per batch row where it has as many entries as there are rows, else one row for all. Where
    the other number of rows would change that, it gets the axis that says so.
    """
    per_row = one_number_per_row(array, before)
    if len(array.shape) != 1 or per_row == one_number_per_row(array, after):
        return array
    return array[:, None] if per_row else array[None]


def one_number_per_row(array: Data, rows: int) -> bool:
    """Whether data is a vector of one number per batch row."""
    return len(array.shape) == 1 and array.shape[0] == rows > 1


def equal_data(left: Data, right: Data) -> bool:
    """Whether two arrays of the same type are equal; data sets of files are not read to find out."""
    if left is right:
        return True
    if is_lazy(left) or is_lazy(right):
        return False
    return left.dtype == right.dtype and np.array_equal(np.asarray(left), np.asarray(right))
