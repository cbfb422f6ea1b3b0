"""The driver loop: the only place where epochs advance."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from jno.optimizers import SLOW_STEPS, slow_start
from jno.utils import (
    BeforeUpdate,
    Callback,
    CheckpointCallback,
    EpochEnd,
    Event,
    SolveEnd,
    check_interruption,
    get_logger,
)

from ._alike import check_like
from ._batches import Feed
from ._measured import Measured
from ._points import Points
from ._profile import ProfilerTrace
from ._recorder import Recorder
from ._state import TrainState
from ._step import MOST_EPOCHS, SCAN_LENGTH, Epochs, Step
from ._step_loss import StepLoss
from ._trackers import Tracked
from ._training_bar import TrainingBar
from ._types import Data, Leaves, Modules
from ._until import Until

_CALL_SECONDS = 0.3
"""Aimed duration of one device call: short enough for a live progress bar, long enough to cost nothing."""

_RISE = 100.0
"""Factor between the losses of the first and the last epoch of a call that is worth a warning."""

_Result = TypeVar("_Result")


class NonFiniteLossWarning(RuntimeWarning):
    """Training stopped because a loss became NaN or infinite; the models have the last finite weights.

    The warning names the constraints. ``JNO_STOP_ON_NONFINITE=0`` trains on, see `jno.utils.get_stop_on_nonfinite`.

    Example:
        >>> import jno, optax, warnings
        >>> x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
        >>> k = jno.np.parameter((), name="k").initialize(-1.0).optimizer(optax.sgd(0.1))
        >>> crux = jno.core([(jno.np.sqrt(k) - x).mse])
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", jno.NonFiniteLossWarning)
        ...     try:
        ...         _ = crux.solve(1)
        ...     except jno.NonFiniteLossWarning as warning:
        ...         print(f"{warning}"[:16])
        INFO: compiling
        ERROR: training stopped: non-finite loss at epoch 0: ...
        training stopped
    """


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What happens around epochs: trackers at theirs, callbacks after every outer step of ``inner_steps``."""

    tracked: Tracked
    tracker_names: Sequence[str]
    callbacks: Sequence[Callback]
    inner_steps: int
    modules_of: Callable[[TrainState], Modules]
    snapshot: Callable[[TrainState], tuple[dict[str, Any], dict[str, Any]]]
    context: Callable[[int], Mapping[str, Any]]
    """The arrays of the domain by tag, with the points of an epoch."""
    check_solvable: Callable[[TrainState, Data], None] | None
    """Raises the error of a weak problem that has no solution in a state; None where there are no such problems."""

    @property
    def stepwise(self) -> bool:
        """Whether a callback acts after every outer step."""
        return any(type(c).on_epoch_end is not Callback.on_epoch_end for c in self.callbacks)

    @property
    def hooked(self) -> bool:
        """Whether a callback sees the gradients of every step."""
        return any(type(c).on_before_update is not Callback.on_before_update for c in self.callbacks)

    @property
    def measured(self) -> bool:
        """Whether a callback reads the states that losses and tracked values belong to."""
        return any(c.needs_measured for c in self.callbacks)

    def call(self, event: Event) -> list[Any]:
        """The answer of every callback to an event."""
        return [_answer(callback, event) for callback in self.callbacks]

    def release(self) -> None:
        """Let go of what callbacks hold while training runs, however it ended."""
        for callback in self.callbacks:
            if isinstance(callback, CheckpointCallback):
                callback.release()

    def replaced(self, gradients: Leaves, state: TrainState, loss: StepLoss) -> Leaves:
        """The gradients after every callback has had them, one after the other."""
        for callback in self.callbacks:
            event = BeforeUpdate(
                grads=gradients,
                value_fn=loss,
                trainable=state.parameters,
                context=self.context(int(state.epoch)),
                rng=state.key,
                epoch=int(state.epoch),
            )
            answer = _answer(callback, event)
            gradients = gradients if answer is None else _like(answer, gradients, type(callback).__name__)
        return gradients


def _answer(callback: Callback, event: Event) -> Any:
    """What a callback returns; an exception gets a note that names the callback."""
    try:
        return operator.methodcaller(event.hook, **event.keywords())(callback)
    except Exception as error:
        when = f" at epoch {event.keywords()['epoch']}" if event.of_one_epoch else ""
        error.add_note(f"raised by the callback {type(callback).__name__}.{event.hook}(){when}")
        raise


