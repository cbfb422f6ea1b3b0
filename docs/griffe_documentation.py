"""Docstrings that `SharedDocumentation` completes stand on their pages as they are at run time."""

import importlib
from typing import Any

import griffe


class SharedSections(griffe.Extension):
    """Functions and classes below a decorator ``documented…`` get the docstring that they have once imported."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every object once it is read."""
        if not isinstance(obj, griffe.Function | griffe.Class) or obj.docstring is None:
            return
        names = [str(decorator.value).rpartition(".")[2] for decorator in obj.decorators]
        if any(name.lstrip("_").startswith("documented") for name in names):
            member: Any = importlib.import_module(obj.module.path)
            for part in obj.path.removeprefix(f"{obj.module.path}.").split("."):
                member = getattr(member, part)
            obj.docstring.value = member.__doc__ or ""
