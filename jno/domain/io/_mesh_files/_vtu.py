"""Reading VTK's XML format of unstructured grids, `.vtu` (https://docs.vtk.org/en/latest/vtk_file_formats)."""

from __future__ import annotations

import base64
import binascii
import lzma
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ...mesh import MeshFileError, RawMesh
from ._claims import check_claim
from ._vtk_cells import TAG_PREFIX, VtkMesh, joined, raw_mesh

_APPENDED = re.compile(rb"<AppendedData([^>]*)>\s*_")
_TYPES = {f"{name}{bits}" for name in ("Int", "UInt") for bits in (8, 16, 32, 64)} | {"Float32", "Float64"}
_GHOSTS = "vtkGhostType"


def read_vtu(path: Path, origin: str) -> RawMesh:
    """The mesh of all pieces of a file; cell and point data named `tag:<name>` are sets."""
    try:
        return raw_mesh(_read(path.read_bytes(), origin), origin)
    except (
        ValueError,
        KeyError,
        IndexError,
        OverflowError,
        binascii.Error,
        zlib.error,
        lzma.LZMAError,
        ElementTree.ParseError,
    ) as error:
        if isinstance(error, MeshFileError):
            raise
        raise MeshFileError(f"{origin} is corrupt, truncated or not a .vtu file ({error}).") from error


def _read(contents: bytes, origin: str) -> VtkMesh:
    # raw bytes are not XML: the appended data is cut out first
    match = _APPENDED.search(contents)
    appended = contents[match.end() : contents.rfind(b"</AppendedData>")] if match else b""
    text = contents[: match.end()] + contents[contents.rfind(b"</AppendedData>") :] if match else contents
    if match and b"</AppendedData>" not in contents:
        raise MeshFileError(f"{origin} is truncated: </AppendedData> is missing.")
    root = ElementTree.fromstring(text)
    if root.tag != "VTKFile" or root.get("type") != "UnstructuredGrid":
        raise MeshFileError(
            f"{origin} holds {root.get('type', root.tag)!r}, not an 'UnstructuredGrid'; save one, in PyVista with "
            "mesh.cast_to_unstructured_grid()."
        )
    encoded = match is None or b"base64" in match[1]
    arrays = _Arrays(root, appended, encoded, origin, len(contents))
    pieces = [_piece(piece, arrays, origin) for piece in root.iterfind("UnstructuredGrid/Piece")]
    if not pieces:
        raise MeshFileError(f"{origin} has no points: there is no Piece in it.")
    return joined(pieces)


def _piece(piece: ElementTree.Element, arrays: _Arrays, origin: str) -> VtkMesh:
    n_points, n_cells = (int(piece.attrib[f"NumberOf{what}"]) for what in ("Points", "Cells"))
    coordinates = piece.find("Points/DataArray")
    if coordinates is None:
        raise MeshFileError(f"{origin} is corrupt: a Piece has no Points.")
    cells = {
        array.get("Name"): arrays.read(array) for array in piece.iterfind("Cells/DataArray[@Name]") if _topology(array)
    }
    if n_cells and not {"connectivity", "offsets", "types"} <= set(cells):
        raise MeshFileError(f"{origin} is corrupt: the Cells of a Piece need connectivity, offsets and types.")
    none = np.zeros(0, dtype=np.int64)
    nodes, ends, types = (
        cells.get(name, none).astype(np.int64).reshape(-1) for name in ("connectivity", "offsets", "types")
    )
    points = arrays.read(coordinates).astype(np.float64).reshape(n_points, 3)
    cell_data = _data(piece, "CellData", n_cells, arrays)
    mesh = VtkMesh(points, nodes, ends, types, cell_data, _data(piece, "PointData", n_points, arrays))
    if len(mesh.types) != n_cells:
        raise MeshFileError(f"{origin} is corrupt: a Piece announces {n_cells} cells and holds {len(mesh.types)}.")
    return mesh


def _topology(array: ElementTree.Element) -> bool:
    return array.get("Name") in ("connectivity", "offsets", "types")


def _data(piece: ElementTree.Element, section: str, rows: int, arrays: _Arrays) -> dict[str, np.ndarray]:
    """The data that mark tags, and the ghosts."""
    data_arrays = [
        array
        for array in piece.iterfind(f"{section}/DataArray[@Name]")
        if array.attrib["Name"].startswith(TAG_PREFIX) or (array.attrib["Name"] == _GHOSTS and section == "CellData")
    ]
    return {array.attrib["Name"]: arrays.read(array).reshape(rows, -1) for array in data_arrays}


