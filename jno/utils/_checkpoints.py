"""Checkpoints of one directory: arrays and metadata by step, written by Orbax."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from ._logger import get_logger


def orbax() -> Any:
    """The module ``orbax.checkpoint``.

    Raises:
        ImportError: naming the extra.
    """
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError("checkpoints need the package orbax-checkpoint: pip install 'jno-jax[checkpoint]'") from error
    return orbax.checkpoint


class CheckpointFolder:
    """The checkpoints of a directory.

    Args:
        directory: where they are; made when it is needed.
        max_to_keep: number of checkpoints that are kept; ``None``: all.
        best_fn: of the metrics, the smaller the better; the best are kept instead of the newest.
        asynchronous: write in the background.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_to_keep: int | None = None,
        best_fn: Callable[[Mapping[str, Any]], float] | None = None,
        asynchronous: bool = False,
    ) -> None:
        checkpoint = orbax()
        self.directory = directory.absolute()
        self._args = checkpoint.args
        options = checkpoint.CheckpointManagerOptions(
            max_to_keep=max_to_keep,
            best_fn=best_fn,
            best_mode="min",
            enable_async_checkpointing=asynchronous,
        )
        self._manager = checkpoint.CheckpointManager(self.directory, options=options)

    @property
    def steps(self) -> list[int]:
        """The finished checkpoints, the oldest first; half-written ones are none."""
        return sorted(self._manager.all_steps())

    @property
    def best(self) -> int | None:
        """The step of the best finished checkpoint, None without one or without `best_fn`."""
        return self._manager.best_step()

    def metrics(self, step: int) -> dict[str, Any]:
        """What `save` was told of a step."""
        return dict(self._manager.metrics(step))

    def save(self, step: int, arrays: PyTree, metadata: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            OSError, ValueError, RuntimeError: what went wrong, also with an earlier one written in the background.
        """
        content = self._args.Composite(
            state=self._args.StandardSave(arrays), metadata=self._args.JsonSave(dict(metadata))
        )
        self._manager.save(step, args=content, metrics=dict(metrics), force=True)

    def read(self, step: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Arrays and metadata of a step, or of the newest one that can be read.

        Raises:
            FileNotFoundError: no such step, or none at all that can be read.
        """
        available = self.steps
        if step is not None and step not in available:
            raise FileNotFoundError(f"no checkpoint of step {step} in {self.directory}; there are {available}")
        items = self._args.Composite(state=self._args.StandardRestore(), metadata=self._args.JsonRestore())
        for candidate in reversed(available if step is None else [step]):
            try:
                _check_arrays(self.directory / str(candidate) / "state")
                content = self._manager.restore(candidate, args=items)
            except Exception as error:  # Orbax documents no errors for files that are truncated or damaged
                if step is not None:
                    raise FileNotFoundError(
                        f"the checkpoint of step {step} in {self.directory} cannot be read: {error}"
                    ) from error
                message = f"the checkpoint of step {candidate} in {self.directory} is unreadable and skipped: {error}"
                get_logger().warning(message)
                warnings.warn(message, stacklevel=3)
            else:
                return content.state, dict(content.metadata)
        raise FileNotFoundError(f"{self.directory} holds no checkpoint that can be read")

    def wait(self) -> None:
        """Wait for what is written in the background; raises what went wrong."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and let go of the directory."""
        self._manager.close()


def _check_arrays(directory: Path) -> None:
    """Read all arrays one after the other.

    Orbax reads them at once, and where one is damaged the others find its event loop closed, which can end the process.

    Raises:
        ValueError: one cannot be read.
    """
    import tensorstore  # comes with Orbax

    base = {"driver": "file", "path": f"{directory}/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    for key in store.list().result():
        store.read(key).result()
