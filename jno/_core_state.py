"""What a saved core holds, and what is rebuilt of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from jno._compiled_problem import CompiledProblem
from jno._evaluator import expression_names
from jno.architectures import weights_as_data
from jno.compiler import Counterparts
from jno.trace import Model, Node, dump_tree, flatten, unflatten
from jno.training import Memory
from jno.utils import ANY_PATH, PATH, PROCESS, checked, data_of
from jno.utils import load as load_object
from jno.utils import save as save_object
from jno.utils.statistics import statistics

_SAVED = ("domain", "seed", "training_logs", "log", "best_config", "best_arch", "tuning_history")
"""Attributes that files hold as they are."""


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


S = TypeVar("S", bound="StoredProblem")


class StoredProblem(CompiledProblem):
    """A problem that files hold: with its weights, its history and where its training stands."""

    @checked(path=PATH, public_key_path=ANY_PATH, private_key_path=ANY_PATH)
    def save(
        self: S,
        path: str | Path,
        public_key_path: str | Path | None = None,
        private_key_path: str | Path | None = None,
        *,
        data_only: object = False,
    ) -> S:
        """Write expressions, domain, weights and history to a file, signed with a private key; see `jno.save`.

        With ``data_only=True`` the file holds weights, a description of the problem and the history, and cannot run
        code: ``jno.load(path, trusted=False)`` reads it, and ``net.initialize("path::name")`` takes its weights.
        """
        save_object(self, path, public_key_path, private_key_path, data_only=data_only)
        return self

    @classmethod
    @checked(path=PATH, public_key_path=ANY_PATH, signature_path=ANY_PATH)
    def load(
        cls: type[S],
        path: str | Path,
        public_key_path: str | Path | None = None,
        signature_path: str | Path | None = None,
    ) -> S:
        """Read what `save` wrote.  Unpickling runs code: load only files you trust; see `jno.load`."""
        return load_object(path, public_key_path, signature_path, expected_type=cls)

    def __getstate__(self) -> dict[str, Any]:
        attributes = {name: self.__dict__[name] for name in _SAVED}
        return packed(self._statements, self.all_ops, self._models, self._memory, self._choices, attributes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        parts = restored(state)
        self.__dict__.update(parts.attributes)
        self._statements, self._choices = parts.statements, parts.choices
        self._memory, self._counterparts = parts.memory, parts.counterparts
        self._take_expressions(parts.expressions)
        self._module_seed = self.seed
        self.compile()


def as_data(
    expressions: Mapping[str, Node], models: Sequence[Model], memory: Memory, attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """What of a core is saved without a pickle: weights, a description of the problem, and the history.

    Expressions and the domain are text: they refer to functions and classes, which only a script or a pickle can bring.

    Args:
        expressions: constraints and trackers by name.
        models: of the core.
        memory: for the number of epochs.
        attributes: of the core.

    Raises:
        ValueError: two models of the same name.
    """
    names = [model.model_key for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"two models have the same name, so a file cannot tell their weights apart: {names}")
    modules = dict(zip(names, [model.module for model in models], strict=True))
    options = attributes["best_config"]
    return {
        **weights_as_data(modules),
        "configuration": {
            "seed": attributes["seed"],
            "epoch": memory.epoch,
            "expressions": {name: dump_tree(expression) for name, expression in expressions.items()},
            "models": {name: type(module).__qualname__ for name, module in modules.items()},
            "domain": repr(attributes["domain"]),
            "best_config": None if options is None else {name: _plain(value) for name, value in options.items()},
        },
        "history": statistics(attributes["training_logs"]),
    }


def _plain(value: object) -> bool | int | float | str | None:
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


@data_of.register
def _(problem: StoredProblem) -> dict[str, Any]:
    expressions = dict(zip(expression_names(problem.all_ops), problem.all_ops, strict=True))
    return as_data(expressions, problem._models, problem._memory, {name: problem.__dict__[name] for name in _SAVED})
