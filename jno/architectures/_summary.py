"""Table of a model's leaves."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax

from jno.trace import Model

from ._masks import checked_mask, leaf_paths, trainable_filter


def print_summary(model: Model) -> None:
    """Print leaf path, shape, dtype, optimizer group and whether the leaf is trained, with totals."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{model.model_key}: {type(model.module).__name__}")
    for column in ("leaf", "shape", "dtype", "group", "status", "parameters"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    totals = {"trained": 0, "frozen": 0}
    for (path, leaf), group, status in zip(leaf_paths(model.module), *_groups_and_status(model), strict=True):
        totals[status] += leaf.size
        table.add_row(path, str(tuple(leaf.shape)), str(leaf.dtype), group, status, f"{leaf.size:,}")
    Console().print(table)
    Console().print(f"trained {totals['trained']:,}  frozen {totals['frozen']:,}  total {sum(totals.values()):,}")


def _groups_and_status(model: Model) -> tuple[list[str], list[str]]:
    controls, module = model.controls, model.module
    trained = trainable_filter(module)
    names = jax.tree_util.tree_map(
        lambda _: "default" if controls.default_group.optimizer is not None else "-", trained
    )
    for number, group in enumerate(controls.groups):
        selected = checked_mask(module, group.mask, model.model_key)
        names = jax.tree_util.tree_map(lambda old, chosen, n=number: f"group {n}" if chosen else old, names, selected)
    if controls.frozen:
        trained = jax.tree_util.tree_map(lambda _: False, trained)
    for mask in controls.freeze_masks:
        frozen = checked_mask(module, mask, model.model_key)
        trained = jax.tree_util.tree_map(lambda a, b: a and not b, trained, frozen)
    arrays = jax.tree_util.tree_map(eqx.is_array, module)
    status = jax.tree_util.tree_map(lambda t: "trained" if t else "frozen", trained)
    return _leaves_where(names, arrays), _leaves_where(status, arrays)


def _leaves_where(tree: Any, arrays: Any) -> list[str]:
    pairs = zip(jax.tree_util.tree_leaves(tree), jax.tree_util.tree_leaves(arrays), strict=True)
    return [value for value, is_array in pairs if is_array]
