"""Named constants from dictionaries and files: ``jno.np.constant``."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jno.trace import Constant
from jno.utils import (
    SignatureError,
    bounded_bytes,
    get_limits,
    get_rsa_public_key,
    parsed_json,
    parsed_toml,
    parsed_yaml,
    read_npy,
    read_npz,
    shown_path,
    user_path,
)


class ConstantNamespace:
    """Named constants; entries are read as attributes or items, tables of tables as nested namespaces.

    Numbers, arrays and (nested) lists of numbers become `Constant` nodes; strings, booleans and whatever else
    a configuration file holds come back as the Python values they are. An entry named like a method
    (``keys``, ``items``, ``to_dict``) is read as an item.

    Args:
        tag: name of the namespace; entries are called ``tag.entry`` in expression trees.
        entries: mapping of names to values or further mappings.

    Raises:
        TypeError: ``entries`` is not a mapping, or a name is not a string.

    Example:
        >>> from jno.symbolic.constants import ConstantNamespace
        >>> k = ConstantNamespace("steel", {"E": 210.0, "thermal": {"alpha": 1.2e-5}})
        >>> k.E, k["thermal"].alpha
        (steel.E=210.0, steel.thermal.alpha=1.2e-05)
    """

    __slots__ = ("_entries", "_source", "_tag")

    def __init__(self, tag: str, entries: object) -> None:
        if not isinstance(entries, Mapping):
            raise TypeError(f"constants {tag!r} need a mapping of names to values, got {type(entries).__name__}")
        self._tag = tag
        self._source = copy.deepcopy(dict(entries))
        self._entries = {name: _entry(tag, name, value) for name, value in self._source.items()}

    def __getattr__(self, name: str) -> Any:
        if name in ConstantNamespace.__slots__:  # before __init__ has run (copying): no entries to look into
            raise AttributeError(name)
        try:
            return self._entries[name]
        except KeyError:
            raise AttributeError(self._missing(name)) from None

    def __getitem__(self, name: str) -> Any:
        try:
            return self._entries[name]
        except KeyError:
            raise KeyError(self._missing(name)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._entries]

    def __repr__(self) -> str:
        return f"ConstantNamespace({self._tag}: {', '.join(self._entries)})"

    def keys(self) -> KeysView[str]:
        """Names of the entries."""
        return self._entries.keys()

    def items(self) -> ItemsView[str, Any]:
        """Names and entries, as item access gives them."""
        return self._entries.items()

    def to_dict(self) -> dict[str, Any]:
        """The plain values the namespace was made from, as nested dictionaries; a copy."""
        return copy.deepcopy(self._source)

    def _missing(self, name: object) -> str:
        return f"constants {self._tag!r} have no entry {name!r}; there are: {', '.join(self._entries) or 'none'}"


def constant(tag: str, source: object) -> ConstantNamespace | Constant:
    """Named constants for expressions, from a dictionary or a file.

    Args:
        tag: name shown in expression trees.
        source: a dictionary (nested for groups), or the path of a file: ``.json``, ``.yaml``/``.yml`` (needs
            PyYAML), ``.toml``, ``.npz``, ``.npy``, ``.pkl``/``.pickle`` (**reading a pickle runs the code it
            contains: only use files you trust**; refused where a public key is configured). A number or an array makes
            a single constant.

    Returns:
        `ConstantNamespace`; for a ``.npy`` file, a number or an array one `Constant` node.

    Raises:
        FileNotFoundError: no such file.
        ValueError: unsupported suffix, a damaged file, or one above a limit (`jno.utils.get_limits`).
        SignatureError: a pickle, and a public key is configured (`jno.get_rsa_public_key`).
        TypeError: ``source`` is something else, or the file does not hold a table of names.
        ImportError: a YAML file without PyYAML.

    Example:
        >>> import jno
        >>> k = jno.np.constant("fluid", {"density": 998.0, "walls": {"roughness": [0.1, 0.2]}})
        >>> 2.0 * k.density
        *(2.0, fluid.density=998.0)
        >>> k.walls.to_dict()
        {'roughness': [0.1, 0.2]}
    """
    if not isinstance(tag, str) or not tag:
        raise TypeError(f"constant(tag={tag!r}, ...): the tag must be a non-empty string")
    if isinstance(source, str | Path):
        source = _read_file(user_path(source))
    if _is_number(source) or isinstance(source, np.ndarray | jax.Array):
        return Constant(tag, _frozen(source, tag))
    if not isinstance(source, Mapping):
        raise TypeError(
            f"constant({tag!r}, ...) needs a mapping of names to values (a dictionary or a file that holds "
            f"one), a number or an array; got {type(source).__name__}"
        )
    return ConstantNamespace(tag, source)


def _entry(tag: str, name: object, value: object) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"constants {tag!r}: names must be strings, got {name!r} of type {type(name).__name__}")
    dotted = f"{tag}.{name}"
    if isinstance(value, Mapping):
        return ConstantNamespace(dotted, value)
    if _is_number(value) or isinstance(value, np.ndarray | jax.Array):
        return Constant(dotted, _frozen(value, dotted))
    if isinstance(value, list | tuple) and _holds_numbers(value):
        return Constant(dotted, _frozen(_rectangular(value, dotted), dotted))
    return value


def _is_number(value: object) -> bool:
    # A node has no truth value, so the switch `k.enabled` must stay a Python bool.
    return isinstance(value, int | float | complex | np.number) and not isinstance(value, bool)


def _holds_numbers(value: list[Any] | tuple[Any, ...]) -> bool:
    """Whether a list contains numbers (at any depth) and nothing else."""
    return bool(value) and all(
        _holds_numbers(item) if isinstance(item, list | tuple) else _is_number(item) for item in value
    )


def _rectangular(value: object, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"constant {name}: the rows of a list of numbers must have equal lengths") from None


def _frozen(value: object, name: str) -> Any:
    """Numbers as they are; NumPy arrays as a read-only copy, because a node never changes."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind not in "biufc":
        raise TypeError(f"constant {name}: an array of numbers is needed, got dtype {value.dtype}")
    array = value.copy()
    array.flags.writeable = False
    return array