class _Arrays:
    """Decodes the arrays of a file."""

    def __init__(self, root: ElementTree.Element, appended: bytes, encoded: bool, origin: str, size: int) -> None:
        self._big = root.get("byte_order", "LittleEndian") == "BigEndian"
        self._header = self._dtype(root.get("header_type", "UInt32"))
        self._appended, self._encoded = appended, encoded
        self._compressor, self._origin = root.get("compressor"), origin
        self._size, self._unpacked = size, 0

    def _dtype(self, name: str) -> np.dtype[Any]:
        if name not in _TYPES:
            raise ValueError(f"arrays cannot have the type {name!r}")
        return np.dtype(name.lower()).newbyteorder(">" if self._big else "<")

    def read(self, array: ElementTree.Element) -> np.ndarray:
        """The values in the order of the file."""
        dtype = self._dtype(array.attrib["type"])
        form = array.get("format", "ascii")
        if form == "ascii":
            return np.array((array.text or "").split(), dtype=dtype)
        if form == "appended":
            stream = _Stream(self._appended, int(array.attrib["offset"]), self._encoded)
        else:
            stream = _Stream("".join((array.text or "").split()).encode(), 0, True)
        return np.frombuffer(self._payload(stream), dtype=dtype)

    def _payload(self, stream: _Stream) -> bytes:
        size = self._header.itemsize
        if self._compressor is None:
            return stream.body(int(stream.numbers(self._header, 1)[0]), size)
        decompress = _decompressor(self._compressor, self._origin)
        count, block, last = (int(number) for number in stream.numbers(self._header, 3))
        sizes = stream.numbers(self._header, 3 + count)[3:].astype(np.int64)
        data = stream.body(int(sizes.sum()), (3 + count) * size)
        ends = np.cumsum(sizes)
        lengths = [block] * count
        if count and last:
            lengths[-1] = last
        self._check(sum(lengths))
        return b"".join(
            decompress(data[end - part : end], length) for end, part, length in zip(ends, sizes, lengths, strict=True)
        )

    def _check(self, claim: int) -> None:
        """Refuse a file whose compressed arrays claim, together, far more bytes than it has."""
        self._unpacked += claim
        check_claim(self._unpacked, self._size, self._origin)


class _Stream:
    """The bytes of one array, its header first, as they are or in base 64."""

    def __init__(self, contents: bytes, start: int, encoded: bool) -> None:
        self._contents, self._start, self._encoded = contents, start, encoded

    def numbers(self, dtype: np.dtype[Any], count: int) -> np.ndarray:
        """The first numbers of the header."""
        return np.frombuffer(self._bytes(0, count * dtype.itemsize), dtype=dtype, count=count)

    def body(self, size: int, header: int) -> bytes:
        """The `size` bytes after a header of `header` bytes; in base 64 the two are encoded apart, or as one."""
        if not self._encoded:
            return self._bytes(header, size)
        characters = 4 * -(-header // 3)
        apart = self._contents[self._start : self._start + characters].endswith(b"=") or header % 3 == 0
        return self._bytes(0, size, characters) if apart else self._bytes(0, header + size)[header:]

    def _bytes(self, start: int, size: int, skipped: int = 0) -> bytes:
        at = self._start + skipped
        if self._encoded:
            data = base64.b64decode(self._contents[at : at + 4 * -(-(start + size) // 3)], validate=True)[start:]
        else:
            data = self._contents[at + start : at + start + size]
        if len(data) < size:
            raise ValueError(f"an array of {size} bytes ends after {len(data)}")
        return data[:size]


def _decompressor(name: str, origin: str) -> Callable[[bytes, int], bytes]:
    """A function of the bytes of a block and of their number when decompressed."""
    if name == "vtkZLibDataCompressor":
        return lambda data, size: _bounded(zlib.decompressobj(), data, size)
    if name == "vtkLZMADataCompressor":
        return lambda data, size: _bounded(lzma.LZMADecompressor(), data, size)
    if name != "vtkLZ4DataCompressor":
        raise MeshFileError(f"{origin} is compressed by the unknown {name!r}; save it with zlib.")
    try:
        import lz4.block
    except ImportError as error:
        raise ImportError(f"{origin} is compressed with LZ4: pip install lz4, or save it with zlib.") from error
    return lambda data, size: bytes(lz4.block.decompress(data, uncompressed_size=size))


def _bounded(decompressor: Any, data: bytes, size: int) -> bytes:
    """The bytes of a block; those beyond the announced number are never made."""
    block: bytes = decompressor.decompress(data, size + 1)
    if len(block) != size:
        raise ValueError(f"a block of {size} bytes announced, {'more' if len(block) > size else len(block)} compressed")
    return block
