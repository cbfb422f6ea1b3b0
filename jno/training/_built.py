"""What `Solver` builds once and later calls reuse: programs, trainers, compiled steps, feeds, trackers, points."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from jno.compiler import Graph, Program
from jno.trace import AdaptiveWeight, Model, Node, Tracker
from jno.utils import get_stop_on_nonfinite

from ._balancing import Balancing
from ._batches import DeviceFeed, Feed, HostFeed, MiniBatches
from ._devices import Devices
from ._groups import claims, optimizer_groups
from ._objective import Objective
from ._options import Options, Substep
from ._phases import observed_outside, phases_of
from ._points import Points
from ._posterior import blocks_of
from ._resampling import Resampling
from ._step import Step
from ._trackers import Tracked
from ._trained_leaves import Trainers
from ._types import Modules


@dataclasses.dataclass(frozen=True)
class _Configuration:
    """What a compiled step belongs to besides the program: models as configured, samples, options."""

    models: tuple[tuple[int, int], ...]
    mini_batches: MiniBatches
    stop_on_nonfinite: bool
    checkpoint: bool
    drawn: bool
    substeps: tuple[Substep, ...]


class Built:
    """The parts of a problem's training, each built when it is needed.

    Args:
        graph: of the problem.
        domain: of the problem.
        constraints: of the problem.
        trackers: of the problem.
        tracker_names: gives the labels of the trackers.
        balanced: one weight of every group of balanced losses.
        devices: the device mesh.
        seed: of mini-batches on the host and of new points.
    """

    def __init__(
        self,
        graph: Graph,
        domain: Any,
        constraints: Sequence[Node],
        trackers: Sequence[Tracker],
        tracker_names: Callable[[], list[str]],
        balanced: Sequence[AdaptiveWeight],
        devices: Devices,
        seed: int,
    ) -> None:
        self._graph = graph
        self._domain = domain
        self._constraints = constraints
        self._trackers = trackers
        self._tracker_names = tracker_names
        self._balanced = balanced
        self._devices = devices
        self._seed = seed
        self._programs: dict[int | None, Program] = {}
        self._steps: dict[tuple[int, _Configuration], Step] = {}
        self._trainers: dict[tuple[tuple[tuple[int, int], ...], bool], Trainers] = {}
        self._tracked: dict[int | None, Tracked] = {}
        self._feeds: dict[Program, DeviceFeed] = {}
        self._points: Points | None = None

    @property
    def points_version(self) -> int:
        """How often collocation points were replaced."""
        return 0 if self._points is None else self._points.version

    def program(self, window: int | None) -> Program:
        """The constraints, compiled for windows of ``window`` time levels."""
        if window not in self._programs:
            self._programs[window] = Program(self._constraints, self._domain, window=window, graph=self._graph)
        return self._programs[window]

    def points(self, program: Program) -> Points:
        """The points of the problem, which resampling replaces."""
        if self._points is None:
            self._points = Points(Resampling(program, self._domain), self._seed)
        return self._points

    def trainers(self, models: Sequence[Model], *, apart: bool) -> Trainers:
        """What is trained by whom; ``apart``: one parameter block per model.

        Raises:
            ValueError: every model is frozen.
        """
        configured = (_versions(models), apart)
        if configured not in self._trainers:
            claimed = claims(models)
            groups = optimizer_groups(claimed, len(self._constraints))
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
        mini_batches = configuration.mini_batches
        objective_of = functools.partial(
            Objective,
            mini_batches=mini_batches,
            checkpoint=configuration.checkpoint,
            point_blocks=not self._devices.several,
        )
        phases = phases_of(program, trainers.groups, trainers.blocks, options, objective_of)
        return Step(
            phases,
            observed_outside(phases[0], program, objective_of),
            len(program.roots),
            Balancing(self._balanced, program, mini_batches),
            frozen,
            mini_batches=mini_batches,
            drawn=configuration.drawn,
            devices=self._devices,
            stop_on_nonfinite=configuration.stop_on_nonfinite,
        )

    def feed(self, program: Program, mini_batches: MiniBatches, options: Options) -> Feed:
        """Where a run gets its data from."""
        if options.offload_data:
            return HostFeed(program, mini_batches, self._devices, self._seed)
        if program not in self._feeds:
            self._feeds[program] = DeviceFeed(program, self._devices)
        return self._feeds[program]

    def trackers(self, window: int | None) -> Tracked:
        """The trackers, compiled for windows of ``window`` time levels."""
        if window not in self._tracked:
            programs = [Program([t.target], self._domain, window=window, graph=self._graph) for t in self._trackers]
            self._tracked[window] = Tracked(self._trackers, programs, self._tracker_names(), self._devices)
        return self._tracked[window]


def _versions(models: Sequence[Model]) -> tuple[tuple[int, int], ...]:
    """Which models, as they are configured."""
    return tuple((model.layer_id, model.version) for model in models)