def _read_file(path: Path) -> Any:
    name = repr(shown_path(path))
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"cannot read constants from {name}: supported suffixes are {', '.join(_READERS)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file of constants at {name} (working directory: {shown_path(Path.cwd())})")
    try:
        return reader(path, name)
    except SignatureError:
        raise
    except ValueError as error:
        raise ValueError(f"cannot read constants from {name}: {error}") from error


def _read_json(path: Path, origin: str) -> Any:
    return parsed_json(_text(path, origin), origin, get_limits())


def _read_toml(path: Path, origin: str) -> Any:
    return parsed_toml(_text(path, origin), origin, get_limits())


def _read_yaml(path: Path, origin: str) -> Any:
    return parsed_yaml(_text(path, origin), origin, get_limits())


def _text(path: Path, origin: str) -> bytes:
    return bounded_bytes(path, origin, get_limits())


def _read_pickle(path: Path, origin: str) -> Any:
    if get_rsa_public_key() is not None:
        raise SignatureError(
            f"{origin} is a pickle, which cannot be signed, and with a configured public key only signed files may run "
            "code. Use .json, .toml, .yaml or .npz; or jno.save(constants, 'constants.jno') and then "
            "constant(tag, jno.load('constants.jno'))."
        )
    try:
        content = pickle.loads(path.read_bytes())
    except Exception as error:  # a pickle may call anything, so anything may be raised
        raise ValueError(f"it is damaged or no pickle ({type(error).__name__}: {error})") from error
    if not isinstance(content, Mapping):
        raise TypeError(f"the pickle {origin} must hold a dictionary, got {type(content).__name__}")
    return content


_READERS: dict[str, Callable[[Path, str], Any]] = {
    ".json": _read_json,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": _read_toml,
    ".npz": read_npz,
    ".npy": read_npy,
    ".pkl": _read_pickle,
    ".pickle": _read_pickle,
}
