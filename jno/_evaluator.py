"""`Evaluator`: programs over the models of a problem, and what was compiled of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Num, PyTree

from jno.architectures import build_module, is_uninitialized
from jno.compiler import (
    Counterparts,
    DrawEvaluator,
    Graph,
    PlacedPoints,
    PointEvaluator,
    Program,
    check_own_domain,
    check_pointwise,
    check_solvable,
    check_temporal,
    discover_domain,
    infer_shapes,
    models_with_draws,
    named_expression,
    placed_points,
    plan_text,
    shape_tree,
    signed_arrays,
    untracked,
    weak_values,
)
from jno.domain import domain as Domain
from jno.plots import PictureSite, PlotOptions, plot_expressions
from jno.trace import Model, Node, Placeholder, Tracker, as_node, decided, shape_of
from jno.training import Devices, Solver, all_finite
from jno.utils import Key, get_network_seed

SAMPLES = ("auto", "chain", "point")


@dataclasses.dataclass(frozen=True, eq=False)
class EvaluationSite:
    """Where expressions are evaluated.

    Attributes:
        home: the domain that the expressions live on.
        domain: the domain whose samples are used.
        points: coordinates that stand for the points of ``home``, if there are any.
        window: number of time levels, ``None`` for all.
        by_default: whether nobody said where: then variables of other domains are refused.
    """

    home: Domain
    domain: Domain
    points: PlacedPoints | None
    window: int | None
    by_default: bool

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for two places exactly if one program serves both."""
        return None if self.points is None else self.points.key, self.window, id(self.domain), self.by_default

    def context(self) -> Mapping[str, Any] | None:
        """Arrays by tag; ``None`` for the domain's own."""
        if self.points is not None:
            return self.points.context(self.home.context)
        return None if self.domain is self.home else self.domain.context_for(self.home)


@dataclasses.dataclass(frozen=True, eq=False)
class CompiledExpressions:
    """A program and the function that evaluates it; the place keeps alive the domain whose ``id`` is in its key."""

    program: Program
    function: PointEvaluator | DrawEvaluator
    place: EvaluationSite


