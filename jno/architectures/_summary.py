"""Table of a model's leaves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import equinox as eqx
import jax

from jno.lora import lora_trainable_filter
from jno.trace import Model, Optimizer, model_markup, print_model
from jno.utils import html_table

from ._flax import is_uninitialized
from ._masks import checked_mask, leaf_paths, trained_leaves

_BESIDE_PATH = 90
"""Width of all other columns."""


HEADS = ("leaf", "shape", "dtype", "group", "optimizer", "status", "parameters")


@dataclasses.dataclass(frozen=True)
class LeafRow:
    """An array of a model.

    Attributes:
        path: where it is in the module.
        shape: its shape.
        dtype: its type.
        group: the parameter group that it belongs to.
        optimizer: what trains it.
        status: ``trained``, ``adapter`` or ``frozen``.
        size: number of parameters.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    group: str
    optimizer: str
    status: str
    size: int

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        count = f"{self.size:,}"
        return (self.path, str(self.shape), self.dtype, self.group, self.optimizer, self.status, count)


def leaf_rows(model: Model) -> list[LeafRow]:
    """Every array leaf of a model."""
    pairs = zip(leaf_paths(model.module), _rows(model), strict=True)
    return [
        LeafRow(path, tuple(leaf.shape), str(leaf.dtype), *columns, int(leaf.size)) for (path, leaf), columns in pairs
    ]


def totals(rows: Sequence[LeafRow]) -> dict[str, int]:
    """Numbers of parameters by status, and of all."""
    counts = {"trained": 0, "adapter": 0, "frozen": 0}
    for row in rows:
        counts[row.status] += row.size
    return {**counts, "total": sum(counts.values())}


@print_model.register
def print_summary(model: Model) -> None:
    """Print path, shape, dtype, group, optimizer and status of every leaf, with totals."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{model.model_key}: {type(model.module).__name__}")
    table.add_column(HEADS[0], no_wrap=True)
    for column in HEADS[1:-1]:
        table.add_column(column)
    table.add_column(HEADS[-1], justify="right")
    rows = leaf_rows(model)
    for row in rows:
        table.add_row(*row.cells)
    # a leaf is known by its whole path: the table is not squeezed into a narrow terminal
    console = Console(width=max(Console().width, _BESIDE_PATH + max((len(row.path) for row in rows), default=0)))
    console.print(table)
    console.print("  ".join(f"{name} {count:,}" for name, count in totals(rows).items()))


@model_markup.register
def summary_markup(model: Model) -> str:
    """The same table for notebooks."""
    if is_uninitialized(model.module):
        return html_table(("model",), [(repr(model),)])
    rows = leaf_rows(model)
    ends = [("", "", "", "", "", name, f"{count:,}") for name, count in totals(rows).items() if count]
    title = f"{model.model_key}: {type(model.module).__name__}"
    return html_table((), [(title,)]) + html_table(HEADS, [*(row.cells for row in rows), *ends])


def _rows(model: Model) -> list[tuple[str, str, str]]:
    """Group, optimizer and status of every array leaf; a trained leaf of an adapter has the status of its own."""
    controls, module = model.controls, model.module
    trained = trained_leaves(module, controls.adapters)
    default = controls.default_group.optimizer
    row = ("-", "-") if default is None else ("default", _optimizer_name(default))
    owners = jax.tree_util.tree_map(lambda _: row, trained)
    for number, group in enumerate(controls.groups):
        selected = checked_mask(module, group.mask, model.model_key)
        row = (f"group {number}", _optimizer_name(default if group.optimizer is None else group.optimizer))
        owners = jax.tree_util.tree_map(functools.partial(_owner, row), selected, owners, is_leaf=_is_boolean)
    if controls.frozen:
        trained = jax.tree_util.tree_map(lambda _: False, trained)
    for mask in controls.freeze_masks:
        frozen = checked_mask(module, mask, model.model_key)
        trained = jax.tree_util.tree_map(lambda a, b: a and not b, trained, frozen)
    adapters = lora_trainable_filter(module)
    arrays = jax.tree_util.tree_map(eqx.is_array, module)
    status = jax.tree_util.tree_map(
        lambda is_trained, adapts: "frozen" if not is_trained else "adapter" if adapts else "trained", trained, adapters
    )
    pairs = jax.tree_util.tree_leaves(owners, is_leaf=lambda node: isinstance(node, tuple))
    columns = zip(pairs, jax.tree_util.tree_leaves(status), jax.tree_util.tree_leaves(arrays), strict=True)
    return [(*owner, state) for owner, state, is_array in columns if is_array]


def _owner(row: tuple[str, str], selected: bool, previous: tuple[str, str]) -> tuple[str, str]:
    return row if selected else previous


def _is_boolean(node: object) -> bool:
    return isinstance(node, bool)


def _optimizer_name(optimizer: Optimizer | None) -> str:
    """What the user gave: the factory's name or class, `optax` for a transform."""
    if optimizer is None:
        return "-"
    if isinstance(optimizer, tuple):
        return "optax"
    return str(getattr(optimizer, "__name__", type(optimizer).__name__))
