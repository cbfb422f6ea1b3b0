"""Replacing collocation points between epochs, by the resampling strategies of their tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree

from jno.compiler import Program
from jno.domain import SampleRecord, candidates
from jno.sampler import ResamplingStrategy, Situation, check_strategy, next_points
from jno.sampler._strategy import generator_of

from ._device_choice import DeviceChoice
from ._fresh_points import FreshTag
from ._region_draws import HostRows, NotOnDeviceError
from ._scorer import Scorer, check_independent, entries_of
from ._types import Data, Entries, Key, Modules

Points: TypeAlias = Float[np.ndarray, "N D"]

States: TypeAlias = tuple[PyTree, ...]
"""The states of one strategy, one for every set of points."""

_SAMPLES = 16
"""Most samples whose residuals decide about points that all samples share."""

_DIRECTION = 0xD12
"""Random stream of a gradient of the total loss, apart from what else is drawn with the key."""


class Resampling:
    """Everything a problem resamples: the tags of its constraints that have a strategy.

    Args:
        program: the constraints.
        domain: the domain whose points are replaced.

    Raises:
        ValueError: a strategy needs residuals and no constraint has one on its tag; a constraint pairs the points of a
            tag with data, or with other points.
    """

    def __init__(self, program: Program, domain: Any) -> None:
        records = domain.samples.resampled
        used = [record.tag for record in records if ("points", record.tag) in program.layout.entries]
        self._tags = [_Tag(number, tag, program, domain) for number, tag in enumerate(used)]
        # the points as they are now: an earlier call may have replaced those of the program
        self._entries: Data = {}
        for tag in self._tags:
            self._entries |= tag.entries()

    def init(self) -> tuple[States, ...]:
        """The states of the strategies before training."""
        return tuple(tag.init() for tag in self._tags)

    @property
    def fresh_tags(self) -> tuple[FreshTag, ...]:
        """The tags whose points compiled code can draw; the other methods replace those of all others."""
        return tuple(tag.placement for tag in self._tags if isinstance(tag.placement, FreshTag))

    def described(self) -> list[str]:
        """One line about every tag: where its new points come from."""
        return [tag.described() for tag in self._tags]

    @property
    def is_empty(self) -> bool:
        """Whether no points are replaced."""
        return not self._tags

    def next_after(self, epoch: int) -> int | None:
        """Epochs from `epoch` to the next replacement strictly later; `None` without strategies."""
        return min((tag.strategy.next_after(epoch) for tag in self._host_tags), default=None)

    def due(self, epoch: int) -> bool:
        """Whether points are replaced right before an epoch."""
        return any(tag.strategy.should_resample(epoch) for tag in self._host_tags)

    def resample(
        self, epoch: int, modules: Mapping[int, PyTree], states: tuple[States, ...], key: Key
    ) -> tuple[Data, tuple[States, ...]]:
        """Replace the points that are due before an epoch, in the domain too.

        Args:
            epoch: the epoch that comes next.
            modules: the models by id, as they are now.
            states: of the strategies, from `init` or the last call.
            key: the only source of randomness, beside the epoch.

        Returns:
            new entries of the data of any program on this domain, of the same shapes as before: points, normals and
            nearest nodes of the tags; and the next states.
        """
        new = list(states)
        changed: Data = {}
        due = [n for n, tag in enumerate(self._tags) if tag in self._host_tags and tag.strategy.should_resample(epoch)]
        for number in due:
            entries, new[number] = self._tags[number].resample(epoch, modules, states[number], key, self._entries)
            self._entries |= entries
            changed |= entries
        for strategy in {id(self._tags[number].strategy): self._tags[number].strategy for number in due}.values():
            strategy.update_epoch(epoch)  # after all tags, which may share it
        return changed, tuple(new)

    def idle(self, stop: int) -> dict[str, str]:
        """Tags whose points have never been replaced when the epochs before `stop` are done, and why."""
        return {tag.name: reason for tag in self._tags if (reason := tag.idle(stop))}

    def restore(self, entries: Entries) -> None:
        """Put the points of an earlier run, as entries of the data, into the domain.

        Raises:
            ValueError: a tag has no points there.
        """
        for tag in self._tags:
            # what the step draws by itself follows from the epoch
            if tag in self._host_tags or ("points", tag.name) in entries:
                tag.restore(entries)
                self._entries |= tag.entries()

    def put(self, rows: Mapping[str, HostRows]) -> Data:
        """Put points that compiled code has drawn into the domain; the entries of the data that change."""
        changed: Data = {}
        for tag in self._tags:
            if tag.name in rows:
                changed |= tag.put(*rows[tag.name])
        self._entries |= changed
        return changed

    @property
    def _host_tags(self) -> list[_Tag]:
        return [tag for tag in self._tags if not isinstance(tag.placement, FreshTag)]


class _Tag:
    """One tag and the strategy that replaces its points."""

    def __init__(self, number: int, tag: str, program: Program, domain: Any) -> None:
        self._number, self._name, self._program, self._domain = number, tag, program, domain
        self.strategy: ResamplingStrategy = domain.samples.record(tag).resampling_strategy
        self._rows = program.sources["points", tag].shape[0]
        check_strategy(self.strategy)
        check_independent(tag, program)
        self._scorer = None
        if self.strategy.needs_residuals:
            try:
                self._scorer = Scorer(tag, program, influence=self.strategy.needs_influence)
            except ValueError as error:
                kind = type(self.strategy).__name__
                raise ValueError(f"the resampling strategy {kind} of {tag!r} cannot be used: {error}") from error
        self.placement = _placement(number, domain.samples.record(tag), program, domain, self._scorer)

    @property
    def name(self) -> str:
        """The key of the points in the context."""
        return self._name

    def idle(self, stop: int) -> str:
        """Why a call that ends at epoch `stop` replaces no points; empty if it does or if the strategy decides."""
        strategy, begins = self.strategy, self.strategy.begins
        if begins is None or begins < stop:
            return ""
        return (
            f"the resampling strategy {type(strategy).__name__} of {self._name!r} replaces no points in this call, "
            f"which ends with epoch {stop - 1}: it begins at epoch {begins} (start_epoch={strategy.start_epoch}, "
            f"resample_every={strategy.resample_every}). Epochs go on over calls of solve(); give a smaller "
            "start_epoch= if it is to act in this one"
        )

    def described(self) -> str:
        """Where new points come from, in one line."""
        every, points = self.strategy.resample_every, f"points of {self._name!r}"
        when = "every epoch" if every == 1 else f"every {every} epochs"
        if isinstance(self.placement, FreshTag):
            return f"{points}: drawn inside the compiled step, new ones {when}"
        if isinstance(self.placement, DeviceChoice):
            return f"{points}: chosen on the device between steps, {when}"
        return f"{points}: replaced between steps, {when} ({self.placement})"

    def init(self) -> States:
        """One state for every set of points."""
        return tuple(self.strategy.init() for _ in range(self._rows))

    def resample(
        self, epoch: int, modules: Mapping[int, PyTree], states: States, key: Key, entries: Data
    ) -> tuple[Data, States]:
        """The new entries of the data and the next states."""
        if isinstance(self.placement, DeviceChoice):
            samples = self._samples(generator_of(key, epoch, self._number, 0))
            branch = jax.random.fold_in(jax.random.fold_in(key, epoch), self._number)
            return self.put(*self.placement(modules, entries, samples, branch)), states
        direction = None
        if self._scorer is not None and self.strategy.needs_influence:
            samples = self._samples(generator_of(key, epoch, self._number, len(states)))
            direction = self._scorer.direction(modules, entries, samples, jax.random.fold_in(key, _DIRECTION))
        rows, new = [], []
        for row, state in enumerate(states):
            points, state = self._row(row, epoch, modules, state, key, entries, direction)
            rows.append(points)
            new.append(state)
        store = self._domain.samples
        store.replace_points(store.find(self._name), rows)
        return self.entries(), tuple(new)

    def restore(self, entries: Entries) -> None:
        """Take over the points of an earlier run."""
        if ("points", self._name) not in entries:
            raise ValueError(f"there are no points of the tag {self._name!r} to go on with")
        record = self._domain.samples.find(self._name)
        # in float32, as the data has them: exact for all that is computed with them
        rows, normals = np.asarray(entries["points", self._name])[:, 0], None
        if record.normals:
            sign = -1.0 if record.reverse_normals else 1.0
            normals = sign * np.asarray(entries["points", f"n_{self._name}"])[:, 0]
        self.put(rows, normals)

    def put(self, rows: Float[np.ndarray, "B N D"], normals: Float[np.ndarray, "B N D"] | None) -> Data:
        """Put points and their outward normals into the domain; the new entries of the data."""
        store = self._domain.samples
        outward = [None] * len(rows) if normals is None else normals
        store.replace_points(store.find(self._name), list(zip(rows, outward, strict=True)))
        return self.entries()

    def entries(self) -> Data:
        """The points as entries of the data."""
        store = self._domain.samples
        names = [self._name, *([f"n_{self._name}"] if store.find(self._name).normals else [])]
        return entries_of({name: store.context[name] for name in names}, self._name, self._program)

    def _row(
        self,
        row: int,
        epoch: int,
        modules: Mapping[int, PyTree],
        state: PyTree,
        key: Key,
        entries: Data,
        direction: Modules | None,
    ) -> tuple[tuple[Points, Points | None], PyTree]:
        """The next points of a batch row with their normals, and the next state."""
        domain, record = self._domain, self._domain.samples.record(self._name)
        generator = generator_of(key, epoch, self._number, row)
        points, normals = domain.samples.points_of(record, row)
        on_nodes = ("nearest", self._name) in self._program.layout.entries
        pool, pool_normals = candidates(
            domain, record, row, self.strategy.pool_size(len(points)), generator, on_nodes=on_nodes
        )
        every = np.concatenate([points, pool])
        outward = None if normals is None else np.concatenate([normals, pool_normals])
        times = domain.context[record.time_tag][:, 0]
        scores, scale = None, 1.0
        if self._scorer is not None:
            oriented = None if outward is None or not record.normals else outward * (-1.0) ** record.reverse_normals
            samples = [row] if self._rows > 1 else self._samples(generator)
            by_sample = [self._scorer(modules, entries, int(b), every, oriented, direction) for b in samples]
            # points at a fixed time have the same residual at all levels
            scores = np.mean([sample_scores for sample_scores, _ in by_sample], axis=0)[: len(times)]
            scale = max(sample_scale for _, sample_scale in by_sample)
        situation = Situation(
            points=points,
            candidates=pool,
            scores=None if scores is None else scores[:, : len(points)],
            candidate_scores=None if scores is None else scores[:, len(points) :],
            times=times,
            scale=scale,
            epoch=epoch,
            generator=generator,
        )
        for branch in (epoch, self._number, row):
            key = jax.random.fold_in(key, branch)
        new, choice, state = next_points(self.strategy, situation, state, domain, self._name, key)
        return (new, None if outward is None else outward[choice]), state

    def _samples(self, generator: np.random.Generator) -> Int[np.ndarray, " S"]:
        """Samples that stand for all."""
        count = self._program.layout.samples
        return np.sort(generator.permutation(count)[:_SAMPLES])


def _placement(
    number: int, record: SampleRecord, program: Program, domain: Any, scorer: Scorer | None
) -> FreshTag | DeviceChoice | str:
    """How compiled code replaces the points of a tag, or why it cannot."""
    try:
        if scorer is not None:
            return DeviceChoice(record, program, domain, scorer)
        return FreshTag.of(number, record, program, domain)
    except NotOnDeviceError as error:
        return str(error)
