"""Which reader describes a file: by its first bytes where these say it, else by its suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jno.utils import is_jno_file, shown_path

from ._arrays import archive, arrays
from ._checkpoints import checkpoint
from ._description import Description
from ._functions import onnx_function, stablehlo_function
from ._meshes import mesh, series
from ._saved import saved_object, signature
from ._tables import journal, table

_BY_START: dict[bytes, Callable[[Path], Description]] = {
    b"PYLOTTE-SP": signature,
    b"\x93NUMPY": arrays,
    b"PK\x03\x04": archive,
    b'{"jno_sweep"': journal,
}
_BY_SUFFIX: dict[str, Callable[[Path], Description]] = {
    ".stablehlo": stablehlo_function,
    ".onnx": onnx_function,
    ".pvd": series,
    ".csv": table,
    ".npy": arrays,
    ".eqx": arrays,
    ".npz": archive,
    **dict.fromkeys((".msh", ".vtu", ".vtk", ".inp", ".med", ".xdmf", ".mesh", ".stl", ".ply", ".off", ".obj"), mesh),
}
_OTHERS = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".svg", ".pdf", ".gif", ".mp4"), "a picture: open it in a viewer"),
    **dict.fromkeys((".html", ".htm"), "a page: open it in a browser"),
    **dict.fromkeys((".step", ".stp", ".brep", ".iges", ".igs"), "a CAD file: jno.domain(path, mesh_size=h) meshes it"),
    **dict.fromkeys((".pkl", ".pickle"), "a pickle, which cannot be read without running the code in it"),
}
_DESCRIBED = (
    "files of jno.save and their signatures, checkpoint directories, meshes (.msh, .vtu, .vtk, .pvd, .inp, .med, ...), "
    "exported functions (.stablehlo, .onnx), arrays (.npy, .npz, .eqx), journals of sweeps and tables (.csv)"
)


def describe(path: Path) -> Description:
    """What a file or a checkpoint directory holds; no code that it could bring is run, and nothing is written.

    Args:
        path: the file or directory.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, above a limit (`jno.utils.get_limits`), or of a kind that is not described.
        ImportError: its kind needs a package that is not installed; naming the extra.
        OSError: it cannot be read.
    """
    name = shown_path(path)
    if path.is_dir():
        return checkpoint(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {name!r}")
    if not path.is_file():
        raise ValueError(f"{name!r} is neither a file nor a directory")
    if is_jno_file(path):
        return saved_object(path)
    with path.open("rb") as stream:
        start = stream.read(16)
    suffix = path.suffix.lower()
    reader = next((reader for magic, reader in _BY_START.items() if start.startswith(magic)), _BY_SUFFIX.get(suffix))
    if reader is None:
        what = f"{name!r} is {_OTHERS[suffix]}" if suffix in _OTHERS else f"{name!r} is of an unknown kind"
        raise ValueError(f"{what}; jno inspect describes {_DESCRIBED}")
    if not start:
        raise ValueError(f"{name!r} is empty")
    return reader(path)
