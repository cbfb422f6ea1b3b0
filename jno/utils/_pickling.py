"""Pickling for files and other processes, where classes of modules need care."""

from __future__ import annotations

import importlib
import inspect
import io
import uuid
from typing import Any
from weakref import WeakValueDictionary

import equinox as eqx

PROCESS = uuid.uuid4().hex
"""Tells this process from all others."""

_classes: WeakValueDictionary[int, type] = WeakValueDictionary()


def dumps(value: object) -> bytes:
    """Bytes for any process.

    Cloudpickle sends classes that cannot be imported as code.  Equinox knows fields and constructor of a class from the
    moment it is created, and cloudpickle creates it empty: its modules would have no parameters.  So such classes are
    sent by name.  That finds them in this process, and in processes that run the same script.

    Example:
        >>> import pickle
        >>> from jno.utils import dumps
        >>> pickle.loads(dumps([1, 2]))
        [1, 2]
    """
    import cloudpickle

    class Pickler(cloudpickle.Pickler):
        def reducer_override(self, obj: object) -> Any:
            if inspect.isclass(obj) and issubclass(obj, eqx.Module) and not _is_importable(obj):
                _classes[id(obj)] = obj
                return _class_named, (PROCESS, id(obj), obj.__module__, obj.__qualname__)
            return super().reducer_override(obj)

    buffer = io.BytesIO()
    Pickler(buffer).dump(value)
    return buffer.getvalue()


def _is_importable(kind: type) -> bool:
    return kind.__module__ != "__main__" and _object_named(kind.__module__, kind.__qualname__) is kind


def _class_named(process: str, number: int, module: str, name: str) -> Any:
    if process == PROCESS and number in _classes:
        return _classes[number]
    kind = _object_named(module, name)
    if kind is None:
        raise ImportError(
            f"the class {name} of {module} is not known in this process: define networks at the top level of a module "
            "that can be imported here, or of the script itself"
        )
    return kind


def _object_named(module: str, name: str) -> Any:
    """The object of this qualified name, None if there is none."""
    try:
        value: Any = importlib.import_module(module)
    except ImportError:
        return None
    for part in name.split("."):
        value = vars(value).get(part)
        if value is None:
            return None
    return value
