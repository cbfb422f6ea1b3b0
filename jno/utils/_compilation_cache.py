"""Compiled programs on disk, so that the second start of a script compiles nothing.

JAX reads and writes the entries. Here is decided where they lie, a folder of the user that nobody else can write, since
a compiled program is code, and how much room they may take.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.monitoring
from jax.experimental.compilation_cache import compilation_cache

from jno.utils._config import get_compilation_cache
from jno.utils._folders import check_private
from jno.utils._paths import shown_path

LIMIT = 2**30
"""Bytes that compiled programs may take."""

_ROOM = 0.8
"""Share of the limit that a clean-up leaves."""

_WRITES = 64
"""New entries after which the folder is looked at again."""

_WRITE_EVENT = "/jax/compilation_cache/cache_misses"
"""JAX records it for every entry it writes."""

_PATTERN = "*-cache"


@dataclasses.dataclass
class _CacheUse:
    """What this process has decided."""

    folder: Path | None = None
    decided: bool = False
    listens: bool = False
    writes: int = 0


_cache = _CacheUse()


def cache_folder() -> Path:
    """Where compiled programs are kept: a folder of the user for every kind of processor.

    It is in `$XDG_CACHE_HOME`, which counts if it is absolute, else in the system's place for caches (`~/.cache`,
    `~/Library/Caches`, `%LOCALAPPDATA%`). No configuration file can move it.
    """
    return _caches() / "jno" / "programs" / _processor()


def _caches() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(caches):
        return Path(caches)
    home = Path.home()
    local = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    return {"win32": Path(local), "darwin": home / "Library" / "Caches"}.get(sys.platform, home / ".cache")


def _processor() -> str:
    """A name for the instructions the processor has: machines of several kinds may share a home directory."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        instructions = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        instructions = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(instructions.encode()).hexdigest()[:8]}"


def start_cache() -> Path:
    """Keep compiled programs from now on, and read those that are there.

    A folder that was chosen in JAX itself (`JAX_COMPILATION_CACHE_DIR`) stays, with JAX's own settings.

    Returns:
        The folder.

    Raises:
        ValueError: others can write the folder, or JAX's own switch is off.
        OSError: the folder cannot be made.
    """
    _cache.decided = True
    configured = _option("jax_compilation_cache_dir")
    if configured:
        return Path(configured)
    if not _option("jax_enable_compilation_cache"):
        raise ValueError(
            "compiled programs are not kept: JAX_ENABLE_COMPILATION_CACHE switches the cache of JAX off. Unset it, or "
            "leave compilation_cache out"
        )
    folder = cache_folder()
    _make(folder)
    check_private(folder, "compiled programs", "a compiled program is code")
    prune(folder, LIMIT)
    _configure(folder)
    return folder


def _option(name: str) -> Any:
    """An option of JAX as it is."""
    return getattr(jax.config, name)


def _make(folder: Path) -> None:
    """The folder of all processors and that of ours, for nobody else."""
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, exist_ok=True)


def _configure(folder: Path) -> None:
    options: dict[str, Any] = {
        "jax_compilation_cache_dir": str(folder),
        # a script compiles dozens of programs in less than a second each
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
        # their entries have places of their own, without a bound
        "jax_persistent_cache_enable_xla_caches": "none",
    }
    for name, value in options.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # it may have been used without a folder
    _cache.folder, _cache.writes = folder, 0
    if not _cache.listens:
        jax.monitoring.register_event_listener(_count_write)
        _cache.listens = True


def stop_cache() -> None:
    """Neither read nor keep compiled programs from now on; a folder that was chosen in JAX itself stays."""
    _cache.decided = True
    if _cache.folder is not None:
        _cache.folder = None
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()


def start_configured_cache(default: bool = False) -> None:
    """Do what the configuration says, once in a process unless something else was asked for.

    Args:
        default: what counts where the configuration is silent.

    Raises:
        ValueError: the environment variable is none of 0, 1, true, false.

    Warns:
        UserWarning: the cache is asked for and cannot be used; everything is then compiled.
    """
    if _cache.decided:
        return
    _cache.decided = True
    if not get_compilation_cache(default):
        return
    try:
        start_cache()
    except (OSError, ValueError) as error:
        warnings.warn(f"every program is compiled anew: {error}", stacklevel=3)


def described_cache() -> str:
    """Where compiled programs are kept and how much room they take, for `jno info`."""
    folder = Path(_option("jax_compilation_cache_dir") or cache_folder())
    size = sum(entry.size for entry in _entries(folder))
    return f"{shown_path(folder)} ({size / 2**20:.0f} of {LIMIT // 2**20} MiB)"


def forget_cache() -> None:
    """Let the configuration decide anew, for tests."""
    stop_cache()
    _cache.decided = False


# --- its size ---------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, order=True)
class _CacheEntry:
    """A file of the cache; the smallest was used longest ago."""

    used: float
    size: int
    path: Path


def _entries(folder: Path) -> Iterator[_CacheEntry]:
    for path in folder.glob(_PATTERN):
        with contextlib.suppress(OSError):  # another process may have deleted it
            status = path.stat()
            yield _CacheEntry(max(status.st_atime, status.st_mtime), status.st_size, path)


def prune(folder: Path, limit: int) -> int:
    """Delete empty entries and, where all take more than the limit, those used longest ago until a fifth is free.

    Where the system does not note when a file was read, the oldest go first.

    Returns:
        The number of deleted entries.
    """
    entries = sorted(_entries(folder))
    total = sum(entry.size for entry in entries)
    excess = total - _ROOM * limit if total > limit else 0
    deleted = 0
    for entry in entries:
        if excess > 0 or not entry.size:  # of a process that was stopped while it wrote
            with contextlib.suppress(OSError):
                entry.path.unlink()
            excess -= entry.size
            deleted += 1
    return deleted


def _count_write(event: str, **_: Any) -> None:
    if event == _WRITE_EVENT and _cache.folder is not None:
        _cache.writes += 1
        if _cache.writes % _WRITES == 0:
            prune(_cache.folder, LIMIT)
