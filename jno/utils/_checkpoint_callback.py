"""Checkpoints while training."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable as Function
from collections.abc import Mapping
from typing import Any, final

import jax

from ._callback import Callback
from ._checkpoints import CheckpointFolder
from ._kinds import FLAG, NAME, PATH, TEXT, checked, function_of, integer
from ._locks import WriterLock
from ._logger import get_logger
from ._monitor import Monitor
from ._paths import shown_path, user_path


def _metrics(kw: Mapping[str, Any]) -> dict[str, Any]:
    return {"total_loss": kw["total_loss"], "individual_losses": [float(loss) for loss in kw["individual_losses"]]}


_WRITE_ERRORS = (OSError, ValueError, RuntimeError)
"""What Orbax raises when it cannot write."""


@final
class CheckpointCallback(Callback):
    """Write checkpoints while training, for ``jno.core(..., resume_from=directory)`` and ``Model.initialize``.

    A checkpoint holds all weights (frozen ones too), optimizer states, states of balancers, the random key and the
    epoch: training that goes on from it gives the same numbers, bit for bit, as training that was never interrupted.
    Its step is the number of finished epochs. When writing fails (a full disk) training goes on: it is said once, the
    checkpoints written before are kept, and each one that is due is tried again.

    While training runs, the directory is locked: no other training, in this process or another, may write there.

    Args:
        directory: where to write; default `checkpoints` in the run directory (`jno.setup`).
        save_interval_epochs: epochs between two checkpoints; the default is 500, and shorter runs write none, which is
            said once.
        max_to_keep: number of checkpoints that are kept, the oldest are deleted; None keeps all.
        best_fn: keep the best instead of the newest: a function of `{"total_loss": ..., "individual_losses": [...]}`,
            the smaller the better; they are the losses before the last update.
        async_checkpointing: write in the background.
        monitor: write the best weights instead of the newest: those with the best ``"total_loss"``, or value of the
            constraint or tracker with this label. Whenever a checkpoint is due, and at the end of training, the best
            are written if they are better than what is there; the step is the number of epochs after which they were
            reached. `restore` gives the best; ``resume_from=`` and ``initialize`` take the newest, which is the best
            unless a later run wrote it.
        mode: whether the best value is the least, ``"min"``, or the greatest, ``"max"``.

    Raises:
        ValueError: no directory is known, a number below 1, ``monitor`` beside ``best_fn``, an unknown ``mode``. When
            training begins: the directory holds checkpoints of more epochs than have been done, or nothing has the
            label ``monitor``.
        RuntimeError: when training begins, another one is writing to the directory; the message says which process, on
            which machine, since when.
        ImportError: `orbax-checkpoint` is not installed.

    Example:
        >>> import jno
        >>> keep = jno.callbacks.checkpoint("runs/poisson", save_interval_epochs=100)  # doctest: +SKIP
        >>> crux.solve(1000, callbacks=[keep])  # doctest: +SKIP
    """

    @checked(
        "checkpoint",
        directory=PATH,
        save_interval_epochs=integer(),
        max_to_keep=integer(),
        best_fn=function_of(1, "a function of the losses that returns a number"),
        async_checkpointing=FLAG,
        monitor=NAME,
        mode=TEXT,
    )
    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        save_interval_epochs: int = 500,
        max_to_keep: int | None = 3,
        best_fn: Function[[Mapping[str, Any]], float] | None = None,
        async_checkpointing: bool = True,
        monitor: str | None = None,
        mode: str = "min",
    ) -> None:
        if directory is None:
            run = get_logger().path
            if run is None:
                raise ValueError(
                    "checkpoint(directory=None) writes below the run directory, and there is none: give a directory or "
                    "call jno.setup(__file__) first"
                )
            directory = run / "checkpoints"
        if save_interval_epochs < 1 or (max_to_keep is not None and max_to_keep < 1):
            raise ValueError(
                f"save_interval_epochs={save_interval_epochs} and max_to_keep={max_to_keep} must be at least 1"
            )
        if monitor is not None and best_fn is not None:
            raise ValueError(f"checkpoint(monitor={monitor!r}, best_fn=...): both say what the best is; leave one out")
        self._monitor = None if monitor is None else Monitor("checkpoint", monitor, mode)
        if monitor is None and mode != "min":
            raise ValueError(f"checkpoint(mode={mode!r}): it says what is better of monitor=, which is missing")
        self.needs_measured = monitor is not None
        self._best: float | None = None
        self._pending: tuple[Any, dict[str, Any]] | None = None
        self.directory = user_path(directory)
        self.location = shown_path(self.directory)
        self.save_interval_epochs = save_interval_epochs
        self._options: dict[str, Any] = {
            "max_to_keep": max_to_keep,
            "best_fn": best_fn if monitor is None else self._rank,
            "asynchronous": async_checkpointing,
        }
        self._lock = WriterLock(self.directory / ".lock")
        self._opened: CheckpointFolder | None = None
        self._newest = 0
        self._done = 0
        self._warned_empty = False
        self._failed = False

    @property
    def _folder(self) -> CheckpointFolder:
        if self._opened is None:
            self._opened = CheckpointFolder(self.directory, **self._options)
        return self._opened

    def on_solve_begin(self, **kw: Any) -> None:
        """Refuse a directory of another run."""
        # of several processes that train together, one stands for all
        if jax.process_index() == 0 and not self._lock.acquire():
            raise RuntimeError(
                f"checkpoints are being written to {self.location} {self._lock.owner}: use another directory, or wait "
                "until that training ends"
            )
        try:
            self._begin(kw)
        except BaseException:
            self.release()
            raise

    def _begin(self, kw: Mapping[str, Any]) -> None:
        epoch = kw["epoch"]
        self._folder.reload()
        newest = self.latest_step()
        if newest is not None and newest > epoch:
            raise ValueError(
                f"{self.location} holds a checkpoint after {newest} epochs, this training begins at epoch {epoch}: "
                "use another directory, or go on with core(..., resume_from=...)"
            )
        self._newest = self._done = epoch
        self._pending, self._failed = None, False
        if self._monitor is not None:
            self._monitor.check(kw)
            best = self._folder.best
            if best is not None:
                self._best = self._folder.metrics(best)["monitored"]

    def _rank(self, metrics: Mapping[str, Any]) -> float:
        """The monitored value, the smaller the better."""
        assert self._monitor is not None
        return -metrics["monitored"] if self._monitor.mode == "max" else metrics["monitored"]

    def on_epoch_end(self, **kw: Any) -> None:
        """Write a checkpoint when one is due."""
        step = self._done = kw["epoch"] + 1
        if self._monitor is not None:
            self._remember(kw, self._monitor)
        if step // self.save_interval_epochs == self._newest // self.save_interval_epochs:
            return
        self._newest = step
        if self._monitor is None:
            self._write(kw["snapshot"](), _metrics(kw))
        else:
            self._write_pending()

    def _remember(self, kw: Mapping[str, Any], monitor: Monitor) -> None:
        value = monitor.value(kw)
        if value is None or not monitor.improves(value, self._best):
            return
        self._best = value
        tracked = monitor.name if monitor.name in kw["tracked"] else None
        self._pending = (kw["snapshot"](kw["measured"](tracked)), {**_metrics(kw), "monitored": value})

    def _write_pending(self) -> None:
        if self._pending is not None:
            snapshot, metrics = self._pending
            self._pending = None
            self._write(snapshot, metrics)

    def _write(self, snapshot: tuple[Any, dict[str, Any]], metrics: dict[str, Any]) -> None:
        arrays, metadata = snapshot
        step = int(arrays["epoch"])
        facts = {**metadata, **metrics, "epoch": step, "timestamp": time.time(), "checkpoint_dir": str(self.directory)}
        self._guarded(lambda: self._folder.save(step, arrays, facts, metrics))

    def on_training_end(self) -> None:
        """Write the best that is not written yet, wait for what is written in the background, and say when nothing
        was."""
        self._write_pending()
        self.release()
        if self._monitor is None and self._done < self.save_interval_epochs and not self._warned_empty:
            self._warned_empty = True
            get_logger().warning(
                f"no checkpoint was written to {self.location}: {self._done} epochs are done, and one is written "
                f"every {self.save_interval_epochs}; give a smaller save_interval_epochs="
            )

    def release(self) -> None:
        """Wait for what is written in the background, and let others write to the directory; training does this when it
        ends, however it ends."""
        if self._opened is not None:
            self._guarded(self._opened.wait)
        self._lock.release()

    def restore(self, step: int | None = None) -> dict[str, Any]:
        """What a checkpoint holds: ``trainable`` and ``fixed`` (leaves by model and path, those that were trained and
        the others), ``opt_states``, ``rng``, ``metadata``.

        Args:
            step: number of finished epochs; default: the newest that can be read, with ``monitor`` the best.

        Raises:
            FileNotFoundError: there is none.
        """
        if step is None and self._monitor is not None:
            step = self._folder.best
        arrays, metadata = self._folder.read(step)
        return {
            "trainable": arrays["weights"],
            "fixed": arrays.get("fixed", {}),
            "opt_states": arrays.get("optimizers", {}),
            "rng": arrays["key"],
            "metadata": metadata,
        }

    def latest_step(self) -> int | None:
        """Number of finished epochs of the newest checkpoint, None without one."""
        return max(self.all_steps(), default=None)

    def all_steps(self) -> list[int]:
        """The steps of all checkpoints."""
        return self._folder.steps

    def close(self) -> None:
        """Wait for what is being written, and let go of the directory."""
        if self._opened is not None:
            self._guarded(self._opened.close)
            self._opened = None
        self._lock.release()

    def _guarded(self, write: Function[[], None]) -> None:
        try:
            write()
        except _WRITE_ERRORS as error:
            if not self._failed:
                reason = str(error).partition("\n")[0]
                message = f"a checkpoint could not be written to {self.location}, training goes on: {reason}"
                get_logger().error(message)
                warnings.warn(message, stacklevel=2)
            self._failed = True
