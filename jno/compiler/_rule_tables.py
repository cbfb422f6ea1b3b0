"""Tables of rules: no key has two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

K = TypeVar("K")
R = TypeVar("R")


def add_rules(table: dict[K, R], keys: Iterable[K], rule: R, refusal: Callable[[K], str]) -> None:
    """Enter a rule under every key.

    Raises:
        ValueError: a key has a rule; the refusal is its message.
    """
    for key in keys:
        if key in table:
            raise ValueError(refusal(key))
        table[key] = rule
