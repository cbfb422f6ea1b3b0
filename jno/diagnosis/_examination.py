"""What several checks read of a training: losses, gradients and residuals, each computed once."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Num, PyTree

from jno.compiler import Program, models_of
from jno.plots import network_fields
from jno.trace import Model, ModelCall
from jno.training import TrainingView

from ._directions import random_direction
from ._passage import Passage, passage_of
from ._terms import LossTerm, ResidualField, field_of, terms_of

_NOTHING = 1e-12
"""Part of the largest total loss that no term needs to be looked at for."""


class Examination:
    """One look at a training.

    Args:
        view: the training.
        solved: share of its largest loss below which a term counts as solved.
    """

    def __init__(self, view: TrainingView, solved: float) -> None:
        self.view = view
        self.solved = solved
        self.skipped: list[str] = []
        """What could not be examined, each with its reason."""

    @functools.cached_property
    def losses(self) -> Float[np.ndarray, " C"]:
        """Every term's mean, at all points and times."""
        view = self.view

        @eqx.filter_jit
        def means(modules: dict[int, object], data: dict[tuple[str, str], Array]) -> Num[Array, " C"]:
            return jnp.stack([jnp.mean(value).real for value in view.program(modules, data, None)])

        return np.asarray(means(view.modules(view.parameters), view.data), np.float64)

    @functools.cached_property
    def terms(self) -> list[LossTerm]:
        """The terms of the loss."""
        return terms_of(self.view, self.losses)

    @property
    def loss(self) -> float:
        """The total loss."""
        return float(np.mean(self.losses))

    @property
    def largest_loss(self) -> float:
        """The largest total loss that was recorded."""
        totals = self.view.history.mean(axis=1)
        return max(self.loss, float(totals[np.isfinite(totals)].max(initial=-np.inf)))

    @property
    def is_solved(self) -> bool:
        """Whether little is left of the largest loss."""
        return self.loss <= self.solved * self.largest_loss

    @functools.cached_property
    def unsolved(self) -> list[LossTerm]:
        """The terms of whose largest loss much is left, and that are more than rounding beside the total."""
        least = _NOTHING * self.largest_loss
        return [term for term in self.terms if term.share > self.solved and term.loss > least]

    @functools.cached_property
    def gradients(self) -> Num[np.ndarray, "C P"]:
        """The gradient of every term's mean by all trained numbers.

        Each is differentiated alone, so that one that is not finite leaves the others as they are.
        """
        view = self.view
        parts = [view.program.part([number]) for number in range(len(view.names))]
        vector, unravel = ravel_pytree(view.parameters)

        @eqx.filter_jit
        def rows(vector: Array, fixed: dict[int, object], data: dict[tuple[str, str], Array]) -> Num[Array, "C P"]:
            def mean(part: Program, vector: Array) -> Num[Array, ""]:
                modules = {**fixed, **{i: eqx.combine(leaves, fixed[i]) for i, leaves in unravel(vector).items()}}
                return jnp.mean(part(modules, data, None)[0]).real

            return jnp.stack([jax.grad(functools.partial(mean, part))(vector) for part in parts])

        return np.asarray(rows(vector, view.fixed, view.data))

    @functools.cached_property
    def passages(self) -> list[tuple[ModelCall, Passage]]:
        """What happens inside the networks that are functions of points."""
        view = self.view
        modules = view.modules(view.parameters)
        passages = []
        for call in network_fields(view.program.expressions):
            program = view.program.over([call])
            weights, static = eqx.partition({m.layer_id: modules[m.layer_id] for m in program.models}, eqx.is_array)
            value = functools.partial(_values_of, program, static)
            data = {name: view.data[name] for name in program.layout.entries if name in view.data}
            passages.append((call, passage_of(value, weights, data)))
        return passages

    def models_of(self, term: LossTerm) -> list[Model]:
        """The networks and parameters of a term."""
        return models_of([self.view.program.expressions[term.number]])

    def slope(self, term: LossTerm, call: ModelCall) -> float:
        """How much the residual of a term changes with the values of a network, of root mean squares."""
        assert term.residual is not None, "only what has a residual has a slope"
        view = self.view
        program = view.program.over([term.residual, call])

        @eqx.filter_jit
        def changes(parameters: PyTree, fixed: PyTree, data: PyTree, direction: PyTree) -> list[Array]:
            def values(parameters: PyTree) -> tuple[Array, ...]:
                modules = {**fixed, **{i: eqx.combine(leaves, fixed[i]) for i, leaves in parameters.items()}}
                return program(modules, data, None)

            return [jnp.sqrt(jnp.mean(jnp.abs(d) ** 2)) for d in jax.jvp(values, (parameters,), (direction,))[1]]

        direction = random_direction(view.parameters, 0)
        residual, value = changes(view.parameters, view.fixed, view.data, direction)
        return float(residual) / float(value) if residual > 0.0 and value > 0.0 else 1.0

    @functools.cached_property
    def residuals(self) -> list[ResidualField]:
        """The residuals of the terms that are means over the points of one tag."""
        at_points = [term for term in self.terms if term.residual is not None]
        if not at_points:
            return []
        view = self.view
        program = view.program.over([term.residual for term in at_points if term.residual is not None])
        function = eqx.filter_jit(lambda modules, data: program(modules, data, None))
        values = function(view.modules(view.parameters), view.data)
        fields = [field_of(term, value, view) for term, value in zip(at_points, values, strict=True)]
        return [field for field in fields if field is not None]


def _values_of(program: Program, static: PyTree, weights: PyTree, data: PyTree) -> Array:
    (value,) = program(eqx.combine(weights, static), data, None)
    return value