class Evaluator:
    """Evaluates expressions with the current weights of a problem's models.

    Args:
        expressions: constraints and trackers of the problem.
        domain: the problem's domain; ``None`` if there are no expressions.
        graph: the interned nodes of the problem.
        devices: where arrays are.
        solver: has the newest collocation points and weights of losses.
        choices: position of the option that stands for each `jno.np.choice`.
        counterparts: finds the models of a problem that was read from a file.

    Attributes:
        models: the models of the problem after `build`; no others may occur in what is evaluated.
    """

    def __init__(
        self,
        expressions: Sequence[Node],
        domain: Domain | None,
        *,
        graph: Graph,
        devices: Devices,
        solver: Solver,
        choices: Mapping[str, int],
        counterparts: Counterparts | None,
    ) -> None:
        self.models: list[Model] = []
        self._expressions, self._domain = expressions, domain
        self._graph, self._devices, self._solver = graph, devices, solver
        self._choices, self._counterparts = choices, counterparts
        self._compiled: dict[tuple[object, ...], CompiledExpressions] = {}

    def evaluate(self, operation: object, domain: object, window: int | None, key: Key | None, samples: str) -> Any:
        """See `jno.core.core.eval`."""
        if samples not in SAMPLES:
            raise ValueError(f"samples={samples!r}: allowed are 'auto', 'chain' and 'point'")
        nodes = self.nodes(operation, "eval()")
        drawn = [samples != "point" and bool(models_with_draws([node])) for node in nodes]
        if samples == "chain" and not any(drawn):
            raise ValueError(
                "samples='chain': no Bayesian model with draws appears in the dependencies of the expressions; declare "
                "one with model.bayesian(...) and call solve(), or use samples='auto'"
            )
        place = self._place(nodes, domain, window)
        values: dict[int, Any] = {}
        for over_draws in (False, True):
            positions = [position for position, has_draws in enumerate(drawn) if has_draws == over_draws]
            if positions:
                part = [nodes[position] for position in positions]
                values.update(zip(positions, self._values(part, place, key, over_draws=over_draws), strict=True))
        return values[0] if len(nodes) == 1 else [values[position] for position in range(len(nodes))]

    def program(self, operation: object, method: str) -> Program:
        """A program of the expressions on the domain they live on, at the first time level."""
        nodes = self.nodes(operation, method)
        domain = self._home(nodes)
        check_temporal(nodes, domain)
        program = Program(nodes, domain, graph=self._graph)
        self._check_models(program)
        return program

    def plotted(self, operation: object, domain: object, options: PlotOptions, losses: Num[np.ndarray, " E"]) -> Any:
        """See `jno.core.core.plot`."""
        nodes = self.nodes(operation, "plot()")
        site = PictureSite(self._home(nodes), domain, self._expressions)
        interned = [self._graph.intern(node) for node in nodes]

        def value(node: Placeholder, place: Any) -> Any:
            return self.evaluate(node, place, None, None, "auto")

        return plot_expressions(nodes, interned, site, value, options, losses)

    def problem(self, window: int | None) -> Program:
        """The program of the problem's own constraints and trackers."""
        expressions = [untracked(expression) for expression in self._expressions]
        check_temporal(expressions, self._domain)
        return Program(expressions, self._home(expressions), window=window, graph=self._graph)

    def build(self, seed: int) -> list[tuple[str, tuple[int, ...]]]:
        """Build the models of the problem and check that all shapes fit.

        Returns:
            names and shapes of the constraints that are arrays whose mean may fall without a bound.
        """
        if not self._expressions:
            return []
        program = self.problem(window=None)
        self.models.extend(program.models)
        signed = signed_arrays(program, build_models(program, self.models, seed))
        check_pointwise(program, modules_of(self.models))
        names = expression_names(self._expressions)
        return [
            (names[position], shape)
            for position, shape in signed.items()
            if not isinstance(self._expressions[position], Tracker)
        ]

    def shape_trees(self, window: int | None) -> list[str]:
        """Every constraint and tracker as a tree with the shapes of its nodes, after a line with its name."""
        program = self.problem(window)
        shapes = infer_shapes(program, modules_of(self.models))
        named = zip(expression_names(self._expressions), program.expressions, strict=True)
        return [f"{name}:\n{shape_tree(root, shapes)}" for name, root in named]

    def plan(self, window: int | None) -> str:
        """Which derivatives of the problem are computed together, and where new points come from."""
        passes = plan_text(self.problem(window), modules_of(self.models))
        return "\n".join([passes, *self._solver.points_described(window)])

    def named(self, name: str) -> Node:
        """The expression of the problem that has a label."""
        return named_expression(name, self._expressions, self._graph)

    def nodes(self, operation: object, method: str) -> list[Node]:
        """One expression or several as nodes over the models of the problem, with choices decided."""
        operations = operation if isinstance(operation, list | tuple) else [operation]
        try:
            nodes = [untracked(as_expression(item, position)) for position, item in enumerate(operations)]
        except TypeError as error:
            raise TypeError(f"{method}: {error}. An operation is an expression, or a list of them") from error
        if not nodes:
            raise ValueError(f"{method} needs at least one expression as its operation")
        nodes = [decided(node, self._choices) for node in nodes]
        return nodes if self._counterparts is None else [self._counterparts.translated(node) for node in nodes]

    def _home(self, nodes: Sequence[Node]) -> Domain:
        return self._domain if self._domain is not None else discover_domain(nodes)

    def _place(self, nodes: Sequence[Node], domain: object, window: int | None) -> EvaluationSite:
        home = self._home(nodes)
        points = placed_points(domain, nodes, home, window)
        elsewhere = domain if points is None and isinstance(domain, Domain) else None
        return EvaluationSite(home, home if elsewhere is None else elsewhere, points, window, by_default=domain is None)

    def _values(
        self, nodes: Sequence[Node], place: EvaluationSite, key: Key | None, *, over_draws: bool
    ) -> list[Array]:
        roots = [self._graph.intern(node) for node in nodes]
        versions = tuple(model.version for model in self.models)
        cache_key = (place.key, tuple(map(id, roots)), versions, self._solver.points_version, over_draws)
        if cache_key not in self._compiled:
            self._compiled[cache_key] = self._compile(nodes, place, over_draws=over_draws)
        program, function = self._compiled[cache_key].program, self._compiled[cache_key].function
        if place.points is not None:
            program.replace(place.points.entries)
        modules = {model.layer_id: eqx.nn.inference_mode(model.module) for model in program.models}
        data = self._devices.place_data({**program.data, **self._solver.weights()}, ())
        values = function(self._devices.on_all(modules), data, key)
        if weak_values(roots) and not all_finite(values):
            check_solvable(roots, modules, data)
        return values

    def _compile(self, nodes: Sequence[Node], place: EvaluationSite, *, over_draws: bool) -> CompiledExpressions:
        if place.by_default:
            check_own_domain(nodes, self._expressions, place.home, "eval()")
        check_temporal(nodes, place.domain)
        program = Program(nodes, place.domain, window=place.window, context=place.context(), graph=self._graph)
        program.check_window("eval")
        self._check_models(program)
        check_pointwise(program, modules_of(self.models))
        return CompiledExpressions(program, DrawEvaluator(program) if over_draws else PointEvaluator(program), place)

    def _check_models(self, program: Program) -> None:
        layer_ids = {model.layer_id for model in self.models}
        unknown = [model.model_key for model in program.models if model.layer_id not in layer_ids]
        if unknown:
            names = [model.model_key for model in self.models]
            raise ValueError(
                f"No model for {', '.join(map(repr, unknown))} in this core: it knows {names}. Evaluate with a core "
                "whose constraints contain the model"
            )


