"""`Arch`: one architecture of a search space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final


@final
class Arch:
    """The chosen options of an architecture, by name; what a tunable class gets as its argument ``arch``.

    Args:
        choices: options by name.

    Raises:
        TypeError: ``choices`` is not a mapping.

    Example:
        >>> import jno
        >>> arch = jno.np.Arch({"width": 16})
        >>> arch("width"), arch.get("depth", 2), arch.has("depth")
        (16, 2, False)
    """

    def __init__(self, choices: Mapping[str, Any]) -> None:
        if not isinstance(choices, Mapping):
            raise TypeError(f"Arch() takes a mapping of names to options, got {type(choices).__name__}")
        self.choices = dict(choices)

    def __call__(self, name: str) -> Any:
        """The option of this name.

        Raises:
            KeyError: there is none.
        """
        if name not in self.choices:
            raise KeyError(f"the architecture has no {name!r}; it has {', '.join(self.choices) or 'nothing'}")
        return self.choices[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The option of this name, or ``default``."""
        return self.choices.get(name, default)

    def has(self, name: str) -> bool:
        """Whether there is an option of this name."""
        return name in self.choices

    def __repr__(self) -> str:
        return f"Arch({self.choices!r})"
