"""Training history."""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from jno.utils._atomic_files import save_figure
from jno.utils._checks import refusal
from jno.utils._config import get_runs_base_dir
from jno.utils._data_format import register_record
from jno.utils._html import Reported
from jno.utils._kinds import PATH, checked
from jno.utils._logger import get_logger
from jno.utils._paths import shown_path, user_path
from jno.utils._serialization import load as _load
from jno.utils._serialization import save as _save

_DPI = 150
_FIGURE_NAME = "training.png"


class statistics:
    """Training history returned by `core.solve()`.

    Each log belongs to one `solve` call and is a dict with `total_loss` (n,) and, as far as known, `epoch`
    (n,) int, `losses` (n, C), `timestamps` (n,) seconds since that solve began, `training_time` in seconds,
    `constraint_names` (C), `track_stats` (a list of `{"name", "epoch", "values"}`), `trainable_params`,
    `frozen_params`, `total_params`, `lora_params` and `stop_reason`. There is one row per epoch.

    Args:
        logs: the logs in the order of the `solve` calls. The list is copied, the dicts are not.

    Raises:
        TypeError: `logs` is not a sequence of dicts.
        ValueError: a log lacks `"total_loss"`.

    Example:
        >>> import numpy as np
        >>> from jno.utils.statistics import statistics
        >>> history = statistics([{"total_loss": np.array([1.0, 0.5])}, {"total_loss": np.array([0.25])}])
        >>> history.total_loss
        0.25
        >>> history.total_loss_history.shape
        (3,)
    """

    training_logs: list[dict[str, Any]]
    _problem: weakref.ref[Reported] | None = None

    def __init__(self, logs: Any) -> None:
        if not isinstance(logs, (list, tuple)):
            raise TypeError(f"statistics takes a list of logs (one dict per solve call), got {type(logs).__name__}.")
        for index, log in enumerate(logs):
            if not isinstance(log, Mapping):
                raise TypeError(f"statistics: log {index} must be a dict, got {type(log).__name__}.")
            if "total_loss" not in log:
                raise ValueError(f"statistics: log {index} has no 'total_loss'; it has {sorted(log)}.")
        self.training_logs = list(logs)

    def of(self, problem: Reported) -> statistics:
        """The same history, which knows the problem that was trained as long as that exists."""
        self._problem = weakref.ref(problem)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"training_logs": self.training_logs}

    def _repr_html_(self) -> str:
        """The table of `summary` and the curves, for notebooks."""
        from jno.utils._report import history_markup

        return history_markup(self.training_logs, self.total_loss_history)

    @checked(path=PATH)
    def report(self, path: str | os.PathLike[str], *, core: object = None) -> statistics:
        """Write one page about the run: equations, settings, versions, losses, fields, why it stopped.

        The page holds everything it shows; it can be sent to others and opened without a network.

        Args:
            path: the file, ``.html``; missing directories are created, an existing file is replaced.
            core: the problem that was trained (default: the one whose ``solve`` returned this history, as long as it
                exists). Without it the page has no equations, models and fields.

        Returns:
            self, for chaining.

        Raises:
            ValueError: a file that is not `.html`.
            TypeError: ``core`` is not a problem.

        Example:
            >>> import numpy as np, pathlib, tempfile
            >>> from jno.utils.statistics import statistics
            >>> file = pathlib.Path(tempfile.mkdtemp(), "run.html")
            >>> history = statistics([{"total_loss": np.array([1.0, 0.1])}]).report(file)
            >>> "final total loss" in file.read_text(encoding="utf-8")
            True
        """
        from jno.utils._report import written_report

        target = user_path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(refusal("report(path)", str(path), "the path of a page, which ends in .html"))
        if core is not None and not isinstance(core, Reported):
            raise TypeError(refusal("report(core)", core, "the core that was trained, or None"))
        known = self._problem() if self._problem is not None else None
        written_report(target, self.training_logs, self.total_loss_history, known if core is None else core)
        return self

    def __repr__(self) -> str:
        return (
            f"statistics(solves={len(self.training_logs)}, epochs={self.total_loss_history.size}, "
            f"total_loss={self.total_loss})"
        )

    @property
    def total_loss(self) -> float | None:
        """The last total loss over all `solve` calls, None when no training has been recorded."""
        history = self.total_loss_history
        return float(history[-1]) if history.size else None

    @property
    def total_loss_history(self) -> Num[np.ndarray, " epochs"]:
        """The total loss of every epoch, concatenated over all `solve` calls; empty without training."""
        parts = [np.atleast_1d(np.asarray(log["total_loss"])) for log in self.training_logs]
        return np.concatenate(parts) if parts else np.zeros(0)

    @checked(path=PATH)
    def plot(self, path: str | os.PathLike[str] | None = None) -> statistics:
        """Save a figure of the history: constraint losses, trackers (if any), step time.

        Losses are shown on a logarithmic axis (a symmetric one when some are not positive), with the total
        when there is more than one constraint; step times are in milliseconds, from the time stamps.

        Args:
            path: the image file, in a format matplotlib knows by its extension; missing directories are
                created. Default None: `training.png` in the run directory (see `jno.setup`), else in
                `jno.get_runs_base_dir()`; the logger tells where.

        Returns:
            self, for chaining.

        Warns:
            UserWarning: nothing has been recorded; no file is written.

        Example:
            >>> import numpy as np, os, tempfile
            >>> from jno.utils.statistics import statistics
            >>> file = os.path.join(tempfile.mkdtemp(), "plots", "loss.png")
            >>> history = statistics([{"total_loss": np.array([1.0, 0.1, 0.01])}]).plot(file)
            >>> os.path.exists(file)
            True
        """
        if not self.total_loss_history.size:
            warnings.warn("No training has been recorded: nothing to plot. Call core.solve first.", stacklevel=2)
            return self
        from jno.utils._history_figure import history_figure

        target = self._default_figure_path() if path is None else user_path(path)
        save_figure(history_figure(self.training_logs), target, _DPI)
        if path is None:
            get_logger().info(f"training history plotted to {shown_path(target)}")
        return self

    @staticmethod
    def _default_figure_path() -> Path:
        return (get_logger().path or Path(get_runs_base_dir())) / _FIGURE_NAME

    def summary(self) -> statistics:
        """Print a table: epochs, losses (first, final, best), times, parameter counts, why training stopped.

        Returns:
            self, for chaining.

        Example:
            >>> import numpy as np
            >>> from jno.utils.statistics import statistics
            >>> history = statistics([{"total_loss": np.array([1.0, 0.1])}]).summary()  # doctest: +SKIP
        """
        from rich.console import Console

        from jno.utils._history_table import history_table

        Console(file=sys.stdout).print(history_table(self.training_logs, self.total_loss_history))
        return self

    @checked(path=PATH)
    def save(self, path: str | os.PathLike[str], *, data_only: object = False) -> statistics:
        """Write the history to a file, as `jno.save` does: signed when a private key is configured.

        Args:
            path: the file; missing directories are created, an existing file is replaced.
            data_only: write plain data, which ``load(path, trusted=False)`` reads, instead of a pickle (default False).

        Returns:
            self, for chaining.

        Example:
            >>> import numpy as np, os, tempfile
            >>> from jno.utils.statistics import statistics
            >>> file = os.path.join(tempfile.mkdtemp(), "history.jno")
            >>> history = statistics([{"total_loss": np.array([1.0, 0.1])}]).save(file)
            >>> statistics.load(file).total_loss
            0.1
        """
        _save(self, path, data_only=data_only)
        return self

    @classmethod
    @checked(filepath=PATH)
    def load(cls, filepath: str | os.PathLike[str], *, trusted: object = True) -> statistics:
        """Read a history that `save` wrote. As with `jno.load`, load only files you trust.

        With a configured public key (`jno.get_rsa_public_key`) the file must have a valid signature.

        Args:
            filepath: the file.
            trusted: whether a pickle may be read (default True), see `jno.load`.

        Returns:
            The history.

        Raises:
            FileNotFoundError: there is no such file.
            SignatureError: a public key is configured, and the signature is missing or not valid.
            ValueError: not a jNO file, or damaged.
            TypeError: the file holds something else.
        """
        return _load(filepath, expected_type=cls, trusted=trusted)


register_record("history", statistics, lambda history: history.training_logs, statistics)
