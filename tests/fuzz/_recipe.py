"""How a public function is called with right arguments, of which one is then exchanged."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _kinds
from ._kinds import Kind, Verdict
from ._outcomes import UNKNOWN_KEYWORD, Case
from ._values import VALUES
from ._world import World

WORDS = {
    "args": ("arguments", "expression"),
    "base": ("wrap",),
    "base_optimizer": ("base",),
    "expr": ("InputSensitivity",),
    "grad_expr": ("NTKSpectrum",),
    "losses": ("num_losses",),
    "operation": ("operations", "expressions", "coordinates"),
    "sample_inputs": ("arguments",),
    "spec": ("devices",),
    "triangles": ("elements",),
    "variable": ("variables",),
    "variables": ("variable", "Variable"),
    "source": ("constant", "constants"),
    "options": ("expression",),
    "xp": ("axes",),
    "substeps": ("substep",),
    "constraints": ("list",),
    "operand": ("expression",),
    "velocity": ("vector",),
    "fmt": ("format",),
    "file_format": ("format",),
}
"""What messages call an argument instead of its name."""


@dataclass(frozen=True)
class Recipe:
    """A public function.

    Attributes:
        label: how a user writes the function.
        function: gives the function; objects it belongs to are made anew.
        right: right arguments, made anew; of ``*arguments`` a tuple. Parameters with defaults may be missing.
        kinds: of the parameters whose name and annotation do not tell.
        aliases: further names by which a message may call a parameter.
        skipped: parameters that are not tried, with the reason.
    """

    label: str
    function: Callable[[World], Callable[..., Any]]
    right: Callable[[World], Mapping[str, Any]] = lambda world: {}
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def parameters(self, world: World) -> dict[str, inspect.Parameter]:
        """The parameters by name."""
        return dict(inspect.signature(self.function(world)).parameters)

    def kind(self, parameter: inspect.Parameter) -> Kind | None:
        """The kind of a parameter, if it is known."""
        return self.kinds.get(parameter.name) or _kinds.of_parameter(parameter)

    def unknown(self, world: World) -> list[str]:
        """Parameters of which no kind is known; they are not tried."""
        return [
            name
            for name, parameter in self.parameters(world).items()
            if name not in self.skipped and parameter.kind != inspect.Parameter.VAR_KEYWORD and not self.kind(parameter)
        ]

    def cases(self, world: World) -> Iterator[Case]:
        """All calls with one argument that is not right."""
        if UNKNOWN_KEYWORD not in self.skipped:
            yield Case(self.label, UNKNOWN_KEYWORD, "1")
        for name, parameter in self.parameters(world).items():
            kind = self.kind(parameter)
            if kind is None or name in self.skipped or parameter.kind == inspect.Parameter.VAR_KEYWORD:
                continue
            for label, make in VALUES.items():
                if kind(make()) != Verdict.RIGHT:
                    yield Case(self.label, name, label)

    def verdict(self, world: World, case: Case) -> Verdict:
        """What must become of a call."""
        if case.parameter == UNKNOWN_KEYWORD:
            return Verdict.WRONG
        kind = self.kind(self.parameters(world)[case.parameter])
        assert kind is not None
        return kind(VALUES[case.value]())

    def names(self, world: World, case: Case) -> tuple[str, ...]:
        """What a message may call the argument: by its name, or by the function if it has no other."""
        own = (case.parameter, *WORDS.get(case.parameter, ()), *self.aliases.get(case.parameter, ()))
        required = [p for p in self.parameters(world).values() if p.default is inspect.Parameter.empty]
        alone = [p.name for p in required] == [case.parameter]
        return (*own, self.label.rpartition(".")[2]) if alone else own

    def called(self, world: World) -> Any:
        """Make the call with right arguments."""
        function = self.function(world)
        return _called(function, inspect.signature(function).parameters, dict(self.right(world)))

    def call(self, world: World, case: Case) -> Any:
        """Make the call with one argument that is not right."""
        function, arguments = self.function(world), dict(self.right(world))
        parameters = inspect.signature(function).parameters
        if case.parameter == UNKNOWN_KEYWORD:
            arguments[UNKNOWN_KEYWORD] = 1
        else:
            value = VALUES[case.value]()
            several = parameters[case.parameter].kind == inspect.Parameter.VAR_POSITIONAL
            arguments[case.parameter] = (value, *arguments.get(case.parameter, ())[1:]) if several else value
        return _called(function, parameters, arguments)


def _called(
    function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter], arguments: dict[str, Any]
) -> Any:
    several = next((p.name for p in parameters.values() if p.kind == inspect.Parameter.VAR_POSITIONAL), None)
    positional: list[Any] = []
    for name, parameter in parameters.items():
        before = several is not None and parameter.kind == inspect.Parameter.POSITIONAL_OR_KEYWORD
        if parameter.kind == inspect.Parameter.POSITIONAL_ONLY or (before and arguments.get(several)):
            if name not in arguments:
                arguments[name] = parameter.default
            positional.append(arguments.pop(name))
    if several is not None:
        positional += arguments.pop(several, ())
    return function(*positional, **arguments)
