"""Docstrings that `SharedDocumentation` completes stand on their pages as they are at run time."""

import importlib
from typing import Any

import griffe


class SharedSections(griffe.Extension):
    """Functions below a decorator whose name starts with ``documented`` get the docstring of the function itself."""

    def on_function(self, *, func: griffe.Function, **kwargs: Any) -> None:
        """Called for every function once it is read."""
        names = [str(decorator.value).rpartition(".")[2] for decorator in func.decorators]
        if func.docstring is None or not any(name.lstrip("_").startswith("documented") for name in names):
            return
        member: Any = importlib.import_module(func.module.path)
        for part in func.path.removeprefix(f"{func.module.path}.").split("."):
            member = getattr(member, part)
        func.docstring.value = member.__doc__ or ""
