"""Measured coefficients as expressions of the coordinates: interpolation of tables on grids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jno.trace import OPERAND, Constant, FunctionCall, Placeholder
from jno.utils import TEXT, checked, read_npz, shown_path, user_path

from ._splines import DEGREES, fitted

_AXES = "xyz"


@checked(x=OPERAND, method=TEXT)
def interp(x: object, xp: object, fp: object, method: str = "linear") -> FunctionCall:
    """Function of one variable through the points ``(xp, fp)``, as ``numpy.interp``, that can be differentiated.

    A coefficient that was measured along a line, or a material law ``k(u)`` from a table, becomes an expression: its
    derivatives are those of the interpolating function. At a point of the table the piecewise linear one has the slope
    to the right of it. Outside the table the first or last value holds.

    Args:
        x: expression, applied element-wise.
        xp: increasing numbers, at least two (four for ``"cubic"``).
        fp: as many values; or an expression without coordinates that has them: data with one table per sample, or a
            trainable parameter (with ``"linear"``).
        method: ``"linear"`` (default), or ``"cubic"`` for the twice differentiable cubic spline.

    Returns:
        Node of the shape of ``x``.

    Raises:
        ValueError: a table that is not increasing, too short or not finite, or an unknown method.
        TypeError: ``xp`` is not an array of numbers.

    Example:
        >>> import jno
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> k = jno.np.interp(x, [0.0, 0.4, 1.0], [1.0, 3.0, 3.0])
        >>> k.d(x).eval()[0, :, 0].tolist()
        [5.0, 0.0, 0.0]
    """
    return _interpolated("interp", [x], [xp], fp, method)


def interpn(coordinates: Any, axes: Any, values: object = None, method: str = "linear") -> FunctionCall:
    """Function of several variables through values on a rectilinear grid, that can be differentiated.

    Multilinear or tensor-product cubic splines, as ``scipy.interpolate.interpn``. Outside the grid the value at the
    nearest point of its edge holds.

    Args:
        coordinates: list of scalar expressions, one for each axis of the grid, e.g. ``[x, y]``.
        axes: list of increasing numbers for every axis; or the path of a ``.npz`` file with the arrays ``x``, ``y``,
            (``z``) and ``values``.
        values: array ``(n1, n2[, n3])``, or ``(n1, n2[, n3], D)`` of vectors; or an expression without coordinates that
            has them in this order: data with one table per sample, or a trainable parameter (with ``"linear"``).
        method: ``"linear"`` (default), or ``"cubic"``, twice differentiable, with at least four entries on every axis.

    Returns:
        Node ``(N, 1)``, or ``(N, D)`` of vectors.

    Raises:
        ValueError: axes that are not increasing, too short, not as many as the coordinates, or do not fit the values;
            an unknown method; a file without these arrays.
        TypeError: ``axes`` are not arrays of numbers.
        FileNotFoundError: no such file.

    Example:
        >>> import jno
        >>> import numpy as np
        >>> x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
        >>> grid = np.linspace(0, 1, 5)
        >>> k = jno.np.interpn([x, y], [grid, grid], np.add.outer(grid**2, grid), method="cubic")
        >>> flux = -(k * x.d(x)).d(x)
    """
    if isinstance(coordinates, Placeholder):
        raise TypeError("interpn takes a list of coordinates, e.g. jno.np.interpn([x, y], [xs, ys], values)")
    listed = list(coordinates)
    if isinstance(axes, str | Path):
        if values is not None:
            raise ValueError("interpn: the file has the values; leave values= out, or give the axes as arrays")
        axes, values = _read_grid(user_path(axes), len(listed))
    if values is None:
        raise ValueError("interpn needs the values on the grid")
    return _interpolated("interpn", listed, list(axes), values, method)


def _interpolated(name: str, coordinates: list[Any], axes: Sequence[Any], values: object, method: str) -> FunctionCall:
    if method not in DEGREES:
        raise ValueError(f"{name}(method={method!r}): allowed are {', '.join(map(repr, DEGREES))}")
    if len(axes) != len(coordinates):
        raise ValueError(f"{name}: {len(coordinates)} coordinates and {len(axes)} axes; give one axis for each")
    grid = [_axis(name, axis, DEGREES[method] + 1) for axis in axes]
    shape = tuple(len(axis) for axis in grid)
    if isinstance(values, Placeholder) and not isinstance(values, Constant):
        if method != "linear":
            raise ValueError(
                f"{name}(method={method!r}): the values are fitted now, so they must be an array; use 'linear'"
            )
        return FunctionCall(fitted(grid, None, method), [*coordinates, values], name, align="table")
    table = _numbers(name, values, "fp" if name == "interp" else "values")
    ranks = (len(shape),) if name == "interp" else (len(shape), len(shape) + 1)
    if table.ndim not in ranks or table.shape[: len(shape)] != shape:
        argument = "fp" if name == "interp" else "values"
        raise ValueError(f"{name}: values of shape {table.shape} do not fit axes with {shape} entries ({argument})")
    return FunctionCall(fitted(grid, table, method), coordinates, name, align="broadcast")


_FEW = 6
"""Numbers of an axis that a message writes out."""
_AXIS_OF = {"interp": "xp", "interpn": "axes"}


def _axis(name: str, axis: object, least: int) -> np.ndarray:
    numbers = _numbers(name, axis, _AXIS_OF[name]).astype(np.float64)
    if numbers.ndim != 1 or len(numbers) < least or np.any(np.diff(numbers) <= 0):
        raise ValueError(
            f"{name}: an axis must be at least {least} increasing numbers, got shape {numbers.shape} for "
            f"{_AXIS_OF[name]}: {np.array2string(numbers, threshold=_FEW, edgeitems=2)}{_remedy(numbers)}"
        )
    return numbers


def _remedy(axis: np.ndarray) -> str:
    """What makes an axis of a vector that does not increase."""
    if axis.ndim != 1 or np.all(np.diff(axis) > 0):
        return ""
    steps = np.diff(np.unique(axis))
    if len(steps) + 1 < len(axis):
        return ". Numbers that occur twice: take the mean of their values"
    return ". Sort the rows of the table first: table[np.argsort(table[:, 0])]"


def _numbers(name: str, values: object, argument: str) -> np.ndarray:
    if isinstance(values, Constant):
        values = values.value
    if isinstance(values, Placeholder):
        raise TypeError(f"{name}: the axes of a table are arrays of numbers, not expressions; got {values!r}")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise TypeError(f"{name}: a table of numbers is needed for {argument}: {error}") from error
    if array.dtype.kind not in "iufc":
        raise TypeError(f"{name}: a table of numbers is needed, got dtype {array.dtype} for {argument}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name}: the table has entries that are not finite ({argument})")
    return array if array.dtype.kind == "c" else array.astype(np.float64)


def _read_grid(path: Path, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Axes and values of a ``.npz`` file."""
    if path.suffix != ".npz":
        raise ValueError(f"interpn reads .npz files with the arrays x, y, (z,) values, not {shown_path(path)!r}")
    names = [*_AXES[:count], "values"]
    arrays = read_npz(path, repr(shown_path(path)))
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f"{shown_path(path)!r} lacks the arrays {missing}; it has {list(arrays)}")
    *axes, values = (arrays[name] for name in names)
    return axes, values
