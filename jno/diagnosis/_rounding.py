"""Residuals that are rounding errors: single precision compared with double."""

from __future__ import annotations

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ._examination import Examination
from ._record import Finding

_NOISE = 0.1
"""Share of the loss that is rounding."""

_TINY = 1e-300

_Tree = TypeVar("_Tree")


def rounding(examination: Examination) -> list[Finding]:
    """Terms of which a large part is rounding: no step lowers that."""
    fields = examination.residuals
    view = examination.view
    if not fields or jax.config.read("jax_enable_x64"):
        return []
    program = view.program.over([field.term.residual for field in fields if field.term.residual is not None])
    modules = view.modules(view.parameters)
    with jax.enable_x64(True):
        double = eqx.filter_jit(lambda modules, data: program(modules, data, None))(_wide(modules), _wide(view.data))
        exact = [np.asarray(value) for value in double]
    findings = []
    for field, value in zip(fields, exact, strict=True):
        size = np.asarray(field.value).astype(value.dtype)
        squares, error = (float(np.sum(np.abs(part) ** 2)) for part in (size, size - value))
        noise = error / max(squares, error, _TINY)
        if noise > _NOISE:
            name = field.term.name
            findings.append(
                Finding(
                    "rounding",
                    name,
                    noise,
                    f"{100 * noise:.0f} % of {name} = {field.term.loss:.2g} is rounding of float32: in "
                    f"float64 the same weights give {_mean_square(field.term.loss, value, size):.2g}",
                    'compute in float64: jax.config.update("jax_enable_x64", True) before anything else',
                )
            )
    return findings


def _mean_square(loss: float, exact: np.ndarray, rounded: np.ndarray) -> float:
    """The loss with exact residuals, of a mean of squares; without its weight where rounding leaves no loss."""
    squares, rounded_squares = float(np.sum(np.abs(exact) ** 2)), float(np.sum(np.abs(rounded) ** 2))
    return loss * squares / rounded_squares if rounded_squares > 0.0 else squares / exact.size


def _wide(tree: _Tree) -> _Tree:
    """The same numbers in double precision."""

    def widened(leaf: object) -> object:
        if not isinstance(leaf, jax.Array | np.ndarray):
            return leaf
        array = np.asarray(leaf)
        if array.dtype.kind not in "fc" and not jnp.issubdtype(array.dtype, jnp.floating):
            return leaf
        wide: Array = jnp.asarray(array, jnp.complex128 if array.dtype.kind == "c" else jnp.float64)
        return wide

    return jax.tree_util.tree_map(widened, tree)
