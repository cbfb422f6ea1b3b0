"""What `Solver` builds once and later calls reuse: programs, trainers, compiled steps, feeds, trackers, points."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from jno.compiler import Graph, Program, precompute
from jno.trace import AdaptiveWeight, Model, Node, Tracker
from jno.utils import get_stop_on_nonfinite

from ._balancing import Balancing
from ._batches import Batches, DeviceFeed, Feed, HostFeed, MiniBatches
from ._devices import Devices
from ._epoch import EpochProblem
from ._fresh_points import NO_FRESH_POINTS
from ._groups import claims, optimizer_groups
from ._objective import Objective
from ._options import Options, Substep
from ._phases import observed_outside, phases_of
from ._point_batches import DrawnProgram, PointBatchSizes, drawn_program
from ._points import Points
from ._posterior import blocks_of
from ._resampling import Resampling
from ._step import Step
from ._trackers import Tracked
from ._trained_leaves import Trainers
from ._types import Modules

Versions: TypeAlias = tuple[tuple[int, int], ...]
"""Model ids, with the versions of their configurations."""


@dataclasses.dataclass(frozen=True)
class _Configuration:
    """What a compiled step belongs to besides the program: models as configured, samples, options."""

    models: Versions
    mini_batches: MiniBatches
    stop_on_nonfinite: bool
    checkpoint: bool
    drawn: bool
    substeps: tuple[Substep, ...]


@dataclasses.dataclass
class Built:
    """The parts of a problem's training, each built when it is needed."""

    graph: Graph
    domain: Any
    """The domain of the problem; a problem without expressions has none."""
    constraints: Sequence[Node]
    trackers: Sequence[Tracker]
    balanced: Sequence[AdaptiveWeight]
    """One weight of every group of balanced losses."""
    devices: Devices
    seed: int
    """Of mini-batches on the host and of new points."""

    _programs: dict[int | None, Program] = dataclasses.field(default_factory=dict)
    _steps: dict[tuple[int, _Configuration], Step] = dataclasses.field(default_factory=dict)
    _trainers: dict[tuple[Versions, bool], Trainers] = dataclasses.field(default_factory=dict)
    _tracked: dict[int | None, Tracked] = dataclasses.field(default_factory=dict)
    _drawn: dict[tuple[int, Hashable], DrawnProgram] = dataclasses.field(default_factory=dict)
    _feeds: dict[Program, DeviceFeed] = dataclasses.field(default_factory=dict)
    _points: Points | None = None

    def names(self) -> list[str]:
        """Labels of the constraints."""
        return [c.metadata.label or f"C{number}" for number, c in enumerate(self.constraints)]

    def tracker_names(self) -> list[str]:
        """Labels of the trackers."""
        return [t.metadata.label or f"T{number}" for number, t in enumerate(self.trackers)]

    @property
    def points_version(self) -> int:
        """How often collocation points were replaced."""
        return 0 if self._points is None else self._points.version

    def program(self, window: int | None) -> Program:
        """The constraints, compiled for windows of ``window`` time levels."""
        if window not in self._programs:
            program = Program(self.constraints, self.domain, window=window, graph=self.graph)
            program.adopt(precompute(program, {model.layer_id: model.module for model in program.models}))
            self._programs[window] = program
        return self._programs[window]

    def drawn(self, program: Program, sizes: PointBatchSizes) -> DrawnProgram:
        """The constraints on mini-batches of their points.

        Raises:
            ValueError: sizes that do not fit the points, constraints that need all of them.
        """
        key = (id(program), tuple(sorted(sizes.items())) if isinstance(sizes, Mapping) else sizes)
        if key not in self._drawn:
            self._drawn[key] = drawn_program(program, sizes, self.names(), self.seed)
        return self._drawn[key]

    def points(self, program: Program) -> Points:
        """The points of the problem, which resampling replaces."""
        if self._points is None:
            self._points = Points(Resampling(program, self.domain), self.seed, self.devices)
        return self._points

    def trainers(self, models: Sequence[Model], *, apart: bool) -> Trainers:
        """What is trained by whom; ``apart``: one parameter block per model.

        Raises:
            ValueError: every model is frozen.
        """
        configured = (_versions(models), apart)
        if configured not in self._trainers:
            claimed = claims(models)
            groups = optimizer_groups(claimed, len(self.constraints))
            self._trainers[configured] = Trainers(tuple(groups), tuple(blocks_of(claimed, together=not apart)))
        trainers = self._trainers[configured]
        if not trainers.groups and not trainers.blocks:
            raise ValueError("every model is frozen: there is nothing to train")
        return trainers

    def step(
        self, program: Program, trainers: Trainers, frozen: Modules, mini_batches: MiniBatches, options: Options
    ) -> Step:
        """The compiled epochs under these options, with the present frozen modules."""
        configuration = _Configuration(
            _versions(program.models),
            mini_batches,
            get_stop_on_nonfinite(),
            options.checkpoint_gradients,
            options.offload_data,
            options.substeps,
        )
        key = (id(program), configuration)
        if key not in self._steps:
            self._steps[key] = self._compiled(program, trainers, frozen, configuration, options)
        self._steps[key].freeze(frozen)
        return self._steps[key]

    def _compiled(
        self, program: Program, trainers: Trainers, frozen: Modules, configuration: _Configuration, options: Options
    ) -> Step:
        mini_batches, points = configuration.mini_batches, self.points(program)
        objective_of = functools.partial(
            Objective,
            mini_batches=mini_batches,
            checkpoint=configuration.checkpoint,
            point_blocks=not self.devices.several,
        )
        phases = phases_of(program, trainers.groups, trainers.blocks, options, objective_of)
        problem = EpochProblem(
            phases,
            observed_outside(phases[0], program, objective_of),
            len(program.roots),
            Balancing(self.balanced, program, mini_batches),
            Batches(mini_batches, self.devices, configuration.drawn),
            self.devices,
            points.fresh if points.drawn_inside else NO_FRESH_POINTS,
        )
        return Step(problem, frozen, stop_on_nonfinite=configuration.stop_on_nonfinite)

    def feed(self, program: Program, mini_batches: MiniBatches, options: Options) -> Feed:
        """Where a run gets its data from."""
        if options.offload_data:
            return HostFeed(program, mini_batches, self.devices, self.seed)
        if program not in self._feeds:
            self._feeds[program] = DeviceFeed(program, self.devices)
        return self._feeds[program]

    def tracked(self, window: int | None) -> Tracked:
        """The trackers, compiled for windows of ``window`` time levels."""
        if window not in self._tracked:
            programs = [Program([t.target], self.domain, window=window, graph=self.graph) for t in self.trackers]
            self._tracked[window] = Tracked(self.trackers, programs, self.tracker_names(), self.devices)
        return self._tracked[window]


def _versions(models: Sequence[Model]) -> Versions:
    """Which models, as they are configured."""
    return tuple((model.layer_id, model.version) for model in models)