def modules_of(models: Sequence[Model]) -> dict[int, PyTree]:
    """The modules of models, by ``Model.layer_id``."""
    return {model.layer_id: model.module for model in models}


def as_expression(item: object, position: int) -> Node:
    """An entry of a list of expressions as a node.

    Raises:
        TypeError: it is not an expression; the message names its position.
    """
    if isinstance(item, Model):
        raise TypeError(f"entry {position} is the network {item.model_key!r}; call it with variables first")
    try:
        return as_node(item)
    except TypeError as error:
        raise TypeError(f"entry {position} of the list is no expression: {error}") from error


def expression_names(expressions: Sequence[Node]) -> list[str]:
    """The labels of constraints and trackers, ``C0``, ``C1`` … and ``T0`` … for those without."""
    counts = {"C": 0, "T": 0}
    names = []
    for expression in expressions:
        prefix = "T" if isinstance(expression, Tracker) else "C"
        names.append(expression.metadata.label or f"{prefix}{counts[prefix]}")
        counts[prefix] += 1
    return names


def build_models(program: Program, models: Sequence[Model], seed: int) -> dict[int, tuple[int, ...]]:
    """Check that all shapes fit, initialise lazy modules on the way and serve pending weight requests.

    Returns:
        per-sample shape of every node, by ``id``.
    """

    def key_of(model: Model) -> Key:
        return jax.random.fold_in(jax.random.PRNGKey(seed), program.models.index(model))

    for model in models:
        if not is_uninitialized(model.module):
            build_module(model, functools.partial(key_of, model))
    shapes = infer_shapes(program, modules_of(models))
    for model in models:
        if is_uninitialized(model.module):
            build_module(model, functools.partial(key_of, model))
    return shapes


@shape_of.register
def infer_shape(expression: Placeholder) -> tuple[int, ...]:
    """Per-sample shape of an expression's value."""
    program = Program([expression], discover_domain([expression]))
    build_models(program, program.models, get_network_seed())
    return infer_shapes(program, modules_of(program.models))[id(program.expressions[0])]
