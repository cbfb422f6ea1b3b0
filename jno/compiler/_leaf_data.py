"""The arrays that the leaves of expressions stand for, as the host has them, and whether they are finite."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Shaped

from jno.trace import Constant, GetItem, Literal, Node, TensorTag, Variable

_BLOCK = 1 << 20
"""Entries that are looked at together."""


class Data:
    """The arrays that the leaves of expressions stand for."""

    def __init__(self, context: Mapping[str, Any], samples: int) -> None:
        self._context = context
        self._samples = samples
        self._rows: dict[int, np.ndarray | None] = {}
        self._kept: list[Node] = []

    def rows(self, node: Node) -> Shaped[np.ndarray, "S ..."] | None:
        """What every sample and level sees of data, or of some of its entries, ``(S, ...)``; None: not in memory."""
        if id(node) not in self._rows:
            self._kept.append(node)
            self._rows[id(node)] = self._read(node)
        return self._rows[id(node)]

    def is_finite(self, node: Node) -> Bool[np.ndarray, "S ..."]:
        """Which entries of `rows` are finite in the precision of the computation."""
        rows = self.rows(node)
        assert rows is not None
        return finite_entries(rows)

    def _read(self, node: Node) -> np.ndarray | None:
        if isinstance(node, GetItem):
            rows = self.rows(node.target)
            with contextlib.suppress(IndexError):  # which the evaluation will report
                return None if rows is None else rows[(slice(None), *node.index)]
            return None
        if isinstance(node, Literal | Constant):
            return np.asarray(node.value)[None] if np.ndim(node.value) else None
        if not isinstance(node, TensorTag | Variable):
            return None
        array = self._context.get(node.tag)
        if not isinstance(array, np.ndarray | jax.Array) or (isinstance(node, Variable) and node.axis != "spatial"):
            return None
        array = np.asarray(array)
        if isinstance(node, Variable):
            steps = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in array.strides[:2])
            return array[steps].reshape(-1, *array.shape[2:])[..., node.dim[0] : node.dim[1]]
        rows = self._with_sample_axis(array)
        return rows if node.dim_index is None else rows[..., node.dim_index : node.dim_index + 1]

    def _with_sample_axis(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 1:
            return array[:, None] if len(array) == self._samples > 1 else array[None]
        rows = array if array.shape[0] in (1, self._samples) else array[None]
        return rows.reshape(-1, *rows.shape[2:]) if rows.ndim >= 4 and rows.shape[1] == 1 else rows


def finite_entries(array: Shaped[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Which entries are finite in the precision of the computation."""
    if array.dtype.kind in "biu":
        return np.ones(array.shape, dtype=bool)
    with np.errstate(over="ignore"):
        return np.isfinite(array.astype(jax.dtypes.canonicalize_dtype(array.dtype)))


def all_finite(array: np.ndarray) -> bool:
    """Whether all entries are, looked at block by block: the array may lie in a file."""
    while array.ndim > 1 and len(array) == 1:
        array = array[0]
    step = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    return all(finite_entries(array[i : i + step]).all() for i in range(0, len(array), step))
