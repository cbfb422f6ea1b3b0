"""Other libraries on the problems of the table: the same network, points and loss, their own training."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from .._case import settings_digest, without_docstrings
from ._statement import Statement, Trained
from ._statements import STATEMENTS

NAMES = ("deepxde", "jinns")
"""The columns of the table, from left to right."""

_PACKAGES = {"deepxde": ("deepxde", "torch"), "jinns": ("jinns",)}
_FOLDER = Path(__file__).parent

Train = Callable[[Statement, int, float], Trained]


def missing_packages(library: str) -> list[str]:
    """Packages that a library needs and that are not installed."""
    return [package for package in _PACKAGES[library] if importlib.util.find_spec(package) is None]


def module(library: str) -> ModuleType:
    """The file of a library, which imports it."""
    return importlib.import_module(f"{__name__}.{library}")


def trainer(library: str) -> Train:
    """The function that trains a statement in a library, from a seed and a processor time at which it ends."""
    train: Train = module(library).train
    return train


def packages(library: str) -> Sequence[str]:
    """Whose versions a cell records."""
    return _PACKAGES[library]


def library_digest(library: str, name: str) -> str:
    """Of the settings of the case, its statement and the library's; comments and docstrings do not count."""
    statements = without_docstrings((_FOLDER / "_statements.py").read_text())
    of_case = [node for node in statements.body if isinstance(node, ast.FunctionDef) and node.name == name]
    settings = without_docstrings((_FOLDER / f"{library}.py").read_text())
    parts = [settings_digest(name), *map(ast.dump, of_case), ast.dump(settings)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


__all__ = ["NAMES", "STATEMENTS", "library_digest", "missing_packages", "module", "packages", "trainer"]
