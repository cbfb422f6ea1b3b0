"""`Program`: a list of expressions compiled into one pure function of weights, data and a key."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

from jno.domain import domain as Domain
from jno.trace import Integral, ModelCall, Node, Noise, TensorTag, Variable, decided, point_tag, unaliased, walk

from ._collapse import collapse
from ._coupling import OnPoints, coupled, prepared, untested_calls
from ._data import KINDS, on_device, prepare, selected
from ._facts import Facts, analyse
from ._finite import check_read
from ._finite_difference import refuse_points_with_times, uses_stencil
from ._fold import FOLDED, fold
from ._gaps import exposed, without_gaps
from ._graph import Graph, adaptive_weights, bound_in_context, models_of, needs_window, noise_nodes, weights_key
from ._leaf_data import Data
from ._outer_axes import AtLevel, OuterMap, Rows
from ._pairing import Pairings
from ._passes import LevelReport, run_passes
from ._precomputed import NOTHING, PRECOMPUTED, Notes, Precomputed
from ._row_quadrature import RowQuadratures
from ._row_stencils import row_stencils
from ._scope import Bindings, NoiseStream, Scope, Setting, Table, Window
from ._types import AnyArray, Arrays, Key, Modules, Name, Shape
from ._value import Value


class Program:
    """Expressions bound to a domain, ready to be traced by ``jax.jit``.

    Calling it evaluates every expression with shared sub-expressions computed once:
    ``program(modules, program.data, key) -> tuple of arrays``, each of shape ``(B, …)``, or ``(B, W, …)`` for a window
    of ``W > 1`` time levels; expressions of parameters only are returned as they are.

    Args:
        expressions: nodes of the trace.
        domain: the domain their variables belong to.
        window: number of consecutive time levels (clamped to what there is); ``None`` takes all.
        context: arrays by tag; default: the domain's own.
        graph: interned nodes to share with other programs.
        pointwise_only: evaluation raises `NotPointwiseError` where a value does not run over points.
        folds: evaluate what is point-wise on all points of all samples and levels at once; the values are the same.
        precomputed: fixed parts that the data may hold; see `adopt`.
        point_sets: tags whose points say how data is meant, beside those in the expressions: of the whole that these
            are parts of.
    """

    def __init__(
        self,
        expressions: Sequence[Node],
        domain: Domain,
        *,
        window: int | None = 1,
        context: Mapping[str, Any] | None = None,
        graph: Graph | None = None,
        pointwise_only: bool = False,
        folds: bool = True,
        precomputed: Precomputed = NOTHING,
        point_sets: Collection[str] = (),
    ) -> None:
        if window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 1):
            raise ValueError(f"min_consecutive={window!r}: it must be an integer of at least 1, or None for all levels")
        self.graph = graph if graph is not None else Graph()
        self.domain = domain
        self._pointwise_only = pointwise_only
        self._folds = folds
        self.expressions = [self.graph.intern(decided(expression, {})) for expression in expressions]
        self.context = domain.context if context is None else context
        roots = [self.graph.intern(root) for root in collapse(self.expressions)]
        self.roots = without_gaps(roots, Data(self.context, domain.total_samples), self.graph)
        self.noise_streams = number_noise(self.roots)
        self.models = models_of(self.roots)
        self.model_streams = {model.layer_id: number for number, model in enumerate(self.models)}
        stencil_tags = self._stencil_tags()
        on_meshes = bool(stencil_tags) or any(isinstance(node, Integral) for node in walk(self.roots))
        self.balanced = adaptive_weights(self.roots)
        weights = {weights_key(node)[1]: len(node.losses) for node in self.balanced}
        self.layout, self.sources = prepare(
            self.context, domain, self._kinds(), stencil_tags, weights, on_meshes, point_sets
        )
        self.window = min(self.layout.levels, self.layout.levels if window is None else window)
        self.stencils = row_stencils(domain.meshes) if stencil_tags else None
        self.quadratures = RowQuadratures(domain)
        self.pairings = Pairings(self.expressions, self.context)
        self._tags = [{leaf.tag for leaf in bound_in_context([root])} for root in self.roots]
        self._parameters_only = [
            not tags and not noise_nodes([root]) for tags, root in zip(self._tags, self.roots, strict=True)
        ]
        self.precomputed = NOTHING
        self.adopt(precomputed)

    def _kinds(self) -> dict[str, str]:
        """Kind of every context entry that must be bound: those that variables and data tags name."""
        kinds: dict[str, str] = {}
        for node in bound_in_context(self.roots):
            if isinstance(node, TensorTag):
                kinds[node.tag] = "tensors"
            elif not node.at_points:
                kinds[node.tag] = "times"
            else:
                kinds[node.tag] = kinds[point_tag(node)] = "points"
        if self.domain.is_time_dependent and "points" in kinds.values():
            kinds["__time__"] = "times"
        return kinds

    def _stencil_tags(self) -> frozenset[str]:
        nodes = [node for node in walk(self.roots) if uses_stencil(node)]
        for node in nodes:
            refuse_points_with_times(node, self.domain)
        return frozenset(
            point_tag(v) for node in nodes for v in node.children() if isinstance(v, Variable) and v.at_points
        )

    def over(self, expressions: Sequence[Node]) -> Program:
        """Other expressions on the same domain, window and data."""
        return Program(
            expressions,
            self.domain,
            window=self.window,
            context=self.context,
            graph=self.graph,
            precomputed=self.precomputed,
        )

    def adopt(self, precomputed: Precomputed) -> None:
        """Let evaluations read what is computed beforehand, where their data holds it; `data` will."""
        if precomputed is self.precomputed:
            return
        self.precomputed = precomputed
        entries = {name: entry for name, entry in self.layout.entries.items() if name[0] != PRECOMPUTED}
        read = precomputed.entries_of(walk(self.roots))
        self.layout = dataclasses.replace(self.layout, entries={**entries, **read})
        vars(self).pop("data", None)

    def holds_at_points(self, name: Name, tags: Collection[str] | None = None) -> bool:
        """Whether an entry holds what is computed beforehand at every point (of some tags)."""
        return name[0] == PRECOMPUTED and self.precomputed.over_points(name, tags)

    def of_parts(self, parts: Sequence[Node]) -> Program:
        """Parts of the expressions at one time level, to find out how they use their points and data.

        Aliases that only the whole expressions bind get the points of the tag they stand for.
        """
        unbound = {leaf.tag for leaf in bound_in_context(parts)} - set(self.context)
        context = {**self.context, **{alias: self.context[unaliased(alias)] for alias in unbound}}
        return Program(parts, self.domain, context=context, graph=self.graph, folds=False, point_sets=self.point_sets)

    @property
    def point_sets(self) -> list[str]:
        """The tags whose points are bound."""
        return [tag for kind, tag in self.layout.entries if kind == "points"]

    def part(self, positions: Sequence[int]) -> Program:
        """Some of the expressions, with the same random numbers as here."""
        part = self.over([self.expressions[position] for position in positions])
        part.noise_streams, part.model_streams = self.noise_streams, self.model_streams
        return part

    # --- facts ------------------------------------------------------------------------------------------------
    @functools.cached_property
    def facts(self) -> Facts:
        """What holds for the expressions; networks that have not been tested are tested now, with their weights.

        Derived when it is first needed, so that it does not matter whether that is before `check_pointwise`.  A program
        that does not fold tests nothing: it may be such a test itself.
        """
        calls = untested_calls(self.roots, self.graph) if self._folds else []
        if calls:
            # the first need may arise while JAX traces a function, of which the tests are no part
            with jax.ensure_compile_time_eval():
                self.coupled(calls, {model.layer_id: model.module for model in self.models})
        tested = [node for node in walk(self.roots) if isinstance(node, ModelCall)]
        return analyse(self.roots, self.graph, [id(call) for call in tested if self.graph.couples(call) is False])

    def coupled(self, expressions: Sequence[OnPoints], modules: Modules) -> list[OnPoints]:
        """Those of some parts of the expressions whose points influence each other, by a test with these modules."""
        calls = {id(call.node): call.node for call in untested_calls(self.roots, self.graph)}
        coupling: list[OnPoints] = []
        for tag in sorted({expression.tag for expression in expressions}):
            nodes = {id(at.node): at.node for at in expressions if at.tag == tag}
            parts = self.of_parts([prepared(node, tag) for node in nodes.values()])
            results = dict(zip(nodes, coupled(parts, tag, modules), strict=True))
            for number in calls.keys() & nodes.keys():
                self.graph.remember_coupling(calls[number], results[number])
            coupling += [at for at in expressions if at.tag == tag and results[id(at.node)]]
        return coupling

    def has_several_points(self, tag: str) -> bool:
        """Whether a tag has more than one point in every sample."""
        return bool(np.shape(self.context[unaliased(tag)])[2] > 1)

    # --- data -------------------------------------------------------------------------------------------------
    @functools.cached_property
    def data(self) -> dict[Name, Array]:
        """The arrays on the device, with those that are computed beforehand."""
        # [:] reads what is a data set of a file
        data = {name: on_device(self._checked(name, source[:])) for name, source in self.sources.items()}
        return {**data, **self.precomputed.refreshed(data, data)}

    @property
    def abstract_data(self) -> dict[Name, jax.ShapeDtypeStruct]:
        """Shapes and types of the arrays of the domain in `data`, which need not be on the device for that."""
        return {
            name: jax.ShapeDtypeStruct(source.shape, jax.dtypes.canonicalize_dtype(source.dtype))
            for name, source in self.sources.items()
        }

    def replace(self, entries: Arrays) -> None:
        """Put other arrays of the same shapes into the data, where the expressions read them."""
        replaced = {name: array for name, array in entries.items() if name in self.layout.entries}
        if replaced:
            self.sources = {**self.sources, **{name: np.asarray(array) for name, array in replaced.items()}}
        if replaced and "data" in vars(self):  # otherwise the property will read the new sources
            data = {**self.data, **{name: on_device(array) for name, array in replaced.items()}}
            self.data = {**data, **self.precomputed.refreshed(data, replaced)}

    def check_window(self, call: str) -> None:
        """Refuse integrals over a time window of one level, which would all be zero.

        Raises:
            ValueError: naming ``call`` and its option.
        """
        if self.window < 2 and needs_window(self.roots):
            raise ValueError(
                f"an expression integrates over time: {call}(min_consecutive=...) must be at least 2, or None for all "
                f"{self.layout.levels} time levels"
            )

    def rows(self, samples: Sequence[int] | Int[np.ndarray, " B"]) -> dict[Name, Shaped[np.ndarray, "B ..."]]:
        """Host arrays of some of the samples: of what has one row per sample."""
        numbers = np.asarray(samples)
        batched = [name for name in self.layout.batched if name in self.sources]
        return {name: self._checked(name, selected(self.sources[name], numbers)) for name in batched}

    def _checked(self, name: Name, rows: Any) -> Any:
        """Rows as they were read; those of a file are looked at only now."""
        if isinstance(self.sources[name], np.ndarray | jax.Array) or name[1] not in self._unmasked:
            return rows
        return check_read(name[1], np.asarray(rows))

    @functools.cached_property
    def _unmasked(self) -> frozenset[str]:
        """Tags of the data that no mask keeps out of some expression."""
        data = Data(self.context, self.domain.total_samples)
        return frozenset(leaf.tag for r in self.roots for leaf in exposed(r, data) if isinstance(leaf, TensorTag))

    def few(self) -> dict[Name, Array]:
        """The data of at most two samples, on the device."""
        rows = self.rows(range(min(2, self.layout.samples)))
        return {name: on_device(rows.get(name, source)) for name, source in self.sources.items()}

    # --- evaluation -------------------------------------------------------------------------------------------
    def __call__(
        self,
        modules: Modules,
        data: Arrays,
        key: Key | None = None,
        shapes: dict[int, Shape] | None = None,
        passes: list[LevelReport] | None = None,
        notes: Notes | None = None,
    ) -> tuple[Array, ...]:
        """Evaluate all expressions; pure, to be traced.

        ``data`` may hold more than the expressions need, and lack what is computed beforehand.  ``shapes`` collects
        the per-sample shape of every node, ``passes`` a report of every derivative pass, ``notes`` what is read of
        some expressions.
        """
        data = self._read(data)
        outer = OuterMap(self.layout, self._samples(data, key), self.window, self._parameters_only)
        keys = None if key is None else jax.random.split(key, outer.samples)
        setting = self._setting(modules, key, outer.samples * self.window, shapes, passes)
        rows = outer.cut(data, keys)
        at_level = functools.partial(self._at_level, setting, notes)
        if self._folds and shapes is None and notes is None and (outer.samples > 1 or self.window > 1):
            for tag, nodes in self.facts.frontier.items():
                rows |= fold(tag, nodes, rows, setting, self.precomputed)
        return outer.over_samples(at_level, rows, keys)

    def at_levels(self, evaluate: AtLevel, data: Arrays, key: Key | None) -> tuple[Array, ...]:
        """What ``evaluate`` makes of the arrays of every sample and level, with their axes in front."""
        data = self._read(data)
        outer = OuterMap(self.layout, self._samples(data, key), self.window, self._parameters_only)
        keys = None if key is None else jax.random.split(key, outer.samples)
        return outer.over_samples(evaluate, outer.cut(data, keys), keys)

    def at_level(self, modules: Modules, arrays: Arrays, key: Key | None = None) -> list[Array]:
        """The expressions on the arrays of one sample and level."""
        return self._at_level(self._setting(modules, key, 1, None, None), None, arrays, key, None)

    def _read(self, data: Arrays) -> dict[Name, AnyArray]:
        """The arrays that the expressions read, with what is computed beforehand where it is there."""
        return {name: data[name] for name in self.layout.entries if name[0] != PRECOMPUTED or name in data}

    def _samples(self, data: Arrays, key: Key | None) -> int:
        """How many samples the data has rows for; where all share everything else, noise differs between them."""
        batched = self.layout.batched
        if not batched and self.noise_streams and key is not None:
            return int(self.domain.total_samples)
        return data[batched[0]].shape[0] if batched else 1

    def _setting(
        self,
        modules: Modules,
        key: Key | None,
        lanes: int,
        shapes: dict[int, Shape] | None,
        passes: list[LevelReport] | None,
    ) -> Setting:
        return Setting(
            self.graph,
            self.domain,
            modules,
            key,
            self.noise_streams,
            self.model_streams,
            facts=lambda: self.facts,
            prepare=run_passes,
            pairings=self.pairings,
            quadratures=self.quadratures,
            stencils=self.stencils,
            all_levels=self.window == self.layout.levels,
            lanes=lanes,
            pointwise_only=self._pointwise_only,
            passes=passes,
            shapes=shapes,
        )

    def _at_level(
        self, setting: Setting, notes: Notes | None, arrays: Arrays, key: Key | None, window: Rows | None
    ) -> list[Array]:
        bindings = dataclasses.replace(_bindings(arrays), window=None if window is None else _window(window))
        scope = Scope(dataclasses.replace(setting, key=key), bindings)
        scope.know(self.precomputed.known(arrays))
        if notes is not None:
            scope.known = notes.readers_of(scope.values(notes.nodes))
        for (kind, number), value in arrays.items():
            if kind == FOLDED:
                point_set = self.pairings.named(self.facts.folded_tag(int(number)))
                scope.seed(int(number), Value(value, 0, point_set=point_set))
        # Shapes are shown of what the user wrote, with sums of derivatives not yet merged.
        roots = self.roots if setting.shapes is None else self.expressions
        return [jnp.asarray(value.array) for value in scope.values(roots)]

    def with_sample_axis(self, values: Sequence[Array]) -> list[Array]:
        """Values as users see them: the leading axis of each is that of the arrays its expression depends on.

        An expression of shared data has one row in a program of many samples; one of equal rows has all of them.
        """
        rows = {tag: entry.rows for (kind, tag), entry in self.layout.entries.items() if kind in KINDS[:3]}
        with_axis: list[Array] = []
        for tags, value, alone in zip(self._tags, values, self._parameters_only, strict=True):
            count = max((rows[tag] for tag in tags), default=1)
            with_axis.append(value if alone else jnp.broadcast_to(value[:count], (count, *value.shape[1:])))
        return with_axis


def _window(rows: Rows) -> Window:
    axes = {name: 0 if outer.levels else None for name, outer in rows.axes.items()}
    return Window(_bindings(rows.arrays), _bindings(axes))


def _bindings(rows: Mapping[Name, Any]) -> Bindings:
    """Arrays, or their axes, by kind and tag."""
    tables: dict[str, Table] = {kind: {} for kind in KINDS}
    for (kind, tag), array in rows.items():
        if kind in tables:
            tables[kind][tag] = array
    return Bindings(tables["points"], tables["times"], tables["tensors"], tables["nearest"], tables["weights"])


def number_noise(roots: Sequence[Node]) -> dict[int, NoiseStream]:
    """The random stream of every noise node, by its id.

    The number of rows is that of the smallest enclosing expression with points: ``u + noise`` has one row per point
    of ``u``.
    """
    streams: dict[int, NoiseStream] = {}
    waiting: dict[int, frozenset[int]] = {}
    """Node → noise below it that has met no points yet."""
    tags: dict[int, str | None] = {}
    for node in walk(roots):
        below = [tags[id(child)] for child in node.children()]
        tags[id(node)] = next((tag for tag in below if tag is not None), None)
        if isinstance(node, Variable) and node.at_points:
            tags[id(node)] = point_tag(node)
        pending = frozenset[int]().union(*(waiting[id(child)] for child in node.children()))
        if isinstance(node, Noise):
            streams[id(node)] = NoiseStream(len(streams), None)
            pending = frozenset([id(node)])
        if tags[id(node)] is not None:
            for number in pending:
                if streams[number].tag is None:
                    streams[number] = NoiseStream(streams[number].number, tags[id(node)])
            pending = frozenset()
        waiting[id(node)] = pending
    return streams
