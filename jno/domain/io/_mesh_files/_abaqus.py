"""Reading the mesh of Abaqus input files, `.inp` (Abaqus Keywords Reference Guide), as CalculiX takes them too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jno.utils import get_logger

from ...geometry import EXTRA_NODES
from ...mesh import KINDS, Block, MeshFileError, RawMesh, face_kind, positions
from ._abaqus_keywords import AbaqusKeyword, keywords
from ._abaqus_model import AbaqusModel, Instance, NamedSet, SetMembers
from ._claims import check_claim


def read_inp(path: Path, origin: str) -> RawMesh:
    """The mesh of all instances; sets of nodes, sets of elements and surfaces become sets.

    Sets of the assembly, or of a file without parts, keep their names. So do those of the only instance; those of
    several instances are named `instance.set`. Sets that Abaqus/CAE marks as internal are used but are not sets.
    """
    try:
        size = path.stat().st_size
        return _Assembled(AbaqusModel(keywords(path, origin), size), origin, size).raw_mesh()
    except OverflowError as error:
        raise MeshFileError(f"{origin} is corrupt: it has a label that is no 64-bit integer ({error}).") from error
    except RecursionError as error:
        raise MeshFileError(f"{origin} has sets of sets that are nested too deep; list their members.") from error


@dataclass
class _Placed:
    """An instance with the positions of its nodes and elements among all."""

    instance: Instance
    labels: np.ndarray
    first_node: int
    element_labels: np.ndarray
    first_element: int

    def locate(self, labels: np.ndarray, of_elements: bool) -> np.ndarray:
        """Positions among all nodes or elements, -1 for labels that do not exist."""
        table, offset = (self.element_labels, self.first_element) if of_elements else (self.labels, self.first_node)
        slots = positions(table, labels)
        return np.where(slots < 0, -1, slots + offset)


class _Assembled:
    """The nodes and elements of all instances in one numbering, and the members of their sets."""

    def __init__(self, model: AbaqusModel, origin: str, size: int) -> None:
        self._origin, self._size = origin, size
        self._claimed = 0
        self._known_members: dict[tuple[str, bool, str], np.ndarray] = {}
        self._points: list[np.ndarray] = []
        self._blocks: list[Block] = []
        self._first: list[int] = []  # the first element of every block
        self._placed: dict[str, _Placed] = {}
        self._single = len(model.instances) == 1
        for instance in [Instance("", model.assembly), *model.instances]:
            if instance.name.upper() in self._placed:
                raise MeshFileError(f"{origin} has two instances of the name {instance.name!r}.")
            self._place(instance)

    def raw_mesh(self) -> RawMesh:
        """Points, blocks and sets."""
        if not sum(map(len, self._points)):
            raise MeshFileError(f"{self._origin} is corrupt or not an .inp file: it has no nodes.")
        sets: dict[str, list[Block]] = {}
        for placed in self._placed.values():
            for name, block in self._sets(placed):
                sets.setdefault(name, []).append(block)
        return RawMesh(
            np.concatenate(self._points), tuple(self._blocks), {name: tuple(blocks) for name, blocks in sets.items()}
        )

    def _place(self, instance: Instance) -> None:
        part = instance.part
        arrays = [points for _, points in part.nodes] + [nodes for _, _, nodes, _ in part.elements]
        self._claimed += sum(array.nbytes for array in arrays)  # many instances may repeat one part
        check_claim(self._claimed, self._size, self._origin)
        labels = np.concatenate([np.zeros(0, dtype=np.int64), *(labels for labels, _ in part.nodes)])
        points = np.concatenate([np.zeros((0, 3)), *(points for _, points in part.nodes)])
        labels, points = self._distinct(labels, points)
        element_labels = np.concatenate([np.zeros(0, dtype=np.int64), *(labels for _, labels, _, _ in part.elements)])
        repeated = element_labels[positions(element_labels, element_labels) != np.arange(len(element_labels))]
        if len(repeated):
            raise MeshFileError(f"{self._origin} gives the label {repeated[0]} to two elements.")
        first_node, first_element = sum(map(len, self._points)), sum(len(nodes) for _, nodes in self._blocks)
        placed = _Placed(instance, labels, first_node, element_labels, first_element)
        self._placed[instance.name.upper()] = placed
        self._points.append(instance.place(points))
        for kind, _, nodes, keyword in part.elements:
            self._first.append(sum(len(nodes) for _, nodes in self._blocks))
            self._blocks.append((kind, self._located_nodes(placed, nodes, keyword)))

    def _located_nodes(self, placed: _Placed, nodes: np.ndarray, keyword: AbaqusKeyword) -> np.ndarray:
        located = placed.locate(nodes, of_elements=False)
        if np.any(located < 0):
            raise keyword.error(f"is corrupt: it refers to the node {nodes[located < 0][0]}, which does not exist")
        return located

    def _distinct(self, labels: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nodes without repetitions, which must agree."""
        slots = positions(labels, labels)
        distinct = slots == np.arange(len(labels))
        differ = np.any(points != points[slots], axis=1) if len(labels) else distinct
        if np.any(differ):
            raise MeshFileError(f"{self._origin} gives the label {labels[differ][0]} to two nodes at different points.")
        return labels[distinct], points[distinct]

    # -- sets ----
    def _sets(self, placed: _Placed) -> Iterator[tuple[str, Block]]:
        part = placed.instance.part
        for one in part.element_sets.values():
            if not one.internal:
                elements = self._members(placed, one, True, ())
                yield self._name(placed, one.name), ("vertex", np.zeros((0, 1), dtype=np.int64))
                yield from ((self._name(placed, one.name), block) for block in self._blocks_of(elements))
        for one in part.node_sets.values():
            if not one.internal:
                nodes = self._members(placed, one, False, ())
                yield EXTRA_NODES + self._name(placed, one.name), ("vertex", nodes.reshape(-1, 1))
        for surface in part.surfaces:
            yield from self._surface(placed, surface)

    def _name(self, placed: _Placed, name: str) -> str:
        """The name of a set of an instance; where there are several, or the assembly has the name, with theirs."""
        assembly = self._placed[""].instance.part
        taken = {*assembly.element_sets, *assembly.node_sets}
        taken |= {surface.options.get("NAME", "").upper() for surface in assembly.surfaces}
        plain = not placed.instance.name or (self._single and name.upper() not in taken)
        return name if plain else f"{placed.instance.name}.{name}"

    def _members(self, placed: _Placed, one: NamedSet, of_elements: bool, trail: tuple[str, ...]) -> np.ndarray:
        """Positions of the nodes or elements of a set."""
        if one.name in trail:
            raise MeshFileError(f"{self._origin}: the set {one.name!r} contains itself.")
        key = (placed.instance.name.upper(), of_elements, one.name.upper())
        if key not in self._known_members:  # sets that name each other would be gathered again and again
            parts = [np.zeros(0, dtype=np.int64)]
            for entry in one.entries:
                parts += self._entry(placed, one, entry, of_elements, (*trail, one.name))
            self._known_members[key] = np.unique(np.concatenate(parts))
        return self._known_members[key]

    def _entry(
        self, placed: _Placed, one: NamedSet, entry: SetMembers, of_elements: bool, trail: tuple[str, ...]
    ) -> Iterator[np.ndarray]:
        owner = self._instance(entry.instance, entry.keyword) if entry.instance else placed
        located = owner.locate(entry.labels, of_elements)
        missing = entry.labels[located < 0]
        if len(missing) and not entry.generated:
            what = "elements" if of_elements else "nodes"
            get_logger().warning(
                f"{entry.keyword.where}: the set {one.name!r} lists {len(missing)} {what} that do not exist, the "
                f"first is {missing[0]}; they are left out."
            )
        yield located[located >= 0]
        for name in entry.names:
            elements = of_elements or entry.of_elements
            members = self._named(owner, name, elements, entry.keyword, trail)
            yield self._nodes_of(members) if entry.of_elements else members

    def _named(
        self, placed: _Placed, name: str, of_elements: bool, keyword: AbaqusKeyword, trail: tuple[str, ...] = ()
    ) -> np.ndarray:
        """Members of `set`, `label`, `instance.set` or `instance.label`."""
        part = placed.instance.part
        table = part.element_sets if of_elements else part.node_sets
        if name.upper() in table:
            return self._members(placed, table[name.upper()], of_elements, trail)
        if name.isdigit():
            located = placed.locate(np.array([int(name)]), of_elements)
            if located[0] >= 0:
                return located
        instance, dot, local_name = name.partition(".")
        if dot and instance.upper() in self._placed:
            return self._named(self._placed[instance.upper()], local_name, of_elements, keyword, trail)
        what = "element" if of_elements else "node"
        raise keyword.error(f"refers to {name!r}, which is no {what} and no set of {what}s")

    def _instance(self, name: str, keyword: AbaqusKeyword) -> _Placed:
        if name.upper() not in self._placed:
            raise keyword.error(f"names the instance {name!r}, which does not exist")
        return self._placed[name.upper()]

    def _blocks_of(self, elements: np.ndarray) -> Iterator[Block]:
        for offset, (kind, nodes) in zip(self._first, self._blocks, strict=True):
            rows = elements[(elements >= offset) & (elements < offset + len(nodes))] - offset
            if len(rows):
                yield kind, nodes[rows]

    def _nodes_of(self, elements: np.ndarray) -> np.ndarray:
        none = np.zeros(0, dtype=np.int64)
        return np.unique(np.concatenate([none, *(nodes.reshape(-1) for _, nodes in self._blocks_of(elements))]))

    # -- surfaces ----
    def _surface(self, placed: _Placed, keyword: AbaqusKeyword) -> Iterator[tuple[str, Block]]:
        """Faces of elements, or nodes."""
        name = self._name(placed, keyword.required("NAME"))
        kind = keyword.options.get("TYPE", "ELEMENT").upper()
        if kind not in ("ELEMENT", "NODE") or "COMBINE" in keyword.options:
            raise keyword.error(f"of the type {kind!r} or with COMBINE is not read; use TYPE=ELEMENT or TYPE=NODE")
        internal = "INTERNAL" in keyword.options
        for row, words in enumerate(keyword.rows):
            if kind == "NODE":
                block = ("vertex", self._named(placed, words[0], False, keyword).reshape(-1, 1))
                blocks, name = [block], name if name.startswith(EXTRA_NODES) else EXTRA_NODES + name
            else:
                blocks = list(self._faces(placed, keyword, row))
            if not internal:
                yield from ((name, block) for block in blocks)

    def _faces(self, placed: _Placed, keyword: AbaqusKeyword, row: int) -> Iterator[Block]:
        words = keyword.rows[row]
        face = words[1].upper() if len(words) > 1 else ""
        if not (face.startswith("S") and face[1:].isdigit() and int(face[1:]) > 0):
            raise keyword.error("must name an element or a set of elements and one of its faces S1, S2, ...", row)
        number = int(face[1:]) - 1
        for kind, nodes in self._blocks_of(self._named(placed, words[0], True, keyword)):
            if number >= len(KINDS[kind].faces):
                raise keyword.error(f"asks for the face {face} of an element of kind {kind!r}", row)
            corners = nodes[:, : KINDS[kind].corners][:, list(KINDS[kind].faces[number])]
            yield face_kind(corners.shape[1]), corners
