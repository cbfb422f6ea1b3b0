"""JSON, TOML and YAML from files that may be damaged or hostile: bounded in size and nesting, nothing is executed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from jno.utils._limits import Limits


def bounded_bytes(path: Path, origin: str, limits: Limits) -> bytes:
    """The content of a file of text, read once its size is known to be small enough.

    Raises:
        ValueError: it has more than `limits.text_bytes`.
    """
    with path.open("rb") as stream:
        content = stream.read(limits.text_bytes + 1)
        size = max(len(content), path.stat().st_size)
    limits.check("text_bytes", size, origin, f"is text of {size:,} bytes")
    return content


def parsed_json(content: bytes | str, origin: str, limits: Limits) -> Any:
    """The value that a JSON text describes.

    Raises:
        ValueError: it is none, or nested too deep.

    Example:
        >>> from jno.utils import Limits, parsed_json
        >>> parsed_json('{"seed": 7}', "the settings", Limits())
        {'seed': 7}
    """
    return _parsed(lambda: json.loads(content), origin, limits)


def parsed_toml(content: bytes, origin: str, limits: Limits) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: it is none, or nested too deep.
    """
    return _parsed(lambda: tomllib.loads(content.decode("utf-8")), origin, limits)


def parsed_yaml(content: bytes, origin: str, limits: Limits) -> Any:
    """The value of a YAML text, by the safe loader: plain values only.

    Raises:
        ValueError: it is none, nested too deep, or its aliases repeat each other without bound.
        ImportError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise ImportError("reading YAML needs PyYAML: pip install pyyaml") from error

    class Loader(yaml.SafeLoader):
        """Safe loader that also takes ``1e-3`` for a number, as YAML 1.2 does; PyYAML wants ``1.0e-3``."""

        def flatten_mapping(self, node: Any) -> None:
            """Merge keys ``<<`` copy what they name: refused before copies of copies fill the memory."""
            merged = [value for key, value in node.value if key.tag == "tag:yaml.org,2002:merge"]
            sources = [source for value in merged for source in (value.value if _is_list(value) else [value])]
            copied = 0
            for source in sources:
                if isinstance(source, yaml.MappingNode):
                    self.flatten_mapping(source)
                    copied += len(source.value)
            _check_repetition(copied, content, origin)
            super().flatten_mapping(node)

    def _is_list(node: Any) -> bool:
        return isinstance(node, yaml.SequenceNode)

    exponent_form = re.compile(r"^[-+]?(?:\d+(?:\.\d*)?|\.\d+)[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent_form, list("-+.0123456789"))
    try:
        value = _parsed(lambda: yaml.load(content.decode("utf-8"), Loader=Loader), origin, limits)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    _count_repeated(value, content, origin)
    return value


def _parsed(parse: Callable[[], Any], origin: str, limits: Limits) -> Any:
    try:
        value = parse()
    except RecursionError:
        limits.check("depth", limits.depth + 1, origin, f"is nested more than {limits.depth} deep")
        raise
    check_depth(value, origin, limits)
    return value


def check_depth(value: object, origin: str, limits: Limits) -> None:
    """Refuse lists and tables that are nested too deep: level by level, without recursion; cycles are too deep.

    Raises:
        ValueError: naming the depth and the limit.
    """
    level: list[Any] = [value]
    depth = 0
    while level := _containers(level):
        depth += 1
        limits.check("depth", depth, origin, f"is nested more than {limits.depth} deep")
        level = [item for container in level for item in _items(container)]


def _containers(values: Iterable[object]) -> list[Any]:
    return list({id(value): value for value in values if isinstance(value, dict | list)}.values())


def _items(container: Mapping[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, Mapping) else container


def _count_repeated(value: Any, content: bytes, origin: str) -> None:
    """Count values as often as aliases repeat them; the depth is bounded by now, so there are no cycles."""
    counts: dict[int, int] = {}

    def count(container: Any) -> int:
        if id(container) not in counts:
            counts[id(container)] = 1 + sum(
                count(item) if isinstance(item, dict | list) else 1 for item in _items(container)
            )
        return counts[id(container)]

    if isinstance(value, dict | list):
        _check_repetition(count(value), content, origin)


def _check_repetition(values: int, content: bytes, origin: str) -> None:
    # without aliases every value takes at least one character
    most = 1000 + len(content)
    if values > most:
        raise ValueError(
            f"{origin} repeats its anchors to {values:,} values; the limit for its {len(content):,} bytes is {most:,}. "
            "Write the values out, or give them as JSON."
        )
