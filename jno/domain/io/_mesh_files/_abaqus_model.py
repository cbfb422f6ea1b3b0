"""What an Abaqus input file says of its mesh: parts with nodes, elements and sets, and where instances put them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ._abaqus_elements import element_type
from ._abaqus_keywords import AbaqusKeyword
from ._claims import check_claim

# keywords that make nodes or elements of others
_GENERATORS = {"NGEN", "NFILL", "NCOPY", "NMAP", "ELGEN", "ELCOPY", "SYSTEM", "IMPORT", "SYMMETRIC MODEL GENERATION"}
_REFUSED = dict.fromkeys(_GENERATORS, "makes nodes or elements, which is not read; write them out")
_REFUSED["PARAMETER"] = "is not read; write the numbers out"


@dataclass
class SetMembers:
    """Members of a set: labels and names of other sets, of an instance where one is named.

    Attributes:
        keyword: that lists them.
        labels: numbers of nodes or elements.
        names: of sets of the same kind, as they are written.
        instance: whose they are, `""` for those of the part or of the assembly itself.
        generated: whether the labels are a range, which may have gaps.
        of_elements: whether the names are those of sets of elements, whose nodes are meant.
    """

    keyword: AbaqusKeyword
    labels: np.ndarray
    names: list[str] = field(default_factory=list)
    instance: str = ""
    generated: bool = False
    of_elements: bool = False


@dataclass
class NamedSet:
    """A set as its first definition spells it; further definitions of the same name add to it."""

    name: str
    internal: bool = False
    entries: list[SetMembers] = field(default_factory=list)


@dataclass
class AbaqusPart:
    """Nodes, elements, sets and surfaces of a part, of the assembly, or of a file without parts.

    Attributes:
        name: of the part, `""` for the assembly.
        nodes: labels and coordinates `(n, 3)` of every `*NODE`.
        elements: kind, labels `(m,)`, node labels `(m, V)` and keyword of every `*ELEMENT`.
        node_sets: by their name in capitals.
        element_sets: by their name in capitals.
        surfaces: the keywords `*SURFACE`.
    """

    name: str = ""
    nodes: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    elements: list[tuple[str, np.ndarray, np.ndarray, AbaqusKeyword]] = field(default_factory=list)
    node_sets: dict[str, NamedSet] = field(default_factory=dict)
    element_sets: dict[str, NamedSet] = field(default_factory=dict)
    surfaces: list[AbaqusKeyword] = field(default_factory=list)

    def copy(self) -> AbaqusPart:
        """A part with the same contents, to which an instance can add its own."""
        node_sets, element_sets = (
            {key: NamedSet(one.name, one.internal, list(one.entries)) for key, one in table.items()}
            for table in (self.node_sets, self.element_sets)
        )
        return AbaqusPart(
            self.name, list(self.nodes), list(self.elements), node_sets, element_sets, list(self.surfaces)
        )


@dataclass
class Instance:
    """A part put somewhere: a translation, then a rotation about an axis."""

    name: str
    part: AbaqusPart
    keyword: AbaqusKeyword | None = None

    def place(self, points: np.ndarray) -> np.ndarray:
        """The coordinates `(n, 3)` of the part's points in the assembly."""
        if self.keyword is None or not self.keyword.rows:
            return points
        if len(self.keyword.rows) > 2:
            raise self.keyword.error("has more than a translation and a rotation")
        shift = _numbers(self.keyword, 0, 3)
        points = points + np.asarray(shift)
        if len(self.keyword.rows) == 2:
            from scipy.spatial.transform import Rotation

            numbers = np.asarray(_numbers(self.keyword, 1, 7))
            start, axis = numbers[:3], numbers[3:6] - numbers[:3]
            if not np.any(axis):
                raise self.keyword.error("has a rotation without an axis", 1)
            turn = Rotation.from_rotvec(np.deg2rad(numbers[6]) * axis / np.linalg.norm(axis))
            points = turn.apply(points - start) + start
        return points


def _numbers(keyword: AbaqusKeyword, row: int, count: int) -> list[float]:
    words = keyword.rows[row]
    try:
        numbers = [_real(word) for word in words]
    except ValueError:
        raise keyword.error("must hold numbers", row) from None
    if len(numbers) > count or (count == 7 and len(numbers) != 7):
        raise keyword.error(f"must hold {count} numbers", row)
    return numbers + [0.0] * (count - len(numbers))


def _real(word: str) -> float:
    """A number, also with the exponent of Fortran's double precision, and zero for a blank field."""
    return float(word.upper().replace("D", "E")) if word else 0.0


