"""What a saved core holds, and what is rebuilt of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jno.compiler import Counterparts
from jno.trace import Model, Node, flatten, unflatten
from jno.training import Memory
from jno.utils import PROCESS


@dataclasses.dataclass(frozen=True)
class Restored:
    """The parts of a core that was read from a file.

    Attributes:
        statements: constraints and trackers with their choices open.
        expressions: the same with their choices decided.
        choices: position of the option that stands for each choice.
        memory: random key, epoch and states from which training continues.
        counterparts: finds the models of expressions that are not those of the file.
        attributes: the other attributes of the core, by name.
    """

    statements: list[Node]
    expressions: list[Node]
    choices: dict[str, int]
    memory: Memory
    counterparts: Counterparts
    attributes: dict[str, Any]


def packed(
    statements: Sequence[Node],
    expressions: Sequence[Node],
    models: Sequence[Model],
    memory: Memory,
    choices: Mapping[str, int],
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    """The state of a core as it is pickled; the names of its entries are those of all files so far."""
    # read first, so that new ids have the order of the old ones, in which chains are remembered
    by_id = sorted(models, key=lambda model: model.layer_id)
    return {
        "models": by_id,
        "origin": (PROCESS, [model.layer_id for model in by_id]),
        **attributes,
        "_chosen": choices,
        "expressions": flatten([*statements, *expressions]),
        "_memory": memory.for_host(),
    }


def restored(state: Mapping[str, Any]) -> Restored:
    """The parts of the core whose state `packed` made."""
    attributes = dict(state)
    models: list[Model] = attributes.pop("models")
    # files of the first format have no origin: their models are matched by name
    process, layer_ids = attributes.pop("origin", ("", [model.layer_id for model in models]))
    nodes = unflatten(*attributes.pop("expressions"))
    half = len(nodes) // 2
    counterparts = Counterparts(process, layer_ids, models, attributes["domain"])
    memory, choices = attributes.pop("_memory"), attributes.pop("_chosen")
    return Restored(nodes[:half], nodes[half:], choices, memory, counterparts, attributes)
