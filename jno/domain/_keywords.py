"""Keywords that several functions share: written once, and listed in the signature and the docstring of each."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Keyword:
    """A keyword-only parameter.

    Attributes:
        default: its default.
        annotation: its type.
        description: its line in the docstring.
    """

    default: object
    annotation: str
    description: str


@dataclass(frozen=True)
class SharedKeywords:
    """What the last parameter `**options` of a function stands for."""

    keywords: Mapping[str, Keyword]

    @property
    def defaults(self) -> dict[str, object]:
        """Name -> default."""
        return {name: keyword.default for name, keyword in self.keywords.items()}

    def explicit(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function with every keyword in its signature and docstring; it is called with all of them."""
        signature = self.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            signature.bind(*args, **kwargs)
            return function(*args, **{**self.defaults, **kwargs})  # type: ignore[arg-type]

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__doc__ = self.docstring(function)
        return call

    def signature(self, function: Callable[..., object]) -> inspect.Signature:
        """The signature with every keyword by name."""
        signature = inspect.signature(function)
        *parameters, _ = signature.parameters.values()
        explicit = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=entry.default, annotation=entry.annotation)
            for name, entry in self.keywords.items()
        ]
        return signature.replace(parameters=[*parameters, *explicit])

    def docstring(self, function: Callable[..., object]) -> str:
        """The docstring with a line for every keyword at the end of its arguments."""
        lines = [f"{name}: {keyword.description}" for name, keyword in self.keywords.items()]

        def described(end: re.Match[str]) -> str:
            indent = end[1]
            return "".join(f"\n{indent}    {line}" for line in lines) + end[0]

        return re.sub(r"\n\n( *)Returns:", described, function.__doc__ or "", count=1)
