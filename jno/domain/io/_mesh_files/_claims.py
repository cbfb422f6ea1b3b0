"""What a mesh file claims, compared with its size before a reader asks for memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jno.utils import get_limits

from ...mesh import MeshFileError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_REFERENCE = re.compile(r">\s*([^<>:]+):/[^<>]*<")
"""In an XDMF file: the HDF5 file that holds an array, and the array."""


def check_claim(claim: int, size: int, origin: str) -> None:
    """`Limits.check_unpacked`; what it refuses is a `MeshFileError`."""
    try:
        get_limits().check_unpacked(claim, size, origin)
    except ValueError as error:
        raise MeshFileError(str(error)) from error


def check_hdf5(path: Path, origin: str) -> None:
    """Refuse an HDF5 file, or an XDMF file of some, whose data sets claim far more than the file holds.

    Files of other kinds pass, and so do files that HDF5 cannot open: their reader says what is wrong.

    Raises:
        MeshFileError: naming the file, the claim and the limit.
    """
    for file in _hdf5_files(path):
        try:
            import h5py

            with h5py.File(file, "r") as content:
                sizes: list[int] = []
                content.visititems(lambda _, item, sizes=sizes: _add_size(item, sizes))
        except (ImportError, OSError, RuntimeError, KeyError):
            continue
        check_claim(sum(sizes), file.stat().st_size, origin)


def _add_size(item: Any, sizes: list[int]) -> None:
    if hasattr(item, "dtype"):  # a data set, not a group
        sizes.append(int(item.size or 0) * item.dtype.itemsize)


def _hdf5_files(path: Path) -> Iterator[Path]:
    candidates = [path]
    if path.suffix.lower() in (".xdmf", ".xmf"):
        text = path.read_text(encoding="utf-8", errors="replace")
        candidates = [path.parent / name.strip() for name in dict.fromkeys(_REFERENCE.findall(text))]
    for candidate in candidates:
        if candidate.is_file():
            with candidate.open("rb") as stream:
                if stream.read(len(_HDF5)) == _HDF5:
                    yield candidate
