"""Files of arrays in NumPy's format."""

from __future__ import annotations

from pathlib import Path

from jno.utils import array_headers, read_npz, shown_path

from ._description import Description, StoredArray, array_summary, byte_count, limited


def arrays(path: Path) -> Description:
    """A `.npy` file, or several arrays one after the other as Equinox writes them."""
    size = path.stat().st_size
    headers = array_headers(path, repr(shown_path(path)))
    if any(dtype.hasobject for _, dtype in headers.arrays):
        raise ValueError(
            f"{shown_path(path)!r} holds Python objects, which are pickles: reading them would run code, which jNO "
            "refuses"
        )
    if headers.end < size or not headers.arrays:
        raise ValueError(
            f"{shown_path(path)!r} is damaged, truncated or no file of arrays: {headers.end:,} of its {size:,} bytes "
            "are arrays in NumPy's format"
        )
    stored = [StoredArray(shape, str(dtype)) for shape, dtype in headers.arrays]
    title = "leaves of a module, as Equinox writes them" if path.suffix == ".eqx" else "arrays in NumPy's format"
    return Description(title, {"size": byte_count(size), "holds": array_summary(stored), "reading it": "runs no code"})


def archive(path: Path) -> Description:
    """A `.npz` file; its arrays are read, within the limits."""
    contents = read_npz(path, repr(shown_path(path)))
    rows = {name: str(StoredArray(array.shape, str(array.dtype))) for name, array in contents.items()}
    head = {"size": byte_count(path.stat().st_size), "reading it": "runs no code"}
    return Description("an archive of arrays (a point cloud for jno.domain)", head | limited(rows, "arrays"))
