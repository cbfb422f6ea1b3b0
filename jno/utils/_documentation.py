"""What the docstrings of a family of functions say alike: written once, and complete in the docstring of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])  # functions and classes

_SECTIONS = ("Args", "Returns", "Raises")


@dataclass(frozen=True)
class SharedDocumentation:
    """A decorator that completes docstrings; what a docstring says itself comes first.

    Args:
        arguments: descriptions of parameters by name, for those that a docstring does not describe.
        returns: the section "Returns" of docstrings without one.
        raises: the section "Raises" of docstrings without one, by the name of the exception.

    Raises:
        ValueError: when it decorates: neither the docstring nor `arguments` describes a parameter.

    Example:
        >>> from jno.utils import SharedDocumentation
        >>> @SharedDocumentation({"x": "coordinate."}, returns="Number.")
        ... def double(x):
        ...     '''Twice the coordinate.'''
        ...     return 2 * x
        >>> print(double.__doc__)
        Twice the coordinate.
        <BLANKLINE>
        Args:
            x: coordinate.
        <BLANKLINE>
        Returns:
            Number.
    """

    arguments: Mapping[str, str]
    returns: str = ""
    raises: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, function: F) -> F:
        """The function or class itself, its docstring complete; without docstrings (``python -OO``) as it was."""
        if function.__doc__ is not None:
            function.__doc__ = self._complete(function, inspect.cleandoc(function.__doc__))
        return function

    def extended(
        self, arguments: Mapping[str, str], *, returns: str | None = None, raises: Mapping[str, str] | None = None
    ) -> SharedDocumentation:
        """The same with more, or other, descriptions; sections that are not named stay (default)."""
        return SharedDocumentation(
            {**self.arguments, **arguments},
            self.returns if returns is None else returns,
            self.raises if raises is None else raises,
        )

    def _complete(self, function: Callable[..., object], docstring: str) -> str:
        sections: dict[str, str] = {}
        texts: list[str] = []
        for paragraph in docstring.split("\n\n"):
            title, colon, body = paragraph.partition(":\n")
            if colon and title in _SECTIONS:
                sections[title] = body
            else:
                texts.append(paragraph)
        example = next((position for position, text in enumerate(texts) if _is_end(text)), len(texts))
        raised = "\n".join(f"    {name}: {when}" for name, when in self.raises.items())
        complete = {
            "Args": self._described(function, sections.get("Args", "")),
            "Returns": sections.get("Returns", f"    {self.returns}" if self.returns else ""),
            "Raises": sections.get("Raises", raised),
        }
        middle = [f"{title}:\n{body}" for title, body in complete.items() if body]
        return "\n\n".join([*texts[:example], *middle, *texts[example:]])

    def _described(self, function: Callable[..., object], section: str) -> str:
        """The entry of every parameter, in the order of the signature."""
        entries = re.split(r"\n(?=    \S)", section)
        described = {entry.partition(":")[0].strip(" *"): entry for entry in entries}
        return "\n".join(
            described.get(name) or self._shared(function, parameter)
            for name, parameter in inspect.signature(function).parameters.items()
        )

    def _shared(self, function: Callable[..., object], parameter: inspect.Parameter) -> str:
        if parameter.name not in self.arguments:
            raise ValueError(
                f"the argument {parameter.name} of {function.__qualname__} is not described: describe it in its "
                f"docstring, or in what is shared, which has {', '.join(self.arguments) or 'nothing'}"
            )
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        return f"    {stars}{parameter.name}: {self.arguments[parameter.name]}"


def _is_end(paragraph: str) -> bool:
    return paragraph.startswith(("Example:", "Source:"))
