"""Other libraries: rows for the problems they state, where they are installed (``pip install .[bench]``)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from .._case import Built

NAMES = ("deepxde", "jinns")

Start = Callable[[Built], Any]
"""From a problem's points and weights to a runner."""


def missing() -> list[str]:
    """Libraries that are not installed."""
    return [name for name in NAMES if importlib.util.find_spec(name) is None]


def starts(problem: str) -> Mapping[str, Start]:
    """How each installed library that has this problem starts on it."""
    present = [name for name in NAMES if name not in missing()]
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in present}
    return {name: module.STARTS[problem] for name, module in modules.items() if problem in module.STARTS}
