"""The driver loop: the only place where epochs advance."""

from __future__ import annotations

import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

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


def train(step: Step, state: TrainState, epochs: int, names: list[str], recorder: Recorder, hooks: Hooks) -> TrainState:
    """Advance ``state`` by ``epochs`` epochs, or fewer when a callback stops or a loss is not finite.

    Between events the steps run fused on the device.  The state before each device call is kept until the next one
    has succeeded, so that after a non-finite loss the last finite state can be recomputed exactly.
    """
    first = int(state.epoch)
    pace = _Pace()
    earlier: tuple[TrainState, int] | None = None
    with Progress(epochs, first, names) as progress:
        done = 0
        while done < epochs:
            hooks.tracked.record(first + done, hooks.modules_of(state), state.key, recorder)
            count = _until_next_event(first + done, epochs - done, hooks, pace)
            start = state
            state, finished, losses = pace.timed(count, functools.partial(step.run, start, count))
            recorder.add(losses[:finished])
            if finished < count:
                state = _last_finite(step, start, finished, earlier, recorder)
                _report(first + done + finished, names, losses[-1], recorder)
                break
            done += count
            earlier = (start, count)
            progress.advance(losses, recorder.elapsed)
            if hooks.stepwise and _callbacks_stop(hooks, state, losses[-1], first + done - 1):
                recorder.stop_reason = f"stopped by a callback at epoch {first + done - 1}"
                break
    return state


class _Pace:
    """Chooses how many steps one device call takes, from the speed seen so far."""

    def __init__(self) -> None:
        self._seconds_per_step: float | None = None

    @property
    def steps(self) -> int:
        """Steps for the next call: one first (it compiles), ten to measure, then by time."""
        if self._seconds_per_step is None:
            return 1
        return int(np.clip(_CHUNK_SECONDS / self._seconds_per_step, 1, CHUNK))

    def timed(self, count: int, call: Callable[[], Any]) -> Any:
        """Run ``call`` and learn from it; the first call includes compilation and only bounds the speed."""
        start = time.perf_counter()
        result = call()
        self._seconds_per_step = max((time.perf_counter() - start) / count, 1e-6)
        return result


def _until_next_event(epoch: int, remaining: int, hooks: Hooks, pace: _Pace) -> int:
    limits = [remaining, CHUNK]
    limits.append(hooks.inner_steps if hooks.stepwise else pace.steps)
    tracker = hooks.tracked.next_after(epoch)
    if tracker is not None:
        limits.append(tracker)
    return max(1, min(limits))


def _last_finite(step: Step, start: TrainState, finished: int, earlier: Any, recorder: Recorder) -> TrainState:
    """The newest state whose loss was finite: the failing one is the result of the last update."""
    if finished > 0:
        return start if finished == 1 else step.run(start, finished - 1)[0]
    if earlier is None:
        return start
    before, count = earlier
    return before if count == 1 else step.run(before, count - 1)[0]


def _report(epoch: int, names: list[str], losses: np.ndarray, recorder: Recorder) -> None:
    bad = ", ".join(f"{n} = {v}" for n, v in zip(names, losses, strict=True) if not np.isfinite(v))
    recorder.stop_reason = f"non-finite loss at epoch {epoch}: {bad}"
    message = (
        f"training stopped at epoch {epoch}: the loss of {bad} is not finite. The models hold the last weights with a "
        "finite loss. Lower the learning rate, or look for divisions, logarithms and roots near zero; set "
        "JNO_STOP_ON_NONFINITE=0 to go on regardless"
    )
    get_logger().error(message)
    warnings.warn(message, NonFiniteLossWarning, stacklevel=4)


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
