"""Methods that a class takes over from a room, `variable = _variable.variable`, stand on its page as methods."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import griffe

import jno

_CLASSES = {"domain": jno.domain, "PolygonDomain": jno.domain.csg, "AbstractDomain": jno.domain}


class AttachedMethods(griffe.Extension):
    """Replace such attributes by the functions, with the signature and the docstring that they have at run time."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Called when jno has been read."""
        for path in ("domain._abstract.AbstractDomain", "domain._domain.domain", "domain._domain.PolygonDomain"):
            owner = pkg[path]
            for name, attribute in list(owner.attributes.items()):
                if re.fullmatch(r"\w+\.\w+", str(attribute.value)) and name in dir(_CLASSES[owner.name]):
                    self._attach(pkg, owner, name, str(attribute.value))

    def _attach(self, pkg: griffe.Module, owner: griffe.Class, name: str, reference: str) -> None:
        room, _, function = reference.partition(".")
        member = pkg.modules_collection[f"{owner.resolve(room)}.{function}"]
        target = member.final_target if member.is_alias else member
        if not target.is_function:
            return
        method = copy.copy(target)
        method.name, method.parent, method.docstring = name, owner, copy.copy(target.docstring)
        bound = getattr(_CLASSES[owner.name], name)
        if method.docstring is not None and bound.__doc__:
            text = inspect.cleandoc(bound.__doc__)
            method.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", text, flags=re.MULTILINE)
            method.docstring.parent = method
        returned = inspect.signature(bound).return_annotation
        method.returns = None if returned is inspect.Signature.empty else str(returned)
        method.parameters = griffe.Parameters(
            *(
                griffe.Parameter(
                    parameter.name,
                    annotation=None if parameter.annotation is parameter.empty else str(parameter.annotation),
                    kind=griffe.ParameterKind[parameter.kind.name.lower()],
                    default=None if parameter.default is parameter.empty else repr(parameter.default),
                )
                for parameter in inspect.signature(bound).parameters.values()
            )
        )
        owner.set_member(name, method)
