"""Parameters as a network uses them: with the transforms of `Model.constrain`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import paramax
from jaxtyping import Array, PyTree

from jno.trace import Model, constrained_module

from ._masks import checked_mask, trainable_filter


@constrained_module.register
def constrained(module: PyTree, model: Model) -> PyTree:
    """``module`` with the transforms of ``model.constrain`` applied, and paramax's own wrappers unwrapped.

    Raises:
        ValueError: a mask that does not fit, or a transform that changes the shape of a leaf.
    """
    for constraint in model.controls.constraints:
        name = f"{model.model_key}.constrain()"
        selection = trainable_filter(module) if constraint.mask is None else checked_mask(module, constraint.mask, name)

        wrapped = functools.partial(_wrapped, constraint.transform, name)
        module = paramax.unwrap(jax.tree_util.tree_map(wrapped, module, selection))
    return paramax.unwrap(module)


def _wrapped(transform: Callable[[Array], Array], name: str, leaf: PyTree, selected: bool) -> PyTree:
    if not selected:
        return leaf
    shape = jax.eval_shape(transform, leaf)
    if getattr(shape, "shape", None) != leaf.shape:
        raise ValueError(f"{name}: the transform turns a parameter of shape {leaf.shape} into {shape}")
    return paramax.Parameterize(transform, leaf)
