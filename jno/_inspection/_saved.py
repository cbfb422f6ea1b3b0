"""Files of `jno.save`: the header of a pickle, the content of plain data; and signatures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jno.utils import SavedContent, SignatureError, count_signatures, read_saved, shown_path, signature_of
from jno.utils.statistics import statistics

from ._description import Description, StoredArray, array_summary, byte_count, counted, limited


def saved_object(path: Path) -> Description:
    """Kind, versions, size and signature; of plain data what is in it.  A pickle is never read."""
    content = read_saved(path)
    form = "plain data" if content.is_data else "a pickle"
    signed, fault = _signature(content)
    rows = {
        "size": byte_count(path.stat().st_size),
        "file format": str(content.format),
        "written with": ", ".join(f"{name} {version}" for name, version in content.versions.items()),
        "digest": "SHA-256 fits",
        "signature": signed,
        "reading it": "runs no code" if content.is_data else "runs the code in it: only if you trust its writer",
    }
    if content.is_data:
        rows |= _data_rows(content.data())
    return Description(f"{content.kind}, {form}", rows, fault)


def signature(path: Path) -> Description:
    """A signature file."""
    count = count_signatures(path)
    rows = {"size": byte_count(path.stat().st_size), "signatures": f"{count} (RSA-PSS, SHA-256)"}
    signed_file = path.with_suffix("") if path.suffix == ".sig" else None
    if signed_file is not None:
        there = "there" if signed_file.is_file() else "missing"
        rows["belongs to"] = f"{shown_path(signed_file)!r}, which is {there}; inspect that file to have it verified"
    return Description("a signature of a file of jno.save", rows)


def _signature(content: SavedContent) -> tuple[str, str | None]:
    """What the signature says, and what is wrong with it."""
    try:
        return signature_of(content), None
    except SignatureError as error:
        return "not valid", str(error)
    except ImportError as error:
        return f"not verified: {error}", None


def _data_rows(data: Any) -> dict[str, str]:
    if not isinstance(data, dict):
        return {"holds": _value_text(data)}
    if not isinstance(data.get("weights"), dict):
        return limited({str(name): _value_text(value) for name, value in data.items()}, "entries")
    rows = {f"weights of {name!r}": _value_text(arrays) for name, arrays in data["weights"].items()}
    adapters = data.get("adapters")
    if isinstance(adapters, dict):
        rows |= {f"adapters of {name!r}": _value_text(value) for name, value in adapters.items() if value}
    return limited(
        rows | _configuration_rows(data.get("configuration")) | _history_rows(data.get("history")), "entries"
    )


def _configuration_rows(configuration: object) -> dict[str, str]:
    if not isinstance(configuration, dict):
        return {}
    names = ("seed", "epoch", "domain")
    rows = {name: str(configuration[name]) for name in names if configuration.get(name) is not None}
    expressions, modules = configuration.get("expressions"), configuration.get("models")
    if isinstance(expressions, dict):
        rows["expressions"] = ", ".join(map(str, expressions))
    if isinstance(modules, dict):
        rows["models"] = ", ".join(f"{name} ({kind})" for name, kind in modules.items())
    return rows


def _history_rows(history: object) -> dict[str, str]:
    return {"history": repr(history)} if isinstance(history, statistics) else {}


def _value_text(value: object) -> str:
    arrays = _arrays_in(value)
    match value:
        case Mapping() if arrays:
            return array_summary(arrays)
        case np.ndarray() | jax.Array():
            return str(arrays[0])
        case Mapping() | list() | tuple():
            inside = f" with {array_summary(arrays)}" if arrays else ""
            return f"{type(value).__name__} of {counted(len(value), 'entry', 'entries')}{inside}"
        case _:
            return repr(value)


def _arrays_in(value: object) -> list[StoredArray]:
    if isinstance(value, np.ndarray | jax.Array):
        return [StoredArray(tuple(value.shape), str(value.dtype))]
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [array for item in items for array in _arrays_in(item)]
