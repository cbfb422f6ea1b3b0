"""Checkpoints of one directory: arrays and metadata by step, written by Orbax."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ._config import get_limits
from ._extras import from_extra
from ._logger import get_logger
from ._paths import shown_path
from ._structured_text import bounded_bytes, parsed_json


def orbax() -> Any:
    """The module ``orbax.checkpoint``.

    Raises:
        ImportError: naming the extra.
    """
    with from_extra("checkpoint", "checkpoints need the package orbax-checkpoint"):
        import orbax.checkpoint
    logging.getLogger("absl").addFilter(_to_log_file)
    return orbax.checkpoint


def _to_log_file(record: logging.LogRecord) -> bool:
    """Whether a record is none of Orbax.  Its own come with the tracebacks of all its threads; what they are about is
    raised as an exception too, of which we say one line."""
    if "orbax" not in Path(record.pathname).parts:
        return True
    with contextlib.suppress(OSError):
        get_logger().debug(f"Orbax: {_first_line(record.getMessage())}")
    return False


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Warnings of Orbax as lines of the logger."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        yield
    for warning in raised:
        get_logger().once(f"checkpoints: {_first_line(str(warning.message))}", level="warning")


class CheckpointFolder:
    """The checkpoints of a directory.

    Args:
        directory: where they are; made when it is needed.
        max_to_keep: number of checkpoints that are kept; ``None``: all.
        best_fn: of the metrics, the smaller the better; the best are kept instead of the newest.
        asynchronous: write in the background: in a thread, for Orbax's own threads wait for minutes after a failure and
            the process with them; of several processes, which must write together, in those nevertheless.
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
        self.location = shown_path(self.directory)
        self._args = checkpoint.args
        options = checkpoint.CheckpointManagerOptions(
            max_to_keep=max_to_keep,
            best_fn=best_fn,
            best_mode="min",
            enable_async_checkpointing=asynchronous and jax.process_count() > 1,
        )
        with _one_line_warnings():
            self._manager = checkpoint.CheckpointManager(self.directory, options=options)
        self._thread: concurrent.futures.Executor | None = None
        if asynchronous and jax.process_count() == 1:
            self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="jno-checkpoints")
        self._pending: concurrent.futures.Future[None] | None = None

    @property
    def steps(self) -> list[int]:
        """The finished checkpoints, the oldest first; half-written ones are none."""
        self._settle()
        return sorted(self._manager.all_steps())

    @property
    def best(self) -> int | None:
        """The step of the best finished checkpoint, None without one or without `best_fn`."""
        self._settle()
        return self._manager.best_step()

    def metrics(self, step: int) -> dict[str, Any]:
        """What `save` was told of a step."""
        self._settle()
        return dict(self._manager.metrics(step))

    def save(self, step: int, arrays: PyTree, metadata: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            OSError, ValueError, RuntimeError: what went wrong, also with an earlier one written in the background.
        """
        content = self._args.Composite(
            state=self._args.StandardSave(_fixed(arrays)), metadata=self._args.JsonSave(dict(metadata))
        )
        if self._thread is None:
            with _one_line_warnings():
                self._manager.save(step, args=content, metrics=dict(metrics), force=True)
            return
        try:
            self._join()
        finally:
            save = self._manager.save
            self._pending = self._thread.submit(save, step, args=content, metrics=dict(metrics), force=True)

    def read(self, step: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Arrays and metadata of a step, or of the newest one that can be read.

        Raises:
            FileNotFoundError: no such step, or none at all that can be read.
        """
        available = self.steps  # when nothing is being written any more
        if step is not None and step not in available:
            raise FileNotFoundError(f"no checkpoint of step {step} in {self.location}; there are {available}")
        items = self._args.Composite(state=self._args.StandardRestore(), metadata=self._args.JsonRestore())
        for candidate in reversed(available if step is None else [step]):
            try:
                _check_arrays(self.directory / str(candidate) / "state")
                with _one_line_warnings():
                    content = self._manager.restore(candidate, args=items)
            except Exception as error:  # Orbax documents no errors for files that are truncated or damaged
                if step is not None:
                    raise FileNotFoundError(
                        f"the checkpoint of step {step} in {self.location} cannot be read: {error}"
                    ) from error
                message = f"the checkpoint of step {candidate} in {self.location} is unreadable and skipped: {error}"
                get_logger().warning(message)
                warnings.warn(message, stacklevel=3)
            else:
                return content.state, dict(content.metadata)
        raise FileNotFoundError(f"{self.location} holds no checkpoint that can be read")

    def reload(self) -> None:
        """Look at the directory anew: another process may have written there."""
        self._settle()
        self._manager.reload()

    def wait(self) -> None:
        """Wait for what is written in the background; raises what went wrong."""
        self._join()
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and let go of the directory; raises what went wrong."""
        try:
            self._join()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
            self._manager.close()

    def _settle(self) -> None:
        """Wait for the thread; what went wrong is said by `wait`."""
        if self._pending is not None:
            concurrent.futures.wait([self._pending])

    def _join(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()


def _fixed(arrays: PyTree) -> PyTree:
    """Arrays that nobody changes while they are written."""
    return jax.tree_util.tree_map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, arrays)


@dataclasses.dataclass(frozen=True)
class CheckpointFiles:
    """What the directory of one step holds, without its arrays.

    Attributes:
        arrays: shape and type of every array, by its path.
        metadata: what training wrote of itself.
        size: bytes that are stored.
        claim: bytes of the arrays in memory.
    """

    arrays: Mapping[str, tuple[tuple[int, ...], str]]
    metadata: Mapping[str, Any]
    size: int
    claim: int


def checkpoint_files(directory: Path) -> CheckpointFiles:
    """What the directory of one step holds; nothing is written there, and no array is unpacked.

    Raises:
        ValueError: it cannot be read, or its arrays claim far more memory than is stored (`Limits.unpacked_bytes`).
        ImportError: `orbax-checkpoint` is not installed; naming the extra.
    """
    orbax()
    name = shown_path(directory)
    try:
        stored = _check_arrays(directory / "state")
        content = bounded_bytes(directory / "metadata" / "metadata", f"the metadata of {name!r}", get_limits())
        metadata = parsed_json(content, f"the metadata of {name!r}", get_limits())
    except Exception as error:  # tensorstore documents no errors for files that are truncated or damaged
        first_line = _first_line(str(error))
        raise ValueError(f"the checkpoint {name!r} is damaged, half-written or none ({first_line})") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"the checkpoint {name!r} is damaged: its metadata is no table")
    return dataclasses.replace(stored, metadata=metadata)


def _check_arrays(directory: Path) -> CheckpointFiles:
    """Read all arrays one after the other, as they are stored, and compare what they claim with that.

    Orbax reads them at once, and where one is damaged the others find its event loop closed, which can end the process.

    Raises:
        ValueError: one cannot be read, or together they claim far more memory than is stored (`Limits.unpacked_bytes`).
    """
    import tensorstore  # comes with Orbax

    base = {"driver": "file", "path": f"{directory}/"}
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": base}).result()
    claim, size = 0, 0
    arrays: dict[str, tuple[tuple[int, ...], str]] = {}
    for key in store.list().result():
        content = store.read(key).result().value
        size += len(content)
        if key.endswith(b".zarray"):
            description = json.loads(content)
            dtype = jnp.dtype(description["dtype"])
            arrays[key.removesuffix(b"/.zarray").decode()] = (tuple(description["shape"]), dtype.name)
            claim += math.prod(description["shape"]) * dtype.itemsize
    get_limits().check_unpacked(claim, size, "it")
    return CheckpointFiles(arrays, {}, size, claim)
