"""What is trained by whom, the trained leaves apart from everything that stays as it is, and how many there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
from jaxtyping import PyTree

from jno.lora import lora_trainable_filter
from jno.trace import Model

from ._groups import OptimizerGroup
from ._parameter_block import ParameterBlock
from ._phases import on_device
from ._types import Leaves, Modules


@dataclasses.dataclass(frozen=True)
class Trainers:
    """The optimizer groups and parameter blocks of a problem."""

    groups: tuple[OptimizerGroup, ...]
    blocks: tuple[ParameterBlock, ...]

    def selected(self) -> Leaves:
        """Filters of the trained leaves by model id."""
        pairs = [(group.layer_id, group.selected) for group in self.groups]
        pairs += [pair for block in self.blocks for pair in block.selected.items()]
        filters: Leaves = {}
        for layer_id, selected in pairs:
            if layer_id in filters:
                selected = jax.tree_util.tree_map(lambda a, b: a or b, filters[layer_id], selected)
            filters[layer_id] = selected
        return filters

    def split(self, models: Sequence[Model]) -> tuple[Leaves, Modules]:
        """Trained leaves by model, and modules without them."""
        selected = self.selected()
        parameters: Leaves = {}
        frozen: Modules = {}
        for model in models:
            frozen[model.layer_id] = model.module
            if model.layer_id in selected:
                leaves, frozen[model.layer_id] = eqx.partition(model.module, selected[model.layer_id])
                parameters[model.layer_id] = on_device(leaves)
        return parameters, frozen


def parameter_counts(models: Sequence[Model], parameters: Leaves) -> dict[str, int]:
    """Numbers of trained, frozen, all, and adapters' parameters, under the names of the history."""
    total = sum(_size(model.module, eqx.is_array) for model in models)
    trained = _size(parameters, eqx.is_array)
    adapters = sum(_size(model.module, lora_trainable_filter(model.module)) for model in models)
    counts = {"trainable_params": trained, "frozen_params": total - trained, "total_params": total}
    return {**counts, "lora_params": adapters}


def _size(tree: PyTree, selected: PyTree | Callable[[object], bool]) -> int:
    return sum(leaf.size for leaf in jax.tree_util.tree_leaves(eqx.filter(tree, selected)))
