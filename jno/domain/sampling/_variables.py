"""Requests for variables: checks, and the leaves of the trace that name sampled points and data."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from jno.trace import TensorTag, Variable

from ._context import SampleRecord


@runtime_checkable
class DataSet(Protocol):
    """Data that is read when it is indexed, such as a data set of an HDF5 or Zarr file."""

    shape: tuple[int, ...]
    dtype: Any

    def __getitem__(self, index: Any) -> Any:
        """Rows of the data, for increasing indices."""


def is_data(sample: Any) -> bool:
    """Whether the second argument of `variable` is data rather than `(n, sampler)`."""
    return isinstance(sample, (np.ndarray, np.floating, jax.Array, float, DataSet))


def is_lazy(values: Any) -> bool:
    """Whether data stays where it is until its rows are asked for."""
    return isinstance(values, DataSet) and not isinstance(values, (np.ndarray, np.generic, jax.Array))


def checked_data(name: str, values: Any) -> Any:
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


def data_options(tag: str, options: dict[str, Any]) -> None:
    """Options of point sets make no sense for data."""
    given = [name for name, value in options.items() if value]
    if given:
        raise ValueError(f"variable({tag!r}, array) takes only split= and point_data=; got {', '.join(given)}.")


def tensor_leaves(name: str, array: Any, domain: Any, split: bool) -> Any:
    """One `TensorTag`, or one per column."""
    if split:
        width = 1 if one_number_per_row(array, domain.total_samples) else array.shape[-1]
        return tuple(TensorTag(name, domain, column) for column in range(width))
    return TensorTag(name, domain)


def point_data(name: str, values: Any) -> np.ndarray:
    """Points or values at points, `(N,)`, `(N, D)` or `(B, T, N, D)`, as `(B, T, N, D)`."""
    array = np.asarray(values)
    if array.ndim not in (1, 2, 4):
        raise ValueError(f"point_data {name!r} must have shape (N,), (N, D) or (B, T, N, D); got {array.shape}.")
    if array.ndim == 1:
        array = array[:, None]
    return array[None, None] if array.ndim == 2 else array


def kept_reading(array: Any, before: int, after: int) -> Any:
    """Data for another number of batch rows, still meant as before.

    A vector is one number per batch row where it has as many entries as there are rows, else one row for all. Where
    the other number of rows would change that, it gets the axis that says so.
    """
    meant = one_number_per_row(array, before)
    if len(array.shape) != 1 or meant == one_number_per_row(array, after):
        return array
    return array[:, None] if meant else array[None]


def one_number_per_row(array: Any, rows: int) -> bool:
    """Whether data is a vector of one number per batch row."""
    return len(array.shape) == 1 and array.shape[0] == rows > 1


def _columns(tag: str, width: int, domain: Any, copy: int) -> tuple[Variable, ...]:
    return tuple(Variable(tag, [i, i + 1], domain, copy=copy) for i in range(width))


def point_data_leaves(name: str, array: np.ndarray, domain: Any, split: bool, copy: int) -> Any:
    """One `Variable` over all columns, or one per column."""
    width = int(array.shape[-1])
    return _columns(name, width, domain, copy) if split else Variable(name, [0, width], domain, copy=copy)


def check_normals(tag: str, normals: Any, split: bool) -> None:
    """`normals` is a bool, or `"vector"`, which is not split."""
    if not isinstance(normals, bool) and normals != "vector":
        raise ValueError(f"variable({tag!r}, normals={normals!r}): allowed are False, True and 'vector'.")
    if normals == "vector" and split:
        raise ValueError(
            f"variable({tag!r}, normals='vector', split=True): the vector is one variable; normals=True, split=True "
            "gives its components."
        )


def point_leaves(record: SampleRecord, domain: Any, *, normals: bool | str, split: bool, copy: int) -> Any:
    """`(x, …, t)` (without `t` on a timeless domain), then the components of the normal, or it; or the normal alone."""
    width = domain.dimension
    if normals is True and not split:
        return Variable(f"n_{record.tag}", [0, width], domain, copy=copy)
    leaves: tuple[Any, ...] = _columns(record.tag, width, domain, copy)
    if not domain._geometry.timeless:
        leaves += (Variable(record.time_tag, [0, 1], domain, axis="temporal", copy=copy),)
    if normals == "vector":
        return (*leaves, Variable(f"n_{record.tag}", [0, width], domain, copy=copy))
    return leaves + _columns(f"n_{record.tag}", width, domain, copy) if normals else leaves
