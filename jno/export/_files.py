"""Choosing a format, and writing the file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jno.utils import require_one_of, user_path, write_atomically

from ._function import ArrayFunction, TypedShape
from ._onnx import onnx_bytes
from ._stablehlo import PLATFORMS, checked_platforms, stablehlo_bytes

FORMATS = ("stablehlo", "onnx")


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """A file that was written, and how its function is called.

    Attributes:
        path: the file.
        format: ``"stablehlo"`` or ``"onnx"``.
        inputs: name and type of every argument in order, e.g. ``"x float32[n,1]"``; ``n`` is the number of rows.
        outputs: types of the results.

    Example:
        >>> import jno, os, tempfile
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> u = (x**2).name("u")
        >>> file = jno.core([u.mse]).export(u, os.path.join(tempfile.mkdtemp(), "u.stablehlo"))
        >>> file.format, file.inputs, file.outputs
        ('stablehlo', ('x float32[n,1]',), ('float32[n,1]',))
    """

    path: Path
    format: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}: ({', '.join(self.inputs)}) -> ({', '.join(self.outputs)})"


def checked_format(path: str | os.PathLike[str], format: str | None, platforms: Sequence[str] | None) -> str:
    """The format named, or that of the suffix.

    Raises:
        ValueError: unknown format, or ``platforms`` of a format that has none.
    """
    suffix = Path(os.fspath(path)).suffix
    if format is None and suffix.removeprefix(".") not in FORMATS:
        raise ValueError(
            f"export({os.fspath(path)!r}): the suffix {suffix!r} names no format; write the file as .stablehlo or "
            f".onnx, or give format=: {', '.join(map(repr, FORMATS))}"
        )
    file_format = suffix.removeprefix(".") if format is None else format
    require_one_of(file_format, "export(format)", FORMATS)
    if platforms is not None and file_format != "stablehlo":
        raise ValueError(
            f"export(platforms=...) belongs to the format 'stablehlo'; a file of {file_format!r} runs anywhere"
        )
    return file_format


def write(
    function: ArrayFunction, path: str | os.PathLike[str], format: str, platforms: Sequence[str] | None
) -> ExportedFile:
    """Write the function completely or not at all; missing parent directories are created."""
    target = user_path(path)
    encoders: dict[str, Callable[[], tuple[bytes, Sequence[TypedShape]]]] = {
        "stablehlo": lambda: stablehlo_bytes(
            function, checked_platforms(PLATFORMS if platforms is None else platforms)
        ),
        "onnx": lambda: onnx_bytes(function),
    }
    content, results = encoders[format]()
    write_atomically(target, content)
    inputs = [f"{a.name} {_type(spec)}" for a, spec in zip(function.arguments, function.symbolic(), strict=True)]
    return ExportedFile(target, format, tuple(inputs), tuple(map(_type, results)))


def _type(spec: TypedShape) -> str:
    return f"{spec.dtype.name}[{','.join(map(str, spec.shape))}]"
