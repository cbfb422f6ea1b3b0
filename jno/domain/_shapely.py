"""shapely, imported when something of it is first used: `import jno` stays light."""

from __future__ import annotations

import importlib
from typing import Any, TypeAlias, TypeGuard

Shape: TypeAlias = Any
"""A shapely geometry; shapely has no types to check."""


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # the import system looks for __path__
        raise AttributeError(name)
    return getattr(importlib.import_module("shapely"), name)


def is_shapely(value: object) -> TypeGuard[Shape]:
    """Whether a value is a shapely geometry; decided without importing shapely."""
    return type(value).__module__.partition(".")[0] == "shapely"
