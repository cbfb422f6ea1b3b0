"""From the list of terms to a `System`: roles, regions, quadrature, and the checks of what is listed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jno.architectures import build_module
from jno.compiler import PERTURBATIONS, Channel, PointFunction, perturbed_weights, unread_inputs
from jno.domain import domain as Domain
from jno.domain.mesh import Mesh
from jno.elements import DofMap, lagrange, number_dofs
from jno.trace import Field, FieldValue, Model, ModelCall, TensorTag
from jno.utils import Key, get_logger, get_network_seed

from ._conditions import Condition, condition_of
from ._integral import TermIntegral
from ._masks import mask
from ._regions import mesh_of, region_on_mesh
from ._spaces import Space, spaces_of
from ._system import AssembledTerm, System
from ._terms import Term, classified, domain_of, flattened


@dataclasses.dataclass(frozen=True, eq=False)
class WeakForm:
    """A weak problem.

    Attributes:
        system: its equations.
        domain: its domain.
        affine: whether the residual is affine in the unknowns.
        matrix_reads_time: whether the matrix may change with time.
        initial: initial values.
        time_orders: of every unknown, the highest derivative by time.
        labels: what every entry of the list is.
        models: models in its terms and conditions.
        data: data tags in them.
        has_unknowns: whether there are trial functions; without, networks take their place.
    """

    system: System
    domain: Domain
    affine: bool
    matrix_reads_time: bool
    initial: tuple[Condition, ...]
    time_orders: Mapping[Field, int]
    labels: tuple[str, ...]
    models: tuple[Model, ...]
    data: tuple[TensorTag, ...]
    has_unknowns: bool

    @property
    def time_order(self) -> int:
        """The highest derivative by time: 0 of a steady problem."""
        return max(self.time_orders.values(), default=0)


def build_problem(entries: object, quad_degree: object) -> WeakForm:
    """The problem that a list of terms states; see `jno.fem`."""
    nodes = flattened(entries)
    domain = domain_of(nodes)
    mesh = mesh_of(domain)
    terms = [classified(node, domain) for node in nodes]
    integrals = [term for term in terms if term.kind == "integral"]
    if not integrals:
        raise ValueError("jno.fem: no term contains a test function; there is no equation")
    has_unknowns = any(term.of_role("trial") for term in integrals)
    fields = _fields_of(terms, integrals, has_unknowns=has_unknowns)
    spaces = spaces_of(fields, mesh)
    builder = _Builder(domain, mesh, spaces, has_unknowns, quad_degree)
    return builder.problem(terms)


def _fields_of(terms: Sequence[Term], integrals: Sequence[Term], *, has_unknowns: bool) -> list[Field]:
    """The unknowns in order of first appearance, each with an equation.

    Raises:
        ValueError: an unknown without an equation, or an equation without its unknown.
    """

    def appearing(role: str, where: Sequence[Term]) -> list[Field]:
        return list(dict.fromkeys(field.field for term in where for field in term.of_role(role)))

    tests, trials = appearing("test", integrals), appearing("trial", terms)
    if not has_unknowns:
        if trials:
            raise ValueError(f"jno.fem: {trials[0].name!r} is prescribed but occurs in no term with a test function")
        return tests
    unsolved = [field.name for field in trials if field not in tests]
    unknown = [field.name for field in tests if field not in trials]
    if unsolved:
        raise ValueError(
            f"jno.fem: the unknown {unsolved[0]!r} has no equation: no term contains its test function; take both from "
            "one call of domain.fem_symbols()"
        )
    if unknown:
        raise ValueError(
            f"jno.fem: there is an equation of the test function of {unknown[0]!r} but its trial symbol occurs "
            f"nowhere; take both from one call of domain.fem_symbols()"
        )
    return trials


class _Builder:
    """Builds the system of one problem."""

    def __init__(
        self, domain: Domain, mesh: Mesh, spaces: Sequence[Space], has_unknowns: bool, quad_degree: object
    ) -> None:
        self._domain, self._mesh, self._spaces, self._has_unknowns = domain, mesh, spaces, has_unknowns
        self._space_of = {id(space.field): space for space in spaces}
        self._maps: dict[int, DofMap] = {space.field.order: space.nodes for space in spaces}
        self._quad_degree = quad_degree
        self._dtype = jnp.result_type(float)

    def problem(self, terms: Sequence[Term]) -> WeakForm:
        functions = {
            id(term): PointFunction(term.expression, self._domain) for term in terms if term.kind == "integral"
        }
        self._build_models(terms)
        conditions: list[Condition] = []
        initial: list[Condition] = []
        assembled: list[AssembledTerm] = []
        affine, reads_time = True, False
        labels = []
        for term in terms:
            if term.kind == "integral":
                part = self._assembled(term, functions[id(term)])
                assembled.append(part)
                affine &= self._is_affine(part.integral)
                reads_time |= bool(part.integral.trials) and part.integral.function.reads_time
                kind = "surface" if part.integral.elements.opposite is not None else "volume"
                labels.append(kind if term.region == "interior" and kind == "volume" else f"{kind}@{term.region}")
                continue
            condition = self._condition(term)
            (initial if term.kind == "initial" else conditions).append(condition)
            labels.append(condition.label)
        orders = {space.field: self._time_order(space, assembled) for space in self._spaces}
        _check_conditions(conditions)
        _check_initial(initial, orders)
        _check_time(assembled, conditions, initial, orders)
        self._report_overlaps(conditions)
        system = System(self._domain, self._mesh, self._spaces, assembled, conditions, self._dtype)
        data: dict[str, TensorTag] = {}
        for leaf in (
            *(d for p in assembled for d in p.integral.function.data),
            *(d for c in (*conditions, *initial) for d in c.data),
        ):
            data.setdefault(leaf.tag, leaf)
        models = dict.fromkeys((*system.models, *(m for c in initial for m in c.models)))
        return WeakForm(
            system,
            self._domain,
            affine,
            reads_time,
            tuple(initial),
            orders,
            tuple(labels),
            tuple(models),
            tuple(data.values()),
            self._has_unknowns,
        )

    def _build_models(self, terms: Sequence[Term]) -> None:
        """Give every model its weights, as a core does."""
        models: dict[Model, None] = {}
        for term in terms:
            models.update(dict.fromkeys(PointFunction(term.expression, self._domain).models))
            models.update({f.source: None for f in term.fields if isinstance(f.source, Model)})
        for number, model in enumerate(models):
            build_module(model, functools.partial(_weights_key, number))
        self._modules = {model.layer_id: model.module for model in models}

    def _time_order(self, space: Space, terms: Sequence[AssembledTerm]) -> int:
        integrals = [part.integral for part in terms]
        orders = [
            channel.time
            for integral in integrals
            for field in integral.trials
            if field.field is space.field
            for channel in integral.channels[field]
        ]
        return max(orders, default=0)

    # --- terms ----------------------------------------------------------------------------------------------------
    def _assembled(self, term: Term, function: PointFunction) -> AssembledTerm:
        region = region_on_mesh(self._domain, term.region, inward=term.inward)
        if region.kind == "nodes":
            raise ValueError(
                f"jno.fem: {term.expression!r} is an integral over {term.region!r}, which has no cells and no facets"
            )
        example = {leaf.tag: self._row(leaf) for leaf in function.data}
        channels = function.channels(self._modules, example, self._dtype)
        by_role = {role: [f for f in function.fields if f.role == role] for role in ("test", "trial", "coefficient")}
        for field in by_role["test"]:
            if any(channel.time for channel in channels[field]):
                raise ValueError(f"jno.fem: {term.expression!r} differentiates a test function by time")
        self._warn_about_second_derivatives(channels)
        integral = TermIntegral(
            function,
            {field: self._nodes(field.field) for field in by_role["test"]},
            {field: self._nodes(field.field) for field in by_role["trial"]},
            {field: self._nodes(field.field) for field in by_role["coefficient"]},
            channels,
            region,
            self._mesh,
            self._degree(function),
            self._dtype,
            self._modules,
            example,
        )
        self._check_linear_in_tests(term, integral, example)
        return AssembledTerm(
            integral,
            [self._dofs(integral, field) for field in by_role["test"]],
            [self._dofs(integral, field) for field in by_role["trial"]],
            [integral.nodes(field) for field in by_role["coefficient"]],
            [self._source(field) for field in by_role["coefficient"]],
        )

    def _source(self, field: FieldValue) -> PointFunction | Float[np.ndarray, " n"]:
        """What has the values of a coefficient field.

        Raises:
            ValueError: known values of another number.
        """
        if isinstance(field.source, Model):
            return PointFunction(ModelCall(field.source, ()), self._domain)
        count = self._nodes(field.field).count * field.field.components
        if field.source.shape != (count,):
            raise ValueError(
                f"jno.fem: {field.field.name!r} has {count} degrees of freedom and freeze(values) got "
                f"{field.source.shape[0]}"
            )
        return np.asarray(field.source)

    def _row(self, leaf: TensorTag) -> Array:
        """Data of the first sample."""
        return jnp.asarray(np.asarray(self._domain.context[leaf.tag])[0])

    def _nodes(self, field: Field) -> DofMap:
        if field.order not in self._maps:
            element = lagrange(self._mesh.dimension, field.order)
            self._maps[field.order] = number_dofs(element, self._mesh.points, self._mesh.cells)
        return self._maps[field.order]

    def _dofs(self, integral: TermIntegral, field: FieldValue) -> Any:
        space = self._space_of[id(field.field)]
        dofs = space.dofs(integral.nodes(field))
        return dofs.reshape(*dofs.shape[:2], -1).astype(np.int32)

    def _degree(self, function: PointFunction) -> int:
        """Degree of the quadrature: twice the highest order of a field, one more for what is not linear."""
        highest = max(space.field.order for space in self._spaces)
        if self._quad_degree is None:
            return 2 * highest + (1 if function.models else 0)
        degree = self._quad_degree
        if not isinstance(degree, int) or isinstance(degree, bool) or not 1 <= degree <= _HIGHEST_DEGREE:
            raise ValueError(
                f"jno.fem(quad_degree={degree!r}): allowed is an integer from 1 to {_HIGHEST_DEGREE}, or None"
            )
        if degree < 2 * highest:
            get_logger().once(
                f"jno.fem(quad_degree={degree}) is raised to {2 * highest}, which the elements of order {highest} need"
            )
        return max(degree, 2 * highest)

    def _warn_about_second_derivatives(self, channels: Mapping[FieldValue, Sequence[Channel]]) -> None:
        for field, read in channels.items():
            if any(len(channel.space) > field.field.order for channel in read):
                get_logger().once(
                    f"jno.fem: second derivatives of {field.field.name!r} vanish in every cell, because its elements "
                    f"have the order {field.field.order}"
                )

    # --- what the terms are ---------------------------------------------------------------------------------------
    def _probe(self, integral: TermIntegral) -> tuple[Any, ...]:
        """Random values of everything an integrand reads, at a few points inside the mesh."""
        rng = np.random.default_rng(0)
        cells = self._mesh.cells[rng.integers(0, len(self._mesh.cells), _PROBES)]
        weights = rng.dirichlet(np.ones(cells.shape[1]), _PROBES)
        points = np.einsum("pv,pvd->pd", weights, self._mesh.points[cells])
        normals = rng.normal(size=points.shape)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        tables = [
            [rng.normal(size=(_PROBES, field.field.components)) for _ in integral.channels[field]]
            for field in (*integral.tests, *integral.trials, *integral.coefficients)
        ]
        count = len(integral.tests)
        as_arrays = jax.tree_util.tree_map(self._on_device, (points, normals, tables))
        return as_arrays[0], as_arrays[1], as_arrays[2][:count], as_arrays[2][count:]

    def _on_device(self, array: Float[np.ndarray, ...]) -> Array:
        # not jax.numpy.asarray, which compiles a program for every shape
        return jax.device_put(array.astype(self._dtype))

    def _evaluate(self, integral: TermIntegral, data: Mapping[str, Array], perturbation: Any = 0.0) -> Any:
        fields = (*integral.tests, *integral.trials, *integral.coefficients)

        def evaluate(points: Array, normals: Array, tests: Any, tables: Any) -> Array:
            tables = {
                field: dict(zip(integral.channels[field], row, strict=True))
                for field, row in zip(fields, (*tests, *tables), strict=True)
            }
            function = integral.function
            modules = perturbed_weights(self._modules, perturbation)
            value = function(points, normals, jnp.zeros((), self._dtype), tables, modules, data)
            return function.scalar(value, _PROBES)

        return evaluate

    def _check_linear_in_tests(self, term: Term, integral: TermIntegral, data: Mapping[str, Array]) -> None:
        points, normals, tests, tables = self._probe(integral)
        evaluate = self._evaluate(integral, data)

        def coefficients(arrays: Any) -> Any:
            value, pull_back = jax.vjp(lambda t: evaluate(points, normals, t, tables), arrays)
            return pull_back(jnp.ones_like(value))

        zeros = jax.tree_util.tree_map(np.zeros_like, tests)
        is_linear = all(unread_inputs(coefficients, (tests,)))
        # compiled once for all evaluations
        compiled = jax.jit(lambda size, *arguments: self._evaluate(integral, data, size)(*arguments))
        for size in PERTURBATIONS:
            at_size = functools.partial(compiled, size)
            alone = np.asarray(at_size(points, normals, zeros, tables))
            values = np.asarray(at_size(points, normals, tests, tables))
            scale = 1e-6 * np.max(np.abs(values[np.isfinite(values)]), initial=1e-30)
            if not is_linear or np.any(np.abs(alone) > scale):
                raise ValueError(
                    f"jno.fem: a term must be linear in the test function, and {term.expression!r} is not: every "
                    "summand contains it once, as a factor"
                )
            self._check_pointwise(term, at_size, (points, normals, tests, tables), values)

    def _check_pointwise(self, term: Term, evaluate: Any, arguments: tuple[Any, ...], before: np.ndarray) -> None:
        """Move every second point: what is computed at the others must stay."""
        factors = np.where(np.arange(_PROBES) % 2, 1.0, 0.7)[:, None]
        moved = jax.tree_util.tree_map(lambda array: self._on_device(np.asarray(array) * factors), arguments)
        after = np.asarray(evaluate(*moved))
        if not np.allclose(before[1::2], after[1::2], rtol=1e-4, atol=1e-6, equal_nan=True):
            raise ValueError(
                f"jno.fem: the value of {term.expression!r} at one quadrature point depends on other points: a network "
                f"or function in it mixes points (a mean, a normalisation over the batch)"
            )

    def _is_affine(self, integral: TermIntegral) -> bool:
        """Whether the derivative of the integrand by the unknowns does not depend on them."""
        if not integral.trials:
            return True
        data = {leaf.tag: self._row(leaf) for leaf in integral.function.data}
        points, normals, tests, tables = self._probe(integral)
        count = len(integral.trials)
        evaluate = self._evaluate(integral, data)

        def slope(unknowns: Any, directions: Any) -> Any:
            return jax.jvp(
                lambda u: evaluate(points, normals, tests, (*u, *tables[count:])), (unknowns,), (directions,)
            )[1]

        unknowns = list(tables[:count])
        leaves = len(jax.tree_util.tree_leaves(unknowns))
        return all(unread_inputs(slope, (unknowns, unknowns))[:leaves])

    def _report_overlaps(self, conditions: Sequence[Condition]) -> None:
        """Say where two conditions prescribe different values; the later one holds."""
        if len(conditions) < 2:
            return
        start = self._domain.time[0] if self._domain.time is not None else 0.0
        size = self._spaces[-1].start + self._spaces[-1].size
        prescribed, origin = np.zeros(size), np.full(size, -1)
        data = {leaf.tag: self._row(leaf) for condition in conditions for leaf in condition.data}
        of_all = jax.jit(lambda: [c.values(start, self._modules, data, self._dtype) for c in conditions])()
        for number, (condition, array) in enumerate(zip(conditions, of_all, strict=True)):
            values = np.asarray(array)
            before = prescribed[condition.dofs]
            differs = np.abs(values - before) > _SAME * np.maximum(np.abs(values), np.abs(before))
            conflicts = differs & (origin[condition.dofs] >= 0)
            for earlier in np.unique(origin[condition.dofs][conflicts]):
                nodes = np.any(conflicts & (origin[condition.dofs] == earlier), axis=1)
                place = condition.space.nodes.points[condition.nodes[nodes][0]]
                get_logger().once(
                    f"jno.fem: {conditions[earlier].label} and {condition.label} prescribe different values of "
                    f"{condition.space.field.name!r} at {int(np.sum(nodes))} nodes, e.g. at {place.round(6).tolist()}; "
                    "the later one holds"
                )
            prescribed[condition.dofs], origin[condition.dofs] = values, number

    # --- conditions -----------------------------------------------------------------------------------------------
    def _condition(self, term: Term) -> Condition:
        space = self._space_of_condition(term)
        data: dict[str, Array] = {}
        for leaf in PointFunction(term.expression, self._domain).data if term.kind != "pin" else ():
            data[leaf.tag] = self._row(leaf)
        if not self._has_unknowns:
            return mask(term, space, self._domain, self._modules, data, self._dtype)
        return condition_of(term, space, self._domain, self._modules, data)

    def _space_of_condition(self, term: Term) -> Space:
        trials = term.of_role("trial")
        if len(trials) > 1:
            names = [field.field.name for field in trials]
            raise ValueError(f"jno.fem: the condition {term.expression!r} contains several unknowns, {names}")
        if trials and id(trials[0].field) in self._space_of:
            return self._space_of[id(trials[0].field)]
        if self._has_unknowns:
            raise ValueError(
                f"jno.fem: {term.expression!r} contains neither a trial symbol nor a test function, so it is no term "
                f"of a weak form; give it to jno.core"
            )
        if len(self._spaces) == 1:
            return self._spaces[0]
        count = _components(term, self._domain, self._modules)
        fitting = [space for space in self._spaces if space.field.components == count]
        if len(fitting) != 1:
            raise ValueError(
                f"jno.fem: which of the test functions {[space.field.name for space in self._spaces]} the condition "
                f"{term.expression!r} belongs to is not known: several have {count} components"
            )
        return fitting[0]


_HIGHEST_DEGREE = 40
"""Of the polynomials that a quadrature integrates exactly: 441 points in a triangle, 9261 in a tetrahedron."""

_PROBES = 6
"""Points at which terms are looked at."""

_SAME = 1e-8
"""Relative difference up to which two prescribed values are the same."""


def _weights_key(number: int) -> Key:
    """The random key of the weights of one model."""
    return jax.random.fold_in(jax.random.PRNGKey(get_network_seed()), number)


def _components(term: Term, domain: Domain, modules: Mapping[int, Any]) -> int:
    function = PointFunction(term.expression, domain)
    points = jax.ShapeDtypeStruct((_PROBES, domain.dimension), jnp.result_type(float))
    shape = jax.eval_shape(lambda x: function(x, x, jnp.zeros(()), {}, modules, {}).array, points).shape
    return int(shape[-1]) if len(shape) > 1 else 1


def _check_conditions(conditions: Sequence[Condition]) -> None:
    """No field is prescribed on one region both as a whole and by component."""
    whole = {(condition.space, condition.label) for condition in conditions if condition.component is None}
    for condition in conditions:
        label = condition.label.partition("[")[0]
        if condition.component is not None and (condition.space, label) in whole:
            raise ValueError(
                f"jno.fem: {condition.space.field.name!r} is prescribed twice on one region, as a whole ({label}) and "
                f"by component ({condition.label}); list one of the two"
            )


def _check_initial(initial: Sequence[Condition], orders: Mapping[Field, int]) -> None:
    """Initial values belong to unknowns with a derivative by time, initial velocities to those with a second one."""
    for condition in initial:
        field = condition.space.field
        if condition.derivative >= orders[field]:
            what, needed = (("value", ".t"), ("velocity", ".tt"))[condition.derivative]
            raise ValueError(
                f"jno.fem: {field.name!r} has an initial {what}, but no term contains its derivative {needed}; write "
                f"{needed} in a term, or leave the condition out"
            )


def _check_time(
    terms: Sequence[AssembledTerm],
    conditions: Sequence[Condition],
    initial: Sequence[Condition],
    orders: Mapping[Field, int],
) -> None:
    """A steady problem has no time at which its terms could be taken; one in time begins somewhere.

    Raises:
        ValueError: the problem is steady, and something in it depends on the time.
    """
    transient = [field for field, order in orders.items() if order > 0]
    reading = [term.integral.function.title for term in terms if term.integral.function.reads_time]
    reading += [condition.label for condition in conditions if condition.reads_time]
    if reading and not transient:
        raise ValueError(
            f"jno.fem: no term has a derivative of an unknown by time, so the problem is steady, but {reading[0]} "
            "depends on the time, and at which time is not known: put a number there, or write the derivative u.t"
        )
    for field in transient:
        if field not in {condition.space.field for condition in initial}:
            get_logger().once(f"jno.fem: {field.name!r} has no initial condition and begins at zero")
