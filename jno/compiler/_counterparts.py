"""Expressions of this process over the models and the domain of a core that was read from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import paramax
from jaxtyping import PyTree

from jno.architectures import is_uninitialized
from jno.domain import domain as Domain
from jno.lora import merge_lora
from jno.trace import Model, ModelCall, NetworkGradient, Node, TensorTag, Variable, has_numbered_name, rewrite, walk
from jno.utils import PROCESS

from ._graph import models_of
from ._types import Shape


class Counterparts:
    """Finds the models of a loaded core that stand for those of an expression.

    A model that was saved in this process stands for the very same one; otherwise names must be equal, and structures.

    Args:
        process: `jno.utils.PROCESS` of the process that saved the core.
        layer_ids: ids that the models had there.
        models: the models as they were loaded, in the same order.
        domain: the loaded domain.
    """

    def __init__(self, process: str, layer_ids: Sequence[int], models: Sequence[Model], domain: Domain) -> None:
        self._same_process = dict(zip(layer_ids, models, strict=True)) if process == PROCESS else {}
        self._models = list(models)
        self._domain = domain
        # with the expressions, which must live as long as their ids are looked up
        self._translated: dict[int, tuple[Node, Node]] = {}

    def translated(self, node: Node) -> Node:
        """The expression over the loaded models and the loaded domain.

        Raises:
            ValueError: a model without a counterpart, or with several; a domain of another dimension.
        """
        if id(node) not in self._translated:
            self._translated[id(node)] = node, self._over_loaded(node)
        return self._translated[id(node)][1]

    def _over_loaded(self, node: Node) -> Node:
        counterparts = self._counterparts(models_of([node]))
        for leaf in walk([node]):
            if isinstance(leaf, Variable | TensorTag):
                self._check_domain(leaf.domain)

        def replace(below: Node) -> Node:
            changes: dict[str, Any] = {}
            if isinstance(below, ModelCall | NetworkGradient) and below.model in counterparts:
                changes["model"] = counterparts[below.model]
            if isinstance(below, Variable | TensorTag) and below.domain is not self._domain:
                changes["domain"] = self._domain
            return _with_fields(below, changes) if changes else below

        return rewrite(node, replace)

    def _check_domain(self, domain: Domain) -> None:
        if domain is not self._domain and domain.dimension != self._domain.dimension:
            raise ValueError(
                f"the expression lives on a domain of {domain.dimension} dimensions, the loaded core on one of "
                f"{self._domain.dimension}"
            )

    def _counterparts(self, models: Sequence[Model]) -> dict[Model, Model]:
        unknown = [model for model in models if model not in self._models]
        counterparts = {model: self._counterpart(model) for model in unknown}
        for model, counterpart in counterparts.items():
            rivals = [rival.model_key for rival in unknown if rival is not model and counterparts[rival] is counterpart]
            if rivals or counterpart in models:
                raise ValueError(
                    f"two models of the expression stand for the model {counterpart.model_key!r} of the loaded core: "
                    f"{[model.model_key, *(rivals or [counterpart.model_key])]}. Give networks different names"
                )
        return counterparts

    def _counterpart(self, model: Model) -> Model:
        name = model.model_key
        names = [loaded.model_key for loaded in self._models]
        if model.layer_id in self._same_process:
            loaded = self._same_process[model.layer_id]
        else:
            if has_numbered_name(name):
                raise ValueError(
                    f"No model for {name!r} in this core: it was loaded and knows {names}, and a network without a "
                    "name cannot be told from others. Name it before saving, jno.nn(..., name='u'), or evaluate what "
                    "the file holds: core.expression(...)"
                )
            candidates = [loaded for loaded in self._models if loaded.model_key == name]
            if len(candidates) != 1:
                what = f"{len(candidates)} models" if candidates else "No model"
                raise ValueError(
                    f"{what} for {name!r} in this core, which was loaded: it knows {names}. Models are matched by "
                    "their names, which must differ"
                )
            loaded = candidates[0]
        lines = _differences(model.module, loaded.module)
        if lines:
            raise ValueError(
                f"the model {name!r} of the expression is not the one of the loaded core: {'; '.join(lines)}. Build it "
                "as before saving, or evaluate what the file holds: core.expression(...)"
            )
        return loaded


def _differences(module: PyTree, loaded: PyTree) -> list[str]:
    """What differs between the shapes of two modules, one line per array, adapters left out."""
    if is_uninitialized(module) or is_uninitialized(loaded):
        return []  # its arrays are not known yet
    here, there = _shapes(module), _shapes(loaded)
    return [
        f"{path}: {here.get(path, 'nothing')} here, {there.get(path, 'nothing')} in the file"
        for path in dict.fromkeys([*here, *there])
        if here.get(path) != there.get(path)
    ]


def _shapes(module: PyTree) -> dict[str, Shape]:
    plain = eqx.filter_eval_shape(lambda module: paramax.unwrap(merge_lora(module)), module)
    flat, _ = jax.tree_util.tree_flatten_with_path(plain)
    arrays = [(path, leaf) for path, leaf in flat if isinstance(leaf, jax.ShapeDtypeStruct)]
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf.shape for path, leaf in arrays}


def _with_fields(node: Node, changes: dict[str, Any]) -> Node:
    new = object.__new__(type(node))
    new.__dict__.update(node.__dict__, metadata=dataclasses.replace(node.metadata), **changes)
    return new
