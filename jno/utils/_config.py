"""Settings: environment variables over `./.jno.toml` over `~/.jno/config.toml` over defaults."""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jno.utils._paths import user_path

DEFAULT_SEED = 42
DEFAULT_RUNS_BASE_DIR = "./runs"

# table -> key -> type of its value: the complete list of what a configuration file may contain
_SCHEMA: dict[str, dict[str, type]] = {
    "jno": {"seed": int, "diff_type": str, "hessian_type": str, "stop_on_nonfinite": bool},
    "runs": {"base_dir": str},
    "rsa": {"public_key": str, "private_key": str, "path": str},
}
_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


@dataclass
class _Cache:
    """The tables read last and the files they came from; `warned` outlives re-reading."""

    sources: tuple[Path, Path] | None = None
    tables: dict[str, Any] = field(default_factory=dict)
    warned: set[tuple[Path, str]] = field(default_factory=set)


@dataclass
class _Chosen:
    """What the program itself has chosen instead."""

    network_seed: int | None = None


_cache = _Cache()
_chosen = _Chosen()


def _user_file() -> Path:
    return Path.home() / ".jno" / "config.toml"


def _candidates() -> tuple[Path, Path]:
    """Return the two configuration files, the stronger one first."""
    return Path.cwd() / ".jno.toml", _user_file()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # the text of both errors carries the position
        raise ValueError(f"Malformed TOML in {path}: {error}. Correct the file or remove it.") from error
    _check_tables(tables, path)
    return tables


def _check_tables(tables: Mapping[str, Any], path: Path) -> None:
    for table, entries in tables.items():
        if table not in _SCHEMA:
            _warn_unknown(path, f"[{table}]", [f"[{name}]" for name in _SCHEMA])
        elif not isinstance(entries, Mapping):
            raise ValueError(f"{path}: {table!r} must be a table, written [{table}], got {entries!r}.")
        else:
            _check_entries(table, entries, path)


def _check_entries(table: str, entries: Mapping[str, Any], path: Path) -> None:
    schema = _SCHEMA[table]
    for key, value in entries.items():
        if key not in schema:
            _warn_unknown(path, f"[{table}] {key}", list(schema))
        elif type(value) is not schema[key]:  # exact: `seed = true` is not an integer
            raise ValueError(f"{path}: [{table}] {key} must be of type {schema[key].__name__}, got {value!r}.")


def _warn_unknown(path: Path, what: str, names: list[str]) -> None:
    if (path, what) in _cache.warned:
        return
    _cache.warned.add((path, what))
    warnings.warn(f"{path}: unknown setting {what} has no effect; known: {', '.join(names)}.", stacklevel=2)


def load_config(force: bool = False) -> dict[str, Any]:
    """Read `./.jno.toml` and `~/.jno/config.toml`; a key in the first beats the same key in the second.

    The result is cached for the current working directory.

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
    sources = _candidates()
    if force or _cache.sources != sources:
        merged: dict[str, Any] = {}
        for path in reversed(sources):
            for table, entries in _read(path).items():
                is_table = isinstance(entries, Mapping)
                merged[table] = {**merged.get(table, {}), **entries} if is_table else entries
        _cache.tables, _cache.sources = merged, sources
    return {
        table: dict(entries) if isinstance(entries, Mapping) else entries for table, entries in _cache.tables.items()
    }


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
    return next((path for path in _candidates() if path.is_file()), None)


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
        raise ValueError(f"Invalid JNO_SEED: {text!r} is not an integer; set e.g. JNO_SEED=42.") from None


def get_stop_on_nonfinite() -> bool:
    """Tell whether a NaN or infinite loss stops training: `JNO_STOP_ON_NONFINITE`, else `[jno]`, else True.

    Raises:
        ValueError: the environment variable is none of 0, 1, true, false.

    Example:
        >>> from jno.utils import get_stop_on_nonfinite
        >>> get_stop_on_nonfinite()
        True
    """
    text = os.environ.get("JNO_STOP_ON_NONFINITE")
    if text is None:
        return bool(get_setting("jno", "stop_on_nonfinite", True))
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"Invalid JNO_STOP_ON_NONFINITE: {text!r}; allowed: {', '.join(_BOOLEANS)}.")
    return _BOOLEANS[text.lower()]


def get_runs_base_dir() -> str:
    """Return the folder of run directories: `JNO_LOG_DIR`, else `[runs] base_dir`, else `"./runs"`; without `~`.

    Example:
        >>> import jno
        >>> isinstance(jno.get_runs_base_dir(), str)
        True
    """
    base = os.environ.get("JNO_LOG_DIR") or str(get_setting("runs", "base_dir", DEFAULT_RUNS_BASE_DIR))
    return os.path.expanduser(base)  # a path would lose the leading ./


def _get_rsa_key(which: str) -> str | None:
    """Environment before files; in each, the key itself before the folder that holds `<which>.pem`."""
    sources = (
        (os.environ.get(f"JNO_RSA_{which.upper()}_KEY"), os.environ.get("JNO_RSA_PATH")),
        (get_setting("rsa", f"{which}_key"), get_setting("rsa", "path")),
    )
    for key, folder in sources:
        if key:
            return str(user_path(key))
        if folder:
            return str(user_path(folder) / f"{which}.pem")
    return None


def get_rsa_public_key() -> str | None:
    """Return the path of the RSA public key, None when none is configured.

    Looked up in `JNO_RSA_PUBLIC_KEY`, `JNO_RSA_PATH` (a folder with `public.pem`), `[rsa] public_key` and
    `[rsa] path`, in this order.

    Example:
        >>> import jno
        >>> key = jno.get_rsa_public_key()
    """
    return _get_rsa_key("public")


def get_rsa_private_key() -> str | None:
    """Return the path of the RSA private key, None when none is configured.

    Looked up in `JNO_RSA_PRIVATE_KEY`, `JNO_RSA_PATH` (a folder with `private.pem`), `[rsa] private_key`
    and `[rsa] path`, in this order.

    Example:
        >>> import jno
        >>> key = jno.get_rsa_private_key()
    """
    return _get_rsa_key("private")
