"""Parameters as a network uses them: with the transforms that were asked for."""

from __future__ import annotations

from typing import Any

import jax
import paramax

from jno.trace import Model, constrained_module

from ._masks import checked_mask, trainable_filter


@constrained_module.register
def constrained(module: Any, model: Model) -> Any:
    """``module`` with the transforms of ``model.constrain`` applied, and paramax's own wrappers unwrapped.

    Raises:
        ValueError: a mask that does not fit, or a transform that changes the shape of a leaf.
    """
    for constraint in model.controls.constraints:
        name = f"{model.model_key}.constrain()"
        chosen = trainable_filter(module) if constraint.mask is None else checked_mask(module, constraint.mask, name)

        def wrapped(leaf: Any, selected: bool, transform: Any = constraint.transform, name: str = name) -> Any:
            if not selected:
                return leaf
            shape = jax.eval_shape(transform, leaf)
            if getattr(shape, "shape", None) != leaf.shape:
                raise ValueError(f"{name}: the transform turns a parameter of shape {leaf.shape} into {shape}")
            return paramax.Parameterize(transform, leaf)

        module = paramax.unwrap(jax.tree_util.tree_map(wrapped, module, chosen))
    return paramax.unwrap(module)