class AbaqusModel:
    """The parts and the instances of a file; `assembly` holds what is outside of all parts.

    Args:
        keywords: of the file.
        size: bytes of the file.
    """

    def __init__(self, keywords: Iterable[AbaqusKeyword], size: int) -> None:
        self._size, self._generated = size, 0
        self.assembly = AbaqusPart()
        self.instances: list[Instance] = []
        self._parts: dict[str, AbaqusPart] = {}
        self._current = self.assembly
        for keyword in keywords:
            self._add(keyword)

    def _add(self, keyword: AbaqusKeyword) -> None:
        if keyword.name in _REFUSED:
            raise keyword.error(_REFUSED[keyword.name])
        match keyword.name:
            case "PART":
                name = keyword.required("NAME")
                self._current = self._parts.setdefault(name.upper(), AbaqusPart(name))
            case "INSTANCE":
                self._current = self._instance(keyword)
            case "END PART" | "END INSTANCE":
                self._current = self.assembly
            case "NODE":
                self._nodes(keyword)
            case "ELEMENT":
                self._elements(keyword)
            case "NSET":
                self._set(keyword, self._current.node_sets, keyword.required("NSET"))
            case "ELSET":
                self._set(keyword, self._current.element_sets, keyword.required("ELSET"))
            case "SURFACE":
                self._current.surfaces.append(keyword)

    def _instance(self, keyword: AbaqusKeyword) -> AbaqusPart:
        part = self._parts.get(keyword.options.get("PART", "").upper())
        if part is None:
            raise keyword.error(f"is of the part {keyword.options.get('PART')!r}, which is not defined before it")
        self.instances.append(Instance(keyword.required("NAME"), part.copy(), keyword))
        return self.instances[-1].part

    def _nodes(self, keyword: AbaqusKeyword) -> None:
        if keyword.options.get("SYSTEM", "R").upper() != "R":
            raise keyword.error("with cylindrical or spherical coordinates is not read; write Cartesian ones")
        rows = [[*words[:4], *["0"] * (4 - len(words))] for words in keyword.rows]
        try:
            labels = np.array([row[0] for row in rows], dtype=np.int64)
            points = np.array([[_real(word) for word in row[1:]] for row in rows], dtype=np.float64).reshape(-1, 3)
        except ValueError:
            bad = next(row for row, words in enumerate(rows) if not _is_node(words))
            raise keyword.error("must be a label and up to three coordinates", bad) from None
        self._current.nodes.append((labels, points))
        if name := keyword.options.get("NSET"):
            self._entry(self._current.node_sets, name, SetMembers(keyword, labels))

    def _elements(self, keyword: AbaqusKeyword) -> None:
        element = element_type(keyword.required("TYPE"))
        if element is None:
            raise keyword.error(
                f"has the type {keyword.options['TYPE']!r}, which is not read; known are solids (C3D4, C3D8, ...), "
                "plane and shell elements (CPS3, CPE4, S4R, ...), trusses and beams (T2D2, B31, ...)"
            )
        kind, width = element
        labels, nodes = _element_table(keyword, width)
        self._current.elements.append((kind, labels, nodes, keyword))
        if name := keyword.options.get("ELSET"):
            self._entry(self._current.element_sets, name, SetMembers(keyword, labels))

    def _entry(self, table: dict[str, NamedSet], name: str, entry: SetMembers) -> None:
        one = table.setdefault(name.upper(), NamedSet(name))
        one.entries.append(entry)

    def _set(self, keyword: AbaqusKeyword, table: dict[str, NamedSet], name: str) -> None:
        instance = keyword.options.get("INSTANCE", "")
        none = np.zeros(0, dtype=np.int64)
        if "GENERATE" in keyword.options:
            entry = SetMembers(keyword, self._ranges(keyword), instance=instance, generated=True)
        else:
            words = [word for row in keyword.rows for word in row if word]
            labels = np.array([int(word) for word in words if word.isdigit()], dtype=np.int64)
            names = [word for word in words if not word.isdigit()]
            entry = SetMembers(keyword, labels, names, instance)
        self._entry(table, name, entry)
        table[name.upper()].internal |= "INTERNAL" in keyword.options
        if keyword.name == "NSET" and (elements := keyword.options.get("ELSET")):
            self._entry(table, name, SetMembers(keyword, none, [elements], instance, of_elements=True))

    def _ranges(self, keyword: AbaqusKeyword) -> np.ndarray:
        """The labels of `first, last, increment` in every data line."""
        parts = [np.zeros(0, dtype=np.int64)]
        for row, words in enumerate(keyword.rows):
            try:
                start, stop, *step = (int(word) for word in words if word)
                labels = range(start, stop + 1, *step[:1])
            except (ValueError, ZeroDivisionError, TypeError):
                raise keyword.error("must be the first label, the last one and an increment", row) from None
            self._generated += max(0, -(-(labels.stop - labels.start) // labels.step))
            check_claim(self._generated * parts[0].itemsize, self._size, keyword.where)
            parts.append(np.arange(labels.start, labels.stop, labels.step, dtype=np.int64))
        return np.concatenate(parts)


def _is_node(words: list[str]) -> bool:
    try:
        int(words[0])
        [_real(word) for word in words[1:]]
    except ValueError:
        return False
    return True


def _element_table(keyword: AbaqusKeyword, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and node labels; the numbers of an element may fill several lines."""
    try:
        numbers = np.array([word for row in keyword.rows for word in row if word], dtype=np.int64)
    except ValueError:
        bad = next(row for row, words in enumerate(keyword.rows) if not all(word.isdigit() for word in words if word))
        raise keyword.error("must hold integers", bad) from None
    if len(numbers) % (width + 1):
        raise keyword.error(
            f"is corrupt: an element of the type {keyword.options['TYPE']!r} is a label and {width} nodes, but the "
            f"data lines hold {len(numbers)} numbers"
        )
    table = numbers.reshape(-1, width + 1)
    return table[:, 0], table[:, 1:]
