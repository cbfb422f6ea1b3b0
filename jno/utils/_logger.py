"""Messages to the console and to the log file of a run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from jno.utils._contexts import context_value
from jno.utils._kinds import FLAG, PATH, TEXT, checked, sequence
from jno.utils._paths import user_path

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)

_FILE_NAME = "log.log"
_ONCE_LEVELS = ("info", "warning", "debug")


@contextlib.contextmanager
def quiet_console() -> Iterator[None]:
    """No messages on the console and no progress bars in this context, as in the trials of a sweep.

    Example:
        >>> from jno.utils import Logger, quiet_console
        >>> with quiet_console():
        ...     Logger().info("not shown")
    """
    with context_value(_quiet, True):
        yield


def console_is_quiet() -> bool:
    """Return whether this code runs inside `quiet_console`.

    Example:
        >>> from jno.utils import console_is_quiet
        >>> console_is_quiet()
        False
    """
    return _quiet.get()


_WHERE = sequence(FLAG, "a pair (file, console) of True or False", size=2)


class Logger:
    """Write messages to standard output (`INFO: text`) and to a log file (with time stamps).

    The file is opened for each message only, so loggers can be pickled and shared and never leak a handle.  Handlers
    of the standard library's `logging` hold their stream and their file, so they are not used.

    Args:
        path: directory of the log file `log.log` (created when needed); a path ending in `.log` names
            the file itself. Default None: no file.
        log_print: `(to_file, to_console)`. Default both.
        name: shown in the file's lines. Default `"jno"`.
        verbose: show debug messages on the console as well. Default False: they go to the file only.

    Raises:
        ValueError: `path` is an existing file that does not end in `.log`.

    Warns:
        UserWarning: once when the file, or standard output, cannot be written (a full disk); whatever logs goes on.

    Example:
        >>> from jno.utils import Logger
        >>> Logger().info("ready")
        INFO: ready
    """

    @checked(path=PATH, log_print=_WHERE, name=TEXT, verbose=FLAG)
    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        log_print: tuple[bool, bool] = (True, True),
        name: str = "jno",
        *,
        verbose: bool = False,
    ) -> None:
        self.name = name
        self.log_print = log_print
        self.verbose = verbose
        self._said: set[str] = set()
        self.path: Path | None = None  # the directory, where others put traces, checkpoints, figures
        self.file: Path | None = None
        if path is not None:
            target = user_path(path)
            if target.suffix != ".log" and target.is_file():
                raise ValueError(f"Logger path {str(target)!r} is a file; give a directory or a file name *.log.")
            self.file = target if target.suffix == ".log" else target / _FILE_NAME
            self.path = self.file.parent
            self.path.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"Logger(file={str(self.file) if self.file else None!r}, log_print={self.log_print})"

    def _emit(self, level: str, message: object, *, console: bool = True) -> None:
        to_file, to_console = self.log_print
        if to_console and console and not _quiet.get():
            self._print(f"{level}: {message}")
        if to_file and self.file is not None:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            self._append(self.file, f"{stamp} {self.name} {level}: {message}\n")

    def _print(self, line: str) -> None:
        try:
            # sys.stdout at call time: it may be redirected after the logger was made
            print(line, file=sys.stdout, flush=True)
        except BrokenPipeError:
            raise  # nobody reads any more
        except OSError as error:
            self._warn_once("standard output", error)

    def _append(self, file: Path, line: str) -> None:
        try:
            with file.open("a", encoding="utf-8") as stream:
                stream.write(line)
        except OSError as error:
            self._warn_once(repr(str(file)), error)

    def _warn_once(self, destination: str, error: OSError) -> None:
        if destination not in self._said:
            self._said.add(destination)
            warnings.warn(
                f"messages cannot be written to {destination} ({error.strerror}): what logs goes on, and those "
                "that come when it can be written again are written",
                stacklevel=5,
            )

    def __call__(self, message: object) -> None:
        """Log at level INFO."""
        self._emit("INFO", message)

    def debug(self, message: object) -> None:
        """Log at level DEBUG: to the file, and to the console only when `verbose`."""
        self._emit("DEBUG", message, console=self.verbose)

    def info(self, message: object) -> None:
        """Log at level INFO."""
        self._emit("INFO", message)

    def warning(self, message: object) -> None:
        """Log at level WARNING."""
        self._emit("WARNING", message)

    def error(self, message: object) -> None:
        """Log at level ERROR."""
        self._emit("ERROR", message)

    def critical(self, message: object) -> None:
        """Log at level CRITICAL."""
        self._emit("CRITICAL", message)

    def quiet(self, message: object) -> None:
        """Log at level INFO to the file only."""
        self._emit("INFO", message, console=False)

    def once(self, message: object, *, level: str = "info") -> None:
        """Log a message that this logger has not logged through `once` before.

        Args:
            message: the text; equal texts count as the same message.
            level: `"info"` (default), `"warning"` or `"debug"`.

        Raises:
            ValueError: for any other level.
        """
        if level not in _ONCE_LEVELS:
            raise ValueError(f"Invalid level {level!r}; allowed: {', '.join(_ONCE_LEVELS)}.")
        text = str(message)
        if text not in self._said:
            if not _quiet.get():
                self._said.add(text)
            self._emit(level.upper(), text, console=level != "debug" or self.verbose)

    def close(self) -> None:
        """Stop writing to the file; messages still go to the console."""
        self.file = None


@dataclass
class _Default:
    """The process-wide logger; None until somebody asks for it."""

    logger: Logger | None = None


_default = _Default()


def get_logger() -> Logger:
    """Return the process-wide logger; it writes to the console only until `jno.setup` gave it a file.

    Example:
        >>> from jno.utils import get_logger
        >>> get_logger() is get_logger()
        True
    """
    if _default.logger is None:
        _default.logger = Logger()
    return _default.logger


@checked("logger", path=PATH, log_print=_WHERE, force=FLAG)
def init_default_logger(
    path: str | os.PathLike[str] | None = None,
    log_print: tuple[bool, bool] = (True, True),
    force: bool = False,
) -> Logger:
    """Install the process-wide logger (`jno.logger`) and return it.

    Args:
        path: see `Logger`. Default None: no file.
        log_print: `(to_file, to_console)`. Default both.
        force: make a new logger even when the installed one has the same settings and is kept otherwise.

    Returns:
        The logger now installed.

    Example:
        >>> from jno.utils import get_logger, init_default_logger
        >>> logger = init_default_logger(log_print=(False, True))
        >>> logger is get_logger()
        True
    """
    logger = Logger(path, log_print)
    installed = _default.logger
    same = installed is not None and (installed.file, installed.log_print) == (logger.file, logger.log_print)
    if force or not same:
        _default.logger = logger
    return get_logger()
