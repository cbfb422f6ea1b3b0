"""Settings: environment variables over `./.jno.toml` over `~/.jno/config.toml` over defaults.

The working directory may be somebody else's, so its file may not undo what protects the user: limits it may only lower
(`get_limits`), and keys have rules of their own (`_keys.py`).
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jno.utils._kinds import FLAG, checked
from jno.utils._limits import Limits, raising
from jno.utils._paths import shown_path
from jno.utils._structured_text import bounded_bytes, parsed_toml

DEFAULT_SEED = 42
DEFAULT_RUNS_BASE_DIR = "./runs"
DEFAULT_PRECOMPUTE_MIB = 512

# table -> key -> type of its value: the complete list of what a configuration file may contain
_SCHEMA: dict[str, dict[str, type]] = {
    "jno": {
        "seed": int,
        "diff_type": str,
        "hessian_type": str,
        "stop_on_nonfinite": bool,
        "compilation_cache": bool,
        "precompute_mib": int,
    },
    "runs": {"base_dir": str},
    "rsa": {"public_key": str, "private_key": str, "path": str},
    "limits": dict.fromkeys((entry.name for entry in dataclasses.fields(Limits)), int),
}
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


@dataclass
class _Cache:
    """The tables read last, each with the file they came from; `warned` outlives re-reading."""

    sources: tuple[Path, Path] | None = None
    tables: dict[Path, dict[str, Any]] = field(default_factory=dict)
    warned: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class _Chosen:
    """What the program itself has chosen instead."""

    network_seed: int | None = None


_cache = _Cache()
_chosen = _Chosen()


def _user_file() -> Path:
    return Path.home() / ".jno" / "config.toml"


def config_files() -> tuple[Path, Path]:
    """Return the two configuration files, that of the project first."""
    return Path.cwd() / ".jno.toml", _user_file()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    name, defaults = shown_path(path), Limits()  # it cannot set its own limits
    try:
        tables = parsed_toml(bounded_bytes(path, name, defaults), name, defaults)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # the text of both errors carries the position
        raise ValueError(f"Malformed TOML in {name}: {error}. Correct the file or remove it.") from error
    _check_tables(tables, name)
    return tables


def _check_tables(tables: Mapping[str, Any], path: str) -> None:
    for table, entries in tables.items():
        if table not in _SCHEMA:
            _warn_unknown(path, f"[{table}]", [f"[{name}]" for name in _SCHEMA])
        elif not isinstance(entries, Mapping):
            raise ValueError(f"{path}: {table!r} must be a table, written [{table}], got {entries!r}.")
        else:
            _check_entries(table, entries, path)


def _check_entries(table: str, entries: Mapping[str, Any], path: str) -> None:
    schema = _SCHEMA[table]
    for key, value in entries.items():
        if key not in schema:
            _warn_unknown(path, f"[{table}] {key}", list(schema))
        elif type(value) is not schema[key]:  # exact: `seed = true` is not an integer
            shown = type(value).__name__ if table == "rsa" else repr(value)
            raise ValueError(f"{path}: [{table}] {key} must be of type {schema[key].__name__}, got {shown}.")
        else:
            _check_protection(table, key, value, path)


def _check_protection(table: str, key: str, value: Any, path: str) -> None:
    """Refuse values that would switch off what protects the user."""
    if table == "rsa" and not value.strip():
        raise ValueError(
            f"{path}: [rsa] {key} is empty, and an empty key does not switch a check off. Remove the line or name a "
            "file."
        )
    if table == "limits" and value < 1:
        raise ValueError(f"{path}: [limits] {key} must be at least 1, got {value}.")


def _warn_unknown(path: str, what: str, names: list[str]) -> None:
    if (path, what) in _cache.warned:
        return
    _cache.warned.add((path, what))
    warnings.warn(f"{path}: unknown setting {what} has no effect; known: {', '.join(names)}.", stacklevel=2)


@checked(force=FLAG)
def load_config(force: bool = False) -> dict[str, Any]:
    """Read `./.jno.toml` and `~/.jno/config.toml`; a key in the first beats the same key in the second.

    In the tables that protect the user it is the other way round: in `[rsa]` the second beats the first, in `[limits]`
    the smaller number counts.  The result is cached for the current working directory.

    Args:
        force: read the files again even when they were read before. Default False.

    Returns:
        The merged tables, e.g. `{"jno": {"seed": 7}}`; `{}` when neither file exists. A copy.

    Raises:
        ValueError: a file is malformed (with its name and position) or a value has the wrong type.

    Warns:
        UserWarning: once per unknown table or key.

    Example:
        >>> import jno
        >>> isinstance(jno.load_config(), dict)
        True
    """
    sources = config_files()
    if force or _cache.sources != sources:
        _cache.tables, _cache.sources = {path: _read(path) for path in reversed(sources)}, sources
    merged: dict[str, Any] = {}
    for path in reversed(sources):
        for table, entries in _cache.tables[path].items():
            is_table = isinstance(entries, Mapping)
            merged[table] = _merged(table, merged.get(table, {}), entries) if is_table else entries
    return merged


def _merged(table: str, of_user: Mapping[str, Any], of_project: Mapping[str, Any]) -> dict[str, Any]:
    """What two files say in one table; the first belongs to the user, the other to the working directory."""
    if table == "rsa":
        return {**of_project, **of_user}
    if table == "limits":
        return {**of_user, **{name: min(limit, of_user.get(name, limit)) for name, limit in of_project.items()}}
    return {**of_user, **of_project}


def entries_of(path: Path, table: str) -> Mapping[str, Any]:
    """Return what one of the two configuration files says in a table."""
    load_config()
    entries: Mapping[str, Any] = _cache.tables.get(path, {}).get(table, {})
    return entries


def get_config() -> dict[str, Any]:
    """Return the settings of the configuration files, as `load_config` does without reading again.

    Example:
        >>> import jno
        >>> jno.get_config() == jno.load_config()
        True
    """
    return load_config()


def get_config_path() -> Path | None:
    """Return the strongest configuration file that exists, None when there is none.

    Example:
        >>> import jno
        >>> path = jno.get_config_path()
        >>> path is None or path.is_file()
        True
    """
    return next((path for path in config_files() if path.is_file()), None)


def get_setting(table: str, key: str, default: Any = None) -> Any:
    """Return one value of the configuration files (environment not consulted)."""
    return load_config().get(table, {}).get(key, default)


def forget_config() -> None:
    """Drop what was read and chosen, and which warnings were given, for tests."""
    _cache.sources = None
    _cache.tables = {}
    _cache.warned.clear()
    _chosen.network_seed = None


def set_network_seed(seed: int | None) -> None:
    """Set the seed of network weights apart from that of everything else; `None`: the same again."""
    _chosen.network_seed = seed


def get_network_seed() -> int:
    """Return the seed of weights that nobody gave a key for: the one that was set, else `get_seed`.

    Example:
        >>> from jno.utils import get_network_seed, get_seed
        >>> get_network_seed() == get_seed()
        True
    """
    return get_seed() if _chosen.network_seed is None else _chosen.network_seed


def get_seed() -> int:
    """Return the seed of every random stream: `JNO_SEED`, else `[jno] seed`, else 42.

    Returns:
        The seed.

    Raises:
        ValueError: `JNO_SEED` is not an integer.

    Example:
        >>> import jno
        >>> isinstance(jno.get_seed(), int)
        True
    """
    text = os.environ.get("JNO_SEED")
    if text is None:
        return int(get_setting("jno", "seed", DEFAULT_SEED))
    try:
        return int(text)
    except ValueError:
        raise ValueError("Invalid JNO_SEED: it is not an integer; set e.g. JNO_SEED=42.") from None


def get_stop_on_nonfinite() -> bool:
    """Tell whether a NaN or infinite loss stops training: `JNO_STOP_ON_NONFINITE`, else `[jno]`, else True.

    Raises:
        ValueError: the environment variable is none of 0, 1, true, false.

    Example:
        >>> from jno.utils import get_stop_on_nonfinite
        >>> get_stop_on_nonfinite()
        True
    """
    return _flag("stop_on_nonfinite", True)


def get_compilation_cache(default: bool = False) -> bool:
    """Tell whether compiled programs are kept on disk: `JNO_COMPILATION_CACHE`, else `[jno]`, else the default.

    Raises:
        ValueError: the environment variable is none of 0, 1, true, false.

    Example:
        >>> from jno.utils import get_compilation_cache
        >>> isinstance(get_compilation_cache(), bool)
        True
    """
    return _flag("compilation_cache", default)


def _flag(key: str, default: bool) -> bool:
    """A switch of the environment, else of `[jno]`."""
    variable = f"JNO_{key.upper()}"
    text = os.environ.get(variable)
    if text is None:
        return bool(get_setting("jno", key, default))
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"Invalid {variable}; allowed: {', '.join(_BOOLEANS)}.")
    return _BOOLEANS[text.lower()]


def get_precompute_bytes() -> int:
    """Return how much memory may be taken by what is computed once instead of in every step of training.

    `JNO_PRECOMPUTE_MIB`, else `[jno] precompute_mib`, else 512, in MiB; 0: everything is computed in every step.

    Raises:
        ValueError: not a whole number of at least zero.

    Example:
        >>> from jno.utils import get_precompute_bytes
        >>> get_precompute_bytes() >= 0
        True
    """
    text = os.environ.get("JNO_PRECOMPUTE_MIB")
    if text is not None and not text.isdecimal():
        raise ValueError(f"Invalid JNO_PRECOMPUTE_MIB; set a whole number of MiB, such as {DEFAULT_PRECOMPUTE_MIB}.")
    mib = int(get_setting("jno", "precompute_mib", DEFAULT_PRECOMPUTE_MIB) if text is None else text)
    if mib < 0:
        raise ValueError(f"[jno] precompute_mib must be at least 0, got {mib}; 0 computes everything in every step.")
    return mib * 2**20


def get_runs_base_dir() -> str:
    """Return the folder of run directories: `JNO_LOG_DIR`, else `[runs] base_dir`, else `"./runs"`; without `~`.

    Example:
        >>> import jno
        >>> isinstance(jno.get_runs_base_dir(), str)
        True
    """
    base = os.environ.get("JNO_LOG_DIR") or str(get_setting("runs", "base_dir", DEFAULT_RUNS_BASE_DIR))
    return os.path.expanduser(base)  # a path would lose the leading ./


def get_limits() -> Limits:
    """Return what files may demand: `JNO_LIMIT_<NAME>`, else `[limits]`, else the defaults of `Limits`.

    The file of the working directory may lower a limit, not raise it above that of the user's file or the default.

    Raises:
        ValueError: a variable is not a positive integer, or the file of the working directory raises a limit.

    Example:
        >>> from jno.utils import get_limits
        >>> get_limits().depth
        100
    """
    defaults = Limits()
    names = [entry.name for entry in dataclasses.fields(Limits)]
    return Limits(**{name: _limit(name, getattr(defaults, name)) for name in names})


def _limit(name: str, default: int) -> int:
    variable = f"JNO_LIMIT_{name.upper()}"
    if (text := os.environ.get(variable)) is not None:
        if not text.isdecimal() or int(text) < 1:
            raise ValueError(f"Invalid {variable}: it must be a positive integer, such as {default}.")
        return int(text)
    project_file, user_file = config_files()
    limit: int = entries_of(user_file, "limits").get(name, default)
    lowered: int = entries_of(project_file, "limits").get(name, limit)
    if lowered > limit:
        source = shown_path(user_file) if name in entries_of(user_file, "limits") else "the default"
        raise ValueError(
            f"{shown_path(project_file)}: [limits] {name} = {lowered} is above the {limit} of {source}; the file of a "
            f"working directory may only lower limits. {raising(name)}"
        )
    return lowered
