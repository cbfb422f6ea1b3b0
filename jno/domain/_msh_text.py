"""Reading gmsh's text format, versions 2 and 4.1, with its physical groups."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from ._raw_mesh import Block, MeshFileError, RawMesh

_KINDS = {1: "line", 2: "triangle", 3: "quad", 4: "tetra", 5: "hexahedron", 6: "wedge", 7: "pyramid", 15: "vertex"}
_DIMENSIONS = {"vertex": 0, "line": 1, "triangle": 2, "quad": 2}
_SECTION = re.compile(r"^\$(\w+)[ \t]*\r?\n(.*?)(?:^\$End\1\b|\Z)", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r'^\s*(\d+)\s+(-?\d+)\s+"(.*)"\s*$')

Groups = dict[tuple[int, int], str]


def _kind(number: int) -> str:
    return _KINDS.get(number, f"gmsh type {number}")


def is_text_msh(head: bytes) -> bool:
    """Whether the first bytes of a file announce a text format that is understood here."""
    words = head.replace(b"\r", b"").split(b"\n")
    version = words[1].split() if len(words) > 1 else []
    known = len(version) >= 2 and (version[0].startswith(b"2") or version[0] == b"4.1")
    return words[0].strip() == b"$MeshFormat" and known and version[1] == b"0"


def parse_msh(text: str, origin: str) -> RawMesh:
    """The mesh in the text of a file."""
    sections: dict[str, list[str]] = {}
    for match in _SECTION.finditer(text):
        name, body = match.groups()
        if not text[: match.end()].rstrip().endswith(f"$End{name}"):
            raise MeshFileError(f"{origin} is truncated: the section ${name} is not closed, $End{name} is missing.")
        sections[name] = body.splitlines()
    missing = [f"${name}" for name in ("Nodes", "Elements") if name not in sections]
    if missing:
        raise MeshFileError(f"{origin} is truncated or not a mesh: {' and '.join(missing)} missing.")
    groups = dict(_physical_names(sections.get("PhysicalNames", [])))
    version = sections["MeshFormat"][0].split()[0]
    read = _read_2 if version.startswith("2") else _read_41
    try:
        return read(sections, groups)
    except (ValueError, IndexError, KeyError) as error:
        raise MeshFileError(
            f"{origin} is corrupt: its sections $Nodes and $Elements do not hold what they announce ({error})."
        ) from error


def _physical_names(lines: list[str]) -> Iterator[tuple[tuple[int, int], str]]:
    for line in lines:
        match = _NAME.match(line)
        if match:
            yield (int(match.group(1)), int(match.group(2))), match.group(3)


def _numbers(lines: list[str], count: int, dtype: type) -> np.ndarray:
    """`count` lines of equally many numbers as a table."""
    if len(lines) < count:
        raise ValueError(f"{count} lines announced, {len(lines)} found")
    table: np.ndarray = np.array(" ".join(lines[:count]).split(), dtype=dtype)
    if table.size % max(count, 1):
        raise ValueError("lines of different length")
    return table.reshape(count, -1)


def _renumbered(tags: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """Positions of node tags; a tag without a node becomes -1."""
    if not len(tags):
        raise ValueError("no nodes")
    order = np.argsort(tags, kind="stable")
    slot = order[np.minimum(np.searchsorted(tags, elements, sorter=order), len(tags) - 1)]
    return np.where(tags[slot] == elements, slot, -1)


def _group_name(groups: Groups, dimension: int, number: int) -> str:
    return groups.get((dimension, number), f"physical_{number}")


def _collect(tags: np.ndarray, points: np.ndarray, entries: list[tuple[str, np.ndarray, list[str]]]) -> RawMesh:
    """The mesh of `(kind, node tags, names of the sets)` entries."""
    blocks: list[Block] = []
    sets: dict[str, list[Block]] = {}
    for kind, nodes, names in entries:
        block = (kind, _renumbered(tags, nodes))
        blocks.append(block)
        for name in names:
            sets.setdefault(name, []).append(block)
    return RawMesh(points, tuple(blocks), {name: tuple(parts) for name, parts in sets.items()})


# -- version 2 ----
def _read_2(sections: dict[str, list[str]], groups: Groups) -> RawMesh:
    nodes = _numbers(sections["Nodes"][1:], int(sections["Nodes"][0]), float)
    lines = sections["Elements"]
    announced, lines = int(lines[0]), [line for line in lines[1:] if line.strip()]
    if len(lines) != announced:
        raise ValueError(f"$Elements announces {announced} elements and holds {len(lines)}")
    lengths = np.fromiter((len(words) for words in map(str.split, lines)), dtype=np.int64, count=len(lines))
    numbers = np.array(" ".join(lines).split(), dtype=np.int64)
    start = np.cumsum(lengths) - lengths
    kinds, tag_counts = numbers[start + 1], numbers[start + 2]
    physical = np.where(tag_counts > 0, numbers[start + 3], 0)
    entries = []
    for number in np.unique(kinds):
        kind = _kind(int(number))
        for count in np.unique(tag_counts[kinds == number]):
            for group in np.unique(physical[(kinds == number) & (tag_counts == count)]):
                rows = np.flatnonzero((kinds == number) & (tag_counts == count) & (physical == group))
                first = start[rows] + 3 + count
                width = int(lengths[rows[0]] - 3 - count)
                names = [_group_name(groups, _DIMENSIONS.get(kind, 3), int(group))] if group else []
                entries.append((kind, numbers[first[:, None] + np.arange(width)], names))
    return _collect(nodes[:, 0].astype(np.int64), nodes[:, 1:4], entries)


# -- version 4.1 ----
def _entities(lines: list[str]) -> dict[tuple[int, int], list[int]]:
    """Physical groups of every entity `(dimension, tag)`."""
    physical: dict[tuple[int, int], list[int]] = {}
    if not lines:
        return physical
    row = 1
    for dimension, count in enumerate(int(word) for word in lines[0].split()):
        box = 4 if dimension == 0 else 7
        for line in lines[row : row + count]:
            words = line.split()
            groups = words[box + 1 : box + 1 + int(words[box])]
            physical[dimension, int(words[0])] = [abs(int(group)) for group in groups]
        row += count
    return physical


def _read_41(sections: dict[str, list[str]], groups: Groups) -> RawMesh:
    physical = _entities(sections.get("Entities", []))
    tags, points = _nodes_41([line for line in sections["Nodes"] if line.strip()])
    lines = [line for line in sections["Elements"] if line.strip()]
    n_blocks, announced = (int(word) for word in lines[0].split()[:2])
    entries, row, found = [], 1, 0
    for _ in range(n_blocks):
        dimension, entity, number, count = (int(word) for word in lines[row].split())
        table = _numbers(lines[row + 1 :], count, np.int64)
        names = [_group_name(groups, dimension, group) for group in physical.get((dimension, entity), [])]
        entries.append((_kind(number), table[:, 1:], names))
        row, found = row + 1 + count, found + count
    if found != announced or row != len(lines):
        raise ValueError(f"$Elements announces {announced} elements and holds {found + len(lines) - row}")
    return _collect(tags, points, entries)


def _nodes_41(lines: list[str]) -> tuple[np.ndarray, np.ndarray]:
    n_blocks, announced = (int(word) for word in lines[0].split()[:2])
    tags, points, row = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 3))], 1
    for _ in range(n_blocks):
        count = int(lines[row].split()[3])
        tags.append(_numbers(lines[row + 1 :], count, np.int64).reshape(-1))
        # parametric coordinates may follow x, y, z
        if count:
            points.append(_numbers(lines[row + 1 + count :], count, float)[:, :3])
        row += 1 + 2 * count
    nodes = np.concatenate(tags)
    if len(nodes) != announced:
        raise ValueError(f"$Nodes announces {announced} nodes and holds {len(nodes)}")
    return nodes, np.concatenate(points)