class Run:
    """One training run: advances a state epoch by epoch and always holds the newest good one.

    Between events the epochs run fused on the device.  The state before each device call is kept until the next one
    has succeeded, so that after a non-finite loss the last finite state can be recomputed exactly.
    """

    def __init__(
        self,
        step: Step,
        feed: Feed,
        points: Points,
        state: TrainState,
        names: list[str],
        recorder: Recorder,
        hooks: Hooks,
        until: Until,
    ) -> None:
        self.state = state
        self._until = until
        self._points = points
        self._step = step
        self._feed = feed
        self._names = names
        self._recorder = recorder
        self._hooks = hooks
        self._first_epoch = int(state.epoch)
        self._earlier: _DeviceCall | None = None
        self._measured = Measured(hooks.tracker_names, records=hooks.measured)

    def advance(self, epochs: int, trace: ProfilerTrace) -> None:
        """Train for ``epochs`` epochs, fewer when a callback stops, a loss is not finite or the user interrupts."""
        with TrainingBar(epochs, compiles=self._step.compiles) as bar, contextlib.closing(trace):
            try:
                self._train(epochs, bar, trace)
            except KeyboardInterrupt:
                done = self._recorder.epochs
                if not done:
                    # what was being traced stays half made in JAX's caches, and later calls would stumble over it
                    jax.clear_caches()
                self._recorder.stop_reason = interruption(self._first_epoch, done)
                get_logger().warning(
                    f"training was interrupted: the models hold the weights after {done} of {epochs} epochs"
                )
            finally:
                self._feed.close()
        for answer in self._hooks.call(SolveEnd(epoch=int(self.state.epoch), log=get_logger())):
            if answer is not None:
                self.state = restored(answer, self.state)

    def _train(self, epochs: int, bar: TrainingBar, trace: ProfilerTrace) -> None:
        pace, done = _Pace(), 0
        losses = np.zeros((0, len(self._names)))
        while done < epochs:
            check_interruption()
            epoch = self._first_epoch + done
            self._before(epoch)
            if self._until.reached:
                self._recorder.stop_reason = f"reached what until= asks for before epoch {epoch}"
                break
            count = self._until_next_event(epoch, done, epochs - done, pace)
            count = trace.before(count, first_call=done == 0)
            call = _DeviceCall(self.state, self._points.with_tables(self._feed.data(epoch)), count)
            result = pace.timed(count, functools.partial(self._run, call))
            reached = self._until.first(result.losses[: result.finished])
            if reached is not None and reached + 1 < count:  # the same epochs once more, and no others
                count = reached + 1
                call = dataclasses.replace(call, count=count)
                result = self._run(call)
            finished, losses = result.finished, result.losses
            self._step.compiles = False
            self._recorder.add(losses[:finished])
            if finished < count:
                self._give_up(call, finished, f"non-finite loss at epoch {epoch + finished}", losses[-1])
                return
            done += count
            self.state, self._earlier = result.state, call
            bar.advance(losses)
            trace.after(count)
            outer_step_ends = self._hooks.stepwise and done % self._hooks.inner_steps == 0
            if outer_step_ends and self._callbacks_stop(losses[-1], epoch + count - 1):
                self._recorder.stop_reason = f"stopped by a callback at epoch {epoch + count - 1}"
                break
            if reached is not None:
                self._recorder.stop_reason = f"reached what until= asks for at epoch {epoch + count - 1}"
                break
            if outer_step_ends:
                self._begin_outer_step()
        if done:
            self._warn_of_rise(float(np.mean(losses[-1])))
            self._warn_of_slow_start()
        if self._step.stops_on_nonfinite and not all_finite(self.state.parameters):
            assert self._earlier is not None  # at least one epoch was run
            call, self._earlier = self._earlier, None
            reason = f"non-finite weights after epoch {self._first_epoch + done - 1}"
            self._give_up(call, call.count, reason, losses[-1])

    def _warn_of_rise(self, last: float) -> None:
        first = self._recorder.first_loss
        if first is not None and last > _RISE * first > 0.0:
            get_logger().warning(
                f"the loss rose from {first:.4g} to {last:.4g} in this call: training diverges, or new points, samples "
                "or weights made the problem harder. Lower the learning rate, take more points, or replace them less "
                "often"
            )

    def _warn_of_slow_start(self) -> None:
        """Say of optimizers that are ahead of others only later that the loss still fell when training ended."""
        hint = slow_start(self.state.optimizers)
        steps = int(self.state.epoch)
        if hint is None or steps >= SLOW_STEPS or not self._recorder.still_falling:
            return
        name, remedy = hint
        get_logger().once(
            f"the loss was still falling when training ended after {steps} steps of {name}, which optax.adam is often "
            f"ahead of by then: {remedy}",
            level="warning",
        )

    def _before(self, epoch: int) -> None:
        """What is due before an epoch: new points, and trackers."""
        state = self.state
        modules_of = functools.partial(self._hooks.modules_of, state)
        self._points.renew(epoch, modules_of)
        if self._hooks.tracked.due(epoch):
            self._points.settle(epoch)
        weights = self._step.balancing.entries(state.balancers)
        values = self._hooks.tracked.record(epoch, modules_of, weights, state.key, self._recorder)
        self._measured.note(values, state)
        self._until.note(values)

    def _begin_outer_step(self) -> None:
        self._measured.clear()
        balancers = self._step.balancing.refreshed(self.state.balancers)
        self.state = dataclasses.replace(self.state, balancers=balancers)

    def _run(self, call: _DeviceCall) -> Epochs:
        if not self._hooks.hooked:
            return self._step.run(call.state, call.data, call.count)
        return self._step.run_hooked(call.state, call.data, self._hooks.replaced)

    def _until_next_event(self, epoch: int, done: int, remaining: int, pace: _Pace) -> int:
        hooks = self._hooks
        limits = [remaining, MOST_EPOCHS if self._feed.epochs is None else self._feed.epochs]
        limits.append(hooks.inner_steps - done % hooks.inner_steps if hooks.stepwise else pace.steps)
        if hooks.measured and limits[-1] > 1:
            limits[-1] -= 1  # the losses of an outer step are those of its last epoch, which begins with their state
        if hooks.hooked:
            limits.append(1)
        events = (hooks.tracked.next_after(epoch), self._points.next_after(epoch))
        limits += [event for event in events if event is not None]
        return max(1, min(limits))

    def _callbacks_stop(self, losses: Float[np.ndarray, " C"], epoch: int) -> bool:
        event = EpochEnd(
            context=self._hooks.context(epoch),
            log=get_logger(),
            epoch=epoch,
            trainable=self.state.parameters,
            opt_states=self.state.optimizers,
            rng=self.state.key,
            total_loss=float(np.mean(losses)),
            individual_losses=losses,
            tracked=dict(self._measured.tracked),
            measured=self._measured.state,
            snapshot=lambda state=None: self._hooks.snapshot(self.state if state is None else state),
        )
        answers = self._hooks.call(event)  # of all callbacks, also after one that stops
        return any(answers)

    def _give_up(self, call: _DeviceCall, finished: int, reason: str, losses: Float[np.ndarray, " C"]) -> None:
        """Go back to the newest state with finite loss: the failing one is the result of the last update."""
        self.state = call.state
        if finished > 1:
            self.state = self._run(dataclasses.replace(call, count=finished - 1)).state
        elif finished == 0 and self._earlier is not None:
            before = self._earlier
            repeated = dataclasses.replace(before, count=before.count - 1)
            self.state = before.state if before.count == 1 else self._run(repeated).state
        bad = ", ".join(f"{n} = {v}" for n, v in zip(self._names, losses, strict=True) if not np.isfinite(v))
        self._recorder.stop_reason = f"{reason}: {bad}" if bad else reason
        if bad and self._hooks.check_solvable is not None:
            failing = self._run(dataclasses.replace(call, count=finished)).state if finished else call.state
            if all_finite(failing.parameters):
                self._hooks.check_solvable(failing, call.data)
        message = (
            f"training stopped: {self._recorder.stop_reason}. The models hold the last weights with a finite loss. "
            "Lower the learning rate, or look for divisions, logarithms and roots near zero; set "
            "JNO_STOP_ON_NONFINITE=0 to go on regardless"
        )
        get_logger().error(message)
        warnings.warn(message, NonFiniteLossWarning, stacklevel=6)


