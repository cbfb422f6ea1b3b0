"""What only running the code shows: methods a class takes over, functions that are built, other names of an object.

`variable = _variable.variable` and `sin = _unary(jnp.sin, ...)` are attributes in the source; on the pages they stand
as the methods and functions that they are, with the signature and the docstring that they have at run time.
"""

from __future__ import annotations

import copy
import inspect
import re
import runpy
from pathlib import Path
from typing import Any

import griffe

import jno

_CLASSES = {
    "domain._abstract.AbstractDomain": jno.domain,
    "domain._domain.domain": jno.domain,
    "domain._domain.PolygonDomain": jno.domain.csg,
    "core.core": jno.core,
    "trace._model.Model": jno.trace.Model,
}
_NAMES = runpy.run_path(str(Path(__file__).with_name("public_names.py")))


class RunTime(griffe.Extension):
    """Replace such attributes by functions; say under which other names an object is public."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called when jno has been read."""
        for path, loaded in _CLASSES.items():
            owner = pkg[path]
            for name, attribute in list(owner.attributes.items()):
                if re.fullmatch(r"\w+\.\w+", str(attribute.value)) and name in dir(loaded):
                    self._attach(pkg, owner, name, str(attribute.value), getattr(loaded, name))
        for path, other_names in _NAMES["names_of_documented"]().items():
            self._name(pkg, path, other_names)

    def _attach(self, pkg: griffe.Module, owner: griffe.Class, name: str, reference: str, member: Any) -> None:
        room, _, function = reference.partition(".")
        source = pkg.modules_collection[f"{owner.resolve(room)}.{function}"]
        target = source.final_target if source.is_alias else source
        if target.is_function:
            method = copy.copy(target)
            method.name, method.parent = name, owner
            owner.set_member(name, _as_method(_as_it_runs(method, member), owner.name))

    def _name(self, pkg: griffe.Module, path: str, other_names: list[str]) -> None:
        member = pkg[path.removeprefix("jno.")]
        target = member.final_target if member.is_alias else member
        documented = _NAMES["member"](path)
        if target.is_attribute and callable(documented):
            function = griffe.Function(
                target.name, lineno=target.lineno, endlineno=target.endlineno, parent=target.parent
            )
            target.parent.set_member(target.name, _as_it_runs(function, documented))
            target = function
        if other_names and target.docstring is not None:
            names = ", ".join(f'<code class="name">{name}</code>' for name in other_names)
            target.docstring.value = f"{inspect.cleandoc(target.docstring.value)}\n\nThe same object: {names}."


def _as_it_runs(function: griffe.Function, member: Any) -> griffe.Function:
    text = re.sub(r"^(\s*)Example:$", r"\1Examples:", inspect.cleandoc(member.__doc__ or ""), flags=re.MULTILINE)
    function.docstring = griffe.Docstring(text, parent=function, lineno=function.lineno, parser=griffe.Parser.google)
    signature = inspect.signature(member)
    function.returns = _shown(signature.return_annotation)
    function.parameters = griffe.Parameters(
        *(
            griffe.Parameter(
                parameter.name,
                annotation=_shown(parameter.annotation),
                kind=griffe.ParameterKind[parameter.kind.name.lower()],
                default=None if parameter.default is parameter.empty else repr(parameter.default),
            )
            for parameter in signature.parameters.values()
        )
    )
    return function


def _as_method(function: griffe.Function, owner: str) -> griffe.Function:
    """Without the type of `self`; what returns an object of that type returns one of the class."""
    first = next(iter(function.parameters))
    if first.name == "self":
        if function.returns == first.annotation:
            function.returns = owner
        first.annotation = None
    return function


def _shown(annotation: object) -> str | None:
    return None if annotation is inspect.Signature.empty else str(annotation)
