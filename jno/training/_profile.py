"""A profiler trace of some steps in their steady state."""

from __future__ import annotations

from pathlib import Path

import jax

from jno.utils import get_logger, shown_path

_STEPS = 50
"""Most steps of a trace."""


class ProfilerTrace:
    """Traces the first steps after the first device call, which compiles; always closed, also after an error.

    Args:
        directory: where the trace is written; ``None``: nothing is traced.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._left = 0 if directory is None else _STEPS
        self._running = False

    @classmethod
    def of_option(cls, profile: bool) -> ProfilerTrace:
        """The trace of ``solve(profile=...)``, below the directory of the process-wide logger.

        Raises:
            ValueError: the logger has no directory.
        """
        if not profile:
            return cls(None)
        path = get_logger().path
        if path is None:
            raise ValueError(
                "profile=True writes a trace below the run directory, and there is none: call "
                "jno.setup(__file__) or jno.logger(path=...) first"
            )
        return cls(path / "traces")

    def before(self, count: int, *, first_call: bool) -> int:
        """Start when it is time; how many of ``count`` steps the next call may do."""
        if self._left == 0:
            return count
        if first_call:
            return 1
        if not self._running:
            jax.profiler.start_trace(str(self._directory))
            self._running = True
        return min(count, self._left)

    def after(self, count: int) -> None:
        """Count the steps that were done."""
        if self._running:
            self._left -= count
            if self._left == 0:
                self.close()

    def close(self) -> None:
        """Stop and write what runs."""
        if self._running:
            self._running = False
            self._left = 0
            jax.profiler.stop_trace()
            get_logger().info(f"profiler trace written to {shown_path(str(self._directory))}")
