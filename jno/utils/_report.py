"""A page about a training run."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Num

from jno.utils._atomic_files import write_atomically
from jno.utils._config import get_config, get_network_seed, get_seed
from jno.utils._history_figure import history_figure
from jno.utils._history_table import history_rows
from jno.utils._html import Reported, html_page, html_section, html_table, image_of, svg_of

_PACKAGES = ("jno-jax", "jax", "jaxlib", "equinox", "optax", "numpy")
Logs = Sequence[Mapping[str, Any]]


def history_markup(logs: Logs, total_loss: Num[np.ndarray, " epochs"]) -> str:
    """Facts and curves of a history."""
    table = html_table((), history_rows(logs, total_loss))
    return table + image_of(history_figure(logs), "losses over the epochs") if total_loss.size else table


def written_report(path: Path, logs: Logs, total_loss: Num[np.ndarray, " epochs"], problem: Reported | None) -> None:
    """Write the page."""
    sections = [html_section("Run", html_table((), history_rows(logs, total_loss)))]
    if total_loss.size:
        sections.append(html_section("Losses and trackers", svg_of(history_figure(logs))))
    if problem is not None:
        sections += problem.report_sections()
    sections.append(html_section("Settings", html_table((), _settings())))
    sections.append(html_section("Machine", html_table((), _machine())))
    write_atomically(path, html_page(f"Training run: {path.stem}", sections).encode())


def _settings() -> list[tuple[str, object]]:
    configured = [(name, value) for name, value in get_config().get("jno", {}).items() if "key" not in name]
    precision = "float64" if jax.config.read("jax_enable_x64") else "float32"
    return [("seed", get_seed()), ("seed of networks", get_network_seed()), ("precision", precision), *configured]


def _machine() -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [("python", platform.python_version()), ("system", platform.system())]
    rows += [(name, _version(name)) for name in _PACKAGES]
    return [*rows, ("devices", ", ".join(str(device) for device in jax.devices()))]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
