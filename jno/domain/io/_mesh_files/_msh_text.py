"""Reading gmsh's text format, versions 2 and 4.1, with its physical groups; it needs no library."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from ...mesh import Block, MeshFileError, RawMesh, check_tag_name, corner_count, dimension_of, gmsh_kind, positions
from ._lines import Lines

_SECTION = re.compile(r"^\$(\w+)[ \t]*\r?\n(.*?)(?:^\$End\1\b|\Z)", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r'^\s*(\d+)\s+(-?\d+)\s+"(.*)"\s*$')

Sections = dict[str, Lines]
Groups = dict[tuple[int, int], str]


def is_text_msh(head: bytes) -> bool:
    """Whether the first bytes of a file announce a text format that is understood here."""
    words = head.replace(b"\r", b"").split(b"\n")
    version = words[1].split() if len(words) > 1 else []
    readable = len(version) >= 2 and (version[0].startswith(b"2") or version[0] == b"4.1")
    return words[0].strip() == b"$MeshFormat" and readable and version[1] == b"0"


def parse_msh(text: str, origin: str) -> RawMesh:
    """The mesh in the text of a file."""
    sections = _sections(text, origin)
    if "ParametricNodes" in sections:  # of version 2, with the coordinates in front as in $Nodes
        sections.setdefault("Nodes", sections["ParametricNodes"])
    missing = [f"${name}" for name in ("Nodes", "Elements") if name not in sections]
    if missing:
        raise MeshFileError(f"{origin} is truncated or not a mesh: {' and '.join(missing)} missing.")
    groups = _physical_names(sections, origin)
    version = sections["MeshFormat"].words()[0]
    return (_read_2 if version.startswith("2") else _read_41)(sections, groups)


def _sections(text: str, origin: str) -> Sections:
    sections: Sections = {}
    line, counted = 1, 0
    for match in _SECTION.finditer(text):
        name, body = match.groups()
        if not text[match.start() : match.end()].rstrip().endswith(f"$End{name}"):
            raise MeshFileError(f"{origin} is truncated: the section ${name} is not closed, $End{name} is missing.")
        line += text.count("\n", counted, match.start(2))
        counted = match.start(2)
        sections[name] = Lines(f"${name}", line, body.splitlines(), origin)
    return sections


def _physical_names(sections: Sections, origin: str) -> Groups:
    """Names of the physical groups; a group with an empty name has none."""
    lines = sections.get("PhysicalNames")
    if lines is None or not len(lines):
        return {}
    groups: Groups = {}
    announced = lines.integers(1)[0]
    for text, number in lines.remaining():
        match = _NAME.match(text)
        if not match:
            raise MeshFileError(
                f'{origin} is corrupt: line {number} must be a dimension, a number and a "name"; it is {text!r}.'
            )
        if match[3]:
            groups[int(match[1]), int(match[2])] = _checked(match[3], number, origin)
    lines.finish("names", announced, len(lines) - 1)
    return groups


def _checked(name: str, number: int, origin: str) -> str:
    try:
        check_tag_name(name)
    except ValueError as error:
        raise MeshFileError(
            f"{origin}: line {number} names a group that cannot be a tag. {error} Rename the group."
        ) from error
    return name


def group_name(groups: Groups, dimension: int, number: int) -> str:
    """The name of a physical group, or one made of its number."""
    return groups.get((dimension, number), f"physical_{number}")


def _collect(labels: np.ndarray, points: np.ndarray, entries: list[tuple[Block, list[str]]], groups: Groups) -> RawMesh:
    """The mesh of blocks, given by their node labels, with the names of the sets that they belong to."""
    blocks: list[Block] = []
    sets: dict[str, list[Block]] = {}
    for (kind, nodes), names in entries:
        block = (kind, positions(labels, nodes))
        blocks.append(block)
        for name in names:
            sets.setdefault(name, []).append(block)
    for name in groups.values():  # groups without elements are reported with the other empty sets
        sets.setdefault(name, [])
    return RawMesh(points, tuple(blocks), {name: tuple(parts) for name, parts in sets.items()})


# -- version 2 ----
def _read_2(sections: Sections, groups: Groups) -> RawMesh:
    lines = sections["Nodes"]
    announced = lines.integers(1)[0]
    nodes = lines.table(announced, 4, np.float64)
    lines.finish("nodes", announced, len(nodes))
    wrong = ~(np.abs(nodes[:, 0]) < 2**53) | (nodes[:, 0] != np.floor(nodes[:, 0]))
    _refuse_rows(lines, wrong, "does not start with the number of a node")
    return _collect(nodes[:, 0].astype(np.int64), nodes[:, 1:], list(_elements_2(sections["Elements"], groups)), groups)


def _elements_2(lines: Lines, groups: Groups) -> Iterator[tuple[Block, list[str]]]:
    """Elements of the same kind, group and number of tags together."""
    announced = lines.integers(1)[0]
    numbers, lengths = lines.ragged(announced)
    lines.finish("elements", announced, len(lengths))
    _refuse_rows(lines, lengths < 3, "lacks the kind of the element or the number of its tags")
    start = np.cumsum(lengths) - lengths
    kinds, tag_counts = numbers[start + 1], numbers[start + 2]
    widths = lengths - 3 - tag_counts
    _refuse_rows(lines, (tag_counts < 0) | (widths < 1), "holds fewer numbers than it announces")
    physical = np.where(tag_counts > 0, numbers[np.minimum(start + 3, len(numbers) - 1)], 0)
    alike = np.stack([kinds, widths, tag_counts, physical], axis=1)
    classes, member = np.unique(alike, axis=0, return_inverse=True)
    for row, (number, width, count, group) in enumerate(classes.tolist()):
        kind = gmsh_kind(number)
        rows = np.flatnonzero(member.reshape(-1) == row)
        _check_width(lines, rows, kind, width, kinds, widths)
        begin = start[rows] + 3 + count
        names = [group_name(groups, dimension_of(kind), abs(group))] if group else []
        yield (kind, numbers[begin[:, None] + np.arange(width)]), names


def _refuse_rows(lines: Lines, bad: np.ndarray, what: str) -> None:
    if np.any(bad):
        raise lines.error(what, 1 + int(np.argmax(bad)))


def _check_width(lines: Lines, rows: np.ndarray, kind: str, width: int, kinds: np.ndarray, widths: np.ndarray) -> None:
    """Refuse elements with fewer nodes than corners, or with another number than most of their kind."""
    alike = widths[kinds == kinds[rows[0]]]
    if width < corner_count(kind) or width != np.bincount(alike).argmax():
        raise lines.error(f"gives {width} nodes to an element of kind {kind!r}", 1 + int(rows[0]))


# -- version 4.1 ----
def _entities(sections: Sections) -> dict[tuple[int, int], list[int]]:
    """Physical groups of every entity and of every part of one, by `(dimension, tag)`."""
    physical: dict[tuple[int, int], list[int]] = {}
    for name in ("Entities", "PartitionedEntities"):
        lines = sections.get(name)
        if lines is None or not len(lines):
            continue
        parts = name == "PartitionedEntities"
        if parts:
            lines.integers(1)
            for _ in range(lines.integers(1)[0]):  # ghost entities
                lines.words()
        for dimension, count in enumerate(lines.integers(4)[:4]):
            for _ in range(count):
                words = lines.words()
                try:
                    physical[dimension, int(words[0])] = _groups_of(words, dimension, parts)
                except (ValueError, IndexError):
                    raise lines.error(f"is no entity of dimension {dimension}", lines.row - 1) from None
    return physical


def _groups_of(words: list[str], dimension: int, part: bool) -> list[int]:
    """The physical groups in the line of an entity, which follow its place or its bounding box."""
    # a part names its parent's dimension and tag, the number of partitions, and these
    at = 1 + (3 + int(words[3]) if part else 0) + (3 if dimension == 0 else 6)
    count = int(words[at])
    groups = [abs(int(word)) for word in words[at + 1 : at + 1 + count]]
    if len(groups) != count:
        raise IndexError(count)
    return groups


def _read_41(sections: Sections, groups: Groups) -> RawMesh:
    physical = _entities(sections)
    labels, points = _nodes_41(sections["Nodes"])
    lines = sections["Elements"]
    n_blocks, announced = lines.integers(2)[:2]
    entries, total = [], 0
    for _ in range(n_blocks):
        dimension, entity, number, count = lines.integers(4)[:4]
        kind, row = gmsh_kind(number), lines.row
        numbers, lengths = lines.ragged(count)
        width = int(lengths[0]) if count else 1 + corner_count(kind)
        wrong = (lengths != width) | (lengths < 1 + corner_count(kind))
        if np.any(wrong):
            bad = int(np.argmax(wrong))
            raise lines.error(f"gives {lengths[bad] - 1} nodes to an element of kind {kind!r}", row + bad)
        names = [group_name(groups, dimension, group) for group in physical.get((dimension, entity), [])]
        entries.append(((kind, numbers.reshape(count, width)[:, 1:]), names))
        total += count
    lines.finish("elements", announced, total)
    return _collect(labels, points, entries, groups)


def _nodes_41(lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    n_blocks, announced = lines.integers(2)[:2]
    labels, points = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 3))]
    for _ in range(n_blocks):
        count = lines.integers(4)[3]
        labels.append(lines.table(count, 1, np.int64).reshape(-1))
        points.append(lines.table(count, 3, np.float64))  # parametric coordinates may follow
    nodes = np.concatenate(labels)
    lines.finish("nodes", announced, len(nodes))
    return nodes, np.concatenate(points)
