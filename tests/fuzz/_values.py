"""The values that are tried for every parameter, by their label."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np


class Opaque:
    """An object of which no function knows anything."""

    def __repr__(self) -> str:
        return "Opaque()"


def no_arguments() -> float:
    """A function that cannot be called with an argument."""
    return 1.0


def text_returned(*arguments: Any, **keywords: Any) -> str:
    """A function whose result is never a number."""
    return "s"


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "'abc'": lambda: "abc",
    "''": lambda: "",
    "b'abc'": lambda: b"abc",
    "2": lambda: 2,
    "0": lambda: 0,
    "-1": lambda: -1,
    "2.5": lambda: 2.5,
    "2.0": lambda: 2.0,
    "-0.5": lambda: -0.5,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1e300": lambda: 1e300,
    "1e-300": lambda: 1e-300,
    "10**30": lambda: 10**30,
    "1j": lambda: 1j,
    "[]": lambda: [],
    "['a']": lambda: ["a"],
    "[None]": lambda: [None],
    "[1.5, 2.5]": lambda: [1.5, 2.5],
    "(0, 0)": lambda: (0, 0),
    "{}": lambda: {},
    "{'a': 1}": lambda: {"a": 1},
    "{1}": lambda: {1},
    "object": Opaque,
    "type": lambda: Opaque,
    "no_arguments": lambda: no_arguments,
    "text_returned": lambda: text_returned,
    "array(3)": lambda: np.array([0.25, 0.5, 0.75]),
    "array(2, 2)": lambda: np.ones((2, 2)),
    "array(nan)": lambda: np.full((3, 2), np.nan),
    "array(str)": lambda: np.array(["a", "b"]),
    "array(object)": lambda: np.array([Opaque(), None]),
    "jax array(7, 3, 2)": lambda: jnp.ones((7, 3, 2)),
    "jax flag": lambda: jnp.array(True),
}
