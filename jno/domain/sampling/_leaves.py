"""The leaves of the trace that name sampled points and data, and attaching data."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from jno.trace import TensorTag, Variable

from ._data import Data, checked_data, equal_data, one_number_per_row, point_data
from ._record import TIME_KEY, SampleRecord
from ._store import time_levels
from ._view import DomainView

Leaf: TypeAlias = TensorTag | Variable
Leaves: TypeAlias = Leaf | tuple[Leaf, ...]


# -- points ----
def check_normals(tag: str, normals: object, split: bool) -> None:
    """`normals` is a bool, or `"vector"`, which is not split."""
    if not isinstance(normals, bool) and not (isinstance(normals, str) and normals == "vector"):
        raise ValueError(f"variable({tag!r}, normals={normals!r}): allowed are False, True and 'vector'.")
    if normals == "vector" and split:
        raise ValueError(
            f"variable({tag!r}, normals='vector', split=True): the vector is one variable; normals=True, split=True "
            "gives its components."
        )


def point_leaves(record: SampleRecord, domain: DomainView, *, normals: bool | str, split: bool) -> Leaves:
    """`(x, …, t)` (without `t` on a timeless domain), then the components of the normal, or it; or the normal alone."""
    width, copy = domain.dimension, domain.samples.next_handle(record.tag)
    normal = Variable(record.normal_tag, [0, width], domain, copy=copy)
    if normals is True and not split:
        return normal
    leaves = columns(record.tag, width, domain, copy)
    if record.times is not None:
        leaves += (Variable(record.tag, [width, width + 1], domain, axis="temporal", copy=copy),)
    elif not domain.geometry.timeless:
        leaves += (Variable(record.time_tag, [0, 1], domain, axis="temporal", copy=copy),)
    if normals == "vector":
        return (*leaves, normal)
    return leaves + columns(record.normal_tag, width, domain, copy) if normals else leaves


def columns(tag: str, width: int, domain: DomainView, copy: int = 0) -> tuple[Variable, ...]:
    """One variable per column of a point set."""
    return tuple(Variable(tag, [i, i + 1], domain, copy=copy) for i in range(width))


# -- data ----
def attach(domain: DomainView, name: str, values: object, split: bool = False) -> TensorTag | tuple[TensorTag, ...]:
    """Put data into the context; one `TensorTag`, or one per column."""
    array = checked_data(name, values)
    if split and len(array.shape) == 1:
        array = np.asarray(array[:])[None]  # entries that are columns belong to one row
    key = _data_key(domain, name, array)
    domain.samples.context[key] = array
    domain.samples.tensor_tags.add(key)
    return tensor_leaves(domain, key, split)


def tensor_leaves(domain: DomainView, name: str, split: bool) -> TensorTag | tuple[TensorTag, ...]:
    """One `TensorTag` of attached data, or one per column."""
    if not split:
        return TensorTag(name, domain)
    array = domain.context[name]
    width = 1 if one_number_per_row(array, domain.total_samples) else array.shape[-1]
    return tuple(TensorTag(name, domain, column) for column in range(width))


def attach_points(domain: DomainView, name: str, values: object, split: bool) -> Variable | tuple[Variable, ...]:
    """Put the user's own points into the context; one `Variable` over all columns, or one per column."""
    store, array = domain.samples, point_data(name, checked_data(name, values))
    key = _data_key(domain, name, array)
    store.context[key] = array
    store.context.setdefault(TIME_KEY, time_levels(domain.time_axis, None))
    store.data_tags.add(key)
    width, copy = int(array.shape[-1]), store.next_handle(key)
    return columns(key, width, domain, copy) if split else Variable(key, [0, width], domain, copy=copy)


def _data_key(domain: DomainView, name: str, array: Data) -> str:
    """The key of new data; attaching the same array again finds it."""
    if name in domain.sampled_tags:
        raise ValueError(f"{name!r} is a region of this domain and cannot name data; use another name.")
    present = domain.context.get(name)
    if present is not None and equal_data(present, array):
        return name
    key = domain.samples.fresh_key(name)
    if key != name:
        domain.log.info(f"{name!r} already names other data of this domain; the new array has the key {key!r}.")
    return key
