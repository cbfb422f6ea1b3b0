"""`Choice`: one of several expressions, decided by a sweep."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ._leaves import as_node
from ._node import Metadata, Node, set_fields
from ._placeholder import Placeholder
from ._walk import rewrite, walk

_choice_ids = itertools.count()


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Choice(Placeholder):
    """One of several expressions: ``core.sweep`` tries them all, everything else sees one of them.

    Until a sweep has decided, it stands for the option number ``default``.  Only the option it stands for is compiled,
    differentiated and trained.  A re-call at other variables, ``u(xb)``, shares the decision.

    Args:
        options: expressions, numbers or arrays.
        name: name of the dimension in the search space; default ``choice_<number>``.  No two choices of a problem
            may have the same name.
        default: position of the option that is used before a sweep.

    Raises:
        ValueError: no options, or ``default`` is not a position of one.
        TypeError: options that are not expressions, not a list of options, or a name that is not a string.

    Example:
        >>> import jno
        >>> domain = jno.domain.line(mesh_size=0.5)
        >>> x, _ = domain.variable("interior")
        >>> envelope = jno.np.choice([x * (1 - x), jno.np.sin(jno.np.pi * x)], name="envelope")
        >>> float(jno.core([envelope.max]).eval(envelope.max)[0])
        0.25
    """

    child_fields: ClassVar[tuple[str, ...]] = ("options",)
    options: tuple[Placeholder, ...]
    dimension: str
    default: int
    choice_id: int

    def __init__(self, options: object, name: object = None, default: object = 0) -> None:
        if not isinstance(options, list | tuple):
            raise TypeError(f"choice() takes a list of options, got {type(options).__name__}")
        if not options:
            raise ValueError("choice([]) has no options")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"choice(name={name!r}): the name must be a string")
        if isinstance(default, bool) or not isinstance(default, int) or not 0 <= default < len(options):
            raise ValueError(
                f"choice(default={default!r}): it is the position of an option, an integer from 0 to {len(options) - 1}"
            )
        number = next(_choice_ids)
        nodes = tuple(as_node(option) for option in options)
        set_fields(self, options=nodes, dimension=name or f"choice_{number}", default=default, choice_id=number)

    def describe(self) -> str:
        return f"choice[{self.dimension}]"


def decided(expression: Node, positions: Mapping[str, int]) -> Any:
    """The expression with every choice replaced by an option: that of ``positions`` (by name), or its default.

    Raises:
        ValueError: a position that the choice does not have.
    """
    if not any(isinstance(node, Choice) for node in walk([expression])):
        return expression

    def replace(node: Node) -> Node:
        if not isinstance(node, Choice):
            return node
        position = positions.get(node.dimension, node.default)
        if position >= len(node.options):
            raise ValueError(
                f"choice {node.dimension!r} has {len(node.options)} options, and a sweep chose number {position} of "
                "another choice of this name"
            )
        return _labelled(node.options[position], node.metadata.label)

    return rewrite(expression, replace)


def _labelled(option: Node, label: str | None) -> Node:
    if label is None:
        return option
    same = copy.copy(option)
    same.__dict__["metadata"] = Metadata(label)
    return same


def choices_of(roots: Iterable[Node]) -> list[Choice]:
    """The choices below ``roots`` in order of first appearance, one of those that share a decision.

    Raises:
        ValueError: two different choices have the same name.
    """
    choices: dict[str, Choice] = {}
    for node in walk(roots):
        if isinstance(node, Choice):
            namesake = choices.setdefault(node.dimension, node)
            if namesake.choice_id != node.choice_id:
                raise ValueError(f"two choices of the problem have the name {node.dimension!r}; name them apart")
    return list(choices.values())
