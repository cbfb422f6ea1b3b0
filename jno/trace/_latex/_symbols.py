"""What the leaves of one expression are called, so that no two different ones have one name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from .._coordinates import coordinate_of, identity, is_normal, region
from .._derivatives import Derivative
from .._fields import FieldValue
from .._leaves import Noise, Variable
from .._model import Model, has_numbered_name
from .._model_call import ModelCall
from .._node import Node
from .._operations import FunctionCall
from .._walk import walk
from ._formula import Symbol
from ._words import symbol_of, upright

CallKey: TypeAlias = tuple[Any, ...]


class Symbols:
    """Names of variables, models and noise in one expression.

    Variables of several regions have the region as a subscript, further copies of the points of one region primes.
    Networks have the subscript θ; those without a name are called u, and numbered where there are several.  Arguments
    of a network are left out where they are always the same coordinates, by which the expression differentiates.

    Args:
        nodes: all nodes of the expression.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        variables = [node for node in nodes if isinstance(node, Variable)]
        self._regions = list(dict.fromkeys(region(v) for v in variables if v.axis == "spatial"))
        self._copies: dict[str, list[int]] = {}
        for variable in variables:
            copies = self._copies.setdefault(region(variable), [])
            if variable.copy not in copies:
                copies.append(variable.copy)
        for copies in self._copies.values():
            copies.sort()
        models = list(dict.fromkeys(node.model for node in nodes if isinstance(node, ModelCall)))
        self._nameless = [m for m in models if has_numbered_name(m.model_key) and not _is_parameter(m, nodes)]
        self._parameters = [m for m in models if has_numbered_name(m.model_key) and m not in self._nameless]
        self._draws = list(dict.fromkeys(node.draw_id for node in nodes if isinstance(node, Noise)))
        self._bare = _bare_calls(nodes)

    def variable(self, variable: Variable) -> str:
        """The name of a variable."""
        if variable.metadata.label:
            return symbol_of(variable.metadata.label).name
        coordinate = coordinate_of(variable)
        copies = self._copies.get(region(variable), [variable.copy])  # below a name nothing was looked at
        primes = "'" * (copies.index(variable.copy) if variable.copy in copies else 0)
        name = str(coordinate)
        if is_normal(variable):
            name = rf"n_{{{name[1:]}}}" if len(name) == 2 else r"\mathbf{n}"
        elif "[" in name:
            name = r"\mathbf{x}"
        tag = region(variable)
        if variable.axis == "temporal" or len(self._regions) < 2 or tag == "interior":
            return name + primes
        return f"{name}{primes}_{{{upright(tag)}}}" if "_" not in name else name + primes

    def coordinates(self, variables: Iterable[Variable]) -> list[str]:
        """The names of the coordinates of space among variables, in their order."""
        space = [v for v in variables if v.axis == "spatial" and not is_normal(v)]
        return [self.variable(v) for v in sorted(space, key=coordinate_of)]

    def model(self, model: Model, *, takes_arguments: bool) -> Symbol:
        """The name of a network or of a parameter."""
        if model in self._nameless:
            number = (str(self._nameless.index(model) + 1),) if len(self._nameless) > 1 else ()
            return Symbol("u", (rf"\theta{'_' + number[0] if number else ''}",))
        if model in self._parameters:
            return Symbol(r"\theta", (str(self._parameters.index(model) + 1),))
        name = symbol_of(model.model_key)
        return Symbol(name.base, (*name.subscripts, r"\theta")) if takes_arguments else name

    def noise(self, noise: Noise) -> str:
        """The name of a noise."""
        return r"\xi" if len(self._draws) < 2 else rf"\xi_{{{self._draws.index(noise.draw_id) + 1}}}"

    def is_bare(self, call: ModelCall) -> bool:
        """Whether a call is written without its arguments."""
        return call_key(call) in self._bare


def _is_parameter(model: Model, nodes: Sequence[Node]) -> bool:
    return all(not node.args for node in nodes if isinstance(node, ModelCall) and node.model is model)


def _bare_calls(nodes: Sequence[Node]) -> set[CallKey]:
    """Keys of the calls that are written without arguments."""
    targets = walk([node.target for node in nodes if isinstance(node, Derivative)])
    differentiated = {call_key(node) for node in targets if isinstance(node, ModelCall) and _at_variables(node)}
    by_model: dict[int, set[CallKey]] = {}
    for node in nodes:
        if isinstance(node, ModelCall):
            by_model.setdefault(node.model.layer_id, set()).add(call_key(node))
    arguments = {key[1:] for key in differentiated}
    return {key for keys in by_model.values() if len(keys) == 1 for key in keys if key[1:] in arguments}


def _at_variables(call: ModelCall) -> bool:
    return all(isinstance(argument, Variable) for argument in arguments_of(call))


def arguments_of(call: ModelCall) -> tuple[Node, ...]:
    """The arguments of a network; those that are joined to one array stand one by one."""
    if len(call.args) == 1 and isinstance(call.args[0], FunctionCall) and call.args[0].align == "columns":
        return call.args[0].args
    return call.args


def call_key(call: ModelCall) -> CallKey:
    """Equal for two calls of one network at the same arguments."""
    return call.model.layer_id, *(_key(argument) for argument in arguments_of(call))


def _key(argument: Node) -> Any:
    return identity(argument) if isinstance(argument, Variable) else id(argument)


def test_functions(nodes: Sequence[Node]) -> Iterator[FieldValue]:
    """The test functions of a weak term."""
    return (node for node in nodes if isinstance(node, FieldValue) and node.role == "test")
