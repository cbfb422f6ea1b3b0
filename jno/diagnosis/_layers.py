"""Networks whose inputs, outputs or units have a size at which they do not learn."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from jno.trace import ModelCall

from ._examination import Examination
from ._passage import Passage
from ._record import Finding

_LARGE_INPUT, _SMALL_RANGE = 20.0, 0.05
"""Inputs beyond these are far from the range -1 … 1 for which weights are initialised."""

_LARGE_OUTPUT, _SMALL_OUTPUT = 100.0, 0.01
_FEW_FEATURES = 8
_NEAR_BOUND = {"tanh": 0.99, "sigmoid": 0.995}
_MUCH = 0.5
"""Share of the units, or of their values, that a layer cannot do without."""


def ill_scaled(examination: Examination) -> list[Finding]:
    """Inputs and outputs far from one, of a problem that is not solved."""
    if examination.is_solved:
        return []
    findings = []
    for call, passage in examination.passages:
        findings += _inputs(call, passage)
        findings += _outputs(examination, call, passage)
    return findings


def _inputs(call: ModelCall, passage: Passage) -> list[Finding]:
    if passage.inputs is None:
        return []
    rows = np.asarray(passage.inputs)
    lower, upper = rows.min(axis=0).real, rows.max(axis=0).real
    sizes, ranges = np.maximum(np.abs(lower), np.abs(upper)), upper - lower
    large = int(np.argmax(sizes))
    moving = np.flatnonzero(ranges > 0.0)
    remedy = "scale the coordinates before they enter: jno.nn.embed(module, domain), or net((x - x0) / length, t)"
    if sizes[large] > _LARGE_INPUT:
        number, place = float(sizes[large]), large
    elif len(moving) > 0 and rows.shape[1] <= _FEW_FEATURES and ranges[moving].min() < _SMALL_RANGE:
        place = int(moving[np.argmin(ranges[moving])])
        number = float(ranges[place])
    else:
        return []
    statement = (
        f"input {place + 1} of {rows.shape[1]} of {call.describe()} runs from {lower[place]:.3g} to {upper[place]:.3g};"
        " weights are initialised for -1 … 1"
    )
    return [Finding("inputs", call.describe(), number, statement, remedy)]


def _outputs(examination: Examination, call: ModelCall, passage: Passage) -> list[Finding]:
    name = call.describe()
    present = 0.0 if passage.outputs is None else float(np.abs(np.asarray(passage.outputs)).max(initial=0.0))
    remedy = (
        "give it the size of the solution, jno.nn.embed(..., magnitude=scale) or u = scale * net(x), and divide the "
        "equation by it"
    )
    needed = _needed_size(examination, call)
    if needed > _LARGE_OUTPUT and needed > present:
        statement = f"{name} returns at most {present:.2g}, and values of about {needed:.2g} are missing"
        return [Finding("outputs", name, needed, statement, remedy)]
    if present > _LARGE_OUTPUT or 0.0 < present < _SMALL_OUTPUT:
        statement = f"the last layer of {name} returns values of up to {present:.2g}, far from 1"
        return [Finding("outputs", name, present, statement, remedy)]
    return []


def _needed_size(examination: Examination, call: ModelCall) -> float:
    """The largest change of the network's values that a residual without derivatives asks for."""
    sizes = [0.0]
    for field in examination.residuals:
        size = float(np.sqrt(field.squares.mean()))
        is_value = not field.term.has_derivatives and call.model in examination.models_of(field.term)
        if is_value and size > _LARGE_OUTPUT:
            # a factor inside the residual is not one of the network
            sizes.append(size / examination.slope(field.term, call))
    return max(sizes)


def silent_layers(examination: Examination) -> list[Finding]:
    """Layers that are saturated or dead, of a problem that is not solved: what no step changes."""
    if examination.is_solved:
        return []
    findings = []
    for call, passage in examination.passages:
        of_activations = _activations(call, passage)
        findings += of_activations or _without_gradient(examination, call)
    return findings


def _activations(call: ModelCall, passage: Passage) -> list[Finding]:
    worst: tuple[float, int] | None = None
    for number, (kind, values) in enumerate(zip(passage.names, map(np.asarray, passage.activations), strict=True)):
        if kind == "relu":
            share = float(np.mean((values == 0.0).all(axis=0)))
        else:
            centred = values if kind == "tanh" else 2.0 * values - 1.0
            share = float(np.mean(np.abs(centred) > _NEAR_BOUND[kind]))
        if share > _MUCH and (worst is None or share > worst[0]):
            worst = (share, number)
    if worst is None:
        return []
    share, number = worst
    kind, name = passage.names[number], call.describe()
    place = f"layer {number + 1} of {len(passage.names)} of {name}"
    if kind == "relu":
        statement = f"{100 * share:.0f} % of the units of {place} are zero at all points (relu)"
        remedy = (
            "initialise the network again with a smaller learning rate, and use tanh: relu has no second derivatives"
        )
    else:
        statement = f"{100 * share:.0f} % of the values of {place} are within 1 % of the bounds of {kind}"
        remedy = "initialise the network again, scale its inputs to -1 … 1, and take a smaller learning rate"
    return [Finding("layers", name, share, statement, remedy)]


def _without_gradient(examination: Examination, call: ModelCall) -> list[Finding]:
    """Leaves in which the derivatives of the network's values are zero at all points, in most rows."""
    view, layer = examination.view, call.model.layer_id
    if layer not in view.parameters:
        return []
    program = view.program.over([call])

    @eqx.filter_jit
    def gradient(parameters: PyTree, fixed: PyTree, data: PyTree) -> PyTree:
        def projected(leaves: PyTree) -> Array:
            (value,) = program({**fixed, layer: eqx.combine(leaves, fixed[layer])}, data, None)
            # with random weights nothing cancels between points
            return jnp.sum(value * jax.random.normal(jax.random.PRNGKey(0), value.shape)).real

        return jax.grad(projected)(parameters)

    others = {m.layer_id: view.modules(view.parameters)[m.layer_id] for m in program.models if m.layer_id != layer}
    leaves = gradient(view.parameters[layer], {**others, layer: view.fixed[layer]}, view.data)
    worst: tuple[float, str] | None = None
    for place, leaf in jax.tree_util.tree_leaves_with_path(leaves):
        share = _silent_share(np.asarray(leaf))
        if share > _MUCH and (worst is None or share > worst[0]):
            worst = (share, jax.tree_util.keystr(place))
    if worst is None:
        return []
    share, path = worst
    name = call.describe()
    statement = f"{100 * share:.0f} % of the rows of {name}{path} have no influence on its values at any point"
    remedy = "initialise the network again, with smaller weights and inputs of -1 … 1; leave out what is not used"
    return [Finding("layers", name, share, statement, remedy)]


def _silent_share(gradient: np.ndarray) -> float:
    """Share of the rows, or of the columns, that are zero."""
    if gradient.ndim == 0:
        return float(gradient == 0.0)
    zero = gradient == 0.0
    if gradient.ndim == 1:
        return float(zero.all())
    by_axis = [zero.all(axis=tuple(a for a in range(zero.ndim) if a != axis)) for axis in (0, zero.ndim - 1)]
    return max(float(np.mean(along)) for along in by_axis)
