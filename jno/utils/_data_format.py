"""Plain data as bytes, without a pickle: arrays in the format of safetensors, everything else as JSON beside them.

Reading such bytes makes numbers, texts, lists, dictionaries, arrays and the records that are registered here, and runs
no code that they could bring.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jno.utils._limits import Limits
from jno.utils._structured_text import check_depth, parsed_json

_STRUCTURE = "jno"
"""The entry of the metadata of safetensors that holds the JSON."""

_NATIVE = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
_AS_BYTES = {"complex64", "complex128", "bfloat16", "float8_e4m3fn", "float8_e5m2"}
"""Types that safetensors or its NumPy side do not have in every version."""

_records: dict[str, Callable[[Any], Any]] = {}


@singledispatch
def data_of(value: Any) -> Any:
    """What of an object is saved as data; classes register themselves.

    Returns:
        The value in terms of numbers, texts, ``None``, lists, tuples, dictionaries and arrays.

    Raises:
        TypeError: the class says nothing about it.

    Example:
        >>> from jno.utils import data_of
        >>> data_of((1, "a"))
        (1, 'a')
    """
    if value is None or isinstance(value, _PLAIN):
        return value
    raise TypeError(f"an object of type {type(value).__module__}.{type(value).__qualname__}")


_PLAIN = (bool, int, float, complex, str, list, tuple, dict, np.ndarray, np.generic, jax.Array)


def register_record(name: str, kind: type, data: Callable[[Any], Any], build: Callable[[Any], Any]) -> None:
    """Save the objects of a class as data, and build them again on loading.

    Args:
        name: in files.
        kind: the class.
        data: the data of an object.
        build: an object from data; it must be safe for any data.
    """
    data_of.register(kind, lambda value: _Record(name, data(value)))
    _records[name] = build


class _Record:
    """Data that a registered class is built from."""

    def __init__(self, name: str, data: Any) -> None:
        self.name, self.data = name, data


def encoded_data(value: object, limits: Limits) -> bytes:
    """The bytes of a value.

    Raises:
        TypeError: something in it is not data; naming where and what.
        ValueError: it exceeds a limit, and could not be read.
    """
    from safetensors.numpy import save

    arrays: dict[str, np.ndarray] = {}
    try:
        structure = _encoded(value, "", arrays)
    except RecursionError as error:
        raise ValueError("this cannot be saved as data: it is nested too deep, or contains itself.") from error
    check_depth(structure, "what is saved as data", limits)
    text = json.dumps(structure, separators=(",", ":"))
    _check_text(text, "what is saved as data", limits)
    return save(arrays, {_STRUCTURE: text})


def _check_text(text: str, origin: str, limits: Limits) -> None:
    limits.check("text_bytes", len(text), origin, f"has {len(text):,} bytes of text beside its arrays")


def decoded_data(content: bytes, origin: str, limits: Limits) -> Any:
    """The value of bytes that `encoded_data` made.

    Raises:
        ValueError: they are damaged, or nested too deep.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)  # checks the header and that it describes every byte
        (length,) = struct.unpack("<Q", content[:8])
        header = parsed_json(content[8 : 8 + length], origin, limits)
        text: str = header["__metadata__"][_STRUCTURE]
        _check_text(text, origin, limits)
        structure = parsed_json(text, origin, limits)
    except (SafetensorError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, struct.error) as error:
        raise _damaged(origin, error) from error
    try:
        return _decoded(structure, arrays)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(origin, error) from error


def _damaged(origin: str, error: Exception) -> ValueError:
    return ValueError(f"{origin} is damaged: its data cannot be read ({type(error).__name__}: {error}).")


def _encoded(value: object, place: str, arrays: dict[str, np.ndarray]) -> Any:
    try:
        value = data_of(value)
    except TypeError as error:
        raise _not_data(place, str(error)) from None
    if isinstance(value, _Record):
        return {"$record": value.name, "data": _encoded(value.data, place, arrays)}
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _encoded_array(value, place, arrays)
    if isinstance(value, complex):
        return {"$complex": [value.real, value.imag]}
    if isinstance(value, list | tuple):
        items = [_encoded(item, f"{place}/{number}", arrays) for number, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, dict):
        return _encoded_mapping(value, place, arrays)
    return value


def _encoded_mapping(value: Mapping[Any, Any], place: str, arrays: dict[str, np.ndarray]) -> Any:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {str(key): _encoded(item, f"{place}/{key}", arrays) for key, item in value.items()}
    return {
        "$items": [
            [_encoded(key, f"{place}/{key}", arrays), _encoded(item, f"{place}/{key}", arrays)]
            for key, item in value.items()
        ]
    }


def _encoded_array(value: Any, place: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        words = _encoded_array(jax.random.key_data(value), place, arrays)
        return {"$key": words, "impl": str(jax.random.key_impl(value))}
    array = np.asarray(value)
    kind = array.dtype.name
    if kind not in _NATIVE | _AS_BYTES:
        raise _not_data(place, f"an array of type {array.dtype}")
    # of the byte order of this machine, and without gaps
    array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True)
    name = base = place.strip("/") or "value"
    number = 1
    while name in arrays or name == "__metadata__":  # as safetensors names what is no array
        number += 1
        name = f"{base}#{number}"
    entry: dict[str, Any] = {"$scalar" if isinstance(value, np.generic) else "$array": name}
    if kind in _AS_BYTES:
        entry |= {"dtype": kind, "shape": list(array.shape)}
        array = np.frombuffer(array.tobytes(), dtype=np.uint8)
    arrays[name] = array
    return entry


def _not_data(place: str, what: str) -> TypeError:
    where = f"at {place.strip('/')!r} there is " if place else "it is "
    return TypeError(
        f"this cannot be saved as data: {where}{what}. Data are numbers, texts, arrays of numbers, None, and lists, "
        "tuples and dictionaries of these; save anything else with data_only=False, as a pickle."
    )


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value or "$scalar" in value:
        array = _decoded_array(value, arrays[value["$array" if "$array" in value else "$scalar"]])
        return array if "$array" in value else array[()]
    if "$record" in value:
        return _records[value["$record"]](_decoded(value["data"], arrays))
    if "$complex" in value:
        return complex(*value["$complex"])
    if "$tuple" in value:
        return tuple(_decoded(value["$tuple"], arrays))
    if "$items" in value:
        return dict(_decoded(value["$items"], arrays))
    if "$key" in value:
        return jax.random.wrap_key_data(jnp.asarray(_decoded(value["$key"], arrays)), impl=value["impl"])
    return {key: _decoded(item, arrays) for key, item in value.items()}


def _decoded_array(entry: Mapping[str, Any], array: np.ndarray) -> np.ndarray:
    if "dtype" not in entry:
        return array
    if entry["dtype"] not in _AS_BYTES:
        raise KeyError(entry["dtype"])
    return np.frombuffer(array.tobytes(), dtype=jnp.dtype(entry["dtype"])).reshape(entry["shape"]).copy()
