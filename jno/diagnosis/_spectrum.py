"""The singular values of the Jacobian of the residuals, and what of the residual belongs to the small ones."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jno.compiler import Program, point_rows_for
from jno.training import TrainingView

from ._examination import Examination
from ._record import Finding
from ._terms import ResidualField

_MOST_ROWS, _MOST_ENTRIES = 256, 2 * 10**7
_FEWEST_ROWS = 16
_SLOW = 1e-3
"""Singular values below this part of the largest: gradient descent needs some 10⁶ steps."""

_MUCH = 0.5
_POINT_AXIS = 2


def slow_directions(examination: Examination) -> list[Finding]:
    """Whether what is left of the loss lies where first-order optimizers hardly move."""
    steps = examination.view.steps
    if examination.is_solved or (steps is not None and steps.searches):
        return []
    rows = _rows(examination)
    if rows is None:
        return []
    residual, jacobian = rows
    if not np.isfinite(jacobian).all() or not np.linalg.norm(residual) > 0.0:
        return []
    directions, values, _ = np.linalg.svd(jacobian, full_matrices=False)
    if not values[0] > 0.0:
        return []
    fast = values > _SLOW * values[0]
    energies = (directions.T @ residual) ** 2
    share = 1.0 - float(energies[fast].sum() / np.sum(residual**2))
    if share < _MUCH:
        return []
    effective = float(values.sum() ** 2 / np.sum(values**2))
    condition = float(values[0] / values[values > 0.0][-1])
    return [
        Finding(
            "spectrum",
            "Jacobian of the residuals",
            share,
            f"{100 * share:.0f} % of the residual lies where the singular values of its Jacobian are below 1/1000 of "
            f"the largest (effective rank {effective:.0f} of {len(residual)}, condition {condition:.1g})",
            "follow with an optimizer of second order, jno.optimizers.ssbroyden or engd; where the solution oscillates "
            "give the network features such as sin(k x)",
        )
    ]


def _rows(examination: Examination) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, "R P"]] | None:
    """Residuals at some points and their Jacobian, weighted as in the loss; of the terms that are point-wise."""
    view = examination.view
    vector, unravel = ravel_pytree(view.parameters)
    fields = [field for field in examination.residuals if field.term.loss > 0.0]
    most = min(_MOST_ROWS, _MOST_ENTRIES // max(vector.size, 1)) // max(len(fields), 1)
    if jnp.iscomplexobj(vector) or most < _FEWEST_ROWS // max(len(fields), 1) or not fields:
        return None
    residuals, jacobians = [], []
    for field in fields:
        thinned = _thinned(view, field, most)
        if thinned is None:
            continue
        program, data = thinned
        point_rows = point_rows_for(program)
        if point_rows is None:
            continue

        @eqx.filter_jit
        def evaluated(vector: Array, fixed: object, data: object, program: Program = program) -> Array:
            return jnp.ravel(program(view.modules(unravel(vector)), data, None)[0])  # type: ignore[arg-type]

        residual = np.asarray(evaluated(vector, view.fixed, data))
        of_point = jax.jit(functools.partial(point_rows.jacobian, lambda v: view.modules(unravel(v)), key=None))
        jacobian = np.asarray(of_point(parameters=vector, data=data))
        scale = math.sqrt(field.term.loss / max(float(field.squares.mean()), 1e-300) / len(residual))
        residuals.append(scale * residual.astype(np.float64))
        jacobians.append(scale * jacobian.astype(np.float64))
    if not residuals or any(np.iscomplexobj(rows) for rows in jacobians):
        return None
    return np.concatenate(residuals), np.concatenate(jacobians)


def _thinned(
    view: TrainingView, field: ResidualField, most: int
) -> tuple[Program, Mapping[tuple[str, str], Array]] | None:
    """The residual on some of its points."""
    term, full = field.term, view.program
    assert term.residual is not None, "a field has a residual"
    program = Program([term.residual], full.domain, window=full.window, context=full.context, graph=full.graph)
    count = view.data["points", term.tag].shape[_POINT_AXIS]
    lanes = len(field.squares) // count
    chosen = np.unique(np.linspace(0, count - 1, max(1, min(count, most // max(lanes, 1)))).round().astype(int))
    data = dict(view.data)
    for name in program.layout.entries:
        if name[0] == "tensors" and count in data[name].shape:
            return None
        if name[0] == "points" and data[name].shape[_POINT_AXIS] == count:
            data[name] = data[name][:, :, chosen]
    return program, data