@dataclasses.dataclass(frozen=True)
class _DeviceCall:
    """One device call: ``count`` epochs from a state, all on the same data."""

    state: TrainState
    data: Data
    count: int


def _like(answer: PyTree, gradients: Leaves, name: str) -> Leaves:
    """Gradients that a callback returned, checked."""
    check_like(answer, gradients, f"{name}.on_before_update()", "gradients like those given")
    return jax.tree_util.tree_map(lambda new, old: jnp.asarray(new, old.dtype), answer, gradients)


def restored(answer: object, state: TrainState) -> TrainState:
    """The state with weights and optimizer states that a callback returned, checked."""
    if not isinstance(answer, TrainState):
        raise TypeError(
            f"on_solve_end() returned {type(answer).__name__}: expected None, or a state that measured() gave"
        )
    new = dataclasses.replace(state, parameters=answer.parameters, optimizers=answer.optimizers)
    check_like(new, state, "on_solve_end()", "a state like that of training")
    return new


def interruption(first_epoch: int, done: int) -> str:
    """Why training ended, when Ctrl-C ended it after ``done`` epochs."""
    return f"interrupted after epoch {first_epoch + done - 1}" if done else f"interrupted before epoch {first_epoch}"


def all_finite(tree: PyTree) -> bool:
    """Whether every array of a pytree is finite."""
    leaves = jax.tree_util.tree_leaves(tree)
    if all(device.platform == "cpu" for leaf in leaves for device in leaf.devices()):
        return all(np.isfinite(leaf).all() for leaf in leaves)  # NumPy reads them where they are: nothing is compiled
    return bool(_all_finite(leaves))


@jax.jit
def _all_finite(leaves: list[Array]) -> Bool[Array, ""]:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


class _Pace:
    """Chooses how many steps one device call takes, from the speed seen so far."""

    def __init__(self) -> None:
        self._seconds_per_step: float | None = None

    @property
    def steps(self) -> int:
        """Steps for the next call: one first, which compiles, then by the time of the call before."""
        if self._seconds_per_step is None:
            return 1
        steps = int(np.clip(_CALL_SECONDS / self._seconds_per_step, 1, MOST_EPOCHS))
        return steps if steps < SCAN_LENGTH else steps // SCAN_LENGTH * SCAN_LENGTH

    def timed(self, count: int, call: Callable[[], _Result]) -> _Result:
        """Run ``call`` and learn from it; the first call includes compilation, so the second is short as well."""
        start = time.perf_counter()
        result = call()
        self._seconds_per_step = max((time.perf_counter() - start) / count, 1e-6)
        return result
