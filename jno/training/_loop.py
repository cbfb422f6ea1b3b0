"""The driver loop: the only place where epochs advance."""

from __future__ import annotations

import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jno.utils import get_logger
from jno.utils.callbacks import Callback

from ._progress import Progress
from ._recorder import Recorder
from ._step import CHUNK, Step, TrainState
from ._trackers import Tracked

_CHUNK_SECONDS = 0.3
"""Aimed duration of one device call: short enough for a live progress bar, long enough to cost nothing."""


class NonFiniteLossWarning(RuntimeWarning):
    """Training stopped because a loss became NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What happens around steps: trackers at their epochs, callbacks after every outer step of ``inner_steps``."""

    tracked: Tracked
    callbacks: Sequence[Callback]
    inner_steps: int
    modules_of: Callable[[TrainState], dict[int, Any]]
    keywords: Callable[[], dict[str, Any]]

    @property
    def stepwise(self) -> bool:
        """Whether someone wants to be called after every outer step."""
        return any(type(c).on_epoch_end is not Callback.on_epoch_end for c in self.callbacks)


class Run:
    """One training run: advances a state epoch by epoch and always holds the newest good one.

    Between events the steps run fused on the device.  The state before each device call is kept until the next one
    has succeeded, so that after a non-finite loss the last finite state can be recomputed exactly.
    """

    def __init__(self, step: Step, state: TrainState, names: list[str], recorder: Recorder, hooks: Hooks) -> None:
        self.state = state
        self._step = step
        self._names = names
        self._recorder = recorder
        self._hooks = hooks
        self._first = int(state.epoch)
        self._earlier: tuple[TrainState, int] | None = None

    def advance(self, epochs: int) -> None:
        """Train for ``epochs`` epochs, or fewer when a callback stops or a loss is not finite."""
        pace, done = _Pace(), 0
        with Progress(epochs, self._first, self._names) as progress:
            while done < epochs:
                epoch = self._first + done
                state = self.state
                modules = functools.partial(self._hooks.modules_of, state)
                self._hooks.tracked.record(epoch, modules, state.key, self._recorder)
                count = _until_next_event(epoch, done, epochs - done, self._hooks, pace)
                new, finished, losses = pace.timed(count, functools.partial(self._step.run, state, count))
                self._recorder.add(losses[:finished])
                if finished < count:
                    self._give_up(state, finished, f"non-finite loss at epoch {epoch + finished}", losses[-1])
                    return
                done += count
                self.state, self._earlier = new, (state, count)
                progress.advance(losses, self._recorder.elapsed)
                outer_step_ends = self._hooks.stepwise and done % self._hooks.inner_steps == 0
                if outer_step_ends and _callbacks_stop(self._hooks, new, losses[-1], epoch + count - 1):
                    self._recorder.stop_reason = f"stopped by a callback at epoch {epoch + count - 1}"
                    break
        if self._step.stops_on_nonfinite and not all_finite(self.state.parameters):
            start, count = self._earlier or (self.state, 0)
            self._earlier = None
            self._give_up(start, count, f"non-finite weights after epoch {self._first + done - 1}", losses[-1])

    def _give_up(self, start: TrainState, finished: int, reason: str, losses: np.ndarray) -> None:
        """Go back to the newest state with finite loss: the failing one is the result of the last update."""
        self.state = start
        if finished > 1:
            self.state = self._step.run(start, finished - 1)[0]
        elif finished == 0 and self._earlier is not None:
            before, count = self._earlier
            self.state = before if count == 1 else self._step.run(before, count - 1)[0]
        bad = ", ".join(f"{n} = {v}" for n, v in zip(self._names, losses, strict=True) if not np.isfinite(v))
        self._recorder.stop_reason = f"{reason}: {bad}" if bad else reason
        message = (
            f"training stopped: {self._recorder.stop_reason}. The models hold the last weights with a finite loss. "
            "Lower the learning rate, or look for divisions, logarithms and roots near zero; set "
            "JNO_STOP_ON_NONFINITE=0 to go on regardless"
        )
        get_logger().error(message)
        warnings.warn(message, NonFiniteLossWarning, stacklevel=5)


def all_finite(tree: Any) -> bool:
    """Whether every array of a pytree is finite."""
    return all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree_util.tree_leaves(tree))


class _Pace:
    """Chooses how many steps one device call takes, from the speed seen so far."""

    def __init__(self) -> None:
        self._seconds_per_step: float | None = None

    @property
    def steps(self) -> int:
        """Steps for the next call: one first, which compiles, then by the time of the call before."""
        if self._seconds_per_step is None:
            return 1
        return int(np.clip(_CHUNK_SECONDS / self._seconds_per_step, 1, CHUNK))

    def timed(self, count: int, call: Callable[[], Any]) -> Any:
        """Run ``call`` and learn from it; the first call includes compilation, so the second is short as well."""
        start = time.perf_counter()
        result = call()
        self._seconds_per_step = max((time.perf_counter() - start) / count, 1e-6)
        return result


def _until_next_event(epoch: int, done: int, remaining: int, hooks: Hooks, pace: _Pace) -> int:
    limits = [remaining, CHUNK]
    limits.append(hooks.inner_steps - done % hooks.inner_steps if hooks.stepwise else pace.steps)
    tracker = hooks.tracked.next_after(epoch)
    if tracker is not None:
        limits.append(tracker)
    return max(1, min(limits))


def _callbacks_stop(hooks: Hooks, state: TrainState, losses: np.ndarray, epoch: int) -> bool:
    keywords = {
        **hooks.keywords(),
        "epoch": epoch,
        "trainable": state.parameters,
        "opt_states": state.optimizers,
        "rng": state.key,
        "total_loss": float(np.mean(losses)),
        "individual_losses": losses,
    }
    # every callback is called, also after one has asked to stop
    answers = [bool(callback.on_epoch_end(**keywords)) for callback in hooks.callbacks]
    return any(answers)
