"""`Program`: a list of expressions compiled into one pure function of weights, data and a key."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from jno.trace import Integral, ModelCall, Node, Noise, TensorTag, Variable, decided, point_tag, unaliased, walk

from ._collapse import collapse
from ._coupling import OnPoints, coupled, prepared, untested_calls
from ._data import KINDS, on_device, prepare, selected
from ._facts import Facts, analyse
from ._finite import check_read
from ._finite_difference import uses_stencil
from ._fold import OuterAxes, fold
from ._gaps import exposed, without_gaps
from ._graph import Graph, adaptive_weights, bound_in_context, models_of, needs_window, noise_nodes, weights_key
from ._leaf_data import Data
from ._pairing import Pairings
from ._passes import run_passes
from ._row_quadrature import RowQuadratures
from ._row_stencils import row_stencils
from ._scope import Bindings, Scope, Setting
from ._value import Value

_WINDOW_STREAM = 0x7E57
"""Random stream of the window start, apart from those of noise (0, 1, …) and dropout (model ids)."""


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
    """

    def __init__(
        self,
        expressions: Sequence[Node],
        domain: Any,
        *,
        window: int | None = 1,
        context: Mapping[str, Any] | None = None,
        graph: Graph | None = None,
        pointwise_only: bool = False,
        folds: bool = True,
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
        self.draws = number_draws(self.roots)
        self.models = models_of(self.roots)
        self.streams = {model.layer_id: number for number, model in enumerate(self.models)}
        stencil_tags = self._stencil_tags()
        on_meshes = bool(stencil_tags) or any(isinstance(node, Integral) for node in walk(self.roots))
        self.balanced = adaptive_weights(self.roots)
        weights = {weights_key(node)[1]: len(node.losses) for node in self.balanced}
        self.layout, self.sources = prepare(self.context, domain, self._kinds(), stencil_tags, weights, on_meshes)
        self.window = min(self.layout.levels, self.layout.levels if window is None else window)
        self.stencils = row_stencils(domain._meshes) if stencil_tags else None
        self.quadratures = RowQuadratures(domain)
        self.pairings = Pairings(self.expressions, self.context)
        self._names = [{leaf.tag for leaf in bound_in_context([root])} for root in self.roots]
        self._raw = [not names and not noise_nodes([r]) for names, r in zip(self._names, self.roots, strict=True)]

    def _kinds(self) -> dict[str, str]:
        """Kind of every context entry that must be bound: whatever variables and data tags name."""
        kinds: dict[str, str] = {}
        for node in bound_in_context(self.roots):
            if isinstance(node, TensorTag):
                kinds[node.tag] = "tensors"
            elif node.axis == "temporal":
                kinds[node.tag] = "times"
            else:
                kinds[node.tag] = kinds[point_tag(node)] = "points"
        if self.domain.is_time_dependent and "points" in kinds.values():
            kinds["__time__"] = "times"
        return kinds

    def _stencil_tags(self) -> frozenset[str]:
        nodes = [node for node in walk(self.roots) if uses_stencil(node)]
        return frozenset(
            point_tag(v) for node in nodes for v in node.children() if isinstance(v, Variable) and v.axis == "spatial"
        )

    def over(self, expressions: Sequence[Node]) -> Program:
        """Other expressions on the same domain, window and data."""
        return Program(expressions, self.domain, window=self.window, context=self.context, graph=self.graph)

    def of_parts(self, parts: Sequence[Node]) -> Program:
        """Parts of the expressions at one time level, to find out how they use their points and data.

        Aliases that only the whole expressions bind get the points of the tag they stand for.
        """
        unbound = {leaf.tag for leaf in bound_in_context(parts)} - set(self.context)
        context = {**self.context, **{alias: self.context[unaliased(alias)] for alias in unbound}}
        return Program(parts, self.domain, context=context, graph=self.graph, folds=False)

    def part(self, positions: Sequence[int]) -> Program:
        """Some of the expressions, with the same random numbers as here."""
        part = self.over([self.expressions[position] for position in positions])
        part.draws, part.streams = self.draws, self.streams
        return part

    # --- facts ------------------------------------------------------------------------------------------------
    @functools.cached_property
    def facts(self) -> Facts:
        """What holds for the expressions; networks that have not been tested are tested now, with their weights.

        Derived when it is first needed, so that it does not matter whether that is before `check_pointwise`.
        """
        calls = untested_calls(self.roots, self.graph)
        if calls:
            # the first need may arise while JAX traces a function, of which the tests are no part
            with jax.ensure_compile_time_eval():
                self.coupled(calls, {model.layer_id: model.module for model in self.models})
        tested = [node for node in walk(self.roots) if isinstance(node, ModelCall)]
        return analyse(self.roots, [id(call) for call in tested if self.graph.couples(call) is False])

    def coupled(self, expressions: Sequence[OnPoints], modules: Mapping[int, PyTree]) -> list[OnPoints]:
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
    def data(self) -> dict[tuple[str, str], Any]:
        """The arrays on the device."""
        # [:] reads what is a data set of a file
        return {name: on_device(self._checked(name, source[:])) for name, source in self.sources.items()}

    @property
    def abstract_data(self) -> dict[tuple[str, str], jax.ShapeDtypeStruct]:
        """Shapes and types of :attr:`data`, which need not be on the device for that."""
        return {
            name: jax.ShapeDtypeStruct(source.shape, jax.dtypes.canonicalize_dtype(source.dtype))
            for name, source in self.sources.items()
        }

    def replace(self, entries: Mapping[tuple[str, str], Any]) -> None:
        """Put other arrays of the same shapes into the data, where the expressions read them."""
        own = {name: array for name, array in entries.items() if name in self.layout.entries}
        if own:
            self.sources = {**self.sources, **{name: np.asarray(array) for name, array in own.items()}}
        if own and "data" in vars(self):  # otherwise nobody has asked for it yet
            self.data = {**self.data, **{name: on_device(array) for name, array in own.items()}}

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

    def rows(self, chosen: Sequence[int] | np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Host arrays of some of the samples: of what has one row per sample."""
        picked = np.asarray(chosen)
        return {name: self._checked(name, selected(self.sources[name], picked)) for name in self.layout.batched}

    def _checked(self, name: tuple[str, str], rows: Any) -> Any:
        """Rows as they were read; those of a file are looked at only now."""
        if isinstance(self.sources[name], np.ndarray | jax.Array) or name[1] not in self._unmasked:
            return rows
        return check_read(name[1], np.asarray(rows))

    @functools.cached_property
    def _unmasked(self) -> frozenset[str]:
        """Tags of the data that no mask keeps out of some expression."""
        data = Data(self.context, self.domain.total_samples)
        return frozenset(leaf.tag for r in self.roots for leaf in exposed(r, data) if isinstance(leaf, TensorTag))

    def few(self) -> dict[tuple[str, str], Any]:
        """The data of at most two samples, on the device."""
        own = self.rows(range(min(2, self.layout.samples)))
        return {name: on_device(own.get(name, source)) for name, source in self.sources.items()}

    def __call__(
        self, modules: dict[int, Any], data: Mapping[Any, Any], key: Any = None, shapes: Any = None, passes: Any = None
    ) -> tuple[Any, ...]:
        """Evaluate all expressions; pure, to be traced.

        ``data`` may hold more than the expressions need.  ``shapes`` collects the per-sample shape of
        every node, ``passes`` a report of every derivative pass.
        """
        batched = self.layout.batched
        data = {name: data[name] for name in self.layout.entries}
        count = data[batched[0]].shape[0] if batched else 1
        if not batched and self.draws and key is not None:
            count = int(self.domain.total_samples)  # noise differs between samples that share everything else
        keys = None if key is None else jax.random.split(key, count)
        rows, axes = self._cut(data, keys, count)
        setting = Setting(
            self.graph,
            self.domain,
            modules,
            key,
            self.draws,
            self.streams,
            lambda: self.facts,
            run_passes,
            pairings=self.pairings,
            stencils=self.stencils,
            quadratures=self.quadratures,
            all_levels=self.window == self.layout.levels,
            lanes=count * self.window,
            pointwise_only=self._pointwise_only,
            passes=passes,
            shapes=shapes,
        )
        folded: dict[int, tuple[Any, OuterAxes]] = {}
        if self._folds and shapes is None and (count > 1 or self.window > 1):
            for tag, nodes in self.facts.frontier.items():
                folded.update(fold(tag, nodes, rows, axes, setting))
        rows = {**rows, **{("folded", node): value for node, (value, _) in folded.items()}}
        axes = {**axes, **{("folded", node): outer for node, (_, outer) in folded.items()}}
        return self._over_samples(rows, axes, keys, count, setting)

    def with_sample_axis(self, values: Sequence[Any]) -> list[Any]:
        """Values as users see them: the leading axis of each is that of the arrays its expression depends on.

        An expression of shared data has one row in a program of many samples; one of equal rows has all of them.
        """
        rows = {tag: entry.rows for (kind, tag), entry in self.layout.entries.items() if kind != "nearest"}
        shown = []
        for names, value, raw in zip(self._names, values, self._raw, strict=True):
            count = max((rows[tag] for tag in names), default=1)
            shown.append(value if raw else jnp.broadcast_to(value[:count], (count, *value.shape[1:])))
        return shown

    # --- the outer axes ---------------------------------------------------------------------------------------
    def _cut(self, data: Mapping[Any, Any], keys: Any, count: int) -> tuple[dict[Any, Any], dict[Any, OuterAxes]]:
        """Drop outer axes of length one and cut the time window (its start is random with a key) out of longer ones."""
        starts = None
        if keys is not None and self.window < self.layout.levels:
            latest = self.layout.levels - self.window + 1
            starts = jax.vmap(lambda k: jax.random.randint(jax.random.fold_in(k, _WINDOW_STREAM), (), 0, latest))(keys)
        rows: dict[Any, Any] = {}
        axes: dict[Any, OuterAxes] = {}
        for name, array in data.items():
            entry = self.layout.entries[name]
            batched = entry.batched and count > 1
            row = array[0] if entry.has_batch_axis and not batched else array
            if (entry.levels or 1) == 1:
                own = row if entry.levels is None or entry.kind == "times" else jnp.squeeze(row, axis=int(batched))
                rows[name], axes[name] = own, OuterAxes(batched, False)
                continue
            cut = functools.partial(self._levels_from, is_time=entry.kind == "times")
            if starts is not None and count > 1:
                rows[name] = jax.vmap(cut, in_axes=(0 if batched else None, 0))(row, starts)
                batched = True
            elif batched:
                rows[name] = jax.vmap(cut, in_axes=(0, None))(row, 0)
            else:
                rows[name] = cut(row, 0 if starts is None else starts[0])
            axes[name] = OuterAxes(batched, self.window > 1)
        return rows, axes

    def _levels_from(self, array: Any, start: Any, is_time: bool) -> Any:
        """``window`` levels of ``(T, ...)`` from ``start``; a single one loses its axis.  Time becomes ``(1, 1)``."""
        cut = jax.lax.dynamic_slice_in_dim(array, start, self.window)
        if is_time:
            cut = cut.reshape(self.window, 1, 1)
        return cut[0] if self.window == 1 else cut

    def _over_samples(self, rows: Any, axes: Any, keys: Any, count: int, setting: Setting) -> tuple[Any, ...]:
        def sample(own: Mapping[Any, Any], key: Any) -> tuple[Any, ...]:
            return self._over_levels(own, axes, key, setting)

        if count == 1:
            values = sample(rows, None if keys is None else keys[0])
            return tuple(v if raw else v[None] for v, raw in zip(values, self._raw, strict=True))
        in_axes = ({k: 0 if axes[k].samples else None for k in rows}, None if keys is None else 0)
        out_axes = tuple(None if raw else 0 for raw in self._raw)
        return tuple(jax.vmap(sample, in_axes=in_axes, out_axes=out_axes, axis_size=count)(rows, keys))

    def _over_levels(self, rows: Any, axes: Any, key: Any, setting: Setting) -> tuple[Any, ...]:
        if self.window == 1:
            return self._values(rows, dataclasses.replace(setting, key=key), None)
        mapped = {k: 0 if axes[k].levels else None for k in rows}
        whole = (_bindings(rows), _bindings(mapped))
        keys = None if key is None else jax.random.split(key, self.window)

        def level(own: Mapping[Any, Any], level_key: Any) -> tuple[Any, ...]:
            return self._values(own, dataclasses.replace(setting, key=level_key), whole)

        in_axes = (mapped, None if keys is None else 0)
        values = jax.vmap(level, in_axes=in_axes, axis_size=self.window)(rows, keys)
        return tuple(v[0] if raw else v for v, raw in zip(values, self._raw, strict=True))

    def _values(self, rows: Mapping[Any, Any], setting: Setting, window: Any) -> tuple[Any, ...]:
        scope = Scope(setting, dataclasses.replace(_bindings(rows), window=window))
        for (kind, node), value in rows.items():
            if kind == "folded":
                point_set = self.pairings.named(self.facts.folded_tag(node))
                scope.seed(node, Value(value, 0, point_set=point_set))
        # Shapes are shown of what the user wrote, with sums of derivatives not yet merged.
        roots = self.roots if setting.shapes is None else self.expressions
        return tuple(jnp.asarray(value.array) for value in scope.values(roots))


def _bindings(rows: Mapping[Any, Any]) -> Bindings:
    tables: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for (kind, tag), array in rows.items():
        if kind in tables:
            tables[kind][tag] = array
    return Bindings(**tables)


def number_draws(roots: Sequence[Node]) -> dict[int, tuple[int, str | None]]:
    """Noise node id → (stream number, point tag that fixes its number of rows).

    The tag is that of the smallest enclosing expression with points: ``u + noise`` draws one row per point of ``u``.
    """
    draws: dict[int, tuple[int, str | None]] = {}
    waiting: dict[int, frozenset[int]] = {}
    tags: dict[int, str | None] = {}
    for node in walk(roots):
        below = [tags[id(child)] for child in node.children()]
        tags[id(node)] = next((tag for tag in below if tag is not None), None)
        if isinstance(node, Variable) and node.axis == "spatial":
            tags[id(node)] = point_tag(node)
        pending = frozenset[int]().union(*(waiting[id(child)] for child in node.children()))
        if isinstance(node, Noise):
            draws[id(node)] = (len(draws), None)
            pending = frozenset([id(node)])
        if tags[id(node)] is not None:
            draws.update({noise: (draws[noise][0], tags[id(node)]) for noise in pending if draws[noise][1] is None})
            pending = frozenset()
        waiting[id(node)] = pending
    return draws
